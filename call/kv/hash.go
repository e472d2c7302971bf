package kv

import (
	"sort"
	"sync"
)

// MaxEntries bounds a Hash; more are refused.
const MaxEntries = 1000000

// Hash is an in-memory store of realm, key and value.
type Hash struct {
	mu sync.RWMutex
	m  map[string]string // "realm_key", as hash_dump shows it
}

// NewHash returns an empty Hash.
func NewHash() *Hash { return &Hash{m: make(map[string]string)} }

// Insert stores a value; false when the Hash is full.
func (h *Hash) Insert(realm, key, value string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	id := realm + "_" + key
	if _, ok := h.m[id]; !ok && len(h.m) >= MaxEntries {
		return false
	}
	h.m[id] = value
	return true
}

// InsertIfEmpty stores a value unless there is one.
func (h *Hash) InsertIfEmpty(realm, key, value string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	id := realm + "_" + key
	if _, ok := h.m[id]; ok || len(h.m) >= MaxEntries {
		return false
	}
	h.m[id] = value
	return true
}

// Select returns a value.
func (h *Hash) Select(realm, key string) (string, bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	v, ok := h.m[realm+"_"+key]
	return v, ok
}

// Delete removes a value.
func (h *Hash) Delete(realm, key string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, ok := h.m[realm+"_"+key]
	delete(h.m, realm+"_"+key)
	return ok
}

// DeleteIfMatch removes a value if it is the given one; found tells whether there
// was any.
func (h *Hash) DeleteIfMatch(realm, key, value string) (found, deleted bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	id := realm + "_" + key
	v, ok := h.m[id]
	if !ok || v != value {
		return ok, false
	}
	delete(h.m, id)
	return true, true
}

// Entry is one row of a Hash, its name as "realm_key".
type Entry struct{ Name, Value string }

// All returns every entry, by name.
func (h *Hash) All() []Entry {
	h.mu.RLock()
	defer h.mu.RUnlock()
	out := make([]Entry, 0, len(h.m))
	for k, v := range h.m {
		out = append(out, Entry{k, v})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}
