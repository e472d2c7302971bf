package webrtc

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
)

// sipSocket opens a socket as JsSIP does.
func sipSocket(t *testing.T, url string, protocols ...string) (*websocket.Conn, error) {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	c, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{Subprotocols: protocols})
	if err == nil {
		t.Cleanup(func() { c.CloseNow() })
	}
	return c, err
}

// readFrame reads a client's frame as the SIP stack does: masked, here by zeros.
func readFrame(r io.Reader) ([]byte, error) {
	head := make([]byte, 2)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	n := int(head[1] & 0x7f)
	if n == 126 {
		long := make([]byte, 2)
		if _, err := io.ReadFull(r, long); err != nil {
			return nil, err
		}
		n = int(binary.BigEndian.Uint16(long))
	}
	data := make([]byte, 4+n)
	_, err := io.ReadFull(r, data)
	return data[4:], err
}

// writeFrame writes a frame in two pieces, as the SIP stack does.
func writeFrame(w io.Writer, text string) error {
	head := []byte{0x81, byte(len(text))}
	if len(text) > 125 {
		head = []byte{0x81, 126, byte(len(text) >> 8), byte(len(text))}
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	_, err := io.WriteString(w, text)
	return err
}

func TestSIPListener_CarriesMessagesBothWaysAndFragments(t *testing.T) {
	s := NewSIPListener(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	web := httptest.NewServer(s)
	defer web.Close()
	defer s.Close()
	client, err := sipSocket(t, "ws"+strings.TrimPrefix(web.URL, "http")+"/sip", "sip")
	must(t, err)
	if client.Subprotocol() != "sip" {
		t.Errorf("subprotocol %q", client.Subprotocol())
	}
	stack, err := s.Accept()
	must(t, err)
	request := make([]byte, len(sipHandshake))
	_, err = io.ReadFull(stack, request)
	must(t, err)
	_, err = io.WriteString(stack, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")
	must(t, err)
	got := make(chan string, 4)
	go func() {
		for {
			data, err := readFrame(stack)
			if err != nil {
				close(got)
				return
			}
			got <- string(data)
		}
	}()
	long := "REGISTER sip:box SIP/2.0\r\n" + strings.Repeat("X-Pad: 0123456789\r\n", 1000) + "\r\n"
	ctx := context.Background()
	for _, text := range []string{"OPTIONS sip:box SIP/2.0\r\n\r\n", long} {
		must(t, client.Write(ctx, websocket.MessageText, []byte(text)))
		if back := <-got; back != text {
			t.Errorf("got %d bytes, sent %d", len(back), len(text))
		}
	}
	// A message in fragments.
	w, err := client.Writer(ctx, websocket.MessageText)
	must(t, err)
	for range 3 {
		_, err = w.Write(bytes.Repeat([]byte("a"), 5000))
		must(t, err)
	}
	must(t, w.Close())
	if back := <-got; len(back) != 15000 {
		t.Errorf("fragments: %d bytes", len(back))
	}
	for _, text := range []string{"SIP/2.0 200 OK\r\n\r\n", strings.Repeat("b", 9000)} {
		must(t, writeFrame(stack, text))
		_, back, err := client.Read(ctx)
		must(t, err)
		if string(back) != text {
			t.Errorf("the client got %d bytes, want %d", len(back), len(text))
		}
	}
	client.Write(ctx, websocket.MessageText, make([]byte, sipMessage+1))
	if _, more := <-got; more {
		t.Error("an oversized message came through")
	}
	stack.Close()
	until(t, "no socket and no address is counted", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.open) == 0 && len(s.from) == 0
	})
}

func TestSIPListener_RefusesOtherProtocolsAndTooMany(t *testing.T) {
	s := NewSIPListener(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	web := httptest.NewServer(s)
	defer web.Close()
	url := "ws" + strings.TrimPrefix(web.URL, "http")
	if _, err := sipSocket(t, url); err == nil {
		t.Error("a socket without subprotocol was let in")
	}
	if _, err := sipSocket(t, url, "verto"); err == nil {
		t.Error("a socket of another subprotocol was let in")
	}
	for range sipWaiting {
		_, err := sipSocket(t, url, "sip")
		must(t, err)
	}
	until(t, "all sockets wait", func() bool { return len(s.waiting) == sipWaiting })
	c, err := sipSocket(t, url, "sip")
	if err == nil {
		if _, _, err = c.Read(context.Background()); err == nil {
			t.Error("one more than can wait was kept")
		}
	}
	s.Close()
	if _, err := s.Accept(); err == nil {
		for err == nil { // what waited when it was closed
			_, err = s.Accept()
		}
	}
	until(t, "no socket outlives the listener", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.open) == 0
	})
}

func FuzzSIPPayload(f *testing.F) {
	f.Add([]byte{0x81, 3, 'a', 'b', 'c'})
	f.Add([]byte{0x81, 126, 0, 200})
	f.Fuzz(func(t *testing.T, b []byte) {
		payload, size, err := sipPayload(b)
		if err == nil && size > 0 && (size > len(b) || len(payload) > size) {
			t.Errorf("%d of %d bytes", size, len(b))
		}
	})
}

func TestSIPListener_ProxiesAreTold(t *testing.T) {
	l := NewSIPListener(&net.TCPAddr{})
	web := httptest.NewServer(l)
	defer web.Close()
	defer l.Close()
	for _, header := range []string{"", "X-Forwarded-For", "Forwarded"} {
		ctx, stop := context.WithTimeout(context.Background(), patience)
		defer stop()
		o := &websocket.DialOptions{Subprotocols: []string{"sip"}, HTTPHeader: http.Header{}}
		if header != "" {
			o.HTTPHeader.Set(header, "192.0.2.1")
		}
		c, _, err := websocket.Dial(ctx, web.URL, o)
		must(t, err)
		defer c.CloseNow()
		conn, err := l.Accept()
		must(t, err)
		if got := conn.(interface{ Proxied() bool }).Proxied(); got != (header != "") {
			t.Errorf("%q: %v", header, got)
		}
		conn.Close()
	}
}

// pipe is a listener of one connection.
type pipe struct {
	conn chan net.Conn
	done chan struct{}
}

func (p pipe) Accept() (net.Conn, error) {
	select {
	case c := <-p.conn:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p pipe) Close() error   { close(p.done); return nil }
func (p pipe) Addr() net.Addr { return &net.TCPAddr{} }

func TestListenSIP_WaitsForNoBodyForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pipe{make(chan net.Conn), make(chan struct{})}
		l := ListenSIP(p)
		near, far := net.Pipe()
		p.conn <- far
		begun := time.Now()
		go io.WriteString(near, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
		io.Copy(io.Discard, near)
		if after := time.Since(begun); after > handshakeLimit {
			t.Errorf("closed after %v", after)
		}
		near.Close()
		l.Close()
	})
}
