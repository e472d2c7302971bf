package server

import (
	"crypto/subtle"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/directory"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/conf"
	"github.com/switchlet/switchlet/esl"
)

// rights are what a listener may do (spec/esl.md §8.6).
type rights struct {
	limitedEvents bool
	types         map[event.Type]bool
	subclasses    map[string]bool
	api           map[string]bool // nil: every command
	log           bool
}

func (r *rights) event(t event.Type) bool {
	return !r.limitedEvents || r.types[t] || r.types[event.All]
}

func (r *rights) subclass(name string) bool {
	return !r.limitedEvents || r.subclasses[name] || r.types[event.All]
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// auth compares the rest of the line with the password.
func (l *listener) auth(c *esl.Command, _ string) answer {
	if l.locked() {
		return answer{text: "-ERR invalid", end: errGoodbye}
	}
	if l.s.Password == "" || !same(c.Line[len("auth "):], l.s.Password) {
		l.guessed()
		l.s.strange.logf(l.sw.Log, "event socket: wrong password from %s", l.remote)
		return answer{text: "-ERR invalid", end: errGoodbye}
	}
	if l.s.WeakPassword && !l.addr.IsLoopback() {
		l.s.strange.logf(l.sw.Log, "event socket: %s refused: the password is a stock one, which is good on loopback only; "+
			"set another in autoload_configs/event_socket.conf.xml", l.remote)
		return answer{text: "-ERR invalid", end: errGoodbye}
	}
	l.admitted()
	return say("+OK accepted")
}

// locked reports whether the far end has guessed too often lately.
func (l *listener) locked() bool {
	if !l.s.guesses.Locked(l.addr, time.Now()) {
		return false
	}
	l.s.strange.logf(l.sw.Log, "event socket: %s refused: %d wrong passwords in %v", l.remote, directory.MaxGuesses, directory.GuessWindow)
	return true
}

// guessed counts a wrong password. Programs on this machine may be wrong as often as
// they like.
func (l *listener) guessed() {
	if !l.addr.IsLoopback() && l.addr.IsValid() {
		l.s.guesses.Failed(l.addr, "", time.Now())
	}
}

func (l *listener) admitted() {
	l.authed.Store(true)
	l.r.SetLimits(esl.FullLimits)
	l.s.known(l)
}

// splitUser reads USER@DOMAIN:PASS and USER:PASS@DOMAIN.
func splitUser(text string) (user, domain, password string) {
	user, domain, _ = strings.Cut(text, "@")
	if u, p, ok := strings.Cut(user, ":"); ok {
		return u, domain, p
	}
	domain, password, _ = strings.Cut(domain, ":")
	return user, domain, password
}

// userauth lets a user of the directory in, with the rights that its parameters
// give (spec/esl.md §8.7).
func (l *listener) userauth(_ *esl.Command, arg string) answer {
	user, domain, password := splitUser(arg)
	invalid := answer{text: "-ERR invalid", end: errGoodbye}
	if user == "" || domain == "" || password == "" || l.s.UserAuth == nil || l.locked() {
		return invalid
	}
	params, ok := l.s.UserAuth(l.s.ctx, user, domain)
	want := params["esl-password"]
	if !ok || want == "" || !same(password, want) {
		l.guessed()
		l.s.strange.logf(l.sw.Log, "event socket: wrong user or password from %s", l.remote)
		return invalid
	}
	if conf.WeakPassword(user, want) && !l.s.AllowGuessable && !l.addr.IsLoopback() {
		l.s.strange.logf(l.sw.Log, "event socket: user %s@%s refused from %s: everybody knows the esl-password; "+
			"write another one in the directory, or allow it with insecure_passwords=allow in vars.xml", user, domain, l.remote)
		return invalid
	}
	r := rights{log: true}
	if v, ok := params["esl-allowed-log"]; ok {
		r.log = call.True(v)
	}
	events, limited := params["esl-allowed-events"]
	if limited {
		r.limitEvents(words(events))
	} else {
		events = "all"
	}
	api, limited := params["esl-allowed-api"]
	if limited {
		r.api = make(map[string]bool)
		for _, w := range words(api) {
			r.api[w] = true
		}
	} else {
		api = "all"
	}
	l.rights = r
	name := user + "@" + domain
	l.user.Store(&name)
	l.admitted()
	allowLog := "false"
	if r.log {
		allowLog = "true"
	}
	return answer{text: "+OK accepted", extra: "Allowed-Events: " + oneLine(events) + "\nAllowed-API: " + oneLine(api) + "\nAllowed-LOG: " + allowLog + "\n"}
}

// oneLine keeps a configured list from being read as several header lines.
func oneLine(s string) string { return strings.NewReplacer("\r", "", "\n", " ").Replace(s) }

// words splits a list at commas, or at blanks if it has any.
func words(list string) []string {
	if strings.Contains(list, " ") {
		return strings.Fields(list)
	}
	var out []string
	for _, w := range strings.Split(list, ",") {
		if w != "" {
			out = append(out, w)
		}
	}
	return out
}

func (r *rights) limitEvents(list []string) {
	r.limitedEvents = true
	r.types = make(map[event.Type]bool)
	r.subclasses = make(map[string]bool)
	custom := false
	for _, w := range list {
		switch t, ok := event.ParseType(w); {
		case custom:
			r.subclasses[w] = true
		case ok:
			r.types[t] = true
			custom = t == event.Custom
		}
	}
}

// command tells whether the listener may run an API command. Commands that run
// others are looked into.
func (r *rights) command(name, args string) bool {
	if r.api == nil {
		return true
	}
	// Each level takes at least a word off, so this ends.
	for r.api[name] {
		args = strings.TrimSpace(args)
		switch name {
		case "bgapi":
			args = cutJob(args)
		case "sched_api": // [+@]time group command
			_, args, _ = strings.Cut(args, " ")
			_, args, _ = strings.Cut(strings.TrimSpace(args), " ")
		case "eval", "expand":
			if !r.expansion(args) {
				return false
			}
			if name == "eval" {
				return true
			}
			args = cutJob(args)
		case "xml_wrap":
		default:
			return true
		}
		name, args, _ = strings.Cut(strings.TrimSpace(args), " ")
	}
	return false
}

// cutJob takes "uuid:X " off the front.
func cutJob(args string) string {
	if strings.HasPrefix(args, "uuid:") {
		_, args, _ = strings.Cut(args, " ")
	}
	return args
}

// expansion tells whether every command that ${name(…)} or ${name …} in the text
// would run is allowed.
func (r *rights) expansion(text string) bool {
	for {
		_, rest, found := strings.Cut(text, "${")
		if !found {
			return true
		}
		text = rest
		end := strings.IndexAny(rest, "( }")
		if end < 0 || rest[end] == '}' {
			continue
		}
		if !r.api[rest[:end]] {
			return false
		}
	}
}
