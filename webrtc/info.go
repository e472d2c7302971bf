package webrtc

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
)

// maxChat bounds the text of one message or command, in bytes.
const maxChat = 64 << 10

// info takes digits, text messages, real-time text and commands (spec/verto.md §3).
func (k *socket) info(p params) (object, *failure) {
	if p == nil {
		return nil, refusal("Params data missing")
	}
	var l *leg
	if dp := p.object("dialogParams"); dp != nil {
		if l = k.mine(dp.text("callID")); l != nil {
			l.remember(dialogVars(dp))
		}
	}
	sent := object{}
	if digits := p.text("dtmf"); digits != "" && l != nil {
		l.digits(digits)
		sent = object{{"message", "SENT"}}
	}
	if txt := p.object("txt"); txt != nil && l != nil {
		l.typed(txt)
	}
	if msg := p.object("msg"); msg != nil {
		if msg.text("to") == "" || chatBody(msg) == "" {
			return nil, &failure{object: object{{"message", "INVALID MESSAGE to and body params required"}}}
		}
		k.chat(msg, l)
		sent = object{{"message", "SENT"}}
	}
	if command, ok := p["command"]; ok && l != nil {
		if body, err := json.Marshal(command); err == nil && len(body) <= maxChat {
			e := event.New(event.Command, "")
			e.Add("content-type", "text/json")
			e.Add("content-source", "verto")
			e.SetBody(string(body))
			l.ch.QueueEvent(e)
		}
	}
	return sent, nil
}

// chatBody is a message's text, which may have line ends.
func chatBody(msg params) string {
	body, _ := msg["body"].(string)
	if len(body) > maxChat {
		return body[:maxChat]
	}
	return body
}

// chat hands a text message to the call it belongs to, or to the way of all messages.
func (k *socket) chat(msg params, l *leg) {
	a := k.who()
	to := msg.text("to")
	proto := "verto"
	if before, after, ok := strings.Cut(to, "+"); ok {
		proto, to = before, after
	}
	e := event.New(event.Message, "")
	e.Add("proto", "verto")
	e.Add("dest_proto", proto)
	e.Add("from", a.uid)
	e.Add("from_user", a.id)
	e.Add("from_host", a.domain)
	e.Add("to", to)
	e.Add("type", "text/plain")
	e.Add("from_full", a.id)
	e.Add("from_msg_name", orElse(a.displayName(), a.id))
	e.Add("from_msg_number", orElse(a.params.Get("caller-id-number"), a.id))
	e.Add("verto_profile", k.profile.name)
	e.Add("verto_jsock_uuid", k.session())
	e.Add("context", a.context)
	e.SetBody(chatBody(msg))
	if msg.flag("inDialog") && l != nil {
		l.say(e)
		return
	}
	k.server.post(e)
}

// post gives a message to the way of all messages.
func (s *Server) post(e *event.Event) {
	if way := s.sw.Messages; way == nil {
		s.publish(e)
	} else if err := way.Send(e); err != nil {
		s.log.Printf(call.LogErr, "message from %s to %s: %v", e.Get("from"), e.Get("to"), err)
	}
}

// say gives a message of the browser to those whom it talks with: the members of its
// conference, its partner, else whatever runs on the call.
func (l *leg) say(e *event.Event) {
	if l.server.sayInRoom(l, e) {
		return
	}
	if partner := l.ch.Partner(); partner != nil {
		if m, ok := partner.Leg().(call.Messenger); ok {
			if !l.words.add(&l.server.work, func() { l.pass(e, m, partner.Name()) }) {
				l.ch.Log(call.LogWarning, "%s: too many messages wait for %s", l.ch.Name(), partner.Name())
			}
			return
		}
	}
	e.Add("call_id", l.uuid)
	l.ch.QueueEvent(e)
}

// pass gives a message to the partner; a phone may take half a minute to say that it
// has it.
func (l *leg) pass(e *event.Event, to call.Messenger, name string) {
	if err := to.Message(l.ch.Context(), e); err != nil {
		l.ch.Log(call.LogWarning, "%s: message to %s: %v", l.ch.Name(), name, err)
	}
}

// sayInRoom sends a message of a conference's member to all members who can be
// written to, once to each; false if the call is in no conference.
func (s *Server) sayInRoom(l *leg, e *event.Event) bool {
	r, m := s.roomWith(l.uuid)
	if m == nil {
		return false
	}
	s.mu.Lock()
	uuids := make([]string, 0, len(r.members))
	for _, m := range r.members {
		uuids = append(uuids, m.uuid)
	}
	s.mu.Unlock()
	told := map[string]bool{}
	for _, uuid := range uuids {
		c := s.sw.Find(uuid)
		if c == nil {
			continue
		}
		proto, who := c.Get("chat_proto"), c.Get("presence_id")
		if proto == "" || who == "" || told[who] {
			continue
		}
		told[who] = true
		copied := e.Clone()
		copied.Set("dest_proto", proto)
		copied.Set("to", who)
		copied.Set("conference_name", r.name)
		copied.Set("conference_domain", r.domain)
		s.post(copied)
	}
	return true
}

// shown is a message as browsers get it. Addresses of phones are not told.
func shown(e *event.Event, to string) object {
	msg := object{{"from", e.Get("from")}, {"to", to}, {"body", e.Body}}
	for _, h := range e.Headers {
		if (strings.HasPrefix(h.Name, "from_") || strings.HasPrefix(h.Name, "to_")) && !strings.Contains(h.Name, "_sip_") {
			msg = msg.with(h.Name, h.Value)
		}
	}
	return object{{"msg", msg}}
}

// ErrNobody is returned by Deliver when no browser of that user is there.
var ErrNobody = errors.New("verto: no browser of that user is logged in")

// errBehind is returned for a message that a browser has no room for.
var errBehind = errors.New("verto: the browser does not read its messages")

// Deliver shows a text message to every browser of the user (user@domain) whom its
// header "to" names.
func (s *Server) Deliver(_ context.Context, e *event.Event) error {
	user := e.Get("to")
	sockets := s.socketsOf(user)
	if len(sockets) == 0 {
		return ErrNobody
	}
	sent := false
	for _, k := range sockets {
		sent = k.pass("verto.info", shown(e, user)) || sent
	}
	if !sent {
		return errBehind
	}
	return nil
}
