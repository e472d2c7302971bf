package regex

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/dlclark/regexp2"
)

const (
	// MatchTimeout is how long one match on the backtracking engine may take.
	// The engine looks at its clock now and then, so it may be exceeded by half.
	MatchTimeout = 100 * time.Millisecond
	// MaxPattern is the longest pattern in bytes.
	MaxPattern = 16 << 10
	// MaxSubject is the longest subject in bytes.
	MaxSubject = 1 << 20
)

// ErrTimeout is what Match returns when the pattern ran out of time.
var ErrTimeout = errors.New("regex: match took too long")

// ErrSubject is what Match returns for a subject that is too long.
var ErrSubject = fmt.Errorf("regex: subject longer than %d bytes", MaxSubject)

// SyntaxError is what is wrong with a pattern.
type SyntaxError struct {
	Pattern string // without slashes and flags
	Offset  int    // in bytes, where it was noticed
	Message string
	// NoSlash marks a pattern that starts with a slash and has no second one.
	NoSlash bool
}

// Error is the line that FreeSWITCH logs for such a pattern.
func (e *SyntaxError) Error() string {
	if e.NoSlash {
		return "Regular Expression Error expression[" + e.Pattern + "] missing ending '/' delimeter"
	}
	return fmt.Sprintf("COMPILE ERROR: %d [%s][%s]", e.Offset, e.Message, e.Pattern)
}

// Regexp is a compiled pattern. It may be used by many goroutines at once.
type Regexp struct {
	pattern string
	flags   flags
	keep    bool // the pattern has a \K
	dollar  bool // what $ means depends on a final line end
	std     *regexp.Regexp

	// The backtracking engine is made when it is first needed.
	once sync.Once
	perl *regexp2.Regexp
	err  error
}

// flags are those behind the closing slash.
type flags struct{ fold, dotAll bool }

// Compile reads a pattern in any of the forms that a dialplan may have: plain,
// /plain/ with the flags i and s behind it, or _ and an Asterisk pattern. A
// failure is a *SyntaxError.
func Compile(pattern string) (*Regexp, error) {
	if len(pattern) > MaxPattern {
		return nil, &SyntaxError{Pattern: pattern[:64], Offset: MaxPattern, Message: "pattern is too long"}
	}
	plain, f, err := unwrap(pattern)
	if err != nil {
		return nil, err
	}
	return compile(plain, f)
}

// unwrap takes the slashes or the Asterisk form off.
func unwrap(pattern string) (string, flags, error) {
	if strings.HasPrefix(pattern, "_") {
		pattern = fromAsterisk(pattern[1:])
	}
	if !strings.HasPrefix(pattern, "/") {
		return pattern, flags{}, nil
	}
	end := strings.LastIndexByte(pattern, '/')
	if end == 0 {
		return "", flags{}, &SyntaxError{Pattern: pattern, NoSlash: true}
	}
	opts := pattern[end+1:]
	return pattern[1:end], flags{fold: strings.Contains(opts, "i"), dotAll: strings.Contains(opts, "s")}, nil
}

