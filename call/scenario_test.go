package call_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/call/originate"
)

// The blocks that recur in spec/esl.md §5.
const (
	begin    = "STATE CS_NEW · STATE CS_INIT · CREATE · CALLSTATE DOWN>RINGING · STATE CS_ROUTING · STATE CS_EXECUTE"
	dialled  = "OUTGOING · STATE CS_INIT · CREATE · ORIGINATE · STATE CS_ROUTING · STATE CS_CONSUME_MEDIA"
	answered = "CODEC · CODEC · PROGRESS_MEDIA · CALLSTATE RINGING>EARLY · ANSWER · CALLSTATE EARLY>ACTIVE"
)

// end is the END block of a leg that was in a call state.
func end(state string) string {
	return "STATE CS_HANGUP · CALLSTATE " + state + ">HANGUP · STATE CS_REPORTING · HANGUP_COMPLETE · DESTROY · STATE CS_DESTROY"
}

func TestInbound_AnswerEchoHangup_EventsInOrder(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		a := b.run("a", "answer", "echo")
		b.after(time.Second)
		a.Hangup(call.CauseNormalClearing)
		b.after(time.Second)
		b.wantOrder("a", begin+" · EXECUTE answer · "+answered+" · EXECUTE_COMPLETE answer · EXECUTE echo"+
			" · HANGUP NORMAL_CLEARING · EXECUTE_COMPLETE echo · "+end("ACTIVE"))
		if s := b.event("a", "ANSWER").Get("Channel-Call-State"); s != "EARLY" {
			t.Errorf("CHANNEL_ANSWER shows call state %s, want EARLY", s)
		}
		if s := b.event("a", "HANGUP NORMAL_CLEARING").Get("Channel-State-Number"); s != "10" {
			t.Errorf("CHANNEL_HANGUP shows state number %s, want 10", s)
		}
		if s := b.event("a", "DESTROY").Get("Channel-State"); s != "CS_REPORTING" {
			t.Errorf("CHANNEL_DESTROY shows %s, want CS_REPORTING", s)
		}
	})
}

func TestLoopback_OriginateParkKill_EventsOfBothLegsInOrder(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		b.extension("9196", "answer", "echo")
		a := originated(t, b, "loopback/9196/default", "park")
		b.after(time.Second)
		a.Hangup(call.CauseNormalClearing)
		b.after(time.Second)
		b.wantOrder("a", "CODEC · CODEC · "+dialled+" · ANSWER · CALLSTATE DOWN>ACTIVE · CALL_UPDATE · STATE CS_EXECUTE"+
			" · EXECUTE park · PARK · HANGUP NORMAL_CLEARING · UNPARK · EXECUTE_COMPLETE park · "+end("ACTIVE"))
		b.wantOrder("b", "CODEC · CODEC · STATE CS_INIT · CREATE · CALLSTATE DOWN>RINGING · STATE CS_ROUTING · STATE CS_EXECUTE"+
			" · EXECUTE answer · ANSWER · CALLSTATE RINGING>ACTIVE · EXECUTE_COMPLETE answer · EXECUTE echo"+
			" · HANGUP NORMAL_CLEARING · EXECUTE_COMPLETE echo · "+end("ACTIVE"))
		b.wantSequence("a OUTGOING", "a STATE CS_INIT", "b CODEC", "a CREATE", "b STATE CS_INIT", "b EXECUTE answer", "a ANSWER",
			"a CALLSTATE DOWN>ACTIVE", "b ANSWER", "b CALLSTATE RINGING>ACTIVE")
		b.wantSequence("a HANGUP NORMAL_CLEARING", "a STATE CS_HANGUP", "a CALLSTATE ACTIVE>HANGUP", "b HANGUP NORMAL_CLEARING")
		if s := b.event("a", "CALL_UPDATE").Get("Direction"); s != "RECV" {
			t.Errorf("CALL_UPDATE shows direction %s, want RECV", s)
		}
	})
}

