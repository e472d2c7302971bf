package cert

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/switchlet/switchlet/test/ports"
)

// patience bounds a test's waiting for another program; it is longer than retryFirst,
// as a first try may fail on a machine that is busy.
const patience = 150 * time.Second

// authority is pebble, the test server of Let's Encrypt, with a name server that
// says 127.0.0.1 to everything.
type authority struct {
	directory string
	file      string // PEM, by which to trust it
	roots     *x509.CertPool
}

func start(t *testing.T, env []string, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
}

// newAuthority starts pebble, which will look for answers at two ports.
func newAuthority(t *testing.T, httpPort, tlsPort int) *authority {
	t.Helper()
	for _, program := range []string{"pebble", "pebble-challtestsrv"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(program + " is not installed (Debian's package pebble has it)")
		}
	}
	dir := t.TempDir()
	own := filepath.Join(dir, "pebble.pem")
	if err := create(own, []string{"localhost", "127.0.0.1"}); err != nil {
		t.Fatal(err)
	}
	crt, key := split(t, own)
	port, management, dns := ports.Free(t), ports.Free(t), ports.Free(t)
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": "127.0.0.1:" + strconv.Itoa(port), "managementListenAddress": "127.0.0.1:" + strconv.Itoa(management),
		"certificate": crt, "privateKey": key, "httpPort": httpPort, "tlsPort": tlsPort}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "pebble.json")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, nil, "pebble-challtestsrv", "-dns01", "127.0.0.1:"+strconv.Itoa(dns), "-defaultIPv4", "127.0.0.1", "-defaultIPv6", "",
		"-http01", "", "-https01", "", "-tlsalpn01", "", "-management", "127.0.0.1:"+strconv.Itoa(ports.Free(t)))
	// Pebble asks once: a name that nobody answers yet is an order that failed.
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", "127.0.0.1:"+strconv.Itoa(dns))
	}}
	eventually(t, "the name server answers", func() bool {
		addresses, err := resolver.LookupHost(t.Context(), "box.example.")
		return err == nil && len(addresses) > 0
	})
	start(t, []string{"PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0"}, "pebble", "-config", file, "-dnsserver", "127.0.0.1:"+strconv.Itoa(dns))
	text, err := os.ReadFile(crt)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{directory: fmt.Sprintf("https://127.0.0.1:%d/dir", port), file: crt, roots: x509.NewCertPool()}
	a.roots.AppendCertsFromPEM(text)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.roots}}}
	defer client.CloseIdleConnections()
	eventually(t, "pebble answers", func() bool {
		r, err := client.Get(a.directory)
		if err != nil {
			return false
		}
		r.Body.Close()
		return r.StatusCode == http.StatusOK
	})
	return a
}

func eventually(t *testing.T, what string, fn func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !fn() {
		select {
		case <-deadline.C:
			t.Fatal("in vain: " + what)
		case <-tick.C:
		}
	}
}

func TestACME_HasACertificateIssuedByEitherChallenge(t *testing.T) {
	for _, way := range []string{"http-01", "tls-alpn-01"} {
		t.Run(way, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			port := l.Addr().(*net.TCPAddr).Port
			ca := newAuthority(t, port, port)
			defer l.Close()
			own, err := Open(made(t, "own.example"), nil)
			if err != nil {
				t.Fatal(err)
			}
			cache := t.TempDir()
			o := ACMEOptions{Names: []string{"Box.example."}, Directory: ca.directory, Cache: cache, Roots: ca.roots,
				Report: func(err error, line string) { t.Log(line, err) }}
			a, err := NewACME(o, own)
			if err != nil {
				t.Fatal(err)
			}
			if way == "http-01" {
				go http.Serve(l, a.Challenges(a.Onward(8443)))
			} else {
				go http.Serve(tls.NewListener(l, a.Config("http/1.1")), http.NotFoundHandler())
			}
			hello := modernHello("box.example")
			if c, err := a.Certificate(hello); err != nil || issuer(t, c) != "Switchlet" {
				t.Errorf("before the first one: %v", err)
			}
			a.Start(t.Context())
			eventually(t, "the certificate is issued", func() bool { return a.Ready("box.example") })
			c, err := a.Certificate(hello)
			if err != nil || !strings.Contains(issuer(t, c), "Pebble") {
				t.Errorf("%v: issued by %s", err, issuer(t, c))
			}
			if c, err := a.Certificate(&tls.ClientHelloInfo{}); err != nil || !strings.Contains(issuer(t, c), "Pebble") {
				t.Errorf("no name: %v", err)
			}
			if c, err := a.Certificate(modernHello("other.example")); err != nil || issuer(t, c) != "Switchlet" {
				t.Errorf("another name: %v", err)
			}
			if way == "http-01" {
				redirects(t, port)
			}
			a.Close()
			kept, err := filepath.Glob(filepath.Join(cache, "box.example*"))
			if err != nil || len(kept) == 0 {
				t.Errorf("nothing of the certificate is kept: %v", err)
			}
		})
	}
}

func issuer(t *testing.T, c *tls.Certificate) string {
	t.Helper()
	leaf, err := x509.ParseCertificate(c.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return leaf.Issuer.CommonName
}

// redirects sees that browsers are sent on to https, and only for our own name.
func redirects(t *testing.T, port int) {
	t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	for host, want := range map[string]string{"box.example": "https://box.example:8443/x?y", "evil.example": ""} {
		r, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/x?y", port), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := resp.Header.Get("Location"); got != want {
			t.Errorf("%s is sent to %q, want %q", host, got, want)
		}
	}
}
