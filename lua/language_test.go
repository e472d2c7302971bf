package lua

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Where the machine differs from Lua 5.2 by itself. Each row is an expression and
// what 5.2 makes of it.
func TestLanguage_IsLua52(t *testing.T) {
	t.Parallel()
	b := newBox(t, "", nil)
	for expression, want := range map[string]string{
		`"\x41\z
		   b\u{e9}"`: "Ab\u00e9",
		`'it\'s' .. "\\x" .. [[\x41]]`:                               `it's\x\x41`,
		`("THE (quick) fox"):find("%f[%a]%a+%f[%A]", 5)`:             "6 10",
		`("hello world"):match("^(%w+)")`:                            "hello",
		`("  x  "):match("^%s*(.-)%s*$") .. "|"`:                     "x|",
		`("a,b,,c"):gsub(",", ";")`:                                  "a;b;;c 3",
		`("abc"):gsub("%w", "%0%0")`:                                 "aabbcc 3",
		`("abc"):gsub("", "-")`:                                      "-a-b-c- 4",
		`("hello"):gsub("l", {l = "L"})`:                             "heLLo 2",
		`("hello"):gsub("(l)(.)", function(a, b) return b .. a end)`: "hello 1",
		`("k = v"):gsub("(%w+) = (%w+)", "%2 = %1")`:                 "v = k 1",
		`("x"):rep(3, ",")`:                                          "x,x,x",
		`("x"):rep(0) .. "|"`:                                        "|",
		`("f(a(b)c)d"):match("%b()")`:                                "(a(b)c)",
		`("1234#5678"):find("(%d+)#(%d+)")`:                          "1 9 1234 5678",
		`("a.b"):find(".", 1, true)`:                                 "2 2",
		`("abc"):find("b", -1)`:                                      "nil",
		`("x=1"):match("()=()")`:                                     "2 3",
		`("aXb"):match("%u")`:                                        "X",
		`("\t"):match("%g")`:                                         "nil",
		`("é"):upper() .. ("ab"):upper()`:                            "éAB",
		`#("é")`:                                                     "2",
		`("abc"):byte(1, -1)`:                                        "97 98 99",
		`("abc"):sub(-2)`:                                            "bc",
		`string.format("%5s|%-5s|%05d|%.2f|%x|%5.1f|%c", "a", "b", 42, 3.14159, 255, 2.25, 65)`:             "    a|b    |00042|3.14|ff|  2.2|A",
		`string.format("%s %s %s", nil, true, setmetatable({}, {__tostring = function() return "TT" end}))`: "nil true TT",
		`string.format("%q", 'a "b"\n\0c\\')`:                        `"a \"b\"\` + "\n" + `\0c\\"`,
		`string.format("%d %i %u", 3.7, -2, 7)`:                      "3 -2 7",
		`string.format("%g %g %g %e", 1e20, 0.1, 100000, 12345.678)`: "1e+20 0.1 100000 1.234568e+04",
		`string.format("%+d % d %#x", 5, 5, 255)`:                    "+5  5 0xff",
		`string.format("%%")`:                                        "%",
		`string.format("%5.2s|", "abc")`:                             "   ab|",
		`pcall(string.format, "%d")`:                                 "false bad argument #2 to 'format' (no value)",
		`table.unpack({1, 2, 3})`:                                    "1 2 3",
		`unpack({1, 2, 3}, 2)`:                                       "2 3",
		`table.pack(1, nil, 3).n`:                                    "3",
		`table.concat({1, 2.5, "x"}, "-")`:                           "1-2.5-x",
		`load("return 1 + 1")()`:                                     "2",
		`load("return x", "c", "t", {x = 5})()`:                      "5",
		`load("x = = 1", "=chunk")`:                                  "nil chunk:1: unexpected symbol near '='",
		`loadstring("return ...")(7)`:                                "7",
		`select(2, load("x ="))`:                                     `[string "x ="]:1: unexpected symbol near <eof>`,
		`bit32.band(0xff, 0x0f), bit32.bor(1, 2), bit32.bxor(3, 1), bit32.bnot(0), bit32.lshift(1, 4), bit32.rshift(16, 4)`:                        "15 3 2 4294967295 16 1",
		`bit32.arshift(0x80000000, 31), bit32.lrotate(0x80000001, 1), bit32.extract(0xabcd, 4, 8), bit32.replace(0, 5, 4, 4), bit32.btest(1, 2)`:   "4294967295 3 188 80 false",
		`tonumber("1e3"), tonumber("0x10"), tonumber(" 10 "), tonumber("z", 36), tonumber("12a"), tonumber(""), tonumber("0x1p4"), tonumber("1e")`: "1000 16 10 35 nil nil 16 nil",
		`1e15, 1e14, 1e13, 2^53, 0.1 + 0.2, 1/3, -0.5, 100, 1e100`:                                                                                 "1e+15 1e+14 10000000000000 9.007199254741e+15 0.3 0.33333333333333 -0.5 100 1e+100",
		`1/0, -1/0`:           "inf -inf",
		`"x" .. 1/3 .. 1e15`:  "x0.333333333333331e+15",
		`"a" .. 1 .. 2`:       "a12",
		`"10" + 5, "3" * "4"`: "15 12",
		`setmetatable({}, {__concat = function(a, b) return "C" end}) .. "x"`:      "C",
		`"x" .. setmetatable({}, {__concat = function(a, b) return a .. "C" end})`: "xC",
		`pcall(error)`:                                         "false nil",
		`pcall(error, "x", 0)`:                                 "false x",
		`pcall(assert, false, "m")`:                            "false m",
		`select("#", pcall(assert, false, {}))`:                "2",
		`pcall(assert, nil)`:                                   "false assertion failed!",
		`xpcall(function(a, b) return a + b end, print, 1, 2)`: "true 3",
		`xpcall(function() error("e", 0) end, function(m) return m .. "!" end)`:             "false e!",
		`rawlen({1, 2}), rawlen("abc")`:                                                     "2 3",
		`math.log(8, 2), math.log(100, 10), math.floor(-2.5), math.max(1, 3)`:               "3 2 -3 3",
		`math.type(1), math.type(1.5), math.tointeger(3)`:                                   "integer float 3",
		`os.date("!%Y-%m-%d %H:%M:%S %a %j %D %T %e %u %U %V %y", 0)`:                       "1970-01-01 00:00:00 Thu 001 01/01/70 00:00:00  1 4 00 01 70",
		`os.date("!*t", 86400).yday, os.date("!%c", 0)`:                                     "2 Thu Jan  1 00:00:00 1970",
		`pcall(os.date, "%Q")`:                                                              "false bad argument #1 to 'date' (invalid conversion specifier '%Q')",
		`type(os.time()), os.time({year = 2020, month = 1, day = 1, hour = 0}) < os.time()`: "number true",
		`os.execute("exit 3")`:                                                              "nil exit 3",
		`os.execute("true")`:                                                                "true exit 0",
		`io.popen("exit 2"):close()`:                                                        "nil exit 2",
		`io.open("/no/such/file")`:                                                          "nil /no/such/file: No such file or directory 2",
		`os.remove("/no/such/file")`:                                                        "nil /no/such/file: No such file or directory 2",
		`type(collectgarbage("count"))`:                                                     "number",
		`collectgarbage()`:                                                                  "0",
		`_VERSION, type(module), type(unpack), type(setfenv)`:                               "Lua 5.2 function function function",
		`getmetatable(nil), getmetatable(1)`:                                                "false false",
		`pcall(pairs, nil)`:                                                                 "false bad argument #1 to 'pairs' (table expected, got nil)",
		`pcall(ipairs)`:                                                                     "false bad argument #1 to 'ipairs' (table expected, got no value)",
		`#{n = 1, 10, 20}`:                                                                  "2",
		`pcall(string.rep, "x", 1e10)`:                                                      "false resulting string too large",
		`pcall(string.rep)`:                                                                 "false bad argument #1 to 'rep' (string expected, got no value)",
		`pcall(string.find, "a", "[a")`:                                                     "false malformed pattern (missing ']')",
		`pcall(string.find, "a", "%")`:                                                      "false malformed pattern (ends with '%')",
		`pcall(string.gsub, "a", "a", "%2")`:                                                "false invalid capture index %2",
		`(function() goto done do return 1 end ::done:: return 2 end)()`:                    "2",
		`tostring(print):match("^function: builtin")`:                                       "function: builtin",
		`next({}), type(next)`:                                                              "nil function",
		`select(-1, 1, 2, 3)`:                                                               "3",
		`debug.traceback("m", 1):match("^m\nstack traceback:\n\t")`:                         "m\nstack traceback:\n\t",
	} {
		got := b.lua("local function show(...) local t = {} for i = 1, select('#', ...) do t[i] = tostring((select(i, ...))) end stream:write(table.concat(t, ' ')) end show(" + expression + ")")
		got = stripPosition(got)
		if got != want {
			t.Errorf("%s\n got %q\nwant %q\n%s", expression, got, want, b.logged())
		}
	}
}

