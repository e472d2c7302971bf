package commands

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
)

const fsctlWords = "[api_expansion [on|off]|recover|send_sighup|hupall|pause [inbound|outbound]|resume [inbound|outbound]|shutdown [cancel|elegant|asap|now|restart]|uuid_version [4|7]|sps|sps_peak_reset|sync_clock|sync_clock_when_idle|reclaim_mem|max_sessions|min_dtmf_duration [num]|max_dtmf_duration [num]|default_dtmf_duration [num]|min_idle_cpu|loglevel [level]|debug_level [level]|mdns_resolve [enable|disable]]"

func control(d Deps) []call.Command {
	const m = "mod_commands"
	rows := []call.Command{
		{Name: "fsctl", Syntax: fsctlWords, Description: "FS control messages", Module: m, Run: fsctl(d)},
		{Name: "hupall", Syntax: "<cause> [<var> <value>] [<var2> <value2>]", Description: "hupall", Module: m, Run: hupall},
	}
	for _, c := range []struct {
		name, description string
		collect           bool
	}{
		{"system", "Execute a system command", true},
		{"bg_system", "Execute a system command in the background", false},
		{"spawn", "Execute a spawn command without capturing it's output", false},
		{"bg_spawn", "Execute a spawn command in the background", false},
		{"spawn_stream", "Execute a spawn command and capture it's output", true},
	} {
		rows = append(rows, call.Command{Name: c.name, Syntax: "<command>", Description: c.description, Module: m, Run: shell(d, c.collect)})
	}
	return rows
}

// shellLimit bounds a system command, whose output is kept in memory.
const shellLimit = 60 * time.Second

// shell runs a command of the operating system where allow_shell permits it.
func shell(d Deps, collect bool) run {
	return func(ctx context.Context, sw *call.Switch, in *call.Invocation) error {
		if in.Args == "" {
			return usage(in, "<command>")
		}
		if !d.AllowShell {
			return reply(in, "-ERR system commands are switched off: set allow_shell=true in switch.conf.xml\n")
		}
		line := in.Args
		work := func(ctx context.Context) []byte {
			ctx, cancel := context.WithTimeout(ctx, shellLimit)
			defer cancel()
			out, err := exec.CommandContext(ctx, "/bin/sh", "-c", line).Output()
			if err != nil {
				sw.Log.Printf(call.LogErr, "system command [%s]: %v", line, err)
			}
			return out
		}
		if !collect {
			sw.Go(func() { work(sw.Context()) })
			return reply(in, "+OK\n")
		}
		in.Out.Write(work(ctx))
		return nil
	}
}

func hupall(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	f := strings.Fields(in.Args)
	cause := call.CauseManagerRequest
	if len(f) > 0 {
		cause = call.ParseCause(f[0])
	}
	if len(f) < 3 {
		sw.HangupAll(cause, nil)
		fmt.Fprintf(in.Out, "+OK hangup all channels with cause %s\n", cause)
		return nil
	}
	sw.HangupAll(cause, func(c *call.Channel) bool {
		for i := 1; i+1 < len(f); i += 2 {
			if c.Get(f[i]) != f[i+1] {
				return false
			}
		}
		return true
	})
	more := ""
	if len(f) > 3 {
		more = "..."
	}
	fmt.Fprintf(in.Out, "+OK hangup all channels matching [%s]=[%s]%s with cause: %s\n", f[1], f[2], more, cause)
	return nil
}

// fsctl is a table of words. Those that set something answer with its value.
func fsctl(d Deps) run {
	settings := newFsctl(d)
	return func(_ context.Context, sw *call.Switch, in *call.Invocation) error {
		f := strings.Fields(in.Args)
		if len(f) == 0 {
			return usage(in, fsctlWords)
		}
		arg := ""
		if len(f) > 1 {
			arg = f[1]
		}
		if fn := settings[f[0]]; fn != nil {
			return reply(in, fn(sw, arg))
		}
		fmt.Fprintf(in.Out, "-ERR Invalid command\nUSAGE: fsctl %s\n", fsctlWords)
		return nil
	}
}

