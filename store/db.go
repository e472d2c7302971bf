package store

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// readers is how many statements of one DB may read at once.
const readers = 2

// DB is one SQLite database of the switch's own: a single writer, and readers
// that never wait for it (WAL). It is safe for concurrent use.
type DB struct {
	name  string // for messages
	write *sql.DB
	read  *sql.DB
}

// writerParams set up the writing connection: a lock held by another process is
// waited for, transactions take the lock when they begin.
const (
	writerParams = "_txlock=immediate&_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=foreign_keys(1)"
	readerParams = "_pragma=busy_timeout(5000)&_pragma=query_only(1)"
)

func openDB(t *target, idle time.Duration) (*DB, error) {
	d := &DB{name: t.file}
	if !t.uri() && !t.memory() {
		if err := os.MkdirAll(filepath.Dir(t.file), 0o750); err != nil {
			return nil, fmt.Errorf("store: %w", err)
		}
	}
	var err error
	if d.write, err = sql.Open("sqlite", fileURI(t, writerParams)); err != nil {
		return nil, d.Explain(err)
	}
	d.write.SetMaxOpenConns(1)
	d.read = d.write
	if err := d.write.Ping(); err != nil {
		d.write.Close()
		return nil, d.Explain(err)
	}
	if t.file == ":memory:" {
		return d, nil
	}
	if d.read, err = sql.Open("sqlite", fileURI(t, readerParams)); err != nil {
		d.write.Close()
		return nil, d.Explain(err)
	}
	d.read.SetMaxOpenConns(readers)
	d.read.SetConnMaxIdleTime(idle)
	return d, nil
}

func (d *DB) close() error {
	if d.read != d.write {
		d.read.Close()
	}
	return d.Explain(d.write.Close())
}

// Name is the file, for messages.
func (d *DB) Name() string { return d.name }

// Writer is the only connection that changes the database; it is held for as
// long as a transaction or a result set of it is open.
func (d *DB) Writer() *sql.DB { return d.write }

// Reader is for queries; it refuses to write.
func (d *DB) Reader() *sql.DB { return d.read }

// Exec runs one statement that writes.
func (d *DB) Exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	r, err := d.write.ExecContext(ctx, query, args...)
	return r, d.Explain(err)
}

// Query runs a query on a reader. The caller closes the rows.
func (d *DB) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	r, err := d.read.QueryContext(ctx, query, args...)
	return r, d.Explain(err)
}

// QueryRow runs a query for at most one row on a reader.
func (d *DB) QueryRow(ctx context.Context, query string, args ...any) *sql.Row {
	return d.read.QueryRowContext(ctx, query, args...)
}

// Tx runs fn in a transaction, which is committed when fn returns nil and rolled
// back otherwise.
func (d *DB) Tx(ctx context.Context, fn func(*sql.Tx) error) error {
	tx, err := d.write.BeginTx(ctx, nil)
	if err != nil {
		return d.Explain(err)
	}
	if err := fn(tx); err != nil {
		tx.Rollback()
		return d.Explain(err)
	}
	return d.Explain(tx.Commit())
}

// Migrate brings the tables of one room up to date: steps[i] takes them from
// version i to i+1, and those that were taken already are left out. All happen
// in one transaction. A step may hold several statements. It fails when the file
// was written by a newer version that knows more steps.
func (d *DB) Migrate(ctx context.Context, room string, steps ...string) error {
	const table = "CREATE TABLE IF NOT EXISTS schema_version (room TEXT PRIMARY KEY, version INTEGER NOT NULL)"
	return d.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, table); err != nil {
			return err
		}
		var version int
		err := tx.QueryRowContext(ctx, "SELECT version FROM schema_version WHERE room = ?", room).Scan(&version)
		if err != nil && err != sql.ErrNoRows {
			return err
		}
		if version > len(steps) {
			return fmt.Errorf("tables of %s are of version %d, this program knows %d: run the newer program, or move the file away", room, version, len(steps))
		}
		for _, step := range steps[version:] {
			if _, err := tx.ExecContext(ctx, step); err != nil {
				return fmt.Errorf("tables of %s: %w", room, err)
			}
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO schema_version VALUES (?, ?) ON CONFLICT(room) DO UPDATE SET version = excluded.version", room, len(steps))
		return err
	})
}
