package apps

import (
	"context"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/originate"
)

// sideDial is an originate that runs beside a channel, so that the channel can do
// something else meanwhile or be gone before it ends.
type sideDial struct {
	done   chan struct{} // closed when peer and err are set
	peer   *call.Channel
	err    error
	cancel context.CancelCauseFunc
}

// dialBeside begins to dial.
func dialBeside(sw *call.Switch, url string, o originate.Options) *sideDial {
	ctx, cancel := context.WithCancelCause(sw.Context())
	d := &sideDial{done: make(chan struct{}), cancel: cancel, err: call.CauseSystemShutdown}
	sw.Go(func() {
		defer close(d.done)
		defer cancel(nil)
		d.peer, d.err = originate.Dial(ctx, sw, url, o)
	})
	return d
}

// drop ends the dial and who answered.
func (d *sideDial) drop() {
	d.cancel(call.CauseOriginatorCancel)
	<-d.done
	if d.peer != nil {
		d.peer.Hangup(call.CauseOriginatorCancel)
	}
}
