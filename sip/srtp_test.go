package sip

import (
	"strings"
	"testing"
	"time"

	wire "github.com/emiago/sipgo/sip"

	"github.com/switchlet/switchlet/media/sdp"
	"github.com/switchlet/switchlet/test/phone"
)

// cryptoPhone is a registered phone that speaks SRTP.
func (h *house) cryptoPhone(user, suite string, best bool) *phone.Phone {
	h.t.Helper()
	return h.registered(user, func(o *phone.Options) { o.Crypto, o.Best = suite, best })
}

// hears waits until a call's sound has a tone.
func hears(t *testing.T, what string, c *phone.Call, hz float64) {
	t.Helper()
	if err := c.Hears(hz, 0.05, 300*time.Millisecond); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func TestSRTP_EchoIsHeardAndHeldAndStays(t *testing.T) {
	for _, c := range []struct {
		suite string
		best  bool
		proto string
	}{
		{"AES_CM_128_HMAC_SHA1_80", false, "RTP/SAVP"},
		{"AEAD_AES_128_GCM", false, "RTP/SAVP"},
		{"AES_CM_128_HMAC_SHA1_80", true, "RTP/AVP"},
	} {
		h := newHouse(t, houseOptions{})
		a := h.cryptoPhone("1000", c.suite, c.best)
		call := must[*phone.Call](t)(a.Call("9196"))
		answer, err := sdp.Parse(call.Final().Body())
		if err != nil {
			t.Fatal(err)
		}
		if m := answer.Media[0]; m.Proto != c.proto || len(m.Crypto()) != 1 || m.Crypto()[0].Suite != c.suite {
			t.Errorf("%s: answered %s", c.suite, call.Final().Body())
		}
		hearsTone := func(hz float64) {
			t.Helper()
			call.Say(hz, 0.3)
			hears(t, c.suite, call, hz)
		}
		hearsTone(440)
		ok(t, call.Hold(true))
		ok(t, call.Hold(false))
		hearsTone(700)
		ok(t, call.Hangup())
	}
}

// Both legs have keys of their own, or one of them none.
func TestSRTP_BridgeToAPlainAndToASecurePhone(t *testing.T) {
	for to, suite := range map[string]string{"1001": "", "sec1001": "AES_CM_128_HMAC_SHA1_80"} {
		h := newHouse(t, houseOptions{plan: `<extension name="told" continue="true"><condition field="${rtp_has_crypto}" expression="^AEAD_AES_128_GCM$"><action inline="true" application="export" data="nolocal:sip_h_X-Told=yes"/></condition></extension>
<extension name="sec"><condition field="destination_number" expression="^sec(\d+)$">
<action application="bridge" data="{rtp_secure_media=mandatory:AES_CM_128_HMAC_SHA1_80}user/$1@test.local"/></condition></extension>`})
		a, b := h.cryptoPhone("1000", "AEAD_AES_128_GCM", false), h.cryptoPhone("1001", suite, false)
		out, in := dials(t, a, b, to)
		if offer := string(in.Invite().Body()); strings.Contains(offer, "SAVP") != (suite != "") {
			t.Errorf("%s is offered %s", to, offer)
		}
		if got := header(in.Invite(), "X-Told"); suite != "" && got != "yes" {
			t.Errorf("the dialplan was not told of the keys: %q", got)
		}
		answers(t, in, out)
		out.Say(440, 0.3)
		in.Say(700, 0.3)
		hears(t, to, out, 700)
		hears(t, to, in, 440)
		leaves(t, out, in)
	}
}

func TestSRTP_WhatCannotBeEncryptedIsRefused(t *testing.T) {
	const force = `<extension name="force" continue="true"><condition><action inline="true" application="set" data="rtp_secure_media=%s"/></condition></extension>
<extension name="forced"><condition field="destination_number" expression="^forced$"><action application="answer"/><action application="echo"/></condition></extension>`
	for name, c := range map[string]struct{ policy, suite string }{
		"plain, and it must be":      {"mandatory", ""},
		"encrypted, and it must not": {"forbidden", "AES_CM_128_HMAC_SHA1_80"},
		"another suite":              {"mandatory:AEAD_AES_256_GCM", "AES_CM_128_HMAC_SHA1_80"},
	} {
		h := newHouse(t, houseOptions{plan: strings.Replace(force, "%s", c.policy, 1)})
		call := must[*phone.Call](t)(h.cryptoPhone("1000", c.suite, false).Dial("forced"))
		if err := call.WaitAnswer(); err == nil {
			t.Errorf("%s: the call is answered", name)
		} else if status, _ := call.Status(); status != 488 {
			t.Errorf("%s: %d", name, status)
		}
	}
}

func TestUsable_Lines(t *testing.T) {
	key := make([]byte, 30)
	suites := []string{"AES_CM_128_HMAC_SHA1_80"}
	for name, c := range map[string]struct {
		line sdp.Crypto
		ok   bool
	}{
		"plain":                 {sdp.Crypto{Suite: suites[0], Key: key}, true},
		"with a lifetime":       {sdp.Crypto{Suite: suites[0], Key: key, Lifetime: "2^31"}, true},
		"with a hint":           {sdp.Crypto{Suite: suites[0], Key: key, SessionParams: "WSH=128"}, true},
		"a key too short":       {sdp.Crypto{Suite: suites[0], Key: key[:29]}, false},
		"another suite":         {sdp.Crypto{Suite: "AES_CM_128_HMAC_SHA1_32", Key: key}, false},
		"with an MKI":           {sdp.Crypto{Suite: suites[0], Key: key, MKI: "1:4"}, false},
		"without encryption":    {sdp.Crypto{Suite: suites[0], Key: key, SessionParams: "UNENCRYPTED_SRTP"}, false},
		"with other parameters": {sdp.Crypto{Suite: suites[0], Key: key, SessionParams: "KDR=1"}, false},
	} {
		if got := usable(c.line, suites); got != c.ok {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A suite that the far end comes back to gets another key: its count of packets begins
// anew, and none may be encrypted twice under one number.
func TestSRTP_SuiteThatComesBack_GetsAnotherKey(t *testing.T) {
	h := newHouse(t, houseOptions{})
	a := h.cryptoPhone("1000", "AES_CM_128_HMAC_SHA1_80", false)
	c := must[*phone.Call](t)(a.Call("9196"))
	keys := map[string]string{}
	take := func(body []byte) {
		t.Helper()
		answer, err := sdp.Parse(body)
		ok(t, err)
		list := answer.Media[0].Crypto()
		if len(list) != 1 {
			t.Fatalf("answered %s", body)
		}
		if keys[string(list[0].Key)] != "" {
			t.Errorf("%s has the key of before", list[0].Suite)
		}
		keys[string(list[0].Key)] = list[0].Suite
	}
	take(c.Final().Body())
	for i, suite := range []string{"AES_CM_128_HMAC_SHA1_32", "AES_CM_128_HMAC_SHA1_80"} {
		offer := "v=0\r\no=- 1 " + string(rune('5'+i)) + " IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/SAVP 0\r\n" +
			"a=crypto:1 " + suite + " inline:" + strings.Repeat("A", 40) + "\r\n"
		take(must[*wire.Response](t)(c.Request(wire.INVITE, "application/sdp", offer)).Body())
	}
	// A far end that wants plain sound after that does not get it.
	res := must[*wire.Response](t)(c.Request(wire.INVITE, "application/sdp",
		"v=0\r\no=- 1 9 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"))
	if res.StatusCode != 488 {
		t.Errorf("plain: %d", res.StatusCode)
	}
	ok(t, c.Hangup())
}
