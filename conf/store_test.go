package conf

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestGlobals_OrderAndCase(t *testing.T) {
	g := NewGlobals(Pair{"a", "1"}, Pair{"b", "2"}, Pair{"c", "3"})
	g.Set("A", "4")
	g.Delete("B")
	g.Delete("nope")
	if got := fmt.Sprint(g.All()); got != "[{c 3} {A 4}]" {
		t.Errorf("all %s", got)
	}
	if g.Get("a") != "4" || g.Get("b") != "" {
		t.Error("values")
	}
	if _, ok := g.Lookup("b"); ok {
		t.Error("b was deleted")
	}
	if g.Domain() != "freeswitch.local" {
		t.Error("default domain")
	}
	if n := testing.AllocsPerRun(100, func() { g.Get("a") }); n != 0 {
		t.Errorf("%v allocations for Get", n)
	}
}

// scratch writes a tree of one file into a directory.
func scratch(t *testing.T, text string) (Options, func(text string)) {
	t.Helper()
	dir := t.TempDir()
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, rootFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(text)
	return Options{Base: os.DirFS(dir), BaseDir: dir}, write
}

func TestStore_Reload(t *testing.T) {
	opts, write := scratch(t, "<X-PRE-PROCESS cmd=\"set\" data=\"v=1\"/>\n<X-PRE-PROCESS cmd=\"set\" data=\"pinned=tree\"/>\n<d><section name=\"configuration\"><configuration name=\"switch.conf\"><variables><variable name=\"w\" value=\"x\"/></variables></configuration></section></d>\n")
	opts.Globals = []Pair{{"base_dir", "/b"}}
	opts.Sets = []Pair{{"pinned", "mine"}}
	ctx := context.Background()
	s, err := NewStore(ctx, opts)
	if err != nil {
		t.Fatal(err)
	}
	if g := s.Globals(); g.Get("v") != "1" || g.Get("pinned") != "mine" || g.Get("base_dir") != "/b" || g.Get("w") != "x" {
		t.Errorf("globals %v", g.All())
	}
	s.Globals().Set("live", "yes")
	first := s.Tree()

	write("<X-PRE-PROCESS cmd=\"set\" data=\"u=$${live}\"/>\n<d x=\"$${v}\"/>\n")
	text, err := s.Reload(ctx)
	if text != "Success" || err != nil {
		t.Fatalf("reload: %q, %v", text, err)
	}
	if g := s.Globals(); g.Get("v") != "1" || g.Get("u") != "yes" || s.Tree().Root().Attr("x") != "1" {
		t.Errorf("after a reload: %v", g.All())
	}
	if s.Tree() == first {
		t.Error("the tree is the old one")
	}

	second := s.Tree()
	write("<X-PRE-PROCESS cmd=\"set\" data=\"u=broken\"/>\n<d>\n")
	text, err = s.Reload(ctx)
	if text != "[error near line 2]: unclosed tag <d>" || err == nil {
		t.Errorf("broken: %q, %v", text, err)
	}
	if s.Tree() != second || s.Globals().Get("u") != "yes" {
		t.Error("a reload that fails changed something")
	}

	if err := os.Remove(filepath.Join(opts.BaseDir, rootFile)); err != nil {
		t.Fatal(err)
	}
	text, err = s.Reload(ctx)
	if text != "Cannot Open log directory or XML Root!" || !errors.Is(err, ErrRoot) || s.Tree() != second {
		t.Errorf("missing: %q, %v", text, err)
	}
}

func TestStore_BindingsAnswerFirst(t *testing.T) {
	opts, _ := scratch(t, "<d><section name=\"dialplan\"><context name=\"static\"/></section><section name=\"directory\"><domain name=\"d\"/></section></d>")
	var heard []Warning
	opts.Report = func(w Warning) { heard = append(heard, w) }
	ctx := context.Background()
	s, err := NewStore(ctx, opts)
	if err != nil {
		t.Fatal(err)
	}
	answer := ""
	var asked []string
	unbind := s.Bind(Binding{Name: "script", Sections: []string{"Dialplan"}, Answer: func(_ context.Context, r Request) (string, error) {
		asked = append(asked, fmt.Sprintf("%s/%s/%s=%s %s", r.Section, r.Tag, r.Key, r.Value, r.Params["p"]))
		if answer == "fail" {
			return "", errors.New("broken script")
		}
		return answer, nil
	}})
	s.Bind(Binding{Name: "second", Sections: []string{"dialplan"}, Answer: func(context.Context, Request) (string, error) {
		return `<document><section name="dialplan"><context name="two"/></section></document>`, nil
	}})
	look := func(name string) string {
		n := s.Lookup(ctx, "dialplan", "context", "name", name, map[string]string{"p": "q"})
		if n == nil {
			return "nothing"
		}
		return n.Attr("name") + " of " + filepath.Base(n.File)
	}
	for _, c := range []struct{ answer, name, want string }{
		{"", "two", "two of second"},
		{"", "static", "static of freeswitch.xml"},
		{`<document><section name="result"><result status="not found"/></section></document>`, "two", "two of second"},
		{`<document><section name="dialplan"><context name="ONE"/></section></document>`, "one", "ONE of script"},
		{`<document><section name="dialplan"/></document>`, "two", "nothing"},
		{`<document>`, "two", "two of second"},
		{"fail", "two", "two of second"},
	} {
		answer = c.answer
		if got := look(c.name); got != c.want {
			t.Errorf("%q: %s is %s, want %s", c.answer, c.name, got, c.want)
		}
	}
	if asked[0] != "dialplan/context/name=two q" {
		t.Errorf("asked %q", asked[0])
	}
	if len(heard) != 2 || !strings.HasPrefix(heard[0].Text, "Error[") {
		t.Errorf("heard %v", heard)
	}
	n := len(asked)
	if s.Lookup(ctx, "directory", "domain", "name", "D", nil) == nil || len(asked) != n {
		t.Error("a binding was asked for a section that is not its own")
	}
	if got := s.Lookup(ctx, "dialplan", "", "", "", nil); got.Attr("name") != "dialplan" || got.File != "second" {
		t.Errorf("section %v", got)
	}
	n = len(asked)
	unbind()
	if look("two") != "two of second" || len(asked) != n {
		t.Error("unbound, and still asked")
	}
}

