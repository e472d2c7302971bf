package conference

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/conf"
	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/codec"
	"github.com/switchlet/switchlet/media/resample"
	"github.com/switchlet/switchlet/media/stream"
)

const testConf = `<document type="freeswitch/xml"><section name="configuration">
<configuration name="conference.conf">
 <caller-controls>
  <group name="default">
   <control action="mute" digits="0"/><control action="deaf mute" digits="*"/>
   <control action="energy up" digits="9"/><control action="vol talk up" digits="3"/>
   <control action="vol listen dn" digits="4"/><control action="hangup" digits="#"/>
   <control action="lock" digits="55"/><control action="event" digits="5" data="five of ${conference_name}"/>
   <control action="execute_application" digits="7" data="note ran"/>
   <control action="transfer" digits="8" data="elsewhere inline"/>
  </group>
 </caller-controls>
 <profiles>
  <profile name="default"><param name="rate" value="8000"/></profile>
  <profile name="loud"><param name="energy-level" value="100"/></profile>
  <profile name="wideband"><param name="rate" value="16000"/></profile>
  <profile name="cdquality"><param name="rate" value="48000"/></profile>
  <profile name="auto"><param name="rate" value="auto"/></profile>
  <profile name="full">
   <param name="domain" value="box.test"/><param name="energy-level" value="100"/>
   <param name="moh_sound" value="tone_stream://%(1000,0,350);loops=-1"/>
   <param name="enter-sound" value="tone_stream://%(100,0,600)"/>
   <param name="exit-sound" value="tone_stream://%(100,0,500)"/>
   <param name="alone-sound" value="tone_stream://%(200,0,700)"/>
   <param name="muted-sound" value="tone_stream://%(100,0,800)"/>
   <param name="kicked-sound" value="tone_stream://%(100,0,900)"/>
   <variables><variable name="colour" value="blue"/></variables>
  </profile>
  <profile name="pinned">
   <param name="pin" value="1234"/><param name="moderator-pin" value="99999"/>
   <param name="pin-sound" value="tone_stream://%(200,0,450)"/><param name="bad-pin-sound" value="tone_stream://%(100,0,480)"/>
  </profile>
  <profile name="small"><param name="max-members" value="2"/></profile>
  <profile name="wait"><param name="conference-flags" value="wait-mod"/></profile>
  <profile name="quiet"><param name="suppress-events" value="start-talking,stop-talking,floor-change"/><param name="comfort-noise" value="true"/></profile>
  <profile name="recorded"><param name="auto-record" value="${recdir}/auto.wav"/><param name="min-required-recording-participants" value="2"/></profile>
  <profile name="drone"><param name="perpetual-sound" value="tone_stream://%(500,0,350)"/><param name="terminate-on-silence" value="10"/></profile>
  <profile name="spoken"><param name="tts-engine" value="robot"/><param name="tts-voice" value="ann"/><param name="announce-count" value="2"/></profile>
  <profile name="logged"><param name="cdr-log-dir" value="auto"/><param name="cdr-event-mode" value="content"/></profile>
 </profiles>
</configuration></section></document>`

// globals are global variables in memory.
type globals struct {
	mu sync.Mutex
	m  map[string]string
}

func (g *globals) Get(n string) string { g.mu.Lock(); defer g.mu.Unlock(); return g.m[n] }
func (g *globals) Set(n, v string)     { g.mu.Lock(); defer g.mu.Unlock(); g.m[n] = v }
func (g *globals) Delete(n string)     { g.mu.Lock(); defer g.mu.Unlock(); delete(g.m, n) }

type sounds struct{ *stream.Opener }

func (s sounds) Create(path string, rate, channels int, _ bool) (media.Sink, error) {
	return s.Opener.Create(path, rate, channels)
}

// house is a switch with rooms, and phones that call them.
type house struct {
	t      testing.TB
	sw     *call.Switch
	rooms  *Rooms
	engine *media.Engine
	dir    string
	events *event.Subscription

	mu    sync.Mutex
	seen  []*event.Event
	notes []string
	quit  chan struct{}
	done  sync.WaitGroup
	dials chan string
}

