package sip

import (
	"context"
	"strconv"
	"strings"
	"time"

	wire "github.com/emiago/sipgo/sip"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
)

// fragments of NOTIFYs about a REFER.
const (
	fragOK        = "SIP/2.0 200 OK\r\n"
	fragForbidden = "SIP/2.0 403 Forbidden\r\n"

	fragTrying     = "SIP/2.0 100 Trying\r\n"
	fragTerminated = "SIP/2.0 487 Request Terminated\r\n"
)

// receiveRefer transfers the call (spec/sip.md §7.2).
func (l *leg) receiveRefer(ctx context.Context, ch *call.Channel, req *wire.Request, tx *wire.ServerTx) {
	p := l.profile
	if p.settings().disableTransfer || ch.True("disable_transfer") {
		p.respond(req, tx, 403, "Forbidden")
		return
	}
	l.mu.Lock()
	contact := l.contact
	l.mu.Unlock()
	p.respond(req, tx, 202, "Accepted", field{"Expires", "60"}, field{"Contact", contact}, field{"Allow-Events", p.settings().events()})
	value := get(req, "Refer-To")
	if value == "" {
		ch.Log(call.LogErr, "Missing Refer-To")
		return
	}
	to, err := parseNameAddr(value)
	if err != nil {
		ch.Log(call.LogErr, "Refer-To %q: %v", clip(value, 200), err)
		return
	}
	r := &referral{leg: l, ch: ch, id: strconv.FormatUint(uint64(req.CSeq().SeqNo), 10), to: to, value: value,
		by: or(get(req, "Referred-By"), req.From().Value())}
	if by, err := parseNameAddr(r.by); err == nil {
		ch.SetPlain("sip_referred_by_user", unescape(by.uri.User))
	}
	replaces := param(to.uri.Headers, "Replaces")
	ch.Switch().Go(func() {
		if replaces != "" {
			r.attended(unescape(replaces))
		} else {
			r.blind()
		}
	})
}

// referral is a REFER under way.
type referral struct {
	leg   *leg
	ch    *call.Channel
	id    string
	to    nameAddr
	value string
	by    string
}

// confirmLimit bounds how long a referrer waits for the outcome of its transfer.
const confirmLimit = 600 * time.Second

// notifyLimit bounds how long the end of the referrer's call waits for it to have
// heard that its transfer went well.
const notifyLimit = time.Second

// notify tells the referrer how it went, which ends the subscription, and waits a
// moment for the answer: a BYE that overtakes it would leave the phone unsure.
func (r *referral) notify(fragment string) { r.tell(fragment, "terminated;reason=noresource") }

// tell sends a NOTIFY and waits a moment for the answer.
func (r *referral) tell(fragment, state string) {
	req := r.leg.request(wire.NOTIFY)
	put(req, field{"Event", r.event()}, field{"Allow-Events", r.leg.profile.settings().events()}, field{"Subscription-State", state})
	setBody(req, "message/sipfrag;version=2.0", []byte(fragment))
	heard := make(chan struct{})
	r.leg.profile.transact(req, nil, func(res *wire.Response, err error) {
		if res == nil || res.StatusCode >= 200 {
			close(heard)
		}
	})
	limit := time.NewTimer(notifyLimit)
	defer limit.Stop()
	select {
	case <-heard:
	case <-limit.C:
	case <-r.ch.Context().Done():
	}
}

// blind transfers the partner to the Refer-To user.
func (r *referral) blind() {
	partner := r.ch.Partner()
	extension := unescape(r.to.uri.User)
	if partner == nil || extension == "" {
		r.notify(fragForbidden)
		r.errored("Cannot Blind Transfer 1 Legged calls")
		return
	}
	partner.SetPlain("sip_refer_to", r.value)
	partner.SetPlain("sip_h_Referred-By", r.by)
	r.ch.SetPlain("transfer_to", "blind:"+partner.UUID())
	r.ch.SetPlain("transfer_destination", "blind:"+extension)
	r.ch.SetPlain("endpoint_disposition", "BLIND_TRANSFER")
	partner.SetPlain("transfer_destination", "blind:"+extension)
	context := r.ch.Get("force_transfer_context")
	dialplan := r.ch.Get("force_transfer_dialplan")
	profile := r.ch.Profile()
	context = or(context, or(partner.Profile().Context, profile.Context))
	if partner.Outbound() {
		// An outbound partner has no dialplan of its own: the referrer's is used.
		context = or(r.ch.Get("force_transfer_context"), profile.Context)
		dialplan = or(dialplan, profile.Dialplan)
	}
	if !partner.Up() {
		r.notify(fragForbidden)
		return
	}
	if r.leg.profile.settings().confirmBlind || r.ch.True("confirm_blind_transfer") {
		r.confirmed(partner, extension, dialplan, context)
		return
	}
	r.notify(fragOK)
	r.follow(r.ch, partner)
	if err := partner.Transfer(extension, dialplan, context); err != nil {
		r.errored(err.Error())
	}
	r.ch.Hangup(call.CauseBlindTransfer)
	r.leg.transferEvent("sofia::transferor", r.ch, extension)
}

