package store

import (
	"errors"
	"fmt"
)

// Reasons for which a database does not do what it is asked, for errors.Is.
var (
	ErrFull     = errors.New("disk full")
	ErrLocked   = errors.New("locked by another process")
	ErrReadOnly = errors.New("not writable")
	ErrCorrupt  = errors.New("not a database, or damaged")
	ErrQueue    = errors.New("store: write queue full")
)

// Explain wraps an error of a database so that it names the file, and so that
// errors.Is finds the reason. It returns nil for nil.
func (d *DB) Explain(err error) error {
	if err == nil {
		return nil
	}
	if reason := classify(err); reason != nil {
		return fmt.Errorf("store: %s: %w (%w)", d.name, reason, err)
	}
	return fmt.Errorf("store: %s: %w", d.name, err)
}
