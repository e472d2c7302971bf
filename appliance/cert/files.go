package cert

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"time"
)

// Files are the files of one listener's certificate, PEM, as FreeSWITCH's
// parameters secure-combined, secure-cert, secure-key and secure-chain name them.
type Files struct {
	Combined string // certificate, key and perhaps chain in one; the others do not count then
	Cert     string
	Key      string // "" means that Cert has the key, too
	Chain    string // certificates that stand between Cert and its root
}

// maxFile bounds a file of certificates in bytes.
const maxFile = 1 << 20

var errNoFile = errors.New("no file: name one that has certificate and key (secure-combined), or secure-cert and secure-key")

// OpenFiles reads the certificate of a listener. Changed files are read again at
// the next handshake: no socket is dropped. What cannot be read then leaves the
// certificate in force; what cannot be read now is an error.
func OpenFiles(f Files) (*Source, error) {
	if f.Combined != "" {
		f = Files{Cert: f.Combined, Key: f.Combined}
	}
	if f.Cert == "" {
		return nil, fmt.Errorf("cert: %w", errNoFile)
	}
	if f.Key == "" {
		f.Key = f.Cert
	}
	s := &Source{files: f}
	if _, err := s.Certificate(nil); err != nil {
		return nil, err
	}
	return s, nil
}

// stamps are the times of change and sizes of the files.
type stamps [3]struct {
	changed time.Time
	size    int64
}

func (f *Files) stamps() (all stamps, err error) {
	for i, name := range []string{f.Cert, f.Key, f.Chain} {
		if name == "" {
			continue
		}
		info, err := os.Stat(name)
		if err != nil {
			return all, err
		}
		all[i].changed, all[i].size = info.ModTime(), info.Size()
	}
	return all, nil
}

// load reads and checks what the files have now.
func (f *Files) load() (*tls.Certificate, error) {
	certs, err := read(f.Cert)
	if err != nil {
		return nil, err
	}
	key, err := read(f.Key)
	if err != nil {
		return nil, err
	}
	c, err := tls.X509KeyPair(certs, key)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Cert, err)
	}
	if f.Chain == "" || len(c.Certificate) > 1 {
		return &c, nil
	}
	chain, err := read(f.Chain)
	if err != nil {
		return nil, err
	}
	for block, rest := pem.Decode(chain); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" || bytes.Equal(block.Bytes, c.Certificate[0]) {
			continue
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Chain, err)
		}
		c.Certificate = append(c.Certificate, block.Bytes)
	}
	return &c, nil
}

func read(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, fmt.Errorf("%s: is no file of at most %d bytes", name, maxFile)
	}
	return os.ReadFile(name)
}
