package commands

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/switchlet/switchlet/call"
)

const hashUsage = "-ERR Usage: hash insert|insert_ifempty|select|delete|delete_ifmatch/realm/key[/value]\n"

func stores(d Deps) []call.Command {
	return []call.Command{
		{Name: "hash", Syntax: "[insert|delete|select]/<realm>/<key>/<value>", Description: "hash get/set", Module: "mod_hash", Run: hash(d)},
		{Name: "hash_dump", Syntax: "all|limit|db [<realm>]", Description: "dump hash/limit_hash data (used for synchronization)", Module: "mod_hash", Run: hashDump(d)},
		{Name: "hash_remote", Syntax: "list|kill [name]|rescan", Description: "hash remote", Module: "mod_hash", Run: hashRemote},
		{Name: "db", Syntax: "[insert|delete|select|exists|count|list]/<realm>/<key>/<value>", Description: "db get/set", Module: "mod_db", Run: db(d)},
		{Name: "group", Syntax: "[insert|delete|call]:<group name>:<url>", Description: "group [insert|delete|call]", Module: "mod_db", Run: group(d)},
		{Name: "limit_usage", Syntax: "<backend> <realm> <id>", Description: "Get the usage count of a limited resource", Module: "mod_commands", Run: limitUsage(d)},
		{Name: "limit_hash_usage", Syntax: "<realm> <id>", Description: "Deprecated: gets the usage count of a limited resource", Module: "mod_commands", Run: limitHashUsage(d)},
		{Name: "limit_status", Syntax: "<backend>", Description: "Get the status of a limit backend", Module: "mod_commands", Run: limitStatus},
		{Name: "limit_reset", Syntax: "<backend>", Description: "Reset the counters of a limit backend", Module: "mod_commands", Run: limitReset(d)},
		{Name: "limit_interval_reset", Syntax: "<backend> <realm> <resource>", Description: "Reset the interval counter for a limited resource", Module: "mod_commands", Run: limitIntervalReset(d)},
	}
}

func hash(d Deps) run {
	return func(_ context.Context, _ *call.Switch, in *call.Invocation) error {
		f := strings.SplitN(in.Args, "/", 4)
		if len(f) < 3 {
			return reply(in, hashUsage)
		}
		value := ""
		if len(f) == 4 {
			value = f[3]
		}
		switch f[0] {
		case "insert":
			if len(f) < 4 {
				return reply(in, hashUsage)
			}
			if !d.Hash.Insert(f[1], f[2], value) {
				return reply(in, "-ERR hash is full\n")
			}
			return reply(in, "+OK\n")
		case "insert_ifempty":
			if len(f) < 4 {
				return reply(in, hashUsage)
			}
			if !d.Hash.InsertIfEmpty(f[1], f[2], value) {
				return reply(in, "-ERR key already exists\n")
			}
			return reply(in, "+OK\n")
		case "select":
			v, _ := d.Hash.Select(f[1], f[2])
			return reply(in, v)
		case "delete":
			if !d.Hash.Delete(f[1], f[2]) {
				return reply(in, "-ERR Not found\n")
			}
			return reply(in, "+OK\n")
		case "delete_ifmatch":
			if len(f) < 4 {
				return reply(in, hashUsage)
			}
			switch found, deleted := d.Hash.DeleteIfMatch(f[1], f[2], value); {
			case deleted:
				return reply(in, "+OK\n")
			case found:
				return reply(in, "-ERR Doesn't match\n")
			}
			return reply(in, "-ERR Not found\n")
		}
		return reply(in, hashUsage)
	}
}

func hashDump(d Deps) run {
	return func(_ context.Context, _ *call.Switch, in *call.Invocation) error {
		what, realm, _ := strings.Cut(in.Args, " ")
		if what != "all" && what != "limit" && what != "db" {
			return reply(in, "Usage: all|limit|db [<realm>]\n")
		}
		wanted := func(name string) bool { return realm == "" || strings.HasPrefix(name, realm+"_") }
		if what != "db" {
			for _, l := range d.Limits.All("hash") {
				if wanted(l.Name) {
					fmt.Fprintf(in.Out, "L/%s/%d/%d/%d/%d\n", l.Name, l.Total, l.Rate, int(l.Interval.Seconds()), l.Since)
				}
			}
		}
		if what == "limit" {
			return nil
		}
		for _, e := range d.Hash.All() {
			if wanted(e.Name) {
				fmt.Fprintf(in.Out, "D/%s/%s\n", e.Name, e.Value)
			}
		}
		return nil
	}
}

func hashRemote(_ context.Context, _ *call.Switch, in *call.Invocation) error {
	if in.Args == "list" {
		return reply(in, "Remote connections:\nName\t\t\tState\n+OK\n")
	}
	return reply(in, "-ERR Usage: list|kill [name]|rescan\n")
}

