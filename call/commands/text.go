package commands

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/call/expand"
	"github.com/switchlet/switchlet/call/expr"
	"github.com/switchlet/switchlet/call/regex"
)

func texts(d Deps) []call.Command {
	const m = "mod_commands"
	pure := func(name, syntax, description string, fn func(string) string) call.Command {
		return call.Command{Name: name, Syntax: syntax, Description: description, Module: m,
			Run: func(_ context.Context, _ *call.Switch, in *call.Invocation) error { return reply(in, fn(in.Args)) }}
	}
	return []call.Command{
		{Name: "coalesce", Syntax: "[^^<delim>]<value1>,<value2>,...", Description: "Return first nonempty parameter", Module: m, Run: coalesce},
		{Name: "cond", Syntax: "<expr> ? <true val> : <false val>", Description: "Evaluate a conditional", Module: m, Run: failing(expr.Cond, "-ERR")},
		{Name: "expr", Syntax: "<expr>", Description: "Eval an expression", Module: "mod_expr", Run: failing(expr.Eval, "!err!")},
		{Name: "regex", Syntax: "<data>|<pattern>[|<subst string>][n|b]", Description: "Evaluate a regex", Module: m, Run: regexCommand(d)},
		{Name: "eval", Syntax: "[uuid:<uuid> ]<expression>", Description: "eval (noop)", Module: m, Run: eval},
		{Name: "expand", Syntax: "[uuid:<uuid> ]<cmd> <args>", Description: "Execute an api with variable expansion", Module: m, Run: expandCommand},
		pure("escape", "<data>", "Escape a string", escape),
		{Name: "md5", Syntax: "<data>", Description: "Return md5 hash", Module: m, Run: md5Sum},
		pure("quote_shell_arg", "<data>", "Quote/escape a string for use on shell command line", func(s string) string {
			return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
		}),
		{Name: "replace", Syntax: "<data>|<string1>|<string2>", Description: "Replace a string", Module: m, Run: replace},
		pure("sql_escape", "<string>", "Escape a string to prevent sql injection", func(s string) string { return strings.ReplaceAll(s, "'", "''") }),
		pure("tolower", "<string>", "Lower Case a string", asciiMap('A', 'Z', 'a'-'A')),
		pure("toupper", "<string>", "Upper Case a string", asciiMap('a', 'z', 'A'-'a')),
		pure("url_decode", "<string>", "Url decode a string", event.Decode),
		pure("url_encode", "<string>", "Url encode a string", event.Encode),
		{Name: "strepoch", Syntax: "<string>", Description: "Convert a date string into epoch time", Module: "mod_dptools", Run: strepoch(time.Second)},
		{Name: "strmicroepoch", Syntax: "<string>", Description: "Convert a date string into micoepoch time", Module: "mod_dptools", Run: strepoch(time.Microsecond)},
		{Name: "strftime", Syntax: "<format_string>", Description: "strftime", Module: "mod_dptools", Run: strftime},
		{Name: "strftime_tz", Syntax: "<timezone_name> [<epoch>|][format string]", Description: "Display formatted time of timezone", Module: m, Run: strftimeTZ(d)},
	}
}

func failing(fn func(string) (string, error), otherwise string) run {
	return func(_ context.Context, _ *call.Switch, in *call.Invocation) error {
		out, err := fn(in.Args)
		if err != nil {
			out = otherwise
		}
		return reply(in, out)
	}
}

// maxFields bounds lists of any length.
const maxFields = 1000

func coalesce(_ context.Context, _ *call.Switch, in *call.Invocation) error {
	if in.Args == "" {
		return usage(in, "[^^<delim>]<value1>,<value2>,...")
	}
	for _, v := range expand.SplitSeparate(in.Args, ',', maxFields) {
		if v != "" {
			return reply(in, v)
		}
	}
	return nil
}

// delimited takes a leading "m:X" off that chooses the delimiter.
func delimited(args string) (text string, delim byte) {
	if len(args) > 3 && args[0] == 'm' && args[1] == ':' && strings.IndexByte("~/|", args[2]) >= 0 {
		return args[3:], args[2]
	}
	return args, '|'
}

func regexCommand(d Deps) run {
	return func(_ context.Context, sw *call.Switch, in *call.Invocation) error {
		text, delim := delimited(in.Args)
		f := expand.SplitSeparate(text, delim, 4)
		if len(f) < 2 {
			return reply(in, "-ERR")
		}
		groups, ok, err := d.Regex.Match(f[0], f[1])
		if err != nil {
			sw.Log.Printf(call.LogErr, "regex: %v", err)
		}
		flag := ""
		if len(f) > 3 {
			flag = f[3]
		}
		switch {
		case len(f) == 2:
			return reply(in, strconv.FormatBool(ok))
		case ok:
			return reply(in, regex.SubstitutePercent(f[2], groups))
		case strings.Contains(flag, "n"):
			return nil
		case strings.Contains(flag, "b"):
			return reply(in, "false")
		}
		return reply(in, f[0])
	}
}

