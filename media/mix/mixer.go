// Package mix adds up the sound of many ports: the audio half of a conference.
//
// A Mixer has Members, each the seat of one media.Port. In each tick of the
// clock every member says a frame; a gate decides who is heard, all who are heard
// are added up, and every member gets the sum without his own voice. Whoever is
// not heard himself gets the same mix as all others like him, which is encoded
// once per format. Files are mixed in for all or for one.
//
// Rules and figures are those of FreeSWITCH's conferences (spec/conference.md
// §9). Rooms, names, pins, events and recordings' paths belong to
// call/conference.
package mix

import (
	"slices"
	"sync"
	"time"

	"github.com/switchlet/switchlet/media"
)

// Options are a Mixer's properties that do not change.
type Options struct {
	// Rate is the PCM rate in Hz: 8000, 12000, 16000, 24000, 32000 or 48000.
	Rate int
	// AudioAlways lets frames below the gate into the mix (flag audio-always).
	AudioAlways bool
	// EnergyLevel is what new members' gates begin with; 0 is no gate.
	EnergyLevel int
	// AutoEnergy is how often a gate that was raised automatically sinks again; 0
	// is five seconds.
	AutoEnergy time.Duration
	// OnTalk is called when a member begins or ends to talk. A muted member is
	// noticed only with SetMuteDetect. It runs on the clock without locks held and
	// must not block.
	OnTalk func(m *Member, on bool)
	// OnFloor is called when the floor goes from one member to another; either may
	// be nil. It runs like OnTalk.
	OnFloor func(from, to *Member)
}

// Mixer adds up members' sound on the clock of an Engine. It is on the clock
// while it has members, sounds or recordings.
type Mixer struct {
	engine *media.Engine
	opts   Options
	frame  int // samples

	mu       sync.Mutex
	members  []*Member
	sounds   []*Sound // heard by all
	taps     []*tap
	records  []*media.Recording
	closed   bool
	inactive bool // wait-mod: nobody is mixed
	noise    int  // comfort noise level; 0: silence
	seed     uint32
	floor    *Member
	events   []event
	ticks    int

	// Written in PhaseMix, read by all members in PhaseWrite.
	sum    []int32 // of all who are heard, and the sounds
	voices int     // how many are heard
	played bool    // sounds are in the sum
	pcm    []int16 // the same, clipped
	shared *media.Shared
	quiet  *media.Shared // for the deaf
	silent []int16
	play   []int16 // a sound's frame
}

type event struct {
	member, other *Member
	floor, on     bool
}

type tap struct {
	fn func([]int16)
}

// New returns a Mixer of e.
func New(e *media.Engine, o Options) *Mixer {
	if o.Rate <= 0 || o.Rate > media.MaxRate {
		o.Rate = 8000
	}
	if o.AutoEnergy <= 0 {
		o.AutoEnergy = 5 * time.Second
	}
	n := media.SamplesPerFrame(o.Rate)
	m := &Mixer{
		engine: e, opts: o, frame: n, seed: 1,
		sum: make([]int32, n), pcm: make([]int16, n), silent: make([]int16, n), play: make([]int16, n),
		shared: e.NewShared(o.Rate), quiet: e.NewShared(o.Rate),
	}
	return m
}

// Rate returns the PCM rate in Hz.
func (x *Mixer) Rate() int { return x.opts.Rate }

// Add returns a new member, which takes part once it is given to a Port's
// JoinMixer. Its gate begins with the mixer's energy level.
func (x *Mixer) Add() *Member {
	m := newMember(x)
	x.mu.Lock()
	x.members = append(x.members, m)
	x.mu.Unlock()
	x.engine.Clock().Add(x)
	return m
}

// Members returns how many members there are.
func (x *Mixer) Members() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.members)
}

func (x *Mixer) remove(m *Member) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.members = slices.DeleteFunc(x.members, func(o *Member) bool { return o == m })
	for _, o := range x.members {
		o.forget(m)
	}
	if x.floor == m {
		x.setFloor(nil)
	}
}

// SetActive lets members be mixed, or not (flag wait-mod, before a moderator
// came). Sounds are heard either way. A Mixer begins active.
func (x *Mixer) SetActive(on bool) {
	x.mu.Lock()
	x.inactive = !on
	x.mu.Unlock()
}

// SetComfortNoise makes noise sound while nothing else does: the higher the level
// the softer; 0 is silence.
func (x *Mixer) SetComfortNoise(level int) {
	x.mu.Lock()
	x.noise = max(level, 0)
	x.mu.Unlock()
}

// Floor returns the member who has the floor, or nil.
func (x *Mixer) Floor() *Member {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.floor
}

// SetFloor gives the floor to m, or frees it with nil.
func (x *Mixer) SetFloor(m *Member) {
	x.mu.Lock()
	x.setFloor(m)
	x.mu.Unlock()
}

func (x *Mixer) setFloor(m *Member) {
	if x.floor == m {
		return
	}
	x.post(event{member: x.floor, other: m, floor: true})
	for _, one := range [...]*Member{x.floor, m} {
		if one != nil {
			one.mu.Lock()
			one.gate.average = 0
			one.mu.Unlock()
		}
	}
	x.floor = m
}

// maxEvents bounds the events of one tick: two for each member are plenty.
const maxEvents = 4096

func (x *Mixer) post(e event) {
	if len(x.events) < maxEvents {
		x.events = append(x.events, e)
	}
}

