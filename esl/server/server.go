package server

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/directory"
	"github.com/switchlet/switchlet/esl"
)

// Options are what a Server is made with. Fields that are zero get the defaults
// named here.
type Options struct {
	// ListenAddr is "host:port"; a host of "::" takes IPv4 too.
	ListenAddr string
	// Password is what "auth" must say. Empty refuses everybody.
	Password string
	// WeakPassword says that Password is a stock one, such as ClueCon: it is then
	// accepted from loopback addresses only.
	WeakPassword bool
	// AllowGuessable lets users whose esl-password everybody would guess log in
	// from everywhere. Otherwise they may from loopback addresses only.
	AllowGuessable bool
	// Allow judges an address before anything is said. When it refuses it returns
	// the name of the access list that did. Nil allows loopback addresses.
	Allow func(netip.Addr) (list string, ok bool)
	// UserAuth returns the parameters of a user of the directory for "userauth"
	// (domain, group and user merged; esl-password and its kin), or false. Nil
	// refuses every user.
	UserAuth func(ctx context.Context, user, domain string) (params map[string]string, ok bool)
	// ExpandAlias replaces a console alias, as for a line with console_execute. Nil
	// knows none.
	ExpandAlias func(line string) (string, bool)
	// StopOnBindError makes Start fail when the address cannot be had. Otherwise it
	// is tried again until the server is closed.
	StopOnBindError bool
	// Debug logs connections as they open and close.
	Debug bool

	// EventQueue is how many events wait for one listener (100000). More are lost
	// to it; after 500 in a row it is cut off. LogQueue is the same for log lines.
	EventQueue, LogQueue int
	// WriteTimeout is how long a peer may take nothing at all of what is written to
	// it (60 s); then it counts as gone.
	WriteTimeout time.Duration
	// LoginTimeout is the time for a connection's first command (25 s).
	LoginTimeout time.Duration
	// DialTimeout is the time for each host that the application socket tries (5 s).
	DialTimeout time.Duration
	// MaxUnauthenticated bounds the connections that have not said who they are
	// (1000). When one more comes, the oldest goes.
	MaxUnauthenticated int
	// MaxJobs bounds the commands that run in the background at once (10000).
	MaxJobs int
}

// maxLostRun is how many entries in a row a listener may lose.
const maxLostRun = 500

// maxAcceptErrors is after how many failures in a row the port is given up.
const maxAcceptErrors = 100

// bindPause is the time between two tries to get the address.
const bindPause = 100 * time.Millisecond

// closeWait bounds how long Close waits for commands that run.
const closeWait = 5 * time.Second

// Server holds all listeners of a switch, those who came in and those that the
// application socket made.
type Server struct {
	Options
	sw      *call.Switch
	ctx     context.Context // ends with the server
	cancel  context.CancelCauseFunc
	running sync.WaitGroup
	buffers sync.Pool
	jobs    atomic.Int64
	lost    atomic.Uint64 // events that found a listener's queue full
	strange complaints
	guesses directory.Guesses

	verbs, strangerVerbs []verb
	orders               map[string]func(*esl.Command) order

	mu        sync.Mutex
	socket    net.Listener
	listeners map[*listener]struct{}
	strangers list.List // listeners that have not authenticated, oldest first
	closed    bool
}

// New makes a server. It serves the application socket at once, and the port
// after Start.
func New(sw *call.Switch, o Options) *Server {
	number := func(n *int, otherwise int) {
		if *n <= 0 {
			*n = otherwise
		}
	}
	span := func(d *time.Duration, otherwise time.Duration) {
		if *d <= 0 {
			*d = otherwise
		}
	}
	number(&o.EventQueue, 100000)
	number(&o.LogQueue, 100000)
	number(&o.MaxUnauthenticated, 1000)
	number(&o.MaxJobs, 10000)
	span(&o.WriteTimeout, time.Minute)
	span(&o.LoginTimeout, 25*time.Second)
	span(&o.DialTimeout, 5*time.Second)
	if o.Allow == nil {
		o.Allow = func(a netip.Addr) (string, bool) { return "loopback.auto", a.IsLoopback() }
	}
	s := &Server{Options: o, sw: sw, listeners: make(map[*listener]struct{}),
		verbs: verbs(), strangerVerbs: strangerVerbs(), orders: orders()}
	s.buffers.New = func() any { b := make([]byte, 0, bufferSize); return &b }
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	return s
}

// Start opens the port and serves it until ctx ends or Close is called. When the
// address is taken and StopOnBindError is not set, it says so in the log, returns
// nil and goes on trying.
func (s *Server) Start(ctx context.Context) error {
	release := context.AfterFunc(ctx, func() { s.Close() })
	ln, err := s.bind(ctx)
	if err != nil {
		err = s.bindError(err)
		if s.StopOnBindError || ctx.Err() != nil {
			release()
			return err
		}
		s.sw.Log.Printf(call.LogErr, "%v; trying again", err)
	}
	if !s.enter(func() { s.accept(ctx, ln) }) {
		if ln != nil {
			ln.Close()
		}
		return net.ErrClosed
	}
	return nil
}

// enter runs fn in a goroutine that Close waits for.
func (s *Server) enter(fn func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.running.Go(fn)
	return true
}

