package lua

import (
	"strings"

	glua "github.com/yuin/gopher-lua"
)

// loadSource compiles a text and leaves the function, or nil and a message.
func (s *script) loadSource(L *glua.LState, source, name string, env *glua.LTable) int {
	if len(source) > maxSource {
		L.Push(glua.LNil)
		L.Push(glua.LString("not enough memory: a chunk too long"))
		return 2
	}
	proto, err := compile(source, name)
	if err != nil {
		L.Push(glua.LNil)
		L.Push(glua.LString(err.Error()))
		return 2
	}
	L.Push(s.load(L, proto, env))
	return 1
}

// chunkName is how messages call a chunk that was loaded with a name, or from a
// text.
func chunkName(name, source string) string {
	switch {
	case name == "":
		name = source
	case name[0] == '=' || name[0] == '@':
		return name[1:]
	}
	line, _, cut := strings.Cut(name, "\n")
	const longest = 40
	if len(line) > longest {
		line, cut = line[:longest], true
	}
	if cut {
		line += "..."
	}
	return `[string "` + line + `"]`
}

func (s *script) environment(L *glua.LState, n int) *glua.LTable {
	env, _ := L.Get(n).(*glua.LTable)
	return env
}

func baseLoad(s *script, L *glua.LState) int {
	source := ""
	switch v := L.Get(1); {
	case isText(v):
		source = text(v)
	case v.Type() == glua.LTFunction:
		var b strings.Builder
		for b.Len() <= maxSource {
			L.Push(v)
			L.Call(0, 1)
			piece := L.Get(-1)
			L.Pop(1)
			if piece == glua.LNil || text(piece) == "" && isText(piece) {
				break
			}
			if !isText(piece) {
				L.Push(glua.LNil)
				L.Push(glua.LString("reader function must return a string"))
				return 2
			}
			b.WriteString(text(piece))
		}
		source = b.String()
		if L.Get(2) == glua.LNil {
			return s.loadSource(L, source, "=(load)", s.environment(L, 4))
		}
	default:
		s.argError(L, 1, "load", "function expected, got "+s.given(L, 1))
	}
	return s.loadSource(L, source, chunkName(text(L.Get(2)), source), s.environment(L, 4))
}

func baseLoadString(s *script, L *glua.LState) int {
	source := s.checkText(L, 1, "loadstring")
	return s.loadSource(L, source, chunkName(text(L.Get(2)), source), nil)
}

func baseLoadFile(s *script, L *glua.LState) int {
	proto, err := s.readChunk(s.checkText(L, 1, "loadfile"))
	if err != nil {
		L.Push(glua.LNil)
		L.Push(glua.LString(err.Error()))
		return 2
	}
	L.Push(s.load(L, proto, s.environment(L, 3)))
	return 1
}

func baseDoFile(s *script, L *glua.LState) int {
	proto, err := s.readChunk(s.checkText(L, 1, "dofile"))
	if err != nil {
		L.Error(glua.LString(err.Error()), 0)
	}
	top := L.GetTop()
	L.Push(s.load(L, proto, nil))
	L.Call(0, glua.MultRet)
	return L.GetTop() - top
}
