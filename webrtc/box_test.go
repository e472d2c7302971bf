package webrtc

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/coder/websocket"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/directory"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/conf"
	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/codec"
)

// patience bounds every wait of a test.
const patience = 30 * time.Second

const testTree = `<document type="freeswitch/xml">
<section name="configuration">
 <configuration name="verto.conf"><settings><param name="detach-timeout-sec" value="60"/></settings><profiles>
  <profile name="default-v4">
   <param name="bind-local" value="127.0.0.1:8081"/>
   <param name="userauth" value="true"/>
   <param name="force-register-domain" value="test"/>
   <param name="rtp-ip" value="127.0.0.1"/>
   <param name="inbound-codec-string" value="opus,PCMU"/>
   <param name="outbound-codec-string" value="opus,PCMU"/>
  </profile></profiles></configuration>
</section>
<section name="directory"><domain name="test">
 <params><param name="jsonrpc-allowed-methods" value="verto,jsapi,fsapi"/>
 <param name="jsonrpc-allowed-event-channels" value="demo,presence"/>
 <param name="jsonrpc-allowed-fsapi" value="status eval"/><param name="jsonrpc-allowed-jsapi" value="status"/></params>
 <groups><group name="default"><users>
  <user id="1000"><params><param name="password" value="secret"/></params><variables><variable name="user_context" value="inside"/>
   <variable name="effective_caller_id_name" value="Alice"/><variable name="accountcode" value="A1"/></variables></user>
  <user id="1001"><params><param name="a1-hash" value="25daea9899cf67d22598824b1e22c4ee"/></params></user>
  <user id="1002"><params><param name="password" value="x"/><param name="jsonrpc-password" value="json"/></params></user>
  <user id="1003"><params><param name="password" value=""/></params></user>
 </users></group></groups>
</domain></section></document>`

// globals serve a test switch.
type globals struct{ *conf.Globals }

func (g globals) Each(fn func(name, value string)) {
	for _, p := range g.All() {
		fn(p.Name, p.Value)
	}
}

// numbers is a dialplan of fixed destinations.
type numbers map[string][]call.Action

func (n numbers) Hunt(_ context.Context, _ *call.Channel, p *call.Profile, _ string) (*call.Extension, bool, error) {
	actions, ok := n[p.Destination]
	return &call.Extension{Name: p.Destination, Actions: actions}, ok, nil
}

// box is a switch with a Verto server, for tests.
type box struct {
	t   *testing.T
	sw  *call.Switch
	s   *Server
	url string

	mu     sync.Mutex
	events []*event.Event
}

func testApplications() []call.Application {
	return []call.Application{
		{Name: "answer", Flags: call.NoMedia, Run: func(ctx context.Context, c *call.Channel, _ string) error { return c.Answer(ctx) }},
		{Name: "pre_answer", Flags: call.NoMedia, Run: func(ctx context.Context, c *call.Channel, _ string) error { return c.PreAnswer(ctx) }},
		{Name: "park", Flags: call.NoMedia, Run: func(ctx context.Context, c *call.Channel, _ string) error { return c.Park(ctx) }},
		{Name: "hangup", Flags: call.NoMedia, Run: func(_ context.Context, c *call.Channel, cause string) error {
			c.Hangup(call.ParseCause(cause))
			return nil
		}},
		{Name: "echo", Run: func(ctx context.Context, c *call.Channel, _ string) error {
			c.Port().Echo(true)
			defer c.Port().Echo(false)
			return c.Wait(ctx, nil, call.WaitOptions{Digit: func(d media.Digit) bool {
				c.Set("heard_digits", c.Get("heard_digits")+string(d.Char))
				return false
			}})
		}},
		{Name: "listen", Run: func(ctx context.Context, c *call.Channel, _ string) error {
			return c.Wait(ctx, nil, call.WaitOptions{Event: func(e *event.Event) bool {
				c.Set("heard_event", string(e.Type)+" "+e.Get("content-source")+" "+e.Body)
				return false
			}})
		}},
		{Name: "join", Run: func(ctx context.Context, c *call.Channel, uuid string) error {
			return c.Bridge(ctx, c.Switch().Find(uuid))
		}},
	}
}