func (s *Server) bind(ctx context.Context) (net.Listener, error) {
	lc := net.ListenConfig{KeepAliveConfig: keepAlive}
	ln, err := lc.Listen(ctx, "tcp", s.ListenAddr)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		ln.Close()
		return nil, net.ErrClosed
	}
	s.socket = ln
	return ln, nil
}

// keepAlive finds a peer that has vanished within a minute.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 3}

// bindError says what is wrong with the address and who should change what.
func (s *Server) bindError(err error) error {
	mend := "change listen-ip or listen-port in autoload_configs/event_socket.conf.xml"
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		mend = "another program, perhaps a second switch, listens there: stop it, or " + mend + " (--set event_socket_port=N, --port-offset N)"
	case errors.Is(err, syscall.EACCES):
		mend = "ports below 1024 need a privilege: " + mend
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		mend = "this host has no such address: " + mend
	}
	return fmt.Errorf("event socket: cannot listen on %s: %w: %s", s.ListenAddr, err, mend)
}

// Addr is the address of the port, nil while there is none.
func (s *Server) Addr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.socket == nil {
		return nil
	}
	return s.socket.Addr()
}

// accept takes connections in until the server is closed.
func (s *Server) accept(ctx context.Context, ln net.Listener) {
	for ln == nil {
		if !s.sleep(ctx, bindPause) {
			return
		}
		var err error
		if ln, err = s.bind(ctx); err == nil {
			s.sw.Log.Printf(call.LogNotice, "event socket: listening on %s", ln.Addr())
		}
	}
	defer ln.Close()
	failures := 0
	for {
		conn, err := ln.Accept()
		if err == nil {
			failures = 0
			s.admit(conn)
			continue
		}
		if s.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
			return
		}
		if failures++; failures == 1 {
			s.sw.Log.Printf(call.LogErr, "event socket: accept: %v", err)
		}
		if failures > maxAcceptErrors {
			s.sw.Log.Printf(call.LogCrit, "event socket: accept failed %d times, giving up: %v", failures, err)
			return
		}
		if !s.sleep(ctx, time.Duration(failures)*10*time.Millisecond) {
			return
		}
	}
}

func (s *Server) sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
	case <-s.ctx.Done():
	}
	return false
}

// admit starts a listener for a connection that came in.
func (s *Server) admit(conn net.Conn) {
	l := s.newListener(conn)
	l.full = true
	if from, err := netip.ParseAddrPort(l.remote); err == nil {
		l.addr = from.Addr().Unmap()
	}
	if list, ok := s.Allow(l.addr); !ok {
		s.strange.logf(s.sw.Log, "IP %s Rejected by acl %q", l.addr, list)
		l.rejected = true
	}
	if !s.register(l) || !s.enter(l.run) {
		conn.Close()
		s.forget(l)
		return
	}
	if s.Debug {
		s.sw.Log.Printf(call.LogDebug, "Connection Open from %s", l.remote)
	}
}

// register adds a listener. One that came in is a stranger until it has
// authenticated; too many of them push the oldest out.
func (s *Server) register(l *listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.listeners[l] = struct{}{}
	if l.outbound {
		return true
	}
	l.stranger = s.strangers.PushBack(l)
	if s.strangers.Len() > s.MaxUnauthenticated {
		oldest := s.strangers.Front()
		s.strangers.Remove(oldest)
		l := oldest.Value.(*listener)
		l.stranger = nil
		l.end(errCrowded)
	}
	return true
}

// known takes a listener off the list of strangers.
func (s *Server) known(l *listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.stranger != nil {
		s.strangers.Remove(l.stranger)
		l.stranger = nil
	}
}

func (s *Server) forget(l *listener) {
	s.known(l)
	s.mu.Lock()
	delete(s.listeners, l)
	s.mu.Unlock()
}

// Close tells every listener that the system goes down, ends them and closes the
// port. It waits until they are gone, or for commands that do not end a few
// seconds at most.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	if s.socket != nil {
		s.socket.Close()
	}
	for l := range s.listeners {
		l.end(errShutdown)
	}
	s.mu.Unlock()
	s.cancel(call.ErrShutdown)
	done := make(chan struct{})
	go func() {
		s.running.Wait()
		close(done)
	}()
	t := time.NewTimer(closeWait)
	defer t.Stop()
	select {
	case <-done:
		return nil
	case <-t.C:
		return errors.New("event socket: commands still run")
	}
}

// Listener is what the outside may know of one connection.
type Listener struct {
	Remote        string // "address:port" of the peer
	User          string // of userauth, or ""
	Call          string // UUID of the controlled call, or ""
	Outbound      bool   // made by the application socket
	Authenticated bool
	Waiting       int    // events in the queue
	Lost          uint64 // events that found it full
}

// Lost is how many events listeners have lost since the start, because their queues
// were full.
func (s *Server) Lost() uint64 { return s.lost.Load() }

// Listeners returns the connections that there are, in no order.
func (s *Server) Listeners() []Listener {
	s.mu.Lock()
	all := make([]*listener, 0, len(s.listeners))
	for l := range s.listeners {
		all = append(all, l)
	}
	s.mu.Unlock()
	out := make([]Listener, len(all))
	for i, l := range all {
		out[i] = l.info()
	}
	return out
}
