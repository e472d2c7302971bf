package webrtc

import (
	"context"
	"crypto/md5"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/directory"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/conf"
)

// expiredGrace is how long a session lives whose login-expires is in the past.
const expiredGrace = 300 * time.Second

// account is who a socket has logged in as.
type account struct {
	id, domain string
	uid        string // id@domain
	user       *directory.User
	params     directory.Values
	uvars      []call.Var // what the client called userVariables
	perms      permissions
	context    string
	dialplan   string
	expires    time.Time // zero: never
}

// variable is a user variable of the directory.
func (a *account) variable(name string) string {
	if a.user == nil {
		return ""
	}
	return a.user.Variables.Get(name)
}

// displayName is the user's own caller-id-name.
func (a *account) displayName() string { return a.params.Get("caller-id-name") }

// asked reports whether a profile wants credentials at all.
func (p *profile) asked() bool { return p.userauth != "" || p.root != "" }

// open is the account of a profile that asks nobody.
func (p *profile) open() *account {
	any := permission{any: true}
	return &account{context: p.context, dialplan: p.dialplan, perms: permissions{methods: any, channels: any}}
}

// authenticate checks a request's credentials (spec/verto.md §2).
func (s *Server) authenticate(ctx context.Context, k *socket, p params) (*account, *failure) {
	if p == nil {
		return nil, fail(codeAuthFailed, "Missing params")
	}
	login, password := p.text("login"), p.text("passwd")
	if raw, ok := p["passwd"].(string); ok {
		password = raw
	}
	switch {
	case login == "":
		return nil, fail(codeAuthRequired, "Authentication Required")
	case password == "":
		return nil, fail(codeAuthFailed, "Missing passwd")
	case s.guesses.Locked(k.ip, time.Now()):
		f := fail(codeAuthFailed, "Authentication Failure")
		f.close = true
		return nil, f
	}
	a, text := s.check(ctx, k, login, password, p)
	if text != "" {
		s.guesses.Failed(k.ip, login, time.Now())
		s.loginEvent(k, login, "", text, false)
		return nil, fail(codeAuthFailed, text)
	}
	s.guesses.Passed(k.ip, login)
	a.uvars = userVariables(p.object("userVariables"))
	s.loginEvent(k, login, p.text("sessid"), "Logged in", true)
	return a, nil
}

// check returns the account, or the text of the refusal.
func (s *Server) check(ctx context.Context, k *socket, login, password string, p params) (*account, string) {
	pr := k.profile
	if login == "root" && pr.root != "" {
		if !same(password, pr.root) {
			return nil, "Authentication Failure"
		}
		if s.tooOpen(k, "root", pr.root) {
			s.log.Printf(call.LogWarning, "verto: profile %s: root from %s is refused: everybody knows root-password; "+
				"write another one in verto.conf, or allow it with insecure_passwords=allow in vars.xml", pr.name, k.ip)
			return nil, "Authentication Failure"
		}
		any := permission{any: true}
		return &account{id: "root", uid: "root", context: pr.context, dialplan: pr.dialplan,
			perms: permissions{methods: any, jsapi: any, fsapi: any, channels: any}}, ""
	}
	id, domain := login, ""
	if at, ok := strings.CutPrefix(pr.userauth, "@"); ok {
		domain = at
	} else {
		var chopped string
		chopped, domain, _ = strings.Cut(login, "@")
		if pr.chopDomain {
			id = chopped
		}
	}
	if pr.forceDomain != "" {
		domain = pr.forceDomain
	}
	if domain == "" {
		domain = s.opts.Directory.DefaultDomain()
	}
	if domain == "" || id == "" {
		return nil, "Missing or improper credentials"
	}
	ask := map[string]string{"action": "jsonrpc-authenticate"}
	for name, v := range p.object("loginParams") {
		if text, ok := wordOf(v); ok && len(ask) < 64 {
			ask[clean(name)] = text
		}
	}
	if pr.sendPassword || s.settings().sendPassword {
		ask["user_supplied_pass"] = password
	}
	a := &account{id: id, domain: domain, uid: id + "@" + domain, context: pr.context, dialplan: pr.dialplan}
	u, err := s.opts.Directory.User(ctx, "", id, domain, ask)
	if err != nil {
		if !errors.Is(err, directory.ErrNotFound) {
			s.log.Printf(call.LogErr, "verto: directory: %v", err)
		}
		if pr.blind {
			return a, ""
		}
		return nil, "Login Incorrect"
	}
	if !passwordFits(u, id, domain, password) {
		s.opts.Directory.Flush("id", id, domain)
		return nil, "Authentication Failure"
	}
	if s.tooOpen(k, u.ID, password) {
		s.log.Printf(call.LogWarning, "%s: user %s@%s from %s is refused: everybody knows the password; write another one, or allow it with insecure_passwords=allow in vars.xml",
			passwordPlace(u), u.ID, u.Domain, k.ip)
		return nil, "Authentication Failure"
	}
	a.take(u)
	return a, ""
}

