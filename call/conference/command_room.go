package conference

import (
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
)

func unsupported(in *invocation) bool {
	in.printf("-ERR not supported\n")
	return true
}

func clearVideoFloorCommand(in *invocation) bool {
	in.printf("+OK floor Cleared\n")
	return true
}

func videoLayoutCommand(in *invocation) bool {
	in.printf("-ERR Conference is not in mixing mode\n")
	return true
}

func lockCommand(in *invocation) bool {
	in.room.setLocked(true)
	in.printf("+OK %s locked\n", in.room.name)
	return true
}

func unlockCommand(in *invocation) bool {
	in.room.setLocked(false)
	in.printf("+OK %s unlocked\n", in.room.name)
	return true
}

func pinCommand(in *invocation) bool {
	r := in.room
	switch {
	case len(in.args) == 1:
		r.pin = in.args[0]
		in.printf("+OK Pin for conference %s set: %s\n", r.name, r.pin)
	case len(in.args) == 2 && strings.EqualFold(in.args[0], "mod"):
		r.modPin = in.args[1]
		in.printf("+OK Moderator Pin for conference %s set: %s\n", r.name, r.modPin)
	default:
		in.printf("-ERR Invalid parameters:\n")
		return false
	}
	return true
}

func nopinCommand(in *invocation) bool {
	in.room.pin = ""
	in.printf("+OK Pin for conference %s deleted\n", in.room.name)
	return true
}

func getvarCommand(in *invocation) bool {
	if in.arg(0) == "" {
		return false
	}
	in.printf("%s", in.room.vars.Get(in.args[0]))
	return true
}

func setvarCommand(in *invocation) bool {
	if in.arg(0) == "" {
		return false
	}
	in.room.vars.Set(in.args[0], restOf(in.rest, 1))
	in.printf("+OK\n")
	return true
}

func getCommand(in *invocation) bool {
	r := in.room
	members, ghosts := r.count()
	value := ""
	switch strings.ToLower(in.arg(0)) {
	case "run_time":
		value = strconv.Itoa(int(time.Since(r.started) / time.Second))
	case "count":
		value = strconv.Itoa(members)
	case "count_ghosts":
		value = strconv.Itoa(ghosts)
	case "max_members":
		value = strconv.Itoa(r.maxMembers)
	case "rate":
		value = strconv.Itoa(r.rate)
	case "profile_name":
		value = r.profile.name
	case "sound_prefix":
		value = r.prefix()
	case "caller_id_name":
		value = r.callerName
	case "caller_id_number":
		value = r.callerNum
	case "is_locked":
		if r.locked {
			value = "locked"
		}
	case "endconference_grace_time":
		value = strconv.Itoa(int(r.grace / time.Second))
	case "uuid":
		value = r.uuid
	case "wait_mod":
		if r.flags&roomWaitMod != 0 {
			value = "true"
		}
	default:
		return false
	}
	in.printf("%s", value)
	return true
}

// setCommand changes a setting and prints what it was.
func setCommand(in *invocation) bool {
	if len(in.args) != 2 {
		return false
	}
	r, value := in.room, in.args[1]
	n, err := strconv.Atoi(value)
	switch strings.ToLower(in.args[0]) {
	case "max_members":
		if err != nil || n < 0 {
			return false
		}
		in.printf("%d", r.maxMembers)
		r.maxMembers = n
	case "sound_prefix":
		in.printf("%s", r.prefix())
		r.soundPrefix.Store(&value)
	case "caller_id_name":
		in.printf("%s", r.callerName)
		r.callerName = value
	case "caller_id_number":
		in.printf("%s", r.callerNum)
		r.callerNum = value
	case "endconference_grace_time":
		if err != nil || n < 0 {
			return false
		}
		in.printf("%d", int(r.grace/time.Second))
		r.grace = time.Duration(n) * time.Second
	default:
		return false
	}
	return true
}

