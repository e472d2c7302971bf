package interop

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/switchlet/switchlet/esl"
	"github.com/switchlet/switchlet/test/ports"
)

// The orders below are those recorded in docs/reference/esl.md §5.1 to §5.3. Events
// that it leaves out (API, HEARTBEAT, RE_SCHEDULE, PRESENCE_IN) are left out here.
var unrecorded = map[string]bool{"API": true, "HEARTBEAT": true, "RE_SCHEDULE": true, "PRESENCE_IN": true,
	"CUSTOM": true, "BACKGROUND_JOB": true, "PRIVATE_COMMAND": true}

var (
	inboundStart = []string{"STATE CS_NEW", "STATE CS_INIT", "CREATE", "CALLSTATE DOWN>RINGING", "STATE CS_ROUTING", "STATE CS_EXECUTE"}
	lateAnswer   = []string{"CODEC", "CODEC", "PROGRESS_MEDIA", "CALLSTATE RINGING>EARLY", "ANSWER", "CALLSTATE EARLY>ACTIVE"}
	legEnd       = []string{"STATE CS_HANGUP", "CALLSTATE ACTIVE>HANGUP", "STATE CS_REPORTING", "HANGUP_COMPLETE", "DESTROY", "STATE CS_DESTROY"}
)

// labels lists the recorded events of a call, in order, from those that were seen.
func (w *watch) labels(uuid string) []string {
	var out []string
	for _, e := range w.seen {
		if e.UUID() == uuid && !unrecorded[e.Name()] {
			out = append(out, label(e))
		}
	}
	return out
}

// compare tells the first difference of two lists.
func compare(t *testing.T, what string, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Errorf("%s: ends after %q, want %q\n%s", what, got[max(0, i-1)], want[i], strings.Join(got, " · "))
		case i >= len(want):
			t.Errorf("%s: %q after the end\n%s", what, got[i], strings.Join(got, " · "))
		case got[i] != want[i]:
			t.Errorf("%s: event %d is %q, want %q\n got %s\nwant %s", what, i+1, got[i], want[i],
				strings.Join(got, " · "), strings.Join(want, " · "))
		default:
			continue
		}
		return
	}
}

// find returns the nth event (from 0) of a call with that label.
func (w *watch) find(uuid, name string, nth int) *esl.Event {
	w.t.Helper()
	for _, e := range w.seen {
		if e.UUID() == uuid && label(e) == name {
			if nth--; nth < 0 {
				return e
			}
		}
	}
	w.t.Fatalf("no %s among the events of %s", name, short(uuid))
	return nil
}

// expect checks headers of an event.
func expect(t *testing.T, e *esl.Event, headers map[string]string) {
	t.Helper()
	for name, want := range headers {
		if got, ok := e.Headers.Lookup(name); got != want {
			t.Errorf("%s: %s is %q (present: %v), want %q", label(e), name, got, ok, want)
		}
	}
}

// position is where a header stands in an event, -1 if it does not.
func position(e *esl.Event, name string) int {
	return slices.IndexFunc(e.Headers, func(h esl.Header) bool { return h.Name == name })
}

// ordered checks that those of the names that an event has stand in that order.
func ordered(t *testing.T, e *esl.Event, names []string) {
	t.Helper()
	last, at := "", -1
	for _, name := range names {
		p := position(e, name)
		if p < 0 {
			continue
		}
		if p < at {
			t.Errorf("%s: header %s stands before %s", label(e), name, last)
		}
		last, at = name, p
	}
}

// inOrder joins the recorded pieces.
func inOrder(pieces ...[]string) []string { return slices.Concat(pieces...) }

