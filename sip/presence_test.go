package sip

import (
	"encoding/xml"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	wire "github.com/emiago/sipgo/sip"

	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/test/phone"
)

const watching = `<param name="manage-presence" value="true"/><param name="presence-hosts" value="test.local,127.0.0.1"/>`

// watcher is a phone that watches one address.
type watcher struct {
	t     *testing.T
	phone *phone.Phone
	sub   *phone.Subscription
	seq   uint32
}

func (h *house) watches(t *testing.T, to, event string, expires int) *watcher {
	t.Helper()
	p := h.phone("1002", func(o *phone.Options) { o.Password = "hashed" })
	sub := must[*phone.Subscription](t)(p.Subscribe(to, event, expires))
	return &watcher{t: t, phone: p, sub: sub}
}

// told waits for a NOTIFY with all of want, and none of what begins with "!"; those
// before it are passed over.
func (w *watcher) told(want ...string) *wire.Request {
	w.t.Helper()
	limit := time.After(patience)
	var last string
	for {
		select {
		case n := <-w.phone.Messages():
			if n.Method != wire.NOTIFY || n.CallID().Value() != w.sub.ID() {
				continue
			}
			if n.CSeq().SeqNo <= w.seq {
				w.t.Fatalf("CSeq %d after %d", n.CSeq().SeqNo, w.seq)
			}
			w.seq = n.CSeq().SeqNo
			last = rounded(header(n, "Subscription-State")) + "\n" + string(n.Body())
			if strings.Contains(contentType(n), "xml") {
				wellFormed(w.t, n.Body())
			}
			if fits(last, want) {
				return n
			}
		case <-limit:
			w.t.Fatalf("no NOTIFY with %q; the last:\n%s", want, last)
		}
	}
}

// rounded is the state of a subscription with a time that is whole tens of seconds: some
// of it may have passed already.
func rounded(state string) string {
	text, found := strings.CutPrefix(state, "active;expires=")
	left, err := strconv.Atoi(text)
	if !found || err != nil {
		return state
	}
	return "active;expires=" + strconv.Itoa((left+9)/10*10)
}

func fits(text string, want []string) bool {
	for _, s := range want {
		if not, found := strings.CutPrefix(s, "!"); found == strings.Contains(text, not) {
			return false
		}
	}
	return true
}

func wellFormed(t *testing.T, body []byte) {
	t.Helper()
	for d := xml.NewDecoder(strings.NewReader(string(body))); ; {
		if _, err := d.Token(); err == io.EOF {
			return
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, body)
		}
	}
}

func TestSubscribe_Dialog_TellsOfEachChange(t *testing.T) {
	h := newHouse(t, houseOptions{params: watching})
	a, b := h.phone("1000"), h.registered("1001")
	w := h.watches(t, "sip:1001@test.local", "dialog;id=7", 600)
	res := w.sub.Response()
	if res.StatusCode != 202 || header(res, "Expires") != "600" || header(res, "Subscription-State") != "active;expires=600" || res.Contact() == nil {
		t.Fatalf("%s", res)
	}
	n := w.told("active;expires=600", `version="0" state="full" entity="sip:1001@test.local"`, "!<dialog ")
	if header(n, "Event") != "dialog;id=7" || contentType(n) != "application/dialog-info+xml" {
		t.Errorf("%s", n)
	}
	out, in := dials(t, a, b, "1001")
	w.told(`direction="recipient"`, "<state>early</state>", `<identity display="1000">sip:1000@test.local</identity>`, `sip:**1001@test.local`)
	answers(t, in, out)
	w.told("<state>confirmed</state>", `pvalue="yes"`)
	ok(t, in.Hold(true))
	w.told("<state>early</state>", `pvalue="no"`)
	ok(t, in.Hold(false))
	w.told("<state>confirmed</state>")
	ok(t, in.Hangup())
	w.told(`direction="recipient"`, "<state>terminated</state>", "!confirmed", "!early")
}

