package phone

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/sdp"
)

// frame is what one packet holds.
const frame = 20 * time.Millisecond

// heardMax bounds what is kept of what was heard, in samples.
const heardMax = 8000 * 60

// Sound is the RTP of a call: it sends a tone, or silence, every 20 ms, and keeps
// what it hears.
type Sound struct {
	phone *Phone
	conn  *net.UDPConn
	stop  chan struct{}
	work  sync.WaitGroup
	once  sync.Once

	mu       sync.Mutex
	offered  sdp.Offered
	version  int64
	remote   netip.AddrPort
	format   media.Format
	digitPT  uint8
	running  bool
	freq     float64
	level    float64 // amplitude, 0 to 1
	muted    bool
	heard    []int16
	digits   []byte
	lastTS   uint32 // of the last digit
	rate     int
	queue    []byte // digits to send
	packets  int
	source   netip.AddrPort
	lastSeq  uint16
	gaps     int
	decoder  media.Decoder
	received chan struct{}
	sealed   sealed
}

func newSound(p *Phone) (*Sound, error) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: p.local.Addr().AsSlice()})
	if err != nil {
		return nil, fmt.Errorf("phone: %w", err)
	}
	return &Sound{phone: p, conn: conn, stop: make(chan struct{}), received: make(chan struct{}, 1)}, nil
}

func (s *Sound) close() {
	s.once.Do(func() {
		s.mu.Lock()
		close(s.stop)
		s.mu.Unlock()
		s.conn.Close()
	})
	s.work.Wait()
}

func (s *Sound) remoteAddr() netip.AddrPort { s.mu.Lock(); defer s.mu.Unlock(); return s.remote }

func (s *Sound) describe(d sdp.Direction) sdp.Local {
	s.version++
	return sdp.Local{User: "phone", IP: s.phone.local.Addr().String(), Port: s.conn.LocalAddr().(*net.UDPAddr).Port,
		SessionID: 1, Version: s.version, Direction: d, NoDigits: s.phone.NoDigits}
}

func (s *Sound) offer(d sdp.Direction) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.describe(d)
	l.Crypto = s.line(1)
	if l.Crypto != nil && !s.phone.Best {
		l.Proto = "RTP/SAVP"
	}
	body, offered := sdp.Offer(l, s.phone.prefs())
	s.offered = offered
	return body
}

// answered takes the far end's answer.
func (s *Sound) answered(body []byte) {
	a, err := sdp.Parse(body)
	if err != nil {
		return
	}
	s.mu.Lock()
	r, err := sdp.ReadAnswer(s.offered, a)
	if err == nil {
		_, err = s.unlock(r.Crypto)
	}
	s.mu.Unlock()
	if err == nil {
		s.run(r)
	}
}

