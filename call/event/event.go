package event

import (
	"slices"
	"strconv"
	"strings"
	"sync"
)

// maxIndex is the highest element that name[N] can set; a higher index is
// ignored, as in the reference, so that a header cannot be made to hold gaps
// without end.
const maxIndex = 4000

// Header is one line of an event. A header with more than one value has them in
// Array, and Value then holds the text form ARRAY::a|:b.
type Header struct {
	Name, Value string
	Array       []string
}

// Event is something that happened. Until it is published it belongs to whoever
// made it and may be changed; afterwards it is shared and must only be read.
// The methods that change an event are not safe for concurrent use.
type Event struct {
	Type     Type
	Subclass string // only with type CUSTOM
	Headers  []Header
	Body     string
	HasBody  bool // true also for an empty body that was set
	Unique   bool // adding a name replaces what was there (spec/esl.md §3.5)

	plain, json, xml form
}

// element returns value number index; a plain header has one.
func (h *Header) element(index int) (string, bool) {
	switch {
	case index >= 0 && index < len(h.Array):
		return h.Array[index], true
	case index == 0 && h.Array == nil:
		return h.Value, true
	}
	return "", false
}

// form is one wire form of a published event, made at the first request.
type form struct {
	once sync.Once
	text []byte
}

// New makes an event without headers. The subclass matters to CUSTOM events
// only. Types that keep names unique (CHANNEL_DATA, REQUEST_PARAMS, MESSAGE)
// start with Unique set.
func New(t Type, subclass string) *Event {
	return &Event{Type: t, Subclass: subclass, Unique: t.unique()}
}

// Grow makes room for n more headers, and for those that the bus puts in front.
func (e *Event) Grow(n int) { e.Headers = slices.Grow(e.Headers, n+len(commonNames)) }

// Add puts a header at the end. An empty value deletes the name instead. A
// value of the form ARRAY::a|:b becomes an array, a name of the form name[N]
// sets one element (0 to 4000) of the named array, and "_body" sets the body.
func (e *Event) Add(name, value string) {
	if name == "_body" {
		e.SetBody(value)
	}
	if base, index, ok := splitIndex(name); ok {
		e.setElement(base, index, value)
		return
	}
	if value == "" {
		e.Delete(name)
		return
	}
	if e.Unique {
		e.Delete(name)
	}
	e.Headers = append(e.Headers, makeHeader(name, value))
}

// Set replaces every header of that name by one at the end, or deletes them when
// the value is empty.
func (e *Event) Set(name, value string) {
	if _, _, ok := splitIndex(name); !ok {
		e.Delete(name)
	}
	e.Add(name, value)
}

// Get returns the first header of that name in any case, or the empty string.
// name[N] returns element N of an array (0 of a plain header is its value),
// "_body" the body.
// Not inlined: it is used at so many places that its copies would be large.
//
//go:noinline
func (e *Event) Get(name string) string {
	v, _ := e.Lookup(name)
	return v
}

// Lookup is Get that also tells whether there is such a header.
func (e *Event) Lookup(name string) (string, bool) {
	if i := e.find(name); i >= 0 {
		return e.Headers[i].Value, true
	}
	if base, index, ok := splitIndex(name); ok {
		if i := e.find(base); i >= 0 {
			return e.Headers[i].element(index)
		}
		return "", false
	}
	if name == "_body" && e.HasBody {
		return e.Body, true
	}
	return "", false
}

// Has reports whether a header of that name exists.
func (e *Event) Has(name string) bool { return e.find(name) >= 0 }

// Delete removes every header of that name and reports whether there was one.
func (e *Event) Delete(name string) bool {
	first := e.find(name)
	if first < 0 {
		return false
	}
	kept := e.Headers[:first]
	for _, h := range e.Headers[first+1:] {
		if !strings.EqualFold(h.Name, name) {
			kept = append(kept, h)
		}
	}
	clear(e.Headers[len(kept):])
	e.Headers = kept
	return true
}

// Push appends a value to the named header, which becomes an array when it held
// one value. Without such a header it adds one.
func (e *Event) Push(name, value string) { e.extend(name, value, false) }

// Unshift is Push at the front of the array.
func (e *Event) Unshift(name, value string) { e.extend(name, value, true) }

