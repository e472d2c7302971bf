package apps

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/originate"
	"github.com/switchlet/switchlet/media"
)

func holding(Deps) []call.Application {
	return []call.Application{
		{Name: "att_xfer", Syntax: "<channel_url>", Description: "Attended Transfer", Run: attendedTransfer},
		{Name: "soft_hold", Syntax: "<unhold key> [<moh_a>] [<moh_b>]", Description: "Put a bridged channel on hold", Flags: n, Run: softHold},
	}
}

// softHold puts the bridge on hold until the key is pressed.
func softHold(ctx context.Context, ch *call.Channel, args string) error {
	f := strings.Fields(args)
	if len(f) == 0 {
		return usage("soft_hold <unhold key> [<moh_a>] [<moh_b>]")
	}
	if ch.Partner() == nil {
		return errors.New("soft_hold: not bridged")
	}
	resume := holdPartner(ctx, ch, arg(f, 2))
	defer resume()
	if music := arg(f, 1); music != "" && !strings.EqualFold(music, "silence") {
		if stop, err := ch.PlayBehind(ctx, music); err == nil {
			defer stop()
		}
	}
	for {
		err := ch.Wait(ctx, nil, call.WaitOptions{Digit: func(d media.Digit) bool { return d.Char == f[0][0] }})
		switch {
		case errors.Is(err, call.ErrStopped):
			return nil
		case !errors.Is(err, call.ErrBreak):
			return err
		}
	}
}

// SetTransferZombie lets an attended transfer of the channel go on when the
// channel hangs up while the new leg rings (uuid_xfer_zombie).
func SetTransferZombie(ch *call.Channel) { ch.SetPrivate("transfer zombie", true) }

// consultation is an attended transfer: ch talks to a new leg while its partner
// is on hold.
type consultation struct {
	ch, partner *call.Channel
	resume      func()
	follow      bool // recordings follow the call (recording_follow_attxfer)
}

// attendedTransfer calls somebody while the partner waits with music. Hanging up
// connects both; the cancel key ends the new call, the conference key joins all.
func attendedTransfer(ctx context.Context, ch *call.Channel, args string) error {
	if args == "" {
		return usage("att_xfer <channel_url>")
	}
	t := &consultation{ch: ch, partner: ch.Partner(), follow: ch.True("recording_follow_attxfer")}
	if t.partner != nil {
		if t.follow {
			t.partner.HandOverRecordings(ch)
		}
		ch.Set("soft_holding_uuid", t.partner.UUID())
	}
	defer ch.Set("soft_holding_uuid", "")
	t.resume = holdPartner(ctx, ch, "")
	peer, err := t.dial(ctx, args)
	if err != nil {
		t.resume()
		if cause := call.CauseOf(err, call.CauseNone); cause != call.CauseNone {
			ch.Log(call.LogInfo, "Attended transfer failed.  Cause: %s", cause)
			ch.Set("att_xfer_result", "failure")
			return nil
		}
		return err
	}
	return t.talk(ctx, peer)
}

// dial calls the new leg. It runs beside ch's goroutine, so that it can go on
// when ch hangs up.
func (t *consultation) dial(ctx context.Context, url string) (*call.Channel, error) {
	p := t.ch.Profile()
	d := dialBeside(t.ch.Switch(), t.ch.Expand(url), originate.Options{CallerName: p.CallerName, CallerNumber: p.CallerNumber,
		Vars: []call.Var{{Name: "originating_leg_uuid", Value: t.ch.UUID()}}})
	if tone := t.ch.Get("transfer_ringback"); tone != "" {
		if strings.HasPrefix(tone, "%(") {
			tone = "tone_stream://" + tone + ";loops=-1"
		}
		if quiet, err := t.ch.PlayBehind(ctx, tone); err == nil {
			defer quiet()
		}
	}
	cancelKey := t.key(nil, "attxfer_cancel_key", '#')
	err := wait(ctx, t.ch, d.done, call.WaitOptions{Digit: func(d media.Digit) bool { return d.Char == cancelKey }})
	switch {
	case err == nil:
		return d.peer, d.err
	case !t.ch.Up() && t.partner != nil && t.partner.Up() && t.ch.Private("transfer zombie") != nil:
		t.goOn(d)
		return nil, err
	}
	d.drop()
	if errors.Is(err, call.ErrStopped) {
		return nil, call.CauseOriginatorCancel
	}
	return nil, err
}

