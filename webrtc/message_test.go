package webrtc

import (
	"context"
	"testing"

	"github.com/switchlet/switchlet/call/chat"
	"github.com/switchlet/switchlet/call/event"
)

// A message of a browser goes the way of all messages, and comes to every browser of
// the one it is for; from whom it is says the login.
func TestInfo_MessagesGoFromBrowserToBrowser(t *testing.T) {
	b := newBox(t, nil)
	post := chat.New(chat.Options{Switch: b.sw})
	post.AddProtocol("verto", b.s.Deliver)
	var other *event.Event
	got := make(chan struct{})
	post.AddProtocol("sip", func(_ context.Context, e *event.Event) error { other = e.Clone(); close(got); return nil })
	b.sw.Messages = post
	p := b.login("1000", "secret", "s1")
	if r := p.result("verto.info", fields{"msg": fields{"to": "1000@test", "from": "boss@test", "body": "to\nmyself"}}); r["message"] != "SENT" {
		t.Errorf("%v", r)
	}
	msg, _ := p.next("verto.info")["msg"].(map[string]any)
	if msg["from"] != "1000@test" || msg["to"] != "1000@test" || msg["body"] != "to\nmyself" {
		t.Errorf("%v", msg)
	}
	p.result("verto.info", fields{"msg": fields{"to": "sip+1001@test", "body": "hello"}})
	<-got
	for name, want := range map[string]string{"proto": "verto", "dest_proto": "sip", "from": "1000@test", "from_user": "1000", "to": "1001@test", "type": "text/plain"} {
		if v := other.Get(name); v != want {
			t.Errorf("%s is %q, want %q", name, v, want)
		}
	}
	e := event.New(event.Message, "")
	e.Add("to", "1001@test")
	if err := b.s.Deliver(t.Context(), e); err != ErrNobody {
		t.Errorf("to nobody: %v", err)
	}
}
