package lua

import (
	"encoding/json"
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestRunning_ScriptsAreListedAndStopped(t *testing.T) {
	b := newBox(t, "", nil)
	b.write("busy.lua", prelude+`out("busy") while true do end`)
	b.write("asleep.lua", prelude+`out("asleep") freeswitch.msleep(1000000)`)
	ch := b.idle()
	b.api("luarun busy.lua")
	b.until("busy")
	b.api("luarun asleep.lua one two")
	b.until("asleep")
	want := regexp.MustCompile(`^(\d+) \d+s waits ` + ch.UUID() + ` s\d+\.lua\n(\d+) \d+s computes - busy\.lua\n(\d+) \d+s waits - asleep\.lua one two\n\n3 total\.\n$`)
	var found []string
	b.eventually("the list is as it should be", func() bool {
		found = want.FindStringSubmatch(b.api("lua list"))
		return found != nil
	})
	var list []Running
	if err := json.Unmarshal([]byte(b.api("lua list as json")), &list); err != nil || len(list) != 3 || list[1].Script != "busy.lua" || list[1].Waits || list[0].UUID != ch.UUID() {
		t.Errorf("%v, %+v", err, list)
	}
	b.logged()
	for _, id := range found[1:] {
		if got := b.api("lua stop " + id); got != "+OK\n" {
			t.Errorf("stop %s: %q", id, got)
		}
	}
	b.finish(ch) // the dialplan had nothing more
	b.eventually("no script runs", func() bool { return b.api("lua list") == "\n0 total.\n" })
	logged := b.logged()
	for _, name := range []string{"busy.lua", "asleep.lua"} {
		if !strings.Contains(logged, "[ERR] "+name+": script ended: stopped by lua stop\n") {
			t.Errorf("%s is not told of in\n%s", name, logged)
		}
	}
	for line, want := range map[string]string{
		"lua stop":     "-USAGE: lua stop <id>\n",
		"lua stop x":   "-USAGE: lua stop <id>\n",
		"lua stop 999": "-ERR no script 999 is running\n",
	} {
		if got := b.api(line); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
	// A script of that name comes first.
	b.write("list", `stream:write("a script")`)
	if got := b.api("lua list"); got != "a script" {
		t.Errorf("a script called list: %q", got)
	}
}

// eventually waits for a condition.
func (b *box) eventually(what string, ok func() bool) {
	b.t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.t.Fatalf("not so after %v: %s", patience, what)
		}
	}
}

func TestFailures_AreToldWithTheValuesAtHand(t *testing.T) {
	b := newBox(t, "", nil)
	sub := b.sw.Bus.Subscribe("test", 100)
	defer sub.Close()
	sub.ListenCustom("lua::failure")
	b.write("bad.lua", `local function look(number, password)
	local found, long = {1, 2, 3}, string.rep("x", 200)
	local s = session
	return found.x.y
end
look("4711", "hush")`)
	ch := b.call(`session:execute("lua", "bad.lua with words")`)
	b.finish(ch)
	e, err := sub.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	file := b.dir + "/bad.lua"
	message := file + ":4: attempt to index field 'x' (a nil value)"
	values := `number = "4711", password = (not shown), found = table of 3, long = "` + strings.Repeat("x", 80) + `..." (200 bytes), s = LUA::Session`
	if e.Get("Script") != "bad.lua with words" || e.Get("Unique-ID") != ch.UUID() || e.Get("Error") != message || e.Get("Values") != values {
		t.Errorf("event\n%s", e.Plain())
	}
	if want := message + "\nstack traceback:\n\t" + file + ":4: in function 'look'\n\t" + file + ":6: in main chunk\n"; e.Body != want {
		t.Errorf("body %q\nwant %q", e.Body, want)
	}
	if logged := b.logged(); !strings.Contains(logged, "[NOTICE] values at hand: "+values+"\n") || strings.Contains(logged, "hush") {
		t.Errorf("logged\n%s", logged)
	}
	list := b.host.Failures()
	if len(list) != 1 || list[0].Message != message || list[0].UUID != ch.UUID() || len(list[0].Values) != 5 || !strings.Contains(list[0].Traceback, "in main chunk") {
		t.Errorf("%+v", list)
	}
	if got := b.api("lua errors"); !strings.Contains(got, message) || !strings.Contains(got, "\tfound = table of 3\n") || !strings.HasSuffix(got, "\n1 total.\n") {
		t.Errorf("lua errors:\n%s", got)
	}
	// What is caught is no failure; syntax errors, missing files and errors without
	// a message are. Only the last fifty are kept, the newest first.
	b.lua(`pcall(error, "caught")`)
	b.lua(`error({})`)
	b.lua(`x = = 1`)
	b.api("lua missing.lua")
	list = b.host.Failures()
	if len(list) != 4 || !strings.Contains(list[0].Message, "cannot open") || !strings.Contains(list[1].Message, "unexpected symbol") || list[2].Message != "an error without a message" {
		t.Errorf("%+v", list)
	}
	for i := range 100 {
		b.api(fmt.Sprintf("lua ~error('%s', 0)", strings.Repeat("x", i*200)))
	}
	var decoded []Failure
	if err := json.Unmarshal([]byte(b.api("lua errors as json")), &decoded); err != nil || len(decoded) != maxFailures {
		t.Fatalf("%v, %d failures", err, len(decoded))
	}
	if n := len(decoded[0].Message); n > maxFailureText || !strings.HasPrefix(decoded[0].Message, "xxx") {
		t.Errorf("a message of %d bytes is kept", n)
	}
}

