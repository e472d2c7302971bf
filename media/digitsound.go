package media

import (
	"io"
	"time"
)

// toneRun plays digits one after the other as sound, with the gap and the pauses
// that event packets have.
type toneRun struct {
	engine *Engine
	rate   int
	queue  []Digit
	tone   Source
	left   int // samples of the digit that are still to be played
	pause  int // samples of silence before the next
}

func (t *toneRun) Rate() int { return t.rate }

func (t *toneRun) Read(pcm []int16) (int, error) {
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
	if t.tone != nil {
		return t.tone.Close()
	}
	return nil
}
