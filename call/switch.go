package call

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/call/expand"
	"github.com/switchlet/switchlet/media"
)

// Globals are the global variables of a running switch (conf.Globals). Names are
// the same in any case.
type Globals interface {
	Get(name string) string
	Set(name, value string)
	Delete(name string)
}

// Sounds opens what is played and creates what is recorded (media/stream).
type Sounds interface {
	// Open returns a Source for a path or URI ("tone_stream://…") at rate Hz.
	Open(ctx context.Context, uri string, rate int) (media.Source, error)
	// Create returns a Sink for a path, at rate Hz.
	Create(path string, rate, channels int, extend bool) (media.Sink, error)
}

// Messages is the way of text messages. A message is an event of type MESSAGE with
// the headers from, to, proto (of the sender), dest_proto and type, and a body.
type Messages interface {
	// Send queues a message, which is then the router's own: it passes the chatplan
	// and is delivered. An error says that it cannot be queued.
	Send(e *event.Event) error
	// Deliver is Send that waits for the result.
	Deliver(ctx context.Context, e *event.Event) error
	// Execute runs an application of the chatplan on a message.
	Execute(ctx context.Context, e *event.Event, app, args string) error
}

// Options are what a Switch is made with. Bus, Log, Globals and Media are
// required.
type Options struct {
	Bus     *event.Bus
	Log     *Log
	Globals Globals
	Media   *media.Engine
	Sounds  Sounds
	// Phrases plays names that stand for speech; nil: there are none. It may be set
	// until Start.
	Phrases Phrases
	// Messages routes text messages (call/chat); nil: there are none. It may be set
	// until Start.
	Messages Messages
	// UUID is the identity of this run (Core-UUID).
	UUID string
	// Hostname and Switchname are shown by status commands and in "show".
	Hostname, Switchname string
	MaxSessions          int // 0: 1000
	SessionsPerSecond    int // 0: 30
	// HeartbeatInterval is the time between HEARTBEAT events; 0: 20 s.
	HeartbeatInterval time.Duration
}

// Switch is one running appliance. Everything hangs from it: there is no state
// in package variables, so that many can run side by side.
type Switch struct {
	Options
	Scheduler *Scheduler
	Limits    *Sessions

	apps      map[string]*Application
	commands  map[string]*Command
	endpoints map[string]Endpoint
	dialplans map[string]namedDialplan

	started time.Time
	serial  atomic.Int64 // session_id

	mu       sync.RWMutex
	channels map[string]*Channel
	external map[string]*Channel // by external ID
	live     sync.WaitGroup      // channel goroutines
	jobs     sync.WaitGroup      // background commands

	ctx    context.Context
	cancel context.CancelCauseFunc
}

// ErrShutdown is the cause of every context that ends with the switch.
var ErrShutdown = errors.New("the system is being shut down")

// NewSwitch makes a Switch without tables; fill them with the Add methods before
// Start.
func NewSwitch(o Options) *Switch {
	if o.UUID == "" {
		o.UUID = NewUUID()
	}
	if o.MaxSessions == 0 {
		o.MaxSessions = 1000
	}
	if o.SessionsPerSecond == 0 {
		o.SessionsPerSecond = 30
	}
	if o.HeartbeatInterval == 0 {
		o.HeartbeatInterval = 20 * time.Second
	}
	if o.Switchname == "" {
		o.Switchname = o.Hostname
	}
	sw := &Switch{
		Options:   o,
		Limits:    newSessions(o.MaxSessions, o.SessionsPerSecond),
		apps:      make(map[string]*Application),
		commands:  make(map[string]*Command),
		endpoints: make(map[string]Endpoint),
		dialplans: make(map[string]namedDialplan),
		channels:  make(map[string]*Channel),
		started:   time.Now(),
	}
	sw.ctx, sw.cancel = context.WithCancelCause(context.Background())
	sw.Scheduler = newScheduler(sw)
	return sw
}

