// Package g722 is ITU-T G.722, 7 kHz sound in 64 kbit/s (mode 1).
//
// A quadrature mirror filter splits 16 kHz sound into two bands of 8 kHz; each is
// coded by an adaptive differential coder, the lower with six bits, the higher
// with two. One byte is two samples. In RTP the clock of G.722 is 8000 although
// it samples at 16000 (RFC 3551 §4.5.2). The arithmetic is that of the
// recommendation, in integers, so that both ends adapt alike.
package g722

import (
	"errors"
	"fmt"

	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/codec/plc"
)

// Rate is the sampling rate in Hz.
const Rate = 16000

var errShort = errors.New("g722: buffer too short")

type encoder struct {
	low, high band
	line      line
}

// NewEncoder returns an encoder; rate must be 16000.
func NewEncoder(rate int) (media.Encoder, error) {
	if rate != Rate {
		return nil, fmt.Errorf("g722: cannot encode at %d Hz, only at %d", rate, Rate)
	}
	e := &encoder{}
	e.low.reset(initialLower)
	e.high.reset(initialHigher)
	return e, nil
}

// Encode writes one byte for every two samples; an odd last sample is dropped.
func (e *encoder) Encode(pcm []int16, out []byte) (int, error) {
	n := len(pcm) / 2
	if len(out) < n {
		return 0, errShort
	}
	for done := 0; done < n; done += stride {
		e.some(pcm[2*done:2*min(n, done+stride)], out[done:min(n, done+stride)])
	}
	return n, nil
}

// some encodes up to stride pairs.
func (e *encoder) some(pcm []int16, out []byte) {
	var low, high [stride]int32
	for i := range out {
		e.line.put(i, int32(pcm[2*i]), int32(pcm[2*i+1]))
	}
	for i := 0; i < len(out); i += 2 {
		// The filter has a gain of 2^12; one bit for the sum and one because the
		// coder works on 15 bits.
		odd, even := e.line.filter(i)
		low0, low1 := halves(even + odd)
		high0, high1 := halves(even - odd)
		low[i], low[i+1] = low0>>14, low1>>14
		high[i], high[i+1] = high0>>14, high1>>14
	}
	e.line.next(len(out))
	for i := range out {
		out[i] = byte(e.quantizeHigh(high[i])<<6 | e.quantizeLow(low[i]))
	}
}

// quantizeLow codes a sample of the lower band (block QUANTL).
func (e *encoder) quantizeLow(x int32) int32 {
	diff := saturate(x - e.low.s)
	sign := diff >> 31
	// The first level that is above the magnitude: mag >= level*det>>12 holds for
	// the levels up to (mag+1)<<12-1 by det.
	mag := uint64(diff ^ sign)
	q := lowerLevels[levelAbove[min(((mag+1)<<10-1)*lowerPer[e.low.nb>>6]>>perShift, topLevel)]&31|uint8(sign)&32]
	e.low.lower(q)
	return int32(q.code)
}

// quantizeHigh codes a sample of the higher band (block QUANTH).
func (e *encoder) quantizeHigh(x int32) int32 {
	diff := saturate(x - e.high.s)
	sign := diff >> 31
	// The codes are 3 and 2 upwards, 1 and 0 downwards, the lower for what is large.
	large := (higherDecide*e.high.det>>12 - 1 - (diff ^ sign)) >> 31
	code := 3 + 2*sign + large
	e.high.higher(higherCodes[code&3])
	return code
}

func (*encoder) Close() {}

type decoder struct {
	low, high band
	line      line
	conceal   *plc.Concealer
}

// NewDecoder returns a decoder that conceals losses; rate must be 16000.
func NewDecoder(rate int) (media.Decoder, error) {
	if rate != Rate {
		return nil, fmt.Errorf("g722: cannot decode to %d Hz, only to %d", rate, Rate)
	}
	d := &decoder{conceal: plc.New(rate)}
	d.low.reset(initialLower)
	d.high.reset(initialHigher)
	return d, nil
}

func (d *decoder) Decode(payload []byte, pcm []int16) (int, error) {
	if payload == nil {
		d.conceal.Lost(pcm)
		return len(pcm), nil
	}
	if len(pcm) < 2*len(payload) {
		return 0, errShort
	}
	pcm = pcm[:2*len(payload)]
	for done := 0; done < len(payload); done += stride {
		end := min(len(payload), done+stride)
		d.some(payload[done:end], pcm[2*done:2*end])
	}
	d.conceal.Good(pcm)
	return len(pcm), nil
}

// some decodes up to stride code words.
func (d *decoder) some(payload []byte, pcm []int16) {
	for i, code := range payload {
		low := d.low.s + d.low.det*qm6[code&63]>>15
		d.low.lower(lowerCodes[code&63])
		s := d.high.s
		high := s + d.high.higher(higherCodes[code>>6])
		low = min(max(low, -16384), 16383)
		high = min(max(high, -16384), 16383)
		d.line.put(i, low+high, low-high)
	}
	for i := 0; i < len(payload); i += 2 {
		odd, even := d.line.filter(i)
		first, third := halves(even)
		second, fourth := halves(odd)
		out := pcm[2*i:]
		out[0], out[1] = int16(saturate(first>>11)), int16(saturate(second>>11))
		if len(out) >= 4 {
			out[2], out[3] = int16(saturate(third>>11)), int16(saturate(fourth>>11))
		}
	}
	d.line.next(len(payload))
}

func (*decoder) Close() {}
