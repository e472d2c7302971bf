package apps

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/media"
)

func recordings(Deps) []call.Application {
	return []call.Application{
		{Name: "record", Syntax: "<path> [<time_limit_secs>] [<silence_thresh>] [<silence_hits>]", Description: "Record File", Run: record},
		{Name: "record_session", Syntax: "<path> [+<timeout>]", Description: "Record Session", Run: recordSession},
		{Name: "stop_record_session", Syntax: "<path>", Description: "Stop Record Session", Flags: n, Run: stopRecordSession},
		{Name: "record_session_mask", Syntax: "<path>", Description: "Mask audio in recording", Flags: n, Run: each((*call.Channel).MaskRecording, true)},
		{Name: "record_session_unmask", Syntax: "<path>", Description: "Stop masking audio in recording", Flags: n, Run: each((*call.Channel).MaskRecording, false)},
		{Name: "record_session_pause", Syntax: "<path>", Description: "Pause recording", Flags: n, Run: each((*call.Channel).PauseRecording, true)},
		{Name: "record_session_resume", Syntax: "<path>", Description: "Resume paused recording", Flags: n, Run: each((*call.Channel).PauseRecording, false)},
	}
}

func record(ctx context.Context, ch *call.Channel, args string) error {
	f := strings.Fields(args)
	if len(f) == 0 {
		return usage("record <path> [<time_limit_secs>] [<silence_thresh>] [<silence_hits>]")
	}
	o := call.RecordOptions{Limit: time.Duration(number(strings.TrimPrefix(arg(f, 1), "+"), 0)) * time.Second,
		Threshold: number(arg(f, 2), 0)}
	if o.Threshold > 0 {
		// silence_hits counts seconds of silence, as recordFile does: 3 if not given.
		o.SilenceHits = max(number(arg(f, 3), 3), 1) * int(time.Second/media.FrameTime)
	}
	stop := ch.PlaybackTerminators()
	o.Digit = func(_ *media.Recording, d media.Digit) bool { return stop(d) }
	err := ch.Record(ctx, f[0], o)
	if err != nil && ch.Up() && err != call.ErrStopped && err != call.ErrBreak && err != call.ErrMoved {
		ch.Hangup(call.CauseDestinationOutOfOrder)
	}
	return err
}

// recordArgs reads "<path> [+<seconds>] [{vars}]".
func recordArgs(args string) (path string, limit time.Duration, vars []call.Var) {
	if open := strings.LastIndexByte(args, '{'); open > 0 && strings.HasSuffix(args, "}") {
		for _, pair := range strings.Split(args[open+1:len(args)-1], ",") {
			if name, value, ok := strings.Cut(pair, "="); ok {
				vars = append(vars, call.Var{Name: strings.TrimSpace(name), Value: value})
			}
		}
		args = strings.TrimSpace(args[:open])
	}
	if at := strings.LastIndex(args, " +"); at > 0 {
		if s, err := strconv.ParseInt(args[at+2:], 10, 32); err == nil && s > 0 {
			limit = time.Duration(s) * time.Second
			args = strings.TrimSpace(args[:at])
		}
	}
	return args, limit, vars
}

func recordSession(_ context.Context, ch *call.Channel, args string) error {
	path, limit, vars := recordArgs(args)
	if path == "" {
		return usage("record_session <path> [+<timeout>] [{var1=x,var2=y}]")
	}
	return ch.StartRecording(path, limit, vars)
}

func stopRecordSession(_ context.Context, ch *call.Channel, args string) error {
	return ch.StopRecording(args)
}

func each(fn func(ch *call.Channel, path string, on bool) error, on bool) run {
	return func(_ context.Context, ch *call.Channel, args string) error { return fn(ch, args, on) }
}
