package qscope

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	qscopev1 "qscope.internal/client/gen/qscope/v1"
)

// guardTable is clients/conformance/guard-cases.json; the README there says what
// its members mean.
type guardTable struct {
	Issuer   string
	Audience string
	Tokens   map[string]json.RawMessage
	Rules    map[string]struct {
		Methods   map[string]guardRule
		Otherwise *guardRule
	}
	Cases []struct {
		Name          string
		Rules         string
		Path          string
		Authorization []string
		Result        struct {
			Status         string
			Token          *string
			Reason         string
			OAuthError     string `json:"oauth_error"`
			Message        string
			RequiredScopes string `json:"required_scopes"`
		}
	}
}

type guardRule struct{ MethodRule }

func (r *guardRule) UnmarshalJSON(text []byte) error {
	if string(text) == `"anyone"` {
		r.Anyone = true
		return nil
	}
	return json.Unmarshal(text, &r.MethodRule)
}

// tabledServer is QScope as the table has it.
type tabledServer struct {
	qscopev1.TokenServiceClient
	table *guardTable
	// boundTo is the thumbprint that all tokens are bound to; empty: to none.
	boundTo string
	mu      sync.Mutex
	asked   int
}

func (s *tabledServer) VerifyToken(
	_ context.Context, request *qscopev1.VerifyTokenRequest, _ ...grpc.CallOption,
) (*qscopev1.VerifyTokenResponse, error) {
	s.mu.Lock()
	s.asked++
	s.mu.Unlock()
	told := s.table.Tokens[request.GetToken()]
	switch string(told) {
	case "", `"invalid_token"`:
		return nil, presentedIsInvalid()
	case `"unavailable"`:
		return nil, errUnavailable
	case `"invalid_client"`:
		return nil, refuse(verdict{codes.Unauthenticated, "OAUTH_INVALID_CLIENT", "invalid_client", "no"}, nil)
	}
	claims := struct{ Scopes, Audiences []string }{}
	if err := json.Unmarshal(told, &claims); err != nil {
		return nil, err
	}
	if s.boundTo != "" && s.boundTo != request.GetPresentedCertificateSha256() {
		return nil, presentedIsInvalid()
	}
	answer := &qscopev1.TokenClaims{
		TokenId: request.GetToken(), ClientId: "orders", Subject: "orders", Scopes: claims.Scopes,
		Audiences: claims.Audiences, Issuer: s.table.Issuer, TokenUse: qscopev1.TokenUse_TOKEN_USE_ACCESS,
		SubjectType: qscopev1.SubjectType_SUBJECT_TYPE_CLIENT, IssueTime: timestamppb.Now(),
		ExpireTime: timestamppb.New(time.Now().Add(time.Hour)), RevocationKeys: [][]byte{keyCalled(request.GetToken())},
	}
	if s.boundTo != "" {
		answer.Confirmation = &qscopev1.Confirmation{X5TS256: s.boundTo}
	}
	return &qscopev1.VerifyTokenResponse{Claims: answer}, nil
}

