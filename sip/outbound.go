package sip

import (
	"context"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"

	wire "github.com/emiago/sipgo/sip"

	"github.com/switchlet/switchlet/call"
)

// sendInvite sends the call out (spec/sip.md §6.2).
func (l *leg) sendInvite(ctx context.Context, ch *call.Channel) error {
	l.mu.Lock()
	l.peer = addrOf(l.target.next)
	l.mu.Unlock()
	l.shapeTarget(ch)
	body, err := l.makeOffer(ch)
	if err != nil {
		return err
	}
	l.shapeAddresses(ch)
	req := l.buildInvite(ch, body)
	l.mu.Lock()
	l.invite = req
	l.mu.Unlock()
	ch.SetPlain("sip_call_id", l.callID)
	l.dispatch(ch, req)
	return nil
}

// dispatch sends an INVITE and follows what comes of it.
func (l *leg) dispatch(ch *call.Channel, req *wire.Request) {
	l.profile.transact(req, func(res *wire.Response) { l.repeated(ch, req, res) },
		func(res *wire.Response, err error) { l.outcome(ch, req, res, err) })
}

// shapeTarget applies the variables about Request-URI, route and transport.
func (l *leg) shapeTarget(ch *call.Channel) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := &l.target
	if v := ch.Get("sip_transport"); v != "" && !t.uri.UriParams.Has("transport") {
		t.transport = strings.ToLower(v)
		t.uri.UriParams = append(t.uri.UriParams, wire.HeaderKV{K: "transport", V: t.transport})
	}
	if v := ch.Get("sip_invite_req_uri"); v != "" {
		if u, err := parseURI(v); err == nil {
			t.uri = u
		}
	}
	if v := strings.TrimPrefix(ch.Get("sip_invite_params"), ";"); v != "" {
		if u, err := parseURI(t.uri.String() + ";" + v); err == nil {
			t.uri = u
		}
	}
	if v := strings.TrimPrefix(ch.Get("sip_invite_tel_params"), ";"); v != "" && t.uri.User != "" {
		t.uri.User += ";" + escapeUser(v)
	}
	for _, name := range []string{"sip_route_uri", "sip_invite_route_uri"} {
		if v := ch.Get(name); v != "" && !strings.ContainsAny(v, "\r\n") {
			if !strings.Contains(v, "<") {
				v = "<" + v + ">"
			}
			t.route, t.next = []string{v}, ""
		}
	}
	if len(t.route) == 0 && l.gateway == nil && l.profile.settings().outboundProxy != "" {
		t.route, t.next = []string{bracketed(l.profile.settings().outboundProxy)}, ""
	}
	if t.next != "" {
		l.peer = addrOf(t.next)
	}
}

// bracketed makes a Route value of a URI or host.
func bracketed(s string) string {
	if strings.Contains(s, "<") {
		return s
	}
	if !strings.HasPrefix(s, "sip:") && !strings.HasPrefix(s, "sips:") {
		s = "sip:" + s
	}
	if !strings.Contains(s, ";lr") {
		s += ";lr"
	}
	return "<" + s + ">"
}

