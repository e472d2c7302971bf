package call_test

import (
	"context"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/apps"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/media"
)

// talking makes a call from a to b and lets them talk.
func talking(b *box, before ...string) (a, bleg *call.Channel) {
	b.t.Helper()
	a = b.run("a", append(before, "bridge phone/answer 10")...)
	b.after(time.Second)
	return a, b.channel("b")
}

func TestMetaKeys_WhoPressesAndWhoExecutes(t *testing.T) {
	for _, c := range []struct {
		name, bind  string
		press, runs string // legs
	}{
		{"caller presses, caller executes", "1 a a log::INFO meta", "a", "a"},
		{"caller presses, callee executes", "1 a b log::INFO meta", "a", "b"},
		{"caller presses, the other executes", "1 a o log::INFO meta", "a", "b"},
		{"caller presses, same executes", "1 a s log::INFO meta", "a", "a"},
		{"callee presses, owner executes", "1 b a log::INFO meta", "b", "a"},
		{"callee presses, same executes", "1 b s log::INFO meta", "b", "b"},
		{"callee presses, the other executes", "1 b o log::INFO meta", "b", "a"},
		{"inline", "1 a si log::INFO meta", "a", "a"},
		{"bound to the other leg only", "1 b s log::INFO meta", "a", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *box) {
				a, bleg := talking(b, "bind_meta_app "+c.bind)
				legs := map[string]*call.Channel{"a": a, "b": bleg}
				press(legs[c.press], "*1")
				b.after(time.Second)
				for letter := range legs {
					if ran := strings.Contains(b.applications(letter), "log(INFO meta)"); ran != (letter == c.runs) {
						t.Errorf("leg %s ran the application: %v", letter, ran)
					}
				}
				if a.Partner() != bleg || !a.Up() || a.Port().Peer() != bleg.Port() {
					t.Error("they do not talk any more")
				}
			})
		})
	}
}

func TestMetaKeys_SwallowAndPass(t *testing.T) {
	for _, c := range []struct{ name, keys, heard string }{
		{"bound key", "*1", ""},
		{"unbound key", "*7", ""},
		{"meta twice is one meta", "**", "*"},
		{"no meta", "17", "17"},
		{"meta, key, key", "*15", "5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *box) {
				a, bleg := talking(b, "bind_meta_app 1 a s log::INFO meta")
				press(a, c.keys)
				b.after(5 * time.Second)
				if got := digits(bleg); got != c.heard {
					t.Errorf("the partner got %q, want %q", got, c.heard)
				}
			})
		})
	}
}

func TestMetaKeys_TooLateAndOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		a, _ := talking(b, "bind_meta_app 1 a s1 log::INFO meta")
		press(a, "*")
		b.after(6 * time.Second)
		press(a, "1")
		b.after(time.Second)
		if n := strings.Count(b.applications("a"), "log("); n != 0 {
			t.Fatalf("a key after the time ran the application %d times", n)
		}
		press(a, "*1")
		b.after(time.Second)
		press(a, "*1")
		b.after(time.Second)
		if n := strings.Count(b.applications("a"), "log("); n != 1 {
			t.Errorf("bound once, ran %d times", n)
		}
		if !strings.Contains(strings.Join(b.logged, ""), "Ignoring meta digit '1' not mapped") {
			t.Errorf("the log is %q", b.logged)
		}
	})
}

