package call

import (
	"fmt"
	"maps"
	"strconv"

	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/media"
)

// Digit durations in samples at 8 kHz (switch.conf min-, max- and
// default-dtmf-duration).
const (
	DigitDurationMin     = 400
	DigitDurationMax     = 192000
	DigitDurationDefault = 2000
)

// ReceiveDigit takes a digit that the far end pressed: an interceptor
// (bind_meta_app) sees it first, then it is queued for whoever reads digits. A
// full queue drops it.
func (c *Channel) ReceiveDigit(d media.Digit) {
	if c.True("drop_dtmf") {
		c.maskDigit()
		return
	}
	if c.intercepted(&c.interceptIn, d) || c.sounded(media.Read, d) {
		return
	}
	c.QueueDigit(d)
}

// SoundDigits turns digits into tones from now on: with media.Read those that the far
// end presses, for all who hear it, with media.Write those that are sent to the far
// end; 0 ends it. What became a tone is no digit any more.
func (c *Channel) SoundDigits(d media.Direction) { c.soundDigits.Store(int32(d)) }

// sounded plays a digit as a tone if digits of that direction are to be tones. One that
// was found in the sound is there already.
func (c *Channel) sounded(d media.Direction, digit media.Digit) bool {
	if media.Direction(c.soundDigits.Load()) != d {
		return false
	}
	c.port.PlayDigits([]media.Digit{digit}, d)
	if !c.True("sensitive_dtmf") {
		c.Fire(event.DTMF, nil, []Var{{"DTMF-Digit", string(digit.Char)}, {"DTMF-Duration", strconv.Itoa(digit.Duration)},
			{"DTMF-Source", media.DigitApp.String()}, {"DTMF-Conversion", "native:inband"}})
	}
	return true
}

// maskDigit lets the partner hear drop_dtmf_masking_digits or
// drop_dtmf_masking_file instead of a digit that is dropped.
func (c *Channel) maskDigit() {
	partner := c.Partner()
	if partner == nil {
		return
	}
	if list, err := ParseDigits(c.Get("drop_dtmf_masking_digits"), media.DigitApp); err == nil && len(list) > 0 {
		partner.SendDigits(list)
	}
	if file := c.Get("drop_dtmf_masking_file"); file != "" {
		if err := partner.PostExecute("playback", file, false); err != nil {
			c.Log(LogWarning, "drop_dtmf_masking_file: %v", err)
		}
	}
}

// QueueDigit puts a digit on the queue without showing it to interceptors.
func (c *Channel) QueueDigit(d media.Digit) {
	switch {
	case d.Duration == 0:
		d.Duration = DigitDurationDefault
	case d.Duration < DigitDurationMin:
		d.Duration = DigitDurationMin
	case d.Duration > DigitDurationMax:
		d.Duration = DigitDurationMax
	}
	select {
	case c.digits <- d:
	default:
		c.Log(LogWarning, "%s digit queue is full, dropping %c", c.Name(), d.Char)
	}
}

// Intercept sets, under a name of its owner's, a function that sees received
// digits before they are queued and swallows those for which it returns true;
// nil removes it. It is called from the media's or the endpoint's goroutine and
// must not block.
func (c *Channel) Intercept(owner string, fn func(media.Digit) bool) {
	c.setIntercept(&c.interceptIn, owner, fn)
}

// InterceptPassed is Intercept for the digits that a partner pressed and that the
// bridge would pass on to this channel's far end.
func (c *Channel) InterceptPassed(owner string, fn func(media.Digit) bool) {
	c.setIntercept(&c.interceptOut, owner, fn)
}

func (c *Channel) setIntercept(m *map[string]func(media.Digit) bool, owner string, fn func(media.Digit) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := maps.Clone(*m) // readers use the old map without the lock
	if fn == nil {
		delete(next, owner)
	} else {
		if next == nil {
			next = make(map[string]func(media.Digit) bool)
		}
		next[owner] = fn
	}
	*m = next
}

// intercepted reports whether a function of the map swallowed the digit.
func (c *Channel) intercepted(m *map[string]func(media.Digit) bool, d media.Digit) bool {
	c.mu.Lock()
	list := *m
	c.mu.Unlock()
	taken := false
	for _, fn := range list {
		taken = fn(d) || taken
	}
	return taken
}

// passDigit hands a digit that the partner pressed to the far end.
func (c *Channel) passDigit(d media.Digit) {
	if !c.intercepted(&c.interceptOut, d) {
		c.SendDigits([]media.Digit{d})
	}
}

// FlushDigits empties the queue.
func (c *Channel) FlushDigits() {
	for {
		select {
		case <-c.digits:
		default:
			return
		}
	}
}

// HasDigit reports whether a digit waits.
func (c *Channel) HasDigit() bool { return len(c.digits) > 0 }

// NextDigit takes a digit from the queue without waiting and fires its DTMF
// event.
func (c *Channel) NextDigit() (media.Digit, bool) {
	select {
	case d := <-c.digits:
		c.fireDigit(d)
		return d, true
	default:
		return media.Digit{}, false
	}
}

func (c *Channel) fireDigit(d media.Digit) {
	if !c.True("sensitive_dtmf") {
		if old := c.vars.Get("digits_dialed"); len(old) < 512 {
			if old == "none" {
				old = ""
			}
			c.vars.Set("digits_dialed", old+string(d.Char))
		}
		c.Fire(event.DTMF, nil, []Var{{"DTMF-Digit", string(d.Char)},
			{"DTMF-Duration", strconv.Itoa(d.Duration)}, {"DTMF-Source", d.Source.String()}})
	}
}

// SendDigits sends digits to the far end, by RFC 4733 or as its endpoint can.
func (c *Channel) SendDigits(digits []media.Digit) error {
	if !c.MediaReady() {
		return ErrNotReady
	}
	if media.Direction(c.soundDigits.Load()) != media.Write {
		c.port.SendDigits(digits)
		return nil
	}
	for _, d := range digits {
		c.sounded(media.Write, d)
	}
	return nil
}

// ParseDigits reads "12*#" with pauses (w 500 ms, W 1 s), segments joined by
// '+', each with an optional "@ms" length. defaultDuration is in samples at
// 8 kHz.
func ParseDigits(s string, source media.DigitSource) ([]media.Digit, error) {
	var out []media.Digit
	for len(s) > 0 {
		segment, rest := s, ""
		for i := 1; i < len(s); i++ {
			if s[i] == '+' {
				segment, rest = s[:i], s[i+1:]
				break
			}
		}
		s = rest
		duration := DigitDurationDefault
		for i := 0; i < len(segment); i++ {
			if segment[i] == '@' {
				ms, err := strconv.Atoi(segment[i+1:])
				if err != nil || ms <= 0 {
					return nil, fmt.Errorf("digits: bad length %q, want milliseconds", segment[i+1:])
				}
				duration = min(max(ms*8, DigitDurationMin), DigitDurationMax)
				segment = segment[:i]
				break
			}
		}
		for i := 0; i < len(segment); i++ {
			ch := segment[i]
			switch {
			case ch >= '0' && ch <= '9', ch == '*', ch == '#', ch >= 'A' && ch <= 'D', ch == 'F', ch == 'w', ch == 'W':
			case ch >= 'a' && ch <= 'd', ch == 'f':
				ch -= 'a' - 'A'
			default:
				return nil, fmt.Errorf("digits: %q is no digit", string(ch))
			}
			out = append(out, media.Digit{Char: ch, Duration: duration, Source: source})
		}
	}
	return out, nil
}
