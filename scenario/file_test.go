package scenario

import (
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/switchlet/switchlet/call"
)

func TestParse_Steps(t *testing.T) {
	for _, c := range []struct {
		line string
		who  string
		want action
	}{
		{`call 5000`, "", calls{to: "5000"}},
		{`calls to 5000 from 0301 "Anna S" in public`, "", calls{to: "5000", from: "0301", name: "Anna S", context: "public"}},
		{`anna calls script as 1000 with a "b c" d`, "anna", calls{script: true, as: "1000", arguments: `a "b c" d`}},
		{`call "script"`, "", calls{to: "script"}},
		{`caller presses 12*#`, "", presses{digits: "12*#"}},
		{`presses 1 every 500ms`, "", presses{digits: "1", every: 500 * time.Millisecond}},
		{`hears ivr/x.wav`, "", hears{sound: Sound{Name: "ivr/x.wav"}, within: patience}},
		{`hears "a b.wav" to the end within 5s`, "", hears{sound: Sound{Name: "a b.wav"}, end: true, within: 5 * time.Second}},
		{`hears tone 350+440 for 2s`, "", hears{sound: Sound{Kind: SoundTone, Name: "350+440", Tones: []float64{350, 440}}, long: 2 * time.Second, within: patience}},
		{`hears silence`, "", hears{sound: Sound{Kind: SoundSilence}, long: time.Second, within: patience}},
		{`hears say number pronounced 12`, "", hears{sound: Sound{Kind: SoundSay, Name: "number pronounced", Text: "12"}, within: patience}},
		{`hears phrase greet within 2s`, "", hears{sound: Sound{Kind: SoundPhrase, Name: "greet"}, within: 2 * time.Second}},
		{`user/1001 hears text "good \"day\""`, "user/1001", hears{sound: Sound{Kind: SoundText, Text: `good "day"`}, within: patience}},
		{`does not hear anything for 3s`, "", hearsNot{Sound{Kind: SoundAny}, 3 * time.Second}},
		{`user/1001 answers after 3s`, "user/1001", deed{kind: deedAnswer, after: 3 * time.Second}},
		{`user/1001 is busy`, "user/1001", deed{kind: deedFail, cause: call.CauseUserBusy}},
		{`user/1001 fails with NO_ANSWER`, "user/1001", deed{kind: deedFail, cause: call.CauseNoAnswer}},
		{`phone sofia/gateway/x/* answers after 1s, says "a, b.wav", presses 1#, hangs up after 9s`, "", phone{"sofia/gateway/x/*", []deed{
			{kind: deedAnswer, after: time.Second}, {kind: deedSay, sound: Sound{Name: "a, b.wav"}}, {kind: deedPress, digits: "1#"},
			{kind: deedHangup, after: 9 * time.Second}}}},
		{`phone user/1 does not answer`, "", phone{"user/1", []deed{{kind: deedRing}}}},
		{`at 2026-12-24 18:00 UTC`, "", setTime{time.Date(2026, 12, 24, 18, 0, 0, 0, time.UTC)}},
		{`at 2026-12-24`, "", setTime{time.Date(2026, 12, 24, 0, 0, 0, 0, time.Local)}},
		{`global a = b c`, "", setGlobal{"a", "b c"}},
		{`variable a =`, "", setVariable{"a", ""}},
		{`database d runs "SELECT 1"`, "", database{dsn: "d", sql: "SELECT 1"}},
		{`database odbc://x is y`, "", database{dsn: "odbc://x", is: "y"}},
		{`sound x.wav lasts 2s`, "", standIn{"x.wav", 2 * time.Second}},
		{`expect variable a of bob = x y within 2s`, "", expects{what: "variable", name: "a", of: "bob", compare: comparison{how: "=", value: "x y"}, within: 2 * time.Second}},
		{`expect variable a is unset`, "", expects{what: "variable", name: "a", compare: comparison{how: "unset"}, within: settleTime}},
		{`expect bridge to user/1001`, "", expects{what: "bridge", name: "user/1001", within: patience}},
		{`expect no bridge`, "", expects{what: "bridge", no: true, within: settleTime}},
		{`expect hangup of bob USER_BUSY within 1s`, "", expects{what: "hangup", of: "bob", name: "USER_BUSY", within: time.Second}},
		{`expect event CUSTOM a::b with C = d, E = "f g"`, "", expects{what: "event", name: "CUSTOM", sub: "a::b",
			with: []call.Var{{Name: "C", Value: "d"}, {Name: "E", Value: "f g"}}, within: settleTime}},
		{`expect log a b within 1s`, "", expects{what: "log", compare: comparison{how: "contains", value: "a b"}, within: time.Second}},
		{`expect database d "SELECT 1" = 1`, "", expects{what: "database", name: "d", sub: "SELECT 1", compare: comparison{how: "=", value: "1"}, within: settleTime}},
		{`expect recording x.wav at least 2s at most 1m`, "", expects{what: "recording", name: "x.wav", least: 2 * time.Second, most: time.Minute, within: settleTime}},
	} {
		f, err := Parse("x", "scenario s\n"+c.line)
		if err != nil {
			t.Errorf("%s: %v", c.line, err)
			continue
		}
		s := f.Scenarios[0].Steps[0]
		if s.Who != c.who || !reflect.DeepEqual(s.do, c.want) {
			t.Errorf("%s:\n got %q %#v\nwant %q %#v", c.line, s.Who, s.do, c.who, c.want)
		}
	}
}

