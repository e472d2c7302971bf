package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Defaults of Options.
const (
	defaultIdle       = 30 * time.Second
	defaultMaxHandles = 256
	defaultWait       = 5 * time.Second
)

// Options say where the databases are and how many may be open.
type Options struct {
	// Dir holds core.db and the files of sqlite://NAME; it is created.
	Dir string
	// Idle is how long an unused connection stays open; 0: 30 s.
	Idle time.Duration
	// MaxHandles bounds the connections that scripts hold at once
	// (max-db-handles); 0: 256.
	MaxHandles int
	// Wait is how long Conn waits for one of them (db-handle-timeout); 0: 5 s.
	Wait time.Duration
	// Rename, if not nil, says which data source name is opened for one that was
	// asked for: a test keeps real data out of its way with it.
	Rename func(dsn string) string
	// Drivers are databases beside SQLite.
	Drivers []Driver
	// Names is the table of names that stand for other data source names, asked
	// for odbc://NAME, odbc://NAME:USER:PASSWORD and NAME:USER:PASSWORD at each
	// connection; nil: there are none.
	Names func(name string) (dsn string, ok bool)
	// Warn receives what an operator should know, such as a wait for a handle or
	// a locked file; nil discards it. It is called from the waiting goroutine.
	Warn func(text string)
}

// Driver is one row of the table of databases: everything that begins with
// Scheme and "://".
type Driver struct {
	Scheme string // "pgsql"
	// Open connects.
	Open func(ctx context.Context, from Source) (Session, error)
}

// Source is where a driver connects to.
type Source struct {
	DSN string // the whole data source name, with the scheme
	// User and Password, where they are not empty, replace those of the DSN: they
	// were given beside a name of Options.Names.
	User, Password string
}

// Session is what a driver opens: one connection, used by one goroutine at a
// time.
type Session interface {
	// Run executes the statements of sql one after the other. row gets each row
	// (nil: rows are dropped); the slice is reused. When row returns false the
	// rest is left out and Run returns nil.
	Run(ctx context.Context, sql string, row func(names []string, values []Value) bool) error
	// Changed is how many rows the last INSERT, UPDATE or DELETE touched.
	Changed() int64
	// Reset ends an open transaction before the connection goes to another user.
	Reset() error
	Close() error
}

// Value is one column of one row, as text.
type Value struct {
	Text string
	Null bool
	// Number is whether SQLite keeps it as a number; servers give texts only.
	Number bool
}

// Store owns all databases of a switch. It is safe for concurrent use.
type Store struct {
	opts Options
	core *DB
	pool *pool

	mu     sync.Mutex
	dbs    map[string]*DB
	closed bool
}

// Open creates the directory and opens core.db. It fails with the file's name and
// the reason when the disk is full, the file is no database, or it may not be
// written.
func Open(o Options) (*Store, error) {
	if o.Idle <= 0 {
		o.Idle = defaultIdle
	}
	if o.MaxHandles <= 0 {
		o.MaxHandles = defaultMaxHandles
	}
	if o.Wait <= 0 {
		o.Wait = defaultWait
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("store: %s: %w", o.Dir, err)
	}
	o.Dir = dir
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	s := &Store{opts: o, dbs: make(map[string]*DB)}
	s.pool = newPool(&s.opts)
	if s.core, err = s.DB("core"); err != nil {
		return nil, err
	}
	return s, nil
}

// Dir is the directory of the databases, absolute.
func (s *Store) Dir() string { return s.opts.Dir }

// Core is the switch's own database.
func (s *Store) Core() *DB { return s.core }

// DB returns the database that dsn names, which must be SQLite; all who ask for
// the same one share it. It stays open until the Store closes.
func (s *Store) DB(dsn string) (*DB, error) {
	t, err := s.resolve(dsn)
	if err != nil {
		return nil, err
	}
	if t.driver != nil {
		return nil, &NotConnectedError{DSN: dsn, Text: fmt.Sprintf("%s is not a SQLite database", dsn)}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	if d := s.dbs[t.file]; d != nil {
		return d, nil
	}
	d, err := openDB(t, s.opts.Idle)
	if err != nil {
		return nil, err
	}
	s.dbs[t.file] = d
	return d, nil
}

// Conn takes a connection to dsn out of the pool, or opens one. It waits while
// MaxHandles are in use. The error is a *NotConnectedError when there is no such
// database.
func (s *Store) Conn(ctx context.Context, dsn string) (*Conn, error) {
	t, err := s.resolve(dsn)
	if err != nil {
		return nil, err
	}
	return s.pool.take(ctx, t)
}

// Close closes every database. Connections that are still held are closed as
// soon as they are released.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	dbs := s.dbs
	s.dbs = nil
	s.mu.Unlock()
	s.pool.close()
	var first error
	for _, d := range dbs {
		if err := d.close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}
