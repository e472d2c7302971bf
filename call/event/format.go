package event

import (
	"bytes"
	"strconv"
	"unicode/utf8"
)

// Plain returns the inner block of the plain format: the headers, and with a
// body its length and the body. The bytes are made once, are shared, and must
// not be changed; ask only after the event is published or complete.
func (e *Event) Plain() []byte {
	e.plain.once.Do(func() { e.plain.text = e.AppendPlain(nil) })
	return e.plain.text
}

// AppendPlain appends the plain format of the event as it is now.
func (e *Event) AppendPlain(dst []byte) []byte {
	for i := range e.Headers {
		h := &e.Headers[i]
		dst = append(dst, h.Name...)
		dst = append(dst, ": "...)
		if h.Value == "" {
			dst = append(dst, "_undef_"...)
		} else {
			dst = AppendEncode(dst, h.Value)
		}
		dst = append(dst, '\n')
	}
	if e.Body != "" {
		dst = append(dst, "Content-Length: "...)
		dst = strconv.AppendInt(dst, int64(len(e.Body)), 10)
		dst = append(dst, "\n\n"...)
		return append(dst, e.Body...)
	}
	return append(dst, '\n')
}

// JSON returns the event as one compact object of strings, arrays for array
// headers. It is made once and shared, like Plain.
func (e *Event) JSON() []byte {
	e.json.once.Do(func() { e.json.text = e.AppendJSON(nil) })
	return e.json.text
}

// AppendJSON appends the JSON form of the event as it is now.
func (e *Event) AppendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	for i := range e.Headers {
		h := &e.Headers[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendJSONString(dst, h.Name)
		dst = append(dst, ':')
		if h.Array == nil {
			dst = appendJSONString(dst, h.Value)
			continue
		}
		dst = append(dst, '[')
		for j, v := range h.Array {
			if j > 0 {
				dst = append(dst, ',')
			}
			dst = appendJSONString(dst, v)
		}
		dst = append(dst, ']')
	}
	if e.HasBody {
		if len(e.Headers) > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `"Content-Length":"`...)
		dst = strconv.AppendInt(dst, int64(len(e.Body)), 10)
		dst = append(dst, `","_body":`...)
		dst = appendJSONString(dst, e.Body)
	}
	return append(dst, '}')
}

// appendJSONString quotes s; bytes of 0x80 and above go out as they are.
func appendJSONString(dst []byte, s string) []byte {
	const short = "\b\t\n\f\r"
	const letters = "btnfr"
	const lowerHex = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[start:i]...)
		start = i + 1
		if c == '"' || c == '\\' {
			dst = append(dst, '\\', c)
			continue
		}
		done := false
		for j := range len(short) {
			if short[j] == c {
				dst = append(dst, '\\', letters[j])
				done = true
			}
		}
		if !done {
			dst = append(dst, '\\', 'u', '0', '0', lowerHex[c>>4], lowerHex[c&15])
		}
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// XML returns the event as an XML document without declaration. It is made once
// and shared, like Plain.
func (e *Event) XML() []byte {
	e.xml.once.Do(func() { e.xml.text = e.AppendXML(nil) })
	return e.xml.text
}

// AppendXML appends the XML form of the event as it is now. Header names become
// element names unchecked, as in the reference: a name with a space or a dollar
// sign gives a document that is not well-formed.
func (e *Event) AppendXML(dst []byte) []byte {
	dst = append(dst, "<event>\n  <headers>\n"...)
	for i := range e.Headers {
		h := &e.Headers[i]
		if h.Array == nil {
			dst = appendXMLHeader(dst, h.Name, h.Value)
		}
		for _, v := range h.Array {
			dst = appendXMLHeader(dst, h.Name, v)
		}
	}
	dst = append(dst, "  </headers>\n"...)
	if e.Body != "" {
		dst = append(dst, "  <Content-Length>"...)
		dst = strconv.AppendInt(dst, int64(len(e.Body)), 10)
		dst = append(dst, "</Content-Length>\n  <body>"...)
		dst = appendXMLText(dst, e.Body)
		if bytes.HasSuffix(dst, []byte("\n")) {
			dst = append(dst, "  "...)
		}
		dst = append(dst, "</body>\n"...)
	}
	return append(dst, "</event>\n"...)
}

func appendXMLHeader(dst []byte, name, value string) []byte {
	dst = append(dst, "    <"...)
	dst = append(dst, name...)
	dst = append(dst, '>')
	// The encoding leaves none of XML's own signs behind.
	dst = AppendEncode(dst, value)
	dst = append(dst, "</"...)
	dst = append(dst, name...)
	return append(dst, ">\n"...)
}

func appendXMLText(dst []byte, s string) []byte {
	for i, r := range s {
		switch {
		case r == '&':
			dst = append(dst, "&amp;"...)
		case r == '<':
			dst = append(dst, "&lt;"...)
		case r == '>':
			dst = append(dst, "&gt;"...)
		case r == utf8.RuneError && !utf8.ValidString(s[i:i+1]):
			dst = appendCharRef(dst, rune(s[i]))
		case r == '\r' || r >= utf8.RuneSelf:
			dst = appendCharRef(dst, r)
		default:
			dst = append(dst, byte(r))
		}
	}
	return dst
}

func appendCharRef(dst []byte, r rune) []byte {
	dst = append(dst, "&#x"...)
	start := len(dst)
	dst = strconv.AppendInt(dst, int64(r), 16)
	copy(dst[start:], bytes.ToUpper(dst[start:]))
	return append(dst, ';')
}
