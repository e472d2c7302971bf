package lua

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	glua "github.com/yuin/gopher-lua"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/media"
)

// mediaMethods play, record, speak and read digits.
func mediaMethods() []method {
	minus := glua.LNumber(-1)
	return []method{
		{name: "streamFile", owner: coreSession, signature: "s|i", run: live(minus, sessionStreamFile)},
		{name: "sleep", owner: coreSession, signature: "i|i", run: live(minus, sessionSleep)},
		{name: "recordFile", owner: coreSession, signature: "s|iii", run: live(minus, sessionRecordFile)},
		{name: "insertFile", owner: coreSession, signature: "SSi", run: live(minus, sessionInsertFile)},
		{name: "speak", owner: coreSession, signature: "s", run: live(minus, sessionSpeak)},
		{name: "set_tts_params", owner: coreSession, signature: "ss", run: quick(nil, sessionTTS)},
		{name: "set_tts_parms", owner: coreSession, signature: "ss", run: quick(nil, func(a *arguments, x *session) int {
			x.log(call.LogErr, "set_tts_parms is deprecated. Use set_tts_params.\n")
			return sessionTTS(a, x)
		})},
		{name: "say", owner: coreSession, signature: "SSSS|S", run: live(nil, sessionSay)},
		{name: "sayPhrase", owner: coreSession, signature: "S|SS", run: live(nil, sessionSayPhrase)},
		{name: "collectDigits", owner: coreSession, signature: "i", alternates: []string{"ii"}, run: live(minus, sessionCollectDigits),
			prototypes: "CoreSession::collectDigits(int)\nCoreSession::collectDigits(int,int)"},
		{name: "getDigits", owner: coreSession, signature: "isi|ii", run: live(glua.LString(""), sessionGetDigits),
			prototypes: "CoreSession::getDigits(int,char *,int)\nCoreSession::getDigits(int,char *,int,int)\nCoreSession::getDigits(int,char *,int,int,int)"},
		{name: "read", owner: coreSession, signature: "iiSiS|i", run: live(glua.LString(""), sessionRead)},
		{name: "playAndGetDigits", owner: coreSession, signature: "iiiissss|SiS", run: live(glua.LString(""), sessionPlayAndGetDigits)},
		{name: "playAndDetectSpeech", owner: coreSession, signature: "sss", run: live(glua.LString(""), func(a *arguments, x *session) int {
			x.execute("play_and_detect_speech", a.str(0)+" detect:"+a.str(1)+" "+a.str(2))
			v := x.ch.Get("detect_speech_result")
			return a.pushOptional(v, v != "")
		})},
		{name: "detectSpeech", owner: coreSession, signature: "s|sss", run: live(nil, func(a *arguments, x *session) int {
			x.execute("detect_speech", strings.TrimRight(strings.Join([]string{a.str(0), a.str(1), a.str(2), a.str(3)}, " "), " "))
			return 0
		})},
		{name: "flushDigits", owner: coreSession, run: live(minus, func(a *arguments, x *session) int {
			x.ch.FlushDigits()
			return a.pushInt(0)
		})},
		{name: "flushEvents", owner: coreSession, run: live(minus, func(a *arguments, x *session) int {
			x.flushEvents()
			return a.pushInt(0)
		})},
	}
}

func sessionStreamFile(a *arguments, x *session) int {
	ended := false
	err := x.do(func(ctx context.Context, ch *call.Channel) (err error) {
		if err := ch.PreAnswer(ctx); err != nil {
			return err
		}
		ended, err = ch.Play(ctx, a.str(0), x.playOptions(a.L, a.num(1, 0)))
		return err
	})
	if err != nil && !ended {
		x.complain(err, a.str(0))
	}
	return a.pushBoolInt(ended)
}

func (a *arguments) pushBoolInt(b bool) int {
	if b {
		return a.pushInt(1)
	}
	return a.pushInt(0)
}

