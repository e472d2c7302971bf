package sdp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/codec"
	"github.com/switchlet/switchlet/media/codec/opus"
)

// Mode is the order of choice (inbound-codec-negotiation, rtp_codec_negotiation).
type Mode int

// The modes of sip.md §8.3.
const (
	Generous Mode = iota // the offerer's order
	Greedy               // ours
	Scrooge              // ours, even if packet times differ
)

// ParseMode reads "generous", "greedy" or "scrooge"; anything else is Generous.
func ParseMode(s string) Mode {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "greedy":
		return Greedy
	case "scrooge":
		return Scrooge
	}
	return Generous
}

// String is the word that ParseMode reads.
func (m Mode) String() string {
	switch m {
	case Greedy:
		return "greedy"
	case Scrooge:
		return "scrooge"
	}
	return "generous"
}

// Security says what becomes of encrypted and of plain m-lines.
type Security int

// The zero value takes what is offered, encrypted first.
const (
	SecureOptional Security = iota
	SecureForbidden
	SecureMandatory
)

// Policy is how a choice is made. The zero value is generous and takes SRTP where it
// is offered.
type Policy struct {
	Mode   Mode
	Secure Security
}

// Errors that become 488 Not Acceptable Here, cause INCOMPATIBLE_DESTINATION.
var (
	ErrNoAudio  = errors.New("sdp: no audio in the description")
	ErrNoCodec  = errors.New("sdp: no codec in common")
	ErrInsecure = errors.New("sdp: no m-line has the security that is required")
)

// Result is what was agreed.
type Result struct {
	Format  media.Format   // the codec in force
	Matches []media.Format // all that would do, Format first
	// Digits is the payload type of telephone-event, 0 if the peer has none;
	// DigitsReceive is what the peer's packets carry.
	Digits, DigitsReceive uint8
	DigitsClock           int // Hz
	Direction             Direction
	Held                  bool // the peer has put us on hold
	Remote                netip.AddrPort
	// RemoteHost is the peer's address as written; it matters when it is a name and Remote
	// is invalid.
	RemoteHost string
	RemoteRTCP netip.AddrPort
	Mux        bool // RTCP shares the port (RFC 5761)
	Media      int  // index of the m-line
	Proto      string
	Crypto     []Crypto // offered keys if Proto is SAVP or the line has any
	Level      Level    // audio level extension that was offered, for the answer
}

// Negotiate chooses from offer by our preferences.
func Negotiate(offer *Session, prefs []codec.Pref, p Policy) (Result, error) {
	lines := audioLines(offer)
	if len(lines) == 0 {
		return Result{}, ErrNoAudio
	}
	allowed := slices.DeleteFunc(slices.Clone(lines), func(i int) bool { return !acceptable(&offer.Media[i], p.Secure) })
	if len(allowed) == 0 {
		return Result{}, ErrInsecure
	}
	slices.SortStableFunc(allowed, func(a, b int) int {
		return rank(&offer.Media[a]) - rank(&offer.Media[b])
	})
	for _, i := range allowed {
		m := &offer.Media[i]
		matches := choose(m, prefs, p.Mode)
		if len(matches) == 0 {
			continue
		}
		r := Result{Format: matches[0], Matches: matches, Media: i, Proto: m.Proto, Crypto: m.Crypto(), Level: offer.level(m)}
		r.describe(offer, m)
		return r, nil
	}
	return Result{}, fmt.Errorf("%w: offered %s", ErrNoCodec, describeOffer(offer, lines))
}

// audioLines returns the indexes of the m-lines that offer RTP audio.
func audioLines(s *Session) []int {
	var lines []int
	for i := range s.Media {
		m := &s.Media[i]
		if m.Kind == "audio" && m.Port != 0 && strings.Contains(strings.ToUpper(m.Proto), "RTP/") {
			lines = append(lines, i)
		}
	}
	return lines
}

func hasKeys(m *Media) bool {
	_, crypto := m.Attribute("crypto")
	_, dtls := m.Attribute("fingerprint")
	return crypto || dtls
}

func acceptable(m *Media, s Security) bool {
	switch s {
	case SecureForbidden:
		return !m.Secure()
	case SecureMandatory:
		return m.Secure() || hasKeys(m)
	}
	return true
}

// rank puts encrypted lines first.
func rank(m *Media) int {
	if m.Secure() {
		return 0
	}
	return 1
}

func describeOffer(s *Session, lines []int) string {
	var names []string
	for _, i := range lines {
		for _, p := range s.Media[i].payloads() {
			names = append(names, fmt.Sprintf("%d %s/%d", p.number, clip(p.name), p.clock))
		}
	}
	return clip(strings.Join(names, ", "))
}

// match is a payload of the peer's that is an entry of ours.
type match struct {
	pref    int
	offered int
	format  media.Format
	exact   bool // the packet times are equal
}

