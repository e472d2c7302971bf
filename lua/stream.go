package lua

import (
	"strings"

	glua "github.com/yuin/gopher-lua"
)

// stream is a freeswitch.Stream: what a script answers with.
type stream struct {
	out     *strings.Builder
	body    string // what the caller sent along
	hasBody bool
	limit   int
}

func streamClass() *class {
	on := func(fn func(a *arguments, st *stream) int) func(*arguments) int {
		return func(a *arguments) int { return fn(a, a.self.(*stream)) }
	}
	return &class{
		name: "Stream", shown: "Stream", pointer: "Stream *",
		is: func(o any) bool { _, ok := o.(*stream); return ok },
		constructor: method{
			prototypes: "Stream::Stream()\nStream::Stream(switch_stream_handle_t *)"},
		construct: func(a *arguments) any {
			return &stream{out: new(strings.Builder), limit: a.s.host.opts.Limits.Text}
		},
		methods: []method{
			{name: "write", signature: "S", run: on(func(a *arguments, st *stream) int {
				st.write(a, a.str(0))
				return 0
			})},
			{name: "raw_write", signature: "Si", run: on(func(a *arguments, st *stream) int {
				text := a.str(0)
				st.write(a, text[:min(max(a.num(1, 0), 0), len(text))])
				return 0
			})},
			{name: "get_data", run: on(func(a *arguments, st *stream) int {
				return a.pushOptional(st.out.String(), st.out.Len() > 0)
			})},
			{name: "read", run: on(func(a *arguments, st *stream) int {
				if !st.hasBody {
					return a.push(glua.LNil, glua.LNumber(0))
				}
				return a.push(glua.LString(st.body), glua.LNumber(len(st.body)))
			})},
		},
	}
}

func (st *stream) write(a *arguments, text string) {
	if st.out.Len()+len(text) > st.limit {
		a.s.raise(a.L, "not enough memory: a stream takes at most %d bytes", st.limit)
	}
	st.out.WriteString(text)
}

// dtmf is a freeswitch.DTMF.
type dtmf struct {
	digit    string
	duration int
}

// defaultDigitDuration is that of a new DTMF, in samples at 8 kHz.
const defaultDigitDuration = 2000

func dtmfClass() *class {
	return &class{
		name: "DTMF", shown: "DTMF", pointer: "DTMF *",
		is:          func(o any) bool { _, ok := o.(*dtmf); return ok },
		constructor: method{signature: "c|t"},
		construct: func(a *arguments) any {
			return &dtmf{a.str(0), a.num(1, defaultDigitDuration)}
		},
		attributes: []string{"digit", "duration"},
		get: func(_ *script, object any, name string) (glua.LValue, bool) {
			switch name {
			case "digit":
				return glua.LString(object.(*dtmf).digit), true
			case "duration":
				return glua.LNumber(object.(*dtmf).duration), true
			}
			return nil, false
		},
		set: func(_ *script, object any, name string, v glua.LValue) bool {
			switch name {
			case "digit":
				object.(*dtmf).digit = text(v)
			case "duration":
				n, _ := number(v)
				object.(*dtmf).duration = toInt(n)
			default:
				return false
			}
			return true
		},
	}
}
