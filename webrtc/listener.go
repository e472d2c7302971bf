package webrtc

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"net"
	"net/netip"
	"os"
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

// tlsConfig is that of a profile's secure listeners. A certificate that cannot
// be read is an error, unless the switch has one of its own.
func (s *Server) tlsConfig(p *profile) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	cert, err := p.certificate()
	switch {
	case err == nil:
		config.Certificates = []tls.Certificate{*cert}
	case s.opts.Certificate != nil:
		config.GetCertificate = s.opts.Certificate
	default:
		return nil, err
	}
	return config, nil
}

var errNoCertificate = errors.New("no certificate: set secure-combined to a PEM file with certificate and key")

// certificate reads the files that the profile names.
func (p *profile) certificate() (*tls.Certificate, error) {
	certFile, keyFile := p.cert, p.key
	if p.combined != "" {
		certFile, keyFile = p.combined, p.combined
	}
	if certFile == "" {
		return nil, errNoCertificate
	}
	if keyFile == "" {
		keyFile = certFile
	}
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	if p.chain != "" && len(cert.Certificate) == 1 {
		data, err := os.ReadFile(p.chain)
		if err != nil {
			return nil, fmt.Errorf("secure-chain: %w", err)
		}
		for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
			if block.Type != "CERTIFICATE" || string(block.Bytes) == string(cert.Certificate[0]) {
				continue
			}
			if _, err := x509.ParseCertificate(block.Bytes); err == nil {
				cert.Certificate = append(cert.Certificate, block.Bytes)
			}
		}
	}
	return &cert, nil
}
