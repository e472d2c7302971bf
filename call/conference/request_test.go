package conference

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParseRequest(t *testing.T) {
	for _, w := range []struct {
		data string
		want request
	}{
		{"3000", request{name: "3000", profile: "default"}},
		{"3000@wideband+1234", request{name: "3000", profile: "wideband", pin: "1234"}},
		{"3000@default+flags{mute|moderator}", request{name: "3000", profile: "default", flags: []string{"mute", "moderator"}}},
		{"3000+77+flags{mute,deaf}", request{name: "3000", profile: "default", pin: "77", flags: []string{"mute", "deaf"}}},
		{"3000@dom@wideband", request{name: "3000@dom", profile: "wideband"}},
		{"Bridge:x@p:user/1000,user/1001", request{name: "x", profile: "p", bridge: true, dial: "user/1000,user/1001"}},
		{" x@", request{name: "x", profile: "default"}},
	} {
		got, err := parseRequest(w.data)
		if err != nil || !reflect.DeepEqual(got, w.want) {
			t.Errorf("%q: %+v, %v; want %+v", w.data, got, err, w.want)
		}
	}
	for _, data := range []string{"", "@default", "+flags{mute}", "bridge:x", "bridge:x:"} {
		if _, err := parseRequest(data); err == nil {
			t.Errorf("%q is taken", data)
		}
	}
}

func FuzzParseRequest(f *testing.F) {
	for _, s := range []string{"3000@wideband+1234", "bridge:x@p:user/1", "a+flags{mute|deaf}", "+", "@", "bridge::"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q, err := parseRequest(s)
		if err == nil && (q.name == "" || q.profile == "" || len(q.flags) > maxWords || q.bridge && q.dial == "") {
			t.Errorf("%q: %+v", s, q)
		}
	})
}

func TestSplitWords(t *testing.T) {
	for line, want := range map[string][]string{
		"a b  c":              {"a", "b", "c"},
		`c1 list delim "x y"`: {"c1", "list", "delim", "x y"},
		"play 'a b.wav' 2":    {"play", "a b.wav", "2"},
		"it's":                {"it's"},
		"":                    nil,
	} {
		if got := splitWords(line); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

func FuzzSplitWords(f *testing.F) {
	for _, s := range []string{"a 'b c' d", `x "`, strings.Repeat("a ", 100), "''"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if words := splitWords(s); len(words) > maxWords {
			t.Errorf("%d words", len(words))
		}
		restOf(s, 2)
	})
}

func FuzzClip(f *testing.F) {
	for _, s := range []string{"{vol=-3,loops=2}x.wav", "{loops=inf}", "{", "{vol=}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		params, bare := cutParams(s)
		if params+bare != s {
			t.Errorf("%q: %q and %q", s, params, bare)
		}
		c := newClip(&endless{}, params, 1)
		if n, err := c.Read(make([]int16, 160)); n != 160 || err != nil {
			t.Errorf("%q: %d, %v", s, n, err)
		}
	})
}

func TestKeypad_LongestMatchWins(t *testing.T) {
	woken := make(chan struct{}, 1)
	k := &keypad{timeout: time.Millisecond, wake: func() { woken <- struct{}{} },
		bindings: []control{{digits: "1", action: "one"}, {digits: "12", action: "two"}, {digits: "*", action: "star"}}}
	now := time.Now()
	if k.press('1', now) {
		t.Error("matches before a longer one is excluded")
	}
	if !k.press('2', now) {
		t.Error("the longer one does not match")
	}
	k.press('1', now)
	<-woken
	k.expire()
	if !k.press('*', now) {
		t.Error("no match at once")
	}
	if k.press('9', now) {
		t.Error("an unknown key matches")
	}
	var got []string
	for _, c := range k.take() {
		got = append(got, c.action)
	}
	if !slices.Equal(got, []string{"two", "one", "star"}) {
		t.Errorf("%q", got)
	}
}
