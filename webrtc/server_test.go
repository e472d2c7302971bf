package webrtc

import (
	"context"
	"fmt"
	"net"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	pion "github.com/pion/webrtc/v4"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
)

// listenLoopback opens any free port, whatever the tree says.
func listenLoopback(network, _ string) (net.Listener, error) {
	return net.Listen(network, "127.0.0.1:0")
}

func TestLogin_Texts(t *testing.T) {
	b := newBox(t, nil)
	p := b.open()
	e := p.refused("login", fields{}, "Authentication Required")
	if e["code"] != float64(-32000) {
		t.Errorf("code %v", e["code"])
	}
	p.refused("login", nil, "Missing params")
	p.refused("verto.invite", fields{"sdp": "x"}, "Authentication Required")
	p.refused("login", fields{"login": "1000"}, "Missing passwd")
	p.refused("login", fields{"login": "7777", "passwd": "secret"}, "Login Incorrect")
	p.refused("login", fields{"login": "1000", "passwd": "wrong"}, "Authentication Failure")
	p.refused("login", fields{"login": "1003", "passwd": "x"}, "Authentication Failure")
	r := p.result("login", fields{"login": "1000@elsewhere", "passwd": "secret", "sessid": "tab-1"})
	if r["message"] != "logged in" || r["sessid"] != "tab-1" {
		t.Errorf("login: %v", r)
	}
	if list, ok := p.next("verto.clientReady")["reattached_sessions"].([]any); !ok || len(list) != 0 {
		t.Error("clientReady lists calls")
	}
	p.refused("nonsense", fields{}, "Invalid Method, Missing Method or Permission Denied")
	if r := p.result("verto.ping", fields{"echoParams": true, "a": 1}); r["message"] != "PONG" || r["requestParams"] == nil {
		t.Errorf("ping: %v", r)
	}
	p = b.open()
	p.result("login", fields{"login": "1001", "passwd": "hashed"})
	p = b.open()
	p.refused("login", fields{"login": "1002", "passwd": "x"}, "Authentication Failure")
	p.result("login", fields{"login": "1002", "passwd": "json"})
}

func TestLogin_FiveFailures_NoMoreTries(t *testing.T) {
	b := newBox(t, nil)
	for range 5 {
		b.open().refused("login", fields{"login": "1000", "passwd": "guess"}, "Authentication Failure")
	}
	p := b.open()
	p.refused("login", fields{"login": "1000", "passwd": "secret"}, "Authentication Failure")
	if code := p.closed(); code != websocket.StatusNormalClosure {
		t.Errorf("closed with %v", code)
	}
}

func TestFraming(t *testing.T) {
	b := newBox(t, nil)
	p := b.login("1000", "secret", "f1")
	p.next("verto.clientReady")
	for _, c := range []struct{ send, want string }{
		{`{"jsonrpc":"1.0","id":5,"method":"verto.ping"}`, "Invalid message"},
		{`{not json`, "Invalid Request"},
		{`"text"`, "Invalid message"},
	} {
		p.write(c.send)
		m := p.message()
		if e, _ := m["error"].(map[string]any); e["message"] != c.want || e["code"] != float64(-32600) {
			t.Errorf("%s: %v", c.send, m)
		}
	}
	p.write(`[{"jsonrpc":"2.0","id":"a","method":"verto.ping","params":{}},{"jsonrpc":"2.0","result":{},"id":1}]`)
	m := p.message()
	if raw, _ := m["raw"].(string); raw != `[{"jsonrpc":"2.0","id":"a","result":{"message":"PONG"}}]` {
		t.Errorf("batch: %v", m)
	}
	p.write(`[]`)
	if m := p.message(); m["raw"] != "[]" {
		t.Errorf("empty batch: %v", m)
	}
	p.write(strings.Repeat(" ", maxMessage+1))
	p.closed()
}