// answer chooses from an offer and returns our description.
func (s *Sound) answer(offer *sdp.Session, d sdp.Direction) ([]byte, error) {
	if offer == nil {
		return s.offer(d), nil
	}
	r, err := sdp.Negotiate(offer, s.phone.prefs(), sdp.Policy{})
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	tag, err := s.unlock(r.Crypto)
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	s.run(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.describe(d)
	l.Crypto = s.line(tag)
	return sdp.Answer(l, offer, r), nil
}

// run begins or changes the stream.
func (s *Sound) run(r sdp.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remote, s.format, s.digitPT = r.Remote, r.Format, r.Digits
	if dec, err := r.Format.Codec.NewDecoder(r.Format, r.Format.Codec.Rate); err == nil {
		s.decoder, s.rate = dec, r.Format.Codec.Rate
	}
	select {
	case <-s.stop:
		return // the call has ended meanwhile
	default:
	}
	if s.running {
		return
	}
	s.running = true
	s.work.Go(s.send)
	s.work.Go(s.read)
}

// Say sends a tone of freq Hz at a level between 0 and 1; 0 Hz is silence.
func (s *Sound) Say(freq, level float64) {
	s.mu.Lock()
	s.freq, s.level, s.muted = freq, level, false
	s.mu.Unlock()
}

// Mute stops sending packets, or goes on.
func (s *Sound) Mute(on bool) { s.mu.Lock(); s.muted = on; s.mu.Unlock() }

// Press queues digits to be sent as RFC 4733 events.
func (s *Sound) Press(digits string) {
	s.mu.Lock()
	s.queue = append(s.queue, digits...)
	s.mu.Unlock()
}

// Digits returns the digits that came as events.
func (s *Sound) Digits() string { s.mu.Lock(); defer s.mu.Unlock(); return string(s.digits) }

// Packets returns how many RTP packets came, and where the last came from.
func (s *Sound) Packets() (int, netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.packets, s.source
}

// Format is the codec in force.
func (s *Sound) Format() media.Format { s.mu.Lock(); defer s.mu.Unlock(); return s.format }

// Forget drops what was heard so far.
func (s *Sound) Forget() { s.mu.Lock(); s.heard, s.gaps = nil, 0; s.mu.Unlock() }

// Heard is how a frequency was heard.
type Heard struct {
	Level   float64 // amplitude of the tone, 0 to 1
	Power   float64 // amplitude of everything, RMS, 0 to 1
	Samples int
	Gaps    int // packets missing
}

// Listen waits until enough was heard since the last Forget and judges it.
func (s *Sound) Listen(freq float64, d time.Duration) (Heard, error) {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	for {
		s.mu.Lock()
		need := int(d.Seconds() * float64(max(s.rate, 8000)))
		if len(s.heard) >= need {
			pcm := s.heard[len(s.heard)-need:]
			h := Heard{Level: goertzel(pcm, freq, s.rate), Power: rms(pcm), Samples: len(s.heard), Gaps: s.gaps}
			s.mu.Unlock()
			return h, nil
		}
		have := len(s.heard)
		s.mu.Unlock()
		select {
		case <-s.received:
		case <-deadline.C:
			return Heard{Samples: have}, fmt.Errorf("phone %s: heard %d samples, wanted %d", s.phone.User, have, need)
		case <-s.stop:
			return Heard{Samples: have}, ErrEnded
		}
	}
}

// Hears waits until a tone of freq Hz, of that amplitude at least, is all that is heard
// for so long, with hardly a packet missing. What comes before that does not count:
// sound that is under way, and that of a machine which had no time for it.
func (s *Sound) Hears(freq, level float64, d time.Duration) error {
	for end := time.Now().Add(limit); ; {
		s.Forget()
		h, err := s.Listen(freq, d)
		if err != nil {
			return err
		}
		if h.Tone(level) && h.Gaps <= 2 {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("phone %s: hears %v Hz at %.3f of a power of %.3f, with %d packets missing; wanted %.3f alone", s.phone.User, freq, h.Level, h.Power, h.Gaps, level)
		}
	}
}

// Tone reports whether a tone of that amplitude at least is all that was heard: one of
// amplitude L has the power L/√2.
func (h Heard) Tone(level float64) bool { return h.Level >= level && h.Power < h.Level*0.9 }

// Find looks for the first stretch of length d that fits in what was heard since the
// last Forget, and forgets what was heard up to its end.
func (s *Sound) Find(freq float64, d time.Duration, fits func(Heard) bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	need, step := int(d.Seconds()*float64(s.rate)), max(s.rate/50, 1)
	for at := 0; need > 0 && at+need <= len(s.heard); at += step {
		pcm := s.heard[at : at+need]
		if fits(Heard{Level: goertzel(pcm, freq, s.rate), Power: rms(pcm), Samples: need}) {
			s.heard = s.heard[at+need:]
			return true
		}
	}
	return false
}

// goertzel is the amplitude of a frequency in pcm.
func goertzel(pcm []int16, freq float64, rate int) float64 {
	if rate == 0 || len(pcm) == 0 {
		return 0
	}
	w := 2 * math.Pi * freq / float64(rate)
	c := 2 * math.Cos(w)
	var s1, s2 float64
	for _, v := range pcm {
		s0 := float64(v)/32768 + c*s1 - s2
		s2, s1 = s1, s0
	}
	power := s1*s1 + s2*s2 - c*s1*s2
	return 2 * math.Sqrt(max(power, 0)) / float64(len(pcm))
}

func rms(pcm []int16) float64 {
	var sum float64
	for _, v := range pcm {
		x := float64(v) / 32768
		sum += x * x
	}
	return math.Sqrt(sum / float64(max(len(pcm), 1)))
}

// send writes one packet every 20 ms.
func (s *Sound) send() {
	tick := time.NewTicker(frame)
	defer tick.Stop()
	seq, ts, ssrc := uint16(rand.Uint32()), rand.Uint32(), rand.Uint32()
	var enc media.Encoder
	var made media.Format
	var phase float64
	out := make([]byte, 2048)
	var event []byte // durations of the digit under way
	var char byte
	var eventTS uint32
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
		}
		s.mu.Lock()
		f, remote, freq, level, muted, pt := s.format, s.remote, s.freq, s.level, s.muted, s.digitPT
		if event == nil && len(s.queue) > 0 && pt != 0 {
			char, s.queue = s.queue[0], s.queue[1:]
			event = []byte{1, 2, 3, 4, 5, 5, 5}
			eventTS = ts
		}
		s.mu.Unlock()
		if f.IsZero() || !remote.IsValid() {
			continue
		}
		if !made.SameWire(f) {
			enc, _ = f.Codec.NewEncoder(f, f.Codec.Rate)
			made = f
		}
		step := uint32(f.Samples())
		if event != nil {
			n := event[0]
			end := len(event) <= 3
			payload := []byte{eventCode(char), 10, 0, 0}
			if end {
				payload[1] |= 0x80
			}
			binary.BigEndian.PutUint16(payload[2:], uint16(uint32(n)*160))
			s.write(remote, pt, len(event) == 7, seq, eventTS, ssrc, payload)
			seq++
			ts += step
			if event = event[1:]; len(event) == 0 {
				event = nil
			}
			continue
		}
		if muted || enc == nil {
			ts += step
			continue
		}
		pcm := make([]int16, f.Codec.Rate/50)
		for i := range pcm {
			if freq > 0 {
				pcm[i] = int16(level * 32000 * math.Sin(phase))
				phase += 2 * math.Pi * freq / float64(f.Codec.Rate)
			}
		}
		n, err := enc.Encode(pcm, out)
		if err == nil && n > 0 {
			s.write(remote, f.PayloadType, false, seq, ts, ssrc, out[:n])
			seq++
		}
		ts += step
	}
}

