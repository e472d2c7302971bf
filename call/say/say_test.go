package say_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/switchlet/switchlet/call/say"
	"github.com/switchlet/switchlet/call/say/prompts"
	"github.com/switchlet/switchlet/media/file"
	"github.com/switchlet/switchlet/test/sound"
)

const english = `<language name="en" say-module="en" sound-prefix="$${sound_prefix}"><phrases><macros>
<macro name="count" pause="50"><input pattern="^(\d+)$"><match>
  <action function="play-file" data="voicemail/vm-you_have.wav"/>
  <action function="say" data="$1" type="items" method="pronounced"/>
  <action function="phrase" phrase="noun" data="$1"/></match>
  <nomatch><action function="play-file" data="ivr/ivr-that_was_an_invalid_entry.wav"/></nomatch></input></macro>
<macro name="noun"><input pattern="^1$" break_on_match="true"><match><action function="play-file" data="voicemail/vm-message.wav"/></match></input>
  <input pattern="^(\d+)$"><match><action function="play-file" data="voicemail/vm-messages.wav"/></match></input></macro>
<macro name="both"><input pattern="a"><match><action function="play-file" data="ascii/97.wav"/></match></input>
  <input pattern="b"><match><action function="play-file" data="ascii/98.wav"/></match></input></macro>
<macro name="set"><input pattern="(.*)"><match><action function="execute" data="set(got=$1)"/><action function="break"/>
  <action function="play-file" data="digits/1.wav"/></match></input></macro>
<macro name="field"><input pattern="^x(.)$" field="${subject}"><match><action function="play-file" data="digits/$1.wav"/></match></input></macro>
<macro name="missing"><input pattern=".*"><match><action function="play-file" data="no/such.wav"/><action function="play-file" data="digits/1.wav"/></match></input></macro>
<macro name="loop"><input pattern=".*"><match><action function="phrase" phrase="loop" data=""/></match></input></macro>
<macro name="empty"/>
<macro name="tts"><input pattern=".*"><match><action function="speak-text" data="hello"/></match></input></macro>
</macros><macros name="other"><macro name="count"><input><match><action function="play-file" data="digits/star.wav"/></match></input></macro></macros></phrases></language>
<language name="de" say-module="xx"><phrases><macros><macro name="hallo"><input><match><action function="say" data="1" type="number" method="pronounced"/></match></input></macro></macros></phrases></language>`

func TestSay_PlaysOneListUnderTheLanguagesPrefix(t *testing.T) {
	inHouse(t, english, "", func(h *house) {
		h.begin("say en number pronounced 42", "say en:en telephone_number pronounced neuter 1 2")
		h.parked(20 * time.Second)
		if got, want := h.played(), "file_string://digits/40.wav!digits/2.wav file_string://digits/1.wav!silence_stream://100!digits/2.wav"; got != want {
			t.Errorf("played %s\nwant   %s", got, want)
		}
		if got := h.ch.Get("sound_prefix"); got != "" {
			t.Errorf("sound_prefix stayed %q", got)
		}
		if l := h.logged(); l != "" {
			t.Error(l)
		}
	})
}

func TestSay_IsHeard(t *testing.T) {
	inHouse(t, english, "", func(h *house) {
		h.heard.take()
		h.begin("say en name_spelled pronounced xyz")
		h.parked(10 * time.Second)
		pcm := h.heard.take()
		if d := float64(len(pcm)) / 8000; d < 1 || d > 3 {
			t.Errorf("three letters took %.2f s", d)
		}
		if db := sound.Level(pcm); math.Abs(db+20) > 3 {
			t.Errorf("heard at %.1f dBFS, want -20", db)
		}
	})
}

func TestSay_IsStoppedByItsTerminator(t *testing.T) {
	inHouse(t, english, "", func(h *house) {
		h.begin("say en number iterated 1234567890")
		h.wait(300 * time.Millisecond)
		h.press("5*")
		h.parked(40 * time.Millisecond)
		if got := h.ch.Get("playback_terminator_used"); got != "*" {
			t.Errorf("playback_terminator_used is %q", got)
		}
	})
}

func TestSay_SaysWhatIsWrong(t *testing.T) {
	inHouse(t, english, "", func(h *house) {
		for _, c := range []struct{ app, want string }{
			{"say xx:fr number pronounced 1", "Can't find language fr."},
			{"say xx:en number pronounced 1", "Invalid SAY Interface [xx]!"},
			{"say en url pronounced x", "Unknown Say type=[11]"},
			{"say en number pronounced x", "Parse Error!"},
			{"say en number", "usage: <module_name>[:<lang>]"},
			{"phrase nothing,1", "Can't find macro nothing."},
			{"phrase", "No phrase macro specified."},
			{"phrase empty", "Can't find any input tags."},
			{"phrase count@none,1", "Can't find macros group none."},
			{"phrase tts,x", "TTS is not configured"},
			{"phrase loop,x", "more than 12 deep"},
			{"phrase both,c", "Macro [both]: 'c' did not match any patterns"},
			{"phrase missing,x", "no/such.wav"},
			{"ivr none", "Unable to find menu"},
		} {
			h.begin(c.app)
			h.parked(5 * time.Second)
			if got := h.logged(); !strings.Contains(got, c.want) {
				t.Errorf("%s: logged %q, want %q", c.app, got, c.want)
			}
			if got := h.played(); got != "" {
				t.Errorf("%s: played %s", c.app, got)
			}
		}
	})
}

