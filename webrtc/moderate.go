package webrtc

import (
	"slices"
	"strconv"
	"strings"

	"github.com/switchlet/switchlet/call"
)

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
			s.relay(channel, object{{"eventChannel", channel}, {"data", object{{"direction", "outbound"}, {"message", text[:min(len(text), maxChat)]},
				{"fromDisplay", orElse(a.displayName(), a.id)}, {"from", a.uid}, {"type", orElse(data.brief("type"), "message")}}}})
		}
	case "mod":
		if data.text("application") == "conf-control" {
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
	s.live.Lock() // no change comes before the rows that it changes
	defer s.live.Unlock()
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

// maxOrder bounds a moderator's command, in bytes.
const maxOrder = 4096

// invalid is what the moderators are told of a command that is none.
var invalid = object{{"action", "response"}, {"error", "Invalid Command"}}

// control runs a moderator's command after those before it and tells the result to all
// moderators.
func (s *Server) control(k *socket, r *room, channel string, data params) {
	answer := func(o object) { s.publishTo(channel, object{{"eventChannel", channel}, {"data", o}}) }
	if !s.moderates(k, r) {
		return
	}
	command, id, values := data.text("command"), data.text("id"), data.list("value")
	if len(command)+len(id)+len(strings.Join(values, " ")) > maxOrder {
		answer(invalid)
		return
	}
	ok := k.orders.add(&s.work, func() {
		if s.moderates(k, r) { // still
			answer(s.obey(k, r, command, id, values))
		}
	})
	if !ok {
		answer(object{{"action", "response"}, {"error", "Too many requests at once"}})
	}
}

// obey does what a moderator says and returns the answer.
func (s *Server) obey(k *socket, r *room, command, id string, values []string) object {
	switch command {
	case "transfer":
		return s.sendOff(k, r, id, values)
	case "list-videoLayouts", "canvasInfo":
		return object{{"action", "response"}, {"conf-command", command}, {"response", "OK"}, {"responseData", []any{}}}
	}
	line, name := controlLine(command, id, values), asWord(r.name)
	if line == "" || name == "" {
		return invalid
	}
	out, ok := k.run("conference", name+" "+line)
	if !ok {
		return invalid
	}
	s.log.Printf(call.LogInfo, "verto: %s: conference %s %s", k.who().uid, r.name, line)
	return object{{"action", "response"}, {"conf-command", r.name + " " + line}, {"response", out}}
}

// sendOff sends a member to another extension, as its dialplan has it, and returns
// what the moderators are told. The context is the member's own or the moderator's:
// he must not reach numbers through others that neither of them may call.
func (s *Server) sendOff(k *socket, r *room, id string, values []string) object {
	n, err := strconv.Atoi(id)
	if err != nil || len(values) == 0 || len(values) > 3 || values[0] == "" || strings.ContainsAny(strings.Join(values, ""), unsafeInLine) {
		return invalid
	}
	words := append(slices.Clone(values), "", "")
	to, dialplan, context := words[0], words[1], words[2]
	s.mu.Lock()
	_, m := s.member(r.name, func(m *memberRow) bool { return m.id == n })
	s.mu.Unlock()
	if dialplan != "" && !strings.EqualFold(dialplan, "XML") {
		return invalid
	}
	if m != nil {
		if c := s.sw.Find(m.uuid); c != nil {
			if context != "" && context != k.who().context && context != c.Profile().Context {
				return invalid
			}
			if err := c.Transfer(to, dialplan, context); err != nil {
				c.Log(call.LogWarning, "%s: transfer to %s: %v", c.Name(), to, err)
			}
		}
	}
	line := strings.TrimSpace(strings.Join(values, " "))
	s.log.Printf(call.LogInfo, "verto: %s: conference %s: member %d goes to %s", k.who().uid, r.name, n, line)
	return object{{"action", "response"}, {"conf-command", line}, {"response", "+OK Call transferred to " + to}}
}

// asWord is the name of a conference as one word of a line: in quotes where it has blanks
// or begins with a quote, else it would name another conference. It is "" for a name that
// no quotes hold together, because it has both kinds.
func asWord(name string) string {
	switch {
	case !strings.Contains(name, " ") && !strings.HasPrefix(name, "'") && !strings.HasPrefix(name, `"`):
		return name
	case !strings.Contains(name, "'"):
		return "'" + name + "'"
	case !strings.Contains(name, `"`):
		return `"` + name + `"`
	}
	return ""
}

// unsafeInLine are characters that no word of a moderator may have: they could begin
// something else, or end where what is checked here does not.
const unsafeInLine = "\r\n|&;`$<>'\"{}"

// recordingVerbs are what a moderator may do with a recording.
var recordingVerbs = []string{"start", "stop", "check", "pause", "resume"}

// controlLine is the API line of a moderator's command, "" if it is none. Values
// are words: a value cannot begin a second command, and files stay below the
// folders that names without a leading slash are looked up in.
func controlLine(command, id string, values []string) string {
	for _, v := range append([]string{id}, values...) {
		if strings.ContainsAny(v, unsafeInLine) {
			return ""
		}
	}
	value := strings.TrimSpace(strings.Join(values, " "))
	if trimmed := strings.TrimLeft(id, "0"); trimmed != "" {
		id = trimmed // as rows have it: 0003
	}
	number := id != "" && strings.Trim(id, "0123456789") == "" || id == "all" || id == "non_moderator" || id == "last"
	inside := func(path string) bool {
		return path != "" && !strings.HasPrefix(path, "/") && !strings.Contains(path, "..") && !strings.Contains(path, "://")
	}
	switch command {
	case "kick":
		if number {
			return "kick " + id
		}
	case "mute", "unmute", "tmute", "deaf", "undeaf":
		if number && (value == "" || value == "quiet") {
			return strings.TrimSpace(command + " " + id + " " + value)
		}
	case "volume_in", "volume_out":
		if number && len(values) == 1 {
			return command + " " + id + " " + value
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
		verb, file := values[0], "all"
		if len(values) > 1 {
			file = strings.TrimSpace(values[1])
		}
		if !slices.Contains(recordingVerbs, verb) || file != "all" && !inside(file) || verb == "start" && file == "all" {
			return ""
		}
		return "recording " + verb + " " + file
	}
	return ""
}
