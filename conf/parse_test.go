package conf

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestParse_Lenient(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"an empty element", "<a/>", "<a></a>\n"},
		{"text before the root is skipped", "junk <a/>", "<a></a>\n"},
		{"a declaration and a comment before the root", "<?xml version='1.0'?><!-- c --><a/>", "<a></a>\n"},
		{"attributes in either quote", `<a b="1" c='2'/>`, "<a b=\"1\" c=\"2\"></a>\n"},
		{"spaces around =", "<a b = \"1\"\n c=\"2\" />", "<a b=\"1\" c=\"2\"></a>\n"},
		{"an unquoted value becomes an attribute", "<a b=c>x</a>", "<a b=\"\" c=\"\">x</a>\n"},
		{"the first of two equal attributes wins", `<a b="1" b="2"/>`, "<a b=\"1\"></a>\n"},
		{"white space in attributes becomes spaces", "<a b=\"x\n\ty\r\nz\"/>", "<a b=\"x  y z\"></a>\n"},
		{"entities", "<a b=\"&lt;&amp;&quot;\">&gt;&apos;&#65;&#x42;&#x20AC;</a>", "<a b=\"&lt;&amp;&quot;\">&gt;'AB€</a>\n"},
		{"unknown entities and bare ampersands stay", "<a>&foo; & &#; &#xZZ; &amp;amp;</a>", "<a>&amp;foo; &amp; &amp;#; &amp;#xZZ; &amp;amp;</a>\n"},
		{"line ends are normal in text", "<a>x\r\ny\rz</a>", "<a>x\ny\nz</a>\n"},
		{"CDATA is verbatim", "<a><![CDATA[<b>&amp;]]></a>", "<a>&lt;b&gt;&amp;amp;</a>\n"},
		{"text pieces are joined", "<a>x<!-- c -->y<![CDATA[z]]></a>", "<a>xyz</a>\n"},
		{"nested elements", "<a>\n  <b>\n<c/></b></a>", "<a>\n  <b>\n    <c></c>\n  </b>\n</a>\n"},
		{"a document type is skipped", "<!DOCTYPE a [ <!ENTITY x \"y\"> ] ><a>&x;</a>", "<a>&amp;x;</a>\n"},
		{"names are case-sensitive", "<A b=\"1\" B=\"2\"></A>", "<A b=\"1\" B=\"2\"></A>\n"},
		{"text after the root is ignored", "<a/> rest", "<a></a>\n"},
		{"a byte order mark is skipped", "\xef\xbb\xbf<a/>", "<a></a>\n"},
		{"UTF-16 is converted", "\xff\xfe<\x00a\x00>\x00\xac\x20<\x00/\x00a\x00>\x00", "<a>€</a>\n"},
		{"from <! on nothing is escaped", "<a>&lt; x &lt;!&lt;&gt;</a>", "<a>&lt; x <!<></a>\n"},
		{"tabs in attributes made by reference", "<a b=\"&#9;&#10;\"/>", "<a b=\"&#x9;&#xA;\"></a>\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, err := Parse(c.in, "x.xml")
			if err != nil {
				t.Fatal(err)
			}
			if got := n.String(); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestParse_Errors(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", "[error near line 1]: root tag missing"},
		{"no markup", "[error near line 1]: root tag missing"},
		{"<!-- only -->", "[error near line 1]: root tag missing"},
		{"<a/>\n<b/>", "[error near line 2]: markup outside of root element"},
		{"<a>\n<b c=\"x>\n</a>", "[error near line 2]: missing \""},
		{"<a>\n<b c='x>\n</a>", "[error near line 2]: missing '"},
		{"<a", "[error near line 1]: missing >"},
		{"<a / >", "[error near line 1]: missing >"},
		{"<a></a", "[error near line 1]: missing >"},
		{"<a>\n\n</b></a>", "[error near line 3]: unexpected closing tag </b>"},
		{"</b>", "[error near line 1]: unexpected closing tag </b>"},
		{"<a>\n<!-- x", "[error near line 2]: unclosed <!--"},
		{"<a>\n<!-- x -- y --></a>", "[error near line 2]: unclosed <!--"},
		{"<a><![CDATA[x</a>", "[error near line 1]: unclosed <![CDATA["},
		{"<!DOCTYPE a [ <a>", "[error near line 1]: unclosed <!DOCTYPE"},
		{"<a><?x </a>", "[error near line 1]: unclosed <?"},
		{"<a>\n< b/></a>", "[error near line 2]: unexpected <"},
		{"<a>\n<b>\n", "[error near line 3]: unclosed tag <b>"},
		{"<a b=\"1\n2\n3\">\n</x>", "[error near line 2]: unexpected closing tag </x>"},
		{"<a ='\n'", "[error near line 1]: missing >"},
		{"<" + strings.Repeat("a", 300) + ">", "[error near line 1]: unclosed tag <" + strings.Repeat("a", 92)},
	} {
		_, err := Parse(c.in, "x.xml")
		var pe *ParseError
		if !errors.As(err, &pe) {
			t.Errorf("%q: error %v", c.in, err)
			continue
		}
		if got := pe.Reference(); got != c.want {
			t.Errorf("%q: got %q, want %q", c.in, got, c.want)
		}
		if pe.Mend == "" || pe.File != "x.xml" || pe.Line < 1 {
			t.Errorf("%q: %+v", c.in, pe)
		}
	}
}

