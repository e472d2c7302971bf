package call

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/media"
)

// ErrNoRecording is returned for a path that is not being recorded.
var ErrNoRecording = errors.New("not being recorded")

// session is a background recording of the call.
type session struct {
	rec     *media.Recording
	path    string
	rate    int
	vars    []Var
	about   recordingRules
	answer  bool // nothing is recorded before the answer (RECORD_ANSWER_REQ)
	hangup  bool // the call ends with a recording that fails
	channel atomic.Pointer[Channel]
	over    chan struct{} // closed when the end is reported
}

// recordingRules say what becomes of a recording that has ended.
type recordingRules struct {
	extend  bool          // a file that was there before is never removed
	minimum time.Duration // what is shorter is removed (RECORD_MIN_SEC)
}

// Bounds of what variables say about recordings.
const (
	maxRecordingWait = 24 * time.Hour
	maxRecordingTag  = 1024 // bytes
	// recordingThreshold is what counts as silence where only a time of silence is given.
	recordingThreshold = 200
)

// recordingVar is a variable of a recording: its own, else the channel's.
func (c *Channel) recordingVar(vars []Var, name string) string {
	for _, v := range vars {
		if strings.EqualFold(v.Name, name) {
			return v.Value
		}
	}
	return c.Get(name)
}

// recordingNumber is a variable of a recording that is a number from 0 on; false if
// it is none. What is larger than most counts as most.
func (c *Channel) recordingNumber(vars []Var, name string, most int) (int, bool) {
	n, err := strconv.ParseInt(strings.TrimSpace(c.recordingVar(vars, name)), 10, 64)
	if errors.Is(err, strconv.ErrRange) && n > 0 {
		return most, true
	}
	return int(min(n, int64(most))), err == nil && n >= 0
}

// recordingTags are the tags that RECORD_TITLE and its kin name; they are for one
// recording.
func (c *Channel) recordingTags(vars []Var) []media.Tag {
	var out []media.Tag
	for _, tag := range [...]string{media.TagTitle, media.TagArtist, media.TagComment, media.TagCopyright, media.TagSoftware, media.TagDate} {
		name := "RECORD_" + tag
		v := c.recordingVar(vars, name)
		if v == "" {
			continue
		}
		c.vars.Set(name, "")
		out = append(out, media.Tag{Name: tag, Value: strings.ToValidUTF8(v[:min(len(v), maxRecordingTag)], "")})
	}
	return out
}

// recordingOptions reads the RECORD_* variables (spec/api-commands.md §5).
func (c *Channel) recordingOptions(vars []Var, limit time.Duration) (o media.RecordOptions, channels int) {
	on := func(name string) bool { return True(c.recordingVar(vars, name)) }
	o = media.RecordOptions{Direction: media.Both, Limit: limit, Stereo: on("RECORD_STEREO"), StereoSwap: on("RECORD_STEREO_SWAP"),
		Joined: on("RECORD_BRIDGE_REQ"), Tags: c.recordingTags(vars)}
	if on("RECORD_READ_ONLY") {
		o.Direction = media.Read
	} else if on("RECORD_WRITE_ONLY") {
		o.Direction = media.Write
	}
	channels = 1
	if o.Stereo || o.StereoSwap {
		channels = 2
	}
	for _, t := range []struct {
		name string
		to   *time.Duration
	}{{"RECORD_INITIAL_TIMEOUT_MS", &o.Initial}, {"RECORD_FINAL_TIMEOUT_MS", &o.Final}} {
		if ms, ok := c.recordingNumber(vars, t.name, int(maxRecordingWait/time.Millisecond)); ok {
			*t.to, o.SilenceThreshold = time.Duration(ms)*time.Millisecond, recordingThreshold
		}
	}
	if n, ok := c.recordingNumber(vars, "RECORD_SILENCE_THRESHOLD", 32767); ok {
		o.SilenceThreshold = n
	}
	return o, channels
}

