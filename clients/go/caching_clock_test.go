package qscope

import (
	"encoding/json"
	"math"
	"testing"
	"time"
)

const minuteMs = 60_000

// givenTime reads clocks that show what they are set to.
func givenTime() (*timekeeper, *virtualClock) {
	clock := &virtualClock{at: moment{monotonic: 5 * time.Second, wall: 1_000_000 * time.Hour}}
	keeper := &timekeeper{clock: clock}
	keeper.lead.Store(math.MinInt64)
	keeper.time(clock.now())
	return keeper, clock
}

func TestTimeIsThatOfAWallClockThatWasSetRightLongerThanTheLeewayAgo(t *testing.T) {
	keeper, clock := givenTime()
	began := clock.now().wall
	move := func(monotonic, wall time.Duration) bool {
		clock.move(monotonic, wall)
		return keeper.wasAhead(clock.now())
	}
	move(0, 2*time.Hour)
	if move(time.Second, -2*time.Hour) || move(leeway, leeway) {
		t.Fatal("the time goes back too early")
	}
	keeper.setRight(clock.now())
	if passed := keeper.time(clock.now()) - began; passed != 2*time.Hour+leeway+time.Second {
		t.Fatalf("the time is %s on", passed)
	}
	// Ahead once more: the wait begins anew.
	clock.move(0, 3*time.Hour)
	keeper.time(clock.now())
	if move(time.Second, -3*time.Hour) || move(leeway, leeway) {
		t.Fatal("the time goes back too early")
	}
	if !move(1, 1) {
		t.Fatal("the time does not go back")
	}
	keeper.setRight(clock.now())
	if now := clock.now(); keeper.time(now) != now.wall || keeper.wasAhead(now) {
		t.Errorf("the time is %s, not %s", keeper.time(now), now.wall)
	}
}

func TestTimeTakesNoNoticeOfLessThanTheLeewayNorOfSleep(t *testing.T) {
	keeper, clock := givenTime()
	for _, step := range []moment{{0, leeway}, {0, -leeway}, {0, 5 * time.Hour}, {2 * time.Hour, 2 * time.Hour}} {
		clock.move(step.monotonic, step.wall)
		if keeper.wasAhead(clock.now()) {
			t.Errorf("the time would go back after %+v", step)
		}
	}
}

// A verifier whose wall clock was ahead has forgotten keys by it, or kept answers.
func TestCachingVerifierBeginsANewRunOnceItsWallClockWasSetRight(t *testing.T) {
	table := readConformance[cachingTable](t, "caching-verifier-cases.json")
	finished := readConformance[finishedTokens](t, "caching-verifier-tokens.json")
	for _, start := range []string{"now", "history"} {
		t.Run(start, func(t *testing.T) {
			run := beginCase(t, table, finished, cachingCase{Start: start})
			defer run.verifier.Close()
			steps := []cachingStep{
				{Poll: "answered", From: start},
				moved(0, 120*minuteMs), {Poll: "answered"},
				moved(1_000, -120*minuteMs), {Poll: "answered"},
			}
			for range 7 {
				steps = append(steps, moved(9_000, 9_000), cachingStep{Poll: "answered", CoveredMs: 9_000})
			}
			steps = append(steps,
				cachingStep{Poll: "answered", From: start, Next: "new-run"},
				cachingStep{Poll: "answered", From: "new-run"},
			)
			for index, step := range steps {
				if !run.play(step) {
					text, _ := json.Marshal(step)
					t.Fatalf("step %d, %s", index+1, text)
				}
			}
		})
	}
}

func moved(monotonicMs, wallMs int64) cachingStep {
	return cachingStep{Clock: &clockStep{monotonicMs, wallMs}}
}
