package webrtc

import (
	"strings"
	"testing"

	"github.com/switchlet/switchlet/call/event"
)

// allowing changes what the users of the test's tree may run.
func allowing(fsapi, jsapi string) func(string) string {
	return func(tree string) string {
		tree = strings.Replace(tree, `"jsonrpc-allowed-fsapi" value="status eval"`, `"jsonrpc-allowed-fsapi" value="`+fsapi+`"`, 1)
		return strings.Replace(tree, `"jsonrpc-allowed-jsapi" value="status"`, `"jsonrpc-allowed-jsapi" value="`+jsapi+`"`, 1)
	}
}

// ran lists the lines of API commands that were run.
func (b *box) ran() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []string
	for _, e := range b.events {
		if e.Type == event.API {
			list = append(list, e.Get("API-Command")+" "+e.Get("API-Command-Argument"))
		}
	}
	return list
}

// A command inside another is one that the page may run, however deep it is.
func TestFSAPI_WrappedCommandsAreChecked(t *testing.T) {
	b := newBox(t, allowing("status bgapi sched_api expand xml_wrap", ""))
	p := b.login("1000", "secret", "s1")
	k := b.s.online("s1")
	for _, c := range []struct {
		name, arg string
		may       bool
	}{
		{"status", "", true}, {"shutdown", "", false}, {"bgapi", "status", true}, {"bgapi", " status now", true}, {"bgapi", "shutdown", false},
		{"bgapi", "", false}, {"bgapi", "bgapi shutdown", false}, {"bgapi", "expand bgapi status", true}, {"expand", "xml_wrap shutdown", false},
		{"sched_api", "+1 none status", true}, {"sched_api", "+1 none shutdown", false}, {"sched_api", "+1 none bgapi shutdown", false},
		{"sched_api", "+1  shutdown status", false}, {"sched_api", "+1 g\u2003status shutdown", false}, {"sched_api", "+1 none", false},
		{"bgapi", "${shutdown()}", false}, {"BGAPI", "status", false},
	} {
		if got := k.mayRun(c.name, c.arg); got != c.may {
			t.Errorf("%s %s: %v", c.name, c.arg, got)
		}
	}
	p.refused("fsapi", fields{"cmd": "sched_api", "arg": "+1  shutdown status"}, "Permission Denied")
}

// However a request is written, it does not get around what the page may do.
func TestJSAPI_SpellingChangesNoRights(t *testing.T) {
	b := newBox(t, allowing("status", "__ANY__"))
	p, other := b.login("1000", "secret", "s1"), b.login("1002", "json", "s2")
	b.dials(p, "mine", "park")
	b.dials(other, "theirs", "park")
	for _, command := range []string{"fsapi", "FSAPI", "fsApi"} {
		p.refused("jsapi", fields{"command": command, "data": fields{"cmd": "uuid_kill", "arg": "theirs"}}, "Permission Denied")
	}
	for _, command := range []string{"channelData", "CHANNELDATA", "mediastats", "Execute"} {
		if r := p.result("jsapi", fields{"command": command, "data": fields{"uuid": "theirs"}}); r["response"] != "Session does not exist" {
			t.Errorf("%s: %v", command, r)
		}
		if r := p.result("jsapi", fields{"command": command, "data": fields{"UUID": "theirs"}}); r["response"] != "INVALID INPUT" {
			t.Errorf("%s: %v", command, r)
		}
		p.result("jsapi", fields{"command": command, "data": fields{"UUID": "theirs", "Uuid": "theirs", "uuid": "mine", "app": "park"}})
	}
	until(t, "the requests about the page's own call", func() bool {
		own := 0
		for _, line := range b.ran() {
			if strings.Contains(line, "theirs") {
				t.Errorf("ran %s", line)
			}
			if strings.Contains(line, `"uuid":"mine"`) && strings.Contains(line, `"app":"park"`) {
				own++
			}
		}
		return own == 4
	})
}

// A call that is named as a channel of events gives no right to that channel.
func TestChannels_NameOfACallGivesNoRights(t *testing.T) {
	b := newBox(t, func(tree string) string { return strings.Replace(tree, `value="demo,presence"`, `value="demo"`, 1) })
	p := b.login("1000", "secret", "s1")
	for _, name := range []string{"presence", "FSevent", "conference-liveArray", "conference-mod", "news"} {
		b.dials(p, name, "park")
		if r := p.ask("verto.subscribe", fields{"eventChannel": name}); r["error"] == nil {
			t.Errorf("%s: %v", name, r)
		}
	}
	for name, want := range map[string]bool{"c0ffee00-0000-4000-8000-00000000000A": true, "": false, "c0ffee00-0000-4000-8000-00000000000": false,
		"c0ffee00-0000-4000-8000-00000000000g": false, "c0ffee00x0000-4000-8000-000000000000": false, "c0ffee00-0000-4000-8000-0000000000000": false} {
		if isUUID(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}
