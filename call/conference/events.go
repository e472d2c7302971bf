package conference

import (
	"strconv"
	"strings"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
)

// Maintenance is the subclass of the events that tell what happens in rooms
// (spec/conference.md §7).
const Maintenance = "conference::maintenance"

// Report is the subclass of the event with a room's record.
const Report = "conference::cdr"

// place is what Event-Calling-File and its kin say.
const (
	callingFile     = "conference_event.c"
	callingFunction = "conference_event_fire"
)

// wanted reports whether an event of that kind is to be made.
func (r *Room) wanted(kind string) bool {
	return !r.profile.suppresses(kind) && r.sw.Bus.Wanted(event.Custom, Maintenance)
}

// fire publishes an event of the room, or of one of its members. kind is its name
// in suppress-events, "" for none. The headers stand behind Action.
func (r *Room) fire(action, kind string, m *member, about ...call.Var) {
	r.fireWith(action, kind, m, nil, about)
}

// fireWith is fire with headers before Action.
func (r *Room) fireWith(action, kind string, m *member, before, after []call.Var) {
	if !r.wanted(kind) {
		return
	}
	e := event.New(event.Custom, Maintenance)
	r.describe(e, m)
	addAll(e, before)
	e.Add("Action", action)
	addAll(e, after)
	r.sw.Bus.Publish(e, callingFile, callingFunction, 1)
}

func addAll(e *event.Event, list []call.Var) {
	for _, v := range list {
		e.Add(v.Name, v.Value)
	}
}

// describe adds the room's headers, and a member's if there is one.
func (r *Room) describe(e *event.Event, m *member) {
	members, ghosts := r.count()
	e.Add("Conference-Name", r.name)
	e.Add("Conference-Domain", r.domain)
	e.Add("Conference-Size", strconv.Itoa(members))
	e.Add("Conference-Ghosts", strconv.Itoa(ghosts))
	e.Add("Conference-Profile-Name", r.profile.name)
	e.Add("Conference-Unique-ID", r.uuid)
	addAll(e, r.vars.All())
	if m == nil {
		return
	}
	is := func(name string, on bool) { e.Add(name, strconv.FormatBool(on)) }
	is("Floor", r.floor == m)
	addChannel(e, m.ch, r.profile.verbose)
	last, _ := m.seat.Score()
	is("Video", false)
	is("Hear", !m.seat.Deaf())
	is("See", false)
	is("Speak", !m.seat.Muted())
	is("Talking", m.talking)
	is("Mute-Detect", m.flags&flagMuteDetect != 0)
	is("Hold", m.held)
	e.Add("Member-ID", strconv.Itoa(m.id))
	e.Add("Member-Type", m.kind())
	is("Member-Ghost", m.flags&flagGhost != 0)
	e.Add("Energy-Level", strconv.Itoa(m.seat.Energy()))
	e.Add("Current-Energy", strconv.Itoa(last))
}

func (m *member) kind() string {
	if m.moderator() {
		return "moderator"
	}
	return "member"
}

// addChannel adds the channel's block, with all its variables if verbose.
func addChannel(e *event.Event, ch *call.Channel, verbose bool) {
	if verbose {
		ch.AddTo(e)
		return
	}
	// The block depends on the event's type: this one's has no variables.
	basic := event.New(event.ChannelState, "")
	ch.AddTo(basic)
	e.Headers = append(e.Headers, basic.Headers...)
}

// fireFloor tells that the floor changed hands.
func (r *Room) fireFloor(from, to *member) {
	if !r.wanted("floor-change") {
		return
	}
	id := func(m *member) string {
		if m == nil {
			return "none"
		}
		return strconv.Itoa(m.id)
	}
	e := event.New(event.Custom, Maintenance)
	r.describe(e, nil)
	e.Add("Action", "floor-change")
	e.Add("Old-ID", id(from))
	if to != nil {
		r.describe(e, to)
	}
	e.Add("New-ID", id(to))
	r.sw.Bus.Publish(e, callingFile, callingFunction, 1)
}

// firePlayed tells of a file that has ended. Of a member's file, Action stands
// before his headers.
func (r *Room) firePlayed(t *track, about []call.Var) {
	if !r.wanted("play-file-done") {
		return
	}
	e := event.New(event.Custom, Maintenance)
	if t.member == nil {
		r.describe(e, nil)
		addAll(e, about)
		e.Add("Action", "play-file-done")
	} else {
		addAll(e, about)
		e.Add("Action", "play-file-member-done")
		r.describe(e, t.member)
	}
	_, bare := cutParams(t.uri)
	e.Add("File", bare)
	if t.async {
		e.Add("Async", "true")
	}
	r.sw.Bus.Publish(e, callingFile, callingFunction, 1)
}

// fireJoinOnly tells of a caller who found no room and must not make one.
func fireJoinOnly(ch *call.Channel, room, profile string) {
	bus := ch.Switch().Bus
	if !bus.Wanted(event.Custom, Maintenance) {
		return
	}
	e := event.New(event.Custom, Maintenance)
	addChannel(e, ch, false)
	e.Add("Conference-Name", room)
	e.Add("Conference-Profile-Name", profile)
	e.Add("Action", "rejected-join-only")
	bus.Publish(e, callingFile, callingFunction, 1)
}

// presence tells the subscribers of the room's address how many are in it.
func (r *Room) presence() {
	if !r.sw.Bus.Wanted(event.PresenceIn, "") {
		return
	}
	from := r.name
	if !strings.Contains(from, "@") {
		from += "@" + r.domain
	}
	members, _ := r.count()
	state, status := "confirmed", "Active ("+strconv.Itoa(members)+" caller"
	switch members {
	case 0:
		state, status = "terminated", "Inactive"
	case 1:
		state, status = "early", status+")"
	default:
		status += "s)"
	}
	e := event.New(event.PresenceIn, "")
	addAll(e, []call.Var{{Name: "proto", Value: "conf"}, {Name: "login", Value: r.name}, {Name: "from", Value: from},
		{Name: "force-status", Value: status}, {Name: "rpid", Value: "active"}, {Name: "event_type", Value: "presence"},
		{Name: "alt_event_type", Value: "dialog"}, {Name: "unique-id", Value: r.uuid}, {Name: "channel-state", Value: "CS_ROUTING"},
		{Name: "answer-state", Value: state}, {Name: "call-direction", Value: "inbound"}})
	r.sw.Bus.Publish(e, callingFile, "conference_send_presence", 1)
}
