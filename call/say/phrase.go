package say

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/regex"
	"github.com/switchlet/switchlet/conf"
)

// maxDepth bounds macros that call macros.
const maxDepth = 12

// defaultPause is the silence after each action of a macro in ms.
const defaultPause = 100

// phrase is one run of macros.
type phrase struct {
	a    *Announcements
	ch   *call.Channel
	lang string
	o    call.PlayOptions
}

// Phrase runs a phrase macro, "NAME" or "NAME@GROUP", on data in a language (""
// is default_language or English), as spec/config.md §8 has it. It returns like
// call.Channel.Play: true if nothing interrupted it.
func (a *Announcements) Phrase(ctx context.Context, ch *call.Channel, macro, data, lang string, o call.PlayOptions) (bool, error) {
	p := &phrase{a: a, ch: ch, lang: lang, o: o}
	return p.run(ctx, macro, data, 1)
}

// run finds one macro and runs it.
func (p *phrase) run(ctx context.Context, name, data string, depth int) (bool, error) {
	if depth > maxDepth {
		return false, fmt.Errorf("macro %s: macros within macros, more than %d deep", name, maxDepth)
	}
	if name == "" {
		return false, message("No phrase macro specified.")
	}
	name, group, _ := strings.Cut(name, "@")
	language, lang, err := p.a.languageOf(ctx, p.ch, p.lang, name, data)
	if err != nil {
		return false, err
	}
	macros, macro, err := findMacro(language, name, group)
	if err != nil {
		return false, err
	}
	module := language.Attr("say-module")
	if module == "" {
		module = lang
	}
	prefix := macros.Attr("sound-prefix")
	if prefix == "" {
		prefix = language.Attr("sound-prefix")
	}
	return underPrefix(p.ch, prefix, func() (bool, error) {
		if call.True(macros.Attr("sound-prefix-enforced")) && !p.ch.True("sound_prefix_enforced") {
			p.ch.Set("sound_prefix_enforced", "true")
			defer p.ch.Set("sound_prefix_enforced", "")
		}
		if p.a.list == nil {
			if err := p.ch.PreAnswer(ctx); err != nil && !p.ch.MediaReady() {
				return false, err
			}
		}
		m := &macroRun{phrase: p, language: language, module: module, name: name, data: data, depth: depth, pause: pauseOf(macro)}
		return m.inputs(ctx, macro)
	})
}

// findMacro finds a macro of a language. The messages are FreeSWITCH's.
func findMacro(language *conf.Node, name, group string) (macros, macro *conf.Node, err error) {
	phrases := language.Child("phrases")
	if phrases == nil {
		return nil, nil, message("Can't find phrases tag.")
	}
	macros = phrases.Child("macros")
	if macros == nil {
		return nil, nil, message("Can't find macros tag.")
	}
	if group != "" {
		if macros = phrases.Find("macros", "name", group); macros == nil {
			return nil, nil, messagef("Can't find macros group %s.", group)
		}
	}
	if macro = macros.Find("macro", "name", name); macro == nil {
		return nil, nil, messagef("Can't find macro %s.", name)
	}
	if macro.Child("input") == nil {
		return nil, nil, message("Can't find any input tags.")
	}
	return macros, macro, nil
}

// pauseOf is the time after each action of a macro.
func pauseOf(macro *conf.Node) time.Duration {
	ms := defaultPause
	if text := macro.Attr("pause"); text != "" {
		n, err := strconv.Atoi(text)
		if err == nil && n >= 0 {
			ms = n
		}
	}
	return time.Duration(ms) * time.Millisecond
}

// macroRun is one run of one macro.
type macroRun struct {
	*phrase
	language     *conf.Node
	module       string
	name, data   string
	depth        int
	pause        time.Duration
	broken, some bool // by an action "break"; a block was run
}

