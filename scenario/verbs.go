package scenario

import (
	"github.com/switchlet/switchlet/call"
)

// verb is one row of the table of steps.
type verb struct {
	words  string // how the step begins
	nobody bool   // it is the scenario's, not somebody's
	usage  string
	parse  func(*words) (action, error)
}

var verbs = []verb{
	{"at", true, "at DATE [TIME] [ZONE]", parseAt},
	{"global", true, "global NAME = VALUE", func(w *words) (action, error) { n, v, err := assignment(w); return setGlobal{n, v}, err }},
	{"variable", false, "[WHO] variable NAME = VALUE", func(w *words) (action, error) { n, v, err := assignment(w); return setVariable{n, v}, err }},
	{"database", true, "database NAME from FILE | database NAME runs SQL | database DSN is NAME", parseDatabase},
	{"sound", true, "sound NAME lasts T", parseStandIn},
	{"api", true, "api COMMAND", func(w *words) (action, error) { s, err := w.last("a command"); return api{s}, err }},
	{"phone", true, "phone NAME answers [after T], says SOUND, presses DIGITS, hangs up [after T] | phone NAME is busy | rejects | does not answer | fails with CAUSE [after T]", parsePhone},
	{"calls", false, "[WHO] calls EXTENSION|script [from NUMBER [\"NAME\"]] [as USER] [in CONTEXT] [with ARGUMENTS]", parseCalls},
	{"call", false, "call EXTENSION|script [from NUMBER [\"NAME\"]] [as USER] [in CONTEXT] [with ARGUMENTS]", parseCalls},
	{"is answered", false, "[WHO] is answered [within T]", func(w *words) (action, error) { t, err := w.optional("within", patience); return isAnswered{t}, err }},
	{"hears", false, "[WHO] hears FILE|tone HZ[+HZ]|silence|say TYPE METHOD TEXT|phrase NAME [DATA]|text TEXT|something [for T] [to the end] [within T]", parseHears},
	{"does not hear", false, "[WHO] does not hear FILE|tone HZ|text TEXT|anything for T", parseHearsNot},
	{"presses", false, "[WHO] presses DIGITS [every T]", parsePresses},
	{"waits", false, "[WHO] waits T", func(w *words) (action, error) { t, err := w.duration(); return waits{t}, err }},
	{"says", false, "[WHO] says FILE|tone HZ[+HZ] [for T]", parseSays},
	{"hangs up", false, "[WHO] hangs up", func(*words) (action, error) { return deed{kind: deedHangup}, nil }},
	{"rings", false, "WHO rings [within T]", func(w *words) (action, error) { t, err := w.optional("within", patience); return rings{t}, err }},
	{"answers", false, "WHO answers [after T]", func(w *words) (action, error) {
		t, err := w.optional("after", 0)
		return deed{kind: deedAnswer, after: t}, err
	}},
	{"is busy", false, "WHO is busy", func(*words) (action, error) { return deed{kind: deedFail, cause: call.CauseUserBusy}, nil }},
	{"rejects", false, "WHO rejects", func(*words) (action, error) { return deed{kind: deedFail, cause: call.CauseCallRejected}, nil }},
	{"fails with", false, "WHO fails with CAUSE", parseFails},
	{"gets digits", false, "[WHO] gets digits DIGITS [within T]", parseGets},
	{"expect no", true, "expect no log TEXT|/REGEX/ | expect no event NAME [SUBCLASS] | expect no bridge", func(w *words) (action, error) { return parseExpect(w, true) }},
	{"expect", true, `expect variable NAME [of WHO] = VALUE | != VALUE | matches /REGEX/ | is unset [within T]
  expect global NAME = VALUE
  expect bridge [of WHO] [to NAME] [within T]
  expect transfer [of WHO] to EXTENSION [in CONTEXT] [within T]
  expect hangup [of WHO] [CAUSE] [within T]
  expect event NAME [SUBCLASS] [with HEADER = VALUE, …] [within T]
  expect log TEXT|/REGEX/ [within T]
  expect database NAME "SELECT …" = VALUE [within T]
  expect recording FILE [at least T] [at most T] [within T]
  expect api "COMMAND" = VALUE | matches /REGEX/`, func(w *words) (action, error) { return parseExpect(w, false) }},
}
