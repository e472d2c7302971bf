package commands

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/directory"
	"github.com/switchlet/switchlet/call/expand"
)

func directories(d Deps) []call.Command {
	const m = "mod_commands"
	return []call.Command{
		{Name: "acl", Syntax: "<ip> <list_name>", Description: "Compare an ip to an acl list", Module: m, Run: acl(d)},
		{Name: "domain_data", Syntax: "<domain> [var|param|attr] <name>", Description: "Find domain data", Module: m, Run: domainData(d)},
		{Name: "domain_exists", Syntax: "<domain>", Description: "Check if a domain exists", Module: m, Run: domainExists(d)},
		{Name: "find_user_xml", Syntax: "<key> <user> <domain>", Description: "Find a user", Module: m, Run: findUserXML(d)},
		{Name: "user_exists", Syntax: "<key> <user> <domain>", Description: "Find a user", Module: m, Run: userExists(d)},
		{Name: "user_data", Syntax: "<user>@<domain> [var|param|attr] <name>", Description: "Find user data", Module: m, Run: userData(d)},
		{Name: "group_call", Syntax: "<group>[@<domain>]", Description: "Generate a dial string to call a group", Module: m, Run: groupCall(d)},
		{Name: "in_group", Syntax: "<user>[@<domain>] <group_name>", Description: "Determine if a user is in a group", Module: m, Run: inGroup(d)},
		{Name: "list_users", Syntax: "[group <group>] [domain <domain>] [user <user>] [context <context>]", Description: "List Users configured in Directory", Module: m, Run: listUsers(d)},
		{Name: "xml_flush_cache", Syntax: "<id> <key> <val>", Description: "Clear xml cache", Module: m, Run: flushCache(d)},
	}
}

func acl(d Deps) run {
	return func(_ context.Context, _ *call.Switch, in *call.Invocation) error {
		ip, list, _ := strings.Cut(in.Args, " ")
		ok, _ := d.ACL.CheckText(ip, strings.TrimSpace(list))
		return reply(in, strconv.FormatBool(ok && list != ""))
	}
}

// kinds takes "[var|param|attr] name" apart; the kind is param when left out.
func kinds(f []string) (kind, name string) {
	if len(f) == 1 {
		return "param", f[0]
	}
	return f[0], f[1]
}

func domainData(d Deps) run {
	return func(ctx context.Context, _ *call.Switch, in *call.Invocation) error {
		f := strings.Fields(in.Args)
		if len(f) < 2 {
			return nil
		}
		kind, name := kinds(f[1:])
		return reply(in, d.Directory.DomainData(ctx, f[0], kind, name))
	}
}

func domainExists(d Deps) run {
	return func(ctx context.Context, _ *call.Switch, in *call.Invocation) error {
		if in.Args == "" {
			return nil
		}
		return reply(in, strconv.FormatBool(d.Directory.DomainExists(ctx, in.Args)))
	}
}

func findUserXML(d Deps) run {
	return func(ctx context.Context, _ *call.Switch, in *call.Invocation) error {
		f := strings.Fields(in.Args)
		if len(f) < 3 {
			return reply(in, "-ERR bad args\n")
		}
		u, err := d.Directory.User(ctx, f[0], f[1], f[2], nil)
		if err != nil {
			return reply(in, "-ERR can't find user\n")
		}
		return reply(in, u.Node.String())
	}
}

func userExists(d Deps) run {
	return func(ctx context.Context, _ *call.Switch, in *call.Invocation) error {
		f := strings.Fields(in.Args)
		if len(f) < 3 {
			return reply(in, "false")
		}
		return reply(in, strconv.FormatBool(d.Directory.UserExists(ctx, f[0], f[1], f[2])))
	}
}

func userData(d Deps) run {
	return func(ctx context.Context, _ *call.Switch, in *call.Invocation) error {
		f := strings.Fields(in.Args)
		if len(f) < 2 {
			return nil
		}
		kind, name := kinds(f[1:])
		return reply(in, d.Directory.UserData(ctx, f[0], kind, name))
	}
}

// dialVars resolves names among the variables of a member before the globals.
type dialVars struct {
	expand.Resolver
	vars directory.Values
}

func (r dialVars) Variable(name string) (string, bool) {
	if v, ok := r.vars.Lookup(name); ok {
		return v, true
	}
	return r.Resolver.Variable(name)
}

func groupCall(d Deps) run {
	return func(ctx context.Context, sw *call.Switch, in *call.Invocation) error {
		return reply(in, d.Directory.GroupCall(ctx, in.Args, func(dial string, vars directory.Values) string {
			return expand.Expand(dial, dialVars{sw.GlobalResolver(), vars})
		}))
	}
}

func inGroup(d Deps) run {
	return func(ctx context.Context, _ *call.Switch, in *call.Invocation) error {
		who, group, ok := strings.Cut(in.Args, ",")
		if !ok {
			return reply(in, "false")
		}
		user, domain := d.Directory.SplitUser(strings.TrimSpace(who))
		return reply(in, strconv.FormatBool(d.Directory.InGroup(ctx, user, domain, strings.TrimSpace(group))))
	}
}

func listUsers(d Deps) run {
	return func(ctx context.Context, sw *call.Switch, in *call.Invocation) error {
		filter, ok := directory.ParseFilter(in.Args)
		if !ok {
			return usage(in, "[group <group>] [domain <domain>] [user <user>] [context <context>]")
		}
		return reply(in, d.Directory.ListUsers(filter, func(user string) string {
			out, err := sw.Run(ctx, "sofia_contact", "*/"+user, nil, nil)
			if err != nil {
				return "error/user_not_registered"
			}
			return out
		}))
	}
}

func flushCache(d Deps) run {
	return func(_ context.Context, _ *call.Switch, in *call.Invocation) error {
		f := append(strings.Fields(in.Args), "", "", "")
		count := d.Directory.Flush(f[0], f[1], f[2])
		word := "ies"
		if count == 1 {
			word = "y"
		}
		fmt.Fprintf(in.Out, "+OK cleared %d entr%s\n", count, word)
		return nil
	}
}
