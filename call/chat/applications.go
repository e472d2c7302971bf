package chat

import (
	"context"
	"errors"
	"strings"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
)

// noExecute marks a message on which no further application runs; it is no header
// that goes anywhere.
const noExecute = "chat_no_execute"

// replyProto is what FreeSWITCH puts as proto on replies.
const replyProto = "GLOBAL_SMS"

// basics are the applications that FreeSWITCH's mod_sms has.
func (r *Router) basics() []Application {
	return []Application{
		{Name: "info", Description: "Display Call Info", Run: r.info},
		{Name: "reply", Description: "reply to a message", Run: r.reply},
		{Name: "stop", Description: "stop execution", Run: stop},
		{Name: "final", Description: "final delivery", Run: final},
		{Name: "set", Description: "set a variable", Run: set},
		{Name: "unset", Description: "unset a variable", Run: unset},
		{Name: "send", Description: "send the message as-is", Run: r.send},
		{Name: "fire", Description: "fire the message", Run: r.fire},
		{Name: "system", Description: "execute a system command", Run: r.system},
	}
}

func (r *Router) info(_ context.Context, e *event.Event, args string) error {
	level := call.LogInfo
	if l, ok := call.ParseLevel(args); ok && args != "" {
		level = l
	}
	shown := e.Clone()
	r.sw.Bus.Stamp(shown, "mod_sms.c", "info_function", 489)
	r.sw.Log.Printf(level, "CHANNEL_DATA:\n%s", shown.AppendPlain(nil))
	return nil
}

// reply sends a text back to whom the message is from.
func (r *Router) reply(_ context.Context, e *event.Event, args string) error {
	proto := e.Get("proto")
	if proto == "" {
		return nil
	}
	answer := Reply(e)
	answer.Set("proto", replyProto)
	answer.Set("dest_proto", proto)
	if args != "" {
		answer.SetBody(args)
	}
	return r.Send(answer)
}

// Reply makes the answer to a message: from and to, and all that begins so, have
// changed places, and the text is in orig_body.
func Reply(e *event.Event) *event.Event {
	answer := event.New(event.Message, "")
	for _, h := range e.Headers {
		low := strings.ToLower(h.Name)
		name := h.Name
		switch {
		case low == noExecute:
			continue
		case strings.HasPrefix(low, "from_"):
			name = "to_" + h.Name[len("from_"):]
		case strings.HasPrefix(low, "to_"):
			name = "from_" + h.Name[len("to_"):]
		case low == "to":
			name = "from"
		case low == "from":
			name = "to"
		}
		answer.Add(name, h.Value)
	}
	answer.Set("replying", "true")
	if e.HasBody {
		answer.Set("orig_body", e.Body)
	}
	return answer
}

func stop(_ context.Context, e *event.Event, _ string) error {
	e.Set(noExecute, "true")
	return ErrStopped
}

// final keeps the message from being delivered further.
func final(_ context.Context, e *event.Event, _ string) error {
	e.Set("final_delivery", "true")
	e.Set(noExecute, "true")
	return ErrStopped
}

func set(_ context.Context, e *event.Event, args string) error {
	name, value, _ := strings.Cut(args, "=")
	if name == "_body" {
		e.SetBody(value)
		return nil
	}
	if name != "" {
		e.Set(name, value)
	}
	return nil
}

func unset(_ context.Context, e *event.Event, args string) error {
	e.Delete(args)
	return nil
}

// send delivers a copy by the protocol that is named, or its own, past the chatplan.
func (r *Router) send(_ context.Context, e *event.Event, args string) error {
	m := e.Clone()
	m.Delete(noExecute)
	m.Set("skip_global_process", "true")
	if args == "" || strings.EqualFold(args, e.Get("dest_proto")) {
		e.Set("final_delivery", "true") // once is enough
	} else {
		m.Set("dest_proto", args)
	}
	return r.Send(m)
}

func (r *Router) fire(_ context.Context, e *event.Event, _ string) error {
	r.sw.Bus.Publish(e.Clone(), "mod_sms.c", "fire_function", 577)
	return nil
}

var errNoShell = errors.New("system commands are switched off: set allow_shell=true in switch.conf.xml")

// system runs a program by the command of that name, which knows whether it may.
func (r *Router) system(ctx context.Context, _ *event.Event, args string) error {
	if !r.opts.AllowShell {
		r.sw.Log.Printf(call.LogErr, "system: %v", errNoShell)
		return errNoShell
	}
	r.sw.Log.Printf(call.LogNotice, "Executing command: %s", args)
	_, err := r.sw.Run(ctx, "system", args, nil, nil)
	return err
}