// shapeAddresses makes From, To and Contact.
func (l *leg) shapeAddresses(ch *call.Channel) {
	p, gw := l.profile, l.gateway
	profile := ch.Profile()
	number, name := profile.CallerNumber, profile.CallerName
	host := p.host(l.peer)
	user := number
	if gw != nil {
		host = or(gw.set.fromDomain, host)
		if !gw.set.callerIDInFrom {
			user = gw.set.fromUser
		}
	}
	if v := ch.Get("sip_invite_domain"); v != "" {
		host = v
	}
	if user == "" {
		user = "0000000000"
	}
	uri := "sip:" + escapeUser(user) + "@" + host
	for _, v := range []string{ch.Get("sip_from_uri"), ch.Get("sip_invite_from_uri")} {
		if v != "" {
			uri = v
			if !strings.HasPrefix(v, "sip:") && !strings.HasPrefix(v, "sips:") {
				uri = "sip:" + v
			}
		}
	}
	if v := strings.TrimPrefix(ch.Get("sip_invite_from_params"), ";"); v != "" {
		uri += ";" + v
	}
	shown := name
	if v := ch.Get("sip_from_display"); v != "" {
		shown = v
	}
	if shown == "_undef_" {
		shown = ""
	}
	from := quoted(shown) + "<" + uri + ">"
	if v := ch.Get("sip_force_full_from"); v != "" {
		from = v
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	toURI := l.target.uri
	toURI.UriParams, toURI.Headers = nil, nil
	if v := ch.Get("sip_invite_to_user"); v != "" {
		toURI.User = escapeUser(v)
	}
	to := "<" + toURI.String() + ">"
	if v := ch.Get("sip_invite_to_uri"); v != "" {
		to = "<" + strings.Trim(v, "<>") + ">"
	}
	if v := strings.TrimPrefix(ch.Get("sip_invite_to_params"), ";"); v != "" {
		to += ";" + v
	}
	if v := ch.Get("sip_force_full_to"); v != "" {
		to = v
	}
	l.local, l.remote = clean(from)+";tag="+l.localTag, clean(to)
	l.contact = l.contactFor(ch)
}

// contactFor is our Contact of an outbound call.
func (l *leg) contactFor(ch *call.Channel) string {
	user, params := l.profile.settings().contactUser, ""
	if l.gateway != nil {
		user, params = l.gateway.contactUser(), l.gateway.contactParams()
	}
	if v := ch.Get("sip_contact_user"); v != "" && l.gateway == nil {
		user = escapeUser(v)
	}
	if v := strings.TrimPrefix(ch.Get("sip_invite_contact_params"), ";"); v != "" {
		params += ";" + clean(v)
	}
	return l.profile.contact(user, params, l.peer, l.target.transport)
}

// buildInvite writes the INVITE with its headers in FreeSWITCH's order.
func (l *leg) buildInvite(ch *call.Channel, body []byte) *wire.Request {
	p, s := l.profile, l.profile.settings()
	forwards := 70
	if n, err := strconv.Atoi(ch.Get("max_forwards")); err == nil && n > 0 && n <= 255 {
		forwards = n
	}
	l.mu.Lock()
	l.seq++
	t, seq, local, remote, contact := l.target, l.seq, l.local, l.remote, l.contact
	l.astray = l.gateway != nil && len(t.route) == 0 && !l.gateway.home(t.uri.Host)
	l.mu.Unlock()
	req := p.newRequest(wire.INVITE, &t, local, remote, l.callID, seq, forwards)
	put(req, field{"Contact", contact})
	p.identify(req)
	put(req, field{"Allow-Events", s.events()}, field{"Alert-Info", ch.Get("alert_info")})
	l.sessionTimerOffer(ch, req)
	setOffer(req, ch, body)
	l.customHeaders(ch, req)
	if s.passCalleeID {
		put(req, field{"X-FS-Support", "update_display,send_info"})
	}
	l.callerIdentity(ch, req)
	return req
}

// customHeaders adds what the sip_h_ variables ask for.
func (l *leg) customHeaders(ch *call.Channel, req *wire.Request) {
	var except *regexp.Regexp
	if v := ch.Get("exclude_outgoing_extra_header"); v != "" {
		except, _ = regexp.Compile(v)
	}
	for _, v := range ch.Vars().All() {
		if len(v.Name) <= 6 || !strings.EqualFold(v.Name[:6], "sip_h_") || except != nil && except.MatchString(v.Name) {
			continue
		}
		if name := v.Name[6:]; headerName(name) && !ownHeader(name) {
			put(req, field{or(wellKnown[strings.ToLower(name)], name), v.Value})
		}
	}
}

// wellKnown are headers that variables name in small letters.
var wellKnown = map[string]string{"identity": "Identity", "date": "Date"}

// ownHeader reports whether a header is ours alone to write.
func ownHeader(name string) bool {
	switch strings.ToLower(name) {
	case "via", "v", "from", "f", "to", "t", "call-id", "i", "cseq", "content-length", "l", "content-type", "c", "max-forwards", "contact", "m", "route", "record-route":
		return true
	}
	return false
}

// callerIdentity adds Remote-Party-ID or P-Asserted-Identity.
func (l *leg) callerIdentity(ch *call.Channel, req *wire.Request) {
	s := l.profile.settings()
	profile := ch.Profile()
	if profile.CallerNumber == "" {
		return
	}
	name := profile.CallerName
	if name == "_undef_" {
		name = ""
	}
	address := quoted(name) + "<sip:" + escapeUser(profile.CallerNumber) + "@" + or(ch.Get("sip_invite_domain"), l.domainOf()) + ">"
	hide := profile.HideName || profile.HideNumber
	switch or(ch.Get("sip_cid_type"), s.callerIDType) {
	case "none":
	case "pid":
		header := "P-Asserted-Identity"
		if !profile.ScreenBit {
			header = "P-Preferred-Identity"
		}
		put(req, field{header, address})
		if hide {
			put(req, field{"Privacy", "id"})
		} else if !ch.True("sip_cid_suppress_privacy_none") {
			put(req, field{"Privacy", "none"})
		}
	default:
		privacy, screen := "off", "yes"
		switch {
		case profile.HideName && profile.HideNumber, profile.HideNumber:
			privacy = "full"
		case profile.HideName:
			privacy = "name"
		}
		put(req, field{"Remote-Party-ID", address + ";party=calling;screen=" + screen + ";privacy=" + privacy})
	}
}

// domainOf is the host of our From.
func (l *leg) domainOf() string {
	l.mu.Lock()
	local := l.local
	l.mu.Unlock()
	if a, err := parseNameAddr(local); err == nil && a.uri.Host != "" {
		return a.uri.Host
	}
	return l.profile.host(l.peerAddr())
}

// begun waits until the channel's events say that there is a call (call.Channel.Settled):
// a far end close by can answer before that. It waits no longer than limit, since the
// channel's hunt for an extension may take as long as it likes.
func begun(ch *call.Channel, limit time.Duration) {
	if ch.Settled() {
		return
	}
	changed := make(chan struct{}, 1)
	defer ch.Notify(changed)()
	over := time.NewTimer(limit)
	defer over.Stop()
	for !ch.Settled() {
		select {
		case <-changed:
		case <-over.C:
			return
		case <-ch.Context().Done():
			return
		}
	}
}

// outcome follows a response to our INVITE, or its failure.
func (l *leg) outcome(ch *call.Channel, req *wire.Request, res *wire.Response, err error) {
	begun(ch, l.profile.stack.beginLimit)
	if res == nil {
		l.lost(ch, err)
		return
	}
	if res.StatusCode < 400 {
		l.tellFailure(ch, "", "")
	}
	switch {
	case res.StatusCode < 200:
		l.progressed(ch, req, res)
	case res.StatusCode < 300:
		l.accepted(ch, req, res)
	case res.StatusCode == 401 || res.StatusCode == 407:
		if !l.challenged(ch, req, res) {
			l.failed(ch, res.StatusCode, res.Reason, res)
		}
	case res.StatusCode == 422 && l.retryTimer(ch, req, res):
	case res.StatusCode < 400 && l.redirectedTo(ch, res):
	default:
		l.failed(ch, res.StatusCode, res.Reason, res)
	}
}

// lost ends a call whose INVITE nobody answered.
func (l *leg) lost(ch *call.Channel, err error) {
	status := 503
	if errors.Is(err, wire.ErrTransactionTimeout) {
		status = 408
	}
	ch.Log(call.LogDebug, "sip: %s: %v", ch.Name(), err)
	l.failed(ch, status, phrase(status), nil)
}

// failed ends a call that was refused.
func (l *leg) failed(ch *call.Channel, status int, reason string, res *wire.Response) {
	cause := causeOf(status)
	text := ""
	if res != nil {
		text = header(res, "Reason")
		if c, ok := reasonCause(text, l.profile.settings().userInfo); ok && !ch.True("ignore_q850_reason") {
			cause = c
		}
		l.learnResponse(ch, res)
	}
	l.mu.Lock()
	ended := l.state == legEnded
	l.state = legEnded
	l.mu.Unlock()
	if ended {
		return
	}
	l.profile.counters.failedOut.Add(1)
	ch.SetPlain(failureStatus, strconv.Itoa(status))
	ch.SetPlain(failurePhrase, reason)
	l.tellFailure(ch, strconv.Itoa(status), reason)
	l.terminate(termination{disposition: "recv_refuse", status: status, phrase: reason, cause: cause, reason: text})
	ch.Hangup(cause)
}

// Variables that say how an INVITE was refused, of the leg and of who calls it.
const (
	failureStatus = "sip_invite_failure_status"
	failurePhrase = "sip_invite_failure_phrase"
)

// tellFailure tells who calls how the INVITE was refused, "" that it was not.
func (l *leg) tellFailure(ch *call.Channel, status, reason string) {
	if a := l.originator(ch); a != nil && a.Get(failureStatus) != status {
		a.SetPlain(failureStatus, status)
		a.SetPlain(failurePhrase, reason)
	}
}

// learnResponse takes the X- headers of a response, which the caller's answers carry, too.
func (l *leg) learnResponse(ch *call.Channel, res *wire.Response) {
	var v varList
	v.headers(res)
	prefix := "sip_rh_"
	if res.StatusCode < 200 {
		prefix = "sip_ph_"
	}
	var to *call.Channel
	if res.StatusCode != 401 && res.StatusCode != 407 && copies(ch) {
		to = l.originator(ch)
	}
	for _, x := range v {
		name := prefix + strings.TrimPrefix(x.Name, "sip_h_")
		ch.SetPlain(name, x.Value)
		if to != nil {
			to.SetPlain(name, x.Value)
		}
	}
}

// progressed takes a 1xx.
func (l *leg) progressed(ch *call.Channel, req *wire.Request, res *wire.Response) {
	l.mu.Lock()
	first := !l.provisional
	l.provisional = true
	cancel := l.cancelled && first
	ended := l.state == legEnded
	l.mu.Unlock()
	if cancel {
		l.sendCancel(ch, req)
		return
	}
	if ended || res.StatusCode == 100 || !l.inOrder(ch, req, res) {
		return
	}
	l.learnResponse(ch, res)
	l.learnCallee(ch, res)
	if body := sdpOf(res); body != nil {
		l.earlyMedia(ch, res, body)
		return
	}
	if res.StatusCode >= 180 {
		l.mu.Lock()
		l.state = max(l.state, legRinging)
		l.mu.Unlock()
		ch.MarkRinging()
	}
}

// learnCallee takes the identity of whom we called, for displays and events.
func (l *leg) learnCallee(ch *call.Channel, res *wire.Response) {
	value := or(header(res, "P-Asserted-Identity"), header(res, "Remote-Party-ID"))
	a, err := parseNameAddr(value)
	if value == "" || err != nil || a.uri.User == "" {
		return
	}
	number := unescape(a.uri.User)
	ch.UpdateProfile(func(p *call.Profile) { p.CalleeName, p.CalleeNumber = or(a.display, number), number })
}

// earlyMedia takes the SDP of a 1xx. A later early dialog replaces an earlier one.
func (l *leg) earlyMedia(ch *call.Channel, res *wire.Response, body []byte) {
	t := tag(res.To().Params)
	l.mu.Lock()
	again := l.sound.agreed && l.early.tag == t
	l.mu.Unlock()
	if !again {
		if err := l.takeAnswer(ch, body); err != nil {
			ch.Hangup(call.CauseIncompatibleDestination)
			return
		}
		ch.SetPlain("switch_r_sdp", string(body))
		l.attach(ch)
	}
	l.mu.Lock()
	l.early.tag = t
	if !again && len(l.early.told) < maxEarly {
		if l.early.told == nil {
			l.early.told = make(map[string][]byte)
		}
		l.early.told[t] = body
	}
	l.state = max(l.state, legEarly)
	l.mu.Unlock()
	if res.StatusCode == 180 {
		ch.MarkRinging()
	}
	ch.MarkEarly()
}

// accepted takes the 2xx.
func (l *leg) accepted(ch *call.Channel, req *wire.Request, res *wire.Response) {
	ended := l.establish(req, res)
	ack := l.acknowledge(req, res)
	l.mu.Lock()
	l.ack = ack
	l.mu.Unlock()
	if err := l.profile.sendACK(ack); err != nil {
		ch.Log(call.LogWarning, "sip: ACK: %v", err)
	}
	if ended {
		// The call was taken back while the answer was on its way.
		l.sendBye(ch, ch.Cause())
		return
	}
	l.learnResponse(ch, res)
	l.learnCallee(ch, res)
	t := tag(res.To().Params)
	l.mu.Lock()
	known := l.sound.agreed && l.early.tag == t
	body := sdpOf(res)
	if len(body) == 0 {
		body = l.early.told[t]
	}
	l.early.told = nil
	l.mu.Unlock()
	if len(body) > 0 && !known {
		ch.SetPlain("switch_r_sdp", string(body))
		if err := l.takeAnswer(ch, body); err != nil {
			ch.Hangup(call.CauseIncompatibleDestination)
			return
		}
		l.attach(ch)
	} else if !known && !l.hasMedia() {
		ch.SetPlain("endpoint_disposition", "NO CODECS")
		ch.Hangup(call.CauseIncompatibleDestination)
		return
	}
	ch.SetPlain("sip_to_tag", t)
	l.timerAccepted(res)
	ch.MarkAnswered()
}

func (l *leg) hasMedia() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sound.agreed
}

