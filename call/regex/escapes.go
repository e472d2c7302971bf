package regex

import (
	"strconv"
	"strings"
)

// The sets behind the letters, as the inside of a class of both engines.
const (
	digitSet    = `0-9`
	wordSet     = `0-9A-Z_a-z`
	spaceSet    = `\x09-\x0d\x20`
	blankSet    = `\x09\x20\xa0`             // \h
	verticalSet = `\x0a-\x0d\x85`            // \v
	newline     = `\x0d\x0a|[\x0a-\x0d\x85]` // \R
)

// escape reads everything that starts with a backslash.
func (t *translator) escape() error {
	if t.pos+1 >= len(t.src) {
		return t.fail(`\ at end of pattern`)
	}
	c := t.src[t.pos+1]
	if text, ok := setEscape(c); ok {
		t.emit(text)
		t.pos += 2
		return nil
	}
	switch c {
	case 'Q':
		t.quoted()
		return nil
	case 'E':
		t.pos += 2
		return nil
	case 'R':
		t.done.perlOnly = true
		t.emit("(?>" + newline + ")")
	case 'K':
		if t.done.keep {
			return t.fail(`more than one \K is not supported`)
		}
		t.done.perlOnly, t.done.keep = true, true
		t.emit("(?<" + keepGroup + ">)")
		t.atom = -1
	case 'A', 'z', 'G', 'Z':
		t.done.perlOnly = t.done.perlOnly || c == 'G' || c == 'Z'
		t.emit(`\` + string(c))
	case 'b', 'B':
		t.emit(t.boundary(c == 'b'))
	case 'k':
		return t.namedBackReference()
	case 'g':
		return t.numberedBackReference()
	case 'p', 'P', 'X':
		return t.fail(`\%c is not supported`, c)
	default:
		if c >= '1' && c <= '9' {
			if done, err := t.digitReference(); done {
				return err
			}
		}
		value, size, err := t.charEscape()
		if err != nil {
			return err
		}
		t.emit(literal(value))
		t.pos += size
		return nil
	}
	t.pos += 2
	return nil
}

// setEscape returns the class of a letter that stands for a set of bytes.
func setEscape(c byte) (string, bool) {
	switch c {
	case 'd':
		return "[" + digitSet + "]", true
	case 'D':
		return "[^" + digitSet + "]", true
	case 'w':
		return "[" + wordSet + "]", true
	case 'W':
		return "[^" + wordSet + "]", true
	case 's':
		return "[" + spaceSet + "]", true
	case 'S':
		return "[^" + spaceSet + "]", true
	case 'h':
		return "[" + blankSet + "]", true
	case 'H':
		return "[^" + blankSet + "]", true
	case 'v':
		return "[" + verticalSet + "]", true
	case 'V':
		return "[^" + verticalSet + "]", true
	case 'N':
		return `[^\x0a]`, true
	case 'C':
		return `[\x00-\xff]`, true
	}
	return "", false
}

// boundary is \b or \B of ASCII words; the backtracking engine's own would take
// accented letters for parts of words.
func (t *translator) boundary(positive bool) string {
	const word = "[" + wordSet + "]"
	switch {
	case !t.perl && positive:
		return `\b`
	case !t.perl:
		return `\B`
	case positive:
		return "(?:(?<=" + word + ")(?!" + word + ")|(?<!" + word + ")(?=" + word + "))"
	}
	return "(?:(?<=" + word + ")(?=" + word + ")|(?<!" + word + ")(?!" + word + "))"
}

// quoted reads \Q…\E, or to the end without an \E.
func (t *translator) quoted() {
	t.pos += 2
	text := t.rest()
	end := strings.Index(text, `\E`)
	size := end + 2
	if end < 0 {
		end, size = len(text), len(text)
	}
	for i := range end {
		t.emit(literal(text[i]))
	}
	t.pos += size
}

// digitReference reads \1 and the like, if that is what the digits mean: a
// number below ten, or one that the pattern has groups for. Otherwise they are
// an octal character.
func (t *translator) digitReference() (done bool, err error) {
	s := t.rest()[1:]
	size := 0
	for size < len(s) && size < 4 && s[size] >= '0' && s[size] <= '9' {
		size++
	}
	n, err := strconv.Atoi(s[:size])
	if err != nil || n >= 10 && n > t.groups {
		return false, nil
	}
	return true, t.backReference(s[:size], 1+size)
}

// namedBackReference reads \k<name>, \k'name' and \k{name}.
func (t *translator) namedBackReference() error {
	for _, form := range [...]struct {
		start string
		end   byte
	}{{`\k<`, '>'}, {`\k'`, '\''}, {`\k{`, '}'}} {
		if t.has(form.start) {
			return t.namedReference(3, form.end)
		}
	}
	return t.fail(`\k is not followed by a braced, angle-bracketed, or quoted name`)
}

