package interop

import (
	"slices"
	"testing"
	"time"

	"github.com/switchlet/switchlet/esl"
	"github.com/switchlet/switchlet/test/box"
)

// pair is two phones that are registered as 1000, with a tone of 440 Hz, and 1001,
// with one of 880 Hz, and what a client of the event socket sees.
func pair(t *testing.T, answer string) (b *box.Box, w *watch, a, z *baresip) {
	t.Helper()
	b = start(t, nil)
	w = observe(t, b)
	a, z = newBaresip(t, b, "1000", 440, "manual"), newBaresip(t, b, "1001", 880, answer)
	w.registered("1000", "1001")
	return b, w, a, z
}

func TestBaresip_TwoPhonesHearEachOther(t *testing.T) {
	_, w, a, z := pair(t, "auto")
	a.do("dial", "1001")
	a.await("CALL_ESTABLISHED")
	z.await("CALL_ESTABLISHED")
	w.awaitName("CHANNEL_BRIDGE", "")
	a.speaks(2 * time.Second)
	a.do("hangup", "")
	a.await("CALL_CLOSED")
	z.await("CALL_CLOSED")
	for _, h := range []struct {
		name  string
		phone *baresip
		hz    float64
	}{{"1000", a, 880}, {"1001", z, 440}} {
		if d := total(pieces(h.phone.heard(), h.hz)); d < time.Second {
			t.Errorf("%s heard %.0f Hz for %v, want at least 1 s", h.name, h.hz, d)
		}
	}
	w.bothEnded("NORMAL_CLEARING", "recv_bye", "send_bye")
}

func TestBaresip_TheCalledPhoneHangsUp(t *testing.T) {
	_, w, a, z := pair(t, "auto")
	a.do("dial", "1001")
	z.await("CALL_ESTABLISHED")
	w.awaitName("CHANNEL_BRIDGE", "")
	z.do("hangup", "")
	a.await("CALL_CLOSED")
	w.bothEnded("NORMAL_CLEARING", "send_bye", "recv_bye")
}

func TestBaresip_CancelWhileRinging(t *testing.T) {
	_, w, a, z := pair(t, "manual")
	a.do("dial", "1001")
	z.await("CALL_INCOMING")
	a.await("CALL_PROGRESS") // the dialplan's ringback is sound
	a.do("hangup", "")
	z.await("CALL_CLOSED")
	w.bothEnded("ORIGINATOR_CANCEL", "recv_cancel", "send_cancel")
}

// What the phone that holds hears is judged by TestSIPp_HoldAndResume: baresip 1.0
// records nothing more once it has sent a re-INVITE.
func TestBaresip_HoldAndResume(t *testing.T) {
	_, w, a, z := pair(t, "auto")
	a.do("dial", "1001")
	a.await("CALL_ESTABLISHED")
	z.await("CALL_ESTABLISHED")
	w.awaitName("CHANNEL_BRIDGE", "")
	z.speaks(1500 * time.Millisecond)
	a.do("hold", "")
	w.awaitName("CHANNEL_HOLD", "")
	z.speaks(1500 * time.Millisecond)
	a.do("resume", "")
	w.awaitName("CHANNEL_UNHOLD", "")
	z.speaks(1500 * time.Millisecond)
	a.do("hangup", "")
	a.await("CALL_CLOSED")
	z.await("CALL_CLOSED")
	heard := pieces(z.heard(), 440)
	// What lasts is the tone, the hold without it, the tone again.
	heard = slices.DeleteFunc(heard, func(p piece) bool { return p.lasts < 500*time.Millisecond })
	// What a busy machine cut in two is one.
	for i := 1; i < len(heard); {
		if a, b := &heard[i-1], heard[i]; a.tone == b.tone {
			a.lasts, a.loud = a.lasts+b.lasts, a.loud || b.loud
			heard = slices.Delete(heard, i, i+1)
			continue
		}
		i++
	}
	if len(heard) == 4 && !heard[0].tone {
		heard = heard[1:] // before the first packet
	}
	if len(heard) != 3 || !heard[0].tone || heard[1].tone || !heard[2].tone {
		t.Fatalf("1001 heard %+v, want the tone, a hold without it, the tone", heard)
	}
	if !heard[1].loud {
		t.Error("1001 heard no music while it was held")
	}
}

