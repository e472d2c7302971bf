package lua

import (
	"flag"
	"os"
	"strings"
	"sync"
	"testing"
)

var updateStandard = flag.Bool("update-standard", false, "write testdata/standard.txt")

// walker returns the path and kind of all that a script finds, a line each. A table
// that has two names is named by the first.
const walker = `
local seen, lines = {}, {}
local function walk(path, v)
	local kind = type(v)
	if kind == "number" then kind = kind .. " " .. tostring(v) end
	if kind == "string" then kind = kind .. " " .. string.format("%q", v):gsub("\\\n", "\\n") end
	if kind == "table" then
		if seen[v] then lines[#lines + 1] = path .. " = " .. seen[v] return end
		seen[v] = path
	end
	lines[#lines + 1] = path .. ": " .. kind
	if type(v) ~= "table" then return end
	local names = {}
	for k in pairs(v) do names[#names + 1] = k end
	table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
	for _, k in ipairs(names) do
		if type(k) == "string" then walk(path .. string.format("[%q]", k), v[k]) else walk(path .. "[" .. tostring(k) .. "]", v[k]) end
	end
	if getmetatable(v) then walk("getmetatable(" .. path .. ")", getmetatable(v)) end
end
local out = stream
package.path, stream, env, argv = "", nil, nil, nil
walk("_G", _G)
walk('getmetatable("")', getmetatable(""))
for _, name in ipairs {"API()", "Event('MESSAGE')", "EventConsumer()", "Stream()", "DTMF('1')", "JSON()", "Session()"} do
	walk("getmetatable(freeswitch." .. name .. ")", getmetatable(loadstring("return freeswitch." .. name)()))
end
walk("getmetatable(io.stdout)", getmetatable(io.stdout))
out:write(table.concat(lines, "\n") .. "\n")
`

