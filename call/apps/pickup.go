package apps

import (
	"context"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
)

// waiter is a leg that waits to be picked up under a key (endpoint pickup).
type waiter interface {
	// PickUp hands the call to who took it; false when somebody else did before.
	PickUp(key string, who *call.Channel) bool
}

// pickUp takes a call that waits under a key.
func pickUp(ctx context.Context, ch *call.Channel, args string) error {
	if args == "" {
		ch.Log(call.LogWarning, "Missing data.  Usage: pickup [<key>]")
		return nil
	}
	for _, c := range ch.Switch().Channels() {
		w, ok := c.Leg().(waiter)
		if !ok || !c.Up() {
			continue
		}
		p := c.Profile()
		if err := ch.Answer(ctx); err != nil && !ch.MediaReady() {
			return err
		}
		if !w.PickUp(args, ch) {
			continue
		}
		ch.UpdateProfile(func(mine *call.Profile) {
			mine.CalleeName, mine.CalleeNumber = mine.CallerName, mine.CallerNumber
			mine.CallerName, mine.CallerNumber = p.CallerName, p.CallerNumber
		})
		ch.Fire(event.CallUpdate, []call.Var{{Name: "Direction", Value: "RECV"}}, nil)
		return nil
	}
	ch.Log(call.LogNotice, "Nobody waits to be picked up under [%s]", args)
	return nil
}
