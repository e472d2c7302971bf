package sip

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
	"time"

	wire "github.com/emiago/sipgo/sip"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/conf"
)

const (
	defaultExpires    = 300 // seconds, where the phone says nothing
	defaultNATExpires = 30
	maxExpires        = 86400 * 30
	maxContacts       = 16 // in one REGISTER
)

// registerRequest is a REGISTER as the registrar works on it.
type registerRequest struct {
	p        *Profile
	req      *wire.Request
	tx       *wire.ServerTx
	source   netip.AddrPort
	user     string // of the binding
	host     string // under which the binding is stored
	toHost   string
	contacts []*wire.ContactHeader
	expires  int  // of the Expires header, -1 without one
	nat      bool // the phone is behind NAT
	grant    grant
}

// register answers a REGISTER (spec/sip.md §3.2, §4).
func (p *Profile) register(ctx context.Context, req *wire.Request, tx *wire.ServerTx) {
	r := &registerRequest{p: p, req: req, tx: tx, source: sourceOf(req), expires: -1}
	s := p.settings()
	if s.disableRegister {
		p.respond(req, tx, 403, "Forbidden")
		return
	}
	to, from := req.To().Address, req.From().Address
	r.user = to.User
	if r.user == "" {
		r.user = from.User
	}
	if r.user == "" {
		p.respond(req, tx, 401, "Unauthorized")
		return
	}
	r.toHost = or(to.Host, from.Host)
	r.host = or(s.regDBDomain, or(s.regDomain, r.toHost))
	for _, h := range req.GetHeaders("Contact") {
		if c, ok := h.(*wire.ContactHeader); ok {
			r.contacts = append(r.contacts, c)
		}
	}
	for _, h := range req.GetHeaders("m") {
		if c, ok := h.(*wire.ContactHeader); ok {
			r.contacts = append(r.contacts, c)
		}
	}
	if len(r.contacts) > maxContacts {
		p.respond(req, tx, 400, "Bad Request")
		return
	}
	if v := header(req, "Expires"); v != "" {
		if n, err := strconv.ParseUint(strings.TrimSpace(v), 10, 32); err == nil {
			r.expires = int(min(n, maxExpires))
		}
	}
	r.nat = r.behindNAT()
	if !r.authorise(ctx) {
		return
	}
	r.bind(ctx)
}

// authorise decides about the request and answers it if it is refused.
func (r *registerRequest) authorise(ctx context.Context) bool {
	p, s := r.p, r.p.settings()
	for _, rule := range s.registerACL {
		if !p.stack.inList(r.source.Addr(), rule.list) {
			p.log(call.LogWarning, "IP %s Rejected by register acl \"%s\"", r.source.Addr(), rule.list)
			p.respond(r.req, r.tx, 403, "Forbidden")
			r.fail()
			return false
		}
	}
	if s.blindReg {
		return true
	}
	value := header(r.req, "Authorization")
	if value == "" {
		value = header(r.req, "Proxy-Authorization")
	}
	if value == "" {
		r.attempt("sofia::pre_register")
	}
	r.grant = p.verify(ctx, r.req, value)
	if r.grant.verdict == admitted && s.matchUsername && !strings.EqualFold(r.grant.auth.username, r.user) {
		p.log(call.LogWarning, "SIP Auth Username [%s] does not match To User [%s]", r.grant.auth.username, r.user)
		r.grant = p.refuse(r.grant, r.req, r.source)
	}
	if r.grant.sent {
		r.attempt("sofia::register_attempt")
	}
	if r.grant.verdict == admitted {
		return true
	}
	p.deny(r.req, r.tx, r.grant, 401)
	if r.grant.verdict == forbidden {
		r.fail()
	}
	return false
}

// behindNAT applies the tests of spec/sip.md §4.3.
func (r *registerRequest) behindNAT() bool {
	s := r.p.settings()
	if t := r.req.Transport(); t == "WS" || t == "WSS" {
		return true
	}
	if r.p.stack.inList(r.source.Addr(), s.localACL) {
		return false
	}
	if s.aggressiveNAT && viaDiffers(r.req.Via(), r.source) {
		return true
	}
	if len(r.contacts) > 0 && len(s.natACL) > 0 {
		host := addrOf(r.contacts[0].Address.Host)
		for _, list := range s.natACL {
			if !host.IsValid() || !r.p.stack.inList(host, list) {
				return false
			}
		}
		return true
	}
	return false
}

// viaDiffers reports whether the topmost Via is not where the request came from.
func viaDiffers(via *wire.ViaHeader, source netip.AddrPort) bool {
	if via == nil {
		return false
	}
	port := via.Port
	if port == 0 {
		port = 5060
	}
	return via.Params.Has("received") || via.Host != source.Addr().String() || port != int(source.Port())
}

