package mix

import (
	"sync"
	"time"

	"github.com/switchlet/switchlet/media"
)

// Member is one port's seat in a Mixer. Its methods may be called from any
// goroutine.
type Member struct {
	mixer *Mixer

	mu         sync.Mutex
	said       []int16
	fresh      bool // said holds this tick's frame
	mixed      bool // and it is in the sum
	gate       gate
	agc        media.AutoGain
	changed    bool // talking began or ended in this tick
	muted      bool
	deaf       bool
	held       bool
	away       bool
	muteDetect bool
	volumeIn   int
	volumeOut  int
	lastTalk   time.Time
	unheard    []*Member // whom he does not hear
	sounds     []*Sound
	sum        []int32
	own        []int16
	play       []int16
}

func newMember(x *Mixer) *Member {
	m := &Member{
		mixer: x, said: make([]int16, x.frame), sum: make([]int32, x.frame),
		own: make([]int16, x.frame), play: make([]int16, x.frame),
	}
	m.gate.level = x.opts.EnergyLevel
	return m
}

// Leave takes the member out of the mixer and stops his sounds. His port must
// have left the mixer before.
func (m *Member) Leave() {
	m.mixer.remove(m)
	for _, s := range m.takeSounds() {
		s.Stop()
	}
}

func (m *Member) takeSounds() []*Sound {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.sounds
	m.sounds = nil
	return s
}

// Rate is the mixer's rate in Hz.
func (m *Member) Rate() int { return m.mixer.opts.Rate }

// Hear takes a frame from the member's port.
func (m *Member) Hear(pcm []int16) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fresh = false
	if m.held || m.away || m.muted && !m.muteDetect {
		m.gate.last = 0
		return
	}
	if len(pcm) != len(m.said) {
		m.changed = m.gate.hear(0) != m.changed
		return
	}
	copy(m.said, pcm)
	media.Scale(m.said, m.volumeIn)
	m.agc.Apply(m.said)
	m.fresh = true
	if m.gate.hear(media.Energy(m.said)) {
		m.changed = !m.changed
	}
	if m.gate.open {
		m.agc.Hear(m.gate.last)
		if m.gate.talking {
			m.lastTalk = time.Now()
		}
	}
}

// Attention implements media.Watcher: while the member is silent, what is below the
// gate is not needed.
func (m *Member) Attention() media.Attention {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.held || m.away || m.muted && !m.muteDetect:
		return media.NoneOfIt
	case m.gate.level == 0 || m.gate.talking || m.mixer.opts.AudioAlways || m.volumeIn != 0 || m.agc.Level > 0:
		return media.AllOfIt
	}
	return media.Loud
}

// Faint implements media.Watcher.
func (m *Member) Faint(pcm []int16) bool {
	score := media.Energy(pcm)
	m.mu.Lock()
	defer m.mu.Unlock()
	if score > m.gate.level {
		return false
	}
	m.fresh = false
	if m.gate.hear(score) {
		m.changed = !m.changed
	}
	return true
}

// audible reports whether what he says belongs into the mix. Caller holds m.mu.
func (m *Member) audible(always bool) bool {
	return !m.muted && !m.held && (m.gate.talking || m.gate.level == 0 || always)
}

func (m *Member) score() float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.gate.average
}

func (m *Member) running() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.away
}

// Say returns what the member's port shall send: the shared mix, or one of his
// own if his voice is in it, or his volume or sounds differ.
func (m *Member) Say() (own []int16, shared *media.Shared) {
	m.mu.Lock()
	defer m.mu.Unlock()
	x := m.mixer
	if m.away {
		return nil, nil
	}
	if m.alike() {
		if m.deaf || m.held || m.mixed {
			return nil, x.quiet
		}
		return nil, x.shared
	}
	m.compose()
	return m.own, nil
}

// alike reports whether others hear the same as he: those whose voice is not in the
// mix, and who speaks alone, who hears nothing as the deaf do. Caller holds m.mu.
func (m *Member) alike() bool {
	alone := m.mixer.voices == 1 && !m.mixer.played
	return (!m.mixed || alone) && len(m.unheard) == 0 && m.volumeOut == 0 && len(m.sounds) == 0
}

// compose makes the member's own mix.
func (m *Member) compose() {
	x := m.mixer
	if m.deaf || m.held {
		clear(m.own)
	} else {
		copy(m.sum, x.sum)
		if m.mixed {
			subtract(m.sum, m.said)
		}
		for _, o := range m.unheard {
			if o.mixed {
				subtract(m.sum, o.said)
			}
		}
		clip(m.own, m.sum)
		media.Scale(m.own, m.volumeOut)
	}
	m.sounds = performAll(m.sounds, func(s *Sound) {
		n := s.Frame(x.opts.Rate, m.play)
		media.Scale(m.play[:n], m.volumeOut)
		if s.instead {
			clear(m.own)
		}
		for i, v := range m.play[:n] {
			m.own[i] = int16(min(max(int32(m.own[i])+int32(v), -32768), 32767))
		}
	})
}

