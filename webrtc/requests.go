package webrtc

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/switchlet/switchlet/call"
)

// maxText bounds the real-time text of one message, in bytes.
const maxText = 1024

// ask sends a request about the call to the browser, unless it is away or behind with
// reading.
func (l *leg) ask(method string, p object) error {
	l.mu.Lock()
	k := l.socket
	l.mu.Unlock()
	switch {
	case k == nil:
		return call.ErrNoLeg
	case !k.pass(method, append(object{{"callID", l.uuid}}, p...)):
		return errBehind
	}
	return nil
}

// Prompt has the browser ask for digits (kind "dtmf") or a text ("message"); what is
// entered comes by verto.info (call.Prompter).
func (l *leg) Prompt(_ context.Context, kind, text, pattern string) error {
	if !strings.EqualFold(kind, "dtmf") && !strings.EqualFold(kind, "message") {
		return fmt.Errorf("verto: a prompt is for dtmf or a message, not for %q", kind)
	}
	p := object{{"type", kind}, {"text", text}}
	if pattern != "" {
		p = p.with("regex", pattern)
	}
	return l.ask("verto.prompt", p)
}

// MediaParams has the browser apply constraints to what it records (call.Constrainer).
func (l *leg) MediaParams(_ context.Context, params json.RawMessage) error {
	return l.ask("verto.mediaParams", object{{"mediaParams", params}})
}

// showText shows characters of real-time text in the browser.
func (l *leg) showText(chars string) error {
	return l.ask("verto.info", object{{"txt", object{{"chars", chars}}}})
}

// typed takes real-time text of the browser: characters, or the number of one. It goes
// to the partner, if he is a browser whose profile has it as well.
func (l *leg) typed(txt params) {
	if !l.profile.text {
		return
	}
	chars := ""
	switch v := txt["chars"].(type) {
	case string:
		chars = v
	case json.Number:
		chars = character(v)
	}
	if v, ok := txt["code"].(json.Number); ok {
		chars = character(v)
	}
	if len(chars) > maxText {
		chars = strings.ToValidUTF8(chars[:maxText], "")
	}
	if partner := l.ch.Partner(); chars != "" && partner != nil {
		if other, ok := partner.Leg().(*leg); ok && other.profile.text {
			// Who is away or behind misses what is said meanwhile, as with sound.
			_ = other.showText(chars)
		}
	}
}

// character is the text of a number that stands for one character, "" for none.
func character(n json.Number) string {
	code, err := n.Int64()
	if err != nil || code <= 0 || code > 0x10ffff || code >= 0xd800 && code < 0xe000 {
		return ""
	}
	return string(rune(code))
}
