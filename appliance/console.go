package appliance

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/switchlet/switchlet/appliance/cli"
	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/expand"
	"github.com/switchlet/switchlet/conf"
)

// consoleQueue is how many lines may wait for the console; newer ones are lost.
const consoleQueue = 5000

// console shows the log where the program was started.
type console struct {
	log            *call.Log
	colour, withID atomic.Bool

	mu     sync.Mutex
	level  call.Level
	follow *call.LogFollower // while a writer is attached
}

// newConsole reads console.conf; a level other than "" wins over the one there.
func newConsole(log *call.Log, level string, settings conf.ParamList) *console {
	c := &console{log: log}
	var ok bool
	if c.level, ok = call.ParseLevel(level); !ok {
		if c.level, ok = call.ParseLevel(settings.Get("loglevel")); !ok {
			c.level = call.LogNotice
		}
	}
	c.withID.Store(settings.Bool("uuid", false))
	c.colour.Store(settings.Bool("colorize", true))
	return c
}

// attach writes the log to w until the returned function is called. Colours are for
// terminals.
func (c *console) attach(w io.Writer, terminal bool) (stop func()) {
	c.mu.Lock()
	f := c.log.Follow(c.level, consoleQueue)
	c.follow = f
	c.mu.Unlock()
	if !terminal {
		c.colour.Store(false)
	}
	var done sync.WaitGroup
	done.Go(func() {
		for line := range f.Lines() {
			io.WriteString(w, c.text(line))
		}
	})
	return func() {
		f.Close()
		done.Wait()
	}
}

func (c *console) text(line *call.LogLine) string {
	uuid := ""
	if c.withID.Load() {
		uuid = line.UUID
	}
	return cli.Line(int(line.Level), uuid, line.String(), c.colour.Load())
}

// setLevel changes what is shown.
func (c *console) setLevel(level call.Level) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.level = level
	if c.follow != nil {
		c.follow.SetLevel(level)
	}
}

func (c *console) shown() call.Level {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.level
}

const consoleUsage = "USAGE:\n" +
	"--------------------------------------------------------------------------------\n" +
	"console help\n" +
	"console loglevel [[0-7] | <loglevel_string>]\n" +
	"console uuid [on|off|toggle]\n" +
	"console colorize [on|off|toggle]\n" +
	"--------------------------------------------------------------------------------\n"

// command is the API command "console" (spec/api-commands.md §2).
func (c *console) command() call.Command {
	return call.Command{Name: "console", Syntax: "loglevel [level]|colorize [on|toggle|off]|uuid [on|toggle|off]", Description: "Console", Module: "mod_console",
		Run: func(_ context.Context, _ *call.Switch, in *call.Invocation) error {
			f := append(expand.SplitSeparate(in.Args, ' ', 3), "", "")
			switch strings.ToLower(f[0]) {
			case "loglevel":
				level := c.shown()
				if f[1] != "" {
					var ok bool
					if level, ok = call.ParseLevel(f[1]); !ok {
						fmt.Fprintf(in.Out, "-ERR Invalid console loglevel (%s)!\n\n", f[1])
						return nil
					}
					c.setLevel(level)
				}
				fmt.Fprintf(in.Out, "+OK console log level set to %s\n", level)
			case "colorize":
				fmt.Fprintf(in.Out, "+OK console color %s\n", toggled(&c.colour, f[1]))
			case "uuid":
				fmt.Fprintf(in.Out, "+OK console uuid %s\n", toggled(&c.withID, f[1]))
			default:
				in.Out.WriteString(consoleUsage)
			}
			return nil
		}}
}

// toggled changes b as word says and tells how it is then.
func toggled(b *atomic.Bool, word string) string {
	switch {
	case strings.EqualFold(word, "toggle"):
		b.Store(!b.Load())
	case word != "":
		b.Store(call.True(word))
	}
	if b.Load() {
		return "enabled"
	}
	return "disabled"
}