// stripPosition takes the script's position out of a message.
func stripPosition(s string) string {
	if at := strings.Index(s, "/s1"); at >= 0 {
		if end := strings.Index(s[at:], ": "); end >= 0 {
			begin := strings.LastIndexByte(s[:at], ' ') + 1
			return s[:begin] + s[at+end+2:]
		}
	}
	return s
}

func TestLibrary_Files(t *testing.T) {
	b := newBox(t, "", nil)
	for script, want := range map[string]string{
		`local f = assert(io.open("F", "w")) f:write("line 1\nline 2\n"):write(3, "\n") f:close() for l in io.lines("F") do stream:write("[" .. l .. "]") end stream:write(tostring(os.remove("F")))`:                          "[line 1][line 2][3]true",
		`local f = io.open("F", "w+") f:write("12 0x10 abc") f:seek("set") stream:write(f:read("*n") .. " " .. f:read("n") .. f:read(2) .. f:read("*a") .. "|" .. tostring(f:read("*a")) .. tostring(f:read("*l"))) f:close()`: "12 16 abc|nil",
		`local f = io.open("F", "w") stream:write(io.type(f) .. tostring(io.type(1))) f:close() stream:write(io.type(f) .. tostring(pcall(f.read, f)))`:                                                                        "filenilclosed filefalse",
		`local f = io.open("F", "a") f:write("x") stream:write(f:seek("end")) f:close() io.open("F", "a"):write("y"):close() stream:write(io.open("F"):read("*all"))`:                                                          "1xy",
		`local h = io.popen("cat > " .. "F", "w") h:write("through a pipe") stream:write(tostring(h:close()) .. io.open("F"):read("*a"))`:                                                                                      "truethrough a pipe",
		`local h = io.popen("printf 'a\nb\n'") for l in h:lines() do stream:write("<" .. l .. ">") end h:close()`:                                                                                                              "<a><b>",
	} {
		if got := b.lua(strings.ReplaceAll(script, `"F`, `"`+t.TempDir()+`/f`)); got != want {
			t.Errorf("%s\n got %q\nwant %q\n%s", script, got, want, b.logged())
		}
	}
}

