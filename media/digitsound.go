package media

import (
	"io"
	"sync"
	"time"
)

// toneRun plays digits one after the other as sound, with the gap and the pauses
// that event packets have. Digits can be added until it has ended.
type toneRun struct {
	engine *Engine
	rate   int

	mu    sync.Mutex
	queue []Digit
	ended bool
	tone  Source
	left  int // samples of the digit that are still to be played
	pause int // samples of silence before the next
}

// PlayDigits plays digits as tones: with Write towards the far end, with Read in the
// place of what the far end says, for all who hear it. 'w' and 'W' are pauses of 500
// and 1000 ms. Digits that were found in sound are left out, as they are in it. They
// sound one after the other; beyond 128 waiting digits the newest are lost.
func (p *Port) PlayDigits(digits []Digit, d Direction) {
	if p.engine.tone == nil {
		return
	}
	list := make([]Digit, 0, len(digits))
	for _, one := range digits {
		if one.Source != DigitInband {
			list = append(list, one)
		}
	}
	if len(list) == 0 {
		return
	}
	p.mu.Lock()
	s := side(d)
	t := p.tones[s]
	if t != nil && t.add(list) {
		p.mu.Unlock()
		return
	}
	t = &toneRun{engine: p.engine, rate: naturalRate(p.format)}
	t.add(list)
	p.tones[s] = t
	p.mu.Unlock()
	p.Play(t, PlayOptions{Direction: d})
}

// add puts digits behind those that wait; false if the run has ended.
func (t *toneRun) add(digits []Digit) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return false
	}
	t.queue = append(t.queue, digits[:min(len(digits), digitQueue-len(t.queue))]...)
	return true
}

func (t *toneRun) Rate() int { return t.rate }

func (t *toneRun) Read(pcm []int16) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for n < len(pcm) {
		switch {
		case t.pause > 0:
			k := min(t.pause, len(pcm)-n)
			clear(pcm[n : n+k])
			t.pause -= k
			n += k
		case t.tone != nil:
			k, err := t.tone.Read(pcm[n:min(len(pcm), n+t.left)])
			n += k
			t.left -= k
			if err != nil || t.left <= 0 || k == 0 {
				t.tone.Close()
				t.tone = nil
				t.pause = t.samples(digitGap)
			}
		case len(t.queue) == 0:
			t.ended = true
			return n, io.EOF
		default:
			t.next()
		}
	}
	return n, nil
}

func (t *toneRun) next() {
	d := t.queue[0]
	t.queue = t.queue[1:]
	switch d.Char {
	case 'w':
		t.pause = t.samples(500 * time.Millisecond)
		return
	case 'W':
		t.pause = t.samples(time.Second)
		return
	}
	if d.Duration == 0 {
		d.Duration = digitDefault
	}
	d.Duration = min(max(d.Duration, digitMin), digitMax)
	t.tone = t.engine.tone(d, t.rate)
	t.left = d.Duration * t.rate / digitRate
}

func (t *toneRun) samples(d time.Duration) int {
	return int(d * time.Duration(t.rate) / time.Second)
}

func (t *toneRun) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
	if t.tone != nil {
		return t.tone.Close()
	}
	return nil
}
