package server

import (
	"maps"
	"strings"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/esl"
)

// selection is which events a listener has asked for. It is replaced as a whole.
type selection struct {
	on         bool // some are enabled
	all        bool
	types      map[event.Type]bool
	subclasses map[string]bool // wanted while types has CUSTOM
}

func (s *selection) clone() *selection {
	c := &selection{on: s.on, all: s.all, types: maps.Clone(s.types), subclasses: maps.Clone(s.subclasses)}
	if c.types == nil {
		c.types = make(map[event.Type]bool)
	}
	if c.subclasses == nil {
		c.subclasses = make(map[string]bool)
	}
	return c
}

// takes tells whether an event is asked for. Names of subclasses are told apart
// by case, unlike on the bus.
func (s *selection) takes(e *event.Event) bool {
	if s.all {
		return true
	}
	return s.types[e.Type] && (e.Type != event.Custom || e.Subclass == "" || s.subclasses[e.Subclass])
}

// ownership says whose events pass with myevents.
type ownership struct {
	ch  *call.Channel
	any bool // the call was unknown: every event that belongs to some call
}

func (o *ownership) accepts(e *event.Event) bool {
	if o.any {
		return e.Has("Unique-ID")
	}
	uuid := o.ch.UUID()
	return e.Get("Unique-ID") == uuid || e.Type == event.BackgroundJob && e.Get("Job-Owner-UUID") == uuid
}

// offer is asked by the bus about each event, in the goroutine of whoever fires
// it, and takes the event into the listener's queue right there: a queue of the
// bus itself would have to be as large as the listener's may become. It never
// waits. It returns false since nothing is left for the bus to do.
func (l *listener) offer(e *event.Event) bool {
	wanted := l.selected.Load().takes(e)
	if wanted {
		if o := l.own.Load(); o != nil {
			wanted = o.accepts(e)
		}
	} else if o := l.diverted.Load(); o != nil && divertible(e.Type) {
		wanted = o.accepts(e)
	}
	if !wanted {
		return false
	}
	if ok, run := l.events.push(e); ok {
		l.nudge()
	} else {
		l.s.lost.Add(1)
		if run > maxLostRun {
			l.end(errLostEvents)
		}
	}
	return false
}

// subscribe makes sure that the bus knows the listener; l.turn is held.
func (l *listener) subscribe() *event.Subscription {
	if l.sub == nil {
		l.sub = l.sw.Bus.Subscribe("event socket "+l.remote, 1)
		l.sub.SetWant(l.offer)
		l.startPump()
	}
	return l.sub
}

// event is the command: event [plain|json|xml] NAME … [CUSTOM SUBCLASS …].
func (l *listener) event(_ *esl.Command, arg string) answer {
	names := strings.Split(arg, " ")
	if f, ok := parseFormat(names[0]); ok {
		l.format = f
		names = names[1:]
	}
	sel, sub := l.selected.Load().clone(), l.subscribe()
	known, custom, refused := 0, false, false
	for _, name := range names {
		if name == "" {
			continue
		}
		if custom {
			if refused = !l.rights.subclass(name); refused {
				break
			}
			known++
			sel.subclasses[name] = true
			sub.ListenCustom(name)
			continue
		}
		t, ok := event.ParseType(name)
		if !ok {
			continue
		}
		if refused = !l.rights.event(t); refused {
			break
		}
		known++
		sel.add(t, sub)
		custom = t == event.Custom
	}
	sel.on = sel.on || known > 0
	l.selected.Store(sel)
	switch {
	case refused:
		return say(denied)
	case known == 0:
		return say("-ERR no keywords supplied")
	}
	return say("+OK event listener enabled " + l.format.String())
}

// add enables a type, here and on the bus.
func (s *selection) add(t event.Type, sub *event.Subscription) {
	switch t {
	case event.All:
		s.all = true
		sub.ListenAll()
	case event.Custom:
		s.types[t] = true
		// Events without a subclass, and those that were asked for before.
		sub.ListenCustom("")
		for name := range s.subclasses {
			sub.ListenCustom(name)
		}
	default:
		s.types[t] = true
		sub.Listen(t)
	}
}

