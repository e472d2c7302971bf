package webrtc

import (
	"strconv"
	"strings"

	"github.com/switchlet/switchlet/call/event"
)

// watch begins or ends listening to the switch's events that the channels of a main
// name tell of: only while a browser wants them are the events made at all. s.mu is held.
func (s *Server) watch(main string) {
	switch main {
	case "presence":
		s.listening(&s.presence, main, s.settings().presence, event.ChannelCallstate, s.presenceEvent)
	case "FSevent":
		s.listening(&s.core, main, s.settings().fsEvents, event.All, s.coreEvent)
	}
}

// listening keeps one of the subscriptions to the bus, of which end holds the end.
// s.mu is held.
func (s *Server) listening(end *func(), main string, allowed bool, kind event.Type, handle func(*event.Event)) {
	wanted := false
	for name := range s.subs {
		wanted = wanted || mainName(name) == main
	}
	switch {
	case wanted && *end == nil && allowed && s.ctx.Err() == nil:
		*end = s.sw.Bus.Handle(kind, "", handle)
	case !wanted && *end != nil:
		(*end)()
		*end = nil
	}
}

// presenceHeaders are what a presence event takes from the call's event.
var presenceHeaders = [...]struct{ member, header string }{
	{"channelCallState", "Channel-Call-State"}, {"originalChannelCallState", "Original-Channel-Call-State"},
	{"channelState", "Channel-State"}, {"callerUserName", "Caller-Username"}, {"callerIDName", "Caller-Caller-ID-Name"},
	{"callerIDNumber", "Caller-Caller-ID-Number"}, {"calleeIDName", "Caller-Callee-ID-Name"},
	{"calleeIDNumber", "Caller-Callee-ID-Number"}, {"channelUUID", "Unique-ID"},
	{"presenceCallDirection", "Presence-Call-Direction"}, {"channelPresenceID", "Channel-Presence-ID"},
	{"channelPresenceData", "Channel-Presence-Data"},
}

// presenceEvent turns a change of call state into an event on presence.<id>.
func (s *Server) presenceEvent(e *event.Event) { s.presenceTo(e, s.publishTo) }

func (s *Server) presenceTo(e *event.Event, publish func(name string, e object)) {
	id := e.Get("Channel-Presence-ID")
	if id == "" {
		return
	}
	var data object
	for _, h := range presenceHeaders {
		if v := e.Get(h.header); v != "" {
			data = data.with(h.member, v)
		}
	}
	for _, h := range e.Headers {
		if strings.HasPrefix(h.Name, "PD-") {
			data = data.with(h.Name, h.Value)
		}
	}
	name := "presence." + id
	publish(name, object{{"data", data}, {"eventChannel", name}})
}

// replayPresence fires the present state of the calls that a new subscription to
// "presence" or "presence.<id>" is about, to all who have subscribed.
func (s *Server) replayPresence(name string) {
	_, id, one := strings.Cut(name, ".")
	for _, c := range s.sw.Channels() {
		presence := c.Get("presence_id")
		if presence == "" || one && !strings.EqualFold(presence, id) {
			continue
		}
		e := event.New(event.ChannelCallstate, "")
		e.Add("Original-Channel-Call-State", c.CallState().String())
		c.AddTo(e)
		s.presenceTo(e, s.relay)
	}
}

// coreEvent gives an event of the switch to those who subscribed to it; a page that is
// behind with reading misses it.
func (s *Server) coreEvent(e *event.Event) {
	name := string(e.Type)
	if e.Subclass != "" {
		name += "::" + e.Subclass
	}
	name = "FSevent." + strings.ToLower(name)
	s.mu.Lock()
	wanted := len(s.subs[name]) + len(s.subs["FSevent"])
	s.mu.Unlock()
	if wanted == 0 {
		return
	}
	data := object{}
	for _, h := range e.Headers {
		if h.Array != nil {
			data = data.with(h.Name, h.Array)
		} else {
			data = data.with(h.Name, h.Value)
		}
	}
	if e.HasBody {
		data = data.with("Content-Length", strconv.Itoa(len(e.Body))).with("_body", e.Body)
	}
	s.relay(name, object{{"eventChannel", name}, {"data", data}})
}
