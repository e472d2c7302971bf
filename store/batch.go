package store

import (
	"context"
	"database/sql"
	"sync"
	"sync/atomic"
	"time"
)

// Defaults of BatchOptions.
const (
	defaultQueue = 10000
	defaultSize  = 500
)

// BatchOptions say how a Batch gathers.
type BatchOptions struct {
	Queue int // writes that may wait; 0: 10000
	Size  int // writes in one transaction; 0: 500
	// Gather is how long the first write of a transaction waits for others. Flush
	// and Close do not wait. A program that is killed loses what waits.
	Gather time.Duration
	// Failed gets each write that could not be made; nil ignores it. It is called
	// from the Batch's goroutine.
	Failed func(query string, err error)
}

type write struct {
	query string
	args  []any
	done  chan struct{} // for Flush: no write
}

// Batch makes writes that nobody waits for, many in one transaction: whatever
// has gathered while the last transaction was on its way to the disk, and for as
// long as its options say.
type Batch struct {
	db      *DB
	opts    BatchOptions
	dropped atomic.Uint64
	wake    chan struct{} // there is something to do; of size 1
	ended   chan struct{}

	mu      sync.Mutex
	waiting []write // in order
	flushes int     // how many of them are no writes
	hurry   bool    // what waits is not to wait for others
	closed  bool
}

// Batch starts a batched writer. Close ends it.
func (d *DB) Batch(o BatchOptions) *Batch {
	if o.Queue <= 0 {
		o.Queue = defaultQueue
	}
	if o.Size <= 0 {
		o.Size = defaultSize
	}
	if o.Failed == nil {
		o.Failed = func(string, error) {}
	}
	b := &Batch{db: d, opts: o, wake: make(chan struct{}, 1), ended: make(chan struct{})}
	go b.run()
	return b
}

// Add queues a write. A full queue refuses it with ErrQueue and counts it; after
// Close the answer is ErrClosed.
func (b *Batch) Add(query string, args ...any) error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return ErrClosed
	}
	if len(b.waiting)-b.flushes >= b.opts.Queue {
		b.mu.Unlock()
		b.dropped.Add(1)
		return ErrQueue
	}
	b.waiting = append(b.waiting, write{query: query, args: args})
	n := len(b.waiting)
	b.mu.Unlock()
	if n == 1 || n >= b.opts.Size {
		b.rouse()
	}
	return nil
}

func (b *Batch) rouse() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// Dropped is how many writes were refused.
func (b *Batch) Dropped() uint64 { return b.dropped.Load() }

// Flush waits until everything that was added before is on its way to the disk.
func (b *Batch) Flush(ctx context.Context) error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return ErrClosed
	}
	var done chan struct{}
	if last := len(b.waiting) - 1; last >= 0 && b.waiting[last].done != nil {
		done = b.waiting[last].done // somebody waits for the same
	} else {
		done = make(chan struct{})
		b.waiting = append(b.waiting, write{done: done})
		b.flushes++
	}
	b.mu.Unlock()
	b.rouse()
	select {
	case <-done:
		return nil
	case <-b.ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Hurry has what was added before written without waiting for others.
func (b *Batch) Hurry() {
	b.mu.Lock()
	b.hurry = len(b.waiting) > 0
	hurry := b.hurry
	b.mu.Unlock()
	if hurry {
		b.rouse()
	}
}

// Close writes what waits and ends the Batch.
func (b *Batch) Close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.rouse()
	<-b.ended
}

func (b *Batch) run() {
	defer close(b.ended)
	for {
		list, ended := b.take()
		switch {
		case len(list) > 0:
			b.commit(list)
		case ended:
			return
		default:
			<-b.wake
		}
	}
}

// take returns what goes into one transaction, once it has gathered: nothing if
// nothing waits; ended then tells that nothing will.
func (b *Batch) take() (list []write, ended bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.opts.Gather > 0 && b.patient() {
		b.mu.Unlock()
		t := time.NewTimer(b.opts.Gather)
		for late, patient := false, true; patient && !late; {
			select {
			case <-b.wake:
				b.mu.Lock()
				patient = b.patient()
				b.mu.Unlock()
			case <-t.C:
				late = true
			}
		}
		t.Stop()
		b.mu.Lock()
	}
	n := min(len(b.waiting), b.opts.Size)
	list = b.waiting[:n:n]
	if b.waiting = b.waiting[n:]; len(b.waiting) == 0 {
		b.waiting, b.hurry = nil, false
	}
	for _, w := range list {
		if w.done != nil {
			b.flushes--
		}
	}
	return list, b.closed
}

// patient reports whether what waits may go on waiting for others.
func (b *Batch) patient() bool {
	n := len(b.waiting)
	return n > 0 && n < b.opts.Size && b.flushes == 0 && !b.hurry && !b.closed
}

// commit writes a list in one transaction.
func (b *Batch) commit(list []write) {
	ctx := context.Background()
	err := b.db.Tx(ctx, func(tx *sql.Tx) error {
		parsed := map[string]*sql.Stmt{}
		for _, w := range list {
			if w.done != nil {
				continue
			}
			stmt, err := parsed[w.query], error(nil)
			if stmt == nil {
				if stmt, err = tx.PrepareContext(ctx, w.query); err == nil {
					parsed[w.query] = stmt
				}
			}
			if err == nil {
				_, err = stmt.ExecContext(ctx, w.args...)
			}
			if err != nil {
				b.opts.Failed(w.query, b.db.Explain(err))
			}
		}
		return nil
	})
	for _, w := range list {
		switch {
		case w.done != nil:
			close(w.done)
		case err != nil:
			b.opts.Failed(w.query, err)
		}
	}
}
