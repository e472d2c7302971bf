package call_test

import (
	"testing"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/media"
)

func TestTuned_VariablesReachTheEncoderOfOpusOnly(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		ch := b.run("a", "set opus_complexity=3", "set opus_use_dtx=true", "set opus_useinbandfec=off", "park")
		b.after(time.Second)
		if got := ch.Tuned(media.Format{Codec: &media.Codec{Name: "opus"}}).Settings; got != "complexity=3;useinbandfec=0;usedtx=1" {
			t.Errorf("settings %q", got)
		}
		if got := ch.Tuned(media.Format{Codec: &media.Codec{Name: "PCMU"}}).Settings; got != "" {
			t.Errorf("PCMU has settings %q", got)
		}
		ch.Hangup(call.CauseNormalClearing)
		b.after(time.Second)
	})
}
