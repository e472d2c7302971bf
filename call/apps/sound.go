package apps

import (
	"context"
	"errors"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/media"
)

func sounds(Deps) []call.Application {
	return []call.Application{
		{Name: "playback", Syntax: "<path>", Description: "Playback File", Run: playback},
		{Name: "endless_playback", Syntax: "<path>", Description: "Playback File Endlessly", Run: endlessPlayback},
		{Name: "loop_playback", Syntax: "[+loops] <path>", Description: "Playback File looply", Run: loopPlayback},
		{Name: "gentones", Syntax: "<tgml_script>[|<loops>]", Description: "Generate Tones", Run: gentones},
		{Name: "echo", Syntax: "", Description: "Echo", Run: echo},
		{Name: "delay_echo", Syntax: "<delay ms>", Description: "echo audio at a specified delay", Run: delayEcho},
		{Name: "set_audio_level", Syntax: "", Description: "set volume", Run: audioLevel},
		{Name: "set_mute", Syntax: "", Description: "set mute", Run: mute},
		{Name: "wait_for_silence", Syntax: "<silence_thresh> <silence_hits> <listen_hits> <timeout_ms> [<file>]", Description: "wait_for_silence", Run: waitForSilence},
	}
}

func playback(ctx context.Context, ch *call.Channel, args string) error {
	stop := ch.PlaybackTerminators()
	_, err := ch.Play(ctx, args, call.PlayOptions{Digit: func(_ *media.Playback, d media.Digit) bool { return stop(d) }})
	return played(ch, err)
}

// played sets the application's response and says what went wrong.
func played(ch *call.Channel, err error) error {
	switch {
	case err == nil, errors.Is(err, call.ErrHungup), errors.Is(err, call.ErrMoved):
		ch.SetResponse("FILE PLAYED")
	case errors.Is(err, fs.ErrNotExist):
		ch.SetResponse("FILE NOT FOUND")
	default:
		ch.SetResponse("PLAYBACK ERROR")
	}
	return err
}

func endlessPlayback(ctx context.Context, ch *call.Channel, args string) error {
	for ctx.Err() == nil {
		began := time.Now()
		ended, err := ch.Play(ctx, args, call.PlayOptions{})
		if err != nil || !ended {
			return played(ch, err)
		}
		if time.Since(began) < media.FrameTime {
			return errors.New("nothing to play in " + args)
		}
	}
	return nil
}

func loopPlayback(ctx context.Context, ch *call.Channel, args string) error {
	loops := -1
	if rest, ok := strings.CutPrefix(args, "+"); ok {
		count, path, _ := strings.Cut(rest, " ")
		loops, _ = strconv.Atoi(count)
		args = path
	}
	stop := ch.PlaybackTerminators()
	for ; loops != 0 && ctx.Err() == nil; loops-- {
		ended, err := ch.Play(ctx, args, call.PlayOptions{Digit: func(_ *media.Playback, d media.Digit) bool { return stop(d) }})
		if err != nil || !ended {
			return played(ch, err)
		}
	}
	ch.SetResponse("FILE PLAYED")
	return nil
}

func gentones(ctx context.Context, ch *call.Channel, args string) error {
	spec, loops, ok := strings.Cut(args, "|")
	if ok {
		spec += ";loops=" + loops
	}
	stop := ch.PlaybackTerminators()
	_, err := ch.Play(ctx, "tone_stream://"+spec, call.PlayOptions{Digit: func(_ *media.Playback, d media.Digit) bool { return stop(d) }})
	return err
}

// untilGone serves the channel until it leaves the application. Digits are taken
// and sent back when echoed is set.
func untilGone(ctx context.Context, ch *call.Channel, echoed bool) error {
	for {
		err := ch.Wait(ctx, nil, call.WaitOptions{Digit: func(d media.Digit) bool {
			if echoed {
				ch.SendDigits([]media.Digit{d})
			}
			return false
		}})
		if err != nil {
			return err
		}
	}
}

