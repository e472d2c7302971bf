package apps

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/media"
)

func listening(Deps) []call.Application {
	return []call.Application{
		{Name: "eavesdrop", Syntax: "[all | <uuid>]", Description: "eavesdrop on a uuid", Run: eavesdrop},
		{Name: "three_way", Syntax: "<uuid>", Description: "three way call with a uuid", Run: threeWay},
	}
}

// ringFrames is how many frames a soundRing keeps: more delay than that is cut.
const ringFrames = 10

// soundRing carries sound from a tap to a playback: what is not fetched in time
// is lost, and what is not there is silence.
type soundRing struct {
	rate   int
	open   atomic.Bool // nothing passes while it is shut
	closed atomic.Bool

	mu  sync.Mutex
	buf []int16
	lim int
}

func newSoundRing(rate int) *soundRing {
	lim := media.SamplesPerFrame(rate) * ringFrames
	return &soundRing{rate: rate, buf: make([]int16, 0, lim), lim: lim}
}

// put adds a frame; the oldest sound makes room.
func (r *soundRing) put(pcm []int16) {
	if !r.open.Load() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if over := len(r.buf) + len(pcm) - r.lim; over > 0 {
		r.buf = append(r.buf[:0], r.buf[min(over, len(r.buf)):]...)
	}
	r.buf = append(r.buf, pcm...)
}

// Rate implements media.Source.
func (r *soundRing) Rate() int { return r.rate }

// Read implements media.Source.
func (r *soundRing) Read(pcm []int16) (int, error) {
	if r.closed.Load() {
		return 0, io.EOF
	}
	r.mu.Lock()
	n := copy(pcm, r.buf)
	r.buf = append(r.buf[:0], r.buf[n:]...)
	r.mu.Unlock()
	clear(pcm[n:])
	return len(pcm), nil
}

// Close implements media.Source.
func (r *soundRing) Close() error {
	r.closed.Store(true)
	return nil
}

// set opens or shuts the ring; what was in it is forgotten.
func (r *soundRing) set(open bool) {
	r.open.Store(open)
	r.mu.Lock()
	r.buf = r.buf[:0]
	r.mu.Unlock()
}

// spy is one listener on one call.
type spy struct {
	heard     *soundRing // the call, for the listener
	toPartner *soundRing // the listener, for who the listened leg talks to
	toLeg     *soundRing // the listener, for the listened leg
	keys      bool
	ends      []func()
}

// newSpy lets ch hear target (what it says, what it hears, or both).
func newSpy(ch, target *call.Channel, hears media.Direction) *spy {
	rate := target.Rate()
	s := &spy{heard: newSoundRing(rate), toPartner: newSoundRing(ch.Rate()), toLeg: newSoundRing(ch.Rate())}
	s.heard.set(true)
	s.ends = append(s.ends, target.Port().Tap(hears, rate, s.heard.put))
	s.ends = append(s.ends, ch.Port().Tap(media.Read, ch.Rate(), func(pcm []int16) {
		s.toPartner.put(pcm)
		s.toLeg.put(pcm)
	}))
	for _, p := range []*media.Playback{
		ch.Port().Play(s.heard, media.PlayOptions{}),
		target.Port().Play(s.toPartner, media.PlayOptions{Direction: media.Read, Mix: true}),
		target.Port().Play(s.toLeg, media.PlayOptions{Direction: media.Write, Mix: true}),
	} {
		s.ends = append(s.ends, p.Stop)
	}
	return s
}

func (s *spy) end() {
	for _, fn := range s.ends {
		fn()
	}
}

// key obeys 1 (talk to the partner of the listened leg), 2 (to the leg), 3 (to
// both), 0 (to nobody); true for *, which ends the listening.
func (s *spy) key(c byte) bool {
	switch c {
	case '1':
		s.toPartner.set(true)
		s.toLeg.set(false)
	case '2':
		s.toPartner.set(false)
		s.toLeg.set(true)
	case '3':
		s.toPartner.set(true)
		s.toLeg.set(true)
	case '0':
		s.toPartner.set(false)
		s.toLeg.set(false)
	case '*':
		return true
	}
	return false
}

