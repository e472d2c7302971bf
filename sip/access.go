package sip

import (
	"context"
	"crypto/subtle"
	"net/netip"
	"strings"
	"time"

	wire "github.com/emiago/sipgo/sip"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/directory"
	"github.com/switchlet/switchlet/conf"
)

// verdict is what access control says of a request.
type verdict int

const (
	admitted  verdict = iota
	fresh             // 401 or 407 with a fresh challenge
	stale             // the same with stale=true
	forbidden         // 403
)

// grant is a verdict with what goes with it.
type grant struct {
	verdict verdict
	user    *directory.User // whose variables apply, or nil
	context string          // that the access list asks for
	vars    []call.Var      // sip_authorized and its kin
	auth    credentials     // as far as they were sent
	sent    bool            // credentials were sent
	result  string          // auth-result of events
}

// realmOf is the realm that a request is challenged with.
func (p *Profile) realmOf(req *wire.Request) string {
	switch realm := p.settings().realm; realm {
	case "auto_from":
		return req.From().Address.Host
	case "auto_to":
		return req.To().Address.Host
	default:
		return realm
	}
}

// admitCall decides about an INVITE or MESSAGE (spec/sip.md §3.1).
func (p *Profile) admitCall(ctx context.Context, req *wire.Request) grant {
	s := p.settings()
	source := sourceOf(req)
	fail, listed := "", false
	for _, rule := range s.inboundACL {
		ok, token := p.stack.checkList(source.Addr(), rule.list)
		if ok {
			g := grant{context: rule.pass}
			g.vars = append(g.vars, call.Var{Name: "sip_authorized", Value: "true"}, call.Var{Name: "sip_acl_authed_by", Value: rule.list})
			if token != "" {
				g.vars = append(g.vars, call.Var{Name: "sip_acl_token", Value: token}, call.Var{Name: "acl_token", Value: token})
				name, domain := p.stack.Directory.SplitUser(token)
				if u, err := p.stack.Directory.User(ctx, "id", name, domain, nil); err == nil {
					g.user = u
				}
			}
			return g
		}
		listed = true
		if rule.fail != "" {
			fail = rule.fail
		}
	}
	if gw := p.gatewayAt(source.Addr()); gw != nil {
		return grant{vars: []call.Var{{Name: "sip_authorized", Value: "true"}}}
	}
	if p.ourOwn(source) {
		return grant{vars: []call.Var{{Name: "sip_looped_call", Value: "true"}}}
	}
	value := header(req, "Proxy-Authorization")
	if value == "" {
		value = header(req, "Authorization")
	}
	switch {
	case s.blindAuth:
		return grant{vars: []call.Var{{Name: "sip_authorized", Value: "true"}}}
	case fail != "":
		return grant{context: fail}
	case s.authACLOnly:
		return grant{verdict: forbidden}
	case s.authCalls || value != "":
		return p.verify(ctx, req, value)
	case listed:
		return grant{verdict: forbidden}
	}
	return grant{}
}

// ourOwn reports whether a packet came from one of our own sockets.
func (p *Profile) ourOwn(source netip.AddrPort) bool {
	for _, q := range p.stack.Profiles() {
		s := q.settings()
		if source.Addr() == s.sipIP && int(source.Port()) == q.port {
			return true
		}
	}
	return false
}

// verify checks credentials (spec/sip.md §3.2).
func (p *Profile) verify(ctx context.Context, req *wire.Request, value string) grant {
	method := string(req.Method)
	if value == "" {
		p.logChallenge(req)
		return grant{verdict: fresh}
	}
	c, ok := parseCredentials(value)
	g := grant{auth: c, sent: true}
	if !ok || !c.complete() {
		g.verdict, g.result = stale, "STALE"
		return g
	}
	s := p.settings()
	source := sourceOf(req)
	now := time.Now()
	algorithm := "MD5"
	if len(s.algorithms) > 0 {
		algorithm = or(strings.ToUpper(c.algorithm), "MD5")
		known := false
		for _, a := range s.algorithms {
			known = known || a == algorithm
		}
		if !known {
			return p.refuse(g, req, source)
		}
	}
	outdated := func() grant {
		g.verdict, g.result = stale, "STALE"
		return g
	}
	if p.challenges.check(c.nonce, c.count(), now) != nil {
		return outdated()
	}
	u := p.findUser(ctx, req, c, source)
	if u == nil || strings.EqualFold(u.Attributes.Get("type"), "pointer") {
		p.log(call.LogWarning, "Can't find user [%s@%s] from %s", c.username, or(s.regDomain, c.realm), source.Addr())
		return p.refuse(g, req, source)
	}
	if !p.allows(u, req, source) {
		return p.refuse(g, req, source)
	}
	if !p.passwordFits(u, c, method, algorithm) {
		return p.refuse(g, req, source)
	}
	if p.tooOpen(u, c, source) {
		return p.refuse(g, req, source)
	}
	if p.challenges.spend(c.nonce, c.count(), now) != nil {
		return outdated() // the same credentials came twice at once
	}
	g.user, g.result = u, "SUCCESS"
	if c.count() > 1 || req.Method == wire.REGISTER {
		g.result = "RENEWED"
	}
	g.vars = p.authVars(u, c)
	return g
}

