package sip

import (
	"strconv"
	"strings"
	"testing"

	wire "github.com/emiago/sipgo/sip"

	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/test/phone"
)

func TestSessionTimer_TooShort_422(t *testing.T) {
	const supported = "replaces, timer"
	for _, tt := range []struct {
		params, expires, supported string
		status                     int
		least                      string // Min-SE of the refusal
		agreed                     string // Session-Expires of the answer
	}{
		{"", "89", supported, 422, "90", ""},
		{"", "0", supported, 422, "90", ""},
		{"", "60;refresher=uac", "timer", 422, "90", ""},
		{"", "90", supported, 200, "", "90;refresher=uac"},
		{"", "60", "replaces", 200, "", ""}, // who cannot do timers does not know 422
		{"", "soon", supported, 200, "", ""},
		{`<param name="minimum-session-expires" value="300"/>`, "299", supported, 422, "300", ""},
		{`<param name="minimum-session-expires" value="300"/>`, "299", "replaces", 422, "300", ""},
		{`<param name="minimum-session-expires" value="300"/>`, "300;refresher=uas", supported, 200, "", "300;refresher=uas"},
		{`<param name="minimum-session-expires" value="10"/>`, "89", supported, 422, "90", ""},
		{`<param name="enable-timer" value="false"/>`, "60", supported, 200, "", ""},
	} {
		t.Run(tt.params+tt.expires+" "+tt.supported, func(t *testing.T) {
			h := newHouse(t, houseOptions{params: tt.params})
			a := h.phone("1000", func(o *phone.Options) {
				o.Headers = [][2]string{{"Session-Expires", tt.expires}}
				o.Supported = tt.supported
			})
			c := must[*phone.Call](t)(a.Dial("5900"))
			if err := c.WaitAnswer(); (err == nil) != (tt.status == 200) {
				t.Fatal(err)
			}
			res := c.Final()
			if res.StatusCode != tt.status || header(res, "Min-SE") != tt.least || header(res, "Session-Expires") != tt.agreed {
				t.Errorf("%d %s, Min-SE %q, Session-Expires %q", res.StatusCode, res.Reason, header(res, "Min-SE"), header(res, "Session-Expires"))
			}
			if tt.status == 200 {
				ok(t, c.Hangup())
			}
			h.nothingLeft()
		})
	}
}

// A re-INVITE that wants too short an interval changes nothing.
func TestSessionTimer_TooShortLater_422AndCallStays(t *testing.T) {
	h := newHouse(t, houseOptions{params: `<param name="minimum-session-expires" value="120"/>`})
	a := h.phone("1000", func(o *phone.Options) { o.Headers = [][2]string{{"Session-Expires", "1800"}} })
	c := must[*phone.Call](t)(a.Call("5900"))
	res := must[*wire.Response](t)(c.Request(wire.INVITE, "application/sdp", description(4000), [2]string{"Session-Expires", "119"}))
	if res.StatusCode != 422 || header(res, "Min-SE") != "120" {
		t.Errorf("%d %s, Min-SE %q", res.StatusCode, res.Reason, header(res, "Min-SE"))
	}
	ch := h.sw.Channels()[0]
	l := ch.Leg().(*leg)
	l.mu.Lock()
	expires := l.expires
	l.mu.Unlock()
	if port := ch.Get("remote_media_port"); port == "4000" || expires != 1800 {
		t.Errorf("sound goes to port %s, the interval is %d s", port, expires)
	}
	ok(t, c.Hold(true))
	ok(t, c.Hangup())
	h.nothingLeft()
}

const timed = `<param name="session-timeout" value="120"/>`

// wants checks what an INVITE or UPDATE of ours asks for.
func wants(t *testing.T, req *wire.Request, expires, least string) {
	t.Helper()
	if header(req, "Session-Expires") != expires || header(req, "Min-SE") != least {
		t.Errorf("%s %d: Session-Expires %q, Min-SE %q, want %q and %q", req.Method, req.CSeq().SeqNo,
			header(req, "Session-Expires"), header(req, "Min-SE"), expires, least)
	}
}