// passwordFits compares in constant time: jsonrpc-password wins, then a1-hash,
// then password.
func passwordFits(u *directory.User, id, domain, given string) bool {
	if v := u.Params.Get("jsonrpc-password"); v != "" {
		return same(given, v)
	}
	if v := u.Params.Get("a1-hash"); v != "" {
		sum := md5.Sum([]byte(id + ":" + domain + ":" + given))
		return same(hex.EncodeToString(sum[:]), strings.ToLower(v))
	}
	v, ok := u.Password()
	return ok && same(given, v)
}

// tooOpen reports whether a password that fitted is refused all the same: it is
// one that everybody knows, and the browser is not on this machine.
func (s *Server) tooOpen(k *socket, user, password string) bool {
	near := k.ip.Unmap().IsLoopback() && !k.proxied
	return !near && conf.WeakPassword(user, password) && !strings.EqualFold(s.opts.Store.Globals().Get("insecure_passwords"), "allow")
}

// passwordPlace is where the password of a user was written.
func passwordPlace(u *directory.User) string {
	for _, n := range conf.Params(u.Node) {
		if name := strings.ToLower(n.Attr("name")); name == "jsonrpc-password" || name == "a1-hash" || name == "password" {
			return n.Where()
		}
	}
	return u.Node.Where()
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// take fills the account from the directory.
func (a *account) take(u *directory.User) {
	a.user, a.params = u, u.Params
	a.perms = readPermissions(u.Params)
	if v := u.Params.Get("verto-context"); v != "" {
		a.context = v
	}
	if v := u.Variables.Get("user_context"); v != "" {
		a.context = v
	}
	if v := u.Params.Get("verto-dialplan"); v != "" {
		a.dialplan = v
	}
	if n, err := strconv.ParseInt(u.Variables.Get("login-expires"), 10, 64); err == nil && n > 0 {
		a.expires = time.Unix(n, 0)
		if now := time.Now(); a.expires.Before(now) {
			a.expires = now.Add(expiredGrace)
		}
	}
}

// userVariables reads a client's own variables. They get a prefix, since a
// browser must not set the switch's.
func userVariables(p params) []call.Var {
	var list []call.Var
	for name, v := range p {
		if text, ok := wordOf(v); ok && safeName(name) && len(list) < 64 {
			list = append(list, call.Var{Name: "verto_uvar_" + name, Value: text})
		}
	}
	return list
}

// safeName reports whether a client's name can be part of a variable's name.
func safeName(name string) bool {
	if name == "" || len(name) > 128 {
		return false
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		if !(c == '_' || c == '-' || c == '.' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z') {
			return false
		}
	}
	return true
}

// loginResult is the reply to login.
func (a *account) loginResult() object {
	o := object{{"message", "logged in"}}
	if !a.expires.IsZero() {
		o = o.with("auth-expires", a.expires.Unix())
	}
	for _, f := range []struct{ variable, member string }{
		{"moderator", "moderator"}, {"stereo_audio", "stereoAudio"}, {"superuser", "superuser"}} {
		if conf.True(a.variable(f.variable)) {
			o = o.with(f.member, true)
		}
	}
	return o
}

func (s *Server) loginEvent(k *socket, login, sessid, text string, ok bool) {
	e := event.New(event.Custom, "verto::login")
	e.Add("verto_profile_name", k.profile.name)
	e.Add("verto_client_address", k.remote)
	e.Add("verto_login", login)
	success := "0"
	if ok {
		e.Add("verto_sessid", sessid)
		success = "1"
	}
	e.Add("verto_success", success)
	e.Add("verto_result_txt", text)
	s.publish(e)
}
