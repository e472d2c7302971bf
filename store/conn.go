package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// ErrReleased is returned by a Conn that was given back.
var ErrReleased = errors.New("store: connection was released")

// Conn is one connection for one user at a time. Its methods may be nested (a
// query inside a row function) but not used by two goroutines at once.
type Conn struct {
	pool    *pool
	target  *target
	session Session
	file    os.FileInfo
	freed   bool
}

// Run executes the statements of sql one after the other; see Session.
func (c *Conn) Run(ctx context.Context, sql string, row func(names []string, values []Value) bool) error {
	if c.freed {
		return ErrReleased
	}
	return c.session.Run(ctx, sql, row)
}

// Changed is how many rows the last INSERT, UPDATE or DELETE touched.
func (c *Conn) Changed() int64 {
	if c.freed {
		return 0
	}
	return c.session.Changed()
}

// DSN is the data source name that the connection was taken with.
func (c *Conn) DSN() string { return c.target.dsn }

// Release gives the connection back to the pool; what it has not committed is
// rolled back. It reports false for a connection that was released before.
func (c *Conn) Release() bool {
	if c.freed {
		return false
	}
	c.freed = true
	c.pool.give(c)
	return true
}

// spare is an unused connection.
type spare struct {
	session Session
	file    os.FileInfo // when it was opened
	since   time.Time
}

// pool keeps unused connections per database for a while.
type pool struct {
	opts  *Options
	slots chan struct{} // one for each connection in use

	mu     sync.Mutex
	spares map[string][]spare
	timer  *time.Timer
	closed bool
}

func newPool(o *Options) *pool {
	return &pool{opts: o, slots: make(chan struct{}, o.MaxHandles), spares: make(map[string][]spare)}
}

func (t *target) key() string {
	if t.driver != nil {
		return strings.Join([]string{t.source.DSN, t.source.User, t.source.Password}, "\x00")
	}
	return t.file
}

func (p *pool) take(ctx context.Context, t *target) (*Conn, error) {
	if err := p.enter(ctx, t); err != nil {
		return nil, err
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		<-p.slots
		return nil, ErrClosed
	}
	for list := p.spares[t.key()]; len(list) > 0; {
		s := list[len(list)-1]
		list = list[:len(list)-1]
		p.spares[t.key()] = list
		if !s.stale(t) {
			p.mu.Unlock()
			return &Conn{pool: p, target: t, session: s.session, file: s.file}, nil
		}
		s.session.Close()
	}
	p.mu.Unlock()
	s, err := p.open(ctx, t)
	if err != nil {
		<-p.slots
		return nil, err
	}
	return &Conn{pool: p, target: t, session: s, file: t.stat()}, nil
}

// stat is the database's file as it is on the disk now, nil if it has none.
func (t *target) stat() os.FileInfo {
	if t.driver != nil || t.uri() {
		return nil
	}
	info, err := os.Stat(t.file)
	if err != nil {
		return nil
	}
	return info
}

// stale reports whether the file was removed or replaced since the connection
// was opened.
func (s *spare) stale(t *target) bool {
	if s.file == nil {
		return false
	}
	now := t.stat()
	return now == nil || !os.SameFile(now, s.file)
}

// enter takes one of the slots, waiting for it if need be.
func (p *pool) enter(ctx context.Context, t *target) error {
	select {
	case p.slots <- struct{}{}:
		return nil
	default:
	}
	p.opts.Warn(fmt.Sprintf("Max handles %d exceeded, blocking....", p.opts.MaxHandles))
	timeout := time.NewTimer(p.opts.Wait)
	defer timeout.Stop()
	select {
	case p.slots <- struct{}{}:
		return nil
	case <-timeout.C:
		return &NotConnectedError{DSN: t.dsn, Text: fmt.Sprintf("No database handle came free within %v, %d are in use", p.opts.Wait, p.opts.MaxHandles)}
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p *pool) open(ctx context.Context, t *target) (Session, error) {
	if t.driver != nil {
		s, err := t.driver.Open(ctx, t.source)
		if err != nil {
			return nil, &NotConnectedError{DSN: t.dsn, Text: fmt.Sprintf("Failure to connect to %s!", Shown(t.dsn)), Err: err}
		}
		return s, nil
	}
	if dir := filepath.Dir(t.file); !t.uri() && !t.memory() && filepath.Clean(dir) == p.opts.Dir {
		if err := os.MkdirAll(dir, 0o750); err != nil {
			return nil, &NotConnectedError{DSN: t.dsn, Text: fmt.Sprintf("Failure to connect to CORE_DB %s!", t.dsn), Err: err}
		}
	}
	s, err := openSQLite(ctx, t, p.opts.Warn)
	if err != nil {
		return nil, &NotConnectedError{DSN: t.dsn, Text: fmt.Sprintf("Failure to connect to CORE_DB %s!", t.dsn), Err: err}
	}
	return s, nil
}

// give takes a connection back, or closes it if it cannot be reused.
func (p *pool) give(c *Conn) {
	t, s := c.target, c.session
	defer func() { <-p.slots }()
	if err := s.Reset(); err != nil {
		s.Close()
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		s.Close()
		return
	}
	key := t.key()
	p.spares[key] = append(p.spares[key], spare{s, c.file, time.Now()})
	if p.timer == nil {
		p.timer = time.AfterFunc(p.opts.Idle, p.sweep)
	}
}

// sweep closes what was not used for long enough, and comes again while there is
// anything left.
func (p *pool) sweep() {
	// A server may take its time to say goodbye.
	for _, s := range p.expired() {
		s.Close()
	}
}

func (p *pool) expired() []Session {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer = nil
	var old []Session
	limit := time.Now().Add(-p.opts.Idle)
	for key, list := range p.spares {
		kept := list[:0]
		for _, s := range list {
			if s.since.After(limit) {
				kept = append(kept, s)
			} else {
				old = append(old, s.session)
			}
		}
		if len(kept) == 0 {
			delete(p.spares, key)
			continue
		}
		p.spares[key] = kept
	}
	if len(p.spares) > 0 && !p.closed {
		p.timer = time.AfterFunc(p.opts.Idle, p.sweep)
	}
	return old
}

func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.timer != nil {
		p.timer.Stop()
	}
	for _, list := range p.spares {
		for _, s := range list {
			s.session.Close()
		}
	}
	p.spares = nil
}