// AddApplications adds rows to the application table; a later row of the same
// name replaces the earlier.
func (sw *Switch) AddApplications(rows ...Application) {
	for _, a := range rows {
		sw.apps[strings.ToLower(a.Name)] = &a
	}
}

// AddCommands adds rows to the command table.
func (sw *Switch) AddCommands(rows ...Command) {
	for _, c := range rows {
		sw.commands[strings.ToLower(c.Name)] = &c
	}
}

// AddEndpoint adds an endpoint under its dial-string name.
func (sw *Switch) AddEndpoint(name string, e Endpoint) { sw.endpoints[name] = e }

// AddDialplan adds a dialplan under its name ("XML", "inline"), which is looked
// up in any case.
func (sw *Switch) AddDialplan(name string, d Dialplan) {
	sw.dialplans[strings.ToLower(name)] = namedDialplan{name, d}
}

// namedDialplan keeps the name as it was added.
type namedDialplan struct {
	name string
	Dialplan
}

// Application finds an application by name in any case.
func (sw *Switch) Application(name string) *Application { return sw.apps[strings.ToLower(name)] }

// Command finds a command by name in any case.
func (sw *Switch) Command(name string) *Command { return sw.commands[fold(name)] }

// Endpoint finds an endpoint by name.
func (sw *Switch) Endpoint(name string) Endpoint { return sw.endpoints[name] }

// Dialplan finds a dialplan by name in any case.
func (sw *Switch) Dialplan(name string) Dialplan {
	if d, ok := sw.dialplans[strings.ToLower(name)]; ok {
		return d.Dialplan
	}
	return nil
}

// Applications returns the table, sorted by name.
func (sw *Switch) Applications() []*Application {
	return sorted(sw.apps, func(a *Application) string { return a.Name })
}

// Commands returns the table, sorted by name.
func (sw *Switch) Commands() []*Command {
	return sorted(sw.commands, func(c *Command) string { return c.Name })
}

// Endpoints returns the names of the endpoints, sorted.
func (sw *Switch) Endpoints() []string { return names(sw.endpoints) }

// Dialplans returns the names of the dialplans, sorted.
func (sw *Switch) Dialplans() []string {
	out := make([]string, 0, len(sw.dialplans))
	for _, d := range sw.dialplans {
		out = append(out, d.name)
	}
	sort.Strings(out)
	return out
}

func names[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for n := range m {
		out = append(out, n)
	}
	sort.Strings(out)
	return out
}

func sorted[V any](m map[string]V, name func(V) string) []V {
	out := make([]V, 0, len(m))
	for _, v := range m {
		out = append(out, v)
	}
	sort.Slice(out, func(i, j int) bool { return name(out[i]) < name(out[j]) })
	return out
}

// Context ends when the switch shuts down, with ErrShutdown.
func (sw *Switch) Context() context.Context { return sw.ctx }

// Running reports whether shutdown has not begun.
func (sw *Switch) Running() bool { return sw.ctx.Err() == nil }

// Started is when the switch was made.
func (sw *Switch) Started() time.Time { return sw.started }

// Start begins heartbeats and scheduled tasks.
func (sw *Switch) Start() {
	sw.Scheduler.start()
	sw.startHeartbeat()
}

// Stop hangs up every call with SYSTEM_SHUTDOWN, waits until all are gone or ctx
// ends, and stops what the Switch runs. The bus stays open for late readers.
func (sw *Switch) Stop(ctx context.Context) error {
	sw.Limits.Pause(true, true)
	sw.HangupAll(CauseSystemShutdown, nil)
	sw.cancel(ErrShutdown)
	done := make(chan struct{})
	go func() {
		sw.live.Wait()
		sw.jobs.Wait()
		sw.Scheduler.wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("call: stop: %d channels still up: %w", sw.Count(), ctx.Err())
	}
}

// Go runs fn in a goroutine that Stop waits for.
func (sw *Switch) Go(fn func()) {
	sw.jobs.Add(1)
	go func() {
		Roomier() // an originate is the deepest of them
		defer sw.jobs.Done()
		defer sw.Survive("background job", "")
		fn()
	}()
}

