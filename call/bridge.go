package call

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/media"
)

// partnerReportLimit bounds how long a leg that was hung up waits for its
// partner's report before it tells of the unbridging.
const partnerReportLimit = 5 * time.Second

// bond ties two bridged channels: done closes when the B leg hangs up or is
// taken elsewhere.
type bond struct {
	done chan struct{}
	once sync.Once
}

func (b *bond) break_() { b.once.Do(func() { close(b.done) }) }

// breakBond tells the A leg that this B leg has left; c.mu is held, so that nobody
// sees the leg between its old and its new bond.
func (c *Channel) breakBond() {
	if c.bond != nil {
		c.bond.break_()
		c.bond = nil
	}
}

// endBridge ends the bridge of this B leg, which stays for what comes after it.
func (c *Channel) endBridge() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bond != nil {
		c.bond.break_()
	}
}

// Hear joins the channel's sound with that of a leg that is being called, before there
// is a bridge.
func (c *Channel) Hear(other *Channel) error { return media.Join(c.port, other.port) }

// exchangeFor takes the B leg into CS_EXCHANGE_MEDIA, unless somebody has taken it
// elsewhere since the bond was made.
func (c *Channel) exchangeFor(tie *bond) bool {
	c.mu.Lock()
	if c.bond != tie || c.state >= StateHangup {
		c.mu.Unlock()
		return false
	}
	c.state = StateExchangeMedia
	c.requests++
	stop := c.stateStop
	c.mu.Unlock()
	stop(ErrMoved)
	c.signal(changedState)
	return true
}

// joinFor joins the B leg's sound with a's, unless the bond was broken. The lock is
// held meanwhile: a join that came late would steal the leg from its new partner.
func (c *Channel) joinFor(tie *bond, a *Channel) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bond != tie {
		return ErrMoved
	}
	return media.Join(a.port, c.port)
}

// Bridge joins the channel, whose goroutine calls it, with b until one of them
// leaves, and then does what the variables of both ask for (spec/api-commands.md
// §4 "bridge specifics"). b must be up and have media.
func (c *Channel) Bridge(ctx context.Context, b *Channel) error {
	return c.BridgeWatching(ctx, b, nil)
}

// BridgeWatching is Bridge with a function that sees the digits of this channel's
// far end before b does; true ends the bridge.
func (c *Channel) BridgeWatching(ctx context.Context, b *Channel, watch func(media.Digit) bool) error {
	if b == c {
		return errors.New("cannot bridge a channel to itself")
	}
	if !c.MediaReady() || !b.MediaReady() {
		return ErrNotReady
	}
	defer b.Retain()()
	tie := &bond{done: make(chan struct{})}
	// Before they are partners: a transfer out of this bridge is another one.
	c.TransferDone(true)
	b.TransferDone(true)
	c.tie(b)
	b.tie(c)
	b.mu.Lock()
	b.bond = tie
	b.mu.Unlock()
	c.exportTo(b)
	b.exportTo(c)
	ids := []Var{{"Bridge-A-Unique-ID", c.UUID()}, {"Bridge-B-Unique-ID", b.UUID()}}
	c.RunHooks("pre_bridge")
	b.RunHooks("pre_bridge")
	c.serveUrgent(ctx)
	c.Fire(event.ChannelBridge, ids, nil)
	if !b.exchangeFor(tie) {
		tie.break_()
	}
	b.awaitRunning(ctx, StateExchangeMedia)
	c.updateDisplay(b)
	b.updateDisplay(c)
	c.preExecute(ctx, b)
	if err := b.joinFor(tie, c); err != nil {
		if err != ErrMoved {
			c.Log(LogErr, "Cannot join %s and %s: %v", c.Name(), b.Name(), err)
		}
		tie.break_()
	}
	for _, x := range []*Channel{c, b} {
		if l, ok := x.leg.(Bridger); ok {
			l.Bridged(x.Partner())
		}
	}
	// An answer from now on is followed by its mark, one before by nobody.
	c.followAnswer(b)
	b.followAnswer(c)
	c.clearBreak()
	var err error
	for {
		err = c.Wait(ctx, tie.done, WaitOptions{Digit: func(d media.Digit) bool {
			if key := c.Get("bridge_terminate_key"); key != "" && strings.IndexByte(key, d.Char) >= 0 {
				return true
			}
			if watch != nil && watch(d) {
				return true
			}
			b.passDigit(d)
			return false
		}})
		if err != ErrBreak {
			break
		}
	}
	c.unbridge(b, tie, ids)
	return err
}

// followAnswer answers the channel, in its own goroutine, once the partner that it is
// bridged with was: the bridge began with early media.
func (c *Channel) followAnswer(partner *Channel) {
	if c.outbound || c.Answered() || !partner.Answered() {
		return
	}
	m := &Message{Run: func(ctx context.Context, c *Channel) {
		if c.Partner() != partner {
			return
		}
		if err := c.Answer(ctx); err != nil && c.Up() && ctx.Err() == nil {
			c.Log(LogErr, "Cannot answer %s, whose partner %s was answered: %v", c.Name(), partner.Name(), err)
			c.Hangup(CauseOf(err, CauseDestinationOutOfOrder))
		}
	}}
	select {
	case c.urgent <- m:
	default:
		c.Log(LogErr, "Too many hooks on %s, it is not answered", c.Name())
	}
}

