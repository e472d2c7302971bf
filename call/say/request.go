package say

import "strings"

// Type is what kind of text is said; the numbers are FreeSWITCH's
// (spec/config.md §7).
type Type int

// The types, in the order of FreeSWITCH.
const (
	Number Type = iota
	Items
	Persons
	Messages
	Currency
	TimeMeasurement
	CurrentDate
	CurrentTime
	CurrentDateTime
	TelephoneNumber
	TelephoneExtension
	URL
	IPAddress
	EmailAddress
	PostalAddress
	AccountNumber
	NameSpelled
	NamePhonetic
	ShortDateTime
	UnknownType
)

// typeNames are the words for the types, by number.
func typeNames() []string {
	return []string{"NUMBER", "ITEMS", "PERSONS", "MESSAGES", "CURRENCY", "TIME_MEASUREMENT", "CURRENT_DATE",
		"CURRENT_TIME", "CURRENT_DATE_TIME", "TELEPHONE_NUMBER", "TELEPHONE_EXTENSION", "URL", "IP_ADDRESS",
		"EMAIL_ADDRESS", "POSTAL_ADDRESS", "ACCOUNT_NUMBER", "NAME_SPELLED", "NAME_PHONETIC", "SHORT_DATE_TIME"}
}

// Method is how it is said.
type Method int

// The methods, in the order of FreeSWITCH.
const (
	NoMethod Method = iota
	Pronounced
	Iterated
	Counted
	PronouncedYear
	UnknownMethod
)

func methodNames() []string {
	return []string{"N/A", "PRONOUNCED", "ITERATED", "COUNTED", "PRONOUNCED_YEAR"}
}

// Gender is the grammatical gender of what is counted. English has no use for it.
type Gender int

// The genders, in the order of FreeSWITCH.
const (
	Masculine Gender = iota
	Feminine
	Neuter
	UnknownGender
)

func genderNames() []string { return []string{"MASCULINE", "FEMININE", "NEUTER"} }

// ParseType reads the name of a type in any case; what is none is UnknownType.
func ParseType(name string) Type { return Type(position(typeNames(), name)) }

// ParseMethod reads the name of a method in any case; what is none is
// UnknownMethod.
func ParseMethod(name string) Method { return Method(position(methodNames(), name)) }

// ParseGender reads the name of a gender in any case; what is none is
// UnknownGender.
func ParseGender(name string) Gender { return Gender(position(genderNames(), name)) }

// position is the index of name in a list, the list's length if it is not there.
func position(list []string, name string) int {
	for i, n := range list {
		if strings.EqualFold(n, name) {
			return i
		}
	}
	return len(list)
}

// Request is one thing to say.
type Request struct {
	Type   Type
	Method Method
	Gender Gender
	Text   string
}
