package webrtc

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/stun/v4"

	"github.com/switchlet/switchlet/media/udp"
)

// Bounds of what a socket reads and keeps.
const (
	maxDatagram  = udp.MaxDatagram // longer ones are dropped; ICE, DTLS and SRTP stay below 1500
	pathQueue    = 32              // datagrams that wait for pion, which are STUN, DTLS and RTCP
	maxAddresses = 64              // that one call talks to on one socket; the oldest is forgotten
)

// udpSocket is the port that all browsers share, on one local address. Sound goes
// straight to the call it belongs to (shortcut); the rest waits in the call's path until pion takes it.
type udpSocket struct {
	conn  *udp.Socket
	local netip.AddrPort
	moods moods

	mu    sync.RWMutex
	users map[string]*path         // by our ICE user name
	peers map[netip.AddrPort]*path // by the far end's address
}

// listenUDP opens the port of addr; 0 is any free one.
func listenUDP(sockets *udp.Group, addr netip.AddrPort) (*udpSocket, error) {
	s := &udpSocket{users: map[string]*path{}, peers: map[netip.AddrPort]*path{}}
	conn, err := sockets.ListenShared(unmapped(addr), func(b []byte, from netip.AddrPort, at time.Time) {
		if n := len(b); n > 0 && n < maxDatagram {
			s.datagram(b, from, at)
		}
	})
	if err != nil {
		return nil, err
	}
	s.conn, s.local = conn, conn.Local()
	return s, nil
}

// unmapped is a with an IPv4 address instead of one mapped into IPv6.
func unmapped(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// datagram sorts by the first byte (RFC 7983 §7).
func (s *udpSocket) datagram(b []byte, from netip.AddrPort, at time.Time) {
	s.mu.RLock()
	p := s.peers[from]
	s.mu.RUnlock()
	if b[0] <= 3 {
		// A browser's new call may come from an address that an older one had.
		if q := s.named(b); q != nil {
			p = q
		}
	}
	if p != nil {
		p.arrived(b, from, at)
	}
}

// isMedia reports whether a datagram is RTP, not RTCP (RFC 5761 §4).
func isMedia(b []byte) bool { return len(b) > 1 && b[0]>>6 == 2 && (b[1] < 192 || b[1] > 223) }

// isControl reports whether a datagram is RTCP.
func isControl(b []byte) bool { return b[0]>>6 == 2 && !isMedia(b) }

// Bounds of RTCP, of which pion keeps something for every source that ever sent some.
const (
	controlRate  = 50 // packets a second
	controlBurst = 200
)

// allowance is a bucket of tokens, one a packet of RTCP.
type allowance struct {
	mu     sync.Mutex
	tokens float64
	at     time.Time
}

// allow takes a token; false: there is none.
func (a *allowance) allow(now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.at.IsZero() {
		a.tokens = controlBurst
	}
	a.tokens = min(controlBurst, a.tokens+controlRate*now.Sub(a.at).Seconds())
	if a.at = now; a.tokens < 1 {
		return false
	}
	a.tokens--
	return true
}

// named finds the call whose ICE user name a STUN request carries.
func (s *udpSocket) named(b []byte) *path {
	if !stun.IsMessage(b) {
		return nil
	}
	m := stun.Message{Raw: b}
	if m.Decode() != nil {
		return nil
	}
	name, err := m.Get(stun.AttrUsername)
	if err != nil {
		return nil
	}
	ours, _, _ := bytes.Cut(name, []byte{':'})
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.users[string(ours)]
}

// open makes the path of a call on this socket.
func (s *udpSocket) open(user string, w *wire) *path {
	p := &path{socket: s, wire: w, user: user, in: make(chan *datagram, pathQueue), closed: make(chan struct{})}
	w.paths.add(p)
	s.mu.Lock()
	s.users[user] = p
	s.mu.Unlock()
	return p
}

func (s *udpSocket) remove(user string) {
	s.mu.RLock()
	p := s.users[user]
	s.mu.RUnlock()
	if p != nil {
		p.Close()
	}
}

func (s *udpSocket) close() {
	s.conn.Close()
	s.mu.RLock()
	all := make([]*path, 0, len(s.users))
	for _, p := range s.users {
		all = append(all, p)
	}
	s.mu.RUnlock()
	for _, p := range all {
		p.Close()
	}
}

// datagram is one that waits for pion.
type datagram struct {
	data []byte
	from netip.AddrPort
}

// path is what one call sends and receives on one socket: the net.PacketConn of
// its local candidate in pion's ICE agent.
type path struct {
	socket *udpSocket
	wire   *wire
	user   string
	in     chan *datagram
	once   sync.Once
	closed chan struct{}
	addrs  []netip.AddrPort // that were sent to, oldest first; under socket.mu

	streams   map[netip.AddrPort]*stream // over TCP, by the far end; under socket.mu
	streaming atomic.Bool                // there was one
}

// arrived takes what came for the call at a moment.
func (p *path) arrived(b []byte, from netip.AddrPort, at time.Time) {
	switch {
	case isMedia(b) && p.wire.take(b, at):
		return
	case isControl(b) && !p.wire.control.allow(time.Now()):
		return
	case b[0] == recordHandshake:
		p.wire.short.hello(b, true)
	}
	select {
	case p.in <- &datagram{bytes.Clone(b), from}:
	default: // as lost as on the network: ICE, DTLS and RTCP repeat themselves
	}
}

// ReadFromAddrPort waits for a datagram (ice.AddrPortReaderWriter).
func (p *path) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	for {
		select {
		case d := <-p.in:
			if len(d.data) <= len(b) {
				return copy(b, d.data), d.from, nil
			}
		case <-p.closed:
			return 0, netip.AddrPort{}, io.EOF
		}
	}
}

