package conf

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// entities are those that need no declaration.
var entities = [...]struct{ name, text string }{
	{"lt;", "<"}, {"gt;", ">"}, {"quot;", `"`}, {"apos;", "'"}, {"amp;", "&"},
}

// decode resolves line ends and references; in an attribute, white space also
// becomes a space. What is no reference stays as it is.
func decode(s string, attr bool) string {
	special := "&\r"
	if attr {
		special = "&\r\n\t\f\v"
	}
	i := strings.IndexAny(s, special)
	if i < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for ; i >= 0; i = strings.IndexAny(s, special) {
		b.WriteString(s[:i])
		s = s[i:]
		switch {
		case s[0] == '&':
			text, n := reference(s)
			b.WriteString(text)
			s = s[n:]
			continue
		case s[0] == '\r' && len(s) > 1 && s[1] == '\n':
			s = s[1:]
		}
		if attr {
			b.WriteByte(' ')
		} else {
			b.WriteByte('\n')
		}
		s = s[1:]
	}
	b.WriteString(s)
	return b.String()
}

// reference resolves the reference that s starts with and returns how many
// bytes it takes; a bare or unknown one is its own text.
func reference(s string) (string, int) {
	if strings.HasPrefix(s, "&#") {
		digits, base := s[2:], 10
		if strings.HasPrefix(digits, "x") {
			digits, base = digits[1:], 16
		}
		const longest = 10
		end := strings.IndexByte(digits[:min(len(digits), longest)], ';')
		if end > 0 {
			c, err := strconv.ParseUint(digits[:end], base, 32)
			if err == nil && c > 0 && c <= utf8.MaxRune {
				return string(rune(c)), len(s) - len(digits) + end + 1
			}
		}
		return "&", 1
	}
	for _, e := range entities {
		if strings.HasPrefix(s[1:], e.name) {
			return e.text, 1 + len(e.name)
		}
	}
	return "&", 1
}
