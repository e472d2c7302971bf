// Package originate turns a dial string into one connected outbound channel, or
// the cause why there is none: sequential alternatives, legs that race, groups
// that race, time limits, confirmation, retries (spec/api-commands.md §4).
//
// It parses with call/dialstring, makes legs through the Switch's endpoints and
// watches their marks. With an A leg it runs in that leg's goroutine, serves its
// inbox and passes ringing, early media and the answer on.
package originate

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/dialstring"
	"github.com/switchlet/switchlet/call/expand"
)

// DefaultTimeout is how long an alternative may ring.
const DefaultTimeout = 60 * time.Second

// Options are the surroundings of a Dial.
type Options struct {
	// Originator is the A leg, in whose goroutine Dial is called; nil for a call
	// from the API.
	Originator *call.Channel
	// Timeout bounds each alternative; 0 is call_timeout of the A leg or 60 s.
	Timeout time.Duration
	// CallerName and CallerNumber are shown to the far end; "" for the A leg's own
	// or nothing.
	CallerName, CallerNumber string
	// Vars are set on every leg, before those of the dial string.
	Vars []call.Var

	depth int
}

// maxDepth bounds endpoints that stand for dial strings with such endpoints.
const maxDepth = 10

// Dial makes the call. It returns a channel that is answered (or has early
// media, or rings, where the variables allow that), or a call.Cause.
func Dial(ctx context.Context, sw *call.Switch, text string, o Options) (*call.Channel, error) {
	call.Roomier()
	d, err := dialstring.Parse(text)
	if err != nil {
		sw.Log.Printf(call.LogErr, "Parse Error! %v", err)
		return nil, call.CauseDestinationOutOfOrder
	}
	if o.depth > maxDepth {
		sw.Log.Printf(call.LogErr, "Dial string [%s] leads to itself", text)
		return nil, call.CauseInvalidIEContents
	}
	a := o.Originator
	if a != nil && o.depth == 0 {
		a.Set("originate_disposition", "failure")
		a.Set("DIALSTATUS", "INVALIDARGS")
		a.Set("originated_legs", "")
		a.Set("originate_causes", "")
		a.RunHooks("pre_originate")
	}
	c, err := dialParsed(ctx, sw, d, o)
	if o.depth > 0 {
		return c, err
	}
	if c != nil {
		c.RunHooks("post_originate")
	}
	if a != nil {
		tell(a, c, err)
		a.RunHooks("post_originate")
	}
	return c, err
}

// tell records on the A leg how it went.
func tell(a, c *call.Channel, err error) {
	if err == nil {
		a.Set("originate_disposition", "SUCCESS")
		a.Set("DIALSTATUS", "SUCCESS")
		a.Set("signal_bond", c.UUID())
		return
	}
	cause := call.CauseOf(err, call.CauseDestinationOutOfOrder)
	a.Set("originate_disposition", cause.String())
	status := cause.String()
	switch cause {
	case call.CauseOriginatorCancel:
		status = "CANCEL"
	case call.CauseUserBusy:
		status = "BUSY"
	case call.CauseNoAnswer:
		status = "NOANSWER"
	case call.CauseDestinationOutOfOrder, call.CauseInvalidProfile:
		status = "INVALIDARGS"
	case call.CauseCallRejected:
		status = "DONTCALL"
	}
	a.Set("DIALSTATUS", status)
}

func dialParsed(ctx context.Context, sw *call.Switch, d *dialstring.Dial, o Options) (*call.Channel, error) {
	if len(d.Groups) > 1 {
		return dialEnterprise(ctx, sw, d, o)
	}
	if len(d.Groups) == 0 {
		return nil, call.CauseDestinationOutOfOrder
	}
	g := d.Groups[0]
	shared := append(append(append([]call.Var(nil), o.Vars...), vars(d.Global)...), vars(g.Vars)...)
	v := newSettings(o.Originator, shared)
	limit := v.seconds("originate_retry_timeout")
	tries := max(v.number("originate_retries", 1), 1)
	if limit <= 0 {
		tries = min(tries, 100)
	}
	// period is the least time between the beginnings of two attempts.
	period := time.Duration(min(max(v.number("originate_retry_min_period_ms", 0), 0), 300000)) * time.Millisecond
	pause := time.Duration(min(max(v.number("originate_retry_sleep_ms", 1000), 500), 60000)) * time.Millisecond
	var err error
	begun := time.Now()
	last := begun
	for try := 0; try < tries; try++ {
		if try > 0 {
			if !idle(ctx, o.Originator, max(pause, period-time.Since(last))) || limit > 0 && time.Since(begun) > limit {
				break
			}
			last = time.Now()
		}
		for _, legs := range g.Alternatives {
			r := &race{sw: sw, opts: o, settings: v, shared: shared}
			var c *call.Channel
			if c, err = r.run(ctx, legs); err == nil {
				return c, nil
			}
			if ctx.Err() != nil || (r.timedOut && !v.on("originate_continue_on_timeout")) {
				return nil, err
			}
		}
	}
	if err == nil {
		err = call.CauseDestinationOutOfOrder
	}
	return nil, err
}

