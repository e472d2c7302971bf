package mix

import "github.com/switchlet/switchlet/media"

// Sound is a file or stream that is played to a member or to all. It is
// controlled, and waited for, as any Playback.
type Sound struct {
	*media.Playback
	instead bool
}

// Play mixes src into what all members hear, from the next tick.
func (x *Mixer) Play(src media.Source, o media.PlayOptions) *Sound {
	s := &Sound{Playback: x.engine.NewPlayback(src, o)}
	x.mu.Lock()
	closed := x.closed
	if !closed {
		x.sounds = append(x.sounds, s)
	}
	x.mu.Unlock()
	if closed {
		s.Stop()
	} else {
		x.engine.Clock().Add(x)
	}
	return s
}

// Play mixes src into what the member hears, or lets him hear it instead of the
// mix (nomux). A deaf member hears it, too.
func (m *Member) Play(src media.Source, o media.PlayOptions, instead bool) *Sound {
	s := &Sound{Playback: m.mixer.engine.NewPlayback(src, o), instead: instead}
	m.mu.Lock()
	m.sounds = append(m.sounds, s)
	m.mu.Unlock()
	return s
}

// performAll calls f for each sound and returns those that go on, in the same
// array.
func performAll(list []*Sound, f func(*Sound)) []*Sound {
	kept := list[:0]
	for _, s := range list {
		f(s)
		if !s.Over() {
			kept = append(kept, s)
		}
	}
	clear(list[len(kept):])
	return kept
}
