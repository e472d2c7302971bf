package expand

import (
	"strconv"
	"strings"
)

// Bounds of one expansion. What goes beyond is left out.
const (
	// MaxDepth is how deep values and names may nest (the reference's limit).
	MaxDepth = 100
	// MaxOutput is the longest result in bytes.
	MaxOutput = 1 << 20
	// maxSteps is how many variables and commands one text may ask for.
	maxSteps = 10000
	// maxWork is how many bytes all levels together may walk.
	maxWork = 16 << 20
)

// Resolver knows the values of one expansion.
type Resolver interface {
	// Variable returns the value of a name, which comes without index and
	// offset. A text of the form ARRAY::a|:b is an array. The value is expanded
	// in its turn.
	Variable(name string) (value string, ok bool)
	// Command runs an API command and returns its output; empty for a command
	// that does not exist. The arguments are already expanded.
	Command(name, args string) string
}

// GlobalResolver is a Resolver that answers $${name} from another place than
// ${name}. Without it both are the same.
type GlobalResolver interface {
	Resolver
	// Global returns a global variable.
	Global(name string) (value string, ok bool)
}

// Expand returns the text with its variables, commands and escapes replaced. A
// text that has none is returned as it is, without allocating.
func Expand(text string, r Resolver) string {
	if !wanted(text) {
		return text
	}
	x := expansion{resolver: r, steps: maxSteps, work: maxWork}
	return x.expand(text, 0)
}

// Once is Expand that takes the values of variables as they are: what is in them
// is never expanded in its turn. It is for values that strangers have sent.
func Once(text string, r Resolver) string {
	if !wanted(text) {
		return text
	}
	x := expansion{resolver: r, steps: maxSteps, work: maxWork, once: true}
	return x.expand(text, 0)
}

// expansion is the budget that all levels of one Expand share.
type expansion struct {
	once     bool // values are not expanded
	resolver Resolver
	steps    int
	work     int
}

// wanted reports whether the text is touched at all. A text is not looked at for
// \$ alone: without another reason to look, it keeps its backslash.
func wanted(s string) bool {
	dollar := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '$':
			dollar = true
		case dollar && c == '{':
			return true
		case c != '\\':
			dollar = false
		}
	}
	for i := 0; i+1 < len(s); i++ {
		if s[i] == '\\' && strings.IndexByte(`\nst'`, s[i+1]) >= 0 {
			return true
		}
	}
	return false
}

func (x *expansion) expand(in string, depth int) string {
	if depth > MaxDepth || in == "" || !wanted(in) {
		return in
	}
	if x.work -= len(in); x.work < 0 {
		return ""
	}
	var out strings.Builder
	out.Grow(len(in) + 32)
	for i := 0; i < len(in); {
		if out.Len() > MaxOutput {
			break
		}
		switch in[i] {
		case '\\':
			i += escape(&out, in[i:])
		case '$':
			n, ref, found := reference(in[i:])
			if !found {
				out.WriteByte('$')
				i += n
				continue
			}
			out.WriteString(x.value(ref, depth))
			i += n
			// The character behind a reference is taken as it is, whatever it
			// says, unless it starts another one.
			if i < len(in) && in[i] != '$' {
				out.WriteByte(in[i])
				i++
			}
		default:
			next := strings.IndexAny(in[i:], `\$`)
			if next < 0 {
				next = len(in) - i
			}
			out.WriteString(in[i : i+next])
			i += next
		}
	}
	if out.Len() > MaxOutput {
		return out.String()[:MaxOutput]
	}
	return out.String()
}

// escape writes what the backslash at the start of s stands for and returns how
// many bytes of s that used up.
func escape(out *strings.Builder, s string) int {
	if len(s) < 2 {
		out.WriteByte('\\')
		return 1
	}
	switch s[1] {
	case '$':
		out.WriteByte('$')
		if len(s) > 2 && s[2] == '$' {
			return 3
		}
		return 2
	case '\'':
		return 2
	case '\\':
		out.WriteByte('\\')
		return 2
	}
	out.WriteByte('\\')
	return 1
}

// ref is one ${…} taken apart.
type ref struct {
	name    string
	args    string
	command bool
	global  bool
}

