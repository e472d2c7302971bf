package expand

import "strings"

// SplitSeparate splits as most commands split their arguments: at delim outside
// single quotes, where a backslash protects the next character. Then each field
// loses its quotes and its leading and trailing spaces, and \n \r \t \s \' \" \\
// and a backslash before the delimiter become one character; other backslashes
// stay. A text that starts with ^^X and goes on after it uses X as delimiter.
// With a space as delimiter runs of spaces count once. The last of max fields
// takes the whole rest. An empty text has no fields, and a delimiter at the end
// opens none. max below 1 gives none.
func SplitSeparate(text string, delim byte, max int) []string {
	if max < 1 {
		return nil
	}
	if len(text) > 3 && text[0] == '^' && text[1] == '^' {
		delim, text = text[2], text[3:]
	}
	if delim == ' ' {
		return splitBlank(text, max)
	}
	var fields []string
	for text != "" {
		end := len(text)
		if len(fields)+1 < max {
			end = fieldEnd(text, delim)
		}
		fields = append(fields, Clean(text[:end], string([]byte{delim})))
		if end == len(text) {
			break
		}
		text = text[end+1:]
	}
	return fields
}

// fieldEnd returns where the first field ends. An apostrophe with no partner
// behind it quotes nothing.
func fieldEnd(text string, delim byte) int {
	quoted := false
	last := strings.LastIndexByte(text, '\'')
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\':
			i++
		case c == '\'' && (quoted || last > i):
			quoted = !quoted
		case c == delim && !quoted:
			return i
		}
	}
	return len(text)
}

func splitBlank(text string, max int) []string {
	var fields []string
	for text != "" {
		if len(fields)+1 >= max {
			return append(fields, Clean(text, ""))
		}
		start := len(text) - len(strings.TrimLeft(text, " "))
		end := blankEnd(text, start)
		fields = append(fields, Clean(text[:end], ""))
		text = strings.TrimLeft(text[end:], " ")
	}
	return fields
}

func blankEnd(text string, start int) int {
	quoted := false
	for i := start; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\':
			i++
		case c == '\'':
			quoted = !quoted
		case c == ' ' && !quoted:
			return i
		}
	}
	return len(text)
}

// Clean strips a field of its quotes and outer spaces, and turns \n \r \t \s \' \" \\
// and a backslash before one of delims into one character; other backslashes stay.
func Clean(field, delims string) string {
	field = strings.TrimLeft(field, " ")
	if !strings.ContainsAny(field, `\'`) {
		return strings.TrimRight(field, " ")
	}
	out := make([]byte, 0, len(field))
	end := 0 // behind the last byte that is no trailing space
	quoted := false
	last := strings.LastIndexByte(field, '\'')
	for i := 0; i < len(field); i++ {
		c := field[i]
		if c == '\\' && i+1 < len(field) {
			if e, ok := unescape(field[i+1], delims); ok {
				out = append(out, e)
				end = len(out)
				i++
				continue
			}
		}
		if c == '\'' && (quoted || last > i) {
			if quoted = !quoted; quoted {
				end = len(out)
			}
			continue
		}
		out = append(out, c)
		if c != ' ' || quoted {
			end = len(out)
		}
	}
	return string(out[:end])
}

// unescape returns what a backslash and c stand for; false keeps both.
func unescape(c byte, delims string) (byte, bool) {
	const letters, meant = "nrts", "\n\r\t "
	if i := strings.IndexByte(letters, c); i >= 0 {
		return meant[i], true
	}
	return c, c == '\'' || c == '"' || c == '\\' || strings.IndexByte(delims, c) >= 0
}

// Split splits at delim and at nothing else: no quotes, no escapes, no trimming.
// The last of max fields takes the whole rest; max below 1 gives none.
func Split(text string, delim byte, max int) []string {
	if max < 1 {
		return nil
	}
	return strings.SplitN(text, string([]byte{delim}), max)
}
