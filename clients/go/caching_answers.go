package qscope

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	mostShards = 64
	// leastOfShard keeps a small memory in one piece, so that it holds what it says.
	leastOfShard = 64
)

// keptAnswer is what is known of a token, as long as it stands.
type keptAnswer struct {
	token  string
	claims *AccessClaims
	facts  []*fact
	// asked is the number of the latest telling when it was asked for; 0 for a JWT
	// that was accepted offline, which any telling ends.
	asked uint64
	// expires is since 1970.
	expires time.Duration
	// wasUsed since it was last passed over when room was made.
	wasUsed atomic.Bool
	// stoodAt is the telling at which its facts were looked at last.
	stoodAt atomic.Uint64
	slot    int
}

// stands is whether nothing was told since that ends the token. There were so many
// tellings; the facts are looked at once for each.
func (a *keptAnswer) stands(tellings uint64) bool {
	if a.stoodAt.Load() == tellings {
		return true
	}
	for _, each := range a.facts {
		if each.told.Load() > a.asked {
			return false
		}
	}
	a.stoodAt.Store(tellings)
	return true
}

// keptAnswers are answers by token, so many at most. They lie in shards, so that
// readers on many processors do not meet at one lock. Finding needs no other
// lock; whatever changes them, needs that of the facts.
type keptAnswers struct {
	shards []answerShard
	facts  *facts
}

// answerShard makes room by CLOCK, an approximation of least recently used: the
// hand goes round, and takes away what was not used since it last came by.
type answerShard struct {
	mu      sync.RWMutex
	byToken map[string]*keptAnswer
	slots   []*keptAnswer
	free    []int
	hand    int
	most    int
}

func newKeptAnswers(most int, facts *facts) *keptAnswers {
	count := min(mostShards, max(1, most/leastOfShard))
	answers := &keptAnswers{shards: make([]answerShard, count), facts: facts}
	for index := range answers.shards {
		shard := &answers.shards[index]
		shard.byToken = map[string]*keptAnswer{}
		shard.most = (most + count - 1) / count
	}
	return answers
}

// shard goes by the end of the token, where it is as good as drawn by lot: a
// checksum, or a signature.
func (k *keptAnswers) shard(token string) *answerShard {
	var sum uint
	for index := max(0, len(token)-4); index < len(token); index++ {
		sum = sum*31 + uint(token[index])
	}
	return &k.shards[sum%uint(len(k.shards))]
}

// find returns nil for what is not there, or does not stand any more.
func (k *keptAnswers) find(token string) *keptAnswer {
	// Before the facts are looked at: what is told from here on is for the next look.
	tellings := k.facts.published.Load()
	answer := k.look(token)
	if answer == nil || !answer.stands(tellings) {
		return nil
	}
	return answer
}

// look returns an answer that may not stand any more, or nil.
func (k *keptAnswers) look(token string) *keptAnswer {
	shard := k.shard(token)
	shard.mu.RLock()
	answer := shard.byToken[token]
	shard.mu.RUnlock()
	return answer
}

// keep leaves an answer about the same token that was asked for later.
func (k *keptAnswers) keep(token string, claims *AccessClaims, keys []revocationKey, asked uint64) {
	if before := k.find(token); before != nil && before.asked > asked {
		return
	}
	k.drop(token)
	answer := &keptAnswer{
		token: token, claims: claims, facts: k.facts.hold(keys), asked: asked,
		expires: time.Duration(claims.Expiry.Time().UnixNano()),
	}
	shard := k.shard(token)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if gone := shard.put(answer, k.facts.tellings); gone != nil {
		k.facts.release(gone.facts)
	}
}

func (k *keptAnswers) drop(token string) {
	shard := k.shard(token)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	answer := shard.byToken[token]
	if answer == nil {
		return
	}
	delete(shard.byToken, token)
	shard.slots[answer.slot] = nil
	shard.free = append(shard.free, answer.slot)
	k.facts.release(answer.facts)
}

func (k *keptAnswers) clear() {
	for index := range k.shards {
		shard := &k.shards[index]
		shard.mu.Lock()
		for _, answer := range shard.byToken {
			k.facts.release(answer.facts)
		}
		clear(shard.byToken)
		shard.slots, shard.free, shard.hand = nil, nil, 0
		shard.mu.Unlock()
	}
}

func (k *keptAnswers) size() int {
	size := 0
	for index := range k.shards {
		shard := &k.shards[index]
		shard.mu.RLock()
		size += len(shard.byToken)
		shard.mu.RUnlock()
	}
	return size
}

// put returns the answer that had to go for it.
func (s *answerShard) put(answer *keptAnswer, tellings uint64) (gone *keptAnswer) {
	switch {
	case len(s.free) > 0:
		answer.slot = s.free[len(s.free)-1]
		s.free = s.free[:len(s.free)-1]
		s.slots[answer.slot] = answer
	case len(s.slots) < s.most:
		answer.slot = len(s.slots)
		s.slots = append(s.slots, answer)
	default:
		gone = s.oldestUnused(tellings)
		delete(s.byToken, gone.token)
		answer.slot = gone.slot
		s.slots[answer.slot] = answer
	}
	s.byToken[answer.token] = answer
	return gone
}

// oldestUnused: every slot is taken.
func (s *answerShard) oldestUnused(tellings uint64) *keptAnswer {
	for {
		answer := s.slots[s.hand]
		s.hand = (s.hand + 1) % len(s.slots)
		if !answer.wasUsed.Load() || !answer.stands(tellings) {
			return answer
		}
		answer.wasUsed.Store(false)
	}
}
