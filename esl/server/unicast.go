package server

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/esl"
	"github.com/switchlet/switchlet/media"
)

// unicast is raw sound between a call and a socket: 20 ms a packet, 16-bit
// little-endian samples at the call's rate, or with the flag "native" the call's
// own codec.
type unicast struct {
	conn   net.Conn
	rate   int
	enc    media.Encoder // nil: samples
	dec    media.Decoder
	out    chan []byte // what the far end says, to the socket
	in     chan []byte // what comes from the socket
	packet int         // size of a packet of samples in bytes

	mu     sync.Mutex // the tap may be called once more after its end
	closed bool
}

const (
	// unicastQueue is how many packets wait each way: half a second. When it is
	// full the newest are lost.
	unicastQueue = 25
	// maxUnicast is the largest packet of a native codec.
	maxUnicast = 1500
	// unicastDial bounds the connecting of a TCP socket.
	unicastDial = 5 * time.Second
)

func unicastOrder(c *esl.Command) order {
	value := func(name, otherwise string) string {
		if v := c.Headers.Get(name); v != "" {
			return v
		}
		return otherwise
	}
	local := net.JoinHostPort(value("local-ip", "127.0.0.1"), value("local-port", "8025"))
	remote := net.JoinHostPort(value("remote-ip", "127.0.0.1"), value("remote-port", "8026"))
	network := "udp"
	if strings.EqualFold(value("transport", "udp"), "tcp") {
		network = "tcp"
	}
	native := strings.Contains(strings.ToLower(value("flags", "")), "native")
	return order{run: func(ctx context.Context, ch *call.Channel) {
		u, err := openUnicast(ctx, ch, network, local, remote, native)
		if err != nil {
			ch.Log(call.LogErr, "unicast %s -> %s: %v", local, remote, err)
			return
		}
		ch.Switch().Go(func() { u.run(ctx, ch) })
	}}
}

func openUnicast(ctx context.Context, ch *call.Channel, network, local, remote string, native bool) (*unicast, error) {
	d := net.Dialer{Timeout: unicastDial}
	var err error
	if network == "tcp" {
		d.LocalAddr, err = net.ResolveTCPAddr(network, local)
	} else {
		d.LocalAddr, err = net.ResolveUDPAddr(network, local)
	}
	if err != nil {
		return nil, err
	}
	u := &unicast{rate: ch.Rate(), out: make(chan []byte, unicastQueue), in: make(chan []byte, unicastQueue)}
	u.packet = 2 * media.SamplesPerFrame(u.rate)
	if f, _ := ch.Formats(); native && f.Codec != nil && f.Codec.NewEncoder != nil {
		if u.enc, err = f.Codec.NewEncoder(f, u.rate); err != nil {
			return nil, err
		}
		if u.dec, err = f.Codec.NewDecoder(f, u.rate); err != nil {
			u.enc.Close()
			return nil, err
		}
	}
	if u.conn, err = d.DialContext(ctx, network, remote); err != nil {
		u.release()
		return nil, err
	}
	return u, nil
}

func (u *unicast) release() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return
	}
	u.closed = true
	if u.enc != nil {
		u.enc.Close()
	}
	if u.dec != nil {
		u.dec.Close()
	}
}

// run moves sound until the call does something else or the socket fails.
func (u *unicast) run(ctx context.Context, ch *call.Channel) {
	ctx, cancel := context.WithCancel(ctx)
	defer context.AfterFunc(ctx, func() { u.conn.Close() })()
	remove := ch.Port().Tap(media.Read, u.rate, u.heard)
	playback := ch.Port().Play(&unicastSource{u: u}, media.PlayOptions{})
	received := make(chan struct{})
	go func() {
		defer close(received)
		defer cancel()
		u.receive()
	}()
	for ctx.Err() == nil {
		select {
		case p := <-u.out:
			u.conn.SetWriteDeadline(time.Now().Add(time.Second))
			if _, err := u.conn.Write(p); err != nil && u.stream() {
				cancel()
			}
		case <-ctx.Done():
		}
	}
	remove()
	playback.Stop()
	u.conn.Close()
	<-received
}

// stream tells whether a failed write is the end, which it is not for datagrams
// that nobody takes yet.
func (u *unicast) stream() bool { _, ok := u.conn.(*net.TCPConn); return ok }

// heard is a tap: it runs on the clock and must not wait for the socket.
func (u *unicast) heard(pcm []int16) {
	var p []byte
	if u.enc != nil {
		u.mu.Lock()
		defer u.mu.Unlock()
		if u.closed {
			return
		}
		p = make([]byte, maxUnicast)
		n, err := u.enc.Encode(pcm, p)
		if err != nil || n == 0 {
			return
		}
		p = p[:n]
	} else {
		p = make([]byte, 0, u.packet)
		for _, s := range pcm {
			p = binary.LittleEndian.AppendUint16(p, uint16(s))
		}
	}
	select {
	case u.out <- p:
	default:
	}
}

// receive reads packets from the socket until it is closed.
func (u *unicast) receive() {
	size := u.packet
	if u.dec != nil {
		size = maxUnicast
	}
	for {
		p := make([]byte, size)
		var n int
		var err error
		if u.stream() && u.dec == nil {
			n, err = io.ReadFull(u.conn, p)
		} else {
			n, err = u.conn.Read(p)
		}
		if err != nil && (u.stream() || errors.Is(err, net.ErrClosed)) {
			return
		}
		if n == 0 {
			continue
		}
		select {
		case u.in <- p[:n]:
		default:
		}
	}
}

// unicastSource is what the far end hears.
type unicastSource struct {
	u    *unicast
	left []int16
}

func (s *unicastSource) Rate() int { return s.u.rate }

// Read gives what has arrived, and silence where nothing has.
func (s *unicastSource) Read(pcm []int16) (int, error) {
	for i := range pcm {
		if len(s.left) == 0 && !s.next() {
			clear(pcm[i:])
			break
		}
		pcm[i], s.left = s.left[0], s.left[1:]
	}
	return len(pcm), nil
}

func (s *unicastSource) next() bool {
	select {
	case p := <-s.u.in:
		if s.u.dec == nil {
			pcm := make([]int16, len(p)/2)
			for i := range pcm {
				pcm[i] = int16(binary.LittleEndian.Uint16(p[2*i:]))
			}
			s.left = pcm
			return len(pcm) > 0
		}
		pcm := make([]int16, media.MaxRate/10)
		n, err := s.u.dec.Decode(p, pcm)
		s.left = pcm[:max(n, 0)]
		return err == nil && n > 0
	default:
		return false
	}
}

func (s *unicastSource) Close() error {
	s.u.release()
	return nil
}
