package conf

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	// MaxDocument is the largest document that is parsed, in bytes.
	MaxDocument = 64 << 20
	// MaxNesting is how deep elements may nest.
	MaxNesting = 500
)

// ErrTooLarge is wrapped when a document exceeds MaxDocument.
var ErrTooLarge = errors.New("document too large")

// Parse reads one document of lenient XML (spec/config.md §2) and returns its
// root element; name stands for the file in positions. The error is a
// *ParseError unless the text is larger than MaxDocument. Internal DTDs are
// skipped: entities they define stay in the text as they are.
func Parse(text, name string) (*Node, error) {
	if len(text) > MaxDocument {
		return nil, fmt.Errorf("conf: %s: %w: %d bytes, %d allowed", name, ErrTooLarge, len(text), MaxDocument)
	}
	text = fromUTF16(text)
	return parse(text, lineMap(name))
}

// fromUTF16 turns a text with a UTF-16 byte order mark into UTF-8 and leaves
// every other text alone.
func fromUTF16(s string) string {
	var high, low int
	switch {
	case strings.HasPrefix(s, "\xff\xfe"):
		high, low = 1, 0
	case strings.HasPrefix(s, "\xfe\xff"):
		high, low = 0, 1
	default:
		return s
	}
	s = s[2:]
	units := make([]uint16, 0, len(s)/2)
	for ; len(s) >= 2; s = s[2:] {
		units = append(units, uint16(s[high])<<8|uint16(s[low]))
	}
	return string(utf16.Decode(units))
}

// parser walks a flat text once. Bytes past the end read as 0, and a 0 byte
// ends the text, as in the reference.
type parser struct {
	s     string
	pos   int
	where *sourceMap
	root  *Node
	cur   *Node
	depth int
	text  map[*Node]*strings.Builder
	attrs []Attr // of the tag at hand
	// folded counts the line breaks inside attribute values of tags that are
	// done: the reference turns them into spaces and no longer counts them in
	// its errors. folding counts those of the tag at hand.
	folded, folding int
}

func parse(text string, where *sourceMap) (*Node, error) {
	if i := strings.IndexByte(text, 0); i >= 0 {
		text = text[:i]
	}
	p := &parser{s: text, where: where}
	if err := p.document(); err != nil {
		return nil, err
	}
	k := keeper{names: make(map[string]string), block: min(len(text), keptBlock)}
	k.settle(p.root)
	return p.root, nil
}

// keptBlock is how many bytes of texts a keeper keeps together.
const keptBlock = 16 << 10

// keeper copies what a tree has of its document, of which most are comments and
// white space, so that the document itself need not be kept in memory.
type keeper struct {
	names map[string]string
	texts strings.Builder
	block int
}

// settle copies the strings of n and of what is below it. It drops the white
// space between child elements, which means nothing.
func (k *keeper) settle(n *Node) {
	if len(n.Children) > 0 && strings.TrimSpace(n.Text) == "" {
		n.Text = ""
	}
	n.Name, n.Text = k.name(n.Name), k.keep(n.Text)
	for i := range n.Attrs {
		a := &n.Attrs[i]
		a.Name, a.Value = k.name(a.Name), k.keep(a.Value)
	}
	for _, c := range n.Children {
		k.settle(c)
	}
}

// name copies a name that may come again.
func (k *keeper) name(s string) string {
	kept, ok := k.names[s]
	if !ok {
		kept = k.keep(s)
		k.names[kept] = kept
	}
	return kept
}

func (k *keeper) keep(s string) string {
	switch {
	case s == "":
		return ""
	case len(s) > k.block/4:
		return strings.Clone(s)
	case len(s) > k.texts.Cap()-k.texts.Len():
		k.texts = strings.Builder{}
		k.texts.Grow(k.block)
	}
	from := k.texts.Len()
	k.texts.WriteString(s)
	return k.texts.String()[from:]
}

