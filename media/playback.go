package media

import (
	"errors"
	"io"
	"sync"
	"time"
)

// ErrStopped is the error of a playback that was stopped before its end.
var ErrStopped = errors.New("media: stopped")

// ErrNotSeekable is returned for positions in a Source that has none.
var ErrNotSeekable = errors.New("media: source has no positions")

// PlayOptions say how a Source is played.
type PlayOptions struct {
	// Direction is who hears it: Write (and 0) the far end, Read those who listen
	// to the far end, instead of it.
	Direction Direction
	// Mix adds the sound to what would be heard anyway, instead of covering it.
	Mix bool
	// Start is the first sample, at the Source's rate; it needs a Seeker.
	Start int64
	// Limit ends the playback after so much sound; 0 is none.
	Limit time.Duration
	// Loop starts over at the end, if the Source is a Seeker.
	Loop bool
	// Volume is the first setting of the control of that name.
	Volume int
}

// Playback is a Source that is being played on a Port.
type Playback struct {
	engine *Engine
	ended  func() // tells the owner; must not block
	src    Source
	opts   PlayOptions
	done   chan struct{}

	mu      sync.Mutex
	over    bool
	err     error
	paused  bool
	speed   int
	volume  int
	samples int64 // at the source's rate
	lap     int64 // the same, since the sound was last started over
	rate    adapter
	stretch stretcher
	in      []int16
}

// Play starts src at the next tick and owns it from then on. A newer playback is
// heard instead of an older one, which goes on when the newer ends.
func (p *Port) Play(src Source, o PlayOptions) *Playback {
	if o.Direction == 0 {
		o.Direction = Write
	}
	b := p.engine.newPlayback(src, o, func() { p.dirty.Store(true) })
	if b.Over() {
		return b
	}
	var closed bool
	p.engine.topology.Lock()
	p.mu.Lock()
	if closed = p.closed; !closed {
		s := side(o.Direction)
		p.plays[s] = append(p.plays[s], b)
	}
	p.mu.Unlock()
	if !closed {
		p.settle()
	}
	p.engine.topology.Unlock()
	if closed {
		b.finish(ErrClosed)
	}
	return b
}

// NewPlayback returns a playback that is on no Port: its owner, a mixer, takes
// the frames with Frame. It owns src.
func (e *Engine) NewPlayback(src Source, o PlayOptions) *Playback { return e.newPlayback(src, o, nil) }

func (e *Engine) newPlayback(src Source, o PlayOptions, ended func()) *Playback {
	b := &Playback{engine: e, src: src, opts: o, ended: ended, done: make(chan struct{})}
	b.volume = clampVolume(o.Volume)
	if o.Start > 0 {
		s, ok := src.(Seeker)
		if !ok {
			b.finish(ErrNotSeekable)
		} else if err := s.SeekTo(o.Start); err != nil {
			b.finish(err)
		}
	}
	return b
}

// Over reports whether the playback has ended.
func (b *Playback) Over() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.over
}

// Done is closed when the playback has ended.
func (b *Playback) Done() <-chan struct{} { return b.done }

// Err returns why the playback ended: nil at the end of the sound or while it
// goes on, ErrStopped, ErrClosed, or what the Source said.
func (b *Playback) Err() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

// Stop ends the playback; what was queued is not sent any more.
func (b *Playback) Stop() { b.finish(ErrStopped) }

// finish ends the playback once and marks its port, which forgets it with the
// next tick.
func (b *Playback) finish(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.finishLocked(err)
}

func (b *Playback) finishLocked(err error) {
	if b.over {
		return
	}
	b.over = true
	if err != io.EOF {
		b.err = err
	}
	if cerr := b.src.Close(); b.err == nil && cerr != nil {
		b.err = cerr
	}
	if b.ended != nil {
		b.ended()
	}
	close(b.done)
}

// Pause stops the sound where it is, or lets it go on.
func (b *Playback) Pause(on bool) {
	b.mu.Lock()
	b.paused = on
	b.mu.Unlock()
}

// TogglePause pauses or goes on and reports whether it is paused now.
func (b *Playback) TogglePause() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.paused = !b.paused
	return b.paused
}

// Paused reports whether the playback is paused.
func (b *Playback) Paused() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.paused
}

// SetSpeed sets the speed, -2 to 2: each step up takes a quarter of the time
// away, each step down adds one (spec/lua.md §3.1). It returns what was set.
func (b *Playback) SetSpeed(n int) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.speed = clampSpeed(n)
	return b.speed
}

// Speed returns the speed, -2 to 2.
func (b *Playback) Speed() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.speed
}

// SetVolume sets the volume step, -4 to 4, and returns what was set.
func (b *Playback) SetVolume(n int) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.volume = clampVolume(n)
	return b.volume
}

