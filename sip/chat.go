package sip

import (
	"context"
	"errors"
	"net/netip"
	"strconv"
	"strings"

	wire "github.com/emiago/sipgo/sip"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
)

// message takes a MESSAGE outside of calls: authenticated like an INVITE, then
// handed to the way of all messages (call/chat), which leads back to Deliver for whom
// it is for (spec/sip.md §7.6).
func (p *Profile) message(ctx context.Context, req *wire.Request, tx *wire.ServerTx) {
	s := p.settings()
	var g grant
	if s.authCalls && s.authMessages || len(s.inboundACL) > 0 {
		g = p.admitCall(ctx, req)
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
	if to.Address.User == "" || strings.Contains(contentType(req), "composing") {
		return // for nobody, or that somebody types
	}
	proto, address := recipient(&to.Address)
	source := sourceOf(req)
	e := event.New(event.Message, "")
	for _, f := range []field{{"login", p.url("udp")}, {"proto", "sip"}, {"to_proto", proto}, {"from", uriAddress(&from.Address)},
		{"from_user", from.Address.User}, {"from_host", from.Address.Host}, {"to_user", to.Address.User}, {"to_host", to.Address.Host},
		{"from_sip_ip", source.Addr().String()}, {"from_sip_port", strconv.Itoa(int(source.Port()))}, {"to", address}, {"subject", or(get(req, "Subject"), "SIMPLE MESSAGE")},
		{"context", p.messageContext(req, g)}, {"type", contentType(req)},
		{"from_full", from.Value()}, {"sip_profile", p.name}, {"dest_proto", proto}} {
		e.Add(f.name, f.value)
	}
	for _, h := range ownHeaders(req) {
		e.Add("sip_h_"+h.name, h.value)
	}
	e.SetBody(string(req.Body()))
	if way := p.stack.Switch.Messages; way == nil {
		p.stack.Switch.Log.Printf(call.LogWarning, "A message from %s goes nowhere: nothing routes messages", e.Get("from"))
	} else if err := way.Send(e); err != nil {
		p.stack.Switch.Log.Printf(call.LogErr, "message from %s to %s: %v", e.Get("from"), e.Get("to"), err)
	}
}

// messageContext is the context of the chatplan for a message: chosen as that of the
// dialplan is for a call.
func (p *Profile) messageContext(req *wire.Request, g grant) string {
	if g.context != "" {
		return g.context
	}
	if g.user != nil {
		if v := g.user.Variables.Get("user_context"); v != "" {
			return v
		}
	}
	context := p.settings().context
	if context == "_domain_" {
		context = req.From().Address.Host
	}
	if gw := p.gatewayOf(req); gw != nil {
		context = or(gw.set.context, context)
	}
	return or(context, "default")
}

// recipient is the protocol and the address that a message is for: user@host by
// SIP, or by another protocol where the user is PROTO+USER+HOST.
func recipient(to *wire.Uri) (proto, address string) {
	if before, after, ok := strings.Cut(to.User, "+"); ok && before != "" {
		return strings.ToLower(before), strings.Replace(after, "+", "@", 1)
	}
	return "sip", uriAddress(to)
}

// maxCustom is how many headers of its own a message may bring along.
const maxCustom = 32

// ownHeaders are the X- headers of a request.
func ownHeaders(req *wire.Request) []field {
	var out []field
	for _, h := range req.Headers() {
		if strings.HasPrefix(strings.ToLower(h.Name()), "x-") && len(out) < maxCustom {
			out = append(out, field{h.Name(), h.Value()})
		}
	}
	return out
}

// Deliver sends a message of the switch to those whom its header "to" names
// (spec/sip.md §7.6): to every contact of user@domain, or PROFILE/user@domain. The
// answer to a message whose sender is not registered goes where that came from.
// Headers sip_h_X-NAME become headers of the request.
func (s *Stack) Deliver(_ context.Context, e *event.Event) error {
	to, from := e.Get("to"), e.Get("from")
	if to == "" || from == "" {
		return errors.New("sip: a message needs from and to")
	}
	profiles := s.Profiles()
	name, rest, named := strings.Cut(to, "/")
	if named {
		p := s.Profile(name)
		if p == nil {
			return call.CauseInvalidProfile
		}
		profiles, to = []*Profile{p}, rest
	}
	m := outgoing{kind: clean(or(e.Get("type"), "text/plain")), body: []byte(e.Body)}
	for _, h := range e.Headers {
		header, ok := strings.CutPrefix(h.Name, "sip_h_")
		if ok && len(m.extra) < maxCustom && strings.HasPrefix(strings.ToLower(header), "x-") && headerName(header) {
			m.extra = append(m.extra, field{header, h.Value})
		}
	}
	m.user, m.domain = s.Directory.SplitUser(strings.TrimPrefix(to, "sip:"))
	m.from = s.sender(e, m.domain)
	sent := 0
	for _, p := range profiles {
		for _, b := range p.lookup(m.user, m.domain) {
			if t, err := p.contactTarget(b.dialURI()); err == nil {
				p.streamOf(b, t)
				p.sendMessage(t, &m)
				sent++
			}
		}
	}
	if sent == 0 && call.True(e.Get("replying")) {
		sent = s.answer(e, &m)
	}
	if sent == 0 {
		return ErrNobody
	}
	return nil
}

// sender is the From value that a message shows: what it came with by SIP, else the
// address, with the protocol in front if its sender has another one.
func (s *Stack) sender(e *event.Event, domain string) string {
	proto := strings.ToLower(e.Get("proto"))
	if full := e.Get("from_full"); proto == "sip" && strings.Contains(full, "<") {
		if i := strings.Index(full, ";tag="); i >= 0 {
			full = full[:i]
		}
		return clean(full)
	}
	user, host, ok := strings.Cut(clean(strings.TrimPrefix(e.Get("from"), "sip:")), "@")
	if !ok || host == "" {
		host = domain
	}
	by := strings.ToLower(e.Get("from_proto"))
	if by == "" && !strings.Contains(proto, "global") {
		by = proto
	}
	address := escapeUser(user)
	if by != "" && by != "sip" && by != "api" {
		address = escapeUser(by + "+" + user)
	}
	return quoted(user) + "<sip:" + address + "@" + host + ">"
}

// answer sends a reply to where the message came from.
func (s *Stack) answer(e *event.Event, m *outgoing) int {
	p := s.Profile(e.Get("sip_profile"))
	port, err := strconv.ParseUint(e.Get("to_sip_port"), 10, 16)
	ip, ipErr := netip.ParseAddr(e.Get("to_sip_ip"))
	if p == nil || err != nil || ipErr != nil || port == 0 {
		return 0
	}
	t := &target{transport: "udp", next: netip.AddrPortFrom(ip, uint16(port)).String()}
	t.uri = wire.Uri{Scheme: "sip", User: m.user, Host: m.domain}
	p.sendMessage(t, m)
	return 1
}

// outgoing is a message on its way out.
type outgoing struct {
	user, domain string // whom it is for
	from, kind   string
	body         []byte
	extra        []field
}

func (p *Profile) sendMessage(t *target, m *outgoing) {
	req := p.newRequest(wire.MESSAGE, t, m.from+";tag="+newTag(), "<sip:"+escapeUser(m.user)+"@"+m.domain+">", call.NewUUID(), 1, 70)
	put(req, field{"Contact", p.contact(p.settings().contactUser, "", addrOf(t.next), t.transport)})
	p.identify(req)
	put(req, m.extra...)
	setBody(req, m.kind, m.body)
	p.transact(req, nil, func(*wire.Response, error) {})
}

// ErrNobody is returned by Deliver when nobody is registered there.
var ErrNobody = errors.New("sip: nobody is registered there")
