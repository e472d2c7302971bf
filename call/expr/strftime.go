package expr

import (
	"strconv"
	"strings"
	"time"
)

// maxDate is the longest date that Strftime makes; the rest of the format is
// left out.
const maxDate = 4096

// Strftime writes a time by the C library's format, in the C locale and in the
// zone of t. Between % and the letter may stand the GNU flags - (no padding), _
// (spaces), 0 (zeros) and ^ (upper case), and the modifiers E and O, which mean
// nothing here. A letter without a meaning is left as it is written.
func Strftime(format string, t time.Time) string {
	var b strings.Builder
	for i := 0; i < len(format) && b.Len() < maxDate; i++ {
		if format[i] != '%' {
			b.WriteByte(format[i])
			continue
		}
		start := i
		var f field
		for i++; i < len(format) && strings.IndexByte("-_0^EO", format[i]) >= 0; i++ {
			switch format[i] {
			case '-', '_', '0':
				f.pad = format[i]
			case '^':
				f.upper = true
			}
		}
		if i >= len(format) {
			b.WriteString(format[start:])
			break
		}
		text, ok := f.convert(format[i], t)
		if !ok {
			text = format[start : i+1]
		}
		b.WriteString(text)
	}
	return b.String()
}

// field is how one conversion is to be written.
type field struct {
	pad   byte // a flag, or 0
	upper bool
}

// number pads n to width with the conversion's own sign, unless a flag says
// another.
func (f field) number(n, width int, own byte) string {
	pad := own
	switch f.pad {
	case '-':
		width = 0
	case '_':
		pad = ' '
	case '0':
		pad = '0'
	}
	s := strconv.Itoa(n)
	if missing := width - len(s); missing > 0 {
		s = strings.Repeat(string(pad), missing) + s
	}
	return s
}

func (f field) text(s string) string {
	if f.upper {
		return strings.ToUpper(s)
	}
	return s
}

// composite conversions stand for formats.
var composite = map[byte]string{
	'c': "%a %b %e %H:%M:%S %Y",
	'D': "%m/%d/%y",
	'F': "%Y-%m-%d",
	'r': "%I:%M:%S %p",
	'R': "%H:%M",
	'T': "%H:%M:%S",
	'x': "%m/%d/%y",
	'X': "%H:%M:%S",
	'+': "%a %b %e %H:%M:%S %Z %Y",
}

func (f field) convert(c byte, t time.Time) (string, bool) {
	if format, ok := composite[c]; ok {
		return f.text(Strftime(format, t)), true
	}
	if n, width, own, ok := numeric(c, t); ok {
		return f.number(n, width, own), true
	}
	switch c {
	case 'a':
		return f.text(t.Format("Mon")), true
	case 'A':
		return f.text(t.Format("Monday")), true
	case 'b', 'h':
		return f.text(t.Format("Jan")), true
	case 'B':
		return f.text(t.Format("January")), true
	case 'p':
		return t.Format("PM"), true
	case 'P':
		return t.Format("pm"), true
	case 's':
		return strconv.FormatInt(t.Unix(), 10), true
	case 'z':
		return t.Format("-0700"), true
	case 'Z':
		return f.text(t.Format("MST")), true
	case 'n':
		return "\n", true
	case 't':
		return "\t", true
	case '%':
		return "%", true
	}
	return "", false
}

// numeric returns the value of a conversion to a number, its width and what it
// is padded with.
func numeric(c byte, t time.Time) (n, width int, pad byte, ok bool) {
	year, week := t.ISOWeek()
	sunday := int(t.Weekday())
	monday := (sunday + 6) % 7
	hour12 := (t.Hour()+11)%12 + 1
	switch c {
	case 'C':
		return t.Year() / 100, 2, '0', true
	case 'd':
		return t.Day(), 2, '0', true
	case 'e':
		return t.Day(), 2, ' ', true
	case 'g':
		return year % 100, 2, '0', true
	case 'G':
		return year, 1, '0', true
	case 'H':
		return t.Hour(), 2, '0', true
	case 'I':
		return hour12, 2, '0', true
	case 'j':
		return t.YearDay(), 3, '0', true
	case 'k':
		return t.Hour(), 2, ' ', true
	case 'l':
		return hour12, 2, ' ', true
	case 'm':
		return int(t.Month()), 2, '0', true
	case 'M':
		return t.Minute(), 2, '0', true
	case 'S':
		return t.Second(), 2, '0', true
	case 'u':
		return monday + 1, 1, '0', true
	case 'U':
		return (t.YearDay() + 6 - sunday) / 7, 2, '0', true
	case 'V':
		return week, 2, '0', true
	case 'w':
		return sunday, 1, '0', true
	case 'W':
		return (t.YearDay() + 6 - monday) / 7, 2, '0', true
	case 'y':
		return t.Year() % 100, 2, '0', true
	case 'Y':
		return t.Year(), 1, '0', true
	}
	return 0, 0, 0, false
}
