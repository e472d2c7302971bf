package call_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/apps"
	"github.com/switchlet/switchlet/call/dialplan"
	"github.com/switchlet/switchlet/call/endpoint"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/call/kv"
	"github.com/switchlet/switchlet/call/regex"
	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/codec"
	"github.com/switchlet/switchlet/media/stream"
)

// box is a whole switch in a bubble of virtual time: no sockets, no files.
type box struct {
	t      *testing.T
	sw     *call.Switch
	sub    *event.Subscription
	plan   *planMap
	log    *call.LogFollower
	names  map[string]string // UUID → the letter that tests use
	events []line
	logged []string
}

// line is one event in the short form of the tests.
type line struct {
	leg  string // "a"
	text string // "EXECUTE answer"
	ev   *event.Event
}

func (l line) String() string { return l.leg + " " + l.text }

// inBubble runs fn with a fresh box in virtual time. The bubble fails the test if a
// goroutine is left.
func inBubble(t *testing.T, fn func(t *testing.T, b *box)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := newBox(t)
		defer b.stop()
		fn(t, b)
	})
}

type globals struct {
	mu sync.Mutex
	m  map[string]string
}

func (g *globals) Get(name string) string { g.mu.Lock(); defer g.mu.Unlock(); return g.m[name] }
func (g *globals) Set(name, value string) { g.mu.Lock(); g.m[name] = value; g.mu.Unlock() }
func (g *globals) Delete(name string)     { g.mu.Lock(); delete(g.m, name); g.mu.Unlock() }

// planMap is a dialplan: destination → actions.
type planMap struct {
	mu sync.Mutex
	m  map[string][]call.Action
}

func (p *planMap) Hunt(_ context.Context, _ *call.Channel, profile *call.Profile, _ string) (*call.Extension, bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	actions, ok := p.m[profile.Destination]
	return &call.Extension{Name: profile.Destination, Actions: actions}, ok, nil
}

// extension sets what a destination runs.
func (b *box) extension(destination string, list ...string) {
	b.plan.mu.Lock()
	b.plan.m[destination] = actions(list...)
	b.plan.mu.Unlock()
}

// actions reads "answer", "bridge null/x" …
func actions(list ...string) []call.Action {
	out := make([]call.Action, len(list))
	for i, s := range list {
		out[i].App, out[i].Data, _ = strings.Cut(s, " ")
	}
	return out
}

type testSounds struct{ *stream.Opener }

func (s testSounds) Create(path string, rate, channels int, extend bool) (media.Sink, error) {
	return &memorySink{rate: rate, channels: channels}, nil
}

type memorySink struct{ rate, channels int }

func (m *memorySink) Rate() int           { return m.rate }
func (m *memorySink) Channels() int       { return m.channels }
func (m *memorySink) Write([]int16) error { return nil }
func (m *memorySink) Close() error        { return nil }

func newBox(t *testing.T) *box {
	b := &box{t: t, plan: &planMap{m: map[string][]call.Action{}}, names: map[string]string{}}
	bus := event.NewBus(nil, nil)
	engine := media.NewEngine(media.EngineOptions{Codecs: codec.Table()})
	log := call.NewLog()
	b.log = log.Follow(call.LogWarning, 10000)
	b.sub = bus.Subscribe("test", 100000)
	b.sub.ListenAll()
	b.sw = call.NewSwitch(call.Options{Bus: bus, Log: log, Globals: &globals{m: map[string]string{"hold_music": "silence"}},
		Media: engine, Sounds: testSounds{&stream.Opener{}}, Hostname: "box", MaxSessions: 10000, SessionsPerSecond: 100000})
	b.sw.AddApplications(apps.Table(apps.Deps{Regex: regex.NewCache(16), Hash: kv.NewHash(), Limits: kv.NewLimits()})...)
	b.sw.AddDialplan("XML", b.plan)
	b.sw.AddDialplan("inline", dialplan.InlinePlan{})
	b.sw.AddEndpoint("null", endpoint.Null{})
	b.sw.AddEndpoint("loopback", endpoint.Loopback{})
	b.sw.AddEndpoint("error", endpoint.Error{})
	b.sw.AddEndpoint("pickup", endpoint.Pickup{})
	b.sw.AddEndpoint("phone", phoneEndpoint{})
	engine.Start(context.Background())
	b.sw.Start()
	return b
}

// stop ends the switch; everything that runs in it must be gone then.
func (b *box) stop() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := b.sw.Stop(ctx); err != nil {
		b.t.Errorf("stop: %v", err)
	}
	if n := b.sw.Count(); n != 0 {
		b.t.Errorf("%d channels are left", n)
	}
	b.sw.Media.Close()
	b.sw.Bus.Close()
	b.log.Close()
}

