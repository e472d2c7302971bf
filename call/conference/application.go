package conference

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/conf"
	"github.com/switchlet/switchlet/media"
)

// errFull is why a room without a free seat refuses.
var errFull = errors.New("conference: no free seat")

// privateID is where a channel keeps the member number that it had first.
const privateID = "conference_member_id"

// entryLead is the silence before sounds at the join, in frames.
const entryLead = 20

// Applications returns the dialplan applications conference and
// conference_set_auto_outcall.
func (rs *Rooms) Applications() []call.Application {
	return []call.Application{
		{Name: "conference", Syntax: "[bridge:]<name>[@<profile>][+<pin>][+flags{mute|moderator}]", Description: "conference", Run: rs.conference},
		{Name: "conference_set_auto_outcall", Syntax: "<dial string>[,<dial string>]", Description: "conference_set_auto_outcall", Flags: call.NoMedia, Run: setAutoOutcall},
	}
}

// conference brings the channel into a room and returns when it has left
// (spec/conference.md §1).
func (rs *Rooms) conference(ctx context.Context, ch *call.Channel, args string) error {
	q, err := parseRequest(args)
	if err != nil {
		return err
	}
	if q.name == "_uuid_" {
		q.name = ch.UUID()
	}
	c := rs.configuration(ctx, q, ch.UUID())
	for ctx.Err() == nil {
		v := &visit{rooms: rs, ch: ch, request: q, conf: c}
		if err = v.run(ctx); !errors.Is(err, errGone) {
			return err
		}
	}
	return context.Cause(ctx)
}

// visit is one call's way into a room and out again.
type visit struct {
	rooms   *Rooms
	ch      *call.Channel
	request request
	conf    configuration

	room     *Room
	created  bool
	released bool
	flags    memberFlag
}

