package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// ErrClosed is returned once the Store is closed.
var ErrClosed = errors.New("store: closed")

// NotConnectedError says that a data source name leads nowhere. Text is the line
// that FreeSWITCH writes to its log for it (spec/lua.md §4).
type NotConnectedError struct {
	DSN  string
	Text string
	Err  error // what the database said, or nil
}

func (e *NotConnectedError) Error() string {
	if e.Err != nil {
		return e.Text + ": " + e.Err.Error()
	}
	return e.Text
}

// Unwrap returns what the database said.
func (e *NotConnectedError) Unwrap() error { return e.Err }

// target is a data source name taken apart.
type target struct {
	dsn    string
	driver *Driver // nil: SQLite
	file   string  // SQLite: a path, or a URI beginning with "file:"
}

func (t *target) uri() bool { return strings.HasPrefix(t.file, "file:") }

// memory reports whether the database lives in memory only, so that it is gone
// when its last connection closes.
func (t *target) memory() bool {
	return t.file == ":memory:" || t.uri() && (strings.Contains(t.file, "mode=memory") || strings.Contains(t.file, ":memory:"))
}

// maxDSN bounds a data source name in bytes.
const maxDSN = 4096

// resolve finds the database of a name (spec/lua.md §4): sqlite://name, name and
// core:name are files in the directory, absolute paths are themselves,
// sqlite://memory://URI is SQLite's own URI. Everything else needs a driver.
func (s *Store) resolve(dsn string) (*target, error) {
	t := &target{dsn: dsn}
	no := func(format string, args ...any) (*target, error) {
		return nil, &NotConnectedError{DSN: dsn, Text: fmt.Sprintf(format, args...)}
	}
	if dsn == "" || len(dsn) > maxDSN || strings.IndexByte(dsn, 0) >= 0 {
		return no("No DSN given")
	}
	if rest, ok := strings.CutPrefix(dsn, "sqlite://"); ok {
		if uri, ok := strings.CutPrefix(rest, "memory://"); ok {
			t.file = uri
			return t, nil
		}
		if rest == "" {
			return no("Failure to connect to CORE_DB %s!", dsn)
		}
		t.file = s.file(rest)
		return t, nil
	}
	if filepath.IsAbs(dsn) {
		t.file = dsn
		return t, nil
	}
	if scheme, _, ok := strings.Cut(dsn, "://"); ok {
		for i := range s.opts.Drivers {
			if s.opts.Drivers[i].Scheme == scheme {
				t.driver = &s.opts.Drivers[i]
				return t, nil
			}
		}
		if scheme == "odbc" {
			return no("Failure! ODBC NOT AVAILABLE! Can't connect to DSN %s", strings.TrimPrefix(dsn, "odbc://"))
		}
		return no("Failure to connect to CORE_DB %s!", dsn)
	}
	if name, ok := strings.CutPrefix(dsn, "core:"); ok && name != "" && !strings.ContainsAny(name, `/\:`) {
		t.file = s.file(name)
		return t, nil
	}
	if strings.Contains(dsn, ":") {
		return no("Failure! ODBC NOT AVAILABLE! Can't connect to DSN %s", dsn)
	}
	t.file = s.file(dsn)
	return t, nil
}

func (s *Store) file(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(s.opts.Dir, name+".db")
}
