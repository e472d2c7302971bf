package webrtc

import (
	"context"
	"fmt"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/expand"
)

// modify changes a call: hold, transfer, replace, new media (spec/verto.md §3).
func (k *socket) modify(p params) (object, *failure) {
	dp, id, missing := dialog(p)
	if missing != "" {
		return nil, refusal(missing)
	}
	action := p.text("action")
	about := object{{"callID", id}, {"action", action}}
	refuse := func(text string) (object, *failure) {
		return nil, &failure{object: append(about, member{"message", text}, member{"code", codeSession})}
	}
	l := k.mine(id)
	switch {
	case action == "":
		return refuse("action missing")
	case l == nil:
		return refuse(noCall)
	}
	result, problem := l.change(k, action, p, dp)
	if problem != "" {
		return refuse(problem)
	}
	state := "active"
	if l.ch.Held() {
		state = "held"
	}
	return append(append(about, result...), member{"holdState", state}), nil
}

// change does one action; problem is the error's text.
func (l *leg) change(k *socket, action string, p, dp params) (result object, problem string) {
	switch action {
	case "hold":
		l.hold(true)
	case "unhold":
		l.hold(false)
	case "toggleHold":
		l.hold(!l.ch.Held())
	case "transfer":
		to := p.text("destination")
		if to == "" {
			return nil, "destination missing"
		}
		if problem := l.transfer(to); problem != "" {
			return nil, problem
		}
		return object{{"message", "CALL TRANSFERRED"}}, ""
	case "replace":
		other := p.text("replaceCallID")
		if other == "" {
			return nil, "replaceCallID missing"
		}
		second := k.mine(other)
		if second == nil || second == l {
			return nil, "invalid transfer leg"
		}
		if !l.replace(second) {
			return nil, "transfer failed"
		}
	case "updateMedia":
		return l.updateMedia(k, p)
	}
	return nil, ""
}

// hold pauses the call for the browser, and lets a bridged partner hear music.
func (l *leg) hold(on bool) {
	if !l.ch.Answered() || l.ch.Held() == on {
		return
	}
	l.ch.Port().Hold(on)
	l.watch(on)
	l.ch.RemoteHold(on)
	if !on {
		l.unhold()
		return
	}
	partner := l.ch.Partner()
	uri := l.ch.Get("hold_music")
	if uri == "" && partner != nil {
		uri = partner.Get("hold_music")
	}
	if uri == "" {
		uri = l.server.sw.Globals.Get("hold_music")
	}
	if uri == "" {
		uri = "local_stream://moh"
	}
	if partner == nil || uri == "silence" || l.server.sw.Sounds == nil {
		return
	}
	stop, err := partner.PlayBehind(partner.Context(), uri)
	if err != nil {
		l.ch.Log(call.LogWarning, "%s: hold music %s: %v", l.ch.Name(), uri, err)
		return
	}
	l.mu.Lock()
	old := l.music
	l.music = stop
	l.mu.Unlock()
	if old != nil {
		old()
	}
}

