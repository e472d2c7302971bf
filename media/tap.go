package media

import "sync/atomic"

// tap shows frames to a function.
type tap struct {
	direction Direction
	rate      int // 0: the port's
	fn        func([]int16)
	removed   atomic.Bool
	own       [2]adapter
	buf       [2][]int16
}

// Tap calls fn with each frame of a direction (both are added up), converted to
// rate Hz; 0 means the port's own rate. Where nothing sounds, the frame is
// silence. fn runs on the clock: it must not block, call the Port, or keep the
// slice. remove takes the tap away; fn may be called once more meanwhile.
func (p *Port) Tap(d Direction, rate int, fn func(pcm []int16)) (remove func()) {
	t := &tap{direction: d, rate: rate, fn: fn}
	p.configure(func() { p.taps = append(p.taps, t) })
	return func() {
		t.removed.Store(true)
		p.dirty.Store(true)
	}
}

func (t *tap) convert(e *Engine, i, rate int, pcm []int16) []int16 {
	to := t.rate
	if to == 0 {
		to = rate
	}
	t.own[i].set(e, rate, to)
	if n := SamplesPerFrame(to); len(t.buf[i]) != n {
		t.buf[i] = make([]int16, n)
	}
	t.own[i].frame(pcm, t.buf[i])
	return t.buf[i]
}

func (t *tap) frame(e *Engine, rate int, pcm []int16) {
	if !t.removed.Load() {
		t.fn(t.convert(e, 0, rate, pcm))
	}
}

func (t *tap) both(e *Engine, rate int, read, write []int16) {
	if t.removed.Load() {
		return
	}
	sum := t.convert(e, 0, rate, read)
	add(sum, t.convert(e, 1, rate, write))
	t.fn(sum)
}
