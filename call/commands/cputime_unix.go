//go:build unix

package commands

import (
	"syscall"
	"time"
)

// cpuTime is the processor time that the program has used.
func cpuTime() (user, kernel time.Duration) {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0, 0
	}
	return time.Duration(r.Utime.Nano()), time.Duration(r.Stime.Nano())
}
