package qscope

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"google.golang.org/protobuf/encoding/protojson"

	qscopev1 "qscope.internal/client/gen/qscope/v1"
)

const (
	accessTokenType = "at+jwt"
	clockSkew       = 30 * time.Second
	// leastAge keeps tokens with invented key ids from making a call each.
	leastAge = 10 * time.Second
)

// algorithms are those that QScope signs with; never `none`, never a symmetric one.
var algorithms = []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA, jose.RS256}

// AccessClaims is what a JWT access token says (RFC 9068 §2.2).
type AccessClaims struct {
	jwt.Claims
	ClientID string `json:"client_id"`
	Scope    string `json:"scope"`
}

// JWTVerifier verifies JWT access tokens with the server's key set, without a
// call for each. It does not see that a token was revoked: that is what
// VerifyToken is for.
type JWTVerifier struct {
	tokens   qscopev1.TokenServiceClient
	issuer   string
	audience string

	mu        sync.Mutex
	keys      jose.JSONWebKeySet
	fetchedAt time.Time
	maxAge    time.Duration
}

// NewJWTVerifier accepts tokens of one issuer for one audience.
func NewJWTVerifier(tokens qscopev1.TokenServiceClient, issuer, audience string) *JWTVerifier {
	return &JWTVerifier{tokens: tokens, issuer: issuer, audience: audience}
}

// Verify returns what a valid token says (RFC 9068 §4).
func (v *JWTVerifier) Verify(ctx context.Context, token string) (*AccessClaims, error) {
	parsed, err := jwt.ParseSigned(token, algorithms)
	if err != nil {
		return nil, err
	}
	header := parsed.Headers[0]
	if header.ExtraHeaders[jose.HeaderType] != accessTokenType {
		return nil, errors.New("not an access token: its typ is not " + accessTokenType)
	}
	key, err := v.key(ctx, header)
	if err != nil {
		return nil, err
	}
	claims := &AccessClaims{}
	if err := parsed.Claims(key, claims); err != nil {
		return nil, err
	}
	expected := jwt.Expected{Issuer: v.issuer, AnyAudience: jwt.Audience{v.audience}, Time: time.Now()}
	if claims.Expiry == nil {
		return nil, errors.New("the token has no exp")
	}
	return claims, claims.ValidateWithLeeway(expected, clockSkew)
}

func (v *JWTVerifier) key(ctx context.Context, header jose.Header) (*jose.JSONWebKey, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	age := time.Since(v.fetchedAt)
	found := v.keys.Key(header.KeyID)
	if age > v.maxAge || (len(found) == 0 && age > leastAge) {
		if err := v.fetch(ctx); err != nil {
			return nil, err
		}
		found = v.keys.Key(header.KeyID)
	}
	for _, key := range found {
		if key.Algorithm == header.Algorithm {
			return &key, nil
		}
	}
	return nil, fmt.Errorf("no key %q for %s in the key set", header.KeyID, header.Algorithm)
}

// fetch asks the server; the lock is held, so that one caller asks for all.
func (v *JWTVerifier) fetch(ctx context.Context) error {
	answer, err := v.tokens.GetJsonWebKeySet(ctx, &qscopev1.GetJsonWebKeySetRequest{})
	if err != nil {
		return err
	}
	// The answer's JSON is a JSON Web Key Set as it stands.
	text, err := protojson.Marshal(answer)
	if err != nil {
		return err
	}
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal(text, &keys); err != nil {
		return err
	}
	v.keys, v.fetchedAt, v.maxAge = keys, time.Now(), answer.GetMaxAge().AsDuration()
	return nil
}
