package apps

import (
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/media"
)

func detection(Deps) []call.Application {
	return []call.Application{
		{Name: "tone_detect", Syntax: "", Description: "Detect tones", Run: toneDetect},
		{Name: "fax_detect", Syntax: "", Description: "Detect faxes", Run: faxDetect},
		{Name: "stop_tone_detect", Syntax: "", Description: "stop detecting tones", Run: stopToneDetect},
		{Name: "detect_audio", Syntax: "<threshold> <audio_hits> <timeout_ms> [<file>]", Description: "detect_audio", Run: detectEnergy("detect_audio", true)},
		{Name: "detect_silence", Syntax: "<threshold> <silence_hits> <timeout_ms> [<file>]", Description: "detect_silence", Run: detectEnergy("detect_silence", false)},
	}
}

// Bounds of tone detection, in frames of 20 ms where nothing else is said.
const (
	maxTones       = 16   // detectors on one channel
	maxFrequencies = 16   // of one tone
	toneRate       = 8000 // Hz
	toneFrames     = 3    // in a row that make a hit
	toneSleep      = 25   // after a hit in which no other counts
	toneExpires    = 250  // after which the hits before are forgotten
	// toneShare is the part of a frame's power that the frequencies must have
	// together, toneEach what each must have of that.
	toneShare, toneEach = 0.6, 0.1
	toneFloor           = 100.0 // mean power of a sample below which nothing is heard
)

// ToneOptions are the arguments of tone_detect.
type ToneOptions struct {
	Key   string // name of the tone, Detected-Tone of the event
	Spec  string // frequencies in Hz, all of which sound together: "350,440"
	Flags string // r what the far end says (the default), w what it hears, o once
	Until time.Time
	Hits  int    // how often it must be heard; 0 is 1
	App   string // application that runs then, with Args
	Args  string
}

// toneDetector listens for one tone.
type toneDetector struct {
	o           ToneOptions
	frequencies []float64
	found       func()

	mu                                  sync.Mutex
	up                                  bool
	run, hits, sleep, expires           int
	sleepFrames, expireFrames, needHits int
	remove                              func()
}

// tones are the detectors of a channel.
type tones struct {
	mu   sync.Mutex
	list []*toneDetector
}

// DetectTone listens for a tone until it was heard often enough, the time limit or
// the end of the call. Then it fires DETECTED_TONE, runs execute_on_tone_detect
// and the application. The same key again listens anew.
func DetectTone(ch *call.Channel, o ToneOptions) error {
	if o.Key == "" {
		return errors.New("no key")
	}
	all, _ := ch.Private("tones").(*tones)
	if all == nil {
		all = &tones{}
		ch.SetPrivate("tones", all)
	}
	all.mu.Lock()
	defer all.mu.Unlock()
	for _, d := range all.list {
		if strings.EqualFold(d.o.Key, o.Key) {
			d.again()
			return nil
		}
	}
	if len(all.list) >= maxTones {
		return errors.New("max tones reached")
	}
	d := &toneDetector{o: o, up: true, sleepFrames: toneSleep, expireFrames: toneExpires, needHits: max(o.Hits, 1)}
	for _, text := range strings.Split(o.Spec, ",") {
		if hz, err := strconv.ParseFloat(strings.TrimSpace(text), 64); err == nil && hz > 0 && hz < toneRate/2 && len(d.frequencies) < maxFrequencies {
			d.frequencies = append(d.frequencies, hz)
		}
	}
	if len(d.frequencies) == 0 {
		return errors.New("invalid tone spec [" + o.Spec + "]")
	}
	for name, to := range map[string]*int{"tone_detect_hits": &d.needHits, "tone_detect_sleep": &d.sleepFrames, "tone_detect_expires": &d.expireFrames} {
		if n, err := strconv.Atoi(ch.Get(name)); err == nil && n > 0 {
			*to = n
		}
	}
	d.found = func() { ch.Switch().Go(func() { d.tell(ch) }) }
	direction := media.Read
	if strings.Contains(o.Flags, "w") && !strings.Contains(o.Flags, "r") {
		direction = media.Write
	}
	remove := ch.Port().Tap(direction, toneRate, d.frame)
	d.mu.Lock()
	d.remove = remove
	d.mu.Unlock()
	all.list = append(all.list, d)
	return nil
}

func (d *toneDetector) again() {
	d.mu.Lock()
	d.up, d.run, d.hits, d.sleep, d.expires = true, 0, 0, 0, 0
	d.mu.Unlock()
}

// frame looks at 20 ms of sound, on the media's clock.
func (d *toneDetector) frame(pcm []int16) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.expires > 0 {
		if d.expires--; d.expires == 0 {
			d.hits, d.sleep = 0, 0
		}
	}
	if d.sleep > 0 {
		d.sleep--
		return
	}
	if !d.up {
		return
	}
	if !d.o.Until.IsZero() && time.Now().After(d.o.Until) {
		d.up = false
		return
	}
	if !hasTone(pcm, d.frequencies) {
		d.run = 0
		return
	}
	if d.run++; d.run < toneFrames {
		return
	}
	d.run = 0
	d.hits++
	d.sleep, d.expires = d.sleepFrames, d.expireFrames
	if d.hits >= d.needHits {
		d.up = false
		d.found()
	}
}

