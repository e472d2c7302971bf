package kv

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"sync"

	"github.com/switchlet/switchlet/store"
)

// Bounds of the JSON objects that Objects keeps; sizes are bytes of JSON text.
const (
	MaxObjects    = 1000      // by name
	MaxObject     = 256 << 10 // of one object
	MaxMembers    = 4096      // of one object
	MaxAllObjects = 16 << 20  // of those by name, together
	MaxCallObject = 64 << 10  // of a call's object, which its last events repeat
	MaxCommitted  = 1000      // objects in the database
	maxObjectName = 128       // bytes
)

var (
	// ErrFull is returned for what would pass a bound.
	ErrFull = errors.New("kv: no room for more JSON")
	// ErrObject is returned for text that is no JSON object.
	ErrObject = errors.New("kv: not a JSON object")
	// ErrName is returned for a name that no committed object can have.
	ErrName = errors.New("kv: a committed object's name is of letters, digits, - and _")
	// ErrNoObject is returned where nothing was committed by a name.
	ErrNoObject = errors.New("kv: no such object")
)

type objectMember struct {
	name  string
	value json.RawMessage
}

// Object is a JSON object that keeps the order of its members. Their names are told
// apart whatever their case is. It is for one goroutine at a time.
type Object struct {
	members []objectMember
	size    int // bytes of Text, but for the braces
	max     int
	all     *int // bytes of all that share a bound, or nil
}

// NewObject returns an empty object of at most max bytes.
func NewObject(max int) *Object { return &Object{max: max} }

// cost is what a member adds to the text: quoted name, colon, value, comma.
func cost(name string, value json.RawMessage) int {
	quoted, err := json.Marshal(name)
	if err != nil {
		return len(name) + len(value) + 4
	}
	return len(quoted) + len(value) + 2
}

func (o *Object) find(name string) int {
	for i := range o.members {
		if strings.EqualFold(o.members[i].name, name) {
			return i
		}
	}
	return -1
}

// Get returns the value of a member.
func (o *Object) Get(name string) (value json.RawMessage, ok bool) {
	if i := o.find(name); i >= 0 {
		return o.members[i].value, true
	}
	return nil, false
}

// grow counts bytes; false if there is no room for them.
func (o *Object) grow(n int) bool {
	if n > 0 && (o.size+n > o.max || o.all != nil && *o.all+n > MaxAllObjects) {
		return false
	}
	o.size += n
	if o.all != nil {
		*o.all += n
	}
	return true
}

// Set puts a member behind the others in place of one of that name. The value is valid
// JSON. It fails with ErrFull.
func (o *Object) Set(name string, value json.RawMessage) error {
	var b bytes.Buffer
	if err := json.Compact(&b, value); err != nil {
		return err
	}
	i, freed := o.find(name), 0
	if i >= 0 {
		freed = cost(o.members[i].name, o.members[i].value)
	} else if len(o.members) >= MaxMembers {
		return ErrFull
	}
	if !o.grow(cost(name, b.Bytes()) - freed) {
		return ErrFull
	}
	if i >= 0 {
		o.members = append(o.members[:i], o.members[i+1:]...)
	}
	o.members = append(o.members, objectMember{name, b.Bytes()})
	return nil
}

// Delete removes a member if there is one.
func (o *Object) Delete(name string) {
	if i := o.find(name); i >= 0 {
		o.grow(-cost(o.members[i].name, o.members[i].value))
		o.members = append(o.members[:i], o.members[i+1:]...)
	}
}

// Clear removes all members.
func (o *Object) Clear() {
	o.grow(-o.size)
	o.members = nil
}

// Load replaces the members by those of a JSON text. Of members of one name the last
// one counts. When it fails, with ErrObject or ErrFull, nothing has changed.
func (o *Object) Load(text []byte) error {
	fresh := NewObject(o.max)
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return ErrObject
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return ErrObject
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return ErrObject
		}
		if err := fresh.Set(name.(string), value); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return ErrObject
	}
	if _, err := d.Token(); err != io.EOF {
		return ErrObject
	}
	if !o.grow(fresh.size - o.size) {
		return ErrFull
	}
	o.members = fresh.members
	return nil
}

// Text is the object as JSON without blanks.
func (o *Object) Text() []byte {
	b := make([]byte, 0, o.size+2)
	b = append(b, '{')
	for i, m := range o.members {
		if i > 0 {
			b = append(b, ',')
		}
		name, err := json.Marshal(m.name)
		if err != nil {
			name = []byte(`""`)
		}
		b = append(append(append(b, name...), ':'), m.value...)
	}
	return append(b, '}')
}

// Objects are the JSON objects of the JSON command store: in memory by name, and
// committed to a database. It is safe for concurrent use.
type Objects struct {
	db *store.DB // nil: nothing can be committed

	mu    sync.Mutex
	named map[string]*Object
	bytes int // of all in named
}

// NewObjects returns an empty store that commits where d keeps its values; d may be
// nil.
func NewObjects(d *DB) *Objects {
	s := &Objects{named: map[string]*Object{}}
	if d != nil {
		s.db = d.db
	}
	return s
}

// Use runs fn with the object of a name, which comes into being with its first member
// and goes with its last one. It fails with what fn returns, or with ErrFull before that
// if there are too many objects already.
func (s *Objects) Use(name string, fn func(*Object) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.named[name]
	if o == nil {
		if len(s.named) >= MaxObjects {
			return ErrFull
		}
		o = &Object{max: MaxObject, all: &s.bytes}
	}
	err := fn(o)
	if len(o.members) > 0 {
		s.named[name] = o
	} else {
		delete(s.named, name)
	}
	return err
}

// committable reports whether an object may be committed by that name.
func committable(name string) bool {
	for _, c := range []byte(name) {
		if !(c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return name != "" && len(name) <= maxObjectName
}

// Commit writes the text of an object to the database by a name, in place of what was
// written before. It fails with ErrName, with ErrFull after MaxCommitted, or with the
// database's error.
func (s *Objects) Commit(name string, text []byte) error {
	if !committable(name) {
		return ErrName
	}
	if s.db == nil {
		return ErrNoObject
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	done, err := s.db.Exec(ctx, `INSERT INTO json_store (name, data) SELECT ?, ?
		WHERE (SELECT count(*) FROM json_store WHERE name <> ?) < ?
		ON CONFLICT (name) DO UPDATE SET data = excluded.data`, name, string(text), name, MaxCommitted)
	if err != nil {
		return err
	}
	if n, err := done.RowsAffected(); err == nil && n == 0 {
		return ErrFull
	}
	return nil
}

// Committed returns what was committed by a name. It fails with ErrName, ErrNoObject or
// the database's error.
func (s *Objects) Committed(name string) ([]byte, error) {
	if !committable(name) {
		return nil, ErrName
	}
	if s.db == nil {
		return nil, ErrNoObject
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	var text string
	err := s.db.QueryRow(ctx, `SELECT data FROM json_store WHERE name = ?`, name).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNoObject
	}
	return []byte(text), err
}
