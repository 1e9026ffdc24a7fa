package qscope

import (
	"sync/atomic"
	"time"
)

const (
	// leeway is by how much a clock of QScope's may be off, and for how long a
	// question may be on its way.
	leeway = 60 * time.Second
	// sweepPause: looking through all facts is not worth it more often.
	sweepPause = 10 * time.Second
)

// revocationKey names a fact that can end tokens before they expire.
type revocationKey [16]byte

// fact is something that tokens rest on.
type fact struct {
	key revocationKey
	// told is the number of the latest telling of its key; 0: it was not told.
	told atomic.Uint64
	// forget is when no token that rests on it can be unexpired any more, since 1970.
	forget time.Duration
	// holders is how many kept answers rest on it.
	holders int
}

// facts are those that kept answers rest on, and the keys that were told. But for
// reading fact.told and published, its owner holds a lock.
//
// Tellings are numbered. What was asked after telling n knows of n, so that an
// answer stands as long as no fact of its was told later than it was asked for. A
// key that was told is kept until its time is over, or until there are more of
// them than there is room for: then all are dropped at once, and nothing stands
// that was asked for before.
type facts struct {
	byKey map[revocationKey]*fact
	// most keys that were told are kept.
	most int
	told int
	// tellings is the number of the latest one.
	tellings uint64
	// published is the number of the latest telling that readers without a lock
	// see in every fact it is about.
	published atomic.Uint64
	// oldest: of what was asked before this telling nobody knows whether it stands.
	oldest  uint64
	sweptAt time.Duration
}

func newFacts(most int) *facts {
	return &facts{byKey: map[revocationKey]*fact{}, most: most}
}

// areTold is whether one of the keys is known to be told.
func (f *facts) areTold(keys []revocationKey) bool { return f.latest(keys) > 0 }

// stand is whether none of the keys was told since telling asked.
func (f *facts) stand(keys []revocationKey, asked uint64) bool {
	return asked >= f.oldest && f.latest(keys) <= asked
}

func (f *facts) latest(keys []revocationKey) uint64 {
	var latest uint64
	for _, key := range keys {
		if found := f.byKey[key]; found != nil {
			latest = max(latest, found.told.Load())
		}
	}
	return latest
}

// hold returns the facts of an answer that is kept from now on, until release.
func (f *facts) hold(keys []revocationKey) []*fact {
	held := make([]*fact, len(keys))
	for index, key := range keys {
		held[index] = f.of(key)
		held[index].holders++
	}
	return held
}

func (f *facts) release(held []*fact) {
	for _, each := range held {
		each.holders--
		if each.holders == 0 && each.told.Load() == 0 && f.byKey[each.key] == each {
			delete(f.byKey, each.key)
		}
	}
}

// tell returns false where there was no room for one more, and every key that was
// told is dropped. Kept answers have to go then.
func (f *facts) tell(key revocationKey, forget time.Duration) bool {
	f.tellings++
	about := f.of(key)
	if about.told.Load() == 0 {
		f.told++
	}
	about.told.Store(f.tellings)
	f.published.Store(f.tellings)
	about.forget = max(about.forget, forget)
	if f.told <= f.most {
		return true
	}
	f.clear()
	return false
}

// clear drops every key that was told. Kept answers have to go then.
func (f *facts) clear() {
	clear(f.byKey)
	f.told, f.oldest, f.sweptAt = 0, f.tellings, 0
}

// sweep forgets the keys whose time is over, of which no kept answer is left.
func (f *facts) sweep(now time.Duration) {
	if now < f.sweptAt+sweepPause {
		return
	}
	f.sweptAt = now
	for key, each := range f.byKey {
		if each.holders == 0 && now >= each.forget+leeway {
			delete(f.byKey, key)
			f.told--
		}
	}
}

func (f *facts) of(key revocationKey) *fact {
	found := f.byKey[key]
	if found == nil {
		found = &fact{key: key}
		f.byKey[key] = found
	}
	return found
}
