package conference

import (
	"strconv"
	"strings"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/media"
)

// step reads a new value: a number, or up and down by a step.
func step(text string, now, by int) int {
	switch {
	case strings.EqualFold(text, "up"):
		return now + by
	case strings.EqualFold(text, "down"):
		return now - by
	}
	n, _ := strconv.Atoi(text)
	return n
}

func number(name string, n int) call.Var { return call.Var{Name: name, Value: strconv.Itoa(n)} }

func energyCommand(in *invocation, m *member, arg string) bool {
	if arg != "" {
		level := min(max(step(arg, m.seat.Energy(), energyStep), 0), topEnergy)
		if auto := m.seat.AutoEnergy(); auto > 0 && level > auto {
			m.seat.SetAutoEnergy(0)
			in.printf("Auto-Energy level exceeded, Auto-Energy mode disabled\n")
		}
		m.seat.SetEnergy(level)
		m.room.fire("energy-level-member", "energy-level-member", m, number("Energy-Level", level))
	}
	in.printf("Energy %d = %d\n", m.id, m.seat.Energy())
	return true
}

func autoEnergyCommand(in *invocation, m *member, arg string) bool {
	if arg != "" {
		m.seat.SetAutoEnergy(min(max(step(arg, m.seat.AutoEnergy(), energyStep), 0), topEnergy))
		m.room.fire("auto-energy-level-member", "auto-energy-level-member", m,
			number("Auto-Energy-Level", m.seat.AutoEnergy()), number("Energy-Level", m.seat.Energy()))
	}
	in.printf("%d = Auto-Energy: %d Energy: %d\n", m.id, m.seat.AutoEnergy(), m.seat.Energy())
	return true
}

// agcStep is what up and down change the level of the gain control by.
const agcStep = 200

func agcCommand(in *invocation, m *member, arg string) bool {
	s := m.seat.AGC()
	if arg != "" {
		f := strings.Split(arg, ":")
		if s.Level == 0 {
			s = m.room.profile.agc
		}
		s.Level = max(step(f[0], s.Level, agcStep), 0)
		if len(f) > 1 {
			s.Low, _ = strconv.Atoi(f[1])
		}
		if len(f) > 2 {
			s.Factor, _ = strconv.Atoi(f[2])
		}
		m.seat.SetAGC(s)
		m.room.fire("agc-level-member", "", m, number("Agc-Level", s.Level))
	}
	in.printf("Agc %d = %d\n", m.id, s.Level)
	return true
}

func volumeInCommand(in *invocation, m *member, arg string) bool {
	if arg != "" {
		m.seat.SetVolumeIn(step(arg, m.seat.VolumeIn(), 1))
		m.room.fire("volume-in-member", "volume-in-member", m, number("Volume-Level", m.seat.VolumeIn()))
	}
	in.printf("+OK Volume IN %d = %d\n", m.id, m.seat.VolumeIn())
	return true
}

func volumeOutCommand(in *invocation, m *member, arg string) bool {
	if arg != "" {
		m.seat.SetVolumeOut(step(arg, m.seat.VolumeOut(), 1))
		m.room.fire("volume-out-member", "volume-out-member", m, number("Volume-Level", m.seat.VolumeOut()))
	}
	in.printf("+OK Volume OUT %d = %d\n", m.id, m.seat.VolumeOut())
	return true
}

func dtmfCommand(in *invocation, m *member, arg string) bool {
	if arg == "" {
		in.printf("-ERR Invalid input!\n")
		return false
	}
	digits, err := call.ParseDigits(arg, media.DigitApp)
	if err != nil {
		in.printf("-ERR Invalid input!\n")
		return false
	}
	m.ch.SendDigits(digits)
	m.room.fire("dtmf-member", "dtmf-member", m, call.Var{Name: "Digits", Value: arg})
	in.printf("+OK sent %s to %d\n", arg, m.id)
	return true
}

func kickCommand(in *invocation, m *member, arg string) bool {
	m.kicked = true
	m.room.fire("kick-member", "kick-member", m)
	m.depart(&departure{kicked: true, sound: arg})
	in.printf("+OK kicked %d\n", m.id)
	return true
}

func hupCommand(in *invocation, m *member, _ string) bool {
	m.room.fire("hup-member", "", m)
	m.depart(&departure{})
	in.printf("+OK hup %d\n", m.id)
	return true
}

func holdCommand(in *invocation, m *member, arg string) bool {
	m.room.hold(m, true, arg)
	in.printf("+OK hold %d\n", m.id)
	return true
}

func unholdCommand(in *invocation, m *member, _ string) bool {
	m.room.hold(m, false, "")
	in.printf("+OK unhold %d\n", m.id)
	return true
}

