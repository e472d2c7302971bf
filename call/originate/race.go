package originate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/dialstring"
	"github.com/switchlet/switchlet/call/event"
)

// race is one alternative: legs that ring at the same time.
type race struct {
	sw       *call.Switch
	opts     Options
	settings *settings
	shared   []call.Var // of {} and <>

	legs     []*leg
	signal   chan struct{}
	causes   []call.Cause // of failures, in order
	timedOut bool
	stopBack func()
	ringing  bool
	early    *call.Channel // whose early media the A leg hears (bridge_early_media)
}

// leg is one runner.
type leg struct {
	c         *call.Channel
	vars      *call.Vars
	stop      func() // ends the notification
	deadline  time.Time
	progress  time.Time
	confirm   confirmState
	confirmed chan bool
	start     time.Time // of a leg that is still to be called (leg_delay_start)
	required  bool      // its end is that of all legs (leg_required)
	free      bool      // it may be confirmed after the time for all legs is over
}

// run starts the legs and returns the winner.
func (r *race) run(ctx context.Context, list []dialstring.Leg) (*call.Channel, error) {
	r.signal = make(chan struct{}, 1)
	r.stopBack = func() {}
	defer func() {
		r.stopBack()
		r.unhear()
		for _, l := range r.legs {
			l.stop()
		}
	}()
	if ms := r.settings.number("originate_delay_start", 0); ms > 0 && !idle(ctx, r.opts.Originator, time.Duration(ms)*time.Millisecond) {
		return nil, call.CauseOriginatorCancel
	}
	timeout := r.timeout()
	for _, l := range list {
		if err := r.begin(ctx, l, timeout, 0); err != nil {
			r.failed(l.Endpoint, err)
			if r.fatal(call.CauseOf(err, call.CauseDestinationOutOfOrder)) {
				r.drop(nil, call.CauseLoseRace)
				return nil, err
			}
		}
	}
	if len(r.legs) == 0 {
		return nil, r.cause()
	}
	if a := r.opts.Originator; a != nil && a.Get("ringback") != "" && r.settings.on("instant_ringback") {
		r.ring(ctx)
	}
	return r.watch(ctx, time.Now().Add(timeout))
}

// begin makes and starts one leg, or the legs that an expanding endpoint stands
// for.
func (r *race) begin(ctx context.Context, l dialstring.Leg, timeout time.Duration, depth int) error {
	ep := r.sw.Endpoint(l.Endpoint)
	if ep == nil {
		return call.CauseChanNotImplemented
	}
	a := r.opts.Originator
	legVars := r.merge(vars(l.Vars))
	req := &call.DialRequest{Data: l.Data, Vars: legVars, Originator: a, UUID: legVars.Get("origination_uuid"),
		Timeout: int(timeout / time.Second), Caller: r.caller(legVars, l.Vars)}
	if x, ok := ep.(call.Expander); ok {
		return r.beginExpanded(ctx, x, req, l, timeout, depth)
	}
	if req.UUID != "" && r.sw.Find(req.UUID) != nil {
		r.sw.Log.Printf(call.LogCrit, "%s is in use, using a new UUID", req.UUID)
		req.UUID = ""
	}
	c, err := ep.Dial(ctx, r.sw, req)
	if err != nil {
		return err
	}
	r.dress(c, legVars, l.Endpoint)
	if id := legVars.Get("origination_external_id"); id != "" && !c.SetExternalID(id) {
		c.Log(call.LogWarning, "Duplicate External ID!")
	}
	runner := &leg{c: c, vars: legVars, confirmed: make(chan bool, 1), required: legVars.True("leg_required")}
	now := time.Now()
	if s := seconds(legVars.Get("leg_delay_start")); s > 0 {
		now = now.Add(time.Duration(s) * time.Second)
		runner.start = now
	}
	if s := seconds(legVars.Get("leg_timeout")); s > 0 {
		runner.deadline = now.Add(time.Duration(s) * time.Second)
	}
	if s := seconds(legVars.Get("leg_progress_timeout")); s > 0 {
		runner.progress = now.Add(time.Duration(s) * time.Second)
	}
	runner.stop = c.NotifyMarks(r.signal)
	r.legs = append(r.legs, runner)
	c.Fire(event.ChannelOutgoing, nil, nil)
	p := c.Profile()
	push(a, "originated_legs", c.UUID()+";"+p.CalleeName+";"+p.CalleeNumber)
	if runner.start.IsZero() {
		c.Start()
	}
	return nil
}