func TestOrder_InboundCallEchoesAndTheCallerHangsUp(t *testing.T) {
	b := start(t, nil)
	w := observe(t, b)
	sipp{Scenario: "call", User: "7000", Number: "echo", Talk: 500 * time.Millisecond}.run(t, b)
	id := w.awaitName("CHANNEL_HANGUP_COMPLETE", "").UUID()
	w.awaitEnd(id)
	compare(t, "the call", w.labels(id), inOrder(inboundStart, []string{"EXECUTE answer"}, lateAnswer,
		[]string{"EXECUTE_COMPLETE answer", "EXECUTE echo", "HANGUP NORMAL_CLEARING", "EXECUTE_COMPLETE echo"}, legEnd))

	create := w.find(id, "CREATE", 0)
	expect(t, create, map[string]string{"Channel-State": "CS_INIT", "Channel-State-Number": "2", "Channel-Call-State": "DOWN",
		"Answer-State": "ringing", "Call-Direction": "inbound", "Presence-Call-Direction": "inbound", "Channel-HIT-Dialplan": "true",
		"Channel-Name": "sofia/internal/7000@127.0.0.1", "Caller-Destination-Number": "echo", "Caller-Username": "7000",
		"Caller-Source": "mod_sofia", "Caller-Dialplan": "XML", "Caller-Context": "interop", "Caller-Network-Addr": "127.0.0.1",
		"Caller-Caller-ID-Name": "SIPp", "Caller-Caller-ID-Number": "7000", "Caller-Profile-Index": "1",
		"Caller-Channel-Answered-Time": "0", "Caller-Screen-Bit": "true",
		"Event-Calling-File": "switch_core_state_machine.c", "Event-Calling-Function": "switch_core_session_run",
		"variable_direction": "inbound", "variable_sip_from_user": "7000", "variable_sofia_profile_name": "internal",
		"variable_sip_via_protocol": "udp", "variable_sip_req_user": "echo", "variable_endpoint_disposition": "DELAYED NEGOTIATION"})
	expect(t, w.find(id, "CALLSTATE DOWN>RINGING", 0), map[string]string{"Channel-State": "CS_ROUTING", "Channel-Call-State-Number": "2"})
	for i, e := range []*esl.Event{w.find(id, "CODEC", 0), w.find(id, "CODEC", 1)} {
		side := []string{"read", "write"}[i]
		expect(t, e, map[string]string{"channel-" + side + "-codec-name": "PCMU", "channel-" + side + "-codec-rate": "8000",
			"channel-" + side + "-codec-bit-rate": "64000"})
	}
	expect(t, w.find(id, "ANSWER", 0), map[string]string{"Channel-Call-State": "EARLY", "Answer-State": "answered",
		"Channel-Read-Codec-Name": "PCMU", "Channel-Write-Codec-Bit-Rate": "64000"})
	expect(t, w.find(id, "EXECUTE echo", 0), map[string]string{"Application": "echo", "Channel-State": "CS_EXECUTE"})
	expect(t, w.find(id, "EXECUTE_COMPLETE answer", 0), map[string]string{"Application-Response": "_none_"})
	if a, c := w.find(id, "EXECUTE echo", 0), w.find(id, "EXECUTE_COMPLETE echo", 0); a.Get("Application-UUID") == "" ||
		a.Get("Application-UUID") != c.Get("Application-UUID") {
		t.Errorf("echo begins with Application-UUID %q and ends with %q", a.Get("Application-UUID"), c.Get("Application-UUID"))
	}
	expect(t, w.find(id, "HANGUP NORMAL_CLEARING", 0), map[string]string{"Channel-State": "CS_EXECUTE", "Channel-State-Number": "10",
		"Answer-State": "hangup", "Channel-Call-State": "ACTIVE"})
	complete := w.find(id, "HANGUP_COMPLETE", 0)
	expect(t, complete, map[string]string{"Channel-State": "CS_REPORTING", "Hangup-Cause": "NORMAL_CLEARING",
		"variable_sip_term_status": "200", "variable_proto_specific_hangup_cause": "sip:200", "variable_sip_term_cause": "16",
		"variable_sip_hangup_disposition": "recv_bye", "variable_hangup_cause": "NORMAL_CLEARING", "variable_hangup_cause_q850": "16",
		"variable_last_app": "echo"})
	if ms, err := strconv.Atoi(complete.Variable("billmsec")); err != nil || ms < 400 || ms > 30000 {
		t.Errorf("billmsec is %q after half a second of talk", complete.Variable("billmsec"))
	}
	causes := 0
	for _, h := range complete.Headers {
		if h.Name == "Hangup-Cause" {
			causes++
		}
	}
	if causes != 2 {
		t.Errorf("HANGUP_COMPLETE has Hangup-Cause %d times, want twice", causes)
	}
	expect(t, w.find(id, "DESTROY", 0), map[string]string{"Channel-State": "CS_REPORTING"})
	for _, e := range w.seen {
		if e.UUID() == id {
			headerOrder(t, e)
		}
	}
	variableOrder(t, create, complete)
}

