package lua

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	glua "github.com/yuin/gopher-lua"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
)

// Bounds of what is kept of failures.
const (
	maxFailures    = 50
	maxFailureText = 8 << 10 // bytes of message and traceback
	maxValues      = 20      // variables
	maxValueText   = 80      // bytes of one value
)

// Failure is a script's error that nothing in the script caught.
type Failure struct {
	Time   time.Time `json:"time"`
	ID     uint64    `json:"id"`             // of the run
	Script string    `json:"script"`         // as it was started
	UUID   string    `json:"uuid,omitempty"` // of the call that it ran on
	// Message is the error, with file and line in front where it has them;
	// Traceback is where it happened, a line for each level, "" for errors of syntax
	// and files.
	Message   string `json:"message"`
	Traceback string `json:"traceback,omitempty"`
	// Values are the local variables of the function in which it happened.
	Values []Variable `json:"values,omitempty"`
}

// Variable is a local variable and its value, shortened. Values whose names sound
// like secrets are left out.
type Variable struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Failures are the last failures of scripts, the newest first, 50 at most.
func (h *Host) Failures() []Failure {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := slices.Clone(h.failures)
	slices.Reverse(list)
	return list
}

// fail tells of an error that ends the script or one of its callbacks: to the log
// in the reference's words, with the values at hand in an entry of its own; to the
// event socket as CUSTOM lua::failure; and to Failures.
func (s *script) fail(err error) {
	text := err.Error()
	if text != "" {
		s.log(call.LogErr, text+"\n")
	}
	if errors.Is(s.ctx.Err(), s.host.ctx.Err()) && s.host.ctx.Err() != nil {
		return // the switch stops
	}
	f := Failure{Time: time.Now(), ID: s.id, Script: s.command, UUID: s.uuid()}
	f.Message, f.Traceback, _ = strings.Cut(text, "\nstack traceback:\n")
	if rest, ok := strings.CutPrefix(text, "stack traceback:\n"); ok {
		f.Message, f.Traceback = "", rest
	}
	if f.Message == "" {
		f.Message = "an error without a message"
	}
	f.Message, f.Traceback = shorten(f.Message, maxFailureText/2), shorten(f.Traceback, maxFailureText/2)
	var own *failure
	if errors.As(err, &own) {
		f.Values = own.values
	}
	if len(f.Values) > 0 {
		s.log(call.LogNotice, "values at hand: "+joinValues(f.Values)+"\n")
	}
	s.host.keep(f)
	s.host.announce(f)
}

// uuid is the call that the script was started on, "" if there is none.
func (s *script) uuid() string {
	if s.session != nil && s.session.ch != nil {
		return s.session.ch.UUID()
	}
	return ""
}

func (h *Host) keep(f Failure) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.failures) >= maxFailures {
		h.failures = slices.Delete(h.failures, 0, len(h.failures)-maxFailures+1)
	}
	h.failures = append(h.failures, f)
}

// failureEvent is the subclass of the event that tells of a failure.
const failureEvent = "lua::failure"

func (h *Host) announce(f Failure) {
	if !h.sw.Bus.Wanted(event.Custom, failureEvent) {
		return
	}
	e := event.New(event.Custom, failureEvent)
	e.Add("Script", f.Script)
	e.Add("Script-ID", strconv.FormatUint(f.ID, 10))
	if f.UUID != "" {
		e.Add("Unique-ID", f.UUID)
	}
	e.Add("Error", f.Message)
	if len(f.Values) > 0 {
		e.Add("Values", joinValues(f.Values))
	}
	e.Body = f.Message + "\n"
	if f.Traceback != "" {
		e.Body += "stack traceback:\n" + f.Traceback + "\n"
	}
	h.sw.Bus.Publish(e, "mod_lua.cpp", "lua_parse_and_execute", 216)
}

func joinValues(list []Variable) string {
	var words []string
	for _, v := range list {
		words = append(words, v.Name+" = "+v.Value)
	}
	return strings.Join(words, ", ")
}

// atHand are the local variables of the innermost Lua function, in the handler of
// an error.
func (s *script) atHand(L *glua.LState) []Variable {
	for level := 1; level < 100; level++ {
		d, ok := L.GetStack(level)
		if !ok {
			return nil
		}
		fn, err := L.GetInfo("f", d, glua.LNil)
		if f, _ := fn.(*glua.LFunction); err != nil || f == nil || f.IsG || s.isHidden(f) {
			continue
		}
		var list []Variable
		for i := 1; len(list) < maxValues; i++ {
			name, v := L.GetLocal(d, i)
			if name == "" {
				break
			}
			// The machine keeps "arg" in functions of any number of arguments, as Lua
			// 5.0 did.
			if name[0] != '(' && !(name == "arg" && varying(fn)) {
				list = append(list, Variable{name, s.shown(name, v)})
			}
		}
		return list
	}
	return nil
}

func varying(fn glua.LValue) bool {
	f, _ := fn.(*glua.LFunction)
	return f != nil && f.Proto != nil && f.Proto.IsVarArg != 0
}

// secretWords are what names of variables have in them whose values stand nowhere.
var secretWords = []string{"pass", "pwd", "secret", "token", "pin"}

// shown is a value for people: texts in quotes, tables by their size.
func (s *script) shown(name string, v glua.LValue) string {
	low := strings.ToLower(name)
	for _, w := range secretWords {
		if strings.Contains(low, w) && v != glua.LNil {
			return "(not shown)"
		}
	}
	switch v := v.(type) {
	case glua.LString:
		text := string(v)
		if len(text) > maxValueText {
			return strconv.Quote(shorten(text, maxValueText)) + fmt.Sprintf(" (%d bytes)", len(text))
		}
		return strconv.Quote(text)
	case *glua.LTable:
		if n := v.Len(); n > 0 {
			return fmt.Sprintf("table of %d", n)
		}
		s.fill(v)
		if key, _ := v.Next(glua.LNil); key == glua.LNil {
			return "empty table"
		}
		return "table"
	case *glua.LUserData:
		return strings.TrimSuffix(s.typeName(v), " *")
	case glua.LNumber:
		return text(v)
	case glua.LBool, *glua.LNilType:
		return v.String()
	}
	return v.Type().String()
}

// shorten cuts a text to so many bytes, between characters.
func shorten(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most] + "..."
}
