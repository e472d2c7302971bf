package event

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
)

// ErrClosed is what Next returns once the subscription or its bus is closed and
// nothing waits any more.
var ErrClosed = errors.New("event: subscription closed")

// Subscription is one taker's bounded queue of events. When it is full the
// newest event is dropped and counted. Its methods may be used by many
// goroutines at once.
type Subscription struct {
	bus   *Bus
	name  string
	queue chan *Event
	done  chan struct{}
	once  sync.Once
	ended atomic.Bool
	lost  atomic.Uint64

	// What is wanted; the lock of the bus guards it.
	all    bool
	types  [len(types)]bool
	custom map[string]bool // subclasses in lower case
	want   func(*Event) bool
}

// Name returns the name that the subscription was made with.
func (s *Subscription) Name() string { return s.name }

// Listen adds a type. Custom means events of every subclass; All means
// everything.
func (s *Subscription) Listen(t Type) {
	s.change(func() {
		if t == All {
			s.all = true
		} else if i := t.Index(); i >= 0 {
			s.types[i] = true
		}
	})
}

// ListenCustom adds the CUSTOM events of one subclass, in any case.
func (s *Subscription) ListenCustom(subclass string) {
	s.change(func() {
		if s.custom == nil {
			s.custom = make(map[string]bool)
		}
		s.custom[strings.ToLower(subclass)] = true
	})
}

// ListenAll adds every event.
func (s *Subscription) ListenAll() { s.Listen(All) }

// Unlisten takes a type away. Of a subscription to everything, everything else
// stays. All takes everything away, and so do the subclasses go with Custom.
func (s *Subscription) Unlisten(t Type) {
	s.change(func() {
		if t == All {
			s.all, s.custom = false, nil
			clear(s.types[:])
			return
		}
		s.spread()
		if t == Custom {
			s.custom = nil
		}
		if i := t.Index(); i >= 0 {
			s.types[i] = false
		}
	})
}

// UnlistenCustom takes one subclass away. It reports whether it had been asked
// for by name.
func (s *Subscription) UnlistenCustom(subclass string) bool {
	had := false
	s.change(func() {
		key := strings.ToLower(subclass)
		had = s.custom[key]
		delete(s.custom, key)
	})
	return had
}

// UnlistenAll takes everything away.
func (s *Subscription) UnlistenAll() { s.Unlisten(All) }

// Listens reports whether an event of that type and subclass would be queued.
func (s *Subscription) Listens(t Type, subclass string) bool {
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	return s.takes(t, subclass)
}

// SetWant sets a filter that is asked for each event that the subscription
// listens to. It runs in the publisher's goroutine with the bus locked: it must
// be quick and must not call the bus. Nil takes the filter away.
func (s *Subscription) SetWant(want func(*Event) bool) {
	s.change(func() { s.want = want })
}

// C is the queue. It is not closed; use Done to see the end.
func (s *Subscription) C() <-chan *Event { return s.queue }

// Done is closed when the subscription or its bus is.
func (s *Subscription) Done() <-chan struct{} { return s.done }

// Next waits for an event. It returns the context's error, or ErrClosed when the
// subscription has ended and its queue is empty.
func (s *Subscription) Next(ctx context.Context) (*Event, error) {
	select {
	case e := <-s.queue:
		return e, nil
	default:
	}
	select {
	case e := <-s.queue:
		return e, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.done:
	}
	// What was queued before the end is still delivered.
	select {
	case e := <-s.queue:
		return e, nil
	default:
		return nil, ErrClosed
	}
}

// Lost returns how many events were dropped because the queue was full.
func (s *Subscription) Lost() uint64 { return s.lost.Load() }

// Flush throws away what waits in the queue.
func (s *Subscription) Flush() {
	for {
		select {
		case <-s.queue:
		default:
			return
		}
	}
}

// Close ends the subscription. Events that wait can still be read.
func (s *Subscription) Close() {
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	for i, other := range s.bus.subs {
		if other == s {
			s.bus.subs = append(s.bus.subs[:i:i], s.bus.subs[i+1:]...)
			break
		}
	}
	s.bus.refresh()
	s.end()
}

func (s *Subscription) end() {
	s.once.Do(func() {
		s.ended.Store(true)
		close(s.done)
	})
}

func (s *Subscription) change(f func()) {
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	f()
	s.bus.refresh()
}

// spread turns "everything" into every type by itself, so that one can be taken
// away.
func (s *Subscription) spread() {
	if !s.all {
		return
	}
	s.all = false
	for i := range s.types {
		s.types[i] = true
	}
}

func (s *Subscription) takes(t Type, subclass string) bool {
	if s.all {
		return true
	}
	if i := t.Index(); i >= 0 && s.types[i] {
		return true
	}
	return t == Custom && len(s.custom) > 0 && s.custom[strings.ToLower(subclass)]
}

// offer queues the event if it is wanted; the lock of the bus is held.
func (s *Subscription) offer(e *Event) {
	if !s.takes(e.Type, e.Subclass) || s.want != nil && !s.want(e) {
		return
	}
	select {
	case s.queue <- e:
	default:
		s.lost.Add(1)
	}
}