func TestSubscribe_Dialog_WhoCallsIsBusyAtOnce(t *testing.T) {
	h := newHouse(t, houseOptions{params: watching + `<param name="presence-hold-state" value="confirmed"/>`})
	w := h.watches(t, "sip:1000@127.0.0.1", "dialog", 600)
	w.told("!<dialog ")
	b := h.registered("1001")
	out := must[*phone.Call](t)(h.phone("1000").Dial("1001"))
	in := must[*phone.Call](t)(b.Next())
	w.told(`direction="initiator"`, "<state>confirmed</state>", `sip:1001@`)
	ok(t, in.Reject(486, "Busy Here"))
	ok(t, out.WaitEnd())
	w.told("<state>terminated</state>")
}

func TestSubscribe_Dialog_RingingIsNotToldWhereDisabled(t *testing.T) {
	h := newHouse(t, houseOptions{params: watching + `<param name="presence-disable-early" value="true"/>`})
	b := h.registered("1001")
	w := h.watches(t, "sip:1001@test.local", "dialog", 600)
	w.told("!<dialog ")
	must[*phone.Call](t)(h.phone("1000").Dial("1001"))
	in := must[*phone.Call](t)(b.Next())
	ok(t, in.Ring())
	ok(t, in.Answer())
	if n := w.told("<dialog "); !strings.Contains(string(n.Body()), "<state>confirmed</state>") {
		t.Errorf("%s", n.Body())
	}
}

func TestSubscribe_Presence_FollowsRegistrationAndCalls(t *testing.T) {
	h := newHouse(t, houseOptions{params: watching})
	w := h.watches(t, "sip:1001@test.local", "presence", 600)
	n := w.told("<basic>closed</basic>", "Unregistered", "entity='sip:1001@test.local'")
	if contentType(n) != "application/pidf+xml" {
		t.Errorf("type %s", contentType(n))
	}
	b := h.registered("1001")
	w.told("<basic>open</basic>", "<dm:note>Available</dm:note>", "!activities")
	out := must[*phone.Call](t)(h.phone("1000").Dial("1001"))
	in := must[*phone.Call](t)(b.Next())
	w.told("<rpid:on-the-phone/>", "Ring 1000")
	answers(t, in, out)
	w.told("<rpid:on-the-phone/>", "Talk 1000")
	ok(t, out.Hangup())
	w.told("Available", "!on-the-phone")
	h.sw.Bus.Publish(stated("1001@test.local", "dnd", "Gone <fishing>"), "test", "test", 1)
	w.told("<rpid:busy/>", "Gone &lt;fishing&gt;")
	must[*wire.Response](t)(b.Register(0))
	w.told("<basic>closed</basic>")
}

func stated(from, rpid, status string) *event.Event {
	e := event.New(event.PresenceIn, "")
	e.Add("proto", "any")
	e.Add("from", from)
	e.Add("rpid", rpid)
	e.Add("status", status)
	return e
}

func TestSubscribe_RoomOrLot_FollowsItsEvents(t *testing.T) {
	h := newHouse(t, houseOptions{params: watching})
	w := h.watches(t, "sip:park+5901@test.local", "dialog", 600)
	w.told(`entity="sip:park+5901@test.local"`, "!<dialog ")
	for _, state := range []string{"confirmed", "terminated"} {
		e := stated("5901@test.local", "active", "")
		for _, f := range []field{{"unique-id", "5901"}, {"answer-state", state}, {"force-status", "Holding"}} {
			e.Add(f.name, f.value)
		}
		e.Set("proto", "park")
		h.sw.Bus.Publish(e, "test", "test", 1)
		w.told(`<dialog id="5901"`, "<state>"+state+"</state>")
	}
}

func TestSubscribe_Renewed_TellsAnewAndEnds(t *testing.T) {
	h := newHouse(t, houseOptions{params: watching, quiet: true})
	w := h.watches(t, "sip:1001@test.local", "dialog", 600)
	w.told(`version="0"`)
	ok(t, w.sub.Renew(900))
	w.told("active;expires=900", `version="1"`)
	if !h.sw.Bus.Wanted(event.PresenceIn, "") {
		t.Error("nobody listens for changes")
	}
	ok(t, w.sub.Renew(0))
	if res := w.sub.Response(); res.StatusCode != 202 || header(res, "Subscription-State") != "terminated;reason=timeout" {
		t.Errorf("%s", res)
	}
	w.told("terminated;reason=timeout")
	h.unwatched(t)
	ok(t, w.sub.Renew(600))
	if got := w.sub.Response().StatusCode; got != 481 {
		t.Errorf("renewed after the end: %d, want 481", got)
	}
}

