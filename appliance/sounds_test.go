package appliance

import (
	"reflect"
	"testing"
	"testing/fstest"
	"time"

	"github.com/switchlet/switchlet/conf"
	"github.com/switchlet/switchlet/media/codec/opus"
	"github.com/switchlet/switchlet/media/stream"
)

// treeWith is a tree of that configuration and nothing else.
func treeWith(t *testing.T, configuration string) *conf.Tree {
	t.Helper()
	tree, err := conf.Load(t.Context(), conf.Options{Base: fstest.MapFS{"freeswitch.xml": {Data: []byte(
		`<document type="freeswitch/xml"><section name="configuration">` + configuration + `</section></document>`)}}})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestLocalStreams_AreThoseOfTheirConf(t *testing.T) {
	got := localStreams(treeWith(t, `<configuration name="local_stream.conf"><directory name="default" path="/music"/>
		<directory name="moh/8000" path="/moh"><param name="shuffle" value="true"/><param name="volume" value="-60"/>
		<param name="auto-volume" value="2000"/><param name="auto-volume-low-point" value="20001"/>
		<param name="chime-list" value="a.wav, b.wav,"/><param name="chime-freq" value="15"/><param name="chime-max" value="5"/></directory>
		</configuration>`))
	want := map[string]stream.LocalStream{
		"default": {Path: "/music", ChimeEvery: 30 * time.Second},
		"moh/8000": {Path: "/moh", Shuffle: true, Volume: -50, AutoVolume: 2000, Chimes: []string{"a.wav", "b.wav"},
			ChimeEvery: 15 * time.Second, ChimeMax: 5 * time.Second},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestOpusOptions_AreThoseOfOpusConf(t *testing.T) {
	for params, want := range map[string]opus.Options{
		"": {},
		`<param name="use-vbr" value="1"/><param name="complexity" value="10"/><param name="packet-loss-percent" value="20"/>
		 <param name="keep-fec-enabled" value="1"/><param name="maxaveragebitrate" value="0"/>`: {MaxComplexity: 11, PacketLoss: 20, KeepFEC: true},
		`<param name="use-vbr" value="0"/><param name="use-dtx" value="true"/><param name="adjust-bitrate" value="true"/><param name="advertise-useinbandfec" value="0"/>
		 <param name="maxaveragebitrate" value="24000"/><param name="maxplaybackrate" value="16000"/><param name="sprop-maxcapturerate" value="8000"/>`: {
			CBR: true, DTX: true, AdjustBitrate: true, NoFEC: true, Bitrate: 24000, MaxPlaybackRate: 16000, MaxCaptureRate: 8000},
		`<param name="complexity" value="11"/><param name="maxaveragebitrate" value="5999"/><param name="maxplaybackrate" value="44100"/>`: {},
	} {
		tree := treeWith(t, `<configuration name="opus.conf"><settings>`+params+`</settings></configuration>`)
		if got := opusOptions(tree); got != want {
			t.Errorf("%s\ngives %+v, want %+v", params, got, want)
		}
	}
}
