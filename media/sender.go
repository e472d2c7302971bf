package media

import (
	"math/rand/v2"
	"sync"
	"time"
)

// sender is what one leg's far end receives: one unbroken run of sequence
// numbers and timestamps, whoever makes the sound at the moment. Relayed packets
// are shifted onto it, encoded frames are counted onto it, and digits take its
// place while they last.
type sender struct {
	mu     sync.Mutex
	wire   Wire
	format Format
	dtmf   DTMF

	seq    uint16    // the newest sent
	recent uint64    // which of the 64 numbers up to seq were sent; those before all were
	keyed  Wire      // the one that the numbers are those of
	ts     uint32    // of the last audio or event packet sent
	last   time.Time // when that was
	begun  bool
	mark   bool // the next audio packet begins a talk spurt
	pkt    Packet
	sums   outbound
	events digitSender

	// Relay: what is added to the numbers of the packets that come.
	origin    uint32 // SSRC for which the offsets hold
	relaying  bool
	seqOffset uint16
	tsOffset  uint32
	highest   uint16 // newest sequence number that came
	strays    int    // packets in a row that were far behind it

	// Clock: the timestamp of the tick; it counts on from the first packet sent.
	clocked bool
	clockTS uint32
}

func (o *sender) init() {
	o.number()
	o.ts = rand.Uint32()
	o.mark = true
}

// number begins a run of sequence numbers, in the lower half: a far end that misses
// the first packets of SRTP, since it has no keys yet, must not miss a rollover
// (RFC 3711 §3.3.1).
func (o *sender) number() { o.seq, o.recent = uint16(rand.Uint32N(1<<15)), ^uint64(0) }

// claim takes a number for a packet; false if another one had it, or may have had it.
// SRTP must never encrypt two packets under one number (RFC 3711 §9.1).
func (o *sender) claim(seq uint16) bool {
	switch ahead := int(int16(seq - o.seq)); {
	case ahead > 0:
		o.recent, o.seq = o.recent<<ahead|1, seq
	case ahead <= -sequenceWindow || o.recent>>-ahead&1 != 0:
		return false
	default:
		o.recent |= 1 << -ahead
	}
	return true
}

// sequenceWindow is how many numbers recent knows of.
const sequenceWindow = 64

func (o *sender) attach(w Wire, f Format, d DTMF) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if w != o.keyed {
		// Another far end, or other keys.
		if o.keyed != nil {
			o.number()
		}
		o.keyed = w
	}
	o.wire, o.format, o.dtmf = w, f, d
	o.relaying, o.clocked = false, false
}

func (o *sender) detach() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.wire = nil
	o.events = digitSender{}
}

// nextTS is the timestamp for sound that begins now: one packet after the last,
// or as many as passed in silence.
func (o *sender) nextTS(now time.Time) (ts uint32, gap bool) {
	step := uint32(o.format.Samples())
	if !o.begun || o.format.Ptime <= 0 {
		return o.ts + step, true
	}
	ptime := time.Duration(o.format.Ptime) * time.Millisecond
	steps := (now.Sub(o.last) + ptime/2) / ptime
	if steps <= maxSeamless {
		return o.ts + step, false
	}
	return o.ts + uint32(steps)*step, true
}

// maxSeamless is how many packet times may pass between two sources of sound
// before the second counts as a new talk spurt: a change of gear takes up to two,
// and what comes then is no later in the sound.
const maxSeamless = 3

// relay sends k on as the next packet of this leg.
func (o *sender) relay(k *Packet, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.wire == nil {
		return
	}
	if o.events.active() {
		o.relaying = false
		o.sums.skipped++
		return
	}
	if !o.follow(k, now) {
		return
	}
	if o.send(k, o.format.PayloadType, k.Marker || o.mark, now) {
		o.mark = false
		o.sums.media++
	}
}

// relayEvent sends a telephone-event packet, whose clock has the given rate, on as it
// is. It reports false where the far end has no such events.
func (o *sender) relayEvent(k *Packet, rate int, now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.wire == nil || o.dtmf.PayloadType == 0 || o.dtmf.rate() != rate {
		return false
	}
	if o.follow(k, now) && o.send(k, o.dtmf.PayloadType, k.Marker, now) {
		o.sums.dtmf++
	}
	return true
}