// establish completes the dialog from a 2xx and reports whether the leg is over.
func (l *leg) establish(req *wire.Request, res *wire.Response) (ended bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.remoteTag = tag(res.To().Params)
	l.remote = res.To().Value()
	l.target.learn(res)
	ended = l.state == legEnded
	if !ended {
		l.state = legConfirmed
	}
	return ended
}

// learn takes the remote target and the route set from a response. A far end behind
// NAT is reached the way the INVITE went.
func (t *target) learn(res *wire.Response) {
	if rr := res.GetHeaders("Record-Route"); len(rr) > 0 {
		t.route = nil
		for i := len(rr) - 1; i >= 0; i-- {
			t.route = append(t.route, rr[i].Value())
		}
		t.next = ""
	}
	c := res.Contact()
	if c == nil || c.Address.Wildcard || c.Address.Host == "" {
		return
	}
	before := t.uri
	t.uri = *c.Address.Clone()
	if len(t.route) > 0 {
		return
	}
	sent := addrOf(uriDestination(&before))
	natted := t.next != "" && t.next != uriDestination(&before)
	private := addrOf(c.Address.Host)
	if natted || t.transport != "udp" || private.IsValid() && private.IsPrivate() && sent.IsValid() && !sent.IsPrivate() && !sent.IsLoopback() {
		if t.next == "" {
			t.next = uriDestination(&before)
		}
		return
	}
	t.next = ""
}

