package lua

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"

	glua "github.com/yuin/gopher-lua"

	"github.com/switchlet/switchlet/call"
)

// Bits of the attribute flags, the constants of the table freeswitch.
const (
	flagHup    = 1
	flagFree   = 2
	flagRdlock = 4
)

// session is a freeswitch.Session: a channel as a script sees it. Without a
// channel it is dead, and its methods say so instead of failing.
type session struct {
	s  *script
	ud *glua.LUserData
	ch *call.Channel
	// own is set for the channel in whose goroutine the script runs; ctx is the
	// context of what that channel does.
	own bool
	ctx context.Context
	// inner is the context of work that the script does in the goroutine of
	// another channel, while it lasts.
	inner context.Context

	release    func() // lets the channel be destroyed
	destroyed  bool
	autoHangup bool
	made       bool // by the script: a call of its own
	cause      call.Cause

	callback, callbackArg string // names of globals
	hook, hookArg         string
	hooked                bool
	hookRunning           bool
	ttsName, voiceName    string
	private               map[string]glua.LValue
}

// adopt makes the session of the call that the script was started on.
func (s *script) adopt(ctx context.Context, ch *call.Channel) *session {
	x := &session{s: s, own: true}
	x.attach(ch)
	merged, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(s.ctx, func() { cancel(causeOf(s.ctx)) })
	x.ctx = merged
	release := x.release
	x.release = func() {
		stop()
		cancel(nil)
		release()
	}
	x.ud = s.wrap(s.host.by.session, x)
	return x
}

// attach ties the session to a channel.
func (x *session) attach(ch *call.Channel) {
	x.ch = ch
	x.release = ch.Retain()
	x.s.hold(x)
}

// finalize is the end of the object: the call it made is hung up, unless it was
// sent elsewhere.
func (x *session) finalize() {
	x.s.forget(x)
	if x.ch == nil || x.destroyed {
		return
	}
	x.destroyed = true
	if x.autoHangup && x.ch.Up() && x.ch.Ready() {
		x.ch.Hangup(call.CauseNormalClearing)
	}
	x.release()
}

// dead reports, with the reference's words, that there is no channel.
func (x *session) dead() bool {
	if x.alive() {
		return false
	}
	x.s.logAt(call.LogErr, "switch_cpp.cpp", "sanity_check", 1, "session is not initalized\n")
	return true
}

func (x *session) alive() bool { return x.ch != nil && !x.destroyed }

// do runs fn in the channel's goroutine: at once if the script is there already.
// The error is ErrHungup, or the reason for which the script was ended, when fn
// could not run.
func (x *session) do(fn func(context.Context, *call.Channel) error) error {
	defer x.s.rest()()
	switch {
	case x.own:
		return fn(x.ctx, x.ch)
	case x.inner != nil:
		return fn(x.inner, x.ch)
	}
	const waiting, running, abandoned = 0, 1, 2
	var state atomic.Int32
	result := make(chan error, 1)
	err := x.ch.Post(&call.Message{Run: func(ctx context.Context, ch *call.Channel) {
		if !state.CompareAndSwap(waiting, running) {
			return
		}
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		defer context.AfterFunc(x.s.ctx, func() { cancel(causeOf(x.s.ctx)) })()
		x.inner = ctx
		err := fn(ctx, ch)
		x.inner = nil
		result <- err
	}})
	if err != nil {
		return err
	}
	select {
	case err := <-result:
		return err
	case <-x.ch.Done():
	case <-x.s.ctx.Done():
		if state.CompareAndSwap(waiting, abandoned) {
			return causeOf(x.s.ctx)
		}
		select {
		case err := <-result:
			return err
		case <-x.ch.Done():
		}
	}
	state.CompareAndSwap(waiting, abandoned)
	return call.ErrHungup
}

// log writes a line that belongs to the session's call.
func (x *session) log(level call.Level, text string) {
	line := &call.LogLine{Level: level, File: "switch_cpp.cpp", Func: "CoreSession", Line: 1, Text: text}
	if x.ch != nil {
		line.Channel, line.UUID = call.LogSession, x.ch.UUID()
	}
	x.s.host.sw.Log.Write(line)
}

