package webrtc

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	pion "github.com/pion/webrtc/v4"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
)

// dials makes a call of a page that is answered at once.
func (b *box) dials(p *page, id, number string) (*call.Channel, *browser) {
	b.t.Helper()
	w := newBrowser(b.t, pion.MimeTypeOpus, 48000, 2)
	p.result("verto.invite", fields{"sdp": w.offer(), "dialogParams": about(id, number)})
	text, _ := p.next("verto.answer")["sdp"].(string)
	w.accept(text)
	until(b.t, id, func() bool { c := b.sw.Find(id); return c != nil && c.Answered() })
	return b.sw.Find(id), w
}

// rings makes a call to a page, which is told of it.
func (b *box) rings(p *page, sessid string) (*call.Channel, map[string]any) {
	b.t.Helper()
	c, err := b.sw.Endpoint(sessionName).Dial(context.Background(), b.sw, &call.DialRequest{Data: sessid,
		Caller: call.Profile{CallerName: "Alice", CallerNumber: "1000"}})
	must(b.t, err)
	c.Start()
	return c, p.next("verto.invite")
}

// The parts of a request about a call are missed in this order.
func TestCalls_MissingParts(t *testing.T) {
	b := newBox(t, nil)
	p := b.login("1000", "secret", "s1")
	for _, method := range []string{"verto.answer", "verto.attach", "verto.bye", "verto.modify"} {
		p.refused(method, nil, "Params data missing")
		p.refused(method, fields{}, "Dialog data missing")
		if e := p.refused(method, fields{"dialogParams": fields{}}, "CallID missing"); e["code"] != float64(codeSession) {
			t.Errorf("%s: code %v", method, e["code"])
		}
	}
	p.refused("verto.answer", fields{"dialogParams": about("none", "")}, "SDP missing")
	p.refused("verto.attach", fields{"dialogParams": about("none", "")}, "SDP missing")
	p.refused("verto.answer", fields{"sdp": "x", "dialogParams": about("none", "")}, noCall)
	p.refused("verto.attach", fields{"sdp": "x", "dialogParams": about("none", "")}, noCall)
	if e := p.refused("verto.bye", fields{"dialogParams": about("none", "")}, noCall); e["callID"] != "none" || e["code"] != float64(codeSession) {
		t.Errorf("bye: %v", e)
	}
	if e := p.refused("verto.modify", fields{"action": "hold", "dialogParams": about("none", "")}, noCall); e["callID"] != "none" || e["action"] != "hold" {
		t.Errorf("modify: %v", e)
	}
	p.refused("verto.modify", fields{"dialogParams": about("none", "")}, "action missing")
	p.refused("verto.info", nil, "Params data missing")
	for _, params := range []any{nil, fields{}, fields{"sdp": "x", "dialogParams": fields{}}, fields{"sdp": "x", "dialogParams": about("a b", "9196")}} {
		e := p.refused("verto.invite", params, "CALL ERROR")
		if e["cause"] != "INVALID_MSG_UNSPECIFIED" || e["causeCode"] != float64(95) || e["code"] != float64(codeSession) {
			t.Errorf("invite %v: %v", params, e)
		}
	}
	// Another's call that is no browser's is none.
	c, err := b.sw.NewChannel(nil, call.NewChannelOptions{UUID: "other", Name: "sofia/x"})
	must(t, err)
	defer c.Abandon(call.CauseNormalClearing)
	p.refused("verto.bye", fields{"dialogParams": about("other", "")}, noCall)
}

