package lua

import (
	"strconv"
	"strings"

	glua "github.com/yuin/gopher-lua"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/media"
)

// maxCallbackDepth is how deep collecting methods may nest in input callbacks.
const maxCallbackDepth = 25

// verb is what an input callback's result asks for.
type verb int

const (
	goOn verb = iota
	stop
	setSpeed
	setVolume
	togglePause
	restart
	seek
	truncate
)

// order is the result of an input callback, taken apart (spec/lua.md §3.1).
type order struct {
	verb     verb
	relative int // -1, 1; 0: absolute
	value    int64
}

// parseOrder reads the result of an input callback.
func parseOrder(word string) order {
	switch word {
	case "", "true", "undefined":
		return order{verb: goOn}
	}
	low := strings.ToLower(word)
	switch low {
	case "pause":
		return order{verb: togglePause}
	case "stop":
		return order{verb: stop}
	case "truncate":
		return order{verb: truncate}
	case "restart":
		return order{verb: restart}
	}
	for _, c := range []struct {
		name    string
		verb    verb
		missing int64
	}{{"speed", setSpeed, 1}, {"volume", setVolume, 1}, {"seek", seek, 1000}} {
		rest, ok := strings.CutPrefix(low, c.name)
		if !ok {
			continue
		}
		_, rest, ok = strings.Cut(rest, ":")
		if !ok || rest == "" {
			if c.verb == seek {
				return order{verb: goOn}
			}
			return order{verb: stop}
		}
		return argument(c.verb, rest, c.missing)
	}
	return order{verb: stop}
}

// argument reads +N, -N or N. A relative step without a number, or of 0, is
// missing, whatever its sign.
func argument(v verb, s string, missing int64) order {
	o := order{verb: v}
	switch s[0] {
	case '+':
		o.relative, s = 1, s[1:]
	case '-':
		o.relative, s = -1, s[1:]
	}
	end := 0
	for end < len(s) && s[end] >= '0' && s[end] <= '9' && end < 15 {
		end++
	}
	o.value, _ = strconv.ParseInt(s[:end], 10, 64)
	if o.relative != 0 && o.value == 0 {
		o.relative, o.value = 1, missing
	}
	return o
}

// onPlayback applies an order to what is played and reports whether it stops.
func (o order) onPlayback(x *session, pb *media.Playback) bool {
	step := int(o.value) * o.relative
	switch o.verb {
	case goOn:
	case setSpeed:
		if o.relative != 0 {
			step += pb.Speed()
		} else {
			step = int(o.value)
		}
		pb.SetSpeed(step)
	case setVolume:
		if o.relative != 0 {
			step += pb.Volume()
		} else {
			step = int(o.value)
		}
		pb.SetVolume(step)
	case togglePause:
		pb.TogglePause()
	case restart:
		pb.Restart()
	case seek:
		if o.relative != 0 {
			pb.SeekBy(int64(o.relative) * o.value)
		} else {
			pb.SeekTo(o.value)
		}
		x.log(call.LogDebug, "seek to position "+strconv.FormatInt(pb.Position(), 10)+"\n")
	default:
		return true
	}
	return false
}

// input calls the input callback with a digit or an event and returns what it
// asks for; an error asks to stop.
func (x *session) input(L *glua.LState, kind string, data glua.LValue) order {
	s := x.s
	if s.depth >= maxCallbackDepth {
		x.log(call.LogErr, "RECURSION ERROR!  It's not the best idea to call things that collect input recursively from an input callback.\n")
		return order{verb: stop}
	}
	args := []glua.LValue{x.ud, glua.LString(kind), data}
	if x.callbackArg != "" {
		args = append(args, s.global(x.callbackArg))
	}
	s.depth++
	result, err := s.callback(L, x.callback, args)
	s.depth--
	if err != nil {
		return order{verb: stop}
	}
	return parseOrder(text(result))
}

// digitTable is a digit as callbacks get it.
func (x *session) digitTable(d media.Digit) glua.LValue {
	t := x.s.L.CreateTable(0, 0)
	t.RawSetString("digit", glua.LString(string(rune(d.Char))))
	t.RawSetString("duration", glua.LNumber(d.Duration))
	return t
}

// eventValue is an event as callbacks get it: borrowed.
func (x *session) eventValue(e *event.Event) glua.LValue {
	return x.s.wrap(x.s.host.by.event, &eventObject{s: x.s, e: e})
}

// playOptions are those of a playback under the input callback.
func (x *session) playOptions(L *glua.LState, start int) call.PlayOptions {
	o := call.PlayOptions{Start: int64(start)}
	if x.callback == "" {
		return o
	}
	o.Digit = func(pb *media.Playback, d media.Digit) bool {
		return x.input(L, "dtmf", x.digitTable(d)).onPlayback(x, pb)
	}
	o.Event = func(pb *media.Playback, e *event.Event) bool {
		return x.input(L, "event", x.eventValue(e)).onPlayback(x, pb)
	}
	return o
}

// stopOptions are those of a playback that the input callback may stop and not
// otherwise control.
func (x *session) stopOptions(L *glua.LState) call.PlayOptions {
	w := x.waitOptions(L)
	if w.Digit == nil {
		return call.PlayOptions{}
	}
	return call.PlayOptions{Digit: func(_ *media.Playback, d media.Digit) bool { return w.Digit(d) },
		Event: func(_ *media.Playback, e *event.Event) bool { return w.Event(e) }}
}

// waitOptions are those of a wait under the input callback.
func (x *session) waitOptions(L *glua.LState) call.WaitOptions {
	if x.callback == "" {
		return call.WaitOptions{}
	}
	return call.WaitOptions{
		Digit: func(d media.Digit) bool { return x.input(L, "dtmf", x.digitTable(d)).verb != goOn },
		Event: func(e *event.Event) bool { return x.input(L, "event", x.eventValue(e)).verb != goOn },
	}
}

// callbackMethods set the callbacks.
func callbackMethods() []method {
	setInput := func(a *arguments) int {
		x := a.self.(*session)
		x.callback, x.callbackArg = a.str(0), a.str(1)
		return 0
	}
	const inputPrototypes = "LUA::Session::setInputCallback(char *,char *)\nLUA::Session::setInputCallback(char *)"
	return []method{
		{name: "setInputCallback", owner: "LUA::Session", signature: "s|s", prototypes: inputPrototypes, run: setInput},
		{name: "setInputCallBack", owner: "LUA::Session", signature: "s|s", prototypes: inputPrototypes, run: setInput},
		{name: "unsetInputCallback", owner: "LUA::Session", run: func(a *arguments) int {
			x := a.self.(*session)
			x.callback, x.callbackArg = "", ""
			return 0
		}},
		{name: "setHangupHook", owner: "LUA::Session", signature: "s|s",
			prototypes: "LUA::Session::setHangupHook(char *,char *)\nLUA::Session::setHangupHook(char *)",
			run: func(a *arguments) int {
				x := a.self.(*session)
				if !a.isNil(0) {
					x.hook, x.hookArg, x.hooked = a.str(0), a.str(1), false
				}
				return 0
			}},
	}
}
