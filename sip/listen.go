package sip

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	wire "github.com/emiago/sipgo/sip"

	"github.com/switchlet/switchlet/call"
)

// library is done once for all stacks of a process, since what it sets are sipgo's
// package variables: it lifts sipgo's own bound of 1300 bytes for a datagram that
// we send (like the reference we let the network fragment rather than lose the
// call) and silences its default log, which tells of its reference counts. What
// matters comes through the log of each profile.
var library = sync.OnceFunc(func() {
	wire.UDPMTUSize = maxDatagram + 200
	wire.SetDefaultLogger(slog.New(slog.DiscardHandler))
})

const (
	// maxDatagram is the largest UDP payload in bytes.
	maxDatagram = 65507
	// maxMessage bounds a SIP message from outside, in bytes.
	maxMessage = 32 << 10
	// minMessage is shorter than any SIP message; less is a keep-alive or noise.
	minMessage = 24
	// generation is how many sources a UDP reader sees before it is made anew:
	// sipgo remembers every source for as long as a reader runs.
	generation = 8192
	// streamIdle closes a TCP or TLS connection on which nothing was heard.
	streamIdle = 2 * time.Hour
	// streamGreeting is how long a new connection may say nothing.
	streamGreeting = 32 * time.Second
	streamWrite    = 10 * time.Second
	bufferSize     = 4 << 20 // of the UDP socket, in bytes
)

// listen binds the sockets of the profile.
func (p *Profile) listen() error {
	s := p.settings()
	if err := p.setTLS(); err != nil {
		return err
	}
	if s.bindUDP {
		err := p.listenPlain(s)
		for try := 1; err != nil && s.port == 0 && try < autoTries; try++ {
			err = p.listenPlain(s)
		}
		if err != nil {
			return err
		}
	}
	if s.tls {
		l, err := net.Listen("tcp", netip.AddrPortFrom(s.sipIP, uint16(s.tlsPort)).String())
		if err != nil {
			p.closeSockets()
			return p.bindError("TLS", s.tlsPort, err)
		}
		p.secure = p.secured(l)
		p.tlsPort = l.Addr().(*net.TCPAddr).Port
	}
	if err := p.listenWeb(); err != nil {
		p.closeSockets()
		return err
	}
	return nil
}

// autoTries is how many ports sip-port "auto" tries: the one that is free for UDP
// may be taken for TCP.
const autoTries = 10

// listenPlain binds UDP, and TCP at the same port.
func (p *Profile) listenPlain(s *settings) error {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(s.sipIP, uint16(s.port))))
	if err != nil {
		return p.bindError("UDP", s.port, err)
	}
	port := conn.LocalAddr().(*net.UDPAddr).Port
	l, err := net.Listen("tcp", netip.AddrPortFrom(s.sipIP, uint16(port)).String())
	if err != nil {
		conn.Close()
		return p.bindError("TCP", port, err)
	}
	conn.SetReadBuffer(bufferSize)
	conn.SetWriteBuffer(bufferSize)
	wantRefusals(conn)
	p.udp, p.tcp, p.port = conn, l, port
	return nil
}

func (p *Profile) bindError(transport string, port int, err error) error {
	s := p.settings()
	param := "sip-port"
	if transport == "TLS" {
		param = "tls-sip-port"
	}
	return fmt.Errorf("sip: profile %s cannot listen on %s %s: %w; end the program that has the port, or give the profile another %s in sofia.conf",
		s.name, transport, netip.AddrPortFrom(s.sipIP, uint16(port)), err, param)
}

func (p *Profile) closeSockets() {
	if p.udp != nil {
		p.udp.Close()
	}
	for _, l := range []net.Listener{p.tcp, p.secure, p.sockets[0], p.sockets[1], p.doors[0], p.doors[1]} {
		if l != nil {
			l.Close()
		}
	}
}

// serve runs the readers until the sockets are closed.
func (p *Profile) serve() {
	if p.udp != nil {
		p.work.Add(2)
		go func() {
			defer p.work.Done()
			for !p.closing.Load() {
				p.serveUDP()
			}
		}()
		go func() {
			defer p.work.Done()
			p.transport.ServeTCP(&listener{Listener: p.tcp, profile: p, name: "tcp"})
		}()
	}
	if p.secure != nil {
		p.work.Add(1)
		go func() {
			defer p.work.Done()
			p.transport.ServeTLS(&listener{Listener: p.secure, profile: p, name: "tls"})
		}()
	}
	p.serveWeb()
}

// serveUDP reads one generation of sources. A message that breaks the parser
// ends the generation, not the switch.
func (p *Profile) serveUDP() {
	defer func() {
		if r := recover(); r != nil {
			p.log(call.LogCrit, "sip: profile %s: a message broke the parser: %v", p.name, r)
		}
	}()
	p.transport.ServeUDP(&packetConn{UDPConn: p.udp, profile: p, seen: make(map[netip.AddrPort]struct{})})
}

// packetConn is the profile's UDP socket as one generation of the reader has it:
// it drops noise and what exceeds the limits before anything is parsed.
type packetConn struct {
	*net.UDPConn
	profile *Profile
	seen    map[netip.AddrPort]struct{}
}

