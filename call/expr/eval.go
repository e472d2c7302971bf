package expr

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// Bounds of one evaluation.
const (
	maxText  = 64 << 10
	maxDepth = 200
	maxSteps = 1 << 20
)

// Errors of Eval. The command answers all of them with the same word.
var (
	ErrSyntax   = errors.New("expr: syntax error")
	ErrFunction = errors.New("expr: no such function")
	ErrArgs     = errors.New("expr: wrong number of arguments")
	ErrConstant = errors.New("expr: a constant cannot be assigned")
	ErrRange    = errors.New("expr: result out of range")
	ErrTooMuch  = errors.New("expr: expression is too long, too deep or takes too long")
)

// Eval evaluates statements separated by ; or | and returns the value of the
// last, with up to ten decimals. There are + - * / ^ (all grouping to the left),
// parentheses, variables that start as 0 and are assigned with =, constants such
// as M_PI, and functions.
func Eval(text string) (string, error) {
	if len(text) > maxText {
		return "", ErrTooMuch
	}
	text = strings.ReplaceAll(text, "|", ";")
	if !strings.HasSuffix(text, ";") {
		text += ";"
	}
	p := parser{vars: map[string]*float64{}}
	if err := p.scan(text); err != nil {
		return "", err
	}
	program, err := p.program()
	if err != nil {
		return "", err
	}
	r := run{steps: maxSteps}
	var value float64
	for _, statement := range program {
		if value, err = r.eval(statement); err != nil {
			return "", err
		}
	}
	return format(value), nil
}

// format writes ten decimals without the zeros at their end.
func format(v float64) string {
	switch {
	case math.IsInf(v, 1):
		return "inf"
	case math.IsInf(v, -1):
		return "-inf"
	case math.IsNaN(v):
		return "nan"
	}
	s := strconv.FormatFloat(v, 'f', 10, 64)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// node is a value that is worked out when it is asked for.
type node func(r *run) (float64, error)

// run counts the steps of an evaluation.
type run struct{ steps int }

func (r *run) eval(n node) (float64, error) {
	if r.steps--; r.steps < 0 {
		return 0, ErrTooMuch
	}
	return n(r)
}

func (r *run) both(a, b node) (x, y float64, err error) {
	if x, err = r.eval(a); err == nil {
		y, err = r.eval(b)
	}
	return x, y, err
}

// checked refuses what the C library reports as a domain or range error.
func checked(v float64) (float64, error) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, ErrRange
	}
	return v, nil
}

func power(x, y float64) (float64, error) {
	v := math.Pow(x, y)
	if v == 0 && x != 0 {
		return 0, ErrRange // too small to be told from nothing
	}
	return checked(v)
}

func constant(v float64) node { return func(*run) (float64, error) { return v, nil } }

func operate(a, b node, op func(x, y float64) (float64, error)) node {
	return func(r *run) (float64, error) {
		x, y, err := r.both(a, b)
		if err != nil {
			return 0, err
		}
		return op(x, y)
	}
}

func add(x, y float64) (float64, error)      { return x + y, nil }
func subtract(x, y float64) (float64, error) { return x - y, nil }
func multiply(x, y float64) (float64, error) { return x * y, nil }

func divide(x, y float64) (float64, error) {
	if y == 0 {
		return 0, ErrRange
	}
	return x / y, nil
}

// constants are the names that have a value of their own.
var constants = map[string]float64{
	"M_E":        math.E,
	"M_LOG2E":    math.Log2E,
	"M_LOG10E":   math.Log10E,
	"M_LN2":      math.Ln2,
	"M_LN10":     math.Ln10,
	"M_PI":       math.Pi,
	"M_PI_2":     math.Pi / 2,
	"M_PI_4":     math.Pi / 4,
	"M_1_PI":     1 / math.Pi,
	"M_2_PI":     2 / math.Pi,
	"M_1_SQRTPI": 1 / math.SqrtPi,
	"M_2_SQRTPI": 2 / math.SqrtPi,
	"M_SQRT2":    math.Sqrt2,
	"M_1_SQRT2":  1 / math.Sqrt2,
}
