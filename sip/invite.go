package sip

import (
	"context"
	"strings"
	"time"

	wire "github.com/emiago/sipgo/sip"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/media/sdp"
)

// invite turns a new INVITE into a channel (spec/sip.md §2.1).
func (p *Profile) invite(ctx context.Context, req *wire.Request, tx *wire.ServerTx) {
	localTag := tag(req.To().Params)
	kept := false
	defer func() {
		// What is refused before there is a call is forgotten at once: a repeated
		// INVITE is refused again, and strangers leave nothing behind.
		if !kept {
			tx.Terminate()
		}
	}()
	sw := p.stack.Switch
	source := sourceOf(req)
	s := p.settings()
	full := sw.Limits.Full(true) || !sw.Running() || s.maxProceeding > 0 && p.calls.Load() >= int64(s.maxProceeding)
	if full || !p.stack.dialogs.enter(source.Addr(), p.stack.Limits.Dialogs) {
		p.counters.failedIn.Add(1)
		p.respond(req, tx, 503, "Maximum Calls In Progress", field{"Retry-After", "300"})
		return
	}
	defer func() {
		if !kept {
			p.stack.dialogs.leave(source.Addr())
		}
	}()
	if req.Contact() == nil || req.Contact().Address.Wildcard {
		p.respond(req, tx, 400, "Missing Contact Header")
		return
	}
	if s.tooShort(req) {
		p.refuseShort(req, tx)
		return
	}
	g := p.admitCall(ctx, req)
	if g.verdict != admitted {
		p.deny(req, tx, g, 407)
		if g.verdict == forbidden {
			p.counters.failedIn.Add(1)
			if p.wanted("sofia::register_failure") {
				p.authFailed(req, "INVITE")
			}
		}
		return
	}
	trying := p.reply(req, 100, "Trying")
	put(trying, field{"User-Agent", s.agent})
	setBody(trying, "", nil)
	p.send(tx, trying)

	l := p.inboundLeg(req, tx, localTag)
	if g.sent && g.user != nil {
		l.username = g.auth.username
	}
	var offer *sdp.Session
	body := sdpOf(req)
	if body != nil {
		var err error
		if offer, err = sdp.Parse(body); err != nil {
			p.counters.failedIn.Add(1)
			p.respond(req, tx, 400, "Bad Session Description")
			return
		}
	}
	replaced, ok := p.replacedBy(req)
	if !ok {
		p.respond(req, tx, 481, "Call Does Not Exist")
		return
	}
	l.replaces = replaced
	o := p.channelOptions(l, req, g, offer)
	ch, err := sw.NewChannel(l, o)
	if err != nil {
		p.counters.failedIn.Add(1)
		p.respond(req, tx, 503, "Maximum Calls In Progress", field{"Retry-After", "300"})
		return
	}
	kept = true
	l.source = source.Addr()
	l.mu.Lock()
	l.ch = ch
	l.sound.offer, l.sound.text = offer, string(body)
	l.mu.Unlock()
	p.stack.addLeg(l)
	p.calls.Add(1)
	p.counters.callsIn.Add(1)
	if l.gateway != nil {
		l.gateway.callsIn.Add(1)
	}
	// The transaction outlives the call by 32 s: it must not hold the leg.
	stack, callID := p.stack, l.callID
	tx.OnCancel(func(r *wire.Request) {
		if l := stack.findLeg(callID, localTag); l != nil {
			l.cancelledBy(l.channel(), r)
		}
	})
	ch.Start()
}

