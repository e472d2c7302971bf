package lua

import (
	"maps"
	"slices"

	glua "github.com/yuin/gopher-lua"
)

// A script's state begins almost empty: most scripts use a handful of the three
// hundred functions that every one of them finds. What a table of the standard
// environment has (the global table, a library, the methods of a class) is its
// contents, which belong to the host and never change. A table gets its own copy of
// an entry when the script first asks for it, and of all that are left when something
// could tell that they are missing: next, pairs, rawget, its metatable.

// entry makes a script's own copy of a value.
type entry func(s *script) glua.LValue

// contents are the entries of a table, by name.
type contents struct {
	names   []string
	entries []entry
	index   map[string]int
}

// put adds an entry or takes the place of the one of that name.
func (c *contents) put(name string, e entry) {
	if i, ok := c.index[name]; ok {
		c.entries[i] = e
		return
	}
	if c.index == nil {
		c.index = make(map[string]int)
	}
	c.index[name] = len(c.names)
	c.names, c.entries = append(c.names, name), append(c.entries, e)
}

// constant adds a value that cannot be changed.
func (c *contents) constant(name string, v glua.LValue) {
	c.put(name, func(*script) glua.LValue { return v })
}

// functions adds the functions of a library.
func (c *contents) functions(lib library) {
	for _, name := range slices.Sorted(maps.Keys(lib)) {
		fn := lib[name]
		c.put(name, func(s *script) glua.LValue {
			return s.L.NewFunction(func(L *glua.LState) int { return fn(s, L) })
		})
	}
}

// partial is a table that has not all of its contents yet.
type partial struct {
	contents *contents
	taken    []uint64 // a bit for each entry that the table has, or that the script has replaced
}

// take marks an entry as taken; false if it is already, or if there is none.
func (p *partial) take(name string) (int, bool) {
	i, ok := p.contents.index[name]
	if !ok || p.taken[i/64]>>(i%64)&1 != 0 {
		return 0, false
	}
	p.taken[i/64] |= 1 << (i % 64)
	return i, true
}

// newTable makes a table with contents. Go code reads and writes it with get and put.
func (s *script) newTable(c *contents) *glua.LTable {
	t := s.L.CreateTable(0, smallTable)
	s.makePartial(t, c)
	return t
}

// makePartial gives contents to a table that is empty.
func (s *script) makePartial(t *glua.LTable, c *contents) {
	if s.partialMeta == nil {
		s.partialMeta = s.L.CreateTable(0, smallTable)
		s.partialMeta.RawSetString("__index", s.hide(s.L.NewFunction(func(L *glua.LState) int {
			t, _ := L.Get(1).(*glua.LTable)
			if name, ok := L.Get(2).(glua.LString); ok && t != nil {
				L.Push(s.complete(t, string(name)))
			} else {
				L.Push(glua.LNil)
			}
			return 1
		})))
		s.partialMeta.RawSetString("__newindex", s.hide(s.L.NewFunction(func(L *glua.LState) int {
			t, _ := L.Get(1).(*glua.LTable)
			if p := s.partials[t]; p != nil {
				if name, ok := L.Get(2).(glua.LString); ok {
					p.take(string(name))
				}
			}
			L.RawSet(t, L.Get(2), L.Get(3))
			return 0
		})))
		s.partials = make(map[*glua.LTable]*partial)
	}
	t.Metatable = s.partialMeta
	s.partials[t] = &partial{contents: c, taken: make([]uint64, (len(c.names)+63)/64)}
}

// smallTable is how many names a table has room for at first where few are expected;
// with 0 the machine makes room for dozens with the first.
const smallTable = 8

// complete gives a table the entry of that name, if it is one that the table lacks yet,
// and returns its value, or nil.
func (s *script) complete(t *glua.LTable, name string) glua.LValue {
	p := s.partials[t]
	if p == nil {
		return glua.LNil
	}
	i, ok := p.take(name)
	if !ok {
		return glua.LNil
	}
	v := p.contents.entries[i](s)
	t.RawSetString(name, v)
	return v
}

// fill gives a table all entries that it lacks; it is a table like any other then.
func (s *script) fill(v glua.LValue) {
	t, ok := v.(*glua.LTable)
	if !ok || s.partialMeta == nil || t.Metatable != glua.LValue(s.partialMeta) {
		return
	}
	p := s.partials[t]
	delete(s.partials, t)
	t.Metatable = glua.LNil
	for i, name := range p.contents.names {
		if _, ok := p.take(name); ok {
			t.RawSetString(name, p.contents.entries[i](s))
		}
	}
}

// get is the value of a name in a table, without metamethods of the script.
func (s *script) get(t *glua.LTable, name string) glua.LValue {
	if v := t.RawGetString(name); v != glua.LNil {
		return v
	}
	return s.complete(t, name)
}

// put sets a name in a table, without metamethods of the script.
func (s *script) put(t *glua.LTable, name string, v glua.LValue) {
	if p := s.partials[t]; p != nil {
		p.take(name)
	}
	t.RawSetString(name, v)
}
