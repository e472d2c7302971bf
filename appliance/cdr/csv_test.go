package cdr

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/conf"
)

// world knows one global variable and one command, and what was run.
type world struct{ ran []string }

func (w *world) Variable(name string) (string, bool) {
	if name == "hostname" {
		return "box", true
	}
	return "", false
}

func (w *world) Command(name, args string) string {
	w.ran = append(w.ran, name)
	return strings.ToUpper(args)
}

func ended(headers ...string) *event.Event {
	e := event.New(event.ChannelHangupComplete, "")
	for i := 0; i+1 < len(headers); i += 2 {
		e.Add(headers[i], headers[i+1])
	}
	return e
}

func parse(t *testing.T, text string) *conf.Node {
	t.Helper()
	n, err := conf.Parse(text, "cdr_csv.conf.xml")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func lines(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	entries, err := os.ReadDir(filepath.Join(dir, "cdr-csv"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, "cdr-csv", e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = string(text)
	}
	return out
}

const tree = `<configuration name="cdr_csv.conf"><settings><param name="default-template" value="short"/>%s</settings>
<templates><template name="short">${caller_id_number};${uuid}</template><template name="acme">${hostname} ${echo(${duration})}</template></templates></configuration>`

func TestCSV_WritesWhatIsConfigured(t *testing.T) {
	alice := []string{"Unique-ID", "u1", "Caller-Unique-ID", "u1", "Caller-Caller-ID-Number", "1000", "variable_duration", "5s"}
	for _, c := range []struct {
		name, settings string
		headers        []string
		want           map[string]string
	}{
		{"the default template", "", alice, map[string]string{"Master.csv": "1000;u1\n"}},
		{"an account without a template", "", append([]string{"variable_accountcode", "77"}, alice...),
			map[string]string{"Master.csv": "1000;u1\n", "77.csv": "1000;u1\n"}},
		{"an account with a template", "", append([]string{"variable_accountcode", "acme"}, alice...),
			map[string]string{"Master.csv": "1000;u1\n", "acme.csv": "box 5S\n"}},
		{"the master file only", `<param name="master-file-only" value="true"/>`, append([]string{"variable_accountcode", "77"}, alice...),
			map[string]string{"Master.csv": "1000;u1\n"}},
		{"not the called leg", "", append([]string{"Other-Type", "originator"}, alice...), map[string]string{}},
		{"both legs", `<param name="legs" value="ab"/>`, append([]string{"Other-Type", "originator"}, alice...),
			map[string]string{"Master.csv": "1000;u1\n"}},
		{"not the calling leg", `<param name="legs" value="b"/>`, append([]string{"Other-Type", "originatee"}, alice...), map[string]string{}},
		{"an account cannot leave the directory", "", append([]string{"variable_accountcode", "../../x"}, alice...),
			map[string]string{"Master.csv": "1000;u1\n", "_.._x.csv": "1000;u1\n"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			f := readCSV(parse(t, fmt.Sprintf(tree, c.settings)), dir, t.Errorf)
			e := ended(c.headers...)
			r := fromEvent(e)
			f.failed = func(err error) { t.Error(err) }
			f.write(&r, e, &world{})
			f.flush()
			if got := lines(t, dir); fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("files are %q, want %q", got, c.want)
			}
		})
	}
}

func TestCSV_WhatACallerSentIsNotExpanded(t *testing.T) {
	w := &world{}
	e := ended("Caller-Caller-ID-Number", "${hupall()}", "Caller-Unique-ID", "u1")
	if got := fill("${caller_id_number};${uuid};${echo(x)}", e, w); got != "${hupall()};u1;X" {
		t.Errorf("line is %q", got)
	}
	if len(w.ran) != 1 || w.ran[0] != "echo" {
		t.Errorf("commands run: %q, want echo alone", w.ran)
	}
}

func TestCSV_RotateMovesFilesAway(t *testing.T) {
	dir := t.TempDir()
	f := readCSV(parse(t, fmt.Sprintf(tree, "")), dir, t.Errorf)
	if err := f.rotate(time.Now()); err != nil {
		t.Errorf("rotating nothing: %v", err)
	}
	e := ended("Caller-Caller-ID-Number", "1000", "Caller-Unique-ID", "u1")
	r := fromEvent(e)
	for range 2 {
		f.write(&r, e, &world{})
	}
	if err := f.rotate(time.Date(2026, 11, 21, 12, 30, 5, 0, time.Local)); err != nil {
		t.Fatal(err)
	}
	got := lines(t, dir)
	if want := map[string]string{"Master.csv.2026-11-21-12-30-05": "1000;u1\n1000;u1\n"}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("files are %q, want %q", got, want)
	}
}

func TestRecord_ProcessCDR(t *testing.T) {
	caller, called, alone := Record{hasOriginatees: true}, Record{originated: true}, Record{}
	for _, c := range []struct {
		process               string
		caller, called, alone bool
	}{
		{"", true, true, true}, {"true", true, true, true}, {"false", false, false, false},
		{"a_only", true, false, true}, {"b_only", false, true, true},
	} {
		if a, b, x := caller.wanted(c.process), called.wanted(c.process), alone.wanted(c.process); a != c.caller || b != c.called || x != c.alone {
			t.Errorf("process_cdr=%q: caller %v, called %v, alone %v; want %v, %v, %v", c.process, a, b, x, c.caller, c.called, c.alone)
		}
	}
}

func FuzzFill(f *testing.F) {
	f.Add("${caller_id_number:0:2}${aleg_ani}", "${x}")
	f.Add("${bleg_uuid}$${hostname}", "\x000\x00")
	f.Add("${ ", "(")
	f.Fuzz(func(t *testing.T, template, value string) {
		w := &world{}
		fill(template, ended("Caller-Caller-ID-Number", value, "variable_x", value), w)
		// A template names a command by a bracket, or by a space before its arguments.
		if strings.Contains(value, "(") && !strings.ContainsAny(template, "( ") && len(w.ran) > 0 {
			t.Errorf("%q with %q ran %q", template, value, w.ran)
		}
	})
}

func TestCSV_ADirectoryThatCannotBeMadeIsToldAndNothingPilesUp(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f := readCSV(parse(t, fmt.Sprintf(tree, "")), dir, t.Errorf)
	failures := 0
	f.failed = func(error) { failures++ }
	e := ended("Caller-Caller-ID-Number", strings.Repeat("1", csvBuffer), "Caller-Unique-ID", "u1")
	r := fromEvent(e)
	for range 3 {
		f.write(&r, e, &world{})
	}
	if failures != 3 || f.bytes != 0 {
		t.Errorf("%d failures, %d bytes wait", failures, f.bytes)
	}
}