// bind adds, renews or removes bindings and answers.
func (r *registerRequest) bind(ctx context.Context) {
	reg := r.p.registrar
	now := time.Now()
	callID := r.req.CallID().Value()
	if len(r.contacts) == 1 && r.contacts[0].Address.Wildcard {
		if r.expires != 0 {
			r.p.respond(r.req, r.tx, 400, "Bad Request")
			return
		}
		for _, b := range reg.find(r.user, r.host) {
			r.unregister(b)
		}
		r.accept(nil, now)
		return
	}
	var fresh []*binding
	for _, c := range r.contacts {
		if c.Address.Wildcard || c.Address.Host == "" || !dialable(&c.Address) {
			r.p.respond(r.req, r.tx, 400, "Bad Request")
			return
		}
		expires := r.expirySeconds(c)
		if expires == 0 {
			r.remove(c, callID)
			continue
		}
		b := r.newBinding(c, callID, expires, now)
		if ok, renewed := r.store(b); !ok {
			r.p.respond(r.req, r.tx, 403, "Forbidden")
			return
		} else if r.p.wanted("sofia::register") {
			r.registered(b, renewed)
		}
		if b.first {
			r.p.registrar.presence(b, "Registered")
		}
		fresh = append(fresh, b)
	}
	r.accept(fresh, now)
	for _, b := range fresh {
		if b.first {
			r.p.welcome(b)
		}
	}
}

// dialable reports whether a contact can stand in a dial string, where it comes from
// sofia_contact: it must not end its leg and begin one of its own making.
func dialable(uri *wire.Uri) bool {
	host := uri.Host
	if inner, ok := strings.CutPrefix(host, "["); ok {
		host = strings.TrimSuffix(inner, "]")
		if !addrOf(host).Is6() {
			return false
		}
	}
	for _, part := range []string{uri.User, host, uri.UriParams.ToString(';')} {
		if part != "" && !plainTarget(part) || strings.Contains(part, ":_:") {
			return false
		}
	}
	return true
}

// expirySeconds is how long a contact is to be kept (spec/sip.md §4.2).
func (r *registerRequest) expirySeconds(c *wire.ContactHeader) int {
	s := r.p.settings()
	n := r.expires
	if n < 0 {
		if v, err := strconv.ParseUint(param(c.Params, "expires"), 10, 32); err == nil {
			n = int(min(v, maxExpires))
		} else if r.nat {
			n = defaultNATExpires
		} else {
			n = defaultExpires
		}
	} else if v, ok := lookupParam(c.Params, "expires"); ok && strings.TrimSpace(v) == "0" {
		n = 0
	}
	if n == 0 {
		return 0
	}
	force, low, high := s.forceExpires, s.minExpires, s.maxExpires
	if u := r.grant.user; u != nil {
		number := func(name string, v *int) {
			if i, err := strconv.Atoi(u.Variables.Get(name)); err == nil {
				*v = i
			} else if i, err := strconv.Atoi(u.Params.Get(name)); err == nil {
				*v = i
			}
		}
		number("sip-force-expires", &force)
		number("sip-force-expires-min", &low)
		number("sip-force-expires-max", &high)
		if low > 0 {
			n = max(n, low)
		}
		if high > 0 {
			n = min(n, high)
		}
		if force > 0 {
			n = force
		}
		if d := s.expiresDeviation; d > 0 && n > 2*d {
			n += rand.IntN(2*d) - d
		}
	}
	return n
}

