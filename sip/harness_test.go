package sip

import (
	"context"
	"database/sql"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/apps"
	"github.com/switchlet/switchlet/call/chat"
	"github.com/switchlet/switchlet/call/dialplan"
	"github.com/switchlet/switchlet/call/directory"
	endpoints "github.com/switchlet/switchlet/call/endpoint"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/call/kv"
	"github.com/switchlet/switchlet/call/regex"
	"github.com/switchlet/switchlet/conf"
	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/codec"
	"github.com/switchlet/switchlet/media/resample"
	"github.com/switchlet/switchlet/media/rtp"
	sources "github.com/switchlet/switchlet/media/stream"
	"github.com/switchlet/switchlet/test/phone"
)

// patience bounds every wait of a test.
const patience = 30 * time.Second

const treeText = `<document type="freeswitch/xml">
<section name="configuration">
 <configuration name="sofia.conf"><profiles>
  <profile name="internal"><aliases><alias name="inside"/></aliases>
   <gateways>%s</gateways>
   <domains><domain name="all" alias="true" parse="false"/></domains>
   <settings>
    <param name="sip-ip" value="127.0.0.1"/><param name="rtp-ip" value="127.0.0.1"/><param name="sip-port" value="auto"/>
    <param name="context" value="public"/><param name="auth-calls" value="true"/>
    <param name="inbound-codec-prefs" value="OPUS,G722,PCMU,PCMA"/><param name="outbound-codec-prefs" value="OPUS,G722,PCMU,PCMA"/>
    <param name="inbound-late-negotiation" value="true"/><param name="force-register-domain" value="test.local"/>
    <param name="force-register-db-domain" value="test.local"/><param name="challenge-realm" value="auto_from"/>
    <param name="inbound-reg-force-matching-username" value="true"/>
    %s
   </settings></profile>
 </profiles></configuration>
 <configuration name="acl.conf"><network-lists/></configuration>
</section>
<section name="directory"><domain name="test.local">
  <params><param name="dial-string" value="sofia/internal/${dialed_user}%%test.local"/></params>
  <variables><variable name="user_context" value="default"/></variables>
  <groups><group name="default"><users>
   <user id="1000"><params><param name="password" value="secret"/></params><variables><variable name="accountcode" value="1000"/></variables></user>
   <user id="1001"><params><param name="password" value="secret"/></params></user>
   <user id="1002"><params><param name="a1-hash" value="%s"/></params></user>
  </users></group></groups>
</domain></section>
<section name="chatplan"><context name="default">%s</context></section>
<section name="dialplan"><context name="default">%s</context><context name="public"><extension name="none"/></context></section>
</document>`

const plan = `
<extension name="echo"><condition field="destination_number" expression="^9196$"><action application="answer"/><action application="echo"/></condition></extension>
<extension name="park"><condition field="destination_number" expression="^5900$"><action application="answer"/><action application="park"/></condition></extension>
<extension name="ring"><condition field="destination_number" expression="^5901$"><action application="ring_ready"/><action application="sleep" data="60000"/></condition></extension>
<extension name="early"><condition field="destination_number" expression="^5902$"><action application="pre_answer"/><action application="sleep" data="60000"/></condition></extension>
<extension name="tone"><condition field="destination_number" expression="^9198$"><action application="answer"/><action application="playback" data="tone_stream://%(10000,0,440);loops=-1"/></condition></extension>
<extension name="respond"><condition field="destination_number" expression="^respond(\d+)$"><action application="respond" data="$1 As You Like"/></condition></extension>
<extension name="redirect"><condition field="destination_number" expression="^redirect$"><action application="redirect" data="sip:elsewhere@192.0.2.1"/></condition></extension>
<extension name="busy"><condition field="destination_number" expression="^busy$"><action application="hangup" data="USER_BUSY"/></condition></extension>
<extension name="call"><condition field="destination_number" expression="^(100\d)$"><action application="set" data="hangup_after_bridge=true"/><action application="bridge" data="user/$1@test.local"/></condition></extension>
<extension name="port"><condition field="destination_number" expression="^77(\d+)$"><action application="set" data="hangup_after_bridge=true"/><action application="bridge" data="sofia/internal/bob@127.0.0.1:$1"/></condition></extension>
<extension name="gw"><condition field="destination_number" expression="^gw(\d+)$"><action application="bridge" data="sofia/gateway/carrier/$1"/></condition></extension>
`

