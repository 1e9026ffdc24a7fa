package qscope

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	qscopev1 "qscope.internal/client/gen/qscope/v1"
)

// revokingServer has tokens that are revoked while they are verified. What it
// answers arrives late, by chance, after it was decided.
type revokingServer struct {
	qscopev1.TokenServiceClient
	mu      sync.Mutex
	revoked map[string]bool
	log     []string
	news    chan struct{}
}

func (s *revokingServer) revoke(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revoked[token] = true
	s.log = append(s.log, token)
	close(s.news)
	s.news = make(chan struct{})
}

func delay() { time.Sleep(time.Duration(rand.IntN(300)) * time.Microsecond) }

func (s *revokingServer) VerifyToken(
	_ context.Context, request *qscopev1.VerifyTokenRequest, _ ...grpc.CallOption,
) (*qscopev1.VerifyTokenResponse, error) {
	delay()
	s.mu.Lock()
	isRevoked := s.revoked[request.GetToken()]
	s.mu.Unlock()
	delay()
	if isRevoked {
		return nil, presentedIsInvalid()
	}
	return &qscopev1.VerifyTokenResponse{Claims: &qscopev1.TokenClaims{
		TokenUse: qscopev1.TokenUse_TOKEN_USE_ACCESS, Audiences: []string{benchAudience},
		ExpireTime:     timestamppb.New(time.Now().Add(time.Hour)),
		RevocationKeys: [][]byte{keyCalled(request.GetToken()), keyCalled("client")},
	}}, nil
}

func (s *revokingServer) PollRevocations(
	ctx context.Context, request *qscopev1.PollRevocationsRequest, _ ...grpc.CallOption,
) (*qscopev1.PollRevocationsResponse, error) {
	received := time.Now()
	at := 0
	s.mu.Lock()
	if request.GetCursor() == "" {
		at = len(s.log)
	} else if _, err := fmt.Sscanf(request.GetCursor(), "at-%d", &at); err != nil {
		s.mu.Unlock()
		return nil, err
	}
	news, isBehind := s.news, at < len(s.log)
	s.mu.Unlock()
	if request.GetCursor() != "" && !isBehind {
		select {
		case <-news:
		case <-time.After(request.GetWait().AsDuration()):
		case <-ctx.Done():
		}
	}
	s.mu.Lock()
	answer := &qscopev1.PollRevocationsResponse{
		NextCursor: fmt.Sprintf("at-%d", len(s.log)), Covered: durationpb.New(time.Since(received)),
	}
	for _, token := range s.log[at:] {
		answer.Revocations = append(answer.Revocations, &qscopev1.Revocation{Key: keyCalled(token)})
	}
	s.mu.Unlock()
	delay()
	return answer, nil
}

// Many goroutines use tokens that are revoked meanwhile. Once a refusal was seen,
// or the poll that tells of a revocation was answered, no later use may be accepted.
func TestCachingVerifierTakesNoTokenAfterItsRevocationWasTold(t *testing.T) {
	server := &revokingServer{revoked: map[string]bool{}, news: make(chan struct{})}
	verifier, err := NewCachingVerifier(server, CachingConfig{Audience: benchAudience, MaxAnswers: 200})
	if err != nil {
		t.Fatal(err)
	}
	defer verifier.Close()
	for !verifier.State().IsCurrent {
		time.Sleep(time.Millisecond)
	}
	const tokens = 300
	refused := make([]atomic.Bool, tokens)
	ctx, cancel := context.WithCancel(context.Background())
	var users sync.WaitGroup
	for range 8 {
		users.Add(1)
		go func() {
			defer users.Done()
			for ctx.Err() == nil {
				number := rand.IntN(tokens)
				wasRefused := refused[number].Load()
				_, err := verifier.Verify(context.Background(), fmt.Sprintf("qat_%d", number))
				switch {
				case err == nil && wasRefused:
					t.Errorf("token %d was accepted after it was refused", number)
				case errors.Is(err, ErrInvalidToken):
					refused[number].Store(true)
				case err != nil:
					t.Error(err)
				}
			}
		}()
	}
	for number := range tokens {
		server.revoke(fmt.Sprintf("qat_%d", number))
		time.Sleep(3 * time.Millisecond)
	}
	started := time.Now()
	for number := range tokens {
		for {
			_, err := verifier.Verify(context.Background(), fmt.Sprintf("qat_%d", number))
			if errors.Is(err, ErrInvalidToken) {
				break
			}
			if time.Since(started) > 10*defaultBound {
				t.Fatalf("token %d is accepted still", number)
			}
		}
	}
	cancel()
	users.Wait()
	if state := verifier.State(); state.Answers > 0 {
		t.Errorf("%d answers are kept of revoked tokens", state.Answers)
	}
}

func TestCachingVerifierBoundsItsMemory(t *testing.T) {
	server := &revokingServer{revoked: map[string]bool{}, news: make(chan struct{})}
	verifier, err := NewCachingVerifier(server, CachingConfig{
		Audience: benchAudience, MaxAnswers: 100, MaxRevocations: 50,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer verifier.Close()
	for !verifier.State().IsCurrent {
		time.Sleep(time.Millisecond)
	}
	for number := range 500 {
		if _, err := verifier.Verify(context.Background(), fmt.Sprintf("qat_%d", number)); err != nil {
			t.Fatal(err)
		}
		server.revoke(fmt.Sprintf("qat_%d", number+1_000))
		state := verifier.State()
		if state.Answers > 100 || state.Revocations > 50 {
			t.Fatalf("keeps %d answers and %d revocations", state.Answers, state.Revocations)
		}
	}
	verifier.Close()
	verifier.mu.Lock()
	defer verifier.mu.Unlock()
	for _, each := range verifier.facts.byKey {
		if each.holders > 0 {
			t.Errorf("%d answers hold on to a fact after the end", each.holders)
		}
	}
}

func TestCachingConfigNeedsAnAudienceAndBoundsThatCanBeHeld(t *testing.T) {
	for _, config := range []CachingConfig{
		{},
		{Audience: benchAudience, AnyAudience: true},
		{Audience: benchAudience, Bound: time.Millisecond},
		{Audience: benchAudience, Timeout: time.Hour},
		{Audience: benchAudience, MaxAnswers: -1},
		{Audience: benchAudience, MaxRevocations: -1},
	} {
		if _, err := NewCachingVerifier(nil, config); err == nil {
			t.Errorf("takes %+v", config)
		}
	}
}