// start_dtmf_generate makes tones of digits: of those that the leg's far end presses, or
// with "write" of those that are sent to it.
func TestStartDTMFGenerate(t *testing.T) {
	for _, c := range []struct {
		name, on, args string
		toB, toA       string // digits that still pass as such
	}{
		{"what the caller presses", "a", "", "", "7"},
		{"what is sent to the callee", "b", " write", "", "7"},
		{"what is sent to the caller", "a", " write", "5", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *box) {
				a, bleg := talking(b)
				legs := map[string]*call.Channel{"a": a, "b": bleg}
				ch := legs[c.on]
				if err := ch.Execute(t.Context(), "start_dtmf_generate", strings.TrimSpace(c.args)); err != nil {
					t.Fatal(err)
				}
				exchange := func() {
					press(a, "5")
					press(bleg, "7")
					b.after(time.Second)
				}
				exchange()
				if toB, toA := digits(bleg), digits(a); toB != c.toB || toA != c.toA {
					t.Errorf("as digits %q and %q passed", toB, toA)
				}
				b.settle()
				tones := 0
				for _, l := range b.events {
					if l.ev.Type == event.DTMF && l.ev.Get("DTMF-Conversion") == "native:inband" {
						tones++
					}
				}
				if tones != 1 {
					t.Errorf("%d events tell of a tone", tones)
				}
				if err := ch.Execute(t.Context(), "stop_dtmf_generate", ""); err != nil {
					t.Fatal(err)
				}
				exchange()
				if toB, toA := digits(bleg), digits(a); toB != c.toB+"5" || toA != c.toA+"7" {
					t.Errorf("afterwards %q and %q", toB, toA)
				}
			})
		})
	}
}

func TestDigitActions(t *testing.T) {
	for _, c := range []struct {
		name, bind, keys string
		wait             time.Duration
		ran, left        string // what ran, and which digits were given back
	}{
		{"exact", "r,11,exec:log,INFO hit", "11", 0, "log(INFO hit)", ""},
		{"no such", "r,11,exec:log,INFO hit", "27", 0, "", "27"},
		{"too short", "r,11,exec:log,INFO hit", "1", 3 * time.Second, "", "1"},
		{"expression alone", "r,~^\\d$,exec:log,INFO hit", "5", 0, "log(INFO hit)", ""},
		{"inline", "r,11,exec[i]:log,INFO hit", "11", 0, "log(INFO hit)", ""},
		{"peer executes", "r,11,exec:log,INFO hit,self,peer", "11", 0, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *box) {
				a, bleg := talking(b, "bind_digit_action "+c.bind)
				press(a, c.keys)
				b.after(100*time.Millisecond + c.wait)
				got := strings.TrimPrefix(b.applications("a"), "bind_digit_action("+c.bind+") bridge(phone/answer 10)")
				if got = strings.TrimSpace(got); got != c.ran {
					t.Errorf("ran %q, want %q", got, c.ran)
				}
				if c.name == "peer executes" && !strings.Contains(b.applications("b"), "log(INFO hit)") {
					t.Errorf("the peer ran %q", b.applications("b"))
				}
				if d := digits(bleg); d != c.left {
					t.Errorf("the partner got %q, want %q", d, c.left)
				}
				if c.left != "" {
					want(t, a, "last_non_matching_digits", c.left[len(c.left)-1:])
				}
			})
		})
	}
}

func TestDigitActions_LongerSequenceWaits(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		a, _ := talking(b, "bind_digit_action r,1,exec:log,INFO one", "bind_digit_action r,12,exec:log,INFO two",
			"bind_digit_action other,1,exec:log,INFO other")
		press(a, "12")
		b.after(100 * time.Millisecond)
		press(a, "1")
		b.after(time.Second)
		if got := b.applications("a"); !strings.HasSuffix(got, "log(INFO two)") {
			t.Errorf("before the time: %s", got)
		}
		b.after(time.Second)
		if got := b.applications("a"); !strings.HasSuffix(got, "log(INFO two) log(INFO one)") {
			t.Errorf("after the time: %s", got)
		}
		a.Call(t.Context(), func(ctx context.Context, c *call.Channel) error {
			return c.Execute(ctx, "digit_action_set_realm", "other")
		})
		press(a, "1")
		b.after(time.Second)
		if got := b.applications("a"); !strings.HasSuffix(got, "log(INFO other)") {
			t.Errorf("in the other realm: %s", got)
		}
	})
}

