package apps

import (
	"context"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/call/expand"
)

func parties(Deps) []call.Application {
	return []call.Application{
		{Name: "presence", Syntax: "<rpid> <status> [<id>]", Description: "Send Presence", Flags: nrz, Run: presence},
		{Name: "pickup", Syntax: "[<key>]", Description: "Pickup", Flags: n, Run: pickUp},
	}
}

// presence tells of a status for the channel's presence_id, or another id.
func presence(_ context.Context, ch *call.Channel, args string) error {
	f := expand.SplitSeparate(args, ' ', 3)
	if len(f) < 2 {
		return usage("presence <rpid> <status> [<id>]")
	}
	id := arg(f, 2)
	if id == "" {
		id = ch.Get("presence_id")
	}
	if id == "" {
		return nil
	}
	e := event.New(event.PresenceIn, "")
	ch.AddTo(e)
	e.Add("proto", "any")
	e.Add("login", ch.Profile().Source)
	e.Add("from", id)
	e.Add("rpid", f[0])
	e.Add("status", f[1])
	e.Add("event_type", "presence")
	e.Add("alt_event_type", "dialog")
	e.Add("presence-call-info-state", "active")
	e.Add("event_count", "0")
	ch.Switch().Bus.Publish(e, "switch_channel.c", "switch_channel_perform_presence", 792)
	return nil
}