func TestLimits_OfTheConfiguration(t *testing.T) {
	b := newBox(t, `<settings><param name="compute-limit" value="1"/><param name="memory-limit" value="32"/><param name="max-scripts" value="3"/>
		<param name="compute-limit" value="soon"/></settings>`, nil)
	b.logged()
	if err := b.host.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := b.logged(), "[ERR] lua.conf: compute-limit is \"soon\", want a number from 0 (no limit) to 1048576\n"; got != want {
		t.Errorf("logged %q", got)
	}
	b.lua(`while true do end`)
	if got := b.logged(); !strings.Contains(got, "time limit reached: it has computed for 1s without waiting for anything (compute-limit in lua.conf)") {
		t.Errorf("logged %q", got)
	}
	for i := range 3 {
		b.api("luarun ~freeswitch.API():execute('out', 'n" + fmt.Sprint(i) + "') freeswitch.msleep(100000)")
		b.until("n" + fmt.Sprint(i))
	}
	if got := b.lua(`stream:write("x")`); got != "-ERR Cannot execute script\n" || !strings.Contains(b.logged(), "too many scripts are running") {
		t.Errorf("a fourth script: %q", got)
	}
}

// A script that takes more than one may is ended, whatever it keeps it in.
func TestLimits_OfMemory(t *testing.T) {
	b := newBox(t, "", func(o *Options) { o.Limits = Limits{Memory: 24 << 20} })
	for _, script := range []string{
		`local t = {} for i = 1, 1e9 do t[i] = {i} end`,
		`big = {} for i = 1, 1e9 do big["k" .. i] = true end`,
		`local function grow(t, n) if n > 0 then t.next = {string.rep("x", 1000) .. n} return grow(t.next, n - 1) end end local t = {} grow(t, 1e9)`,
		`local f for i = 1, 1e9 do local g = f f = function() return g, i end end`,
		`coroutine.wrap(function() local t = {} for i = 1, 1e9 do t[i] = {i} end end)()`,
		`local t = {} for i = 1, 1e9 do t[i] = coroutine.create(function() end) end`,
		`local t = {} for i = 1, 1e9 do t[i] = string.rep("x", 100000) .. i end`,
	} {
		b.logged()
		b.lua(script)
		if got := b.logged(); !strings.Contains(got, "not enough memory: its values take more than 24 MiB (memory-limit in lua.conf)") {
			t.Errorf("%s\n got %.300q", script, got)
		}
		runtime.GC()
	}
	// One that makes much and keeps little goes on.
	if got := b.lua(`local t for i = 1, 300000 do t = {i, tostring(i)} end local s for i = 1, 300 do s = string.rep("x", 1000000) end stream:write("done")`); got != "done" {
		t.Errorf("a script that keeps nothing: %q\n%s", got, b.logged())
	}
}

// When the process has no more memory the script that takes most is ended, others
// live on.
func TestLimits_OfTheProcess(t *testing.T) {
	b := newBox(t, "", func(o *Options) { o.Limits = Limits{Memory: 1 << 40, Heap: 64 << 20} })
	b.write("small.lua", prelude+`out("small") while not freeswitch.getGlobalVariable("enough") do local x = {} end out("small ends")`)
	b.api("luarun small.lua")
	b.until("small")
	b.lua(`local t = {} for i = 1, 1e9 do t[i] = {i} end`)
	if got := b.awaitLog("not enough memory"); strings.Contains(got, "small.lua") {
		t.Errorf("logged %q", got)
	}
	b.sw.Globals.Set("enough", "true")
	b.until("small ends")
}