// recordedAlready reports whether somebody records path on the channel. With
// RECORD_TOGGLE_ON_REPEAT that ends then, else there is a warning.
func (c *Channel) recordedAlready(path string, vars []Var) (bool, error) {
	c.mu.Lock()
	_, dup := c.sessions[path]
	c.mu.Unlock()
	switch {
	case !dup:
		return false, nil
	case True(c.recordingVar(vars, "RECORD_TOGGLE_ON_REPEAT")):
		return true, c.StopRecording(path)
	}
	c.Log(LogWarning, "Already recording [%s]", path)
	return true, nil
}

// StartRecording records both directions of the call into a file in the
// background, until StopRecording, the limit (0: none) or the end of the call.
// What is recorded follows the RECORD_* variables of vars and of the channel
// (spec/api-commands.md §5).
func (c *Channel) StartRecording(path string, limit time.Duration, vars []Var) error {
	if !c.Up() {
		return ErrHungup
	}
	if dup, err := c.recordedAlready(path, vars); dup {
		return err
	}
	if p := c.Partner(); p != nil && True(c.recordingVar(vars, "RECORD_CHECK_BRIDGE")) {
		if dup, err := p.recordedAlready(path, nil); dup {
			return err
		}
	}
	o, channels := c.recordingOptions(vars, limit)
	rate := c.Rate()
	if n, ok := c.recordingNumber(vars, "record_sample_rate", media.MaxRate); ok && n > 0 {
		rate = n
	}
	s := &session{path: path, rate: rate, vars: vars, over: make(chan struct{}), answer: True(c.recordingVar(vars, "RECORD_ANSWER_REQ")),
		hangup: True(c.recordingVar(vars, "RECORD_HANGUP_ON_ERROR")),
		about:  recordingRules{extend: True(c.recordingVar(vars, "RECORD_APPEND"))}}
	if n, ok := c.recordingNumber(vars, "RECORD_MIN_SEC", int(maxRecordingWait/time.Second)); ok {
		s.about.minimum = time.Duration(n) * time.Second
	}
	sink, err := c.sw.Sounds.Create(path, rate, channels, s.about.extend)
	if err != nil {
		c.vars.Set("record_completion_cause", "uri-failure")
		if s.hangup {
			c.Hangup(CauseDestinationOutOfOrder)
		}
		return err
	}
	o.Waits = s.answer
	s.rec = c.port.Record(sink, o)
	s.channel.Store(c)
	c.mu.Lock()
	ended := c.hungup
	if !ended {
		if c.sessions == nil {
			c.sessions = make(map[string]*session)
		}
		c.sessions[path] = s
		if c.answered {
			s.rec.Release()
		}
	}
	c.mu.Unlock()
	if ended {
		s.rec.Stop()
		<-s.rec.Done()
		return ErrHungup
	}
	c.Fire(event.RecordStart, nil, s.headers(""))
	c.recordingHooks("record_start", vars)
	// A goroutine that ends with the recording, which ends with the Port at the
	// latest.
	go func() {
		<-s.rec.Done()
		s.end()
		<-s.over
	}()
	return nil
}

// releaseRecordings begins those that waited for the answer; c.mu is held.
func (c *Channel) releaseRecordings() {
	for _, s := range c.sessions {
		s.rec.Release()
	}
}

// recordingHooks runs what execute_on_KIND of a recording and the channel's hooks of
// that kind name.
func (c *Channel) recordingHooks(kind string, vars []Var) {
	for _, v := range vars {
		if strings.EqualFold(v.Name, "execute_on_"+kind) {
			c.queueHook(v.Value, true)
		}
	}
	c.RunHooks(kind)
}

// postProcess runs what is to be done with a finished file: record_post_process_exec_app
// of the recording and of the channel, and record_post_process_exec_api
// ("command:arguments").
func (c *Channel) postProcess(vars []Var) {
	const app, api = "record_post_process_exec_app", "record_post_process_exec_api"
	for _, v := range vars {
		if strings.EqualFold(v.Name, app) {
			c.queueHook(v.Value, true)
		}
	}
	for _, v := range c.hooks(app) {
		c.queueHook(v, true)
	}
	if v := c.Get(api); v != "" {
		name, args, _ := strings.Cut(v, ":")
		c.queue(v, func(ctx context.Context, ch *Channel) { ch.sw.Run(ctx, name, ch.Expand(args), ch, nil) })
	}
}