// consult lets a call c while b waits.
func consult(b *box, url string) (a, bleg *call.Channel) {
	b.t.Helper()
	a, bleg = talking(b, "bind_meta_app 2 a a att_xfer::"+url)
	press(a, "*2")
	b.after(time.Second)
	return a, bleg
}

func TestAttendedTransfer_HangupConnectsTheOthers(t *testing.T) {
	for _, key := range []string{"", "*"} {
		inBubble(t, func(t *testing.T, b *box) {
			a, bleg := consult(b, "phone/answer 100")
			c := b.channel("c")
			if a.Partner() != c || a.Port().Peer() != c.Port() {
				t.Fatal("the transferrer does not talk to the new leg")
			}
			if key == "" {
				a.Hangup(call.CauseNormalClearing)
			} else {
				press(a, key)
			}
			b.after(10 * time.Second)
			if b.sw.Find(a.UUID()) != nil {
				t.Error("the transferrer is still there")
			}
			if !c.Up() || c.Partner() != bleg || c.Port().Peer() != bleg.Port() {
				t.Fatalf("the others do not talk: partner %v", c.Partner())
			}
			want(t, c, "att_xfer_result", "success")
			bleg.Hangup(call.CauseNormalClearing)
		})
	}
}

func TestAttendedTransfer_BackToTheFirst(t *testing.T) {
	for _, c := range []struct {
		name, url string
		back      func(a, c *call.Channel)
	}{
		{"cancel key while talking", "phone/answer 100", func(a, _ *call.Channel) { press(a, "#") }},
		{"cancel key while ringing", "phone/ring 100", func(a, _ *call.Channel) { press(a, "#") }},
		{"the new leg hangs up", "phone/answer 100", func(_, c *call.Channel) { c.Hangup(call.CauseNormalClearing) }},
		{"refused", "phone/fail 100 USER_BUSY", func(_, _ *call.Channel) {}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *box) {
				a, bleg := consult(b, c.url)
				var third *call.Channel
				if c.name != "refused" {
					third = b.channel("c")
				}
				c.back(a, third)
				b.after(time.Second)
				if third != nil && third.Up() {
					t.Error("the new leg is still up")
				}
				if !a.Up() || a.Partner() != bleg || bleg.Partner() != a || a.Port().Peer() != bleg.Port() {
					t.Error("the first two do not talk")
				}
				bleg.Hangup(call.CauseNormalClearing)
				b.after(time.Second)
				if a.Up() {
					t.Error("the bridge does not end any more")
				}
			})
		})
	}
}

func TestAttendedTransfer_ConferenceKey_AllThree(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		a, bleg := consult(b, "phone/answer 100")
		c := b.channel("c")
		press(a, "0")
		b.after(time.Second)
		if a.Partner() != bleg || !c.Up() {
			t.Fatalf("partner %v, new leg up %v", a.Partner(), c.Up())
		}
		if got := b.applications("c"); got != "three_way("+a.UUID()+")" {
			t.Errorf("the new leg ran %s", got)
		}
	})
}

func TestAttendedTransfer_HangupWhileRinging(t *testing.T) {
	for _, zombie := range []bool{false, true} {
		inBubble(t, func(t *testing.T, b *box) {
			a, bleg := consult(b, "phone/ring 100;answer 5000")
			c := b.channel("c")
			if zombie {
				apps.SetTransferZombie(a)
			}
			a.Hangup(call.CauseNormalClearing)
			b.after(10 * time.Second)
			if bleg.Up() != zombie || c.Up() != zombie {
				t.Errorf("zombie %v: held leg up %v, new leg up %v", zombie, bleg.Up(), c.Up())
			}
			if zombie && c.Partner() != bleg {
				t.Error("they do not talk")
			}
		})
	}
}

