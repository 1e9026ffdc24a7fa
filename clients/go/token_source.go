package qscope

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	qscopev1 "qscope.internal/client/gen/qscope/v1"
)

const (
	// A token is replaced when between an eighth and a quarter of its lifetime is
	// left. The moment is drawn, so that the instances of a service do not all
	// mint at once.
	leastLeft = 1.0 / 8
	mostLeft  = 1.0 / 4

	// mintTimeout bounds one attempt, whoever waits for it.
	mintTimeout = 10 * time.Second
	// pause is how long a renewal that failed is left alone while the token is good.
	pause = time.Second
)

// Mint obtains one token.
type Mint func(ctx context.Context) (*qscopev1.IssuedToken, error)

// TokenSource hands out one token until shortly before it ends. It is made once
// for each set of scopes and audiences, and safe for any number of goroutines.
type TokenSource struct {
	mint Mint

	mu      sync.Mutex
	current *held
	flight  *flight
	// restUntil is when a renewal may be tried again after one that failed.
	restUntil time.Time
}

type held struct {
	token   *qscopev1.IssuedToken
	renewAt time.Time
	endsAt  time.Time
}

// flight is one attempt to mint; its result is set before done is closed.
type flight struct {
	done chan struct{}
	held *held
	err  error
}

// NewTokenSource mints with client credentials (RFC 6749 §4.4).
func NewTokenSource(tokens qscopev1.TokenServiceClient, request *qscopev1.MintTokenRequest) *TokenSource {
	return NewTokenSourceOf(func(ctx context.Context) (*qscopev1.IssuedToken, error) {
		answer, err := tokens.MintToken(ctx, request)
		return answer.GetToken(), err
	})
}

// NewFederatedTokenSource mints for a FEDERATED_JWT client, which is proved by the
// token that its platform puts into a file (WithAssertionFile). The file is read
// for each mint; the client of the request is not used, and may be left out.
func NewFederatedTokenSource(
	tokens qscopev1.TokenServiceClient, clientID, assertionFile string, request *qscopev1.MintTokenRequest,
) *TokenSource {
	return NewTokenSourceOf(func(ctx context.Context) (*qscopev1.IssuedToken, error) {
		client, err := WithAssertionFile(clientID, assertionFile)
		if err != nil {
			return nil, err
		}
		proved := proto.CloneOf(request)
		proved.Client = client
		answer, err := tokens.MintToken(ctx, proved)
		return answer.GetToken(), err
	})
}

// NewTokenSourceOf obtains tokens in a way of the caller's own, such as an
// exchanged assertion.
func NewTokenSourceOf(mint Mint) *TokenSource { return &TokenSource{mint: mint} }

// Token returns a token that is good now. While one is being renewed ahead of
// its end, callers go on with it and wait for nothing; where there is none, they
// wait together for one attempt, each no longer than its own context allows.
func (s *TokenSource) Token(ctx context.Context) (*qscopev1.IssuedToken, error) {
	s.mu.Lock()
	now := time.Now()
	current := s.current
	isGood := current != nil && now.Before(current.endsAt)
	isDue := !isGood || (!now.Before(current.renewAt) && !now.Before(s.restUntil))
	if isDue && s.flight == nil {
		s.flight = s.depart()
	}
	awaited := s.flight
	s.mu.Unlock()

	if isGood {
		return current.token, nil
	}
	select {
	case <-awaited.done:
		if awaited.err != nil {
			return nil, awaited.err
		}
		return awaited.held.token, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Discard drops a token that a resource server refused before its time, such as
// a revoked one; the next call of Token mints. Any other token stays.
func (s *TokenSource) Discard(accessToken string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != nil && s.current.token.GetAccessToken() == accessToken {
		s.current = nil
	}
}

// depart starts an attempt; the lock is held. It outlives the caller who gave
// rise to it, because others wait for it too.
func (s *TokenSource) depart() *flight {
	departed := &flight{done: make(chan struct{})}
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), mintTimeout)
		defer cancel()
		// The lifetime counts from before the call, on this machine's own clock.
		began := time.Now()
		token, err := s.mint(ctx)

		s.mu.Lock()
		defer s.mu.Unlock()
		s.flight = nil
		if err != nil {
			departed.err = err
			s.restUntil = time.Now().Add(pause)
		} else {
			departed.held = hold(token, began)
			s.current = departed.held
		}
		close(departed.done)
	}()
	return departed
}

func hold(token *qscopev1.IssuedToken, began time.Time) *held {
	lifetime := token.GetExpiresIn().AsDuration()
	left := leastLeft + rand.Float64()*(mostLeft-leastLeft)
	return &held{
		token:   token,
		renewAt: began.Add(time.Duration((1 - left) * float64(lifetime))),
		endsAt:  began.Add(lifetime),
	}
}
