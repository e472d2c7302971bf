package server

import (
	"strings"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/esl"
)

// answer is what a command replies.
type answer struct {
	text  string // of the command reply, or the body of an api response
	extra string // more header lines of the command reply
	api   bool
	raw   []byte // a whole packet instead of the above
	end   error  // the listener ends after the reply
}

// verb is one row of the table of commands. A command line is matched by prefix
// in any case, and the first row that fits is taken (spec/esl.md §2).
type verb struct {
	prefix  string
	session bool // only with a controlled call; without one the row does not fit
	full    bool // needs full control
	run     func(l *listener, c *esl.Command, arg string) answer
}

func say(text string) answer { return answer{text: text} }

// strangerVerbs are for those who have not authenticated.
func strangerVerbs() []verb {
	return []verb{
		{prefix: "exit", run: (*listener).exit},
		{prefix: "...", run: (*listener).exit},
		{prefix: "auth ", run: (*listener).auth},
		{prefix: "userauth ", run: (*listener).userauth},
	}
}

func verbs() []verb {
	return []verb{
		{prefix: "exit", run: (*listener).exit},
		{prefix: "...", run: (*listener).exit},
		{prefix: "filter ", run: (*listener).filter},
		{prefix: "resume", session: true, run: (*listener).resume},
		{prefix: "connect", session: true, run: (*listener).connect},
		{prefix: "getvar", session: true, run: (*listener).getvar},
		{prefix: "myevents", session: true, run: (*listener).myevents},
		{prefix: "myevents ", run: (*listener).myevents},
		{prefix: "divert_events", run: (*listener).divert},
		{prefix: "sendmsg", run: (*listener).sendmsg},
		{prefix: "sendevent", full: true, run: (*listener).sendevent},
		{prefix: "api ", full: true, run: (*listener).api},
		{prefix: "bgapi ", full: true, run: (*listener).bgapi},
		{prefix: "log", full: true, run: (*listener).log},
		{prefix: "linger", full: true, run: (*listener).setLinger},
		{prefix: "nolinger", full: true, run: (*listener).nolinger},
		{prefix: "nolog", full: true, run: (*listener).nolog},
		{prefix: "event", full: true, run: (*listener).event},
		{prefix: "nixevent", full: true, run: (*listener).nixevent},
		{prefix: "noevents", full: true, run: (*listener).noevents},
	}
}

// execute finds the command's row and runs it; l.turn is held.
func (l *listener) execute(c *esl.Command) answer {
	table := l.s.verbs
	switch {
	case !l.outbound && !l.authed.Load():
		table = l.s.strangerVerbs
	case aboutModule(c.Line) && l.full:
		word := "unload"
		if strings.Contains(c.Line, "reload") {
			word = "reload"
		}
		return l.runAPI(c, "bgapi", word+" mod_event_socket")
	}
	for i := range table {
		v := &table[i]
		if !hasPrefix(c.Line, v.prefix) || v.session && l.channel() == nil {
			continue
		}
		if v.full && !l.full {
			break
		}
		return v.run(l, c, argument(c.Line))
	}
	return say(notFound)
}

// aboutModule tells whether a line would take this module away under itself; the
// reference then puts it into the background, whatever else it says.
func aboutModule(line string) bool {
	return strings.Contains(line, "mod_event_socket") && (strings.Contains(line, "unload") || strings.Contains(line, "reload"))
}

func hasPrefix(line, prefix string) bool {
	return len(line) >= len(prefix) && strings.EqualFold(line[:len(prefix)], prefix)
}

// argument is what stands behind the first blank, as it is.
func argument(line string) string {
	_, arg, _ := strings.Cut(line, " ")
	return arg
}

func (l *listener) exit(*esl.Command, string) answer {
	return answer{text: "+OK bye", end: errGoodbye}
}

// log starts log lines, or changes their level.
func (l *listener) log(_ *esl.Command, arg string) answer {
	if !l.rights.log {
		return say(denied)
	}
	arg = strings.TrimSpace(arg)
	level := call.LogDebug
	if arg != "" {
		var ok bool
		if level, ok = call.ParseLevel(arg); !ok {
			return say("-ERR invalid log level")
		}
	}
	if l.follower == nil {
		l.startPump()
		f := l.sw.Log.Follow(level, followQueue)
		l.follower = f
		l.following.Go(func() { l.follow(f) })
	} else {
		l.follower.SetLevel(level)
	}
	return say("+OK log level " + arg + " [" + itoa(int(level)) + "]")
}

// followQueue is how many lines may wait between the log and a listener's queue.
const followQueue = 1024

// follow moves lines from the log to the listener's queue.
func (l *listener) follow(f *call.LogFollower) {
	for line := range f.Lines() {
		if ok, run := l.logs.push(line); !ok && run > maxLostRun {
			l.end(errLostLogs)
		}
		l.nudge()
	}
}

func (l *listener) nolog(*esl.Command, string) answer {
	if l.follower == nil {
		return say("-ERR not loging")
	}
	l.follower.Close()
	l.following.Wait()
	l.follower = nil
	l.logs.clear()
	return say("+OK no longer logging")
}