// follow finds the offsets when a new source of packets begins, or one begins anew. It
// reports false for a packet that is too late.
func (o *sender) follow(k *Packet, now time.Time) bool {
	ahead := int16(k.Sequence - o.highest)
	if fresh := !o.relaying || o.origin != k.SSRC; fresh || ahead <= -sequenceWindow {
		if o.strays++; !fresh && o.strays < lateLimit {
			return false
		}
		ts, gap := o.nextTS(now)
		o.mark = o.mark || gap
		o.seqOffset, o.tsOffset = o.seq+1-k.Sequence, ts-k.Timestamp
		o.origin, o.relaying, o.clocked = k.SSRC, true, false
		o.highest, o.strays = k.Sequence, 0
		return true
	}
	o.strays = 0
	if ahead > 0 {
		o.highest = k.Sequence
	}
	return true
}

// send transmits k with the leg's own numbers, unless its number was used.
func (o *sender) send(k *Packet, payloadType uint8, marker bool, now time.Time) bool {
	last := o.seq
	if !o.claim(k.Sequence + o.seqOffset) {
		return false
	}
	o.pkt = Packet{
		PayloadType: payloadType, Marker: marker,
		Sequence: k.Sequence + o.seqOffset, Timestamp: k.Timestamp + o.tsOffset,
		Payload: k.Payload, Buf: k.Buf,
	}
	if o.seq != last {
		o.ts, o.last = o.pkt.Timestamp, now
	}
	o.transmit(len(k.Payload))
	return true
}

// transmit sends o.pkt and counts it.
func (o *sender) transmit(payload int) {
	o.begun = true
	if err := o.wire.Send(&o.pkt); err != nil {
		o.sums.failed++
		o.sums.failure = err
		return
	}
	o.sums.packets++
	o.sums.bytes += uint64(payload) + rtpHeader
	o.sums.mediaBytes += uint64(payload)
}

// rtpHeader is the length of an RTP header without extensions, in bytes.
const rtpHeader = 12

// swallow closes the gap that a packet leaves which is not sent on.
func (o *sender) swallow(k *Packet) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.relaying && o.origin == k.SSRC && int16(k.Sequence-o.highest) > 0 {
		o.highest = k.Sequence
		o.seqOffset--
	}
}

// tick begins a tick of the clock: it sends what digits are due and returns the
// timestamp of the tick and whether sound may be sent in it.
func (o *sender) tick(now time.Time) (ts uint32, free bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.wire == nil || o.format.Codec == nil {
		return 0, false
	}
	if !o.clocked {
		var gap bool
		o.clockTS, gap = o.nextTS(now)
		o.mark = o.mark || gap
		o.relaying = false
	} else {
		o.clockTS += uint32(o.format.Codec.ClockRate / 50)
	}
	if !o.events.active() {
		return o.clockTS, true
	}
	o.events.tick(o, now)
	o.mark = true
	return o.clockTS, false
}

// tickDigits is tick for a leg that is on the clock for its digits only.
func (o *sender) tickDigits(now time.Time) {
	o.mu.Lock()
	active := o.events.active()
	o.mu.Unlock()
	if active {
		o.tick(now)
	}
}

// begin makes the clock's timestamps count on from this tick's.
func (o *sender) begin() {
	o.mu.Lock()
	o.clocked = true
	o.mu.Unlock()
}

// audio sends one encoded packet.
func (o *sender) audio(payload []byte, ts uint32, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.wire == nil {
		return
	}
	o.claim(o.seq + 1)
	o.ts, o.last, o.clocked = ts, now, true
	o.pkt = Packet{PayloadType: o.format.PayloadType, Marker: o.mark, Sequence: o.seq, Timestamp: ts, Payload: payload}
	o.mark = false
	o.transmit(len(payload))
	o.sums.media++
}

// event sends one telephone-event packet.
func (o *sender) event(payload []byte, ts uint32, marker bool, now time.Time) {
	o.claim(o.seq + 1)
	o.ts, o.last, o.clocked = ts, now, true
	o.pkt = Packet{PayloadType: o.dtmf.PayloadType, Marker: marker, Sequence: o.seq, Timestamp: ts, Payload: payload}
	o.transmit(len(payload))
	o.sums.dtmf++
}

// skip notes that a tick had nothing to say: the next sound begins a talk spurt.
func (o *sender) skip() {
	o.mu.Lock()
	o.mark = true
	o.sums.skipped++
	o.mu.Unlock()
}

// leaveClock forgets the clock's timestamps, and reports whether digits still
// need the clock.
func (o *sender) leaveClock() (needed bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.events.active() {
		return true
	}
	o.clocked = false
	return false
}