// inHouse runs f with a house in virtual time. What is left over when it ends
// fails the test.
func inHouse(t *testing.T, f func(h *house)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, dir)
		defer h.close()
		f(h)
	})
}

func newHouse(t testing.TB, dir string) *house {
	store, err := conf.NewStore(t.Context(), conf.Options{Base: fstest.MapFS{"freeswitch.xml": {Data: []byte(testConf)}}})
	if err != nil {
		t.Fatal(err)
	}
	engine := media.NewEngine(media.EngineOptions{Codecs: codec.Table(), NewResampler: func(from, to int) media.Resampler {
		r, err := resample.New(from, to)
		if err != nil {
			t.Errorf("resample %d to %d: %v", from, to, err)
			return nil
		}
		return r
	}})
	engine.Start(context.Background())
	h := &house{t: t, engine: engine, dir: dir, quit: make(chan struct{}), dials: make(chan string, 100)}
	bus := event.NewBus(nil, nil)
	h.sw = call.NewSwitch(call.Options{Bus: bus, Log: call.NewLog(), Media: engine, Hostname: "box",
		Globals: &globals{m: map[string]string{"recdir": dir, "log_dir": dir}}, Sounds: sounds{&stream.Opener{SoundDir: dir}},
		MaxSessions: 10000, SessionsPerSecond: 10000})
	h.events = bus.Subscribe("test", 10000)
	h.events.ListenAll()
	h.done.Go(h.collect)
	h.rooms = New(Options{Switch: h.sw, Store: store, Dial: h.dial, Speak: h.speak})
	h.sw.AddApplications(h.rooms.Applications()...)
	h.sw.AddApplications(call.Application{Name: "note", Run: func(_ context.Context, ch *call.Channel, args string) error {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.notes = append(h.notes, ch.Name()+" "+args)
		return nil
	}})
	h.sw.AddDialplan("inline", elsewhere{})
	h.sw.AddCommands(h.rooms.Commands()...)
	return h
}

// elsewhere is a dialplan that notes where a call was sent.
type elsewhere struct{}

func (elsewhere) Hunt(_ context.Context, _ *call.Channel, p *call.Profile, _ string) (*call.Extension, bool, error) {
	return &call.Extension{Name: "x", Actions: []call.Action{{App: "note", Data: "sent " + p.Destination}}}, true, nil
}

func (h *house) collect() {
	for {
		e, err := h.events.Next(context.Background())
		if err != nil {
			return
		}
		h.mu.Lock()
		h.seen = append(h.seen, e)
		h.mu.Unlock()
	}
}

func (h *house) close() {
	h.rooms.Close()
	if err := h.sw.Stop(context.Background()); err != nil {
		h.t.Error(err)
	}
	h.engine.Close()
	h.events.Close()
	h.done.Wait()
}

// dial answers calls to phone/NAME and refuses all others.
func (h *house) dial(ctx context.Context, _ *call.Switch, dialString string, o DialOptions) (*call.Channel, error) {
	h.dials <- fmt.Sprintf("%s %s %s", dialString, o.CallerName, o.CallerNumber)
	name, ok := strings.CutPrefix(dialString, "phone/")
	switch {
	case dialString == "ringing":
		<-ctx.Done()
		return nil, context.Cause(ctx)
	case !ok:
		return nil, call.CauseUserBusy
	}
	p := h.newPhone(name, true, o.Vars, nil)
	signal := make(chan struct{}, 1)
	defer p.ch.Notify(signal)()
	p.ch.Start()
	for p.ch.State() != call.StateConsumeMedia {
		<-signal
	}
	p.ch.MarkAnswered()
	if o.Originator != nil {
		if err := o.Originator.Answer(ctx); err != nil {
			return nil, err
		}
	}
	return p.ch, nil
}