// choose returns the formats that both sides have, best first.
func choose(m *Media, prefs []codec.Pref, mode Mode) []media.Format {
	var matches []match
	for i, p := range m.payloads() {
		for j, pref := range prefs {
			if !p.is(pref) {
				continue
			}
			offered := m.ptime(p)
			format := pref.Format(p.number)
			format.Fmtp = p.fmtp
			exact := offered == pref.Ptime
			if !exact && mode != Scrooge {
				format.Ptime = UsablePtime(pref, offered)
			}
			matches = append(matches, match{pref: j, offered: i, format: format, exact: exact})
		}
	}
	slices.SortStableFunc(matches, func(a, b match) int {
		if mode != Scrooge && a.exact != b.exact {
			if a.exact {
				return -1
			}
			return 1
		}
		if mode == Generous && a.offered != b.offered {
			return a.offered - b.offered
		}
		if a.pref != b.pref {
			return a.pref - b.pref
		}
		return a.offered - b.offered
	})
	return formats(matches)
}

// formats drops what names the same payload type again.
func formats(matches []match) []media.Format {
	var list []media.Format
	for _, m := range matches {
		if !slices.ContainsFunc(list, func(f media.Format) bool { return f.PayloadType == m.format.PayloadType }) {
			list = append(list, m.format)
		}
	}
	return list
}

// is reports whether the payload is the codec of pref: by number for a static type
// without rtpmap, else by name, clock, channels and class of the number.
func (p payload) is(pref codec.Pref) bool {
	c := pref.Codec
	if p.name == "" {
		return p.number < 96 && c.Payload == p.number
	}
	if !strings.EqualFold(p.name, c.Name) || p.clock != c.ClockRate {
		return false
	}
	if max(1, p.channels) != max(1, c.Channels) {
		return false
	}
	if c.Payload != media.DynamicPayload && c.Payload != p.number && p.number < 96 {
		return false
	}
	if (c.Payload < 96) != (p.number < 96) && !strings.EqualFold(c.Name, "L16") {
		return false
	}
	return sameBitRate(p, pref)
}

// sameBitRate compares bit rates if both are known; iLBC and iSAC adapt theirs.
func sameBitRate(p payload, pref codec.Pref) bool {
	if strings.EqualFold(p.name, "iLBC") || strings.EqualFold(p.name, "iSAC") || pref.BitRate == 0 {
		return true
	}
	stated := fmtpNumber(p.fmtp, "bitrate")
	return stated == 0 || stated == pref.BitRate
}

func fmtpNumber(fmtp, name string) int {
	for item := range strings.SplitSeq(fmtp, ";") {
		if k, v, ok := strings.Cut(item, "="); ok && strings.EqualFold(strings.TrimSpace(k), name) {
			return small(v)
		}
	}
	return 0
}

// ptime is the packet time that the peer wants for p, in ms.
func (m *Media) ptime(p payload) int {
	t := m.number("ptime")
	if t == 0 {
		t = 20
		switch {
		case p.number == 4 || strings.EqualFold(p.name, "G723"):
			t = 30
		case strings.EqualFold(p.name, "iLBC") && fmtpNumber(p.fmtp, "mode") != 20:
			t = 30
		}
	}
	if limit := m.number("maxptime"); limit > 0 {
		t = min(t, limit)
	}
	return t
}

// UsablePtime is wanted, if the codec can do it, else our own.
func UsablePtime(pref codec.Pref, wanted int) int {
	switch strings.ToLower(pref.Codec.Name) {
	case "opus":
		if slices.Contains([]int{10, 20, 40, 60, 80, 100, 120}, wanted) {
			return wanted
		}
		return pref.Ptime
	case "g723", "ilbc":
		if wanted > 0 && wanted%pref.Ptime == 0 && wanted <= 120 {
			return wanted
		}
		return pref.Ptime
	}
	if wanted >= 10 && wanted <= 120 && wanted%10 == 0 {
		return wanted
	}
	return pref.Ptime
}

// describe fills in what is not about the codec.
func (r *Result) describe(s *Session, m *Media) {
	stated := s.Direction(m)
	r.Direction = stated.Reverse()
	r.Held = s.Held(m)
	if r.Held && unspecified(m.Connection) {
		r.Direction = r.Direction.And(RecvOnly)
	}
	r.RemoteHost = m.Connection
	if a, err := netip.ParseAddr(m.Connection); err == nil {
		r.Remote = netip.AddrPortFrom(a, uint16(m.Port))
	}
	_, r.Mux = m.Attribute("rtcp-mux")
	r.RemoteRTCP = m.rtcpAddress(r.Remote, r.Mux)
	r.events(m)
}

