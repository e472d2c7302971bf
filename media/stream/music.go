package stream

import "math"

// music is hold music of our own: four chords of plucked tones over a soft bass in
// eight bars of eight notes, twenty seconds in all, computed while it plays. It has
// no end and, as a note has died away when its voice is used again, no seam.
type music struct {
	rate   int
	beat   int // samples a note
	left   int // samples until the next note
	note   int
	voices [12]voice
	next   int // voice for the next note
}

// voice is a decaying sine and its octave, as digital resonators.
type voice struct {
	coef1, coef2   float64
	a1, a2, b1, b2 float64
	decay          float64
	age, attack    int
}

// beats is the number of notes until the tune begins again.
const beats = 64

// tune returns the notes of beat n as MIDI numbers: arpeggios of C, A minor, F and G;
// bass is 0 where it rests.
func (m *music) tune(n int) (melody, bass int) {
	roots := [4]int{48, 45, 41, 43}
	arpeggios := [4][8]int{
		{60, 64, 67, 71, 74, 71, 67, 64},
		{57, 60, 64, 67, 71, 67, 64, 60},
		{57, 60, 65, 67, 72, 67, 65, 60},
		{59, 62, 67, 69, 74, 69, 67, 62},
	}
	bar := n / 8 % 4
	melody = arpeggios[bar][n%8]
	if n >= beats/2 && n%8 == 4 { // the second half sings a little higher
		melody += 5
	}
	if n%4 == 0 {
		bass = roots[bar]
	}
	return melody, bass
}

func newMusic(rate int) *music { return &music{rate: rate, beat: rate * 3 / 10} }

func (m *music) Rate() int    { return m.rate }
func (m *music) Close() error { return nil }

// Peak levels of one note.
const (
	melodyLevel = 2600
	bassLevel   = 2000
)

func (m *music) Read(pcm []int16) (int, error) {
	for i := range pcm {
		if m.left == 0 {
			melody, bass := m.tune(m.note)
			m.pluck(melody, melodyLevel, 0.9)
			if bass > 0 {
				m.pluck(bass, bassLevel, 1.4)
			}
			m.note = (m.note + 1) % beats
			m.left = m.beat
		}
		m.left--
		var sum float64
		for v := range m.voices {
			sum += m.voices[v].sample()
		}
		pcm[i] = int16(max(min(sum, 32767), -32768))
	}
	return len(pcm), nil
}

// pluck starts a note that falls by 60 dB in about two and a half times seconds.
func (m *music) pluck(midi int, level, seconds float64) {
	freq := 440 * math.Pow(2, float64(midi-69)/12)
	w := 2 * math.Pi * freq / float64(m.rate)
	decay := math.Exp(-2.5 / (seconds * float64(m.rate)))
	m.voices[m.next] = voice{
		coef1: 2 * math.Cos(w) * decay, coef2: 2 * math.Cos(2*w) * decay,
		a2: -level * math.Sin(w), b2: -level * 0.25 * math.Sin(2*w),
		decay: decay * decay, attack: m.rate / 100,
	}
	m.next = (m.next + 1) % len(m.voices)
}

func (v *voice) sample() float64 {
	if v.attack == 0 {
		return 0
	}
	a, b := v.a1, v.b1
	v.a1, v.a2 = v.coef1*v.a1-v.decay*v.a2, v.a1
	v.b1, v.b2 = v.coef2*v.b1-v.decay*v.b2, v.b1
	if v.age < v.attack { // ten milliseconds of attack, so that no note clicks
		v.age++
		return (a + b) * float64(v.age) / float64(v.attack)
	}
	return a + b
}
