package sip

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	wire "github.com/emiago/sipgo/sip"

	"github.com/switchlet/switchlet/call"
)

// errOver is returned for what comes too late.
var errOver = errors.New("sip: the INVITE was answered already")

// answerWith builds a response to the INVITE that made the call, with all that
// FreeSWITCH shows in it. body may be empty.
func (l *leg) answerWith(ch *call.Channel, status int, reason string, body []byte, fields ...field) *wire.Response {
	l.mu.Lock()
	invite, contact := l.invite, l.contact
	l.mu.Unlock()
	p, s := l.profile, l.profile.settings()
	res := p.reply(invite, status, or(reason, phrase(status)))
	if status < 300 {
		put(res, field{"Contact", contact})
	} else {
		put(res, field{"Max-Forwards", "70"})
	}
	put(res, field{"User-Agent", s.agent})
	if status < 300 {
		put(res, field{"Accept", "application/sdp"})
	}
	put(res, field{"Allow", s.allow()}, field{"Supported", s.supported()}, field{"Allow-Events", s.events()})
	put(res, fields...)
	l.sessionTimerAnswer(ch, res, status)
	prefix := "sip_rh_"
	if status < 200 {
		prefix = "sip_ph_"
	}
	putPrefixed(res, ch, prefix)
	l.calleeIdentity(ch, res, invite, status)
	setBody(res, "application/sdp", body)
	return res
}

// putPrefixed adds the headers that variables with a prefix ask for.
func putPrefixed(m wire.Message, ch *call.Channel, prefix string) {
	for _, v := range ch.Vars().All() {
		if len(v.Name) > len(prefix) && strings.EqualFold(v.Name[:len(prefix)], prefix) {
			name := v.Name[len(prefix):]
			if headerName(name) {
				put(m, field{name, v.Value})
			}
		}
	}
}

