package sip

import (
	"strings"
	"testing"
	"time"

	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/test/phone"
)

func TestInbound_EchoAndBye_EventsInOrder(t *testing.T) {
	h := newHouse(t, houseOptions{})
	a := h.phone("1000")
	c := must[*phone.Call](t)(a.Call("9196"))
	c.Say(440, 0.5)
	ok(t, c.Hears(440, 0.3, 500*time.Millisecond))
	ok(t, c.Hangup())
	e := h.waitType(event.ChannelHangupComplete)
	for name, want := range map[string]string{
		"Hangup-Cause": "NORMAL_CLEARING", "variable_sip_term_status": "200", "variable_proto_specific_hangup_cause": "sip:200",
		"variable_sip_term_cause": "16", "variable_sip_hangup_disposition": "recv_bye", "variable_sip_from_user": "1000",
		"variable_sip_auth_username": "1000", "variable_user_name": "1000", "variable_sip_authorized": "true",
		"variable_accountcode": "1000", "variable_read_codec": "PCMU", "variable_endpoint_disposition": "RECEIVED",
		"Caller-Destination-Number": "9196", "Caller-Context": "default", "variable_sip_via_protocol": "udp",
	} {
		if got := e.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if e.Get("variable_rtp_audio_in_packet_count") == "0" {
		t.Error("no packets were counted")
	}
	uuid := e.Get("Unique-ID")
	h.wait("CS_DESTROY", func(e *event.Event) bool {
		return e.Type == event.ChannelState && e.Get("Channel-State") == "CS_DESTROY" && e.Get("Unique-ID") == uuid
	})
	want := strings.Join([]string{"STATE CS_NEW", "STATE CS_INIT", "CREATE", "CALLSTATE DOWN>RINGING", "STATE CS_ROUTING", "STATE CS_EXECUTE",
		"EXECUTE answer", "CODEC", "CODEC", "PROGRESS_MEDIA", "CALLSTATE RINGING>EARLY", "ANSWER", "CALLSTATE EARLY>ACTIVE",
		"EXECUTE_COMPLETE answer", "EXECUTE echo", "HANGUP", "EXECUTE_COMPLETE echo", "STATE CS_HANGUP", "CALLSTATE ACTIVE>HANGUP",
		"STATE CS_REPORTING", "HANGUP_COMPLETE", "DESTROY", "STATE CS_DESTROY"}, "\n")
	if got := h.order(uuid); got != want {
		t.Errorf("order:\n%s\nwant:\n%s", got, want)
	}
}

func TestInbound_NobodyAnswers_StatusOfCause(t *testing.T) {
	h := newHouse(t, houseOptions{})
	a := h.phone("1000")
	for number, want := range map[string]int{"busy": 486, "nosuch": 404, "respond433": 433, "redirect": 302} {
		_, err := a.Call(number)
		if err == nil {
			t.Errorf("%s was answered", number)
			continue
		}
		c := must[*phone.Call](t)(a.Dial(number))
		recv(t, c.Done())
		if status, reason := c.Status(); status != want {
			t.Errorf("%s: %d %s, want %d", number, status, reason, want)
		}
	}
}

func TestInbound_Cancel_EndsWithOriginatorCancel(t *testing.T) {
	h := newHouse(t, houseOptions{})
	a := h.phone("1000")
	c := must[*phone.Call](t)(a.Dial("5901"))
	recv(t, c.Ringing())
	c.Cancel()
	recv(t, c.Done())
	if status, _ := c.Status(); status != 487 {
		t.Errorf("status %d, want 487", status)
	}
	e := h.waitType(event.ChannelHangupComplete)
	if e.Get("Hangup-Cause") != "ORIGINATOR_CANCEL" || e.Get("variable_sip_hangup_disposition") != "recv_cancel" {
		t.Errorf("cause %s, disposition %s", e.Get("Hangup-Cause"), e.Get("variable_sip_hangup_disposition"))
	}
}

// The refusal of a repeated INVITE, 180 and the 487 of a CANCEL name the same dialog,
// and a dialog that has ended is not begun again by an INVITE that names it.
func TestInbound_AllAnswersHaveOneTag(t *testing.T) {
	h := newHouse(t, houseOptions{})
	r := newRaw(t, h)
	const uri = "sip:5901@test.local"
	to := func(m string) string { return strings.TrimSpace(value(m, "\r\nTo:")) }
	invite := r.message("INVITE", uri, "<"+uri+">", "tags", 1, "", "")
	refused := r.ask(invite)
	if again := r.ask(invite); to(again) != to(refused) || !strings.Contains(to(refused), ";tag=") {
		t.Errorf("refused with To %q and again with %q", to(refused), to(again))
	}
	if other := r.ask(r.message("INVITE", uri, "<"+uri+">", "tags", 2, "", "")); to(other) == to(refused) {
		t.Errorf("another INVITE has the same tag: %s", to(other))
	}
	invite = r.message("INVITE", uri, "<"+uri+">", "tags", 3, r.auth(refused, "INVITE", uri, "Proxy-Authorization"), "")
	ringing := r.await(invite, "SIP/2.0 180")
	cancel := r.message("CANCEL", uri, "<"+uri+">", "tags", 3, "", "")
	cancel = strings.Replace(cancel, value(cancel, "branch="), value(invite, "branch="), 1)
	if ended := r.await(cancel, "SIP/2.0 487"); to(ended) != to(ringing) {
		t.Errorf("180 with To %q, 487 with %q", to(ringing), to(ended))
	}
	h.waitType(event.ChannelHangupComplete)
	h.wait("the end", func(e *event.Event) bool { return e.Type == event.ChannelDestroy })
	if m := r.ask(r.message("INVITE", uri, to(ringing), "tags", 4, "", "")); !strings.HasPrefix(m, "SIP/2.0 481") {
		t.Errorf("a dialog that has ended: %s", m)
	}
}

func TestInbound_EarlyMedia_183WithSDP(t *testing.T) {
	h := newHouse(t, houseOptions{})
	a := h.phone("1000")
	c := must[*phone.Call](t)(a.Dial("5902"))
	recv(t, c.Ringing())
	if status, _ := c.Status(); status != 183 || c.Format().IsZero() {
		t.Errorf("status %d, format %v", status, c.Format())
	}
	c.Cancel()
	recv(t, c.Done())
}

func TestBridge_TwoPhones_HearEachOther(t *testing.T) {
	h := newHouse(t, houseOptions{})
	a, b := h.phone("1000"), h.registered("1001")
	out, in := dials(t, a, b, "1001")
	ok(t, in.Ring())
	recv(t, out.Ringing())
	answers(t, in, out)
	out.Say(440, 0.5)
	in.Say(880, 0.5)
	for _, x := range []struct {
		c    *phone.Call
		freq float64
	}{{in, 440}, {out, 880}} {
		ok(t, x.c.Hears(x.freq, 0.3, 300*time.Millisecond))
	}
	in.Press("5")
	deadline := time.After(patience)
	for out.Digits() != "5" {
		select {
		case <-deadline:
			t.Fatalf("digits %q, want 5", out.Digits())
		case <-time.After(20 * time.Millisecond):
		}
	}
	leaves(t, out, in)
	if bye := in.Bye(); bye == nil || header(bye, "Reason") != `Q.850;cause=16;text="NORMAL_CLEARING"` {
		t.Errorf("BYE %v", bye)
	}
}

func TestBridge_BusyPhone_StatusGoesBack(t *testing.T) {
	h := newHouse(t, houseOptions{})
	a, b := h.phone("1000"), h.registered("1001")
	out, in := dials(t, a, b, "1001")
	ok(t, in.Reject(486, "Busy Here"))
	recv(t, out.Done())
	if status, _ := out.Status(); status != 486 {
		t.Errorf("status %d, want 486", status)
	}
}

func TestOutbound_ClosedPort_FailsAtOnce(t *testing.T) {
	h := newHouse(t, houseOptions{})
	a := h.phone("1000")
	out := must[*phone.Call](t)(a.Dial("771"))
	select {
	case <-out.Done():
	case <-time.After(15 * time.Second): // else it would be 32 s
		t.Fatal("still calling")
	}
	if status, _ := out.Status(); status != 503 {
		t.Errorf("status %d, want 503", status)
	}
}

func TestOutbound_CallerCancels_CalleeGetsCancel(t *testing.T) {
	h := newHouse(t, houseOptions{})
	a, b := h.phone("1000"), h.registered("1001")
	out, in := dials(t, a, b, "1001")
	ok(t, in.Ring())
	recv(t, out.Ringing())
	out.Cancel()
	ok(t, in.WaitEnd())
	recv(t, out.Done())
}

func TestBridge_CalleeAnswersAfterEarlyMedia_CallerIsAnswered(t *testing.T) {
	h := newHouse(t, houseOptions{})
	a, b := h.phone("1000"), h.registered("1001")
	out, in := dials(t, a, b, "1001")
	ok(t, in.Early())
	recv(t, out.Ringing())
	h.waitType(event.ChannelBridge)
	select {
	case <-out.Done():
		t.Fatal("answered by early media")
	default:
	}
	answers(t, in, out)
	in.Say(880, 0.5)
	ok(t, out.Hears(880, 0.3, 300*time.Millisecond))
	leaves(t, out, in)
}

func TestBridge_CalleeAnswersRightAfterEarlyMedia_CallerIsAnswered(t *testing.T) {
	h := newHouse(t, houseOptions{})
	a, b := h.phone("1000"), h.registered("1001")
	for range 20 {
		out, in := dials(t, a, b, "1001")
		ok(t, in.Early())
		answers(t, in, out)
		leaves(t, out, in)
	}
}

// A caller without an offer may take long until it acknowledges our answer, which has
// ours (RFC 3725): that it is sent elsewhere meanwhile leaves it answered.
func TestAnswer_TransferBeforeTheACK_CallIsAnswered(t *testing.T) {
	h := newHouse(t, houseOptions{})
	late := make(chan struct{})
	c := must[*phone.Call](t)(h.phone("1000", noOffer, func(o *phone.Options) { o.LateACK = late }).Dial("9196"))
	recv(t, c.Done())
	ok(t, h.sw.Channels()[0].Transfer("9198", "", ""))
	close(late)
	if heard := must[phone.Heard](t)(c.Listen(440, 500*time.Millisecond)); heard.Level < 0.02 {
		t.Errorf("the tone is heard at %.3f", heard.Level)
	}
	h.waitType(event.ChannelAnswer)
	ok(t, c.Hangup())
	h.nothingLeft()
}
