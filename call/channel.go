package call

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/call/expand"
	"github.com/switchlet/switchlet/media"
)

// State is a channel's place in its life, FreeSWITCH's names and numbers.
type State int

const (
	StateNew State = iota
	StateInit
	StateRouting
	StateSoftExecute
	StateExecute
	StateExchangeMedia
	StatePark
	StateConsumeMedia
	StateHibernate
	StateReset
	StateHangup
	StateReporting
	StateDestroy
	StateNone
)

var stateNames = [...]string{"CS_NEW", "CS_INIT", "CS_ROUTING", "CS_SOFT_EXECUTE", "CS_EXECUTE",
	"CS_EXCHANGE_MEDIA", "CS_PARK", "CS_CONSUME_MEDIA", "CS_HIBERNATE", "CS_RESET", "CS_HANGUP",
	"CS_REPORTING", "CS_DESTROY", "CS_NONE"}

func (s State) String() string { return stateNames[s] }

// CallState is what a subscriber's lamp would show.
type CallState int

const (
	CallDown CallState = iota
	CallDialing
	CallRinging
	CallEarly
	CallActive
	CallHeld
	CallRingWait
	CallHangup
	CallUnheld
)

var callStateNames = [...]string{"DOWN", "DIALING", "RINGING", "EARLY", "ACTIVE", "HELD", "RING_WAIT", "HANGUP", "UNHELD"}

func (s CallState) String() string { return callStateNames[s] }

// Bounds of a channel's queues. A full inbox refuses, a full digit queue drops
// the newest digit, a full event queue drops the newest event.
const (
	inboxSize      = 200
	urgentSize     = 32
	digitQueueSize = 128
	eventQueueSize = 100
)

// Errors that end waits and applications; they are the causes of contexts too.
var (
	ErrBreak     = errors.New("break")              // uuid_break
	ErrMoved     = errors.New("channel moved on")   // transfer, bridge or park from outside
	ErrStopped   = errors.New("stopped by a digit") // a wait's digit or event function said stop
	ErrHungup    = errors.New("channel is hung up") // the cause is Channel.Cause
	ErrNotReady  = errors.New("channel not ready")  // no media, or being transferred
	ErrInboxFull = errors.New("channel inbox full") // more messages than it can hold
	ErrNoLeg     = errors.New("not supported by the channel's endpoint")
)

// Channel is one leg of a call.
type Channel struct {
	sw     *Switch
	uuid   atomic.Value // string
	serial int64
	leg    Leg
	port   *media.Port
	idling atomic.Int32 // waits that send_silence_when_idle fills
	vars   *Vars
	scope  scopes
	inbox  chan *Message
	urgent chan *Message // hooks of marks: execute_on_answer and its kin
	digits chan media.Digit
	events chan *event.Event
	breaks chan struct{}

	outbound    bool
	external    string       // ID of those who asked for the channel; guarded by sw.mu
	module      string       // source module, "mod_sofia"
	soundDigits atomic.Int32 // a media.Direction: see SoundDigits

	ctx    context.Context // ends at hang-up
	cancel context.CancelCauseFunc

	// marking serialises the marks of signalling and state together with the
	// events that they fire, so that those go out in the order of the facts.
	marking sync.Mutex

	mu           sync.Mutex // guards what follows
	name         string
	profiles     []*Profile // newest last
	other        *Profile   // the other leg's profile, for events
	otherType    string     // "originator" or "originatee"
	state        State      // requested
	requests     int        // how often somebody asked for a state
	served       int        // requests when the step that runs began
	running      State
	callState    CallState
	answered     bool
	early        bool
	ringing      bool
	cause        Cause
	hungup       bool
	held         bool // by us or by the far end
	routed       bool // went through a dialplan
	settled      bool // see Settled
	ext          *Extension
	stateCtx     context.Context
	stateStop    context.CancelCauseFunc
	partner      *Channel
	bond         *bond // while this is the B leg of a bridge
	parked       bool
	task         func(context.Context, *Channel) // what CS_SOFT_EXECUTE runs
	playback     *media.Playback
	interceptIn  map[string]func(media.Digit) bool
	interceptOut map[string]func(media.Digit) bool
	lastApp      string
	lastData     string
	formatRead   media.Format
	formatWrite  media.Format
	notify       []watcher
	onHangup     []func(*Channel)
	onUnbridge   func() bool // AfterBridge
	// onTransferred is AwaitTransfer's.
	onTransferred func(ok bool) bool
	afterInit     []func()
	sessions      map[string]*session // background recordings by path
	endings       sync.WaitGroup      // recordings that are being reported
	private       map[string]any
	stack         int // nested executes
	locked        int // event-lock depth
	redirected    bool
	earlyOK       bool          // early media counts as success of an originate
	zombieExec    bool          // actions go on after the hang-up
	holders       int           // who retains the channel
	freed         chan struct{} // closed when holders falls to 0 while CS_DESTROY waits

	reported chan struct{} // closed after CHANNEL_HANGUP_COMPLETE
	done     chan struct{} // closed after CS_DESTROY
	started  atomic.Bool
	told     atomic.Int64 // how often presence was told of
	logLevel atomic.Int32 // lines of the call above it are not logged
}

