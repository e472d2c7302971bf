package commands

import (
	"context"
	"fmt"
	"strings"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/apps"
	"github.com/switchlet/switchlet/call/expand"
)

func channels(d Deps) []call.Command {
	const m = "mod_commands"
	return []call.Command{
		{Name: "originate", Syntax: originateUsage, Description: "Originate a call", Module: m, Run: originateCommand},
		{Name: "uuid_answer", Syntax: "<uuid>", Description: "answer", Module: m, Run: verb((*call.Channel).Answer)},
		{Name: "uuid_pre_answer", Syntax: "<uuid>", Description: "pre_answer", Module: m, Run: verb((*call.Channel).PreAnswer)},
		{Name: "uuid_ring_ready", Syntax: "<uuid> [queued]", Description: "Sending ringing to a channel", Module: m, Run: ringReady},
		{Name: "uuid_bridge", Syntax: "", Description: "Bridge call legs", Module: m, Run: uuidBridge},
		{Name: "uuid_break", Syntax: "<uuid> [all]", Description: "Break out of media sent to channel", Module: m, Run: uuidBreak},
		{Name: "break", Syntax: "<uuid> [all]", Description: "uuid_break", Module: m, Run: uuidBreak},
		{Name: "uuid_exists", Syntax: "<uuid>", Description: "Check if a uuid exists", Module: m, Run: uuidExists},
		{Name: "uuid_getvar", Syntax: "<uuid> <var>", Description: "Get a variable from a channel", Module: m, Run: uuidGetvar},
		{Name: "uuid_setvar", Syntax: "<uuid> <var> [value]", Description: "Set a variable", Module: m, Run: uuidSetvar},
		{Name: "uuid_setvar_multi", Syntax: setvarMultiUsage, Description: "Set multiple variables", Module: m, Run: uuidSetvarMulti},
		{Name: "uuid_kill", Syntax: "<uuid> [cause]", Description: "Kill channel", Module: m, Run: uuidKill},
		{Name: "uuid_park", Syntax: "<uuid>", Description: "Park channel", Module: m, Run: uuidPark},
		{Name: "uuid_transfer", Syntax: "<uuid> [-bleg|-both] <dest-exten> [<dialplan>] [<context>]", Description: "Transfer a session", Module: m, Run: uuidTransfer},
		{Name: "uuid_dual_transfer", Syntax: "<uuid> <A-dest-exten>[/<A-dialplan>][/<A-context>] <B-dest-exten>[/<B-dialplan>][/<B-context>]", Description: "Transfer a session and its partner", Module: m, Run: uuidDualTransfer},
		{Name: "uuid_hold", Syntax: "[off|toggle] <uuid> [<display>]", Description: "Place call on hold", Module: m, Run: uuidHold},
		{Name: "uuid_display", Syntax: "<uuid> <display>", Description: "Update phone display", Module: m, Run: uuidDisplay},
		{Name: "uuid_deflect", Syntax: "<uuid> <uri>", Description: "Send a deflect", Module: m, Run: uuidDeflect},
		{Name: "uuid_redirect", Syntax: "<uuid> <uri>", Description: "Send a redirect", Module: m, Run: uuidDeflect},
		{Name: "uuid_limit", Syntax: "<uuid> <backend> <realm> <resource> [<max>[/interval]] [number [dialplan [context]]]", Description: "Increase limit resource", Module: m, Run: uuidLimit(d)},
		{Name: "uuid_limit_release", Syntax: "<uuid> <backend> [realm] [resource]", Description: "Release limit resource", Module: m, Run: uuidLimitRelease(d)},
		{Name: "uuid_outgoing_answer", Syntax: "<uuid>", Description: "Answer outgoing channel", Module: m, Run: outgoingAnswer},
		{Name: "uuid_send_info", Syntax: "<uuid> [<mime_type> <mime_subtype>] <message>", Description: "Send info to the endpoint", Module: m, Run: sendInfo},
		{Name: "uuid_send_message", Syntax: "<uuid> <message>", Description: "Send MESSAGE to the endpoint", Module: m, Run: sendMessage},
		{Name: "uuid_phone_event", Syntax: "<uuid>", Description: "Send an event to the phone", Module: m, Run: phoneEvent},
		{Name: "uuid_chat", Syntax: "<uuid> <text>", Description: "Send a chat message", Module: m, Run: uuidChat},
	}
}

func verb(fn func(*call.Channel, context.Context) error) run {
	return func(ctx context.Context, sw *call.Switch, in *call.Invocation) error {
		ch := sw.Find(in.Args)
		if ch == nil {
			return reply(in, "-ERROR\n")
		}
		if err := inChannel(ctx, ch, fn); err != nil {
			return reply(in, "-ERROR\n")
		}
		return reply(in, "+OK\n")
	}
}

// inChannel runs a verb of the channel's leg in the channel's goroutine, where
// legs expect it, unless there is nothing left to do.
func inChannel(ctx context.Context, ch *call.Channel, fn func(*call.Channel, context.Context) error) error {
	if ch.Answered() {
		return nil
	}
	return ch.Call(ctx, func(ctx context.Context, c *call.Channel) error { return fn(c, ctx) })
}