func echo(ctx context.Context, ch *call.Channel, _ string) error {
	ch.Port().Echo(true)
	defer ch.Port().Echo(false)
	return untilGone(ctx, ch, true)
}

func delayEcho(ctx context.Context, ch *call.Channel, args string) error {
	ms, err := strconv.Atoi(strings.TrimSpace(args))
	if err != nil || ms <= 0 {
		ms = 1000
	}
	ch.Port().DelayEcho(ms)
	defer ch.Port().DelayEcho(0)
	return untilGone(ctx, ch, false)
}

func direction(word string) (media.Direction, bool) {
	switch strings.ToLower(word) {
	case "read":
		return media.Read, true
	case "write":
		return media.Write, true
	case "both":
		return media.Both, true
	}
	return 0, false
}

func audioLevel(_ context.Context, ch *call.Channel, args string) error {
	f := strings.Fields(args)
	if len(f) == 2 {
		if d, ok := direction(f[0]); ok {
			if level, err := strconv.Atoi(f[1]); err == nil {
				ch.Port().Gain(d, min(max(level, -4), 4))
				return nil
			}
		}
	}
	return usage("set_audio_level <read|write> <-4..4>")
}

func mute(_ context.Context, ch *call.Channel, args string) error {
	f := strings.Fields(args)
	if len(f) == 2 {
		if d, ok := direction(f[0]); ok {
			ch.Port().Mute(d, call.True(f[1]))
			return nil
		}
	}
	return usage("set_mute <read|write> [true|false|level]")
}

// waitForSilence ends after silence_hits frames below the threshold that follow
// listen_hits frames of sound, or after the timeout.
func waitForSilence(ctx context.Context, ch *call.Channel, args string) error {
	f := strings.Fields(args)
	if len(f) < 3 {
		return usage("wait_for_silence <silence_thresh> <silence_hits> <listen_hits> <timeout_ms> [<file>]")
	}
	var v [4]int
	for i := 0; i < len(v) && i < len(f); i++ {
		v[i], _ = strconv.Atoi(f[i])
	}
	threshold, wantSilent, wantHeard, timeout := v[0], v[1], v[2], v[3]
	if len(f) > 4 {
		if stop, err := ch.PlayBehind(ctx, f[4]); err == nil {
			defer stop()
		}
	}
	done := make(chan struct{})
	heard, silent, over := 0, 0, false
	remove := ch.Port().Tap(media.Read, 8000, func(pcm []int16) {
		if over {
			return
		}
		if media.Energy(pcm) > threshold {
			heard, silent = heard+1, 0
		} else {
			silent++
		}
		if heard >= wantHeard && silent >= wantSilent {
			over = true
			close(done)
		}
	})
	defer remove()
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, time.Duration(timeout)*time.Millisecond, call.ErrStopped)
		defer cancel()
	}
	return ch.Wait(ctx, done, call.WaitOptions{})
}

// Fileman carries out one control of a playback: speed:[+-]n, volume:[+-]n,
// pause, stop, truncate, restart, seek:[+-]ms. It reports whether the playback
// goes on.
func Fileman(pb *media.Playback, line string) bool {
	word, value, _ := strings.Cut(line, ":")
	n, err := strconv.Atoi(value)
	relative := strings.HasPrefix(value, "+") || strings.HasPrefix(value, "-")
	switch strings.ToLower(word) {
	case "speed":
		if err != nil || n == 0 && relative {
			n = 1
		}
		if relative || value == "" {
			n += pb.Speed()
		}
		pb.SetSpeed(n)
	case "volume":
		if err != nil {
			n = 1
		}
		if relative || value == "" {
			n += pb.Volume()
		}
		pb.SetVolume(n)
	case "pause":
		pb.TogglePause()
	case "stop", "truncate":
		pb.Stop()
		return false
	case "restart":
		pb.Restart()
	case "seek":
		if err != nil {
			n, relative = 1000, true
		}
		if relative {
			pb.SeekBy(int64(n))
		} else {
			pb.SeekTo(int64(n))
		}
	}
	return true
}
