package webrtc

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/switchlet/switchlet/media/sdp"
)

// transport is our side of one call's ICE and DTLS, for descriptions.
type transport struct {
	ufrag, pwd  string
	print       fingerprint
	setup       string // active, passive or actpass
	candidates  []localCandidate
	ssrc        uint32
	cname, msid string
	session     int64 // id of the session in o=
	version     int64
}

// localCandidate is one address where browsers reach us.
type localCandidate struct {
	addr     netip.AddrPort
	tcp      bool
	priority uint32
}

// address is what c= and o= show: the first candidate.
func (t *transport) address() netip.AddrPort {
	if len(t.candidates) == 0 {
		return netip.AddrPortFrom(netip.IPv4Unspecified(), 9)
	}
	return t.candidates[0].addr
}

func family(a netip.Addr) string {
	if a.Is4() {
		return "IN IP4 " + a.String()
	}
	return "IN IP6 " + a.String()
}

// head writes what stands before the sections.
func (t *transport) head(b *strings.Builder, bundle []string) {
	ip := t.address().Addr()
	fmt.Fprintf(b, "v=0\r\no=FreeSWITCH %d %d %s\r\ns=FreeSWITCH\r\nc=%s\r\nt=0 0\r\n", t.session, t.version, family(ip), family(ip))
	if len(bundle) > 0 {
		fmt.Fprintf(b, "a=group:BUNDLE %s\r\n", strings.Join(bundle, " "))
	}
	fmt.Fprintf(b, "a=msid-semantic: WMS %s\r\n", t.msid)
}

// ice writes the lines of ICE, DTLS and the stream, in the reference's order
// (spec/verto.md §8).
func (t *transport) ice(b *strings.Builder) {
	a := t.address()
	fmt.Fprintf(b, "a=fingerprint:%s %s\r\na=setup:%s\r\na=rtcp-mux\r\na=rtcp:%d %s\r\n", t.print.hash, t.print.value, t.setup, a.Port(), family(a.Addr()))
	fmt.Fprintf(b, "a=ice-ufrag:%s\r\na=ice-pwd:%s\r\n", t.ufrag, t.pwd)
	for i, c := range t.candidates {
		kind, tail := "udp", ""
		if c.tcp {
			kind, tail = "tcp", " tcptype passive"
		}
		fmt.Fprintf(b, "a=candidate:%d 1 %s %d %s %d typ host%s generation 0\r\n", i+1, kind, c.priority, c.addr.Addr(), c.addr.Port(), tail)
	}
	b.WriteString("a=end-of-candidates\r\n")
	if t.ssrc != 0 {
		fmt.Fprintf(b, "a=ssrc:%d cname:%s\r\na=ssrc:%d msid:%s a0\r\na=ssrc:%d mslabel:%s\r\na=ssrc:%d label:%sa0\r\n",
			t.ssrc, t.cname, t.ssrc, t.msid, t.ssrc, t.msid, t.ssrc, t.msid)
	}
}

func writeMaps(b *strings.Builder, maps []rtpmap) {
	for _, m := range maps {
		channels := ""
		if m.channels > 1 {
			channels = fmt.Sprintf("/%d", m.channels)
		}
		fmt.Fprintf(b, "a=rtpmap:%d %s/%d%s\r\n", m.payload, m.name, m.clock, channels)
		if m.fmtp != "" {
			fmt.Fprintf(b, "a=fmtp:%d %s\r\n", m.payload, m.fmtp)
		}
	}
}