// NewChannelOptions describe a channel that an endpoint makes.
type NewChannelOptions struct {
	UUID     string  // wanted, "" for a new one
	Name     string  // "sofia/internal/1000@host"
	Module   string  // source, "mod_sofia"
	Profile  Profile // Source, ChannelName, UUID, Index and times are filled in
	Vars     []Var   // initial variables, after direction, uuid and session_id
	Outbound bool
	// Extension is what the channel runs instead of asking its dialplan.
	Extension *Extension
	// Begun channels start in CS_INIT without passing CS_NEW (outbound legs do too).
	Begun bool
}

// usualVars is about how many variables a call has when it ends.
const usualVars = 96

// NewChannel makes a channel for leg. It does nothing until Start. It fails with
// a Cause: SWITCH_CONGESTION over the limits, DESTINATION_OUT_OF_ORDER if the
// UUID is in use.
func (sw *Switch) NewChannel(leg Leg, o NewChannelOptions) (*Channel, error) {
	now := time.Now()
	if !sw.Running() {
		return nil, CauseSystemShutdown
	}
	if err := sw.Limits.enter(!o.Outbound, now); err != nil {
		sw.Log.Printf(LogCrit, "Throttle Error! %d", sw.Count())
		return nil, err
	}
	if o.UUID == "" {
		o.UUID = NewUUID()
	}
	c := &Channel{
		sw: sw, leg: leg, outbound: o.Outbound, module: o.Module, name: tame(o.Name),
		serial:   sw.serial.Add(1),
		inbox:    make(chan *Message, inboxSize),
		urgent:   make(chan *Message, urgentSize),
		digits:   make(chan media.Digit, digitQueueSize),
		events:   make(chan *event.Event, eventQueueSize),
		breaks:   make(chan struct{}, 1),
		state:    StateNew,
		running:  StateNone,
		ext:      o.Extension,
		reported: make(chan struct{}),
		done:     make(chan struct{}),
	}
	c.logLevel.Store(int32(LogDebug))
	if o.Outbound || o.Begun {
		c.state = StateInit
	}
	c.uuid.Store(o.UUID)
	direction := "inbound"
	if o.Outbound {
		direction = "outbound"
	}
	p := o.Profile
	p.UUID, p.Source, p.ChannelName, p.Index = o.UUID, o.Module, c.name, 1
	p.inert()
	p.Direction, p.LogicalDirection = direction, direction
	p.Times.ProfileCreated, p.Times.Created = now, now
	if p.OrigCallerName == "" {
		p.OrigCallerName = p.CallerName
	}
	if p.OrigCallerNumber == "" {
		p.OrigCallerNumber = p.CallerNumber
	}
	c.profiles = []*Profile{&p}
	c.vars = newVars(usualVars, Var{"direction", direction}, Var{"uuid", o.UUID}, Var{"call_uuid", o.UUID},
		Var{"session_id", fmt.Sprint(c.serial)}, Var{"channel_name", c.name})
	for _, v := range o.Vars {
		c.SetPlain(v.Name, v.Value)
	}
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	c.stateCtx, c.stateStop = c.ctx, func(error) {} // no state runs yet
	c.port = sw.Media.NewPort(o.UUID)
	c.port.OnDigit(c.ReceiveDigit)
	if s, ok := leg.(DigitSender); ok {
		c.port.OnSendFallback(func(d media.Digit) {
			if err := s.SendDigit(d); err != nil {
				c.Log(LogWarning, "%s: cannot send digit %c: %v", c.Name(), d.Char, err)
			}
		})
	}
	c.port.RegenerateDigits(false) // the bridge hands digits on, after interceptors

	sw.mu.Lock()
	if sw.channels[o.UUID] != nil {
		sw.mu.Unlock()
		sw.Limits.leave()
		c.port.Close()
		c.cancel(ErrHungup)
		sw.Log.Printf(LogCrit, "Duplicate UUID!")
		return nil, CauseDestinationOutOfOrder
	}
	sw.channels[o.UUID] = c
	sw.mu.Unlock()
	return c, nil
}

// Start runs the channel in a goroutine of its own. A second call does nothing.
func (c *Channel) Start() {
	if c.started.Swap(true) {
		return
	}
	c.sw.live.Add(1)
	go c.run()
}

// Abandon ends a channel that was never started.
func (c *Channel) Abandon(cause Cause) {
	c.Hangup(cause)
	c.Start()
}

