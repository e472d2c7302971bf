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

	seq    uint16    // last sent
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

	// Clock: the timestamp of the tick; it counts on from the first packet sent.
	clocked bool
	clockTS uint32
}

func (o *sender) init() {
	o.seq, o.ts = uint16(rand.Uint32()), rand.Uint32()
	o.mark = true
}

func (o *sender) attach(w Wire, f Format, d DTMF) {
	o.mu.Lock()
	defer o.mu.Unlock()
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
	o.follow(k, now)
	marker := k.Marker || o.mark
	o.mark = false
	o.send(k, o.format.PayloadType, marker, now)
	o.sums.media++
}

// relayEvent sends a telephone-event packet on as it is.
func (o *sender) relayEvent(k *Packet, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.wire == nil || o.dtmf.PayloadType == 0 {
		return
	}
	o.follow(k, now)
	o.send(k, o.dtmf.PayloadType, k.Marker, now)
	o.sums.dtmf++
}

// follow finds the offsets when a new source of packets begins.
func (o *sender) follow(k *Packet, now time.Time) {
	if !o.relaying || o.origin != k.SSRC {
		ts, gap := o.nextTS(now)
		o.mark = o.mark || gap
		o.seqOffset, o.tsOffset = o.seq+1-k.Sequence, ts-k.Timestamp
		o.origin, o.relaying, o.clocked = k.SSRC, true, false
		o.highest = k.Sequence
		return
	}
	if int16(k.Sequence-o.highest) > 0 {
		o.highest = k.Sequence
	}
}

// send transmits k with the leg's own numbers.
func (o *sender) send(k *Packet, payloadType uint8, marker bool, now time.Time) {
	o.pkt = Packet{
		PayloadType: payloadType, Marker: marker,
		Sequence: k.Sequence + o.seqOffset, Timestamp: k.Timestamp + o.tsOffset,
		Payload: k.Payload, Buf: k.Buf,
	}
	if !o.begun || int16(o.pkt.Sequence-o.seq) > 0 {
		o.seq, o.ts, o.last = o.pkt.Sequence, o.pkt.Timestamp, now
	}
	o.transmit(len(k.Payload))
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
	o.seq++
	o.ts, o.last, o.clocked = ts, now, true
	o.pkt = Packet{PayloadType: o.format.PayloadType, Marker: o.mark, Sequence: o.seq, Timestamp: ts, Payload: payload}
	o.mark = false
	o.transmit(len(payload))
	o.sums.media++
}

// event sends one telephone-event packet.
func (o *sender) event(payload []byte, ts uint32, marker bool, now time.Time) {
	o.seq++
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
