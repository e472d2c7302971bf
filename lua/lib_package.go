package lua

import (
	"os"
	"path/filepath"
	"strings"

	glua "github.com/yuin/gopher-lua"
)

// defaultPath is where modules are looked for unless LUA_PATH or script-directory
// says otherwise.
const defaultPath = "/usr/local/share/lua/5.2/?.lua;/usr/local/share/lua/5.2/?/init.lua;/usr/share/lua/5.2/?.lua;./?.lua"

// modulePath joins the patterns of lua.conf and of the environment; ";;" stands
// for the default.
func modulePath(patterns []string, environment string) string {
	list := append([]string(nil), patterns...)
	if environment != "" {
		list = append(list, environment)
	}
	if len(list) == 0 {
		return defaultPath
	}
	joined := strings.Join(list, ";")
	return strings.ReplaceAll(joined, ";;", ";"+defaultPath+";")
}

// packageLibrary are the functions of package.
func packageLibrary() library {
	return library{
		"loadlib": func(s *script, L *glua.LState) int {
			L.Push(glua.LNil)
			L.Push(glua.LString("dynamic libraries not enabled; check your Lua installation"))
			L.Push(glua.LString("absent"))
			return 3
		},
		"searchpath": func(s *script, L *glua.LState) int {
			name, path := s.checkText(L, 1, "searchpath"), s.checkText(L, 2, "searchpath")
			file, tried := search(name, path)
			if file == "" {
				L.Push(glua.LNil)
				L.Push(glua.LString(tried))
				return 2
			}
			L.Push(glua.LString(file))
			return 1
		},
	}
}

// searchers is the table of them, which package has under two names.
func (s *script) searchers() *glua.LTable {
	if s.searcherTable == nil {
		L := s.L
		s.searcherTable = L.CreateTable(4, 0)
		for _, fn := range []glua.LGFunction{s.loadPreloaded, s.builtinSearcher(false), s.loadModule, s.builtinSearcher(true)} {
			s.searcherTable.Append(L.NewFunction(fn))
		}
	}
	return s.searcherTable
}

func requireModule(s *script, L *glua.LState) int {
	name := s.checkText(L, 1, "require")
	pkg := s.module("package")
	loaded, _ := s.get(pkg, "loaded").(*glua.LTable)
	if loaded == nil {
		s.raise(L, "'package.loaded' must be a table")
	}
	if v := s.get(loaded, name); glua.LVAsBool(v) {
		L.Push(v)
		return 1
	}
	loaders, _ := s.get(pkg, "loaders").(*glua.LTable)
	if loaders == nil {
		s.raise(L, "'package.searchers' must be a table")
	}
	tried := ""
	for i := 1; ; i++ {
		loader := loaders.RawGetInt(i)
		if loader == glua.LNil {
			s.raise(L, "module '%s' not found:%s", name, tried)
		}
		L.Push(loader)
		L.Push(glua.LString(name))
		L.Call(1, 2)
		fn, about := L.Get(-2), L.Get(-1)
		L.Pop(2)
		if fn.Type() != glua.LTFunction {
			tried += text(fn)
			continue
		}
		L.Push(fn)
		L.Push(glua.LString(name))
		L.Push(about)
		L.Call(2, 1)
		v := L.Get(-1)
		L.Pop(1)
		if v != glua.LNil {
			s.put(loaded, name, v)
		} else if s.get(loaded, name) == glua.LNil {
			s.put(loaded, name, glua.LTrue)
		}
		L.Push(s.get(loaded, name))
		return 1
	}
}

func (s *script) loadPreloaded(L *glua.LState) int {
	name := text(L.Get(1))
	preload, _ := s.get(s.module("package"), "preload").(*glua.LTable)
	if preload != nil {
		if fn := preload.RawGetString(name); fn != glua.LNil {
			L.Push(fn)
			return 1
		}
	}
	L.Push(glua.LString("\n\tno field package.preload['" + name + "']"))
	return 1
}

// loadModule looks a module up in package.path, then beside the scripts and in
// the embedded set.
func (s *script) loadModule(L *glua.LState) int {
	name := text(L.Get(1))
	path, ok := s.get(s.module("package"), "path").(glua.LString)
	if !ok {
		s.raise(L, "'package.path' must be a string")
	}
	file, tried := search(name, string(path))
	if file == "" {
		file = strings.ReplaceAll(name, ".", "/") + ".lua"
		tried += "\n\tno file '" + s.host.chunks.path(file) + "'"
		if !s.host.chunks.exists(file) {
			L.Push(glua.LString(tried))
			return 1
		}
	} else if absolute, err := filepath.Abs(file); err == nil {
		file = absolute
	}
	proto, err := s.host.chunks.file(file)
	if err != nil {
		s.raise(L, "error loading module '%s' from file '%s':\n\t%v", name, file, err)
	}
	L.Push(s.load(L, proto, nil))
	L.Push(glua.LString(file))
	return 2
}

// search tries the templates of a path; tried tells of those that were in vain.
func search(name, path string) (file, tried string) {
	name = strings.ReplaceAll(name, ".", string(filepath.Separator))
	for template := range strings.SplitSeq(path, ";") {
		if template == "" {
			continue
		}
		candidate := strings.ReplaceAll(template, "?", name)
		if info, err := os.Stat(candidate); err == nil && !info.IsDir() {
			return candidate, ""
		}
		tried += "\n\tno file '" + candidate + "'"
	}
	return "", tried
}

// readChunk reads a file for dofile and loadfile: relative to the working
// directory, then beside the scripts.
func (s *script) readChunk(path string) (*glua.FunctionProto, error) {
	if absolute, err := filepath.Abs(path); err == nil {
		if _, err := os.Stat(absolute); err == nil {
			return s.host.chunks.file(absolute)
		}
	}
	return s.host.chunks.file(path)
}
