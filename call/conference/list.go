package conference

import (
	"strconv"
	"strings"
	"time"
)

// flagNames are the room's flags as the lists show them, in their order.
func (r *Room) flagNames() []namedFlag {
	return []namedFlag{{"locked", r.locked}, {"destruct", r.ending}, {"wait_mod", r.flags&roomWaitMod != 0},
		{"audio_always", r.flags&roomAudioAlways != 0}, {"running", true}, {"answered", r.answered},
		{"enforce_min", r.enforceMin}, {"bridge_to", r.bridge}, {"dynamic", true}, {"exit_sound", !r.exitOff},
		{"enter_sound", !r.enterOff}, {"recording", len(r.records) > 0}}
}

type namedFlag struct {
	name string
	on   bool
}

func countCommand(in *invocation) bool {
	members, _ := in.room.count()
	in.printf("%d", members)
	return true
}

func listCommand(in *invocation) bool {
	in.printList(in.room)
	return true
}

// printList prints one line for each member of r, the newest first.
func (in *invocation) printList(r *Room) {
	delim, pretty := ";", false
	for i := 0; i < len(in.args); i++ {
		switch strings.ToLower(in.args[i]) {
		case "delim":
			if i++; i < len(in.args) {
				delim = in.args[i]
			}
		case "pretty":
			pretty = true
		case "count":
			members, _ := r.count()
			in.printf("%d", members)
			return
		case "summary":
			return
		}
	}
	for i := len(r.members) - 1; i >= 0; i-- {
		m := r.members[i]
		p := m.ch.Profile()
		if pretty {
			in.printf("%d) %s (%s)\n", m.id, p.CallerName, p.CallerNumber)
			continue
		}
		in.printf("%s\n", strings.Join([]string{strconv.Itoa(m.id), m.ch.Name(), m.ch.UUID(), p.CallerName, p.CallerNumber,
			m.words(), strconv.Itoa(m.seat.VolumeIn()), strconv.Itoa(m.seat.VolumeOut()), strconv.Itoa(m.seat.Energy())}, delim))
	}
}

// words are the flags of a member in the list.
func (m *member) words() string {
	var words []string
	for _, f := range []namedFlag{{"hear", !m.held && !m.seat.Deaf()}, {"speak", !m.held && !m.seat.Muted()},
		{"talking", !m.held && m.talking}, {"hold", m.held}, {"floor", m.room.floor == m},
		{"moderator", m.moderator()}, {"ghost", m.flags&flagGhost != 0}} {
		if f.on {
			words = append(words, f.name)
		}
	}
	return strings.Join(words, "|")
}

// listAll prints all rooms and their members.
func (in *invocation) listAll() {
	any := false
	for _, r := range in.rooms.list() {
		r.do(func() {
			any = true
			members, _ := r.count()
			plural, locked := "s", ""
			if members == 1 {
				plural = ""
			}
			if r.locked {
				locked = " locked"
			}
			var flags []string
			for _, f := range append(r.flagNames(), namedFlag{"livearray_sync", r.flags&roomLiveArraySync != 0}, namedFlag{"json_status", true}) {
				if f.on {
					flags = append(flags, f.name)
				}
			}
			in.printf("+OK Conference %s (%d member%s rate: %d%s flags: %s)\n", r.name, members, plural, r.rate, locked, strings.Join(flags, "|"))
			in.printList(r)
		})
	}
	if !any {
		in.printf("+OK No active conferences.\n")
	}
}

func xmlCommand(in *invocation) bool {
	root := &element{name: "conferences"}
	in.room.xml(root)
	in.out.WriteString(root.document())
	return true
}

func (rs *Rooms) xmlAll() string {
	root := &element{name: "conferences"}
	for _, r := range rs.list() {
		r.do(func() { r.xml(root) })
	}
	return root.document()
}

// xml adds the room to an XML list.
func (r *Room) xml(root *element) {
	members, ghosts := r.count()
	c := root.child("conference")
	c.set("name", r.name)
	c.set("member-count", strconv.Itoa(members))
	c.set("ghost-count", strconv.Itoa(ghosts))
	c.set("rate", strconv.Itoa(r.rate))
	c.set("uuid", r.uuid)
	for _, f := range r.flagNames() {
		if f.on && f.name != "recording" {
			c.set(f.name, "true")
		}
	}
	if r.maxMembers > 0 {
		c.set("max_members", strconv.Itoa(r.maxMembers))
	}
	if len(r.records) > 0 {
		c.set("recording", "true")
	}
	if r.grace > 0 {
		c.set("endconference_grace_time", strconv.Itoa(int(r.grace/time.Second)))
	}
	c.set("run_time", strconv.Itoa(int(time.Since(r.started)/time.Second)))
	variables := c.child("variables")
	for _, v := range r.vars.All() {
		e := variables.child("variable")
		e.set("name", v.Name)
		e.set("value", v.Value)
	}
	list := c.child("members")
	for i := len(r.members) - 1; i >= 0; i-- {
		r.members[i].xml(list)
	}
	for _, k := range r.records {
		e := list.child("member")
		e.set("type", "recording_node")
		path := e.leaf("record_path", k.path)
		if k.rec.Paused() {
			path.set("status", "paused")
		}
		e.epoch("join_time", k.began)
	}
}