// live makes a method that answers dead for a session without channel, and runs
// the hang-up hook before and after.
func live(dead glua.LValue, fn func(a *arguments, x *session) int) func(*arguments) int {
	return func(a *arguments) int {
		x := a.self.(*session)
		if x.dead() {
			if dead == nil {
				return 0
			}
			return a.push(dead)
		}
		x.checkHook(a.L)
		n := fn(a, x)
		x.checkHook(a.L)
		return n
	}
}

// quick is live without the hook: for methods that neither wait nor look.
func quick(dead glua.LValue, fn func(a *arguments, x *session) int) func(*arguments) int {
	return func(a *arguments) int {
		x := a.self.(*session)
		if x.dead() {
			if dead == nil {
				return 0
			}
			return a.push(dead)
		}
		return fn(a, x)
	}
}

// checkHook runs the hang-up hook once the call is hung up or sent elsewhere.
func (x *session) checkHook(L *glua.LState) {
	if x.hook == "" || x.hooked || x.hookRunning || !x.alive() {
		return
	}
	// In this order: a call that is hung up meanwhile was not sent elsewhere.
	if x.ch.Ready() {
		return
	}
	status := "transfer"
	if !x.ch.Up() {
		status = "hangup"
	}
	x.hooked, x.hookRunning = true, true
	defer func() { x.hookRunning = false }()
	args := []glua.LValue{x.ud, glua.LString(status)}
	if x.hookArg != "" {
		args = append(args, x.s.global(x.hookArg))
	}
	result, err := x.s.callback(L, x.hook, args)
	if err != nil {
		return
	}
	word := text(result)
	x.ch.Set("lua_hangup_hook_return_val", word)
	if strings.EqualFold(word, "exit") || strings.EqualFold(word, "die") {
		L.Error(glua.LString(word), 0)
	}
}

// callback calls a global function by name and returns its first result. An
// error was logged.
func (s *script) callback(L *glua.LState, name string, args []glua.LValue) (glua.LValue, error) {
	fn := s.global(name)
	if fn.Type() != glua.LTFunction {
		err := errors.New("attempt to call a " + fn.Type().String() + " value")
		s.fail(err)
		return glua.LNil, err
	}
	resting := s.resting.Swap(0)
	defer s.resting.Add(resting)
	if err := s.protect(L, 1, fn, args...); err != nil {
		s.fail(err)
		return glua.LNil, err
	}
	v := L.Get(-1)
	L.Pop(1)
	return v, nil
}

// attribute reads the fields of a session.
func (x *session) attribute(name string) (glua.LValue, bool) {
	optional := func(s string) (glua.LValue, bool) {
		if s == "" {
			return glua.LNil, true
		}
		return glua.LString(s), true
	}
	switch name {
	case "uuid":
		if x.ch == nil {
			return glua.LNil, true
		}
		return glua.LString(x.ch.UUID()), true
	case "tts_name":
		return optional(x.ttsName)
	case "voice_name":
		return optional(x.voiceName)
	case "cb_function":
		return optional(x.callback)
	case "cb_arg":
		return optional(x.callbackArg)
	case "hangup_func_str":
		return optional(x.hook)
	case "hangup_func_arg":
		return optional(x.hookArg)
	case "allocated":
		if x.alive() {
			return glua.LNumber(1), true
		}
		return glua.LNumber(0), true
	case "flags":
		if x.autoHangup {
			return glua.LNumber(flagHup), true
		}
		return glua.LNumber(0), true
	case "session", "channel", "cb_state", "hook_state", "cause":
		ud := x.s.L.NewUserData()
		ud.Value = x.ch
		return ud, true
	}
	return nil, false
}

var sessionAttributes = []string{"uuid", "tts_name", "voice_name", "cb_function", "cb_arg",
	"hangup_func_str", "hangup_func_arg", "allocated", "flags", "session", "channel", "cb_state", "hook_state", "cause"}

// hangupCause is why the call ended; before that, how the originate went.
func (x *session) hangupCause() call.Cause {
	if x.made || x.ch == nil {
		return x.cause
	}
	return x.ch.Cause()
}
