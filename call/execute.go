package call

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/call/expand"
)

// maxExecuteDepth bounds execute_extension inside execute_extension.
const maxExecuteDepth = 32

// outboundMediaWait is how long an application that needs media waits for that of
// an unanswered outbound leg.
const outboundMediaWait = 2 * time.Second

// applicationWait bounds AwaitApplication.
const applicationWait = 200 * time.Millisecond

// scopes are the variables of the applications that run, innermost last.
type scopes struct {
	mu     sync.RWMutex
	levels []*Vars
}

func (s *scopes) push(v *Vars) {
	s.mu.Lock()
	s.levels = append(s.levels, v)
	s.mu.Unlock()
}

func (s *scopes) pop() {
	s.mu.Lock()
	s.levels = s.levels[:len(s.levels)-1]
	s.mu.Unlock()
}

func (s *scopes) lookup(name string) (string, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for i := len(s.levels) - 1; i >= 0; i-- {
		if v, ok := s.levels[i].Lookup(name); ok {
			return v, true
		}
	}
	return "", false
}

func (s *scopes) each(fn func(name, value string)) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, v := range s.levels {
		v.each(fn)
	}
}

// lookupVar finds a variable: those of the running application's scope, then the
// channel's.
func (c *Channel) lookupVar(name string) (string, bool) {
	if v, ok := c.scope.lookup(name); ok {
		return v, true
	}
	if v, ok := c.vars.Lookup(name); ok {
		return v, true
	}
	return "", false
}

// Lookup finds a name as ${name} does: variables, caller-profile fields (aleg_
// and bleg_ prefixes reach the other leg's), global variables.
func (c *Channel) Lookup(name string) (string, bool) {
	if v, ok := c.lookupVar(name); ok {
		return v, true
	}
	low := fold(name)
	if field, ok := strings.CutPrefix(low, "aleg_"); ok {
		return c.legField(true, field)
	}
	if field, ok := strings.CutPrefix(low, "bleg_"); ok {
		return c.legField(false, field)
	}
	c.mu.Lock()
	v := c.profile().Field(low)
	c.mu.Unlock()
	if v != "" {
		return v, true
	}
	v = c.sw.Globals.Get(name)
	return v, v != ""
}

// legField is a profile field of the A or the B leg of the call.
func (c *Channel) legField(a bool, field string) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.other
	if a != c.outbound {
		p = c.profile()
	}
	if p == nil {
		return "", false
	}
	v := p.Field(field)
	return v, v != ""
}

type channelResolver struct{ c *Channel }

func (r channelResolver) Variable(name string) (string, bool) { return r.c.Lookup(name) }

func (r channelResolver) Command(name, args string) string {
	out, _ := r.c.sw.Run(r.c.ctx, name, args, r.c, nil)
	return out
}

// Resolver looks names up as the channel sees them.
func (c *Channel) Resolver() expand.Resolver { return channelResolver{c} }

// Expand replaces ${…} in text (spec/api-commands.md §8).
func (c *Channel) Expand(text string) string { return expand.Expand(text, channelResolver{c}) }

// Execute runs an application in the channel's goroutine, with the events and
// rules of spec/api-commands.md §5. An unknown application hangs the call up.
func (c *Channel) Execute(ctx context.Context, name, args string) error {
	app := c.sw.Application(name)
	if app == nil {
		c.Log(LogErr, "Invalid Application %s", name)
		c.Hangup(CauseDestinationOutOfOrder)
		return errors.New("invalid application " + name)
	}
	if !c.Up() {
		if app.Flags&Zombie == 0 {
			return ErrHungup
		}
		if ctx.Err() != nil {
			ctx = c.sw.ctx
		}
	} else if app.Flags&NoMedia == 0 && !c.MediaReady() {
		if err := c.wantMedia(ctx); err != nil {
			if c.Up() {
				c.Log(LogWarning, "Application %s Requires media on channel %s", app.Name, c.Name())
			}
			return err
		}
	}
	return c.runApp(ctx, app, args)
}

// wantMedia pre-answers an inbound channel and waits a little for the media of
// an outbound one.
func (c *Channel) wantMedia(ctx context.Context) error {
	if !c.outbound {
		err := c.PreAnswer(ctx)
		c.serveUrgent(ctx)
		return err
	}
	signal := make(chan struct{}, 1)
	defer c.NotifyMarks(signal)()
	timeout := time.NewTimer(outboundMediaWait)
	defer timeout.Stop()
	for !c.MediaReady() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-signal:
		case <-timeout.C:
			return ErrNotReady
		}
	}
	return nil
}

