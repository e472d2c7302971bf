package ogg

import (
	"errors"
	"fmt"
	"io"

	"github.com/switchlet/switchlet/media"
)

// SeekTo goes to sample n, at most to the end.
func (r *Reader) SeekTo(n int64) error {
	if r.decoder == nil {
		return fmt.Errorf("%s: closed", r.name)
	}
	r.at = min(max(n, 0), r.length)
	offset, granule, err := r.find(r.wanted() - lead)
	if err == nil {
		err = r.restart(offset, granule)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", r.name, err)
	}
	r.decoder.Close()
	r.decoder = nil
	if r.decoder, err = r.pool.NewDecoder(media.Format{}, r.rate); err != nil {
		return fmt.Errorf("%s: %w", r.name, err)
	}
	return nil
}

// nearby is how many bytes are rather read through than halved.
const nearby = 16 << 10

// find returns the last place at which a page begins whose packets all begin at
// or before a granule, and the granule that is reached there.
func (r *Reader) find(granule int64) (offset, reached int64, err error) {
	offset, reached = r.audio, r.origin
	low, high := r.audio, r.size
	for high-low > nearby {
		middle := low + (high-low)/2
		p, err := r.positioned(middle, high)
		switch {
		case errors.Is(err, io.EOF):
			high = middle
			continue
		case err != nil:
			return 0, 0, err
		}
		if p.granule > granule {
			high = middle
			continue
		}
		offset, reached = p.offset+int64(p.size), p.granule
		low = offset
	}
	for low < high {
		p, err := r.positioned(low, high)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, 0, err
		}
		if p.granule > granule {
			break
		}
		offset, reached = p.offset+int64(p.size), p.granule
		low = offset
	}
	return offset, reached, nil
}

// positioned returns the next page that has a position.
func (r *Reader) positioned(offset, limit int64) (page, error) {
	for {
		p, err := r.pageOf(offset, limit)
		if err != nil || p.granule != noGranule {
			return p, err
		}
		offset = p.offset + int64(p.size)
	}
}
