package apps

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/expand"
)

func stores(d Deps) []call.Application {
	return []call.Application{
		{Name: "hash", Syntax: "[insert|insert_ifempty|delete|delete_ifmatch]/<realm>/<key>/<val>", Description: "Insert into the hashtable", Flags: nz, Run: hash(d)},
		{Name: "db", Syntax: "[insert|delete]/<realm>/<key>/<val>", Description: "Insert to the db", Flags: nz, Run: db(d)},
		{Name: "group", Syntax: "[insert|delete]:<group name>:<val>", Description: "Manage a group", Flags: nz, Run: group(d)},
		{Name: "limit", Syntax: "<backend> <realm> <id> [<max>[/interval]] [number [dialplan [context]]]", Description: "Limit", Flags: n, Run: limit(d)},
		{Name: "limit_execute", Syntax: "<backend> <realm> <id> <max>[/interval] <application> [application arguments]", Description: "Limit", Flags: n, Run: limitExecute(d)},
	}
}

var errNoDatabase = errors.New("there is no database")

func hash(d Deps) run {
	return func(_ context.Context, _ *call.Channel, args string) error {
		f := strings.SplitN(args, "/", 4)
		switch {
		case len(f) == 4 && f[0] == "insert":
			d.Hash.Insert(f[1], f[2], f[3])
		case len(f) == 4 && f[0] == "insert_ifempty":
			d.Hash.InsertIfEmpty(f[1], f[2], f[3])
		case len(f) == 4 && f[0] == "delete_ifmatch":
			d.Hash.DeleteIfMatch(f[1], f[2], f[3])
		case len(f) >= 3 && f[0] == "delete":
			d.Hash.Delete(f[1], f[2])
		default:
			return usage("hash [insert|insert_ifempty|delete|delete_ifmatch]/<realm>/<key>/<val>")
		}
		return nil
	}
}

func db(d Deps) run {
	return func(_ context.Context, _ *call.Channel, args string) error {
		if d.DB == nil {
			return errNoDatabase
		}
		f := strings.SplitN(args, "/", 4)
		switch {
		case len(f) == 4 && f[0] == "insert":
			return d.DB.Insert(f[1], f[2], f[3])
		case len(f) >= 3 && f[0] == "delete":
			return d.DB.Delete(f[1], f[2])
		}
		return usage("db [insert|delete]/<realm>/<key>/<val>")
	}
}

func group(d Deps) run {
	return func(_ context.Context, _ *call.Channel, args string) error {
		if d.DB == nil {
			return errNoDatabase
		}
		f := strings.SplitN(args, ":", 3)
		switch {
		case len(f) == 3 && f[0] == "insert":
			return d.DB.GroupInsert(f[1], f[2])
		case len(f) == 3 && f[0] == "delete":
			return d.DB.GroupDelete(f[1], f[2])
		}
		return usage("group [insert|delete]:<group name>:<val>")
	}
}

// LimitRate reads "max[/interval seconds]"; absent or negative means "count
// only".
func LimitRate(s string) (limit int, interval time.Duration) {
	count, seconds, rated := strings.Cut(s, "/")
	limit = number(count, -1)
	if rated {
		interval = time.Duration(max(number(seconds, 1), 1)) * time.Second
	}
	return limit, interval
}

// TakeLimit counts a channel's use of a resource and tells of it in the
// channel's variables. The use ends with the call.
func TakeLimit(d Deps, ch *call.Channel, backend, realm, id, rate string) bool {
	limit, interval := LimitRate(rate)
	if ch.Private("limit") == nil {
		ch.SetPrivate("limit", true)
		ch.OnHangup(func(c *call.Channel) { d.Limits.Release("", "", "", c.UUID()) })
	}
	u, ok := d.Limits.Take(backend, realm, id, ch.UUID(), limit, interval)
	name := realm + "_" + id
	ch.Set("limit_backend", backend)
	ch.Set("limit_realm", realm)
	ch.Set("limit_id", id)
	ch.Set("limit_usage", strconv.Itoa(u.Total))
	ch.Set("limit_usage_"+name, strconv.Itoa(u.Total))
	if interval > 0 {
		ch.Set("limit_rate", strconv.Itoa(u.Rate))
		ch.Set("limit_rate_"+name, strconv.Itoa(u.Rate))
	}
	return ok
}

func limit(d Deps) run {
	return func(_ context.Context, ch *call.Channel, args string) error {
		f := expand.SplitSeparate(args, ' ', 7)
		if len(f) < 3 {
			return usage("limit <backend> <realm> <id> [<max>[/interval]] [number [dialplan [context]]]")
		}
		if TakeLimit(d, ch, f[0], f[1], f[2], arg(f, 3)) {
			return nil
		}
		ch.Log(call.LogInfo, "Usage for %s_%s exceeds its maximum of %s", f[1], f[2], arg(f, 3))
		to := arg(f, 4)
		if to == "" {
			to = "limit_exceeded"
		}
		if cause, ok := strings.CutPrefix(to, "!"); ok {
			ch.Hangup(call.ParseCause(cause))
			return nil
		}
		return ch.Transfer(to, arg(f, 5), arg(f, 6))
	}
}

func limitExecute(d Deps) run {
	return func(ctx context.Context, ch *call.Channel, args string) error {
		f := expand.SplitSeparate(args, ' ', 6)
		if len(f) < 5 {
			return usage("limit_execute <backend> <realm> <id> <max>[/interval] <application> [application arguments]")
		}
		if !TakeLimit(d, ch, f[0], f[1], f[2], f[3]) {
			return nil
		}
		defer d.Limits.Release(f[0], f[1], f[2], ch.UUID())
		if err := ch.Execute(ctx, f[4], arg(f, 5)); err != nil {
			return fmt.Errorf("limit_execute %s: %w", f[4], err)
		}
		return nil
	}
}
