package endpoint

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/media"
)

// Null makes legs that answer at once, swallow all sound and make silence:
// null/NAME. Variables: null_enable_auto_answer, null_auto_answer_delay (ms),
// null_pre_answer, null_hangup_cause. null/cause-CAUSE fails with the cause.
type Null struct{}

// Dial implements call.Endpoint.
func (Null) Dial(_ context.Context, sw *call.Switch, r *call.DialRequest) (*call.Channel, error) {
	leg := &nullLeg{sw: sw}
	p := r.Caller
	p.Destination = r.Data
	c, err := sw.NewChannel(leg, call.NewChannelOptions{UUID: r.UUID, Name: "null/" + r.Data,
		Module: "mod_loopback", Profile: p, Outbound: true})
	if err != nil {
		return nil, err
	}
	f := localFormat(sw)
	c.Port().Attach(media.Null(), f, media.DTMF{})
	c.SetFormat(f)
	return c, nil
}

type nullLeg struct {
	sw *call.Switch
	ch *call.Channel

	mu     sync.Mutex
	timer  *time.Timer
	ended  bool
	queued string
}

// Init decides what the far end does.
func (l *nullLeg) Init(_ context.Context, ch *call.Channel) error {
	l.ch = ch
	if cause, ok := strings.CutPrefix(ch.Profile().Destination, "cause-"); ok {
		ch.Hangup(call.ParseCause(cause))
		return nil
	}
	delay, _ := strconv.Atoi(ch.Get("null_auto_answer_delay"))
	auto := ch.Get("null_enable_auto_answer")
	// The far end acts when the channel has told of itself: after CS_INIT.
	act := func() {
		if ch.True("null_pre_answer") {
			ch.MarkEarly()
		}
		if auto != "" && !call.True(auto) {
			return
		}
		if delay <= 0 {
			ch.MarkAnswered()
			return
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if !l.ended {
			l.timer = time.AfterFunc(time.Duration(delay)*time.Millisecond, ch.MarkAnswered)
		}
	}
	ch.AfterInit(act)
	return nil
}

func (l *nullLeg) Ring(context.Context) error     { return nil }
func (l *nullLeg) Progress(context.Context) error { return nil }
func (l *nullLeg) Answer(context.Context) error   { return nil }

// SendDigit keeps what was sent in null_channel_dtmf_queued, for tests of
// dialplans.
func (l *nullLeg) SendDigit(d media.Digit) error {
	l.mu.Lock()
	l.queued += string(d.Char)
	all := l.queued
	l.mu.Unlock()
	l.ch.Set("null_channel_dtmf_queued", all)
	return nil
}

func (l *nullLeg) Hangup(call.Cause) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	if l.timer != nil {
		l.timer.Stop()
	}
}
