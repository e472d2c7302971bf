package lua

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	glua "github.com/yuin/gopher-lua"
)

// failure is an error of a script as it is logged: the message and the
// traceback. Text is "" for error values that carry no text.
type failure struct {
	text   string
	values []Variable
}

func (f *failure) Error() string { return f.text }

// raise throws a Lua error with the position of the calling Lua function.
// Not inlined: it is used at so many places that its copies would be large.
//
//go:noinline
func (s *script) raise(L *glua.LState, format string, args ...any) {
	raise(L, format, args...)
}

//go:noinline
func raise(L *glua.LState, format string, args ...any) {
	L.RaiseError("%s", fmt.Sprintf(format, args...))
}

// argError is Lua's error about an argument of a library function.
// Not inlined: it is used at so many places that its copies would be large.
//
//go:noinline
func (s *script) argError(L *glua.LState, n int, function, what string) {
	s.raise(L, "bad argument #%d to '%s' (%s)", n, function, what)
}

// protect calls fn with what was pushed behind it and turns a Lua error into a
// failure with a traceback.
func (s *script) protect(L *glua.LState, results int, fn glua.LValue, args ...glua.LValue) error {
	L.Push(fn)
	for _, a := range args {
		L.Push(a)
	}
	var f failure
	handled := false
	handler := L.NewFunction(func(L *glua.LState) int {
		f.text, handled = s.traceback(L), true
		f.values = s.atHand(L)
		return 1
	})
	if err := L.PCall(len(args), results, handler); err != nil {
		if cause := s.cancelled(); cause != nil {
			f.text = cause.Error() + where(f.text)
		} else if !handled {
			// There was no room left to call the handler.
			f.text = text(s.messageOf(err))
		}
		return &f
	}
	return nil
}

// where is the traceback in the text of an error, on lines of its own.
func where(text string) string {
	if i := strings.Index(text, "stack traceback:"); i >= 0 {
		return "\n" + text[i:]
	}
	return ""
}

// cancelled is why the script was ended from outside, nil while it may run.
func (s *script) cancelled() error {
	if s.ctx.Err() == nil {
		return nil
	}
	return fmt.Errorf("%s: script ended: %w", s.name, causeOf(s.ctx))
}

// traceback is the handler of uncaught errors: the message with a traceback, as
// debug.traceback words it. A nil message leaves only the traceback, a message
// that is no text leaves nothing.
func (s *script) traceback(L *glua.LState) string {
	v := L.Get(1)
	message := ""
	switch v := v.(type) {
	case glua.LString, glua.LNumber:
		message = s.plainMessage(text(v)) + "\n"
	case *glua.LNilType:
	default:
		return ""
	}
	return message + s.stack(L, 1)
}

// maxTraced is how many lines of a traceback are kept at each end.
const maxTraced = 11

// stack is the traceback from a level on.
func (s *script) stack(L *glua.LState, level int) string {
	var lines []string
	for i := level; len(lines) < 250; i++ {
		d, ok := L.GetStack(i)
		if !ok {
			break
		}
		fn, err := L.GetInfo("fSln", d, glua.LNil)
		if err != nil {
			break
		}
		f, _ := fn.(*glua.LFunction)
		if f == nil || s.isHidden(f) {
			continue
		}
		lines = append(lines, "\t"+describe(f, d))
		if d.What == "main" || !f.IsG && f.Proto.LineDefined == 0 {
			break
		}
	}
	if len(lines) > 2*maxTraced {
		lines = append(append(lines[:maxTraced:maxTraced], "\t..."), lines[len(lines)-maxTraced:]...)
	}
	return "stack traceback:\n" + strings.Join(lines, "\n")
}

func describe(f *glua.LFunction, d *glua.Debug) string {
	name := d.Name
	named := name != "" && name[0] != '(' && name[0] != '<' && name != "?" && name != "main chunk" && name != "corountine"
	switch {
	case f.IsG && named:
		return "[C]: in function '" + name + "'"
	case f.IsG:
		return "[C]: in ?"
	}
	place := fmt.Sprintf("%s:%d: in ", f.Proto.SourceName, d.CurrentLine)
	switch {
	case f.Proto.LineDefined == 0:
		return place + "main chunk"
	case named:
		return place + "function '" + name + "'"
	}
	return place + fmt.Sprintf("function <%s:%d>", f.Proto.SourceName, f.Proto.LineDefined)
}

