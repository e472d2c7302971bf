package call

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Level is a log level, FreeSWITCH's numbers: 0 console … 7 debug.
type Level int

const (
	LogDisabled Level = iota - 1
	LogConsole
	LogAlert
	LogCrit
	LogErr
	LogWarning
	LogNotice
	LogInfo
	LogDebug
)

var levelNames = []string{"CONSOLE", "ALERT", "CRIT", "ERR", "WARNING", "NOTICE", "INFO", "DEBUG"}

func (l Level) String() string {
	if l >= 0 && int(l) < len(levelNames) {
		return levelNames[l]
	}
	if l < 0 {
		return "DISABLE"
	}
	return "DEBUG"
}

// ParseLevel reads a level's name in any case ("error" and "warn" too) or its
// number; numbers above 64 are 63.
func ParseLevel(s string) (Level, bool) {
	for i, n := range levelNames {
		if strings.EqualFold(n, s) {
			return Level(i), true
		}
	}
	if strings.EqualFold(s, "disable") {
		return LogDisabled, true
	}
	n := 0
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		if n = n*10 + int(s[i]-'0'); n > 64 {
			n = 63
		}
	}
	return Level(n), s != ""
}

// LogChannel is the kind of a log line as ESL's header Text-Channel shows it.
type LogChannel int

const (
	LogPlain   LogChannel = 0
	LogClean   LogChannel = 1 // no prefix
	LogSession LogChannel = 3
)

// LogLine is one entry of the log. Text ends with a newline unless its author
// left it out.
type LogLine struct {
	Time    time.Time
	Level   Level
	Channel LogChannel
	File    string
	Func    string
	Line    int
	UUID    string // the call's, or ""
	Text    string
}

// String is the line as consoles and files show it.
func (l *LogLine) String() string {
	if l.Channel == LogClean {
		return l.Text
	}
	return fmt.Sprintf("%s 100.00%% [%s] %s:%d %s", l.Time.Format("2006-01-02 15:04:05.000000"), l.Level, l.File, l.Line, l.Text)
}

// Log distributes lines to its followers. A line that nobody follows costs one
// atomic read.
type Log struct {
	now   func() time.Time
	limit atomic.Int32 // fsctl loglevel: lines above it go nowhere
	top   atomic.Int32 // the highest level that anybody follows

	mu        sync.Mutex
	followers []*LogFollower
}

// LogFollower receives the lines of its level and below.
type LogFollower struct {
	log   *Log
	level atomic.Int32
	lines chan *LogLine
	each  func(*LogLine) // instead of lines
	lost  atomic.Uint64
	once  sync.Once
}

// NewLog returns a log without followers that lets every level pass.
func NewLog() *Log {
	l := &Log{now: time.Now}
	l.limit.Store(int32(LogDebug))
	l.top.Store(int32(LogDisabled))
	return l
}

// SetLevel bounds the levels that are distributed at all.
func (l *Log) SetLevel(level Level) { l.limit.Store(int32(level)) }

// Level is the bound of SetLevel.
func (l *Log) Level() Level { return Level(l.limit.Load()) }

// Enabled reports whether anybody would see a line of level.
func (l *Log) Enabled(level Level) bool {
	return int32(level) <= l.limit.Load() && int32(level) <= l.top.Load()
}

// Follow subscribes to lines of level and below. When queue lines wait, newer
// ones are dropped and counted.
func (l *Log) Follow(level Level, queue int) *LogFollower {
	f := &LogFollower{log: l, lines: make(chan *LogLine, queue)}
	f.level.Store(int32(level))
	l.mu.Lock()
	l.followers = append(l.followers, f)
	l.mu.Unlock()
	l.retop()
	return f
}

// Watch has fn called for each line of level and below, in the goroutine of
// whoever writes it: fn must be quick, and must not log. Close ends it.
func (l *Log) Watch(level Level, fn func(*LogLine)) *LogFollower {
	f := l.Follow(LogDisabled, 0)
	l.mu.Lock()
	f.each = fn
	l.mu.Unlock()
	f.SetLevel(level)
	return f
}

func (l *Log) retop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	top := int32(LogDisabled)
	for _, f := range l.followers {
		top = max(top, f.level.Load())
	}
	l.top.Store(top)
}

// Lines delivers the followed lines; it is closed by Close.
func (f *LogFollower) Lines() <-chan *LogLine { return f.lines }

// Lost is how many lines were dropped because the queue was full.
func (f *LogFollower) Lost() uint64 { return f.lost.Load() }

// SetLevel changes the level.
func (f *LogFollower) SetLevel(level Level) {
	f.level.Store(int32(level))
	f.log.retop()
}

// Close ends the subscription.
func (f *LogFollower) Close() {
	f.once.Do(func() {
		l := f.log
		l.mu.Lock()
		for i, g := range l.followers {
			if g == f {
				l.followers = append(l.followers[:i], l.followers[i+1:]...)
				break
			}
		}
		close(f.lines)
		l.mu.Unlock()
		l.retop()
	})
}

// Write distributes a line as it is.
func (l *Log) Write(line *LogLine) {
	if !l.Enabled(line.Level) {
		return
	}
	if line.Time.IsZero() {
		line.Time = l.now()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.followers {
		if int32(line.Level) <= f.level.Load() {
			if f.each != nil {
				f.each(line)
				continue
			}
			select {
			case f.lines <- line:
			default:
				f.lost.Add(1)
			}
		}
	}
}

// Printf writes a line for the place it is called from.
// Not inlined: it is used at so many places that its copies would be large.
//
//go:noinline
func (l *Log) Printf(level Level, format string, args ...any) {
	l.printf(level, LogPlain, "", format, args...)
}

// Session writes a line that belongs to a call.
func (l *Log) Session(level Level, uuid, format string, args ...any) {
	l.printf(level, LogSession, uuid, format, args...)
}

func (l *Log) printf(level Level, ch LogChannel, uuid, format string, args ...any) {
	if !l.Enabled(level) {
		return
	}
	line := &LogLine{Level: level, Channel: ch, UUID: uuid, Text: fmt.Sprintf(format, args...)}
	if !strings.HasSuffix(line.Text, "\n") {
		line.Text += "\n"
	}
	if pc, file, n, ok := runtime.Caller(2); ok {
		line.File, line.Line = filepath.Base(file), n
		if f := runtime.FuncForPC(pc); f != nil {
			line.Func = f.Name()[strings.LastIndexByte(f.Name(), '.')+1:]
		}
	}
	l.Write(line)
}
