package stream

import (
	"io"
	"math"
	"sync"
	"time"

	"github.com/switchlet/switchlet/media"
)

// hubKey is a stream at one rate.
type hubKey struct {
	name string
	rate int
}

// window is how many blocks of 20 ms a listener may be behind the newest.
const window = 100

// hub decodes a stream once for all its listeners. The listener that is furthest
// decodes the next block; the others find it in the window.
type hub struct {
	rate int
	open func() media.Source
	warn func(format string, args ...any)

	mu     sync.Mutex
	src    media.Source
	gain   int // of the stream, dB
	auto   media.AutoGain
	over   bool // the stream was stopped: its listeners come to an end
	blocks [window][]int16
	head   int64    // the next block to be decoded
	notes  []string // warnings that wait until the lock is free

	// On the clock, for listeners who hear nothing else: what they hear is encoded
	// once a format. It stays there while somebody asks for it.
	engine *media.Engine
	shared *media.Shared
	onair  bool
	frame  []int16 // of this tick
	at     int64   // the block after frame
	set    bool    // frame holds something
	unused int     // ticks since somebody asked
}

// rest is how many ticks a hub stays on the clock unheard.
const rest = 50

// maxNotes bounds the warnings of one block.
const maxNotes = 20

// note keeps a warning; it is called under the lock.
func (h *hub) note(message string) {
	if len(h.notes) < maxNotes {
		h.notes = append(h.notes, message)
	}
}

// configure says what is played from the next block on.
func (h *hub) configure(o *Opener, conf LocalStream, found bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.adjust(conf)
	h.open = func() media.Source {
		src := openMusic(conf, found, h.rate, h.note)
		if len(conf.Chimes) == 0 || conf.ChimeEvery <= 0 {
			return src
		}
		return newChimed(src, conf, h.note, func(name string) (media.Source, error) { return o.openFile(name, h.rate) })
	}
	h.forget()
}

// forget makes the next block begin with a new source. Caller holds h.mu.
func (h *hub) forget() {
	if h.src != nil {
		_ = h.src.Close()
		h.src = nil
	}
}

// skip goes to the next file.
func (h *hub) skip() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s, ok := h.src.(interface{ skip() }); ok {
		s.skip()
	}
}

// setVolume takes the volume of conf, fixed or automatic.
func (h *hub) setVolume(conf LocalStream) {
	h.mu.Lock()
	h.adjust(conf)
	h.mu.Unlock()
}

// Automatic volume, as FreeSWITCH has it: a decibel every two seconds, once the score
// was off by more than the margin for four times that.
const (
	autoMargin = 500
	autoFactor = 3
	autoPeriod = 100 // blocks
	// quiet is the score of a block that is a pause between two pieces, which shall not
	// make the next begin loud.
	quiet = 20
)

// adjust is setVolume. Caller holds h.mu.
func (h *hub) adjust(conf LocalStream) {
	h.gain = conf.Volume
	if conf.AutoVolume != h.auto.Level || conf.AutoLow != h.auto.Low {
		h.auto.Set(media.AGC{Level: conf.AutoVolume, Low: conf.AutoLow, Margin: autoMargin, Factor: autoFactor, Period: autoPeriod})
	}
}

// stop brings the listeners to an end.
func (h *hub) stop() error {
	h.mu.Lock()
	h.over = true
	h.mu.Unlock()
	return h.close()
}

// join returns a listener at the newest block.
func (h *hub) join() *listener {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.onair {
		return &listener{hub: h, block: h.at}
	}
	return &listener{hub: h, block: max(h.head-1, 0)}
}

// copyBlock copies block n from offset to pcm. A block that has left the window is
// replaced by the oldest; the block that was taken is returned. Nothing is copied once
// the stream was stopped.
func (h *hub) copyBlock(n int64, offset int, pcm []int16) (int64, int) {
	h.mu.Lock()
	if h.over {
		h.mu.Unlock()
		return n, 0
	}
	n = h.reach(n)
	copied := copy(pcm, h.blocks[n%window][offset:])
	notes := h.takeNotes()
	h.mu.Unlock()
	h.tell(notes)
	return n, copied
}

