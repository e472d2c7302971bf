//go:build !unix

package commands

import "time"

// cpuTime is not known on this system.
func cpuTime() (user, kernel time.Duration) { return 0, 0 }
