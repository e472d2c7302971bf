package cdr

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/conf"
	"github.com/switchlet/switchlet/store"
)

// queue is how many ended legs may wait for the disk; newer ones are lost, which
// is counted and logged. At crowd they wait no longer for others.
const (
	queue = 5000
	crowd = 500
)

// day is the unit of history-days.
const day = 24 * time.Hour

// defaultDays is how long the history is kept where cdr_csv.conf says nothing.
const defaultDays = 365

// complaintEvery bounds how often trouble with the disk is logged.
const complaintEvery = 10 * time.Second

// Options are what a Recorder is made with. Switch, DB and LogDir are required.
type Options struct {
	Switch *call.Switch
	DB     *store.DB
	Conf   *conf.Node // cdr_csv.conf; nil: no CSV files
	LogDir string
	// Observe gets every leg that ended, also those that process_cdr keeps out of
	// the history. It must not block; nil: nobody counts.
	Observe func(*Record)
}

// Recorder writes the call history of a switch.
type Recorder struct {
	o       Options
	csv     *csv
	history *history
	sub     *event.Subscription
	asks    chan chan struct{} // for Flush: closed when what is queued was recorded
	crowded chan struct{}      // crowd legs wait; of size 1
	hup     func()
	done    sync.WaitGroup
	failed  atomic.Uint64
	told    atomic.Int64 // when the last complaint was logged, ns
}

// New makes a Recorder that does nothing until Start.
func New(o Options) *Recorder {
	r := &Recorder{o: o, asks: make(chan chan struct{}), crowded: make(chan struct{}, 1)}
	r.csv = readCSV(o.Conf, o.LogDir, func(format string, args ...any) { o.Switch.Log.Printf(call.LogWarning, format, args...) })
	if r.csv != nil {
		r.csv.failed = r.complain
	}
	return r
}

// Start begins to record. It fails when the table cannot be made.
func (r *Recorder) Start(ctx context.Context) error {
	p := conf.Params(r.o.Conf)
	if p.Bool("history", true) {
		h, err := openHistory(ctx, r.o.DB, time.Duration(max(p.Int("history-days", defaultDays), 0))*day, r.complain)
		if err != nil {
			return err
		}
		r.history = h
	}
	r.sub = r.o.Switch.Bus.Subscribe("cdr", queue)
	r.sub.SetWant(r.arrived)
	r.sub.Listen(event.ChannelHangupComplete)
	if r.csv != nil && r.csv.rotateOnHup {
		r.hup = r.o.Switch.Bus.Handle(event.Trap, "", func(e *event.Event) {
			if e.Get("Trapped-Signal") == "HUP" {
				if err := r.csv.rotate(time.Now()); err != nil {
					r.complain(err)
				}
			}
		})
	}
	r.done.Add(1)
	go r.run()
	return nil
}

// arrived is called for each leg that has ended, and lets it be queued.
func (r *Recorder) arrived(*event.Event) bool {
	if len(r.sub.C()) >= crowd {
		select {
		case r.crowded <- struct{}{}:
		default:
		}
	}
	return true
}

// run records until the subscription is closed and empty. A leg waits for others
// (gather), so that many calls wake this goroutine, the files and the database
// once.
func (r *Recorder) run() {
	defer r.done.Done()
	for ended := false; !ended; {
		var ask chan struct{}
		select {
		case e := <-r.sub.C():
			ask, ended = r.wait()
			r.record(e)
		case ask = <-r.asks:
		case <-r.sub.Done():
			ended = true
		}
		r.drain()
		if ask != nil {
			close(ask)
		}
	}
}

// wait is for what may join a leg that ended. It returns whom to tell, if anybody
// asked.
func (r *Recorder) wait() (ask chan struct{}, ended bool) {
	t := time.NewTimer(gather)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.crowded:
	case ask = <-r.asks:
	case <-r.sub.Done():
		ended = true
	}
	return ask, ended
}

// drain records what is queued and lets the files and the database go on.
func (r *Recorder) drain() {
	for more := true; more; {
		select {
		case e := <-r.sub.C():
			r.record(e)
		default:
			more = false
		}
	}
	if r.csv != nil {
		r.csv.flush()
	}
	if r.history != nil {
		r.history.batch.Hurry()
	}
}

func (r *Recorder) record(e *event.Event) {
	rec := fromEvent(e)
	if r.o.Observe != nil {
		r.o.Observe(&rec)
	}
	if !rec.wanted(e.Get("variable_process_cdr")) {
		return
	}
	if r.history != nil {
		if err := r.history.add(&rec); err != nil {
			r.complain(err)
		}
	}
	if r.csv != nil {
		r.csv.write(&rec, e, r.o.Switch.GlobalResolver())
	}
}

// complain counts what could not be written, and logs it now and then.
func (r *Recorder) complain(err error) {
	r.failed.Add(1)
	now := time.Now().UnixNano()
	if last := r.told.Load(); now-last > int64(complaintEvery) && r.told.CompareAndSwap(last, now) {
		r.o.Switch.Log.Printf(call.LogErr, "call history: %v (%d failures so far); calls go on", err, r.failed.Load())
	}
}

// Lost is how many legs were not recorded because the queue was full, and how
// many writes failed.
func (r *Recorder) Lost() (dropped, failed uint64) {
	if r.sub != nil {
		dropped = r.sub.Lost()
	}
	return dropped, r.failed.Load()
}

// Flush waits until what was queued before is on its way to the disk.
func (r *Recorder) Flush(ctx context.Context) error {
	ask := make(chan struct{})
	select {
	case r.asks <- ask:
		<-ask // nothing on the way there blocks
	case <-r.sub.Done():
		r.done.Wait()
	case <-ctx.Done():
		return ctx.Err()
	}
	if r.history == nil {
		return nil
	}
	return r.history.batch.Flush(ctx)
}

// Close writes what waits and ends.
func (r *Recorder) Close() {
	if r.sub == nil {
		return
	}
	if r.hup != nil {
		r.hup()
	}
	r.sub.Close()
	r.done.Wait()
	if r.history != nil {
		r.history.close()
	}
}

// Commands returns the command cdr_csv (spec/api-commands.md §2).
func (r *Recorder) Commands() []call.Command {
	return []call.Command{{Name: "cdr_csv", Syntax: "parameters", Description: "cdr_csv controls", Module: "mod_cdr_csv",
		Run: func(_ context.Context, _ *call.Switch, in *call.Invocation) error {
			if in.Args != "rotate" {
				return call.ErrCommand
			}
			if r.csv != nil {
				if err := r.csv.rotate(time.Now()); err != nil {
					r.complain(err)
				}
			}
			in.Out.WriteString("+OK")
			return nil
		}}}
}

func yes(s string) bool { return call.True(s) }