// reach decodes up to block n, and returns it or the oldest that is left.
func (h *hub) reach(n int64) int64 {
	n = max(n, h.head-window)
	for n >= h.head {
		h.decode()
	}
	return n
}

func (h *hub) takeNotes() []string {
	notes := h.notes
	h.notes = nil
	return notes
}

// tell passes warnings on; it is called without the lock.
func (h *hub) tell(notes []string) {
	for _, m := range notes {
		h.warn("%s", m)
	}
}

// Tick implements media.Ticker: it gives those on the air the next block.
func (h *hub) Tick(p media.Phase, _ time.Time) {
	if p != media.PhaseMix {
		return
	}
	h.mu.Lock()
	if h.unused++; h.unused > rest {
		h.engine.Clock().Remove(h)
		h.onair, h.set = false, false
		h.mu.Unlock()
		return
	}
	h.at = h.reach(h.at)
	copy(h.frame, h.blocks[h.at%window])
	h.at++
	h.set = true
	h.shared.Set(h.frame)
	notes := h.takeNotes()
	h.mu.Unlock()
	h.tell(notes)
}

// air returns the shared sound, and the block that follows what is heard of it in
// this tick; nil while it is not on e's clock. from is where it begins if it was
// not on the air yet.
func (h *hub) air(e *media.Engine, from int64) (*media.Shared, int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.engine == nil {
		h.engine, h.shared, h.frame = e, e.NewShared(h.rate), make([]int16, h.rate/50)
	}
	if h.engine != e || h.over {
		return nil, 0
	}
	h.unused = 0
	if !h.onair {
		h.onair, h.at = true, from
		e.Clock().Add(h)
	}
	if !h.set {
		return nil, 0
	}
	return h.shared, h.at
}

// decode fills the block at head. A source that fails is opened anew at the next
// block; what is missing of this one is silence.
func (h *hub) decode() {
	if h.src == nil {
		h.src = h.open()
	}
	b := h.blocks[h.head%window]
	if b == nil {
		b = make([]int16, h.rate/50)
		h.blocks[h.head%window] = b
	}
	for at := 0; at < len(b); {
		n, err := h.src.Read(b[at:])
		at += n
		if err != nil || n == 0 {
			_ = h.src.Close()
			h.src = nil
			clear(b[at:])
			break
		}
	}
	if h.auto.Level > 0 {
		h.auto.Apply(b)
		if score := media.Energy(b); score > quiet {
			h.auto.Hear(score)
		}
	} else {
		amplify(b, h.gain)
	}
	h.head++
}

// amplify changes the level of pcm by db.
func amplify(pcm []int16, db int) {
	if db == 0 {
		return
	}
	f := math.Pow(10, float64(db)/20)
	for i, s := range pcm {
		pcm[i] = int16(min(max(float64(s)*f, -32768), 32767))
	}
}

func (h *hub) close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.onair {
		h.engine.Clock().Remove(h)
		h.onair, h.set = false, false
	}
	if h.src == nil {
		return nil
	}
	err := h.src.Close()
	h.src = nil
	return err
}

// listener is one Source of a hub.
type listener struct {
	hub    *hub
	block  int64
	offset int
}

func (l *listener) Rate() int    { return l.hub.rate }
func (l *listener) Close() error { return nil }

// Shared implements media.SharedSource. Who leaves the air goes on reading where he
// heard it last; who comes to it may jump by what he was behind.
func (l *listener) Shared(e *media.Engine) *media.Shared {
	s, next := l.hub.air(e, l.block+1)
	if s != nil {
		l.block, l.offset = next, 0
	}
	return s
}

func (l *listener) Read(pcm []int16) (int, error) {
	for n := 0; ; {
		block, m := l.hub.copyBlock(l.block, l.offset, pcm[n:])
		if l.block = block; m == 0 {
			return n, io.EOF
		}
		n += m
		if l.offset += m; l.offset == l.hub.rate/50 {
			l.block, l.offset = l.block+1, 0
		}
		if n == len(pcm) {
			return n, nil
		}
	}
}
