package sip

import (
	"context"
	"strconv"
	"strings"

	wire "github.com/emiago/sipgo/sip"

	"github.com/switchlet/switchlet/call"
)

// Hangup ends the call towards the far end as it stands, sets the final
// variables and gives back what the leg held.
func (l *leg) Hangup(cause call.Cause) {
	l.mu.Lock()
	ch, state, tx := l.ch, l.state, l.tx
	l.state = legEnded
	l.mu.Unlock()
	if ch == nil {
		return
	}
	switch {
	case state == legEnded:
	case state >= legAnswered:
		l.terminate(termination{disposition: "send_bye"})
		l.sendBye(ch, cause)
	case l.outbound:
		l.terminate(termination{disposition: "send_cancel"})
		l.cancel(ch, cause)
	case tx != nil:
		l.refuse(ch, tx, cause)
	}
	l.finish(ch)
}

// reasonFor is the Reason value for a request or response that ends a call.
func (l *leg) reasonFor(ch *call.Channel, cause call.Cause) string {
	if v := ch.Get("sip_reason"); v != "" {
		return v
	}
	if ch.True("disable_q850_reason") {
		return ""
	}
	return reasonOf(cause)
}

// refuse answers an INVITE that nobody took.
func (l *leg) refuse(ch *call.Channel, tx *wire.ServerTx, cause call.Cause) {
	l.mu.Lock()
	status, reason, fields := l.status, l.reason, l.headers
	l.mu.Unlock()
	if status == 0 {
		status = statusOf(cause)
		if v := ch.Get("last_bridge_proto_specific_hangup_cause"); v != "" && !ch.True("sip_ignore_remote_cause") {
			if n, err := strconv.Atoi(strings.TrimPrefix(v, "sip:")); err == nil && n >= 300 && n < 700 && n != 401 && n != 407 {
				status = n
			}
		}
		fields = append(fields, field{"Reason", l.reasonFor(ch, cause)})
	}
	l.terminate(termination{disposition: "send_refuse", status: status, cause: cause})
	res := l.answerWith(ch, status, reason, nil, fields...)
	if status == 401 || status == 407 {
		res.RemoveHeader("Content-Length")
		l.profile.challengeFor(res, l.invite, false)
		setBody(res, "", nil)
	}
	l.profile.counters.failedIn.Add(1)
	l.awaitACK()
	if err := l.profile.send(tx, res); err != nil {
		ch.Log(call.LogDebug, "sip: refuse: %v", err)
	}
}

// awaitACK takes the ACK of a refusal off its transaction, which would otherwise
// keep a goroutine waiting with it until its timers are over.
func (l *leg) awaitACK() {
	l.profile.background(func(ctx context.Context) {
		select {
		case <-l.tx.Acks():
		case <-l.tx.Done():
		case <-ctx.Done():
		}
	})
}

// sendBye ends an answered call.
func (l *leg) sendBye(ch *call.Channel, cause call.Cause) {
	req := l.request(wire.BYE)
	put(req, field{"Reason", l.reasonFor(ch, cause)})
	putPrefixed(req, ch, "sip_bye_h_")
	setBody(req, "", nil)
	tries := 0
	var done func(res *wire.Response, err error)
	done = func(res *wire.Response, err error) {
		if res != nil && (res.StatusCode == 401 || res.StatusCode == 407) && tries == 0 {
			tries++
			if again := l.authenticate(l.request(wire.BYE), res); again != nil {
				setBody(again, "", nil)
				l.profile.transact(again, nil, done)
			}
		}
	}
	l.profile.transact(req, nil, done)
}

// receiveBye ends the call that the far end hung up.
func (l *leg) receiveBye(req *wire.Request, tx *wire.ServerTx) {
	res := l.profile.reply(req, 200, "OK")
	l.profile.identify(res)
	if ch := l.channel(); ch != nil {
		putPrefixed(res, ch, "sip_bye_h_")
	}
	setBody(res, "", nil)
	l.profile.send(tx, res)
	reason := header(req, "Reason")
	cause := call.CauseNormalClearing
	if c, ok := reasonCause(reason, l.profile.settings().userInfo); ok {
		cause = c
	}
	l.mu.Lock()
	ch := l.ch
	ended := l.state == legEnded
	unanswered := !l.outbound && l.state < legAnswered && !ended
	pending := l.tx
	l.state = legEnded
	l.mu.Unlock()
	if ch == nil || ended {
		return
	}
	if unanswered {
		// A BYE ends an early dialog, too; the INVITE wants its answer.
		l.awaitACK()
		l.profile.send(pending, l.answerWith(ch, 487, "", nil))
	}
	partner := ch.Partner()
	var extra varList
	extra.headers(req)
	for _, v := range extra {
		name := "sip_bye_" + strings.TrimPrefix(v.Name, "sip_")
		ch.SetPlain(name, v.Value)
		if partner != nil && copies(ch) && copies(partner) {
			partner.SetPlain(name, v.Value)
		}
	}
	l.terminate(termination{disposition: "recv_bye", status: 200, cause: call.CauseNormalClearing, reason: reason})
	if partner != nil && reason != "" {
		partner.SetPlain("sip_reason", reason)
	}
	ch.Hangup(cause)
}
