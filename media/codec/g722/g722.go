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
	at        int // pairs of the line that are done
}

// line holds the samples that the filter works on: 22 old ones and up to stride
// new ones, oldest first.
type line [22 + stride]int32

// stride is how many samples are filtered before the line is moved on.
const stride = 64

// filter is the quadrature mirror filter over the 24 samples from at: the sums over
// the odd and the even coefficients.
func (l *line) filter(at int) (odd, even int32) {
	x := (*[24]int32)(l[at:])
	for k, c := range qmf {
		odd += x[2*k] * c
		even += x[2*k+1] * qmf[11-k]
	}
	return odd, even
}

// next makes room for new samples.
func (l *line) next() { copy(l[:22], l[stride:]) }

// NewEncoder returns an encoder; rate must be 16000.
func NewEncoder(rate int) (media.Encoder, error) {
	if rate != Rate {
		return nil, fmt.Errorf("g722: cannot encode at %d Hz, only at %d", rate, Rate)
	}
	e := &encoder{}
	e.low.det, e.high.det = initialLower, initialHigher
	return e, nil
}

// Encode writes one byte for every two samples; an odd last sample is dropped.
func (e *encoder) Encode(pcm []int16, out []byte) (int, error) {
	n := len(pcm) / 2
	if len(out) < n {
		return 0, errShort
	}
	for i := range n {
		at := 2 * e.at
		e.line[at+22], e.line[at+23] = int32(pcm[2*i]), int32(pcm[2*i+1])
		odd, even := e.line.filter(at)
		if e.at++; e.at == stride/2 {
			e.line.next()
			e.at = 0
		}
		// The filter has a gain of 2^12; one bit for the sum and one because the
		// coder works on 15 bits.
		low, high := (even+odd)>>14, (even-odd)>>14
		out[i] = byte(e.quantizeHigh(high)<<6 | e.quantizeLow(low))
	}
	return n, nil
}

func (e *encoder) quantizeLow(x int32) int32 {
	diff := saturate(x - e.low.s)
	mag := diff
	if diff < 0 {
		mag = ^diff
	}
	// The first level that is above the magnitude: mag >= level*det>>12 holds for
	// the levels up to this quotient.
	i := levelAbove[min((uint32(mag+1)<<12-1)/uint32(e.low.det), topLevel)]
	code := int32(ilp[i])
	if diff < 0 {
		code = int32(iln[i])
	}
	e.low.lower(code)
	return code
}

func (e *encoder) quantizeHigh(x int32) int32 {
	diff := saturate(x - e.high.s)
	mag := diff
	if diff < 0 {
		mag = ^diff
	}
	large := mag >= higherDecide*e.high.det>>12
	var code int32
	switch {
	case diff < 0 && !large:
		code = 1
	case diff < 0:
		code = 0
	case !large:
		code = 3
	default:
		code = 2
	}
	e.high.higher(code)
	return code
}

func (*encoder) Close() {}

type decoder struct {
	low, high band
	line      line
	at        int
	conceal   *plc.Concealer
}

// NewDecoder returns a decoder that conceals losses; rate must be 16000.
func NewDecoder(rate int) (media.Decoder, error) {
	if rate != Rate {
		return nil, fmt.Errorf("g722: cannot decode to %d Hz, only to %d", rate, Rate)
	}
	d := &decoder{conceal: plc.New(rate)}
	d.low.det, d.high.det = initialLower, initialHigher
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
	for i, code := range payload {
		lowCode, highCode := int32(code&0x3F), int32(code>>6)
		low := d.low.s + d.low.det*qm6[lowCode]>>15
		d.low.lower(lowCode)
		s := d.high.s
		high := s + d.high.higher(highCode)
		low = min(max(low, -16384), 16383)
		high = min(max(high, -16384), 16383)

		at := 2 * d.at
		d.line[at+22], d.line[at+23] = low+high, low-high
		second, first := d.line.filter(at)
		if d.at++; d.at == stride/2 {
			d.line.next()
			d.at = 0
		}
		pcm[2*i] = int16(saturate(first >> 11))
		pcm[2*i+1] = int16(saturate(second >> 11))
	}
	d.conceal.Good(pcm)
	return len(pcm), nil
}

func (*decoder) Close() {}
