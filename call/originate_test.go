package call_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/dialplan"
	"github.com/switchlet/switchlet/call/originate"
)

// dialling runs an originate from the API; wait returns what became of it.
func dialling(b *box, url string, o originate.Options) (wait func() (*call.Channel, error), cancel func(error)) {
	ctx, stop := context.WithCancelCause(context.Background())
	var ch *call.Channel
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		ch, err = originate.Dial(ctx, b.sw, url, o)
	}()
	return func() (*call.Channel, error) { <-done; stop(nil); return ch, err }, stop
}

func TestOriginate_ResultsAndTimes(t *testing.T) {
	for _, c := range []struct {
		name, url string
		timeout   time.Duration
		result    string // name of the winner, or the cause
		took      time.Duration
	}{
		{"answers at once", "null/x", 0, "null/x", 0},
		{"cause", "error/USER_BUSY", 0, "USER_BUSY", 0},
		{"unknown cause", "error/nosuch", 0, "NORMAL_CLEARING", 0},
		{"unknown endpoint", "nosuch/x", 0, "CHAN_NOT_IMPLEMENTED", 0},
		{"broken string", "{a=b", 0, "DESTINATION_OUT_OF_ORDER", 0},
		{"nothing", "", 0, "DESTINATION_OUT_OF_ORDER", 0},
		{"answers later", "phone/answer 3000", 0, "phone/answer 3000", 3 * time.Second},
		{"default time", "phone/ring 10", 0, "NO_ANSWER", 60 * time.Second},
		{"given time", "phone/ring 10", 20 * time.Second, "NO_ANSWER", 20 * time.Second},
		{"originate_timeout", "{originate_timeout=7}phone/ring 10", 20 * time.Second, "NO_ANSWER", 7 * time.Second},
		{"leg_timeout", "[leg_timeout=4]phone/ring 10", 0, "ALLOTTED_TIMEOUT", 4 * time.Second},
		{"leg_timeout of one leg", "[leg_timeout=4]phone/ring 10,phone/answer 9000", 0, "phone/answer 9000", 9 * time.Second},
		{"progress_timeout", "{progress_timeout=5}phone/answer 30000", 0, "PROGRESS_TIMEOUT", 5 * time.Second},
		{"progress in time", "{progress_timeout=5}phone/ring 4000;answer 30000", 0, "phone/ring 4000;answer 30000", 30 * time.Second},
		{"leg_progress_timeout", "[leg_progress_timeout=3]phone/answer 30000", 0, "PROGRESS_TIMEOUT", 3 * time.Second},
		{"alternative after a failure", "error/USER_BUSY|phone/answer 100", 0, "phone/answer 100", 100 * time.Millisecond},
		{"no alternative after a timeout", "{originate_timeout=5}phone/ring 10|null/x", 0, "NO_ANSWER", 5 * time.Second},
		{"alternative after a timeout", "{originate_timeout=5,originate_continue_on_timeout=true}phone/ring 10|null/x", 0, "null/x", 5 * time.Second},
		{"last alternative's cause", "error/USER_BUSY|error/CALL_REJECTED", 0, "CALL_REJECTED", 0},
		{"last leg's cause", "error/CALL_REJECTED,error/USER_BUSY", 0, "USER_BUSY", 0},
		{"one leg fails, another answers", "error/USER_BUSY,phone/answer 100", 0, "phone/answer 100", 100 * time.Millisecond},
		{"fastest wins", "phone/answer 900,phone/answer 300,phone/answer 600", 0, "phone/answer 300", 300 * time.Millisecond},
		{"fail_on_single_reject", "{fail_on_single_reject=true}error/USER_BUSY,null/x", 0, "USER_BUSY", 0},
		{"fail_on_single_reject later", "{fail_on_single_reject=USER_BUSY}phone/fail 200 USER_BUSY,phone/answer 900", 0, "USER_BUSY", 200 * time.Millisecond},
		{"fail_on_single_reject, another cause", "{fail_on_single_reject=USER_BUSY}phone/fail 200 CALL_REJECTED,phone/answer 900", 0, "phone/answer 900", 900 * time.Millisecond},
		{"fail_on_single_reject, all but", "{fail_on_single_reject=!USER_BUSY}phone/fail 200 CALL_REJECTED,phone/answer 900", 0, "CALL_REJECTED", 200 * time.Millisecond},
		{"early media is success", "phone/early 400;answer 900", 0, "phone/early 400;answer 900", 400 * time.Millisecond},
		{"early media ignored", "{ignore_early_media=true}phone/early 400;answer 900", 0, "phone/early 400;answer 900", 900 * time.Millisecond},
		{"ringing is success", "{return_ring_ready=true}phone/ring 400;answer 900", 0, "phone/ring 400;answer 900", 400 * time.Millisecond},
		{"delayed start", "{originate_delay_start=500}null/x", 0, "null/x", 500 * time.Millisecond},
		{"retries", "{originate_retries=3,originate_retry_sleep_ms=2000}error/USER_BUSY", 0, "USER_BUSY", 4 * time.Second},
		{"retries at a pace", "{originate_retries=3,originate_retry_min_period_ms=5000}phone/fail 1000 USER_BUSY", 0, "USER_BUSY", 11 * time.Second},
		{"retries until a time", "{originate_retries=1000,originate_retry_timeout=10}phone/fail 2000 USER_BUSY", 0, "USER_BUSY", 12 * time.Second},
		{"delayed leg is too late", "phone/answer 3000,[leg_delay_start=5]phone/answer 100", 0, "phone/answer 3000", 3 * time.Second},
		{"delayed leg answers first", "phone/answer 9000,[leg_delay_start=5]phone/answer 100", 0, "phone/answer 100", 5100 * time.Millisecond},
		{"delayed leg is called early", "phone/fail 1000 USER_BUSY,[leg_delay_start=5]phone/answer 100", 0, "phone/answer 100", 1100 * time.Millisecond},
		{"only delayed legs", "[leg_delay_start=5,leg_timeout=3]phone/ring 10,[leg_delay_start=7]phone/answer 2000", 0, "phone/answer 2000", 4 * time.Second},
		{"delayed leg has its own time", "phone/ring 10,[leg_delay_start=5,leg_timeout=4]phone/ring 20", 20 * time.Second, "NO_ANSWER", 20 * time.Second},
		{"delayed leg is never called", "{originate_timeout=3}phone/ring 10,[leg_delay_start=5]null/x", 0, "NO_ANSWER", 3 * time.Second},
		{"required leg fails", "[leg_required=true]phone/fail 200 CALL_REJECTED,phone/answer 900", 0, "CALL_REJECTED", 200 * time.Millisecond},
		{"another leg than the required one fails", "[leg_required=true]phone/answer 900,phone/fail 200 CALL_REJECTED", 0, "phone/answer 900", 900 * time.Millisecond},
		{"groups race", "phone/answer 900:_:phone/answer 300", 0, "phone/answer 300", 300 * time.Millisecond},
		{"one group fails", "error/USER_BUSY:_:null/x", 0, "null/x", 0},
		{"all groups fail", "error/USER_BUSY:_:phone/fail 100 CALL_REJECTED", 0, "CALL_REJECTED", 100 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *box) {
				began := time.Now()
				wait, _ := dialling(b, c.url, originate.Options{Timeout: c.timeout})
				ch, err := wait()
				took := time.Since(began)
				result := ""
				if err != nil {
					result = call.CauseOf(err, call.CauseNone).String()
				} else {
					result = ch.Name()
				}
				if result != c.result || took != c.took {
					t.Errorf("%s after %v, want %s after %v", result, took, c.result, c.took)
				}
				b.after(time.Second)
				left := 0
				if err == nil {
					left = 1
				}
				if n := b.sw.Count(); n != left {
					t.Errorf("%d channels are left, want %d", n, left)
				}
			})
		})
	}
}

