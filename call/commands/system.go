package commands

import (
	"context"
	"fmt"
	"net"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
)

func system(d Deps) []call.Command {
	const m = "mod_commands"
	return []call.Command{
		{Name: "bgapi", Syntax: "<command>[ <arg>]", Description: "Execute an api command in a thread", Module: m, Run: bgapi},
		{Name: "create_uuid", Syntax: "<uuid> <other_uuid>", Description: "Create a uuid", Module: m, Run: func(_ context.Context, _ *call.Switch, in *call.Invocation) error { return reply(in, call.NewUUID()) }},
		{Name: "echo", Syntax: "<data>", Description: "Echo", Module: m, Run: func(_ context.Context, _ *call.Switch, in *call.Invocation) error { return reply(in, in.Args) }},
		{Name: "file_exists", Syntax: "<file>", Description: "Check if a file exists on server", Module: m, Run: fileExists},
		{Name: "getenv", Syntax: "<name>", Description: "getenv", Module: m, Run: getenv},
		{Name: "host_lookup", Syntax: "<hostname>", Description: "Lookup host", Module: m, Run: hostLookup("!err!")},
		{Name: "gethost", Syntax: "", Description: "gethostbyname", Module: m, Run: hostLookup("-ERR")},
		{Name: "global_getvar", Syntax: "<var>", Description: "Get global var", Module: m, Run: globalGet(d)},
		{Name: "global_setvar", Syntax: "<var>=<value> [=<value2>]", Description: "Set global var", Module: m, Run: globalSet(d)},
		{Name: "hostname", Syntax: "", Description: "Return the system hostname", Module: m, Run: func(_ context.Context, sw *call.Switch, in *call.Invocation) error { return reply(in, sw.Hostname) }},
		{Name: "switchname", Syntax: "", Description: "Return the switch name", Module: m, Run: func(_ context.Context, sw *call.Switch, in *call.Invocation) error { return reply(in, sw.Switchname) }},
		{Name: "is_lan_addr", Syntax: "<ip>", Description: "See if an ip is a lan addr", Module: m, Run: isLAN},
		{Name: "log", Syntax: "<level> <message>", Description: "Log", Module: m, Run: logLine},
		{Name: "module_exists", Syntax: "<module>", Description: "Check if module exists", Module: m, Run: moduleExists(d)},
		{Name: "load", Syntax: "<mod_name>", Description: "Load Module", Module: m, Run: load(d)},
		{Name: "unload", Syntax: "[-f] <mod_name>", Description: "Unload module", Module: m, Run: unload(d)},
		{Name: "reload", Syntax: "[-f] <mod_name>", Description: "Reload module", Module: m, Run: reloadModule(d)},
		{Name: "msleep", Syntax: "<milliseconds>", Description: "Sleep N milliseconds", Module: m, Run: msleep},
		{Name: "reloadxml", Syntax: "", Description: "Reload XML", Module: m, Run: reloadXML(d)},
		{Name: "reloadacl", Syntax: "", Description: "Reload ACL", Module: m, Run: reloadACL(d)},
		{Name: "uptime", Syntax: "[us|ms|s|m|h|d|microseconds|milliseconds|seconds|minutes|hours|days]", Description: "Show uptime", Module: m, Run: uptime},
		{Name: "help", Syntax: "", Description: "Show help for all the api commands", Module: m, Run: help},
		{Name: "shutdown", Syntax: "", Description: "Shutdown", Module: m, Run: shutdown(d)},
		{Name: "...", Syntax: "", Description: "Shutdown", Module: m, Run: shutdown(d)},
		{Name: "xml_locate", Syntax: "[root | <section> <tag> <tag_attr_name> <tag_attr_val>]", Description: "Find some xml", Module: m, Run: xmlLocate(d)},
	}
}

func bgapi(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	line, id := in.Args, ""
	if rest, ok := strings.CutPrefix(line, "uuid:"); ok {
		id, line, _ = strings.Cut(rest, " ")
	}
	name, args, _ := strings.Cut(strings.TrimSpace(line), " ")
	if name == "" {
		return reply(in, "-ERR Invalid syntax\n")
	}
	if id == "" {
		id = call.NewUUID()
	}
	sw.Go(func() {
		out, err := sw.Run(sw.Context(), name, args, nil, nil)
		if err != nil {
			out = name + ": Command not found!\n"
		}
		e := event.New(event.BackgroundJob, "")
		e.Add("Job-UUID", id)
		e.Add("Job-Command", name)
		e.Add("Job-Command-Arg", args)
		if out != "" {
			e.SetBody(out)
		}
		sw.Bus.Publish(e, "mod_commands.c", "bgapi_exec", 5059)
	})
	fmt.Fprintf(in.Out, "+OK Job-UUID: %s\n", id)
	return nil
}

