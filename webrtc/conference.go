package webrtc

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
)

// conferenceEvents is the subclass in which conferences tell what happens.
const conferenceEvents = "conference::maintenance"

// room is the live array of one conference: its rows as browsers see them.
type room struct {
	name, domain string
	serno        int64
	members      []*memberRow // in order of joining
}

// memberRow is one row.
type memberRow struct {
	uuid      string
	id        int
	moderator bool
	row       []any
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
	switch action {
	case "add-member":
		s.memberJoined(name, e)
	case "del-member":
		s.memberLeft(name, e)
	case "conference-destroy":
		s.roomClosed(name)
	case "start-talking", "stop-talking", "mute-member", "unmute-member", "deaf-member", "undeaf-member",
		"hold-member", "unhold-member", "floor-change":
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

// row makes the row of a member (spec/verto.md §9).
func (s *Server) row(e *event.Event, id int) []any {
	yes := func(header string) bool { return e.Get(header) == "true" }
	muted, deaf, held := !yes("Speak"), !yes("Hear"), yes("Hold")
	old := "ACTIVE"
	switch {
	case held:
		old = "HOLD"
	case muted:
		old = "MUTE"
	case yes("Talking") && yes("Floor"):
		old = "TALKING (FLOOR)"
	case yes("Floor"):
		old = "FLOOR"
	case yes("Talking"):
		old = "TALKING"
	}
	energy, _ := strconv.Atoi(e.Get("Current-Energy"))
	status, _ := json.Marshal(object{{"audio", object{{"muted", muted}, {"deaf", deaf}, {"onHold", held},
		{"talking", yes("Talking")}, {"floor", yes("Floor")}, {"energyScore", energy}}}, {"video", false}, {"oldStatus", old}})
	codec := e.Get("Channel-Read-Codec-Name") + "@" + e.Get("Channel-Read-Codec-Rate")
	own := object{}
	if c := s.sw.Find(e.Get("Unique-ID")); c != nil {
		for _, v := range c.Vars().All() {
			if name, ok := strings.CutPrefix(v.Name, "verto_dvar_"); ok {
				own = own.with(name, v.Value)
			}
		}
	}
	return []any{fmt.Sprintf("%04d", id), e.Get("Caller-Caller-ID-Number"), e.Get("Caller-Caller-ID-Name"), codec, string(status), own, nil}
}

func (s *Server) memberJoined(name string, e *event.Event) {
	id, _ := strconv.Atoi(e.Get("Member-ID"))
	m := &memberRow{uuid: e.Get("Unique-ID"), id: id, moderator: e.Get("Member-Type") == "moderator", row: s.row(e, id)}
	s.mu.Lock()
	r := s.roomOf(name, e)
	r.members = append(r.members, m)
	index := len(r.members) - 1
	s.mu.Unlock()
	s.tellMember(r, m, "conference-liveArray-join")
	s.change(r, "add", m, index)
	s.change(r, "modify", m, -1)
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
		}
	}
	s.mu.Unlock()
	if m == nil {
		return
	}
	s.change(r, "del", m, -1)
	s.tellMember(r, m, "conference-liveArray-part")
}

