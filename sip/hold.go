package sip

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	wire "github.com/emiago/sipgo/sip"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/codec"
	"github.com/switchlet/switchlet/media/sdp"
)

// reinviteLimit bounds how long a re-INVITE may take.
const reinviteLimit = 32 * time.Second

// glareWait is how long a re-INVITE waits after 491 (RFC 3261 §14.1, a value for
// both owners of the Call-ID).
const glareWait = 2 * time.Second

// Hold puts the far end on hold by re-INVITE, or takes it back.
func (l *leg) Hold(ctx context.Context, on bool) error {
	ch := l.channel()
	direction := sdp.SendRecv
	if on {
		direction = sdp.SendOnly
		if ch.True("sofia_hold_inactive") {
			direction = sdp.Inactive
		}
	}
	l.mu.Lock()
	if l.state < legAnswered || l.state == legEnded {
		l.mu.Unlock()
		return call.ErrNotReady
	}
	l.sound.direction = direction
	l.mu.Unlock()
	return l.reinvite(ctx, ch)
}

// Renegotiate offers the far end other codecs by re-INVITE (call.Renegotiator): those
// of codecs, or all that the leg would offer a new call. A refusal leaves the call as it
// is. Calls of browsers keep their codec.
func (l *leg) Renegotiate(ctx context.Context, codecs string, _ bool) error {
	ch := l.channel()
	l.mu.Lock()
	able := ch != nil && l.state >= legAnswered && l.state != legEnded && l.sound.browser == nil && l.sound.session != nil
	l.mu.Unlock()
	if !able {
		return call.ErrNotReady
	}
	if codecs = strings.TrimPrefix(codecs, "="); codecs != "" {
		if prefs, _ := codec.ParseList(ch.Switch().Media.Codecs(), codecs); len(prefs) == 0 {
			return errors.New("sip: no such codec: " + codecs)
		}
		ch.Set("absolute_codec_string", "")
		ch.Set("codec_string", "="+codecs)
	}
	l.mu.Lock()
	l.sound.anew = true
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		l.sound.anew = false
		l.mu.Unlock()
	}()
	return l.reinvite(ctx, ch)
}

// reinvite sends our present description and waits for the answer.
func (l *leg) reinvite(ctx context.Context, ch *call.Channel) error {
	for range 3 {
		status, err := l.reinviteOnce(ctx, ch)
		switch {
		case err != nil:
			return err
		case status < 300:
			return nil
		case status == 408 || status == 481:
			ch.Hangup(causeOf(status))
			return errors.New("sip: re-INVITE: the far end does not know the call any more")
		case status != 491:
			return errors.New("sip: re-INVITE was refused: " + strconv.Itoa(status) + " " + phrase(status))
		}
		pause := time.NewTimer(glareWait)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return context.Cause(ctx)
		}
	}
	return errors.New("sip: re-INVITE: the far end has one of its own under way")
}