// WriteToAddrPort sends what pion has to say, and makes to an address of the call
// (ice.AddrPortReaderWriter).
func (p *path) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	select {
	case <-p.closed:
		return 0, io.ErrClosedPipe
	default:
	}
	if len(b) > 0 && b[0] == recordHandshake {
		p.wire.short.hello(b, false)
	}
	to = unmapped(to)
	if p.streaming.Load() {
		if s := p.stream(to); s != nil {
			return s.send(b)
		}
	}
	p.know(to, isSuccess(b))
	if err := p.socket.conn.Send(b, to); err != nil {
		return 0, err
	}
	return len(b), nil
}

// stream is the connection over TCP with an address, nil if there is none.
func (p *path) stream(to netip.AddrPort) *stream {
	p.socket.mu.RLock()
	defer p.socket.mu.RUnlock()
	return p.streams[to]
}

// join makes a connection over TCP the call's.
func (p *path) join(s *stream) bool {
	p.socket.mu.Lock()
	defer p.socket.mu.Unlock()
	if p.socket.users[p.user] != p || len(p.streams) >= maxStreams {
		return false
	}
	if p.streams == nil {
		p.streams = map[netip.AddrPort]*stream{}
	}
	p.streams[s.from] = s
	p.streaming.Store(true)
	return true
}

func (p *path) leave(s *stream) {
	p.socket.mu.Lock()
	defer p.socket.mu.Unlock()
	if p.streams[s.from] == s {
		delete(p.streams, s.from)
	}
}

// isSuccess reports whether a datagram of ours is STUN's success, which answers a
// request that was authenticated (RFC 8489 §5).
func isSuccess(b []byte) bool { return len(b) > 1 && b[0] == 1 && b[1] == 1 }

// know makes what comes from an address this call's. One that is another call's stays
// that unless proven says that a browser of this one has spoken from there: anybody
// can name an address in a description.
func (p *path) know(from netip.AddrPort, proven bool) {
	s := p.socket
	s.mu.RLock()
	known := s.peers[from] == p
	s.mu.RUnlock()
	if known {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users[p.user] != p {
		return // closed meanwhile
	}
	if old := s.peers[from]; old != nil {
		if !proven {
			return
		}
		old.addrs = slices.DeleteFunc(old.addrs, func(a netip.AddrPort) bool { return a == from })
	}
	if len(p.addrs) == maxAddresses {
		delete(s.peers, p.addrs[0])
		p.addrs = slices.Delete(p.addrs, 0, 1)
	}
	p.addrs = append(p.addrs, from)
	s.peers[from] = p
}

// ReadFrom is ReadFromAddrPort (net.PacketConn).
func (p *path) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := p.ReadFromAddrPort(b)
	if err != nil {
		return 0, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

// WriteTo is WriteToAddrPort (net.PacketConn).
func (p *path) WriteTo(b []byte, to net.Addr) (int, error) {
	a, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, fmt.Errorf("webrtc: %v is no UDP address", to)
	}
	return p.WriteToAddrPort(b, a.AddrPort())
}

// LocalAddr is the socket's (net.PacketConn).
func (p *path) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(p.socket.local) }