// PollRevocations has nothing to tell, and takes a moment after the first answer.
func (s *tabledServer) PollRevocations(
	ctx context.Context, request *qscopev1.PollRevocationsRequest, _ ...grpc.CallOption,
) (*qscopev1.PollRevocationsResponse, error) {
	if request.GetCursor() != "" {
		select {
		case <-ctx.Done():
			return nil, status.FromContextError(ctx.Err()).Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return &qscopev1.PollRevocationsResponse{NextCursor: "next", Covered: durationpb.New(0)}, nil
}

// guardedServer serves the methods of the table, in plaintext or with these credentials.
type guardedServer struct {
	address string
	mu      sync.Mutex
	// admitted are the tokens of the calls that reached a handler; nil: it had none.
	admitted []*AccessClaims
}

func startGuardedServer(t *testing.T, guard *Guard, options ...grpc.ServerOption) *guardedServer {
	t.Helper()
	guarded := &guardedServer{}
	note := func(ctx context.Context) {
		guarded.mu.Lock()
		defer guarded.mu.Unlock()
		guarded.admitted = append(guarded.admitted, AdmittedToken(ctx))
	}
	unary := func(name string) grpc.MethodDesc {
		answer := func(ctx context.Context, _ any) (any, error) { note(ctx); return &emptypb.Empty{}, nil }
		return grpc.MethodDesc{MethodName: name, Handler: func(
			_ any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor,
		) (any, error) {
			request := &emptypb.Empty{}
			if err := decode(request); err != nil {
				return nil, err
			}
			info := &grpc.UnaryServerInfo{FullMethod: "/grpc.health.v1.Health/" + name}
			return interceptor(ctx, request, info, answer)
		}}
	}
	watch := grpc.StreamDesc{StreamName: "Watch", ServerStreams: true, Handler: func(_ any, stream grpc.ServerStream) error {
		note(stream.Context())
		return stream.SendMsg(&emptypb.Empty{})
	}}
	options = append(options, grpc.ChainUnaryInterceptor(guard.Unary()), grpc.ChainStreamInterceptor(guard.Stream()))
	server := grpc.NewServer(options...)
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "grpc.health.v1.Health", HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{unary("Check"), unary("List")}, Streams: []grpc.StreamDesc{watch},
	}, nil)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	guarded.address = listener.Addr().String()
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return guarded
}

func callGuarded(
	t *testing.T, address, path string, authorization []string, transport credentials.TransportCredentials,
) error {
	t.Helper()
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(transport))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, value := range authorization {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", value)
	}
	if !strings.HasSuffix(path, "/Watch") {
		return connection.Invoke(ctx, path, &emptypb.Empty{}, &emptypb.Empty{})
	}
	stream, err := connection.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, path)
	if err != nil {
		return err
	}
	if err := stream.SendMsg(&emptypb.Empty{}); err != nil && err != io.EOF {
		return err
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	return stream.RecvMsg(&emptypb.Empty{})
}

