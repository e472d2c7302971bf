package media_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/codec"
	"github.com/switchlet/switchlet/media/dtmf"
	"github.com/switchlet/switchlet/media/resample"
)

// path is what a network does to the packets of one direction.
type path struct {
	loss   float64       // share of the packets
	jitter time.Duration // each is late by up to this
	random *rand.Rand
}

// paths are a good network, a usual one and a bad one.
func paths() []path {
	return []path{{}, {loss: 0.02, jitter: 40 * time.Millisecond}, {loss: 0.1, jitter: 80 * time.Millisecond}}
}

func (n path) String() string { return fmt.Sprintf("%.0f %% lost, %v jitter", 100*n.loss, n.jitter) }

// carry brings a packet to send, later or never.
func (n *path) carry(k *media.Packet, send func(*media.Packet)) {
	if n.random == nil {
		n.random = rand.New(rand.NewPCG(1, 2))
	}
	if n.random.Float64() < n.loss {
		return
	}
	c := *k
	c.Buf, c.Payload = nil, append([]byte(nil), k.Payload...)
	late := time.Duration(n.random.Float64() * float64(n.jitter))
	if late == 0 {
		send(&c)
		return
	}
	time.AfterFunc(late, func() { send(&c) })
}

// wholeEngine has detectors and tones, too, as the box has.
func wholeEngine(t testing.TB) *media.Engine {
	e := media.NewEngine(media.EngineOptions{
		Codecs: codec.Table(),
		NewResampler: func(from, to int) media.Resampler {
			r, err := resample.New(from, to)
			if err != nil {
				t.Error(err)
				return nil
			}
			return r
		},
		NewDetector: func(rate int) media.Detector {
			d, err := dtmf.NewDetector(rate)
			if err != nil {
				t.Error(err)
			}
			return &finder{d: d}
		},
		NewTone: func(d media.Digit, rate int) media.Source {
			g, err := dtmf.NewGenerator(rate)
			if err != nil {
				t.Error(err)
			}
			g.Add(dtmf.Step{Digit: d})
			return g
		},
	})
	e.Start(t.Context())
	return e
}

type finder struct{ d *dtmf.Detector }

func (f *finder) Process(pcm []int16, emit func(media.Digit)) {
	for _, d := range f.d.Detect(pcm, nil) {
		emit(d)
	}
}

// TestJoin_EveryPairOfCodecs_OnEveryPath listens to a tone through every pair of
// codecs, by its level in each 20 ms and by what else is heard.
func TestJoin_EveryPairOfCodecs_OnEveryPath(t *testing.T) {
	type kind struct {
		name string
		rate int // RTP clock
	}
	kinds := []kind{{"PCMU", 8000}, {"PCMA", 8000}, {"G722", 8000}, {"opus", 48000}, {"L16", 8000}, {"L16", 16000}}
	for _, n := range paths() {
		for _, from := range kinds {
			for _, to := range kinds {
				t.Run(fmt.Sprintf("%v/%v to %v", n, from, to), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						e := wholeEngine(t)
						defer e.Close()
						leg := func(k kind, pt uint8) *phone {
							c := codec.Find(e.Codecs(), k.name, k.rate, 0)
							return newPhone(t, e, k.name, media.Format{Codec: c, PayloadType: pt, Ptime: 20, Fmtp: "useinbandfec=1"}, noDTMF)
						}
						a, b := leg(from, 97), leg(to, 98)
						defer a.close()
						defer b.close()
						b.port.DetectInband(true) // the PCM gear, whatever the codecs
						if err := media.Join(a.port, b.port); err != nil {
							t.Fatal(err)
						}
						n := n
						for range 150 {
							n.carry(a.packet(440), func(k *media.Packet) { _ = a.wire.Send(k) })
							time.Sleep(media.FrameTime)
						}
						time.Sleep(200 * time.Millisecond)
						synctest.Wait()
						judge(t, b.decode(b.packets()), b.format.Codec.Rate, n.loss)
					})
				})
			}
		}
	}
}

