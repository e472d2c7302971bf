package codec_test

import (
	"strings"
	"testing"

	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/codec"
)

func TestParseSpec(t *testing.T) {
	for _, c := range []struct {
		in   string
		want codec.Spec
	}{
		{"PCMU", codec.Spec{Name: "PCMU"}},
		{"PCMU@20i", codec.Spec{Name: "PCMU", Ptime: 20}},
		{" OPUS@48000h@20i@1c ", codec.Spec{Name: "OPUS", Rate: 48000, Ptime: 20, Channels: 1}},
		{"mod_opus.opus@8000h@24000b", codec.Spec{Module: "mod_opus", Name: "opus", Rate: 8000, BitRate: 24000}},
		{"iLBC@30i~mode=30", codec.Spec{Name: "iLBC", Ptime: 30, Fmtp: "mode=30"}},
	} {
		got, err := codec.ParseSpec(c.in)
		if err != nil || got != c.want {
			t.Errorf("%q: %+v, %v; want %+v", c.in, got, err, c.want)
		}
	}
	for _, bad := range []string{"", "@20i", "PCMU@i", "PCMU@20x", "PCMU@-1i"} {
		if _, err := codec.ParseSpec(bad); err == nil {
			t.Errorf("%q accepted", bad)
		}
	}
}

func TestParseList_LeavesOutWhatIsUnknownAndKeepsTheOrder(t *testing.T) {
	prefs, skipped := codec.ParseList(codec.Table(), "OPUS,H264,G722,PCMU@30i,VP8,PCMA,L16@16000h")
	var names []string
	for _, p := range prefs {
		names = append(names, p.Codec.Name)
	}
	if got := strings.Join(names, " "); got != "opus G722 PCMU PCMA L16" {
		t.Errorf("got %s", got)
	}
	if got := strings.Join(skipped, " "); got != "H264 VP8" {
		t.Errorf("skipped %s", got)
	}
	if prefs[2].Ptime != 30 || !prefs[2].PtimeSet || prefs[0].PtimeSet || prefs[4].Codec.ClockRate != 16000 {
		t.Errorf("got %+v", prefs)
	}
}

func TestParseList_AnEmptyListIsTheDefault(t *testing.T) {
	prefs, _ := codec.ParseList(codec.Table(), " ")
	if len(prefs) != 3 || prefs[0].Codec.Name != "PCMU" || prefs[1].Codec.Name != "PCMA" {
		t.Errorf("got %+v", prefs)
	}
}

func TestParseList_OpusOfALowerRateOffersIt(t *testing.T) {
	prefs, _ := codec.ParseList(codec.Table(), "opus@16000h@40i@2c")
	want := "useinbandfec=1; maxaveragebitrate=30000; maxplaybackrate=16000; ptime=40; minptime=10; maxptime=40; stereo=1"
	if len(prefs) != 1 || prefs[0].Fmtp != want {
		t.Errorf("got %+v", prefs)
	}
}

func TestFind(t *testing.T) {
	table := codec.Table()
	for _, c := range []struct {
		name           string
		rate, channels int
		found          bool
	}{
		{"OPUS", 48000, 2, true}, {"opus", 48000, 1, false}, {"pcmu", 8000, 0, true}, {"PCMU", 16000, 1, false},
		{"g722", 8000, 1, true}, {"L16", 44100, 2, true}, {"nothing", 8000, 1, false},
	} {
		if got := codec.Find(table, c.name, c.rate, c.channels) != nil; got != c.found {
			t.Errorf("%s/%d/%d: found %v", c.name, c.rate, c.channels, got)
		}
	}
	if c := codec.FindPayload(table, 18); c == nil || c.Name != "G729" || c.NewDecoder != nil {
		t.Errorf("payload 18 is %+v", c)
	}
	if c := codec.FindPayload(table, media.DynamicPayload); c != nil {
		t.Errorf("a dynamic payload was found: %+v", c)
	}
}

func FuzzParseList(f *testing.F) {
	f.Add("OPUS@48000h@20i,PCMU@20i,mod.x@1c~a=b")
	table := codec.Table()
	f.Fuzz(func(t *testing.T, s string) {
		prefs, _ := codec.ParseList(table, s)
		if len(prefs) > 50 {
			t.Errorf("%d entries", len(prefs))
		}
		for _, p := range prefs {
			if p.Codec == nil || p.Ptime <= 0 {
				t.Errorf("%q gave %+v", s, p)
			}
		}
	})
}
