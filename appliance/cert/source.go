// Package cert provides the certificates that the box's listeners serve: files of
// the data directory or of a listener's own, certificates that a server of ACME
// issues, or a self-signed one that is made at the first start.
//
// A Source is one certificate that is read again when its files change, so that
// nobody needs to be disconnected. ACME answers for the names it was given and
// leaves all others to a Source. Both have the method Certificate, which is what
// tls.Config.GetCertificate wants.
//
// A certificate that cannot be loaded is an error; nothing falls back to plain
// text.
package cert

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"
)

// Source hands out one certificate, read again when its files change.
type Source struct {
	files Files

	mu     sync.Mutex
	cert   *tls.Certificate
	stamps stamps
	looked time.Time
	err    error // of the last look
}

// lookEvery is how often the files are looked at, at most.
const lookEvery = time.Second

// Open returns the certificate in file, a PEM file with chain and key. A file that
// does not exist is made, self-signed for the given names and addresses.
func Open(file string, names []string) (*Source, error) {
	_, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		err = create(file, names)
	}
	if err != nil {
		return nil, fmt.Errorf("cert: %w", err)
	}
	return OpenFiles(Files{Combined: file})
}

// Certificate implements tls.Config.GetCertificate. Changed files that cannot be
// read leave the certificate in force; Reload tells what is wrong with them.
func (s *Source) Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); s.cert == nil || now.Sub(s.looked) >= lookEvery {
		s.looked = now
		s.look()
	}
	if s.cert == nil {
		return nil, s.err
	}
	return s.cert, nil
}

// Reload reads changed files at once. On an error the certificate in force stays.
func (s *Source) Reload() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looked = time.Now()
	s.look()
	return s.err
}

// look reads the files if they have changed; s.mu is held.
func (s *Source) look() {
	now, err := s.files.stamps()
	if err == nil {
		if s.cert != nil && now == s.stamps {
			s.err = nil
			return
		}
		var c *tls.Certificate
		if c, err = s.files.load(); err == nil {
			s.cert, s.stamps, s.err = c, now, nil
			return
		}
	}
	s.err = fmt.Errorf("cert: %w", err)
}

// Description is what people compare and look after of a certificate.
type Description struct {
	Fingerprint string    `json:"fingerprint"` // SHA-256, as browsers show it
	Issuer      string    `json:"issuer"`
	SelfSigned  bool      `json:"selfSigned"`
	Names       []string  `json:"names"` // host names and addresses
	NotAfter    time.Time `json:"notAfter"`
}

// Describe describes the first certificate of the chain. What cannot be parsed has
// a fingerprint only.
func Describe(c *tls.Certificate) Description {
	var d Description
	sum := sha256.Sum256(c.Certificate[0])
	parts := make([]string, len(sum))
	for i, b := range sum {
		parts[i] = fmt.Sprintf("%02X", b)
	}
	d.Fingerprint = strings.Join(parts, ":")
	leaf, err := x509.ParseCertificate(c.Certificate[0])
	if err != nil {
		return d
	}
	d.Issuer, d.NotAfter = leaf.Issuer.CommonName, leaf.NotAfter
	d.SelfSigned = bytes.Equal(leaf.RawIssuer, leaf.RawSubject)
	d.Names = append(d.Names, leaf.DNSNames...)
	for _, ip := range leaf.IPAddresses {
		d.Names = append(d.Names, ip.String())
	}
	return d
}
