package dtmf

import (
	"fmt"
	"math"

	"github.com/switchlet/switchlet/media"
)

// What a block must be to count as a digit. The limits follow ITU-T Q.24 with
// margins against speech that imitates digits (talk-off).
const (
	blockTime = 12.75 // ms; 102 samples at 8 kHz tell the frequencies apart
	// minLevel is the mean square of the weaker frequency, about -40 dBm0.
	minLevel = 160.0 * 160.0
	// normalTwist and reverseTwist bound high over low and low over high in power (8 dB, 4 dB
	// plus what a telephone line adds).
	normalTwist  = 8.0
	reverseTwist = 4.0
	// relativePeak is how far the strongest of a group exceeds the others in power.
	relativePeak = 6.3
	// purity is how much of the block's power the two frequencies must hold.
	purity = 0.78
	// harmonic bounds the second harmonic of either frequency; speech has strong ones.
	harmonic = 0.1
	// steadiness bounds the change of power between blocks of one digit (2 dB).
	steadiness = 1.6
	// nearHarmonic in Hz: the second harmonics of 697, 770 and 852 Hz fall so close to
	// 1336, 1477 and 1633 that a block cannot tell them apart.
	nearHarmonic = 100
)

// A digit needs two blocks alike (about 25 ms) and ends after two blocks without it.
const (
	blocksToBegin = 2
	blocksToEnd   = 2
)

// Detector finds digits in one stream of PCM. It is not safe for concurrent use.
type Detector struct {
	rate, length int
	bank         [16]filter // rows, columns, their second harmonics
	energy       float64
	filled       int

	current  byte    // digit that has begun, 0 if none
	blocks   int     // of current, gaps included
	missing  int     // blocks since current was last seen
	power    float64 // mean square of the digit in this block
	before   float64 // and in the one before
	previous byte    // what the last block was
	run      int     // blocks in a row that were previous
}

// filter is one Goertzel filter.
type filter struct{ coef, s1, s2 float64 }

func (f *filter) power() float64 { return f.s1*f.s1 + f.s2*f.s2 - f.coef*f.s1*f.s2 }

// NewDetector returns a Detector for sound at rate Hz, at least 8000.
func NewDetector(rate int) (*Detector, error) {
	if rate < 8000 || rate > media.MaxRate {
		return nil, fmt.Errorf("dtmf: rate %d Hz; must be 8000 to %d", rate, media.MaxRate)
	}
	d := &Detector{rate: rate, length: int(blockTime * float64(rate) / 1000)}
	for i := range 4 {
		for j, f := range [4]float64{rows[i], columns[i], 2 * rows[i], 2 * columns[i]} {
			d.bank[4*j+i].coef = 2 * math.Cos(2*math.Pi*f/float64(rate))
		}
	}
	return d, nil
}

// Detect hears pcm and appends the digits that ended in it to digits. It does not allocate
// if digits has room.
func (d *Detector) Detect(pcm []int16, digits []media.Digit) []media.Digit {
	for len(pcm) > 0 {
		n := min(d.length-d.filled, len(pcm))
		d.hear(pcm[:n])
		pcm = pcm[n:]
		if d.filled < d.length {
			break
		}
		c := d.judge()
		d.clear()
		if digit, ok := d.follow(c); ok {
			digits = append(digits, digit)
		}
	}
	return digits
}

// Active returns the digit that is sounding now, 0 if none: what a listener may
// want to mute.
func (d *Detector) Active() byte { return d.current }

func (d *Detector) hear(pcm []int16) {
	for _, s := range pcm {
		d.energy += float64(s) * float64(s)
	}
	for i := range d.bank {
		f := &d.bank[i]
		coef, s1, s2 := f.coef, f.s1, f.s2
		for _, s := range pcm {
			s1, s2 = coef*s1-s2+float64(s), s1
		}
		f.s1, f.s2 = s1, s2
	}
	d.filled += len(pcm)
}

func (d *Detector) clear() {
	for i := range d.bank {
		d.bank[i].s1, d.bank[i].s2 = 0, 0
	}
	d.energy, d.filled = 0, 0
}

// judge returns the digit that the block is, 0 if none.
func (d *Detector) judge() byte {
	d.before, d.power = d.power, 0
	row, low, ok := strongest(d.bank[0:4])
	if !ok {
		return 0
	}
	column, high, ok := strongest(d.bank[4:8])
	if !ok {
		return 0
	}
	// A sine of mean square p gives a power of p·length²/2.
	n := float64(d.length)
	scale := 2 / (n * n)
	low, high = low*scale, high*scale
	switch {
	case min(low, high) < minLevel:
	case high > low*normalTwist, low > high*reverseTwist:
	case low+high < purity*d.energy/n:
	case math.Abs(2*rows[row]-columns[column]) > nearHarmonic && d.bank[8+row].power()*scale > low*harmonic:
	case d.bank[12+column].power()*scale > high*harmonic:
	default:
		d.power = low + high
		return keys[4*row+column]
	}
	return 0
}

// strongest returns the strongest filter of a group if it stands out.
func strongest(group []filter) (index int, power float64, ok bool) {
	var powers [4]float64
	for i := range group {
		powers[i] = group[i].power()
		if powers[i] > powers[index] {
			index = i
		}
	}
	for i, p := range powers {
		if i != index && p*relativePeak > powers[index] {
			return 0, 0, false
		}
	}
	return index, powers[index], true
}

// follow takes the judgement of one block and returns a digit that has ended.
func (d *Detector) follow(c byte) (media.Digit, bool) {
	steady := d.power < d.before*steadiness && d.before < d.power*steadiness
	if c == d.previous && (c == 0 || steady) {
		d.run++
	} else {
		d.previous, d.run = c, 1
	}
	var ended media.Digit
	var ok bool
	if d.current != 0 {
		d.blocks++
		if c == d.current {
			d.missing = 0
			return ended, false
		}
		d.missing++
		next := c != 0 && d.run >= blocksToBegin
		if d.missing < blocksToEnd && !next {
			return ended, false
		}
		duration := int(int64(d.blocks-d.missing) * int64(d.length) * 8000 / int64(d.rate))
		ended, ok = media.Digit{Char: d.current, Duration: duration, Source: media.DigitInband}, true
		d.current = 0
	}
	if c != 0 && d.run >= blocksToBegin {
		d.current, d.blocks, d.missing = c, d.run, 0
	}
	return ended, ok
}
