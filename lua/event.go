package lua

import (
	"context"
	"strings"
	"sync/atomic"

	glua "github.com/yuin/gopher-lua"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
)

// eventObject is a freeswitch.Event. One that is not mine is borrowed: it may be
// read, and fire refuses it.
type eventObject struct {
	s      *script
	e      *event.Event
	mine   bool
	copied bool   // e is no one else's
	text   string // of the last serialize
}

// own makes sure that e may be changed: what came from the bus is shared.
func (o *eventObject) own() *event.Event {
	if !o.copied {
		o.e, o.copied = o.e.Clone(), true
	}
	return o.e
}

func eventClass() *class {
	on := func(fn func(a *arguments, o *eventObject) int) func(*arguments) int {
		return func(a *arguments) int { return fn(a, a.self.(*eventObject)) }
	}
	addBody := on(func(a *arguments, o *eventObject) int {
		if a.isNil(0) {
			return a.pushBool(false)
		}
		o.own().SetBody(a.str(0))
		return a.pushBool(true)
	})
	getBody := on(func(a *arguments, o *eventObject) int { return a.pushOptional(o.e.Body, o.e.HasBody) })
	return &class{
		name: "Event", shown: "Event", pointer: "Event *",
		is: func(o any) bool { _, ok := o.(*eventObject); return ok },
		constructor: method{signature: "S|S",
			prototypes: "Event::Event(char const *,char const *)\nEvent::Event(switch_event_t *,int)"},
		construct:  newEvent,
		attributes: []string{"event", "serialized_string", "mine"},
		get: func(s *script, object any, name string) (glua.LValue, bool) {
			o := object.(*eventObject)
			switch name {
			case "mine":
				if o.mine {
					return glua.LNumber(1), true
				}
				return glua.LNumber(0), true
			case "serialized_string":
				if o.text == "" {
					return glua.LNil, true
				}
				return glua.LString(o.text), true
			case "event":
				return s.L.NewUserData(), true
			}
			return nil, false
		},
		methods: []method{
			{name: "addHeader", signature: "SS", run: on(func(a *arguments, o *eventObject) int {
				if a.isNil(0) || a.isNil(1) {
					return a.pushBool(false)
				}
				o.own().Add(a.str(0), a.str(1))
				return a.pushBool(true)
			})},
			{name: "getHeader", signature: "S", run: on(func(a *arguments, o *eventObject) int {
				if a.str(0) == "" {
					a.s.host.sw.Log.Printf(call.LogErr, "Trying to getHeader an invalid header!")
					return a.push(glua.LNil)
				}
				return a.pushOptional(o.e.Lookup(a.str(0)))
			})},
			{name: "delHeader", signature: "S", run: on(func(a *arguments, o *eventObject) int {
				return a.pushBool(o.own().Delete(a.str(0)))
			})},
			{name: "addBody", signature: "S", run: addBody},
			{name: "add_body", signature: "S", run: addBody},
			{name: "getBody", run: getBody},
			{name: "get_body", run: getBody},
			{name: "getType", run: on(func(a *arguments, o *eventObject) int { return a.pushString(string(o.e.Type)) })},
			{name: "serialize", signature: "|S", run: on(func(a *arguments, o *eventObject) int {
				o.text = serialize(o.e, a.str(0))
				return a.pushString(o.text)
			})},
			{name: "fire", run: on(fireEvent)},
			{name: "setPriority", signature: "|P", run: on(setPriority)},
			{name: "merge", signature: "E", run: on(func(a *arguments, o *eventObject) int {
				other := a.event(0)
				if other == nil {
					return a.pushBool(false)
				}
				o.own().Merge(other.e)
				return a.pushBool(true)
			})},
			{name: "chat_execute", signature: "S|S", run: on(func(a *arguments, o *eventObject) int {
				return a.pushInt(o.chatExecute(a.s, a.str(0), a.str(1)))
			})},
			{name: "chat_send", signature: "|S", run: on(func(a *arguments, o *eventObject) int {
				return a.pushInt(o.chatSend(a.s, a.str(0)))
			})},
		},
	}
}

// newEvent makes an event that carries the common headers from the start.
func newEvent(a *arguments) any {
	name, subclass := a.str(0), a.str(1)
	sw := a.s.host.sw
	if strings.EqualFold(name, "json") && !a.isNil(1) {
		e, err := event.ParseJSON([]byte(subclass))
		if err != nil {
			sw.Log.Printf(call.LogErr, "Invalid JSON event: %v", err)
			e = event.New(event.Message, "")
		}
		return &eventObject{s: a.s, e: e, mine: true, copied: true}
	}
	t, ok := event.ParseType(name)
	if !ok {
		t = event.Message
	}
	if subclass != "" && t != event.Custom {
		sw.Log.Printf(call.LogWarning, "Changing event type to custom because you specified a subclass name!")
		t = event.Custom
	}
	if t != event.Custom {
		subclass = ""
	}
	e := event.New(t, subclass)
	sw.Bus.Stamp(e, "switch_cpp.cpp", "Event", 262)
	return &eventObject{s: a.s, e: e, mine: true, copied: true}
}

