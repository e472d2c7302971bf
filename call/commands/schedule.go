package commands

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/apps"
	"github.com/switchlet/switchlet/call/expand"
)

func schedule(d Deps) []call.Command {
	const m = "mod_commands"
	return []call.Command{
		{Name: "sched_api", Syntax: "[+@]<time> <group_name> <command_string>[&]", Description: "Schedule an api command", Module: m, Run: schedAPI},
		{Name: "unsched_api", Syntax: "<task_id>", Description: "Unschedule an api command", Module: m, Run: unschedAPI},
		{Name: "sched_del", Syntax: "<task_id>|<group_id>", Description: "Delete a scheduled task", Module: m, Run: schedDel},
		{Name: "sched_hangup", Syntax: "[+]<time> <uuid> [<cause>]", Description: "Schedule a running call to hangup", Module: m, Run: schedHangup},
		{Name: "sched_transfer", Syntax: "[+]<time> <uuid> <extension> [<dialplan>] [<context>]", Description: "Schedule a transfer for a running call", Module: m, Run: schedTransfer},
		{Name: "sched_broadcast", Syntax: "[[+]<time>|@time] <uuid> <path> [aleg|bleg|both]", Description: "Schedule a broadcast event to a running call", Module: m, Run: schedBroadcast},
	}
}

const schedAPIUsage = "-ERR Invalid syntax. USAGE: [+@]<time> <group_name> <command_string>[&]\n"

func schedAPI(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	f := strings.SplitN(in.Args, " ", 3)
	if len(f) < 3 {
		return reply(in, schedAPIUsage)
	}
	var every time.Duration
	when := f[0]
	if rest, ok := strings.CutPrefix(when, "@"); ok {
		n, err := strconv.Atoi(rest)
		if err != nil || n <= 0 {
			return reply(in, schedAPIUsage)
		}
		every, when = time.Duration(n)*time.Second, "+"+rest
	}
	at, err := apps.When(when)
	if err != nil {
		return reply(in, schedAPIUsage)
	}
	name, args, _ := strings.Cut(strings.TrimSuffix(strings.TrimSpace(f[2]), "&"), " ")
	id := sw.Scheduler.Add(at, every, "sched_api_function", f[1], func(ctx context.Context) {
		out, err := sw.Run(ctx, name, args, nil, nil)
		if err != nil {
			sw.Log.Printf(call.LogErr, "sched_api: command [%s %s] failed: %v", name, args, err)
			return
		}
		sw.Log.Printf(call.LogDebug, "Command %s(%s):\n%s", name, args, out)
	})
	fmt.Fprintf(in.Out, "+OK Added: %d\n", id)
	return nil
}

func unschedAPI(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	if in.Args == "" {
		return nil
	}
	id, err := strconv.ParseInt(in.Args, 10, 64)
	if err != nil || !sw.Scheduler.Delete(id) {
		return reply(in, "-ERR No such id\n")
	}
	return reply(in, "+OK\n")
}

func schedDel(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	n := 0
	if id, err := strconv.ParseInt(in.Args, 10, 64); err == nil {
		if sw.Scheduler.Delete(id) {
			n = 1
		}
	} else {
		n = sw.Scheduler.DeleteGroup(in.Args)
	}
	fmt.Fprintf(in.Out, "+OK Deleted: %d\n", n)
	return nil
}

var errTooFew = errors.New("too few arguments")

// scheduled finds the time and the channel of "[+]<time> <uuid> …".
func scheduled(sw *call.Switch, in *call.Invocation, syntax string, least int) (f []string, at time.Time, ch *call.Channel, done bool) {
	f = expand.SplitSeparate(in.Args, ' ', 6)
	if len(f) == 0 || f[0] == "" {
		usage(in, syntax)
		return nil, at, nil, true
	}
	if len(f) < least && sw.Find(word(f, 1)) == nil {
		reply(in, noChannel)
		return nil, at, nil, true
	}
	at, err := apps.When(f[0])
	if len(f) < least {
		err = errTooFew
	}
	if err != nil {
		usage(in, syntax)
		return nil, at, nil, true
	}
	if ch = sw.Find(f[1]); ch == nil {
		reply(in, noChannel)
		return nil, at, nil, true
	}
	return f, at, ch, false
}

func word(f []string, i int) string {
	if i < len(f) {
		return f[i]
	}
	return ""
}

func schedHangup(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	f, at, ch, done := scheduled(sw, in, "[+]<time> <uuid> [<cause>]", 2)
	if done {
		return nil
	}
	cause := call.CauseAllottedTimeout
	if w := word(f, 2); w != "" {
		cause = call.ParseCause(w)
	}
	apps.HangupAt(ch, at, cause, false)
	return reply(in, "+OK\n")
}

func schedTransfer(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	f, at, ch, done := scheduled(sw, in, "[+]<time> <uuid> <extension> [<dialplan>] [<context>]", 3)
	if done {
		return nil
	}
	apps.TransferAt(ch, at, f[2], word(f, 3), word(f, 4))
	return reply(in, "+OK\n")
}

func schedBroadcast(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	f := expand.SplitSeparate(in.Args, ' ', 4)
	if len(f) < 3 {
		return usage(in, "[[+]<time>|@time] <uuid> <path> [aleg|bleg|both]")
	}
	at, err := apps.When(strings.Replace(f[0], "@", "+", 1))
	if err != nil {
		return usage(in, "[[+]<time>|@time] <uuid> <path> [aleg|bleg|both]")
	}
	if ch := sw.Find(f[1]); ch != nil {
		apps.BroadcastAt(ch, at, f[2], word(f, 3))
	}
	return reply(in, "+OK Message scheduled\n")
}
