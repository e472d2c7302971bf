package apps

import (
	"context"

	"github.com/switchlet/switchlet/call"
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
	ch.Presence(f[0], f[1], arg(f, 2))
	return nil
}
