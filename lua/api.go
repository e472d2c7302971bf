package lua

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
)

// api is a freeswitch.API, with the call in whose name it asks, or none.
type api struct{ session *session }

func apiClass() *class {
	return &class{
		name: "API", shown: "API", pointer: "API *",
		is:          func(o any) bool { _, ok := o.(*api); return ok },
		constructor: method{signature: "|C"},
		construct:   func(a *arguments) any { return &api{a.session(0)} },
		methods: []method{
			{name: "execute", signature: "S|S", run: func(a *arguments) int {
				return a.pushString(a.command(a.str(0), a.str(1)))
			}},
			{name: "executeString", signature: "S", run: func(a *arguments) int {
				name, args, _ := strings.Cut(strings.TrimLeft(a.str(0), " "), " ")
				return a.pushString(a.command(name, args))
			}},
			{name: "getTime", run: func(a *arguments) int {
				return a.pushString(strconv.FormatInt(time.Now().UnixMilli(), 10))
			}},
		},
	}
}

// command runs an API command for a script.
func (a *arguments) command(name, args string) string {
	sw := a.s.host.sw
	if name == "" {
		sw.Log.Printf(call.LogErr, "No application specified")
		return "-ERR No application specified"
	}
	run := func(ctx context.Context, caller *call.Channel) (string, error) {
		return sw.Run(ctx, name, args, caller, nil)
	}
	var out string
	var err error
	x := a.self.(*api).session
	if x != nil && x.alive() {
		derr := x.do(func(ctx context.Context, ch *call.Channel) error {
			out, err = run(ctx, ch)
			return nil
		})
		if derr != nil {
			out, err = run(a.s.ctx, x.ch)
		}
	} else {
		end := a.s.rest()
		out, err = run(a.s.ctx, nil)
		end()
	}
	if errors.Is(err, call.ErrNoCommand) {
		return "INVALID COMMAND!\n"
	}
	if errors.Is(err, call.ErrCommand) && out == "" {
		return "-ERR no reply\n"
	}
	return out
}
