package conference

import (
	"context"
	"strconv"
	"strings"

	"github.com/switchlet/switchlet/call"
)

// controlFunc carries out a control for m. In the room's goroutine it must not
// wait; those of controlsOutside run in the member's.
type controlFunc func(r *Room, m *member, c control)

// controls are the actions of caller-controls by name. nil stands for those that
// the member's own goroutine does. "vol talk" changes what he hears and "vol
// listen" what he says, as in the reference.
var controls = map[string]controlFunc{
	"mute": func(r *Room, m *member, _ control) {
		if !m.seat.Muted() {
			r.mute(m, true, false)
			return
		}
		r.mute(m, false, false)
		if m.seat.Deaf() {
			r.deaf(m, false, false)
		}
	},
	"mute on":  func(r *Room, m *member, _ control) { r.mute(m, true, false) },
	"mute off": func(r *Room, m *member, _ control) { r.mute(m, false, false) },
	"deaf":     func(r *Room, m *member, _ control) { r.deaf(m, !m.seat.Deaf(), false) },
	"deaf on":  func(r *Room, m *member, _ control) { r.deaf(m, true, false) },
	"deaf off": func(r *Room, m *member, _ control) { r.deaf(m, false, false) },
	"deaf mute": func(r *Room, m *member, _ control) {
		on := !m.seat.Muted()
		r.mute(m, on, false)
		if m.seat.Deaf() != on {
			r.deaf(m, on, true)
		}
	},
	"energy up":       func(r *Room, m *member, _ control) { r.keyEnergy(m, m.seat.Energy()+energyStep) },
	"energy dn":       func(r *Room, m *member, _ control) { r.keyEnergy(m, m.seat.Energy()-energyStep) },
	"energy equ":      func(r *Room, m *member, _ control) { r.keyEnergy(m, r.profile.energy) },
	"vol talk up":     func(r *Room, m *member, _ control) { r.keyVolumeOut(m, m.seat.VolumeOut()+1) },
	"vol talk dn":     func(r *Room, m *member, _ control) { r.keyVolumeOut(m, m.seat.VolumeOut()-1) },
	"vol talk zero":   func(r *Room, m *member, _ control) { r.keyVolumeOut(m, 0) },
	"vol listen up":   func(r *Room, m *member, _ control) { r.keyVolumeIn(m, m.seat.VolumeIn()+1) },
	"vol listen dn":   func(r *Room, m *member, _ control) { r.keyVolumeIn(m, m.seat.VolumeIn()-1) },
	"vol listen zero": func(r *Room, m *member, _ control) { r.keyVolumeIn(m, 0) },
	"event": func(r *Room, m *member, c control) {
		r.fire("dtmf", "dtmf", m, call.Var{Name: "DTMF-Key", Value: c.digits}, call.Var{Name: "Data", Value: c.data})
	},
	"lock": func(r *Room, m *member, _ control) {
		if r.flags&roomWaitMod == 0 || m.moderator() {
			r.setLocked(!r.locked)
		}
	},
	"floor":               func(r *Room, m *member, _ control) { r.toggleFloor(m) },
	"moh toggle":          func(r *Room, _ *member, _ control) { r.setMusic(r.mohOff) },
	"hangup":              nil,
	"transfer":            nil,
	"execute_application": nil,
}

const energyStep = 200

// control carries out what the member's keys asked for. errLeave ends his stay.
func (m *member) control(ctx context.Context, c control) error {
	m.ch.Set("conference_last_matching_digits", c.digits)
	c.data = m.ch.Expand(c.data)
	r := m.room
	if fn := controls[c.action]; fn != nil {
		r.do(func() { fn(r, m, c) })
		return nil
	}
	switch c.action {
	case "hangup":
		return errLeave
	case "transfer":
		f := append(strings.Fields(c.data), "", "", "")
		if f[0] == "" {
			return nil
		}
		r.do(func() { r.fire("transfer", "dtmf", m, call.Var{Name: "Dialplan", Value: c.data}) })
		if f[1] == "" {
			f[1] = "XML"
		}
		if f[2] == "" {
			f[2] = "default"
		}
		return m.ch.Transfer(f[0], f[1], f[2])
	case "execute_application":
		return m.execute(ctx, c)
	}
	return nil
}

