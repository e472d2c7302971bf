package conference

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/mix"
)

// departure says why a member leaves.
type departure struct {
	ended  bool   // the room did
	kicked bool   // with a sound
	sound  string // instead of the profile's
}

// member is one call in a room. The room's goroutine owns it but for what its
// channel's goroutine uses in stay.
type member struct {
	id     int
	ch     *call.Channel
	room   *Room
	flags  memberFlag
	silent bool // conference_silent_entry
	joined time.Time
	seat   *mix.Member
	keys   *keypad

	wake chan struct{} // buffered, one: look at leave and keys
	away atomic.Pointer[departure]

	// The room's own.
	talking bool
	reports talkReports
	held    bool
	queue   []*track // files that he hears
	entered *entry   // in the room's journal
	kicked  bool
}

// nudge makes the member's goroutine look around.
func (m *member) nudge() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// depart sends the member away; the first reason stands.
func (m *member) depart(d *departure) {
	if m.away.CompareAndSwap(nil, d) {
		m.nudge()
	}
}

func (m *member) moderator() bool { return m.flags&flagModerator != 0 }

// dress gives the new seat what flags and variables ask for.
func (m *member) dress() {
	r, s := m.room, m.seat
	s.SetMuteDetect(m.flags&flagMuteDetect != 0)
	s.SetMuted(m.flags&flagMute != 0)
	s.SetDeaf(m.flags&flagDeaf != 0)
	s.SetAutoEnergy(r.profile.autoEnergy)
	s.SetAGC(r.profile.agc)
	number := func(name string, low, high int, set func(int)) {
		if n, err := strconv.Atoi(m.ch.Get(name)); err == nil && n >= low && n <= high {
			set(n)
		}
	}
	number("conference_join_volume_in", -4, 4, s.SetVolumeIn)
	number("conference_join_volume_out", -4, 4, s.SetVolumeOut)
	number("conference_join_energy_level", 0, topEnergy, s.SetEnergy)
}

// note sets the variables that tell the call where it is.
func (m *member) note() {
	ch, r := m.ch, m.room
	ch.Set("conference_name", r.name)
	ch.Set("conference_uuid", r.uuid)
	ch.Set("conference_member_id", strconv.Itoa(m.id))
	ch.Set("conference_moderator", strconv.FormatBool(m.moderator()))
	ch.Set("conference_ghost", strconv.FormatBool(m.flags&flagGhost != 0))
	ch.Set("conference_call_key", "conference_"+r.name+"_"+r.domain+"_"+ch.Profile().CallerNumber)
	if len(r.records) > 0 {
		ch.Set("conference_recording", r.records[len(r.records)-1].path)
	}
}

// add takes a member in. It fails with errGone, or errFull if others were
// quicker.
func (r *Room) add(m *member) error {
	if r.ending {
		return errGone
	}
	members, _ := r.count()
	ghost := m.flags&flagGhost != 0
	if !ghost && r.maxMembers > 0 && members >= r.maxMembers {
		return errFull
	}
	m.seat, m.joined = r.mixer.Add(), time.Now()
	m.dress()
	r.members = append(r.members, m)
	members, ghosts := r.count()
	r.log.enter(m)
	if m.flags&flagMinTwo != 0 {
		r.min = 2
	}
	if members+ghosts >= r.min {
		r.enforceMin = true
	}
	if m.ch.Answered() {
		r.answered = true
	}
	if m.flags&flagMandatoryEndconf != 0 {
		r.mandatory++
		r.cancelTimer(r.graceTimer)
	}
	m.note()
	if !m.silent {
		r.fire("add-member", "", m)
	}
	r.watchTalk(m)
	r.welcome(m, members)
	r.presence()
	return nil
}

// aloneText is said where there is no sound for it.
const aloneText = "You are currently the only person in this conference."