// scopePrefix takes %[a=b,c=d] off the front of an argument.
func scopePrefix(args string) (*Vars, string) {
	if len(args) < 3 || args[0] != '%' {
		return nil, args
	}
	delim, body := byte(','), args[1:]
	if body[0] != '[' {
		if body[1] != '[' {
			return nil, args
		}
		delim, body = body[0], body[1:]
	}
	end := strings.IndexByte(body, ']')
	if end < 0 {
		return nil, args
	}
	v := NewVars()
	for _, pair := range strings.Split(body[1:end], string(delim)) {
		if name, value, ok := strings.Cut(pair, "="); ok {
			v.Set(name, value)
		}
	}
	return v, body[end+1:]
}

func (c *Channel) runApp(ctx context.Context, app *Application, args string) error {
	text := args
	if !c.True("app_disable_expand_variables") {
		text = c.Expand(args)
	}
	if scope, rest := scopePrefix(text); scope != nil {
		c.scope.push(scope)
		defer c.scope.pop()
		text = rest
	}
	c.mu.Lock()
	c.lastApp, c.lastData = app.Name, text
	depth := c.stack
	c.mu.Unlock()
	c.Log(LogInfo, "EXECUTE [depth=%d] %s %s(%s)", depth, c.Name(), app.Name, text)

	told := c.sw.Bus.Wanted(event.ChannelExecute, "") || c.sw.Bus.Wanted(event.ChannelExecuteComplete, "")
	id, idName := c.Get("app_uuid"), c.Get("app_uuid_name")
	switch {
	case id != "":
		c.vars.Set("app_uuid", "")
	case told:
		id = NewUUID()
	}
	c.vars.Set("app_uuid_name", "")
	c.vars.Set("current_application", app.Name)
	c.vars.Set("current_application_data", text)
	c.vars.Set("current_application_response", "")
	c.signal(changedApp)
	about := []Var{{"Application", app.Name}, {"Application-Data", text}}
	if told {
		c.Fire(event.ChannelExecute, nil, append(about[:2:2], Var{"Application-UUID", id}, Var{"Application-UUID-Name", idName}))
	}
	err := c.callApp(ctx, app, text)
	if err != nil && !quiet(err) {
		c.Log(LogErr, "%s(%s): %v", app.Name, text, err)
	}
	if c.sw.Bus.Wanted(event.ChannelExecuteComplete, "") {
		response := c.vars.Get("current_application_response")
		if response == "" {
			response = "_none_"
		}
		if id == "" {
			id = NewUUID() // somebody has begun to listen meanwhile
		}
		c.Fire(event.ChannelExecuteComplete, nil, append(about[:2:2], Var{"Application-Response", response},
			Var{"Application-UUID", id}, Var{"Application-UUID-Name", idName}))
	}
	return err
}

// quiet reports whether an application's error is only the way it was ended.
func quiet(err error) bool {
	for _, e := range []error{ErrBreak, ErrMoved, ErrStopped, ErrHungup, ErrNotReady, context.Canceled} {
		if errors.Is(err, e) {
			return true
		}
	}
	var cause Cause
	return errors.As(err, &cause)
}

func (c *Channel) callApp(ctx context.Context, app *Application, text string) (err error) {
	defer func() {
		if r := recover(); r != nil {
			c.sw.crashed("application "+app.Name, c.UUID(), r)
			c.Hangup(CauseNormalTemporaryFailure)
			err = ErrHungup
		}
	}()
	return app.Run(ctx, c, text)
}

