package opus

import (
	"fmt"
	"strconv"
	"strings"
)

// Options tune the encoders of a Pool, and what is offered to peers. The zero value is
// the default.
type Options struct {
	Bitrate int // bits a second; 0 chooses by rate. The peer's maxaveragebitrate still bounds it
	// Complexity is 0-10 plus one, so that zero can mean "5, but 0 for 16 kHz and less".
	Complexity int
	// MaxComplexity bounds the default, 0-10 plus one; zero bounds nothing.
	MaxComplexity   int
	PacketLoss      int  // percent that in-band FEC is laid out for; 0 means 10
	KeepFEC         bool // spend the bits that in-band FEC needs
	NoFEC           bool // neither use in-band FEC nor ask for it
	DTX             bool // send nothing in silence, and ask for that
	CBR             bool // constant bit rate, and ask for that
	AdjustBitrate   bool // lower the bit rate while the peer reports much loss
	MaxPlaybackRate int  // Hz; what peers are told to send at most; 0 is 48000
	MaxCaptureRate  int  // Hz; what is encoded at most, and told to peers; 0 is no limit
}

// defaultComplexity weighs a third of the cost of 10 against a barely audible
// gain; defaultLoss makes the encoder spend bits on FEC when the peer asks for it.
const (
	defaultComplexity = 5
	defaultLoss       = 10
	defaultOffer      = 30000 // bits a second that are asked for, FreeSWITCH's
)

// Fmtp is what is offered (spec/sip.md §8.4).
func (o Options) Fmtp() string {
	var b strings.Builder
	flag := func(on bool) int {
		if on {
			return 1
		}
		return 0
	}
	fmt.Fprintf(&b, "useinbandfec=%d", flag(!o.NoFEC))
	if o.DTX {
		b.WriteString("; usedtx=1")
	}
	if o.CBR {
		b.WriteString("; cbr=1")
	}
	bitrate, rate := o.Bitrate, o.MaxPlaybackRate
	if bitrate == 0 {
		bitrate = defaultOffer
	}
	if rate == 0 {
		rate = 48000
	}
	fmt.Fprintf(&b, "; maxaveragebitrate=%d; maxplaybackrate=%d", bitrate, rate)
	if o.MaxCaptureRate > 0 {
		fmt.Fprintf(&b, "; sprop-maxcapturerate=%d", o.MaxCaptureRate)
	}
	b.WriteString("; ptime=20; minptime=10; maxptime=40")
	return b.String()
}

// with returns the options that hold for one leg: settings are those of its own, in
// the form of format parameters: "complexity=3; maxaveragebitrate=24000; usedtx=1".
// What is unknown or out of range is ignored.
func (o Options) with(settings string) Options {
	for range maxParams {
		if settings == "" {
			break
		}
		var item string
		item, settings, _ = strings.Cut(settings, ";")
		name, value, _ := strings.Cut(item, "=")
		n, err := strconv.Atoi(strings.TrimSpace(value))
		if err == nil && n >= 0 {
			o.set(strings.ToLower(strings.TrimSpace(name)), n)
		}
	}
	return o
}

func (o *Options) set(name string, n int) {
	switch name {
	case "complexity":
		if n <= 10 {
			o.Complexity = n + 1
		}
	case "maxaveragebitrate":
		o.Bitrate = within(n, 6000, 510000)
	case "sprop-maxcapturerate":
		o.MaxCaptureRate = within(n, 8000, 48000)
	case "packet-loss-percent":
		if n <= 100 {
			o.PacketLoss = n
		}
	case "keep-fec-enabled":
		o.KeepFEC = n != 0
	case "useinbandfec":
		o.NoFEC = n == 0
	case "usedtx":
		o.DTX = n != 0
	case "cbr":
		o.CBR = n != 0
	}
}

func (o Options) loss() int {
	if o.PacketLoss > 0 {
		return o.PacketLoss
	}
	return defaultLoss
}

// complexity for sound of rate Hz: narrow sound has little to gain.
func (o Options) complexity(rate int) int {
	switch {
	case o.Complexity > 0:
		return o.Complexity - 1
	case rate <= 16000:
		return 0
	case o.MaxComplexity > 0:
		return min(o.MaxComplexity-1, defaultComplexity)
	}
	return defaultComplexity
}

// bitrate for sound of rate Hz, before the peer's limit.
func (o Options) bitrate(rate int, fec bool) int {
	n := o.Bitrate
	if n == 0 {
		n = bitrateFor(rate)
	}
	if fec && o.KeepFEC {
		n = max(n, bitrateForFEC(rate, o.loss()))
	}
	return n
}

// bitrateForFEC is where the encoder begins to add in-band FEC at each rate, as was
// seen: the less loss it expects the more bits it wants for it.
func bitrateForFEC(rate, loss int) int {
	switch {
	case rate > 16000 && loss >= 10:
		return 24000
	case rate > 16000:
		return 40000
	case loss >= 20:
		return 24000
	case loss >= 10 || rate <= 8000:
		return 28000
	}
	return 40000
}

// bitrateFor is speech quality that is free of audible artefacts at each rate.
// Below 20 kbit/s at 8 kHz the level of a pure tone (ringing, digits, hold music)
// falls by 3 dB in some frames. The encoder decides by the bit rate whether in-band
// FEC fits: at 16 kHz and less it leaves it out at these rates.
func bitrateFor(rate int) int {
	switch rate {
	case 8000:
		return 20000
	case 12000:
		return 22000
	case 16000:
		return 24000
	case 24000:
		return 28000
	}
	return 32000
}
