package appliance

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"sort"
	"strings"
	"syscall"

	"github.com/switchlet/switchlet/appliance/cli"
	"github.com/switchlet/switchlet/call"
)

// command is one sub-command of the program.
type command struct {
	summary string
	run     func(ctx context.Context, e env, args []string) int
}

// env is what a sub-command may use of its surroundings.
type env struct {
	in       io.Reader
	out, err io.Writer
}

var subcommands = map[string]command{
	"run":     {"take calls (the default)", runCommand},
	"cli":     {"talk to a running switch; -x COMMAND runs one and exits", cliCommand},
	"check":   {"read a configuration and say what will not work", checkCommand},
	"init":    {"write the built-in configuration out, for editing", initCommand},
	"test":    {"play scenarios with scripts: calls without a phone, in no time", testCommand},
	"secret":  {"print the secrets that the first start made", secretCommand},
	"health":  {"ask a running switch how it is; exit status 0 is well", healthCommand},
	"version": {"print the version", versionCommand},
}

// Main runs the program and returns its exit status.
func Main(args []string, in io.Reader, out, errs io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	name := "run"
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		name, args = args[0], args[1:]
	}
	if name == "help" {
		usage(out)
		return 0
	}
	c, ok := subcommands[name]
	if !ok {
		fmt.Fprintf(errs, "switchlet: %q is no command\n\n", name)
		usage(errs)
		return 2
	}
	return c.run(ctx, env{in, out, errs}, args)
}

func usage(w io.Writer) {
	fmt.Fprintln(w, "usage: switchlet [COMMAND] [FLAGS]")
	names := make([]string, 0, len(subcommands))
	for n := range subcommands {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		fmt.Fprintf(w, "  %-8s %s\n", n, subcommands[n].summary)
	}
	fmt.Fprintln(w, "switchlet COMMAND -h lists the flags of a command")
}

// fail prints an error and returns the exit status for it.
func (e env) fail(err error) int {
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	fmt.Fprintf(e.err, "switchlet: %v\n", err)
	return 1
}

func runCommand(ctx context.Context, e env, args []string) int {
	o, err := parseOptions("run", args, e.err)
	if err != nil {
		return e.fail(err)
	}
	if attached(e.out) {
		o.Print = e.out
	}
	b, err := Open(ctx, o)
	if err != nil {
		return e.fail(err)
	}
	silence := b.console.attach(e.out, attached(e.out))
	if err := b.Start(ctx); err != nil {
		b.Stop()
		b.forgetSecrets()
		silence()
		return e.fail(err)
	}
	b.banner(e.out)
	debug.FreeOSMemory() // the start takes more than the switch needs, and Go would keep it
	hangups := make(chan os.Signal, 1)
	if !attached(e.out) { // at a terminal SIGHUP says that it was closed, which ends the program
		signal.Notify(hangups, syscall.SIGHUP)
		defer signal.Stop(hangups)
	}
	done := b.Done(ctx)
	for running := true; running; {
		select {
		case <-hangups:
			b.Hangup()
		case <-done:
			running = false
		}
	}
	err = b.Stop()
	silence()
	if err != nil {
		return e.fail(err)
	}
	return 0
}

// attached reports whether somebody reads w at a terminal.
func attached(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// cliCommand is the console. On the box itself it knows where that listens, and
// its password.
func cliCommand(ctx context.Context, e env, args []string) int {
	d := cli.Defaults{Box: consoleOf}
	var o Options
	if o.complete(nil, nil, nil) == nil {
		if b, err := consoleOf(o.Data); err == nil {
			d.Host, d.Port, d.Password = b.Host, b.Port, b.Password
		}
	}
	return d.Run(ctx, args, e.in, e.out, e.err)
}

// consoleOf finds the box that runs in a data directory.
func consoleOf(dir string) (cli.Box, error) {
	a, ok := data{dir}.runningAddresses()
	if !ok {
		return cli.Box{}, fmt.Errorf("no switch runs in %s", dir)
	}
	return cli.Box{Host: a.EventSocket, Port: a.Port, Password: a.Password}, nil
}

func versionCommand(_ context.Context, e env, _ []string) int {
	revision, changed := "unknown", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				revision = s.Value
			case s.Key == "vcs.modified" && s.Value == "true":
				changed = ", changed"
			}
		}
		if v := info.Main.Version; strings.HasPrefix(v, "v") {
			revision = v + ", " + revision
		}
	}
	fmt.Fprintf(e.out, "switchlet %s (%s%s)\n", call.Version, revision, changed)
	return 0
}