// Find returns the channel with that UUID or external ID, or nil. As in the reference a channel
// that was hung up is not found any more, though it still reports.
func (sw *Switch) Find(uuid string) *Channel {
	sw.mu.RLock()
	c := sw.channels[uuid]
	if c == nil {
		c = sw.external[uuid]
	}
	sw.mu.RUnlock()
	if c == nil || !c.Up() {
		return nil
	}
	return c
}

// SetExternalID gives the channel an ID of those who asked for it: commands take it for
// the UUID, and events show it as Session-External-ID. It fails if it is in use or
// longer than 256 bytes. It is given before Start.
func (c *Channel) SetExternalID(id string) bool {
	c.sw.mu.Lock()
	defer c.sw.mu.Unlock()
	if id == "" || len(id) > 256 || c.external != "" || c.sw.channels[id] != nil || c.sw.external[id] != nil {
		return false
	}
	if c.sw.external == nil {
		c.sw.external = make(map[string]*Channel)
	}
	c.external, c.sw.external[id] = id, c
	c.vars.Set("session_external_id", id)
	return true
}

// Channels returns all live channels, oldest first.
func (sw *Switch) Channels() []*Channel {
	sw.mu.RLock()
	list := make([]*Channel, 0, len(sw.channels))
	for _, c := range sw.channels {
		list = append(list, c)
	}
	sw.mu.RUnlock()
	sort.Slice(list, func(i, j int) bool { return list[i].serial < list[j].serial })
	return list
}

// Count is the number of live channels.
func (sw *Switch) Count() int {
	sw.mu.RLock()
	defer sw.mu.RUnlock()
	return len(sw.channels)
}

// HangupAll hangs up every channel that match accepts (nil: all).
func (sw *Switch) HangupAll(cause Cause, match func(*Channel) bool) int {
	n := 0
	for _, c := range sw.Channels() {
		if match == nil || match(c) {
			c.Hangup(cause)
			n++
		}
	}
	return n
}

// Run executes an API command line ("status", "uuid_kill X") and returns its
// reply. ErrNoCommand and ErrCommand are the caller's to phrase. Every run fires
// an API event (spec/esl.md §4.5).
func (sw *Switch) Run(ctx context.Context, name, args string, caller *Channel, params map[string]string) (string, error) {
	c := sw.Command(name)
	if c == nil {
		return "", ErrNoCommand
	}
	var out strings.Builder
	in := &Invocation{Args: strings.TrimSpace(args), Channel: caller, Params: params, Out: &out}
	err := sw.runGuarded(ctx, c, in)
	if sw.Bus.Wanted(event.API, "") {
		e := event.New(event.API, "")
		e.Add("API-Command", name)
		e.Add("API-Command-Argument", args)
		sw.Bus.Publish(e, "switch_loadable_module.c", "switch_api_execute", 3025)
	}
	return out.String(), err
}

func (sw *Switch) runGuarded(ctx context.Context, c *Command, in *Invocation) (err error) {
	defer func() {
		if r := recover(); r != nil {
			sw.crashed("command "+c.Name, "", r)
			err = ErrCommand
		}
	}()
	return c.Run(ctx, sw, in)
}

// GlobalResolver expands texts that belong to no call: global variables and API
// commands.
func (sw *Switch) GlobalResolver() expand.Resolver { return globalResolver{sw} }

type globalResolver struct{ sw *Switch }

func (g globalResolver) Variable(name string) (string, bool) {
	v := g.sw.Globals.Get(name)
	return v, v != ""
}

func (g globalResolver) Command(name, args string) string {
	out, _ := g.sw.Run(g.sw.ctx, name, args, nil, nil)
	return out
}

// NewUUID returns a random UUID (version 4) in text form.
func NewUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	text := make([]byte, 0, 36)
	for i, part := range [...][]byte{b[:4], b[4:6], b[6:8], b[8:10], b[10:]} {
		if i > 0 {
			text = append(text, '-')
		}
		text = hex.AppendEncode(text, part)
	}
	return string(text)
}
