package opus

import "github.com/thesyncim/gopus"

// HasFEC reports whether packet carries a copy of the packet before it: whether the
// LBRR flag of its first frame is set, which follows a voice flag for each 20 ms of
// SILK (RFC 6716 §4.2.3). Flags of one bit with even odds stand in the frame as they
// are.
func HasFEC(packet []byte) bool {
	if len(packet) < 2 || packet[0]>>3 >= firstCELT {
		return false
	}
	var at int
	switch packet[0] & 3 {
	case 0, 1:
		at = 1
	case 2: // the first frame's length comes first, in one byte or two (§3.1)
		if at = 2; packet[1] >= 252 {
			at = 3
		}
	default:
		return gopus.PacketHasLBRR(packet)
	}
	if at >= len(packet) {
		return false
	}
	voices := 1
	if config := packet[0] >> 3; config < 12 && config&3 >= 2 { // SILK of 40 or 60 ms
		voices = int(config & 3)
	}
	flags := packet[at]
	mid := flags>>(7-voices)&1 != 0
	stereo := packet[0]&4 != 0
	return mid || stereo && flags>>(7-(2*voices+1))&1 != 0
}
