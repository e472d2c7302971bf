package sip

import (
	"runtime"
	"strings"
	"testing"
	"time"

	wire "github.com/emiago/sipgo/sip"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/media/sdp"
	"github.com/switchlet/switchlet/test/phone"
)

// pair makes a bridged call of 1000 and 1001.
func (h *house) pair() (out, in *phone.Call) {
	h.t.Helper()
	a, b := h.phone("1000"), h.registered("1001")
	out, in = dials(h.t, a, b, "1001")
	answers(h.t, in, out)
	h.waitType(event.ChannelBridge)
	return out, in
}

func TestHold_PartnerHearsMusic_AndNotTheHolder(t *testing.T) {
	h := newHouse(t, houseOptions{params: `<param name="hold-music" value="tone_stream://%(10000,0,600);loops=-1"/>`})
	out, in := h.pair()
	in.Say(880, 0.5)
	answer := must[*sdp.Session](t)(in.Reinvite(sdp.SendOnly))
	if d := answer.Direction(&answer.Media[0]); d != sdp.RecvOnly {
		t.Errorf("answer is %s, want recvonly", d)
	}
	h.waitType(event.ChannelHold)
	ok(t, out.Hears(600, 0.02, 300*time.Millisecond))
	ok(t, in.Hold(false))
	h.waitType(event.ChannelUnhold)
	ok(t, out.Hears(880, 0.3, 300*time.Millisecond))
	ok(t, out.Hangup())
}