// UUID is the channel's identity.
func (c *Channel) UUID() string { return c.uuid.Load().(string) }

// Switch is the switch that the channel belongs to.
func (c *Channel) Switch() *Switch { return c.sw }

// Leg is the endpoint's half.
func (c *Channel) Leg() Leg { return c.leg }

// Port is the channel's sound.
func (c *Channel) Port() *media.Port { return c.port }

// Context ends with ErrHungup when the channel is hung up.
func (c *Channel) Context() context.Context { return c.ctx }

// Outbound reports whether the switch made the call.
func (c *Channel) Outbound() bool { return c.outbound }

// Serial is the channel's number since the start of the switch (session_id).
func (c *Channel) Serial() int64 { return c.serial }

// Name is the channel's name, such as "sofia/internal/1000@192.0.2.7".
func (c *Channel) Name() string { c.mu.Lock(); defer c.mu.Unlock(); return c.name }

// SetName renames the channel.
func (c *Channel) SetName(name string) {
	name = tame(name)
	c.mu.Lock()
	c.name = name
	c.mu.Unlock()
	c.vars.Set("channel_name", name)
}

// Vars is the store of channel variables.
func (c *Channel) Vars() *Vars { return c.vars }

// Get returns a channel variable's value, "" if it is not set.
// Not inlined: it is used at so many places that its copies would be large.
//
//go:noinline
func (c *Channel) Get(name string) string {
	v, _ := c.lookupVar(name)
	return v
}

// Set stores a channel variable; an empty value deletes it.
// Not inlined: it is used at so many places that its copies would be large.
//
//go:noinline
func (c *Channel) Set(name, value string) { c.vars.Set(name, value) }

// SetPlain is Set for what a far end said: a ${ in it stands for nothing (it
// becomes %{), though values of variables are expanded in their turn.
func (c *Channel) SetPlain(name, value string) { c.vars.Set(name, expand.Inert(value)) }

// True reports whether a channel variable has a true word.
func (c *Channel) True(name string) bool { return True(c.Get(name)) }

// Profile returns a copy of the current caller profile.
func (c *Channel) Profile() Profile {
	c.mu.Lock()
	defer c.mu.Unlock()
	return *c.profile().clone()
}

// profile is the current caller profile; c.mu is held.
func (c *Channel) profile() *Profile { return c.profiles[len(c.profiles)-1] }

// UpdateProfile changes the current caller profile in place. As in every profile, no
// ${ stays in it.
func (c *Channel) UpdateProfile(fn func(*Profile)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.profile()
	fn(p)
	p.inert()
}

// SetOther records the profile of the channel at the other end for events:
// kind is "originator" or "originatee".
func (c *Channel) SetOther(kind string, p Profile) {
	c.mu.Lock()
	c.other, c.otherType = &p, kind
	c.mu.Unlock()
}

// State is the requested state.
func (c *Channel) State() State { c.mu.Lock(); defer c.mu.Unlock(); return c.state }

// Running is the state whose work is going on.
func (c *Channel) Running() State { c.mu.Lock(); defer c.mu.Unlock(); return c.running }

// CallState is the call state.
func (c *Channel) CallState() CallState { c.mu.Lock(); defer c.mu.Unlock(); return c.callState }

// Answered reports whether the call was answered.
func (c *Channel) Answered() bool { c.mu.Lock(); defer c.mu.Unlock(); return c.answered }

// Early reports whether early media was opened.
func (c *Channel) Early() bool { c.mu.Lock(); defer c.mu.Unlock(); return c.early }

// Ringing reports whether ringing was signalled.
func (c *Channel) Ringing() bool { c.mu.Lock(); defer c.mu.Unlock(); return c.ringing }

// MediaReady reports whether sound can go both ways: early or answered, and up.
func (c *Channel) MediaReady() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.hungup && (c.answered || c.early)
}

// Up reports whether the channel was not hung up.
func (c *Channel) Up() bool { c.mu.Lock(); defer c.mu.Unlock(); return !c.hungup }

// Ready reports whether the running application may go on: up, and not being
// transferred.
func (c *Channel) Ready() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.hungup && !c.redirected
}

// Cause is why the channel was hung up, NONE before.
func (c *Channel) Cause() Cause { c.mu.Lock(); defer c.mu.Unlock(); return c.cause }

// Partner is the channel that this one is bridged with, or nil.
func (c *Channel) Partner() *Channel { c.mu.Lock(); defer c.mu.Unlock(); return c.partner }

// Held reports whether the call is on hold.
func (c *Channel) Held() bool { c.mu.Lock(); defer c.mu.Unlock(); return c.held }

// LastApplication is the application that runs or ran last, with its argument.
func (c *Channel) LastApplication() (app, data string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lastApp, c.lastData
}

