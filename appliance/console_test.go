package appliance

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/switchlet/switchlet/call"
)

func TestConsole_ShowsWhatItIsTold(t *testing.T) {
	log := call.NewLog()
	c := newConsole(log, "", nil)
	run := func(args string) string {
		var out strings.Builder
		if err := c.command().Run(context.Background(), nil, &call.Invocation{Args: args, Out: &out}); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	var shown bytes.Buffer
	stop := c.attach(&shown, true)
	log.Printf(call.LogInfo, "not yet\n")
	for _, tt := range []struct{ args, want string }{
		{"loglevel", "+OK console log level set to NOTICE\n"},
		{"loglevel nosuch", "-ERR Invalid console loglevel (nosuch)!\n\n"},
		{"loglevel 6", "+OK console log level set to INFO\n"},
		{"uuid on", "+OK console uuid enabled\n"},
		{"uuid toggle", "+OK console uuid disabled\n"},
		{"uuid toggle", "+OK console uuid enabled\n"},
		{"colorize", "+OK console color enabled\n"},
		{"", consoleUsage}, {"help", consoleUsage},
	} {
		if got := run(tt.args); got != tt.want {
			t.Errorf("console %s: %q, want %q", tt.args, got, tt.want)
		}
	}
	log.Session(call.LogInfo, "u-1", "a caller named \x1b]0;evil\a\n")
	log.Session(call.LogDebug, "u-1", "too much\n")
	stop()
	lines := strings.Split(strings.TrimSuffix(shown.String(), "\n"), "\n")
	if len(lines) != 1 || !strings.HasPrefix(lines[0], "\x1b[32mu-1 ") || !strings.HasSuffix(lines[0], " a caller named ]0;evil\x1b[0m") {
		t.Errorf("shown: %q", lines)
	}
}
