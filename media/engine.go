package media

import (
	"context"
	"log/slog"
	"runtime"
	"sync"
)

// A Resampler changes the rate of a stream of 16-bit mono PCM. It keeps state
// between calls and serves one stream.
type Resampler interface {
	// Process converts all of in, writes the result to out and returns the
	// samples written, which may differ by one from call to call. out has room
	// for len(in)*to/from+8 samples.
	Process(out, in []int16) int
}

// A Detector finds DTMF digits in sound.
type Detector interface {
	// Process takes the next samples and calls emit for each digit found.
	Process(pcm []int16, emit func(Digit))
}

// EngineOptions are the parts an Engine is built from.
type EngineOptions struct {
	// Codecs is the codec table, in no particular order.
	Codecs []*Codec
	// NewResampler makes a Resampler between two rates in Hz; nil means linear
	// interpolation, which is good enough for tests only.
	NewResampler func(from, to int) Resampler
	// NewDetector makes an in-band DTMF detector at a rate in Hz; nil means that
	// digits in the sound are never found.
	NewDetector func(rate int) Detector
	// NewTone makes the sound of a digit at a rate in Hz; nil means that digits
	// are never sent in the sound.
	NewTone func(d Digit, rate int) Source
	// Workers is how many goroutines may share the work of a tick; 0 means one a
	// processor.
	Workers int
	// Log receives what an operator should know; nil discards it.
	Log *slog.Logger
}

// Engine makes Ports and owns the Clock and the codec table they share. One
// appliance has one Engine; several may live side by side.
type Engine struct {
	codecs    []*Codec
	resampler func(from, to int) Resampler
	detector  func(rate int) Detector
	tone      func(Digit, int) Source
	log       *slog.Logger
	clock     *Clock
	frames    sync.Pool // *[]int16 of MaxRate/50*2 samples, for queues
	payloads  sync.Pool // *[]byte of maxPayload bytes, for jitter buffers
	topology  sync.Mutex
}

// maxPayload is the largest RTP payload that is decoded, in bytes: a datagram
// that fits an Ethernet frame.
const maxPayload = 1500

// NewEngine returns an Engine whose Clock stands still until Start.
func NewEngine(o EngineOptions) *Engine {
	if o.NewResampler == nil {
		o.NewResampler = newLinear
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	e := &Engine{
		codecs: o.Codecs, resampler: o.NewResampler, detector: o.NewDetector,
		tone: o.NewTone, log: o.Log, clock: newClock(o.Workers),
	}
	e.frames.New = func() any { b := make([]int16, MaxRate/50*2); return &b }
	e.payloads.New = func() any { b := make([]byte, maxPayload); return &b }
	return e
}

// Start runs the Clock until ctx ends or Close is called.
func (e *Engine) Start(ctx context.Context) { e.clock.start(ctx) }

// Close stops the Clock and waits for it. Ports stay usable but silent.
func (e *Engine) Close() { e.clock.close() }

// Codecs returns the codec table.
func (e *Engine) Codecs() []*Codec { return e.codecs }

// Clock returns the clock that drives the Engine's ports and mixers.
func (e *Engine) Clock() *Clock { return e.clock }

// Resampler makes a Resampler between two rates in Hz.
func (e *Engine) Resampler(from, to int) Resampler { return e.resampler(from, to) }

// linear is the Resampler of last resort: linear interpolation.
type linear struct {
	from, to int
	pos      int // position of the next output sample, in 1/to of an input sample
	last     int16
}

func newLinear(from, to int) Resampler { return &linear{from: from, to: to} }

func (l *linear) Process(out, in []int16) int {
	n := 0
	for l.pos < len(in)*l.to && n < len(out) {
		i, frac := l.pos/l.to, l.pos%l.to
		a := l.last
		if i > 0 {
			a = in[i-1]
		}
		out[n] = int16(int(a) + (int(in[i])-int(a))*frac/l.to)
		n++
		l.pos += l.from
	}
	l.pos -= len(in) * l.to
	if len(in) > 0 {
		l.last = in[len(in)-1]
	}
	return n
}
