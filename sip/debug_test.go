package sip

import (
	"fmt"
	"os"
	"testing"

	"github.com/switchlet/switchlet/call"
)

func (h *house) debug(t *testing.T) {
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
