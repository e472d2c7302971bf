package dialplan

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/switchlet/switchlet/conf"
)

// Kind is what a step did.
type Kind string

// The kinds of steps: three tests, and an action that was found.
const (
	TimeTest     Kind = "time"
	FieldTest    Kind = "field"
	AbsoluteTest Kind = "absolute"
	ActionFound  Kind = "action"
)

// maxSteps is how many steps a report keeps; the walk goes on without.
const maxSteps = 10000

// Step is one test of a condition, or one action or anti-action.
type Step struct {
	Extension  string
	Depth      int // of nesting, 0 for the conditions of the extension itself
	File       string
	Line       int
	Kind       Kind
	Field      string // as it is written; of an action the application
	Value      string // what it stood for; of an action its data
	Expression string // expanded; for a time the attributes
	Break      string
	Matched    bool // of an action: it is an action, not an anti-action
	Inline     bool // the action runs while the dialplan is read
}

// String is one line for people.
func (s Step) String() string {
	indent := strings.Repeat("  ", s.Depth)
	where := fmt.Sprintf("%s:%d", path.Base(s.File), s.Line)
	if s.Kind == ActionFound {
		word := ""
		if !s.Matched {
			word = " anti-action"
		}
		if s.Inline {
			word += " inline"
		}
		return fmt.Sprintf("    %s%s(%s)%s %s", indent, s.Field, s.Value, word, where)
	}
	mark := "-"
	if s.Matched {
		mark = "+"
	}
	what := string(s.Kind)
	switch s.Kind {
	case FieldTest:
		what = fmt.Sprintf("%s(%s) =~ /%s/", s.Field, s.Value, s.Expression)
	case TimeTest:
		what = s.Expression
	}
	return fmt.Sprintf("%s %s[%s] %s break=%s %s", mark, indent, s.Extension, what, s.Break, where)
}

// Report is what a hunt looked at and found.
type Report struct {
	Context, Number string
	Steps           []Step
	Cut             bool // there were more steps than are kept
	Actions         []Action
	Found           bool
	Notes           []string // what was logged as wrong
}

// String tells people line by line what was tested, with the values, and how it
// ended.
func (r Report) String() string {
	var b strings.Builder
	tests := 0
	for _, s := range r.Steps {
		if s.Kind != ActionFound {
			tests++
		}
		fmt.Fprintln(&b, s)
	}
	if r.Cut {
		fmt.Fprintf(&b, "(more than %d steps: the rest is left out)\n", maxSteps)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "! %s\n", n)
	}
	switch {
	case r.Found && len(r.Actions) > 0:
		fmt.Fprintf(&b, "%s in context %s: %s, actions: %d, conditions tested: %d\n", r.Number, r.Context, r.Actions[len(r.Actions)-1].Extension, len(r.Actions), tests)
	case r.Found:
		fmt.Fprintf(&b, "%s in context %s: only inline actions, then the call ends, conditions tested: %d\n", r.Number, r.Context, tests)
	default:
		fmt.Fprintf(&b, "%s in context %s: no extension, the call ends with NO_ROUTE_DESTINATION, conditions tested: %d\n", r.Number, r.Context, tests)
	}
	return b.String()
}

// Trace is Hunt with a report of every test, the failed ones too. It has the same
// effects: a caller that only wants to look gives a request whose Inline and
// SetVar do nothing, or work on a copy of the variables.
func Trace(ctx context.Context, section *conf.Node, r Request) (Report, error) {
	report := &Report{}
	log := r.Log
	r.Log = func(level, text string) {
		if level == Error || level == Warning {
			report.note(text)
		}
		if log != nil {
			log(level, text)
		}
	}
	h := newHunter(ctx, r)
	report.Context, report.Number = h.Context, h.Number
	h.report = report
	err := h.hunt(section)
	report.Actions, report.Found = h.actions, h.found
	return *report, err
}

func (r *Report) note(text string) {
	if len(r.Notes) < maxSteps {
		r.Notes = append(r.Notes, text)
	}
}

func (h *hunter) record(p place, s Step) {
	if h.report == nil {
		return
	}
	if len(h.report.Steps) >= maxSteps {
		h.report.Cut = true
		return
	}
	s.Extension, s.Depth, s.Break = p.extension, p.depth, string(p.mode)
	if s.Line == 0 {
		s.File, s.Line = p.cond.File, p.cond.Line
	}
	h.report.Steps = append(h.report.Steps, s)
}
