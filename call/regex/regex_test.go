package regex

import (
	"errors"
	"strings"
	"testing"
)

func TestMatch(t *testing.T) {
	tests := []struct {
		subject, pattern string
		want             string // groups joined by |, "-" for no match
	}{
		{"testing1234", `\d+`, "1234"},
		{"testing", `\d+`, "-"},
		{"ABC", "^abc$", "-"},
		{"ABC", "/^abc$/i", "ABC"},
		{"testing1234", `/(\d+)/`, "1234|1234"},
		{"1234#5678", `^(\d+)#(\d+)$`, "1234#5678|1234|5678"},
		{"61212345678", `^(0|61)([2,3,7,8][0-9]{8})$`, "61212345678|61|212345678"},
		{"foobar", `foo(?=bar)`, "foo"},
		{"foobaz", `foo(?!bar)`, "foo"},
		{"foobar", `foo(?!bar)`, "-"},
		{"abab", `^(ab)\1$`, "abab|ab"},
		{"aaa", `^(a+?)(a*)$`, "aaa|a|aa"},
		{"abc", `(?<=ab)c`, "c"},
		{"aaab", `a++b`, "aaab"},
		{"aaa", `a++a`, "-"},
		{"aaaa", `^(?:a{2}){2}$`, "aaaa"},
		{"aaaa", `^a{2}{2}$`, "aaaa"},
		{"2024-05", `(?P<year>\d+)-(\d+)`, "2024-05|2024|05"},
		{"xx", `(?<c>.)\k<c>`, "xx|x"},
		{"xx", `(?P<c>.)(?P=c)`, "xx|x"},
		{"xx", `(.)\g{-1}`, "xx|x"},
		{"xx", `(.)\g1`, "xx|x"},
		{"abc123", `[[:alpha:]]+([[:digit:]]+)`, "abc123|123"},
		{"abc123", `[^[:alpha:]]+`, "123"},
		{"a \tb", `a\h+b`, "a \tb"},
		{"a\r\nb", `a\Rb`, "a\r\nb"},
		{"a.b*c", `\Qa.b*c\E`, "a.b*c"},
		{"foobar", `foo\Kbar`, "bar"},
		{"foobar", `(foo)\Kbar`, "bar|foo"},
		{"a\n", `^a$`, "a"},
		{"a\nb", `^a$`, "-"},
		{"a\nb", `/a.b/`, "-"},
		{"a\nb", `/a.b/s`, "a\nb"},
		{"A\x41", `\x{41}\x41`, "AA"},
		{"\x01", `\001`, "\x01"},
		{"(a)", `\(a\)`, "(a)"},
		{"ab", `(a)|(b)`, "a|a|"},
		{"b", `(a)|(b)`, "b||b"},
		{"a b", `(?x) a \x20 b # comment (`, "a b"},
		{"aB", `a(?i)b`, "aB"},
		{"ab", `(?#comment)ab`, "ab"},
		{"]", `[]]`, "]"},
		{"-", `[a-\d]`, "-"},
		{"a]", `[^]]`, "a"},
		{"a-[", `[a\-[]+`, "a-["},
		{"é", `^..$`, "é"},
		{"é!", `é(.)`, "é!|!"},
		{"é!", `(?<=é)(.)`, "!|!"},
		{"x{,3}", `x{,3}`, "x{,3}"},
		{"2345", "_NXX.", "2345"},
		{"1345", "_NXX.", "-"},
		{"911", "_911", "911"},
		{"9113", "_911", "-"},
		{"a:b", `(?>a|ab):b`, "a:b"},
		{"abd", `^(a)?b(?(1)d|c)$`, "abd|a"},
		{"bc", `^(a)?b(?(1)d|c)$`, "bc|"},
		{"", "", ""},
		{"sip:1000@host", `^sip:([^@]+)@(.*)$`, "sip:1000@host|1000|host"},
	}
	cache := NewCache(4)
	for _, tt := range tests {
		groups, ok, err := cache.Match(tt.subject, tt.pattern)
		if err != nil {
			t.Errorf("%q =~ %s: %v", tt.subject, tt.pattern, err)
			continue
		}
		got := "-"
		if ok {
			got = strings.Join(groups, "|")
		}
		if got != tt.want {
			t.Errorf("%q =~ %s: got %q, want %q", tt.subject, tt.pattern, got, tt.want)
		}
	}
}