// rtcpAddress is where the peer wants RTCP (RFC 3605), the next port by default.
func (m *Media) rtcpAddress(rtp netip.AddrPort, mux bool) netip.AddrPort {
	if !rtp.IsValid() || mux {
		return rtp
	}
	if v, ok := m.Attribute("rtcp"); ok {
		f := strings.Fields(v)
		if len(f) > 0 {
			if port, err := strconv.ParseUint(f[0], 10, 16); err == nil && port != 0 {
				address := rtp.Addr()
				if len(f) > 3 {
					if a, err := netip.ParseAddr(f[3]); err == nil {
						address = a
					}
				}
				return netip.AddrPortFrom(address, uint16(port))
			}
		}
	}
	if rtp.Port() == 65535 {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(rtp.Addr(), rtp.Port()+1)
}

// events finds telephone-event, preferring the clock of the codec.
func (r *Result) events(m *Media) {
	clock := r.Format.Codec.ClockRate
	for _, p := range m.payloads() {
		if !strings.EqualFold(p.name, "telephone-event") {
			continue
		}
		if r.Digits == 0 || (r.DigitsClock != clock && p.clock == clock) {
			r.Digits, r.DigitsClock = p.number, p.clock
			if r.DigitsClock == 0 {
				r.DigitsClock = 8000
			}
		}
	}
	r.DigitsReceive = r.Digits
}

// ReadAnswer finds what the peer chose from what we offered. Formats that it lists
// under other payload types than ours are sent with its numbers and received with
// ours.
func ReadAnswer(offered Offered, answer *Session) (Result, error) {
	lines := audioLines(answer)
	if len(lines) == 0 {
		return Result{}, ErrNoAudio
	}
	m := &answer.Media[lines[0]]
	var matches []media.Format
	for _, p := range m.payloads() {
		for _, f := range offered.Formats {
			if !p.answers(f) {
				continue
			}
			g := f
			g.PayloadType, g.ReceiveType = p.number, f.PayloadType
			g.Fmtp = p.fmtp
			if wanted := m.number("ptime"); wanted > 0 {
				g.Ptime = UsablePtime(codec.Pref{Codec: f.Codec, Ptime: f.Ptime}, wanted)
			}
			matches = append(matches, g)
			break
		}
	}
	if len(matches) == 0 {
		return Result{}, fmt.Errorf("%w: answered %s", ErrNoCodec, describeOffer(answer, lines))
	}
	r := Result{Format: matches[0], Matches: matches, Media: lines[0], Proto: m.Proto, Crypto: m.Crypto()}
	r.describe(answer, m)
	for _, d := range offered.Digits {
		if d.Clock == r.DigitsClock {
			r.DigitsReceive = d.PayloadType
		}
	}
	return r, nil
}

// answers reports whether the payload of an answer is the format that was offered.
func (p payload) answers(f media.Format) bool {
	if p.name == "" {
		return p.number == f.PayloadType
	}
	return strings.EqualFold(p.name, f.Codec.Name) && p.clock == f.Codec.ClockRate &&
		(p.channels == 0 || p.channels == max(1, f.Codec.Channels))
}

// answerFmtp is what we state about a format that the peer offered: for Opus the
// parameters that it named itself, for relayed codecs its own.
func answerFmtp(f media.Format, ours string) string {
	if !strings.EqualFold(f.Codec.Name, "opus") {
		return f.Fmtp
	}
	if f.Fmtp == "" {
		return ""
	}
	peer := opus.ParseParams(f.Fmtp)
	mine := opus.ParseParams(ours)
	var out []string
	add := func(stated bool, name string, value int) {
		if stated && value > 0 {
			out = append(out, name+"="+strconv.Itoa(value))
		}
	}
	if peer.InBandFEC && mine.InBandFEC {
		out = append(out, "useinbandfec=1")
	}
	if mine.DTX {
		out = append(out, "usedtx=1")
	}
	if mine.CBR {
		out = append(out, "cbr=1")
	}
	add(peer.MaxAverageBitrate > 0, "maxaveragebitrate", lesser(mine.MaxAverageBitrate, peer.MaxAverageBitrate))
	add(peer.MaxPlaybackRate > 0, "maxplaybackrate", mine.MaxPlaybackRate)
	add(true, "sprop-maxcapturerate", mine.SpropCaptureRate)
	add(peer.Ptime > 0, "ptime", f.Ptime)
	add(peer.MinPtime > 0, "minptime", lesser(mine.MinPtime, peer.MinPtime))
	add(peer.MaxPtime > 0, "maxptime", lesser(mine.MaxPtime, peer.MaxPtime))
	return strings.Join(out, "; ")
}

func lesser(ours, theirs int) int {
	if ours == 0 {
		return theirs
	}
	return min(ours, theirs)
}

// family is the address type of an o- or c-line.
func family(ip string) string {
	if a := net.ParseIP(ip); a != nil && a.To4() == nil {
		return "IP6"
	}
	return "IP4"
}
