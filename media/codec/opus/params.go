package opus

import (
	"strconv"
	"strings"
)

// Params are the format parameters of RFC 7587 §6.1 as the peer stated them.
// A zero number means that the parameter was absent.
type Params struct {
	MaxPlaybackRate   int // Hz; what the peer can use
	SpropCaptureRate  int // Hz; what the peer will send at most
	MaxAverageBitrate int // bits a second
	MinPtime, Ptime   int // ms
	MaxPtime          int // ms
	InBandFEC         bool
	DTX               bool
	CBR               bool
	Stereo            bool
}

// maxParams bounds how many parameters of one line are looked at.
const maxParams = 32

// ParseParams reads an fmtp value: "useinbandfec=1; maxplaybackrate=16000".
// What is unknown or out of range is ignored, as RFC 7587 asks.
func ParseParams(fmtp string) Params {
	var p Params
	for range maxParams {
		var item string
		item, fmtp, _ = strings.Cut(fmtp, ";")
		name, value, _ := strings.Cut(item, "=")
		p.set(strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value))
		if fmtp == "" {
			break
		}
	}
	return p
}

func (p *Params) set(name, value string) {
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 {
		return
	}
	switch name {
	case "maxplaybackrate":
		p.MaxPlaybackRate = within(n, 8000, 48000)
	case "sprop-maxcapturerate":
		p.SpropCaptureRate = within(n, 8000, 48000)
	case "maxaveragebitrate":
		p.MaxAverageBitrate = within(n, 6000, 510000)
	case "minptime":
		p.MinPtime = within(n, 3, 120)
	case "ptime":
		p.Ptime = within(n, 3, 120)
	case "maxptime":
		p.MaxPtime = within(n, 3, 120)
	case "useinbandfec":
		p.InBandFEC = n == 1
	case "usedtx":
		p.DTX = n == 1
	case "cbr":
		p.CBR = n == 1
	case "stereo":
		p.Stereo = n == 1
	}
}

func within(n, low, high int) int {
	if n < low || n > high {
		return 0
	}
	return n
}
