package apps

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
)

// files are the applications that touch the machine's disk or shell.
func files(d Deps) []call.Application {
	return []call.Application{
		{Name: "mkdir", Syntax: "<path>", Description: "Create a directory", Flags: n, Run: makeDir},
		{Name: "rename", Syntax: "<from_path> <to_path>", Description: "Rename file", Flags: nz, Run: rename},
		{Name: "system", Syntax: "<command>", Description: "Execute a system command", Flags: nr, Run: system(d, true)},
		{Name: "bgsystem", Syntax: "<command>", Description: "Execute a system command in the background", Flags: nr, Run: system(d, false)},
	}
}

func makeDir(_ context.Context, ch *call.Channel, args string) error {
	if args == "" {
		return usage("mkdir <path>")
	}
	err := os.MkdirAll(args, 0o750)
	ch.Log(call.LogDebug, "MKDIR: %s", args)
	return err
}

func rename(_ context.Context, ch *call.Channel, args string) error {
	f := strings.Fields(args)
	if len(f) != 2 {
		return usage("rename <from_path> <to_path>")
	}
	return os.Rename(f[0], f[1])
}

// shellLimit bounds a command that a call waits for.
const shellLimit = 60 * time.Second

var errNoShell = errors.New("system commands are switched off: set allow_shell=true in switch.conf.xml")

// system runs a shell command where allow_shell permits it; wait says whether the
// call goes on only afterwards.
func system(d Deps, wait bool) run {
	return func(ctx context.Context, ch *call.Channel, args string) error {
		switch {
		case args == "":
			return usage("system <command>")
		case !d.AllowShell:
			return errNoShell
		}
		ch.Log(call.LogNotice, "Executing command: %s", args)
		if wait {
			ctx, cancel := context.WithTimeout(ctx, shellLimit)
			defer cancel()
			return exec.CommandContext(ctx, "/bin/sh", "-c", args).Run()
		}
		sw := ch.Switch()
		sw.Go(func() {
			ctx, cancel := context.WithTimeout(sw.Context(), shellLimit)
			defer cancel()
			if err := exec.CommandContext(ctx, "/bin/sh", "-c", args).Run(); err != nil {
				sw.Log.Printf(call.LogErr, "bgsystem %s: %v", args, err)
			}
		})
		return nil
	}
}
