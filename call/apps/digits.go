package apps

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/expand"
	"github.com/switchlet/switchlet/media"
)

func digits(d Deps) []call.Application {
	return []call.Application{
		{Name: "read", Syntax: "<min> <max> <file> <var_name> <timeout> <terminators> <digit_timeout>", Description: "Read Digits", Run: read},
		{Name: "play_and_get_digits", Syntax: "\n\t<min> <max> <tries> <timeout> <terminators> <file> <invalid_file> <var_name> <regexp> [<digit_timeout>] ['<failure_ext> [failure_dp [failure_context]]']", Description: "Play and get Digits", Run: playAndGetDigits(d)},
		{Name: "queue_dtmf", Syntax: "<dtmf_data>", Description: "Queue dtmf to be sent", Run: queueDTMF},
		{Name: "send_dtmf", Syntax: "<dtmf_data>", Description: "Send dtmf to be sent", Run: sendDTMF},
		{Name: "flush_dtmf", Syntax: "", Description: "flush any queued dtmf", Flags: n, Run: flushDTMF},
		{Name: "start_dtmf", Syntax: "", Description: "Detect dtmf", Flags: n, Run: inband(true)},
		{Name: "stop_dtmf", Syntax: "", Description: "stop inband dtmf", Flags: n, Run: inband(false)},
		{Name: "start_dtmf_generate", Syntax: "", Description: "Generate dtmf", Run: soundDigits},
		{Name: "stop_dtmf_generate", Syntax: "", Description: "stop inband dtmf generation", Run: silenceDigits},
		{Name: "block_dtmf", Syntax: "", Description: "Block DTMF", Flags: n, Run: block("true")},
		{Name: "unblock_dtmf", Syntax: "", Description: "Stop blocking DTMF", Flags: n, Run: block("")},
	}
}

// arg is f[i], "" beyond the end.
func arg(f []string, i int) string {
	if i < len(f) {
		return f[i]
	}
	return ""
}

func number(s string, otherwise int) int {
	if v, err := strconv.Atoi(strings.TrimSpace(s)); err == nil {
		return v
	}
	return otherwise
}

func ms(v int) time.Duration { return time.Duration(v) * time.Millisecond }

func read(ctx context.Context, ch *call.Channel, args string) error {
	f := expand.SplitSeparate(args, ' ', 7)
	if len(f) < 2 {
		return usage("read <min> <max> <file> <var_name> <timeout> <terminators> <digit_timeout>")
	}
	timeout := max(number(arg(f, 4), 1000), 1000)
	terminators := arg(f, 5)
	if terminators == "" {
		terminators = "#"
	}
	ch.ReadDigits(ctx, call.ReadOptions{Min: number(f[0], 0), Max: number(f[1], 0), File: arg(f, 2), Variable: arg(f, 3),
		Timeout: ms(timeout), Terminators: terminators, DigitTimeout: ms(number(arg(f, 6), timeout))})
	return nil
}

func playAndGetDigits(d Deps) run {
	return func(ctx context.Context, ch *call.Channel, args string) error {
		f := expand.SplitSeparate(args, ' ', 12)
		if len(f) < 7 {
			return usage("play_and_get_digits <min> <max> <tries> <timeout> <terminators> <file> <invalid_file> <var_name> <regexp> [<digit_timeout>] ['<failure_ext> [failure_dp [failure_context]]']")
		}
		o := call.PagdOptions{Min: number(f[0], 0), Max: number(f[1], 0), Tries: number(f[2], 0),
			Timeout: ms(number(f[3], 1000)), Terminators: f[4], File: f[5], BadFile: f[6], Variable: arg(f, 7),
			DigitTimeout: ms(number(arg(f, 9), number(f[3], 1000))), Transfer: arg(f, 10)}
		if pattern := arg(f, 8); pattern != "" {
			o.Valid = func(digits string) bool {
				_, ok, err := d.Regex.Match(digits, pattern)
				if err != nil {
					ch.Log(call.LogErr, "play_and_get_digits: %v", err)
				}
				return ok
			}
		}
		ch.PlayAndGetDigits(ctx, o)
		return nil
	}
}

func queueDTMF(_ context.Context, ch *call.Channel, args string) error {
	list, err := call.ParseDigits(args, media.DigitApp)
	for _, d := range list {
		if d.Char != 'w' && d.Char != 'W' {
			ch.QueueDigit(d)
		}
	}
	return err
}

func sendDTMF(_ context.Context, ch *call.Channel, args string) error {
	list, err := call.ParseDigits(args, media.DigitApp)
	if err != nil {
		return err
	}
	return ch.SendDigits(list)
}

func flushDTMF(_ context.Context, ch *call.Channel, _ string) error {
	ch.FlushDigits()
	return nil
}

func inband(on bool) run {
	return func(_ context.Context, ch *call.Channel, _ string) error {
		ch.Port().DetectInband(on)
		return nil
	}
}

// soundDigits makes tones of the digits that the far end presses, or with "write" of
// those that are sent to it.
func soundDigits(ctx context.Context, ch *call.Channel, args string) error {
	if err := ch.PreAnswer(ctx); err != nil {
		return err
	}
	if strings.EqualFold(strings.TrimSpace(args), "write") {
		ch.SoundDigits(media.Write)
	} else {
		ch.SoundDigits(media.Read)
	}
	return nil
}

func silenceDigits(_ context.Context, ch *call.Channel, _ string) error {
	ch.SoundDigits(0)
	return nil
}

func block(value string) run {
	return func(_ context.Context, ch *call.Channel, _ string) error {
		ch.Set("drop_dtmf", value)
		return nil
	}
}
