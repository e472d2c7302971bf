package call

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/switchlet/switchlet/media"
)

// CollectOptions bound a collection of digits. A zero time is no limit; if First
// is zero it is Inter, and the other way round.
type CollectOptions struct {
	Max         int
	Terminators string
	First       time.Duration // until the first digit
	Inter       time.Duration // between digits
	Total       time.Duration
	Got         string // digits that are there already
}

// Collect reads digits until Max of them, a terminator (returned apart, 0 if
// none), a time limit, or the end of the call.
func (c *Channel) Collect(ctx context.Context, o CollectOptions) (digits string, terminator byte, err error) {
	digits = o.Got
	if o.First == 0 {
		o.First = o.Inter
	}
	if o.Inter == 0 {
		o.Inter = o.First
	}
	c.clearBreak()
	defer c.idle()()
	var end time.Time
	if o.Total > 0 {
		end = time.Now().Add(o.Total)
	}
	next := o.First
	if digits != "" {
		next = o.Inter
	}
	for len(digits) < o.Max {
		d, ok, err := c.awaitDigit(ctx, next, end)
		if !ok || err != nil {
			return digits, 0, err
		}
		if strings.IndexByte(o.Terminators, d.Char) >= 0 {
			return digits, d.Char, nil
		}
		digits += string(d.Char)
		next = o.Inter
	}
	return digits, 0, nil
}

// awaitDigit waits for one digit, limit (0: none) and until end (zero: none) at
// most. No digit in time is ok false.
func (c *Channel) awaitDigit(ctx context.Context, limit time.Duration, end time.Time) (d media.Digit, ok bool, err error) {
	if left := time.Until(end); !end.IsZero() && (limit == 0 || left < limit) {
		limit = max(left, 1)
	}
	var done chan struct{}
	if limit > 0 {
		done = make(chan struct{})
		t := time.AfterFunc(limit, func() { close(done) })
		defer t.Stop()
	}
	err = c.Wait(ctx, done, WaitOptions{Digit: func(got media.Digit) bool { d, ok = got, true; return true }})
	if errors.Is(err, ErrStopped) {
		err = nil
	}
	return d, ok, err
}

// ReadOptions are the arguments of the application read.
type ReadOptions struct {
	Min, Max              int
	File                  string // prompt, "" or "silence" for none
	Timeout, DigitTimeout time.Duration
	// Terminators end the input. A leading '=' makes one compulsory; "+x" keeps x in
	// the digits.
	Terminators string
	Variable    string // gets the digits, "" for none
}

// ReadDigits plays a prompt that the first digit stops and reads digits. result
// is success, timeout (at least Min, but no more came in time) or failure (fewer
// than Min, or no compulsory terminator); it is in read_result too, and
// the terminator in read_terminator_used (spec/lua.md §3.5).
func (c *Channel) ReadDigits(ctx context.Context, o ReadOptions) (digits, result string) {
	o.Min, o.Max = max(o.Min, 1), max(o.Max, 1)
	if o.Max < o.Min {
		c.Log(LogWarning, "Max digits %d is less than Min %d, forcing Max to %d", o.Max, o.Min, o.Min)
		o.Max = o.Min
	}
	return c.readOnce(ctx, o)
}

// terminators takes a terminator list apart.
func terminators(s string) (list, keep string, required bool) {
	s, required = strings.CutPrefix(s, "=")
	for i := 0; i < len(s); i++ {
		if (s[i] == '+' || s[i] == 'x') && i+1 < len(s) {
			i++
			keep += string(s[i])
		}
		list += string(s[i])
	}
	return list, keep, required
}

func (c *Channel) readOnce(ctx context.Context, o ReadOptions) (digits, result string) {
	c.PreAnswer(ctx)
	c.vars.Set("read_result", "")
	if o.Variable != "" {
		c.vars.Set(o.Variable, "")
	}
	list, keep, required := terminators(o.Terminators)
	var first media.Digit
	if o.File != "" && !strings.EqualFold(o.File, "silence") {
		if c.HasDigit() {
			first, _ = c.NextDigit()
		} else {
			_, err := c.Play(ctx, o.File, PlayOptions{Digit: func(_ *media.Playback, d media.Digit) bool { first = d; return true }})
			if err != nil && !quiet(err) {
				c.Log(LogErr, "%s: %v", o.File, err)
			}
		}
	}
	var used byte
	var err error
	got := ""
	if first.Char != 0 {
		if strings.IndexByte(list, first.Char) >= 0 {
			used = first.Char
		} else {
			got = string(first.Char)
		}
	}
	if used == 0 {
		digits, used, err = c.Collect(ctx, CollectOptions{Max: o.Max, Terminators: list, First: o.Timeout, Inter: o.DigitTimeout, Got: got})
	}
	switch {
	case !c.Up(), err != nil, len(digits) < o.Min, required && used == 0:
		result = "failure"
	case used == 0 && len(digits) < o.Max:
		result = "timeout"
	default:
		result = "success"
	}
	if used != 0 {
		if strings.IndexByte(keep, used) >= 0 {
			digits += string(used)
		}
		c.vars.Set("read_terminator_used", string(used))
	}
	c.vars.Set("read_result", result)
	if o.Variable != "" {
		c.vars.Set(o.Variable, digits)
	}
	return digits, result
}

// PagdOptions are the arguments of play_and_get_digits.
type PagdOptions struct {
	Min, Max, Tries       int
	Timeout, DigitTimeout time.Duration
	Terminators           string
	File, BadFile         string
	Variable              string
	Transfer              string            // "ext [dialplan [context]]" when all tries failed
	Valid                 func(string) bool // nil accepts everything
}

// PlayAndGetDigits asks for digits up to Tries times and returns them when they
// are valid, "" otherwise (spec/lua.md §3.5).
func (c *Channel) PlayAndGetDigits(ctx context.Context, o PagdOptions) string {
	o.Max = max(o.Max, o.Min, 1)
	read := ReadOptions{Min: max(o.Min, 1), Max: o.Max, File: o.File, Timeout: o.Timeout,
		DigitTimeout: o.DigitTimeout, Terminators: o.Terminators}
	for try := 0; try < max(o.Tries, 1) && c.Ready() && ctx.Err() == nil; try++ {
		c.vars.Set("read_terminator_used", "")
		digits, _ := c.readOnce(ctx, read)
		if o.Min == 0 && digits == "" && c.Get("read_terminator_used") != "" {
			return ""
		}
		enough := len(digits) >= max(o.Min, 1)
		if enough && (o.Valid == nil || o.Valid(digits)) {
			if o.Variable != "" {
				c.vars.Set(o.Variable, digits)
			}
			return digits
		}
		if o.Variable != "" {
			c.vars.Set(o.Variable, "")
			if digits != "" {
				c.vars.Set(o.Variable+"_invalid", digits)
			}
		}
		if o.BadFile != "" && !strings.EqualFold(o.BadFile, "silence") && c.Ready() && ctx.Err() == nil {
			c.Play(ctx, o.BadFile, PlayOptions{})
		}
	}
	if o.Transfer != "" && c.Ready() {
		to := append(strings.Fields(o.Transfer), "", "")
		c.Log(LogWarning, "PAGD failure! Transfer to: %s / %s / %s", to[0], to[1], to[2])
		c.Transfer(to[0], to[1], to[2])
	}
	return ""
}
