package originate

import (
	"context"
	"strings"

	"github.com/switchlet/switchlet/call"
)

func (r *race) earlyCounts(c *call.Channel) bool {
	switch v := r.settings.get("ignore_early_media"); {
	case r.bridgesEarly():
		return false
	case v == "", strings.EqualFold(v, "false"):
		return c.MediaReady()
	}
	return false
}

// ring passes ringing on to the A leg: as the sound that its variable ringback
// names (transfer_ringback, once it is answered), for which its early media is
// opened, else as a signal.
func (r *race) ring(ctx context.Context) {
	if r.ringing {
		return
	}
	r.ringing = true
	a := r.opts.Originator
	if a == nil {
		return
	}
	tone := a.Get("ringback")
	if v := a.Get("transfer_ringback"); a.Answered() && v != "" {
		tone = v
	}
	if !a.MediaReady() && (tone == "" || a.PreAnswer(ctx) != nil) {
		if !r.settings.on("ignore_ring_ready") {
			a.RingReady(ctx)
		}
		return
	}
	if tone == "" || strings.EqualFold(tone, "silence") {
		return
	}
	if strings.HasPrefix(tone, "%(") {
		tone = "tone_stream://" + tone + ";loops=-1"
	}
	if stop, err := a.PlayBehind(ctx, tone); err == nil {
		r.stopBack = stop
	} else {
		a.Log(call.LogErr, "ringback %s: %v", tone, err)
	}
}

// bridgesEarly reports whether the A leg is to hear early media while the legs race.
func (r *race) bridgesEarly() bool {
	return r.opts.Originator != nil && r.settings.on("bridge_early_media")
}

// hear lets the A leg hear the early media of the first leg that has some.
func (r *race) hear(ctx context.Context, c *call.Channel) {
	a := r.opts.Originator
	if r.early != nil || !c.MediaReady() {
		return
	}
	if err := a.PreAnswer(ctx); err != nil {
		return
	}
	r.stopBack()
	r.ringing, r.early = true, c
	if err := a.Hear(c); err != nil {
		a.Log(call.LogErr, "Cannot join %s and %s: %v", a.Name(), c.Name(), err)
	}
}

// unhear ends what hear began.
func (r *race) unhear() {
	if a := r.opts.Originator; a != nil && r.early != nil && a.Port().Peer() == r.early.Port() {
		a.Port().Leave()
	}
}
