package scenario

import (
	"fmt"
	"sort"
	"strings"
	"sync"
	"time"
)

// maxTold bounds a transcript.
const maxTold = 20000

// transcript is what happened, with the call's time. It may be read from outside
// of the bubble.
type transcript struct {
	mu    sync.Mutex
	zero  time.Time // of the first call; before it, when the scenario began
	lines []told
	ended bool
}

type told struct {
	at        time.Time
	order     int
	who, text string
}

// add notes what happened to somebody; who is empty for the caller.
func (t *transcript) add(at time.Time, who, text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.lines) < maxTold && !t.ended {
		t.lines = append(t.lines, told{at, len(t.lines), who, text})
	}
}

// end closes the transcript.
func (t *transcript) end() {
	t.mu.Lock()
	t.ended = true
	t.mu.Unlock()
}

// begin sets zero, once.
func (t *transcript) begin(at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.zero.IsZero() {
		t.zero = at
	}
}

// text is the transcript, each line behind indent.
func (t *transcript) text(indent string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := append([]told(nil), t.lines...)
	sort.SliceStable(lines, func(i, j int) bool {
		if lines[i].at.Equal(lines[j].at) {
			return lines[i].order < lines[j].order
		}
		return lines[i].at.Before(lines[j].at)
	})
	zero := t.zero
	if zero.IsZero() && len(lines) > 0 {
		zero = lines[0].at
	}
	var b strings.Builder
	for _, l := range lines {
		who := l.who
		if who != "" {
			who += " "
		}
		fmt.Fprintf(&b, "%s%s  %s%s\n", indent, stamp(l.at.Sub(zero)), who, strings.TrimRight(strings.ReplaceAll(l.text, "\n", " "), " "))
	}
	return b.String()
}

// stamp is a time of the call: 00:03.240.
func stamp(d time.Duration) string {
	sign := ""
	if d < 0 {
		sign, d = "-", -d
	}
	d = d.Truncate(time.Millisecond)
	if d >= time.Hour {
		return fmt.Sprintf("%s%d:%02d:%02d.%03d", sign, d/time.Hour, d/time.Minute%60, d/time.Second%60, d/time.Millisecond%1000)
	}
	return fmt.Sprintf("%s%02d:%02d.%03d", sign, d/time.Minute, d/time.Second%60, d/time.Millisecond%1000)
}

// span is how long something lasted, for people.
func span(d time.Duration) string {
	switch {
	case d >= time.Minute:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	}
	return d.Round(time.Millisecond).String()
}
