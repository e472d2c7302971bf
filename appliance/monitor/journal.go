package monitor

import (
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/switchlet/switchlet/call"
)

// What is kept of the log for those who come later.
const (
	keptLines    = 300
	keptFailures = 50
	lineLimit    = 2 << 10 // bytes of a kept line
	failureLimit = 8 << 10 // bytes of a kept traceback
	journalQueue = 1024    // lines on their way into the journal; newer ones are lost
)

// traceback is what every error of a script has in the log.
const traceback = "stack traceback:"

// Line is a line of the log. Time is milliseconds since 1970.
type Line struct {
	Time  int64  `json:"time"`
	Level string `json:"level"`
	File  string `json:"file,omitempty"` // with the number of the line
	UUID  string `json:"uuid,omitempty"`
	Text  string `json:"text"`
}

// journal keeps the last lines of the log from notices up, and the last failures
// of scripts.
type journal struct {
	log      *call.Log
	follower *call.LogFollower
	done     sync.WaitGroup

	mu       sync.Mutex
	lines    []kept
	failures []Line
}

// kept is a line, and what tells it from others, so that nobody gets it twice.
type kept struct {
	line  Line
	level call.Level
	mark  mark
}

type mark struct {
	at         int64 // ns since 1970
	file       string
	line, size int
}

func markOf(l *call.LogLine) mark { return mark{l.Time.UnixNano(), l.File, l.Line, len(l.Text)} }

func newJournal(log *call.Log) *journal { return &journal{log: log} }

func (j *journal) start() {
	j.follower = j.log.Follow(call.LogNotice, journalQueue)
	j.done.Add(1)
	go func() {
		defer j.done.Done()
		for line := range j.follower.Lines() {
			j.keep(line)
		}
	}()
}

func (j *journal) close() {
	if j.follower != nil {
		j.follower.Close()
		j.done.Wait()
	}
}

func (j *journal) keep(line *call.LogLine) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = push(j.lines, keptLines, kept{lineOf(line, lineLimit), line.Level, markOf(line)})
	if strings.Contains(line.Text, traceback) {
		j.failures = push(j.failures, keptFailures, lineOf(line, failureLimit))
	}
}

// push appends, and lets the oldest go when there are limit already.
func push[T any](list []T, limit int, line T) []T {
	if len(list) >= limit {
		list = append(list[:0], list[len(list)-limit+1:]...)
	}
	return append(list, line)
}

func (j *journal) tail(level call.Level) []kept {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []kept
	for _, l := range j.lines {
		if l.level <= level {
			out = append(out, l)
		}
	}
	return out
}

func lineOf(l *call.LogLine, limit int) Line {
	text := strings.TrimRight(strings.ToValidUTF8(l.Text, "\uFFFD"), "\n")
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") + "…"
	}
	out := Line{Time: l.Time.UnixMilli(), Level: l.Level.String(), UUID: l.UUID, Text: text}
	if l.File != "" {
		out.File = place(l.File, l.Line)
	}
	return out
}

// scripts answers with the calls that run a script now, and the last failures,
// newest first.
func (m *Monitor) scripts(w http.ResponseWriter, _ *http.Request) {
	running := []Leg{}
	for _, c := range m.o.Switch.Channels() {
		if app, _ := c.LastApplication(); app == "lua" && c.Up() && len(running) < maxCalls {
			running = append(running, leg(c))
		}
	}
	m.journal.mu.Lock()
	failures := append([]Line{}, m.journal.failures...)
	m.journal.mu.Unlock()
	slices.Reverse(failures)
	answer(w, map[string]any{"running": running, "failures": failures})
}
