package stream

import (
	lru "container/list"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"time"

	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/file"
)

// Bounds of what is kept decoded. A prompt of 20 s at 16 kHz takes 640 kB.
const (
	maxClip  = 20 * time.Second
	maxClips = 16 << 20 // bytes of all
	maxBytes = 4 << 20  // of a file that is looked at at all
	// settled is how long a file must have been left alone: one that is still being
	// written, or written anew at once, looks the same at two times.
	settled = 2 * time.Second
)

// clips are short files that were played lately, decoded, at the rate at which they
// were asked for. The least recently used are forgotten first. The zero value is
// empty.
type clips struct {
	mu    sync.Mutex
	byKey map[clipKey]*lru.Element // of clipEntry
	order lru.List                 // the most recently used first
	size  int
}

// clipKey is a file as it was found.
type clipKey struct {
	name     string
	rate     int
	size     int64
	modified time.Time
}

type clipEntry struct {
	key clipKey
	pcm []int16
}

// open returns the file called name, whose facts are info, at rate Hz; source opens
// it if it is not kept.
func (c *clips) open(name string, info fs.FileInfo, rate int, source func() (file.Audio, error)) (media.Source, error) {
	key := clipKey{name, rate, info.Size(), info.ModTime()}
	keep := info.Size() <= maxBytes && time.Since(info.ModTime()) > settled
	if keep {
		if pcm, ok := c.find(key); ok {
			return &clip{rate: rate, pcm: pcm}, nil
		}
	}
	a, err := source()
	if err != nil {
		return nil, err
	}
	s, err := at(a, rate)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if !keep || a.Len() > int64(a.Rate())*int64(maxClip/time.Second) {
		return s, nil
	}
	pcm, whole := readWhole(s, rate)
	if !whole { // damaged: who plays it hears what there is, and the error
		if err := s.(media.Seeker).SeekTo(0); err != nil {
			_ = s.Close()
			return nil, err
		}
		return s, nil
	}
	_ = s.Close()
	c.add(key, pcm)
	return &clip{rate: rate, pcm: pcm}, nil
}

// readWhole reads s up to its end, if it is no longer than a clip may be.
func readWhole(s media.Source, rate int) ([]int16, bool) {
	most := rate*int(maxClip/time.Second) + rate
	pcm := make([]int16, 0, rate)
	for len(pcm) < most {
		if cap(pcm)-len(pcm) < rate/10 {
			pcm = append(make([]int16, 0, 2*cap(pcm)), pcm...)
		}
		n, err := s.Read(pcm[len(pcm) : len(pcm)+rate/10])
		pcm = pcm[:len(pcm)+n]
		if errors.Is(err, io.EOF) {
			return append(make([]int16, 0, len(pcm)), pcm...), true
		}
		if err != nil || n == 0 {
			return nil, false
		}
	}
	return nil, false
}

func (c *clips) find(key clipKey) ([]int16, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byKey[key]
	if !ok {
		return nil, false
	}
	c.order.MoveToFront(e)
	return e.Value.(clipEntry).pcm, true
}

func (c *clips) add(key clipKey, pcm []int16) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.byKey[key]; ok {
		return
	}
	if c.byKey == nil {
		c.byKey = map[clipKey]*lru.Element{}
	}
	c.byKey[key] = c.order.PushFront(clipEntry{key, pcm})
	for c.size += 2 * len(pcm); c.size > maxClips; {
		last := c.order.Back()
		old := c.order.Remove(last).(clipEntry)
		delete(c.byKey, old.key)
		c.size -= 2 * len(old.pcm)
	}
}

// clip is a Source over sound that is kept.
type clip struct {
	rate int
	pcm  []int16
	at   int
}

func (c *clip) Rate() int       { return c.rate }
func (c *clip) Len() int64      { return int64(len(c.pcm)) }
func (c *clip) Position() int64 { return int64(c.at) }
func (c *clip) Close() error    { return nil }

func (c *clip) SeekTo(n int64) error {
	c.at = int(max(min(n, int64(len(c.pcm))), 0))
	return nil
}

func (c *clip) Read(pcm []int16) (int, error) {
	if c.at == len(c.pcm) {
		return 0, io.EOF
	}
	n := copy(pcm, c.pcm[c.at:])
	c.at += n
	return n, nil
}
