package expand

import (
	"reflect"
	"strings"
	"testing"
)

type values map[string]string

func (v values) Variable(name string) (string, bool) {
	s, ok := v[strings.ToLower(name)]
	return s, ok
}

func (v values) Command(name, args string) string {
	switch name {
	case "echo":
		return args
	case "toupper":
		return strings.ToUpper(args)
	}
	return ""
}

func TestExpand(t *testing.T) {
	r := values{
		"domain": "127.0.0.1", "v": "abcdefgh", "x": "v", "a_v": "inner",
		"nested": "<${v}>", "list": "ARRAY::zero|:one|:two", "deep": "${nested}!",
	}
	tests := []struct{ text, want string }{
		{"plain", "plain"},
		{"", ""},
		{"${domain}", "127.0.0.1"},
		{"$${domain}", "127.0.0.1"},
		{"${DOMAIN}", "127.0.0.1"},
		{"a${nosuch}b", "ab"},
		{"[${nosuch}] ${toupper(${v})}", "[] ABCDEFGH"},
		{"${domain:3}", ".0.0.1"},
		{"${domain:0:3}", "127"},
		{"${domain:-3}", "0.1"},
		{"${domain:-3:2}", "0."},
		{"${v:2:2}", "cd"},
		{"${v:3:100}", "defgh"},
		{"${v:100}", ""},
		{"${v:-100}", "abcdefgh"},
		{"${v:0:0}", "abcdefgh"},
		{"${nosuch:1:2}x", "x"},
		{"{${domain}}", "{127.0.0.1}"},
		{`\${domain}`, "${domain}"},
		{`\\${domain}`, `\127.0.0.1`},
		{`\$${x}`, "${x}"},
		{`\$$x`, `\$$x`},
		{`cost \$5`, `cost \$5`},
		{`a\'b`, "ab"},
		{`a\\b`, `a\b`},
		{`a\nb`, `a\nb`},
		{"$1 ${v} $", "$1 abcdefgh $"},
		{"$$1 ${v}", "$1 abcdefgh"},
		{"${domain", "127.0.0.1"},
		{"${echo a}b}", "ab}"},
		{"${echo(a}b)}", "a" + "b)}"},
		{"${echo({a})}", "{a}"},
		{"${echo (x)y}", "(x"},
		{"${echo((x)y)}z", "(x)yz"},
		{"${a_${x}}", "inner"},
		{"${nested}", "<abcdefgh>"},
		{"${deep}", "<abcdefgh>!"},
		{"${list}", "ARRAY::zero|:one|:two"},
		{"${list[1]}", "one"},
		{"${list[2]}", "two"},
		{"${list[3]}", ""},
		{"${list[#]}", "zero"},
		{"${v[0]}", "abcdefgh"},
		{"${v[1]}", ""},
		{"${unknown(args)}", ""},
		{`${v}\${v}`, `abcdefgh\abcdefgh`},
		{"${}", ""},
		{"${v}${v}", "abcdefghabcdefgh"},
	}
	for _, tt := range tests {
		if got := Expand(tt.text, r); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.text, got, tt.want)
		}
	}
}

type global struct{ values }

func (global) Global(name string) (string, bool) { return "global " + name, true }

func TestExpand_DoubleDollarAsksForGlobals(t *testing.T) {
	r := global{values{"v": "own"}}
	if got := Expand("${v} $${v}", r); got != "own global v" {
		t.Errorf("got %q", got)
	}
}

func TestExpand_IsBounded(t *testing.T) {
	loops := []values{
		{"a": "${a}"},
		{"a": "${a}${a}"},
		{"a": "${b}${b}", "b": "${a}${a}x"},
		{"a": "${echo ${a} ${a}}"},
	}
	for _, r := range loops {
		if got := Expand("${a}", r); len(got) > MaxOutput {
			t.Errorf("%v: %d bytes", r, len(got))
		}
	}
	wide := values{"a": strings.Repeat("x", MaxOutput)}
	if got := Expand(strings.Repeat("${a}", 50), wide); len(got) > MaxOutput {
		t.Errorf("%d bytes", len(got))
	}
}

