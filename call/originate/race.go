package originate

import (
	"context"
	"errors"
	"fmt"
	"strconv"
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
}

type confirmState int

const (
	unconfirmed confirmState = iota
	confirming
	confirmed
)

// run starts the legs and returns the winner.
func (r *race) run(ctx context.Context, list []dialstring.Leg) (*call.Channel, error) {
	r.signal = make(chan struct{}, 1)
	r.stopBack = func() {}
	defer func() {
		r.stopBack()
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

func (r *race) timeout() time.Duration {
	if d := r.settings.seconds("originate_timeout"); r.settings.own.Get("originate_timeout") != "" && d > 0 {
		return d
	}
	if r.opts.Timeout > 0 {
		return r.opts.Timeout
	}
	if d := r.settings.seconds("call_timeout"); d > 0 {
		return d
	}
	return DefaultTimeout
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
	runner := &leg{c: c, vars: legVars, confirmed: make(chan bool, 1)}
	now := time.Now()
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
	c.Start()
	return nil
}

// seconds reads a time limit; 0: none, or no number of seconds that an int32 can hold.
func seconds(text string) int {
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0
	}
	return int(n)
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

// merge puts the variables of a leg together. For a name in both sets {} wins,
// unless local_var_clobber asks for the opposite.
func (r *race) merge(own []call.Var) *call.Vars {
	v := call.NewVars()
	set := func(list []call.Var) {
		for _, x := range list {
			v.Set(x.Name, x.Value)
		}
	}
	if a := r.opts.Originator; a != nil {
		set(inherited(a))
	}
	if r.settings.on("local_var_clobber") {
		set(r.shared)
		set(own)
	} else {
		set(own)
		set(r.shared)
	}
	return v
}

// caller makes the caller profile of a new leg; origination_* of [] win here.
func (r *race) caller(merged *call.Vars, own []dialstring.Var) call.Profile {
	get := func(name string) string {
		for _, v := range own {
			if strings.EqualFold(v.Name, name) {
				return v.Value
			}
		}
		return merged.Get(name)
	}
	var p call.Profile
	if a := r.opts.Originator; a != nil {
		ap := a.Profile()
		p.Username, p.ANI, p.ANIII, p.NetworkAddr = ap.Username, ap.ANI, ap.ANIII, ap.NetworkAddr
		p.HideName, p.HideNumber, p.ScreenBit = ap.HideName, ap.HideNumber, ap.ScreenBit
		p.CallerName, p.CallerNumber = callerOf(a, r.opts)
		p.Context = ap.Context
	} else {
		p.CallerName, p.CallerNumber = r.opts.CallerName, r.opts.CallerNumber
		p.Context, p.ScreenBit = "default", true
		if p.CallerNumber == "" {
			p.CallerNumber = "0000000000"
		}
	}
	for _, f := range []struct {
		name string
		to   *string
	}{
		{"origination_caller_id_name", &p.CallerName}, {"origination_caller_id_number", &p.CallerNumber},
		{"origination_callee_id_name", &p.CalleeName}, {"origination_callee_id_number", &p.CalleeNumber},
		{"origination_ani", &p.ANI}, {"origination_aniii", &p.ANIII},
	} {
		if v := get(f.name); v != "" && !strings.EqualFold(v, "undef") {
			*f.to = v
		}
	}
	if r.opts.Originator == nil && p.ANI == "" {
		p.ANI = p.CallerNumber
	}
	for _, word := range strings.FieldsFunc(get("origination_privacy"), func(c rune) bool { return c == ':' || c == '+' || c == ' ' }) {
		switch strings.ToLower(word) {
		case "hide_name":
			p.HideName = true
		case "hide_number":
			p.HideNumber = true
		case "screen":
			p.ScreenBit = true
		}
	}
	return p
}

// dress sets the leg's variables and its relation to the A leg.
func (r *race) dress(c *call.Channel, v *call.Vars, endpoint string) {
	nested := v.True("origination_nested_vars") || call.True(r.sw.Globals.Get("origination_nested_vars"))
	for _, x := range v.All() {
		if strings.Contains(x.Value, "${") && !nested {
			c.Log(call.LogCrit, "Invalid data (${%s} contains a variable)", x.Name)
			c.Set(x.Name, "") // the endpoint may have set it, with what is harmless of it
			continue
		}
		c.Set(x.Name, x.Value)
	}
	if name := v.Get("origination_channel_name"); name != "" {
		c.SetName(name)
	}
	c.UpdateProfile(func(p *call.Profile) {
		if p.CalleeName == "" {
			p.CalleeName = "Outbound Call"
		}
		if p.CalleeNumber == "" {
			p.CalleeNumber = p.Destination
		}
	})
	c.Set("originate_endpoint", endpoint)
	if a := r.opts.Originator; a != nil {
		c.SetOther("originator", a.Profile())
		a.SetOther("originatee", c.Profile())
		c.Set("originating_leg_uuid", a.UUID())
		c.Set("originator", a.UUID())
		c.Set("call_uuid", a.UUID())
		c.Set("signal_bond", a.UUID())
	}
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

// drop hangs up all legs but one.
func (r *race) drop(keep *leg, cause call.Cause) {
	for _, l := range r.legs {
		if l != keep {
			l.c.Hangup(cause)
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
			r.drop(nil, call.CauseNoAnswer)
			return nil, call.CauseNoAnswer
		}
		next := deadline
		if !progressBy.IsZero() && !r.ringing {
			if !now.Before(progressBy) {
				r.drop(nil, call.CauseProgressTimeout)
				return nil, call.CauseProgressTimeout
			}
			next = earlier(next, progressBy)
		}
		next = r.legLimits(now, next)
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

// legLimits ends legs whose own time is over and returns the next moment of
// interest.
func (r *race) legLimits(now, next time.Time) time.Time {
	for _, l := range r.legs {
		if !l.c.Up() {
			continue
		}
		if !l.deadline.IsZero() && !l.c.Answered() {
			if !now.Before(l.deadline) {
				l.c.Hangup(call.CauseAllottedTimeout)
				continue
			}
			next = earlier(next, l.deadline)
		}
		if !l.progress.IsZero() && !l.c.Ringing() && !l.c.MediaReady() {
			if !now.Before(l.progress) {
				l.c.Hangup(call.CauseProgressTimeout)
				continue
			}
			next = earlier(next, l.progress)
		}
	}
	return next
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// look examines every leg once.
func (r *race) look(ctx context.Context) (*call.Channel, error) {
	left := r.legs[:0]
	for _, l := range r.legs {
		c := l.c
		switch {
		case !c.Up():
			l.stop()
			r.causes = append(r.causes, c.Cause())
			push(r.opts.Originator, "originate_causes", c.UUID()+";"+c.Cause().String())
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
		case c.Early() && (c.EarlyAllowed() || r.earlyCounts(c)):
			return r.win(ctx, l)
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

func (r *race) earlyCounts(c *call.Channel) bool {
	switch v := r.settings.get("ignore_early_media"); {
	case v == "", strings.EqualFold(v, "false"):
		return c.MediaReady()
	}
	return false
}

// ring passes ringing on to the A leg: as the sound that its variable ringback
// names (transfer_ringback, once it is answered), for which its early media is
// opened, else as a signal.
func (r *race) ring(ctx context.Context) {
	if r.ringing {
		return
	}
	r.ringing = true
	a := r.opts.Originator
	if a == nil {
		return
	}
	tone := a.Get("ringback")
	if v := a.Get("transfer_ringback"); a.Answered() && v != "" {
		tone = v
	}
	if !a.MediaReady() && (tone == "" || a.PreAnswer(ctx) != nil) {
		if !r.settings.on("ignore_ring_ready") {
			a.RingReady(ctx)
		}
		return
	}
	if tone == "" || strings.EqualFold(tone, "silence") {
		return
	}
	if strings.HasPrefix(tone, "%(") {
		tone = "tone_stream://" + tone + ";loops=-1"
	}
	if stop, err := a.PlayBehind(ctx, tone); err == nil {
		r.stopBack = stop
	} else {
		a.Log(call.LogErr, "ringback %s: %v", tone, err)
	}
}

// confirm asks an answered leg for the key of group_confirm_key; true when there
// is nothing to ask or it was pressed.
func (r *race) confirm(l *leg) bool {
	key := r.settings.get("group_confirm_key")
	if v := l.vars.Get("group_confirm_key"); v != "" {
		key = v
	}
	if key == "" {
		return true
	}
	file := l.vars.Get("group_confirm_file")
	if file == "" {
		file = r.settings.get("group_confirm_file")
	}
	switch l.confirm {
	case unconfirmed:
		l.confirm = confirming
		wake := r.wake
		l.c.Post(&call.Message{Run: func(ctx context.Context, c *call.Channel) {
			l.confirmed <- askConfirm(ctx, c, key, file)
			wake()
		}})
		return false
	case confirming:
		select {
		case ok := <-l.confirmed:
			if !ok {
				l.c.Hangup(call.CauseNormalClearing)
				return false
			}
			l.confirm = confirmed
			l.c.Set("group_dial_status", "winner")
			return true
		default:
			return false
		}
	}
	return true
}

// askConfirm runs in the leg's goroutine.
func askConfirm(ctx context.Context, c *call.Channel, key, file string) bool {
	if strings.EqualFold(key, "exec") {
		app, args, _ := strings.Cut(file, " ")
		c.Execute(ctx, app, args)
		return c.Up()
	}
	limit := 5 * time.Second
	if ms, err := strconv.Atoi(c.Get("group_confirm_read_timeout")); err == nil && ms > 0 {
		limit = time.Duration(ms) * time.Millisecond
	}
	for c.Ready() && ctx.Err() == nil {
		digits, _ := c.ReadDigits(ctx, call.ReadOptions{Min: len(key), Max: len(key), File: file, Timeout: limit})
		if digits == key {
			return true
		}
	}
	return false
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
	a := r.opts.Originator
	push(a, "originate_causes", l.c.UUID()+";NONE")
	if s, ok := l.c.Leg().(substitute); ok && s.Substitute() != nil {
		l.c.Hangup(call.CausePickedOff)
		l = &leg{c: s.Substitute(), stop: func() {}}
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
