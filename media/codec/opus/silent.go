package opus

// firstCELT is the first of the 32 configurations whose packets have no part of SILK
// (RFC 6716 §3.1).
const firstCELT = 16

// Silent reports whether packet says itself that it holds silence, so that it need
// not be decoded to know: nothing is in it but its first byte (discontinuous
// transmission, RFC 6716 §2.1.9), or it is one frame of CELT whose silence flag is
// set. The flag is the first symbol of the frame and as good as never set, so that it
// is coded as fifteen bits that are all one (§4.3, §4.1).
func Silent(packet []byte) bool {
	if len(packet) == 0 {
		return false
	}
	oneFrame := packet[0]&3 == 0
	frame := packet[1:]
	if len(frame) < 2 {
		return oneFrame
	}
	return oneFrame && packet[0]>>3 >= firstCELT && frame[0] == 0xFF && frame[1] >= 0xFE
}
