package expr

import (
	"errors"
	"strconv"
	"strings"

	"github.com/switchlet/switchlet/call/expand"
)

// ErrCond is a text that is no condition.
var ErrCond = errors.New("cond: want <a> <op> <b> ? <true> : <false>")

// Cond reads <a> <op> <b> ? <true> : <false> and returns the value of the side
// that holds; a false side that is missing is empty. Operators are == != < <= >
// >= with spaces around them. Two numbers compare as numbers; two texts are
// equal or not, and bigger when they are longer; of a text and a number the
// text's length counts. A quoted operand is a text.
func Cond(text string) (string, error) {
	a, rest, ok := operand(text)
	if !ok {
		return "", ErrCond
	}
	op, rest, ok := operator(strings.TrimLeft(rest, blanks))
	if !ok || rest == "" {
		return "", ErrCond
	}
	// One character after the operator is passed over unseen.
	b, rest, ok := operand(strings.TrimLeft(rest[1:], blanks))
	if !ok {
		return "", ErrCond
	}
	rest = strings.TrimLeft(rest, blanks)
	if !strings.HasPrefix(rest, "?") {
		return "", ErrCond
	}
	sides := expand.SplitSeparate(":"+rest[1:], ':', 3)
	if len(sides) < 2 {
		return "", ErrCond
	}
	switch {
	case compare(a, op, b):
		return sides[1], nil
	case len(sides) == 3:
		return sides[2], nil
	}
	return "", nil
}

const blanks = " \t\n\v\f\r"

// value is one side of a comparison.
type value struct {
	text   string
	quoted bool
}

// operand reads a word, or a text in quotes in which \' and \\ do not end it.
func operand(s string) (v value, rest string, ok bool) {
	if !strings.HasPrefix(s, "'") {
		v.text, rest, ok = strings.Cut(s, " ")
		return v, rest, ok
	}
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && (s[i+1] == '\\' || s[i+1] == '\''):
			i++
		case s[i] == '\'':
			rest = s[i+1:]
			ok = rest != "" && strings.IndexByte(blanks, rest[0]) >= 0
			return value{s[1:i], true}, rest, ok
		}
	}
	return v, "", false
}

func operator(s string) (op, rest string, ok bool) {
	for _, op := range [...]string{"==", "!=", ">=", "<=", ">", "<"} {
		if rest, found := strings.CutPrefix(s, op); found {
			return op, rest, true
		}
	}
	return "", "", false
}

func compare(a value, op string, b value) bool {
	x, xNumber := a.number()
	y, yNumber := b.number()
	texts := !xNumber && !yNumber
	switch op {
	case "==":
		return texts && a.text == b.text || !texts && x == y
	case "!=":
		return texts && a.text != b.text || !texts && x != y
	case ">":
		return x > y
	case ">=":
		return x >= y
	case "<":
		return x < y
	}
	return x <= y
}

// number returns the value of a number, or the length of a text.
func (v value) number() (float64, bool) {
	digits := strings.TrimPrefix(v.text, "-")
	if digits == v.text {
		digits = strings.TrimPrefix(v.text, "+")
	}
	if v.quoted || strings.Trim(digits, "0123456789.") != "" {
		return float64(len(v.text)), false
	}
	// Of 1.2.3 the number is 1.2.
	if first := strings.IndexByte(digits, '.'); first >= 0 {
		if second := strings.IndexByte(digits[first+1:], '.'); second >= 0 {
			digits = digits[:first+1+second]
		}
	}
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		n = 0
	}
	if strings.HasPrefix(v.text, "-") {
		n = -n
	}
	return n, true
}
