package webrtc

import (
	"slices"
	"strconv"
	"strings"
)

// maxLeft is how many of those who have left a room are told of.
const maxLeft = 100

// joinFormat is how the time of joining is written.
const joinFormat = "2006-01-02T15:04:05-07:00"

// descriptionChannel is where a room is described: who is in it, and who was.
func (r *room) descriptionChannel() string {
	return "conference." + r.label() + "@" + r.domain
}

// describeRoom answers a page on the channel conference.ROOM@DOMAIN, which need not
// stand for a room (spec/verto.md §9).
func (s *Server) describeRoom(k *socket, channel string, request object, data params) {
	_, name, _ := strings.Cut(channel, ".")
	name, domain, _ := strings.Cut(name, "@")
	var about object
	if strings.EqualFold(data.text("action"), "bootstrap") {
		s.mu.Lock()
		var found *room
		for _, r := range s.rooms {
			if name != "" && r.label() == name && (domain == "" || strings.EqualFold(r.domain, domain)) {
				found = r
			}
		}
		s.mu.Unlock()
		if about = s.roomDescription(found); found == nil {
			about = object{{"conferenceDescription", roomTitle}, {"conferenceState", "inactive"}, {"users", []object{}}, {"oldUsers", []object{}}}
		}
	} else {
		about = object{{"error", "Invalid action"}}
	}
	answer := slices.DeleteFunc(slices.Clone(request), func(m member) bool { return m.name == "data" })
	k.pass("verto.event", answer.with("data", about.with("action", "conferenceDescription")))
}

// roomTitle is what every room is described as.
const roomTitle = "FreeSWITCH Conference"

// roomDescription says who is in a room; nil for no room.
func (s *Server) roomDescription(r *room) object {
	if r == nil {
		return nil
	}
	s.mu.Lock()
	members, left := slices.Clone(r.members), slices.Clone(r.left)
	rows := make([][]any, 0, len(members)+len(left))
	status := make([]memberStatus, 0, len(members))
	for _, m := range members {
		rows, status = append(rows, m.row), append(status, m.status)
	}
	for _, m := range left {
		rows = append(rows, m.row)
	}
	s.mu.Unlock()
	users, old := make([]object, 0, len(members)), make([]object, 0, len(left))
	for i, m := range members {
		users = append(users, s.userOf(r, m, rows[i], "connected").with("rtpAudioDirection", status[i].flow()).with("variables", s.roomVariables(m)))
	}
	for i, m := range left {
		old = append(old, s.userOf(r, m, rows[len(members)+i], "disconnected"))
	}
	return object{{"entity", r.label() + "@" + r.domain}, {"conferenceDescription", roomTitle}, {"conferenceState", "active"},
		{"userCount", strconv.Itoa(len(members))}, {"users", users}, {"oldUsers", old}}
}

// userOf describes a member by his row.
func (s *Server) userOf(r *room, m *memberRow, row []any, status string) object {
	number, _ := row[1].(string)
	return object{{"entity", number + "@" + r.domain}, {"displayText", row[2]}, {"status", status},
		{"joinTime", m.since.Format(joinFormat)}, {"memberId", strconv.Itoa(m.id)}}
}

// roomVariables are the variables of a member that pages are to see: json_….
func (s *Server) roomVariables(m *memberRow) object {
	o := object{}
	if c := s.sw.Find(m.uuid); c != nil {
		for _, v := range c.Vars().All() {
			if strings.HasPrefix(v.Name, "json_") {
				o = o.with(v.Name, v.Value)
			}
		}
	}
	return o
}

// flow is the direction of a member's sound, as he sees it.
func (m memberStatus) flow() string {
	switch {
	case m.held && m.muted:
		return "inactive"
	case m.held:
		return "sendonly"
	case m.muted:
		return "recvonly"
	}
	return "sendrecv"
}

// roomChanged describes a room anew to those who follow it. s.live is held.
func (s *Server) roomChanged(r *room) {
	name := r.descriptionChannel()
	s.mu.Lock()
	wanted := len(s.subs[name]) + len(s.subs["conference"])
	s.mu.Unlock()
	if wanted > 0 {
		s.relay(name, object{{"eventChannel", name}, {"data", s.roomDescription(r)}})
	}
}

// hasLeft keeps a member who has left for the room's description; s.mu is held.
func (r *room) hasLeft(m *memberRow) {
	if len(r.left) >= maxLeft {
		r.left = slices.Delete(r.left, 0, 1)
	}
	r.left = append(r.left, m)
}
