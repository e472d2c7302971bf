package media_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/switchlet/switchlet/media"
)

func TestJoin_OtherPacketTimes_KeepTimestampsAndTone(t *testing.T) {
	for _, ptime := range []int{10, 30, 40, 60} {
		t.Run(fmt.Sprint(ptime), func(t *testing.T) {
			bubble(t, func(t *testing.T, e *media.Engine) {
				fa, fb := format(t, e, "PCMU", 0), format(t, e, "PCMU", 0)
				fb.Ptime = ptime
				a, b := newPhone(t, e, "a", fa, noDTMF), newPhone(t, e, "b", fb, noDTMF)
				defer a.close()
				defer b.close()
				if err := media.Join(a.port, b.port); err != nil {
					t.Fatal(err)
				}
				a.say(440)
				b.say(1000)
				time.Sleep(2 * time.Second)
				atA, atB := a.packets(), b.packets()
				if n := len(atB); n < 1900/ptime {
					t.Errorf("%d packets of %d ms in 2 s", n, ptime)
				}
				wantRun(t, atB, uint32(8*ptime))
				wantRun(t, atA, 160)
				wantTone(t, b.decode(atB), 8000, 440)
				wantTone(t, a.decode(atA)[1600:], 8000, 1000)
			})
		})
	}
}

func TestInband_DigitsGoAsSoundAndAreFound(t *testing.T) {
	bubble(t, func(t *testing.T, _ *media.Engine) {
		e := media.NewEngine(media.EngineOptions{
			NewTone:     func(d media.Digit, rate int) media.Source { return &tone{rate: rate, hz: 100 * float64(d.Char-'0')} },
			NewDetector: func(rate int) media.Detector { return &detector{rate: rate} },
		})
		e.Start(t.Context())
		defer e.Close()
		f := format(t, newEngineFor(t), "PCMU", 0)
		a := newPhone(t, e, "a", f, media.DTMF{})
		defer a.close()
		a.port.PlayDigits([]media.Digit{{Char: '9', Source: media.DigitInband}, {Char: '5', Duration: 800}}, media.Write)
		time.Sleep(60 * time.Millisecond)
		a.port.PlayDigits([]media.Digit{{Char: 'w'}, {Char: '8'}}, media.Write) // while the first sounds
		time.Sleep(1200 * time.Millisecond)
		pcm := a.decode(a.packets())
		// 100 ms of the one, 40 of gap, 500 of pause, 250 of the other, 40 of gap.
		if n := len(pcm); n < 8*925 || n > 8*955 {
			t.Errorf("%d ms of sound", n/8)
		}
		if l := level(pcm[80:720], 8000, 500); l < 9000 {
			t.Errorf("first digit at %.0f", l)
		}
		if l := level(pcm[8*650:8*880], 8000, 800); l < 9000 {
			t.Errorf("second digit at %.0f", l)
		}
		a.port.DetectInband(true)
		a.say(500)
		time.Sleep(300 * time.Millisecond)
		a.mu.Lock()
		defer a.mu.Unlock()
		if len(a.digits) != 1 || a.digits[0].Char != '5' || a.digits[0].Source != media.DigitInband {
			t.Errorf("found %+v", a.digits)
		}
	})
}

// newEngineFor returns an Engine that is there for its codec table only.
func newEngineFor(t testing.TB) *media.Engine {
	e := newEngine(t)
	e.Close()
	return e
}

// detector finds one digit: a tone of 500 Hz.
type detector struct {
	rate int
	done bool
}

func (d *detector) Process(pcm []int16, emit func(media.Digit)) {
	if !d.done && level(pcm, d.rate, 500) > 5000 {
		d.done = true
		emit(media.Digit{Char: '5', Source: media.DigitInband})
	}
}

// hold is music that all hear at the same time.
type hold struct {
	tone
	shared *media.Shared
	frame  []int16
}

func (h *hold) Shared(*media.Engine) *media.Shared { return h.shared }
func (h *hold) Tick(p media.Phase, _ time.Time) {
	if p == media.PhaseMix {
		h.tone.Read(h.frame)
		h.shared.Set(h.frame)
	}
}

func TestPlay_SharedSource_IsEncodedOnce(t *testing.T) {
	bubble(t, func(t *testing.T, e *media.Engine) {
		h := &hold{tone: tone{rate: 16000, hz: 440}, shared: e.NewShared(16000), frame: make([]int16, 320)}
		e.Clock().Add(h)
		defer e.Clock().Remove(h)
		var phones []*phone
		for range 5 {
			p := newPhone(t, e, "p", format(t, e, "PCMA", 8), noDTMF)
			defer p.close()
			p.port.Play(h, media.PlayOptions{})
			phones = append(phones, p)
		}
		time.Sleep(time.Second)
		if n := h.shared.Streams(); n != 1 {
			t.Errorf("%d streams", n)
		}
		remove := phones[0].port.Tap(media.Write, 0, func([]int16) {})
		time.Sleep(100 * time.Millisecond)
		remove()
		time.Sleep(500 * time.Millisecond)
		for i, p := range phones {
			ks := p.packets()
			wantRun(t, ks, 160)
			if i > 0 {
				wantTone(t, p.decode(ks)[800:], 8000, 440)
			}
		}
	})
}

func TestPort_ClosedOrNotAttached_IsHarmless(t *testing.T) {
	bubble(t, func(t *testing.T, e *media.Engine) {
		p, q := e.NewPort("p"), e.NewPort("q")
		if err := media.Join(p, q); err != nil {
			t.Fatal(err)
		}
		b := p.Play(&tone{rate: 8000, hz: 440, length: 800}, media.PlayOptions{})
		<-b.Done()
		if b.Err() != nil {
			t.Error(b.Err())
		}
		p.SendDigits([]media.Digit{{Char: '1'}})
		forever := p.Play(&tone{rate: 8000, hz: 440}, media.PlayOptions{})
		r := p.Record(&sink{rate: 8000, channels: 1}, media.RecordOptions{})
		p.Close()
		p.Close()
		<-forever.Done()
		<-r.Done()
		if forever.Err() != media.ErrStopped || r.Cause() != media.CauseClosed {
			t.Errorf("%v, %q", forever.Err(), r.Cause())
		}
		if err := media.Join(p, q); err == nil {
			t.Error("a closed port was joined")
		}
		late := p.Play(&tone{rate: 8000, hz: 440}, media.PlayOptions{})
		<-late.Done()
		if late.Err() != media.ErrClosed {
			t.Error(late.Err())
		}
		q.Close()
		time.Sleep(100 * time.Millisecond)
		if e.Clock().Len() != 0 {
			t.Error("something is left on the clock")
		}
	})
}
