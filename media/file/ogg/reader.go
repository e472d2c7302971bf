package ogg

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/codec/opus"
)

// maxTags bounds the comment header, which may hold pictures, in bytes.
const maxTags = 16 << 20

// maxPacket bounds a packet in bytes: 120 ms at the highest rate of Opus.
const maxPacket = 48 * 1277

// lead is what a decoder needs before the sound that is wanted, in samples at
// 48 kHz (RFC 7845 §4.6).
const lead = opusRate * 80 / 1000

// Reader is the sound of an Ogg/Opus file: mono, at the rate that was asked for.
// It is a media.Source and a media.Seeker and not safe for concurrent use.
type Reader struct {
	from    io.ReadSeeker
	name    string
	rate    int
	head    head
	gain    float64 // factor, 1 for none
	pages   *pageReader
	pool    *opus.Pool // of the one decoder
	decoder media.Decoder

	serial uint32
	audio  int64 // offset of the first page of sound
	size   int64 // of the file
	origin int64 // granule at which the sound begins, what is skipped included
	length int64 // samples at rate

	page    page
	segment int    // next of page.lacing
	inBody  int    // next byte of page.body
	partial []byte // of a packet that goes on on the next page
	broken  bool   // the begin of that packet is missing
	granule int64  // end of what was decoded last
	last    bool   // there are no further pages

	pcm     []int16 // decoded
	pending []int16 // of pcm, not yet read
	at      int64   // sample that is read next
}

// NewReader reads an Ogg/Opus file from r and decodes it at rate Hz if Opus has
// that rate, else at 48000. name stands in errors. Close of the result closes r if
// it is an io.Closer; a failure leaves r open.
func NewReader(r io.ReadSeeker, name string, rate int) (*Reader, error) {
	if !slices.Contains(opus.Rates(), rate) {
		rate = opusRate
	}
	o := &Reader{from: r, name: name, rate: rate, gain: 1, pages: newPageReader(r), pool: opus.NewPool(opus.Options{})}
	if err := o.open(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return o, nil
}

// open reads the headers and measures the sound.
func (r *Reader) open() error {
	var err error
	if r.size, err = r.from.Seek(0, io.SeekEnd); err != nil {
		return err
	}
	if err = r.pages.seek(0); err != nil {
		return err
	}
	if err = r.headers(); err != nil {
		return err
	}
	if err = r.measure(); err != nil {
		return err
	}
	if r.head.gain != 0 {
		const unit = 256 * 20
		r.gain = math.Pow(10, float64(r.head.gain)/unit)
	}
	if r.decoder, err = r.pool.NewDecoder(media.Format{}, r.rate); err != nil {
		return err
	}
	r.pcm = make([]int16, maxDuration/(opusRate/r.rate))
	return r.restart(r.audio, r.origin)
}

// headers reads the two header packets, each of which ends its page.
func (r *Reader) headers() error {
	p, err := r.pages.next(r.size)
	if err != nil || p.flags&flagFirst == 0 || p.offset != 0 {
		return errors.New("not Ogg: it does not begin with a page")
	}
	r.serial = p.serial
	if r.head, err = parseHead(p.body); err != nil {
		return err
	}
	for size := 0; size < maxTags; size += p.size {
		if p, err = r.pages.next(r.size); err != nil {
			return errors.New("no sound in it")
		}
		if p.serial != r.serial {
			continue
		}
		if size == 0 && (len(p.body) < len(tagsMagic) || string(p.body[:len(tagsMagic)]) != tagsMagic) {
			return errors.New("not Ogg/Opus: no OpusTags")
		}
		if n := len(p.lacing); n > 0 && p.lacing[n-1] < maxSegment {
			r.audio = p.offset + int64(p.size)
			return nil
		}
	}
	return fmt.Errorf("more than %d bytes of tags", maxTags)
}

// measure finds where the sound begins and ends.
func (r *Reader) measure() error {
	p, err := r.pageOf(r.audio, r.size)
	for err == nil && p.granule == noGranule {
		p, err = r.pageOf(p.offset+int64(p.size), r.size)
	}
	if errors.Is(err, io.EOF) {
		return nil // headers only: no sound
	}
	if err != nil {
		return err
	}
	// A page that ends the stream may be shorter than its packets: that stream
	// begins at zero.
	r.origin = max(p.granule-pageDuration(p), 0)
	lastGranule := p.granule
	// The last page begins in the last bytes, unless those are damaged.
	for window := int64(2 * maxPage); ; window *= 4 {
		start := max(r.audio, r.size-window)
		found := false
		for at := start; ; {
			p, err := r.pageOf(at, r.size)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return err
			}
			at = p.offset + int64(p.size)
			if p.granule != noGranule && p.granule >= lastGranule {
				lastGranule, found = p.granule, true
			}
		}
		if found || start == r.audio {
			break
		}
	}
	total := lastGranule - r.origin - int64(r.head.preSkip)
	const longest = math.MaxInt64 / opusRate / 2
	if total > longest {
		return errors.New("impossible position in the last page")
	}
	r.length = max(total, 0) / int64(opusRate/r.rate)
	return nil
}

// pageDuration is the length of the packets that end on a page, but for one that
// began on another.
func pageDuration(p page) (samples int64) {
	start, at := 0, 0
	whole := p.flags&flagContinued == 0
	for _, n := range p.lacing {
		at += int(n)
		if n == maxSegment {
			continue
		}
		if whole {
			samples += int64(duration(p.body[start:at]))
		}
		whole, start = true, at
	}
	return samples
}

