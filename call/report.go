package call

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call/event"
)

// report sets the variables of the finished call, in the reference's order
// (spec/esl.md §5.7).
func (c *Channel) report() {
	c.mu.Lock()
	p := c.profile()
	t, first, caller := p.Times, c.profiles[0].Times, callerID(p)
	c.mu.Unlock()
	set := c.vars.Set
	cause := c.Cause()
	set("hangup_cause", cause.String())
	set("hangup_cause_q850", strconv.Itoa(cause.Q850()))
	if c.vars.Get("digits_dialed") == "" {
		set("digits_dialed", "none")
	}
	end := t.Hungup
	var second time.Time // whose text is last: most moments of a short call are in one
	var last string
	stamp := func(name string, at time.Time) {
		if at.IsZero() {
			return
		}
		if s := at.Truncate(time.Second); !s.Equal(second) {
			second, last = s, at.Format("2006-01-02 15:04:05")
		}
		set(name+"_stamp", last)
	}
	stamp("start", first.Created)
	stamp("profile_start", t.ProfileCreated)
	stamp("answer", t.Answered)
	stamp("bridge", t.Bridged)
	stamp("progress", t.Progress)
	stamp("progress_media", t.ProgressMedia)
	stamp("end", end)
	epoch := func(name string, at time.Time) {
		sec, usec := "0", "0"
		if !at.IsZero() {
			sec, usec = strconv.FormatInt(at.Unix(), 10), strconv.FormatInt(at.UnixMicro(), 10)
		}
		set(name+"_epoch", sec)
		set(name+"_uepoch", usec)
	}
	epoch("start", first.Created)
	epoch("profile_start", t.ProfileCreated)
	epoch("answer", t.Answered)
	epoch("bridge", t.Bridged)
	epoch("last_hold", t.LastHold)
	set("hold_accum_seconds", strconv.FormatInt(int64(t.HoldAccum.Seconds()), 10))
	set("hold_accum_usec", strconv.FormatInt(t.HoldAccum.Microseconds(), 10))
	set("hold_accum_ms", strconv.FormatInt(t.HoldAccum.Milliseconds(), 10))
	epoch("resurrect", t.Resurrected)
	epoch("progress", t.Progress)
	epoch("progress_media", t.ProgressMedia)
	epoch("end", end)
	app, data := c.LastApplication()
	set("last_app", app)
	set("last_arg", data)
	set("caller_id", caller)
	since := func(from, to time.Time) time.Duration {
		if from.IsZero() || to.IsZero() || to.Before(from) {
			return 0
		}
		return to.Sub(from)
	}
	durations := []struct {
		names [3]string
		d     time.Duration
	}{
		{[3]string{"duration", "mduration", "uduration"}, since(first.Created, end)},
		{[3]string{"billsec", "billmsec", "billusec"}, since(t.Answered, end)},
		{[3]string{"progresssec", "progressmsec", "progressusec"}, since(first.Created, t.Progress)},
		{[3]string{"answersec", "answermsec", "answerusec"}, since(first.Created, t.Answered)},
		{[3]string{"waitsec", "waitmsec", "waitusec"}, since(first.Created, t.Bridged)},
		{[3]string{"progress_mediasec", "progress_mediamsec", "progress_mediausec"}, since(first.Created, t.ProgressMedia)},
		{[3]string{"flow_billsec", "flow_billmsec", "flow_billusec"}, since(first.Created, end)},
	}
	// Seconds are counted between whole seconds, as billing does.
	for _, d := range durations {
		set(d.names[0], strconv.FormatInt(int64((d.d+500*time.Millisecond)/time.Second), 10))
	}
	for _, d := range durations {
		set(d.names[1], strconv.FormatInt(d.d.Milliseconds(), 10))
	}
	for _, d := range durations {
		set(d.names[2], strconv.FormatInt(d.d.Microseconds(), 10))
	}
	c.runHook("api_reporting_hook")
}

// FirstProfile returns a copy of the profile that the call began with.
func (c *Channel) FirstProfile() Profile {
	c.mu.Lock()
	defer c.mu.Unlock()
	return *c.profiles[0].clone()
}

func callerID(p *Profile) string {
	if p.CallerNumber == "" {
		return p.CallerName
	}
	return fmt.Sprintf("%q <%s>", p.CallerName, p.CallerNumber)
}

// runHangupHooks runs what was registered with OnHangup and api_hangup_hook.
func (c *Channel) runHangupHooks() {
	c.mu.Lock()
	hooks := c.onHangup
	c.onHangup = nil
	c.mu.Unlock()
	for _, fn := range hooks {
		c.guard("hangup hook", func() { fn(c) })
	}
	c.runHook("api_hangup_hook")
}

// runHook runs the API command that a variable names. The command finds the
// channel's data in its parameters, and the channel itself only with
// session_in_hangup_hook.
func (c *Channel) runHook(variable string) {
	text := c.Get(variable)
	if text == "" {
		return
	}
	name, args, _ := strings.Cut(c.Expand(text), " ")
	data := event.New(event.ChannelData, "")
	c.AddTo(data)
	params := make(map[string]string, len(data.Headers))
	for _, h := range data.Headers {
		params[h.Name] = h.Value
	}
	for _, v := range c.vars.All() {
		params[v.Name] = v.Value
	}
	var caller *Channel
	if c.True("session_in_hangup_hook") {
		caller = c
	}
	out, err := c.sw.Run(c.sw.ctx, name, args, caller, params)
	c.Log(LogDebug, "Hangup Command %s %s(%s):\n%s", name, map[bool]string{true: "with Session", false: ""}[caller != nil], args, out)
	if err != nil {
		c.Log(LogErr, "%s %s: %v", variable, name, err)
	}
}
