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
	// ErrInvalidToken is a token that is not valid, for whatever reason (RFC 6750 §3.1, invalid_token).
	ErrInvalidToken = errors.New("the access token is not valid")
	// ErrInsufficientScope is a good token that lacks a scope (RFC 6750 §3.1, insufficient_scope).
	ErrInsufficientScope = errors.New("the access token lacks a scope")
	// errUnknownKey is an id that no key of the key set has; the key may be newer.
	errUnknownKey = errors.New("the key set lacks its key")
)

// keyFetch is under way; its error is set before done is closed.
type keyFetch struct {
	done chan struct{}
	err  error
}

// JWTVerifier verifies JWT access tokens with the server's key set, without a
// call for each. It does not see that a token was revoked: a CachingVerifier does.
type JWTVerifier struct {
	tokens   qscopev1.TokenServiceClient
	issuer   string
	audience string
	now      func() time.Time
	// clock is for the age of the keys.
	clock clock

	mu   sync.Mutex
	keys jose.JSONWebKeySet
	// fetching is for all who need the keys meanwhile; nil: nobody fetches them.
	fetching *keyFetch
	// revocationKeys of the keys, by their ids.
	revocationKeys map[string]*revocationKey
	// fetchedAt is nil before the first fetch.
	fetchedAt *moment
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
	verifier := &JWTVerifier{
		tokens: tokens, issuer: issuer, audience: audience, now: time.Now, clock: systemClock{started: time.Now()},
	}
	for _, option := range options {
		option(verifier)
	}
	return verifier
}

// presented is how a token came.
type presented struct {
	thumbprint string
	scopes     []string
	// audience, instead of the verifier's own.
	audience    string
	anyAudience bool
}

func presentedWith(options []VerifyOption) presented {
	how := presented{}
	for _, option := range options {
		option(&how)
	}
	return how
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
	return func(p *presented) {
		if p.scopes == nil {
			p.scopes = slices.Clip(scopes)
			return
		}
		p.scopes = append(p.scopes, scopes...)
	}
}

// WithAudience requires another audience than the verifier's own.
func WithAudience(audience string) VerifyOption {
	return func(p *presented) { p.audience, p.anyAudience = audience, false }
}

// WithAnyAudience takes a token whomever it is for.
func WithAnyAudience() VerifyOption {
	return func(p *presented) { p.audience, p.anyAudience = "", true }
}

// Verify returns what a valid token says (RFC 9068 §4). Its error is
// ErrInvalidToken, ErrInsufficientScope, or the reason why the keys cannot be read.
func (v *JWTVerifier) Verify(ctx context.Context, token string, options ...VerifyOption) (*AccessClaims, error) {
	how := presentedWith(options)
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
	key, _, err := v.key(ctx, signed)
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
	audience := v.audience
	if how.audience != "" {
		audience = how.audience
	}
	switch {
	case claims.Issuer != v.issuer:
		return errors.New("it is of another issuer")
	case !how.anyAudience && !claims.Audience.Contains(audience):
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

// key returns the key that signed a token, and that key's own revocation key or nil.
func (v *JWTVerifier) key(ctx context.Context, signed *signedToken) (*jose.JSONWebKey, *revocationKey, error) {
	if fetch := v.fetchFor(ctx, signed.keyID); fetch != nil {
		select {
		case <-fetch.done:
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
		if fetch.err != nil {
			return nil, nil, fetch.err
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	found := v.keys.Key(signed.keyID)
	if len(found) == 0 {
		return nil, nil, fmt.Errorf("%w: %w", ErrInvalidToken, errUnknownKey)
	}
	for _, key := range found {
		if key.Algorithm == signed.algorithm {
			return &key, v.revocationKeys[signed.keyID], nil
		}
	}
	return nil, nil, fmt.Errorf("%w: no key %q for %s in the key set", ErrInvalidToken, signed.keyID, signed.algorithm)
}

// fetchFor returns nil where the keys at hand will do.
func (v *JWTVerifier) fetchFor(ctx context.Context, keyID string) *keyFetch {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.fetchedAt != nil {
		age := v.clock.now().since(*v.fetchedAt)
		if age <= v.maxAge && (len(v.keys.Key(keyID)) > 0 || age <= leastAge) {
			return nil
		}
	}
	if v.fetching == nil {
		fetch := &keyFetch{done: make(chan struct{})}
		v.fetching = fetch
		go func() {
			defer close(fetch.done)
			fetch.err = v.fetch(ctx)
		}()
	}
	return v.fetching
}

// fetch asks the server. It outlives the caller who gave rise to it, because others
// wait for it too.
func (v *JWTVerifier) fetch(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), defaultTimeout)
	defer cancel()
	answer, err := v.tokens.GetJsonWebKeySet(ctx, &qscopev1.GetJsonWebKeySetRequest{})
	v.mu.Lock()
	defer v.mu.Unlock()
	v.fetching = nil
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
	v.revocationKeys = map[string]*revocationKey{}
	for _, key := range answer.GetKeys() {
		v.revocationKeys[key.GetKid()] = revocationKeyIn(key.GetRvk())
	}
	now := v.clock.now()
	v.keys, v.fetchedAt, v.maxAge = keys, &now, answer.GetMaxAge().AsDuration()
	return nil
}
