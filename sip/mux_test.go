package sip

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/switchlet/switchlet/test/phone"
)

func TestRTCPMux_AnsweredWhereItIsOffered(t *testing.T) {
	for _, x := range []struct {
		name, params, plan, offered string
		mux, rtcp                   bool
	}{
		{name: "offered", offered: "a=rtcp-mux\r\n", mux: true, rtcp: true},
		{name: "not offered"},
		{name: "not offered, with reports", params: `<param name="rtcp-audio-interval-msec" value="5000"/>`, rtcp: true},
		{name: "offered, with reports", params: `<param name="rtcp-audio-interval-msec" value="5000"/>`, offered: "a=rtcp-mux\r\n", mux: true, rtcp: true},
		{name: "not wanted", offered: "a=rtcp-mux\r\n", plan: "rtcp_mux=false"},
		{name: "wanted, not offered", params: `<param name="rtcp-audio-interval-msec" value="5000"/>`, plan: "rtcp_mux=true", rtcp: true},
	} {
		h := newHouse(t, houseOptions{params: x.params, plan: `<extension name="mux"><condition field="destination_number" expression="^mux$"><action application="set" data="` + x.plan + `"/><action application="answer"/><action application="park"/></condition></extension>`})
		c := must[*phone.Call](t)(h.phone("1000", func(o *phone.Options) {
			o.Wrap = func(body []byte) (string, []byte) { return "application/sdp", append(body, x.offered...) }
		}).Call("mux"))
		answer := string(c.Final().Body())
		_, rest, _ := strings.Cut(answer, "m=audio ")
		text, _, _ := strings.Cut(rest, " ")
		port, _ := strconv.Atoi(text)
		if !x.mux {
			port++
		}
		if got := strings.Contains(answer, "a=rtcp-mux\r\n"); got != x.mux {
			t.Errorf("%s: rtcp-mux %v\n%s", x.name, got, answer)
		}
		if got := strings.Contains(answer, "a=rtcp:"+strconv.Itoa(port)+" IN IP4"); got != x.rtcp {
			t.Errorf("%s: a=rtcp %v\n%s", x.name, got, answer)
		}
		ok(t, c.Hangup())
	}
}

func TestRTCPMux_OfferedWhereTheCallWantsIt(t *testing.T) {
	for mux, line := range map[bool]string{true: "a=rtcp-mux\r\n", false: ""} {
		h := newHouse(t, houseOptions{params: `<param name="rtcp-audio-interval-msec" value="5000"/>`,
			plan: `<extension name="out"><condition field="destination_number" expression="^9(1001)$"><action application="bridge" data="{rtcp_mux=true}user/$1@test.local"/></condition></extension>`})
		b := h.registered("1001", func(o *phone.Options) {
			o.Wrap = func(body []byte) (string, []byte) { return "application/sdp", append(body, line...) }
		})
		out := must[*phone.Call](t)(h.phone("1000").Dial("91001"))
		in := must[*phone.Call](t)(b.Next())
		if !strings.Contains(string(in.Invite().Body()), "a=rtcp-mux\r\n") {
			t.Errorf("offered\n%s", in.Invite().Body())
		}
		answers(t, in, out)
		for _, ch := range h.sw.Channels() {
			l := ch.Leg().(*leg)
			l.mu.Lock()
			if l.outbound && l.sound.mux != mux {
				t.Errorf("answered with %q: mux %v", line, l.sound.mux)
			}
			l.mu.Unlock()
		}
		ok(t, out.Hangup())
	}
}

func TestStatus_NamesTheWebSocketBindings(t *testing.T) {
	h := newHouse(t, houseOptions{})
	for i, want := range []string{"WS-BIND-URL     \tsip:mod_sofia@%s;transport=ws\n", "WSS-BIND-URL     \tsips:mod_sofia@%s;transport=wss\n"} {
		l := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
		h.profile().sockets[i] = l
		if got := h.api("sofia status profile internal"); !strings.Contains(got, fmt.Sprintf(want, l.Addr())) {
			t.Errorf("no %q in\n%s", fmt.Sprintf(want, l.Addr()), got)
		}
	}
}
