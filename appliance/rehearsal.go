package appliance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/switchlet/switchlet/appliance/cdr"
	"github.com/switchlet/switchlet/appliance/logfile"
	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/chat"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/call/say"
	"github.com/switchlet/switchlet/conf"
	"github.com/switchlet/switchlet/scenario"
	"github.com/switchlet/switchlet/store"
)

// rehearsalAddress is what a switch on a stage takes for its own address, the same
// on every machine: one for documentation (RFC 5737).
const rehearsalAddress = "192.0.2.1"

// rehearsal is what makes a Box a stage for scenarios: no part of it has a socket,
// and what it writes goes to a directory of its own. A nil one changes nothing.
type rehearsal struct {
	cast  *scenario.Cast
	dir   string // the stage's own directory
	shell bool   // programs may be run: only if the command line of the test says so
}

// openStage puts the rooms that need no network together for one scenario. o is
// what a real box would be opened with; its data directory is only read. script
// is the file under test.
func openStage(o Options, script string, cast *scenario.Cast) (*scenario.Stage, error) {
	dir, err := os.MkdirTemp("", "switchlet-test-")
	if err != nil {
		return nil, err
	}
	s, err := buildStage(o, script, dir, cast)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

func buildStage(o Options, script, dir string, cast *scenario.Cast) (*scenario.Stage, error) {
	scripts := filepath.Join(o.Data, "scripts")
	if script != "" && !within(scripts, script) {
		scripts = filepath.Dir(script)
	}
	// What a switch only reads is the real thing.
	for name, target := range map[string]string{"scripts": scripts, "sounds": filepath.Join(o.Data, "sounds")} {
		target, err := filepath.Abs(target)
		if err != nil {
			return nil, err
		}
		if info, err := os.Stat(target); err != nil || !info.IsDir() {
			continue
		}
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			return nil, err
		}
	}
	o.Overlays = append(append([]string(nil), o.Overlays...), filepath.Join(o.Data, "conf"))
	o.Data, o.PortOffset = dir, 0
	own := []conf.Pair{{Name: "local_ip_v4", Value: rehearsalAddress}, {Name: "local_ip_v6", Value: "2001:db8::1"}}
	o.Sets = append(own, o.Sets...)
	for _, v := range cast.Globals {
		o.Sets = append(o.Sets, conf.Pair{Name: v.Name, Value: v.Value})
	}
	o.Print = printer{cast}
	cast.Hide(dir)
	shell := slices.ContainsFunc(o.Sets, func(p conf.Pair) bool { return p.Name == "allow_shell" && conf.True(p.Value) })
	b, err := openBox(context.Background(), &Box{Options: o, quit: make(chan struct{}), rehearsal: &rehearsal{cast: cast, dir: dir, shell: shell}})
	if err != nil {
		return nil, err
	}
	if err := b.Start(context.Background()); err != nil {
		return nil, errors.Join(err, b.Stop())
	}
	return &scenario.Stage{Switch: b.Switch, Databases: b.databases, Script: script, User: b.callOf, Pieces: b.pieces,
		Place: b.rehearsal.place, Recordings: b.data.path("recordings"),
		Close: func() error { return errors.Join(b.Stop(), os.RemoveAll(dir)) }}, nil
}

// printer takes what scripts print.
type printer struct{ cast *scenario.Cast }

func (p printer) Write(text []byte) (int, error) {
	p.cast.Print(string(text))
	return len(text), nil
}

// within reports whether a path lies below a directory.
func within(dir, path string) bool {
	d, err := filepath.Abs(dir)
	if err != nil {
		return false
	}
	p, err := filepath.Abs(path)
	if err != nil {
		return false
	}
	r, err := filepath.Rel(d, p)
	return err == nil && filepath.IsLocal(r)
}

// rehearse adds what a stage has besides the rooms that need no network, and what
// stands there for those that do.
func (b *Box) rehearse(core *store.DB) {
	cast := b.rehearsal.cast
	cast.Bus(b.bus)
	b.files = logfile.New(b.log, nil, b.data.path("log"))
	b.counters = newCounters()
	b.recorder = cdr.New(cdr.Options{Switch: b.Switch, DB: core, Conf: b.store.Tree().Configuration("cdr_csv.conf"),
		LogDir: b.data.path("log"), Observe: b.counters.ended})
	b.Switch.AddCommands(b.recorder.Commands()...)
	for _, name := range []string{"sofia", "verto.rtc"} {
		b.Switch.AddEndpoint(name, cast.Endpoint(name))
	}
	for _, name := range []string{"sip", "verto"} {
		b.messages.AddProtocol(name, b.rehearsal.deliver(name))
	}
	contact := func(reply func(user, domain string) (string, bool)) func(context.Context, *call.Switch, *call.Invocation) error {
		return func(_ context.Context, _ *call.Switch, in *call.Invocation) error {
			spec := in.Args
			if _, rest, ok := strings.Cut(spec, "/"); ok {
				spec = rest
			}
			user, domain := b.directory.SplitUser(spec)
			dial, ok := reply(user, domain)
			if !ok {
				dial = "error/user_not_registered"
			}
			in.Out.WriteString(dial)
			return nil
		}
	}
	b.Switch.AddCommands(
		call.Command{Name: "sofia_contact", Syntax: "[profile/]<user>@<domain>", Description: "Sofia Contacts", Module: "mod_sofia", Run: contact(cast.Contact)},
		call.Command{Name: "verto_contact", Syntax: "user[@domain]", Description: "Generate a verto endpoint dialstring", Module: "mod_verto",
			Run: contact(func(string, string) (string, bool) { return "", false })})
	scripts, rooms := b.scripts(), b.conferences()
	b.parts = []part{
		{name: "call history", start: b.recorder.Start, stop: func() error { b.recorder.Close(); return nil }},
		{name: "media", start: func(ctx context.Context) error { b.media.Start(context.WithoutCancel(ctx)); return nil },
			stop: func() error { b.media.Close(); return b.opener.Close() }},
		{name: "switch", start: func(context.Context) error { b.Switch.Start(); return nil }, stop: nothing},
		{name: "lua", start: scripts.Start, stop: func() error { scripts.Close(); return nil }},
		{name: "conferences", start: func(context.Context) error { return nil }, stop: nothing, drain: rooms.Close},
	}
}

