package sip

import (
	"context"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	wire "github.com/emiago/sipgo/sip"

	"github.com/switchlet/switchlet/call"
)

// Reliable provisional responses (RFC 3262), which enable-100rel switches on: a 1xx
// with RSeq is repeated until PRACK names it in RAck.

// reliably is the option tag.
const reliably = "100rel"

// assurance says which of our 1xx the caller wants to acknowledge.
type assurance int

const (
	assureNone assurance = iota
	assureSDP            // Supported: those with a description
	assureAll            // Require: all but 100
)

// assured are the reliable 1xx of an inbound INVITE; the leg's lock guards them. A
// second one waits until the first was acknowledged, so there is one at a time.
type assured struct {
	want    assurance
	rseq    uint32    // of the last, 0: none was sent
	last    *reliable // nil: none was sent
	settled bool      // offer and answer went over reliably: no later response describes
}

// reliable is one 1xx that waits for its PRACK.
type reliable struct {
	rseq      uint32
	described bool          // has SDP
	offer     bool          // which is an offer: the answer comes with the PRACK
	acked     bool          // PRACK came; guarded by the leg's lock
	over      chan struct{} // closed when the PRACK was answered, or nobody waits for it any more
	closed    bool
}

// hasOption reports whether a header of option tags has one, in any of its lines.
func hasOption(m wire.Message, name, option string) bool {
	lines := m.GetHeaders(name)
	if short, ok := compact[name]; ok {
		lines = append(lines, m.GetHeaders(short)...)
	}
	for _, h := range lines {
		for v := range strings.SplitSeq(h.Value(), ",") {
			if strings.EqualFold(strings.TrimSpace(v), option) {
				return true
			}
		}
	}
	return false
}

// assuranceOf is what the caller of an INVITE wants.
func (p *Profile) assuranceOf(req *wire.Request) assurance {
	switch {
	case !p.settings().reliable:
	case hasOption(req, "Require", reliably):
		return assureAll
	case hasOption(req, "Supported", reliably):
		return assureSDP
	}
	return assureNone
}

// sendProvisional sends a 1xx of an inbound call, reliably if the caller wants that;
// the result is nil if not. With describe it has our SDP: the answer to the caller's
// offer, or an offer of ours where the caller made none.
func (l *leg) sendProvisional(ctx context.Context, ch *call.Channel, tx *wire.ServerTx, status int, reason string, describe bool) (*reliable, error) {
	if status == 100 {
		return nil, l.profile.send(tx, l.answerWith(ch, status, reason, nil))
	}
	for {
		if err := l.acknowledged(ctx); err != nil {
			return nil, err
		}
		body, offer, err := l.describeEarly(ch, describe)
		if err != nil {
			return nil, err
		}
		ch.SetPlain("sip_to_tag", l.localTag)
		r, free, err := l.assure(body, offer)
		switch {
		case err != nil:
			return nil, err
		case !free:
			continue // another one went out meanwhile
		case r == nil:
			return nil, l.profile.send(tx, l.answerWith(ch, status, reason, body))
		}
		res := l.answerWith(ch, status, reason, body, field{"Require", reliably}, field{"RSeq", strconv.FormatUint(uint64(r.rseq), 10)})
		if err := l.profile.send(tx, res); err != nil {
			l.over(r)
			return nil, err
		}
		l.repeat(ch, tx, res, r)
		return r, nil
	}
}

// describeEarly is the SDP of a 1xx, if it is to have one.
func (l *leg) describeEarly(ch *call.Channel, describe bool) (body []byte, offer bool, err error) {
	l.mu.Lock()
	want, settled, offered := l.assured.want, l.assured.settled, l.sound.offer != nil
	l.mu.Unlock()
	switch {
	case settled:
	case offered && describe:
		body, err = l.negotiate(ch)
		if err == nil {
			l.pending(legEarly)
		}
	case !offered && (want == assureAll || describe && want == assureSDP):
		// The first reliable response to an INVITE without an offer has one (RFC 3262 §5).
		body, err = l.makeOffer(ch)
		offer = true
	case describe:
		// Without an offer there is nothing to answer before the 200.
		err = call.ErrNotReady
	}
	return body, offer, err
}