// beginExpanded starts what user/ or group/ stands for.
func (r *race) beginExpanded(ctx context.Context, x call.Expander, req *call.DialRequest, l dialstring.Leg, timeout time.Duration, depth int) error {
	if depth > maxDepth {
		return call.CauseInvalidIEContents
	}
	text, extra, err := x.Expand(ctx, r.sw, req)
	if err != nil {
		return err
	}
	d, err := dialstring.Parse(text)
	if err != nil {
		r.sw.Log.Printf(call.LogErr, "Parse Error! %v in [%s]", err, text)
		return call.CauseDestinationOutOfOrder
	}
	var last error = call.CauseDestinationOutOfOrder
	started := false
	for _, g := range d.Groups {
		for _, alternative := range g.Alternatives {
			for _, inner := range alternative {
				var all []dialstring.Var
				for _, v := range extra {
					all = append(all, dialstring.Var{Name: v.Name, Value: v.Value})
				}
				all = append(all, d.Global...)
				all = append(all, g.Vars...)
				all = append(all, l.Vars...)
				inner.Vars = append(all, inner.Vars...)
				if err := r.begin(ctx, inner, timeout, depth+1); err != nil {
					last = err
				} else {
					started = true
				}
			}
			if started {
				break
			}
		}
	}
	if started {
		return nil
	}
	return last
}

func (r *race) failed(endpoint string, err error) {
	cause := call.CauseOf(err, call.CauseDestinationOutOfOrder)
	r.causes = append(r.causes, cause)
	r.sw.Log.Printf(call.LogNotice, "Cannot create outgoing channel of type [%s] cause: [%s]", endpoint, cause)
}

// cause is why the alternative failed: that of the last failure.
func (r *race) cause() call.Cause {
	if len(r.causes) == 0 {
		return call.CauseDestinationOutOfOrder
	}
	return r.causes[len(r.causes)-1]
}

// fatal reports whether one leg's failure ends the race (fail_on_single_reject).
func (r *race) fatal(cause call.Cause) bool {
	v := r.settings.get("fail_on_single_reject")
	if v == "" {
		return false
	}
	if call.True(v) {
		return true
	}
	list, not := strings.CutPrefix(v, "!")
	for _, name := range strings.Split(list, ",") {
		if strings.EqualFold(strings.TrimSpace(name), cause.String()) {
			return !not
		}
	}
	return not
}

// end hangs the leg up, which goes through the end of its life even if it was never
// called.
func (l *leg) end(cause call.Cause) {
	l.c.Hangup(cause)
	l.c.Start()
}

// drop hangs up all legs but one.
func (r *race) drop(keep *leg, cause call.Cause) {
	for _, l := range r.legs {
		if l != keep {
			l.end(cause)
		}
	}
}

// watch waits for a winner.
func (r *race) watch(ctx context.Context, deadline time.Time) (*call.Channel, error) {
	a := r.opts.Originator
	var progressBy time.Time
	if d := r.settings.seconds("progress_timeout"); d > 0 {
		progressBy = time.Now().Add(d)
	}
	for {
		if won, err := r.look(ctx); won != nil || err != nil {
			return won, err
		}
		now := time.Now()
		if !now.Before(deadline) {
			r.timedOut = true
			if !r.expire() {
				return nil, call.CauseNoAnswer
			}
			deadline = now.Add(confirmLimit)
			continue
		}
		next := deadline
		if !progressBy.IsZero() && !r.ringing {
			if !now.Before(progressBy) {
				r.drop(nil, call.CauseProgressTimeout)
				return nil, call.CauseProgressTimeout
			}
			next = earlier(next, progressBy)
		}
		next = r.legLimits(now, r.startDelayed(now, next))
		t := time.AfterFunc(time.Until(next), r.wake)
		err := r.await(ctx, a)
		t.Stop()
		if err != nil && !errors.Is(err, call.ErrBreak) {
			cause := call.CauseOriginatorCancel
			if errors.Is(err, call.CauseLoseRace) {
				cause = call.CauseLoseRace
			}
			r.drop(nil, cause)
			return nil, cause
		}
	}
}

