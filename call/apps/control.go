package apps

import (
	"context"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/media"
)

func control(d Deps) []call.Application {
	return []call.Application{
		{Name: "answer", Syntax: "", Description: "Answer the call", Flags: n, Run: answer},
		{Name: "pre_answer", Syntax: "", Description: "Pre-Answer the call", Flags: n, Run: preAnswer},
		{Name: "ring_ready", Syntax: "", Description: "Indicate Ring_Ready", Flags: n, Run: ringReady},
		{Name: "wait_for_answer", Syntax: "", Description: "Wait for call to be answered", Flags: n, Run: waitForAnswer},
		{Name: "hangup", Syntax: "[<cause>]", Description: "Hangup the call", Flags: n, Run: hangup},
		{Name: "sleep", Syntax: "<pausemilliseconds>", Description: "Pause a channel", Flags: n, Run: sleep},
		{Name: "park", Syntax: "", Description: "Park", Flags: n, Run: park},
		{Name: "transfer", Syntax: "<exten> [<dialplan> <context>]", Description: "Transfer a channel", Flags: nr, Run: transfer},
		{Name: "execute_extension", Syntax: "<extension> <dialplan> <context>", Description: "Execute an extension", Flags: n, Run: executeExtension},
		{Name: "respond", Syntax: "<respond_data>", Description: "Send session respond", Flags: n, Run: respond},
		{Name: "redirect", Syntax: "<redirect_data>", Description: "Send session redirect", Flags: nr, Run: redirect},
		{Name: "deflect", Syntax: "<deflect_data>", Description: "Send call deflect", Flags: n, Run: deflect},
		{Name: "hold", Syntax: "[<display message>]", Description: "Send a hold message", Flags: n, Run: hold(true)},
		{Name: "unhold", Syntax: "", Description: "Send a un-hold message", Flags: n, Run: hold(false)},
		{Name: "send_display", Syntax: "<text>", Description: "Send session a new display", Flags: n, Run: sendDisplay},
		{Name: "check_acl", Syntax: "<ip> <acl | cidr> [<hangup_cause>]", Description: "Check an ip against an ACL list", Flags: nr, Run: checkACL(d)},
		{Name: "break", Syntax: "", Description: "Break", Flags: n, Run: breakOff},
	}
}

func answer(ctx context.Context, ch *call.Channel, _ string) error { return ch.Answer(ctx) }

func preAnswer(ctx context.Context, ch *call.Channel, _ string) error { return ch.PreAnswer(ctx) }

func ringReady(ctx context.Context, ch *call.Channel, _ string) error { return ch.RingReady(ctx) }

func waitForAnswer(ctx context.Context, ch *call.Channel, _ string) error {
	signal := make(chan struct{}, 1)
	defer ch.Notify(signal)()
	for !ch.Answered() {
		if err := ch.Wait(ctx, signal, call.WaitOptions{}); err != nil && err != call.ErrBreak {
			return err
		}
	}
	return nil
}

func hangup(_ context.Context, ch *call.Channel, args string) error {
	ch.Hangup(call.ParseCause(args))
	return nil
}

func sleep(ctx context.Context, ch *call.Channel, args string) error {
	ms, err := strconv.Atoi(strings.TrimSpace(args))
	if err != nil || ms < 0 {
		ch.Log(call.LogDebug, "Invalid sleep time [%s]", args)
		return nil
	}
	o := call.WaitOptions{}
	if ch.True("sleep_eat_digits") {
		stop := ch.PlaybackTerminators()
		o.Digit = func(d media.Digit) bool { return stop(d) }
	}
	return ch.Sleep(ctx, time.Duration(ms)*time.Millisecond, o)
}

func park(ctx context.Context, ch *call.Channel, _ string) error { return ch.Park(ctx) }

// route reads "ext [dialplan [context]]".
func route(args string) (ext, dialplan, routing string) {
	f := append(strings.Fields(args), "", "", "")
	return f[0], f[1], f[2]
}