// originated dials from the API and runs one application on the leg.
func originated(t *testing.T, b *box, url, app string) *call.Channel {
	t.Helper()
	var ch *call.Channel
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		ch, err = originate.Dial(t.Context(), b.sw, url, originate.Options{})
	}()
	<-done
	if err != nil {
		t.Fatalf("originate %s: %v", url, err)
	}
	ch.FlipCallerID()
	if err := ch.TransferTo(&call.Extension{Actions: actions(app)}); err != nil {
		t.Fatal(err)
	}
	return ch
}

// bridgedEvents are those of both legs until they talk (spec/esl.md §5.3).
const (
	bridgedA = begin + " · EXECUTE bridge · PROGRESS · " + answered + " · BRIDGE · CALL_UPDATE"
	bridgedB = dialled + " · PROGRESS · CALLSTATE DOWN>RINGING · CODEC · CODEC · ANSWER · CALLSTATE RINGING>ACTIVE" +
		" · STATE CS_EXCHANGE_MEDIA · CALL_UPDATE"
)

func TestBridge_AlegHangsUp_BlegEndsFirst(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		a := b.run("a", "bridge phone/ring 100;answer 500")
		b.after(2 * time.Second)
		bleg := b.channel("b")
		if a.Partner() != bleg || bleg.Partner() != a {
			t.Fatal("the legs are no partners")
		}
		want(t, a, "bridge_uuid", bleg.UUID())
		want(t, bleg, "signal_bond", a.UUID())
		want(t, bleg, "originator", a.UUID())
		want(t, a, "DIALSTATUS", "SUCCESS")
		a.Hangup(call.CauseNormalClearing)
		b.after(10 * time.Second)
		b.wantOrder("a", bridgedA+" · HANGUP NORMAL_CLEARING · UNBRIDGE · EXECUTE_COMPLETE bridge · "+end("ACTIVE"))
		b.wantOrder("b", bridgedB+" · HANGUP NORMAL_CLEARING · "+end("ACTIVE"))
		b.wantSequence("b PROGRESS", "a PROGRESS", "b ANSWER", "a ANSWER", "a BRIDGE")
		b.wantSequence("a HANGUP NORMAL_CLEARING", "b HANGUP NORMAL_CLEARING", "b HANGUP_COMPLETE", "a UNBRIDGE",
			"a EXECUTE_COMPLETE bridge", "a STATE CS_HANGUP")
		b.wantSequence("a UNBRIDGE", "b DESTROY")
	})
}

func TestBridge_BlegHangsUp_AlegContinuesDialplan(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		b.run("a", "bridge phone/ring 100;answer 500", "log INFO next")
		b.after(2 * time.Second)
		b.channel("b").Hangup(call.CauseUserBusy)
		b.after(time.Second)
		b.wantOrder("a", bridgedA+" · UNBRIDGE · EXECUTE_COMPLETE bridge · EXECUTE log · EXECUTE_COMPLETE log"+
			" · HANGUP NORMAL_CLEARING · "+end("ACTIVE"))
		b.wantSequence("b HANGUP USER_BUSY", "a UNBRIDGE")
		e := b.event("a", "UNBRIDGE")
		if e.Get("Answer-State") != "answered" || e.Get("variable_bridge_hangup_cause") != "USER_BUSY" {
			t.Errorf("CHANNEL_UNBRIDGE: Answer-State %q, bridge_hangup_cause %q", e.Get("Answer-State"), e.Get("variable_bridge_hangup_cause"))
		}
	})
}

func TestBridge_BlegHangsUpWithHangupAfterBridge_AlegTakesItsCause(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		b.run("a", "set hangup_after_bridge=true", "bridge phone/answer 100", "log INFO never")
		b.after(time.Second)
		b.channel("b").Hangup(call.CauseUserBusy)
		b.after(time.Second)
		b.wantSequence("b HANGUP USER_BUSY", "a UNBRIDGE", "a HANGUP USER_BUSY", "a EXECUTE_COMPLETE bridge", "a STATE CS_HANGUP")
		if apps := b.applications("a"); strings.Contains(apps, "log") {
			t.Errorf("ran %s after the hang-up", apps)
		}
	})
}