func TestCalls_CauseOfTheBrowsersBye(t *testing.T) {
	b := newBox(t, nil)
	p := b.login("1000", "secret", "s1")
	for i, c := range []struct {
		says fields
		name string
		code float64
	}{
		{fields{"cause": "USER_BUSY", "causeCode": 16}, "USER_BUSY", 17}, {fields{"causeCode": 21}, "CALL_REJECTED", 21},
		{fields{"causeCode": "487"}, "ORIGINATOR_CANCEL", 487}, {fields{"cause": "NONSENSE"}, "NORMAL_CLEARING", 16},
		{fields{"causeCode": "9999"}, "NORMAL_CLEARING", 16}, {fields{}, "NORMAL_CLEARING", 16},
	} {
		id := "c" + string(rune('0'+i))
		b.dials(p, id, "park")
		c.says["dialogParams"] = about(id, "")
		if r := p.result("verto.bye", c.says); r["cause"] != c.name || r["causeCode"] != c.code || r["callID"] != id {
			t.Errorf("%v: %v", c.says, r)
		}
	}
	p.result("verto.ping", nil)
	for len(p.in) > 0 { // a browser that hung up is not told to
		if m := <-p.in; m["method"] == "verto.bye" {
			t.Errorf("told %v", m)
		}
	}
}

func TestCalls_NothingInCommon_ByeTellsWhy(t *testing.T) {
	b := newBox(t, withParams("apply-candidate-acl", "loopback.auto"))
	p := b.login("1000", "secret", "s1")
	offer := newBrowser(t, pion.MimeTypeOpus, 48000, 2).offer()
	for id, c := range map[string]struct{ number, from, to, disposition string }{
		"codec":    {"9196", "opus/48000/2", "GSM/8000", "CODEC NEGOTIATION ERROR"},
		"early":    {"early", "opus/48000/2", "GSM/8000", "CODEC NEGOTIATION ERROR"},
		"unproven": {"9196", "a=fingerprint:sha-256", "a=fingerprint:sha-1", "MEDIA ERROR"},
		"far":      {"9196", " 127.0.0.1 ", " 192.0.2.7 ", "CODEC NEGOTIATION ERROR"},
	} {
		p.result("verto.invite", fields{"sdp": strings.ReplaceAll(offer, c.from, c.to), "dialogParams": about(id, c.number)})
		bye := p.next("verto.bye")
		if bye["callID"] != id || c.disposition == "CODEC NEGOTIATION ERROR" && (bye["cause"] != "INCOMPATIBLE_DESTINATION" || bye["causeCode"] != float64(88)) {
			t.Errorf("%s: %v", id, bye)
		}
		found := ""
		until(t, "the end of "+id, func() bool {
			b.mu.Lock()
			defer b.mu.Unlock()
			for _, e := range b.events {
				if e.Get("Unique-ID") == id && e.Get("Event-Name") == "CHANNEL_HANGUP_COMPLETE" {
					found = e.Get("variable_endpoint_disposition") + " " + e.Get("variable_verto_hangup_disposition")
				}
			}
			return found != ""
		})
		if found != c.disposition+" send_bye" {
			t.Errorf("%s: %s", id, found)
		}
	}
}

func TestCalled_AnswerWithoutACommonCodec_RingsOn(t *testing.T) {
	b := newBox(t, nil)
	p := b.login("1002", "json", "s2")
	c, in := b.rings(p, "s2")
	offer, _ := in["sdp"].(string)
	if !strings.Contains(offer, "a=setup:actpass") || !strings.Contains(offer, "telephone-event/48000") || in["callee_id_number"] != "1002" {
		t.Errorf("invite: %v", in)
	}
	w := newBrowser(t, pion.MimeTypeOpus, 48000, 2)
	answer := w.answer(offer)
	p.refused("verto.answer", fields{"sdp": strings.ReplaceAll(answer, "opus/48000/2", "GSM/8000"), "dialogParams": fields{"callID": in["callID"]}}, "CODEC ERROR")
	if !c.Up() || c.Answered() {
		t.Fatal("the call does not ring on")
	}
	p.refused("verto.attach", fields{"sdp": answer, "dialogParams": fields{"callID": c.UUID()}}, "Cannot attach to a call that has not been answered.")
	<-c.Done()
	if c.Cause() != call.CauseDestinationOutOfOrder {
		t.Errorf("cause %v", c.Cause())
	}
	c, in = b.rings(p, "s2")
	offer, _ = in["sdp"].(string)
	p.result("verto.answer", fields{"sdp": newBrowser(t, pion.MimeTypeOpus, 48000, 2).answer(offer),
		"dialogParams": fields{"callID": in["callID"], "callee_id_name": "Carol", "callee_id_number": "77"}})
	until(t, "the answer", c.Answered)
	if c.Get("verto_client_callee_id_name") != "Carol" || c.Get("user_name") != "1002" {
		t.Errorf("%q %q", c.Get("verto_client_callee_id_name"), c.Get("user_name"))
	}
	p.refused("verto.answer", fields{"sdp": answer, "dialogParams": fields{"callID": in["callID"]}}, noCall)
}