// inboundLeg makes the leg of an INVITE.
func (p *Profile) inboundLeg(req *wire.Request, tx *wire.ServerTx, localTag string) *leg {
	transport := strings.ToLower(req.Transport())
	source := sourceOf(req)
	l := &leg{profile: p, callID: req.CallID().Value(), localTag: localTag, started: time.Now(),
		invite: req, tx: tx, peer: source.Addr(), remoteTag: tag(req.From().Params),
		remoteSeq: req.CSeq().SeqNo, handled: req.CSeq().SeqNo}
	l.assured.want = p.assuranceOf(req)
	l.local = req.To().Value()
	l.remote = req.From().Value()
	l.target = target{uri: *req.Contact().Address.Clone(), transport: transport}
	for _, h := range req.GetHeaders("Record-Route") {
		l.target.route = append(l.target.route, h.Value())
	}
	if len(l.target.route) == 0 && (transport != "udp" || p.inviteNAT(req)) {
		// The far end is reached the way it came.
		l.target.next = req.Source()
	}
	l.contact = p.contact(or(escapeUser(req.To().Address.User), p.settings().contactUser), ";transport="+transport, source.Addr(), "udp")
	return l
}

// inviteNAT reports whether the caller is behind NAT (spec/sip.md §4.3).
func (p *Profile) inviteNAT(req *wire.Request) bool {
	s := p.settings()
	source := sourceOf(req)
	via := req.Via()
	if s.aggressiveNAT && viaDiffers(via, source) {
		return true
	}
	host := addrOf(via.Host)
	for _, list := range s.natACL {
		if host.IsValid() && p.stack.inList(host, list) && !p.stack.inList(source.Addr(), list) {
			return true
		}
	}
	return false
}

// channelOptions describe the channel of an INVITE.
func (p *Profile) channelOptions(l *leg, req *wire.Request, g grant, offer *sdp.Session) call.NewChannelOptions {
	s := p.settings()
	from := req.From()
	number, name, hide := p.callerOf(req)
	destination := unescape(req.Recipient.User)
	if raw := req.Recipient.Raw(); raw != "" {
		destination, _, _ = strings.Cut(raw, ";")
	}
	if destination == "" {
		destination = or(unescape(req.To().Address.User), or(unescape(from.Address.User), "service"))
	}
	if s.fullID {
		destination = uriAddress(&req.Recipient)
	}
	profile := call.Profile{
		Username: or(unescape(from.Address.User), "nobody"), Dialplan: s.dialplan, Context: s.context,
		CallerName: name, CallerNumber: number, ANI: number, NetworkAddr: sourceOf(req).Addr().String(),
		Destination: destination, HideName: hide.name, HideNumber: hide.number, ScreenBit: true,
	}
	if s.context == "_domain_" {
		profile.Context = from.Address.Host
	}
	vars := p.inviteVars(l, req, g, offer)
	if gw := p.gatewayOf(req); gw != nil {
		l.gateway = gw
		profile.Context = or(gw.set.context, profile.Context)
		profile.Destination = gw.destination(req, destination)
		vars = append(vars, call.Var{Name: "sip_gateway", Value: gw.name})
		vars = append(vars, gw.set.variables("inbound")...)
	}
	for _, v := range vars {
		if v.Name == "user_context" && v.Value != "" {
			profile.Context = v.Value
		}
	}
	if g.context != "" {
		profile.Context = g.context
	}
	name = "sofia/" + p.name + "/" + channelUser(from)
	o := call.NewChannelOptions{Name: name, Module: "mod_sofia", Profile: profile, Vars: vars}
	if id := req.CallID().Value(); s.callIDAsUUID && plainID(id) {
		o.UUID = id
	}
	if g.user != nil {
		account := g.user.Variables.Get("accountcode")
		o.Profile.Soft = profileVars(g)
		if account != "" {
			o.Profile.Soft = append(o.Profile.Soft, call.Var{Name: "accountcode", Value: account})
		}
	}
	return o
}

// plainID reports whether a caller's word can stand for a call wherever a UUID does,
// names of files and arguments of commands among them.
func plainID(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte("-_.@:+~", c) >= 0) {
			return false
		}
	}
	return s != "" && !strings.Contains(s, "..")
}

// profileVars are the profile-variables of the user.
func profileVars(g grant) []call.Var {
	var out []call.Var
	for _, v := range g.user.ProfileVariables {
		out = append(out, call.Var{Name: v.Name, Value: v.Value})
	}
	return out
}

