package interop

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/switchlet/switchlet/esl"
	"github.com/switchlet/switchlet/test/box"
)

func TestSIPp_EchoAnswersWithDigestAndReturnsTheSound(t *testing.T) {
	b := start(t, nil)
	for _, tcp := range []bool{false, true} {
		t.Run(map[bool]string{false: "UDP", true: "TCP"}[tcp], func(t *testing.T) {
			w, v := observe(t, b), newVoice(t)
			call := sipp{Scenario: "call", Number: "9196", Talk: 2500 * time.Millisecond, RTP: v.port(), TCP: tcp}.start(t, b)
			e := w.awaitName("CHANNEL_ANSWER", "")
			w.await("echo", func(e *esl.Event) bool { return label(e) == "EXECUTE echo" })
			v.talk(t, e, 600)
			box.Eventually(t, patience, "the tone comes back", func() bool { return v.hears(600) })
			if v.hears(1000) {
				t.Error("a frequency is heard that nobody sent")
			}
			call.wait(t)
			if got := w.awaitName("CHANNEL_HANGUP_COMPLETE", e.UUID()); got.Get("Hangup-Cause") != "NORMAL_CLEARING" ||
				got.Variable("sip_hangup_disposition") != "recv_bye" {
				t.Errorf("ended with %s, %s; want NORMAL_CLEARING, recv_bye", got.Get("Hangup-Cause"), got.Variable("sip_hangup_disposition"))
			}
		})
	}
}

func TestSIPp_MilliwattIsHeard(t *testing.T) {
	b := start(t, nil)
	w, v := observe(t, b), newVoice(t)
	call := sipp{Scenario: "call", Number: "9197", Talk: 1500 * time.Millisecond, RTP: v.port()}.start(t, b)
	v.talk(t, w.awaitName("CHANNEL_ANSWER", ""), 0)
	box.Eventually(t, patience, "1004 Hz are heard", func() bool { return v.hears(1004) })
	call.wait(t)
}

func TestSIPp_WrongPasswordIsRefusedAfterOneChallenge(t *testing.T) {
	b := start(t, nil)
	call := sipp{Scenario: "wrong_password", Number: "9196", Password: "nonsense"}.start(t, b)
	call.wait(t)
	for first, want := range map[string]int{"SIP/2.0 407": 1, "SIP/2.0 403": 1, "INVITE ": 2} {
		if got := call.different(t, first); got != want {
			t.Errorf("%d different %q, want %d", got, first, want)
		}
	}
	if out := b.API(t, b.ESL(t), "show calls count"); !strings.HasPrefix(strings.TrimSpace(out), "0 total.") {
		t.Errorf("calls after the refusal: %q", out)
	}
}

func TestSIPp_Registers(t *testing.T) {
	b := start(t, nil)
	for _, tcp := range []bool{false, true} {
		sipp{Scenario: "register", User: "1003", TCP: tcp}.run(t, b)
	}
	if out := b.API(t, b.ESL(t), "sofia status profile internal reg"); !strings.Contains(out, "1003@127.0.0.1") {
		t.Errorf("the registration is not listed:\n%s", out)
	}
	wrong := sipp{Scenario: "register_wrong", User: "1004", Password: "nonsense"}.start(t, b)
	wrong.wait(t)
	if n := wrong.different(t, "SIP/2.0 401"); n != 1 {
		t.Errorf("%d challenges, want 1", n)
	}
}

func TestSIPp_UnknownNumberIsNotFound(t *testing.T) {
	b := start(t, nil)
	for user, context := range map[string]string{"1000": "default", "7000": "interop"} {
		t.Run(context, func(t *testing.T) { sipp{Scenario: "unknown", User: user, Number: "123454321"}.run(t, b) })
	}
}

func TestSIPp_TwoHundredCallsAllSucceed(t *testing.T) {
	b := start(t, nil)
	api := b.ESL(t)
	sipp{Scenario: "call", Number: "9196", Calls: 200, Rate: 25, Talk: time.Second}.run(t, b)
	box.Eventually(t, patience, "all calls are gone", func() bool {
		return strings.HasPrefix(strings.TrimSpace(b.API(t, api, "show channels count")), "0 total.")
	})
}

