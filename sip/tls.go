package sip

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/switchlet/switchlet/conf"
)

// GetCertificate hands out a certificate as tls.Config wants it.
type GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error)

// Files of a directory of certificates, as the reference names them.
var agentFiles = []string{"agent.pem", "tls.pem"}

const (
	rootsFile = "cafile.pem"
	maxRoots  = 4 << 20 // bytes of rootsFile
)

// tlsSettings are a profile's parameters that begin with "tls-" and are about
// certificates.
type tlsSettings struct {
	dir       string // tls-cert-dir, "" for the box's
	min, max  uint16 // versions
	in, out   bool   // whose certificates are verified: callers', those we connect to
	subjects  []string
	checkDate bool
	depth     int // most certificates between the peer's and its root
}

// defaultDepth is tls-verify-depth.
const defaultDepth = 2

// versions are the words of tls-version. What is older than TLS 1.2 counts as
// that: nothing older is spoken.
var versions = map[string]uint16{"tlsv1": tls.VersionTLS12, "tlsv1.1": tls.VersionTLS12, "tlsv1.2": tls.VersionTLS12, "tlsv1.3": tls.VersionTLS13}

// readTLS reads the parameters. What is not understood is an error: a wrong word
// must not lessen what is verified.
func readTLS(p conf.ParamList) (t tlsSettings, err error) {
	t = tlsSettings{dir: p.Get("tls-cert-dir"), min: tls.VersionTLS12, max: tls.VersionTLS13,
		checkDate: p.Bool("tls-verify-date", true), depth: max(p.Int("tls-verify-depth", defaultDepth), 0)}
	for i, word := range strings.FieldsFunc(strings.ToLower(p.Get("tls-version")), func(r rune) bool { return r == ',' || r == ' ' }) {
		if word == "sslv23" {
			t.min, t.max = tls.VersionTLS12, tls.VersionTLS13
			break
		}
		v, ok := versions[word]
		switch {
		case !ok:
			return t, fmt.Errorf("tls-version %q: write a list of %s", word, "tlsv1.2, tlsv1.3")
		case i == 0:
			t.min, t.max = v, v
		}
		t.min, t.max = min(t.min, v), max(t.max, v)
	}
	for _, word := range strings.FieldsFunc(strings.ToLower(p.Get("tls-verify-policy")), func(r rune) bool { return r == '|' || r == ' ' }) {
		kind, named := strings.CutPrefix(word, "subjects_")
		switch kind {
		case "none":
		case "in":
			t.in = true
		case "out":
			t.out = true
		case "all":
			t.in, t.out = true, true
		default:
			return t, fmt.Errorf("tls-verify-policy %q: write none, in, out, all, subjects_in, subjects_out or subjects_all", word)
		}
		if named && kind != "out" {
			for _, s := range strings.Split(p.Get("tls-verify-in-subjects"), "|") {
				if s = strings.TrimSpace(s); s != "" {
					t.subjects = append(t.subjects, s)
				}
			}
			if len(t.subjects) == 0 {
				return t, errors.New("tls-verify-policy asks for certain subjects: name them in tls-verify-in-subjects, divided by |")
			}
		}
	}
	if p.Get("tls-passphrase") != "" {
		return t, errors.New("tls-passphrase: keys under a passphrase cannot be read; take it off (openssl pkey -in agent.pem) and protect the file")
	}
	return t, nil
}

// setTLS makes the configurations of the profile's secure bindings and of its
// connections to others. No certificate is an error only where one is served.
func (p *Profile) setTLS() error {
	s := p.settings()
	t := s.security
	roots, err := p.stack.roots(t.dir)
	if err != nil {
		return fmt.Errorf("sip: profile %s: %w", s.name, err)
	}
	p.dialTLS = t.client(roots)
	if !s.tls && s.wssBinding == "" {
		return nil
	}
	serve, err := p.stack.certificate(t.dir)
	if err != nil {
		return fmt.Errorf("sip: profile %s: %w", s.name, err)
	}
	if p.serveTLS, err = t.server(serve, roots); err != nil {
		return fmt.Errorf("sip: profile %s: %w", s.name, err)
	}
	p.dialTLS.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return serve(nil) }
	return nil
}

