package lua

import (
	"runtime"
	"testing"
)

// BenchmarkCommandLua is a whole run: state, libraries, classes, a small program.
func BenchmarkCommandLua(b *testing.B) {
	box := newBox(b, "", nil)
	box.write("x.lua", `stream:write("x" .. argv[1])`)
	b.ReportAllocs()
	for b.Loop() {
		box.api("lua x.lua y")
	}
}

// A run of a one-liner is to take 0.3 ms at most. A test cannot hold that on a machine
// that others use, but what most of it would go to: the state that is made for it.
func TestCommandLua_OneLinerIsCheap(t *testing.T) {
	b := newBox(t, "", nil)
	const most = 220
	if n := testing.AllocsPerRun(50, func() { b.api("lua ~stream:write('x')") }); n > most {
		t.Errorf("%.0f allocations a run, at most %d are meant to", n, most)
	}
}

// BenchmarkCallFromLua is one method of an object.
func BenchmarkCallFromLua(b *testing.B) {
	box := newBox(b, "", nil)
	s := box.host.newScript("bench", b.Context(), nil)
	defer s.close()
	proto, err := compile(`local s = freeswitch.Stream() return function() return s:get_data() end`, "bench")
	if err != nil {
		b.Fatal(err)
	}
	s.L.Push(s.load(s.L, proto, nil))
	s.L.Call(0, 1)
	fn := s.L.Get(-1)
	b.ReportAllocs()
	for b.Loop() {
		s.L.Push(fn)
		s.L.Call(0, 1)
		s.L.Pop(1)
	}
}

func TestScript_StateIsSmall(t *testing.T) {
	b := newBox(t, "", nil)
	const states = 50
	list := make([]*script, states)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range list {
		list[i] = b.host.newScript("small", t.Context(), nil)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := int(after.HeapAlloc-before.HeapAlloc) / states
	for _, s := range list {
		s.close()
	}
	const most = 48 << 10
	if each > most {
		t.Errorf("a script's state takes %d bytes, at most %d are meant to", each, most)
	}
	t.Logf("%d bytes a state", each)
}
