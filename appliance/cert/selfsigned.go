// Package cert provides the certificates that the box's listeners serve: files
// of the data directory, or a self-signed one that is made at the first start.
//
// A certificate that cannot be loaded is an error; nothing falls back to plain
// text.
package cert

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

// validity of a self-signed certificate. Browsers ask about it once anyway; it
// must outlive the box's clock being wrong.
const (
	validBefore = 24 * time.Hour
	validFor    = 10 * 365 * 24 * time.Hour
)

// Source hands out one certificate, read again when its file changes.
type Source struct {
	file string

	mu    sync.Mutex
	cert  *tls.Certificate
	mtime time.Time
}

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
	s := &Source{file: file}
	if _, err := s.Certificate(nil); err != nil {
		return nil, err
	}
	return s, nil
}

// Certificate implements tls.Config.GetCertificate. A changed file that cannot be
// read leaves the certificate in force.
func (s *Source) Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	info, err := os.Stat(s.file)
	if err == nil && s.cert != nil && info.ModTime().Equal(s.mtime) {
		return s.cert, nil
	}
	if err == nil {
		var c tls.Certificate
		if c, err = tls.LoadX509KeyPair(s.file, s.file); err == nil {
			s.cert, s.mtime = &c, info.ModTime()
			return s.cert, nil
		}
	}
	if s.cert != nil {
		return s.cert, nil
	}
	return nil, fmt.Errorf("cert: %s: %w", s.file, err)
}

// Fingerprint is the SHA-256 of the certificate as browsers show it.
func (s *Source) Fingerprint() (string, error) {
	c, err := s.Certificate(nil)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(c.Certificate[0])
	parts := make([]string, len(sum))
	for i, b := range sum {
		parts[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(parts, ":"), nil
}

func create(file string, names []string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return err
	}
	now := time.Now()
	t := x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "Switchlet"},
		NotBefore: now.Add(-validBefore), NotAfter: now.Add(validFor),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else if n != "" {
			t.DNSNames = append(t.DNSNames, n)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, &t, &t, &key.PublicKey, key)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})...)
	return os.WriteFile(file, text, 0o600)
}
