package main

import (
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// modulePath is what the import paths of this module begin with.
const modulePath = "github.com/switchlet/switchlet"

// heart are the rooms that whoever acts on calls may use: the call itself, what
// it is made of, and how calls are found, written and made.
var heart = []string{
	"call", "call/event", "call/expand", "call/regex", "call/expr", "call/kv",
	"call/dialstring", "call/directory", "call/dialplan", "call/originate",
}

// rooms is the import table of docs/architecture.md: which rooms the packages of
// a room may import. An entry that ends in "/..." stands for the room and all
// below it; "..." is everything but main and the tests. A package belongs to the
// longest name that fits it.
var rooms = map[string][]string{
	"":              {"appliance"},
	"appliance/...": {"..."},

	"conf": {},

	"call":            {"call/event", "call/expand", "media"},
	"call/event":      {},
	"call/expand":     {},
	"call/regex":      {},
	"call/expr":       {"call/expand", "call/regex"},
	"call/kv":         {"store"},
	"call/dialstring": {"call/expand"},
	"call/directory":  {"conf"},
	"call/dialplan":   {"conf", "call", "call/expand", "call/regex"},
	"call/originate":  heart,
	"call/endpoint":   slices.Concat(heart, []string{"media/..."}),
	"call/apps":       slices.Concat(heart, []string{"call/say", "call/conference", "conf", "media/...", "store"}),
	"call/commands":   slices.Concat(heart, []string{"call/apps", "call/say", "call/conference", "conf", "media/...", "store"}),
	"call/conference": {"call", "call/event", "conf", "media/..."},
	"call/say/...":    {"call", "call/event", "call/regex", "conf", "media/..."},
	"call/speech":     {"call", "conf", "media"},
	"call/chat":       {"call", "call/dialplan", "call/event", "call/expand", "call/regex", "conf"},

	"media/...": {"media/..."},
	"store":     {},
	"store/...": {"store"},

	"sip":      {"call", "call/event", "call/expand", "call/directory", "conf", "media/...", "store"},
	"webrtc":   {"call", "call/event", "call/expand", "call/directory", "conf", "media/..."},
	"lua":      slices.Concat(heart, []string{"call/say", "conf", "media/...", "store"}),
	"scenario": {"call", "call/event", "media/...", "store"},

	"esl":        {},
	"esl/server": {"call", "call/event", "call/directory", "call/regex", "conf", "esl", "media"},
	"ui":         {},

	"docs/compat":         {"appliance", "call/event"},
	"docs/examples/watch": {"esl"},

	"test/...": {"...", "test/..."},
}

// fits reports whether a package lies in a room.
func fits(room, pkg string) bool {
	below, whole := strings.CutSuffix(room, "...")
	if !whole {
		return room == pkg
	}
	if below == "" {
		return pkg != "" && !strings.HasPrefix(pkg+"/", "test/")
	}
	return strings.HasPrefix(pkg+"/", below)
}

// roomOf returns the row of the table that a package belongs to.
func roomOf(pkg string) (room string, ok bool) {
	for name := range rooms {
		if fits(name, pkg) && (!ok || len(name) > len(room)) {
			room, ok = name, true
		}
	}
	return room, ok
}

// arrow is one import of one package by one file.
type arrow struct{ pkg, imported, file string }

// arrows reads the imports of every Go file of the module that is not a test,
// whatever system or tag it is for.
func arrows(t *testing.T) []arrow {
	t.Helper()
	var found []arrow
	files := token.NewFileSet()
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if p == "." {
				return nil
			}
			if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata" || name == "node_modules" {
				return fs.SkipDir
			}
			if _, err := os.Stat(filepath.Join(p, "go.mod")); err == nil {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(files, p, nil, parser.ImportsOnly)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		pkg := path.Dir(filepath.ToSlash(p))
		if pkg == "." {
			pkg = ""
		}
		found = append(found, arrow{pkg: pkg, file: p}) // a package without imports needs a room too
		for _, s := range f.Imports {
			imported, err := strconv.Unquote(s.Path.Value)
			if err != nil {
				return fmt.Errorf("%s: %w", p, err)
			}
			found = append(found, arrow{pkg, imported, p})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestImports_PointDown(t *testing.T) {
	homeless := map[string]bool{}
	for _, a := range arrows(t) {
		room, ok := roomOf(a.pkg)
		if !ok {
			if !homeless[a.pkg] {
				homeless[a.pkg] = true
				t.Errorf("%s: no room of the import table holds package %q; give it a row in deps_test.go and docs/architecture.md, or move it", a.file, a.pkg)
			}
			continue
		}
		if a.imported != modulePath && !strings.HasPrefix(a.imported, modulePath+"/") {
			continue
		}
		to := strings.TrimPrefix(strings.TrimPrefix(a.imported, modulePath), "/")
		allowed := rooms[room]
		if !slices.ContainsFunc(allowed, func(r string) bool { return fits(r, to) }) {
			t.Errorf("%s: room %q must not import %q; it may import: %s", a.file, room, to, list(allowed))
		}
	}
}

func TestImports_NoC(t *testing.T) {
	for _, a := range arrows(t) {
		if a.imported == "C" {
			t.Errorf("%s: imports \"C\"; the binary has no C in it", a.file)
		}
	}
}

// outside are the standard packages through which the world outside comes in.
var outside = []string{"net", "net/http", "os/exec", "database/sql", "encoding/xml", "syscall"}

func TestImports_CallKnowsNoSocketsNoXML(t *testing.T) {
	for _, a := range arrows(t) {
		if a.pkg == "call" && slices.Contains(outside, a.imported) {
			t.Errorf("%s: call must not import %s; what needs it belongs into an endpoint, an application or the appliance", a.file, a.imported)
		}
	}
}

func TestImports_TableIsDocumented(t *testing.T) {
	text, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	for room := range rooms {
		name := strings.TrimSuffix(room, "/...")
		if name == "" {
			name = "main.go"
		}
		if !strings.Contains(string(text), "\n| `"+name+"`") {
			t.Errorf("docs/architecture.md has no row for %q in its table of rooms", name)
		}
	}
}

func TestRoomOf_LongestNameWins(t *testing.T) {
	for _, c := range []struct{ pkg, room string }{
		{"", ""}, {"call", "call"}, {"call/event", "call/event"}, {"esl/server", "esl/server"},
		{"media", "media/..."}, {"media/file/wav", "media/..."}, {"appliance/cli", "appliance/..."},
	} {
		room, ok := roomOf(c.pkg)
		if !ok || room != c.room {
			t.Errorf("package %q: room %q, %v; want %q", c.pkg, room, ok, c.room)
		}
	}
	if room, ok := roomOf("call/nosuch"); ok {
		t.Errorf("package call/nosuch lies in %q; want none", room)
	}
}

func list(allowed []string) string {
	if len(allowed) == 0 {
		return "nothing of this module"
	}
	return strings.Join(allowed, " ")
}
