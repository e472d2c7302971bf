package esl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// ErrClosed is what calls return once the connection has ended; Err says why.
var ErrClosed = errors.New("esl: connection closed")

const (
	// maxPending is how many commands may wait for their replies at once.
	maxPending = 256
	// writeTimeout is how long a switch may take nothing from a connection.
	writeTimeout = 30 * time.Second
)

// Conn is a connection to a switch. Its methods may be used by many goroutines
// at once. Close it when it is no longer needed; it also ends by itself when the
// switch goes away.
type Conn struct {
	nc     net.Conn
	r      *Reader
	ctx    context.Context // ends with the connection
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when the reader has returned
	call   *Event        // of an outbound connection

	events chan *Event
	logs   chan *LogLine
	lost   atomic.Uint64

	sending sync.Mutex         // orders writes and their places in pending
	pending chan chan *Message // replies come in the order of the commands

	mu   sync.Mutex
	jobs map[string]chan *Event
}

func newConn(nc net.Conn, queue int) *Conn {
	if queue <= 0 {
		queue = DefaultQueue
	}
	c := &Conn{
		nc: nc, r: NewReader(nc, FullLimits),
		done:    make(chan struct{}),
		events:  make(chan *Event, queue),
		logs:    make(chan *LogLine, queue),
		pending: make(chan chan *Message, maxPending),
		jobs:    make(map[string]chan *Event),
	}
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	return c
}

func (c *Conn) start() {
	context.AfterFunc(c.ctx, func() { c.nc.Close() })
	go c.read()
}

// Events delivers events in their order. It is closed when the connection has
// ended and all that came before was read.
func (c *Conn) Events() <-chan *Event { return c.events }

// Logs delivers log lines after Log. It is closed like Events.
func (c *Conn) Logs() <-chan *LogLine { return c.logs }

// Lost is how many events and log lines were dropped because nobody read them.
func (c *Conn) Lost() uint64 { return c.lost.Load() }

// Done is closed when the connection ends.
func (c *Conn) Done() <-chan struct{} { return c.ctx.Done() }

// Err is why the connection ended, nil while it is up. After Close it is
// ErrClosed.
func (c *Conn) Err() error { return context.Cause(c.ctx) }

// RemoteAddr is the switch's address.
func (c *Conn) RemoteAddr() net.Addr { return c.nc.RemoteAddr() }

// Close ends the connection and waits for its goroutine.
func (c *Conn) Close() error {
	c.cancel(ErrClosed)
	<-c.done
	return nil
}

// read takes packets off the wire until the connection ends.
func (c *Conn) read() {
	defer close(c.done)
	var err error
	for {
		var m *Message
		if m, err = c.r.ReadMessage(); err != nil {
			break
		}
		if err = c.dispatch(m); err != nil {
			break
		}
	}
	if err == io.EOF {
		err = fmt.Errorf("%w by the switch", ErrClosed)
	}
	c.cancel(err)
	// Nobody joins the queue of pending commands once the context has ended and the
	// lock was taken.
	c.sending.Lock()
	close(c.pending)
	c.sending.Unlock()
	for reply := range c.pending {
		close(reply)
	}
	c.mu.Lock()
	for id, job := range c.jobs {
		close(job)
		delete(c.jobs, id)
	}
	c.jobs = nil
	c.mu.Unlock()
	close(c.events)
	close(c.logs)
}

func (c *Conn) dispatch(m *Message) error {
	switch t := m.Get("Content-Type"); t {
	case "command/reply", "api/response":
		select {
		case reply := <-c.pending:
			reply <- m
		default:
			return errors.New("esl: a reply that no command asked for")
		}
	case "log/data":
		c.offerLog(m)
	case "text/disconnect-notice":
		if !strings.EqualFold(m.Get("Content-Disposition"), "linger") {
			return fmt.Errorf("%w: %s", ErrClosed, strings.TrimSpace(string(m.Body)))
		}
		// The call is gone and the connection lives on; whoever reads events sees it.
		c.offerEvent(&Event{Headers: m.Headers})
	default:
		e, err := parseEvent(m)
		if err != nil || e == nil {
			return err
		}
		if e.Name() == "BACKGROUND_JOB" && c.finishJob(e) {
			return nil
		}
		c.offerEvent(e)
	}
	return nil
}

// parseEvent reads the event that a packet carries; nil if it carries none.
func parseEvent(m *Message) (*Event, error) {
	switch m.Get("Content-Type") {
	case "text/event-plain":
		return ParsePlain(m.Body)
	case "text/event-json":
		return ParseJSON(m.Body)
	case "text/event-xml":
		return ParseXML(m.Body)
	}
	return nil, nil
}

func (c *Conn) offerEvent(e *Event) {
	select {
	case c.events <- e:
	default:
		c.lost.Add(1)
	}
}

// write sends bytes; c.sending is held, or nobody else has the Conn yet.
func (c *Conn) write(text string) error {
	c.nc.SetWriteDeadline(time.Now().Add(writeTimeout))
	_, err := io.WriteString(c.nc, text)
	return err
}

// request sends a packet and waits for its reply. When ctx ends first, the reply
// is dropped as it comes.
func (c *Conn) request(ctx context.Context, packet string) (*Message, error) {
	reply := make(chan *Message, 1)
	c.sending.Lock()
	if c.ctx.Err() != nil {
		c.sending.Unlock()
		return nil, c.closed()
	}
	select {
	case c.pending <- reply:
	default:
		c.sending.Unlock()
		return nil, fmt.Errorf("esl: %d commands wait for replies", maxPending)
	}
	err := c.write(packet)
	c.sending.Unlock()
	if err != nil {
		c.cancel(fmt.Errorf("esl: %w", err))
		return nil, c.closed()
	}
	select {
	case m, ok := <-reply:
		if !ok {
			return nil, c.closed()
		}
		return m, nil
	case <-ctx.Done():
		// A handler's context ends with its connection; a reply that came before counts.
		select {
		case m, ok := <-reply:
			if ok {
				return m, nil
			}
		default:
		}
		return nil, context.Cause(ctx)
	}
}

// closed is the error of a connection that has ended.
func (c *Conn) closed() error {
	if err := c.Err(); err != nil && !errors.Is(err, ErrClosed) {
		return fmt.Errorf("%w: %w", ErrClosed, err)
	}
	return ErrClosed
}
