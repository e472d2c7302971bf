package ogg

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"

	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/codec/opus"
	"github.com/thesyncim/gopus"
)

const (
	// framesPerSecond is the number of packets a second, of 20 ms each.
	framesPerSecond = 50
	// pagePackets makes a page of each second of sound.
	pagePackets = framesPerSecond
	// maxEncoded is room for one encoded packet.
	maxEncoded = 1275
	// complexity is how hard the encoder tries, 0 to 10.
	complexity = 5
	// vendor stands in the comment header.
	vendor = "switchlet"
)

// Writer makes an Ogg/Opus file. It is a media.Sink and not safe for concurrent
// use.
type Writer struct {
	to       io.WriteCloser
	name     string
	rate     int
	channels int
	encoder  *gopus.Encoder
	serial   uint32
	sequence uint32

	frame    []int16 // what waits for a whole packet
	filled   int
	total    int64 // samples written, of one channel
	encoded  int64 // samples encoded, of one channel
	base     int64 // granule before the first packet
	preSkip  int64 // samples at 48 kHz
	lacing   []byte
	body     []byte
	packets  int
	packet   []byte
	out      []byte
	untagged bool // the comment header is still to come
	closed   bool
}

// NewWriter begins a file of sound at rate Hz, which must be one of Opus's, with
// one or two channels. Close closes to; a failure leaves it open.
func NewWriter(to io.WriteCloser, name string, rate, channels int) (*Writer, error) {
	w, err := newWriter(to, name, rate, channels)
	if err != nil {
		return nil, err
	}
	w.serial = rand.Uint32()
	h := head{channels: channels, preSkip: int(w.preSkip), rate: rate}
	w.body = h.append(w.body)
	w.lacing = append(w.lacing, byte(len(w.body)))
	if err := w.writePage(flagFirst, 0); err != nil {
		return nil, err
	}
	w.untagged = true
	return w, nil
}

// Name is what the file is called.
func (w *Writer) Name() string { return w.name }

// writtenTags is how long the comment header may get, in bytes: it is one page.
const writtenTags = 8192

// SetTags implements media.Tagger. A file that is continued keeps what it has.
func (w *Writer) SetTags(tags []media.Tag) error {
	if !w.untagged || w.closed {
		return nil
	}
	var comments []string
	for _, t := range tags {
		if t.Value != "" {
			comments = append(comments, t.Name+"="+t.Value)
		}
	}
	if n := len(appendTags(nil, vendor, comments)); n > writtenTags {
		return fmt.Errorf("%s: tags of %d bytes, at most %d have room", w.name, n, writtenTags)
	}
	return w.tag(comments)
}

// tag writes the comment header, which comes before the first sound.
func (w *Writer) tag(comments []string) error {
	if !w.untagged {
		return nil
	}
	w.untagged = false
	w.body = appendTags(w.body, vendor, comments)
	n := len(w.body)
	for ; n >= maxSegment; n -= maxSegment {
		w.lacing = append(w.lacing, maxSegment)
	}
	w.lacing = append(w.lacing, byte(n))
	return w.writePage(0, 0)
}

func newWriter(to io.WriteCloser, name string, rate, channels int) (*Writer, error) {
	if !slices.Contains(opus.Rates(), rate) {
		return nil, fmt.Errorf("%s: Opus has no rate of %d Hz; it can be 8000, 12000, 16000, 24000 or 48000", name, rate)
	}
	if channels != 1 && channels != 2 {
		return nil, fmt.Errorf("%s: %d channels; it can be 1 or 2", name, channels)
	}
	enc, err := gopus.NewEncoder(gopus.EncoderConfig{SampleRate: rate, Channels: channels, Application: gopus.ApplicationVoIP})
	if err != nil {
		return nil, fmt.Errorf("%s: encoder at %d Hz: %w", name, rate, err)
	}
	// Of one channel 18,000 bits a second at 8 kHz to 48,000 at 48 kHz.
	bitrate := (12000 + rate*3/4) * (channels + 1) / 2
	for _, err := range []error{
		enc.SetFrameSize(rate / framesPerSecond),
		enc.SetBitrate(bitrate),
		enc.SetComplexity(complexity),
		enc.SetBitrateMode(gopus.BitrateModeVBR),
	} {
		if err != nil {
			return nil, fmt.Errorf("%s: encoder at %d Hz: %w", name, rate, err)
		}
	}
	w := &Writer{to: to, name: name, rate: rate, channels: channels, encoder: enc,
		frame: make([]int16, channels*rate/framesPerSecond), packet: make([]byte, maxEncoded),
		preSkip: int64(enc.Lookahead()) * int64(opusRate/rate)}
	return w, nil
}

// Create makes or truncates the file at path.
func Create(path string, rate, channels int) (*Writer, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return nil, err
	}
	w, err := NewWriter(f, path, rate, channels)
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return w, nil
}

