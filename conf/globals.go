package conf

import (
	"cmp"
	"slices"
	"strings"
	"sync"
)

// Pair is a name with its value.
type Pair struct {
	Name, Value string
}

// Globals is the set of global variables of a running switch. Names ignore
// case; the order is that of setting, and setting a variable again moves it to
// the end (spec/config.md §3). It is safe for concurrent use; the zero value is
// an empty set.
type Globals struct {
	mu   sync.RWMutex
	vars map[string]global
	seq  uint64
}

type global struct {
	Pair
	seq uint64
}

// NewGlobals returns a set that holds the pairs, in that order.
func NewGlobals(pairs ...Pair) *Globals {
	g := &Globals{}
	for _, p := range pairs {
		g.Set(p.Name, p.Value)
	}
	return g
}

// Get returns the value of a variable, "" if it is not set.
func (g *Globals) Get(name string) string {
	v, _ := g.Lookup(name)
	return v
}

// Lookup is Get that tells an empty variable from one that is not set.
func (g *Globals) Lookup(name string) (string, bool) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	v, ok := g.vars[strings.ToLower(name)]
	return v.Value, ok
}

// Set gives a variable a value and moves it to the end of the order. A name
// that differs only in case names the same variable and replaces the spelling.
func (g *Globals) Set(name, value string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.vars == nil {
		g.vars = make(map[string]global)
	}
	g.seq++
	g.vars[strings.ToLower(name)] = global{Pair{name, value}, g.seq}
}

// Delete removes a variable; one that is not set stays so.
func (g *Globals) Delete(name string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.vars, strings.ToLower(name))
}

// All returns a copy of all variables in their order.
func (g *Globals) All() []Pair {
	g.mu.RLock()
	all := make([]global, 0, len(g.vars))
	for _, v := range g.vars {
		all = append(all, v)
	}
	g.mu.RUnlock()
	slices.SortFunc(all, func(a, b global) int { return cmp.Compare(a.seq, b.seq) })
	pairs := make([]Pair, len(all))
	for i := range all {
		pairs[i] = all[i].Pair
	}
	return pairs
}

// Domain returns the default domain of the switch: the variable domain, else
// freeswitch.local.
func (g *Globals) Domain() string {
	if d := g.Get("domain"); d != "" {
		return d
	}
	return "freeswitch.local"
}