// Deadlines are the socket's, which is everyone's: a path ends by Close alone
// (net.PacketConn).
func (p *path) SetDeadline(time.Time) error      { return nil }
func (p *path) SetReadDeadline(time.Time) error  { return nil }
func (p *path) SetWriteDeadline(time.Time) error { return nil }

// Close takes the call off the socket (net.PacketConn).
func (p *path) Close() error {
	p.once.Do(func() {
		s := p.socket
		s.mu.Lock()
		if s.users[p.user] == p {
			delete(s.users, p.user)
		}
		for _, a := range p.addrs {
			delete(s.peers, a)
		}
		for _, c := range p.streams {
			c.close()
		}
		p.addrs = nil
		s.mu.Unlock()
		p.wire.paths.drop(p)
		close(p.closed)
	})
	return nil
}

// paths are those that a call has open.
type paths struct {
	sync.Mutex
	list []*path
	mood mood
}

func (l *paths) add(p *path) {
	l.Lock()
	defer l.Unlock()
	l.list = append(l.list, p)
	p.socket.feels(l.mood, 1)
}

func (l *paths) drop(p *path) {
	l.Lock()
	defer l.Unlock()
	if i := slices.Index(l.list, p); i >= 0 {
		l.list = slices.Delete(l.list, i, i+1)
		p.socket.feels(l.mood, -1)
	}
}

// feel changes how soon the call wants its sound.
func (l *paths) feel(m mood) {
	l.Lock()
	defer l.Unlock()
	for _, p := range l.list {
		p.socket.feels(m, 1)
		p.socket.feels(l.mood, -1)
	}
	l.mood = m
}

// mood is how soon a call wants its sound.
type mood int

const (
	atOnce  mood = iota
	early        // a little before the clock ticks
	inTime       // when the clock ticks
	anyMood      // their number
)

// moods are how many calls there are of each.
type moods struct {
	sync.Mutex
	calls [anyMood]int
}

// feels has the socket know of n more calls of a mood.
func (s *udpSocket) feels(m mood, n int) {
	s.moods.Lock()
	defer s.moods.Unlock()
	s.moods.calls[m] += n
	s.conn.Calm(s.moods.calls[atOnce] == 0, s.moods.calls[early] > 0)
}

// at is the path on the socket with a local address, nil if there is none.
func (l *paths) at(local netip.AddrPort) *path {
	l.Lock()
	defer l.Unlock()
	for _, p := range l.list {
		if p.socket.local == local {
			return p
		}
	}
	return nil
}

// udpPaths makes the paths of one call (ice.UDPMux).
type udpPaths struct {
	sockets []*udpSocket
	wire    *wire
}

// GetConn makes the path on the socket with a local address.
func (u udpPaths) GetConn(user string, local net.Addr) (net.PacketConn, error) {
	a, ok := local.(*net.UDPAddr)
	for _, s := range u.sockets {
		if ok && s.local == unmapped(a.AddrPort()) {
			return s.open(user, u.wire), nil
		}
	}
	return nil, fmt.Errorf("webrtc: no socket at %v", local)
}

// RemoveConnByUfrag ends the paths of an ICE user name.
func (u udpPaths) RemoveConnByUfrag(user string) {
	for _, s := range u.sockets {
		s.remove(user)
	}
}

// GetListenAddresses are the sockets' own.
func (u udpPaths) GetListenAddresses() []net.Addr {
	list := make([]net.Addr, 0, len(u.sockets))
	for _, s := range u.sockets {
		list = append(list, net.UDPAddrFromAddrPort(s.local))
	}
	return list
}

// Close does nothing: the sockets are the network's.
func (u udpPaths) Close() error { return nil }
