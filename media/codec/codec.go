// Package codec is the table of audio codecs: which encodings the switch knows,
// what SDP calls them, and how their encoders and decoders are made.
//
// Rows without a decoder are passed through between legs that agree on them.
// The package also reads codec strings ("OPUS@48000h@20i,PCMU") into preferences
// against a table. The codecs themselves are in the sub-packages; packets and
// frames flow through media.Encoder and media.Decoder. Negotiation is in
// media/sdp.
package codec

import (
	"strings"

	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/codec/g711"
	"github.com/switchlet/switchlet/media/codec/g722"
	"github.com/switchlet/switchlet/media/codec/l16"
	"github.com/switchlet/switchlet/media/codec/opus"
)

// Table returns the codecs that the switch knows. Each call returns its own rows,
// with its own pool of Opus encoders and decoders: a Switch calls it once.
func Table() []*media.Codec { return TableWith(opus.Options{}) }

// TableWith is Table with Opus tuned by o.
func TableWith(o opus.Options) []*media.Codec {
	t := []*media.Codec{opusRow(o), g722Row(), g711Row("PCMU", 0, g711.ULaw), g711Row("PCMA", 8, g711.ALaw)}
	for _, rate := range []int{8000, 16000, 24000, 32000, 48000} {
		t = append(t, l16Row(rate, 1, media.DynamicPayload))
	}
	t = append(t, l16Row(44100, 1, 11), l16Row(44100, 2, 10))
	return append(t, relayed()...)
}

func opusRow(o opus.Options) *media.Codec {
	pool := opus.NewPool(o)
	return &media.Codec{
		Name: "opus", Payload: media.DynamicPayload, ClockRate: 48000, Rate: 48000, Channels: 2, Ptime: 20,
		Fmtp: o.Fmtp(), Rates: opus.Rates(),
		NewEncoder: pool.NewEncoder, NewDecoder: pool.NewDecoder, Silent: opus.Silent,
	}
}

func g722Row() *media.Codec {
	return &media.Codec{
		Name: "G722", Payload: 9, ClockRate: 8000, Rate: g722.Rate, Channels: 1, BitRate: 64000, Ptime: 20,
		Rates:      []int{g722.Rate},
		NewEncoder: func(_ media.Format, rate int) (media.Encoder, error) { return g722.NewEncoder(rate) },
		NewDecoder: func(_ media.Format, rate int) (media.Decoder, error) { return g722.NewDecoder(rate) },
	}
}

func g711Row(name string, payload uint8, law g711.Law) *media.Codec {
	return &media.Codec{
		Name: name, Payload: payload, ClockRate: g711.Rate, Rate: g711.Rate, Channels: 1, BitRate: 64000, Ptime: 20,
		Rates:      []int{g711.Rate},
		NewEncoder: func(_ media.Format, rate int) (media.Encoder, error) { return g711.NewEncoder(law, rate) },
		NewDecoder: func(_ media.Format, rate int) (media.Decoder, error) { return g711.NewDecoder(law, rate) },
	}
}

func l16Row(rate, channels int, payload uint8) *media.Codec {
	return &media.Codec{
		Name: "L16", Payload: payload, ClockRate: rate, Rate: rate, Channels: channels,
		BitRate: rate * 16 * channels, Ptime: 20, Rates: []int{rate},
		NewEncoder: l16.NewEncoder, NewDecoder: l16.NewDecoder,
	}
}

// relayed are the codecs that are passed through only.
func relayed() []*media.Codec {
	row := func(name string, payload uint8, rate, bitrate, ptime int, fmtp string) *media.Codec {
		return &media.Codec{
			Name: name, Payload: payload, ClockRate: rate, Rate: rate, Channels: 1,
			BitRate: bitrate, Ptime: ptime, Fmtp: fmtp, Rates: []int{rate},
		}
	}
	const dynamic = media.DynamicPayload
	return []*media.Codec{
		row("G729", 18, 8000, 8000, 20, "annexb=no"),
		row("G723", 4, 8000, 6300, 30, ""),
		row("GSM", 3, 8000, 13200, 20, ""),
		row("iLBC", dynamic, 8000, 13330, 30, "mode=30"),
		row("AMR", dynamic, 8000, 0, 20, "octet-align=0"),
		row("AMR-WB", dynamic, 16000, 0, 20, "octet-align=0"),
		row("speex", dynamic, 8000, 24600, 20, ""),
		row("speex", dynamic, 16000, 42200, 20, ""),
		row("speex", dynamic, 32000, 44000, 20, ""),
	}
}

// Find returns the row of the codec that SDP calls name at clockRate Hz with
// channels (0 matches any, 1 also matches a row that says 0), or nil. Names are compared
// without regard to case.
func Find(table []*media.Codec, name string, clockRate, channels int) *media.Codec {
	for _, c := range table {
		if strings.EqualFold(c.Name, name) && (clockRate == 0 || c.ClockRate == clockRate) &&
			(channels == 0 || max(1, c.Channels) == channels) {
			return c
		}
	}
	return nil
}

// FindPayload returns the row whose static RTP payload type is payload, or nil.
func FindPayload(table []*media.Codec, payload uint8) *media.Codec {
	if payload == media.DynamicPayload {
		return nil
	}
	for _, c := range table {
		if c.Payload == payload {
			return c
		}
	}
	return nil
}
