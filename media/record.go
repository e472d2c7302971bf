package media

import (
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// RecordOptions say what is recorded and when it ends.
type RecordOptions struct {
	// Direction is what is recorded; 0 means Both.
	Direction Direction
	// Stereo puts what the far end says to the left and what it hears to the
	// right, if the Sink has two channels; StereoSwap the other way round.
	Stereo, StereoSwap bool
	// Limit ends the recording after so much sound; 0 is none.
	Limit time.Duration
	// SilenceThreshold is the energy below which a frame of what is recorded counts
	// as silent, in FreeSWITCH's scale (mean magnitude at 8 kHz); 0 turns the
	// detection off. SilenceHits silent frames in a row end the recording.
	SilenceThreshold, SilenceHits int
	// Initial ends the recording if nobody says anything from the start for so long,
	// Final if nobody does for so long after somebody has; 0 is no limit. Both need a
	// SilenceThreshold.
	Initial, Final time.Duration
	// Waits holds the recording back until Release.
	Waits bool
	// Joined leaves out what is said while the Port is joined with no other.
	Joined bool
	// Tags say what the file is about. A Sink that is no Tagger goes without.
	Tags []Tag
}

// Tag is one statement about a recording, such as its title.
type Tag struct{ Name, Value string }

// Names of tags.
const (
	TagTitle     = "TITLE"
	TagArtist    = "ARTIST"
	TagComment   = "COMMENT"
	TagCopyright = "COPYRIGHT"
	TagSoftware  = "SOFTWARE"
	TagDate      = "DATE"
)

// Tagger is a Sink whose format has room for tags. SetTags comes before the first
// Write; a file that is continued keeps its own.
type Tagger interface{ SetTags([]Tag) error }

// RecordCause says why a recording ended.
type RecordCause string

// Causes of the end of a recording.
const (
	CauseRunning RecordCause = ""        // it has not ended
	CauseStopped RecordCause = "stopped" // Stop was called
	CauseLimit   RecordCause = "limit"
	CauseSilence RecordCause = "silence"
	CauseNoInput RecordCause = "no input" // nobody spoke in Initial
	CauseError   RecordCause = "error"    // the Sink failed: see Err
	CauseClosed  RecordCause = "closed"   // the Port was closed
)

// recordQueue is how many frames may wait for the disk: five seconds.
const recordQueue = 250

// Recording is the sound of a Port on its way to a Sink. Writing has a goroutine
// of its own: if the disk is slow or full, frames are lost and counted, and the
// call goes on.
type Recording struct {
	engine *Engine
	name   string               // of the port or room, for the log
	owner  atomic.Pointer[Port] // nil for a mixer's
	sink   Sink
	opts   RecordOptions
	queue  chan *[]int16
	quit   chan struct{}
	done   chan struct{}

	masked  atomic.Bool
	paused  atomic.Bool
	waits   atomic.Bool
	spoke   atomic.Bool
	samples atomic.Int64
	lost    atomic.Int64

	mu    sync.Mutex
	cause RecordCause
	err   error

	// The clock's own.
	rates  [2]adapter
	frames [2][]int16
	taken  int64 // samples a channel
	silent int
}

// Record writes the Port's sound to sink and owns it from then on. The sink's
// rate and channel count decide the format.
func (p *Port) Record(sink Sink, o RecordOptions) *Recording {
	r := p.engine.newRecording(p.name, sink, o)
	if !r.Over() {
		p.take(r)
	}
	return r
}

// take puts a recording on the Port, or ends it if the Port is closed.
func (p *Port) take(r *Recording) {
	joined := false
	r.owner.Store(p)
	p.configure(func() { p.records, joined = append(p.records, r), true })
	if !joined {
		r.end(CauseClosed)
	} else if r.Over() {
		p.dirty.Store(true) // it may have ended before the Port was told
	}
}

// HandOver lets a recording of this Port go on with the sound of another.
func (p *Port) HandOver(r *Recording, to *Port) {
	ours := false
	p.configure(func() {
		p.records = keep(p.records, func(x *Recording) bool { ours = ours || x == r; return x != r })
	})
	if ours && !r.Over() {
		to.take(r)
	}
}

// NewRecording returns a recording that is on no Port: its owner, a mixer, gives
// it the frames with Frame. It owns sink. The name is for the log.
func (e *Engine) NewRecording(name string, sink Sink, o RecordOptions) *Recording {
	return e.newRecording(name, sink, o)
}

func (e *Engine) newRecording(name string, sink Sink, o RecordOptions) *Recording {
	if o.Direction == 0 {
		o.Direction = Both
	}
	n := SamplesPerFrame(max(sink.Rate(), 0))
	r := &Recording{
		engine: e, name: name, sink: sink, opts: o, queue: make(chan *[]int16, recordQueue),
		quit: make(chan struct{}), done: make(chan struct{}),
	}
	r.frames[0], r.frames[1] = make([]int16, n), make([]int16, n)
	r.waits.Store(o.Waits)
	if t, ok := sink.(Tagger); ok && len(o.Tags) > 0 {
		if err := t.SetTags(o.Tags); err != nil {
			e.log.Warn("media: the recording has no tags", slog.String("port", name), slog.Any("err", err))
		}
	}
	go r.write()
	if sink.Rate() < 50 || sink.Rate() > MaxRate || sink.Channels() < 1 || sink.Channels() > 2 {
		r.fail(fmt.Errorf("media: cannot record %d channels at %d Hz", sink.Channels(), sink.Rate()))
	}
	return r
}

// Done is closed when the recording has ended and the Sink is closed.
func (r *Recording) Done() <-chan struct{} { return r.done }

// Stop ends the recording; what waits is still written.
func (r *Recording) Stop() { r.end(CauseStopped) }

// Mask writes silence instead of the sound while it is on.
func (r *Recording) Mask(on bool) { r.masked.Store(on) }

// Pause leaves out what is said while it is on.
func (r *Recording) Pause(on bool) { r.paused.Store(on) }

// Release begins a recording that Waits.
func (r *Recording) Release() { r.waits.Store(false) }

// Spoke reports whether somebody was heard, or anything recorded if nobody listens
// for silence.
func (r *Recording) Spoke() bool {
	if r.opts.SilenceThreshold > 0 {
		return r.spoke.Load()
	}
	return r.Samples() > 0
}

// Paused reports whether the recording is paused.
func (r *Recording) Paused() bool { return r.paused.Load() }

// Rate returns the Sink's rate in Hz.
func (r *Recording) Rate() int { return r.sink.Rate() }

// File is the path of what the Sink writes, "" if it has none.
func (r *Recording) File() string {
	if n, ok := r.sink.(interface{ Name() string }); ok {
		return n.Name()
	}
	return ""
}

// Samples returns how many samples a channel were written.
func (r *Recording) Samples() int64 { return r.samples.Load() }

// Lost returns how many samples a channel were lost because the Sink was slow.
func (r *Recording) Lost() int64 { return r.lost.Load() }

// Cause returns why the recording ended.
func (r *Recording) Cause() RecordCause {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cause
}

// Err returns what the Sink failed with.
func (r *Recording) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Over reports whether the recording has ended; what waits may still be written.
func (r *Recording) Over() bool { return r.Cause() != CauseRunning }

func (r *Recording) end(c RecordCause) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cause == CauseRunning {
		r.cause = c
		close(r.quit)
		if p := r.owner.Load(); p != nil {
			p.dirty.Store(true)
		}
	}
}

