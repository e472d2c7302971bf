package server

import (
	"fmt"
	"sync"
	"time"

	"github.com/switchlet/switchlet/call"
)

// complaints logs what strangers do wrong, a line a second at most, so that they
// cannot fill the log.
type complaints struct {
	mu     sync.Mutex
	last   time.Time
	silent int // lines left out since the last one
}

// complaintPause is the time between two lines.
const complaintPause = time.Second

func (c *complaints) logf(log *call.Log, format string, args ...any) {
	c.mu.Lock()
	now := time.Now()
	if now.Sub(c.last) < complaintPause {
		c.silent++
		c.mu.Unlock()
		return
	}
	left := c.silent
	c.last, c.silent = now, 0
	c.mu.Unlock()
	text := fmt.Sprintf(format, args...)
	if left > 0 {
		text += fmt.Sprintf(" (%d more such lines left out)", left)
	}
	log.Printf(call.LogWarning, "%s", text)
}