// Volume returns the volume step, -4 to 4.
func (b *Playback) Volume() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.volume
}

// Rate returns the Source's rate in Hz.
func (b *Playback) Rate() int { return b.src.Rate() }

// Len returns the Source's length in samples at its rate; 0 if it is not known.
func (b *Playback) Len() int64 {
	s, ok := b.src.(Sized)
	if !ok {
		return 0
	}
	return s.Len()
}

// Samples returns how many samples were played, at the Source's rate.
func (b *Playback) Samples() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.samples
}

// Position returns the sample that is played next, at the Source's rate.
func (b *Playback) Position() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.position()
}

func (b *Playback) position() int64 {
	if s, ok := b.src.(Seeker); ok && !b.over {
		return s.Position()
	}
	return b.samples
}

// SeekTo goes to ms milliseconds from the start.
func (b *Playback) SeekTo(ms int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.seek(ms * int64(b.src.Rate()) / 1000)
}

// SeekBy goes forward by ms milliseconds, or back if ms is negative.
func (b *Playback) SeekBy(ms int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.seek(b.position() + ms*int64(b.src.Rate())/1000)
}

// SeekSample goes to sample n, at the Source's rate.
func (b *Playback) SeekSample(n int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.seek(n)
}

// Restart goes to the start, at normal speed.
func (b *Playback) Restart() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.speed = 0
	return b.seek(0)
}

func (b *Playback) seek(sample int64) error {
	if b.over {
		return ErrStopped
	}
	s, ok := b.src.(Seeker)
	if !ok {
		return ErrNotSeekable
	}
	b.rate.buf = b.rate.buf[:0]
	return s.SeekTo(max(sample, 0))
}

// Frame fills out with the next frame at rate Hz. It returns how many samples it
// holds; fewer than asked for mean that this was the last frame.
func (b *Playback) Frame(rate int, out []int16) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over {
		return 0
	}
	if b.paused {
		clear(out)
		return len(out)
	}
	from := b.src.Rate()
	if from <= 0 || from > 4*MaxRate {
		b.finishLocked(errors.New("media: source has an impossible rate"))
		return 0
	}
	b.rate.set(b.engine, from, rate)
	chunk := max(SamplesPerFrame(from), 1)
	if cap(b.in) < chunk {
		b.in = make([]int16, chunk)
	}
	for len(b.rate.buf) < len(out) {
		n, err := b.src.Read(b.in[:chunk])
		b.samples += int64(n)
		b.lap += int64(n)
		if n > 0 {
			b.rate.push(b.stretch.process(b.in[:n], b.speed))
		}
		if limit := b.opts.Limit; err == nil && limit > 0 && b.played() >= limit {
			err = io.EOF
		}
		if err == nil && n == 0 {
			break // the source has nothing yet: a stream that waits for its network
		}
		if err == io.EOF && b.restart() {
			continue
		}
		if err != nil {
			n := b.rate.pull(out)
			scale(out[:n], b.volume)
			b.finishLocked(err)
			return n
		}
	}
	n := b.rate.pull(out)
	clear(out[n:])
	scale(out[:n], b.volume)
	return len(out)
}

// restart starts a looped playback over, unless there was nothing to hear.
func (b *Playback) restart() bool {
	if !b.opts.Loop || b.lap == 0 || b.opts.Limit > 0 && b.played() >= b.opts.Limit {
		return false
	}
	b.lap = 0
	s, ok := b.src.(Seeker)
	return ok && s.SeekTo(0) == nil
}

func (b *Playback) played() time.Duration {
	return time.Duration(b.samples) * time.Second / time.Duration(b.src.Rate())
}

const maxSpeed = 2

func clampSpeed(n int) int  { return min(max(n, -maxSpeed), maxSpeed) }
func clampVolume(n int) int { return min(max(n, -maxVolume), maxVolume) }

// stretcher plays sound faster or slower by interpolating between samples.
type stretcher struct {
	pos  int // of the next sample, in 1/4 of an input sample's share
	last int16
	out  []int16
}

// process returns in at another speed; the result is valid until the next call.
func (s *stretcher) process(in []int16, speed int) []int16 {
	if speed == 0 || len(in) == 0 {
		if len(in) > 0 {
			s.last, s.pos = in[len(in)-1], 0
		}
		return in
	}
	// One output sample takes 4/(4-speed) input samples: 0.75 of the time at +1.
	unit := 4 - speed
	s.out = s.out[:0]
	for ; s.pos < len(in)*unit; s.pos += 4 {
		i, frac := s.pos/unit, s.pos%unit
		a := s.last
		if i > 0 {
			a = in[i-1]
		}
		s.out = append(s.out, int16(int(a)+(int(in[i])-int(a))*frac/unit))
	}
	s.pos -= len(in) * unit
	s.last = in[len(in)-1]
	return s.out
}