func TestLibrary_PrintGoesToTheLogAndTheTerminal(t *testing.T) {
	b := newBox(t, "", nil)
	b.logged()
	if got := b.api(`lua ~print(string.find("1234#5678","(%d+)#(%d+)"))`); got != "" {
		t.Errorf("answered %q", got)
	}
	b.lua(`io.write("by io ", 1, "\n")`)
	const want = "1\t9\t1234\t5678\nby io 1\n"
	if got := b.print.String(); got != want {
		t.Errorf("printed %q", got)
	}
	if got := b.logged(); !strings.Contains(got, "[CONSOLE] 1\t9\t1234\t5678\n") {
		t.Errorf("logged %q", got)
	}
}

func TestRequire_FindsModulesBesideScriptsAndByPath(t *testing.T) {
	b := newBox(t, `<settings><param name="script-directory" value="DIR/?.lua"/></settings>`, nil)
	b.write("beside.lua", `return {name = "beside" .. (...)}`)
	if got := b.lua(`stream:write(require("beside").name .. tostring(require("beside") == require("beside")))`); got != "besidebesidetrue" {
		t.Errorf("got %q\n%s", got, b.logged())
	}
	if got := b.lua(`local ok, e = pcall(require, "some.module") stream:write(e)`); !strings.HasPrefix(stripPosition(got), "module 'some.module' not found:\n\tno field package.preload['some.module']\n\tno file '") {
		t.Errorf("got %q", got)
	}
	b.write("broken.lua", "x = = 1")
	if got := b.lua(`local ok, e = pcall(require, "broken") stream:write(e)`); !strings.Contains(got, "error loading module 'broken' from file 'broken.lua':\n\t"+b.dir+"/broken.lua:1: unexpected symbol near '='") {
		t.Errorf("got %q", got)
	}
	if got := b.lua(`stream:write(dofile("` + b.dir + `/beside.lua").name)`); !strings.HasSuffix(got, "-ERR Cannot execute script\n") {
		t.Errorf("dofile without name: %q", got)
	}
}

func TestShell_IsRefusedWithoutLeave(t *testing.T) {
	b := newBox(t, "", func(o *Options) { o.AllowShell = false })
	const refused = "running programs is not allowed (set allow_shell in switch.conf)"
	if got := b.lua(`local ok, e = pcall(io.popen, "echo x") stream:write(tostring(ok) .. e)`); !strings.HasPrefix(got, "false") || !strings.HasSuffix(got, refused) {
		t.Errorf("io.popen: %q", got)
	}
	file := filepath.Join(t.TempDir(), "made")
	b.logged()
	if got := b.lua(`stream:write(tostring(os.execute("echo x > ` + file + `")) .. (select(2, os.execute("sleep 1; echo x > ` + file + `"))) .. (select(3, os.execute("true"))))`); got != "nilexit126" {
		t.Errorf("os.execute: %q", got)
	}
	if got := b.logged(); strings.Count(got, "os.execute: "+refused) != 3 {
		t.Errorf("the log says %q", got)
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("the program ran: %v", err)
	}
	begun := time.Now()
	if got := b.lua(`stream:write(tostring(os.execute("sleep 0.2")))`); got != "true" || time.Since(begun) < 200*time.Millisecond {
		t.Errorf("a pause: %q after %v", got, time.Since(begun))
	}
	if got := b.lua(`stream:write(tostring(os.execute()) .. tostring(freeswitch.email("a@b.c", "d@e.f", "", "x")))`); got != "falsefalse" {
		t.Errorf("got %q", got)
	}
}

