package regex

import (
	"fmt"
	"strings"
)

// keepGroup is the name of the empty group that stands for \K.
const keepGroup = "switchlet_keep"

// maxNesting bounds the parentheses of a pattern, for the engines' parsers are
// recursive.
const maxNesting = 200

// translation is a pattern in the engines' syntax, and what was seen in it.
type translation struct {
	text     string
	perlOnly bool // needs the backtracking engine
	keep     bool // has a \K
	dollar   bool // has a $ or \Z
}

// translate turns a PCRE pattern into the syntax of the backtracking engine
// (perl) or of the standard library. Patterns match bytes: every byte of the
// subject is one character, and \d, \w, \s and POSIX classes mean ASCII.
func translate(pattern string, perl bool) (translation, error) {
	groups, names := countGroups(pattern)
	t := translator{src: pattern, perl: perl, groups: groups, names: names}
	if err := t.run(); err != nil {
		return translation{}, err
	}
	t.done.text = t.out.String()
	return t.done, nil
}

type translator struct {
	src    string
	pos    int
	perl   bool
	out    outBuffer
	done   translation
	groups int            // how many capturing groups the pattern has
	names  map[string]int // the numbers of those that have names
	open   []group
	group  group // the innermost one
	atom   int   // where the last atom starts in out, -1 for none
	again  bool  // that atom already has a quantifier
}

// outBuffer is a string builder in which an atom can be wrapped afterwards.
type outBuffer struct{ b []byte }

func (o *outBuffer) str(s string)   { o.b = append(o.b, s...) }
func (o *outBuffer) String() string { return string(o.b) }
func (o *outBuffer) wrap(from int, before, after string) {
	inner := string(o.b[from:])
	o.b = append(o.b[:from], before...)
	o.b = append(o.b, inner...)
	o.b = append(o.b, after...)
}

// group is an open parenthesis.
type group struct {
	start    int  // in out
	extended bool // the x flag in force inside
}

func (t *translator) fail(format string, args ...any) error {
	return &SyntaxError{Pattern: t.src, Offset: min(t.pos, len(t.src)), Message: fmt.Sprintf(format, args...)}
}

func (t *translator) rest() string { return t.src[t.pos:] }

func (t *translator) has(prefix string) bool { return strings.HasPrefix(t.rest(), prefix) }

func (t *translator) run() error {
	t.atom = -1
	for t.pos < len(t.src) {
		if err := t.step(); err != nil {
			return err
		}
	}
	if len(t.open) > 0 {
		return t.fail("missing closing parenthesis")
	}
	return nil
}

func (t *translator) step() error {
	c := t.src[t.pos]
	if t.group.extended && t.skipExtended() {
		return nil
	}
	switch c {
	case '\\':
		return t.escape()
	case '[':
		return t.class()
	case '(':
		return t.openGroup()
	case ')':
		return t.closeGroup()
	case '*', '+', '?', '{':
		return t.quantifier()
	case '|':
		t.out.str("|")
		t.atom = -1
		t.pos++
	case '^', '$', '.':
		if c == '$' {
			t.done.dollar = true
		}
		t.emit(string(c))
		t.pos++
	default:
		t.emit(literal(c))
		t.pos++
	}
	return nil
}

// emit writes one atom.
func (t *translator) emit(s string) {
	t.atom, t.again = len(t.out.b), false
	t.out.str(s)
}

// skipExtended passes over blanks and comments of the x flag.
func (t *translator) skipExtended() bool {
	switch t.src[t.pos] {
	case ' ', '\t', '\n', '\v', '\f', '\r':
		t.pos++
		return true
	case '#':
		end := strings.IndexByte(t.rest(), '\n')
		if end < 0 {
			end = len(t.rest()) - 1
		}
		t.pos += end + 1
		return true
	}
	return false
}

// quantifier reads *, +, ?, {n,m} and what may follow: ? for lazy, + for
// possessive. A brace that counts nothing is itself.
func (t *translator) quantifier() error {
	size := 1
	if t.src[t.pos] == '{' {
		if size = countSize(t.rest()); size == 0 {
			t.emit(`\{`)
			t.pos++
			return nil
		}
	}
	if t.atom < 0 {
		return t.fail("quantifier does not follow a repeatable item")
	}
	if t.again {
		t.out.wrap(t.atom, "(?:", ")")
	}
	t.again = true
	t.out.str(t.src[t.pos : t.pos+size])
	t.pos += size
	switch {
	case t.has("?"):
		t.out.str("?")
		t.pos++
	case t.has("+"):
		t.done.perlOnly = true
		t.out.wrap(t.atom, "(?>", ")")
		t.pos++
	}
	return nil
}

// countSize returns the length of {n}, {n,} or {n,m} at the start of s, 0 for
// anything else.
func countSize(s string) int {
	end := strings.IndexByte(s, '}')
	if end < 2 || end > 12 {
		return 0
	}
	low, high, ranged := strings.Cut(s[1:end], ",")
	if !digits(low) || low == "" || ranged && !digits(high) {
		return 0
	}
	return end + 1
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// literal writes a byte so that it means itself in both engines.
func literal(c byte) string {
	if c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' {
		return string([]byte{c})
	}
	return fmt.Sprintf(`\x%02x`, c)
}
