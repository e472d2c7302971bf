// Package g711 is ITU-T G.711: µ-law (PCMU) and A-law (PCMA) at 64 kbit/s.
//
// The tables are made from the segment arithmetic of the recommendation, so that
// every code word expands to the value that the recommendation gives and every
// sample is compressed to the nearest one. One byte is one sample at 8 kHz.
// Encoder and Decoder serve media.Codec; the plain functions serve files.
package g711

import (
	"errors"
	"fmt"

	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/codec/plc"
)

// Rate is the only sampling rate of G.711, in Hz.
const Rate = 8000

// Law selects one of the two companding laws.
type Law int

// The laws.
const (
	ULaw Law = iota // PCMU
	ALaw            // PCMA
)

// Silence is the code word of the sample 0 in the law.
func (l Law) Silence() byte {
	if l == ALaw {
		return 0xD5
	}
	return 0xFF
}

var (
	expandU   = table256(expandULaw)
	expandA   = table256(expandALaw)
	compressU = compressTable(14, compressULaw)
	compressA = compressTable(12, compressALaw)
)

func table256(expand func(byte) int16) *[256]int16 {
	t := new([256]int16)
	for i := range t {
		t[i] = expand(byte(i))
	}
	return t
}

// compressTable makes a table indexed by the upper bits of a sample, taken as
// unsigned; the lower bits do not matter to the law.
func compressTable(bits uint, compress func(int) byte) []byte {
	t := make([]byte, 1<<bits)
	for i := range t {
		t[i] = compress(int(int16(uint16(i) << (16 - bits))))
	}
	return t
}

// expandULaw follows G.711 table 2: sign, three bits of segment, four of step.
func expandULaw(code byte) int16 {
	m := ^code
	exp := (m >> 4) & 7
	step := 4 << (exp + 1)
	v := (0x80 << exp) + step*int(m&0xF) + step/2 - 4*33
	if code < 0x80 {
		return int16(-v)
	}
	return int16(v)
}

// expandALaw follows G.711 table 1; even bits are inverted on the wire.
func expandALaw(code byte) int16 {
	m := code ^ 0x55
	exp := (m & 0x7F) >> 4
	v := int(m & 0xF)
	if exp > 0 {
		v += 16
	}
	v = v<<4 + 8
	if exp > 1 {
		v <<= exp - 1
	}
	if code < 0x80 {
		return int16(-v)
	}
	return int16(v)
}

func compressULaw(sample int) byte {
	mag, sign := sample, byte(0x80)
	if sample < 0 {
		mag, sign = ^sample, 0
	}
	mag = min(mag>>2+33, 0x1FFF)
	seg := 1
	for i := mag >> 6; i != 0; i >>= 1 {
		seg++
	}
	return byte((8-seg)<<4|(0xF-(mag>>seg)&0xF)) | sign
}

func compressALaw(sample int) byte {
	mag, sign := sample, byte(0x80)
	if sample < 0 {
		mag, sign = ^sample, 0
	}
	mag >>= 4
	if mag > 15 {
		exp := 1
		for mag > 16+15 {
			mag >>= 1
			exp++
		}
		mag = mag - 16 + exp<<4
	}
	return (byte(mag) | sign) ^ 0x55
}

// Compress writes the code words of pcm to out, which must be as long.
func (l Law) Compress(out []byte, pcm []int16) {
	out = out[:len(pcm)]
	if l == ALaw {
		for i, s := range pcm {
			out[i] = compressA[uint16(s)>>4]
		}
		return
	}
	for i, s := range pcm {
		out[i] = compressU[uint16(s)>>2]
	}
}

// Expand writes the samples of code to pcm, which must be as long.
func (l Law) Expand(pcm []int16, code []byte) {
	pcm = pcm[:len(code)]
	t := expandU
	if l == ALaw {
		t = expandA
	}
	for i, c := range code {
		pcm[i] = t[c]
	}
}

var errShort = errors.New("g711: buffer too short")

type encoder struct{ law Law }

// NewEncoder returns an encoder of law l; rate must be 8000.
func NewEncoder(l Law, rate int) (media.Encoder, error) {
	if rate != Rate {
		return nil, fmt.Errorf("g711: cannot encode at %d Hz, only at %d", rate, Rate)
	}
	return encoder{l}, nil
}

func (e encoder) Encode(pcm []int16, out []byte) (int, error) {
	if len(out) < len(pcm) {
		return 0, errShort
	}
	e.law.Compress(out, pcm)
	return len(pcm), nil
}

func (encoder) Close() {}

type decoder struct {
	law     Law
	conceal *plc.Concealer
}

// NewDecoder returns a decoder of law l that conceals losses; rate must be 8000.
func NewDecoder(l Law, rate int) (media.Decoder, error) {
	if rate != Rate {
		return nil, fmt.Errorf("g711: cannot decode to %d Hz, only to %d", rate, Rate)
	}
	return &decoder{law: l, conceal: plc.New(rate)}, nil
}

func (d *decoder) Decode(payload []byte, pcm []int16) (int, error) {
	if payload == nil {
		d.conceal.Lost(pcm)
		return len(pcm), nil
	}
	if len(pcm) < len(payload) {
		return 0, errShort
	}
	pcm = pcm[:len(payload)]
	d.law.Expand(pcm, payload)
	d.conceal.Good(pcm)
	return len(pcm), nil
}

func (d *decoder) Close() {}
