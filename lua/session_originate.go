package lua

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	glua "github.com/yuin/gopher-lua"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/originate"
	"github.com/switchlet/switchlet/media"
)

// originateTimeout bounds the calls that freeswitch.Session makes.
const originateTimeout = 60 * time.Second

// settleLimit bounds the wait for a channel to change its state.
const settleLimit = 5 * time.Second

// originateMethods make calls and join them.
func originateMethods() []method {
	return []method{
		{name: "originate", owner: "LUA::Session", signature: "Cs|i", alternates: []string{"s|i"}, run: sessionOriginate},
		{name: "waitForAnswer", owner: coreSession, signature: "|C", run: live(nil, sessionWaitForAnswer)},
	}
}

// newSession is the constructor of freeswitch.Session.
func newSession(a *arguments) any {
	x := &session{s: a.s}
	x.ud = a.s.wrap(a.s.host.by.session, x)
	if a.n == 0 || a.isNil(0) {
		return x.ud
	}
	target := a.str(0)
	if !strings.Contains(target, "/") {
		if ch := a.s.host.sw.Find(target); ch != nil {
			x.join(ch)
			return x.ud
		}
	}
	x.dial(a.session(1), target, originateTimeout)
	return x.ud
}

// join attaches to a channel that is there already. It is not hung up when the
// script ends.
func (x *session) join(ch *call.Channel) {
	if own := x.s.session; own != nil && own.ch == ch {
		x.own, x.ctx = true, own.ctx
	}
	x.attach(ch)
	if x.s.global(ch.UUID()) == glua.LNil {
		x.s.setGlobal(ch.UUID(), x.ud)
	}
}

// dial makes the call. a may be nil. It reports the call's cause.
func (x *session) dial(a *session, target string, timeout time.Duration) call.Cause {
	x.made = true
	sw := x.s.host.sw
	o := originate.Options{Timeout: timeout}
	var ch *call.Channel
	var err error
	place := func(ctx context.Context, originator *call.Channel) error {
		o.Originator = originator
		ch, err = originate.Dial(ctx, sw, target, o)
		return nil
	}
	if a != nil && a.alive() {
		if derr := a.do(place); derr != nil && err == nil && ch == nil {
			err = call.CauseOriginatorCancel
		}
	} else {
		end := x.s.rest()
		place(x.s.ctx, nil)
		end()
	}
	if err != nil {
		x.cause = call.CauseOf(err, call.CauseDestinationOutOfOrder)
		return x.cause
	}
	x.cause = call.CauseSuccess
	x.autoHangup = true
	if a != nil && a.alive() && ch.Get("originator") == "" {
		ch.Set("originator", a.ch.UUID())
	}
	x.attach(ch)
	settle(x.s.ctx, ch)
	x.s.setGlobal(ch.UUID(), x.ud)
	return x.cause
}

// settle takes a channel that was just made out of what it does and waits until
// it is in CS_SOFT_EXECUTE, where it does what the script asks for.
func settle(ctx context.Context, ch *call.Channel) {
	signal := make(chan struct{}, 1)
	defer ch.Notify(signal)()
	arrived := make(chan struct{})
	if ch.Take(func(context.Context, *call.Channel) { close(arrived) }) != nil {
		return
	}
	limit := time.NewTimer(settleLimit)
	defer limit.Stop()
	select {
	case <-arrived:
	case <-ch.Done():
	case <-ctx.Done():
	case <-limit.C:
	}
}

// sessionOriginate is new_session:originate(a_leg, destination, seconds). Older
// scripts call new_session.originate(a_leg, destination[, seconds]): the object
// that the method was read from is then not the one it is called with.
func sessionOriginate(a *arguments) int {
	x, from, first := a.self.(*session), a.session(0), 1
	if isText(a.value(0)) {
		from, first = x, 0
		if x = a.s.readFrom; x == nil || x == from {
			a.s.raise(a.L, "Error in LUA::Session::originate (arg 2), expected 'CoreSession *' got 'string'")
		}
	}
	target := a.str(first)
	if target == "" {
		x.log(call.LogErr, "Missing destination.\n")
		return a.pushInt(0)
	}
	if x.own {
		x.log(call.LogErr, "the script's own call cannot be made anew\n")
		return a.pushInt(1)
	}
	timeout := time.Duration(a.num(first+1, int(originateTimeout/time.Second))) * time.Second
	x.finalize()
	x.destroyed, x.ch = false, nil
	if cause := x.dial(from, target, timeout); cause != call.CauseSuccess {
		x.log(call.LogWarning, fmt.Sprintf("Error Creating Outgoing Channel! [%s]\n", target))
		return a.pushInt(1)
	}
	return a.pushInt(0)
}

// sessionWaitForAnswer waits until the session is answered, or one of the two
// calls ends.
func sessionWaitForAnswer(a *arguments, x *session) int {
	other := a.session(0)
	signal := make(chan struct{}, 1)
	defer x.ch.Notify(signal)()
	if other == nil || !other.alive() || other == x {
		defer a.s.rest()()
		for !x.ch.Answered() && x.ch.Up() {
			select {
			case <-signal:
			case <-a.s.ctx.Done():
				return 0
			}
		}
		return 0
	}
	other.do(func(ctx context.Context, ch *call.Channel) error {
		for !x.ch.Answered() && x.ch.Up() {
			if err := ch.Wait(ctx, signal, call.WaitOptions{}); err != nil && !errors.Is(err, call.ErrBreak) {
				return err
			}
		}
		return nil
	})
	return 0
}

// bridge joins two sessions until one of them leaves. A call of the script's own
// goroutine is always the A leg, whose messages are served meanwhile.
func bridge(L *glua.LState, a, b *session) {
	if b.own && !a.own {
		a, b = b, a
	}
	if !a.alive() || !b.alive() || !a.ch.Ready() || !b.ch.Ready() {
		a.log(call.LogErr, "Channels not ready\n")
		return
	}
	err := a.do(func(ctx context.Context, ch *call.Channel) error {
		if err := ch.PreAnswer(ctx); err != nil && !ch.MediaReady() {
			return err
		}
		if a.callback != "" {
			defer a.watchDigits(L, b)()
		}
		return ch.Bridge(ctx, b.ch)
	})
	if errors.Is(err, call.ErrNotReady) {
		a.log(call.LogErr, "Channels not ready\n")
	}
	if b.ch.Up() && b.ch.Ready() && !b.own && b.ch.State() == call.StatePark {
		settle(a.s.ctx, b.ch)
	}
}

// interceptName is under which scripts see digits before applications do.
const interceptName = "lua"

// watchDigits has a's input callback see the digits of both legs of a bridge,
// until the returned function is called. A result that does not go on takes b out
// of the bridge.
func (a *session) watchDigits(L *glua.LState, b *session) (stop func()) {
	show := func(d media.Digit) bool {
		a.ch.Post(&call.Message{Run: func(context.Context, *call.Channel) {
			if a.input(L, "dtmf", a.digitTable(d)).verb != goOn {
				b.ch.ParkFrom()
			}
		}})
		return false
	}
	a.ch.Intercept(interceptName, show)
	b.ch.Intercept(interceptName, show)
	return func() {
		a.ch.Intercept(interceptName, nil)
		b.ch.Intercept(interceptName, nil)
	}
}
