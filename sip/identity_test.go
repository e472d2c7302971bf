package sip

import (
	"testing"

	wire "github.com/emiago/sipgo/sip"

	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/test/phone"
)

func TestAuthAllPackets_RequestsInTheCallAreChallenged(t *testing.T) {
	h := newHouse(t, houseOptions{params: `<param name="auth-all-packets" value="true"/>`})
	c := must[*phone.Call](t)(h.phone("1000").Call("9196"))
	for range 2 {
		res := must[*wire.Response](t)(c.Request(wire.BYE, "", ""))
		if res.StatusCode != 401 || header(res, "WWW-Authenticate") == "" {
			t.Errorf("%d, WWW-Authenticate %q; want a 401 that challenges", res.StatusCode, header(res, "WWW-Authenticate"))
		}
	}
	if n := h.sw.Count(); n != 1 {
		t.Errorf("%d calls, want 1", n)
	}
	proves := func(o *phone.Options) { o.Proves = true }
	c = must[*phone.Call](t)(h.phone("1000", proves).Call("9196"))
	res := must[*wire.Response](t)(c.Request(wire.INFO, "application/x-note", "hello"))
	if res.StatusCode != 200 {
		t.Errorf("INFO with credentials: %d", res.StatusCode)
	}
	if e := h.waitType(event.RecvInfo); e.Body != "hello" {
		t.Errorf("body %q", e.Body)
	}
	ok(t, c.Hangup())
}

// A switch cannot prove itself to a switch that never saw its password.
func TestAuthAllPackets_CallsWithoutPassword_AreNot(t *testing.T) {
	h := newHouse(t, houseOptions{params: `<param name="auth-all-packets" value="true"/>`})
	out, in := h.ringingPair(func(o *phone.Options) { o.Proves = true })
	answers(t, in, out)
	leaves(t, in, out)
}

func TestAssertedIdentity_AsTheProfileWants(t *testing.T) {
	const value = `"Ann" <sip:+49301234@carrier.example;user=phone>`
	for as, want := range map[string]string{"": "+49301234", "default": "+49301234", "user-only": "+49301234", "nonsense": "+49301234",
		"user-domain": "+49301234@carrier.example", "verbatim": value} {
		h := newHouse(t, houseOptions{params: `<param name="p-asserted-id-parse" value="` + as + `"/>`})
		a := h.phone("1000", func(o *phone.Options) { o.Headers = [][2]string{{"P-Asserted-Identity", value}} })
		c := must[*phone.Call](t)(a.Call("9196"))
		e := h.waitType(event.ChannelAnswer)
		if got := e.Get("variable_sip_P-Asserted-Identity"); got != want || e.Get("Caller-Caller-ID-Number") != "+49301234" {
			t.Errorf("%q: %q with number %q, want %q", as, got, e.Get("Caller-Caller-ID-Number"), want)
		}
		ok(t, c.Hangup())
	}
	for _, none := range []string{"", "<sip:carrier.example>", "<tel:>", ">,"} {
		if got := assertedIdentity(none, "verbatim"); got != "" {
			t.Errorf("%q: %q", none, got)
		}
	}
	h := newHouse(t, houseOptions{})
	c := must[*phone.Call](t)(h.phone("1000", func(o *phone.Options) {
		o.Headers = [][2]string{{"P-Asserted-Identity", value + ", <tel:+49305678>"}}
	}).Call("9196"))
	if e := h.waitType(event.ChannelAnswer); e.Get("Caller-Caller-ID-Number") != "+49301234" {
		t.Errorf("of two identities the caller is %q", e.Get("Caller-Caller-ID-Number"))
	}
	ok(t, c.Hangup())
	if got := assertedIdentity(`<tel:+4930>`, ""); got != "+4930" {
		t.Errorf("%q", got)
	}
	if got := assertedIdentity(`<sip:1@a>, <tel:+2>`, "user-domain"); got != "1@a" {
		t.Errorf("%q", got)
	}
}