// wordings are messages of the machine and what Lua says instead. Those about
// nil and other values without fields come from the metatables of kinds.
var wordings = []struct{ from, to string }{
	{"attempt to call a non-function object", "attempt to call a table value"},
	{"registry overflow", "stack overflow"},
	{"can not resume a dead thread", "cannot resume dead coroutine"},
	{"can not resume a running thread", "cannot resume non-suspended coroutine"},
	{"for statement init must be a number", "'for' initial value must be a number"},
	{"for statement limit must be a number", "'for' limit must be a number"},
	{"for statement step must be a number", "'for' step must be a number"},
	{"__unm undefined", "attempt to perform arithmetic on a table value"},
	{"__len undefined", "attempt to get length of a nil value"},
}

// argumentOf finds the name of a function that the machine leaves without quotes.
var argumentOf = regexp.MustCompile(`bad argument #\d+ to (\w+) \(`)

// plainMessage words a message of the machine as Lua does.
func (s *script) plainMessage(message string) string {
	for _, w := range wordings {
		if strings.Contains(message, w.from) {
			return strings.Replace(message, w.from, w.to, 1)
		}
	}
	if m := argumentOf.FindStringSubmatchIndex(message); m != nil {
		return message[:m[2]] + "'" + message[m[2]:m[3]] + "'" + message[m[3]:]
	}
	if at := strings.Index(message, "cannot perform "); at >= 0 {
		if _, types, ok := strings.Cut(message[at:], " operation between "); ok {
			left, right, _ := strings.Cut(types, " and ")
			culprit := left
			if left == "number" || left == "string" && right != "number" && right != "string" {
				culprit = right
			}
			return message[:at] + "attempt to perform arithmetic on a " + culprit + " value"
		}
	}
	if at := strings.Index(message, "attempt to compare "); at >= 0 {
		left, right, ok := strings.Cut(message[at+len("attempt to compare "):], " with ")
		if ok && left == right {
			return message[:at] + "attempt to compare two " + left + " values"
		}
	}
	if at := strings.Index(message, "attempt to index a non-table object("); at >= 0 {
		kind, _, _ := strings.Cut(message[at+len("attempt to index a non-table object("):], ")")
		return message[:at] + "attempt to index a " + kind + " value"
	}
	return message
}

// kinds are the metatables of values that have no fields. Their functions raise Lua's
// own messages, naming the variable: "attempt to index global 'x' (a nil value)". They
// are the same for all scripts, which cannot come by the tables (__metatable), and can
// change nothing about the functions.
type kinds struct {
	metas          []*glua.LTable // of nil, booleans, numbers and functions
	call, newindex *glua.LFunction
	// hidden are the functions, which tracebacks leave out.
	hidden map[*glua.LFunction]bool
}

func newKinds() kinds {
	k := kinds{hidden: make(map[*glua.LFunction]bool)}
	hide := func(fn glua.LGFunction) *glua.LFunction {
		f := &glua.LFunction{IsG: true, GFunction: fn}
		k.hidden[f] = true
		return f
	}
	complain := func(verb string, register func(instruction) int) *glua.LFunction {
		return hide(func(L *glua.LState) int {
			v := L.Get(1)
			raise(L, "attempt to %s %s", verb, variable(L, v, register))
			return 0
		})
	}
	arithmetic := hide(func(L *glua.LState) int {
		v := L.Get(2)
		register := instruction.c
		if _, ok := number(L.Get(1)); !ok {
			v, register = L.Get(1), instruction.b
		}
		raise(L, "attempt to perform arithmetic on %s", variable(L, v, register))
		return 0
	})
	index := complain("index", instruction.b)
	length := complain("get length of", instruction.b)
	k.newindex = complain("index", instruction.a)
	k.call = complain("call", instruction.a)
	for _, v := range kindSamples {
		mt := &glua.LTable{Metatable: glua.LNil}
		mt.RawSetString("__index", index)
		mt.RawSetString("__newindex", k.newindex)
		if v.Type() != glua.LTFunction {
			mt.RawSetString("__call", k.call)
		}
		if v.Type() != glua.LTNumber {
			for _, op := range []string{"__add", "__sub", "__mul", "__div", "__mod", "__pow", "__unm"} {
				mt.RawSetString(op, arithmetic)
			}
		}
		mt.RawSetString("__len", length)
		mt.RawSetString("__metatable", glua.LFalse)
		k.metas = append(k.metas, mt)
	}
	return k
}

// kindSamples are values of the kinds that share a metatable.
var kindSamples = []glua.LValue{glua.LNil, glua.LTrue, glua.LNumber(0), &glua.LFunction{IsG: true}}

// setKinds gives the metatables to a state. That of strings is the script's own: it may
// change it.
func (s *script) setKinds() {
	for i, v := range kindSamples {
		s.L.SetMetatable(v, s.std.kinds.metas[i])
	}
	strings := s.L.CreateTable(0, smallTable)
	strings.RawSetString("__index", s.library("string"))
	strings.RawSetString("__call", s.std.kinds.call)
	strings.RawSetString("__newindex", s.std.kinds.newindex)
	s.L.SetMetatable(glua.LString(""), strings)
}

