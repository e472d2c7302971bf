// Package chat routes text messages: those that phones and browsers send, and those
// of commands, scripts and event socket clients. A message is an event of type MESSAGE;
// its headers say from whom it is (from, proto), for whom (to), and by which protocol
// it is to be delivered (dest_proto).
//
// A message passes the chatplan first (section chatplan of the configuration, which
// looks like a dialplan), whose actions answer it, change it, hand it to a script or
// keep it from going further; then the protocol delivers it, and the event MESSAGE
// tells of it (spec/config.md §9). The protocols themselves are other rooms' (sip,
// webrtc), which appliance brings along.
package chat

import (
	"context"
	"errors"
	"hash/maphash"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/call/regex"
	"github.com/switchlet/switchlet/conf"
)

// Bounds. Messages of one sender keep their order: each sender has its lane, which
// several may share.
const (
	lanes    = 8
	laneSize = 250     // messages that wait in one lane
	maxBody  = 1 << 20 // of a message, in bytes; what is longer is refused
	maxHops  = 70      // max_forwards of a message that has none
	execTime = 10 * time.Minute
)

// Errors of the way of a message.
var (
	ErrFull       = errors.New("chat: too many messages wait")
	ErrLong       = errors.New("chat: the message is longer than 1 MiB")
	ErrNoProtocol = errors.New("chat: nothing delivers messages of that protocol")
	ErrStopped    = errors.New("chat: the message was stopped") // by an application
	ErrHops       = errors.New("chat: max_forwards is used up")

	// errUnmatched means that the chatplan has nothing for a message.
	errUnmatched = errors.New("chat: no actions found")
)

// Protocol delivers a message to the one that its header "to" names. It may add
// headers; the event is its own until it returns.
type Protocol func(ctx context.Context, e *event.Event) error

// Application is an action of the chatplan. Run gets its argument expanded; what it
// does to the message stays. An error ends the chatplan for that message.
type Application struct {
	Name, Syntax, Description string
	Run                       func(ctx context.Context, e *event.Event, args string) error
}

// Options are what a Router is made with. Switch is required.
type Options struct {
	Switch *call.Switch
	// Store has the chatplan; nil: there is none.
	Store *conf.Store
	// Enabled tells whether messages pass the chatplan; nil: they do.
	Enabled func() bool
	Regex   *regex.Cache
	// Zone finds a time zone by name, for conditions of time.
	Zone func(name string) (*time.Location, bool)
	// AllowShell lets the application system run programs.
	AllowShell bool
}

// Router is the way of all messages of a Switch. It implements call.Messages.
type Router struct {
	opts      Options
	sw        *call.Switch
	apps      map[string]Application
	protocols map[string]Protocol
	seed      maphash.Seed
	lanes     [lanes]lane
}

// lane is a queue that a goroutine serves while something waits.
type lane struct {
	mu      sync.Mutex
	waiting []*event.Event
	busy    bool
}

// New makes a Router with the applications that need nothing else and the protocol
// "event". Protocols and further applications are added before the switch starts.
func New(o Options) *Router {
	r := &Router{opts: o, sw: o.Switch, apps: map[string]Application{}, protocols: map[string]Protocol{}, seed: maphash.MakeSeed()}
	r.AddApplications(r.basics()...)
	r.AddProtocol("event", r.toEvent)
	return r
}

// AddApplications adds rows to the table; a later row of the same name replaces the
// earlier.
func (r *Router) AddApplications(rows ...Application) {
	for _, a := range rows {
		r.apps[strings.ToLower(a.Name)] = a
	}
}

// Applications returns the table, sorted by name.
func (r *Router) Applications() []Application {
	return slices.SortedFunc(maps.Values(r.apps), func(a, b Application) int { return strings.Compare(a.Name, b.Name) })
}

// AddProtocol says who delivers the messages whose dest_proto is name.
func (r *Router) AddProtocol(name string, p Protocol) { r.protocols[strings.ToLower(name)] = p }

// Listen takes the events CUSTOM SMS::SEND_MESSAGE, by which event socket clients
// send messages past the chatplan, until the returned function is called.
func (r *Router) Listen() (stop func()) {
	return r.sw.Bus.Handle(event.Custom, "SMS::SEND_MESSAGE", func(e *event.Event) {
		m := message(e)
		m.Set("skip_global_process", "true")
		if err := r.Send(m); err != nil {
			r.sw.Log.Printf(call.LogErr, "message from %s to %s: %v", m.Get("from"), m.Get("to"), err)
		}
	})
}

