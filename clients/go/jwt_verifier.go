package qscope

import (
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"google.golang.org/protobuf/encoding/protojson"

	qscopev1 "qscope.internal/client/gen/qscope/v1"
)

const (
	// clockSkew is how far ahead of this machine's clock may be what issued a
	// token: QScope's own tolerance. After its exp no token is taken.
	clockSkew = 60 * time.Second
	// leastAge keeps tokens with invented key ids from making a call each.
	leastAge = 10 * time.Second
	// leastRSABits is RFC 7518 §3.3.
	leastRSABits = 2048
)

var (
	// ErrInvalidToken is a token that is not good, for whatever reason (RFC 6750 §3.1, invalid_token).
	ErrInvalidToken = errors.New("the access token is not good")
	// ErrInsufficientScope is a good token that lacks a scope (RFC 6750 §3.1, insufficient_scope).
	ErrInsufficientScope = errors.New("the access token lacks a scope")
)

// JWTVerifier verifies JWT access tokens with the server's key set, without a
// call for each. It does not see that a token was revoked: that is what
// VerifyToken is for.
type JWTVerifier struct {
	tokens   qscopev1.TokenServiceClient
	issuer   string
	audience string
	now      func() time.Time

	mu        sync.Mutex
	keys      jose.JSONWebKeySet
	fetchedAt time.Time
	maxAge    time.Duration
}

// VerifierOption changes what a verifier goes by.
type VerifierOption func(*JWTVerifier)

// WithClock judges times by another clock than the machine's.
func WithClock(now func() time.Time) VerifierOption {
	return func(v *JWTVerifier) { v.now = now }
}

// NewJWTVerifier accepts tokens of one issuer for one audience.
func NewJWTVerifier(
	tokens qscopev1.TokenServiceClient, issuer, audience string, options ...VerifierOption,
) *JWTVerifier {
	verifier := &JWTVerifier{tokens: tokens, issuer: issuer, audience: audience, now: time.Now}
	for _, option := range options {
		option(verifier)
	}
	return verifier
}

// presented is how a token came.
type presented struct {
	thumbprint string
	scopes     []string
}

// VerifyOption says how a token came, or what it is to permit.
type VerifyOption func(*presented)

// WithCertificate is the certificate that the bearer showed in the TLS
// handshake. Without it a token that is bound to one is refused.
func WithCertificate(certificate *x509.Certificate) VerifyOption {
	return func(p *presented) {
		hash := sha256.Sum256(certificate.Raw)
		p.thumbprint = base64.RawURLEncoding.EncodeToString(hash[:])
	}
}

// WithCertificateThumbprint is the same by `x5t#S256` (RFC 8705 §3.1).
func WithCertificateThumbprint(thumbprint string) VerifyOption {
	return func(p *presented) { p.thumbprint = thumbprint }
}

// WithRequiredScopes refuses a token that lacks one of them.
func WithRequiredScopes(scopes ...string) VerifyOption {
	return func(p *presented) { p.scopes = append(p.scopes, scopes...) }
}

// Verify returns what a valid token says (RFC 9068 §4). Its error is
// ErrInvalidToken, ErrInsufficientScope, or why the keys cannot be had.
func (v *JWTVerifier) Verify(ctx context.Context, token string, options ...VerifyOption) (*AccessClaims, error) {
	how := presented{}
	for _, option := range options {
		option(&how)
	}
	signed, err := readSignedToken(token)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidToken, err)
	}
	claims, err := readAccessClaims(signed.payload)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidToken, err)
	}
	if err := v.judge(claims, how); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidToken, err)
	}
	key, err := v.key(ctx, signed)
	if err != nil {
		return nil, err
	}
	if err := checkSignature(token, key); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidToken, err)
	}
	for _, scope := range how.scopes {
		if !slices.Contains(claims.Scopes, scope) {
			return nil, fmt.Errorf("%w: %s", ErrInsufficientScope, scope)
		}
	}
	return claims, nil
}

// judge compares what a token says with whom, when and how it was presented to.
func (v *JWTVerifier) judge(claims *AccessClaims, how presented) error {
	now := v.now()
	latest := now.Add(clockSkew)
	switch {
	case claims.Issuer != v.issuer:
		return errors.New("it is of another issuer")
	case !claims.Audience.Contains(v.audience):
		return errors.New("it is for another audience")
	case !now.Before(claims.Expiry.Time()):
		return errors.New("it has expired")
	case claims.IssuedAt.Time().After(latest), claims.NotBefore != nil && claims.NotBefore.Time().After(latest):
		return errors.New("its time has not come")
	}
	bound := claims.CertificateThumbprint
	if bound != "" && subtle.ConstantTimeCompare([]byte(bound), []byte(how.thumbprint)) != 1 {
		return errors.New("it is bound to a certificate that was not shown")
	}
	return nil
}

func checkSignature(token string, key *jose.JSONWebKey) error {
	if public, isRSA := key.Key.(*rsa.PublicKey); isRSA && public.N.BitLen() < leastRSABits {
		return errors.New("its key is too short")
	}
	// The algorithm is the key's, not the token's to choose.
	parsed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(key.Algorithm)})
	if err != nil {
		return err
	}
	_, err = parsed.Verify(key)
	return err
}

func (v *JWTVerifier) key(ctx context.Context, signed *signedToken) (*jose.JSONWebKey, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	age := time.Since(v.fetchedAt)
	found := v.keys.Key(signed.keyID)
	if age > v.maxAge || (len(found) == 0 && age > leastAge) {
		if err := v.fetch(ctx); err != nil {
			return nil, err
		}
		found = v.keys.Key(signed.keyID)
	}
	for _, key := range found {
		if key.Algorithm == signed.algorithm {
			return &key, nil
		}
	}
	return nil, fmt.Errorf("%w: no key %q for %s in the key set", ErrInvalidToken, signed.keyID, signed.algorithm)
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
