// Package wav reads and writes RIFF/WAVE files.
//
// Reading is lenient: PCM of 8, 16, 24 and 32 bits, float, µ-law and A-law, any
// number of channels, chunks in any order before the sound, sizes that are wrong
// or that a crashed writer left at zero. Nothing is read before it was checked
// against the file's real length. Writing gives 16-bit PCM whose header is
// brought up to date while the file grows, so that a recording can be played
// whatever happens to its writer.
package wav

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/switchlet/switchlet/media/file/raw"
)

// Format tags of the "fmt " chunk.
const (
	tagPCM        = 1
	tagFloat      = 3
	tagALaw       = 6
	tagULaw       = 7
	tagExtensible = 0xFFFE
)

// maxChunks bounds the chunks that are skipped to find the sound.
const maxChunks = 64

// unknownSize is what streaming writers put where they do not know yet.
const unknownSize = 0xFFFFFFFF

// Open returns the sound of the file at path: mono, at the file's own rate. It is
// a media.Source and a media.Seeker.
func Open(path string) (*raw.Reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r, err := NewReader(f, path)
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return r, nil
}

// NewReader reads a WAVE file from r; name stands in errors. Close of the result
// closes r if it is an io.Closer.
func NewReader(r io.ReadSeeker, name string) (*raw.Reader, error) {
	h, err := parse(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return raw.NewReader(r, name, h.layout, h.start, h.size)
}

// header is what matters of a file's chunks.
type header struct {
	layout      raw.Layout
	start, size int64 // bytes of the sound
}

// parse walks the chunks up to the sound.
func parse(r io.ReadSeeker) (header, error) {
	var h header
	end, err := r.Seek(0, io.SeekEnd)
	if err != nil {
		return h, err
	}
	var b [12]byte
	if err := readAt(r, 0, b[:]); err != nil {
		return h, errors.New("not a WAVE file: shorter than its header")
	}
	if id := string(b[:4]); (id != "RIFF" && id != "RF64") || string(b[8:]) != "WAVE" {
		return h, errors.New("not a WAVE file: it does not begin with RIFF and WAVE")
	}
	haveFormat := false
	at := int64(12)
	for range maxChunks {
		if err := readAt(r, at, b[:8]); err != nil {
			break
		}
		size := int64(binary.LittleEndian.Uint32(b[4:8]))
		at += 8
		switch string(b[:4]) {
		case "fmt ":
			if h.layout, err = parseFormat(r, at, min(size, end-at)); err != nil {
				return h, err
			}
			haveFormat = true
		case "data":
			if !haveFormat {
				return h, errors.New("sound before its format")
			}
			// A size of zero, or one beyond the end, is a writer that did not finish.
			if size == 0 || size == unknownSize || size > end-at {
				size = end - at
			}
			h.start, h.size = at, size
			return h, nil
		}
		at += size + size&1
		if at >= end {
			break
		}
	}
	return h, errors.New("no sound in it (no data chunk)")
}

func readAt(r io.ReadSeeker, at int64, b []byte) error {
	if _, err := r.Seek(at, io.SeekStart); err != nil {
		return err
	}
	_, err := io.ReadFull(r, b)
	return err
}

func parseFormat(r io.ReadSeeker, at, size int64) (raw.Layout, error) {
	var l raw.Layout
	var b [40]byte
	if size < 16 {
		return l, fmt.Errorf("format chunk of %d bytes; at least 16 are needed", size)
	}
	f := b[:min(size, int64(len(b)))]
	if err := readAt(r, at, f); err != nil {
		return l, errors.New("format chunk is cut off")
	}
	tag := binary.LittleEndian.Uint16(f)
	l.Channels = int(binary.LittleEndian.Uint16(f[2:]))
	l.Rate = int(int32(binary.LittleEndian.Uint32(f[4:])))
	bits := int(binary.LittleEndian.Uint16(f[14:]))
	if tag == tagExtensible && len(f) >= 26 {
		tag = binary.LittleEndian.Uint16(f[24:])
	}
	switch {
	case tag == tagPCM && bits == 8:
		l.Encoding = raw.U8
	case tag == tagPCM && bits == 16:
		l.Encoding = raw.S16
	case tag == tagPCM && bits == 24:
		l.Encoding = raw.S24
	case tag == tagPCM && bits == 32:
		l.Encoding = raw.S32
	case tag == tagFloat && bits == 32:
		l.Encoding = raw.F32
	case tag == tagULaw && (bits == 8 || bits == 0):
		l.Encoding = raw.ULaw
	case tag == tagALaw && (bits == 8 || bits == 0):
		l.Encoding = raw.ALaw
	default:
		return l, fmt.Errorf("format %d with %d bits a sample is not supported; use 16-bit PCM", tag, bits)
	}
	return l, l.Validate()
}
