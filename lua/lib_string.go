package lua

import (
	"math"
	"strconv"
	"strings"

	glua "github.com/yuin/gopher-lua"
)

// library is a set of functions by name.
type library map[string]func(s *script, L *glua.LState) int

// install puts the functions into a table.
func (s *script) install(t *glua.LTable, lib library) {
	for name, fn := range lib {
		t.RawSetString(name, s.L.NewFunction(func(L *glua.LState) int { return fn(s, L) }))
	}
}

// module returns a global table, made if there is none.
func (s *script) module(name string) *glua.LTable {
	if t, ok := s.global(name).(*glua.LTable); ok {
		return t
	}
	t := s.L.NewTable()
	s.setGlobal(name, t)
	return t
}

func stringLibrary() library {
	return library{
		"find":   func(s *script, L *glua.LState) int { return s.find(L, "find", true) },
		"match":  func(s *script, L *glua.LState) int { return s.find(L, "match", false) },
		"gmatch": stringGmatch,
		"gfind":  stringGmatch,
		"gsub":   stringGsub,
		"format": stringFormat,
		"rep":    stringRep,
		"upper":  func(s *script, L *glua.LState) int { return s.mapBytes(L, "upper", upperByte) },
		"lower":  func(s *script, L *glua.LState) int { return s.mapBytes(L, "lower", lowerByte) },
		"dump": func(s *script, L *glua.LState) int {
			s.raise(L, "unable to dump given function")
			return 0
		},
	}
}

// checkText is a string argument, or Lua's error.
func (s *script) checkText(L *glua.LState, n int, function string) string {
	v := L.Get(n)
	if !isText(v) {
		s.argError(L, n, function, "string expected, got "+s.given(L, n))
	}
	return text(v)
}

// given is what an argument error calls an argument's type.
func (s *script) given(L *glua.LState, n int) string {
	if n > L.GetTop() {
		return "no value"
	}
	return L.Get(n).Type().String()
}

// checkNumber is a number argument, or Lua's error.
func (s *script) checkNumber(L *glua.LState, n int, function string) float64 {
	v, ok := number(L.Get(n))
	if !ok {
		s.argError(L, n, function, "number expected, got "+s.given(L, n))
	}
	return v
}

// optNumber is a number argument that may be nil or missing.
func (s *script) optNumber(L *glua.LState, n int, function string, def float64) float64 {
	if L.Get(n) == glua.LNil {
		return def
	}
	return s.checkNumber(L, n, function)
}

// pushText returns a string that an operation built. Strings beyond the limit
// are an error.
func (s *script) pushText(L *glua.LState, text string) int {
	s.account(L, len(text))
	L.Push(glua.LString(text))
	return 1
}

// checkEvery is how many bytes of new strings pass until the memory is looked at.
const checkEvery = 64 << 20

// account counts the bytes of a new string and refuses one that is too long.
func (s *script) account(L *glua.LState, size int) {
	if size > s.host.opts.Limits.Text {
		s.raise(L, "not enough memory: a string of %d bytes, at most %d are allowed", size, s.host.opts.Limits.Text)
	}
	if s.built += int64(size); s.built > checkEvery {
		s.built = 0
		if heapSize() > s.host.opts.Limits.Memory {
			s.host.endBusy(errMemory)
		}
	}
}

func (s *script) mapBytes(L *glua.LState, name string, fn func(byte) byte) int {
	b := []byte(s.checkText(L, 1, name))
	for i, c := range b {
		b[i] = fn(c)
	}
	return s.pushText(L, string(b))
}

func upperByte(c byte) byte {
	if c >= 'a' && c <= 'z' {
		return c - 0x20
	}
	return c
}

func lowerByte(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 0x20
	}
	return c
}

// position turns Lua's index, which may count from the end, into an offset.
func position(n float64, length int) int {
	switch {
	case n > 0:
		return int(math.Min(n-1, float64(length)+1))
	case n == 0:
		return 0
	case -n > float64(length):
		return 0
	}
	return length + int(n)
}

func (s *script) matcher(subject, pattern string) *matcher {
	return &matcher{subject: subject, pattern: pattern, stopped: s.cancelled}
}

// find is string.find and string.match.
func (s *script) find(L *glua.LState, name string, places bool) int {
	subject, pattern := s.checkText(L, 1, name), s.checkText(L, 2, name)
	from := position(s.optNumber(L, 3, name, 1), len(subject))
	if from > len(subject) {
		L.Push(glua.LNil)
		return 1
	}
	if places && (glua.LVAsBool(L.Get(4)) || !strings.ContainsAny(pattern, "^$*+?.([%-")) {
		at := strings.Index(subject[from:], pattern)
		if at < 0 {
			L.Push(glua.LNil)
			return 1
		}
		L.Push(glua.LNumber(from + at + 1))
		L.Push(glua.LNumber(from + at + len(pattern)))
		return 2
	}
	m := s.matcher(subject, pattern)
	start, end := m.find(from)
	if m.err != nil {
		s.raise(L, "%v", m.err)
	}
	if start < 0 {
		L.Push(glua.LNil)
		return 1
	}
	if places {
		L.Push(glua.LNumber(start + 1))
		L.Push(glua.LNumber(end))
		if m.level == 0 {
			return 2
		}
		return 2 + s.pushCaptures(L, m, start, end)
	}
	return s.pushCaptures(L, m, start, end)
}

