package endpoint

import (
	"context"
	"strings"
	"sync/atomic"

	"github.com/switchlet/switchlet/call"
)

// Pickup makes legs that nobody hears ring: pickup/KEY waits among the legs of a
// forked dial until the application pickup takes the call under that key.
type Pickup struct{}

// Dial implements call.Endpoint.
func (Pickup) Dial(_ context.Context, sw *call.Switch, r *call.DialRequest) (*call.Channel, error) {
	if r.Data == "" {
		return nil, call.CauseDestinationOutOfOrder
	}
	p := r.Caller
	p.Destination = r.Data
	leg := &pickupLeg{key: r.Data, vars: r.Vars.All()}
	ch, err := sw.NewChannel(leg, call.NewChannelOptions{UUID: r.UUID, Name: "pickup/" + r.Data, Module: "mod_dptools",
		Profile: p, Outbound: true, Vars: []call.Var{{Name: "process_cdr", Value: "false"}}})
	if err != nil {
		return nil, err
	}
	leg.ch = ch
	return ch, nil
}

// pickupLeg waits under a key.
type pickupLeg struct {
	ch    *call.Channel
	key   string
	vars  []call.Var // of the dial, for who takes the call
	taken atomic.Pointer[call.Channel]
}

// PickUp hands the call to who. False means that the key is another or that the
// call is gone.
func (l *pickupLeg) PickUp(key string, who *call.Channel) bool {
	if !sameKey(l.key, key) || !l.taken.CompareAndSwap(nil, who) {
		return false
	}
	for _, v := range l.vars {
		if name := strings.ToLower(v.Name); !strings.HasPrefix(name, "origination_") && name != "presence_id" {
			who.Set(v.Name, v.Value)
		}
	}
	// It waits to be bridged by who dialled.
	if who.Take(func(context.Context, *call.Channel) {}) != nil {
		l.taken.Store(nil)
		return false
	}
	l.ch.MarkAnswered()
	return true
}

// sameKey compares keys; one without @domain matches any domain.
func sameKey(a, b string) bool {
	x, xd, xok := strings.Cut(a, "@")
	y, yd, yok := strings.Cut(b, "@")
	return x == y && (!xok || !yok || strings.EqualFold(xd, yd))
}

// Substitute is who takes the place of this leg in the call, or nil.
func (l *pickupLeg) Substitute() *call.Channel { return l.taken.Load() }

func (l *pickupLeg) Init(context.Context, *call.Channel) error { return nil }
func (l *pickupLeg) Ring(context.Context) error                { return nil }
func (l *pickupLeg) Progress(context.Context) error            { return nil }
func (l *pickupLeg) Answer(context.Context) error              { return nil }

// Hangup ends who took the call if the dial was over before they were bridged.
func (l *pickupLeg) Hangup(cause call.Cause) {
	if who := l.taken.Load(); who != nil && cause != call.CausePickedOff {
		who.Hangup(call.CausePickedOff)
	}
}
