//go:build go1.25

package qscope

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	qscopev1 "qscope.internal/client/gen/qscope/v1"
)

const lifetime = time.Hour

// counted mints numbered tokens, each after a second, unless told to fail.
type counted struct {
	minted atomic.Int32
	fails  atomic.Bool
}

var errRefused = errors.New("refused")

func (c *counted) mint(context.Context) (*qscopev1.IssuedToken, error) {
	time.Sleep(time.Second)
	n := c.minted.Add(1)
	if c.fails.Load() {
		return nil, errRefused
	}
	return &qscopev1.IssuedToken{AccessToken: string('a' + rune(n) - 1), ExpiresIn: durationpb.New(lifetime)}, nil
}

func tokenOf(t *testing.T, source *TokenSource) string {
	t.Helper()
	token, err := source.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return token.GetAccessToken()
}

func TestConcurrentCallersShareOneMint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var minting counted
		source := NewTokenSourceOf(minting.mint)
		for range 100 {
			go source.Token(t.Context())
		}
		synctest.Wait()
		time.Sleep(2 * time.Second)
		if got := tokenOf(t, source); got != "a" || minting.minted.Load() != 1 {
			t.Errorf("got %s after %d mints", got, minting.minted.Load())
		}
	})
}

func TestATokenIsRenewedAheadOfItsEndWhileCallersGoOnWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var minting counted
		source := NewTokenSourceOf(minting.mint)
		tokenOf(t, source)
		time.Sleep(lifetime/4*3 - 2*time.Second)
		tokenOf(t, source)
		synctest.Wait()
		if minting.minted.Load() != 1 {
			t.Error("renewed when more than a quarter was left")
		}
		time.Sleep(lifetime/8 + 2*time.Second)
		began := time.Now()
		if got := tokenOf(t, source); got != "a" || time.Since(began) > 0 {
			t.Errorf("got %s after waiting %s", got, time.Since(began))
		}
		time.Sleep(2 * time.Second)
		if got := tokenOf(t, source); got != "b" {
			t.Errorf("got %s after the renewal", got)
		}
	})
}

func TestARenewalThatFailsLeavesTheTokenInUseAndIsTriedAgainLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var minting counted
		source := NewTokenSourceOf(minting.mint)
		tokenOf(t, source)
		minting.fails.Store(true)
		time.Sleep(lifetime / 8 * 7)
		for range 50 {
			if got := tokenOf(t, source); got != "a" {
				t.Fatalf("got %s", got)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if n := minting.minted.Load(); n < 2 || n > 4 {
			t.Errorf("%d attempts in five seconds", n)
		}
		time.Sleep(lifetime / 8)
		if _, err := source.Token(t.Context()); !errors.Is(err, errRefused) {
			t.Errorf("got %v when the token had ended", err)
		}
		minting.fails.Store(false)
		tokenOf(t, source)
	})
}

func TestACallerWhoGivesUpLeavesTheMintToTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var minting counted
		source := NewTokenSourceOf(minting.mint)
		impatient, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := source.Token(impatient); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if got := tokenOf(t, source); got != "a" || minting.minted.Load() != 1 {
			t.Errorf("got %s after %d mints", got, minting.minted.Load())
		}
	})
}

func TestADiscardedTokenIsReplacedAndAnyOtherStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var minting counted
		source := NewTokenSourceOf(minting.mint)
		tokenOf(t, source)
		source.Discard("another")
		if got := tokenOf(t, source); got != "a" {
			t.Errorf("got %s", got)
		}
		source.Discard("a")
		if got := tokenOf(t, source); got != "b" {
			t.Errorf("got %s", got)
		}
	})
}
