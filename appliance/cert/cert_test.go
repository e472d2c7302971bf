package cert

import (
	"crypto/tls"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func made(t *testing.T, name string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "c.pem")
	if err := create(file, []string{name}); err != nil {
		t.Fatal(err)
	}
	return file
}

// split writes the certificate and the key of a combined file apart.
func split(t *testing.T, file string) (cert, key string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(string(text), "-----BEGIN PRIVATE KEY")
	cert, key = file+".crt", file+".key"
	for name, part := range map[string][]byte{cert: text[:at], key: text[at:]} {
		if err := os.WriteFile(name, part, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestOpenFiles_WhatCannotBeLoadedIsAnError(t *testing.T) {
	good, other := made(t, "a.example"), made(t, "b.example")
	cert, key := split(t, good)
	_, foreign := split(t, other)
	garbage := filepath.Join(t.TempDir(), "garbage.pem")
	if err := os.WriteFile(garbage, []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		files Files
		chain int // certificates, 0: an error
		says  string
	}{
		{"one file with all", Files{Combined: good}, 1, ""},
		{"one file counts more than the others", Files{Combined: good, Cert: garbage}, 1, ""},
		{"certificate and key apart", Files{Cert: cert, Key: key}, 1, ""},
		{"with a chain", Files{Cert: cert, Key: key, Chain: other}, 2, ""},
		{"its own certificate in the chain does not count", Files{Cert: cert, Key: key, Chain: good}, 1, ""},
		{"no file named", Files{Chain: good}, 0, "secure-combined"},
		{"a file that is not there", Files{Combined: good + ".no"}, 0, "c.pem.no"},
		{"no key", Files{Cert: cert}, 0, cert},
		{"the key of another", Files{Cert: cert, Key: foreign}, 0, cert},
		{"a directory", Files{Combined: filepath.Dir(good)}, 0, "is no file"},
		{"garbage", Files{Combined: garbage}, 0, garbage},
		{"garbage as chain", Files{Cert: cert, Key: key, Chain: garbage}, 0, garbage},
	} {
		s, err := OpenFiles(c.files)
		if c.chain == 0 {
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: error %v, want one that names %s", c.name, err, c.says)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got, _ := s.Certificate(nil); len(got.Certificate) != c.chain {
			t.Errorf("%s: %d certificates, want %d", c.name, len(got.Certificate), c.chain)
		}
	}
}

func TestSource_ReloadsWithoutDroppingASocket(t *testing.T) {
	file := made(t, "old.example")
	s, err := Open(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{GetCertificate: s.Certificate, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(c, c); c.Close() }()
		}
	}()
	dial := func() (*tls.Conn, string) {
		c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c, c.ConnectionState().PeerCertificates[0].DNSNames[0]
	}
	first, name := dial()
	if name != "old.example" {
		t.Fatalf("served %s", name)
	}
	served, err := s.Certificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := Describe(served); len(d.Fingerprint) != 32*3-1 || !d.SelfSigned || !slices.Equal(d.Names, []string{"old.example"}) ||
		time.Until(d.NotAfter) < time.Hour {
		t.Errorf("described as %+v", d)
	}

	if err := os.WriteFile(file, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a broken file reloads with %v", err)
	}
	if _, name := dial(); name != "old.example" {
		t.Errorf("after a broken file %s is served", name)
	}
	if err := create(file, []string{"new.example"}); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Minute) // coarse clocks of file systems
	if err := os.Chtimes(file, later, later); err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	if _, name := dial(); name != "new.example" {
		t.Errorf("after the reload %s is served", name)
	}
	echo := make([]byte, 5)
	if _, err := io.WriteString(first, "hello"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(first, echo); err != nil || string(echo) != "hello" {
		t.Errorf("the socket from before: %q, %v", echo, err)
	}
}

func TestNewACME_RefusesWhatCannotWork(t *testing.T) {
	own, err := Open(made(t, "x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]ACMEOptions{
		"no name":    {Cache: "c"},
		"an address": {Names: []string{"192.0.2.1"}, Cache: "c"},
		"a wildcard": {Names: []string{"*.example.com"}, Cache: "c"},
		"no dot":     {Names: []string{"localhost"}, Cache: "c"},
		"no cache":   {Names: []string{"a.example"}},
	} {
		if _, err := NewACME(o, own); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
