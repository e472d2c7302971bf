package sip

import (
	"net/netip"
	"sync"
	"time"

	"github.com/switchlet/switchlet/call/directory"
)

// Limits bound what one source may ask of the stack, from the first packet on.
// Zero fields mean the defaults.
type Limits struct {
	Requests      float64 // requests a second from one address, default 1000
	Burst         float64 // requests at once, default 2000
	Failures      float64 // failed authentications a second, default 5
	FailureBurst  float64 // default 50
	Sources       int     // addresses remembered, default 4096
	Dialogs       int     // calls at once from one address, default 2000
	Connections   int     // TCP and TLS connections a profile, default 2048
	Bindings      int     // registrations a profile, default 100000
	UserBindings  int     // registrations of one user, default 32
	Watches       int     // subscriptions to dialog and presence, default 20000
	SourceWatches int     // of them from one address, default 4000
	// Overtaken is how long a request inside a dialog waits for one that was sent
	// before it, default 100 ms.
	Overtaken time.Duration
	// Repeated is how much longer an INFO over UDP waits for one that may be lost, since
	// it comes again: default 500 ms (T1 of the far end).
	Repeated time.Duration
}

func (l Limits) withDefaults() Limits {
	number := func(v *float64, def float64) {
		if *v == 0 {
			*v = def
		}
	}
	count := func(v *int, def int) {
		if *v == 0 {
			*v = def
		}
	}
	number(&l.Requests, 1000)
	number(&l.Burst, 2000)
	number(&l.Failures, 5)
	number(&l.FailureBurst, 50)
	count(&l.Sources, 4096)
	count(&l.Dialogs, 2000)
	count(&l.Connections, 2048)
	count(&l.Bindings, 100000)
	count(&l.UserBindings, 32)
	count(&l.Watches, 20000)
	count(&l.SourceWatches, 4000)
	if l.Overtaken == 0 {
		l.Overtaken = 100 * time.Millisecond
	}
	if l.Repeated == 0 {
		l.Repeated = 500 * time.Millisecond
	}
	return l
}

// buckets is a bounded table of token buckets, one a source. Sources that do not
// fit share one bucket, so that a flood from made-up addresses costs no memory.
type buckets struct {
	rate, burst float64
	limit       int

	mu     sync.Mutex
	m      map[netip.Addr]*bucket
	common bucket
	swept  time.Time
}

type bucket struct {
	tokens float64
	at     time.Time
}

func newBuckets(rate, burst float64, limit int) *buckets {
	return &buckets{rate: rate, burst: burst, limit: limit, m: make(map[netip.Addr]*bucket)}
}

// take takes a token of the source's bucket; false: there is none.
func (b *buckets) take(source netip.Addr, now time.Time) bool {
	source = directory.Source(source)
	b.mu.Lock()
	defer b.mu.Unlock()
	k := b.find(source, now)
	b.fill(k, now)
	if k.tokens < 1 {
		return false
	}
	k.tokens--
	return true
}

// empty reports whether the source's bucket has no token, and takes none.
func (b *buckets) empty(source netip.Addr, now time.Time) bool {
	source = directory.Source(source)
	b.mu.Lock()
	defer b.mu.Unlock()
	k, ok := b.m[source]
	if !ok {
		return false
	}
	b.fill(k, now)
	return k.tokens < 1
}

func (b *buckets) find(source netip.Addr, now time.Time) *bucket {
	if k, ok := b.m[source]; ok {
		return k
	}
	if len(b.m) >= b.limit && now.Sub(b.swept) > time.Second {
		b.sweep(now)
	}
	if len(b.m) >= b.limit {
		return &b.common
	}
	k := &bucket{tokens: b.burst, at: now}
	b.m[source] = k
	return k
}

func (b *buckets) fill(k *bucket, now time.Time) {
	if k.at.IsZero() {
		k.tokens = b.burst
	} else if d := now.Sub(k.at).Seconds(); d > 0 {
		k.tokens = min(b.burst, k.tokens+d*b.rate)
	}
	k.at = now
}

// sweep forgets the sources whose buckets are full again.
func (b *buckets) sweep(now time.Time) {
	b.swept = now
	for a, k := range b.m {
		if k.tokens+now.Sub(k.at).Seconds()*b.rate >= b.burst {
			delete(b.m, a)
		}
	}
}

// tally counts things a source holds at the same time.
type tally struct {
	mu sync.Mutex
	m  map[netip.Addr]int
}

// enter counts one more unless the source holds limit already.
func (t *tally) enter(source netip.Addr, limit int) bool {
	source = directory.Source(source)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.m == nil {
		t.m = make(map[netip.Addr]int)
	}
	if t.m[source] >= limit {
		return false
	}
	t.m[source]++
	return true
}

// leave takes one back.
func (t *tally) leave(source netip.Addr) {
	source = directory.Source(source)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.m[source]--; t.m[source] <= 0 {
		delete(t.m, source)
	}
}