func TestOriginate_LosersAndCancelledLegs_GetTheirCause(t *testing.T) {
	for _, c := range []struct {
		name, url, cause string
		cancel           bool
	}{
		{"lost the race", "phone/answer 300,phone/answer 900", "LOSE_RACE", false},
		{"not answered", "{originate_timeout=1}phone/ring 10", "NO_ANSWER", false},
		{"caller gave up", "phone/ring 10", "ORIGINATOR_CANCEL", true},
		{"another group won", "phone/answer 300:_:phone/answer 900", "LOSE_RACE", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *box) {
				wait, cancel := dialling(b, c.url, originate.Options{})
				b.after(200 * time.Millisecond)
				if c.cancel {
					cancel(nil)
				}
				wait()
				b.after(2 * time.Second)
				var all []string
				for _, l := range b.events {
					all = append(all, l.text)
				}
				if !strings.Contains(strings.Join(all, " "), "HANGUP "+c.cause) {
					t.Errorf("no leg ended with %s: %s", c.cause, strings.Join(all, " · "))
				}
			})
		})
	}
}

func TestOriginate_WhichVariableWins(t *testing.T) {
	for _, c := range []struct{ name, url, variable, value string }{
		{"of all legs", "{x=1}null/x", "x", "1"},
		{"of one leg", "[x=1]null/x", "x", "1"},
		{"both: the shared one", "{x=1}[x=2]null/x", "x", "1"},
		{"both, clobber", "{local_var_clobber=true,x=1}[x=2]null/x", "x", "2"},
		{"enterprise", "<x=1>null/x", "x", "1"},
		{"other delimiter", "{^^:x=1,2:y=3}null/x", "x", "1,2"},
		{"escaped comma", "{x=1\\,2}null/x", "x", "1,2"},
		{"nested is refused", "{x=${y}}null/x", "x", ""},
		{"nested is allowed", "{origination_nested_vars=true,x=${y}}null/x", "x", "${y}"},
		{"empty", "{x=}null/x", "x", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *box) {
				wait, _ := dialling(b, c.url, originate.Options{})
				ch, err := wait()
				if err != nil {
					t.Fatal(err)
				}
				want(t, ch, c.variable, c.value)
			})
		})
	}
}