func TestSoftHold_KeyResumes(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		a, bleg := talking(b, "bind_meta_app 1 a a soft_hold::9")
		press(a, "*1")
		b.after(time.Second)
		if a.Port().Peer() != nil {
			t.Error("the sound still passes")
		}
		press(a, "9")
		b.after(time.Second)
		if a.Port().Peer() != bleg.Port() || a.Partner() != bleg {
			t.Error("they do not talk again")
		}
	})
}

func TestValet_ParkAndFetch(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		p := b.run("p", "answer", "valet_park lot 6001")
		b.after(time.Second)
		lots := apps.ValetLots(b.sw)
		if len(lots) != 1 || lots[0].Name != "lot" || len(lots[0].Slots) != 1 || lots[0].Slots[0].Extension != "6001" || lots[0].Slots[0].UUID != p.UUID() {
			t.Fatalf("lots %+v", lots)
		}
		want(t, p, "valet_lot_extension", "6001")
		q := b.run("q", "answer", "valet_park lot 6001")
		b.after(time.Second)
		if q.Partner() != p {
			t.Fatal("who fetches does not talk to who was parked")
		}
		if len(apps.ValetLots(b.sw)) != 0 {
			t.Error("the slot is still occupied")
		}
		b.wantSequence("p valet_parking::info", "q valet_parking::info")
		for leg, action := range map[string]string{"p": "exit", "q": "bridge"} {
			if got := b.event(leg, "valet_parking::info").Get("Action"); got != action {
				t.Errorf("leg %s: %s, want %s", leg, got, action)
			}
		}
	})
}

func TestValet_ProbeIsAnsweredWithWhatStands(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		defer apps.AnswerValetProbes(b.sw)()
		b.run("p", "answer", "valet_park lot 6001")
		b.after(time.Second)
		heard := b.sw.Bus.Subscribe("probe", 10)
		defer heard.Close()
		heard.Listen(event.PresenceIn)
		for to, want := range map[string]string{"lot": "Active (1 caller)", "6001": "Holding", "6002": ""} {
			e := event.New(event.PresenceProbe, "")
			e.Add("to", "park+"+to+"@box")
			b.sw.Bus.Publish(e, "test", "test", 1)
			b.after(time.Second)
			select {
			case e := <-heard.C():
				if e.Get("from") != to+"@box" || e.Get("force-status") != want || e.Get("answer-state") != "confirmed" {
					t.Errorf("%s: %+v", to, e)
				}
			default:
				if want != "" {
					t.Errorf("%s: nothing is told", to)
				}
			}
		}
	})
}

func TestPresence_ToldOfRoutingAnswerHoldAndEnd(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		heard := b.sw.Bus.Subscribe("presence", 100)
		defer heard.Close()
		heard.Listen(event.PresenceIn)
		a := b.run("a", "set presence_id=1000@box", "answer", "presence dnd Lunch", "park")
		b.after(time.Second)
		a.RemoteHold(true)
		a.RemoteHold(false)
		a.Hangup(call.CauseNormalClearing)
		b.after(time.Second)
		var got []string
		for len(heard.C()) > 0 {
			e := <-heard.C()
			if e.Get("from") != "1000@box" || e.Get("proto") != "any" || e.Get("Unique-ID") != a.UUID() || e.Get("event_count") != strconv.Itoa(len(got)) {
				t.Errorf("%+v", e)
			}
			got = append(got, e.Get("rpid")+" "+e.Get("status")+" "+e.Get("presence-call-info-state"))
		}
		// The address is set after the routing.
		if want := "unknown answered active, dnd Lunch active, unknown hold held, unknown unhold active, unknown CS_HANGUP idle"; strings.Join(got, ", ") != want {
			t.Errorf("told %s\nwant %s", strings.Join(got, ", "), want)
		}
	})
}