func fileExists(_ context.Context, _ *call.Switch, in *call.Invocation) error {
	_, err := os.Stat(in.Args)
	return reply(in, strconv.FormatBool(in.Args != "" && err == nil))
}

func getenv(_ context.Context, _ *call.Switch, in *call.Invocation) error {
	v, ok := os.LookupEnv(in.Args)
	if !ok {
		v = "_undef_"
	}
	return reply(in, v)
}

func hostLookup(fail string) run {
	return func(ctx context.Context, _ *call.Switch, in *call.Invocation) error {
		if in.Args == "" {
			if fail == "-ERR" {
				return reply(in, fail)
			}
			return reply(in, "parameter missing\n")
		}
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		ips, err := net.DefaultResolver.LookupIP(ctx, "ip4", in.Args)
		if err != nil || len(ips) == 0 {
			return reply(in, fail)
		}
		return reply(in, ips[0].String())
	}
}

func globalGet(d Deps) run {
	return func(_ context.Context, _ *call.Switch, in *call.Invocation) error {
		g := d.Store.Globals()
		if in.Args != "" {
			return reply(in, g.Get(in.Args))
		}
		for _, p := range g.All() {
			fmt.Fprintf(in.Out, "%s=%s\n", p.Name, p.Value)
		}
		return nil
	}
}

func globalSet(d Deps) run {
	return func(_ context.Context, _ *call.Switch, in *call.Invocation) error {
		if in.Args == "" {
			return usage(in, "<var>=<value> [=<value2>]")
		}
		g := d.Store.Globals()
		f := strings.SplitN(in.Args, "=", 3)
		name, value := f[0], ""
		if len(f) > 1 {
			value = strings.ReplaceAll(f[1], "${", "%{")
		}
		if len(f) == 3 {
			value = strings.TrimSuffix(value, " ")
			if g.Get(name) != f[2] {
				return reply(in, "+OK")
			}
		}
		if value == "" {
			g.Delete(name)
		} else {
			g.Set(name, value)
		}
		return reply(in, "+OK")
	}
}

// lanPrefixes are what the reference's is_lan_addr compares with.
var lanPrefixes = []string{"10.", "192.168.", "127.", "255.", "0.", "1.", "2.", "172.16.", "172.17.", "172.18.",
	"172.19.", "172.20.", "172.21.", "172.22.", "172.23.", "172.24.", "172.25.", "172.26.", "172.27.", "172.28.",
	"172.29.", "172.30.", "172.31.", "192.0.2.", "169.254."}

func isLAN(_ context.Context, _ *call.Switch, in *call.Invocation) error {
	lan := false
	for _, p := range lanPrefixes {
		lan = lan || strings.HasPrefix(in.Args, p)
	}
	return reply(in, strconv.FormatBool(lan))
}

func logLine(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	word, text, _ := strings.Cut(in.Args, " ")
	level, ok := call.ParseLevel(word)
	if !ok {
		level = call.LogDebug
	}
	sw.Log.Session(level, "", "%s", text)
	return reply(in, "+OK\n")
}

func moduleExists(d Deps) run {
	return func(_ context.Context, _ *call.Switch, in *call.Invocation) error {
		if in.Args == "" {
			return nil
		}
		return reply(in, strconv.FormatBool(hasModule(d, in.Args)))
	}
}

func hasModule(d Deps, name string) bool {
	for _, m := range d.Modules {
		if m == name {
			return true
		}
	}
	return false
}

// Modules of the reference are rooms here: they are always there, or never.

func load(d Deps) run {
	return func(ctx context.Context, _ *call.Switch, in *call.Invocation) error {
		if in.Args == "" {
			return usage(in, "<mod_name>")
		}
		d.Store.Reload(ctx)
		if hasModule(d, in.Args) {
			return reply(in, "+OK Reloading XML\n-ERR [Module already loaded]\n")
		}
		return reply(in, "+OK Reloading XML\n-ERR [module load file routine returned an error]\n")
	}
}

