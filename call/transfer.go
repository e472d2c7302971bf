package call

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/call/expand"
	"github.com/switchlet/switchlet/media"
)

// maxTransfers bounds how often a call may be routed anew where no variable does.
const maxTransfers = 70

// mayTransfer counts a transfer down in max_session_transfers, else in max_forwards, and
// reports whether it is still allowed.
func (c *Channel) mayTransfer() bool {
	for _, name := range [...]string{"max_session_transfers", "max_forwards"} {
		v := c.vars.Get(name)
		if v == "" {
			continue
		}
		n, err := strconv.ParseInt(v, 10, 32)
		if err != nil || n <= 1 {
			return false
		}
		c.vars.Set(name, strconv.FormatInt(n-1, 10))
		return true
	}
	return true
}

// Transfer routes the channel anew: what runs is ended, and the dialplan is asked
// for number. Empty dialplan and context keep the channel's (an inline dialplan
// becomes XML). It may be called from any goroutine.
func (c *Channel) Transfer(number, dialplan, context string) error {
	if !c.Up() {
		return ErrHungup
	}
	c.mu.Lock()
	p := c.profile().clone()
	if dialplan == "" {
		if dialplan = p.Dialplan; dialplan == "" || strings.EqualFold(dialplan, "inline") {
			dialplan = "XML"
		}
	}
	if context == "" {
		if context = p.Context; context == "" {
			context = "default"
		}
	}
	now := time.Now()
	p.RDNIS, p.Destination, p.Dialplan, p.Context = p.Destination, number, dialplan, context
	p.inert()
	p.Index++
	p.TransferSource = fmt.Sprintf("%d:%s:bl_xfer:%s/%s/%s", now.Unix(), NewUUID(), p.Destination, context, dialplan)
	p.Times.ProfileCreated, p.Times.Transferred = now, now
	c.mu.Unlock()
	if p.Index > maxTransfers || !c.mayTransfer() {
		c.Log(LogWarning, "%s was transferred too often", c.Name())
		c.Hangup(CauseExchangeRoutingError)
		return CauseExchangeRoutingError
	}
	c.vars.Set("transfer_source", p.TransferSource)
	c.vars.Set("transfer_history", expand.Push(c.vars.Get("transfer_history"), p.TransferSource))
	c.RunHooks("blind_transfer")
	c.Log(LogNotice, "Transfer %s to %s[%s@%s]", c.Name(), dialplan, number, context)
	ok := c.move(StateRouting, func() {
		c.profiles = append(c.profiles, p)
		c.ext, c.redirected = nil, true
	})
	if !ok {
		return ErrHungup
	}
	return nil
}

// TransferTo makes the channel run the given actions instead of what it does.
func (c *Channel) TransferTo(ext *Extension) error {
	if !c.Up() {
		return ErrHungup
	}
	to := StateExecute
	if c.Running() == StateExecute {
		to = StateRouting // the way back to CS_EXECUTE
	}
	if !c.move(to, func() { c.ext, c.redirected = ext, true }) {
		return ErrHungup
	}
	return nil
}

// ParkFrom takes the channel out of what it does and parks it (uuid_park).
func (c *Channel) ParkFrom() error {
	if !c.move(StatePark, nil) {
		return ErrHungup
	}
	return nil
}

// Park waits for commands until the call is hung up or moved, or park_timeout
// ("seconds[:CAUSE]") is over.
func (c *Channel) Park(ctx context.Context) error {
	c.mu.Lock()
	if c.parked {
		c.mu.Unlock()
		c.Log(LogWarning, "Cannot park channels that are under control already.")
		return nil
	}
	c.parked = true
	c.mu.Unlock()
	defer func() { c.mu.Lock(); c.parked = false; c.mu.Unlock() }()

	cause := CauseAllottedTimeout
	if v := c.Get("park_timeout"); v != "" {
		seconds, name, named := strings.Cut(v, ":")
		if named {
			cause = ParseCause(name)
		}
		if n, err := strconv.Atoi(seconds); err == nil && n > 0 {
			var stop context.CancelFunc
			ctx, stop = context.WithTimeoutCause(ctx, time.Duration(n)*time.Second, cause)
			defer stop()
		}
	}
	defer c.idle()()
	c.Fire(event.ChannelPark, nil, nil)
	var err error
	for {
		// Digits are read away: whoever controls a parked call hears of them as events.
		if err = c.Wait(ctx, nil, WaitOptions{Digit: func(media.Digit) bool { return false }}); err != ErrBreak {
			break
		}
	}
	if err == error(cause) {
		c.Hangup(cause)
	}
	c.Fire(event.ChannelUnpark, nil, nil)
	return err
}

// FlipCallerID swaps caller and callee of an outbound leg that nobody calls from:
// once it is answered, its far end is the caller.
func (c *Channel) FlipCallerID() {
	c.marking.Lock()
	defer c.marking.Unlock()
	c.mu.Lock()
	p := c.profile()
	p.OrigCallerName, p.OrigCallerNumber = p.CallerName, p.CallerNumber
	p.CallerName, p.CalleeName = p.CalleeName, p.CallerName
	p.CallerNumber, p.CalleeNumber = p.CalleeNumber, p.CallerNumber
	p.LogicalDirection = "inbound"
	c.mu.Unlock()
	c.Fire(event.CallUpdate, []Var{{"Direction", "RECV"}}, nil)
}
