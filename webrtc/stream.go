package webrtc

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Bounds of a connection over TCP, which is for browsers behind firewalls that
// let no UDP through (RFC 6544).
const (
	streamBuffer  = 64 << 10         // bytes that wait for a slow browser; more packets are lost
	streamName    = 10 * time.Second // to name a call
	streamSilence = time.Minute      // after which it is closed: ICE speaks every few seconds
	streamWrite   = 10 * time.Second // for what was queued to be taken
	maxStreams    = 16               // of one call
	acceptPause   = 10 * time.Millisecond
	frameHeader   = 2 // bytes before each packet (RFC 4571 §2)
)

var (
	errFrame  = errors.New("webrtc: frame of a length that is not allowed")
	errNoCall = errors.New("webrtc: the connection names no call")
)

// streams takes the connections over TCP. What comes over one is treated as what
// comes over UDP, from the address of its far end: pion knows of UDP alone.
type streams struct {
	listener net.Listener
	socket   *udpSocket // whose calls are meant
	guard    *guard     // counts those that have not named a call

	mu     sync.Mutex
	all    map[*stream]struct{}
	closed bool
	work   sync.WaitGroup
}

func newStreams(l net.Listener, s *udpSocket) *streams {
	t := &streams{listener: l, socket: s, guard: newGuard(), all: map[*stream]struct{}{}}
	t.work.Add(1)
	go t.accept()
	return t
}

func (t *streams) accept() {
	defer t.work.Done()
	for {
		c, err := t.listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			time.Sleep(acceptPause) // out of file descriptors
			continue
		}
		from := c.RemoteAddr().(*net.TCPAddr).AddrPort()
		s := &stream{conn: c, from: unmapped(from), wake: make(chan struct{}, 1), done: make(chan struct{})}
		if !t.guard.enter(s.from.Addr()) {
			c.Close()
			continue
		}
		if !t.add(s) {
			t.guard.leave(s.from.Addr())
			c.Close()
			continue
		}
		go func() {
			defer t.work.Done()
			t.serve(s)
		}()
	}
}

func (t *streams) add(s *stream) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	t.all[s] = struct{}{}
	t.work.Add(1)
	return true
}

// serve reads one connection to its end.
func (t *streams) serve(s *stream) {
	defer func() {
		s.close()
		t.mu.Lock()
		delete(t.all, s)
		t.mu.Unlock()
	}()
	r := bufio.NewReaderSize(s.conn, maxDatagram)
	buf := make([]byte, maxDatagram)
	p, n, err := t.named(s, r, buf)
	t.guard.leave(s.from.Addr())
	if err != nil || !p.join(s) {
		return
	}
	defer p.leave(s)
	t.work.Add(1)
	go func() {
		defer t.work.Done()
		s.write()
	}()
	for err == nil {
		p.arrived(buf[:n], s.from, time.Now())
		s.conn.SetReadDeadline(time.Now().Add(streamSilence))
		n, err = readPacket(r, buf)
	}
}

// named reads the first frame, which must be a STUN request that names a call.
func (t *streams) named(s *stream, r io.Reader, buf []byte) (*path, int, error) {
	s.conn.SetReadDeadline(time.Now().Add(streamName))
	n, err := readPacket(r, buf)
	if err != nil {
		return nil, 0, err
	}
	p := t.socket.named(buf[:n])
	if p == nil {
		return nil, 0, errNoCall
	}
	return p, n, nil
}

// readPacket reads one packet and its length.
func readPacket(r io.Reader, buf []byte) (int, error) {
	if _, err := io.ReadFull(r, buf[:frameHeader]); err != nil {
		return 0, err
	}
	n := int(binary.BigEndian.Uint16(buf))
	if n == 0 || n > len(buf) {
		return 0, errFrame
	}
	return io.ReadFull(r, buf[:n])
}

// close ends all connections.
func (t *streams) close() {
	t.listener.Close()
	t.mu.Lock()
	t.closed = true
	for s := range t.all {
		s.close()
	}
	t.mu.Unlock()
	t.work.Wait()
}

// stream is one connection over TCP.
type stream struct {
	conn net.Conn
	from netip.AddrPort
	once sync.Once
	done chan struct{}
	wake chan struct{}

	mu     sync.Mutex
	queued []byte
}

// send queues one packet; it never waits for the network.
func (s *stream) send(b []byte) (int, error) {
	s.mu.Lock()
	room := len(s.queued)+frameHeader+len(b) <= streamBuffer
	if room {
		s.queued = binary.BigEndian.AppendUint16(s.queued, uint16(len(b)))
		s.queued = append(s.queued, b...)
	}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return len(b), nil // what is lost is lost as on a network
}

// write sends what is queued, until the connection ends.
func (s *stream) write() {
	var out []byte
	for {
		select {
		case <-s.wake:
		case <-s.done:
			return
		}
		s.mu.Lock()
		out, s.queued = s.queued, out[:0]
		s.mu.Unlock()
		s.conn.SetWriteDeadline(time.Now().Add(streamWrite))
		if _, err := s.conn.Write(out); err != nil {
			s.close()
			return
		}
	}
}

func (s *stream) close() {
	s.once.Do(func() {
		close(s.done)
		s.conn.Close()
	})
}
