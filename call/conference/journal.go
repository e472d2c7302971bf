package conference

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
)

// maxEntries bounds each list of a room's record; the newest are left out.
const maxEntries = 10000

// journal is the record of a room: who was in it and who was refused
// (cdr-log-dir, spec/conference.md §7). The room's goroutine owns it. Without a
// folder it keeps nothing.
type journal struct {
	room    *Room
	dir     string
	entries []*entry
	refused []refusal
}

// entry is the stay of a member or a recording.
type entry struct {
	joined, left time.Time
	path         string // of a recording
	profile      call.Profile
	flags        memberFlag
	kicked       bool
}

type refusal struct {
	reason  string
	at      time.Time
	profile call.Profile
}

func newJournal(r *Room) *journal {
	dir, logs := r.profile.get("cdr-log-dir"), r.sw.Globals.Get("log_dir")
	switch {
	case strings.EqualFold(dir, "auto"):
		dir = filepath.Join(logs, "conference_cdr")
	case dir != "" && !filepath.IsAbs(dir):
		dir = filepath.Join(logs, dir)
	}
	return &journal{room: r, dir: dir}
}

func (j *journal) add(e *entry) *entry {
	if j.dir != "" && len(j.entries) < maxEntries {
		j.entries = append(j.entries, e)
	}
	return e
}

func (j *journal) enter(m *member) {
	e := &entry{joined: m.joined, flags: m.flags}
	if j.dir != "" {
		e.profile = m.ch.Profile()
	}
	m.entered = j.add(e)
}

func (j *journal) leave(m *member) {
	m.entered.left, m.entered.flags, m.entered.kicked = time.Now(), m.flags, m.kicked
}

func (j *journal) enterRecord(k *record) { k.entered = j.add(&entry{joined: k.began, path: k.path}) }
func (j *journal) leaveRecord(k *record) { k.entered.left = time.Now() }

func (j *journal) reject(reason string, p call.Profile) {
	if j.dir != "" && len(j.refused) < maxEntries {
		j.refused = append(j.refused, refusal{reason, time.Now(), p})
	}
}

// write puts the record into its folder in the background, and into an event if
// cdr-event-mode asks for it.
func (j *journal) write() {
	if j.dir == "" {
		return
	}
	r := j.room
	text := j.text(time.Now())
	path := filepath.Join(j.dir, r.uuid+".cdr.xml")
	mode := strings.ToLower(r.profile.get("cdr-event-mode"))
	r.rooms.work.Go(func() {
		err := os.MkdirAll(j.dir, 0o750)
		if err == nil {
			err = os.WriteFile(path, []byte(text), 0o640)
		}
		if err != nil {
			r.sw.Log.Printf(call.LogErr, "conference %s: its record is lost: %v", r.name, err)
		}
	})
	if mode != "content" && mode != "file" || !r.sw.Bus.Wanted(event.Custom, Report) {
		return
	}
	e := event.New(event.Custom, Report)
	e.Add("CDR-Source", Report)
	if mode == "content" {
		e.SetBody(text)
	} else {
		e.Add("CDR-Path", path)
	}
	r.sw.Bus.Publish(e, "conference_cdr.c", "conference_cdr_render", 1)
}

func (j *journal) text(now time.Time) string {
	r := j.room
	root := element{name: "cdr"}
	c := root.child("conference")
	c.leaf("name", r.name)
	c.leaf("hostname", r.sw.Hostname)
	c.leaf("rate", strconv.Itoa(r.rate))
	c.leaf("interval", strconv.Itoa(r.interval))
	c.epoch("start_time", r.started)
	end := c.epoch("end_time", now)
	end.attrs = append([]attr{{"endconference_forced", strconv.FormatBool(r.forced)}}, end.attrs...)
	members := c.child("members")
	for _, e := range j.entries {
		e.render(members)
	}
	rejected := c.child("rejected")
	for _, f := range j.refused {
		a := rejected.child("attempt")
		a.leaf("reason", f.reason)
		a.epoch("reject_time", f.at)
		renderProfile(a, &f.profile)
	}
	return root.document()
}

func (e *entry) render(parent *element) {
	m := parent.child("member")
	kind := "caller"
	if e.path != "" {
		kind = "recording_node"
	}
	m.attrs = []attr{{"type", kind}}
	m.epoch("join_time", e.joined)
	m.epoch("leave_time", e.left)
	if e.path != "" {
		m.leaf("record_path", e.path)
		return
	}
	f := m.child("flags")
	is := func(name string, flag memberFlag) { f.leaf(name, strconv.FormatBool(e.flags&flag != 0)) }
	is("is_moderator", flagModerator)
	is("end_conference", flagEndconf)
	is("mandatory_member_end_conference", flagMandatoryEndconf)
	f.leaf("was_kicked", strconv.FormatBool(e.kicked))
	is("is_ghost", flagGhost)
	renderProfile(m, &e.profile)
}

func renderProfile(parent *element, p *call.Profile) {
	c := parent.child("caller_profile")
	for _, name := range [...]string{"username", "dialplan", "caller_id_name", "caller_id_number", "callee_id_name",
		"callee_id_number", "ani", "aniii", "network_addr", "rdnis", "destination_number", "uuid", "source", "context", "chan_name"} {
		c.leaf(name, p.Field(name))
	}
}

// epoch adds a time in seconds since the epoch; the zero time is 0.
func (e *element) epoch(name string, t time.Time) *element {
	n := int64(0)
	if !t.IsZero() {
		n = t.Unix()
	}
	c := e.leaf(name, strconv.FormatInt(n, 10))
	c.attrs = []attr{{"type", "UNIX-epoch"}}
	return c
}
