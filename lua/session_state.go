package lua

import (
	"context"
	"strings"

	glua "github.com/yuin/gopher-lua"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
)

// coreSession is the class that messages name for inherited methods.
const coreSession = "CoreSession"

// stateMethods are those about the call as a whole: its state, variables, end.
func stateMethods() []method {
	return []method{
		{name: "answer", owner: coreSession, run: live(glua.LNumber(-1), sessionAnswer)},
		{name: "preAnswer", owner: coreSession, run: live(glua.LNumber(-1), sessionPreAnswer)},
		{name: "answered", owner: coreSession, run: live(glua.LFalse, func(a *arguments, x *session) int { return a.pushBool(x.ch.Answered()) })},
		{name: "mediaReady", owner: coreSession, run: live(glua.LFalse, func(a *arguments, x *session) int { return a.pushBool(x.ch.MediaReady()) })},
		{name: "ready", owner: "LUA::Session", run: sessionReady},
		{name: "bridged", owner: coreSession, run: sessionBridged},
		{name: "hangup", owner: coreSession, signature: "|S", run: live(nil, sessionHangup)},
		{name: "hangupState", owner: coreSession, run: live(nil, func(*arguments, *session) int { return 0 })},
		{name: "hangupStatus", owner: coreSession, run: live(nil, func(*arguments, *session) int { return 0 })},
		{name: "hangupCause", owner: coreSession, run: func(a *arguments) int { return a.pushString(a.self.(*session).hangupCause().String()) }},
		{name: "getState", owner: coreSession, run: quick(glua.LString("ERROR"), func(a *arguments, x *session) int { return a.pushString(x.ch.State().String()) })},
		{name: "get_uuid", owner: coreSession, run: sessionUUID},
		{name: "getVariable", owner: coreSession, signature: "s", run: quick(glua.LString(""), sessionGetVariable)},
		{name: "setVariable", owner: coreSession, signature: "ss", run: quick(nil, sessionSetVariable)},
		{name: "getPrivate", owner: coreSession, signature: "s", run: quick(glua.LNil, sessionGetPrivate)},
		{name: "setPrivate", owner: coreSession, signature: "sV", run: quick(nil, sessionSetPrivate)},
		{name: "transfer", owner: coreSession, signature: "s|ss", run: live(glua.LNumber(-1), sessionTransfer)},
		{name: "execute", owner: coreSession, signature: "S|S", run: live(nil, sessionExecute)},
		{name: "executeString", owner: coreSession, signature: "S", run: live(nil, sessionExecuteString)},
		{name: "setAutoHangup", owner: coreSession, signature: "b", run: quick(glua.LNumber(-1), func(a *arguments, x *session) int {
			x.autoHangup = a.boolean(0)
			return a.pushInt(0)
		})},
		{name: "sendEvent", owner: coreSession, signature: "E", run: live(nil, sessionSendEvent)},
		{name: "setEventData", owner: coreSession, signature: "E", run: live(nil, sessionSetEventData)},
		{name: "getXMLCDR", owner: coreSession, run: live(glua.LString(""), func(a *arguments, x *session) int { return a.pushString(x.ch.XMLCDR()) })},
		{name: "destroy", owner: "LUA::Session", run: sessionDestroy, signature: "|S",
			prototypes: "LUA::Session::destroy(char const *)\nLUA::Session::destroy()"},
		{name: "consoleLog", owner: coreSession, signature: "ss", run: func(a *arguments) int {
			a.self.(*session).log(logLevel(a.str(0)), a.str(1))
			return 0
		}},
		{name: "consoleLog2", owner: coreSession, signature: "sssis", run: sessionConsoleLog2},
		{name: "print", owner: coreSession, signature: "s", run: live(glua.LNumber(-1), func(a *arguments, x *session) int { return a.pushInt(0) })},
		{name: "begin_allow_threads", owner: "LUA::Session", run: func(a *arguments) int { return a.pushBool(true) }},
		{name: "end_allow_threads", owner: "LUA::Session", run: func(a *arguments) int { return a.pushBool(true) }},
		{name: "check_hangup_hook", owner: "LUA::Session", run: quick(nil, func(a *arguments, x *session) int {
			x.checkHook(a.L)
			return 0
		})},
		{name: "setLUA", owner: "LUA::Session", run: func(*arguments) int { return 0 }},
		{name: "get_cb_args", owner: coreSession, run: func(a *arguments) int { return a.push(glua.LNil) }},
		{name: "run_dtmf_callback", owner: "LUA::Session", signature: "VV", run: func(a *arguments) int { return a.push(glua.LNil) }},
		{name: "process_callback_result", owner: coreSession, signature: "s", run: func(a *arguments) int { return a.push(glua.LNil) }},
		{name: "setDTMFCallback", owner: coreSession, signature: "Vs", run: func(*arguments) int { return 0 }},
		{name: "__disown", owner: "LUA::Session", run: func(*arguments) int { return 0 }},
	}
}

