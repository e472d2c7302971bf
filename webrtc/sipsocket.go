package webrtc

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/switchlet/switchlet/call/directory"
)

// Bounds of SIP over WebSocket.
const (
	sipProtocol     = "sip"    // the subprotocol (RFC 7118 §4)
	sipMessage      = 32 << 10 // bytes of one message
	sipWaiting      = 64       // sockets that wait to be accepted
	sipPerAddress   = 256
	sipSocketsTotal = 2048
)

// SIPListener accepts SIP over WebSocket (RFC 7118): it is the http.Handler that
// upgrades requests for the subprotocol "sip", and the net.Listener from which a
// SIP stack takes the connections. What these carry is WebSocket again, in its
// plainest form: one unfragmented, unmasked text frame a message after a
// handshake, which is what the stack's own framing reads without fault; pings,
// fragments, closing and oversized frames are dealt with here.
type SIPListener struct {
	addr    net.Addr
	waiting chan net.Conn
	done    chan struct{}
	stop    func() // of the server beneath, nil without one
	serving sync.WaitGroup

	mu     sync.Mutex
	closed bool
	open   map[*sipConn]struct{}
	from   map[netip.Addr]int
}

// NewSIPListener makes a SIPListener for requests that some HTTP server hands to
// ServeHTTP. addr is what Addr returns.
func NewSIPListener(addr net.Addr) *SIPListener {
	return &SIPListener{addr: addr, waiting: make(chan net.Conn, sipWaiting), done: make(chan struct{}),
		open: map[*sipConn]struct{}{}, from: map[netip.Addr]int{}}
}

// ListenSIP makes a SIPListener that serves HTTP itself on l, TCP or TLS, as
// ws-binding and wss-binding ask for. Any path will do. Its Close closes l.
func ListenSIP(l net.Listener) net.Listener {
	s := NewSIPListener(l.Addr())
	server := &http.Server{Handler: s, ReadTimeout: handshakeLimit, MaxHeaderBytes: 16 << 10, ErrorLog: discardLog()}
	s.stop = func() { server.Close() }
	s.serving.Go(func() {
		// It ends with Close, or because the listener beneath failed.
		_ = server.Serve(l)
		s.shut()
	})
	return s
}

// Addr is the address that the sockets come to (net.Listener).
func (s *SIPListener) Addr() net.Addr { return s.addr }

// Accept returns the next socket; net.ErrClosed after Close (net.Listener).
func (s *SIPListener) Accept() (net.Conn, error) {
	select {
	case c := <-s.waiting:
		return c, nil
	case <-s.done:
		return nil, net.ErrClosed
	}
}

// Close ends all sockets (net.Listener).
func (s *SIPListener) Close() error {
	s.shut()
	if s.stop != nil {
		s.stop()
	}
	s.serving.Wait()
	return nil
}

func (s *SIPListener) shut() {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	close(s.done)
	list := make([]*sipConn, 0, len(s.open))
	for c := range s.open {
		list = append(list, c)
	}
	s.mu.Unlock()
	for _, c := range list {
		c.Close()
	}
}

// ServeHTTP upgrades a request. What does not ask for the subprotocol is refused
// with 400, what is too much with 503.
func (s *SIPListener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") || !slices.ContainsFunc(r.Header.Values("Sec-WebSocket-Protocol"), namesSIP) {
		w.Header().Set("Connection", "close")
		http.Error(w, "this is SIP over WebSocket: the request must upgrade to websocket, subprotocol sip", http.StatusBadRequest)
		return
	}
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		http.Error(w, "no address", http.StatusBadRequest)
		return
	}
	at = netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
	c := &sipConn{listener: s, key: directory.Source(at.Addr()), remote: net.TCPAddrFromAddrPort(at), local: s.addr,
		proxied: r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != "", pending: []byte(sipHandshake)}
	if own, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		c.local = own
	}
	if !s.enter(c) {
		http.Error(w, "Too many connections", http.StatusServiceUnavailable)
		return
	}
	c.ws, err = websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{sipProtocol}, InsecureSkipVerify: true,
		CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		s.leave(c)
		return
	}
	c.ws.SetReadLimit(sipMessage)
	c.ctx, c.cancel = context.WithCancel(context.Background())
	s.offer(c)
}

// offer hands a socket to Accept, or closes it.
func (s *SIPListener) offer(c *sipConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.open[c] = struct{}{}
		select {
		case s.waiting <- c:
			return
		default:
			delete(s.open, c)
		}
	}
	c.cancel()
	go c.ws.CloseNow()
	s.forget(c)
}

func namesSIP(list string) bool {
	for name := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(strings.TrimSpace(name), sipProtocol) {
			return true
		}
	}
	return false
}

// enter counts a socket; false if its address or all together have too many.
func (s *SIPListener) enter(c *sipConn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.from[c.key] >= sipPerAddress || len(s.open) >= sipSocketsTotal {
		return false
	}
	s.from[c.key]++
	return true
}

// leave takes a socket out of the count.
func (s *SIPListener) leave(c *sipConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
	s.forget(c)
}