// Tap calls fn with each frame of the whole mix, on the clock: fn must neither
// block, nor call the Mixer, nor keep the slice.
func (x *Mixer) Tap(fn func(pcm []int16)) (remove func()) {
	t := &tap{fn: fn}
	x.mu.Lock()
	x.taps = append(x.taps, t)
	x.mu.Unlock()
	x.engine.Clock().Add(x)
	return func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.taps = slices.DeleteFunc(x.taps, func(o *tap) bool { return o == t })
	}
}

// Record writes the whole mix to sink and owns it from then on.
func (x *Mixer) Record(name string, sink media.Sink, o media.RecordOptions) *media.Recording {
	o.Direction = media.Read
	r := x.engine.NewRecording(name, sink, o)
	x.mu.Lock()
	closed := x.closed
	if !closed {
		x.records = append(x.records, r)
	}
	x.mu.Unlock()
	if closed {
		r.Stop()
	} else {
		x.engine.Clock().Add(x)
	}
	return r
}

// Close stops sounds and recordings and takes the Mixer off the clock. Members'
// ports must have left before. It waits until recordings are on disk.
func (x *Mixer) Close() {
	x.engine.Clock().Remove(x)
	x.mu.Lock()
	x.closed = true
	sounds, records := x.sounds, x.records
	for _, m := range x.members {
		sounds = append(sounds, m.takeSounds()...)
	}
	x.sounds, x.records, x.taps, x.members = nil, nil, nil, nil
	x.mu.Unlock()
	for _, s := range sounds {
		s.Stop()
	}
	for _, r := range records {
		r.Stop()
		<-r.Done()
	}
}

// Tick mixes in PhaseMix.
func (x *Mixer) Tick(p media.Phase, _ time.Time) {
	if p != media.PhaseMix {
		return
	}
	x.mu.Lock()
	x.mix()
	events := x.events
	x.events = nil
	idle := len(x.members)+len(x.sounds)+len(x.taps)+len(x.records) == 0
	if idle {
		x.engine.Clock().Remove(x)
	}
	x.mu.Unlock()
	for _, e := range events {
		switch {
		case e.floor && x.opts.OnFloor != nil:
			x.opts.OnFloor(e.member, e.other)
		case !e.floor && x.opts.OnTalk != nil:
			x.opts.OnTalk(e.member, e.on)
		}
	}
}

// mix adds up what was said in this tick. Caller holds x.mu.
func (x *Mixer) mix() {
	clear(x.sum)
	x.ticks++
	sounded := x.mixSounds()
	x.voices, x.played = 0, sounded
	company := len(x.members) > 1 || len(x.records) > 0 || len(x.taps) > 0
	for _, m := range x.members {
		if x.mixMember(m, company) {
			sounded = true
			x.voices++
		}
	}
	if !sounded && x.noise > 0 {
		x.addNoise()
	}
	clip(x.pcm, x.sum)
	x.shared.Set(x.pcm)
	x.quiet.Set(x.silent)
	x.followFloor()
	for _, t := range x.taps {
		t.fn(x.pcm)
	}
	kept := x.records[:0]
	for _, r := range x.records {
		r.Frame(x.opts.Rate, x.pcm, x.silent)
		if !r.Over() {
			kept = append(kept, r)
		}
	}
	clear(x.records[len(kept):])
	x.records = kept
}

func (x *Mixer) mixMember(m *Member, company bool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.changed {
		m.changed = false
		x.post(event{member: m, on: m.gate.talking})
	}
	if x.ticks%max(int(x.opts.AutoEnergy/media.FrameTime), 1) == 0 {
		m.gate.sink(x.opts.EnergyLevel)
	}
	m.mixed = m.fresh && company && !x.inactive && m.audible(x.opts.AudioAlways)
	m.fresh = false
	if !m.mixed {
		return false
	}
	for i, s := range m.said {
		x.sum[i] += int32(s)
	}
	return true
}

func (x *Mixer) mixSounds() (sounded bool) {
	x.sounds = performAll(x.sounds, func(s *Sound) {
		n := s.Frame(x.opts.Rate, x.play)
		for i, v := range x.play[:n] {
			x.sum[i] += int32(v)
		}
		sounded = sounded || n > 0
	})
	return sounded
}

// addNoise adds FreeSWITCH's comfort noise: six values of a linear congruential
// generator, divided by the level.
func (x *Mixer) addNoise() {
	divisor := int32(max(x.noise*x.opts.Rate/8000, 1))
	for i := range x.sum {
		var v int16
		for range 6 {
			x.seed = x.seed*1103515245 + 12345
			v += int16(x.seed >> 16)
		}
		x.sum[i] += int32(v) / divisor
	}
}

// Figures of the floor: who is louder than floorTake takes it from one who is
// softer than floorKeep.
const (
	floorTake = 300
	floorKeep = 100
)

// followFloor gives the floor to who talks.
func (x *Mixer) followFloor() {
	holder := -1.0
	if x.floor != nil {
		holder = x.floor.score()
	}
	for _, m := range x.members {
		if m == x.floor || !m.running() {
			continue
		}
		if x.floor == nil || m.score() > floorTake && holder < floorKeep {
			x.setFloor(m)
			return
		}
	}
}

func clip(out []int16, sum []int32) {
	for i, s := range sum {
		out[i] = int16(min(max(s, -32768), 32767))
	}
}
