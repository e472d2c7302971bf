package call

import (
	"context"
	"errors"
	"strings"
)

// AppFlags tell where an Application may run (spec/api-commands.md §5).
type AppFlags int

const (
	NoMedia AppFlags = 1 << iota // works without media (N)
	Routing                      // may be inline in a dialplan (R)
	Zombie                       // runs on a hung-up channel too (Z)
)

// Application is one row of the table of dialplan applications.
type Application struct {
	Name, Syntax, Description string
	Flags                     AppFlags
	// Run executes the application on ch, in ch's goroutine. args is already
	// expanded. It returns as soon as ctx ends. An error is logged; it does not
	// end the call.
	Run func(ctx context.Context, ch *Channel, args string) error
}

// Invocation is one run of a Command.
type Invocation struct {
	Args    string
	Channel *Channel          // the calling channel, nil from outside a call
	Params  map[string]string // what the caller hands on (ESL: listener facts; HTTP: request)
	Out     *strings.Builder  // the reply
}

// Command is one row of the table of API commands.
type Command struct {
	Name, Syntax, Description, Module string
	// Run executes the command and writes its reply to in.Out. ErrCommand means
	// that the handler failed: ESL then answers as for an unknown command.
	Run func(ctx context.Context, sw *Switch, in *Invocation) error
}

// ErrCommand is returned by a Command whose handler failed internally.
var ErrCommand = errors.New("command failed")

// ErrNoCommand is returned by Switch.Command for a name that is not in the table.
var ErrNoCommand = errors.New("no such command")

// DialRequest is what an Endpoint gets to make an outbound leg.
type DialRequest struct {
	Data       string   // the dial string behind "endpoint/"
	Vars       *Vars    // variables for the leg: {} and [] merged; origination_* among them
	Originator *Channel // the A leg, or nil
	Caller     Profile  // caller id, callee id, ani …; Destination is the endpoint's to set
	UUID       string   // wanted identity, "" for a new one
	Timeout    int      // seconds that the originate will wait
}

// Endpoint makes outbound channels.
type Endpoint interface {
	// Dial makes the outbound channel, which has not started: originate calls
	// Channel.Start, whereupon Leg.Init sends the call out. A failure is a Cause.
	Dial(ctx context.Context, sw *Switch, r *DialRequest) (*Channel, error)
}

// Expander is an Endpoint that stands for another dial string, such as user/
// and group/: originate replaces the leg by what Expand returns.
type Expander interface {
	// Expand returns the dial string and the variables to be set on its legs.
	Expand(ctx context.Context, sw *Switch, r *DialRequest) (dialString string, vars []Var, err error)
}

// Dialplan turns a destination into actions.
type Dialplan interface {
	// Hunt looks up the channel's profile. No extension: ok is false.
	Hunt(ctx context.Context, ch *Channel, p *Profile, arg string) (ext *Extension, ok bool, err error)
}

// Extension is what a dialplan found: actions that run one after the other.
type Extension struct {
	Name    string
	Actions []Action
}

// Action is one application with its unexpanded argument.
type Action struct{ App, Data string }
