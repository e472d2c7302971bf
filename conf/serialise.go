package conf

import (
	"strings"
)

// String writes the node as XML the way the reference does (spec/config.md §2):
// two spaces a level, every element on a line of its own, start and end tag
// always both, attributes in stored order, no XML header.
func (n *Node) String() string {
	if n == nil {
		return ""
	}
	var b strings.Builder
	n.write(&b, 0)
	return b.String()
}

func (n *Node) write(b *strings.Builder, level int) {
	indent(b, level)
	b.WriteByte('<')
	b.WriteString(n.Name)
	for i := range n.Attrs {
		b.WriteByte(' ')
		b.WriteString(n.Attrs[i].Name)
		b.WriteString(`="`)
		escape(b, n.Attrs[i].Value, true)
		b.WriteByte('"')
	}
	b.WriteByte('>')
	escape(b, n.Text, false)
	if len(n.Children) > 0 {
		b.WriteByte('\n')
		for _, c := range n.Children {
			c.write(b, level+1)
		}
		indent(b, level)
	}
	b.WriteString("</")
	b.WriteString(n.Name)
	b.WriteString(">\n")
}

func indent(b *strings.Builder, level int) {
	for range level {
		b.WriteString("  ")
	}
}

// escape writes s with its markup characters as entities. From the first "<!"
// of a text on nothing more is escaped: the reference takes the rest for a
// CDATA section.
func escape(b *strings.Builder, s string, attr bool) {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '<' && !attr && i+1 < len(s) && s[i+1] == '!':
			b.WriteString(s[i:])
			return
		case c == '&':
			b.WriteString("&amp;")
		case c == '<':
			b.WriteString("&lt;")
		case c == '>':
			b.WriteString("&gt;")
		case c == '\r':
			b.WriteString("&#xD;")
		case c == '"' && attr:
			b.WriteString("&quot;")
		case c == '\n' && attr:
			b.WriteString("&#xA;")
		case c == '\t' && attr:
			b.WriteString("&#x9;")
		default:
			b.WriteByte(c)
		}
	}
}