// execute runs an application for the member, who is out of the mix meanwhile.
func (m *member) execute(ctx context.Context, c control) error {
	app, args, _ := strings.Cut(c.data, " ")
	r := m.room
	r.do(func() { r.fire("execute_app", "dtmf", m, call.Var{Name: "Application", Value: c.data}) })
	m.seat.SetAway(true)
	m.ch.Port().Leave()
	m.ch.Execute(ctx, app, args)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if m.away.Load() != nil {
		return nil
	}
	m.seat.SetAway(false)
	return m.ch.Port().JoinMixer(m.seat)
}

// keyEnergy sets the gate of a member and tells him the level in digits.
func (r *Room) keyEnergy(m *member, level int) {
	m.seat.SetEnergy(level)
	level = m.seat.Energy()
	r.fire("energy-level", "energy-level", m, call.Var{Name: "New-Level", Value: strconv.Itoa(level)})
	for _, d := range strconv.Itoa(level / energyStep) {
		m.play("digits/"+string(d)+".wav", false)
	}
}

func (r *Room) keyVolumeOut(m *member, level int) {
	m.seat.SetVolumeOut(level)
	r.keyVolume(m, m.seat.VolumeOut(), "volume-level")
}

func (r *Room) keyVolumeIn(m *member, level int) {
	m.seat.SetVolumeIn(level)
	r.keyVolume(m, m.seat.VolumeIn(), "gain-level")
}

// keyVolume tells a member the volume step that his key brought about.
func (r *Room) keyVolume(m *member, level int, action string) {
	r.fire(action, action, m, call.Var{Name: "New-Level", Value: strconv.Itoa(level)})
	if level < 0 {
		m.play("currency/negative.wav", false)
	}
	m.play("digits/"+strconv.Itoa(max(level, -level))+".wav", false)
}

// mute stops a member from being heard, or lets him be heard again.
func (r *Room) mute(m *member, on, quiet bool) {
	m.seat.SetMuted(on)
	action, sound, text := "mute-member", "muted-sound", "Muted"
	if !on {
		action, sound, text = "unmute-member", "unmuted-sound", "Un-Muted"
	}
	if !quiet {
		m.play(r.sayOr(sound, text), false)
	}
	r.fire(action, "mute-member", m)
}

// deaf stops a member from hearing, or lets him hear again.
func (r *Room) deaf(m *member, on, quiet bool) {
	m.seat.SetDeaf(on)
	action, sound := "deaf-member", "deaf-sound"
	if !on {
		action, sound = "undeaf-member", "undeaf-sound"
	}
	if !quiet {
		m.play(r.profile.get(sound), false)
	}
	r.fire(action, "", m)
}

// hold takes a member out of the mix, with a file to hear if there is one.
func (r *Room) hold(m *member, on bool, sound string) {
	if m.held == on {
		return
	}
	m.held = on
	m.seat.SetHeld(on)
	if on {
		m.play(sound, true)
		r.fire("hold-member", "hold-member", m)
		return
	}
	m.stopSounds(len(m.queue))
	r.fire("unhold-member", "hold-member", m)
}

// setLocked closes or opens the room.
func (r *Room) setLocked(on bool) {
	r.locked = on
	action, sound := "lock", "is-locked-sound"
	if !on {
		action, sound = "unlock", "is-unlocked-sound"
	}
	r.playSound(r.profile.get(sound), 0)
	r.fire(action, "lock", nil)
}

// toggleFloor takes the floor if it is free, or gives it back. It returns who
// has it then, and whether anything changed.
func (r *Room) toggleFloor(m *member) (holder *member, changed bool) {
	switch r.floor {
	case m:
		r.mixer.SetFloor(nil)
		r.setFloor(nil)
	case nil:
		r.mixer.SetFloor(m.seat)
		r.setFloor(m)
	default:
		return r.floor, false
	}
	return r.floor, true
}