func TestParse_DepthIsLimited(t *testing.T) {
	if _, err := Parse(strings.Repeat("<a>", MaxNesting+1), "x"); err == nil || !strings.Contains(err.Error(), "nesting deeper") {
		t.Errorf("error %v", err)
	}
	deep := strings.Repeat("<a>", MaxNesting) + strings.Repeat("</a>", MaxNesting)
	if _, err := Parse(deep, "x"); err != nil {
		t.Error(err)
	}
}

func TestLoad_ErrorNamesTheFileAPersonEdits(t *testing.T) {
	base := treeOf(map[string]string{
		rootFile:      "<document>\n<X-PRE-PROCESS cmd=\"include\" data=\"part/*.xml\"/>\n</document>\n",
		"part/ok.xml": "<include>\n<!-- one\n two -->\n<a/>\n</include>\n",
		"part/z.xml":  "<include>\n\n<section>\n  <b>\n</section>\n</include>\n",
	})
	_, err := Load(context.Background(), Options{Base: base, BaseDir: "/tree"})
	var pe *ParseError
	if !errors.As(err, &pe) {
		t.Fatalf("error %v", err)
	}
	if pe.File != "/tree/part/z.xml" || pe.Line != 5 || pe.Message != "unexpected closing tag </section>" {
		t.Errorf("%+v", pe)
	}
	if want := "<b>, opened at /tree/part/z.xml:4, must be closed first"; pe.Mend != want {
		t.Errorf("mend %q, want %q", pe.Mend, want)
	}
	// Flat: <document>, two comment lines, <a/>, empty, <section>, <b>, </section>.
	if want := "[error near line 8]: unexpected closing tag </section>"; pe.Reference() != want {
		t.Errorf("reference %q, want %q", pe.Reference(), want)
	}
}

func TestNode_Lookups(t *testing.T) {
	n, err := Parse(`<configuration name="x.conf">
  <settings>
    <param name="One" value="1"/>
    <param name="flag" value="enabled"/>
    <param name="one" value="2"/>
    <param name="empty" value=""/>
  </settings>
  <profile name="Alpha"><param name="p" value="q"/></profile>
  <profile name="beta"/>
</configuration>`, "x")
	if err != nil {
		t.Fatal(err)
	}
	p := Params(n)
	if p.Get("ONE") != "2" || len(p.All("one")) != 2 || p.Int("one", 7) != 2 || p.Int("flag", 7) != 7 || p.Int("none", 7) != 7 {
		t.Errorf("params %v", p)
	}
	if !p.Bool("flag", false) || p.Bool("one", false) != true || !p.Bool("none", true) || !p.Bool("empty", true) {
		t.Error("booleans")
	}
	if _, ok := p.Lookup("empty"); !ok {
		t.Error("an empty parameter is one")
	}
	alpha := n.Find("profile", "name", "ALPHA")
	if alpha == nil || Params(alpha).Get("p") != "q" || alpha.Line != 8 || alpha.Where() != "x:8" {
		t.Errorf("alpha %v", alpha)
	}
	if len(n.ChildrenNamed("profile")) != 2 {
		t.Error("profiles")
	}
	var none *Node
	if none.Child("x").Find("a", "b", "c") != nil || none.Attr("x") != "" || Params(none) != nil || none.String() != "" || none.Clone() != nil {
		t.Error("a nil node has nothing")
	}
	c := n.Clone()
	c.Child("settings").SetAttr("new", "1")
	if n.Child("settings").Attr("new") != "" || c.Child("settings").Parent != c {
		t.Error("a clone shares nothing")
	}
}

func TestTruth(t *testing.T) {
	for _, s := range []string{"yes", "ON", "True", "t", "enabled", "ACTIVE", "allow", "1", "-3", "2.5"} {
		if !True(s) || False(s) {
			t.Errorf("%q is true", s)
		}
	}
	for _, s := range []string{"no", "OFF", "False", "f", "disabled", "inactive", "disallow", "0", "0.0"} {
		if True(s) || !False(s) {
			t.Errorf("%q is false", s)
		}
	}
	for _, s := range []string{"", "deny", "maybe", "1x", "."} {
		if True(s) || False(s) {
			t.Errorf("%q is neither", s)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"<a b='c'>&lt;<![CDATA[x]]><!-- --></a>", "<a b=c d/>", "<!DOCTYPE a [<!ENTITY b 'c'>]><a/>", "<a\x00>", "\xff\xfe<\x00", "<a></b>", "<?x?><a>&#x10FFFF;</a>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := Parse(s, "f")
		if err != nil {
			var pe *ParseError
			if errors.As(err, &pe) {
				if len(pe.Reference()) > maxReferenceText || pe.Line < 1 || pe.FlatLine < 1 {
					t.Errorf("%q: %+v", s, pe)
				}
			}
			return
		}
		if n == nil {
			t.Fatal("neither a node nor an error")
		}
		text := n.String()
		if strings.Contains(text, "<!") {
			return
		}
		if _, err := Parse(text, "g"); err != nil {
			t.Errorf("%q does not read back: %v", text, err)
		}
	})
}
