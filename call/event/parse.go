package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Limits of what ParsePlain and ParseJSON read.
const (
	maxEventBytes = 8 << 20
	maxHeaders    = 16384
)

var errTooLarge = fmt.Errorf("event: more than %d bytes", maxEventBytes)

// ParsePlain reads the inner block of the plain format. Values are decoded,
// _undef_ becomes empty, lines may end in CR LF. Event-Name and Event-Subclass
// give the type; they stay among the headers. A Content-Length header is not
// kept: it says how long the body is, and with fewer bytes that is an error.
func ParsePlain(text []byte) (*Event, error) {
	if len(text) > maxEventBytes {
		return nil, errTooLarge
	}
	e := New(Custom, "")
	length := -1
	rest := text
	for len(rest) > 0 {
		line := rest
		if i := bytes.IndexByte(rest, '\n'); i >= 0 {
			line, rest = rest[:i], rest[i+1:]
		} else {
			rest = nil
		}
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(line) == 0 {
			break
		}
		name, value, ok := strings.Cut(string(line), ":")
		if !ok || name == "" {
			return nil, fmt.Errorf("event: header without a colon: %.40q", line)
		}
		value = Decode(strings.TrimLeft(value, " \t"))
		if strings.EqualFold(name, "Content-Length") {
			n, err := strconv.Atoi(value)
			if err != nil || n < 0 {
				return nil, fmt.Errorf("event: bad Content-Length %.20q", value)
			}
			length = n
			continue
		}
		if len(e.Headers) >= maxHeaders {
			return nil, fmt.Errorf("event: more than %d headers", maxHeaders)
		}
		if value == "_undef_" {
			value = ""
		}
		e.Headers = append(e.Headers, makeHeader(name, value))
	}
	if length > len(rest) {
		return nil, fmt.Errorf("event: body of %d bytes, %d announced", len(rest), length)
	}
	if length > 0 {
		e.SetBody(string(rest[:length]))
	}
	return e, e.named()
}

// ParseJSON reads the JSON form. Numbers and booleans become their text; a
// nested object or an array of anything but such values is an error. The member
// _body becomes the body and Content-Length is dropped.
func ParseJSON(text []byte) (*Event, error) {
	if len(text) > maxEventBytes {
		return nil, errTooLarge
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("event: JSON is no object")
	}
	e := New(Custom, "")
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, fmt.Errorf("event: %w", err)
		}
		name, _ := key.(string)
		value, list, err := jsonValue(dec)
		if err != nil {
			return nil, fmt.Errorf("event: member %.40q: %w", name, err)
		}
		if len(e.Headers) >= maxHeaders {
			return nil, fmt.Errorf("event: more than %d headers", maxHeaders)
		}
		switch {
		case name == "_body":
			e.SetBody(value)
		case strings.EqualFold(name, "Content-Length"):
		case list != nil:
			e.Headers = append(e.Headers, Header{Name: name, Value: joinArray(list), Array: list})
		default:
			e.Headers = append(e.Headers, makeHeader(name, value))
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("event: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("event: text after the JSON object")
	}
	return e, e.named()
}

func jsonValue(dec *json.Decoder) (value string, list []string, err error) {
	t, err := dec.Token()
	if err != nil {
		return "", nil, err
	}
	if t != json.Delim('[') {
		value, err = scalar(t)
		return value, nil, err
	}
	list = []string{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return "", nil, err
		}
		value, err := scalar(t)
		if err != nil {
			return "", nil, err
		}
		if len(list) > maxIndex {
			return "", nil, fmt.Errorf("more than %d elements", maxIndex+1)
		}
		list = append(list, value)
	}
	_, err = dec.Token()
	return "", list, err
}

func scalar(t json.Token) (string, error) {
	switch v := t.(type) {
	case string:
		return v, nil
	case json.Number:
		return v.String(), nil
	case bool:
		return strconv.FormatBool(v), nil
	case nil:
		return "", nil
	}
	return "", errors.New("nested value")
}

// named takes the type from the headers. Without Event-Name it stays CUSTOM.
func (e *Event) named() error {
	e.Subclass = e.Get("Event-Subclass")
	name := e.Get("Event-Name")
	if name == "" {
		return nil
	}
	t, ok := ParseType(name)
	if !ok {
		return fmt.Errorf("event: no event is called %.40q", name)
	}
	e.Type = t
	e.Unique = t.unique()
	return nil
}
