package conf

import (
	"fmt"
	"strings"
)

// Param is one parameter given from outside of the tree.
type Param struct {
	// File is the name of a configuration, such as "sofia.conf".
	File string
	// Path names the elements on the way to the parameter by their name
	// attribute, such as "internal" for the profile of that name.
	Path []string
	// Name and Value are those of the <param>.
	Name, Value string
}

// ParseParam reads FILE/NAME=VALUE, with the names of elements between FILE
// and NAME where parameters stand in one of several:
// event_socket.conf/listen-port=9021, sofia.conf/internal/sip-port=5070.
func ParseParam(s string) (Param, error) {
	place, value, ok := strings.Cut(s, "=")
	parts := strings.Split(place, "/")
	if !ok || len(parts) < 2 {
		return Param{}, fmt.Errorf("conf: parameter %q: write FILE/NAME=VALUE, for example event_socket.conf/listen-port=9021", s)
	}
	for _, part := range parts {
		if part == "" {
			return Param{}, fmt.Errorf("conf: parameter %q: a part between the slashes is empty", s)
		}
	}
	file := strings.TrimSuffix(parts[0], ".xml")
	last := len(parts) - 1
	return Param{File: file, Path: parts[1:last], Name: parts[last], Value: value}, nil
}

// String returns the form that ParseParam reads, without the value, which may
// be a secret.
func (p Param) String() string {
	return strings.Join(append(append([]string{p.File}, p.Path...), p.Name), "/")
}

// overrideFile stands as the file of elements that a Param made.
const overrideFile = "command line"

// override puts the parameter into the tree. It replaces the first <param> of
// that name and removes further ones that differ in nothing but their value; a
// variant with other attributes, such as a secure bind-local, stays.
func (t *Tree) override(p Param) (Warning, bool) {
	n := t.Configuration(p.File)
	if n == nil {
		section := t.Section("configuration")
		if section == nil || len(p.Path) > 0 {
			return Warning{Level: Warn, File: overrideFile, Text: fmt.Sprintf("parameter %s: the tree has no configuration %s; nothing was changed", p, p.File)}, false
		}
		n = &Node{Name: "configuration", Attrs: []Attr{{"name", p.File}}, File: overrideFile}
		section.Add(n)
	}
	for _, name := range p.Path {
		if n = named(n, name); n == nil {
			return Warning{Level: Warn, File: overrideFile, Text: fmt.Sprintf("parameter %s: %s has nothing called %q; nothing was changed", p, p.File, name)}, false
		}
	}
	var first *Node
	for _, old := range Params(n) {
		if !strings.EqualFold(old.Attr("name"), p.Name) {
			continue
		}
		switch {
		case first == nil:
			first = old
			first.SetAttr("value", p.Value)
			first.File, first.Line = overrideFile, 0
		case sameBut(first, old, "value"):
			old.Parent.remove(old)
		}
	}
	if first == nil {
		h := holder(n)
		h.Add(&Node{Name: "param", Attrs: []Attr{{"name", p.Name}, {"value", p.Value}}, File: overrideFile})
	}
	return Warning{}, true
}

// named looks breadth first for an element below n with that name attribute.
func named(n *Node, name string) *Node {
	level := n.Children
	for len(level) > 0 {
		var next []*Node
		for _, c := range level {
			if c.Name != "param" && strings.EqualFold(c.Attr("name"), name) {
				return c
			}
			next = append(next, c.Children...)
		}
		level = next
	}
	return nil
}

// holder returns the element that n's parameters stand in, and makes <settings>
// for a configuration that has none.
func holder(n *Node) *Node {
	for _, name := range paramHolders {
		if h := n.Child(name); h != nil {
			return h
		}
	}
	if n.Child("param") != nil || n.Name != "configuration" {
		return n
	}
	h := &Node{Name: "settings", File: overrideFile}
	n.Add(h)
	return h
}

// sameBut reports whether two elements have the same attributes apart from one.
func sameBut(a, b *Node, except string) bool {
	if len(a.Attrs) != len(b.Attrs) {
		return false
	}
	for _, attr := range a.Attrs {
		v, ok := b.LookupAttr(attr.Name)
		if !ok || attr.Name != except && !strings.EqualFold(v, attr.Value) {
			return false
		}
	}
	return true
}

// remove takes a child out.
func (n *Node) remove(child *Node) {
	for i, c := range n.Children {
		if c == child {
			n.Children = append(n.Children[:i:i], n.Children[i+1:]...)
			return
		}
	}
}
