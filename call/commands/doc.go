// Package commands has the API commands, a file a family. Table returns them as
// rows. A command writes its reply, to the letter of spec/api-commands.md §2, to
// Invocation.Out; it never blocks the switch.
package commands

import (
	"context"
	"fmt"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/directory"
	"github.com/switchlet/switchlet/call/kv"
	"github.com/switchlet/switchlet/call/regex"
	"github.com/switchlet/switchlet/conf"
	"github.com/switchlet/switchlet/media/stream"
)

// Deps are what commands need beside the Switch.
type Deps struct {
	Store     *conf.Store
	Directory *directory.Directory
	ACL       *directory.AccessLists
	Regex     *regex.Cache
	Hash      *kv.Hash
	Limits    *kv.Limits
	DB        *kv.DB // nil: db and group answer errors
	// AllowShell lets system, bg_system, spawn and their kin run.
	AllowShell bool
	// Shutdown ends the program; restart is asked for by "fsctl shutdown restart".
	Shutdown func(restart bool)
	// Hangup makes log files begin anew, as the signal of that name does.
	Hangup func()
	// Registrations are the rows of "show registrations".
	Registrations func() [][]string
	// LostEvents is how many events slow clients of the event socket have lost; nil:
	// there is no event socket.
	LostEvents func() uint64
	// Modules are the names that module_exists knows.
	Modules []string
	// Broadcast sends a JSON message to the listeners of an event channel; nil: there
	// are none.
	Broadcast func(channel string, message []byte)
	// Streams is whose hold music local_stream steers; nil: there is no such command.
	// LocalStream is what local_stream.conf says now of a stream.
	Streams     *stream.Opener
	LocalStream func(name string) (stream.LocalStream, bool)
	// Codecs, Files and Says are the rows of the "show" reports of those names.
	Codecs, Files, Says []string
}

type run = func(ctx context.Context, sw *call.Switch, in *call.Invocation) error

const (
	success     = "+OK Success\n"
	failed      = "-ERR Operation failed\n"
	failedUpper = "-ERR Operation Failed\n"
	noChannel   = "-ERR No such channel!\n"
)

// usage writes the reply to wrong arguments.
func usage(in *call.Invocation, syntax string) error {
	fmt.Fprintf(in.Out, "-USAGE: %s\n", syntax)
	return nil
}

// Not inlined: it is used at so many places that its copies would be large.
//
//go:noinline
func reply(in *call.Invocation, text string) error {
	in.Out.WriteString(text)
	return nil
}

// Table returns the commands of this package.
func Table(d Deps) []call.Command {
	var rows []call.Command
	words := &consoleWords{}
	for _, family := range [][]call.Command{
		system(d), control(d), reports(d, words), texts(d), directories(d), channels(d), sound(d), localStreams(d), schedule(d), stores(d),
		diagnostics(d), console(words), chats(d), legs(), traces(d),
	} {
		rows = append(rows, family...)
	}
	return rows
}
