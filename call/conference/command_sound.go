package conference

import (
	"strconv"
	"strings"

	"github.com/switchlet/switchlet/call"
)

// playCommand plays a file to all, or to one member.
func playCommand(in *invocation) bool {
	if in.arg(0) == "" {
		return false
	}
	r, file := in.room, in.args[0]
	t := &track{path: file, async: strings.EqualFold(in.arg(1), "async")}
	if len(in.args) > 1 && !t.async {
		id, _ := strconv.Atoi(in.args[1])
		r.do(func() { t.member = r.byID(id) })
		if t.member == nil {
			in.printf("-ERR Member: %s not found.\n", in.args[1])
			return false
		}
		t.nomux = strings.EqualFold(in.arg(2), "nomux")
	}
	err := r.open(in.ctx, t)
	played := false
	if !r.do(func() { played = err == nil && r.playAsked(t); r.firePlay(t, played) }) {
		t.close()
	}
	switch {
	case !played:
		in.printf("-ERR (play) File: %s not found.\n", file)
		if err != nil {
			r.sw.Log.Printf(call.LogWarning, "conference %s: %s: %v", r.name, file, err)
		}
	case t.member != nil:
		in.printf("+OK (play) Playing file %s to member %d\n", file, t.member.id)
	default:
		in.printf("+OK (play) Playing file %s\n", file)
	}
	return true
}

// playAsked queues a file that a command opened. Somebody must hear it.
func (r *Room) playAsked(t *track) bool {
	members, _ := r.count()
	if members == 0 || t.member != nil && r.byID(t.member.id) == nil {
		t.close()
		return false
	}
	return r.enqueue(t)
}

// firePlay tells that a command plays a file, or could not.
func (r *Room) firePlay(t *track, played bool) {
	file := call.Var{Name: "File", Value: t.path}
	if t.member != nil {
		if played {
			r.fire("play-file-member", "play-file-member", t.member, file)
		}
		return
	}
	about := []call.Var{file, {Name: "Async", Value: strconv.FormatBool(t.async)}}
	if !played {
		about = append(about, call.Var{Name: "Error", Value: "File could not be played"})
	}
	r.fireWith("play-file", "play-file", nil, t.params(), about)
}

// playsNow is what a command about a running file means: the member's that word
// number i names, else the conference's. Unknown members are told of.
func (in *invocation) playsNow(i int) (t *track, ok bool) {
	r := in.room
	if in.arg(i) == "" {
		if len(r.queue) > 0 {
			return r.queue[0], true
		}
		return nil, true
	}
	m := r.numbered(in.arg(i))
	if m == nil {
		in.printf("-ERR Member: %s not found.\n", in.arg(i))
		return nil, false
	}
	if len(m.queue) > 0 {
		return m.queue[0], true
	}
	return nil, true
}

// running reports whether a track can be controlled.
func (t *track) running() bool { return t != nil && t.state == playing }

func stopCommand(in *invocation) bool {
	r := in.room
	what, who := strings.ToLower(in.arg(0)), in.arg(1)
	if _, err := strconv.Atoi(what); err == nil {
		what, who = "all", what
	}
	switch what {
	case "", "all", "current", "async", "last":
	default:
		return false
	}
	n := 0
	if who != "" {
		m := r.numbered(who)
		if m == nil {
			in.printf("-ERR Member: %s not found.\n", who)
			return true
		}
		n = m.stopSounds(depth(what, len(m.queue)))
	} else {
		n = r.stopSounds(depth(what, len(r.queue)), what == "" || what == "all" || what == "async")
	}
	in.printf("+OK Stopped %d files.\n", n)
	return true
}

// depth is how many files of a queue the word means.
func depth(what string, all int) int {
	switch what {
	case "current":
		return 1
	case "async":
		return 0
	case "last":
		return min(1, all)
	}
	return all
}

func pausePlayCommand(in *invocation) bool {
	t, ok := in.playsNow(0)
	if !ok || !t.running() {
		return ok
	}
	if t.sound.TogglePause() {
		in.printf("+OK Pause\n")
	} else {
		in.printf("+OK Resume\n")
	}
	return true
}

func playStatusCommand(in *invocation) bool {
	t, ok := in.playsNow(0)
	switch {
	case !ok:
		return false
	case !t.running():
		in.printf("-ERR Nothing is playing\n")
	default:
		_, bare := cutParams(t.uri)
		in.printf("+OK %d/%d %s\n", t.sound.Position(), t.clip.length(), bare)
	}
	return true
}

func fileSeekCommand(in *invocation) bool {
	word := in.arg(0)
	ms, err := strconv.ParseInt(word, 10, 64)
	if err != nil {
		return false
	}
	t, ok := in.playsNow(1)
	if !ok || !t.running() {
		return false
	}
	if word[0] == '+' || word[0] == '-' {
		err = t.sound.SeekBy(ms)
	} else {
		err = t.sound.SeekTo(ms)
	}
	if err != nil {
		in.printf("-ERR %v\n", err)
		return true
	}
	in.printf("+OK seek to position %d\n", t.sound.Position())
	return true
}

