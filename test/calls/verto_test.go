package calls

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/switchlet/switchlet/test/box"
	"github.com/switchlet/switchlet/test/phone"
)

// rooms are conferences for moderators and for all others, and calls to one user.
const rooms = `<include>
<extension name="moderator"><condition field="destination_number" expression="^4200$">
 <action application="answer"/><action application="conference" data="yard@default+flags{moderator}"/></condition></extension>
<extension name="member"><condition field="destination_number" expression="^4201$">
 <action application="answer"/><action application="conference" data="yard@default"/></condition></extension>
<extension name="user_alone"><condition field="destination_number" expression="^4(1\d\d\d)$">
 <action application="set" data="hangup_after_bridge=true"/><action application="bridge" data="user/$1@${domain_name}"/></condition></extension>
<extension name="tabs_alone"><condition field="destination_number" expression="^5(1\d\d\d)$">
 <action application="bridge" data="verto.rtc/$1@${domain_name}"/></condition></extension>
<extension name="with_tones"><condition field="destination_number" expression="^6(1\d\d\d)$">
 <action application="set" data="ringback=%(2000,4000,440,480)"/><action application="set" data="hold_music=tone_stream://%(60000,0,620)"/>
 <action application="bridge" data="user/$1@${domain_name}"/></condition></extension>
</include>`

func vertoBox(t *testing.T) *box.Box {
	return box.Start(t, box.Setup{Files: map[string]string{"dialplan/default/00_rooms.xml": rooms}})
}

