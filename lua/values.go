package lua

import (
	"math"
	"strconv"
	"strings"

	glua "github.com/yuin/gopher-lua"
)

// formatNumber is a number as Lua 5.2 prints it: %.14g.
func formatNumber(n float64) string {
	if i := int64(n); float64(i) == n && i > -1e14 && i < 1e14 {
		return strconv.FormatInt(i, 10)
	}
	switch {
	case math.IsInf(n, 1):
		return "inf"
	case math.IsInf(n, -1):
		return "-inf"
	case math.IsNaN(n):
		if math.Signbit(n) {
			return "nan"
		}
		return "-nan"
	}
	return formatG(n, 14, false)
}

// formatG is C's %.{precision}g.
func formatG(n float64, precision int, alternate bool) string {
	if precision == 0 {
		precision = 1
	}
	mantissa := strconv.FormatFloat(n, 'e', precision-1, 64)
	at := strings.IndexByte(mantissa, 'e')
	exponent, _ := strconv.Atoi(mantissa[at+1:])
	var digits, suffix string
	if exponent < -4 || exponent >= precision {
		digits, suffix = mantissa[:at], mantissa[at:]
	} else {
		digits = strconv.FormatFloat(n, 'f', precision-1-exponent, 64)
	}
	if !alternate && strings.IndexByte(digits, '.') >= 0 {
		digits = strings.TrimRight(strings.TrimRight(digits, "0"), ".")
	}
	return digits + suffix
}

// text is the string of a string or number, "" of anything else.
// Not inlined: it is used at so many places that its copies would be large.
//
//go:noinline
func text(v glua.LValue) string {
	switch v := v.(type) {
	case glua.LString:
		return string(v)
	case glua.LNumber:
		return formatNumber(float64(v))
	}
	return ""
}

// isText reports whether Lua converts v to a string by itself.
func isText(v glua.LValue) bool {
	switch v.(type) {
	case glua.LString, glua.LNumber:
		return true
	}
	return false
}

// number is the number of a number or numeric string.
func number(v glua.LValue) (float64, bool) {
	switch v := v.(type) {
	case glua.LNumber:
		return float64(v), true
	case glua.LString:
		return parseNumber(string(v))
	}
	return 0, false
}

// parseNumber reads a number as Lua 5.2 does: decimal or hexadecimal, with
// fraction and exponent, blanks around it.
func parseNumber(s string) (float64, bool) {
	s = strings.Trim(s, " \t\n\v\f\r")
	if s == "" {
		return 0, false
	}
	body := strings.TrimLeft(s, "+-")
	if len(s)-len(body) > 1 || body == "" {
		return 0, false
	}
	if len(body) > 2 && body[0] == '0' && (body[1] == 'x' || body[1] == 'X') {
		return parseHex(body[2:], s[0] == '-')
	}
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case c >= '0' && c <= '9', c == '.':
		case c == 'e' || c == 'E':
		case (c == '+' || c == '-') && i > 0 && (body[i-1] == 'e' || body[i-1] == 'E'):
		default:
			return 0, false
		}
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(n, 0) {
		return 0, false
	}
	return n, true
}

func parseHex(s string, negative bool) (float64, bool) {
	n, digits, scale, exponent := 0.0, 0, 0, 0
	point := false
	for i := 0; i < len(s); i++ {
		c := s[i]
		if d := hexDigit(c); d >= 0 {
			n = n*16 + float64(d)
			digits++
			if point {
				scale -= 4
			}
			continue
		}
		if c == '.' && !point {
			point = true
			continue
		}
		if (c == 'p' || c == 'P') && digits > 0 {
			e, err := strconv.Atoi(s[i+1:])
			if err != nil {
				return 0, false
			}
			exponent = e
			break
		}
		return 0, false
	}
	if digits == 0 {
		return 0, false
	}
	n = math.Ldexp(n, scale+exponent)
	if negative {
		n = -n
	}
	return n, true
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// toInt truncates as a C cast to int would for sane values, and bounds the rest.
func toInt(n float64) int {
	switch {
	case math.IsNaN(n):
		return 0
	case n > math.MaxInt32:
		return math.MaxInt32
	case n < math.MinInt32:
		return math.MinInt32
	}
	return int(n)
}
