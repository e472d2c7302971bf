package codec

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/switchlet/switchlet/media"
)

// Pref is one entry of a codec preference list, resolved against a table.
type Pref struct {
	Codec    *media.Codec
	Ptime    int    // ms; never 0
	BitRate  int    // bits a second; 0 is "any"
	Channels int    // as written; 0 is "any"
	Fmtp     string // format parameters to offer
	// PtimeSet tells that the entry named its ptime; otherwise it is the codec's.
	PtimeSet bool
}

// Spec is one entry of a codec string as written:
// NAME[@RATEh][@PTIMEi][@BITRATEb][@CHANNELSc][~FMTP] (spec: sip.md §8.1).
type Spec struct {
	Module   string // what stood before the dot of "mod.NAME"
	Name     string
	Rate     int // Hz
	Ptime    int // ms
	BitRate  int // bits a second
	Channels int
	Fmtp     string
}

// DefaultString is the list that is used where none is configured.
const DefaultString = "PCMU@20i,PCMA@20i,speex@20i"

// maxPrefs bounds a codec list; FreeSWITCH's SWITCH_MAX_CODECS is 50.
const maxPrefs = 50

// ParseSpec reads one entry.
func ParseSpec(s string) (Spec, error) {
	var spec Spec
	s = strings.TrimSpace(s)
	s, spec.Fmtp, _ = strings.Cut(s, "~")
	name, rest, more := strings.Cut(s, "@")
	if module, bare, found := strings.Cut(name, "."); found {
		spec.Module, name = module, bare
	}
	spec.Name = strings.TrimSpace(name)
	if spec.Name == "" {
		return spec, errors.New("codec: empty name")
	}
	for more {
		var part string
		part, rest, more = strings.Cut(rest, "@")
		if part == "" {
			continue
		}
		n, err := strconv.Atoi(part[:len(part)-1])
		if err != nil || n < 0 || n > 10_000_000 {
			return spec, fmt.Errorf("codec: %q in %q: expected a number and one of h, i, b, c", part, s)
		}
		switch part[len(part)-1] {
		case 'h', 'k':
			spec.Rate = n
		case 'i':
			spec.Ptime = n
		case 'b':
			spec.BitRate = n
		case 'c':
			spec.Channels = n
		default:
			return spec, fmt.Errorf("codec: %q in %q: expected a number and one of h, i, b, c", part, s)
		}
	}
	return spec, nil
}

// Resolve finds the row that s means. Opus may name 8000 or 16000 Hz, which asks
// for narrower sound; its channels are those of the sound, not of the rtpmap.
func (s Spec) Resolve(table []*media.Codec) (Pref, bool) {
	rate, channels := s.Rate, s.Channels
	if strings.EqualFold(s.Name, "opus") {
		rate, channels = 0, 0
	}
	row := Find(table, s.Name, rate, channels)
	if row == nil && strings.EqualFold(s.Name, "G722") && rate == 16000 {
		row = Find(table, s.Name, 0, channels) // its real rate instead of its RTP clock
	}
	if row == nil {
		return Pref{}, false
	}
	p := Pref{Codec: row, Ptime: row.Ptime, BitRate: s.BitRate, Channels: s.Channels, Fmtp: row.Fmtp}
	if s.Ptime > 0 && s.Ptime <= 120 {
		p.Ptime, p.PtimeSet = s.Ptime, true
	}
	if s.Fmtp != "" {
		p.Fmtp = s.Fmtp
	} else if strings.EqualFold(row.Name, "opus") {
		p.Fmtp = opusOffer(p.Fmtp, s.Rate, p.Ptime, s.Channels)
	}
	return p, true
}

// opusOffer adapts the offered parameters to what the entry asks for.
func opusOffer(fmtp string, rate, ptime, channels int) string {
	if rate > 0 && rate < 48000 {
		fmtp = strings.Replace(fmtp, "maxplaybackrate=48000", "maxplaybackrate="+strconv.Itoa(rate), 1)
	}
	if ptime != 20 {
		fmtp = strings.Replace(fmtp, "; ptime=20", "; ptime="+strconv.Itoa(ptime), 1)
		if ptime > 40 {
			fmtp = strings.Replace(fmtp, "maxptime=40", "maxptime="+strconv.Itoa(ptime), 1)
		}
	}
	if channels == 2 {
		fmtp += "; stereo=1"
	}
	return fmtp
}

// ParseList reads a comma separated codec string against table. Entries that are
// unknown or malformed are left out and returned in skipped; an empty string
// means DefaultString.
func ParseList(table []*media.Codec, list string) (prefs []Pref, skipped []string) {
	if strings.TrimSpace(list) == "" {
		list = DefaultString
	}
	for item := range strings.SplitSeq(list, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		if len(prefs) == maxPrefs {
			skipped = append(skipped, item)
			break
		}
		spec, err := ParseSpec(item)
		if err == nil {
			if p, ok := spec.Resolve(table); ok {
				prefs = append(prefs, p)
				continue
			}
		}
		skipped = append(skipped, item)
	}
	return prefs, skipped
}

// Format is p as a format whose payload type is the static one, or dynamic.
func (p Pref) Format(payload uint8) media.Format {
	return media.Format{Codec: p.Codec, PayloadType: payload, Ptime: p.Ptime, Fmtp: p.Fmtp}
}
