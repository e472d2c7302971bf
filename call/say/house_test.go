package say_test

import (
	"context"
	"io"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/apps"
	"github.com/switchlet/switchlet/call/dialplan"
	"github.com/switchlet/switchlet/call/endpoint"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/call/kv"
	"github.com/switchlet/switchlet/call/originate"
	"github.com/switchlet/switchlet/call/regex"
	"github.com/switchlet/switchlet/call/say"
	"github.com/switchlet/switchlet/call/say/prompts"
	"github.com/switchlet/switchlet/conf"
	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/codec"
	"github.com/switchlet/switchlet/media/resample"
	"github.com/switchlet/switchlet/media/stream"
)

// house is a switch in virtual time whose one caller hears the built-in prompts.
type house struct {
	t     *testing.T
	sw    *call.Switch
	speak *say.Announcements
	ch    *call.Channel
	sub   *event.Subscription
	log   *call.LogFollower
	heard *recorder
}

// recorder keeps what the caller hears.
type recorder struct {
	mu  sync.Mutex
	pcm []int16
}

func (r *recorder) frame(pcm []int16) { r.mu.Lock(); r.pcm = append(r.pcm, pcm...); r.mu.Unlock() }

func (r *recorder) take() []int16 {
	r.mu.Lock()
	defer r.mu.Unlock()
	pcm := r.pcm
	r.pcm = nil
	return pcm
}

type openers struct{ *stream.Opener }

func (o openers) Create(path string, rate, channels int, _ bool) (media.Sink, error) {
	return o.Opener.Create(path, rate, channels)
}

// inHouse runs fn with a caller in a house whose configuration has these
// languages and menus.
func inHouse(t *testing.T, languages, menus string, fn func(h *house)) {
	t.Helper()
	sounds := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		tree := `<document type="freeswitch/xml"><section name="languages">` + languages + `</section>` +
			`<section name="configuration"><configuration name="ivr.conf"><menus>` + menus + `</menus></configuration></section></document>`
		store, err := conf.NewStore(t.Context(), conf.Options{Base: fstest.MapFS{"freeswitch.xml": {Data: []byte(tree)}},
			Globals: []conf.Pair{{Name: "sound_prefix", Value: sounds + "/en/us/callie"}, {Name: "hold_music", Value: "silence"}}})
		if err != nil {
			t.Fatal(err)
		}
		cache, bus, log := regex.NewCache(16), event.NewBus(nil, nil), call.NewLog()
		engine := media.NewEngine(media.EngineOptions{Codecs: codec.Table(), NewResampler: func(from, to int) media.Resampler {
			r, err := resample.New(from, to)
			if err != nil {
				return nil
			}
			return r
		}})
		h := &house{t: t, sub: bus.Subscribe("test", 10000), log: log.Follow(call.LogWarning, 1000), heard: &recorder{}}
		h.sub.ListenAll()
		h.sw = call.NewSwitch(call.Options{Bus: bus, Log: log, Globals: store.Globals(), Media: engine,
			Sounds: openers{&stream.Opener{SoundDir: sounds, Prompts: prompts.FS()}}})
		h.sw.AddApplications(apps.Table(apps.Deps{Regex: cache, Hash: kv.NewHash(), Limits: kv.NewLimits()})...)
		h.sw.AddEndpoint("null", endpoint.Null{})
		h.sw.AddDialplan("inline", dialplan.InlinePlan{})
		h.speak = say.New(say.Options{Switch: h.sw, Store: store, Regex: cache,
			Zone: func(name string) (*time.Location, bool) { l, err := time.LoadLocation(name); return l, err == nil },
			Now:  func() time.Time { return time.Date(2026, 11, 21, 14, 5, 0, 0, time.UTC) }})
		h.sw.AddApplications(h.speak.Applications()...)
		h.sw.AddCommands(h.speak.Commands()...)
		h.sw.Phrases = h.speak
		engine.Start(context.Background())
		h.sw.Start()
		defer func() {
			if err := h.sw.Stop(context.Background()); err != nil {
				t.Error(err)
			}
			engine.Close()
			bus.Close()
			h.log.Close()
		}()
		h.ch, err = originate.Dial(t.Context(), h.sw, "null/caller", originate.Options{})
		if err != nil {
			t.Fatal(err)
		}
		remove := h.ch.Port().Tap(media.Write, 8000, h.heard.frame)
		defer remove()
		fn(h)
	})
}

// begin makes the caller run applications: "say en number pronounced 1".
func (h *house) begin(list ...string) {
	h.t.Helper()
	var actions []call.Action
	for _, s := range list {
		name, data, _ := strings.Cut(s, " ")
		actions = append(actions, call.Action{App: name, Data: data})
	}
	if err := h.ch.TransferTo(&call.Extension{Name: "test", Actions: append(actions, call.Action{App: "park"})}); err != nil {
		h.t.Fatal(err)
	}
	synctest.Wait()
}

// parked waits until the applications are done, and at most so long.
func (h *house) parked(limit time.Duration) {
	h.t.Helper()
	const step = 20 * time.Millisecond
	for waited := time.Duration(0); waited < limit; waited += step {
		time.Sleep(step)
		synctest.Wait()
		if app, _ := h.ch.LastApplication(); app == "park" {
			return
		}
	}
	h.t.Fatalf("not done after %v", limit)
}

// press presses keys.
func (h *house) press(keys string) {
	for i := range len(keys) {
		h.ch.ReceiveDigit(media.Digit{Char: keys[i], Duration: 800})
	}
	synctest.Wait()
}

// wait lets time pass.
func (h *house) wait(d time.Duration) { time.Sleep(d); synctest.Wait() }

// played are the names whose playback began, and CUSTOM events, since the last call.
func (h *house) played() string {
	synctest.Wait()
	var names []string
	for {
		select {
		case e := <-h.sub.C():
			switch {
			case e.Type == event.PlaybackStart:
				names = append(names, e.Get("Playback-File-Path"))
			case e.Type == event.Custom && strings.HasPrefix(e.Subclass, "menu::"):
				names = append(names, e.Subclass+"="+e.Get("Menu-Name"))
			}
		default:
			return strings.Join(names, " ")
		}
	}
}

// logged are the warnings and errors since the last call.
func (h *house) logged() string {
	var lines []string
	for {
		select {
		case l := <-h.log.Lines():
			lines = append(lines, strings.TrimSpace(l.Text))
		default:
			return strings.Join(lines, "\n")
		}
	}
}

type readSeekCloser interface {
	io.ReadSeeker
	io.Closer
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
