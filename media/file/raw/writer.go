package raw

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/switchlet/switchlet/media/codec/g711"
)

// Writer is a media.Sink of stored samples.
type Writer struct {
	to      io.WriteCloser
	name    string
	layout  Layout
	buf     []byte
	written int64 // bytes that reached to
	closed  bool
}

// NewWriter writes samples of l, whose encoding must be S16, ULaw or ALaw, to to. name
// stands in errors. Close closes to.
func NewWriter(to io.WriteCloser, name string, l Layout) (*Writer, error) {
	if err := l.Validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	switch l.Encoding {
	case S16, ULaw, ALaw:
	default:
		return nil, fmt.Errorf("%s: encoding cannot be written", name)
	}
	return &Writer{to: to, name: name, layout: l, buf: make([]byte, 0, bufferSize)}, nil
}

// Name is what NewWriter was given.
func (w *Writer) Name() string { return w.name }

// Rate implements media.Sink.
func (w *Writer) Rate() int { return w.layout.Rate }

// Channels implements media.Sink.
func (w *Writer) Channels() int { return w.layout.Channels }

// Written returns the bytes of sound that have left the buffer.
func (w *Writer) Written() int64 { return w.written }

// Write implements media.Sink. An error says that sound was lost.
func (w *Writer) Write(pcm []int16) error {
	size := w.layout.Encoding.Bytes()
	for len(pcm) > 0 {
		free := (cap(w.buf) - len(w.buf)) / size
		if free == 0 {
			if err := w.Flush(); err != nil {
				return err
			}
			continue
		}
		n := min(free, len(pcm))
		at := len(w.buf)
		w.buf = w.buf[:at+n*size]
		switch w.layout.Encoding {
		case ULaw:
			g711.ULaw.Compress(w.buf[at:], pcm[:n])
		case ALaw:
			g711.ALaw.Compress(w.buf[at:], pcm[:n])
		default:
			for i, s := range pcm[:n] {
				binary.LittleEndian.PutUint16(w.buf[at+2*i:], uint16(s))
			}
		}
		pcm = pcm[n:]
	}
	return nil
}

// Flush hands what is buffered to the operating system.
func (w *Writer) Flush() error {
	if len(w.buf) == 0 {
		return nil
	}
	n, err := w.to.Write(w.buf)
	w.written += int64(n)
	w.buf = w.buf[:0]
	if err != nil {
		return fmt.Errorf("%s: %w", w.name, err)
	}
	return nil
}

// Close flushes and closes; a second call does nothing.
func (w *Writer) Close() error {
	if w.closed {
		return nil
	}
	w.closed = true
	err := w.Flush()
	if e := w.to.Close(); err == nil && e != nil {
		err = fmt.Errorf("%s: %w", w.name, e)
	}
	return err
}