// message copies what is to be delivered of an event: everything but what the bus
// has put on it.
func message(e *event.Event) *event.Event {
	m := event.New(event.Message, "")
	for _, h := range e.Headers {
		if !strings.HasPrefix(h.Name, "Event-") && !strings.HasPrefix(h.Name, "FreeSWITCH-") && h.Name != "Core-UUID" {
			m.Add(h.Name, h.Value)
		}
	}
	if e.HasBody {
		m.SetBody(e.Body)
	}
	return m
}

// Send implements call.Messages.
func (r *Router) Send(e *event.Event) error {
	if len(e.Body) > maxBody {
		return ErrLong
	}
	if !r.sw.Running() {
		return call.ErrShutdown
	}
	l := &r.lanes[maphash.String(r.seed, e.Get("from"))%lanes]
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) >= laneSize {
		return ErrFull
	}
	l.waiting = append(l.waiting, e)
	if !l.busy {
		l.busy = true
		r.sw.Go(func() { r.serve(l) })
	}
	return nil
}

// serve delivers what waits in a lane, one after the other.
func (r *Router) serve(l *lane) {
	for {
		l.mu.Lock()
		if len(l.waiting) == 0 || !r.sw.Running() {
			l.busy, l.waiting = false, nil
			l.mu.Unlock()
			return
		}
		e := l.waiting[0]
		l.waiting = l.waiting[1:]
		l.mu.Unlock()
		r.guarded(e)
	}
}

// guarded keeps a message that brings something down from bringing its lane down.
func (r *Router) guarded(e *event.Event) {
	defer r.sw.Survive("message from "+e.Get("from"), "")
	if err := r.route(r.sw.Context(), e); err != nil && !errors.Is(err, ErrStopped) {
		r.sw.Log.Printf(call.LogWarning, "message from %s to %s: %v", e.Get("from"), e.Get("to"), err)
	}
}

// Deliver implements call.Messages.
func (r *Router) Deliver(ctx context.Context, e *event.Event) error {
	if len(e.Body) > maxBody {
		return ErrLong
	}
	e.Set("blocking", "true")
	return r.route(ctx, e)
}

// route is the whole way of one message.
func (r *Router) route(ctx context.Context, e *event.Event) error {
	proto := strings.ToLower(e.Get("dest_proto"))
	if proto == "" {
		return ErrNoProtocol
	}
	if e.Get("proto") == "" {
		e.Set("proto", "global")
	}
	var err error
	final := false
	if r.planned(e) {
		err = r.plan(ctx, e)
		final = err == nil && call.True(e.Get("final_delivery"))
	}
	if !final && !strings.Contains(proto, "global") {
		if send := r.protocols[proto]; send != nil {
			err = send(ctx, e)
		} else {
			r.sw.Log.Printf(call.LogErr, "Invalid chat interface [%s]!", proto)
			err = ErrNoProtocol
		}
	}
	if errors.Is(err, errUnmatched) {
		err = nil
	}
	r.tell(e, err)
	return err
}

// planned reports whether a message passes the chatplan: replies do not, nor what was
// sent past it.
func (r *Router) planned(e *event.Event) bool {
	return r.opts.Store != nil && (r.opts.Enabled == nil || r.opts.Enabled()) && !call.True(e.Get("replying")) &&
		!strings.Contains(strings.ToLower(e.Get("proto")), "global") && !call.True(e.Get("skip_global_process"))
}

// tell publishes what became of a message.
func (r *Router) tell(e *event.Event, err error) {
	done := e.Clone()
	done.Delete(noExecute)
	if call.True(e.Get("blocking")) {
		failed := "false"
		if err != nil {
			failed = "true"
		}
		done.Set("Delivery-Failure", failed)
	} else {
		done.Set("Nonblocking-Delivery", "true")
	}
	r.sw.Bus.Publish(done, "switch_loadable_module.c", "do_chat_send", 943)
}

// toEvent is the protocol "event": the message is told as RECV_MESSAGE.
func (r *Router) toEvent(_ context.Context, e *event.Event) error {
	got := e.Clone()
	got.Type = event.RecvMessage
	r.sw.Bus.Publish(got, "mod_dptools.c", "event_chat_send", 4643)
	return nil
}
