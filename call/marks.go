package call

import (
	"context"
	"strconv"
	"time"

	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/media"
)

// addCodec appends the codec headers of one direction.
func addCodec(e *event.Event, direction string, f media.Format) {
	if f.IsZero() {
		return
	}
	e.Add("Channel-"+direction+"-Codec-Name", f.Codec.Name)
	e.Add("Channel-"+direction+"-Codec-Rate", strconv.Itoa(f.Codec.Rate))
	e.Add("Channel-"+direction+"-Codec-Bit-Rate", strconv.Itoa(f.Codec.BitRate))
}

// setCallState changes the call state and fires CHANNEL_CALLSTATE; marking is
// held.
func (c *Channel) setCallState(s CallState) {
	c.mu.Lock()
	old := c.callState
	if old == s || old == CallHangup {
		c.mu.Unlock()
		return
	}
	c.callState = s
	c.mu.Unlock()
	c.Fire(event.ChannelCallstate, []Var{
		{"Original-Channel-Call-State", old.String()},
		{"Channel-Call-State-Number", strconv.Itoa(int(s))},
	}, nil)
}

// MarkRinging records that the far end of an outbound leg rings, or that an
// inbound caller was told so. It fires CHANNEL_PROGRESS once.
func (c *Channel) MarkRinging() {
	c.marking.Lock()
	defer c.marking.Unlock()
	c.mu.Lock()
	if c.ringing || c.answered || c.hungup {
		c.mu.Unlock()
		return
	}
	c.ringing = true
	p := c.profile()
	if p.Times.Progress.IsZero() {
		p.Times.Progress = time.Now()
	}
	early := c.early
	c.mu.Unlock()
	c.Log(LogNotice, "Ring-Ready %s!", c.Name())
	c.Fire(event.ChannelProgress, nil, nil)
	if !early {
		c.setCallState(CallRinging)
	}
	c.signal(changedMark)
	c.RunHooks("ring")
}

// MarkEarly records early media in either direction. It fires
// CHANNEL_PROGRESS_MEDIA once.
func (c *Channel) MarkEarly() {
	c.marking.Lock()
	defer c.marking.Unlock()
	c.mu.Lock()
	if c.early || c.answered || c.hungup {
		c.mu.Unlock()
		return
	}
	c.early = true
	c.profile().Times.ProgressMedia = time.Now()
	c.mu.Unlock()
	c.Log(LogNotice, "Pre-Answer %s!", c.Name())
	c.Fire(event.ChannelProgressMedia, nil, nil)
	c.setCallState(CallEarly)
	c.signal(changedMark)
	c.RunHooks("pre_answer")
	c.RunHooks("media")
}

// MarkAnswered records the answer, once.
func (c *Channel) MarkAnswered() {
	c.marking.Lock()
	defer c.marking.Unlock()
	c.mu.Lock()
	if c.answered || c.hungup {
		c.mu.Unlock()
		return
	}
	c.answered = true
	c.releaseRecordings()
	hadMedia := c.early
	c.profile().Times.Answered = time.Now()
	c.mu.Unlock()
	if c.vars.Get("endpoint_disposition") == "" || c.outbound {
		c.vars.Set("endpoint_disposition", "ANSWER")
	}
	if c.True("inherit_codec") {
		c.vars.Set("absolute_codec_string", "") // it has served: what follows is negotiated freely
	}
	c.Log(LogNotice, "Channel [%s] has been answered", c.Name())
	c.Fire(event.ChannelAnswer, nil, nil)
	c.setCallState(CallActive)
	c.presence("unknown", "answered", "", presenceAnswer)
	c.signal(changedMark)
	if !hadMedia {
		c.RunHooks("media")
	}
	c.RunHooks("answer")
	if p := c.Partner(); p != nil {
		p.followAnswer(c)
	}
}

// SetFormat records the codec in force and fires the two CODEC events when it
// changed.
func (c *Channel) SetFormat(f media.Format) {
	c.marking.Lock()
	defer c.marking.Unlock()
	c.mu.Lock()
	same := c.formatRead.SameWire(f) && c.formatRead.PayloadType == f.PayloadType
	c.formatRead, c.formatWrite = f, f
	c.mu.Unlock()
	if same || f.IsZero() {
		return
	}
	rate := strconv.Itoa(f.Codec.Rate)
	c.vars.Set("read_codec", f.Codec.Name)
	c.vars.Set("read_rate", rate)
	bits := strconv.Itoa(f.Codec.BitRate)
	c.Fire(event.Codec, nil, []Var{{"channel-read-codec-name", f.Codec.Name},
		{"channel-read-codec-rate", rate}, {"channel-read-codec-bit-rate", bits}})
	c.vars.Set("write_codec", f.Codec.Name)
	c.vars.Set("write_rate", rate)
	c.Fire(event.Codec, nil, []Var{{"channel-write-codec-name", f.Codec.Name},
		{"channel-write-codec-rate", rate}, {"channel-write-codec-bit-rate", bits}})
}