// channelUser is the last part of an inbound channel's name.
func channelUser(from *wire.FromHeader) string {
	return or(unescape(from.Address.User), "nobody") + "@" + hostPort(or(from.Address.Host, "nowhere"), from.Address.Port)
}

// hidden tells what a caller wants hidden.
type hidden struct{ name, number bool }

// callerOf is the caller's number and name: From, then Remote-Party-ID, then
// P-Asserted-Identity, then P-Preferred-Identity.
func (p *Profile) callerOf(req *wire.Request) (number, name string, hide hidden) {
	from := req.From()
	number = unescape(from.Address.User)
	name = or(from.DisplayName, or(number, "unknown"))
	take := func(value string) (nameAddr, bool) {
		if value == "" {
			return nameAddr{}, false
		}
		a, err := parseNameAddr(firstAddress(value))
		if err != nil {
			return a, false
		}
		user := unescape(a.uri.User)
		if raw := a.uri.Raw(); raw != "" {
			user, _, _ = strings.Cut(raw, ";")
		}
		if user != "" {
			number = user
		}
		if a.display != "" {
			name = a.display
		}
		return a, true
	}
	if a, ok := take(header(req, "Remote-Party-ID")); ok {
		switch strings.ToLower(param(a.params, "privacy")) {
		case "full", "yes":
			hide = hidden{true, true}
		case "name":
			hide.name = true
		case "number":
			hide.number = true
		}
	}
	if _, ok := take(header(req, "P-Asserted-Identity")); !ok {
		take(header(req, "P-Preferred-Identity"))
	}
	for word := range strings.SplitSeq(header(req, "Privacy"), ";") {
		switch strings.ToLower(strings.TrimSpace(word)) {
		case "id", "full":
			hide = hidden{true, true}
		}
	}
	// What stands behind the number is a parameter of it (sip_name_params).
	number, _, _ = strings.Cut(number, ";")
	if hide.number && number == "" {
		number = "anonymous"
	}
	return number, strings.Trim(name, `"`), hide
}

// cancelledBy ends the call that the caller took back. It is called while the
// transaction is locked, so it only records and hands on.
func (l *leg) cancelledBy(ch *call.Channel, r *wire.Request) {
	cause := call.CauseOriginatorCancel
	reason := header(r, "Reason")
	if c, ok := reasonCause(reason, l.profile.settings().userInfo); ok {
		cause = c
	}
	l.mu.Lock()
	if l.state >= legAnswered {
		l.mu.Unlock()
		return
	}
	l.cancelled = true
	l.state = legEnded
	if l.term.disposition == "" {
		l.term = termination{disposition: "recv_cancel", status: 487, cause: call.CauseOriginatorCancel, reason: reason}
	}
	l.mu.Unlock()
	l.awaitACK()
	ch.Switch().Go(func() { ch.Hangup(cause) })
}

// Init takes the offer of an inbound call, or sends out an outbound one.
func (l *leg) Init(ctx context.Context, ch *call.Channel) error {
	if l.outbound {
		return l.sendInvite(ctx, ch)
	}
	l.mu.Lock()
	offer, text, replaced := l.sound.offer, l.sound.text, l.replaces
	l.mu.Unlock()
	if offer != nil {
		policy := l.policy(ch)
		if fromBrowser(offer) {
			policy.Secure = sdp.SecureMandatory
			ch.SetPlain("media_webrtc", "true")
		}
		r, err := sdp.Negotiate(offer, l.preferences(ch), policy)
		if err == nil {
			ch.SetPlain("ep_codec_string", offeredCodecs(r))
		}
		ch.SetPlain("endpoint_disposition", "DELAYED NEGOTIATION")
		if !l.profile.settings().late {
			if err := l.takeOffer(ch, offer, text); err != nil {
				return err
			}
			ch.SetPlain("endpoint_disposition", "RECEIVED")
			ch.SetFormat(l.agreed().Format)
		}
	}
	if replaced != nil {
		return l.takeOver(ch, replaced)
	}
	return nil
}

// agreed is what was negotiated.
func (l *leg) agreed() sdp.Result {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sound.result
}