func (v *visit) run(ctx context.Context) error {
	if err := v.enter(ctx); err != nil || v.room == nil {
		return err
	}
	defer v.release()
	r, ch := v.room, v.ch
	if v.created {
		v.hook(ctx)
	}
	if v.request.bridge {
		if err := v.dial(ctx); err != nil {
			return err
		}
	} else if !ch.Outbound() {
		if err := ch.Answer(ctx); err != nil {
			return err
		}
	}
	if ok, err := v.authorise(ctx); !ok {
		return err
	}
	outcalls := takeAutoOutcall(ch)
	m := v.member()
	if ok, err := v.admit(ctx, m.flags&flagGhost != 0); !ok {
		return err
	}
	if !m.silent {
		r.playTo(ctx, ch, r.profile.get("member-enter-sound"))
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	err := errGone
	if !r.do(func() { err = r.add(m) }) {
		return errGone
	}
	switch {
	case errors.Is(err, errFull):
		return v.refuse(ctx, "max_members_reached", "max-members-sound")
	case err != nil:
		return err
	}
	v.release()
	r.startAutoRecord(ch)
	r.callOut(ch, outcalls)
	away, err := m.stay(ctx)
	m.left()
	return r.dismiss(ctx, m, away, err)
}

func (v *visit) release() {
	if !v.released {
		v.released = true
		v.rooms.release(v.room)
	}
}

// enter finds or makes the room. No room and no error mean that the call was
// turned away.
func (v *visit) enter(ctx context.Context) error {
	ch, q := v.ch, v.request
	p := v.conf.profile(q.profile)
	member, room := flagVariables(ch)
	member = append(member, q.flags...)
	room = append(append(room, q.flags...), flagWords(p.get("conference-flags"))...)
	v.flags = memberFlags(member)
	joinOnly := v.flags | memberFlags(flagWords(p.get("member-flags")))
	var create func() *Room
	if joinOnly&flagJoinOnly == 0 {
		create = func() *Room { return newRoom(v.rooms, ch, q, p, roomFlags(room)) }
	}
	var err error
	if v.room, v.created, err = v.rooms.visit(q.name, create); err != nil {
		return err
	}
	switch {
	case v.room == nil:
		return v.turnAway(ctx, p)
	case q.bridge && !v.created:
		ch.Log(call.LogErr, "Conference %s already exists!", q.name)
		v.release()
		v.room = nil
		return nil
	}
	v.flags |= memberFlags(flagWords(v.room.profile.get("member-flags")))
	return nil
}

// turnAway ends a call with join-only to a room that does not exist.
func (v *visit) turnAway(ctx context.Context, p *profile) error {
	fireJoinOnly(v.ch, v.request.name, p.name)
	if !v.ch.Outbound() {
		if err := v.ch.Answer(ctx); err != nil {
			return err
		}
	}
	prefix, _ := v.ch.Lookup("sound_prefix")
	if own := p.get("sound-prefix"); own != "" {
		prefix = own
	}
	if sound := p.get("join-only-sound"); sound != "" {
		v.ch.Play(ctx, soundPath(prefix, sound), call.PlayOptions{})
	}
	if hangsUp(v.ch) {
		v.ch.Hangup(call.CauseNormalClearing)
	}
	return nil
}

// hangsUp reports whether the room may hang the call up (hangup_after_conference).
func hangsUp(ch *call.Channel) bool {
	after := ch.Get("hangup_after_conference")
	return after == "" || call.True(after)
}

// hook runs the API command that api_on_conference_create asks for.
func (v *visit) hook(ctx context.Context) {
	if line := v.ch.Get("api_on_conference_create"); line != "" {
		name, args, _ := strings.Cut(v.ch.Expand(line), " ")
		v.ch.Switch().Run(ctx, name, args, v.ch, nil)
	}
}

// secured reports whether pin and lock apply to the call.
func (v *visit) secured() bool {
	if s := v.ch.Get("conference_enforce_security"); s != "" {
		return call.True(s)
	}
	return !v.ch.Outbound()
}

// authorise asks for the pin (spec/conference.md §5). The moderator's makes a
// moderator.
func (v *visit) authorise(ctx context.Context) (bool, error) {
	r, ch := v.room, v.ch
	var pin, moderator string
	if !r.do(func() { pin, moderator = r.pin, r.modPin }) {
		return false, errGone
	}
	if own := ch.Get("conference_moderator_pin"); own != "" {
		moderator = own
	}
	if pin == "" && moderator == "" || !v.secured() || r.bridge {
		return true, nil
	}
	check := func(typed string) bool {
		switch {
		case typed == "":
			return false
		case moderator != "" && typed == moderator:
			v.flags |= flagModerator
			return true
		}
		return pin != "" && typed == pin
	}
	if check(suppliedPin(ch.Get("supplied_pin"))) {
		return true, nil
	}
	for range r.profile.pinRetries {
		typed, err := v.askPin(ctx, max(len(pin), len(moderator)))
		if err != nil {
			return false, err
		}
		if check(typed) {
			return true, nil
		}
		ch.FlushDigits()
		r.playTo(ctx, ch, r.profile.get("bad-pin-sound"))
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
	}
	v.reject("invalid_pin")
	return false, nil
}

// suppliedPin is the pin that came with the call: the text behind X-ConfPin= up to
// a semicolon, or all of it.
func suppliedPin(s string) string {
	if _, after, ok := strings.Cut(s, "X-ConfPin="); ok {
		s, _, _ = strings.Cut(after, ";")
	}
	return s
}

// pinWait is how long a caller may think before each digit of the pin.
const pinWait = 10 * time.Second

// askPin plays the question, which the first digit stops, and reads a pin.
func (v *visit) askPin(ctx context.Context, digits int) (string, error) {
	ch := v.ch
	got := ""
	if err := ch.Sleep(ctx, entryLead*media.FrameTime, call.WaitOptions{}); err != nil && !errors.Is(err, call.ErrBreak) {
		return "", err
	}
	_, err := ch.Play(ctx, v.room.soundPath(v.room.profile.get("pin-sound")), call.PlayOptions{
		Digit: func(_ *media.Playback, d media.Digit) bool { got = string(d.Char); return true }})
	if err != nil {
		ch.Log(call.LogWarning, "conference %s: %v", v.room.name, err)
	}
	if got == "#" {
		return "", nil
	}
	typed, _, err := ch.Collect(ctx, call.CollectOptions{Max: digits, Terminators: "#", First: pinWait, Inter: pinWait, Got: got})
	if errors.Is(err, call.ErrBreak) {
		err = nil
	}
	return typed, err
}

// reject notes a refused caller for the room's record.
func (v *visit) reject(reason string) {
	r, ch := v.room, v.ch
	ch.Log(call.LogNotice, "Conference %s: %s", r.name, reason)
	p := ch.Profile()
	r.do(func() { r.log.reject(reason, p) })
}

// refuse turns a caller away with a sound; his dialplan goes on.
func (v *visit) refuse(ctx context.Context, reason, sound string) error {
	v.reject(reason)
	v.room.playTo(ctx, v.ch, v.room.profile.get(sound))
	return nil
}

// admit checks lock and size before the caller hears that he enters.
func (v *visit) admit(ctx context.Context, ghost bool) (bool, error) {
	r := v.room
	var locked, full, ending bool
	if !r.do(func() {
		members, _ := r.count()
		locked, ending = r.locked, r.ending
		full = !ghost && r.maxMembers > 0 && members >= r.maxMembers
	}) || ending {
		return false, errGone
	}
	switch {
	case locked && v.secured():
		v.ch.Log(call.LogNotice, "Conference %s is locked.", r.name)
		return false, v.refuse(ctx, "conference_locked", "locked-sound")
	case full:
		v.ch.Log(call.LogNotice, "Conference %s is full.", r.name)
		return false, v.refuse(ctx, "max_members_reached", "max-members-sound")
	}
	return true, nil
}

// member makes the member that the caller will be.
func (v *visit) member() *member {
	m := &member{ch: v.ch, room: v.room, flags: v.flags, silent: v.ch.True("conference_silent_entry"), wake: make(chan struct{}, 1)}
	id, ok := v.ch.Private(privateID).(int)
	if !ok {
		id = v.rooms.nextID()
		v.ch.SetPrivate(privateID, id)
	}
	m.id = id
	m.keys = v.conf.keypad(v.ch, v.room.profile, m.moderator(), m.nudge)
	return m
}

// dismiss does what is left when a member has left: sounds, and the end of the
// call if the room's end asks for it.
func (r *Room) dismiss(ctx context.Context, m *member, away *departure, err error) error {
	ch := m.ch
	switch {
	case away == nil:
		if errors.Is(err, errLeave) {
			return nil
		}
		return err
	case away.ended:
		if hangsUp(ch) {
			ch.Hangup(call.CauseNormalClearing)
		}
	case away.kicked:
		// Without a sound in the profile not even the one that was given is played.
		if own := r.profile.get("kicked-sound"); own != "" {
			if away.sound != "" {
				own = away.sound
			}
			r.playTo(ctx, ch, own)
		}
	}
	return nil
}

// keypad returns the keys of a member (spec/conference.md §4).
func (c configuration) keypad(ch *call.Channel, p *profile, moderator bool, wake func()) *keypad {
	name := ch.Get("conference_controls")
	if name == "" && moderator {
		name = p.get("moderator-controls")
	}
	if name == "" {
		name = p.get("caller-controls")
	}
	if name == "" {
		name = "default"
	}
	k := &keypad{timeout: p.digitTimeout, wake: wake}
	if strings.EqualFold(name, "none") {
		return k
	}
	group := c.root.Child("caller-controls").Find("group", "name", name)
	if group == nil {
		ch.Log(call.LogWarning, "conference: no caller-controls group [%s]", name)
	}
	k.bind(group, ch)
	return k
}

// bind takes the controls of a group over.
func (k *keypad) bind(group *conf.Node, ch *call.Channel) {
	for _, n := range group.ChildrenNamed("control") {
		action, digits := strings.ToLower(n.Attr("action")), n.Attr("digits")
		if _, known := controls[action]; !known || digits == "" {
			ch.Log(call.LogWarning, "%s: unknown control [%s] for [%s]", n.Where(), action, digits)
			continue
		}
		k.bindings = append(k.bindings, control{digits: digits, action: action, data: n.Attr("data")})
	}
}
