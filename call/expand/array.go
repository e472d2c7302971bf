package expand

import "strings"

const (
	arrayPrefix    = "ARRAY::"
	arraySeparator = "|:"
	// MaxElements is how many elements an array may have; indices run from 0.
	MaxElements = 4001
)

// IsArray reports whether the text is the form of an array: ARRAY:: and
// something behind it.
func IsArray(text string) bool {
	return len(text) > len(arrayPrefix) && strings.HasPrefix(text, arrayPrefix)
}

// ParseArray returns the elements of ARRAY::a|:b. Any other text is one element,
// the empty text none.
func ParseArray(text string) []string {
	if text == "" {
		return nil
	}
	if !IsArray(text) {
		return []string{text}
	}
	return strings.SplitN(text[len(arrayPrefix):], arraySeparator, MaxElements)
}

// FormatArray is the text form of the elements: one alone is itself.
func FormatArray(elements []string) string {
	switch len(elements) {
	case 0:
		return ""
	case 1:
		return elements[0]
	}
	return arrayPrefix + strings.Join(elements, arraySeparator)
}

// ArrayElement returns one element; number 0 of a plain text is the text.
func ArrayElement(text string, index int) (string, bool) {
	if !IsArray(text) {
		return text, index == 0
	}
	rest := text[len(arrayPrefix):]
	for ; index >= 0; index-- {
		element, tail, more := strings.Cut(rest, arraySeparator)
		if index == 0 {
			return element, true
		}
		if !more {
			break
		}
		rest = tail
	}
	return "", false
}

// Push returns the array with the value behind it. A full array stays as it is.
func Push(text, value string) string {
	elements := ParseArray(text)
	if len(elements) >= MaxElements {
		return text
	}
	return FormatArray(append(elements, value))
}

// Unshift returns the array with the value in front of it. A full array stays as
// it is.
func Unshift(text, value string) string {
	elements := ParseArray(text)
	if len(elements) >= MaxElements {
		return text
	}
	return FormatArray(append([]string{value}, elements...))
}

// SetElement returns the array with element index (0 to 4000) changed; gaps
// become empty elements. Another index changes nothing.
func SetElement(text string, index int, value string) string {
	if index < 0 || index >= MaxElements {
		return text
	}
	elements := ParseArray(text)
	for len(elements) <= index {
		elements = append(elements, "")
	}
	elements[index] = value
	return FormatArray(elements)
}
