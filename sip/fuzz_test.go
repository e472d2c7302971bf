package sip

import (
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	wire "github.com/emiago/sipgo/sip"
)

func FuzzHeaders(f *testing.F) {
	for _, s := range []string{`Digest username="1000", realm="a\"b", nonce=x, uri="sip:a", response="0", nc=00000001, cnonce="c", qop=auth`,
		"12345@host;to-tag=a;from-tag=b;early-only", "Signal=5\r\nDuration=160\r\n", `Q.850;cause=16;text="NORMAL_CLEARING", SIP;cause=200`,
		"1800;refresher=uac", "dialog;id=7", "3600", "sip:conf+3000@[::1]:5060", `"A" <sip:1000@1.2.3.4:5060;fs_nat=yes;fs_path=sip%3A1000%401.2.3.4%3A5060>;expires=3`,
		"sip:a@b,<sip:c,d@e>", "%41%4", "From: \"x\" <5>\r\nTo:\r\n", "<sip:1@h?Replaces=a%3Bto-tag%3Db>"} {
		f.Add(s)
	}
	p := &Profile{}
	f.Fuzz(func(t *testing.T, s string) {
		if c, ok := parseCredentials(s); ok && c.complete() {
			c.expected("INVITE", "x", hashes(c.algorithm))
		}
		if d, ok := parseReplaces(s); ok && d.callID == "" {
			t.Error("no Call-ID")
		}
		if d, ok := parseInfoDigit(s, true); ok && !strings.ContainsRune("0123456789*#ABCDF", rune(d.Char)) {
			t.Errorf("digit %q", d.Char)
		}
		if c, ok := reasonCause(s, "FreeSWITCH"); ok && (c <= 0 || c >= 1000) {
			t.Errorf("cause %d", c)
		}
		if n, _ := parseSessionExpires(s); n < 0 {
			t.Errorf("%d s", n)
		}
		if v := display(s); strings.ContainsAny(v, "\r\n") {
			t.Errorf("display %q", v)
		}
		if v := escapeUser(s); strings.ContainsAny(v, "\r\n <>@\"") {
			t.Errorf("user %q", v)
		}
		if unescape(escape(s)) != s {
			t.Errorf("escape %q", s)
		}
		if v, _ := eventPackage(s); len(v) > maxEventHeader || strings.ContainsAny(v, "\r\n") {
			t.Errorf("Event %q", v)
		}
		if n, ok := deltaSeconds(s); ok && n < 0 {
			t.Errorf("%d s", n)
		}
		if v := escapeXML(s); strings.ContainsAny(v, "<>\"'") {
			t.Errorf("XML %q", v)
		}
		splitAddress(s)
		parseDisplay(s)
		splitTargets(s)
		nameOf(s)
		parseURI(s)
		if a, err := parseNameAddr(s); err == nil {
			uriAddress(&a.uri)
			uriDestination(&a.uri)
		}
		p.contactTarget(s)
		matchRegistration(s)
		parseACLRule(s)
	})
}

// torture are messages in the spirit of RFC 4475, and worse.
var torture = []string{
	"",
	"\r\n\r\n",
	"INVITE",
	"INVITE sip:9196@test.local SIP/2.0\r\n\r\n",
	"INVITE sip:9196@test.local SIP/7.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKa1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: t1\r\nCSeq: 1 INVITE\r\n\r\n",
	"INVITE sip:9196@test.local SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKa2\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: t2\r\nCSeq: 1 BYE\r\n\r\n",
	"INVITE sip:9196@test.local SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKa3\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: t3\r\nCSeq: 99999999999999999999 INVITE\r\n\r\n",
	"INVITE sip:9196@test.local SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKa4\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: t4\r\nCSeq: 1 INVITE\r\nContent-Length: 9999\r\n\r\nx",
	"INVITE sip:9196@test.local SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKa5\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: t5\r\nCSeq: 1 INVITE\r\nContact: *\r\n\r\n",
	"INVITE nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKa6\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: t6\r\nCSeq: 1 INVITE\r\nContact: <sip:a@127.0.0.1>\r\n\r\n",
	"INVITE sip:9196@test.local SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKa7\r\nFrom: \"unterminated <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: t7\r\nCSeq: 1 INVITE\r\n\r\n",
	"OPTIONS sip:%00%00@test.local;lr;lr=1?a=b&c SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKa8;rport\r\nFrom: sip:a@b\r\nTo: sip:c@d\r\nCall-ID: t8\r\nCSeq: 1 OPTIONS\r\n\r\n",
	"REGISTER sip:test.local SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKa9\r\nFrom: <sip:>;tag=1\r\nTo: <sip:>\r\nCall-ID: t9\r\nCSeq: 1 REGISTER\r\nContact: ,,,\r\n\r\n",
	"REGISTER sip:test.local SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKb1\r\nFrom: <sip:1000@test.local>;tag=1\r\nTo: <sip:1000@test.local>\r\nCall-ID: tb1\r\nCSeq: 1 REGISTER\r\nAuthorization: Digest\r\nContact: <sip:1000@127.0.0.1>\r\n\r\n",
	"REGISTER sip:test.local SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKb2\r\nFrom: <sip:1000@test.local>;tag=1\r\nTo: <sip:1000@test.local>\r\nCall-ID: tb2\r\nCSeq: 1 REGISTER\r\nAuthorization: Digest username=\"1000\", realm=\"\", nonce=\"\\\", uri=\"\r\n\r\n",
	"ACK sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKb3\r\nFrom: <sip:a@b>\r\nTo: <sip:c@d>;tag=zz\r\nCall-ID: tb3\r\nCSeq: 1 ACK\r\n\r\n",
	"CANCEL sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKb4\r\nFrom: <sip:a@b>\r\nTo: <sip:c@d>\r\nCall-ID: tb4\r\nCSeq: 1 CANCEL\r\n\r\n",
	"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKb5\r\nFrom: <sip:a@b>\r\nTo: <sip:c@d>\r\nCall-ID: tb5\r\nCSeq: 1 INVITE\r\n\r\n",
	"SIP/2.0 99999 \r\nCSeq: x\r\n\r\n",
	"NEWMETHOD sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKb6\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: tb6\r\nCSeq: 1 NEWMETHOD\r\n\r\n",
	"REFER sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKb7\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: tb7\r\nCSeq: 1 REFER\r\nRefer-To: <<<<>>>>\r\n\r\n",
	"NOTIFY sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP [::1;branch=z9hG4bKb8\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: tb8\r\nCSeq: 1 NOTIFY\r\n\r\n",
	strings.Repeat("A", 30000),
	"OPTIONS sip:x@y SIP/2.0\r\n" + strings.Repeat("X-Many: header\r\n", 1500) + "\r\n",
	"INVITE sip:x@y SIP/2.0\r\nVia: " + strings.Repeat("SIP/2.0/UDP h;branch=z9hG4bKx,", 800) + "SIP/2.0/UDP h\r\n\r\n",
	"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19",
}

