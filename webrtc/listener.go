package webrtc

import (
	"crypto/tls"
	"errors"
	"io"
	stdlog "log"
	"net"
	"net/netip"
	"time"
)

// handshakeLimit is how long a connection may take to ask for its upgrade.
const handshakeLimit = 10 * time.Second

// keepAlive is the idle time and interval of TCP's keep-alive.
const keepAlive = 30 * time.Second

// discardLog takes what net/http says about broken handshakes.
func discardLog() *stdlog.Logger { return stdlog.New(io.Discard, "", 0) }

// admission closes refused connections silently right after accept, and sets up
// the others.
type admission struct {
	net.Listener
	server  *Server
	profile *profile
}

func (a *admission) Accept() (net.Conn, error) {
	for {
		c, err := a.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from, err := netip.ParseAddrPort(c.RemoteAddr().String())
		if err != nil || !a.server.admits(a.profile, from.Addr().Unmap()) {
			c.Close()
			continue
		}
		if t, ok := c.(*net.TCPConn); ok {
			t.SetNoDelay(true)
			t.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: keepAlive, Interval: keepAlive})
		}
		return c, nil
	}
}

// tlsConfig is that of a profile's secure listeners.
func (s *Server) tlsConfig(p *profile) (*tls.Config, error) {
	if s.opts.Certificate == nil {
		return nil, errNoCertificate
	}
	get, err := s.opts.Certificate(p.files)
	if err != nil {
		return nil, err
	}
	return &tls.Config{GetCertificate: get, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}, nil
}

// CertificateFiles are PEM files that a profile names.
type CertificateFiles struct {
	Combined string // secure-combined: certificate, key and perhaps chain in one
	Cert     string // secure-cert
	Key      string // secure-key
	Chain    string // secure-chain
}

var errNoCertificate = errors.New("there is no certificate for secure listeners")
