package originate

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
)

// confirmState is how far the confirmation of a leg is.
type confirmState int

const (
	unconfirmed confirmState = iota
	confirming
	confirmed
)

// confirmLimit bounds how long a callee may think about the key of a group
// confirmation that group_confirm_cancel_timeout gives all the time.
const confirmLimit = 24 * time.Hour

// confirm asks an answered leg for the key of group_confirm_key; true when there
// is nothing to ask or it was pressed.
func (r *race) confirm(l *leg) bool {
	key := r.confirmKey(l)
	if key == "" {
		return true
	}
	ask := confirmation{key: key, file: r.legSetting(l, "group_confirm_file"), failure: r.legSetting(l, "group_confirm_error_file"), wait: 5 * time.Second}
	if ms, err := strconv.Atoi(r.legSetting(l, "group_confirm_read_timeout")); err == nil && ms > 0 {
		ask.wait = time.Duration(min(ms, int(confirmLimit/time.Millisecond))) * time.Millisecond
	}
	switch l.confirm {
	case unconfirmed:
		l.confirm = confirming
		r.extend(l)
		wake := r.wake
		l.c.Post(&call.Message{Run: func(ctx context.Context, c *call.Channel) {
			l.confirmed <- ask.run(ctx, c)
			wake()
		}})
		return false
	case confirming:
		select {
		case ok := <-l.confirmed:
			if !ok {
				l.end(call.CauseNormalClearing)
				return false
			}
			l.confirm = confirmed
			l.c.Set("group_dial_status", "winner")
			for _, name := range [...]string{"key", "file", "error_file", "cancel_timeout", "read_timeout"} {
				l.c.Set("group_confirm_"+name, "") // a call that this leg makes is not to be confirmed
			}
			return true
		default:
			return false
		}
	}
	return true
}

// confirmKey is the key that a callee confirms with, "exec", or "" for none.
func (r *race) confirmKey(l *leg) string { return r.legSetting(l, "group_confirm_key") }

// legSetting is a variable of the leg, else of all legs or the A leg.
func (r *race) legSetting(l *leg, name string) string {
	v := l.vars.Get(name)
	if v == "" {
		v = r.settings.get(name)
	}
	if strings.EqualFold(v, "undef") {
		return ""
	}
	return v
}

// extend gives a leg that is asked to confirm the time of group_confirm_timeout
// (seconds, 0 for no limit), or all the time with group_confirm_cancel_timeout.
func (r *race) extend(l *leg) {
	text := r.legSetting(l, "group_confirm_timeout")
	n, err := strconv.ParseInt(text, 10, 32)
	switch {
	case err == nil && n > 0:
		l.deadline, l.free = time.Now().Add(time.Duration(n)*time.Second), true
	case err == nil && n == 0, text == "" && call.True(r.legSetting(l, "group_confirm_cancel_timeout")):
		l.deadline, l.free = time.Time{}, true
	default:
		return
	}
	l.progress = time.Time{}
}

// confirmation is what a callee is asked for.
type confirmation struct {
	key, file, failure string
	wait               time.Duration
}

// run asks until the key is pressed; false if it never was.
func (q confirmation) run(ctx context.Context, c *call.Channel) bool {
	if strings.EqualFold(q.key, "exec") {
		app, args, _ := strings.Cut(q.file, " ")
		c.Execute(ctx, app, args)
		return c.Up()
	}
	for c.Ready() && ctx.Err() == nil {
		digits, _ := c.ReadDigits(ctx, call.ReadOptions{Min: len(q.key), Max: len(q.key), File: q.file, Timeout: q.wait})
		if digits == q.key {
			return true
		}
		if q.failure != "" && c.Ready() {
			if _, err := c.Play(ctx, q.failure, call.PlayOptions{}); err != nil {
				c.Log(call.LogErr, "group_confirm_error_file %s: %v", q.failure, err)
				q.failure = ""
			}
		}
	}
	return false
}
