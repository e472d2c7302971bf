package conference

import (
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/switchlet/switchlet/media"
)

// maxVol bounds the gain of a file in dB either way.
const maxVol = 50

// clip is a file as it is heard in a room: after a lead-in, at a gain, several
// times over.
type clip struct {
	from  media.Source
	lead  int // samples of silence that are left
	laps  int // rounds that are left after this one; -1 for ever
	lap   int // samples of this round
	at    int64
	gain  atomic.Int32 // in 1/256
	level atomic.Int32 // the same in dB
}

// newClip reads vol=N and loops=N|inf of "{vol=-3,loops=2}"; lead is in frames.
func newClip(src media.Source, params string, lead int) *clip {
	c := &clip{from: src, lead: lead * media.SamplesPerFrame(src.Rate())}
	c.setVolume(0)
	for _, pair := range strings.Split(strings.Trim(params, "{}"), ",") {
		name, value, _ := strings.Cut(pair, "=")
		n, err := strconv.Atoi(strings.TrimSpace(value))
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "vol":
			if err == nil {
				c.setVolume(n)
			}
		case "loops":
			switch {
			case strings.EqualFold(value, "inf"), err == nil && n < 0:
				c.laps = -1
			case err == nil && n > 1:
				c.laps = n - 1
			}
		}
	}
	return c
}

// setVolume sets the gain in dB, -50 to 50.
func (c *clip) setVolume(db int) {
	db = min(max(db, -maxVol), maxVol)
	c.level.Store(int32(db))
	c.gain.Store(int32(256 * math.Pow(10, float64(db)/20)))
}

// Rate implements media.Source.
func (c *clip) Rate() int { return c.from.Rate() }

// Close implements media.Source.
func (c *clip) Close() error { return c.from.Close() }

// Read implements media.Source.
func (c *clip) Read(pcm []int16) (int, error) {
	if c.lead > 0 {
		n := min(c.lead, len(pcm))
		clear(pcm[:n])
		c.lead -= n
		return n, nil
	}
	n, err := c.from.Read(pcm)
	c.lap += n
	c.at += int64(n)
	if g := c.gain.Load(); g != 256 {
		for i, s := range pcm[:n] {
			pcm[i] = int16(min(max(int(s)*int(g)>>8, -32768), 32767))
		}
	}
	if errors.Is(err, io.EOF) && c.laps != 0 && c.lap > 0 && c.SeekTo(0) == nil {
		if c.laps > 0 {
			c.laps--
		}
		c.lap = 0
		err = nil
	}
	return n, err
}

// SeekTo implements media.Seeker; a source without positions refuses.
func (c *clip) SeekTo(n int64) error {
	s, ok := c.from.(media.Seeker)
	if !ok {
		return media.ErrNotSeekable
	}
	if err := s.SeekTo(n); err != nil {
		return err
	}
	c.at = n
	return nil
}

// Position implements media.Seeker.
func (c *clip) Position() int64 { return c.at }

// length is the file's in samples, 0 if it is not known.
func (c *clip) length() int64 {
	if l, ok := c.from.(interface{ Len() int64 }); ok {
		return l.Len()
	}
	return 0
}