func (s *Server) memberChanged(name string, e *event.Event) {
	uuid := e.Get("Unique-ID")
	if uuid == "" {
		return
	}
	s.mu.Lock()
	r := s.roomOf(name, nil)
	var m *memberRow
	if r != nil {
		for _, x := range r.members {
			if x.uuid == uuid {
				m = x
			}
		}
	}
	s.mu.Unlock()
	if m == nil {
		return
	}
	row := s.row(e, m.id)
	s.mu.Lock()
	m.row = row
	s.mu.Unlock()
	s.change(r, "modify", m, -1)
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

// change tells the subscribers of a room what happened to a row. Events of a room
// come from one goroutine, so that they go out in the order of their numbers.
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

// tellMember tells a browser that its call is in a conference, or no more, and
// grants or revokes the channels.
func (s *Server) tellMember(r *room, m *memberRow, action string) {
	s.mu.Lock()
	l := s.legs[m.uuid]
	var k *socket
	if l != nil {
		k = s.sessions[l.sessid]
	}
	s.mu.Unlock()
	if k == nil {
		return
	}
	role := "participant"
	if m.moderator {
		role = "moderator"
	}
	if strings.HasSuffix(action, "join") {
		k.grant(r.channels(m.moderator)...)
	} else {
		defer k.revoke(r.channels(true)...)
	}
	pvt := object{{"callID", m.uuid}, {"action", action}, {"laChannel", r.channel("liveArray")}, {"laName", r.label()},
		{"role", role}, {"chatID", "conf+" + r.name + "@" + r.domain}, {"conferenceMemberID", strconv.Itoa(m.id)}, {"canvasCount", 0}}
	if m.moderator {
		pvt = pvt.with("modChannel", r.channel("mod"))
	}
	pvt = append(pvt, member{"chatChannel", r.channel("chat")}, member{"infoChannel", r.channel("info")})
	k.direct(object{{"pvtData", pvt}, {"eventChannel", k.session()}, {"eventType", "channelPvtData"}})
}

// conferenceBroadcast answers what a member broadcasts on a room's channels.
func (s *Server) conferenceBroadcast(k *socket, channel string, data params) {
	kind, rest, ok := strings.Cut(strings.TrimPrefix(channel, "conference-"), ".")
	if !ok || data == nil {
		return
	}
	s.mu.Lock()
	var r *room
	for _, x := range s.rooms {
		if x.channel(kind) == "conference-"+kind+"."+rest {
			r = x
		}
	}
	s.mu.Unlock()
	if r == nil {
		return
	}
	switch kind {
	case "liveArray":
		s.bootstrap(k, r, channel, data.object("liveArray"))
	case "chat":
		if data.text("action") == "send" {
			text, _ := data["message"].(string)
			a := k.who()
			s.publishTo(channel, object{{"eventChannel", channel}, {"data", object{{"direction", "outbound"}, {"message", text},
				{"fromDisplay", orElse(a.displayName(), a.id)}, {"from", a.uid}, {"type", orElse(data.text("type"), "message")}}}})
		}
	case "mod":
		if data.text("application") == "conf-control" && s.moderates(k, r) {
			s.control(k, r, channel, data)
		}
	}
}

// bootstrap sends all rows to one browser. The request must name its own channel
// (spec/verto.md §13.6).
func (s *Server) bootstrap(k *socket, r *room, channel string, la params) {
	if la.text("command") != "bootstrap" || la.text("context") != channel || la.text("name") != r.label() {
		return
	}
	s.mu.Lock()
	rows := [][]any{}
	for _, m := range r.members {
		rows = append(rows, []any{m.uuid, m.row})
	}
	s.mu.Unlock()
	k.direct(object{{"data", object{{"action", "bootObj"}, {"name", r.label()}, {"wireSerno", -1}, {"data", rows}}},
		{"eventChannel", channel}, {"sessid", k.session()}})
}

// moderates reports whether one of the session's calls is a moderator of a room.
func (s *Server) moderates(k *socket, r *room) bool {
	sessid := k.session()
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(r.members, func(m *memberRow) bool {
		l := s.legs[m.uuid]
		return m.moderator && l != nil && l.sessid == sessid
	})
}

// control runs a moderator's command and tells the result to all moderators.
func (s *Server) control(k *socket, r *room, channel string, data params) {
	answer := func(o object) { s.publishTo(channel, object{{"eventChannel", channel}, {"data", o}}) }
	line := controlLine(data.text("command"), data.text("id"), data.list("value"))
	if data.text("command") == "list-videoLayouts" || data.text("command") == "canvasInfo" {
		answer(object{{"action", "response"}, {"conf-command", data.text("command")}, {"response", "OK"}, {"responseData", []any{}}})
		return
	}
	if line == "" {
		answer(object{{"action", "response"}, {"error", "Invalid Command"}})
		return
	}
	s.work.Add(1)
	go func() {
		defer s.work.Done()
		out, ok := k.run("conference", r.name+" "+line)
		if !ok {
			answer(object{{"action", "response"}, {"error", "Invalid Command"}})
			return
		}
		s.log.Printf(call.LogInfo, "verto: %s: conference %s %s", k.who().uid, r.name, line)
		answer(object{{"action", "response"}, {"conf-command", r.name + " " + line}, {"response", out}})
	}()
}

// controlLine is the API line of a moderator's command, "" if it is none. Values
// are words: a value cannot begin a second command, and files stay below the
// folders that names without a leading slash are looked up in.
func controlLine(command, id string, values []string) string {
	for _, v := range append([]string{id}, values...) {
		if strings.ContainsAny(v, "\r\n|&;`$<>") {
			return ""
		}
	}
	value := strings.Join(values, " ")
	number := id != "" && strings.Trim(id, "0123456789") == "" || id == "all" || id == "non_moderator" || id == "last"
	inside := func(path string) bool {
		return path != "" && !strings.HasPrefix(path, "/") && !strings.Contains(path, "..") && !strings.Contains(path, "://")
	}
	switch command {
	case "kick", "mute", "unmute", "tmute", "deaf", "undeaf":
		if number {
			return command + " " + strings.TrimLeft(id, "0")
		}
	case "volume_in", "volume_out":
		if number && len(values) == 1 {
			return command + " " + strings.TrimLeft(id, "0") + " " + value
		}
	case "play":
		if inside(value) {
			return "play " + value
		}
	case "stop":
		return strings.TrimSpace("stop " + value)
	case "recording":
		if len(values) == 0 {
			return ""
		}
		file := "all"
		if len(values) > 1 {
			file = values[1]
		}
		if file != "all" && !inside(file) || values[0] == "start" && file == "all" {
			return ""
		}
		return "recording " + values[0] + " " + file
	case "transfer":
		if number && len(values) > 0 {
			return "transfer " + values[0] + " " + strings.TrimLeft(id, "0")
		}
	}
	return ""
}
