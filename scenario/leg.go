package scenario

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/media"
)

func (l *line) attach() {
	if l.attached.Swap(true) {
		return
	}
	l.ch.Port().Attach(l.wire, l.format, media.DTMF{PayloadType: digitType, ClockRate: 8000})
	l.ch.SetFormat(l.format)
}

// Init implements call.Leg. A telephone that is called begins to ring once the
// channel has told of itself.
func (l *line) Init(_ context.Context, ch *call.Channel) error {
	if ch.Outbound() {
		ch.AfterInit(l.called)
	}
	return nil
}

// called rings.
func (l *line) called() {
	l.tell(time.Now(), l.name, "is called by "+l.ch.Profile().CallerNumber)
	if len(l.deeds) > 0 && l.deeds[0].kind == deedFail && l.deeds[0].after == 0 {
		l.act(l.deeds[0])
		return
	}
	l.ch.MarkRinging()
	if len(l.deeds) > 0 {
		l.ch.Switch().Go(func() { l.live(l.deeds) })
	}
}

// live does what the scenario says of the telephone.
func (l *line) live(deeds []deed) {
	for _, d := range deeds {
		t := time.NewTimer(d.after)
		select {
		case <-t.C:
		case <-l.ch.Context().Done():
			t.Stop()
			return
		}
		var wait <-chan struct{}
		switch d.kind {
		case deedSay:
			done, err := l.speak(l.ch.Context(), d.sound, 0)
			if err != nil {
				l.tell(time.Now(), l.name, "cannot say "+d.sound.String()+": "+err.Error())
				return
			}
			l.tell(time.Now(), l.name, "says "+d.sound.String())
			wait = done
		case deedPress:
			l.tell(time.Now(), l.name, "presses "+d.digits)
			done := make(chan struct{})
			timer := time.AfterFunc(l.press(d.digits, 0), func() { close(done) })
			defer timer.Stop()
			wait = done
		default:
			l.act(d)
			continue
		}
		select {
		case <-wait:
		case <-l.ch.Context().Done():
			return
		}
	}
}

// act does at once what a far end or caller may do.
func (l *line) act(d deed) {
	switch d.kind {
	case deedAnswer:
		l.tell(time.Now(), l.name, "answers")
		l.mu.Lock()
		l.answered = true
		l.mu.Unlock()
		l.attach()
		l.ch.MarkAnswered()
	case deedFail:
		l.tell(time.Now(), l.name, "fails with "+d.cause.String())
		l.ch.Hangup(d.cause)
	case deedHangup:
		l.tell(time.Now(), l.name, "hangs up")
		cause := call.CauseNormalClearing
		if !l.ch.Outbound() && !l.ch.Answered() {
			cause = call.CauseOriginatorCancel
		}
		l.ch.Hangup(cause)
	}
}

// Ring implements call.Leg.
func (l *line) Ring(context.Context) error {
	l.mu.Lock()
	l.ringing = true
	l.mu.Unlock()
	l.tell(time.Now(), l.name, "is told that it rings")
	return nil
}

// Progress implements call.Leg.
func (l *line) Progress(context.Context) error {
	l.attach()
	l.tell(time.Now(), l.name, "gets early media")
	return nil
}

// Answer implements call.Leg.
func (l *line) Answer(context.Context) error {
	l.attach()
	l.ch.MarkEarly()
	l.mu.Lock()
	l.answered = true
	l.mu.Unlock()
	l.tell(time.Now(), l.name, "is answered")
	return nil
}

// Hangup implements call.Leg.
func (l *line) Hangup(cause call.Cause) {
	now := time.Now()
	l.ear.close(now)
	l.mu.Lock()
	l.over, l.cause = true, cause
	l.hush()
	l.mu.Unlock()
	l.tell(now, l.name, "is hung up: "+cause.String())
}

// Hold implements call.Holder.
func (l *line) Hold(_ context.Context, on bool) error {
	if on {
		l.tell(time.Now(), l.name, "is put on hold")
	} else {
		l.tell(time.Now(), l.name, "is taken off hold")
	}
	return nil
}

// Redirect implements call.Redirector.
func (l *line) Redirect(_ context.Context, targets string) error {
	l.tell(time.Now(), l.name, "is redirected to "+targets)
	l.ch.Hangup(call.CauseNormalUnspecified)
	return nil
}

// Deflect implements call.Redirector.
func (l *line) Deflect(_ context.Context, target string) (string, error) {
	l.tell(time.Now(), l.name, "is sent away to "+target)
	return "SIP/2.0 202 Accepted", nil
}

// Respond implements call.Responder.
func (l *line) Respond(ctx context.Context, status int, reason string) error {
	l.tell(time.Now(), l.name, strings.TrimSpace(fmt.Sprintf("gets status %d %s", status, reason)))
	switch {
	case status == 180:
		return l.ch.RingReady(ctx)
	case status == 183:
		return l.ch.PreAnswer(ctx)
	case status >= 200 && status < 300:
		return l.ch.Answer(ctx)
	case status >= 300:
		l.ch.Hangup(causeOf(status))
	}
	return nil
}

// causeOf is what a SIP status means.
func causeOf(status int) call.Cause {
	switch status {
	case 486, 600:
		return call.CauseUserBusy
	case 401, 402, 403, 407, 603:
		return call.CauseCallRejected
	case 404, 485, 604:
		return call.CauseUnallocatedNumber
	case 408, 504:
		return call.CauseRecoveryOnTimerExpire
	case 480:
		return call.CauseNoUserResponse
	case 484:
		return call.CauseInvalidNumberFormat
	case 488, 606:
		return call.CauseIncompatibleDestination
	case 400, 481, 500, 503:
		return call.CauseNormalTemporaryFailure
	}
	return call.CauseNormalUnspecified
}

// Display implements call.Displayer.
func (l *line) Display(_ context.Context, name, number string) error {
	l.tell(time.Now(), l.name, fmt.Sprintf("sees %q <%s>", name, number))
	return nil
}

// Message implements call.Messenger.
func (l *line) Message(_ context.Context, e *event.Event) error {
	l.tell(time.Now(), l.name, "gets the message "+fmt.Sprintf("%q", e.Body))
	return nil
}
