package lua

import (
	"strings"
	"testing"
)

// Scripts run by the command lua, and what they answer. The rows are those that
// were recorded from the reference, as far as they need no call.
func TestCommandLua_Answers(t *testing.T) {
	t.Parallel()
	b := newBox(t, "", nil)
	for _, c := range []struct{ name, script, args, want string }{
		{"stream write", `stream:write("a") stream:write("b\n") stream:write("c")`, "", "a*c"},
		{"nothing written", `local x = 1`, "", ""},
		{"error stops", `stream:write("before ") error("boom") stream:write("after")`, "", "before -ERR Cannot execute script\n"},
		{"syntax error", `this is no lua`, "", "-ERR Cannot execute script\n"},
		{"argv", `stream:write(argv[1] .. "," .. argv[2] .. "," .. argv[3] .. "," .. tostring(argv[4]) .. "," .. #argv)`, "arg1 arg2 arg3", "arg1,arg2,arg3,nil,3"},
		{"no argv", `stream:write(type(argv) .. #argv .. tostring(argv[1]))`, "", "table0nil"},
		{"quoted argv", `stream:write(argv[1] .. "|" .. tostring(argv[2]) .. "|" .. tostring(argv[3]))`, "'one two' three", "one two|three|nil"},
		{"os.exit", `os.exit() stream:write("still here")`, "", "still here"},
		{"shell", `local h = assert(io.popen("echo from the shell", "r")) local o = h:read("*all") h:close() stream:write(o)`, "", "from the shell\n"},
		{"pcall", `local ok, err = pcall(function() error({code = 7}) end) stream:write(tostring(ok) .. " " .. err.code)`, "", "false 7"},
		{"regex", `api = freeswitch.API() digits = api:execute("regex", "testing1234|/(\\d+)/|$1") stream:write("Extracted digits: " .. digits)`, "", "Extracted digits: 1234"},
		{"unknown command", `local api = freeswitch.API() stream:write(tostring(api:execute("no_such_command", "x")) .. "|" .. tostring(api:executeString("no_such_command")))`, "", "INVALID COMMAND!*|INVALID COMMAND!*"},
		{"getTime", `local t = freeswitch.API():getTime() stream:write(type(t) .. " " .. tostring(tonumber(t) > 1e12))`, "", "string true"},
		{"number arguments", `stream:write(freeswitch.API():execute("echo", 42))`, "", "42"},
		{"argument count", `local api = freeswitch.API() local ok, e = pcall(function() return api:execute() end) stream:write(e)`, "", "*Error in API::execute expected 2..3 args, got 1"},
		{"dot for colon", `local api = freeswitch.API() local ok, e = pcall(function() return api.executeString("x") end) stream:write(e)`, "", "*Error in API::executeString expected 2..2 args, got 1"},
		{"argument kind", `local api = freeswitch.API() local ok, e = pcall(function() return api:execute({}) end) stream:write(e)`, "", "*Error in API::execute (arg 2), expected 'char const *' got 'table'"},
		{"global variables", `freeswitch.setGlobalVariable("cf_x", "value") stream:write(tostring(freeswitch.getGlobalVariable("cf_x")) .. " " .. tostring(freeswitch.getGlobalVariable("no_such")))`, "", "value nil"},
		{"json decode", `local t = freeswitch.JSON():decode('{"a":1,"b":[1,2,"x"],"c":{"d":true}}') stream:write(t.a .. " " .. t.b[3] .. " " .. tostring(t.c.d))`, "", "1 x true"},
		{"json encode", `local j = freeswitch.JSON() j:return_unformatted_json(true) stream:write(j:encode({k = "v"}) .. j:encode({1, "b", {c = 2.5}}) .. j:encode({}))`, "", `{"k":"v"}[1,"b",{"c":2.5}]{}`},
		{"json formatted", `stream:write(freeswitch.JSON():encode({a = 1}))`, "", "{*\t\"a\":\t1*}"},
		{"json bad", `stream:write(select("#", freeswitch.JSON():decode("{")))`, "", "0"},
		{"no session", `stream:write(tostring(session) .. " " .. type(stream) .. " " .. type(env))`, "", "nil userdata userdata"},
		{"names", `local n = {} for _, k in ipairs({"API", "Dbh", "Event", "EventConsumer", "IVRMenu", "JSON", "Session", "Stream", "DTMF", "bridge", "consoleLog", "consoleCleanLog", "email", "getGlobalVariable", "setGlobalVariable", "msleep", "running", "hanguphook", "new_session"}) do if freeswitch[k] == nil then n[#n + 1] = k end end stream:write(table.concat(n, " "))`, "", "new_session"},
		{"event headers", `local e = freeswitch.Event("CUSTOM", "cf::test") e:addHeader("My-Header", "one")
			stream:write(tostring(e:getHeader("My-Header")) .. " " .. tostring(e:getHeader("my-header")) .. " " .. tostring(e:getHeader("Nothing")))
			stream:write(" " .. tostring(e:delHeader("My-Header")) .. " " .. tostring(e:getHeader("My-Header")))
			stream:write(" " .. e:getType() .. " " .. tostring(e:getHeader("Event-Subclass")))`, "", "one one nil true nil CUSTOM cf::test"},
		{"event text", `local e = freeswitch.Event("CUSTOM", "cf::test") e:addHeader("X-One", "a b&c") local s = e:serialize()
			stream:write(string.match(s, "Event%-Subclass: [^\n]*") .. "|" .. string.match(s, "X%-One: [^\n]*"))`, "", "Event-Subclass: cf%3A%3Atest|X-One: a%20b%26c"},
		{"event json", `local e = freeswitch.Event("CUSTOM", "cf::test") e:addHeader("X-One", "a b&c") stream:write(string.match(e:serialize("json"), '"X%-One":%s*"[^"]*"'))`, "", `"X-One":"a b&c"`},
		{"event xml", `local e = freeswitch.Event("CUSTOM", "cf::test") e:addHeader("X-One", "a b&c") stream:write(string.match(e:serialize("xml"), "<X%-One>.-</X%-One>"))`, "", "<X-One>a%20b%26c</X-One>"},
		{"event serialized twice", `local e = freeswitch.Event("CUSTOM", "cf::t") e:serialize() e:addHeader("N", "1") stream:write(tostring(e:serialize():find("N: 1") ~= nil))`, "", "true"},
		{"event priority", `stream:write(tostring(freeswitch.Event("CUSTOM", "cf::test"):setPriority(2)))`, "", "true"},
		{"event merge", `local a, b = freeswitch.Event("CUSTOM", "cf::a"), freeswitch.Event("CUSTOM", "cf::b") a:addHeader("A", "1") b:addHeader("B", "2") a:merge(b) stream:write(a:getHeader("A") .. a:getHeader("B"))`, "", "12"},
		{"event without type", `stream:write(tostring((pcall(function() return freeswitch.Event() end))))`, "", "false"},
		{"event of unknown type", `stream:write(freeswitch.Event("NO_SUCH_EVENT_TYPE"):getType())`, "", "MESSAGE"},
		{"event from json", `local e = freeswitch.Event("json", '{"Event-Name":"CUSTOM","a":"b","_body":"x"}') stream:write(e:getHeader("a") .. e:getBody())`, "", "bx"},
		{"event is fired again", `local e = freeswitch.Event("CUSTOM", "cf::spent") stream:write(tostring(e:fire()) .. tostring(e:fire()) .. " " .. tostring(pcall(function() return e:getHeader("x") end)))`, "", "truetrue true"},
		{"event body", `local e = freeswitch.Event("message") e:add_body("one") e:addBody("two") stream:write(e:getBody() .. e:get_body() .. tostring(freeswitch.Event("message"):getBody()))`, "", "twotwonil"},
		{"consumer", `local con = freeswitch.EventConsumer("CUSTOM", "cf::c") local e = freeswitch.Event("CUSTOM", "cf::c") e:addHeader("hi", "there") e:fire()
			local got = con:pop(1, 2000) stream:write(got:getHeader("hi") .. " " .. tostring(con:pop()) .. tostring(got:fire()))`, "", "there niltrue"},
		{"consumer bind", `local con = freeswitch.EventConsumer("CUSTOM", "cf::x") stream:write(tostring(con:bind("CUSTOM", "cf::y")) .. tostring(con:bind("NO_SUCH")) .. " ")
			local e = freeswitch.Event("CUSTOM", "cf::y") e:addHeader("n", "2") e:fire() stream:write(con:pop(1, 2000):getHeader("n")) con:cleanup() stream:write(tostring(con:pop(1, 5000)))`, "", "10 2nil"},
		{"consumer of all", `local con = freeswitch.EventConsumer("all") local e = freeswitch.Event("CUSTOM", "cf::z") e:addHeader("tok", "t") e:fire()
			for i = 1, 200 do local g = con:pop(1, 500) if g and g:getHeader("tok") == "t" then stream:write("seen " .. g:getType()) break end end`, "", "seen CUSTOM"},
		{"session made", `local s = freeswitch.Session("null/made") stream:write(tostring(s:ready()) .. " " .. s:getVariable("channel_name") .. " " .. tostring(s:answered()) .. " " .. s:getState())
			s:hangup("CALL_REJECTED") stream:write(" " .. tostring(s:ready()) .. " " .. s:hangupCause())`, "", "true null/made true CS_SOFT_EXECUTE false SUCCESS"},
		{"session fails", `s = freeswitch.Session("null/cause-USER_BUSY") stream:write(tostring(s:ready()) .. " " .. s:hangupCause() .. " " .. s:get_uuid() .. " " .. s:getState())`, "", "false USER_BUSY uninitialized ERROR"},
		{"session of nobody", `stream:write(freeswitch.Session("user/nobody@example.test"):hangupCause() .. " " .. freeswitch.Session("0815"):hangupCause())`, "", "SUBSCRIBER_ABSENT CHAN_NOT_IMPLEMENTED"},
		{"session variables", `local s = freeswitch.Session("[execute_on_answer='set cf_a=yes',cf_b=2]null/x") stream:write(tostring(s:getVariable("cf_b"))) s:hangup()`, "", "2"},
		{"session blank", `local s = freeswitch.Session() stream:write(tostring(s:ready()) .. s:answer() .. "[" .. s:getVariable("x") .. "]" .. s:streamFile("x") .. s:getDigits(1, "", 1))`, "", "false-1[]-1"},
		{"legs joined guide", `dialA = "null/a" dialB = "null/b" legA = freeswitch.Session(dialA) dispoA = "None"
			while legA:ready() and dispoA ~= "ANSWER" do dispoA = legA:getVariable("endpoint_disposition") freeswitch.msleep(1) end
			legB = freeswitch.Session(dialB) dispoB = legB:getVariable("endpoint_disposition")
			stream:write(dispoA .. " " .. dispoB .. " " .. tostring(legA:ready() and legB:ready())) legA:hangup() legB:hangup()`, "", "ANSWER ANSWER true"},
		{"attach by uuid", `local s = freeswitch.Session("null/a") local t = freeswitch.Session(s:get_uuid()) stream:write(tostring(t:ready()) .. tostring(t == s) .. t:hangupCause() .. tostring(_G[s:get_uuid()] == s))`, "", "truefalseNONEtrue"},
		{"sleep on a made call", `local s = freeswitch.Session("null/a") stream:write(s:sleep(1) .. s:streamFile("tone_stream://%(40,0,440)") .. s:streamFile("/no/such.wav"))`, "", "110"},
		{"metatable", `local m = getmetatable(freeswitch.Session()) local n = 0 for k, v in pairs(m[".fn"]) do n = n + 1 end
			stream:write(type(m) .. m[".type"] .. tostring(n > 55) .. tostring(m[".fn"].getXMLCDR ~= nil) .. tostring(freeswitch.Session()):match("^<userdata of type 'LUA::Session %*'"))`, "", "tableSessiontruetrue<userdata of type 'LUA::Session *'"},
		{"unknown method", `local s = freeswitch.Session() local ok, e = pcall(function() s:noSuch() end) stream:write(e)`, "", "*attempt to call method 'noSuch' (a nil value)"},
		{"assignment", `local s = freeswitch.Session() local ok, e = pcall(function() s.noSuch = 1 end) stream:write(e)`, "", "*Assignment not possible. No setter/member with this name. For custom assignments implement __setitem method."},
		{"overload", `local s = freeswitch.Session() local ok, e = pcall(function() s:setInputCallback(print) end) stream:write(e)`, "", "*Wrong arguments for overloaded function 'Session_setInputCallback'*  Possible C/C++ prototypes are:*    LUA::Session::setInputCallback(char *,char *)*    LUA::Session::setInputCallback(char *)\n"},
		{"bool", `local s = freeswitch.Session() local ok, e = pcall(function() s:setAutoHangup(0) end) stream:write(e)`, "", "*Error in CoreSession::setAutoHangup (arg 2), expected 'bool' got 'number'"},
		{"reference", `local ok, e = pcall(function() freeswitch.bridge(nil, nil) end) stream:write(e)`, "", "*Error in bridge (arg 1), expected 'CoreSession &' got 'nil'"},
		{"constructor", `local ok, e = pcall(function() freeswitch.IVRMenu(nil) end) stream:write(e)`, "", "Error in IVRMenu::IVRMenu expected 17..17 args, got 1"},
		{"get_data", `stream:write("abc") local d = stream:get_data() stream:write("[" .. tostring(d) .. "]")`, "", "abc[abc]"},
		{"own stream", `local s = freeswitch.Stream() s:write("x%s") s:write(1) local a, n = s:read() stream:write(s:get_data() .. tostring(a) .. n)`, "", "x%s1nil0"},
		{"dtmf", `local d = freeswitch.DTMF("5") d.duration = 800 stream:write(d.digit .. d.duration)`, "", "5800"},
		{"swig_type", `stream:write(swig_type(freeswitch.API()) .. tostring(swig_equals(stream, stream)))`, "", "API *true"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := b.lua(c.script, c.args); !same(got, c.want) {
				t.Errorf("got  %q\nwant %q\n%s", got, c.want, b.logged())
			}
		})
	}
}

