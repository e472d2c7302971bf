package apps

import (
	"context"
	"errors"
	"strings"

	"github.com/switchlet/switchlet/call"
)

// broadcastLegs says who executes a broadcast, seen from the channel that it is
// sent to, and whether the other leg hears hold music meanwhile.
type broadcastLegs struct{ self, partner, hold bool }

// readLegs reads "aleg", "bleg", "holdb", "both"; nothing is "aleg holdb".
func readLegs(text string) broadcastLegs {
	text = strings.ToLower(text)
	if text == "" {
		return broadcastLegs{self: true, hold: true}
	}
	both := strings.Contains(text, "both")
	l := broadcastLegs{self: both || strings.Contains(text, "aleg"), partner: both || strings.Contains(text, "bleg")}
	if strings.Contains(text, "holdb") {
		l.partner, l.hold = false, true
	}
	return l
}

// Broadcast queues a file, or an application ("app::args", "app!cause::args": hang
// up with the cause afterwards), on the channel, its partner, or both.
func Broadcast(ch *call.Channel, path, legs string) error {
	return broadcast(ch, path, readLegs(legs))
}

func broadcast(ch *call.Channel, path string, legs broadcastLegs) error {
	app, args, isApp := strings.Cut(path, "::")
	cause := ""
	if isApp {
		app, cause, _ = strings.Cut(app, "!")
	} else {
		app, args = "playback", path
	}
	var err error
	if legs.self {
		err = broadcastTo(ch, app, args, cause, legs.hold)
	}
	if partner := other(ch); legs.partner && partner != nil {
		err = errors.Join(err, broadcastTo(partner, app, args, cause, legs.hold && !legs.self))
	}
	return err
}

// broadcastTo queues an application on one channel.
func broadcastTo(ch *call.Channel, app, args, cause string, hold bool) error {
	return ch.Post(&call.Message{Run: func(ctx context.Context, c *call.Channel) {
		resume := func() {}
		if hold {
			resume = holdPartner(ctx, c, "")
		}
		c.Execute(ctx, app, args)
		resume()
		if cause != "" && c.Up() {
			c.Hangup(call.ParseCause(cause))
		}
	}})
}

// holdPartner takes the sound of c's bridge apart and lets the partner hear music,
// or its hold music for "", until the returned function is called.
func holdPartner(ctx context.Context, c *call.Channel, music string) (resume func()) {
	partner, join := c.Suspend()
	if partner == nil {
		return join
	}
	if music == "" {
		music = partner.HoldMusic()
	}
	stop := func() {}
	if music != "" && !strings.EqualFold(music, "silence") {
		var err error
		if stop, err = partner.PlayBehind(ctx, music); err != nil {
			c.Log(call.LogWarning, "hold music %s: %v", music, err)
		}
	}
	return func() {
		stop()
		join()
	}
}

// broadcastApp is the application broadcast.
func broadcastApp(_ context.Context, ch *call.Channel, args string) error {
	f := strings.Fields(args)
	if len(f) == 0 {
		return usage("broadcast <path> [<leg>]")
	}
	if err := Broadcast(ch, f[0], arg(f, 1)); err != nil {
		return err
	}
	ch.SetResponse("BROADCAST_SENT")
	return nil
}