// newBinding makes the row of a contact.
func (r *registerRequest) newBinding(c *wire.ContactHeader, callID string, expires int, now time.Time) *binding {
	s := r.p.settings()
	transport := strings.ToLower(r.req.Transport())
	b := &binding{
		CallID: callID, User: r.user, Host: r.host, RPID: "unknown", ToUser: r.req.To().Address.User, ToHost: r.toHost,
		Agent:     clip(or(header(r.req, "User-Agent"), "unknown"), 255),
		NetworkIP: r.source.Addr().String(), NetworkPort: strconv.Itoa(int(r.source.Port())),
		AuthUser: or(r.grant.auth.username, r.user), AuthRealm: or(r.grant.auth.realm, r.toHost), Realm: r.host,
		MWIUser: r.user, MWIHost: r.host, Registered: now,
		Expires:    now.Add(time.Duration(expires+s.lateMargin) * time.Second),
		ExpSeconds: expires, Reachable: true, PingCount: s.pingMax,
	}
	if u := r.grant.user; u != nil {
		b.forcePing = call.True(u.Variables.Get("force_ping"))
		if account := u.Variables.Get("mwi-account"); account != "" {
			b.MWIUser, b.MWIHost = r.p.stack.Directory.SplitUser(account)
		}
	}
	uri := c.Address
	force := ""
	if u := r.grant.user; u != nil {
		force = or(u.Variables.Get("sip-force-contact"), u.Params.Get("sip-force-contact"))
	}
	params := uri.UriParams
	text := "sip:"
	if uri.Scheme == "sips" {
		text = "sips:"
	}
	kind := strings.ToUpper(transport)
	// A browser can be reached through its socket alone, and its contact is a name
	// that does not exist (RFC 7118 §5.2).
	socket := transport == "ws" || transport == "wss"
	r.nat = r.nat || socket
	switch {
	case force == "NDLB-connectile-dysfunction" || force == "NDLB-tls-connectile-dysfunction":
		text += uri.User + "@" + r.source.String()
		kind = "AUTO-NAT"
		if force != "NDLB-connectile-dysfunction" {
			kind = "TLSHACK"
		}
	default:
		text += uri.User + "@" + hostPort(uri.Host, uri.Port)
		if force == "NDLB-connectile-dysfunction-2.0" {
			r.nat, kind = true, "AUTO-NAT-2.0"
		} else if r.nat {
			kind += "-NAT"
		}
	}
	if uri.User == "" {
		text = strings.Replace(text, "@", "", 1)
	}
	if len(params) > 0 {
		text += ";" + params.ToString(';')
	}
	if r.nat {
		path := "sip:" + uri.User + "@" + r.source.String()
		// Browsers say ws for wss, too.
		if t := param(params, "transport"); t != "" && !socket {
			path += ";transport=" + t
		} else if transport != "udp" {
			path += ";transport=" + transport
		}
		text += ";fs_nat=yes;fs_path=" + escape(path)
	} else if p := header(r.req, "Path"); p != "" {
		b.Path = clip(p, 1024)
		if a, err := parseNameAddr(p); err == nil {
			text += ";fs_path=" + escape(a.uri.String())
		}
	} else if transport == "tcp" || transport == "tls" {
		// The phone is reached through the connection that it opened.
		b.Stream = r.source.String()
	}
	b.Status = "Registered(" + kind + ")"
	b.Contact = clean(`"" <` + text + ">")
	if c.DisplayName != "" {
		b.Contact = clean(`"` + display(c.DisplayName) + `" <` + text + ">")
	}
	b.Transport = transport
	b.contactURI = clean(uri.String())
	return b
}

// store puts a binding into the table, replacing what it renews.
func (r *registerRequest) store(b *binding) (ok, renewed bool) {
	s := r.p.settings()
	multiple := s.multiple
	if u := r.grant.user; u != nil && multiple != "" && conf.False(or(u.Params.Get("sip-allow-multiple-registrations"), u.Variables.Get("sip-allow-multiple-registrations"))) {
		multiple = ""
	}
	return r.p.registrar.put(b, multiple, s.maxRegistrations)
}

// remove takes away the bindings that a contact with expires=0 means.
func (r *registerRequest) remove(c *wire.ContactHeader, callID string) {
	for _, b := range r.p.registrar.find(r.user, r.host) {
		if r.p.settings().multiple == "" || b.CallID == callID || sameContact(b, c) {
			r.unregister(b)
		}
	}
}

func sameContact(b *binding, c *wire.ContactHeader) bool {
	return b.contactURI == c.Address.String()
}

func (r *registerRequest) unregister(b *binding) {
	if !r.p.registrar.remove(b) {
		return
	}
	r.p.registrar.presence(b, "Unregistered")
	if !r.p.wanted("sofia::unregister") {
		return
	}
	e := event.New(event.Custom, "sofia::unregister")
	for _, f := range []field{{"profile-name", r.p.name}, {"username", b.AuthUser}, {"from-user", b.User}, {"from-host", b.Host},
		{"contact", b.Contact}, {"call-id", b.CallID}, {"rpid", b.RPID}, {"realm", b.AuthRealm}, {"network-ip", b.NetworkIP},
		{"network-port", b.NetworkPort}, {"user-agent", b.Agent}, {"expires", strconv.FormatInt(b.Expires.Unix(), 10)}} {
		e.Add(f.name, f.value)
	}
	r.p.publish(e)
}