func TestValet_AutoFullEmptyAndLongest(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		for i, letter := range []string{"p", "q", "r"} {
			ch := b.run(letter, "answer", "valet_park lot auto in 1 2", "park")
			b.after(time.Second)
			if i < 2 {
				want(t, ch, "valet_lot_extension", string('1'+byte(i)))
			} else if !strings.HasSuffix(b.applications(letter), "park()") {
				t.Errorf("a third call found a place in a lot of two: %s", b.applications(letter))
			}
		}
		s := b.run("s", "answer", "valet_park lot auto out 1 2")
		b.after(time.Second)
		if s.Partner() == nil || s.Partner().Name() != "test/p" {
			t.Errorf("fetched %v, want who waited longest", s.Partner())
		}
	})
}

func TestValet_TimeoutGoesToOrbit(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		b.extension("orbit", "log INFO orbit", "sleep 600000")
		b.run("a", "set valet_parking_orbit_exten=orbit", "set valet_parking_timeout=30", "answer", "valet_park lot 1")
		b.after(29 * time.Second)
		if strings.Contains(b.applications("a"), "orbit)") && strings.Contains(b.applications("a"), "log(") {
			t.Fatal("too soon")
		}
		b.after(2 * time.Second)
		if !strings.Contains(b.applications("a"), "log(INFO orbit)") {
			t.Errorf("ran %s", b.applications("a"))
		}
	})
}

func TestPickup_TakesTheWaitingCall(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		a := b.run("a", "bridge phone/ring 10,pickup/team")
		b.after(time.Second)
		p := b.run("p", "pickup nobody", "pickup team", "log INFO never")
		b.after(time.Second)
		if a.Partner() != p || !a.Up() {
			t.Fatalf("partner %v", a.Partner())
		}
		for _, ch := range b.sw.Channels() {
			if ch != a && ch != p {
				t.Errorf("%s is still there", ch.Name())
			}
		}
		a.Hangup(call.CauseNormalClearing)
		b.after(time.Second)
		if p.Up() {
			t.Error("who picked up is left over")
		}
	})
}

func TestMutex_OneAtATimeInOrder(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		p := b.run("p", "mutex key", "log INFO in", "sleep 600000")
		b.after(time.Second)
		q := b.run("q", "mutex key on", "log INFO in", "sleep 5000", "mutex key off", "sleep 600000")
		b.after(time.Second)
		b.run("r", "mutex key", "log INFO in", "sleep 600000")
		gone := b.run("s", "mutex key", "log INFO in")
		b.after(time.Second)
		in := func(letter string) bool { return strings.Contains(b.applications(letter), "log(") }
		if !in("p") || in("q") || in("r") {
			t.Fatalf("inside: p %v q %v r %v", in("p"), in("q"), in("r"))
		}
		gone.Hangup(call.CauseNormalClearing)
		p.Hangup(call.CauseNormalClearing)
		b.after(time.Second)
		if !in("q") || in("r") {
			t.Fatalf("after the first left: q %v r %v", in("q"), in("r"))
		}
		b.after(5 * time.Second)
		if !in("r") || !q.Up() {
			t.Errorf("after the second gave it back: r %v", in("r"))
		}
	})
}

// sounding makes a leg whose far end says a tone for ever.
func sounding(t *testing.T, b *box, ch *call.Channel, spec string) {
	t.Helper()
	src, err := ch.OpenSound(t.Context(), "tone_stream://"+spec+";loops=-1")
	if err != nil {
		t.Fatal(err)
	}
	ch.Port().Play(src, media.PlayOptions{Direction: media.Read})
}

