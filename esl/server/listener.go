package server

import (
	"container/list"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/esl"
)

// Why a listener ends. The text of the notice goes with it.
var (
	errGoodbye    = errors.New("goodbye")
	errCrowded    = errors.New("too many connections without authentication")
	errShutdown   = errors.New("shutting down")
	errLostEvents = errors.New("lost events")
	errLostLogs   = errors.New("lost log lines")
	errStalled    = errors.New("peer takes nothing")
)

const (
	// farewellTime is for the last words to a peer that may be gone.
	farewellTime = time.Second
	// drainTime and drainBytes bound what is still read from a peer after the last
	// words, since closing a socket with unread bytes would destroy them on the way.
	drainTime  = 200 * time.Millisecond
	drainBytes = 64 << 10
)

// listener is one connection of the event socket.
type listener struct {
	s        *Server
	sw       *call.Switch
	conn     net.Conn
	r        *esl.Reader
	remote   string
	addr     netip.Addr
	outbound bool
	full     bool          // every command is allowed
	async    bool          // the call does not wait for commands
	rejected bool          // by the access list
	stranger *list.Element // guarded by s.mu

	ctx       context.Context
	cancel    context.CancelCauseFunc
	kicked    chan struct{} // closed when reads and writes were told to end
	pumped    chan struct{} // closed when the pump has ended; nil before it started
	connected chan struct{} // closed at "connect"

	events queue[*event.Event]
	logs   queue[*call.LogLine]
	wake   chan struct{}

	// What publishers look at, without waiting for anybody.
	selected atomic.Pointer[selection]
	own      atomic.Pointer[ownership]
	diverted atomic.Pointer[ownership]
	control  atomic.Pointer[control]
	authed   atomic.Bool
	user     atomic.Pointer[string]

	// turn is held by the command that runs or by the batch of events that is
	// written. It guards what follows.
	turn      sync.Mutex
	dead      bool   // writing has failed
	unsaid    []byte // cut off by the end
	mine      bool   // myevents was given
	format    format
	filters   []filter
	rights    rights
	sub       *event.Subscription
	follower  *call.LogFollower
	following sync.WaitGroup
	linger    int // seconds, -1 without end, 0 not at all
}

// control is the call that a listener belongs to.
type control struct {
	ch      *call.Channel
	release func()
}

func (s *Server) newListener(conn net.Conn) *listener {
	l := &listener{
		s: s, sw: s.sw, conn: conn, r: esl.NewReader(conn, esl.UnauthLimits),
		remote: conn.RemoteAddr().String(),
		kicked: make(chan struct{}), connected: make(chan struct{}),
		wake: make(chan struct{}, 1),
	}
	l.events.limit, l.logs.limit = s.EventQueue, s.LogQueue
	l.selected.Store(&selection{})
	l.rights = rights{log: true}
	l.ctx, l.cancel = context.WithCancelCause(context.Background())
	context.AfterFunc(l.ctx, func() {
		conn.SetDeadline(time.Unix(1, 0))
		close(l.kicked)
	})
	return l
}

// end begins the end; the first reason counts. It does not wait.
func (l *listener) end(why error) { l.cancel(why) }

// channel is the controlled call, or nil.
func (l *listener) channel() *call.Channel {
	if c := l.control.Load(); c != nil {
		return c.ch
	}
	return nil
}

// run is the life of a listener: it reads commands and carries them out.
func (l *listener) run() {
	defer l.finish()
	if l.rejected {
		l.say([]byte(rudeRejection))
		return
	}
	if !l.outbound {
		l.say([]byte(greeting))
	}
	l.conn.SetReadDeadline(time.Now().Add(l.s.LoginTimeout))
	for first := true; l.ctx.Err() == nil; first = false {
		c, err := l.r.ReadCommand()
		if err != nil {
			l.complain(err, first)
			return
		}
		if first {
			l.conn.SetReadDeadline(time.Time{})
			if l.ctx.Err() != nil {
				return
			}
		}
		l.handle(c, first)
	}
}

// complain logs why reading ended, where that is worth a line.
func (l *listener) complain(err error, first bool) {
	switch {
	case context.Cause(l.ctx) == errCrowded:
		l.s.strange.logf(l.sw.Log, "event socket: %s: %v", l.remote, errCrowded)
	case l.ctx.Err() != nil:
	case l.outbound && first:
		l.sw.Log.Printf(call.LogErr, "Socket Error!")
	case errors.Is(err, esl.ErrHead), errors.Is(err, esl.ErrLength):
		l.s.strange.logf(l.sw.Log, "event socket: %s: %v", l.remote, err)
	case !first && !errors.Is(err, io.EOF):
		l.sw.Log.Printf(call.LogInfo, "event socket: %s: %v", l.remote, err)
	}
}

