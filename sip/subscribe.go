package sip

import (
	"context"
	"net/netip"
	"strconv"
	"strings"
	"time"

	wire "github.com/emiago/sipgo/sip"
)

// Bounds of a subscription.
const (
	defaultWatch   = 3600  // seconds, where the phone says nothing
	maxWatch       = 86400 // seconds
	maxEventHeader = 128   // bytes
)

// subscribe answers SUBSCRIBE and PUBLISH (spec/sip.md §7.6, RFC 6665): the packages
// dialog and presence are kept and told of each change, a message summary is told at
// once and needs no memory, since the phone renews it. Other packages are refused.
func (p *Profile) subscribe(ctx context.Context, req *wire.Request, tx *wire.ServerTx) {
	s := p.settings()
	if !s.managePresence {
		p.respond(req, tx, 489, phrase(489))
		return
	}
	if s.authSubscriptions {
		g := p.admitCall(ctx, req)
		if g.verdict == admitted && g.user == nil && len(g.vars) == 0 {
			// Who may call without a password may not watch without one.
			g = p.verify(ctx, req, or(header(req, "Proxy-Authorization"), header(req, "Authorization")))
		}
		if g.verdict != admitted {
			p.deny(req, tx, g, 407)
			return
		}
	}
	value, pack := eventPackage(get(req, "Event"))
	if pack == "" || req.Method == wire.PUBLISH || req.Contact() == nil {
		p.respond(req, tx, 489, phrase(489), field{"Allow-Events", s.events()})
		return
	}
	seconds := defaultWatch
	if n, ok := deltaSeconds(header(req, "Expires")); ok {
		seconds = min(n, maxWatch)
	}
	if s.subExpires > 0 {
		seconds = min(seconds, s.subExpires)
	}
	w := p.stack.watchers.find(req.CallID().Value(), tag(req.To().Params))
	if tag(req.To().Params) != "" {
		switch {
		case w == nil || w.profile != p || w.remoteTag != tag(req.From().Params) || w.pack != pack:
			p.respond(req, tx, 481, "Subscription Does Not Exist")
			return
		case !w.follows(req.CSeq().SeqNo):
			p.respond(req, tx, 500, phrase(500))
			return
		}
	} else {
		w = nil
		req.To().Params.Add("tag", newTag())
	}
	contact := p.contact(or(escapeUser(req.To().Address.User), p.settings().contactUser), "", sourceOf(req).Addr(), strings.ToLower(req.Transport()))
	if w == nil {
		w = p.newWatch(req, value, pack)
	}
	if !p.stack.watchers.renew(w, watchTarget(req), contact, time.Duration(seconds)*time.Second) {
		p.respond(req, tx, 503, phrase(503), field{"Retry-After", "300"})
		return
	}
	status, text := 202, "Accepted"
	if s.params.Bool("sip-subscribe-respond-200-ok", false) {
		status, text = 200, "OK"
	}
	state := "active;expires=" + strconv.Itoa(seconds)
	if seconds == 0 {
		state = watchOver
	}
	p.respond(req, tx, status, text, field{"Contact", contact}, field{"Expires", strconv.Itoa(seconds)}, field{"Subscription-State", state})
	p.probe(w, seconds)
	p.stack.watchers.tell(w, true)
}

// eventPackage reads an Event header (RFC 6665 §8.2.1): the value to repeat in a NOTIFY,
// and the package, "" for one that is not known.
func eventPackage(v string) (value, pack string) {
	value = clip(clean(strings.TrimSpace(v)), maxEventHeader)
	name, _, _ := strings.Cut(value, ";")
	switch name = strings.ToLower(strings.TrimSpace(name)); name {
	case dialogPackage, presencePackage, summaryPackage:
		return value, name
	}
	return value, ""
}

// deltaSeconds reads a number of seconds (RFC 3261 §20.19); what is more than an int32
// can hold counts as its greatest.
func deltaSeconds(v string) (int, bool) {
	v = strings.TrimSpace(v)
	if v == "" || strings.Trim(v, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(v, 10, 32)
	if err != nil {
		return 1<<31 - 1, true
	}
	return int(n), true
}

// watchTarget is where the NOTIFYs go: by the route that the SUBSCRIBE recorded, else
// back the way it came.
func watchTarget(req *wire.Request) *target {
	t := &target{uri: *req.Contact().Address.Clone(), transport: strings.ToLower(req.Transport())}
	for _, h := range req.GetHeaders("Record-Route") {
		t.route = append(t.route, h.Value())
	}
	if len(t.route) == 0 {
		t.next = req.Source()
	}
	return t
}

// newWatch makes the subscription that a SUBSCRIBE outside of dialogs asks for.
func (p *Profile) newWatch(req *wire.Request, event, pack string) *watch {
	to := req.To().Address
	w := &watch{profile: p, pack: pack, event: event, proto: "sip", user: unescape(to.User), host: to.Host,
		account: uriAddress(&to), callID: req.CallID().Value(), localTag: tag(req.To().Params), remoteTag: tag(req.From().Params),
		local: req.To().Value(), remote: req.From().Value(), source: sourceOf(req).Addr(), remoteSeq: req.CSeq().SeqNo}
	w.watcher = uriAddress(&req.From().Address)
	if proto, user, ok := strings.Cut(w.user, "+"); ok && proto != "" && user != "" {
		w.proto, w.user = strings.ToLower(proto), user
	}
	if d := p.settings().subDomain; d != "" {
		w.host = d
	}
	return w
}

// sameHost reports whether two hosts stand for one domain: equal, or both of those
// that the profile tells of presence alike (presence-hosts).
func (p *Profile) sameHost(a, b string) bool {
	if strings.EqualFold(a, b) {
		return true
	}
	var hasA, hasB bool
	for h := range strings.SplitSeq(p.settings().presenceHosts, ",") {
		h = strings.TrimSpace(h)
		hasA, hasB = hasA || h != "" && strings.EqualFold(h, a), hasB || h != "" && strings.EqualFold(h, b)
	}
	return hasA && hasB
}

// splitAddress takes user@host apart, and a port and a scheme off.
func splitAddress(s string) (user, host string) {
	s = strings.TrimPrefix(s, "sip:")
	at := strings.LastIndexByte(s, '@')
	if at < 0 {
		return s, ""
	}
	user, host = s[:at], s[at+1:]
	if ap, err := netip.ParseAddrPort(host); err == nil {
		return user, ap.Addr().String()
	}
	if name, _, ok := strings.Cut(host, ":"); ok && !strings.HasPrefix(host, "[") && strings.Count(host, ":") == 1 {
		host = name
	}
	return user, host
}
