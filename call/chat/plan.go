package chat

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/dialplan"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/call/expand"
)

// plan runs the actions that the chatplan has for a message.
func (r *Router) plan(ctx context.Context, e *event.Event) error {
	hops := maxHops
	if v := e.Get("max_forwards"); v != "" {
		hops, _ = strconv.Atoi(v)
		hops--
	}
	if hops <= 0 {
		r.sw.Log.Printf(call.LogErr, "Max forwards reached")
		return ErrHops
	}
	e.Set("max_forwards", strconv.Itoa(hops))
	actions, err := r.hunt(ctx, e)
	if err != nil {
		return err
	}
	if len(actions) == 0 {
		r.sw.Log.Printf(call.LogDebug, "SMS chatplan no actions found")
		return errUnmatched
	}
	for _, a := range actions {
		if err := r.execute(ctx, e, a.App, a.Data); err != nil {
			break // the message goes on, unless it has final_delivery
		}
	}
	return nil
}

// hunt asks the chatplan of the message's context.
func (r *Router) hunt(ctx context.Context, e *event.Event) ([]dialplan.Action, error) {
	from, to, plan := first(e, "from_user", "from"), first(e, "to_user", "to"), e.Get("context")
	if plan == "" {
		plan = "default"
	}
	r.sw.Log.Printf(call.LogInfo, "Processing text message %s->%s in context %s", from, to, plan)
	params := make(map[string]string, len(e.Headers))
	for _, h := range e.Headers {
		params[h.Name] = h.Value
	}
	section := r.opts.Store.Lookup(ctx, "chatplan", "", "", "", params)
	if section == nil {
		r.sw.Log.Printf(call.LogErr, "Open of chatplan failed")
		return nil, errUnmatched
	}
	actions, _, err := dialplan.Hunt(ctx, section, dialplan.Request{
		Context: plan, Number: to, Channel: first(e, "to"),
		Field:  func(name string) string { v, _ := header(e, name); return v },
		Expand: func(text string) string { return r.expand(e, text) },
		Now:    time.Now(), Zone: r.zone(e),
		Inline:   func(app, data string) error { r.execute(ctx, e, app, data); return nil },
		SetVar:   e.Set,
		Captured: protect,
		Regex:    r.opts.Regex,
		Log: func(level, text string) {
			if strings.HasPrefix(text, "Processing ") {
				return // said above, in a message's words
			}
			l, _ := call.ParseLevel(level)
			r.sw.Log.Printf(l, "%s", strings.Replace(text, "Dialplan: ", "Chatplan: ", 1))
		},
	})
	return actions, err
}

// first is the first of the headers that has a value.
func first(e *event.Event, names ...string) string {
	for _, n := range names {
		if v := e.Get(n); v != "" {
			return v
		}
	}
	return ""
}

func (r *Router) zone(e *event.Event) *time.Location {
	if v := e.Get("tod_tz_offset"); v != "" {
		if hours, err := strconv.ParseFloat(v, 64); err == nil && hours > -24 && hours < 24 {
			return time.FixedZone("", int(hours*3600))
		}
	}
	if name := e.Get("timezone"); name != "" && r.opts.Zone != nil {
		if zone, ok := r.opts.Zone(name); ok {
			return zone
		}
		r.sw.Log.Printf(call.LogErr, "Timezone '%s' not found!", name)
	}
	return nil
}

// Execute implements call.Messages.
func (r *Router) Execute(ctx context.Context, e *event.Event, app, args string) error {
	return r.execute(ctx, e, app, args)
}

func (r *Router) execute(ctx context.Context, e *event.Event, app, args string) error {
	a, ok := r.apps[strings.ToLower(app)]
	if !ok {
		r.sw.Log.Printf(call.LogErr, "Invalid chat application interface [%s]!", app)
		return ErrNoProtocol
	}
	if call.True(e.Get(noExecute)) {
		r.sw.Log.Printf(call.LogDebug, "Message is not allowed to execute apps")
		return ErrStopped
	}
	ctx, stop := context.WithTimeout(ctx, execTime)
	defer stop()
	return a.Run(ctx, e, r.expand(e, args))
}

// What a message says is never expanded: a text of ${hupall()} is a text. So values
// are taken as they are, and of what an expression captured the characters that would
// mean something to the expansion are covered until it is done.
var (
	cover   = strings.NewReplacer("\x00", "", "\x01", "", "$", "\x00", `\`, "\x01")
	uncover = strings.NewReplacer("\x00", "$", "\x01", `\`)
)

func protect(captured string) string { return cover.Replace(captured) }

func (r *Router) expand(e *event.Event, text string) string {
	return uncover.Replace(expand.Once(text, values{r, e}))
}

// values are what ${…} stands for in a chatplan: the message's headers, its text as
// ${body} or ${_body}, global variables, commands.
type values struct {
	r *Router
	e *event.Event
}

// Variable implements expand.Resolver.
func (v values) Variable(name string) (string, bool) {
	if s, ok := header(v.e, name); ok {
		return s, true
	}
	s := v.r.sw.Globals.Get(name)
	return s, s != ""
}

// header is a header of a message, or its text.
func header(e *event.Event, name string) (string, bool) {
	if s, ok := e.Lookup(name); ok {
		return s, true
	}
	return e.Body, e.HasBody && strings.EqualFold(name, "body")
}

// Command implements expand.Resolver.
func (v values) Command(name, args string) string {
	out, _ := v.r.sw.Run(v.r.sw.Context(), name, uncover.Replace(args), nil, nil)
	return out
}
