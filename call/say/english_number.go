package say

import (
	"strconv"
	"strings"
)

// Bounds of numbers, as in the reference: millions, and strings that are read
// digit by digit.
const (
	maxNumber   = 9
	maxIterated = 127
)

// number says a whole number of at most nine digits by the rules of a method.
func (e *english) number(text string, method Method) error {
	text = strings.ReplaceAll(text, ",", "")
	if strings.Trim(text, "0123456789") != "" {
		return ErrParse
	}
	if method == Iterated {
		if len(text) > maxIterated {
			return ErrParse
		}
		for _, c := range []byte(text) {
			e.digit(int(c - '0'))
		}
		return nil
	}
	if len(text) > maxNumber {
		return ErrParse
	}
	n, _ := strconv.Atoi(text)
	if n == 0 {
		e.digit(0)
		return nil
	}
	switch method {
	case Pronounced:
		e.cardinal(n, false)
	case Counted:
		e.cardinal(n, true)
	case PronouncedYear:
		e.year(n)
	}
	return nil
}

// cardinal says 1 to 999,999,999; ordinal makes its last word an ordinal ("first").
func (e *english) cardinal(n int, ordinal bool) {
	const thousand, million = 1000, 1000 * 1000
	e.group(n/million, false, "digits/million")
	e.group(n%million/thousand, false, "digits/thousand")
	e.group(n%thousand, ordinal, "")
}

// group says three digits and the word for their place, nothing for zero. The
// numbers from ten to nineteen have no ordinals, as in the reference.
func (e *english) group(n int, ordinal bool, place string) {
	if n == 0 {
		return
	}
	hundreds, tens, ones := n/100, n/10%10, n%10
	kind := "digits/"
	if ordinal {
		kind = "digits/h-"
	}
	if hundreds != 0 {
		e.digit(hundreds)
		e.add("digits/hundred")
	}
	switch {
	case tens > 1 && ones == 0:
		e.add(kind + strconv.Itoa(tens*10))
	case tens > 1:
		e.digit(tens * 10)
	case tens == 1:
		e.digit(10 + ones)
		ones = 0
	}
	if ones != 0 {
		e.add(kind + strconv.Itoa(ones))
	}
	if place != "" {
		e.add(place)
	}
}

// year says 1999 as nineteen ninety-nine, but 2000 to 2009 as a number.
func (e *english) year(n int) {
	century, rest := n/100, n%100
	if rest == 0 || century%10 == 0 {
		e.cardinal(n, false)
		return
	}
	if century != 0 {
		e.cardinal(century, false)
	}
	e.cardinal(rest, false)
}