func TestToneDetect_FindsOnlyItsTone(t *testing.T) {
	for _, c := range []struct {
		name, spec, sound string
		found             bool
	}{
		{"pure tone", "440", "%(1000,0,440)", true},
		{"two tones", "350,440", "%(1000,0,350,440)", true},
		{"one of two", "350,440", "%(1000,0,440)", false},
		{"another tone", "1100", "%(1000,0,440)", false},
		{"silence", "440", "%(0,1000,440)", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *box) {
				a := b.run("a", "answer", "tone_detect key "+c.spec+" r 0 log hit", "park")
				b.after(time.Second)
				sounding(t, b, a, c.sound)
				b.after(3 * time.Second)
				if found := strings.Contains(strings.Join(b.of("a"), " "), "DETECTED_TONE"); found != c.found {
					t.Errorf("detected %v, want %v", found, c.found)
				}
				if ran := strings.Contains(b.applications("a"), "log(hit)"); ran != c.found {
					t.Errorf("the application ran: %v", ran)
				}
			})
		})
	}
}

func TestDetectAudioAndSilence(t *testing.T) {
	for _, c := range []struct {
		app     string
		loud    bool
		timeout string
	}{
		{"detect_audio 500 10 5000", true, "false"}, {"detect_audio 500 10 5000", false, "true"},
		{"detect_silence 500 10 5000", false, "false"}, {"detect_silence 500 10 5000", true, "true"},
	} {
		inBubble(t, func(t *testing.T, b *box) {
			a := b.run("a", "answer", "sleep 1000", c.app, "park")
			b.after(500 * time.Millisecond)
			if c.loud {
				sounding(t, b, a, "%(1000,0,440)")
			}
			b.after(10 * time.Second)
			name, _, _ := strings.Cut(c.app, " ")
			want(t, a, name+"_timeout", c.timeout)
		})
	}
}

// hears counts the loud frames that a leg hears in a second.
func hears(b *box, ch *call.Channel) int {
	loud := 0
	remove := ch.Port().Tap(media.Write, 8000, func(pcm []int16) {
		if media.Energy(pcm) > 500 {
			loud++
		}
	})
	b.after(time.Second)
	remove()
	b.after(100 * time.Millisecond)
	return loud
}

func TestEavesdrop_ListensAndWhispers(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		a, bleg := talking(b)
		s := b.run("s", "answer", "eavesdrop "+a.UUID())
		b.after(time.Second)
		if n := hears(b, s); n != 0 {
			t.Errorf("%d loud frames before anybody spoke", n)
		}
		src, err := bleg.OpenSound(t.Context(), "tone_stream://%(1000,0,440);loops=-1")
		if err != nil {
			t.Fatal(err)
		}
		talk := bleg.Port().Play(src, media.PlayOptions{Direction: media.Read})
		b.after(time.Second)
		if n := hears(b, s); n < 40 {
			t.Errorf("the listener hears %d of 50 frames of the callee", n)
		}
		talk.Stop()
		b.after(time.Second)
		sounding(t, b, s, "%(1000,0,440)")
		for _, c := range []struct {
			key        string
			leg, other bool
		}{{"", false, false}, {"2", true, false}, {"1", false, true}, {"3", true, true}, {"0", false, false}} {
			press(s, c.key)
			b.after(time.Second)
			if n := hears(b, a); (n > 25) != c.leg {
				t.Errorf("after %q the listened leg hears %d loud frames", c.key, n)
			}
			if n := hears(b, bleg); (n > 25) != c.other {
				t.Errorf("after %q its partner hears %d loud frames", c.key, n)
			}
		}
		a.Hangup(call.CauseNormalClearing)
		b.after(time.Second)
		if s.Up() {
			t.Error("the listener goes on listening to nobody")
		}
	})
}

func TestEavesdrop_RequiredGroup(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		a, _ := talking(b, "set eavesdrop_group=x,sales")
		b.run("s", "set eavesdrop_require_group=support", "answer", "eavesdrop "+a.UUID())
		b.after(time.Second)
		b.event("s", "HANGUP NORMAL_CLEARING")
		s := b.run("u", "set eavesdrop_require_group=sales", "answer", "eavesdrop "+a.UUID())
		b.after(time.Second)
		if !s.Up() {
			t.Error("refused though the group fits")
		}
	})
}

