package regex

import "sync"

// Cache keeps compiled patterns. It holds a bounded number and forgets the
// oldest first. It may be used by many goroutines at once; the nil cache
// compiles every time.
type Cache struct {
	mu      sync.Mutex
	size    int
	entries map[string]entry
	order   []string // a ring of the patterns in order of their arrival
	next    int
}

type entry struct {
	re  *Regexp
	err error
}

// NewCache makes a cache for at most size patterns (at least 1).
func NewCache(size int) *Cache {
	return &Cache{size: max(size, 1), entries: make(map[string]entry)}
}

// Compile is the function of that name with memory. Bad patterns are remembered
// too, with their errors.
func (c *Cache) Compile(pattern string) (*Regexp, error) {
	if c == nil {
		return Compile(pattern)
	}
	c.mu.Lock()
	e, ok := c.entries[pattern]
	c.mu.Unlock()
	if ok {
		return e.re, e.err
	}
	e.re, e.err = Compile(pattern)
	if len(pattern) > MaxPattern {
		return nil, e.err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.entries[pattern]; ok {
		return e.re, e.err
	}
	if len(c.order) < c.size {
		c.order = append(c.order, pattern)
	} else {
		delete(c.entries, c.order[c.next])
		c.order[c.next] = pattern
		c.next = (c.next + 1) % len(c.order)
	}
	c.entries[pattern] = e
	return e.re, e.err
}

// Match compiles the pattern and looks for it in s: see [Compile] and
// [Regexp.Match] for the results.
func (c *Cache) Match(s, pattern string) (groups []string, ok bool, err error) {
	re, err := c.Compile(pattern)
	if err != nil {
		return nil, false, err
	}
	return re.Match(s)
}