func TestBridge_Failed_HangsUpBeforeExecuteComplete(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		b.run("a", "bridge error/USER_BUSY", "log INFO never")
		b.after(time.Second)
		b.wantOrder("a", begin+" · EXECUTE bridge · HANGUP USER_BUSY · EXECUTE_COMPLETE bridge · "+end("RINGING"))
	})
}

func TestBridge_FailedWithContinueOnFail_NextApplicationRuns(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		a := b.run("a", "set continue_on_fail=USER_BUSY", "bridge error/USER_BUSY", "park")
		b.after(time.Second)
		if got, want := b.applications("a"), "set(continue_on_fail=USER_BUSY) bridge(error/USER_BUSY) park()"; got != want {
			t.Errorf("ran %s, want %s", got, want)
		}
		want(t, a, "originate_failed_cause", "USER_BUSY")
		want(t, a, "DIALSTATUS", "BUSY")
		want(t, a, "originate_disposition", "USER_BUSY")
	})
}

func TestBridge_RefusedLeg_EndsBeforeAleg(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		b.run("a", "bridge phone/fail 50 NORMAL_TEMPORARY_FAILURE")
		b.after(time.Second)
		b.wantOrder("b", dialled+" · HANGUP NORMAL_TEMPORARY_FAILURE · "+end("DOWN"))
		b.wantOrder("a", begin+" · EXECUTE bridge · HANGUP NORMAL_TEMPORARY_FAILURE · EXECUTE_COMPLETE bridge · "+end("RINGING"))
	})
}

func TestBridge_AfterBridgeVariables(t *testing.T) {
	for _, c := range []struct{ name, set, wantApps string }{
		{"park", "park_after_bridge=true", "park()"},
		{"transfer", "transfer_after_bridge=after:XML:default", "log(INFO after)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *box) {
				b.extension("after", "log INFO after", "sleep 60000")
				a := b.run("a", "set "+c.set, "bridge null/x", "log INFO never")
				b.after(time.Second)
				b.channel("b").Hangup(call.CauseNormalClearing)
				b.after(time.Second)
				if !a.Up() {
					t.Fatal("the A leg ended")
				}
				if got := b.applications("a"); strings.Contains(got, "never") || (c.name == "transfer" && !strings.Contains(got, c.wantApps)) {
					t.Errorf("ran %s", got)
				}
				if c.name == "park" && a.Running() != call.StatePark {
					t.Errorf("state %s, want CS_PARK", a.Running())
				}
			})
		})
	}
}

func TestBridge_EndsUnanswered_IsAFailure(t *testing.T) {
	for _, c := range []struct{ set, apps string }{
		{"nothing=1", ""}, {"hangup_after_bridge=true", ""}, {"continue_on_fail=true", "log(INFO next)"},
		{"continue_on_fail=CALL_REJECTED", "log(INFO next)"}, {"transfer_on_fail=CALL_REJECTED failed", "log(INFO failed)"},
		{"park_after_bridge=true", ""},
	} {
		t.Run(c.set, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *box) {
				b.extension("failed", "log INFO failed")
				b.run("a", "set "+c.set, "bridge phone/early 100;fail 2000 CALL_REJECTED", "log INFO next")
				b.after(time.Second)
				b.wantSequence("a BRIDGE")
				b.after(5 * time.Second)
				got := b.applications("a")
				if _, after, _ := strings.Cut(got, "2000 CALL_REJECTED) "); strings.TrimSpace(after) != c.apps {
					t.Errorf("ran %s, want %q after the bridge", got, c.apps)
				}
				if c.apps == "" {
					b.event("a", "HANGUP CALL_REJECTED")
				}
			})
		})
	}
}

func TestBridge_PreExecuteAndExecAfter(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		b.run("a", "set bridge_pre_execute_aleg_app=log", "set bridge_pre_execute_aleg_data=INFO a", "set bridge_pre_execute_bleg_app=log",
			"set bridge_pre_execute_bleg_data=INFO b", "set execute_on_pre_bridge=log INFO hook", "set exec_after_bridge_app=log",
			"set exec_after_bridge_arg=INFO after", "bridge phone/answer 100", "log INFO never")
		b.after(time.Second)
		if got := b.applications("b"); got != "log(INFO b)" {
			t.Errorf("the B leg ran %s", got)
		}
		b.channel("b").Hangup(call.CauseNormalClearing)
		b.after(time.Second)
		_, after, _ := strings.Cut(b.applications("a"), "bridge(phone/answer 100) ")
		if after != "log(INFO hook) log(INFO a) log(INFO after)" {
			t.Errorf("the A leg ran %s", after)
		}
	})
}