// assure begins the wait for the PRACK of a 1xx with that body; nil: none is
// wanted. It is not free while the last one waits.
func (l *leg) assure(body []byte, offer bool) (r *reliable, free bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := &l.assured
	switch {
	case l.state >= legAnswered:
		return nil, false, errOver
	case a.want == assureNone || a.want == assureSDP && len(body) == 0:
		return nil, true, nil
	case a.last != nil && !a.last.closed:
		return nil, false, nil
	case a.rseq == 0:
		a.rseq = rand.Uint32N(1 << 30) // of 2³¹, so that the next ones fit
	}
	a.rseq++
	a.last = &reliable{rseq: a.rseq, described: len(body) > 0, offer: offer, over: make(chan struct{})}
	return a.last, true, nil
}

// undescribed is body, or nothing if both sides know each other's description for
// certain: it is not told twice then.
func (l *leg) undescribed(body []byte) []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.assured.settled {
		return nil
	}
	return body
}

// over ends the wait for the PRACK of r.
func (l *leg) over(r *reliable) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r != nil && !r.closed {
		r.closed = true
		close(r.over)
	}
}

// endAssurance stops what is repeated: the final response goes out, or the call is
// over.
func (l *leg) endAssurance() {
	l.mu.Lock()
	r := l.assured.last
	l.mu.Unlock()
	l.over(r)
}

