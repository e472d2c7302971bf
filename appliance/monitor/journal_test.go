package monitor

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

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

func TestGuard_ForgetsAfterAWhile(t *testing.T) {
	var g guard
	start := time.Unix(1e9, 0)
	a, same := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
	for range maxFailures {
		g.failed(a, start)
	}
	if !g.locked(same, start) || g.locked(netip.MustParseAddr("2001:db8:1::1"), start) {
		t.Error("a network of IPv6 counts as one source")
	}
	if g.locked(a, start.Add(failureWindow+1)) {
		t.Error("still locked out after the window")
	}
	for n := range 2 * maxRemembered {
		g.failed(netip.MustParseAddr(fmt.Sprintf("10.0.%d.%d", n/256, n%256)), start)
	}
	if len(g.failures) > maxRemembered {
		t.Errorf("%d addresses are remembered", len(g.failures))
	}
}