func TestLimits_EndScripts(t *testing.T) {
	b := newBox(t, "", func(o *Options) { o.Limits = Limits{Compute: time.Second, Text: 1 << 20} })
	ends := func(b *box, script, want string) {
		t.Helper()
		b.logged()
		begun := time.Now()
		b.lua(script)
		if got := b.logged(); !strings.Contains(got, want) {
			t.Errorf("%s\n got %.300q\nwant %q", script, got, want)
		}
		if spent := time.Since(begun); spent > patience {
			t.Errorf("%s took %v", script, spent)
		}
	}
	for script, want := range map[string]string{
		`while true do end`: "time limit reached",
		`while true do pcall(function() while true do end end) end`: "time limit reached",
		`string.rep("a", 30000):find(string.rep("a-", 30) .. "b")`:  "",
	} {
		ends(b, script, want)
	}
	roomy := newBox(t, "", func(o *Options) { o.Limits = Limits{Compute: patience, Text: 1 << 20} })
	for script, want := range map[string]string{
		`local s = "x" while true do s = s .. s end`:                                                    "not enough memory: a string of ",
		`local s = string.rep("x", 2000000)`:                                                            "resulting string too large",
		`local t = {} local x = string.rep("x", 100000) for i = 1, 100 do t[i] = x end table.concat(t)`: "not enough memory: a string of ",
		`for i = 1, 200 do stream:write(string.rep("x", 100000)) end`:                                   "not enough memory: a stream takes",
		`local function f() return f() + 1 end f()`:                                                     "stack overflow",
	} {
		ends(roomy, script, want)
	}
	if got := b.lua(`freeswitch.msleep(200) stream:write("rested")`); got != "rested" {
		t.Errorf("a script that waits was ended: %q", got)
	}
}

func TestHost_CloseEndsScripts(t *testing.T) {
	b := newBox(t, "", nil)
	b.api("luarun ~freeswitch.API():execute('out', 'in') while true do freeswitch.msleep(1) end")
	b.api("luarun ~freeswitch.API():execute('out', 'asleep') freeswitch.msleep(1000000)")
	b.until("in")
	b.until("asleep")
	b.host.Close()
	if got := b.lua(`stream:write("x")`); got != "-ERR Cannot execute script\n" {
		t.Errorf("after Close: %q", got)
	}
}

// A script that is ended before its first instruction ends like any other.
func TestHost_CloseAtTheStartOfAScript(t *testing.T) {
	b := newBox(t, "", nil)
	s := b.host.newScript("ended", t.Context(), nil)
	defer s.close()
	s.cancel(errStopped)
	if err := s.run(parseCommand("~x = 1")); err == nil || !strings.Contains(err.Error(), "stopped by lua stop") {
		t.Errorf("%v", err)
	}
}

func TestHost_ScriptIsReadAgainWhenItChanges(t *testing.T) {
	b := newBox(t, "", nil)
	b.write("x.lua", `stream:write("one")`)
	first := b.api("lua x.lua")
	b.write("x.lua", `stream:write("two, longer")`)
	if got := first + b.api("lua x.lua"); got != "onetwo, longer" {
		t.Errorf("got %q", got)
	}
}

func FuzzPlainEscapes(f *testing.F) {
	for _, seed := range []string{`"\x41\z  b" -- [[ \x`, "[==[ \\x41 ]==] '\\u{41}'", "#!/x\n'\\", "--[[", "[=["} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) {
		if len(source) > 10000 {
			return
		}
		out, err := plainEscapes(source)
		if err == nil && strings.Count(out, "\n") != strings.Count(source, "\n") && !strings.Contains(source, `\z`) {
			t.Errorf("lines moved: %q to %q", source, out)
		}
		compile(source, "fuzz")
	})
}

func FuzzMatcher(f *testing.F) {
	f.Add("hello world", "(%w+) %f[%a]%b()")
	f.Add("aaa", "a-b?[^%s]*$")
	f.Fuzz(func(t *testing.T, subject, pattern string) {
		if len(subject) > 200 || len(pattern) > 50 {
			return
		}
		steps := 0
		m := &matcher{subject: subject, pattern: pattern, stopped: func() error {
			if steps++; steps > 20 {
				return errPatternDeep
			}
			return nil
		}}
		start, end := m.find(0)
		if start >= 0 && (end < start || end > len(subject)) {
			t.Errorf("match %d to %d of %d", start, end, len(subject))
		}
	})
}
