package conference

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/media"
)

func v(name, value string) call.Var { return call.Var{Name: name, Value: value} }

func digit(c byte) media.Digit { return media.Digit{Char: c, Source: media.DigitRTP} }

func TestRoom_EachHearsExactlyTheOthers(t *testing.T) {
	for _, profile := range []string{"default", "loud", "wideband", "cdquality"} {
		t.Run(profile, func(t *testing.T) {
			inHouse(t, func(h *house) {
				a, b, c := h.call("a", 440, "r@"+profile), h.call("b", 1000, "r@"+profile), h.call("c", 1700, "r@"+profile)
				time.Sleep(500 * time.Millisecond)
				a.hears([]float64{1000, 1700}, []float64{440})
				b.hears([]float64{440, 1700}, []float64{1000})
				c.hears([]float64{440, 1000}, []float64{1700})
				if x := h.api("r list count"); x != "3" {
					t.Errorf("%q members", x)
				}
			})
		})
	}
}

func TestRoom_AutoRateIsThatOfTheFirst(t *testing.T) {
	inHouse(t, func(h *house) {
		a, b := h.call("a", 440, "r@auto", v("codec", "G722")), h.call("b", 1000, "r@auto")
		h.wants("r get rate", "16000")
		time.Sleep(500 * time.Millisecond)
		a.hears([]float64{1000}, []float64{440})
		b.hears([]float64{440}, []float64{1000})
	})
}

func TestRoom_ProbeIsAnsweredWithWhoIsThere(t *testing.T) {
	inHouse(t, func(h *house) {
		h.call("a", 440, "3000@default")
		h.call("b", 440, "3000@default")
		time.Sleep(time.Second)
		heard := h.sw.Bus.Subscribe("probe", 10)
		defer heard.Close()
		heard.Listen(event.PresenceIn)
		e := event.New(event.PresenceProbe, "")
		e.Add("to", "conf+3000@box")
		h.sw.Bus.Publish(e, "test", "test", 1)
		time.Sleep(time.Second)
		select {
		case e := <-heard.C():
			if e.Get("force-status") != "Active (2 callers)" || e.Get("answer-state") != "confirmed" || e.Get("proto") != "conf" {
				t.Errorf("%+v", e)
			}
		default:
			t.Error("nothing is told")
		}
	})
}

