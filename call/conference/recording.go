package conference

import (
	"os"
	"strconv"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/media"
)

// record is one recording of the room.
type record struct {
	id      int
	path    string
	auto    bool
	began   time.Time
	rec     *media.Recording
	entered *entry
}

// record writes the room's sound to path. It reports false if that file is being
// written already. It creates the file, so the room's goroutine must not call it.
func (r *Room) record(path string, auto bool) (ok bool) {
	ok = true
	if !r.do(func() { ok = r.recordOf(path) == nil }) || !ok {
		return ok
	}
	sink, err := r.sw.Sounds.Create(path, r.rate, 1, false)
	taken := false
	if !r.do(func() {
		switch {
		case err != nil:
			r.sw.Log.Printf(call.LogErr, "conference %s: %s: %v", r.name, path, err)
			r.fire("start-recording", "record", nil, call.Var{Name: "Path", Value: path},
				call.Var{Name: "Error", Value: "File could not be opened for recording"})
		case r.ending || r.recordOf(path) != nil:
			ok = r.ending
		default:
			taken = true
			r.recording(path, auto, sink)
		}
	}) || !taken {
		if sink != nil {
			sink.Close()
		}
	}
	return ok
}

func (r *Room) recordOf(path string) *record {
	for _, k := range r.records {
		if k.path == path {
			return k
		}
	}
	return nil
}

// recording starts to write.
func (r *Room) recording(path string, auto bool, sink media.Sink) {
	k := &record{id: r.rooms.nextID(), path: path, auto: auto, began: time.Now()}
	k.rec = r.mixer.Record("conference "+r.name, sink, media.RecordOptions{})
	r.records = append(r.records, k)
	r.log.enterRecord(k)
	for _, m := range r.members {
		m.ch.Set("conference_recording", path)
	}
	r.fire("start-recording", "record", nil, call.Var{Name: "Path", Value: path})
	r.rooms.work.Go(func() {
		<-k.rec.Done()
		r.post(func() { r.recorded(k) })
	})
}

// recorded takes away a recording that has ended.
func (r *Room) recorded(k *record) {
	for i, o := range r.records {
		if o == k {
			r.records = append(r.records[:i], r.records[i+1:]...)
			r.fireStopped(k)
			return
		}
	}
}

// fireStopped tells of a recording that has ended.
func (r *Room) fireStopped(k *record) {
	r.log.leaveRecord(k)
	samples, rate := k.rec.Samples(), int64(max(k.rec.Rate(), 1))
	about := []call.Var{{Name: "Path", Value: k.path}, {Name: "Other-Recordings", Value: r.others(k)},
		{Name: "Samples-Out", Value: strconv.FormatInt(samples, 10)}, {Name: "Samplerate", Value: strconv.FormatInt(rate, 10)},
		{Name: "Milliseconds-Elapsed", Value: strconv.FormatInt(samples*1000/rate, 10)}}
	if info, err := os.Stat(k.path); err == nil {
		about = append(about, call.Var{Name: "Record-File-Size", Value: strconv.FormatInt(info.Size(), 10)})
	}
	r.fire("stop-recording", "", nil, about...)
}

func (r *Room) others(k *record) string {
	for _, o := range r.records {
		if o != k && !o.rec.Over() {
			return "true"
		}
	}
	return "false"
}

// stopRecords ends the recording of path, or all for "all" and "", and returns
// what was ended. Events follow when the files are complete.
func (r *Room) stopRecords(path string) (stopped []*record) {
	for _, k := range r.records {
		if (path == "" || path == "all" || k.path == path) && !k.rec.Over() {
			if k.auto && r.flags&roomRestartAutoRecord == 0 {
				r.autoOff = true
			}
			k.rec.Stop()
			stopped = append(stopped, k)
		}
	}
	return stopped
}

// pauseRecord leaves out what is said, or goes on. It reports whether path is
// being recorded.
func (r *Room) pauseRecord(path string, on bool) bool {
	k := r.recordOf(path)
	if k == nil {
		return false
	}
	k.rec.Pause(on)
	action := "resume-recording"
	if on {
		action = "pause-recording"
	}
	r.fire(action, "record", nil, call.Var{Name: "Path", Value: path}, call.Var{Name: "Other-Recordings", Value: r.others(k)})
	return true
}

// startAutoRecord begins the recording that the room makes of itself, once enough
// are in. The name's variables are those of the newest member, in whose goroutine
// it runs.
func (r *Room) startAutoRecord(ch *call.Channel) {
	wanted := ""
	if !r.do(func() {
		members, _ := r.count()
		if r.autoRecord == "" || r.autoOff || members < r.profile.recordMin {
			return
		}
		for _, k := range r.records {
			if k.auto {
				return
			}
		}
		wanted = r.autoRecord
	}) || wanted == "" {
		return
	}
	if path := ch.Expand(wanted); path != "" {
		r.record(path, true)
	}
}