// house is a Switch with a Stack on loopback.
type house struct {
	t     testing.TB
	sw    *call.Switch
	stack *Stack
	bus   *event.Bus
	sub   *event.Subscription

	mu     sync.Mutex
	events []*event.Event
	signal chan struct{}
	done   chan struct{}
}

type houseOptions struct {
	params   string // added to the profile
	gateways string
	plan     string // added to the dialplan
	chatplan string // extensions
	db       *sql.DB
	limits   Limits
	quiet    bool // nobody listens to events
}

func newHouse(t testing.TB, o houseOptions) *house {
	t.Helper()
	hash := sum(hashes("MD5"), "1002", "test.local", "hashed")
	text := fmt.Sprintf(treeText, o.gateways, o.params, hash, o.chatplan, plan+o.plan)
	store, err := conf.NewStore(t.Context(), conf.Options{Base: fstest.MapFS{"freeswitch.xml": {Data: []byte(text)}},
		Globals: []conf.Pair{{Name: "domain", Value: "test.local"}, {Name: "local_ip_v4", Value: "127.0.0.1"}}})
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, signal: make(chan struct{}, 1), done: make(chan struct{})}
	h.bus = event.NewBus(func() event.Origin { return event.Origin{CoreUUID: "core", Hostname: "host", Switchname: "host"} }, time.Now)
	engine := media.NewEngine(media.EngineOptions{Codecs: codec.Table(), NewResampler: func(from, to int) media.Resampler {
		r, err := resample.New(from, to)
		if err != nil {
			return nil
		}
		return r
	}})
	engine.Start(context.Background())
	opener := &sources.Opener{SoundDir: t.TempDir()}
	h.sw = call.NewSwitch(call.Options{Bus: h.bus, Log: call.NewLog(), Globals: globals{store.Globals()}, Media: engine,
		Sounds: soundbox{opener}, Hostname: "host", SessionsPerSecond: 100000, MaxSessions: 100000})
	dir, acl := directory.New(store), directory.NewAccessLists(store)
	acl.Rebuild(t.Context())
	cache := regex.NewCache(64)
	h.sw.AddApplications(apps.Table(apps.Deps{Directory: dir, ACL: acl, Regex: cache, Hash: kv.NewHash(), Limits: kv.NewLimits()})...)
	h.sw.AddDialplan("XML", dialplan.XML{Store: store, Regex: cache})
	h.sw.AddDialplan("inline", dialplan.InlinePlan{})
	h.sw.AddEndpoint("error", endpoints.Error{})
	h.sw.AddEndpoint("null", endpoints.Null{})
	h.sw.AddEndpoint("user", endpoints.User{Directory: dir})
	ports, err := rtp.NewPorts(20000, 40000)
	if err != nil {
		t.Fatal(err)
	}
	h.stack = New(Options{Switch: h.sw, Store: store, Directory: dir, AccessLists: acl, Ports: ports, DB: o.db, Limits: o.limits})
	h.sw.AddEndpoint("sofia", h.stack.Endpoint())
	post := chat.New(chat.Options{Switch: h.sw, Store: store, Regex: cache})
	post.AddProtocol("sip", h.stack.Deliver)
	h.sw.Messages = post
	h.sw.AddCommands(h.stack.Commands()...)
	h.sub = h.bus.Subscribe("test", 100000)
	if !o.quiet {
		h.sub.ListenAll()
	}
	go h.collect()
	h.debug(t)
	if err := h.stack.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.sw.Start()
	t.Cleanup(func() {
		h.stack.Close()
		ctx, stop := context.WithTimeout(context.Background(), patience)
		defer stop()
		if err := h.sw.Stop(ctx); err != nil {
			t.Error(err)
		}
		engine.Close()
		opener.Close()
		h.sub.Close()
		<-h.done
	})
	return h
}

type globals struct{ *conf.Globals }

func (g globals) Each(fn func(name, value string)) {
	for _, p := range g.All() {
		fn(p.Name, p.Value)
	}
}

type soundbox struct{ o *sources.Opener }

func (s soundbox) Open(ctx context.Context, uri string, rate int) (media.Source, error) {
	return s.o.Open(ctx, uri, rate)
}

func (s soundbox) Create(path string, rate, channels int, extend bool) (media.Sink, error) {
	return s.o.Create(path, rate, channels)
}

