package regex

import (
	"strconv"
	"strings"
)

// maxGroup is the highest group that a template can name.
const maxGroup = 256

// Substitute replaces $N and ${N} by the groups of a match, 0 being the whole. A
// group that does not exist is empty; a dollar sign before anything else stays.
func Substitute(template string, groups []string) string {
	first := strings.IndexByte(template, '$')
	if first < 0 {
		return template
	}
	var b strings.Builder
	b.WriteString(template[:first])
	for i := first; i < len(template); {
		if template[i] != '$' {
			b.WriteByte(template[i])
			i++
			continue
		}
		n, size := groupNumber(template[i+1:])
		if size == 0 {
			b.WriteByte('$')
			i++
			continue
		}
		if n <= maxGroup && n < len(groups) {
			b.WriteString(groups[n])
		}
		i += 1 + size
	}
	return b.String()
}

// SubstitutePercent is Substitute for templates that may also write %N: every
// percent sign counts as a dollar sign, as in the regex command.
func SubstitutePercent(template string, groups []string) string {
	return Substitute(strings.ReplaceAll(template, "%", "$"), groups)
}

// groupNumber reads N or {N} at the start of s and returns how many bytes it
// has, 0 when there is no number.
func groupNumber(s string) (n, size int) {
	const maxDigits = 9
	brace := strings.HasPrefix(s, "{")
	from := 0
	if brace {
		from = 1
	}
	to := from
	for to < len(s) && to-from < maxDigits && s[to] >= '0' && s[to] <= '9' {
		to++
	}
	if to == from {
		return 0, 0
	}
	n, err := strconv.Atoi(s[from:to])
	if err != nil {
		return 0, 0
	}
	if !brace {
		return n, to
	}
	if to < len(s) && s[to] == '}' {
		return n, to + 1
	}
	return 0, 0
}
