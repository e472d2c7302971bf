package g711

import "testing"

// The decoder output values of G.711 tables 1 and 2, in 16 bits.
func TestExpand_GivesTheValuesOfTheRecommendation(t *testing.T) {
	for _, c := range []struct {
		law  Law
		code byte
		want int16
	}{
		{ULaw, 0xFF, 0}, {ULaw, 0x7F, 0}, {ULaw, 0x80, 32124}, {ULaw, 0x00, -32124},
		{ULaw, 0xFE, 8}, {ULaw, 0x7E, -8}, {ULaw, 0xEF, 132}, {ULaw, 0x8F, 16764}, {ULaw, 0x9F, 8316}, {ULaw, 0xA0, 7932},
		{ALaw, 0xD5, 8}, {ALaw, 0x55, -8}, {ALaw, 0xAA, 32256}, {ALaw, 0x2A, -32256},
		{ALaw, 0xD4, 24}, {ALaw, 0xC5, 264}, {ALaw, 0x80, 5504},
	} {
		var out [1]int16
		c.law.Expand(out[:], []byte{c.code})
		if out[0] != c.want {
			t.Errorf("law %d code %#02x expands to %d, want %d", c.law, c.code, out[0], c.want)
		}
	}
}

func TestCompress_EveryCodeWordSurvivesARoundTrip(t *testing.T) {
	for _, law := range []Law{ULaw, ALaw} {
		for code := range 256 {
			var pcm [1]int16
			var back [1]byte
			law.Expand(pcm[:], []byte{byte(code)})
			law.Compress(back[:], pcm[:])
			if back[0] != byte(code) && pcm[0] != 0 { // µ-law has two zeros
				t.Errorf("law %d: %#02x became %#02x through %d", law, code, back[0], pcm[0])
			}
		}
	}
}

func TestCompress_ErrorIsAtMostHalfAStep(t *testing.T) {
	for _, law := range []Law{ULaw, ALaw} {
		for s := -32768; s <= 32767; s++ {
			var code [1]byte
			var back [1]int16
			law.Compress(code[:], []int16{int16(s)})
			law.Expand(back[:], code[:])
			mag := max(s, -s)
			limit := max(mag/30+20, 16)
			if mag > 32124 {
				limit = 700
			}
			if d := int(back[0]) - s; d > limit || d < -limit {
				t.Fatalf("law %d: %d came back as %d", law, s, back[0])
			}
		}
	}
}

func TestSilence_IsTheCodeOfZero(t *testing.T) {
	for _, law := range []Law{ULaw, ALaw} {
		var code [1]byte
		law.Compress(code[:], []int16{0})
		if code[0] != law.Silence() {
			t.Errorf("law %d: zero is %#02x, Silence says %#02x", law, code[0], law.Silence())
		}
	}
}
