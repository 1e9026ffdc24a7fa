package qscope

import (
	"context"
	"errors"
	"time"

	qscopev1 "qscope.internal/client/gen/qscope/v1"
)

// questionName is what callers share a question by.
type questionName struct{ token, certificate string }

// known is what a verifier knew when a question was sent.
type known struct {
	// run of polls that was going on; 0: none.
	run uint64
	// telling is the number of the latest.
	telling uint64
}

// question is on its way to QScope; its result is set before done is closed.
type question struct {
	questionName
	at     known
	done   chan struct{}
	claims *AccessClaims
	err    error
}

// ask returns the answer to a question about a token: one that it sends, or one
// that is on its way, as long as that answer is as good as one from memory would
// be: nothing was told since the question was sent. A refusal is never as good: no
// key tells that a token is active again, so a caller that joined asks once more.
func (v *CachingVerifier) ask(ctx context.Context, token, certificate string) (*AccessClaims, error) {
	name := questionName{token, certificate}
	asked, isJoined := v.joinOrSend(name)
	claims, err := asked.wait(ctx)
	if isJoined && errors.Is(err, ErrInvalidToken) {
		asked, _ = v.joinOrSend(name)
		return asked.wait(ctx)
	}
	return claims, err
}

func (v *CachingVerifier) joinOrSend(name questionName) (asked *question, isJoined bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	at := known{run: v.run, telling: v.facts.tellings}
	asked = v.questions[name]
	if asked != nil && asked.at == at && v.isCurrent(v.time.now()) {
		return asked, true
	}
	asked = &question{questionName: name, at: at, done: make(chan struct{})}
	v.questions[name] = asked
	go v.send(asked)
	return asked, false
}

func (q *question) wait(ctx context.Context) (*AccessClaims, error) {
	select {
	case <-q.done:
		return q.claims, q.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// send asks QScope. The question outlives the caller who gave rise to it, because
// others wait for it too.
func (v *CachingVerifier) send(asked *question) {
	ctx, cancel := context.WithTimeout(context.Background(), v.timeout)
	defer cancel()
	told, err := v.asker.verify(ctx, asked.token, asked.certificate)

	v.mu.Lock()
	defer v.mu.Unlock()
	isLatest := v.questions[asked.questionName] == asked
	if isLatest {
		delete(v.questions, asked.questionName)
	}
	asked.claims, asked.err = v.learn(asked, isLatest, told, err)
	close(asked.done)
}

// learn keeps an answer if it may be kept; the lock is held. Where the same was
// asked again since, that answer counts.
func (v *CachingVerifier) learn(
	asked *question, isLatest bool, told *qscopev1.TokenClaims, err error,
) (*AccessClaims, error) {
	if errors.Is(err, ErrInvalidToken) {
		v.dropRefused(asked.questionName)
	}
	if err != nil {
		return nil, err
	}
	claims := claimsOf(told)
	keys, areKeys := keysOf(told.GetRevocationKeys())
	// Before a run begins nobody follows what ends a token.
	isFollowed := isLatest && v.run > 0 && asked.at.run == v.run && !v.isClosed
	if areKeys && isFollowed && v.facts.stand(keys, asked.at.telling) {
		v.answers.keep(asked.token, claims, keys, asked.at.telling)
	}
	return claims, nil
}

// dropRefused leaves what is bound to another certificate than was shown.
func (v *CachingVerifier) dropRefused(refused questionName) {
	answer := v.answers.look(refused.token)
	if answer == nil {
		return
	}
	if bound := answer.claims.CertificateThumbprint; bound == "" || bound == refused.certificate {
		v.answers.drop(refused.token)
	}
}

// keysOf is false where there are none, or one is not of 16 bytes.
func keysOf(told [][]byte) ([]revocationKey, bool) {
	keys := make([]revocationKey, 0, len(told)+1)
	for _, bytes := range told {
		if len(bytes) != len(revocationKey{}) {
			return nil, false
		}
		keys = append(keys, revocationKey(bytes))
	}
	return keys, len(keys) > 0
}

// asOf is when everything is known of, at least: never later than now, on either
// clock, because the server's does not run like them.
func asOf(sent moment, covered time.Duration, now moment) *moment {
	// A sum with a longer one could be too large for a Duration.
	covered = min(max(covered, 0), now.since(sent))
	return &moment{
		monotonic: min(sent.monotonic+covered, now.monotonic),
		wall:      min(sent.wall+covered, now.wall),
	}
}
