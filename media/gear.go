package media

import "time"

// The gear of a port is a consequence of what is asked of it: settle looks at
// the wishes, finds the gear, and shifts. Everything that could raise it calls
// settle at once; what lowers it (a playback that ended, a tap removed) marks
// the port dirty and the clock settles it after the tick.

// wantsPCM reports whether p must hear or make sound. Caller holds p.mu.
func (p *Port) wantsPCM() bool {
	return len(p.plays[0])+len(p.plays[1])+len(p.taps)+len(p.records) > 0 ||
		p.seat != nil || p.mute != 0 || p.gain != [2]int{} || p.delay > 0 || p.inband || p.fill
}

// settle shifts p and the port it is joined to into the gear they need. Caller
// holds topology and no other lock.
func (p *Port) settle() {
	q := p.peer.Load()
	if q == nil {
		p.settleAlone()
		return
	}
	p.mu.Lock()
	pf, pcm, pHold := p.format, p.wantsPCM(), p.hold
	p.mu.Unlock()
	q.mu.Lock()
	qf, qHold := q.format, q.hold
	pcm = pcm || q.wantsPCM() || (!pf.IsZero() && !qf.IsZero() && !pf.SameWire(qf))
	q.mu.Unlock()
	if pcm {
		rate := min(naturalRate(pf), naturalRate(qf))
		p.raise(rate, false)
		q.raise(rate, false)
		return
	}
	if pHold || qHold {
		p.lower(nil)
		q.lower(nil)
		return
	}
	p.lower(q)
	q.lower(p)
}

func (p *Port) settleAlone() {
	p.mu.Lock()
	pcm, format, seat := p.wantsPCM(), p.format, p.seat
	var target *Port
	if p.echo && !p.hold {
		target = p
	}
	p.mu.Unlock()
	if pcm {
		rate := naturalRate(format)
		if seat != nil {
			rate = seat.Rate()
		}
		p.raise(rate, seat == nil)
		return
	}
	p.lower(target)
}

// naturalRate is the PCM rate in Hz at which f sounds best, 8000 if unknown.
func naturalRate(f Format) int {
	if f.Codec == nil || f.Codec.Rate == 0 {
		return 8000
	}
	return f.Codec.Rate
}

// codecRate returns the rate at which f is coded when want Hz are needed: that
// very rate, else the next higher that the codec has, else its natural one.
func codecRate(f Format, want int) int {
	if f.Codec == nil {
		return want
	}
	best := 0
	for _, r := range f.Codec.Rates {
		if r >= want && (best == 0 || r < best) {
			best = r
		}
	}
	if best == 0 {
		return naturalRate(f)
	}
	return best
}

// raise puts p into the PCM gear at a rate that suits rate. early: whoever answers
// digits does so before the next tick if he can.
func (p *Port) raise(rate int, early bool) {
	p.mu.Lock()
	rate = codecRate(p.format, rate)
	if c := p.chain; c == nil || c.rate != rate {
		if c != nil {
			c.close()
		}
		c = newChain(p, rate)
		if p.chain != nil {
			c.jitter = p.chain.jitter
		} else {
			c.jitter.init(&p.engine.payloads)
			c.jitter.bound(p.jitterMin, p.jitterMax)
		}
		p.chain = c
		p.in.mu.Lock()
		p.in.jitter, p.in.target = c.jitter, nil
		p.in.mu.Unlock()
	}
	p.calm(true, early)
	p.mu.Unlock()
	p.engine.clock.Add(p)
}

// lower takes p out of the PCM gear; what its far end says goes to target as it
// is, or nowhere. Packets that waited in the jitter buffer go first, so that no
// sound is lost.
func (p *Port) lower(target *Port) {
	p.mu.Lock()
	c := p.chain
	p.chain = nil
	p.in.mu.Lock()
	if c != nil {
		c.jitter.drain(func(k *Packet) {
			if target != nil {
				target.out.relay(k, time.Now())
			}
		})
	}
	if c != nil {
		p.in.past.add(c.jitter.stats)
	}
	p.in.jitter, p.in.target = nil, target
	p.in.mu.Unlock()
	p.lent.say(nil, 0)
	if c != nil {
		c.close()
	}
	p.calm(false, false)
	p.mu.Unlock()
	if !p.out.leaveClock() {
		p.engine.clock.Remove(p)
	} else {
		p.engine.clock.Add(p)
	}
}

// calm tells the wire whether packets may wait for the clock. p.mu is held.
func (p *Port) calm(calm, early bool) {
	if w, ok := p.wire.(CalmWire); ok {
		w.Calm(calm, early)
	}
}

// Relaying reports whether packets pass from and to the joined port untouched.
func (p *Port) Relaying() bool {
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	return p.in.target != nil
}