// hide has tracebacks leave a function out.
func (s *script) hide(f *glua.LFunction) *glua.LFunction {
	s.hidden[f] = true
	return f
}

func (s *script) isHidden(f *glua.LFunction) bool { return s.hidden[f] || s.std.kinds.hidden[f] }

// instruction is one instruction of the machine (Lua 5.1's, with A, C and B in
// that order behind the operation).
type instruction uint32

func (i instruction) op() int { return int(i >> 26) }
func (i instruction) a() int  { return int(i>>18) & 0xff }
func (i instruction) b() int  { return int(i & 0x1ff) }
func (i instruction) c() int  { return int(i>>9) & 0x1ff }
func (i instruction) bx() int { return int(i & 0x3ffff) }

const constantBit = 1 << 8 // an operand that is a constant, not a register

// variable describes the operand of the instruction that the calling Lua
// function executes: "global 'x' (a nil value)", or "a nil value".
func variable(L *glua.LState, v glua.LValue, operand func(instruction) int) string {
	plain := "a " + v.Type().String() + " value"
	d, ok := L.GetStack(1)
	if !ok {
		return plain
	}
	fn, err := L.GetInfo("f", d, glua.LNil)
	f, _ := fn.(*glua.LFunction)
	if err != nil || f == nil || f.IsG {
		return plain
	}
	pc := programCounter(d)
	if pc < 0 || pc >= len(f.Proto.Code) {
		return plain
	}
	if name := operandName(f, pc, operand(instruction(f.Proto.Code[pc]))); name != "" {
		return name + " (" + plain + ")"
	}
	return plain
}

// programCounter is the index of the instruction that a stack level executes. The
// machine keeps it to itself; -1 if it cannot be had.
func programCounter(d *glua.Debug) int {
	frame := reflect.ValueOf(d).Elem().FieldByName("frame")
	if frame.Kind() != reflect.Pointer || frame.IsNil() {
		return -1
	}
	pc := frame.Elem().FieldByName("Pc")
	if !pc.IsValid() || pc.Kind() != reflect.Int {
		return -1
	}
	return int(pc.Int()) - 1
}

// operandName finds what a register held at pc was loaded from.
func operandName(f *glua.LFunction, pc, register int) string {
	p := f.Proto
	if register&constantBit != 0 {
		return ""
	}
	if name := localName(p, register, pc); name != "" {
		if name[0] == '(' {
			return "" // one of ours
		}
		return "local '" + name + "'"
	}
	constant := func(i int) string {
		if i &= constantBit - 1; i < len(p.Constants) {
			if k, ok := p.Constants[i].(glua.LString); ok {
				return string(k)
			}
		}
		return "?"
	}
	for i := pc - 1; i >= 0 && i > pc-50; i-- {
		in := instruction(p.Code[i])
		switch in.op() {
		case glua.OP_JMP:
			continue
		case glua.OP_SELF:
			if in.a() == register {
				return "method '" + constant(in.c()) + "'"
			}
			if in.a()+1 == register {
				return ""
			}
		case glua.OP_GETGLOBAL:
			if in.a() == register {
				return "global '" + constant(in.bx()) + "'"
			}
		case glua.OP_GETTABLE, glua.OP_GETTABLEKS:
			if in.a() == register {
				if in.c()&constantBit == 0 {
					return "field '?'"
				}
				return "field '" + constant(in.c()) + "'"
			}
		case glua.OP_GETUPVAL:
			if in.a() == register {
				if in.b() < len(p.DbgUpvalues) {
					return "upvalue '" + p.DbgUpvalues[in.b()] + "'"
				}
				return ""
			}
		case glua.OP_MOVE:
			if in.a() == register {
				if name := localName(p, in.b(), i); name != "" && name[0] != '(' {
					return "local '" + name + "'"
				}
				return ""
			}
		default:
			if in.a() == register {
				return ""
			}
		}
	}
	return ""
}

// localName is the local variable that lives in a register at pc, "" if there is
// none.
func localName(p *glua.FunctionProto, register, pc int) string {
	for _, l := range p.DbgLocals {
		if l.StartPc > pc {
			break
		}
		if pc < l.EndPc {
			if register == 0 {
				return l.Name
			}
			register--
		}
	}
	return ""
}

// messageOf is the Lua value of an error that a protected call gave.
func (s *script) messageOf(err error) glua.LValue {
	var api *glua.ApiError
	if !errors.As(err, &api) {
		return glua.LString(err.Error())
	}
	if message, ok := api.Object.(glua.LString); ok {
		return glua.LString(s.plainMessage(string(message)))
	}
	return api.Object
}
