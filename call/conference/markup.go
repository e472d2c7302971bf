package conference

import (
	"strconv"
	"strings"
)

// element is one element of an XML reply.
type element struct {
	name     string
	attrs    []attr
	text     string
	children []*element
}

type attr struct{ name, value string }

func (e *element) child(name string) *element {
	c := &element{name: name}
	e.children = append(e.children, c)
	return c
}

func (e *element) leaf(name, text string) *element {
	c := e.child(name)
	c.text = text
	return c
}

func (e *element) set(name, value string) { e.attrs = append(e.attrs, attr{name, value}) }

// document is the element with the XML declaration, indented by two blanks.
func (e *element) document() string {
	var b strings.Builder
	b.WriteString("<?xml version=\"1.0\"?>\n")
	e.write(&b, 0)
	return b.String()
}

func (e *element) write(b *strings.Builder, depth int) {
	indent := strings.Repeat("  ", depth)
	b.WriteString(indent + "<" + e.name)
	for _, a := range e.attrs {
		b.WriteString(" " + a.name + "=\"" + escape(a.value) + "\"")
	}
	b.WriteByte('>')
	if len(e.children) > 0 {
		b.WriteByte('\n')
		for _, c := range e.children {
			c.write(b, depth+1)
		}
		b.WriteString(indent)
	} else {
		b.WriteString(escape(e.text))
	}
	b.WriteString("</" + e.name + ">\n")
}

// escape writes what XML 1.0 cannot have as a reference, or leaves it out.
func escape(s string) string {
	var b strings.Builder
	for _, c := range s {
		switch {
		case c == '&':
			b.WriteString("&amp;")
		case c == '<':
			b.WriteString("&lt;")
		case c == '>':
			b.WriteString("&gt;")
		case c == '"':
			b.WriteString("&quot;")
		case c < ' ' && c != '\t' && c != '\n' && c != '\r':
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

// urlEncode writes all but letters, digits and a few marks as %XX, as the
// reference does with texts of its XML lists.
func urlEncode(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c > ' ' && c < 0x7f && !strings.ContainsRune("\r\n \"#%&+:;<=>?@[\\]^`{|}", rune(c)) {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
	return b.String()
}

// field is one member of a JSON object, in order. Values are strings, bools,
// ints, objects and lists.
type field struct {
	name  string
	value any
}

type object []field

// encodeJSON writes v as the reference prints JSON: with tabs, or compact.
func encodeJSON(v any, compact bool) string {
	j := &jsonWriter{compact: compact}
	j.value(v, 0)
	return j.out.String()
}

type jsonWriter struct {
	out     strings.Builder
	compact bool
}

func (j *jsonWriter) value(v any, depth int) {
	switch v := v.(type) {
	case string:
		j.text(v)
	case bool:
		j.out.WriteString(strconv.FormatBool(v))
	case int:
		j.out.WriteString(strconv.Itoa(v))
	case []object:
		j.out.WriteByte('[')
		for i, o := range v {
			if i > 0 {
				j.out.WriteByte(',')
				j.space(" ", 0)
			}
			j.value(o, depth+1)
		}
		j.out.WriteByte(']')
	case object:
		j.object(v, depth+1)
	}
}

func (j *jsonWriter) object(o object, depth int) {
	j.out.WriteByte('{')
	j.space("\n", 0)
	for i, f := range o {
		j.space("", depth)
		j.text(f.name)
		j.out.WriteByte(':')
		j.space("\t", 0)
		j.value(f.value, depth)
		if i < len(o)-1 {
			j.out.WriteByte(',')
		}
		j.space("\n", 0)
	}
	j.space("", depth-1)
	j.out.WriteByte('}')
}

// space writes white space, and so many tabs, unless compact.
func (j *jsonWriter) space(s string, tabs int) {
	if !j.compact {
		j.out.WriteString(s + strings.Repeat("\t", tabs))
	}
}

func (j *jsonWriter) text(s string) {
	j.out.WriteByte('"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			j.out.WriteByte('\\')
			j.out.WriteByte(c)
		case c == '\n':
			j.out.WriteString(`\n`)
		case c == '\r':
			j.out.WriteString(`\r`)
		case c == '\t':
			j.out.WriteString(`\t`)
		case c == '\b':
			j.out.WriteString(`\b`)
		case c == '\f':
			j.out.WriteString(`\f`)
		case c < ' ':
			j.out.WriteString(`\u00`)
			j.out.WriteByte("0123456789abcdef"[c>>4])
			j.out.WriteByte("0123456789abcdef"[c&15])
		default:
			j.out.WriteByte(c)
		}
	}
	j.out.WriteByte('"')
}
