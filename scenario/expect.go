package scenario

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/media/file"
	"github.com/switchlet/switchlet/store"
)

// expect waits until a fact holds.
func (p *play) expect(e expects) error {
	judge, want := p.judge(e)
	last := ""
	ok, err := p.until(e.within, func() (bool, error) {
		good, now, err := judge()
		last = now
		return good != e.no, err
	})
	if err != nil || ok {
		return err
	}
	if e.no {
		return &unmet{"no " + want, last}
	}
	if e.within > 0 {
		want += " within " + span(e.within)
	}
	return &unmet{want, last}
}

// judge returns a function that says whether the fact holds, and what holds
// instead; and what is wanted, in words.
func (p *play) judge(e expects) (judge func() (bool, string, error), want string) {
	if e.no {
		e.within = 0
	}
	switch e.what {
	case "variable":
		return func() (bool, string, error) {
			l := p.find(e.of)
			if l == nil {
				return false, caller(e.of) + " has no call", nil
			}
			v := l.ch.Get(e.name)
			return e.compare.holds(v), is(v), nil
		}, "variable " + e.name + " " + e.compare.String()
	case "global":
		return func() (bool, string, error) {
			v := p.stage.Switch.Globals.Get(e.name)
			return e.compare.holds(v), is(v), nil
		}, "global variable " + e.name + " " + e.compare.String()
	case "bridge":
		return func() (bool, string, error) { return p.bridged(e) }, strings.TrimSpace("bridge to " + e.name)
	case "transfer":
		return func() (bool, string, error) { return p.transferred(e) }, "transfer to " + strings.TrimSpace(e.name+" "+e.sub)
	case "hangup":
		return func() (bool, string, error) { return p.hungUp(e) }, strings.TrimSpace("hangup " + e.name)
	case "event":
		return func() (bool, string, error) { return p.happened(e) }, eventText(e)
	case "log":
		return func() (bool, string, error) { return p.logs(e) }, "a line of the log that " + logText(e.compare)
	case "database":
		return func() (bool, string, error) {
			v, err := p.query(e.name, e.sub)
			return err == nil && e.compare.holds(v), is(v), err
		}, e.name + ": " + e.sub + " " + e.compare.String()
	case "recording":
		return func() (bool, string, error) { return p.recorded(e) }, recordingText(e)
	}
	return func() (bool, string, error) {
		v, err := p.api(e.name)
		v = strings.TrimRight(v, "\n")
		return err == nil && e.compare.holds(v), is(v), err
	}, "command " + e.name + " " + e.compare.String()
}

func is(value string) string {
	if value == "" {
		return "it is empty"
	}
	return fmt.Sprintf("it is %q", value)
}

func logText(c comparison) string {
	if c.how == "matches" {
		return "matches /" + c.value + "/"
	}
	return fmt.Sprintf("contains %q", c.value)
}

// bridged looks whom somebody talks to.
func (p *play) bridged(e expects) (bool, string, error) {
	l := p.find(e.of)
	if l == nil {
		return false, caller(e.of) + " has no call", nil
	}
	other := l.ch.Partner()
	if other == nil {
		if over, cause := l.ended(); over {
			text := caller(e.of) + " is not connected, the call ended with " + cause.String()
			if e.no {
				return false, text, nil
			}
			return false, text, &unmet{strings.TrimSpace("bridge to " + e.name), text}
		}
		return false, caller(e.of) + " is not connected with anybody", nil
	}
	names := []string{other.Name()}
	if o := p.byUUID(other.UUID()); o != nil {
		names = append(names, o.name)
		names = append(names, o.names...)
	}
	return e.name == "" || means(e.name, names), caller(e.of) + " is connected with " + names[len(names)-1], nil
}

// transferred looks where a call has been routed to.
func (p *play) transferred(e expects) (bool, string, error) {
	l := p.find(e.of)
	if l == nil {
		return false, caller(e.of) + " has no call", nil
	}
	now := l.ch.Profile()
	seen := "the call is in " + now.Destination + " of " + now.Context
	for _, ev := range p.happenings() {
		if ev.Get("Unique-ID") == l.ch.UUID() && ev.Get("Caller-Profile-Index") != "1" && ev.Get("Caller-Profile-Index") != "" &&
			ev.Get("Caller-Destination-Number") == e.name && (e.sub == "" || ev.Get("Caller-Context") == e.sub) {
			return true, seen, nil
		}
	}
	if over, cause := l.ended(); over {
		return false, seen, &unmet{"transfer to " + e.name, seen + "; it ended with " + cause.String()}
	}
	return false, seen, nil
}

func (p *play) hungUp(e expects) (bool, string, error) {
	l := p.find(e.of)
	if l == nil {
		return false, caller(e.of) + " has no call", nil
	}
	over, cause := l.ended()
	if !over {
		return false, "the call goes on", nil
	}
	if e.name != "" && cause.String() != e.name {
		return false, "", &unmet{"hangup " + e.name, "the call ended with " + cause.String()}
	}
	return true, "", nil
}