func (c *packetConn) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		if len(c.seen) >= generation {
			return 0, nil, net.ErrClosed
		}
		n, from, err := c.UDPConn.ReadFromUDPAddrPort(b)
		if err != nil {
			if errors.Is(err, net.ErrClosed) || c.profile.closing.Load() {
				return 0, nil, net.ErrClosed
			}
			if isRefusal(err) {
				refusals(c.UDPConn, c.profile.refused)
			}
			continue
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		if n < minMessage || n > maxMessage || !printable(b[0]) {
			c.profile.counters.noise.Add(1)
			continue
		}
		if !c.profile.admit(from.Addr()) {
			continue
		}
		c.seen[from] = struct{}{}
		if c.profile.tracing() {
			c.profile.traceMessage("recv", "udp", from.String(), b[:n])
		}
		return n, net.UDPAddrFromAddrPort(from), nil
	}
}

func (c *packetConn) WriteTo(b []byte, to net.Addr) (int, error) {
	if c.profile.tracing() {
		c.profile.traceMessage("send", "udp", to.String(), b)
	}
	u, ok := to.(*net.UDPAddr)
	if !ok {
		return c.UDPConn.WriteTo(b, to)
	}
	at := u.AddrPort()
	at = netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
	n, err := c.UDPConn.WriteToUDPAddrPort(b, at)
	if err != nil && isRefusal(err) {
		// The error is that of an earlier datagram, perhaps to somebody else.
		refusals(c.UDPConn, c.profile.refused)
		n, err = c.UDPConn.WriteToUDPAddrPort(b, at)
	}
	return n, err
}

// Close leaves the socket open: the next generation reads from it.
func (c *packetConn) Close() error { return nil }

// printable reports whether a SIP message can begin with c.
func printable(c byte) bool { return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' }

// admit takes a token of the source's bucket.
func (p *Profile) admit(from netip.Addr) bool {
	now := time.Now()
	if p.stack.failures.empty(from, now) || !p.stack.requests.take(from, now) || !p.second.allow(p.settings().maxRequests, now) {
		p.counters.limited.Add(1)
		p.complain(now, from)
		return false
	}
	return true
}

// complain logs refused sources, once a second at most.
func (p *Profile) complain(now time.Time, from netip.Addr) {
	last := p.complained.Load()
	if now.UnixNano()-last < int64(time.Second) || !p.complained.CompareAndSwap(last, now.UnixNano()) {
		return
	}
	p.log(call.LogWarning, "sip: profile %s: dropping messages from %s, which sends too many (%d dropped so far)",
		p.name, from, p.counters.limited.Load())
}

// perSecond bounds what all sources together may send (max-recv-requests-per-second).
type perSecond struct {
	mu     sync.Mutex
	second int64
	n      int
}

func (s *perSecond) allow(limit int, now time.Time) bool {
	if limit <= 0 {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if sec := now.Unix(); sec != s.second {
		s.second, s.n = sec, 0
	}
	s.n++
	return s.n <= limit
}

// listener accepts TCP and TLS connections within the limits.
type listener struct {
	net.Listener
	profile *Profile
	name    string
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			if l.profile.closing.Load() || errors.Is(err, net.ErrClosed) {
				return nil, err
			}
			continue
		}
		if l.profile.streams.Add(1) > int64(l.profile.stack.Limits.Connections) {
			l.profile.streams.Add(-1)
			l.profile.counters.limited.Add(1)
			c.Close()
			continue
		}
		at, _ := netip.ParseAddrPort(c.RemoteAddr().String())
		at = netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
		s := &stream{Conn: c, profile: l.profile, name: l.name, from: at.Addr(), at: at}
		if q, ok := c.(interface{ Proxied() bool }); ok && q.Proxied() {
			l.profile.stack.proxied.Store(at, true)
		}
		c.SetReadDeadline(time.Now().Add(streamGreeting))
		return s, nil
	}
}

// stream is a TCP or TLS connection with deadlines and the source's limits.
type stream struct {
	net.Conn
	profile *Profile
	name    string
	from    netip.Addr
	at      netip.AddrPort
	heard   bool
	once    sync.Once
}

func (s *stream) Read(b []byte) (int, error) {
	if s.heard {
		s.Conn.SetReadDeadline(time.Now().Add(streamIdle))
	}
	n, err := s.Conn.Read(b)
	if err != nil {
		return n, err
	}
	s.heard = true
	if s.name[0] == 'w' && n < minMessage {
		return n, nil // the head of a WebSocket frame, or a keep-alive
	}
	// Each message has one empty line behind its headers; what is read may hold many.
	for range max(1, bytes.Count(b[:n], []byte("\r\n\r\n"))) {
		if !s.profile.admit(s.from) {
			return 0, net.ErrClosed
		}
	}
	if s.profile.tracing() {
		s.profile.traceMessage("recv", s.name, s.RemoteAddr().String(), b[:n])
	}
	return n, nil
}

func (s *stream) Write(b []byte) (int, error) {
	s.Conn.SetWriteDeadline(time.Now().Add(streamWrite))
	if s.profile.tracing() && len(b) >= minMessage && printable(b[0]) {
		s.profile.traceMessage("send", s.name, s.RemoteAddr().String(), b)
	}
	return s.Conn.Write(b)
}

func (s *stream) Close() error {
	s.once.Do(func() {
		s.profile.streams.Add(-1)
		s.profile.stack.proxied.Delete(s.at)
	})
	return s.Conn.Close()
}

// lookupHost resolves a name to an IPv4 address if it has one.
func lookupHost(name string) (netip.Addr, error) {
	ips, err := net.LookupIP(name)
	if err != nil {
		return netip.Addr{}, err
	}
	var found netip.Addr
	for _, ip := range ips {
		a, ok := netip.AddrFromSlice(ip)
		if !ok {
			continue
		}
		if a = a.Unmap(); a.Is4() {
			return a, nil
		}
		found = a
	}
	return found, nil
}
