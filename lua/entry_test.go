package lua

import (
	"context"
	"strings"
	"testing"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
)

func TestStart_RunsStartupScriptsAndHooks(t *testing.T) {
	b := newBox(t, `<settings>
		<param name="module-directory" value="/usr/lib/lua/?.so"/>
		<param name="script-directory" value="/some/where/?.lua"/>
		<param name="startup-script" value="start.lua one 'two three'"/>
		<hook event="CUSTOM" subclass="conformance::hook" script="hook.lua"/>
		<hook event="NO_SUCH_EVENT" script="hook.lua"/>
		<hook event="CUSTOM"/>
		</settings>`, nil)
	b.write("start.lua", prelude+`out(argv[1], argv[2], session, stream, env)`)
	b.write("hook.lua", prelude+`out(event:getType(), event:getHeader("Event-Subclass"), event:getHeader("Hook-Token"), event:getBody(), event:fire())`)
	if err := b.host.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.until("one two three nil nil nil")
	b.lua(`local e = freeswitch.Event("CUSTOM", "conformance::hook") e:addHeader("Hook-Token", "tok") e:addBody("the body") e:fire()`)
	b.until("CUSTOM conformance::hook tok the body false")
	logged := b.logged()
	for _, want := range []string{
		"[INFO] lua: appending module directory: '/usr/lib/lua/?.so'\n",
		"[INFO] lua: LUA_CPATH set to: '/usr/lib/lua/?.so'\n",
		"[INFO] lua: LUA_PATH set to: '/some/where/?.lua'\n",
		"[INFO] hook params: 'CUSTOM' | 'conformance::hook' | 'hook.lua'\n",
		"[INFO] event handler for 'CUSTOM' set to 'hook.lua'\n",
		"[ERR] cannot set event handler: unknown event type 'NO_SUCH_EVENT'\n",
		"[ERR] cannot set event handler: no script name for event type 'CUSTOM'\n",
		"[ERR] Not My event!\n",
	} {
		if !strings.Contains(logged, want) {
			t.Errorf("not logged: %q in\n%s", want, logged)
		}
	}
	if got := b.lua(`stream:write(package.path)`); got != "/some/where/?.lua" {
		t.Errorf("package.path %q", got)
	}
}

func TestStart_MissingConfiguration(t *testing.T) {
	b := newBox(t, "", nil)
	b.logged()
	b.host.Start(t.Context())
	if got := b.logged(); got != "[ERR] open of lua.conf failed\n" {
		t.Errorf("logged %q", got)
	}
}

func TestXMLHandler_AnswersLookups(t *testing.T) {
	b := newBox(t, `<settings>
		<param name="xml-handler-bindings" value="directory"/>
		<param name="xml-handler-script" value="xml.lua arg"/>
		<param name="xml-handler-bindings" value="dialplan|directory"/>
		</settings>`, nil)
	b.write("xml.lua", `
		local r = XML_REQUEST
		if r.key_value == "broken" then error("x") end
		if r.key_value == "empty" then XML_STRING = "" return end
		if r.key_value ~= "wanted" then return end
		XML_STRING = '<document type="freeswitch/xml"><section name="' .. r.section .. '"><' .. r.tag_name .. ' ' .. r.key_name .. '="wanted" user="' .. params:getHeader("user") .. '" arg="' .. argv[1] .. '"/></section></document>'`)
	b.host.Start(t.Context())
	n := b.conf.Lookup(t.Context(), "directory", "domain", "name", "wanted", map[string]string{"user": "1000"})
	if n == nil || n.Attr("user") != "1000" || n.Attr("arg") != "arg" {
		t.Fatalf("got %v\n%s", n, b.logged())
	}
	b.logged()
	for key, want := range map[string]string{"broken": "LUA script parse/execute error!\n", "empty": "[ERR] No Result\n", "example.test": ""} {
		n := b.conf.Lookup(t.Context(), "directory", "domain", "name", key, nil)
		if (n != nil) != (key == "example.test") {
			t.Errorf("%s: %v", key, n)
		}
		if got := b.logged(); !strings.HasSuffix(got, want) {
			t.Errorf("%s logged %q, want %q", key, got, want)
		}
	}
}

func TestDialplan_LUA(t *testing.T) {
	b := newBox(t, "", nil)
	for name, c := range map[string]struct{ script, state, logged string }{
		"good":        {`session:setVariable("routed", "yes") ACTIONS = {{"set", "x=1"}, "park"}`, "1", "Dialplan: null/test Action set(x=1)"},
		"no table":    {`ACTIONS = 5`, "", "Global variable ACTIONS may only be a table"},
		"bad element": {`ACTIONS = {{"set", "x=1"}, true}`, "", "ACTIONS table may only contain strings or tables"},
		"bad app":     {`ACTIONS = {{{}, "x"}}`, "", "First element in each table in the ACTIONS table may only be a string - application name"},
		"bad data":    {`ACTIONS = {{"set", {}}}`, "", "Second (optional) element in each table in the ACTIONS table may only be a string - app_data"},
		"fails":       {`error("x")`, "", "stack traceback"},
	} {
		ch := b.idle()
		b.logged()
		if err := ch.Transfer("1234", "LUA", b.script(c.script)); err != nil {
			t.Fatal(err)
		}
		if got := b.awaitLog(c.logged); got == "" {
			t.Errorf("%s: nothing logged", name)
		}
		if c.state != "" {
			b.awaitLog("] null/test park()")
			if ch.Get("x") != c.state || ch.Get("routed") != "yes" {
				t.Errorf("%s: x is %q", name, ch.Get("x"))
			}
			ch.Hangup(call.CauseNormalClearing)
		}
		b.finish(ch)
	}
}