func guardVerifiers(t *testing.T, server *tabledServer) map[string]TokenVerifier {
	t.Helper()
	online, err := NewOnlineVerifier(server, OnlineConfig{AnyAudience: true})
	if err != nil {
		t.Fatal(err)
	}
	caching, err := NewCachingVerifier(server, CachingConfig{AnyAudience: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(caching.Close)
	return map[string]TokenVerifier{"by asking": online, "from memory": caching}
}

func TestGuardKeepsToTheSharedCases(t *testing.T) {
	table := readConformance[guardTable](t, "guard-cases.json")
	for how, verifier := range guardVerifiers(t, &tabledServer{table: table}) {
		for _, each := range table.Cases {
			t.Run(how+": "+each.Name, func(t *testing.T) {
				rules := table.Rules[each.Rules]
				config := GuardConfig{Verifier: verifier, Audience: table.Audience, Methods: map[string]MethodRule{}}
				for path, rule := range rules.Methods {
					config.Methods[path] = rule.MethodRule
				}
				if rules.Otherwise != nil {
					config.Otherwise = &rules.Otherwise.MethodRule
				}
				failures := 0
				config.OnCheckFailure = func(error) { failures++ }
				guarded := startGuardedServer(t, NewGuard(config))
				values := []string{}
				for _, value := range each.Authorization {
					values = append(values, strings.ReplaceAll(value, "$", ""))
				}
				refusal := RefusalOf(callGuarded(t, guarded.address, each.Path, values, insecure.NewCredentials()))
				if each.Result.Status == "OK" {
					expectAdmitted(t, guarded, refusal, each.Result.Token)
					return
				}
				if refusal == nil || len(guarded.admitted) > 0 {
					t.Fatal("it came in")
				}
				got := []string{
					strings.ToUpper(snake(refusal.Code.String())), refusal.ReasonName, refusal.Message,
					refusal.Metadata["oauth_error"], refusal.Metadata["required_scopes"],
				}
				want := []string{
					each.Result.Status, each.Result.Reason, each.Result.Message,
					each.Result.OAuthError, each.Result.RequiredScopes,
				}
				if strings.Join(got, "|") != strings.Join(want, "|") {
					t.Errorf("got %q, want %q", got, want)
				}
				isUnknown := refusal.Code == codes.Unavailable || refusal.Code == codes.Internal
				if isUnknown != (failures == 1) {
					t.Errorf("the owner was told of %d failures", failures)
				}
			})
		}
	}
}

func expectAdmitted(t *testing.T, guarded *guardedServer, refusal *Refusal, token *string) {
	t.Helper()
	if refusal != nil {
		t.Fatal(refusal)
	}
	if len(guarded.admitted) != 1 {
		t.Fatalf("%d calls reached a handler", len(guarded.admitted))
	}
	claims := guarded.admitted[0]
	if token == nil {
		if claims != nil {
			t.Errorf("a token was told: %v", claims)
		}
		return
	}
	if claims == nil || claims.ID != *token || claims.ClientID != "orders" {
		t.Errorf("the handler was told %v", claims)
	}
}

// snake writes DeadlineExceeded as Deadline_Exceeded.
func snake(name string) string {
	written := strings.Builder{}
	for index, letter := range name {
		if index > 0 && letter >= 'A' && letter <= 'Z' {
			written.WriteByte('_')
		}
		written.WriteRune(letter)
	}
	return written.String()
}

func TestGuardAsksOnceFromMemoryAndAlwaysOnline(t *testing.T) {
	table := readConformance[guardTable](t, "guard-cases.json")
	for how, want := range map[string]int{"by asking": 3, "from memory": 1} {
		server := &tabledServer{table: table}
		verifier := guardVerifiers(t, server)[how]
		if caching, isCaching := verifier.(*CachingVerifier); isCaching {
			for started := time.Now(); !caching.State().IsCurrent && time.Since(started) < patience; {
				time.Sleep(time.Millisecond)
			}
		}
		guard := NewGuard(GuardConfig{
			Verifier: verifier, Audience: table.Audience, Otherwise: &MethodRule{Scopes: []string{"orders.read"}},
		})
		guarded := startGuardedServer(t, guard)
		for range 3 {
			values := []string{"Bearer reader"}
			if err := callGuarded(t, guarded.address, "/grpc.health.v1.Health/Check", values, insecure.NewCredentials()); err != nil {
				t.Fatal(err)
			}
		}
		if server.asked != want {
			t.Errorf("%s: QScope was asked %d times", how, server.asked)
		}
	}
}

func TestGuardTakesABoundTokenOnlyFromWhoHoldsItsCertificate(t *testing.T) {
	table := readConformance[guardTable](t, "guard-cases.json")
	serving, holder, other := selfSigned(t), selfSigned(t), selfSigned(t)
	thumbprint := presentedWith([]VerifyOption{WithCertificate(holder.Leaf)}).thumbprint
	server := &tabledServer{table: table, boundTo: thumbprint}
	for how, verifier := range guardVerifiers(t, server) {
		guard := NewGuard(GuardConfig{
			Verifier: verifier, Audience: table.Audience, Otherwise: &MethodRule{Scopes: []string{"orders.read"}},
		})
		secure := &tls.Config{Certificates: []tls.Certificate{serving}, ClientAuth: tls.RequestClientCert}
		guarded := startGuardedServer(t, guard, grpc.Creds(credentials.NewTLS(secure)))
		for _, each := range []struct {
			shows []tls.Certificate
			want  codes.Code
		}{
			{[]tls.Certificate{holder}, codes.OK},
			{[]tls.Certificate{other}, codes.Unauthenticated},
			{nil, codes.Unauthenticated},
		} {
			roots := x509.NewCertPool()
			roots.AddCert(serving.Leaf)
			shown := credentials.NewTLS(&tls.Config{RootCAs: roots, Certificates: each.shows})
			for _, path := range []string{"/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"} {
				err := callGuarded(t, guarded.address, path, []string{"Bearer reader"}, shown)
				if status.Code(err) != each.want {
					t.Errorf("%s, %s: %v instead of %s", how, path, err, each.want)
				}
			}
		}
	}
}

func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	encoded, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(encoded)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{encoded}, PrivateKey: key, Leaf: leaf}
}
