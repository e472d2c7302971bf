package conference

import (
	"context"
	"errors"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/conf"
)

// DialOptions are the surroundings of an outgoing call.
type DialOptions struct {
	// Originator is the calling leg, in whose goroutine the call is made; nil for
	// calls from the API.
	Originator *call.Channel
	// Timeout bounds each alternative.
	Timeout time.Duration
	// CallerName and CallerNumber are shown to the far end.
	CallerName, CallerNumber string
	// Vars are set on every leg.
	Vars []call.Var
}

// Dialer calls a dial string and returns the leg that answered, or a call.Cause
// (call/originate). A context that ends cancels the call.
type Dialer func(ctx context.Context, sw *call.Switch, dialString string, o DialOptions) (*call.Channel, error)

// Options are what Rooms are made with. Switch, Store and Dial are required.
type Options struct {
	Switch *call.Switch
	Store  *conf.Store
	Dial   Dialer
	// Speak returns a file with the speech of a text; nil if the box has no engine.
	Speak func(ctx context.Context, engine, voice, text string, rate int) (path string, err error)
}

// Rooms are the conferences of one Switch.
type Rooms struct {
	opts Options
	sw   *call.Switch
	ids  atomic.Int64
	work sync.WaitGroup // rooms, their watchers and outgoing calls

	ctx    context.Context // ends with Close: calls to rooms that are not yet hang on it
	cancel context.CancelCauseFunc
	deaf   func() // ends the listening for those who ask for a room's presence

	mu     sync.Mutex
	rooms  map[string]*Room
	closed bool
}

// errClosed is returned for rooms that cannot be made any more.
var errClosed = errors.New("conference: shut down")

// New returns no rooms yet: callers make them.
func New(o Options) *Rooms {
	rs := &Rooms{opts: o, sw: o.Switch, rooms: make(map[string]*Room)}
	rs.ctx, rs.cancel = context.WithCancelCause(o.Switch.Context())
	rs.deaf = rs.sw.Bus.Handle(event.PresenceProbe, "", rs.probed)
	return rs
}

// Close ends all rooms, hangs their members up and waits until all is gone.
func (rs *Rooms) Close() {
	rs.deaf()
	rs.mu.Lock()
	rs.closed = true
	rs.mu.Unlock()
	rs.cancel(call.CauseOriginatorCancel)
	for _, r := range rs.list() {
		r.post(r.end)
	}
	rs.work.Wait()
}

// probed tells of the room that a PRESENCE_PROBE asks for, conf+NAME@DOMAIN.
func (rs *Rooms) probed(e *event.Event) {
	to, ok := strings.CutPrefix(e.Get("to"), "conf+")
	if !ok {
		return
	}
	name, _, _ := strings.Cut(to, "@")
	for _, name := range []string{to, name} {
		if r := rs.find(name); r != nil {
			r.post(r.presence)
			return
		}
	}
}

// nextID numbers members and recordings.
func (rs *Rooms) nextID() int { return int(rs.ids.Add(1)) }

// find returns the room of that name, or nil.
func (rs *Rooms) find(name string) *Room {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return rs.rooms[name]
}

// list returns all rooms by name.
func (rs *Rooms) list() []*Room {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	all := make([]*Room, 0, len(rs.rooms))
	for _, r := range rs.rooms {
		all = append(all, r)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].name < all[j].name })
	return all
}

// visit returns the room of that name, which does not end for lack of members
// until release; make is asked for a new one if there is none, and may be nil.
func (rs *Rooms) visit(name string, make func() *Room) (r *Room, created bool, err error) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if r = rs.rooms[name]; r == nil {
		if make == nil {
			return nil, false, nil
		}
		if rs.closed || !rs.sw.Running() {
			return nil, false, errClosed
		}
		r, created = make(), true
		rs.rooms[name] = r
		rs.work.Go(r.run)
	}
	r.visitors++
	return r, created, nil
}

// release ends a visit.
func (rs *Rooms) release(r *Room) {
	rs.mu.Lock()
	r.visitors--
	last := r.visitors == 0
	rs.mu.Unlock()
	if last {
		r.post(r.settle)
	}
}

// forget frees the room's name. A room that is only idle keeps it while somebody
// is at the door.
func (rs *Rooms) forget(r *Room, idle bool) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if idle && r.visitors > 0 {
		return false
	}
	if rs.rooms[r.name] == r {
		delete(rs.rooms, r.name)
	}
	return true
}