// event is the Event of our NOTIFYs.
func (r *referral) event() string { return "refer;id=" + r.id }

// confirmed transfers the partner while the referrer waits in CS_PARK to be told how that
// goes: it ends with a bridge, and gets the partner back without one (spec/sip.md §7.2).
func (r *referral) confirmed(partner *call.Channel, extension, dialplan, context string) {
	r.tell(fragTrying, "active;expires="+strconv.Itoa(int(confirmLimit/time.Second)))
	r.ch.SetPlain("sip_blind_transfer_event", r.event())
	r.ch.SetPlain("blind_transfer_uuid", partner.UUID())
	partner.SetPlain("blind_transfer_uuid", r.ch.UUID())
	partner.SetPlain(failureStatus, "")
	partner.SetPlain(failurePhrase, "")
	r.ch.SetPlain("park_timeout", strconv.Itoa(int(confirmLimit/time.Second))+":blind_transfer")
	r.follow(r.ch, partner)
	parked := make(chan struct{})
	r.ch.AfterBridge(func() bool {
		defer close(parked)
		return r.ch.ParkFrom() == nil
	})
	partner.AwaitTransfer(func(ok bool) bool {
		if !r.ch.Up() {
			return false
		}
		r.ch.Switch().Go(func() { r.outcome(partner, ok, parked) })
		return true
	})
	partner.OnHangup(func(*call.Channel) { partner.TransferDone(false) })
	if err := partner.Transfer(extension, dialplan, context); err != nil {
		r.errored(err.Error())
		return // it was hung up, of which the referrer is told
	}
	r.leg.transferEvent("sofia::transferor", r.ch, extension)
}

// parkLimit bounds how long the outcome of a transfer waits until the referrer has left
// its bridge.
const parkLimit = 2 * time.Second

// outcome tells the referrer, which is parked by then, how the transfer of its partner went.
func (r *referral) outcome(partner *call.Channel, ok bool, parked <-chan struct{}) {
	switch {
	case ok:
		r.notify(fragOK)
		r.ch.Hangup(call.CauseBlindTransfer)
	case !partner.Up():
		r.notify(fragTerminated)
		r.ch.Hangup(call.CauseBlindTransfer)
	default:
		fragment := fragForbidden
		if status := partner.Get(failureStatus); status != "" {
			fragment = "SIP/2.0 " + clean(status+" "+partner.Get(failurePhrase)) + "\r\n"
		}
		r.notify(fragment)
		limit := time.NewTimer(parkLimit)
		defer limit.Stop()
		select {
		case <-parked:
		case <-r.ch.Context().Done():
			return
		case <-limit.C: // somebody took it elsewhere
			r.ch.AfterBridge(nil)
			return
		}
		if err := r.ch.Transfer("intercept:"+partner.UUID(), "inline", ""); err != nil && r.ch.Up() {
			r.errored(err.Error())
		}
	}
}

// follow lets the recordings of a leg that is to end go on with the one that stays.
func (r *referral) follow(leg, stays *call.Channel) {
	if leg.True("recording_follow_transfer") {
		leg.HandOverRecordings(stays)
	}
}

func (r *referral) errored(text string) {
	r.ch.Log(call.LogErr, "%s", text)
	e := event.New(event.Custom, "sofia::error")
	r.ch.AddTo(e)
	e.Add("Reason", text)
	r.leg.profile.publish(e)
}

// transferEvent fires transferor, transferee and replaced where the profile asks
// for them.
func (l *leg) transferEvent(subclass string, ch *call.Channel, destination string) {
	if !l.profile.settings().fireTransfer || !l.profile.wanted(subclass) {
		return
	}
	e := event.New(event.Custom, subclass)
	ch.AddTo(e)
	e.Add("att_xfer_destination_number", destination)
	l.profile.publish(e)
}

// dialogID is what Replaces names.
type dialogID struct {
	callID, toTag, fromTag string
	early                  bool
}

