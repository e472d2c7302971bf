package media

import (
	"sync"
	"time"
)

// Tick moves one frame through the port, in the phases of the Clock.
func (p *Port) Tick(phase Phase, now time.Time) {
	switch phase {
	case PhaseRead:
		p.mu.Lock()
		if p.chain != nil {
			p.chain.readPhase()
		}
		p.mu.Unlock()
	case PhaseWrite:
		p.mu.Lock()
		if p.chain != nil {
			p.chain.writePhase(now)
		} else {
			p.out.tickDigits(now)
		}
		relay := p.chain == nil
		pending := p.pending
		p.pending = nil
		p.mu.Unlock()
		for _, d := range pending {
			p.digit(d)
		}
		if relay {
			p.rest()
		}
		if p.dirty.Swap(false) {
			p.tidy()
		}
	}
}

// rest takes a port off the clock that was on it for its digits only.
func (p *Port) rest() {
	if p.out.leaveClock() {
		return
	}
	p.engine.topology.Lock()
	defer p.engine.topology.Unlock()
	p.mu.Lock()
	relay := p.chain == nil
	p.mu.Unlock()
	if !relay {
		return
	}
	p.engine.clock.Remove(p)
	if p.out.leaveClock() {
		p.engine.clock.Add(p)
	}
}

// tidy forgets what has ended and lets the gear follow.
func (p *Port) tidy() {
	p.engine.topology.Lock()
	defer p.engine.topology.Unlock()
	p.mu.Lock()
	for s := range p.plays {
		p.plays[s] = keep(p.plays[s], func(b *Playback) bool { return !b.Over() })
	}
	p.taps = keep(p.taps, func(t *tap) bool { return !t.removed.Load() })
	p.records = keep(p.records, func(r *Recording) bool { return !r.Over() })
	p.mu.Unlock()
	p.settle()
}

// keep returns the members of list that are wanted, in the same array.
func keep[T any](list []T, wanted func(T) bool) []T {
	kept := list[:0]
	for _, m := range list {
		if wanted(m) {
			kept = append(kept, m)
		}
	}
	clear(list[len(kept):])
	return kept
}

// readPhase takes a frame from the far end and shows it to all who listen.
func (c *chain) readPhase() {
	p := c.port
	c.fetch()
	if p.inband && c.heard {
		if c.detector == nil {
			c.detector = p.engine.detector(c.rate)
		}
		c.detector.Process(c.read, c.found)
	}
	if p.delay > 0 {
		c.late.pass(c.read, p.delay)
		c.heard = true
	}
	scale(c.read, p.gain[side(Read)])
	if p.mute&Read != 0 {
		clear(c.read)
	}
	c.perform(Read)
	for _, t := range p.taps {
		if t.direction == Read {
			t.frame(p.engine, c.rate, c.read)
		}
	}
	said := c.read
	if !c.heard || p.hold {
		said = nil
	}
	if p.seat != nil {
		c.tell(p.seat, said)
	} else if p.peer.Load() != nil {
		p.lent.say(said, c.rate)
	}
}

// tell gives a mixer what the far end said, at the mixer's rate.
func (c *chain) tell(s Seat, said []int16) {
	if c.scout.told {
		return
	}
	if said == nil {
		s.Hear(nil)
		return
	}
	if c.faint(s, said) {
		return
	}
	if s.Rate() != c.rate {
		c.toSeat.set(c.port.engine, c.rate, s.Rate())
		c.seatPCM = grow(c.seatPCM[:0], SamplesPerFrame(s.Rate()))
		c.toSeat.frame(said, c.seatPCM)
		said = c.seatPCM
	}
	s.Hear(said)
}

// frameOf returns the frame that sounds in a direction, and whether it does.
func (c *chain) frameOf(d Direction) ([]int16, *bool) {
	if d == Read {
		return c.read, &c.heard
	}
	return c.write, nil
}

