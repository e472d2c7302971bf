package commands

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/dialplan"
	"github.com/switchlet/switchlet/call/expand"
)

const dialplanUsage = "trace [uuid:<uuid>|user:<user>[@<domain>]] <number> [<context>] [<name>=<value> ...]"

// maxTraceWords bounds the arguments of a trace.
const maxTraceWords = 200

func traces(d Deps) []call.Command {
	return []call.Command{
		{Name: "dialplan", Syntax: dialplanUsage, Description: "Tell why a number is routed as it is", Module: "mod_dialplan_xml", Run: traceDialplan(d)},
	}
}

// traceDialplan prints every condition that a call to a number would meet, with
// the values compared and the actions found. The caller is a call that is up, a
// user of the directory, or nobody in particular; name=value sets a field of the
// caller profile when there is one of that name, else a variable.
func traceDialplan(d Deps) run {
	xml := dialplan.XML{Store: d.Store, Regex: d.Regex, Zone: func(name string) (*time.Location, bool) { return Zone(d.Store, name) }}
	return func(ctx context.Context, sw *call.Switch, in *call.Invocation) error {
		f := expand.SplitSeparate(in.Args, ' ', maxTraceWords)
		if len(f) < 2 || f[0] != "trace" {
			return usage(in, "dialplan "+dialplanUsage)
		}
		f = f[1:]
		trial := dialplan.Trial{Switch: sw, Vars: call.NewVars()}
		trial.Profile = call.Profile{Direction: "inbound", LogicalDirection: "inbound", Dialplan: "XML", Source: "mod_commands"}
		p := &trial.Profile
		if uuid, ok := strings.CutPrefix(f[0], "uuid:"); ok {
			ch := sw.Find(uuid)
			if ch == nil {
				return reply(in, noChannel)
			}
			trial.Profile, trial.Vars = ch.Profile(), call.NewVars(ch.Vars().All()...)
			f = f[1:]
		} else if name, ok := strings.CutPrefix(f[0], "user:"); ok {
			user, domain := d.Directory.SplitUser(name)
			u, err := d.Directory.User(ctx, "", user, domain, nil)
			if err != nil {
				return reply(in, "-ERR no such user\n")
			}
			p.CallerName, p.CallerNumber, p.Username, p.ANI = user, user, user, user
			for _, v := range u.Variables {
				trial.Vars.Set(v.Name, v.Value)
			}
			trial.Vars.Set("user_name", u.ID)
			trial.Vars.Set("domain_name", u.Domain)
			p.Context = trial.Vars.Get("user_context")
			f = f[1:]
		}
		// What is no pair is the number, then the context.
		words := []*string{&p.Destination, &p.Context}
		for _, w := range f {
			name, value, pair := strings.Cut(w, "=")
			switch {
			case pair && p.Has(name):
				p.SetField(name, value)
			case pair && name != "":
				trial.Vars.Set(name, value)
			case len(words) > 0:
				*words[0], words = w, words[1:]
			default:
				return usage(in, "dialplan "+dialplanUsage)
			}
		}
		if p.Destination == "" {
			return usage(in, "dialplan "+dialplanUsage)
		}
		report, err := xml.Trace(ctx, trial)
		if err != nil {
			fmt.Fprintf(in.Out, "-ERR %v\n", err)
			return nil
		}
		return reply(in, report.String())
	}
}