func (s *SIPListener) forget(c *sipConn) {
	if s.from[c.key]--; s.from[c.key] <= 0 {
		delete(s.from, c.key)
	}
}

// sipHandshake is the request for an upgrade that the SIP stack gets to read; the
// real one was answered already.
const sipHandshake = "GET / HTTP/1.1\r\nHost: sip\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"

// sipConn is one socket as the SIP stack has it (net.Conn). One goroutine reads.
type sipConn struct {
	listener *SIPListener
	key      netip.Addr
	ws       *websocket.Conn
	local    net.Addr
	remote   net.Addr
	proxied  bool
	ctx      context.Context
	cancel   context.CancelFunc
	once     sync.Once

	pending []byte // of the message that is being read

	deadlines sync.Mutex
	readBy    time.Time
	writeBy   time.Time

	writing sync.Mutex
	begun   bool   // the stack's own answer to the handshake is over
	out     []byte // what the stack wrote of a frame that is not complete
}

var errSIPFrame = errors.New("webrtc: the SIP stack wrote no WebSocket frame")

func (c *sipConn) LocalAddr() net.Addr  { return c.local }
func (c *sipConn) RemoteAddr() net.Addr { return c.remote }

// Proxied reports whether a proxy brought the request for somebody else, so that its
// address says nothing of who speaks.
func (c *sipConn) Proxied() bool { return c.proxied }

// SetDeadline, SetReadDeadline and SetWriteDeadline count for what begins after
// them.
func (c *sipConn) SetDeadline(t time.Time) error {
	c.deadlines.Lock()
	defer c.deadlines.Unlock()
	c.readBy, c.writeBy = t, t
	return nil
}

func (c *sipConn) SetReadDeadline(t time.Time) error {
	c.deadlines.Lock()
	defer c.deadlines.Unlock()
	c.readBy = t
	return nil
}

func (c *sipConn) SetWriteDeadline(t time.Time) error {
	c.deadlines.Lock()
	defer c.deadlines.Unlock()
	c.writeBy = t
	return nil
}

// until is the socket's context with one of its deadlines.
func (c *sipConn) until(deadline *time.Time) (context.Context, context.CancelFunc) {
	c.deadlines.Lock()
	defer c.deadlines.Unlock()
	if deadline.IsZero() {
		return context.WithCancel(c.ctx)
	}
	return context.WithDeadline(c.ctx, *deadline)
}

func (c *sipConn) Read(b []byte) (int, error) {
	for len(c.pending) == 0 {
		ctx, stop := c.until(&c.readBy)
		_, data, err := c.ws.Read(ctx)
		stop()
		if err != nil {
			return 0, net.ErrClosed
		}
		if len(data) > 0 {
			c.pending = sipFrame(data)
		}
	}
	n := copy(b, c.pending)
	c.pending = c.pending[n:]
	return n, nil
}

// sipFrame is a message as a client's text frame (RFC 6455 §5.2) with a mask of
// zeros, which changes nothing.
func sipFrame(data []byte) []byte {
	frame := make([]byte, 0, len(data)+14)
	frame = append(frame, 0x81)
	switch n := len(data); {
	case n < 126:
		frame = append(frame, 0x80|byte(n))
	default: // sipMessage is below 1<<16
		frame = append(frame, 0x80|126, byte(n>>8), byte(n))
	}
	return append(append(frame, 0, 0, 0, 0), data...)
}

func (c *sipConn) Write(b []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.out = append(c.out, b...)
	if !c.begun {
		_, rest, ok := strings.Cut(string(c.out), "\r\n\r\n")
		if !ok {
			return len(b), nil
		}
		c.begun, c.out = true, []byte(rest)
	}
	for {
		payload, size, err := sipPayload(c.out)
		if err != nil {
			return 0, err
		}
		if size == 0 {
			return len(b), nil
		}
		ctx, stop := c.until(&c.writeBy)
		err = c.ws.Write(ctx, websocket.MessageText, payload)
		stop()
		if err != nil {
			return 0, net.ErrClosed
		}
		c.out = append(c.out[:0], c.out[size:]...)
	}
}

// sipPayload is the first frame of what the stack wrote and its size; size 0:
// there is more to come.
func sipPayload(b []byte) (payload []byte, size int, err error) {
	if len(b) < 2 {
		return nil, 0, nil
	}
	if b[0] != 0x81 || b[1]&0x80 != 0 {
		return nil, 0, errSIPFrame
	}
	n, at := int(b[1]), 2
	switch {
	case n == 127:
		return nil, 0, errSIPFrame // longer than any message of ours
	case n == 126 && len(b) < 4:
		return nil, 0, nil
	case n == 126:
		n, at = int(b[2])<<8|int(b[3]), 4
	}
	if len(b) < at+n {
		return nil, 0, nil
	}
	return b[at : at+n], at + n, nil
}

// Close ends the socket; it waits for nobody.
func (c *sipConn) Close() error {
	c.once.Do(func() {
		c.cancel()
		c.ws.CloseNow()
		c.listener.leave(c)
	})
	return nil
}