func subtract(sum []int32, pcm []int16) {
	for i, s := range pcm {
		sum[i] -= int32(s)
	}
}

// SetMuted stops the member from being heard. His average score begins anew.
func (m *Member) SetMuted(on bool) { m.silence(func() { m.muted = on }, on) }

// SetHeld takes the member out of the mix both ways; his own sounds are heard.
func (m *Member) SetHeld(on bool) { m.silence(func() { m.held = on }, on) }

// SetAway makes the mixer neither hear nor serve the member, who does something
// else meanwhile.
func (m *Member) SetAway(on bool) { m.silence(func() { m.away = on }, on) }

func (m *Member) silence(set func(), on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	set()
	if on && m.gate.reset() {
		m.changed = !m.changed
	}
}

// Muted reports whether the member is muted.
func (m *Member) Muted() bool { return m.flag(func() bool { return m.muted }) }

// SetDeaf lets the member hear nothing but his own sounds.
func (m *Member) SetDeaf(on bool) { m.set(func() { m.deaf = on }) }

// Deaf reports whether the member is deaf.
func (m *Member) Deaf() bool { return m.flag(func() bool { return m.deaf }) }

// SetMuteDetect makes OnTalk notice the member while he is muted.
func (m *Member) SetMuteDetect(on bool) { m.set(func() { m.muteDetect = on }) }

// Talking reports whether the member talks.
func (m *Member) Talking() bool { return m.flag(func() bool { return m.gate.talking }) }

// Talk returns what was counted of the member's last talk, nothing if it was cut short.
func (m *Member) Talk() (t Talk) {
	m.set(func() { t = m.gate.past })
	return t
}

// LastTalking returns when the member was last above the gate; zero if never.
func (m *Member) LastTalking() (t time.Time) {
	m.set(func() { t = m.lastTalk })
	return t
}

// Score returns the member's mean magnitude in the last frame, and its running
// average.
func (m *Member) Score() (last int, average float64) {
	m.set(func() { last, average = m.gate.last, m.gate.average })
	return last, average
}

// SetEnergy sets the gate's level, 0 to 1800; 0 is no gate.
func (m *Member) SetEnergy(level int) {
	m.set(func() { m.gate.level = min(max(level, 0), topLevel) })
}

// Energy returns the gate's level.
func (m *Member) Energy() (level int) {
	m.set(func() { level = m.gate.level })
	return level
}

// SetAutoEnergy bounds the level to which the gate raises itself; 0 is off.
func (m *Member) SetAutoEnergy(bound int) { m.set(func() { m.gate.auto = max(bound, 0) }) }

// AutoEnergy returns the bound of the automatic level.
func (m *Member) AutoEnergy() (bound int) {
	m.set(func() { bound = m.gate.auto })
	return bound
}

// SetAGC sets the automatic gain control.
func (m *Member) SetAGC(s media.AGC) { m.set(func() { m.agc.Set(s) }) }

// AGC returns the settings of the automatic gain control.
func (m *Member) AGC() (s media.AGC) {
	m.set(func() { s = m.agc.AGC })
	return s
}

// SetVolumeIn sets the volume step of what the member says, -4 to 4.
func (m *Member) SetVolumeIn(n int) { m.set(func() { m.volumeIn = min(max(n, -4), 4) }) }

// VolumeIn returns the volume step of what the member says.
func (m *Member) VolumeIn() (n int) {
	m.set(func() { n = m.volumeIn })
	return n
}

// SetVolumeOut sets the volume step of what the member hears, -4 to 4.
func (m *Member) SetVolumeOut(n int) { m.set(func() { m.volumeOut = min(max(n, -4), 4) }) }

// VolumeOut returns the volume step of what the member hears.
func (m *Member) VolumeOut() (n int) {
	m.set(func() { n = m.volumeOut })
	return n
}

// Ignore makes the member hear another, or not (the relate command).
func (m *Member) Ignore(other *Member, on bool) {
	m.forget(other)
	if on {
		m.set(func() { m.unheard = append(m.unheard, other) })
	}
}

// forget removes another from those the member does not hear.
func (m *Member) forget(other *Member) {
	m.set(func() {
		kept := make([]*Member, 0, len(m.unheard))
		for _, o := range m.unheard {
			if o != other {
				kept = append(kept, o)
			}
		}
		m.unheard = kept
	})
}

func (m *Member) set(f func()) {
	m.mu.Lock()
	f()
	m.mu.Unlock()
}

func (m *Member) flag(f func() bool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return f()
}
