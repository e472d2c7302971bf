package conference

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
)

// dialTimeout is how long a call into a room may ring, in the absence of other
// wishes.
const dialTimeout = 60 * time.Second

// outcall is a call that brings somebody into a room.
type outcall struct {
	room, profile string
	dial          string
	flags         string
	originator    *call.Channel
	timeout       time.Duration
	name, number  string
	vars          []call.Var
	announce      string
}

// place makes the call and sends who answers into the room. The error is a
// call.Cause.
func (rs *Rooms) place(ctx context.Context, o outcall) (*call.Channel, error) {
	if o.timeout <= 0 {
		o.timeout = dialTimeout
	}
	if o.name == "" {
		o.name = "conference"
	}
	if o.number == "" {
		o.number = "0000000000"
	}
	ch, err := rs.opts.Dial(ctx, rs.sw, o.dial, DialOptions{Originator: o.originator, Timeout: o.timeout,
		CallerName: o.name, CallerNumber: o.number, Vars: o.vars})
	if err != nil {
		return nil, call.CauseOf(err, call.CauseDestinationOutOfOrder)
	}
	data := o.room
	if o.profile != "" {
		data += "@" + o.profile
	}
	if flags := strings.Join(flagWords(o.flags+"|"+ch.Get("outcall_flags")), "|"); flags != "" {
		data += "+flags{" + flags + "}"
	}
	ext := &call.Extension{Name: "conference", Actions: []call.Action{{App: "conference", Data: data}}}
	if o.announce != "" {
		ext.Actions = append([]call.Action{{App: "playback", Data: o.announce}}, ext.Actions...)
	}
	if err := ch.TransferTo(ext); err != nil {
		cause := ch.Cause()
		if ch.Up() {
			cause = call.CauseDestinationOutOfOrder
			ch.Hangup(cause)
		}
		return nil, cause
	}
	return ch, nil
}

// dial calls the other end of a bridge and waits until it answers.
func (v *visit) dial(ctx context.Context) error {
	r := v.room
	ctx, stop := until(ctx, r.ctx)
	defer stop(nil)
	_, err := v.rooms.place(ctx, outcall{room: r.name, profile: v.request.profile, dial: v.request.dial, originator: v.ch,
		name: v.ch.Profile().CallerName, number: v.ch.Profile().CallerNumber})
	return err
}

// until returns a context that ends with either of two.
func until(ctx, other context.Context) (context.Context, func(error)) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(other, func() { cancel(call.CauseOriginatorCancel) })
	return ctx, func(err error) { stop(); cancel(err) }
}

// background runs fn in a goroutine that Close waits for. It reports false when
// the rooms are closed.
func (rs *Rooms) background(fn func()) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.closed {
		return false
	}
	rs.work.Go(fn)
	return true
}

// Bounds of conference_auto_outcall_timeout, in seconds.
const (
	minOutcall = 10
	maxOutcall = 500
)

// privateOutcall is where a channel keeps the dial strings of
// conference_set_auto_outcall until it joins.
const privateOutcall = "conference_auto_outcall"

// maxOutcalls bounds the calls that a member makes on joining.
const maxOutcalls = 50

func setAutoOutcall(_ context.Context, ch *call.Channel, args string) error {
	if args == "" {
		ch.SetPrivate(privateOutcall, nil)
		return nil
	}
	delimiter := ch.Get("conference_auto_outcall_delimiter")
	if len(delimiter) != 1 {
		delimiter = ","
	}
	list, _ := ch.Private(privateOutcall).([]string)
	for _, one := range strings.Split(args, delimiter) {
		if one = strings.TrimSpace(one); one != "" && len(list) < maxOutcalls {
			list = append(list, one)
		}
	}
	ch.SetPrivate(privateOutcall, list)
	return nil
}

func takeAutoOutcall(ch *call.Channel) []string {
	list, _ := ch.Private(privateOutcall).([]string)
	ch.SetPrivate(privateOutcall, nil)
	return list
}

// callOut makes the calls that the newcomer asked for with
// conference_set_auto_outcall.
func (r *Room) callOut(ch *call.Channel, list []string) {
	if len(list) == 0 {
		return
	}
	o := outcall{room: r.name, profile: ch.Get("conference_auto_outcall_profile"),
		flags: ch.Get("conference_utils_auto_outcall_flags"), announce: ch.Get("conference_auto_outcall_announce"),
		name: ch.Get("conference_auto_outcall_caller_id_name"), number: ch.Get("conference_auto_outcall_caller_id_number")}
	if o.profile == "" {
		o.profile = r.profile.name
	}
	if s, err := strconv.Atoi(ch.Get("conference_auto_outcall_timeout")); err == nil && s >= minOutcall && s <= maxOutcall {
		o.timeout = time.Duration(s) * time.Second
	}
	if p := ch.Profile(); o.name == "" && o.number == "" {
		o.name, o.number = p.CallerName, p.CallerNumber
	}
	for _, name := range strings.Split(ch.Get("conference_auto_outcall_export_vars"), ",") {
		if v := ch.Get(name); name != "" && v != "" {
			o.vars = append(o.vars, call.Var{Name: name, Value: v})
		}
	}
	prefix := ch.Get("conference_auto_outcall_prefix")
	for _, one := range list {
		o.dial = prefix + one
		r.placeBehind(o, "", nil)
	}
	if !ch.True("conference_auto_outcall_skip_member_beep") {
		r.do(func() {
			for _, m := range r.members {
				if m.ch == ch {
					m.play("tone_stream://%(500,0,640)", false)
				}
			}
		})
	}
}

// placeBehind makes a call in the background, which the room's end cancels. tell,
// if not nil, learns the outcome in the room's goroutine.
func (r *Room) placeBehind(o outcall, job string, tell func(ch *call.Channel, cause call.Cause)) bool {
	if job != "" {
		o.vars = append(o.vars[:len(o.vars):len(o.vars)], call.Var{Name: "conference_bgdial_jobid", Value: job})
	}
	return r.rooms.background(func() {
		ch, err := r.rooms.place(r.ctx, o)
		if tell != nil {
			cause := call.CauseSuccess
			if err != nil {
				cause = call.CauseOf(err, call.CauseDestinationOutOfOrder)
			}
			r.post(func() { tell(ch, cause) })
		}
	})
}

// dialResult tells how a call in the background went.
func (r *Room) dialResult(job string) func(ch *call.Channel, cause call.Cause) {
	return func(ch *call.Channel, cause call.Cause) {
		about := []call.Var{{Name: "Result", Value: cause.String()}, {Name: "Job-UUID", Value: job}}
		if ch != nil {
			about = append(about, call.Var{Name: "Peer-UUID", Value: ch.UUID()})
		}
		r.fireWith("bgdial-result", "bgdial-result", nil, about, nil)
	}
}
