package esl

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// ErrRefused is why Dial fails when the switch does not let the client in: wrong
// password, or an address that its access list forbids.
var ErrRefused = errors.New("esl: refused by the switch")

// DefaultQueue is how many events wait in a Conn for their reader.
const DefaultQueue = 10000

// loginTimeout bounds the exchange before a connection is usable.
const loginTimeout = 10 * time.Second

// Options are what can be chosen about a connection. The zero value is that of
// Dial without a password.
type Options struct {
	// User and Domain, when set, log in as a user of the directory.
	User, Domain string
	Password     string
	// Queue is the most events, and the most log lines, that wait to be read.
	// When it is full newer ones are lost and counted. 0 is DefaultQueue.
	Queue int
	// Dial opens the connection; nil is a net.Dialer.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Dial connects to a switch ("host:port") and authenticates with the event
// socket's password. ctx bounds the connecting only. The error wraps ErrRefused
// when the switch says no.
func Dial(ctx context.Context, addr, password string) (*Conn, error) {
	return Options{Password: password}.Connect(ctx, addr)
}

// DialUser is Dial for a user of the directory, "1000@example.com".
func DialUser(ctx context.Context, addr, user, password string) (*Conn, error) {
	name, domain, _ := strings.Cut(user, "@")
	return Options{User: name, Domain: domain, Password: password}.Connect(ctx, addr)
}

// Connect is Dial with options.
func (o Options) Connect(ctx context.Context, addr string) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, loginTimeout)
	defer cancel()
	dial := o.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	nc, err := dial(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("esl: %w", err)
	}
	// Ending ctx ends whatever read or write the login waits in.
	release := context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) })
	c := newConn(nc, o.Queue)
	err = c.login(o)
	if !release() {
		err = errors.Join(err, context.Cause(ctx))
	}
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("esl: %s: %w", addr, err)
	}
	nc.SetDeadline(time.Time{})
	c.start()
	return c, nil
}

// login runs before the reader does, so it reads the replies itself.
func (c *Conn) login(o Options) error {
	m, err := c.r.ReadMessage()
	if err != nil {
		return err
	}
	if t := m.Get("Content-Type"); t != "auth/request" {
		return fmt.Errorf("%w: %s", ErrRefused, strings.TrimSpace(t+" "+string(m.Body)))
	}
	line := "auth " + o.Password
	if o.User != "" {
		line = "userauth " + o.User + "@" + o.Domain + ":" + o.Password
	}
	if strings.ContainsAny(line, "\r\n") {
		return fmt.Errorf("%w: password or user name with a line end", ErrRefused)
	}
	if err := c.write(line + "\n\n"); err != nil {
		return err
	}
	if m, err = c.r.ReadMessage(); err != nil {
		return err
	}
	if reply := m.Get("Reply-Text"); !strings.HasPrefix(reply, "+OK") {
		return fmt.Errorf("%w: %s", ErrRefused, strings.TrimSpace(reply))
	}
	return nil
}

// Backoff of Keep: the pause after the first failed try, and the longest.
const (
	firstPause = 250 * time.Millisecond
	lastPause  = 30 * time.Second
)

// Keep holds a connection up: it connects, calls use with it, and connects anew
// when use returns, with growing pauses while the switch is away. The context
// that use gets ends with the connection. Keep returns when ctx ends, when the
// switch refuses the password (ErrRefused), or with the error of use if that
// wraps ErrStop. failed, if not nil, hears of each connection that ended or did
// not come about.
func Keep(ctx context.Context, o Options, addr string, use func(context.Context, *Conn) error, failed func(error)) error {
	pause := firstPause
	for {
		c, err := o.Connect(ctx, addr)
		if err == nil {
			pause = firstPause
			release := context.AfterFunc(ctx, func() { c.cancel(ErrClosed) })
			err = use(c.ctx, c)
			release()
			if cause := c.Err(); err == nil && cause != nil {
				err = cause
			}
			c.Close()
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if errors.Is(err, ErrRefused) || errors.Is(err, ErrStop) {
			return err
		}
		if failed != nil && err != nil {
			failed(err)
		}
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			t.Stop()
			return context.Cause(ctx)
		case <-t.C:
		}
		pause = min(pause*2, lastPause)
	}
}

// ErrStop makes Keep return when its function's error wraps it.
var ErrStop = errors.New("esl: stop")

// NewUUID returns a random UUID in text form, for Job-UUID and Event-UUID.
func NewUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
