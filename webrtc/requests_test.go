package webrtc

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
)

// A page is asked to enter something, and what it enters comes to the call.
func TestLeg_Prompts(t *testing.T) {
	b := newBox(t, nil)
	p := b.login("1000", "secret", "s1")
	c, _ := b.dials(p, "c1", "9196")
	leg := c.Leg().(interface {
		call.Prompter
		call.Constrainer
	})
	ctx := context.Background()
	must(t, leg.Prompt(ctx, "dtmf", "Your PIN?", `^\d{4}$`))
	if m := p.next("verto.prompt"); m["callID"] != "c1" || m["type"] != "dtmf" || m["text"] != "Your PIN?" || m["regex"] != `^\d{4}$` || len(m) != 4 {
		t.Errorf("prompt: %v", m)
	}
	p.result("verto.info", fields{"dtmf": "1234", "dialogParams": fields{"callID": "c1"}})
	until(t, "the digits", func() bool { return c.Get("heard_digits") == "1234" })
	must(t, leg.Prompt(ctx, "Message", "Your name?", ""))
	if m := p.next("verto.prompt"); m["type"] != "Message" || len(m) != 3 {
		t.Errorf("prompt: %v", m)
	}
	if err := leg.Prompt(ctx, "picture", "Your face?", ""); err == nil {
		t.Error("a picture can be asked for")
	}
	must(t, leg.MediaParams(ctx, json.RawMessage(`{"audio":{"noiseSuppression":false}}`)))
	if m := p.next("verto.mediaParams"); m["callID"] != "c1" || m["mediaParams"].(map[string]any)["audio"].(map[string]any)["noiseSuppression"] != false {
		t.Errorf("constraints: %v", m)
	}
	p.ws.CloseNow()
	until(t, "the end of the page", func() bool { return leg.Prompt(ctx, "dtmf", "x", "") == call.ErrNoLeg })
}

// A message that answers a prompt comes to what runs on the call.
func TestLeg_AnswerToAPrompt(t *testing.T) {
	b := newBox(t, nil)
	p := b.login("1000", "secret", "s1")
	c, _ := b.dials(p, "c1", "hears")
	must(t, c.Leg().(call.Prompter).Prompt(context.Background(), "message", "Your name?", ""))
	p.next("verto.prompt")
	p.result("verto.info", fields{"msg": fields{"to": "1000", "body": "Alice", "inDialog": true}, "dialogParams": fields{"callID": "c1"}})
	until(t, "the answer", func() bool { return c.Get("heard_event") == "MESSAGE  Alice" })
}

// withText has the test's profile speak real-time text.
func withText(tree string) string {
	return strings.Replace(tree, `<param name="userauth"`, `<param name="enable-text" value="true"/><param name="userauth"`, 1)
}

// What one page types the page that it talks with sees at once.
func TestLeg_RealTimeText(t *testing.T) {
	b := newBox(t, withText)
	alice, bob := b.login("1000", "secret", "s1"), b.login("1002", "json", "s2")
	b.dials(alice, "a", "park")
	c, _ := b.dials(bob, "b", "park")
	type_ := func(txt any) {
		t.Helper()
		if r := alice.result("verto.info", fields{"txt": txt, "dialogParams": fields{"callID": "a"}}); len(r) != 1 {
			t.Errorf("%v", r)
		}
	}
	type_(fields{"chars": "lost"}) // nobody is there
	must(t, c.BridgeWith(b.sw.Find("a")))
	until(t, "the bridge", func() bool { return c.Partner() != nil && b.sw.Find("a").Partner() != nil })
	for _, txt := range []any{fields{"chars": "h\né"}, fields{"chars": 105}, fields{"code": 33}, fields{"code": 0}, fields{"code": -1}, fields{"code": 0xd800},
		fields{"chars": true}, fields{}, "x", fields{"chars": strings.Repeat("é", maxText)}, fields{"code": 10}} {
		type_(txt)
	}
	for _, want := range []string{"h\né", "i", "!", strings.Repeat("é", maxText/2), "\n"} {
		m := bob.next("verto.info")
		if txt, _ := m["txt"].(map[string]any); m["callID"] != "b" || len(m) != 2 || txt["chars"] != want {
			t.Errorf("%v, want %q", m, want)
		}
	}
	e := event.New(event.Text, "")
	e.SetBody("from a program\r\n")
	must(t, c.Leg().(call.Messenger).Message(context.Background(), e))
	if txt, _ := bob.next("verto.info")["txt"].(map[string]any); txt["chars"] != "from a program\r\n" {
		t.Errorf("uuid_send_text: %v", txt)
	}
}

// Without enable-text what a page types goes nowhere.
func TestLeg_NoRealTimeText(t *testing.T) {
	b := newBox(t, nil)
	alice, bob := b.login("1000", "secret", "s1"), b.login("1002", "json", "s2")
	b.dials(alice, "a", "park")
	c, _ := b.dials(bob, "b", "park")
	must(t, c.BridgeWith(b.sw.Find("a")))
	until(t, "the bridge", func() bool { return c.Partner() != nil && b.sw.Find("a").Partner() != nil })
	alice.result("verto.info", fields{"txt": fields{"chars": "x"}, "dialogParams": fields{"callID": "a"}})
	must(t, c.Leg().(call.Prompter).Prompt(context.Background(), "dtmf", "last", ""))
	for m := bob.message(); m["method"] != "verto.prompt"; m = bob.message() {
		if m["method"] == "verto.info" {
			t.Errorf("%v", m)
		}
	}
}

// In the JSON API store a page has the objects of its own calls, and those by name.
func TestJSAPI_StoreIsForOwnCalls(t *testing.T) {
	b := newBox(t, allowing("status", "store"))
	p, other := b.login("1000", "secret", "s1"), b.login("1002", "json", "s2")
	b.dials(p, "mine", "park")
	b.dials(other, "theirs", "park")
	store := func(data fields) map[string]any { return p.result("jsapi", fields{"command": "store", "data": data}) }
	for _, data := range []fields{{"uuid": "theirs"}, {"UUID": "theirs"}, {"Uuid": "mine"}, {"uuid": ""}, {"uuid": 1}, {"uuid": nil}} {
		data["cmd"] = "dump"
		if r := store(data); r["errorMessage"] != "Invalid INPUT, Missing UUID" {
			t.Errorf("%v: %v", data, r)
		}
	}
	store(fields{"cmd": "dump", "uuid": "mine", "UUID": "theirs"})
	store(fields{"cmd": "dump", "storeName": "news"})
	until(t, "both requests", func() bool { return len(b.ran()) == 2 })
	for i, want := range []string{`"uuid":"mine"`, `"storeName":"news"`} {
		if line := b.ran()[i]; !strings.Contains(line, want) || strings.Contains(line, "theirs") {
			t.Errorf("ran %s, want %s", line, want)
		}
	}
	other.refused("jsapi", fields{"command": "status"}, "Permission Denied")
}

// What a program writes as JSON may be no UTF-8; what a browser gets is.
func TestMessage_IsUTF8(t *testing.T) {
	for text, want := range map[string]string{`{"a":"é<"}`: `{"a":"é`, "{\"a\":\"\xffx\xc3\"}": `{"a":"` + "\ufffdx\ufffd" + `"}`} {
		if got, err := message(object{{"v", json.RawMessage(text)}}); err != nil || !utf8.Valid(got) || !strings.Contains(string(got), want) {
			t.Errorf("%q became %q, %v", text, got, err)
		}
	}
}
