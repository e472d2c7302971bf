//go:build !race

package rtp

import (
	"testing"

	"github.com/pion/srtp/v3"
)

// The race detector's pools forget what they are given, so this runs without it.
func TestSecure_PacketsCostNoAllocation(t *testing.T) {
	for _, name := range Suites() {
		keys := secureKeys(name)
		out, err := state(name, keys.Local)
		if err != nil {
			t.Fatal(err)
		}
		in, err := state(name, keys.Local, srtp.SRTPReplayProtection(replayWindow))
		if err != nil {
			t.Fatal(err)
		}
		seal, open := &sealer{context: out, buf: make([]byte, 0, maxDatagram)}, &opener{context: in}
		plain := make([]byte, 172)
		plain[0] = 0x80
		round := func() {
			if plain[3]++; plain[3] == 0 {
				plain[2]++
			}
			b, err := seal.rtp(plain)
			if err != nil {
				t.Fatal(err)
			}
			if open.rtp(b) == nil {
				t.Fatal("it does not open")
			}
		}
		round()
		if n := testing.AllocsPerRun(200, round); n > 0 {
			t.Errorf("%s: %v allocations a packet", name, n)
		}
	}
}