// numberedBackReference reads \g1, \g{1}, \g{-1} and \g{name}.
func (t *translator) numberedBackReference() error {
	s := t.rest()[2:]
	if !strings.HasPrefix(s, "{") {
		size := 0
		for size < len(s) && s[size] >= '0' && s[size] <= '9' {
			size++
		}
		if size == 0 || size > 4 {
			return t.fail("subroutine calls are not supported")
		}
		return t.backReference(s[:size], 2+size)
	}
	end := strings.IndexByte(s, '}')
	if end < 2 {
		return t.fail(`a numbered reference must not be zero`)
	}
	name := s[1:end]
	if back, err := strconv.Atoi(name); err == nil && back < 0 {
		before, _ := countGroups(t.src[:t.pos])
		name = strconv.Itoa(before + 1 + back)
	}
	return t.backReference(name, 2+end+1)
}

// charEscape reads a backslash that stands for one byte and returns how many
// bytes of the pattern it has. A backslash before anything without a meaning is
// that sign; before a letter or digit without one it is an error, as in PCRE.
func (t *translator) charEscape() (value byte, size int, err error) {
	s := t.rest()
	switch c := s[1]; c {
	case 'a':
		return 0x07, 2, nil
	case 'e':
		return 0x1b, 2, nil
	case 'f':
		return 0x0c, 2, nil
	case 'n':
		return 0x0a, 2, nil
	case 'r':
		return 0x0d, 2, nil
	case 't':
		return 0x09, 2, nil
	case 'c':
		if len(s) < 3 || s[2] < 0x20 || s[2] > 0x7e {
			return 0, 0, t.fail(`\c must be followed by a printable ASCII character`)
		}
		return upper(s[2]) ^ 0x40, 3, nil
	case 'x':
		return t.hexEscape()
	case 'o':
		return 0, 0, t.fail(`\o is not supported`)
	default:
		if c >= '0' && c <= '7' {
			size = 1
			for size < len(s) && size < 4 && s[size] >= '0' && s[size] <= '7' {
				size++
			}
			n, _ := strconv.ParseUint(s[1:size], 8, 16)
			if n > 0xff {
				return 0, 0, t.fail("octal value is greater than \\377 in 8-bit non-UTF-8 mode")
			}
			return byte(n), size, nil
		}
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			return 0, 0, t.fail(`unrecognized character follows \`)
		}
		return c, 2, nil
	}
}

// hexEscape reads \xHH, with none to two digits, and \x{HH}.
func (t *translator) hexEscape() (value byte, size int, err error) {
	s := t.rest()[2:]
	if strings.HasPrefix(s, "{") {
		end := strings.IndexByte(s, '}')
		n, err := strconv.ParseUint(s[1:max(end, 1)], 16, 32)
		if end < 0 || err != nil {
			return 0, 0, t.fail(`non-hex character in \x{} (closing brace missing?)`)
		}
		if n > 0xff {
			return 0, 0, t.fail(`character code point value in \x{} or \o{} is too large`)
		}
		return byte(n), 2 + end + 1, nil
	}
	for size < 2 && size < len(s) && strings.IndexByte("0123456789abcdefABCDEF", s[size]) >= 0 {
		size++
	}
	n, _ := strconv.ParseUint("0"+s[:size], 16, 16)
	return byte(n), 2 + size, nil
}

func upper(c byte) byte {
	if c >= 'a' && c <= 'z' {
		return c - 'a' + 'A'
	}
	return c
}
