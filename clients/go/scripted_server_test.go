package qscope

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	qscopev1 "qscope.internal/client/gen/qscope/v1"
)

// heldCall is a call that waits for its answer.
type heldCall[Request, Response any] struct {
	request Request
	done    chan reply[Response]
}

type reply[Response any] struct {
	answer Response
	err    error
}

// heldCalls wait for the script, the first to come first.
type heldCalls[Request, Response any] struct {
	mu      sync.Mutex
	waiting []*heldCall[Request, Response]
}

type (
	heldQuestion = heldCall[*qscopev1.VerifyTokenRequest, *qscopev1.VerifyTokenResponse]
	heldPoll     = heldCall[*qscopev1.PollRevocationsRequest, *qscopev1.PollRevocationsResponse]
)

func (c *heldCalls[Request, Response]) hold(ctx context.Context, request Request) (answer Response, err error) {
	call := &heldCall[Request, Response]{request: request, done: make(chan reply[Response], 1)}
	c.mu.Lock()
	c.waiting = append(c.waiting, call)
	c.mu.Unlock()
	select {
	case reply := <-call.done:
		return reply.answer, reply.err
	case <-ctx.Done():
		return answer, status.FromContextError(ctx.Err()).Err()
	}
}

// peek waits for a call, and leaves it.
func (c *heldCalls[Request, Response]) peek(patience time.Duration) *heldCall[Request, Response] {
	for started := time.Now(); ; time.Sleep(100 * time.Microsecond) {
		c.mu.Lock()
		if len(c.waiting) > 0 {
			defer c.mu.Unlock()
			return c.waiting[0]
		}
		c.mu.Unlock()
		if time.Since(started) >= patience {
			return nil
		}
	}
}

func (c *heldCalls[Request, Response]) take(patience time.Duration) *heldCall[Request, Response] {
	call := c.peek(patience)
	if call != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.waiting = c.waiting[1:]
	}
	return call
}

// scriptedServer is QScope as a script plays it.
type scriptedServer struct {
	qscopev1.TokenServiceClient
	testing.TB
	table     *cachingTable
	names     map[string]string
	keySet    *qscopev1.GetJsonWebKeySetResponse
	questions heldCalls[*qscopev1.VerifyTokenRequest, *qscopev1.VerifyTokenResponse]
	polls     heldCalls[*qscopev1.PollRevocationsRequest, *qscopev1.PollRevocationsResponse]
	cursors   int
}

func newScriptedServer(t testing.TB, table *cachingTable, finished *finishedTokens, keySet string) *scriptedServer {
	server := &scriptedServer{TB: t, table: table, names: map[string]string{}}
	for name, token := range finished.Tokens {
		server.names[token] = name
	}
	if keySet != "unavailable" {
		server.keySet = &qscopev1.GetJsonWebKeySetResponse{}
		keys := finished.Keys
		if keySet == "empty" {
			keys = json.RawMessage("[]")
		}
		text := fmt.Appendf(nil, `{"keys":%s,"maxAge":"300s"}`, keys)
		if err := protojson.Unmarshal(text, server.keySet); err != nil {
			t.Fatal(err)
		}
	}
	return server
}

func (s *scriptedServer) VerifyToken(
	ctx context.Context, request *qscopev1.VerifyTokenRequest, _ ...grpc.CallOption,
) (*qscopev1.VerifyTokenResponse, error) {
	return s.questions.hold(ctx, request)
}

func (s *scriptedServer) PollRevocations(
	ctx context.Context, request *qscopev1.PollRevocationsRequest, _ ...grpc.CallOption,
) (*qscopev1.PollRevocationsResponse, error) {
	return s.polls.hold(ctx, request)
}

func (s *scriptedServer) GetJsonWebKeySet(
	context.Context, *qscopev1.GetJsonWebKeySetRequest, ...grpc.CallOption,
) (*qscopev1.GetJsonWebKeySetResponse, error) {
	if s.keySet == nil {
		return nil, errUnavailable
	}
	return s.keySet, nil
}

var errUnavailable = status.Error(codes.Unavailable, "nobody is there")

func presentedIsInvalid() error {
	info := &errdetails.ErrorInfo{
		Reason: "OAUTH_INVALID_TOKEN", Domain: domain, Metadata: map[string]string{"token": "presented"},
	}
	told, err := status.New(codes.Unauthenticated, "not good").WithDetails(info)
	if err != nil {
		return err
	}
	return told.Err()
}