func TestBaresip_DigitsArrive(t *testing.T) {
	_, w, a, z := pair(t, "auto")
	a.do("dial", "1001")
	a.await("CALL_ESTABLISHED")
	z.await("CALL_ESTABLISHED")
	bridge := w.awaitName("CHANNEL_BRIDGE", "")
	for _, digit := range []string{"5", "#", "0"} {
		a.do("sndcode", digit)
		if got := z.await("CALL_DTMF_START").Param; got != digit {
			t.Errorf("%q arrived as %q", digit, got)
		}
		z.await("CALL_DTMF_END")
		e := w.await("DTMF", func(e *esl.Event) bool { return e.Name() == "DTMF" })
		if e.Get("DTMF-Digit") != digit || e.Get("DTMF-Source") != "RTP" || e.UUID() != bridge.UUID() {
			t.Errorf("the event says %q from %q of %s, want %q from RTP of the caller %s", e.Get("DTMF-Digit"),
				e.Get("DTMF-Source"), short(e.UUID()), digit, short(bridge.UUID()))
		}
	}
	z.do("sndcode", "7")
	if got := a.await("CALL_DTMF_START").Param; got != "7" {
		t.Errorf("7 of the callee arrived as %q", got)
	}
}

func TestBaresip_HearsItself(t *testing.T) {
	b := start(t, nil)
	w := observe(t, b)
	p := newBaresip(t, b, "1000", 440, "manual")
	w.registered("1000")
	p.do("dial", "9196")
	p.await("CALL_ESTABLISHED")
	p.speaks(2 * time.Second)
	p.do("hangup", "")
	p.await("CALL_CLOSED")
	if d := total(pieces(p.heard(), 440)); d < time.Second {
		t.Errorf("the echo was heard for %v, want at least 1 s", d)
	}
}

// A phone that speaks SRTP alone hears itself, and one without it.
func TestBaresip_SRTP(t *testing.T) {
	b := start(t, nil)
	w := observe(t, b)
	p := newBaresip(t, b, "1000", 440, "manual", "mediaenc=srtp-mand")
	z := newBaresip(t, b, "1001", 880, "auto")
	w.registered("1000", "1001")
	p.do("dial", "9196")
	p.await("CALL_ESTABLISHED")
	e := w.awaitName("CHANNEL_ANSWER", "")
	if got := e.Get("variable_rtp_secure_media_confirmed"); got != "true" {
		t.Errorf("rtp_secure_media_confirmed is %q", got)
	}
	p.speaks(2 * time.Second)
	p.do("hangup", "")
	p.await("CALL_CLOSED")
	if d := total(pieces(p.heard(), 440)); d < time.Second {
		t.Errorf("the echo was heard for %v, want at least 1 s", d)
	}
	p.do("dial", "1001")
	p.await("CALL_ESTABLISHED")
	z.await("CALL_ESTABLISHED")
	w.awaitName("CHANNEL_BRIDGE", "")
	p.speaks(2 * time.Second)
	p.do("hangup", "")
	p.await("CALL_CLOSED")
	z.await("CALL_CLOSED")
	if d := total(pieces(z.heard(), 440)); d < time.Second {
		t.Errorf("the phone without SRTP heard it for %v, want at least 1 s", d)
	}
	if d := total(pieces(p.heard(), 880)); d < time.Second {
		t.Errorf("the phone with SRTP heard the other for %v, want at least 1 s", d)
	}
}

// registered waits until each of the users has a phone.
func (w *watch) registered(users ...string) {
	w.t.Helper()
	w.await("registrations", func(e *esl.Event) bool {
		if e.Subclass() == "sofia::register" {
			users = slices.DeleteFunc(users, func(u string) bool { return u == e.Get("from-user") })
		}
		return len(users) == 0
	})
}

// bothEnded checks how the legs of a bridge ended: the cause, and who ended them
// (sip_hangup_disposition of the caller's and of the callee's leg).
func (w *watch) bothEnded(cause, inbound, outbound string) {
	w.t.Helper()
	got := map[string]string{}
	for len(got) < 2 {
		e := w.awaitName("CHANNEL_HANGUP_COMPLETE", "")
		got[e.Get("Call-Direction")] = e.Get("Hangup-Cause") + " " + e.Variable("sip_hangup_disposition")
	}
	want := map[string]string{"inbound": cause + " " + inbound, "outbound": cause + " " + outbound}
	for direction, how := range want {
		if got[direction] != how {
			w.t.Errorf("the %s leg ended with %s, want %s", direction, got[direction], how)
		}
	}
}