func TestCommandLua_InlineAndMissing(t *testing.T) {
	b := newBox(t, "", nil)
	for line, want := range map[string]string{
		`lua ~stream:write("1234#5678")`:    "1234#5678",
		`lua #!/lua stream:write("direct")`: "direct",
		"lua ~":                             "",
		"lua":                               "",
		"lua no_such_script.lua":            "-ERR Cannot execute script\n",
		"luarun":                            "-ERR no args specified!\n",
		"luarun no_such_script.lua":         "+OK\n",
		`lua ~stream:write(tostring(argv))`: "nil",
		`lua ~local _,_,a,b = string.find("1234#5678", "(%d+)#(%d+)") stream:write(a .. " " .. b)`: "1234 5678",
	} {
		if got := b.api(line); got != want {
			t.Errorf("%s\n got %q\nwant %q", line, got, want)
		}
	}
}

func TestErrors_AreLoggedAsLuaWordsThem(t *testing.T) {
	b := newBox(t, "", nil)
	for source, want := range map[string]string{
		"= 1":                    ":1: unexpected symbol near '='\n",
		"x = = 2":                ":1: unexpected symbol near '='\n",
		"local t\nlocal x = t.a": ":2: attempt to index local 't' (a nil value)\nstack traceback:\n\t*:2: in main chunk\n",
		`nostream:write("x")`:    ":1: attempt to index global 'nostream' (a nil value)\nstack traceback:\n\t*:1: in main chunk\n",
		"error('boom')":          ":1: boom\nstack traceback:\n\t[C]: in function 'error'\n\t*:1: in main chunk\n",
		"local function f() error('x', 0) end\nf()": "x\nstack traceback:\n\t[C]: in function 'error'\n\t*:1: in function 'f'\n\t*:2: in main chunk\n",
		"nofunc()":                   ":1: attempt to call global 'nofunc' (a nil value)\nstack traceback:\n\t*:1: in main chunk\n",
		"local t = {} t.a.b = 1":     ":1: attempt to index field 'a' (a nil value)\nstack traceback:\n\t*:1: in main chunk\n",
		"local x = 1 + nil":          ":1: attempt to perform arithmetic on a nil value\nstack traceback:\n\t*:1: in main chunk\n",
		"local x = {} .. 'a'":        ":1: attempt to concatenate a table value\nstack traceback:\n\t*:1: in main chunk\n",
		"local x local y = 'a' .. x": ":1: attempt to concatenate local 'x' (a nil value)\nstack traceback:\n\t*:1: in main chunk\n",
		"error()":                    "stack traceback:\n\t[C]: in function 'error'\n\t*:1: in main chunk\n",
		"error({})":                  "",
	} {
		b.logged()
		b.lua(source)
		got := b.logged()
		_, got, _ = strings.Cut(got, "[ERR] ")
		got, _, _ = strings.Cut(got, "[NOTICE] values at hand: ")
		if want != "" && want[0] == ':' {
			want = b.dir + "/*.lua" + want
		}
		if !same(got, want) {
			t.Errorf("%s\n got %q\nwant %q", source, got, want)
		}
	}
	b.logged()
	b.api("lua missing.lua")
	if got, want := b.logged(), "[ERR] cannot open "+b.dir+"/missing.lua: No such file or directory\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	b.api(`luarun ~stream:write("1234#5678")`)
	if got, want := b.awaitLog("traceback"), "[ERR] [string \"line\"]:1: attempt to index global 'stream' (a nil value)\nstack traceback:\n\t[string \"line\"]:1: in main chunk\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
