package scenario

import (
	"io"
	"math"
	"sync"
	"time"

	"github.com/switchlet/switchlet/media"
)

var errEnd = io.EOF

const (
	// quiet is the level (root mean square) below which nobody hears anything: -60 dB
	// below full scale.
	quiet = 32
	// Three frames that are alike by this much, with the same delay, tell a sound;
	// more is asked for a delay that is no whole number of frames, of which there are
	// many.
	alike     = 0.6
	veryAlike = 0.85
	hits      = 3
	// Once it is known, less will do: somebody may speak at the same time.
	still = 0.4
	// farLags is the longest delay on the way to the ear that is looked for, in frames.
	farLags = 16
	// searches bounds the frames of a take for which every delay is tried.
	searches = 40
	// lost is how long a sound may be covered before it counts as over.
	lost = 600 * time.Millisecond
	// history is how many frames the ear remembers: ten minutes.
	history = 10 * 60 * 50
	// maxHeard bounds what is remembered of a call.
	maxHeard = 10000
)

// heard is a sound that reached the ear.
type heard struct {
	name       string // of the sound; "" is one that nobody opened
	tone       float64
	start, end time.Time // end is zero while it goes on
	complete   bool      // it was heard up to its own end
	take       *take
	lag        int64
	last       time.Time // when it was recognized last
}

// ear is what one telephone hears.
type ear struct {
	studio *Studio
	told   func(h *heard) // of a new sound

	mu       sync.Mutex
	sounds   []*heard
	current  []*heard
	tries    map[*take]*trial
	frames   [][frame]int16 // ring
	first    int64          // number of frames forgotten
	lastLoud time.Time
	strange  int // frames in a row that are loud and unknown
	scratch  []*take
	times    []time.Time // of frames
}

// trial is a sound that may be the one that is heard.
type trial struct {
	lag   int64
	hits  int
	since time.Time
	tried int
}

// packet takes one frame of 20 ms.
func (e *ear) packet(pcm *[frame]int16, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.frames) < history {
		e.frames = append(e.frames, *pcm)
		e.times = append(e.times, now)
	} else {
		at := e.first % history
		e.frames[at], e.times[at] = *pcm, now
		e.first++
	}
	loud := level(pcm[:]) >= quiet
	if loud {
		e.lastLoud = now
	}
	e.scratch = e.studio.sounding(now, e.scratch[:0])
	known := false
	var window [frame]int16
	for _, t := range e.scratch {
		h := e.hearing(t)
		if h != nil {
			if loud && t.window(now, h.lag, window[:]) && likeness(pcm[:], window[:]) >= still {
				h.last, known = now, true
			}
			continue
		}
		if loud && e.try(t, pcm, now) {
			known = true
		}
	}
	e.retire(now)
	if !loud || known {
		e.strange = 0
		return
	}
	if e.strange++; e.strange == 5 && len(e.current) == 0 {
		h := &heard{start: now.Add(-4 * media.FrameTime), last: now, tone: e.loudest(now)}
		e.add(h)
	}
	for _, h := range e.current {
		if h.take == nil {
			h.last = now
		}
	}
}

func (e *ear) hearing(t *take) *heard {
	for _, h := range e.current {
		if h.take == t {
			return h
		}
	}
	return nil
}

// try looks whether the frame is the take's, with any delay.
func (e *ear) try(t *take, pcm *[frame]int16, now time.Time) bool {
	if e.tries == nil {
		e.tries = map[*take]*trial{}
	}
	r := e.tries[t]
	if r == nil {
		r = &trial{lag: -1}
		e.tries[t] = r
	}
	var window [frame]int16
	if r.hits > 0 {
		if t.window(now, r.lag, window[:]) && likeness(pcm[:], window[:]) >= alike {
			if r.hits++; r.hits == hits {
				e.add(&heard{name: t.uri, take: t, lag: r.lag, start: r.since, last: now})
				delete(e.tries, t)
			}
			return true
		}
		r.hits = 0
	}
	best, lag := 0.0, int64(-1)
	look := func(l int64) {
		if t.window(now, l, window[:]) {
			if c := likeness(pcm[:], window[:]); c > best {
				best, lag = c, l
			}
		}
	}
	for k := range int64(farLags) {
		look(k * frame)
	}
	if best < alike && r.tried < searches {
		r.tried++
		for l := range int64(farLags * frame / 2) {
			look(l)
		}
		if best < veryAlike {
			best = 0
		}
	}
	if best >= alike {
		r.hits, r.lag, r.since = 1, lag, now
		return true
	}
	return false
}

func (e *ear) add(h *heard) {
	for i := 0; i < len(e.current); i++ {
		if o := e.current[i]; o.take == nil || h.take != nil && o.name == h.name && o.take != h.take && closedTake(o.take) {
			// What was strange has a name now; the same sound again ends the one before.
			e.finish(o, h.start)
			e.current = append(e.current[:i], e.current[i+1:]...)
			i--
		}
	}
	if len(e.sounds) < maxHeard {
		e.sounds = append(e.sounds, h)
		e.current = append(e.current, h)
		if e.told != nil {
			e.told(h)
		}
	}
}

