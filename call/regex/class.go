package regex

import (
	"fmt"
	"strings"
)

// byteSet is the content of a character class.
type byteSet [256]bool

func (s *byteSet) add(from, to byte) {
	for c := int(from); c <= int(to); c++ {
		s[c] = true
	}
}

// addFunc adds the bytes that in holds for, or with negate all others.
func (s *byteSet) addFunc(in func(byte) bool, negate bool) {
	for c := range s {
		if in(byte(c)) != negate {
			s[c] = true
		}
	}
}

// class reads […] and writes it as ranges of bytes, which mean the same in both
// engines and leave nothing for either to understand in its own way.
func (t *translator) class() error {
	start := t.pos
	t.pos++
	negate := t.has("^")
	if negate {
		t.pos++
	}
	var set byteSet
	for first := true; ; first = false {
		if t.pos >= len(t.src) {
			t.pos = start
			return t.fail("missing terminating ] for character class")
		}
		if t.src[t.pos] == ']' && !first {
			t.pos++
			break
		}
		if err := t.classItem(&set); err != nil {
			return err
		}
	}
	t.emit(set.text(negate))
	return nil
}

// classItem reads one member or range.
func (t *translator) classItem(set *byteSet) error {
	if size := posixSize(t.rest()); size > 0 {
		name := t.rest()[2 : size-2]
		negate := strings.HasPrefix(name, "^")
		in, ok := posixSets[strings.TrimPrefix(name, "^")]
		if !ok {
			return t.fail("unknown POSIX class name")
		}
		set.addFunc(in, negate)
		t.pos += size
		return nil
	}
	if t.has(`\Q`) || t.has(`\E`) {
		t.classQuoted(set)
		return nil
	}
	if t.has(`\`) && len(t.rest()) > 1 {
		if in, negate, ok := classEscape(t.src[t.pos+1]); ok {
			set.addFunc(in, negate)
			t.pos += 2
			return nil
		}
	}
	low, err := t.classChar()
	if err != nil {
		return err
	}
	rest := t.rest()
	if len(rest) < 2 || rest[0] != '-' || rest[1] == ']' {
		set.add(low, low)
		return nil
	}
	if rest[1] == '\\' && len(rest) > 2 {
		// A set cannot end a range: the hyphen is then itself.
		if _, _, isSet := classEscape(rest[2]); isSet {
			set.add(low, low)
			set.add('-', '-')
			t.pos++
			return nil
		}
	}
	if posixSize(rest[1:]) > 0 {
		return t.fail("invalid range in character class")
	}
	t.pos++
	high, err := t.classChar()
	if err != nil {
		return err
	}
	if high < low {
		return t.fail("range out of order in character class")
	}
	set.add(low, high)
	return nil
}

// classChar reads one character of a class.
func (t *translator) classChar() (byte, error) {
	c := t.src[t.pos]
	if c != '\\' {
		t.pos++
		return c, nil
	}
	if t.pos+1 >= len(t.src) {
		return 0, t.fail(`\ at end of pattern`)
	}
	switch e := t.src[t.pos+1]; e {
	case 'b':
		t.pos += 2
		return 0x08, nil
	case 'B', 'R', 'X', 'N':
		return 0, t.fail("escape sequence is invalid in character class")
	case 'p', 'P':
		return 0, t.fail(`\%c is not supported`, e)
	}
	value, size, err := t.charEscape()
	t.pos += size
	return value, err
}

func (t *translator) classQuoted(set *byteSet) {
	if t.has(`\E`) {
		t.pos += 2
		return
	}
	t.pos += 2
	text := t.rest()
	end := strings.Index(text, `\E`)
	size := end + 2
	if end < 0 {
		end, size = len(text), len(text)
	}
	for i := range end {
		set.add(text[i], text[i])
	}
	t.pos += size
}

func (s *byteSet) text(negate bool) string {
	var b strings.Builder
	b.WriteByte('[')
	if negate {
		b.WriteByte('^')
	}
	for c := 0; c < len(s); c++ {
		if !s[c] {
			continue
		}
		end := c
		for end+1 < len(s) && s[end+1] {
			end++
		}
		b.WriteString(literal(byte(c)))
		if end > c {
			fmt.Fprintf(&b, "-%s", literal(byte(end)))
		}
		c = end
	}
	b.WriteByte(']')
	return b.String()
}

// classEscape tells what a letter behind a backslash stands for in a class.
func classEscape(c byte) (in func(byte) bool, negate, ok bool) {
	switch c {
	case 'd', 'D':
		in = isDigit
	case 'w', 'W':
		in = isWord
	case 's', 'S':
		in = isSpace
	case 'h', 'H':
		in = func(c byte) bool { return c == '\t' || c == ' ' || c == 0xa0 }
	case 'v', 'V':
		in = func(c byte) bool { return c >= '\n' && c <= '\r' || c == 0x85 }
	default:
		return nil, false, false
	}
	return in, c < 'a', true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }
func isLower(c byte) bool { return c >= 'a' && c <= 'z' }
func isAlpha(c byte) bool { return isUpper(c) || isLower(c) }
func isWord(c byte) bool  { return isAlpha(c) || isDigit(c) || c == '_' }
func isSpace(c byte) bool { return c >= '\t' && c <= '\r' || c == ' ' }

// posixSets are the classes that [:name:] can name.
var posixSets = map[string]func(byte) bool{
	"alnum":  func(c byte) bool { return isAlpha(c) || isDigit(c) },
	"alpha":  isAlpha,
	"ascii":  func(c byte) bool { return c < 0x80 },
	"blank":  func(c byte) bool { return c == ' ' || c == '\t' },
	"cntrl":  func(c byte) bool { return c < 0x20 || c == 0x7f },
	"digit":  isDigit,
	"graph":  func(c byte) bool { return c > 0x20 && c < 0x7f },
	"lower":  isLower,
	"print":  func(c byte) bool { return c >= 0x20 && c < 0x7f },
	"punct":  func(c byte) bool { return c > 0x20 && c < 0x7f && !isAlpha(c) && !isDigit(c) },
	"space":  isSpace,
	"upper":  isUpper,
	"word":   isWord,
	"xdigit": func(c byte) bool { return isDigit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' },
}

// posixSize returns the length of [:name:] at the start of s, 0 for none.
func posixSize(s string) int {
	if !strings.HasPrefix(s, "[:") {
		return 0
	}
	end := strings.Index(s, ":]")
	if end < 2 || strings.IndexByte(s[:end], ']') >= 0 {
		return 0
	}
	return end + 2
}

// classSize returns the length of the class at the start of s; without an end it
// is all of s.
func classSize(s string) int {
	i := 1
	if strings.HasPrefix(s, "[^") {
		i = 2
	}
	for first := true; i < len(s); first = false {
		switch {
		case s[i] == ']' && !first:
			return i + 1
		case strings.HasPrefix(s[i:], `\Q`):
			end := strings.Index(s[i:], `\E`)
			if end < 0 {
				return len(s)
			}
			i += end + 2
		case s[i] == '\\':
			i += 2
		default:
			if size := posixSize(s[i:]); size > 0 {
				i += size
			} else {
				i++
			}
		}
	}
	return len(s)
}
