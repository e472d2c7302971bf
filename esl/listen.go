package esl

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// maxCalls is how many outbound connections Serve has open at once; more are
// closed as they come, whereupon their calls go on in the dialplan.
const maxCalls = 10000

// Handler controls one call through the outbound connection that the switch made
// for it. ctx ends when the connection does. The connection is closed when the
// handler returns, and the call then goes on in its dialplan.
type Handler func(ctx context.Context, c *Conn)

// Listen waits on addr ("127.0.0.1:8084") for the connections of the application
// "socket" and runs handle for each. It returns when ctx ends and every handler
// has returned.
func Listen(ctx context.Context, addr string, handle Handler) error {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("esl: %w", err)
	}
	return Serve(ctx, ln, handle)
}

// Serve is Listen on a listener that exists; it closes it.
func Serve(ctx context.Context, ln net.Listener, handle Handler) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	context.AfterFunc(ctx, func() { ln.Close() })
	var calls sync.WaitGroup
	defer calls.Wait()
	slots := make(chan struct{}, maxCalls)
	pause := 5 * time.Millisecond
	for {
		nc, err := ln.Accept()
		if ctx.Err() != nil {
			if err == nil {
				nc.Close()
			}
			cancel()
			return context.Cause(ctx)
		}
		if errors.Is(err, net.ErrClosed) {
			cancel()
			return fmt.Errorf("esl: %w", err)
		}
		if err != nil {
			// Out of descriptors or the like: it passes, or ctx ends.
			t := time.NewTimer(pause)
			select {
			case <-t.C:
			case <-ctx.Done():
				t.Stop()
			}
			pause = min(pause*2, time.Second)
			continue
		}
		pause = 5 * time.Millisecond
		select {
		case slots <- struct{}{}:
			calls.Go(func() {
				defer func() { <-slots }()
				serveCall(ctx, nc, handle)
			})
		default:
			nc.Close()
		}
	}
}

func serveCall(ctx context.Context, nc net.Conn, handle Handler) {
	release := context.AfterFunc(ctx, func() { nc.Close() })
	defer release()
	c := newConn(nc, 0)
	nc.SetDeadline(time.Now().Add(loginTimeout))
	if c.write("connect\n\n") != nil {
		nc.Close()
		return
	}
	m, err := c.r.ReadMessage()
	if err != nil || m.Get("Content-Type") != "command/reply" {
		nc.Close()
		return
	}
	nc.SetDeadline(time.Time{})
	c.call = &Event{Headers: m.Headers}
	c.start()
	defer c.Close()
	handle(c.ctx, c)
}

// Call is the data of the call (event CHANNEL_DATA) that an outbound connection
// belongs to, as it was when the switch connected; nil on an inbound one.
func (c *Conn) Call() *Event { return c.call }
