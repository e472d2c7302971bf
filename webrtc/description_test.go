package webrtc

import (
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden answers anew")

// fixed is our side with nothing random in it.
func fixed() *transport {
	return &transport{ufrag: "V3jLSXa09gRp9C8D", pwd: "YWj0yjd8RBhmQbyaTW3Y4rqT", setup: "active",
		print: fingerprint{"sha-256", strings.TrimSuffix(strings.Repeat("AB:", 32), ":")},
		candidates: []localCandidate{{addr: netip.MustParseAddrPort("203.0.113.5:10000"), priority: 2130706431},
			{addr: netip.MustParseAddrPort("10.0.0.5:10000"), priority: 2130706175}, {addr: netip.MustParseAddrPort("203.0.113.5:10000"), priority: 1509949439, tcp: true}},
		ssrc: 4010684024, cname: "9cGeLzGpqYPpmRTj", msid: "FCfJuvvbDAMKSYNJQFT0DLcrSNJL8rdk", session: 1795250592, version: 1795250593}
}

func readOffer(t *testing.T, name string) *description {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".offer.sdp"))
	must(t, err)
	d, err := parseDescription(string(text))
	must(t, err)
	return d
}

// The answers that browsers get, whole, for reading.
func TestAnswer_OfEachBrowser(t *testing.T) {
	for _, name := range []string{"chrome", "safari", "firefox", "nomid"} {
		t.Run(name, func(t *testing.T) {
			d := readOffer(t, name)
			at, ok := d.audio()
			if !ok {
				t.Fatal("no audio")
			}
			s := &d.sections[at]
			if _, ok := s.secure(); !ok {
				t.Fatal("not secure")
			}
			a, err := choose(s, testPrefs(t, "opus,PCMA"))
			must(t, err)
			got := fixed().answerText(d, at, &a, directionOf(s.direction).Reverse().String())
			if strings.Count(got, "\nm=") != len(d.sections) {
				t.Error("not every section is answered")
			}
			golden := filepath.Join("testdata", name+".answer.sdp")
			if *update {
				must(t, os.WriteFile(golden, []byte(strings.ReplaceAll(got, "\r\n", "\n")), 0o644))
			}
			want, err := os.ReadFile(golden)
			must(t, err)
			if strings.ReplaceAll(got, "\r\n", "\n") != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			if _, err := parseDescription(got); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestParse_CandidatesAndEvents(t *testing.T) {
	d := readOffer(t, "chrome")
	s := &d.sections[0]
	if len(s.cands) != 2 || s.dropped != 1 || s.cands[0].addr.String() != "192.168.1.20:51000" {
		t.Errorf("candidates %+v, %d dropped", s.cands, s.dropped)
	}
	for list, want := range map[string][2]string{"opus": {"opus", "48000"}, "PCMU": {"PCMU", "8000"}, "G722,opus": {"G722", "8000"}} {
		a, err := choose(s, testPrefs(t, list))
		must(t, err)
		if a.format.Codec.Name != want[0] || want[1] == "48000" && a.dtmf.PayloadType != 110 || want[1] == "8000" && a.dtmf.PayloadType != 126 {
			t.Errorf("%s: %v, events %d", list, a.format, a.dtmf.PayloadType)
		}
	}
	if _, err := choose(s, testPrefs(t, "GSM,L16")); err == nil {
		t.Error("agreed on nothing")
	}
}

func TestParse_Refuses(t *testing.T) {
	for what, text := range map[string]string{
		"nothing":           "",
		"no section":        "v=0\r\ns=-\r\n",
		"a wrong version":   "v=1\r\nm=audio 9 RTP/SAVPF 0\r\n",
		"a wrong port":      "v=0\r\nm=audio 99999 RTP/SAVPF 0\r\n",
		"a short m line":    "v=0\r\nm=audio 9\r\n",
		"too many sections": "v=0\r\n" + strings.Repeat("m=audio 9 RTP/SAVPF 0\r\n", maxSections+1),
		"too many lines":    "v=0\r\n" + strings.Repeat("a=x\r\n", maxLines),
		"too much":          "v=0\r\n" + strings.Repeat("x", maxDescription),
	} {
		if _, err := parseDescription(text); err == nil {
			t.Errorf("took %s", what)
		}
	}
	weak := readOffer(t, "safari")
	weak.sections[1].prints[0].hash = "sha-1"
	if _, ok := weak.sections[1].secure(); ok {
		t.Error("took a fingerprint of SHA-1")
	}
}

// FuzzDescription holds that no text panics, and that what we make of it for
// pion and the browser can be read again.
func FuzzDescription(f *testing.F) {
	for _, name := range []string{"chrome", "safari", "firefox", "nomid"} {
		text, err := os.ReadFile(filepath.Join("testdata", name+".offer.sdp"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := parseDescription(text)
		if err != nil {
			return
		}
		at, ok := d.audio()
		if !ok {
			return
		}
		s := &d.sections[at]
		a := agreement{codec: rtpmap{payload: 111, name: "opus", clock: 48000, channels: 2}}
		answer := fixed().answerText(d, at, &a, directionOf(s.direction).Reverse().String())
		again, err := parseDescription(answer)
		if err != nil {
			t.Fatalf("our answer: %v\n%s", err, answer)
		}
		if len(again.sections) != len(d.sections) {
			t.Fatalf("%d sections answered with %d", len(d.sections), len(again.sections))
		}
		if _, ok := s.secure(); ok {
			if _, err := parseDescription(remoteText(s, []rtpmap{a.codec}, s.cands, "0", "actpass")); err != nil {
				t.Fatal(err)
			}
		}
	})
}