func TestExpand_TextWithoutReferencesCostsNothing(t *testing.T) {
	r := Resolver(values{})
	text := "sofia/gateway/example/5551234 costs $5"
	if n := testing.AllocsPerRun(100, func() { Expand(text, r) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestSplitSeparate(t *testing.T) {
	tests := []struct {
		text  string
		delim byte
		max   int
		want  []string
	}{
		{"a,b,c", ',', 10, []string{"a", "b", "c"}},
		{"a,b,c", ',', 2, []string{"a", "b,c"}},
		{" a , 'b , c' ,d ", ',', 10, []string{"a", "b , c", "d"}},
		{`a\,b,c\d`, ',', 10, []string{"a,b", `c\d`}},
		{`a\n\r\t\s\'\"\\`, ',', 10, []string{"a\n\r\t '\"\\"}},
		{",b", ',', 10, []string{"", "b"}},
		{"a,", ',', 10, []string{"a"}},
		{"a,,b", ',', 10, []string{"a", "", "b"}},
		{"", ',', 10, nil},
		{"it's,b", ',', 10, []string{"it's", "b"}},
		{"^^:a,b:c", ',', 10, []string{"a,b", "c"}},
		{"^^:::c:d", ',', 10, []string{"", "", "c", "d"}},
		{"^^", ',', 10, []string{"^^"}},
		{"a  b   c", ' ', 10, []string{"a", "b", "c"}},
		{"a  b   c  d", ' ', 2, []string{"a", "b   c  d"}},
		{"  a 'b c' ", ' ', 10, []string{"a", "b c"}},
		{`{foo='a,b'}null/x &park()`, ' ', 7, []string{"{foo=a,b}null/x", "&park()"}},
		{`'{foo=\'a,b\'}null/x' &park()`, ' ', 7, []string{"{foo='a,b'}null/x", "&park()"}},
		{`x\`, ',', 10, []string{`x\`}},
		{"a", ',', 0, nil},
	}
	for _, tt := range tests {
		if got := SplitSeparate(tt.text, tt.delim, tt.max); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%q: got %q, want %q", tt.text, got, tt.want)
		}
	}
	if got := Split("a,'b,c',", ',', 3); !reflect.DeepEqual(got, []string{"a", "'b", "c',"}) {
		t.Errorf("plain: got %q", got)
	}
}

func TestArrays(t *testing.T) {
	tests := []struct{ name, got, want string }{
		{"push to nothing", Push("", "a"), "a"},
		{"push to a value", Push("a", "b"), "ARRAY::a|:b"},
		{"unshift", Unshift("ARRAY::a|:b", "c"), "ARRAY::c|:a|:b"},
		{"set an element", SetElement("ARRAY::a|:b", 1, "x"), "ARRAY::a|:x"},
		{"set beyond the end", SetElement("a", 2, "x"), "ARRAY::a|:|:x"},
		{"set out of range", SetElement("a", 4001, "x"), "a"},
		{"the prefix alone is a value", FormatArray(ParseArray("ARRAY::")), "ARRAY::"},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, tt.got, tt.want)
		}
	}
}

func FuzzExpand(f *testing.F) {
	for _, s := range []string{"${a}", `\${a}${b:1:2}`, "${echo(${a})}", "$${b[0]}", "${a${a}}", `\'\\`} {
		f.Add(s, "v", "${a}")
	}
	f.Fuzz(func(t *testing.T, text, a, b string) {
		r := values{"a": a, "b": b}
		if got := Expand(text, r); len(got) > MaxOutput && len(text) <= MaxOutput {
			t.Fatalf("%d bytes", len(got))
		}
	})
}

func FuzzSplitSeparate(f *testing.F) {
	f.Add(`a\,b,'c,d' ,e`, byte(','), 3)
	f.Add(`^^;a;b`, byte(' '), 10)
	f.Fuzz(func(t *testing.T, text string, delim byte, limit int) {
		fields := SplitSeparate(text, delim, limit)
		if len(fields) > max(limit, 0) {
			t.Fatalf("%d fields of at most %d", len(fields), limit)
		}
		total := 0
		for _, s := range fields {
			total += len(s)
		}
		if total > len(text) {
			t.Fatalf("fields hold %d bytes of %d", total, len(text))
		}
	})
}

func TestOnce_ValuesAreTakenAsTheyAre(t *testing.T) {
	r := onceResolver{"a": `${b} $${b} ${run(x)} \$ \s`, "b": "B", "n": "b"}
	for text, want := range map[string]string{
		`[${a}]`:         `[${b} $${b} ${run(x)} \$ \s]`,
		`${${n}}`:        "B",
		`${run(${a})}`:   `<${b} $${b} ${run(x)} \$ \s>`,
		`${a:0:4}`:       "${b}",
		"nothing":        "nothing",
		`${nosuch}${b}!`: "B!",
	} {
		if got := Once(text, r); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

type onceResolver map[string]string

func (r onceResolver) Variable(name string) (string, bool) { v, ok := r[name]; return v, ok }

func (r onceResolver) Command(_, args string) string { return "<" + args + ">" }
