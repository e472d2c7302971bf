package say

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/regex"
	"github.com/switchlet/switchlet/conf"
)

// Options are what Announcements work with. All but Now and Speaker are required.
type Options struct {
	Switch *call.Switch
	Store  *conf.Store
	Regex  *regex.Cache
	// Zone finds a time zone by its name.
	Zone func(name string) (*time.Location, bool)
	// Now is the time that is said; nil is time.Now.
	Now func() time.Time
	// Speaker makes speech of texts; nil: there is none.
	Speaker Speaker
}

// Speaker makes speech of texts (call/speech).
type Speaker interface {
	// Has reports whether there is an engine of that name.
	Has(engine string) bool
	// Speak returns like call.Channel.Play.
	Speak(ctx context.Context, ch *call.Channel, engine, voice, text string, o call.PlayOptions) (bool, error)
}

// Announcements say things, run phrase macros and lead through menus. They are
// safe for concurrent use.
type Announcements struct {
	o    Options
	list *[]string // Pieces: gets what would be played
}

// New returns the announcements of a switch.
func New(o Options) *Announcements {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Announcements{o: o}
}

// defaultLanguage is what is spoken where nothing else is said.
const defaultLanguage = "en"

// languageOf returns the entry of a language in the configuration: that of
// "xx-YY", or else of "xx". An empty name is the channel's default_language.
func (a *Announcements) languageOf(ctx context.Context, ch *call.Channel, lang, macro, data string) (*conf.Node, string, error) {
	if lang == "" && ch != nil {
		lang, _ = ch.Lookup("default_language")
	}
	if lang == "" {
		lang = defaultLanguage
	}
	params := map[string]string{"lang": lang}
	if macro != "" {
		params["macro_name"], params["data"] = macro, data
	}
	find := func(name string) *conf.Node {
		return a.o.Store.Lookup(ctx, "languages", "language", "name", name, params)
	}
	if n := find(lang); n != nil {
		return n, lang, nil
	}
	if short, _, ok := strings.Cut(lang, "-"); ok {
		a.warn(ch, "language %s not found. trying %s by removing %s", lang, short, lang[len(short):])
		if n := find(short); n != nil {
			return n, short, nil
		}
	}
	return nil, lang, messagef("Can't find language %s.", lang)
}

func (a *Announcements) warn(ch *call.Channel, format string, args ...any) {
	if ch == nil {
		a.o.Switch.Log.Printf(call.LogWarning, format, args...)
		return
	}
	ch.Log(call.LogWarning, format, args...)
}

// clock is the time as a channel has it: its variable timezone is the name of a
// zone, or an offset in seconds.
func (a *Announcements) clock(ch *call.Channel) Clock {
	c := Clock{Now: a.o.Now(), Zone: time.Local}
	if ch == nil {
		return c
	}
	name, _ := ch.Lookup("timezone")
	if seconds, err := strconv.Atoi(name); err == nil && seconds != 0 {
		c.Zone = time.FixedZone("", seconds)
	} else if zone, ok := a.o.Zone(name); ok && name != "" {
		c.Zone = zone
	}
	return c
}

// underPrefix runs fn while relative names of sounds begin at prefix. Nothing
// changes without a prefix, or while sound_prefix_enforced is true.
func underPrefix(ch *call.Channel, prefix string, fn func() (bool, error)) (bool, error) {
	if prefix == "" || ch.True("sound_prefix_enforced") {
		return fn()
	}
	before := ch.Get("sound_prefix")
	ch.Set("sound_prefix", prefix)
	defer ch.Set("sound_prefix", before)
	return fn()
}

// Say says a request to the far end: module is "en" or "en:LANGUAGE", the latter
// an entry of the section "languages". It returns like call.Channel.Play.
func (a *Announcements) Say(ctx context.Context, ch *call.Channel, module string, r Request, o call.PlayOptions) (bool, error) {
	module, lang, _ := strings.Cut(module, ":")
	if lang == "" {
		lang = ch.Get("language")
	}
	if lang == "" {
		lang, _ = ch.Lookup("default_language")
	}
	if lang == "" {
		lang = module
	}
	entry, _, err := a.languageOf(ctx, ch, lang, "", "")
	if err != nil {
		return false, err
	}
	return underPrefix(ch, entry.Attr("sound-prefix"), func() (bool, error) { return a.say(ctx, ch, module, r, o) })
}

// say plays what a module says.
func (a *Announcements) say(ctx context.Context, ch *call.Channel, module string, r Request, o call.PlayOptions) (bool, error) {
	uri, err := Files(module, r, a.clock(ch), "wav")
	if err != nil {
		return false, err
	}
	if uri == "" {
		return true, nil
	}
	return a.play(ctx, ch, uri, o)
}

// Play implements call.Phrases: it plays "phrase:MACRO[:DATA]" and
// "say:[ENGINE:VOICE:]TEXT".
func (a *Announcements) Play(ctx context.Context, ch *call.Channel, name string, o call.PlayOptions) (bool, error) {
	kind, rest, _ := strings.Cut(name, ":")
	if strings.EqualFold(kind, "phrase") {
		macro, data, _ := strings.Cut(rest, ":")
		return a.Phrase(ctx, ch, macro, data, "", o)
	}
	engine, voice, text := ch.Get("tts_engine"), ch.Get("tts_voice"), rest
	// A text may have colons too.
	if parts := strings.SplitN(rest, ":", 3); len(parts) == 3 && a.o.Speaker != nil && a.o.Speaker.Has(parts[0]) {
		engine, voice, text = parts[0], parts[1], parts[2]
	}
	return a.speak(ctx, ch, engine, voice, text, o)
}

// speak makes speech of a text.
func (a *Announcements) speak(ctx context.Context, ch *call.Channel, engine, voice, text string, o call.PlayOptions) (bool, error) {
	if a.o.Speaker == nil || engine == "" {
		return false, messagef("Invalid TTS module %s[%s]!", engine, voice)
	}
	return a.o.Speaker.Speak(ctx, ch, engine, voice, text, o)
}