func TestRoom_EventsOfATypicalCourse(t *testing.T) {
	inHouse(t, func(h *house) {
		a := h.call("a", 0, "3000@full")
		time.Sleep(2 * time.Second)
		events := h.take()
		var names []string
		for _, e := range events {
			names = append(names, e.Get("Action"))
		}
		if want := []string{"conference-create", "add-member", "floor-change", "play-file-done"}; !slices.Equal(names, want) {
			t.Fatalf("%q, want %q", names, want)
		}
		add := events[1]
		for name, want := range map[string]string{"Conference-Name": "3000", "Conference-Domain": "box.test", "Conference-Size": "1",
			"Conference-Ghosts": "0", "Conference-Profile-Name": "full", "colour": "blue", "Member-ID": "1", "Member-Type": "member",
			"Hear": "true", "Speak": "true", "Talking": "false", "Floor": "false", "Video": "false", "See": "false",
			"Mute-Detect": "false", "Hold": "false", "Member-Ghost": "false", "Energy-Level": "100", "Current-Energy": "0",
			"Unique-ID": a.ch.UUID(), "Channel-Read-Codec-Name": "PCMU", "Caller-Caller-ID-Number": "a", "Answer-State": "answered"} {
			if got := add.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		var order []string
		for _, x := range add.Headers {
			if !strings.HasPrefix(x.Name, "Event-") && !strings.HasPrefix(x.Name, "Caller-") && !strings.HasPrefix(x.Name, "Channel-") {
				order = append(order, x.Name)
			}
		}
		if got := strings.Join(order, " "); !strings.HasSuffix(got, "Conference-Name Conference-Domain Conference-Size Conference-Ghosts "+
			"Conference-Profile-Name Conference-Unique-ID colour Floor Unique-ID Call-Direction Presence-Call-Direction Answer-State "+
			"Video Hear See Speak Talking Mute-Detect Hold Member-ID Member-Type Member-Ghost Energy-Level Current-Energy Action") {
			t.Errorf("order %s", got)
		}
		if add.Has("variable_direction") {
			t.Error("variables without verbose-events")
		}
		if f := events[2]; f.Get("Old-ID") != "none" || f.Get("New-ID") != "1" {
			t.Errorf("floor from %s to %s", f.Get("Old-ID"), f.Get("New-ID"))
		}
		b := h.call("b", 440, "3000@full")
		time.Sleep(2 * time.Second)
		got := h.actions()
		got = slices.DeleteFunc(got, func(s string) bool { return s == "play-file-done" })
		if want := []string{"add-member", "start-talking", "floor-change"}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		b.hangup()
		time.Sleep(100 * time.Millisecond)
		a.hangup()
		got = slices.DeleteFunc(h.actions(), func(s string) bool { return s == "play-file-done" })
		if want := []string{"floor-change", "del-member", "floor-change", "floor-change", "del-member", "conference-destroy"}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		h.wants("list", "+OK No active conferences.\n")
	})
}

func TestRoom_SetsVariables(t *testing.T) {
	inHouse(t, func(h *house) {
		a := h.call("a", 0, "r@full+flags{moderator|ghost}")
		for name, want := range map[string]string{"conference_name": "r", "conference_member_id": "1", "conference_moderator": "true",
			"conference_ghost": "true", "conference_call_key": "conference_r_box.test_a"} {
			if got := a.ch.Get(name); got != want {
				t.Errorf("%s = %q, want %q", name, got, want)
			}
		}
		if a.ch.Get("conference_uuid") != h.api("r get uuid") {
			t.Error("conference_uuid is not the room's")
		}
	})
}

func TestMute_Deaf_Kick_Hup(t *testing.T) {
	inHouse(t, func(h *house) {
		a, b := h.call("a", 440, "r"), h.call("b", 1000, "r")
		time.Sleep(300 * time.Millisecond)
		h.take()
		h.wants("r mute 1", "+OK mute 1\n")
		time.Sleep(100 * time.Millisecond)
		b.hears(nil, []float64{440})
		h.wants("r tmute 1", "+OK unmute 1\n")
		h.wants("r deaf 2", "+OK deaf 2\n")
		time.Sleep(100 * time.Millisecond)
		b.hears(nil, []float64{440})
		a.hears([]float64{1000}, nil)
		h.wants("r undeaf last", "+OK undeaf 2\n")
		h.wants("r hold 1", "+OK hold 1\n")
		time.Sleep(100 * time.Millisecond)
		a.hears(nil, []float64{1000})
		b.hears(nil, []float64{440})
		h.wants("r unhold 1", "+OK unhold 1\n")
		time.Sleep(100 * time.Millisecond)
		a.hears([]float64{1000}, nil)
		h.wants("r kick 1", "+OK kicked 1\n")
		if !h.noted("a next") {
			t.Error("the dialplan does not go on after a kick")
		}
		h.wants("r hup all", "+OK hup 2\n")
		if !h.noted("b next") {
			t.Error("the dialplan does not go on after hup")
		}
		var got []string
		for _, s := range h.actions() {
			if !strings.HasSuffix(s, "talking") && s != "floor-change" {
				got = append(got, s)
			}
		}
		want := []string{"mute-member", "unmute-member", "deaf-member", "undeaf-member", "hold-member", "unhold-member",
			"kick-member", "del-member", "hup-member", "del-member", "conference-destroy"}
		if !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

func TestEntry_LockAndSize(t *testing.T) {
	inHouse(t, func(h *house) {
		h.call("a", 0, "r@small")
		h.wants("r lock", "+OK r locked\n")
		h.call("b", 0, "r")
		if !h.noted("b next") {
			t.Error("a locked room let somebody in")
		}
		h.call("free", 0, "r", v("conference_enforce_security", "false"))
		if h.api("r count") != "2" {
			t.Error("the lock holds without security")
		}
		h.wants("r unlock", "+OK r unlocked\n")
		h.call("c", 0, "r")
		if !h.noted("c next") || h.api("r count") != "2" {
			t.Error("the room has more members than it may")
		}
		h.call("g", 0, "r+flags{ghost}")
		h.wants("r get count_ghosts", "1")
	})
}

func TestEntry_Pins(t *testing.T) {
	inHouse(t, func(h *house) {
		a := h.call("a", 0, "r@pinned")
		time.Sleep(time.Second)
		a.press("1234#")
		h.wants("r count", "1")
		b := h.call("b", 0, "r@pinned")
		time.Sleep(time.Second)
		b.press("1111#")
		time.Sleep(2 * time.Second)
		b.press("99999")
		h.wants("r count", "2")
		if b.ch.Get("conference_moderator") != "true" {
			t.Error("the moderator's pin makes no moderator")
		}
		c := h.call("c", 0, "r@pinned")
		for range 3 {
			time.Sleep(2 * time.Second)
			c.press("0#")
		}
		time.Sleep(time.Second)
		if !h.noted("c next") {
			t.Error("three wrong pins do not end the application")
		}
		d := h.call("d", 0, "r@pinned", v("supplied_pin", "X-ConfPin=1234;x"))
		h.wants("r count", "3")
		h.wants("r nopin", "+OK Pin for conference r deleted\n")
		h.wants("r pin 77", "+OK Pin for conference r set: 77\n")
		h.wants("r pin mod 88", "+OK Moderator Pin for conference r set: 88\n")
		_ = d
	})
}

func TestKeys(t *testing.T) {
	inHouse(t, func(h *house) {
		a, b := h.call("a", 440, "r@full"), h.call("b", 1000, "r@full")
		time.Sleep(2 * time.Second)
		h.take()
		a.press("0")
		time.Sleep(300 * time.Millisecond)
		b.hears(nil, []float64{440})
		a.press("0")
		a.press("9")
		h.wants("r energy 1", "Energy 1 = 300\n")
		a.press("3")
		h.wants("r volume_out 1", "+OK Volume OUT 1 = 1\n")
		a.press("4")
		h.wants("r volume_in 1", "+OK Volume IN 1 = -1\n")
		a.press("55")
		h.wants("r get is_locked", "locked")
		a.press("5")
		h.wants("r get is_locked", "locked")
		time.Sleep(600 * time.Millisecond) // the shorter match has its time
		if !slices.Contains(h.actions(), "dtmf") {
			t.Error("the shorter of two sequences is not found")
		}
		a.press("7")
		if !h.noted("a ran") {
			t.Error("execute_application did not run")
		}
		h.wants("r count", "2")
		b.press("8")
		if !h.noted("b sent elsewhere") {
			t.Error("transfer did not go elsewhere")
		}
		a.press("#")
		if !h.noted("a next") {
			t.Error("hangup does not leave the room")
		}
		if a.ch.Get("conference_last_matching_digits") != "#" {
			t.Error("conference_last_matching_digits is not set")
		}
	})
}

func TestKeys_DistributedToOthers(t *testing.T) {
	inHouse(t, func(h *house) {
		a, b := h.call("a", 0, "r+flags{dist-dtmf}"), h.call("b", 0, "r")
		a.press("0#")
		h.wants("r count", "2")
		time.Sleep(time.Second)
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.digits != "0#" {
			t.Errorf("b got %q", b.digits)
		}
	})
}

func TestMusic_AloneAndUntilAModeratorComes(t *testing.T) {
	inHouse(t, func(h *house) {
		a := h.call("a", 0, "r@full")
		time.Sleep(2 * time.Second)
		a.hears([]float64{350}, nil)
		b := h.call("b", 0, "r@full")
		time.Sleep(time.Second)
		a.hears(nil, []float64{350})
		b.hangup()
		time.Sleep(2 * time.Second)
		a.hears([]float64{350}, nil)
		h.wants("r moh off", "+OK moh\n")
		time.Sleep(100 * time.Millisecond)
		a.hears(nil, []float64{350})
	})
	inHouse(t, func(h *house) {
		a, b := h.call("a", 440, "r@wait"), h.call("b", 1000, "r@wait")
		time.Sleep(500 * time.Millisecond)
		a.hears(nil, []float64{1000})
		h.wants("r get wait_mod", "true")
		m := h.call("m", 0, "r@wait+flags{moderator}")
		time.Sleep(500 * time.Millisecond)
		a.hears([]float64{1000}, nil)
		m.hangup()
		b.hears([]float64{440}, nil)
		h.wants("r get wait_mod", "")
	})
}

func TestEnd_EndconfMintwoGrace(t *testing.T) {
	inHouse(t, func(h *house) {
		a, b := h.call("a", 0, "r+flags{endconf}"), h.call("b", 0, "r")
		c := h.call("c", 0, "r", v("hangup_after_conference", "false"))
		a.hangup()
		if b.ch.Up() || b.ch.Cause() != call.CauseNormalClearing {
			t.Error("the others are not hung up")
		}
		if !h.noted("c next") || h.noted("b next") {
			t.Error("hangup_after_conference=false is not followed")
		}
		_ = c
	})
	inHouse(t, func(h *house) {
		h.call("a", 0, "r+flags{mintwo}")
		b := h.call("b", 0, "r")
		b.hangup()
		h.wants("list", "+OK No active conferences.\n")
	})
	inHouse(t, func(h *house) {
		a, b := h.call("a", 0, "r+flags{mandatory_member_endconf}", v("conference_endconference_grace_time", "3")), h.call("b", 0, "r")
		a.hangup()
		time.Sleep(3500 * time.Millisecond)
		if !b.ch.Up() {
			t.Error("the grace time is not kept")
		}
		time.Sleep(time.Second)
		if b.ch.Up() {
			t.Error("the room goes on without its mandatory member")
		}
	})
}

func TestEntry_JoinOnlyAndBridge(t *testing.T) {
	inHouse(t, func(h *house) {
		a := h.call("a", 0, "r+flags{join-only}")
		<-a.ch.Done()
		if got := h.actions(); !slices.Contains(got, "rejected-join-only") || a.ch.Cause() != call.CauseNormalClearing {
			t.Errorf("%q, %v", got, a.ch.Cause())
		}
		b := h.call("b", 0, "bridge:two:phone/x")
		h.wants("two count", "2")
		h.call("c", 0, "bridge:two:phone/y")
		if !h.noted("c next") {
			t.Error("a second bridge to the same name")
		}
		b.hangup()
		h.wants("count", "0")
		d := h.call("d", 0, "bridge:three:busy")
		if !h.noted("d next") {
			t.Error("a bridge to a busy phone does not end")
		}
		_ = d
		h.wants("count", "0")
	})
}

func TestPerpetualSound_AndSilenceThatEnds(t *testing.T) {
	inHouse(t, func(h *house) {
		a := h.call("a", 0, "r@drone")
		h.call("b", 0, "r@drone")
		time.Sleep(3 * time.Second)
		a.hears([]float64{350}, nil)
		h.api("r play tone_stream://%(1000,0,700) async")
		time.Sleep(1500 * time.Millisecond)
		a.hears([]float64{350}, []float64{700})
		time.Sleep(10 * time.Second)
		if a.ch.Up() {
			t.Error("silence does not end the room")
		}
	})
}

func TestGate_TalkEndsAndEnergyIsSet(t *testing.T) {
	inHouse(t, func(h *house) {
		a, b := h.call("a", 440, "r@loud"), h.call("b", 0, "r@loud")
		time.Sleep(time.Second)
		b.hears([]float64{440}, nil)
		h.wants("r energy 1 1800", "Energy 1 = 1800\n")
		h.wants("r energy 1 down", "Energy 1 = 1600\n")
		a.say(0)
		time.Sleep(2 * time.Second)
		if got := h.actions(); !slices.Contains(got, "stop-talking") || !slices.Contains(got, "energy-level-member") {
			t.Errorf("%q", got)
		}
		synctest.Wait()
	})
}

func TestTalk_IsCounted_AndReportedWhereTheFlagAsks(t *testing.T) {
	inHouse(t, func(h *house) {
		a := h.call("a", 440, "talk@full+flags{talk-data-events}")
		b := h.call("b", 0, "talk@full")
		time.Sleep(21 * time.Second)
		var reports, ends []*event.Event
		a.say(0)
		time.Sleep(2 * time.Second)
		for _, e := range h.take() {
			switch e.Get("Action") {
			case "talk-report":
				reports = append(reports, e)
			case "stop-talking":
				ends = append(ends, e)
			}
		}
		if len(reports) != 2 || reports[0].Get("talk-detects") != "1" || reports[1].Get("talk-detect-duration") != "10000" || reports[1].Get("talk-detect-avg") != "10000.000000" {
			t.Errorf("%d reports: %v", len(reports), reports)
		}
		if len(ends) != 1 {
			t.Fatalf("%d ends", len(ends))
		}
		frames, _ := strconv.Atoi(ends[0].Get("talking-total-packets"))
		hits, _ := strconv.Atoi(ends[0].Get("talking-gate-hits"))
		energy, _ := strconv.ParseFloat(ends[0].Get("talking-average-energy"), 64)
		if frames-hits != 40 || hits < 900 || ends[0].Get("talking-duration-ms") != strconv.Itoa(20*frames) || energy < 1000 || energy > 20000 {
			t.Errorf("%s", ends[0].Plain())
		}
		a.hangup()
		b.hangup()
	})
}
