//go:build !wasip1

package store

import (
	"errors"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// classify finds the reason behind SQLite's result code.
func classify(err error) error {
	var code int
	var own *sqliteError
	var driver *sqlite.Error
	switch {
	case errors.As(err, &own):
		code = int(own.code)
	case errors.As(err, &driver):
		code = driver.Code()
	}
	switch code & 0xff {
	case sqlite3.SQLITE_FULL:
		return ErrFull
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return ErrLocked
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		return ErrReadOnly
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return ErrCorrupt
	}
	return nil
}