// answerText answers offer: every section in its place, the audio one accepted
// as agreed, all others refused with port 0 and the same mid.
func (t *transport) answerText(offer *description, audio int, a *agreement, direction string) string {
	var b strings.Builder
	var bundle []string
	mid := offer.sections[audio].mid
	for _, m := range offer.bundle {
		if m == mid && mid != "" {
			bundle = []string{mid}
		}
	}
	t.head(&b, bundle)
	for i := range offer.sections {
		s := &offer.sections[i]
		if i != audio {
			refuse(&b, s)
			continue
		}
		maps := []rtpmap{{payload: a.codec.payload, name: a.codec.name, clock: a.codec.clock, channels: a.codec.channels, fmtp: a.answerFmtp()}}
		formats := fmt.Sprint(a.codec.payload)
		if a.events.clock != 0 {
			e := a.events
			e.fmtp = ""
			maps = append(maps, e)
			formats += fmt.Sprintf(" %d", e.payload)
		}
		fmt.Fprintf(&b, "m=audio %d %s %s\r\n", t.address().Port(), s.proto, formats)
		if mid != "" {
			fmt.Fprintf(&b, "a=mid:%s\r\n", mid)
		}
		writeMaps(&b, maps)
		fmt.Fprintf(&b, "a=silenceSupp:off - - - -\r\na=ptime:%d\r\na=%s\r\n", a.format.Ptime, direction)
		if s.level.ID != 0 {
			fmt.Fprintf(&b, "a=%s\r\n", s.level)
		}
		t.ice(&b)
	}
	return b.String()
}

// refuse answers a section that is not wanted.
func refuse(b *strings.Builder, s *section) {
	formats := strings.Join(s.formats, " ")
	if s.media == "video" || formats == "" {
		formats = "19"
		if len(s.formats) > 0 {
			formats = s.formats[0]
		}
	}
	fmt.Fprintf(b, "m=%s 0 %s %s\r\n", s.media, s.proto, formats)
	if s.mid != "" {
		fmt.Fprintf(b, "a=mid:%s\r\n", s.mid)
	}
	b.WriteString("a=inactive\r\n")
}

// offerText is our own offer of one audio section.
func (t *transport) offerText(mid string, maps []rtpmap, ptime int, direction string) string {
	var b strings.Builder
	t.head(&b, []string{mid})
	formats := make([]string, 0, len(maps))
	for _, m := range maps {
		formats = append(formats, fmt.Sprint(m.payload))
	}
	fmt.Fprintf(&b, "m=audio %d UDP/TLS/RTP/SAVPF %s\r\na=mid:%s\r\n", t.address().Port(), strings.Join(formats, " "), mid)
	writeMaps(&b, maps)
	fmt.Fprintf(&b, "a=silenceSupp:off - - - -\r\na=ptime:%d\r\na=%s\r\na=%s\r\n", ptime, direction, sdp.OfferedLevel())
	t.ice(&b)
	return b.String()
}

// remoteText is what pion gets to see of a browser's description: the one audio
// section with what was agreed on, and the candidates that were let through.
func remoteText(s *section, maps []rtpmap, cands []candidate, mid, setup string) string {
	print, _ := s.secure()
	var b strings.Builder
	b.WriteString("v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n")
	fmt.Fprintf(&b, "a=group:BUNDLE %s\r\nm=audio 9 UDP/TLS/RTP/SAVPF", mid)
	for _, m := range maps {
		fmt.Fprintf(&b, " %d", m.payload)
	}
	fmt.Fprintf(&b, "\r\nc=IN IP4 0.0.0.0\r\na=mid:%s\r\na=ice-ufrag:%s\r\na=ice-pwd:%s\r\na=fingerprint:%s %s\r\na=setup:%s\r\na=rtcp-mux\r\na=sendrecv\r\n",
		mid, s.ufrag, s.pwd, print.hash, print.value, setup)
	writeMaps(&b, maps)
	for _, c := range cands {
		tail := ""
		if c.tcptype != "" {
			tail = " tcptype " + c.tcptype
		}
		fmt.Fprintf(&b, "a=candidate:%s 1 %s %d %s %d typ %s", c.foundation, c.transport, c.priority, c.addr.Addr(), c.addr.Port(), c.kind)
		if c.kind != "host" {
			b.WriteString(" raddr 0.0.0.0 rport 9")
		}
		b.WriteString(tail + "\r\n")
	}
	b.WriteString("a=end-of-candidates\r\n")
	for _, id := range s.ssrcs {
		fmt.Fprintf(&b, "a=ssrc:%d cname:remote\r\n", id)
	}
	return b.String()
}