// TestCall_EchoAnswersAndIsHeard goes through a whole call: login, invite, sound
// both ways, digits, hold, bye.
func TestCall_EchoAnswersAndIsHeard(t *testing.T) {
	b := newBox(t, nil)
	p := b.login("1000", "secret", "s1")
	w := newBrowser(t, pion.MimeTypeOpus, 48000, 2)
	began := time.Now()
	r := p.result("verto.invite", fields{"sdp": w.offer(), "dialogParams": about("call-1", "9196")})
	if r["message"] != "CALL CREATED" || r["callID"] != "call-1" || r["sessid"] != "s1" {
		t.Fatalf("invite: %v", r)
	}
	a := p.next("verto.answer")
	t.Logf("answer after %v", time.Since(began))
	text, _ := a["sdp"].(string)
	w.accept(text)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go w.talk(ctx, 960)
	for range 5 {
		w.hear(patience)
	}
	c := b.sw.Find("call-1")
	profile := c.Profile()
	if profile.CallerNumber != "1000" || profile.CallerName != "Alice" || profile.Context != "inside" || profile.Username != "1000@test" {
		t.Errorf("profile %+v", profile)
	}
	for name, want := range map[string]string{"accountcode": "A1", "user_name": "1000", "domain_name": "test", "presence_id": "1000@test",
		"jsock_uuid_str": "s1", "verto_client_caller_id_number": "911", "verto_profile_name": "default-v4", "rtp_use_codec_name": "opus"} {
		if got := c.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if r := p.result("verto.info", fields{"dtmf": "12#", "dialogParams": about("call-1", "")}); r["message"] != "SENT" {
		t.Errorf("info: %v", r)
	}
	until(t, "digits", func() bool { return c.Get("heard_digits") == "12#" })
	if r := p.result("verto.modify", fields{"action": "hold", "dialogParams": about("call-1", "")}); r["holdState"] != "held" {
		t.Errorf("hold: %v", r)
	}
	if r := p.result("verto.modify", fields{"action": "toggleHold", "dialogParams": about("call-1", "")}); r["holdState"] != "active" {
		t.Errorf("unhold: %v", r)
	}
	r = p.result("verto.bye", fields{"dialogParams": about("call-1", ""), "cause": "USER_BUSY"})
	if r["message"] != "CALL ENDED" || r["cause"] != "USER_BUSY" || r["causeCode"] != float64(17) {
		t.Errorf("bye: %v", r)
	}
	<-c.Done()
	if c.Cause() != call.CauseUserBusy || c.Get("verto_hangup_disposition") != "recv_bye" {
		t.Errorf("ended with %v %s", c.Cause(), c.Get("verto_hangup_disposition"))
	}
	if c.Get("rtp_audio_in_media_packet_count") == "0" || c.Get("rtp_audio_in_media_packet_count") == "" {
		t.Error("no packets counted")
	}
}

func TestCall_EarlyMedia_AnswerHasNoDescription(t *testing.T) {
	b := newBox(t, nil)
	p := b.login("1000", "secret", "s1")
	w := newBrowser(t, pion.MimeTypePCMU, 8000, 1)
	p.result("verto.invite", fields{"sdp": w.offer(), "dialogParams": about("call-2", "early")})
	text, _ := p.next("verto.media")["sdp"].(string)
	w.accept(text)
	if a := p.next("verto.answer"); a["sdp"] != nil {
		t.Error("the answer repeats the description")
	}
}

func TestCall_Refused_ByeTellsWhy(t *testing.T) {
	b := newBox(t, nil)
	p := b.login("1000", "secret", "s1")
	w := newBrowser(t, pion.MimeTypeOpus, 48000, 2)
	p.result("verto.invite", fields{"sdp": w.offer(), "dialogParams": about("call-3", "busy")})
	if bye := p.next("verto.bye"); bye["cause"] != "USER_BUSY" || bye["causeCode"] != float64(17) || bye["callID"] != "call-3" {
		t.Errorf("bye: %v", bye)
	}
	p.result("verto.invite", fields{"sdp": "v=0\r\nm=audio 9 RTP/AVP 0\r\n", "dialogParams": about("call-4", "9196")})
	p.next("verto.bye")
	e := p.refused("verto.invite", fields{"dialogParams": about("call-5", "9196")}, "CALL ERROR")
	if e["cause"] != "INVALID_MSG_UNSPECIFIED" || e["causeCode"] != float64(95) {
		t.Errorf("error: %v", e)
	}
	w = newBrowser(t, pion.MimeTypeOpus, 48000, 2)
	p.result("verto.invite", fields{"sdp": w.offer(), "dialogParams": about("call-6", "park")})
	e = p.refused("verto.invite", fields{"sdp": "x", "dialogParams": about("call-6", "park")}, "CALL ERROR")
	if e["cause"] != "DESTINATION_OUT_OF_ORDER" {
		t.Errorf("error: %v", e)
	}
}

func TestOwnership_OtherSessionsCannotTouchACall(t *testing.T) {
	b := newBox(t, nil)
	p := b.login("1000", "secret", "s1")
	w := newBrowser(t, pion.MimeTypeOpus, 48000, 2)
	p.result("verto.invite", fields{"sdp": w.offer(), "dialogParams": about("mine", "park")})
	p.next("verto.answer")
	for _, other := range []*page{b.login("1002", "json", "s2"), b.login("1000", "secret", "s3")} {
		other.refused("verto.bye", fields{"dialogParams": about("mine", "")}, noCall)
		other.refused("verto.modify", fields{"action": "hold", "dialogParams": about("mine", "")}, noCall)
		other.refused("verto.answer", fields{"sdp": "x", "dialogParams": about("mine", "")}, noCall)
		other.refused("verto.attach", fields{"sdp": "x", "dialogParams": about("mine", "")}, noCall)
		other.result("verto.info", fields{"dtmf": "1", "dialogParams": about("mine", "")})
	}
	if c := b.sw.Find("mine"); c == nil || !c.Up() || c.Held() {
		t.Error("somebody touched the call")
	}
	b.open().refused("login", fields{"login": "1002", "passwd": "json", "sessid": "s1"}, "Session in use")
}

func TestRecovery_TakeOver_CallGoesToTheNewSocket(t *testing.T) {
	b := newBox(t, nil)
	p := b.login("1000", "secret", "s1")
	w := newBrowser(t, pion.MimeTypeOpus, 48000, 2)
	p.result("verto.invite", fields{"sdp": w.offer(), "dialogParams": about("kept", "9196")})
	text, _ := p.next("verto.answer")["sdp"].(string)
	w.accept(text)
	until(t, "the answer", func() bool { c := b.sw.Find("kept"); return c != nil && c.Answered() })

	q := b.login("1000", "secret", "s1")
	p.next("verto.punt")
	if code := p.closed(); code != websocket.StatusNormalClosure {
		t.Errorf("old socket closed with %v", code)
	}
	offer := q.next("verto.attach")
	if offer["callID"] != "kept" {
		t.Fatalf("attach: %v", offer)
	}
	list, _ := q.next("verto.clientReady")["reattached_sessions"].([]any)
	if len(list) != 1 || list[0] != "kept" {
		t.Errorf("reattached %v", list)
	}
	w2 := newBrowser(t, pion.MimeTypeOpus, 48000, 2)
	sdp, _ := offer["sdp"].(string)
	q.result("verto.attach", fields{"sdp": w2.answer(sdp), "dialogParams": about("kept", "")})
	q.next("verto.display")
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go w2.talk(ctx, 960)
	w2.hear(patience)
	q.result("verto.bye", fields{"dialogParams": about("kept", "")})
}

// What a socket says that another of its session has replaced, and that is still
// open, does nothing to the calls; nor does it get any.
func TestRecovery_ReplacedSocketHasNoCalls(t *testing.T) {
	b := newBox(t, nil)
	b.dials(b.login("1000", "secret", "s1"), "kept", "park")
	old := b.s.online("s1")
	l := old.mine("kept")
	q := b.login("1000", "secret", "s1")
	offer, _ := q.next("verto.attach")["sdp"].(string)
	w := newBrowser(t, pion.MimeTypeOpus, 48000, 2)
	answer := w.answer(offer)
	dp := map[string]any{"callID": "kept"}
	for what, run := range map[string]func() (object, *failure){
		"attach": func() (object, *failure) { return old.reattach(params{"sdp": answer, "dialogParams": dp}) },
		"bye":    func() (object, *failure) { return old.bye(params{"dialogParams": dp}) },
		"hold":   func() (object, *failure) { return old.modify(params{"action": "hold", "dialogParams": dp}) },
		"update": func() (object, *failure) {
			return old.modify(params{"action": "updateMedia", "sdp": "x", "dialogParams": dp})
		},
	} {
		if o, f := run(); f == nil || !strings.Contains(fmt.Sprint(f.object), noCall) {
			t.Errorf("%s: %v %v", what, o, f)
		}
	}
	_, f := old.invite(params{"sdp": newBrowser(t, pion.MimeTypeOpus, 48000, 2).offer(), "dialogParams": map[string]any{"callID": "late", "destination_number": "park"}})
	if f == nil {
		t.Error("a call of the replaced socket is made")
	}
	until(t, "no such call", func() bool { return b.sw.Find("late") == nil })
	// The page that has the session now takes the call up.
	q.result("verto.attach", fields{"sdp": answer, "dialogParams": about("kept", "")})
	q.ws.CloseNow()
	until(t, "the detachment", func() bool { return b.s.online("s1") == nil })
	if l.offerAttach(old) {
		t.Error("offered to a socket that is gone")
	}
	b.login("1000", "secret", "s1").next("verto.attach")
	if c := b.sw.Find("kept"); c == nil || !c.Up() || c.Held() {
		t.Error("the call is gone or changed")
	}
}

// The page is back before the end of its old socket has reached its calls.
func TestRecovery_PageIsFasterThanTheEndOfItsSocket(t *testing.T) {
	b := newBox(t, nil)
	p := b.login("1000", "secret", "s1")
	p.result("verto.invite", fields{"sdp": newBrowser(t, pion.MimeTypeOpus, 48000, 2).offer(), "dialogParams": about("kept", "park")})
	p.next("verto.answer")
	until(t, "the answer", func() bool { c := b.sw.Find("kept"); return c != nil && c.Answered() })
	old := b.s.online("s1")
	b.s.mu.Lock()
	delete(b.s.sessions, "s1") // as detach begins
	b.s.mu.Unlock()
	q := b.login("1000", "secret", "s1")
	q.next("verto.clientReady")
	b.s.detachCalls("s1", old) // as it goes on
	if offer := q.next("verto.attach"); offer["callID"] != "kept" {
		t.Errorf("attach: %v", offer)
	}
}

// Many pages at once lose their sockets, take their calls over before and after the
// old socket is gone, answer or never answer, and leave nothing in the end.
func TestRecovery_ManyAtOnceOverAndOver(t *testing.T) {
	b := newBox(t, nil)
	const pages, rounds = 8, 4
	name := func(i int) string { return fmt.Sprintf("c%d", i) }
	list := make([]*page, pages)
	for i := range list {
		list[i] = b.login("1000", "secret", "s"+name(i))
		list[i].result("verto.invite", fields{"sdp": newBrowser(t, pion.MimeTypeOpus, 48000, 2).offer(), "dialogParams": about(name(i), "park")})
	}
	until(t, "the answers", func() bool {
		for i := range list {
			if c := b.sw.Find(name(i)); c == nil || !c.Answered() {
				return false
			}
		}
		return true
	})
	for round := range rounds {
		for i, p := range list { // none waits for another
			if (i+round)%2 == 0 {
				p.ws.CloseNow()
			}
			list[i] = b.login("1000", "secret", "s"+name(i))
		}
		for i, p := range list {
			offer := p.next("verto.attach")
			if offer["callID"] != name(i) {
				t.Fatalf("page %d is offered %v", i, offer["callID"])
			}
			if (i+round)%3 == 0 && round < rounds-1 {
				continue // it never answers: the next page takes the call
			}
			sdp, _ := offer["sdp"].(string)
			p.result("verto.attach", fields{"sdp": newBrowser(t, pion.MimeTypeOpus, 48000, 2).answer(sdp), "dialogParams": about(name(i), "")})
		}
	}
	for i, p := range list {
		if c := b.sw.Find(name(i)); c == nil || !c.Up() {
			t.Fatalf("call %d is gone", i)
		}
		p.result("verto.bye", fields{"dialogParams": about(name(i), "")})
	}
	until(t, "the end of all calls", func() bool { return b.sw.Count() == 0 })
}

func TestRecovery_SocketGone_CallWaitsAndThenEnds(t *testing.T) {
	b := newBox(t, nil)
	p := b.login("1000", "secret", "s1")
	w := newBrowser(t, pion.MimeTypeOpus, 48000, 2)
	p.result("verto.invite", fields{"sdp": w.offer(), "dialogParams": about("lost", "park")})
	p.next("verto.answer")
	until(t, "the answer", func() bool { c := b.sw.Find("lost"); return c != nil && c.Answered() })
	p.ws.CloseNow()
	until(t, "the detachment", func() bool { return b.s.online("s1") == nil })
	c := b.sw.Find("lost")
	b.s.tendOnce(time.Now().Add(30 * time.Second))
	if !c.Up() {
		t.Fatal("ended early")
	}
	until(t, "the end", func() bool { b.s.tendOnce(time.Now().Add(62 * time.Second)); return !c.Up() })
	if c.Cause() != call.CauseRecoveryOnTimerExpire {
		t.Errorf("cause %v", c.Cause())
	}
}

func TestRecovery_Unanswered_EndsWithItsSocket(t *testing.T) {
	b := newBox(t, nil)
	callee := b.login("1002", "json", "s2")
	c, err := b.sw.Endpoint(sessionName).Dial(context.Background(), b.sw, &call.DialRequest{Data: "s2"})
	must(t, err)
	c.Start()
	callee.next("verto.invite")
	callee.ws.CloseNow()
	<-c.Done()
	if c.Cause() != call.CauseDestinationOutOfOrder {
		t.Errorf("cause %v", c.Cause())
	}
}

func TestCalled_BrowserAnswers_SoundFlows(t *testing.T) {
	b := newBox(t, nil)
	p := b.login("1002", "json", "s2")
	out, err := b.sw.Run(context.Background(), "verto_contact", "1002@test", nil, nil)
	must(t, err)
	if out != "verto.rtc/u:s2" {
		t.Fatalf("contact %q", out)
	}
	c, err := b.sw.Endpoint(sessionName).Dial(context.Background(), b.sw, &call.DialRequest{Data: "s2",
		Caller: call.Profile{CallerName: "Alice", CallerNumber: "1000"}, Vars: call.NewVars(call.Var{Name: "verto_svar_color", Value: "red"})})
	must(t, err)
	c.Start()
	in := p.next("verto.invite")
	vars, _ := in["variables"].(map[string]any)
	if in["caller_id_number"] != "1000" || in["display_direction"] != "outbound" || len(vars) != 1 || vars["color"] != "red" {
		t.Errorf("invite: %v", in)
	}
	until(t, "ringing", c.Ringing)
	w := newBrowser(t, pion.MimeTypeOpus, 48000, 2)
	sdp, _ := in["sdp"].(string)
	p.result("verto.answer", fields{"sdp": w.answer(sdp), "dialogParams": fields{"callID": in["callID"]}})
	until(t, "the answer", c.Answered)
	c.Port().Echo(true)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go w.talk(ctx, 960)
	w.hear(patience)
	c.Hangup(call.CauseNormalClearing)
	if bye := p.next("verto.bye"); bye["cause"] != "NORMAL_CLEARING" {
		t.Errorf("bye: %v", bye)
	}
}

// A browser that answers before it knows its addresses is heard once it finds ours.
func TestCalled_BrowserNamesNoAddress_SoundFlowsAndTheLogSaysWhy(t *testing.T) {
	b := newBox(t, nil)
	p := b.login("1002", "json", "s2")
	var told atomic.Bool
	follower := b.sw.Log.Watch(call.LogWarning, func(l *call.LogLine) {
		if strings.Contains(l.Text, "named no address") {
			told.Store(true)
		}
	})
	defer follower.Close()
	c, err := b.sw.Endpoint(sessionName).Dial(context.Background(), b.sw, &call.DialRequest{Data: "s2"})
	must(t, err)
	c.Start()
	in := p.next("verto.invite")
	w := newBrowser(t, pion.MimeTypeOpus, 48000, 2)
	sdp, _ := in["sdp"].(string)
	text := regexp.MustCompile(`a=(candidate:.*|end-of-candidates)\r\n`).ReplaceAllString(w.answer(sdp), "")
	p.result("verto.answer", fields{"sdp": text, "dialogParams": fields{"callID": in["callID"]}})
	until(t, "the answer", c.Answered)
	until(t, "the line of the log", told.Load)
	c.Port().Echo(true)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go w.talk(ctx, 960)
	w.hear(patience)
	c.Hangup(call.CauseNormalClearing)
	p.next("verto.bye")
}

func TestModify_TransferAndReplace(t *testing.T) {
	b := newBox(t, nil)
	p := b.login("1000", "secret", "s1")
	q := b.login("1002", "json", "s2")
	start := func(p *page, id, to string) *call.Channel {
		w := newBrowser(t, pion.MimeTypeOpus, 48000, 2)
		p.result("verto.invite", fields{"sdp": w.offer(), "dialogParams": about(id, to)})
		text, _ := p.next("verto.answer")["sdp"].(string)
		w.accept(text)
		until(t, id, func() bool { c := b.sw.Find(id); return c != nil && c.Answered() && c.State() == call.StateExecute })
		return b.sw.Find(id)
	}
	p1, p2 := start(p, "p1", "park"), start(p, "p2", "park")
	q1, q2 := start(q, "q1", "park"), start(q, "q2", "park")
	p.refused("verto.modify", fields{"action": "transfer", "destination": "9196", "dialogParams": about("p1", "")}, "call is not bridged")
	must(t, q1.PostExecute("join", "p1", false))
	must(t, q2.PostExecute("join", "p2", false))
	until(t, "bridges", func() bool { return p1.Partner() == q1 && p2.Partner() == q2 })
	p.refused("verto.modify", fields{"action": "replace", "replaceCallID": "q2", "dialogParams": about("p1", "")}, "invalid transfer leg")
	p.result("verto.modify", fields{"action": "replace", "replaceCallID": "p2", "dialogParams": about("p1", "")})
	until(t, "the new bridge", func() bool { return q1.Partner() == q2 && q2.Partner() == q1 && !p1.Up() && !p2.Up() })
	q.result("verto.modify", fields{"action": "transfer", "destination": "park", "dialogParams": about("q1", "")})
	until(t, "the transfer", func() bool { return q2.Profile().Destination == "park" && q2.Partner() == nil })
}

func TestChannels_SubscribeBroadcastPresence(t *testing.T) {
	b := newBox(t, nil)
	p, q := b.login("1000", "secret", "s1"), b.login("1002", "json", "s2")
	r := p.result("verto.subscribe", fields{"eventChannel": []string{"demo.a", "other", "presence.1002@test"}})
	if len(r["subscribedChannels"].([]any)) != 2 || len(r["unauthorizedChannels"].([]any)) != 1 {
		t.Fatalf("subscribe: %v", r)
	}
	q.result("verto.subscribe", fields{"eventChannel": "demo.a"})
	q.result("verto.broadcast", fields{"eventChannel": "demo.a", "localBroadcast": true, "data": fields{"x": 1}, "sessid": "s1", "userid": "root"})
	for _, page := range []*page{p, q} {
		e := page.next("verto.event")
		if e["subscribedChannel"] != "demo.a" || e["userid"] != "1002@test" || e["eventSerno"] != float64(0) || e["sessid"] != "s2" {
			t.Errorf("event: %v", e)
		}
	}
	w := newBrowser(t, pion.MimeTypeOpus, 48000, 2)
	q.result("verto.invite", fields{"sdp": w.offer(), "dialogParams": about("seen", "park")})
	e := p.next("verto.event")
	data, _ := e["data"].(map[string]any)
	if e["eventChannel"] != "presence.1002@test" || data["channelUUID"] != "seen" {
		t.Errorf("presence: %v", e)
	}
	if r := p.result("verto.unsubscribe", fields{"eventChannel": []string{"demo.a", "zzz"}}); len(r["unsubscribedChannels"].([]any)) != 1 {
		t.Errorf("unsubscribe: %v", r)
	}
	if r := p.result("verto.broadcast", fields{"eventChannel": "other"}); r["message"] != "Permission Denied." {
		t.Errorf("broadcast: %v", r)
	}
}

func TestAPI_Permissions(t *testing.T) {
	b := newBox(t, nil)
	p := b.login("1000", "secret", "s1")
	if r := p.result("fsapi", fields{"cmd": "status"}); r["message"] != "UP" {
		t.Errorf("fsapi: %v", r)
	}
	p.refused("fsapi", fields{"cmd": "uuid_kill", "arg": "x"}, "Permission Denied")
	p.refused("fsapi", fields{"cmd": "eval", "arg": "${uuid_kill(x)}"}, "Permission Denied")
	p.refused("jsapi", fields{"command": "fsapi", "data": fields{"cmd": "status"}}, "Permission Denied")
	if r := p.result("jsapi", fields{"command": "status"}); r["systemStatus"] != "ready" {
		t.Errorf("jsapi: %v", r)
	}
	out, _ := b.sw.Run(context.Background(), "verto", "perm s1 fsapi uuid_kill", nil, nil)
	if out != "+OK" {
		t.Errorf("perm: %q", out)
	}
	if r := p.result("fsapi", fields{"cmd": "uuid_kill", "arg": "x"}); r["message"] != "INVALID CALL" {
		t.Errorf("fsapi: %v", r)
	}
	text, _ := b.sw.Run(context.Background(), "verto", "status", nil, nil)
	for _, want := range []string{"ws:127.0.0.1:8081\tRUNNING\n", "default-v4::1000@test\tclient\t", "CONN_REG (WS)\n", "1 profile , 1 client\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("status lacks %q:\n%s", want, text)
		}
	}
}

