package main

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// Bounds of what a failed case shows of the switch's log: how much of its end is
// read, how many lines are shown, and how much of each.
const (
	logBytes = 256 << 10
	logLines = 60
	logWidth = 240
)

// logSize is how long the switch's log is now, 0 without one.
func (sw *Switch) logSize() int64 {
	if sw.log == "" {
		return 0
	}
	info, err := os.Stat(sw.log)
	if err != nil {
		return 0
	}
	return info.Size()
}

// logSince returns the last lines that the switch has logged since its log was
// that long, indented; "" without a log.
func (sw *Switch) logSince(begin int64) string {
	if sw.log == "" {
		return ""
	}
	f, err := os.Open(sw.log)
	if err != nil {
		return indent(err.Error(), "  ")
	}
	defer f.Close()
	skipped := false
	if size := sw.logSize(); size-begin > logBytes {
		begin, skipped = size-logBytes, true
	}
	b, err := io.ReadAll(io.NewSectionReader(f, begin, logBytes))
	if err != nil {
		return indent(err.Error(), "  ")
	}
	text := strings.TrimRight(string(b), "\n")
	if text == "" {
		return indent("(nothing)", "  ")
	}
	lines := strings.Split(text, "\n")
	if more := len(lines) - logLines; more > 0 || skipped {
		lines = append([]string{fmt.Sprintf("(%d lines and more before these)", max(more, 0))}, lines[max(more, 0):]...)
	}
	for i, l := range lines {
		if len(l) > logWidth {
			lines[i] = strings.ToValidUTF8(l[:logWidth], "") + "…"
		}
	}
	return indent(strings.Join(lines, "\n"), "  ")
}
