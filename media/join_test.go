package media_test

import (
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/switchlet/switchlet/media"
)

var errEOF = io.EOF

var noDTMF media.DTMF

func TestJoin_SameCodec_RelaysPacketsUntouched(t *testing.T) {
	bubble(t, func(t *testing.T, e *media.Engine) {
		f := format(t, e, "PCMU", 0)
		a, b := newPhone(t, e, "a", f, noDTMF), newPhone(t, e, "b", f, noDTMF)
		defer a.close()
		defer b.close()
		if err := media.Join(a.port, b.port); err != nil {
			t.Fatal(err)
		}
		a.say(440)
		b.say(1000)
		time.Sleep(time.Second)
		if !a.port.Relaying() || e.Clock().Len() != 0 {
			t.Errorf("not in the relay gear: %s", a.port.Chain())
		}
		heard := b.packets()
		wantRun(t, heard, 160)
		wantTone(t, b.decode(heard), 8000, 440)
		wantTone(t, a.decode(a.packets()), 8000, 1000)
	})
}

func TestJoin_OtherCodec_TranscodesBothWays(t *testing.T) {
	for _, other := range []struct {
		name string
		pt   uint8
	}{{"PCMA", 8}, {"G722", 9}, {"opus", 111}, {"L16", 10}} {
		t.Run(other.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, e *media.Engine) {
				fa, fb := format(t, e, "PCMU", 0), format(t, e, other.name, other.pt)
				a, b := newPhone(t, e, "a", fa, noDTMF), newPhone(t, e, "b", fb, noDTMF)
				defer a.close()
				defer b.close()
				if err := media.Join(a.port, b.port); err != nil {
					t.Fatal(err)
				}
				a.say(440)
				b.say(1000)
				time.Sleep(2 * time.Second)
				if a.port.Relaying() {
					t.Error("relays between different codecs")
				}
				atB, atA := b.packets(), a.packets()
				if len(atB) < 95 || len(atA) < 95 {
					t.Fatalf("%d and %d packets in 2 s", len(atA), len(atB))
				}
				wantRun(t, atB[10:], uint32(fb.Samples()))
				wantRun(t, atA[10:], 160)
				r := fb.Codec.Rate
				wantTone(t, b.decode(atB)[r/2:], r, 440)
				wantTone(t, a.decode(atA)[4000:], 8000, 1000)
			})
		})
	}
}

func TestGear_ChangesWithoutAClick(t *testing.T) {
	bubble(t, func(t *testing.T, e *media.Engine) {
		f := format(t, e, "PCMU", 0)
		a, b := newPhone(t, e, "a", f, noDTMF), newPhone(t, e, "b", f, noDTMF)
		defer a.close()
		defer b.close()
		if err := media.Join(a.port, b.port); err != nil {
			t.Fatal(err)
		}
		a.say(440)
		for range 4 {
			time.Sleep(300 * time.Millisecond)
			remove := b.port.Tap(media.Write, 0, func([]int16) {})
			if a.port.Relaying() {
				t.Error("relays though somebody listens")
			}
			time.Sleep(300 * time.Millisecond)
			remove()
			time.Sleep(50 * time.Millisecond)
			if !a.port.Relaying() {
				t.Error("does not relay though nobody listens any more")
			}
		}
		heard := b.packets()
		wantRun(t, heard, 160)
		pcm := b.decode(heard)
		wantTone(t, pcm, 8000, 440)
		// A click is a sample that a 440 Hz tone cannot have after its neighbours.
		for i := 2; i < len(pcm); i++ {
			if d := int(pcm[i]) - 2*int(pcm[i-1]) + int(pcm[i-2]); d > 2600 || d < -2600 {
				t.Fatalf("click at sample %d: %v", i, pcm[i-2:i+1])
			}
		}
	})
}

func TestPlay_TakesOverAndGivesBack_WithoutAJump(t *testing.T) {
	bubble(t, func(t *testing.T, e *media.Engine) {
		f := format(t, e, "PCMU", 0)
		a, b := newPhone(t, e, "a", f, noDTMF), newPhone(t, e, "b", f, noDTMF)
		defer a.close()
		defer b.close()
		if err := media.Join(a.port, b.port); err != nil {
			t.Fatal(err)
		}
		a.say(440)
		time.Sleep(500 * time.Millisecond)
		p := b.port.Play(&tone{rate: 8000, hz: 1000, length: 4000}, media.PlayOptions{})
		<-p.Done()
		if p.Err() != nil || p.Samples() != 4000 {
			t.Errorf("played %d samples: %v", p.Samples(), p.Err())
		}
		time.Sleep(500 * time.Millisecond)
		heard := b.packets()
		wantRun(t, heard, 160)
		pcm := b.decode(heard)
		if l := level(pcm[4000+800:8000-800], 8000, 1000); l < 9000 {
			t.Errorf("prompt has level %.0f", l)
		}
		wantTone(t, pcm[len(pcm)-3200:], 8000, 440)
		if !a.port.Relaying() {
			t.Error("does not go back to relay")
		}
	})
}

