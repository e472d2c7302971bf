package media_test

import (
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/codec"
	"github.com/switchlet/switchlet/media/resample"
)

// newEngine returns a running Engine with the real codecs and resampler, which
// ends with the test. Inside a bubble it runs in virtual time.
func newEngine(t testing.TB) *media.Engine {
	t.Helper()
	e := unstarted(t)
	e.Start(t.Context())
	return e
}

// unstarted is newEngine with a clock that stands still.
func unstarted(t testing.TB) *media.Engine {
	return media.NewEngine(media.EngineOptions{
		Codecs: codec.Table(),
		NewResampler: func(from, to int) media.Resampler {
			r, err := resample.New(from, to)
			if err != nil {
				t.Errorf("resample %d to %d: %v", from, to, err)
				return nil
			}
			return r
		},
	})
}

func format(t testing.TB, e *media.Engine, name string, pt uint8) media.Format {
	t.Helper()
	for _, c := range e.Codecs() {
		if c.Name == name {
			return media.Format{Codec: c, PayloadType: pt, Ptime: 20}
		}
	}
	t.Fatalf("no codec %s", name)
	return media.Format{}
}

// phone is the far end of a leg: it says a tone or nothing, and keeps what it
// hears.
type phone struct {
	t      testing.TB
	port   *media.Port
	wire   media.Wire // its own end
	inner  media.Wire // the port's
	format media.Format
	enc    media.Encoder

	seq   uint16
	ts    uint32
	ssrc  uint32
	phase int

	mu      sync.Mutex
	heard   []media.Packet
	digits  []media.Digit
	stopped chan struct{}
	done    sync.WaitGroup
}

func newPhone(t testing.TB, e *media.Engine, name string, f media.Format, d media.DTMF) *phone {
	t.Helper()
	p := &phone{t: t, format: f, seq: 65500, ts: 0xFFFFF000, ssrc: 0xABCD0000 + uint32(len(name)), stopped: make(chan struct{})}
	p.inner, p.wire = media.Pipe()
	p.wire.Receive(func(k *media.Packet) {
		p.mu.Lock()
		defer p.mu.Unlock()
		c := *k
		c.Payload = append([]byte(nil), k.Payload...)
		p.heard = append(p.heard, c)
	})
	var err error
	if p.enc, err = f.Codec.NewEncoder(f, f.Codec.Rate); err != nil {
		t.Fatal(err)
	}
	p.port = e.NewPort(name)
	p.port.OnDigit(func(d media.Digit) {
		p.mu.Lock()
		p.digits = append(p.digits, d)
		p.mu.Unlock()
	})
	p.port.Attach(p.inner, f, d)
	return p
}

// packet makes the next packet of a tone of hz Hz (0: silence).
func (p *phone) packet(hz float64) *media.Packet {
	n := p.format.Codec.Rate * p.format.Ptime / 1000
	pcm := make([]int16, n)
	for i := range pcm {
		pcm[i] = int16(10000 * math.Sin(2*math.Pi*hz*float64(p.phase+i)/float64(p.format.Codec.Rate)))
	}
	p.phase += n
	out := make([]byte, 1500)
	m, err := p.enc.Encode(pcm, out)
	if err != nil {
		p.t.Error(err)
	}
	k := &media.Packet{PayloadType: p.format.PayloadType, Sequence: p.seq, Timestamp: p.ts, SSRC: p.ssrc, Payload: out[:m]}
	p.seq++
	p.ts += uint32(p.format.Samples())
	return k
}

// say sends a tone until stop.
func (p *phone) say(hz float64) {
	p.done.Go(func() {
		time.Sleep(7 * time.Millisecond) // never in the same instant as the clock
		tick := time.NewTicker(time.Duration(p.format.Ptime) * time.Millisecond)
		defer tick.Stop()
		for {
			if err := p.wire.Send(p.packet(hz)); err != nil {
				p.t.Error(err)
			}
			select {
			case <-tick.C:
			case <-p.stopped:
				return
			}
		}
	})
}

func (p *phone) close() {
	close(p.stopped)
	p.done.Wait()
	p.port.Close()
	p.wire.Close()
	p.inner.Close()
	p.enc.Close()
}

