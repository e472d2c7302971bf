package conf

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Store owns the configuration in force: the current Tree, the live global
// variables, and the bindings that are asked before the Tree. It is safe for
// concurrent use.
type Store struct {
	opts     Options
	globals  *Globals
	tree     atomic.Pointer[Tree]
	reload   sync.Mutex
	bindings atomic.Pointer[[]*Binding]
	bind     sync.Mutex
}

// NewStore loads the tree for the first time.
func NewStore(ctx context.Context, opts Options) (*Store, error) {
	s := &Store{opts: opts, globals: NewGlobals(opts.Globals...)}
	for _, p := range opts.Sets {
		s.globals.Set(p.Name, p.Value)
	}
	t, err := load(ctx, &s.opts, s.globals)
	if err != nil {
		return nil, err
	}
	vars := t.Configuration("switch.conf").Child("variables")
	for _, v := range vars.ChildrenNamed("variable") {
		if name := v.Attr("name"); name != "" && !pinned(opts.Sets, name) {
			s.globals.Set(name, v.Attr("value"))
		}
	}
	s.tree.Store(t)
	return s, nil
}

func pinned(sets []Pair, name string) bool {
	return slices.ContainsFunc(sets, func(p Pair) bool { return strings.EqualFold(p.Name, name) })
}

// Tree returns the configuration in force.
func (s *Store) Tree() *Tree { return s.tree.Load() }

// Globals returns the live global variables.
func (s *Store) Globals() *Globals { return s.globals }

// Reload reads the tree again. On success it is in force and the variables it
// sets are live; variables it no longer sets keep their value. On failure
// nothing has changed. The text is what reloadxml prints between its brackets:
// Success, the reference's parse error, or its complaint about the root file;
// the error says more.
func (s *Store) Reload(ctx context.Context) (text string, err error) {
	s.reload.Lock()
	defer s.reload.Unlock()
	t, err := load(ctx, &s.opts, NewGlobals(s.globals.All()...))
	if err != nil {
		return reloadText(err), err
	}
	for _, p := range t.sets {
		s.globals.Set(p.Name, p.Value)
	}
	s.tree.Store(t)
	return "Success", nil
}

func reloadText(err error) string {
	var pe *ParseError
	switch {
	case errors.As(err, &pe):
		return pe.Reference()
	case errors.Is(err, ErrRoot):
		return "Cannot Open log directory or XML Root!"
	}
	return err.Error()
}