// unhold ends the partner's music.
func (l *leg) unhold() {
	l.mu.Lock()
	stop := l.music
	l.music = nil
	l.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// Bridged is told of a new partner (call.Bridger).
func (l *leg) Bridged(*call.Channel) {}

// Unbridged ends what the old partner heard (call.Bridger).
func (l *leg) Unbridged() { l.unhold() }

// transfer sends the partner to another destination (blind transfer).
func (l *leg) transfer(to string) (problem string) {
	partner := l.ch.Partner()
	if partner == nil {
		return "call is not bridged"
	}
	l.unhold()
	l.ch.SetPlain("transfer_disposition", "recv_replace")
	partner.SetPlain("transfer_history", expand.Push(partner.Get("transfer_history"),
		fmt.Sprintf("%d:%s:bl_xfer:%s", time.Now().Unix(), partner.UUID(), to)))
	if err := partner.Transfer(to, "", ""); err != nil {
		return "transfer failed"
	}
	return ""
}

// replace joins the partners of two calls of this browser, whose own legs end
// (attended transfer).
func (l *leg) replace(second *leg) bool {
	a, b := l.ch.Partner(), second.ch.Partner()
	l.unhold()
	second.unhold()
	switch {
	case a == nil && b == nil:
		return false
	case a != nil && b != nil:
		return l.join(second, a, b)
	case a != nil:
		return l.follow(second, a)
	default:
		return second.follow(l, b)
	}
}

// join bridges a and b and ends the two legs between them.
func (l *leg) join(second *leg, a, b *call.Channel) bool {
	source := fmt.Sprintf("%d:%s:att_xfer:%s@%s/%s@%s", time.Now().Unix(), call.NewUUID(),
		l.account.id, l.account.domain, second.account.id, second.account.domain)
	for _, c := range []*call.Channel{a, b} {
		c.SetPlain("transfer_source", source)
		c.SetPlain("transfer_history", expand.Push(c.Get("transfer_history"), source))
	}
	l.ch.SetPlain("transfer_disposition", "recv_replace")
	l.ch.SetPlain("transfer_to", "att:"+b.UUID())
	second.ch.SetPlain("transfer_disposition", "replaced")
	a.SetPlain("transfer_disposition", "bridge")
	l.ch.Port().Hold(false)
	second.ch.Port().Hold(false)
	if err := a.BridgeWith(b); err != nil {
		l.ch.Log(call.LogErr, "%s: attended transfer: %v", l.ch.Name(), err)
		return false
	}
	for _, own := range []*leg{l, second} {
		own.ch.SetPlain("endpoint_disposition", "ATTENDED_TRANSFER")
		own.ch.Hangup(call.CauseAttendedTransfer)
	}
	return true
}

// follow sends the one partner there is to where the other leg's call was going.
func (l *leg) follow(other *leg, partner *call.Channel) bool {
	to := other.ch.Profile().Destination
	dialplan := ""
	if inline := other.ch.Get("inline_destination"); inline != "" {
		to, dialplan = inline, "inline"
	}
	if other.outbound || to == "" {
		return false
	}
	l.ch.SetPlain("transfer_disposition", "recv_replace")
	l.ch.SetPlain("transfer_to", "satt:"+other.uuid)
	other.ch.SetPlain("transfer_disposition", "replaced")
	if err := partner.Transfer(to, dialplan, ""); err != nil {
		return false
	}
	other.ch.Hangup(call.CauseAttendedTransfer)
	return true
}

// updateMedia answers a new offer of the browser within a call.
func (l *leg) updateMedia(k *socket, p params) (object, string) {
	sdp, _ := p["sdp"].(string)
	if !l.ch.Answered() {
		l.ch.Hangup(call.CauseDestinationOutOfOrder)
		return nil, "Cannot update a call that has not been answered."
	}
	if sdp == "" {
		return nil, "SDP missing"
	}
	text, err := l.renegotiate(l.ch.Context(), sdp)
	if err == nil {
		return object{{"sdp", text}}, ""
	}
	if k.mine(l.uuid) != l {
		return nil, noCall // another page has taken the call over
	}
	f := l.mediaFailure(err, "CODEC NEGOTIATION ERROR")
	message, _ := f.object[0].value.(string)
	return nil, message
}

// renegotiate answers an offer with the connection there is, or with a new one
// when the browser's certificate is another.
func (l *leg) renegotiate(ctx context.Context, sdp string) (string, error) {
	l.negotiating.Lock()
	defer l.negotiating.Unlock()
	list := l.profile.inbound
	if l.outbound {
		list = l.profile.outbound
	}
	d, at, a, cands, err := l.agree(sdp, l.prefs(list))
	if err != nil {
		return "", err
	}
	print, _ := d.sections[at].secure()
	l.mu.Lock()
	old, k := l.peer, l.socket
	l.mu.Unlock()
	pr := old
	if old == nil || old.remote != print {
		if pr, err = newPeer(l.server.net); err != nil {
			return "", err
		}
	}
	pr.near = l.server.near(k, d.sections[at].cands)
	text, err := pr.answer(ctx, d, at, &a, cands)
	l.mu.Lock()
	gone := l.gone || l.socket != k
	if err == nil && !gone {
		l.peer = pr
	}
	l.mu.Unlock()
	if err != nil || gone {
		if pr != old {
			pr.wire.Close()
		}
		return "", errJoin(err, gone)
	}
	l.establish(pr, a)
	if old != nil && old != pr {
		old.wire.Close()
	}
	return text, nil
}

func errJoin(err error, gone bool) error {
	if err == nil && gone {
		return call.ErrHungup
	}
	return err
}
