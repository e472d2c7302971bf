package call

import (
	"errors"
	"os"
	"strconv"
	"time"

	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/media"
)

// ErrNoRecording is returned for a path that is not being recorded.
var ErrNoRecording = errors.New("not being recorded")

// session is a background recording of the call.
type session struct {
	rec  *media.Recording
	path string
	rate int
	vars []Var
}

// StartRecording records both directions of the call into a file in the
// background, until StopRecording, the limit (0: none) or the end of the call.
// What is recorded follows the RECORD_* variables (spec/api-commands.md §5). A
// path that is already being recorded only warns, unless
// RECORD_TOGGLE_ON_REPEAT stops it.
func (c *Channel) StartRecording(path string, limit time.Duration, vars []Var) error {
	if !c.Up() {
		return ErrHungup
	}
	c.mu.Lock()
	_, dup := c.sessions[path]
	c.mu.Unlock()
	if dup {
		if c.True("RECORD_TOGGLE_ON_REPEAT") {
			return c.StopRecording(path)
		}
		c.Log(LogWarning, "Already recording [%s]", path)
		return nil
	}
	direction := media.Both
	if c.True("RECORD_READ_ONLY") {
		direction = media.Read
	} else if c.True("RECORD_WRITE_ONLY") {
		direction = media.Write
	}
	stereo := c.True("RECORD_STEREO")
	channels := 1
	if stereo {
		channels = 2
	}
	rate := c.Rate()
	if n, err := strconv.Atoi(c.Get("record_sample_rate")); err == nil && n > 0 {
		rate = n
	}
	sink, err := c.sw.Sounds.Create(path, rate, channels, c.True("RECORD_APPEND"))
	if err != nil {
		if c.True("RECORD_HANGUP_ON_ERROR") {
			c.Hangup(CauseDestinationOutOfOrder)
		}
		return err
	}
	s := &session{path: path, rate: rate, vars: vars}
	s.rec = c.port.Record(sink, media.RecordOptions{Direction: direction, Stereo: stereo,
		StereoSwap: c.True("RECORD_STEREO_SWAP"), Limit: limit})
	c.mu.Lock()
	if c.sessions == nil {
		c.sessions = make(map[string]*session)
	}
	c.sessions[path] = s
	c.mu.Unlock()
	c.Fire(event.RecordStart, nil, s.about(""))
	c.RunHooks("record_start")
	// A goroutine that ends with the recording, which ends with the Port at the
	// latest.
	go func() {
		<-s.rec.Done()
		c.endRecording(s)
	}()
	return nil
}

func (s *session) about(cause string) []Var {
	out := []Var{{"Record-File-Path", s.path}}
	for _, v := range s.vars {
		out = append(out, Var{"Recording-Variable-" + v.Name, v.Value})
	}
	return append(out, Var{"Record-Completion-Cause", cause})
}

// endRecording reports a finished recording, once.
func (c *Channel) endRecording(s *session) {
	c.mu.Lock()
	ours := c.sessions[s.path] == s
	if ours {
		delete(c.sessions, s.path)
	}
	c.mu.Unlock()
	if !ours {
		return
	}
	if err := s.rec.Err(); err != nil {
		c.Log(LogErr, "Recording %s: %v", s.path, err)
	}
	c.finishRecording(s.rec, s.path, s.rate)
	if s.rec.Samples() == 0 {
		os.Remove(s.path)
	}
	c.Fire(event.RecordStop, nil, s.about(c.Get("record_completion_cause")))
}

// StopRecording ends the recording to path, or all of them for "all".
func (c *Channel) StopRecording(path string) error {
	list := c.recordings(path)
	if len(list) == 0 {
		return ErrNoRecording
	}
	for _, s := range list {
		s.rec.Stop()
		<-s.rec.Done()
		c.endRecording(s)
	}
	return nil
}

// MaskRecording replaces what is recorded by silence, or takes that back.
func (c *Channel) MaskRecording(path string, on bool) error {
	return c.eachRecording(path, func(r *media.Recording) { r.Mask(on) })
}

// PauseRecording stops writing for a while, or goes on.
func (c *Channel) PauseRecording(path string, on bool) error {
	return c.eachRecording(path, func(r *media.Recording) { r.Pause(on) })
}

func (c *Channel) eachRecording(path string, fn func(*media.Recording)) error {
	list := c.recordings(path)
	if len(list) == 0 {
		return ErrNoRecording
	}
	for _, s := range list {
		fn(s.rec)
	}
	return nil
}

// Recordings are the paths that are being recorded.
func (c *Channel) Recordings() []string {
	var out []string
	for _, s := range c.recordings("all") {
		out = append(out, s.path)
	}
	return out
}

func (c *Channel) recordings(path string) []*session {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []*session
	for p, s := range c.sessions {
		if p == path || path == "all" {
			out = append(out, s)
		}
	}
	return out
}