func exitSoundCommand(in *invocation) bool {
	r := in.room
	return in.doorSound("exit", &r.exitSound, &r.exitOff)
}

func enterSoundCommand(in *invocation) bool {
	r := in.room
	return in.doorSound("enter", &r.enterSound, &r.enterOff)
}

// doorSound turns the sound at the door on or off, or changes it.
func (in *invocation) doorSound(kind string, sound *string, off *bool) bool {
	r := in.room
	if len(in.args) == 0 {
		in.printf("-ERR Not enough args\n")
		return false
	}
	switch strings.ToLower(in.args[0]) {
	case "on":
		*off = false
		in.printf("+OK %s %s sounds on (%s)\n", r.name, kind, *sound)
		r.fire(kind+"-sounds-on", "lock", nil)
	case "off", "none":
		*off = true
		in.printf("+OK %s %s sounds off (%s)\n", r.name, kind, *sound)
		r.fire(kind+"-sounds-off", "lock", nil)
	case "file":
		if in.arg(1) == "" {
			in.printf("-ERR No filename specified\n")
			return true
		}
		if kind == "exit" {
			in.printf("+OK Old exit sound: [%s]\n", *sound)
		}
		*sound = in.args[1]
		in.printf("+OK %s %s sound file set to %s\n", r.name, kind, *sound)
		r.fire(kind+"-sound-file-changed", "lock", nil)
	default:
		in.printf("-ERR Bad args\n")
		return false
	}
	return true
}

// outcall reads the arguments of dial and bgdial.
func (in *invocation) outcall() (o outcall, ok bool) {
	if in.arg(0) == "" {
		in.printf("-ERR Bad Args\n")
		return o, false
	}
	q, err := parseRequest(in.name)
	if err != nil {
		in.printf("-ERR Bad Args\n")
		return o, false
	}
	o = outcall{room: q.name, dial: in.args[0], number: in.arg(1), name: strings.Join(in.args[min(2, len(in.args)):], " ")}
	if strings.Contains(in.name, "@") && in.room == nil {
		o.profile = q.profile
	}
	if in.room == nil {
		p := in.rooms.configuration(in.ctx, q, "").profile(q.profile)
		in.caller(&o, p.get("caller-id-name"), p.get("caller-id-number"))
		o.vars = []call.Var{{Name: "ignore_early_media", Value: "true"}}
		return o, true
	}
	o.room, o.profile = in.room.name, in.room.profile.name
	var name, number string
	in.room.do(func() { name, number = in.room.callerName, in.room.callerNum })
	in.caller(&o, name, number)
	return o, true
}

// caller fills in the caller id that the command did not give.
func (in *invocation) caller(o *outcall, name, number string) {
	if o.name == "" {
		o.name = name
	}
	if o.number == "" {
		o.number = number
	}
}

func dialCommand(in *invocation) bool {
	o, ok := in.outcall()
	if !ok {
		return false
	}
	other := in.rooms.ctx
	if in.room != nil {
		other = in.room.ctx
	}
	ctx, stop := until(in.ctx, other)
	defer stop(nil)
	cause := call.CauseSuccess
	if _, err := in.rooms.place(ctx, o); err != nil {
		cause = call.CauseOf(err, call.CauseDestinationOutOfOrder)
	}
	in.printf("+OK Call Requested: result: [%s]\n", cause)
	return true
}

func bgdialCommand(in *invocation) bool {
	o, ok := in.outcall()
	if !ok {
		return false
	}
	job := call.NewUUID()
	if in.room != nil {
		ok = in.room.placeBehind(o, job, in.room.dialResult(job))
	} else {
		o.vars = append(o.vars, call.Var{Name: "conference_bgdial_jobid", Value: job})
		ok = in.rooms.background(func() { in.rooms.place(in.rooms.ctx, o) })
	}
	if !ok {
		in.printf("-ERR System is shutting down\n")
		return true
	}
	in.printf("+OK Job-UUID: %s\n", job)
	return true
}
