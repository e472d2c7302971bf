package server

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/esl"
)

// order is what a sendmsg asks of a call, ready to run in the call's goroutine.
type order struct {
	run  func(ctx context.Context, ch *call.Channel)
	lock bool   // event-lock
	app  string // the application of an execute
}

// orders finds an order by its call-command.
func orders() map[string]func(c *esl.Command) order {
	return map[string]func(c *esl.Command) order{
		"execute": executeOrder,
		"hangup":  hangupOrder,
		"unicast": unicastOrder,
		"nomedia": nomediaOrder,
		"xferext": extensionOrder,
	}
}

// sendmsg gives an order to a call: that of the line, of the header session-id,
// or the controlled one (spec/esl.md §8.1).
func (l *listener) sendmsg(c *esl.Command, arg string) answer {
	target := strings.TrimSpace(arg)
	if target == "" {
		target = c.Headers.Get("session-id")
	}
	own := l.channel()
	ch := own
	if target != "" && (own == nil || own.UUID() != target) {
		ch = l.sw.Find(target)
	}
	if ch == nil {
		return say("-ERR invalid session id [" + target + "]")
	}
	name := strings.ToLower(c.Headers.Get("call-command"))
	if name == "" {
		ch.Log(call.LogErr, "Invalid Command!")
		return say("+OK")
	}
	build, ok := l.s.orders[name]
	if !ok {
		return say("+OK")
	}
	o := build(c)
	if !ch.Up() {
		l.afterlife(ch, o)
		return say("+OK")
	}
	if ch == own && l.outbound && !l.async && !call.True(c.Headers.Get("async")) {
		l.inline(ch, o)
		return say("+OK")
	}
	err := ch.Post(&call.Message{Run: o.run, Lock: o.lock, Command: commandEvent(event.Command, c)})
	if errors.Is(err, call.ErrInboxFull) {
		return say("-ERR memory error")
	}
	return say("+OK")
}

// inline runs an order to its end in the goroutine of the call, which serves its
// inbox while the listener has it.
func (l *listener) inline(ch *call.Channel, o order) {
	done := make(chan struct{})
	err := ch.Post(&call.Message{Run: func(ctx context.Context, ch *call.Channel) {
		defer close(done)
		o.run(ctx, ch)
	}})
	if err != nil {
		return
	}
	select {
	case <-done:
	case <-ch.Reported():
	case <-l.ctx.Done():
	}
}

// afterlife runs an application that works on a hung-up call, as long as the
// listener keeps that from being destroyed. Others are skipped.
func (l *listener) afterlife(ch *call.Channel, o order) {
	app := l.sw.Application(o.app)
	if app == nil || app.Flags&call.Zombie == 0 || ch != l.channel() {
		return
	}
	select {
	case <-ch.Reported():
		o.run(l.s.ctx, ch)
	default:
	}
}

// shortLoop is a run so short that repeating it would only burn time.
const shortLoop = 500 * time.Millisecond

// leadFrame is the time of one audio frame, which lead-frames counts.
const leadFrame = 20 * time.Millisecond

func executeOrder(c *esl.Command) order {
	h := c.Headers
	app, arg := h.Get("execute-app-name"), h.Get("execute-app-arg")
	if arg == "" && strings.EqualFold(h.Get("content-type"), "text/plain") {
		arg = c.Body
	}
	loops := 1
	if n, err := strconv.Atoi(h.Get("loops")); err == nil && n != 0 {
		loops = n
	}
	lead, _ := strconv.Atoi(h.Get("lead-frames"))
	id, idName := h.Get("Event-UUID"), h.Get("Event-UUID-Name")
	holdPartner := call.True(h.Get("hold-bleg"))
	run := func(ctx context.Context, ch *call.Channel) {
		if app == "" {
			ch.Log(call.LogErr, "Invalid Command!")
			return
		}
		if lead > 0 {
			ch.Sleep(ctx, min(time.Duration(lead), maxLead)*leadFrame, call.WaitOptions{Deaf: true})
		}
		if holdPartner {
			defer entertain(ch)()
		}
		repeat(ctx, ch, loops, func() error {
			if id != "" {
				ch.Set("app_uuid", id)
			}
			if idName != "" {
				ch.Set("app_uuid_name", idName)
			}
			return ch.Execute(ctx, app, arg)
		})
	}
	return order{run: run, app: app, lock: call.True(h.Get("event-lock")) || call.True(h.Get("event-lock-pri"))}
}

// maxLead bounds lead-frames: five seconds.
const maxLead = 250

// repeat runs an application so many times, without end if loops is negative.
func repeat(ctx context.Context, ch *call.Channel, loops int, once func() error) {
	if loops != 1 {
		defer ch.Set("current_loop", "")
		defer ch.Set("total_loops", "")
	}
	for i := 1; loops < 0 || i <= loops; i++ {
		if loops != 1 {
			ch.Set("current_loop", itoa(i))
			ch.Set("total_loops", itoa(loops))
		}
		began := time.Now()
		err := once()
		if !ch.Ready() || ctx.Err() != nil || errors.Is(err, call.ErrBreak) || time.Since(began) < shortLoop {
			return
		}
	}
}

// entertain plays hold music to the bridged partner until stop is called.
func entertain(ch *call.Channel) (stop func()) {
	partner, music := ch.Partner(), ch.Get("hold_music")
	if music == "" {
		music = ch.Switch().Globals.Get("hold_music")
	}
	if partner == nil || music == "" || strings.EqualFold(music, "silence") {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ch.Context())
	err := partner.Post(&call.Message{Run: func(own context.Context, p *call.Channel) {
		own, end := context.WithCancelCause(own)
		defer end(nil)
		defer context.AfterFunc(ctx, func() { end(call.ErrBreak) })()
		p.Execute(own, "playback", music)
	}})
	if err != nil {
		cancel()
	}
	return cancel
}

func hangupOrder(c *esl.Command) order {
	cause := call.CauseNormalClearing
	if name := c.Headers.Get("hangup-cause"); name != "" {
		cause = call.ParseCause(name)
	}
	return order{run: func(_ context.Context, ch *call.Channel) { ch.Hangup(cause) }}
}

// nomediaOrder takes the media of a call out of the switch by the command that
// does so.
func nomediaOrder(c *esl.Command) order {
	uuid := c.Headers.Get("nomedia-uuid")
	return order{run: func(ctx context.Context, ch *call.Channel) {
		out, err := ch.Switch().Run(ctx, "uuid_media", "off "+uuid, ch, nil)
		if err != nil || strings.HasPrefix(out, "-") {
			ch.Log(call.LogWarning, "nomedia %s: %s", uuid, strings.TrimSpace(out))
		}
	}}
}

// extensionOrder makes the call run the applications of the headers instead of
// what it does.
func extensionOrder(c *esl.Command) order {
	ext := &call.Extension{Name: "xferext"}
	for _, h := range c.Headers {
		if strings.EqualFold(h.Name, "application") {
			app, data, _ := strings.Cut(h.Value, " ")
			ext.Actions = append(ext.Actions, call.Action{App: app, Data: strings.TrimLeft(data, " ")})
		}
	}
	return order{run: func(_ context.Context, ch *call.Channel) {
		if len(ext.Actions) > 0 {
			ch.TransferTo(ext)
		}
	}}
}