// judge looks at two seconds of what should be a tone of 440 Hz and amplitude 10000.
func judge(t *testing.T, pcm []int16, rate int, loss float64) {
	t.Helper()
	if len(pcm) < 5*rate/2 {
		t.Fatalf("only %d ms of sound", len(pcm)*1000/rate)
	}
	pcm = pcm[rate/2 : 5*rate/2]
	n := rate / 50
	frames, soft := 0, 0
	mean := 0.0
	for at := 0; at+n <= len(pcm); at += n {
		l := level(pcm[at:at+n], rate, 440)
		if l > 13500 {
			t.Errorf("level %.0f at %d ms", l, at*1000/rate)
		}
		if l < 6000 {
			soft++
		}
		mean += l
		frames++
	}
	mean /= float64(frames)
	var most float64 = 0.01
	if loss > 0 {
		most = 0.02 + 1.5*loss
	}
	if s := float64(soft) / float64(frames); s > most {
		t.Errorf("%.0f %% of the frames are too soft", 100*s)
	}
	if mean < 10000*(0.88-loss) {
		t.Errorf("the mean level is %.0f", mean)
	}
	var power float64
	for _, v := range pcm {
		power += float64(v) * float64(v)
	}
	if rms := math.Sqrt(2 * power / float64(len(pcm))); rms > 11500 {
		t.Errorf("something else is heard: %.0f in all", rms)
	}
}

// TestDigits_EveryPairOfKinds_OnEveryPath sends digits by each way to legs that
// want them in each way: all arrive, none twice.
func TestDigits_EveryPairOfKinds_OnEveryPath(t *testing.T) {
	const dialled = "1590#"
	kinds := map[string]media.DTMF{"rfc4733": events, "in-band": {}, "info": {}}
	for _, n := range paths() {
		for from, sends := range kinds {
			for to, wants := range kinds {
				t.Run(fmt.Sprintf("%v/%s to %s", n, from, to), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						e := wholeEngine(t)
						defer e.Close()
						f := format(t, e, "PCMU", 0)
						far := newPhone(t, e, "far", f, sends)
						a, b := newPhone(t, e, "a", f, sends), newPhone(t, e, "b", format(t, e, "PCMA", 8), wants)
						defer far.close()
						defer a.close()
						defer b.close()
						n := n
						far.wire.Receive(func(k *media.Packet) {
							n.carry(k, func(k *media.Packet) { _ = a.wire.Send(k) })
						})
						far.port.SilenceFill(true)
						a.port.DetectInband(from == "in-band")
						signalled := ""
						b.port.OnSendFallback(func(d media.Digit) {
							if to == "in-band" {
								b.port.PlayDigits([]media.Digit{d}, media.Write)
								return
							}
							signalled += string(d.Char)
						})
						if err := media.Join(a.port, b.port); err != nil {
							t.Fatal(err)
						}
						time.Sleep(time.Second)
						for _, c := range dialled {
							d := media.Digit{Char: byte(c), Duration: 1600}
							switch from {
							case "info":
								a.port.Inject(d)
							case "in-band":
								far.port.PlayDigits([]media.Digit{d}, media.Write)
							default:
								far.port.SendDigits([]media.Digit{d})
							}
							time.Sleep(500 * time.Millisecond)
						}
						time.Sleep(500 * time.Millisecond)
						synctest.Wait()
						if got := arrived(t, b, to, signalled); got != dialled {
							t.Errorf("%q arrived", got)
						}
						a.mu.Lock()
						defer a.mu.Unlock()
						if len(a.digits) != len(dialled) {
							t.Errorf("the leg told of %+v", a.digits)
						}
					})
				})
			}
		}
	}
}

// arrived is what a phone that wants digits in one way makes of what it got.
func arrived(t *testing.T, b *phone, kind, signalled string) (digits string) {
	t.Helper()
	heard := b.packets()
	switch kind {
	case "info":
		return signalled
	case "rfc4733":
		var last uint32
		for _, k := range heard {
			if k.PayloadType == 101 && k.Payload[1]&0x80 != 0 && k.Timestamp != last {
				last = k.Timestamp
				digits += string("0123456789*#ABCD"[k.Payload[0]])
			}
		}
		return digits
	}
	d, err := dtmf.NewDetector(8000)
	if err != nil {
		t.Fatal(err)
	}
	pcm := append(b.decode(heard), make([]int16, 800)...)
	for len(pcm) >= 160 {
		for _, one := range d.Detect(pcm[:160], nil) {
			digits += string(one.Char)
		}
		pcm = pcm[160:]
	}
	return digits
}