func (p *parser) at(i int) byte {
	if i < len(p.s) {
		return p.s[i]
	}
	return 0
}

func (p *parser) rest() string { return p.s[min(p.pos, len(p.s)):] }

func isSpace(c byte) bool {
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == '\v'
}

func (p *parser) skipSpace() {
	for isSpace(p.at(p.pos)) {
		p.pos++
	}
}

// token advances to the first white space or byte of stop and returns what lay
// before it.
func (p *parser) token(stop string) string {
	start := p.pos
	for p.pos < len(p.s) && !isSpace(p.s[p.pos]) && strings.IndexByte(stop, p.s[p.pos]) < 0 {
		p.pos++
	}
	return p.s[start:p.pos]
}

func startsName(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == ':' || c >= utf8.RuneSelf
}

func (p *parser) fail(pos int, format string, args ...any) error {
	pos = min(pos, len(p.s))
	msg := fmt.Sprintf(format, args...)
	file, line := p.where.at(p.s, pos)
	flat := 1 + strings.Count(p.s[:pos], "\n") - p.folded
	return &ParseError{File: file, Line: line, FlatLine: flat, Message: msg, Mend: mendFor(msg)}
}

// document reads markup after markup, with the character data between them.
func (p *parser) document() error {
	i := strings.IndexByte(p.s, '<')
	if i < 0 {
		return p.fail(len(p.s), "root tag missing")
	}
	p.pos = i
	for p.pos < len(p.s) {
		if err := p.markup(); err != nil {
			return err
		}
		i := strings.IndexByte(p.rest(), '<')
		if i < 0 {
			break
		}
		if i > 0 {
			p.characters(decode(p.s[p.pos:p.pos+i], false))
			p.pos += i
		}
	}
	switch {
	case p.root == nil:
		return p.fail(len(p.s), "root tag missing")
	case p.cur != nil:
		err := p.fail(len(p.s), "unclosed tag <%s>", p.cur.Name)
		return mend(err, "add </%s>; the tag was opened at %s", p.cur.Name, p.cur.Where())
	}
	return nil
}

func mend(err error, format string, args ...any) error {
	var pe *ParseError
	if errors.As(err, &pe) {
		pe.Mend = fmt.Sprintf(format, args...)
	}
	return err
}

// markup reads what starts with the '<' at pos and leaves pos after its '>'.
func (p *parser) markup() error {
	start := p.pos + 1
	p.pos = start
	rest := p.rest()
	switch c := p.at(start); {
	case startsName(c):
		return p.startTag(start)
	case c == '/':
		return p.endTag(start)
	case strings.HasPrefix(rest, "!--"):
		i := strings.Index(rest[3:], "--")
		if i < 0 || p.at(start+3+i+2) != '>' {
			return p.fail(start, "unclosed <!--")
		}
		p.pos = start + 3 + i + 3
	case strings.HasPrefix(rest, "![CDATA["):
		i := strings.Index(rest, "]]>")
		if i < 0 {
			return p.fail(start, "unclosed <![CDATA[")
		}
		p.characters(rest[len("![CDATA["):i])
		p.pos = start + i + 3
	case strings.HasPrefix(rest, "!DOCTYPE"):
		return p.doctype(start)
	case c == '?':
		i := strings.Index(rest, "?>")
		if i < 0 {
			return p.fail(start, "unclosed <?")
		}
		p.pos = start + i + 2
	default:
		return p.fail(start, "unexpected <")
	}
	return nil
}

