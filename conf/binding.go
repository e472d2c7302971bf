package conf

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Request is what a binding is asked: the element called Tag in a section whose
// attribute Key equals Value. Params are the further parameters of the look-up
// (spec/config.md §2); nobody may change them.
type Request struct {
	Section, Tag, Key, Value string
	Params                   map[string]string
}

// Binding answers look-ups in some sections: a script, or a web service.
type Binding struct {
	// Name is for messages.
	Name string
	// Sections are those it answers for; none means all.
	Sections []string
	// Answer returns a whole document, "" if it has none. It may be called by
	// many at once and must end with the context.
	Answer func(ctx context.Context, r Request) (string, error)
}

func (b *Binding) covers(section string) bool {
	return len(b.Sections) == 0 || slices.ContainsFunc(b.Sections, func(s string) bool {
		return strings.EqualFold(s, section) || strings.EqualFold(s, "phrases") && section == "languages"
	})
}

// Bind adds a binding; those that were added first are asked first. The
// returned function takes it away again.
func (s *Store) Bind(b Binding) (unbind func()) {
	added := &b
	s.rebind(func(list []*Binding) []*Binding { return append(list, added) })
	return func() {
		s.rebind(func(list []*Binding) []*Binding {
			return slices.DeleteFunc(list, func(o *Binding) bool { return o == added })
		})
	}
}

func (s *Store) rebind(change func([]*Binding) []*Binding) {
	s.bind.Lock()
	defer s.bind.Unlock()
	var list []*Binding
	if old := s.bindings.Load(); old != nil {
		list = slices.Clone(*old)
	}
	list = change(list)
	s.bindings.Store(&list)
}

// Lookup finds the element called tag in a section whose attribute attr has
// that value; with an empty tag the section itself. The bindings are asked
// first. The first that answers with a document, other than one that says "not
// found", decides; if its document lacks the element, or nobody answers, the
// tree in force is searched. nil if there is no such element.
func (s *Store) Lookup(ctx context.Context, section, tag, attr, value string, params map[string]string) *Node {
	if root := s.ask(ctx, Request{section, tag, attr, value, params}); root != nil {
		if n := locate(root, section, tag, attr, value); n != nil {
			return n
		}
	}
	return s.Tree().Locate(section, tag, attr, value)
}

// ask returns the first document that a binding has for the request.
func (s *Store) ask(ctx context.Context, r Request) *Node {
	list := s.bindings.Load()
	if list == nil {
		return nil
	}
	for _, b := range *list {
		if !b.covers(r.Section) {
			continue
		}
		text, err := b.Answer(ctx, r)
		if err != nil {
			s.report("%s: %s %s=%s: %v", b.Name, r.Section, r.Key, r.Value, err)
			continue
		}
		if text == "" {
			continue
		}
		root, err := Parse(text, b.Name)
		if err != nil {
			s.report("Error[%v]: the answer of %s counts as not found", err, b.Name)
			continue
		}
		if section(root, "result").Find("result", "status", "not found") == nil {
			return root
		}
	}
	return nil
}

func (s *Store) report(format string, args ...any) {
	if s.opts.Report != nil {
		s.opts.Report(Warning{Level: Error, Text: fmt.Sprintf(format, args...)})
	}
}