func (r *Recording) fail(err error) {
	r.mu.Lock()
	if r.err == nil {
		r.err = err
	}
	r.mu.Unlock()
	r.end(CauseError)
}

// Frame takes one tick: what the far end says and what it hears, at rate Hz.
func (r *Recording) Frame(rate int, read, write []int16) {
	if r.Over() || r.paused.Load() || r.waits.Load() {
		return
	}
	to := r.sink.Rate()
	for i, pcm := range [...][]int16{read, write} {
		r.rates[i].set(r.engine, rate, to)
		r.rates[i].frame(pcm, r.frames[i])
	}
	if r.opts.Direction == Write {
		clear(r.frames[0])
	} else if r.opts.Direction == Read {
		clear(r.frames[1])
	}
	r.enqueue()
	r.taken += int64(len(r.frames[0]))
	sounded := time.Duration(r.taken) * time.Second / time.Duration(to)
	if r.opts.Limit > 0 && sounded >= r.opts.Limit {
		r.end(CauseLimit)
	}
	if r.opts.SilenceThreshold > 0 {
		r.listen(rate, read, write)
	}
}

// listen ends the recording when it was silent for long enough.
func (r *Recording) listen(rate int, read, write []int16) {
	loud := 0
	if r.opts.Direction&Read != 0 {
		loud = Energy(read)
	}
	if r.opts.Direction&Write != 0 {
		loud = max(loud, Energy(write))
	}
	if loud*rate/8000 >= r.opts.SilenceThreshold {
		r.silent = 0
		r.spoke.Store(true)
		return
	}
	r.silent++
	long, spoke := time.Duration(r.silent)*FrameTime, r.spoke.Load()
	switch o := r.opts; {
	case !spoke && o.Initial > 0 && long >= o.Initial:
		r.end(CauseNoInput)
	case o.SilenceHits > 0 && r.silent >= o.SilenceHits, spoke && o.Final > 0 && long >= o.Final:
		r.end(CauseSilence)
	}
}

// enqueue hands the two frames to the writer as the Sink wants them.
func (r *Recording) enqueue() {
	left, right := r.frames[0], r.frames[1]
	buf := r.engine.frames.Get().(*[]int16)
	out := (*buf)[:0]
	switch {
	case r.masked.Load():
		out = grow(out, len(left)*r.sink.Channels())
		clear(out)
	case r.sink.Channels() == 1:
		out = append(out, left...)
		add(out, right)
	case r.opts.Stereo || r.opts.StereoSwap:
		if r.opts.StereoSwap {
			left, right = right, left
		}
		for i := range left {
			out = append(out, left[i], right[i])
		}
	default:
		for i := range left {
			s := clip(int32(left[i]) + int32(right[i]))
			out = append(out, s, s)
		}
	}
	*buf = out
	select {
	case r.queue <- buf:
	default:
		r.release(buf)
		if r.lost.Add(int64(len(left))) == int64(len(left)) {
			r.engine.log.Warn("media: the recording's disk is too slow: sound is lost", slog.String("port", r.name))
		}
	}
}

func (r *Recording) release(buf *[]int16) {
	*buf = (*buf)[:cap(*buf)]
	r.engine.frames.Put(buf)
}

// write brings frames to the Sink until the recording ends, and then what waits.
func (r *Recording) write() {
	defer close(r.done)
	for {
		select {
		case buf := <-r.queue:
			r.store(buf)
			continue
		case <-r.quit:
		}
		for {
			select {
			case buf := <-r.queue:
				r.store(buf)
				continue
			default:
			}
			break
		}
		if err := r.sink.Close(); err != nil {
			r.fail(err)
		}
		return
	}
}

func (r *Recording) store(buf *[]int16) {
	if r.Err() == nil {
		if err := r.sink.Write(*buf); err != nil {
			r.engine.log.Error("media: recording failed", slog.String("port", r.name), slog.Any("err", err))
			r.fail(err)
		} else {
			r.samples.Add(int64(len(*buf) / r.sink.Channels()))
		}
	}
	r.release(buf)
}