func TestOrder_BridgeTheCallerHangsUp(t *testing.T) {
	b := start(t, nil)
	w := observe(t, b)
	callee := sipp{Scenario: "answer"}.start(t, b)
	sipp{Scenario: "call", User: "7000", Number: fmt.Sprintf("uas-%d", callee.port), Talk: 500 * time.Millisecond}.run(t, b)
	callee.wait(t)
	a, z := w.bridgedCalls()
	w.awaitEnd(a, z)
	// With half a second of ringing A's PROGRESS comes right after B's.
	compare(t, "A", w.labels(a), inOrder(inboundStart, []string{"EXECUTE bridge", "PROGRESS"}, lateAnswer,
		[]string{"BRIDGE", "CALL_UPDATE SEND", "HANGUP NORMAL_CLEARING", "UNBRIDGE", "EXECUTE_COMPLETE bridge"}, legEnd))
	compare(t, "B", w.labels(z), inOrder(outboundStart, outboundAnswer, []string{"STATE CS_EXCHANGE_MEDIA", "CALL_UPDATE SEND",
		"HANGUP NORMAL_CLEARING"}, legEnd))
	w.after(z, "PROGRESS", a, "PROGRESS")
	w.after(a, "EXECUTE bridge", z, "OUTGOING")
	w.after(z, "ANSWER", a, "ANSWER")
	w.after(a, "BRIDGE", z, "STATE CS_EXCHANGE_MEDIA")
	w.after(a, "HANGUP NORMAL_CLEARING", z, "HANGUP NORMAL_CLEARING")
	w.after(z, "HANGUP_COMPLETE", a, "UNBRIDGE")

	expect(t, w.find(z, "OUTGOING", 0), map[string]string{"Channel-State": "CS_NONE", "Other-Type": "originator", "Call-Direction": "outbound"})
	expect(t, w.find(z, "CREATE", 0), map[string]string{"Channel-State": "CS_INIT", "Channel-State-Number": "2", "Channel-HIT-Dialplan": "false",
		"Call-Direction": "outbound", "Channel-Name": "sofia/internal/uas@127.0.0.1:" + fmt.Sprint(callee.port), "Other-Type": "originator",
		"Other-Leg-Unique-ID": a})
	bridge := w.find(a, "BRIDGE", 0)
	expect(t, bridge, map[string]string{"Bridge-A-Unique-ID": a, "Bridge-B-Unique-ID": z, "Other-Type": "originatee", "Other-Leg-Unique-ID": z,
		"variable_bridge_uuid": z, "variable_signal_bond": z, "Event-Calling-File": "switch_ivr_bridge.c",
		"Event-Calling-Function": "switch_ivr_multi_threaded_bridge"})
	if position(bridge, "Bridge-A-Unique-ID") > position(bridge, "Channel-State") {
		t.Error("CHANNEL_BRIDGE: Bridge-A-Unique-ID comes after the channel's block")
	}
	expect(t, w.find(a, "UNBRIDGE", 0), map[string]string{"Bridge-A-Unique-ID": a, "Bridge-B-Unique-ID": z})
	expect(t, w.find(z, "CALL_UPDATE SEND", 0), map[string]string{"Bridged-To": a, "Direction": "SEND"})
	expect(t, w.find(z, "HANGUP_COMPLETE", 0), map[string]string{"variable_sip_hangup_disposition": "send_bye", "Channel-Call-UUID": a})
	expect(t, w.find(a, "HANGUP_COMPLETE", 0), map[string]string{"variable_sip_hangup_disposition": "recv_bye", "Channel-Call-UUID": a})
	for _, e := range w.seen {
		if e.UUID() == a || e.UUID() == z {
			headerOrder(t, e)
		}
	}
}

func TestOrder_BridgeTheCalleeHangsUp(t *testing.T) {
	for _, c := range []struct {
		name, number string
		rest         []string // of A after UNBRIDGE
	}{
		{"hangup_after_bridge", "after-%d", []string{"HANGUP NORMAL_CLEARING", "EXECUTE_COMPLETE bridge"}},
		{"the dialplan goes on", "uas-%d", []string{"EXECUTE_COMPLETE bridge", "HANGUP NORMAL_CLEARING"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := start(t, nil)
			w := observe(t, b)
			callee := sipp{Scenario: "answer_and_leave", Talk: 300 * time.Millisecond}.start(t, b)
			sipp{Scenario: "called_off", User: "7000", Number: fmt.Sprintf(c.number, callee.port)}.run(t, b)
			callee.wait(t)
			a, z := w.bridgedCalls()
			w.awaitEnd(a, z)
			var set []string
			if strings.HasPrefix(c.number, "after") {
				set = []string{"EXECUTE set", "EXECUTE_COMPLETE set"}
			}
			compare(t, "A", w.labels(a), inOrder(inboundStart, set, []string{"EXECUTE bridge", "PROGRESS"}, lateAnswer,
				[]string{"BRIDGE", "CALL_UPDATE SEND", "UNBRIDGE"}, c.rest, legEnd))
			compare(t, "B", w.labels(z), inOrder(outboundStart, outboundAnswer, []string{"STATE CS_EXCHANGE_MEDIA", "CALL_UPDATE SEND",
				"HANGUP NORMAL_CLEARING"}, legEnd))
			w.after(z, "HANGUP NORMAL_CLEARING", a, "UNBRIDGE")
			expect(t, w.find(a, "UNBRIDGE", 0), map[string]string{"Answer-State": "answered"})
			expect(t, w.find(z, "HANGUP_COMPLETE", 0), map[string]string{"variable_sip_hangup_disposition": "recv_bye"})
		})
	}
}

