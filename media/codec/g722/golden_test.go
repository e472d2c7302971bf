package g722

import (
	"hash/crc32"
	"testing"
)

// TestCodec_BitsStay holds the arithmetic: every bit is what the straightforward
// reading of the recommendation gave, for noise, for full scale and for silence.
func TestCodec_BitsStay(t *testing.T) {
	e, err := NewEncoder(Rate)
	if err != nil {
		t.Fatal(err)
	}
	d, err := NewDecoder(Rate)
	if err != nil {
		t.Fatal(err)
	}
	pcm, wire := make([]int16, 320), make([]byte, 160)
	sum := crc32.NewIEEE()
	seed := uint32(1)
	for frame := range 400 {
		for i := range pcm {
			seed = seed*1664525 + 1013904223
			switch frame / 100 {
			case 0:
				pcm[i] = int16(seed>>16) >> (frame % 12)
			case 1:
				pcm[i] = int16(int32(seed) >> 31 & 0x7FFF)
			case 2:
				pcm[i] = 0
			default:
				pcm[i] = int16(seed >> 16)
			}
		}
		if _, err := e.Encode(pcm, wire); err != nil {
			t.Fatal(err)
		}
		_, _ = sum.Write(wire)
		if frame%7 == 0 { // codes that no encoder chose
			for i := range wire {
				seed = seed*1664525 + 1013904223
				wire[i] = byte(seed >> 24)
			}
		}
		if _, err := d.Decode(wire, pcm); err != nil {
			t.Fatal(err)
		}
		for _, s := range pcm {
			_, _ = sum.Write([]byte{byte(s), byte(s >> 8)})
		}
	}
	if got := sum.Sum32(); got != want {
		t.Errorf("the bits are %#08x, want %#08x", got, want)
	}
}

// want is the sum of those bits.
const want = 0x145fa264

func BenchmarkEncode(b *testing.B) {
	e, _ := NewEncoder(Rate)
	pcm, wire := noise(), make([]byte, 160)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = e.Encode(pcm, wire)
	}
}

func BenchmarkDecode(b *testing.B) {
	e, _ := NewEncoder(Rate)
	d, _ := NewDecoder(Rate)
	pcm, wire := noise(), make([]byte, 160)
	_, _ = e.Encode(pcm, wire)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = d.Decode(wire, pcm)
	}
}

func noise() []int16 {
	pcm := make([]int16, 320)
	seed := uint32(3)
	for i := range pcm {
		seed = seed*1664525 + 1013904223
		pcm[i] = int16(seed>>16) / 8
	}
	return pcm
}
