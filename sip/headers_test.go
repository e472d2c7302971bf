package sip

import (
	"strings"
	"testing"
	"time"

	wire "github.com/emiago/sipgo/sip"

	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/test/phone"
)

func TestCustomHeaders_GoToTheOtherLeg_AndItsAnswersBack(t *testing.T) {
	h := newHouse(t, houseOptions{})
	a := h.phone("1000", func(o *phone.Options) {
		o.Headers = [][2]string{{"X-Order", "77"}, {"User-to-User", "00abcd;encoding=hex"}, {"Diversion", "<sip:5@a.example>"},
			{"Identity", "eyJhbGciOiJFUzI1NiJ9..sig;info=<https://c.example/a>"}, {"Date", "Sat, 21 Nov 2026 15:06:39 GMT"},
			{"P-Asserted-Identity", "<sip:secret@a.example>"}, {"X-FS-Support", "update_display"}}
	})
	b := h.registered("1001", func(o *phone.Options) { o.Replies = [][2]string{{"X-Room", "12"}} })
	out, in := dials(t, a, b, "1001")
	for name, want := range map[string]string{"X-Order": "77", "User-to-User": "00abcd;encoding=hex", "Diversion": "<sip:5@a.example>",
		"Identity": "eyJhbGciOiJFUzI1NiJ9..sig;info=<https://c.example/a>"} {
		if got := header(in.Invite(), name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := header(in.Invite(), "P-Asserted-Identity"); got != "" {
		t.Errorf("the callee was told %q", got)
	}
	if n := len(in.Invite().GetHeaders("X-FS-Support")); n != 1 {
		t.Errorf("%d headers X-FS-Support", n)
	}
	ok(t, in.Ring())
	answers(t, in, out)
	if got := header(out.Final(), "X-Room"); got != "12" {
		t.Errorf("the caller was answered with X-Room %q", got)
	}
	h.waitType(event.ChannelBridge)
	for _, ch := range h.sw.Channels() {
		if got := ch.Get("sip_date_epoch_time"); !ch.Outbound() && got != "1795273599" {
			t.Errorf("date %q", got)
		}
	}
	must[*wire.Response](t)(in.Request(wire.BYE, "", "", [2]string{"X-Why", "tired"}))
	ok(t, out.WaitEnd())
	if got := header(out.Bye(), "X-Why"); got != "tired" {
		t.Errorf("the caller's BYE has X-Why %q", got)
	}
}

func TestCustomHeaders_NotCopied_WhereTheCallSaysSo(t *testing.T) {
	h := newHouse(t, houseOptions{plan: `<extension name="silent"><condition field="destination_number" expression="^88(1001)$"><action application="set" data="hangup_after_bridge=true"/><action application="export" data="sip_copy_custom_headers=false"/><action application="bridge" data="user/$1@test.local"/></condition></extension>`})
	a := h.phone("1000", func(o *phone.Options) { o.Headers = [][2]string{{"X-Order", "77"}} })
	b := h.registered("1001", func(o *phone.Options) { o.Replies = [][2]string{{"X-Room", "12"}} })
	out, in := dials(t, a, b, "881001")
	answers(t, in, out)
	if got := header(in.Invite(), "X-Order") + header(out.Final(), "X-Room"); got != "" {
		t.Errorf("%q went over", got)
	}
	ok(t, out.Hangup())
}

// location is what an emergency call has beside its SDP (RFC 6442).
const location = "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\"/>"

func wrapped(body []byte) (string, []byte) {
	return `multipart/mixed; boundary="b1"`, []byte("--b1\r\nContent-Type: application/pidf+xml\r\nContent-ID: <1@a>\r\n\r\n" + location +
		"\r\n--b1\r\nContent-Type: application/sdp\r\n\r\n" + string(body) + "\r\n--b1--\r\n")
}

func TestMultipart_SDPAmongOtherParts(t *testing.T) {
	h := newHouse(t, houseOptions{})
	wrap := func(o *phone.Options) { o.Wrap = wrapped }
	a, b := h.phone("1000", wrap), h.registered("1001", wrap)
	out, in := dials(t, a, b, "1001")
	kind, body := header(in.Invite(), "Content-Type"), string(in.Invite().Body())
	if !strings.HasPrefix(kind, "multipart/mixed; boundary=") || !strings.Contains(body, "Content-Type: application/pidf+xml\r\n") ||
		!strings.Contains(body, location) || strings.Count(body, "Content-Type: application/sdp\r\n") != 1 {
		t.Errorf("%s\n%s", kind, body)
	}
	answers(t, in, out)
	e := h.waitType(event.ChannelAnswer)
	if got := e.Get("variable_sip_multipart"); got != "application/pidf+xml:"+location {
		t.Errorf("sip_multipart %q", got)
	}
	in.Say(700, 0.5)
	if heard := must[phone.Heard](t)(out.Listen(700, 300*time.Millisecond)); heard.Level < 0.3 {
		t.Errorf("heard at %.2f", heard.Level)
	}
	ok(t, out.Hangup())
}

func TestInviteHeaders_AsVariables(t *testing.T) {
	h := newHouse(t, houseOptions{params: `<param name="parse-all-invite-headers" value="true"/><param name="parse-invite-tel-params" value="true"/>`,
		plan: `<extension name="tel"><condition field="destination_number" expression="^\+4930"><action application="answer"/><action application="park"/></condition></extension>`})
	a := h.phone("1000", func(o *phone.Options) {
		o.Headers = [][2]string{{"Reason", "preemption"}, {"Remote-Party-ID", `"x" <sip:+49301;cpc=payphone@a>`},
			{"Alert-Info", "<a>"}, {"Alert-Info", "<b>"}}
	})
	c := must[*phone.Call](t)(a.Call("sip:+4930;npdi;rn=+4940@" + "test.local"))
	e := h.waitType(event.ChannelAnswer)
	for name, want := range map[string]string{"variable_sip_i_reason": "preemption", "variable_sip_req_user": "+4930",
		"variable_sip_invite_npdi": "true", "variable_sip_invite_rn": "+4940", "Caller-Caller-ID-Number": "+49301",
		"variable_sip_i_alert_info": "ARRAY::<a>|:<b>", "variable_sip_i_max_forwards": "70"} {
		if got := e.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	ok(t, c.Hangup())
}

func TestInviteTelParams_AndContactUser_GoOut(t *testing.T) {
	h := newHouse(t, houseOptions{params: `<param name="contact-user" value="ourbox"/>`,
		plan: `<extension name="out"><condition field="destination_number" expression="^9(1001)$"><action application="bridge" data="{sip_invite_tel_params=npdi;rn=+4940}user/$1@test.local"/></condition></extension>`})
	a, b := h.phone("1000"), h.registered("1001")
	out, in := dials(t, a, b, "91001")
	if got := in.Invite().Recipient.User; got != "1001;npdi;rn=+4940" {
		t.Errorf("the Request-URI's user is %q", got)
	}
	if got := in.Invite().Contact().Address.User; got != "ourbox" {
		t.Errorf("the Contact's user is %q", got)
	}
	answers(t, in, out)
	ok(t, out.Hangup())
}

func TestRedirect_TheCallerHasItsVariables(t *testing.T) {
	h := newHouse(t, houseOptions{params: `<param name="manual-redirect" value="true"/>`,
		plan: `</context><context name="redirected"><extension name="all"><condition><action application="answer"/><action application="park"/></condition></extension>`})
	a, b := h.phone("1000"), h.registered("1001")
	out, in := dials(t, a, b, "1001")
	own := "sip:1001@" + b.Addr().String() // its own Contact comes first
	ok(t, in.Reject(302, "Moved", [2]string{"Contact", "<sip:55@h.example;a=1>"}, [2]string{"Contact", "<sip:66@i.example>"}, [2]string{"Contact", "<sip:{x=1}7@i.example>"}))
	ok(t, out.WaitAnswer())
	e := h.waitType(event.ChannelAnswer)
	for name, want := range map[string]string{"sip_redirect_contact_user_2": "66", "sip_redirect_contact_host_1": "h.example",
		"sip_redirect_contact_params_1": "a=1", "sip_redirected_to": "<" + own + ">", "Caller-Destination-Number": "1001", "sip_redirect_count": "4",
		"sip_redirect_dialstring": "sofia/internal/" + own + "|sofia/internal/sip:55@h.example;a=1|sofia/internal/sip:66@i.example"} {
		if !strings.HasPrefix(name, "Caller") {
			name = "variable_" + name
		}
		if got := e.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	ok(t, out.Hangup())
}

func TestOriginatorCodec_WhatTheCallerOffersComesFirst(t *testing.T) {
	for value, want := range map[string]string{"": "8 102 9 0", "true": "8 102 9 0", "false": "8"} {
		h := newHouse(t, houseOptions{})
		h.sw.Globals.Set("media_mix_inbound_outbound_codecs", value)
		a, b := h.phone("1000", func(o *phone.Options) { o.Codecs = []string{"PCMA"} }), h.registered("1001")
		out, in := dials(t, a, b, "1001")
		_, rest, _ := strings.Cut(string(in.Invite().Body()), "RTP/AVP ")
		line, _, _ := strings.Cut(rest, "\r\n")
		if !strings.HasPrefix(line, want+" ") && line != want {
			t.Errorf("%q: offered %s, want %s", value, line, want)
		}
		ok(t, in.Reject(486, "Busy Here"))
		recv(t, out.Done())
	}
}

func TestInheritCodec_CallerGetsWhatTheCalleeTook(t *testing.T) {
	for value, want := range map[string]string{"true": "PCMA", "false": "PCMU"} {
		h := newHouse(t, houseOptions{plan: `<extension name="inherit"><condition field="destination_number" expression="^9(1001)$"><action application="set" data="inherit_codec=` + value + `"/><action application="bridge" data="user/$1@test.local"/></condition></extension>`})
		a := h.phone("1000", func(o *phone.Options) { o.Codecs = []string{"PCMU", "PCMA"} })
		b := h.registered("1001", func(o *phone.Options) { o.Codecs = []string{"PCMA"} })
		out, in := dials(t, a, b, "91001")
		answers(t, in, out)
		if got := out.Sound.Format().Codec.Name; got != want {
			t.Errorf("inherit_codec=%s: the caller speaks %s, want %s", value, got, want)
		}
		h.waitType(event.ChannelBridge)
		for _, ch := range h.sw.Channels() {
			if got := ch.Get("absolute_codec_string"); got != "" && !ch.Outbound() {
				t.Errorf("absolute_codec_string stayed: %s", got)
			}
		}
		ok(t, out.Hangup())
	}
}

func TestSessionTimer_WithoutRequire_AndByUpdate(t *testing.T) {
	h := newHouse(t, houseOptions{params: `<param name="update-refresher" value="true"/>`,
		plan: `<extension name="lax"><condition field="destination_number" expression="^lax$"><action application="set" data="sip_require_timer=false"/><action application="answer"/><action application="park"/></condition></extension>`})
	a := h.phone("1000", func(o *phone.Options) {
		o.Headers = [][2]string{{"Session-Expires", "1800;refresher=uas"}, {"Supported", "timer"}}
	})
	for number, want := range map[string]string{"5900": "timer", "lax": ""} {
		c := must[*phone.Call](t)(a.Call(number))
		if got := header(c.Final(), "Require"); got != want {
			t.Errorf("%s: Require %q, want %q", number, got, want)
		}
		if number == "5900" {
			l := h.sw.Channels()[0].Leg().(*leg)
			h.sw.Go(func() { l.refresh(l.channel()) })
			if r := recv(t, c.Reinvites()); r.Method != wire.UPDATE || header(r, "Session-Expires") != "1800;refresher=uac" {
				t.Errorf("refreshed by %s, Session-Expires %q", r.Method, header(r, "Session-Expires"))
			}
		}
		ok(t, c.Hangup())
		h.waitType(event.ChannelDestroy)
	}
}

// The caller's packet time does not leave out the codecs that he lacks.
func TestOriginatorCodec_AnotherPacketTime(t *testing.T) {
	h := newHouse(t, houseOptions{})
	a := h.phone("1000", func(o *phone.Options) {
		o.Codecs = []string{"PCMA"}
		o.Wrap = func(body []byte) (string, []byte) {
			return "application/sdp", []byte(strings.Replace(string(body), "a=ptime:20", "a=ptime:30", 1))
		}
	})
	b := h.registered("1001", func(o *phone.Options) { o.Codecs = []string{"PCMU"} })
	out, in := dials(t, a, b, "1001")
	if body := string(in.Invite().Body()); !strings.Contains(body, "RTP/AVP 8 9 0 ") || !strings.Contains(body, "a=ptime:30\r\n") {
		t.Errorf("offered\n%s", body)
	}
	answers(t, in, out)
	in.Say(700, 0.5)
	if heard := must[phone.Heard](t)(out.Listen(700, 300*time.Millisecond)); heard.Level < 0.3 {
		t.Errorf("heard at %.2f", heard.Level)
	}
	ok(t, out.Hangup())
}

// The caller knows how the last INVITE was refused, until the next one is not.
func TestFailureStatus_IsTheCallersToo(t *testing.T) {
	h := newHouse(t, houseOptions{plan: `<extension name="twice"><condition field="destination_number" expression="^twice$">
<action application="set" data="continue_on_fail=true"/><action application="set" data="hangup_after_bridge=true"/>
<action application="bridge" data="user/1001@test.local"/><action application="set" data="said=${sip_invite_failure_status} ${sip_invite_failure_phrase}"/>
<action application="bridge" data="user/1002@test.local"/></condition></extension>`})
	b, c := h.registered("1001"), h.registered("1002", func(o *phone.Options) { o.Password = "hashed" })
	out, refuses := dials(t, h.phone("1000"), b, "twice")
	ok(t, refuses.Reject(603, "Not Now"))
	in := must[*phone.Call](t)(c.Next())
	answers(t, in, out)
	for _, ch := range h.sw.Channels() {
		if !ch.Outbound() {
			if got := ch.Get("said") + "|" + ch.Get(failureStatus) + "|" + ch.Get(failurePhrase); got != "603 Not Now||" {
				t.Errorf("the caller has %q", got)
			}
		}
	}
	leaves(t, out, in)
	h.nothingLeft()
}
