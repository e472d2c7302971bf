package cert_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/switchlet/switchlet/appliance"
	"github.com/switchlet/switchlet/appliance/cert"
	"github.com/switchlet/switchlet/conf"
	"github.com/switchlet/switchlet/test/box"
	"github.com/switchlet/switchlet/test/ports"
)

// secure are the ports of a box that speak TLS.
var secure = []int{box.HTTPS, box.VertoWSS, box.SIP + 1, box.ExternalSIP + 1}

var sipTLS = map[string]string{"internal_ssl_enable": "true", "external_ssl_enable": "true"}

// dial connects to a port and returns who issued what it serves.
func dial(t *testing.T, b *box.Box, port int, name string) (*tls.Conn, *x509.Certificate) {
	t.Helper()
	c, err := tls.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port+b.Offset)), &tls.Config{InsecureSkipVerify: true, ServerName: name})
	if err != nil {
		t.Fatalf("port %d: %v", port, err)
	}
	t.Cleanup(func() { c.Close() })
	return c, c.ConnectionState().PeerCertificates[0]
}

// The same certificate serves https, Verto's wss and SIP over TLS, and the page can
// tell its fingerprint.
func TestBox_OneCertificateForAllListeners(t *testing.T) {
	b := box.Start(t, box.Setup{Sets: sipTLS})
	var first *x509.Certificate
	for _, port := range secure {
		c, got := dial(t, b, port, "")
		if first == nil {
			first = got
		}
		if !got.Equal(first) {
			t.Errorf("port %d has another certificate", port)
		}
		if port == box.SIP+1 || port == box.ExternalSIP+1 {
			options(t, c)
		}
	}
	r, err := http.Get("http://" + b.Addr(box.HTTP) + "/certificate")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var d cert.Description
	if err := json.NewDecoder(r.Body).Decode(&d); err != nil {
		t.Fatal(err)
	}
	if want := cert.Describe(&tls.Certificate{Certificate: [][]byte{first.Raw}}).Fingerprint; d.Fingerprint != want || !d.SelfSigned {
		t.Errorf("the page says %+v, want the fingerprint %s", d, want)
	}
}

// With acme_names all listeners get the certificate that was issued, without a
// restart, and sockets from before stay.
func TestBox_ACMEForAllListeners(t *testing.T) {
	port := ports.Free(t)
	directory, ca := cert.Authority(t, port)
	sets := map[string]string{"acme_names": "box.example", "acme_directory": directory, "acme_ca_file": ca,
		"acme_http_port": strconv.Itoa(port), "acme_https_port": "0"}
	maps.Copy(sets, sipTLS)
	b := box.Start(t, box.Setup{Sets: sets})
	before, _ := dial(t, b, box.SIP+1, "")
	for _, port := range secure {
		box.Eventually(t, 60*time.Second, "port "+strconv.Itoa(port)+" serves the certificate that was issued", func() bool {
			_, got := dial(t, b, port, "box.example")
			return strings.Contains(got.Issuer.CommonName, "Pebble")
		})
	}
	if _, got := dial(t, b, box.SIP+1, ""); !strings.Contains(got.Issuer.CommonName, "Pebble") {
		t.Errorf("a phone that names nobody gets the certificate of %s", got.Issuer.CommonName)
	}
	options(t, before)
}

