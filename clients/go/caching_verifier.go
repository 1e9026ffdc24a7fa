package qscope

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	qscopev1 "qscope.internal/client/gen/qscope/v1"
)

const (
	defaultBound          = 10 * time.Second
	leastBound            = time.Second
	defaultMaxAnswers     = 10_000
	defaultMaxRevocations = 100_000
	defaultTimeout        = 5 * time.Second
	// outgrownFor is how long after the keys that were told outgrew memory the
	// history is read again.
	outgrownFor = time.Hour
)

// ErrVerifierClosed is a use of a verifier that was closed.
var ErrVerifierClosed = errors.New("the verifier was closed")

// CachingConfig says who asks, for whom tokens have to be, and how much is kept.
type CachingConfig struct {
	// Client asks, by its own credentials: what is kept is what this client may see.
	// Nil where CallOptions carry a token with qscope:tokens.read.
	Client *qscopev1.ClientAuthentication
	// CallOptions go with each call, such as grpc.PerRPCCredentials(source).
	CallOptions []grpc.CallOption
	// Audience must be among a token's, unless a use of it says another.
	Audience string
	// AnyAudience takes tokens whomever they are for, where Audience is empty.
	AnyAudience bool
	// Issuer is QScope's, to the letter: its JWTs are then accepted without asking.
	// Empty: each token is asked about once.
	Issuer string
	// Bound is how long a revocation may go unseen while QScope is away: what is
	// known is used until it is so old, and each token asked about from then on. 10 s
	// unless given, 1 s at least. While QScope is there, a revocation is seen within
	// its own interval of 100 ms and one trip.
	Bound time.Duration
	// MaxAnswers is how many tokens are remembered: 10,000 unless given, of 2 KiB
	// each, and 20 KiB at most.
	MaxAnswers int
	// MaxRevocations is how many keys that were told are remembered: 100,000 unless
	// given, of 150 bytes each. Where there are more, JWTs are asked about once, too,
	// until the history is read again, an hour later.
	MaxRevocations int
	// Timeout bounds one question: 5 s unless given, and at most a minute.
	Timeout time.Duration
	// OnPollFailure hears of polls that failed, and are repeated.
	OnPollFailure func(error)
}

// CachingVerifier verifies tokens from memory. It asks QScope about a token once
// (VerifyToken), keeps the answer, and polls for what ends it early
// (PollRevocations); with an issuer it accepts JWTs by their signature, and asks
// only about those of which a key was told.
//
// What it knows is complete as of its latest poll. Once that is older than its
// bound, it asks about each token, and without QScope it fails: it never takes a
// token on the strength of what is too old. Audience, scopes, expiry and
// certificate are judged at every use. It is safe for any number of goroutines.
type CachingVerifier struct {
	asker    asker
	audience string
	bound    time.Duration
	timeout  time.Duration
	time     timekeeper
	jwts     *JWTVerifier
	answers  *keptAnswers
	// complete is as of when everything is known that was told; nil: not yet in this run.
	complete atomic.Pointer[moment]
	cancel   context.CancelFunc
	stopped  chan struct{}

	// mu guards what follows, and all changes of answers and facts.
	mu        sync.Mutex
	facts     *facts
	questions map[questionName]*question
	// run is the number of the run of polls that goes on; 0: none was answered yet.
	run      uint64
	isClosed bool
	// outgrown is when the keys that were told outgrew memory; nil: all are known.
	outgrown *moment
}

// NewCachingVerifier begins to poll at once. Close ends that.
func NewCachingVerifier(tokens qscopev1.TokenServiceClient, config CachingConfig) (*CachingVerifier, error) {
	return newCachingVerifier(tokens, config, systemClock{started: time.Now()})
}

func newCachingVerifier(
	tokens qscopev1.TokenServiceClient, config CachingConfig, clock clock,
) (*CachingVerifier, error) {
	if err := config.complete(); err != nil {
		return nil, err
	}
	facts := newFacts(config.MaxRevocations)
	v := &CachingVerifier{
		asker: asker{tokens, config.Client, config.CallOptions}, audience: config.Audience,
		bound: config.Bound, timeout: config.Timeout, time: timekeeper{clock: clock},
		facts: facts, answers: newKeptAnswers(config.MaxAnswers, facts),
		questions: map[questionName]*question{}, stopped: make(chan struct{}),
	}
	v.time.lead.Store(math.MinInt64)
	feed := &revocationFeed{
		start: qscopev1.RevocationStart_REVOCATION_START_NOW, bound: v.bound, clock: clock,
		mustRestart: v.mustRestart, poll: v.poll, onAnswer: v.hear, onFailure: config.OnPollFailure,
	}
	if config.Issuer != "" {
		feed.start = qscopev1.RevocationStart_REVOCATION_START_HISTORY
		v.jwts = NewJWTVerifier(tokens, config.Issuer, "")
		v.jwts.clock = clock
	}
	ctx, cancel := context.WithCancel(context.Background())
	v.cancel = cancel
	go func() {
		defer close(v.stopped)
		feed.run(ctx)
	}()
	return v, nil
}