// accept sends the 200 with all contacts of the user.
func (r *registerRequest) accept(fresh []*binding, now time.Time) {
	res := r.p.reply(r.req, 200, "OK")
	for _, b := range r.p.registrar.find(r.user, r.host) {
		left := int(b.Expires.Sub(now).Seconds()) - r.p.settings().lateMargin
		for _, f := range fresh {
			if f == b {
				left = b.ExpSeconds
			}
		}
		if left <= 0 {
			continue
		}
		uri := b.contactURI
		if uri == "" {
			uri = stripParams(b.Contact)
		}
		put(res, field{"Contact", "<" + uri + ">;expires=" + strconv.Itoa(left)})
		if b.Path != "" {
			put(res, field{"Path", b.Path})
		}
	}
	put(res, field{"Date", now.UTC().Format("Mon, 02 Jan 2006 15:04:05") + " GMT"})
	r.p.identify(res)
	setBody(res, "", nil)
	r.p.send(r.tx, res)
}

// stripParams is the URI of a stored contact without what we added.
func stripParams(contact string) string {
	uri := dialURI(contact)
	for _, name := range []string{";fs_nat=", ";fs_path=", ";received="} {
		if i := strings.Index(uri, name); i >= 0 {
			uri = uri[:i]
		}
	}
	return uri
}

// attempt fires pre_register and register_attempt.
func (r *registerRequest) attempt(subclass string) {
	if !r.p.wanted(subclass) {
		return
	}
	contact, expires := "", r.expires
	if len(r.contacts) > 0 {
		contact = r.contacts[0].Value()
		if expires < 0 {
			expires = defaultExpires
			if n, err := strconv.Atoi(param(r.contacts[0].Params, "expires")); err == nil {
				expires = n
			}
		}
	}
	status := "Registered(" + strings.ToUpper(r.req.Transport())
	if r.nat {
		status += "-NAT"
	}
	e := event.New(event.Custom, subclass)
	from := r.req.From().Address
	for _, f := range []field{{"profile-name", r.p.name}, {"from-user", r.user}, {"from-host", r.host}, {"contact", contact},
		{"call-id", r.req.CallID().Value()}, {"rpid", "unknown"}, {"status", status + ")"}, {"expires", strconv.Itoa(max(expires, 0))},
		{"to-user", or(r.req.To().Address.User, from.User)}, {"to-host", r.toHost}, {"network-ip", r.source.Addr().String()},
		{"network-port", strconv.Itoa(int(r.source.Port()))}} {
		e.Add(f.name, f.value)
	}
	agent := or(header(r.req, "User-Agent"), "unknown")
	if subclass == "sofia::register_attempt" {
		e.Add("username", r.grant.auth.username)
		e.Add("realm", r.grant.auth.realm)
		e.Add("user-agent", agent)
		e.Add("auth-result", r.grant.result)
	} else {
		e.Add("user-agent", agent)
	}
	r.p.publish(e)
}

// registered fires sofia::register.
func (r *registerRequest) registered(b *binding, renewed bool) {
	e := event.New(event.Custom, "sofia::register")
	for _, f := range []field{{"profile-name", r.p.name}, {"from-user", b.User}, {"from-host", b.Host},
		{"presence-hosts", or(r.p.settings().presenceHosts, "n/a")}, {"contact", b.Contact}, {"call-id", b.CallID}, {"rpid", b.RPID},
		{"status", b.Status}, {"expires", strconv.Itoa(b.ExpSeconds)}, {"to-user", or(b.ToUser, b.User)}, {"to-host", b.ToHost},
		{"network-ip", b.NetworkIP}, {"network-port", b.NetworkPort}, {"username", b.AuthUser}, {"realm", b.AuthRealm},
		{"user-agent", b.Agent}} {
		e.Add(f.name, f.value)
	}
	if renewed {
		e.Add("update-reg", "true")
	}
	for _, v := range r.grant.vars {
		e.Add(v.Name, v.Value)
	}
	if r.grant.user != nil {
		for _, v := range userVars(r.grant.user) {
			e.Add(v.Name, v.Value)
		}
	}
	r.p.publish(e)
}

// fail fires sofia::register_failure.
func (r *registerRequest) fail() {
	if !r.p.wanted("sofia::register_failure") {
		return
	}
	r.p.authFailed(r.req, "REGISTER")
}

// authFailed fires sofia::register_failure for a refused REGISTER or INVITE.
func (p *Profile) authFailed(req *wire.Request, kind string) {
	source := sourceOf(req)
	e := event.New(event.Custom, "sofia::register_failure")
	to := req.To().Address
	for _, f := range []field{{"profile-name", p.name}, {"to-user", to.User}, {"to-host", to.Host}, {"network-ip", source.Addr().String()},
		{"user-agent", header(req, "User-Agent")}, {"profile-name", p.name}, {"network-port", fmt.Sprint(source.Port())},
		{"registration-type", kind}} {
		e.Add(f.name, f.value)
	}
	p.publish(e)
}

// clip bounds a text that is stored.
func clip(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}