func ringReady(ctx context.Context, sw *call.Switch, in *call.Invocation) error {
	uuid, _, _ := strings.Cut(in.Args, " ")
	if uuid == "" {
		return usage(in, "<uuid> [queued]")
	}
	in.Args = uuid
	return verb((*call.Channel).RingReady)(ctx, sw, in)
}

func outgoingAnswer(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	ch := sw.Find(in.Args)
	switch {
	case ch == nil:
		return reply(in, noChannel)
	case !ch.Outbound():
		return reply(in, "-ERR Not an outbound channel!\n")
	}
	ch.MarkAnswered()
	return reply(in, "+OK\n")
}

func uuidBridge(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	f := strings.Fields(in.Args)
	if len(f) < 2 {
		return usage(in, "<uuid> <other_uuid>")
	}
	a, b := sw.Find(f[0]), sw.Find(f[1])
	if b == nil && len(f) > 2 {
		b = sw.Find(f[2])
	}
	if a == nil || b == nil || a.BridgeWith(b) != nil {
		return reply(in, "-ERR Invalid uuid\n")
	}
	fmt.Fprintf(in.Out, "+OK %s\n", b.UUID())
	return nil
}

func uuidBreak(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	uuid, rest, _ := strings.Cut(in.Args, " ")
	if uuid == "" {
		return usage(in, "<uuid> [all]")
	}
	ch := sw.Find(uuid)
	if ch == nil {
		return reply(in, noChannel)
	}
	both := strings.Contains(rest, "both")
	ch.Break(strings.Contains(rest, "all"))
	if p := ch.Partner(); both && p != nil {
		p.Break(strings.Contains(rest, "all"))
	}
	return reply(in, "+OK\n")
}

func uuidExists(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	if sw.Find(in.Args) != nil {
		return reply(in, "true")
	}
	return reply(in, "false")
}

func uuidGetvar(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	uuid, name, _ := strings.Cut(in.Args, " ")
	if uuid == "" || name == "" {
		return usage(in, "<uuid> <var>")
	}
	ch := sw.Find(uuid)
	if ch == nil {
		return reply(in, noChannel)
	}
	if v, ok := ch.Element(strings.TrimSpace(name)); ok {
		return reply(in, v)
	}
	return reply(in, "_undef_")
}

func uuidSetvar(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	f := expand.SplitSeparate(in.Args, ' ', 3)
	if len(f) == 0 || f[0] == "" || len(f) < 2 {
		return usage(in, "<uuid> <var> [value]")
	}
	ch := sw.Find(f[0])
	if ch == nil {
		return reply(in, noChannel)
	}
	if f[1] == "" {
		return reply(in, "-ERR No variable specified\n")
	}
	ch.SetElement(f[1], word(f, 2))
	return reply(in, "+OK\n")
}

const setvarMultiUsage = "<uuid> <var>=<value>;<var>=<value>..."

func uuidSetvarMulti(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	uuid, list, ok := strings.Cut(in.Args, " ")
	if uuid == "" {
		return usage(in, setvarMultiUsage)
	}
	if !ok || list == "" {
		return nil
	}
	ch := sw.Find(uuid)
	if ch == nil {
		in.Out.WriteString(noChannel)
		return usage(in, setvarMultiUsage)
	}
	for _, pair := range expand.SplitSeparate(list, ';', maxFields) {
		if name, value, ok := strings.Cut(pair, "="); ok {
			ch.SetElement(strings.TrimSpace(name), value)
		} else if pair != "" {
			ch.SetElement(strings.TrimSpace(pair), "")
		}
	}
	return reply(in, "+OK\n")
}

func uuidKill(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	uuid, cause, _ := strings.Cut(in.Args, " ")
	if uuid == "" {
		return usage(in, "<uuid> [cause]")
	}
	ch := sw.Find(uuid)
	if ch == nil {
		return reply(in, noChannel)
	}
	ch.Hangup(call.ParseCause(cause))
	return reply(in, "+OK\n")
}

func uuidPark(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	ch := sw.Find(in.Args)
	if ch == nil {
		return reply(in, noChannel)
	}
	ch.ParkFrom()
	return reply(in, "+OK\n")
}

// partnerOf is the channel at the other end of a call, bridged or being called.
func partnerOf(sw *call.Switch, ch *call.Channel) *call.Channel {
	if p := ch.Partner(); p != nil {
		return p
	}
	return sw.Find(ch.Get("signal_bond"))
}

