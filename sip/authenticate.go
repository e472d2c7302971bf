package sip

import (
	"strings"

	"github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"

	"github.com/switchlet/switchlet/call"
)

// maxChallenges bounds how often one request is sent again with credentials.
const maxChallenges = 2

// secret is what a challenge is answered with.
type secret struct {
	username, password string
	realm              string // "": any
}

// secretFor is what the leg may answer a challenge with: the gateway's
// credentials, or those of the variables. Nobody else's challenges are answered.
func (l *leg) secretFor() (secret, bool) {
	if user, password := l.get("sip_auth_username"), l.get("sip_auth_password"); user != "" && password != "" && l.outbound {
		return secret{user, password, ""}, true
	}
	l.mu.Lock()
	astray := l.astray
	l.mu.Unlock()
	if l.gateway != nil && !astray {
		return l.gateway.secret(), true
	}
	return secret{}, false
}

// home reports whether a host is one that the gateway's configuration names. Whoever
// else a number or a redirection leads to must not learn what its password makes of a
// challenge.
func (g *Gateway) home(host string) bool {
	for _, own := range []string{g.set.proxyHost, g.set.realm, g.set.registerProxy} {
		if u, err := parseURI("sip:" + strings.TrimPrefix(strings.TrimPrefix(own, "sip:"), "sips:")); err == nil && strings.EqualFold(u.Host, host) {
			return true
		}
	}
	return false
}

// authenticate adds credentials for the challenge in res to req, nil if there
// are none that fit.
func (l *leg) authenticate(req *sip.Request, res *sip.Response) *sip.Request {
	s, ok := l.secretFor()
	if !ok || !s.answer(req, res) {
		return nil
	}
	return req
}

// answer puts credentials for the challenge in res into req.
func (s secret) answer(req *sip.Request, res *sip.Response) bool {
	from, to := "WWW-Authenticate", "Authorization"
	if res.StatusCode == 407 {
		from, to = "Proxy-Authenticate", "Proxy-Authorization"
	}
	for _, h := range res.GetHeaders(from) {
		if len(h.Value()) > maxCredentials {
			continue
		}
		c, err := digest.ParseChallenge(h.Value())
		if err != nil || s.realm != "" && !strings.EqualFold(c.Realm, s.realm) {
			continue
		}
		c.Algorithm = strings.ToUpper(c.Algorithm)
		cred, err := digest.Digest(c, digest.Options{Method: string(req.Method), URI: req.Recipient.String(),
			Username: s.username, Password: s.password})
		if err != nil {
			continue
		}
		req.RemoveHeader(to)
		put(req, field{to, cred.String()})
		return true
	}
	return false
}

// isStale reports whether a challenge says that only the nonce was too old.
func isStale(res *sip.Response) bool {
	for _, name := range []string{"WWW-Authenticate", "Proxy-Authenticate"} {
		for name, v := range digestParams(strings.TrimPrefix(header(res, name), "Digest ")) {
			if strings.EqualFold(name, "stale") && strings.EqualFold(v, "true") {
				return true
			}
		}
	}
	return false
}

// challenged sends the INVITE again with credentials; false: it cannot.
func (l *leg) challenged(ch *call.Channel, req *sip.Request, res *sip.Response) bool {
	l.mu.Lock()
	tries := l.auths
	l.auths++
	ended := l.state == legEnded
	l.mu.Unlock()
	if ended || tries >= maxChallenges || tries > 0 && !isStale(res) {
		return false
	}
	s, ok := l.secretFor()
	if !ok {
		if l.gateway == nil {
			ch.Log(call.LogWarning, "%s was challenged for realm of a stranger; no gateway and no sip_auth_username: not answered", ch.Name())
		} else {
			ch.Log(call.LogWarning, "%s was challenged by %s, which gateway %s does not name: not answered; sip_auth_username and sip_auth_password on the call answer whoever asks",
				ch.Name(), req.Recipient.Host, l.gateway.name)
		}
		return false
	}
	again := l.buildInvite(ch, sdpOf(req))
	if !s.answer(again, res) {
		return false
	}
	l.mu.Lock()
	l.invite, l.provisional = again, false
	l.mu.Unlock()
	l.dispatch(ch, again)
	return true
}