// nixevent is the command: nixevent NAME … [CUSTOM SUBCLASS …].
func (l *listener) nixevent(_ *esl.Command, arg string) answer {
	sel, sub := l.selected.Load().clone(), l.subscribe()
	var nixed []event.Type
	known, custom := 0, false
	for _, name := range strings.Split(arg, " ") {
		if name == "" {
			continue
		}
		if custom {
			known++
			delete(sel.subclasses, name)
			continue
		}
		t, ok := event.ParseType(name)
		if !ok {
			continue
		}
		known++
		switch {
		case t == event.Custom:
			custom = true
		case t == event.All:
			sel.all = false
			clear(sel.types)
			nixed = append(nixed, t)
		default:
			sel.spread()
			delete(sel.types, t)
			nixed = append(nixed, t)
		}
	}
	if known == 0 {
		return say("-ERR no keywords supplied")
	}
	l.selected.Store(sel)
	for _, t := range nixed {
		sub.Unlisten(t)
	}
	return say("+OK events nixed")
}

// spread turns "everything" into each type by itself.
func (s *selection) spread() {
	if !s.all {
		return
	}
	s.all = false
	for _, t := range event.Types() {
		s.types[t] = t != event.All
	}
}

func (l *listener) noevents(*esl.Command, string) answer {
	if !l.selected.Load().on {
		return say("-ERR not listening for events")
	}
	l.selected.Store(&selection{})
	l.sub.UnlistenAll()
	l.listenDiverted()
	l.events.clear()
	return say("+OK no longer listening for events")
}

// callEvents is what myevents enables (spec/esl.md §2.2).
func callEvents() []event.Type {
	return []event.Type{
		event.ChannelAnswer, event.ChannelApplication, event.ChannelBridge, event.ChannelCreate, event.ChannelData,
		event.ChannelDestroy, event.ChannelExecute, event.ChannelExecuteComplete, event.ChannelHangup,
		event.ChannelHangupComplete, event.ChannelOriginate, event.ChannelUUID, event.ChannelOutgoing, event.ChannelPark,
		event.ChannelProgress, event.ChannelProgressMedia, event.ChannelState, event.ChannelUnbridge,
		event.ChannelUnpark, event.DetectedSpeech, event.DTMF, event.NoTalk, event.Talk,
	}
}

// myevents is the command: of the controlled call, myevents [FORMAT]; else
// myevents UUID [FORMAT], which makes that call the controlled one.
func (l *listener) myevents(_ *esl.Command, arg string) answer {
	if l.mine {
		return say("-ERR aready enabled.")
	}
	own := &ownership{ch: l.channel()}
	word, rest, more := strings.Cut(strings.TrimSpace(arg), " ")
	if own.ch == nil {
		own.ch = l.sw.Find(word)
		if own.ch == nil && more {
			return say("-ERR invalid uuid")
		}
		own.any = own.ch == nil
		word = rest
	}
	if f, ok := parseFormat(word); ok {
		l.format = f
	}
	l.mine = true
	l.own.Store(own)
	if own.ch != nil && l.channel() == nil {
		l.control.Store(&control{own.ch, own.ch.Retain()})
		l.async = true
	}
	sel, sub := l.selected.Load().clone(), l.subscribe()
	for _, t := range callEvents() {
		sel.add(t, sub)
	}
	sel.on = true
	l.selected.Store(sel)
	l.nudge()
	return say("+OK Events Enabled")
}

// divertible are the events of a call's input.
func divertible(t event.Type) bool {
	return t == event.DTMF || t == event.DetectedSpeech || t == event.DetectedTone
}

// divert is the command: divert_events on|off.
func (l *listener) divert(_ *esl.Command, arg string) answer {
	ch := l.channel()
	if ch == nil {
		return say("-ERR not controlling a session.")
	}
	arg = strings.TrimSpace(arg)
	if arg == "" {
		return say("-ERR missing value.")
	}
	l.subscribe()
	if call.True(arg) {
		l.diverted.Store(&ownership{ch: ch})
		l.listenDiverted()
		return say("+OK events diverted")
	}
	l.diverted.Store(nil)
	return say("+OK events not diverted")
}

// listenDiverted asks the bus for what divert_events brings.
func (l *listener) listenDiverted() {
	if l.diverted.Load() == nil {
		return
	}
	for _, t := range event.Types() {
		if divertible(t) {
			l.sub.Listen(t)
		}
	}
}