// tell reports the tone, outside the media's clock.
func (d *toneDetector) tell(ch *call.Channel) {
	if strings.Contains(d.o.Flags, "o") {
		d.stop()
	}
	if !ch.Up() {
		return
	}
	ch.Log(call.LogDebug, "TONE %s DETECTED", d.o.Key)
	ch.RunHooks("tone_detect")
	if d.o.App != "" {
		if err := ch.PostExecute(d.o.App, d.o.Args, false); err != nil {
			ch.Log(call.LogErr, "tone %s: %s(%s): %v", d.o.Key, d.o.App, d.o.Args, err)
		}
	}
	e := event.New(event.DetectedTone, "")
	e.Add("Detected-Tone", d.o.Key)
	ch.QueueEvent(e.Clone())
	ch.Fire(event.DetectedTone, []call.Var{{Name: "Detected-Tone", Value: d.o.Key}}, nil)
}

// stop takes the detector off the sound; it may be called again.
func (d *toneDetector) stop() {
	d.mu.Lock()
	remove := d.remove
	d.mu.Unlock()
	if remove != nil {
		remove()
	}
}

// hasTone reports whether the frequencies together make up most of the sound
// (Goertzel's algorithm).
func hasTone(pcm []int16, frequencies []float64) bool {
	if len(pcm) == 0 {
		return false
	}
	total := 0.0
	for _, s := range pcm {
		total += float64(s) * float64(s)
	}
	n := float64(len(pcm))
	if total/n < toneFloor {
		return false
	}
	sum := 0.0
	var powers [maxFrequencies]float64
	for i, hz := range frequencies {
		k := 2 * math.Cos(2*math.Pi*hz/toneRate)
		var a, b float64
		for _, s := range pcm {
			a, b = float64(s)+k*a-b, a
		}
		// A pure tone of power P gives P·n²/2.
		powers[i] = 2 * (a*a + b*b - k*a*b) / (n * n)
		sum += powers[i]
	}
	if sum < toneShare*total/n {
		return false
	}
	return !slices.ContainsFunc(powers[:len(frequencies)], func(p float64) bool { return p < toneEach*sum })
}

// StopTones ends every tone detection of a channel.
func StopTones(ch *call.Channel) {
	all, ok := ch.Private("tones").(*tones)
	if !ok {
		return
	}
	ch.SetPrivate("tones", nil)
	all.mu.Lock()
	defer all.mu.Unlock()
	for _, d := range all.list {
		d.stop()
	}
}

func toneDetect(_ context.Context, ch *call.Channel, args string) error {
	f := strings.Fields(args)
	if len(f) < 2 {
		return usage("tone_detect <key> <freqs> [r|w] [+timeout] [<app> <data>] [hits]")
	}
	o := ToneOptions{Key: f[0], Spec: f[1], Flags: arg(f, 2), App: arg(f, 4), Args: arg(f, 5)}
	if to := arg(f, 3); to != "" {
		at, err := When(to)
		switch {
		case err != nil:
			return err
		case at.After(time.Now()):
			o.Until = at
		case to != "0":
			ch.Log(call.LogErr, "INVALID Timeout!")
		}
	}
	hits := arg(f, 6)
	if len(f) == 5 {
		hits = f[4]
		if _, err := strconv.Atoi(hits); err == nil {
			o.App = ""
		}
	}
	o.Hits = number(hits, 1)
	ch.Log(call.LogNotice, "Enabling tone detection '%s' '%s'", o.Key, o.Spec)
	return DetectTone(ch, o)
}

// faxDetect listens for the calling tone of a fax machine.
func faxDetect(_ context.Context, ch *call.Channel, args string) error {
	f := strings.Fields(args)
	o := ToneOptions{Key: "fax", Spec: "1100", Flags: "r", Hits: number(arg(f, 2), 1)}
	if len(f) > 1 {
		o.App, o.Args = f[0], f[1]
	}
	return DetectTone(ch, o)
}

func stopToneDetect(_ context.Context, ch *call.Channel, _ string) error {
	StopTones(ch)
	return nil
}

// detectEnergy waits until the far end was loud, or silent, for more than so many
// frames in a row, or for the timeout, which name_timeout and name_hits tell of.
func detectEnergy(name string, loud bool) run {
	return func(ctx context.Context, ch *call.Channel, args string) error {
		f := strings.Fields(args)
		threshold, want := number(arg(f, 0), 0), number(arg(f, 1), 0)
		if len(f) < 3 || threshold <= 0 || want <= 0 {
			return usage(name + " <threshold> <hits> <timeout_ms> [<file>]")
		}
		if len(f) > 3 {
			stop, err := ch.PlayBehind(ctx, f[3])
			if err != nil {
				return err
			}
			defer stop()
		}
		done := make(chan struct{})
		var mu sync.Mutex
		hits, over := 0, false
		remove := ch.Port().Tap(media.Read, toneRate, func(pcm []int16) {
			mu.Lock()
			defer mu.Unlock()
			if over {
				return
			}
			if (media.Energy(pcm) >= threshold) != loud {
				hits = 0
				return
			}
			if hits++; hits > want {
				over = true
				close(done)
			}
		})
		defer remove()
		var timeout context.CancelFunc = func() {}
		if limit := number(f[2], 0); limit > 0 {
			ctx, timeout = context.WithTimeoutCause(ctx, ms(limit), errDetectTimeout)
		}
		defer timeout()
		err := ch.Wait(ctx, done, call.WaitOptions{})
		switch {
		case errors.Is(err, errDetectTimeout):
			mu.Lock()
			n := hits
			mu.Unlock()
			ch.Set(name+"_timeout", "true")
			ch.Set(name+"_hits", strconv.Itoa(n))
			return nil
		case err == nil:
			ch.Set(name+"_timeout", "false")
		}
		return err
	}
}

var errDetectTimeout = errors.New("nothing detected in time")
