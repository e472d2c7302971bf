package sip

import (
	"strings"
	"testing"
	"time"

	wire "github.com/emiago/sipgo/sip"

	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/test/phone"
)

// received is the next MESSAGE that a phone gets.
func received(t *testing.T, p *phone.Phone) *wire.Request {
	t.Helper()
	limit := time.After(patience)
	for {
		select {
		case m := <-p.Messages():
			if m.Method == wire.MESSAGE {
				return m
			}
		case <-limit:
			t.Fatal("no message came")
		}
	}
}

const echoPlan = `<extension name="echo"><condition field="to_user" expression="^9196$">
 <action application="reply" data="you said ${body}"/><action application="set" data="sip_h_X-Seen=yes"/><action application="final"/></condition></extension>
<extension name="mark"><condition field="body" expression="^mark"><action application="set" data="sip_h_X-Seen=yes"/></condition></extension>`

func TestMessage_ChatplanReplies(t *testing.T) {
	h := newHouse(t, houseOptions{chatplan: echoPlan})
	for name, p := range map[string]*phone.Phone{"registered": h.registered("1000"), "not registered": h.phone("1001")} {
		res := must[*wire.Response](t)(p.Send(wire.MESSAGE, "sip:9196@test.local", "text/plain", "hello"))
		if res.StatusCode != 202 {
			t.Fatalf("%s: %d", name, res.StatusCode)
		}
		m := received(t, p)
		if got := string(m.Body()); got != "you said hello" {
			t.Errorf("%s: body %q", name, got)
		}
		if from := m.From(); from.Address.User != "9196" || from.Address.Host != "test.local" || m.To().Address.User != p.User {
			t.Errorf("%s: from %s to %s", name, m.From().Value(), m.To().Value())
		}
		if got := header(m, "Content-Type"); got != "text/plain" {
			t.Errorf("%s: type %q", name, got)
		}
	}
}

func TestMessage_ItsOwnHeadersAndThoseOfTheChatplanGoAlong(t *testing.T) {
	h := newHouse(t, houseOptions{chatplan: echoPlan})
	b := h.registered("1001")
	must[*wire.Response](t)(h.phone("1000").Send(wire.MESSAGE, "sip:1001@test.local", "text/plain", "mark this"))
	m := received(t, b)
	if header(m, "X-Seen") != "yes" || string(m.Body()) != "mark this" || m.From().Address.User != "1000" {
		t.Errorf("%s", m)
	}
	e := h.wait("MESSAGE", func(e *event.Event) bool { return e.Type == event.Message && e.Body == "mark this" })
	for name, want := range map[string]string{"proto": "sip", "dest_proto": "sip", "from": "1000@test.local", "to": "1001@test.local", "context": "default",
		"from_sip_ip": "127.0.0.1", "sip_profile": "internal", "Nonblocking-Delivery": "true", "type": "text/plain"} {
		if got := e.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestMessage_WhoIsShownAsSender(t *testing.T) {
	h := newHouse(t, houseOptions{})
	b := h.registered("1001")
	for _, c := range []struct {
		headers, want string
	}{
		{"proto=global from=office@test.local", `"office" <sip:office@test.local>`},
		{"proto=global from=office", `"office" <sip:office@test.local>`},
		{"proto=verto from=1003@test.local", `"1003" <sip:verto+1003@test.local>`},
		{"proto=sip from=1000@test.local from_full=<sip:1000@test.local>;tag=x", "<sip:1000@test.local>"},
		{"proto=global from=x\"<sip:evil@x>\r\nX-Bad:1@test.local", ""},
	} {
		e := event.New(event.Message, "")
		for _, f := range strings.Split(c.headers, " ") {
			name, value, _ := strings.Cut(f, "=")
			e.Add(name, value)
		}
		e.Add("to", "1001@test.local")
		e.SetBody("hi")
		if err := h.stack.Deliver(t.Context(), e); err != nil {
			t.Errorf("%s: %v", c.headers, err)
			continue
		}
		m := received(t, b)
		got, _, _ := strings.Cut(m.From().Value(), ";tag=")
		if c.want != "" && got != c.want || header(m, "X-Bad") != "" || m.From().Address.User == "evil" {
			t.Errorf("%q: From %s", c.headers, m.From().Value())
		}
	}
	e := event.New(event.Message, "")
	e.Add("from", "1001@test.local")
	e.Add("to", "1002@test.local")
	if err := h.stack.Deliver(t.Context(), e); err != ErrNobody {
		t.Errorf("to nobody: %v", err)
	}
}

func TestRecipient(t *testing.T) {
	for uri, want := range map[string]string{
		"sip:1001@here":             "sip 1001@here",
		"sip:verto+1001+there@here": "verto 1001@there",
		"sip:event+tell@here":       "event tell",
		"sip:+4131555@here":         "sip +4131555@here",
	} {
		var u wire.Uri
		if err := wire.ParseUri(uri, &u); err != nil {
			t.Fatal(err)
		}
		if proto, address := recipient(&u); proto+" "+address != want {
			t.Errorf("%s: %s %s, want %s", uri, proto, address, want)
		}
	}
}
