package conf

import (
	"fmt"
	"strings"
)

// ParseError says where a document stops being readable.
type ParseError struct {
	// File and Line are the place in the file a person edits.
	File string
	Line int
	// FlatLine is the line in the preprocessed document, which the reference's
	// text counts in.
	FlatLine int
	// Message is the reference's wording, such as "unclosed tag <section>".
	Message string
	// Mend says what to look for.
	Mend string
}

// Error returns "file:line: message (mend)".
func (e *ParseError) Error() string {
	s := fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Message)
	if e.Mend != "" {
		s += " (" + e.Mend + ")"
	}
	return s
}

// maxReferenceText is the size of the reference's message buffer less its
// terminator; longer texts are cut there.
const maxReferenceText = 127

// Reference returns the text that reloadxml prints between its brackets:
// "[error near line N]: message".
func (e *ParseError) Reference() string {
	s := fmt.Sprintf("[error near line %d]: %s", e.FlatLine, e.Message)
	if len(s) > maxReferenceText {
		s = s[:maxReferenceText]
	}
	return s
}

// mends tells, by the beginning of a message, what to do about it.
var mends = [...]struct{ message, mend string }{
	{"root tag missing", `the document needs one root element, such as <document type="freeswitch/xml">`},
	{"markup outside of root element", "only one root element may stand in a document; look for an end tag too many above"},
	{`missing "`, `an attribute value is not closed; add the second "`},
	{`missing '`, "an attribute value is not closed; add the second '"},
	{"missing >", "a tag is not closed; add > or />"},
	{"unclosed <!--", "close the comment with -->; inside a comment no -- may stand"},
	{"unclosed <![CDATA[", "close the section with ]]>"},
	{"unclosed <!DOCTYPE", "close the declaration with >"},
	{"unclosed <?", "close the instruction with ?>"},
	{"unexpected <", "write &lt; where a less-than sign is meant"},
	{"nesting", "close elements before opening more"},
}

func mendFor(message string) string {
	for _, m := range mends {
		if strings.HasPrefix(message, m.message) {
			return m.mend
		}
	}
	return ""
}
