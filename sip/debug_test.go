package sip

import (
	"fmt"
	"os"
	"testing"

	"github.com/switchlet/switchlet/call"
)

// debug prints the log, and with SIPDEBUG=2 the messages, of a test that is being
// looked into.
func (h *house) debug(t testing.TB) {
	if os.Getenv("SIPDEBUG") == "" {
		return
	}
	f := h.sw.Log.Follow(call.LogDebug, 10000)
	h.stack.trace.Store(os.Getenv("SIPDEBUG") == "2")
	go func() {
		for l := range f.Lines() {
			fmt.Print(l.String())
		}
	}()
	t.Cleanup(f.Close)
}
