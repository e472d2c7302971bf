package webrtc

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call/event"
)

// conferenceEvents is the subclass in which conferences tell what happens.
const conferenceEvents = "conference::maintenance"

// room is the live array of one conference: its rows as browsers see them.
type room struct {
	name, domain string
	serno        int64
	members      []*memberRow // in order of joining
	left         []*memberRow // the last who have left
}

// memberRow is one row.
type memberRow struct {
	uuid      string
	id        int
	since     time.Time
	moderator bool
	sessid    string // of the browser whose call it is, which outlives the call; "" for all others
	uid       string
	status    memberStatus
	row       []any // never changed, only replaced
}

// memberStatus is what a row tells of a member's sound.
type memberStatus struct {
	muted, deaf, held, talking, floor bool
	energy                            int
}

// channel is the event channel of a kind: liveArray, chat, info or mod.
func (r *room) channel(kind string) string {
	if strings.Contains(r.name, "@") {
		return "conference-" + kind + "." + r.name
	}
	return "conference-" + kind + "." + r.name + "@" + r.domain
}

// label is the room's name in its messages: without a domain.
func (r *room) label() string {
	name, _, _ := strings.Cut(r.name, "@")
	return name
}

// channels are those that a member is granted: everybody's, and for moderators
// the one for commands (spec/verto.md §13.5).
func (r *room) channels(moderator bool) []string {
	list := []string{r.channel("liveArray"), r.channel("chat"), r.channel("info")}
	if moderator {
		list = append(list, r.channel("mod"))
	}
	return list
}

// conferenceEvent follows the members of conferences.
func (s *Server) conferenceEvent(e *event.Event) {
	name, action := e.Get("Conference-Name"), e.Get("Action")
	if name == "" {
		return
	}
	s.live.Lock()
	defer s.live.Unlock()
	switch action {
	case "add-member":
		s.memberJoined(name, e)
	case "del-member":
		s.memberLeft(name, e)
	case "conference-destroy":
		s.roomClosed(name)
	case "floor-change":
		s.floorLeft(name, e.Get("Old-ID"))
		s.memberChanged(name, e)
	case "start-talking", "stop-talking", "mute-member", "unmute-member", "deaf-member", "undeaf-member",
		"hold-member", "unhold-member":
		s.memberChanged(name, e)
	}
}

// roomOf finds a room; make creates it. s.mu is held.
func (s *Server) roomOf(name string, e *event.Event) *room {
	r := s.rooms[name]
	if r == nil && e != nil {
		domain := ""
		if _, after, ok := strings.Cut(name, "@"); ok {
			domain = after
		} else if domain = e.Get("Conference-Domain"); domain == "" {
			if _, at, ok := strings.Cut(e.Get("variable_presence_id"), "@"); ok {
				domain = at
			}
		}
		r = &room{name: name, domain: orElse(domain, "cluecon.com")}
		s.rooms[name] = r
	}
	return r
}

// statusOf reads a member's status from an event about him.
func statusOf(e *event.Event) memberStatus {
	yes := func(header string) bool { return e.Get(header) == "true" }
	energy, _ := strconv.Atoi(e.Get("Current-Energy"))
	return memberStatus{muted: !yes("Speak"), deaf: !yes("Hear"), held: yes("Hold"), talking: yes("Talking"), floor: yes("Floor"), energy: energy}
}

// text is the status as a row has it: JSON in a string (spec/verto.md §9).
func (m memberStatus) text() string {
	old := "ACTIVE"
	switch {
	case m.held:
		old = "HOLD"
	case m.muted:
		old = "MUTE"
	case m.talking && m.floor:
		old = "TALKING (FLOOR)"
	case m.floor:
		old = "FLOOR"
	case m.talking:
		old = "TALKING"
	}
	status, _ := json.Marshal(object{{"audio", object{{"muted", m.muted}, {"deaf", m.deaf}, {"onHold", m.held},
		{"talking", m.talking}, {"floor", m.floor}, {"energyScore", m.energy}}}, {"video", false}, {"oldStatus", old}})
	return string(status)
}

// row makes the row of a member (spec/verto.md §9).
func (s *Server) row(e *event.Event, id int, status memberStatus) []any {
	codec := e.Get("Channel-Read-Codec-Name") + "@" + e.Get("Channel-Read-Codec-Rate")
	own := object{}
	if c := s.sw.Find(e.Get("Unique-ID")); c != nil {
		for _, v := range c.Vars().All() {
			if name, ok := strings.CutPrefix(v.Name, ownPrefix); ok {
				own = own.with(name, v.Value)
			}
		}
	}
	return []any{fmt.Sprintf("%04d", id), e.Get("Caller-Caller-ID-Number"), e.Get("Caller-Caller-ID-Name"), codec, status.text(), own, nil}
}

func (s *Server) memberJoined(name string, e *event.Event) {
	id, _ := strconv.Atoi(e.Get("Member-ID"))
	status := statusOf(e)
	m := &memberRow{uuid: e.Get("Unique-ID"), id: id, since: time.Now(), moderator: e.Get("Member-Type") == "moderator", status: status, row: s.row(e, id, status)}
	s.mu.Lock()
	if l := s.legs[m.uuid]; l != nil {
		m.sessid, m.uid = l.sessid, l.uid
	}
	r := s.roomOf(name, e)
	r.members = append(r.members, m)
	index := len(r.members) - 1
	s.mu.Unlock()
	s.tellMember(r, m, "conference-liveArray-join")
	s.change(r, "add", m, index)
	s.change(r, "modify", m, -1)
	s.roomChanged(r)
}

