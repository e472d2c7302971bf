package lua

import (
	"context"
	"sort"
	"strings"

	glua "github.com/yuin/gopher-lua"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
)

// Applications are the rows for the table of dialplan applications.
func (h *Host) Applications() []call.Application {
	return []call.Application{{
		Name: "lua", Syntax: "<script>", Description: "Launch LUA ivr",
		Flags: call.NoMedia | call.Routing | call.Zombie,
		Run: func(ctx context.Context, ch *call.Channel, args string) error {
			if strings.TrimSpace(args) == "" {
				ch.Log(call.LogErr, "no args specified!")
				return nil
			}
			h.execute(request{text: args, ctx: ctx, ch: ch, before: func(s *script) {
				s.session.autoHangup = h.autoHangup.Load()
			}})
			return nil
		},
	}}
}

// Commands are the rows for the table of API commands.
func (h *Host) Commands() []call.Command {
	return []call.Command{
		{Name: "lua", Syntax: "<script>", Description: "run a script as an api function", Module: "mod_lua", Run: h.luaCommand},
		{Name: "luarun", Syntax: "<script>", Description: "run a script", Module: "mod_lua",
			Run: func(_ context.Context, _ *call.Switch, in *call.Invocation) error {
				if in.Args == "" {
					in.Out.WriteString("-ERR no args specified!\n")
					return nil
				}
				h.background(in.Args)
				in.Out.WriteString("+OK\n")
				return nil
			}},
	}
}

// luaCommand runs a script whose stream is the reply.
func (h *Host) luaCommand(ctx context.Context, _ *call.Switch, in *call.Invocation) error {
	if in.Args == "" || h.keepHouse(ctx, in) {
		return nil
	}
	err := h.execute(request{text: in.Args, ctx: ctx, ch: in.Channel, before: func(s *script) {
		st := &stream{out: in.Out, limit: h.opts.Limits.Text}
		st.body, st.hasBody = in.Params["_body"]
		s.setGlobal("stream", s.wrap(h.by.stream, st))
		if in.Params != nil || in.Channel == nil {
			s.setGlobal("env", s.wrap(h.by.event, &eventObject{s: s, e: environment(in.Params), copied: true}))
		}
	}})
	if err == nil {
		return nil
	}
	uri := in.Params["HTTP-URI"]
	if strings.HasPrefix(uri, "/api/") || strings.HasPrefix(uri, "/webapi/") {
		in.Out.WriteString("<H2>Error Executing Script</H2>")
	} else {
		in.Out.WriteString("-ERR Cannot execute script\n")
	}
	return nil
}

// Message runs a script as the application lua of the chatplan does: the message is
// the global message, and what the script does to it stays. A script that fails has
// logged its error.
func (h *Host) Message(ctx context.Context, message *event.Event, command string) error {
	return h.execute(request{text: command, ctx: ctx, before: func(s *script) {
		s.setGlobal("message", s.wrap(h.by.event, &eventObject{s: s, e: message, copied: true}))
	}})
}

// environment is the event that a command was called with.
func environment(params map[string]string) *event.Event {
	e := event.New(event.RequestParams, "")
	names := make([]string, 0, len(params))
	for name := range params {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		e.Add(name, params[name])
	}
	return e
}

// defaultDialplan is the script of the dialplan LUA for channels without context.
const defaultDialplan = "lua/dialplan.lua"

// Dialplan is the dialplan LUA: the context is a script, which leaves what is to
// be done in the global ACTIONS.
func (h *Host) Dialplan() call.Dialplan { return scriptPlan{h} }

type scriptPlan struct{ h *Host }

// Hunt implements call.Dialplan.
func (d scriptPlan) Hunt(ctx context.Context, ch *call.Channel, p *call.Profile, _ string) (*call.Extension, bool, error) {
	text := p.Context
	if text == "" {
		text = defaultDialplan
	}
	ch.Log(call.LogInfo, "Processing %s->%s in context/script %s", p.CallerName, p.Destination, text)
	var actions []call.Action
	err := d.h.execute(request{text: text, ctx: ctx, ch: ch, after: func(s *script) {
		actions = s.actions(ch)
	}})
	if err != nil || len(actions) == 0 {
		return nil, false, nil
	}
	return &call.Extension{Name: p.Destination, Actions: actions}, true, nil
}

// actions reads the global ACTIONS (spec/lua.md §1.5).
func (s *script) actions(ch *call.Channel) []call.Action {
	table, ok := s.global("ACTIONS").(*glua.LTable)
	if !ok {
		ch.Log(call.LogErr, "Global variable ACTIONS may only be a table")
		return nil
	}
	s.fill(table)
	var list []call.Action
	complaint := ""
	for key, v := table.Next(glua.LNil); key != glua.LNil && complaint == ""; key, v = table.Next(key) {
		var a call.Action
		switch v := v.(type) {
		case glua.LString, glua.LNumber:
			a.App = text(v)
		case *glua.LTable:
			app, data := v.RawGetInt(1), v.RawGetInt(2)
			switch {
			case !isText(app):
				complaint = "First element in each table in the ACTIONS table may only be a string - application name"
			case data != glua.LNil && !isText(data):
				complaint = "Second (optional) element in each table in the ACTIONS table may only be a string - app_data"
			}
			a.App, a.Data = text(app), text(data)
		default:
			complaint = "ACTIONS table may only contain strings or tables"
		}
		if complaint == "" {
			ch.Log(call.LogDebug, "Dialplan: %s Action %s(%s)", ch.Name(), a.App, a.Data)
			list = append(list, a)
		}
	}
	if complaint != "" {
		ch.Log(call.LogErr, "%s", complaint)
		ch.Log(call.LogDebug, "Rollback, all applications previously added to the extension in this script are removed")
		return nil
	}
	return list
}
