package lua

import (
	"math"
	"runtime"
	"strings"

	glua "github.com/yuin/gopher-lua"
)

// coroutineLibrary words the errors of coroutine.resume as Lua does, and has new
// coroutines run under the script's own context. The machine would give each a context
// that is kept until the script ends, and under which it is not seen to.
func coroutineLibrary(machine builtins) library {
	resume := machine.function("coroutine", "resume")
	lib := library{"resume": func(s *script, L *glua.LState) int {
		th, _ := L.Get(1).(*glua.LState)
		switch {
		case th != nil && th.Dead:
			L.Push(glua.LFalse)
			L.Push(glua.LString("cannot resume dead coroutine"))
			return 2
		case th != nil && L.G.CurrentThread == th:
			L.Push(glua.LFalse)
			L.Push(glua.LString("cannot resume non-suspended coroutine"))
			return 2
		}
		return resume(L)
	}}
	for _, name := range []string{"create", "wrap"} {
		make := machine.function("coroutine", name)
		lib[name] = func(s *script, L *glua.LState) int {
			L.RemoveContext()
			defer L.SetContext(s.pulse)
			n := make(L)
			switch v := L.Get(-1).(type) {
			case *glua.LState:
				v.SetContext(s.pulse)
			case *glua.LFunction: // of wrap, which keeps the coroutine to itself
				if len(v.Upvalues) > 0 {
					if th, ok := v.Upvalues[0].Value().(*glua.LState); ok {
						th.SetContext(s.pulse)
					}
				}
			}
			return n
		}
	}
	return lib
}

// filled has the tables that a function of the machine is called with filled before:
// it looks into them without asking for what they lack.
func filled(fn glua.LGFunction) func(*script, *glua.LState) int {
	return func(s *script, L *glua.LState) int {
		s.fill(L.Get(1))
		s.fill(L.Get(2))
		return fn(L)
	}
}

func baseLibrary(machine builtins) library {
	module := machine.function("_G", "module")
	return library{
		"rawget":       filled(machine.function("_G", "rawget")),
		"rawset":       filled(machine.function("_G", "rawset")),
		"getmetatable": filled(machine.function("_G", "getmetatable")),
		"setmetatable": filled(machine.function("_G", "setmetatable")),
		"require":      requireModule,
		"module": func(s *script, L *glua.LState) int {
			loaded := s.library("package.loaded")
			s.fill(s.L.G.Global)
			s.fill(loaded)
			s.L.G.Registry.RawSetString("_LOADED", loaded)
			return module(L)
		},
		"print":          basePrint,
		"tostring":       baseToString,
		"tonumber":       baseToNumber,
		"error":          baseError,
		"assert":         baseAssert,
		"pcall":          basePCall,
		"xpcall":         baseXPCall,
		"load":           baseLoad,
		"loadstring":     baseLoadString,
		"loadfile":       baseLoadFile,
		"dofile":         baseDoFile,
		"pairs":          basePairs,
		"ipairs":         baseIPairs,
		"rawlen":         baseRawLen,
		"unpack":         tableUnpack,
		"collectgarbage": baseCollect,
	}
}

// toString is tostring: __tostring counts, numbers look as Lua's.
func (s *script) toString(L *glua.LState, v glua.LValue) string {
	if isText(v) {
		return text(v)
	}
	if mt, ok := L.GetMetatable(v).(*glua.LTable); ok {
		if fn := s.get(mt, "__tostring"); fn.Type() == glua.LTFunction {
			L.Push(fn)
			L.Push(v)
			L.Call(1, 1)
			result := L.Get(-1)
			L.Pop(1)
			if !isText(result) {
				s.raise(L, "'tostring' must return a string to 'print'")
			}
			return text(result)
		}
	}
	if fn, ok := v.(*glua.LFunction); ok && fn.IsG {
		return strings.Replace(fn.String(), "function: ", "function: builtin: ", 1)
	}
	return v.String()
}