func TestParse_Complaints(t *testing.T) {
	for text, want := range map[string]string{
		"":                                                  "x:1: no scenario",
		"scenario":                                          "x:1: the name of the scenario is missing",
		"scenario a\nscenario a":                            "x:2: there is a scenario \"a\" in line 1 already",
		"scenario a\n\nhear x":                              `x:3: "hear" begins no step; did you mean: [WHO] hears`,
		"scenario a\nbob hear x":                            `"bob" begins no step`,
		"scenario a\nhears":                                 "a sound is missing; usage: [WHO] hears",
		"scenario a\nhears x within":                        "a duration such as 5s is missing",
		"scenario a\nhears x within 5":                      `"5" is no duration such as 5s`,
		"scenario a\nhears x now":                           `what is "now"?`,
		"scenario a\nhears \"x":                             "a quote is not closed",
		"scenario a\npresses 1x":                            `"1x": want keys`,
		"scenario a\nwaits 25h":                             "is no duration",
		"scenario a\nat 24.12.2026":                         "is no date and time",
		"scenario a\nat 1999-01-01":                         "is not between 2000-01-02 and 2200",
		"scenario a\nat 2026-12-24 18:00 Nowhere/City":      "is no time zone",
		"scenario a\nexpect rain":                           `"rain" cannot be expected`,
		"scenario a\nexpect no hangup":                      `"hangup" cannot be expected`,
		"scenario a\nexpect variable a 1":                   "want =, !=",
		"scenario a\nexpect variable a matches /(/":         "missing closing )",
		"scenario a\nexpect hangup BUSYNESS":                `"BUSYNESS" is no cause`,
		"scenario a\nglobal a=b":                            "with blanks around the =",
		"scenario a\nbob at 2026-12-24":                     "nobody's step",
		"scenario a\nphone user/1 answers, dances":          "what does the phone do",
		"scenario a\nhears tone 20":                         "want up to four frequencies",
		"scenario a\ncall 5000 with x":                      "an extension has no arguments",
		"scenario a\n" + strings.Repeat("waits 1s\n", 1001): "more than 1000 steps",
		"scenario a\n# " + strings.Repeat("x", 20000) + "\nwaits 1s\n" + strings.Repeat("y", 20000): "x:4: line of 20000 bytes",
	} {
		_, err := Parse("x", text)
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want %q", text, err, want)
		}
	}
}

func TestParse_CommonLines_BelongToEveryScenario(t *testing.T) {
	f, err := Parse("x", "\ufeff# comment\nscript ivr.lua\nglobal a = 1\n\nscenario one\n  call script\nscenario two\n  call 1\n  # more\n  waits 1s\n")
	if err != nil {
		t.Fatal(err)
	}
	if f.Script != "ivr.lua" || len(f.Scenarios) != 2 || len(f.Scenarios[0].Steps) != 2 || len(f.Scenarios[1].Steps) != 3 {
		t.Errorf("%+v", f)
	}
	if s := f.Scenarios[1].Steps[2]; s.Line != 10 || s.Text != "waits 1s" {
		t.Errorf("%+v", s)
	}
}

func TestUsage_EveryStepParses(t *testing.T) {
	for _, v := range verbs {
		if !strings.Contains(v.usage, v.words) {
			t.Errorf("the usage of %q does not show it: %s", v.words, v.usage)
		}
	}
}

// FuzzParse looks for panics, and for lines that mean something else when they are
// read again.
func FuzzParse(f *testing.F) {
	f.Add("scenario a\ncall 5000 from 1 \"x\"\nhears tone 440 for 2s\nexpect event A b with C = d, E = f within 3s\n")
	f.Add("script x.lua\nphone user/1 answers after 1s, says \"a, b\", hangs up\nscenario b\npresses 1# every 1s\nexpect variable x matches /a|b/\n")
	f.Add("scenario \"q\\\"\"\nat 2026-12-24 18:00 Europe/Berlin\ndatabase d runs SELECT 'x'\nexpect database d \"SELECT 1\" != 2\n")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := Parse("x", text)
		if err != nil {
			var syntax *SyntaxError
			if !errors.As(err, &syntax) || syntax.Line < 1 || syntax.Line > strings.Count(text, "\n")+1 {
				t.Fatalf("%v", err)
			}
			return
		}
		for _, s := range file.Scenarios {
			if len(s.Steps) > 2*maxSteps {
				t.Fatal("too many steps")
			}
			for _, step := range s.Steps {
				again, err := Parse("x", "scenario s\n"+step.Text)
				if err != nil {
					t.Fatalf("%q: %v", step.Text, err)
				}
				one := again.Scenarios[0].Steps[0]
				one.Line = step.Line
				if e, ok := one.do.(expects); ok && e.compare.expr != nil {
					continue // compiled expressions do not compare
				}
				if !reflect.DeepEqual(one, step) {
					t.Fatalf("%q: %#v, then %#v", step.Text, step, one)
				}
			}
		}
	})
}

// TestDocument_NamesEveryStep keeps docs/testing-scripts.md complete.
func TestDocument_NamesEveryStep(t *testing.T) {
	text, err := os.ReadFile("../docs/testing-scripts.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range verbs {
		if !strings.Contains(string(text), v.words) {
			t.Errorf("docs/testing-scripts.md does not name %q", v.words)
		}
	}
	for name := range expectations {
		if !strings.Contains(string(text), "expect "+name) {
			t.Errorf("docs/testing-scripts.md does not name \"expect %s\"", name)
		}
	}
}
