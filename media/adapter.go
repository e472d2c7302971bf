package media

// adapter carries a stream of frames from one rate to another and hands out
// frames of an exact length. At equal rates it only passes on.
type adapter struct {
	from, to int
	rs       Resampler
	buf      []int16 // converted samples that wait
}

// set prepares the adapter for a pair of rates; what waited is forgotten when
// they change.
func (a *adapter) set(e *Engine, from, to int) {
	if a.from == from && a.to == to {
		return
	}
	a.from, a.to, a.buf, a.rs = from, to, a.buf[:0], nil
	if from != to {
		a.rs = e.resampler(from, to)
	}
}

// push converts in and keeps the result. What nobody fetches is bounded: the
// oldest beyond four frames is lost.
func (a *adapter) push(in []int16) {
	if a.rs == nil {
		a.buf = append(a.buf, in...)
	} else {
		n := len(a.buf)
		a.buf = grow(a.buf, len(in)*a.to/a.from+8)
		n += a.rs.Process(a.buf[n:], in)
		a.buf = a.buf[:n]
	}
	if limit := 4 * SamplesPerFrame(MaxRate); len(a.buf) > limit {
		a.buf = a.buf[:copy(a.buf, a.buf[len(a.buf)-limit:])]
	}
}

// pull moves waiting samples to out and returns how many there were.
func (a *adapter) pull(out []int16) int {
	n := copy(out, a.buf)
	a.buf = a.buf[:copy(a.buf, a.buf[n:])]
	return n
}

// frame converts one frame: in at the one rate fills out at the other. Right
// after a start the resampler's own delay is made up by leading silence.
func (a *adapter) frame(in, out []int16) {
	if a.rs == nil && len(a.buf) == 0 && len(in) == len(out) {
		copy(out, in)
		return
	}
	a.push(in)
	if short := len(out) - len(a.buf); short > 0 {
		clear(out[:short])
		out = out[short:]
	}
	a.pull(out)
}

// grow returns b longer by n samples.
func grow(b []int16, n int) []int16 {
	if len(b)+n <= cap(b) {
		return b[:len(b)+n]
	}
	out := make([]int16, len(b)+n, 2*(len(b)+n))
	copy(out, b)
	return out
}