func TestDropDTMF_MaskIsHeardInstead(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		a, bleg := talking(b)
		press(a, "1")
		b.after(time.Second)
		a.Set("drop_dtmf", "true")
		press(a, "2")
		a.Set("drop_dtmf_masking_digits", "*")
		press(a, "34")
		b.after(time.Second)
		if got := digits(bleg); got != "1**" {
			t.Errorf("the partner got %q, want 1**", got)
		}
	})
}

func TestTransfer_AfterAnswer_NewApplicationsWithoutNewAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		b.extension("7001", "answer", "hangup")
		b.run("a", "answer", "transfer 7001 XML public")
		b.after(time.Second)
		b.wantOrder("a", begin+" · EXECUTE answer · "+answered+" · EXECUTE_COMPLETE answer"+
			" · EXECUTE transfer · EXECUTE_COMPLETE transfer · CALLSTATE ACTIVE>RINGING · STATE CS_ROUTING"+
			" · CALLSTATE RINGING>ACTIVE · STATE CS_EXECUTE · EXECUTE answer · EXECUTE_COMPLETE answer"+
			" · EXECUTE hangup · HANGUP NORMAL_CLEARING · EXECUTE_COMPLETE hangup · "+end("ACTIVE"))
		e := b.event("a", "STATE CS_ROUTING")
		if e.Get("Caller-Profile-Index") != "2" || e.Get("Caller-RDNIS") != "run-a" || e.Get("Answer-State") != "answered" {
			t.Errorf("after the transfer: profile %s, rdnis %s, answer state %s", e.Get("Caller-Profile-Index"), e.Get("Caller-RDNIS"), e.Get("Answer-State"))
		}
	})
}

func TestTransfer_FromOutsideWhileBridged_PartnerEnds(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		b.extension("7001", "sleep 600000")
		a := b.run("a", "bridge phone/answer 10", "log INFO never")
		b.after(time.Second)
		if err := a.Transfer("7001", "", ""); err != nil {
			t.Fatal(err)
		}
		b.after(time.Second)
		b.wantSequence("a UNBRIDGE", "b HANGUP NORMAL_CLEARING")
		b.wantSequence("a UNBRIDGE", "a EXECUTE_COMPLETE bridge", "a STATE CS_ROUTING", "a EXECUTE sleep")
		if got := b.applications("a"); strings.Contains(got, "never") {
			t.Errorf("ran %s", got)
		}
	})
}

func TestTransfer_TooOften_EndsCall(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		b.extension("loop", "transfer loop")
		b.inbound("a", "loop")
		b.after(time.Second)
		b.event("a", "HANGUP EXCHANGE_ROUTING_ERROR")
	})
}

func TestRouting_NoExtension_NoRouteDestination(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		b.inbound("a", "nowhere")
		b.after(time.Second)
		b.wantOrder("a", "STATE CS_NEW · STATE CS_INIT · CREATE · CALLSTATE DOWN>RINGING · STATE CS_ROUTING"+
			" · HANGUP NO_ROUTE_DESTINATION · "+end("RINGING"))
	})
}

func TestPark_Timeout_HangsUpWithItsCause(t *testing.T) {
	for value, cause := range map[string]string{"5": "ALLOTTED_TIMEOUT", "5:USER_BUSY": "USER_BUSY"} {
		inBubble(t, func(t *testing.T, b *box) {
			b.run("a", "set park_timeout="+value, "park")
			b.after(4900 * time.Millisecond)
			if n := b.sw.Count(); n != 1 {
				t.Fatalf("%d channels before the time is over", n)
			}
			b.after(200 * time.Millisecond)
			b.wantSequence("a PARK", "a HANGUP "+cause, "a UNPARK", "a EXECUTE_COMPLETE park")
		})
	}
}

