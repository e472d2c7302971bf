package expand

import "testing"

func TestInert(t *testing.T) {
	for in, want := range map[string]string{
		"":               "",
		"1000":           "1000",
		"${hupall()}":    "%{hupall()}",
		"a${b}c${d}":     "a%{b}c%{d}",
		"$${domain}":     "$%{domain}",
		`$\{x}`:          `%\{x}`,
		`$\\\{x}`:        `%\\\{x}`,
		`$\'{x}`:         `%\'{x}`,
		"$5 {x}":         "$5 {x}",
		"$":              "$",
		`{"price":"$5"}`: `{"price":"$5"}`,
		"$a{b}":          "$a{b}",
	} {
		if got := Inert(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// FuzzInert holds that an expansion of what Inert returns asks for nothing, nor does
// one of what came of it.
func FuzzInert(f *testing.F) {
	f.Add("${a}")
	f.Add(`$\${$\\{a}`)
	f.Fuzz(func(t *testing.T, s string) {
		s = Inert(s)
		for range 4 {
			s = Expand(s, never{t})
		}
	})
}

type never struct{ t *testing.T }

func (n never) Variable(name string) (string, bool) {
	n.t.Errorf("asked for variable %q", name)
	return "", false
}

func (n never) Command(name, args string) string {
	n.t.Errorf("asked for command %q", name)
	return ""
}
