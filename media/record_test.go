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
		if d := time.Since(begin); r.Cause() != media.CauseSilence || d > 1100*time.Millisecond {
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
