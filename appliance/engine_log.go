package appliance

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/switchlet/switchlet/call"
)

// engineLog hands what the media engine has to say to the switch's log.
type engineLog struct {
	log   *call.Log
	attrs string
}

// Enabled implements slog.Handler.
func (e engineLog) Enabled(_ context.Context, l slog.Level) bool { return e.log.Enabled(levelFor(l)) }

func levelFor(l slog.Level) call.Level {
	switch {
	case l >= slog.LevelError:
		return call.LogErr
	case l >= slog.LevelWarn:
		return call.LogWarning
	case l >= slog.LevelInfo:
		return call.LogInfo
	}
	return call.LogDebug
}

// Handle implements slog.Handler.
func (e engineLog) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(r.Message)
	b.WriteString(e.attrs)
	r.Attrs(func(a slog.Attr) bool {
		fmt.Fprintf(&b, " %s=%v", a.Key, a.Value)
		return true
	})
	e.log.Printf(levelFor(r.Level), "%s", b.String())
	return nil
}

// WithAttrs implements slog.Handler.
func (e engineLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	for _, a := range attrs {
		e.attrs += fmt.Sprintf(" %s=%v", a.Key, a.Value)
	}
	return e
}

// WithGroup implements slog.Handler; groups are not shown.
func (e engineLog) WithGroup(string) slog.Handler { return e }