func eventText(e expects) string {
	text := strings.TrimSpace("event " + e.name + " " + e.sub)
	for i, v := range e.with {
		if i == 0 {
			text += " with "
		} else {
			text += ", "
		}
		text += fmt.Sprintf("%s = %q", v.Name, v.Value)
	}
	return text
}

func (p *play) happened(e expects) (bool, string, error) {
	near := ""
	for _, ev := range p.happenings() {
		if !strings.EqualFold(string(ev.Type), e.name) || e.sub != "" && !strings.EqualFold(ev.Subclass, e.sub) {
			continue
		}
		off := ""
		for _, v := range e.with {
			if have := ev.Get(v.Name); have != v.Value {
				off = fmt.Sprintf("there was one with %s = %q", v.Name, have)
				break
			}
		}
		if off == "" {
			return true, "there was one", nil
		}
		near = off
	}
	if near == "" {
		near = "there was none"
	}
	return false, near, nil
}

func (p *play) logs(e expects) (bool, string, error) {
	worst := ""
	for _, l := range p.journal() {
		if e.compare.holds(strings.TrimRight(l.Text, "\n")) {
			if !e.no {
				p.wanted[l] = true
			}
			return true, "there was: " + strings.TrimSpace(l.Text), nil
		}
		if l.Level <= call.LogWarning && l.Level >= call.LogAlert {
			worst = strings.TrimSpace(l.Text)
		}
	}
	if worst != "" {
		return false, fmt.Sprintf("it is not among %d lines; the last warning was: %s", len(p.journal()), worst), nil
	}
	return false, fmt.Sprintf("it is not among %d lines", len(p.journal())), nil
}

// prepare brings a database into the state that a scenario begins with.
func (p *play) prepare(do database) error {
	if do.sql != "" {
		_, err := p.query(do.dsn, do.sql)
		return err
	}
	from := do.from
	if !filepath.IsAbs(from) {
		from = filepath.Join(filepath.Dir(p.file.Name), from)
	}
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if strings.EqualFold(filepath.Ext(from), ".sql") {
		if info.Size() > maxText {
			return fmt.Errorf("%s: %d bytes, at most %d are read", from, info.Size(), maxText)
		}
		text, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		_, err = p.query(do.dsn, string(text))
		return err
	}
	// SQLite makes the copy, so that a database that is in use is copied whole.
	source, err := filepath.Abs(from)
	if err != nil {
		return err
	}
	uri := (&url.URL{Scheme: "file", Path: filepath.ToSlash(source), RawQuery: "mode=ro"}).String()
	_, err = p.query("sqlite://memory://file:copy?mode=memory", "ATTACH "+quoted(uri)+" AS original; VACUUM original INTO "+quoted(p.databaseFile(do.dsn)))
	return err
}

func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// databaseFile is where the database of a name lies on the stage.
func (p *play) databaseFile(dsn string) string {
	name := strings.TrimPrefix(strings.TrimPrefix(dsn, "sqlite://"), "core:")
	if filepath.IsAbs(name) {
		return p.stage.Place(name)
	}
	return filepath.Join(p.stage.Databases.Dir(), name+".db")
}

// query runs SQL and returns the first column of the first row.
func (p *play) query(dsn, sql string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := p.stage.Databases.Conn(ctx, dsn)
	if err != nil {
		return "", err
	}
	defer conn.Release()
	value, any := "", false
	err = conn.Run(ctx, sql, func(_ []string, values []store.Value) bool {
		if !any && len(values) > 0 {
			value, any = values[0].Text, true
		}
		return true
	})
	if err != nil {
		return "", fmt.Errorf("%s: %w", dsn, err)
	}
	return value, nil
}

func recordingText(e expects) string {
	text := "recording " + e.name
	if e.least > 0 {
		text += " of at least " + span(e.least)
	}
	if e.most > 0 {
		text += " of at most " + span(e.most)
	}
	return text
}

// recorded looks for a finished recording. Its length is what the file holds.
func (p *play) recorded(e expects) (bool, string, error) {
	near := "nothing was recorded"
	for _, ev := range p.happenings() {
		if ev.Type != event.RecordStop {
			continue
		}
		path := ev.Get("Record-File-Path")
		if !sameSound(e.name, path) {
			near = "there is " + p.studio.short(path)
			continue
		}
		long, err := p.length(path)
		if errors.Is(err, os.ErrNotExist) {
			near = path + " was recorded, but there is no such file"
			continue
		}
		if err != nil {
			return false, near, err
		}
		if long < e.least || e.most > 0 && long > e.most {
			near = "it lasts " + span(long)
			continue
		}
		return true, near, nil
	}
	return false, near, nil
}

// length is how long a recording lasts.
func (p *play) length(path string) (time.Duration, error) {
	path = p.stage.Place(path)
	if !filepath.IsAbs(path) {
		path = filepath.Join(p.stage.Recordings, path)
	}
	if filepath.Ext(path) == "" {
		path += ".wav"
	}
	a, err := file.Open(path, earRate)
	if err != nil {
		return 0, err
	}
	defer a.Close()
	return time.Duration(a.Len()) * time.Second / time.Duration(a.Rate()), nil
}