func TestHold_BySwitch_SendsReinvite(t *testing.T) {
	h := newHouse(t, houseOptions{})
	a := h.phone("1000")
	c := must[*phone.Call](t)(a.Call("5900"))
	ch := h.sw.Channels()[0]
	if changed, err := ch.HoldFar(t.Context(), true); err != nil || !changed {
		t.Fatalf("hold: %v %v", changed, err)
	}
	r := recv(t, c.Reinvites())
	s := must[*sdp.Session](t)(sdp.Parse(r.Body()))
	if d := s.Direction(&s.Media[0]); d != sdp.SendOnly {
		t.Errorf("offer is %s, want sendonly", d)
	}
	if _, err := ch.HoldFar(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	s = must[*sdp.Session](t)(sdp.Parse(recv(t, c.Reinvites()).Body()))
	if d := s.Direction(&s.Media[0]); d != sdp.SendRecv {
		t.Errorf("offer is %s, want sendrecv", d)
	}
	ok(t, c.Hangup())
}

func TestReinvite_NoCommonCodec_488AndCallStays(t *testing.T) {
	h := newHouse(t, houseOptions{})
	a := h.phone("1000")
	c := must[*phone.Call](t)(a.Call("9196"))
	res := must[*wire.Response](t)(c.Request(wire.INVITE, "application/sdp",
		"v=0\r\no=- 1 9 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 97\r\na=rtpmap:97 telepathy/8000\r\n"))
	if res.StatusCode != 488 {
		t.Errorf("%d, want 488", res.StatusCode)
	}
	c.Say(440, 0.5)
	ok(t, c.Hears(440, 0.3, 300*time.Millisecond))
	ok(t, c.Hangup())
}

// A running call takes up another codec (uuid_media_reneg), and keeps its own where the
// far end does not want it.
func TestRenegotiate_AnotherCodec(t *testing.T) {
	h := newHouse(t, houseOptions{})
	out, in := h.pair()
	var leg call.Renegotiator
	for _, ch := range h.sw.Channels() {
		if ch.Outbound() {
			leg = ch.Leg().(call.Renegotiator)
		}
	}
	ok(t, leg.Renegotiate(t.Context(), "=PCMA", true))
	if body := string(recv(t, in.Reinvites()).Body()); !strings.Contains(body, "PCMA") || strings.Contains(body, "PCMU") {
		t.Errorf("offered %s", body)
	}
	if f := in.Format(); f.Codec == nil || f.Codec.Name != "PCMA" {
		t.Errorf("the phone speaks %v", f)
	}
	for name, codecs := range map[string]string{"unknown": "NOSUCH", "refused": "G722"} {
		if err := leg.Renegotiate(t.Context(), codecs, false); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	out.Say(440, 0.5)
	in.Say(880, 0.5)
	for freq, c := range map[float64]*phone.Call{440: in, 880: out} {
		c.Forget()
		if heard := must[phone.Heard](t)(c.Listen(freq, 300*time.Millisecond)); heard.Level < 0.1 || heard.Power < 0.25 {
			t.Errorf("%v Hz is heard at %.2f of %.2f, %d gaps", freq, heard.Level, heard.Power, heard.Gaps)
		}
	}
	ok(t, leg.Renegotiate(t.Context(), "PCMU,PCMA", false))
	recv(t, in.Reinvites()) // the refused one
	if body := string(recv(t, in.Reinvites()).Body()); !strings.Contains(body, "PCMA") || !strings.Contains(body, "PCMU") {
		t.Errorf("offered %s", body)
	}
	if f := in.Format(); f.Codec == nil || f.Codec.Name != "PCMU" {
		t.Errorf("the phone speaks %v", f)
	}
	ok(t, out.Hangup())
}

func TestInfo_Digit_ReachesTheCall(t *testing.T) {
	for _, way := range []houseOptions{
		{params: `<param name="liberal-dtmf" value="true"/>`},
		{plan: `<extension name="liberal" continue="true"><condition><action inline="true" application="set" data="rtp_liberal_dtmf=true"/></condition></extension>`},
	} {
		way.plan += `<extension name="digits"><condition field="destination_number" expression="^digits$"><action application="answer"/><action application="read" data="1 1 silence_stream://1000 got 5000 #"/><action application="park"/></condition></extension>`
		h := newHouse(t, way)
		a := h.phone("1000")
		c := must[*phone.Call](t)(a.Call("digits"))
		res := must[*wire.Response](t)(c.Request(wire.INFO, "application/dtmf-relay", "Signal=5\r\nDuration=160\r\n"))
		if res.StatusCode != 200 {
			t.Errorf("%d", res.StatusCode)
		}
		e := h.waitType(event.DTMF)
		if e.Get("DTMF-Digit") != "5" || e.Get("DTMF-Duration") != "1280" || e.Get("DTMF-Source") != "ENDPOINT" {
			t.Errorf("%s", e.Plain())
		}
		ok(t, c.Hangup())
	}
}

// digitsHouse is a call to a place that reads four digits.
func digitsHouse(t *testing.T, limits Limits) (h *house, c *phone.Call, l *leg) {
	h = newHouse(t, houseOptions{params: `<param name="liberal-dtmf" value="true"/>`, limits: limits,
		plan: `<extension name="digits"><condition field="destination_number" expression="^digits$"><action application="answer"/><action application="read" data="4 4 silence_stream://1000 got 15000 #"/><action application="park"/></condition></extension>`})
	c = must[*phone.Call](t)(h.phone("1000").Call("digits"))
	return h, c, h.sw.Channels()[0].Leg().(*leg)
}

// waits waits until a request waits for its turn.
func (l *leg) waits() {
	waits := func() bool { l.mu.Lock(); defer l.mu.Unlock(); return l.moved != nil }
	for limit := time.Now().Add(patience); !waits() && time.Now().Before(limit); time.Sleep(time.Millisecond) {
	}
}

// digits fails the test unless these come, in that order.
func (h *house) digits(want string) {
	h.t.Helper()
	got := ""
	h.wait("digits", func(e *event.Event) bool {
		if e.Type == event.DTMF {
			got += e.Get("DTMF-Digit")
		}
		return len(got) == len(want)
	})
	if got != want {
		h.t.Errorf("digits %q, want %q", got, want)
	}
}

func TestInfo_DigitsThatOvertakeEachOther_KeepTheirOrder(t *testing.T) {
	h, c, l := digitsHouse(t, Limits{Overtaken: patience})
	for _, pair := range [][2]string{{"5", "7"}, {"1", "9"}} {
		res, err := c.Overtaken(wire.INFO, "application/dtmf-relay", [2]string{"Signal=" + pair[0] + "\r\n", "Signal=" + pair[1] + "\r\n"}, l.waits)
		ok(t, err)
		for i, r := range res {
			if r.StatusCode != 200 {
				t.Errorf("digit %s: %d", pair[i], r.StatusCode)
			}
		}
	}
	h.digits("5719")
	ok(t, c.Hangup())
}

// The first of two digits is lost and comes again after a while.
func TestInfo_DigitThatWasLost_IsWaitedFor(t *testing.T) {
	h, c, l := digitsHouse(t, Limits{Overtaken: time.Millisecond, Repeated: patience})
	res, err := c.Overtaken(wire.INFO, "application/dtmf-relay", [2]string{"Signal=5\r\n", "Signal=7\r\n"}, func() {
		l.waits()
		time.Sleep(50 * time.Millisecond)
	})
	ok(t, err)
	if res[0].StatusCode != 200 || res[1].StatusCode != 200 {
		t.Errorf("%d and %d, want 200", res[0].StatusCode, res[1].StatusCode)
	}
	h.digits("57")
	ok(t, c.Hangup())
}

// A far end that leaves numbers out is waited for once.
func TestInfo_NumbersLeftOut_DigitsCome(t *testing.T) {
	h, c, l := digitsHouse(t, Limits{Overtaken: time.Millisecond, Repeated: 50 * time.Millisecond})
	leaveOut := func() {
		for limit := time.Now().Add(patience); time.Now().Before(limit); time.Sleep(time.Millisecond) {
			l.mu.Lock()
			over := l.handled == l.remoteSeq // else the last digit, whose 200 came, is still being taken
			if over {
				l.handled--
			}
			l.mu.Unlock()
			if over {
				return
			}
		}
	}
	leaveOut()
	for _, digit := range []string{"5", "7"} {
		if res := must[*wire.Response](t)(c.Request(wire.INFO, "application/dtmf-relay", "Signal="+digit+"\r\n")); res.StatusCode != 200 {
			t.Errorf("digit %s: %d", digit, res.StatusCode)
		}
		l.mu.Lock()
		skips := l.skips
		l.mu.Unlock()
		if !skips {
			t.Error("it is not known to leave out numbers")
		}
		leaveOut()
	}
	h.digits("57")
	ok(t, c.Hangup())
}

// What comes after a digit that waits does not wait as long, and costs no digit.
func TestInfo_DigitThatWaits_IsNotLostToWhatComesAfterIt(t *testing.T) {
	h, c, l := digitsHouse(t, Limits{Overtaken: time.Millisecond, Repeated: patience})
	l.mu.Lock()
	l.handled--
	l.mu.Unlock()
	digit := make(chan *wire.Response, 1)
	go func() {
		res, _ := c.Request(wire.INFO, "application/dtmf-relay", "Signal=5\r\n")
		digit <- res
	}()
	l.waits()
	if res := must[*wire.Response](t)(c.Request(wire.UPDATE, "", "")); res.StatusCode != 200 {
		t.Errorf("UPDATE: %d", res.StatusCode)
	}
	if res := recv(t, digit); res == nil || res.StatusCode != 200 {
		t.Errorf("INFO: %v", res)
	}
	h.digits("5")
	ok(t, c.Hangup())
}

func TestRefer_Blind_PartnerIsTransferred(t *testing.T) {
	h := newHouse(t, houseOptions{})
	out, in := h.pair()
	ok(t, in.Refer("<sip:9198@test.local>"))
	n := recv(t, in.Notifies())
	if got := string(n.Body()); got != "SIP/2.0 200 OK\r\n" || header(n, "Subscription-State") != "terminated;reason=noresource" {
		t.Errorf("NOTIFY %q %q", got, header(n, "Subscription-State"))
	}
	ok(t, in.WaitEnd())
	ok(t, out.Hears(440, 0.02, 300*time.Millisecond))
	ok(t, out.Hangup())
}

// fragment checks what a NOTIFY says of a transfer.
func fragment(t *testing.T, c *phone.Call, want, state string) {
	t.Helper()
	n := recv(t, c.Notifies())
	if got := string(n.Body()); got != want+"\r\n" || header(n, "Subscription-State") != state {
		t.Errorf("NOTIFY %q %q, want %q %q", got, header(n, "Subscription-State"), want, state)
	}
}

const (
	confirming = `<param name="confirm-blind-transfer" value="true"/>`
	underWay   = "active;expires=600"
	over       = "terminated;reason=noresource"
)

// referred makes a call of 1000 and 1001, one of whom sends the other to 1002; all there is
// when 1002 is called.
func (h *house) referred(byCaller bool) (referrer, stays, third *phone.Call) {
	h.t.Helper()
	c := h.registered("1002", func(o *phone.Options) { o.Password = "hashed" })
	stays, referrer = h.pair()
	if byCaller {
		referrer, stays = stays, referrer
	}
	ok(h.t, referrer.Refer("<sip:1002@test.local>"))
	fragment(h.t.(*testing.T), referrer, "SIP/2.0 100 Trying", underWay)
	third = must[*phone.Call](h.t)(c.Next())
	ok(h.t, third.Ring())
	return referrer, stays, third
}

// hear checks that each of two calls hears the other.
func hear(t *testing.T, a, b *phone.Call) {
	t.Helper()
	for _, pair := range [][2]*phone.Call{{a, b}, {b, a}} {
		pair[0].Say(700, 0.5)
		ok(t, pair[1].Hears(700, 0.3, 300*time.Millisecond))
		pair[0].Say(700, 0)
	}
}

func TestRefer_BlindConfirmed_EndsWhenTheThirdAnswers(t *testing.T) {
	for _, byCaller := range []bool{false, true} {
		h := newHouse(t, houseOptions{params: confirming})
		referrer, stays, third := h.referred(byCaller)
		h.waitType(event.ChannelPark)
		select {
		case <-referrer.Ended():
			t.Error("the referrer's call ended before anybody answered")
		case n := <-referrer.Notifies():
			t.Errorf("told before anybody answered: %s", n.Body())
		default:
		}
		ok(t, third.Answer())
		fragment(t, referrer, "SIP/2.0 200 OK", over)
		ok(t, referrer.WaitEnd())
		hear(t, stays, third)
		leaves(t, stays, third)
		h.nothingLeft()
	}
}

func TestRefer_BlindConfirmed_RefusedComesBack(t *testing.T) {
	for _, byCaller := range []bool{false, true} {
		h := newHouse(t, houseOptions{params: confirming})
		referrer, stays, third := h.referred(byCaller)
		ok(t, third.Reject(486, "Busy Here"))
		fragment(t, referrer, "SIP/2.0 486 Busy Here", over)
		h.wait("the second bridge", func(e *event.Event) bool {
			return e.Type == event.ChannelBridge && e.Get("variable_current_application") == "intercept"
		})
		hear(t, referrer, stays)
		leaves(t, referrer, stays)
		h.nothingLeft()
	}
}

// Nobody is left who could be told or take the call back.
func TestRefer_BlindConfirmed_OneOfThemHangsUp(t *testing.T) {
	h := newHouse(t, houseOptions{params: confirming})
	referrer, stays, third := h.referred(false)
	ok(t, stays.Hangup())
	fragment(t, referrer, "SIP/2.0 487 Request Terminated", over)
	ok(t, referrer.WaitEnd())
	ok(t, third.WaitEnd())
	h.nothingLeft()

	h = newHouse(t, houseOptions{params: confirming})
	referrer, stays, third = h.referred(false)
	ok(t, referrer.Hangup())
	h.wait("the end of the referrer", func(e *event.Event) bool {
		return e.Type == event.ChannelHangupComplete && e.Get("variable_sip_call_id") == referrer.Invite().CallID().Value()
	})
	ok(t, third.Reject(486, "Busy Here"))
	ok(t, stays.WaitEnd())
	h.nothingLeft()
}

// An application says how the transfer went, where nobody is bridged.
func TestRefer_BlindConfirmed_ByAcknowledgement(t *testing.T) {
	for _, tt := range []struct{ ack, want string }{{"true", "SIP/2.0 200 OK"}, {"false", "SIP/2.0 403 Forbidden"}, {"", "SIP/2.0 403 Forbidden"}} {
		end := `<action application="park"/>`
		if tt.ack == "" {
			end = `<action application="set" data="x=y"/>` // the last action
		}
		app := ""
		if tt.ack != "" {
			app = `<action application="blind_transfer_ack" data="` + tt.ack + `"/>`
		}
		h := newHouse(t, houseOptions{plan: `<extension name="ack"><condition field="destination_number" expression="^ack$">` + app + end + `</condition></extension>`})
		stays, referrer := h.pair()
		h.outbound().Set("confirm_blind_transfer", "true")
		ok(t, referrer.Refer("<sip:ack@test.local>"))
		fragment(t, referrer, "SIP/2.0 100 Trying", underWay)
		fragment(t, referrer, tt.want, over)
		if tt.ack == "true" {
			ok(t, referrer.WaitEnd())
			ok(t, stays.Hangup())
		} else {
			hear(t, referrer, stays)
			leaves(t, stays, referrer)
		}
		h.nothingLeft()
	}
}

func TestRefer_Blind_RecordingFollows(t *testing.T) {
	h := newHouse(t, houseOptions{})
	out, in := h.pair()
	var referrer, stays *call.Channel
	for _, ch := range h.sw.Channels() {
		if ch.Outbound() {
			referrer = ch
		} else {
			stays = ch
		}
	}
	referrer.Set("recording_follow_transfer", "true")
	ok(t, referrer.StartRecording(t.TempDir()+"/x.wav", 0, nil))
	ok(t, in.Refer("<sip:9198@test.local>"))
	ok(t, in.WaitEnd())
	if got := stays.Recordings(); len(got) != 1 {
		t.Errorf("the leg that stays records %v", got)
	}
	ok(t, out.Hangup())
}

func TestRefer_SingleLeg_403Fragment(t *testing.T) {
	h := newHouse(t, houseOptions{})
	a := h.phone("1000")
	c := must[*phone.Call](t)(a.Call("9196"))
	ok(t, c.Refer("<sip:9198@test.local>"))
	if got := string(recv(t, c.Notifies()).Body()); got != "SIP/2.0 403 Forbidden\r\n" {
		t.Errorf("NOTIFY %q", got)
	}
	h.waitCustom("sofia::error")
	ok(t, c.Hangup())
}

func TestRefer_Attended_PartnersAreJoined(t *testing.T) {
	h := newHouse(t, houseOptions{})
	a, b, c := h.registered("1000"), h.registered("1001"), h.registered("1002", func(o *phone.Options) { o.Password = "hashed" })
	first, firstB := dials(t, a, b, "1001")
	answers(t, firstB, first)
	second, secondC := dials(t, b, c, "1002")
	answers(t, secondC, second)
	h.wait("two bridges", func() func(*event.Event) bool {
		n := 0
		return func(e *event.Event) bool {
			if e.Type == event.ChannelBridge {
				n++
			}
			return n == 2
		}
	}())
	ok(t, firstB.Refer("<sip:1002@test.local?Replaces="+escape(second.ID())+">"))
	if got := string(recv(t, firstB.Notifies()).Body()); got != "SIP/2.0 200 OK\r\n" {
		t.Errorf("NOTIFY %q", got)
	}
	ok(t, firstB.WaitEnd())
	ok(t, second.WaitEnd())
	first.Say(440, 0.5)
	ok(t, secondC.Hears(440, 0.3, 300*time.Millisecond))
	leaves(t, first, secondC)
}

func TestOutbound_InviteHeaders_AsFreeSWITCH(t *testing.T) {
	h := newHouse(t, houseOptions{})
	_, in := h.pair()
	r := in.Invite()
	var names []string
	for _, x := range r.Headers() {
		names = append(names, x.Name())
	}
	want := "Via Max-Forwards From To Call-ID CSeq Contact User-Agent Allow Supported Allow-Events Content-Type Content-Disposition Content-Length X-FS-Support Remote-Party-ID"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("headers\n%s\nwant\n%s", got, want)
	}
	if got := header(r, "Remote-Party-ID"); got != `"1000" <sip:1000@127.0.0.1>;party=calling;screen=yes;privacy=off` {
		t.Errorf("Remote-Party-ID %s", got)
	}
	if got := header(r, "Allow"); got != "INVITE, ACK, BYE, CANCEL, OPTIONS, MESSAGE, INFO, UPDATE, REGISTER, REFER, NOTIFY" {
		t.Errorf("Allow %s", got)
	}
	if got := header(r, "Supported"); got != "timer, path, replaces" {
		t.Errorf("Supported %s", got)
	}
}

// A stranger's SUBSCRIBE is challenged: the phone answers the challenge, and only then
// is refused. One without a challenge would come back as 401 or 407.
func TestSubscribe_Unauthenticated_Challenged(t *testing.T) {
	h := newHouse(t, houseOptions{params: `<param name="manage-presence" value="true"/><param name="auth-subscriptions" value="true"/>`})
	for user, want := range map[string]int{"mallory": 403, "1000": 489} {
		res := must[*wire.Response](t)(h.phone(user).Send(wire.SUBSCRIBE, "sip:1001@test.local", "", ""))
		if res.StatusCode != want {
			t.Errorf("%s: %d, want %d", user, res.StatusCode, want)
		}
	}
}

func TestMessage_Unauthenticated_Challenged(t *testing.T) {
	h := newHouse(t, houseOptions{})
	b := h.registered("1001")
	stranger := h.phone("mallory")
	res := must[*wire.Response](t)(stranger.Send(wire.MESSAGE, "sip:1001@test.local", "text/plain", "hello"))
	if res.StatusCode != 403 {
		t.Errorf("stranger: %d, want 403 after the challenge", res.StatusCode)
	}
	res = must[*wire.Response](t)(h.phone("1000").Send(wire.MESSAGE, "sip:1001@test.local", "text/plain", "hello"))
	if res.StatusCode != 202 {
		t.Errorf("user: %d, want 202", res.StatusCode)
	}
	limit := time.After(patience)
	for {
		select {
		case m := <-b.Messages():
			if m.Method == wire.MESSAGE {
				if string(m.Body()) != "hello" {
					t.Errorf("body %q", m.Body())
				}
				return
			}
		case <-limit:
			t.Fatal("the message did not arrive")
		}
	}
}

func TestOptions_OKWithoutAuth(t *testing.T) {
	h := newHouse(t, houseOptions{})
	res := must[*wire.Response](t)(h.phone("x").Send(wire.OPTIONS, "sip:127.0.0.1", "", ""))
	if res.StatusCode != 200 || header(res, "Accept") != "application/sdp" || header(res, "Allow-Events") != "talk, hold, conference, refer" {
		t.Errorf("%s", res)
	}
}

func TestTCP_CallAndRegister(t *testing.T) {
	h := newHouse(t, houseOptions{})
	tcp := func(o *phone.Options) { o.Transport = "tcp" }
	a, b := h.phone("1000", tcp), h.registered("1001", tcp)
	out, in := dials(t, a, b, "1001")
	answers(t, in, out)
	leaves(t, in, out)
}

func TestReplaces_NewCallTakesThePlace(t *testing.T) {
	h := newHouse(t, houseOptions{})
	out, in := h.pair()
	third := h.phone("1002", func(o *phone.Options) {
		o.Password, o.Headers = "hashed", [][2]string{{"Replaces", in.ID()}}
	})
	c := must[*phone.Call](t)(third.Call("1001"))
	ok(t, in.WaitEnd())
	c.Say(440, 0.5)
	ok(t, out.Hears(440, 0.3, 300*time.Millisecond))
	ok(t, c.Hangup())
}

func TestReplaces_UnknownCall_481(t *testing.T) {
	h := newHouse(t, houseOptions{})
	a := h.phone("1000", func(o *phone.Options) { o.Headers = [][2]string{{"Replaces", "nobody;to-tag=1;from-tag=2"}} })
	c := must[*phone.Call](t)(a.Dial("9196"))
	recv(t, c.Done())
	if status, _ := c.Status(); status != 481 {
		t.Errorf("%d, want 481", status)
	}
}

func TestCalls_OverAndOver_NothingIsLeft(t *testing.T) {
	h := newHouse(t, houseOptions{})
	a := h.phone("1000")
	for range 3 {
		ok(t, must[*phone.Call](t)(a.Call("9196")).Hangup())
	}
	h.nothingLeft()
	before := runtime.NumGoroutine()
	for range 30 {
		ok(t, must[*phone.Call](t)(a.Call("9196")).Hangup())
	}
	h.nothingLeft()
	h.goroutines(before + 5)
}
