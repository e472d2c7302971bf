package webrtc

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/switchlet/switchlet/call"
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
	e.Add("verto_profile", k.profile.name)
	e.Add("verto_jsock_uuid", k.session())
	e.Add("context", a.context)
	e.SetBody(chatBody(msg))
	if msg.flag("inDialog") && l != nil {
		e.Add("call_id", l.uuid)
		l.ch.QueueEvent(e)
		return
	}
	if way := k.server.sw.Messages; way == nil {
		k.server.publish(e)
	} else if err := way.Send(e); err != nil {
		k.server.log.Printf(call.LogErr, "message from %s to %s: %v", e.Get("from"), to, err)
	}
}

// ErrNobody is returned by Deliver when no browser of that user is there.
var ErrNobody = errors.New("verto: no browser of that user is logged in")

// Deliver shows a text message to every browser of the user (user@domain) whom its
// header "to" names.
func (s *Server) Deliver(_ context.Context, e *event.Event) error {
	user := e.Get("to")
	sockets := s.socketsOf(user)
	for _, k := range sockets {
		k.request("verto.info", object{{"msg", object{{"from", e.Get("from")}, {"to", user}, {"body", e.Body}}}})
	}
	if len(sockets) == 0 {
		return ErrNobody
	}
	return nil
}
