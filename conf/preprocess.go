package conf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

const (
	// maxLine is the longest line of a file, before and after the expansion of
	// $${name}, in bytes; the reference has the same limit.
	maxLine = 1 << 20
	// maxDepth is how deep files may include each other.
	maxDepth = 100
	// maxWork bounds the lines that are treated, in bytes after expansion.
	maxWork = 4 * MaxDocument
	// maxIncludes bounds the files of one document, so that files that include
	// each other end.
	maxIncludes = 20000
	// maxWarnings bounds what a hopeless tree can make us remember.
	maxWarnings = 1000
)

// Level says how much a Warning matters.
type Level int

// The levels of a Warning, mildest first.
const (
	// Info: nothing is wrong, but the author may want to know.
	Info Level = iota
	// Warn: something has no effect or is insecure.
	Warn
	// Error: something could not be done; loading went on without it.
	Error
)

// String returns the level as a word.
func (l Level) String() string {
	return [...]string{"info", "warning", "error"}[l]
}

// Warning is something a person should know about a tree, at the place where
// it was written.
type Warning struct {
	Level Level
	File  string
	Line  int
	Text  string
}

// String returns "file:line: level: text".
func (w Warning) String() string {
	if w.File == "" {
		return fmt.Sprintf("%s: %s", w.Level, w.Text)
	}
	if w.Line == 0 {
		return fmt.Sprintf("%s: %s: %s", w.File, w.Level, w.Text)
	}
	return fmt.Sprintf("%s:%d: %s: %s", w.File, w.Line, w.Level, w.Text)
}

// preprocessor turns files into one flat text, line by line (spec/config.md
// §1), and remembers where each piece came from.
type preprocessor struct {
	ctx      context.Context
	opts     *Options
	tree     layers
	globals  *Globals
	pinned   map[string]string
	sets     []assigned
	out      strings.Builder
	where    sourceMap
	warnings []Warning
	includes int
	work     int
	stun     map[string]stunAnswer
	// buffers held the texts of files that are done and will hold others.
	buffers [][]byte
}

// buffer takes a buffer for the text of a file; release gives it back.
func (p *preprocessor) buffer() (buf []byte) {
	if last := len(p.buffers) - 1; last >= 0 {
		buf, p.buffers = p.buffers[last], p.buffers[:last]
	}
	return buf
}

func (p *preprocessor) release(buf []byte) { p.buffers = append(p.buffers, buf) }

// source is the file that is being read.
type source struct {
	dir   string
	name  string
	index int32
	line  int
	depth int
	// inComment is set inside an unfinished <!--# comment.
	inComment bool
}

func (p *preprocessor) warn(src *source, level Level, format string, args ...any) {
	if len(p.warnings) >= maxWarnings {
		return
	}
	p.warnings = append(p.warnings, Warning{level, src.name, src.line, fmt.Sprintf(format, args...)})
}

// file preprocesses one file and, through its directives, those it includes.
func (p *preprocessor) file(rel string, depth int) error {
	if err := p.ctx.Err(); err != nil {
		return err
	}
	text, name, err := p.tree.read(rel, p.buffer())
	defer p.release(text)
	if err != nil {
		return &fs.PathError{Op: "read", Path: name, Err: pathCause(err)}
	}
	if p.includes++; p.includes > maxIncludes {
		return fmt.Errorf("%s: %w: more than %d files; do two files include each other?", name, ErrTooLarge, maxIncludes)
	}
	src := &source{dir: path.Dir(rel), name: name, index: int32(len(p.where.files)), depth: depth}
	p.where.files = append(p.where.files, name)
	newline := true
	for rest := text; len(rest) > 0; {
		if newline {
			src.line++
		}
		line := rest
		if i := bytes.IndexByte(line, '\n'); i >= 0 {
			line = line[:i+1]
		}
		if i := bytes.IndexByte(line, '\r'); i >= 0 {
			line = line[:i+1]
		}
		rest = rest[len(line):]
		newline = line[len(line)-1] == '\n'
		if err := p.line(src, line); err != nil {
			return err
		}
	}
	return nil
}

// pathCause takes the path out of an error that will be given one again.
func pathCause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// includeTags takes out the tags whose whole lines are dropped.
var includeTags = strings.NewReplacer("<include>", "", "</include>", "")

// plain reports whether no rule fits a line outside of a comment, as with most.
func plain(line []byte) bool {
	for rest := line; ; rest = rest[1:] {
		i := bytes.IndexAny(rest, "<$xX")
		if i < 0 {
			return true
		}
		rest = rest[i:]
		for _, mark := range marks {
			if len(rest) >= len(mark) && strings.EqualFold(string(rest[:len(mark)]), mark) {
				return false
			}
		}
	}
}

