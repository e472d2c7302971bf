package dialplan

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/expand"
)

// Trial is a call that is not made: who would call, with which variables. A trace
// of it changes the variables as the dialplan would, and nothing else; only the
// API commands that conditions ask for with ${command(arguments)} really run.
type Trial struct {
	Switch  *call.Switch
	Profile call.Profile
	Vars    *call.Vars

	note func(text string) // set while tracing
}

// Get returns a variable.
func (t *Trial) Get(name string) string { return t.Vars.Get(name) }

// Lookup finds a name as ${name} does: variables, fields of the caller profile,
// global variables.
func (t *Trial) Lookup(name string) (string, bool) {
	if v, ok := t.Vars.Lookup(name); ok {
		return v, true
	}
	if v := t.Profile.Field(name); v != "" {
		return v, true
	}
	return t.Switch.GlobalResolver().Variable(name)
}

// Log keeps what is wrong for the report.
func (t *Trial) Log(level call.Level, format string, args ...any) {
	if level <= call.LogWarning && t.note != nil {
		t.note(fmt.Sprintf(format, args...))
	}
}

// Variable and Command implement expand.Resolver.
func (t *Trial) Variable(name string) (string, bool) { return t.Lookup(name) }

func (t *Trial) Command(name, args string) string {
	return t.Switch.GlobalResolver().Command(name, args)
}

// inline does what an inline action does to variables; others are not run.
func (t *Trial) inline(app, data string) {
	data = expand.Expand(data, t)
	switch app {
	case "set", "export", "bridge_export":
		data = strings.TrimPrefix(data, "nolocal:")
		sign := strings.IndexAny(data, "=,")
		if sign > 0 {
			t.Vars.Set(data[:sign], data[sign+1:])
		}
	case "multiset":
		for _, pair := range strings.Fields(data) {
			t.inline("set", pair)
		}
	case "unset":
		t.Vars.Set(data, "")
	case "set_profile_var":
		name, value, _ := strings.Cut(data, "=")
		t.Profile.SetField(name, value)
	case "eval", "log", "info":
	default:
		t.note(fmt.Sprintf("inline action %s(%s) was not run: a trace only sets variables", app, data))
	}
}

// Trace looks for the extension that a call would take and reports every test.
func (x XML) Trace(ctx context.Context, t Trial) (Report, error) {
	t.Vars = call.NewVars(t.Vars.All()...)
	t.Profile.Soft = slices.Clone(t.Profile.Soft)
	var notes []string
	t.note = func(text string) { notes = append(notes, text) }
	p := &t.Profile
	section, err := x.section(ctx, p, p.UUID, t.Vars.All(), "")
	if err != nil {
		return Report{}, err
	}
	report, err := Trace(ctx, section, Request{
		Context: p.Context, Number: p.Destination, Channel: p.ChannelName,
		Field:     p.Field,
		Expand:    func(text string) string { return expand.Expand(text, &t) },
		Now:       time.Now(),
		Zone:      x.zone(&t),
		Inline:    func(app, data string) error { t.inline(app, data); return nil },
		SetVar:    t.Vars.Set,
		ClearVars: func(prefix string) { clearVars(t.Vars, prefix) },
		AutoHunt:  t.Vars.True("auto_hunt"),
		Regex:     x.Regex,
	})
	for _, n := range notes {
		report.note(n)
	}
	return report, err
}
