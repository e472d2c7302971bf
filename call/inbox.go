package call

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/call/expand"
	"github.com/switchlet/switchlet/media"
)

// Message is work that somebody else gives to a channel's goroutine. It is
// served where the channel waits: park, bridge, playback, sleep and so on.
type Message struct {
	// Run is the work. ctx ends when the channel's current state does.
	Run func(ctx context.Context, ch *Channel)
	// Lock keeps other messages waiting until Run returns (event-lock); without
	// it the next one may start inside Run's own waits.
	Lock bool
	// Command is what came in, for the PRIVATE_COMMAND event; nil for none.
	Command *event.Event
}

// Post hands a message to the channel. It fails with ErrHungup or ErrInboxFull.
func (c *Channel) Post(m *Message) error {
	if !c.Up() {
		return ErrHungup
	}
	select {
	case c.inbox <- m:
		return nil
	default:
		return ErrInboxFull
	}
}

// PostExecute queues an application.
func (c *Channel) PostExecute(app, args string, lock bool) error {
	return c.Post(&Message{Lock: lock, Run: func(ctx context.Context, ch *Channel) { ch.Execute(ctx, app, args) }})
}

// Call runs fn in the channel's goroutine and waits until it is done. It must
// not be called from that goroutine.
func (c *Channel) Call(ctx context.Context, fn func(ctx context.Context, ch *Channel) error) error {
	result := make(chan error, 1)
	if err := c.Post(&Message{Run: func(ctx context.Context, ch *Channel) { result <- fn(ctx, ch) }}); err != nil {
		return err
	}
	select {
	case err := <-result:
		return err
	case <-c.done:
		return ErrHungup
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// serve runs one message.
func (c *Channel) serve(ctx context.Context, m *Message) {
	if m.Lock {
		c.locked++
		defer func() { c.locked-- }()
	}
	m.Run(ctx, c)
	if m.Command != nil && c.sw.Bus.Wanted(event.PrivateCommand, "") {
		e := m.Command.Clone()
		e.Type = event.PrivateCommand
		c.AddTo(e)
		c.Publish(e)
	}
}

// serveUrgent runs the hooks that wait, without waiting itself.
func (c *Channel) serveUrgent(ctx context.Context) {
	for {
		select {
		case m := <-c.urgent:
			m.Run(ctx, c)
		default:
			return
		}
	}
}

// RunHooks queues what the variables execute_on_KIND… and api_on_KIND… ask for; the
// channel's goroutine runs them before anything else.
func (c *Channel) RunHooks(kind string) {
	for _, v := range c.hooks("execute_on_" + kind) {
		c.queueHook(v, true)
	}
	for _, v := range c.hooks("api_on_" + kind) {
		c.queueHook(v, false)
	}
}

// hooks are the values of the variables prefix, prefix_1, prefix_anything …, in their
// order, and the elements of those that are arrays. The prefix is in lower case.
func (c *Channel) hooks(prefix string) (out []string) {
	c.vars.each(func(name, value string) {
		if len(name) < len(prefix) || name[0]|0x20 != prefix[0] || !strings.EqualFold(name[:len(prefix)], prefix) {
			return
		}
		// execute_on_media_timeout is a moment of its own, not one of execute_on_media.
		if rest := name[len(prefix):]; rest == "" || rest[0] == '_' && rest != "_timeout" {
			out = append(out, value)
		}
	})
	for i := 0; i < len(out); i++ {
		if expand.IsArray(out[i]) {
			list := expand.ParseArray(out[i])
			out = slices.Replace(out, i, i+1, list...)
			i += len(list) - 1
		}
	}
	return out
}

// queueHook queues "app arguments", "app:arguments" or "app::arguments", or the command
// of an api_on_….
func (c *Channel) queueHook(value string, app bool) {
	c.queue(value, func(ctx context.Context, ch *Channel) {
		if !app {
			name, args, _ := strings.Cut(value, " ")
			ch.sw.Run(ctx, name, ch.Expand(args), ch, nil)
			return
		}
		name, args := value, ""
		if i := strings.IndexAny(value, " :"); i >= 0 {
			name, args = value[:i], value[i+1:]
			if value[i] == ':' {
				args = strings.TrimPrefix(args, ":")
			}
		}
		ch.Execute(ctx, name, args)
	})
}

// queue lets the channel's goroutine run fn before anything else; about is for the log.
func (c *Channel) queue(about string, fn func(ctx context.Context, ch *Channel)) {
	select {
	case c.urgent <- &Message{Run: fn}:
	default:
		c.Log(LogErr, "Too many hooks on %s, dropping [%s]", c.Name(), about)
	}
}

// Break ends the current wait (uuid_break). With all it also drops queued
// messages.
func (c *Channel) Break(all bool) {
	if all {
		for {
			select {
			case <-c.inbox:
				continue
			default:
			}
			break
		}
	}
	select {
	case c.breaks <- struct{}{}:
	default:
	}
}

// clearBreak forgets a Break that came before a new operation.
func (c *Channel) clearBreak() {
	select {
	case <-c.breaks:
	default:
	}
}

// QueueEvent puts an event on the channel's own queue, where callbacks of
// applications see it. A full queue drops it.
func (c *Channel) QueueEvent(e *event.Event) bool {
	select {
	case c.events <- e:
		return true
	default:
		return false
	}
}

// WaitOptions tell what a wait looks at beside its end.
type WaitOptions struct {
	// Digit takes digits from the queue as they come; true ends the wait with
	// ErrStopped. Without it digits stay queued.
	Digit func(media.Digit) bool
	// Event takes events of the channel's queue; true ends the wait.
	Event func(*event.Event) bool
	// Deaf waits serve no messages.
	Deaf bool
}

// Wait blocks until done is closed or delivers (nil), ctx ends (its cause), the
// wait is broken (ErrBreak) or an option's function stops it (ErrStopped).
// Meanwhile it serves the channel's inbox. It is called in the channel's
// goroutine only.
func (c *Channel) Wait(ctx context.Context, done <-chan struct{}, o WaitOptions) error {
	return c.wait(ctx, done, nil, o)
}

// wait is Wait that ends when a timer fires, too.
func (c *Channel) wait(ctx context.Context, done <-chan struct{}, over <-chan time.Time, o WaitOptions) error {
	for {
		c.serveUrgent(ctx)
		var digits chan media.Digit
		if o.Digit != nil {
			digits = c.digits
		}
		var events chan *event.Event
		if o.Event != nil {
			events = c.events
		}
		inbox := c.inbox
		if o.Deaf || c.locked > 0 {
			inbox = nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		default:
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-done:
			return nil
		case <-over:
			return nil
		case <-c.breaks:
			return ErrBreak
		case m := <-c.urgent:
			m.Run(ctx, c)
		case m := <-inbox:
			c.serve(ctx, m)
		case d := <-digits:
			c.fireDigit(d)
			if o.Digit(d) {
				return ErrStopped
			}
		case e := <-events:
			if o.Event(e) {
				return ErrStopped
			}
		}
	}
}
