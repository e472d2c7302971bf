package conference

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/switchlet/switchlet/call"
)

// invocation is one run of a command on a room.
type invocation struct {
	ctx   context.Context
	rooms *Rooms
	room  *Room
	name  string
	args  []string // words behind the command
	rest  string   // the same as one text
	out   strings.Builder
}

// Not inlined: it is used at so many places that its copies would be large.
//
//go:noinline
func (in *invocation) printf(format string, args ...any) { fmt.Fprintf(&in.out, format, args...) }

func (in *invocation) arg(i int) string {
	if i < len(in.args) {
		return in.args[i]
	}
	return ""
}

// command is one row of the table of room commands (spec/conference.md §6). One of
// the functions is set; a false result prints the syntax.
type command struct {
	name, syntax string
	shown        string // the name in the syntax, if it differs
	// member runs for each member that the first word means, in the room's
	// goroutine.
	member func(in *invocation, m *member, arg string) bool
	// inside runs in the room's goroutine and must not wait.
	inside func(in *invocation) bool
	// outside runs in the caller's goroutine: it may wait.
	outside func(in *invocation) bool
}

const (
	targetValue = "<member_id|all|last|non_moderator> [<newval>]"
	targetQuiet = "<[member_id|all]|last|non_moderator> [<quiet>]"
	target      = "<[member_id|all]|last|non_moderator>"
	dialSyntax  = "<endpoint_module_name>/<destination> <callerid number> <callerid name>"
	soundSyntax = "on|off|none|file <filename>"
)

// commands is the table, in the order in which help shows it.
func commands() []command {
	return []command{
		{name: "list", syntax: "[delim <string>]|[count]", inside: listCommand},
		{name: "count", inside: countCommand},
		{name: "xml_list", inside: xmlCommand},
		{name: "json_list", syntax: "[compact]", inside: jsonCommand},
		{name: "energy", syntax: targetValue, member: energyCommand},
		{name: "auto-energy", syntax: targetValue, member: autoEnergyCommand},
		{name: "agc", syntax: targetValue, member: agcCommand},
		{name: "volume_in", syntax: targetValue, member: volumeInCommand},
		{name: "volume_out", syntax: targetValue, member: volumeOutCommand},
		{name: "position", syntax: "<member_id> <x>:<y>:<z>", inside: unsupported},
		{name: "auto-3d-position", syntax: "[on|off]", inside: unsupported},
		{name: "play", syntax: "<file_path> [async|<member_id> [nomux]]", outside: playCommand},
		{name: "moh", syntax: "<file_path>|toggle|[on|off]", inside: mohCommand},
		{name: "pause_play", shown: "pause", syntax: "[<member_id>]", inside: pausePlayCommand},
		{name: "play_status", syntax: "[<member_id>]", inside: playStatusCommand},
		{name: "file_seek", syntax: "[+-]<val> [<member_id>]", inside: fileSeekCommand},
		{name: "say", syntax: "<text>", inside: sayCommand},
		{name: "saymember", syntax: "<member_id> <text>", inside: sayMemberCommand},
		{name: "stop", syntax: "<[current|all|async|last]> [<member_id>]", inside: stopCommand},
		{name: "dtmf", syntax: "<[member_id|all|last|non_moderator]> <digits>", member: dtmfCommand},
		{name: "kick", syntax: "<[member_id|all|last|non_moderator]> [<optional sound file>]", member: kickCommand},
		{name: "hup", syntax: "<[member_id|all|last|non_moderator]>", member: hupCommand},
		{name: "hold", syntax: target + " [file]", member: holdCommand},
		{name: "unhold", syntax: target, member: unholdCommand},
		{name: "mute", syntax: targetQuiet, member: muteCommand},
		{name: "tmute", syntax: targetQuiet, member: toggleMuteCommand},
		{name: "unmute", syntax: targetQuiet, member: unmuteCommand},
		{name: "vmute", syntax: targetQuiet, member: videoMuteCommand},
		{name: "tvmute", syntax: targetQuiet, member: videoMuteCommand},
		{name: "unvmute", syntax: targetQuiet, member: videoUnmuteCommand},
		{name: "deaf", syntax: target, member: deafCommand},
		{name: "undeaf", syntax: target, member: undeafCommand},
		{name: "relate", syntax: "<member_id>[,<member_id>] <other_member_id>[,<other_member_id>] [nospeak|nohear|clear]", inside: relateCommand},
		{name: "getvar", syntax: "<varname>", inside: getvarCommand},
		{name: "setvar", syntax: "<varname> <value>", inside: setvarCommand},
		{name: "lock", inside: lockCommand},
		{name: "unlock", inside: unlockCommand},
		{name: "dial", syntax: dialSyntax, outside: dialCommand},
		{name: "bgdial", syntax: dialSyntax, outside: bgdialCommand},
		{name: "transfer", syntax: "<conference_name> <member id> [...<member id>]", inside: transferCommand},
		{name: "record", syntax: "<filename>", outside: recordCommand},
		{name: "chkrecord", syntax: "<confname>", inside: checkRecordCommand},
		{name: "norecord", syntax: "<[filename|all]>", inside: norecordCommand},
		{name: "pause", syntax: "<filename>", inside: pauseCommand},
		{name: "resume", syntax: "<filename>", inside: resumeCommand},
		{name: "recording", syntax: "[start|stop|check|pause|resume] [<filename>|all]", outside: recordingCommand},
		{name: "exit_sound", syntax: soundSyntax, inside: exitSoundCommand},
		{name: "enter_sound", syntax: soundSyntax, inside: enterSoundCommand},
		{name: "pin", syntax: "<pin#>", inside: pinCommand},
		{name: "nopin", inside: nopinCommand},
		{name: "get", syntax: "<parameter-name>", inside: getCommand},
		{name: "set", syntax: "<max_members|sound_prefix|caller_id_name|caller_id_number|endconference_grace_time> <value>", inside: setCommand},
		{name: "file-vol", syntax: "<vol#>", inside: fileVolumeCommand},
		{name: "floor", syntax: "<member_id|last>", member: floorCommand},
		{name: "clear-vid-floor", inside: clearVideoFloorCommand},
		{name: "vid-layout", syntax: "<layout name>|group <group name> [<canvas id>]", inside: videoLayoutCommand},
		{name: "get-uuid", syntax: "<member_id|last>", member: uuidCommand},
	}
}

