package qscope

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/timestamppb"

	qscopev1 "qscope.internal/client/gen/qscope/v1"
)

const (
	benchTokens   = 10_000
	benchIssuer   = "https://qscope.internal"
	benchAudience = "https://warehouse.internal"
)

// answeringServer says of every token that it is good, at once: the least that
// asking costs, without a database behind.
type answeringServer struct {
	qscopev1.UnimplementedTokenServiceServer
	key ed25519.PublicKey
}

func (s *answeringServer) VerifyToken(
	_ context.Context, request *qscopev1.VerifyTokenRequest,
) (*qscopev1.VerifyTokenResponse, error) {
	return &qscopev1.VerifyTokenResponse{Claims: &qscopev1.TokenClaims{
		TokenId: request.GetToken()[4:16], ClientId: "orders", Subject: "orders", Issuer: benchIssuer,
		TokenUse: qscopev1.TokenUse_TOKEN_USE_ACCESS, Scopes: []string{"stock.read", "stock.write"},
		Audiences: []string{benchAudience}, IssueTime: timestamppb.Now(),
		ExpireTime:     timestamppb.New(time.Now().Add(time.Hour)),
		RevocationKeys: [][]byte{keyCalled(request.GetToken()[:16]), keyCalled("client"), keyCalled("grant")},
	}}, nil
}

func (s *answeringServer) PollRevocations(
	ctx context.Context, request *qscopev1.PollRevocationsRequest,
) (*qscopev1.PollRevocationsResponse, error) {
	if request.GetCursor() != "" {
		select {
		case <-ctx.Done():
		case <-time.After(request.GetWait().AsDuration()):
		}
	}
	return &qscopev1.PollRevocationsResponse{NextCursor: "here", Covered: request.GetWait()}, nil
}

func (s *answeringServer) GetJsonWebKeySet(
	context.Context, *qscopev1.GetJsonWebKeySetRequest,
) (*qscopev1.GetJsonWebKeySetResponse, error) {
	curve, x := "Ed25519", base64.RawURLEncoding.EncodeToString(s.key)
	rvk := base64.RawURLEncoding.EncodeToString(keyCalled("signer"))
	key := &qscopev1.JsonWebKey{Kty: "OKP", Use: "sig", Alg: "EdDSA", Kid: "k", Crv: &curve, X: &x, Rvk: &rvk}
	return &qscopev1.GetJsonWebKeySetResponse{Keys: []*qscopev1.JsonWebKey{key}}, nil
}

// connectTo serves on a socket of this machine, and connects to it.
func connectTo(b testing.TB, service qscopev1.TokenServiceServer) qscopev1.TokenServiceClient {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := grpc.NewServer()
	qscopev1.RegisterTokenServiceServer(server, service)
	go server.Serve(listener)
	b.Cleanup(server.Stop)
	connection, err := Connect(listener.Addr().String(), insecure.NewCredentials())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { connection.Close() })
	return qscopev1.NewTokenServiceClient(connection)
}

func signedTokens(b testing.TB, private ed25519.PrivateKey) []string {
	encode := func(value any) string {
		text, err := json.Marshal(value)
		if err != nil {
			b.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	keys := []string{}
	for _, name := range []string{"token", "grant", "client", "user"} {
		keys = append(keys, base64.RawURLEncoding.EncodeToString(keyCalled(name)))
	}
	header := encode(map[string]string{"alg": "EdDSA", "typ": "at+jwt", "kid": "k"})
	tokens := make([]string, benchTokens)
	for index := range tokens {
		signed := header + "." + encode(map[string]any{
			"iss": benchIssuer, "aud": benchAudience, "sub": "orders", "client_id": "orders", "rvk": keys,
			"jti": fmt.Sprintf("018f0000-0000-7000-8000-%012d", index), "scope": "stock.read stock.write",
			"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
		})
		tokens[index] = signed + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(private, []byte(signed)))
	}
	return tokens
}

// BenchmarkVerify compares verification from memory with the look-up of the same
// token in a map that does nothing else, and with verifiers that keep nothing.
//
//	go test -run '^$' -bench Verify -cpu 1 .
func BenchmarkVerify(b *testing.B) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	opaque := make([]string, benchTokens)
	for index := range opaque {
		opaque[index] = "qat_" + rand.Text()[:19] + rand.Text()[:26]
	}
	tokens := connectTo(b, &answeringServer{key: public})
	verifier, err := NewCachingVerifier(tokens, CachingConfig{
		Client: WithSecret("warehouse", "qcs_secret"), Audience: benchAudience, Issuer: benchIssuer,
		MaxAnswers: 3 * benchTokens,
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(verifier.Close)
	for !verifier.State().AcceptsOffline {
		time.Sleep(time.Millisecond)
	}
	for _, kind := range []struct {
		name   string
		tokens []string
	}{{"opaque", opaque}, {"JWT", signedTokens(b, private)}} {
		b.Run(kind.name, func(b *testing.B) { benchmarkKind(b, verifier, tokens, kind.tokens) })
	}
}

func benchmarkKind(b *testing.B, verifier *CachingVerifier, tokens qscopev1.TokenServiceClient, presented []string) {
	ctx := context.Background()
	known := make(map[string]*AccessClaims, len(presented))
	for _, token := range presented {
		claims, err := verifier.Verify(ctx, token)
		if err != nil {
			b.Fatal(err)
		}
		known[token] = claims
	}
	jwts := NewJWTVerifier(tokens, benchIssuer, benchAudience)
	scopes := WithRequiredScopes("stock.read")
	for _, way := range []struct {
		name   string
		verify func(token string) error
	}{
		{"look-up", func(token string) error {
			if known[token] == nil {
				return ErrInvalidToken
			}
			return nil
		}},
		{"memory", func(token string) error { _, err := verifier.Verify(ctx, token); return err }},
		{"memory-with-scopes", func(token string) error { _, err := verifier.Verify(ctx, token, scopes); return err }},
		{"VerifyToken", func(token string) error {
			_, err := tokens.VerifyToken(ctx, &qscopev1.VerifyTokenRequest{Token: token})
			return err
		}},
		{"signature", func(token string) error { _, err := jwts.Verify(ctx, token); return err }},
	} {
		if way.name == "signature" && len(presented[0]) < 100 {
			continue
		}
		b.Run(way.name, func(b *testing.B) {
			b.ReportAllocs()
			// Each token is a new string at each use, as it is when it comes in a call.
			fresh := make([]byte, 0, longestToken)
			next := 0
			used := processorTime(b)
			for b.Loop() {
				fresh = append(fresh[:0], presented[next]...)
				if next++; next == len(presented) {
					next = 0
				}
				if err := way.verify(string(fresh)); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "verifications/s")
			b.ReportMetric(float64(b.N)/(processorTime(b)-used).Seconds(), "verifications/core-s")
		})
	}
}

// processorTime is what this process used, which is what passed on a machine that
// does nothing else.
func processorTime(b *testing.B) time.Duration {
	usage := syscall.Rusage{}
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
