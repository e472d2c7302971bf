package stream

import (
	"fmt"
	"time"

	"github.com/switchlet/switchlet/media"
)

// chimed interrupts music by a chime every so often; the music goes on where it was.
type chimed struct {
	music  media.Source
	note   func(string)
	open   func(name string) (media.Source, error)
	names  []string
	next   int
	every  int // samples of music between two chimes
	most   int // samples of a chime, 0 for all of it
	wait   int // samples until the next chime
	chime  media.Source
	played int // samples of it
}

func newChimed(music media.Source, conf LocalStream, note func(string), open func(string) (media.Source, error)) *chimed {
	samples := func(d time.Duration) int { return int(d.Seconds() * float64(music.Rate())) }
	c := &chimed{music: music, note: note, open: open, names: conf.Chimes,
		every: max(samples(conf.ChimeEvery), 1), most: samples(conf.ChimeMax)}
	c.wait = c.every
	return c
}

func (c *chimed) Rate() int { return c.music.Rate() }

func (c *chimed) Read(pcm []int16) (int, error) {
	if c.wait == 0 && c.chime == nil {
		c.begin()
	}
	if c.chime != nil {
		if n := c.ring(pcm); n > 0 {
			return n, nil
		}
	}
	n, err := c.music.Read(pcm[:min(len(pcm), c.wait)])
	c.wait -= n
	return n, err
}

// begin opens the next chime; without one the music goes on.
func (c *chimed) begin() {
	name := c.names[c.next]
	c.next = (c.next + 1) % len(c.names)
	c.wait = c.every
	src, err := c.open(name)
	if err != nil {
		c.note(fmt.Sprintf("local stream: can't open chime %v", err))
		return
	}
	c.chime, c.played = src, 0
}

// ring reads from the chime; 0 once it is over.
func (c *chimed) ring(pcm []int16) int {
	if c.most > 0 {
		pcm = pcm[:min(len(pcm), c.most-c.played)]
	}
	n := 0
	if len(pcm) > 0 {
		n, _ = c.chime.Read(pcm) // an error is the end, as io.EOF is
	}
	c.played += n
	if n == 0 {
		_ = c.chime.Close()
		c.chime = nil
	}
	return n
}

// skip ends the chime, or the file of the music.
func (c *chimed) skip() {
	if c.chime != nil {
		_ = c.chime.Close()
		c.chime = nil
		return
	}
	if s, ok := c.music.(interface{ skip() }); ok {
		s.skip()
	}
}

func (c *chimed) Close() error {
	if c.chime != nil {
		_ = c.chime.Close()
	}
	return c.music.Close()
}
