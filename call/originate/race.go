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

// legLimits ends legs whose own time is over and returns the next moment of
// interest.
func (r *race) legLimits(now, next time.Time) time.Time {
	for _, l := range r.legs {
		if !l.c.Up() {
			continue
		}
		if !l.deadline.IsZero() {
			if !now.Before(l.deadline) {
				l.end(call.CauseAllottedTimeout)
				continue
			}
			next = earlier(next, l.deadline)
		}
		if !l.progress.IsZero() && !l.c.Ringing() && !l.c.MediaReady() {
			if !now.Before(l.progress) {
				l.end(call.CauseProgressTimeout)
				continue
			}
			next = earlier(next, l.progress)
		}
	}
	return next
}

// confirmLimit bounds how long a callee may think about the key of a group
// confirmation that group_confirm_cancel_timeout gives all the time.
const confirmLimit = 24 * time.Hour

// expire ends the legs whose time is over and reports whether any may go on.
func (r *race) expire() bool {
	left := false
	for _, l := range r.legs {
		if l.free && l.c.Up() {
			left, l.free = true, false // until confirmLimit
			continue
		}
		l.end(call.CauseNoAnswer)
	}
	return left
}

// startDelayed calls the legs whose leg_delay_start is over, and the first of them at
// once when no other is left; it returns when to look again, next at the latest.
func (r *race) startDelayed(now, next time.Time) time.Time {
	var first time.Time
	active := false
	for _, l := range r.legs {
		switch {
		case l.start.IsZero():
			active = active || l.c.Up()
		case first.IsZero() || l.start.Before(first):
			first = l.start
		}
	}
	if first.IsZero() {
		return next
	}
	ahead := time.Duration(0)
	if !active && first.After(now) {
		ahead = first.Sub(now)
	}
	for _, l := range r.legs {
		if l.start.IsZero() {
			continue
		}
		l.start = l.start.Add(-ahead)
		for _, t := range [...]*time.Time{&l.deadline, &l.progress} {
			if !t.IsZero() {
				*t = t.Add(-ahead)
			}
		}
		if now.Before(l.start) {
			next = earlier(next, l.start)
			continue
		}
		l.start = time.Time{}
		l.c.Start()
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

func (r *race) earlyCounts(c *call.Channel) bool {
	switch v := r.settings.get("ignore_early_media"); {
	case r.bridgesEarly():
		return false
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
	key := r.confirmKey(l)
	if key == "" {
		return true
	}
	ask := confirmation{key: key, file: r.legSetting(l, "group_confirm_file"), failure: r.legSetting(l, "group_confirm_error_file"), wait: 5 * time.Second}
	if ms, err := strconv.Atoi(r.legSetting(l, "group_confirm_read_timeout")); err == nil && ms > 0 {
		ask.wait = time.Duration(min(ms, int(confirmLimit/time.Millisecond))) * time.Millisecond
	}
	switch l.confirm {
	case unconfirmed:
		l.confirm = confirming
		r.extend(l)
		wake := r.wake
		l.c.Post(&call.Message{Run: func(ctx context.Context, c *call.Channel) {
			l.confirmed <- ask.run(ctx, c)
			wake()
		}})
		return false
	case confirming:
		select {
		case ok := <-l.confirmed:
			if !ok {
				l.end(call.CauseNormalClearing)
				return false
			}
			l.confirm = confirmed
			l.c.Set("group_dial_status", "winner")
			for _, name := range [...]string{"key", "file", "error_file", "cancel_timeout", "read_timeout"} {
				l.c.Set("group_confirm_"+name, "") // a call that this leg makes is not to be confirmed
			}
			return true
		default:
			return false
		}
	}
	return true
}

// confirmKey is the key that a callee confirms with, "exec", or "" for none.
func (r *race) confirmKey(l *leg) string { return r.legSetting(l, "group_confirm_key") }

// legSetting is a variable of the leg, else of all legs or the A leg.
func (r *race) legSetting(l *leg, name string) string {
	v := l.vars.Get(name)
	if v == "" {
		v = r.settings.get(name)
	}
	if strings.EqualFold(v, "undef") {
		return ""
	}
	return v
}

// extend gives a leg that is asked to confirm the time of group_confirm_timeout
// (seconds, 0 for no limit), or all the time with group_confirm_cancel_timeout.
func (r *race) extend(l *leg) {
	text := r.legSetting(l, "group_confirm_timeout")
	n, err := strconv.ParseInt(text, 10, 32)
	switch {
	case err == nil && n > 0:
		l.deadline, l.free = time.Now().Add(time.Duration(n)*time.Second), true
	case err == nil && n == 0, text == "" && call.True(r.legSetting(l, "group_confirm_cancel_timeout")):
		l.deadline, l.free = time.Time{}, true
	default:
		return
	}
	l.progress = time.Time{}
}

// confirmation is what a callee is asked for.
type confirmation struct {
	key, file, failure string
	wait               time.Duration
}

// run asks until the key is pressed; false if it never was.
func (q confirmation) run(ctx context.Context, c *call.Channel) bool {
	if strings.EqualFold(q.key, "exec") {
		app, args, _ := strings.Cut(q.file, " ")
		c.Execute(ctx, app, args)
		return c.Up()
	}
	for c.Ready() && ctx.Err() == nil {
		digits, _ := c.ReadDigits(ctx, call.ReadOptions{Min: len(q.key), Max: len(q.key), File: q.file, Timeout: q.wait})
		if digits == q.key {
			return true
		}
		if q.failure != "" && c.Ready() {
			if _, err := c.Play(ctx, q.failure, call.PlayOptions{}); err != nil {
				c.Log(call.LogErr, "group_confirm_error_file %s: %v", q.failure, err)
				q.failure = ""
			}
		}
	}
	return false
}

// bridgesEarly reports whether the A leg is to hear early media while the legs race.
func (r *race) bridgesEarly() bool {
	return r.opts.Originator != nil && r.settings.on("bridge_early_media")
}

// hear lets the A leg hear the early media of the first leg that has some.
func (r *race) hear(ctx context.Context, c *call.Channel) {
	a := r.opts.Originator
	if r.early != nil || !c.MediaReady() {
		return
	}
	if err := a.PreAnswer(ctx); err != nil {
		return
	}
	r.stopBack()
	r.ringing, r.early = true, c
	if err := a.Hear(c); err != nil {
		a.Log(call.LogErr, "Cannot join %s and %s: %v", a.Name(), c.Name(), err)
	}
}

// unhear ends what hear began.
func (r *race) unhear() {
	if a := r.opts.Originator; a != nil && r.early != nil && a.Port().Peer() == r.early.Port() {
		a.Port().Leave()
	}
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