func TestHangupHook_FindsTheCallInEnv(t *testing.T) {
	t.Parallel()
	b := newBox(t, "", nil)
	hook := b.script(`out(argv[1], env:getHeader("my_custom_var"), env:getHeader("uuid") == argv[2], string.find(env:serialize(), "my_custom_var: foobar") ~= nil, session)`)
	ch := b.call(`session:setVariable("api_hangup_hook", "lua `+hook+` tok ${uuid}")`, call.Var{Name: "my_custom_var", Value: "foobar"})
	if got, want := b.finish(ch), "tok foobar true true nil"; got != want {
		t.Errorf("got %q, want %q\n%s", got, want, b.logged())
	}
	ch = b.call(`session:setVariable("session_in_hangup_hook", "true") session:setVariable("api_hangup_hook", "lua ` + b.script(`out(session:hangupCause(), session:ready())`) + `")`)
	if got, want := b.finish(ch), "NORMAL_CLEARING false"; got != want {
		t.Errorf("with session: got %q, want %q", got, want)
	}
}

func TestReportingHook_RunsAfterTheCall(t *testing.T) {
	b := newBox(t, "", nil)
	hook := b.script(`out(argv[1], env:getHeader("uuid") == argv[2], session)`)
	ch := b.call(`session:setVariable("api_reporting_hook", "lua ` + hook + ` reported ${uuid}")`)
	if got := b.finish(ch); got != "reported true nil" {
		t.Errorf("got %q", got)
	}
}

func TestHooksOfAnswer_RunScripts(t *testing.T) {
	b := newBox(t, "", nil)
	api, app, nix := b.script(`out("api", argv[1], session ~= nil)`), b.script(`out("application", argv[1], session:ready())`), b.script(`out("colons", argv[1])`)
	ch := b.call(`session:sleep(60000)`, call.Var{Name: "api_on_answer", Value: "lua " + api + " one"},
		call.Var{Name: "execute_on_answer_1", Value: "lua " + app + " two"}, call.Var{Name: "execute_on_answer_2", Value: "lua::" + nix + " three"})
	for _, line := range []string{"api one true", "application two true", "colons three"} {
		b.until(line)
	}
	ch.Hangup(call.CauseNormalClearing)
	b.finish(ch)
}

func TestGroupConfirm_AsksAScript(t *testing.T) {
	t.Parallel()
	b := newBox(t, "", nil)
	b.write("confirm.lua", prelude+`out("asked", argv[1], session:ready()) if argv[1] == "no" then session:hangup("CALL_REJECTED") end`)
	got := b.lua(`for _, answer in ipairs({"yes", "no"}) do
		local s = freeswitch.Session("{group_confirm_key=exec,group_confirm_file='lua confirm.lua " .. answer .. "'}null/x")
		stream:write(answer .. " " .. tostring(s:ready()) .. " ") end`)
	if got != "yes true no false " {
		t.Errorf("got %q\n%s", got, b.logged())
	}
	b.until("asked yes true")
	b.until("asked no true")
}

func TestMenuAndDialplan_RunScripts(t *testing.T) {
	t.Parallel()
	b := newBox(t, "", nil)
	b.write("inner.lua", prelude+`out("inner", argv[1], session:ready())`)
	ch := b.call(`local top = freeswitch.IVRMenu(nil, "top", "silence_stream://5000", nil, nil, nil, nil, nil, 3, 200, 1, 2000, 3)
		top:bindAction("menu-exec-app", "lua inner.lua word", "1") top:bindAction("menu-exit", "", "2") out("menu") top:execute(session, "top") out("left")`)
	b.until("menu")
	press(ch, "1")
	b.until("inner word true")
	press(ch, "2")
	if got := b.finish(ch); !strings.HasSuffix(got, "left") {
		t.Errorf("got %q", got)
	}
	b.write("route.lua", `if argv[1] == "scripted" then stream:write("Hello World") end`)
	ch = b.idle()
	if err := ch.Transfer("scripted", "XML", "default"); err != nil {
		t.Fatal(err)
	}
	b.awaitLog("] null/test park()")
	ch.Hangup(call.CauseNormalClearing)
	b.finish(ch)
}

