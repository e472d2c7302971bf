package kv

import (
	"sort"
	"strings"
	"sync"
	"time"
)

// Limits counts how often each resource is in use, and how often it was taken in
// the current interval (application limit).
type Limits struct {
	mu    sync.Mutex
	items map[string]*item
	held  map[string]map[string]int // owner → resource → how often
}

type item struct {
	total, rate int
	interval    time.Duration
	since       time.Time
}

// NewLimits returns counters that are all zero.
func NewLimits() *Limits {
	return &Limits{items: make(map[string]*item), held: make(map[string]map[string]int)}
}

// Usage is how a resource stands.
type Usage struct{ Total, Rate int }

func resource(backend, realm, id string) string { return backend + "/" + realm + "_" + id }

// Take counts owner's use of a resource. With interval 0, max bounds how many use
// it at once, else how often it is taken in an interval; max < 0 only counts. The
// same owner counts once. It reports whether the use is within max; if not it is
// not counted.
func (l *Limits) Take(backend, realm, id, owner string, max int, interval time.Duration) (Usage, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	name := resource(backend, realm, id)
	it := l.items[name]
	if it == nil {
		it = &item{since: time.Now()}
		l.items[name] = it
	}
	if interval > 0 {
		it.interval = interval
		if now := time.Now(); now.Sub(it.since) >= interval {
			it.since, it.rate = now, 0
		}
		if max >= 0 && it.rate >= max {
			return Usage{it.total, it.rate}, false
		}
		it.rate++
	}
	if l.held[owner][name] > 0 {
		return Usage{it.total, it.rate}, true
	}
	if interval == 0 && max >= 0 && it.total >= max {
		return Usage{it.total, it.rate}, false
	}
	it.total++
	if l.held[owner] == nil {
		l.held[owner] = make(map[string]int)
	}
	l.held[owner][name]++
	return Usage{it.total, it.rate}, true
}

// Release gives back what owner holds of a resource, or everything of a backend
// for realm "" ("" for all backends).
func (l *Limits) Release(backend, realm, id, owner string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name := range l.held[owner] {
		if realm != "" && name != resource(backend, realm, id) {
			continue
		}
		if backend != "" && len(name) > len(backend) && name[:len(backend)+1] != backend+"/" {
			continue
		}
		delete(l.held[owner], name)
		if it := l.items[name]; it != nil {
			if it.total--; it.total <= 0 && it.interval == 0 {
				delete(l.items, name)
			}
		}
	}
	if len(l.held[owner]) == 0 {
		delete(l.held, owner)
	}
}

// Usage returns how a resource stands.
func (l *Limits) Usage(backend, realm, id string) Usage {
	l.mu.Lock()
	defer l.mu.Unlock()
	if it := l.items[resource(backend, realm, id)]; it != nil {
		return Usage{it.total, it.rate}
	}
	return Usage{}
}

// Resource is how one resource of a backend stands.
type Resource struct {
	Name string // "realm_id"
	Usage
	Interval time.Duration // of the rate; 0: there is none
	Since    int64         // when the interval began, seconds since the epoch; 0 without one
}

// All returns the resources of a backend, by name.
func (l *Limits) All(backend string) []Resource {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []Resource
	for name, it := range l.items {
		rest, ok := strings.CutPrefix(name, backend+"/")
		if !ok {
			continue
		}
		r := Resource{Name: rest, Usage: Usage{it.total, it.rate}, Interval: it.interval}
		if it.interval > 0 {
			r.Since = it.since.Unix()
		}
		out = append(out, r)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// ResetInterval forgets what was counted in the current interval.
func (l *Limits) ResetInterval(backend, realm, id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if it := l.items[resource(backend, realm, id)]; it != nil {
		it.rate, it.since = 0, time.Now()
	}
}