// Append is Create, but what the file has already stays in it: the stream goes
// on. It must have as many channels.
func Append(path string, rate, channels int) (*Writer, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, err
	}
	w, err := resume(f, path, rate, channels)
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return w, nil
}

// resume makes the last page of a file one that is not the last.
func resume(f *os.File, path string, rate, channels int) (*Writer, error) {
	if info, err := f.Stat(); err != nil || info.Size() == 0 {
		if err != nil {
			return nil, err
		}
		return NewWriter(f, path, rate, channels)
	}
	r := &Reader{from: f, name: path, rate: opusRate, pages: newPageReader(f)}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	r.size = size
	if err := errors.Join(r.pages.seek(0), r.headers()); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if r.head.channels != channels {
		return nil, fmt.Errorf("%s: has %d channels, not %d", path, r.head.channels, channels)
	}
	w, err := newWriter(f, path, rate, channels)
	if err != nil {
		return nil, err
	}
	w.serial, w.sequence = r.serial, 2
	at, granule := r.audio, int64(0)
	for {
		p, err := r.pageOf(at, size)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		at, w.sequence = p.offset+int64(p.size), p.sequence+1
		if p.granule != noGranule {
			// What the last page cut off is heard: the stream has no hole.
			granule = max(p.granule, granule+pageDuration(p))
		}
		if p.flags&flagLast != 0 {
			w.out = appendPage(w.out[:0], p.flags&^flagLast, granule, p.serial, p.sequence, p.lacing, p.body)
			if _, err := f.WriteAt(w.out, p.offset); err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
		}
	}
	// What the encoder prepends is heard here; it is a few milliseconds of silence.
	w.base = granule
	if err := f.Truncate(at); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if _, err := f.Seek(at, io.SeekStart); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return w, nil
}

// Rate is the rate of the sound in Hz.
func (w *Writer) Rate() int { return w.rate }

// Channels is the number of channels.
func (w *Writer) Channels() int { return w.channels }

// Write implements media.Sink.
func (w *Writer) Write(pcm []int16) error {
	if w.closed {
		return fmt.Errorf("%s: closed", w.name)
	}
	if len(pcm)%w.channels != 0 {
		return fmt.Errorf("%s: %d samples for %d channels", w.name, len(pcm), w.channels)
	}
	if err := w.tag(nil); err != nil {
		return err
	}
	w.total += int64(len(pcm) / w.channels)
	for len(pcm) > 0 {
		n := copy(w.frame[w.filled:], pcm)
		pcm = pcm[n:]
		if w.filled += n; w.filled < len(w.frame) {
			break
		}
		w.filled = 0
		if err := w.encode(); err != nil {
			return err
		}
		if w.packets == pagePackets {
			if err := w.writePage(0, w.reached()); err != nil {
				return err
			}
		}
	}
	return nil
}

// reached is the granule after what was encoded.
func (w *Writer) reached() int64 { return w.base + w.encoded*int64(opusRate/w.rate) }

// encode puts the frame into the page as a packet.
func (w *Writer) encode() error {
	n, err := w.encoder.EncodeInt16(w.frame, w.packet)
	if err != nil {
		return fmt.Errorf("%s: %w", w.name, err)
	}
	w.encoded += int64(len(w.frame) / w.channels)
	w.packets++
	w.body = append(w.body, w.packet[:n]...)
	for ; n >= maxSegment; n -= maxSegment {
		w.lacing = append(w.lacing, maxSegment)
	}
	w.lacing = append(w.lacing, byte(n))
	// The next packet may need six segments.
	if len(w.lacing) > maxSegments-maxEncoded/maxSegment-1 && w.packets < pagePackets {
		return w.writePage(0, w.reached())
	}
	return nil
}

// writePage writes what was gathered as one page.
func (w *Writer) writePage(flags byte, granule int64) error {
	w.out = appendPage(w.out[:0], flags, granule, w.serial, w.sequence, w.lacing, w.body)
	w.sequence++
	w.lacing, w.body, w.packets = w.lacing[:0], w.body[:0], 0
	if _, err := w.to.Write(w.out); err != nil {
		return fmt.Errorf("%s: %w", w.name, err)
	}
	return nil
}

// Close encodes what is left, ends the stream and closes the file.
func (w *Writer) Close() error {
	if w.closed {
		return nil
	}
	w.closed = true
	return errors.Join(w.finish(), w.to.Close())
}

// finish writes the last page. What the encoder still holds is pushed out by
// silence, which the position of that page cuts off.
func (w *Writer) finish() error {
	if err := w.tag(nil); err != nil {
		return err
	}
	wanted := w.total*int64(opusRate/w.rate) + w.preSkip
	for w.encoded*int64(opusRate/w.rate) < wanted {
		clear(w.frame[w.filled:])
		w.filled = 0
		if err := w.encode(); err != nil {
			return err
		}
	}
	return w.writePage(flagLast, w.base+wanted)
}
