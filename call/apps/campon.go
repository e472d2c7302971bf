package apps

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/originate"
	"github.com/switchlet/switchlet/media"
)

// camp is what the campon variables of a channel ask for.
type camp struct {
	retries        int
	timeout, pause time.Duration
	music, stopKey string
	announce       string
}

func readCamp(ch *call.Channel) camp {
	positive := func(name string, otherwise int) int {
		if n := number(ch.Get(name), 0); n > 0 {
			return n
		}
		return otherwise
	}
	c := camp{retries: positive("campon_retries", 100), music: ch.Get("campon_hold_music"), stopKey: ch.Get("campon_stop_key"),
		timeout: time.Duration(positive("campon_timeout", 10)) * time.Second, announce: ch.Get("campon_announce_sound"),
		pause: time.Duration(positive("campon_sleep", 10)) * time.Second}
	if c.music == "" {
		c.music = ch.HoldMusic()
	}
	if strings.EqualFold(c.music, "silence") {
		c.music = ""
	}
	return c
}

// errCampOver ends camping: the stop key was pressed, or there were tries enough.
var errCampOver = errors.New("camping is over")

// campOn answers the caller and dials again and again, with music, until somebody
// answers.
func campOn(ctx context.Context, ch *call.Channel, url string) (*call.Channel, error) {
	if err := ch.Answer(ctx); err != nil {
		return nil, err
	}
	c := readCamp(ch)
	stop := call.WaitOptions{Digit: func(d media.Digit) bool { return c.stopKey != "" && c.stopKey[0] == d.Char }}
	p := ch.Profile()
	o := originate.Options{Timeout: c.timeout, CallerName: p.CallerName, CallerNumber: p.CallerNumber}
	if v := ch.Get("effective_caller_id_name"); v != "" {
		o.CallerName = v
	}
	if v := ch.Get("effective_caller_id_number"); v != "" {
		o.CallerNumber = v
	}
	quiet := func() {}
	defer func() { quiet() }()
	var last error = call.CauseNoAnswer
	for try := 0; try < c.retries; try++ {
		if try > 0 {
			done, cancel := later(c.pause)
			err := wait(ctx, ch, done, stop)
			cancel()
			if err != nil {
				return nil, campEnd(err)
			}
		}
		d := dialBeside(ch.Switch(), url, o)
		err := wait(ctx, ch, d.done, stop)
		if err != nil {
			d.drop()
			return nil, campEnd(err)
		}
		if d.peer != nil {
			return d.peer, nil
		}
		last = d.err
		if try == 0 {
			if c.announce != "" {
				if _, err := ch.Play(ctx, c.announce, call.PlayOptions{}); err != nil && !ch.Up() {
					return nil, err
				}
			}
			if c.music != "" {
				if fn, err := ch.PlayBehind(ctx, c.music); err == nil {
					quiet = fn
				}
			}
		}
	}
	return nil, errors.Join(errCampOver, last)
}

func campEnd(err error) error {
	if errors.Is(err, call.ErrStopped) {
		return errors.Join(errCampOver, call.CauseOriginatorCancel)
	}
	return err
}

// wait serves the channel until done is closed, through breaks.
func wait(ctx context.Context, ch *call.Channel, done <-chan struct{}, o call.WaitOptions) error {
	for {
		if err := ch.Wait(ctx, done, o); !errors.Is(err, call.ErrBreak) {
			return err
		}
	}
}

// later is closed after d, or when stop is called.
func later(d time.Duration) (done <-chan struct{}, stop func()) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	return ctx.Done(), cancel
}

// afterCamp sends a caller whom nobody answered to the fallback extension; false
// if there is none.
func afterCamp(ch *call.Channel, err error) bool {
	to := ch.Get("campon_fallback_exten")
	if to == "" || !errors.Is(err, errCampOver) || !ch.Ready() {
		return false
	}
	if err := ch.Transfer(to, ch.Get("campon_fallback_dialplan"), ch.Get("campon_fallback_context")); err != nil {
		ch.Log(call.LogErr, "campon_fallback_exten: %v", err)
	}
	return true
}