func basePrint(s *script, L *glua.LState) int {
	var line strings.Builder
	for i := 1; i <= L.GetTop(); i++ {
		if i > 1 {
			line.WriteByte('\t')
		}
		line.WriteString(s.toString(L, L.Get(i)))
	}
	line.WriteByte('\n')
	s.print(line.String())
	return 0
}

func baseToString(s *script, L *glua.LState) int {
	if L.GetTop() == 0 {
		s.argError(L, 1, "tostring", "value expected")
	}
	L.Push(glua.LString(s.toString(L, L.Get(1))))
	return 1
}

func baseToNumber(s *script, L *glua.LState) int {
	if L.GetTop() == 0 {
		s.argError(L, 1, "tonumber", "value expected")
	}
	if L.Get(2) != glua.LNil {
		base := int(s.checkNumber(L, 2, "tonumber"))
		if base < 2 || base > 36 {
			s.argError(L, 2, "tonumber", "base out of range")
		}
		if n, ok := parseBase(s.checkText(L, 1, "tonumber"), base); ok {
			L.Push(glua.LNumber(n))
			return 1
		}
		L.Push(glua.LNil)
		return 1
	}
	if n, ok := number(L.Get(1)); ok {
		L.Push(glua.LNumber(n))
		return 1
	}
	L.Push(glua.LNil)
	return 1
}

// parseBase reads an integer in a base from 2 to 36.
func parseBase(str string, base int) (float64, bool) {
	str = strings.ToLower(strings.Trim(str, " \t\n\v\f\r"))
	negative := strings.HasPrefix(str, "-")
	str = strings.TrimPrefix(str, "-")
	n := 0.0
	for i := 0; i < len(str); i++ {
		d := 99
		switch c := str[i]; {
		case isDigit(c):
			d = int(c - '0')
		case c >= 'a' && c <= 'z':
			d = int(c-'a') + 10
		}
		if d >= base {
			return 0, false
		}
		n = n*float64(base) + float64(d)
	}
	if negative {
		n = -n
	}
	return n, str != ""
}

func baseError(s *script, L *glua.LState) int {
	level := int(s.optNumber(L, 2, "error", 1))
	v := L.Get(1)
	if str, ok := v.(glua.LString); ok && level > 0 {
		L.Error(str, level)
		return 0
	}
	L.Error(v, 0)
	return 0
}

func baseAssert(s *script, L *glua.LState) int {
	if L.GetTop() == 0 {
		s.argError(L, 1, "assert", "value expected")
	}
	if glua.LVAsBool(L.Get(1)) {
		return L.GetTop()
	}
	if L.GetTop() < 2 {
		s.raise(L, "assertion failed!")
	}
	L.Error(L.Get(2), 0)
	return 0
}

func basePCall(s *script, L *glua.LState) int {
	if L.GetTop() == 0 {
		s.argError(L, 1, "pcall", "value expected")
	}
	if err := L.PCall(L.GetTop()-1, glua.MultRet, nil); err != nil {
		L.Push(glua.LFalse)
		L.Push(s.messageOf(err))
		return 2
	}
	L.Insert(glua.LTrue, 1)
	return L.GetTop()
}

func baseXPCall(s *script, L *glua.LState) int {
	if L.GetTop() < 2 {
		s.argError(L, 2, "xpcall", "value expected")
	}
	fn, handler := L.Get(1), L.Get(2)
	top := L.GetTop()
	L.Push(fn)
	for i := 3; i <= top; i++ {
		L.Push(L.Get(i))
	}
	wrapped := L.NewFunction(func(L *glua.LState) int {
		v := L.Get(1)
		if message, ok := v.(glua.LString); ok {
			v = glua.LString(s.plainMessage(string(message)))
		}
		L.Push(handler)
		L.Push(v)
		L.Call(1, 1)
		return 1
	})
	s.hidden[wrapped] = true
	defer delete(s.hidden, wrapped)
	if err := L.PCall(top-2, glua.MultRet, wrapped); err != nil {
		L.Push(glua.LFalse)
		L.Push(s.messageOf(err))
		return 2
	}
	L.Insert(glua.LTrue, top+1)
	return L.GetTop() - top
}