func TestOriginate_CallerIDAndIdentity(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		wait, _ := dialling(b, "{origination_uuid=mine,origination_caller_id_name=Jane,origination_caller_id_number=7,"+
			"origination_channel_name=other/name,origination_privacy=hide_number}[origination_caller_id_name=Leg]null/x", originate.Options{CallerNumber: "9"})
		ch, err := wait()
		if err != nil {
			t.Fatal(err)
		}
		p := ch.Profile()
		if ch.UUID() != "mine" || p.CallerName != "Leg" || p.CallerNumber != "7" || ch.Name() != "other/name" || !p.HideNumber || p.HideName {
			t.Errorf("%s %s: %+v", ch.UUID(), ch.Name(), p)
		}
		wait, _ = dialling(b, "{origination_uuid=mine}null/x", originate.Options{})
		second, err := wait()
		if err != nil || second.UUID() == "mine" {
			t.Errorf("a UUID in use was used again: %v", err)
		}
	})
}

func TestOriginate_WithAleg_PassesStagesOn(t *testing.T) {
	for _, c := range []struct{ name, url, want string }{
		{"ringing", "phone/ring 100", "RINGING"},
		{"early media", "phone/early 100", "EARLY"},
		{"answer", "phone/answer 100", "ACTIVE"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *box) {
				a := b.run("a", "bridge "+c.url)
				b.after(time.Second)
				if got := a.CallState().String(); got != c.want {
					t.Errorf("the A leg is %s, want %s", got, c.want)
				}
				if c.name == "ringing" && !a.Ringing() {
					t.Error("the caller was not told that it rings")
				}
				if c.name == "early media" && a.Partner() == nil {
					t.Error("the early media is not heard")
				}
			})
		})
	}
}

