//go:build !wasip1

package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unsafe"

	"modernc.org/libc"
	"modernc.org/libc/sys/types"
	_ "modernc.org/sqlite" // the driver "sqlite" of database/sql
	sqlite3 "modernc.org/sqlite/lib"
)

// Bounds of a script's connection. The busy wait is the reference's: 298 times
// 100 ms (spec/lua.md §4).
const (
	busyStep  = 100 * time.Millisecond
	busyTries = 298
	// maxValue is the longest text, blob or row in bytes.
	maxValue = 64 << 20
	// maxText is the longest SQL text in bytes.
	maxText = 16 << 20
)

// fileURI is the database as SQLite's URI with the driver's parameters.
func fileURI(t *target, params string) string {
	if t.uri() {
		if strings.Contains(t.file, "?") {
			return t.file + "&" + params
		}
		return t.file + "?" + params
	}
	path := filepath.ToSlash(t.file)
	if !strings.HasPrefix(path, "/") && t.file != ":memory:" {
		path = "/" + path
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + params
}

// sqliteSession is one connection through SQLite's own interface. database/sql
// will not do for scripts: it turns the texts of DATE columns into times and
// gives only the rows of the last statement of several.
type sqliteSession struct {
	tls  *libc.TLS
	db   uintptr
	warn func(string)

	mu   sync.Mutex // guards db against the watcher of a context
	last int64
}

// sqliteError carries SQLite's message and extended result code.
type sqliteError struct {
	text string
	code int32
}

func (e *sqliteError) Error() string { return e.text }

func openSQLite(ctx context.Context, t *target, warn func(string)) (Session, error) {
	c := &sqliteSession{tls: libc.NewTLS(), warn: warn}
	if err := c.open(t); err != nil {
		c.Close()
		return nil, err
	}
	sqlite3.Xsqlite3_extended_result_codes(c.tls, c.db, 1)
	sqlite3.Xsqlite3_busy_timeout(c.tls, c.db, int32(busyStep/time.Millisecond))
	sqlite3.Xsqlite3_limit(c.tls, c.db, sqlite3.SQLITE_LIMIT_LENGTH, maxValue)
	// A file that may not be written keeps its journal mode.
	for _, pragma := range []string{"journal_mode=WAL", "synchronous=NORMAL", "temp_store=MEMORY", "cache_size=8000"} {
		if err := c.Run(ctx, "PRAGMA "+pragma, nil); err != nil && unusable(err) {
			c.Close()
			return nil, err
		}
	}
	return c, nil
}

// unusable reports whether a first statement's error means that there is no
// database to work with.
func unusable(err error) bool {
	var e *sqliteError
	if !errors.As(err, &e) {
		return true
	}
	switch e.code & 0xff {
	case sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_CORRUPT:
		return true
	}
	return false
}

func (c *sqliteSession) open(t *target) error {
	name, err := libc.CString(t.file)
	if err != nil {
		return fmt.Errorf("sqlite: %w", err)
	}
	defer libc.Xfree(c.tls, name)
	handle, err := c.pointer()
	if err != nil {
		return err
	}
	defer libc.Xfree(c.tls, handle)
	flags := int32(sqlite3.SQLITE_OPEN_READWRITE | sqlite3.SQLITE_OPEN_CREATE | sqlite3.SQLITE_OPEN_FULLMUTEX)
	if t.uri() {
		flags |= sqlite3.SQLITE_OPEN_URI
	}
	rc := sqlite3.Xsqlite3_open_v2(c.tls, name, handle, flags, 0)
	c.db = deref(handle)
	if rc != sqlite3.SQLITE_OK {
		return c.fail(rc)
	}
	return nil
}

// pointer allocates room for one pointer, holding nil.
func (c *sqliteSession) pointer() (uintptr, error) {
	p := libc.Xcalloc(c.tls, 1, types.Size_t(unsafe.Sizeof(uintptr(0))))
	if p == 0 {
		return 0, errors.New("sqlite: out of memory")
	}
	return p, nil
}

// deref reads the pointer stored at p.
func deref(p uintptr) uintptr {
	b := libc.GoBytes(p, int(unsafe.Sizeof(uintptr(0))))
	if len(b) == 4 {
		return uintptr(binary.NativeEndian.Uint32(b))
	}
	return uintptr(binary.NativeEndian.Uint64(b))
}

func (c *sqliteSession) fail(rc int32) error {
	if c.db == 0 {
		return &sqliteError{libc.GoString(sqlite3.Xsqlite3_errstr(c.tls, rc)), rc}
	}
	return &sqliteError{libc.GoString(sqlite3.Xsqlite3_errmsg(c.tls, c.db)), rc}
}

func (c *sqliteSession) Changed() int64 { return c.last }

func (c *sqliteSession) Reset() error {
	c.last = 0
	if sqlite3.Xsqlite3_get_autocommit(c.tls, c.db) != 0 {
		return nil
	}
	return c.Run(context.Background(), "ROLLBACK", nil)
}

func (c *sqliteSession) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var err error
	if c.db != 0 {
		if rc := sqlite3.Xsqlite3_close_v2(c.tls, c.db); rc != sqlite3.SQLITE_OK {
			err = c.fail(rc)
		}
		c.db = 0
	}
	if c.tls != nil {
		c.tls.Close()
		c.tls = nil
	}
	return err
}