func (l *leg) reinviteOnce(ctx context.Context, ch *call.Channel) (status int, err error) {
	l.mu.Lock()
	if l.reinviting {
		l.mu.Unlock()
		return 491, nil
	}
	l.reinviting = true
	l.mu.Unlock()
	defer func() { l.mu.Lock(); l.reinviting = false; l.mu.Unlock() }()
	body := l.presentOffer(ch)
	result := make(chan int, 1)
	auths, described := 0, false
	var req *wire.Request
	var done func(res *wire.Response, err error)
	send := func(res *wire.Response) bool {
		req = l.request(wire.INVITE)
		put(req, field{"Allow-Events", l.profile.settings().events()})
		l.sessionTimerOffer(ch, req)
		setBody(req, "application/sdp", body)
		if res != nil && l.authenticate(req, res) == nil {
			return false
		}
		l.profile.transact(req, func(*wire.Response) {
			l.mu.Lock()
			ack := l.ack
			l.mu.Unlock()
			if ack != nil {
				l.profile.sendACK(ack)
			}
		}, done)
		return true
	}
	done = func(res *wire.Response, err error) {
		switch {
		case res == nil:
			result <- 408
		case res.StatusCode < 200:
			if res.StatusCode > 100 && l.inOrder(ch, req, res) && hasOption(res, "Require", reliably) && sdpOf(res) != nil {
				if described = l.takeAnswer(ch, sdpOf(res)) == nil; described {
					l.attach(ch)
				}
			}
		case res.StatusCode < 300:
			l.mu.Lock()
			l.target.learn(res)
			l.mu.Unlock()
			ack := l.acknowledge(req, res)
			l.mu.Lock()
			l.ack = ack
			l.mu.Unlock()
			l.profile.sendACK(ack)
			l.timerAccepted(res)
			if body := sdpOf(res); body != nil && !described && l.takeAnswer(ch, body) == nil {
				l.attach(ch)
			}
			result <- 200
		case (res.StatusCode == 401 || res.StatusCode == 407) && auths < maxChallenges:
			auths++
			if !send(res) {
				result <- res.StatusCode
			}
		case res.StatusCode == 422 && l.longer(req, res):
			send(nil)
		default:
			result <- res.StatusCode
		}
	}
	send(nil)
	limit := time.NewTimer(reinviteLimit)
	defer limit.Stop()
	select {
	case status = <-result:
		return status, nil
	case <-limit.C:
		return 408, nil
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

// presentOffer is an offer of the codec in force, or of all that the leg prefers now if
// they are negotiated anew.
func (l *leg) presentOffer(ch *call.Channel) []byte {
	prefs := l.preferences(ch)
	l.mu.Lock()
	browser := l.sound.browser
	l.mu.Unlock()
	if browser != nil {
		body, err := l.browserOffer(ch, prefs)
		if err != nil {
			ch.Log(call.LogErr, "sip: re-INVITE: %v", err)
		}
		return body
	}
	d := l.description(ch)
	if err := l.offerKeys(ch, &d); err != nil {
		ch.Log(call.LogErr, "sip: re-INVITE: %v", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.sound.result.Format
	for i, p := range prefs {
		if l.sound.anew {
			break
		}
		if p.Codec == f.Codec {
			p.Ptime = f.Ptime
			prefs = append(prefs[:0:0], p)
			break
		}
		if i == len(prefs)-1 {
			prefs = prefs[:1]
		}
	}
	if r := l.sound.result; r.Digits != 0 && r.DigitsClock == 8000 {
		d.DigitsPayload = r.DigitsReceive
	}
	body, offered := sdp.Offer(d, prefs)
	// A dynamic payload type that was agreed stays.
	l.sound.offered, l.sound.local, l.sound.muxOffer = offered, string(body), d.Mux
	return body
}

// SendDigit sends a digit by INFO.
func (l *leg) SendDigit(d media.Digit) error {
	ch := l.channel()
	if ch == nil || !ch.Up() {
		return call.ErrHungup
	}
	if d.Char == 'w' || d.Char == 'W' {
		return nil
	}
	ms := d.Duration / 8
	if ms <= 0 {
		ms = call.DigitDurationDefault / 8
	}
	req := l.request(wire.INFO)
	setBody(req, "application/dtmf-relay", []byte("Signal="+string(d.Char)+"\r\nDuration="+strconv.Itoa(ms)+"\r\n"))
	l.profile.transact(req, nil, func(*wire.Response, error) {})
	return nil
}

// Display changes what the far end's display shows: by UPDATE, or by INFO to
// agents that know update_display.
func (l *leg) Display(ctx context.Context, name, number string) error {
	ch := l.channel()
	if ch == nil || !l.profile.settings().passCalleeID || number == "" {
		return nil
	}
	l.mu.Lock()
	shown := name + "|" + number
	known := l.display == shown
	l.display = shown
	ready := l.state >= legAnswered && l.state != legEnded
	invite := l.invite
	l.mu.Unlock()
	if known || !ready || invite == nil {
		return nil
	}
	peerAllows := strings.Contains(strings.ToUpper(l.get("sip_allow")), "UPDATE")
	support := header(invite, "X-FS-Support")
	switch {
	case !l.outbound && strings.Contains(support, "update_display"):
		req := l.request(wire.INFO)
		setBody(req, "message/update_display", []byte(`From: `+quoted(name)+"<"+number+">\r\nTo:\r\n"))
		l.profile.transact(req, nil, func(*wire.Response, error) {})
	case peerAllows && l.profile.settings().params.Bool("send-display-update", true) && l.profile.settings().params.Bool("allow-update", true):
		req := l.request(wire.UPDATE)
		address := quoted(name) + "<sip:" + escapeUser(number) + "@" + l.profile.host(l.peerAddr()) + ">"
		if or(ch.Get("sip_cid_type"), l.profile.settings().callerIDType) == "pid" {
			put(req, field{"P-Asserted-Identity", address})
		} else {
			put(req, field{"X-FS-Display-Name", name}, field{"X-FS-Display-Number", number},
				field{"Remote-Party-ID", address + ";party=calling;privacy=off;screen=no"})
		}
		setBody(req, "", nil)
		l.profile.transact(req, nil, func(*wire.Response, error) {})
	}
	return nil
}

// Message sends an event's body to the far end: SEND_INFO as INFO, the others as
// MESSAGE.
func (l *leg) Message(ctx context.Context, e *event.Event) error {
	method, kind := wire.MESSAGE, or(e.Get("content-type"), or(e.Get("type"), "text/plain"))
	if e.Type == event.SendInfo {
		method = wire.INFO
	}
	if !strings.Contains(kind, "/") {
		return errors.New("sip: message: content type " + strconv.Quote(kind) + " has no slash")
	}
	req := l.request(method)
	for _, h := range e.Headers {
		if name, ok := strings.CutPrefix(h.Name, "sip_h_"); ok && headerName(name) && !ownHeader(name) {
			put(req, field{name, h.Value})
		}
	}
	setBody(req, clean(kind), []byte(e.Body))
	result := make(chan error, 1)
	l.profile.transact(req, nil, func(res *wire.Response, err error) {
		switch {
		case res == nil:
			result <- err
		case res.StatusCode >= 300:
			result <- errors.New("sip: " + string(method) + " was refused: " + strconv.Itoa(res.StatusCode) + " " + res.Reason)
		case res.StatusCode >= 200:
			result <- nil
		}
	})
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