// preExecute runs the applications that bridge_pre_execute_aleg_app and
// bridge_pre_execute_bleg_app name, on their legs.
func (c *Channel) preExecute(ctx context.Context, b *Channel) {
	if app := c.Get("bridge_pre_execute_bleg_app"); app != "" {
		if err := b.PostExecute(app, c.Get("bridge_pre_execute_bleg_data"), false); err != nil {
			b.Log(LogErr, "bridge_pre_execute_bleg_app %s: %v", app, err)
		}
	}
	if app := c.Get("bridge_pre_execute_aleg_app"); app != "" && c.Ready() {
		c.Execute(ctx, app, c.Get("bridge_pre_execute_aleg_data"))
	}
}

// stateLimit bounds how long one leg waits until another has entered a state.
const stateLimit = 2 * time.Second

// awaitRunning waits until the channel, which is another than the caller's, has
// entered a state or left life.
func (c *Channel) awaitRunning(ctx context.Context, s State) {
	signal := make(chan struct{}, 1)
	defer c.Notify(signal)()
	ctx, cancel := context.WithTimeout(ctx, stateLimit)
	defer cancel()
	for c.Up() && c.Running() != s && c.State() == s {
		select {
		case <-signal:
		case <-ctx.Done():
			return
		}
	}
}

// unbridge takes a bridge apart, from the A leg's goroutine.
func (c *Channel) unbridge(b *Channel, tie *bond, ids []Var) {
	if c.port.Peer() == b.port {
		c.port.Leave()
	}
	for _, x := range []*Channel{c, b} {
		if l, ok := x.leg.(Bridger); ok {
			l.Unbridged()
		}
	}
	bUp, bOurs := b.Up(), false
	b.mu.Lock()
	if b.bond == tie {
		b.bond = nil
		bOurs = b.state == StateExchangeMedia
	}
	if b.partner == c {
		b.partner = nil
	}
	b.mu.Unlock()
	c.mu.Lock()
	if c.partner == b {
		c.partner = nil
	}
	c.mu.Unlock()

	if !c.Up() && bUp && bOurs {
		if !b.afterBridge() {
			b.Hangup(c.Cause())
			select {
			case <-b.reported:
			case <-time.After(partnerReportLimit):
			}
		}
	}
	if !bUp {
		cause := b.Cause().String()
		c.vars.Set("bridge_hangup_cause", cause)
		c.vars.Set("last_bridge_hangup_cause", cause)
		if v := b.Get("proto_specific_hangup_cause"); v != "" {
			c.vars.Set("last_bridge_proto_specific_hangup_cause", v)
		}
	}
	c.Fire(event.ChannelUnbridge, ids, nil)
	if c.Get("bridge_uuid") == b.UUID() { // else it has its next partner already
		c.vars.Set("bridge_channel", "")
		c.vars.Set("bridge_uuid", "")
	}
	c.RunHooks("post_bridge")
	if c.Up() && bUp && bOurs && !b.afterBridge() {
		// The A leg was taken elsewhere: what it leaves behind ends.
		b.Hangup(CauseNormalClearing)
	}
	if !c.Ready() || c.State() != c.Running() {
		return
	}
	answered := b.Answered()
	if !bUp && !answered {
		c.HandleCause(b.Cause())
	}
	after := c.Get("hangup_after_bridge")
	switch {
	case !c.Ready(), c.afterBridge():
	case !bUp && (strings.EqualFold(after, "explicit") || answered && True(after)):
		c.Hangup(b.Cause())
	}
}

// afterBridge does what AfterBridge, exec_after_bridge_app, park_after_bridge and
// transfer_after_bridge ask for and reports whether they did. Those of a bridge
// that was never answered have names of their own.
func (c *Channel) afterBridge() bool {
	if !c.Up() {
		return false
	}
	c.mu.Lock()
	fn := c.onUnbridge
	c.onUnbridge = nil
	c.mu.Unlock()
	if fn != nil && fn() {
		return true
	}
	if app := c.Get("exec_after_bridge_app"); app != "" {
		return c.TransferTo(&Extension{Name: app, Actions: []Action{{App: app, Data: c.Get("exec_after_bridge_arg")}}}) == nil
	}
	answered := c.Answered()
	if answered && c.True("park_after_bridge") || c.True("park_after_early_bridge") {
		c.move(StatePark, nil)
		return true
	}
	to := c.Get("transfer_after_early_bridge")
	if v := c.Get("transfer_after_bridge"); answered && v != "" {
		to = v
	}
	if to != "" {
		parts := append(strings.SplitN(to, ":", 3), "", "")
		return c.Transfer(parts[0], parts[1], parts[2]) == nil
	}
	return false
}

