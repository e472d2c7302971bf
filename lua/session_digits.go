package lua

import (
	"context"
	"errors"
	"fmt"
	"time"

	glua "github.com/yuin/gopher-lua"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/media"
)

// flushEvents empties the queue of events that callbacks would get.
func (x *session) flushEvents() {
	x.do(func(ctx context.Context, ch *call.Channel) error {
		over := make(chan struct{})
		close(over)
		return ch.Wait(ctx, over, call.WaitOptions{Event: func(*event.Event) bool { return false }})
	})
}

func sessionCollectDigits(a *arguments, x *session) int {
	if x.callback == "" {
		return a.pushInt(0)
	}
	between, total := 0, a.num(0, 0)
	if a.given(1) {
		between, total = a.num(0, 0), a.num(1, 0)
	}
	x.do(func(ctx context.Context, ch *call.Channel) error {
		return x.collect(ctx, ch, a.L, milliseconds(between), milliseconds(total))
	})
	return a.pushInt(0)
}

// collect runs the input callback until the total time is over, no digit came for
// the time between, or the callback interrupts. Zero times are no limits.
func (x *session) collect(ctx context.Context, ch *call.Channel, L *glua.LState, between, total time.Duration) error {
	const forever = 24 * time.Hour
	begun := time.Now()
	for {
		wait := forever
		if total > 0 {
			wait = total - time.Since(begun)
		}
		if between > 0 {
			wait = min(wait, between)
		}
		if wait <= 0 {
			return nil
		}
		interrupted, digit := false, false
		o := x.waitOptions(L)
		onDigit, onEvent := o.Digit, o.Event
		o.Digit = func(d media.Digit) bool {
			interrupted, digit = onDigit(d), true
			return interrupted || between > 0
		}
		o.Event = func(e *event.Event) bool {
			interrupted = onEvent(e)
			return interrupted
		}
		err := ch.Sleep(ctx, wait, o)
		if !errors.Is(err, call.ErrStopped) || interrupted || !digit {
			return err
		}
	}
}

func sessionGetDigits(a *arguments, x *session) int {
	o := call.CollectOptions{Max: min(a.num(0, 0), maxDigits), Terminators: a.str(1), First: milliseconds(a.num(2, 0)),
		Inter: milliseconds(a.num(3, 0)), Total: milliseconds(a.num(4, 0))}
	if o.Max <= 0 {
		return a.pushString("")
	}
	var digits string
	err := x.do(func(ctx context.Context, ch *call.Channel) (err error) {
		digits, _, err = ch.Collect(ctx, o)
		return err
	})
	if err != nil {
		x.complain(err, "getDigits")
	}
	if !x.ch.True("sensitive_dtmf") {
		x.log(call.LogDebug, "getDigits dtmf_buf: "+digits+"\n")
	}
	return a.pushString(digits)
}

// maxDigits is the longest result of getDigits.
const maxDigits = 511

func sessionRead(a *arguments, x *session) int {
	o := call.ReadOptions{Min: a.num(0, 0), Max: a.num(1, 0), File: a.str(2), Timeout: milliseconds(max(a.num(3, 0), 1)),
		Terminators: a.str(4), DigitTimeout: milliseconds(a.num(5, 0))}
	var digits string
	x.do(func(ctx context.Context, ch *call.Channel) error {
		digits, _ = ch.ReadDigits(ctx, o)
		return nil
	})
	return a.pushString(digits)
}

func sessionPlayAndGetDigits(a *arguments, x *session) int {
	o := call.PagdOptions{Min: a.num(0, 0), Max: a.num(1, 0), Tries: a.num(2, 0), Timeout: milliseconds(a.num(3, 0)),
		Terminators: a.str(4), File: a.str(5), BadFile: a.str(6), Variable: a.str(8),
		DigitTimeout: milliseconds(a.num(9, 0)), Transfer: a.str(10)}
	if pattern := a.str(7); pattern != "" {
		o.Valid = func(digits string) bool {
			_, ok, err := x.s.host.regexes.Match(digits, pattern)
			if err != nil {
				x.log(call.LogErr, fmt.Sprintf("COMPILE ERROR: %v\n", err))
			}
			return ok
		}
	}
	var digits string
	x.do(func(ctx context.Context, ch *call.Channel) error {
		digits = ch.PlayAndGetDigits(ctx, o)
		return nil
	})
	return a.pushString(digits)
}
