package call

import (
	"context"
	"errors"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/media"
)

// PlayOptions say what happens beside a playback.
type PlayOptions struct {
	// Digit gets digits pressed meanwhile; true stops. Without it they stay queued.
	Digit func(*media.Playback, media.Digit) bool
	// Event gets events of the channel's queue; true stops.
	Event func(*media.Playback, *event.Event) bool
	// Start is the first sample, at the rate of the channel.
	Start int64
	// Volume is -4 to 4, in the steps of the playback's control of that name.
	Volume int
}

// Phrases plays the names that stand for speech: "phrase:MACRO[:DATA]" and
// "say:TEXT" (call/say).
//
// Phrase and SayArgs do what the applications phrase and say do, with the options of a
// playback: a macro on data in a language ("" is the call's), and
// "MODULE TYPE METHOD [GENDER] TEXT".
type Phrases interface {
	Phrase(ctx context.Context, ch *Channel, macro, data, lang string, o PlayOptions) (bool, error)
	SayArgs(ctx context.Context, ch *Channel, args string, o PlayOptions) (bool, error)
	// Play returns like Channel.Play.
	Play(ctx context.Context, ch *Channel, name string, o PlayOptions) (bool, error)
}

// isPhrase reports whether a name is one for Phrases.
func isPhrase(name string) bool {
	kind, _, ok := strings.Cut(name, ":")
	return ok && (strings.EqualFold(kind, "phrase") || strings.EqualFold(kind, "say"))
}

// Rate is the PCM rate of the channel's codec in Hz, 8000 before there is one.
func (c *Channel) Rate() int {
	f, _ := c.Formats()
	if f.Codec == nil || f.Codec.Rate == 0 {
		return 8000
	}
	return f.Codec.Rate
}

// PlaybackTerminators returns the judge of the variable playback_terminators: "*"
// by default, "none", "any" or a list of keys. The key that stopped is in
// playback_terminator_used.
func (c *Channel) PlaybackTerminators() func(media.Digit) bool {
	keys := c.Get("playback_terminators")
	switch strings.ToLower(keys) {
	case "":
		keys = "*"
	case "any":
		keys = "1234567890*#"
	case "none":
		keys = ""
	}
	c.Set("playback_terminator_used", "")
	return func(d media.Digit) bool {
		if strings.IndexByte(keys, d.Char) < 0 {
			return false
		}
		c.Set("playback_terminator_used", string(d.Char))
		return true
	}
}

// Playback is what the channel plays now, or nil.
func (c *Channel) Playback() *media.Playback {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.playback
}

// fileString begins a list of names that are played one after the other.
const fileString = "file_string://"

// SoundPath completes a relative file name, or each of a list, with the variable
// sound_prefix; URIs and absolute paths stay.
func (c *Channel) SoundPath(path string) string {
	if list, ok := strings.CutPrefix(path, fileString); ok {
		names := strings.Split(list, "!")
		for i := range names {
			names[i] = c.SoundPath(names[i])
		}
		return fileString + strings.Join(names, "!")
	}
	if path == "" || strings.Contains(path, "://") || strings.HasPrefix(path, "/") || strings.HasPrefix(path, "{") {
		return path
	}
	if prefix, ok := c.Lookup("sound_prefix"); ok {
		return filepath.Join(prefix, path)
	}
	return path
}

// OpenSound opens a path or URI at the rate of the channel; a relative path is
// completed with the variable sound_prefix.
func (c *Channel) OpenSound(ctx context.Context, uri string) (media.Source, error) {
	if c.sw.Sounds == nil {
		return nil, errors.New("call: nothing to open sounds with")
	}
	return c.sw.Sounds.Open(ctx, c.SoundPath(uri), c.Rate())
}

// HoldMusic is what a held far end hears: hold_music of the channel or of the
// globals, "" for silence.
func (c *Channel) HoldMusic() string {
	music, _ := c.Lookup("hold_music")
	music = c.Expand(music)
	if strings.EqualFold(music, "silence") {
		return ""
	}
	return music
}

// Play plays a path or URI to the far end and serves the channel meanwhile. It
// returns true if the end was reached; what cannot be opened is an error that
// wraps os.ErrNotExist or the like. PLAYBACK_START and PLAYBACK_STOP are fired
// around it.
func (c *Channel) Play(ctx context.Context, uri string, o PlayOptions) (bool, error) {
	list := []string{uri}
	if d := c.Get("playback_delimiter"); d != "" {
		list = strings.Split(uri, d)
	}
	for i, one := range list {
		if i > 0 {
			if ms, err := strconv.Atoi(c.Get("playback_sleep_val")); err == nil && ms > 0 {
				c.Sleep(ctx, time.Duration(ms)*time.Millisecond, WaitOptions{})
			}
		}
		ended, err := c.playOne(ctx, one, o)
		if err != nil || !ended {
			return ended, err
		}
	}
	return true, nil
}

