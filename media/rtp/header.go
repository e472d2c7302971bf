package rtp

import (
	"encoding/binary"

	"github.com/switchlet/switchlet/media"
)

// headerLen is the length of an RTP header without CSRC and extension, in bytes
// (RFC 3550 §5.1).
const headerLen = 12

// parse reads the header of datagram b into p, whose Payload and Buf then are
// parts of b. It reports false for what is not RTP version 2, or where the
// counts, the extension or the padding do not fit the datagram.
func parse(b []byte, p *media.Packet) bool {
	if len(b) < headerLen || b[0]>>6 != 2 {
		return false
	}
	at := headerLen + 4*int(b[0]&0x0F)
	if b[0]&0x10 != 0 { // extension
		if len(b) < at+4 {
			return false
		}
		at += 4 + 4*int(binary.BigEndian.Uint16(b[at+2:]))
	}
	end := len(b)
	if b[0]&0x20 != 0 { // padding
		pad := int(b[end-1])
		if pad == 0 {
			return false
		}
		end -= pad
	}
	if at > end {
		return false
	}
	p.Marker, p.PayloadType = b[1]&0x80 != 0, b[1]&0x7F
	p.Sequence = binary.BigEndian.Uint16(b[2:])
	p.Timestamp = binary.BigEndian.Uint32(b[4:])
	p.SSRC = binary.BigEndian.Uint32(b[8:])
	p.Buf, p.Payload, p.Silent = b[:end], b[at:end], false
	return true
}

// putHeader writes p's header, with ssrc, to the first bytes of b.
func putHeader(b []byte, p *media.Packet, ssrc uint32) {
	b[0], b[1] = 0x80, p.PayloadType&0x7F
	if p.Marker {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], p.Sequence)
	binary.BigEndian.PutUint32(b[4:], p.Timestamp)
	binary.BigEndian.PutUint32(b[8:], ssrc)
}

// isRTCP tells RTCP from RTP on one port (RFC 5761 §4).
func isRTCP(b []byte) bool {
	return len(b) >= 8 && b[0]>>6 == 2 && b[1] >= 192 && b[1] <= 223
}
