package dialplan

import (
	"context"
	"fmt"
	"strings"

	"github.com/switchlet/switchlet/conf"
)

// Kind is what a test compared.
type Kind string

// The kinds of tests.
const (
	TimeTest     Kind = "time"
	FieldTest    Kind = "field"
	AbsoluteTest Kind = "absolute"
)

// maxSteps is how many steps a report keeps; the walk goes on without.
const maxSteps = 10000

// Step is one test of a condition.
type Step struct {
	Extension  string
	Depth      int // of nesting, 0 for the conditions of the extension itself
	File       string
	Line       int
	Kind       Kind
	Field      string // as it is written
	Value      string // what it stood for
	Expression string // expanded; for a time the attributes
	Break      string
	Matched    bool
}

// String is one line for people.
func (s Step) String() string {
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
	return fmt.Sprintf("%s %s[%s] %s break=%s %s:%d", mark, strings.Repeat("  ", s.Depth), s.Extension, what, s.Break, s.File, s.Line)
}

// Report is what a hunt looked at and found.
type Report struct {
	Steps   []Step
	Cut     bool // there were more steps than are kept
	Actions []Action
	Found   bool
}

// Trace is Hunt with a report of every test, the failed ones too. It has the same
// effects: a caller that only wants to look gives a request whose Inline and
// SetVar do nothing, or work on a copy of the variables.
func Trace(ctx context.Context, section *conf.Node, r Request) (Report, error) {
	h := newHunter(ctx, r)
	h.report = &Report{}
	err := h.hunt(section)
	h.report.Actions, h.report.Found = h.actions, h.found
	return *h.report, err
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
	s.File, s.Line = p.cond.File, p.cond.Line
	h.report.Steps = append(h.report.Steps, s)
}
