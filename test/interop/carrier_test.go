package interop

import (
	"crypto/md5"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/switchlet/switchlet/test/box"
	"github.com/switchlet/switchlet/test/ports"
)

const (
	carrierGateway = `<include>
  <gateway name="carrier">
    <param name="username" value="trunk"/>
    <param name="password" value="secret of the trunk"/>
    <param name="realm" value="carrier.example"/>
    <param name="proxy" value="127.0.0.1:%d"/>
    <param name="register" value="true"/>
    <param name="extension" value="5550000"/>
    <param name="expire-seconds" value="600"/>
  </gateway>
</include>
`
	// Loopback is everybody's here: the gateway's address alone is no proof.
	carrierAddress = `<configuration name="acl.conf"><network-lists>
  <list name="carriers" default="deny"><node type="allow" cidr="127.0.0.0/8"/></list>
  <list name="domains" default="deny"/>
</network-lists></configuration>
`
	carrierNumber = `<include>
  <extension name="interop_did">
    <condition field="destination_number" expression="^5550000$">
      <action application="answer"/>
      <action application="echo"/>
    </condition>
  </extension>
</include>
`
)

func TestSIPp_GatewayRegistersAndCarriesCallsBothWays(t *testing.T) {
	port := ports.Free(t)
	b := start(t, map[string]string{"sip_profiles/external/carrier.xml": fmt.Sprintf(carrierGateway, port),
		"dialplan/public/interop.xml": carrierNumber, "autoload_configs/acl.conf.xml": carrierAddress})
	w, api := observe(t, b), b.ESL(t)
	carrier := sipp{Scenario: "carrier", Port: port, Calls: 2, To: box.ExternalSIP}.start(t, b)
	// Its first try was before there was a carrier.
	b.API(t, api, "sofia profile external register carrier")
	box.Eventually(t, patience, "the gateway registers", func() bool {
		return strings.Contains(b.API(t, api, "sofia status gateway carrier"), "\tREGED")
	})
	if out := b.API(t, api, "originate {origination_uuid=out}sofia/gateway/carrier/4930123456 &park()"); out != "+OK out\n" {
		t.Fatalf("originate through the gateway said %q", out)
	}
	e := w.awaitName("CHANNEL_ANSWER", "out")
	if got := e.Get("Channel-Name"); got != "sofia/external/4930123456" {
		t.Errorf("the channel's name is %q", got)
	}
	b.API(t, api, "uuid_kill out")
	carrier.wait(t)
	w.awaitEnd("out")
	if header := carrier.header(t, "Proxy-Authorization: "); !answers(header, "INVITE", "secret of the trunk") {
		t.Errorf("the call was authorised with a response that is wrong: %s", header)
	}

	v := newVoice(t)
	call := sipp{Scenario: "carrier_calls", Number: "gw+carrier", User: "4930654321", Port: port, RTP: v.port(),
		Talk: time.Second, To: box.ExternalSIP}.start(t, b)
	e = w.awaitName("CHANNEL_ANSWER", "")
	v.talk(t, e, 700)
	box.Eventually(t, patience, "the tone comes back", func() bool { return v.hears(700) })
	expect(t, e, map[string]string{"Caller-Context": "public", "Caller-Destination-Number": "5550000",
		"Caller-Caller-ID-Number": "4930654321", "variable_sip_gateway": "carrier", "Call-Direction": "inbound"})
	call.wait(t)
}

func TestSIPp_StrangersAreRefused(t *testing.T) {
	b := start(t, nil)
	sipp{Scenario: "stranger", Number: "5551212", User: "anybody", IP: "127.0.0.2", To: box.ExternalSIP}.run(t, b)
	for _, scenario := range []string{"message", "subscribe"} {
		t.Run(scenario, func(t *testing.T) { sipp{Scenario: scenario, Number: "1001"}.run(t, b) })
	}
	if out := b.API(t, b.ESL(t), "show channels count"); !strings.HasPrefix(strings.TrimSpace(out), "0 total.") {
		t.Errorf("channels after the refusals: %q", out)
	}
}

func TestSIPp_ChallengesOfStrangersAreNotAnswered(t *testing.T) {
	port := ports.Free(t)
	b := start(t, map[string]string{"sip_profiles/external/carrier.xml": strings.ReplaceAll(fmt.Sprintf(carrierGateway, port),
		`name="register" value="true"`, `name="register" value="false"`)})
	thief := sipp{Scenario: "thief"}.start(t, b)
	out := b.API(t, b.ESL(t), fmt.Sprintf("originate sofia/external/1000@127.0.0.1:%d &park()", thief.port))
	if !strings.HasPrefix(out, "-ERR ") {
		t.Errorf("originate said %q", out)
	}
	thief.wait(t)
	if n := thief.different(t, "INVITE "); n != 1 {
		t.Errorf("%d INVITEs reached the thief, want 1", n)
	}
}

func TestSIPp_OptionsAreAnswered(t *testing.T) {
	b := start(t, nil)
	for _, to := range []int{box.SIP, box.ExternalSIP} {
		for _, tcp := range []bool{false, true} {
			sipp{Scenario: "options", Number: "ping", To: to, TCP: tcp}.run(t, b)
		}
	}
}

func TestSIPp_AHundredCallsOnOneConnection(t *testing.T) {
	b := start(t, nil)
	sipp{Scenario: "call", Number: "9196", Calls: 100, Rate: 25, Talk: 500 * time.Millisecond, TCP: true}.run(t, b)
}

// answers checks the response of a digest with qop=auth (RFC 7616 §3.4.1).
func answers(header, method, password string) bool {
	param := func(name string) string {
		_, rest, _ := strings.Cut(header, name+"=")
		if quoted, ok := strings.CutPrefix(rest, `"`); ok {
			value, _, _ := strings.Cut(quoted, `"`)
			return value
		}
		value, _, _ := strings.Cut(rest, ",")
		return strings.TrimSpace(value)
	}
	hash := func(s string) string { return fmt.Sprintf("%x", md5.Sum([]byte(s))) }
	who := hash(param("username") + ":" + param(" realm") + ":" + password)
	what := hash(method + ":" + param(" uri"))
	return param(" response") == hash(strings.Join([]string{who, param(" nonce"), param(" nc"), param(" cnonce"), "auth", what}, ":"))
}
