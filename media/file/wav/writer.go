package wav

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/file/raw"
)

const headerSize = 44

// maxTags is how long the chunk of a file's tags may get, in bytes.
const maxTags = 8192

// maxData is the largest sound, in bytes, that a header can state.
const maxData = unknownSize - headerSize - maxTags - 1

// ErrFull is returned when a file has reached the 4 GiB that its header can state.
var ErrFull = errors.New("wav: file has reached 4 GiB")

// Writer is a media.Sink that makes a WAVE file. It is not safe for concurrent use.
type Writer struct {
	f       *os.File
	name    string
	sound   *raw.Writer
	start   int64 // byte where the sound begins
	base    int64 // bytes of sound that were there before
	stated  int64 // bytes of sound that the header knows of
	pending int64 // bytes given to Write
	every   int64 // bytes after which the header is written again
	closed  bool
}

// Create makes or truncates the file at path for sound of rate Hz and channels.
func Create(path string, rate, channels int) (*Writer, error) {
	return open(path, rate, channels, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
}

// Append continues the file at path, which must be 16-bit PCM of the same rate
// and channels; it is created if it is missing or empty.
func Append(path string, rate, channels int) (*Writer, error) {
	return open(path, rate, channels, os.O_RDWR|os.O_CREATE)
}

func open(path string, rate, channels, flags int) (*Writer, error) {
	layout := raw.Layout{Encoding: raw.S16, Rate: rate, Channels: channels}
	if err := layout.Validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	f, err := os.OpenFile(path, flags, 0o640)
	if err != nil {
		return nil, err
	}
	w := &Writer{f: f, name: path, every: int64(rate * channels * 2)}
	if err := w.begin(layout); err != nil {
		_ = f.Close()
		return nil, err
	}
	return w, nil
}

// begin writes a header, or finds the end of the sound that is there.
func (w *Writer) begin(layout raw.Layout) error {
	size, err := w.f.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("%s: %w", w.name, err)
	}
	if w.sound, err = raw.NewWriter(w.f, w.name, layout); err != nil {
		return err
	}
	if size == 0 {
		w.start = headerSize
		return w.writeHeader(layout)
	}
	h, err := parse(w.f)
	if err != nil {
		return fmt.Errorf("%s: cannot append: %w", w.name, err)
	}
	if h.layout != layout {
		return fmt.Errorf("%s: cannot append %d Hz, %d channels of 16 bits to a file of %d Hz, %d channels",
			w.name, layout.Rate, layout.Channels, h.layout.Rate, h.layout.Channels)
	}
	w.start, w.base, w.stated = h.start, h.size, h.size
	// Chunks behind the sound are cut off: they would be taken for sound.
	if err := w.f.Truncate(h.start + h.size); err != nil {
		return fmt.Errorf("%s: %w", w.name, err)
	}
	if _, err := w.f.Seek(0, io.SeekEnd); err != nil {
		return fmt.Errorf("%s: %w", w.name, err)
	}
	return nil
}

func (w *Writer) writeHeader(l raw.Layout) error {
	if _, err := w.f.Write(header44(l)); err != nil {
		return fmt.Errorf("%s: %w", w.name, err)
	}
	return nil
}

// header44 is the header of a file without sound and tags.
func header44(l raw.Layout) []byte {
	b := make([]byte, headerSize)
	copy(b[0:], "RIFF")
	binary.LittleEndian.PutUint32(b[4:], headerSize-8)
	copy(b[8:], "WAVEfmt ")
	binary.LittleEndian.PutUint32(b[16:], 16)
	binary.LittleEndian.PutUint16(b[20:], tagPCM)
	binary.LittleEndian.PutUint16(b[22:], uint16(l.Channels))
	binary.LittleEndian.PutUint32(b[24:], uint32(l.Rate))
	binary.LittleEndian.PutUint32(b[28:], uint32(l.Rate*l.Channels*2))
	binary.LittleEndian.PutUint16(b[32:], uint16(l.Channels*2))
	binary.LittleEndian.PutUint16(b[34:], 16)
	copy(b[36:], "data")
	return b
}

// Name is the path of the file.
func (w *Writer) Name() string { return w.name }

// SetTags implements media.Tagger: a chunk of type INFO before the sound. A file
// that has sound already keeps what it has.
func (w *Writer) SetTags(tags []media.Tag) error {
	if w.base+w.pending > 0 || w.closed {
		return nil
	}
	info := []byte("LIST\x00\x00\x00\x00INFO")
	for _, t := range tags {
		id := map[string]string{media.TagTitle: "INAM", media.TagArtist: "IART", media.TagComment: "ICMT",
			media.TagCopyright: "ICOP", media.TagSoftware: "ISFT", media.TagDate: "ICRD"}[t.Name]
		if id == "" || t.Value == "" {
			continue
		}
		info = append(info, id...)
		info = binary.LittleEndian.AppendUint32(info, uint32(len(t.Value)+1))
		info = append(append(info, t.Value...), 0)
		if len(info)%2 != 0 {
			info = append(info, 0)
		}
	}
	if len(info) > maxTags {
		return fmt.Errorf("%s: tags of %d bytes, at most %d have room", w.name, len(info), maxTags)
	}
	binary.LittleEndian.PutUint32(info[4:], uint32(len(info)-8))
	h := header44(raw.Layout{Encoding: raw.S16, Rate: w.Rate(), Channels: w.Channels()})
	b := append(append(h[:36:36], info...), h[36:]...)
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)-8))
	if _, err := w.f.WriteAt(b, 0); err != nil {
		return fmt.Errorf("%s: %w", w.name, err)
	}
	if _, err := w.f.Seek(int64(len(b)), io.SeekStart); err != nil {
		return fmt.Errorf("%s: %w", w.name, err)
	}
	w.start = int64(len(b))
	return nil
}

// Rate implements media.Sink.
func (w *Writer) Rate() int { return w.sound.Rate() }

// Channels implements media.Sink.
func (w *Writer) Channels() int { return w.sound.Channels() }

// Samples returns how many samples of each channel the file has, with those that
// were there before.
func (w *Writer) Samples() int64 {
	return (w.base + w.pending) / int64(2*w.sound.Channels())
}

// Write implements media.Sink. After each second of sound the file is complete on
// disk, header included.
func (w *Writer) Write(pcm []int16) error {
	size := int64(len(pcm)) * 2
	if w.base+w.pending+size > maxData {
		return fmt.Errorf("%s: %w", w.name, ErrFull)
	}
	if err := w.sound.Write(pcm); err != nil {
		return err
	}
	w.pending += size
	if w.base+w.pending-w.stated >= w.every {
		return w.sync()
	}
	return nil
}

// sync brings the header up to date.
func (w *Writer) sync() error {
	if err := w.sound.Flush(); err != nil {
		return err
	}
	total := w.base + w.sound.Written()
	if total == w.stated {
		return nil
	}
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], uint32(total))
	if _, err := w.f.WriteAt(b[:], w.start-4); err != nil {
		return fmt.Errorf("%s: %w", w.name, err)
	}
	binary.LittleEndian.PutUint32(b[:], uint32(w.start+total-8))
	if _, err := w.f.WriteAt(b[:], 4); err != nil {
		return fmt.Errorf("%s: %w", w.name, err)
	}
	w.stated = total
	return nil
}

// Close completes the file; a second call does nothing.
func (w *Writer) Close() error {
	if w.closed {
		return nil
	}
	w.closed = true
	err := w.sync()
	if e := w.sound.Close(); err == nil {
		err = e
	}
	return err
}