// A script that computes for ever is ended by its limit, and calls do not notice.
func TestLimits_HurtNoCall(t *testing.T) {
	b := newBox(t, "", func(o *Options) { o.Limits = Limits{Compute: time.Second} })
	ch := b.call(`out("on") local d = session:getDigits(1, "", 60000) out(d, session:ready()) out(session:streamFile("silence_stream://100"))`)
	b.until("on")
	b.api("luarun ~while true do end")
	b.awaitLog("time limit reached")
	press(ch, "7")
	if got := b.finish(ch); got != "on\n7 true\n1" {
		t.Errorf("the call got %q", got)
	}
}

// Thousands of runs, also failing ones, leave nothing behind.
func TestHost_TenThousandRunsLeaveMemoryAndGoroutinesFlat(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	b := newBox(t, "", nil)
	b.write("plain.lua", `local t = {} for i = 1, 10 do t[i] = {i} end stream:write("ok")`)
	b.write("much.lua", `local e = freeswitch.Event("CUSTOM", "x::y") e:addHeader("a", "b") require("cjson").encode({1})
		local d = freeswitch.Dbh("flat") d:query("select 1", function(r) end) coroutine.wrap(function() coroutine.yield(1) end)() stream:write("ok")`)
	b.write("bad.lua", `local t = {} error("no " .. #t)`)
	round := func(n int) {
		for i := range n {
			name, want := "plain.lua", "ok"
			switch i % 10 {
			case 3:
				name = "much.lua"
			case 9:
				name, want = "bad.lua", "-ERR Cannot execute script\n"
			}
			if got := b.api("lua " + name); got != want {
				t.Fatalf("run %d: %q", i, got)
			}
			b.logged()
		}
	}
	measure := func() (heap uint64, goroutines int) {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc, runtime.NumGoroutine()
	}
	round(manyRuns / 10)
	heap, goroutines := measure()
	round(manyRuns * 9 / 10)
	b.eventually("as many goroutines as before", func() bool { _, now := measure(); return now <= goroutines })
	after, _ := measure()
	if after > heap+2<<20 {
		t.Errorf("the heap grew from %d to %d bytes in %d runs", heap, after, manyRuns*9/10)
	}
	t.Logf("heap %d and %d bytes, %d goroutines", heap, after, goroutines)
}

// What comes with a bad name or text gets its error, and the call goes on.
func TestApplicationLua_BadInputLeavesTheCallUp(t *testing.T) {
	b := newBox(t, "", nil)
	b.write("broken.lua", "x = = 1")
	b.write("nocallback.lua", `session:setInputCallback("nosuch") out(session:streamFile("silence_stream://5000"), session:ready())`)
	for name, c := range map[string]struct{ script, logged string }{
		"missing":    {`session:execute("lua", "nosuch.lua")`, "cannot open " + b.dir + "/nosuch.lua: No such file or directory"},
		"syntax":     {`session:execute("lua", "broken.lua")`, "unexpected symbol near '='"},
		"empty":      {`session:execute("lua", "")`, "no args specified!"},
		"NUL":        {`session:execute("lua", "a\0b.lua")`, "cannot open "},
		"NUL open":   {`local f, e = io.open("a\0b") if f then error("opened") end freeswitch.consoleLog("err", tostring(e))`, "Invalid argument"},
		"outside":    {`session:setVariable("name", "../../etc/passwd") session:execute("lua", "${name}")`, "cannot open"},
		"directory":  {`session:execute("lua", ".")`, "cannot"},
		"SQL":        {`freeswitch.Dbh("x"):query("SELEKT")`, `near "SELEKT": syntax error`},
		"recordFile": {`session:sleep(1) freeswitch.Dbh("sqlite:///nosuch/dir/x.db")`, "DBH NOT Connected"},
	} {
		b.logged()
		got := b.play(c.script + ` out(session:ready())`)
		if got != "true" {
			t.Errorf("%s: the call got %q", name, got)
		}
		if logged := b.logged(); !strings.Contains(logged, c.logged) {
			t.Errorf("%s: logged %q, want %q in it", name, logged, c.logged)
		}
	}
	ch := b.call(`session:setInputCallback("nosuch") out("plays") out(session:streamFile("silence_stream://60000"), session:ready())`)
	b.until("plays")
	b.logged()
	press(ch, "1")
	if got := b.finish(ch); got != "plays\n0 true" {
		t.Errorf("a callback that does not exist: %q", got)
	}
	if logged := b.logged(); !strings.Contains(logged, "attempt to call a nil value") {
		t.Errorf("logged %q", logged)
	}
}