func TestDisplace_HeardUntilStopped(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		const tone = "tone_stream://%(1000,0,440);loops=-1"
		a := b.run("a", "answer", "park")
		b.after(time.Second)
		if err := apps.Displace(t.Context(), a, tone, 0, ""); err != nil {
			t.Fatal(err)
		}
		if n := hears(b, a); n < 40 {
			t.Errorf("%d of 50 frames", n)
		}
		if err := apps.Displace(t.Context(), a, tone, 0, ""); err == nil {
			t.Error("the same file twice")
		}
		if !apps.StopDisplace(a, tone) || apps.StopDisplace(a, tone) {
			t.Error("stop")
		}
		b.after(time.Second)
		if n := hears(b, a); n != 0 {
			t.Errorf("%d frames after the stop", n)
		}
		if err := apps.Displace(t.Context(), a, tone, 2*time.Second, "m"); err != nil {
			t.Fatal(err)
		}
		b.after(3 * time.Second)
		if n := hears(b, a); n != 0 {
			t.Errorf("%d frames after the limit", n)
		}
	})
}

func TestHeartbeat_UntilStoppedOrGone(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		count := func() int { return strings.Count(strings.Join(b.of("a"), " "), "SESSION_HEARTBEAT") }
		a := b.run("a", "answer", "enable_heartbeat 10", "park")
		b.after(35 * time.Second)
		if n := count(); n != 3 {
			t.Errorf("%d beats in 35 s, want 3", n)
		}
		apps.Heartbeat(a, 0)
		b.after(35 * time.Second)
		if n := count(); n != 3 {
			t.Errorf("%d beats, want no more", n)
		}
		apps.Heartbeat(a, time.Second)
		a.Hangup(call.CauseNormalClearing)
		b.after(5 * time.Second)
		for _, task := range b.sw.Scheduler.Tasks() {
			if task.Group == a.UUID() {
				t.Error("the beat outlives the call")
			}
		}
	})
}

func TestZombieExec_RunsWhatCan(t *testing.T) {
	for _, on := range []bool{true, false} {
		inBubble(t, func(t *testing.T, b *box) {
			list := []string{"answer", "hangup", "set after=yes", "sleep 1000", "log INFO end"}
			if on {
				list = append([]string{"set_zombie_exec"}, list...)
			}
			b.run("a", list...)
			b.after(time.Second)
			got := b.applications("a")
			if ran := strings.Contains(got, "set(after=yes) log(INFO end)"); ran != on {
				t.Errorf("zombie_exec %v ran %s", on, got)
			}
		})
	}
}

func TestUnloop_LeavesTheFarEnds(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		b.extension("out", "bridge phone/answer 10")
		x := b.run("x", "bridge loopback/out/default")
		b.after(time.Second)
		var loop, far *call.Channel
		for _, ch := range b.sw.Channels() {
			switch {
			case strings.HasSuffix(ch.Name(), "-a"):
				loop = ch
			case strings.HasPrefix(ch.Name(), "phone/"):
				far = ch
			}
		}
		if loop == nil || far == nil {
			t.Fatal("no loopback call")
		}
		if err := loop.PostExecute("unloop", "", false); err != nil {
			t.Fatal(err)
		}
		b.after(time.Second)
		if x.Partner() != far || b.sw.Count() != 2 {
			t.Errorf("partner %v, %d channels", x.Partner(), b.sw.Count())
		}
	})
}

func TestBroadcast_HoldsThePartnerMeanwhile(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		a, bleg := talking(b)
		if err := apps.Broadcast(a, "silence_stream://2000", ""); err != nil {
			t.Fatal(err)
		}
		b.after(time.Second)
		if a.Port().Peer() != nil {
			t.Error("the partner hears the broadcast")
		}
		b.after(2 * time.Second)
		if a.Port().Peer() != bleg.Port() {
			t.Error("they do not talk afterwards")
		}
		if err := apps.Broadcast(a, "log!USER_BUSY::INFO bye", "both"); err != nil {
			t.Fatal(err)
		}
		b.after(time.Second)
		if a.Up() || !strings.Contains(b.applications("b"), "log(INFO bye)") {
			t.Errorf("up %v, b ran %s", a.Up(), b.applications("b"))
		}
	})
}

