// Package l16 is linear PCM as an RTP payload: 16-bit samples in network byte
// order (RFC 3551 §4.5.11), at any rate. Streams of more than one channel are
// mixed to mono when they are read and written as equal channels.
package l16

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/codec/plc"
)

// maxChannels bounds what an rtpmap can make us believe.
const maxChannels = 8

var errShort = errors.New("l16: buffer too short")

type encoder struct{ channels int }

// NewEncoder returns an encoder for f at rate Hz, which must be f's clock rate.
func NewEncoder(f media.Format, rate int) (media.Encoder, error) {
	ch, err := check(f, rate)
	if err != nil {
		return nil, err
	}
	return encoder{ch}, nil
}

func check(f media.Format, rate int) (channels int, err error) {
	if f.Codec == nil {
		return 0, errors.New("l16: no format")
	}
	channels = max(1, f.Codec.Channels)
	if rate != f.Codec.ClockRate {
		return 0, fmt.Errorf("l16: rate %d Hz is not the clock rate %d", rate, f.Codec.ClockRate)
	}
	if channels > maxChannels {
		return 0, fmt.Errorf("l16: %d channels", channels)
	}
	return channels, nil
}

func (e encoder) Encode(pcm []int16, out []byte) (int, error) {
	n := len(pcm) * 2 * e.channels
	if len(out) < n {
		return 0, errShort
	}
	at := 0
	for _, s := range pcm {
		for range e.channels {
			binary.BigEndian.PutUint16(out[at:], uint16(s))
			at += 2
		}
	}
	return n, nil
}

func (encoder) Close() {}

type decoder struct {
	channels int
	conceal  *plc.Concealer
}

// NewDecoder returns a decoder for f to rate Hz, which must be f's clock rate.
func NewDecoder(f media.Format, rate int) (media.Decoder, error) {
	ch, err := check(f, rate)
	if err != nil {
		return nil, err
	}
	return &decoder{channels: ch, conceal: plc.New(rate)}, nil
}

func (d *decoder) Decode(payload []byte, pcm []int16) (int, error) {
	if payload == nil {
		d.conceal.Lost(pcm)
		return len(pcm), nil
	}
	n := len(payload) / (2 * d.channels) // an odd byte at the end is no sample
	if len(pcm) < n {
		return 0, errShort
	}
	pcm = pcm[:n]
	for i := range pcm {
		sum := 0
		for c := range d.channels {
			sum += int(int16(binary.BigEndian.Uint16(payload[2*(i*d.channels+c):])))
		}
		pcm[i] = int16(sum / d.channels)
	}
	d.conceal.Good(pcm)
	return n, nil
}

func (d *decoder) Close() {}
