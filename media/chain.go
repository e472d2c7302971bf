package media

import (
	"log/slog"
	"time"
)

// chain is what a port has only in the PCM gear: decoder, frames and encoder at
// one rate. It belongs to Port.mu, but for the jitter buffer, which belongs to
// receiver.mu. Codecs are made when they are first needed.
type chain struct {
	port   *Port
	rate   int // of all frames of this port, Hz
	frame  int // samples of a frame
	jitter *jitterBuffer

	dec       Decoder
	decFailed bool
	payload   []byte // of the packet being decoded
	pcm       []int16
	queue     []int16 // decoded, not yet taken
	concealed int     // frames in a row made up by the decoder
	ahead     int     // ms made up while nothing was there

	read  []int16 // the frame of this tick, as the far end said it
	heard bool    // false: nothing came, read is silence
	late  delayLine

	enc       Encoder
	encFailed bool
	wait      []int16 // samples that wait for a full packet
	waitTS    uint32
	out       []byte
	write     []int16 // the frame of this tick that the far end hears
	extra     []int16 // of a playback
	theirs    []int16 // of the joined port, at its rate
	own       []int16 // of the mixer, for this port alone
	mix       *Shared // of the mixer, for all who hear the same
	toPeer    adapter // what the joined port said, at our rate
	toSeat    adapter // what is said to a mixer, at its rate
	seatPCM   []int16
	scout     scout
	hiss      noise
	detector  Detector
	found     func(Digit)
	stream    *sharedStream
	unused    int // ticks for which the encoder was not needed
	sent      int // packets since the encoder was told what the far end misses
}

// maxConceal is how many missing frames are made up before the far end counts as
// silent: 100 ms.
const maxConceal = 5

func newChain(p *Port, rate int) *chain {
	n := SamplesPerFrame(rate)
	c := &chain{
		port: p, rate: rate, frame: n, jitter: new(jitterBuffer),
		payload: make([]byte, maxPayload), pcm: make([]int16, rate*maxPacketMs/1000),
		read: make([]int16, n), write: make([]int16, n), extra: make([]int16, n),
		out: make([]byte, maxPayload),
	}
	c.found = func(d Digit) {
		if len(p.pending) < digitQueue {
			p.pending = append(p.pending, d)
		}
	}
	return c
}

// maxPacketMs is the longest packet that is decoded: Opus allows 120 ms.
const maxPacketMs = 120

// close gives the codecs back.
func (c *chain) close() {
	c.dropCodecs()
	c.ownSound()
}

func (c *chain) dropCodecs() {
	if c.dec != nil {
		c.dec.Close()
	}
	if c.enc != nil {
		c.enc.Close()
	}
	c.dec, c.enc, c.decFailed, c.encFailed = nil, nil, false, false
	c.scout.close()
	c.wait = c.wait[:0]
}

// releaseCodecs makes the next frame begin with new codecs. Caller holds p.mu.
func (p *Port) releaseCodecs() {
	if p.chain != nil {
		p.chain.dropCodecs()
	}
}

// decoder returns the decoder, nil if there is none for the format.
func (c *chain) decoder() Decoder {
	f := c.port.format
	if c.dec != nil || c.decFailed || f.Codec == nil {
		return c.dec
	}
	if f.Codec.NewDecoder == nil {
		c.decFailed = true
		return nil
	}
	d, err := f.Codec.NewDecoder(f, c.rate)
	if err != nil {
		c.decFailed = true
		c.port.engine.log.Error("media: no decoder", slog.String("port", c.port.name), slog.String("format", f.String()), slog.Any("err", err))
		return nil
	}
	c.dec = d
	return d
}

func (c *chain) encoder() Encoder {
	f := c.port.format
	if c.enc != nil || c.encFailed || f.Codec == nil {
		return c.enc
	}
	if f.Codec.NewEncoder == nil {
		c.encFailed = true
		return nil
	}
	e, err := f.Codec.NewEncoder(f, c.rate)
	if err != nil {
		c.encFailed = true
		c.port.engine.log.Error("media: no encoder", slog.String("port", c.port.name), slog.String("format", f.String()), slog.Any("err", err))
		return nil
	}
	c.enc = e
	return e
}

// fetch fills c.read with the next frame from the far end and sets c.heard.
func (c *chain) fetch() {
	in := &c.port.in
	if c.watch() {
		return
	}
	dec := c.decoder()
	for len(c.queue) < c.frame {
		in.mu.Lock()
		c.jitter.ptime = max(in.format.Ptime, 10)
		n, ok, lost := c.jitter.take(c.payload)
		shrink := ok && c.jitter.slack()
		in.mu.Unlock()
		if dec == nil {
			break
		}
		if !ok && !c.conceal(dec, lost) {
			break
		}
		if ok {
			c.concealed, c.ahead = 0, 0
			c.scout.size = n
			m, err := dec.Decode(c.payload[:n], c.pcm)
			if err != nil {
				in.mu.Lock()
				in.stats.undecodable++
				in.mu.Unlock()
				continue
			}
			c.queue = append(c.queue, c.pcm[:m]...)
			if shrink {
				c.queue = shorten(c.queue, c.rate)
			}
		}
	}
	c.heard = len(c.queue) >= c.frame
	if !c.heard {
		c.queue = c.queue[:0]
		c.background()
		return
	}
	copy(c.read, c.queue)
	c.queue = c.queue[:copy(c.queue, c.queue[c.frame:])]
}

