package media

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

func event(seq uint16, ts uint32, code byte, duration uint16, end bool) *Packet {
	b := []byte{code, 13, byte(duration >> 8), byte(duration)}
	if end {
		b[1] |= 0x80
	}
	return &Packet{Sequence: seq, Timestamp: ts, Payload: b}
}

func TestDigitReceiver(t *testing.T) {
	for _, c := range []struct {
		name string
		in   []*Packet
		want string
	}{
		{"a whole digit, three ends", []*Packet{event(1, 9, 5, 160, false), event(2, 9, 5, 320, false), event(3, 9, 5, 480, true), event(4, 9, 5, 480, true), event(5, 9, 5, 480, true)}, "5"},
		{"only an end", []*Packet{event(1, 9, 11, 480, true)}, "#"},
		{"a new one before the end loses the first", []*Packet{event(1, 9, 1, 160, false), event(2, 99, 2, 160, true)}, "2"},
		{"older packets are dropped", []*Packet{event(5, 9, 1, 160, true), event(4, 99, 2, 160, true)}, "1"},
		{"the same digit twice", []*Packet{event(1, 9, 1, 160, true), event(2, 99, 1, 160, true)}, "11"},
		{"flash", []*Packet{event(1, 9, 16, 160, true)}, "F"},
		{"unknown event", []*Packet{event(1, 9, 17, 160, true)}, ""},
		{"too short", []*Packet{{Sequence: 1, Payload: []byte{1, 2, 3}}}, ""},
		{"sequence wraps", []*Packet{event(65535, 9, 1, 160, true), event(0, 99, 2, 160, true)}, "12"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r digitReceiver
			got := ""
			for _, k := range c.in {
				if d, ok := r.packet(k, 8000); ok {
					got += string(d.Char)
				}
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func FuzzDigitReceiver(f *testing.F) {
	f.Add([]byte{0, 1, 0, 9, 5, 0x8D, 1, 2})
	f.Fuzz(func(t *testing.T, b []byte) {
		var r digitReceiver
		for ; len(b) >= 4; b = b[min(len(b), 8):] {
			k := &Packet{Sequence: binary.BigEndian.Uint16(b), Timestamp: uint32(binary.BigEndian.Uint16(b[2:])), Payload: b[4:min(len(b), 8)]}
			if d, ok := r.packet(k, 8000); ok {
				if _, known := eventOf(d.Char); !known || d.Duration < 0 || d.Duration > segment {
					t.Errorf("digit %+v", d)
				}
			}
		}
	})
}

func newJitter() *jitterBuffer {
	j := new(jitterBuffer)
	j.init(&sync.Pool{New: func() any { b := make([]byte, maxPayload); return &b }})
	j.bound(0, defaultJitterMax)
	return j
}

// FuzzJitterBuffer pushes and takes at random and holds that what comes out is in
// order, comes out once, and that the count is right.
func FuzzJitterBuffer(f *testing.F) {
	f.Add([]byte{1, 0, 2, 0, 0x80, 3, 0x80, 0x80})
	f.Add([]byte{255, 255, 0, 1, 0x80})
	f.Fuzz(func(t *testing.T, b []byte) {
		j := newJitter()
		out := make([]byte, maxPayload)
		restarts := j.stats.restarts
		var last uint16
		taken := false
		seq := uint16(65530)
		for _, c := range b {
			if c&0x80 == 0 {
				s := seq + uint16(int8(c<<1)>>1)
				j.push(&Packet{Sequence: s, Payload: []byte{byte(s >> 8), byte(s)}})
				seq++
			} else if n, ok, _ := j.take(out); ok {
				s := binary.BigEndian.Uint16(out[:n])
				if taken && restarts == j.stats.restarts && int16(s-last) <= 0 {
					t.Fatalf("%d after %d", s, last)
				}
				last, taken, restarts = s, true, j.stats.restarts
			} else if c == 0xFF {
				j.idle()
				taken = false
			}
			have := 0
			for i := range j.slots {
				if j.slots[i].buf != nil {
					have++
				}
			}
			if have != j.count || j.depth() > defaultJitterMax+40 {
				t.Fatalf("count %d, have %d, depth %d", j.count, have, j.depth())
			}
		}
		j.drain(func(*Packet) {})
	})
}

func TestShorten_IsNotHeard(t *testing.T) {
	pcm := sine(440, 8000, 480)
	short := shorten(append([]int16(nil), pcm...), 8000)
	if n := len(pcm) - len(short); n < 40 || n > 80 {
		t.Fatalf("%d samples were taken out", n)
	}
	for i := 2; i < len(short); i++ {
		if d := int(short[i]) - 2*int(short[i-1]) + int(short[i-2]); d > 2600 || d < -2600 {
			t.Errorf("click at %d", i)
		}
	}
}

func TestSender_FollowsSourcesWithoutAJump(t *testing.T) {
	var got []Packet
	var o sender
	o.init()
	c := &Codec{Name: "PCMU", ClockRate: 8000, Rate: 8000}
	o.attach(funcWire(func(p *Packet) { got = append(got, *p) }), Format{Codec: c, Ptime: 20}, DTMF{})
	now := time.Unix(1000, 0)
	for i := range 50 { // the source changes its numbers, and the clock takes over in between
		now = now.Add(20 * time.Millisecond)
		switch i / 10 {
		case 0, 2:
			o.relay(&Packet{Sequence: uint16(i), Timestamp: uint32(i * 160), SSRC: uint32(i / 10)}, now)
		case 4:
			if i == 45 {
				o.swallow(&Packet{Sequence: uint16(i) + 40000, SSRC: 7})
				continue
			}
			o.relay(&Packet{Sequence: uint16(i) + 40000, Timestamp: uint32(i*160) + 1e9, SSRC: 7}, now)
		default:
			ts, _ := o.tick(now)
			o.audio(nil, ts, now)
		}
	}
	for i := 1; i < len(got); i++ {
		step := got[i].Timestamp - got[i-1].Timestamp
		if got[i].Sequence != got[i-1].Sequence+1 || step != 160 && i != 45 || got[i].Marker {
			t.Errorf("packet %d: %d/%d after %d/%d, marker %v", i, got[i].Sequence, got[i].Timestamp, got[i-1].Sequence, got[i-1].Timestamp, got[i].Marker)
		}
	}
}

func TestReceiver_RandomPackets_NeverPanic(t *testing.T) {
	e := NewEngine(EngineOptions{})
	p, q := e.NewPort("p"), e.NewPort("q")
	c := &Codec{Name: "X", ClockRate: 8000, Rate: 8000}
	p.Attach(Null(), Format{Codec: c, PayloadType: 0, Ptime: 20}, DTMF{PayloadType: 101})
	q.Attach(Null(), Format{Codec: c, PayloadType: 0, Ptime: 20}, DTMF{PayloadType: 101})
	if err := Join(p, q); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	types := []uint8{0, 101, 13, 96}
	for i := range 20000 {
		if i == 10000 {
			p.Mute(Read, true)
		}
		b := make([]byte, r.IntN(20))
		for j := range b {
			b[j] = byte(r.Uint32())
		}
		p.in.packet(1, &Packet{PayloadType: types[r.IntN(4)], Sequence: uint16(r.Uint32()), Timestamp: r.Uint32(), SSRC: r.Uint32N(3), Payload: b})
		if i%3 == 0 {
			for ph := range phases {
				p.Tick(ph, time.Now())
				q.Tick(ph, time.Now())
			}
		}
	}
	p.Close()
	q.Close()
}

// funcWire is a Wire that gives what is sent to a function.
type funcWire func(*Packet)

func (f funcWire) Receive(func(*Packet))       {}
func (f funcWire) Send(p *Packet) error        { f(p); return nil }
func (f funcWire) Addresses() (string, string) { return "", "" }
func (f funcWire) Close() error                { return nil }

func TestAGC_RaisesSoftAndLowersLoud(t *testing.T) {
	var a AutoGain
	a.Set(AGC{Level: 1000, Low: 100, Margin: 100, Factor: 2, Period: 5})
	for range 200 {
		a.Hear(300)
	}
	if a.gain <= 0 {
		t.Errorf("gain %d dB for a soft voice", a.gain)
	}
	up := a.gain
	for range 200 {
		a.Hear(5000)
	}
	if a.gain >= up {
		t.Errorf("gain %d dB for a loud voice", a.gain)
	}
}