func uuidTransfer(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	const syntax = "<uuid> [-bleg|-both] <dest-exten> [<dialplan>] [<context>]"
	f := expand.SplitSeparate(in.Args, ' ', 5)
	if len(f) < 2 || f[0] == "" {
		return usage(in, syntax)
	}
	ch := sw.Find(f[0])
	if ch == nil {
		return reply(in, noChannel)
	}
	rest, legs := f[1:], []*call.Channel{ch}
	switch rest[0] {
	case "-bleg":
		other := partnerOf(sw, ch)
		if other != nil && len(rest) > 1 && ch.True("recording_follow_transfer") {
			ch.HandOverRecordings(other)
		}
		rest, legs = rest[1:], []*call.Channel{other}
	case "-both":
		rest, legs = rest[1:], []*call.Channel{partnerOf(sw, ch), ch}
	}
	if len(rest) == 0 {
		return usage(in, syntax)
	}
	for _, leg := range legs {
		if leg == nil || leg.Transfer(rest[0], word(rest, 1), word(rest, 2)) != nil {
			return reply(in, "-ERR\n")
		}
	}
	return reply(in, "+OK\n")
}

func uuidDualTransfer(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	f := strings.Fields(in.Args)
	if len(f) < 3 {
		return usage(in, "<uuid> <A-dest-exten>[/<A-dialplan>][/<A-context>] <B-dest-exten>[/<B-dialplan>][/<B-context>]")
	}
	ch := sw.Find(f[0])
	if ch == nil {
		return reply(in, noChannel)
	}
	move := func(leg *call.Channel, spec string) {
		if p := append(strings.SplitN(spec, "/", 3), "", ""); leg != nil {
			leg.Transfer(p[0], p[1], p[2])
		}
	}
	other := partnerOf(sw, ch)
	move(ch, f[1])
	move(other, f[2])
	return reply(in, "+OK\n")
}

func uuidHold(ctx context.Context, sw *call.Switch, in *call.Invocation) error {
	f := strings.Fields(in.Args)
	const syntax = "[off|toggle] <uuid> [<display>]"
	if len(f) == 0 {
		usage(in, syntax)
		return reply(in, failed)
	}
	on, toggle, uuid := true, false, f[0]
	switch f[0] {
	case "off", "toggle":
		if len(f) < 2 {
			usage(in, syntax)
			return reply(in, failed)
		}
		on, toggle, uuid = false, f[0] == "toggle", f[1]
	}
	ch := sw.Find(uuid)
	if ch == nil {
		return reply(in, failed)
	}
	if toggle {
		on = !ch.Held()
	}
	if changed, err := ch.HoldFar(ctx, on); err != nil || !changed {
		return reply(in, failed)
	}
	return reply(in, success)
}

func uuidDisplay(ctx context.Context, sw *call.Switch, in *call.Invocation) error {
	uuid, text, ok := strings.Cut(in.Args, " ")
	if !ok {
		return usage(in, "<uuid> <display>")
	}
	ch := sw.Find(uuid)
	if ch == nil {
		return reply(in, failed)
	}
	name, number, _ := strings.Cut(text, "|")
	if d, ok := ch.Leg().(call.Displayer); ok {
		d.Display(ctx, name, number)
	}
	return reply(in, success)
}

func uuidDeflect(ctx context.Context, sw *call.Switch, in *call.Invocation) error {
	uuid, uri, ok := strings.Cut(in.Args, " ")
	if !ok {
		return usage(in, "<uuid> <uri>")
	}
	ch := sw.Find(uuid)
	if ch == nil {
		fmt.Fprintf(in.Out, "-ERR No such channel %s!\n", uuid)
		return nil
	}
	text := ""
	if r, ok := ch.Leg().(call.Redirector); ok {
		if ch.Answered() || ch.Outbound() {
			text, _ = r.Deflect(ctx, uri)
		} else {
			r.Redirect(ctx, uri)
		}
	}
	fmt.Fprintf(in.Out, "+OK:%s\n", text)
	return nil
}

func uuidLimit(d Deps) run {
	return func(_ context.Context, sw *call.Switch, in *call.Invocation) error {
		f := expand.SplitSeparate(in.Args, ' ', 8)
		if len(f) < 4 {
			return reply(in, "USAGE: uuid_limit <uuid> <backend> <realm> <resource> [<max>[/interval]] [number [dialplan [context]]]\n")
		}
		ch := sw.Find(f[0])
		if ch == nil {
			fmt.Fprintf(in.Out, "-ERR Cannot find session with uuid %s\n", f[0])
			return nil
		}
		if !apps.TakeLimit(apps.Deps{Limits: d.Limits}, ch, f[1], f[2], f[3], word(f, 4)) {
			to := word(f, 5)
			if to == "" {
				to = "limit_exceeded"
			}
			if cause, ok := strings.CutPrefix(to, "!"); ok {
				ch.Hangup(call.ParseCause(cause))
			} else {
				ch.Transfer(to, word(f, 6), word(f, 7))
			}
		}
		return reply(in, "+OK")
	}
}

func uuidLimitRelease(d Deps) run {
	return func(_ context.Context, sw *call.Switch, in *call.Invocation) error {
		f := strings.Fields(in.Args)
		if len(f) < 2 {
			return reply(in, "USAGE: uuid_limit_release <uuid> <backend> [realm] [resource]\n")
		}
		if sw.Find(f[0]) == nil {
			fmt.Fprintf(in.Out, "-ERR Cannot find session with uuid %s\n", f[0])
			return nil
		}
		d.Limits.Release(f[1], word(f, 2), word(f, 3), f[0])
		return reply(in, "+OK")
	}
}
