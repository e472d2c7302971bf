package say

import (
	"context"
	"errors"
	"strings"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/media"
)

// Syntax lines of the applications and the command, FreeSWITCH's.
const (
	saySyntax       = "<module_name>[:<lang>] <say_type> <say_method> [<say_gender>] <text>"
	phraseSyntax    = "<macro_name>,<data>"
	ivrSyntax       = "<menu_name>"
	sayStringSyntax = "<module_name>[.<ext>] <lang>[.<ext>] <say_type> <say_method> [<say_gender>] <text>"
)

// Applications are the rows say, phrase and ivr.
func (a *Announcements) Applications() []call.Application {
	return []call.Application{
		{Name: "say", Syntax: saySyntax, Description: "say", Run: a.sayApplication},
		{Name: "phrase", Syntax: phraseSyntax, Description: "Say a Phrase", Run: a.phraseApplication},
		{Name: "ivr", Syntax: ivrSyntax, Description: "Run an ivr menu", Run: a.ivrApplication},
	}
}

// Commands are the row say_string.
func (a *Announcements) Commands() []call.Command {
	return []call.Command{{Name: "say_string", Syntax: sayStringSyntax, Description: "", Module: "mod_commands", Run: a.sayString}}
}

// stoppable are the options of a playback that playback_terminators stop.
func stoppable(ch *call.Channel) call.PlayOptions {
	stop := ch.PlaybackTerminators()
	return call.PlayOptions{Digit: func(_ *media.Playback, d media.Digit) bool { return stop(d) }}
}

// parseSay reads "TYPE METHOD [GENDER] TEXT"; the third word counts as a gender
// only if it is one.
func parseSay(args string) (Request, bool) {
	words := strings.SplitN(strings.TrimSpace(args), " ", 3)
	if len(words) < 3 {
		return Request{}, false
	}
	r := Request{Type: ParseType(words[0]), Method: ParseMethod(words[1]), Text: strings.TrimSpace(words[2])}
	if word, rest, ok := strings.Cut(r.Text, " "); ok {
		if g := ParseGender(word); g != UnknownGender {
			r.Gender, r.Text = g, strings.TrimSpace(rest)
		}
	}
	return r, true
}

func (a *Announcements) sayApplication(ctx context.Context, ch *call.Channel, args string) error {
	_, err := a.SayArgs(ctx, ch, args, stoppable(ch))
	return err
}

// SayArgs is Say with the argument of the application say.
func (a *Announcements) SayArgs(ctx context.Context, ch *call.Channel, args string, o call.PlayOptions) (bool, error) {
	module, rest, _ := strings.Cut(strings.TrimSpace(args), " ")
	r, ok := parseSay(rest)
	if !ok {
		return false, errors.New("usage: " + saySyntax)
	}
	return a.Say(ctx, ch, module, r, o)
}

func (a *Announcements) phraseApplication(ctx context.Context, ch *call.Channel, args string) error {
	macro, data, _ := strings.Cut(args, ",")
	_, err := a.Phrase(ctx, ch, macro, data, ch.Get("language"), stoppable(ch))
	return err
}

func (a *Announcements) ivrApplication(ctx context.Context, ch *call.Channel, args string) error {
	if args == "" {
		return errors.New("usage: " + ivrSyntax)
	}
	return a.Menu(ctx, ch, args)
}

// uriScheme is what a leading "~" takes off the reply of say_string.
const uriScheme = "file_string://"

// sayString replies with what say would play.
func (a *Announcements) sayString(ctx context.Context, _ *call.Switch, in *call.Invocation) error {
	args, bare := strings.CutPrefix(in.Args, "~")
	words := strings.SplitN(strings.TrimSpace(args), " ", 3)
	refused := func() error { in.Out.WriteString("-ERR Usage: " + sayStringSyntax + "\n"); return nil }
	if len(words) < 3 {
		return refused()
	}
	r, ok := parseSay(words[2])
	if !ok {
		return refused()
	}
	module, extension, _ := strings.Cut(words[0], ".")
	lang, other, _ := strings.Cut(words[1], ".")
	entry, _, err := a.languageOf(ctx, in.Channel, lang, "", "")
	if err != nil {
		a.o.Switch.Log.Printf(call.LogErr, "%v", err)
		return refused()
	}
	uri, err := Files(first(entry.Attr("say-module"), module), r, a.clock(in.Channel), first(extension, other, "wav"))
	if err != nil {
		a.o.Switch.Log.Printf(call.LogErr, "%v", err)
		return refused()
	}
	if bare {
		uri = strings.TrimPrefix(uri, uriScheme)
	}
	in.Out.WriteString(uri)
	return nil
}
