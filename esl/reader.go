package esl

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Limits bound what a Reader accepts, in bytes.
type Limits struct {
	Head int // command and header lines
	Body int // Content-Length
}

// Bounds of the protocol (spec/esl.md §1.2), and those for peers that have not
// said who they are.
var (
	FullLimits   = Limits{Head: 10 << 20, Body: 16 << 20}
	UnauthLimits = Limits{Head: 64 << 10, Body: 64 << 10}
)

// maxHeaders bounds the lines of one head; events of busy calls have a few
// hundred.
const maxHeaders = 16384

// keepHead is how much of its line buffer a Reader keeps between packets, so that
// one large command does not hold memory for the life of a connection.
const keepHead = 4 << 10

// Errors of a Reader. After any of them the stream is lost.
var (
	ErrHead   = errors.New("esl: head too long")
	ErrLength = errors.New("esl: Content-Length out of range")
)

// Command is a packet from a client: a command line, headers and perhaps a body.
// Values are as they were received.
type Command struct {
	Line    string
	Headers Headers
	Body    string
}

// Message is a packet from a switch. Values of headers are decoded.
type Message struct {
	Headers Headers
	Body    []byte
}

// Get returns the value of the first header of that name in any case, or "".
func (m *Message) Get(name string) string { return m.Headers.Get(name) }

// Reader takes packets off a stream. It is used by one goroutine at a time.
type Reader struct {
	br     *bufio.Reader
	limits Limits
	head   []byte
}

// NewReader reads from r within the limits.
func NewReader(r io.Reader, limits Limits) *Reader {
	return &Reader{br: bufio.NewReaderSize(r, 4096), limits: limits}
}

// SetLimits changes the limits for the packets to come.
func (r *Reader) SetLimits(limits Limits) { r.limits = limits }

// Buffered is the number of bytes that were received and not yet read.
func (r *Reader) Buffered() int { return r.br.Buffered() }

// ReadCommand reads one packet of a client. io.EOF means that the stream ended
// between packets, io.ErrUnexpectedEOF that it ended inside one.
func (r *Reader) ReadCommand() (*Command, error) {
	if err := r.readHead(); err != nil {
		return nil, err
	}
	line, rest, _ := bytes.Cut(r.head, []byte("\n"))
	c := &Command{Line: string(bytes.TrimSuffix(line, []byte("\r")))}
	var err error
	if c.Headers, err = parseHeaders(rest, false); err != nil {
		return nil, err
	}
	body, err := r.readBody(c.Headers)
	if err != nil {
		return nil, err
	}
	if i := bytes.IndexByte(body, 0); i >= 0 {
		body = body[:i]
	}
	c.Body = string(body)
	return c, nil
}

// ReadMessage reads one packet of a switch. Errors are those of ReadCommand.
func (r *Reader) ReadMessage() (*Message, error) {
	if err := r.readHead(); err != nil {
		return nil, err
	}
	m := &Message{}
	var err error
	if m.Headers, err = parseHeaders(r.head, true); err != nil {
		return nil, err
	}
	m.Body, err = r.readBody(m.Headers)
	return m, err
}

// readHead collects the lines up to a blank one in r.head. Blank lines in front
// are skipped.
func (r *Reader) readHead() error {
	if cap(r.head) > keepHead {
		r.head = nil
	}
	r.head = r.head[:0]
	start := 0 // of the current line
	for {
		part, err := r.br.ReadSlice('\n')
		if len(r.head) == 0 {
			part = bytes.TrimLeft(part, "\r\n")
		}
		if len(r.head)+len(part) > r.limits.Head {
			return ErrHead
		}
		r.head = append(r.head, part...)
		switch {
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF && len(r.head) > 0:
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		}
		if len(r.head) > 0 && len(bytes.Trim(r.head[start:], "\r\n")) == 0 {
			r.head = r.head[:start]
			return nil
		}
		start = len(r.head)
	}
}

func parseHeaders(text []byte, decoded bool) (Headers, error) {
	n := bytes.Count(text, []byte("\n"))
	if n > maxHeaders {
		return nil, fmt.Errorf("%w: more than %d headers", ErrHead, maxHeaders)
	}
	var list Headers
	if n > 0 {
		list = make(Headers, 0, n)
	}
	for len(text) > 0 {
		line, rest, _ := bytes.Cut(text, []byte("\n"))
		text = rest
		name, value, ok := strings.Cut(string(bytes.TrimSuffix(line, []byte("\r"))), ":")
		if !ok {
			continue
		}
		value = strings.TrimLeft(value, " ")
		if decoded {
			value = decode(value)
		}
		if value != "" {
			list = append(list, Header{name, value})
		}
	}
	return list, nil
}

// readBody reads what Content-Length announces.
func (r *Reader) readBody(h Headers) ([]byte, error) {
	text, ok := h.Lookup("Content-Length")
	if !ok {
		return nil, nil
	}
	n, ok := leadingNumber(text)
	if !ok || n > r.limits.Body {
		return nil, ErrLength
	}
	if n == 0 {
		return nil, nil
	}
	// The buffer grows with what really arrives, not with what was announced.
	var b bytes.Buffer
	b.Grow(min(n, 64<<10))
	if _, err := io.CopyN(&b, r.br, int64(n)); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return b.Bytes(), nil
}

// leadingNumber reads a decimal number as C's atoi does: what follows the digits
// does not matter, no digits are 0. It refuses negative and absurd ones.
func leadingNumber(s string) (int, bool) {
	s = strings.TrimLeft(s, " \t")
	if strings.HasPrefix(s, "-") {
		n, ok := leadingNumber(s[1:])
		return 0, ok && n == 0
	}
	n := 0
	for i := 0; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
		if n = n*10 + int(s[i]-'0'); n > 1<<27 {
			return 0, false
		}
	}
	return n, true
}