// phone is a leg with its far end: it says a tone, and keeps what it hears.
type phone struct {
	h           *house
	ch          *call.Channel
	inner, wire media.Wire
	enc         media.Encoder
	dec         media.Decoder
	quit        chan struct{}
	done        sync.WaitGroup
	format      media.Format

	mu     sync.Mutex
	hz     float64
	heard  []int16
	digits string
}

// leg is the phone as the switch sees it.
type leg struct{ *phone }

func (l leg) Init(_ context.Context, ch *call.Channel) error { return nil }
func (l leg) Ring(context.Context) error                     { return nil }
func (l leg) Progress(context.Context) error                 { return nil }
func (l leg) Answer(context.Context) error                   { return nil }
func (l leg) SendDigit(d media.Digit) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.digits += string(d.Char)
	return nil
}

func (l leg) Hangup(call.Cause) {
	close(l.quit)
	l.phone.done.Wait()
	l.ch.Port().Leave()
	l.inner.Close()
	l.wire.Close()
}

func (h *house) newPhone(name string, outbound bool, vars []call.Var, ext *call.Extension) *phone {
	p := &phone{h: h, quit: make(chan struct{})}
	codecName := "PCMU"
	for _, v := range vars {
		if v.Name == "codec" {
			codecName = v.Value
		}
	}
	for _, c := range h.engine.Codecs() {
		if c.Name == codecName {
			p.format = media.Format{Codec: c, Ptime: 20, PayloadType: 100}
		}
	}
	plan := "inline"
	if outbound {
		plan = ""
	}
	var err error
	if p.enc, err = p.format.Codec.NewEncoder(p.format, p.rate()); err != nil {
		h.t.Fatal(err)
	}
	if p.dec, err = p.format.Codec.NewDecoder(p.format, p.rate()); err != nil {
		h.t.Fatal(err)
	}
	p.inner, p.wire = media.Pipe()
	p.wire.Receive(func(k *media.Packet) {
		pcm := make([]int16, 960)
		p.mu.Lock()
		defer p.mu.Unlock()
		n, _ := p.dec.Decode(k.Payload, pcm)
		p.heard = append(p.heard, pcm[:n]...)
	})
	p.ch, err = h.sw.NewChannel(leg{p}, call.NewChannelOptions{Name: name, Module: "mod_phone", Outbound: outbound, Vars: vars,
		Profile: call.Profile{CallerName: "Phone " + name, CallerNumber: name, Context: "default", Dialplan: plan}, Extension: ext, Begun: true})
	if err != nil {
		h.t.Fatal(err)
	}
	p.ch.Port().Attach(p.inner, p.format, media.DTMF{})
	p.ch.SetFormat(p.format)
	p.done.Go(p.talk)
	return p
}

func (p *phone) rate() int { return p.format.Codec.Rate }

// talk says the phone's tone, or nothing, until the call ends.
func (p *phone) talk() {
	time.Sleep(7 * time.Millisecond)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	n := p.rate() / 50
	out, pcm := make([]byte, 1500), make([]int16, n)
	for i := 0; ; i++ {
		p.mu.Lock()
		hz := p.hz
		p.mu.Unlock()
		if hz > 0 {
			for j := range pcm {
				pcm[j] = int16(8000 * math.Sin(2*math.Pi*hz*float64(n*i+j)/float64(p.rate())))
			}
			m, _ := p.enc.Encode(pcm, out)
			p.wire.Send(&media.Packet{PayloadType: 100, Sequence: uint16(i), Timestamp: uint32(p.format.Samples() * i), SSRC: 1, Payload: out[:m]})
		}
		select {
		case <-p.quit:
			return
		case <-tick.C:
		}
	}
}

// call brings a phone that says hz Hz (0: nothing) into the room that data
// names. What comes after it in its dialplan is "note next" and a wait.
func (h *house) call(name string, hz float64, data string, vars ...call.Var) *phone {
	h.t.Helper()
	p := h.newPhone(name, false, vars, &call.Extension{Name: "x", Actions: []call.Action{
		{App: "conference", Data: data}, {App: "note", Data: "next"}}})
	p.say(hz)
	p.ch.Start()
	synctest.Wait()
	return p
}

