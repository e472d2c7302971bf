// Package raw reads and writes sound as bare samples: headerless files, and the
// data part of files that have a header (media/file/wav builds on it).
//
// A Reader turns a range of an io.ReadSeeker into mono 16-bit PCM, whatever the
// encoding and the number of channels; a Writer does the opposite. Both buffer, so
// that a frame costs no system call; neither allocates after it was made.
package raw

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/switchlet/switchlet/media/codec/g711"
)

// Encoding is how one sample is stored.
type Encoding int

// The encodings; numbers of more than one byte are little-endian.
const (
	S16  Encoding = iota // signed 16 bits
	U8                   // unsigned 8 bits
	S24                  // signed 24 bits
	S32                  // signed 32 bits
	F32                  // IEEE float, full scale 1
	ULaw                 // G.711 µ-law
	ALaw                 // G.711 A-law
)

// Bytes returns the size of one sample.
func (e Encoding) Bytes() int {
	switch e {
	case U8, ULaw, ALaw:
		return 1
	case S24:
		return 3
	case S32, F32:
		return 4
	}
	return 2
}

// Limits of what a header may say.
const (
	MaxChannels = 16
	MinRate     = 4000   // Hz
	MaxRate     = 192000 // Hz
)

// Layout describes a run of samples.
type Layout struct {
	Encoding Encoding
	Rate     int // Hz
	Channels int // interleaved
}

// Validate reports what no reader or writer can work with.
func (l Layout) Validate() error {
	if l.Rate < MinRate || l.Rate > MaxRate {
		return fmt.Errorf("rate %d Hz; must be %d to %d", l.Rate, MinRate, MaxRate)
	}
	if l.Channels < 1 || l.Channels > MaxChannels {
		return fmt.Errorf("%d channels; must be 1 to %d", l.Channels, MaxChannels)
	}
	return nil
}

// frame is the size in bytes of one sample of every channel.
func (l Layout) frame() int { return l.Encoding.Bytes() * l.Channels }

// bufferSize holds about half a second of telephone sound.
const bufferSize = 8192

// Reader is a media.Source and media.Seeker over stored samples.
type Reader struct {
	from   io.ReadSeeker
	name   string
	layout Layout
	start  int64 // byte where the samples begin
	frames int64 // in the file
	at     int64 // next frame
	buf    []byte
	have   []byte // unread part of buf
}

// NewReader reads the samples in bytes start to start+size of from; a file that is shorter is
// read as far as it goes. name stands in errors. Close closes from if it
// is an io.Closer.
func NewReader(from io.ReadSeeker, name string, l Layout, start, size int64) (*Reader, error) {
	if err := l.Validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	end, err := from.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	size = max(min(size, end-start), 0)
	r := &Reader{from: from, name: name, layout: l, start: start, frames: size / int64(l.frame())}
	r.buf = make([]byte, bufferSize/l.frame()*l.frame())
	return r, r.SeekTo(0)
}

// Rate returns the sampling rate in Hz.
func (r *Reader) Rate() int { return r.layout.Rate }

// Channels returns how many channels are mixed to one.
func (r *Reader) Channels() int { return r.layout.Channels }

// Len returns the length in samples of one channel.
func (r *Reader) Len() int64 { return r.frames }

// Position implements media.Seeker.
func (r *Reader) Position() int64 { return r.at }

// SeekTo implements media.Seeker; what is beyond the end is the end.
func (r *Reader) SeekTo(n int64) error {
	n = max(min(n, r.frames), 0)
	if _, err := r.from.Seek(r.start+n*int64(r.layout.frame()), io.SeekStart); err != nil {
		return fmt.Errorf("%s: %w", r.name, err)
	}
	r.at, r.have = n, nil
	return nil
}

// Read implements media.Source.
func (r *Reader) Read(pcm []int16) (int, error) {
	size := r.layout.frame()
	n := 0
	for n < len(pcm) {
		if len(r.have) < size {
			if err := r.fill(); err != nil {
				if n > 0 && errors.Is(err, io.EOF) {
					return n, nil
				}
				return n, err
			}
		}
		m := min(len(r.have)/size, len(pcm)-n)
		r.convert(pcm[n:n+m], r.have)
		r.have = r.have[m*size:]
		r.at += int64(m)
		n += m
	}
	return n, nil
}

// fill reads the next piece of whole frames.
func (r *Reader) fill() error {
	size := int64(r.layout.frame())
	left := (r.frames - r.at) * size
	if left <= 0 {
		return io.EOF
	}
	buf := r.buf[:min(int64(len(r.buf)), left)]
	n, err := io.ReadFull(r.from, buf)
	n -= n % int(size)
	if n > 0 {
		r.have = buf[:n]
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		r.frames = r.at // the file is shorter than it was
		return io.EOF
	}
	return fmt.Errorf("%s: %w", r.name, err)
}

func (r *Reader) convert(pcm []int16, b []byte) {
	ch := r.layout.Channels
	switch {
	case ch > 1:
		r.mix(pcm, b)
	case r.layout.Encoding == S16:
		for i := range pcm {
			pcm[i] = int16(binary.LittleEndian.Uint16(b[2*i:]))
		}
	case r.layout.Encoding == ULaw:
		g711.ULaw.Expand(pcm, b[:len(pcm)])
	case r.layout.Encoding == ALaw:
		g711.ALaw.Expand(pcm, b[:len(pcm)])
	default:
		size := r.layout.Encoding.Bytes()
		for i := range pcm {
			pcm[i] = r.layout.Encoding.sample(b[i*size:])
		}
	}
}

// mix gives the mean of the channels.
func (r *Reader) mix(pcm []int16, b []byte) {
	e, ch := r.layout.Encoding, r.layout.Channels
	size := e.Bytes()
	at := 0
	for i := range pcm {
		sum := 0
		for range ch {
			sum += int(e.sample(b[at:]))
			at += size
		}
		pcm[i] = int16(sum / ch)
	}
}

// sample decodes the sample at the start of b.
func (e Encoding) sample(b []byte) int16 {
	switch e {
	case U8:
		return (int16(b[0]) - 128) << 8
	case S24:
		return int16(binary.LittleEndian.Uint16(b[1:]))
	case S32:
		return int16(binary.LittleEndian.Uint16(b[2:]))
	case F32:
		v := float64(math.Float32frombits(binary.LittleEndian.Uint32(b))) * 32768
		if v != v {
			return 0
		}
		return int16(min(max(v, -32768), 32767))
	case ULaw, ALaw:
		law := g711.ULaw
		if e == ALaw {
			law = g711.ALaw
		}
		var s [1]int16
		law.Expand(s[:], b[:1])
		return s[0]
	}
	return int16(binary.LittleEndian.Uint16(b))
}

// Close closes the underlying reader.
func (r *Reader) Close() error {
	if c, ok := r.from.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