// headerName reports whether s can be the name of a header.
func headerName(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-.!%*_+`'~", c) >= 0) {
			return false
		}
	}
	return true
}

// calleeIdentity adds who is talked to (spec/sip.md §6.3).
func (l *leg) calleeIdentity(ch *call.Channel, res *wire.Response, invite *wire.Request, status int) {
	s := l.profile.settings()
	if !s.cidInRinging || ch.Get("sip_cid_in_1xx") != "" && !ch.True("sip_cid_in_1xx") || status == 100 {
		return
	}
	first := func(names ...string) string {
		for _, n := range names {
			if v := ch.Get(n); v != "" {
				return v
			}
		}
		return ""
	}
	profile := ch.Profile()
	number := first("initial_callee_id_number", "effective_callee_id_number", "sip_callee_id_number", "callee_id_number")
	name := first("initial_callee_id_name", "effective_callee_id_name", "sip_callee_id_name", "callee_id_name")
	number = or(number, or(profile.CalleeNumber, profile.Destination))
	name = or(name, or(profile.CalleeName, number))
	if number == "" {
		return
	}
	address := `"` + display(name) + `" <sip:` + escapeUser(number) + "@" + invite.To().Address.Host + ">"
	kind := or(ch.Get("sip_cid_type"), s.callerIDType)
	if header(invite, "P-Asserted-Identity") != "" || header(invite, "P-Preferred-Identity") != "" || kind == "pid" {
		put(res, field{"P-Asserted-Identity", address})
		return
	}
	if kind != "none" {
		put(res, field{"Remote-Party-ID", address + ";party=calling;privacy=off;screen=no"})
	}
}

// Ring sends 180.
func (l *leg) Ring(ctx context.Context) error {
	ch, tx, err := l.pending(legRinging)
	if err != nil {
		return err
	}
	_, err = l.sendProvisional(ctx, ch, tx, 180, "", false)
	return err
}

// pending is the transaction of an inbound call that is not answered yet; the
// state is raised to at least to.
func (l *leg) pending(to legState) (*call.Channel, *wire.ServerTx, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.outbound || l.tx == nil || l.state >= legAnswered {
		return nil, nil, errOver
	}
	l.state = max(l.state, to)
	return l.ch, l.tx, nil
}

// Progress sends 183 with SDP. A caller that made no offer gets one, if it
// acknowledges that, and is waited for.
func (l *leg) Progress(ctx context.Context) error {
	ch, tx, err := l.pending(legRinging)
	if err != nil {
		return err
	}
	r, err := l.sendProvisional(ctx, ch, tx, 183, "", true)
	if err != nil || r == nil || !r.offer {
		return err
	}
	if err := l.acknowledged(ctx); err != nil {
		return err
	}
	_, _, err = l.pending(legEarly)
	return err
}

// negotiate agrees on the offer if that is still to be done, attaches the Port
// and returns our description. The first 183 or 200 makes it, later ones repeat.
func (l *leg) negotiate(ch *call.Channel) ([]byte, error) {
	l.mu.Lock()
	agreed, offer, text, local := l.sound.agreed, l.sound.offer, l.sound.text, l.sound.local
	attached := local != "" && (l.sound.browser == nil || l.state >= legEarly)
	l.mu.Unlock()
	if attached {
		return []byte(local), nil
	}
	if !agreed {
		if err := l.takeOffer(ch, offer, text); err != nil {
			ch.Hangup(call.CauseIncompatibleDestination)
			return nil, err
		}
		ch.SetPlain("endpoint_disposition", "RECEIVED")
	}
	body, err := l.writeAnswer(ch)
	if err != nil {
		ch.Hangup(call.CauseOf(err, call.CauseDestinationOutOfOrder))
		return nil, err
	}
	l.attach(ch)
	return body, nil
}

// Answer sends 200 with SDP. Without an offer it waits for the answer that comes
// with the ACK.
func (l *leg) Answer(ctx context.Context) error {
	ch, tx, err := l.pending(legRinging)
	if err != nil {
		return err
	}
	if err := l.acknowledged(ctx); err != nil {
		return err
	}
	l.mu.Lock()
	offer, early := l.sound.offer, l.state >= legEarly
	l.mu.Unlock()
	var body []byte
	if offer != nil {
		body, err = l.negotiate(ch)
		if err == nil && !early && l.profile.settings().late {
			ch.MarkEarly()
		}
	} else {
		body, err = l.makeOffer(ch)
	}
	if err != nil {
		return err
	}
	ch.SetPlain("sip_to_tag", l.localTag)
	res := l.answerWith(ch, 200, "", l.undescribed(body))
	acked := make(chan struct{})
	l.mu.Lock()
	if l.state == legEnded {
		l.mu.Unlock()
		return call.ErrHungup
	}
	l.state, l.acked = legAnswered, acked
	l.mu.Unlock()
	l.endAssurance()
	if err := l.profile.send(tx, res); err != nil {
		ch.Log(call.LogErr, "sip: answer: %v", err)
		ch.Hangup(call.CauseNetworkOutOfOrder)
		return err
	}
	l.insist(tx, res, acked)
	l.startTimer()
	if offer != nil {
		return nil
	}
	// A transfer does not take the 200 back.
	return l.awaitAnswer(ch.Context(), ch, acked)
}

// awaitAnswer takes the SDP of the ACK to our offer.
func (l *leg) awaitAnswer(ctx context.Context, ch *call.Channel, acked chan struct{}) error {
	select {
	case <-acked:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	l.mu.Lock()
	body := l.ackBody
	l.mu.Unlock()
	if err := l.takeAnswer(ch, body); err != nil {
		ch.Hangup(call.CauseIncompatibleDestination)
		return err
	}
	l.attach(ch)
	return nil
}

// Retransmission of a 2xx until its ACK (RFC 3261 §13.3.1.4).
const (
	answerFirst = 500 * time.Millisecond
	answerMax   = 4 * time.Second
)

// insist repeats a 2xx until the ACK. Without one the call ends.
func (l *leg) insist(tx *wire.ServerTx, res *wire.Response, acked chan struct{}) {
	l.profile.background(func(ctx context.Context) {
		wait := answerFirst
		deadline := time.NewTimer(l.profile.settings().patience)
		repeat := time.NewTimer(wait)
		defer deadline.Stop()
		defer repeat.Stop()
		for {
			select {
			case <-acked:
				return
			case <-ctx.Done():
				return
			case ack := <-tx.Acks():
				l.receiveACK(ack)
			case <-repeat.C:
				l.mu.Lock()
				ended := l.state == legEnded
				l.mu.Unlock()
				if ended {
					return
				}
				l.profile.send(tx, res)
				wait = min(2*wait, answerMax)
				repeat.Reset(wait)
			case <-deadline.C:
				if ch := l.channel(); ch != nil && ch.Up() {
					ch.Log(call.LogWarning, "%s: no ACK to our answer", ch.Name())
					ch.Hangup(call.CauseRecoveryOnTimerExpire)
				}
				return
			}
		}
	})
}

// receiveACK takes the ACK of a 2xx.
func (l *leg) receiveACK(req *wire.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.acked == nil {
		return
	}
	if body := sdpOf(req); body != nil {
		l.ackBody = body
	}
	select {
	case <-l.acked:
	default:
		close(l.acked)
	}
	if l.state == legAnswered {
		l.state = legConfirmed
	}
}

// Respond answers with a status of the application's choice (spec/sip.md §2.3).
func (l *leg) Respond(ctx context.Context, status int, reason string) error {
	ch, tx, err := l.pending(legNew)
	if err != nil {
		return err
	}
	switch {
	case status < 100 || status > 699:
		return errors.New("sip: respond: a status is a number from 100 to 699, got " + strconv.Itoa(status))
	case status >= 200 && status < 300:
		return ch.Answer(ctx)
	case status == 180:
		return ch.RingReady(ctx)
	case status == 183:
		return ch.PreAnswer(ctx)
	case status < 200:
		_, err := l.sendProvisional(ctx, ch, tx, status, reason, false)
		return err
	case status == 302:
		return l.redirect(ch, reason, 302)
	}
	l.mu.Lock()
	l.status, l.reason = status, or(reason, phrase(status))
	if status == 484 {
		l.headers = []field{{"Contact", l.contact}}
	}
	l.mu.Unlock()
	cause := causeOf(status)
	if status == 401 || status == 407 {
		cause = call.CauseCallRejected
	}
	ch.Hangup(cause)
	return nil
}

// Redirect sends the caller elsewhere before the answer: 302 for one target, 300
// for several.
func (l *leg) Redirect(ctx context.Context, targets string) error {
	ch, _, err := l.pending(legNew)
	if err != nil {
		l.log(call.LogWarning, "Too late for redirecting to %s, already answered", targets)
		return err
	}
	return l.redirect(ch, targets, 0)
}

func (l *leg) redirect(ch *call.Channel, targets string, status int) error {
	var fields []field
	list := splitTargets(targets)
	if len(list) == 0 {
		return errors.New("sip: redirect: no target")
	}
	if len(list) > 1 && status == 0 {
		status = 300
	}
	for i, t := range list {
		value := t
		if !strings.Contains(t, "<") {
			value = `"unknown" <` + t + ">"
		}
		if status == 300 && !strings.Contains(value, ";q=") {
			q := 129 - i
			if q > 0 {
				value += ";q=0." + strconv.Itoa(1000 + q)[1:]
			}
		}
		fields = append(fields, field{"Contact", value})
	}
	if status == 0 {
		status = 302
	}
	for _, v := range ch.Vars().All() {
		if name, ok := strings.CutPrefix(v.Name, "sip_h_"); ok && headerName(name) {
			fields = append(fields, field{name, v.Value})
		}
	}
	l.mu.Lock()
	l.status, l.reason, l.headers = status, phrase(status), fields
	l.mu.Unlock()
	ch.Hangup(call.CauseNormalUnspecified)
	return nil
}

// splitTargets splits at commas outside of brackets.
func splitTargets(s string) []string {
	var out []string
	depth, from := 0, 0
	for i := 0; i <= len(s); i++ {
		switch {
		case i == len(s) || s[i] == ',' && depth == 0:
			if t := strings.TrimSpace(s[from:i]); t != "" {
				out = append(out, t)
			}
			from = i + 1
		case s[i] == '<':
			depth++
		case s[i] == '>':
			depth--
		}
	}
	return out
}