func closedTake(t *take) bool {
	closed, complete := t.ended()
	return closed || complete
}

// finish ends a sound.
func (e *ear) finish(h *heard, at time.Time) {
	h.end = at
	if h.take != nil {
		_, h.complete = h.take.ended()
	}
}

// retire ends what is not heard any more.
func (e *ear) retire(now time.Time) {
	for i := 0; i < len(e.current); i++ {
		h := e.current[i]
		limit := lost
		if h.take == nil {
			limit = 100 * time.Millisecond
		} else if closed, _ := h.take.ended(); closed && !h.take.alive(now) {
			limit = 0
		} else if !closed {
			// A pause in a sound that is still played is a part of it.
			if h.take.alive(now) && now.Sub(e.lastLoud) >= media.FrameTime && !e.audible(h, now) {
				continue
			}
		}
		if now.Sub(h.last) > limit {
			e.finish(h, h.last)
			e.current = append(e.current[:i], e.current[i+1:]...)
			i--
		}
	}
	for t := range e.tries {
		if !t.alive(now) {
			delete(e.tries, t)
		}
	}
}

// audible reports whether the sound itself is loud now.
func (e *ear) audible(h *heard, now time.Time) bool {
	var window [frame]int16
	return h.take.window(now, h.lag, window[:]) && level(window[:]) >= quiet
}

// tick lets time pass for an ear that gets no packets.
func (e *ear) tick(now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.retire(now)
}

// close ends what is heard with the call.
func (e *ear) close(now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, h := range e.current {
		e.finish(h, now)
	}
	e.current = nil
}

// after are the sounds that began after a moment.
func (e *ear) after(from time.Time) []heard {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []heard
	for _, h := range e.sounds {
		if h.start.After(from) {
			out = append(out, *h)
		}
	}
	return out
}

// silentSince is when the line fell silent, or from if nothing was heard since.
func (e *ear) silentSince(from time.Time) time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.lastLoud.After(from) {
		return e.lastLoud
	}
	return from
}

// toneAfter looks for a tone that lasts for at least long, in what was heard after
// a moment. With fresh a tone that sounded already at that moment does not count.
// It returns when it began and until when it was heard.
func (e *ear) toneAfter(from time.Time, tones []float64, long time.Duration, fresh bool) (start, end time.Time, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	need := max(int(long/media.FrameTime), 3)
	run := 0
	for n := e.first; n < e.first+int64(len(e.frames)); n++ {
		at := e.times[n%history]
		if !at.After(from) {
			continue
		}
		if !isTone(e.frames[n%history][:], tones) {
			run, fresh = 0, false
			continue
		}
		if fresh {
			continue
		}
		if run++; run == 1 {
			start = at
		}
		if run >= need {
			return start, at, true
		}
	}
	return start, end, false
}

// loudest is the strongest frequency of the last frames in Hz, 0 if none stands
// out.
func (e *ear) loudest(time.Time) float64 {
	if len(e.frames) == 0 {
		return 0
	}
	pcm := e.frames[(e.first+int64(len(e.frames))-1)%history][:]
	best, hz := 0.0, 0.0
	for f := 50.0; f < 3800; f += 10 {
		if p := power(pcm, f); p > best {
			best, hz = p, f
		}
	}
	if best < 0.6*energy(pcm) {
		return 0
	}
	return hz
}

// isTone reports whether pcm is the sum of these frequencies and little else.
func isTone(pcm []int16, tones []float64) bool {
	total := energy(pcm)
	if math.Sqrt(total) < quiet {
		return false
	}
	sum := 0.0
	for _, f := range tones {
		p := power(pcm, f)
		if p < 0.6*total/float64(len(tones))/2 {
			return false
		}
		sum += p
	}
	return sum > 0.7*total
}

// power is the mean power of a frequency in pcm.
func power(pcm []int16, hz float64) float64 {
	w := 2 * math.Pi * hz / earRate
	c := 2 * math.Cos(w)
	var s1, s2 float64
	for _, v := range pcm {
		s1, s2 = float64(v)+c*s1-s2, s1
	}
	n := float64(len(pcm))
	return 2 * (s1*s1 + s2*s2 - c*s1*s2) / (n * n)
}

func energy(pcm []int16) float64 {
	sum := 0.0
	for _, v := range pcm {
		sum += float64(v) * float64(v)
	}
	return sum / float64(len(pcm))
}

func level(pcm []int16) float64 { return math.Sqrt(energy(pcm)) }

// likeness is the normalized correlation of two stretches of sound: 1 for the same
// at any volume, about 0 for different ones.
func likeness(a, b []int16) float64 {
	var ab, aa, bb int64
	for i, x := range a {
		y := b[i]
		ab += int64(x) * int64(y)
		aa += int64(x) * int64(x)
		bb += int64(y) * int64(y)
	}
	if aa == 0 || bb < quiet*quiet/16*int64(len(b)) {
		return 0
	}
	return float64(ab) / math.Sqrt(float64(aa)*float64(bb))
}
