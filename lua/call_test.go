package lua

import (
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/call/say/prompts"
	sound "github.com/switchlet/switchlet/media/stream"
)

// Scripts run by the application lua on a null leg, and what they say through
// out. The rows are those that were recorded from the reference.
func TestApplicationLua_Says(t *testing.T) {
	t.Parallel()
	b := newBox(t, "", nil)
	for _, c := range []struct{ name, script, want string }{
		{"basics", `out(session:ready(), session:answered(), session:bridged(), session:mediaReady())
			out(session:getState(), session:get_uuid() == session:getVariable("uuid"))
			session:setVariable("varname", "varval") out(session:getVariable("varname"), session:getVariable("nothing"))
			session:setVariable("varname", "") out(session:getVariable("varname"))`,
			"true true false true\nCS_EXECUTE true\nvarval nil\nnil"},
		{"profile", `for _, n in ipairs({"destination_number", "network_addr", "ani", "aniii", "rdnis", "source", "chan_name"}) do out(n, "[" .. tostring(session:getVariable(n)) .. "]") end`,
			"destination_number [test]\nnetwork_addr []\nani [0000000000]\naniii []\nrdnis []\nsource [mod_loopback]\nchan_name [null/test]"},
		{"hangup", `session:hangup("USER_BUSY") out(session:ready(), session:hangupCause(), session:getState())`, "false USER_BUSY CS_HANGUP"},
		{"hangup without cause", `session:hangup() out(session:hangupCause())`, "NORMAL_CLEARING"},
		{"hangup with a bad cause", `session:hangup("no_such_cause") out(session:hangupCause())`, "NORMAL_CLEARING"},
		{"hangup hook", `function myHangupHook(s, status, arg) out("hook", status, arg, s:hangupCause()) end
			blah = "w00t" session:setHangupHook("myHangupHook", "blah") session:execute("hangup", "CALL_REJECTED") out("after") session:ready() session:sleep(10)`,
			"hook hangup w00t CALL_REJECTED\nafter"},
		{"hangup hook ends the script", `function h(s, status) out("hook", status) return "exit" end session:setHangupHook("h") session:hangup() out("not reached")`, "hook hangup"},
		{"hangup hook fails", `function h() out("hook") error("oops") end session:setHangupHook("h") session:hangup() out("reached")`, "hook\nreached"},
		{"execute", `session:execute("set", "foo=bar") out(session:getVariable("foo")) session:execute("set", "x=${foo}-${echo(2)}") out(session:getVariable("x"))
			session:execute("no_such_application", "x") out(session:ready())`, "bar\nbar-2\nfalse"},
		{"executeString", `session:executeString("set foo=b a r") out(session:getVariable("foo"))`, "b a r"},
		{"regex of the guide", `local destination = "5551234567"
			session:execute("set", "some_chan_variable=${regex(" .. destination .. "|^([0-9]{10})$)}") out(session:getVariable("some_chan_variable"))`, "true"},
		{"stream file", `session:answer() out(session:streamFile("tone_stream://%(40,0,440)")) out(session:getVariable("playback_ms")) out(session:streamFile("/no/such/file.wav"))`, "1\n40\n0"},
		{"sleep", `local a = tonumber(freeswitch.API():getTime()) out(session:sleep(60)) out(tonumber(freeswitch.API():getTime()) - a >= 50)`, "1\ntrue"},
		{"digits time out", `out("[" .. session:getDigits(3, "#", 30) .. "]") out("[" .. session:getDigits(0, "#", 30) .. "]")`, "[]\n[]"},
		{"play and get digits fails", `out("[" .. session:playAndGetDigits(1, 3, 2, 30, "#", "tone_stream://%(20,0,440)", "tone_stream://%(20,0,200)", "\\d+") .. "]")`, "[]"},
		{"collect digits without callback", `out(session:collectDigits(200), session:flushDigits(), session:flushEvents())`, "0 0 0"},
		{"record", `local f = "TMP/rec.wav" out(session:recordFile(f, 1, 30, 0)) out(freeswitch.API():execute("file_exists", f), session:getVariable("record_ms") ~= nil, session:ready())`, "1\ntrue true true"},
		{"record to nowhere", `out(session:recordFile("TMP/rec.wav/x.wav", 1), session:ready(), session:hangupCause())`, "0 false DESTINATION_OUT_OF_ORDER"},
		{"speak without engine", `out(session:speak("x")) session:set_tts_params("no_engine", "kal") out(session:speak("x"), session:ready())`, "1\n0 true"},
		{"wrong arguments", `out((pcall(function() session:setVariable("x") end))) out((pcall(function() session:getVariable() end))) out((pcall(function() session:playAndGetDigits(1, 2) end)))
			out((pcall(function() session:sleep("abc") end))) out((pcall(function() session:noSuchMethod() end)))`, "false\nfalse\nfalse\nfalse\nfalse"},
		{"record of the call", `local x = session:getXMLCDR() out(string.match(x, "<cdr[^>]*>") ~= nil, string.match(x, "<state>(.-)</state>"))`, "true CS_EXECUTE"},
		{"error", `out("before") error("boom") out("after")`, "before"},
		{"destroy", `session:destroy("error message") out("not reached")`, ""},
		{"destroyed", `session:destroy() out(session:ready(), session:get_uuid(), session:answer())`, "false uninitialized -1"},
		{"methods", `local missing = {} for n in string.gmatch("flushDigits execute setAutoHangup collectDigits mediaReady speak setHangupHook getDigits playAndGetDigits getState say recordFile waitForAnswer sleep setInputCallback unsetInputCallback read answer setVariable getXMLCDR destroy answered sendEvent ready preAnswer streamFile hangupCause getVariable transfer get_uuid hangup flushEvents sayPhrase set_tts_params consoleLog insertFile bridged set_tts_parms hangupState setLUA get_cb_args", "%S+") do
			if type(session[n]) ~= "function" then missing[#missing + 1] = n end end out("missing:", table.concat(missing, " "))`, "missing:"},
		{"phrase that does not exist", `session:sayPhrase("missing", "1", "en") out("said", session:ready())`, "said true"},
		{"say", `session:say("12345", "en", "number", "pronounced", "feminine") out(session:getVariable("said")) session:say(nil, "en", "number", "pronounced") out("said", session:ready())`,
			"en number pronounced feminine 12345\nsaid true"},
		{"send event", `local e = freeswitch.Event("message") e:addBody("you said hello") session:sendEvent(e) out("sent", session:ready())`, "sent true"},
		{"event data", `local e = freeswitch.Event("CUSTOM", "x::y") session:setEventData(e) out(e:getHeader("Unique-ID") == session:get_uuid(), e:getHeader("variable_uuid") == session:get_uuid())`, "true true"},
		{"second leg", `new_session = freeswitch.Session("null/18001234567", session) out(new_session:ready(), new_session:getVariable("originator") == session:get_uuid()) new_session:hangup()`, "true true"},
		{"originate of old scripts", `n = freeswitch.Session() out(n:originate(session, "null/x", 10), n:ready()) m = freeswitch.Session() out(m.originate(session, "null/y", 5), m:getVariable("channel_name")) out(n:originate(session, "null/cause-USER_BUSY", 5), n:hangupCause(), session:originate(nil, "null/x", 1))`, "0 true\n0 null/y\n1 USER_BUSY 1"},
		{"wait for answer", `local b = freeswitch.Session("{null_auto_answer_delay=20}null/b") b:waitForAnswer(session) out(b:answered()) b:waitForAnswer() b:hangup()`, "true"},
		{"transfer", `function h(s, status) out("hook", status) end session:setHangupHook("h") out(session:transfer("nowhere", "inline", "x"), session:ready(), session:getState(), session:sleep(1000))`, "hook transfer\n1 false CS_ROUTING 1"},
		{"private", `session:setPrivate("x", session) out(session:getPrivate("x") == session, session:getPrivate("y"))`, "true nil"},
		{"attributes", `session:setInputCallback("f", "a") out(session.cb_function, session.cb_arg, session.hangup_func_str, session.flags, session.allocated, session.uuid == session:get_uuid())`, "f a nil 0 1 true"},
		{"api with session", `out(freeswitch.API(session):executeString("whoami") == session:get_uuid())`, "true"},
		{"insert file", `local a, b = "TMP/a.wav", "TMP/b.wav" session:recordFile(a, 1, 0, 0) session:recordFile(b, 1, 0, 0) local before = io.open(a):seek("end")
			out(session:insertFile(a, b, 4000), io.open(a):seek("end") > before * 1.5, session:insertFile("/no/x.wav", b, 1), session:ready())`, "1 true 1 true"},
		{"menu", `local top = freeswitch.IVRMenu(nil, "top", "silence_stream://20", nil, nil, nil, nil, nil, nil, nil, nil, 3, 20, 1, 40, 3, 2)
			top:bindAction("menu-exec-app", "set x=y", "2") top:bindAction("nonsense", "", "3") top:execute(session, "top") out(session:getVariable("ivr_menu_status"))`, "timeout"},
		{"menu of old scripts", `local m = freeswitch.IVRMenu(nil, "m", "silence_stream://20", nil, nil, nil, undef, undef, "3", "10", "1", "20", "1") m:execute(session, "other") m:execute(session, "m") out("done")`, "done"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b.t = t
			b.logged()
			got := b.play(strings.ReplaceAll(c.script, "TMP", b.tmp))
			if got != c.want {
				t.Errorf("got  %q\nwant %q\n%s", got, c.want, b.logged())
			}
		})
	}
}

