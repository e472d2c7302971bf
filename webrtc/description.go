package webrtc

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/switchlet/switchlet/media/sdp"
)

// Bounds of a browser's session description; a real one has some 6 kB, 3
// sections and 150 lines.
const (
	maxDescription = 64 << 10
	maxSections    = 32
	maxLines       = 2000
	maxCandidates  = 49 // a section, as in the reference
	maxRTPMaps     = 128
	maxToken       = 256 // of ufrag, pwd, mid and the like
)

// fingerprint is one a=fingerprint line.
type fingerprint struct{ hash, value string }

// rtpmap is one payload type of a section.
type rtpmap struct {
	payload  uint8
	name     string
	clock    int
	channels int
	fmtp     string
}

// candidate is one a=candidate line with an address that is an IP.
type candidate struct {
	foundation string
	component  int
	transport  string // "udp" or "tcp"
	priority   uint32
	addr       netip.AddrPort
	kind       string // host, srflx, prflx, relay
	tcptype    string
}

// section is one m= section.
type section struct {
	media     string // "audio", "video", "application"
	port      int
	proto     string
	formats   []string
	mid       string
	direction string // sendrecv, sendonly, recvonly, inactive
	ufrag     string
	pwd       string
	setup     string
	prints    []fingerprint
	maps      []rtpmap
	cands     []candidate
	dropped   int // candidates that are no IP addresses (mDNS)
	ssrcs     []uint32
	cname     string
	rtcpMux   bool
	ptime     int
	level     sdp.Level
}

// description is a parsed session description: what this package needs of it.
type description struct {
	bundle   []string
	sections []section
}

var errDescription = errors.New("webrtc: session description")

// parseDescription reads a browser's SDP. It is lenient about line ends, order
// and attributes it does not know, and strict about size. Attributes of the
// session are given to every section that lacks its own.
func parseDescription(text string) (*description, error) {
	if len(text) > maxDescription {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are read", errDescription, len(text), maxDescription)
	}
	d := &description{}
	var session section
	current := &session
	lines := 0
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if lines++; lines > maxLines {
			return nil, fmt.Errorf("%w: more than %d lines", errDescription, maxLines)
		}
		if len(line) < 2 || line[1] != '=' {
			continue
		}
		value := line[2:]
		switch line[0] {
		case 'v':
			if strings.TrimSpace(value) != "0" {
				return nil, fmt.Errorf("%w: version %.20q, expected 0", errDescription, value)
			}
		case 'm':
			if len(d.sections) == maxSections {
				return nil, fmt.Errorf("%w: more than %d sections", errDescription, maxSections)
			}
			s, err := parseMediaLine(value)
			if err != nil {
				return nil, err
			}
			d.sections = append(d.sections, s)
			current = &d.sections[len(d.sections)-1]
		case 'a':
			if name, rest, _ := strings.Cut(value, ":"); name == "group" {
				if list, ok := strings.CutPrefix(rest, "BUNDLE"); ok {
					d.bundle = strings.Fields(list)
				}
			} else {
				current.attribute(name, rest)
			}
		}
	}
	if len(d.sections) == 0 {
		return nil, fmt.Errorf("%w: no m= line", errDescription)
	}
	for i := range d.sections {
		d.sections[i].inherit(&session)
	}
	return d, nil
}

// parseMediaLine reads "audio 9 UDP/TLS/RTP/SAVPF 111 110".
func parseMediaLine(value string) (section, error) {
	f := strings.Fields(value)
	if len(f) < 3 {
		return section{}, fmt.Errorf("%w: m=%.40q, expected media, port and protocol", errDescription, value)
	}
	port, _, _ := strings.Cut(f[1], "/")
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return section{}, fmt.Errorf("%w: port %.20q of m=%.20s", errDescription, f[1], f[0])
	}
	if len(f)-3 > maxRTPMaps {
		return section{}, fmt.Errorf("%w: more than %d formats", errDescription, maxRTPMaps)
	}
	s := section{media: f[0], port: int(n), proto: f[2], formats: f[3:]}
	for _, format := range s.formats {
		if pt, err := strconv.ParseUint(format, 10, 7); err == nil {
			s.maps = append(s.maps, staticMap(uint8(pt)))
		}
	}
	return s, nil
}

// staticMap is what a payload type means without an rtpmap (RFC 3551).
func staticMap(pt uint8) rtpmap {
	m := rtpmap{payload: pt, channels: 1}
	switch pt {
	case 0:
		m.name, m.clock = "PCMU", 8000
	case 8:
		m.name, m.clock = "PCMA", 8000
	case 9:
		m.name, m.clock = "G722", 8000
	}
	return m
}

// attribute takes one a= line.
func (s *section) attribute(name, value string) {
	short := func() string {
		if len(value) > maxToken {
			return ""
		}
		return strings.TrimSpace(value)
	}
	switch name {
	case "mid":
		s.mid = short()
	case "sendrecv", "sendonly", "recvonly", "inactive":
		s.direction = name
	case "ice-ufrag":
		s.ufrag = short()
	case "ice-pwd":
		s.pwd = short()
	case "setup":
		s.setup = short()
	case "rtcp-mux":
		s.rtcpMux = true
	case "ptime":
		s.ptime, _ = strconv.Atoi(short())
	case "fingerprint":
		hash, print, ok := strings.Cut(short(), " ")
		if ok && len(s.prints) < 8 {
			s.prints = append(s.prints, fingerprint{strings.ToLower(hash), strings.ToUpper(strings.TrimSpace(print))})
		}
	case "rtpmap":
		s.rtpmap(value)
	case "fmtp":
		pt, params, ok := strings.Cut(value, " ")
		if m := s.payload(pt); ok && m != nil && len(params) <= 1024 {
			m.fmtp = strings.TrimSpace(params)
		}
	case "candidate":
		s.candidate(value)
	case "ssrc":
		s.ssrc(value)
	case "extmap":
		if l, ok := sdp.ParseLevel(short()); ok && s.level.ID == 0 {
			s.level = l
		}
	}
}

