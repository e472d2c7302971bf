package scenario

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
)

// callerName is who calls when a scenario has one caller only.
const callerName = "caller"

// How long a step waits for what it expects if it does not say so. It is the
// call's time, which costs next to nothing.
const (
	patience   = 30 * time.Second // for something to be heard or done
	settleTime = 5 * time.Second  // for a fact
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

// The steps. Those that wait have a limit.
type (
	setTime     struct{ at time.Time }
	setGlobal   struct{ name, value string }
	setVariable struct{ name, value string }
	database    struct{ dsn, from, sql, is string }
	standIn     struct {
		name string
		long time.Duration
	}
	api   struct{ command string }
	phone struct {
		name  string
		deeds []deed
	}
	calls struct {
		to             string
		script         bool
		arguments      string
		from, name, as string
		context        string
	}
	isAnswered struct{ within time.Duration }
	rings      struct{ within time.Duration }
	hears      struct {
		sound  Sound
		long   time.Duration // of a tone or silence
		end    bool
		within time.Duration
	}
	hearsNot struct {
		sound Sound
		long  time.Duration
	}
	presses struct {
		digits string
		every  time.Duration
	}
	waits struct{ long time.Duration }
	says  struct {
		sound Sound
		long  time.Duration
	}
	gets struct {
		digits string
		within time.Duration
	}
	expects struct {
		what    string // "variable", "bridge" …
		no      bool
		name    string
		of      string
		compare comparison
		sub     string // subclass, context
		with    []call.Var
		least   time.Duration
		most    time.Duration
		within  time.Duration
	}
)

// deed is what a far end does.
type deed struct {
	kind   deedKind
	after  time.Duration
	cause  call.Cause
	sound  Sound
	digits string
}

type deedKind int

const (
	deedAnswer deedKind = iota
	deedFail
	deedRing // and nothing more
	deedSay
	deedPress
	deedHangup
)

// SoundKind is how a sound is named.
type SoundKind int

// The kinds.
const (
	SoundFile SoundKind = iota
	SoundTone
	SoundSilence
	SoundSay    // Name is type and method, Text what is said
	SoundPhrase // Name is the macro, Text its data
	SoundText   // speech
	SoundAny
)

// Sound is what somebody hears or says.
type Sound struct {
	Kind  SoundKind
	Name  string
	Text  string
	Tones []float64 // Hz
}

func (s Sound) String() string {
	switch s.Kind {
	case SoundTone:
		return "tone " + s.Name
	case SoundSilence:
		return "silence"
	case SoundSay:
		return "say " + s.Name + " " + s.Text
	case SoundPhrase:
		return strings.TrimSpace("phrase " + s.Name + " " + s.Text)
	case SoundText:
		return strconv.Quote(s.Text)
	case SoundAny:
		return "something"
	}
	return s.Name
}

// comparison judges a value.
type comparison struct {
	how   string // "=", "!=", "matches", "unset", "set"
	value string
	expr  *regexp.Regexp
}

func (c comparison) holds(value string) bool {
	switch c.how {
	case "!=":
		return value != c.value
	case "matches":
		return c.expr.MatchString(value)
	case "unset":
		return value == ""
	case "set":
		return value != ""
	case "contains":
		return strings.Contains(value, c.value)
	}
	return value == c.value
}

func (c comparison) String() string {
	switch c.how {
	case "unset", "set":
		return "is " + c.how
	case "matches":
		return "matches /" + c.value + "/"
	}
	return c.how + " " + strconv.Quote(c.value)
}

// assignment reads NAME = VALUE.
func assignment(w *words) (name, value string, err error) {
	if name, err = w.word("a name"); err != nil {
		return "", "", err
	}
	if !w.accept("=") {
		return "", "", fmt.Errorf("want %s = VALUE, with blanks around the =", name)
	}
	if w.ended() {
		return name, "", nil
	}
	value, err = w.last("a value")
	return name, value, err
}

func parseAt(w *words) (action, error) {
	date, err := w.word("a date such as 2026-12-24")
	if err != nil {
		return nil, err
	}
	text, layout := date, "2006-01-02"
	if next := w.peek(); len(next) > 1 && next[0] >= '0' && next[0] <= '9' {
		clock, err := w.word("a time")
		if err != nil {
			return nil, err
		}
		text, layout = text+" "+clock, layout+" 15:04"
		if strings.Count(clock, ":") == 2 {
			layout += ":05"
		}
	}
	zone := time.Local
	if !w.ended() {
		name, err := w.word("a time zone")
		if err != nil {
			return nil, err
		}
		if zone, err = time.LoadLocation(name); err != nil {
			return nil, fmt.Errorf("%q is no time zone such as Europe/Berlin", name)
		}
	}
	t, err := time.ParseInLocation(layout, text, zone)
	if err != nil {
		return nil, fmt.Errorf("%q is no date and time such as 2026-12-24 18:00", text)
	}
	if t.Before(earliest) || t.After(latest) {
		return nil, fmt.Errorf("%s is not between 2000-01-02 and 2200", t.Format(time.DateOnly))
	}
	return setTime{t}, nil
}

// The virtual clock begins with the year 2000 and goes forwards only.
var (
	earliest = time.Date(2000, 1, 2, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
)

func parseDatabase(w *words) (action, error) {
	d := database{}
	var err error
	if d.dsn, err = w.word("a database"); err != nil {
		return nil, err
	}
	switch {
	case w.accept("from"):
		d.from, err = w.last("a file")
	case w.accept("runs"):
		d.sql, err = w.last("SQL")
	case w.accept("is"):
		d.is, err = w.word("a name")
		if err == nil && strings.ContainsAny(d.is, `/\:`) {
			err = fmt.Errorf("%q is no plain name", d.is)
		}
	default:
		err = errors.New("want from, runs or is")
	}
	return d, err
}

func parseStandIn(w *words) (action, error) {
	name, err := w.word("the name of a sound")
	if err != nil {
		return nil, err
	}
	if !w.accept("lasts") {
		return nil, errors.New("want: lasts T")
	}
	d, err := w.duration()
	if err == nil && (d == 0 || d > 10*time.Minute) {
		err = errors.New("a sound lasts up to 10m")
	}
	return standIn{name, d}, err
}

func parsePhone(w *words) (action, error) {
	name, err := w.word("the name of a phone such as user/1001")
	if err != nil {
		return nil, err
	}
	p := phone{name: name}
	for {
		d, err := parseDeed(w)
		if err != nil {
			return nil, err
		}
		p.deeds = append(p.deeds, d)
		if w.ended() {
			return p, nil
		}
		if !w.accept(",") {
			return nil, fmt.Errorf("what is %q?", w.rest())
		}
	}
}

// parseDeed reads one thing that a phone does, up to a comma.
func parseDeed(w *words) (deed, error) {
	// A comma may stand at the end of a word: make it one of its own.
	part, rest := cutDeed(w.text)
	one := &words{part}
	w.text = rest
	d := deed{}
	var err error
	switch {
	case one.accept("answers"):
		d.kind = deedAnswer
	case one.acceptWords("is busy"):
		d.kind, d.cause = deedFail, call.CauseUserBusy
	case one.accept("rejects"):
		d.kind, d.cause = deedFail, call.CauseCallRejected
	case one.acceptWords("does not answer"), one.accept("rings"):
		d.kind = deedRing
	case one.acceptWords("fails with"):
		d.kind = deedFail
		d.cause, err = parseCause(one)
	case one.acceptWords("hangs up"):
		d.kind = deedHangup
	case one.accept("says"):
		d.kind = deedSay
		d.sound, err = parseSound(one)
	case one.accept("presses"):
		d.kind = deedPress
		d.digits, err = parseDigits(one)
	default:
		err = fmt.Errorf("what does the phone do: %q?", part)
	}
	if err == nil {
		d.after, err = one.optional("after", 0)
	}
	if err == nil && !one.ended() {
		err = fmt.Errorf("what is %q?", one.rest())
	}
	return d, err
}

// cutDeed cuts at the first comma outside of quotes; the comma stays with the rest.
func cutDeed(s string) (part, rest string) {
	quoted := false
	for i := range len(s) {
		switch s[i] {
		case '"':
			if i == 0 || s[i-1] != '\\' {
				quoted = !quoted
			}
		case ',':
			if !quoted && (i+1 == len(s) || s[i+1] == ' ') {
				return strings.TrimSpace(s[:i]), ", " + strings.TrimSpace(s[i+1:])
			}
		}
	}
	return s, ""
}

func parseFails(w *words) (action, error) {
	c, err := parseCause(w)
	return deed{kind: deedFail, cause: c}, err
}

func parseCause(w *words) (call.Cause, error) {
	name, err := w.word("a cause such as USER_BUSY")
	if err != nil {
		return 0, err
	}
	c := call.ParseCause(name)
	if !strings.EqualFold(c.String(), name) {
		return 0, fmt.Errorf("%q is no cause such as USER_BUSY", name)
	}
	return c, nil
}

func parseCalls(w *words) (action, error) {
	c := calls{}
	w.accept("to")
	quoted := strings.HasPrefix(w.text, `"`)
	to, err := w.word("an extension")
	if err != nil {
		return nil, err
	}
	if c.to = to; to == "script" && !quoted {
		c.to, c.script = "", true
	}
	for !w.ended() {
		switch {
		case w.accept("from"):
			if c.from, err = w.word("a number"); err == nil && strings.HasPrefix(w.text, `"`) {
				c.name, err = w.word("a name")
			}
		case w.accept("as"):
			c.as, err = w.word("a user")
		case w.accept("in"):
			c.context, err = w.word("a context")
		case w.accept("with"):
			c.arguments = w.rest()
			w.text = ""
			if !c.script {
				err = errors.New("an extension has no arguments")
			}
		default:
			err = fmt.Errorf("what is %q?", w.rest())
		}
		if err != nil {
			return nil, err
		}
	}
	return c, nil
}

// parseSound reads what is heard or said.
func parseSound(w *words) (Sound, error) {
	s := Sound{}
	var err error
	switch {
	case w.accept("tone"):
		s.Kind = SoundTone
		if s.Name, err = w.word("a frequency in Hz"); err != nil {
			return s, err
		}
		for _, part := range strings.Split(s.Name, "+") {
			hz, err := strconv.ParseFloat(part, 64)
			if err != nil || !(hz >= 50 && hz <= 3800) || len(s.Tones) == 4 {
				return s, fmt.Errorf("%q: want up to four frequencies from 50 to 3800 Hz, such as 440 or 350+440", s.Name)
			}
			s.Tones = append(s.Tones, hz)
		}
	case w.accept("silence"):
		s.Kind = SoundSilence
	case w.accept("something"), w.accept("anything"):
		s.Kind = SoundAny
	case w.accept("text"):
		s.Kind = SoundText
		s.Text, err = w.word("a text in quotes")
	case w.accept("say"):
		s.Kind = SoundSay
		var kind, method string
		if kind, err = w.word("a type such as number"); err != nil {
			return s, err
		}
		if method, err = w.word("a method such as pronounced"); err != nil {
			return s, err
		}
		s.Name = kind + " " + method
		s.Text, err = w.word("what is said")
	case w.accept("phrase"):
		s.Kind = SoundPhrase
		if s.Name, err = w.word("the name of a macro"); err == nil && !w.ended() && !w.modifier() {
			s.Text, err = w.word("data")
		}
	default:
		s.Name, err = w.word("a sound")
	}
	return s, err
}

// modifier reports whether the next word goes on with the step.
func (w *words) modifier() bool {
	switch w.peek() {
	case "within", "for", "to", "after":
		return true
	}
	return false
}

func parseHears(w *words) (action, error) {
	h := hears{within: patience}
	var err error
	if h.sound, err = parseSound(w); err != nil {
		return nil, err
	}
	for !w.ended() && err == nil {
		switch {
		case w.accept("within"):
			h.within, err = w.duration()
		case w.accept("for"):
			h.long, err = w.duration()
			if err == nil && h.sound.Kind != SoundTone && h.sound.Kind != SoundSilence {
				err = errors.New("\"for\" goes with tone and silence; of others say \"to the end\"")
			}
		case w.acceptWords("to the end"):
			h.end = true
			if h.sound.Kind != SoundFile && h.sound.Kind != SoundText {
				err = errors.New("\"to the end\" goes with files and texts")
			}
		default:
			err = fmt.Errorf("what is %q?", w.rest())
		}
	}
	if h.sound.Kind == SoundSilence && h.long == 0 {
		h.long = time.Second
	}
	return h, err
}

func parseHearsNot(w *words) (action, error) {
	h := hearsNot{}
	var err error
	if h.sound, err = parseSound(w); err != nil {
		return nil, err
	}
	if h.sound.Kind == SoundSilence {
		return nil, errors.New("want a sound")
	}
	if !w.accept("for") {
		return nil, errors.New("for how long?")
	}
	h.long, err = w.duration()
	return h, err
}

func parseDigits(w *words) (string, error) {
	s, err := w.word("digits")
	if err != nil {
		return "", err
	}
	if len(s) > maxDigits || strings.Trim(s, "0123456789*#ABCD") != "" {
		return "", fmt.Errorf("%q: want keys 0-9 * # A-D, at most %d", s, maxDigits)
	}
	if s == "" {
		return "", errors.New("no digits")
	}
	return s, nil
}

func parsePresses(w *words) (action, error) {
	p := presses{}
	var err error
	if p.digits, err = parseDigits(w); err != nil {
		return nil, err
	}
	p.every, err = w.optional("every", 0)
	return p, err
}

func parseSays(w *words) (action, error) {
	s := says{}
	var err error
	if s.sound, err = parseSound(w); err != nil {
		return nil, err
	}
	if k := s.sound.Kind; k != SoundFile && k != SoundTone {
		return nil, errors.New("somebody says a file or a tone")
	}
	s.long, err = w.optional("for", 0)
	return s, err
}

func parseGets(w *words) (action, error) {
	g := gets{}
	var err error
	if g.digits, err = parseDigits(w); err != nil {
		return nil, err
	}
	g.within, err = w.optional("within", patience)
	return g, err
}

// parseExpect reads what follows "expect" or "expect no".
func parseExpect(w *words, no bool) (action, error) {
	e := expects{no: no, within: settleTime}
	var err error
	if e.what, err = w.word("what is expected"); err != nil {
		return nil, err
	}
	fill, ok := expectations[e.what]
	if !ok || no && e.what != "log" && e.what != "event" && e.what != "bridge" {
		return nil, fmt.Errorf("%q cannot be expected", e.what)
	}
	if err := fill(w, &e); err != nil {
		return nil, err
	}
	if e.within, err = w.optional("within", e.within); err != nil {
		return nil, err
	}
	return e, nil
}

// expectations read the rest of what is expected, but for "within".
var expectations = map[string]func(*words, *expects) error{
	"variable": func(w *words, e *expects) (err error) {
		if e.name, err = w.word("a variable"); err != nil {
			return err
		}
		if err = e.whose(w); err != nil {
			return err
		}
		e.compare, err = parseComparison(w)
		return err
	},
	"global": func(w *words, e *expects) (err error) {
		if e.name, err = w.word("a variable"); err != nil {
			return err
		}
		e.compare, err = parseComparison(w)
		return err
	},
	"bridge": func(w *words, e *expects) (err error) {
		if err = e.whose(w); err != nil || !w.accept("to") {
			return err
		}
		e.within = patience
		e.name, err = w.word("a name")
		return err
	},
	"transfer": func(w *words, e *expects) (err error) {
		e.within = patience
		if err = e.whose(w); err != nil {
			return err
		}
		if !w.accept("to") {
			return errors.New("where to?")
		}
		if e.name, err = w.word("an extension"); err == nil && w.accept("in") {
			e.sub, err = w.word("a context")
		}
		return err
	},
	"hangup": func(w *words, e *expects) (err error) {
		e.within = patience
		if err = e.whose(w); err != nil || w.ended() || w.peek() == "within" {
			return err
		}
		c, err := parseCause(w)
		e.name = c.String()
		return err
	},
	"event": func(w *words, e *expects) (err error) {
		if e.name, err = w.word("the name of an event"); err != nil {
			return err
		}
		if next := w.peek(); next != "" && next != "with" && next != "within" {
			if e.sub, err = w.word("a subclass"); err != nil {
				return err
			}
		}
		if !w.accept("with") {
			return nil
		}
		for {
			name, err := w.word("a header")
			if err != nil {
				return err
			}
			if !w.accept("=") {
				return fmt.Errorf("want %s = VALUE, with blanks around the =", name)
			}
			value, err := w.word("a value")
			if err != nil {
				return err
			}
			bare, more := strings.CutSuffix(value, ",")
			more = more || w.accept(",")
			e.with = append(e.with, call.Var{Name: name, Value: bare})
			if !more {
				return nil
			}
		}
	},
	"log": func(w *words, e *expects) error {
		text, err := w.value("a text")
		if err != nil {
			return err
		}
		e.compare, err = textOrRegexp(text)
		return err
	},
	"database": func(w *words, e *expects) (err error) {
		if e.name, err = w.word("a database"); err != nil {
			return err
		}
		if e.sub, err = w.word("SQL in quotes"); err != nil {
			return err
		}
		e.compare, err = parseComparison(w)
		return err
	},
	"recording": func(w *words, e *expects) (err error) {
		if e.name, err = w.word("a file"); err != nil {
			return err
		}
		for err == nil {
			switch {
			case w.acceptWords("at least"):
				e.least, err = w.duration()
			case w.acceptWords("at most"):
				e.most, err = w.duration()
			default:
				return nil
			}
		}
		return err
	},
	"api": func(w *words, e *expects) (err error) {
		if e.name, err = w.word("a command in quotes"); err != nil {
			return err
		}
		e.compare, err = parseComparison(w)
		return err
	},
}

// whose reads "of WHO".
func (e *expects) whose(w *words) (err error) {
	if !w.accept("of") {
		return nil
	}
	if e.of, err = w.word("a name"); e.of == callerName {
		e.of = ""
	}
	return err
}

func parseComparison(w *words) (comparison, error) {
	switch {
	case w.accept("="), w.accept("gives"):
		v, err := w.value("a value")
		return comparison{how: "=", value: v}, err
	case w.accept("!="):
		v, err := w.value("a value")
		return comparison{how: "!=", value: v}, err
	case w.acceptWords("is unset"):
		return comparison{how: "unset"}, nil
	case w.acceptWords("is set"):
		return comparison{how: "set"}, nil
	case w.accept("contains"):
		v, err := w.value("a text")
		return comparison{how: "contains", value: v}, err
	case w.accept("matches"):
		v, err := w.value("a regular expression")
		if err != nil {
			return comparison{}, err
		}
		if len(v) < 2 || v[0] != '/' || v[len(v)-1] != '/' {
			return comparison{}, fmt.Errorf("%q: want /REGEX/", v)
		}
		return textOrRegexp(v)
	}
	return comparison{}, fmt.Errorf("want =, !=, contains, matches, is set or is unset, not %q", w.rest())
}

// textOrRegexp takes /…/ for a regular expression and all else for a text that is
// contained.
func textOrRegexp(s string) (comparison, error) {
	if len(s) > 2 && s[0] == '/' && s[len(s)-1] == '/' {
		expr, err := regexp.Compile(s[1 : len(s)-1])
		if err != nil {
			return comparison{}, err
		}
		return comparison{how: "matches", value: s[1 : len(s)-1], expr: expr}, nil
	}
	return comparison{how: "contains", value: s}, nil
}
