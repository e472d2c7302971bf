package dialstring

import (
	"strings"

	"github.com/switchlet/switchlet/call/expand"
)

// groupSign separates the groups of an enterprise originate.
const groupSign = ":_:"

// Parse reads a dial string. A failure is an *Error.
func Parse(s string) (*Dial, error) {
	if len(s) > MaxLength {
		return nil, &Error{Offset: MaxLength, Message: "string is too long"}
	}
	p := parser{src: s}
	d := &Dial{}
	var err error
	if d.Global, err = p.sets(0, len(s), '<', '>', ""); err != nil {
		return nil, err
	}
	for start := p.pos; ; {
		end := len(s)
		if i := strings.Index(s[start:], groupSign); i >= 0 {
			end = start + i
		}
		if len(d.Groups) == MaxLegs {
			return nil, &Error{Offset: start, Message: "more than 128 groups"}
		}
		g, err := p.group(start, end)
		if err != nil {
			return nil, err
		}
		d.Groups = append(d.Groups, g)
		if end == len(s) {
			return d, nil
		}
		start = end + len(groupSign)
	}
}

// parser reads src; pos is where the last part ended.
type parser struct {
	src string
	pos int
}

func (p *parser) skipSpaces(end int) {
	for p.pos < end && p.src[p.pos] == ' ' {
		p.pos++
	}
}

// sets reads the bracket sets at start and leaves pos behind them. A later
// value of a name replaces the earlier one.
func (p *parser) sets(start, end int, open, shut byte, alsoEscaped string) ([]Var, error) {
	var vars []Var
	p.pos = start
	for {
		p.skipSpaces(end)
		if p.pos >= end || p.src[p.pos] != open {
			return vars, nil
		}
		size := closing(p.src[p.pos:end], open, shut)
		if size < 0 {
			return nil, &Error{Offset: p.pos, Message: "no " + string(shut) + " for this " + string(open)}
		}
		pairs, ok := readSet(p.src[p.pos+1:p.pos+size], alsoEscaped)
		if !ok {
			return nil, &Error{Offset: p.pos, Message: "more than 1024 variables in one set"}
		}
		for _, v := range pairs {
			vars = put(vars, v)
		}
		p.pos += size + 1
	}
}

// closing returns where the bracket at the start of s closes, -1 if it does not.
// Brackets count wherever they stand, quoted or not.
func closing(s string, open, shut byte) int {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case open:
			depth++
		case shut:
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

func put(vars []Var, v Var) []Var {
	for i := range vars {
		if strings.EqualFold(vars[i].Name, v.Name) {
			vars = append(vars[:i], vars[i+1:]...)
			break
		}
	}
	return append(vars, v)
}

// readSet reads the pairs of one set; false says that there are too many.
func readSet(s, alsoEscaped string) ([]Var, bool) {
	delim := byte(',')
	if len(s) > 3 && strings.HasPrefix(s, "^^") {
		delim, s = s[2], s[3:]
	}
	var vars []Var
	for count := 0; s != ""; count++ {
		if count == MaxVars {
			return nil, false
		}
		size := fieldEnd(s, func(i int) bool { return s[i] == delim })
		pair := expand.Clean(s[:size], string([]byte{delim})+alsoEscaped)
		eq := fieldEnd(pair, func(i int) bool { return pair[i] == '=' })
		if eq < len(pair) {
			v := Var{Name: expand.Clean(pair[:eq], "="), Value: expand.Clean(pair[eq+1:], "=")}
			if v.Name != "" && v.Value != "" {
				vars = append(vars, v)
			}
		}
		s = s[min(size+1, len(s)):]
	}
	return vars, true
}

func (p *parser) group(start, end int) (Group, error) {
	var g Group
	global, err := p.sets(start, end, '<', '>', "")
	if err != nil {
		return g, err
	}
	if g.Vars, err = p.sets(p.pos, end, '{', '}', ""); err != nil {
		return g, err
	}
	for _, v := range global {
		if _, taken := Lookup(g.Vars, v.Name); !taken {
			g.Vars = append(g.Vars, v)
		}
	}
	p.skipSpaces(end)
	if p.pos >= end {
		return g, &Error{Offset: p.pos, Message: "no endpoint"}
	}
	for start := p.pos; start < end; {
		if len(g.Alternatives) == MaxLegs {
			return g, &Error{Offset: start, Message: "more than 128 alternatives"}
		}
		stop := start + targetEnd(p.src[start:end], '|')
		legs, err := p.alternative(start, stop)
		if err != nil {
			return g, err
		}
		if len(legs) > 0 {
			g.Alternatives = append(g.Alternatives, legs)
		}
		start = stop + 1
	}
	if len(g.Alternatives) == 0 {
		return g, &Error{Offset: p.pos, Message: "no endpoint"}
	}
	return g, nil
}

func (p *parser) alternative(start, end int) ([]Leg, error) {
	var legs []Leg
	for start < end {
		if len(legs) == MaxLegs {
			return nil, &Error{Offset: start, Message: "more than 128 legs"}
		}
		stop := start + targetEnd(p.src[start:end], ',')
		leg, err := p.leg(start, stop)
		if err != nil {
			return nil, err
		}
		if leg.Endpoint != "" || leg.Data != "" {
			legs = append(legs, leg)
		}
		start = stop + 1
	}
	return legs, nil
}

func (p *parser) leg(start, end int) (Leg, error) {
	var leg Leg
	var err error
	if leg.Vars, err = p.sets(start, end, '[', ']', ","); err != nil {
		return leg, err
	}
	target := expand.Clean(p.src[p.pos:end], ",|")
	leg.Endpoint, leg.Data, _ = strings.Cut(target, "/")
	return leg, nil
}

// targetEnd returns where the first leg or alternative of s ends: at delim
// outside quotes and outside square brackets.
func targetEnd(s string, delim byte) int {
	bracket := -1
	return fieldEnd(s, func(i int) bool {
		if s[i] == '[' && i > bracket {
			if size := closing(s[i:], '[', ']'); size > 0 {
				bracket = i + size
			}
		}
		return s[i] == delim && i > bracket
	})
}

// fieldEnd returns the first place that ends holds for, outside quotes and not
// behind a backslash. An apostrophe without a partner quotes nothing.
func fieldEnd(s string, ends func(i int) bool) int {
	quoted := false
	last := strings.LastIndexByte(s, '\'')
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case s[i] == '\'' && (quoted || last > i):
			quoted = !quoted
		case ends(i) && !quoted:
			return i
		}
	}
	return len(s)
}