// What scripts find is a file of its own, so that nothing gets lost or is added unseen.
func TestStandard_IsAsListed(t *testing.T) {
	t.Parallel()
	b := newBox(t, "", nil)
	b.write("walk.lua", walker)
	got := b.api("lua walk.lua")
	if *updateStandard {
		if err := os.WriteFile("testdata/standard.txt", []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	compareStandard(t, got)
}

func compareStandard(t *testing.T, got string) {
	t.Helper()
	want, err := os.ReadFile("testdata/standard.txt")
	if err != nil {
		t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	is, was := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range was {
		if i >= len(is) || is[i] != was[i] {
			t.Fatalf("line %d of testdata/standard.txt: want %q, got %q", i+1, was[i], is[min(i, len(is)-1)])
		}
	}
	t.Fatalf("more than testdata/standard.txt has: %q", is[len(was)-1:])
}

// Each entry is there for a script that asks for nothing but it, too.
func TestStandard_EntriesAreThereOneByOne(t *testing.T) {
	t.Parallel()
	b := newBox(t, "", nil)
	list, err := os.ReadFile("testdata/standard.txt")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(list)) {
		line = strings.TrimSuffix(line, "\n")
		if path, same, ok := strings.Cut(line, " = "); ok {
			if got := b.api("lua ~stream:write(tostring(rawequal(" + path + ", " + same + ")))"); got != "true" {
				t.Errorf("%s and %s are not the same: %s", path, same, got)
			}
			n++
			continue
		}
		path, kind, _ := strings.Cut(line, ": ")
		kind, value, _ := strings.Cut(kind, " ")
		if path == `_G["package"]["path"]` {
			continue // the walker's own
		}
		source := "local v = " + path + " stream:write(type(v))"
		switch kind {
		case "number":
			source += ` stream:write(" " .. tostring(v))`
		case "string":
			source += " stream:write(' ' .. string.format('%q', v))"
			value = strings.ReplaceAll(value, `\n`, "\\\n")
		}
		want := strings.TrimSpace(kind + " " + value)
		if got := b.api("lua ~" + source); got != want {
			t.Errorf("%s: want %q, got %q", path, want, got)
		}
		n++
	}
	if n < 400 {
		t.Errorf("only %d entries were tried", n)
	}
}

// Tables that get their entries when they are asked for look like any other to scripts.
func TestStandard_TablesLookComplete(t *testing.T) {
	t.Parallel()
	b := newBox(t, "", nil)
	for source, want := range map[string]string{
		`return type(next(string))`:                                                                                                                    "string",
		`return type(rawget(string, "format"))`:                                                                                                        "function",
		`return type(rawget(_G, "print")), rawget(_G, "no_such")`:                                                                                      "function nil",
		`rawset(string, "format", 1) return string.format`:                                                                                             "1",
		`string.format = nil return string.format, rawget(string, "format")`:                                                                           "nil nil",
		`string.format = nil return next(string) ~= nil, string.format`:                                                                                "true nil",
		`string.format = 5 for k in pairs(string) do end return string.format`:                                                                         "5",
		`local f = string.format return f == string.format, f == rawget(string, "format")`:                                                             "true true",
		`print = nil return print, rawget(_G, "print")`:                                                                                                "nil nil",
		`string = nil return string, package.loaded.string.upper("x"), ("x"):rep(2)`:                                                                   "nil X xx",
		`return getmetatable(_G), getmetatable(string), debug.getmetatable(table)`:                                                                     "nil nil nil",
		`return getmetatable(getmetatable(stream)), getmetatable(getmetatable(stream)[".fn"])`:                                                         "nil nil",
		`setmetatable(_G, {__index = function(_, k) return "no " .. k end}) return zzz, type(os)`:                                                      "no zzz table",
		`setmetatable(_G, {__newindex = function() error("strict", 0) end}) local ok, e = pcall(function() zzz = 1 end) print = 7 return ok, e, print`: "false strict 7",
		`setmetatable(string, {__index = table}) return type(string.concat), type(string.format)`:                                                      "function function",
		`debug.setmetatable(string, {__index = table}) return type(string.concat), type(string.format)`:                                                "function function",
		`return #string, rawlen(string)`:                                                                                                               "0 0",
		`string[1] = "a" return #string, string[1], type(string.rep)`:                                                                                  "1 a function",
		`_G.x = 1 _G.x = nil return x, rawget(_G, "x"), _G[1], _G[true]`:                                                                               "nil nil nil nil",
		`return select(2, pcall(function() _G[nil] = 1 end))`:                                                                                          "*:1: table index is nil",
		`return select(2, pcall(function() string[0/0] = 1 end))`:                                                                                      "*:1: table index is NaN",
		`next = 5 local n = 0 for _ in pairs({1, 2}) do n = n + 1 end return n`:                                                                        "2",
		`return next == pairs({})`:                                                                                                                     "true",
		`package.seeall(string) return type(string.print), type(string.rep)`:                                                                           "function function",
		`module("m", package.seeall) x = 1 return x, m.x, package.loaded.m == m`:                                                                       "1 1 true",
		`package.loaded.string = 5 return require("string"), type(string)`:                                                                             "5 table",
		`return require("string") == string, require("table") == table`:                                                                                "true true",
		`package = nil return pcall(require, "string")`:                                                                                                "false *'package.loaded' must be a table*",
		`package.loaders = nil return type(package.searchers), type(package.searchers[1])`:                                                             "table function",
		`return tostring(freeswitch.API()):match("^<userdata of type 'API %*' at ")`:                                                                   "<userdata of type 'API *' at",
		`getmetatable(stream)[".fn"].read = nil return stream.read`:                                                                                    "nil",
		`getmetatable(stream)[".fn"].twice = function(s, x) s:write(x .. x) end stream:twice("a") return ""`:                                           "aa",
		`local t = {} for k in pairs(getmetatable(stream)) do t[#t + 1] = k end return #t`:                                                             "11",
		`setfenv(1, string) return rep("x", 2)`:                                                                                                        "xx",
		`local f = setfenv(function() return upper("x") end, getmetatable("").__index) return f()`:                                                     "X",
		`return getfenv(1) == _G, getfenv(print) == _G, debug.getfenv(print) == _G`:                                                                    "true true true",
		`return freeswitch.JSON():encode(package.loaded.string == string and {1} or {})`:                                                               "[1]",
		`local c = coroutine.wrap(function() return string.upper("c"), type(math.floor) end) return c()`:                                               "C function",
	} {
		got := b.api("lua ~local function w(...) for i = 1, select('#', ...) do if i > 1 then stream:write(' ') end stream:write(tostring((select(i, ...)))) end end local write, w = stream.write, w w((function(...) " + source + " end)())")
		if !same(strings.TrimSpace(got), want) {
			t.Errorf("%s\nwant %q\n got %q", source, want, got)
		}
	}
}

// vandal changes what it finds in every way that Lua has.
const vandal = `
local next, type, pcall, ipairs, getinfo, setfenv = next, type, pcall, ipairs, debug.getinfo, debug.setfenv
local setupvalue, setmt, getmt = debug.setupvalue, debug.setmetatable, debug.getmetatable
local bad = function() return "vandal" end
-- The functions behind errors, which a handler finds on the stack.
local wrecks = {function() local x = nil; x.y = 1 end, function() local x return x .. {} end, function() local x return x() end,
	function() return 1 + {} end, function() local x return #x end, function() return (true).x end, function() return (5).x end}
for _, wreck in ipairs(wrecks) do
	xpcall(wreck, function()
		for level = 1, 10 do
			local i = getinfo(level, "f")
			if i and i.func then pcall(setfenv, i.func, {}) pcall(setupvalue, i.func, 1, bad) end
		end
	end)
end
for _, v in ipairs({"", 1, true, bad}) do pcall(setmt, v, {__index = bad, __call = bad, __add = bad}) end
pcall(setmt, nil, {__index = bad, __call = bad})
local tables, seen = {_G, getmt(stream), getmt(freeswitch.API()), getmt(freeswitch.Session()), getmt(io.stdout)}, {}
while #tables > 0 do
	local t = tables[#tables]
	tables[#tables] = nil
	if not seen[t] then
		seen[t] = true
		local names = {}
		for k, v in next, t do
			names[#names + 1] = k
			if type(v) == "table" then tables[#tables + 1] = v end
			if type(v) == "function" then pcall(setfenv, v, {}) pcall(setupvalue, v, 1, bad) end
		end
		local m = getmt(t)
		if type(m) == "table" then tables[#tables + 1] = m end
		for _, k in ipairs(names) do t[k] = bad end
		t.vandal = "was here"
		pcall(setmt, t, {__index = bad})
	end
end
`

// Whatever a script does to what it finds, the next and those beside it find all as it
// was.
func TestStandard_NoScriptSeesWhatAnotherChanged(t *testing.T) {
	t.Parallel()
	b := newBox(t, "", nil)
	b.write("vandal.lua", vandal)
	b.write("walk.lua", walker)
	b.write("errors.lua", `
		local function message(f) return (select(2, pcall(f)):gsub("^.-:%d+: ", "")) end
		local x
		local list = {message(function() return x.y end), message(function() return #x end), message(function() return x() end), message(function() return 1 + {} end),
			message(function() return true .. "" end), ("x"):rep(2), tostring(vandal), tostring(string.vandal)}
		xpcall(function() return x.y end, function()
			for level = 1, 5 do local i = debug.getinfo(level, "f") if i then list[#list + 1] = tostring(i.func == nil or debug.getfenv(i.func) == _G) end end
		end)
		stream:write(table.concat(list, "|"))`)
	before := b.api("lua errors.lua")
	if !strings.HasPrefix(before, "attempt to index upvalue 'x' (a nil value)|") || !strings.Contains(before, "|xx|nil|nil|true") {
		t.Fatalf("errors.lua: %q", before)
	}
	if got := b.api("lua vandal.lua"); got != "" {
		t.Fatalf("vandal.lua: %q\n%s", got, b.logged())
	}
	compareStandard(t, b.api("lua walk.lua"))
	if got := b.api("lua errors.lua"); got != before {
		t.Errorf("errors afterwards: %q, before: %q", got, before)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 5 {
				b.api("lua vandal.lua")
				if got := b.api("lua errors.lua"); got != before {
					t.Errorf("errors meanwhile: %q, before: %q", got, before)
				}
			}
		})
	}
	all.Wait()
	compareStandard(t, b.api("lua walk.lua"))
}