func TestSIPp_CancelWhileRinging(t *testing.T) {
	b := start(t, nil)
	w := observe(t, b)
	t.Run("the dialplan rings", func(t *testing.T) {
		sipp{Scenario: "cancel", Number: "9180"}.run(t, b)
		e := w.awaitName("CHANNEL_HANGUP_COMPLETE", "")
		if e.Get("Hangup-Cause") != "ORIGINATOR_CANCEL" || e.Variable("sip_hangup_disposition") != "recv_cancel" {
			t.Errorf("ended with %s, %s; want ORIGINATOR_CANCEL, recv_cancel", e.Get("Hangup-Cause"), e.Variable("sip_hangup_disposition"))
		}
		w.awaitEnd(e.UUID())
	})
	t.Run("a phone rings", func(t *testing.T) {
		w.seen = nil
		callee := sipp{Scenario: "ring_until_cancel"}.start(t, b)
		sipp{Scenario: "cancel", User: "7000", Number: fmt.Sprintf("uas-%d", callee.port)}.run(t, b)
		callee.wait(t)
		causes := map[string]string{}
		for len(causes) < 2 {
			e := w.awaitName("CHANNEL_HANGUP_COMPLETE", "")
			causes[e.Get("Call-Direction")] = e.Get("Hangup-Cause")
		}
		if causes["inbound"] != "ORIGINATOR_CANCEL" || causes["outbound"] != "ORIGINATOR_CANCEL" {
			t.Errorf("causes are %v, want ORIGINATOR_CANCEL on both legs", causes)
		}
	})
}

func TestSIPp_ByeFromEitherSide(t *testing.T) {
	for _, who := range []struct {
		name, caller, callee string
		inbound, outbound    string // sip_hangup_disposition of the legs
	}{
		{"caller", "call", "answer", "recv_bye", "send_bye"},
		{"callee", "called_off", "answer_and_leave", "send_bye", "recv_bye"},
	} {
		t.Run(who.name, func(t *testing.T) {
			b := start(t, nil)
			w, near, far := observe(t, b), newVoice(t), newVoice(t)
			callee := sipp{Scenario: who.callee, RTP: far.port(), Talk: 1500 * time.Millisecond}.start(t, b)
			caller := sipp{Scenario: who.caller, User: "7000", RTP: near.port(), Talk: 1500 * time.Millisecond,
				Number: fmt.Sprintf("after-%d", callee.port)}.start(t, b)
			bridged := w.awaitName("CHANNEL_BRIDGE", "")
			near.talk(t, bridged, 500)
			far.talk(t, w.leg("outbound"), 900)
			box.Eventually(t, patience, "both hear each other", func() bool { return near.hears(900) && far.hears(500) })
			caller.wait(t)
			callee.wait(t)
			got := map[string]string{}
			for len(got) < 2 {
				e := w.awaitName("CHANNEL_HANGUP_COMPLETE", "")
				got[e.Get("Call-Direction")] = e.Variable("sip_hangup_disposition")
				if cause := e.Get("Hangup-Cause"); cause != "NORMAL_CLEARING" {
					t.Errorf("the %s leg ended with %s", e.Get("Call-Direction"), cause)
				}
			}
			if got["inbound"] != who.inbound || got["outbound"] != who.outbound {
				t.Errorf("dispositions %v, want %s and %s", got, who.inbound, who.outbound)
			}
		})
	}
}

func TestSIPp_BusyReachesTheCaller(t *testing.T) {
	b := start(t, nil)
	w := observe(t, b)
	callee := sipp{Scenario: "busy"}.start(t, b)
	sipp{Scenario: "refused_busy", User: "7000", Number: fmt.Sprintf("uas-%d", callee.port)}.run(t, b)
	callee.wait(t)
	for range 2 {
		e := w.awaitName("CHANNEL_HANGUP_COMPLETE", "")
		if e.Get("Hangup-Cause") != "USER_BUSY" || e.Variable("proto_specific_hangup_cause") != "sip:486" {
			t.Errorf("the %s leg ended with %s, %s; want USER_BUSY, sip:486", e.Get("Call-Direction"),
				e.Get("Hangup-Cause"), e.Variable("proto_specific_hangup_cause"))
		}
	}
}

func TestSIPp_HoldAndResume(t *testing.T) {
	b := start(t, nil)
	w, near, far := observe(t, b), newVoice(t), newVoice(t)
	callee := sipp{Scenario: "answer", RTP: far.port()}.start(t, b)
	caller := sipp{Scenario: "hold", User: "7000", RTP: near.port(), Talk: 3 * time.Second,
		Number: fmt.Sprintf("after-%d", callee.port)}.start(t, b)
	near.talk(t, w.awaitName("CHANNEL_BRIDGE", ""), 500)
	far.talk(t, w.leg("outbound"), 900)
	box.Eventually(t, patience, "both hear each other", func() bool { return near.hears(900) && far.hears(500) })
	hold := w.awaitName("CHANNEL_HOLD", "")
	box.Eventually(t, patience, "the caller's tone is gone", func() bool { return far.lacks(500) })
	resumed := w.awaitName("CHANNEL_UNHOLD", hold.UUID())
	near.forget()
	far.forget()
	box.Eventually(t, patience, "both hear each other again", func() bool { return near.hears(900) && far.hears(500) })
	caller.wait(t)
	callee.wait(t)
	if hold.Get("Call-Direction") != "inbound" || resumed.Get("Channel-Call-State") == "HELD" {
		t.Errorf("held the %s leg, call state %s afterwards", hold.Get("Call-Direction"), resumed.Get("Channel-Call-State"))
	}
}
