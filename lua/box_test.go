package lua

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/dialplan"
	"github.com/switchlet/switchlet/call/directory"
	"github.com/switchlet/switchlet/call/endpoint"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/call/originate"
	"github.com/switchlet/switchlet/call/regex"
	"github.com/switchlet/switchlet/call/say/prompts"
	"github.com/switchlet/switchlet/conf"
	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/codec"
	"github.com/switchlet/switchlet/media/resample"
	sound "github.com/switchlet/switchlet/media/stream"
	"github.com/switchlet/switchlet/store"
)

// patience bounds every wait of a test.
const patience = time.Minute

// box is a switch without sockets: null and loopback legs, all applications and
// commands, a script directory, databases.
type box struct {
	t     testing.TB
	sw    *call.Switch
	host  *Host
	store *store.Store
	conf  *conf.Store
	dir   string // scripts
	tmp   string
	log   *call.LogFollower

	mu    sync.Mutex
	lines []string
	wake  chan struct{}
	print strings.Builder
}

type globals struct{ *conf.Globals }

func (g globals) Each(fn func(name, value string)) {
	for _, p := range g.All() {
		fn(p.Name, p.Value)
	}
}

type sounds struct{ *sound.Opener }

// Create implements call.Sounds.
func (s sounds) Create(path string, rate, channels int, extend bool) (media.Sink, error) {
	if extend {
		return s.Opener.Append(path, rate, channels)
	}
	return s.Opener.Create(path, rate, channels)
}

const testTree = `<document type="freeswitch/xml">
<section name="configuration">%s</section>
<section name="dialplan"><context name="default">
 <extension name="park"><condition field="destination_number" expression="^park$"><action application="park"/></condition></extension>
 <extension name="scripted"><condition field="${lua(route.lua ${destination_number})}" expression="^Hello World$"><action application="park"/></condition></extension>
</context></section>
<section name="directory"><domain name="example.test"/></section>
</document>`

