package scenario

import (
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