// Each proxy on the way, and then the callee, may want a longer interval.
func TestSessionTimer_422_InviteIsSentAgain(t *testing.T) {
	h := newHouse(t, houseOptions{params: timed})
	out, far := h.callee(h.phone("1000"))
	wants(t, far.invite, "120;refresher=uac", "90")
	first := far.invite
	for _, least := range []string{"200", "300;x=y"} {
		far.say(far.response(far.invite, 422, "p"+least[:1], "", "Min-SE", least))
		far.invite = far.next(wire.INVITE)
		wants(t, far.invite, least[:3]+";refresher=uac", least[:3])
		if to := tag(far.invite.To().Params); to != "" || far.invite.CallID().Value() != first.CallID().Value() || string(far.invite.Body()) != string(first.Body()) {
			t.Errorf("another call: tag %q, %s, %s", to, far.invite.CallID().Value(), far.invite.Body())
		}
	}
	if first.CSeq().SeqNo+2 != far.invite.CSeq().SeqNo {
		t.Errorf("from %d to %d", first.CSeq().SeqNo, far.invite.CSeq().SeqNo)
	}
	far.answers(out, "Session-Expires", "300;refresher=uac", "Require", "timer")

	// It is refreshed with what was agreed, and with more where they want that.
	ch := h.outbound()
	l := ch.Leg().(*leg)
	done := make(chan error, 1)
	go func() { done <- l.reinvite(t.Context(), ch) }()
	again := far.next(wire.INVITE)
	wants(t, again, "300;refresher=uac", "300")
	far.say(far.response(again, 422, "a", "", "Min-SE", "400"))
	again = far.next(wire.INVITE)
	wants(t, again, "400;refresher=uac", "400")
	far.say(far.response(again, 200, "a", description(4000), "Session-Expires", "400;refresher=uac"))
	ok(t, recv(t, done))
	far.next(wire.ACK)
	l.mu.Lock()
	expires, refresher := l.expires, l.refresher
	l.mu.Unlock()
	if expires != 400 || !refresher {
		t.Errorf("%d s, ours %v", expires, refresher)
	}
	far.leftBy(out)
	h.nothingLeft()
}

// An UPDATE that is refused so is followed by a re-INVITE with the longer interval.
func TestSessionTimer_422_ToUpdate(t *testing.T) {
	h := newHouse(t, houseOptions{params: timed + `<param name="update-refresher" value="true"/>`})
	out, far := h.callee(h.phone("1000"))
	far.answers(out, "Session-Expires", "120;refresher=uac")
	l := h.outbound().Leg().(*leg)
	h.sw.Go(func() { l.refresh(l.channel()) })
	update := far.next(wire.UPDATE)
	wants(t, update, "120;refresher=uac", "90")
	far.say(far.response(update, 422, "a", "", "Min-SE", "150"))
	again := far.next(wire.INVITE)
	wants(t, again, "150;refresher=uac", "150")
	far.say(far.response(again, 200, "a", description(4000), "Session-Expires", "150;refresher=uac"))
	far.next(wire.ACK)
	far.leftBy(out)
	h.nothingLeft()
}

// A refusal that a longer interval does not mend ends the call.
func TestSessionTimer_422_ThatHelpsNothing(t *testing.T) {
	for _, tt := range []struct {
		params string
		least  []string // of each 422
	}{
		{timed, []string{"120"}}, {timed, []string{"60"}}, {timed, []string{""}}, {timed, []string{"long"}}, {timed, []string{"999999999"}}, {timed, []string{"-1"}},
		{timed, []string{"200", "200"}}, {timed, strings.Split("130 140 150 160 170 180 190 200 210", " ")},
		{timed + `<param name="enable-timer" value="false"/>`, []string{"200"}},
	} {
		t.Run(tt.params+strings.Join(tt.least, " "), func(t *testing.T) {
			h := newHouse(t, houseOptions{params: tt.params})
			out, far := h.callee(h.phone("1000"))
			for i, least := range tt.least {
				if i > 0 {
					far.invite = far.next(wire.INVITE)
				}
				far.say(far.response(far.invite, 422, "p"+strconv.Itoa(i), "", "Min-SE", least))
			}
			if out.WaitAnswer() == nil {
				t.Error("answered")
			}
			e := h.wait("the end of the called leg", func(e *event.Event) bool {
				return e.Type == event.ChannelHangupComplete && e.Get("Call-Direction") == "outbound"
			})
			if got := e.Get("variable_sip_invite_failure_status"); got != "422" {
				t.Errorf("failed with %s", got)
			}
			h.nothingLeft()
		})
	}
}

// Who asks for a password asks for it again with the longer interval.
func TestSessionTimer_422_BetweenChallenges(t *testing.T) {
	h := newHouse(t, houseOptions{params: timed, plan: `<extension name="known"><condition field="destination_number" expression="^78(\d+)$"><action application="set" data="hangup_after_bridge=true"/><action application="bridge" data="[sip_auth_username=bob,sip_auth_password=x]sofia/internal/bob@127.0.0.1:$1"/></condition></extension>`})
	out, far := h.calleeBy(h.phone("1000"), "78")
	const challenge = `Digest realm="far", nonce="n", algorithm=MD5`
	for _, expires := range []string{"120", "200"} {
		far.say(far.response(far.invite, 401, "a"+expires, "", "WWW-Authenticate", challenge))
		far.invite = far.next(wire.INVITE)
		wants(t, far.invite, expires+";refresher=uac", map[string]string{"120": "90", "200": "200"}[expires])
		if header(far.invite, "Authorization") == "" {
			t.Error("without a proof")
		}
		if expires == "120" {
			far.say(far.response(far.invite, 422, "b", "", "Min-SE", "200"))
			far.invite = far.next(wire.INVITE)
		}
	}
	far.answers(out, "Session-Expires", "200;refresher=uac")
	far.leftBy(out)
	h.nothingLeft()
}
