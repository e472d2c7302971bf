package lua

import (
	"math"
	"strings"

	glua "github.com/yuin/gopher-lua"
)

func tableLibrary() library {
	return library{
		"concat": tableConcat,
		"insert": tableInsert,
		"unpack": tableUnpack,
		"pack":   tablePack,
		"move":   tableMove,
	}
}

func (s *script) checkTable(L *glua.LState, n int, function string) *glua.LTable {
	t, ok := L.Get(n).(*glua.LTable)
	if !ok {
		s.argError(L, n, function, "table expected, got "+s.given(L, n))
	}
	return t
}

func tableConcat(s *script, L *glua.LState) int {
	t := s.checkTable(L, 1, "concat")
	separator := ""
	if L.Get(2) != glua.LNil {
		separator = s.checkText(L, 2, "concat")
	}
	first := int(s.optNumber(L, 3, "concat", 1))
	last := int(s.optNumber(L, 4, "concat", float64(t.Len())))
	var out strings.Builder
	for i := first; i <= last; i++ {
		v := t.RawGetInt(i)
		if !isText(v) {
			s.raise(L, "invalid value (%s) at index %d in table for 'concat'", v.Type(), i)
		}
		if i > first {
			out.WriteString(separator)
		}
		out.WriteString(text(v))
		if out.Len() > s.host.opts.Limits.Text {
			s.account(L, out.Len())
		}
	}
	return s.pushText(L, out.String())
}

func tableInsert(s *script, L *glua.LState) int {
	t := s.checkTable(L, 1, "insert")
	size := t.Len()
	switch L.GetTop() {
	case 2:
		t.RawSetInt(size+1, L.Get(2))
	case 3:
		at := int(s.checkNumber(L, 2, "insert"))
		if at < 1 || at > size+1 {
			s.argError(L, 2, "insert", "position out of bounds")
		}
		for i := size; i >= at; i-- {
			t.RawSetInt(i+1, t.RawGetInt(i))
		}
		t.RawSetInt(at, L.Get(3))
	default:
		s.raise(L, "wrong number of arguments to 'insert'")
	}
	return 0
}

// maxUnpacked is how many values unpack returns at most.
const maxUnpacked = 250_000

func tableUnpack(s *script, L *glua.LState) int {
	t := s.checkTable(L, 1, "unpack")
	first := int(s.optNumber(L, 2, "unpack", 1))
	last := int(s.optNumber(L, 3, "unpack", float64(t.Len())))
	if last-first >= maxUnpacked {
		s.raise(L, "too many results to unpack")
	}
	for i := first; i <= last; i++ {
		L.Push(t.RawGetInt(i))
	}
	return max(last-first+1, 0)
}

func tablePack(s *script, L *glua.LState) int {
	n := L.GetTop()
	t := L.CreateTable(n, 1)
	for i := 1; i <= n; i++ {
		t.RawSetInt(i, L.Get(i))
	}
	t.RawSetString("n", glua.LNumber(n))
	L.Push(t)
	return 1
}

func tableMove(s *script, L *glua.LState) int {
	from, to := s.checkTable(L, 1, "move"), s.checkTable(L, 1, "move")
	if L.Get(5) != glua.LNil {
		to = s.checkTable(L, 5, "move")
	}
	first, last, at := int(s.checkNumber(L, 2, "move")), int(s.checkNumber(L, 3, "move")), int(s.checkNumber(L, 4, "move"))
	if last-first > maxUnpacked*4 {
		s.argError(L, 3, "move", "too many elements to move")
	}
	if at > first && from == to {
		for i := last; i >= first; i-- {
			to.RawSetInt(at+i-first, from.RawGetInt(i))
		}
	} else {
		for i := first; i <= last; i++ {
			to.RawSetInt(at+i-first, from.RawGetInt(i))
		}
	}
	L.Push(to)
	return 1
}

func mathLibrary() library {
	return library{
		"log": func(s *script, L *glua.LState) int {
			n := math.Log(s.checkNumber(L, 1, "log"))
			if L.Get(2) != glua.LNil {
				base := s.checkNumber(L, 2, "log")
				switch base {
				case 2:
					n = math.Log2(s.checkNumber(L, 1, "log"))
				case 10:
					n = math.Log10(s.checkNumber(L, 1, "log"))
				default:
					n /= math.Log(base)
				}
			}
			L.Push(glua.LNumber(n))
			return 1
		},
		"tointeger": func(s *script, L *glua.LState) int {
			if n, ok := L.Get(1).(glua.LNumber); ok && float64(n) == math.Trunc(float64(n)) {
				L.Push(n)
				return 1
			}
			L.Push(glua.LNil)
			return 1
		},
		"type": func(s *script, L *glua.LState) int {
			n, ok := L.Get(1).(glua.LNumber)
			switch {
			case !ok:
				L.Push(glua.LNil)
			case float64(n) == math.Trunc(float64(n)) && !math.IsInf(float64(n), 0):
				L.Push(glua.LString("integer"))
			default:
				L.Push(glua.LString("float"))
			}
			return 1
		},
	}
}