func newFsctl(d Deps) map[string]func(sw *call.Switch, arg string) string {
	ok := func(*call.Switch, string) string { return "+OK\n" }
	number := func(format string, value int, set func(*call.Switch, int)) func(*call.Switch, string) string {
		return func(sw *call.Switch, arg string) string {
			if n, err := strconv.Atoi(arg); err == nil && n > 0 {
				value = n
				if set != nil {
					set(sw, n)
				}
			}
			return fmt.Sprintf(format, value)
		}
	}
	pause := func(on bool) func(*call.Switch, string) string {
		return func(sw *call.Switch, arg string) string {
			in, out := sw.Limits.Paused()
			if arg != "outbound" {
				in = on
			}
			if arg != "inbound" {
				out = on
			}
			sw.Limits.Pause(in, out)
			return "+OK\n"
		}
	}
	toggle := func(name string, value bool) func(*call.Switch, string) string {
		return func(_ *call.Switch, arg string) string {
			if arg != "" {
				value = call.True(arg)
			}
			word := "off"
			if value {
				word = "on"
			}
			return fmt.Sprintf("+OK %s is %s \n", name, word)
		}
	}
	return map[string]func(*call.Switch, string) string{
		"hupall": func(sw *call.Switch, arg string) string {
			cause := call.CauseManagerRequest
			if arg != "" {
				cause = call.ParseCause(arg)
			}
			sw.HangupAll(cause, nil)
			return "+OK\n"
		},
		"pause": pause(true), "resume": pause(false),
		"send_sighup": func(*call.Switch, string) string {
			if d.Hangup != nil {
				d.Hangup()
			}
			return "+OK\n"
		},
		"reclaim_mem": ok, "save_history": ok, "calibrate_clock": ok, "flush_db_handles": ok,
		"mdns_resolve": ok, "sql": ok,
		"shutdown": func(_ *call.Switch, arg string) string {
			if d.Shutdown != nil && arg != "cancel" {
				d.Shutdown(arg == "restart")
			}
			return "+OK\n"
		},
		"pause_check": func(sw *call.Switch, _ string) string {
			in, out := sw.Limits.Paused()
			return strconv.FormatBool(in && out)
		},
		"ready_check":    func(sw *call.Switch, _ string) string { return strconv.FormatBool(sw.Running()) },
		"shutdown_check": func(sw *call.Switch, _ string) string { return strconv.FormatBool(!sw.Running()) },
		"loglevel": func(sw *call.Switch, arg string) string {
			if arg == "" {
				return fmt.Sprintf("+OK log level: %s [%d]\n", sw.Log.Level(), sw.Log.Level())
			}
			level, known := call.ParseLevel(arg)
			if !known {
				return "-ERR syntax error, log level not set!\n"
			}
			sw.Log.SetLevel(level)
			return fmt.Sprintf("+OK log level: %s [%d]\n", level, level)
		},
		"debug_level": func() func(*call.Switch, string) string {
			level := 0
			return func(_ *call.Switch, arg string) string {
				if n, err := strconv.Atoi(arg); err == nil && n >= 0 {
					level = min(n, 10)
				}
				return fmt.Sprintf("+OK DEBUG level: %d\n", level)
			}
		}(),
		"max_sessions": func(sw *call.Switch, arg string) string {
			if n, err := strconv.Atoi(arg); err == nil && n > 0 {
				sw.Limits.SetMax(n)
			}
			return fmt.Sprintf("+OK max sessions: %d\n", sw.Limits.Usage().Max)
		},
		"sps": func(sw *call.Switch, arg string) string {
			if n, err := strconv.Atoi(arg); err == nil && n > 0 {
				sw.Limits.SetRate(n)
			}
			return fmt.Sprintf("+OK sessions per second: %d\n", sw.Limits.Usage().RateMax)
		},
		"last_sps": func(sw *call.Switch, _ string) string {
			return fmt.Sprintf("+OK last sessions per second: %d\n", sw.Limits.Usage().LastRate)
		},
		"sps_peak_reset": func(sw *call.Switch, _ string) string {
			sw.Limits.ResetRatePeak()
			return "+OK max sessions per second counter reset\n"
		},
		"max_dtmf_duration":     number("+OK max dtmf duration: %d\n", call.DigitDurationMax, nil),
		"min_dtmf_duration":     number("+OK min dtmf duration: %d\n", call.DigitDurationMin, nil),
		"default_dtmf_duration": number("+OK default dtmf duration: %d\n", call.DigitDurationDefault, nil),
		"min_idle_cpu": func() func(*call.Switch, string) string {
			least := 0.0
			return func(_ *call.Switch, arg string) string {
				if v, err := strconv.ParseFloat(arg, 64); err == nil {
					least = v
				}
				if least <= 0 {
					return "+OK min idle cpu: DISABLED\n"
				}
				return fmt.Sprintf("+OK min idle cpu: %0.2f%%\n", least)
			}
		}(),
		"verbose_events": toggle("verbose_events", false), "api_expansion": toggle("api_expansion", true),
		"threaded_system_exec": func(*call.Switch, string) string { return "+OK threaded_system_exec is true \n" },
		"sync_clock":           func(*call.Switch, string) string { return "+OK clock synchronized\n" },
		"sync_clock_when_idle": func(sw *call.Switch, _ string) string {
			if sw.Count() > 0 {
				return "+OK clock will synchronize when there are no more calls\n"
			}
			return "+OK clock synchronized\n"
		},
		"recover":      func(*call.Switch, string) string { return "+OK 0 session(s) recovered in total\n" },
		"uuid_version": func(*call.Switch, string) string { return "+OK set uuid version: 4\n" },
		"debug_sql":    func(*call.Switch, string) string { return "+OK SQL DEBUG [off]\n" },
	}
}