func TestSubscribe_RenewedBeforeTheLastNotifyIsAnswered_IsTold(t *testing.T) {
	h := newHouse(t, houseOptions{params: watching, quiet: true})
	w := h.watches(t, "sip:1001@test.local", "dialog", 600)
	w.told(`version="0"`)
	ws := h.stack.watchers
	kept := ws.of("1001", nil)[0]
	// As if another one were on its way.
	for limit, mine := time.Now().Add(patience), false; !mine; time.Sleep(5 * time.Millisecond) {
		kept.mu.Lock()
		if mine = !kept.sending; mine {
			kept.sending = true
		}
		kept.mu.Unlock()
		if time.Now().After(limit) {
			t.Fatal("the first NOTIFY was not answered")
		}
	}
	ok(t, w.sub.Renew(900))
	ws.answered(kept, wire.NewResponse(200, "OK"))
	w.told("active;expires=900", `version="1"`)
}

// unwatched waits until there is no subscription, and nobody listens for changes.
func (h *house) unwatched(t *testing.T) {
	t.Helper()
	for limit := time.Now().Add(patience); h.stack.watchers.size() > 0 || h.sw.Bus.Wanted(event.PresenceIn, ""); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("%d subscriptions are left", h.stack.watchers.size())
		}
	}
}

func TestSubscribe_PastItsTime_Ends(t *testing.T) {
	h := newHouse(t, houseOptions{params: watching + `<param name="force-subscription-expires" value="120"/>`, quiet: true})
	w := h.watches(t, "sip:1001@test.local", "dialog", 600)
	w.told("active;expires=120")
	h.stack.watchers.audit(h.profile(), time.Now().Add(time.Minute))
	if h.stack.watchers.size() != 1 {
		t.Fatal("ended before its time")
	}
	// While the phone has not answered a NOTIFY, the next waits for another look.
	for limit := time.Now().Add(patience); h.stack.watchers.size() > 0 && time.Now().Before(limit); time.Sleep(5 * time.Millisecond) {
		h.stack.watchers.audit(h.profile(), time.Now().Add(121*time.Second))
	}
	w.told("terminated;reason=timeout")
	h.unwatched(t)
}

func TestSubscribe_PhoneThatIsGone_IsForgotten(t *testing.T) {
	h := newHouse(t, houseOptions{params: watching, quiet: true})
	w := h.watches(t, "sip:1001@test.local", "presence", 600)
	w.told("Unregistered")
	w.phone.Close()
	h.registered("1001")
	h.unwatched(t)
}

func TestSubscribe_TooMany_Refused(t *testing.T) {
	h := newHouse(t, houseOptions{params: watching, limits: Limits{SourceWatches: 1}})
	first := h.watches(t, "sip:1001@test.local", "dialog", 600)
	first.told("active")
	if got := h.watches(t, "sip:1000@test.local", "dialog", 600).sub.Response(); got.StatusCode != 503 || header(got, "Retry-After") == "" {
		t.Errorf("second: %s", got)
	}
	ok(t, first.sub.Renew(0))
	first.told("terminated")
	if got := h.watches(t, "sip:1000@test.local", "dialog", 600).sub.Response().StatusCode; got != 202 {
		t.Errorf("after the first has ended: %d", got)
	}
}

// Who may call without a password may not watch others without one.
func TestSubscribe_OpenProfile_StillAsksForThePassword(t *testing.T) {
	h := newHouse(t, houseOptions{params: watching + `<param name="auth-calls" value="false"/>`})
	for user, want := range map[string]int{"mallory": 403, "1000": 202} {
		sub := must[*phone.Subscription](t)(h.phone(user).Subscribe("sip:1001@test.local", "dialog", 60))
		if got := sub.Response().StatusCode; got != want {
			t.Errorf("%s: %d, want %d", user, got, want)
		}
	}
}

func TestSubscribe_UnknownPackage_Refused(t *testing.T) {
	h := newHouse(t, houseOptions{params: watching})
	for pack, want := range map[string]int{"line-seize": 489, "": 489, "message-summary": 202, "DIALOG": 202} {
		if got := h.watches(t, "sip:1001@test.local", pack, 60).sub.Response().StatusCode; got != want {
			t.Errorf("%q: %d, want %d", pack, got, want)
		}
	}
}