// AfterBridge sets what happens to the channel when its next bridge ends while it
// is up: fn returns true if it took the channel elsewhere; nil takes it back.
func (c *Channel) AfterBridge(fn func() bool) { c.mu.Lock(); c.onUnbridge = fn; c.mu.Unlock() }

// Suspend takes the sound of the channel's bridge apart, so that both legs can do
// something else for a while, and returns the partner and what joins them again.
// Without a partner it returns nil and a function that does nothing. It is
// called in the channel's goroutine, by what runs inside the bridge.
func (c *Channel) Suspend() (partner *Channel, resume func()) {
	partner = c.Partner()
	if partner == nil {
		return nil, func() {}
	}
	c.port.Leave()
	return partner, func() {
		if !c.Up() || !partner.Up() || !partner.inBridge() {
			return
		}
		c.retie(partner)
		partner.retie(c)
		if err := media.Join(c.port, partner.port); err != nil {
			c.Log(LogErr, "Cannot join %s and %s: %v", c.Name(), partner.Name(), err)
		}
	}
}

// inBridge reports whether nothing took the channel out of its bridge.
func (c *Channel) inBridge() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state == StateExchangeMedia || c.state == c.running
}

// retie makes other the partner again.
func (c *Channel) retie(other *Channel) {
	c.mu.Lock()
	c.partner = other
	c.mu.Unlock()
	c.vars.Set("bridge_channel", other.Name())
	c.vars.Set("bridge_uuid", other.UUID())
	c.vars.Set("signal_bond", other.UUID())
}

// tie records the partner in fields and variables.
func (c *Channel) tie(other *Channel) {
	now := time.Now()
	p := other.Profile()
	c.mu.Lock()
	c.partner = other
	c.profile().Times.Bridged = now
	if c.other == nil {
		c.other = &p
		c.otherType = "originatee"
		if c.outbound {
			c.otherType = "originator"
		}
	}
	c.mu.Unlock()
	c.vars.Set("bridge_channel", other.Name())
	c.vars.Set("bridge_uuid", other.UUID())
	c.vars.Set("bridge_to", other.UUID())
	c.vars.Set("last_bridge_to", other.UUID())
	c.vars.Set("signal_bond", other.UUID())
}

// exportTo copies the variables that bridge_export_vars names.
func (c *Channel) exportTo(other *Channel) {
	for _, name := range exportList(c.Get("bridge_export_vars")) {
		if v, ok := c.vars.Lookup(name); ok {
			other.vars.Set(strings.TrimPrefix(name, "nolocal:"), v)
		}
	}
}

// updateDisplay tells the far end whom it talks to now.
func (c *Channel) updateDisplay(other *Channel) {
	p := other.Profile()
	name, number := p.CallerName, p.CallerNumber
	if other.outbound {
		name, number = p.CalleeName, p.CalleeNumber
		if number == "" {
			number = p.Destination
		}
	}
	if d, ok := c.leg.(Displayer); ok {
		d.Display(c.ctx, name, number)
	}
	c.Fire(event.CallUpdate, []Var{{"Direction", "SEND"}, {"Sent-Callee-ID-Name", name},
		{"Sent-Callee-ID-Number", number}, {"Bridged-To", other.UUID()}}, nil)
}

// exchange is CS_EXCHANGE_MEDIA: the B leg of a bridge serves its messages and
// hands its digits on while the A leg's goroutine holds the bridge.
func (c *Channel) exchange(ctx context.Context) {
	for {
		err := c.Wait(ctx, nil, WaitOptions{Digit: func(d media.Digit) bool {
			if key := c.Get("bridge_terminate_key"); key != "" && strings.IndexByte(key, d.Char) >= 0 {
				c.endBridge()
				return false
			}
			if p := c.Partner(); p != nil {
				p.passDigit(d)
			}
			return false
		}})
		if err != ErrBreak {
			return
		}
	}
}

// BridgeWith takes the channel out of what it does and bridges it with other,
// which is taken out too (uuid_bridge). Both must have media.
func (c *Channel) BridgeWith(other *Channel) error {
	if c == other || !c.MediaReady() || !other.MediaReady() {
		return ErrNotReady
	}
	if !other.move(StateHibernate, nil) {
		return ErrHungup
	}
	return c.Take(func(ctx context.Context, c *Channel) {
		c.Bridge(ctx, other)
		if c.Up() && ctx.Err() == nil && c.State() == StateSoftExecute {
			c.Hangup(CauseNormalClearing)
		}
	})
}

// Take takes the channel out of what it does and runs fn in its goroutine, in
// CS_SOFT_EXECUTE. When fn returns without having moved the channel it stays
// there.
func (c *Channel) Take(fn func(ctx context.Context, c *Channel)) error {
	if !c.move(StateSoftExecute, func() { c.task, c.redirected = fn, true }) {
		return ErrHungup
	}
	return nil
}
