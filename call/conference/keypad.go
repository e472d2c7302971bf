package conference

import (
	"strings"
	"time"
)

// control is one key, or sequence of keys, and what it does.
type control struct{ digits, action, data string }

// maxKeys bounds a sequence of keys.
const maxKeys = 128

// keypad finds controls in the digits of one member: the longest that matches,
// once no longer one can. It is used in his channel's goroutine only.
type keypad struct {
	bindings []control
	timeout  time.Duration // until a shorter match counts
	wake     func()

	typed    string
	deadline time.Time
	timer    *time.Timer
	matched  []control
}

// press takes a digit and reports whether a control matched.
func (k *keypad) press(char byte, now time.Time) bool {
	if len(k.bindings) == 0 {
		return false
	}
	if len(k.typed) < maxKeys {
		k.typed += string(char)
	}
	exact, longer := k.look()
	if exact == nil && !longer && len(k.typed) > 1 {
		// What was typed leads nowhere: the last digit may begin anew.
		k.typed = string(char)
		exact, longer = k.look()
	}
	switch {
	case longer:
		k.deadline = now.Add(k.timeout)
		if k.timer == nil {
			k.timer = time.AfterFunc(k.timeout, k.wake)
		} else {
			k.timer.Reset(k.timeout)
		}
		return false
	case exact == nil:
		k.reset()
		return false
	}
	k.match(*exact)
	return true
}

// expire settles for the shorter match when its time has come.
func (k *keypad) expire() {
	if k.deadline.IsZero() || time.Now().Before(k.deadline) {
		return
	}
	if exact, _ := k.look(); exact != nil {
		k.match(*exact)
		return
	}
	k.reset()
}

// look returns the control that was typed, and whether a longer one may follow.
func (k *keypad) look() (exact *control, longer bool) {
	for i, c := range k.bindings {
		if c.digits == k.typed {
			exact = &k.bindings[i]
		} else if strings.HasPrefix(c.digits, k.typed) {
			longer = true
		}
	}
	return exact, longer
}

func (k *keypad) match(c control) {
	k.matched = append(k.matched, c)
	k.reset()
}

func (k *keypad) reset() {
	k.typed, k.deadline = "", time.Time{}
	if k.timer != nil {
		k.timer.Stop()
	}
}

// take returns the controls that matched since the last call.
func (k *keypad) take() []control {
	m := k.matched
	k.matched = nil
	return m
}

// stop forgets what was typed.
func (k *keypad) stop() { k.reset() }