// goOn lets the partner wait for the new leg after ch hung up.
func (t *consultation) goOn(d *sideDial) {
	if t.follow {
		t.ch.HandOverRecordings(t.partner)
	}
	err := t.partner.Take(func(ctx context.Context, c *call.Channel) {
		stop := func() {}
		if music := c.HoldMusic(); music != "" {
			if quiet, err := c.PlayBehind(ctx, music); err == nil {
				stop = quiet
			}
		}
		err := wait(ctx, c, d.done, call.WaitOptions{})
		stop()
		switch {
		case err != nil:
			d.drop()
		case d.peer == nil:
			c.Hangup(call.CauseNormalClearing)
		default:
			setResult(d.peer, d.peer.BridgeWith(c))
		}
	})
	if err != nil {
		d.drop()
		t.ch.Log(call.LogErr, "attended transfer: %v", err)
	}
}

func setResult(ch *call.Channel, err error) {
	result := "success"
	if err != nil {
		result = "failure"
	}
	ch.Set("att_xfer_result", result)
}

// consulting reports whether the channel talks to the new leg of an attended
// transfer, when keys mean other things.
func consulting(ch *call.Channel) bool { return ch.Private("consultation") != nil }

// key is the key that a variable of either leg names.
func (t *consultation) key(peer *call.Channel, name string, otherwise byte) byte {
	for _, c := range []*call.Channel{t.ch, peer} {
		if c != nil && c.Get(name) != "" {
			return c.Get(name)[0]
		}
	}
	return otherwise
}

// connect bridges the new leg with the partner, once ch has left.
func (t *consultation) connect(peer *call.Channel, done *bool) bool {
	if t.ch.Up() || t.partner == nil || !t.partner.Up() || !peer.Up() {
		return false
	}
	if t.follow {
		t.ch.HandOverRecordings(peer)
	}
	err := peer.BridgeWith(t.partner)
	setResult(peer, err)
	*done = err == nil
	return *done
}

// talk bridges ch with the new leg and does what ends it asks for.
func (t *consultation) talk(ctx context.Context, peer *call.Channel) error {
	ch, partner := t.ch, t.partner
	// When ch hangs up, who is left talks to each other. Whichever leg sees it first
	// connects them: the partner would go on in its dialplan.
	var once sync.Mutex
	connected := false
	peer.AfterBridge(func() bool {
		once.Lock()
		defer once.Unlock()
		return connected || t.connect(peer, &connected)
	})
	if partner != nil {
		partner.AfterBridge(func() bool {
			once.Lock()
			defer once.Unlock()
			if connected { // on its way to the new bridge, or at the end of that one
				return partner.State() != partner.Running()
			}
			return t.connect(peer, &connected)
		})
	}
	hangup, cancel := t.key(peer, "attxfer_hangup_key", '*'), t.key(peer, "attxfer_cancel_key", '#')
	conference := t.key(peer, "attxfer_conf_key", '0')
	ch.SetPrivate("consultation", t)
	peer.SetPrivate("consultation", t)
	err := ch.BridgeWatching(ctx, peer, func(d media.Digit) bool {
		switch d.Char {
		case hangup:
			ch.Hangup(call.CauseNormalClearing)
		case cancel:
			peer.Hangup(call.CauseNormalClearing)
		case conference:
			app := "three_way"
			if partner == nil || !partner.Up() {
				app = "intercept"
			}
			ch.Set("hangup_after_bridge", "")
			if err := peer.TransferTo(&call.Extension{Name: app, Actions: []call.Action{{App: app, Data: ch.UUID()}}}); err != nil {
				ch.Log(call.LogErr, "%s: %v", app, err)
			}
		default:
			return false
		}
		return true
	})
	ch.SetPrivate("consultation", nil)
	peer.SetPrivate("consultation", nil)
	peer.AfterBridge(nil)
	if ch.Up() {
		if partner != nil {
			partner.AfterBridge(nil)
		}
		t.resume()
		setResult(ch, nil)
		return nil
	}
	return err
}
