package media

import (
	"log/slog"
	"sync"
	"time"
)

// Seat is a port's place in a mixer. The mixer is on the Clock itself and mixes
// in PhaseMix; Hear is called before it and Say after it, for every seat at the
// same time. Neither may block or keep a slice it was given.
type Seat interface {
	// Rate is the mixer's PCM rate in Hz, which must not change.
	Rate() int
	// Hear takes what the far end said in this tick, 20 ms at the mixer's rate;
	// nil if nothing came.
	Hear(pcm []int16)
	// Say returns what the far end shall hear: either a frame of its own at the
	// mixer's rate, valid until the next tick, or the Shared mix. Two nils mean
	// "nothing".
	Say() (own []int16, shared *Shared)
}

// Shared is sound that many ports hear at the same time. It is encoded once per
// format and tick, however many listen.
type Shared struct {
	engine *Engine
	rate   int
	pcm    []int16
	tick   uint64

	mu      sync.Mutex
	streams map[streamKey]*sharedStream
}

type streamKey struct {
	codec          *Codec
	fmtp, settings string
	ptime          int
}

func (f Format) streamKey() streamKey { return streamKey{f.Codec, f.Fmtp, f.Settings, f.Ptime} }

// sharedStream is the sound in one format.
type sharedStream struct {
	owner  *Shared
	key    streamKey
	users  int // guarded by owner.mu
	format Format

	mu      sync.Mutex
	tick    uint64
	enc     Encoder
	failed  bool
	rate    adapter
	frame   []int16
	wait    []int16
	packets []sharedPacket
}

type sharedPacket struct {
	payload []byte
	offset  int // ms from the start of the tick to the packet's first sample
}

// NewShared returns a Shared at rate Hz.
func (e *Engine) NewShared(rate int) *Shared {
	return &Shared{engine: e, rate: rate, streams: make(map[streamKey]*sharedStream)}
}

// Set gives the frame of this tick, which must stay as it is until the next tick.
// Only PhaseMix may call it.
func (s *Shared) Set(pcm []int16) {
	s.pcm = pcm
	s.tick++
}

// Streams returns in how many formats the sound is being encoded.
func (s *Shared) Streams() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.streams)
}

// SharedSource is a Source whose sound is the same for all who play it at the
// moment, as hold music is: who hears nothing else is sent its Shared.
type SharedSource interface {
	Source
	// Shared returns the sound on e's clock; nil if it must be read instead, as in
	// the first tick. It is called in PhaseWrite of every tick in which it is heard.
	Shared(e *Engine) *Shared
}

// sharedPlay returns the Shared of the playback that is heard, if nothing was
// done to its sound.
func (c *chain) sharedPlay() *Shared {
	list := c.port.plays[side(Write)]
	if len(list) == 0 {
		return nil
	}
	return list[len(list)-1].shared()
}

// shared returns the playback's Shared and counts a frame of it as played.
func (b *Playback) shared() *Shared {
	s, ok := b.src.(SharedSource)
	if !ok {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over || b.paused || b.speed != 0 || b.volume != 0 || b.opts.Mix || b.opts.Limit > 0 {
		return nil
	}
	m := s.Shared(b.engine)
	if m != nil {
		b.samples += int64(SamplesPerFrame(b.src.Rate()))
	}
	return m
}

func (s *Shared) join(f Format) *sharedStream {
	key := f.streamKey()
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.streams[key]
	if t == nil {
		t = &sharedStream{owner: s, key: key, format: f}
		s.streams[key] = t
	}
	t.users++
	return t
}

func (t *sharedStream) leave() {
	t.owner.mu.Lock()
	t.users--
	last := t.users == 0
	if last {
		delete(t.owner.streams, t.key)
	}
	t.owner.mu.Unlock()
	if !last {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.enc != nil {
		t.enc.Close()
		t.enc = nil
	}
	t.failed = true
}

// encode returns the packets of this tick; the first caller makes them.
func (t *sharedStream) encode() []sharedPacket {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.tick == t.owner.tick {
		return t.packets
	}
	t.tick = t.owner.tick
	t.packets = t.packets[:0]
	if t.enc == nil && !t.open() {
		return nil
	}
	waited := len(t.wait) * 1000 / t.rate.to
	t.rate.frame(t.owner.pcm, t.frame)
	t.wait = append(t.wait, t.frame...)
	full := t.rate.to * max(t.format.Ptime, 10) / 1000
	for i := 0; len(t.wait) >= full; i++ {
		t.packets = grown(t.packets)
		k := &t.packets[len(t.packets)-1]
		if k.payload == nil {
			k.payload = make([]byte, maxPayload)
		}
		n, err := t.enc.Encode(t.wait[:full], k.payload[:maxPayload])
		if err != nil {
			n = 0
		}
		k.payload, k.offset = k.payload[:n], i*t.format.Ptime-waited
		t.wait = t.wait[:copy(t.wait, t.wait[full:])]
	}
	return t.packets
}

// grown returns list longer by one, reusing what was there.
func grown(list []sharedPacket) []sharedPacket {
	if len(list) < cap(list) {
		return list[:len(list)+1]
	}
	return append(list, sharedPacket{})
}

func (t *sharedStream) open() bool {
	if t.failed {
		return false
	}
	rate := codecRate(t.format, t.owner.rate)
	enc, err := t.format.Codec.NewEncoder(t.format, rate)
	if err != nil {
		t.failed = true
		t.owner.engine.log.Error("media: no encoder", slog.String("format", t.format.String()), slog.Any("err", err))
		return false
	}
	t.enc = enc
	t.rate.set(t.owner.engine, t.owner.rate, rate)
	t.frame = make([]int16, SamplesPerFrame(rate))
	return true
}

// encoderRest is how many ticks an encoder is kept that is not used, because its
// port hears the shared mix: five seconds.
const encoderRest = 250

// plain reports whether the port can send a Shared as it is.
func (c *chain) plain() bool {
	p := c.port
	return len(p.records)+len(p.taps) == 0 &&
		p.gain[side(Write)] == 0 && p.mute&Write == 0 &&
		p.format.Codec != nil && p.format.Codec.NewEncoder != nil
}

// sendShared sends the packets of mix.
func (c *chain) sendShared(mix *Shared, ts uint32, free bool, now time.Time) {
	if c.enc != nil {
		if c.unused++; c.unused > encoderRest {
			c.enc.Close()
			c.enc = nil
		}
	}
	c.wait = c.wait[:0]
	if c.stream == nil || c.stream.owner != mix || c.stream.key != c.port.format.streamKey() {
		if c.stream != nil {
			c.stream.leave()
		}
		c.stream = mix.join(c.port.format)
	}
	for _, k := range c.stream.encode() {
		if !free {
			continue
		}
		if len(k.payload) == 0 {
			c.port.out.skip()
			continue
		}
		c.port.out.audio(k.payload, ts+uint32(k.offset*c.port.format.Codec.ClockRate/1000), now)
	}
}

// ownSound takes the port off the shared mix.
func (c *chain) ownSound() {
	c.unused = 0
	if c.stream != nil {
		c.stream.leave()
		c.stream = nil
	}
}
