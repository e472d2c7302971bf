package media_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
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
	heard   func([]byte)
	sent    int
	loss    float64 // percent that the far end says it misses
}

func (h *hand) RemoteLoss() float64 { return h.loss }

func (h *hand) Receive(f func(*media.Packet))     { h.receive = f }
func (h *hand) Addresses() (local, remote string) { return "", "" }
func (h *hand) Close() error                      { return nil }

func (h *hand) Send(k *media.Packet) error {
	h.sent++
	if h.heard != nil {
		h.heard(k.Payload)
	}
	return nil
}

// crowd are ports whose far ends say recorded packets, on a clock worked by hand.
type crowd struct {
	t     testing.TB
	e     *media.Engine
	ports []*media.Port
	wires []*hand
	said  [][]media.Packet // over and over
	kept  map[string][]media.Packet
	mixer *mix.Mixer
	turn  int
	now   time.Time
}

func newCrowd(t testing.TB) *crowd {
	return &crowd{t: t, e: unstarted(t), now: time.Now(), kept: map[string][]media.Packet{}}
}

// add attaches a port whose far end says hz, or silence.
func (c *crowd) add(name string, pt uint8, hz float64) *media.Port {
	f := format(c.t, c.e, name, pt)
	w := &hand{}
	p := c.e.NewPort(fmt.Sprintf("%s %d", name, len(c.ports)))
	p.Attach(w, f, media.DTMF{})
	key := fmt.Sprint(name, hz)
	if c.kept[key] == nil {
		c.kept[key] = c.speak(f, 50, func(int) float64 { return hz })
	}
	c.ports, c.wires, c.said = append(c.ports, p), append(c.wires, w), append(c.said, c.kept[key])
	return p
}

// speak makes n packets of the tone that hz gives for each.
func (c *crowd) speak(f media.Format, n int, hz func(i int) float64) (said []media.Packet) {
	speaker := &phone{t: c.t, format: f}
	var err error
	if speaker.enc, err = f.Codec.NewEncoder(f, f.Codec.Rate); err != nil {
		c.t.Fatal(err)
	}
	defer speaker.enc.Close()
	for i := range n {
		said = append(said, *speaker.packet(hz(i)))
	}
	return said
}

