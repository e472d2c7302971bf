package ogg

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Opus counts time in samples at 48 kHz.
const opusRate = 48000

const (
	headMagic = "OpusHead"
	tagsMagic = "OpusTags"
	headSize  = 19
)

// head is the identification header (RFC 7845 §5.1).
type head struct {
	channels int
	preSkip  int // samples at 48 kHz
	rate     int // Hz of what was encoded; 0 is unknown
	gain     int // Q7.8 dB
}

func parseHead(b []byte) (head, error) {
	if len(b) < headSize || string(b[:8]) != headMagic {
		return head{}, errors.New("not Ogg/Opus: no OpusHead")
	}
	if version := b[8]; version&0xf0 != 0 {
		return head{}, fmt.Errorf("version %d of Ogg/Opus is not known", version)
	}
	h := head{channels: int(b[9]), preSkip: int(binary.LittleEndian.Uint16(b[10:])),
		rate: int(binary.LittleEndian.Uint32(b[12:])), gain: int(int16(binary.LittleEndian.Uint16(b[16:])))}
	if h.channels == 0 {
		return head{}, errors.New("no channels")
	}
	switch family := b[18]; {
	case family == 0 && h.channels > 2:
		return head{}, fmt.Errorf("%d channels in mapping family 0", h.channels)
	case family != 0 && (len(b) < headSize+2 || b[headSize] != 1):
		return head{}, fmt.Errorf("mapping family %d with several streams; convert it to mono or stereo", family)
	}
	return h, nil
}

// append appends the header as a packet.
func (h head) append(b []byte) []byte {
	b = append(b, headMagic...)
	b = append(b, 1, byte(h.channels))
	b = binary.LittleEndian.AppendUint16(b, uint16(h.preSkip))
	b = binary.LittleEndian.AppendUint32(b, uint32(h.rate))
	b = binary.LittleEndian.AppendUint16(b, uint16(int16(h.gain)))
	return append(b, 0)
}

// appendTags appends the comment header (RFC 7845 §5.2).
func appendTags(b []byte, vendor string, comments []string) []byte {
	b = append(b, tagsMagic...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(vendor)))
	b = append(b, vendor...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(comments)))
	for _, c := range comments {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(c)))
		b = append(b, c...)
	}
	return b
}

// maxDuration is the longest packet in samples at 48 kHz: 120 ms.
const maxDuration = opusRate * 120 / 1000

// duration is the length of a packet in samples at 48 kHz, 0 if it is none
// (RFC 6716 §3.1).
func duration(packet []byte) int {
	if len(packet) == 0 {
		return 0
	}
	toc := packet[0]
	const ms = opusRate / 1000
	frame := 0
	switch config := int(toc >> 3); {
	case config < 12: // SILK: 10, 20, 40, 60 ms
		frame = [4]int{10, 20, 40, 60}[config&3] * ms
	case config < 16: // hybrid: 10, 20 ms
		frame = [2]int{10, 20}[config&1] * ms
	default: // CELT: 2.5, 5, 10, 20 ms
		frame = (ms * 5 / 2) << (config & 3)
	}
	count := 1
	switch toc & 3 {
	case 1, 2:
		count = 2
	case 3:
		if len(packet) < 2 {
			return 0
		}
		count = int(packet[1] & 0x3f)
	}
	if d := frame * count; d <= maxDuration {
		return d
	}
	return 0
}
