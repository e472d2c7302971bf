package sip

import (
	"context"
	"errors"
	"strconv"
	"strings"

	wire "github.com/emiago/sipgo/sip"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
)

// message takes a MESSAGE outside of calls: authenticated like an INVITE, then
// handed on to the registered contacts of whom it is for (spec/sip.md §7.6).
func (p *Profile) message(ctx context.Context, req *wire.Request, tx *wire.ServerTx) {
	s := p.settings()
	if s.authCalls && s.authMessages || len(s.inboundACL) > 0 {
		g := p.admitCall(ctx, req)
		if g.verdict != admitted {
			p.deny(req, tx, g, 407)
			return
		}
	}
	if len(req.Body()) > maxInfo {
		p.respond(req, tx, 413, phrase(413))
		return
	}
	if s.params.Bool("sip-messages-respond-200-ok", false) {
		p.respond(req, tx, 200, "OK")
	} else {
		p.respond(req, tx, 202, "Accepted")
	}
	from, to := req.From(), req.To()
	e := event.New(event.Message, "")
	for _, f := range []field{{"login", p.url("udp")}, {"proto", "sip"}, {"to_proto", "sip"}, {"from", uriAddress(&from.Address)},
		{"from_user", from.Address.User}, {"from_host", from.Address.Host}, {"to_user", to.Address.User}, {"to_host", to.Address.Host},
		{"from_sip_ip", sourceOf(req).Addr().String()}, {"to", uriAddress(&to.Address)}, {"subject", or(get(req, "Subject"), "SIMPLE MESSAGE")},
		{"context", or(s.params.Get("context"), "default")}, {"type", contentType(req)},
		{"from_full", from.Value()}, {"sip_profile", p.name}, {"dest_proto", "sip"}, {"max_forwards", "70"}} {
		e.Add(f.name, f.value)
	}
	e.SetBody(string(req.Body()))
	p.publish(e)
	p.stack.Switch.Go(func() {
		p.stack.SendMessage(ctx, from.Value(), uriAddress(&to.Address), contentType(req), string(req.Body()))
	})
}

// ErrNobody is returned by SendMessage when nobody is registered there.
var ErrNobody = errors.New("sip: nobody is registered there")

// SendMessage sends a MESSAGE to every contact of user@domain, in all profiles
// ("PROFILE/user@domain": in that one). from is a From value, or user@domain.
func (s *Stack) SendMessage(ctx context.Context, from, to, kind, body string) error {
	profiles := s.Profiles()
	if name, rest, ok := strings.Cut(to, "/"); ok {
		p := s.Profile(name)
		if p == nil {
			return call.CauseInvalidProfile
		}
		profiles, to = []*Profile{p}, rest
	}
	user, domain := s.Directory.SplitUser(to)
	if !strings.Contains(from, "<") {
		from = "<sip:" + strings.TrimPrefix(from, "sip:") + ">"
	}
	if i := strings.Index(from, ";tag="); i >= 0 {
		from = from[:i]
	}
	sent := 0
	for _, p := range profiles {
		for _, b := range p.lookup(user, domain) {
			t, err := p.contactTarget(b.dialURI())
			if err != nil {
				continue
			}
			p.streamOf(b, t)
			req := p.newRequest(wire.MESSAGE, t, clean(from)+";tag="+newTag(), "<sip:"+escapeUser(user)+"@"+domain+">", call.NewUUID(), 1, 70)
			put(req, field{"Contact", p.contact("mod_sofia", "", addrOf(t.next), t.transport)})
			p.identify(req)
			setBody(req, clean(or(kind, "text/plain")), []byte(body))
			p.transact(req, nil, func(*wire.Response, error) {})
			sent++
		}
	}
	if sent == 0 {
		return ErrNobody
	}
	return nil
}

// subscribe answers SUBSCRIBE and PUBLISH. A message summary is told at once; the
// subscription itself needs no memory here, since the phone renews it. Other
// packages are refused.
func (p *Profile) subscribe(ctx context.Context, req *wire.Request, tx *wire.ServerTx) {
	s := p.settings()
	if !s.managePresence {
		p.respond(req, tx, 489, phrase(489))
		return
	}
	if s.authSubscriptions {
		if g := p.admitCall(ctx, req); g.verdict != admitted {
			p.deny(req, tx, g, 407)
			return
		}
	}
	name, _, _ := strings.Cut(get(req, "Event"), ";")
	if req.Method == wire.PUBLISH || !strings.EqualFold(strings.TrimSpace(name), "message-summary") || req.Contact() == nil {
		p.respond(req, tx, 489, phrase(489), field{"Allow-Events", s.events()})
		return
	}
	localTag := newTag()
	req.To().Params.Add("tag", localTag)
	contact := p.contact("mod_sofia", "", sourceOf(req).Addr(), strings.ToLower(req.Transport()))
	status, text := 202, "Accepted"
	if s.params.Bool("sip-subscribe-respond-200-ok", false) {
		status, text = 200, "OK"
	}
	seconds := 3600
	if n, err := strconv.Atoi(strings.TrimSpace(header(req, "Expires"))); err == nil && n >= 0 {
		seconds = min(n, 86400)
	}
	state := "active;expires=" + strconv.Itoa(seconds)
	if seconds == 0 {
		state = "terminated;reason=timeout"
	}
	p.respond(req, tx, status, text, field{"Contact", contact}, field{"Expires", strconv.Itoa(seconds)}, field{"Subscription-State", state})
	t := &target{uri: *req.Contact().Address.Clone(), transport: strings.ToLower(req.Transport()), next: req.Source()}
	n := p.newRequest(wire.NOTIFY, t, req.To().Value(), req.From().Value(), req.CallID().Value(), 1, 70)
	put(n, field{"Contact", contact})
	p.identify(n)
	put(n, field{"Event", "message-summary"}, field{"Allow-Events", s.events()}, field{"Subscription-State", state})
	account := "sip:" + uriAddress(&req.To().Address)
	setBody(n, "application/simple-message-summary", []byte("Messages-Waiting: no\r\nMessage-Account: "+account+"\r\n\r\n"))
	p.transact(n, nil, func(*wire.Response, error) {})
}