// acknowledge builds the ACK of a 2xx.
func (l *leg) acknowledge(req *wire.Request, res *wire.Response) *wire.Request {
	l.mu.Lock()
	t, local, contact := l.target, l.local, l.contact
	l.mu.Unlock()
	ack := l.build(wire.ACK, &t, local, res.To().Value(), req.CSeq().SeqNo, contact)
	for _, name := range []string{"Authorization", "Proxy-Authorization"} {
		if v := header(req, name); v != "" {
			put(ack, field{name, v})
		}
	}
	setBody(ack, "", nil)
	return ack
}

// repeated takes a 2xx that comes again: the ACK was lost. One of another fork is
// acknowledged and ended.
func (l *leg) repeated(ch *call.Channel, req *wire.Request, res *wire.Response) {
	l.mu.Lock()
	ack, mine := l.ack, tag(res.To().Params) == l.remoteTag
	l.mu.Unlock()
	if mine {
		if ack != nil {
			l.profile.sendACK(ack)
		}
		return
	}
	l.profile.background(func(context.Context) {
		l.profile.sendACK(l.acknowledge(req, res))
		l.mu.Lock()
		t, local, contact := l.target, l.local, l.contact
		l.seq++
		seq := l.seq
		l.mu.Unlock()
		if c := res.Contact(); c != nil {
			t.uri, t.next, t.route = *c.Address.Clone(), "", nil
		}
		bye := l.build(wire.BYE, &t, local, res.To().Value(), seq, contact)
		setBody(bye, "", nil)
		l.profile.transact(bye, nil, func(*wire.Response, error) {})
	})
}

