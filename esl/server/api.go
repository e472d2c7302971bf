package server

import (
	"context"
	"strconv"
	"strings"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/esl"
)

func itoa(n int) string { return strconv.Itoa(n) }

// maxUUID is where a client's Job-UUID is cut.
const maxUUID = 36

// maxAliases bounds aliases that stand for aliases.
const maxAliases = 100

// maxConsole is how many commands one console line may have.
const maxConsole = 128

// api runs a command and replies with its output.
func (l *listener) api(c *esl.Command, arg string) answer {
	name, args, _ := strings.Cut(arg, " ")
	return l.runAPI(c, name, args)
}

func (l *listener) runAPI(c *esl.Command, name, args string) answer {
	console := call.True(c.Headers.Get("console_execute"))
	if !l.allows(name, args, console) {
		return say(denied)
	}
	text := l.output(l.s.ctx, name, args, console)
	if text == "" {
		text = "-ERR no reply\n"
	}
	return answer{api: true, text: text}
}

// allows checks the command, or each command of a console line.
func (l *listener) allows(name, args string, console bool) bool {
	if !console || l.rights.api == nil {
		return l.rights.command(name, args)
	}
	for _, line := range consoleLines(name + " " + args) {
		line, _ = l.unalias(line)
		n, a, _ := strings.Cut(line, " ")
		if !l.rights.command(n, a) {
			return false
		}
	}
	return true
}

// output is what a command writes. A command that is unknown or fails has no
// other output than that it was not found.
func (l *listener) output(ctx context.Context, name, args string, console bool) string {
	if console {
		return l.console(ctx, strings.TrimSpace(name+" "+args))
	}
	out, err := l.sw.Run(ctx, name, args, nil, nil)
	if err != nil {
		return "-ERR " + name + " Command not found!\n"
	}
	return out
}

// console runs a line as a console does (spec/esl.md §7): several commands
// separated by ";;", aliases. The last command decides whether it was found.
func (l *listener) console(ctx context.Context, line string) string {
	var out strings.Builder
	var err error
	for _, one := range consoleLines(line) {
		command, said := l.unalias(one)
		out.WriteString(said)
		name, args, _ := strings.Cut(command, " ")
		var text string
		text, err = l.sw.Run(ctx, name, strings.TrimLeft(args, " "), nil, nil)
		out.WriteString(text)
	}
	if err != nil {
		return "-ERR " + line + " Command not found!\n"
	}
	return out.String()
}

func consoleLines(line string) []string {
	if hasPrefix(line, "alias") {
		return []string{line}
	}
	var out []string
	for _, one := range strings.SplitN(line, ";;", maxConsole) {
		out = append(out, strings.TrimSpace(one))
	}
	return out
}

// unalias expands aliases and returns what a console says about it.
func (l *listener) unalias(line string) (command, said string) {
	for range maxAliases {
		if l.s.ExpandAlias == nil {
			break
		}
		to, ok := l.s.ExpandAlias(line)
		if !ok || to == line {
			break
		}
		said += "\nExpand Alias [" + line + "]->[" + to + "]\n\n"
		line = to
	}
	return line, said
}

// bgapi starts a command in the background; its output is the body of an event.
func (l *listener) bgapi(c *esl.Command, arg string) answer {
	name, args, _ := strings.Cut(arg, " ")
	console := call.True(c.Headers.Get("console_execute"))
	if !l.allows(name, args, console) {
		return say(denied)
	}
	id := c.Headers.Get("Job-UUID")
	if id == "" {
		id = call.NewUUID()
	}
	id = id[:min(len(id), maxUUID)]
	owner := ""
	if ch := l.channel(); ch != nil {
		owner = ch.UUID()
	}
	if l.s.jobs.Add(1) > int64(l.s.MaxJobs) {
		l.s.jobs.Add(-1)
		return say("-ERR too many background jobs")
	}
	l.sw.Go(func() {
		defer l.s.jobs.Add(-1)
		out := l.output(l.sw.Context(), name, args, console)
		e := event.New(event.BackgroundJob, "")
		e.Add("Job-UUID", id)
		e.Add("Job-Owner-UUID", owner)
		e.Add("Job-Command", name)
		e.Add("Job-Command-Arg", args)
		if out != "" {
			e.SetBody(out)
		}
		l.sw.Bus.Publish(e, "mod_event_socket.c", "api_exec", 1557)
	})
	return answer{text: "+OK Job-UUID: " + id, extra: "Job-UUID: " + id + "\n"}
}
