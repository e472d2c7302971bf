package resample

import (
	"errors"
	"io"

	"github.com/switchlet/switchlet/media"
)

// source is a media.Source at another rate.
type source struct {
	from    media.Source
	r       *Resampler
	rate    int
	scratch []int16
	tail    int // silence still to be pushed through after the end
	ended   bool
}

// seekable is a source whose origin has positions.
type seekable struct{ source }

// sized is a seekable whose origin knows its length.
type sized struct{ seekable }

// NewSource returns src at rate Hz; src itself if it has that rate already. The
// result is a media.Seeker if src is one, with positions in its own samples, and
// then a media.Sized, too, if src is.
// Closing it closes src.
func NewSource(src media.Source, rate int) (media.Source, error) {
	if src.Rate() == rate {
		return src, nil
	}
	r, err := New(src.Rate(), rate)
	if err != nil {
		return nil, err
	}
	s := source{from: src, r: r, rate: rate, tail: r.Delay()}
	if _, ok := src.(media.Seeker); ok {
		if _, ok := src.(media.Sized); ok {
			return &sized{seekable{s}}, nil
		}
		return &seekable{s}, nil
	}
	return &s, nil
}

func (s *source) Rate() int    { return s.rate }
func (s *source) Close() error { return s.from.Close() }

// Read implements media.Source; the end of the origin is followed by what is
// still in the filter.
func (s *source) Read(pcm []int16) (int, error) {
	need := s.r.InputLen(len(pcm))
	if need > len(s.scratch) {
		s.scratch = make([]int16, need)
	}
	got := 0
	for got < need && !s.ended {
		n, err := s.from.Read(s.scratch[got:need])
		got += n
		if errors.Is(err, io.EOF) {
			s.ended = true
		} else if err != nil {
			return s.r.Process(pcm, s.scratch[:got]), err
		} else if n == 0 {
			break
		}
	}
	if s.ended && got < need && s.tail > 0 {
		n := min(need-got, s.tail)
		clear(s.scratch[got : got+n])
		got += n
		s.tail -= n
	}
	n := s.r.Process(pcm, s.scratch[:got])
	if n == 0 && s.ended {
		return 0, io.EOF
	}
	return n, nil
}

// SeekTo implements media.Seeker.
func (s *seekable) SeekTo(n int64) error {
	if err := s.from.(media.Seeker).SeekTo(n * int64(s.from.Rate()) / int64(s.rate)); err != nil {
		return err
	}
	s.r.Reset()
	s.ended, s.tail = false, s.r.Delay()
	return nil
}

// Position implements media.Seeker.
func (s *seekable) Position() int64 {
	return s.from.(media.Seeker).Position() * int64(s.rate) / int64(s.from.Rate())
}

// Len implements media.Sized.
func (s *sized) Len() int64 {
	return s.from.(media.Sized).Len() * int64(s.rate) / int64(s.from.Rate())
}