func TestHooks_RunInTheOrderOfTheCall(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		var noted string
		b.sw.AddCommands(call.Command{Name: "note", Run: func(_ context.Context, _ *call.Switch, in *call.Invocation) error {
			noted = in.Args + " " + in.Params["Hangup-Cause"]
			return nil
		}})
		a := b.run("a", "set execute_on_answer=push hook=A", "set execute_on_answer_2=push::hook=2",
			"set execute_on_pre_answer=push hook=P", "set api_hangup_hook=note ${uuid}", "answer", "sleep 100")
		b.after(time.Second)
		want(t, a, "hook", "ARRAY::P|:A|:2")
		if noted != a.UUID()+" NORMAL_CLEARING" {
			t.Errorf("api_hangup_hook ran with %q", noted)
		}
	})
}

func TestEventLock_HoldsOthersBack(t *testing.T) {
	for _, lock := range []bool{true, false} {
		inBubble(t, func(t *testing.T, b *box) {
			a := b.run("a", "answer", "park")
			b.after(time.Second)
			for _, app := range []string{"sleep 1000", "log INFO second"} {
				name, args, _ := strings.Cut(app, " ")
				if err := a.PostExecute(name, args, lock); err != nil {
					t.Fatal(err)
				}
			}
			b.after(500 * time.Millisecond)
			ran := strings.Contains(b.applications("a"), "log(")
			if ran == lock {
				t.Errorf("with event-lock %v the second application ran during the first: %v", lock, ran)
			}
			b.after(time.Second)
			if lock {
				b.wantSequence("a EXECUTE sleep", "a EXECUTE_COMPLETE sleep", "a EXECUTE log", "a EXECUTE_COMPLETE log")
			} else {
				b.wantSequence("a EXECUTE sleep", "a EXECUTE log", "a EXECUTE_COMPLETE log", "a EXECUTE_COMPLETE sleep")
			}
		})
	}
}

func TestInbox_Full_RefusesTheNewest(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		a := b.run("a", "answer", "sleep 1000", "park")
		b.after(100 * time.Millisecond)
		block := make(chan struct{})
		if err := a.Post(&call.Message{Run: func(context.Context, *call.Channel) { <-block }}); err != nil {
			t.Fatal(err)
		}
		b.settle()
		accepted, served := 0, 0
		var err error
		for range 10000 {
			if err = a.Post(&call.Message{Run: func(context.Context, *call.Channel) { served++ }}); err != nil {
				break
			}
			accepted++
		}
		if !errors.Is(err, call.ErrInboxFull) || accepted == 0 {
			t.Errorf("%d messages accepted, then %v; want ErrInboxFull", accepted, err)
		}
		close(block)
		b.after(2 * time.Second)
		if served != accepted {
			t.Errorf("%d of %d accepted messages were served", served, accepted)
		}
		a.Hangup(call.CauseNormalClearing)
		if err := a.Post(&call.Message{}); !errors.Is(err, call.ErrHungup) {
			t.Errorf("post after the hang-up: %v", err)
		}
	})
}

func TestPanic_InApplication_EndsOnlyThatCall(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		b.sw.AddApplications(call.Application{Name: "crash", Flags: call.NoMedia,
			Run: func(context.Context, *call.Channel, string) error { panic("boom") }})
		other := b.run("o", "answer", "park")
		b.run("a", "answer", "crash", "log INFO never")
		b.after(time.Second)
		b.wantSequence("a EXECUTE crash", "a HANGUP NORMAL_TEMPORARY_FAILURE", "a EXECUTE_COMPLETE crash", "a STATE CS_DESTROY")
		if !other.Up() {
			t.Error("another call ended too")
		}
		if !strings.Contains(strings.Join(b.logged, ""), "panic: boom") {
			t.Errorf("the log tells nothing of the panic: %q", b.logged)
		}
	})
}

