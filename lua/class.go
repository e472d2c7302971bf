package lua

import (
	"fmt"
	"strings"

	glua "github.com/yuin/gopher-lua"
)

// Kinds of arguments, the letters of a signature. A '|' in a signature stands
// before the first optional one.
//
//	s "char *"         string, number or nil    S the same, "char const *"
//	i "int"            number or numeric string u the same, "unsigned int"
//	b "bool"           boolean
//	C "CoreSession *"  session or nil           R "CoreSession &", session
//	E "Event *"        M "IVRMenu *"            F "SWIGLUA_FN", function
//	T "SWIGLUA_TABLE"  V "void *", userdata     P "switch_priority_t", number or name
//	t "uint32_t"       c "char"
var ctypes = map[byte]string{
	's': "char *", 'S': "char const *", 'i': "int", 'u': "unsigned int", 'b': "bool",
	'C': "CoreSession *", 'R': "CoreSession &", 'E': "Event *", 'M': "IVRMenu *",
	'F': "SWIGLUA_FN", 'T': "SWIGLUA_TABLE", 'V': "void *", 'P': "switch_priority_t",
	't': "uint32_t", 'c': "char",
}

// arguments are those of one call of a method, checked; the object itself is not
// among them. Numbers count from 0.
type arguments struct {
	s    *script
	L    *glua.LState
	self any
	base int // register before the first argument
	n    int
}

func (a *arguments) value(i int) glua.LValue { return a.L.Get(a.base + 1 + i) }

// given reports whether argument i was passed, be it nil.
func (a *arguments) given(i int) bool { return i < a.n }

// str is a string argument, "" for nil and for one that is missing.
func (a *arguments) str(i int) string { return text(a.value(i)) }

// isNil reports whether argument i is nil or missing.
func (a *arguments) isNil(i int) bool { return a.value(i) == glua.LNil }

// num is a number argument, truncated; def if it was not passed.
func (a *arguments) num(i, def int) int {
	if !a.given(i) {
		return def
	}
	n, _ := number(a.value(i))
	return toInt(n)
}

func (a *arguments) boolean(i int) bool { return a.value(i) == glua.LTrue }

// session is a session argument, nil for nil.
func (a *arguments) session(i int) *session {
	ud, _ := a.value(i).(*glua.LUserData)
	if ud == nil {
		return nil
	}
	x, _ := ud.Value.(*session)
	return x
}

// event is an event argument, nil for nil.
func (a *arguments) event(i int) *eventObject {
	ud, _ := a.value(i).(*glua.LUserData)
	if ud == nil {
		return nil
	}
	e, _ := ud.Value.(*eventObject)
	return e
}

// Results of a method.

func (a *arguments) push(values ...glua.LValue) int {
	for _, v := range values {
		a.L.Push(v)
	}
	return len(values)
}

func (a *arguments) pushString(s string) int { return a.push(glua.LString(s)) }
func (a *arguments) pushBool(b bool) int     { return a.push(glua.LBool(b)) }
func (a *arguments) pushInt(n int) int       { return a.push(glua.LNumber(n)) }

// pushOptional is a string, or nil for one that is not set.
func (a *arguments) pushOptional(s string, ok bool) int {
	if !ok {
		return a.push(glua.LNil)
	}
	return a.pushString(s)
}

// method is one row of a class: its name, its signature and what it does. A row with
// several signatures is overloaded: the first that fits is taken, and prototypes says
// so otherwise.
type method struct {
	name       string
	signature  string
	run        func(a *arguments) int
	owner      string // shown class; "" for the class's own
	prototypes string // of an overloaded function, the message's lines
	alternates []string
}

// class is a kind of object.
type class struct {
	name    string // "Session"
	shown   string // in messages: "LUA::Session"
	pointer string // in types: "LUA::Session *"
	base    *class // for swig_type and .bases
	methods []method
	// get reads an attribute; the second result tells whether there is one.
	get func(s *script, object any, name string) (glua.LValue, bool)
	set func(s *script, object any, name string, v glua.LValue) bool
	// attributes are the names that get knows, for .get.
	attributes []string
	// construct makes the object from arguments that fit constructor.
	constructor method
	// forms are further signatures of the constructor, by the number of arguments.
	forms     map[int]string
	construct func(a *arguments) any
	is        func(object any) bool
}

