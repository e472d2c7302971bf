package lua

import (
	"bytes"
	"io"
	"math"
	"strconv"
	"strings"

	glua "github.com/yuin/gopher-lua"

	"github.com/switchlet/switchlet/call"
)

// Bounds of JSON texts.
const (
	maxJSON      = 16 << 20
	maxJSONDepth = 200
)

// jsonCodec is a freeswitch.JSON, with its two settings.
type jsonCodec struct {
	emptyAsArray bool
	unformatted  bool
}

func jsonClass() *class {
	on := func(fn func(a *arguments, j *jsonCodec) int) func(*arguments) int {
		return func(a *arguments) int { return fn(a, a.self.(*jsonCodec)) }
	}
	return &class{
		name: "JSON", shown: "LUA::JSON", pointer: "LUA::JSON *",
		is:        func(o any) bool { _, ok := o.(*jsonCodec); return ok },
		construct: func(*arguments) any { return &jsonCodec{} },
		methods: []method{
			{name: "decode", signature: "S", run: on(func(a *arguments, j *jsonCodec) int {
				v, ok := decodeJSON(a.L, a.str(0))
				if !ok {
					return 0
				}
				return a.push(v)
			})},
			{name: "encode", signature: "T", run: on(func(a *arguments, j *jsonCodec) int {
				return a.pushString(j.encode(a, a.value(0)))
			})},
			{name: "execute", signature: "S", alternates: []string{"T"},
				prototypes: "LUA::JSON::execute(char const *)\nLUA::JSON::execute(SWIGLUA_TABLE)",
				run: on(func(a *arguments, j *jsonCodec) int {
					v, ok := decodeJSON(a.L, j.execute(a))
					if !ok {
						return 0
					}
					return a.push(v)
				})},
			{name: "execute2", signature: "S", alternates: []string{"T"},
				prototypes: "LUA::JSON::execute2(char const *)\nLUA::JSON::execute2(SWIGLUA_TABLE)",
				run:        on(func(a *arguments, j *jsonCodec) int { return a.pushString(j.execute(a)) })},
			{name: "encode_empty_table_as_object", signature: "b", run: on(func(a *arguments, j *jsonCodec) int {
				j.emptyAsArray = !a.boolean(0)
				return 0
			})},
			{name: "return_unformatted_json", signature: "b", run: on(func(a *arguments, j *jsonCodec) int {
				j.unformatted = a.boolean(0)
				return 0
			})},
		},
	}
}

// execute runs a JSON API command through the command json.
func (j *jsonCodec) execute(a *arguments) string {
	request := a.str(0)
	if a.value(0).Type() == glua.LTTable {
		request = (&jsonCodec{unformatted: true}).encode(a, a.value(0))
	}
	end := a.s.rest()
	out, err := a.s.host.sw.Run(a.s.ctx, "json", request, nil, nil)
	end()
	if err != nil {
		a.s.host.sw.Log.Printf(call.LogErr, "json: %v", err)
		return ""
	}
	return out
}

// decodeJSON makes a table of a text; false for anything that is no JSON.
func decodeJSON(L *glua.LState, text string) (glua.LValue, bool) {
	if len(text) > maxJSON {
		return nil, false
	}
	d := newDecoder(L, text)
	v, err := d.value(0)
	if err != nil {
		return nil, false
	}
	if _, err := d.d.Token(); err != io.EOF {
		return nil, false
	}
	return v, true
}

// encode writes a table: formatted with tabs unless the codec says otherwise.
func (j *jsonCodec) encode(a *arguments, v glua.LValue) string {
	var b bytes.Buffer
	j.write(a, &b, v, 1)
	return b.String()
}

func (j *jsonCodec) write(a *arguments, b *bytes.Buffer, v glua.LValue, depth int) {
	if depth > maxJSONDepth || b.Len() > maxJSON {
		a.s.raise(a.L, "table too large or too deep for JSON")
	}
	switch v := v.(type) {
	case glua.LString:
		writeJSONString(b, string(v))
	case glua.LNumber:
		n := float64(v)
		switch {
		case math.IsNaN(n) || math.IsInf(n, 0):
			b.WriteString("null")
		case n == math.Trunc(n) && math.Abs(n) < 1e15:
			b.WriteString(strconv.FormatInt(int64(n), 10))
		default:
			b.WriteString(formatG(n, 15, false))
		}
	case glua.LBool:
		b.WriteString(strconv.FormatBool(bool(v)))
	case *glua.LTable:
		j.writeTable(a, b, v, depth)
	default:
		b.WriteString("null")
	}
}

// writeTable writes an array if the first key is 1, an object otherwise.
func (j *jsonCodec) writeTable(a *arguments, b *bytes.Buffer, t *glua.LTable, depth int) {
	a.s.fill(t)
	key, v := t.Next(glua.LNil)
	array := key == glua.LNumber(1) || key == glua.LNil && j.emptyAsArray
	separator := ","
	if array {
		b.WriteByte('[')
		if !j.unformatted {
			separator = ", "
		}
	} else {
		b.WriteByte('{')
		if !j.unformatted {
			b.WriteByte('\n')
		}
	}
	for first := true; key != glua.LNil; key, v = t.Next(key) {
		if v.Type() == glua.LTFunction || v.Type() == glua.LTUserData || v.Type() == glua.LTThread {
			continue
		}
		if !first {
			b.WriteString(separator)
			if !array && !j.unformatted {
				b.WriteByte('\n')
			}
		}
		first = false
		if !array {
			if !j.unformatted {
				b.WriteString(strings.Repeat("\t", depth))
			}
			writeJSONString(b, text(key))
			b.WriteByte(':')
			if !j.unformatted {
				b.WriteByte('\t')
			}
		}
		j.write(a, b, v, depth+1)
	}
	if array {
		b.WriteByte(']')
		return
	}
	if !j.unformatted {
		if b.Bytes()[b.Len()-1] != '\n' {
			b.WriteByte('\n')
		}
		b.WriteString(strings.Repeat("\t", depth-1))
	}
	b.WriteByte('}')
}

// writeJSONString writes a string with the escapes that JSON asks for; other
// bytes stay as they are.
func writeJSONString(b *bytes.Buffer, s string) {
	b.WriteByte('"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '"', '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case '\b':
			b.WriteString(`\b`)
		case '\f':
			b.WriteString(`\f`)
		case '\n':
			b.WriteString(`\n`)
		case '\r':
			b.WriteString(`\r`)
		case '\t':
			b.WriteString(`\t`)
		default:
			if c < 0x20 {
				b.WriteString(`\u00`)
				b.WriteByte("0123456789abcdef"[c>>4])
				b.WriteByte("0123456789abcdef"[c&15])
			} else {
				b.WriteByte(c)
			}
		}
	}
	b.WriteByte('"')
}
