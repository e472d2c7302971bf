package dialplan

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call/regex"
	"github.com/switchlet/switchlet/conf"
)

// Levels of the lines that a hunt logs, by FreeSWITCH's names.
const (
	Debug   = "DEBUG"
	Info    = "INFO"
	Warning = "WARNING"
	Error   = "ERR"
)

const (
	maxDepth   = 100   // of conditions within conditions, as in the reference
	maxActions = 10000 // of one hunt
)

// ErrNoDialplan is returned when there is no dialplan section.
var ErrNoDialplan = errors.New("dialplan: Open of dialplan failed")

// Request is one call that looks for its extension. Functions that are nil are
// taken as doing nothing; all run in the goroutine of the hunt.
type Request struct {
	Context string // empty stands for default
	Number  string // the destination number
	Channel string // the channel's name, for the log

	// Field returns a field of the caller profile, by its name in any case.
	Field func(name string) string
	// Expand replaces ${…} as of now.
	Expand func(text string) string

	Now time.Time // its location is the system's
	// Zone is what tod_tz_offset or timezone ask for; nil is the location of Now.
	Zone *time.Location

	// Inline runs an action marked inline="true".
	Inline func(app, data string) error
	// SetVar sets a variable of the channel; an empty value deletes it. Captures
	// come as DP_MATCH and DP_REGEX_MATCH_n, in the text form of arrays.
	SetVar func(name, value string)
	// Captured changes what $1 and its like put into the data of actions; nil takes it
	// as it is.
	Captured func(text string) string
	// ClearVars deletes the variables whose names begin so.
	ClearVars func(prefix string)
	// Log takes a line without its line end. Without it no line is made.
	Log func(level, text string)

	// AutoHunt starts at the extension that is named like the number.
	AutoHunt bool
	// Regex keeps the compiled patterns; nil compiles every time.
	Regex *regex.Cache
}

// Action is one application to run. A loop="n" has made n of them.
type Action struct {
	App, Data string
	Extension string // the name of the extension it stands in
	File      string // where it is written
	Line      int
}

// Hunt returns the actions of the extensions that match, in order. found tells
// whether any extension had something to do, be it only inline; without it the
// call has no route. An error is the context's, ErrNoDialplan, or that there are
// more than 10000 actions; what the dialplan itself does wrong is logged and
// counts as no match.
func Hunt(ctx context.Context, section *conf.Node, r Request) (actions []Action, found bool, err error) {
	h := newHunter(ctx, r)
	err = h.hunt(section)
	return h.actions, h.found, err
}

// hunter is one walk through a dialplan.
type hunter struct {
	Request
	ctx     context.Context
	actions []Action
	found   bool
	err     error
	report  *Report // only when tracing
}

func newHunter(ctx context.Context, r Request) *hunter {
	if r.Context == "" {
		r.Context = "default"
	}
	if r.Field == nil {
		r.Field = func(string) string { return "" }
	}
	if r.Expand == nil {
		r.Expand = func(s string) string { return s }
	}
	if r.Inline == nil {
		r.Inline = func(string, string) error { return nil }
	}
	if r.SetVar == nil {
		r.SetVar = func(string, string) {}
	}
	if r.ClearVars == nil {
		r.ClearVars = func(string) {}
	}
	if r.Zone == nil {
		r.Zone = r.Now.Location()
	}
	return &hunter{Request: r, ctx: ctx}
}

func (h *hunter) logf(level, format string, args ...any) {
	if h.Log != nil {
		h.Log(level, fmt.Sprintf(format, args...))
	}
}

func (h *hunter) hunt(section *conf.Node) error {
	h.logf(Info, "Processing %s <%s>->%s in context %s", h.Field("caller_id_name"), h.Field("caller_id_number"), h.Number, h.Context)
	if section == nil {
		h.logf(Error, "Open of dialplan failed")
		return ErrNoDialplan
	}
	plan := findContext(section, h.Context)
	if plan == nil {
		h.logf(Warning, "Context %s not found", h.Context)
		return nil
	}
	extensions := plan.ChildrenNamed("extension")
	if h.AutoHunt {
		extensions = from(extensions, h.Number)
	}
	for _, x := range extensions {
		if h.err == nil {
			h.err = h.ctx.Err()
		}
		if h.err != nil {
			return h.err
		}
		name, ok := x.LookupAttr("name")
		if !ok {
			name = "UNKNOWN"
		}
		again, ok := x.LookupAttr("continue")
		if !ok {
			again = "false"
		}
		h.logf(Debug, "Dialplan: %s parsing [%s->%s] continue=%s", h.Channel, h.Context, name, again)
		if h.conditions(x, name, 0) && !isTrue(again) {
			break
		}
	}
	return h.err
}

// findContext finds a context by its name in any case, or else the one called
// global. A section may hold its contexts in a dialplan element.
func findContext(section *conf.Node, name string) *conf.Node {
	if inner := section.Child("dialplan"); inner != nil && section.Child("context") == nil {
		section = inner
	}
	if c := section.Find("context", "name", name); c != nil {
		return c
	}
	return section.Find("context", "name", "global")
}

// from returns the extensions from the one of that name on, or all of them.
func from(extensions []*conf.Node, name string) []*conf.Node {
	for i, x := range extensions {
		if v, ok := x.LookupAttr("name"); ok && strings.EqualFold(v, name) {
			return extensions[i:]
		}
	}
	return extensions
}

// add puts an action at the end of the list, or runs it at once.
func (h *hunter) add(p place, node *conf.Node, data string, anti bool) {
	app := node.Attr("application")
	inline := isTrue(node.Attr("inline"))
	times := 1
	if loop, ok := node.LookupAttr("loop"); ok {
		times = leadingInt(loop)
	}
	h.found = true
	for ; times > 0 && h.err == nil; times-- {
		mark := ""
		if inline {
			mark = "INLINE"
		}
		word := "Action"
		if anti {
			word = "ANTI-Action"
		}
		h.logf(Debug, "%sDialplan: %s %s %s(%s) %s", p.prefix, h.Channel, word, app, data, mark)
		h.record(p, Step{Kind: ActionFound, Field: app, Value: data, Matched: !anti, Inline: inline, File: node.File, Line: node.Line})
		if inline {
			if err := h.Inline(app, data); err != nil {
				h.logf(Error, "%s", err)
			}
			h.err = h.ctx.Err()
			continue
		}
		if len(h.actions) >= maxActions {
			h.err = fmt.Errorf("dialplan: %s:%d: more than %d actions", node.File, node.Line, maxActions)
			return
		}
		h.actions = append(h.actions, Action{App: app, Data: data, Extension: p.extension, File: node.File, Line: node.Line})
	}
}

// dataOf returns what an action's application gets: the element's text, or the
// attribute when there is none.
func dataOf(action *conf.Node) string {
	if action.Text != "" {
		return action.Text
	}
	return action.Attr("data")
}

// expressionOf returns the text of the expression element, or the attribute.
func expressionOf(node *conf.Node) string {
	if e := node.Child("expression"); e != nil {
		return e.Text
	}
	return node.Attr("expression")
}

// isTrue is FreeSWITCH's notion of a true value.
func isTrue(s string) bool {
	switch strings.ToLower(s) {
	case "yes", "on", "true", "t", "enabled", "active", "allow":
		return true
	}
	digits := strings.TrimLeft(s, "+-")
	return strings.Trim(digits, "0123456789.") == "" && leadingInt(s) != 0
}
