package dialplan

import (
	"strings"

	"github.com/switchlet/switchlet/call/expand"
)

// maxInline is how many applications an inline text may name.
const maxInline = 128

// Inline reads app:data,app:data. m:X: at the start makes X the separator.
// Quotes and backslashes protect as in command arguments; the 128th item takes
// the whole rest.
func Inline(text string) []Action {
	delim := byte(',')
	if len(text) >= 4 && text[:2] == "m:" && text[3] == ':' {
		delim, text = text[2], text[4:]
	}
	var actions []Action
	for _, item := range expand.SplitSeparate(text, delim, maxInline) {
		app, data, _ := strings.Cut(item, ":")
		actions = append(actions, Action{App: strings.TrimLeft(app, " "), Data: data, Extension: "inline"})
	}
	return actions
}