func muteCommand(in *invocation, m *member, arg string) bool {
	m.room.mute(m, true, strings.Contains(arg, "quiet"))
	in.printf("+OK mute %d\n", m.id)
	return true
}

func unmuteCommand(in *invocation, m *member, arg string) bool {
	m.room.mute(m, false, strings.Contains(arg, "quiet"))
	in.printf("+OK unmute %d\n", m.id)
	return true
}

func toggleMuteCommand(in *invocation, m *member, arg string) bool {
	if m.seat.Muted() {
		return unmuteCommand(in, m, arg)
	}
	return muteCommand(in, m, arg)
}

func deafCommand(in *invocation, m *member, arg string) bool {
	m.room.deaf(m, true, strings.Contains(arg, "quiet"))
	in.printf("+OK deaf %d\n", m.id)
	return true
}

func undeafCommand(in *invocation, m *member, arg string) bool {
	m.room.deaf(m, false, strings.Contains(arg, "quiet"))
	in.printf("+OK undeaf %d\n", m.id)
	return true
}

func floorCommand(in *invocation, m *member, _ string) bool {
	holder, changed := m.room.toggleFloor(m)
	switch {
	case !changed:
		in.printf("-ERR floor is held by %d\n", holder.id)
	case holder == nil:
		in.printf("+OK floor none\n")
	default:
		in.printf("+OK floor %d\n", holder.id)
	}
	return true
}

func uuidCommand(in *invocation, m *member, _ string) bool {
	in.printf("%s", m.ch.UUID())
	return true
}

// relateCommand changes or lists who hears whom.
func relateCommand(in *invocation) bool {
	r := in.room
	if in.arg(0) == "" {
		return false
	}
	if len(in.args) < 3 {
		in.listRelations(in.arg(0), in.arg(1))
		return true
	}
	word := strings.ToLower(in.arg(2))
	nospeak, nohear, clear := strings.Contains(word, "nospeak"), strings.Contains(word, "nohear"), strings.Contains(word, "clear")
	if !nospeak && !nohear && !clear {
		return false
	}
	for _, from := range strings.Split(in.arg(0), ",") {
		for _, to := range strings.Split(in.arg(1), ",") {
			a, b := r.numbered(from), r.numbered(to)
			switch {
			case a == nil || b == nil || a == b:
				in.printf("-ERR relationship %s->%s not found.\n", from, to)
			case clear:
				r.unrelate(a, b)
				in.printf("+OK relationship %d->%d cleared.\n", a.id, b.id)
			default:
				r.relate(a, b, nospeak, nohear)
				in.printf("+OK %d->%d %s set\n", a.id, b.id, word)
			}
		}
	}
	return true
}

func (r *Room) numbered(text string) *member {
	id, _ := strconv.Atoi(text)
	return r.byID(id)
}

func (in *invocation) listRelations(from, to string) {
	found := false
	among := func(list string, m *member) bool {
		for _, one := range strings.Split(list, ",") {
			if one == strconv.Itoa(m.id) {
				return true
			}
		}
		return list == ""
	}
	mark := func(on bool, name string) string {
		if on {
			return "NO" + name
		}
		return name
	}
	for _, o := range in.room.relations {
		if among(from, o.from) && among(to, o.to) {
			found = true
			in.printf("%d -> %d %s %s NOSENDVIDEO \n", o.from.id, o.to.id, mark(o.nospeak, "SPEAK"), mark(o.nohear, "HEAR"))
		}
	}
	if !found {
		in.printf("+OK No relationships\n")
	}
}

func transferCommand(in *invocation) bool {
	if len(in.args) < 2 {
		return false
	}
	r, to := in.room, in.args[0]
	q, err := parseRequest(to)
	if err != nil {
		return false
	}
	for _, word := range in.args[1:] {
		m := r.numbered(word)
		if m == nil {
			in.printf("-ERR No Member %s in conference %s.\n", word, r.name)
			continue
		}
		r.fireWith("transfer", "transfer", m, []call.Var{{Name: "Old-Conference-Name", Value: r.name},
			{Name: "New-Conference-Name", Value: q.name}}, nil)
		m.ch.Set("last_transfered_conference", q.name)
		ext := &call.Extension{Name: "conference", Actions: []call.Action{{App: "conference", Data: to}}}
		if err := m.ch.TransferTo(ext); err != nil {
			in.printf("-ERR No Member %s in conference %s.\n", word, r.name)
			continue
		}
		in.printf("+OK Member '%d' sent to conference %s.\n", m.id, q.name)
	}
	return true
}

// Rooms have no video. A member's camera counts as off, whatever is asked.
func videoMuteCommand(in *invocation, m *member, _ string) bool {
	in.printf("+OK vmute %d\n", m.id)
	return true
}

func videoUnmuteCommand(in *invocation, m *member, _ string) bool {
	in.printf("+OK unvmute %d\n", m.id)
	return true
}