func TestBridge_TerminateKeyOfEitherLeg(t *testing.T) {
	for _, leg := range []string{"a", "b"} {
		inBubble(t, func(t *testing.T, b *box) {
			a, bleg := talking(b)
			legs := map[string]*call.Channel{"a": a, "b": bleg}
			legs[leg].Set("bridge_terminate_key", "*")
			press(legs[leg], "*")
			b.after(time.Second)
			if bleg.Up() || !strings.Contains(strings.Join(b.of("a"), " "), "UNBRIDGE") {
				t.Errorf("the key of leg %s did not end the bridge", leg)
			}
		})
	}
}

func TestCampOn_UntilSomebodyAnswers(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		b.sw.AddEndpoint("busy", &busyTwice{})
		a := b.run("a", "set campon=true", "set campon_sleep=5", "bridge busy/x")
		b.after(time.Second)
		if !a.Answered() || a.Partner() != nil {
			t.Fatalf("answered %v, partner %v", a.Answered(), a.Partner())
		}
		b.after(8 * time.Second)
		if a.Partner() != nil {
			t.Fatal("too soon")
		}
		b.after(3 * time.Second)
		if a.Partner() == nil {
			t.Error("not connected at the third try")
		}
	})
}

func TestCampOn_OverGoesToFallback(t *testing.T) {
	for _, c := range []struct{ name, set, press string }{
		{"enough tries", "campon_retries=2", ""}, {"stop key", "campon_stop_key=1", "1"},
	} {
		inBubble(t, func(t *testing.T, b *box) {
			b.extension("fallback", "log INFO fallback")
			a := b.run("a", "set campon=true", "set "+c.set, "set campon_fallback_exten=fallback", "bridge phone/fail 100 USER_BUSY")
			b.after(time.Second)
			press(a, c.press)
			b.after(15 * time.Second)
			if !strings.HasSuffix(b.applications("a"), "log(INFO fallback)") {
				t.Errorf("%s: ran %s", c.name, b.applications("a"))
			}
		})
	}
}

// busyTwice is an endpoint whose third call is answered.
type busyTwice struct {
	phoneEndpoint
	calls atomic.Int32
}

func (e *busyTwice) Dial(ctx context.Context, sw *call.Switch, r *call.DialRequest) (*call.Channel, error) {
	if e.calls.Add(1) < 3 {
		return nil, call.CauseUserBusy
	}
	r.Data = "answer 100"
	return e.phoneEndpoint.Dial(ctx, sw, r)
}

func TestRead_Results(t *testing.T) {
	for _, c := range []struct{ name, args, keys, digits, result, terminator string }{
		{"terminated", "1 4 silence digits 2000 #", "77#", "77", "success", "#"},
		{"full", "1 3 silence digits 2000 #", "123", "123", "success", ""},
		{"more did not come", "1 4 silence digits 2000 #", "7", "7", "timeout", ""},
		{"too few", "2 4 silence digits 2000 #", "7", "7", "failure", ""},
		{"nothing", "1 4 silence digits 2000 #", "", "", "failure", ""},
		{"kept terminator", "1 4 silence digits 2000 +#", "7#", "7#", "success", "#"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *box) {
				a := b.run("a", "answer", "sleep 100", "read "+c.args, "park")
				b.after(500 * time.Millisecond)
				press(a, c.keys)
				b.after(10 * time.Second)
				want(t, a, "digits", c.digits)
				want(t, a, "read_result", c.result)
				want(t, a, "read_terminator_used", c.terminator)
			})
		})
	}
}
