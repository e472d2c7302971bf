package calls

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/switchlet/switchlet/esl"
	"github.com/switchlet/switchlet/test/box"
	"github.com/switchlet/switchlet/test/phone"
)

// visit is one call to extension 5000, and what the switch tells of it.
type visit struct {
	t *testing.T
	*phone.Call
	events *esl.Conn
}

// visitDemo calls 5000 and waits for the greeting: a sound of its own, by its name
// in the events and by its energy.
func visitDemo(t *testing.T, b *box.Box, who *phone.Phone, greeting string) *visit {
	t.Helper()
	v := &visit{t: t, events: b.ESL(t)}
	if err := v.events.Subscribe(t.Context(), "PLAYBACK_START", "RECORD_START", "RECORD_STOP", "CHANNEL_BRIDGE", "CHANNEL_EXECUTE"); err != nil {
		t.Fatal(err)
	}
	call, err := who.Call("5000")
	if err != nil {
		t.Fatal(err)
	}
	v.Call = call
	v.await("PLAYBACK_START", greeting)
	v.voice()
	return v
}

// await reads events up to one of a kind whose file or application has a part.
func (v *visit) await(kind, part string) {
	v.t.Helper()
	for {
		e := next(v.t, v.events)
		if e.Name() == kind && strings.Contains(e.Get("Playback-File-Path")+e.Get("Record-File-Path")+e.Get("Application"), part) {
			return
		}
	}
}

// voice waits until something loud was heard that is no pure tone.
func (v *visit) voice() {
	v.t.Helper()
	box.Eventually(v.t, patience, "a voice", func() bool {
		return v.Find(callerTone, 200*time.Millisecond, func(h phone.Heard) bool { return h.Power > 0.02 && h.Level < h.Power/2 })
	})
}

// spoken is voice from now on.
func (v *visit) spoken() {
	v.t.Helper()
	v.Forget()
	v.voice()
}

// tone waits until a pure tone was heard. What is kept since the last Forget counts: a
// recording of one is short, and may be over before the test hears that it began.
func (v *visit) tone(freq float64) {
	v.t.Helper()
	box.Eventually(v.t, patience, "the tone", func() bool {
		return v.Find(freq, 200*time.Millisecond, func(h phone.Heard) bool { return h.Tone(0.05) })
	})
}

// record says a tone into what the script records, for as long as the file takes
// to hold a second, and ends with a key.
func (v *visit) record(file string) {
	v.t.Helper()
	v.Say(callerTone, 0.3) // silence would end it
	v.await("RECORD_START", filepath.Base(file))
	v.Forget()
	box.Eventually(v.t, patience, "a second recorded", func() bool {
		info, err := os.Stat(file)
		return err == nil && info.Size() > 16000
	})
	v.Press("#")
	v.await("RECORD_STOP", filepath.Base(file))
	v.Say(0, 0)
}

func (v *visit) hangup() {
	v.t.Helper()
	if err := v.Hangup(); err != nil {
		v.t.Error(err)
	}
}

