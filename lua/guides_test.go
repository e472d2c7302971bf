package lua

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/apps"
	"github.com/switchlet/switchlet/call/commands"
	"github.com/switchlet/switchlet/call/directory"
	"github.com/switchlet/switchlet/call/endpoint"
	"github.com/switchlet/switchlet/call/kv"
	"github.com/switchlet/switchlet/call/regex"
)

// example is one of testdata/guides.txt.
type example struct {
	name, source string
	keys         map[string][]string
}

func (e example) get(key, otherwise string) string {
	if v := e.keys[key]; len(v) > 0 {
		return v[0]
	}
	return otherwise
}

func readExamples(t *testing.T) []example {
	t.Helper()
	text, err := os.ReadFile("testdata/guides.txt")
	if err != nil {
		t.Fatal(err)
	}
	var list []example
	for _, part := range strings.Split(string(text), "\n=== ")[1:] {
		head, source, ok := strings.Cut(part, "\n--\n")
		if !ok {
			t.Fatalf("an example without a script:\n%s", part)
		}
		lines := strings.Split(head, "\n")
		e := example{name: lines[0], source: source, keys: map[string][]string{}}
		for _, line := range lines[1:] {
			key, value, _ := strings.Cut(line, " ")
			e.keys[key] = append(e.keys[key], value)
		}
		list = append(list, e)
	}
	return list
}

// TestGuides runs every example of the guides and sees that it does what they say,
// without an error unless one is meant.
func TestGuides(t *testing.T) {
	t.Parallel()
	list := readExamples(t)
	if len(list) < 55 {
		t.Errorf("%d examples, there were more", len(list))
	}
	for _, e := range list {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			e.run(t)
		})
	}
}

func (e example) run(t *testing.T) {
	b := newBox(t, "", nil)
	b.sw.AddEndpoint("sofia", endpoint.Null{})
	cache, dir := regex.NewCache(100), directory.New(b.conf)
	b.sw.AddApplications(apps.Table(apps.Deps{Directory: dir, Regex: cache, Hash: kv.NewHash(), Limits: kv.NewLimits()})...)
	b.sw.AddCommands(commands.Table(commands.Deps{Store: b.conf, Directory: dir, Regex: cache, Hash: kv.NewHash(), Limits: kv.NewLimits()})...)
	b.sw.Start()
	sub := b.sw.Bus.Subscribe("test", 1000)
	defer sub.Close()
	sub.ListenAll()
	log := b.sw.Log.Follow(call.LogDebug, 10000)
	defer log.Close()
	b.write("example.lua", strings.ReplaceAll(e.source, "TMP", b.tmp))
	reply := ""
	switch e.get("run", "call") {
	case "lua":
		reply = strings.ReplaceAll(b.api("lua example.lua"), "\n", "|")
	case "luarun":
		if got := b.api("luarun " + b.script(`out("begun") dofile("`+b.dir+`/example.lua")`)); got != "+OK\n" {
			t.Errorf("luarun answers %q", got)
		}
		b.until("begun")
		b.eventually("the script ends", func() bool { return len(b.host.Running()) == 0 })
	default:
		ch := b.call(`out("on") dofile("` + b.dir + `/example.lua")`)
		b.until("on")
		press(ch, e.get("press", ""))
		switch e.get("hangup", "") {
		case "yes":
			ch.Hangup(call.CauseNormalClearing)
		case "playing":
			b.eventually("something is played", func() bool { p := ch.Playback(); return p != nil && p.Samples() > 800 })
			ch.Hangup(call.CauseNormalClearing)
		case "after":
			b.eventually("the script ends", func() bool { return len(b.host.Running()) == 0 })
			b.eventually("the call is parked", func() bool { return ch.State() == call.StateExecute && ch.Get("current_application") == "park" })
			ch.Hangup(call.CauseNormalClearing)
		}
		b.finish(ch)
	}
	if want, ok := e.keys["replies"]; ok && reply != want[0] {
		t.Errorf("it replies %q, want %q", reply, want[0])
	}
	var logged strings.Builder
	limit := time.After(patience)
	for _, want := range e.keys["logs"] {
		for late := false; !late && !strings.Contains(logged.String(), want); {
			select {
			case l := <-log.Lines():
				logged.WriteString(l.Text)
			case <-limit:
				late = true
				t.Errorf("not logged: %q in\n%s", want, logged.String())
			}
		}
	}
	for done := false; !done; {
		select {
		case l := <-log.Lines():
			logged.WriteString(l.Text)
		default:
			done = true
		}
	}
	b.mu.Lock()
	printed := b.print.String()
	b.mu.Unlock()
	for _, want := range e.keys["prints"] {
		if !strings.Contains(printed, want) && !strings.Contains(logged.String(), want) {
			t.Errorf("not printed: %q in\n%s", want, printed)
		}
	}
	for _, want := range e.keys["fires"] {
		deadline := time.After(patience)
		for found := false; !found; {
			select {
			case <-deadline:
				t.Fatalf("no event %s", want)
			default:
			}
			ev, err := sub.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			found = string(ev.Type) == want || ev.Get("Event-Subclass") == want
		}
	}
	if e.get("fails", "") != "" {
		b.eventually("a failure is told of", func() bool { return len(b.host.Failures()) > 0 })
	}
	failures := b.host.Failures()
	if want := e.get("fails", ""); want == "" && len(failures) > 0 {
		t.Errorf("it failed: %+v", failures)
	} else if want != "" && (len(failures) == 0 || !strings.Contains(failures[0].Message, want)) {
		t.Errorf("failures %+v, want one with %q", failures, want)
	}
}
