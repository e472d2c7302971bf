package webrtc

import (
	"strings"

	"github.com/switchlet/switchlet/call/directory"
)

// permission is a list of names; any lets everything pass, an empty list nothing
// (spec/verto.md §7, §13.8).
type permission struct {
	any  bool
	list map[string]bool
}

// anyName is the value of a list that allows everything.
const anyName = "__ANY__"

// parsePermission reads a list separated by spaces or, without spaces, commas.
func parsePermission(text string) permission {
	if strings.TrimSpace(text) == anyName {
		return permission{any: true}
	}
	p := permission{list: map[string]bool{}}
	p.add(text)
	return p
}

func splitNames(text string) []string {
	if strings.Contains(strings.TrimSpace(text), " ") {
		return strings.Fields(text)
	}
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}

func (p *permission) add(text string) {
	if p.list == nil {
		p.list = map[string]bool{}
	}
	for _, name := range splitNames(text) {
		if name == anyName {
			p.any = true
		}
		p.list[name] = true
	}
}

func (p *permission) remove(text string) {
	for _, name := range splitNames(text) {
		if name == anyName {
			p.any = false
		}
		delete(p.list, name)
	}
}

// clone copies the list, so that a session's own can change.
func (p permission) clone() permission {
	c := permission{any: p.any, list: make(map[string]bool, len(p.list))}
	for name := range p.list {
		c.list[name] = true
	}
	return c
}

// allows reports whether exactly that name is permitted.
func (p permission) allows(name string) bool { return p.any || p.list[name] }

// allowsMain also takes the part before the first dot for the whole.
func (p permission) allowsMain(name string) bool { return p.allows(name) || p.list[mainName(name)] }

// mainName is the part of a method's or channel's name before the first dot.
func mainName(name string) string {
	main, _, _ := strings.Cut(name, ".")
	return main
}

// permissions are what a user may do.
type permissions struct {
	methods, jsapi, fsapi, channels permission
}

func readPermissions(params directory.Values) permissions {
	return permissions{
		methods: parsePermission(params.Get("jsonrpc-allowed-methods")), jsapi: parsePermission(params.Get("jsonrpc-allowed-jsapi")),
		fsapi: parsePermission(params.Get("jsonrpc-allowed-fsapi")), channels: parsePermission(params.Get("jsonrpc-allowed-event-channels")),
	}
}

// kind returns the list of that name as the command "verto perm" has it.
func (p *permissions) kind(name string) *permission {
	switch name {
	case "methods":
		return &p.methods
	case "jsapi":
		return &p.jsapi
	case "fsapi":
		return &p.fsapi
	case "event_channels":
		return &p.channels
	}
	return nil
}