// pageOf returns the next page of the stream from a byte on.
func (r *Reader) pageOf(offset, limit int64) (page, error) {
	if r.pages.offset != offset {
		if err := r.pages.seek(offset); err != nil {
			return page{}, err
		}
	}
	for {
		p, err := r.pages.next(limit)
		if err != nil || p.serial == r.serial {
			return p, err
		}
	}
}

// restart goes to the page at offset, before which granule is reached.
func (r *Reader) restart(offset, granule int64) error {
	r.page, r.segment, r.inBody = page{}, 0, 0
	r.partial, r.broken, r.last = r.partial[:0], false, false
	r.granule, r.pending = granule, nil
	return r.pages.seek(offset)
}

// Rate is the rate of the sound in Hz.
func (r *Reader) Rate() int { return r.rate }

// Channels is the number of channels in the file; Read mixes them to one.
func (r *Reader) Channels() int { return r.head.channels }

// Len is the length in samples.
func (r *Reader) Len() int64 { return r.length }

// Position is the sample that is read next.
func (r *Reader) Position() int64 { return r.at }

// Close closes the file.
func (r *Reader) Close() error {
	if r.decoder != nil {
		r.decoder.Close()
		r.decoder = nil
	}
	if c, ok := r.from.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// Read implements media.Source.
func (r *Reader) Read(pcm []int16) (int, error) {
	if r.decoder == nil {
		return 0, fmt.Errorf("%s: closed", r.name)
	}
	done := 0
	for done < len(pcm) && r.at < r.length {
		if len(r.pending) == 0 {
			if err := r.decode(); err != nil {
				if done > 0 || errors.Is(err, io.EOF) {
					break
				}
				return 0, fmt.Errorf("%s: %w", r.name, err)
			}
			continue
		}
		n := copy(pcm[done:], r.pending[:min(int64(len(r.pending)), r.length-r.at)])
		r.pending = r.pending[n:]
		r.at += int64(n)
		done += n
	}
	if done == 0 && len(pcm) > 0 {
		return 0, io.EOF
	}
	return done, nil
}

// wanted is the granule of the sample that is read next.
func (r *Reader) wanted() int64 {
	return r.origin + int64(r.head.preSkip) + r.at*int64(opusRate/r.rate)
}

// decode decodes the next packet and leaves in pending what of it is to be read.
func (r *Reader) decode() error {
	packet, err := r.packet()
	if err != nil {
		return err
	}
	d := duration(packet)
	if d == 0 {
		return nil
	}
	n, err := r.decoder.Decode(packet, r.pcm)
	if err != nil || n == 0 {
		// One damaged packet is as long a silence.
		n = d / (opusRate / r.rate)
		clear(r.pcm[:n])
	}
	begin := r.granule
	r.granule += int64(d)
	r.pending = r.pcm[:n]
	r.amplify(r.pending)
	if early := (r.wanted() - begin) / int64(opusRate/r.rate); early > 0 {
		r.pending = r.pending[min(early, int64(n)):]
	}
	return nil
}

func (r *Reader) amplify(pcm []int16) {
	if r.gain == 1 {
		return
	}
	for i, v := range pcm {
		pcm[i] = int16(min(max(float64(v)*r.gain, math.MinInt16), math.MaxInt16))
	}
}

// packet returns the next whole packet; it is valid until the next call.
func (r *Reader) packet() ([]byte, error) {
	if len(r.partial) > 0 && r.segment > 0 {
		r.partial = r.partial[:0]
	}
	for {
		start := r.inBody
		for r.segment < len(r.page.lacing) {
			n := int(r.page.lacing[r.segment])
			r.segment++
			r.inBody += n
			if n == maxSegment {
				continue
			}
			part := r.page.body[start:r.inBody]
			start = r.inBody
			if r.broken {
				r.broken = false
				continue
			}
			if len(r.partial) > 0 {
				r.partial = append(r.partial, part...)
				return r.partial, nil
			}
			return part, nil
		}
		if rest := r.page.body[start:]; len(rest) > 0 && !r.broken {
			if r.partial = append(r.partial, rest...); len(r.partial) > maxPacket {
				r.partial, r.broken = r.partial[:0], true
			}
		}
		if err := r.turn(); err != nil {
			return nil, err
		}
	}
}

// turn goes to the next page of the stream.
func (r *Reader) turn() error {
	if r.last {
		return io.EOF
	}
	before := r.page
	next, err := r.pageOf(r.pages.offset, r.size)
	if err != nil {
		r.last = true
		return err
	}
	r.page, r.segment, r.inBody = next, 0, 0
	r.last = next.flags&flagLast != 0
	lost := before.size != 0 && next.sequence != before.sequence+1
	if before.size != 0 && before.granule != noGranule {
		r.granule = before.granule
	}
	if lost || next.flags&flagContinued == 0 {
		r.partial = r.partial[:0]
	}
	r.broken = next.flags&flagContinued != 0 && len(r.partial) == 0
	if (lost || r.broken) && next.granule != noGranule {
		// Where a packet is missing the sound goes on at its own place.
		r.granule = max(r.granule, next.granule-pageDuration(next))
	}
	return nil
}
