package lua

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	glua "github.com/yuin/gopher-lua"
)

// jsonCore is what cjson and dkjson are built of: encode for what is no table, and
// decode.
func jsonCore(*script) library { return library{"encode": jsonEncode, "decode": jsonDecode} }

// jsonNull is one of the objects of a script that stand for what Lua has no value
// for.
func (s *script) jsonNull(at **glua.LUserData) *glua.LUserData {
	if *at == nil {
		*at = s.L.NewUserData()
	}
	return *at
}

// jsonEncode writes a text, number or boolean, or null for the value given second.
func jsonEncode(s *script, L *glua.LState) int {
	var b bytes.Buffer
	switch v := L.Get(1).(type) {
	case glua.LString:
		if len(v) > maxJSON {
			s.raise(L, "a text too long for JSON")
		}
		writeJSONString(&b, string(v))
	case glua.LNumber:
		b.WriteString(formatNumber(float64(v)))
	case glua.LBool:
		b.WriteString(strconv.FormatBool(bool(v)))
	case *glua.LUserData:
		if v == s.emptyArray {
			b.WriteString("[]")
			break
		}
		b.WriteString("null")
	default:
		b.WriteString("null")
	}
	return s.pushText(L, b.String())
}

// decoder reads JSON into values of Lua.
type decoder struct {
	L             *glua.LState
	d             *json.Decoder
	null          glua.LValue // stands for null; nil leaves it out
	object, array glua.LValue // metatables
}

func newDecoder(L *glua.LState, text string) decoder {
	d := decoder{L: L, d: json.NewDecoder(strings.NewReader(text)), object: glua.LNil, array: glua.LNil}
	d.d.UseNumber()
	return d
}

// jsonDecode takes a text, where it begins, what null becomes, and the metatables
// of objects and arrays. It returns the value and where the text goes on, or nil,
// where it is wrong, and a message.
func jsonDecode(s *script, L *glua.LState) int {
	source := s.checkText(L, 1, "decode")
	begin := toInt(s.optNumber(L, 2, "decode", 1)) - 1
	fail := func(at int, message string) int {
		L.Push(glua.LNil)
		L.Push(glua.LNumber(at))
		L.Push(glua.LString(message))
		return 3
	}
	if begin < 0 || begin > len(source) {
		return fail(begin+1, "no valid JSON value at character "+strconv.Itoa(begin+1)+" (reached the end)")
	}
	if len(source) > maxJSON {
		return fail(1, "the text is longer than "+strconv.Itoa(maxJSON)+" bytes")
	}
	d := newDecoder(L, source[begin:])
	d.null, d.object, d.array = L.Get(3), L.Get(4), L.Get(5)
	v, err := d.value(0)
	at := begin + int(d.d.InputOffset()) + 1
	if err != nil {
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return fail(at, fmt.Sprintf("Expected value but found T_END at character %d", len(source)+1))
		}
		return fail(at, fmt.Sprintf("Expected value but found invalid token at character %d", at))
	}
	L.Push(v)
	L.Push(glua.LNumber(at))
	return 2
}

func (d *decoder) value(depth int) (glua.LValue, error) {
	token, err := d.d.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case json.Delim:
		if depth >= maxJSONDepth {
			return nil, io.ErrShortBuffer
		}
		table := d.L.CreateTable(0, 0)
		if t == '[' {
			err = d.elements(table, depth)
		} else {
			err = d.fields(table, depth)
		}
		return table, err
	case json.Number:
		n, _ := strconv.ParseFloat(string(t), 64)
		return glua.LNumber(n), nil
	case string:
		return glua.LString(t), nil
	case bool:
		return glua.LBool(t), nil
	}
	return d.null, nil
}

func (d *decoder) fields(table *glua.LTable, depth int) error {
	for d.d.More() {
		key, err := d.d.Token()
		if err != nil {
			return err
		}
		v, err := d.value(depth + 1)
		if err != nil {
			return err
		}
		if name, ok := key.(string); ok && v != nil {
			table.RawSetString(name, v)
		}
	}
	table.Metatable = d.object
	_, err := d.d.Token()
	return err
}

func (d *decoder) elements(table *glua.LTable, depth int) error {
	for i := 1; d.d.More(); {
		v, err := d.value(depth + 1)
		if err != nil {
			return err
		}
		if v != nil {
			table.RawSetInt(i, v)
			i++
		}
	}
	table.Metatable = d.array
	_, err := d.d.Token()
	return err
}
