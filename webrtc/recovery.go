package webrtc

import (
	"context"
	"errors"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/codec"
)

// attachLimit is how long a browser has at least to take a call up that it was
// offered by verto.attach; people are asked for their microphone in between.
const attachLimit = time.Minute

// detach is told when the session's socket is gone (spec/verto.md §6). True means
// that the call waits for the browser.
func (l *leg) detach(k *socket, now time.Time) (waits bool) {
	l.mu.Lock()
	if l.socket != k || l.gone {
		l.mu.Unlock()
		return false
	}
	l.socket = nil
	old, next := l.peer, l.next
	answered := l.ch.Answered()
	if answered && l.keep {
		l.detached, l.peer, l.next = now, nil, nil
	}
	agreed := l.agreed
	l.mu.Unlock()
	switch {
	case !answered:
		l.ch.Hangup(call.CauseDestinationOutOfOrder)
		return false
	case !l.keep:
		l.ch.Hangup(call.CauseNormalClearing)
		return false
	}
	if agreed.format.Codec != nil {
		l.ch.Port().OnTimeout(0, nil)
		l.ch.Port().Attach(media.Null(), agreed.format, agreed.dtmf)
	}
	for _, p := range []*peer{old, next} {
		if p != nil {
			p.wire.Close()
		}
	}
	return true
}

// Renegotiate lets the browser take the call up anew by verto.attach, with the codecs
// that are named or the one in force (call.Renegotiator).
func (l *leg) Renegotiate(_ context.Context, codecs string, _ bool) error {
	k := l.server.online(l.sessid)
	if k == nil || !l.ch.Answered() || !l.keep {
		return call.ErrNotReady
	}
	var prefs []codec.Pref
	if codecs != "" {
		if prefs, _ = codec.ParseList(l.server.sw.Media.Codecs(), codecs); len(offered(prefs)) == 0 {
			return errNoCodec
		}
	}
	l.negotiating.Lock()
	defer l.negotiating.Unlock()
	l.mu.Lock()
	pending := l.socket != k || l.next != nil
	if !pending {
		l.allowed = prefs
	}
	l.mu.Unlock()
	if pending { // an answer would not tell to which of two offers it is
		return call.ErrNotReady
	}
	l.detach(k, time.Now())
	if !l.offerAttach(k) {
		return call.ErrNotReady
	}
	return nil
}

// offerAttach offers a detached call to the session's new socket.
func (l *leg) offerAttach(k *socket) bool {
	l.mu.Lock()
	due := l.socket == nil && !l.gone && !l.detached.IsZero()
	a, prefs := l.agreed, l.allowed
	l.mu.Unlock()
	if !due || a.format.Codec == nil || !l.ch.Up() {
		return false
	}
	p, err := newPeer(l.server.net)
	if err != nil {
		l.ch.Log(call.LogErr, "%s: %v", l.ch.Name(), err)
		return false
	}
	if prefs == nil {
		prefs = []codec.Pref{{Codec: a.format.Codec, Ptime: a.format.Ptime, Fmtp: a.format.Codec.Fmtp}}
	}
	maps := offered(prefs)
	p.near = l.server.near(k, nil)
	ctx, stop := context.WithTimeout(l.ch.Context(), negotiationLimit)
	defer stop()
	text, err := p.offer(ctx, maps, a.format.Ptime)
	l.mu.Lock()
	if err != nil || l.gone || l.socket != nil || !l.belongs(k) {
		l.mu.Unlock()
		p.wire.Close()
		return false
	}
	l.socket, l.next, l.ours, l.detached = k, p, maps, time.Now()
	l.mu.Unlock()
	o := object{{"variables", l.clientVariables()}, {"sdp", text}}
	l.tell("verto.attach", append(o, l.callParams()...))
	return true
}

// reattach takes the browser's answer to verto.attach.
func (k *socket) reattach(p params) (object, *failure) {
	_, id, missing := dialog(p)
	sdp, _ := p["sdp"].(string)
	switch {
	case missing != "":
		return nil, refusal(missing)
	case sdp == "":
		return nil, refusal("SDP missing")
	}
	l := k.mine(id)
	if l == nil {
		return nil, refusal(noCall)
	}
	if !l.ch.Answered() {
		l.ch.Hangup(call.CauseDestinationOutOfOrder)
		return nil, refusal("Cannot attach to a call that has not been answered.")
	}
	if err := l.attached(sdp); err != nil {
		if k.mine(id) != l {
			return nil, refusal(noCall) // another page has taken the call over
		}
		text := "MEDIA ERROR"
		if errors.Is(err, errNoCodec) || errors.Is(err, errNoAudio) || errors.Is(err, errDescription) || errors.Is(err, errUnreachable) {
			text = "CODEC NEGOTIATION ERROR"
		}
		l.ch.Log(call.LogErr, "%s: %v", l.ch.Name(), err)
		l.ch.Hangup(call.CauseBearerCapabilityNotAvail)
		return nil, refusal(text)
	}
	k.server.rejoined(l)
	return object{}, nil
}

func (l *leg) attached(sdp string) error {
	l.negotiating.Lock()
	defer l.negotiating.Unlock()
	l.mu.Lock()
	pr := l.next
	prefs := l.allowed
	if prefs == nil {
		prefs = []codec.Pref{{Codec: l.agreed.format.Codec, Ptime: l.agreed.format.Ptime}}
	}
	l.mu.Unlock()
	if pr == nil {
		return call.ErrNotReady
	}
	d, at, a, cands, err := l.agree(sdp, prefs)
	if err != nil {
		return err
	}
	if err := pr.answered(&d.sections[at], &a, cands); err != nil {
		return err
	}
	l.mu.Lock()
	old := l.peer
	if l.next != pr {
		l.mu.Unlock()
		return call.ErrNotReady
	}
	l.peer, l.next, l.detached, l.allowed = pr, nil, time.Time{}, nil
	name, number := l.display[0], l.display[1]
	l.display = [2]string{}
	l.mu.Unlock()
	l.establish(pr, a)
	if old != nil {
		old.wire.Close()
	}
	if number == "" {
		p := l.ch.Profile()
		name, number = p.CalleeName, orElse(p.CalleeNumber, p.Destination)
	}
	return l.Display(l.ch.Context(), name, number)
}