func transfer(_ context.Context, ch *call.Channel, args string) error {
	legs := []*call.Channel{ch}
	if rest, ok := strings.CutPrefix(args, "-bleg "); ok {
		args, legs = rest, []*call.Channel{other(ch)}
	} else if rest, ok := strings.CutPrefix(args, "-both "); ok {
		args, legs = rest, []*call.Channel{other(ch), ch}
	}
	ext, dialplan, routing := transferWords(args)
	if ext == "" {
		ch.Log(call.LogErr, "No extension specified.")
		return nil
	}
	for _, leg := range legs {
		if leg == nil {
			ch.Log(call.LogWarning, "No B-leg present.")
			continue
		}
		if err := leg.Transfer(ext, dialplan, routing); err != nil {
			return err
		}
	}
	return nil
}

// transferWords is route for an extension that may be quoted ('a:b,c:d' inline).
func transferWords(args string) (ext, dialplan, routing string) {
	args = strings.TrimSpace(args)
	if rest, ok := strings.CutPrefix(args, "'"); ok {
		if end := strings.IndexByte(rest, '\''); end >= 0 {
			f := append(strings.Fields(rest[end+1:]), "", "")
			return rest[:end], f[0], f[1]
		}
	}
	return route(args)
}

// other is the channel at the other end: the partner, or who called us, or whom
// we called.
func other(ch *call.Channel) *call.Channel {
	if p := ch.Partner(); p != nil {
		return p
	}
	return ch.Switch().Find(ch.Get("signal_bond"))
}

func executeExtension(ctx context.Context, ch *call.Channel, args string) error {
	ext, dialplan, routing := transferWords(args)
	if ext == "" {
		return usage("execute_extension <extension> [<dialplan> [<context>]]")
	}
	return ch.ExecuteExtension(ctx, ext, dialplan, routing)
}

func respond(ctx context.Context, ch *call.Channel, args string) error {
	code, text, _ := strings.Cut(strings.TrimSpace(args), " ")
	status, err := strconv.Atoi(code)
	if err != nil || status < 100 || status > 699 {
		status, text = 488, "Not Acceptable Here"
	}
	r, ok := ch.Leg().(call.Responder)
	if !ok {
		return call.ErrNoLeg
	}
	return r.Respond(ctx, status, text)
}

func redirect(ctx context.Context, ch *call.Channel, args string) error {
	r, ok := ch.Leg().(call.Redirector)
	if !ok {
		return call.ErrNoLeg
	}
	if ch.Answered() {
		ch.Log(call.LogWarning, "Too late for redirecting, already answered")
		return nil
	}
	return r.Redirect(ctx, args)
}

func deflect(ctx context.Context, ch *call.Channel, args string) error {
	r, ok := ch.Leg().(call.Redirector)
	if !ok {
		return call.ErrNoLeg
	}
	reply, err := r.Deflect(ctx, args)
	ch.Set("sip_refer_reply", reply)
	return err
}

func hold(on bool) run {
	return func(ctx context.Context, ch *call.Channel, _ string) error {
		_, err := ch.HoldFar(ctx, on)
		return err
	}
}

func sendDisplay(ctx context.Context, ch *call.Channel, args string) error {
	name, number, _ := strings.Cut(args, "|")
	if d, ok := ch.Leg().(call.Displayer); ok {
		return d.Display(ctx, name, number)
	}
	return nil
}

func checkACL(d Deps) run {
	return func(_ context.Context, ch *call.Channel, args string) error {
		f := strings.Fields(args)
		if len(f) < 2 {
			return usage("check_acl <ip> <acl | cidr> [<hangup_cause>]")
		}
		ip, err := netip.ParseAddr(f[0])
		allowed := false
		if err == nil {
			allowed, _ = d.ACL.Check(ip, f[1])
		}
		if !allowed {
			cause := call.CauseCallRejected
			if len(f) > 2 {
				cause = call.ParseCause(f[2])
			}
			ch.Hangup(cause)
		}
		return nil
	}
}

func breakOff(_ context.Context, ch *call.Channel, _ string) error {
	ch.Break(false)
	return nil
}
