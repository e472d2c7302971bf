package originate

import (
	"strconv"
	"time"

	"github.com/switchlet/switchlet/call"
)

// timeout is the time that all legs together have.
func (r *race) timeout() time.Duration {
	if d := r.settings.seconds("originate_timeout"); r.settings.own.Get("originate_timeout") != "" && d > 0 {
		return d
	}
	if r.opts.Timeout > 0 {
		return r.opts.Timeout
	}
	if d := r.settings.seconds("call_timeout"); d > 0 {
		return d
	}
	return DefaultTimeout
}

// seconds reads a time limit; 0: none, or no number of seconds that an int32 can hold.
func seconds(text string) int {
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0
	}
	return int(n)
}

// legLimits ends legs whose own time is over and returns the next moment of
// interest.
func (r *race) legLimits(now, next time.Time) time.Time {
	for _, l := range r.legs {
		if !l.c.Up() {
			continue
		}
		if !l.deadline.IsZero() {
			if !now.Before(l.deadline) {
				l.end(call.CauseAllottedTimeout)
				continue
			}
			next = earlier(next, l.deadline)
		}
		if !l.progress.IsZero() && !l.c.Ringing() && !l.c.MediaReady() {
			if !now.Before(l.progress) {
				l.end(call.CauseProgressTimeout)
				continue
			}
			next = earlier(next, l.progress)
		}
	}
	return next
}

// expire ends the legs whose time is over and reports whether any may go on.
func (r *race) expire() bool {
	left := false
	for _, l := range r.legs {
		if l.free && l.c.Up() {
			left, l.free = true, false // until confirmLimit
			continue
		}
		l.end(call.CauseNoAnswer)
	}
	return left
}

// startDelayed calls the legs whose leg_delay_start is over, and the first of them at
// once when no other is left; it returns when to look again, next at the latest.
func (r *race) startDelayed(now, next time.Time) time.Time {
	var first time.Time
	active := false
	for _, l := range r.legs {
		switch {
		case l.start.IsZero():
			active = active || l.c.Up()
		case first.IsZero() || l.start.Before(first):
			first = l.start
		}
	}
	if first.IsZero() {
		return next
	}
	ahead := time.Duration(0)
	if !active && first.After(now) {
		ahead = first.Sub(now)
	}
	for _, l := range r.legs {
		if l.start.IsZero() {
			continue
		}
		l.start = l.start.Add(-ahead)
		for _, t := range [...]*time.Time{&l.deadline, &l.progress} {
			if !t.IsZero() {
				*t = t.Add(-ahead)
			}
		}
		if now.Before(l.start) {
			next = earlier(next, l.start)
			continue
		}
		l.start = time.Time{}
		l.c.Start()
	}
	return next
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
