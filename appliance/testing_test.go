package appliance

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/switchlet/switchlet/store"
)

// rehearse runs "switchlet test" on a script and scenarios, with other files
// beside them, and returns what it prints.
func rehearse(t *testing.T, script, scenarios string, files map[string]string, flags ...string) (output string, status int) {
	t.Helper()
	dir := t.TempDir()
	all := map[string]string{"ivr.lua": script, "ivr.scenario": scenarios}
	for name, text := range files {
		all[name] = text
	}
	for name, text := range all {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(strings.ReplaceAll(text, "DIR", dir)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out, errs bytes.Buffer
	args := append([]string{"test", "--data", filepath.Join(dir, "data")}, flags...)
	status = Main(append(args, filepath.Join(dir, "ivr.lua")), nil, &out, &errs)
	return strings.ReplaceAll(out.String()+errs.String(), dir+string(filepath.Separator), ""), status
}

// rehearsals are scenarios, and what must come of each: nothing for one that
// passes, else parts of the report.
var rehearsals = []struct {
	name     string
	script   string
	scenario string
	want     []string // of a failure
}{
	{"a file is heard", `session:answer() session:streamFile("ivr/ivr-welcome.wav")`,
		`call script
hears ivr/ivr-welcome.wav within 1s to the end
expect hangup NORMAL_CLEARING`, nil},
	{"another file is heard", `session:answer() session:streamFile("ivr/ivr-welcome.wav") session:sleep(2000)`,
		`call script
hears ivr/ivr-hold_connect_call.wav within 1s`,
		[]string{"ivr.scenario:3: hears ivr/ivr-hold_connect_call.wav within 1s", "expected: the caller hears ivr/ivr-hold_connect_call.wav within 1s",
			"instead:  heard ivr/ivr-welcome.wav at 00:00.0", "00:00.000  calls the script ivr.lua from 1000"}},
	{"a file comes too late", `session:answer() session:sleep(3000) session:streamFile("ivr/ivr-welcome.wav")`,
		`call script
hears ivr/ivr-welcome.wav within 2s`, []string{"instead:  only silence was heard"}},
	{"a file is played but not heard", `session:answer()
freeswitch.API():execute("uuid_audio", session:get_uuid() .. " start write mute 1")
session:streamFile("ivr/ivr-welcome.wav") session:sleep(5000)`,
		`call script
hears ivr/ivr-welcome.wav within 5s`, []string{"instead:  only silence was heard"}},
	{"the order of sounds matters", `session:answer() session:streamFile("digits/1.wav") session:streamFile("digits/2.wav")`,
		`call script
hears digits/2.wav
hears digits/1.wav`, []string{"ivr.scenario:4: hears digits/1.wav", "the call ended with NORMAL_CLEARING; only silence was heard"}},
	{"the same sound twice", `session:answer() session:streamFile("digits/1.wav") session:sleep(100) session:streamFile("digits/1.wav")`,
		`call script
hears digits/1.wav
hears digits/1.wav`, nil},
	{"the same sound once", `session:answer() session:streamFile("digits/1.wav") session:sleep(5000)`,
		`call script
hears digits/1.wav
hears digits/1.wav within 3s`, []string{"ivr.scenario:4"}},
	{"a sound is cut off by a key", `session:answer() session:playAndGetDigits(1, 1, 1, 3000, "#", "ivr/ivr-welcome.wav", "", "\\d", "d")`,
		`call script
hears ivr/ivr-welcome.wav
presses 1
expect variable d = 1`, nil},
	{"a sound that is cut off is not heard to the end", `session:answer() session:execute("sched_broadcast", "+0 x")
freeswitch.API():execute("sched_api", "+1 none uuid_break " .. session:get_uuid())
session:streamFile("ivr/ivr-please_enter_extension_followed_by_pound.wav") session:sleep(3000)`,
		`call script
hears ivr/ivr-please_enter_extension_followed_by_pound.wav to the end`, []string{"to the end", "it was cut off after 9"}},
	{"tones", `session:answer() session:streamFile("tone_stream://%(400,200,440);%(1000,0,350,440)")`,
		`call script
hears tone 440
hears tone 350+440 for 800ms
expect hangup`, nil},
	{"another tone", `session:answer() session:streamFile("tone_stream://%(400,200,445);loops=3")`,
		`call script
hears tone 600 within 1s`, []string{"heard tone_stream://%(400,200,445);loops=3 at"}},
	{"a tone that is too short", `session:answer() session:streamFile("tone_stream://%(400,200,440);loops=3")`,
		`call script
hears tone 440 for 1s within 3s`, []string{"the caller hears tone 440 for 1s, within 3s"}},
	{"silence", `session:answer() session:streamFile("digits/1.wav") session:sleep(3000)`,
		`call script
hears digits/1.wav
hears silence for 2s`, nil},
	{"no silence", `session:answer() session:streamFile("tone_stream://%(10000,0,440)")`,
		`call script
hears silence for 1s within 4s`, []string{"expected: silence for 1s, beginning within 4s"}},
	{"what must not be heard", `session:answer() session:sleep(500) session:streamFile("digits/3.wav")`,
		`call script
is answered
does not hear digits/3.wav for 3s`, []string{"the caller does not hear digits/3.wav for 3s", "heard digits/3.wav after 5"}},
	{"what is not heard", `session:answer() session:sleep(500) session:streamFile("digits/3.wav") session:sleep(3000)`,
		`call script
is answered
does not hear digits/4.wav for 2s`, nil},
	{"keys", `session:answer() session:setVariable("typed", session:getDigits(10, "#", 5000))`,
		`call script
presses 0123*4#
expect variable typed = 0123*4`, nil},
	{"other keys", `session:answer() session:setVariable("typed", session:getDigits(10, "#", 5000)) session:sleep(1000)`,
		`call script
presses 12#
expect variable typed = 123 within 100ms`, []string{`expected: variable typed = "123" within 100ms`, `instead:  it is "12"`, "presses 12#"}},
	{"slow keys", `session:answer() session:setVariable("typed", session:getDigits(4, "#", 1000))`,
		`call script
presses 123 every 1200ms
expect variable typed = 1`, nil},
	{"say", `session:answer() session:say("123", "en", "number", "pronounced")`,
		`call script
hears say number pronounced 123`, nil},
	{"say something else", `session:answer() session:say("124", "en", "number", "pronounced") session:sleep(1000)`,
		`call script
hears say number pronounced 123 within 6s`, []string{"the caller hears say number pronounced 123 within 6s", "digits/4.wav"}},
	{"speech", `session:answer() session:set_tts_params("flite", "kal") session:speak("Your balance is 3 teas.") session:execute("speak", "flite|kal|Good bye")`,
		`call script
hears text "Your balance is 3 teas." to the end
hears text "Good bye"`, nil},
	{"other speech", `session:answer() session:set_tts_params("flite", "kal") session:speak("Your balance is 3 teas.")`,
		`call script
hears text "Your balance is 4 teas." within 2s`, []string{`the caller hears "Your balance is 4 teas."`, `heard speech "Your balance is 3 teas." at 00:00.0`}},
	{"speech by nobody", `session:answer() session:set_tts_params("nobody", "kal") session:speak("Hello")`,
		`call script
hears text Hello`, []string{"Invalid TTS module nobody[kal]!"}},
	{"a phrase", `session:answer() session:sayPhrase("spell", "ab")`,
		`call script
hears phrase spell ab`, nil},
	{"another phrase", `session:answer() session:sayPhrase("spell", "ab") session:sleep(3000)`,
		`call script
hears phrase spell ac within 3s`, []string{"the caller hears phrase spell ac within 3s"}},
	{"a stand-in for a sound", `session:answer() session:streamFile("custom/our-greeting.wav")`,
		`sound custom/our-greeting.wav lasts 2s
call script
hears custom/our-greeting.wav to the end
expect hangup`, nil},
	{"a bridge", `session:execute("bridge", "user/1001@" .. freeswitch.getGlobalVariable("domain"))`,
		`call script
user/1001 rings
user/1001 answers after 2s
expect bridge to user/1001
user/1001 says tone 700 for 500ms
hears tone 700
says tone 900 for 500ms
user/1001 hears tone 900
user/1001 hangs up
expect hangup NORMAL_CLEARING`, nil},
	{"a bridge to somebody else", `session:execute("bridge", "user/1002@" .. freeswitch.getGlobalVariable("domain"))`,
		`phone user/1001 answers
phone user/1002 answers
call script
expect bridge to user/1001 within 2s`, []string{"expected: bridge to user/1001 within 2s", "the caller is connected with user/1002"}},
	{"busy", `session:setVariable("continue_on_fail", "true") session:execute("bridge", "user/1001@" .. freeswitch.getGlobalVariable("domain"))
session:setVariable("why", session:getVariable("originate_disposition"))`,
		`phone user/1001 is busy
call script
expect variable why = USER_BUSY`, nil},
	{"nobody is there", `session:setVariable("continue_on_fail", "true") session:execute("bridge", "user/1001@" .. freeswitch.getGlobalVariable("domain"))
session:setVariable("why", session:getVariable("originate_disposition"))`,
		`call script
expect variable why = USER_NOT_REGISTERED`, nil},
	{"no answer", `session:setVariable("continue_on_fail", "true") session:setVariable("call_timeout", "20")
session:execute("bridge", "sofia/gateway/carrier/0301234") session:setVariable("why", session:getVariable("originate_disposition"))`,
		`phone sofia/gateway/carrier/* does not answer
call script
sofia/gateway/carrier/0301234 rings
expect variable why = NO_ANSWER within 21s`, nil},
	{"a phone that nobody told of", `session:execute("bridge", "sofia/gateway/carrier/0301234")`,
		`call script
expect bridge within 1s`, []string{"sofia/gateway/carrier/0301234 is called, but no line of the scenario says what it does", "NO_ROUTE_DESTINATION"}},
	{"a phone with a will of its own", `session:execute("bridge", "user/1001@" .. freeswitch.getGlobalVariable("domain"))`,
		`phone user/1001 answers after 1s, says tone 500, presses 42#, hangs up after 3s
call script
hears tone 500
gets digits 42#
expect hangup within 6s`, nil},
	{"digits that do not come", `session:answer() session:execute("send_dtmf", "12") session:sleep(2000)`,
		`call script
gets digits 13 within 2s`, []string{"expected: digits 13 within 2s", "got 12"}},
	{"a recording", `session:answer() session:recordFile(freeswitch.getGlobalVariable("recordings_dir") .. "/note.wav", 30, 100, 1)`,
		`call script
is answered
says tone 500 for 3s
expect recording note.wav at least 2s at most 5s`, nil},
	{"a short recording", `session:answer() session:recordFile("/no/such/place/note.wav", 1, 0, 0)`,
		`call script
is answered
says tone 500 for 3s
expect recording note.wav at least 5s within 1s`, []string{"expected: recording note.wav of at least 5s", "instead:  it lasts 1"}},
	{"a database", `local d = freeswitch.Dbh("sqlite://crm")
d:query("SELECT name FROM people WHERE number = '" .. session:getVariable("caller_id_number") .. "'", function(r) session:setVariable("who", r.name) end)
d:query("UPDATE people SET seen = 1")`,
		`database crm runs "CREATE TABLE people (number TEXT, name TEXT, seen INTEGER); INSERT INTO people VALUES ('0301', 'Anna', 0)"
call script from 0301
expect variable who = Anna
expect database crm "SELECT seen FROM people" = 1`, nil},
	{"another row", `freeswitch.Dbh("sqlite://crm"):query("CREATE TABLE t (x)")`,
		`call script
expect database crm "SELECT count(*) FROM t" = 1`, []string{`expected: crm: SELECT count(*) FROM t = "1" within 5s`, `instead:  it is "0"`}},
	{"a database by another name", `local d = freeswitch.Dbh("odbc://crm:user:pass") session:setVariable("there", tostring(d:connected()))
d:query("SELECT x FROM t", function(r) session:setVariable("x", r.x) end)`,
		`database odbc://crm:user:pass is crm
database crm from table.sql
call script
expect variable there = true
expect variable x = 7`, nil},
	{"a database on the network", `session:setVariable("there", tostring(freeswitch.Dbh("pgsql://host=db.example.com password=secret"):connected())) session:hangup()`,
		`call script
expect hangup
expect variable there = true within 1s`, []string{"is not opened in a test", "password=***", `it is "false"`}},
	{"the real database of a path is not touched", `local d = freeswitch.Dbh("DIR/real.db") d:query("CREATE TABLE t (x)") d:query("INSERT INTO t VALUES (1)")`,
		`call script
expect database DIR/real.db "SELECT count(*) FROM t" = 1`, nil},
	{"an event", `local e = freeswitch.Event("CUSTOM", "shop::order") e:addHeader("Item", "tea") e:fire()`,
		`call script
expect event CUSTOM shop::order with Item = tea`, nil},
	{"an event with something else", `local e = freeswitch.Event("CUSTOM", "shop::order") e:addHeader("Item", "tea") e:fire()`,
		`call script
expect event CUSTOM shop::order with Item = milk within 1s`, []string{`expected: event CUSTOM shop::order with Item = "milk" within 1s`, `there was one with Item = "tea"`}},
	{"no event", `local e = freeswitch.Event("CUSTOM", "shop::order") e:fire()`,
		`call script
expect hangup
expect no event CUSTOM shop::order`, []string{"expected: no event CUSTOM shop::order"}},
	{"the log", `freeswitch.consoleLog("info", "order of 3 teas\n")`,
		`call script
expect log "3 teas"
expect log /order of \d+/
expect no log "milk"`, nil},
	{"a missing line of the log", `freeswitch.consoleLog("info", "order of 3 teas\n")`,
		`call script
expect log "4 teas" within 1s`, []string{`expected: a line of the log that contains "4 teas" within 1s`, "log [INFO] order of 3 teas"}},
	{"a line that must not be logged", `freeswitch.consoleLog("err", "no teas\n")`,
		`call script
expect hangup
expect no log "no teas"`, []string{"there was: no teas"}},
	{"a command", `session:answer() session:sleep(5000)`,
		`call script
is answered
expect api "global_getvar color" = red
expect api "show channels count" matches /1 total/`, []string{`instead:  it is empty`}},
	{"global variables", `session:setVariable("was", freeswitch.getGlobalVariable("color")) freeswitch.setGlobalVariable("color", "blue")`,
		`global color = red
call script
expect variable was = red
expect global color = blue`, nil},
	{"channel variables and who calls", `session:setVariable("seen", session:getVariable("vip") .. session:getVariable("caller_id_number") .. session:getVariable("caller_id_name"))`,
		`variable vip = yes
call script from 0301 "Anna S"
expect variable seen = yes0301Anna S`, nil},
	{"a user of the directory", `session:setVariable("seen", session:getVariable("user_name") .. "/" .. session:getVariable("toll_allow"))`,
		`call script as 1000
expect variable seen = 1000/domestic,international,local`, nil},
	{"arguments", `session:setVariable("seen", table.concat(argv, "+"))`,
		`call script with a b "c d"
expect variable seen matches /^a\+b\+/`, nil},
	{"the date", `session:setVariable("seen", os.date("%Y-%m-%d %H:%M")) session:setVariable("day", freeswitch.API():execute("strftime", "%A"))`,
		`at 2027-12-24 18:30
call script
expect variable seen = 2027-12-24 18:30
expect variable day = Friday`, nil},
	{"another date", `session:setVariable("seen", os.date("%Y-%m-%d %H:%M"))`,
		`call script
expect variable seen = 2027-12-24 18:30 within 1s`, []string{`it is "2026-01-05 10:00"`}},
	{"a transfer", `session:transfer("9664", "XML", "default")`,
		`call script
expect transfer to 9664 in default
hears local_stream://moh`, nil},
	{"another transfer", `session:transfer("9664", "XML", "default")`,
		`call script
expect transfer to 9665 within 2s`, []string{"expected: transfer to 9665", "the call is in 9664 of default"}},
	{"a cause", `session:hangup("CALL_REJECTED")`,
		`call script
expect hangup CALL_REJECTED`, nil},
	{"another cause", `session:hangup("CALL_REJECTED")`,
		`call script
expect hangup USER_BUSY`, []string{"expected: hangup USER_BUSY", "the call ended with CALL_REJECTED"}},
	{"a call that goes on", `session:answer() session:sleep(60000)`,
		`call script
expect hangup within 5s`, []string{"instead:  the call goes on"}},
	{"the caller hangs up", `session:answer() while session:ready() do session:sleep(100) end freeswitch.consoleLog("info", "gone\n")`,
		`call script
waits 1s
hangs up
expect log gone`, nil},
	{"a call that is over has no keys", `session:hangup()`,
		`call script
waits 100ms
presses 1`, []string{"ivr.scenario:4: presses 1", "it has ended: NORMAL_CLEARING"}},
	{"a caller does not answer", `session:answer() session:sleep(1000)`,
		`call script
answers`, []string{"failed:   the caller calls; whoever is called does that"}},
	{"a scenario without a call", ``,
		`presses 1`, []string{"the caller has not called anybody"}},
	{"two calls of one caller", `session:answer() session:sleep(1000)`,
		`call script
call script`, []string{"the caller has a call already"}},
	{"one call after the other", `session:answer() session:hangup()`,
		`call script
expect hangup
call script from 200
expect hangup
expect variable caller_id_number is unset`, nil},
	{"a script that fails", "session:answer()\nlocal x = nil\nsession:setVariable(\"a\", x.y)",
		`call script
expect hangup`, []string{"no error in the script", "ivr.lua:3:"}},
	{"a script that fails as it should", "session:answer()\nerror(\"out of tea\")",
		`call script
expect log "out of tea"`, nil},
	{"a script that does not compile", "if then",
		`call script
expect hangup`, []string{"no error in the script", "ivr.lua"}},
	{"two callers in a conference", `session:answer() session:execute("conference", "room@default")`,
		`anna calls script from 100
bob calls script from 101
waits 5s
anna says tone 500 for 2s
bob hears tone 500 for 500ms
anna does not hear tone 500 for 500ms
bob hangs up
anna hangs up`, nil},
	{"modules beside the script", `session:setVariable("x", require("lib.shop").price)`,
		`call script
expect variable x = 12`, nil},
	{"an extension of the dialplan", ``,
		`call 9196 from 100
is answered
says tone 600 for 1s
hears tone 600`, nil},
	{"a pattern that backtracks", `session:setVariable("x", freeswitch.API():execute("regex", "aab|^(?=a)a+b$"))`,
		`call script
expect variable x = true`, nil},
	{"a far end of an origination", `session:answer() local b = freeswitch.Session("sofia/internal/200@example.com", session)
if b:ready() then freeswitch.bridge(session, b) end`,
		`phone sofia/internal/200@* answers after 2s
call script
expect bridge to sofia/internal/200@*
hangs up`, nil},
}

func TestTestCommand_SaysWhatIsSo(t *testing.T) {
	files := map[string]string{
		"table.sql":    "CREATE TABLE t (x); INSERT INTO t VALUES (7);",
		"lib/shop.lua": "return {price = 12}",
	}
	for _, c := range rehearsals {
		t.Run(c.name, func(t *testing.T) {
			out, status := rehearse(t, c.script, "scenario "+c.name+"\n"+c.scenario+"\n", files)
			if c.want == nil {
				if status != 0 || !strings.HasPrefix(out, "ok  \tivr.scenario\t") {
					t.Fatalf("status %d\n%s", status, out)
				}
				return
			}
			if status != 1 || !strings.HasPrefix(out, "--- FAIL: "+c.name+" (") || !strings.HasSuffix(out, "s\nFAIL\n") {
				t.Errorf("status %d, a failure was expected", status)
			}
			for _, want := range c.want {
				if !strings.Contains(out, want) {
					t.Errorf("the report has no %q", want)
				}
			}
			if t.Failed() {
				t.Log(out)
			}
		})
	}
}

var elapsed = regexp.MustCompile(`\d+\.\d+s`)

func TestTestCommand_ReportsAsGoTestDoes(t *testing.T) {
	out, status := rehearse(t, `session:answer() session:hangup()`, `# two of them
scenario one
  call script
  expect hangup

scenario two
  call script
  expect hangup USER_BUSY
`, nil, "-v")
	want := `=== RUN   one
--- PASS: one (T, 0s of calls)
        00:00.000  calls the script ivr.lua from 1000
        00:00.000  runs lua DIRivr.lua
        00:00.000  is answered
        00:00.000  is hung up: NORMAL_CLEARING
=== RUN   two
--- FAIL: two (T, 0s of calls)
    ivr.scenario:8: expect hangup USER_BUSY
        expected: hangup USER_BUSY
        instead:  the call ended with NORMAL_CLEARING
    what happened:
        00:00.000  calls the script ivr.lua from 1000
        00:00.000  runs lua DIRivr.lua
        00:00.000  is answered
        00:00.000  is hung up: NORMAL_CLEARING
FAIL
FAIL	ivr.scenario	T
FAIL
`
	if got := elapsed.ReplaceAllString(out, "T"); got != strings.ReplaceAll(want, "DIR", "") || status != 1 {
		t.Errorf("status %d\n%s", status, got)
	}
}

func TestTestCommand_EndlessScript_IsEndedWithItsPlace(t *testing.T) {
	out, status := rehearse(t, "session:answer()\nlocal n = 0\nwhile true do n = n + 1 end", `scenario endless
  call script
  waits 1s
`, nil, "-timeout", "500ms")
	for _, want := range []string{"--- FAIL: endless", "expected: an end within 500ms of real time", "the script computes without end", "time limit reached", "ivr.lua:3:"} {
		if !strings.Contains(out, want) {
			t.Errorf("the report has no %q", want)
		}
	}
	if status != 1 || t.Failed() {
		t.Errorf("status %d\n%s", status, out)
	}
}

func TestTestCommand_WhatItWritesIsNotReal(t *testing.T) {
	dir := t.TempDir()
	for _, sub := range []string{"data/db", "data/sounds", "data/recordings"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o750); err != nil {
			t.Fatal(err)
		}
	}
	var before []string
	list := func() (out []string) {
		_ = filepath.WalkDir(dir, func(path string, _ os.DirEntry, _ error) error { out = append(out, path); return nil })
		return out
	}
	for name, text := range map[string]string{"ivr.lua": `session:answer()
freeswitch.Dbh("sqlite://shop"):query("CREATE TABLE t (x)")
freeswitch.Dbh("` + dir + `/data/db/real.db"):query("CREATE TABLE t (x)")
session:recordFile("` + dir + `/data/sounds/greeting.wav", 1, 0, 0)
session:recordFile(freeswitch.getGlobalVariable("sounds_dir") .. "/other.wav", 1, 0, 0)
session:streamFile("` + dir + `/data/sounds/greeting.wav")
freeswitch.API():execute("db", "insert/a/b/c")`, "ivr.scenario": `scenario one
  call script
  is answered
  says tone 500 for 1500ms
  hears ` + dir + `/data/sounds/greeting.wav
  expect hangup
  expect recording greeting.wav at least 1s
  expect recording other.wav at least 1s
`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before = list()
	var out bytes.Buffer
	if status := Main([]string{"test", "--data", filepath.Join(dir, "data"), dir}, nil, &out, &out); status != 0 {
		t.Fatalf("status %d\n%s", status, out.String())
	}
	if after := list(); strings.Join(before, "\n") != strings.Join(after, "\n") {
		t.Errorf("before:\n%s\nafter:\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
	}
}

func TestTestCommand_RunsNoPrograms(t *testing.T) {
	const script = `session:setVariable("ran", tostring(os.execute("true") == true))`
	conf := map[string]string{"data/conf/autoload_configs/switch.conf.xml": `<configuration name="switch.conf"><settings><param name="allow-shell" value="true"/></settings></configuration>`}
	const refused = "expect log \"os.execute: running programs is not allowed\"\n"
	for want, flags := range map[string][]string{"false": nil, "true": {"--set", "allow_shell=true"}} {
		steps := "scenario s\ncall script\n"
		if want == "false" {
			steps += refused
		}
		if out, status := rehearse(t, script, steps+"expect variable ran = "+want+" within 1s\n", conf, flags...); status != 0 {
			t.Errorf("%v: status %d\n%s", flags, status, out)
		}
	}
}

func TestTestCommand_HooksOfTheConfigurationRun(t *testing.T) {
	out, status := rehearse(t, `session:answer()
session:setHangupHook("gone")
function gone(s, status) freeswitch.consoleLog("info", "hook: " .. status .. "\n") end
while session:ready() do session:sleep(100) end`, `scenario hooks
  call 7100 from 0301
  is answered
  expect log "event: 7100"
  hangs up
  expect log "hook: hangup"
`, map[string]string{
		"data/scripts/ivr.lua": "", // the script under test lies elsewhere
		"data/conf/autoload_configs/lua.conf.xml": `<configuration name="lua.conf"><settings><hook event="CHANNEL_ANSWER" script="DIR/hook.lua"/>
<param name="xml-handler-script" value="DIR/handler.lua"/><param name="xml-handler-bindings" value="dialplan"/></settings></configuration>`,
		"hook.lua": `freeswitch.consoleLog("info", "event: " .. event:getHeader("Caller-Destination-Number") .. "\n")`,
		"handler.lua": `XML_STRING = [[<document type="freeswitch/xml"><section name="dialplan"><context name="default"><extension name="x">
<condition field="destination_number" expression="^7100$"><action application="lua" data="DIR/ivr.lua"/></condition></extension></context></section></document>]]`,
	})
	if status != 0 {
		t.Errorf("status %d\n%s", status, out)
	}
}

func TestTestCommand_CopiesARealDatabase(t *testing.T) {
	dir := t.TempDir()
	s, err := store.Open(store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	db, err := s.DB("real")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(t.Context(), "CREATE TABLE people (name TEXT)"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(t.Context(), "INSERT INTO people VALUES ('Anna')"); err != nil {
		t.Fatal(err)
	}
	out, status := rehearse(t, `freeswitch.Dbh("sqlite://crm"):query("INSERT INTO people VALUES ('Bob')")`, `scenario a copy
  database crm from `+filepath.Join(dir, "real.db")+`
  call script
  expect database crm "SELECT count(*) FROM people" = 2
`, nil)
	if status != 0 {
		t.Errorf("status %d\n%s", status, out)
	}
	var n int
	if err := db.QueryRow(t.Context(), "SELECT count(*) FROM people").Scan(&n); err != nil || n != 1 {
		t.Errorf("the real database has %d rows, %v", n, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestTestCommand_Arguments(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	script := write("a.lua", `session:answer()`)
	write("a_test.txt", "scenario of a\ncall script\nis answered\n")
	bare := write("b.lua", ``)
	wrong := write("c.scenario", "scenario x\n\nhers digits/1.wav\n")
	write("d.scenario", "script a.lua\nglobal x = 1\nscenario d one\ncall script\nis answered\nscenario d two\ncall script\nexpect global x = 1\n")
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{script}, 0, "ok  \tDIRa_test.txt\t"},
		{[]string{bare}, 1, "b.lua: no scenarios; write them to DIRb.scenario"},
		{[]string{wrong}, 1, "DIRc.scenario:3: \"hers\" begins no step; did you mean: [WHO] hears"},
		{[]string{filepath.Join(dir, "d.scenario"), "-run", "two", "-v"}, 0, "--- PASS: d two"},
		{[]string{filepath.Join(dir, "d.scenario"), "-run", "three"}, 0, "[no scenarios to run]"},
		{[]string{filepath.Join(dir, "d.scenario"), "-run", "("}, 1, "-run: error parsing regexp"},
		{[]string{filepath.Join(dir, "d.scenario"), "-set", "y=1", "--set", "x=3"}, 0, "ok  \t"},
		{[]string{filepath.Join(dir, "none.lua")}, 1, "none.lua: no such file"},
		{[]string{"-nonsense"}, 2, "usage: switchlet test"},
		{[]string{"-steps"}, 0, "[WHO] presses DIGITS"},
	} {
		var out bytes.Buffer
		status := Main(append([]string{"test", "--data", filepath.Join(dir, "data")}, c.args...), nil, &out, &out)
		if want := strings.ReplaceAll(c.want, "DIR", dir+string(filepath.Separator)); status != c.status || !strings.Contains(out.String(), want) {
			t.Errorf("%v: status %d, want %d with %q\n%s", c.args, status, c.status, want, out.String())
		}
	}
}

func TestUsage_HasNoFlagsOfGoTest(t *testing.T) {
	var out bytes.Buffer
	Main([]string{"test", "-h"}, nil, &out, &out)
	Main([]string{"run", "-h"}, nil, &out, &out)
	if strings.Contains(out.String(), "-test.") {
		t.Errorf("flags of package testing are shown:\n%s", out.String())
	}
}

// TestScenarios_OfTheHouse plays the scenarios that stand beside scripts and in
// the documents.
func TestScenarios_OfTheHouse(t *testing.T) {
	var out bytes.Buffer
	if status := Main([]string{"test", "--data", t.TempDir(), "../lua/scripts/demo.lua", "../docs/examples"}, nil, &out, &out); status != 0 {
		t.Errorf("status %d\n%s", status, out.String())
	}
}