func TestModify_Texts(t *testing.T) {
	b := newBox(t, nil)
	p := b.login("1000", "secret", "s1")
	c, w := b.dials(p, "m", "park")
	modify := func(action string, more fields) fields {
		all := fields{"action": action, "dialogParams": about("m", "")}
		for name, v := range more {
			all[name] = v
		}
		return all
	}
	if e := p.refused("verto.modify", modify("transfer", nil), "destination missing"); e["callID"] != "m" || e["action"] != "transfer" || e["code"] != float64(codeSession) {
		t.Errorf("transfer: %v", e)
	}
	p.refused("verto.modify", modify("transfer", fields{"destination": "9196"}), "call is not bridged")
	p.refused("verto.modify", modify("replace", nil), "replaceCallID missing")
	p.refused("verto.modify", modify("replace", fields{"replaceCallID": "x"}), "invalid transfer leg")
	for _, action := range []string{"videoRefresh", "nonsense"} {
		if r := p.result("verto.modify", modify(action, nil)); r["holdState"] != "active" || r["action"] != action {
			t.Errorf("%s: %v", action, r)
		}
	}
	p.refused("verto.modify", modify("updateMedia", nil), "SDP missing")
	r := p.result("verto.modify", modify("updateMedia", fields{"sdp": w.offer()}))
	answer, _ := r["sdp"].(string)
	w.accept(answer)
	if r["holdState"] != "active" || r["callID"] != "m" || !c.Up() {
		t.Errorf("updateMedia: %v", r)
	}
	p.refused("verto.modify", modify("updateMedia", fields{"sdp": strings.ReplaceAll(w.offer(), "opus/48000/2", "GSM/8000")}), "CODEC NEGOTIATION ERROR")
	if !c.Up() {
		t.Error("the call ended")
	}

	early := newBrowser(t, pion.MimeTypeOpus, 48000, 2)
	p.result("verto.invite", fields{"sdp": early.offer(), "dialogParams": about("ringing", "wait")})
	c = b.sw.Find("ringing")
	if r := p.result("verto.modify", fields{"action": "hold", "dialogParams": about("ringing", "")}); r["holdState"] != "active" {
		t.Errorf("hold of a call that is not answered: %v", r)
	}
	p.refused("verto.modify", fields{"action": "updateMedia", "sdp": "x", "dialogParams": about("ringing", "")}, "Cannot update a call that has not been answered.")
	<-c.Done()
	if c.Cause() != call.CauseDestinationOutOfOrder {
		t.Errorf("cause %v", c.Cause())
	}
}