// A caller whose channel has ringback hears it, for which his early media is opened,
// when the other end rings, or at once with instant_ringback.
func TestOriginate_RingbackOpensEarlyMedia(t *testing.T) {
	for _, c := range []struct {
		name, ringback, url, want string
	}{
		{"a tone", "%(2000,4000,440,480)", "phone/ring 100", "EARLY"},
		{"silence", "silence", "phone/ring 100", "EARLY"},
		{"nothing has rung yet", "%(2000,4000,440,480)", "phone/ring 5000", "RINGING"},
		{"at once", "%(2000,4000,440,480)", "{instant_ringback=true}phone/ring 5000", "EARLY"},
		{"none", "", "{instant_ringback=true}phone/ring 100", "RINGING"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *box) {
				a := b.run("a", "set ringback="+c.ringback, "bridge "+c.url)
				b.after(time.Second)
				if got := a.CallState().String(); got != c.want {
					t.Errorf("the caller is %s, want %s", got, c.want)
				}
			})
		})
	}
}

func TestOriginate_AlegHangsUpWhileRinging(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		a := b.run("a", "bridge phone/ring 100,phone/ring 200")
		b.after(time.Second)
		a.Hangup(call.CauseNormalClearing)
		b.after(time.Second)
		for _, leg := range []string{"b", "c"} {
			b.event(leg, "HANGUP ORIGINATOR_CANCEL")
		}
		b.wantSequence("a HANGUP NORMAL_CLEARING", "b HANGUP ORIGINATOR_CANCEL", "a EXECUTE_COMPLETE bridge")
	})
}

func TestOriginate_ToldOnTheAleg(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		a := b.run("a", "set continue_on_fail=true", "export nolocal:only=b", "export both=1",
			"bridge phone/fail 50 CALL_REJECTED,phone/answer 100", "park")
		b.after(time.Second)
		c := b.channel("c")
		want(t, a, "originate_disposition", "SUCCESS")
		want(t, a, "signal_bond", c.UUID())
		want(t, c, "only", "b")
		want(t, c, "both", "1")
		want(t, a, "only", "")
		causes := a.Get("originate_causes")
		if !strings.HasPrefix(causes, "ARRAY::") || !strings.Contains(causes, ";CALL_REJECTED") || !strings.HasSuffix(causes, c.UUID()+";NONE") {
			t.Errorf("originate_causes %q", causes)
		}
		if legs := a.Get("originated_legs"); !strings.Contains(legs, c.UUID()+";Outbound Call;") {
			t.Errorf("originated_legs %q", legs)
		}
	})
}

func TestOriginate_GroupConfirm_KeyDecides(t *testing.T) {
	for _, keys := range []string{"1", "9"} {
		inBubble(t, func(t *testing.T, b *box) {
			a := b.run("a", "bridge {group_confirm_key=1,group_confirm_file=silence_stream://2000,originate_timeout=20}phone/answer 100")
			b.after(time.Second)
			c := b.channel("b")
			if a.Partner() != nil {
				t.Fatal("bridged before the key")
			}
			press(c, keys)
			b.after(time.Second)
			if bridged := a.Partner() == c; bridged != (keys == "1") {
				t.Errorf("after %s bridged: %v", keys, bridged)
			}
			if keys == "1" {
				want(t, c, "group_dial_status", "winner")
			}
		})
	}
}

