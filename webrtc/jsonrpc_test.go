package webrtc

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
)

func TestMessages_Limits(t *testing.T) {
	for text, ok := range map[string]bool{
		`{}`: true, `[]`: true, `[1,2]`: true, ``: false, `{`: false, `x`: false,
		strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth):          true,
		strings.Repeat("[", maxDepth+1) + strings.Repeat("]", maxDepth+1):      false,
		`{"a":"` + strings.Repeat("[", 100) + `"}`:                             true,
		"[" + strings.TrimSuffix(strings.Repeat("{},", maxBatch+1), ",") + "]": false,
	} {
		if _, _, got := messages([]byte(text)); got != ok {
			t.Errorf("%.60s: %v", text, got)
		}
	}
}

func TestReply_KeepsTheId(t *testing.T) {
	for in, want := range map[string]string{
		`{"jsonrpc":"2.0","id":7,"method":"m"}`:      `{"jsonrpc":"2.0","id":7,"result":{"b":1,"a":2}}`,
		`{"jsonrpc":"2.0","id":"x-1","method":"m"}`:  `{"jsonrpc":"2.0","id":"x-1","result":{"b":1,"a":2}}`,
		`{"jsonrpc":"2.0","method":"m","params":{}}`: `{"jsonrpc":"2.0","id":null,"result":{"b":1,"a":2}}`,
	} {
		r, ok := parseRequest(json.RawMessage(in))
		if !ok || r.Method != "m" {
			t.Fatalf("%s: %v", in, r)
		}
		out, err := json.Marshal(reply(r.ID, object{{"b", 1}, {"a", 2}}, nil))
		must(t, err)
		if string(out) != want {
			t.Errorf("%s, want %s", out, want)
		}
	}
}

func TestParams_ControlCharactersGo(t *testing.T) {
	p := parseParams(json.RawMessage(`{"a":"x\r\nSet-Cookie: y","n":12,"l":["a",1,{}],"b":true}`))
	if p.text("a") != "xSet-Cookie: y" || p.text("n") != "12" || len(p.list("l")) != 2 || !p.flag("b") || p.text("missing") != "" {
		t.Errorf("%v", p)
	}
	if parseParams(json.RawMessage(`[1]`)) != nil || parseParams(nil) != nil {
		t.Error("took what is no object")
	}
}

// FuzzMessage holds that no frame panics and that every reply is JSON.
func FuzzMessage(f *testing.F) {
	f.Add([]byte(`{"jsonrpc":"2.0","id":1,"method":"verto.invite","params":{"sdp":"v=0","dialogParams":{"callID":"x"}}}`))
	f.Add([]byte(`[{"jsonrpc":"2.0"},3,null]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, _, ok := messages(b)
		if !ok {
			return
		}
		for _, one := range list {
			r, _ := parseRequest(one)
			p := parseParams(r.Params)
			_, id, _ := dialog(p)
			dialogVars(p)
			userVariables(p)
			if out, err := json.Marshal(reply(r.ID, object{{"callID", id}, {"p", p}}, nil)); err != nil || !json.Valid(out) {
				t.Errorf("reply to %q: %s %v", one, out, err)
			}
		}
	})
}

func TestPermission_Lists(t *testing.T) {
	for _, c := range []struct {
		list, name string
		exact      bool
		main       bool
	}{
		{"verto", "verto.invite", false, true}, {"verto.invite,echo", "verto.invite", true, true}, {"verto.invite,echo", "verto.bye", false, false},
		{"", "verto.invite", false, false}, {"__ANY__", "anything", true, true}, {"a,b c", "a,b", true, true},
		{"conference", "conference.3000@x", false, true}, {"conference", "conference-mod.3000@x", false, false},
	} {
		p := parsePermission(c.list)
		if p.allows(c.name) != c.exact || p.allowsMain(c.name) != c.main {
			t.Errorf("%q %q: %v %v", c.list, c.name, p.allows(c.name), p.allowsMain(c.name))
		}
	}
}

func TestGuard_BoundsStrangers(t *testing.T) {
	g, ip := newGuard(), netip.MustParseAddr("2001:db8::1")
	for range maxStrangers {
		if !g.enter(ip) {
			t.Fatal("refused too soon")
		}
	}
	if g.enter(ip) {
		t.Error("too many strangers")
	}
}

func TestControlLine(t *testing.T) {
	for _, c := range []struct {
		command, id string
		values      []string
		want        string
	}{
		{"kick", "0003", nil, "kick 3"}, {"mute", "", nil, ""}, {"tmute", "4", []string{"quiet"}, "tmute 4 quiet"}, {"mute", "4", []string{"x"}, ""}, {"kick", "0", nil, "kick 0"},
		{"volume_in", "2", []string{"up"}, "volume_in 2 up"}, {"play", "", []string{"ivr/welcome.wav"}, "play ivr/welcome.wav"},
		{"play", "", []string{"/etc/passwd"}, ""}, {"play", "", []string{"../x"}, ""}, {"recording", "", []string{"start", "a.wav"}, "recording start a.wav"},
		{"recording", "", []string{"start", "/tmp/a.wav"}, ""}, {"recording", "", []string{"stop"}, "recording stop all"},
		{"transfer", "5", []string{"3001"}, ""}, {"system", "1", []string{"rm"}, ""},
		{"stop", "", []string{"all; kick all"}, ""},
		{"play", "", []string{" /etc/passwd"}, ""}, {"play", "", []string{"'/etc/passwd'"}, ""}, {"play", "", []string{"\"/etc/passwd\""}, ""},
		{"play", "", []string{"{loops=2}/etc/passwd"}, ""}, {"play", "", []string{"", "/etc/passwd"}, ""}, {"play", "", []string{" a.wav", "3"}, "play a.wav 3"},
		{"recording", "", []string{"start", " /tmp/a.wav"}, ""}, {"recording", "", []string{"start", "'/tmp/a.wav'"}, ""},
		{"recording", "", []string{"start", "{a=b}/tmp/a.wav"}, ""}, {"recording", "", []string{"start /tmp/a.wav", "b"}, ""},
		{"recording", "", []string{"start '/tmp/a.wav'"}, ""}, {"recording", "", []string{"start", " all"}, ""}, {"recording", "", []string{"pause", "a b.wav"}, "recording pause a b.wav"},
	} {
		if got := controlLine(c.command, c.id, c.values); got != c.want {
			t.Errorf("%s %s %v: %q, want %q", c.command, c.id, c.values, got, c.want)
		}
	}
}

func TestJitterBounds(t *testing.T) {
	for text, want := range map[string][2]int{"1p:20p": {20, 400}, "60": {60, 0}, "2p:30": {40, 40}, "x": {20, 0}, "100:300": {100, 300}} {
		if low, high := jitterBounds(text); low != want[0] || high != want[1] {
			t.Errorf("%s: %d %d, want %v", text, low, high, want)
		}
	}
}