func TestPhrase_RunsItsMacro(t *testing.T) {
	inHouse(t, english, "", func(h *house) {
		h.ch.Set("subject", "x7")
		for _, c := range []struct{ app, want string }{
			{"phrase count,3", "voicemail/vm-you_have.wav file_string://digits/3.wav voicemail/vm-messages.wav"},
			{"phrase count,1", "voicemail/vm-you_have.wav file_string://digits/1.wav voicemail/vm-message.wav"},
			{"phrase count,x", "ivr/ivr-that_was_an_invalid_entry.wav"},
			{"phrase count@other,3", "digits/star.wav"},
			{"phrase both,ab", "ascii/97.wav ascii/98.wav"},
			{"phrase set,some text", ""},
			{"phrase field,y", "digits/7.wav"},
			{"playback phrase:noun:2", "voicemail/vm-messages.wav"},
		} {
			h.begin(c.app)
			h.parked(20 * time.Second)
			if got := h.played(); got != c.want {
				t.Errorf("%s: played %s, want %s", c.app, got, c.want)
			}
			if l := h.logged(); l != "" {
				t.Errorf("%s: %s", c.app, l)
			}
		}
		if got := h.ch.Get("got"); got != "some text" {
			t.Errorf("execute set %q", got)
		}
	})
}

func TestPhrase_InAnotherLanguage(t *testing.T) {
	inHouse(t, english, "", func(h *house) {
		h.ch.Set("language", "de-AT")
		h.begin("phrase hallo,")
		h.parked(5 * time.Second)
		if got := h.logged(); !strings.Contains(got, "language de-AT not found. trying de by removing -AT") || !strings.Contains(got, "Invalid SAY Interface [xx]!") {
			t.Errorf("logged %q", got)
		}
	})
}

func TestSayString_RepliesWithTheList(t *testing.T) {
	inHouse(t, english, "", func(h *house) {
		h.ch.Set("timezone", "3600")
		usage := "-ERR Usage: <module_name>[.<ext>] <lang>[.<ext>] <say_type> <say_method> [<say_gender>] <text>\n"
		for args, want := range map[string]string{
			"en.wav en number pronounced 42":         "file_string://digits/40.wav!digits/2.wav",
			"en.gsm en number iterated masculine 12": "file_string://digits/1.gsm!digits/2.gsm",
			"~en en items pronounced 3":              "digits/3.wav",
			"en en number sung 3":                    "",
			"en en number":                           usage,
			"en en url pronounced x":                 usage,
			"en fr number pronounced 1":              usage,
			"en en current_time pronounced 1":        "file_string://digits/1.wav!time/oclock.wav!time/a-m.wav",
		} {
			got, err := h.sw.Run(t.Context(), "say_string", args, h.ch, nil)
			if got != want || err != nil {
				t.Errorf("%s: %q, %v; want %q", args, got, err, want)
			}
		}
	})
}

// TestPrompts_HaveEveryNameThatSayUses also plays each: a voice at its level, with
// no more silence around it than a word needs.
func TestPrompts_HaveEveryNameThatSayUses(t *testing.T) {
	names := map[string]bool{}
	add := func(kind, method, text string) {
		list, err := say.English{}.Say(say.Request{Type: say.ParseType(kind), Method: say.ParseMethod(method), Text: text},
			say.Clock{Now: time.Date(2026, 11, 21, 14, 5, 0, 0, time.UTC), Zone: time.UTC})
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range list {
			names[n] = true
		}
	}
	for _, n := range strings.Fields("0 1 12 13 14 15 16 17 18 19 20 30 40 50 60 70 80 90 123456789 21000000") {
		add("number", "pronounced", n)
		add("number", "counted", n)
	}
	for n := range 10 {
		add("number", "counted", string(rune('0'+n)))
	}
	for _, n := range []string{"-1.01", "2.02"} {
		add("currency", "pronounced", n)
	}
	add("time_measurement", "pronounced", "3661")
	add("time_measurement", "pronounced", "1:2:3")
	add("time_measurement", "pronounced", "2")
	add("ip_address", "pronounced", "1.2.3.4")
	for month := range 12 {
		at := time.Date(2026, time.Month(month+1), month+1, 3*month%24, month, 0, 0, time.UTC).Unix()
		add("current_date_time", "iterated", itoa(at))
		add("short_date_time", "pronounced", itoa(at))
	}
	for day := range 8 {
		add("short_date_time", "pronounced", itoa(time.Date(2026, 11, 21-day, 9, 0, 0, 0, time.UTC).Unix()))
	}
	for c := ' '; c < 127; c++ {
		add("name_spelled", "pronounced", string(c))
		add("name_phonetic", "pronounced", string(c))
	}
	for name := range names {
		if strings.Contains(name, "://") {
			continue
		}
		f, err := prompts.FS().Open("en/us/callie/" + name + ".wav")
		if err != nil {
			t.Errorf("no prompt: %v", err)
			continue
		}
		hearPrompt(t, name, f.(readSeekCloser))
	}
	if len(names) < 150 {
		t.Errorf("only %d names", len(names))
	}
}

func hearPrompt(t *testing.T, name string, f readSeekCloser) {
	t.Helper()
	a, err := file.OpenReader(f, name+".wav", 16000)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	defer a.Close()
	pcm := make([]int16, a.Len())
	if n, err := a.Read(pcm); n != len(pcm) || err != nil {
		t.Errorf("%s: %d of %d samples, %v", name, n, len(pcm), err)
	}
	if d := float64(len(pcm)) / float64(a.Rate()); d < 0.15 || d > 1.8 {
		t.Errorf("%s: %.2f s", name, d)
	}
	if db := sound.Level(pcm); math.Abs(db+20) > 2.5 {
		t.Errorf("%s: %.1f dBFS", name, db)
	}
}