// abilities are the flags of a member in the XML and JSON lists.
func (m *member) abilities() []namedFlag {
	return []namedFlag{{"can_hear", !m.seat.Deaf()}, {"can_see", false}, {"can_speak", !m.seat.Muted()},
		{"mute_detect", m.flags&flagMuteDetect != 0}, {"talking", m.talking}, {"hold", m.held}, {"has_video", false},
		{"video_bridge", false}, {"has_floor", m.room.floor == m}, {"is_moderator", m.moderator()},
		{"end_conference", m.flags&flagEndconf != 0}, {"mandatory_member_end_conference", m.flags&flagMandatoryEndconf != 0},
		{"is_ghost", m.flags&flagGhost != 0}}
}

func seconds(t time.Time) int { return int(time.Since(t) / time.Second) }

func (m *member) xml(list *element) {
	p := m.ch.Profile()
	e := list.child("member")
	e.set("type", "caller")
	e.leaf("id", strconv.Itoa(m.id))
	flags := e.child("flags")
	for _, f := range m.abilities() {
		flags.leaf(f.name, strconv.FormatBool(f.on))
	}
	e.leaf("uuid", m.ch.UUID())
	e.leaf("caller_id_name", urlEncode(p.CallerName))
	e.leaf("caller_id_number", urlEncode(p.CallerNumber))
	e.leaf("join_time", strconv.Itoa(seconds(m.joined)))
	last := "N/A"
	if t := m.seat.LastTalking(); !t.IsZero() {
		last = strconv.Itoa(seconds(t))
	}
	e.leaf("last_talking", last)
	e.leaf("energy", strconv.Itoa(m.seat.Energy()))
	e.leaf("volume_in", strconv.Itoa(m.seat.VolumeIn()))
	e.leaf("volume_out", strconv.Itoa(m.seat.VolumeOut()))
	e.leaf("output-volume", strconv.Itoa(m.seat.VolumeOut()))
}

func jsonCommand(in *invocation) bool {
	in.out.WriteString(encodeJSON([]object{in.room.json()}, strings.EqualFold(in.arg(0), "compact")))
	return true
}

func (rs *Rooms) jsonAll(compact bool) string {
	list := []object{}
	for _, r := range rs.list() {
		r.do(func() { list = append(list, r.json()) })
	}
	return encodeJSON(list, compact)
}

// json is the room in a JSON list.
func (r *Room) json() object {
	members, ghosts := r.count()
	o := object{{"conference_name", r.name}, {"member_count", members}, {"ghost_count", ghosts}, {"rate", r.rate},
		{"run_time", seconds(r.started)}, {"conference_uuid", r.uuid}, {"canvas_count", 0}, {"max_bw_in", 0},
		{"force_bw_in", 0}, {"video_floor_packets", 0}}
	for _, f := range r.flagNames() {
		o = append(o, field{f.name, f.on})
	}
	o = append(o, field{"video_bridge", false}, field{"video_floor_only", false}, field{"video_rfc4579", false})
	if r.maxMembers > 0 {
		o = append(o, field{"max_members", r.maxMembers})
	}
	variables := object{}
	for _, v := range r.vars.All() {
		variables = append(variables, field{v.Name, v.Value})
	}
	list := []object{}
	for i := len(r.members) - 1; i >= 0; i-- {
		list = append(list, r.members[i].json())
	}
	for _, k := range r.records {
		e := object{{"type", "recording_node"}, {"record_path", k.path}}
		if k.rec.Paused() {
			e = append(e, field{"status", "paused"})
		}
		list = append(list, append(e, field{"join_time", int(k.began.Unix())}))
	}
	return append(o, field{"variables", variables}, field{"members", list})
}

func (m *member) json() object {
	p := m.ch.Profile()
	flags := object{{"can_hear", !m.seat.Deaf()}, {"can_see", false}, {"can_speak", !m.seat.Muted()}, {"hold", m.held},
		{"mute_detect", m.flags&flagMuteDetect != 0}, {"talking", m.talking}, {"has_video", false}, {"video_bridge", false},
		{"has_floor", m.room.floor == m}, {"is_moderator", m.moderator()}, {"end_conference", m.flags&flagEndconf != 0},
		{"mandatory_member_end_conference", m.flags&flagMandatoryEndconf != 0}, {"pass_digits", m.flags&flagDistDTMF != 0}}
	last := 0
	if t := m.seat.LastTalking(); !t.IsZero() {
		last = seconds(t)
	}
	return object{{"type", "caller"}, {"id", m.id}, {"flags", flags}, {"uuid", m.ch.UUID()},
		{"caller_id_name", p.CallerName}, {"caller_id_number", p.CallerNumber}, {"join_time", seconds(m.joined)},
		{"last_talking", last}, {"energy", m.seat.Energy()}, {"volume_in", m.seat.VolumeIn()},
		{"volume_out", m.seat.VolumeOut()}, {"output-volume", m.seat.VolumeOut()}, {"input-volume", m.seat.VolumeIn()}}
}