// parseReplaces reads CALLID;to-tag=…;from-tag=…[;early-only].
func parseReplaces(v string) (d dialogID, ok bool) {
	parts := strings.Split(v, ";")
	d.callID = strings.TrimSpace(parts[0])
	for _, p := range parts[1:] {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		switch strings.ToLower(name) {
		case "to-tag":
			d.toTag = value
		case "from-tag":
			d.fromTag = value
		case "early-only":
			d.early = true
		}
	}
	return d, d.callID != "" && len(v) <= maxURI
}

// find is the leg of a dialog as its far end names it.
func (s *Stack) find(d dialogID) *leg {
	for _, local := range []string{d.toTag, d.fromTag} {
		l := s.findLeg(d.callID, local)
		if l == nil {
			continue
		}
		other := d.fromTag
		if local == d.fromTag {
			other = d.toTag
		}
		l.mu.Lock()
		match := l.remoteTag == other || l.remoteTag == ""
		l.mu.Unlock()
		if match {
			return l
		}
	}
	return nil
}

// attended joins the partners of two calls of the referrer's, or calls a dialog
// that is elsewhere.
func (r *referral) attended(replaces string) {
	d, ok := parseReplaces(replaces)
	if !ok {
		r.notify(fragForbidden)
		return
	}
	other := r.leg.profile.stack.find(d)
	if other == nil {
		r.elsewhere(replaces)
		return
	}
	second := other.channel()
	if second == nil || second == r.ch {
		r.notify(fragForbidden)
		return
	}
	first, target := r.ch.Partner(), second.Partner()
	r.ch.SetPlain("endpoint_disposition", "ATTENDED_TRANSFER")
	second.SetPlain("endpoint_disposition", "ATTENDED_TRANSFER")
	ready := first != nil && first.MediaReady() || target != nil && target.MediaReady()
	if !ready {
		r.notify(fragForbidden)
		r.errored("Cannot Attended Transfer Unanswered Channels")
		return
	}
	// Told first: joining the partners ends the referrer's calls.
	r.notify(fragOK)
	var err error
	switch {
	case first != nil && target != nil:
		r.ch.SetPlain("transfer_to", "att:"+target.UUID())
		r.ch.SetPlain("transfer_destination", "att:"+target.UUID())
		r.follow(r.ch, first)
		r.follow(second, target)
		err = first.BridgeWith(target)
	case target != nil:
		// We are an IVR: its session goes on with the transferee's partner.
		r.follow(second, target)
		err = r.swap(target, r.ch)
	default:
		// The second call is with an IVR.
		r.follow(r.ch, first)
		err = r.swap(first, second)
	}
	if err != nil {
		r.errored("Cannot Attended Transfer: " + err.Error())
		return
	}
	r.leg.transferEvent("sofia::transferor", r.ch, unescape(r.to.uri.User))
	r.ch.Hangup(call.CauseAttendedTransfer)
	second.Hangup(call.CauseAttendedTransfer)
}

// swap lets stays run what app runs now: the extension that app was in is begun
// anew for stays, since a running application cannot change its channel.
func (r *referral) swap(stays, app *call.Channel) error {
	p := app.Profile()
	if app.Outbound() || p.Destination == "" {
		return call.ErrNotReady
	}
	return stays.Transfer(p.Destination, p.Dialplan, p.Context)
}

// elsewhere calls the Refer-To with its Replaces and joins the partner with it.
func (r *referral) elsewhere(replaces string) {
	partner := r.ch.Partner()
	if partner == nil {
		r.notify(fragForbidden)
		r.errored("Cannot Attended Transfer 1 Legged calls")
		return
	}
	uri := r.to.uri
	uri.Headers = nil
	if !plainTarget(replaces) || !plainTarget(strings.NewReplacer("[", "", "]", "").Replace(uri.String())) || strings.ContainsAny(uri.User, "[]") {
		r.notify(fragForbidden)
		r.errored("Cannot Attended Transfer: Refer-To has characters that no dial string can carry")
		return
	}
	partner.SetPlain("sip_h_Referred-By", r.by)
	dial := "{sip_h_Replaces=" + strings.ReplaceAll(replaces, ",", `\,`) + "}sofia/" + r.leg.profile.name + "/" + uri.String()
	partner.SetPlain("transfer_to", "att:"+uri.String())
	ext := &call.Extension{Name: "attended transfer", Actions: []call.Action{{App: "bridge", Data: dial}}}
	if err := partner.TransferTo(ext); err != nil {
		r.notify(fragForbidden)
		return
	}
	r.notify(fragOK)
	if r.ch.Up() {
		r.ch.Hangup(call.CauseAttendedTransfer)
	}
}

