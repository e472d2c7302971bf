package media_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/mix"
)

// hand is a Wire that is worked by hand: what comes is given to it, what is sent is
// counted.
type hand struct {
	receive func(*media.Packet)
	packet  media.Packet
	sent    int
}

func (h *hand) Receive(f func(*media.Packet))     { h.receive = f }
func (h *hand) Send(*media.Packet) error          { h.sent++; return nil }
func (h *hand) Addresses() (local, remote string) { return "", "" }
func (h *hand) Close() error                      { return nil }

// crowd are ports whose far ends say recorded packets, on a clock worked by hand.
type crowd struct {
	t     testing.TB
	e     *media.Engine
	ports []*media.Port
	wires []*hand
	said  [][]media.Packet // a second of packets, over and over
	mixer *mix.Mixer
	turn  int
	now   time.Time
}

func newCrowd(t testing.TB) *crowd {
	return &crowd{t: t, e: unstarted(t), now: time.Now()}
}

// add attaches a port whose far end says hz, or silence.
func (c *crowd) add(name string, pt uint8, hz float64) *media.Port {
	f := format(c.t, c.e, name, pt)
	speaker := &phone{t: c.t, format: f, ssrc: uint32(len(c.ports) + 1)}
	var err error
	if speaker.enc, err = f.Codec.NewEncoder(f, f.Codec.Rate); err != nil {
		c.t.Fatal(err)
	}
	defer speaker.enc.Close()
	var said []media.Packet
	for range 50 {
		said = append(said, *speaker.packet(hz))
	}
	w := &hand{}
	p := c.e.NewPort(fmt.Sprintf("%s %d", name, len(c.ports)))
	p.Attach(w, f, media.DTMF{})
	c.ports, c.wires, c.said = append(c.ports, p), append(c.wires, w), append(c.said, said)
	return p
}

// tick brings every port its next packet and moves the clock by a frame.
func (c *crowd) tick() {
	c.now = c.now.Add(media.FrameTime)
	for i, w := range c.wires {
		k := &w.packet
		*k = c.said[i][c.turn%50]
		k.Sequence = uint16(c.turn)
		k.Timestamp = uint32(c.turn * step(c.ports[i]))
		k.Arrived = c.now
		w.receive(k)
	}
	c.turn++
	for _, phase := range []media.Phase{media.PhaseRead, media.PhaseMix, media.PhaseWrite} {
		for _, p := range c.ports {
			p.Tick(phase, c.now)
		}
		if c.mixer != nil {
			c.mixer.Tick(phase, c.now)
		}
	}
}

func step(p *media.Port) int {
	f, _ := p.Format()
	return f.Samples()
}

func (c *crowd) close() {
	for _, p := range c.ports {
		p.Close()
	}
	if c.mixer != nil {
		c.mixer.Close()
	}
}

// bridged is a call between two codecs.
func bridged(t testing.TB, a, b string) *crowd {
	c := newCrowd(t)
	if err := media.Join(c.add(a, 100, 440), c.add(b, 101, 440)); err != nil {
		t.Fatal(err)
	}
	return c
}

// room is a conference in which talkers talk and the others are silent.
func room(t testing.TB, codec string, rate, members, talkers int) *crowd {
	c := newCrowd(t)
	c.mixer = mix.New(c.e, mix.Options{Rate: rate, EnergyLevel: 100})
	for i := range members {
		hz := 0.0
		if i < talkers {
			hz = 300 + 100*float64(i)
		}
		if err := c.add(codec, 100, hz).JoinMixer(c.mixer.Add()); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// scenes are what a box does most.
func scenes() map[string]func(testing.TB) *crowd {
	return map[string]func(testing.TB) *crowd{
		"PCMU to PCMA":               func(t testing.TB) *crowd { return bridged(t, "PCMU", "PCMA") },
		"PCMU to G722":               func(t testing.TB) *crowd { return bridged(t, "PCMU", "G722") },
		"PCMU to opus":               func(t testing.TB) *crowd { return bridged(t, "PCMU", "opus") },
		"room of 50 PCMU at 8 kHz":   func(t testing.TB) *crowd { return room(t, "PCMU", 8000, 50, 3) },
		"room of 200 PCMU at 8 kHz":  func(t testing.TB) *crowd { return room(t, "PCMU", 8000, 200, 3) },
		"room of 50 opus at 48 kHz":  func(t testing.TB) *crowd { return room(t, "opus", 48000, 50, 2) },
		"room of 200 opus at 48 kHz": func(t testing.TB) *crowd { return room(t, "opus", 48000, 200, 2) },
		"room of 50 PCMU at 48 kHz":  func(t testing.TB) *crowd { return room(t, "PCMU", 48000, 50, 3) },
	}
}

func TestScenes_DoNotAllocate(t *testing.T) {
	for name, scene := range scenes() {
		t.Run(name, func(t *testing.T) {
			c := scene(t)
			defer c.close()
			for range 150 {
				c.tick()
			}
			for i, w := range c.wires {
				if w.sent < 100 {
					t.Errorf("port %d sent %d packets in 150 ticks", i, w.sent)
				}
			}
			if n := testing.AllocsPerRun(100, c.tick); n > 0 {
				t.Errorf("%v allocations a tick", n)
			}
		})
	}
}

// BenchmarkScene gives what one call or one member costs, in percent of a core.
func BenchmarkScene(b *testing.B) {
	for name, scene := range scenes() {
		b.Run(name, func(b *testing.B) {
			c := scene(b)
			defer c.close()
			for range 150 {
				c.tick()
			}
			b.ReportAllocs()
			for b.Loop() {
				c.tick()
			}
			units := len(c.ports)
			if c.mixer == nil {
				units = 1
			}
			perTick := float64(b.Elapsed()) / float64(b.N)
			b.ReportMetric(100*perTick/float64(media.FrameTime)/float64(units), "%core/unit")
		})
	}
}
