package conf

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// treeOf makes a tree of texts; "freeswitch.xml" is wrapped into a document
// unless it brings one.
func treeOf(files map[string]string) fstest.MapFS {
	m := fstest.MapFS{}
	for name, text := range files {
		m[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return m
}

func flat(t *testing.T, opts Options) (string, *preprocessor) {
	t.Helper()
	p := &preprocessor{ctx: context.Background(), opts: &opts, tree: layers{{opts.Base, opts.BaseDir}}, globals: NewGlobals(opts.Globals...), pinned: map[string]string{}}
	for _, s := range opts.Sets {
		p.pinned[strings.ToLower(s.Name)] = s.Value
		p.globals.Set(s.Name, s.Value)
	}
	if err := p.file(rootFile, 0); err != nil {
		t.Fatal(err)
	}
	return p.out.String(), p
}

func TestPreprocess_Lines(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"a plain line is copied", "<a/>\n", "<a/>\n"},
		{"global variables are expanded", "<a b=\"$${x}-$${X}\"/>\n", "<a b=\"1-1\"/>\n"},
		{"an unset variable is empty", "[$${nope}]\n", "[]\n"},
		{"a run-time variable is left alone", "${x} $x\n", "${x} $x\n"},
		{"values are not expanded again", "$${nested}\n", "$${x}\n"},
		{"without a closing brace the text stays", "a $${x\n", "a $${x\n"},
		{"the include tag drops its line", "<include> lost\nkept\n</include>\n", "kept\n"},
		{"so does a processing instruction", "<?xml version=\"1.0\"?> lost\n", ""},
		{"set takes effect on later lines only", "$${y}|\n<X-PRE-PROCESS cmd=\"set\" data=\"y=2\"/>\n$${y}|\n", "|\n2|\n"},
		{"set works inside a comment", "<!-- <X-PRE-PROCESS cmd=\"set\" data=\"y=2\"/> -->\n$${y}\n", "2\n"},
		{"cmd and tag ignore case", "<x-pre-process CMD=\"SET\" data=\"y=2\"/>\n$${y}\n", "2\n"},
		{"text beside the tag is lost", "before <X-PRE-PROCESS cmd=\"set\" data=\"y=2\"/> after\n$${y}\n", "2\n"},
		{"XX switches a directive and its line off", "<XX-PRE-PROCESS cmd=\"set\" data=\"y=2\"/>\n[$${y}]\n", "[]\n"},
		{"X-NO-PRE-PROCESS is an element", "<X-NO-PRE-PROCESS cmd=\"set\" data=\"y=2\"/>\n", "<X-NO-PRE-PROCESS cmd=\"set\" data=\"y=2\"/>\n"},
		{"single quotes do not count", "<X-PRE-PROCESS cmd='set' data='y=2'/>\n[$${y}]\n", "[]\n"},
		{"cmd must come first", "<X-PRE-PROCESS data=\"y=2\" cmd=\"set\"/>\n[$${y}]\n", "[]\n"},
		{"spaces around = are trimmed, others kept", "<X-PRE-PROCESS cmd=\"set\" data=\" y = a b \"/>\n[$${ y}]\n", "[a b ]\n"},
		{"run-time variables in a value are disarmed", "<X-PRE-PROCESS cmd=\"set\" data=\"y=${z}\"/>\n$${y}\n", "%{z}\n"},
		{"an empty value is a value", "<X-PRE-PROCESS cmd=\"set\" data=\"x=\"/>\n[$${x}]\n", "[]\n"},
		{"set without = does nothing", "<X-PRE-PROCESS cmd=\"set\" data=\"x\"/>\n[$${x}]\n", "[1]\n"},
		{"old style set keeps the text around it", "a<!--#set \"y=2\"-->b$${y}\n$${y}\n", "ab\n2\n"},
		{"an old style comment may span lines", "a<!--#comment\nlost\nlost --> b\n", "a b\n"},
		{"two old style directives on a line", "<!--#set \"y=2\"-->-<!--#set \"w=3\"-->\n$${y}$${w}\n", "-\n23\n"},
		{"carriage returns end lines", "a\r\nb\rc\n", "a\r\nb\rc\n"},
		{"env-set of an unset name does nothing", "<X-PRE-PROCESS cmd=\"env-set\" data=\"y=$SWITCHLET_NO_SUCH\"/>\n[$${y}]\n", "[]\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _ := flat(t, Options{Base: treeOf(map[string]string{rootFile: c.in}), Globals: []Pair{{"x", "1"}, {"nested", "$${x}"}}})
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestPreprocess_IncludesByPatternInByteOrder(t *testing.T) {
	got, p := flat(t, Options{Base: treeOf(map[string]string{
		rootFile:       "<X-PRE-PROCESS cmd=\"include\" data=\"a/*.xml\"/>\n<X-PRE-PROCESS cmd=\"include\" data=\"none/*.xml\"/>\n",
		"a/2.xml":      "two\n",
		"a/10.xml":     "ten\n<!--#include \"../b/x.xml\"-->\n",
		"a/.3.xml":     "hidden\n",
		"a/x.noload":   "no\n",
		"b/x.xml":      "deep\n<X-PRE-PROCESS cmd=\"include\" data=\"y/*.xml\"/>\n",
		"b/y/only.xml": "deeper\n",
	})})
	if want := "ten\ndeep\ndeeper\n\ntwo\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	file, line := p.where.at(got, strings.Index(got, "deeper"))
	if file != "b/y/only.xml" || line != 1 {
		t.Errorf("deeper came from %s:%d", file, line)
	}
	file, line = p.where.at(got, strings.Index(got, "two"))
	if file != "a/2.xml" || line != 1 {
		t.Errorf("two came from %s:%d", file, line)
	}
	if len(p.warnings) != 1 || p.warnings[0].Text != "No files to include at none/*.xml" || p.warnings[0].Level != Info {
		t.Errorf("warnings %v", p.warnings)
	}
}

func TestPreprocess_EveryPlaceKeepsItsLine(t *testing.T) {
	got, p := flat(t, Options{Globals: []Pair{{"many", "x\ny\nz"}}, Base: treeOf(map[string]string{
		rootFile: "one\ntwo\r\nthree\rstill3\n<!--#set \"a=1\"-->four\n<X-PRE-PROCESS cmd=\"set\" data=\"b=2\"/>\nsix $${many} still6\nseven\n" +
			"<X-PRE-PROCESS cmd=\"include\" data=\"a.xml\"/>\nnine\n<!--#comment\nlost --> eleven\ntwelve",
		"a.xml": "a1\na2\n\na4",
	})})
	want := map[string]int{"one": 1, "two": 2, "three": 3, "still3": 3, "four": 4, "six": 6, "y": 6, "still6": 6, "seven": 7,
		"a1": 1, "a2": 2, "a4": 4, "nine": 9, "eleven": 11, "twelve": 12}
	for _, ascending := range []bool{true, false} {
		for word, line := range want {
			if !ascending {
				p.where.at(got, len(got)) // so that the next place lies before the last one
			}
			file, at := p.where.at(got, strings.Index(got, word))
			if from := map[bool]string{true: "a.xml", false: rootFile}[strings.HasPrefix(word, "a")]; at != line || file != from {
				t.Errorf("%s is said to be of %s:%d, want %s:%d", word, file, at, from, line)
			}
		}
	}
}

func TestPreprocess_FilesThatIncludeEachOtherEnd(t *testing.T) {
	for name, body := range map[string]string{
		"once":  "<X-PRE-PROCESS cmd=\"include\" data=\"freeswitch.xml\"/>\n",
		"twice": "<X-PRE-PROCESS cmd=\"include\" data=\"freeswitch.xml\"/>\n<X-PRE-PROCESS cmd=\"include\" data=\"freeswitch.xml\"/>\n",
	} {
		tree, err := Load(context.Background(), Options{Base: treeOf(map[string]string{rootFile: "<a>\n</a>\n" + body})})
		if name == "once" {
			// The second root stands outside of the first: the depth ended the loop.
			var pe *ParseError
			if !errors.As(err, &pe) || pe.Message != "markup outside of root element" {
				t.Errorf("%s: %v, %v", name, tree, err)
			}
			continue
		}
		if !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPreprocess_LimitsAreErrorsWithFileAndLine(t *testing.T) {
	long := strings.Repeat("x", maxLine/2)
	_, err := Load(context.Background(), Options{Globals: []Pair{{"long", long}}, Base: treeOf(map[string]string{rootFile: "<a>\n$${long}$${long}$${long}\n</a>"})})
	if !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "freeswitch.xml:2") {
		t.Errorf("a line that grows: %v", err)
	}
	_, err = Load(context.Background(), Options{Base: treeOf(map[string]string{rootFile: "<a>\n" + strings.Repeat("x", maxLine+1)})})
	if !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "freeswitch.xml:2") {
		t.Errorf("a long line: %v", err)
	}
}

func TestPreprocess_ShellRunsOnlyWhenAllowed(t *testing.T) {
	text := "<X-PRE-PROCESS cmd=\"exec\" data=\"echo hello\"/>\n<X-PRE-PROCESS cmd=\"exec-set\" data=\"y=echo ' two '\"/>\n[$${y}]\n"
	got, p := flat(t, Options{Base: treeOf(map[string]string{rootFile: text})})
	if got != "[]\n" || len(p.warnings) != 2 || p.warnings[1].Line != 2 {
		t.Errorf("refused: got %q, warnings %v", got, p.warnings)
	}
	got, p = flat(t, Options{AllowShell: true, Base: treeOf(map[string]string{rootFile: text})})
	if got != "hello\n[ two]\n" || len(p.warnings) != 0 {
		t.Errorf("allowed: got %q, warnings %v", got, p.warnings)
	}
	_, p = flat(t, Options{AllowShell: true, Base: treeOf(map[string]string{rootFile: "<X-PRE-PROCESS cmd=\"exec\" data=\"exit 3\"/>\n"})})
	if len(p.warnings) != 1 || !strings.HasPrefix(p.warnings[0].Text, "Error while executing command: exit 3") {
		t.Errorf("failing command: %v", p.warnings)
	}
}

func TestPreprocess_StunSet(t *testing.T) {
	asked := 0
	opts := Options{
		Base: treeOf(map[string]string{rootFile: `<X-PRE-PROCESS cmd="stun-set" data="a=stun:stun.example:3478"/>
<X-PRE-PROCESS cmd="stun-set" data="b=stun:stun.example:3478"/>
<X-PRE-PROCESS cmd="stun-set" data="c=stun:gone.example"/>
<X-PRE-PROCESS cmd="stun-set" data="d=192.0.2.9"/>
<X-PRE-PROCESS cmd="stun-set" data="e=stun:stun.example"/>
$${a} $${b} $${c} $${d} $${e}
`}),
		Globals: []Pair{{"c", "old"}},
		Sets:    []Pair{{"e", "mine"}},
		StunLookup: func(ctx context.Context, host string) (string, error) {
			asked++
			if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > stunTime {
				t.Error("no time limit")
			}
			if host == "gone.example" {
				return "", errors.New("no answer")
			}
			return "203.0.113.5", nil
		},
	}
	got, p := flat(t, opts)
	if want := "203.0.113.5 203.0.113.5 old 192.0.2.9 mine\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if asked != 2 {
		t.Errorf("asked %d times for two servers", asked)
	}
	if len(p.warnings) != 1 || p.warnings[0].Line != 3 {
		t.Errorf("warnings %v", p.warnings)
	}
}

func TestPreprocess_EnvSet(t *testing.T) {
	t.Setenv("SWITCHLET_TEST_ENV", " kept ")
	got, _ := flat(t, Options{Base: treeOf(map[string]string{rootFile: "<X-PRE-PROCESS cmd=\"env-set\" data=\"y=$SWITCHLET_TEST_ENV\"/>\n[$${y}]\n"})})
	if got != "[ kept ]\n" {
		t.Errorf("got %q", got)
	}
}

func TestLoad_SetsWinOverTheTree(t *testing.T) {
	tree, err := Load(context.Background(), Options{
		Base:    treeOf(map[string]string{rootFile: "<X-PRE-PROCESS cmd=\"set\" data=\"port=1\"/>\n<X-PRE-PROCESS cmd=\"set\" data=\"other=$${PORT}\"/>\n<a p=\"$${port}\"/>\n"}),
		Globals: []Pair{{"first", "x"}, {"port", "0"}},
		Sets:    []Pair{{"Port", "9"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := tree.Root().Attr("p"); got != "9" {
		t.Errorf("p is %q", got)
	}
	if got := fmt.Sprint(tree.Globals()); got != "[{first x} {port 9} {other 9}]" {
		t.Errorf("globals %s", got)
	}
}

func TestLoad_MissingRoot(t *testing.T) {
	_, err := Load(context.Background(), Options{Base: treeOf(nil), BaseDir: "/etc/box"})
	if !errors.Is(err, ErrRoot) || !strings.Contains(err.Error(), "/etc/box/freeswitch.xml") {
		t.Errorf("error %v", err)
	}
}

func TestLoad_StopsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Load(ctx, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func FuzzPreprocess(f *testing.F) {
	f.Add("<a b=\"$${x}\"/>\n", "b\n")
	f.Add("<X-PRE-PROCESS cmd=\"include\" data=\"*.inc\"/>\n", "<X-PRE-PROCESS cmd=\"set\" data=\"x=$${x}$${x}\"/>\n")
	f.Add("<!--#set \"x=1\"--><!--#comment\n-->", "<!--#include \"[\"-->")
	f.Add("<X-PRE-PROCESS cmd=\"include\" data=\"../../*\"/>\n", "$${")
	f.Fuzz(func(t *testing.T, root, other string) {
		base := fstest.MapFS{rootFile: &fstest.MapFile{Data: []byte(root)}, "a.inc": &fstest.MapFile{Data: []byte(other)}}
		if strings.Contains(strings.ToLower(root+other), "host:") || strings.Contains(root+other, "/") && strings.Contains(strings.ToLower(root+other), "include") {
			t.Skip("would ask the network or the disk")
		}
		tree, err := Load(t.Context(), Options{Base: base, Globals: []Pair{{"x", "1"}}})
		if err == nil && tree.Root() == nil {
			t.Error("neither a tree nor an error")
		}
	})
}

func TestPreprocess_WhatIsLostBesideIncludeIsTold(t *testing.T) {
	for line, want := range map[string]int{
		"<include>": 0, "  </include> ": 0, "<include> <!-- a comment -->": 0, "<include></include>": 0, `<?xml version="1.0"?><include>`: 0,
		`<include><gateway name="x">`: 1, `<param name="a" value="b"/></include>`: 1,
	} {
		got, p := flat(t, Options{Base: treeOf(map[string]string{rootFile: line + "\nrest\n"})})
		if got != "rest\n" || len(p.warnings) != want {
			t.Errorf("%s: %q, warnings %v, want %d", line, got, p.warnings, want)
		}
	}
}