// A level that gives up leads back to the one above it.
func TestMenu_LevelThatGivesUpLeadsBack(t *testing.T) {
	t.Parallel()
	b := newBox(t, "", nil)
	ch := b.call(`local top = freeswitch.IVRMenu(nil, "top", "silence_stream://5000", nil, nil, nil, nil, nil, nil, nil, nil, 3, 100, 1, 5000, 3, 3)
		local sub = freeswitch.IVRMenu(top, "sub", "silence_stream://20", nil, nil, nil, nil, nil, nil, nil, nil, 3, 50, 1, 60, 2, 2)
		top:bindAction("menu-sub", "sub", "1") top:bindAction("menu-exec-app", "set after=yes", "2") top:bindAction("menu-exit", "", "3")
		out("menu") top:execute(session, "top") out(session:getVariable("after"), session:getVariable("ivr_menu_status"))`)
	b.until("menu")
	press(ch, "1")
	b.eventually("the lower level gave up", func() bool { return ch.Get("ivr_menu_status") == "timeout" })
	press(ch, "2")
	b.eventually("the upper level goes on", func() bool { return ch.Get("after") == "yes" })
	press(ch, "3")
	if got := b.finish(ch); got != "menu\nyes timeout" {
		t.Errorf("got %q", got)
	}
}

func TestExpansion_LuaInBraces(t *testing.T) {
	b := newBox(t, "", nil)
	name := b.script(`stream:write(argv[1] .. "-" .. argv[2] .. "-" .. tostring(session ~= nil))`)
	if got := b.play(`session:execute("set", "x=X${lua(` + name + ` 1 2)}Y") out(session:getVariable("x"))`); got != "X1-2-trueY" {
		t.Errorf("got %q", got)
	}
}

func TestHTTP_ErrorIsHTML(t *testing.T) {
	t.Parallel()
	b := newBox(t, "", nil)
	out, err := b.sw.Run(t.Context(), "lua", b.script(`error("x")`), nil, map[string]string{"HTTP-URI": "/api/lua"})
	if err != nil || out != "<H2>Error Executing Script</H2>" {
		t.Errorf("%q, %v", out, err)
	}
}

func TestEvent_FromScriptLooksAsTheReferences(t *testing.T) {
	b := newBox(t, "", nil)
	sub := b.sw.Bus.Subscribe("test", 10)
	defer sub.Close()
	sub.ListenCustom("calltest1::calltest1_sub")
	b.api("luarun " + b.script(`local event = freeswitch.Event("custom", "calltest1::calltest1_sub") event:addHeader("callee_uuid", "u") event:addHeader("caller_num", 1000) event:addHeader("failed_reason", "exten not avaliable") event:fire()`))
	e, err := sub.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, h := range e.Headers {
		names = append(names, h.Name)
	}
	if got, want := strings.Join(names, " "), "Event-Subclass Event-Name Event-Date-Local Event-Date-GMT Event-Date-Timestamp Event-Calling-File Event-Calling-Function Event-Calling-Line-Number Event-Sequence callee_uuid caller_num failed_reason"; got != want {
		t.Errorf("headers\n got %s\nwant %s", got, want)
	}
	if e.Get("Event-Calling-File") != "switch_cpp.cpp" || e.Get("Event-Calling-Function") != "Event" || e.Type != event.Custom {
		t.Errorf("%s", e.Plain())
	}
}

func TestEmail_Composes(t *testing.T) {
	m := message{to: "r@example.com", from: "s@example.com", headers: "subject: Voicemail from 1234\n", body: "Hello"}
	text, err := m.compose()
	if err != nil || !strings.Contains(text, "From: s@example.com\nTo: r@example.com\nsubject: Voicemail from 1234\n\nHello\n") {
		t.Errorf("%v\n%s", err, text)
	}
	m.file = "entry_test.go"
	if text, err = m.compose(); err != nil || !strings.Contains(text, `filename="entry_test.go"`) {
		t.Errorf("%v\n%.500s", err, text)
	}
	m.file = "/no/such/file"
	if _, err = m.compose(); err == nil {
		t.Error("a missing file was attached")
	}
}

// Dialplans make names of what callers say: none leads out of the scripts' directory.
func TestApplication_NamesStayBelowTheScripts(t *testing.T) {
	b := newBox(t, "", nil)
	b.write("inside.lua", prelude+`out("inside")`)
	b.write("../outside.lua", prelude+`out("outside")`)
	ch := b.idle()
	for _, name := range []string{"../outside.lua", "x/../../outside.lua", "./inside.lua"} {
		err := ch.Call(t.Context(), func(ctx context.Context, ch *call.Channel) error { return ch.Execute(ctx, "lua", name) })
		if err != nil {
			t.Fatal(err)
		}
	}
	b.until("inside")
	if logged := b.logged(); strings.Count(logged, "is looked for below") != 2 {
		t.Errorf("logged:\n%s", logged)
	}
	ch.Hangup(call.CauseNormalClearing)
}