func (p *parser) startTag(start int) error {
	if p.root != nil && p.cur == nil {
		return p.fail(start, "markup outside of root element")
	}
	if p.depth >= MaxNesting {
		return p.fail(start, "nesting deeper than %d elements", MaxNesting)
	}
	n := &Node{Name: p.token("/>")}
	n.File, n.Line = p.where.at(p.s, start)
	p.skipSpace()
	p.attrs = p.attrs[:0]
	for c := p.at(p.pos); c != 0 && c != '/' && c != '>'; c = p.at(p.pos) {
		if err := p.attribute(start); err != nil {
			return err
		}
		p.skipSpace()
	}
	if len(p.attrs) > 0 {
		n.Attrs = slices.Clone(p.attrs)
	}
	closed := p.at(p.pos) == '/'
	if closed {
		p.pos++
	}
	if p.at(p.pos) != '>' {
		return p.fail(start, "missing >")
	}
	p.pos++
	p.folded += p.folding
	p.folding = 0
	if p.cur == nil {
		p.root = n
	} else {
		p.cur.Add(n)
	}
	if !closed {
		p.cur = n
		p.depth++
	}
	return nil
}

// attribute reads one attribute. Without a quoted value the value is empty, and
// an unquoted token is taken for a further attribute by the next round.
func (p *parser) attribute(start int) error {
	name := p.token("=/>")
	value := ""
	if c := p.at(p.pos); c == '=' || isSpace(c) {
		for c := p.at(p.pos); c == '=' || isSpace(c); c = p.at(p.pos) {
			p.pos++
		}
		if q := p.at(p.pos); q == '"' || q == '\'' {
			from := p.pos + 1
			i := strings.IndexByte(p.s[from:], q)
			if i < 0 {
				return p.fail(start, "missing %c", q)
			}
			raw := p.s[from : from+i]
			p.folding += strings.Count(raw, "\n")
			value = decode(raw, true)
			p.pos = from + i + 1
		}
	}
	if !slices.ContainsFunc(p.attrs, func(a Attr) bool { return a.Name == name }) {
		p.attrs = append(p.attrs, Attr{name, value})
	}
	return nil
}

func (p *parser) endTag(start int) error {
	p.pos = start + 1
	name := p.token(">")
	after := p.pos
	p.skipSpace()
	if p.at(p.pos) == 0 {
		return p.fail(start, "missing >")
	}
	if p.cur == nil || p.cur.Name != name {
		err := p.fail(after, "unexpected closing tag </%s>", name)
		if p.cur == nil {
			return mend(err, "no element is open here; remove it or look for an end tag too many above")
		}
		return mend(err, "<%s>, opened at %s, must be closed first", p.cur.Name, p.cur.Where())
	}
	p.pos++
	if b := p.text[p.cur]; b != nil {
		p.cur.Text = b.String()
		delete(p.text, p.cur)
	}
	p.cur = p.cur.Parent
	p.depth--
	return nil
}

// doctype skips a declaration with or without an internal subset.
func (p *parser) doctype(start int) error {
	rest := p.rest()
	end := strings.IndexByte(rest, '>')
	if open := strings.IndexByte(rest, '['); open >= 0 && (end < 0 || open < end) {
		end = -1
		for i := open; i < len(rest); i++ {
			if rest[i] != ']' {
				continue
			}
			tail := strings.TrimLeft(rest[i+1:], " \t\r\n")
			if strings.HasPrefix(tail, ">") {
				end = len(rest) - len(tail)
				break
			}
		}
	}
	if end < 0 {
		return p.fail(start, "unclosed <!DOCTYPE")
	}
	p.pos = start + end + 1
	return nil
}

// characters adds a piece of text to the open element. The first piece is kept
// as it is; a builder is made only when there are more.
func (p *parser) characters(s string) {
	n := p.cur
	if n == nil || s == "" || len(n.Children) > 0 && strings.TrimSpace(s) == "" {
		return
	}
	if n.Text == "" && p.text[n] == nil {
		n.Text = s
		return
	}
	b := p.text[n]
	if b == nil {
		if p.text == nil {
			p.text = make(map[*Node]*strings.Builder)
		}
		b = &strings.Builder{}
		b.WriteString(n.Text)
		p.text[n] = b
	}
	b.WriteString(s)
}
