//go:build !linux || 386 || s390x

package udp

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Group is a number of sockets. The zero Group is ready to use.
type Group struct{}

// Listen opens a socket on addr and begins to read it; port 0 chooses a free one.
func (g *Group) Listen(addr netip.AddrPort, receive Receive) (*Socket, error) {
	return g.listen(addr, receive, false)
}

// ListenShared opens a socket on which many far ends meet: it has room for what
// they send together.
func (g *Group) ListenShared(addr netip.AddrPort, receive Receive) (*Socket, error) {
	return g.listen(addr, receive, true)
}

func (g *Group) listen(addr netip.AddrPort, receive Receive, shared bool) (*Socket, error) {
	network := "udp6"
	switch ip := addr.Addr(); {
	case ip.Is4():
		network = "udp4"
	case ip.IsUnspecified():
		network = "udp" // "::" stands for IPv4, too
	}
	conn, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(addr))
	if err != nil {
		return nil, err
	}
	if shared {
		// A system that allows less gives what it allows, or nothing.
		_ = conn.SetReadBuffer(sharedBuffer)
		_ = conn.SetWriteBuffer(sharedBuffer)
	}
	s := &Socket{conn: conn}
	s.done.Go(func() { s.read(receive) })
	return s, nil
}

// Read does nothing: what comes is read at once.
func (g *Group) Read(time.Time, time.Duration) {}

// Beside opens a second socket for what belongs to s and is rare, as RTCP is.
func (s *Socket) Beside(addr netip.AddrPort, receive Receive) (*Socket, error) {
	return new(Group).Listen(addr, receive)
}

// Socket is one UDP socket of a Group.
type Socket struct {
	conn *net.UDPConn
	done sync.WaitGroup
}

// Local returns the address that the socket is bound to.
func (s *Socket) Local() netip.AddrPort { return s.conn.LocalAddr().(*net.UDPAddr).AddrPort() }

// Calm does nothing.
func (s *Socket) Calm(calm, early bool) {}

// Send transmits b to the address to.
func (s *Socket) Send(b []byte, to netip.AddrPort) error {
	_, err := s.conn.WriteToUDPAddrPort(b, to)
	return err
}

// Close closes the socket. After it, receive is not called any more; a call of it
// that runs is waited for.
func (s *Socket) Close() error {
	err := s.conn.Close()
	s.done.Wait()
	return err
}

func (s *Socket) read(receive Receive) {
	buf := make([]byte, MaxDatagram)
	for {
		n, from, err := s.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			continue // an ICMP error of an earlier packet
		}
		receive(buf[:n], netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), time.Now())
	}
}