func TestHangup_InsideEveryWait_ReturnsAtOnce(t *testing.T) {
	for _, app := range []string{"sleep 600000", "park", "echo", "playback silence_stream://-1", "record /tmp/none.wav 600",
		"read 1 4 silence_stream://-1 digits 60000 #", "wait_for_answer", "bridge phone/ring 10", "wait_for_silence 200 15 10 600000",
		"gentones %(100,100,440)|-1", "detect_silence 200 1000000 600000", "soft_hold 1", "valet_park lot 1"} {
		t.Run(app, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *box) {
				a := b.run("a", app)
				b.after(time.Second)
				if app == "soft_hold 1" {
					return // without a bridge it ends by itself
				}
				began := time.Now()
				a.Hangup(call.CauseNormalClearing)
				<-a.Done()
				if took := time.Since(began); took > 100*time.Millisecond {
					t.Errorf("the call ended %v after the hang-up", took)
				}
			})
		})
	}
}

func TestHold_TimesAndStates(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		a := b.run("a", "answer", "hold", "sleep 3000", "unhold", "sleep 1000")
		b.after(10 * time.Second)
		b.wantSequence("a CALLSTATE ACTIVE>HELD", "a HOLD", "a CALLSTATE HELD>UNHELD", "a UNHOLD", "a CALLSTATE UNHELD>ACTIVE")
		want(t, a, "hold_accum_seconds", "3")
		want(t, a, "billsec", "4")
	})
}

func TestHangupComplete_WithXML(t *testing.T) {
	for _, on := range []string{"true", "false"} {
		inBubble(t, func(t *testing.T, b *box) {
			b.run("a", "set hangup_complete_with_xml="+on, "set note=a<b & c", "answer", "sleep 2000")
			b.after(5 * time.Second)
			e := b.event("a", "HANGUP_COMPLETE")
			whole := on == "true"
			if (e.Get("CDR-Attached") == "xml") != whole || e.HasBody != whole {
				t.Errorf("hangup_complete_with_xml=%s: CDR-Attached %q, body %q", on, e.Get("CDR-Attached"), e.Body)
			}
			for _, text := range []string{"<cdr core-uuid=", "<note>a%3Cb%20%26%20c</note>", "<billsec>2</billsec>", "<destination_number>run-a</destination_number>"} {
				if strings.Contains(e.Body, text) != whole {
					t.Errorf("hangup_complete_with_xml=%s: %q in the body: %v", on, text, !whole)
				}
			}
		})
	}
}

func TestManyCalls_LeaveNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		b.sub.UnlistenAll()
		b.extension("many", "set hangup_after_bridge=true", "bridge null/x")
		const calls = 1000
		for range calls {
			leg := &testLeg{sw: b.sw}
			ch, err := b.sw.NewChannel(leg, call.NewChannelOptions{Name: "test/many", Module: "mod_test",
				Profile: call.Profile{Destination: "many", Context: "default", Dialplan: "XML"}})
			if err != nil {
				t.Fatal(err)
			}
			leg.ch = ch
			ch.Start()
		}
		b.after(200 * time.Millisecond)
		if n := b.sw.Count(); n != 2*calls {
			t.Fatalf("%d channels are up, want %d", n, 2*calls)
		}
		for _, ch := range b.sw.Channels() {
			if !ch.Outbound() {
				ch.Hangup(call.CauseNormalClearing)
			}
		}
		b.after(10 * time.Second)
		if n := b.sw.Count(); n != 0 {
			t.Errorf("%d channels are left", n)
		}
		if u := b.sw.Limits.Usage(); u.Active != 0 || u.Total != 2*calls {
			t.Errorf("%d sessions active, %d in all", u.Active, u.Total)
		}
	})
}

func TestStop_EndsCallsWithSystemShutdown(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		a := b.run("a", "answer", "park")
		b.after(time.Second)
		if err := b.sw.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if a.Cause() != call.CauseSystemShutdown {
			t.Errorf("cause %s", a.Cause())
		}
		if _, err := b.sw.NewChannel(&testLeg{sw: b.sw}, call.NewChannelOptions{}); err == nil {
			t.Error("a new channel was let in")
		}
	})
}

func TestEvents_NobodyListens_NothingIsBuilt(t *testing.T) {
	bus := event.NewBus(nil, nil)
	if bus.Wanted(event.ChannelState, "") {
		t.Error("wanted by nobody")
	}
}