func (s *session) headers(cause string) []Var {
	out := []Var{{"Record-File-Path", s.path}}
	for _, v := range s.vars {
		out = append(out, Var{"Recording-Variable-" + v.Name, v.Value})
	}
	if cause != "" {
		out = append(out, Var{"Record-Completion-Cause", cause})
	}
	return out
}

// leave takes a finished recording off the channel that has it, once.
func (s *session) leave() *Channel {
	for {
		c := s.channel.Load()
		c.mu.Lock()
		ours := c.sessions[s.path] == s
		if ours {
			delete(c.sessions, s.path)
			c.endings.Add(1)
		}
		c.mu.Unlock()
		if ours {
			return c
		}
		if s.channel.Load() == c {
			return nil
		}
	}
}

// end reports a finished recording, once.
func (s *session) end() {
	c := s.leave()
	if c == nil {
		return
	}
	defer c.endings.Done()
	defer close(s.over)
	failed := s.rec.Err()
	if failed != nil {
		c.Log(LogErr, "Recording %s: %v", s.path, failed)
	}
	cause := c.finishRecording(s.rec, s.path, s.rate, s.about)
	c.Fire(event.RecordStop, nil, s.headers(cause))
	c.recordingHooks("record_stop", s.vars)
	c.postProcess(s.vars)
	if failed != nil && s.hangup {
		c.Hangup(CauseDestinationOutOfOrder)
	}
}

// finishRecording sets the variables that tell of a finished recording, removes a
// file that is empty or too short, and says why the recording ended.
func (c *Channel) finishRecording(rec *media.Recording, path string, rate int, o recordingRules) (cause string) {
	samples := rec.Samples()
	c.vars.Set("record_seconds", strconv.FormatInt(samples/int64(rate), 10))
	c.vars.Set("record_ms", strconv.FormatInt(samples*1000/int64(rate), 10))
	c.vars.Set("record_samples", strconv.FormatInt(samples, 10))
	if name := rec.File(); name != "" {
		path = name
	}
	if info, err := os.Stat(path); err == nil {
		c.vars.Set("record_file_size", strconv.FormatInt(info.Size(), 10))
	}
	empty := samples == 0
	short := time.Duration(samples)*time.Second/time.Duration(rate) < o.minimum
	switch rec.Cause() {
	case media.CauseError:
		cause = "uri-failure"
	case media.CauseSilence:
		cause = "success-silence"
	case media.CauseNoInput:
		cause = "no-input-timeout"
	default:
		switch {
		case empty && !o.extend:
			cause = "empty-file"
		case short && !o.extend:
			cause = "input-too-short"
		case c.Up():
			cause = "success-maxtime"
		case rec.Spoke():
			cause = "success-silence"
		default:
			cause = "no-input-timeout"
		}
	}
	if (empty || short) && !o.extend {
		c.vars.Set("RECORD_DISCARDED", "true")
		os.Remove(path)
	}
	c.vars.Set("record_completion_cause", cause)
	return cause
}

// HandOverRecordings lets the recordings of the channel go on with another one,
// those that it records itself left out (recording_follow_transfer).
func (c *Channel) HandOverRecordings(to *Channel) {
	if c == to {
		return
	}
	first, second := c, to
	if first.serial > second.serial {
		first, second = second, first
	}
	var moved []*session
	first.mu.Lock()
	second.mu.Lock()
	for path, s := range c.sessions {
		if to.hungup || to.sessions[path] != nil {
			continue
		}
		if to.sessions == nil {
			to.sessions = make(map[string]*session)
		}
		delete(c.sessions, path)
		to.sessions[path] = s
		s.channel.Store(to)
		moved = append(moved, s)
		if to.answered {
			s.rec.Release()
		}
	}
	second.mu.Unlock()
	first.mu.Unlock()
	for _, s := range moved {
		c.port.HandOver(s.rec, to.port)
	}
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
		s.end()
		<-s.over
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