func TestPlay_Nested_OlderGoesOnWhereItWas(t *testing.T) {
	bubble(t, func(t *testing.T, e *media.Engine) {
		f := format(t, e, "PCMU", 0)
		a := newPhone(t, e, "a", f, noDTMF)
		defer a.close()
		older := a.port.Play(&tone{rate: 8000, hz: 440, length: 8000}, media.PlayOptions{})
		time.Sleep(390 * time.Millisecond)
		newer := a.port.Play(&tone{rate: 16000, hz: 1000, length: 8000}, media.PlayOptions{})
		<-newer.Done()
		<-older.Done()
		synctest.Wait()
		heard := a.packets()
		wantRun(t, heard, 160)
		pcm := a.decode(heard)
		if n := len(pcm); n < 12000-320 || n > 12000+320 {
			t.Errorf("%d samples for 1.5 s", n)
		}
		if l := level(pcm[4000:6400], 8000, 1000); l < 8500 {
			t.Errorf("newer playback has level %.0f", l)
		}
		wantTone(t, pcm[8000:11200], 8000, 440)
		time.Sleep(100 * time.Millisecond)
		if n := e.Clock().Len(); n != 0 {
			t.Errorf("%d ports on the clock after all has ended", n)
		}
	})
}

func TestPlay_Controls(t *testing.T) {
	bubble(t, func(t *testing.T, e *media.Engine) {
		a := newPhone(t, e, "a", format(t, e, "PCMU", 0), noDTMF)
		defer a.close()
		begin := time.Now()
		p := a.port.Play(&tone{rate: 8000, hz: 440, length: 16000}, media.PlayOptions{})
		p.SetSpeed(2)
		<-p.Done()
		if d := time.Since(begin); d < 980*time.Millisecond || d > 1040*time.Millisecond {
			t.Errorf("2 s at speed 2 took %v", d)
		}
		p = a.port.Play(&tone{rate: 8000, hz: 440, length: 16000}, media.PlayOptions{})
		time.Sleep(100 * time.Millisecond)
		p.Pause(true)
		at := p.Position()
		time.Sleep(time.Second)
		if p.Position() != at {
			t.Error("goes on while paused")
		}
		p.Pause(false)
		if err := p.SeekTo(1000); err != nil {
			t.Fatal(err)
		}
		begin = time.Now()
		<-p.Done()
		if d := time.Since(begin); d < 980*time.Millisecond || d > 1040*time.Millisecond {
			t.Errorf("the second half took %v", d)
		}
		p = a.port.Play(&tone{rate: 8000, hz: 440}, media.PlayOptions{})
		p.Stop()
		<-p.Done()
		if p.Err() != media.ErrStopped {
			t.Errorf("stopped playback says %v", p.Err())
		}
	})
}

func TestRecord_StereoHasEachSideOnItsOwn(t *testing.T) {
	bubble(t, func(t *testing.T, e *media.Engine) {
		f := format(t, e, "PCMU", 0)
		a, b := newPhone(t, e, "a", f, noDTMF), newPhone(t, e, "b", f, noDTMF)
		defer a.close()
		defer b.close()
		if err := media.Join(a.port, b.port); err != nil {
			t.Fatal(err)
		}
		a.say(440)
		b.say(1000)
		s := &sink{rate: 16000, channels: 2}
		r := a.port.Record(s, media.RecordOptions{Stereo: true, Limit: time.Second})
		<-r.Done()
		if r.Cause() != media.CauseLimit || r.Samples() != 16000 || !s.closed {
			t.Fatalf("%q after %d samples, closed %v", r.Cause(), r.Samples(), s.closed)
		}
		var left, right []int16
		for i := 3200; i < len(s.pcm); i += 2 {
			left, right = append(left, s.pcm[i]), append(right, s.pcm[i+1])
		}
		wantTone(t, left, 16000, 440)
		wantTone(t, right, 16000, 1000)
	})
}

