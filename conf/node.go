package conf

import (
	"strconv"
	"strings"
)

// Attr is one attribute of an element, entities resolved.
type Attr struct {
	Name, Value string
}

// Node is one element of a document. A node reached from a Tree is shared by
// everybody who reads the configuration and must not be changed; Clone gives a
// copy that may be.
type Node struct {
	Name string
	// Text is the character content of the element, all pieces joined; "" when
	// there is only white space between child elements.
	Text     string
	Attrs    []Attr
	Children []*Node
	Parent   *Node
	// File and Line say where the start tag was written, in the file a person
	// edits, not in the preprocessed text.
	File string
	Line int
}

// Attr returns the value of the attribute of that name, "" if there is none.
// Attribute names are case-sensitive; of two with the same name the first
// counts.
func (n *Node) Attr(name string) string {
	v, _ := n.LookupAttr(name)
	return v
}

// LookupAttr is Attr that tells an empty attribute from an absent one. A nil
// node has no attributes.
func (n *Node) LookupAttr(name string) (string, bool) {
	if n == nil {
		return "", false
	}
	for i := range n.Attrs {
		if n.Attrs[i].Name == name {
			return n.Attrs[i].Value, true
		}
	}
	return "", false
}

// SetAttr replaces or adds an attribute. Only for nodes that nobody shares.
func (n *Node) SetAttr(name, value string) {
	for i := range n.Attrs {
		if n.Attrs[i].Name == name {
			n.Attrs[i].Value = value
			return
		}
	}
	n.Attrs = append(n.Attrs, Attr{name, value})
}

// Child returns the first child element of that name, nil if there is none.
// It may be called on a nil node, so that look-ups chain.
func (n *Node) Child(name string) *Node {
	if n == nil {
		return nil
	}
	for _, c := range n.Children {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// ChildrenNamed returns the child elements of that name in document order.
func (n *Node) ChildrenNamed(name string) []*Node {
	if n == nil {
		return nil
	}
	var found []*Node
	for _, c := range n.Children {
		if c.Name == name {
			found = append(found, c)
		}
	}
	return found
}

// Find returns the first child element called tag whose attribute attr equals
// value. As everywhere in the configuration, values are compared without
// regard to case.
func (n *Node) Find(tag, attr, value string) *Node {
	if n == nil {
		return nil
	}
	for _, c := range n.Children {
		if c.Name != tag {
			continue
		}
		if v, ok := c.LookupAttr(attr); ok && strings.EqualFold(v, value) {
			return c
		}
	}
	return nil
}

// Add appends a child and makes n its parent. Only for nodes that nobody
// shares.
func (n *Node) Add(child *Node) {
	child.Parent = n
	n.Children = append(n.Children, child)
}

// Clone returns a deep copy without a parent.
func (n *Node) Clone() *Node {
	if n == nil {
		return nil
	}
	c := &Node{Name: n.Name, Text: n.Text, File: n.File, Line: n.Line}
	c.Attrs = append([]Attr(nil), n.Attrs...)
	for _, child := range n.Children {
		c.Add(child.Clone())
	}
	return c
}

// Where returns "file:line" of the start tag, for messages.
func (n *Node) Where() string {
	if n == nil {
		return ""
	}
	return n.File + ":" + strconv.Itoa(n.Line)
}

// ParamList is a list of <param name value/> elements in document order. Names
// are compared without regard to case.
type ParamList []*Node

// paramHolders are the elements that may stand between a configuration and its
// <param> elements.
var paramHolders = [...]string{"settings", "global_settings", "params"}

// Params returns the <param> elements that belong to n: its own children, then
// those of its <settings>, <global_settings> and <params> children. So it
// serves a <configuration>, a <profile> and a <user> alike. A nil node has none.
func Params(n *Node) ParamList {
	if n == nil {
		return nil
	}
	list := ParamList(n.ChildrenNamed("param"))
	for _, holder := range paramHolders {
		for _, h := range n.ChildrenNamed(holder) {
			list = append(list, h.ChildrenNamed("param")...)
		}
	}
	return list
}

// Get returns the value of the parameter, "" if it is absent. When a parameter
// stands there twice the last one counts, as in the reference, where each
// assignment overwrites the one before.
// Not inlined: it is used at so many places that its copies would be large.
//
//go:noinline
func (l ParamList) Get(name string) string {
	v, _ := l.Lookup(name)
	return v
}

// Lookup is Get that tells an empty value from an absent parameter.
func (l ParamList) Lookup(name string) (string, bool) {
	for i := len(l) - 1; i >= 0; i-- {
		if strings.EqualFold(l[i].Attr("name"), name) {
			return l[i].Attr("value"), true
		}
	}
	return "", false
}

// All returns the values of a parameter that may be repeated, in order.
func (l ParamList) All(name string) []string {
	var values []string
	for _, p := range l {
		if strings.EqualFold(p.Attr("name"), name) {
			values = append(values, p.Attr("value"))
		}
	}
	return values
}

// Bool returns the parameter as a boolean: def if it is absent or empty, else
// what True says of it.
func (l ParamList) Bool(name string, def bool) bool {
	v, ok := l.Lookup(name)
	if !ok || v == "" {
		return def
	}
	return True(v)
}

// Int returns the parameter as a whole number: def if it is absent or not a
// number.
func (l ParamList) Int(name string, def int) int {
	v, ok := l.Lookup(name)
	if !ok {
		return def
	}
	n, err := strconv.Atoi(strings.TrimSpace(v))
	if err != nil {
		return def
	}
	return n
}