func (h *house) collect() {
	defer close(h.done)
	for {
		select {
		case e := <-h.sub.C():
			h.mu.Lock()
			h.events = append(h.events, e)
			h.mu.Unlock()
			select {
			case h.signal <- struct{}{}:
			default:
			}
		case <-h.sub.Done():
			return
		}
	}
}

// wait returns the first event that match accepts, waiting for it.
func (h *house) wait(what string, match func(*event.Event) bool) *event.Event {
	h.t.Helper()
	limit := time.After(patience)
	seen := 0
	for {
		h.mu.Lock()
		for ; seen < len(h.events); seen++ {
			if match(h.events[seen]) {
				e := h.events[seen]
				h.mu.Unlock()
				return e
			}
		}
		h.mu.Unlock()
		select {
		case <-h.signal:
		case <-limit:
			h.t.Fatalf("no event: %s\nhad:\n%s", what, h.order(""))
		}
	}
}

func (h *house) waitType(t event.Type) *event.Event {
	h.t.Helper()
	return h.wait(string(t), func(e *event.Event) bool { return e.Type == t })
}

func (h *house) waitCustom(subclass string) *event.Event {
	h.t.Helper()
	return h.wait(subclass, func(e *event.Event) bool { return e.Get("Event-Subclass") == subclass })
}

// order is the sequence of events of a channel in the notation of the fact
// sheets.
func (h *house) order(uuid string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []string
	for _, e := range h.events {
		if uuid != "" && e.Get("Unique-ID") != uuid {
			continue
		}
		s := string(e.Type)
		switch e.Type {
		case event.ChannelState:
			s = "STATE " + e.Get("Channel-State")
		case event.ChannelCallstate:
			s = "CALLSTATE " + e.Get("Original-Channel-Call-State") + ">" + e.Get("Channel-Call-State")
		case event.ChannelExecute:
			s = "EXECUTE " + e.Get("Application")
		case event.ChannelExecuteComplete:
			s = "EXECUTE_COMPLETE " + e.Get("Application")
		case event.Custom:
			s = e.Get("Event-Subclass")
		}
		out = append(out, strings.TrimPrefix(s, "CHANNEL_"))
	}
	return strings.Join(out, "\n")
}

func (h *house) profile() *Profile { return h.stack.Profile("internal") }

func (h *house) addr() netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(h.profile().port))
}

// phone makes a phone of user.
func (h *house) phone(user string, change ...func(*phone.Options)) *phone.Phone {
	h.t.Helper()
	o := phone.Options{User: user, Password: "secret", Domain: "test.local", Server: h.addr()}
	for _, f := range change {
		f(&o)
	}
	p, err := phone.New(o)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(p.Close)
	return p
}

// registered makes a phone that is registered.
func (h *house) registered(user string, change ...func(*phone.Options)) *phone.Phone {
	h.t.Helper()
	p := h.phone(user, change...)
	res, err := p.Register(600)
	if err != nil {
		h.t.Fatal(err)
	}
	if res.StatusCode != 200 {
		h.t.Fatalf("REGISTER: %d %s", res.StatusCode, res.Reason)
	}
	return p
}

// api runs a command.
func (h *house) api(line string) string {
	h.t.Helper()
	name, args, _ := strings.Cut(line, " ")
	out, err := h.sw.Run(h.t.Context(), name, args, nil, nil)
	if err != nil {
		h.t.Fatalf("%s: %v", line, err)
	}
	return out
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// recv takes from a channel within the test's patience.
func recv[T any](t testing.TB, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

// dials has phone a call a number and returns its call, and the one that phone b gets.
func dials(t testing.TB, a, b *phone.Phone, number string) (out, in *phone.Call) {
	t.Helper()
	out = must[*phone.Call](t)(a.Dial(number))
	return out, must[*phone.Call](t)(b.Next())
}

// answers has a phone answer and waits until its caller is answered.
func answers(t testing.TB, in, out *phone.Call) {
	t.Helper()
	ok(t, in.Answer())
	ok(t, out.WaitAnswer())
}

// leaves hangs a call up and waits until the other's has ended.
func leaves(t testing.TB, who, other *phone.Call) {
	t.Helper()
	ok(t, who.Hangup())
	ok(t, other.WaitEnd())
}

func newBenchHouse(b *testing.B) *house {
	return newHouse(b, houseOptions{quiet: true, limits: Limits{Requests: 1e9, Burst: 1e9}})
}
