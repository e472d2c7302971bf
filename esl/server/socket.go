package server

import (
	"context"
	"errors"
	"net"
	"strings"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/esl"
)

// defaultPort is that of a target without one.
const defaultPort = "8084"

// errReleased ends the waiting of a call whose controller has gone.
var errReleased = errors.New("controller has gone")

// Application is the row of the application "socket": it connects the call to a
// controller and obeys it (spec/esl.md §6).
func Application(s *Server) call.Application {
	return call.Application{
		Name:        "socket",
		Syntax:      "<ip>[:<port>]",
		Description: "Connect to a socket",
		Flags:       call.NoMedia,
		Run:         s.socketApp,
	}
}

// target is one host that the application tries.
type target struct{ host, port, path string }

// parseTargets reads HOST[:PORT][/PATH][|HOST2…].
func parseTargets(text string) []target {
	var out []target
	for _, one := range strings.Split(text, "|") {
		var t target
		one, t.path, _ = strings.Cut(one, "/")
		host, port, err := net.SplitHostPort(one)
		if err != nil {
			host, port = strings.Trim(one, "[]"), ""
		}
		if t.host, t.port = host, port; t.port == "" {
			t.port = defaultPort
		}
		if t.host != "" {
			out = append(out, t)
		}
	}
	return out
}

// socketApp runs in the goroutine of the call.
func (s *Server) socketApp(ctx context.Context, ch *call.Channel, args string) error {
	fields := strings.Fields(args)
	if len(fields) == 0 {
		ch.Log(call.LogErr, "Parse Error!")
		return nil
	}
	var async, full bool
	for _, w := range fields[1:] {
		async = async || strings.EqualFold(w, "async")
		full = full || strings.EqualFold(w, "full")
	}
	conn := s.reach(ctx, ch, parseTargets(fields[0]))
	if conn == nil {
		ch.Log(call.LogErr, "Socket Error!")
		return nil
	}
	l := s.newListener(conn)
	l.outbound, l.async, l.full = true, async, full
	l.control.Store(&control{ch, ch.Retain()})
	l.r.SetLimits(esl.FullLimits)
	l.startPump()
	if !s.register(l) || !s.enter(l.run) {
		l.end(errShutdown)
		l.finish()
		return nil
	}
	return l.attend(ctx, ch)
}

// reach tries one target after the other.
func (s *Server) reach(ctx context.Context, ch *call.Channel, targets []target) net.Conn {
	for _, t := range targets {
		ch.Set("socket_host", t.host)
		ch.Set("socket_path", t.path)
		conn, err := s.dial(ctx, t)
		if err == nil {
			return conn
		}
		if ctx.Err() != nil {
			return nil
		}
		ch.Log(call.LogWarning, "socket %s: %v", net.JoinHostPort(t.host, t.port), err)
	}
	return nil
}

// dial tries one target. The end of the call ends the trying.
func (s *Server) dial(ctx context.Context, t target) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, s.DialTimeout)
	defer cancel()
	d := net.Dialer{KeepAliveConfig: keepAlive}
	return d.DialContext(ctx, "tcp", net.JoinHostPort(t.host, t.port))
}

// attend keeps the call until its listener has gone or the call does something
// else. Meanwhile the call serves its inbox, where the listener's orders come.
func (l *listener) attend(ctx context.Context, ch *call.Channel) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(l.ctx, func() { cancel(errReleased) })()
	if l.async {
		// It parks when the controller has asked for the call.
		if await(ctx, ch, l.connected) == nil {
			ch.Park(ctx)
		}
	}
	// Synchronously, or when the call is parked already, it only waits.
	err := await(ctx, ch, nil)
	switch {
	case errors.Is(err, errReleased):
		return nil
	case ch.Up() && !l.async:
		// The call was sent elsewhere, and with it goes its thread. The end of a call is
		// told to the controller by the pump instead.
		l.end(errGoodbye)
	}
	return err
}

// await waits for done, or for the end of ctx; breaks do not end it.
func await(ctx context.Context, ch *call.Channel, done <-chan struct{}) error {
	for {
		if err := ch.Wait(ctx, done, call.WaitOptions{}); !errors.Is(err, call.ErrBreak) {
			return err
		}
	}
}