// serialize writes an event as text, JSON or XML.
func serialize(e *event.Event, format string) string {
	e = e.Clone() // the wire forms of an event are made once, this one may change
	switch {
	case strings.EqualFold(format, "json"):
		return string(e.JSON())
	case strings.EqualFold(format, "xml"):
		return string(e.XML())
	}
	return string(e.Plain())
}

func fireEvent(a *arguments, o *eventObject) int {
	if !o.mine {
		a.s.host.sw.Log.Printf(call.LogErr, "Not My event!")
		return a.pushBool(false)
	}
	copied := o.e.Clone()
	if copied.Type == event.Custom {
		copied.Subclass = o.e.Get("Event-Subclass")
	}
	a.s.host.sw.Bus.Publish(copied, "switch_cpp.cpp", "Event", 262)
	return a.pushBool(true)
}

func setPriority(a *arguments, o *eventObject) int {
	word := "NORMAL"
	if n, ok := number(a.value(0)); ok && a.given(0) {
		if n := int(n); n >= 0 && n < 3 {
			word = []string{"NORMAL", "LOW", "HIGH"}[n]
		}
	} else if a.given(0) {
		word = strings.ToUpper(a.str(0))
	}
	o.own().Set("priority", word)
	return a.pushBool(true)
}

// chatExecute runs an application of the chatplan on the message.
func (o *eventObject) chatExecute(s *script, app, data string) int {
	way := s.host.sw.Messages
	if way == nil || way.Execute(s.ctx, o.own(), app, data) != nil {
		return 1
	}
	return 0
}

// chatSend sends a copy of the message on its way, by the protocol proto or that of
// its header dest_proto.
func (o *eventObject) chatSend(s *script, proto string) int {
	way := s.host.sw.Messages
	m := o.e.Clone()
	if proto != "" {
		m.Set("dest_proto", proto)
	}
	if way == nil {
		return 1
	}
	if err := way.Send(m); err != nil {
		s.host.sw.Log.Printf(call.LogErr, "chat_send: %v", err)
		return 1
	}
	return 0
}

// consumer is a freeswitch.EventConsumer: a queue of events.
type consumer struct {
	s      *script
	sub    *event.Subscription
	closed atomic.Bool
}

// Bounds of a consumer's queue.
const (
	defaultConsumerQueue = 5000
	maxConsumerQueue     = 100000
)

func (c *consumer) finalize() {
	c.s.forget(c)
	if !c.closed.Swap(true) {
		c.sub.Close()
	}
}

func consumerClass() *class {
	on := func(fn func(a *arguments, c *consumer) int) func(*arguments) int {
		return func(a *arguments) int { return fn(a, a.self.(*consumer)) }
	}
	return &class{
		name: "EventConsumer", shown: "EventConsumer", pointer: "EventConsumer *",
		is:          func(o any) bool { _, ok := o.(*consumer); return ok },
		constructor: method{signature: "|SSi"},
		construct: func(a *arguments) any {
			c := &consumer{s: a.s}
			queue := min(max(a.num(2, defaultConsumerQueue), 1), maxConsumerQueue)
			c.sub = a.s.host.sw.Bus.Subscribe("lua "+a.s.name, queue)
			a.s.hold(c)
			if name := a.str(0); name != "" {
				c.bind(name, a.str(1))
			}
			return c
		},
		methods: []method{
			{name: "bind", signature: "S|S", run: on(func(a *arguments, c *consumer) int {
				return a.pushBoolInt(c.bind(a.str(0), a.str(1)))
			})},
			{name: "pop", signature: "|ii", run: on(func(a *arguments, c *consumer) int {
				e := c.pop(a.num(0, 0) != 0, a.num(1, 0))
				if e == nil {
					return a.push(glua.LNil)
				}
				return a.push(a.s.wrap(a.s.host.by.event, &eventObject{s: a.s, e: e, mine: true}))
			})},
			{name: "cleanup", run: on(func(a *arguments, c *consumer) int {
				if !c.closed.Swap(true) {
					c.sub.Close()
					c.sub.Flush()
				}
				return 0
			})},
		},
	}
}

func (c *consumer) bind(name, subclass string) bool {
	t, ok := event.ParseType(name)
	if !ok || c.closed.Load() {
		c.s.host.sw.Log.Printf(call.LogWarning, "Can't bind to %s, event not found", name)
		return false
	}
	if t == event.Custom && subclass != "" {
		c.sub.ListenCustom(subclass)
	} else {
		c.sub.Listen(t)
	}
	return true
}

// pop takes the next event; with block it waits, for ms milliseconds or, if that
// is 0, for ever.
func (c *consumer) pop(block bool, ms int) *event.Event {
	if c.closed.Load() {
		return nil
	}
	if lost := c.sub.Lost(); lost > 0 && len(c.sub.C()) == cap(c.sub.C()) {
		c.s.host.sw.Log.Printf(call.LogErr, "Cannot queue any more events.....")
	}
	if !block {
		select {
		case e := <-c.sub.C():
			return e
		default:
			return nil
		}
	}
	ctx := c.s.ctx
	if ms > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, milliseconds(ms))
		defer cancel()
	}
	defer c.s.rest()()
	e, err := c.sub.Next(ctx)
	if err != nil {
		return nil
	}
	return e
}
