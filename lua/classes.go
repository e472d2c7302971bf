package lua

import (
	glua "github.com/yuin/gopher-lua"
)

// classSet has every class of the table freeswitch.
type classSet struct {
	api, session, coreSession, event, consumer, stream, dtmf, menu, json, dbh *class
}

func newClassSet() classSet {
	c := classSet{api: apiClass(), event: eventClass(), consumer: consumerClass(), stream: streamClass(),
		dtmf: dtmfClass(), menu: menuClass(), json: jsonClass(), dbh: dbhClass()}
	isSession := func(o any) bool { _, ok := o.(*session); return ok }
	var methods, inherited []method
	for _, family := range [][]method{stateMethods(), callbackMethods(), mediaMethods(), originateMethods()} {
		methods = append(methods, family...)
	}
	for _, m := range methods {
		if m.owner == coreSession {
			inherited = append(inherited, m)
		}
	}
	get := func(_ *script, object any, name string) (glua.LValue, bool) {
		if x, ok := object.(*session); ok {
			return x.attribute(name)
		}
		return nil, false
	}
	c.coreSession = &class{name: "CoreSession", shown: coreSession, pointer: "CoreSession *",
		methods: inherited, get: get, attributes: sessionAttributes, is: func(any) bool { return false }}
	c.session = &class{
		name: "Session", shown: "LUA::Session", pointer: "LUA::Session *", base: c.coreSession,
		methods: methods, get: get, attributes: sessionAttributes, is: isSession, construct: newSession,
		constructor: method{signature: "|sC",
			prototypes: "LUA::Session::Session()\nLUA::Session::Session(char *,CoreSession *)\nLUA::Session::Session(char *)\nLUA::Session::Session(switch_core_session_t *)"},
	}
	return c
}

func (c classSet) all() []*class {
	return []*class{c.api, c.session, c.event, c.consumer, c.stream, c.dtmf, c.menu, c.json, c.dbh}
}

// freeswitchContents are those of the global table freeswitch.
func freeswitchContents(h *Host) *contents {
	k := &contents{}
	for _, c := range h.classes {
		k.put(c.name, func(s *script) glua.LValue { return s.constructorTable(c) })
	}
	for _, name := range []string{"CoreSession", "input_callback_state_t", "string"} {
		k.put(name, func(s *script) glua.LValue { return s.abstractTable(name) })
	}
	k.constant("S_HUP", glua.LNumber(flagHup))
	k.constant("S_FREE", glua.LNumber(flagFree))
	k.constant("S_RDLOCK", glua.LNumber(flagRdlock))
	for _, f := range functions() {
		k.put(f.name, f.in)
	}
	return k
}

// typeLibrary are the two global functions that know about types.
func typeLibrary() library {
	return library{
		"swig_type": func(s *script, L *glua.LState) int {
			if ud, ok := L.Get(1).(*glua.LUserData); ok {
				L.Push(glua.LString(s.typeName(ud)))
				return 1
			}
			L.Push(glua.LNil)
			return 1
		},
		"swig_equals": func(_ *script, L *glua.LState) int {
			L.Push(glua.LBool(equalObjects(L.Get(1), L.Get(2))))
			return 1
		},
	}
}

// abstractTable is the entry of a class that scripts cannot make objects of.
func (s *script) abstractTable(name string) *glua.LTable {
	L := s.L
	t, mt := L.CreateTable(0, smallTable), L.CreateTable(0, smallTable)
	mt.RawSetString("__call", L.NewFunction(func(L *glua.LState) int {
		s.raise(L, "no constructor for %s", name)
		return 0
	}))
	t.Metatable = mt
	return t
}