// Scripts that get digits once they have said "ready".
func TestSession_SpeaksAndStopsAtItsCallback(t *testing.T) {
	t.Parallel()
	b := newBox(t, "", func(o *Options) {
		o.Speak = func(ctx context.Context, ch *call.Channel, engine, voice, text string, po call.PlayOptions) (bool, error) {
			if engine == "broken" {
				return false, errors.New("Invalid TTS module broken[v]!")
			}
			ch.Set("spoken", engine+"|"+voice+"|"+text)
			return ch.Play(ctx, "silence_stream://"+text, po)
		}
	})
	got := b.play(`session:set_tts_params("flite", "slt") out(session:speak("20"), session:getVariable("spoken"))
		session:set_tts_params("broken", "v") out(session:speak("20"), session:ready())`)
	if got != "1 flite|slt|20\n0 true" {
		t.Errorf("got %q", got)
	}
	if logged := b.logged(); !strings.Contains(logged, "Invalid TTS module broken[v]!") {
		t.Errorf("logged %s", logged)
	}
	// Without a callback digits wait; with one they reach it, and it may stop.
	ch := b.call(`session:set_tts_params("flite", "slt") out("first") out(session:speak("200"), session:getDigits(1, "", 30000))
		function cb(s, kind, d) out(kind, d.digit) return "break" end session:setInputCallback("cb") out("second") out(session:speak("60000"))`)
	b.until("first")
	press(ch, "4")
	b.until("second")
	press(ch, "5")
	if got, want := b.finish(ch), "first\n1 4\nsecond\ndtmf 5\n0"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestApplicationLua_GetsDigits(t *testing.T) {
	t.Parallel()
	b := newBox(t, "", nil)
	b.play(strings.ReplaceAll(`session:recordFile("TMP/long.wav", 1) for i = 1, 4 do session:insertFile("TMP/long.wav", "TMP/long.wav", 4000) end`, "TMP", b.tmp))
	for _, c := range []struct{ name, script, digits, want string }{
		{"terminator", `out("ready") out("got", session:getDigits(5, "#", 30000))`, "12#", "ready\ngot 12"},
		{"maximum", `out("ready") out("got", session:getDigits(3, "#", 30000)) out("left", session:getDigits(1, "", 30000))`, "1234", "ready\ngot 123\nleft 4"},
		{"between digits", `out("ready") out("got", session:getDigits(3, "#", 30000, 20))`, "1", "ready\ngot 1"},
		{"read", `session:setVariable("read_terminator_used", "") out("ready") digits = session:read(2, 5, "tone_stream://%(3000,0,440)", 30000, "*#") out("Got dtmf:", digits, "terminator:", session:getVariable("read_terminator_used"))`, "123*", "ready\nGot dtmf: 123 terminator: *"},
		{"play and get digits", `out("ready") digits = session:playAndGetDigits(2, 5, 3, 30000, "#", "tone_stream://%(2000,0,440)", "tone_stream://%(40,0,200)", "\\d+", "v") out("Got DTMF digits:", digits, session:getVariable("v"))`, "123#", "ready\nGot DTMF digits: 123 123"},
		{"star in the expression", `out("ready") out(session:playAndGetDigits(2, 5, 3, 30000, "#", "silence_stream://2000", "", "\\d+|\\*"))`, "12*#", "ready\n12*"},
		{"callback", `function key_press(s, input_type, data, args) if input_type == "dtmf" then out("Key pressed:", data["digit"], data.duration, args, s == session) if data.digit == "1" then return "break" end end end
			session:setInputCallback("key_press", "extra") out("ready") out("stopped", session:streamFile("silence_stream://50000")) session:unsetInputCallback()`, "21", "ready\nKey pressed: 2 2000 nil true\nKey pressed: 1 2000 nil true\nstopped 0"},
		{"callback goes on", `function cb(s, t, data) key = data.digit out("key", key) return "true" end session:setInputCallback("cb", "") out("ready") local r repeat r = session:streamFile("silence_stream://100") until key out("played", r)`, "5", "ready\nkey 5\nplayed 1"},
		{"callback with argument", `function cb(s, t, d, arg) out(t, arg) return "break" end blah = "w00t" session:setInputCallback("cb", "blah") out("ready") out(session:sleep(50000))`, "8", "ready\ndtmf w00t\n0"},
		{"callback fails", `function cb() error("oops") end session:setInputCallback("cb", "") out("ready") out(session:sleep(50000), session:ready())`, "8", "ready\n0 true"},
		{"no such callback", `session:setInputCallback("nope", "") out("ready") out(session:sleep(50000))`, "8", "ready\n0"},
		{"callback ends a recording", `function cb(s, t, d) out(d.digit) return 'break' end session:setInputCallback("cb", "") out("ready") out(session:recordFile("TMP/cb.wav", 30, 30, 0))`, "5", "ready\n5\n0"},
		{"callback empties a recording", `function cb() return 'truncate' end session:setInputCallback("cb", "") out("ready") session:recordFile("TMP/cut.wav", 30) out(io.open("TMP/cut.wav"):seek("end"))`, "5", "ready\n0"},
		{"callback during a phrase", `function cb(s, t, d) out("key", d.digit) return "break" end session:setInputCallback("cb", "") out("ready") session:sayPhrase("menu", "1", "en") out("said", session:ready(), session:getVariable("phrase"))`, "7", "ready\nkey 7\nsaid true menu|1|en"},
		{"phrase goes on after a callback", `function cb(s, t, d) out("key", d.digit) return d.digit ~= "#" and "true" or "stop" end session:setInputCallback("cb", "") out("ready") session:sayPhrase("menu") out("said", session:getVariable("phrase"))`,
			"12#", "ready\nkey 1\nkey 2\nkey #\nsaid menu||"},
		{"callback nests", `function cb(s, t, d) out("in", d.digit) if d.digit == "1" then out(session:getDigits(1, "", 30000)) end return "break" end session:setInputCallback("cb", "") out("ready") session:sleep(50000) out("done")`, "12", "ready\nin 1\n2\ndone"},
		{"collect digits", `function cb(s, t, d) out("key", d.digit) end session:setInputCallback("cb", "") out("ready") out(session:collectDigits(30, 30000))`, "12", "ready\nkey 1\nkey 2\n0"},
		{"seek", `function cb(s, t, d) out("key", d.digit) return "seek:+60000" end session:setInputCallback("cb", "") out("ready") out(session:streamFile("TMP/long.wav"))`, "1", "ready\nkey 1\n1"},
		{"menu", `local top = freeswitch.IVRMenu(nil, "top", "tone_stream://%(60,0,440)", "tone_stream://%(40,0,480)", "tone_stream://%(40,0,200)", "tone_stream://%(40,0,300)", nil, nil, nil, nil, nil, 3, 400, 1, 20000, 3, 2)
			top:bindAction("menu-exec-app", "set cf_menu=yes", "2") top:bindAction("menu-exec-app", "set cf_pat=$1", "/^(4)$/") top:bindAction("menu-exit", "", "9") out("ready") top:execute(session, "top") out("chosen", session:getVariable("cf_menu"), session:getVariable("cf_pat"), session:getVariable("ivr_menu_status"))`, "2479", "ready\nchosen yes 4 success"},
		{"submenu", `local top = freeswitch.IVRMenu(nil, "top", "silence_stream://10", nil, nil, nil, nil, nil, nil, nil, nil, 3, 400, 1, 20000, 3, 3)
			local sub = freeswitch.IVRMenu(top, "sub", "silence_stream://10", nil, nil, nil, nil, nil, nil, nil, nil, 3, 400, 1, 20000, 3, 3)
			top:bindAction("menu-sub", "sub", "1") sub:bindAction("menu-exec-app", "set in=sub", "5") sub:bindAction("menu-back", "", "0") top:bindAction("menu-exit", "", "9") out("ready") top:execute(session, "top") out(session:getVariable("in"))`, "1509", "ready\nsub"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b.t = t
			ch := b.call(strings.ReplaceAll(c.script, "TMP", b.tmp))
			b.until("ready")
			press(ch, c.digits)
			if got := b.finish(ch); got != c.want {
				t.Errorf("got  %q\nwant %q\n%s", got, c.want, b.logged())
			}
		})
	}
}

