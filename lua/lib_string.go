package lua

import (
	"math"
	"strings"

	glua "github.com/yuin/gopher-lua"
)

// library is a set of functions by name.
type library map[string]func(s *script, L *glua.LState) int

// install puts the functions into a table.
func (s *script) install(t *glua.LTable, lib library) {
	for name, fn := range lib {
		t.RawSetString(name, s.L.NewFunction(func(L *glua.LState) int { return fn(s, L) }))
	}
}

// module returns a global table, made if there is none.
func (s *script) module(name string) *glua.LTable {
	if t, ok := s.global(name).(*glua.LTable); ok {
		return t
	}
	t := s.L.CreateTable(0, 0)
	s.setGlobal(name, t)
	return t
}

func stringLibrary() library {
	return library{
		"char": func(s *script, L *glua.LState) int {
			b := make([]byte, L.GetTop())
			for i := range b {
				n := s.checkNumber(L, i+1, "char")
				if n < 0 || n >= 256 {
					s.argError(L, i+1, "char", "value out of range")
				}
				b[i] = byte(n)
			}
			return s.pushText(L, string(b))
		},
		"find":   func(s *script, L *glua.LState) int { return s.find(L, "find", true) },
		"match":  func(s *script, L *glua.LState) int { return s.find(L, "match", false) },
		"gmatch": stringGmatch,
		"gfind":  stringGmatch,
		"gsub":   stringGsub,
		"format": stringFormat,
		"rep":    stringRep,
		"upper":  func(s *script, L *glua.LState) int { return s.mapBytes(L, "upper", upperByte) },
		"lower":  func(s *script, L *glua.LState) int { return s.mapBytes(L, "lower", lowerByte) },
		"dump": func(s *script, L *glua.LState) int {
			s.raise(L, "unable to dump given function")
			return 0
		},
	}
}

// checkText is a string argument, or Lua's error.
func (s *script) checkText(L *glua.LState, n int, function string) string {
	v := L.Get(n)
	if !isText(v) {
		s.argError(L, n, function, "string expected, got "+s.given(L, n))
	}
	return text(v)
}

// given is what an argument error calls an argument's type.
func (s *script) given(L *glua.LState, n int) string {
	if n > L.GetTop() {
		return "no value"
	}
	return L.Get(n).Type().String()
}

// checkNumber is a number argument, or Lua's error.
func (s *script) checkNumber(L *glua.LState, n int, function string) float64 {
	v, ok := number(L.Get(n))
	if !ok {
		s.argError(L, n, function, "number expected, got "+s.given(L, n))
	}
	return v
}

// optNumber is a number argument that may be nil or missing.
func (s *script) optNumber(L *glua.LState, n int, function string, def float64) float64 {
	if L.Get(n) == glua.LNil {
		return def
	}
	return s.checkNumber(L, n, function)
}

// pushText returns a string that an operation built. Strings beyond the limit
// are an error.
func (s *script) pushText(L *glua.LState, text string) int {
	s.account(L, len(text))
	L.Push(glua.LString(text))
	return 1
}

// checkEvery is how many bytes of new strings pass until the memory is looked at.
const checkEvery = 64 << 20

// account counts the bytes of a new string and refuses one that is too long.
func (s *script) account(L *glua.LState, size int) {
	if size > s.host.opts.Limits.Text {
		s.raise(L, "not enough memory: a string of %d bytes, at most %d are allowed", size, s.host.opts.Limits.Text)
	}
	if s.built += int64(size); s.built > checkEvery {
		s.built = 0
		if heapSize() > s.host.limits().Memory {
			s.weighSelf()
		}
	}
}

func (s *script) mapBytes(L *glua.LState, name string, fn func(byte) byte) int {
	b := []byte(s.checkText(L, 1, name))
	for i, c := range b {
		b[i] = fn(c)
	}
	return s.pushText(L, string(b))
}

func upperByte(c byte) byte {
	if c >= 'a' && c <= 'z' {
		return c - 0x20
	}
	return c
}

func lowerByte(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 0x20
	}
	return c
}

// position turns Lua's index, which may count from the end, into an offset.
func position(n float64, length int) int {
	switch {
	case n > 0:
		return int(math.Min(n-1, float64(length)+1))
	case n == 0:
		return 0
	case -n > float64(length):
		return 0
	}
	return length + int(n)
}

func (s *script) matcher(subject, pattern string) *matcher {
	return &matcher{subject: subject, pattern: pattern, stopped: s.cancelled}
}

// find is string.find and string.match.
func (s *script) find(L *glua.LState, name string, places bool) int {
	subject, pattern := s.checkText(L, 1, name), s.checkText(L, 2, name)
	from := position(s.optNumber(L, 3, name, 1), len(subject))
	if from > len(subject) {
		L.Push(glua.LNil)
		return 1
	}
	if places && (glua.LVAsBool(L.Get(4)) || !strings.ContainsAny(pattern, "^$*+?.([%-")) {
		at := strings.Index(subject[from:], pattern)
		if at < 0 {
			L.Push(glua.LNil)
			return 1
		}
		L.Push(glua.LNumber(from + at + 1))
		L.Push(glua.LNumber(from + at + len(pattern)))
		return 2
	}
	m := s.matcher(subject, pattern)
	start, end := m.find(from)
	if m.err != nil {
		s.raise(L, "%v", m.err)
	}
	if start < 0 {
		L.Push(glua.LNil)
		return 1
	}
	if places {
		L.Push(glua.LNumber(start + 1))
		L.Push(glua.LNumber(end))
		if m.level == 0 {
			return 2
		}
		return 2 + s.pushCaptures(L, m, start, end)
	}
	return s.pushCaptures(L, m, start, end)
}