// reference reads the reference at the start of s, which begins with a dollar
// sign. found is false when there is none; n is then the number of bytes that
// the one dollar sign of the output stands for.
func reference(s string) (n int, r ref, found bool) {
	i := 1
	if i < len(s) && s[i] == '$' {
		r.global = true
		i++
	}
	if i >= len(s) || s[i] != '{' {
		return i, r, false
	}
	i++
	start, open := i, 1
	for i < len(s) && open > 0 {
		switch {
		case s[i] == '}':
			open--
		case s[i] == '{' && i != start:
			open++
		}
		i++
	}
	inner := s[start:i]
	if open == 0 {
		inner = inner[:len(inner)-1]
	}
	split := strings.IndexAny(inner, " (")
	if split < 0 {
		r.name = inner
		return i, r, true
	}
	r.command = true
	r.name = strings.TrimRight(inner[:split], " ")
	r.args = inner[split+1:]
	// A command in parentheses ends at the one that closes them; one after a
	// space counts from none, so its own first pair closes it.
	parens := 0
	if inner[split] == '(' || open > 0 {
		parens = 1
	}
	r.args = r.args[:argsEnd(r.args, parens)]
	return i, r, true
}

// argsEnd returns where the arguments end when open parentheses are open at
// their start.
func argsEnd(args string, open int) int {
	for i := 0; i < len(args); i++ {
		switch args[i] {
		case '(':
			open++
		case ')':
			if open == 1 {
				return i
			}
			if open > 1 {
				open--
			}
		}
	}
	return len(args)
}

// value returns what a reference stands for.
func (x *expansion) value(r ref, depth int) string {
	if x.steps--; x.steps < 0 {
		return ""
	}
	name := x.expand(r.name, depth+1)
	if r.command {
		return x.resolver.Command(name, x.expand(r.args, depth+1))
	}
	name, offset, length := cutRange(name)
	name, index := cutIndex(name)
	value, ok := x.lookup(name, r.global)
	if ok && index >= 0 {
		value, ok = ArrayElement(value, index)
	}
	if !ok {
		return ""
	}
	if !x.once {
		value = x.expand(value, depth+1)
	}
	return substring(value, offset, length)
}

func (x *expansion) lookup(name string, global bool) (string, bool) {
	if name == "" {
		return "", false
	}
	if g, ok := x.resolver.(GlobalResolver); ok && global {
		return g.Global(name)
	}
	return x.resolver.Variable(name)
}

// cutRange takes name:offset:length apart.
func cutRange(s string) (name string, offset, length int) {
	name, rest, ok := strings.Cut(s, ":")
	if !ok {
		return name, 0, 0
	}
	offset = leadingInt(rest)
	if _, rest, ok = strings.Cut(rest, ":"); ok {
		length = leadingInt(rest)
	}
	return name, offset, length
}

// cutIndex takes name[index] apart; without one the index is -1.
func cutIndex(s string) (name string, index int) {
	open := strings.IndexByte(s, '[')
	if open < 0 || strings.IndexByte(s[open:], ']') < 0 {
		return s, -1
	}
	return s[:open], leadingInt(s[open+1:])
}

// substring cuts as ${name:offset:length} says: a negative offset counts from
// the end (one beyond the start leaves the text whole), and a length that is not
// positive takes everything.
func substring(s string, offset, length int) string {
	switch {
	case offset > len(s):
		return ""
	case offset >= 0:
		s = s[offset:]
	case -offset <= len(s):
		s = s[len(s)+offset:]
	}
	if length > 0 && length < len(s) {
		s = s[:length]
	}
	return s
}

// leadingInt reads a number as C's atoi does: 0 when there is none.
func leadingInt(s string) int {
	s = strings.TrimLeft(s, " \t\n\v\f\r")
	end := 0
	if end < len(s) && (s[0] == '-' || s[0] == '+') {
		end++
	}
	for end < len(s) && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	const bound = 1 << 30
	n, err := strconv.Atoi(s[:end])
	switch {
	case err != nil && end > 1 && s[0] == '-':
		return -bound
	case err != nil && end > 1:
		return bound
	case err != nil:
		return 0
	}
	return max(-bound, min(n, bound))
}
