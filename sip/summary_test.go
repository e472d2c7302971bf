package sip

import (
	"strconv"
	"strings"
	"testing"
	"time"

	wire "github.com/emiago/sipgo/sip"

	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/test/phone"
)

func (h *house) waiting(account string, more ...string) {
	e := event.New(event.MessageWaiting, "")
	for i := 0; i+1 < len(more); i += 2 {
		e.Add(more[i], more[i+1])
	}
	e.Add("MWI-Message-Account", account)
	h.bus.Publish(e, "switch_cpp.cpp", "Event", 1)
}

// lit waits for a NOTIFY of any dialog with that state of the lamp.
func lit(t *testing.T, p *phone.Phone, want string) *wire.Request {
	t.Helper()
	limit := time.After(patience)
	for {
		select {
		case n := <-p.Messages():
			if n.Method == wire.NOTIFY && strings.HasPrefix(string(n.Body()), "Messages-Waiting: "+want+"\r\n") {
				return n
			}
		case <-limit:
			t.Fatalf("no NOTIFY says that messages are waiting: %s", want)
		}
	}
}

func TestSummary_PhoneWithoutSubscription_IsTold(t *testing.T) {
	h := newHouse(t, houseOptions{params: watching})
	p := h.registered("1001")
	for _, profile := range []string{"", "internal"} {
		for _, state := range []string{"yes", "no"} {
			h.waiting("sip:1001@test.local", "MWI-Messages-Waiting", state, "Sofia-Profile", profile)
			n := lit(t, p, state)
			if string(n.Body()) != "Messages-Waiting: "+state+"\r\nMessage-Account: sip:1001@test.local\r\n\r\n" || header(n, "Event") != "message-summary" ||
				contentType(n) != "application/simple-message-summary" || header(n, "Subscription-State") != "terminated;reason=noresource" {
				t.Errorf("%s", n)
			}
		}
	}
}

func TestSummary_SubscribedPhone_IsToldOnceAndAgainLater(t *testing.T) {
	h := newHouse(t, houseOptions{params: watching})
	w := h.watches(t, "sip:1001@test.local", "message-summary", 600)
	w.told("active;expires=600", "Messages-Waiting: no", "Message-Account: sip:1001@test.local")
	h.waiting("1001@127.0.0.1", "MWI-Messages-Waiting", "yes", "MWI-Voice-Message", "2/1 (0/0)")
	w.told("Messages-Waiting: yes", "Voice-Message: 2/1 (0/0)", "Message-Account: sip:1001@127.0.0.1")
	h.waiting("sip:1002@test.local", "MWI-Messages-Waiting", "yes") // of another account
	h.waiting("sip:1001@test.local", "MWI-Messages-Waiting", "yes", "X", "mwi", "MWI-Voice-Message", "3/1 (0/0)")
	w.told("Voice-Message: 3/1", "!1002", "!X")
	// Whoever subscribes later sees the lamp as it is, too.
	later := h.watches(t, "sip:1001@test.local", "message-summary", 600)
	later.told("Messages-Waiting: yes", "Voice-Message: 3/1")
	h.waiting("sip:1001@test.local", "MWI-Messages-Waiting", "no")
	w.told("Messages-Waiting: no")
	later.told("Messages-Waiting: no")
}

// A phone that comes back after a restart is told what holds, and a lamp that was put
// out under another name of the domain stays dark.
func TestSummary_PhoneThatRegistersAgain_IsTold(t *testing.T) {
	h := newHouse(t, houseOptions{params: watching})
	p := h.registered("1001")
	lit(t, p, "no")
	if res := must[*wire.Response](t)(p.Register(0)); res.StatusCode != 200 {
		t.Fatalf("%s", res)
	}
	h.waiting("sip:1001@127.0.0.1", "MWI-Messages-Waiting", "yes", "MWI-Voice-Message", "1/0 (0/0)")
	h.watches(t, "sip:1001@test.local", "message-summary", 600).told("Messages-Waiting: yes", "Voice-Message: 1/0")
	if res := must[*wire.Response](t)(p.Register(600)); res.StatusCode != 200 {
		t.Fatalf("%s", res)
	}
	if n := lit(t, p, "yes"); !strings.Contains(string(n.Body()), "Voice-Message: 1/0 (0/0)") {
		t.Errorf("%s", n.Body())
	}
	h.waiting("sip:1001@test.local", "MWI-Messages-Waiting", "no")
	lit(t, p, "no")
	h.watches(t, "sip:1001@test.local", "message-summary", 600).told("Messages-Waiting: no")
}

// Of two phones of an account one subscribed: the other is told, too.
func TestSummary_PhonesOfOneAccount_AllAreTold(t *testing.T) {
	h := newHouse(t, houseOptions{params: watching + `<param name="multiple-registrations" value="contact"/>`})
	one, other := h.registered("1001"), h.registered("1001")
	w := &watcher{t: t, phone: one, sub: must[*phone.Subscription](t)(one.Subscribe("sip:1001@test.local", "message-summary", 600))}
	w.told("Messages-Waiting: no")
	h.waiting("sip:1001@test.local", "MWI-Messages-Waiting", "yes")
	lit(t, other, "yes")
	w.told("Messages-Waiting: yes")
}

func TestSummaryOf_IsBoundedAndClean(t *testing.T) {
	e := event.New(event.MessageWaiting, "")
	e.Add("MWI-Messages-Waiting", "yes\r\nEvil: 1")
	for i := range 100 {
		e.Add("MWI-H"+strconv.Itoa(i), strings.Repeat("x", 100))
	}
	text := summaryOf(e)
	if len(text) > maxSummary+200 || !strings.HasPrefix(text, "Messages-Waiting: yesEvil: 1\r\n") || !strings.HasSuffix(text, "\r\n\r\n") {
		t.Errorf("%d bytes: %q", len(text), text[:60])
	}
	var m summaries
	for i := range maxSummaries + 10 {
		m.set(nil, "u"+strconv.Itoa(i), "h", "text", true)
	}
	m.set(nil, "u1", "h", "other", true)
	if len(m.said) != maxSummaries || m.said["u1@h"] != "other" {
		t.Errorf("%d are remembered", len(m.said))
	}
	if m.set(nil, "U1", "h", "", false); len(m.said) != maxSummaries-1 {
		t.Error("what is over is remembered")
	}
}
