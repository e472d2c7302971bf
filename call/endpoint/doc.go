// Package endpoint has the endpoints that need no network: null (silence),
// loopback (a call into our own dialplan), error (a cause), and user and group,
// which stand for the dial strings of the directory.
package endpoint

import (
	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/media"
)

// localFormat is the codec of legs without a wire: linear PCM at 8 kHz.
func localFormat(sw *call.Switch) media.Format {
	for _, c := range sw.Media.Codecs() {
		if c.Name == "L16" && c.ClockRate == 8000 {
			return media.Format{Codec: c, PayloadType: 96, Ptime: 20}
		}
	}
	return media.Format{}
}

// localDTMF is the payload type of digits between the legs of a loopback pair.
var localDTMF = media.DTMF{PayloadType: 101, ClockRate: 8000}
