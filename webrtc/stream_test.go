package webrtc

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// testStreams is a listener whose calls are those of a socket.
func testStreams(t *testing.T) (*streams, *udpSocket) {
	t.Helper()
	l, err := listenLoopback("tcp", "")
	must(t, err)
	s := testSocket(t)
	tcp := newStreams(l, s)
	t.Cleanup(tcp.close)
	return tcp, s
}

func (t *streams) dial(tb testing.TB) net.Conn {
	tb.Helper()
	c, err := net.Dial("tcp", t.listener.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c
}

func framed(b []byte) []byte { return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...) }

// gone waits until the far end has closed a connection.
func gone(t *testing.T, c net.Conn, why string) {
	t.Helper()
	if _, err := c.Read(make([]byte, 1)); err != io.EOF && !strings.Contains(err.Error(), "reset") {
		t.Errorf("%s: %v", why, err)
	}
}

func TestStream_PacketsGoBothWays(t *testing.T) {
	tcp, s := testStreams(t)
	p := s.open("user", &wire{})
	c := tcp.dial(t)
	first := stunRequest("user:them")
	c.Write(append(framed(first), framed([]byte{0x80, 200, 1, 2})...))
	buf := make([]byte, maxDatagram)
	n, from, err := p.ReadFromAddrPort(buf)
	if err != nil || !bytes.Equal(buf[:n], first) || from.String() != c.LocalAddr().String() {
		t.Fatalf("%x from %v: %v", buf[:n], from, err)
	}
	if n, _, err = p.ReadFromAddrPort(buf); err != nil || n != 4 {
		t.Fatalf("the second packet: %d bytes, %v", n, err)
	}
	for _, b := range [][]byte{{1, 2, 3}, {4}} {
		if _, err := p.WriteToAddrPort(b, from); err != nil {
			t.Fatal(err)
		}
		n, err := readPacket(c, buf)
		if err != nil || !bytes.Equal(buf[:n], b) {
			t.Errorf("got %x: %v", buf[:n], err)
		}
	}
	if s.peers[from] != nil {
		t.Error("the connection's address counts for UDP")
	}
	p.Close()
	gone(t, c, "the call's end")
}

func TestStream_WhoNamesNoCallIsClosed(t *testing.T) {
	tcp, s := testStreams(t)
	s.open("user", &wire{})
	for why, b := range map[string][]byte{
		"another call": framed(stunRequest("other:them")),
		"no STUN":      framed([]byte{22, 254, 253}),
		"no length":    {0, 0},
		"too long":     {0xff, 0xff},
		"HTTP":         []byte("GET / HTTP/1.1\r\n\r\n"),
	} {
		c := tcp.dial(t)
		c.Write(b)
		gone(t, c, why)
	}
}

func TestStream_ConnectionsOfOneAddressAndCallAreBounded(t *testing.T) {
	tcp, s := testStreams(t)
	p := s.open("user", &wire{})
	named := 0
	buf := make([]byte, maxDatagram)
	for range maxStreams + 4 {
		c := tcp.dial(t)
		c.Write(framed(stunRequest("user:them")))
		if named < maxStreams {
			if _, _, err := p.ReadFromAddrPort(buf); err != nil {
				t.Fatal(err)
			}
			named++
			continue
		}
		gone(t, c, "one too many of a call")
	}
	silent := make([]net.Conn, maxStrangers)
	for i := range silent {
		silent[i] = tcp.dial(t)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		tcp.guard.mu.Lock()
		full := tcp.guard.total == maxStrangers
		tcp.guard.mu.Unlock()
		if full {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the silent ones are not counted")
		}
	}
	gone(t, tcp.dial(t), "one too many of an address")
}

func TestStream_ASlowBrowserHoldsNobodyUp(t *testing.T) {
	far, near := net.Pipe() // takes nothing that nobody reads
	defer far.Close()
	s := &stream{conn: near, from: netip.MustParseAddrPort("127.0.0.1:9"), wake: make(chan struct{}, 1), done: make(chan struct{})}
	ended := make(chan struct{})
	go func() { s.write(); close(ended) }()
	packet := make([]byte, 1000)
	for range 10 * streamBuffer / len(packet) {
		s.send(packet)
	}
	s.mu.Lock()
	if len(s.queued) > streamBuffer {
		t.Errorf("%d bytes wait", len(s.queued))
	}
	s.mu.Unlock()
	s.close()
	<-ended
}

// FuzzStreamFrames holds that frames of any length stay inside of the buffer.
func FuzzStreamFrames(f *testing.F) {
	f.Add([]byte{0, 3, 1, 2, 3, 0, 1, 9})
	f.Add([]byte{0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bufio.NewReader(bytes.NewReader(b))
		buf := make([]byte, maxDatagram)
		for read := 0; ; {
			n, err := readPacket(r, buf)
			if err != nil {
				return
			}
			if read += frameHeader + n; n == 0 || read > len(b) {
				t.Fatalf("%d bytes of %d", read, len(b))
			}
		}
	})
}