// packets returns what was heard so far and forgets it.
func (p *phone) packets() []media.Packet {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.heard
	p.heard = nil
	return h
}

// decode returns the sound of packets.
func (p *phone) decode(ks []media.Packet) (pcm []int16) {
	dec, err := p.format.Codec.NewDecoder(p.format, p.format.Codec.Rate)
	if err != nil {
		p.t.Fatal(err)
	}
	defer dec.Close()
	buf := make([]int16, 5760)
	for _, k := range ks {
		n, err := dec.Decode(k.Payload, buf)
		if err != nil {
			p.t.Error(err)
		}
		pcm = append(pcm, buf[:n]...)
	}
	return pcm
}

// level returns the amplitude of hz in pcm at rate (Goertzel).
func level(pcm []int16, rate int, hz float64) float64 {
	if len(pcm) == 0 {
		return 0
	}
	w := 2 * math.Pi * hz / float64(rate)
	c := 2 * math.Cos(w)
	var s1, s2 float64
	for _, v := range pcm {
		s1, s2 = float64(v)+c*s1-s2, s1
	}
	return 2 * math.Sqrt(s1*s1+s2*s2-c*s1*s2) / float64(len(pcm))
}

// wantTone fails unless pcm is a tone of about amplitude 10000 in each 20 ms of
// it. Narrow-band Opus is no waveform coder and wavers on pure tones: there it
// must be heard in each 200 ms.
func wantTone(t testing.TB, pcm []int16, rate int, hz float64) {
	t.Helper()
	n, least := rate/50, 7500.0
	if rate == 48000 {
		n, least = rate/5, 5000
	}
	if len(pcm) < 5*rate/50 {
		t.Errorf("only %d samples of %.0f Hz", len(pcm), hz)
	}
	for at := 0; at+n <= len(pcm); at += n {
		if l := level(pcm[at:at+n], rate, hz); l < least || l > 12500 {
			t.Errorf("%.0f Hz has level %.0f at %d ms", hz, l, at*1000/rate)
			return
		}
	}
}

// wantRun fails unless ks follow each other without a jump.
func wantRun(t testing.TB, ks []media.Packet, step uint32) {
	t.Helper()
	for i := 1; i < len(ks); i++ {
		a, b := ks[i-1], ks[i]
		if b.Sequence != a.Sequence+1 || b.Timestamp != a.Timestamp+step || b.SSRC != a.SSRC {
			t.Errorf("packet %d: %d/%d/%x after %d/%d/%x", i, b.Sequence, b.Timestamp, b.SSRC, a.Sequence, a.Timestamp, a.SSRC)
		}
	}
}

// tone is a Source of hz Hz at rate, for length samples (0: for ever).
type tone struct {
	rate   int
	hz     float64
	at     int64
	length int64
	closed bool
}

func (s *tone) Rate() int { return s.rate }
func (s *tone) Read(pcm []int16) (int, error) {
	for i := range pcm {
		if s.length > 0 && s.at >= s.length {
			return i, errEOF
		}
		pcm[i] = int16(10000 * math.Sin(2*math.Pi*s.hz*float64(s.at)/float64(s.rate)))
		s.at++
	}
	return len(pcm), nil
}
func (s *tone) Close() error         { s.closed = true; return nil }
func (s *tone) SeekTo(n int64) error { s.at = n; return nil }
func (s *tone) Position() int64      { return s.at }

// sink keeps what is recorded.
type sink struct {
	rate, channels int
	fail           error
	block          chan struct{}
	mu             sync.Mutex
	pcm            []int16
	closed         bool
}

func (s *sink) Rate() int     { return s.rate }
func (s *sink) Channels() int { return s.channels }
func (s *sink) Write(pcm []int16) error {
	if s.block != nil {
		<-s.block
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pcm = append(s.pcm, pcm...)
	return s.fail
}
func (s *sink) Close() error { s.closed = true; return nil }

// bubble runs f in virtual time with an engine that is stopped afterwards.
func bubble(t *testing.T, f func(t *testing.T, e *media.Engine)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t)
		defer e.Close()
		f(t, e)
	})
}
