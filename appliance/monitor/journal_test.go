package monitor

import (
	"fmt"
	"strings"
	"testing"

	"github.com/switchlet/switchlet/call"
)

func TestJournal_KeepsOnlyTheLastAndCutsLongLines(t *testing.T) {
	j := newJournal(call.NewLog())
	for n := range 2 * keptLines {
		j.keep(&call.LogLine{Level: call.LogErr, Text: fmt.Sprintf("%d %s", n, strings.Repeat("x", 2*lineLimit))})
	}
	j.keep(&call.LogLine{Level: call.LogNotice, Text: "last\n"})
	lines := j.tail(call.LogNotice)
	if len(lines) != keptLines || lines[keptLines-1].line.Text != "last" || len(lines[0].line.Text) > lineLimit+len("…") {
		t.Errorf("%d lines, the last %+v", len(lines), lines[len(lines)-1])
	}
	if n := len(j.tail(call.LogErr)); n != keptLines-1 {
		t.Errorf("%d errors, want %d", n, keptLines-1)
	}
}
