package dialplan

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/switchlet/switchlet/call/expand"
	"github.com/switchlet/switchlet/call/regex"
	"github.com/switchlet/switchlet/conf"
)

// marker is the extension that stands first in the context of every case.
const marker = `<extension name="cf_continue_marker" continue="true">
  <condition field="destination_number" expression="^cf_marked_">
    <action application="set" data="cf_marker=seen"/>
  </condition>
</extension>`

// TestRecordedCases plays what was recorded from the reference: extensions, a
// call, and the applications that ran with their expanded data.
func TestRecordedCases(t *testing.T) {
	text, err := os.ReadFile("testdata/dialplan.txt")
	if err != nil {
		t.Fatal(err)
	}
	for block := range strings.SplitSeq(strings.TrimPrefix(string(text), "=== "), "\n=== ") {
		name, body, _ := strings.Cut(block, "\n")
		t.Run(name, func(t *testing.T) { playCase(t, body) })
	}
}

func playCase(t *testing.T, body string) {
	var xml strings.Builder
	var number string
	var calls [][]string
	inXML := false
	for line := range strings.Lines(body) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case line == "dialplan":
			inXML = true
		case strings.HasPrefix(line, "apps "):
			inXML = false
			number = strings.TrimPrefix(line, "apps ")
			calls = append(calls, []string{number})
		case inXML:
			xml.WriteString(line + "\n")
		case strings.HasPrefix(line, "| "):
			last := len(calls) - 1
			calls[last] = append(calls[last], strings.TrimPrefix(line, "| "))
		}
	}
	section := parseXML(t, `<section name="dialplan"><context name="conformance">`+marker+xml.String()+`</context></section>`)
	if len(calls) == 0 {
		t.Fatal("case without a call")
	}
	for _, call := range calls {
		got := runCall(t, section, call[0])
		if want := strings.Join(call[1:], "\n"); got != want {
			t.Errorf("%s:\n got %s\nwant %s", call[0], got, want)
		}
	}
}

func parseXML(t testing.TB, text string) *conf.Node {
	t.Helper()
	n, err := conf.Parse(text, "cases.xml")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// channel is as much of a channel as the recorded cases need.
type channel struct {
	vars map[string]string
	log  []string
}

func (c *channel) Variable(name string) (string, bool) {
	v, ok := c.vars[name]
	return v, ok
}

func (c *channel) Command(name, args string) string {
	switch name {
	case "toupper":
		return strings.ToUpper(args)
	case "expr":
		a, b, _ := strings.Cut(args, "+")
		x, _ := strconv.Atoi(a)
		y, _ := strconv.Atoi(b)
		return strconv.Itoa(x + y)
	case "regex":
		f := expand.SplitSeparate(args, '|', 3)
		re, err := regex.Compile(f[1])
		if err != nil {
			return "-ERR"
		}
		groups, _, _ := re.Match(f[0])
		return regex.Substitute(f[2], groups)
	}
	return ""
}

func (c *channel) set(name, value string) {
	if value == "" {
		delete(c.vars, name)
		return
	}
	c.vars[name] = value
}

// run executes one action and returns the cause of a hang-up.
func (c *channel) run(a Action) (line, cause string) {
	data := expand.Expand(a.Data, c)
	name, value, _ := strings.Cut(data, "=")
	switch a.App {
	case "set":
		c.set(name, value)
	case "push":
		c.set(name, expand.Push(c.vars[name], value))
	case "unshift":
		c.set(name, expand.Unshift(c.vars[name], value))
	case "export":
		exported := name
		if local, ok := strings.CutPrefix(name, "nolocal:"); !ok {
			c.set(local, value)
		}
		if old := c.vars["export_vars"]; old != "" {
			exported = old + "," + exported
		}
		c.set("export_vars", exported)
	case "hangup":
		cause = data
	}
	return fmt.Sprintf("%s(%s)", a.App, data), cause
}

// runCall makes the call that an apps line describes:
// NUMBER [{variables}] [dialplan] [context].
func runCall(t *testing.T, section *conf.Node, line string) string {
	f := expand.SplitSeparate(line, ' ', 4)
	c := &channel{vars: map[string]string{}}
	if len(f) > 1 {
		for pair := range strings.SplitSeq(strings.Trim(f[1], "{}"), ",") {
			name, value, _ := strings.Cut(pair, "=")
			c.set(name, value)
		}
	}
	var out []string
	var actions []Action
	found := true
	if len(f) > 2 && f[2] == "inline" {
		// The line's own quoting leaves one level of escapes to the splitter.
		actions = Inline(strings.Trim(line[:strings.Index(line, " {")], "'"))
	} else {
		r := Request{Context: "conformance", Number: f[0], Channel: "null/x", Now: time.Date(2026, 11, 21, 14, 30, 5, 0, time.UTC)}
		if len(f) > 3 {
			r.Context = f[3]
		}
		r.Field = func(name string) string {
			if name == "destination_number" {
				return f[0]
			}
			return ""
		}
		r.Expand = func(s string) string { return expand.Expand(s, c) }
		r.SetVar = c.set
		r.Log = func(level, text string) { c.log = append(c.log, level+" "+text) }
		r.Inline = func(app, data string) error {
			line, _ := c.run(Action{App: app, Data: data})
			out = append(out, line)
			return nil
		}
		var err error
		if actions, found, err = Hunt(context.Background(), section, r); err != nil {
			t.Fatal(err)
		}
	}
	if !found {
		return "=> NO_ROUTE_DESTINATION"
	}
	for _, a := range actions {
		line, cause := c.run(a)
		out = append(out, line)
		if cause != "" {
			return strings.Join(append(out, "=> "+cause), "\n")
		}
	}
	return strings.Join(append(out, "=> NORMAL_CLEARING"), "\n")
}
