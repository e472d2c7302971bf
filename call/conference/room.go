package conference

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/media/mix"
)

const (
	// inboxSize is how many functions may wait for a room. Callers wait when it is
	// full; what the clock has to tell is dropped.
	inboxSize = 512
	// topEnergy is the highest energy level.
	topEnergy = 1800
	// musicRetry is the time until music that failed is tried again.
	musicRetry = 2 * time.Second
)

// errGone is returned for a room that ended meanwhile.
var errGone = errors.New("conference: the room has ended")

// Room is one conference. Its goroutine owns all that stands below the inbox;
// others have it run functions with post and do.
type Room struct {
	rooms    *Rooms
	sw       *call.Switch
	name     string
	uuid     string
	domain   string
	profile  *profile
	rate     int // Hz
	interval int // ms, as reported: the mixer's frames have 20
	mixer    *mix.Mixer
	ctx      context.Context // ends with the room; outgoing calls hang on it
	cancel   context.CancelCauseFunc
	started  time.Time
	visitors int // guarded by rooms.mu
	inbox    chan func()
	gone     chan struct{}

	soundPrefix atomic.Pointer[string]

	flags       roomFlag
	bridge      bool
	min         int // members; 2 for bridges
	enforceMin  bool
	answered    bool
	locked      bool
	ending      bool
	forced      bool // ended because of an endconf member
	over        bool
	vars        *call.Vars
	pin, modPin string
	maxMembers  int
	grace       time.Duration
	moh         string
	mohOff      bool
	perpetual   string
	enterSound  string
	exitSound   string
	enterOff    bool
	exitOff     bool
	callerName  string
	callerNum   string
	autoRecord  string
	autoOff     bool

	members    []*member // in order of joining
	floor      *member   // as events told
	mandatory  int
	relations  []relation
	queue      []*track // of files for all, the first plays
	async      *track
	musicOff   bool // for a while, because it failed
	records    []*record
	graceTimer *time.Timer
	timers     map[*time.Timer]bool
	silentAt   time.Time
	log        *journal
}

// newRoom makes a room for its first caller. It runs under the lock of Rooms.
func newRoom(rs *Rooms, ch *call.Channel, q request, p *profile, flags roomFlag) *Room {
	r := &Room{rooms: rs, sw: rs.sw, name: q.name, uuid: call.NewUUID(), profile: p, flags: flags, bridge: q.bridge,
		started: time.Now(), min: 1, inbox: make(chan func(), inboxSize), gone: make(chan struct{}),
		vars: call.NewVars(p.variables...), pin: q.pin, modPin: p.get("moderator-pin"), maxMembers: p.maxMembers,
		grace: p.grace, timers: make(map[*time.Timer]bool)}
	r.ctx, r.cancel = context.WithCancelCause(context.Background())
	if q.bridge {
		r.min = 2
	}
	if r.pin == "" {
		r.pin = p.get("pin")
	}
	r.configure(ch)
	r.mixer = mix.New(rs.sw.Media, mix.Options{Rate: r.rate, AudioAlways: r.flags&roomAudioAlways != 0,
		EnergyLevel: p.energy, AutoEnergy: time.Duration(p.autoSeconds) * time.Second,
		OnTalk:  func(m *mix.Member, on bool) { r.tell(func() { r.talked(m, on) }) },
		OnFloor: func(_, to *mix.Member) { r.tell(func() { r.floorWent(to) }) }})
	r.mixer.SetComfortNoise(p.comfortNoise)
	r.mixer.SetActive(r.flags&roomWaitMod == 0)
	r.log = newJournal(r)
	r.inbox <- r.begin
	return r
}

// configure takes over what profile and creator say. The creator's variables
// win, for perpetual sound the profile does.
func (r *Room) configure(ch *call.Channel) {
	p := r.profile
	or := func(value, otherwise string) string {
		if value != "" {
			return value
		}
		return otherwise
	}
	r.rate, r.interval = p.rate, p.interval
	if v := ch.Get("conference_force_rate"); v != "" {
		r.rate = rateOf(v, r.rate)
	}
	if v := ch.Get("conference_force_interval"); v != "" {
		r.interval = intervalOf(v, r.interval)
	}
	if r.rate == 0 {
		r.rate = nearestRate(ch.Rate())
	}
	if r.interval == 0 {
		r.interval = 20
		if f, _ := ch.Formats(); f.Ptime > 0 {
			r.interval = f.Ptime
		}
	}
	prefix, _ := ch.Lookup("sound_prefix")
	prefix = or(p.get("sound-prefix"), prefix)
	r.soundPrefix.Store(&prefix)
	r.moh = or(ch.Get("conference_moh_sound"), p.get("moh-sound"))
	if strings.EqualFold(r.moh, "silence") || strings.EqualFold(r.moh, "indicate_hold") {
		r.moh = ""
	}
	r.perpetual = or(p.get("perpetual-sound"), ch.Get("conference_perpetual_sound"))
	r.enterSound, r.exitSound = p.get("enter-sound"), p.get("exit-sound")
	r.callerName = or(p.get("caller-id-name"), "conference")
	r.callerNum = or(p.get("caller-id-number"), "0000000000")
	r.autoRecord = or(ch.Get("conference_auto_record"), p.get("auto-record"))
	if n, err := strconv.Atoi(ch.Get("conference_max_members")); err == nil && n > 1 {
		r.maxMembers = n
	}
	if n, err := strconv.Atoi(ch.Get("conference_endconference_grace_time")); err == nil && n >= 0 {
		r.grace = time.Duration(n) * time.Second
	}
	for _, v := range ch.Vars().All() {
		if name, ok := strings.CutPrefix(strings.ToLower(v.Name), "confvar_"); ok {
			r.vars.Set(name, v.Value)
		}
	}
	_, r.domain, _ = strings.Cut(r.name, "@")
	if r.domain == "" {
		_, at, _ := strings.Cut(ch.Get("presence_id"), "@")
		r.domain = or(p.domain, or(at, "cluecon.com"))
	}
}