func (s *Server) memberLeft(name string, e *event.Event) {
	uuid := e.Get("Unique-ID")
	s.mu.Lock()
	r := s.roomOf(name, nil)
	var m *memberRow
	if r != nil {
		if i := slices.IndexFunc(r.members, func(m *memberRow) bool { return m.uuid == uuid }); i >= 0 {
			m = r.members[i]
			r.members = slices.Delete(r.members, i, i+1)
			r.hasLeft(m)
		}
	}
	s.mu.Unlock()
	if m == nil {
		return
	}
	s.change(r, "del", m, -1)
	s.tellMember(r, m, "conference-liveArray-part")
	s.roomChanged(r)
}

// member finds a member of a room, nil if there is none such; s.mu is held.
func (s *Server) member(name string, is func(*memberRow) bool) (*room, *memberRow) {
	r := s.rooms[name]
	if r == nil {
		return nil, nil
	}
	if i := slices.IndexFunc(r.members, is); i >= 0 {
		return r, r.members[i]
	}
	return r, nil
}

// memberChanged tells the new row of the member whom an event is about.
func (s *Server) memberChanged(name string, e *event.Event) {
	uuid := e.Get("Unique-ID")
	if uuid == "" {
		return
	}
	s.mu.Lock()
	r, m := s.member(name, func(m *memberRow) bool { return m.uuid == uuid })
	s.mu.Unlock()
	if m == nil {
		return
	}
	status := statusOf(e)
	row := s.row(e, m.id, status)
	s.mu.Lock()
	m.status, m.row = status, row
	s.mu.Unlock()
	s.change(r, "modify", m, -1)
}

// floorLeft tells that a member has the floor no longer; the event of the change is
// about the one who has it now.
func (s *Server) floorLeft(name, id string) {
	n, err := strconv.Atoi(id)
	if err != nil {
		return // nobody had it
	}
	s.mu.Lock()
	r, m := s.member(name, func(m *memberRow) bool { return m.id == n })
	if m == nil || !m.status.floor {
		s.mu.Unlock()
		return
	}
	m.status.floor = false
	m.row = slices.Clone(m.row)
	m.row[4] = m.status.text()
	s.mu.Unlock()
	s.change(r, "modify", m, -1)
}

// roomWith finds the room that a call is in, and its member; nil if there is none.
func (s *Server) roomWith(uuid string) (*room, *memberRow) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.rooms {
		if r, m := s.member(name, func(m *memberRow) bool { return m.uuid == uuid }); m != nil {
			return r, m
		}
	}
	return nil, nil
}

// rejoined tells a browser that has taken its call up again that the call is in a
// conference, which gives the new socket its rights.
func (s *Server) rejoined(l *leg) {
	s.live.Lock()
	defer s.live.Unlock()
	if r, m := s.roomWith(l.uuid); m != nil {
		s.tellMember(r, m, "conference-liveArray-join")
	}
}

func (s *Server) roomClosed(name string) {
	s.mu.Lock()
	r := s.rooms[name]
	delete(s.rooms, name)
	s.mu.Unlock()
	if r != nil {
		la := r.channel("liveArray")
		s.publishTo(la, object{{"eventChannel", la}, {"data", object{{"action", "clear"}, {"name", r.label()}, {"wireSerno", -1}, {"data", object{}}}}})
	}
}

// change tells the subscribers of a room what happened to a row. s.live is held, so that
// changes go out in the order of their numbers.
func (s *Server) change(r *room, action string, m *memberRow, index int) {
	s.mu.Lock()
	r.serno++
	serno, row := r.serno, m.row
	s.mu.Unlock()
	data := object{{"action", action}}
	if index >= 0 {
		data = data.with("arrIndex", index)
	}
	data = append(data, member{"name", r.label()}, member{"hashKey", m.uuid}, member{"wireSerno", serno}, member{"data", row})
	la := r.channel("liveArray")
	s.publishTo(la, object{{"eventChannel", la}, {"data", data}})
}

// lost are the channels of a room that the browser of a member who left has no right to
// any more: it may have another call there.
func (s *Server) lost(r *room, left *memberRow) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	lost := r.channels(true)
	for _, m := range r.members {
		if m.sessid == left.sessid && m.uid == left.uid {
			lost = slices.DeleteFunc(lost, func(name string) bool { return slices.Contains(r.channels(m.moderator), name) })
		}
	}
	return lost
}

// tellMember tells a browser that its call is in a conference, or no more, and
// grants or revokes the channels.
func (s *Server) tellMember(r *room, m *memberRow, action string) {
	k := s.online(m.sessid)
	if k == nil || k.who().uid != m.uid {
		return
	}
	role := "participant"
	if m.moderator {
		role = "moderator"
	}
	if strings.HasSuffix(action, "join") {
		k.grant(r.channels(m.moderator)...)
	} else {
		defer k.revoke(s.lost(r, m)...)
	}
	pvt := object{{"callID", m.uuid}, {"action", action}, {"laChannel", r.channel("liveArray")}, {"laName", r.label()},
		{"role", role}, {"chatID", "conf+" + r.name + "@" + r.domain}, {"conferenceMemberID", strconv.Itoa(m.id)}, {"canvasCount", 0}}
	if m.moderator {
		pvt = pvt.with("modChannel", r.channel("mod"))
	}
	pvt = append(pvt, member{"chatChannel", r.channel("chat")}, member{"infoChannel", r.channel("info")})
	for _, v := range s.opts.Store.Globals().All() {
		if name, ok := strings.CutPrefix(v.Name, "conference_verto_"); ok {
			pvt = pvt.with(name, v.Value)
		}
	}
	k.direct(object{{"pvtData", pvt}, {"eventChannel", k.session()}, {"eventType", "channelPvtData"}})
}