func TestApplicationLua_FarEndHangsUpDuringBlockingCall(t *testing.T) {
	b := newBox(t, "", nil)
	ch := b.call(`function cb() end function h(s, status) out("hook", status, s:hangupCause()) end
		session:setInputCallback("cb", "") session:setHangupHook("h") out("ready")
		out(session:streamFile("silence_stream://-1")) while session:ready() do session:sleep(1) end out("gone", session:getDigits(1, "", 1000), session:sleep(50))`)
	b.until("ready")
	ch.Hangup(call.CauseUserBusy)
	if got, want := b.finish(ch), "ready\nhook hangup USER_BUSY\n0\ngone  0"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestApplicationLua_NextActionRunsAfterwards(t *testing.T) {
	b := newBox(t, "", nil)
	for script, want := range map[string]string{
		`session:setAutoHangup(false)`: "yes",
		`error("boom")`:                "yes",
		`session:setAutoHangup(true)`:  "",
	} {
		ch := b.idle()
		name := b.script(script)
		if err := ch.TransferTo(&call.Extension{Actions: []call.Action{{App: "lua", Data: name}, {App: "set", Data: "cf_after=yes"}}}); err != nil {
			t.Fatal(err)
		}
		b.finish(ch)
		if got := ch.Get("cf_after"); got != want {
			t.Errorf("%s: cf_after is %q, want %q", script, got, want)
		}
	}
}

func TestApplicationLua_TransferHappensAtTheEnd(t *testing.T) {
	b := newBox(t, "", nil)
	sub := b.sw.Bus.Subscribe("test", 1000)
	defer sub.Close()
	sub.Listen(event.ChannelPark)
	ch := b.call(`out(session:transfer("park", "XML", "default"))`)
	e, err := sub.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := e.Get("Caller-Destination-Number"); got != "park" {
		t.Errorf("parked at %q", got)
	}
	ch.Hangup(call.CauseNormalClearing)
	b.finish(ch)
}

func TestBridge_TwoCallsOfAScript(t *testing.T) {
	b := newBox(t, "", nil)
	sub := b.sw.Bus.Subscribe("test", 1000)
	defer sub.Close()
	sub.Listen(event.ChannelBridge)
	go b.api(`luarun ~s1 = freeswitch.Session("null/one") s2 = freeswitch.Session("null/two") freeswitch.bridge(s1, s2)`)
	e, err := sub.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a := b.sw.Find(e.Get("Bridge-A-Unique-ID"))
	if a == nil || a.Name() != "null/one" || a.Get("bridge_uuid") != e.Get("Bridge-B-Unique-ID") {
		t.Fatalf("A leg: %v", a)
	}
	a.Hangup(call.CauseNormalClearing)
	b.finish(a)
}

func TestBridge_CallbackSeesDigitsOfBothLegsAndEndsIt(t *testing.T) {
	b := newBox(t, "", nil)
	sub := b.sw.Bus.Subscribe("test", 1000)
	defer sub.Close()
	sub.Listen(event.ChannelBridge)
	ch := b.call(`function cb(s, t, d) out("key", d.digit) if d.digit == "9" then return "break" end end
		other = freeswitch.Session("null/second", session) session:setInputCallback("cb", "")
		freeswitch.bridge(session, other) out("unbridged", session:ready(), other:ready(), other:getState()) out(other:sleep(1))`)
	e, err := sub.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	second := b.sw.Find(e.Get("Bridge-B-Unique-ID"))
	press(second, "4")
	b.until("key 4")
	press(ch, "9")
	if got, want := b.finish(ch), "key 4\nkey 9\nunbridged true true CS_SOFT_EXECUTE\n1"; got != want {
		t.Errorf("got %q, want %q\n%s", got, want, b.logged())
	}
}

func TestSession_MadeCallHangsUpWithTheScript(t *testing.T) {
	b := newBox(t, "", nil)
	uuid := b.lua(`s = freeswitch.Session("null/x") s = nil collectgarbage() collectgarbage() stream:write("")
		for k, v in pairs(_G) do if type(v) == "userdata" and #k == 36 then stream:write(k .. " " .. tostring(v:ready())) end end`)
	id, ready, _ := strings.Cut(uuid, " ")
	if ready != "true" {
		t.Fatalf("before the end: %q", uuid)
	}
	if ch := b.sw.Find(id); ch != nil {
		b.finish(ch)
		if ch.Cause() != call.CauseNormalClearing {
			t.Errorf("cause %s", ch.Cause())
		}
	}
}

func TestSession_MadeCallGoesOnAfterTransfer(t *testing.T) {
	b := newBox(t, "", nil)
	sub := b.sw.Bus.Subscribe("test", 1000)
	defer sub.Close()
	sub.Listen(event.ChannelPark)
	uuid := b.lua(`local s = freeswitch.Session("null/1001") s:setAutoHangup(false) stream:write(s:get_uuid()) s:transfer("park", "XML", "default")`)
	if _, err := sub.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	ch := b.sw.Find(uuid)
	if ch == nil || ch.Profile().Destination != "park" {
		t.Fatalf("channel %v", ch)
	}
	ch.Hangup(call.CauseNormalClearing)
	b.finish(ch)
}

func TestDemo_GreetsByNameAndGoesThroughItsMenu(t *testing.T) {
	t.Parallel()
	b := newBox(t, "", func(o *Options) { o.Builtin = Scripts() })
	b.sw.Sounds = sounds{&sound.Opener{SoundDir: b.tmp, Prompts: blips{prompts.FS()}}}
	b.conf.Globals().Set("demo_operator", "null/agent")
	b.conf.Globals().Set("recordings_dir", b.tmp)
	for visit := range 2 {
		ch := b.idle()
		ch.Set("effective_caller_id_name", "O'Hara")
		sub := b.sw.Bus.Subscribe("test", 1000)
		sub.Listen(event.PlaybackStart)
		sub.Listen(event.ChannelBridge)
		if err := ch.TransferTo(&call.Extension{Actions: []call.Action{{App: "lua", Data: "demo.lua"}}}); err != nil {
			t.Fatal(err)
		}
		await := func(kind event.Type, part string) {
			for {
				e, err := sub.Next(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if e.Type == kind && strings.Contains(e.Get("Playback-File-Path"), part) {
					return
				}
			}
		}
		await(event.PlaybackStart, []string{"demo-welcome.wav", "demo-welcome_back.wav"}[visit])
		await(event.PlaybackStart, "demo-menu.wav")
		press(ch, "3")
		await(event.PlaybackStart, "demo-no_note.wav")
		await(event.PlaybackStart, "demo-menu.wav")
		press(ch, "41800#")
		await(event.PlaybackStart, "demo-not_allowed.wav")
		await(event.PlaybackStart, "demo-menu.wav")
		press(ch, "0")
		await(event.ChannelBridge, "")
		if got := ch.Get("demo_target"); got != "null/agent" {
			t.Errorf("target %q", got)
		}
		if got, want := ch.Get("demo_visits"), string(rune('0'+visit)); got != want {
			t.Errorf("visit %d: %q before", visit, got)
		}
		ch.Hangup(call.CauseNormalClearing)
		b.finish(ch)
		sub.Close()
	}
	if got := b.lua(`freeswitch.Dbh("sqlite://demo"):query("SELECT name, visits FROM callers", function(row) stream:write(row.name .. " " .. row.visits) end)`); got != "O'Hara 2" {
		t.Errorf("callers: %q", got)
	}
}

// blips has the recordings of another file system, each 20 ms short.
type blips struct{ recordings fs.FS }

func (b blips) Open(name string) (fs.File, error) {
	if _, err := fs.Stat(b.recordings, name); err != nil {
		return nil, err
	}
	const samples = 160
	wav := []byte("RIFF")
	wav = binary.LittleEndian.AppendUint32(wav, 36+2*samples)
	wav = append(wav, "WAVEfmt "...)
	wav = binary.LittleEndian.AppendUint32(wav, 16)
	for _, v := range []uint16{1, 1, 8000, 0, 16000, 0, 2, 16} { // PCM, mono, 8000 Hz, 16000 bytes a second
		wav = binary.LittleEndian.AppendUint16(wav, v)
	}
	wav = append(wav, "data"...)
	wav = binary.LittleEndian.AppendUint32(wav, 2*samples)
	return fstest.MapFS{"blip": {Data: append(wav, make([]byte, 2*samples)...)}}.Open("blip")
}

func TestHost_HundredsOfCallsAtOnce(t *testing.T) {
	b := newBox(t, "", nil)
	const calls, waves = 500, 3
	name := b.script(`session:setVariable("x", string.rep("a", 10)) out("ready") session:getDigits(1, "", 60000) freeswitch.API():execute("echo", "x")`)
	var first, last uint64
	for wave := range waves {
		list := make([]*call.Channel, calls)
		for i := range list {
			list[i] = b.callFile(name)
		}
		b.eventually("all scripts run at once", func() bool {
			b.mu.Lock()
			defer b.mu.Unlock()
			return len(b.lines) == (wave+1)*calls
		})
		begun := time.Now()
		for _, ch := range list {
			press(ch, "1")
		}
		for _, ch := range list {
			select {
			case <-ch.Done():
			case <-time.After(patience):
				t.Fatalf("call %s is still %s after %v", ch.UUID(), ch.State(), time.Since(begun))
			}
		}
		last = heapInUse()
		if wave == 0 {
			first = last
		}
	}
	if last > first+4<<20 {
		t.Errorf("the heap grew from %d to %d kB with %d calls", first>>10, last>>10, (waves-1)*calls)
	}
}

func heapInUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