func (p *phone) say(hz float64) {
	p.mu.Lock()
	p.hz = hz
	p.mu.Unlock()
}

func (p *phone) press(digits string) {
	for _, d := range []byte(digits) {
		p.ch.ReceiveDigit(media.Digit{Char: d, Source: media.DigitRTP})
	}
	synctest.Wait()
}

func (p *phone) hangup() {
	p.ch.Hangup(call.CauseNormalClearing)
	<-p.ch.Done()
	synctest.Wait()
}

// listen returns what the phone hears from now on for d.
func (p *phone) listen(d time.Duration) []int16 {
	p.mu.Lock()
	p.heard = nil
	p.mu.Unlock()
	time.Sleep(d)
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.heard)
}

// level is the amplitude of a frequency.
func level(pcm []int16, rate int, hz float64) float64 {
	if len(pcm) == 0 {
		return 0
	}
	c := 2 * math.Cos(2*math.Pi*hz/float64(rate))
	var s1, s2 float64
	for _, v := range pcm {
		s1, s2 = float64(v)+c*s1-s2, s1
	}
	return 2 * math.Sqrt(s1*s1+s2*s2-c*s1*s2) / float64(len(pcm))
}

// hears fails unless, in a second of sound, the phone hears the tones of yes and
// none of no.
func (p *phone) hears(yes, no []float64) {
	p.h.t.Helper()
	pcm := p.listen(time.Second)
	for _, hz := range yes {
		if l := level(pcm, p.rate(), hz); l < 4000 {
			p.h.t.Errorf("%s hears %.0f Hz at %.0f only", p.ch.Name(), hz, l)
		}
	}
	for _, hz := range no {
		if l := level(pcm, p.rate(), hz); l > 400 {
			p.h.t.Errorf("%s hears %.0f Hz at %.0f", p.ch.Name(), hz, l)
		}
	}
}

func (h *house) api(line string) string {
	out, err := h.sw.Run(context.Background(), "conference", line, nil, nil)
	if err != nil {
		h.t.Errorf("conference %s: %v", line, err)
	}
	synctest.Wait()
	return out
}

// wants fails unless the command prints that.
func (h *house) wants(line, want string) {
	h.t.Helper()
	if got := h.api(line); got != want {
		h.t.Errorf("conference %s:\ngot  %q\nwant %q", line, got, want)
	}
}

// take returns the events of rooms since the last call.
func (h *house) take() []*event.Event {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []*event.Event
	for _, e := range h.seen {
		if e.Subclass == Maintenance {
			list = append(list, e)
		}
	}
	h.seen = nil
	return list
}

// actions are the Action headers of the rooms' events since the last call.
func (h *house) actions() []string {
	var list []string
	for _, e := range h.take() {
		list = append(list, e.Get("Action"))
	}
	return list
}

func (h *house) wantActions(want ...string) {
	h.t.Helper()
	if got := h.actions(); !slices.Equal(got, want) {
		h.t.Errorf("events %q\nwant %q", got, want)
	}
}

func (h *house) noted(text string) bool {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Contains(h.notes, text)
}

// texts are what the house's synthesiser can say, each by a tone.
var texts = map[string]float64{
	"You are currently the only person in this conference.": 650, "There are 2 callers": 750, "Muted": 850, "Un-Muted": 950, "hello all": 1150, "you there": 1250,
}

func (h *house) speak(_ context.Context, engine, voice, text string, rate int) (string, error) {
	hz, ok := texts[text]
	if engine != "robot" || voice != "ann" || !ok {
		return "", fmt.Errorf("%s %s cannot say %q", engine, voice, text)
	}
	return fmt.Sprintf("tone_stream://%%(3000,0,%.0f)", hz), nil
}

func (h *house) path(name string) string { return filepath.Join(h.dir, name) }
