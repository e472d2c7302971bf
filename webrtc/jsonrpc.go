package webrtc

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// Bounds of a message (spec/verto.md §1). The size holds for fragments joined.
const (
	maxMessage       = 1_000_000
	maxMessageBefore = 64 << 10 // before login
	maxDepth         = 32
	maxBatch         = 64
)

// JSON-RPC error codes of Verto.
const (
	codeInvalid      = -32600
	codeNoMethod     = -32601
	codeDenied       = -32602
	codeAuthRequired = -32000
	codeAuthFailed   = -32001
	codeSession      = -32002
)

// member is one pair of an object.
type member struct {
	name  string
	value any
}

// object is a JSON object that keeps the order of its members.
type object []member

// MarshalJSON writes the members in order.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(m.name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// with appends a member.
func (o object) with(name string, value any) object { return append(o, member{name, value}) }

// request is one message of a client.
type request struct {
	Version string          `json:"jsonrpc"`
	Method  string          `json:"method"`
	ID      json.RawMessage `json:"id"`
	Params  json.RawMessage `json:"params"`
	Result  json.RawMessage `json:"result"`
	Error   json.RawMessage `json:"error"`
}

// failure is the error object of a reply.
type failure struct {
	object
	close bool // the socket is closed after the reply
}

func fail(code int, message string) *failure {
	return &failure{object: object{{"code", code}, {"message", message}}}
}

// refuse is the error of a method: message first, as the reference has it.
func refusal(message string) *failure {
	return &failure{object: object{{"message", message}, {"code", codeSession}}}
}

// params are a request's parameters: a tree of JSON values of which a method
// takes what it knows. Clients send much more.
type params map[string]any

// parseParams reads a request's params; nil if they are no object.
func parseParams(raw json.RawMessage) params {
	if len(raw) == 0 || raw[0] != '{' {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var p params
	if d.Decode(&p) != nil {
		return nil
	}
	return p
}

// text returns a string or number as text without control characters, "" if
// there is none.
func (p params) text(name string) string {
	v, _ := textOf(p[name])
	return v
}

func textOf(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return clean(v), true
	case json.Number:
		return v.String(), true
	}
	return "", false
}

// maxBrief bounds names and numbers of a call, which its events repeat, in bytes.
const maxBrief = 1024

// brief is text that is cut at maxBrief.
func (p params) brief(name string) string {
	v := p.text(name)
	if len(v) > maxBrief {
		v = strings.ToValidUTF8(v[:maxBrief], "")
	}
	return v
}

// word is text that also takes true and false, as variables do.
func wordOf(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return clean(v), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}

// object returns a nested object, nil if there is none.
func (p params) object(name string) params {
	if o, ok := p[name].(map[string]any); ok {
		return o
	}
	return nil
}

// list returns a string, or a list of strings, as a list.
func (p params) list(name string) []string {
	switch v := p[name].(type) {
	case string:
		return []string{clean(v)}
	case []any:
		var out []string
		for _, e := range v {
			if s, ok := textOf(e); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}

// flag reports whether a member is true, or the word for it.
func (p params) flag(name string) bool {
	switch v := p[name].(type) {
	case bool:
		return v
	case string:
		return strings.EqualFold(v, "true")
	}
	return false
}

// clean takes control characters out of a client's text, so that it cannot end a
// header or a line elsewhere.
func clean(s string) string {
	if strings.IndexFunc(s, control) < 0 {
		return s
	}
	return strings.Map(func(r rune) rune {
		if control(r) {
			return -1
		}
		return r
	}, s)
}

func control(r rune) bool { return r < 0x20 || r == 0x7f }

// shallow reports whether no value of a JSON text is nested deeper than
// maxDepth. It does not check the text otherwise.
func shallow(b []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return false
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return true
}

// messages splits a frame into its messages; batch tells that it was an array.
func messages(b []byte) (list []json.RawMessage, batch, ok bool) {
	b = bytes.TrimSpace(b)
	if len(b) == 0 || !shallow(b) || !json.Valid(b) {
		return nil, false, false
	}
	if b[0] != '[' {
		return []json.RawMessage{b}, false, true
	}
	if json.Unmarshal(b, &list) != nil || len(list) > maxBatch {
		return nil, true, false
	}
	return list, true, true
}

// parseRequest reads one message; false if it is no object of version 2.0. The
// id is returned even then, if there is one.
func parseRequest(b json.RawMessage) (request, bool) {
	var r request
	b = bytes.TrimSpace(b)
	if len(b) == 0 || b[0] != '{' {
		return r, false
	}
	var loose map[string]json.RawMessage
	if json.Unmarshal(b, &loose) != nil {
		return r, false
	}
	r.ID, r.Params, r.Result, r.Error = loose["id"], loose["params"], loose["result"], loose["error"]
	if json.Unmarshal(loose["jsonrpc"], &r.Version) != nil || r.Version != "2.0" {
		return r, false
	}
	if m, ok := loose["method"]; ok && json.Unmarshal(m, &r.Method) != nil {
		r.Method = ""
	}
	return r, true
}

// reply is the answer to a request with that id.
func reply(id json.RawMessage, result object, err *failure) object {
	if len(id) == 0 {
		id = json.RawMessage("null")
	}
	if err != nil {
		return object{{"jsonrpc", "2.0"}, {"id", id}, {"error", err.object}}
	}
	if result == nil {
		result = object{}
	}
	return object{{"jsonrpc", "2.0"}, {"id", id}, {"result", result}}
}