func unload(d Deps) run {
	return func(_ context.Context, _ *call.Switch, in *call.Invocation) error {
		name := strings.TrimPrefix(in.Args, "-f ")
		switch {
		case name == "":
			return usage(in, "[-f] <mod_name>")
		case hasModule(d, name):
			return reply(in, "-ERR [Module is not unloadable]\n")
		}
		return reply(in, "-ERR [No such module!]\n")
	}
}

func reloadModule(d Deps) run {
	return func(ctx context.Context, _ *call.Switch, in *call.Invocation) error {
		name := strings.TrimPrefix(in.Args, "-f ")
		if name == "" {
			return usage(in, "[-f] <mod_name>")
		}
		d.Store.Reload(ctx)
		if hasModule(d, name) {
			return reply(in, "+OK Reloading XML\n-ERR unloading module [Module is not unloadable]\n-ERR loading module [Module already loaded]\n")
		}
		return reply(in, "+OK Reloading XML\n-ERR unloading module [No such module!]\n-ERR loading module [module load file routine returned an error]\n")
	}
}

// maxSleep bounds msleep, which keeps its caller waiting.
const maxSleep = time.Hour

func msleep(ctx context.Context, _ *call.Switch, in *call.Invocation) error {
	n, err := strconv.Atoi(in.Args)
	if err != nil || n <= 0 {
		return reply(in, "+OK")
	}
	t := time.NewTimer(min(time.Duration(n)*time.Millisecond, maxSleep))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
	return reply(in, "+OK")
}

func reloadXML(d Deps) run {
	return func(ctx context.Context, sw *call.Switch, in *call.Invocation) error {
		text, err := d.Store.Reload(ctx)
		if err != nil {
			sw.Log.Printf(call.LogErr, "reloadxml: %v", err)
		} else {
			sw.Bus.Publish(event.New(event.ReloadXML, ""), "switch_xml.c", "switch_xml_open_root", 2532)
		}
		fmt.Fprintf(in.Out, "+OK [%s]\n", text)
		return nil
	}
}

func reloadACL(d Deps) run {
	return func(ctx context.Context, sw *call.Switch, in *call.Invocation) error {
		if in.Args == "reloadxml" {
			in.Out.WriteString("This option is deprecated, we now always reloadxml.\n")
		}
		text, err := d.Store.Reload(ctx)
		if err != nil {
			fmt.Fprintf(in.Out, "-ERR [%s]\n", text)
			return nil
		}
		for _, w := range d.ACL.Rebuild(ctx) {
			sw.Log.Printf(call.LogWarning, "%s", w)
		}
		return reply(in, "+OK acl reloaded\n")
	}
}

func uptime(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	up := time.Since(sw.Started())
	var n int64
	switch in.Args {
	case "us", "microseconds":
		n = up.Microseconds()
	case "ms", "milliseconds":
		n = up.Milliseconds()
	case "", "s", "seconds":
		n = int64(up.Seconds())
	case "m", "minutes":
		n = int64(up.Minutes())
	case "h", "hours":
		n = int64(up.Hours())
	case "d", "days":
		n = int64(up.Hours() / 24)
	default:
		return usage(in, "[us|ms|s|m|h|d|microseconds|milliseconds|seconds|minutes|hours|days]")
	}
	fmt.Fprintf(in.Out, "%d\n", n)
	return nil
}

func help(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	if in.Args == "" {
		in.Out.WriteString("\nValid Commands:\n\n")
	}
	list := sw.Commands()
	sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	for _, c := range list {
		fmt.Fprintf(in.Out, "%s,%s,%s,%s\n", c.Name, c.Syntax, c.Description, c.Module)
	}
	return nil
}

func shutdown(d Deps) run {
	return func(_ context.Context, _ *call.Switch, in *call.Invocation) error {
		if d.Shutdown != nil {
			d.Shutdown(false)
		}
		return reply(in, "+OK\n")
	}
}

func xmlLocate(d Deps) run {
	return func(ctx context.Context, _ *call.Switch, in *call.Invocation) error {
		f := strings.Fields(in.Args)
		tree := d.Store.Tree()
		switch {
		case len(f) == 1 && f[0] == "root":
			return reply(in, tree.Root().String())
		case len(f) == 1:
			if n := tree.Section(f[0]); n != nil {
				return reply(in, n.String())
			}
		case len(f) == 4:
			if n := d.Store.Lookup(ctx, f[0], f[1], f[2], f[3], nil); n != nil {
				return reply(in, n.String())
			}
		default:
			return reply(in, "-ERR bad args\n")
		}
		return reply(in, "can't find anything\n")
	}
}