func TestRecord_SlowDisk_LosesFramesNotTheCall(t *testing.T) {
	bubble(t, func(t *testing.T, e *media.Engine) {
		a := newPhone(t, e, "a", format(t, e, "PCMU", 0), noDTMF)
		defer a.close()
		a.say(440)
		s := &sink{rate: 8000, channels: 1, block: make(chan struct{})}
		r := a.port.Record(s, media.RecordOptions{})
		time.Sleep(10 * time.Second)
		if r.Lost() == 0 {
			t.Error("lost nothing though nothing was written")
		}
		close(s.block)
		r.Stop()
		<-r.Done()
		if n := r.Samples(); n < 5*8000 || n > 6*8000 {
			t.Errorf("%d samples were written", n)
		}
	})
}

func TestRecord_EndsWithSilence(t *testing.T) {
	bubble(t, func(t *testing.T, e *media.Engine) {
		a := newPhone(t, e, "a", format(t, e, "PCMU", 0), noDTMF)
		defer a.close()
		r := a.port.Record(&sink{rate: 8000, channels: 1}, media.RecordOptions{SilenceThreshold: 200, SilenceHits: 150})
		begin := time.Now()
		<-r.Done()
		if d := time.Since(begin); r.Cause() != media.CauseSilence || d < 2900*time.Millisecond || d > 3100*time.Millisecond {
			t.Errorf("%q after %v", r.Cause(), d)
		}
	})
}

func TestEcho_RelaysToItself(t *testing.T) {
	bubble(t, func(t *testing.T, e *media.Engine) {
		a := newPhone(t, e, "a", format(t, e, "opus", 111), noDTMF)
		defer a.close()
		a.port.Echo(true)
		a.say(440)
		time.Sleep(time.Second)
		if e.Clock().Len() != 0 {
			t.Error("echo is on the clock")
		}
		wantTone(t, a.decode(a.packets())[4800:], 48000, 440)
		a.port.DelayEcho(200)
		time.Sleep(100 * time.Millisecond)
		a.packets()
		time.Sleep(90 * time.Millisecond)
		if l := level(a.decode(a.packets()), 48000, 440); l > 2000 {
			t.Errorf("level %.0f before the delay is over", l)
		}
		time.Sleep(300 * time.Millisecond)
		a.packets()
		time.Sleep(500 * time.Millisecond)
		wantTone(t, a.decode(a.packets())[4800:], 48000, 440)
	})
}

// calmWire is a Wire that lets the clock fetch its packets.
type calmWire struct {
	media.Wire
	calm    atomic.Bool
	receive atomic.Value // func(*media.Packet)
	waiting chan *media.Packet
}

func (w *calmWire) Calm(calm, _ bool)             { w.calm.Store(calm) }
func (w *calmWire) Receive(f func(*media.Packet)) { w.receive.Store(f) }

func (w *calmWire) fetch(time.Time) {
	for {
		select {
		case k := <-w.waiting:
			if f := w.receive.Load().(func(*media.Packet)); f != nil { // nil: the port is closed
				f(k)
			}
		default:
			return
		}
	}
}

func TestGear_PacketsWaitOnlyWhereTheClockFetchesThem(t *testing.T) {
	bubble(t, func(t *testing.T, e *media.Engine) {
		f := format(t, e, "PCMU", 0)
		b := newPhone(t, e, "b", format(t, e, "PCMA", 8), noDTMF)
		defer b.close()
		w := &calmWire{Wire: media.Null(), waiting: make(chan *media.Packet, 1)}
		e.Clock().Before(w.fetch)
		p, same := e.NewPort("p"), e.NewPort("same")
		p.Attach(w, f, noDTMF)
		same.Attach(media.Null(), f, noDTMF)
		defer p.Close()
		defer same.Close()
		if err := media.Join(p, same); err != nil {
			t.Fatal(err)
		}
		if w.calm.Load() {
			t.Error("a relayed packet may wait for a clock that does not run")
		}
		if err := media.Join(p, b.port); err != nil {
			t.Fatal(err)
		}
		if !w.calm.Load() {
			t.Error("packets that the clock takes may not wait for it")
		}
		// What is there when a tick begins is heard in this tick.
		for range 50 {
			k := b.packet(1000)
			k.PayloadType = 0
			w.waiting <- k
			time.Sleep(20 * time.Millisecond)
		}
		if heard := b.packets(); len(heard) < 49 {
			t.Errorf("%d packets, want 50", len(heard))
		}
		if err := media.Join(p, same); err != nil {
			t.Fatal(err)
		}
		if w.calm.Load() {
			t.Error("packets still wait after the gear was lowered")
		}
	})
}

