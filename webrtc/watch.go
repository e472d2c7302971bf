package webrtc

import (
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
)

// defaultJitter is a profile's auto-jitterbuffer-msec when it names none.
const defaultJitter = "1p:20p"

// watch applies what variables and the profile say of lost media and of the
// jitter buffer, and ends the call on which nothing is heard for too long.
func (l *leg) watch(held bool) {
	var limit, hold time.Duration
	read := func(unit time.Duration, v *time.Duration, names ...string) {
		for _, n := range names {
			if i, err := strconv.Atoi(l.ch.Get(n)); err == nil && i >= 0 {
				*v = time.Duration(i) * unit
			}
		}
	}
	read(time.Second, &limit, "rtp_timeout_sec")
	read(time.Second, &hold, "rtp_hold_timeout_sec")
	read(time.Millisecond, &limit, "media_timeout", "media_timeout_audio")
	if hold == 0 {
		hold = 10 * limit
	}
	read(time.Millisecond, &hold, "media_hold_timeout", "media_hold_timeout_audio")
	if held {
		limit = hold
	}
	l.ch.Port().OnTimeout(limit, l.silent)
}

// silent is called when nothing was heard for the limit.
func (l *leg) silent() {
	if app := l.ch.Get("execute_on_media_timeout"); app != "" {
		name, args, ok := strings.Cut(app, "::")
		if !ok {
			name, args, _ = strings.Cut(app, " ")
		}
		if err := l.ch.PostExecute(name, args, false); err == nil {
			return
		}
	}
	l.ch.Log(call.LogNotice, "Hangup %s: no media was received", l.ch.Name())
	l.ch.Hangup(call.CauseMediaTimeout)
}

// smooth sets the bounds of the jitter buffer: "MIN[:MAX]" in ms, or in packets
// with a p behind.
func (l *leg) smooth() {
	v := l.ch.Get("jitterbuffer_msec")
	if v == "" {
		v = l.profile.jitter
	}
	low, high := jitterBounds(v)
	l.ch.Port().SetJitter(low, high)
}

func jitterBounds(text string) (low, high int) {
	first, second, _ := strings.Cut(text, ":")
	number := func(s string) int {
		scale := 1
		if packets, ok := strings.CutSuffix(s, "p"); ok {
			s, scale = packets, 20
		}
		n, err := strconv.Atoi(s)
		if err != nil || n <= 0 || n*scale > 10000 {
			return 20
		}
		return n * scale
	}
	low = number(first)
	if second != "" {
		high = max(number(second), low)
	}
	return low, high
}
