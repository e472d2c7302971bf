package webrtc

import (
	"encoding/json"
	"strings"

	"github.com/switchlet/switchlet/call/event"
)

// maxChat bounds the text of one message, in bytes.
const maxChat = 64 << 10

// info takes digits, text messages and commands (spec/verto.md §3).
func (k *socket) info(p params) (object, *failure) {
	if p == nil {
		return nil, refusal("Params data missing")
	}
	var l *leg
	if dp := p.object("dialogParams"); dp != nil {
		if l = k.mine(dp.text("callID")); l != nil {
			for _, v := range dialogVars(dp) {
				l.ch.SetPlain(v.Name, v.Value)
			}
		}
	}
	sent := object{}
	if digits := p.text("dtmf"); digits != "" && l != nil {
		l.digits(digits)
		sent = object{{"message", "SENT"}}
	}
	if msg := p.object("msg"); msg != nil {
		if msg.text("to") == "" || chatBody(msg) == "" {
			return nil, &failure{object: object{{"message", "INVALID MESSAGE to and body params required"}}}
		}
		k.chat(msg, l)
		sent = object{{"message", "SENT"}}
	}
	if command, ok := p["command"]; ok && l != nil {
		if body, err := json.Marshal(command); err == nil {
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

// chat hands a text message to the call it belongs to, to another browser, or to
// whoever else listens for MESSAGE events.
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
	e.Add("verto_profile", k.profile.name)
	e.Add("verto_jsock_uuid", k.session())
	e.Add("context", a.context)
	e.SetBody(chatBody(msg))
	if msg.flag("inDialog") && l != nil {
		e.Add("call_id", l.uuid)
		l.ch.QueueEvent(e)
		return
	}
	if proto == "verto" && k.server.Deliver(to, e) {
		return
	}
	k.server.publish(e)
}

// Deliver shows a text message to every browser of a user (user@domain). It
// reports whether there was one. The event's headers from and body are used.
func (s *Server) Deliver(user string, e *event.Event) bool {
	socketsOf := s.socketsOf(user)
	for _, k := range socketsOf {
		k.request("verto.info", object{{"msg", object{{"from", e.Get("from")}, {"to", user}, {"body", e.Body}}}})
	}
	return len(socketsOf) > 0
}