// TestOriginate_GroupConfirm_TimesAndFiles asks a callee who answers after 3 s for a key,
// which they press after 30 s or never.
func TestOriginate_GroupConfirm_TimesAndFiles(t *testing.T) {
	for _, c := range []struct {
		name, vars, steps string
		press             bool
		result            string
		took              time.Duration
	}{
		{"time is over", "originate_timeout=20", "answer 3000", true, "NO_ANSWER", 20 * time.Second},
		{"no limit once answered", "originate_timeout=20,group_confirm_cancel_timeout=true", "answer 3000", true, "SUCCESS", 30 * time.Second},
		{"no limit by its other name", "originate_timeout=20,group_confirm_timeout=0", "answer 3000", true, "SUCCESS", 30 * time.Second},
		{"a time of its own", "originate_timeout=20,group_confirm_timeout=22", "answer 3000", true, "ALLOTTED_TIMEOUT", 25 * time.Second},
		{"a time of its own that is enough", "originate_timeout=20,group_confirm_timeout=40,group_confirm_cancel_timeout=true", "answer 3000", true, "SUCCESS", 30 * time.Second},
		{"a time of its own that is shorter", "originate_timeout=20,group_confirm_timeout=5", "answer 3000", true, "ALLOTTED_TIMEOUT", 8 * time.Second},
		{"early media is no answer", "originate_timeout=20", "early 1000", true, "NO_ANSWER", 20 * time.Second},
		{"asked in early media", "originate_timeout=40,group_confirm_early_ok=true", "early 1000", true, "SUCCESS", 30 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *box) {
				began := time.Now()
				a := b.run("a", "bridge {group_confirm_key=1,group_confirm_read_timeout=1000,group_confirm_error_file=tone_stream://%(500\\,0\\,440),"+c.vars+"}phone/"+c.steps, "park")
				time.AfterFunc(30*time.Second, func() {
					for _, ch := range b.sw.Channels() {
						if ch != a && c.press {
							press(ch, "1")
						}
					}
				})
				took := time.Duration(0)
				for took == 0 && time.Since(began) < time.Minute {
					b.after(100 * time.Millisecond)
					if d := a.Get("originate_disposition"); d != "failure" && d != "" {
						took = time.Since(began)
						if d != c.result || took < c.took || took > c.took+1500*time.Millisecond {
							t.Errorf("%s after %v, want %s after %v", d, took, c.result, c.took)
						}
					}
				}
				if took == 0 {
					t.Error("nothing happened")
				}
				plays := strings.Count(strings.Join(b.of("b"), " "), "PLAYBACK_START")
				asked := !strings.HasPrefix(c.name, "early media is no")
				if (plays > 0) != asked {
					t.Errorf("the error file was played %d times", plays)
				}
				if c.result == "SUCCESS" {
					want(t, b.channel("b"), "group_confirm_key", "")
				}
			})
		})
	}
}

func TestOriginate_BridgeEarlyMedia_AlegHearsIt(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		a := b.run("a", "bridge {bridge_early_media=true}phone/early 500;fail 5000 USER_BUSY,phone/early 1000;answer 3000", "park")
		b.after(2 * time.Second)
		first := b.channel("b")
		if a.Port().Peer() != first.Port() || a.Partner() != nil || a.Answered() || !a.Early() {
			t.Fatalf("the A leg does not hear the first leg: peer %v, early %v", a.Port().Peer(), a.Early())
		}
		b.after(2 * time.Second)
		if p := a.Partner(); p == nil || p == first || a.Port().Peer() != p.Port() {
			t.Errorf("bridged with %v", p)
		}
	})
}

func TestOriginate_ExternalID(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		wait, _ := dialling(b, "{origination_external_id=order-7}null/x", originate.Options{})
		ch, err := wait()
		if err != nil {
			t.Fatal(err)
		}
		if b.sw.Find("order-7") != ch {
			t.Error("the channel is not found by its external ID")
		}
		if id := b.event("b", "CREATE").Get("Session-External-ID"); id != "order-7" {
			t.Errorf("Session-External-ID is %q", id)
		}
		wait, _ = dialling(b, "{origination_external_id=order-7}null/x", originate.Options{})
		if second, err := wait(); err != nil || second.Get("session_external_id") != "" || b.sw.Find("order-7") != ch {
			t.Errorf("a second one took it: %v", err)
		}
		ch.Hangup(call.CauseNormalClearing)
		b.after(time.Second)
		if b.sw.Find("order-7") != nil {
			t.Error("it is found after its end")
		}
		wait, _ = dialling(b, "{origination_external_id=order-7}null/x", originate.Options{})
		if third, err := wait(); err != nil || b.sw.Find("order-7") != third {
			t.Errorf("it is not free again: %v", err)
		}
	})
}

func TestHooks_AroundAnOriginate(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		a := b.run("a", "set execute_on_pre_originate=set before=1", "set execute_on_post_originate=set after=1",
			"bridge {execute_on_post_originate='set peer=1'}phone/answer 100", "park")
		b.after(time.Second)
		want(t, a, "before", "1")
		want(t, a, "after", "1")
		want(t, b.channel("b"), "peer", "1")
	})
}