// Formats are the codecs in force; zero before they are negotiated.
func (c *Channel) Formats() (read, write media.Format) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.formatRead, c.formatWrite
}

// Done is closed when the channel is destroyed.
func (c *Channel) Done() <-chan struct{} { return c.done }

// Reported is closed after CHANNEL_HANGUP_COMPLETE.
func (c *Channel) Reported() <-chan struct{} { return c.reported }

// Retain keeps the channel from being destroyed (CHANNEL_DESTROY waits) until the
// returned function is called.
func (c *Channel) Retain() (release func()) {
	c.mu.Lock()
	c.holders++
	c.mu.Unlock()
	var once sync.Once
	return func() { once.Do(c.release) }
}

func (c *Channel) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.holders--; c.holders == 0 && c.freed != nil {
		close(c.freed)
		c.freed = nil
	}
}

// awaitHolders waits until nobody retains the channel, a day at most.
func (c *Channel) awaitHolders() {
	c.mu.Lock()
	if c.holders == 0 {
		c.mu.Unlock()
		return
	}
	freed := make(chan struct{})
	c.freed = freed
	c.mu.Unlock()
	select {
	case <-freed:
	case <-c.sw.ctx.Done():
	case <-time.After(holderLimit):
	}
}

// change is what happened to a channel, for those who watch it.
type change uint8

const (
	changedMark  change = 1 << iota // ringing, early, answered, held, hung up
	changedState                    // requested, entered, reported, bridged
	changedApp                      // an application begins
)

// watcher is somebody who waits for changes.
type watcher struct {
	signal chan struct{}
	of     change
}

// Notify makes every mark (ringing, early, answered, hung up), state and
// application send to signal without blocking, until stop is called.
func (c *Channel) Notify(signal chan struct{}) (stop func()) {
	return c.notifyOf(changedMark|changedState|changedApp, signal)
}

// NotifyMarks is Notify for marks alone. Each signal wakes somebody, so that who
// needs no more should not ask for more.
func (c *Channel) NotifyMarks(signal chan struct{}) (stop func()) {
	return c.notifyOf(changedMark, signal)
}

func (c *Channel) notifyOf(of change, signal chan struct{}) (stop func()) {
	c.mu.Lock()
	c.notify = append(c.notify, watcher{signal, of})
	c.mu.Unlock()
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		for i, w := range c.notify {
			if w.signal == signal {
				c.notify = append(c.notify[:i], c.notify[i+1:]...)
				return
			}
		}
	}
}

func (c *Channel) signal(what change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.notify {
		if w.of&what == 0 {
			continue
		}
		select {
		case w.signal <- struct{}{}:
		default:
		}
	}
}

// OnHangup registers fn to run in the channel's goroutine in CS_HANGUP.
func (c *Channel) OnHangup(fn func(*Channel)) {
	c.mu.Lock()
	c.onHangup = append(c.onHangup, fn)
	c.mu.Unlock()
}

// SetPrivate keeps a value of an application with the channel; nil removes it.
func (c *Channel) SetPrivate(name string, v any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if v == nil {
		delete(c.private, name)
		return
	}
	if c.private == nil {
		c.private = make(map[string]any)
	}
	c.private[name] = v
}

// Private returns what SetPrivate kept, or nil.
func (c *Channel) Private(name string) any {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.private[name]
}

// Log writes a line that belongs to this call.
func (c *Channel) Log(level Level, format string, args ...any) {
	if int32(level) > c.logLevel.Load() {
		return
	}
	c.sw.Log.printf(level, LogSession, c.UUID(), format, args...)
}

// SetLogLevel bounds the lines of this call that are logged (uuid_loglevel).
func (c *Channel) SetLogLevel(level Level) { c.logLevel.Store(int32(level)) }

// move requests a state, together with a change that is made under the same lock
// (nil for none), and ends what the current state does. It refuses to leave the
// hang-up states.
func (c *Channel) move(s State, change func()) bool {
	c.mu.Lock()
	if c.state >= StateHangup {
		c.mu.Unlock()
		return false
	}
	if change != nil {
		change()
	}
	c.breakBond()
	c.state = s
	c.requests++
	stop := c.stateStop
	c.mu.Unlock()
	stop(ErrMoved)
	c.signal(changedState)
	return true
}

// proceed is move for the step that runs: it goes on to s unless another state was
// requested since the step began.
func (c *Channel) proceed(s State, change func()) bool {
	c.mu.Lock()
	ours := c.requests == c.served && c.state < StateHangup
	if ours {
		if change != nil {
			change()
		}
		c.state = s
	}
	c.mu.Unlock()
	c.signal(changedState)
	return ours
}

// exportList splits a list of variable names at commas, as export_vars has it.
func exportList(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}
