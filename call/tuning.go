package call

import (
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/media"
)

// opusTuning are the variables that tune a leg's Opus encoder beyond opus.conf, and
// what the encoder calls them.
var opusTuning = [...]struct{ variable, setting string }{
	{"opus_complexity", "complexity"},
	{"opus_maxaveragebitrate", "maxaveragebitrate"},
	{"opus_sprop_maxcapturerate", "sprop-maxcapturerate"},
	{"opus_packet_loss_percent", "packet-loss-percent"},
	{"opus_keep_fec_enabled", "keep-fec-enabled"},
	{"opus_useinbandfec", "useinbandfec"},
	{"opus_use_dtx", "usedtx"},
	{"opus_cbr", "cbr"},
}

// Tuned returns f with the settings that the channel's variables have for its encoder:
// opus_complexity, opus_maxaveragebitrate and so on.
func (c *Channel) Tuned(f media.Format) media.Format {
	if f.Codec == nil || !strings.EqualFold(f.Codec.Name, "opus") {
		return f
	}
	var list []string
	for _, t := range opusTuning {
		switch v := c.Get(t.variable); strings.ToLower(v) {
		case "":
		case "true", "yes", "on":
			list = append(list, t.setting+"=1")
		case "false", "no", "off":
			list = append(list, t.setting+"=0")
		default:
			list = append(list, t.setting+"="+v)
		}
	}
	f.Settings = strings.Join(list, ";")
	return f
}

// maxDigitGap bounds rtp_digit_delay.
const maxDigitGap = 10 * time.Second

// TunedDigits returns d with what the channel's variables say of digits: pass_rfc2833
// (events that a bridge relays go through unread) and rtp_digit_delay (between the
// digits that are sent, in ms).
func (c *Channel) TunedDigits(d media.DTMF) media.DTMF {
	d.PassThrough = d.PassThrough || c.True("pass_rfc2833")
	if ms, err := strconv.Atoi(c.Get("rtp_digit_delay")); err == nil && ms > 0 {
		d.Gap = min(time.Duration(ms), maxDigitGap/time.Millisecond) * time.Millisecond
	}
	return d
}
