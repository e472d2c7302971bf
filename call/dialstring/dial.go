package dialstring

import (
	"fmt"
	"strings"
)

// Limits of a dial string.
const (
	MaxLength = 64 << 10 // bytes
	MaxLegs   = 128      // of an alternative, and alternatives of a group, and groups
	MaxVars   = 1024     // of one set
)

// Var is one name=value of a set. The value is never empty.
type Var struct{ Name, Value string }

// Dial is a dial string taken apart.
type Dial struct {
	Global []Var // <>, for every leg
	Groups []Group
}

// Group is what stands between two :_: signs.
type Group struct {
	Vars         []Var   // {}, for every leg of the group
	Alternatives [][]Leg // tried one after the other; their legs together
}

// Leg is one call to make. An endpoint without a slash behind it has no data; nothing
// between two commas is no leg.
type Leg struct {
	Vars           []Var // []
	Endpoint, Data string
}

// Error is a dial string that cannot be read.
type Error struct {
	Offset  int // in bytes
	Message string
}

func (e *Error) Error() string {
	return fmt.Sprintf("dial string: %s at character %d", e.Message, e.Offset+1)
}

// Lookup returns the last value of a name, in any case.
func Lookup(vars []Var, name string) (string, bool) {
	for i := len(vars) - 1; i >= 0; i-- {
		if strings.EqualFold(vars[i].Name, name) {
			return vars[i].Value, true
		}
	}
	return "", false
}

// String writes the dial string so that Parse gives the same tree again. Values
// with brackets that do not pair up cannot be written so and come out as they
// are.
func (d *Dial) String() string {
	var b strings.Builder
	writeVars(&b, d.Global, '<', '>')
	for i, g := range d.Groups {
		if i > 0 {
			b.WriteString(groupSign)
		}
		writeVars(&b, g.Vars, '{', '}')
		for j, legs := range g.Alternatives {
			if j > 0 {
				b.WriteByte('|')
			}
			for k, leg := range legs {
				if k > 0 {
					b.WriteByte(',')
				}
				b.WriteString(leg.String())
			}
		}
	}
	return b.String()
}

// String writes one leg with its variables.
func (l Leg) String() string {
	var b strings.Builder
	writeVars(&b, l.Vars, '[', ']')
	target := l.Endpoint
	if l.Data != "" {
		target += "/" + l.Data
	}
	b.WriteString(protect(target, ",|"))
	return b.String()
}

func writeVars(b *strings.Builder, vars []Var, open, end byte) {
	if len(vars) == 0 {
		return
	}
	b.WriteByte(open)
	for i, v := range vars {
		if i > 0 {
			b.WriteByte(',')
		}
		// A pair is unescaped when the set is split, and again when the pair is.
		b.WriteString(protect(protect(v.Name, "=")+"="+protect(v.Value, ""), ","))
	}
	b.WriteByte(end)
}

// protect escapes what clean would take away or a splitter would split at.
func protect(s, delims string) string {
	if s == strings.Trim(s, " ") && !strings.ContainsAny(s, `\'`+delims) {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case c == ' ' && (strings.Trim(s[:i], " ") == "" || strings.Trim(s[i:], " ") == ""):
			b.WriteString(`\s`)
			continue
		case c == '\\' || c == '\'' || strings.IndexByte(delims, c) >= 0:
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	return b.String()
}