// bits is a number as bit32 sees it: its lowest 32 bits.
func (s *script) bits(L *glua.LState, n int, function string) uint32 {
	v := math.Mod(math.Floor(s.checkNumber(L, n, function)), 1<<32)
	if math.IsNaN(v) {
		return 0
	}
	if v < 0 {
		v += 1 << 32
	}
	return uint32(v)
}

func bitLibrary() library {
	fold := func(name string, start uint32, fn func(a, b uint32) uint32) func(*script, *glua.LState) int {
		return func(s *script, L *glua.LState) int {
			r := start
			for i := 1; i <= L.GetTop(); i++ {
				r = fn(r, s.bits(L, i, name))
			}
			L.Push(glua.LNumber(r))
			return 1
		}
	}
	shift := func(name string, fn func(v uint32, n int) uint32) func(*script, *glua.LState) int {
		return func(s *script, L *glua.LState) int {
			v := s.bits(L, 1, name)
			n := toInt(s.checkNumber(L, 2, name))
			L.Push(glua.LNumber(fn(v, min(max(n, -64), 64))))
			return 1
		}
	}
	left := func(v uint32, n int) uint32 {
		if n < 0 {
			return v >> -n
		}
		return v << n
	}
	and := func(a, b uint32) uint32 { return a & b }
	lib := library{
		"band": fold("band", math.MaxUint32, and),
		"bor":  fold("bor", 0, func(a, b uint32) uint32 { return a | b }),
		"bxor": fold("bxor", 0, func(a, b uint32) uint32 { return a ^ b }),
		"btest": func(s *script, L *glua.LState) int {
			r := uint32(math.MaxUint32)
			for i := 1; i <= L.GetTop(); i++ {
				r &= s.bits(L, i, "btest")
			}
			L.Push(glua.LBool(r != 0))
			return 1
		},
		"bnot": func(s *script, L *glua.LState) int {
			L.Push(glua.LNumber(^s.bits(L, 1, "bnot")))
			return 1
		},
		"lshift":  shift("lshift", left),
		"rshift":  shift("rshift", func(v uint32, n int) uint32 { return left(v, -n) }),
		"lrotate": shift("lrotate", rotate),
		"rrotate": shift("rrotate", func(v uint32, n int) uint32 { return rotate(v, -n) }),
		"arshift": shift("arshift", func(v uint32, n int) uint32 {
			if n < 0 {
				return v << -n
			}
			return uint32(int32(v) >> min(n, 31))
		}),
		"extract": bitField(func(s *script, L *glua.LState, v uint32, at, width int) uint32 {
			return v >> at & mask(width)
		}, "extract", 2),
		"replace": bitField(func(s *script, L *glua.LState, v uint32, at, width int) uint32 {
			m := mask(width)
			return v&^(m<<at) | s.bits(L, 2, "replace")&m<<at
		}, "replace", 3),
	}
	return lib
}

func rotate(v uint32, n int) uint32 {
	n = (n%32 + 32) % 32
	return v<<n | v>>(32-n)
}

func mask(width int) uint32 { return uint32(uint64(1)<<width - 1) }

// bitField makes extract or replace, whose field begins at argument n.
func bitField(fn func(s *script, L *glua.LState, v uint32, at, width int) uint32, name string, n int) func(*script, *glua.LState) int {
	return func(s *script, L *glua.LState) int {
		v := s.bits(L, 1, name)
		at := toInt(s.checkNumber(L, n, name))
		width := toInt(s.optNumber(L, n+1, name, 1))
		switch {
		case at < 0:
			s.argError(L, n, name, "field cannot be negative")
		case width < 1:
			s.argError(L, n+1, name, "width must be positive")
		case at+width > 32:
			s.raise(L, "trying to access non-existent bits")
		}
		L.Push(glua.LNumber(fn(s, L, v, at, width)))
		return 1
	}
}
