// Package sdp reads and writes session descriptions (RFC 8866) and negotiates
// audio by the offer/answer model (RFC 3264), with FreeSWITCH's preferences and
// layout (spec: sip.md §8).
//
// Parse turns text into a Session. Offer and Answer make text. Negotiate chooses
// from an offer, ReadAnswer from an answer; both give a Result: the codec in
// force, the digits' payload type, the direction and the far end's address.
// Negotiation is pure: sockets, keys and ICE are the business of media/rtp and
// of the endpoints. Nothing is parsed before its size was checked.
package sdp

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Limits of a description. More is refused before it is parsed.
const (
	MaxSize       = 64 << 10 // bytes
	MaxMedia      = 32       // m-lines
	MaxAttributes = 1024     // in the whole description
	maxFormats    = 128      // on one m-line
)

// ErrTooLarge is returned for a description beyond the limits.
var ErrTooLarge = errors.New("sdp: description too large")

// Session is a parsed description.
type Session struct {
	User      string // of the o-line
	SessionID string
	Version   string
	Name      string // s-line
	// Connection is the address of the session's c-line, "" if there is none.
	Connection string
	Attributes []Attribute
	Media      []Media
}

// Media is one m-line with what belongs to it.
type Media struct {
	Kind       string   // "audio", "video", "image", "application"
	Port       int      // 0 means rejected or not offered
	Proto      string   // "RTP/AVP"
	Formats    []string // payload types, or names where Proto is not RTP
	Connection string   // the address of its own c-line or of the session's
	Attributes []Attribute
}

// Attribute is one a-line: "name" or "name:value".
type Attribute struct{ Name, Value string }

// Parse reads a description. It is lenient: line ends may be LF, unknown lines are
// skipped, s= and t= may be missing. What cannot be understood is an error that names
// the line.
func Parse(text []byte) (*Session, error) {
	if len(text) > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(text), MaxSize)
	}
	s := &Session{}
	var current *Media
	attributes, number := 0, 0
	for line := range strings.Lines(string(text)) {
		number++
		line = strings.TrimRight(line, "\r\n \t\x00")
		if len(line) < 2 || line[1] != '=' {
			if line == "" {
				continue
			}
			return nil, fmt.Errorf("sdp: line %d: %q is not of the form x=value", number, clip(line))
		}
		value := strings.TrimSpace(line[2:])
		switch line[0] {
		case 'm':
			if len(s.Media) == MaxMedia {
				return nil, fmt.Errorf("%w: more than %d m-lines", ErrTooLarge, MaxMedia)
			}
			m, err := parseMedia(value)
			if err != nil {
				return nil, fmt.Errorf("sdp: line %d: %w", number, err)
			}
			m.Connection = s.Connection
			s.Media = append(s.Media, m)
			current = &s.Media[len(s.Media)-1]
		case 'a':
			if attributes++; attributes > MaxAttributes {
				return nil, fmt.Errorf("%w: more than %d attributes", ErrTooLarge, MaxAttributes)
			}
			name, v, _ := strings.Cut(value, ":")
			a := Attribute{strings.TrimSpace(name), strings.TrimSpace(v)}
			if current != nil {
				current.Attributes = append(current.Attributes, a)
			} else {
				s.Attributes = append(s.Attributes, a)
			}
		case 'c':
			address := connectionAddress(value)
			if current != nil {
				current.Connection = address
			} else {
				s.Connection = address
			}
		case 'o':
			s.origin(value)
		case 's':
			s.Name = value
		}
	}
	if number == 0 || (s.SessionID == "" && len(s.Media) == 0) {
		return nil, errors.New("sdp: empty description")
	}
	return s, nil
}

// clip keeps errors short, whatever came in.
func clip(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}

func parseMedia(value string) (Media, error) {
	f := strings.Fields(value)
	if len(f) < 3 {
		return Media{}, fmt.Errorf("m=%s: expected media, port, protocol and formats", clip(value))
	}
	if len(f)-3 > maxFormats {
		return Media{}, fmt.Errorf("%w: %d formats in one m-line", ErrTooLarge, len(f)-3)
	}
	port, _, _ := strings.Cut(f[1], "/") // "port/count" of hierarchical encodings
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return Media{}, fmt.Errorf("m=%s: %q is not a port", clip(value), clip(f[1]))
	}
	return Media{Kind: strings.ToLower(f[0]), Port: int(n), Proto: f[2], Formats: f[3:]}, nil
}

// connectionAddress takes the address from "IN IP4 192.0.2.1/127".
func connectionAddress(value string) string {
	f := strings.Fields(value)
	if len(f) < 3 {
		return ""
	}
	address, _, _ := strings.Cut(f[2], "/")
	return address
}

func (s *Session) origin(value string) {
	f := strings.Fields(value)
	if len(f) > 0 {
		s.User = f[0]
	}
	if len(f) > 2 {
		s.SessionID, s.Version = f[1], f[2]
	}
}

// find returns the value of the first attribute called name.
func find(list []Attribute, name string) (string, bool) {
	for _, a := range list {
		if strings.EqualFold(a.Name, name) {
			return a.Value, true
		}
	}
	return "", false
}

// Attribute returns the value of the session's first attribute called name.
func (s *Session) Attribute(name string) (value string, found bool) { return find(s.Attributes, name) }

// Attribute returns the value of the first attribute called name.
func (m *Media) Attribute(name string) (value string, found bool) { return find(m.Attributes, name) }

// number returns the leading integer of an attribute, 0 if there is none.
func (m *Media) number(name string) int {
	v, _ := m.Attribute(name)
	v, _, _ = strings.Cut(v, " ")
	v, _, _ = strings.Cut(v, ".") // "a=ptime:20.0" is seen
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 || n > 1<<16 {
		return 0
	}
	return n
}

// payload is one RTP payload type of an m-line with its rtpmap and fmtp.
type payload struct {
	number   uint8
	name     string // "" if it is static without rtpmap
	clock    int
	channels int // 0 if not stated
	fmtp     string
}

// payloads resolves the formats of an RTP m-line, in their order.
func (m *Media) payloads() []payload {
	list := make([]payload, 0, len(m.Formats))
	for _, f := range m.Formats {
		n, err := strconv.ParseUint(f, 10, 7)
		if err != nil {
			continue
		}
		list = append(list, payload{number: uint8(n)})
	}
	for _, a := range m.Attributes {
		number, rest, ok := strings.Cut(a.Value, " ")
		n, err := strconv.ParseUint(number, 10, 7)
		if !ok || err != nil {
			continue
		}
		for i := range list {
			p := &list[i]
			if p.number != uint8(n) {
				continue
			}
			switch strings.ToLower(a.Name) {
			case "rtpmap":
				p.rtpmap(strings.TrimSpace(rest))
			case "fmtp":
				p.fmtp = strings.TrimSpace(rest)
			}
		}
	}
	return list
}

// rtpmap reads "opus/48000/2".
func (p *payload) rtpmap(value string) {
	name, rest, _ := strings.Cut(value, "/")
	clock, channels, _ := strings.Cut(rest, "/")
	p.name = strings.TrimSpace(name)
	p.clock = small(clock)
	p.channels = small(channels)
}

// small reads a number that an rtpmap can sensibly have, else 0.
func small(s string) int {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil || n < 0 || n > 1_000_000 {
		return 0
	}
	return n
}
