package cert_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/switchlet/switchlet/test/box"
)

// The same certificate serves https, Verto's wss and SIP over TLS.
func TestBox_OneCertificateForAllListeners(t *testing.T) {
	b := box.Start(t, box.Setup{Sets: map[string]string{"internal_ssl_enable": "true", "external_ssl_enable": "true"}})
	var first string
	for _, port := range []int{box.HTTPS, box.VertoWSS, box.SIP + 1, box.ExternalSIP + 1} {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port+b.Offset))
		c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatalf("port %d: %v", port, err)
		}
		got := string(c.ConnectionState().PeerCertificates[0].Raw)
		if first == "" {
			first = got
		}
		if got != first {
			t.Errorf("port %d has another certificate", port)
		}
		if port == box.SIP+1 || port == box.ExternalSIP+1 {
			options(t, c)
		}
		c.Close()
	}
}

// options asks for what the switch can do, by SIP over TLS.
func options(t *testing.T, c *tls.Conn) {
	t.Helper()
	c.SetDeadline(time.Now().Add(10 * time.Second))
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
