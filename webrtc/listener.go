package webrtc

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	stdlog "log"
	"net"
	"net/netip"
	"os"
	"sync"
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

// tlsConfig is that of a profile's secure listeners. Files that are not there give
// way to the switch's own certificate, if it has one; files that cannot be read are
// an error.
func (s *Server) tlsConfig(p *profile) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	f := &filed{profile: p}
	_, err := f.certificate(nil)
	switch {
	case err == nil:
		config.GetCertificate = f.certificate
	case s.opts.Certificate != nil && (errors.Is(err, errNoCertificate) || errors.Is(err, fs.ErrNotExist)):
		config.GetCertificate = s.opts.Certificate
	default:
		return nil, err
	}
	return config, nil
}

// filed is the certificate of a profile's files, read again when they change.
type filed struct {
	profile *profile

	mu      sync.Mutex
	cert    *tls.Certificate
	looked  time.Time
	changed [4]time.Time
}

// lookEvery is how often the files are looked at, at most.
const lookEvery = time.Second

// certificate implements tls.Config.GetCertificate. Changed files that cannot be
// read leave the certificate in force.
func (f *filed) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if f.cert != nil && now.Sub(f.looked) < lookEvery {
		return f.cert, nil
	}
	f.looked = now
	var changed [4]time.Time
	for i, name := range []string{f.profile.combined, f.profile.cert, f.profile.key, f.profile.chain} {
		if info, err := os.Stat(name); err == nil {
			changed[i] = info.ModTime()
		}
	}
	if f.cert != nil && changed == f.changed {
		return f.cert, nil
	}
	cert, err := f.profile.certificate()
	if err == nil {
		f.cert, f.changed = cert, changed
	}
	if f.cert == nil {
		return nil, err
	}
	return f.cert, nil
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
