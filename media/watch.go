package media

import "log/slog"

// Attention says how much of what a far end says a mixer needs.
type Attention int

const (
	AllOfIt Attention = iota // every frame
	Loud                     // frames that are not faint
	NoneOfIt
)

// Watcher is a Seat that does not need what is faint: such frames are not brought
// to its rate, and a codec that can is decoded at a lower one.
type Watcher interface {
	Seat
	// Attention is asked before each frame.
	Attention() Attention
	// Faint takes a frame instead of Hear, at any rate, and reports true; or
	// reports false, if it is loud: then Hear gets it.
	Faint(pcm []int16) bool
}

const (
	// scoutRate is the rate in Hz at which silent far ends are watched.
	scoutRate = 16000
	// wakeful is how many ticks a far end must have been faint before it is decoded
	// at the lower rate: a second.
	wakeful = 50
)

// scout watches a silent far end for as little as its packets allow, to see whether it
// still is silent. What it was given last makes the real decoder ready when it speaks.
type scout struct {
	dec      Decoder
	previous []byte
	faint    int  // ticks in a row
	told     bool // the seat has had this tick's frame
	size     int  // of the packet that was taken last, bytes
	talk     int  // of the largest lately while the far end talked, 1/16 bytes
	passed   int  // packets in a row that were too small to be decoded
}

// Packets of a far end that does not mark its silence are smaller then, unless its bit
// rate is constant. Those below smallTalk/16 of the largest while it talked are taken
// for silence, but for one in mostPassed+1, lest a soft word is missed for long. The
// largest is forgotten by 1/talkFades with each packet of its talk.
const (
	smallTalk  = 8
	mostPassed = 3
	talkFades  = 512
)

// talked learns from a packet of a far end that talks, or just did.
func (s *scout) talked(size int) { s.talk = max(16*size, s.talk-s.talk/talkFades) }

// small reports whether a packet need not be decoded to know that it is faint.
func (s *scout) small(size int) bool {
	if s.passed < mostPassed && 16*16*size < smallTalk*s.talk {
		s.passed++
		return true
	}
	s.passed = 0
	return false
}

func (s *scout) close() {
	if s.dec != nil {
		s.dec.Close()
	}
	s.dec, s.previous, s.faint = nil, s.previous[:0], 0
}

// watcher returns the seat if it alone hears the far end, as it is.
func (c *chain) watcher() Watcher {
	p := c.port
	if p.seat == nil || p.inband || p.delay > 0 || len(p.taps)+len(p.records)+len(p.plays[side(Read)]) > 0 ||
		p.gain[side(Read)] != 0 || p.mute&Read != 0 || p.hold {
		return nil
	}
	w, ok := p.seat.(Watcher)
	if !ok {
		return nil
	}
	return w
}

// watch takes a packet for a seat that needs less than all, and reports whether
// that was all there was to do in this tick.
func (c *chain) watch() bool {
	c.scout.told = false
	w := c.watcher()
	if w == nil {
		c.scout.close()
		return false
	}
	switch w.Attention() {
	case NoneOfIt:
		c.skip()
		return true
	case Loud:
		return c.doze(w)
	}
	c.rouse()
	return false
}

// skip takes a packet and does not decode it.
func (c *chain) skip() {
	c.heard, c.queue = false, c.queue[:0]
	clear(c.read)
	if n, ok := c.next(); ok {
		c.scout.previous = append(c.scout.previous[:0], c.payload[:n]...)
	}
	if c.dec != nil {
		c.dec.Close()
		c.dec = nil
	}
}

// next takes the next packet while nothing is made up for what is missing.
func (c *chain) next() (n int, ok bool) {
	in := &c.port.in
	in.mu.Lock()
	defer in.mu.Unlock()
	c.jitter.ptime = max(in.format.Ptime, 10)
	n, ok, lost := c.jitter.take(c.payload)
	if ok {
		c.concealed, c.ahead = 0, 0
	} else if c.concealed++; c.concealed >= maxConceal && !lost {
		c.jitter.idle()
	}
	return n, ok
}

// doze looks after a far end that has been faint for a while: packets that say that
// they hold silence are not decoded, others at the lower rate, where the codec has one.
func (c *chain) doze(w Watcher) bool {
	s, f := &c.scout, c.port.format
	if f.Codec == nil || f.Codec.NewDecoder == nil || f.Ptime != 20 || len(c.queue) > 0 || s.faint < wakeful {
		return false
	}
	silent := c.silentNext(f.Codec)
	rate := codecRate(f, scoutRate)
	if !silent && rate >= c.rate {
		c.rouse()
		return false
	}
	if c.dec != nil {
		c.dec.Close()
		c.dec = nil
	}
	c.heard = false
	clear(c.read)
	n, ok := c.next()
	if !ok {
		return true
	}
	s.size = n
	if silent || s.small(n) {
		s.previous = append(s.previous[:0], c.payload[:n]...)
		s.told = w.Faint(c.read)
		return true
	}
	if s.dec == nil {
		d, err := f.Codec.NewDecoder(f, rate)
		if err != nil {
			s.faint = 0
			c.port.engine.log.Error("media: no decoder", slog.String("port", c.port.name), slog.Any("err", err))
			return true
		}
		s.dec = d
	}
	m, err := s.dec.Decode(c.payload[:n], c.pcm)
	if err != nil {
		in := &c.port.in
		in.mu.Lock()
		in.stats.undecodable++
		in.mu.Unlock()
		return true
	}
	if w.Faint(c.pcm[:m]) {
		s.previous = append(s.previous[:0], c.payload[:n]...)
		s.told = true
		return true
	}
	s.talked(n)
	c.rouse()
	if dec := c.decoder(); dec != nil {
		if m, err = dec.Decode(c.payload[:n], c.pcm); err == nil {
			c.queue = append(c.queue, c.pcm[:m]...)
		}
	}
	return false
}

// silentNext reports whether the packet that is taken next says that it holds silence,
// in its header or in a way of its codec.
func (c *chain) silentNext(codec *Codec) bool {
	in := &c.port.in
	in.mu.Lock()
	defer in.mu.Unlock()
	if c.jitter.silent() {
		return true
	}
	if codec.Silent == nil {
		return false
	}
	next := c.jitter.peek()
	return next != nil && codec.Silent(next)
}

// rouse goes back to decoding at the full rate; the packet before makes the new
// decoder ready, so that the first word begins as it should.
func (c *chain) rouse() {
	s := &c.scout
	if len(s.previous) > 0 && c.dec == nil {
		if dec := c.decoder(); dec != nil {
			_, _ = dec.Decode(s.previous, c.pcm) // it was decoded before
		}
	}
	s.close()
}

// faint offers the frame that was read to a seat that does not need what is faint.
func (c *chain) faint(s Seat, said []int16) bool {
	w, ok := s.(Watcher)
	if !ok {
		return false
	}
	attention := w.Attention()
	if attention != Loud || !w.Faint(said) {
		c.scout.faint = 0
		if attention != NoneOfIt && c.scout.size > 0 {
			c.scout.talked(c.scout.size)
			c.scout.size = 0
		}
		return false
	}
	c.scout.faint++
	return true
}
