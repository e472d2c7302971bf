package media_test

import (
	"testing"
	"time"

	"github.com/switchlet/switchlet/media"
)

// TestRecord_LimitMaskAndPause counts what is in the file: a pause leaves the sound
// out, a mask leaves silence, the limit counts what was recorded.
func TestRecord_LimitMaskAndPause(t *testing.T) {
	bubble(t, func(t *testing.T, e *media.Engine) {
		a := newPhone(t, e, "a", format(t, e, "PCMU", 0), noDTMF)
		defer a.close()
		a.say(440)
		time.Sleep(200 * time.Millisecond)
		s := &sink{rate: 16000, channels: 1}
		r := a.port.Record(s, media.RecordOptions{Limit: 3 * time.Second})
		time.Sleep(time.Second)
		r.Mask(true)
		time.Sleep(time.Second)
		r.Mask(false)
		r.Pause(true)
		time.Sleep(5 * time.Second)
		if r.Over() {
			t.Error("a pause counted towards the limit")
		}
		r.Pause(false)
		<-r.Done()
		if r.Cause() != media.CauseLimit || len(s.pcm) != 48000 || r.Samples() != 48000 || !s.closed {
			t.Fatalf("%q, %d samples, closed %v", r.Cause(), len(s.pcm), s.closed)
		}
		wantTone(t, s.pcm[4000:15000], 16000, 440)
		wantTone(t, s.pcm[34000:], 16000, 440)
		if l := rms(s.pcm[17000:31000]); l > 0 {
			t.Errorf("the masked part sounds at %.0f", l)
		}
	})
}

func TestRecord_InitialSilenceEndsIt_SpeechDoesNot(t *testing.T) {
	bubble(t, func(t *testing.T, e *media.Engine) {
		a := newPhone(t, e, "a", format(t, e, "PCMU", 0), noDTMF)
		defer a.close()
		o := media.RecordOptions{SilenceThreshold: 200, Initial: time.Second}
		begin := time.Now()
		r := a.port.Record(&sink{rate: 8000, channels: 1}, o)
		<-r.Done()
		if d := time.Since(begin); r.Cause() != media.CauseNoInput || d > 1100*time.Millisecond {
			t.Errorf("%q after %v", r.Cause(), d)
		}
		a.say(440)
		time.Sleep(200 * time.Millisecond)
		r = a.port.Record(&sink{rate: 8000, channels: 1}, o)
		time.Sleep(3 * time.Second)
		if r.Over() {
			t.Errorf("%q while somebody speaks", r.Cause())
		}
	})
}

func TestRecord_FinalSilenceEndsIt_AfterSomebodySpoke(t *testing.T) {
	bubble(t, func(t *testing.T, e *media.Engine) {
		a := newPhone(t, e, "a", format(t, e, "PCMU", 0), noDTMF)
		defer a.close()
		r := a.port.Record(&sink{rate: 8000, channels: 1}, media.RecordOptions{SilenceThreshold: 200, Final: time.Second})
		time.Sleep(3 * time.Second)
		if r.Over() || r.Spoke() {
			t.Fatalf("%q before anybody spoke, spoke %v", r.Cause(), r.Spoke())
		}
		for range 50 {
			if err := a.wire.Send(a.packet(440)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(20 * time.Millisecond)
		}
		begin := time.Now()
		select {
		case <-r.Done():
		case <-time.After(10 * time.Second):
		}
		if d := time.Since(begin); r.Cause() != media.CauseSilence || !r.Spoke() || d < 900*time.Millisecond || d > 1300*time.Millisecond {
			t.Errorf("%q after %v of silence", r.Cause(), d)
		}
	})
}

// TestRecord_WaitsAndJoined counts what is left out: what came before Release, and
// what is said while the Port is on its own.
func TestRecord_WaitsAndJoined(t *testing.T) {
	bubble(t, func(t *testing.T, e *media.Engine) {
		a := newPhone(t, e, "a", format(t, e, "PCMU", 0), noDTMF)
		defer a.close()
		b := newPhone(t, e, "b", format(t, e, "PCMU", 0), noDTMF)
		defer b.close()
		late, joined := &sink{rate: 8000, channels: 1}, &sink{rate: 8000, channels: 1}
		waiting := a.port.Record(late, media.RecordOptions{Waits: true})
		bridged := a.port.Record(joined, media.RecordOptions{Joined: true})
		time.Sleep(2 * time.Second)
		waiting.Release()
		time.Sleep(time.Second)
		if err := media.Join(a.port, b.port); err != nil {
			t.Fatal(err)
		}
		time.Sleep(500 * time.Millisecond)
		a.port.Leave()
		time.Sleep(2 * time.Second)
		for _, c := range []struct {
			r    *media.Recording
			want int64
		}{{waiting, 8 * 3500}, {bridged, 8 * 500}} {
			c.r.Stop()
			<-c.r.Done()
			if n := c.r.Samples(); n < c.want-400 || n > c.want+400 {
				t.Errorf("%d samples, want about %d", n, c.want)
			}
		}
	})
}

// TestHandOver_RecordingGoesOnWithAnotherPort hears both far ends in one file, and the
// new Port's end in its end.
func TestHandOver_RecordingGoesOnWithAnotherPort(t *testing.T) {
	bubble(t, func(t *testing.T, e *media.Engine) {
		a := newPhone(t, e, "a", format(t, e, "PCMU", 0), noDTMF)
		defer a.close()
		b := newPhone(t, e, "b", format(t, e, "G722", 9), noDTMF)
		defer b.close()
		a.say(440)
		b.say(1000)
		time.Sleep(200 * time.Millisecond)
		s := &sink{rate: 8000, channels: 1}
		r := a.port.Record(s, media.RecordOptions{})
		time.Sleep(time.Second)
		a.port.HandOver(r, b.port)
		time.Sleep(time.Second)
		a.port.Close()
		time.Sleep(time.Second)
		if r.Over() {
			t.Fatalf("%q when the Port that it left was closed", r.Cause())
		}
		b.port.Close()
		if r.Cause() != media.CauseClosed {
			t.Errorf("%q", r.Cause())
		}
		wantTone(t, s.pcm[2000:7000], 8000, 440)
		wantTone(t, s.pcm[10000:22000], 8000, 1000)
	})
}
