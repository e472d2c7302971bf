//go:build !unix

package speech

import "os/exec"

// asGroup has a program ended; what it has started is on its own here.
func asGroup(*exec.Cmd) {}