// Hangup ends the call with a cause. The first cause stands. It may be called
// from any goroutine and does not wait.
func (c *Channel) Hangup(cause Cause) {
	if cause == CauseNone {
		cause = CauseNormalClearing
	}
	c.marking.Lock()
	c.mu.Lock()
	if c.hungup {
		c.mu.Unlock()
		c.marking.Unlock()
		return
	}
	held := c.held
	c.mu.Unlock()
	if held {
		c.unholdLocked()
	}
	c.mu.Lock()
	c.hungup, c.cause, c.state = true, cause, StateHangup
	c.profile().Times.Hungup = time.Now()
	running := c.running
	c.mu.Unlock()
	c.Log(LogNotice, "Hangup %s [%s] [%s]", c.Name(), running, cause)
	c.Fire(event.ChannelHangup, nil, nil)
	c.marking.Unlock()
	c.mu.Lock()
	c.breakBond()
	c.mu.Unlock()
	c.cancel(ErrHungup)
	c.signal(changedMark)
}

// RemoteHold records that the far end put the call on hold, or took it back.
func (c *Channel) RemoteHold(on bool) { c.setHold(on) }

func (c *Channel) setHold(on bool) {
	c.marking.Lock()
	defer c.marking.Unlock()
	if !on {
		c.unholdLocked()
		return
	}
	c.mu.Lock()
	if c.held || c.hungup {
		c.mu.Unlock()
		return
	}
	c.held = true
	c.profile().Times.LastHold = time.Now()
	c.mu.Unlock()
	c.setCallState(CallHeld)
	c.Fire(event.ChannelHold, nil, nil)
	c.presence("unknown", "hold", "", presenceHold)
	c.signal(changedMark)
}

// unholdLocked ends a hold; marking is held.
func (c *Channel) unholdLocked() {
	c.mu.Lock()
	if !c.held {
		c.mu.Unlock()
		return
	}
	c.held = false
	t := &c.profile().Times
	t.HoldAccum += time.Since(t.LastHold)
	answered, up := c.answered, !c.hungup
	c.mu.Unlock()
	if up {
		c.setCallState(CallUnheld)
	}
	c.Fire(event.ChannelUnhold, nil, nil)
	if up && answered {
		c.setCallState(CallActive)
	}
	if up {
		c.presence("unknown", "unhold", "", presenceHold)
	}
	c.signal(changedMark)
}

// PreAnswer opens early media towards an inbound caller; it does nothing if the
// leg has media already.
func (c *Channel) PreAnswer(ctx context.Context) error {
	if c.MediaReady() {
		return nil
	}
	if !c.Up() {
		return ErrHungup
	}
	if c.outbound {
		return ErrNotReady
	}
	if err := c.leg.Progress(ctx); err != nil {
		return err
	}
	c.MarkEarly()
	return nil
}

// Answer answers an inbound call; it does nothing if it is answered already.
func (c *Channel) Answer(ctx context.Context) error {
	if c.Answered() {
		return nil
	}
	if !c.Up() {
		return ErrHungup
	}
	if c.outbound {
		return ErrNotReady
	}
	if err := c.leg.Answer(ctx); err != nil {
		return err
	}
	c.MarkAnswered()
	return nil
}

// RingReady tells an inbound caller that it rings.
func (c *Channel) RingReady(ctx context.Context) error {
	if !c.Up() {
		return ErrHungup
	}
	if c.outbound || c.Ringing() || c.MediaReady() {
		return nil
	}
	if err := c.leg.Ring(ctx); err != nil {
		return err
	}
	c.MarkRinging()
	return nil
}

// HoldFar puts the far end on hold (or takes it back) by signalling, where its
// endpoint can, and marks the call accordingly. It reports whether anything
// changed.
func (c *Channel) HoldFar(ctx context.Context, on bool) (bool, error) {
	if c.Held() == on || !c.Up() {
		return false, nil
	}
	if h, ok := c.leg.(Holder); ok {
		if err := h.Hold(ctx, on); err != nil {
			return false, err
		}
	}
	c.setHold(on)
	return true, nil
}
