package qscope

import (
	"context"
	"errors"
	"testing"
	"time"

	"google.golang.org/grpc"

	qscopev1 "qscope.internal/client/gen/qscope/v1"
)

// slowKeySet holds each fetch of its keys until it is let go.
type slowKeySet struct {
	*scriptedServer
	asked chan context.Context
	letGo chan struct{}
}

func (s *slowKeySet) GetJsonWebKeySet(
	ctx context.Context, request *qscopev1.GetJsonWebKeySetRequest, options ...grpc.CallOption,
) (*qscopev1.GetJsonWebKeySetResponse, error) {
	s.asked <- ctx
	<-s.letGo
	return s.scriptedServer.GetJsonWebKeySet(ctx, request, options...)
}

func TestCallersWaitForAFetchOfTheKeysOnlyAsLongAsTheirOwnContextsAllow(t *testing.T) {
	table := readConformance[cachingTable](t, "caching-verifier-cases.json")
	finished := readConformance[finishedTokens](t, "caching-verifier-tokens.json")
	server := &slowKeySet{
		scriptedServer: newScriptedServer(t, table, finished, ""),
		asked:          make(chan context.Context, 3), letGo: make(chan struct{}),
	}
	clock := WithClock(func() time.Time { return time.Unix(table.Clock, 0) })
	verifier := NewJWTVerifier(server, table.Issuer, table.Audience, clock)
	verify := func(ctx context.Context) <-chan error {
		result := make(chan error, 1)
		go func() {
			_, err := verifier.Verify(ctx, finished.Tokens["j"])
			result <- err
		}()
		return result
	}
	expect := func(result <-chan error, expected error) {
		t.Helper()
		select {
		case err := <-result:
			if !errors.Is(err, expected) {
				t.Errorf("comes out as %v, not %v", err, expected)
			}
		case <-time.After(patience):
			t.Error("waits still")
		}
	}

	first, cancelFirst := context.WithCancel(context.Background())
	firstResult := verify(first)
	fetch := <-server.asked
	if _, isBounded := fetch.Deadline(); !isBounded {
		t.Error("the fetch may last for ever")
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	expect(verify(gone), context.Canceled)
	cancelFirst()
	expect(firstResult, context.Canceled)
	third := verify(context.Background())
	if errors.Is(fetch.Err(), context.Canceled) {
		t.Error("the fetch ended with the caller who gave rise to it")
	}
	close(server.letGo)
	expect(third, nil)
	if len(server.asked) > 0 {
		t.Error("the keys were fetched once more")
	}
}

func TestKeysAreTooOldOnAMachineThatSleptThoughItsMonotonicClockStoodStill(t *testing.T) {
	table := readConformance[cachingTable](t, "caching-verifier-cases.json")
	finished := readConformance[finishedTokens](t, "caching-verifier-tokens.json")
	server := newScriptedServer(t, table, finished, "")
	judgedAt := WithClock(func() time.Time { return time.Unix(table.Clock, 0) })
	verifier := NewJWTVerifier(server, table.Issuer, table.Audience, judgedAt)
	clock := &virtualClock{at: moment{monotonic: time.Hour, wall: time.Duration(table.Clock) * time.Second}}
	verifier.clock = clock
	expect := func(expected error) {
		t.Helper()
		if _, err := verifier.Verify(context.Background(), finished.Tokens["j"]); !errors.Is(err, expected) {
			t.Errorf("comes out as %v, not %v", err, expected)
		}
	}
	expect(nil)
	server.keySet = nil
	clock.move(0, 300*time.Second)
	expect(nil)
	clock.move(0, time.Millisecond)
	expect(errUnavailable)
}
