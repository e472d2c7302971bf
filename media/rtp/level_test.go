package rtp

import (
	"testing"
	"time"

	"github.com/switchlet/switchlet/media"
)

// extended is an RTP packet of sequence number seq with a header extension, whose
// bytes are filled up to whole words.
func extended(seq byte, profile uint16, ext ...byte) []byte {
	for len(ext)%4 != 0 {
		ext = append(ext, 0)
	}
	b := []byte{0x90, 0, 0, seq, 0, 0, 0, seq, 0, 0, 0, 9, byte(profile >> 8), byte(profile), 0, byte(len(ext) / 4)}
	return append(append(b, ext...), "sound"...)
}

func TestMarkedSilent(t *testing.T) {
	const short, long = 0xBEDE, 0x1000
	cut := extended(1, short, 0x10, 127)
	cut[15] = 0xFF
	contributors := append([]byte{0x92, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 9, 1, 1, 1, 1, 2, 2, 2, 2}, extended(1, short, 0x10, 127)[12:]...)
	for _, c := range []struct {
		name string
		b    []byte
		id   uint8
		want bool
	}{
		{"silent to the last bit", extended(1, short, 0x10, 127), 1, true},
		{"that, from who always says voice", extended(1, short, 0x10, 0x80|127), 1, true},
		{"below what 16 bits can say", extended(1, short, 0x10, 100), 1, true},
		{"as low, but voice", extended(1, short, 0x10, 0x80|100), 1, false},
		{"low noise", extended(1, short, 0x10, 99), 1, false},
		{"speech", extended(1, short, 0x10, 0x80|30), 1, false},
		{"full scale", extended(1, short, 0x10, 0), 1, false},
		{"another id", extended(1, short, 0x20, 127), 1, false},
		{"behind another and padding", extended(1, short, 0x32, 1, 2, 3, 0, 0, 0x10, 127), 1, true},
		{"behind the end", extended(1, short, 0xF0, 127, 0x10, 127), 1, false},
		{"two bytes long", extended(1, short, 0x11, 127, 127), 1, false},
		{"longer than the extension", extended(1, short, 0, 0, 0, 0x10), 1, false},
		{"in the two-byte form", extended(1, long, 1, 1, 127), 1, true},
		{"a high id in the two-byte form", extended(1, long|7, 3, 0, 200, 1, 127), 200, true},
		{"two-byte form, no room", extended(1, long, 0, 0, 0, 1), 1, false},
		{"two-byte form, too long", extended(1, long, 1, 40, 127), 1, false},
		{"an extension of another kind", extended(1, 0x1234, 0x10, 127), 1, false},
		{"after contributing sources", contributors, 1, true},
		{"more words than there are", cut, 1, false},
		{"nothing agreed", extended(1, short, 0x10, 127), 0, false},
		{"no extension", []byte{0x80, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 9, 0xBE, 0xDE, 0, 1, 0x10, 127, 0, 0}, 1, false},
		{"cut in the extension's head", extended(1, short, 0x10, 127)[:14], 1, false},
		{"cut in the header", extended(1, short, 0x10, 127)[:8], 1, false},
	} {
		if got := MarkedSilent(c.b, c.id); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestSession_SaysWhatIsMarkedSilent(t *testing.T) {
	ports := newPorts(t)
	s, far := listen(t, ports, Options{}), listen(t, ports, Options{})
	s.SetRemote(far.Local(), Latch{})
	got := collect(s)
	for _, c := range []struct {
		id, level byte
		want      bool
	}{{3, 127, true}, {3, 0x80 | 20, false}, {0, 127, false}} {
		s.SetLevel(c.id)
		if err := far.conn.Send(extended(c.level, 0xBEDE, 0x30, c.level), s.Local()); err != nil {
			t.Fatal(err)
		}
		if k := await(t, got, "packet"); k.Silent != c.want || string(k.Payload) != "sound" {
			t.Errorf("level %d, agreed %d: %+v", c.level, c.id, k)
		}
	}
}

// TestSession_RelaysWithoutTheExtension: what one far end says of itself is nobody
// else's business, and was not agreed with them.
func TestSession_RelaysWithoutTheExtension(t *testing.T) {
	ports := newPorts(t)
	s, far := listen(t, ports, Options{}), listen(t, ports, Options{})
	s.SetRemote(far.Local(), Latch{})
	far.SetRemote(s.Local(), Latch{})
	heard := make(chan []byte, 1)
	far.Receive(func(p *media.Packet) { heard <- append([]byte(nil), p.Buf...) })
	var k media.Packet
	if !parse(extended(5, 0xBEDE, 0x10, 127), &k) {
		t.Fatal("not RTP")
	}
	k.Arrived = time.Now()
	if err := s.Send(&k); err != nil {
		t.Fatal(err)
	}
	if b := await(t, heard, "packet"); len(b) != headerLen+len("sound") || b[0] != 0x80 {
		t.Errorf("relayed as % x", b)
	}
}