// pushCaptures pushes the captures of a match, or the whole of it.
func (s *script) pushCaptures(L *glua.LState, m *matcher, start, end int) int {
	n := max(m.level, 1)
	for i := range n {
		L.Push(s.captured(L, m, i, start, end))
	}
	return n
}

func (s *script) captured(L *glua.LState, m *matcher, i, start, end int) glua.LValue {
	text, at, err := m.value(i, start, end)
	if err != nil {
		s.raise(L, "%v", err)
	}
	if at > 0 {
		return glua.LNumber(at)
	}
	return glua.LString(text)
}

func stringGmatch(s *script, L *glua.LState) int {
	subject, pattern := s.checkText(L, 1, "gmatch"), s.checkText(L, 2, "gmatch")
	from := 0
	L.Push(L.NewFunction(func(L *glua.LState) int {
		m := s.matcher(subject, pattern)
		for ; from <= len(subject); from++ {
			end := m.at(from, 0)
			if m.err != nil {
				s.raise(L, "%v", m.err)
			}
			if end < 0 {
				continue
			}
			start := from
			if from = end; end == start {
				from++
			}
			return s.pushCaptures(L, m, start, end)
		}
		L.Push(glua.LNil)
		return 1
	}))
	return 1
}

func stringGsub(s *script, L *glua.LState) int {
	subject, pattern := s.checkText(L, 1, "gsub"), s.checkText(L, 2, "gsub")
	replacement := L.Get(3)
	switch {
	case isText(replacement), replacement.Type() == glua.LTTable, replacement.Type() == glua.LTFunction:
	default:
		s.argError(L, 3, "gsub", "string/function/table expected")
	}
	limit := s.optNumber(L, 4, "gsub", float64(len(subject)+1))
	m := s.matcher(subject, pattern)
	p := 0
	anchored := strings.HasPrefix(pattern, "^")
	if anchored {
		p = 1
	}
	var out strings.Builder
	count, at := 0, 0
	for float64(count) < limit {
		end := m.at(at, p)
		if m.err != nil {
			s.raise(L, "%v", m.err)
		}
		if end >= 0 {
			count++
			out.WriteString(s.replace(L, m, replacement, at, end))
			if out.Len() > s.host.opts.Limits.Text {
				s.account(L, out.Len())
			}
		}
		switch {
		case end > at:
			at = end
		case at < len(subject):
			out.WriteByte(subject[at])
			at++
		default:
			at++
		}
		if at > len(subject) || anchored {
			break
		}
	}
	if at < len(subject) {
		out.WriteString(subject[at:])
	}
	s.pushText(L, out.String())
	L.Push(glua.LNumber(count))
	return 2
}

// replace is what a match is replaced by.
func (s *script) replace(L *glua.LState, m *matcher, replacement glua.LValue, start, end int) string {
	var v glua.LValue
	switch r := replacement.(type) {
	case *glua.LTable:
		v = L.GetTable(r, s.captured(L, m, 0, start, end))
	case *glua.LFunction:
		L.Push(r)
		n := s.pushCaptures(L, m, start, end)
		L.Call(n, 1)
		v = L.Get(-1)
		L.Pop(1)
	default:
		return s.template(L, m, text(replacement), start, end)
	}
	if glua.LVIsFalse(v) {
		return m.subject[start:end]
	}
	if !isText(v) {
		s.raise(L, "invalid replacement value (a %s)", v.Type().String())
	}
	return text(v)
}

// template replaces %0 to %9 and %% in a replacement text.
func (s *script) template(L *glua.LState, m *matcher, template string, start, end int) string {
	if strings.IndexByte(template, '%') < 0 {
		return template
	}
	var out strings.Builder
	for i := 0; i < len(template); i++ {
		c := template[i]
		if c != '%' {
			out.WriteByte(c)
			continue
		}
		i++
		switch {
		case i < len(template) && template[i] == '%':
			out.WriteByte('%')
		case i < len(template) && template[i] == '0':
			out.WriteString(m.subject[start:end])
		case i < len(template) && isDigit(template[i]):
			out.WriteString(text(s.captured(L, m, int(template[i]-'1'), start, end)))
		default:
			s.raise(L, "invalid use of '%%' in replacement string")
		}
	}
	return out.String()
}

func stringRep(s *script, L *glua.LState) int {
	str, n := s.checkText(L, 1, "rep"), s.checkNumber(L, 2, "rep")
	separator := ""
	if L.Get(3) != glua.LNil {
		separator = s.checkText(L, 3, "rep")
	}
	if n < 1 {
		L.Push(glua.LString(""))
		return 1
	}
	size := float64(len(str))*n + float64(len(separator))*(n-1)
	if size > float64(s.host.opts.Limits.Text) || n > math.MaxInt32 {
		s.raise(L, "resulting string too large")
	}
	if separator == "" {
		return s.pushText(L, strings.Repeat(str, int(n)))
	}
	return s.pushText(L, strings.Repeat(str+separator, int(n)-1)+str)
}