// newBox starts a box. luaConf is the settings element of lua.conf.
func newBox(t testing.TB, luaConf string, change func(*Options)) *box {
	t.Helper()
	b := &box{t: t, dir: t.TempDir(), tmp: t.TempDir(), wake: make(chan struct{}, 1)}
	tree := t.TempDir()
	configuration := ""
	if luaConf != "" {
		configuration = `<configuration name="lua.conf">` + luaConf + `</configuration>`
	}
	if err := os.WriteFile(filepath.Join(tree, "freeswitch.xml"), fmt.Appendf(nil, testTree, configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if b.conf, err = conf.NewStore(t.Context(), conf.Options{Base: os.DirFS(tree), BaseDir: tree}); err != nil {
		t.Fatal(err)
	}
	if b.store, err = store.Open(store.Options{Dir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	engine := media.NewEngine(media.EngineOptions{Codecs: codec.Table(),
		NewResampler: func(from, to int) media.Resampler {
			r, err := resample.New(from, to)
			if err != nil {
				t.Error(err)
			}
			return r
		}})
	engine.Start(context.Background())
	log := call.NewLog()
	b.log = log.Follow(call.LogDebug, 10000)
	b.sw = call.NewSwitch(call.Options{
		Bus: event.NewBus(nil, nil), Log: log, Globals: globals{b.conf.Globals()}, Media: engine,
		Sounds: sounds{&sound.Opener{SoundDir: b.tmp, Prompts: prompts.FS()}}, Hostname: "box", SessionsPerSecond: 10000, MaxSessions: 5000,
	})
	dir, cache := directory.New(b.conf), regex.NewCache(100)
	b.sw.AddApplications(testApplications()...)
	b.sw.Phrases = talker{}
	b.sw.AddCommands(testCommands(cache)...)
	b.sw.AddEndpoint("null", endpoint.Null{})
	b.sw.AddEndpoint("loopback", endpoint.Loopback{})
	b.sw.AddEndpoint("error", endpoint.Error{})
	b.sw.AddEndpoint("user", endpoint.User{Directory: dir})
	b.sw.AddDialplan("XML", dialplan.XML{Store: b.conf, Regex: cache})
	b.sw.AddDialplan("inline", dialplan.InlinePlan{})
	o := Options{Switch: b.sw, Store: b.store, Conf: b.conf, ScriptDir: b.dir, AllowShell: true, Print: &printer{b: b},
		// A script may be slow on a machine that has other things to do.
		Limits: Limits{Compute: 10 * time.Minute}}
	if change != nil {
		change(&o)
	}
	b.host = New(o)
	b.sw.AddApplications(b.host.Applications()...)
	b.sw.AddCommands(b.host.Commands()...)
	b.sw.AddDialplan("LUA", b.host.Dialplan())
	// out collects lines: what scripts call with out(...).
	b.sw.AddCommands(call.Command{Name: "out", Run: func(_ context.Context, _ *call.Switch, in *call.Invocation) error {
		b.add(in.Args)
		return nil
	}})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		b.sw.HangupAll(call.CauseNormalClearing, nil)
		b.host.Close()
		if err := b.sw.Stop(ctx); err != nil {
			t.Error(err)
		}
		b.sw.Bus.Close()
		engine.Close()
		b.store.Close()
		b.log.Close()
	})
	return b
}

// printer is where scripts print to.
type printer struct{ b *box }

func (p *printer) Write(data []byte) (int, error) {
	p.b.mu.Lock()
	defer p.b.mu.Unlock()
	return p.b.print.Write(data)
}

func (b *box) add(line string) {
	b.mu.Lock()
	b.lines = append(b.lines, line)
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// prelude gives scripts out(...), which sends a line to the test.
const prelude = `function out(...) local t = {} for i = 1, select("#", ...) do t[i] = tostring((select(i, ...))) end freeswitch.API():execute("out", table.concat(t, " ")) end `

// script writes a script and returns its name.
func (b *box) script(source string) string {
	b.t.Helper()
	name := fmt.Sprintf("s%d.lua", time.Now().UnixNano())
	b.write(name, prelude+source)
	return name
}

func (b *box) write(name, source string) {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, name), []byte(source), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// api runs a command.
func (b *box) api(line string) string {
	name, args, _ := strings.Cut(line, " ")
	out, err := b.sw.Run(context.Background(), name, args, nil, map[string]string{})
	if err != nil {
		return "error: " + err.Error()
	}
	return out
}

// lua runs a script through the command and returns what it wrote.
func (b *box) lua(source string, args ...string) string {
	b.t.Helper()
	return b.api("lua " + strings.Join(append([]string{b.script(source)}, args...), " "))
}

// call starts a call to a null leg that runs the script.
func (b *box) call(source string, vars ...call.Var) *call.Channel {
	b.t.Helper()
	return b.callFile(b.script(source), vars...)
}

func (b *box) callFile(name string, vars ...call.Var) *call.Channel {
	b.t.Helper()
	ch, err := originate.Dial(b.t.Context(), b.sw, "null/test", originate.Options{Vars: vars})
	if err != nil {
		b.t.Fatal(err)
	}
	signal := make(chan struct{}, 1)
	defer ch.Notify(signal)()
	for ch.State() != call.StateConsumeMedia {
		select {
		case <-signal:
		case <-time.After(patience):
			b.t.Fatalf("the call stays in %s", ch.State())
		}
	}
	if err := ch.TransferTo(&call.Extension{Name: "test", Actions: []call.Action{{App: "lua", Data: name}}}); err != nil {
		b.t.Fatal(err)
	}
	return ch
}

// idle starts a call whose script sleeps.
func (b *box) idle() *call.Channel {
	b.t.Helper()
	ch := b.call(`out("idle") session:sleep(60000)`)
	b.until("idle")
	b.mu.Lock()
	b.lines = nil
	b.mu.Unlock()
	return ch
}

// until waits for a line of output.
func (b *box) until(line string) {
	b.t.Helper()
	deadline := time.After(patience)
	for {
		b.mu.Lock()
		for _, l := range b.lines {
			if l == line {
				b.mu.Unlock()
				return
			}
		}
		b.mu.Unlock()
		select {
		case <-b.wake:
		case <-deadline:
			b.t.Fatalf("no line %q in %q\n%s", line, b.lines, b.logged())
		}
	}
}

// finish waits until the call is over and returns the lines of output.
func (b *box) finish(ch *call.Channel) string {
	b.t.Helper()
	select {
	case <-ch.Done():
	case <-time.After(patience):
		b.t.Fatalf("the call did not end: %s\n%q\n%s", ch.State(), b.lines, b.logged())
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	lines := strings.Join(b.lines, "\n")
	b.lines = nil
	return lines
}

// play runs a script on a call and returns its output.
func (b *box) play(source string) string {
	b.t.Helper()
	return b.finish(b.call(source))
}

// press sends digits to a call.
func press(ch *call.Channel, digits string) {
	for i := range len(digits) {
		ch.ReceiveDigit(media.Digit{Char: digits[i], Source: media.DigitApp})
	}
}

// logged is what was logged so far.
func (b *box) logged() string {
	var out strings.Builder
	for {
		select {
		case l := <-b.log.Lines():
			fmt.Fprintf(&out, "[%s] %s", l.Level, l.Text)
		default:
			return out.String()
		}
	}
}

// awaitLog waits for a line of the log that has part in it and returns it.
func (b *box) awaitLog(part string) string {
	b.t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case l := <-b.log.Lines():
			if strings.Contains(l.Text, part) {
				return fmt.Sprintf("[%s] %s", l.Level, l.Text)
			}
		case <-deadline:
			b.t.Fatalf("nothing logged with %q", part)
		}
	}
}

// same reports whether got is want, in which * stands for anything.
func same(got, want string) bool {
	pattern := "(?s)^" + strings.ReplaceAll(regexp.QuoteMeta(want), `\*`, `.*?`) + "$"
	return regexp.MustCompile(pattern).MatchString(got)
}
