package esl

import (
	"context"
	"strconv"
	"strings"
)

// LogLine is one line of the switch's log.
type LogLine struct {
	Level   int    // 0 console, 1 alert, 2 crit, 3 err, 4 warning, 5 notice, 6 info, 7 debug
	Channel int    // 0 log, 1 clean, 2 event, 3 session
	File    string // where it was written
	Func    string
	Line    int
	UUID    string // the call's, or ""
	Text    string // the whole line with its newline
}

// Log asks for log lines of a level and below ("debug", "4"); "" is the
// switch's default. They come through Logs.
func (c *Conn) Log(ctx context.Context, level string) error {
	_, err := c.Do(ctx, strings.TrimSpace("log "+level))
	return err
}

// NoLog ends what Log asked for.
func (c *Conn) NoLog(ctx context.Context) error {
	_, err := c.Do(ctx, "nolog")
	return err
}

func (c *Conn) offerLog(m *Message) {
	number := func(name string) int {
		n, _ := strconv.Atoi(m.Get(name))
		return n
	}
	line := &LogLine{
		Level: number("Log-Level"), Channel: number("Text-Channel"), File: m.Get("Log-File"),
		Func: m.Get("Log-Func"), Line: number("Log-Line"), UUID: m.Get("User-Data"), Text: string(m.Body),
	}
	select {
	case c.logs <- line:
	default:
		c.lost.Add(1)
	}
}
