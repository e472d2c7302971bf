// Command compat writes docs/compatibility.md: every application, command, event,
// Lua method and parameter that the fact sheets in docs/reference name, and
// whether this switch has it. Run it at the top of the checkout:
//
//	go run ./docs/compat
//
// What the switch has is not written down here: the program opens a box without
// starting it and asks its tables, so the page cannot promise what is not there.
// A test keeps the page equal to what the program writes.
package main

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/switchlet/switchlet/appliance"
	"github.com/switchlet/switchlet/call/event"
)

func main() {
	page, err := write(context.Background(), ".")
	if err == nil {
		err = os.WriteFile(filepath.Join("docs", "compatibility.md"), []byte(page), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "compat:", err)
		os.Exit(1)
	}
}

const head = `# Compatibility

What FreeSWITCH has, as far as the fact sheets in [reference](reference) name it, and whether this switch has it. The page is made by ` + "`go run ./docs/compat`" + ` from
the tables of the switch itself. **Yes** says that the name exists and does what it is for, not that every option of it was tried; how it differs in detail stands in [differences.md](differences.md).
**Partly**, of an application, a command or a method: what is missing stands behind it. **Partly**, of a parameter: it is accepted and has no effect, because what it asks for is so anyway or concerns something that is not
there. **Partly**, of an event: it can be subscribed to and sent by programs, but the switch itself never fires it. **No**: it is unknown; ` + "`switchlet check`" + ` names it in a configuration.
`

// list is one chapter of the page.
type list struct {
	title string
	facts []fact
	has   func(fact) string // "yes", "partly" or "no"
	// lacks says what is missing of what is there in part; nil: nothing is told.
	lacks func(fact) string
}

// write makes the page for the checkout at root.
func write(ctx context.Context, root string) (string, error) {
	data, err := os.MkdirTemp("", "compat")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(data)
	box, err := appliance.Open(ctx, appliance.Options{Data: data})
	if err != nil {
		return "", err
	}
	defer box.Stop()
	lists, err := chapters(ctx, root, box)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString(head + "\n| | yes | partly | no |\n|---|---|---|---|\n")
	for _, l := range lists {
		count := map[string]int{}
		for _, f := range l.facts {
			count[l.has(f)]++
		}
		fmt.Fprintf(&b, "| %s | %d | %d | %d |\n", l.title, count["yes"], count["partly"], count["no"])
	}
	for _, l := range lists {
		fmt.Fprintf(&b, "\n## %s\n", l.title)
		for _, word := range []string{"yes", "partly", "no"} {
			l.print(&b, word)
		}
	}
	return b.String(), nil
}

// print writes the names that have one answer, by their place.
func (l list) print(b *strings.Builder, answer string) {
	place, begun := "", false
	for _, f := range l.facts {
		if l.has(f) != answer {
			continue
		}
		switch {
		case !begun || f.place != place:
			fmt.Fprintf(b, "\n**%s**", strings.ToUpper(answer[:1])+answer[1:])
			if f.place != "" {
				fmt.Fprintf(b, ", %s", f.place)
			}
			b.WriteString(": ")
		default:
			b.WriteString(" · ")
		}
		fmt.Fprintf(b, "`%s`", f.name)
		if answer == "partly" && l.lacks != nil {
			fmt.Fprintf(b, " (%s)", l.lacks(f))
		}
		if place = f.place; !begun {
			begun = true
		}
	}
	if begun {
		b.WriteString("\n")
	}
}

