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
	b, err := originate.Dial(ctx, ch.Switch(), args, originate.Options{Originator: ch})
	if err != nil {
		cause := call.CauseOf(err, call.CauseDestinationOutOfOrder)
		ch.Log(call.LogInfo, "Originate Failed.  Cause: %s", cause)
		ch.Set("originate_failed_cause", cause.String())
		if ch.Up() {
			handleCause(ch, cause)
		}
		return nil
	}
	err = ch.Bridge(ctx, b)
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

// handleCause decides what a failed bridge does to the A leg: transfer, go on
// with the next application, or hang up.
func handleCause(ch *call.Channel, cause call.Cause) {
	name := cause.String()
	if to := ch.Get("transfer_on_fail"); to != "" {
		list, rest, _ := strings.Cut(to, " ")
		f := append(strings.Fields(rest), "", "", "")
		if call.True(list) || listed(list, cause) {
			if strings.EqualFold(f[0], "auto_cause") {
				f[0] = name
			}
			ch.Transfer(f[0], f[1], f[2])
			return
		}
	}
	if list := ch.Get("failure_causes"); list != "" {
		if listed(list, cause) {
			ch.Hangup(cause)
		}
		return
	}
	goOn := ch.Get("continue_on_fail")
	if cause == call.CauseAttendedTransfer {
		goOn = "false"
	}
	switch {
	case call.True(goOn), goOn != "" && listed(goOn, cause):
		return
	case goOn == "" && (cause == call.CauseNoAnswer || cause == call.CauseNoUserResponse || cause == call.CauseOriginatorCancel):
		return
	}
	ch.Hangup(cause)
}

// listed reports whether a comma-separated list has the cause by name or number.
func listed(list string, cause call.Cause) bool {
	for _, one := range strings.Split(list, ",") {
		one = strings.TrimSpace(one)
		if one == "" {
			continue
		}
		if c, ok := call.LookupCause(one); ok {
			if c == cause {
				return true
			}
		} else if call.ParseCause(one) == cause && one[0] >= '0' && one[0] <= '9' {
			return true
		}
	}
	return false
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
