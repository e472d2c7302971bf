package sip

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// raw is a caller without any library between: what is measured is the stack.
type raw struct {
	t    testing.TB
	conn net.Conn
	buf  []byte
	n    int
}

// ask sends a request and returns its final response.
func (r *raw) ask(m string) string {
	r.t.Helper()
	if _, err := r.conn.Write([]byte(m)); err != nil {
		r.t.Fatal(err)
	}
	for {
		// A response to an earlier request may come once more.
		if got := r.next(); strings.HasPrefix(got, "SIP/") && !strings.HasPrefix(got, "SIP/2.0 1") && value(got, "\r\nCSeq:") == value(m, "\r\nCSeq:") {
			return got
		}
	}
}

// await sends a request and returns the first message that begins so.
func (r *raw) await(m, begin string) string {
	r.t.Helper()
	if _, err := r.conn.Write([]byte(m)); err != nil {
		r.t.Fatal(err)
	}
	for {
		if m := r.next(); strings.HasPrefix(m, begin) {
			return m
		}
	}
}

// next returns the next message.
func (r *raw) next() string {
	r.t.Helper()
	r.conn.SetReadDeadline(time.Now().Add(patience))
	n, err := r.conn.Read(r.buf)
	if err != nil {
		r.t.Fatal(err)
	}
	return string(r.buf[:n])
}

func value(m, name string) string {
	_, rest, _ := strings.Cut(m, name)
	v, _, _ := strings.Cut(rest, "\r\n")
	return v
}

func (r *raw) auth(m, method, uri, kind string) string {
	_, rest, _ := strings.Cut(m, "nonce=\"")
	nonce, _, _ := strings.Cut(rest, "\"")
	ha1, ha2 := sum(hashes("MD5"), "1000", "test.local", "secret"), sum(hashes("MD5"), method, uri)
	return fmt.Sprintf("%s: Digest username=\"1000\", realm=\"test.local\", nonce=\"%s\", uri=\"%s\", qop=auth, nc=00000001, cnonce=\"c\", response=\"%s\", algorithm=MD5\r\n",
		kind, nonce, uri, sum(hashes("MD5"), ha1, nonce, "00000001", "c", "auth", ha2))
}

func (r *raw) message(method, uri, to, id string, seq int, extra, body string) string {
	r.n++
	return fmt.Sprintf("%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s%d;rport\r\nMax-Forwards: 70\r\nFrom: <sip:1000@test.local>;tag=x\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d %s\r\nContact: <sip:1000@%s>\r\nUser-Agent: raw\r\n%sContent-Length: %d\r\n\r\n%s",
		method, uri, r.conn.LocalAddr(), newTag(), r.n, to, id, seq, method, r.conn.LocalAddr(), extra, len(body), body)
}

func newRaw(t testing.TB, h *house) *raw {
	c, err := net.Dial("udp", h.addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &raw{t: t, conn: c, buf: make([]byte, 65536)}
}

func BenchmarkRegister(b *testing.B) {
	h := newBenchHouse(b)
	r := newRaw(b, h)
	b.ReportAllocs()
	for i := range b.N {
		id := fmt.Sprintf("r%d@raw", i)
		m := r.ask(r.message("REGISTER", "sip:test.local", "<sip:1000@test.local>", id, 1, "Expires: 600\r\n", ""))
		m = r.ask(r.message("REGISTER", "sip:test.local", "<sip:1000@test.local>", id, 2, "Expires: 600\r\n"+r.auth(m, "REGISTER", "sip:test.local", "Authorization"), ""))
		if !strings.HasPrefix(m, "SIP/2.0 200") {
			b.Fatal(m)
		}
	}
}

func BenchmarkAnsweredCall(b *testing.B) {
	h := newBenchHouse(b)
	r := newRaw(b, h)
	sdp := "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n"
	b.ReportAllocs()
	for i := range b.N {
		id, uri := fmt.Sprintf("c%d@raw", i), "sip:9196@test.local"
		typ := "Content-Type: application/sdp\r\n"
		invite := r.message("INVITE", uri, "<sip:9196@test.local>", id, 1, typ, sdp)
		m := r.ask(invite)
		branch := value(invite, "branch=")
		ack := r.message("ACK", uri, strings.TrimSpace(value(m, "\r\nTo:")), id, 1, "", "")
		ack = strings.Replace(ack, value(ack, "branch="), branch, 1)
		r.conn.Write([]byte(ack))
		m = r.ask(r.message("INVITE", uri, "<sip:9196@test.local>", id, 2, typ+r.auth(m, "INVITE", uri, "Proxy-Authorization"), sdp))
		if !strings.HasPrefix(m, "SIP/2.0 200") {
			b.Fatal(m)
		}
		to := strings.TrimSpace(value(m, "\r\nTo:"))
		r.conn.Write([]byte(r.message("ACK", uri, to, id, 2, "", "")))
		m = r.ask(r.message("BYE", uri, to, id, 3, "", ""))
		if !strings.HasPrefix(m, "SIP/2.0 200") {
			b.Fatal(m)
		}
	}
}