func TestTransfer_MaxSessionTransfers(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		b.extension("loop", "transfer loop")
		a := b.run("a", "set execute_on_blind_transfer=set moved=1", "set max_session_transfers=3", "transfer loop")
		b.after(time.Second)
		if n := strings.Count(b.applications("a"), "transfer("); a.Cause() != call.CauseExchangeRoutingError || n != 3 {
			t.Errorf("%d transfers, %s", n, a.Cause())
		}
		want(t, a, "moved", "1")
	})
}

func TestOriginate_WhilePaused_IsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		b.sw.Limits.Pause(false, true)
		wait, _ := dialling(b, "null/x", originate.Options{})
		if _, err := wait(); call.CauseOf(err, call.CauseNone) != call.CauseSwitchCongestion {
			t.Errorf("%v, want SWITCH_CONGESTION", err)
		}
	})
}

// countingPlan is the inline dialplan; it counts how often it is asked, and may do
// something first.
type countingPlan struct {
	asked  int
	before func(ch *call.Channel)
}

func (p *countingPlan) Hunt(ctx context.Context, ch *call.Channel, profile *call.Profile, arg string) (*call.Extension, bool, error) {
	if p.asked++; p.before != nil {
		p.before(ch)
	}
	return dialplan.InlinePlan{}.Hunt(ctx, ch, profile, arg)
}

// A leg that answers at once is transferred by whoever has called it while it is on
// its way to CS_ROUTING for the first time. Here a hook takes that one's place, which
// runs just then.
func TestTransfer_OnTheWayToTheFirstRouting_IsHuntedOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		plan := &countingPlan{}
		b.sw.AddDialplan("counting", plan)
		wait, _ := dialling(b, "null/x", originate.Options{Vars: []call.Var{{Name: "execute_on_originate", Value: "transfer set:reached=yes,park counting"}}})
		ch, err := wait()
		if err != nil {
			t.Fatal(err)
		}
		b.settle()
		if !ch.Up() {
			t.Fatalf("the call has ended: %v; log: %q", ch.Cause(), b.logged)
		}
		want(t, ch, "reached", "yes")
		want(t, ch, "current_application", "park")
		if plan.asked != 1 {
			t.Errorf("the dialplan was asked %d times", plan.asked)
		}
		ch.Hangup(call.CauseNormalClearing)
	})
}

func TestTransfer_WhileAnInlineDialplanIsRead_KeepsItsOwnDestination(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		b.extension("elsewhere", "set reached=elsewhere", "park")
		plan := &countingPlan{before: func(ch *call.Channel) { ch.Transfer("elsewhere", "XML", "default") }}
		b.sw.AddDialplan("counting", plan)
		ch := b.run("a", "transfer set:reached=here,park counting")
		b.settle()
		if !ch.Up() {
			t.Fatalf("the call has ended: %v; log: %q", ch.Cause(), b.logged)
		}
		want(t, ch, "reached", "elsewhere")
		ch.Hangup(call.CauseNormalClearing)
	})
}

// eager answers before its leg is through with its beginning.
type eager struct{ phoneEndpoint }

func (e eager) Dial(ctx context.Context, sw *call.Switch, r *call.DialRequest) (*call.Channel, error) {
	ch, err := e.phoneEndpoint.Dial(ctx, sw, r)
	if err == nil {
		ch.AfterInit(func() {
			ch.Leg().(*testLeg).do("answer", "")
			time.Sleep(time.Second) // whoever waits for the answer has all the time to act on it
		})
	}
	return ch, err
}

func TestOriginate_AnsweredAtOnce_NoStateIsSkipped(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		b.sw.AddEndpoint("eager", eager{})
		a := originated(t, b, "eager/", "park")
		b.after(2 * time.Second)
		a.Hangup(call.CauseNormalClearing)
		b.after(time.Second)
		b.wantOrder("b", "OUTGOING · STATE CS_INIT · CREATE · ORIGINATE · CODEC · CODEC · ANSWER · CALLSTATE DOWN>ACTIVE · STATE CS_ROUTING"+
			" · STATE CS_CONSUME_MEDIA · CALL_UPDATE · STATE CS_EXECUTE · EXECUTE park · PARK · HANGUP NORMAL_CLEARING · UNPARK"+
			" · EXECUTE_COMPLETE park · "+end("ACTIVE"))
	})
}
