package conf

import "slices"

// Tree is a configuration that was read: it never changes, and calls in
// progress may keep the one they began with.
type Tree struct {
	root     *Node
	globals  []Pair
	sets     []assigned
	warnings []Warning
}

// assigned is a variable that the tree itself set, and where.
type assigned struct {
	Pair
	file string
	line int
}

// Root returns the root element, in practice <document>.
func (t *Tree) Root() *Node { return t.root }

// Section returns <section name="name"> of the root: configuration, dialplan,
// chatplan, directory, languages. nil if it is absent.
func (t *Tree) Section(name string) *Node {
	return section(t.root, name)
}

func section(root *Node, name string) *Node {
	return root.Find("section", "name", name)
}

// Configuration returns <configuration name="name"> ("sofia.conf"); the first
// of several counts, names ignore case. nil if it is absent.
func (t *Tree) Configuration(name string) *Node {
	return t.Locate("configuration", "configuration", "name", name)
}

// moduleFiles name the modules to be loaded.
var moduleFiles = [...]string{"pre_load_modules.conf", "modules.conf", "post_load_modules.conf"}

// Loads reports whether the configuration asks for a module.
func (t *Tree) Loads(module string) bool {
	for _, file := range moduleFiles {
		if t.Configuration(file).Child("modules").Find("load", "module", module) != nil {
			return true
		}
	}
	return false
}

// Locate returns the first element called tag in a section whose attribute attr
// has that value. With an empty tag it returns the section.
func (t *Tree) Locate(sectionName, tag, attr, value string) *Node {
	return locate(t.root, sectionName, tag, attr, value)
}

func locate(root *Node, sectionName, tag, attr, value string) *Node {
	s := section(root, sectionName)
	switch {
	case tag == "":
		return s
	case attr == "":
		return s.Child(tag)
	}
	return s.Find(tag, attr, value)
}

// Globals returns all global variables as they were after the last line, in
// order; one that was set again stands at its last place.
func (t *Tree) Globals() []Pair { return slices.Clone(t.globals) }

// Warnings returns what was found on the way, in order.
func (t *Tree) Warnings() []Warning { return slices.Clone(t.warnings) }
