// Package apps has the dialplan applications, a file a family. Table returns
// them as rows; nothing registers itself. An application is a blocking function
// that returns as soon as its context ends (spec/api-commands.md §5).
package apps

import (
	"context"
	"errors"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/directory"
	"github.com/switchlet/switchlet/call/kv"
	"github.com/switchlet/switchlet/call/regex"
)

// Deps are what applications need beside the channel. All are required but DB,
// without which db and group answer errors.
type Deps struct {
	Directory *directory.Directory
	ACL       *directory.AccessLists
	Regex     *regex.Cache
	Hash      *kv.Hash
	Limits    *kv.Limits
	DB        *kv.DB
	// AllowShell lets system and bgsystem run.
	AllowShell bool
}

// usage is what an application returns for arguments that it cannot read; the
// text is its syntax.
func usage(syntax string) error { return errors.New("usage: " + syntax) }

type run = func(ctx context.Context, ch *call.Channel, args string) error

const (
	n   = call.NoMedia
	nr  = call.NoMedia | call.Routing
	nz  = call.NoMedia | call.Zombie
	nrz = call.NoMedia | call.Routing | call.Zombie
)

// Table returns the applications of this package.
func Table(d Deps) []call.Application {
	var rows []call.Application
	for _, family := range []func(Deps) []call.Application{
		variables, control, bridging, sounds, digits, recordings, scheduling, stores, displacing, detection, valet,
		metaKeys, digitActions, listening, holding, mutexApps, behaviour, files, parties,
	} {
		rows = append(rows, family(d)...)
	}
	return rows
}
