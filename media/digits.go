package media

import "time"

// Telephone-events as FreeSWITCH sends and takes them (RFC 4733;
// spec/sip.md §9.2, §9.3). Durations of a Digit count 8 kHz samples.
const (
	digitDefault = 2000   // 250 ms
	digitMin     = 400    // 50 ms
	digitMax     = 192000 // 24 s
	digitRate    = 8000
	digitVolume  = 13
	digitGap     = 40 * time.Millisecond
	digitQueue   = 128 // digits that may wait; more are dropped
	endPackets   = 3
	endBit       = 0x80
	segment      = 0xFFFF // longest duration of one timestamp
)

const eventChars = "0123456789*#ABCD" // event codes 0 to 15; 16 is the flash

func eventOf(c byte) (code byte, ok bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c == '*':
		return 10, true
	case c == '#':
		return 11, true
	case c >= 'A' && c <= 'D':
		return c - 'A' + 12, true
	case c >= 'a' && c <= 'd':
		return c - 'a' + 12, true
	case c == 'F' || c == 'f':
		return 16, true
	}
	return 0, false
}

// digitReceiver turns telephone-event packets into digits.
type digitReceiver struct {
	sequence uint16 // newest that was taken
	any      bool
	ts       uint32 // of the event in progress or done
	begun    bool   // an event with ts was seen
	done     bool   // and its digit was reported
}

// restartGap is how far back a sequence number must jump to count as a sender
// that started over, rather than as a late packet.
const restartGap = 1000

// packet takes one packet of a clock of rate Hz; a digit is complete at the first
// end packet of a timestamp.
func (r *digitReceiver) packet(k *Packet, rate int) (d Digit, ok bool) {
	if len(k.Payload) < 4 || k.Payload[0] > 16 {
		return Digit{}, false
	}
	if behind := int16(r.sequence - k.Sequence); r.any && behind >= 0 && behind < restartGap {
		return Digit{}, false
	}
	r.sequence, r.any = k.Sequence, true
	if !r.begun || r.ts != k.Timestamp {
		r.begun, r.done, r.ts = true, false, k.Timestamp
	}
	if r.done || k.Payload[1]&endBit == 0 {
		return Digit{}, false
	}
	r.done = true
	c := byte('F')
	if k.Payload[0] < 16 {
		c = eventChars[k.Payload[0]]
	}
	duration := int(k.Payload[2])<<8 | int(k.Payload[3])
	return Digit{Char: c, Duration: duration * digitRate / rate, Source: DigitRTP}, true
}

// digitSender is the queue of digits towards a far end, and the one under way.
type digitSender struct {
	queue    []Digit
	sending  bool
	code     byte
	ts       uint32
	duration int // of this timestamp so far, in event clock samples
	rest     int // of the digit, in event clock samples
	first    bool
	pause    time.Duration // before the next digit
	elapsed  time.Duration // since the last packet
	payload  [4]byte
	dropped  uint64
}

func (s *digitSender) active() bool { return s.sending || s.pause > 0 || len(s.queue) > 0 }

// tick sends what is due in this tick of o, whose lock is held.
func (s *digitSender) tick(o *sender, now time.Time) {
	ptime := time.Duration(max(o.format.Ptime, 10)) * time.Millisecond
	s.elapsed += FrameTime
	if s.pause > 0 {
		s.pause -= FrameTime
		s.elapsed = 0
		return
	}
	if !s.sending && !s.next(o) {
		s.elapsed = 0
		return
	}
	if s.first {
		s.elapsed = max(s.elapsed, ptime)
	}
	for s.sending && s.elapsed >= ptime {
		s.elapsed -= ptime
		s.packet(o, o.dtmf.rate()*int(ptime/time.Millisecond)/1000, now)
	}
}

// next takes a digit or a pause from the queue and reports whether there is one
// to be sent now.
func (s *digitSender) next(o *sender) bool {
	if len(s.queue) == 0 {
		return false
	}
	d := s.queue[0]
	s.queue = s.queue[:copy(s.queue, s.queue[1:])]
	switch d.Char {
	case 'w':
		s.pause = 500*time.Millisecond - FrameTime
		return false
	case 'W':
		s.pause = time.Second - FrameTime
		return false
	}
	code, ok := eventOf(d.Char)
	if !ok {
		return false
	}
	if d.Duration == 0 {
		d.Duration = digitDefault
	}
	s.code, s.sending, s.first, s.elapsed = code, true, true, 0
	s.ts, s.duration = o.clockTS, 0
	s.rest = min(max(d.Duration, digitMin), digitMax) * o.dtmf.rate() / digitRate
	return true
}

// packet sends the next packet of the digit, which grows by step samples.
func (s *digitSender) packet(o *sender, step int, now time.Time) {
	step = min(step, s.rest)
	if s.duration+step > segment {
		fill := segment - s.duration
		s.duration = segment
		s.emit(o, false, now)
		s.ts += segment
		s.duration, step, s.rest = 0, step-fill, s.rest-fill
		s.first = false
	}
	s.duration += step
	s.rest -= step
	if s.rest > 0 {
		s.emit(o, false, now)
		return
	}
	for range endPackets {
		s.emit(o, true, now)
	}
	s.sending = false
	s.pause = digitGap
	if o.dtmf.Gap > 0 {
		s.pause = o.dtmf.Gap
	}
}

func (s *digitSender) emit(o *sender, end bool, now time.Time) {
	s.payload = [4]byte{s.code, digitVolume, byte(s.duration >> 8), byte(s.duration)}
	if end {
		s.payload[1] |= endBit
	}
	o.event(s.payload[:], s.ts, s.first, now)
	s.first = false
}

// SendDigits queues digits towards the far end; 'w' and 'W' are pauses of 500
// and 1000 ms. They go as RFC 4733 events, during which there is no audio; where
// none were negotiated they go to the OnSendFallback function. Beyond 128 waiting
// digits the newest are lost.
func (p *Port) SendDigits(digits []Digit) {
	p.mu.Lock()
	d, attached, closed := p.dtmf, p.attached, p.closed
	p.mu.Unlock()
	if closed || len(digits) == 0 {
		return
	}
	if attached && d.PayloadType == 0 {
		p.sendOtherwise(digits)
		return
	}
	o := &p.out
	o.mu.Lock()
	for _, one := range digits {
		if len(o.events.queue) >= digitQueue {
			o.events.dropped++
			continue
		}
		o.events.queue = append(o.events.queue, one)
	}
	o.mu.Unlock()
	if attached {
		p.engine.clock.Add(p)
	}
}

// sendWaiting sends the digits that were queued before media was negotiated.
func (p *Port) sendWaiting(d DTMF) {
	o := &p.out
	o.mu.Lock()
	var queue []Digit
	if d.PayloadType == 0 {
		queue, o.events.queue = o.events.queue, nil
	}
	active := o.events.active()
	o.mu.Unlock()
	if len(queue) > 0 {
		p.sendOtherwise(queue)
	}
	if active {
		p.engine.clock.Add(p)
	}
}

func (p *Port) sendOtherwise(digits []Digit) {
	f := p.onFallback.Load()
	if f == nil {
		return
	}
	for _, one := range digits {
		(*f)(one)
	}
}

// OnSendFallback sets the function that sends a digit by signalling (SIP INFO)
// when it cannot go as an event. It is called without locks held.
func (p *Port) OnSendFallback(f func(Digit)) {
	if f == nil {
		p.onFallback.Store(nil)
		return
	}
	p.onFallback.Store(&f)
}