func TestConference_LiveArray(t *testing.T) {
	b := newBox(t, nil)
	p := b.login("1000", "secret", "s1")
	w := newBrowser(t, pion.MimeTypeOpus, 48000, 2)
	p.result("verto.invite", fields{"sdp": w.offer(), "dialogParams": about("m1", "park")})
	p.next("verto.answer")
	happen := func(action, uuid, id string) {
		e := event.New(event.Custom, conferenceEvents)
		all := []string{"Conference-Name", "3000", "Conference-Domain", "test", "Unique-ID", uuid, "Member-ID", id,
			"Member-Type", "moderator", "Speak", "true", "Hear", "true", "Caller-Caller-ID-Name", "Alice",
			"Channel-Read-Codec-Name", "opus", "Channel-Read-Codec-Rate", "48000", "Action", action}
		for i := 0; i+1 < len(all); i += 2 {
			e.Add(all[i], all[i+1])
		}
		b.sw.Bus.Publish(e, "conference_event.c", "conference_event", 1)
	}
	happen("add-member", "m1", "1")
	pvt, _ := p.next("verto.event")["pvtData"].(map[string]any)
	if pvt["action"] != "conference-liveArray-join" || pvt["laChannel"] != "conference-liveArray.3000@test" || pvt["role"] != "moderator" {
		t.Fatalf("join: %v", pvt)
	}
	p.result("verto.subscribe", fields{"eventChannel": []any{pvt["laChannel"], pvt["chatChannel"], pvt["modChannel"]}})
	p.result("verto.broadcast", fields{"eventChannel": pvt["laChannel"], "data": fields{"liveArray": fields{
		"command": "bootstrap", "context": pvt["laChannel"], "name": pvt["laName"], "obj": fields{}}}})
	boot, _ := p.next("verto.event")["data"].(map[string]any)
	for boot["action"] != "bootObj" {
		boot, _ = p.next("verto.event")["data"].(map[string]any)
	}
	rows, _ := boot["data"].([]any)
	if len(rows) != 1 || rows[0].([]any)[0] != "m1" {
		t.Errorf("bootstrap: %v", boot)
	}
	p.result("verto.broadcast", fields{"eventChannel": pvt["chatChannel"], "data": fields{"action": "send", "message": "hello"}})
	for {
		e := p.next("verto.event")
		data, _ := e["data"].(map[string]any)
		if e["subscribedChannel"] == pvt["chatChannel"] {
			if data["message"] != "hello" || data["from"] != "1000@test" {
				t.Errorf("chat: %v", e)
			}
			break
		}
	}
	// Nobody but the switch tells what happens to the array.
	p.result("verto.broadcast", fields{"eventChannel": pvt["laChannel"], "localBroadcast": true, "data": fields{"action": "forged"}})
	p.result("verto.broadcast", fields{"eventChannel": pvt["laChannel"], "data": fields{"liveArray": fields{
		"command": "bootstrap", "context": pvt["laChannel"], "name": "3001"}}})
	happen("start-talking", "m1", "1")
	if data, _ := p.next("verto.event")["data"].(map[string]any); data["action"] != "modify" {
		t.Errorf("after a forged change and a wrong name: %v", data)
	}
	happen("del-member", "m1", "1")
	for {
		if pvt, ok := p.next("verto.event")["pvtData"].(map[string]any); ok {
			if pvt["action"] != "conference-liveArray-part" {
				t.Errorf("part: %v", pvt)
			}
			break
		}
	}
}