func fileVolumeCommand(in *invocation) bool {
	t, ok := in.playsNow(1)
	n, err := strconv.Atoi(in.arg(0))
	if !ok || err != nil || !t.running() {
		in.printf("-ERR File not playing\n")
		return false
	}
	if in.arg(0)[0] == '+' || in.arg(0)[0] == '-' {
		n += int(t.clip.level.Load())
	}
	t.clip.setVolume(n)
	in.printf("+OK volume changed\n")
	return true
}

func mohCommand(in *invocation) bool {
	r := in.room
	switch word := in.arg(0); strings.ToLower(word) {
	case "":
		in.printf("-ERR invalid moh param\n")
		return true
	case "toggle":
		r.setMusic(r.mohOff)
	case "on":
		r.setMusic(true)
	case "off":
		r.setMusic(false)
	case "reset":
		r.stopMusic()
		r.moh = r.profile.get("moh-sound")
		r.setMusic(true)
	default:
		r.stopMusic()
		r.moh = word
		r.setMusic(true)
	}
	in.printf("+OK moh\n")
	return true
}

// There is no speech synthesiser: what is to be said cannot be.
func sayCommand(in *invocation) bool {
	r := in.room
	if in.rest == "" {
		in.printf("-ERR (say) Error! No text.\n")
		return false
	}
	members, _ := r.count()
	if !r.speaks() || members == 0 || !r.enqueue(&track{path: "say:" + in.rest}) {
		in.printf("-ERR (say) Error!\n")
		return false
	}
	r.fire("speak-text", "speak-text", nil, call.Var{Name: "Text", Value: in.rest})
	in.printf("+OK (say) OK\n")
	return true
}

func sayMemberCommand(in *invocation) bool {
	switch {
	case in.arg(0) != "" && in.room.numbered(in.arg(0)) == nil:
		in.printf("-ERR (saymember) Unknown Member %s!\n", in.arg(0))
	case len(in.args) < 2:
		in.printf("-ERR (saymember) No Text!\n")
	default:
		m, text := in.room.numbered(in.arg(0)), restOf(in.rest, 1)
		if in.room.speaks() {
			m.play("say:"+text, false)
			in.room.fire("speak-text-member", "speak-text-member", m, call.Var{Name: "Text", Value: text})
		}
		in.printf("+OK (saymember) OK\n") // without a synthesiser, too
		return true
	}
	return false
}

// file is the name that the words from number n on make: one in quotes, or the
// rest of the line.
func (in *invocation) file(n int) string {
	if len(in.args) == n+1 {
		return in.args[n]
	}
	return restOf(in.rest, n)
}

func recordCommand(in *invocation) bool { return in.startRecord(in.file(0)) }

func (in *invocation) startRecord(path string) bool {
	if path == "" {
		return false
	}
	if !in.room.record(path, false) {
		in.printf("-ERR file [%s] is already being used for recording.\n", path)
		return true
	}
	in.printf("+OK Record file %s\n", path)
	return true
}

func checkRecordCommand(in *invocation) bool {
	if len(in.room.records) == 0 {
		in.printf("-ERR Conference is not being recorded.\n")
		return true
	}
	for _, k := range in.room.records {
		note := ""
		if k.auto {
			note = " (Auto)"
		}
		in.printf("+OK Record file %s%s\n", k.path, note)
	}
	return true
}

func norecordCommand(in *invocation) bool {
	if in.rest == "" {
		return false
	}
	in.stopRecord(in.file(0))
	return true
}

func (in *invocation) stopRecord(path string) {
	stopped := in.room.stopRecords(path)
	for _, k := range stopped {
		switch {
		case k.auto && in.room.autoOff:
			in.printf("Stopped AUTO recording file %s (Auto Recording Now Disabled)\n", k.path)
		case k.auto:
			in.printf("Stopped AUTO recording file %s\n", k.path)
		default:
			in.printf("Stopped recording file %s\n", k.path)
		}
	}
	if len(stopped) == 0 && path != "all" && path != "" {
		in.printf("-ERR non-existant recording '%s'\n", path)
	}
	in.printf("+OK Stopped recording %d files\n", len(stopped))
}

func pauseCommand(in *invocation) bool  { return in.pauseRecord(in.file(0), true) }
func resumeCommand(in *invocation) bool { return in.pauseRecord(in.file(0), false) }

func (in *invocation) pauseRecord(path string, on bool) bool {
	if path == "" {
		return false
	}
	word := "Resume"
	if on {
		word = "Pause"
	}
	in.printf("+OK %s recording file %s\n", word, path)
	if !in.room.pauseRecord(path, on) {
		in.printf("-ERR non-existant recording '%s'\n", path)
	}
	return true
}

// recordingCommand is the commands above under one name.
func recordingCommand(in *invocation) (ok bool) {
	path := in.file(1)
	inside := func(fn func() bool) bool { ok = true; in.room.do(func() { ok = fn() }); return ok }
	switch strings.ToLower(in.arg(0)) {
	case "start":
		return in.startRecord(path)
	case "stop":
		return inside(func() bool { in.stopRecord(path); return true })
	case "check":
		return inside(func() bool { return checkRecordCommand(in) })
	case "pause":
		return inside(func() bool { return in.pauseRecord(path, true) })
	case "resume":
		return inside(func() bool { return in.pauseRecord(path, false) })
	}
	return false
}