func (e *Event) extend(name, value string, front bool) {
	i := e.find(name)
	if i < 0 {
		if value != "" {
			e.Headers = append(e.Headers, Header{Name: name, Value: value, Array: []string{value}})
		}
		return
	}
	h := &e.Headers[i]
	old := h.Array
	if old == nil {
		old = []string{h.Value}
	}
	if len(old) > maxIndex {
		return
	}
	list := make([]string, 0, len(old)+1)
	if front {
		list = append(list, value)
	}
	list = append(list, old...)
	if !front {
		list = append(list, value)
	}
	h.Array, h.Value = list, joinArray(list)
}

func (e *Event) setElement(name string, index int, value string) {
	if index < 0 || index > maxIndex {
		return
	}
	i := e.find(name)
	if i < 0 {
		e.Headers = append(e.Headers, Header{Name: name})
		i = len(e.Headers) - 1
	}
	h := &e.Headers[i]
	size := max(len(h.Array), index+1)
	list := make([]string, size)
	copy(list, h.Array)
	if h.Array == nil && h.Value != "" && index > 0 {
		list[0] = h.Value
	}
	list[index] = value
	h.Array, h.Value = list, joinArray(list)
}

// SetBody gives the event a body, which may be empty.
func (e *Event) SetBody(text string) { e.Body, e.HasBody = text, true }

// Clone returns a copy that may be changed.
func (e *Event) Clone() *Event {
	c := &Event{Type: e.Type, Subclass: e.Subclass, Body: e.Body, HasBody: e.HasBody, Unique: e.Unique}
	c.Headers = make([]Header, len(e.Headers), len(e.Headers)+4)
	for i, h := range e.Headers {
		if h.Array != nil {
			h.Array = append([]string(nil), h.Array...)
		}
		c.Headers[i] = h
	}
	return c
}

// Merge adds the headers of other at the end. The body stays as it is.
func (e *Event) Merge(other *Event) {
	for _, h := range other.Headers {
		if e.Unique {
			e.Delete(h.Name)
		}
		if h.Array != nil {
			h.Array = append([]string(nil), h.Array...)
		}
		e.Headers = append(e.Headers, h)
	}
}

func (e *Event) find(name string) int {
	for i := range e.Headers {
		if sameName(e.Headers[i].Name, name) {
			return i
		}
	}
	return -1
}

// sameName compares names in any case. Their ends come first: many begin alike.
func sameName(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	if n := len(a) - 1; n >= 0 && a[n] < 0x80 && b[n] < 0x80 && a[n]|0x20 != b[n]|0x20 {
		return false
	}
	return strings.EqualFold(a, b)
}

// splitIndex takes name[N] apart. An index that is no number counts as 0, as in
// the reference.
func splitIndex(name string) (base string, index int, ok bool) {
	open := strings.IndexByte(name, '[')
	if open <= 0 {
		return name, 0, false
	}
	digits := name[open+1:]
	end := 0
	if end < len(digits) && digits[0] == '-' {
		end++
	}
	for end < len(digits) && digits[end] >= '0' && digits[end] <= '9' {
		end++
	}
	index, err := strconv.Atoi(digits[:end])
	if err != nil && end > 1 {
		index = maxIndex + 1
	}
	return name[:open], index, true
}

func makeHeader(name, value string) Header {
	if list := splitArray(value); list != nil {
		return Header{Name: name, Value: joinArray(list), Array: list}
	}
	return Header{Name: name, Value: value}
}

const (
	arrayPrefix    = "ARRAY::"
	arraySeparator = "|:"
)

// splitArray returns the elements of ARRAY::a|:b, or nil for any other text. No
// more than 4001 elements are made; the rest stays in the last.
func splitArray(value string) []string {
	if len(value) <= len(arrayPrefix) || !strings.HasPrefix(value, arrayPrefix) {
		return nil
	}
	return strings.SplitN(value[len(arrayPrefix):], arraySeparator, maxIndex+1)
}

// joinArray is the text form of an array: one element alone is itself.
func joinArray(list []string) string {
	if len(list) == 1 {
		return list[0]
	}
	return arrayPrefix + strings.Join(list, arraySeparator)
}