// newClassContents makes what the class's metatable has beside its metamethods.
func newClassContents(c *class) *classContents {
	k := &classContents{}
	for i := range c.methods {
		m := &c.methods[i]
		k.fn.put(m.name, func(s *script) glua.LValue {
			return s.L.NewFunction(func(L *glua.LState) int { return s.invoke(L, c, m) })
		})
	}
	for _, name := range c.attributes {
		k.get.put(name, func(s *script) glua.LValue {
			return s.L.NewFunction(func(L *glua.LState) int {
				v, _ := c.get(s, c.object(L.Get(1)), name)
				L.Push(v)
				return 1
			})
		})
	}
	k.meta.put(".fn", func(s *script) glua.LValue { return s.classes[c].methods })
	k.meta.put(".get", func(s *script) glua.LValue { return s.newTable(&k.get) })
	for _, name := range []string{".set", ".static"} {
		k.meta.put(name, func(s *script) glua.LValue { return s.L.CreateTable(0, smallTable) })
	}
	k.meta.put(".bases", func(s *script) glua.LValue {
		bases := s.L.CreateTable(1, 0)
		if c.base != nil {
			bases.RawSetInt(1, s.metatable(c.base))
		}
		return bases
	})
	k.meta.constant(".type", glua.LString(c.name))
	k.meta.put("__tostring", func(s *script) glua.LValue {
		return s.L.NewFunction(func(L *glua.LState) int {
			L.Push(glua.LString(fmt.Sprintf("<userdata of type '%s' at %p>", c.pointer, c.object(L.Get(1)))))
			return 1
		})
	})
	k.meta.put("__gc", func(s *script) glua.LValue {
		return s.L.NewFunction(func(*glua.LState) int { return 0 })
	})
	return k
}

// classTables are a class in one state.
type classTables struct{ meta, methods *glua.LTable }

// metatable returns the class's metatable in this state, made at the first use.
func (s *script) metatable(c *class) *glua.LTable {
	if t := s.classes[c]; t != nil {
		return t.meta
	}
	L := s.L
	mt, methods := s.newTable(&s.std.classes[c].meta), s.newTable(&s.std.classes[c].fn)
	s.classes[c] = &classTables{meta: mt, methods: methods}
	// What the machine itself looks for is there from the beginning.
	mt.RawSetString("__index", L.NewFunction(func(L *glua.LState) int {
		key, _ := L.Get(2).(glua.LString)
		if v := s.get(methods, string(key)); v != glua.LNil {
			if key == "originate" {
				s.readFrom, _ = c.object(L.Get(1)).(*session)
			}
			L.Push(v)
			return 1
		}
		if c.get != nil {
			if v, ok := c.get(s, c.object(L.Get(1)), string(key)); ok {
				L.Push(v)
				return 1
			}
		}
		L.Push(glua.LNil)
		return 1
	}))
	mt.RawSetString("__newindex", L.NewFunction(func(L *glua.LState) int {
		key, _ := L.Get(2).(glua.LString)
		if c.set == nil || !c.set(s, c.object(L.Get(1)), string(key), L.Get(3)) {
			s.raise(L, "Assignment not possible. No setter/member with this name. For custom assignments implement __setitem method.")
		}
		return 0
	}))
	mt.RawSetString("__eq", L.NewFunction(func(L *glua.LState) int {
		L.Push(glua.LBool(equalObjects(L.Get(1), L.Get(2))))
		return 1
	}))
	return mt
}

func equalObjects(a, b glua.LValue) bool {
	x, _ := a.(*glua.LUserData)
	y, _ := b.(*glua.LUserData)
	return x != nil && y != nil && x.Value == y.Value
}

// object is the Go side of a userdata of this class, nil for anything else.
func (c *class) object(v glua.LValue) any {
	ud, _ := v.(*glua.LUserData)
	if ud == nil || !c.is(ud.Value) {
		return nil
	}
	return ud.Value
}

// wrap makes the Lua side of an object.
func (s *script) wrap(c *class, object any) *glua.LUserData {
	ud := s.L.NewUserData()
	ud.Value = object
	ud.Metatable = s.metatable(c)
	return ud
}

// shownName is how messages call a method.
func (m *method) shownName(c *class) string {
	owner := m.owner
	if owner == "" {
		owner = c.shown
	}
	return owner + "::" + m.name
}

// invoke checks the arguments of a method and runs it.
func (s *script) invoke(L *glua.LState, c *class, m *method) int {
	a := &arguments{s: s, L: L, base: 1, n: L.GetTop() - 1}
	if m.prototypes != "" {
		if a.self = c.object(L.Get(1)); a.self == nil || !s.fitsAny(a, m) {
			s.raise(L, "%s", m.overload(c.name+"_"+m.name))
		}
		return m.run(a)
	}
	low, high := bounds(m.signature)
	if n := L.GetTop(); (n < low+1 || n > high+1) && !s.fitsAny(a, m) {
		s.raise(L, "Error in %s expected %d..%d args, got %d", m.shownName(c), low+1, high+1, n)
	}
	if a.self = c.object(L.Get(1)); a.self == nil {
		pointer := c.pointer
		if m.owner != "" {
			pointer = m.owner + " *"
		}
		s.raise(L, "Error in %s (arg 1), expected '%s' got '%s'", m.shownName(c), pointer, s.typeName(L.Get(1)))
	}
	if i, kind := s.misfit(a, m.signature); i >= 0 && !s.fitsAny(a, m) {
		s.raise(L, "Error in %s (arg %d), expected '%s' got '%s'", m.shownName(c), i+2, ctypes[kind], s.typeName(a.value(i)))
	}
	return m.run(a)
}