// callOf is what a call of a directory user has: its variables and its context.
func (b *Box) callOf(ctx context.Context, id string) ([]call.Var, string, error) {
	user, domain := b.directory.SplitUser(id)
	u, err := b.directory.User(ctx, "id", user, domain, nil)
	if err != nil {
		return nil, "", fmt.Errorf("no user %s@%s in the directory", user, domain)
	}
	vars := []call.Var{{Name: "user_name", Value: u.ID}, {Name: "domain_name", Value: u.Domain}}
	for _, v := range u.Variables {
		vars = append(vars, call.Var{Name: v.Name, Value: v.Value})
	}
	return vars, u.Variables.Get("user_context"), nil
}

// pieces are the sounds that a phrase or a say request consists of, as they are
// opened.
func (b *Box) pieces(ctx context.Context, ch *call.Channel, s scenario.Sound) ([]string, error) {
	if s.Kind == scenario.SoundPhrase {
		return b.announcements.PhrasePieces(ctx, ch, s.Name, s.Text)
	}
	kind, method, _ := strings.Cut(s.Name, " ")
	r := say.Request{Type: say.ParseType(kind), Method: say.ParseMethod(method), Text: s.Text}
	if r.Type == say.UnknownType || r.Method == say.UnknownMethod {
		return nil, fmt.Errorf("say knows no %q; types are those of the application say, methods pronounced, iterated, counted", s.Name)
	}
	return b.announcements.Pieces(ctx, ch, "en", r)
}

func (r *rehearsal) sounds(b *Box) call.Sounds {
	if r == nil {
		return sounds{b.opener}
	}
	prefix := b.store.Globals().Get("sound_prefix")
	return r.cast.Sounds(sounds{b.opener}, r.place, prefix, b.data.path("sounds"), b.data.path("recordings"))
}

// speech has a sound of the scenario stand for speech.
func (r *rehearsal) speech() func(string) string {
	if r == nil {
		return nil
	}
	return scenario.Speech
}

func (r *rehearsal) log(l *call.Log) {
	if r != nil {
		r.cast.Log(l)
	}
}

func (r *rehearsal) overdue() func() bool {
	if r == nil {
		return nil
	}
	return r.cast.Overdue
}

// stun has no server to ask.
func (r *rehearsal) stun(context.Context, string) (string, error) { return rehearsalAddress, nil }

// rename keeps scripts from databases that are not the stage's.
func (r *rehearsal) rename(dsn string) string {
	for alias, name := range r.cast.Aliases {
		if dsn == alias || strings.HasPrefix(dsn, alias+":") {
			return "sqlite://" + name
		}
	}
	path := strings.TrimPrefix(dsn, "sqlite://")
	if !filepath.IsAbs(path) {
		if scheme, _, ok := strings.Cut(dsn, "://"); ok && scheme != "sqlite" {
			r.cast.Note("the database " + store.Shown(dsn) + " is not opened in a test; \"database " + store.Shown(dsn) + " is NAME\" has one of its own stand for it")
		}
		return dsn
	}
	path = r.place(path)
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return "sqlite://" // no name that anything answers to
	}
	return path
}

// place is where a file lies that is written under a path: everything outside of
// the stage goes to a place of its own, also what seems to be inside but is linked
// to the real scripts and sounds.
func (r *rehearsal) place(path string) string {
	if !filepath.IsAbs(path) {
		return path
	}
	rel, err := filepath.Rel(r.dir, path)
	if err == nil && filepath.IsLocal(rel) && !strings.HasPrefix(rel, "scripts") && !strings.HasPrefix(rel, "sounds") {
		return path
	}
	return filepath.Join(r.dir, "elsewhere", path)
}

// deliver says of every message of a protocol that it was delivered.
func (r *rehearsal) deliver(protocol string) chat.Protocol {
	return func(_ context.Context, e *event.Event) error {
		r.cast.Message(protocol, e)
		return nil
	}
}
