package expr

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

// maxZone is the longest string that ParseTZ reads.
const maxZone = 128

// ParseTZ makes a location of a POSIX time zone string such as CET-1 or
// EST5EDT,M3.2.0,M11.1.0, as timezones.conf has them. Offsets count westward.
func ParseTZ(text string) (*time.Location, error) {
	p := zoneParser{rest: text}
	if len(text) > maxZone || !p.zone() {
		return nil, fmt.Errorf("time zone %.40q is no POSIX zone: want NAMEoffset[NAME[offset][,start,end]]", text)
	}
	return time.LoadLocationFromTZData(text, zoneFile(text, p.name, p.offset))
}

// zoneFile writes the zone as a file of RFC 8536: a type for the standard time
// and the string as footer, which the time package follows from there on.
func zoneFile(text, name string, offset int) []byte {
	var b bytes.Buffer
	block := func(version byte) {
		b.WriteString("TZif")
		b.WriteByte(version)
		b.Write(make([]byte, 15))
		// Counts: isut, isstd, leap seconds, transitions, types, name bytes.
		for _, n := range [...]int{0, 0, 0, 0, 1, len(name) + 1} {
			_ = binary.Write(&b, binary.BigEndian, uint32(n))
		}
		_ = binary.Write(&b, binary.BigEndian, int32(offset))
		b.Write([]byte{0, 0})
		b.WriteString(name)
		b.WriteByte(0)
	}
	block('2')
	block('2')
	b.WriteString("\n" + text + "\n")
	return b.Bytes()
}

// zoneParser checks a string before the time package, which is silent about
// what it cannot read, gets it.
type zoneParser struct {
	rest   string
	name   string
	offset int // seconds eastward of the standard time
	rules  int // how many were read
}

func (p *zoneParser) zone() bool {
	name, ok := p.word()
	if !ok {
		return false
	}
	west, ok := p.clock(24)
	if !ok {
		return false
	}
	p.name, p.offset = name, -west
	if p.rest == "" {
		return true
	}
	if _, ok = p.word(); !ok {
		return false
	}
	if p.rest != "" && p.rest[0] != ',' {
		if _, ok = p.clock(24); !ok {
			return false
		}
	}
	for range 2 { // when it starts and when it ends
		if p.rest == "" || !p.rule() {
			break
		}
	}
	return p.rest == "" && p.rules != 1
}

// word reads a name of three letters or more, or anything in angle brackets.
func (p *zoneParser) word() (string, bool) {
	if inner, ok := strings.CutPrefix(p.rest, "<"); ok {
		name, rest, ok := strings.Cut(inner, ">")
		p.rest = rest
		return name, ok && len(name) >= 3 && strings.Trim(name, "+-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == ""
	}
	end := 0
	for end < len(p.rest) && isLetter(p.rest[end]) {
		end++
	}
	name := p.rest[:end]
	p.rest = p.rest[end:]
	return name, end >= 3
}

// clock reads [+-]hh[:mm[:ss]] and returns seconds.
func (p *zoneParser) clock(maxHour int) (int, bool) {
	sign := 1
	if strings.HasPrefix(p.rest, "-") {
		sign = -1
	}
	p.rest = strings.TrimLeft(p.rest, "+-")
	seconds, unit := 0, 3600
	for ; unit > 0; unit /= 60 {
		limit := 59
		if unit == 3600 {
			limit = maxHour
		}
		n, ok := p.number(limit)
		if !ok {
			return 0, false
		}
		seconds += n * unit
		if !strings.HasPrefix(p.rest, ":") {
			break
		}
		if unit > 1 {
			p.rest = p.rest[1:]
		}
	}
	return sign * seconds, true
}

func (p *zoneParser) number(limit int) (int, bool) {
	n, end := 0, 0
	for end < len(p.rest) && end < 3 && isDigit(p.rest[end]) {
		n = n*10 + int(p.rest[end]-'0')
		end++
	}
	p.rest = p.rest[end:]
	return n, end > 0 && n <= limit
}

// rule reads ,Mm.w.d or ,Jn or ,n, with /time behind it.
func (p *zoneParser) rule() bool {
	const lastDay, hoursOfWeek = 365, 167
	var ok bool
	if p.rest, ok = strings.CutPrefix(p.rest, ","); !ok {
		return false
	}
	p.rules++
	switch {
	case strings.HasPrefix(p.rest, "M"):
		for i, limit := range [...]int{12, 5, 6} {
			p.rest = p.rest[1:]
			if n, ok := p.number(limit); !ok || n == 0 && i < 2 {
				return false
			}
			if i < 2 && !strings.HasPrefix(p.rest, ".") {
				return false
			}
		}
	default:
		p.rest = strings.TrimPrefix(p.rest, "J")
		if _, ok := p.number(lastDay); !ok {
			return false
		}
	}
	if p.rest, ok = strings.CutPrefix(p.rest, "/"); ok {
		_, ok = p.clock(hoursOfWeek)
		return ok
	}
	return true
}
