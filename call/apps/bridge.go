package apps

import (
	"context"
	"strings"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/originate"
)

func bridging(Deps) []call.Application {
	return []call.Application{
		{Name: "bridge", Syntax: "<channel_url>", Description: "Bridge Audio", Flags: n, Run: bridge},
		{Name: "intercept", Syntax: "[-bleg] <uuid>", Description: "intercept", Flags: n, Run: intercept},
	}
}

// bridge calls a dial string and joins the channel with who answers
// (spec/api-commands.md §4 "bridge specifics").
func bridge(ctx context.Context, ch *call.Channel, args string) error {
	if args == "" {
		return usage("bridge <channel_url>")
	}
	if api := ch.Get("api_before_bridge"); api != "" {
		runAPI(ctx, ch, api)
	}
	var b *call.Channel
	var err error
	if ch.True("campon") {
		b, err = campOn(ctx, ch, args)
	} else {
		b, err = originate.Dial(ctx, ch.Switch(), args, originate.Options{Originator: ch})
	}
	if afterCamp(ch, err) {
		return nil
	}
	if err != nil {
		cause := call.CauseOf(err, call.CauseDestinationOutOfOrder)
		ch.Log(call.LogInfo, "Originate Failed.  Cause: %s", cause)
		ch.Set("originate_failed_cause", cause.String())
		if ch.Up() {
			ch.HandleCause(cause)
		}
		return nil
	}
	if err = ch.Bridge(ctx, b); err == call.ErrNotReady {
		// The caller went away between the answer and the bridge.
		b.Hangup(call.CauseOriginatorCancel)
		return err
	}
	if b.Up() && b.State() != call.StateExchangeMedia && !b.Ready() {
		return err
	}
	if api := ch.Get("api_after_bridge"); api != "" {
		runAPI(ctx, ch, api)
	}
	return err
}

func runAPI(ctx context.Context, ch *call.Channel, line string) {
	name, args, _ := strings.Cut(ch.Expand(line), " ")
	ch.Switch().Run(ctx, name, args, ch, nil)
}

// intercept takes another call over: this channel is bridged with it, and who it
// talked to gets PICKED_OFF.
func intercept(ctx context.Context, ch *call.Channel, args string) error {
	bleg := false
	if rest, ok := strings.CutPrefix(args, "-bleg "); ok {
		args, bleg = rest, true
	}
	target := ch.Switch().Find(strings.TrimSpace(args))
	if target == nil {
		ch.Log(call.LogErr, "Cannot intercept [%s]: no such channel", args)
		return nil
	}
	if bleg {
		if p := other(target); p != nil {
			target = p
		}
	}
	if (ch.True("intercept_unbridged_only") && target.Partner() != nil) ||
		(ch.True("intercept_unanswered_only") && target.Answered()) || target == ch {
		return nil
	}
	if err := ch.Answer(ctx); err != nil {
		return err
	}
	partner := other(target)
	if !target.MediaReady() && !target.Outbound() {
		if err := target.Call(ctx, func(ctx context.Context, t *call.Channel) error { return t.Answer(ctx) }); err != nil {
			return err
		}
	}
	if partner != nil && partner != ch {
		partner.Set("last_bridge_hangup_cause", call.CausePickedOff.String())
		defer partner.Hangup(call.CausePickedOff)
	}
	return ch.BridgeWith(target)
}