func basePairs(s *script, L *glua.LState) int {
	v := L.Get(1)
	s.fill(v)
	if mt, ok := L.GetMetatable(v).(*glua.LTable); ok {
		if fn := mt.RawGetString("__pairs"); fn.Type() == glua.LTFunction {
			L.Push(fn)
			L.Push(v)
			L.Call(1, 3)
			return 3
		}
	}
	if v.Type() != glua.LTTable {
		s.argError(L, 1, "pairs", "table expected, got "+s.given(L, 1))
	}
	L.Push(s.nextFunction())
	L.Push(v)
	L.Push(glua.LNil)
	return 3
}

// nextFunction is next, whatever the script has made of the global of that name.
func (s *script) nextFunction() *glua.LFunction {
	if s.next == nil {
		fn := filled(s.std.next)
		s.next = s.L.NewFunction(func(L *glua.LState) int { return fn(s, L) })
	}
	return s.next
}

func baseIPairs(s *script, L *glua.LState) int {
	v := L.Get(1)
	if v.Type() != glua.LTTable {
		s.argError(L, 1, "ipairs", "table expected, got "+s.given(L, 1))
	}
	i := 0
	L.Push(L.NewFunction(func(L *glua.LState) int {
		i = int(glua.LVAsNumber(L.Get(2))) + 1
		item := v.(*glua.LTable).RawGetInt(i)
		if item == glua.LNil {
			L.Push(glua.LNil)
			return 1
		}
		L.Push(glua.LNumber(i))
		L.Push(item)
		return 2
	}))
	L.Push(v)
	L.Push(glua.LNumber(0))
	return 3
}

func baseRawLen(s *script, L *glua.LState) int {
	switch v := L.Get(1).(type) {
	case *glua.LTable:
		L.Push(glua.LNumber(v.Len()))
	case glua.LString:
		L.Push(glua.LNumber(len(v)))
	default:
		s.argError(L, 1, "rawlen", "table or string expected")
	}
	return 1
}

// baseCollect is collectgarbage. The collector runs by itself; what scripts ask
// for is answered, not done.
func baseCollect(s *script, L *glua.LState) int {
	switch text(L.Get(1)) {
	case "count":
		used := float64(heapSize()) / 1024
		L.Push(glua.LNumber(used))
		L.Push(glua.LNumber(math.Mod(used, 1) * 1024))
		return 2
	case "", "collect":
		runtime.Gosched()
	}
	L.Push(glua.LNumber(0))
	return 1
}

func debugLibrary(machine builtins) library {
	getEnv, setEnv := machine.function("debug", "getfenv"), machine.function("debug", "setfenv")
	builtin := func(v glua.LValue) bool {
		fn, ok := v.(*glua.LFunction)
		return ok && fn.IsG
	}
	return library{
		"getmetatable": filled(machine.function("debug", "getmetatable")),
		"setmetatable": filled(machine.function("debug", "setmetatable")),
		// Functions that are not written in Lua have no environment of their own; some
		// belong to all scripts.
		"getfenv": func(s *script, L *glua.LState) int {
			if builtin(L.Get(1)) {
				L.Push(L.G.Global)
				return 1
			}
			return getEnv(L)
		},
		"setfenv": func(s *script, L *glua.LState) int {
			if builtin(L.Get(1)) {
				L.SetTop(1)
				return 1
			}
			return setEnv(L)
		},
		"traceback": func(s *script, L *glua.LState) int {
			at := 1
			target := L
			if th, ok := L.Get(1).(*glua.LState); ok {
				target, at = th, 2
			}
			v := L.Get(at)
			if v != glua.LNil && !isText(v) {
				L.Push(v)
				return 1
			}
			level := int(s.optNumber(L, at+1, "traceback", 1))
			message := ""
			if v != glua.LNil {
				message = text(v) + "\n"
			}
			L.Push(glua.LString(message + s.stack(target, level)))
			return 1
		},
	}
}
