package lua

import (
	"strings"

	glua "github.com/yuin/gopher-lua"
)

// concatFunction makes what chunks call for a .. b .. c.
func (s *script) concatFunction() *glua.LFunction {
	return s.hide(s.L.NewFunction(func(L *glua.LState) int {
		n := L.GetTop()
		size := 0
		for i := 1; i <= n; i++ {
			v := L.Get(i)
			if !isText(v) {
				return s.concatObjects(L, n)
			}
			if str, ok := v.(glua.LString); ok {
				size += len(str)
			}
		}
		s.account(L, size)
		var b strings.Builder
		b.Grow(size + 16)
		for i := 1; i <= n; i++ {
			b.WriteString(text(L.Get(i)))
		}
		L.Push(glua.LString(b.String()))
		return 1
	}))
}

// concatObjects concatenates from the right, as .. does, with the metamethods of
// operands that are no texts.
func (s *script) concatObjects(L *glua.LState, n int) int {
	right := L.Get(n)
	for i := n - 1; i >= 1; i-- {
		left := L.Get(i)
		if isText(left) && isText(right) {
			joined := text(left) + text(right)
			s.account(L, len(joined))
			right = glua.LString(joined)
			continue
		}
		fn := metamethod(L, left, "__concat")
		if fn == nil {
			fn = metamethod(L, right, "__concat")
		}
		if fn == nil {
			culprit, at := left, i
			if isText(left) {
				culprit, at = right, i+1
			}
			s.raise(L, "attempt to concatenate %s", variable(L, culprit, func(in instruction) int { return in.a() + at }))
		}
		L.Push(fn)
		L.Push(left)
		L.Push(right)
		L.Call(2, 1)
		right = L.Get(-1)
		L.Pop(1)
	}
	L.Push(right)
	return 1
}

// metamethod is a function of a value's metatable, nil if there is none.
func metamethod(L *glua.LState, v glua.LValue, name string) glua.LValue {
	mt, ok := L.GetMetatable(v).(*glua.LTable)
	if !ok {
		return nil
	}
	if fn := mt.RawGetString(name); fn.Type() == glua.LTFunction {
		return fn
	}
	return nil
}