// plainTarget reports whether a far end's text says the same in a dial string: it can
// neither end a part of it, nor begin another leg, nor be expanded.
func plainTarget(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("${}[]|,^<>'\"`\\", c) >= 0 {
			return false
		}
	}
	return s != ""
}

// replacedBy finds the call that an INVITE's Replaces names. ok is false if it
// names one that is not here.
func (p *Profile) replacedBy(req *wire.Request) (l *leg, ok bool) {
	value := header(req, "Replaces")
	if value == "" {
		return nil, true
	}
	d, good := parseReplaces(value)
	if !good {
		return nil, false
	}
	l = p.stack.find(d)
	return l, l != nil
}

// takeOver lets the new call take the place of the replaced one.
func (l *leg) takeOver(ch *call.Channel, replaced *leg) error {
	old := replaced.channel()
	if old == nil || !old.Up() {
		return call.CauseInvalidMsgUnspecified
	}
	replaced.mu.Lock()
	early := replaced.state < legAnswered
	replaced.mu.Unlock()
	partner := old.Partner()
	dial := ""
	switch {
	case partner != nil:
		dial = "intercept"
	case early && old.Outbound():
		dial = "pickup"
	}
	switch dial {
	case "intercept":
		ext := &call.Extension{Name: "replaces", Actions: []call.Action{{App: "answer"}, {App: "intercept", Data: partner.UUID()}}}
		l.transferEvent("sofia::replaced", ch, partner.UUID())
		return ch.TransferTo(ext)
	case "pickup":
		ext := &call.Extension{Name: "replaces", Actions: []call.Action{{App: "answer"}, {App: "intercept", Data: old.UUID()}}}
		return ch.TransferTo(ext)
	}
	// The replaced call is with an IVR: its extension begins anew here.
	p := old.Profile()
	ch.UpdateProfile(func(q *call.Profile) {
		q.Destination, q.Dialplan, q.Context = p.Destination, p.Dialplan, p.Context
	})
	old.Hangup(call.CauseAttendedTransfer)
	return nil
}

// deflectLimit bounds how long Deflect waits for the far end's NOTIFY.
const deflectLimit = 60 * time.Second

// Deflect sends the far end elsewhere by REFER after the answer and returns what
// its NOTIFY says.
func (l *leg) Deflect(ctx context.Context, to string) (string, error) {
	ch := l.channel()
	if !strings.HasPrefix(to, "sip:") && !strings.HasPrefix(to, "sips:") && !strings.Contains(to, "<") {
		if strings.Contains(to, "@") {
			to = "sip:" + to
		} else {
			to = "sip:" + escapeUser(to) + "@" + l.profile.host(l.peerAddr())
		}
	}
	if !strings.Contains(to, "<") {
		to = "<" + to + ">"
	}
	reply := make(chan string, 4)
	l.mu.Lock()
	if l.state < legAnswered || l.state == legEnded {
		l.mu.Unlock()
		return "", call.ErrNotReady
	}
	l.refer = reply
	contact := l.contact
	l.mu.Unlock()
	req := l.request(wire.REFER)
	put(req, field{"Refer-To", to}, field{"Referred-By", contact})
	setBody(req, "", nil)
	refused := make(chan string, 1)
	l.profile.transact(req, nil, func(res *wire.Response, err error) {
		switch {
		case res == nil:
			refused <- "SIP/2.0 408 Request Timeout"
		case res.StatusCode >= 300:
			refused <- "SIP/2.0 " + strconv.Itoa(res.StatusCode) + " " + res.Reason
		}
	})
	text := "no reply"
	limit := time.NewTimer(deflectLimit)
	defer limit.Stop()
wait:
	for {
		select {
		case text = <-reply:
			if !strings.HasPrefix(text, "SIP/2.0 1") {
				break wait
			}
		case text = <-refused:
			break wait
		case <-limit.C:
			break wait
		case <-ctx.Done():
			break wait
		}
	}
	ch.SetPlain("sip_refer_reply", text)
	ch.Hangup(call.CauseBlindTransfer)
	return text, nil
}

// referred hands the text of a NOTIFY to a Deflect that waits for it.
func (l *leg) referred(fragment string) {
	l.mu.Lock()
	reply := l.refer
	l.mu.Unlock()
	if reply == nil {
		return
	}
	line, _, _ := strings.Cut(fragment, "\r\n")
	select {
	case reply <- clip(line, 256):
	default:
	}
}
