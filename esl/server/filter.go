package server

import (
	"strings"

	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/call/regex"
	"github.com/switchlet/switchlet/esl"
)

// maxFilters bounds the filters of one listener.
const maxFilters = 1000

// filter is one row of a listener's filters (spec/esl.md §2.1).
type filter struct {
	header, value string
	compare       string        // value without its mode signs
	negative      bool          // a match drops the event
	pattern       *regex.Regexp // for values that begin with a slash
}

func makeFilter(header, value string) filter {
	f := filter{header: header, value: value, compare: strings.TrimLeft(value, "+- ")}
	signs := value[:len(value)-len(f.compare)]
	f.negative = strings.LastIndexByte(signs, '-') > strings.LastIndexByte(signs, '+')
	if strings.HasPrefix(value, "/") {
		// A pattern that cannot be read matches nothing.
		f.pattern, _ = regex.Compile(value)
	}
	return f
}

func (f *filter) matches(value string) bool {
	if f.pattern != nil {
		_, ok, err := f.pattern.Match(value)
		return ok && err == nil
	}
	return strings.EqualFold(value, f.compare)
}

// passes tells whether an event gets through: one filter fits and no negative one
// does.
func passes(filters []filter, e *event.Event) bool {
	if len(filters) == 0 {
		return true
	}
	send := false
	for i := range filters {
		f := &filters[i]
		if send && !f.negative {
			continue
		}
		value, ok := e.Lookup(f.header)
		if !ok || !f.matches(value) {
			continue
		}
		if f.negative {
			return false
		}
		send = true
	}
	return send
}

// filter is the command: filter [add] HEADER VALUE, filter delete HEADER [VALUE].
func (l *listener) filter(_ *esl.Command, arg string) answer {
	header, value, ok := strings.Cut(strings.TrimLeft(arg, " "), " ")
	if !ok {
		return say("-ERR invalid syntax")
	}
	if strings.EqualFold(header, "delete") {
		header, value, _ = strings.Cut(strings.TrimLeft(value, " "), " ")
		l.deleteFilters(header, value)
		return say("+OK filter deleted. [" + header + "][" + value + "]")
	}
	if strings.EqualFold(header, "add") {
		if header, value, ok = strings.Cut(strings.TrimLeft(value, " "), " "); !ok {
			return say("+OK filter added. [" + header + "]=[(null)]")
		}
	}
	if len(l.filters) >= maxFilters {
		return say("-ERR too many filters")
	}
	if value != "" {
		l.filters = append(l.filters, makeFilter(header, value))
	}
	return say("+OK filter added. [" + header + "]=[" + value + "]")
}

func (l *listener) deleteFilters(header, value string) {
	kept := l.filters[:0]
	for _, f := range l.filters {
		if !strings.EqualFold(header, "all") && (!strings.EqualFold(f.header, header) || value != "" && f.value != value) {
			kept = append(kept, f)
		}
	}
	clear(l.filters[len(kept):])
	l.filters = kept
}
