package appliance

import (
	"testing"
	"testing/fstest"

	"github.com/switchlet/switchlet/conf"
	"github.com/switchlet/switchlet/media/codec/opus"
)

func TestOpusOptions_AreThoseOfOpusConf(t *testing.T) {
	for params, want := range map[string]opus.Options{
		"": {},
		`<param name="use-vbr" value="1"/><param name="complexity" value="10"/><param name="packet-loss-percent" value="20"/>
		 <param name="keep-fec-enabled" value="1"/><param name="maxaveragebitrate" value="0"/>`: {MaxComplexity: 11, PacketLoss: 20, KeepFEC: true},
		`<param name="use-vbr" value="0"/><param name="use-dtx" value="true"/><param name="advertise-useinbandfec" value="0"/>
		 <param name="maxaveragebitrate" value="24000"/><param name="maxplaybackrate" value="16000"/><param name="sprop-maxcapturerate" value="8000"/>`: {
			CBR: true, DTX: true, NoFEC: true, Bitrate: 24000, MaxPlaybackRate: 16000, MaxCaptureRate: 8000},
		`<param name="complexity" value="11"/><param name="maxaveragebitrate" value="5999"/><param name="maxplaybackrate" value="44100"/>`: {},
	} {
		tree, err := conf.Load(t.Context(), conf.Options{Base: fstest.MapFS{"freeswitch.xml": {Data: []byte(
			`<document type="freeswitch/xml"><section name="configuration"><configuration name="opus.conf"><settings>` + params +
				`</settings></configuration></section></document>`)}}})
		if err != nil {
			t.Fatal(err)
		}
		if got := opusOptions(tree); got != want {
			t.Errorf("%s\ngives %+v, want %+v", params, got, want)
		}
	}
}
