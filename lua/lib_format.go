package lua

import (
	"math"
	"strconv"
	"strings"

	glua "github.com/yuin/gopher-lua"
)

// maxFormatWidth bounds widths and precisions, as Lua does.
const maxFormatWidth = 99

func stringFormat(s *script, L *glua.LState) int {
	format := s.checkText(L, 1, "format")
	var out strings.Builder
	arg := 1
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			out.WriteByte(format[i])
			continue
		}
		i++
		if i >= len(format) {
			s.raise(L, "invalid option '%%' to 'format'")
		}
		if format[i] == '%' {
			out.WriteByte('%')
			continue
		}
		spec, n := parseSpec(format[i:])
		if n == 0 || spec.width > maxFormatWidth || spec.precision > maxFormatWidth {
			s.raise(L, "invalid format (width or precision too long)")
		}
		i += n - 1
		arg++
		if arg > L.GetTop() {
			s.argError(L, arg, "format", "no value")
		}
		s.formatOne(L, &out, spec, arg)
		if out.Len() > s.host.opts.Limits.Text {
			s.account(L, out.Len())
		}
	}
	return s.pushText(L, out.String())
}

// spec is one conversion of a format.
type spec struct {
	minus, plus, space, sharp, zero bool
	width, precision                int // precision -1: none
	verb                            byte
}

// parseSpec reads what follows '%'; n is 0 if there is no conversion.
func parseSpec(f string) (sp spec, n int) {
	sp.precision = -1
	for ; n < len(f); n++ {
		switch f[n] {
		case '-':
			sp.minus = true
			continue
		case '+':
			sp.plus = true
			continue
		case ' ':
			sp.space = true
			continue
		case '#':
			sp.sharp = true
			continue
		case '0':
			sp.zero = true
			continue
		}
		break
	}
	for ; n < len(f) && isDigit(f[n]) && sp.width <= maxFormatWidth; n++ {
		sp.width = sp.width*10 + int(f[n]-'0')
	}
	if n < len(f) && f[n] == '.' {
		sp.precision = 0
		for n++; n < len(f) && isDigit(f[n]) && sp.precision <= maxFormatWidth; n++ {
			sp.precision = sp.precision*10 + int(f[n]-'0')
		}
	}
	if n >= len(f) {
		return sp, 0
	}
	sp.verb = f[n]
	return sp, n + 1
}

func (s *script) formatOne(L *glua.LState, out *strings.Builder, sp spec, arg int) {
	switch sp.verb {
	case 'd', 'i':
		n := math.Trunc(s.checkNumber(L, arg, "format"))
		out.WriteString(sp.pad(sp.sign(n < 0, sp.digits(strconv.FormatFloat(math.Abs(n), 'f', 0, 64))), sp.precision < 0))
	case 'u':
		out.WriteString(sp.pad(sp.digits(strconv.FormatUint(unsigned(s.checkNumber(L, arg, "format")), 10)), sp.precision < 0))
	case 'c':
		out.WriteString(sp.pad(string([]byte{byte(toInt(s.checkNumber(L, arg, "format")))}), false))
	case 'o', 'x', 'X':
		out.WriteString(sp.pad(sp.based(unsigned(s.checkNumber(L, arg, "format"))), sp.precision < 0))
	case 'e', 'E', 'f', 'F', 'g', 'G', 'a', 'A':
		n := s.checkNumber(L, arg, "format")
		finite := !math.IsInf(n, 0) && !math.IsNaN(n)
		out.WriteString(sp.pad(sp.sign(math.Signbit(n) && !math.IsNaN(n), sp.float(math.Abs(n))), finite))
	case 'q':
		out.WriteString(quote(s.checkText(L, arg, "format")))
	case 's':
		str := s.toString(L, L.Get(arg))
		if sp.precision >= 0 && sp.precision < len(str) {
			str = str[:sp.precision]
		}
		sp.zero = false
		out.WriteString(sp.pad(str, false))
	default:
		s.raise(L, "invalid option '%%%c' to 'format'", sp.verb)
	}
}

// unsigned is a number as C's unsigned conversion gives it.
func unsigned(n float64) uint64 {
	if n < 0 {
		return uint64(int64(n))
	}
	return uint64(n)
}

// digits fills up to the precision with zeros.
func (sp spec) digits(str string) string {
	if sp.precision == 0 && str == "0" {
		return ""
	}
	return strings.Repeat("0", max(sp.precision-len(str), 0)) + str
}

func (sp spec) based(n uint64) string {
	switch sp.verb {
	case 'o':
		str := strconv.FormatUint(n, 8)
		if sp.sharp && str != "0" {
			str = "0" + str
		}
		return sp.digits(str)
	case 'x':
		str := sp.digits(strconv.FormatUint(n, 16))
		if sp.sharp && n != 0 {
			str = "0x" + str
		}
		return str
	}
	str := strings.ToUpper(sp.digits(strconv.FormatUint(n, 16)))
	if sp.sharp && n != 0 {
		str = "0X" + str
	}
	return str
}

func (sp spec) float(n float64) string {
	precision := sp.precision
	if precision < 0 {
		precision = 6
	}
	var str string
	switch {
	case math.IsInf(n, 0):
		str = "inf"
	case math.IsNaN(n):
		str = "nan"
	default:
		switch sp.verb | 0x20 {
		case 'e':
			str = strconv.FormatFloat(n, 'e', precision, 64)
		case 'f':
			str = strconv.FormatFloat(n, 'f', precision, 64)
		case 'g':
			str = formatG(n, precision, sp.sharp)
		case 'a':
			str = strconv.FormatFloat(n, 'x', sp.precision, 64)
			str = strings.Replace(strings.Replace(str, "p+0", "p+", 1), "p-0", "p-", 1)
		}
	}
	if sp.verb < 'a' {
		str = strings.ToUpper(str)
	}
	return str
}

func (sp spec) sign(negative bool, str string) string {
	switch {
	case negative:
		return "-" + str
	case sp.plus:
		return "+" + str
	case sp.space:
		return " " + str
	}
	return str
}

// pad fills up to the width, with zeros behind the sign where that is asked for.
func (sp spec) pad(str string, zeros bool) string {
	missing := sp.width - len(str)
	switch {
	case missing <= 0:
		return str
	case sp.minus:
		return str + strings.Repeat(" ", missing)
	case sp.zero && zeros:
		sign := 0
		if str != "" && strings.IndexByte("+- ", str[0]) >= 0 {
			sign = 1
		}
		if strings.HasPrefix(str[sign:], "0x") || strings.HasPrefix(str[sign:], "0X") {
			sign += 2
		}
		return str[:sign] + strings.Repeat("0", missing) + str[sign:]
	}
	return strings.Repeat(" ", missing) + str
}

// quote is %q: a text that Lua reads back.
func quote(str string) string {
	var out strings.Builder
	out.WriteByte('"')
	for i := 0; i < len(str); i++ {
		switch c := str[i]; {
		case c == '"' || c == '\\' || c == '\n':
			out.WriteByte('\\')
			out.WriteByte(c)
		case c < 0x20 || c == 0x7f:
			out.WriteByte('\\')
			code := strconv.Itoa(int(c))
			if i+1 < len(str) && isDigit(str[i+1]) {
				code = strings.Repeat("0", 3-len(code)) + code
			}
			out.WriteString(code)
		default:
			out.WriteByte(c)
		}
	}
	out.WriteByte('"')
	return out.String()
}