func (c *Channel) playOne(ctx context.Context, uri string, o PlayOptions) (bool, error) {
	if !c.MediaReady() {
		return false, ErrNotReady
	}
	if c.sw.Phrases != nil && isPhrase(uri) {
		return c.sw.Phrases.Play(ctx, c, uri, o)
	}
	rate := c.Rate()
	src, err := c.OpenSound(ctx, uri)
	if err != nil {
		return false, err
	}
	var about []Var
	if kind, _, ok := strings.Cut(uri, "://"); ok && (kind == "local_stream" || kind == "tone_stream") {
		about = append(about, Var{"Playback-File-Type", kind})
	}
	about = append(about, Var{"Playback-File-Path", uri})
	c.clearBreak()
	var limit time.Duration
	if s, err := strconv.Atoi(c.Get("playback_timeout_sec")); err == nil && s > 0 {
		limit = time.Duration(s) * time.Second
	}
	pb := c.port.Play(src, media.PlayOptions{Start: o.Start, Limit: limit, Volume: o.Volume})
	outer := c.setPlayback(pb)
	c.Fire(event.PlaybackStart, nil, about)
	w := WaitOptions{}
	if o.Digit != nil {
		w.Digit = func(d media.Digit) bool { return o.Digit(pb, d) }
	}
	if o.Event != nil {
		w.Event = func(e *event.Event) bool { return o.Event(pb, e) }
	}
	err = c.Wait(ctx, pb.Done(), w)
	pb.Stop()
	c.setPlayback(outer)
	samples := pb.Samples()
	c.vars.Set("playback_seconds", strconv.FormatInt(samples/int64(rate), 10))
	c.vars.Set("playback_ms", strconv.FormatInt(samples*1000/int64(rate), 10))
	c.vars.Set("playback_samples", strconv.FormatInt(samples, 10))
	c.vars.Set("playback_last_offset_pos", strconv.FormatInt(pb.Position(), 10))
	status := "done"
	if err != nil || errors.Is(pb.Err(), media.ErrStopped) {
		status = "break"
	}
	c.Fire(event.PlaybackStop, nil, append(about, Var{"Playback-Status", status}))
	if err == nil {
		err = pb.Err()
	}
	if errors.Is(err, ErrStopped) || errors.Is(err, media.ErrStopped) || errors.Is(err, ErrBreak) {
		return false, nil
	}
	return err == nil, err
}

func (c *Channel) setPlayback(pb *media.Playback) (before *media.Playback) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before, c.playback = c.playback, pb
	return before
}

// Silence or sound that goes on while an application does something else, such
// as ringback during a bridge. Stop it with the returned function.
func (c *Channel) PlayBehind(ctx context.Context, uri string) (stop func(), err error) {
	src, err := c.OpenSound(ctx, uri)
	if err != nil {
		return func() {}, err
	}
	pb := c.port.Play(src, media.PlayOptions{Loop: true})
	return pb.Stop, nil
}

// Sleep serves the channel for d.
func (c *Channel) Sleep(ctx context.Context, d time.Duration, o WaitOptions) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	c.clearBreak()
	defer c.idle()()
	return c.wait(ctx, nil, t.C, o)
}

// RecordOptions bound a recording made by Record.
type RecordOptions struct {
	Limit       time.Duration // 0: none
	Threshold   int           // energy below which a frame is silent; 0: no detection
	SilenceHits int           // frames of silence that end it
	Digit       func(*media.Recording, media.Digit) bool
	Event       func(*media.Recording, *event.Event) bool
}

// Record writes what the far end says to a file, until a limit, silence, a digit
// or the end of the call. RECORD_START and RECORD_STOP are fired around it.
func (c *Channel) Record(ctx context.Context, path string, o RecordOptions) error {
	if !c.MediaReady() {
		return ErrNotReady
	}
	rate := c.Rate()
	if r, err := strconv.Atoi(c.Get("record_sample_rate")); err == nil && r > 0 {
		rate = r
	}
	c.vars.Set("record_completion_cause", "")
	rules := recordingRules{extend: c.True("RECORD_APPEND")}
	sink, err := c.sw.Sounds.Create(path, rate, 1, rules.extend)
	if err != nil {
		return err
	}
	c.clearBreak()
	rec := c.port.Record(sink, media.RecordOptions{Direction: media.Read, Limit: o.Limit,
		SilenceThreshold: o.Threshold, SilenceHits: o.SilenceHits, Tags: c.recordingTags(nil)})
	about := []Var{{"Record-File-Path", path}}
	c.Fire(event.RecordStart, nil, about)
	c.RunHooks("record_start")
	w := WaitOptions{}
	if o.Digit != nil {
		w.Digit = func(d media.Digit) bool { return o.Digit(rec, d) }
	}
	if o.Event != nil {
		w.Event = func(e *event.Event) bool { return o.Event(rec, e) }
	}
	err = c.Wait(ctx, rec.Done(), w)
	rec.Stop()
	// The file is whole before the next application may play it.
	select {
	case <-rec.Done():
	case <-time.After(recordingFlushLimit):
		c.Log(LogWarning, "%s is still being written", path)
	}
	c.vars.Set("silence_hits_exhausted", strconv.FormatBool(rec.Cause() == media.CauseSilence))
	rules.extend = true // an empty file is one, too: whoever plays it next finds it
	cause := c.finishRecording(rec, path, rate, rules)
	c.Fire(event.RecordStop, nil, append(about, Var{"Record-Completion-Cause", cause}))
	c.RunHooks("record_stop")
	c.postProcess(nil)
	if err == nil {
		err = rec.Err()
	}
	return err
}

// recordingFlushLimit bounds the wait for what a slow disk has not taken yet.
const recordingFlushLimit = 5 * time.Second
