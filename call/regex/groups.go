package regex

import (
	"strconv"
	"strings"
)

// openGroup reads everything that starts with a parenthesis.
func (t *translator) openGroup() error {
	if len(t.open) >= maxNesting {
		return t.fail("parentheses are too deeply nested")
	}
	if t.has("(*") {
		return t.fail("(*VERB) not recognized or malformed")
	}
	if !t.has("(?") {
		t.push("(", 1)
		return nil
	}
	for _, g := range [...]struct {
		start string
		perl  bool
	}{{"(?:", false}, {"(?=", true}, {"(?!", true}, {"(?<=", true}, {"(?<!", true}, {"(?>", true}} {
		if t.has(g.start) {
			t.done.perlOnly = t.done.perlOnly || g.perl
			t.push(g.start, len(g.start))
			return nil
		}
	}
	switch {
	case t.has("(?#"):
		end := strings.IndexByte(t.rest(), ')')
		if end < 0 {
			return t.fail("missing ) after (?# comment")
		}
		t.pos += end + 1
		return nil
	case t.has("(?("):
		return t.conditional()
	case t.has("(?P="):
		return t.namedReference(4, ')')
	}
	if name, size := groupName(t.rest()); size > 0 {
		if t.names[name] == 0 {
			return t.fail("subpattern name expected")
		}
		// A plain group: names count among the numbers here, and elsewhere not.
		t.push("(", size)
		return nil
	}
	return t.flagGroup()
}

func (t *translator) push(text string, size int) {
	t.open = append(t.open, t.group)
	t.group = group{start: len(t.out.b), extended: t.group.extended}
	t.out.str(text)
	t.pos += size
	t.atom = -1
}

func (t *translator) closeGroup() error {
	if len(t.open) == 0 {
		return t.fail("unmatched closing parenthesis")
	}
	t.out.str(")")
	t.atom, t.again = t.group.start, false
	t.group = t.open[len(t.open)-1]
	t.open = t.open[:len(t.open)-1]
	t.pos++
	return nil
}

// groupName reads (?<name>, (?P<name> or (?'name' at the start of s.
func groupName(s string) (name string, size int) {
	for _, form := range [...]struct {
		start string
		end   byte
	}{{"(?P<", '>'}, {"(?<", '>'}, {"(?'", '\''}} {
		if !strings.HasPrefix(s, form.start) {
			continue
		}
		end := strings.IndexByte(s[len(form.start):], form.end)
		if end <= 0 {
			return "", 0
		}
		name = s[len(form.start) : len(form.start)+end]
		if !validName(name) {
			return "", 0
		}
		return name, len(form.start) + end + 1
	}
	return "", 0
}

func validName(s string) bool {
	const longest = 32
	for i := range len(s) {
		c := s[i]
		if !(c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' && i > 0) {
			return false
		}
	}
	return s != "" && len(s) <= longest
}

// flagGroup reads (?i), (?i-s:…) and the like.
func (t *translator) flagGroup() error {
	end := strings.IndexAny(t.rest(), ":)")
	if end < 0 {
		return t.fail("missing closing parenthesis")
	}
	set, unset, _ := strings.Cut(t.rest()[2:end], "-")
	extended := t.group.extended
	var keepSet, keepUnset strings.Builder
	for _, part := range [...]struct {
		letters string
		on      bool
		keep    *strings.Builder
	}{{set, true, &keepSet}, {unset, false, &keepUnset}} {
		for i := range len(part.letters) {
			switch c := part.letters[i]; c {
			case 'i', 'm', 's':
				part.keep.WriteByte(c)
			case 'x':
				extended = part.on
			default:
				return t.fail("unrecognized character after (? or (?-")
			}
		}
	}
	text := keepSet.String()
	if keepUnset.Len() > 0 {
		text += "-" + keepUnset.String()
	}
	if strings.Contains(text, "m") {
		t.done.dollar = true
	}
	if t.rest()[end] == ':' {
		t.push("(?"+text+":", end+1)
		t.group.extended = extended
		return nil
	}
	t.group.extended = extended
	if text != "" {
		t.out.str("(?" + text + ")")
	}
	t.pos += end + 1
	t.atom = -1
	return nil
}

// conditional reads (?(1)yes|no), (?(<name>)…) and (?(?=…)yes|no).
func (t *translator) conditional() error {
	t.done.perlOnly = true
	inner := t.rest()[3:]
	if strings.HasPrefix(inner, "?") {
		// The condition is a group of its own that comes next.
		t.push("(?", 2)
		return nil
	}
	end := strings.IndexByte(inner, ')')
	if end < 0 {
		return t.fail("missing closing parenthesis for condition")
	}
	number, ok := t.referTo(strings.Trim(inner[:end], "<>'"))
	if !ok {
		return t.fail("reference to non-existent subpattern")
	}
	t.push("(?("+strconv.Itoa(number)+")", 3+end+1)
	return nil
}

// referTo finds a group by number or name.
func (t *translator) referTo(name string) (int, bool) {
	if n, err := strconv.Atoi(name); err == nil {
		return n, n >= 1 && n <= t.groups
	}
	n, ok := t.names[name]
	return n, ok
}

// namedReference reads a back-reference whose name starts at offset and runs to
// the end sign.
func (t *translator) namedReference(offset int, end byte) error {
	s := t.rest()
	if offset > len(s) {
		return t.fail("subpattern name expected")
	}
	size := strings.IndexByte(s[offset:], end)
	if size <= 0 {
		return t.fail("subpattern name expected")
	}
	return t.backReference(s[offset:offset+size], offset+size+1)
}

func (t *translator) backReference(name string, size int) error {
	n, ok := t.referTo(name)
	if !ok {
		return t.fail("reference to non-existent subpattern")
	}
	t.done.perlOnly = true
	t.emit("(?:\\" + strconv.Itoa(n) + ")")
	t.pos += size
	return nil
}

// countGroups counts the capturing groups of a pattern and numbers those with
// names. It reads loosely; what it gets wrong in a bad pattern, the translation
// refuses.
func countGroups(pattern string) (count int, names map[string]int) {
	names = map[string]int{}
	for i := 0; i < len(pattern); i++ {
		switch pattern[i] {
		case '\\':
			if strings.HasPrefix(pattern[i:], `\Q`) {
				end := strings.Index(pattern[i:], `\E`)
				if end < 0 {
					return count, names
				}
				i += end
			}
			i++
		case '[':
			i += classSize(pattern[i:]) - 1
		case '(':
			if strings.HasPrefix(pattern[i:], "(?#") {
				if end := strings.IndexByte(pattern[i:], ')'); end > 0 {
					i += end
				}
				continue
			}
			if name, size := groupName(pattern[i:]); size > 0 {
				count++
				if names[name] == 0 {
					names[name] = count
				}
			} else if !strings.HasPrefix(pattern[i:], "(?") && !strings.HasPrefix(pattern[i:], "(*") {
				count++
			}
		}
	}
	return count, names
}