// chapters reads the fact sheets and asks the box.
func chapters(ctx context.Context, root string, box *appliance.Box) ([]list, error) {
	dir := filepath.Join(root, "docs", "reference")
	var failed error
	part := func(file, from, to string) []string {
		lines, err := sheet(dir, file, from, to)
		if err != nil && failed == nil {
			failed = err
		}
		return lines
	}
	yes := func(ok bool) string {
		if ok {
			return "yes"
		}
		return "no"
	}
	fired, err := firedEvents(root)
	if err != nil {
		return nil, err
	}
	methods, err := luaMethods(ctx, box)
	if err != nil {
		return nil, err
	}
	// answers tells of a name whether it is there, and what it lacks.
	answers := func(kind string, there func(fact) bool, name func(fact) string) (has, lacks func(fact) string) {
		lacks = func(f fact) string { return appliance.Partly(kind, name(f)) }
		return func(f fact) string {
			if there(f) && lacks(f) != "" {
				return "partly"
			}
			return yes(there(f))
		}, lacks
	}
	plain := func(f fact) string { return f.name }
	method := func(f fact) string { return f.place + "." + f.name }
	hasApp, appLacks := answers("application", func(f fact) bool { return box.Switch.Application(f.name) != nil }, plain)
	hasCommand, commandLacks := answers("command", func(f fact) bool { return box.Switch.Command(f.name) != nil }, plain)
	hasMethod, methodLacks := answers("lua", func(f fact) bool { return methods[method(f)] }, method)
	params := box.Parameters()
	parameters := configurations(part("config.md", "## §5", "## §6"))
	for i := range parameters {
		if parameters[i].place == "verto.conf" && params["verto.conf/profile"][parameters[i].name] != "" {
			parameters[i].place = "verto.conf/profile"
		}
	}
	parameters = append(parameters, rows(part("sip.md", "## §1", "## §2"), "param", "sofia.conf/profile")...)
	var lua []fact
	for _, c := range [][4]string{{"freeswitch", "### 2.2", "### 2.3", "Function"}, {"Session", "### 2.3", "### 2.4", "Method"}, {"Event", "### 2.5", "### 2.6", "Method"}} {
		lua = append(lua, rows(part("lua.md", c[1], c[2]), c[3], c[0])...)
	}
	return []list{
		{"Applications", rows(part("api-commands.md", "## §5", "## §6"), "App", ""), hasApp, appLacks},
		{"Commands", rows(part("api-commands.md", "## §2", "## §3"), "Command", ""), hasCommand, commandLacks},
		{"Events", words(part("esl.md", "### 4.1", "### 4.2")[1:], ""), func(f fact) string {
			if _, ok := event.ParseType(f.name); !ok {
				return "no"
			}
			if fired[f.name] || f.name == "ALL" {
				return "yes"
			}
			return "partly"
		}, nil},
		{"Lua", lua, hasMethod, methodLacks},
		{"Chat applications", rows(part("config.md", "## §9", "**[sw]**"), "Chat application", ""), func(f fact) string { return yes(box.ChatApplication(f.name)) }, nil},
		{"Parameters", parameters, func(f fact) string {
			switch answer := params[f.place][strings.ToLower(f.name)]; answer {
			case "":
				return "no"
			default:
				return answer
			}
		}, nil},
	}, failed
}

// luaList prints the functions of the table freeswitch and the methods of the
// classes, a name a line.
const luaList = `for name in pairs(freeswitch) do stream:write("freeswitch."..tostring(name).."\n") end ` +
	`for class, object in pairs({Session = freeswitch.Session(), Event = freeswitch.Event("custom")}) do ` +
	`for name in pairs(getmetatable(object)[".fn"]) do stream:write(class.."."..name.."\n") end end`

func luaMethods(ctx context.Context, box *appliance.Box) (map[string]bool, error) {
	out, err := box.Switch.Run(ctx, "lua", "~"+luaList, nil, nil)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, name := range strings.Fields(out) {
		names[name] = true
	}
	if !names["Session.answer"] {
		return nil, fmt.Errorf("the list of Lua methods is %q", out)
	}
	return names, nil
}

// firedEvents finds the events that the sources make: a constant of call/event as
// the argument of a call of New, Fire or fire, or in a table of types.
func firedEvents(root string) (map[string]bool, error) {
	fired := map[string]bool{}
	names := map[string]string{}
	files := token.NewFileSet()
	types, err := parser.ParseFile(files, filepath.Join(root, "call", "event", "type.go"), nil, 0)
	if err != nil {
		return nil, err
	}
	ast.Inspect(types, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && len(v.Names) == 1 && len(v.Values) == 1 {
			if text, ok := v.Values[0].(*ast.BasicLit); ok && text.Kind == token.STRING {
				names[v.Names[0].Name] = strings.Trim(text.Value, `"`)
			}
		}
		return true
	})
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "test" || d.Name() == "testdata" || d.Name() == "node_modules" || d.Name() == "docs") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(files, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			c, ok := n.(*ast.CallExpr)
			if !ok || listens(c.Fun) {
				return true
			}
			for _, a := range c.Args {
				if s, ok := a.(*ast.SelectorExpr); ok {
					if x, ok := s.X.(*ast.Ident); ok && x.Name == "event" && names[s.Sel.Name] != "" {
						fired[names[s.Sel.Name]] = true
					}
				}
			}
			return true
		})
		return nil
	})
	return fired, err
}

// listens reports whether a function takes an event's type without making one.
func listens(fun ast.Expr) bool {
	s, ok := fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	switch s.Sel.Name {
	case "Handle", "Listen", "Unlisten", "Listens", "Wanted", "ParseType":
		return true
	}
	return false
}