// testLeg is a telephone in the same process. Inbound, it negotiates when it is
// answered, as SIP does.
type testLeg struct {
	sw    *call.Switch
	ch    *call.Channel
	steps []string // of an outbound leg: "ring 100", "early 0", "answer 300", "fail 50 USER_BUSY"

	mu     sync.Mutex
	timers []*time.Timer
	sent   string // digits sent to the far end
	held   []bool
}

func (l *testLeg) format() media.Format {
	for _, c := range l.sw.Media.Codecs() {
		if c.Name == "PCMU" {
			return media.Format{Codec: c, Ptime: 20}
		}
	}
	return media.Format{}
}

func (l *testLeg) attach() {
	if !l.ch.Port().Attached() {
		l.ch.Port().Attach(media.Null(), l.format(), media.DTMF{})
	}
	l.ch.SetFormat(l.format())
}

func (l *testLeg) Init(_ context.Context, ch *call.Channel) error {
	if !ch.Outbound() {
		return nil
	}
	ch.AfterInit(func() {
		for _, s := range l.steps {
			f := append(strings.Fields(s), "", "", "")
			ms, _ := strconv.Atoi(f[1])
			l.mu.Lock()
			l.timers = append(l.timers, time.AfterFunc(time.Duration(ms)*time.Millisecond, func() { l.do(f[0], f[2]) }))
			l.mu.Unlock()
		}
	})
	return nil
}

func (l *testLeg) do(what, arg string) {
	switch what {
	case "ring":
		l.ch.MarkRinging()
	case "early":
		l.attach()
		l.ch.MarkEarly()
	case "answer":
		l.attach()
		l.ch.MarkAnswered()
	case "fail":
		l.ch.Hangup(call.ParseCause(arg))
	}
}

func (l *testLeg) Ring(context.Context) error     { return nil }
func (l *testLeg) Progress(context.Context) error { l.attach(); return nil }

func (l *testLeg) Answer(context.Context) error {
	l.attach()
	l.ch.MarkEarly()
	return nil
}

func (l *testLeg) Hangup(call.Cause) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range l.timers {
		t.Stop()
	}
}

func (l *testLeg) Hold(_ context.Context, on bool) error {
	l.mu.Lock()
	l.held = append(l.held, on)
	l.mu.Unlock()
	return nil
}

func (l *testLeg) SendDigit(d media.Digit) error {
	l.mu.Lock()
	l.sent += string(d.Char)
	l.mu.Unlock()
	return nil
}

// digits are those that were sent to the far end.
func digits(ch *call.Channel) string {
	l := ch.Leg().(*testLeg)
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sent
}

// phoneEndpoint dials phone/STEP;STEP…
type phoneEndpoint struct{}

func (phoneEndpoint) Dial(_ context.Context, sw *call.Switch, r *call.DialRequest) (*call.Channel, error) {
	leg := &testLeg{sw: sw}
	if r.Data != "" {
		leg.steps = strings.Split(r.Data, ";")
	}
	p := r.Caller
	p.Destination = r.Data
	ch, err := sw.NewChannel(leg, call.NewChannelOptions{UUID: r.UUID, Name: "phone/" + r.Data, Module: "mod_test", Profile: p, Outbound: true})
	if err != nil {
		return nil, err
	}
	leg.ch = ch
	return ch, nil
}

// inbound makes a call from outside to a destination, and starts it.
func (b *box) inbound(letter, destination string) *call.Channel {
	b.t.Helper()
	leg := &testLeg{sw: b.sw}
	ch, err := b.sw.NewChannel(leg, call.NewChannelOptions{Name: "test/" + letter, Module: "mod_test",
		Profile: call.Profile{CallerName: "Caller", CallerNumber: "100", Destination: destination, Context: "default", Dialplan: "XML"}})
	if err != nil {
		b.t.Fatal(err)
	}
	leg.ch = ch
	b.names[ch.UUID()] = letter
	ch.Start()
	return ch
}

// run makes a call that executes the given actions.
func (b *box) run(letter string, list ...string) *call.Channel {
	b.t.Helper()
	b.extension("run-"+letter, list...)
	return b.inbound(letter, "run-"+letter)
}

// settle lets everything that can happen now happen, and collects the events.
func (b *box) settle() {
	synctest.Wait()
	for {
		select {
		case e := <-b.sub.C():
			if l, ok := b.short(e); ok {
				b.events = append(b.events, l)
			}
			continue
		case l := <-b.log.Lines():
			b.logged = append(b.logged, l.Text)
			continue
		default:
		}
		return
	}
}

// after lets virtual time pass.
func (b *box) after(d time.Duration) {
	time.Sleep(d)
	b.settle()
}

