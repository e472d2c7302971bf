package sdp_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/switchlet/switchlet/media/codec"
	"github.com/switchlet/switchlet/media/sdp"
)

var table = codec.Table()

func prefs(list string) []codec.Pref {
	p, _ := codec.ParseList(table, list)
	return p
}

func lines(s ...string) string { return strings.Join(s, "\r\n") + "\r\n" }

// offer makes a description with the given lines behind the head.
func offer(t *testing.T, parts ...string) *sdp.Session {
	t.Helper()
	s, err := sdp.Parse([]byte(lines(append([]string{
		"v=0", "o=alice 1 2 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0"}, parts...)...)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func local() sdp.Local {
	return sdp.Local{IP: "127.0.0.1", Port: 17900, SessionID: 1795255725, Version: 1795255726}
}

func TestOffer_IsTheReferencesText(t *testing.T) {
	got, _ := sdp.Offer(local(), prefs("OPUS,G722,PCMU,PCMA"))
	want := lines(
		"v=0",
		"o=FreeSWITCH 1795255725 1795255726 IN IP4 127.0.0.1",
		"s=FreeSWITCH",
		"c=IN IP4 127.0.0.1",
		"t=0 0",
		"m=audio 17900 RTP/AVP 102 9 0 8 103 101",
		"a=rtpmap:102 opus/48000/2",
		"a=fmtp:102 useinbandfec=1; maxaveragebitrate=30000; maxplaybackrate=48000; ptime=20; minptime=10; maxptime=40",
		"a=rtpmap:9 G722/8000",
		"a=rtpmap:0 PCMU/8000",
		"a=rtpmap:8 PCMA/8000",
		"a=rtpmap:103 telephone-event/48000",
		"a=fmtp:103 0-15",
		"a=rtpmap:101 telephone-event/8000",
		"a=fmtp:101 0-15",
		"a=ptime:20",
	)
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestAnswer_IsTheReferencesText(t *testing.T) {
	o := offer(t, "m=audio 4000 RTP/AVP 8 0 101", "a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-16")
	r, err := sdp.Negotiate(o, prefs("OPUS,G722,PCMU,PCMA"), sdp.Policy{})
	if err != nil {
		t.Fatal(err)
	}
	want := lines(
		"v=0",
		"o=FreeSWITCH 1795255725 1795255726 IN IP4 127.0.0.1",
		"s=FreeSWITCH",
		"c=IN IP4 127.0.0.1",
		"t=0 0",
		"m=audio 17900 RTP/AVP 8 101",
		"a=rtpmap:8 PCMA/8000",
		"a=rtpmap:101 telephone-event/8000",
		"a=fmtp:101 0-15",
		"a=ptime:20",
	)
	if got := string(sdp.Answer(local(), o, r)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestAnswer_ToABrowserRepeatsItsOpusParameters(t *testing.T) {
	o := offer(t, "m=audio 9 UDP/TLS/RTP/SAVPF 111 0 110 126", "a=rtpmap:111 opus/48000/2", "a=fmtp:111 minptime=10;useinbandfec=1",
		"a=rtpmap:110 telephone-event/48000", "a=rtpmap:126 telephone-event/8000", "a=rtcp-mux",
		"m=video 9 UDP/TLS/RTP/SAVPF 96", "a=rtpmap:96 VP8/90000")
	r, err := sdp.Negotiate(o, prefs("opus,PCMU"), sdp.Policy{})
	if err != nil {
		t.Fatal(err)
	}
	if r.Digits != 110 || r.DigitsClock != 48000 || !r.Mux {
		t.Errorf("got %+v", r)
	}
	l := local()
	l.Mux = true
	got := string(sdp.Answer(l, o, r))
	for _, want := range []string{
		"m=audio 17900 UDP/TLS/RTP/SAVPF 111 110\r\n", "a=fmtp:111 useinbandfec=1; minptime=10\r\n",
		"a=rtcp-mux\r\n", "m=video 0 UDP/TLS/RTP/SAVPF 19\r\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}

func TestAnswer_RepeatsTheAudioLevelExtension(t *testing.T) {
	const uri = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
	for offered, want := range map[string]string{
		"extmap:1 " + uri:                             "a=extmap:1 " + uri + "\r\n",
		"extmap:14/sendrecv " + uri:                   "a=extmap:14 " + uri + "\r\n",
		"extmap:200 " + uri:                           "a=extmap:200 " + uri + "\r\n",
		"extmap:3/sendonly " + uri:                    "a=extmap:3/recvonly " + uri + "\r\n",
		"extmap:1 " + uri + " x vad=off":              "a=extmap:1 " + uri + " vad=off\r\n",
		"extmap:1/recvonly " + uri:                    "",
		"extmap:1/inactive " + uri:                    "",
		"extmap:0 " + uri:                             "",
		"extmap:15 " + uri:                            "",
		"extmap:256 " + uri:                           "",
		"extmap:4096 " + uri:                          "",
		"extmap:-1 " + uri:                            "",
		"extmap:one " + uri:                           "",
		"extmap:1":                                    "",
		"extmap:1 urn:ietf:params:rtp-hdrext:toffset": "",
	} {
		o := offer(t, "m=audio 4000 RTP/AVP 0", "a="+offered)
		r, err := sdp.Negotiate(o, prefs("PCMU"), sdp.Policy{})
		if err != nil {
			t.Fatal(err)
		}
		got := string(sdp.Answer(local(), o, r))
		if want != "" != strings.Contains(got, "extmap") || !strings.Contains(got, want) {
			t.Errorf("%s: want %q in\n%s", offered, want, got)
		}
	}
	text, offered := sdp.Offer(local(), prefs("PCMU"))
	if strings.Contains(string(text), "extmap") {
		t.Errorf("offered:\n%s", text)
	}
	r, err := sdp.ReadAnswer(offered, offer(t, "m=audio 4000 RTP/AVP 0", "a=extmap:1 "+uri))
	if err != nil || r.Level.ID != 0 {
		t.Errorf("agreed on %v, which was not offered (%v)", r.Level, err)
	}
}

func TestAnswer_RejectsOtherLinesInTheirPlace(t *testing.T) {
	o := offer(t, "m=video 5000 RTP/AVP 96", "m=audio 4000 RTP/AVP 0", "m=image 5002 udptl t38", "m=audio 4002 RTP/AVP 8")
	r, err := sdp.Negotiate(o, prefs("PCMU,PCMA"), sdp.Policy{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for l := range strings.Lines(string(sdp.Answer(local(), o, r))) {
		if strings.HasPrefix(l, "m=") {
			got = append(got, strings.TrimSpace(l))
		}
	}
	want := "m=video 0 RTP/AVP 19|m=audio 17900 RTP/AVP 0|m=image 0 udptl t38|m=audio 0 RTP/AVP 19"
	if s := strings.Join(got, "|"); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
}

func TestNegotiate_Choice(t *testing.T) {
	for _, c := range []struct {
		name, prefs string
		mode        sdp.Mode
		offer       string // separated by |
		want        string // name/clock pt ptime, or error
	}{
		{"generous takes the offerer's first", "PCMU,PCMA", sdp.Generous, "m=audio 4 RTP/AVP 8 0", "PCMA/8000 pt 8 20 ms"},
		{"greedy takes ours", "PCMU,PCMA", sdp.Greedy, "m=audio 4 RTP/AVP 8 0", "PCMU/8000 pt 0 20 ms"},
		{"names in any case", "opus", sdp.Generous, "m=audio 4 RTP/AVP 96|a=rtpmap:96 OPUS/48000/2", "opus/48000 pt 96 20 ms"},
		{"opus needs two channels", "opus", sdp.Generous, "m=audio 4 RTP/AVP 96|a=rtpmap:96 opus/48000", "none"},
		{"static types without rtpmap", "G722", sdp.Generous, "m=audio 4 RTP/AVP 9", "G722/8000 pt 9 20 ms"},
		{"a static codec under a dynamic number is another", "PCMU", sdp.Generous, "m=audio 4 RTP/AVP 96|a=rtpmap:96 PCMU/8000", "none"},
		{"equal packet time first", "PCMU@20i,PCMA@30i", sdp.Generous, "m=audio 4 RTP/AVP 0 8|a=ptime:30", "PCMA/8000 pt 8 30 ms"},
		{"near match takes the peer's packet time", "PCMU", sdp.Generous, "m=audio 4 RTP/AVP 0|a=ptime:40", "PCMU/8000 pt 0 40 ms"},
		{"scrooge keeps ours", "PCMU@20i", sdp.Scrooge, "m=audio 4 RTP/AVP 0|a=ptime:40", "PCMU/8000 pt 0 20 ms"},
		{"maxptime is a limit", "PCMU@40i", sdp.Generous, "m=audio 4 RTP/AVP 0|a=ptime:40|a=maxptime:20", "PCMU/8000 pt 0 20 ms"},
		{"opus has no 30 ms", "opus", sdp.Generous, "m=audio 4 RTP/AVP 96|a=rtpmap:96 opus/48000/2|a=ptime:30", "opus/48000 pt 96 20 ms"},
		{"G723 has 30 ms", "G723", sdp.Generous, "m=audio 4 RTP/AVP 4", "G723/8000 pt 4 30 ms"},
		{"clock rates differ", "L16@16000h", sdp.Generous, "m=audio 4 RTP/AVP 96 97|a=rtpmap:96 L16/8000|a=rtpmap:97 L16/16000", "L16/16000 pt 97 20 ms"},
		{"nothing in common", "PCMU", sdp.Generous, "m=audio 4 RTP/AVP 8", "none"},
		{"rejected audio is none", "PCMU", sdp.Generous, "m=audio 0 RTP/AVP 0", "none"},
		{"the second audio line may do", "PCMA", sdp.Generous, "m=audio 4 RTP/AVP 0|m=audio 6 RTP/AVP 8", "PCMA/8000 pt 8 20 ms"},
		{"encrypted audio is preferred", "PCMU,PCMA", sdp.Generous, "m=audio 4 RTP/AVP 0|m=audio 6 RTP/SAVP 8", "PCMA/8000 pt 8 20 ms"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := sdp.Negotiate(offer(t, strings.Split(c.offer, "|")...), prefs(c.prefs), sdp.Policy{Mode: c.mode})
			if got := r.Format.String(); got != c.want {
				t.Errorf("got %s (%v), want %s", got, err, c.want)
			}
			if (err != nil) != (c.want == "none") {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestNegotiate_Security(t *testing.T) {
	both := []string{"m=audio 4 RTP/AVP 0", "m=audio 6 RTP/SAVP 8", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkw|2^31"}
	r, err := sdp.Negotiate(offer(t, both...), prefs("PCMU,PCMA"), sdp.Policy{Secure: sdp.SecureForbidden})
	if err != nil || r.Format.Codec.Name != "PCMU" {
		t.Errorf("forbidden: %v, %v", r.Format, err)
	}
	r, err = sdp.Negotiate(offer(t, both...), prefs("PCMU,PCMA"), sdp.Policy{Secure: sdp.SecureMandatory})
	if err != nil || r.Format.Codec.Name != "PCMA" || len(r.Crypto) != 1 || r.Crypto[0].Lifetime != "2^31" || len(r.Crypto[0].Key) != 30 {
		t.Errorf("mandatory: %+v, %v", r, err)
	}
	if _, err = sdp.Negotiate(offer(t, both[0]), prefs("PCMU"), sdp.Policy{Secure: sdp.SecureMandatory}); !errors.Is(err, sdp.ErrInsecure) {
		t.Errorf("mandatory without keys: %v", err)
	}
	if _, err = sdp.Negotiate(offer(t, "m=video 4 RTP/AVP 96"), prefs("PCMU"), sdp.Policy{}); !errors.Is(err, sdp.ErrNoAudio) {
		t.Errorf("no audio: %v", err)
	}
}

func TestNegotiate_DirectionAndHold(t *testing.T) {
	for _, c := range []struct {
		line string
		want sdp.Direction
		held bool
	}{
		{"a=sendrecv", sdp.SendRecv, false},
		{"a=sendonly", sdp.RecvOnly, true},
		{"a=recvonly", sdp.SendOnly, false},
		{"a=inactive", sdp.Inactive, true},
		{"c=IN IP4 0.0.0.0", sdp.RecvOnly, true},
		{"a=tool:x", sdp.SendRecv, false},
	} {
		o := offer(t, "m=audio 4000 RTP/AVP 0", c.line)
		r, err := sdp.Negotiate(o, prefs("PCMU"), sdp.Policy{})
		if err != nil || r.Direction != c.want || r.Held != c.held {
			t.Errorf("%s: %v held %v, %v; want %v held %v", c.line, r.Direction, r.Held, err, c.want, c.held)
		}
		answered := strings.Contains(string(sdp.Answer(local(), o, r)), "a=ptime:20\r\na="+c.want.String()+"\r\n")
		if answered != (c.want != sdp.SendRecv) {
			t.Errorf("%s: the answer's direction is stated: %v", c.line, answered)
		}
	}
	s, err := sdp.Parse([]byte("v=0\no=- 1 1 IN IP4 1.2.3.4\na=inactive\nm=audio 4 RTP/AVP 0\n"))
	if err != nil || s.Direction(&s.Media[0]) != sdp.Inactive {
		t.Errorf("the session's direction is not taken: %v", err)
	}
}

func TestNegotiate_Addresses(t *testing.T) {
	for _, c := range []struct {
		lines     string
		rtp, rtcp string
		host      string
	}{
		{"m=audio 4000 RTP/AVP 0", "192.0.2.1:4000", "192.0.2.1:4001", "192.0.2.1"},
		{"m=audio 4000 RTP/AVP 0|c=IN IP4 198.51.100.7/127", "198.51.100.7:4000", "198.51.100.7:4001", "198.51.100.7"},
		{"m=audio 4000 RTP/AVP 0|a=rtcp:5000 IN IP4 203.0.113.9", "192.0.2.1:4000", "203.0.113.9:5000", "192.0.2.1"},
		{"m=audio 4000 RTP/AVP 0|a=rtcp-mux", "192.0.2.1:4000", "192.0.2.1:4000", "192.0.2.1"},
		{"m=audio 4000 RTP/AVP 0|c=IN IP6 2001:db8::1", "[2001:db8::1]:4000", "[2001:db8::1]:4001", "2001:db8::1"},
		{"m=audio 4000 RTP/AVP 0|c=IN IP4 media.example", "invalid AddrPort", "invalid AddrPort", "media.example"},
		{"m=audio 4000/2 RTP/AVP 0", "192.0.2.1:4000", "192.0.2.1:4001", "192.0.2.1"},
	} {
		r, err := sdp.Negotiate(offer(t, strings.Split(c.lines, "|")...), prefs("PCMU"), sdp.Policy{})
		if err != nil || r.Remote.String() != c.rtp || r.RemoteRTCP.String() != c.rtcp || r.RemoteHost != c.host {
			t.Errorf("%s: %v, %v, %s, %v", c.lines, r.Remote, r.RemoteRTCP, r.RemoteHost, err)
		}
	}
}

func TestNegotiate_DigitsOfTheCodecsClock(t *testing.T) {
	o := offer(t, "m=audio 4 RTP/AVP 96 0 101 102 13", "a=rtpmap:96 opus/48000/2", "a=rtpmap:101 telephone-event/8000", "a=rtpmap:102 telephone-event/48000")
	r, _ := sdp.Negotiate(o, prefs("opus"), sdp.Policy{})
	if r.Digits != 102 || r.DigitsClock != 48000 {
		t.Errorf("opus: %d at %d", r.Digits, r.DigitsClock)
	}
	r, _ = sdp.Negotiate(o, prefs("PCMU"), sdp.Policy{})
	if r.Digits != 101 || r.DigitsClock != 8000 {
		t.Errorf("PCMU: %d at %d", r.Digits, r.DigitsClock)
	}
	r, _ = sdp.Negotiate(offer(t, "m=audio 4 RTP/AVP 0"), prefs("PCMU"), sdp.Policy{})
	if r.Digits != 0 {
		t.Errorf("without telephone-event: %d", r.Digits)
	}
}

func TestReadAnswer_TakesTheFirstAndItsNumbers(t *testing.T) {
	_, offered := sdp.Offer(local(), prefs("OPUS,PCMU,PCMA"))
	r, err := sdp.ReadAnswer(offered, offer(t, "m=audio 4000 RTP/AVP 120 0 121", "a=rtpmap:120 opus/48000/2", "a=fmtp:120 maxplaybackrate=16000",
		"a=rtpmap:121 telephone-event/48000"))
	if err != nil {
		t.Fatal(err)
	}
	f := r.Format
	if f.Codec.Name != "opus" || f.PayloadType != 120 || f.Receives() != 102 || f.Fmtp != "maxplaybackrate=16000" {
		t.Errorf("got %+v", f)
	}
	if r.Digits != 121 || r.DigitsReceive != 103 || len(r.Matches) != 2 {
		t.Errorf("got %+v", r)
	}
	if r.Remote != netip.MustParseAddrPort("192.0.2.1:4000") {
		t.Errorf("remote %v", r.Remote)
	}
	if _, err := sdp.ReadAnswer(offered, offer(t, "m=audio 4 RTP/AVP 18")); !errors.Is(err, sdp.ErrNoCodec) {
		t.Errorf("G729 answered: %v", err)
	}
	if _, err := sdp.ReadAnswer(offered, offer(t, "m=audio 0 RTP/AVP 0")); !errors.Is(err, sdp.ErrNoAudio) {
		t.Errorf("rejected: %v", err)
	}
}

func TestOffer_OptionsAndOtherPacketTimes(t *testing.T) {
	l := local()
	l.IP, l.Direction, l.Mux, l.RTCPPort, l.NoDigits = "2001:db8::1", sdp.SendOnly, true, 17901, true
	l.Proto = "RTP/SAVP"
	l.Crypto = []sdp.Crypto{{Tag: 1, Suite: "AES_CM_128_HMAC_SHA1_80", Key: []byte("123456789012345678901234567890")}}
	l.MediaAttributes = []string{"setup:actpass\r\nm=evil"}
	got, offered := sdp.Offer(l, prefs("PCMU@20i,PCMA@30i,iLBC@20i"))
	want := lines("v=0", "o=FreeSWITCH 1795255725 1795255726 IN IP6 2001:db8::1", "s=FreeSWITCH", "c=IN IP6 2001:db8::1", "t=0 0",
		"m=audio 17900 RTP/SAVP 0 102", "a=rtpmap:0 PCMU/8000", "a=rtpmap:102 iLBC/8000", "a=fmtp:102 mode=30", "a=ptime:20", "a=sendonly",
		"a=setup:actpassm=evil", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkw",
		"a=rtcp-mux", "a=rtcp:17901 IN IP6 2001:db8::1")
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if len(offered.Formats) != 2 || len(offered.Digits) != 0 {
		t.Errorf("offered %+v", offered)
	}
}

func TestOffer_OurOwnAnswerIsUnderstood(t *testing.T) {
	for _, list := range []string{"opus", "G722", "PCMA,PCMU", "L16@16000h", "G729", "AMR", "L16@44100h@2c"} {
		text, offered := sdp.Offer(local(), prefs(list))
		o, err := sdp.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		r, err := sdp.Negotiate(o, prefs(list), sdp.Policy{})
		if err != nil {
			t.Fatalf("%s: %v\n%s", list, err, text)
		}
		a, err := sdp.Parse(sdp.Answer(local(), o, r))
		if err != nil {
			t.Fatal(err)
		}
		back, err := sdp.ReadAnswer(offered, a)
		if err != nil || back.Format.Codec != r.Format.Codec || back.Digits == 0 {
			t.Errorf("%s: %v, %v", list, back.Format, err)
		}
	}
}

func TestParse_Limits(t *testing.T) {
	head := "v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\n"
	for name, text := range map[string]string{
		"size":       head + strings.Repeat("x", sdp.MaxSize),
		"m-lines":    head + strings.Repeat("m=audio 1 RTP/AVP 0\r\n", sdp.MaxMedia+1),
		"attributes": head + strings.Repeat("a=x\r\n", sdp.MaxAttributes+1),
		"formats":    head + "m=audio 1 RTP/AVP" + strings.Repeat(" 0", 200) + "\r\n",
	} {
		if _, err := sdp.Parse([]byte(text)); !errors.Is(err, sdp.ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParse_ErrorsNameTheLine(t *testing.T) {
	for text, want := range map[string]string{
		"v=0\r\nrubbish\r\n":             `sdp: line 2: "rubbish" is not of the form x=value`,
		"v=0\no=- 1 1 IN IP4 1\nm=audio": "sdp: line 3: m=audio: expected media, port, protocol and formats",
		"m=audio x RTP/AVP 0":            `sdp: line 1: m=audio x RTP/AVP 0: "x" is not a port`,
		"":                               "sdp: empty description",
	} {
		if _, err := sdp.Parse([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestParseCrypto_RefusesWhatIsMalformed(t *testing.T) {
	for _, v := range []string{"", "1 S", "x S inline:AAAA", "1 S uri:AAAA", "1 S inline:!!!!", "1 S inline:" + strings.Repeat("A", 500)} {
		if _, err := sdp.ParseCrypto(v); err == nil {
			t.Errorf("%q accepted", v)
		}
	}
	c, err := sdp.ParseCrypto("2 AES_256_CM_HMAC_SHA1_80 inline:AAAA|2^20|1:4 UNENCRYPTED_SRTCP")
	if err != nil || c.MKI != "1:4" || c.Lifetime != "2^20" || c.SessionParams != "UNENCRYPTED_SRTCP" || len(c.Key) != 3 {
		t.Errorf("%+v, %v", c, err)
	}
	if got := fmt.Sprint(c); got != "2 AES_256_CM_HMAC_SHA1_80 inline:AAAA|2^20|1:4 UNENCRYPTED_SRTCP" {
		t.Errorf("got %s", got)
	}
}

func FuzzParse(f *testing.F) {
	seed, offered := sdp.Offer(local(), prefs("OPUS,G722,PCMU,PCMA"))
	f.Add(seed)
	f.Add([]byte("v=0\nm=audio 9 UDP/TLS/RTP/SAVPF 111 0\na=rtpmap:111 opus/48000/2\na=crypto:1 A inline:AAAA\nc=IN IP4 0.0.0.0\n"))
	f.Add([]byte("m=audio 65535 RTP/AVP 0\nc=IN IP6 ::1\na=rtcp:x\na=ptime:-1\n"))
	list := prefs("OPUS,G722,PCMU,PCMA,G729,iLBC,L16")
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := sdp.Parse(b)
		if err != nil {
			return
		}
		_, _ = sdp.ReadAnswer(offered, s)
		for _, mode := range []sdp.Mode{sdp.Generous, sdp.Greedy, sdp.Scrooge} {
			r, err := sdp.Negotiate(s, list, sdp.Policy{Mode: mode})
			if err != nil {
				continue
			}
			if r.Format.Ptime < 10 || r.Format.Ptime > 120 {
				t.Fatalf("packet time %d", r.Format.Ptime)
			}
			back, err := sdp.Parse(sdp.Answer(local(), s, r))
			if err != nil {
				t.Fatalf("our answer: %v", err)
			}
			if len(back.Media) != len(s.Media) {
				t.Fatalf("%d m-lines answered with %d", len(s.Media), len(back.Media))
			}
		}
	})
}