func (r *race) wake() {
	select {
	case r.signal <- struct{}{}:
	default:
	}
}

func (r *race) await(ctx context.Context, a *call.Channel) error {
	if a != nil {
		return a.Wait(ctx, r.signal, call.WaitOptions{})
	}
	select {
	case <-r.signal:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// look examines every leg once.
func (r *race) look(ctx context.Context) (*call.Channel, error) {
	left := r.legs[:0]
	for _, l := range r.legs {
		c := l.c
		switch {
		case !c.Up():
			l.stop()
			c.Start() // hung up before it was called, it still has to end
			r.causes = append(r.causes, c.Cause())
			push(r.opts.Originator, "originate_causes", c.UUID()+";"+c.Cause().String())
			if l.required {
				r.drop(l, c.Cause())
				return nil, c.Cause()
			}
			if r.fatal(c.Cause()) {
				r.drop(l, call.CauseLoseRace)
				if a := r.opts.Originator; a != nil && r.settings.on("hangup_on_single_reject") {
					a.Hangup(c.Cause())
				}
				return nil, c.Cause()
			}
			continue
		case !c.Settled():
		case c.Answered():
			if r.confirm(l) {
				return r.win(ctx, l)
			}
		case c.Early() && r.confirmKey(l) != "":
			if (c.EarlyAllowed() || r.settings.on("group_confirm_early_ok")) && r.confirm(l) {
				return r.win(ctx, l)
			}
			r.ring(ctx)
		case c.Early() && (c.EarlyAllowed() || r.earlyCounts(c)):
			return r.win(ctx, l)
		case c.Early() && r.bridgesEarly():
			r.hear(ctx, c)
		case c.Ringing() || c.Early():
			r.ring(ctx)
			if r.settings.on("return_ring_ready") {
				return r.win(ctx, l)
			}
		}
		left = append(left, l)
	}
	r.legs = left
	if len(left) == 0 {
		return nil, r.cause()
	}
	return nil, nil
}

// substitute is a leg whose place another channel takes when it wins (endpoint
// pickup).
type substitute interface {
	Substitute() *call.Channel
}

// inheritCodec has the A leg, which has no sound yet, take the codec of the leg that
// won, if inherit_codec says so and its far end speaks it, too.
func inheritCodec(a, won *call.Channel) {
	f, _ := won.Formats()
	if v := a.Get("inherit_codec"); !call.True(v) && !strings.EqualFold(v, "passthru") || a.MediaReady() || f.IsZero() {
		return
	}
	own := a.Get("ep_codec_string")
	if !strings.Contains(strings.ToLower(own), strings.ToLower(f.Codec.Name)) {
		a.Log(call.LogDebug, "inherit_codec: %s is not among %s", f.Codec.Name, own)
		return
	}
	a.Set("absolute_codec_string", fmt.Sprintf("%s@%dh@%di", f.Codec.Name, f.Codec.ClockRate, f.Ptime))
}

// win ends the race for the others and brings the A leg to the same stage.
func (r *race) win(ctx context.Context, l *leg) (*call.Channel, error) {
	for _, other := range r.legs {
		if other != l {
			other.c.Set("group_dial_status", "loser")
		}
	}
	r.drop(l, call.CauseLoseRace)
	r.stopBack()
	r.unhear()
	a := r.opts.Originator
	push(a, "originate_causes", l.c.UUID()+";NONE")
	if s, ok := l.c.Leg().(substitute); ok && s.Substitute() != nil {
		l.c.Hangup(call.CausePickedOff)
		s.Substitute().Set("picked_up_uuid", l.c.UUID())
		l = &leg{c: s.Substitute(), stop: func() {}}
		l.c.RunHooks("pickup")
	}
	if !l.c.Answered() && l.c.Early() {
		l.c.Set("originate_early_media", "true")
	}
	if a == nil {
		return l.c, nil
	}
	if l.c.Ringing() && !a.MediaReady() {
		a.RingReady(ctx)
	}
	inheritCodec(a, l.c)
	var err error
	if l.c.Answered() {
		err = a.Answer(ctx)
	} else {
		err = a.PreAnswer(ctx)
	}
	if err != nil {
		l.c.Hangup(call.CauseOriginatorCancel)
		return nil, call.CauseOf(err, call.CauseOriginatorCancel)
	}
	return l.c, nil
}
