package qscope

import "context"

// GetRequestMetadata makes a TokenSource the credentials of calls
// (grpc.WithPerRPCCredentials, grpc.PerRPCCredentials): each carries a token.
func (s *TokenSource) GetRequestMetadata(ctx context.Context, _ ...string) (map[string]string, error) {
	token, err := s.Token(ctx)
	if err != nil {
		return nil, err
	}
	return map[string]string{"authorization": token.GetTokenType() + " " + token.GetAccessToken()}, nil
}

// RequireTransportSecurity keeps tokens off connections without TLS.
func (s *TokenSource) RequireTransportSecurity() bool { return true }