// begin is the first function that the room runs.
func (r *Room) begin() {
	r.fire("conference-create", "", nil)
	r.watchSilence()
	if r.profile.heartbeat > 0 {
		r.after(r.profile.heartbeat, r.heartbeat)
	}
}

func (r *Room) heartbeat() {
	r.fire("conference-heartbeat", "", nil)
	r.after(r.profile.heartbeat, r.heartbeat)
}

// run is the room's goroutine.
func (r *Room) run() {
	defer close(r.gone)
	for !r.over {
		r.guard(<-r.inbox)
	}
}

// guard keeps a mistake in one function from ending the switch.
func (r *Room) guard(fn func()) {
	defer func() {
		if p := recover(); p != nil {
			r.sw.Log.Printf(call.LogCrit, "conference %s: panic: %v", r.name, p)
		}
	}()
	fn()
}

// post has the room run fn, unless it has ended. The room itself must not post.
func (r *Room) post(fn func()) {
	select {
	case r.inbox <- fn:
	case <-r.gone:
	}
}

// tell is post for the clock, which must not wait: a full inbox drops fn.
func (r *Room) tell(fn func()) {
	select {
	case r.inbox <- fn:
	default:
	}
}

// do has the room run fn and waits. It reports false if the room has ended.
func (r *Room) do(fn func()) bool {
	done := make(chan struct{})
	r.post(func() { defer close(done); fn() })
	select {
	case <-done:
		return true
	case <-r.gone:
	}
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// after runs fn in the room's goroutine when d is over, if the room still is.
func (r *Room) after(d time.Duration, fn func()) *time.Timer {
	var t *time.Timer
	ready := make(chan struct{})
	t = time.AfterFunc(d, func() {
		<-ready
		r.post(func() {
			if r.timers[t] {
				delete(r.timers, t)
				fn()
			}
		})
	})
	r.timers[t] = true
	close(ready)
	return t
}

// cancelTimer takes back what after promised.
func (r *Room) cancelTimer(t *time.Timer) {
	if t != nil {
		t.Stop()
		delete(r.timers, t)
	}
}

// count is the number of members, ghosts apart.
func (r *Room) count() (members, ghosts int) {
	for _, m := range r.members {
		if m.flags&flagGhost != 0 {
			ghosts++
		}
	}
	return len(r.members) - ghosts, ghosts
}

// byID returns the member of that number, or nil.
func (r *Room) byID(id int) *member {
	for _, m := range r.members {
		if m.id == id {
			return m
		}
	}
	return nil
}

func (r *Room) bySeat(seat *mix.Member) *member {
	for _, m := range r.members {
		if m.seat == seat {
			return m
		}
	}
	return nil
}

// talked tells that a member began or ended to talk.
func (r *Room) talked(seat *mix.Member, on bool) {
	m := r.bySeat(seat)
	switch {
	case m == nil:
	case on && seat.Muted():
		r.fire("mute-detect", "mute-detect", m)
		sound := r.profile.get("mute-detect-sound")
		if sound == "" {
			sound = r.profile.get("muted-sound")
		}
		m.play(sound, false)
	case on:
		m.talking = true
		m.reports.began()
		r.fire("start-talking", "start-talking", m)
	case m.talking:
		m.talking = false
		r.fireWith("stop-talking", "stop-talking", m, talkHeaders(seat.Talk()), nil)
	}
}

// floorWent follows the mixer's choice of who has the floor.
func (r *Room) floorWent(seat *mix.Member) {
	var to *member
	if seat != nil {
		if to = r.bySeat(seat); to == nil {
			return
		}
	}
	r.setFloor(to)
}

// setFloor tells who has the floor now.
func (r *Room) setFloor(to *member) {
	if r.floor == to {
		return
	}
	from := r.floor
	r.floor = to
	r.fireFloor(from, to)
}

// settle ends a room without members.
func (r *Room) settle() {
	switch {
	case r.over || len(r.members) > 0:
	case r.ending || r.rooms.forget(r, true):
		r.finish()
	}
}

// end sends all members away. The name is free at once.
func (r *Room) end() {
	if r.ending {
		return
	}
	r.ending = true
	r.rooms.forget(r, false)
	r.cancel(call.CauseOriginatorCancel)
	r.stopAll()
	for _, m := range r.members {
		m.depart(&departure{ended: true})
	}
	r.settle()
}

// finish is the end of the room's goroutine.
func (r *Room) finish() {
	r.ending, r.over = true, true
	r.cancel(call.CauseOriginatorCancel)
	for t := range r.timers {
		t.Stop()
	}
	clear(r.timers)
	r.stopAll()
	for _, k := range r.records {
		k.rec.Stop()
		<-k.rec.Done()
		r.fireStopped(k)
	}
	r.records = nil
	r.mixer.Close()
	r.fire("conference-destroy", "", nil)
	r.log.write()
}

// watchSilence ends the room when nobody of two or more has talked for
// terminate-on-silence.
func (r *Room) watchSilence() {
	limit := r.profile.silence
	if limit == 0 {
		return
	}
	last := r.silentAt
	for _, m := range r.members {
		if t := m.seat.LastTalking(); t.After(last) {
			last = t
		}
	}
	if len(r.members) > 1 && !last.IsZero() && time.Since(last) > limit {
		r.end()
		return
	}
	r.after(time.Second, r.watchSilence)
}