// handle carries out one command and writes its reply.
func (l *listener) handle(c *esl.Command, first bool) {
	l.turn.Lock()
	defer l.turn.Unlock()
	a := l.execute(c)
	// On an outbound connection whose first command is another one than connect or
	// api, the reference swallows the reply.
	if !(first && l.outbound && !a.api && a.raw == nil && a.end == nil) {
		b := a.raw
		switch {
		case b != nil:
		case a.api:
			b = appendAPI(nil, a.text)
		default:
			b = appendReply(nil, a.text, a.extra)
		}
		l.say(b)
	}
	if a.end != nil {
		l.end(a.end)
	}
}

// say writes bytes. A peer that takes some of them within the write timeout, now
// and again, is slow; one that takes none is gone.
func (l *listener) say(p []byte) {
	for len(p) > 0 && l.ctx.Err() == nil {
		l.conn.SetWriteDeadline(time.Now().Add(l.s.WriteTimeout))
		if l.ctx.Err() != nil {
			// The end came between; its deadline must stand.
			l.conn.SetWriteDeadline(time.Unix(1, 0))
		}
		n, err := l.conn.Write(p)
		p = p[n:]
		late := errors.Is(err, os.ErrDeadlineExceeded)
		switch {
		case err == nil || late && (n > 0 || l.ctx.Err() != nil):
		case late:
			l.sw.Log.Printf(call.LogWarning, "event socket: %s took nothing for %v, closing", l.remote, l.s.WriteTimeout)
			l.end(errStalled)
			l.dead = true
		default:
			l.end(err)
			l.dead = true
		}
	}
	// What the end has cut short comes before the last words.
	l.unsaid = append(l.unsaid, p...)
}

// finish says the last words and lets go of everything.
func (l *listener) finish() {
	l.end(errGoodbye)
	<-l.kicked
	if l.pumped != nil {
		<-l.pumped
	}
	l.s.forget(l)
	if context.Cause(l.ctx) == errLostEvents {
		waiting, lost := l.events.count()
		l.sw.Log.Printf(call.LogCrit, "Killing listener because of too many lost events. Lost [%d] Queue size[%d/%d] (%s)", lost, waiting, l.s.EventQueue, l.remote)
	}
	l.farewell()
	if l.sub != nil {
		l.sub.Close()
	}
	if l.follower != nil {
		l.follower.Close()
		l.following.Wait()
	}
	if c := l.control.Load(); c != nil {
		c.release()
	}
	l.hangUp()
	if l.s.Debug {
		l.sw.Log.Printf(call.LogDebug, "Connection Closed from %s", l.remote)
	}
}

// farewell writes the notice that fits the reason (spec/esl.md §6.5).
func (l *listener) farewell() {
	l.turn.Lock()
	defer l.turn.Unlock()
	if l.dead || context.Cause(l.ctx) == errCrowded {
		return
	}
	b := l.unsaid
	switch context.Cause(l.ctx) {
	case errShutdown:
		b = appendNotice(l.rest(b), "", shutdownText)
	case errLostEvents:
		b = appendNotice(b, "", lostEventsText)
	case errLostLogs:
		b = appendNotice(b, "", lostLogsText)
	default:
		about := ""
		if ch := l.channel(); ch != nil {
			about = "Controlled-Session-UUID: " + ch.UUID() + "\nContent-Disposition: disconnect\n"
		}
		b = appendNotice(b, about, goodbyeText)
	}
	l.conn.SetWriteDeadline(time.Now().Add(farewellTime))
	l.conn.Write(b)
}

// hangUp closes the connection so that the last words arrive.
func (l *listener) hangUp() {
	defer l.conn.Close()
	half, ok := l.conn.(interface{ CloseWrite() error })
	if !ok || context.Cause(l.ctx) == errCrowded || half.CloseWrite() != nil {
		return
	}
	l.conn.SetReadDeadline(time.Now().Add(drainTime))
	io.CopyN(io.Discard, l.conn, drainBytes)
}

func (l *listener) info() Listener {
	i := Listener{Remote: l.remote, Outbound: l.outbound, Authenticated: l.outbound || l.authed.Load()}
	i.Waiting, i.Lost = l.events.count()
	if u := l.user.Load(); u != nil {
		i.User = *u
	}
	if ch := l.channel(); ch != nil {
		i.Call = ch.UUID()
	}
	return i
}
