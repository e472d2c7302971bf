package lua

import (
	"context"
	"time"
	"unsafe"

	glua "github.com/yuin/gopher-lua"
)

// The machine asks its context for Done before each instruction, in the script's
// own goroutine: pulse uses that to have a script weigh itself, at a moment at
// which nothing else touches its values.
type pulse struct {
	context.Context
	done  <-chan struct{}
	s     *script
	count uint32
}

// pulseEvery is how many instructions pass between two looks at whether the script
// is to be weighed; a power of two.
const pulseEvery = 1 << 10

// Done implements context.Context.
func (p *pulse) Done() <-chan struct{} {
	if p.count++; p.count%pulseEvery != 0 {
		return p.done
	}
	if p.s.weigh.Load() {
		p.s.weigh.Store(false)
		p.s.weighSelf()
	}
	if over := p.s.host.opts.Overdue; over != nil && over() {
		p.s.cancel(errOverdue)
	}
	return p.done
}

// Sizes of values in bytes, as the machine keeps them.
const (
	sizeTable    = 160
	sizeElement  = 24  // of an array, with a number
	sizeEntry    = 120 // of a hash
	sizeFunction = 120
	sizeUpvalue  = 64
	sizeThread   = 4096
	sizeObject   = 100
)

// weighSelf estimates what the script's values take, and ends the script if that is
// more than one may hold.
func (s *script) weighSelf() {
	began := time.Now()
	limit := s.host.limits().Memory
	w := scale{limit: limit, seen: make(map[unsafe.Pointer]struct{})}
	w.value(s.L.G.Global)
	w.value(s.L.G.Registry)
	w.stack(s.L)
	for !w.over() && len(w.waiting) > 0 {
		v := w.waiting[len(w.waiting)-1]
		w.waiting = w.waiting[:len(w.waiting)-1]
		w.inside(v)
	}
	s.weight.Store(w.total)
	s.weighing.Store(int64(time.Since(began)))
	if w.over() {
		s.cancel(errMemory(limit))
	}
}

// scale adds up what values take; each counts once.
type scale struct {
	limit, total uint64
	seen         map[unsafe.Pointer]struct{}
	waiting      []glua.LValue
}

func (w *scale) over() bool { return w.total > w.limit }

func (w *scale) first(p unsafe.Pointer) bool {
	if _, ok := w.seen[p]; ok {
		return false
	}
	w.seen[p] = struct{}{}
	return true
}

// longText is from which length on texts are looked up rather than counted each
// time: the same text may stand in many places.
const longText = 256

func (w *scale) value(v glua.LValue) {
	switch v := v.(type) {
	case glua.LString:
		if len(v) < longText || w.first(unsafe.Pointer(unsafe.StringData(string(v)))) {
			w.total += uint64(len(v)) + 16
		}
	case *glua.LTable:
		if v != nil && w.first(unsafe.Pointer(v)) {
			w.total += sizeTable
			w.waiting = append(w.waiting, v)
		}
	case *glua.LFunction:
		if v != nil && w.first(unsafe.Pointer(v)) {
			w.total += sizeFunction
			w.waiting = append(w.waiting, v)
		}
	case *glua.LState:
		if v != nil && w.first(unsafe.Pointer(v)) {
			w.total += sizeThread
			w.waiting = append(w.waiting, v)
		}
	case *glua.LUserData:
		if v != nil && w.first(unsafe.Pointer(v)) {
			w.total += sizeObject
			w.value(v.Metatable)
			w.value(v.Env)
		}
	}
}

// inside counts what a value holds.
func (w *scale) inside(v glua.LValue) {
	switch v := v.(type) {
	case *glua.LTable:
		w.value(v.Metatable)
		elements := v.Len()
		w.total += uint64(elements) * sizeElement
		n := 0
		for key, item := v.Next(glua.LNil); key != glua.LNil && !w.over(); key, item = v.Next(key) {
			if n++; n > elements {
				w.total += sizeEntry
				w.value(key)
			}
			w.value(item)
		}
	case *glua.LFunction:
		for _, u := range v.Upvalues {
			w.total += sizeUpvalue
			if u != nil {
				w.value(u.Value())
			}
		}
		w.value(v.Env)
	case *glua.LState:
		w.stack(v)
	}
}

// stack counts the local variables of the functions that run.
func (w *scale) stack(L *glua.LState) {
	for level := 0; level < callDepth && !w.over(); level++ {
		d, ok := L.GetStack(level)
		if !ok {
			return
		}
		if fn, err := L.GetInfo("f", d, glua.LNil); err == nil {
			w.value(fn)
			if f, _ := fn.(*glua.LFunction); f == nil || f.IsG {
				continue
			}
		}
		for i := 1; i < 250; i++ {
			name, v := L.GetLocal(d, i)
			if name == "" {
				break
			}
			w.value(v)
		}
	}
}