func newBox(t *testing.T, change func(tree string) string) *box {
	t.Helper()
	tree := testTree
	if change != nil {
		tree = change(tree)
	}
	store, err := conf.NewStore(context.Background(), conf.Options{
		Base: fstest.MapFS{"freeswitch.xml": {Data: []byte(tree)}}, Globals: []conf.Pair{{Name: "domain", Value: "test"}}})
	must(t, err)
	engine := media.NewEngine(media.EngineOptions{Codecs: codec.Table()})
	ctx, stop := context.WithCancel(context.Background())
	engine.Start(ctx)
	b := &box{t: t}
	b.sw = call.NewSwitch(call.Options{Bus: event.NewBus(nil, nil), Log: call.NewLog(), Globals: globals{store.Globals()}, Media: engine})
	lines := b.sw.Log.Follow(call.LogInfo, 1000)
	t.Cleanup(func() {
		lines.Close()
		for l := range lines.Lines() {
			if t.Failed() {
				t.Log(strings.TrimSpace(l.String()))
			}
		}
	})
	b.sw.AddApplications(testApplications()...)
	b.sw.AddCommands(call.Command{Name: "status", Run: func(_ context.Context, _ *call.Switch, in *call.Invocation) error {
		in.Out.WriteString("UP")
		return nil
	}})
	b.sw.AddCommands(call.Command{Name: "json", Run: func(_ context.Context, _ *call.Switch, in *call.Invocation) error {
		in.Out.WriteString(strings.TrimSuffix(in.Args, "}") + `,"status":"success","response":{"systemStatus":"ready"}}`)
		return nil
	}})
	b.sw.AddDialplan("XML", numbers{
		"9196":  {{App: "answer"}, {App: "echo"}},
		"early": {{App: "pre_answer"}, {App: "answer"}, {App: "echo"}},
		"park":  {{App: "answer"}, {App: "park"}},
		"busy":  {{App: "hangup", Data: "USER_BUSY"}},
		"wait":  {{App: "park"}},
		"hears": {{App: "answer"}, {App: "listen"}},
	})
	access := directory.NewAccessLists(store)
	access.Rebuild(ctx)
	b.s, err = New(Options{Switch: b.sw, Store: store, Directory: directory.New(store), Access: access, UDPPort: -1,
		Listen: listenLoopback})
	must(t, err)
	b.sw.AddCommands(b.s.Commands()...)
	for name, e := range b.s.Endpoints() {
		b.sw.AddEndpoint(name, e)
	}
	b.sw.Bus.Handle(event.All, "", func(e *event.Event) {
		b.mu.Lock()
		b.events = append(b.events, e)
		b.mu.Unlock()
	})
	must(t, b.s.Start(ctx))
	web := httptest.NewServer(b.s)
	b.url = "ws" + strings.TrimPrefix(web.URL, "http") + "/verto"
	t.Cleanup(func() {
		b.s.Close()
		web.Close()
		end, done := context.WithTimeout(context.Background(), patience)
		defer done()
		if err := b.sw.Stop(end); err != nil {
			t.Error(err)
		}
		b.sw.Bus.Close()
		stop()
		engine.Close()
	})
	return b
}

// until waits for a condition.
func until(t *testing.T, what string, fn func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !fn() {
		select {
		case <-deadline.C:
			t.Fatalf("waited in vain for %s", what)
		case <-tick.C:
		}
	}
}

// page is a Verto client.
type page struct {
	t    *testing.T
	ws   *websocket.Conn
	id   int
	mu   sync.Mutex
	wait map[string]chan map[string]any
	in   chan map[string]any // requests of the server
	end  chan error
}

