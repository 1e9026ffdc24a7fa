package qscope

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc"

	qscopev1 "qscope.internal/client/gen/qscope/v1"
)

// OnlineConfig says who asks, and for whom tokens have to be.
type OnlineConfig struct {
	// Client asks, by its own credentials. Nil where CallOptions carry a token with qscope:tokens.read.
	Client *qscopev1.ClientAuthentication
	// CallOptions go with each call, such as grpc.PerRPCCredentials(source).
	CallOptions []grpc.CallOption
	// Audience must be among a token's, unless a use of it says another.
	Audience string
	// AnyAudience takes tokens whomever they are for, where Audience is empty.
	AnyAudience bool
	// Timeout bounds one question: 5 s unless given.
	Timeout time.Duration
}

// OnlineVerifier asks QScope about each token (VerifyToken), opaque ones and JWTs
// alike. It keeps nothing: a token that is revoked is refused from the next use on.
type OnlineVerifier struct {
	asker    asker
	audience string
	timeout  time.Duration
}

// NewOnlineVerifier fails without an audience, unless any will do.
func NewOnlineVerifier(tokens qscopev1.TokenServiceClient, config OnlineConfig) (*OnlineVerifier, error) {
	if (config.Audience == "") != config.AnyAudience {
		return nil, errNoAudience
	}
	if config.Timeout == 0 {
		config.Timeout = defaultTimeout
	}
	return &OnlineVerifier{asker{tokens, config.Client, config.CallOptions}, config.Audience, config.Timeout}, nil
}

// Verify returns what a token says. Its error is ErrInvalidToken,
// ErrInsufficientScope, or why QScope did not tell.
func (v *OnlineVerifier) Verify(ctx context.Context, token string, options ...VerifyOption) (*AccessClaims, error) {
	how := presentedWith(options)
	if token == "" || len(token) > longestToken {
		return nil, ErrInvalidToken
	}
	ctx, cancel := context.WithTimeout(ctx, v.timeout)
	defer cancel()
	told, err := v.asker.verify(ctx, token, how.thumbprint)
	if err != nil {
		return nil, err
	}
	claims := claimsOf(told)
	if err := judgeUse(claims, how, v.audience); err != nil {
		return nil, err
	}
	return claims, nil
}

var errNoAudience = errors.New("a verifier needs an audience, or to be told that any will do")

// asker asks QScope about tokens, by one credential.
type asker struct {
	tokens  qscopev1.TokenServiceClient
	client  *qscopev1.ClientAuthentication
	options []grpc.CallOption
}

// verify asks about an access token. It names neither audience nor scopes, so that
// the answer is good for every use. Its error is ErrInvalidToken, or why it cannot
// be told.
func (a asker) verify(ctx context.Context, token, certificate string) (*qscopev1.TokenClaims, error) {
	request := &qscopev1.VerifyTokenRequest{Client: a.client, Token: token}
	if certificate != "" {
		request.PresentedCertificateSha256 = &certificate
	}
	answer, err := a.tokens.VerifyToken(ctx, request, a.options...)
	if refusal := RefusalOf(err); refusal != nil {
		if refusal.Remedy() == RejectBearer {
			return nil, fmt.Errorf("%w: it is unknown, has expired, was revoked or is not its bearer's", ErrInvalidToken)
		}
		return nil, err
	}
	if answer.GetClaims().GetTokenUse() != qscopev1.TokenUse_TOKEN_USE_ACCESS {
		return nil, ErrInvalidToken
	}
	return answer.GetClaims(), nil
}

// judgeUse is about one use of a token, with the verifier's own audience (empty:
// any) where the use says no other.
func judgeUse(claims *AccessClaims, how presented, audience string) error {
	isAny := audience == ""
	if how.audience != "" || how.anyAudience {
		audience, isAny = how.audience, how.anyAudience
	}
	if !isAny && !claims.Audience.Contains(audience) {
		return fmt.Errorf("%w: it is for another audience", ErrInvalidToken)
	}
	bound := claims.CertificateThumbprint
	if bound != "" && subtle.ConstantTimeCompare([]byte(bound), []byte(how.thumbprint)) != 1 {
		return fmt.Errorf("%w: it is bound to a certificate that was not shown", ErrInvalidToken)
	}
	for _, scope := range how.scopes {
		if !slices.Contains(claims.Scopes, scope) {
			return fmt.Errorf("%w: %s", ErrInsufficientScope, scope)
		}
	}
	return nil
}