func sessionAnswer(a *arguments, x *session) int {
	err := x.do(func(ctx context.Context, ch *call.Channel) error { return ch.Answer(ctx) })
	return a.pushInt(success(err))
}

func sessionPreAnswer(a *arguments, x *session) int {
	err := x.do(func(ctx context.Context, ch *call.Channel) error { return ch.PreAnswer(ctx) })
	return a.pushInt(success(err))
}

// success is 1 for no error, 0 otherwise.
func success(err error) int {
	if err == nil {
		return 1
	}
	return 0
}

func sessionReady(a *arguments) int {
	x := a.self.(*session)
	if !x.alive() {
		return a.pushBool(false)
	}
	x.checkHook(a.L)
	return a.pushBool(x.ch.Ready() && a.s.ctx.Err() == nil)
}

func sessionBridged(a *arguments) int {
	x := a.self.(*session)
	return a.pushBool(x.alive() && x.ch.Up() && x.ch.Partner() != nil)
}

func sessionHangup(a *arguments, x *session) int {
	cause := call.CauseNormalClearing
	if name := a.str(0); name != "" {
		cause = call.ParseCause(name)
	}
	x.ch.Hangup(cause)
	return 0
}

func sessionUUID(a *arguments) int {
	x := a.self.(*session)
	if !x.alive() {
		return a.pushString("uninitialized")
	}
	return a.pushString(x.ch.UUID())
}

// profileFields are the names that getVariable finds in the caller profile; a
// field that is not set is an empty text there.
const profileFields = " context destination_number caller_id_name caller_id_number network_addr ani aniii rdnis source chan_name uuid dialplan username "

func sessionGetVariable(a *arguments, x *session) int {
	name := a.str(0)
	if v, ok := x.ch.Lookup(name); ok {
		return a.pushString(v)
	}
	if strings.Contains(profileFields, " "+strings.ToLower(name)+" ") {
		return a.pushString("")
	}
	return a.push(glua.LNil)
}

func sessionSetVariable(a *arguments, x *session) int {
	name, value := a.str(0), a.str(1)
	x.log(call.LogDebug, "CoreSession::setVariable('"+name+"', '"+value+"')\n")
	x.ch.Set(name, value)
	return 0
}

func sessionGetPrivate(a *arguments, x *session) int {
	if v := x.private[a.str(0)]; v != nil {
		return a.push(v)
	}
	return a.push(glua.LNil)
}

func sessionSetPrivate(a *arguments, x *session) int {
	if x.private == nil {
		x.private = make(map[string]glua.LValue)
	}
	x.private[a.str(0)] = a.value(1)
	return 0
}

func sessionTransfer(a *arguments, x *session) int {
	if err := x.ch.Transfer(a.str(0), a.str(1), a.str(2)); err != nil {
		return a.pushInt(0)
	}
	return a.pushInt(1)
}

func sessionExecute(a *arguments, x *session) int {
	x.execute(a.str(0), a.str(1))
	return 0
}

func sessionExecuteString(a *arguments, x *session) int {
	app, data, _ := strings.Cut(a.str(0), " ")
	x.execute(app, data)
	return 0
}

func (x *session) execute(app, data string) error {
	return x.do(func(ctx context.Context, ch *call.Channel) error { return ch.Execute(ctx, app, data) })
}

func sessionSendEvent(a *arguments, x *session) int {
	e := a.event(0)
	if e == nil || e.e == nil {
		return 0
	}
	copied := e.e.Clone()
	err := call.ErrNoLeg
	if m, ok := x.ch.Leg().(call.Messenger); ok {
		err = x.do(func(ctx context.Context, _ *call.Channel) error { return m.Message(ctx, copied) })
	}
	if err != nil {
		x.log(call.LogDebug, "the event was not delivered: "+err.Error()+"\n")
	}
	return 0
}

func sessionSetEventData(a *arguments, x *session) int {
	e := a.event(0)
	if e == nil || e.e == nil {
		return 0
	}
	data := event.New(event.ChannelData, "")
	x.ch.AddTo(data)
	e.e.Merge(data)
	return 0
}

func sessionDestroy(a *arguments) int {
	x := a.self.(*session)
	message := a.str(0)
	x.finalize()
	if message != "" {
		a.L.Error(glua.LString(message), 0)
	}
	return 0
}

func sessionConsoleLog2(a *arguments) int {
	x := a.self.(*session)
	line := &call.LogLine{Level: logLevel(a.str(0)), File: a.str(1), Func: a.str(2), Line: a.num(3, 0), Text: a.str(4)}
	if x.ch != nil {
		line.Channel, line.UUID = call.LogSession, x.ch.UUID()
	}
	a.s.host.sw.Log.Write(line)
	return 0
}

// logLevel reads a level's name or number; unknown words are DEBUG.
func logLevel(name string) call.Level {
	if level, ok := call.ParseLevel(name); ok && level >= call.LogConsole {
		return min(level, call.LogDebug)
	}
	return call.LogDebug
}
