package media

import (
	"math"
	"testing"
	"time"
)

func sine(hz float64, rate, n int) []int16 {
	pcm := make([]int16, n)
	for i := range pcm {
		pcm[i] = int16(10000 * math.Sin(2*math.Pi*hz*float64(i)/float64(rate)))
	}
	return pcm
}

// plain is a codec that costs nothing: 16-bit samples as they are.
type plain struct{}

func (plain) Encode(pcm []int16, out []byte) (int, error) {
	for i, s := range pcm {
		out[2*i], out[2*i+1] = byte(s>>8), byte(s)
	}
	return 2 * len(pcm), nil
}

func (plain) Decode(b []byte, pcm []int16) (int, error) {
	if b == nil {
		clear(pcm)
		return len(pcm), nil
	}
	for i := range len(b) / 2 {
		pcm[i] = int16(b[2*i])<<8 | int16(b[2*i+1])
	}
	return len(b) / 2, nil
}

func (plain) Close() {}

func plainFormat(name string, rate int) Format {
	return Format{Ptime: 20, PayloadType: 10, Codec: &Codec{
		Name: name, ClockRate: rate, Rate: rate, Rates: []int{rate},
		NewEncoder: func(Format, int) (Encoder, error) { return plain{}, nil },
		NewDecoder: func(Format, int) (Decoder, error) { return plain{}, nil },
	}}
}

// pair returns two joined ports, the packets of the first's far end, and a tick.
func pair(a, b Format) (p, q *Port, packet func(), tick func()) {
	e := NewEngine(EngineOptions{Workers: 1})
	p, q = e.NewPort("p"), e.NewPort("q")
	p.Attach(Null(), a, DTMF{})
	q.Attach(Null(), b, DTMF{})
	if err := Join(p, q); err != nil {
		panic(err)
	}
	k := &Packet{PayloadType: 10, SSRC: 7, Payload: make([]byte, 2*a.Codec.Rate/50)}
	now := time.Now()
	return p, q, func() {
			k.Sequence++
			k.Timestamp += uint32(a.Samples())
			k.Arrived = now
			p.in.packet(1, k)
		}, func() {
			now = now.Add(FrameTime)
			e.clock.tick(now)
		}
}

func TestRelay_DoesNotAllocate(t *testing.T) {
	f := plainFormat("L16", 8000)
	p, _, packet, _ := pair(f, f)
	if n := testing.AllocsPerRun(1000, packet); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
	if !p.Relaying() {
		t.Error("does not relay")
	}
}

func TestTick_DoesNotAllocate(t *testing.T) {
	for _, c := range []struct {
		name    string
		a, b    Format
		prepare func(p, q *Port)
	}{
		{"transcode", plainFormat("A", 8000), plainFormat("B", 8000), nil},
		{"other rate", plainFormat("A", 8000), plainFormat("B", 16000), nil},
		{"tap and gain", plainFormat("A", 8000), plainFormat("A", 8000), func(p, q *Port) {
			p.Tap(Both, 16000, func([]int16) {})
			p.Gain(Both, 1)
		}},
		{"playback", plainFormat("A", 8000), plainFormat("A", 8000), func(p, q *Port) {
			q.Play(endless{}, PlayOptions{Volume: 1}).SetSpeed(1)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, q, packet, tick := pair(c.a, c.b)
			if c.prepare != nil {
				c.prepare(p, q)
			}
			for range 100 {
				packet()
				tick()
			}
			if n := testing.AllocsPerRun(1000, func() { packet(); tick() }); n != 0 {
				t.Errorf("%v allocations a frame", n)
			}
		})
	}
}

type endless struct{}

func (endless) Rate() int                     { return 16000 }
func (endless) Read(pcm []int16) (int, error) { return len(pcm), nil }
func (endless) Close() error                  { return nil }

func BenchmarkRelay(b *testing.B) {
	f := plainFormat("L16", 8000)
	_, _, packet, _ := pair(f, f)
	b.ReportAllocs()
	for b.Loop() {
		packet()
	}
}

func BenchmarkTickTranscode(b *testing.B) {
	_, _, packet, tick := pair(plainFormat("A", 8000), plainFormat("B", 8000))
	b.ReportAllocs()
	for b.Loop() {
		packet()
		tick()
	}
}
