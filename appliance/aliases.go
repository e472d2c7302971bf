package appliance

import (
	"encoding/json"
	"strings"

	"github.com/switchlet/switchlet/call"
)

// expandAlias replaces a console alias at the beginning of a line by its command.
// The aliases are those of the command alias, as "show aliases" lists them.
func (b *Box) expandAlias(line string) (string, bool) {
	show := b.Switch.Command("show")
	if show == nil {
		return "", false
	}
	in := &call.Invocation{Args: "aliases as json", Out: &strings.Builder{}}
	if err := show.Run(b.Switch.Context(), b.Switch, in); err != nil {
		return "", false
	}
	var table struct {
		Rows []struct{ Alias, Command string }
	}
	if json.Unmarshal([]byte(in.Out.String()), &table) != nil {
		return "", false
	}
	word, rest, more := strings.Cut(line, " ")
	for _, r := range table.Rows {
		switch {
		case r.Alias == line:
			return r.Command, true
		case r.Alias == word && more:
			return r.Command + " " + rest, true
		}
	}
	return "", false
}
