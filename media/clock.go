package media

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Phase is a part of a tick. All Tickers finish one phase before any begins the
// next, so that what is said in PhaseRead can be mixed and then heard.
type Phase int

const (
	PhaseRead  Phase = iota // ports take a frame from the far end
	PhaseMix                // mixers add up what was read
	PhaseWrite              // ports send a frame to the far end
	phases
)

// A Ticker is driven by the Clock, once a phase. Tick must not block. Different
// Tickers run at the same time, one Ticker never does; after Remove one more
// Tick may come.
type Ticker interface {
	Tick(p Phase, now time.Time)
}

// Clock calls every Ticker each FrameTime on an exact schedule: a late tick is
// made up for, so that over time the frames are neither too many nor too few.
// It keeps no timer while nothing is on it.
type Clock struct {
	workers int
	cancel  context.CancelFunc
	done    sync.WaitGroup

	mu      sync.Mutex
	tickers []Ticker
	index   map[Ticker]int
	changed bool
	wake    chan struct{} // buffered, one
	before  []func(next time.Time)

	list []Ticker // this tick's; the clock's goroutine owns it
	job  struct {
		phase Phase
		now   time.Time
		next  atomic.Int64
		spent atomic.Int64 // ns that this tick's work took, all workers together
	}
	shared  bool // the last tick was worth sharing
	work    chan struct{}
	pending sync.WaitGroup

	ticks   atomic.Uint64
	skipped atomic.Uint64
}

const (
	// catchUp is how many ticks are made up for after a stall; what is lost
	// beyond is skipped, because nobody wants to hear it any more.
	catchUp = 10
	// batch is how many Tickers a worker takes at a time: few enough to share
	// the load, enough to make the sharing cheap.
	batch = 16
	// worthSharing is how much work a tick must be, all workers together, for the
	// next one to be shared: below it, waking others costs more than they save, and
	// what a port works on stays in one processor's memory.
	worthSharing = FrameTime / 4
)

func newClock(workers int) *Clock {
	return &Clock{
		workers: workers, index: make(map[Ticker]int),
		wake: make(chan struct{}, 1), work: make(chan struct{}),
	}
}

func (c *Clock) start(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cancel != nil {
		return
	}
	ctx, c.cancel = context.WithCancel(ctx)
	for range c.workers - 1 {
		c.done.Go(c.worker)
	}
	c.done.Go(func() { c.run(ctx) })
}

func (c *Clock) close() {
	c.mu.Lock()
	cancel := c.cancel
	c.mu.Unlock()
	if cancel != nil {
		cancel()
		c.done.Wait()
	}
}

// Before adds what is called when a tick begins, before any Ticker: it has the
// packets read that have come by then. next is when the following tick is due. It must
// not block.
func (c *Clock) Before(f func(next time.Time)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.before = append(slices.Clip(c.before), f)
}

// Add puts t on the Clock. The first Ticker on an idle clock is called at once,
// a later one with the next tick. Adding twice changes nothing.
func (c *Clock) Add(t Ticker) {
	c.mu.Lock()
	if _, ok := c.index[t]; !ok {
		c.index[t] = len(c.tickers)
		c.tickers = append(c.tickers, t)
		c.changed = true
	}
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Remove takes t off the Clock.
func (c *Clock) Remove(t Ticker) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i, ok := c.index[t]
	if !ok {
		return
	}
	last := len(c.tickers) - 1
	c.tickers[i] = c.tickers[last]
	c.index[c.tickers[i]] = i
	c.tickers[last] = nil
	c.tickers = c.tickers[:last]
	delete(c.index, t)
	c.changed = true
}

// Len returns how many Tickers are on the Clock.
func (c *Clock) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.tickers)
}

// Ticks returns how many ticks were made, and how many were skipped because the
// machine stalled for longer than could be made up for.
func (c *Clock) Ticks() (made, skipped uint64) { return c.ticks.Load(), c.skipped.Load() }

func (c *Clock) run(ctx context.Context) {
	defer close(c.work)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var next time.Time
	idle := true
	for {
		if c.Len() == 0 {
			idle = true
			select {
			case <-ctx.Done():
				return
			case <-c.wake:
			}
			continue
		}
		now := time.Now()
		if idle {
			idle, next = false, now
		}
		if late := now.Sub(next); late > catchUp*FrameTime {
			n := late / FrameTime
			c.skipped.Add(uint64(n))
			next = next.Add(n * FrameTime)
		}
		if wait := next.Sub(now); wait > 0 {
			timer.Reset(wait)
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
			}
		} else if ctx.Err() != nil {
			return
		}
		c.tick(next)
		next = next.Add(FrameTime)
	}
}

// tick runs the three phases over everything that is on the clock.
func (c *Clock) tick(now time.Time) {
	c.mu.Lock()
	if c.changed {
		c.changed = false
		clear(c.list)
		c.list = append(c.list[:0], c.tickers...)
		if cap(c.list) > 4*len(c.list)+64 {
			c.list = slices.Clip(c.list)
		}
	}
	before := c.before
	c.mu.Unlock()
	c.ticks.Add(1)
	for _, f := range before {
		f(now.Add(FrameTime))
	}
	helpers := 0
	if c.shared {
		helpers = min(c.workers-1, (len(c.list)-1)/batch)
	}
	c.job.spent.Store(0)
	for p := range phases {
		c.job.phase, c.job.now = p, now
		c.job.next.Store(0)
		c.pending.Add(helpers)
		for range helpers {
			c.work <- struct{}{}
		}
		c.share()
		c.pending.Wait()
	}
	c.shared = time.Duration(c.job.spent.Load()) > worthSharing
}

// worker helps with ticks until the clock's goroutine ends.
func (c *Clock) worker() {
	for range c.work {
		c.share()
		c.pending.Done()
	}
}

// share takes batches of the current phase until none is left.
func (c *Clock) share() {
	start := time.Now()
	defer func() { c.job.spent.Add(int64(time.Since(start))) }()
	for {
		end := int(c.job.next.Add(batch))
		if end-batch >= len(c.list) {
			return
		}
		for _, t := range c.list[end-batch : min(end, len(c.list))] {
			t.Tick(c.job.phase, c.job.now)
		}
	}
}
