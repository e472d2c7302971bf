package scenario

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
)

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