// deskPhone is a registered phone.
func deskPhone(t *testing.T, b *box.Box, user string) *phone.Phone {
	t.Helper()
	p, err := phone.New(phone.Options{User: user, Password: b.Password, Domain: "127.0.0.1", Server: netip.MustParseAddrPort(b.Addr(box.SIP))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	if res, err := p.Register(600); err != nil || res.StatusCode != 200 {
		t.Fatalf("register: %v %v", res, err)
	}
	return p
}

// rings is the next call to a phone.
func rings(t *testing.T, p *phone.Phone) *phone.Call {
	t.Helper()
	c, err := p.Next()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// joined waits until a leg that was called has its partner: the caller is told of the
// answer before the two are connected.
func joined(t *testing.T, b *box.Box, called, partner any) {
	t.Helper()
	c := b.ESL(t)
	defer c.Close()
	box.Eventually(t, patience, fmt.Sprintf("%v has the partner %v", called, partner), func() bool {
		return b.API(t, c, fmt.Sprintf("uuid_getvar %v bridge_uuid", called)) == partner
	})
}

func wantBye(t *testing.T, p *tab, id any, cause string, code float64) {
	t.Helper()
	if bye := p.next("verto.bye"); bye["callID"] != id || bye["cause"] != cause || bye["causeCode"] != code {
		t.Errorf("bye: %v, want %s of %v", bye, cause, id)
	}
}

// A user's browsers and phone ring at once. Whoever answers has the call, the others
// are told why they ring no more, and each end of a call tells the other why.
func TestVerto_AUserRingsEverywhere(t *testing.T) {
	b := vertoBox(t)
	desk := deskPhone(t, b, "1001")
	alice := openTab(t, b, "1000", "alice")
	first, second := openTab(t, b, "1001", "first"), openTab(t, b, "1001@127.0.0.1", "second")

	alice.call("one", "41001")
	in, other := first.next("verto.invite"), second.next("verto.invite")
	if in["display_direction"] != "outbound" || in["caller_id_number"] != "1000" || in["callID"] == other["callID"] || !strings.Contains(fmt.Sprint(in["sdp"]), "m=audio") {
		t.Errorf("invite: %v", in)
	}
	ringing := rings(t, desk)
	if err := ringing.Ring(); err != nil {
		t.Fatal(err)
	}
	first.result("verto.answer", about(in["callID"], fields{"sdp": description("active")}))
	if answer := alice.next("verto.answer"); answer["callID"] != "one" {
		t.Errorf("answer: %v", answer)
	}
	wantBye(t, second, other["callID"], "LOSE_RACE", 702)
	if err := ringing.WaitEnd(); err != nil {
		t.Errorf("the phone: %v", err)
	}
	joined(t, b, in["callID"], "one")
	alice.result("verto.bye", about("one", nil))
	wantBye(t, first, in["callID"], "NORMAL_CLEARING", 16)

	alice.call("two", "41001")
	in = first.next("verto.invite")
	other = second.next("verto.invite")
	ringing = rings(t, desk)
	alice.result("verto.bye", about("two", fields{"cause": "ORIGINATOR_CANCEL"}))
	wantBye(t, first, in["callID"], "ORIGINATOR_CANCEL", 487)
	wantBye(t, second, other["callID"], "ORIGINATOR_CANCEL", 487)
	if err := ringing.WaitEnd(); err != nil {
		t.Errorf("the phone: %v", err)
	}

	alice.call("three", "51001") // the browsers alone
	in = first.next("verto.invite")
	other = second.next("verto.invite")
	first.result("verto.bye", about(in["callID"], fields{"cause": "CALL_REJECTED"}))
	second.result("verto.bye", about(other["callID"], fields{"causeCode": "17"}))
	if bye := alice.next("verto.bye"); bye["callID"] != "three" || bye["cause"] != "CALL_REJECTED" && bye["cause"] != "USER_BUSY" {
		t.Errorf("bye: %v", bye)
	}
	alice.call("four", "51002") // nobody is there
	wantBye(t, alice, "four", "USER_NOT_REGISTERED", 806)
	alice.call("five", "777888999")
	if bye := alice.next("verto.bye"); bye["callID"] != "five" {
		t.Errorf("bye: %v", bye)
	}
}

// The caller is sent to another number; the browser that sent him has its own leg
// ended by the switch.
func TestVerto_BlindTransfer(t *testing.T) {
	b := vertoBox(t)
	alice, bob := openTab(t, b, "1000", "alice"), openTab(t, b, "1001", "bob")
	alice.call("one", "51001")
	in := bob.next("verto.invite")
	bob.result("verto.answer", about(in["callID"], fields{"sdp": description("active")}))
	alice.next("verto.answer")
	joined(t, b, in["callID"], "one")
	held := alice.modify("one", "hold", nil)
	if held["holdState"] != "held" || held["action"] != "hold" || held["callID"] != "one" {
		t.Errorf("hold: %v", held)
	}
	if r := alice.modify("one", "toggleHold", nil); r["holdState"] != "active" {
		t.Errorf("toggleHold: %v", r)
	}
	r := bob.modify(in["callID"].(string), "transfer", fields{"destination": "9196"})
	if r["message"] != "CALL TRANSFERRED" || r["holdState"] != "active" {
		t.Errorf("transfer: %v", r)
	}
	if bye := bob.next("verto.bye"); bye["callID"] != in["callID"] {
		t.Errorf("bye: %v", bye)
	}
	c := b.ESL(t)
	box.Eventually(t, patience, "the caller is at 9196", func() bool {
		return strings.Contains(b.API(t, c, "show channels"), ",echo,") && b.API(t, c, "uuid_getvar one destination_number") == "9196"
	})
}

// A program says something to the page that has a call.
func TestVerto_ProgramSpeaksToAPage(t *testing.T) {
	b := vertoBox(t)
	alice := openTab(t, b, "1000", "alice")
	const one = "c0ffee00-0000-4000-8000-00000000000D"
	alice.call(one, "9196")
	alice.next("verto.answer")
	if out := b.API(t, b.ESL(t), `event_channel_broadcast {"eventChannel":"`+one+`","data":{"say":"hello"}}`); out != "+OK message sent\n" {
		t.Errorf("%q", out)
	}
	e := alice.next("verto.event")
	if data, _ := e["data"].(map[string]any); data["say"] != "hello" || e["eventSerno"] != nil {
		t.Errorf("event: %v", e)
	}
}

// The browser hears the phone ring where the dialplan says so; the phone hears music
// while the browser holds the call, and no longer.
func TestVerto_RingbackAndHoldMusic(t *testing.T) {
	b := vertoBox(t)
	desk, alice := deskPhone(t, b, "1003"), openTab(t, b, "1000", "alice")
	alice.call("one", "61003")
	ringing := rings(t, desk)
	if err := ringing.Ring(); err != nil {
		t.Fatal(err)
	}
	if media := alice.next("verto.media"); media["callID"] != "one" || media["sdp"] == nil {
		t.Errorf("media: %v", media)
	}
	if err := ringing.Answer(); err != nil {
		t.Fatal(err)
	}
	if answer := alice.next("verto.answer"); answer["sdp"] != nil {
		t.Error("the answer repeats the description")
	}
	if shown := alice.next("verto.display"); shown["callID"] != "one" || shown["display_number"] != "1003" {
		t.Errorf("display: %v", shown)
	}
	for range 2 {
		if r := alice.modify("one", "hold", nil); r["holdState"] != "held" {
			t.Errorf("hold: %v", r)
		}
		box.Eventually(t, patience, "the phone hears music", func() bool {
			ringing.Forget()
			h, err := ringing.Listen(620, 200*time.Millisecond)
			return err == nil && h.Level > 0.05
		})
		if r := alice.modify("one", "unhold", nil); r["holdState"] != "active" {
			t.Errorf("unhold: %v", r)
		}
		before, still := 0, 0 // the browser has no sound: what came was the music
		box.Eventually(t, patience, "the music ends", func() bool {
			n, _ := ringing.Packets()
			if still++; n != before {
				before, still = n, 0
			}
			return still == 10
		})
	}
	if err := ringing.Hangup(); err != nil {
		t.Fatal(err)
	}
	wantBye(t, alice, "one", "NORMAL_CLEARING", 16)
}

// Two calls of a browser become one of the two others; both own legs end, each told why.
func TestVerto_AttendedTransfer(t *testing.T) {
	b := vertoBox(t)
	c := b.ESL(t)
	alice, bob, carol := openTab(t, b, "1000", "alice"), openTab(t, b, "1001", "bob"), openTab(t, b, "1002", "carol")
	alice.call("one", "51001")
	in := bob.next("verto.invite")
	bob.result("verto.answer", about(in["callID"], fields{"sdp": description("active")}))
	alice.next("verto.answer")
	carol.call("two", "51000")
	own := alice.next("verto.invite")["callID"].(string)
	alice.result("verto.answer", about(own, fields{"sdp": description("active")}))
	carol.next("verto.answer")
	joined(t, b, in["callID"], "one")
	joined(t, b, own, "two")
	if r := alice.modify("one", "replace", fields{"replaceCallID": own}); r["callID"] != "one" || r["action"] != "replace" {
		t.Errorf("replace: %v", r)
	}
	for _, id := range []string{"one", own} {
		bye := alice.wait("bye", func(m fields) bool {
			p, _ := m["params"].(fields)
			return m["method"] == "verto.bye" && p["callID"] == id
		})["params"].(fields)
		if bye["cause"] != "ATTENDED_TRANSFER" && bye["cause"] != "NORMAL_CLEARING" {
			t.Errorf("bye: %v", bye)
		}
	}
	joined(t, b, "two", in["callID"])
	if v := b.API(t, c, "uuid_getvar two transfer_source"); !strings.Contains(v, ":att_xfer:1000@127.0.0.1/1000@127.0.0.1") {
		t.Errorf("transfer_source %q", v)
	}
	for _, p := range []*tab{bob, carol} {
		other := map[*tab]string{bob: "1002", carol: "1001"}[p]
		p.wait("display of "+other, func(m fields) bool {
			params, _ := m["params"].(fields)
			return m["method"] == "verto.display" && params["display_number"] == other
		})
	}
	bob.result("verto.bye", about(in["callID"], nil))
	wantBye(t, carol, "two", "NORMAL_CLEARING", 16)
}

// A conference as pages see it: joining, the live array, chat, messages, a moderator's
// commands, the floor, and taking the call up again after a reload.
func TestVerto_Conference(t *testing.T) {
	b := vertoBox(t)
	c := b.ESL(t)
	b.API(t, c, "global_setvar conference_verto_theme=green")
	alice, bob := openTab(t, b, "1000", "alice"), openTab(t, b, "1001", "bob")
	action := func(name string) func(fields) bool {
		return func(p fields) bool {
			for _, part := range []string{"pvtData", "data"} {
				if data, ok := p[part].(fields); ok && data["action"] == name {
					return true
				}
			}
			return false
		}
	}
	join := func(p *tab, id, number string) fields {
		p.call(id, number)
		p.next("verto.answer")
		e := p.event("join", action("conference-liveArray-join"))
		return e["pvtData"].(fields)
	}
	boot := func(p *tab, pvt fields) []any {
		la := pvt["laChannel"].(string)
		r := p.result("verto.subscribe", fields{"eventChannel": []any{la, pvt["chatChannel"], pvt["infoChannel"], "conference-mod." + strings.SplitN(la, ".", 2)[1]}})
		want := 4
		if pvt["role"] != "moderator" {
			want = 3
			if denied, _ := r["unauthorizedChannels"].([]any); len(denied) != 1 {
				t.Errorf("a participant may use the moderators' channel: %v", r)
			}
		}
		if got, _ := r["subscribedChannels"].([]any); len(got) != want {
			t.Errorf("subscribed to %v", r)
		}
		p.result("verto.broadcast", fields{"eventChannel": la, "data": fields{"liveArray": fields{
			"command": "bootstrap", "context": la, "name": pvt["laName"], "obj": fields{}}}})
		data := p.event("bootObj", action("bootObj"))["data"].(fields)
		if data["wireSerno"] != -1.0 || data["name"] != pvt["laName"] {
			t.Errorf("bootObj: %v", data)
		}
		return data["data"].([]any)
	}
	mine := join(alice, "a", "4200")
	if mine["role"] != "moderator" || mine["callID"] != "a" || mine["modChannel"] == nil || mine["theme"] != "green" || mine["conferenceMemberID"] == nil {
		t.Errorf("join: %v", mine)
	}
	if rows := boot(alice, mine); len(rows) != 1 || rows[0].([]any)[0] != "a" {
		t.Errorf("rows: %v", rows)
	}
	his := join(bob, "b", "4201")
	if his["role"] != "participant" || his["modChannel"] != nil {
		t.Errorf("join: %v", his)
	}
	added := alice.event("add", action("add"))["data"].(fields)
	row, _ := added["data"].([]any)
	if added["hashKey"] != "b" || added["arrIndex"] != 1.0 || len(row) != 7 || row[1] != "1001" || row[3] != "opus@48000" {
		t.Errorf("add: %v", added)
	}
	if rows := boot(bob, his); len(rows) != 2 {
		t.Errorf("rows: %v", rows)
	}

	// The array of another room is not to be had on this one's channel.
	bob.result("verto.broadcast", fields{"eventChannel": his["laChannel"], "data": fields{"liveArray": fields{
		"command": "bootstrap", "context": "conference-liveArray.other@127.0.0.1", "name": "other"}}})
	bob.result("verto.broadcast", fields{"eventChannel": his["chatChannel"], "localBroadcast": true,
		"data": fields{"action": "send", "message": "hello", "type": "message"}, "fromDisplay": "the boss"})
	for _, p := range []*tab{alice, bob} {
		chat := p.event("chat", func(e fields) bool { return e["eventChannel"] == his["chatChannel"] })["data"].(fields)
		if chat["direction"] != "outbound" || chat["message"] != "hello" || chat["from"] != "1001@127.0.0.1" || chat["fromDisplay"] == "the boss" {
			t.Errorf("chat: %v", chat)
		}
	}
	bob.result("verto.info", about("b", fields{"msg": fields{"to": "yard", "body": "to all", "inDialog": true, "from_msg_name": "the boss"}}))
	for _, p := range []*tab{alice, bob} {
		if msg, _ := p.next("verto.info")["msg"].(fields); msg["body"] != "to all" || msg["from"] != "1001@127.0.0.1" || msg["from_msg_name"] == "the boss" {
			t.Errorf("message: %v", msg)
		}
	}

	control := func(command string, id, value any) fields {
		alice.result("verto.broadcast", fields{"eventChannel": mine["modChannel"], "data": fields{
			"application": "conf-control", "command": command, "id": id, "value": value}})
		return alice.event("response to "+command, action("response"))["data"].(fields)
	}
	denied := bob.result("verto.broadcast", fields{"eventChannel": mine["modChannel"], "data": fields{"application": "conf-control", "command": "kick", "id": 1}})
	if denied["message"] != "Permission Denied." || denied["code"] != -32002.0 {
		t.Errorf("a participant's command: %v", denied)
	}
	id := his["conferenceMemberID"].(string)
	if r := control("mute", id, nil); r["conf-command"] != fmt.Sprintf("%v mute %s", mine["laName"], id) || !strings.HasPrefix(fmt.Sprint(r["response"]), "+OK") {
		t.Errorf("mute: %v", r)
	}
	status := func(want string) func(fields) bool {
		return func(e fields) bool {
			data, _ := e["data"].(fields)
			row, _ := data["data"].([]any)
			return data["action"] == "modify" && data["hashKey"] == "b" && len(row) == 7 && strings.Contains(fmt.Sprint(row[4]), want)
		}
	}
	alice.event("b is muted", status(`"muted":true`))
	control("unmute", row[0], nil)
	alice.event("b is heard", status(`"muted":false`))
	for _, c := range []struct {
		command string
		value   any
	}{{"play", "/etc/passwd"}, {"recording", []any{"start", "/tmp/x.wav"}}, {"nonsense", nil}, {"transfer", nil}} {
		if r := control(c.command, nil, c.value); r["error"] != "Invalid Command" {
			t.Errorf("%s %v: %v", c.command, c.value, r)
		}
	}
	if r := control("list-videoLayouts", nil, nil); r["response"] != "OK" || r["responseData"] == nil {
		t.Errorf("list-videoLayouts: %v", r)
	}

	// A reload: the page is told anew where its call is, and may use the channels.
	bob.ws.CloseNow()
	bob = openTab(t, b, "1001", "bob")
	bob.next("verto.attach")
	bob.result("verto.attach", about("b", fields{"sdp": description("active")}))
	again := bob.event("join after the reload", action("conference-liveArray-join"))["pvtData"].(fields)
	if again["callID"] != "b" || again["laChannel"] != his["laChannel"] {
		t.Errorf("join after the reload: %v", again)
	}
	if rows := boot(bob, again); len(rows) != 2 {
		t.Errorf("rows after the reload: %v", rows)
	}

	if r := control("transfer", id, []any{"9196"}); r["response"] != "+OK Call transferred to 9196" {
		t.Errorf("transfer: %v", r)
	}
	gone := alice.event("del", action("del"))["data"].(fields)
	if gone["hashKey"] != "b" {
		t.Errorf("del: %v", gone)
	}
	bob.event("part", action("conference-liveArray-part"))
	box.Eventually(t, patience, "the member is at 9196", func() bool { return b.API(t, c, "uuid_getvar b destination_number") == "9196" })
	if r := bob.result("verto.broadcast", fields{"eventChannel": his["chatChannel"], "data": fields{"action": "send", "message": "still here"}}); r["message"] != "Permission Denied." {
		t.Errorf("chat after the end: %v", r)
	}
	alice.result("verto.bye", about("a", nil))
	alice.event("part", action("conference-liveArray-part"))
}

// What a browser may run, and that the answer is that of the API itself.
func TestVerto_JSONAPI(t *testing.T) {
	b := vertoBox(t)
	c := b.ESL(t)
	alice := openTab(t, b, "1000", "alice")
	refused := func(method string, p fields, code float64) {
		t.Helper()
		if e, _ := alice.ask(method, p)["error"].(fields); e["code"] != code {
			t.Errorf("%s %v: %v", method, p, e)
		}
	}
	refused("jsapi", fields{"command": "status"}, -32601)
	for _, grant := range []string{"methods jsapi,fsapi", "jsapi status,fsapi,channelData,mediaStats,execute", "fsapi status,bgapi"} {
		if out := b.API(t, c, "verto perm alice "+grant); out != "+OK" {
			t.Fatalf("perm %s: %q", grant, out)
		}
	}
	status := alice.result("jsapi", fields{"command": "status", "data": fields{}})
	if status["systemStatus"] != "ready" || status["sessions"] == nil || status["uptime"] == nil {
		t.Errorf("status: %v", status)
	}
	if r := alice.result("jsapi", fields{"command": "fsapi", "data": fields{"cmd": "status"}}); !strings.HasPrefix(fmt.Sprint(r["message"]), "UP ") {
		t.Errorf("fsapi: %v", r)
	}
	refused("jsapi", fields{"command": "fsapi", "data": fields{"cmd": "bgapi", "arg": "hupall"}}, -32602)
	refused("fsapi", fields{"cmd": "bgapi", "arg": "hupall"}, -32602)
	refused("jsapi", fields{"command": "store", "data": fields{}}, -32602)

	bob := openTab(t, b, "1001", "bob")
	bob.call("his", "9196")
	bob.next("verto.answer")
	alice.call("mine", "9196")
	alice.next("verto.answer")
	for _, name := range []string{"channelData", "mediaStats", "execute"} {
		if r := alice.result("jsapi", fields{"command": name, "data": fields{"uuid": "his", "app": "hangup"}}); r["response"] != "Session does not exist" {
			t.Errorf("%s of another's call: %v", name, r)
		}
	}
	if r := alice.result("jsapi", fields{"command": "channelData", "data": fields{"uuid": "mine"}}); r["channelData"] == nil {
		t.Errorf("channelData: %v", r)
	}
	audio, _ := alice.result("jsapi", fields{"command": "mediaStats", "data": fields{"uuid": "mine"}})["audio"].(fields)
	if _, ok := audio["in_packet_count"]; !ok {
		t.Errorf("mediaStats: %v", audio)
	}
	if r := alice.result("jsapi", fields{"command": "execute", "data": fields{"uuid": "mine", "app": "hangup", "arg": "USER_BUSY"}}); r["channelName"] == nil {
		t.Errorf("execute: %v", r)
	}
	wantBye(t, alice, "mine", "USER_BUSY", 17)
	if out := b.API(t, c, "verto noperm alice methods jsapi"); out != "+OK" {
		t.Fatalf("noperm: %q", out)
	}
	refused("jsapi", fields{"command": "status"}, -32601)
	if out := b.API(t, c, "verto perm nobody methods x"); out != "-ERR" {
		t.Errorf("perm of nobody: %q", out)
	}
}
