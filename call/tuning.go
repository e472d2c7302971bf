package call

import (
	"strings"

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