// welcome does what a newcomer changes for all: music, enter and alone sounds, the
// wait for a moderator.
func (r *Room) welcome(m *member, members int) {
	waited := r.flags&roomWaitMod != 0
	if m.moderator() && waited {
		r.flags &^= roomWaitMod
		r.mixer.SetActive(true)
		r.stopMusic()
	}
	if members > 1 {
		r.silentAt = time.Now()
		if !waited || !m.ch.True("conference_permanent_wait_mod_moh") {
			r.stopMusic()
		}
	}
	quiet := m.silent || m.flags&flagSecondScreen != 0
	enter := m.ch.Get("conference_enter_sound")
	if enter == "" {
		enter = r.enterSound
	}
	switch {
	case members > 1 && !quiet && !r.enterOff:
		r.playSound(enter, entryLead)
		if r.profile.announce > 1 && members >= r.profile.announce {
			m.play(fmt.Sprintf("say:There are %d callers", members), false)
		}
	case members == 1 && !quiet && r.flags&roomWaitMod == 0 && !r.bridge && r.perpetual == "":
		r.playSound(r.sayOr("alone-sound", aloneText), entryLead)
	}
	r.music()
}

// remove takes a member out; his port has left the mixer.
func (r *Room) remove(m *member) {
	kept := r.members[:0]
	for _, o := range r.members {
		if o != m {
			kept = append(kept, o)
		}
	}
	clear(r.members[len(kept):])
	r.members = kept
	r.forgetRelations(m)
	ghost := m.flags&flagGhost != 0
	had := r.floor == m
	if had {
		r.setFloor(nil)
	}
	r.fire("del-member", "del-member", m)
	m.forgetSounds()
	m.seat.Leave()
	r.log.leave(m)
	if m.flags&flagMandatoryEndconf != 0 {
		if r.mandatory--; r.mandatory == 0 && !r.ending {
			r.graceTimer = r.after(r.grace+time.Second, r.end)
		}
	}
	members, ghosts := r.count()
	switch {
	case r.ending:
	case m.flags&flagEndconf != 0:
		r.forced = true
		r.end()
	case r.enforceMin && members+ghosts < r.min && members+ghosts > 0:
		r.end()
	default:
		r.farewell(m, members, ghost)
	}
	r.presence()
	r.settle()
}

// farewell does what a leaver changes for those who stay.
func (r *Room) farewell(m *member, members int, ghost bool) {
	if members == 0 && len(r.members) == 0 {
		return
	}
	own := m.ch.Get("conference_exit_sound")
	switch {
	case m.silent:
	case own != "":
		r.playSound(own, 0)
	case !r.exitOff && m.flags&flagSecondScreen == 0:
		r.playSound(r.exitSound, 0)
	}
	if members == 1 && !ghost && r.flags&roomWaitMod == 0 {
		r.playSound(r.sayOr("alone-sound", aloneText), 0)
	}
	r.music()
}

// stay is the member's time in the room, in his channel's goroutine. It returns
// why he leaves: the departure that the room wanted, or the error that ended the
// wait.
func (m *member) stay(ctx context.Context) (*departure, error) {
	port := m.ch.Port()
	if err := port.JoinMixer(m.seat); err != nil {
		return nil, err
	}
	defer func() {
		m.keys.stop()
		// Whoever took the call elsewhere may have joined the port already.
		if port.Peer() == nil {
			port.Leave()
		}
	}()
	for {
		if d := m.away.Load(); d != nil {
			return d, nil
		}
		err := m.ch.Wait(ctx, m.wake, call.WaitOptions{Digit: m.digit})
		switch {
		case err == nil:
			m.keys.expire()
		case !errors.Is(err, call.ErrStopped) && !errors.Is(err, call.ErrBreak):
			return nil, err
		}
		for _, c := range m.keys.take() {
			if err := m.control(ctx, c); err != nil {
				return nil, err
			}
		}
	}
}

// digit takes a key of the member: to the others, or to the controls. It ends the
// wait when there is a control to carry out.
func (m *member) digit(d media.Digit) bool {
	if m.flags&flagDistDTMF != 0 {
		m.room.post(func() {
			for _, o := range m.room.members {
				if o != m && o.flags&flagSkipDTMF == 0 {
					o.ch.SendDigits([]media.Digit{d})
				}
			}
		})
		return false
	}
	return m.keys.press(d.Char, time.Now())
}

// left tells the room and waits until it knows.
func (m *member) left() { m.room.do(func() { m.room.remove(m) }) }

// errLeave ends a member's stay by his own key.
var errLeave = errors.New("left by a key")