// idle waits d, serving the A leg; false when the call is off.
func idle(ctx context.Context, a *call.Channel, d time.Duration) bool {
	if a != nil {
		return a.Sleep(ctx, d, call.WaitOptions{}) == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// dialEnterprise lets groups race, each in a goroutine of its own; the first
// success wins.
func dialEnterprise(ctx context.Context, sw *call.Switch, d *dialstring.Dial, o Options) (*call.Channel, error) {
	type result struct {
		c   *call.Channel
		err error
	}
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(call.CauseLoseRace)
	results := make(chan result, len(d.Groups))
	for _, g := range d.Groups {
		one := &dialstring.Dial{Global: d.Global, Groups: []dialstring.Group{g}}
		sub := o
		sub.Originator = nil
		sub.depth++
		sub.Vars = append(append([]call.Var(nil), o.Vars...), call.Var{Name: "ignore_early_media", Value: "true"})
		if a := o.Originator; a != nil {
			sub.Vars = append(inherited(a), sub.Vars...)
			sub.CallerName, sub.CallerNumber = callerOf(a, o)
		}
		go func() {
			c, err := dialParsed(inner, sw, one, sub)
			results <- result{c, err}
		}()
	}
	signal := make(chan struct{}, 1)
	var won *call.Channel
	var err error = call.CauseDestinationOutOfOrder
	for left := len(d.Groups); left > 0; left-- {
		r, ok := awaitResult(ctx, o.Originator, results, signal)
		if !ok {
			cancel(call.CauseOriginatorCancel)
			err = call.CauseOriginatorCancel
			r = <-results
		}
		switch {
		case r.err != nil && ok:
			err = r.err
		case r.c != nil && (won != nil || !ok):
			r.c.Hangup(call.CauseLoseRace)
		case r.c != nil:
			won = r.c
			cancel(call.CauseLoseRace)
		}
	}
	if won == nil {
		return nil, err
	}
	if a := o.Originator; a != nil {
		if aerr := a.Answer(ctx); aerr != nil {
			won.Hangup(call.CauseOriginatorCancel)
			return nil, call.CauseOf(aerr, call.CauseOriginatorCancel)
		}
	}
	return won, nil
}

// awaitResult takes the next result while the A leg is served; false when the
// call is off.
func awaitResult[T any](ctx context.Context, a *call.Channel, results chan T, signal chan struct{}) (T, bool) {
	var zero T
	if a == nil {
		select {
		case r := <-results:
			return r, true
		case <-ctx.Done():
			return zero, false
		}
	}
	moved := make(chan T, 1)
	stop := make(chan struct{})
	defer close(stop)
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case r := <-results:
			moved <- r
		case <-stop:
		}
	}()
	for {
		err := a.Wait(ctx, done, call.WaitOptions{})
		if err == nil {
			return <-moved, true
		}
		if !errors.Is(err, call.ErrBreak) {
			return zero, false
		}
	}
}

// settings are the variables that steer an originate: those of the dial string,
// else the A leg's.
type settings struct {
	own *call.Vars
	a   *call.Channel
}

func newSettings(a *call.Channel, shared []call.Var) *settings {
	return &settings{own: call.NewVars(shared...), a: a}
}

func (s *settings) get(name string) string {
	if v, ok := s.own.Lookup(name); ok {
		return v
	}
	if s.a != nil {
		return s.a.Get(name)
	}
	return ""
}

func (s *settings) on(name string) bool { return call.True(s.get(name)) }

func (s *settings) number(name string, otherwise int) int {
	text := strings.TrimSpace(s.get(name))
	if text == "" {
		return otherwise
	}
	if n, err := strconv.Atoi(text); err == nil {
		return n
	}
	return otherwise
}

func (s *settings) seconds(name string) time.Duration {
	return time.Duration(max(s.number(name, 0), 0)) * time.Second
}

func vars(list []dialstring.Var) []call.Var {
	out := make([]call.Var, len(list))
	for i, v := range list {
		out[i] = call.Var{Name: v.Name, Value: v.Value}
	}
	return out
}

// inherited are the A leg's variables that export_vars names.
func inherited(a *call.Channel) []call.Var {
	var out []call.Var
	for _, name := range strings.Split(a.Get("export_vars"), ",") {
		if v := a.Get(name); name != "" && v != "" {
			out = append(out, call.Var{Name: strings.TrimPrefix(name, "nolocal:"), Value: v})
		}
	}
	return out
}

// callerOf is the caller id that the A leg shows: its effective one, else its own.
func callerOf(a *call.Channel, o Options) (name, number string) {
	p := a.Profile()
	name, number = p.CallerName, p.CallerNumber
	if v := a.Get("effective_caller_id_name"); v != "" {
		name = v
	}
	if v := a.Get("effective_caller_id_number"); v != "" {
		number = v
	}
	if o.CallerName != "" {
		name = o.CallerName
	}
	if o.CallerNumber != "" {
		number = o.CallerNumber
	}
	return name, number
}

// push appends to an array variable of the A leg.
func push(a *call.Channel, name, value string) {
	if a != nil {
		a.Set(name, expand.Push(a.Get(name), value))
	}
}