// findUser looks a user up by the name and domain of the credentials.
func (p *Profile) findUser(ctx context.Context, req *wire.Request, c credentials, source netip.AddrPort) *directory.User {
	s := p.settings()
	domain := c.realm
	if s.regDomain != "" {
		domain = s.regDomain
	}
	params := map[string]string{
		"action": "sip_auth", "sip_profile": p.name, "sip_user_agent": header(req, "User-Agent"),
		"sip_auth_username": c.username, "sip_auth_realm": c.realm, "sip_auth_nonce": c.nonce, "sip_auth_uri": c.uri,
		"sip_contact_user": contactUser(req), "sip_to_user": req.To().Address.User, "sip_to_host": req.To().Address.Host,
		"sip_from_user": req.From().Address.User, "sip_from_host": req.From().Address.Host,
		"sip_request_user": req.Recipient.User, "sip_request_host": req.Recipient.Host,
		"sip_auth_method": string(req.Method), "ip": source.Addr().String(),
	}
	u, err := p.stack.Directory.User(ctx, "id", c.username, domain, params)
	if err != nil {
		return nil
	}
	return u
}

func contactUser(req *wire.Request) string {
	if c := req.Contact(); c != nil {
		return c.Address.User
	}
	return ""
}

// allows checks what a user's entry says about where and what it may.
func (p *Profile) allows(u *directory.User, req *wire.Request, source netip.AddrPort) bool {
	for _, list := range u.Params.All("auth-acl") {
		if list != "" && !p.stack.inList(source.Addr(), list) {
			p.log(call.LogWarning, "IP %s Rejected by user acl [%s]", source.Addr(), list)
			return false
		}
	}
	return req.Method != wire.REGISTER || !call.True(u.Params.Get("sip-forbid-register"))
}

// passwordFits compares the response with that of the user's password or hash.
func (p *Profile) passwordFits(u *directory.User, c credentials, method, algorithm string) bool {
	password, has := u.Password()
	hash := u.Params.Get("a1-hash")
	if !has && hash == "" {
		return p.settings().emptyPassword && !conf.False(u.Params.Get("allow-empty-password"))
	}
	h := hashes(algorithm)
	ha1 := hash
	if ha1 == "" || algorithm != "MD5" {
		if !has {
			return false // a hash is MD5's, and says nothing of what others make of the password
		}
		ha1 = sum(h, c.username, c.realm, password)
	}
	return subtle.ConstantTimeCompare([]byte(c.expected(method, ha1, h)), []byte(strings.ToLower(c.response))) == 1
}

// refuse counts a failed authentication of the source.
func (p *Profile) refuse(g grant, req *wire.Request, source netip.AddrPort) grant {
	p.stack.failures.take(source.Addr(), time.Now())
	if p.settings().logFailures {
		to := req.To().Address
		p.log(call.LogWarning, "SIP auth failure (%s) on sofia profile '%s' for [%s@%s] from ip %s",
			req.Method, p.name, to.User, to.Host, source.Addr())
	}
	g.verdict, g.result = forbidden, "FORBIDDEN"
	return g
}

func (p *Profile) logChallenge(req *wire.Request) {
	if !p.settings().logFailures {
		return
	}
	to := req.To().Address
	p.log(call.LogWarning, "SIP auth challenge (%s) on sofia profile '%s' for [%s@%s] from ip %s",
		req.Method, p.name, to.User, to.Host, sourceOf(req).Addr())
}

// authVars are the variables of an authenticated request (spec/sip.md §2.2).
func (p *Profile) authVars(u *directory.User, c credentials) []call.Var {
	v := []call.Var{{Name: "sip_authorized", Value: "true"}, {Name: "sip_auth_username", Value: c.username}, {Name: "sip_auth_realm", Value: c.realm}}
	if a := u.NumberAlias(); a != "" {
		v = append(v, call.Var{Name: "sip_number_alias", Value: a}, call.Var{Name: "number_alias", Value: a})
	}
	domain := or(p.settings().regDomain, c.realm)
	return append(v, call.Var{Name: "requested_user_name", Value: c.username}, call.Var{Name: "requested_domain_name", Value: domain},
		call.Var{Name: "user_name", Value: u.ID}, call.Var{Name: "domain_name", Value: u.Domain})
}

// userVars are the variables that a user's entry gives to its requests: the
// parameters that begin with sip-, and all variables.
func userVars(u *directory.User) []call.Var {
	var v []call.Var
	for _, p := range u.Params {
		if strings.HasPrefix(p.Name, "sip-") {
			v = append(v, call.Var{Name: p.Name, Value: p.Value})
		}
	}
	for _, p := range u.Variables {
		v = append(v, call.Var{Name: p.Name, Value: p.Value})
	}
	return v
}

// challengeFor appends the challenges to a 401 or 407.
func (p *Profile) challengeFor(res *wire.Response, req *wire.Request, staleNonce bool) {
	name := "WWW-Authenticate"
	if res.StatusCode == 407 {
		name = "Proxy-Authenticate"
	}
	realm, now := p.realmOf(req), time.Now()
	algorithms := p.settings().algorithms
	if len(algorithms) == 0 {
		algorithms = []string{"MD5"}
	}
	for _, a := range algorithms {
		put(res, field{name, challenge(realm, p.challenges.issue(now), a, staleNonce)})
	}
}

// deny answers a request that was not admitted. status is 401 or 407.
func (p *Profile) deny(req *wire.Request, tx *wire.ServerTx, g grant, status int) {
	if g.verdict == forbidden {
		p.respond(req, tx, 403, "Forbidden")
		return
	}
	res := p.reply(req, status, phrase(status))
	p.identify(res)
	p.challengeFor(res, req, g.verdict == stale)
	setBody(res, "", nil)
	p.send(tx, res)
}
