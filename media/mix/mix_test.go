package mix_test

import (
	"io"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/codec"
	"github.com/switchlet/switchlet/media/mix"
)

// guest is a member with a phone: a wire that says a tone when asked.
type guest struct {
	*mix.Member
	port  *media.Port
	inner media.Wire
	wire  media.Wire
	fmt   media.Format
	enc   media.Encoder
	dec   media.Decoder
	quit  chan struct{}
	done  sync.WaitGroup

	mu    sync.Mutex
	heard []int16
	count int
}

func pcmu(t testing.TB, e *media.Engine) media.Format {
	for _, c := range e.Codecs() {
		if c.Name == "PCMU" {
			return media.Format{Codec: c, Ptime: 20}
		}
	}
	t.Fatal("no PCMU")
	return media.Format{}
}

func join(t testing.TB, e *media.Engine, x *mix.Mixer, hz float64) *guest {
	t.Helper()
	g := &guest{port: e.NewPort("guest"), fmt: pcmu(t, e), quit: make(chan struct{}), Member: x.Add()}
	g.enc, _ = g.fmt.Codec.NewEncoder(g.fmt, 8000)
	g.dec, _ = g.fmt.Codec.NewDecoder(g.fmt, 8000)
	g.inner, g.wire = media.Pipe()
	g.wire.Receive(func(k *media.Packet) {
		pcm := make([]int16, 160)
		g.mu.Lock()
		defer g.mu.Unlock()
		n, _ := g.dec.Decode(k.Payload, pcm)
		g.heard = append(g.heard, pcm[:n]...)
		g.count++
	})
	g.port.Attach(g.inner, g.fmt, media.DTMF{})
	if err := g.port.JoinMixer(g.Member); err != nil {
		t.Fatal(err)
	}
	if hz > 0 {
		g.done.Go(func() { g.talk(hz, 8000) })
	}
	return g
}

func (g *guest) talk(hz, amplitude float64) {
	time.Sleep(7 * time.Millisecond)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	out, pcm := make([]byte, 160), make([]int16, 160)
	for i := 0; ; i++ {
		for j := range pcm {
			pcm[j] = int16(amplitude * math.Sin(2*math.Pi*hz*float64(160*i+j)/8000))
		}
		n, _ := g.enc.Encode(pcm, out)
		g.wire.Send(&media.Packet{Sequence: uint16(i), Timestamp: uint32(160 * i), SSRC: 1, Payload: out[:n]})
		select {
		case <-g.quit:
			return
		case <-tick.C:
		}
	}
}

func (g *guest) leave() {
	close(g.quit)
	g.done.Wait()
	g.port.Leave()
	g.Leave()
	g.port.Close()
	g.inner.Close()
	g.wire.Close()
}

// take returns what was heard since the last call.
func (g *guest) take() []int16 {
	g.mu.Lock()
	defer g.mu.Unlock()
	h := g.heard
	g.heard = nil
	return h
}

func level(pcm []int16, hz float64) float64 {
	if len(pcm) == 0 {
		return 0
	}
	w := 2 * math.Pi * hz / 8000
	c := 2 * math.Cos(w)
	var s1, s2 float64
	for _, v := range pcm {
		s1, s2 = float64(v)+c*s1-s2, s1
	}
	return 2 * math.Sqrt(s1*s1+s2*s2-c*s1*s2) / float64(len(pcm))
}

func bubble(t *testing.T, f func(t *testing.T, e *media.Engine)) {
	synctest.Test(t, func(t *testing.T) {
		e := media.NewEngine(media.EngineOptions{Codecs: codec.Table()})
		e.Start(t.Context())
		defer e.Close()
		f(t, e)
	})
}

func TestMixer_EveryoneHearsTheOthers(t *testing.T) {
	for _, rate := range []int{8000, 16000} {
		bubble(t, func(t *testing.T, e *media.Engine) {
			x := mix.New(e, mix.Options{Rate: rate})
			a, b, c := join(t, e, x, 400), join(t, e, x, 1000), join(t, e, x, 0)
			time.Sleep(500 * time.Millisecond)
			a.take()
			b.take()
			c.take()
			time.Sleep(time.Second)
			for _, w := range []struct {
				name          string
				pcm           []int16
				hears, silent []float64
			}{
				{"a", a.take(), []float64{1000}, []float64{400}},
				{"b", b.take(), []float64{400}, []float64{1000}},
				{"c", c.take(), []float64{400, 1000}, nil},
			} {
				if n := len(w.pcm); n < 7800 || n > 8200 {
					t.Errorf("%s heard %d samples in a second", w.name, n)
				}
				for _, hz := range w.hears {
					if l := level(w.pcm, hz); l < 6500 || l > 9000 {
						t.Errorf("rate %d: %s hears %.0f Hz at %.0f", rate, w.name, hz, l)
					}
				}
				for _, hz := range w.silent {
					if l := level(w.pcm, hz); l > 100 {
						t.Errorf("rate %d: %s hears himself at %.0f", rate, w.name, l)
					}
				}
			}
			for _, g := range []*guest{a, b, c} {
				g.leave()
			}
			x.Close()
			time.Sleep(100 * time.Millisecond)
			if e.Clock().Len() != 0 {
				t.Error("an empty mixer is on the clock")
			}
		})
	}
}