// usage is "command syntax".
func (c *command) usage() string {
	name := c.shown
	if name == "" {
		name = c.name
	}
	return name + " " + c.syntax
}

// Commands returns the API command conference.
func (rs *Rooms) Commands() []call.Command {
	table := commands()
	index := make(map[string]*command, len(table))
	var syntax strings.Builder
	for i := range table {
		c := &table[i]
		index[c.name] = c
		syntax.WriteString("\t\t" + strings.TrimRight(c.usage(), " "))
		if i < len(table)-1 {
			syntax.WriteByte('\n')
		}
	}
	help := syntax.String()
	return []call.Command{{Name: "conference", Syntax: help, Description: "Conference module commands", Module: "mod_conference",
		Run: func(ctx context.Context, _ *call.Switch, in *call.Invocation) error {
			switch words := splitWords(in.Args); {
			case len(words) == 0:
				for _, c := range table {
					in.Out.WriteString("<conf name> " + c.usage() + "\n")
				}
			case strings.EqualFold(words[0], "help") || strings.EqualFold(words[0], "commands"):
				in.Out.WriteString(help + "\n")
			default:
				in.Out.WriteString(rs.execute(ctx, index, in.Args, words))
			}
			return nil
		}}}
}

// execute runs one command line and returns its reply.
func (rs *Rooms) execute(ctx context.Context, index map[string]*command, line string, words []string) string {
	in := &invocation{ctx: ctx, rooms: rs, name: words[0], room: rs.find(words[0])}
	if in.room == nil {
		return in.roomless(index, words)
	}
	if len(words) < 2 {
		return "Conference command, not specified.\nTry 'help'\n"
	}
	c := index[strings.ToLower(words[1])]
	if c == nil {
		in.printf("-ERR Conference command '%s' not found.\n", words[1])
		return in.out.String()
	}
	in.args = words[2:]
	in.rest = restOf(line, 2)
	ok, alive := true, true
	switch {
	case c.outside != nil:
		ok = c.outside(in)
	case c.member != nil:
		alive = in.room.do(func() { ok = in.each(c) })
	default:
		alive = in.room.do(func() { ok = c.inside(in) })
	}
	if !alive {
		return "-ERR Conference " + words[0] + " not found\n"
	}
	if !ok {
		in.out.WriteString(c.usage())
	}
	return in.out.String()
}

// restOf is a line without its first n words.
func restOf(line string, n int) string {
	for range n {
		line = strings.TrimLeft(line, " ")
		if line == "" {
			return ""
		}
		_, line = firstWord(line)
	}
	return strings.TrimSpace(line)
}

// roomless runs what needs no room that exists.
func (in *invocation) roomless(index map[string]*command, words []string) string {
	in.args = words[1:]
	switch strings.ToLower(words[0]) {
	case "list":
		in.listAll()
		return in.out.String()
	case "count":
		return strconv.Itoa(len(in.rooms.list()))
	case "xml_list":
		return in.rooms.xmlAll()
	case "json_list":
		return in.rooms.jsonAll(strings.EqualFold(in.arg(0), "compact"))
	}
	if len(words) > 1 {
		if c := index[strings.ToLower(words[1])]; c != nil && (c.name == "dial" || c.name == "bgdial") {
			in.args = words[2:]
			if !c.outside(in) {
				in.out.WriteString(c.usage())
			}
			return in.out.String()
		}
	}
	in.printf("-ERR Conference %s not found\n", words[0])
	return in.out.String()
}

// each runs a member command for whom the first word means.
func (in *invocation) each(c *command) bool {
	r, who, arg := in.room, in.arg(0), in.arg(1)
	if who == "" {
		return false
	}
	if id, err := strconv.Atoi(who); err == nil && id > 0 {
		m := r.byID(id)
		if m == nil {
			in.printf("-ERR Non-Existant ID %d\n", id)
			return true
		}
		return c.member(in, m, arg)
	}
	switch name, value, isVar := strings.Cut(who, "="); {
	case strings.EqualFold(who, "all"), strings.EqualFold(who, "non_moderator"):
		ok := true
		for i := len(r.members) - 1; i >= 0; i-- {
			m := r.members[i]
			if m.moderator() && !strings.EqualFold(who, "all") {
				in.printf("Skipping moderator (member id %d).\n", m.id)
				continue
			}
			ok = c.member(in, m, arg) && ok
		}
		return ok
	case strings.EqualFold(who, "last"):
		var last *member
		for _, m := range r.members {
			if last == nil || m.id > last.id {
				last = m
			}
		}
		if last != nil {
			return c.member(in, last, arg)
		}
		in.printf("-ERR Non-Existant member\n")
		return true
	case isVar:
		for _, m := range r.members {
			if m.ch.Get(name) == value {
				return c.member(in, m, arg)
			}
		}
		in.printf("-ERR Non-Existant member\n")
		return true
	}
	return false
}
