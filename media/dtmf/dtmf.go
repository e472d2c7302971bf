// Package dtmf makes and hears dual-tone digits (ITU-T Q.23, Q.24) in PCM, and
// reads strings of digits.
//
// A Generator is a media.Source of queued digits. A Detector is fed frames and
// returns the digits in them, each once, when it ends. Parse reads what
// send_dtmf, uuid_send_dtmf and dial strings accept. Digits as RTP events
// (RFC 4733) are the business of media/rtp.
package dtmf

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/media"
)

// keys are the digits by row and column.
const keys = "123A456B789C*0#D"

var (
	rows    = [4]float64{697, 770, 852, 941}     // Hz
	columns = [4]float64{1209, 1336, 1477, 1633} // Hz
)

// Durations in samples at 8 kHz, as media.Digit has them (spec: sip.md §9.2).
const (
	DefaultDuration = 2000   // 250 ms
	MinDuration     = 400    // 50 ms
	MaxDuration     = 192000 // 24 s
)

// Pauses inside a string of digits.
const (
	ShortPause = 500 * time.Millisecond  // w
	LongPause  = 1000 * time.Millisecond // W
)

// Frequencies returns the two frequencies in Hz of a digit 0-9, A-D (of either case), * or #.
func Frequencies(digit byte) (low, high float64, ok bool) {
	if digit >= 'a' && digit <= 'd' {
		digit -= 'a' - 'A'
	}
	i := strings.IndexByte(keys, digit)
	if i < 0 {
		return 0, 0, false
	}
	return rows[i/4], columns[i%4], true
}

// Valid reports whether c is a digit that can be sent: 0-9, A-D, *, # or F (flash), of either case.
func Valid(c byte) bool {
	if c == 'F' || c == 'f' {
		return true
	}
	_, _, ok := Frequencies(c)
	return ok
}

// Step is a digit to send, or a pause.
type Step struct {
	Digit media.Digit   // Char is 0 for a pause
	Pause time.Duration // 0 for a digit
}

// MaxSteps bounds a string of digits.
const MaxSteps = 1024

// ErrEmpty is returned for a string without a digit.
var ErrEmpty = errors.New("dtmf: no digits")

// Parse reads "1234", "1w2W#", "123@500" (500 ms a digit) and "12@100+34@300":
// segments joined by "+", each with its own duration. Digits without a duration have
// the default; durations are kept within MinDuration and MaxDuration. Any other character is an error
// that names its place.
func Parse(s string) ([]Step, error) {
	var steps []Step
	start := 0
	for segment := range strings.SplitSeq(s, "+") {
		digits, ms, has := strings.Cut(segment, "@")
		duration := DefaultDuration
		if has {
			n, err := strconv.Atoi(strings.TrimSpace(ms))
			if err != nil || n < 0 {
				return nil, fmt.Errorf("dtmf: %q at byte %d: expected milliseconds after @", ms, start+len(digits)+1)
			}
			if n > 0 {
				duration = Clamp(min(n, MaxDuration) * 8)
			}
		}
		for i := range len(digits) {
			step, err := parseDigit(digits[i], duration)
			if err != nil {
				return nil, fmt.Errorf("dtmf: %q at byte %d: %w", digits[i], start+i, err)
			}
			if len(steps) == MaxSteps {
				return nil, fmt.Errorf("dtmf: more than %d digits", MaxSteps)
			}
			steps = append(steps, step)
		}
		start += len(segment) + 1
	}
	if len(steps) == 0 {
		return nil, ErrEmpty
	}
	return steps, nil
}

func parseDigit(c byte, duration int) (Step, error) {
	switch {
	case c == 'w':
		return Step{Pause: ShortPause}, nil
	case c == 'W':
		return Step{Pause: LongPause}, nil
	case !Valid(c):
		return Step{}, errors.New("expected 0-9, A-D, *, #, F, w or W")
	case c >= 'a' && c <= 'z':
		c -= 'a' - 'A'
	}
	return Step{Digit: media.Digit{Char: c, Duration: duration, Source: media.DigitApp}}, nil
}

// Clamp brings a duration in samples at 8 kHz within what can be sent; 0 or less
// is the default.
func Clamp(duration int) int {
	if duration <= 0 {
		return DefaultDuration
	}
	return min(max(duration, MinDuration), MaxDuration)
}
