package opus

import (
	"fmt"
	"testing"

	"github.com/switchlet/switchlet/media"
)

func BenchmarkEncode(b *testing.B) {
	for _, rate := range Rates() {
		b.Run(fmt.Sprint(rate), func(b *testing.B) {
			enc, err := NewPool(Options{}).NewEncoder(media.Format{Ptime: 20, Fmtp: "useinbandfec=1"}, rate)
			if err != nil {
				b.Fatal(err)
			}
			pcm, out := make([]int16, rate), make([]byte, 1500)
			voice(pcm, 0, rate)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				at := i % 50 * (rate / 50)
				if _, err := enc.Encode(pcm[at:at+rate/50], out); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, c := range []struct{ from, to int }{{48000, 48000}, {48000, 16000}, {48000, 8000}, {16000, 8000}, {8000, 8000}} {
		b.Run(fmt.Sprintf("%d to %d", c.from, c.to), func(b *testing.B) {
			p := NewPool(Options{})
			enc, err := p.NewEncoder(media.Format{Ptime: 20}, c.from)
			if err != nil {
				b.Fatal(err)
			}
			dec, err := p.NewDecoder(media.Format{}, c.to)
			if err != nil {
				b.Fatal(err)
			}
			var wire [50][]byte
			pcm := make([]int16, c.from/50)
			for i := range wire {
				voice(pcm, i*len(pcm), c.from)
				wire[i] = make([]byte, 1500)
				n, err := enc.Encode(pcm, wire[i])
				if err != nil {
					b.Fatal(err)
				}
				wire[i] = wire[i][:n]
			}
			out := make([]int16, c.to/50)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := dec.Decode(wire[i%50], out); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
