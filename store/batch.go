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
	queue   chan write
	dropped atomic.Uint64
	stop    chan struct{}
	once    sync.Once
	ended   chan struct{}
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
	b := &Batch{db: d, opts: o, queue: make(chan write, o.Queue), stop: make(chan struct{}), ended: make(chan struct{})}
	go b.run()
	return b
}

// Add queues a write. A full queue refuses it with ErrQueue and counts it; after
// Close the answer is ErrClosed.
func (b *Batch) Add(query string, args ...any) error {
	select {
	case <-b.stop:
		return ErrClosed
	default:
	}
	select {
	case b.queue <- write{query: query, args: args}:
		return nil
	default:
		b.dropped.Add(1)
		return ErrQueue
	}
}

// Dropped is how many writes were refused.
func (b *Batch) Dropped() uint64 { return b.dropped.Load() }

// Flush waits until everything that was added before is on its way to the disk.
func (b *Batch) Flush(ctx context.Context) error {
	done := make(chan struct{})
	select {
	case b.queue <- write{done: done}:
	case <-b.stop:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-done:
		return nil
	case <-b.ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close writes what waits and ends the Batch.
func (b *Batch) Close() {
	b.once.Do(func() { close(b.stop) })
	<-b.ended
}

func (b *Batch) run() {
	defer close(b.ended)
	for {
		select {
		case w := <-b.queue:
			b.commit(w)
		case <-b.stop:
			for {
				select {
				case w := <-b.queue:
					b.commit(w)
				default:
					return
				}
			}
		}
	}
}

// gather returns first and what goes into its transaction.
func (b *Batch) gather(first write) []write {
	list := []write{first}
	hurry := b.opts.Gather <= 0 || first.done != nil
	var late <-chan time.Time
	if !hurry {
		t := time.NewTimer(b.opts.Gather)
		defer t.Stop()
		late = t.C
	}
	for len(list) < b.opts.Size {
		var w write
		select {
		case w = <-b.queue:
		default:
			if hurry {
				return list
			}
			select {
			case w = <-b.queue:
			case <-late:
				hurry = true
				continue
			case <-b.stop:
				hurry = true
				continue
			}
		}
		list = append(list, w)
		hurry = hurry || w.done != nil
	}
	return list
}

// commit writes first and whatever is gathered behind it in one transaction.
func (b *Batch) commit(first write) {
	list := b.gather(first)
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
