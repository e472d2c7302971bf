package rtp

import (
	"bytes"
	"encoding/binary"
	"net"
	"testing"
	"time"

	"github.com/pion/srtp/v3"

	"github.com/switchlet/switchlet/media"
)

// secureKeys are keys of both directions, and the same as the far end has them.
func secureKeys(name string) Keys {
	n := KeyLen(name)
	return Keys{Suite: name, Local: bytes.Repeat([]byte{7}, n), Remote: bytes.Repeat([]byte{9}, n)}
}

// sealedPacket is a packet as the far end sends it.
func sealedPacket(t testing.TB, c *srtp.Context, seq byte) []byte {
	t.Helper()
	plain := make([]byte, 172)
	plain[0], plain[3] = 0x80, seq
	plain[11] = 5
	b, err := c.EncryptRTP(nil, plain, nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSecure_EverySuiteBothWays(t *testing.T) {
	ports := newPorts(t)
	for _, name := range Suites() {
		s := listen(t, ports, Options{})
		far, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { far.Close() })
		s.SetRemote(far.LocalAddr().(*net.UDPAddr).AddrPort(), Latch{})
		got := make(chan []byte, 8)
		s.Receive(func(p *media.Packet) { got <- bytes.Clone(p.Payload) })
		keys := secureKeys(name)
		if err := s.Secure(keys); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		theirs, err := state(name, keys.Remote)
		if err != nil {
			t.Fatal(err)
		}
		ours, err := state(name, keys.Local)
		if err != nil {
			t.Fatal(err)
		}
		stranger, err := state(name, keys.Local)
		if err != nil {
			t.Fatal(err)
		}
		plain := make([]byte, 172)
		plain[0] = 0x80
		first := sealedPacket(t, theirs, 1)
		// What is plain, of another key, or was here before, is dropped.
		for _, b := range [][]byte{plain, sealedPacket(t, stranger, 2), first, first, sealedPacket(t, theirs, 3)} {
			if _, err := far.WriteToUDPAddrPort(b, s.Local()); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			select {
			case p := <-got:
				if !bytes.Equal(p, make([]byte, 160)) {
					t.Errorf("%s: a payload of %d bytes came out wrong", name, len(p))
				}
			case <-time.After(patience):
				t.Fatalf("%s: nothing came", name)
			}
		}
		if c := s.Counters(); c.Packets != 2 || c.Malformed != 3 || len(got) != 0 {
			t.Errorf("%s: %+v", name, c)
		}
		// The same keys again change nothing: packets go on where they were.
		if err := s.Secure(keys); err != nil {
			t.Fatal(err)
		}
		for seq := range uint16(2) {
			if err := s.Send(&media.Packet{Sequence: seq + 1, Payload: []byte("hello")}); err != nil {
				t.Fatal(err)
			}
			in := make([]byte, 1500)
			far.SetReadDeadline(time.Now().Add(patience))
			n, err := far.Read(in)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(in[:n], []byte("hello")) {
				t.Errorf("%s: it goes out plain", name)
			}
			open, err := ours.DecryptRTP(nil, in[:n], nil)
			if err != nil || string(open[12:]) != "hello" {
				t.Errorf("%s: %q, %v", name, open, err)
			}
		}
	}
}

func TestSecure_RefusesWrongKeys(t *testing.T) {
	s := listen(t, newPorts(t), Options{})
	for name, k := range map[string]Keys{
		"no such suite": {Suite: "NULL"},
		"a short key":   {Suite: "AES_CM_128_HMAC_SHA1_80", Local: make([]byte, 30), Remote: make([]byte, 29)},
	} {
		if err := s.Secure(k); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func BenchmarkSecure(b *testing.B) {
	for _, name := range Suites() {
		b.Run(name, func(b *testing.B) {
			out, err := state(name, secureKeys(name).Local)
			if err != nil {
				b.Fatal(err)
			}
			seal := &sealer{context: out, buf: make([]byte, 0, maxDatagram)}
			plain := make([]byte, 172)
			plain[0] = 0x80
			b.ReportAllocs()
			for b.Loop() {
				if plain[3]++; plain[3] == 0 {
					plain[2]++
				}
				if _, err := seal.rtp(plain); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A far end that makes up a source for every packet fills no memory.
func TestSecure_SourcesAreBounded(t *testing.T) {
	name := Suites()[0]
	theirs, err := state(name, secureKeys(name).Remote)
	if err != nil {
		t.Fatal(err)
	}
	c, err := state(name, secureKeys(name).Remote, srtp.SRTPReplayProtection(replayWindow), srtp.SRTCPReplayProtection(replayWindow))
	if err != nil {
		t.Fatal(err)
	}
	o := &opener{context: c}
	sound := func(ssrc uint32, seq byte) bool {
		plain := make([]byte, 172)
		plain[0], plain[3] = 0x80, seq
		binary.BigEndian.PutUint32(plain[8:], ssrc)
		b, err := theirs.EncryptRTP(nil, plain, nil)
		if err != nil {
			t.Fatal(err)
		}
		return o.rtp(b) != nil
	}
	for i := range uint32(maxSources) {
		if !sound(i, 1) {
			t.Fatalf("source %d is not heard", i)
		}
	}
	if sound(maxSources, 1) || !sound(0, 2) || o.sources != maxSources {
		t.Errorf("%d sources", o.sources)
	}
	if o.rtp([]byte{0x80}) != nil || o.rtcp([]byte{0x80, 200}) != nil {
		t.Error("a fragment was taken")
	}
}