// certificate finds that of a directory. One that was named must have it; without
// a name the box's own serves as well.
func (s *Stack) certificate(named string) (GetCertificate, error) {
	if s.Certificate == nil {
		return nil, errNoCertificate
	}
	dir := or(named, s.CertDir)
	if dir != "" {
		for _, name := range agentFiles {
			file := filepath.Join(dir, name)
			if _, err := os.Stat(file); err == nil || !errors.Is(err, fs.ErrNotExist) {
				return s.Certificate(file)
			}
		}
		if named != "" {
			return nil, fmt.Errorf("tls-cert-dir %s: it has no agent.pem (certificate, key and chain in one file)", named)
		}
	}
	return s.Certificate("")
}

// roots are the authorities of a directory; nil without cafile.pem: the system's.
func (s *Stack) roots(named string) (*x509.CertPool, error) {
	dir := or(named, s.CertDir)
	if dir == "" {
		return nil, nil
	}
	file := filepath.Join(dir, rootsFile)
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() || info.Size() > maxRoots:
		return nil, fmt.Errorf("%s: is no file of at most %d bytes", file, maxRoots)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s: has no certificate", file)
	}
	return pool, nil
}

// client is for connections to others. Their certificate must be for the host that
// was asked for.
func (t *tlsSettings) client(roots *x509.CertPool) *tls.Config {
	c := &tls.Config{MinVersion: t.min, MaxVersion: t.max, RootCAs: roots}
	switch {
	case !t.out:
		c.InsecureSkipVerify = true
	case t.checkDate:
		c.VerifyConnection = func(s tls.ConnectionState) error { return t.shallow(s.VerifiedChains) }
	default:
		c.InsecureSkipVerify = true // what follows verifies, but for the date
		c.VerifyConnection = func(s tls.ConnectionState) error {
			return t.verify(s.PeerCertificates, roots, s.ServerName, x509.ExtKeyUsageServerAuth)
		}
	}
	return c
}

// server is for the secure bindings.
func (t *tlsSettings) server(serve GetCertificate, roots *x509.CertPool) (*tls.Config, error) {
	c := &tls.Config{MinVersion: t.min, MaxVersion: t.max, GetCertificate: serve}
	if !t.in {
		return c, nil
	}
	if roots == nil {
		return nil, fmt.Errorf("tls-verify-policy asks for certificates of callers: put those who issue them into %s of tls-cert-dir", rootsFile)
	}
	c.ClientAuth = tls.RequireAnyClientCert
	c.ClientCAs = roots
	c.VerifyConnection = func(s tls.ConnectionState) error {
		if err := t.verify(s.PeerCertificates, roots, "", x509.ExtKeyUsageClientAuth); err != nil {
			return err
		}
		return t.named(s.PeerCertificates[0])
	}
	return c, nil
}

// verify looks for a chain from a peer's certificates to a root.
func (t *tlsSettings) verify(certs []*x509.Certificate, roots *x509.CertPool, host string, use x509.ExtKeyUsage) error {
	if len(certs) == 0 {
		return errors.New("sip: the peer showed no certificate")
	}
	o := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool(), DNSName: host, KeyUsages: []x509.ExtKeyUsage{use}}
	for _, c := range certs[1:] {
		o.Intermediates.AddCert(c)
	}
	if !t.checkDate {
		o.CurrentTime = certs[0].NotBefore.Add(time.Second)
	}
	chains, err := certs[0].Verify(o)
	if err != nil {
		return err
	}
	return t.shallow(chains)
}

// shallow wants a chain with no more than depth certificates between peer and root.
func (t *tlsSettings) shallow(chains [][]*x509.Certificate) error {
	for _, chain := range chains {
		if len(chain)-2 <= t.depth {
			return nil
		}
	}
	return fmt.Errorf("sip: the peer's chain of certificates is longer than tls-verify-depth %d", t.depth)
}

// named wants one of the subjects that tls-verify-in-subjects lists.
func (t *tlsSettings) named(c *x509.Certificate) error {
	if len(t.subjects) == 0 {
		return nil
	}
	has := append([]string{c.Subject.CommonName}, c.DNSNames...)
	for _, u := range c.URIs {
		has = append(has, u.String(), u.Opaque)
	}
	for _, name := range has {
		if name != "" && slices.ContainsFunc(t.subjects, func(s string) bool { return strings.EqualFold(s, name) }) {
			return nil
		}
	}
	return fmt.Errorf("sip: the certificate of the peer is for %s, which tls-verify-in-subjects does not name", strings.Join(has, ", "))
}

// secured puts TLS before a listener. Its handshakes happen in the goroutine of
// each connection.
func (p *Profile) secured(l net.Listener, protocols ...string) net.Listener {
	c := p.serveTLS.Clone()
	c.NextProtos = protocols
	return tls.NewListener(l, c)
}