func TestCompile_BadPatternNamesThePlace(t *testing.T) {
	tests := []struct{ pattern, want string }{
		{"a(b", "COMPILE ERROR: 3 [missing closing parenthesis][a(b]"},
		{"a)b", "COMPILE ERROR: 1 [unmatched closing parenthesis][a)b]"},
		{"*a", "COMPILE ERROR: 0 [quantifier does not follow a repeatable item][*a]"},
		{"[a", "COMPILE ERROR: 0 [missing terminating ] for character class][[a]"},
		{"/abc", "Regular Expression Error expression[/abc] missing ending '/' delimeter"},
		{`(?|a|b)`, "COMPILE ERROR: 0 [unrecognized character after (? or (?-][(?|a|b)]"},
		{`(a)(?1)`, "COMPILE ERROR: 3 [unrecognized character after (? or (?-][(a)(?1)]"},
		{`\i`, `COMPILE ERROR: 0 [unrecognized character follows \][\i]`},
		{`(a)\2`, "COMPILE ERROR: 3 [reference to non-existent subpattern][(a)\\2]"},
	}
	for _, tt := range tests {
		_, err := Compile(tt.pattern)
		var syntax *SyntaxError
		if !errors.As(err, &syntax) {
			t.Errorf("%s: got %v, want a syntax error", tt.pattern, err)
			continue
		}
		if err.Error() != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.pattern, err, tt.want)
		}
	}
}

func TestMatch_CatastrophicPatternEnds(t *testing.T) {
	re, err := Compile(`(a+)+(?!.)b`)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok, err := re.Match(strings.Repeat("a", 60)); ok || !errors.Is(err, ErrTimeout) {
		t.Errorf("got %v, %v; want ErrTimeout", ok, err)
	}
}

func TestSubstitute(t *testing.T) {
	groups := []string{"a=b", "a", "", "c"}
	tests := []struct{ template, want string }{
		{"x$1y", "xay"},
		{"${3}-${1}-$0-$7", "c-a-a=b-"},
		{"$2|", "|"},
		{"${name} $ $x $", "${name} $ $x $"},
		{"${1x}", "${1x}"},
		{"none", "none"},
		{"$300", ""},
	}
	for _, tt := range tests {
		if got := Substitute(tt.template, groups); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.template, got, tt.want)
		}
	}
	if got := SubstitutePercent("%3-%1", groups); got != "c-a" {
		t.Errorf("percent: got %q", got)
	}
}

func TestCache_ForgetsTheOldest(t *testing.T) {
	c := NewCache(2)
	for _, p := range []string{"a", "b", "c", "a", "(", "("} {
		_, _ = c.Compile(p)
	}
	if len(c.entries) != 2 || len(c.order) != 2 {
		t.Errorf("holds %d patterns, want 2", len(c.entries))
	}
	for _, p := range c.order {
		if _, ok := c.entries[p]; !ok {
			t.Errorf("order names %q, which is not held", p)
		}
	}
}

func FuzzTranslate(f *testing.F) {
	for _, s := range []string{`^(?:\+?1)?(\d{3})(\d{7})$`, `(?P<a>[[:alpha:]]+)\k<a>`, `\Qa\E++`, `(?x)a # b`, `(?(1)a|b)`, `[^]\d-a]`, `/a/i`, `_NXX.`, `a\Kb`} {
		f.Add(s, "some text 123")
	}
	f.Fuzz(func(t *testing.T, pattern, subject string) {
		re, err := Compile(pattern)
		if err != nil {
			if re != nil {
				t.Fatalf("error %v with a usable pattern", err)
			}
			return
		}
		groups, ok, err := re.Match(subject)
		if ok != (groups != nil) || err != nil && ok {
			t.Fatalf("groups %q, ok %v, err %v", groups, ok, err)
		}
		if ok && !strings.Contains(subject, groups[0]) {
			t.Fatalf("match %q is no part of %q", groups[0], subject)
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	re, err := Compile(`^(?:\+?1)?(\d{3})(\d{7})$`)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok, _ := re.Match("+15551234567"); !ok {
			b.Fatal("no match")
		}
	}
}