// watch interrupts what runs when ctx ends, until stop is called.
func (c *sqliteSession) watch(ctx context.Context) (stop func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	end := context.AfterFunc(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.db != 0 {
			// The session's own TLS is in use by the statement that is interrupted.
			tls := libc.NewTLS()
			sqlite3.Xsqlite3_interrupt(tls, c.db)
			tls.Close()
		}
	})
	return func() { end() }
}

func (c *sqliteSession) Run(ctx context.Context, sql string, row func([]string, []Value) bool) error {
	if len(sql) > maxText {
		return fmt.Errorf("SQL text of %d bytes, at most %d are taken", len(sql), maxText)
	}
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	text, err := libc.CString(sql)
	if err != nil {
		return fmt.Errorf("sqlite: %w", err)
	}
	defer libc.Xfree(c.tls, text)
	defer c.watch(ctx)()
	for next := text; ; {
		stmt, tail, err := c.prepare(ctx, next, sql)
		if err != nil {
			return cancelled(ctx, err)
		}
		if stmt == 0 {
			if tail == next || c.ended(tail) {
				return nil
			}
			next = tail
			continue
		}
		more, err := c.statement(ctx, stmt, sql, row)
		if rc := sqlite3.Xsqlite3_finalize(c.tls, stmt); rc != sqlite3.SQLITE_OK && err == nil && more {
			err = c.fail(rc)
		}
		if err != nil || !more {
			return cancelled(ctx, err)
		}
		next = tail
	}
}

// cancelled prefers the context's own reason to SQLite's "interrupted".
func cancelled(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// ended reports whether the text at p is empty.
func (c *sqliteSession) ended(p uintptr) bool { return libc.GoBytes(p, 1)[0] == 0 }

func (c *sqliteSession) prepare(ctx context.Context, text uintptr, sql string) (stmt, tail uintptr, err error) {
	slot, err := c.pointer()
	if err != nil {
		return 0, 0, err
	}
	defer libc.Xfree(c.tls, slot)
	rest, err := c.pointer()
	if err != nil {
		return 0, 0, err
	}
	defer libc.Xfree(c.tls, rest)
	for try := 0; ; try++ {
		rc := sqlite3.Xsqlite3_prepare_v2(c.tls, c.db, text, -1, slot, rest)
		if rc == sqlite3.SQLITE_OK {
			return deref(slot), deref(rest), nil
		}
		if !c.again(ctx, rc, try, sql) {
			return 0, 0, c.fail(rc)
		}
	}
}

// again reports whether a statement that met a lock shall be tried once more.
func (c *sqliteSession) again(ctx context.Context, rc int32, try int, sql string) bool {
	if rc == sqlite3.SQLITE_BUSY_SNAPSHOT || try >= busyTries || ctx.Err() != nil {
		return false
	}
	switch rc & 0xff {
	case sqlite3.SQLITE_BUSY:
		// SQLite itself has waited already, a step long.
	case sqlite3.SQLITE_LOCKED:
		select {
		case <-ctx.Done():
			return false
		case <-time.After(busyStep):
		}
	default:
		return false
	}
	c.warn(fmt.Sprintf("SQLite is BUSY, sane=%d [%s]", busyTries-try, sql))
	return true
}

// statement runs one statement to its end. more is false when row wants no more.
func (c *sqliteSession) statement(ctx context.Context, stmt uintptr, sql string, row func([]string, []Value) bool) (more bool, err error) {
	before := sqlite3.Xsqlite3_total_changes64(c.tls, c.db)
	var names []string
	for try := 0; ; {
		rc := sqlite3.Xsqlite3_step(c.tls, stmt)
		switch rc {
		case sqlite3.SQLITE_DONE:
			if sqlite3.Xsqlite3_stmt_readonly(c.tls, stmt) == 0 || sqlite3.Xsqlite3_total_changes64(c.tls, c.db) != before {
				c.last = sqlite3.Xsqlite3_changes64(c.tls, c.db)
			}
			return true, nil
		case sqlite3.SQLITE_ROW:
			if row == nil {
				continue
			}
			if names == nil {
				names = c.names(stmt)
			}
			if !row(names, c.row(stmt, len(names))) {
				return false, nil
			}
		default:
			if names != nil || !c.again(ctx, rc, try, sql) {
				return true, c.fail(rc)
			}
			try++
			sqlite3.Xsqlite3_reset(c.tls, stmt)
		}
	}
}

func (c *sqliteSession) names(stmt uintptr) []string {
	names := make([]string, sqlite3.Xsqlite3_column_count(c.tls, stmt))
	for i := range names {
		names[i] = libc.GoString(sqlite3.Xsqlite3_column_name(c.tls, stmt, int32(i)))
	}
	return names
}

// row reads the columns as SQLite's texts. The slice is not shared with a nested
// Run of the same session.
func (c *sqliteSession) row(stmt uintptr, n int) []Value {
	values := make([]Value, n)
	for i := range values {
		switch sqlite3.Xsqlite3_column_type(c.tls, stmt, int32(i)) {
		case sqlite3.SQLITE_NULL:
			values[i].Null = true
			continue
		case sqlite3.SQLITE_INTEGER, sqlite3.SQLITE_FLOAT:
			values[i].Number = true
		}
		p := sqlite3.Xsqlite3_column_text(c.tls, stmt, int32(i))
		size := int(sqlite3.Xsqlite3_column_bytes(c.tls, stmt, int32(i)))
		if p != 0 && size > 0 {
			values[i].Text = string(libc.GoBytes(p, size))
		}
	}
	return values
}
