package remote

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/switchlet/switchlet/store"
)

// Bounds of what one connection may take.
const (
	// dialLimit is how long a connection may take to come about, unless the DSN
	// says otherwise.
	dialLimit = 10 * time.Second
	// maxResult is the most that the rows of one Run may take, in bytes.
	maxResult = 64 << 20
	// maxText is the longest SQL text in bytes.
	maxText = 16 << 20
	// trusted is how long an unused connection is taken to be alive.
	trusted = 2 * time.Second
	// checkLimit bounds the round trip that finds out.
	checkLimit = 3 * time.Second
)

// Errors of a session.
var (
	errLarge = fmt.Errorf("the result is larger than %d bytes", maxResult)
	errLost  = errors.New("the connection to the database was lost within a transaction, which is undone")
)

// link is one connection to one kind of server.
type link interface {
	// run executes sql and hands over the rows; add copies them. changed is how
	// many rows the last statement that changes any has touched, -1 if none of
	// them changes any.
	run(ctx context.Context, sql string, add func(names []string, values []store.Value) error) (changed int64, err error)
	// ping asks the server for a sign of life.
	ping(ctx context.Context) error
	// alive is false once the connection is known to be gone.
	alive() bool
	// within reports whether a transaction is open, if the protocol tells.
	within() (open, known bool)
	close()
}

// session is a store.Session over a link that is made anew when it was lost.
type session struct {
	connect func(ctx context.Context) (link, error)
	link    link
	used    time.Time
	open    bool // a transaction
	changed int64
}

// begin connects for the first time.
func begin(ctx context.Context, connect func(ctx context.Context) (link, error)) (store.Session, error) {
	s := &session{connect: connect}
	if err := s.join(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *session) join(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	l, err := s.connect(limited)
	if err != nil {
		if ctx.Err() == nil && limited.Err() != nil {
			return fmt.Errorf("no answer within %v", dialLimit)
		}
		return err
	}
	s.link, s.open, s.used = l, false, time.Now()
	return nil
}

// drop forgets a connection that is gone.
func (s *session) drop() {
	if s.link != nil {
		s.link.close()
		s.link = nil
	}
}

// ready sees to it that there is a connection that works.
func (s *session) ready(ctx context.Context) error {
	if s.link != nil && time.Since(s.used) > trusted {
		limited, cancel := context.WithTimeout(ctx, checkLimit)
		err := s.link.ping(limited)
		cancel()
		if err != nil {
			s.drop()
		}
	}
	if s.link != nil && !s.link.alive() {
		s.drop()
	}
	if s.link != nil {
		return nil
	}
	if s.open {
		s.open = false
		return errLost
	}
	return s.join(ctx)
}

// result is what a Run got, until it is handed over.
type result struct {
	rows []row
	size int
}

type row struct {
	names  []string
	values []store.Value
}

// perValue is what a value takes beside its text, in bytes.
const perValue = 24

func (r *result) add(names []string, values []store.Value) error {
	kept := make([]store.Value, len(values))
	copy(kept, values)
	for i := range kept {
		r.size += len(kept[i].Text) + perValue
	}
	if r.size > maxResult {
		return errLarge
	}
	r.rows = append(r.rows, row{names, kept})
	return nil
}

// Run implements store.Session.
func (s *session) Run(ctx context.Context, sql string, each func(names []string, values []store.Value) bool) error {
	switch {
	case len(sql) > maxText:
		return fmt.Errorf("SQL text of %d bytes, at most %d are taken", len(sql), maxText)
	case strings.IndexByte(sql, 0) >= 0:
		return errors.New("SQL text with a NUL byte")
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case strings.Trim(sql, "; \t\r\n") == "":
		return nil
	}
	if err := s.ready(ctx); err != nil {
		return err
	}
	var got result
	add := got.add
	if each == nil {
		add = func([]string, []store.Value) error { return nil }
	}
	changed, err := s.link.run(ctx, sql, add)
	s.used = time.Now()
	s.follow(sql, err)
	if changed >= 0 {
		s.changed = changed
	}
	if err != nil {
		if !s.link.alive() {
			s.drop()
			s.open = false
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return err
	}
	for _, r := range got.rows {
		if !each(r.names, r.values) {
			return nil
		}
	}
	return nil
}

// follow keeps track of whether a transaction is open.
func (s *session) follow(sql string, err error) {
	if s.link != nil {
		if open, known := s.link.within(); known {
			s.open = open
			return
		}
	}
	for statement := range strings.SplitSeq(sql, ";") {
		words := strings.Fields(statement)
		if len(words) == 0 {
			continue
		}
		switch first := strings.ToUpper(words[0]); {
		case first == "BEGIN", first == "START", first == "SET" && err == nil && strings.Contains(strings.ToLower(statement), "autocommit"):
			s.open = err == nil
		case first == "COMMIT", first == "ROLLBACK", first == "END":
			s.open = false
		}
	}
}

// Changed implements store.Session.
func (s *session) Changed() int64 { return s.changed }

// Reset implements store.Session: what was not committed is undone.
func (s *session) Reset() error {
	s.changed = 0
	if s.link == nil {
		return nil
	}
	if !s.open {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), checkLimit)
	defer cancel()
	_, err := s.link.run(ctx, "ROLLBACK", func([]string, []store.Value) error { return nil })
	s.open = false
	return err
}

// Close implements store.Session.
func (s *session) Close() error {
	s.drop()
	return nil
}