func eventCode(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c == '*':
		return 10
	case c == '#':
		return 11
	case c >= 'A' && c <= 'D':
		return 12 + c - 'A'
	}
	return 16
}

const eventChars = "0123456789*#ABCDF"

func (s *Sound) write(to netip.AddrPort, pt uint8, marker bool, seq uint16, ts, ssrc uint32, payload []byte) {
	b := make([]byte, 12, 12+len(payload))
	b[0], b[1] = 0x80, pt
	if marker {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], seq)
	binary.BigEndian.PutUint32(b[4:], ts)
	binary.BigEndian.PutUint32(b[8:], ssrc)
	b = append(b, payload...)
	s.mu.Lock()
	out := s.sealed.out
	s.mu.Unlock()
	if out != nil {
		var err error
		if b, err = out.EncryptRTP(nil, b, nil); err != nil {
			return
		}
	}
	s.conn.WriteToUDPAddrPort(b, to)
}

// read keeps what comes.
func (s *Sound) read() {
	buf := make([]byte, 2048)
	pcm := make([]int16, 8192)
	for {
		n, from, err := s.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			select {
			case <-s.stop:
				return
			default:
				continue
			}
		}
		s.mu.Lock()
		in := s.sealed.in
		s.mu.Unlock()
		if in != nil {
			plain, err := in.DecryptRTP(buf[:n], buf[:n], nil)
			if err != nil {
				continue // plain, or of another key: not heard
			}
			n = len(plain)
		}
		if n < 12 || buf[0]>>6 != 2 {
			continue
		}
		pt, seq, ts := buf[1]&0x7f, binary.BigEndian.Uint16(buf[2:]), binary.BigEndian.Uint32(buf[4:])
		payload := buf[12:n]
		s.mu.Lock()
		if s.packets > 0 && seq-s.lastSeq > 1 && seq-s.lastSeq < 1000 {
			s.gaps += int(seq - s.lastSeq - 1)
		}
		s.packets++
		s.lastSeq, s.source = seq, netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		switch {
		case s.digitPT != 0 && pt == s.digitPT && len(payload) >= 4:
			if payload[1]&0x80 != 0 && ts != s.lastTS && int(payload[0]) < len(eventChars) {
				s.lastTS = ts
				s.digits = append(s.digits, eventChars[payload[0]])
			}
		case pt == s.format.Receives() && s.decoder != nil:
			if k, err := s.decoder.Decode(payload, pcm); err == nil && len(s.heard) < heardMax {
				s.heard = append(s.heard, pcm[:k]...)
			}
		}
		s.mu.Unlock()
		select {
		case s.received <- struct{}{}:
		default:
		}
	}
}