// acknowledged waits until the last reliable 1xx was acknowledged. No 2xx may overtake
// one with SDP (RFC 3262 §3); like the reference we let it overtake none.
func (l *leg) acknowledged(ctx context.Context) error {
	l.mu.Lock()
	r := l.assured.last
	l.mu.Unlock()
	if r == nil {
		return nil
	}
	select {
	case <-r.over:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !r.acked {
		return call.ErrHungup
	}
	return nil
}

// repeat sends a reliable 1xx again and again, each time after twice as long, until
// its PRACK. Without one the INVITE is refused.
func (l *leg) repeat(ch *call.Channel, tx *wire.ServerTx, res *wire.Response, r *reliable) {
	limit := l.profile.settings().patience
	l.profile.background(func(ctx context.Context) {
		wait := answerFirst
		deadline := time.NewTimer(limit)
		again := time.NewTimer(wait)
		defer deadline.Stop()
		defer again.Stop()
		for {
			select {
			case <-r.over:
				return
			case <-tx.Done():
				l.over(r)
				return
			case <-ctx.Done():
				return
			case <-again.C:
				l.mu.Lock()
				needed := !r.acked && l.state < legAnswered
				l.mu.Unlock()
				if needed {
					// Not by the transaction: a final response may be its last word by now.
					tx.Connection().WriteMsg(res)
				}
				wait *= 2
				again.Reset(wait)
			case <-deadline.C:
				l.unacknowledged(ch, r)
				return
			}
		}
	})
}

// unacknowledged refuses the INVITE of a caller that acknowledges nothing.
func (l *leg) unacknowledged(ch *call.Channel, r *reliable) {
	l.mu.Lock()
	late := r.acked || l.state >= legAnswered
	if !late {
		l.status, l.reason = 504, "Reliable Response Timeout"
		l.headers = []field{{"Reason", `SIP;cause=504;text="PRACK Timeout"`}}
	}
	l.mu.Unlock()
	if !late {
		ch.Log(call.LogWarning, "%s: no PRACK to our reliable response", ch.Name())
		ch.Hangup(call.CauseRecoveryOnTimerExpire)
	}
	l.over(r)
}

// parseRAck reads "RSEQ CSEQ METHOD".
func parseRAck(v string) (rseq, cseq uint32, method string, ok bool) {
	f := strings.Fields(v)
	if len(f) != 3 {
		return 0, 0, "", false
	}
	a, err := strconv.ParseUint(f[0], 10, 32)
	b, err2 := strconv.ParseUint(f[1], 10, 32)
	return uint32(a), uint32(b), f[2], err == nil && err2 == nil && a > 0
}

// receivePrack answers a PRACK and takes the description that came with it.
func (l *leg) receivePrack(ctx context.Context, ch *call.Channel, req *wire.Request, tx *wire.ServerTx) {
	p, s := l.profile, l.profile.settings()
	rseq, cseq, method, ok := parseRAck(header(req, "RAck"))
	if !ok {
		p.respond(req, tx, 400, "Bad RAck Header")
		return
	}
	l.mu.Lock()
	r := l.assured.last
	known := r != nil && !r.acked && r.rseq == rseq && method == string(wire.INVITE) && l.invite != nil && l.invite.CSeq().SeqNo == cseq
	settled := l.assured.settled
	if known {
		r.acked = true
		l.assured.settled = settled || r.described
		settled = l.assured.settled
	}
	l.mu.Unlock()
	if !known {
		p.respond(req, tx, 481, phrase(481))
		return
	}
	defer l.over(r)
	text := sdpOf(req)
	described := text != nil
	var body []byte
	switch {
	case r.offer:
		if !described || l.takeAnswer(ch, text) != nil {
			p.respond(req, tx, 200, "OK")
			ch.Hangup(call.CauseIncompatibleDestination)
			return
		}
		ch.SetPlain("switch_r_sdp", string(text))
		l.attach(ch)
	case described && !settled:
		// Their first offer has no answer yet.
		p.respond(req, tx, 491, phrase(491))
		return
	case described:
		var failed int
		if body, failed = l.renegotiate(ctx, ch, req); failed != 0 {
			p.respond(req, tx, failed, phrase(failed))
			return
		}
	}
	l.mu.Lock()
	contact := l.contact
	l.mu.Unlock()
	res := p.reply(req, 200, "OK")
	put(res, field{"Contact", contact}, field{"User-Agent", s.agent}, field{"Allow", s.allow()}, field{"Supported", s.supported()})
	setBody(res, "application/sdp", body)
	p.send(tx, res)
}

// maxEarly bounds the early dialogs of one INVITE whose reliable 1xx are followed, and
// whose descriptions are kept.
const maxEarly = 16

// heard are the reliable 1xx to an INVITE of ours: the RSeq of the last by the tag
// of the early dialog.
type heard struct {
	cseq uint32 // of the INVITE
	last map[string]uint32
}

// next takes the RSeq of a reliable 1xx: whether it is the first of its dialog, or
// follows upon the last.
func (h *heard) next(cseq uint32, tag string, rseq uint32) bool {
	if h.last == nil || h.cseq != cseq {
		h.cseq, h.last = cseq, make(map[string]uint32)
	}
	last, known := h.last[tag]
	if known && rseq != last+1 || !known && len(h.last) >= maxEarly {
		return false
	}
	h.last[tag] = rseq
	return true
}

// inOrder acknowledges a reliable 1xx to an INVITE of ours. False is for one that
// came again, or before its turn: it is passed over, and comes again.
func (l *leg) inOrder(ch *call.Channel, invite *wire.Request, res *wire.Response) bool {
	rseq, err := strconv.ParseUint(strings.TrimSpace(header(res, "RSeq")), 10, 32)
	dialog := tag(res.To().Params)
	if !l.profile.settings().reliable || !hasOption(res, "Require", reliably) || err != nil || rseq == 0 || dialog == "" {
		return true
	}
	cseq := invite.CSeq().SeqNo
	l.mu.Lock()
	next := l.heard.next(cseq, dialog, uint32(rseq))
	t, local, contact := l.target, l.local, l.contact
	l.mu.Unlock()
	if !next {
		return false
	}
	// The early dialog has a target and a route of its own.
	t.learn(res)
	build := func() *wire.Request {
		l.mu.Lock()
		l.seq++
		seq := l.seq
		l.mu.Unlock()
		req := l.build(wire.PRACK, &t, local, res.To().Value(), seq, contact)
		put(req, field{"RAck", strconv.FormatUint(rseq, 10) + " " + strconv.FormatUint(uint64(cseq), 10) + " " + string(wire.INVITE)})
		return req
	}
	req := build()
	setBody(req, "", nil)
	challenged := false
	var done func(res *wire.Response, err error)
	done = func(res *wire.Response, err error) {
		if res == nil || res.StatusCode != 401 && res.StatusCode != 407 || challenged {
			return
		}
		challenged = true
		if again := l.authenticate(build(), res); again != nil {
			setBody(again, "", nil)
			l.profile.transact(again, nil, done)
		}
	}
	l.profile.transact(req, nil, done)
	return true
}
