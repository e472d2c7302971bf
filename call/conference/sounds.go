package conference

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/mix"
)

// maxQueue bounds the files that wait to be played to all, or to one member; the
// newest is refused.
const maxQueue = 128

// trackState is how far a track has come.
type trackState int

const (
	waiting trackState = iota
	opening
	playing
	over
)

// track is one file on its way to the ears of all, or of one member. The room's
// goroutine owns it, but for source and clip while it is being opened.
type track struct {
	path    string  // as it was asked for
	uri     string  // with the folder of sounds
	member  *member // nil: for all
	nomux   bool    // instead of the mix
	async   bool
	music   bool // started again when it ends
	dropped bool // stopped on purpose
	lead    int  // frames of silence before it
	state   trackState
	source  media.Source
	clip    *clip
	sound   *mix.Sound
	began   time.Time
}

// soundPath completes a name with the room's folder of sounds.
func (r *Room) soundPath(name string) string { return soundPath(r.prefix(), name) }

// prefix is the folder of relative sounds. Any goroutine may ask.
func (r *Room) prefix() string {
	if p := r.soundPrefix.Load(); p != nil {
		return *p
	}
	return ""
}

func soundPath(prefix, name string) string {
	params, bare := cutParams(name)
	if prefix == "" || bare == "" || filepath.IsAbs(bare) || strings.Contains(bare, "://") {
		return name
	}
	return params + filepath.Join(prefix, bare)
}

// cutParams splits "{a=b}name" behind the brace.
func cutParams(name string) (params, bare string) {
	if strings.HasPrefix(name, "{") {
		if end := strings.IndexByte(name, '}'); end >= 0 {
			return name[:end+1], name[end+1:]
		}
	}
	return "", name
}

// playTo plays a sound to a call that is not in the mix. What cannot be played is
// logged.
func (r *Room) playTo(ctx context.Context, ch *call.Channel, name string) {
	if name == "" || spoken(name) && !r.speaks() {
		return
	}
	uri, err := r.uri(ctx, name)
	if err == nil {
		_, err = ch.Play(ctx, uri, call.PlayOptions{})
	}
	if err != nil && ch.Up() && ctx.Err() == nil {
		ch.Log(call.LogWarning, "conference %s: %v", r.name, err)
	}
}

// spoken reports whether a sound is a text for a speech synthesiser.
func spoken(name string) bool { return strings.HasPrefix(name, "say:") }

// speaks reports whether the room has one: an engine is named in its profile.
func (r *Room) speaks() bool { return r.rooms.opts.Speak != nil && r.profile.get("tts-engine") != "" }

// sayOr is the sound of the profile, or, where it has none, a text if the room speaks.
func (r *Room) sayOr(sound, text string) string {
	if name := r.profile.get(sound); name != "" || !r.speaks() {
		return name
	}
	return "say:" + text
}

// uri is what a sound is played as. Speech may have to be made first, so the room's
// goroutine must not call it.
func (r *Room) uri(ctx context.Context, name string) (string, error) {
	text, ok := strings.CutPrefix(name, "say:")
	if !ok {
		return r.soundPath(name), nil
	}
	if !r.speaks() {
		return "", errors.New("no speech synthesiser")
	}
	return r.rooms.opts.Speak(ctx, r.profile.get("tts-engine"), r.profile.get("tts-voice"), text, r.rate)
}

// open opens a track's source. It may wait for a disk or a network, so the room's
// goroutine must not call it.
func (r *Room) open(ctx context.Context, t *track) error {
	uri, err := r.uri(ctx, t.path)
	if err != nil {
		return err
	}
	t.uri = uri
	src, err := r.sw.Sounds.Open(ctx, t.uri, r.rate)
	if err != nil {
		return err
	}
	params, _ := cutParams(t.path)
	t.clip = newClip(src, params, t.lead)
	t.source = t.clip
	return nil
}

// playSound queues a sound for all; "" is nothing, and so are texts where nothing
// speaks them.
func (r *Room) playSound(name string, lead int) {
	if name != "" && (!spoken(name) || r.speaks()) && !r.ending {
		r.enqueue(&track{path: name, lead: lead})
	}
}

// play queues a sound for the member.
func (m *member) play(name string, nomux bool) {
	if name != "" && (!spoken(name) || m.room.speaks()) && !m.room.ending {
		m.room.enqueue(&track{path: name, member: m, nomux: nomux})
	}
}

// enqueue puts a track behind those that wait; an async one replaces the one that
// plays. It reports whether there was room.
func (r *Room) enqueue(t *track) bool {
	queue := r.queueOf(t)
	if r.ending || !t.async && len(*queue) >= maxQueue {
		t.close()
		return false
	}
	if t.async {
		r.dropAsync()
		r.async = t
		r.start(t)
		return true
	}
	*queue = append(*queue, t)
	if len(*queue) == 1 {
		r.start(t)
	}
	return true
}

func (r *Room) queueOf(t *track) *[]*track {
	if t.member != nil {
		return &t.member.queue
	}
	return &r.queue
}

// start opens a track if need be, and plays it.
func (r *Room) start(t *track) {
	t.began = time.Now()
	if t.source != nil {
		r.begins(t)
		return
	}
	t.state = opening
	r.rooms.work.Go(func() {
		err := r.open(r.ctx, t)
		if !r.do(func() { r.opened(t, err) }) {
			t.close()
		}
	})
}

