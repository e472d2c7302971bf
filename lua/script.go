package lua

import (
	"context"
	"sync/atomic"

	glua "github.com/yuin/gopher-lua"

	"github.com/switchlet/switchlet/call"
)

// Sizes of a script's stacks: small at first, growing up to the limits.
const (
	registryStart = 512
	registryStep  = 4096
	registryMax   = 1 << 20 // values
	callDepth     = 16000
)

// script is one run of a program: its state and what it holds.
type script struct {
	host *Host
	L    *glua.LState
	name string // for messages
	// id counts the runs of a host; command is what the script was started with.
	id      uint64
	command string
	// ctx ends with the host, or when the script breaks a limit.
	ctx    context.Context
	cancel context.CancelCauseFunc

	session *session // the call that the script was started on, or nil
	std     *standard
	classes map[*class]*classTables
	// libraries are the tables of libraries that the script has asked for; partials
	// are the tables that lack a part of their contents.
	libraries     map[string]*glua.LTable
	partials      map[*glua.LTable]*partial
	partialMeta   *glua.LTable // the metatable of those, which scripts never see
	searcherTable *glua.LTable
	files         *ioLibrary
	next          *glua.LFunction          // what pairs returns
	hidden        map[*glua.LFunction]bool // functions that tracebacks leave out
	objects       map[finalizer]struct{}   // released when the script ends
	depth         int                      // nested input callbacks
	// readFrom is the session that a script last read the method originate from.
	readFrom *session
	concat   *glua.LFunction // what a .. b calls
	// null and emptyArray stand for what JSON has and Lua has not.
	null, emptyArray *glua.LUserData
	resting          atomic.Int32  // inside blocking functions: not computing
	rests            atomic.Uint32 // how often that has begun
	pulse            *pulse        // the machine's context
	weigh            atomic.Bool   // asks for weight
	weight           atomic.Uint64 // what the values took when they were last weighed, in bytes
	weighing         atomic.Int64  // how long that took, ns
	built            int64         // bytes of strings since the memory was looked at
}

// finalizer is an object that holds something beyond its memory.
type finalizer interface{ finalize() }

// hold has an object released when the script ends.
func (s *script) hold(f finalizer) { s.objects[f] = struct{}{} }

// forget takes back hold.
func (s *script) forget(f finalizer) { delete(s.objects, f) }

// newScript makes a state. ch may be nil; callCtx is the context of what ch does now.
func (h *Host) newScript(name string, callCtx context.Context, ch *call.Channel) *script {
	L := glua.NewState(glua.Options{RegistrySize: registryStart, RegistryGrowStep: registryStep,
		RegistryMaxSize: registryMax, CallStackSize: callDepth, MinimizeStackMemory: true, SkipOpenLibs: true})
	s := &script{host: h, L: L, name: name, std: h.standard(), classes: make(map[*class]*classTables), libraries: make(map[string]*glua.LTable),
		hidden: make(map[*glua.LFunction]bool), objects: make(map[finalizer]struct{})}
	s.ctx, s.cancel = context.WithCancelCause(h.ctx)
	s.pulse = &pulse{Context: s.ctx, done: s.ctx.Done(), s: s}
	L.SetContext(s.pulse)
	s.concat = s.concatFunction()
	s.makePartial(L.G.Global, &s.std.global)
	s.setKinds()
	if ch != nil {
		s.session = s.adopt(callCtx, ch)
		s.setGlobal("session", s.session.ud)
		s.setGlobal(ch.UUID(), s.session.ud)
	}
	return s
}

func (s *script) setGlobal(name string, v glua.LValue) { s.put(s.L.G.Global, name, v) }

func (s *script) global(name string) glua.LValue { return s.get(s.L.G.Global, name) }

// rest marks the script as waiting, not computing, until the returned function
// is called.
func (s *script) rest() func() {
	s.resting.Add(1)
	s.rests.Add(1)
	return func() { s.resting.Add(-1) }
}

// close releases what the script holds and its state.
func (s *script) close() {
	for len(s.objects) > 0 {
		for o := range s.objects {
			delete(s.objects, o)
			o.finalize()
		}
	}
	s.cancel(nil)
	s.L.Close()
}

// load instantiates a compiled chunk.
func (s *script) load(L *glua.LState, proto *glua.FunctionProto, env *glua.LTable) *glua.LFunction {
	outer := L.NewFunctionFromProto(proto)
	if env != nil {
		outer.Env = env
	}
	L.Push(outer)
	L.Push(s.concat)
	// A script that was ended already must not be so here, where nobody might catch
	// it: these are three instructions.
	L.RemoveContext()
	defer L.SetContext(s.pulse)
	L.Call(1, 1)
	fn, _ := L.Get(-1).(*glua.LFunction)
	L.Pop(1)
	return fn
}

// setArguments sets the global argv; programs given inline have none.
func (s *script) setArguments(c command) {
	if c.inline {
		return
	}
	t := s.L.CreateTable(len(c.args), 0)
	t.RawSetInt(0, glua.LString(c.script))
	for i, a := range c.args {
		t.RawSetInt(i+1, glua.LString(a))
	}
	s.setGlobal("argv", t)
}

// run executes the program and logs how it failed.
func (s *script) run(c command) error {
	var proto *glua.FunctionProto
	var err error
	if c.inline {
		proto, err = s.host.chunks.inline(c.source)
	} else {
		proto, err = s.host.chunks.file(c.script)
	}
	if err == nil {
		s.setArguments(c)
		err = s.protect(s.L, 0, s.load(s.L, proto, nil))
	}
	if err != nil {
		s.fail(err)
	}
	return err
}