func TestMixer_GateTalkAndFloor(t *testing.T) {
	bubble(t, func(t *testing.T, e *media.Engine) {
		type change struct {
			m  *mix.Member
			on bool
		}
		talk, floor := make(chan change, 10), make(chan *mix.Member, 10)
		x := mix.New(e, mix.Options{
			Rate: 8000, EnergyLevel: 100,
			OnTalk:  func(m *mix.Member, on bool) { talk <- change{m, on} },
			OnFloor: func(_, to *mix.Member) { floor <- to },
		})
		defer x.Close()
		a, b := join(t, e, x, 0), join(t, e, x, 0)
		defer b.leave()
		defer a.leave()
		if m := <-floor; m != a.Member {
			t.Error("the first member has not got the floor")
		}
		b.done.Go(func() { b.talk(1000, 8000) })
		if c := <-talk; c.m != b.Member || !c.on {
			t.Errorf("%+v", c)
		}
		if m := <-floor; m != b.Member {
			t.Error("who talks has not got the floor")
		}
		if !b.Talking() || b.LastTalking().IsZero() {
			t.Error("does not talk")
		}
		b.SetMuted(true)
		if c := <-talk; c.m != b.Member || c.on {
			t.Errorf("%+v", c)
		}
		time.Sleep(100 * time.Millisecond)
		a.take()
		time.Sleep(200 * time.Millisecond)
		if l := level(a.take(), 1000); l > 50 {
			t.Errorf("muted, but heard at %.0f", l)
		}
	})
}

func TestMixer_DeafRelateVolumeAndSounds(t *testing.T) {
	bubble(t, func(t *testing.T, e *media.Engine) {
		x := mix.New(e, mix.Options{Rate: 8000})
		defer x.Close()
		a, b, c := join(t, e, x, 400), join(t, e, x, 1000), join(t, e, x, 0)
		defer a.leave()
		defer b.leave()
		defer c.leave()
		hears := func() []int16 {
			time.Sleep(200 * time.Millisecond)
			c.take()
			time.Sleep(400 * time.Millisecond)
			return c.take()
		}
		c.Ignore(a.Member, true)
		if h := hears(); level(h, 400) > 100 || level(h, 1000) < 6500 {
			t.Errorf("ignores a: 400 Hz %.0f, 1000 Hz %.0f", level(h, 400), level(h, 1000))
		}
		c.Ignore(a.Member, false)
		c.SetVolumeOut(-4)
		if l := level(hears(), 400); l < 1300 || l > 1800 {
			t.Errorf("volume -4: %.0f", l)
		}
		c.SetVolumeOut(0)
		c.SetDeaf(true)
		s := c.Play(&tone{hz: 2000}, media.PlayOptions{}, false)
		if h := hears(); level(h, 400) > 100 || level(h, 2000) < 6500 {
			t.Errorf("deaf: 400 Hz %.0f, his sound %.0f", level(h, 400), level(h, 2000))
		}
		s.Stop()
		c.SetDeaf(false)
		all := x.Play(&tone{hz: 2500, left: 8000}, media.PlayOptions{})
		if l := level(hears(), 2500); l < 6500 {
			t.Errorf("sound for all: %.0f", l)
		}
		<-all.Done()
	})
}

func TestMixer_OneEncodeForAllListeners(t *testing.T) {
	bubble(t, func(t *testing.T, e *media.Engine) {
		var made atomic.Int32
		f := pcmu(t, e)
		counted := *f.Codec
		counted.NewEncoder = func(f media.Format, rate int) (media.Encoder, error) {
			made.Add(1)
			return pcmu(t, e).Codec.NewEncoder(f, rate)
		}
		f.Codec = &counted
		x := mix.New(e, mix.Options{Rate: 8000})
		var ports []*media.Port
		var members []*mix.Member
		for range 50 {
			p, m := e.NewPort("listener"), x.Add()
			p.Attach(media.Null(), f, media.DTMF{})
			if err := p.JoinMixer(m); err != nil {
				t.Fatal(err)
			}
			ports, members = append(ports, p), append(members, m)
		}
		time.Sleep(time.Second)
		if n := made.Load(); n != 1 {
			t.Errorf("%d encoders for 50 listeners", n)
		}
		for i, p := range ports {
			if n := p.Stats().OutPackets; n < 48 {
				t.Errorf("port %d was sent %d packets in a second", i, n)
			}
			p.Close()
			members[i].Leave()
		}
		x.Close()
	})
}

func TestMixer_Churn(t *testing.T) {
	bubble(t, func(t *testing.T, e *media.Engine) {
		x := mix.New(e, mix.Options{Rate: 16000, EnergyLevel: 100, OnTalk: func(*mix.Member, bool) {}})
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				for j := range 5 {
					g := join(t, e, x, float64(300+50*i))
					time.Sleep(time.Duration(i*7+j*13) * time.Millisecond)
					g.SetMuted(i%2 == 0)
					g.Play(&tone{hz: 700, left: 1000}, media.PlayOptions{}, j%2 == 0)
					x.Play(&tone{hz: 900, left: 1000}, media.PlayOptions{})
					time.Sleep(100 * time.Millisecond)
					g.leave()
				}
			})
		}
		all.Wait()
		if x.Members() != 0 {
			t.Errorf("%d members are left", x.Members())
		}
		x.Close()
	})
}

type tone struct {
	hz   float64
	at   int
	left int // 0: for ever
}

func (s *tone) Rate() int    { return 8000 }
func (s *tone) Close() error { return nil }
func (s *tone) Read(pcm []int16) (int, error) {
	for i := range pcm {
		if s.left > 0 && s.at >= s.left {
			return i, io.EOF
		}
		pcm[i] = int16(8000 * math.Sin(2*math.Pi*s.hz*float64(s.at)/8000))
		s.at++
	}
	return len(pcm), nil
}
