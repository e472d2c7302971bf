package scenario

import (
	"fmt"
	"strings"
	"time"
)

// Bounds of a file of scenarios.
const (
	maxText      = 1 << 20 // bytes of a file
	maxLine      = 16 << 10
	maxScenarios = 1000
	maxSteps     = 1000 // of one scenario
	maxDigits    = 200
	maxWait      = 24 * time.Hour
)

// File is a text of scenarios.
type File struct {
	Name      string // for messages
	Script    string // of the line "script", "" without one
	Scenarios []*Scenario
}

// Scenario is one story: steps that are taken one after the other.
type Scenario struct {
	Name  string
	Line  int
	Steps []Step
}

// Step is one line of a scenario.
type Step struct {
	Line int
	Text string // as it is written
	Who  string // whose step it is; "" is the caller
	do   action
}

// action is what a step does: one of the types of actions.go.
type action any

// SyntaxError is a line that is no step.
type SyntaxError struct {
	File string
	Line int
	Text string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Text) }

// Parse reads scenarios. Lines before the first one that begins with "scenario"
// belong to every scenario. The error is a *SyntaxError.
func Parse(name, text string) (*File, error) {
	f := &File{Name: name}
	fail := func(line int, format string, args ...any) (*File, error) {
		return nil, &SyntaxError{name, line, fmt.Sprintf(format, args...)}
	}
	if len(text) > maxText {
		return fail(1, "%d bytes, at most %d are read", len(text), maxText)
	}
	text = strings.TrimPrefix(text, "\ufeff")
	var common []Step
	var now *Scenario
	seen := map[string]int{}
	for i, raw := range strings.Split(text, "\n") {
		n := i + 1
		raw = strings.TrimSpace(raw)
		if raw == "" || raw[0] == '#' {
			continue
		}
		if len(raw) > maxLine {
			return fail(n, "line of %d bytes, at most %d are read", len(raw), maxLine)
		}
		w := newWords(raw)
		switch {
		case w.accept("scenario"):
			title, err := w.last("the name of the scenario")
			if err != nil {
				return fail(n, "%v", err)
			}
			if before, twice := seen[title]; twice {
				return fail(n, "there is a scenario %q in line %d already", title, before)
			}
			if len(f.Scenarios) == maxScenarios {
				return fail(n, "more than %d scenarios", maxScenarios)
			}
			seen[title] = n
			now = &Scenario{Name: title, Line: n, Steps: append([]Step(nil), common...)}
			f.Scenarios = append(f.Scenarios, now)
			continue
		case now == nil && w.accept("script"):
			script, err := w.last("the file of the script")
			if err != nil {
				return fail(n, "%v", err)
			}
			f.Script = script
			continue
		}
		s, err := parseStep(w)
		if err != nil {
			return fail(n, "%v", err)
		}
		s.Line, s.Text = n, raw
		if now == nil {
			common = append(common, s)
			continue
		}
		if len(now.Steps) == maxSteps {
			return fail(n, "more than %d steps in one scenario", maxSteps)
		}
		now.Steps = append(now.Steps, s)
	}
	if len(common) > maxSteps {
		return fail(1, "more than %d steps before the first scenario", maxSteps)
	}
	if len(f.Scenarios) == 0 {
		return fail(1, "no scenario; begin one with: scenario \"what it shows\"")
	}
	return f, nil
}

// parseStep reads one line: [WHO] VERB …
func parseStep(w *words) (Step, error) {
	for _, who := range []bool{false, true} {
		var s Step
		at := *w
		if who {
			word, err := at.word("a step")
			if err != nil {
				return Step{}, err
			}
			s.Who = word
			if word == callerName {
				s.Who = ""
			}
		}
		for i := range verbs {
			v := &verbs[i]
			if !at.acceptWords(v.words) {
				continue
			}
			if who && v.nobody {
				return Step{}, fmt.Errorf("%q is nobody's step: leave %q out; %s", v.words, s.Who, v.usage)
			}
			do, err := v.parse(&at)
			if err == nil && !at.ended() {
				err = fmt.Errorf("what is %q?", at.rest())
			}
			if err != nil {
				return Step{}, fmt.Errorf("%w; usage: %s", err, v.usage)
			}
			s.do = do
			return s, nil
		}
	}
	first, _ := w.word("a step")
	return Step{}, fmt.Errorf("%q begins no step%s", first, nearest(first))
}

// nearest suggests a verb.
func nearest(word string) string {
	best, name := 3, ""
	for _, v := range verbs {
		first, _, _ := strings.Cut(v.words, " ")
		if d := distance(strings.ToLower(word), first); d < best {
			best, name = d, v.usage
		}
	}
	if name == "" {
		return "; \"switchlet test -steps\" lists them"
	}
	return "; did you mean: " + name
}

// distance is how many letters must change to make one word of another.
func distance(a, b string) int {
	if len(a) > 32 || len(b) > 32 {
		return 32
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		corner := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			corner, row[j] = row[j], min(row[j]+1, row[j-1]+1, corner+cost)
		}
	}
	return row[len(b)]
}

// Usage lists the steps, one a line.
func Usage() []string {
	out := make([]string, 0, len(verbs))
	for _, v := range verbs {
		out = append(out, v.usage)
	}
	return out
}