// pushCaptures pushes the captures of a match, or the whole of it.
func (s *script) pushCaptures(L *glua.LState, m *matcher, start, end int) int {
	n := max(m.level, 1)
	for i := range n {
		L.Push(s.captured(L, m, i, start, end))
	}
	return n
}

func (s *script) captured(L *glua.LState, m *matcher, i, start, end int) glua.LValue {
	text, at, err := m.value(i, start, end)
	if err != nil {
		s.raise(L, "%v", err)
	}
	if at > 0 {
		return glua.LNumber(at)
	}
	return glua.LString(text)
}

func stringGmatch(s *script, L *glua.LState) int {
	subject, pattern := s.checkText(L, 1, "gmatch"), s.checkText(L, 2, "gmatch")
	from := 0
	L.Push(L.NewFunction(func(L *glua.LState) int {
		m := s.matcher(subject, pattern)
		for ; from <= len(subject); from++ {
			end := m.at(from, 0)
			if m.err != nil {
				s.raise(L, "%v", m.err)
			}
			if end < 0 {
				continue
			}
			start := from
			if from = end; end == start {
				from++
			}
			return s.pushCaptures(L, m, start, end)
		}
		L.Push(glua.LNil)
		return 1
	}))
	return 1
}

func stringGsub(s *script, L *glua.LState) int {
	subject, pattern := s.checkText(L, 1, "gsub"), s.checkText(L, 2, "gsub")
	replacement := L.Get(3)
	switch {
	case isText(replacement), replacement.Type() == glua.LTTable, replacement.Type() == glua.LTFunction:
	default:
		s.argError(L, 3, "gsub", "string/function/table expected")
	}
	limit := s.optNumber(L, 4, "gsub", float64(len(subject)+1))
	m := s.matcher(subject, pattern)
	p := 0
	anchored := strings.HasPrefix(pattern, "^")
	if anchored {
		p = 1
	}
	var out strings.Builder
	count, at := 0, 0
	for float64(count) < limit {
		end := m.at(at, p)
		if m.err != nil {
			s.raise(L, "%v", m.err)
		}
		if end >= 0 {
			count++
			out.WriteString(s.replace(L, m, replacement, at, end))
			if out.Len() > s.host.opts.Limits.Text {
				s.account(L, out.Len())
			}
		}
		switch {
		case end > at:
			at = end
		case at < len(subject):
			out.WriteByte(subject[at])
			at++
		default:
			at++
		}
		if at > len(subject) || anchored {
			break
		}
	}
	if at < len(subject) {
		out.WriteString(subject[at:])
	}
	s.pushText(L, out.String())
	L.Push(glua.LNumber(count))
	return 2
}

// replace is what a match is replaced by.
func (s *script) replace(L *glua.LState, m *matcher, replacement glua.LValue, start, end int) string {
	var v glua.LValue
	switch r := replacement.(type) {
	case *glua.LTable:
		v = L.GetTable(r, s.captured(L, m, 0, start, end))
	case *glua.LFunction:
		L.Push(r)
		n := s.pushCaptures(L, m, start, end)
		L.Call(n, 1)
		v = L.Get(-1)
		L.Pop(1)
	default:
		return s.template(L, m, text(replacement), start, end)
	}
	if glua.LVIsFalse(v) {
		return m.subject[start:end]
	}
	if !isText(v) {
		s.raise(L, "invalid replacement value (a %s)", v.Type().String())
	}
	return text(v)
}

// template replaces %0 to %9 and %% in a replacement text.
func (s *script) template(L *glua.LState, m *matcher, template string, start, end int) string {
	if strings.IndexByte(template, '%') < 0 {
		return template
	}
	var out strings.Builder
	for i := 0; i < len(template); i++ {
		c := template[i]
		if c != '%' {
			out.WriteByte(c)
			continue
		}
		i++
		switch {
		case i < len(template) && template[i] == '%':
			out.WriteByte('%')
		case i < len(template) && template[i] == '0':
			out.WriteString(m.subject[start:end])
		case i < len(template) && isDigit(template[i]):
			out.WriteString(text(s.captured(L, m, int(template[i]-'1'), start, end)))
		default:
			s.raise(L, "invalid use of '%%' in replacement string")
		}
	}
	return out.String()
}

func stringRep(s *script, L *glua.LState) int {
	str, n := s.checkText(L, 1, "rep"), s.checkNumber(L, 2, "rep")
	separator := ""
	if L.Get(3) != glua.LNil {
		separator = s.checkText(L, 3, "rep")
	}
	if n < 1 {
		L.Push(glua.LString(""))
		return 1
	}
	size := float64(len(str))*n + float64(len(separator))*(n-1)
	if size > float64(s.host.opts.Limits.Text) || n > math.MaxInt32 {
		s.raise(L, "resulting string too large")
	}
	if separator == "" {
		return s.pushText(L, strings.Repeat(str, int(n)))
	}
	return s.pushText(L, strings.Repeat(str+separator, int(n)-1)+str)
}

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
