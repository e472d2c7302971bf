package lua

import (
	"fmt"
	"time"

	glua "github.com/yuin/gopher-lua"

	"github.com/switchlet/switchlet/call"
)

// function is one row of the functions in the table freeswitch.
type function struct {
	name, shown, signature string
	run                    func(a *arguments) int
}

// functions of the table freeswitch (spec/lua.md §2.2).
func functions() []function {
	log := func(a *arguments) int {
		a.s.logAt(logLevel(a.str(0)), "switch_cpp.cpp", "console_log", 1, a.str(1))
		return 0
	}
	log2 := func(a *arguments) int {
		a.s.logAt(logLevel(a.str(0)), a.str(1), a.str(2), a.num(3, 0), a.str(4))
		return 0
	}
	clean := func(a *arguments) int {
		a.s.host.sw.Log.Write(&call.LogLine{Level: call.LogDebug, Channel: call.LogClean, File: "switch_cpp.cpp", Func: "console_clean_log", Line: 1, Text: a.str(0)})
		return 0
	}
	none := func(*arguments) int { return 0 }
	return []function{
		{"consoleLog", "consoleLog", "ss", log},
		{"console_log", "console_log", "ss", log},
		{"consoleLog2", "consoleLog2", "sssis", log2},
		{"console_log2", "console_log2", "sssis", log2},
		{"consoleCleanLog", "consoleCleanLog", "s", clean},
		{"console_clean_log", "console_clean_log", "s", clean},
		{"getGlobalVariable", "getGlobalVariable", "s", func(a *arguments) int {
			v := a.s.host.sw.Globals.Get(a.str(0))
			return a.pushOptional(v, v != "")
		}},
		{"setGlobalVariable", "setGlobalVariable", "ss", func(a *arguments) int {
			a.s.host.sw.Globals.Set(a.str(0), a.str(1))
			return 0
		}},
		{"msleep", "switch_msleep", "u", func(a *arguments) int {
			a.s.pause(milliseconds(a.num(0, 0)))
			return 0
		}},
		{"running", "running", "", func(a *arguments) int { return a.pushBool(a.s.host.sw.Running() && a.s.ctx.Err() == nil) }},
		{"email", "email", "ss|sssss", func(a *arguments) int {
			return a.pushBool(a.s.email(message{to: a.str(0), from: a.str(1), headers: a.str(2), body: a.str(3),
				file: a.str(4), convert: a.str(5), extension: a.str(6)}))
		}},
		{"bridge", "bridge", "RR", func(a *arguments) int {
			bridge(a.L, a.session(0), a.session(1))
			return 0
		}},
		{"hanguphook", "hanguphook", "V", none},
		{"dtmf_callback", "dtmf_callback", "VVVVi", none},
	}
}

// in makes the function for a script.
func (f function) in(s *script) glua.LValue {
	return s.L.NewFunction(func(L *glua.LState) int {
		a := &arguments{s: s, L: L, n: L.GetTop()}
		if low, high := bounds(f.signature); a.n < low || a.n > high {
			s.raise(L, "Error in %s expected %d..%d args, got %d", f.shown, low, high, a.n)
		}
		if i, kind := s.misfit(a, f.signature); i >= 0 {
			s.raise(L, "Error in %s (arg %d), expected '%s' got '%s'", f.shown, i+1, ctypes[kind], s.typeName(a.value(i)))
		}
		return f.run(a)
	})
}

// pause blocks the script for d, or until it is ended.
func (s *script) pause(d time.Duration) {
	defer s.rest()()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.ctx.Done():
	}
}

// print writes a line to the log, without header, and to the host's terminal.
func (s *script) print(line string) {
	s.host.sw.Log.Write(&call.LogLine{Level: call.LogConsole, Channel: call.LogClean, Text: line})
	if w := s.host.opts.Print; w != nil {
		fmt.Fprint(w, line)
	}
}
