package rtp

import "encoding/binary"

// silentLevel is the level in -dBov from which on nothing can be heard: the least that
// 16-bit sound can say all the time, one step up and down, is 90 below full scale.
const silentLevel = 100

// mute is the level of what is silent to the last bit (RFC 6464 §3).
const mute = 127

// MarkedSilent reports whether RTP packet b says, in the header extension with this id,
// that it holds silence (RFC 6464): a level of 127, or one of 100 and more without
// voice activity. An extension that is cut, or is not what was agreed, says nothing.
func MarkedSilent(b []byte, id uint8) bool {
	level, ok := audioLevel(b, id)
	if !ok {
		return false
	}
	voice := level&0x80 != 0
	level &= 0x7F
	return level == mute || level >= silentLevel && !voice
}

// audioLevel returns the byte of extension id, in its one-byte or its two-byte form
// (RFC 8285 §4.2, §4.3).
func audioLevel(b []byte, id uint8) (level byte, ok bool) {
	if id == 0 || len(b) < headerLen || b[0]&0x10 == 0 {
		return 0, false
	}
	at := headerLen + 4*int(b[0]&0x0F)
	if len(b) < at+4 {
		return 0, false
	}
	profile, words := binary.BigEndian.Uint16(b[at:]), int(binary.BigEndian.Uint16(b[at+2:]))
	if b = b[at+4:]; len(b) < 4*words {
		return 0, false
	}
	b = b[:4*words]
	long := profile>>4 == 0x100
	if !long && profile != 0xBEDE {
		return 0, false
	}
	for len(b) > 0 {
		if b[0] == 0 { // padding
			b = b[1:]
			continue
		}
		var n int
		which, head := b[0], 2
		switch {
		case !long:
			which, n, head = b[0]>>4, int(b[0]&0x0F)+1, 1
			if which == 15 { // the rest is not to be read
				return 0, false
			}
		case len(b) < 2:
			return 0, false
		default:
			n = int(b[1])
		}
		if len(b) < head+n {
			return 0, false
		}
		if which == id {
			if n != 1 {
				return 0, false
			}
			return b[head], true
		}
		b = b[head+n:]
	}
	return 0, false
}
