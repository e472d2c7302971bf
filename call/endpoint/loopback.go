package endpoint

import (
	"context"
	"strings"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/media"
)

// Loopback calls into the switch's own dialplan: loopback/EXT[/CONTEXT[/DIALPLAN]]
// or loopback/app=APP:ARGS. The A leg is the caller's, the B leg runs the
// dialplan; what happens to one is told to the other.
type Loopback struct{}

// Dial implements call.Endpoint. Both legs exist when it returns; the B leg
// starts with the A leg.
func (Loopback) Dial(_ context.Context, sw *call.Switch, r *call.DialRequest) (*call.Channel, error) {
	pair := &loopPair{}
	number, rest, _ := strings.Cut(r.Data, "/")
	var ext *call.Extension
	if app, ok := strings.CutPrefix(r.Data, "app="); ok {
		name, args, _ := strings.Cut(app, ":")
		ext = &call.Extension{Name: "_loopback_", Actions: []call.Action{{App: name, Data: args}}}
		number, rest = name, ""
	}
	routing, dialplan, _ := strings.Cut(rest, "/")
	if routing == "" {
		routing = "default"
	}
	if dialplan == "" {
		dialplan = "xml"
	}
	p := r.Caller
	p.Destination, p.Context, p.Dialplan = number, routing, ""
	a, err := sw.NewChannel(&loopLeg{pair: pair, mine: 0}, call.NewChannelOptions{UUID: r.UUID,
		Name: "loopback/" + number + "-a", Module: "mod_loopback", Profile: p, Outbound: true})
	if err != nil {
		return nil, err
	}
	bp := r.Caller
	bp.Destination, bp.Context, bp.Dialplan = number, routing, dialplan
	b, err := sw.NewChannel(&loopLeg{pair: pair, mine: 1}, call.NewChannelOptions{
		Name: "loopback/" + number + "-b", Module: "mod_loopback", Profile: bp, Begun: true, Extension: ext,
		Vars: loopVars(r)})
	if err != nil {
		a.Abandon(call.CauseOf(err, call.CauseSwitchCongestion))
		return nil, err
	}
	pair.legs = [2]*call.Channel{a, b}
	f := localFormat(sw)
	wa, wb := media.Pipe()
	pair.wires = [2]media.Wire{wa, wb}
	a.Port().Attach(wa, a.Tuned(f), localDTMF)
	b.Port().Attach(wb, b.Tuned(f), localDTMF)
	a.SetFormat(f)
	a.Set("other_loopback_leg_uuid", b.UUID())
	b.Set("other_loopback_leg_uuid", a.UUID())
	a.Set("loopback_leg", "A")
	b.Set("loopback_leg", "B")
	a.Set("is_loopback", "1")
	b.Set("is_loopback", "1")
	b.Set("other_loopback_from_uuid", a.UUID())
	b.SetOther("originator", a.Profile())
	return a, nil
}

// loopVars are the dial variables that the B leg gets too.
func loopVars(r *call.DialRequest) []call.Var {
	var out []call.Var
	for _, v := range r.Vars.All() {
		name := strings.ToLower(v.Name)
		if strings.HasPrefix(name, "origination_") || strings.HasPrefix(name, "execute_on_") || strings.HasPrefix(name, "api_on_") {
			continue
		}
		out = append(out, v)
	}
	return out
}

type loopPair struct {
	legs  [2]*call.Channel
	wires [2]media.Wire
}

type loopLeg struct {
	pair *loopPair
	mine int
}

func (l *loopLeg) other() *call.Channel { return l.pair.legs[1-l.mine] }

// Init starts the B leg from the A leg.
func (l *loopLeg) Init(_ context.Context, ch *call.Channel) error {
	if l.mine == 0 {
		f, _ := ch.Formats()
		l.other().SetFormat(f)
		ch.AfterInit(l.other().Start)
	}
	return nil
}

// Ring, Progress and Answer of the B leg are what the A leg sees of its far end.
func (l *loopLeg) Ring(context.Context) error     { l.other().MarkRinging(); return nil }
func (l *loopLeg) Progress(context.Context) error { l.other().MarkEarly(); return nil }
func (l *loopLeg) Answer(context.Context) error   { l.other().MarkAnswered(); return nil }

func (l *loopLeg) Hangup(cause call.Cause) {
	l.pair.wires[l.mine].Close()
	other := l.other()
	other.Hangup(cause)
	if l.mine == 0 {
		other.Start() // it may not have been started yet; it ends in its own goroutine
	}
}

// Hold lets the other leg know.
func (l *loopLeg) Hold(_ context.Context, on bool) error {
	l.other().RemoteHold(on)
	return nil
}
