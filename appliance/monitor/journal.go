package monitor

import (
	"net/http"
	"strings"
	"sync"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/lua"
)

// What is kept of the log for those who come later.
const (
	keptLines    = 300
	lineLimit    = 2 << 10 // bytes of a kept line
	shownLimit   = 8 << 10 // bytes of a line that is shown as it comes
	journalQueue = 1024    // lines on their way into the journal; newer ones are lost
)

// Line is a line of the log. Time is milliseconds since 1970.
type Line struct {
	Time  int64  `json:"time"`
	Level string `json:"level"`
	File  string `json:"file,omitempty"` // with the number of the line
	UUID  string `json:"uuid,omitempty"`
	Text  string `json:"text"`
}

// journal keeps the last lines of the log from notices up.
type journal struct {
	log      *call.Log
	follower *call.LogFollower
	done     sync.WaitGroup

	mu    sync.Mutex
	lines []kept
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
	if len(j.lines) >= keptLines {
		j.lines = append(j.lines[:0], j.lines[len(j.lines)-keptLines+1:]...)
	}
	j.lines = append(j.lines, kept{lineOf(line, lineLimit), line.Level, markOf(line)})
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

// maxScripts bounds the running scripts of one answer.
const maxScripts = 200

// scripts answers with the scripts that run and the last failures.
func (m *Monitor) scripts(w http.ResponseWriter, _ *http.Request) {
	running, failures := []lua.Running{}, []lua.Failure{}
	if m.o.Scripts != nil {
		running = append(running, m.o.Scripts.Running()...)
		failures = append(failures, m.o.Scripts.Failures()...)
	}
	answer(w, map[string]any{"total": len(running), "running": running[:min(len(running), maxScripts)], "failures": failures})
}
