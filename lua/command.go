package lua

import "strings"

// maxArguments bounds the words of a command line, the script among them.
const maxArguments = 129

// command is a script's command line taken apart (spec/lua.md §1.2).
type command struct {
	inline bool     // source is the program itself
	source string   // Lua source, if inline
	script string   // the name as it was typed, otherwise
	args   []string // argv[1] and what follows
}

// parseCommand takes "script.lua a 'b c'", "~source" or "#!/lua source" apart.
func parseCommand(text string) command {
	text = strings.TrimLeft(text, " \n\r")
	if rest, ok := strings.CutPrefix(text, "~"); ok {
		return command{inline: true, source: rest}
	}
	const shebang = "#!/lua"
	if len(text) >= len(shebang) && strings.EqualFold(text[:len(shebang)], shebang) {
		return command{inline: true, source: text[len(shebang):]}
	}
	script, rest, _ := strings.Cut(text, " ")
	return command{script: script, args: splitArguments(rest)}
}

// splitArguments splits at spaces; single quotes group, \' is a quote, and runs
// of spaces count as one.
func splitArguments(text string) []string {
	var list []string
	var word strings.Builder
	open, started := false, false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\\' && i+1 < len(text) && text[i+1] == '\'':
			word.WriteByte('\'')
			started = true
			i++
		case c == '\'':
			open, started = !open, true
		case c == ' ' && !open:
			if started {
				list = append(list, word.String())
				word.Reset()
				started = false
			}
			if len(list) == maxArguments-1 {
				return list
			}
		default:
			word.WriteByte(c)
			started = true
		}
	}
	if started {
		list = append(list, word.String())
	}
	return list
}
