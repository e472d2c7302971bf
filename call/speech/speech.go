package speech

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/conf"
)

// Bounds of making speech.
const (
	// maxText is the longest text in bytes.
	maxText = 8 << 10
	// maxSound is the largest file that an engine may make, in bytes.
	maxSound = 32 << 20
	// runLimit is how long an engine may take for one text.
	runLimit = 30 * time.Second
	// maxRunning is how many engines run at once; more wait their turn, for as long
	// as one may run.
	maxRunning = 8
)

// Options are what Speech works with. Switch and Store are required.
type Options struct {
	Switch *call.Switch
	// Store has tts.conf and tts_commandline.conf, which are read at each use.
	Store *conf.Store
	// Dir is where speech is kept; it is created.
	Dir string
	// AllowShell lets the command of tts_commandline.conf run.
	AllowShell bool
	// Instead, if not nil, names a sound that stands for the speech of a text; no
	// engine is run then, nor need it be installed.
	Instead func(text string) string
	// HTTP asks engines that are addresses; nil is a client of its own.
	HTTP *http.Client
}

// Speech makes and plays speech. It is safe for concurrent use.
type Speech struct {
	o       Options
	kept    kept
	running chan struct{}
}

// New returns the speech of a switch.
func New(o Options) *Speech {
	if o.HTTP == nil {
		o.HTTP = &http.Client{Timeout: runLimit}
	}
	return &Speech{o: o, kept: kept{dir: o.Dir}, running: make(chan struct{}, maxRunning)}
}

// message is an error in FreeSWITCH's own words.
type message string

func (m message) Error() string { return string(m) }

// Syntax lines, FreeSWITCH's.
const speakSyntax = "<engine>|<voice>|<text>"

// Applications are the rows speak and clear_speech_cache.
func (s *Speech) Applications() []call.Application {
	return []call.Application{
		{Name: "speak", Syntax: speakSyntax, Description: "Speak text", Run: s.application},
		{Name: "clear_speech_cache", Syntax: "", Description: "Clear Speech Handle Cache",
			// An engine is run once for each text: there is no handle to forget.
			Run: func(context.Context, *call.Channel, string) error { return nil }},
	}
}

// application reads "[[ENGINE|]VOICE|]TEXT"; what is missing is in tts_engine and
// tts_voice. A call that cannot be spoken to at all is ended, as in FreeSWITCH.
func (s *Speech) application(ctx context.Context, ch *call.Channel, args string) error {
	if args == "" {
		return message("Invalid Params!")
	}
	engine, voice, text := ch.Get("tts_engine"), ch.Get("tts_voice"), args
	switch parts := strings.SplitN(args, "|", 3); len(parts) {
	case 2:
		voice, text = parts[0], parts[1]
	case 3:
		engine, voice, text = parts[0], parts[1], parts[2]
	}
	if engine == "" || voice == "" {
		shown := func(s string) string {
			if s == "" {
				return "NULL"
			}
			return s
		}
		ch.Log(call.LogErr, "Invalid Params! [%s][%s][%s]", shown(engine), shown(voice), text)
		ch.Hangup(call.CauseDestinationOutOfOrder)
		return nil
	}
	stop := ch.PlaybackTerminators()
	_, err := s.Speak(ctx, ch, engine, voice, text, call.PlayOptions{Digit: stopAt(stop)})
	return err
}

// Has reports whether there is an engine of that name.
func (s *Speech) Has(engine string) bool {
	_, err := s.engine(engine)
	return err == nil
}

// Speak speaks a text to the far end: * and # as the words of star_replace and
// pound_replace. It returns like call.Channel.Play.
func (s *Speech) Speak(ctx context.Context, ch *call.Channel, engine, voice, text string, o call.PlayOptions) (bool, error) {
	if err := ch.PreAnswer(ctx); err != nil {
		return false, err
	}
	word := func(variable, otherwise string) string {
		if v := ch.Get(variable); v != "" {
			return v
		}
		return otherwise
	}
	text = strings.NewReplacer("*", word("star_replace", "star"), "#", word("pound_replace", "pound")).Replace(text)
	ch.Log(call.LogDebug, "Speaking text: %s", text)
	path, err := s.file(ctx, ch, request{engine: engine, voice: voice, text: text, rate: ch.Rate()})
	if err != nil || path == "" {
		return false, err
	}
	return ch.Play(ctx, path, o)
}

// file has the engine run while the channel goes on being served; "" without an
// error means that the wait was ended.
func (s *Speech) file(ctx context.Context, ch *call.Channel, r request) (string, error) {
	run, cancel := context.WithCancel(ctx)
	defer cancel()
	var path string
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		path, err = s.File(run, r.engine, r.voice, r.text, r.rate)
	}()
	waited := ch.Wait(ctx, done, call.WaitOptions{})
	cancel()
	<-done
	if errors.Is(waited, call.ErrBreak) {
		return "", nil
	}
	if waited != nil {
		return "", waited
	}
	return path, err
}

// File returns a file with the speech of a text, made now or kept from before. It
// stays for as long as there is room for it.
func (s *Speech) File(ctx context.Context, engine, voice, text string, rate int) (string, error) {
	r := request{engine: strings.ToLower(engine), voice: voice, text: strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), ""), rate: rate}
	e, err := s.engine(r.engine)
	var absent absentError
	if s.o.Instead != nil && errors.As(err, &absent) {
		err = nil
	}
	if err != nil {
		return "", message(fmt.Sprintf("Invalid TTS module %s[%s]! %v", engine, voice, err))
	}
	switch {
	case strings.TrimSpace(r.text) == "":
		return "", nil
	case len(r.text) > maxText:
		return "", fmt.Errorf("text of %d bytes, at most %d are spoken", len(r.text), maxText)
	case !validVoice(voice):
		return "", fmt.Errorf("%q is no name of a voice: letters, digits, and - _ . +", voice)
	case s.o.Instead != nil:
		return s.o.Instead(r.text), nil
	}
	return s.kept.get(ctx, r.key(e.identity()), func(ctx context.Context, base string) (string, error) {
		return s.make(ctx, e, r, base)
	})
}

// make runs an engine, in its turn.
func (s *Speech) make(ctx context.Context, e engine, r request, base string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, runLimit)
	defer cancel()
	select {
	case s.running <- struct{}{}:
		defer func() { <-s.running }()
	case <-ctx.Done():
		return "", fmt.Errorf("%s: %d engines are running and none has ended: %w", r.engine, maxRunning, context.Cause(ctx))
	}
	path, err := e.speak(ctx, r, base)
	if err != nil && ctx.Err() == context.DeadlineExceeded {
		return "", fmt.Errorf("%s: no speech within %v", r.engine, runLimit)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", r.engine, err)
	}
	return path, nil
}

// validVoice reports whether a name may be given to engines: some take a path or
// an address for a voice.
func validVoice(name string) bool {
	if name == "" || len(name) > 64 || name[0] == '-' || name[0] == '.' {
		return false
	}
	for _, c := range []byte(name) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_.+", c) >= 0) {
			return false
		}
	}
	return true
}
