package sip

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/switchlet/switchlet/conf"
)

// paper is a certificate with the key that goes with it.
type paper struct {
	tls.Certificate
	leaf *x509.Certificate
}

// issue makes a certificate; nil: it signs itself and may sign others.
func issue(t *testing.T, by *paper, name string, until time.Time) *paper {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<60))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: until, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		IsCA: true, BasicConstraintsValid: true}
	parent, signer := template, key
	var chain [][]byte
	if by != nil {
		parent, signer, chain = by.leaf, by.PrivateKey.(*ecdsa.PrivateKey), by.Certificate.Certificate
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &paper{Certificate: tls.Certificate{Certificate: append([][]byte{der}, chain...), PrivateKey: key}, leaf: leaf}
}

func tlsParams(pairs ...string) conf.ParamList {
	var list conf.ParamList
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, &conf.Node{Name: "param", Attrs: []conf.Attr{{Name: "name", Value: pairs[i]}, {Name: "value", Value: pairs[i+1]}}})
	}
	return list
}

// shake connects a caller and a binding and returns what either said.
func shake(t *testing.T, server, client *tls.Config) (heard, said error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			done <- err
			return
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		done <- tls.Server(c, server).Handshake()
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	said = tls.Client(c, client).Handshake()
	c.Close()
	return <-done, said
}

func TestTLS_VerifiesWhomThePolicyNames(t *testing.T) {
	later := time.Now().Add(time.Hour)
	root, stranger := issue(t, nil, "root", later), issue(t, nil, "stranger", later)
	good := issue(t, root, "phone.example", later)
	old := issue(t, root, "phone.example", time.Now().Add(-time.Hour))
	deep := issue(t, issue(t, issue(t, root, "one", later), "two", later), "phone.example", later)
	roots := x509.NewCertPool()
	roots.AddCert(root.leaf)
	for _, c := range []struct {
		name   string
		params []string
		shows  *paper // the other side
		ok     bool
	}{
		{"out: in order", []string{"tls-verify-policy", "out"}, good, true},
		{"out: of another authority", []string{"tls-verify-policy", "out"}, issue(t, stranger, "phone.example", later), false},
		{"out: for another host", []string{"tls-verify-policy", "out"}, issue(t, root, "other.example", later), false},
		{"out: too old", []string{"tls-verify-policy", "out"}, old, false},
		{"out: too old, and that is well", []string{"tls-verify-policy", "subjects_out", "tls-verify-date", "false"}, old, true},
		{"out: for another host, without a look at the date", []string{"tls-verify-policy", "out", "tls-verify-date", "false"}, issue(t, root, "other.example", later), false},
		{"out: two between", []string{"tls-verify-policy", "all"}, deep, true},
		{"out: two between, one allowed", []string{"tls-verify-policy", "all", "tls-verify-depth", "1"}, deep, false},
		{"none: anybody", []string{"tls-verify-policy", "none"}, stranger, true},
		{"no policy: anybody", nil, stranger, true},
		{"in: says nothing of those we call", []string{"tls-verify-policy", "in"}, stranger, true},
	} {
		set, err := readTLS(tlsParams(c.params...))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		client := set.client(roots)
		client.ServerName = "phone.example"
		_, err = shake(t, &tls.Config{Certificates: []tls.Certificate{c.shows.Certificate}}, client)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	serve := func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &good.Certificate, nil }
	for _, c := range []struct {
		name   string
		params []string
		shows  *paper // the caller
		ok     bool
	}{
		{"none: a caller without one", nil, nil, true},
		{"in: without one", []string{"tls-verify-policy", "in"}, nil, false},
		{"in: in order", []string{"tls-verify-policy", "in"}, good, true},
		{"in: of another authority", []string{"tls-verify-policy", "in"}, stranger, false},
		{"in: too old", []string{"tls-verify-policy", "in"}, old, false},
		{"in: too old, and that is well", []string{"tls-verify-policy", "in", "tls-verify-date", "false"}, old, true},
		{"subjects: named", []string{"tls-verify-policy", "subjects_in", "tls-verify-in-subjects", "a|Phone.example"}, good, true},
		{"subjects: not named", []string{"tls-verify-policy", "subjects_all", "tls-verify-in-subjects", "a|b"}, good, false},
		{"out: says nothing of callers", []string{"tls-verify-policy", "out"}, nil, true},
	} {
		set, err := readTLS(tlsParams(c.params...))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		server, err := set.server(serve, roots)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		client := &tls.Config{InsecureSkipVerify: true}
		if c.shows != nil {
			client.Certificates = []tls.Certificate{c.shows.Certificate}
		}
		if err, _ := shake(t, server, client); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, err := (&tlsSettings{in: true}).server(serve, nil); err == nil {
		t.Error("callers are to be verified, and nobody issues their certificates: no error")
	}
}

func TestReadTLS_Versions(t *testing.T) {
	for text, want := range map[string][2]uint16{
		"":                      {tls.VersionTLS12, tls.VersionTLS13},
		"tlsv1.2,tlsv1.3":       {tls.VersionTLS12, tls.VersionTLS13},
		"tlsv1,tlsv1.1,tlsv1.2": {tls.VersionTLS12, tls.VersionTLS12},
		"tlsv1.3":               {tls.VersionTLS13, tls.VersionTLS13},
		"tlsv1":                 {tls.VersionTLS12, tls.VersionTLS12},
		"sslv23":                {tls.VersionTLS12, tls.VersionTLS13},
	} {
		got, err := readTLS(tlsParams("tls-version", text))
		if err != nil || got.min != want[0] || got.max != want[1] {
			t.Errorf("%q: %x to %x, %v", text, got.min, got.max, err)
		}
	}
	for _, wrong := range [][]string{{"tls-version", "tls2"}, {"tls-verify-policy", "maybe"}, {"tls-verify-policy", "subjects_in"}, {"tls-passphrase", "x"}} {
		if _, err := readTLS(tlsParams(wrong...)); err == nil || !strings.Contains(err.Error(), wrong[0][:4]) {
			t.Errorf("%v: %v", wrong, err)
		}
	}
}