func TestTorture_ErrorOrSilence_NeverAnEnd(t *testing.T) {
	h := newHouse(t, houseOptions{})
	for _, network := range []string{"udp", "tcp"} {
		for i, m := range torture {
			c, err := net.Dial(network, h.addr().String())
			ok(t, err)
			c.Write([]byte(m))
			c.Close()
			res, err := h.phone("x").Send(wire.OPTIONS, "sip:127.0.0.1", "", "")
			if err != nil || res.StatusCode != 200 {
				t.Fatalf("%s message %d: %v %v", network, i, res, err)
			}
		}
	}
	if out := h.order(""); strings.Contains(out, "SESSION_CRASH") {
		t.Error(out)
	}
	if n := h.sw.Count(); n != 0 {
		t.Errorf("%d channels were left", n)
	}
}

func FuzzMessage(f *testing.F) {
	for _, m := range torture {
		f.Add([]byte(m))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > maxMessage {
			return
		}
		p := wire.NewParser()
		p.MaxMessageLength = maxMessage
		m, err := p.ParseSIP(b)
		if err != nil {
			return
		}
		req, isRequest := m.(*wire.Request)
		if !isRequest || req.From() == nil || req.To() == nil {
			return
		}
		var v varList
		v.uri("sip_req", &req.Recipient)
		v.routes(req)
		v.identities(req, "user-domain")
		v.headers(req)
		v.references(req)
		channelUser(req.From())
		(&Profile{}).callerOf(req)
	})
}

func TestLimits_FloodFromOneSource_OthersAreServed(t *testing.T) {
	h := newHouse(t, houseOptions{limits: Limits{Requests: 1, Burst: 30}})
	served := 0
	for range 40 {
		c, err := net.Dial("udp", h.addr().String())
		ok(t, err)
		c.Write([]byte("OPTIONS sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;rport;branch=z9hG4bK" + newTag() +
			"\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: f\r\nCSeq: 1 OPTIONS\r\n\r\n"))
		c.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		if n, err := c.Read(make([]byte, 2000)); err == nil && n > 0 {
			served++
		} else if served >= 30 {
			c.Close()
			break
		}
		c.Close()
	}
	if served < 28 || served > 33 || h.profile().counters.limited.Load() == 0 {
		t.Errorf("%d of a flood were served, %d dropped", served, h.profile().counters.limited.Load())
	}
}

func TestBuckets_MadeUpSources_BoundedTable(t *testing.T) {
	b := newBuckets(1, 2, 100)
	now := time.Now()
	for i := range 100000 {
		b.take(addrOf("10."+strconv.Itoa(i>>16&255)+"."+strconv.Itoa(i>>8&255)+"."+strconv.Itoa(i&255)), now)
	}
	if len(b.m) > 100 {
		t.Errorf("%d sources are remembered", len(b.m))
	}
}

func FuzzRAck(f *testing.F) {
	for _, s := range []string{"1 2 INVITE", "0 1 INVITE", "4294967295 4294967295 INVITE", "1 2", "", "-1 2 INVITE", "1  2\tINVITE", "99999999999 1 INVITE"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		rseq, cseq, method, ok := parseRAck(s)
		if !ok {
			return
		}
		again := strconv.FormatUint(uint64(rseq), 10) + " " + strconv.FormatUint(uint64(cseq), 10) + " " + method
		if a, b, m, ok := parseRAck(again); !ok || a != rseq || b != cseq || m != method || rseq == 0 {
			t.Errorf("%q is read as %q, and that as %d %d %q", s, again, a, b, m)
		}
	})
}

func FuzzMultipart(f *testing.F) {
	f.Add(`multipart/mixed; boundary="b1"`, "--b1\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--b1\r\nContent-Type: A/b;c=d\r\n\r\nx\r\n--b1--\r\n")
	f.Add("multipart/related;boundary=", "----")
	f.Add("multipart/mixed;boundary=a", strings.Repeat("--a\n\n", 100))
	f.Fuzz(func(t *testing.T, kind, body string) {
		parts := splitParts(kind, []byte(body))
		if len(parts) > maxParts {
			t.Errorf("%d parts", len(parts))
		}
		for _, p := range parts {
			if len(p.text) > maxPart || p.kind != strings.ToLower(p.kind) {
				t.Errorf("%q with %d bytes", p.kind, len(p.text))
			}
		}
	})
}