func (s *scriptedServer) answerQuestion(question *heldQuestion, step cachingStep) {
	reply := reply[*qscopev1.VerifyTokenResponse]{}
	switch step.With {
	case "active":
		claims := s.claims(s.names[question.request.GetToken()], step.Keys)
		reply.answer = &qscopev1.VerifyTokenResponse{Claims: claims}
	case "unavailable":
		reply.err = errUnavailable
	default:
		reply.err = presentedIsInvalid()
	}
	question.done <- reply
}

// claimsOf is what the table says of a token.
func (t *cachingTable) claimsOf(name string) (caseClaims, error) {
	claims := t.Claims
	// Decoding writes into a slice and a map that are there.
	claims.Scopes, claims.Audiences = slices.Clone(claims.Scopes), slices.Clone(claims.Audiences)
	claims.Extra = maps.Clone(claims.Extra)
	own := t.Tokens[name].Claims
	if len(own) == 0 {
		return claims, nil
	}
	return claims, json.Unmarshal(own, &claims)
}

func (s *scriptedServer) claims(name string, keys []string) *qscopev1.TokenClaims {
	token := s.table.Tokens[name]
	claims, err := s.table.claimsOf(name)
	if err != nil {
		s.Error(err)
	}
	extra, err := structpb.NewStruct(claims.Extra)
	if err != nil {
		s.Error(err)
	}
	if keys == nil {
		keys = token.Keys
	}
	told := &qscopev1.TokenClaims{
		TokenId: name, ClientId: claims.ClientID, Subject: claims.Subject, Scopes: claims.Scopes,
		SubjectType: qscopev1.SubjectType_SUBJECT_TYPE_CLIENT, TokenUse: qscopev1.TokenUse_TOKEN_USE_ACCESS,
		IssueTime:  timestamppb.New(time.Unix(s.table.Clock+claims.IssuedIn, 0)),
		ExpireTime: timestamppb.New(time.Unix(s.table.Clock+claims.ExpiresIn, 0)), Issuer: s.table.Issuer, Extra: extra,
	}
	if token.TokenUse == "refresh" {
		told.TokenUse = qscopev1.TokenUse_TOKEN_USE_REFRESH
	}
	for _, audience := range claims.Audiences {
		told.Audiences = append(told.Audiences, strings.Replace(audience, "$audience", s.table.Audience, 1))
	}
	if claims.Certificate != nil {
		told.Confirmation = &qscopev1.Confirmation{X5TS256: s.table.Certificates[*claims.Certificate]}
	}
	for _, key := range keys {
		told.RevocationKeys = append(told.RevocationKeys, keyCalled(key))
	}
	return told
}

// keyCalled is a revocation key that the table calls by its text.
func keyCalled(name string) []byte {
	bytes := revocationKey{}
	copy(bytes[:], name)
	return bytes[:]
}

func (s *scriptedServer) answerPoll(poll *heldPoll, step cachingStep) {
	if step.Poll == "fails" {
		poll.done <- reply[*qscopev1.PollRevocationsResponse]{err: errUnavailable}
		return
	}
	s.cursors++
	answer := &qscopev1.PollRevocationsResponse{
		NextCursor: step.Next, More: step.More, Reset_: step.Reset,
		Covered: durationpb.New(milliseconds(step.CoveredMs)),
	}
	if step.Next == "" {
		answer.NextCursor = fmt.Sprintf("cursor-%d", s.cursors)
	}
	for _, told := range step.Tells {
		forgetIn := int64(3600)
		if told.ForgetIn != nil {
			forgetIn = *told.ForgetIn
		}
		revocation := &qscopev1.Revocation{Key: keyCalled(told.Key)}
		if !told.NoForgetTime {
			revocation.ForgetTime = timestamppb.New(time.Unix(s.table.Clock+forgetIn, 0))
		}
		answer.Revocations = append(answer.Revocations, revocation)
	}
	poll.done <- reply[*qscopev1.PollRevocationsResponse]{answer: answer}
}

// originOf is where a poll begins, as the table calls it.
func originOf(request *qscopev1.PollRevocationsRequest) string {
	switch request.GetStart() {
	case qscopev1.RevocationStart_REVOCATION_START_NOW:
		return "now"
	case qscopev1.RevocationStart_REVOCATION_START_HISTORY:
		return "history"
	}
	return request.GetCursor()
}