// Profiles that name files get those, and what cannot be loaded keeps the box from
// starting: nothing is served in plain text instead.
func TestBox_CertificatesOfProfiles(t *testing.T) {
	dir := t.TempDir()
	if err := cert.Create(filepath.Join(dir, "agent.pem"), "agent.example"); err != nil {
		t.Fatal(err)
	}
	named := func(sip, verto string) []conf.Param {
		return []conf.Param{{File: "sofia.conf", Path: []string{"internal"}, Name: "tls-cert-dir", Value: sip},
			{File: "sofia.conf", Path: []string{"external"}, Name: "tls-cert-dir", Value: sip},
			{File: "verto.conf", Path: []string{"default-v4"}, Name: "secure-combined", Value: verto}}
	}
	t.Run("their own", func(t *testing.T) {
		b := box.Start(t, box.Setup{Sets: sipTLS, Params: named(dir, filepath.Join(dir, "agent.pem"))})
		for _, port := range secure[1:] {
			if _, got := dial(t, b, port, ""); !slices.Equal(got.DNSNames, []string{"agent.example"}) {
				t.Errorf("port %d serves a certificate for %v", port, got.DNSNames)
			}
		}
	})
	garbage := filepath.Join(dir, "garbage.pem")
	if err := os.WriteFile(garbage, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, params := range map[string][]conf.Param{
		"a SIP directory without one": named(t.TempDir(), filepath.Join(dir, "agent.pem")),
		"a Verto file of garbage":     named(dir, garbage),
		"a Verto file that is not":    named(dir, filepath.Join(dir, "none.pem")),
	} {
		t.Run(name, func(t *testing.T) {
			o := appliance.Options{Data: t.TempDir(), PortOffset: box.FreeOffset(t), Params: params, LogLevel: "err",
				Sets: []conf.Pair{{Name: "local_ip_v4", Value: "127.0.0.1"}, {Name: "internal_ssl_enable", Value: "true"}}}
			b, err := appliance.Open(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			defer b.Stop()
			if err := b.Start(t.Context()); err == nil {
				t.Error("the box starts")
			}
		})
	}
}

// options asks for what the switch can do, by SIP over TLS.
func options(t *testing.T, c *tls.Conn) {
	t.Helper()
	c.SetDeadline(time.Now().Add(30 * time.Second))
	fmt.Fprintf(c, "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TLS %s;rport;branch=z9hG4bKtls\r\nMax-Forwards: 70\r\nFrom: <sip:x@127.0.0.1>;tag=1\r\n"+
		"To: <sip:127.0.0.1>\r\nCall-ID: tls\r\nCSeq: 1 OPTIONS\r\nContact: <sip:x@%s;transport=tls>\r\nContent-Length: 0\r\n\r\n", c.LocalAddr(), c.LocalAddr())
	r := textproto.NewReader(bufio.NewReader(c))
	line, err := r.ReadLine()
	if err != nil || line != "SIP/2.0 200 OK" {
		t.Fatalf("OPTIONS by TLS: %q, %v", line, err)
	}
	h, err := r.ReadMIMEHeader()
	if err != nil || !strings.HasPrefix(h.Get("Via"), "SIP/2.0/TLS") || !strings.Contains(h.Get("Contact"), "transport=tls") {
		t.Errorf("answer %v, %v", h, err)
	}
}

// A gateway over TLS registers if its certificate is in order, and does not if not.
func TestBox_GatewayByTLSIsVerified(t *testing.T) {
	far := box.Start(t, box.Setup{Sets: sipTLS})
	trusted := t.TempDir()
	text, err := os.ReadFile(filepath.Join(far.Data, "certs", "switchlet.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(trusted, "cafile.pem"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	const gateway = `<include>
<gateway name="%s"><param name="username" value="1010"/><param name="password" value="%s"/>
<param name="realm" value="127.0.0.1"/><param name="from-domain" value="127.0.0.1"/><param name="proxy" value="%s:%d"/><param name="register-transport" value="tls"/>
<param name="register" value="true"/><param name="retry-seconds" value="2"/></gateway>
</include>`
	files := map[string]string{}
	for _, host := range []string{"127.0.0.1", "localhost"} {
		files["sip_profiles/external/"+host+".xml"] = fmt.Sprintf(gateway, "by-"+host, far.Password, host, box.SIP+1+far.Offset)
	}
	for _, c := range []struct {
		name, policy, dir string
		ok                bool
	}{
		{"known", "out", trusted, true},
		{"unknown", "out", t.TempDir(), false},
		{"unknown, and nobody asks", "none", t.TempDir(), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := box.Start(t, box.Setup{Files: files, Params: []conf.Param{
				{File: "sofia.conf", Path: []string{"external"}, Name: "tls-cert-dir", Value: c.dir},
				{File: "sofia.conf", Path: []string{"external"}, Name: "tls-verify-policy", Value: c.policy}}})
			console := b.ESL(t)
			for _, host := range []string{"127.0.0.1", "localhost"} {
				want := "\tREGED"
				if !c.ok {
					want = "FAIL"
				}
				box.Eventually(t, 60*time.Second, "gateway by "+host+" is "+want, func() bool {
					return strings.Contains(b.API(t, console, "sofia status gateway by-"+host), want)
				})
			}
		})
	}
}