// complete puts in what was not given.
func (c *CachingConfig) complete() error {
	if (c.Audience == "") != c.AnyAudience {
		return errNoAudience
	}
	for _, each := range []struct {
		name            string
		value           *time.Duration
		usual, from, to time.Duration
	}{
		{"Bound", &c.Bound, defaultBound, leastBound, time.Hour},
		{"Timeout", &c.Timeout, defaultTimeout, time.Millisecond, leeway},
	} {
		if *each.value == 0 {
			*each.value = each.usual
		}
		if *each.value < each.from || *each.value > each.to {
			return fmt.Errorf("%s must be from %s to %s, not %s", each.name, each.from, each.to, *each.value)
		}
	}
	for _, each := range []struct {
		name  string
		value *int
		usual int
	}{
		{"MaxAnswers", &c.MaxAnswers, defaultMaxAnswers},
		{"MaxRevocations", &c.MaxRevocations, defaultMaxRevocations},
	} {
		if *each.value == 0 {
			*each.value = each.usual
		}
		if *each.value < 0 {
			return fmt.Errorf("%s must be positive, not %d", each.name, *each.value)
		}
	}
	if c.OnPollFailure == nil {
		c.OnPollFailure = func(error) {}
	}
	return nil
}

// Verify returns what a token says. Its error is ErrInvalidToken,
// ErrInsufficientScope, or why that cannot be told now.
func (v *CachingVerifier) Verify(ctx context.Context, token string, options ...VerifyOption) (*AccessClaims, error) {
	if len(options) == 0 {
		return v.verify(ctx, token, presented{})
	}
	return v.verify(ctx, token, presentedWith(options))
}

func (v *CachingVerifier) verify(ctx context.Context, token string, how presented) (*AccessClaims, error) {
	claims := v.recall(token)
	if claims == nil {
		found, err := v.find(ctx, token, how.thumbprint)
		if err != nil {
			return nil, err
		}
		claims = found
	}
	if err := judgeUse(claims, how, v.audience); err != nil {
		return nil, err
	}
	return claims, nil
}

// recall returns nil for what has to be asked about, or verified.
func (v *CachingVerifier) recall(token string) *AccessClaims {
	now := v.time.now()
	// What is known has to be young before it is looked at: the other way round, a
	// telling between would be missed.
	if !v.isCurrent(now) {
		return nil
	}
	answer := v.answers.find(token)
	if answer == nil || v.time.time(now) >= answer.expires {
		return nil
	}
	if !answer.wasUsed.Load() {
		answer.wasUsed.Store(true)
	}
	return answer.claims
}

// find verifies a JWT by its signature, and asks about what that does not decide.
func (v *CachingVerifier) find(ctx context.Context, token, certificate string) (*AccessClaims, error) {
	v.mu.Lock()
	isClosed := v.isClosed
	v.mu.Unlock()
	switch {
	case isClosed:
		return nil, ErrVerifierClosed
	case token == "" || len(token) > longestToken:
		return nil, ErrInvalidToken
	}
	if v.jwts != nil {
		if claims, err := v.judgeOffline(ctx, token); claims != nil || err != nil {
			return claims, err
		}
	}
	return v.ask(ctx, token, certificate)
}

