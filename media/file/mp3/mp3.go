// Package mp3 reads MPEG-1/2 layer III files as mono PCM.
//
// A Reader is a media.Source with positions and a length, at the file's own rate;
// its two channels are added up. Tags before the sound are skipped; a file that
// ends within a frame, or is damaged later on, ends there. Nothing is written in
// this format. Seeking is exact to a sample.
//
// The decoding itself is github.com/hajimehoshi/go-mp3, which is trusted with no
// file: what it would panic at comes out as an error.
package mp3

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/hajimehoshi/go-mp3"
)

// ErrDamaged is returned for a file that the decoder fails at.
var ErrDamaged = errors.New("damaged MP3 file")

const (
	// frameBytes is one sample of both channels, 16 bits each.
	frameBytes = 4
	// maxSize bounds a file in bytes: nine hours at 64 kbit/s. Its frames are
	// listed in memory when it is opened.
	maxSize = 256 << 20
	// frameSamples is a frame of MPEG-1, two of MPEG-2.
	frameSamples = 1152
	bufferSize   = frameSamples * frameBytes
	// runUp is how many frames are decoded before the one that is sought: a frame
	// may borrow bits from up to nine before it (the bit reservoir).
	runUp = 10
)

// Reader reads one file.
type Reader struct {
	from   io.ReadSeeker
	name   string
	dec    *mp3.Decoder
	length int64 // samples
	at     int64
	buf    []byte
	have   []byte
}

// NewReader reads from, of which it needs the start; name stands in errors.
// Closing the Reader closes from if it is an io.Closer; a failure leaves it open.
func NewReader(from io.ReadSeeker, name string) (*Reader, error) {
	size, err := from.Seek(0, io.SeekEnd)
	if err == nil && size > maxSize {
		err = fmt.Errorf("%d bytes; at most %d", size, maxSize)
	}
	if err == nil {
		_, err = from.Seek(0, io.SeekStart)
	}
	r := &Reader{from: from, name: name, buf: make([]byte, bufferSize)}
	if err == nil {
		err = r.guard(func() (err error) {
			r.dec, err = mp3.NewDecoder(from)
			return err
		})
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	r.length = max(r.dec.Length()/frameBytes, 0)
	if rate := r.dec.SampleRate(); rate < 8000 || rate > 48000 {
		return nil, fmt.Errorf("%s: %w: rate %d Hz", name, ErrDamaged, rate)
	}
	return r, nil
}

// guard calls the decoder, whose panics become errors: files come from outside.
func (r *Reader) guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, p)
		}
	}()
	return f()
}

// Rate returns the sampling rate in Hz.
func (r *Reader) Rate() int { return r.dec.SampleRate() }

// Len returns the length in samples.
func (r *Reader) Len() int64 { return r.length }

// Position implements media.Seeker.
func (r *Reader) Position() int64 { return r.at }

// SeekTo implements media.Seeker; what is beyond the end is the end.
func (r *Reader) SeekTo(n int64) error {
	n = max(min(n, r.length), 0)
	r.at, r.have = n, nil
	if n == r.length {
		return nil
	}
	from := max(n/frameSamples-runUp, 0) * frameSamples
	err := r.guard(func() error {
		if _, err := r.dec.Seek(from*frameBytes, io.SeekStart); err != nil {
			return err
		}
		_, err := io.CopyN(io.Discard, r.dec, (n-from)*frameBytes)
		return err
	})
	if err != nil {
		r.at = r.length
		return fmt.Errorf("%s: seek: %w", r.name, err)
	}
	return nil
}

// Read implements media.Source.
func (r *Reader) Read(pcm []int16) (int, error) {
	n := 0
	for n < len(pcm) {
		if len(r.have) < frameBytes {
			if err := r.fill(); err != nil {
				if n > 0 {
					return n, nil
				}
				return 0, err
			}
		}
		m := min(len(r.have)/frameBytes, len(pcm)-n)
		for i := range m {
			left := int16(binary.LittleEndian.Uint16(r.have[frameBytes*i:]))
			right := int16(binary.LittleEndian.Uint16(r.have[frameBytes*i+2:]))
			pcm[n+i] = int16((int(left) + int(right)) / 2)
		}
		r.have = r.have[m*frameBytes:]
		r.at += int64(m)
		n += m
	}
	return n, nil
}

// fill reads the next piece; damage after the start is the end.
func (r *Reader) fill() error {
	if r.at >= r.length {
		return io.EOF
	}
	n := 0
	err := r.guard(func() (err error) {
		n, err = io.ReadFull(r.dec, r.buf)
		return err
	})
	if n -= n % frameBytes; n > 0 {
		r.have = r.buf[:n]
		return nil
	}
	r.length = r.at
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, ErrDamaged) {
		return io.EOF
	}
	return fmt.Errorf("%s: %w", r.name, err)
}

// Close closes the file.
func (r *Reader) Close() error {
	if c, ok := r.from.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