// cancel takes our INVITE back, as soon as the far end has said anything.
func (l *leg) cancel(ch *call.Channel, cause call.Cause) {
	l.mu.Lock()
	now := l.provisional
	l.cancelled = true
	req := l.invite
	l.mu.Unlock()
	if now && req != nil {
		l.sendCancel(ch, req)
	}
}

func (l *leg) sendCancel(ch *call.Channel, invite *wire.Request) {
	l.mu.Lock()
	t := l.target
	l.mu.Unlock()
	t.uri = *invite.Recipient.Clone()
	t.next = invite.Destination()
	req := l.profile.newRequest(wire.CANCEL, &t, invite.From().Value(), invite.To().Value(), l.callID, invite.CSeq().SeqNo, 70)
	req.RemoveHeader("Via")
	req.PrependHeader(invite.Via().Clone())
	put(req, field{"Reason", l.reasonFor(ch, ch.Cause())})
	putPrefixed(req, ch, "sip_bye_h_")
	setBody(req, "", nil)
	l.profile.transact(req, nil, func(*wire.Response, error) {})
	// Who says nothing more is not waited for (RFC 3261 §9.1): a phone was switched off.
	p, branch := l.profile, param(invite.Via().Params, "branch")
	time.AfterFunc(p.settings().patience, func() { p.giveUp(branch) })
}
