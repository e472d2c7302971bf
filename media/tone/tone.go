// Package tone plays the tone descriptions of FreeSWITCH (TGML, teletone):
// "%(2000,4000,440,480)", "v=-7;%(100,0,941.0,1477.0)", "d=100;w=50;123#".
//
// Parse turns a description into a Program; a Program makes Sources, which
// compute the sound as it is read, however long it is. Levels are those of
// libteletone: each frequency has the volume in dBm0, and the sum is divided by
// the number of frequencies. Digits have the frequencies of ITU-T Q.23.
package tone

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Limits of a description.
const (
	MaxSpec  = 16384 // bytes
	maxTones = 18    // frequencies at once (TELETONE_MAX_TONES)
)

// Volume bounds in dBm0 (TELETONE_VOL_DB_MAX, TELETONE_VOL_DB_MIN).
const (
	maxVolume = 0
	minVolume = -63
)

// Program is a parsed description. It does not change and can be shared.
type Program struct {
	steps []step
	// loops is how often a Source plays the whole program; -1 is for ever.
	loops int
}

// step is one instruction: a setting, or a tone.
type step struct {
	kind  byte    // a setting's letter, or 't' for a tone
	value float64 // of a setting
	freqs []float64
	on    int // ms, -1 for the setting in force
	off   int // ms, -1 for the setting in force
}

// kindTone and kindLine are not letters of settings.
const (
	kindTone = 't'
	kindLine = 'n' // the start of a line of a file of descriptions
)

// ErrEmpty is returned for a description in which nothing sounds.
var ErrEmpty = errors.New("tone: nothing to play")

// Parse reads a description. A ";loops=N" anywhere in it ends it and says how often
// all is played, -1 being for ever. Unknown settings and characters are ignored
// as FreeSWITCH does; after a malformed tone the rest is ignored, too, and Parse
// returns both what came before and an error that names the byte.
func Parse(spec string) (*Program, error) {
	if len(spec) > MaxSpec {
		return nil, fmt.Errorf("tone: description of %d bytes; at most %d", len(spec), MaxSpec)
	}
	p := &Program{loops: 1}
	if before, loops, found := cutFold(spec, ";loops="); found {
		p.SetLoops(leadingInt(loops))
		spec = before
	}
	return p, p.line(spec)
}

// cutFold is strings.Cut without regard to the case of ASCII letters.
func cutFold(s, sep string) (before, after string, found bool) {
	for i := 0; i+len(sep) <= len(s); i++ {
		if strings.EqualFold(s[i:i+len(sep)], sep) {
			return s[:i], s[i+len(sep):], true
		}
	}
	return s, "", false
}

// ParseLines reads a file of descriptions: each line is played after the one
// before it, and keeps its settings.
func ParseLines(text string) (*Program, error) {
	if len(text) > MaxSpec {
		return nil, fmt.Errorf("tone: %d bytes of descriptions; at most %d", len(text), MaxSpec)
	}
	p := &Program{loops: 1}
	var errs []error
	n := 0
	for line := range strings.Lines(text) {
		n++
		if err := p.line(line); err != nil && !errors.Is(err, ErrEmpty) {
			errs = append(errs, fmt.Errorf("line %d: %w", n, err))
		}
	}
	if len(p.steps) == 0 {
		errs = append(errs, ErrEmpty)
	}
	return p, errors.Join(errs...)
}

// SetLoops sets how often Sources play the program: -1 for ever, 0 and 1 once.
func (p *Program) SetLoops(n int) {
	if n == 0 {
		n = 1
	}
	p.loops = max(n, -1)
}

// line parses one description and appends its steps.
func (p *Program) line(spec string) error {
	p.steps = append(p.steps, step{kind: kindLine})
	sounds := false
	for at := 0; at < len(spec); {
		if isSpace(spec[at]) {
			at++
			continue
		}
		end := len(spec)
		if i := strings.IndexByte(spec[at:], ';'); i >= 0 {
			end = at + i
		}
		part := spec[at:end]
		if len(part) > 1 && part[1] == '=' {
			p.setting(part[0], part[2:])
		} else {
			ok, err := p.tones(part, at)
			sounds = sounds || ok
			if err != nil {
				return err
			}
		}
		at = end + 1
	}
	if !sounds {
		return ErrEmpty
	}
	return nil
}