// fromAsterisk turns X, Z, N and the dot into what they stand for; everything
// else is taken as it is. An exclamation mark matches the rest like the dot.
func fromAsterisk(pattern string) string {
	var b strings.Builder
	b.WriteByte('^')
	for i := range len(pattern) {
		switch c := pattern[i]; c {
		case 'N':
			b.WriteString("[2-9]")
		case 'X':
			b.WriteString("[0-9]")
		case 'Z':
			b.WriteString("[1-9]")
		case '.', '!':
			b.WriteString(".*")
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('$')
	return b.String()
}

func compile(pattern string, f flags) (*Regexp, error) {
	t, err := translate(pattern, false)
	if err != nil {
		return nil, err
	}
	r := &Regexp{pattern: pattern, flags: f, keep: t.keep, dollar: t.dollar}
	if !t.perlOnly {
		prefix := ""
		if f.fold {
			prefix += "(?i)"
		}
		if f.dotAll {
			prefix += "(?s)"
		}
		if std, err := regexp.Compile(prefix + t.text); err == nil {
			r.std = std
			return r, nil
		}
	}
	if err := r.compilePerl(); err != nil {
		return nil, err
	}
	return r, nil
}

// compilePerl makes the backtracking engine, once.
func (r *Regexp) compilePerl() error {
	r.once.Do(func() {
		t, err := translate(r.pattern, true)
		if err != nil {
			r.err = err
			return
		}
		opts := regexp2.None
		if r.flags.fold {
			opts |= regexp2.IgnoreCase
		}
		if r.flags.dotAll {
			opts |= regexp2.Singleline
		}
		re, err := regexp2.Compile(t.text, regexp2.RegexOptions(opts))
		if err != nil {
			r.err = &SyntaxError{Pattern: r.pattern, Offset: len(r.pattern), Message: perlMessage(err)}
			return
		}
		re.MatchTimeout = MatchTimeout
		r.perl = re
	})
	return r.err
}

// perlMessage takes the engine's translated pattern out of its complaint.
func perlMessage(err error) string {
	text := strings.TrimPrefix(err.Error(), "error parsing regexp: ")
	if cut := strings.Index(text, " in `"); cut > 0 {
		text = text[:cut]
	}
	return text
}

// String returns the pattern without slashes and flags.
func (r *Regexp) String() string { return r.pattern }

// Match looks for the pattern anywhere in s. groups[0] is what matched as a
// whole, the others are the captures; one that took no part is empty. Without a
// match groups is nil. err is ErrTimeout or ErrSubject; ok is then false.
func (r *Regexp) Match(s string) (groups []string, ok bool, err error) {
	if len(s) > MaxSubject {
		return nil, false, ErrSubject
	}
	if r.std != nil && !(r.dollar && strings.HasSuffix(s, "\n")) {
		return r.matchStd(s)
	}
	if err := r.compilePerl(); err != nil {
		return nil, false, err
	}
	return r.matchPerl(s)
}

func (r *Regexp) matchStd(s string) ([]string, bool, error) {
	wide := !ascii(s)
	subject := s
	if wide {
		subject = widen(s)
	}
	at := r.std.FindStringSubmatchIndex(subject)
	if at == nil {
		return nil, false, nil
	}
	groups := make([]string, len(at)/2)
	for i := range groups {
		if from, to := at[2*i], at[2*i+1]; from >= 0 {
			groups[i] = subject[from:to]
			if wide {
				groups[i] = narrow([]rune(groups[i]))
			}
		}
	}
	return groups, true, nil
}

func (r *Regexp) matchPerl(s string) ([]string, bool, error) {
	// One rune a byte, for the engine knows runes and the patterns mean bytes.
	runes := make([]rune, len(s))
	for i := range len(s) {
		runes[i] = rune(s[i])
	}
	m, err := r.perl.FindRunesMatch(runes)
	if err != nil {
		return nil, false, ErrTimeout
	}
	if m == nil {
		return nil, false, nil
	}
	all := m.Groups()
	if r.keep {
		all = all[:len(all)-1]
	}
	groups := make([]string, len(all))
	for i, g := range all {
		if len(g.Captures) > 0 {
			groups[i] = s[g.Index : g.Index+g.Length]
		}
	}
	if r.keep {
		if g := m.GroupByName(keepGroup); g != nil && len(g.Captures) > 0 && g.Index <= m.Index+m.Length {
			groups[0] = s[g.Index : m.Index+m.Length]
		}
	}
	return groups, true, nil
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// widen makes a rune of every byte.
func widen(s string) string {
	runes := make([]rune, len(s))
	for i := range len(s) {
		runes[i] = rune(s[i])
	}
	return string(runes)
}

// narrow makes a byte of every rune again.
func narrow(runes []rune) string {
	b := make([]byte, len(runes))
	for i, r := range runes {
		b[i] = byte(r)
	}
	return string(b)
}
