package qscope

import (
	"context"
	"math/rand/v2"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	qscopev1 "qscope.internal/client/gen/qscope/v1"
)

const (
	// longestWait is QScope's own bound.
	longestWait = 30 * time.Second
	// idlePause: a server that answers at once with nothing, such as one that
	// stops, is not asked again at once.
	idlePause    = 100 * time.Millisecond
	firstPause   = 100 * time.Millisecond
	longestPause = 2 * time.Second
	// refusedPause is for what the next attempt does not mend: a server without
	// the method, credentials that are wrong.
	refusedPause = 30 * time.Second
)

// polled is an answer to a poll.
type polled struct {
	*qscopev1.PollRevocationsResponse
	// begins is whether it is the first of a run: nothing that was kept before it
	// has been followed since.
	begins bool
	// sent is when the call was: the first attempt, if the library repeats it.
	sent moment
}

// revocationFeed polls QScope for what is revoked, one call after the other.
type revocationFeed struct {
	poll  func(ctx context.Context, request *qscopev1.PollRevocationsRequest) (*qscopev1.PollRevocationsResponse, error)
	start qscopev1.RevocationStart
	// bound is how old memory may be. A third of it a poll waits for something to
	// tell, a third it may be late, and the last is for another attempt.
	bound time.Duration
	clock clock
	// mustRestart is whether the next poll has to begin a new run, instead of going
	// on, at this moment.
	mustRestart func(now moment) bool
	onAnswer    func(polled)
	onFailure   func(error)

	cursor   string
	more     bool
	failures int
}

// run ends when the context does.
func (f *revocationFeed) run(ctx context.Context) {
	for ctx.Err() == nil {
		if length := f.turn(ctx); length > 0 {
			f.clock.pause(ctx, length)
		}
	}
}

// turn makes one call, and returns for how long to leave QScope alone.
func (f *revocationFeed) turn(ctx context.Context) time.Duration {
	sent := f.clock.now()
	if f.mustRestart(sent) {
		f.cursor, f.more = "", false
	}
	wait := min(f.bound/3, longestWait).Truncate(time.Millisecond)
	if f.more {
		wait = 0
	}
	request := &qscopev1.PollRevocationsRequest{Wait: durationpb.New(wait)}
	if f.cursor == "" {
		request.From = &qscopev1.PollRevocationsRequest_Start{Start: f.start}
	} else {
		request.From = &qscopev1.PollRevocationsRequest_Cursor{Cursor: f.cursor}
	}
	called, cancel := context.WithTimeout(ctx, wait+f.bound/3)
	defer cancel()
	answer, err := f.poll(called, request)
	if ctx.Err() != nil {
		return 0
	}
	if err != nil {
		f.onFailure(err)
		f.failures++
		return pauseAfter(f.failures, RefusalOf(err))
	}
	f.onAnswer(polled{PollRevocationsResponse: answer, begins: f.cursor == "" || answer.GetReset_(), sent: sent})
	isIdle := f.cursor != "" && !answer.GetMore() && len(answer.GetRevocations()) == 0
	f.cursor, f.more, f.failures = answer.GetNextCursor(), answer.GetMore(), 0
	if isIdle && f.clock.now().since(sent) < min(wait, idlePause) {
		return idlePause
	}
	return 0
}

func pauseAfter(failures int, refusal *Refusal) time.Duration {
	jitter := 0.5 + rand.Float64()/2
	switch refusal.Remedy() {
	case WaitAndRepeat, FindOut, Report, ReadAgain, RenewToken:
	default:
		return time.Duration(float64(refusedPause) * jitter)
	}
	own := time.Duration(float64(min(firstPause<<min(failures-1, 10), longestPause)) * jitter)
	if refusal.RetryAfter != nil {
		return max(own, *refusal.RetryAfter)
	}
	return own
}