// listen lets ch hear target until one of them is gone or * is pressed.
func (s *spy) listen(ctx context.Context, ch, target *call.Channel) error {
	defer s.end()
	p := target.Profile()
	if d, ok := ch.Leg().(call.Displayer); ok {
		if err := d.Display(ctx, p.CallerName, p.CallerNumber); err != nil {
			ch.Log(call.LogDebug, "display: %v", err)
		}
	}
	o := call.WaitOptions{Event: func(e *event.Event) bool {
		for _, c := range []byte(e.Get("eavesdrop-command")) {
			if s.key(c) {
				return true
			}
		}
		return false
	}}
	if s.keys {
		o.Digit = func(d media.Digit) bool { return s.key(d.Char) }
	}
	for {
		err := ch.Wait(ctx, target.Context().Done(), o)
		if !errors.Is(err, call.ErrBreak) {
			return err
		}
	}
}

// inGroup reports whether a target's eavesdrop_group list has the wanted group.
func inGroup(target *call.Channel, want string) bool {
	if want == "" {
		return true
	}
	for _, g := range strings.Split(target.Get("eavesdrop_group"), ",") {
		if g == want {
			return true
		}
	}
	return false
}

// mediaWait is how long eavesdrop waits for the sound of its target.
const mediaWait = 6 * time.Second

// awaitMedia waits until target has sound; false if it does not come.
func awaitMedia(ctx context.Context, ch, target *call.Channel) bool {
	signal := make(chan struct{}, 1)
	defer target.Notify(signal)()
	ctx, cancel := context.WithTimeout(ctx, mediaWait)
	defer cancel()
	for !target.MediaReady() {
		if !target.Up() || ch.Wait(ctx, signal, call.WaitOptions{}) != nil {
			return false
		}
	}
	return true
}

func eavesdrop(ctx context.Context, ch *call.Channel, args string) error {
	if args == "" {
		return usage("eavesdrop [all | <uuid>]")
	}
	if strings.EqualFold(args, "all") {
		return eavesdropAll(ctx, ch)
	}
	target := ch.Switch().Find(args)
	if target == nil || target == ch {
		ch.Log(call.LogErr, "Eavesdrop target invalid.")
		return nil
	}
	return eavesdropOn(ctx, ch, target)
}

func eavesdropOn(ctx context.Context, ch, target *call.Channel) error {
	if !inGroup(target, ch.Get("eavesdrop_require_group")) || !awaitMedia(ctx, ch, target) {
		return nil
	}
	hears := media.Both
	switch a, b := ch.True("eavesdrop_bridge_aleg"), ch.True("eavesdrop_bridge_bleg"); {
	case a && !b:
		hears = media.Read
	case b && !a:
		hears = media.Write
	}
	s := newSpy(ch, target, hears)
	s.keys = ch.Get("eavesdrop_enable_dtmf") == "" || ch.True("eavesdrop_enable_dtmf")
	s.toPartner.set(ch.True("eavesdrop_whisper_aleg"))
	s.toLeg.set(ch.True("eavesdrop_whisper_bleg"))
	return s.listen(ctx, ch, target)
}

// idlePause is how long eavesdrop waits for another call when there is none, and
// failPause after one that could not be heard.
const (
	idlePause = 2 * time.Second
	failPause = 5 * time.Second
)

// eavesdropAll goes from call to call; * is the next.
func eavesdropAll(ctx context.Context, ch *call.Channel) error {
	indicate := func(kind string) {
		if file := ch.Get("eavesdrop_indicate_" + kind); file != "" {
			ch.Play(ctx, file, call.PlayOptions{})
		}
	}
	for ctx.Err() == nil && ch.Up() {
		found := 0
		for _, target := range ch.Switch().Channels() {
			if target == ch || !target.Up() || !inGroup(target, ch.Get("eavesdrop_require_group")) {
				continue
			}
			found++
			indicate("new")
			if !awaitMedia(ctx, ch, target) {
				indicate("failed")
				ch.Sleep(ctx, failPause, call.WaitOptions{Digit: func(d media.Digit) bool { return d.Char == '*' }})
				continue
			}
			if err := eavesdropOn(ctx, ch, target); err != nil && !errors.Is(err, call.ErrStopped) {
				return err
			}
		}
		if found == 0 {
			indicate("idle")
			ch.Sleep(ctx, idlePause, call.WaitOptions{Digit: func(d media.Digit) bool { return d.Char == '*' }})
		}
	}
	return context.Cause(ctx)
}

// threeWay joins the conversation of a call.
func threeWay(ctx context.Context, ch *call.Channel, args string) error {
	target := ch.Switch().Find(strings.TrimSpace(args))
	if target == nil || target == ch {
		return errors.New("three_way: no such channel " + args)
	}
	if !awaitMedia(ctx, ch, target) {
		return nil
	}
	s := newSpy(ch, target, media.Both)
	s.toPartner.set(true)
	s.toLeg.set(true)
	return s.listen(ctx, ch, target)
}