func TestJitter_LateLostAndReorderedPackets_LeaveNoGap(t *testing.T) {
	bubble(t, func(t *testing.T, e *media.Engine) {
		a, b := newPhone(t, e, "a", format(t, e, "PCMU", 0), noDTMF), newPhone(t, e, "b", format(t, e, "PCMA", 8), noDTMF)
		defer a.close()
		defer b.close()
		if err := media.Join(a.port, b.port); err != nil {
			t.Fatal(err)
		}
		var held *media.Packet
		for i := range 300 {
			k := a.packet(440)
			switch {
			case i%50 == 49: // lost
			case i%20 == 7: // overtaken by the next
				held = k
			default:
				a.wire.Send(k)
				if held != nil {
					a.wire.Send(held)
					held = nil
				}
			}
			time.Sleep(20*time.Millisecond + time.Duration(i%7-3)*4*time.Millisecond)
		}
		heard := b.packets()
		wantRun(t, heard, 160)
		pcm := b.decode(heard)
		quiet := 0
		for at := 8000; at+160 <= len(pcm); at += 160 {
			if level(pcm[at:at+160], 8000, 440) < 5000 {
				quiet++
			}
		}
		if quiet > 2 {
			t.Errorf("%d gaps in 5 s", quiet)
		}
		if s := a.port.Stats(); s.InSkipped != 5 || s.MOS < 4 {
			t.Errorf("lost %d, MOS %.2f", s.InSkipped, s.MOS)
		}
	})
}

func TestHoldAndMute(t *testing.T) {
	bubble(t, func(t *testing.T, e *media.Engine) {
		f := format(t, e, "PCMU", 0)
		a, b := newPhone(t, e, "a", f, noDTMF), newPhone(t, e, "b", f, noDTMF)
		defer a.close()
		defer b.close()
		if err := media.Join(a.port, b.port); err != nil {
			t.Fatal(err)
		}
		a.say(440)
		time.Sleep(200 * time.Millisecond)
		a.port.Hold(true)
		b.packets()
		time.Sleep(200 * time.Millisecond)
		if n := len(b.packets()); n != 0 {
			t.Errorf("%d packets while on hold", n)
		}
		a.port.Hold(false)
		a.port.Mute(media.Read, true)
		time.Sleep(200 * time.Millisecond)
		b.packets()
		time.Sleep(200 * time.Millisecond)
		if l := level(b.decode(b.packets()), 8000, 440); l > 50 {
			t.Errorf("level %.0f while muted", l)
		}
		if c := a.port.Chain(); !strings.Contains(c, "problem: muted: read") {
			t.Errorf("chain says nothing of mute:\n%s", c)
		}
		a.port.Mute(media.Read, false)
		time.Sleep(200 * time.Millisecond)
		b.packets()
		time.Sleep(200 * time.Millisecond)
		wantTone(t, b.decode(b.packets()), 8000, 440)
	})
}

func TestOnTimeout_FiresOnceAfterSilence(t *testing.T) {
	bubble(t, func(t *testing.T, e *media.Engine) {
		a := newPhone(t, e, "a", format(t, e, "PCMU", 0), noDTMF)
		defer a.close()
		fired := make(chan time.Time, 2)
		begin := time.Now()
		a.port.OnTimeout(2*time.Second, func() { fired <- time.Now() })
		time.Sleep(1500 * time.Millisecond)
		a.wire.Send(a.packet(0))
		if d := (<-fired).Sub(begin); d < 3500*time.Millisecond || d > 3600*time.Millisecond {
			t.Errorf("fired after %v", d)
		}
		time.Sleep(5 * time.Second)
		if len(fired) != 0 {
			t.Error("fired twice")
		}
	})
}

func TestChain_SaysWhatIsWrong(t *testing.T) {
	bubble(t, func(t *testing.T, e *media.Engine) {
		f := format(t, e, "PCMU", 0)
		a := newPhone(t, e, "a", f, noDTMF)
		defer a.close()
		if c := a.port.Chain(); !strings.Contains(c, "nothing received yet from pipe:b") {
			t.Error(c)
		}
		k := a.packet(0)
		k.PayloadType = 96
		a.wire.Send(k)
		time.Sleep(time.Millisecond)
		if c := a.port.Chain(); !strings.Contains(c, "wrong payload type 96 in 1 packets: 0 was negotiated") {
			t.Error(c)
		}
	})
}