func TestStore_ReloadBesideLookups(t *testing.T) {
	opts, _ := scratch(t, "<X-PRE-PROCESS cmd=\"set\" data=\"v=1\"/>\n<d><section name=\"dialplan\"/></d>")
	ctx := context.Background()
	s, err := NewStore(ctx, opts)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				if s.Lookup(ctx, "dialplan", "", "", "", nil) == nil {
					t.Error("the section is gone")
				}
				s.Globals().Set("v", "2")
				s.Globals().All()
			}
		})
		wg.Go(func() {
			for range 10 {
				if text, err := s.Reload(ctx); err != nil {
					t.Error(text, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestOverride(t *testing.T) {
	const tree = `<d><section name="configuration">
<configuration name="event_socket.conf"><settings><param name="listen-port" value="1"/><param name="Listen-Port" value="2"/></settings></configuration>
<configuration name="sofia.conf"><global_settings/><profiles><profile name="internal"><settings><param name="sip-port" value="1"/></settings></profile></profiles></configuration>
<configuration name="verto.conf"><profiles><profile name="v"><param name="bind-local" value="a"/><param name="bind-local" value="b" secure="true"/></profile></profiles></configuration>
<configuration name="bare.conf"/>
</section></d>`
	var params []Param
	for _, s := range []string{"event_socket.conf/listen-port=9=9", "event_socket.conf/password=x", "sofia.conf/Internal/sip-port=5070", "sofia.conf/log-level=3",
		"verto.conf/v/bind-local=c", "verto.conf/v/new=n", "bare.conf/p=q", "made.conf.xml/p=q", "sofia.conf/nobody/p=q", "none.conf/x/p=q"} {
		p, err := ParseParam(s)
		if err != nil {
			t.Fatal(err)
		}
		params = append(params, p)
	}
	got, err := Load(context.Background(), Options{Base: treeOf(map[string]string{rootFile: tree}), Params: params})
	if err != nil {
		t.Fatal(err)
	}
	want := `<section name="configuration">
  <configuration name="event_socket.conf">
    <settings>
      <param name="listen-port" value="9=9"></param>
      <param name="password" value="x"></param>
    </settings>
  </configuration>
  <configuration name="sofia.conf">
    <global_settings>
      <param name="log-level" value="3"></param>
    </global_settings>
    <profiles>
      <profile name="internal">
        <settings>
          <param name="sip-port" value="5070"></param>
        </settings>
      </profile>
    </profiles>
  </configuration>
  <configuration name="verto.conf">
    <profiles>
      <profile name="v">
        <param name="bind-local" value="c"></param>
        <param name="bind-local" value="b" secure="true"></param>
        <param name="new" value="n"></param>
      </profile>
    </profiles>
  </configuration>
  <configuration name="bare.conf">
    <settings>
      <param name="p" value="q"></param>
    </settings>
  </configuration>
  <configuration name="made.conf">
    <settings>
      <param name="p" value="q"></param>
    </settings>
  </configuration>
</section>
`
	if s := got.Section("configuration").String(); s != want {
		t.Errorf("got %s", s)
	}
	if w := got.Warnings(); len(w) != 2 || !strings.Contains(w[0].Text, `nothing called "nobody"`) || !strings.Contains(w[1].Text, "no configuration none.conf") {
		t.Errorf("warnings %v", w)
	}
	for _, bad := range []string{"", "x", "x=y", "a.conf/=y", "/p=q", "a.conf//p=q"} {
		if _, err := ParseParam(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func FuzzParseParam(f *testing.F) {
	f.Add("a.conf/b/c=d")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParseParam(s)
		if err == nil && (p.File == "" && !strings.HasPrefix(s, ".xml") || p.Name == "") {
			t.Errorf("%q: %+v", s, p)
		}
	})
}