func (s *script) fitsAny(a *arguments, m *method) bool {
	for _, signature := range append([]string{m.signature}, m.alternates...) {
		low, high := bounds(signature)
		if a.n < low || a.n > high {
			continue
		}
		if i, _ := s.misfit(a, signature); i < 0 {
			return true
		}
	}
	return false
}

func (m *method) overload(function string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Wrong arguments for overloaded function '%s'\n  Possible C/C++ prototypes are:\n", function)
	for line := range strings.SplitSeq(m.prototypes, "\n") {
		b.WriteString("    " + line + "\n")
	}
	return b.String()
}

// bounds are the least and greatest number of arguments of a signature.
func bounds(signature string) (low, high int) {
	required, optional, _ := strings.Cut(signature, "|")
	return len(required), len(required) + len(optional)
}

// misfit is the first argument that is not of the kind that the signature asks
// for, -1 if all are.
func (s *script) misfit(a *arguments, signature string) (i int, kind byte) {
	signature = strings.Replace(signature, "|", "", 1)
	for i := 0; i < a.n && i < len(signature); i++ {
		if !s.fits(a.value(i), signature[i]) {
			return i, signature[i]
		}
	}
	return -1, 0
}

func (s *script) fits(v glua.LValue, kind byte) bool {
	switch kind {
	case 's', 'S':
		switch v.(type) {
		case glua.LString, glua.LNumber, *glua.LNilType:
			return true
		}
		return false
	case 'c':
		str, ok := v.(glua.LString)
		return ok && len(str) == 1
	case 'i', 'u', 't':
		_, ok := number(v)
		return ok
	case 'P':
		_, ok := number(v)
		_, word := v.(glua.LString)
		return ok || word
	case 'b':
		return v.Type() == glua.LTBool
	case 'F':
		return v.Type() == glua.LTFunction
	case 'T':
		return v.Type() == glua.LTTable
	case 'V':
		return v == glua.LNil || v.Type() == glua.LTUserData
	}
	if v == glua.LNil {
		return kind != 'R'
	}
	ud, ok := v.(*glua.LUserData)
	if !ok {
		return false
	}
	switch kind {
	case 'C', 'R':
		_, ok = ud.Value.(*session)
	case 'E':
		_, ok = ud.Value.(*eventObject)
	case 'M':
		_, ok = ud.Value.(*menu)
	}
	return ok
}

// typeName is what messages call a value's type: objects show their class.
func (s *script) typeName(v glua.LValue) string {
	if ud, ok := v.(*glua.LUserData); ok {
		for _, c := range s.host.classes {
			if c.is(ud.Value) {
				return c.pointer
			}
		}
	}
	return v.Type().String()
}

// constructorTable is what stands in the table freeswitch under the class's
// name: a table that can be called.
func (s *script) constructorTable(c *class) *glua.LTable {
	L := s.L
	t, mt := L.CreateTable(0, smallTable), L.CreateTable(0, smallTable)
	mt.RawSetString("__call", L.NewFunction(func(L *glua.LState) int {
		a := &arguments{s: s, L: L, base: 1, n: L.GetTop() - 1}
		m := &c.constructor
		if m.prototypes != "" {
			if !s.fitsAny(a, m) {
				L.Error(glua.LString(m.overload("new_"+c.name)), 0)
			}
		} else {
			name := c.shown + "::" + c.name
			signature := m.signature
			if form, ok := c.forms[a.n]; ok {
				signature = form
			}
			low, high := bounds(signature)
			if a.n < low || a.n > high {
				L.Error(glua.LString(fmt.Sprintf("Error in %s expected %d..%d args, got %d", name, low, high, a.n)), 0)
			}
			if i, kind := s.misfit(a, signature); i >= 0 {
				L.Error(glua.LString(fmt.Sprintf("Error in %s (arg %d), expected '%s' got '%s'", name, i+1, ctypes[kind], s.typeName(a.value(i)))), 0)
			}
		}
		object := c.construct(a)
		if ud, ok := object.(*glua.LUserData); ok {
			L.Push(ud)
			return 1
		}
		L.Push(s.wrap(c, object))
		return 1
	}))
	t.Metatable = mt
	return t
}
