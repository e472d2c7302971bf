package call

import (
	"strings"
	"sync"
)

// Vars is a store of variables: names are unique in any case, and their order is
// that of the last setting (spec/esl.md §3.5). It is safe for concurrent use.
type Vars struct {
	mu    sync.RWMutex
	list  []Var // holes have an empty Name
	index map[string]int
	holes int
}

// NewVars returns a store with the given variables.
func NewVars(vars ...Var) *Vars { return newVars(8, vars...) }

// newVars is NewVars with room for so many more.
func newVars(room int, vars ...Var) *Vars {
	v := &Vars{list: make([]Var, 0, len(vars)+room), index: make(map[string]int, len(vars)+room)}
	for _, x := range vars {
		v.Set(x.Name, x.Value)
	}
	return v
}

// fold lowers ASCII; it allocates only when there is something to lower.
func fold(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= 'A' && c <= 'Z' {
			return strings.ToLower(s)
		}
	}
	return s
}

// Set stores a value at the end of the order; an empty value deletes.
func (v *Vars) Set(name, value string) {
	if name == "" {
		return
	}
	key := fold(name)
	v.mu.Lock()
	defer v.mu.Unlock()
	if i, ok := v.index[key]; ok {
		v.list[i] = Var{}
		v.holes++
		delete(v.index, key)
	}
	if value != "" {
		v.index[key] = len(v.list)
		v.list = append(v.list, Var{name, value})
	}
	if v.holes > 32 && v.holes > len(v.list)/2 {
		v.compact()
	}
}

func (v *Vars) compact() {
	kept := v.list[:0]
	for _, x := range v.list {
		if x.Name != "" {
			v.index[fold(x.Name)] = len(kept)
			kept = append(kept, x)
		}
	}
	clear(v.list[len(kept):])
	v.list, v.holes = kept, 0
}

// Lookup returns a value and whether the name is set.
func (v *Vars) Lookup(name string) (string, bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if i, ok := v.index[fold(name)]; ok {
		return v.list[i].Value, true
	}
	return "", false
}

// Get returns a value, "" if the name is not set.
func (v *Vars) Get(name string) string {
	s, _ := v.Lookup(name)
	return s
}

// True reports whether the variable has one of the true words (yes, on, true, t,
// enabled, active, allow, a number other than 0).
func (v *Vars) True(name string) bool { return True(v.Get(name)) }

// All returns the variables in order.
func (v *Vars) All() []Var {
	v.mu.RLock()
	defer v.mu.RUnlock()
	out := make([]Var, 0, len(v.list)-v.holes)
	for _, x := range v.list {
		if x.Name != "" {
			out = append(out, x)
		}
	}
	return out
}

// each calls fn for every variable in order, under the read lock.
func (v *Vars) each(fn func(name, value string)) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	for _, x := range v.list {
		if x.Name != "" {
			fn(x.Name, x.Value)
		}
	}
}

// eachPrefixed is each that puts a prefix before the names.
func (v *Vars) eachPrefixed(prefix string, fn func(name, value string)) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	size := 0
	for _, x := range v.list {
		size += len(prefix) + len(x.Name)
	}
	var names strings.Builder // one piece of memory for all of them
	names.Grow(size)
	for _, x := range v.list {
		if x.Name != "" {
			from := names.Len()
			names.WriteString(prefix)
			names.WriteString(x.Name)
			fn(names.String()[from:], x.Value)
		}
	}
}

// Len is how many variables there are.
func (v *Vars) Len() int {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return len(v.list) - v.holes
}

// True is FreeSWITCH's notion of a true word (spec/config.md §2).
func True(s string) bool {
	switch strings.ToLower(s) {
	case "yes", "on", "true", "t", "enabled", "active", "allow":
		return true
	}
	return number(s) && strings.Trim(s, "+-0.") != ""
}

func number(s string) bool {
	digits := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c == '.' || (i == 0 && (c == '-' || c == '+')):
		default:
			return false
		}
	}
	return digits > 0
}
