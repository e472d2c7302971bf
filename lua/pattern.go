package lua

import (
	"errors"
	"fmt"
	"strings"
)

// Bounds of pattern matching, those of Lua 5.2.
const (
	maxCaptures   = 32
	maxMatchDepth = 200
	// stepsBetweenChecks is how many steps pass until the matcher looks whether it
	// shall stop.
	stepsBetweenChecks = 1 << 16
)

// Marks in capture.length.
const (
	capturePosition = -1
	captureOpen     = -2
)

type capture struct{ start, length int }

// matcher matches one Lua pattern (Lua 5.2 manual §6.4.1) against one subject.
// It goes through the pattern recursively where there is a choice, and straight
// on where there is none.
type matcher struct {
	subject, pattern string
	captures         [maxCaptures]capture
	level            int
	depth            int
	steps            int
	stopped          func() error // asked now and then
	err              error
}

var (
	errPatternEnd     = errors.New("malformed pattern (ends with '%')")
	errPatternBracket = errors.New("malformed pattern (missing ']')")
	errPatternBalance = errors.New("malformed pattern (missing arguments to '%b')")
	errPatternFront   = errors.New("missing '[' after '%f' in pattern")
	errPatternDeep    = errors.New("pattern too complex")
	errCaptures       = errors.New("too many captures")
	errCapture        = errors.New("invalid pattern capture")
	errUnfinished     = errors.New("unfinished capture")
)

// fail records the first error; a failed match never succeeds.
func (m *matcher) fail(err error) int {
	if m.err == nil {
		m.err = err
	}
	return -1
}

// at tries the pattern at one place of the subject and returns where the match
// ends, -1 for none.
func (m *matcher) at(start int, p int) int {
	m.level = 0
	return m.match(start, p)
}

// tick counts a step and reports whether to go on.
func (m *matcher) tick() bool {
	if m.err != nil {
		return false
	}
	if m.steps++; m.steps%stepsBetweenChecks == 0 && m.stopped != nil {
		if err := m.stopped(); err != nil {
			m.err = err
			return false
		}
	}
	return true
}

// match matches the pattern from p against the subject from s.
func (m *matcher) match(s, p int) int {
	if m.depth++; m.depth > maxMatchDepth {
		return m.fail(errPatternDeep)
	}
	defer func() { m.depth-- }()
	for p < len(m.pattern) {
		if !m.tick() {
			return -1
		}
		switch c := m.pattern[p]; {
		case c == '(':
			if strings.HasPrefix(m.pattern[p:], "()") {
				return m.open(s, p+2, capturePosition)
			}
			return m.open(s, p+1, captureOpen)
		case c == ')':
			return m.close(s, p+1)
		case c == '$' && p+1 == len(m.pattern):
			if s == len(m.subject) {
				return s
			}
			return -1
		case c == '%' && p+1 < len(m.pattern) && m.pattern[p+1] == 'b':
			if s = m.balance(s, p+2); s < 0 {
				return -1
			}
			p += 4
			continue
		case c == '%' && p+1 < len(m.pattern) && m.pattern[p+1] == 'f':
			next, ok := m.frontier(s, p+2)
			if !ok {
				return -1
			}
			p = next
			continue
		case c == '%' && p+1 < len(m.pattern) && m.pattern[p+1] >= '0' && m.pattern[p+1] <= '9':
			if s = m.back(s, m.pattern[p+1]); s < 0 {
				return -1
			}
			p += 2
			continue
		}
		end := m.classEnd(p)
		if end < 0 {
			return -1
		}
		repeat := byte(0)
		if end < len(m.pattern) {
			repeat = m.pattern[end]
		}
		switch repeat {
		case '?':
			if m.single(s, p, end) {
				if r := m.match(s+1, end+1); r >= 0 || m.err != nil {
					return r
				}
			}
			p = end + 1
		case '+':
			if !m.single(s, p, end) {
				return -1
			}
			return m.longest(s+1, p, end)
		case '*':
			return m.longest(s, p, end)
		case '-':
			return m.shortest(s, p, end)
		default:
			if !m.single(s, p, end) {
				return -1
			}
			s++
			p = end
		}
	}
	return s
}

// longest takes as many characters of a class as there are, then gives back.
func (m *matcher) longest(s, p, end int) int {
	n := 0
	for m.single(s+n, p, end) {
		n++
	}
	for ; n >= 0; n-- {
		if !m.tick() {
			return -1
		}
		if r := m.match(s+n, end+1); r >= 0 {
			return r
		}
	}
	return -1
}

