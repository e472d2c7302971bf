package lua

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// plainEscapes turns the escapes of Lua 5.2 and 5.3 that the compiler does not
// know (\xHH, \z, \u{H}) into those that it does, drops a byte order mark, and
// empties a first line that begins with '#'. Lines keep their numbers.
func plainEscapes(source string) (string, error) {
	source = strings.TrimPrefix(source, "\ufeff")
	if strings.HasPrefix(source, "#") {
		end := strings.IndexByte(source, '\n')
		if end < 0 {
			return "", nil
		}
		source = source[end:]
	}
	if !strings.Contains(source, `\x`) && !strings.Contains(source, `\z`) && !strings.Contains(source, `\u{`) {
		return source, nil
	}
	var out strings.Builder
	out.Grow(len(source))
	for i := 0; i < len(source); {
		switch c := source[i]; {
		case c == '-' && strings.HasPrefix(source[i:], "--"):
			n := commentEnd(source[i:])
			out.WriteString(source[i : i+n])
			i += n
		case c == '[':
			n := max(longBracket(source[i:]), 1)
			out.WriteString(source[i : i+n])
			i += n
		case c == '"' || c == '\'':
			n, err := quoted(&out, source[i:])
			if err != nil {
				return "", err
			}
			i += n
		default:
			out.WriteByte(c)
			i++
		}
	}
	return out.String(), nil
}

// commentEnd is the length of the comment at the start of s.
func commentEnd(s string) int {
	if n := longBracket(s[2:]); n > 0 {
		return n + 2
	}
	if end := strings.IndexByte(s, '\n'); end >= 0 {
		return end
	}
	return len(s)
}

// longBracket is the length of the [==[ … ]==] at the start of s, 0 if there is
// none. One that does not end takes everything.
func longBracket(s string) int {
	if s == "" || s[0] != '[' {
		return 0
	}
	level := 1
	for level < len(s) && s[level] == '=' {
		level++
	}
	if level >= len(s) || s[level] != '[' {
		return 0
	}
	end := strings.Index(s, "]"+s[1:level]+"]")
	if end < 0 {
		return len(s)
	}
	return end + level + 1
}

// quoted copies the quoted string at the start of s with its escapes replaced
// and returns its length. Line ends that \z skips follow the string.
func quoted(out *strings.Builder, s string) (int, error) {
	lines := 0
	out.WriteByte(s[0])
	i := 1
	for i < len(s) && s[i] != s[0] && s[i] != '\n' {
		if s[i] != '\\' || i+1 >= len(s) {
			out.WriteByte(s[i])
			i++
			continue
		}
		n, skipped, err := escape(out, s[i:])
		if err != nil {
			return 0, err
		}
		lines += skipped
		i += n
	}
	if i < len(s) && s[i] == s[0] {
		out.WriteByte(s[0])
		i++
	}
	out.WriteString(strings.Repeat("\n", lines))
	return i, nil
}

// escape copies the escape at the start of s, rewritten if need be, and returns
// its length and the line ends it left out.
func escape(out *strings.Builder, s string) (n, lines int, err error) {
	switch s[1] {
	case 'x':
		if len(s) < 4 || hexDigit(s[2]) < 0 || hexDigit(s[3]) < 0 {
			return 0, 0, fmt.Errorf("hexadecimal digit expected near '%s'", s[:min(len(s), 4)])
		}
		fmt.Fprintf(out, `\%03d`, hexDigit(s[2])<<4|hexDigit(s[3]))
		return 4, 0, nil
	case 'z':
		n = 2
		for n < len(s) && strings.IndexByte(" \t\r\n\v\f", s[n]) >= 0 {
			if s[n] == '\n' {
				lines++
			}
			n++
		}
		return n, lines, nil
	case 'u':
		end := strings.IndexByte(s, '}')
		if !strings.HasPrefix(s, `\u{`) || end < 4 || end > 3+8 {
			return 0, 0, fmt.Errorf("missing '{' or '}' near '%s'", s[:min(len(s), 4)])
		}
		r := rune(0)
		for _, c := range []byte(s[3:end]) {
			d := hexDigit(c)
			if d < 0 || r > utf8.MaxRune {
				return 0, 0, fmt.Errorf("UTF-8 value too large near '%s'", s[:end+1])
			}
			r = r<<4 | rune(d)
		}
		for _, b := range utf8.AppendRune(nil, r) {
			fmt.Fprintf(out, `\%03d`, b)
		}
		return end + 1, 0, nil
	}
	out.WriteString(s[:2])
	return 2, 0, nil
}
