package sip

import (
	"net/netip"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/directory"
	"github.com/switchlet/switchlet/conf"
)

// guessable reports whether everybody would guess the user's password. c are the
// credentials that it fitted.
func guessable(u *directory.User, c credentials) bool {
	if password, ok := u.Password(); ok && u.Params.Get("a1-hash") == "" {
		return conf.WeakPassword(u.ID, password) || conf.WeakPassword(c.username, password)
	}
	hash := u.Params.Get("a1-hash")
	if hash == "" {
		return false // none is asked for: allow-empty-password decides
	}
	// The password itself is not written down.
	for _, password := range append(conf.StockPasswords[:], u.ID) {
		if strings.EqualFold(hash, sum(hashes("MD5"), c.username, c.realm, password)) {
			return true
		}
	}
	return false
}

// tooOpen reports whether a user whose password fitted is refused all the same:
// the password is one that everybody knows, and the request comes from off the
// box. It says so in the log, once a second and source at most.
func (p *Profile) tooOpen(u *directory.User, c credentials, source netip.AddrPort) bool {
	_, proxied := p.stack.proxied.Load(source)
	if source.Addr().Unmap().IsLoopback() && !proxied || !guessable(u, c) || strings.EqualFold(p.stack.Store.Globals().Get("insecure_passwords"), "allow") {
		return false
	}
	if p.stack.hints.take(source.Addr(), time.Now()) {
		p.log(call.LogWarning, "%s: user %s@%s from %s is refused: everybody knows the password; write another one, or allow it with insecure_passwords=allow in vars.xml",
			passwordPlace(u), u.ID, u.Domain, source.Addr())
	}
	return true
}

// passwordPlace is where the password of a user was written.
func passwordPlace(u *directory.User) string {
	for _, n := range conf.Params(u.Node) {
		if name := n.Attr("name"); strings.EqualFold(name, "password") || strings.EqualFold(name, "a1-hash") {
			return n.Where()
		}
	}
	return u.Node.Where()
}