// inputs goes through the <input> elements in their order.
func (m *macroRun) inputs(ctx context.Context, macro *conf.Node) (bool, error) {
	for _, input := range macro.ChildrenNamed("input") {
		subject := m.data
		if field, ok := input.LookupAttr("field"); ok {
			subject = m.ch.Expand(field)
		}
		pattern, ok := input.LookupAttr("pattern")
		if !ok {
			pattern = ".*"
		}
		groups, matched, err := m.a.o.Regex.Match(subject, pattern)
		if err != nil {
			return false, fmt.Errorf("%s: %w", input.Where(), err)
		}
		block := input.Child("nomatch")
		if matched {
			block = input.Child("match")
		}
		if block == nil {
			continue
		}
		m.some = true
		if !matched || !strings.Contains(pattern, "(") {
			groups = nil
		}
		ended, err := m.actions(ctx, block, groups)
		switch {
		case err != nil || !ended:
			return false, err
		case m.broken, call.True(input.Attr("break_on_match")):
			return true, nil
		}
	}
	if !m.some {
		m.a.warn(m.ch, "Macro [%s]: '%s' did not match any patterns", m.name, m.data)
	}
	return true, nil
}

// actions runs the actions of a block until one fails, is interrupted or says
// "break".
func (m *macroRun) actions(ctx context.Context, block *conf.Node, groups []string) (bool, error) {
	for _, action := range block.ChildrenNamed("action") {
		data := action.Attr("data")
		if groups != nil && strings.Contains(data, "$") {
			data = regex.Substitute(data, groups)
		}
		data = m.ch.Expand(data)
		function := action.Attr("function")
		m.ch.Log(call.LogDebug, "Handle %s:[%s] (%s:%s)", function, data, m.name, m.data)
		ended, err := m.act(ctx, action, strings.ToLower(function), data)
		if err != nil || !ended || m.broken {
			return ended, err
		}
		if m.a.list != nil {
			continue
		}
		if err := m.ch.Sleep(ctx, m.pause, call.WaitOptions{}); err != nil {
			return false, silent(err)
		}
		if !m.ch.Ready() {
			return false, nil
		}
	}
	return true, nil
}

// silent drops the error of a wait that was ended on purpose.
func silent(err error) error {
	if errors.Is(err, call.ErrBreak) || errors.Is(err, call.ErrStopped) {
		return nil
	}
	return err
}

// act runs one action. A function that is not known has no effect, as in the
// reference.
func (m *macroRun) act(ctx context.Context, action *conf.Node, function, data string) (bool, error) {
	if m.a.list != nil && (function == "speak-text" || function == "execute") {
		return true, nil // these are no sounds to be listed
	}
	switch function {
	case "play-file":
		o := m.o
		if n, err := strconv.Atoi(action.Attr("volume")); err == nil {
			o.Volume = n
		}
		return m.a.play(ctx, m.ch, data, o)
	case "say":
		return m.a.say(ctx, m.ch, m.module, Request{Type: ParseType(action.Attr("type")), Method: ParseMethod(action.Attr("method")),
			Gender: ParseGender(action.Attr("gender")), Text: data}, m.o)
	case "speak-text":
		engine, voice := first(action.Attr("tts-engine"), m.language.Attr("tts-engine")), first(action.Attr("tts-voice"), m.language.Attr("tts-voice"))
		if engine == "" || voice == "" {
			return false, errors.New("TTS is not configured")
		}
		return m.a.speak(ctx, m.ch, engine, voice, data, m.o)
	case "execute":
		return true, m.execute(ctx, data)
	case "phrase":
		return m.run(ctx, action.Attr("phrase"), data, m.depth+1)
	case "break":
		m.broken = true
	}
	return true, nil
}

// execute runs an application that is written as "name(arguments)".
func (m *macroRun) execute(ctx context.Context, data string) error {
	name, args, ok := strings.Cut(data, "(")
	if ok {
		args = strings.TrimSuffix(strings.TrimSpace(args), ")")
	}
	name = strings.TrimSpace(name)
	if m.a.o.Switch.Application(name) == nil {
		return messagef("Invalid Application %s", name)
	}
	return m.ch.Execute(ctx, name, args)
}

// first is the first text that is not empty.
func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
