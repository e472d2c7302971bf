package esl

import "strings"

// Header is one line of a head.
type Header struct{ Name, Value string }

// Headers are the lines of a head in their order. A name may stand more than
// once.
type Headers []Header

// Get returns the value of the first header of that name in any case, or "".
func (h Headers) Get(name string) string {
	v, _ := h.Lookup(name)
	return v
}

// Lookup is Get that also tells whether there is such a header.
func (h Headers) Lookup(name string) (string, bool) {
	for i := range h {
		if len(h[i].Name) == len(name) && strings.EqualFold(h[i].Name, name) {
			return h[i].Value, true
		}
	}
	return "", false
}

const (
	arrayPrefix    = "ARRAY::"
	arraySeparator = "|:"
	maxElements    = 4001
)

// Values returns the elements of the first header of that name: several for an
// array (ARRAY::a|:b), one for a plain value, none if there is no such header.
func (h Headers) Values(name string) []string {
	v, ok := h.Lookup(name)
	if !ok {
		return nil
	}
	if rest, array := strings.CutPrefix(v, arrayPrefix); array && rest != "" {
		return strings.SplitN(rest, arraySeparator, maxElements)
	}
	return []string{v}
}

// Set replaces every header of that name by one at the end, or removes them when
// the value is empty.
func (h *Headers) Set(name, value string) {
	kept := (*h)[:0]
	for _, x := range *h {
		if !strings.EqualFold(x.Name, name) {
			kept = append(kept, x)
		}
	}
	clear((*h)[len(kept):])
	*h = kept
	if value != "" {
		*h = append(*h, Header{name, value})
	}
}

// Add puts a header at the end.
func (h *Headers) Add(name, value string) { *h = append(*h, Header{name, value}) }

// decode replaces every %XX by its byte. A plus sign stays, and so does a percent
// sign without two hexadecimal digits behind it.
func decode(s string) string {
	first := strings.IndexByte(s, '%')
	if first < 0 {
		return s
	}
	out := append(make([]byte, 0, len(s)), s[:first]...)
	for i := first; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if hi, lo := hexDigit(s[i+1]), hexDigit(s[i+2]); hi >= 0 && lo >= 0 {
				out = append(out, byte(hi<<4|lo))
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}