// conceal makes up for a missing packet. It reports false when the far end has
// been silent for too long.
func (c *chain) conceal(dec Decoder, lost bool) bool {
	if c.concealed >= maxConceal {
		if !lost {
			c.idle()
		}
		return lost
	}
	if c.port.in.heardNothing(c.jitter) {
		return false
	}
	if lost && c.ahead >= c.jitter.ptime {
		c.ahead -= c.jitter.ptime // made up for already, before later ones came
		return true
	}
	c.concealed++
	n := c.frame
	if !lost {
		c.ahead += int(FrameTime / time.Millisecond)
	} else {
		n = c.rate * c.jitter.ptime / 1000
		if m := c.restore(dec, n); m > 0 {
			c.queue = append(c.queue, c.pcm[:m]...)
			return true
		}
	}
	m, err := dec.Decode(nil, c.pcm[:min(n, len(c.pcm))])
	if err != nil || m == 0 {
		m = min(n, len(c.pcm))
		clear(c.pcm[:m])
	}
	c.queue = append(c.queue, c.pcm[:m]...)
	return true
}

// Restorer is a Decoder that can restore a lost packet from the one after it
// (Opus in-band FEC).
type Restorer interface {
	// Recover writes the sound of the packet before next to pcm and returns the
	// samples written; 0 if next does not hold it.
	Recover(next []byte, pcm []int16) (int, error)
}

func (c *chain) restore(dec Decoder, n int) int {
	r, ok := dec.(Restorer)
	if !ok {
		return 0
	}
	in := &c.port.in
	in.mu.Lock()
	size := copy(c.payload, c.jitter.peek())
	in.mu.Unlock()
	if size == 0 {
		return 0
	}
	m, err := r.Recover(c.payload[:size], c.pcm[:min(n, len(c.pcm))])
	if err != nil {
		return 0
	}
	return m
}

func (c *chain) idle() {
	in := &c.port.in
	in.mu.Lock()
	c.jitter.idle()
	in.mu.Unlock()
}

// heardNothing reports whether the buffer waits for its first packets.
func (r *receiver) heardNothing(j *jitterBuffer) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !j.playing
}

// send encodes the frame in c.write, as part of the packet that begins at ts.
func (c *chain) send(ts uint32, now time.Time) {
	enc := c.encoder()
	if enc == nil {
		return
	}
	ptime := max(c.port.format.Ptime, 10)
	full := c.rate * ptime / 1000
	if len(c.wait) == 0 {
		c.waitTS = ts
		c.port.out.begin()
	}
	c.wait = append(c.wait, c.write...)
	for len(c.wait) >= full {
		c.followLoss(enc)
		n, err := enc.Encode(c.wait[:full], c.out)
		c.wait = c.wait[:copy(c.wait, c.wait[full:])]
		switch {
		case err != nil:
			c.port.out.fail(err)
		case n == 0:
			c.port.out.skip()
		default:
			c.port.out.audio(c.out[:n], c.waitTS, now)
		}
		c.waitTS += uint32(c.port.format.Samples())
	}
}

// LossReporter is a Wire that knows how much the far end misses of what it sends.
type LossReporter interface {
	// RemoteLoss is the share that was missed lately, in percent; 0 if nothing was
	// reported.
	RemoteLoss() float64
}

// LossFollower is an Encoder that can make up for what gets lost (Opus in-band FEC).
type LossFollower interface {
	// ExpectLoss says how much is missed at the moment, in percent.
	ExpectLoss(percent float64)
}

// lossEvery is how many packets pass before an encoder is told again: five seconds at
// 20 ms, as often as far ends report.
const lossEvery = 250

// followLoss tells the encoder now and then what the far end misses.
func (c *chain) followLoss(enc Encoder) {
	if c.sent++; c.sent < lossEvery {
		return
	}
	c.sent = 0
	f, ok := enc.(LossFollower)
	if !ok {
		return
	}
	if w, ok := c.port.wire.(LossReporter); ok {
		f.ExpectLoss(w.RemoteLoss())
	}
}

// pause ends a run of sound: what waits for a full packet goes out padded.
func (c *chain) pause(ts uint32, now time.Time) {
	if len(c.wait) == 0 {
		return
	}
	full := c.rate * max(c.port.format.Ptime, 10) / 1000
	for len(c.wait)%full != 0 {
		clear(c.write)
		c.wait = append(c.wait, c.write[:min(len(c.write), full-len(c.wait)%full)]...)
	}
	c.write = c.write[:0]
	c.send(ts, now)
	c.write = c.write[:c.frame]
}

func (o *sender) fail(err error) {
	o.mu.Lock()
	o.sums.failed++
	o.sums.failure = err
	o.mu.Unlock()
}

// shorten takes up to half a frame out of pcm where the sound repeats itself, so
// that it is not heard.
func shorten(pcm []int16, rate int) []int16 {
	overlap := rate / 400 // 2.5 ms
	least, most := rate/200, rate/100
	if len(pcm) < most+overlap {
		return pcm
	}
	best, lag := int64(-1), least
	for l := least; l <= most; l++ {
		var diff int64
		for i := range overlap {
			d := int64(pcm[i]) - int64(pcm[i+l])
			diff += d * d
		}
		if best < 0 || diff < best {
			best, lag = diff, l
		}
	}
	for i := range overlap {
		pcm[i] = int16((int(pcm[i])*(overlap-i) + int(pcm[i+lag])*i) / overlap)
	}
	return append(pcm[:overlap], pcm[overlap+lag:]...)
}

// delayLine gives frames back later.
type delayLine struct {
	ring []int16
	pos  int
}

// pass exchanges frame for the one that came d ago; silence at first.
func (l *delayLine) pass(frame []int16, d time.Duration) {
	n := int(d/FrameTime) * len(frame)
	if len(l.ring) != n {
		l.ring, l.pos = make([]int16, n), 0
	}
	for i := range frame {
		frame[i], l.ring[l.pos] = l.ring[l.pos], frame[i]
		if l.pos++; l.pos == n {
			l.pos = 0
		}
	}
}