var (
	outboundStart  = []string{"OUTGOING", "STATE CS_INIT", "CREATE", "ORIGINATE", "STATE CS_ROUTING", "STATE CS_CONSUME_MEDIA"}
	outboundAnswer = []string{"PROGRESS", "CALLSTATE DOWN>RINGING", "CODEC", "CODEC", "ANSWER", "CALLSTATE RINGING>ACTIVE"}
)

func TestOrder_OriginateToLoopback(t *testing.T) {
	b := start(t, nil)
	w := observe(t, b)
	api := b.ESL(t)
	if out := b.API(t, api, "originate {origination_uuid=near}loopback/echo/interop &park()"); out != "+OK near\n" {
		t.Fatalf("originate said %q", out)
	}
	w.awaitName("CHANNEL_PARK", "near")
	b.API(t, api, "uuid_kill near")
	far := w.find("near", "PARK", 0).Variable("other_loopback_leg_uuid")
	w.awaitEnd("near", far)
	compare(t, "a", w.labels("near"), inOrder([]string{"CODEC", "CODEC"}, outboundStart,
		[]string{"ANSWER", "CALLSTATE DOWN>ACTIVE", "CALL_UPDATE RECV", "STATE CS_EXECUTE", "EXECUTE park", "PARK",
			"HANGUP NORMAL_CLEARING", "UNPARK", "EXECUTE_COMPLETE park"}, legEnd))
	compare(t, "b", w.labels(far), inOrder([]string{"CODEC", "CODEC"}, inboundStart[1:],
		[]string{"EXECUTE answer", "ANSWER", "CALLSTATE RINGING>ACTIVE", "EXECUTE_COMPLETE answer", "EXECUTE echo",
			"HANGUP NORMAL_CLEARING", "EXECUTE_COMPLETE echo"}, legEnd))
	w.after(far, "EXECUTE answer", "near", "ANSWER")
	w.after("near", "ANSWER", far, "ANSWER")
}

func TestOrder_BridgeToAClosedPort(t *testing.T) {
	b := start(t, nil)
	w := observe(t, b)
	sipp{Scenario: "refused_503", User: "7000", Number: fmt.Sprintf("uas-%d", ports.Free(t))}.run(t, b)
	a := w.awaitName("CHANNEL_HANGUP_COMPLETE", "").UUID()
	if w.find(a, "HANGUP_COMPLETE", 0).Get("Call-Direction") == "outbound" {
		a = w.await("end of A", func(e *esl.Event) bool {
			return e.Name() == "CHANNEL_HANGUP_COMPLETE" && e.Get("Call-Direction") == "inbound"
		}).UUID()
	}
	w.awaitEnd(a)
	unanswered := slices.Clone(legEnd)
	unanswered[1] = "CALLSTATE RINGING>HANGUP"
	compare(t, "A", w.labels(a), inOrder(inboundStart, []string{"EXECUTE bridge", "HANGUP NORMAL_TEMPORARY_FAILURE", "EXECUTE_COMPLETE bridge"}, unanswered))
}

// bridgedCalls are the legs of the bridge that was or will be seen.
func (w *watch) bridgedCalls() (a, b string) {
	w.t.Helper()
	e := w.awaitName("CHANNEL_BRIDGE", "")
	return e.Get("Bridge-A-Unique-ID"), e.Get("Bridge-B-Unique-ID")
}

// after checks that one event comes after another, of whichever call.
func (w *watch) after(first, firstLabel, then, thenLabel string) {
	w.t.Helper()
	i := slices.Index(w.seen, w.find(first, firstLabel, 0))
	j := slices.Index(w.seen, w.find(then, thenLabel, 0))
	if j < i {
		w.t.Errorf("%s of %s comes before %s of %s; the events were\n%s", thenLabel, short(then), firstLabel, short(first),
			strings.Join(w.names(), "\n"))
	}
}
