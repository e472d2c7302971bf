package chat

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/call/regex"
	"github.com/switchlet/switchlet/conf"
	"github.com/switchlet/switchlet/media"
)

type globals struct{ *conf.Globals }

func (g globals) Each(fn func(name, value string)) {
	for _, p := range g.All() {
		fn(p.Name, p.Value)
	}
}

// post is a switch with a chatplan and one protocol, "sip", that keeps what it gets.
type post struct {
	t    *testing.T
	sw   *call.Switch
	r    *Router
	sub  *event.Subscription
	log  *call.LogFollower
	mu   sync.Mutex // of sent: senders have lanes of their own
	sent []*event.Event
	ran  []string // commands
	fail error    // of the protocol
}

// inPost runs fn in virtual time with a switch whose context default has the given
// extensions.
func inPost(t *testing.T, extensions string, fn func(p *post)) {
	t.Helper()
	tree := t.TempDir()
	text := `<document type="freeswitch/xml"><section name="chatplan"><context name="default">` + extensions + `</context></section></document>`
	if err := os.WriteFile(filepath.Join(tree, "freeswitch.xml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		store, err := conf.NewStore(t.Context(), conf.Options{Base: os.DirFS(tree), BaseDir: tree, Globals: []conf.Pair{{Name: "city", Value: "Bern"}}})
		if err != nil {
			t.Fatal(err)
		}
		p := &post{t: t}
		log := call.NewLog()
		p.log = log.Follow(call.LogDebug, 1000)
		p.sw = call.NewSwitch(call.Options{Bus: event.NewBus(nil, nil), Log: log, Globals: globals{store.Globals()}, Media: media.NewEngine(media.EngineOptions{})})
		p.sw.AddCommands(call.Command{Name: "spy", Run: func(_ context.Context, _ *call.Switch, in *call.Invocation) error {
			p.ran = append(p.ran, in.Args)
			in.Out.WriteString("seen")
			return nil
		}})
		p.r = New(Options{Switch: p.sw, Store: store, Regex: regex.NewCache(16)})
		p.r.AddProtocol("sip", func(_ context.Context, e *event.Event) error {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.sent = append(p.sent, e.Clone())
			return p.fail
		})
		p.sub = p.sw.Bus.Subscribe("test", 1000)
		p.sub.Listen(event.Message)
		p.sub.Listen(event.RecvMessage)
		p.sw.Start()
		fn(p)
		if err := p.sw.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// text is a message as a phone sends it.
func text(body string, headers ...string) *event.Event {
	e := event.New(event.Message, "")
	for _, h := range append([]string{"proto=sip", "dest_proto=sip", "from=1000@here", "from_user=1000", "from_host=here", "from_sip_ip=192.0.2.7",
		"to=1001@here", "to_user=1001", "to_host=here", "to_proto=sip", "type=text/plain", "context=default"}, headers...) {
		name, value, _ := strings.Cut(h, "=")
		e.Set(name, value)
	}
	e.SetBody(body)
	return e
}

func (p *post) send(e *event.Event) {
	p.t.Helper()
	if err := p.r.Send(e); err != nil {
		p.t.Fatal(err)
	}
	synctest.Wait()
}

// deliveries are what the protocol got: "from>to: text".
func (p *post) deliveries() string {
	synctest.Wait()
	var out []string
	for _, e := range p.sent {
		out = append(out, e.Get("from")+">"+e.Get("to")+": "+e.Body)
	}
	return strings.Join(out, " | ")
}

func (p *post) events() []*event.Event {
	var out []*event.Event
	for {
		select {
		case e := <-p.sub.C():
			out = append(out, e)
		default:
			return out
		}
	}
}

func (p *post) lines() string {
	var out []string
	for {
		select {
		case l := <-p.log.Lines():
			out = append(out, l.Level.String()+" "+strings.TrimRight(l.Text, "\n"))
		default:
			return strings.Join(out, "\n")
		}
	}
}

func when(field, expression, actions string) string {
	return fmt.Sprintf(`<extension name="x"><condition field="%s" expression="%s">%s</condition></extension>`, field, expression, actions)
}

func action(app, data string) string {
	return fmt.Sprintf(`<action application="%s" data="%s"/>`, app, data)
}

func TestChatplan_WhatBecomesOfAMessage(t *testing.T) {
	for _, c := range []struct{ name, plan, body, want string }{
		{"without a plan it is delivered", "", "hi", "1000@here>1001@here: hi"},
		{"no extension matches", when("to_user", "^9$", action("final", "")), "hi", "1000@here>1001@here: hi"},
		{"a reply, and the delivery", when("to", "^(.*)@", action("reply", "you wrote ${body} to $1")), "hi",
			"1000@here>1001@here: hi | 1001@here>1000@here: you wrote hi to 1001"},
		{"_body is the text, too", when("_body", "^hi$", action("reply", "${_body}!")+action("final", "")), "hi", "1001@here>1000@here: hi!"},
		{"final keeps it", when("to_user", "^1001$", action("final", "")), "hi", ""},
		{"nothing runs after final", when("to_user", "^1001$", action("final", "")+action("reply", "no")), "hi", ""},
		{"stop only ends the plan", when("to_user", "^1001$", action("stop", "")+action("reply", "no")), "hi", "1000@here>1001@here: hi"},
		{"set sends it elsewhere", when("to_user", "^1001$", action("set", "to=1002@${city}")), "hi", "1000@here>1002@Bern: hi"},
		{"set changes the text", when("to_user", "^1001$", action("set", "_body=${body} (from ${from_user})")), "hi", "1000@here>1001@here: hi (from 1000)"},
		{"unset", when("to_user", "^1001$", action("unset", "from_user")+action("reply", "[${from_user}]")+action("final", "")), "hi", "1001@here>1000@here: []"},
		{"send is not doubled", when("to_user", "^1001$", action("send", "")), "hi", "1000@here>1001@here: hi"},
		{"anti-action", `<extension name="x"><condition field="body" expression="^please"><action application="info"/><anti-action application="final"/></condition></extension>`,
			"hi", ""},
		{"inline", when("to_user", "^1001$", `<action application="set" data="to=1003@here" inline="true"/>`) + when("to", "^1003", action("final", "")),
			"hi", "1000@here>1003@here: hi"},
		{"continue", `<extension name="a" continue="true"><condition><action application="set" data="to=1003@here" inline="true"/></condition></extension>` +
			when("to", "^1003", action("reply", "both")+action("final", "")), "hi", "1003@here>1000@here: both"},
		{"a command", when("to_user", "^1001$", action("reply", "${spy(${from_user})}")+action("final", "")), "hi", "1001@here>1000@here: seen"},
		{"an unknown application ends the plan", when("to_user", "^1001$", action("nosuch", "")+action("final", "")), "hi", "1000@here>1001@here: hi"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inPost(t, c.plan, func(p *post) {
				p.send(text(c.body))
				// A reply is of another sender, and may be there first.
				got := strings.Split(p.deliveries(), " | ")
				slices.Sort(got)
				if got := strings.Join(got, " | "); got != c.want {
					t.Errorf("delivered %q, want %q\n%s", got, c.want, p.lines())
				}
			})
		})
	}
}

// What a stranger writes is never expanded: neither where an action names it, nor
// where an expression has captured it, nor in a condition.
func TestChatplan_WhatAMessageSaysIsOnlyText(t *testing.T) {
	const nasty = `${spy(pwned)} $${city} $1 \${spy(x)} back\slash`
	plan := `<extension name="x"><condition field="${body}" expression="^(.*)$"><action application="set" data="kept=${body}"/>` +
		`<action application="set" data="caught=$1" inline="true"/><action application="reply" data="$1|${body}|${kept}|${caught}|${DP_MATCH[1]}"/><action application="final"/></condition></extension>`
	inPost(t, plan, func(p *post) {
		p.send(text(nasty, "from=${spy(name)}@here"))
		want := "1001@here>${spy(name)}@here: " + strings.Join([]string{nasty, nasty, nasty, nasty, nasty}, "|")
		if got := p.deliveries(); got != want {
			t.Errorf("delivered\n%q, want\n%q\n%s", got, want, p.lines())
		}
		if len(p.ran) > 0 {
			t.Errorf("commands ran: %q", p.ran)
		}
	})
}

func TestReply_HeadersChangePlaces(t *testing.T) {
	inPost(t, when("to", ".", action("reply", "yes")+action("final", "")), func(p *post) {
		p.send(text("hi"))
		if len(p.sent) != 1 {
			t.Fatalf("%d messages", len(p.sent))
		}
		for name, want := range map[string]string{"proto": "GLOBAL_SMS", "dest_proto": "sip", "replying": "true", "orig_body": "hi", "to": "1000@here",
			"from": "1001@here", "to_user": "1000", "from_user": "1001", "to_sip_ip": "192.0.2.7", "from_sip_ip": "", "from_proto": "sip", noExecute: ""} {
			if got := p.sent[0].Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
	})
}

func TestMessages_ToldAsEvents(t *testing.T) {
	inPost(t, "", func(p *post) {
		p.send(text("one"))
		p.fail = errors.New("nobody")
		e := text("two")
		if err := p.r.Deliver(t.Context(), e); !errors.Is(err, p.fail) {
			t.Errorf("Deliver: %v", err)
		}
		p.fail = nil
		if err := p.r.Deliver(t.Context(), text("three")); err != nil {
			t.Error(err)
		}
		if err := p.r.Deliver(t.Context(), text("four", "dest_proto=event")); err != nil {
			t.Error(err)
		}
		if err := p.r.Deliver(t.Context(), text("five", "dest_proto=pigeon")); !errors.Is(err, ErrNoProtocol) {
			t.Errorf("by pigeon: %v", err)
		}
		var got []string
		for _, e := range p.events() {
			got = append(got, fmt.Sprintf("%s %s failure=%s nonblocking=%s", e.Type, e.Body, e.Get("Delivery-Failure"), e.Get("Nonblocking-Delivery")))
		}
		want := "MESSAGE one failure= nonblocking=true; MESSAGE two failure=true nonblocking=; MESSAGE three failure=false nonblocking=; " +
			"RECV_MESSAGE four failure= nonblocking=; MESSAGE four failure=false nonblocking=; MESSAGE five failure=true nonblocking="
		if text := strings.Join(got, "; "); text != want {
			t.Errorf("got  %s\nwant %s", text, want)
		}
	})
}

func TestChatplan_IsPassedBy(t *testing.T) {
	inPost(t, when("to", ".", action("final", "")), func(p *post) {
		for _, h := range []string{"replying=true", "skip_global_process=true", "proto=global"} {
			p.send(text(h, h))
		}
		if len(p.sent) != 3 {
			t.Errorf("delivered %s", p.deliveries())
		}
		on := false
		p.r.opts.Enabled = func() bool { return on }
		p.send(text("off"))
		on = true
		p.send(text("on"))
		if len(p.sent) != 4 || p.sent[3].Body != "off" {
			t.Errorf("delivered %s", p.deliveries())
		}
	})
}

// A chatplan that sends a message to itself ends.
func TestChatplan_LoopsEnd(t *testing.T) {
	inPost(t, when("to", ".", action("again", "")+action("final", "")), func(p *post) {
		runs := 0
		p.r.AddApplications(Application{Name: "again", Run: func(_ context.Context, e *event.Event, _ string) error {
			runs++
			return p.r.Send(e.Clone())
		}})
		p.send(text("hi"))
		if runs != maxHops-1 && runs != maxHops {
			t.Errorf("the plan ran %d times", runs)
		}
		if log := p.lines(); !strings.Contains(log, "Max forwards reached") {
			t.Error("nothing in the log")
		}
	})
}

func TestSend_OrderOfASender_AndBounds(t *testing.T) {
	inPost(t, "", func(p *post) {
		hold := make(chan struct{})
		p.r.AddProtocol("slow", func(context.Context, *event.Event) error { <-hold; return nil })
		p.send(text("first", "dest_proto=slow"))
		want := "1000@here>1001@here: 0"
		for i := range laneSize {
			if err := p.r.Send(text(fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
			if i > 0 {
				want += fmt.Sprintf(" | 1000@here>1001@here: %d", i)
			}
		}
		if err := p.r.Send(text("too many")); !errors.Is(err, ErrFull) {
			t.Errorf("a full lane: %v", err)
		}
		if err := p.r.Send(text(strings.Repeat("x", maxBody+1))); !errors.Is(err, ErrLong) {
			t.Errorf("a long text: %v", err)
		}
		close(hold)
		if got := p.deliveries(); got != want {
			t.Errorf("delivered %s", got)
		}
	})
}

// A message that brings an application down takes no other message along.
func TestSend_AfterAPanic(t *testing.T) {
	inPost(t, when("body", "^bad$", action("break", "")), func(p *post) {
		p.r.AddApplications(Application{Name: "break", Run: func(context.Context, *event.Event, string) error { panic("broken") }})
		p.send(text("bad"))
		p.send(text("good"))
		if got := p.deliveries(); got != "1000@here>1001@here: good" {
			t.Errorf("delivered %s", got)
		}
	})
}

func TestListen_EventSocketClientsSend(t *testing.T) {
	inPost(t, when("to", ".", action("final", "")), func(p *post) {
		stop := p.r.Listen()
		e := event.New(event.Custom, "SMS::SEND_MESSAGE")
		for _, h := range []string{"dest_proto=sip", "from=office@here", "to=1000@here", "type=text/plain"} {
			name, value, _ := strings.Cut(h, "=")
			e.Add(name, value)
		}
		e.SetBody("come")
		p.sw.Bus.Publish(e, "x.c", "x", 1)
		if got := p.deliveries(); got != "office@here>1000@here: come" {
			t.Errorf("delivered %q", got)
		}
		stop()
		time.Sleep(time.Second)
	})
}

func TestSystem_OnlyWhereAllowed(t *testing.T) {
	inPost(t, when("to", ".", action("system", "true")+action("final", "")), func(p *post) {
		p.send(text("hi"))
		if log := p.lines(); !strings.Contains(log, "allow_shell") || len(p.sent) != 1 {
			t.Errorf("log %s", log)
		}
	})
}