func TestDemo_EveryChoiceOfItsMenu(t *testing.T) {
	user, err := os.ReadFile("../../conf/default/directory/default/1002.xml")
	if err != nil {
		t.Fatal(err)
	}
	b := house(t, map[string]string{
		"directory/default/1002.xml": strings.Replace(string(user), "domestic,international,local", "", 1),
	})
	alice, bob := desk(t, b, "1000"), desk(t, b, "1001")
	register(t, bob)
	recordings := filepath.Join(b.Data, "recordings")

	t.Run("date", func(t *testing.T) {
		v := visitDemo(t, b, alice, "demo-welcome.wav")
		defer v.hangup()
		v.await("PLAYBACK_START", "demo-menu.wav")
		v.spoken()
		v.Press("1")
		v.await("PLAYBACK_START", "demo-today.wav")
		v.await("PLAYBACK_START", "time/day-")
		v.spoken()
	})
	t.Run("note", func(t *testing.T) {
		v := visitDemo(t, b, alice, "demo-welcome_back.wav")
		v.Press("2")
		v.record(filepath.Join(recordings, "demo-note-1000.wav"))
		v.await("PLAYBACK_START", "demo-your_note.wav")
		v.await("PLAYBACK_START", "demo-note-1000.wav")
		v.tone(callerTone)
		v.hangup()
		v = visitDemo(t, b, alice, "demo-welcome_back.wav")
		defer v.hangup()
		v.Press("3")
		v.await("PLAYBACK_START", "demo-note-1000.wav")
		v.tone(callerTone)
	})
	t.Run("name", func(t *testing.T) {
		v := visitDemo(t, b, alice, "demo-welcome_back.wav")
		v.await("PLAYBACK_START", "ivr-extension_number.wav")
		v.Press("6")
		v.record(filepath.Join(recordings, "demo-name-1000.wav"))
		v.tone(callerTone)
		v.hangup()
		v = visitDemo(t, b, alice, "demo-welcome_back.wav")
		defer v.hangup()
		v.await("PLAYBACK_START", "demo-name-1000.wav")
		v.tone(callerTone)
	})
	for name, keys := range map[string]string{"extension": "41001#", "operator": "0"} {
		t.Run(name, func(t *testing.T) {
			v := visitDemo(t, b, alice, "demo-welcome_back.wav")
			v.Press(keys)
			in, err := bob.Next()
			if err != nil {
				t.Fatal(err)
			}
			if err := in.Answer(); err != nil {
				t.Fatal(err)
			}
			v.await("CHANNEL_BRIDGE", "")
			v.Say(callerTone, 0.3)
			in.Say(farTone, 0.3)
			hears(t, "1001", in.Sound, callerTone)
			hears(t, "1000", v.Sound, farTone)
			v.hangup()
			if err := in.WaitEnd(); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		v := visitDemo(t, b, alice, "demo-welcome_back.wav")
		defer v.hangup()
		v.Press("41015#")
		v.await("PLAYBACK_START", "demo-cannot_reach.wav")
		v.spoken()
		v.await("PLAYBACK_START", "demo-menu.wav")
	})
	t.Run("who may not call out", func(t *testing.T) {
		v := visitDemo(t, b, desk(t, b, "1002"), "demo-welcome.wav")
		defer v.hangup()
		v.Press("4555#")
		v.await("PLAYBACK_START", "demo-not_allowed.wav")
		v.spoken()
	})
	t.Run("conference", func(t *testing.T) {
		v := visitDemo(t, b, alice, "demo-welcome_back.wav")
		v.Press("5")
		v.await("CHANNEL_EXECUTE", "conference")
		other, err := bob.Call("3000")
		if err != nil {
			t.Fatal(err)
		}
		v.Say(callerTone, 0.3)
		both := &visit{t: t, Call: other}
		both.tone(callerTone)
		other.Say(farTone, 0.3)
		v.tone(farTone)
		both.hangup()
		v.hangup()
	})
	t.Run("echo", func(t *testing.T) {
		v := visitDemo(t, b, alice, "demo-welcome_back.wav")
		defer v.hangup()
		v.Press("9")
		v.Say(callerTone, 0.3)
		v.tone(callerTone)
	})

	db, err := sql.Open("sqlite", filepath.Join(b.Data, "db", "demo.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var name, pressed string
	var visits, file int
	if err := db.QueryRow(`SELECT name, visits FROM callers WHERE number = '1000'`).Scan(&name, &visits); err != nil || name != "Extension 1000" || visits != 10 {
		t.Errorf("1000 is %q and called %d times (%v), want Extension 1000 and 10", name, visits, err)
	}
	if err := db.QueryRow(`SELECT group_concat(pressed, '') FROM (SELECT pressed FROM visits WHERE caller = '1000' ORDER BY rowid LIMIT 4)`).Scan(&pressed); err != nil || pressed != "1236" {
		t.Errorf("1000 pressed %q first (%v), want 1236", pressed, err)
	}
	if err := db.QueryRow(`SELECT count(*) FROM notes WHERE caller = '1000' AND file LIKE '%demo-note-1000.wav'`).Scan(&file); err != nil || file != 1 {
		t.Errorf("%d notes of 1000 (%v), want 1", file, err)
	}
}