// shortest takes as few characters of a class as will do.
func (m *matcher) shortest(s, p, end int) int {
	for m.tick() {
		if r := m.match(s, end+1); r >= 0 {
			return r
		}
		if !m.single(s, p, end) {
			return -1
		}
		s++
	}
	return -1
}

func (m *matcher) open(s, p, kind int) int {
	if m.level >= maxCaptures {
		return m.fail(errCaptures)
	}
	m.captures[m.level] = capture{s, kind}
	m.level++
	r := m.match(s, p)
	if r < 0 {
		m.level--
	}
	return r
}

func (m *matcher) close(s, p int) int {
	for i := m.level - 1; i >= 0; i-- {
		if m.captures[i].length != captureOpen {
			continue
		}
		m.captures[i].length = s - m.captures[i].start
		r := m.match(s, p)
		if r < 0 {
			m.captures[i].length = captureOpen
		}
		return r
	}
	return m.fail(errCapture)
}

// back matches what a capture has matched.
func (m *matcher) back(s int, digit byte) int {
	i := int(digit - '1')
	if i < 0 || i >= m.level || m.captures[i].length == captureOpen {
		return m.fail(fmt.Errorf("invalid capture index %%%d", i+1))
	}
	c := m.captures[i]
	if c.length < 0 || !strings.HasPrefix(m.subject[s:], m.subject[c.start:c.start+c.length]) {
		return -1
	}
	return s + c.length
}

// balance matches %bxy.
func (m *matcher) balance(s, p int) int {
	if p+1 >= len(m.pattern) {
		return m.fail(errPatternBalance)
	}
	first, last := m.pattern[p], m.pattern[p+1]
	if s >= len(m.subject) || m.subject[s] != first {
		return -1
	}
	open := 1
	for i := s + 1; i < len(m.subject); i++ {
		switch m.subject[i] {
		case last:
			if open--; open == 0 {
				return i + 1
			}
		case first:
			open++
		}
	}
	return -1
}

// frontier matches %f[set]: where the set begins.
func (m *matcher) frontier(s, p int) (next int, ok bool) {
	if p >= len(m.pattern) || m.pattern[p] != '[' {
		m.fail(errPatternFront)
		return 0, false
	}
	end := m.classEnd(p)
	if end < 0 {
		return 0, false
	}
	var before, after byte
	if s > 0 {
		before = m.subject[s-1]
	}
	if s < len(m.subject) {
		after = m.subject[s]
	}
	return end, !inSet(before, m.pattern[p:end]) && inSet(after, m.pattern[p:end])
}

// classEnd is where the single-character class at p ends.
func (m *matcher) classEnd(p int) int {
	c := m.pattern[p]
	p++
	switch c {
	case '%':
		if p >= len(m.pattern) {
			return m.fail(errPatternEnd)
		}
		return p + 1
	case '[':
		if p < len(m.pattern) && m.pattern[p] == '^' {
			p++
		}
		for first := true; ; first = false {
			if p >= len(m.pattern) {
				return m.fail(errPatternBracket)
			}
			c := m.pattern[p]
			p++
			if c == '%' {
				if p >= len(m.pattern) {
					return m.fail(errPatternBracket)
				}
				p++
			} else if c == ']' && !first {
				return p
			}
		}
	}
	return p
}

// single reports whether the character at s is of the class between p and end.
func (m *matcher) single(s, p, end int) bool {
	if s >= len(m.subject) {
		return false
	}
	c := m.subject[s]
	switch m.pattern[p] {
	case '.':
		return true
	case '%':
		return inClass(c, m.pattern[p+1])
	case '[':
		return inSet(c, m.pattern[p:end])
	}
	return m.pattern[p] == c
}

// find looks for the pattern from a place on and returns where it matches; start
// is -1 for nowhere.
func (m *matcher) find(from int) (start, end int) {
	p := 0
	anchored := strings.HasPrefix(m.pattern, "^")
	if anchored {
		p = 1
	}
	for s := from; s <= len(m.subject); s++ {
		if e := m.at(s, p); e >= 0 {
			return s, e
		}
		if anchored || !m.tick() {
			break
		}
	}
	return -1, -1
}

// value is capture i of a match from start to end: a text, or a position counted
// from 1. Without captures, number 0 is the whole match.
func (m *matcher) value(i, start, end int) (text string, position int, err error) {
	if i >= m.level {
		if i != 0 {
			return "", 0, fmt.Errorf("invalid capture index %%%d", i+1)
		}
		return m.subject[start:end], 0, nil
	}
	c := m.captures[i]
	switch c.length {
	case capturePosition:
		return "", c.start + 1, nil
	case captureOpen:
		return "", 0, errUnfinished
	}
	return m.subject[c.start : c.start+c.length], 0, nil
}