// short is the form of spec/esl.md §5.
func (b *box) short(e *event.Event) (line, bool) {
	name := strings.TrimPrefix(string(e.Type), "CHANNEL_")
	switch e.Type {
	case event.API, event.Heartbeat, event.ReSchedule, event.AddSchedule, event.DelSchedule, event.PresenceIn:
		return line{}, false
	case event.ChannelState:
		name = "STATE " + e.Get("Channel-State")
	case event.ChannelCallstate:
		name = "CALLSTATE " + e.Get("Original-Channel-Call-State") + ">" + e.Get("Channel-Call-State")
	case event.ChannelExecute, event.ChannelExecuteComplete:
		name += " " + e.Get("Application")
	case event.ChannelHangup:
		name += " " + e.Get("Hangup-Cause")
	case event.Custom:
		name = e.Get("Event-Subclass")
	}
	uuid := e.Get("Unique-ID")
	if b.names[uuid] == "" && uuid != "" {
		b.names[uuid] = b.letter(e.Get("Channel-Name"))
	}
	return line{b.names[uuid], name, e}, true
}

// letter names a channel that the box did not make itself: by the end of its name
// (loopback/x-a), else the next free one.
func (b *box) letter(name string) string {
	if i := strings.LastIndexByte(name, '-'); i >= 0 && i == len(name)-2 {
		return name[i+1:]
	}
	for c := byte('b'); ; c++ {
		if !slices.Contains(slices.Collect(mapValues(b.names)), string(c)) {
			return string(c)
		}
	}
}

func mapValues(m map[string]string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for _, v := range m {
			if !yield(v) {
				return
			}
		}
	}
}

// of are the events of one leg.
func (b *box) of(leg string) []string {
	b.settle()
	var out []string
	for _, l := range b.events {
		if l.leg == leg {
			out = append(out, l.text)
		}
	}
	return out
}

// wantOrder compares a leg's events with the wanted ones, one a line or separated
// by " · ".
func (b *box) wantOrder(leg, want string) {
	b.t.Helper()
	got := b.of(leg)
	list := strings.FieldsFunc(want, func(r rune) bool { return r == '·' || r == '\n' })
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
	}
	list = slices.DeleteFunc(list, func(s string) bool { return s == "" })
	if !slices.Equal(got, list) {
		b.t.Errorf("events of leg %s:\n got %s\nwant %s", leg, strings.Join(got, " · "), strings.Join(list, " · "))
	}
}

// wantSequence checks that these events of any legs came in this order, others
// between them.
func (b *box) wantSequence(want ...string) {
	b.t.Helper()
	b.settle()
	i := 0
	for _, l := range b.events {
		if i < len(want) && l.String() == want[i] {
			i++
		}
	}
	if i < len(want) {
		var all []string
		for _, l := range b.events {
			all = append(all, l.String())
		}
		b.t.Errorf("no %q after %q in\n%s", want[i], want[:i], strings.Join(all, " · "))
	}
}

// event finds the last event of that text on a leg.
func (b *box) event(leg, text string) *event.Event {
	b.t.Helper()
	b.settle()
	for i := len(b.events) - 1; i >= 0; i-- {
		if b.events[i].leg == leg && b.events[i].text == text {
			return b.events[i].ev
		}
	}
	b.t.Fatalf("no event %s of leg %s; it had %s", text, leg, strings.Join(b.of(leg), " · "))
	return nil
}

// channel finds the channel of a letter.
func (b *box) channel(letter string) *call.Channel {
	b.t.Helper()
	b.settle()
	for uuid, l := range b.names {
		if ch := b.sw.Find(uuid); l == letter && ch != nil {
			return ch
		}
	}
	b.t.Fatalf("no channel %s", letter)
	return nil
}

// press is a key of the far end of a channel.
func press(ch *call.Channel, keys string) {
	for i := 0; i < len(keys); i++ {
		ch.ReceiveDigit(media.Digit{Char: keys[i], Duration: call.DigitDurationDefault, Source: media.DigitEndpoint})
	}
}

// want compares a variable of a channel.
func want(t *testing.T, ch *call.Channel, name, value string) {
	t.Helper()
	if got := ch.Get(name); got != value {
		t.Errorf("%s of %s is %q, want %q", name, ch.Name(), got, value)
	}
}

// applications are those that ran on a leg, as "name(data)".
func (b *box) applications(leg string) string {
	b.settle()
	var out []string
	for _, l := range b.events {
		if l.leg == leg && l.ev.Type == event.ChannelExecute {
			out = append(out, fmt.Sprintf("%s(%s)", l.ev.Get("Application"), l.ev.Get("Application-Data")))
		}
	}
	return strings.Join(out, " ")
}