// marks are what a line must have for a rule to fit it.
var marks = [...]string{"$${", "<include>", "</include>", "<?", "<!--#", "x-pre-process"}

// line treats one line by the first rule that fits.
func (p *preprocessor) line(src *source, text []byte) error {
	if len(text) > maxLine {
		return p.refuse(src, "line longer than %d bytes; break it into several", maxLine)
	}
	if !src.inComment && plain(text) {
		if err := p.worked(src, len(text)); err != nil {
			return err
		}
		breaks := 0
		if text[len(text)-1] == '\n' {
			breaks = 1
		}
		p.where.emitted(p.out.Len(), src, breaks, true)
		p.out.Write(text)
		return p.bounded(src)
	}
	line, err := p.expand(src, string(text))
	if err != nil {
		return err
	}
	if err := p.worked(src, len(line)); err != nil {
		return err
	}
	if strings.Contains(line, "<include>") || strings.Contains(line, "</include>") || strings.Contains(line, "<?") {
		if rest := includeTags.Replace(line); !src.inComment && !strings.Contains(line, "<?") && strings.Contains(rest, "<") && !strings.HasPrefix(strings.TrimSpace(rest), "<!--") {
			p.warn(src, Warn, "what stands on a line with <include> is not read; write it on a line of its own: %s", strings.TrimSpace(rest))
		}
		return nil
	}
	if src.inComment {
		_, after, ended := strings.Cut(line, "-->")
		if !ended {
			return nil
		}
		src.inComment = false
		line = after
	}
	if i := indexFold(line, "x-pre-process"); i >= 0 {
		if i == 0 || line[i-1] != '<' {
			return nil
		}
		return p.tag(src, line[i:])
	}
	for {
		before, after, found := strings.Cut(line, "<!--#")
		p.emit(src, before)
		if !found {
			return p.bounded(src)
		}
		directive, rest, ended := strings.Cut(after, "-->")
		if !ended {
			src.inComment = true
			return p.bounded(src)
		}
		if err := p.oldStyle(src, directive); err != nil {
			return err
		}
		line = rest
	}
}

// worked counts what was treated, in bytes.
func (p *preprocessor) worked(src *source, n int) error {
	if p.work += n; p.work > maxWork {
		return p.refuse(src, "the files have more than %d bytes with their variables expanded", maxWork)
	}
	return nil
}

func (p *preprocessor) refuse(src *source, format string, args ...any) error {
	msg := fmt.Sprintf(format, args...)
	return fmt.Errorf("%s:%d: %w: %s", src.name, src.line, ErrTooLarge, msg)
}

func (p *preprocessor) bounded(src *source) error {
	if p.out.Len() > MaxDocument {
		return p.refuse(src, "the document has more than %d bytes", MaxDocument)
	}
	return nil
}

// emit adds text to the flat document.
func (p *preprocessor) emit(src *source, text string) {
	if text == "" {
		return
	}
	p.where.emitted(p.out.Len(), src, strings.Count(text, "\n"), strings.HasSuffix(text, "\n"))
	p.out.WriteString(text)
}

// expand replaces every $${name} by the value of the global variable, which is
// not expanded again. Braces nest; without a closing one the text stays.
func (p *preprocessor) expand(src *source, line string) (string, error) {
	before, after, found := strings.Cut(line, "$${")
	if !found {
		return line, nil
	}
	var b strings.Builder
	for found {
		b.WriteString(before)
		end := closingBrace(after)
		if end < 0 {
			p.warn(src, Error, "unterminated ${var}: $${%s has no closing }; the text stays as it is", strings.TrimSpace(after))
			b.WriteString("$${")
			line = after
			break
		}
		b.WriteString(p.globals.Get(after[:end]))
		if b.Len() > maxLine {
			return "", p.refuse(src, "line longer than %d bytes after its variables were expanded", maxLine)
		}
		line = after[end+1:]
		before, after, found = strings.Cut(line, "$${")
	}
	b.WriteString(line)
	if b.Len() > maxLine {
		return "", p.refuse(src, "line longer than %d bytes after its variables were expanded", maxLine)
	}
	return b.String(), nil
}

// closingBrace returns the index of the brace that closes one opened before s.
func closingBrace(s string) int {
	depth := 1
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// indexFold is strings.Index that ignores case; sub is in lower case.
func indexFold(s, sub string) int {
	for i := 0; i+len(sub) <= len(s); i++ {
		if s[i]|0x20 == sub[0]|0x20 && strings.EqualFold(s[i:i+len(sub)], sub) {
			return i
		}
	}
	return -1
}