func (r *Room) opened(t *track, err error) {
	switch {
	case t.state != opening:
		t.close()
	case err != nil:
		if r.ctx.Err() == nil {
			r.sw.Log.Printf(call.LogWarning, "conference %s: %s: %v", r.name, t.path, err)
		}
		r.done(t)
	default:
		r.begins(t)
	}
}

// close gives back the source of a track that is not played.
func (t *track) close() {
	if t.source != nil && t.sound == nil {
		t.source.Close()
		t.source = nil
	}
}

// begins lets a track be heard.
func (r *Room) begins(t *track) {
	t.state = playing
	if t.member != nil {
		t.sound = t.member.seat.Play(t.source, media.PlayOptions{}, t.nomux)
	} else {
		t.sound = r.mixer.Play(t.source, media.PlayOptions{})
	}
	sound := t.sound
	r.rooms.work.Go(func() {
		<-sound.Done()
		r.post(func() { r.ended(t) })
	})
}

// ended tells of a track that was heard.
func (r *Room) ended(t *track) {
	if t.state != playing {
		return
	}
	samples, rate := t.sound.Samples(), int64(max(t.sound.Rate(), 1))
	about := []call.Var{{Name: "seconds", Value: strconv.FormatInt(samples/rate, 10)},
		{Name: "milliseconds", Value: strconv.FormatInt(samples*1000/rate, 10)},
		{Name: "samples", Value: strconv.FormatInt(samples, 10)}}
	r.firePlayed(t, append(about, t.params()...))
	r.done(t)
}

// params are the settings in braces before the name, for events.
func (t *track) params() []call.Var {
	params, _ := cutParams(t.path)
	var out []call.Var
	for _, pair := range strings.Split(strings.Trim(params, "{}"), ",") {
		if name, value, ok := strings.Cut(pair, "="); ok {
			out = append(out, call.Var{Name: name, Value: value})
		}
	}
	return out
}

// done takes a track away and lets the next begin.
func (r *Room) done(t *track) {
	if t.state == waiting {
		t.close()
	}
	t.state = over
	if t.async {
		r.asyncDone(t)
		return
	}
	queue := r.queueOf(t)
	i := slices.Index(*queue, t)
	if i < 0 {
		return
	}
	*queue = slices.Delete(*queue, i, i+1)
	if i == 0 && len(*queue) > 0 && !r.ending {
		r.start((*queue)[0])
	}
	r.music()
}

// shortMusic is how long music must last to be started again at once.
const shortMusic = 100 * time.Millisecond

// asyncDone frees the place of the async track. Music that failed, or ended at
// once, is tried again a little later.
func (r *Room) asyncDone(t *track) {
	if r.async == t {
		r.async = nil
	}
	if t.music && !t.dropped && !r.ending && time.Since(t.began) < shortMusic {
		r.musicOff = true
		r.after(musicRetry, func() { r.musicOff = false; r.music() })
	}
	r.music()
}

// drop stops a track: what plays is done when it has stopped, what does not yet
// is done at once.
func (r *Room) drop(t *track) {
	t.dropped = true
	if t.state == playing {
		t.sound.Stop()
	} else if t.state != over {
		r.done(t)
	}
}

func (r *Room) dropAsync() {
	if t := r.async; t != nil {
		r.async = nil
		r.drop(t)
	}
}

// stopTracks stops the first n of a queue and returns how many there were.
func (r *Room) stopTracks(queue []*track, n int) int {
	queue = slices.Clone(queue[:min(n, len(queue))])
	for _, t := range slices.Backward(queue) {
		r.drop(t)
	}
	return len(queue)
}

// stopSounds stops the first n files of the member and returns how many there
// were.
func (m *member) stopSounds(n int) int { return m.room.stopTracks(m.queue, n) }

// stopSounds stops the first n files for all, and the async one if wanted, and
// returns how many there were.
func (r *Room) stopSounds(n int, async bool) int {
	n = r.stopTracks(r.queue, n)
	if async && r.async != nil {
		r.dropAsync()
		n++
	}
	return n
}

// stopAll stops everything that is played.
func (r *Room) stopAll() {
	r.stopSounds(len(r.queue), true)
	for _, m := range r.members {
		m.stopSounds(len(m.queue))
	}
}

// forgetSounds gives up what a leaver would have heard.
func (m *member) forgetSounds() {
	for _, t := range m.queue {
		if t.state == waiting {
			t.close()
		}
		t.state = over
	}
	m.queue = nil
}

// stopMusic stops music on hold.
func (r *Room) stopMusic() {
	if r.async != nil && r.async.music && r.perpetual == "" {
		r.dropAsync()
	}
}

// music starts what shall be heard when nothing else is: perpetual sound, or
// music for who is alone or waits for a moderator.
func (r *Room) music() {
	if r.ending || r.async != nil || r.musicOff || len(r.members) == 0 {
		return
	}
	name := r.perpetual
	if name == "" {
		if !r.wantsMusic() {
			return
		}
		name = r.moh
	}
	r.enqueue(&track{path: name, async: true, music: true})
}

func (r *Room) wantsMusic() bool {
	if r.moh == "" || r.mohOff || len(r.queue) > 0 {
		return false
	}
	if r.flags&roomWaitMod != 0 {
		return true
	}
	members, _ := r.count()
	for _, m := range r.members {
		if m.flags&flagNoMOH != 0 {
			return false
		}
	}
	return members == 1
}

// setMusic turns music on hold on or off.
func (r *Room) setMusic(on bool) {
	r.mohOff = !on
	if !on {
		r.stopMusic()
	}
	r.music()
}