func isSpace(c byte) bool { return c == ' ' || c == '\r' || c == '\n' || c == '\t' }

// setting appends one key=value. Rate (r=) and channels (c=) are left out: a
// Source has the rate that it was asked for, and is mono.
func (p *Program) setting(key byte, value string) {
	s := step{kind: key}
	switch key {
	case 'v', '+':
		s.value = leadingFloat(value)
		if key == 'v' && (s.value > maxVolume || s.value < minVolume) {
			return
		}
	case 'd', 'w', '>', '<', 'l', 'L':
		s.value = float64(leadingInt(value))
	default:
		return
	}
	p.steps = append(p.steps, s)
}

// tones reads a run of digits and of parenthesised tones; at is its place in the
// description. It reports whether anything in it sounds.
func (p *Program) tones(part string, at int) (sounds bool, err error) {
	for i := 0; i < len(part); i++ {
		c := part[i]
		if isSpace(c) {
			continue
		}
		s := step{kind: kindTone, on: -1, off: -1}
		if i+1 < len(part) && part[i+1] == '(' {
			args := part[i+2:]
			next := len(part)
			if j := strings.IndexByte(args, ')'); j >= 0 {
				args, next = args[:j], i+2+j
			}
			if err := s.arguments(args, c == '%'); err != nil {
				return sounds, fmt.Errorf("tone: byte %d: %w", at+i, err)
			}
			i = next
		}
		if c != '%' {
			s.freqs = digitTones(c)
		}
		if len(s.freqs) > 0 {
			p.steps = append(p.steps, s)
			sounds = true
		}
	}
	return sounds, nil
}

// arguments reads "on,off,f1,f2,…" of %(…), or "on,off" of a digit.
func (s *step) arguments(args string, frequencies bool) error {
	fields := strings.Split(args, ",")
	if frequencies && len(fields) < 3 {
		return fmt.Errorf("%%(%s): expected %%(on ms,off ms,frequency…)", args)
	}
	if !frequencies && len(fields) != 2 {
		return fmt.Errorf("(%s): expected (on ms,off ms) after a digit", args)
	}
	s.on, s.off = max(leadingInt(fields[0]), 0), max(leadingInt(fields[1]), 0)
	for i, f := range fields[2:] {
		hz := leadingFloat(f)
		if i == maxTones || hz == 0 {
			break
		}
		s.freqs = append(s.freqs, hz)
	}
	return nil
}

// digitTones returns the frequencies in Hz of a DTMF digit (ITU-T Q.23), nil for
// any other character.
func digitTones(c byte) []float64 {
	const keys = "123A456B789C*0#D"
	rows := [4]float64{697, 770, 852, 941}
	columns := [4]float64{1209, 1336, 1477, 1633}
	i := strings.IndexByte(keys, c)
	if i < 0 {
		return nil
	}
	return []float64{rows[i/4], columns[i%4]}
}

// leadingInt reads the number that s begins with, as atoi does; 0 if none. The
// value is kept within what milliseconds and counts can sensibly be.
func leadingInt(s string) int {
	v := leadingFloat(numberPrefix(s, false))
	return int(min(max(v, -1e9), 1e9))
}

func leadingFloat(s string) float64 {
	v, err := strconv.ParseFloat(numberPrefix(s, true), 64)
	if err != nil {
		return 0
	}
	return v
}

// numberPrefix returns the decimal number at the start of s.
func numberPrefix(s string, fraction bool) string {
	s = strings.TrimLeft(s, " \t")
	i := 0
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		i++
	}
	for ; i < len(s); i++ {
		if s[i] == '.' && fraction {
			fraction = false
			continue
		}
		if s[i] < '0' || s[i] > '9' {
			break
		}
	}
	return s[:i]
}
