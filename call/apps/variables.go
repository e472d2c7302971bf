package apps

import (
	"context"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/call/expand"
	"github.com/switchlet/switchlet/call/expr"
)

func variables(d Deps) []call.Application {
	return []call.Application{
		{Name: "set", Syntax: "<varname>=<value>", Description: "Set a channel variable", Flags: nrz, Run: set},
		{Name: "multiset", Syntax: "[^^<delim>]<varname>=<value> <var2>=<val2>", Description: "Set many channel variables", Flags: nrz, Run: multiset},
		{Name: "unset", Syntax: "<varname>", Description: "Unset a channel variable", Flags: nrz, Run: unset},
		{Name: "multiunset", Syntax: "[^^<delim>]<varname> <var2> <var3>", Description: "Unset many channel variables", Flags: nrz, Run: multiunset},
		{Name: "push", Syntax: "<varname>=<value>", Description: "Set a channel variable", Flags: nrz, Run: array(expand.Push)},
		{Name: "unshift", Syntax: "<varname>=<value>", Description: "Set a channel variable", Flags: nrz, Run: array(expand.Unshift)},
		{Name: "set_global", Syntax: "<varname>=<value>", Description: "Set a global variable", Flags: nrz, Run: setGlobal},
		{Name: "set_profile_var", Syntax: "<varname>=<value>", Description: "Set a caller profile variable", Flags: nrz, Run: setProfileVar},
		{Name: "export", Syntax: "<varname>=<value>", Description: "Export a channel variable across a bridge", Flags: nrz, Run: export("export_vars")},
		{Name: "bridge_export", Syntax: "<varname>=<value>", Description: "Export a channel variable across a bridge", Flags: nrz, Run: export("bridge_export_vars")},
		{Name: "capture", Syntax: "<varname>|<data>|<regex>", Description: "capture data into a var", Flags: nrz, Run: capture(d)},
		{Name: "eval", Syntax: "", Description: "Do Nothing", Flags: nrz, Run: nothing},
		{Name: "stop", Syntax: "", Description: "Do Nothing", Flags: nr, Run: nothing},
		{Name: "event", Syntax: "", Description: "Fire an event", Flags: nrz, Run: fire},
		{Name: "info", Syntax: "", Description: "Display Call Info", Flags: nrz, Run: info},
		{Name: "log", Syntax: "<log_level> <log_string>", Description: "Logs to the logger", Flags: nrz, Run: logLine},
		{Name: "set_user", Syntax: "<user>@<domain> [prefix]", Description: "Set a User", Flags: nr, Run: setUser(d)},
		{Name: "strftime", Syntax: "[<epoch>|]<format string>", Description: "strftime", Flags: n, Run: strftime},
		{Name: "set_name", Syntax: "<name>", Description: "Name the channel", Flags: n, Run: setName},
		{Name: "verbose_events", Syntax: "", Description: "Make ALL Events verbose.", Flags: nrz, Run: verboseEvents},
	}
}

func nothing(context.Context, *call.Channel, string) error { return nil }

func set(_ context.Context, ch *call.Channel, args string) error {
	if args == "" {
		return usage("set <varname>=<value>")
	}
	name, value, ok := strings.Cut(args, "=")
	if !ok {
		name, value, _ = strings.Cut(args, ",")
	}
	value = ch.Expand(value)
	shown := value
	if shown == "" {
		shown = "UNDEF"
	}
	ch.Log(call.LogDebug, "SET %s [%s]=[%s]", ch.Name(), name, shown)
	ch.SetElement(name, value)
	return nil
}

