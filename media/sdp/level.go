package sdp

import (
	"strconv"
	"strings"
)

// levelURI names the header extension that says how loud a packet's sound is (RFC 6464).
const levelURI = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"

// Level is the audio level extension as an a=extmap line has it (RFC 8285 §5, RFC 6464
// §4), to be answered as it was offered. The zero value is none.
type Level struct {
	ID  uint8  // 1 to 255 without 15, which means something else
	one bool   // the peer only sends it
	vad string // "on", "off", "" where nothing is said
}

// OfferedLevel is the extension as our own offers have it.
func OfferedLevel() Level { return Level{ID: 1} }

// ParseLevel reads the value of an a=extmap line: "1/sendonly urn:… vad=on". It reports
// false for other extensions, and where the peer would not send this one.
func ParseLevel(value string) (l Level, ok bool) {
	f := strings.Fields(value)
	if len(f) < 2 || f[1] != levelURI {
		return l, false
	}
	number, direction, _ := strings.Cut(f[0], "/")
	n, err := strconv.ParseUint(number, 10, 8)
	if err != nil || n == 0 || n == 15 {
		return l, false
	}
	switch direction {
	case "", "sendrecv":
	case "sendonly":
		l.one = true
	default:
		return l, false
	}
	l.ID = uint8(n)
	for _, a := range f[2:] {
		if a == "vad=on" || a == "vad=off" {
			l.vad = a
		}
	}
	return l, true
}

// String is the whole a-value of our answer.
func (l Level) String() string {
	number := strconv.Itoa(int(l.ID))
	if l.one {
		number += "/recvonly"
	}
	s := "extmap:" + number + " " + levelURI
	if l.vad != "" {
		s += " " + l.vad
	}
	return s
}

// level finds the extension in an m-line, or for all of the description.
func (s *Session) level(m *Media) Level {
	for _, list := range [][]Attribute{m.Attributes, s.Attributes} {
		for _, a := range list {
			if strings.EqualFold(a.Name, "extmap") {
				if l, ok := ParseLevel(a.Value); ok {
					return l
				}
			}
		}
	}
	return Level{}
}
