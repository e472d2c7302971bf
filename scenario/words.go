package scenario

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// words is a line that is read word by word. A word may be in double quotes, in
// which \" and \\ stand for themselves.
type words struct{ text string }

func newWords(line string) *words { return &words{strings.TrimSpace(line)} }

func (w *words) ended() bool { return w.text == "" }

func (w *words) rest() string { return w.text }

// word takes the next word; what names it in the error.
func (w *words) word(what string) (string, error) {
	if w.text == "" {
		return "", fmt.Errorf("%s is missing", what)
	}
	if w.text[0] != '"' {
		end := strings.IndexAny(w.text, " \t")
		if end < 0 {
			end = len(w.text)
		}
		out := w.text[:end]
		w.text = strings.TrimLeft(w.text[end:], " \t")
		return out, nil
	}
	var b strings.Builder
	for i := 1; i < len(w.text); i++ {
		switch c := w.text[i]; {
		case c == '\\' && i+1 < len(w.text) && (w.text[i+1] == '"' || w.text[i+1] == '\\'):
			i++
			b.WriteByte(w.text[i])
		case c == '"':
			if i+1 < len(w.text) && w.text[i+1] != ' ' && w.text[i+1] != '\t' && w.text[i+1] != ',' {
				return "", errors.New("a blank is missing after a closing quote")
			}
			w.text = strings.TrimLeft(w.text[i+1:], " \t")
			return b.String(), nil
		default:
			b.WriteByte(c)
		}
	}
	return "", errors.New("a quote is not closed")
}

// last takes the rest of the line: one quoted text, or everything.
func (w *words) last(what string) (string, error) {
	if strings.HasPrefix(w.text, `"`) {
		s, err := w.word(what)
		if err == nil && !w.ended() {
			err = fmt.Errorf("what is %q?", w.text)
		}
		return s, err
	}
	if w.text == "" {
		return "", fmt.Errorf("%s is missing", what)
	}
	s := w.text
	w.text = ""
	return s, nil
}

// value takes a text that may be followed by "within T".
func (w *words) value(what string) (string, error) {
	if strings.HasPrefix(w.text, `"`) {
		return w.word(what)
	}
	if w.text == "" {
		return "", fmt.Errorf("%s is missing", what)
	}
	s := w.text
	w.text = ""
	f := strings.Fields(s)
	if n := len(f); n >= 3 && f[n-2] == "within" {
		if _, err := parseDuration(f[n-1]); err == nil {
			at := strings.LastIndex(s, "within")
			s, w.text = strings.TrimSpace(s[:at]), s[at:]
		}
	}
	return s, nil
}

// peek is the next word without taking it.
func (w *words) peek() string {
	at := *w
	s, _ := at.word("")
	return s
}

// accept takes the next word if it is this one, unquoted.
func (w *words) accept(word string) bool {
	rest, ok := strings.CutPrefix(w.text, word)
	if !ok || rest != "" && rest[0] != ' ' && rest[0] != '\t' {
		return false
	}
	w.text = strings.TrimLeft(rest, " \t")
	return true
}

// acceptWords takes several words.
func (w *words) acceptWords(list string) bool {
	at := *w
	for _, one := range strings.Fields(list) {
		if !at.accept(one) {
			return false
		}
	}
	*w = at
	return true
}

// duration takes a duration such as 5s, 1m30s or 250ms.
func (w *words) duration() (time.Duration, error) {
	s, err := w.word("a duration such as 5s")
	if err != nil {
		return 0, err
	}
	return parseDuration(s)
}

func parseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 || d > maxWait {
		return 0, fmt.Errorf("%q is no duration such as 5s, 250ms or 1m30s", s)
	}
	return d.Round(time.Millisecond), nil
}

// optional takes "KEYWORD T"; otherwise stands for what is not said.
func (w *words) optional(keyword string, otherwise time.Duration) (time.Duration, error) {
	if !w.accept(keyword) {
		return otherwise, nil
	}
	return w.duration()
}
