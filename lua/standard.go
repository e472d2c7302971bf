package lua

import (
	"maps"
	"os"
	"slices"

	glua "github.com/yuin/gopher-lua"
)

// standard is what every script finds, made once for a host, before its first script.
type standard struct {
	global    contents
	libraries map[string]*contents // by the name of the global table
	classes   map[*class]*classContents
	kinds     kinds
	next      glua.LGFunction
}

// classContents are the tables in a class's metatable.
type classContents struct{ meta, fn, get contents }

// builtins are functions of the machine, by library and name.
type builtins map[string]map[string]glua.LValue

// machineLibraries are the libraries as the machine has them. Their functions hold
// nothing of the state that they are taken from.
func machineLibraries() builtins {
	L := glua.NewState(glua.Options{RegistrySize: 256, CallStackSize: 16, SkipOpenLibs: true})
	defer L.Close()
	for _, lib := range []struct {
		name string
		open glua.LGFunction
	}{
		{glua.LoadLibName, glua.OpenPackage}, {glua.BaseLibName, glua.OpenBase}, {glua.TabLibName, glua.OpenTable},
		{glua.OsLibName, glua.OpenOs}, {glua.StringLibName, glua.OpenString}, {glua.MathLibName, glua.OpenMath},
		{glua.DebugLibName, glua.OpenDebug}, {glua.CoroutineLibName, glua.OpenCoroutine},
	} {
		L.Push(L.NewFunction(lib.open))
		L.Push(glua.LString(lib.name))
		L.Call(1, 0)
	}
	all := builtins{}
	take := func(library string, t *glua.LTable) {
		all[library] = make(map[string]glua.LValue)
		t.ForEach(func(k, v glua.LValue) {
			switch v.(type) {
			case *glua.LFunction, glua.LNumber:
				all[library][k.String()] = v
			}
		})
	}
	take("_G", L.G.Global)
	L.G.Global.ForEach(func(k, v glua.LValue) {
		if t, ok := v.(*glua.LTable); ok && t != L.G.Global {
			take(k.String(), t)
		}
	})
	delete(all["_G"], "_printregs")
	return all
}

// function is a function of the machine.
func (b builtins) function(library, name string) glua.LGFunction {
	return b[library][name].(*glua.LFunction).GFunction
}

// contents are a library of the machine.
func (b builtins) contents(library string) *contents {
	c := &contents{}
	for _, name := range slices.Sorted(maps.Keys(b[library])) {
		if fn, ok := b[library][name].(*glua.LFunction); ok {
			c.put(name, func(s *script) glua.LValue { return s.L.NewFunction(fn.GFunction) })
		} else {
			c.constant(name, b[library][name])
		}
	}
	return c
}

// newStandard makes the libraries: the machine's, with our functions over those
// that behave differently from Lua 5.2.
func newStandard(h *Host) *standard {
	machine := machineLibraries()
	e := &standard{libraries: make(map[string]*contents), classes: make(map[*class]*classContents), kinds: newKinds()}
	for name, ours := range map[string]library{"string": stringLibrary(), "table": tableLibrary(), "math": mathLibrary(),
		"bit32": bitLibrary(), "os": osLibrary(), "debug": debugLibrary(machine), "coroutine": coroutineLibrary(machine)} {
		e.libraries[name] = machine.contents(name)
		e.libraries[name].functions(ours)
	}
	e.libraries["io"] = ioContents()
	e.libraries["package"] = packageContents(machine)
	e.libraries["package.loaded"] = &contents{}
	e.libraries["freeswitch"] = freeswitchContents(h)

	e.global = *machine.contents("_G")
	e.global.functions(baseLibrary(machine))
	e.global.functions(typeLibrary())
	e.next = machine.function("_G", "next")
	e.global.put("next", func(s *script) glua.LValue { return s.nextFunction() })
	e.global.constant("_VERSION", glua.LString("Lua 5.2"))
	e.global.put("_G", func(s *script) glua.LValue { return s.L.G.Global })
	for _, name := range slices.Sorted(maps.Keys(e.libraries)) {
		if name == "package.loaded" {
			continue
		}
		e.global.put(name, func(s *script) glua.LValue { return s.library(name) })
		if name != "package" && name != "freeswitch" {
			e.libraries["package.loaded"].put(name, func(s *script) glua.LValue { return s.library(name) })
		}
	}
	e.libraries["package.loaded"].put("_G", func(s *script) glua.LValue { return s.L.G.Global })
	for _, c := range append(h.classes, h.by.coreSession) {
		e.classes[c] = newClassContents(c)
	}
	return e
}

// standard is made when the first script needs it: a switch without scripts does
// not pay for it.
func (h *Host) standard() *standard {
	h.once.Do(func() { h.std = newStandard(h) })
	return h.std
}

// library is a library's table in this state, whatever the script has made of the
// global of that name.
func (s *script) library(name string) *glua.LTable {
	t := s.libraries[name]
	if t == nil {
		t = s.newTable(s.std.libraries[name])
		s.libraries[name] = t
	}
	return t
}

// packageContents are those of the library package: its searchers compile as scripts
// are compiled, and know no native modules.
func packageContents(machine builtins) *contents {
	c := &contents{}
	c.put("path", func(s *script) glua.LValue {
		if path := s.host.modulePath.Load(); path != nil {
			return glua.LString(*path)
		}
		return glua.LString(modulePath(nil, os.Getenv("LUA_PATH")))
	})
	c.constant("cpath", glua.LString(""))
	c.constant("config", glua.LString("/\n;\n?\n!\n-\n"))
	c.put("loaded", func(s *script) glua.LValue { return s.library("package.loaded") })
	c.put("preload", func(s *script) glua.LValue { return s.L.CreateTable(0, 0) })
	c.put("loaders", func(s *script) glua.LValue { return s.searchers() })
	c.put("searchers", func(s *script) glua.LValue { return s.searchers() })
	seeAll := machine.function("package", "seeall")
	c.functions(packageLibrary())
	c.functions(library{"seeall": func(s *script, L *glua.LState) int { s.fill(L.Get(1)); return seeAll(L) }})
	return c
}