func (b *box) open() *page {
	b.t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	ws, _, err := websocket.Dial(ctx, b.url, nil)
	must(b.t, err)
	ws.SetReadLimit(1 << 20)
	p := &page{t: b.t, ws: ws, wait: map[string]chan map[string]any{}, in: make(chan map[string]any, 100), end: make(chan error, 1)}
	b.t.Cleanup(func() { ws.CloseNow() })
	go p.read()
	return p
}

func (p *page) read() {
	for {
		_, data, err := p.ws.Read(context.Background())
		if err != nil {
			p.end <- err
			return
		}
		var m map[string]any
		if json.Unmarshal(data, &m) != nil {
			m = map[string]any{"raw": string(data)}
		}
		if _, ok := m["method"]; ok {
			p.in <- m
			continue
		}
		key := fmt.Sprint(m["id"])
		p.mu.Lock()
		ch := p.wait[key]
		delete(p.wait, key)
		p.mu.Unlock()
		if ch != nil {
			ch <- m
		} else {
			p.in <- m
		}
	}
}

func (p *page) write(text string) {
	p.t.Helper()
	must(p.t, p.ws.Write(context.Background(), websocket.MessageText, []byte(text)))
}

type fields = map[string]any

// ask sends a request and returns its reply.
func (p *page) ask(method string, params any) map[string]any {
	p.t.Helper()
	p.mu.Lock()
	p.id++
	id := p.id
	ch := make(chan map[string]any, 1)
	p.wait[fmt.Sprint(id)] = ch
	p.mu.Unlock()
	m := fields{"jsonrpc": "2.0", "id": id, "method": method}
	if params != nil {
		m["params"] = params
	}
	data, err := json.Marshal(m)
	must(p.t, err)
	p.write(string(data))
	select {
	case m := <-ch:
		return m
	case <-time.After(patience):
		p.t.Fatalf("no reply to %s", method)
		return nil
	}
}

// result asks and wants success.
func (p *page) result(method string, params any) map[string]any {
	p.t.Helper()
	m := p.ask(method, params)
	r, ok := m["result"].(map[string]any)
	if !ok {
		p.t.Fatalf("%s: %v", method, m)
	}
	return r
}

// refused asks and wants an error with that message.
func (p *page) refused(method string, params any, text string) map[string]any {
	p.t.Helper()
	m := p.ask(method, params)
	e, ok := m["error"].(map[string]any)
	if !ok || e["message"] != text {
		p.t.Fatalf("%s: got %v, want error %q", method, m, text)
	}
	return e
}

// next waits for a request of the server with that method.
func (p *page) next(method string) map[string]any {
	p.t.Helper()
	deadline := time.After(patience)
	for {
		var m map[string]any
		select {
		case m = <-p.in: // what came before the end counts
		default:
			select {
			case m = <-p.in:
			case err := <-p.end:
				p.end <- err
				if len(p.in) == 0 {
					p.t.Fatalf("waiting for %s: %v", method, err)
				}
			case <-deadline:
				p.t.Fatalf("no %s", method)
			}
		}
		if m["method"] == method {
			params, _ := m["params"].(map[string]any)
			return params
		}
	}
}

// message waits for whatever comes next.
func (p *page) message() map[string]any {
	p.t.Helper()
	select {
	case m := <-p.in:
		return m
	case <-time.After(patience):
		p.t.Fatal("nothing came")
		return nil
	}
}

// closed waits until the server has closed the socket, and returns the code.
func (p *page) closed() websocket.StatusCode {
	p.t.Helper()
	select {
	case err := <-p.end:
		return websocket.CloseStatus(err)
	case <-time.After(patience):
		p.t.Fatal("the socket stays open")
		return 0
	}
}

// login opens a page and logs in.
func (b *box) login(user, password, sessid string) *page {
	b.t.Helper()
	p := b.open()
	p.result("login", fields{"login": user, "passwd": password, "sessid": sessid})
	return p
}

func about(id, to string) fields {
	return fields{"callID": id, "destination_number": to, "caller_id_name": "Mallory", "caller_id_number": "911"}
}
