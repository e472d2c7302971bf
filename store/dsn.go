package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
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
	source Source  // for the driver
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
// sqlite://memory://URI is SQLite's own URI. odbc://name and name:user:password are
// looked up in the table of names. Everything else needs a driver.
func (s *Store) resolve(dsn string) (*target, error) {
	if s.opts.Rename != nil {
		dsn = s.opts.Rename(dsn)
	}
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
				t.driver, t.source.DSN = &s.opts.Drivers[i], dsn
				return t, nil
			}
		}
		if scheme == "odbc" {
			return s.named(dsn, strings.TrimPrefix(dsn, "odbc://"))
		}
		return no("Failure to connect to CORE_DB %s!", Shown(dsn))
	}
	if name, ok := strings.CutPrefix(dsn, "core:"); ok && name != "" && !strings.ContainsAny(name, `/\:`) {
		t.file = s.file(name)
		return t, nil
	}
	if strings.Contains(dsn, ":") {
		return s.named(dsn, dsn)
	}
	t.file = s.file(dsn)
	return t, nil
}

// named finds what NAME:USER:PASSWORD stands for in the table of names. What a
// name leads to may be any data source name but another name.
func (s *Store) named(dsn, text string) (*target, error) {
	name, login, _ := strings.Cut(text, ":")
	user, password, _ := strings.Cut(login, ":")
	if s.opts.Names != nil {
		if to, ok := s.opts.Names(name); ok && !strings.HasPrefix(to, "odbc://") && (strings.Contains(to, "://") || !strings.Contains(to, ":")) {
			t, err := s.resolve(to)
			if err != nil {
				return nil, err
			}
			t.dsn, t.source.User, t.source.Password = "odbc://"+name, user, password
			return t, nil
		}
	}
	return nil, &NotConnectedError{DSN: dsn, Text: "Failure! ODBC NOT AVAILABLE! Can't connect to DSN " + name}
}

// passwords finds the password in a data source name: password=… and pwd=…,
// quoted or up to the next separator, and ://user:….
var (
	passwords = regexp.MustCompile(`(?i)\b(password|passwd|pwd)(\s*=\s*)('(?:[^'\\]|\\.)*'|[^;\s]*)`)
	inPairs   = regexp.MustCompile(`(?i)\b(password|passwd|pwd)(\s*=\s*)(\{(?:[^}]|\}\})*\}|'(?:[^']|'')*'|"(?:[^"]|"")*"|[^;]*)`)
	userinfo  = regexp.MustCompile(`(://[^/:@\s]*):[^/@\s]*@`)
)

// Shown is a data source name for the log, without its password.
func Shown(dsn string) string {
	if strings.Contains(dsn, ";") { // pairs between semicolons: a value may have blanks
		return inPairs.ReplaceAllString(dsn, "$1$2***")
	}
	return userinfo.ReplaceAllString(passwords.ReplaceAllString(dsn, "$1$2***"), "$1:***@")
}

func (s *Store) file(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(s.opts.Dir, name+".db")
}