// listArgs splits "[^^D]a D b"; the delimiter is a blank otherwise.
func listArgs(args string) []string {
	delim := " "
	if rest, ok := strings.CutPrefix(args, "^^"); ok && rest != "" {
		delim, args = rest[:1], rest[1:]
	}
	var out []string
	for _, s := range strings.Split(args, delim) {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

func multiset(ctx context.Context, ch *call.Channel, args string) error {
	for _, pair := range listArgs(args) {
		if err := set(ctx, ch, pair); err != nil {
			return err
		}
	}
	return nil
}

func unset(_ context.Context, ch *call.Channel, args string) error {
	ch.Log(call.LogDebug, "UNSET [%s]", args)
	ch.Set(args, "")
	return nil
}

func multiunset(ctx context.Context, ch *call.Channel, args string) error {
	for _, name := range listArgs(args) {
		unset(ctx, ch, name)
	}
	return nil
}

func array(change func(text, value string) string) run {
	return func(_ context.Context, ch *call.Channel, args string) error {
		name, value, ok := strings.Cut(args, "=")
		if !ok {
			return usage("<varname>=<value>")
		}
		ch.Set(name, change(ch.Get(name), value))
		return nil
	}
}

func setGlobal(_ context.Context, ch *call.Channel, args string) error {
	name, value, _ := strings.Cut(args, "=")
	globals := ch.Switch().Globals
	if value == "" {
		globals.Delete(name)
		return nil
	}
	globals.Set(name, strings.ReplaceAll(value, "${", "%{"))
	return nil
}

func setProfileVar(_ context.Context, ch *call.Channel, args string) error {
	name, value, ok := strings.Cut(args, "=")
	if !ok {
		return usage("set_profile_var <varname>=<value>")
	}
	ch.UpdateProfile(func(p *call.Profile) { p.SetField(name, value) })
	return nil
}

func export(list string) run {
	return func(_ context.Context, ch *call.Channel, args string) error {
		name, value, ok := strings.Cut(args, "=")
		if !ok {
			name, value, _ = strings.Cut(args, ",")
		}
		ch.Log(call.LogDebug, "EXPORT (%s) [%s]=[%s]", list, name, value)
		ch.Set(name, value)
		names := ch.Get(list)
		for _, have := range strings.Split(names, ",") {
			if strings.EqualFold(have, name) {
				return nil
			}
		}
		if names != "" {
			names += ","
		}
		ch.Set(list, names+name)
		return nil
	}
}

func capture(d Deps) run {
	return func(_ context.Context, ch *call.Channel, args string) error {
		f := expand.Split(args, '|', 3)
		if len(f) < 3 {
			return usage("capture <varname>|<data>|<regex>")
		}
		groups, ok, err := d.Regex.Match(f[2], f[1])
		if err != nil || !ok {
			return err
		}
		ch.Set(f[0], expand.FormatArray(groups))
		return nil
	}
}

// maxPairs bounds the headers of the application event.
const maxPairs = 1000

func fire(_ context.Context, ch *call.Channel, args string) error {
	kind, subclass := event.ChannelApplication, ""
	var own []call.Var
	for _, pair := range expand.SplitSeparate(args, ',', maxPairs) {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		switch {
		case strings.EqualFold(name, "Event-Name"):
			if t, ok := event.ParseType(value); ok {
				kind = t
			}
		case strings.EqualFold(name, "Event-Subclass"):
			subclass = value
		default:
			own = append(own, call.Var{Name: name, Value: value})
		}
	}
	if subclass != "" {
		kind = event.Custom
	}
	e := event.New(kind, subclass)
	ch.AddTo(e)
	for _, v := range own {
		e.Add(v.Name, v.Value)
	}
	ch.Switch().Bus.Publish(e, "mod_dptools.c", "event_function", 1795)
	return nil
}

func info(_ context.Context, ch *call.Channel, args string) error {
	level := call.LogInfo
	if l, ok := call.ParseLevel(args); ok {
		level = l
	}
	if !ch.Switch().Log.Enabled(level) {
		return nil
	}
	e := event.New(event.ChannelData, "")
	ch.AddTo(e)
	var b strings.Builder
	for _, h := range e.Headers {
		b.WriteString(h.Name + ": [" + h.Value + "]\n")
	}
	ch.Log(level, "CHANNEL_DATA:\n%s", b.String())
	return nil
}

func logLine(_ context.Context, ch *call.Channel, args string) error {
	level, text := call.LogDebug, args
	if word, rest, ok := strings.Cut(args, " "); ok {
		if l, known := call.ParseLevel(word); known {
			level, text = l, rest
		}
	}
	ch.Log(level, "%s", text)
	return nil
}

func setUser(d Deps) run {
	return func(ctx context.Context, ch *call.Channel, args string) error {
		who, prefix, _ := strings.Cut(args, " ")
		id, domain, ok := strings.Cut(who, "@")
		if !ok {
			ch.Log(call.LogErr, "No user@domain specified.")
			return nil
		}
		u, err := d.Directory.User(ctx, "id", id, domain, nil)
		if err != nil {
			ch.Log(call.LogErr, "can't find user [%s@%s]", id, domain)
			return nil
		}
		if prefix = strings.TrimSpace(prefix); prefix != "" {
			prefix += "_"
		}
		if alias := u.NumberAlias(); alias != "" {
			ch.Set(prefix+"number_alias", alias)
		}
		for _, v := range u.Variables {
			ch.Set(prefix+v.Name, v.Value)
		}
		ch.UpdateProfile(func(p *call.Profile) {
			for _, v := range u.ProfileVariables {
				p.SetField(v.Name, v.Value)
			}
		})
		ch.Set(prefix+"user_name", u.ID)
		ch.Set(prefix+"domain_name", u.Domain)
		return nil
	}
}

func strftime(_ context.Context, ch *call.Channel, args string) error {
	name, format, ok := strings.Cut(args, "=")
	if !ok {
		return usage("strftime <varname>=<format>")
	}
	ch.Set(name, expr.Strftime(format, time.Now()))
	return nil
}

func setName(_ context.Context, ch *call.Channel, args string) error {
	if args == "" {
		return usage("set_name <name>")
	}
	ch.SetName(args)
	return nil
}

func verboseEvents(_ context.Context, ch *call.Channel, args string) error {
	value := "true"
	if args != "" && !call.True(args) {
		value = ""
	}
	ch.Set("verbose_events", value)
	return nil
}
