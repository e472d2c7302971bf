package call

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/switchlet/switchlet/call/event"
)

// run is the channel's life, in its own goroutine.
func (c *Channel) run() {
	defer c.sw.live.Done()
	Roomy()
	for c.State() < StateHangup {
		c.step()
	}
	c.end()
}

// step enters the requested state and does its work once. A panic ends the call,
// not the switch.
func (c *Channel) step() {
	defer func() {
		if r := recover(); r != nil {
			c.sw.crashed("channel "+c.Name(), c.UUID(), r)
			c.Hangup(CauseNormalTemporaryFailure)
		}
	}()
	state, ctx := c.enter()
	if state >= StateHangup {
		return
	}
	if len(c.urgent) > 0 {
		c.settle()
	}
	c.serveUrgent(ctx)
	switch state {
	case StateNew:
		c.proceed(StateInit, nil)
	case StateInit:
		c.initialise(ctx)
	case StateRouting:
		c.route(ctx)
	case StateExecute:
		c.executeExtension(ctx)
	case StatePark:
		c.Park(ctx)
		if c.State() == StatePark && c.Up() {
			c.Hangup(CauseNormalClearing)
		}
	case StateExchangeMedia:
		c.exchange(ctx)
	case StateSoftExecute:
		c.mu.Lock()
		task := c.task
		c.task = nil
		c.mu.Unlock()
		if task != nil {
			task(ctx, c)
			return
		}
		fallthrough
	default:
		// Somebody else drives the channel: an originate (CONSUME_MEDIA), a bridge to come
		// or a script (SOFT_EXECUTE, HIBERNATE).
		for c.Wait(ctx, nil, WaitOptions{}) == ErrBreak {
		}
	}
}

// enter makes the requested state the running one, with a context that ends when
// the next state is requested, and fires the events of the change.
func (c *Channel) enter() (State, context.Context) {
	c.marking.Lock()
	defer c.marking.Unlock()
	c.mu.Lock()
	state, old := c.state, c.running
	c.running, c.served = state, c.requests
	if state < StateHangup {
		c.stateStop(ErrMoved)
		c.stateCtx, c.stateStop = context.WithCancelCause(c.ctx)
		c.redirected = false
	}
	ctx := c.stateCtx
	call := c.callState
	answered, early, held := c.answered, c.early, c.held
	c.mu.Unlock()
	defer c.entered(state)
	if old == state {
		return state, ctx
	}
	if !c.outbound && state > StateInit && state < StateHangup {
		switch {
		case state == StateRouting:
			c.setCallState(CallRinging)
		case held:
		case answered:
			c.setCallState(CallActive)
		case early && call != CallEarly:
			c.setCallState(CallEarly)
		}
	}
	c.Fire(event.ChannelState, nil, nil)
	if state == StateHangup {
		c.setCallState(CallHangup)
	}
	if state == StateRouting || state == StateHangup {
		c.presence("unknown", state.String(), "", presenceState)
	}
	return state, ctx
}

// entered tells those who watch of a state whose events are out.
func (c *Channel) entered(state State) {
	if state > StateRouting {
		c.settle()
	}
	c.signal(changedState)
}

// settle makes the channel Settled and tells those who watch marks, of which there
// may have been some before.
func (c *Channel) settle() {
	c.mu.Lock()
	marked := !c.settled && (c.ringing || c.early || c.answered)
	c.settled = true
	c.mu.Unlock()
	if marked {
		c.signal(changedMark)
	}
}

// Settled reports whether the channel's own beginning is over: its events up to
// CS_ROUTING and the state after that are out, or its first hooks run, which may
// take as long as they like. A far end can answer before that; who transfers the
// channel then takes states from it that others watch for.
func (c *Channel) Settled() bool { c.mu.Lock(); defer c.mu.Unlock(); return c.settled }

func (c *Channel) initialise(ctx context.Context) {
	if err := c.leg.Init(ctx, c); err != nil {
		c.Log(LogErr, "%s: %v", c.Name(), err)
		c.Hangup(CauseOf(err, CauseDestinationOutOfOrder))
	}
	c.proceed(StateRouting, nil)
	c.Fire(event.ChannelCreate, nil, nil)
	if c.outbound {
		c.Fire(event.ChannelOriginate, nil, nil)
		c.RunHooks("originate")
	}
	c.mu.Lock()
	after := c.afterInit
	c.afterInit = nil
	c.mu.Unlock()
	for _, fn := range after {
		fn()
	}
}

