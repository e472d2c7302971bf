package lua

import (
	"context"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	glua "github.com/yuin/gopher-lua"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/conf"
)

// settings are what lua.conf says (spec/lua.md §1.4).
type settings struct {
	xmlScript string
	bindings  []string // sections of the XML handler
	modules   []string // script-directory
	startup   []string
	hooks     []hook
	hangup    bool // auto-hangup
	limits    []limitParam
}

// limitParam is a limit as lua.conf has it.
type limitParam struct{ name, value string }

type hook struct{ event, subclass, script string }

// Start reads lua.conf: it binds the XML handler and the hooks and runs the
// start-up scripts, which Close ends. Without lua.conf it logs an error; the
// application and the commands work all the same.
func (h *Host) Start(context.Context) error {
	if h.opts.Conf == nil {
		return nil
	}
	root := h.opts.Conf.Tree().Configuration("lua.conf")
	if root == nil {
		h.sw.Log.Printf(call.LogErr, "open of lua.conf failed")
		return nil
	}
	c := h.readSettings(root.Child("settings"))
	h.autoHangup.Store(c.hangup)
	for _, l := range c.limits {
		if err := h.setLimit(l); err != nil {
			h.sw.Log.Printf(call.LogErr, "lua.conf: %v", err)
		}
	}
	path := modulePath(c.modules, os.Getenv("LUA_PATH"))
	h.modulePath.Store(&path)
	if len(c.bindings) > 0 {
		h.bindXML(c.xmlScript, c.bindings)
	}
	for _, k := range c.hooks {
		h.bindHook(k)
	}
	for _, text := range c.startup {
		h.background(text)
	}
	return nil
}

// readSettings reads the elements in their order, which matters: the XML
// handler's script stands before its bindings.
func (h *Host) readSettings(node *conf.Node) settings {
	var c settings
	if node == nil {
		return c
	}
	var native []string
	for _, n := range node.Children {
		name, value := n.Attr("name"), n.Attr("value")
		switch {
		case n.Name == "hook":
			k := hook{n.Attr("event"), n.Attr("subclass"), n.Attr("script")}
			h.sw.Log.Printf(call.LogInfo, "hook params: '%s' | '%s' | '%s'", k.event, k.subclass, k.script)
			c.hooks = append(c.hooks, k)
		case n.Name != "param":
		case name == "xml-handler-script":
			c.xmlScript = value
		case name == "xml-handler-bindings" && c.xmlScript != "":
			h.sw.Log.Printf(call.LogInfo, "binding '%s' to '%s'", c.xmlScript, value)
			c.bindings = append(c.bindings, strings.FieldsFunc(value, func(r rune) bool { return r == '|' || r == ',' || r == ' ' })...)
		case name == "module-directory" && value != "":
			h.sw.Log.Printf(call.LogInfo, "lua: appending module directory: '%s'", value)
			native = append(native, value)
		case name == "script-directory" && value != "":
			h.sw.Log.Printf(call.LogInfo, "lua: appending script directory: '%s'", value)
			c.modules = append(c.modules, value)
		case name == "startup-script" && value != "":
			c.startup = append(c.startup, value)
		case name == "auto-hangup":
			c.hangup = call.True(value)
		case name == "memory-limit" || name == "compute-limit" || name == "max-scripts":
			c.limits = append(c.limits, limitParam{name, value})
		}
	}
	if len(native) > 0 {
		h.sw.Log.Printf(call.LogInfo, "lua: LUA_CPATH set to: '%s'", strings.Join(native, ";"))
	}
	if len(c.modules) > 0 {
		h.sw.Log.Printf(call.LogInfo, "lua: LUA_PATH set to: '%s'", modulePath(c.modules, os.Getenv("LUA_PATH")))
	}
	return c
}

// setLimit puts a limit of lua.conf in force; 0 is none.
func (h *Host) setLimit(l limitParam) error {
	n, err := strconv.Atoi(l.value)
	if err != nil || n < 0 || n > 1<<20 {
		return fmt.Errorf("%s is %q, want a number from 0 (no limit) to %d", l.name, l.value, 1<<20)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case l.name == "memory-limit" && n == 0:
		h.bounds.Memory = math.MaxUint64
	case l.name == "memory-limit":
		h.bounds.Memory = uint64(n) << 20
		// Scripts that may take more than the process were meant to.
		h.bounds.Heap = max(h.bounds.Heap, 2*h.bounds.Memory)
	case l.name == "compute-limit" && n == 0:
		h.bounds.Compute = -1
	case l.name == "compute-limit":
		h.bounds.Compute = time.Duration(n) * time.Second
	case n == 0:
		h.bounds.Scripts = math.MaxInt
	default:
		h.bounds.Scripts = n
	}
	return nil
}

// later has fn called by Close.
func (h *Host) later(fn func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.undo = append(h.undo, fn)
}

// bindHook runs a script for every event of a type, one after the other.
func (h *Host) bindHook(k hook) {
	t, ok := event.ParseType(k.event)
	switch {
	case !ok:
		h.sw.Log.Printf(call.LogErr, "cannot set event handler: unknown event type '%s'", k.event)
		return
	case k.script == "":
		h.sw.Log.Printf(call.LogErr, "cannot set event handler: no script name for event type '%s'", k.event)
		return
	}
	h.later(h.sw.Bus.Handle(t, k.subclass, func(e *event.Event) {
		h.execute(request{text: k.script, ctx: h.ctx, before: func(s *script) {
			s.setGlobal("event", s.wrap(h.by.event, &eventObject{s: s, e: e}))
		}})
	}))
	h.sw.Log.Printf(call.LogInfo, "event handler for '%s' set to '%s'", t, k.script)
}

// bindXML has a script asked for every look-up in some sections.
func (h *Host) bindXML(text string, sections []string) {
	h.later(h.opts.Conf.Bind(conf.Binding{Name: "lua " + text, Sections: sections,
		Answer: func(ctx context.Context, r conf.Request) (string, error) { return h.answerXML(ctx, text, r), nil }}))
}

// answerXML runs the XML handler for one look-up and returns the global
// XML_STRING, "" when there is nothing to be had from it.
func (h *Host) answerXML(ctx context.Context, command string, r conf.Request) string {
	answer := ""
	err := h.execute(request{text: command, ctx: ctx, before: func(s *script) {
		t := s.L.CreateTable(0, 0)
		t.RawSetString("section", glua.LString(r.Section))
		t.RawSetString("tag_name", glua.LString(r.Tag))
		t.RawSetString("key_name", glua.LString(r.Key))
		t.RawSetString("key_value", glua.LString(r.Value))
		s.setGlobal("XML_REQUEST", t)
		if r.Params != nil {
			s.setGlobal("params", s.wrap(h.by.event, &eventObject{s: s, e: environment(r.Params), copied: true}))
		}
	}, after: func(s *script) {
		v := s.global("XML_STRING")
		if answer = text(v); isText(v) && answer == "" {
			h.sw.Log.Printf(call.LogErr, "No Result")
		}
	}})
	if err != nil {
		h.sw.Log.Printf(call.LogErr, "LUA script parse/execute error!")
		return ""
	}
	return answer
}