// judgeOffline returns neither claims nor an error where only QScope can tell.
func (v *CachingVerifier) judgeOffline(ctx context.Context, token string) (*AccessClaims, error) {
	signed, err := readSignedToken(token)
	if err != nil {
		return nil, nil
	}
	claims, err := readAccessClaims(signed.payload)
	if err != nil {
		return nil, nil
	}
	if claims.Issuer != v.jwts.issuer {
		return nil, fmt.Errorf("%w: it is of another issuer", ErrInvalidToken)
	}
	key, signerKey, err := v.jwts.key(ctx, signed)
	if errors.Is(err, errUnknownKey) {
		return nil, nil
	}
	if errors.Is(err, ErrInvalidToken) || ctx.Err() != nil {
		return nil, err
	}
	if err != nil {
		return nil, nil
	}
	if err := checkSignature(token, key); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidToken, err)
	}
	if signerKey == nil || len(claims.revocationKeys) == 0 {
		return nil, nil
	}
	keys := append(slices.Clone(claims.revocationKeys), *signerKey)
	now := v.time.now()
	latest := time.Unix(0, int64(v.time.time(now))).Add(clockSkew)
	hasBegun := !claims.IssuedAt.Time().After(latest) && (claims.NotBefore == nil || !claims.NotBefore.Time().After(latest))

	v.mu.Lock()
	defer v.mu.Unlock()
	if !hasBegun || v.outgrown != nil || !v.isCurrent(now) || v.facts.areTold(keys) {
		return nil, nil
	}
	if v.time.time(now) >= time.Duration(claims.Expiry.Time().UnixNano()) {
		return nil, nil
	}
	v.answers.keep(token, claims, keys, 0)
	return claims, nil
}

func (v *CachingVerifier) isCurrent(now moment) bool {
	complete := v.complete.Load()
	return complete != nil && now.since(*complete) <= v.bound
}

func (v *CachingVerifier) poll(
	ctx context.Context, request *qscopev1.PollRevocationsRequest,
) (*qscopev1.PollRevocationsResponse, error) {
	request.Client = v.asker.client
	return v.asker.tokens.PollRevocations(ctx, request, v.asker.options...)
}

// mustRestart is whether what is known is to be read anew: keys are lacking, or may
// be for a clock that was ahead.
func (v *CachingVerifier) mustRestart(now moment) bool {
	if v.time.wasAhead(now) {
		return true
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.jwts != nil && v.outgrown != nil && now.since(*v.outgrown) > outgrownFor
}

// hear takes in what a poll told.
func (v *CachingVerifier) hear(answer polled) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.isClosed {
		return
	}
	if answer.begins {
		v.complete.Store(nil)
		v.run++
		v.outgrown = nil
		v.answers.clear()
		v.facts.clear()
		v.time.setRight(v.time.now())
	}
	for _, revocation := range answer.GetRevocations() {
		v.tell(revocation)
	}
	now := v.time.now()
	if !answer.GetMore() {
		v.complete.Store(asOf(answer.sent, answer.GetCovered().AsDuration(), now))
	}
	v.facts.sweep(v.time.time(now))
}

func (v *CachingVerifier) tell(revocation *qscopev1.Revocation) {
	if len(revocation.GetKey()) != len(revocationKey{}) {
		return
	}
	forget := time.Duration(math.MaxInt64) - leeway
	if revocation.GetForgetTime() != nil {
		forget = time.Duration(revocation.GetForgetTime().AsTime().UnixNano())
	}
	if v.facts.tell(revocationKey(revocation.GetKey()), forget) {
		return
	}
	// Which keys were told is known no more.
	if v.outgrown == nil {
		now := v.time.now()
		v.outgrown = &now
	}
	v.answers.clear()
}

// CachingState is what a verifier knows, for its health and metrics.
type CachingState struct {
	// IsCurrent is whether what is known is young enough to be used; if not, each
	// token is asked about.
	IsCurrent bool
	// Age of what is known, where HasCaughtUp.
	Age         time.Duration
	HasCaughtUp bool
	// AcceptsOffline is whether JWTs are accepted without asking.
	AcceptsOffline bool
	Answers        int
	Revocations    int
}

// State tells how the verifier is.
func (v *CachingVerifier) State() CachingState {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.time.now()
	state := CachingState{IsCurrent: v.isCurrent(now), Answers: v.answers.size(), Revocations: v.facts.told}
	state.AcceptsOffline = v.jwts != nil && v.outgrown == nil && state.IsCurrent
	if complete := v.complete.Load(); complete != nil {
		state.HasCaughtUp, state.Age = true, max(now.since(*complete), 0)
	}
	return state
}

// Close ends the polls and forgets everything. What was asked already is
// answered still; every later use fails with ErrVerifierClosed.
func (v *CachingVerifier) Close() {
	v.mu.Lock()
	v.isClosed = true
	v.complete.Store(nil)
	v.answers.clear()
	v.mu.Unlock()
	v.cancel()
	<-v.stopped
}