// eventResolver expands names as a channel's event headers, then globals.
type eventResolver struct {
	expand.Resolver
	e *event.Event
}

func (r eventResolver) Variable(name string) (string, bool) {
	if r.e != nil {
		if v, ok := r.e.Lookup(name); ok {
			return v, true
		}
	}
	return r.Resolver.Variable(name)
}

// resolved takes "uuid:U " off and returns the resolver of that call.
func resolved(sw *call.Switch, args string) (string, expand.Resolver) {
	r := eventResolver{Resolver: sw.GlobalResolver()}
	if rest, ok := strings.CutPrefix(args, "uuid:"); ok {
		uuid, text, _ := strings.Cut(rest, " ")
		args = text
		if ch := sw.Find(uuid); ch != nil {
			r.e = event.New(event.ChannelData, "")
			ch.AddTo(r.e)
		}
	}
	return args, r
}

func eval(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	text, r := resolved(sw, in.Args)
	return reply(in, expand.Expand(text, r))
}

func expandCommand(ctx context.Context, sw *call.Switch, in *call.Invocation) error {
	text, r := resolved(sw, in.Args)
	if text == "" {
		return reply(in, "-ERR No input\n")
	}
	name, args, _ := strings.Cut(expand.Expand(text, r), " ")
	out, err := sw.Run(ctx, name, args, in.Channel, in.Params)
	if err == call.ErrNoCommand {
		return reply(in, "INVALID COMMAND!\n-ERR Cannot execute command\n")
	}
	return reply(in, out)
}

func escape(s string) string {
	return strings.NewReplacer("\n", `\n`, "\r", `\r`, "\t", `\t`, " ", `\s`, "$", `\$`).Replace(s)
}

func md5Sum(_ context.Context, _ *call.Switch, in *call.Invocation) error {
	if in.Args == "" {
		return reply(in, "!err!")
	}
	sum := md5.Sum([]byte(in.Args))
	return reply(in, hex.EncodeToString(sum[:]))
}

func replace(_ context.Context, _ *call.Switch, in *call.Invocation) error {
	text, delim := delimited(in.Args)
	f := expand.SplitSeparate(text, delim, 3)
	if len(f) < 3 || f[1] == "" {
		return reply(in, "-ERR")
	}
	return reply(in, strings.ReplaceAll(f[0], f[1], f[2]))
}

func asciiMap(from, to byte, shift int) func(string) string {
	return func(s string) string {
		b := []byte(s)
		for i, c := range b {
			if c >= from && c <= to {
				b[i] = byte(int(c) + shift)
			}
		}
		return string(b)
	}
}

// dateForms are the forms of a date that strepoch reads. Those without a zone are
// local time.
var dateForms = []string{"2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02", "2006/01/02 15:04:05",
	"2006-01-02T15:04:05Z07:00", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 -07:00", "2006-01-02 15:04:05 -0700",
	"2006-01-02T15:04:05-0700", "2006-01-02 15:04:05-0700"}

func strepoch(unit time.Duration) run {
	return func(_ context.Context, _ *call.Switch, in *call.Invocation) error {
		t := time.Now()
		if in.Args != "" {
			t = time.Unix(0, 0)
			for _, form := range dateForms {
				if parsed, err := time.ParseInLocation(form, in.Args, time.Local); err == nil {
					t = parsed
					break
				}
			}
		}
		n := t.Unix()
		if unit == time.Microsecond {
			n = t.UnixMicro()
		}
		return reply(in, strconv.FormatInt(n, 10))
	}
}

func strftime(_ context.Context, _ *call.Switch, in *call.Invocation) error {
	format, t := in.Args, time.Now()
	if epoch, rest, ok := strings.Cut(in.Args, "|"); ok {
		n, _ := strconv.ParseInt(epoch, 10, 64)
		t = time.Unix(n, 0)
		if format = rest; format != "" {
			format = format[1:] // the reference skips the character behind the bar
		}
	}
	if format == "" {
		format = "%Y-%m-%d %T"
	}
	return reply(in, expr.Strftime(format, t))
}

func strftimeTZ(d Deps) run {
	return func(_ context.Context, _ *call.Switch, in *call.Invocation) error {
		name, rest, _ := strings.Cut(in.Args, " ")
		if name == "" {
			return reply(in, expr.Strftime("%Y-%m-%d %T", time.Now()))
		}
		t, format := time.Now(), rest
		if epoch, f, ok := strings.Cut(rest, "|"); ok {
			format = f
			if n, err := strconv.ParseInt(epoch, 10, 64); err == nil && n != 0 {
				t = time.Unix(n, 0)
			}
		}
		if format == "" {
			format = "%Y-%m-%d %T"
		}
		zone, ok := Zone(d.Store, name)
		if !ok {
			return reply(in, "-ERR Invalid timezone/format\n")
		}
		return reply(in, expr.Strftime(format, t.In(zone)))
	}
}