// complain logs an error that is not just the way a wait ends.
func (x *session) complain(err error, about string) {
	for _, quiet := range []error{call.ErrBreak, call.ErrMoved, call.ErrStopped, call.ErrHungup, call.ErrNotReady, context.Canceled, call.ErrShutdown, ErrClosed} {
		if errors.Is(err, quiet) {
			return
		}
	}
	x.log(call.LogErr, fmt.Sprintf("%s: %v\n", about, err))
}

func sessionSleep(a *arguments, x *session) int {
	err := x.do(func(ctx context.Context, ch *call.Channel) error {
		return ch.Sleep(ctx, milliseconds(a.num(0, 0)), x.waitOptions(a.L))
	})
	if errors.Is(err, call.ErrMoved) {
		err = nil
	}
	return a.pushInt(success(err))
}

func milliseconds(n int) time.Duration { return time.Duration(max(n, 0)) * time.Millisecond }

// Silence detection of recordFile: frames a second, and the seconds that 0 means.
const (
	framesPerSecond       = 50
	defaultSilenceSeconds = 3
)

func sessionRecordFile(a *arguments, x *session) int {
	o := call.RecordOptions{Limit: time.Duration(max(a.num(1, 0), 0)) * time.Second, Threshold: max(a.num(2, 0), 0)}
	if o.Threshold > 0 {
		seconds := a.num(3, 0)
		if seconds <= 0 {
			seconds = defaultSilenceSeconds
		}
		o.SilenceHits = seconds * framesPerSecond
	}
	path := a.str(0)
	cut := false
	if x.callback != "" {
		decide := func(r *media.Recording, d order) bool {
			cut = cut || d.verb == truncate
			return d.verb != goOn
		}
		o.Digit = func(r *media.Recording, d media.Digit) bool { return decide(r, x.input(a.L, "dtmf", x.digitTable(d))) }
		o.Event = func(r *media.Recording, e *event.Event) bool {
			return decide(r, x.input(a.L, "event", x.eventValue(e)))
		}
	}
	err := x.do(func(ctx context.Context, ch *call.Channel) error {
		if err := ch.PreAnswer(ctx); err != nil {
			return err
		}
		return ch.Record(ctx, path, o)
	})
	if cut {
		if terr := os.Truncate(path, 0); terr != nil {
			x.complain(terr, path)
		}
	}
	var pathError *os.PathError
	if errors.As(err, &pathError) && x.ch.Up() {
		x.log(call.LogErr, fmt.Sprintf("Failed to open file %s: %v\n", path, pathError.Err))
		x.ch.Hangup(call.CauseDestinationOutOfOrder)
	} else if err != nil {
		x.complain(err, path)
	}
	return a.pushInt(success(err))
}

func sessionInsertFile(a *arguments, x *session) int {
	err := x.do(func(ctx context.Context, ch *call.Channel) error {
		return insertFile(ctx, ch, a.str(0), a.str(1), int64(a.num(2, 0)))
	})
	if err != nil {
		message := err.Error()
		x.log(call.LogErr, strings.ToUpper(message[:1])+message[1:]+"\n")
	}
	return a.pushInt(1)
}

// insertFile writes the first at samples of a file, another file, and the rest to
// a new file that takes the first one's place.
func insertFile(ctx context.Context, ch *call.Channel, original, insert string, at int64) error {
	sounds, rate := ch.Switch().Sounds, ch.Rate()
	dot := max(strings.LastIndexByte(original, '.'), strings.LastIndexByte(original, '/')+1)
	temporary := original[:dot] + "-" + call.NewUUID() + original[dot:]
	sink, err := sounds.Create(temporary, rate, 1, false)
	if err != nil {
		return fmt.Errorf("failed to open file %s: %w", temporary, err)
	}
	err = splice(ctx, ch, sink, original, insert, at)
	if cerr := sink.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(temporary, original)
	}
	if err != nil {
		os.Remove(temporary)
	}
	return err
}