func db(d Deps) run {
	return func(_ context.Context, sw *call.Switch, in *call.Invocation) error {
		out, err := dbReply(d, strings.SplitN(in.Args, "/", 4))
		if err != nil {
			sw.Log.Printf(call.LogErr, "db: %v", err)
			out = "!err!"
		}
		return reply(in, out)
	}
}

func dbReply(d Deps, f []string) (string, error) {
	if d.DB == nil {
		return "!err!", nil
	}
	realm, key := "", ""
	if len(f) > 1 {
		realm = f[1]
	}
	if len(f) > 2 {
		key = f[2]
	}
	switch {
	case f[0] == "insert" && len(f) == 4:
		return "+OK", d.DB.Insert(realm, key, f[3])
	case f[0] == "delete" && realm != "":
		return "+OK", d.DB.Delete(realm, key)
	case f[0] == "select" && len(f) > 2:
		v, _, err := d.DB.Select(realm, key)
		return v, err
	case f[0] == "exists" && len(f) > 2:
		_, ok, err := d.DB.Select(realm, key)
		return strconv.FormatBool(ok), err
	case f[0] == "count" && len(f) < 3:
		n, err := d.DB.Count(realm)
		return strconv.Itoa(n), err
	case f[0] == "list":
		list, err := d.DB.List(realm)
		return strings.Join(list, ","), err
	}
	return "!err!", nil
}

func group(d Deps) run {
	return func(_ context.Context, sw *call.Switch, in *call.Invocation) error {
		out, err := groupReply(d, strings.SplitN(in.Args, ":", 3))
		if err != nil {
			sw.Log.Printf(call.LogErr, "group: %v", err)
			out = "!err!"
		}
		return reply(in, out)
	}
}

func groupReply(d Deps, f []string) (string, error) {
	if d.DB == nil || len(f) < 2 || f[1] == "" {
		return "!err!", nil
	}
	rest := ""
	if len(f) == 3 {
		rest = f[2]
	}
	switch {
	case f[0] == "insert" && rest != "":
		return "+OK", d.DB.GroupInsert(f[1], rest)
	case f[0] == "delete" && rest != "":
		return "+OK", d.DB.GroupDelete(f[1], rest)
	case f[0] == "call":
		list, err := d.DB.Group(f[1])
		separator := map[string]string{"order": "|", "multi": ":_:"}[rest]
		if separator == "" {
			separator = ","
		}
		return strings.Join(list, separator), err
	}
	return "!err!", nil
}

func limitUsage(d Deps) run {
	return func(_ context.Context, _ *call.Switch, in *call.Invocation) error {
		f := strings.Fields(in.Args)
		if len(f) == 2 {
			f = append([]string{"db"}, f...)
		}
		if len(f) < 3 {
			return reply(in, "USAGE: limit_usage <backend> <realm> <id> [rate]\n")
		}
		u := d.Limits.Usage(f[0], f[1], f[2])
		if len(f) > 3 {
			fmt.Fprintf(in.Out, "%d/%d", u.Total, u.Rate)
			return nil
		}
		return reply(in, strconv.Itoa(u.Total))
	}
}

func limitHashUsage(d Deps) run {
	return func(_ context.Context, _ *call.Switch, in *call.Invocation) error {
		f := strings.Fields(in.Args)
		if len(f) < 2 {
			return reply(in, "USAGE: limit_hash_usage <realm> <id> [rate] (Using deprecated limit api, check limit_usage with backend param)\n")
		}
		return reply(in, strconv.Itoa(d.Limits.Usage("hash", f[0], f[1]).Total))
	}
}

func limitStatus(_ context.Context, _ *call.Switch, in *call.Invocation) error {
	switch in.Args {
	case "":
		return reply(in, "USAGE: limit_status <backend>\n")
	case "hash":
		return reply(in, "-ERR not supported yet (locking problems).")
	}
	return reply(in, "-ERR")
}

func limitReset(d Deps) run {
	return func(_ context.Context, _ *call.Switch, in *call.Invocation) error {
		switch in.Args {
		case "":
			return reply(in, "USAGE: limit_reset <backend>\n")
		case "db":
			return reply(in, "+OK")
		}
		return reply(in, "-ERR")
	}
}

func limitIntervalReset(d Deps) run {
	return func(_ context.Context, _ *call.Switch, in *call.Invocation) error {
		f := strings.Fields(in.Args)
		if len(f) < 3 {
			return reply(in, "USAGE: limit_interval_reset <backend> <realm> <resource>\n")
		}
		d.Limits.ResetInterval(f[0], f[1], f[2])
		return reply(in, "+OK")
	}
}
