package webrtc

import (
	"errors"
	"fmt"
	"strings"

	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/codec"
)

// Payload types of our own offers: dynamic ones from 102, as in the reference,
// and telephone-event where most put it.
const (
	offerOpus     = 102
	offerEvents8  = 101
	offerEvents48 = 110
)

var (
	errNoAudio  = errors.New("webrtc: no audio section to answer")
	errNoCodec  = errors.New("webrtc: no codec in common")
	errInsecure = errors.New("webrtc: no ICE credentials, or no fingerprint of SHA-256 or better")
)

// agreement is what one audio section was negotiated to.
type agreement struct {
	format media.Format
	codec  rtpmap // as the browser named it
	dtmf   media.DTMF
	events rtpmap // telephone-event as the browser named it; clock 0: none
}

// choose agrees on one codec of the browser's section: ours come first in order
// of preference. Of several telephone-event entries the one counts whose clock is
// the codec's, else the first (spec/verto.md §8).
func choose(s *section, prefs []codec.Pref) (agreement, error) {
	for _, p := range prefs {
		if p.Codec.NewDecoder == nil {
			continue
		}
		for _, m := range s.maps {
			if m.clock != p.Codec.ClockRate || !strings.EqualFold(m.name, p.Codec.Name) ||
				m.channels != max(1, p.Codec.Channels) || m.name == "" {
				continue
			}
			a := agreement{codec: m, format: media.Format{
				Codec: p.Codec, PayloadType: m.payload, ReceiveType: m.payload, Ptime: p.Ptime, Fmtp: m.fmtp,
			}}
			a.chooseEvents(s)
			return a, nil
		}
	}
	return agreement{}, fmt.Errorf("%w: offered %s", errNoCodec, s.names())
}

func (a *agreement) chooseEvents(s *section) {
	for _, m := range s.maps {
		if !strings.EqualFold(m.name, "telephone-event") {
			continue
		}
		if a.events.clock == 0 || m.clock == a.format.Codec.ClockRate && a.events.clock != m.clock {
			a.events = m
		}
	}
	if a.events.clock != 0 {
		a.dtmf = media.DTMF{PayloadType: a.events.payload, ReceiveType: a.events.payload, ClockRate: a.events.clock}
	}
}

// names lists the section's codecs for messages.
func (s *section) names() string {
	var list []string
	for _, m := range s.maps {
		if m.name != "" {
			list = append(list, fmt.Sprintf("%s/%d", m.name, m.clock))
		}
	}
	if len(list) == 0 {
		return "nothing"
	}
	return strings.Join(list, ", ")
}

// offered are the payload types of our offer for prefs, audio codecs first.
func offered(prefs []codec.Pref) []rtpmap {
	var list []rtpmap
	have := map[string]bool{}
	var wide, narrow bool
	for _, p := range prefs {
		c := p.Codec
		if c.NewDecoder == nil || have[c.Name] {
			continue
		}
		m := rtpmap{payload: c.Payload, name: c.Name, clock: c.ClockRate, channels: max(1, c.Channels), fmtp: p.Fmtp}
		switch {
		case strings.EqualFold(c.Name, "opus"):
			m.payload, wide = offerOpus, true
		case c.Payload == 0 || c.Payload == 8 || c.Payload == 9:
			narrow = true
		default:
			continue // nothing that browsers speak
		}
		have[c.Name] = true
		list = append(list, m)
	}
	if wide {
		list = append(list, rtpmap{payload: offerEvents48, name: "telephone-event", clock: 48000, channels: 1, fmtp: "0-15"})
	}
	if narrow {
		list = append(list, rtpmap{payload: offerEvents8, name: "telephone-event", clock: 8000, channels: 1, fmtp: "0-15"})
	}
	return list
}

// answerFmtp is what our answer says about the codec: the browser's parameters
// without stereo, since what we decode is mono.
func (a *agreement) answerFmtp() string {
	if !strings.EqualFold(a.codec.name, "opus") {
		return ""
	}
	kept := []string{"useinbandfec=1"}
	for part := range strings.SplitSeq(a.codec.fmtp, ";") {
		part = strings.TrimSpace(part)
		if strings.HasPrefix(part, "minptime=") {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, "; ")
}
