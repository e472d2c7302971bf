package esl

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Event is an event as a client sees it: decoded headers in order, and a body.
type Event struct {
	Headers Headers
	Body    string
}

// Name is the header Event-Name.
func (e *Event) Name() string { return e.Headers.Get("Event-Name") }

// Subclass is the header Event-Subclass of a CUSTOM event.
func (e *Event) Subclass() string { return e.Headers.Get("Event-Subclass") }

// UUID is the call that the event is about (Unique-ID), "" if it is about none.
func (e *Event) UUID() string { return e.Headers.Get("Unique-ID") }

// Get returns the first header of that name in any case, or "".
func (e *Event) Get(name string) string { return e.Headers.Get(name) }

// Variable returns a channel variable that the event carries, or "".
func (e *Event) Variable(name string) string { return e.Headers.Get("variable_" + name) }

// Values returns the elements of a header; see Headers.Values.
func (e *Event) Values(name string) []string { return e.Headers.Values(name) }

// ParsePlain reads the body of a text/event-plain packet.
func ParsePlain(text []byte) (*Event, error) {
	head, body := text, []byte(nil)
	if bytes.HasPrefix(text, []byte("\n")) {
		head, body = nil, text[1:]
	} else if i := bytes.Index(text, []byte("\n\n")); i >= 0 {
		head, body = text[:i+1], text[i+2:]
	}
	list, err := parseHeaders(head, true)
	if err != nil {
		return nil, err
	}
	e := &Event{Headers: list}
	for i := range list {
		if list[i].Value == "_undef_" {
			list[i].Value = ""
		}
	}
	if length, ok := list.Lookup("Content-Length"); ok {
		n, err := strconv.Atoi(length)
		if err != nil || n < 0 || n > len(body) {
			return nil, fmt.Errorf("esl: event: Content-Length %.20q with %d bytes of body", length, len(body))
		}
		e.Body = string(body[:n])
	}
	return e, nil
}

// ParseJSON reads the body of a text/event-json packet. Arrays become their text
// form (ARRAY::a|:b).
func ParseJSON(text []byte) (*Event, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("esl: event: not a JSON object")
	}
	e := &Event{}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, fmt.Errorf("esl: event: %w", err)
		}
		var value any
		if err := dec.Decode(&value); err != nil {
			return nil, fmt.Errorf("esl: event: %w", err)
		}
		if len(e.Headers) >= maxHeaders {
			return nil, fmt.Errorf("esl: event: more than %d headers", maxHeaders)
		}
		name, _ := key.(string)
		if name == "_body" {
			e.Body = jsonText(value)
			continue
		}
		e.Headers.Add(name, jsonText(value))
	}
	if _, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("esl: event: %w", err)
	}
	return e, nil
}

func jsonText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case nil:
		return ""
	case []any:
		parts := make([]string, len(v))
		for i, x := range v {
			parts[i] = jsonText(x)
		}
		return arrayPrefix + strings.Join(parts, arraySeparator)
	}
	return fmt.Sprint(v)
}

// ParseXML reads the body of a text/event-xml packet. Header names that are no
// legal element names make it fail, as the switch sends them unchecked.
func ParseXML(text []byte) (*Event, error) {
	dec := xml.NewDecoder(bytes.NewReader(text))
	e := &Event{}
	var path []string
	var value strings.Builder
	for {
		t, err := dec.Token()
		if err == io.EOF && len(path) == 0 {
			return e, nil
		}
		if err != nil {
			return nil, fmt.Errorf("esl: event: %w", err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			if len(path) >= 3 {
				return nil, errors.New("esl: event: elements nested too deep")
			}
			path = append(path, t.Name.Local)
			value.Reset()
		case xml.CharData:
			value.Write(t)
		case xml.EndElement:
			switch {
			case len(path) == 3 && path[1] == "headers":
				if len(e.Headers) >= maxHeaders {
					return nil, fmt.Errorf("esl: event: more than %d headers", maxHeaders)
				}
				e.Headers.Add(path[2], decode(value.String()))
			case len(path) == 2 && path[1] == "body":
				e.Body = value.String()
			}
			path = path[:len(path)-1]
			value.Reset()
		}
	}
}
