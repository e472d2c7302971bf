package expand

import "strings"

// Inert returns the text with nothing left in it that Expand would look up or run:
// the $ of every ${ becomes a %, also where backslashes and quotes stand between the
// two, which an expansion takes away. It is for what a far end said, since values of
// variables are expanded in their turn.
func Inert(text string) string {
	if !strings.Contains(text, "$") || !strings.Contains(text, "{") {
		return text
	}
	var b []byte
	dollar := -1
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '$':
			dollar = i
		case c == '{' && dollar >= 0:
			if b == nil {
				b = []byte(text)
			}
			b[dollar], dollar = '%', -1
		case c != '\\' && c != '\'':
			dollar = -1
		}
	}
	if b == nil {
		return text
	}
	return string(b)
}
