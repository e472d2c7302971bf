package scenario

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// hear waits until somebody hears a sound.
func (p *play) hear(l *line, do hears) error {
	want := fmt.Sprintf("%s hears %s within %s", caller(l.name), do.sound, span(do.within))
	var pieces []string
	switch do.sound.Kind {
	case SoundSilence:
		return p.hearSilence(l, do)
	case SoundTone:
		return p.hearTone(l, do, want)
	case SoundSay, SoundPhrase:
		var err error
		if pieces, err = p.stage.Pieces(l.ch.Context(), l.ch, do.sound); err != nil {
			return err
		}
		if len(pieces) == 0 {
			return fmt.Errorf("%s says nothing", do.sound)
		}
		for i := range pieces {
			pieces[i] = p.studio.short(pieces[i])
		}
	}
	from := l.moment
	started := time.Now()
	var found heard
	ok, err := p.until(do.within, func() (bool, error) {
		list := l.ear.after(from)
		at := 0
		for _, h := range list {
			if pieces == nil {
				if do.sound.is(&h) {
					found = h
					return true, nil
				}
				continue
			}
			if h.name == pieces[at] {
				if at++; at == len(pieces) {
					found = h
					return true, nil
				}
			}
		}
		return false, p.overFor(l, want, from)
	})
	if err != nil {
		return err
	}
	if !ok {
		return &unmet{want, p.instead(l, from, started)}
	}
	l.moment = found.start
	l.tones = ""
	if do.end {
		return p.toTheEnd(l, found, do)
	}
	return nil
}

// is reports whether a sound is the one that is meant.
func (s Sound) is(h *heard) bool {
	switch s.Kind {
	case SoundAny:
		return true
	case SoundText:
		return h.name == "speech "+strconv.Quote(s.Text)
	case SoundFile:
		return h.take != nil && sameSound(s.Name, h.name)
	}
	return false
}

// overFor fails when the call has ended.
func (p *play) overFor(l *line, want string, from time.Time) error {
	if over, cause := l.ended(); over {
		return &unmet{want, fmt.Sprintf("the call ended with %s; %s", cause, p.instead(l, from, time.Now()))}
	}
	return nil
}

// instead says what somebody heard after a moment.
func (p *play) instead(l *line, from, started time.Time) string {
	list := l.ear.after(from)
	p.told.mu.Lock()
	zero := p.told.zero
	p.told.mu.Unlock()
	if len(list) == 0 {
		if since := l.ear.silentSince(from); since.After(started) {
			return "nothing new was heard, but something sounded until " + stamp(since.Sub(zero))
		}
		return "only silence was heard"
	}
	var b strings.Builder
	b.WriteString("heard ")
	const most = 8
	if len(list) > most {
		fmt.Fprintf(&b, "%d sounds, at last ", len(list))
		list = list[len(list)-most:]
	}
	for i, h := range list {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s at %s", h.describe(), stamp(h.start.Sub(zero)))
	}
	return b.String()
}

// toTheEnd waits until a sound is over.
func (p *play) toTheEnd(l *line, found heard, do hears) error {
	var last heard
	ok, err := p.until(time.Hour, func() (bool, error) {
		for _, h := range l.ear.after(found.start.Add(-1)) {
			if h.take == found.take && h.start.Equal(found.start) {
				last = h
			}
		}
		return !last.end.IsZero(), nil
	})
	if err != nil {
		return err
	}
	if !ok || !last.complete {
		return &unmet{caller(l.name) + " hears " + do.sound.String() + " to the end", "it was cut off after " + span(last.end.Sub(last.start))}
	}
	return nil
}

func (p *play) hearSilence(l *line, do hears) error {
	from := time.Now()
	ok, err := p.until(do.within+do.long, func() (bool, error) {
		if time.Since(l.ear.silentSince(from)) >= do.long {
			return true, nil
		}
		if over, cause := l.ended(); over {
			return false, &unmet{"silence for " + span(do.long), "the call ended with " + cause.String()}
		}
		return false, nil
	})
	if err == nil && !ok {
		return &unmet{"silence for " + span(do.long) + ", beginning within " + span(do.within), p.instead(l, from.Add(-time.Second), from)}
	}
	return err
}

func (p *play) hearTone(l *line, do hears, want string) error {
	if do.long > 0 {
		want = fmt.Sprintf("%s hears %s for %s, within %s", caller(l.name), do.sound, span(do.long), span(do.within))
	}
	from, started := l.moment, time.Now()
	fresh := l.tones == do.sound.Name
	var start, end time.Time
	ok, err := p.until(do.within+do.long, func() (bool, error) {
		var ok bool
		if start, end, ok = l.ear.toneAfter(from, do.sound.Tones, do.long, fresh); ok {
			return true, nil
		}
		return false, p.overFor(l, want, from)
	})
	if err != nil {
		return err
	}
	if !ok || start.Sub(started) > do.within {
		return &unmet{want, p.instead(l, from, started)}
	}
	l.moment, l.tones = end, do.sound.Name
	return nil
}

// hearNot lets time pass and fails if a sound is heard meanwhile.
func (p *play) hearNot(l *line, do hearsNot) error {
	from := time.Now()
	_, err := p.until(do.long, func() (bool, error) {
		failed := func(at time.Time, what string) error {
			return &unmet{fmt.Sprintf("%s does not hear %s for %s", caller(l.name), do.sound, span(do.long)),
				"heard " + what + " after " + span(at.Sub(from))}
		}
		if do.sound.Kind == SoundTone {
			if at, _, ok := l.ear.toneAfter(from, do.sound.Tones, 0, false); ok {
				return false, failed(at, do.sound.String())
			}
			return false, nil
		}
		for _, h := range l.ear.after(from) {
			if do.sound.is(&h) {
				return false, failed(h.start, h.describe())
			}
		}
		if since := l.ear.silentSince(from); do.sound.Kind == SoundAny && since.After(from.Add(100*time.Millisecond)) {
			return false, failed(since, "something that sounded before")
		}
		return false, nil
	})
	return err
}
