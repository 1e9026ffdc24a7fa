package qscope

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// TokenVerifier judges access tokens: an OnlineVerifier, which asks QScope about
// each, a CachingVerifier, from memory, or a JWTVerifier, which sees no revocation.
type TokenVerifier interface {
	Verify(ctx context.Context, token string, options ...VerifyOption) (*AccessClaims, error)
}

// MethodRule is who may call a method.
type MethodRule struct {
	// Anyone may, without a token.
	Anyone bool
	// Scopes are those that a token has to have, all of them; none: any good token.
	Scopes []string
	// Audience must be among a token's, instead of the guard's own.
	Audience string
}

// GuardConfig is how a server decides who comes in.
type GuardConfig struct {
	Verifier TokenVerifier
	// Audience must be among a token's, instead of the verifier's own; empty: that.
	Audience string
	// Methods by their full names, such as /orders.v1.OrderService/GetOrder.
	Methods map[string]MethodRule
	// Otherwise is the rule of all other methods; nil: nobody may call them.
	Otherwise *MethodRule
	// OnCheckFailure hears why a token could not be checked: QScope is away, or this
	// server's own credentials are wrong. The caller learns no more than that.
	OnCheckFailure func(error)
}

// Guard lets only those calls reach a server's handlers whose token is good and
// permits the method. Others end with UNAUTHENTICATED or PERMISSION_DENIED, with
// the details that QScope itself sends.
type Guard struct{ config GuardConfig }

// NewGuard guards with a verifier, which its owner closes after the server stopped.
func NewGuard(config GuardConfig) *Guard {
	if config.OnCheckFailure == nil {
		config.OnCheckFailure = func(error) {}
	}
	return &Guard{config}
}

// Unary is for grpc.ChainUnaryInterceptor.
func (g *Guard) Unary() grpc.UnaryServerInterceptor {
	return func(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		admitted, err := g.admit(ctx, info.FullMethod)
		if err != nil {
			return nil, err
		}
		return handler(admitted, request)
	}
}

// Stream is for grpc.ChainStreamInterceptor. The token is looked at when the stream begins.
func (g *Guard) Stream() grpc.StreamServerInterceptor {
	return func(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		admitted, err := g.admit(stream.Context(), info.FullMethod)
		if err != nil {
			return err
		}
		return handler(server, admittedStream{stream, admitted})
	}
}

type admittedStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s admittedStream) Context() context.Context { return s.ctx }

type admittedToken struct{}

// AdmittedToken is what the token says that let a call in; nil where the guard asked for none.
func AdmittedToken(ctx context.Context) *AccessClaims {
	claims, _ := ctx.Value(admittedToken{}).(*AccessClaims)
	return claims
}

// bearer is RFC 6750 §2.1; the scheme's case does not matter (RFC 9110 §11.1).
var bearer = regexp.MustCompile(`^(?i:bearer) +([A-Za-z0-9._~+/-]+=*)$`)

// admit judges a call by its token and its method's rule (RFC 6750 §3.1).
func (g *Guard) admit(ctx context.Context, method string) (context.Context, error) {
	rule := g.config.Otherwise
	if own, isThere := g.config.Methods[method]; isThere {
		rule = &own
	}
	if rule != nil && rule.Anyone {
		return ctx, nil
	}
	authorization := metadata.ValueFromIncomingContext(ctx, "authorization")
	if len(authorization) != 1 {
		return nil, refuse(invalidToken, nil)
	}
	found := bearer.FindStringSubmatch(authorization[0])
	if found == nil {
		return nil, refuse(invalidToken, nil)
	}
	claims, err := g.config.Verifier.Verify(ctx, found[1], g.presentedTo(ctx, rule)...)
	switch {
	case errors.Is(err, ErrInvalidToken):
		return nil, refuse(invalidToken, nil)
	case err != nil && ctx.Err() != nil:
		return nil, status.FromContextError(ctx.Err()).Err()
	case err != nil:
		g.config.OnCheckFailure(err)
		if isTemporary(err) {
			return nil, refuse(cannotBeChecked, nil)
		}
		return nil, refuse(checkFailed, nil)
	case rule == nil:
		return nil, refuse(insufficientScope, nil)
	}
	for _, scope := range rule.Scopes {
		if !slices.Contains(claims.Scopes, scope) {
			return nil, refuse(insufficientScope, map[string]string{"required_scopes": strings.Join(rule.Scopes, " ")})
		}
	}
	return context.WithValue(ctx, admittedToken{}, claims), nil
}

// presentedTo is how the token came: with the caller's certificate, if the server asked for one.
func (g *Guard) presentedTo(ctx context.Context, rule *MethodRule) []VerifyOption {
	var options []VerifyOption
	audience := g.config.Audience
	if rule != nil && rule.Audience != "" {
		audience = rule.Audience
	}
	if audience != "" {
		options = append(options, WithAudience(audience))
	}
	if caller, isKnown := peer.FromContext(ctx); isKnown {
		if tls, isTLS := caller.AuthInfo.(credentials.TLSInfo); isTLS && len(tls.State.PeerCertificates) > 0 {
			options = append(options, WithCertificate(tls.State.PeerCertificates[0]))
		}
	}
	return options
}

// isTemporary is whether the same token may be checked later.
func isTemporary(err error) bool {
	if errors.Is(err, ErrVerifierClosed) || errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	refusal := RefusalOf(err)
	if refusal.ReasonName != "" {
		return refusal.ReasonName == cannotBeChecked.reason || refusal.ReasonName == "LIMIT_EXCEEDED"
	}
	return slices.Contains([]codes.Code{codes.Unavailable, codes.DeadlineExceeded, codes.Aborted}, refusal.Code)
}

// verdict is why a call does not come in, as its caller learns it.
type verdict struct {
	code                        codes.Code
	reason, oauthError, message string
}

var (
	invalidToken = verdict{
		codes.Unauthenticated, "OAUTH_INVALID_TOKEN", "invalid_token", "A valid access token is needed.",
	}
	insufficientScope = verdict{
		codes.PermissionDenied, "OAUTH_INSUFFICIENT_SCOPE", "insufficient_scope", "The access token does not permit this.",
	}
	cannotBeChecked = verdict{
		codes.Unavailable, "OAUTH_TEMPORARILY_UNAVAILABLE", "temporarily_unavailable",
		"The access token cannot be checked now.",
	}
	checkFailed = verdict{
		codes.Internal, "OAUTH_SERVER_ERROR", "server_error", "The access token could not be checked.",
	}
)

// refuse speaks as QScope itself does, so that callers read both alike.
func refuse(why verdict, more map[string]string) error {
	info := &errdetails.ErrorInfo{Reason: why.reason, Domain: domain, Metadata: map[string]string{"oauth_error": why.oauthError}}
	for name, value := range more {
		info.Metadata[name] = value
	}
	told, err := status.New(why.code, why.message).WithDetails(info)
	if err != nil {
		return status.Error(codes.Internal, err.Error())
	}
	return told.Err()
}