func (s *section) payload(text string) *rtpmap {
	pt, err := strconv.ParseUint(text, 10, 7)
	if err != nil {
		return nil
	}
	for i := range s.maps {
		if s.maps[i].payload == uint8(pt) {
			return &s.maps[i]
		}
	}
	return nil
}

func (s *section) rtpmap(value string) {
	pt, encoding, ok := strings.Cut(value, " ")
	m := s.payload(pt)
	if !ok || m == nil || len(encoding) > maxToken {
		return
	}
	parts := strings.Split(strings.TrimSpace(encoding), "/")
	if len(parts) < 2 {
		return
	}
	clock, err := strconv.Atoi(parts[1])
	if err != nil || clock <= 0 || clock > 1_000_000 {
		return
	}
	m.name, m.clock, m.channels = parts[0], clock, 1
	if len(parts) > 2 {
		if n, err := strconv.Atoi(parts[2]); err == nil && n > 0 && n < 256 {
			m.channels = n
		}
	}
}

// candidate reads "foundation component transport priority address port typ
// kind …" (RFC 8839 §5.1). What is no IP address is counted and left out.
func (s *section) candidate(value string) {
	f := strings.Fields(value)
	if len(f) < 8 || f[6] != "typ" || len(value) > 1024 || len(s.cands) == maxCandidates {
		return
	}
	component, err := strconv.Atoi(f[1])
	if err != nil || component != 1 {
		return // the second component is RTCP, which is multiplexed
	}
	priority, err := strconv.ParseUint(f[3], 10, 32)
	if err != nil {
		return
	}
	port, err := strconv.ParseUint(f[5], 10, 16)
	if err != nil || port == 0 {
		return
	}
	ip, err := netip.ParseAddr(f[4])
	if err != nil || ip.Zone() != "" {
		s.dropped++
		return
	}
	c := candidate{
		foundation: f[0], component: component, transport: strings.ToLower(f[2]), priority: uint32(priority),
		addr: netip.AddrPortFrom(ip.Unmap(), uint16(port)), kind: f[7],
	}
	for i := 8; i+1 < len(f); i += 2 {
		if f[i] == "tcptype" {
			c.tcptype = f[i+1]
		}
	}
	s.cands = append(s.cands, c)
}

func (s *section) ssrc(value string) {
	id, attr, _ := strings.Cut(value, " ")
	n, err := strconv.ParseUint(id, 10, 32)
	if err != nil || n == 0 {
		return
	}
	known := false
	for _, have := range s.ssrcs {
		known = known || have == uint32(n)
	}
	if !known && len(s.ssrcs) < 8 {
		s.ssrcs = append(s.ssrcs, uint32(n))
	}
	if name, ok := strings.CutPrefix(attr, "cname:"); ok && len(name) <= maxToken {
		s.cname = name
	}
}

// inherit takes from the session what the section does not say itself.
func (s *section) inherit(session *section) {
	set := func(to *string, from string) {
		if *to == "" {
			*to = from
		}
	}
	set(&s.ufrag, session.ufrag)
	set(&s.pwd, session.pwd)
	set(&s.setup, session.setup)
	set(&s.direction, session.direction)
	set(&s.direction, "sendrecv")
	if len(s.prints) == 0 {
		s.prints = session.prints
	}
	if s.level.ID == 0 {
		s.level = session.level
	}
}

// audio is the index of the section that carries the call: the first audio
// section that is not rejected.
func (d *description) audio() (int, bool) {
	for i := range d.sections {
		s := &d.sections[i]
		if s.media == "audio" && (s.port != 0 || len(d.bundle) > 0 && s.ufrag != "") {
			return i, true
		}
	}
	return 0, false
}

// strength orders fingerprint hashes; those weaker than SHA-256 are 0.
func strength(hash string) int {
	switch hash {
	case "sha-256":
		return 1
	case "sha-384":
		return 2
	case "sha-512":
		return 3
	}
	return 0
}

// secure returns the strongest fingerprint of the section, and false when there
// is none of SHA-256 or better or the ICE credentials are missing.
func (s *section) secure() (fingerprint, bool) {
	var best fingerprint
	for _, f := range s.prints {
		if strength(f.hash) > strength(best.hash) && validPrint(f.value) {
			best = f
		}
	}
	return best, best.hash != "" && len(s.ufrag) >= 4 && len(s.pwd) >= 22 && iceChars(s.ufrag) && iceChars(s.pwd)
}

func validPrint(s string) bool {
	if len(s) < 95 || len(s)%3 != 2 {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case i%3 == 2:
			if c != ':' {
				return false
			}
		case c >= '0' && c <= '9', c >= 'A' && c <= 'F':
		default:
			return false
		}
	}
	return true
}

// iceChars reports whether s has only the characters of RFC 8839 §5.4.
func iceChars(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '+' || c == '/' || c == '-' || c == '_' || c == '=') {
			return false
		}
	}
	return true
}
