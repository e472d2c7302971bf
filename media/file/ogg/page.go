package ogg

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Layout of a page (RFC 3533 §6).
const (
	headerSize  = 27
	maxSegments = 255
	maxSegment  = 255
	maxPage     = headerSize + maxSegments + maxSegments*maxSegment
	capture     = "OggS"

	atFlags, atGranule, atSerial, atSequence, atCRC, atCount = 5, 6, 14, 18, 22, 26

	flagContinued = 1 // the page begins with the rest of a packet
	flagFirst     = 2
	flagLast      = 4

	// noGranule is the position of a page on which no packet ends.
	noGranule = -1
)

// maxDamage bounds the pages with a wrong checksum that are passed over in one
// go: each costs as much as a page.
const maxDamage = 64

// crcTable is that of the polynomial 0x04c11db7, the highest bit first.
var crcTable = makeTable()

func makeTable() (t [256]uint32) {
	const polynomial = 0x04c11db7
	for i := range t {
		r := uint32(i) << 24
		for range 8 {
			high := r & 0x80000000
			r <<= 1
			if high != 0 {
				r ^= polynomial
			}
		}
		t[i] = r
	}
	return t
}

func crc(sum uint32, b []byte) uint32 {
	for _, c := range b {
		sum = sum<<8 ^ crcTable[byte(sum>>24)^c]
	}
	return sum
}

// pageCRC is the checksum of a whole page, its own field taken as zero.
func pageCRC(page []byte) uint32 {
	sum := crc(0, page[:atCRC])
	sum = crc(sum, []byte{0, 0, 0, 0})
	return crc(sum, page[atCount:])
}

// page is one page; its slices belong to the pageReader and are valid until the
// next page is read.
type page struct {
	flags    byte
	granule  int64
	serial   uint32
	sequence uint32
	lacing   []byte // lengths of the segments
	body     []byte
	offset   int64 // where it begins
	size     int   // bytes of all of it
}

// pageReader finds pages in a file.
type pageReader struct {
	from   io.ReadSeeker
	buf    *bufio.Reader
	offset int64 // of the next byte of buf
}

func newPageReader(from io.ReadSeeker) *pageReader {
	return &pageReader{from: from, buf: bufio.NewReaderSize(from, maxPage)}
}

// seek goes to a byte of the file.
func (r *pageReader) seek(offset int64) error {
	if _, err := r.from.Seek(offset, io.SeekStart); err != nil {
		return err
	}
	r.buf.Reset(r.from)
	r.offset = offset
	return nil
}

// next reads the next whole page that begins before limit, passing over what is
// none. io.EOF says that there is no further one.
func (r *pageReader) next(limit int64) (page, error) {
	damaged := 0
	for r.offset < limit {
		head, err := r.buf.Peek(headerSize)
		if err != nil {
			return page{}, end(err)
		}
		if string(head[:4]) != capture || head[4] != 0 {
			r.skip(head)
			continue
		}
		segments := int(head[atCount])
		head, err = r.buf.Peek(headerSize + segments)
		if err != nil {
			return page{}, end(err)
		}
		size := headerSize + segments
		for _, n := range head[headerSize:] {
			size += int(n)
		}
		whole, err := r.buf.Peek(size)
		if err != nil && !errors.Is(err, io.EOF) {
			return page{}, err
		}
		if err != nil || pageCRC(whole) != binary.LittleEndian.Uint32(whole[atCRC:]) {
			if damaged++; damaged > maxDamage {
				return page{}, fmt.Errorf("damaged: more than %d pages with a wrong checksum", maxDamage)
			}
			r.discard(1)
			continue
		}
		p := page{flags: whole[atFlags], granule: int64(binary.LittleEndian.Uint64(whole[atGranule:])),
			serial: binary.LittleEndian.Uint32(whole[atSerial:]), sequence: binary.LittleEndian.Uint32(whole[atSequence:]),
			lacing: whole[headerSize : headerSize+segments], body: whole[headerSize+segments:], offset: r.offset, size: size}
		// What was peeked stays in the buffer until the next read.
		r.discard(size)
		return p, nil
	}
	return page{}, io.EOF
}

// skip passes over bytes that begin no page, up to the next that may.
func (r *pageReader) skip(head []byte) {
	n := 1
	for n < len(head) && head[n] != capture[0] {
		n++
	}
	r.discard(n)
}

func (r *pageReader) discard(n int) {
	n, _ = r.buf.Discard(n)
	r.offset += int64(n)
}

// end turns a page that is cut off into the end of the file.
func end(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return io.EOF
	}
	return err
}

// appendPage appends a page with its checksum to b. body are the packets whose
// segments lacing counts.
func appendPage(b []byte, flags byte, granule int64, serial, sequence uint32, lacing, body []byte) []byte {
	start := len(b)
	b = append(b, capture...)
	b = append(b, 0, flags)
	b = binary.LittleEndian.AppendUint64(b, uint64(granule))
	b = binary.LittleEndian.AppendUint32(b, serial)
	b = binary.LittleEndian.AppendUint32(b, sequence)
	b = append(b, 0, 0, 0, 0, byte(len(lacing)))
	b = append(b, lacing...)
	b = append(b, body...)
	binary.LittleEndian.PutUint32(b[start+atCRC:], pageCRC(b[start:]))
	return b
}
