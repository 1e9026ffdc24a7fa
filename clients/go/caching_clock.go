package qscope

import (
	"context"
	"sync/atomic"
	"time"
)

// moment is what both clocks of a machine showed.
type moment struct {
	// monotonic never goes back, and may stand still while the machine sleeps.
	monotonic time.Duration
	// wall is since 1970, and may be set to anything.
	wall time.Duration
}

// clock is a machine's; tests have one of their own.
type clock interface {
	now() moment
	// pause waits, at most until the context is done.
	pause(ctx context.Context, length time.Duration)
}

type systemClock struct{ started time.Time }

func (c systemClock) now() moment {
	// One reading has both.
	now := time.Now()
	return moment{monotonic: now.Sub(c.started), wall: time.Duration(now.UnixNano())}
}

func (c systemClock) pause(ctx context.Context, length time.Duration) {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// timekeeper reads the clocks of a machine that may sleep, and whose wall clock
// may be set.
type timekeeper struct {
	clock
	// lead is how far the wall clock was ahead of the monotonic one, at most.
	lead atomic.Int64
	// behind is for the goroutine that polls alone; nil: the wall clock is not behind
	// lead by more than the leeway.
	behind *behindLead
}

// behindLead is how the wall clock has gone since it fell behind a lead.
type behindLead struct {
	lead time.Duration
	// since is when that was seen, by the monotonic clock.
	since time.Duration
	// most is how far it was ahead of the monotonic clock since.
	most time.Duration
}

// since is how long ago a moment is, by the clock that went further.
func (now moment) since(then moment) time.Duration {
	return max(now.monotonic-then.monotonic, now.wall-then.wall)
}

// wasAhead is whether the wall clock has been behind an earlier reading by more
// than the leeway, at each call of this for longer than the leeway: it was ahead
// then, and was set right.
func (t *timekeeper) wasAhead(now moment) bool {
	lead, own := t.time(now)-now.monotonic, now.wall-now.monotonic
	if own >= lead-leeway {
		t.behind = nil
		return false
	}
	if t.behind == nil || t.behind.lead != lead {
		t.behind = &behindLead{lead: lead, since: now.monotonic, most: own}
	}
	t.behind.most = max(t.behind.most, own)
	return now.monotonic-t.behind.since > leeway
}

// setRight believes a wall clock that was ahead as it is now: time goes back.
// Nothing may be left that was kept or forgotten by the time before.
func (t *timekeeper) setRight(now moment) {
	if t.wasAhead(now) {
		t.lead.Store(int64(t.behind.most))
		t.behind = nil
	}
}

// time is since 1970 and never less than before, but for setRight: it is the wall
// clock's or, where that is further, any earlier reading of the wall clock plus
// what the monotonic clock counted since.
func (t *timekeeper) time(now moment) time.Duration {
	lead := int64(now.wall - now.monotonic)
	for {
		known := t.lead.Load()
		if lead <= known {
			return now.monotonic + time.Duration(known)
		}
		if t.lead.CompareAndSwap(known, lead) {
			return now.wall
		}
	}
}
