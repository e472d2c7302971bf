package apps

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
)

func scheduling(Deps) []call.Application {
	return []call.Application{
		{Name: "sched_hangup", Syntax: "[+]<time> [<cause>]", Description: "Schedule a hangup in the future", Flags: nr, Run: schedHangup},
		{Name: "sched_transfer", Syntax: "[+]<time> <extension> <dialplan> <context>", Description: "Schedule a transfer in the future", Flags: n, Run: schedTransfer},
		{Name: "sched_broadcast", Syntax: "[+]<time> <path> [aleg|bleg|both]", Description: "Schedule a broadcast in the future", Flags: n, Run: schedBroadcast},
		{Name: "sched_cancel", Syntax: "[group]", Description: "cancel scheduled tasks", Flags: n, Run: schedCancel},
	}
}

// When reads "[+]seconds": with + from now, without since the epoch.
func When(s string) (time.Time, error) {
	rest, relative := strings.CutPrefix(s, "+")
	seconds, err := strconv.ParseInt(rest, 10, 64)
	if err != nil {
		return time.Time{}, errors.New("bad time " + strconv.Quote(s) + ", want [+]seconds")
	}
	if relative {
		return time.Now().Add(time.Duration(seconds) * time.Second), nil
	}
	return time.Unix(seconds, 0), nil
}

// HangupAt schedules a hang-up; +0 hangs up at once.
func HangupAt(ch *call.Channel, at time.Time, cause call.Cause, bleg bool) int64 {
	hang := func(context.Context) {
		target := ch
		if bleg {
			if target = other(ch); target == nil {
				return
			}
		}
		target.Hangup(cause)
	}
	if !at.After(time.Now()) {
		hang(nil)
		return 0
	}
	return ch.Switch().Scheduler.Add(at, 0, "sched_hangup", ch.UUID(), hang)
}

// TransferAt schedules a transfer.
func TransferAt(ch *call.Channel, at time.Time, ext, dialplan, routing string) int64 {
	return ch.Switch().Scheduler.Add(at, 0, "switch_ivr_schedule_transfer", ch.UUID(), func(context.Context) {
		ch.Transfer(ext, dialplan, routing)
	})
}

func schedHangup(_ context.Context, ch *call.Channel, args string) error {
	f := strings.Fields(args)
	if len(f) == 0 {
		return usage("sched_hangup [+]<time> [<cause>]")
	}
	at, err := When(f[0])
	if err != nil {
		return err
	}
	cause := call.CauseAllottedTimeout
	if len(f) > 1 {
		cause = call.ParseCause(f[1])
	}
	remember(ch, HangupAt(ch, at, cause, arg(f, 2) == "bleg"))
	return nil
}

func remember(ch *call.Channel, id int64) {
	if id > 0 {
		ch.Set("last_sched_id", strconv.FormatInt(id, 10))
	}
}

func schedTransfer(_ context.Context, ch *call.Channel, args string) error {
	f := strings.Fields(args)
	if len(f) < 2 {
		return usage("sched_transfer [+]<time> <extension> [<dialplan>] [<context>]")
	}
	at, err := When(f[0])
	if err != nil {
		return err
	}
	remember(ch, TransferAt(ch, at, f[1], arg(f, 2), arg(f, 3)))
	return nil
}

func schedBroadcast(_ context.Context, ch *call.Channel, args string) error {
	f := strings.Fields(args)
	if len(f) < 2 {
		return usage("sched_broadcast [+]<time> <path> [aleg|bleg|both]")
	}
	at, err := When(f[0])
	if err != nil {
		return err
	}
	remember(ch, BroadcastAt(ch, at, f[1], arg(f, 2)))
	return nil
}

// BroadcastAt schedules a Broadcast.
func BroadcastAt(ch *call.Channel, at time.Time, path, legs string) int64 {
	return ch.Switch().Scheduler.Add(at, 0, "switch_ivr_schedule_broadcast", ch.UUID(), func(context.Context) {
		Broadcast(ch, path, legs)
	})
}

func schedCancel(_ context.Context, ch *call.Channel, args string) error {
	s := ch.Switch().Scheduler
	if id, err := strconv.ParseInt(args, 10, 64); err == nil {
		s.Delete(id)
		return nil
	}
	if args == "" {
		args = ch.UUID()
	}
	s.DeleteGroup(args)
	return nil
}