// A page that names its sound anew with each offer makes its connection no larger.
func TestModify_NamesOfTheSoundArePiledUpNowhere(t *testing.T) {
	b := newBox(t, nil)
	p := b.login("1000", "secret", "s1")
	_, w := b.dials(p, "m", "9196")
	l := b.s.online("s1").mine("m")
	l.mu.Lock()
	pr := l.peer
	l.mu.Unlock()
	offer := w.offer()
	for _, name := range []string{"x", "y", "z", "0"} {
		text := strings.NewReplacer("a=mid:0", "a=mid:"+name, "BUNDLE 0", "BUNDLE "+name).Replace(offer)
		r := p.result("verto.modify", fields{"action": "updateMedia", "sdp": text, "dialogParams": about("m", "")})
		answer, _ := r["sdp"].(string)
		if !strings.Contains(answer, "a=mid:"+name+"\r\n") {
			t.Errorf("answer: %s", answer)
		}
		if name == "0" {
			w.accept(answer)
		}
	}
	if list := pr.pc.GetTransceivers(); len(list) != 1 {
		t.Errorf("%d transceivers", len(list))
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go w.talk(ctx, 960)
	w.hear(patience)
}

func TestInfo_DigitsVariablesCommandsAndBadMessages(t *testing.T) {
	b := newBox(t, nil)
	p := b.login("1000", "secret", "s1")
	if r := p.result("verto.info", fields{"dtmf": "1", "dialogParams": about("none", "")}); r["message"] != nil {
		t.Errorf("digits for no call: %v", r)
	}
	e := p.refused("verto.info", fields{"msg": fields{"to": "1002@test"}}, "INVALID MESSAGE to and body params required")
	if _, ok := e["code"]; ok {
		t.Errorf("message: %v", e)
	}
	c, _ := b.dials(p, "h", "hears")
	p.result("verto.info", fields{"command": fields{"do": "it"}, "dialogParams": fields{"callID": "h", "userVariables": fields{"color": "blue"}, "audio": fields{"noiseSuppression": true}}})
	until(t, "the command", func() bool { return c.Get("heard_event") == `COMMAND verto {"do":"it"}` })
	if c.Get("verto_dvar_color") != "blue" || c.Get("verto_noiseSuppression") != "true" {
		t.Errorf("%q %q", c.Get("verto_dvar_color"), c.Get("verto_noiseSuppression"))
	}
	d, _ := b.dials(p, "d", "9196")
	p.result("verto.info", fields{"dtmf": "1x@100+ 9D", "dialogParams": about("d", "")})
	until(t, "the digits", func() bool { return d.Get("heard_digits") == "19D" })
}

// Whoever is told that the call is answered may do at once what an answered call allows.
func TestCalls_AnsweredBeforeThePageIsTold(t *testing.T) {
	b := newBox(t, nil)
	p := b.login("1000", "secret", "s1")
	p.next("verto.clientReady")
	follower := b.sw.Log.Watch(call.LogNotice, func(l *call.LogLine) {
		if !strings.Contains(l.Text, "has been answered") {
			return
		}
		select {
		case m := <-p.in:
			t.Errorf("the page is told first: %v", m["method"])
		case <-time.After(200 * time.Millisecond):
		}
	})
	defer follower.Close()
	b.dials(p, "a", "park")
}

func TestDisplay_IsToldOnce(t *testing.T) {
	b := newBox(t, nil)
	p := b.login("1000", "secret", "s1")
	c, _ := b.dials(p, "d", "park")
	c.Set("verto_h_color", "green")
	d := c.Leg().(call.Displayer)
	must(t, d.Display(t.Context(), "Carol", "1003"))
	shown := p.next("verto.display")
	if shown["callID"] != "d" || shown["display_name"] != "Carol" || shown["display_number"] != "1003" || shown["display_direction"] != "inbound" ||
		shown["caller_id_number"] != "1000" || shown["verto_h_color"] != "green" {
		t.Errorf("display: %v", shown)
	}
	if c.Get("last_sent_display_name") != "Carol" || c.Get("last_sent_display_number") != "1003" {
		t.Errorf("%q %q", c.Get("last_sent_display_name"), c.Get("last_sent_display_number"))
	}
	must(t, d.Display(t.Context(), "Carol", "1003"))
	must(t, d.Display(t.Context(), "Dan", "1004"))
	if shown := p.next("verto.display"); shown["display_name"] != "Dan" {
		t.Errorf("the same once more: %v", shown)
	}
}

func TestRecovery_NotWantedOrWithoutACodec(t *testing.T) {
	b := newBox(t, nil)
	p := b.login("1000", "secret", "s1")
	w := newBrowser(t, pion.MimeTypeOpus, 48000, 2)
	p.result("verto.invite", fields{"sdp": w.offer(), "dialogParams": fields{"callID": "brief", "destination_number": "park", "recoverCall": false}})
	p.next("verto.answer")
	c, _ := b.dials(p, "kept", "park")
	brief := b.sw.Find("brief")
	p.ws.CloseNow()
	<-brief.Done()
	if brief.Cause() != call.CauseNormalClearing || !c.Up() {
		t.Errorf("ended with %v, the other is up: %v", brief.Cause(), c.Up())
	}
	p = b.login("1000", "secret", "s1")
	offer, _ := p.next("verto.attach")["sdp"].(string)
	if !strings.Contains(offer, "a=setup:actpass") || strings.Contains(offer, "PCMU") {
		t.Errorf("offer: %s", offer)
	}
	answer := strings.ReplaceAll(newBrowser(t, pion.MimeTypeOpus, 48000, 2).answer(offer), "opus/48000/2", "GSM/8000")
	p.refused("verto.attach", fields{"sdp": answer, "dialogParams": about("kept", "")}, "CODEC NEGOTIATION ERROR")
	<-c.Done()
	if c.Cause() != call.CauseBearerCapabilityNotAvail {
		t.Errorf("cause %v", c.Cause())
	}
}

func TestRecovery_BrowserThatDoesNotTakeItsCallUpLosesIt(t *testing.T) {
	b := newBox(t, nil)
	p := b.login("1000", "secret", "s1")
	c, _ := b.dials(p, "left", "park")
	p.ws.CloseNow()
	until(t, "the detachment", func() bool { return b.s.online("s1") == nil })
	p = b.login("1000", "secret", "s1")
	p.next("verto.attach")
	b.s.tendOnce(time.Now().Add(30 * time.Second))
	if !c.Up() {
		t.Fatal("ended early")
	}
	until(t, "the end", func() bool { b.s.tendOnce(time.Now().Add(62 * time.Second)); return !c.Up() })
	if c.Cause() != call.CauseRecoveryOnTimerExpire {
		t.Errorf("cause %v", c.Cause())
	}
	p.next("verto.bye")
}

// uuid_media_reneg lets the page take its call up with another codec, and only for
// that long it is silent.
func TestRenegotiate_GoesByAttach(t *testing.T) {
	b := newBox(t, nil)
	p := b.login("1000", "secret", "s1")
	c, _ := b.dials(p, "r", "9196")
	again := c.Leg().(call.Renegotiator)
	if err := again.Renegotiate(t.Context(), "GSM", true); err == nil {
		t.Error("a codec that browsers do not have")
	}
	must(t, again.Renegotiate(t.Context(), "PCMU", true))
	if err := again.Renegotiate(t.Context(), "", false); err == nil {
		t.Error("again, before the page has answered")
	}
	offer, _ := p.next("verto.attach")["sdp"].(string)
	if !strings.Contains(offer, "PCMU/8000") || strings.Contains(offer, "opus") {
		t.Errorf("offer: %s", offer)
	}
	w := newBrowser(t, pion.MimeTypePCMU, 8000, 1)
	p.result("verto.attach", fields{"sdp": w.answer(offer), "dialogParams": about("r", "")})
	if got := c.Get("rtp_use_codec_name"); got != "PCMU" {
		t.Errorf("the codec is %s", got)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go w.talk(ctx, 160)
	w.hear(patience)
	p.ws.CloseNow()
	until(t, "the detachment", func() bool { return b.s.online("s1") == nil })
	if err := again.Renegotiate(t.Context(), "", false); err == nil {
		t.Error("with nobody there")
	}
}

func TestChannels_ListsAndErrors(t *testing.T) {
	b := newBox(t, nil)
	p := b.login("1000", "secret", "s1")
	failed := func(method string, name any) map[string]any {
		t.Helper()
		e, ok := p.ask(method, fields{"eventChannel": name})["error"].(map[string]any)
		if _, coded := e["code"]; !ok || coded {
			t.Errorf("%s %v: %v", method, name, e)
		}
		return e
	}
	if e := failed("verto.subscribe", nil); len(e) != 0 {
		t.Errorf("of nothing: %v", e)
	}
	if e := failed("verto.subscribe", []string{"other", "FSevent.heartbeat"}); len(e["unauthorizedChannels"].([]any)) != 2 {
		t.Errorf("of what is not allowed: %v", e)
	}
	p.result("verto.subscribe", fields{"eventChannel": "demo.a", "subParams": fields{"x": 1}})
	r := p.result("verto.subscribe", fields{"eventChannel": []string{"demo.a", "demo"}})
	if len(r["subscribedChannels"].([]any)) != 1 || len(r["alreadySubscribedChannels"].([]any)) != 1 {
		t.Errorf("again: %v", r)
	}
	r = p.result("verto.subscribe", fields{"eventChannel": "demo.a"})
	if list, ok := r["subscribedChannels"].([]any); !ok || len(list) != 0 {
		t.Errorf("only what is there: %v", r)
	}
	if r := p.result("verto.broadcast", fields{"data": fields{}}); r["message"] != "eventChannel not specified." || r["code"] != float64(codeSession) {
		t.Errorf("broadcast: %v", r)
	}
	p.result("verto.broadcast", fields{"eventChannel": "demo.a", "data": 1}) // for nobody
	p.result("verto.broadcast", fields{"eventChannel": "demo.a", "data": 2, "localBroadcast": true})
	channels := map[any]bool{}
	for range 2 { // who has both gets two
		e := p.next("verto.event")
		if e["data"] != float64(2) || e["eventSerno"] != float64(0) || e["fromDisplay"] == nil {
			t.Errorf("event: %v", e)
		}
		channels[e["subscribedChannel"]] = true
	}
	if !channels["demo"] || !channels["demo.a"] {
		t.Errorf("by %v", channels)
	}
	if e := failed("verto.unsubscribe", "zzz"); len(e["notSubscribedChannels"].([]any)) != 1 {
		t.Errorf("unsubscribe: %v", e)
	}
	// A call of one's own is a channel, too.
	const mine = "c0ffee00-0000-4000-8000-00000000000A"
	c, _ := b.dials(p, mine, "park")
	p.result("verto.subscribe", fields{"eventChannel": mine})
	until(t, "the call state", func() bool { return c.CallState().String() == "ACTIVE" })
	// Who subscribes late is told of the calls there are.
	p.result("verto.subscribe", fields{"eventChannel": "presence.1000@test"})
	e := p.next("verto.event")
	data, _ := e["data"].(map[string]any)
	if e["eventChannel"] != "presence.1000@test" || data["channelUUID"] != mine || data["channelCallState"] != "ACTIVE" || data["channelPresenceID"] != "1000@test" {
		t.Errorf("presence: %v", e)
	}
}

// What a program broadcasts goes to whom it names, or whose call or session the channel
// is, and otherwise to those who listen; guests are not told everything.
func TestBroadcast_OfAProgram(t *testing.T) {
	b := newBox(t, func(tree string) string {
		return strings.Replace(tree, `<user id="1002">`, `<user id="guest7"><params><param name="password" value="secret"/></params></user><user id="1002">`, 1)
	})
	const mine, tab = "c0ffee00-0000-4000-8000-00000000000B", "c0ffee00-0000-4000-8000-00000000000C"
	alice, guest := b.login("1000", "secret", "s1"), b.login("guest7", "secret", tab)
	b.dials(alice, mine, "park")
	for _, p := range []*page{alice, guest} {
		p.result("verto.subscribe", fields{"eventChannel": "demo.news"})
	}
	n := 0
	say := func(channel, more string) {
		n++
		b.s.Broadcast(channel, fmt.Appendf(nil, `{"eventChannel":%q,"data":{"n":%d}%s}`, channel, n, more))
	}
	told := func(p *page, numbers ...int) {
		t.Helper()
		for _, want := range numbers {
			e := p.next("verto.event")
			if data, _ := e["data"].(map[string]any); data["n"] != float64(want) {
				t.Errorf("told of %v, want %d", e, want)
			}
		}
	}
	say("demo.news", "")
	say(mine, "")
	say(tab, "")
	say("demo.news", `,"sessid":"s1"`)
	say("demo.news", `,"sessid":"nobody"`)
	say("demo.news", `,"eventChannelSessid":"`+tab+`"`)
	say("demo.other", "")
	say("demo.news", `,"contentVisibility":"private"`) // whom the channel is allowed by name
	b.s.permit(false, tab+" event_channels demo")
	say("demo.news", `,"contentVisibility":"private"`)
	say("demo.news", `,"contentVisibility":"public"`)
	// Who has the name of a channel, or a call of that name, takes nothing away from others.
	b.dials(b.login("1000", "secret", "demo"), "news", "park")
	alice.result("verto.subscribe", fields{"eventChannel": []string{"demo", "presence"}})
	b.s.permit(true, "s1 event_channels news")
	alice.result("verto.subscribe", fields{"eventChannel": "news"})
	say("demo", "")
	say("news", "")
	told(alice, 1, 2, 4, 8, 9, 10)
	for n := 11; n <= 12; {
		e := alice.next("verto.event")
		if data, _ := e["data"].(map[string]any); data["n"] == float64(n) {
			n++
		} else if data["n"] != nil {
			t.Errorf("told of %v, want %d", e, n)
		}
	}
	told(guest, 1, 3, 6, 8, 10)
}

func TestEcho(t *testing.T) {
	b := newBox(t, func(tree string) string {
		return strings.Replace(tree, `value="verto,jsapi,fsapi"`, `value="verto,echo"`, 1)
	})
	p := b.login("1000", "secret", "s1")
	if r := p.result("echo", fields{"a": "b", "echoParams": "x"}); r["a"] != "b" || r["requestParams"] != "x" {
		t.Errorf("echo: %v", r)
	}
	if e := p.refused("echo", nil, "Permission Denied"); e["code"] != float64(codeDenied) {
		t.Errorf("echo of nothing: %v", e)
	}
	p.write(`{"jsonrpc":"2.0","id":1,"error":{"code":1}}`) // an answer to a request of ours
	if e := p.refused("fsapi", fields{"cmd": "status"}, "Invalid Method, Missing Method or Permission Denied"); e["code"] != float64(codeNoMethod) {
		t.Errorf("fsapi: %v", e)
	}
}

// The switch's own events are for those who may have them, where the settings say so.
func TestChannels_EventsOfTheSwitch(t *testing.T) {
	b := newBox(t, func(tree string) string {
		tree = strings.Replace(tree, `<settings>`, `<settings><param name="enable-fs-events" value="true"/>`, 1)
		return strings.Replace(tree, `value="demo,presence"`, `value="demo,FSevent"`, 1)
	})
	p := b.login("1000", "secret", "s1")
	p.result("verto.subscribe", fields{"eventChannel": []string{"FSevent.heartbeat", "FSevent.custom::my::news"}})
	p.result("verto.broadcast", fields{"eventChannel": "FSevent.heartbeat", "localBroadcast": true, "data": fields{"forged": "yes"}})
	publish := func(kind event.Type, subclass string) {
		e := event.New(kind, subclass)
		e.Add("Fact", "true")
		e.Push("List", "a")
		e.Push("List", "b")
		e.SetBody("text")
		b.sw.Bus.Publish(e, "x.c", "x", 1)
	}
	publish(event.Custom, "other::news")
	publish(event.Heartbeat, "")
	publish(event.Custom, "my::News")
	for _, want := range []string{"FSevent.heartbeat", "FSevent.custom::my::news"} {
		e := p.next("verto.event")
		data, _ := e["data"].(map[string]any)
		if e["eventChannel"] != want || e["subscribedChannel"] != want || data["Fact"] != "true" || data["_body"] != "text" || data["Content-Length"] != "4" ||
			fmt.Sprint(data["List"]) != "[a b]" || data["Event-Name"] == nil {
			t.Errorf("event: %v, want %s", e, want)
		}
	}
	p.result("verto.unsubscribe", fields{"eventChannel": []string{"FSevent.heartbeat", "FSevent.custom::my::news"}})
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	if b.s.core != nil {
		t.Error("all events are still listened to")
	}
}
