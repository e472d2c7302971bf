package say

import (
	"strconv"
	"strings"
)

// English says things in English as mod_say_en does (spec/config.md §7).
type English struct{}

// maxText bounds a text in bytes, so that a list of prompts stays a list that can
// be played.
const maxText = 1024

// maxCurrency bounds an amount in characters, as in the reference.
const maxCurrency = 15

// Say implements Language.
func (English) Say(r Request, c Clock) ([]string, error) {
	if len(r.Text) > maxText {
		return nil, ErrParse
	}
	e := &english{clock: c}
	var err error
	switch r.Type {
	case Number, Items, Persons, Messages:
		err = e.number(r.Text, r.Method)
	case Currency:
		err = e.currency(r.Text, r.Method)
	case TimeMeasurement:
		err = e.duration(r.Text)
	case CurrentDate, CurrentTime, CurrentDateTime, ShortDateTime:
		err = e.moment(r)
	case TelephoneNumber:
		e.telephone(r.Text)
	case IPAddress:
		err = e.address(r.Text, r.Method)
	case NameSpelled:
		e.spell(r.Text, "ascii/")
	case NamePhonetic:
		e.spell(r.Text, "phonetic-ascii/")
	default:
		err = UnknownTypeError(r.Type)
	}
	if err != nil {
		return nil, err
	}
	return e.files, nil
}

// english gathers the prompts of one request.
type english struct {
	clock Clock
	files []string
}

func (e *english) add(names ...string) { e.files = append(e.files, names...) }

func (e *english) digit(n int) { e.add("digits/" + strconv.Itoa(n)) }

// currency says an amount of dollars and cents.
func (e *english) currency(text string, method Method) error {
	if len(text) > maxCurrency {
		return ErrParse
	}
	text = strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || strings.ContainsRune(".+-", r) {
			return r
		}
		return -1
	}, text)
	rest, negative := strings.CutPrefix(text, "-")
	if negative {
		e.add("currency/negative")
	}
	rest = strings.TrimPrefix(rest, "+")
	dollars, cents, hasCents := strings.Cut(rest, ".")
	if err := e.amount(dollars, method, "currency/dollar"); err != nil {
		return err
	}
	if !hasCents {
		return nil
	}
	if len(cents) > 2 {
		cents = cents[:2]
	}
	n, _ := strconv.Atoi(cents)
	e.add("currency/and")
	return e.amount(strconv.Itoa(n), method, "currency/cent")
}

// amount says a number and its unit, in the plural unless it is one.
func (e *english) amount(text string, method Method, unit string) error {
	if err := e.number(text, method); err != nil {
		return err
	}
	if n, err := strconv.Atoi(text); err != nil || n != 1 {
		unit += "s"
	}
	e.add(unit)
	return nil
}

// telephone says a telephone number digit by digit, with a pause where it is
// divided.
func (e *english) telephone(text string) {
	const pause = "silence_stream://100"
	divided := false
	for _, c := range []byte(text) {
		switch {
		case c >= '0' && c <= '9':
			e.add("digits/" + string(rune(c)))
		case c == '+' || lower(c) >= 'a' && lower(c) <= 'z':
			e.add("ascii/" + strconv.Itoa(int(lower(c))))
		case !divided:
			e.add(pause)
			divided = true
			continue
		default:
			continue
		}
		divided = false
	}
}

// address says the four numbers of an IP address and the dots between.
func (e *english) address(text string, method Method) error {
	const octets = 4
	parts := strings.Split(text, ".")
	if len(parts) != octets {
		return ErrParse
	}
	for i, p := range parts {
		if i > 0 {
			e.add("digits/dot")
		}
		if err := e.number(p, method); err != nil {
			return err
		}
	}
	return nil
}

// spell says a text character by character; dir has the prompts of what is no
// digit, named by their codes.
func (e *english) spell(text, dir string) {
	for _, c := range []byte(text) {
		if c >= '0' && c <= '9' {
			e.digit(int(c - '0'))
			continue
		}
		e.add(dir + strconv.Itoa(int(lower(c))))
	}
}

// lower is the lower case of an ASCII letter.
func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