// perform puts the playbacks of a direction into its frame and reports whether
// there was one.
func (c *chain) perform(d Direction) (sounded bool) {
	p := c.port
	frame, heard := c.frameOf(d)
	list := p.plays[side(d)]
	base := len(list) - 1 // the newest that covers; what is mixed is newer
	for ; base >= 0; base-- {
		if list[base].opts.Mix {
			continue
		}
		if n := list[base].Frame(c.rate, c.extra); n > 0 {
			clear(frame[copy(frame, c.extra[:n]):])
			sounded = true
			break
		}
	}
	for _, b := range list[base+1:] {
		if !b.opts.Mix {
			continue
		}
		if n := b.Frame(c.rate, c.extra); n > 0 {
			add(frame, c.extra[:n])
			sounded = true
		}
	}
	if sounded && heard != nil {
		*heard = true
	}
	return sounded
}

// writePhase finds what the far end hears in this tick and sends it.
func (c *chain) writePhase(now time.Time) {
	p := c.port
	ts, free := p.out.tick(now)
	mix := c.shareable()
	if mix != nil && c.plain() {
		c.sendShared(mix, ts, free, now)
		return
	}
	c.ownSound()
	sound := c.compose()
	if c.perform(Write) {
		sound = true
	}
	if !sound && p.noise > 0 {
		c.hiss.fill(c.write, p.noise)
	}
	if sound || p.fill {
		scale(c.write, p.gain[side(Write)])
		if p.mute&Write != 0 {
			clear(c.write)
		}
	}
	for _, t := range p.taps {
		switch t.direction {
		case Write:
			t.frame(p.engine, c.rate, c.write)
		case Both:
			t.both(p.engine, c.rate, c.read, c.write)
		}
	}
	for _, r := range p.records {
		if !r.opts.Joined || p.peer.Load() != nil {
			r.Frame(c.rate, c.read, c.write)
		}
	}
	switch {
	case !free:
		c.wait = c.wait[:0]
	case sound || p.fill:
		c.send(ts, now)
	default:
		c.pause(ts, now)
		p.out.skip()
	}
}

// shareable asks the mixer for this tick's sound, and returns what the port may
// send as others do: the Shared of the playback that covers the mix, else the
// mixer's.
func (c *chain) shareable() *Shared {
	p := c.port
	c.own, c.mix = nil, nil
	if p.seat != nil {
		c.own, c.mix = p.seat.Say()
	}
	switch {
	case len(p.plays[side(Write)]) > 0:
		return c.sharedPlay()
	case p.hold:
		return nil
	}
	return c.mix
}

// compose fills c.write with what the port is joined to, and reports whether
// there is sound in it.
func (c *chain) compose() bool {
	p := c.port
	q := p.peer.Load()
	switch {
	case p.hold:
	case p.seat != nil:
		if c.mix != nil {
			c.own = c.mix.pcm
		}
		if c.own == nil {
			break
		}
		c.toPeer.set(p.engine, p.seat.Rate(), c.rate)
		c.toPeer.frame(c.own, c.write)
		return true
	case q != nil:
		var rate int
		var ok bool
		if c.theirs, rate, ok = q.lent.fetch(c.theirs); !ok {
			break
		}
		c.toPeer.set(p.engine, rate, c.rate)
		c.toPeer.frame(c.theirs, c.write)
		return true
	case (p.echo || p.delayEcho) && c.heard:
		copy(c.write, c.read)
		return true
	}
	clear(c.write)
	return false
}

// lent is what a far end said in this tick, for the joined port to fetch.
type lent struct {
	mu    sync.Mutex
	frame []int16
	rate  int
}

// say sets the frame; nil means that nothing was said.
func (l *lent) say(frame []int16, rate int) {
	l.mu.Lock()
	l.frame, l.rate = append(l.frame[:0], frame...), rate
	l.mu.Unlock()
}

// fetch copies the frame to out, and reports its rate and whether there is one.
func (l *lent) fetch(out []int16) (frame []int16, rate int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.frame) == 0 {
		return out, 0, false
	}
	return append(out[:0], l.frame...), l.rate, true
}