func splice(ctx context.Context, ch *call.Channel, sink media.Sink, original, insert string, at int64) error {
	first, err := ch.Switch().Sounds.Open(ctx, original, ch.Rate())
	if err != nil {
		return fmt.Errorf("failed to open file %s: %w", original, err)
	}
	defer first.Close()
	if err := copySound(ctx, sink, first, max(at, 0)); err != nil {
		return err
	}
	second, err := ch.Switch().Sounds.Open(ctx, insert, ch.Rate())
	if err != nil {
		return fmt.Errorf("failed to open file %s: %w", insert, err)
	}
	defer second.Close()
	if err := copySound(ctx, sink, second, -1); err != nil {
		return err
	}
	return copySound(ctx, sink, first, -1)
}

// copySound copies so many samples, all for a negative number.
func copySound(ctx context.Context, sink media.Sink, src media.Source, samples int64) error {
	buf := make([]int16, 4096)
	for samples != 0 {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		want := int64(len(buf))
		if samples > 0 {
			want = min(want, samples)
		}
		n, err := src.Read(buf[:want])
		if n > 0 {
			if werr := sink.Write(buf[:n]); werr != nil {
				return werr
			}
			if samples > 0 {
				samples -= int64(n)
			}
		}
		if err == io.EOF || err == nil && n == 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func sessionTTS(a *arguments, x *session) int {
	x.ttsName, x.voiceName = a.str(0), a.str(1)
	return 0
}

func sessionSpeak(a *arguments, x *session) int {
	switch {
	case x.ttsName == "":
		x.log(call.LogErr, "No TTS engine specified\n")
		return a.pushInt(1)
	case x.voiceName == "":
		x.log(call.LogErr, "No TTS voice specified\n")
		return a.pushInt(1)
	}
	speak := a.s.host.opts.Speak
	if speak == nil {
		x.log(call.LogErr, fmt.Sprintf("Invalid TTS module %s[%s]!\n", x.ttsName, x.voiceName))
		return a.pushInt(0)
	}
	ended := false
	err := x.do(func(ctx context.Context, ch *call.Channel) (err error) {
		ended, err = speak(ctx, ch, x.ttsName, x.voiceName, a.str(0), x.stopOptions(a.L))
		return err
	})
	if err != nil && !ended {
		x.complain(err, "speak")
	}
	return a.pushBoolInt(ended)
}

func sessionSay(a *arguments, x *session) int {
	for i := range 4 {
		if a.isNil(i) {
			x.log(call.LogErr, "Error! invalid args.\n")
			return 0
		}
	}
	words := []string{a.str(1), a.str(2), a.str(3)}
	if gender := a.str(4); gender != "" {
		words = append(words, gender)
	}
	x.announce(a.L, "say", func(ctx context.Context, ch *call.Channel, p call.Phrases, o call.PlayOptions) (bool, error) {
		return p.SayArgs(ctx, ch, strings.Join(append(words, a.str(0)), " "), o)
	})
	return 0
}

func sessionSayPhrase(a *arguments, x *session) int {
	x.announce(a.L, a.str(0), func(ctx context.Context, ch *call.Channel, p call.Phrases, o call.PlayOptions) (bool, error) {
		return p.Phrase(ctx, ch, a.str(0), a.str(1), a.str(2), o)
	})
	return 0
}

// announce says something by phrases and recordings. The input callback sees digits and
// events meanwhile; a result that does not go on ends it.
func (x *session) announce(L *glua.LState, about string, say func(context.Context, *call.Channel, call.Phrases, call.PlayOptions) (bool, error)) {
	phrases := x.s.host.sw.Phrases
	if phrases == nil {
		x.log(call.LogErr, about+": nothing says phrases\n")
		return
	}
	err := x.do(func(ctx context.Context, ch *call.Channel) error {
		if err := ch.PreAnswer(ctx); err != nil {
			return err
		}
		_, err := say(ctx, ch, phrases, x.stopOptions(L))
		return err
	})
	if err != nil {
		x.complain(err, about)
	}
}