// AwaitApplication waits, a short while at most, until the channel, which is
// another than the caller's, has begun to execute an application.
func (c *Channel) AwaitApplication(ctx context.Context) {
	signal := make(chan struct{}, 1)
	defer c.notifyOf(changedApp|changedMark, signal)()
	over := time.NewTimer(applicationWait)
	defer over.Stop()
	for c.Up() && c.vars.Get("current_application") == "" {
		select {
		case <-signal:
		case <-over.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// SetResponse is what Application-Response of CHANNEL_EXECUTE_COMPLETE says.
func (c *Channel) SetResponse(text string) { c.vars.Set("current_application_response", text) }

// executeExtension runs the actions that routing found.
func (c *Channel) executeExtension(ctx context.Context) {
	for {
		action, more, moved := c.nextAction()
		if moved {
			c.executeZombies()
			return
		}
		if !more {
			break
		}
		if ctx.Err() == nil {
			c.Execute(ctx, action.App, action.Data)
		}
		c.serveUrgent(ctx)
	}
	if c.Up() && !c.takenBack() {
		c.Log(LogNotice, "%s has executed the last dialplan instruction, hanging up.", c.Name())
		c.Hangup(CauseNormalClearing)
	}
}

// nextAction takes the next action of the extension; moved tells that somebody
// asked for another state.
func (c *Channel) nextAction() (a Action, more, moved bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.requests != c.served || c.state != StateExecute {
		return a, false, true
	}
	if c.ext == nil || len(c.ext.Actions) == 0 {
		c.ext = nil
		return a, false, false
	}
	a = c.ext.Actions[0]
	c.ext = &Extension{Name: c.ext.Name, Actions: c.ext.Actions[1:]}
	return a, true, false
}

// executeZombies runs the actions that are left on a channel that was hung up, if
// it was asked to and they can.
func (c *Channel) executeZombies() {
	c.mu.Lock()
	ext := c.ext
	on := c.zombieExec && c.hungup && ext != nil
	c.mu.Unlock()
	if !on {
		return
	}
	for _, a := range ext.Actions {
		if app := c.sw.Application(a.App); app != nil && app.Flags&Zombie != 0 {
			c.Execute(c.sw.ctx, a.App, a.Data)
		}
	}
}

// hunt asks the dialplans of the profile, "XML[:arg][,inline…]", one after the
// other.
func (c *Channel) hunt(ctx context.Context, p *Profile) *Extension {
	chain := p.Dialplan
	if chain == "" {
		chain = "XML"
	}
	var list []string
	if strings.HasPrefix(strings.ToLower(chain), "inline:") {
		list = []string{chain}
	} else {
		list = strings.Split(chain, ",")
	}
	for _, entry := range list {
		name, arg, _ := strings.Cut(entry, ":")
		d := c.sw.Dialplan(name)
		if d == nil {
			c.Log(LogErr, "Dialplan [%s] not found, skipping", name)
			continue
		}
		ext, ok, err := d.Hunt(ctx, c, p, arg)
		if err != nil {
			c.Log(LogErr, "Dialplan %s: %v", name, err)
		}
		if ok {
			return ext
		}
	}
	return nil
}

// ExecuteExtension runs another extension like a subroutine and returns.
func (c *Channel) ExecuteExtension(ctx context.Context, number, dialplan, context string) error {
	c.mu.Lock()
	if c.stack >= maxExecuteDepth {
		depth := c.stack
		c.mu.Unlock()
		c.Log(LogErr, "Error %s too many stacked extensions [depth=%d]", c.Name(), depth)
		return errors.New("too many stacked extensions")
	}
	c.stack++
	depth := c.stack
	p := c.profile().clone()
	c.mu.Unlock()
	defer func() { c.mu.Lock(); c.stack--; c.mu.Unlock() }()
	p.Destination = number
	if dialplan != "" {
		p.Dialplan = dialplan
	}
	if context != "" {
		p.Context = context
	}
	if p.Context == "" {
		p.Context = "default"
	}
	ext := c.hunt(ctx, p)
	if ext == nil {
		return nil
	}
	for _, a := range ext.Actions {
		if ctx.Err() != nil {
			break
		}
		c.Log(LogNotice, "Execute [depth=%d] %s(%s)", depth, a.App, a.Data)
		c.Execute(ctx, a.App, a.Data)
	}
	return nil
}

// Element returns what name or, for an array, name[N] holds, caller-profile
// fields included (uuid_getvar).
func (c *Channel) Element(name string) (string, bool) {
	if base, index, ok := elementName(name); ok {
		v, _ := c.lookupVar(base)
		return expand.ArrayElement(v, index)
	}
	if v, ok := c.lookupVar(name); ok {
		return v, true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	v := c.profile().Field(fold(name))
	return v, v != ""
}

// SetElement stores a variable or, for name[N], an element of an array.
func (c *Channel) SetElement(name, value string) {
	if base, index, ok := elementName(name); ok {
		c.vars.Set(base, expand.SetElement(c.vars.Get(base), index, value))
		return
	}
	c.vars.Set(name, value)
}

// elementName takes name[N] apart.
func elementName(name string) (base string, index int, ok bool) {
	base, rest, found := strings.Cut(name, "[")
	digits, closed := strings.CutSuffix(rest, "]")
	index, err := strconv.Atoi(digits)
	return base, index, found && closed && base != "" && err == nil && index >= 0 && index <= maxArrayIndex
}

// maxArrayIndex is the highest element of an array variable.
const maxArrayIndex = 4000