// AllowEarly lets an originate that waits for this leg take early media for
// success from now on (uuid_early_ok).
func (c *Channel) AllowEarly() {
	c.mu.Lock()
	c.earlyOK = true
	c.mu.Unlock()
	c.signal(changedMark)
}

// EarlyAllowed reports whether AllowEarly was called.
func (c *Channel) EarlyAllowed() bool { c.mu.Lock(); defer c.mu.Unlock(); return c.earlyOK }

// SetZombieExec lets the actions that are left run after the hang-up, those of
// them that can (set_zombie_exec).
func (c *Channel) SetZombieExec() { c.mu.Lock(); c.zombieExec = true; c.mu.Unlock() }

// AfterInit registers fn to run in the channel's goroutine when CS_INIT has told
// of the channel (CHANNEL_CREATE). Leg.Init calls it.
func (c *Channel) AfterInit(fn func()) {
	c.mu.Lock()
	c.afterInit = append(c.afterInit, fn)
	c.mu.Unlock()
}

// route finds an extension. An outbound leg without a dialplan waits for what
// its originate makes of it.
func (c *Channel) route(ctx context.Context) {
	c.mu.Lock()
	p := *c.profile().clone()
	ext := c.ext
	moved := c.requests != c.served
	c.mu.Unlock()
	if moved {
		return // p is of a transfer that came since the step began: the next step hunts for it
	}
	if c.outbound && p.Dialplan == "" && ext == nil {
		if p.Index > 1 && c.Answered() {
			c.Log(LogInfo, "No Dialplan on answered channel, changing state to HANGUP")
			c.Hangup(CauseNoRouteDestination)
			return
		}
		c.proceed(StateConsumeMedia, nil)
		return
	}
	c.mu.Lock()
	c.routed = true
	c.mu.Unlock()
	if ext == nil {
		ext = c.hunt(ctx, &p)
	}
	if ctx.Err() != nil {
		return
	}
	if ext == nil {
		c.Log(LogInfo, "No Route, Aborting")
		c.Hangup(CauseNoRouteDestination)
		return
	}
	c.proceed(StateExecute, func() { c.ext = ext })
}

// end is the life after hang-up: CS_HANGUP, CS_REPORTING, CS_DESTROY, each once.
func (c *Channel) end() {
	defer close(c.done)
	c.enter()
	c.guard("hangup", func() { c.leg.Hangup(c.Cause()) })
	c.guard("recordings", func() {
		c.StopRecording("all")
		c.endings.Wait()
		c.serveUrgent(c.sw.ctx)
	})
	c.guard("hangup hooks", c.runHangupHooks)
	c.guard("media", c.port.Close)

	c.mu.Lock()
	c.state = StateReporting
	c.mu.Unlock()
	c.enter()
	c.guard("report", c.report)
	c.fireHangupComplete()
	close(c.reported)
	c.signal(changedState)

	c.awaitHolders()
	c.mu.Lock()
	c.state = StateDestroy
	c.mu.Unlock()
	c.Fire(event.ChannelDestroy, nil, nil)
	c.sw.mu.Lock()
	delete(c.sw.channels, c.UUID())
	delete(c.sw.external, c.external)
	c.sw.mu.Unlock()
	c.enter()
	c.sw.Limits.leave()
	c.cancel(ErrHungup)
}

// holderLimit bounds how long CS_DESTROY waits for those who retain a channel.
const holderLimit = 24 * time.Hour

func (c *Channel) guard(what string, fn func()) {
	defer func() {
		if r := recover(); r != nil {
			c.sw.crashed(what+" of "+c.Name(), c.UUID(), r)
		}
	}()
	fn()
}

// crashed reports a recovered panic: a stack in the log and an event.
func (sw *Switch) crashed(where, uuid string, r any) {
	sw.Log.Session(LogCrit, uuid, "%s: panic: %v\n%s", where, r, debug.Stack())
	e := event.New(event.SessionCrash, "")
	e.Add("Unique-ID", uuid)
	e.Add("Crash-Where", where)
	e.Add("Crash-Reason", fmt.Sprint(r))
	sw.Bus.Publish(e, "switch_core_session.c", "switch_core_session_thread", 1)
}

// Survive is deferred in goroutines that a panic must not take the switch down
// with.
func (sw *Switch) Survive(where, uuid string) {
	if r := recover(); r != nil {
		sw.crashed(where, uuid, r)
	}
}