// tick brings every port its next packet and moves the clock by a frame.
func (c *crowd) tick() {
	c.now = c.now.Add(media.FrameTime)
	for i, w := range c.wires {
		k := &w.packet
		*k = c.said[i][c.turn%len(c.said[i])]
		k.SSRC = uint32(i + 1)
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

// calls are n calls between two codecs.
func calls(t testing.TB, n int, a, b string) *crowd {
	c := newCrowd(t)
	for range n {
		if err := media.Join(c.add(a, 100, 440), c.add(b, 101, 440)); err != nil {
			t.Fatal(err)
		}
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

// silentMark is a packet of Opus that says that it holds silence: CELT, 48 kHz, 20 ms.
var silentMark = []byte{0xF8, 0xFF, 0xFE}

// marked makes the silent members of a room say so.
func marked(c *crowd, talkers int) *crowd {
	for i := talkers; i < len(c.said); i++ {
		c.said[i] = []media.Packet{{PayloadType: 100, Payload: silentMark}}
	}
	return c
}

// levelled makes the silent members of a room say so in the header (RFC 6464).
func levelled(c *crowd, talkers int) *crowd {
	for i := talkers; i < len(c.said); i++ {
		c.said[i] = slices.Clone(c.said[i])
		for k := range c.said[i] {
			c.said[i][k].Silent = true
		}
	}
	return c
}

// scenes are what a box does most.
func scenes() map[string]func(testing.TB) *crowd {
	return map[string]func(testing.TB) *crowd{
		"PCMU to PCMA":               func(t testing.TB) *crowd { return calls(t, 1, "PCMU", "PCMA") },
		"PCMU to G722":               func(t testing.TB) *crowd { return calls(t, 1, "PCMU", "G722") },
		"PCMU to opus":               func(t testing.TB) *crowd { return calls(t, 1, "PCMU", "opus") },
		"20 calls PCMU to opus":      func(t testing.TB) *crowd { return calls(t, 20, "PCMU", "opus") },
		"20 calls PCMU to G722":      func(t testing.TB) *crowd { return calls(t, 20, "PCMU", "G722") },
		"room of 50 PCMU at 8 kHz":   func(t testing.TB) *crowd { return room(t, "PCMU", 8000, 50, 3) },
		"room of 200 PCMU at 8 kHz":  func(t testing.TB) *crowd { return room(t, "PCMU", 8000, 200, 3) },
		"room of 50 opus at 48 kHz":  func(t testing.TB) *crowd { return room(t, "opus", 48000, 50, 2) },
		"room of 200 opus at 48 kHz": func(t testing.TB) *crowd { return room(t, "opus", 48000, 200, 2) },
		"room of 200 opus, silence marked": func(t testing.TB) *crowd {
			return marked(room(t, "opus", 48000, 200, 2), 2)
		},
		"room of 200 opus, silent by level": func(t testing.TB) *crowd {
			return levelled(room(t, "opus", 48000, 200, 2), 2)
		},
		"room of 50 PCMU at 48 kHz": func(t testing.TB) *crowd { return room(t, "PCMU", 48000, 50, 3) },
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
				units /= 2
			}
			perTick := float64(b.Elapsed()) / float64(b.N)
			b.ReportMetric(100*perTick/float64(media.FrameTime)/float64(units), "%core/unit")
		})
	}
}

// TestRoom_OfAHundred_NobodyHearsAClick listens for a minute to a room in which two
// talk: every member hears both, or the other, and nothing jumps.
func TestRoom_OfAHundred_NobodyHearsAClick(t *testing.T) {
	c := room(t, "PCMU", 8000, 100, 2)
	defer c.close()
	f, _ := c.ports[0].Format()
	dec, err := f.Codec.NewDecoder(f, 8000)
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	listeners := []int{0, 1, 2, 50, 99}
	heard := make([][]int16, len(listeners))
	for n, i := range listeners {
		c.wires[i].heard = func(payload []byte) {
			pcm := [160]int16{}
			if _, err := dec.Decode(payload, pcm[:]); err != nil {
				t.Error(err)
			}
			heard[n] = append(heard[n], pcm[:]...)
		}
	}
	for range 60 * 50 {
		c.tick()
	}
	for n, i := range listeners {
		pcm := heard[n][8000:]
		if len(pcm) < 58*8000 {
			t.Fatalf("member %d heard %d samples", i, len(pcm))
		}
		for at := 0; at+160 <= len(pcm); at += 160 {
			for talker, hz := range []float64{300, 400} {
				want := 10000.0
				if talker == i {
					want = 0
				}
				if l := level(pcm[at:at+160], 8000, hz); math.Abs(l-want) > 1000 {
					t.Fatalf("member %d hears talker %d at %.0f at %d ms", i, talker, l, at/8)
				}
			}
		}
		// The second difference of the two tones is at most 1,600, that of what G.711
		// adds to them 2,000.
		for at := 2; at < len(pcm); at++ {
			if d := int(pcm[at]) - 2*int(pcm[at-1]) + int(pcm[at-2]); d > 4000 || d < -4000 {
				t.Fatalf("member %d hears a click of %d at sample %d", i, d, at)
			}
		}
	}
}

// TestRoom_WhoWasSilentIsHeardFromTheFirstFrame lets a member of a wide room speak
// after three seconds in which it was only watched.
func TestRoom_WhoWasSilentIsHeardFromTheFirstFrame(t *testing.T) {
	for _, k := range []struct {
		name, codec string
		rate        int
		marked      bool   // the silence says that it is silence
		level       bool   // it says so in the header
		watch       string // what the chain says of who is watched
	}{
		{"opus", "opus", 48000, false, false, "decode opus to 16000 Hz, watch"},
		{"opus that marks silence", "opus", 48000, true, false, "watch for packets"},
		{"opus that marks silence at 8 kHz", "opus", 8000, true, false, "watch for packets"},
		{"opus at 8 kHz", "opus", 8000, false, false, ""},
		{"G722", "G722", 48000, false, false, ""},
		{"PCMU", "PCMU", 48000, false, false, ""},
		{"opus with a level", "opus", 48000, false, true, "watch for packets"},
		{"opus with a level at 8 kHz", "opus", 8000, false, true, "watch for packets"},
		{"G722 with a level", "G722", 48000, false, true, "watch for packets"},
		{"PCMU with a level", "PCMU", 8000, false, true, "watch for packets"},
	} {
		t.Run(k.name, func(t *testing.T) {
			c := room(t, k.codec, k.rate, 3, 0)
			defer c.close()
			f, _ := c.ports[0].Format()
			const silent = 150
			c.said[0] = c.speak(f, 2*silent, func(i int) float64 {
				if i < silent {
					return 0
				}
				return 440
			})
			for i := range c.said[0][:silent] {
				if k.marked {
					c.said[0][i].Payload = silentMark
				}
				c.said[0][i].Silent = k.level
			}
			dec, err := f.Codec.NewDecoder(f, f.Codec.Rate)
			if err != nil {
				t.Fatal(err)
			}
			defer dec.Close()
			var heard []int16
			c.wires[2].heard = func(payload []byte) {
				pcm := make([]int16, f.Codec.Rate/50)
				n, err := dec.Decode(payload, pcm)
				if err != nil {
					t.Error(err)
				}
				heard = append(heard, pcm[:n]...)
			}
			for range silent - 1 {
				c.tick()
			}
			chain := strings.ReplaceAll(c.ports[0].Chain(), " > ", ", ")
			if watched := strings.Contains(chain, "watch"); watched != (k.watch != "") || !strings.Contains(chain, k.watch) {
				t.Errorf("watched %v:\n%s", watched, chain)
			}
			before := len(heard)
			for range silent {
				c.tick()
			}
			if l := rms(heard[before-f.Codec.Rate : before]); l > 50 {
				t.Errorf("the silence sounds at %.0f", l)
			}
			n := f.Codec.Rate / 50
			for frame := 4; frame < 100; frame++ { // encoders and filters take up to three
				at := before + frame*n
				if l := level(heard[at:at+n], f.Codec.Rate, 440); l < 8000 || l > 12000 {
					t.Errorf("level %.0f in frame %d", l, frame)
				}
			}
		})
	}
}

// TestRoom_WhoLiesAboutSilenceIsAlone: a member whose packets all say that they are
// silent is not heard once he was silent for a while; and one who says so now and then
// is heard while he talks. The others hear each other as ever.
func TestRoom_WhoLiesAboutSilenceIsAlone(t *testing.T) {
	c := room(t, "PCMU", 8000, 4, 2)
	defer c.close()
	f, _ := c.ports[2].Format()
	const silent = 100
	tone := func(hz float64) func(int) float64 {
		return func(i int) float64 {
			if i < silent {
				return 0
			}
			return hz
		}
	}
	c.said[1] = c.speak(f, 3*silent, tone(700))
	c.said[2] = c.speak(f, 3*silent, tone(1100))
	for i := range c.said[1] {
		c.said[1][i].Silent = i >= silent && i%3 != 0
		c.said[2][i].Silent = true
	}
	dec, err := f.Codec.NewDecoder(f, 8000)
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	var heard []int16
	c.wires[3].heard = func(payload []byte) {
		pcm := [160]int16{}
		if _, err := dec.Decode(payload, pcm[:]); err != nil {
			t.Error(err)
		}
		heard = append(heard, pcm[:]...)
	}
	for range 3*silent - 5 {
		c.tick()
	}
	for at := (silent + 20) * 160; at+800 <= len(heard); at += 800 {
		for hz, want := range map[float64]float64{300: 10000, 700: 10000, 1100: 0} {
			if l := level(heard[at:at+800], 8000, hz); math.Abs(l-want) > 1000 {
				t.Fatalf("%.0f Hz at %.0f after %d ms", hz, l, at/8)
			}
		}
	}
}

// counting is a decoder whose packets are counted.
type counting struct {
	media.Decoder
	packets *int
}

func (c counting) Decode(payload []byte, pcm []int16) (int, error) {
	if payload != nil {
		*c.packets++
	}
	return c.Decoder.Decode(payload, pcm)
}

// TestRoom_SmallPacketsOfWhoIsSilentAreSeldomDecoded lets a member talk, be silent with
// packets that do not say so, and talk again: in between few packets are decoded, and
// the second word is heard from its first frames. With a constant bit rate nothing
// tells the packets apart, and all are decoded.
func TestRoom_SmallPacketsOfWhoIsSilentAreSeldomDecoded(t *testing.T) {
	for name, k := range map[string]struct {
		settings  string
		low, high int // of 100 packets, decoded in the second half of the silence
	}{
		"variable bit rate": {"", 20, 30}, "constant bit rate": {"cbr=1", 100, 100},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCrowd(t)
			defer c.close()
			c.mixer = mix.New(c.e, mix.Options{Rate: 48000, EnergyLevel: 100})
			decoded := 0
			for _, row := range c.e.Codecs() {
				if row.Name == "opus" {
					make := row.NewDecoder
					row.NewDecoder = func(f media.Format, rate int) (media.Decoder, error) {
						d, err := make(f, rate)
						if f.PayloadType != 100 {
							return d, err
						}
						return counting{d, &decoded}, err
					}
				}
			}
			talker := c.add("opus", 100, 0)
			listener := c.add("L16", 101, 0)
			for _, p := range []*media.Port{talker, listener} {
				if err := p.JoinMixer(c.mixer.Add()); err != nil {
					t.Fatal(err)
				}
			}
			f, _ := talker.Format()
			f.Settings = k.settings
			const word, silence = 100, 300
			c.said[0] = c.speak(f, 2*word+silence, func(i int) float64 {
				if i < word || i >= word+silence {
					return 440
				}
				return 0
			})
			var heard []int16
			c.wires[1].heard = func(payload []byte) {
				for i := 0; i+1 < len(payload); i += 2 {
					heard = append(heard, int16(payload[i])<<8|int16(payload[i+1]))
				}
			}
			for range word + silence - 100 {
				c.tick()
			}
			before := decoded
			for range 100 {
				c.tick()
			}
			if n := decoded - before; n < k.low || n > k.high {
				t.Errorf("%d of 100 packets of silence were decoded, want %d to %d", n, k.low, k.high)
			}
			at := len(heard)
			for range word {
				c.tick()
			}
			lf, _ := listener.Format()
			n := lf.Codec.Rate / 50
			for frame := 5; frame < 90; frame++ {
				if l := level(heard[at+frame*n:at+(frame+1)*n], lf.Codec.Rate, 440); l < 8000 || l > 12000 {
					t.Fatalf("level %.0f in frame %d of the second word", l, frame)
				}
			}
		})
	}
}

// expecting is an encoder that notes what it is told of loss.
type expecting struct {
	media.Encoder
	told *[]float64
}

func (e expecting) ExpectLoss(percent float64) { *e.told = append(*e.told, percent) }

func TestEncoder_IsToldWhatTheFarEndMisses(t *testing.T) {
	c := newCrowd(t)
	defer c.close()
	var told []float64
	for _, row := range c.e.Codecs() {
		if row.Name == "opus" {
			make := row.NewEncoder
			row.NewEncoder = func(f media.Format, rate int) (media.Encoder, error) {
				e, err := make(f, rate)
				return expecting{e, &told}, err
			}
		}
	}
	if err := media.Join(c.add("PCMU", 0, 440), c.add("opus", 101, 440)); err != nil {
		t.Fatal(err)
	}
	c.wires[1].loss = 12
	for range 300 {
		c.tick()
	}
	c.wires[1].loss = 3
	for range 300 {
		c.tick()
	}
	if len(told) != 2 || told[0] != 12 || told[1] != 3 {
		t.Errorf("in twelve seconds the encoder was told %v", told)
	}
}
