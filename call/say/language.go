package say

import (
	"fmt"
	"strings"
	"time"
)

// ErrParse is returned for a text that is not of its type.
const ErrParse = message("Parse Error!")

// UnknownTypeError is returned for a type that a language cannot say.
type UnknownTypeError Type

func (e UnknownTypeError) Error() string { return fmt.Sprintf("Unknown Say type=[%d]", int(e)) }

// Clock is the time in which dates are said.
type Clock struct {
	Now  time.Time
	Zone *time.Location
}

// Language says things in one language.
type Language interface {
	// Say returns the prompts for a request, in their order: names below
	// sound_prefix without extension, or URIs. It returns ErrParse or an
	// UnknownTypeError for what it cannot say.
	Say(r Request, c Clock) ([]string, error)
}

// language finds a say module by its name ("en").
func language(module string) (Language, bool) {
	switch strings.ToLower(module) {
	case "en":
		return English{}, true
	}
	return nil, false
}

// Modules are the names of the languages that can be said.
func Modules() []string { return []string{"en"} }

// Files says a request in the language of a module and returns it as one
// playable name, "file_string://digits/1.wav!digits/2.wav"; "" when there is
// nothing to say. extension is without dot.
func Files(module string, r Request, c Clock, extension string) (string, error) {
	l, ok := language(module)
	if !ok {
		return "", messagef("Invalid SAY Interface [%s]!", module)
	}
	names, err := l.Say(r, c)
	if err != nil || len(names) == 0 {
		return "", err
	}
	var b strings.Builder
	b.WriteString("file_string://")
	for i, n := range names {
		if i > 0 {
			b.WriteByte('!')
		}
		b.WriteString(n)
		if !strings.Contains(n, "://") {
			b.WriteByte('.')
			b.WriteString(extension)
		}
	}
	return b.String(), nil
}

// message is an error in FreeSWITCH's words, which people search for.
type message string

func (m message) Error() string { return string(m) }

func messagef(format string, args ...any) error { return message(fmt.Sprintf(format, args...)) }
