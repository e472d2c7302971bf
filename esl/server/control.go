package server

import (
	"strconv"
	"strings"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/esl"
)

const noSession = "-ERR not controlling a session"

// connect replies with the call's data: the plain form of CHANNEL_DATA as the
// head itself (spec/esl.md §6.3).
func (l *listener) connect(*esl.Command, string) answer {
	e := event.New(event.ChannelData, "")
	l.channel().AddData(e)
	e.Add("Content-Type", "command/reply")
	e.Add("Reply-Text", "+OK\n")
	mode, control := "static", "single-channel"
	if l.async {
		mode = "async"
	}
	if l.full {
		control = "full"
	}
	e.Add("Socket-Mode", mode)
	e.Add("Control", control)
	l.sw.Bus.Stamp(e, "mod_event_socket.c", "parse_command", 2010)
	select {
	case <-l.connected:
	default:
		close(l.connected)
	}
	return answer{raw: e.AppendPlain(nil)}
}

// getvar replies with a variable's value as it is.
func (l *listener) getvar(_ *esl.Command, arg string) answer {
	v, _ := l.channel().Lookup(strings.TrimSpace(arg))
	return say(oneLine(v))
}

// resume lets the dialplan go on when the connection is gone.
func (l *listener) resume(*esl.Command, string) answer {
	l.channel().Set("socket_resume", "true")
	return say("+OK")
}

// setLinger keeps the connection after the end of its call.
func (l *listener) setLinger(_ *esl.Command, arg string) answer {
	if l.channel() == nil {
		return say(noSession)
	}
	l.linger = -1
	if n, err := strconv.Atoi(strings.TrimSpace(arg)); err == nil && n > 0 {
		l.linger = min(n, maxLinger)
		return say("+OK will linger " + itoa(l.linger) + " seconds")
	}
	return say("+OK will linger")
}

// maxLinger is a day, in seconds.
const maxLinger = 86400

func (l *listener) nolinger(*esl.Command, string) answer {
	if l.channel() == nil {
		return say(noSession)
	}
	l.linger = 0
	return say("+OK will not linger")
}

// sendevent fires an event, or puts it on the queue of the call that it names
// (spec/esl.md §2.3).
func (l *listener) sendevent(c *esl.Command, arg string) answer {
	t, ok := event.ParseType(strings.TrimSpace(arg))
	if !ok {
		// Guides write any name here, and the real one in the head.
		if t, ok = event.ParseType(c.Headers.Get("Event-Name")); !ok {
			t = event.Clone
		}
	}
	e := commandEvent(t, c)
	id := call.NewUUID()
	e.Add("Event-UUID", id)
	if ch := l.sw.Find(e.Get("Unique-ID")); ch != nil {
		ch.QueueEvent(e)
	} else {
		l.sw.Bus.Publish(e, "mod_event_socket.c", "parse_command", 2345)
	}
	return say("+OK " + id)
}

// commandEvent is a client's packet as an event.
func commandEvent(t event.Type, c *esl.Command) *event.Event {
	subclass := ""
	if t == event.Custom {
		subclass = c.Headers.Get("Event-Subclass")
	}
	e := event.New(t, subclass)
	e.Add("Command", c.Line)
	for _, h := range c.Headers {
		e.Add(h.Name, h.Value)
	}
	if c.Body != "" {
		e.SetBody(c.Body)
	}
	return e
}
