package calls

import (
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/switchlet/switchlet/test/box"
	"github.com/switchlet/switchlet/test/phone"
)

// text is the next message that a phone gets.
func text(t *testing.T, p *phone.Phone) *sip.Request {
	t.Helper()
	limit := time.After(patience)
	for {
		select {
		case m := <-p.Messages():
			if m.Method == sip.MESSAGE {
				return m
			}
		case <-limit:
			t.Fatal("no message came")
		}
	}
}

func write(t *testing.T, p *phone.Phone, to, body string) {
	t.Helper()
	res, err := p.Send(sip.MESSAGE, "sip:"+to+"@127.0.0.1", "text/plain", body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != 202 {
		t.Fatalf("MESSAGE to %s: %d %s", to, res.StatusCode, res.Reason)
	}
}

const orders = `<include>
<context name="default">
<extension name="orders"><condition field="to_user" expression="^7000$">
 <action application="lua" data="orders.lua ${from_user} 'two words'"/>
 <action application="reply" data="${answer}"/>
 <action application="final"/>
</condition></extension>
<extension name="forward"><condition field="to_user" expression="^7001$">
 <action application="lua" data="forward.lua"/>
</condition></extension>
</context>
</include>`

// A text message is answered by a Lua script of the chatplan, which keeps count in a
// database; another script sends it on; the rest goes to whom it is for.
func TestMessages_ChatplanRunsScripts(t *testing.T) {
	b := box.Start(t, box.Setup{
		Files: map[string]string{"chatplan/default.xml": orders},
		Scripts: map[string]string{
			"orders.lua": `local db = freeswitch.Dbh("sqlite://orders")
				db:test_reactive("SELECT * FROM orders", "", "CREATE TABLE orders (who TEXT, what TEXT)")
				db:query("INSERT INTO orders VALUES ('" .. message:getHeader("from_user") .. "', '" .. message:getBody() .. "')")
				local n
				db:query("SELECT COUNT(*) AS n FROM orders", function(row) n = row.n end)
				db:release()
				message:addHeader("answer", argv[1] .. " " .. argv[2] .. ": order " .. n .. " of " .. tostring(session) .. ", " .. message:getType())`,
			"forward.lua": `local user = message:getHeader("to_user")
				message:chat_execute("set", "to=1001@127.0.0.1")
				message:addBody("for " .. user .. ": " .. message:getBody())
				message:addHeader("result", message:chat_execute("nosuch", ""))
				local copy = freeswitch.Event("MESSAGE")
				copy:addHeader("proto", "global") copy:addHeader("dest_proto", "sip")
				copy:addHeader("from", "7001@127.0.0.1") copy:addHeader("to", message:getHeader("from"))
				copy:addBody("sent on, " .. message:getHeader("result"))
				copy:chat_send()`,
		},
	})
	alice, bob := desk(t, b, "1000"), desk(t, b, "1001")
	register(t, alice)
	register(t, bob)
	for _, want := range []string{"1000 two words: order 1 of nil, MESSAGE", "1000 two words: order 2 of nil, MESSAGE"} {
		write(t, alice, "7000", "a pizza")
		if m := text(t, alice); string(m.Body()) != want || m.From().Address.User != "7000" {
			t.Errorf("the answer is %q from %s, want %q", m.Body(), m.From().Value(), want)
		}
	}
	write(t, alice, "7001", "hello")
	if m := text(t, bob); string(m.Body()) != "for 7001: hello" || m.From().Address.User != "1000" {
		t.Errorf("1001 gets %q from %s", m.Body(), m.From().Value())
	}
	if m := text(t, alice); string(m.Body()) != "sent on, 1" {
		t.Errorf("1000 gets %q", m.Body())
	}
	write(t, alice, "1001", "straight")
	if m := text(t, bob); string(m.Body()) != "straight" {
		t.Errorf("1001 gets %q", m.Body())
	}
	c := b.ESL(t)
	if out := b.API(t, c, "chat sip|office@127.0.0.1|1001@127.0.0.1|from the office"); out != "Sent" {
		t.Errorf("chat: %q", out)
	}
	if m := text(t, bob); string(m.Body()) != "from the office" || m.From().Address.User != "office" {
		t.Errorf("1001 gets %q from %s", m.Body(), m.From().Value())
	}
	if out := b.API(t, c, "chat sip|office@127.0.0.1|1009@127.0.0.1|nobody"); out != "Error! Message Not Sent" {
		t.Errorf("chat to nobody: %q", out)
	}
}

// The built-in tree answers texts to the number of the echo test.
func TestMessages_EchoOfTheBuiltInTree(t *testing.T) {
	b := box.Start(t, box.Setup{})
	alice := desk(t, b, "1000")
	register(t, alice)
	write(t, alice, "9196", "${status} & ${hupall()}")
	if m := text(t, alice); string(m.Body()) != "Hello, you said: ${status} & ${hupall()}" {
		t.Errorf("the answer is %q", m.Body())
	}
}

// The lamp of a registered phone is switched by a script, as the guides to Lua have it:
// the built-in tree, its domain, nothing configured.
func TestMessageWaiting_ScriptSwitchesTheLamp(t *testing.T) {
	b := box.Start(t, box.Setup{Scripts: map[string]string{"lamp.lua": `local event = freeswitch.Event("message_waiting");
event:addHeader("MWI-Messages-Waiting", argv[1]);
event:addHeader("MWI-Message-Account", "sip:1000@" .. freeswitch.getGlobalVariable("domain"));
event:addHeader("Sofia-Profile", "internal");
event:fire();`}})
	p := desk(t, b, "1000")
	register(t, p)
	c := b.ESL(t)
	for _, state := range []string{"yes", "no"} {
		b.API(t, c, "luarun lamp.lua "+state)
		limit := time.After(patience)
		for lit := false; !lit; {
			select {
			case m := <-p.Messages():
				lit = m.Method == sip.NOTIFY && strings.HasPrefix(string(m.Body()), "Messages-Waiting: "+state+"\r\n")
			case <-limit:
				t.Fatalf("no NOTIFY says %s", state)
			}
		}
	}
}
