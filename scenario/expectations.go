package scenario

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/switchlet/switchlet/call"
)

// parseExpect reads what follows "expect" or "expect no".
func parseExpect(w *words, no bool) (action, error) {
	e := expects{no: no, within: settleTime}
	var err error
	if e.what, err = w.word("what is expected"); err != nil {
		return nil, err
	}
	fill, ok := expectations[e.what]
	if !ok || no && e.what != "log" && e.what != "event" && e.what != "bridge" {
		return nil, fmt.Errorf("%q cannot be expected", e.what)
	}
	if err := fill(w, &e); err != nil {
		return nil, err
	}
	if e.within, err = w.optional("within", e.within); err != nil {
		return nil, err
	}
	return e, nil
}

// expectations read the rest of what is expected, but for "within".
var expectations = map[string]func(*words, *expects) error{
	"variable": func(w *words, e *expects) (err error) {
		if e.name, err = w.word("a variable"); err != nil {
			return err
		}
		if err = e.whose(w); err != nil {
			return err
		}
		e.compare, err = parseComparison(w)
		return err
	},
	"global": func(w *words, e *expects) (err error) {
		if e.name, err = w.word("a variable"); err != nil {
			return err
		}
		e.compare, err = parseComparison(w)
		return err
	},
	"bridge": func(w *words, e *expects) (err error) {
		if err = e.whose(w); err != nil || !w.accept("to") {
			return err
		}
		e.within = patience
		e.name, err = w.word("a name")
		return err
	},
	"transfer": func(w *words, e *expects) (err error) {
		e.within = patience
		if err = e.whose(w); err != nil {
			return err
		}
		if !w.accept("to") {
			return errors.New("where to?")
		}
		if e.name, err = w.word("an extension"); err == nil && w.accept("in") {
			e.sub, err = w.word("a context")
		}
		return err
	},
	"hangup": func(w *words, e *expects) (err error) {
		e.within = patience
		if err = e.whose(w); err != nil || w.ended() || w.peek() == "within" {
			return err
		}
		c, err := parseCause(w)
		e.name = c.String()
		return err
	},
	"event": func(w *words, e *expects) (err error) {
		if e.name, err = w.word("the name of an event"); err != nil {
			return err
		}
		if next := w.peek(); next != "" && next != "with" && next != "within" {
			if e.sub, err = w.word("a subclass"); err != nil {
				return err
			}
		}
		if !w.accept("with") {
			return nil
		}
		for {
			name, err := w.word("a header")
			if err != nil {
				return err
			}
			if !w.accept("=") {
				return fmt.Errorf("want %s = VALUE, with blanks around the =", name)
			}
			value, err := w.word("a value")
			if err != nil {
				return err
			}
			bare, more := strings.CutSuffix(value, ",")
			more = more || w.accept(",")
			e.with = append(e.with, call.Var{Name: name, Value: bare})
			if !more {
				return nil
			}
		}
	},
	"log": func(w *words, e *expects) error {
		text, err := w.value("a text")
		if err != nil {
			return err
		}
		e.compare, err = textOrRegexp(text)
		return err
	},
	"database": func(w *words, e *expects) (err error) {
		if e.name, err = w.word("a database"); err != nil {
			return err
		}
		if e.sub, err = w.word("SQL in quotes"); err != nil {
			return err
		}
		e.compare, err = parseComparison(w)
		return err
	},
	"recording": func(w *words, e *expects) (err error) {
		if e.name, err = w.word("a file"); err != nil {
			return err
		}
		for err == nil {
			switch {
			case w.acceptWords("at least"):
				e.least, err = w.duration()
			case w.acceptWords("at most"):
				e.most, err = w.duration()
			default:
				return nil
			}
		}
		return err
	},
	"api": func(w *words, e *expects) (err error) {
		if e.name, err = w.word("a command in quotes"); err != nil {
			return err
		}
		e.compare, err = parseComparison(w)
		return err
	},
}

// whose reads "of WHO".
func (e *expects) whose(w *words) (err error) {
	if !w.accept("of") {
		return nil
	}
	if e.of, err = w.word("a name"); e.of == callerName {
		e.of = ""
	}
	return err
}

func parseComparison(w *words) (comparison, error) {
	switch {
	case w.accept("="), w.accept("gives"):
		v, err := w.value("a value")
		return comparison{how: "=", value: v}, err
	case w.accept("!="):
		v, err := w.value("a value")
		return comparison{how: "!=", value: v}, err
	case w.acceptWords("is unset"):
		return comparison{how: "unset"}, nil
	case w.acceptWords("is set"):
		return comparison{how: "set"}, nil
	case w.accept("contains"):
		v, err := w.value("a text")
		return comparison{how: "contains", value: v}, err
	case w.accept("matches"):
		v, err := w.value("a regular expression")
		if err != nil {
			return comparison{}, err
		}
		if len(v) < 2 || v[0] != '/' || v[len(v)-1] != '/' {
			return comparison{}, fmt.Errorf("%q: want /REGEX/", v)
		}
		return textOrRegexp(v)
	}
	return comparison{}, fmt.Errorf("want =, !=, contains, matches, is set or is unset, not %q", w.rest())
}

// textOrRegexp takes /…/ for a regular expression and all else for a text that is
// contained.
func textOrRegexp(s string) (comparison, error) {
	if len(s) > 2 && s[0] == '/' && s[len(s)-1] == '/' {
		expr, err := regexp.Compile(s[1 : len(s)-1])
		if err != nil {
			return comparison{}, err
		}
		return comparison{how: "matches", value: s[1 : len(s)-1], expr: expr}, nil
	}
	return comparison{how: "contains", value: s}, nil
}
