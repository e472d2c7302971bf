package sip

import (
	"strconv"

	wire "github.com/emiago/sipgo/sip"

	"github.com/switchlet/switchlet/call"
)

// maxRedirects bounds how often a call follows a 3xx.
const maxRedirects = 5

// redirectedTo follows a 3xx to our INVITE (spec/sip.md §6.4); false: the call
// fails with it.
func (l *leg) redirectedTo(ch *call.Channel, res *wire.Response) bool {
	switch res.StatusCode {
	case 300, 301, 302, 305:
	default:
		return false
	}
	var first *wire.ContactHeader
	n := 0
	for _, h := range res.GetHeaders("Contact") {
		c, ok := h.(*wire.ContactHeader)
		if !ok || c.Address.Host == "" || c.Address.Wildcard || n >= maxContacts {
			continue
		}
		if first == nil {
			first = c
		}
		i := strconv.Itoa(n)
		ch.SetPlain("sip_redirect_contact_"+i, c.Value())
		ch.SetPlain("sip_redirect_contact_user_"+i, unescape(c.Address.User))
		ch.SetPlain("sip_redirect_contact_host_"+i, c.Address.Host)
		if len(c.Address.UriParams) > 0 {
			ch.SetPlain("sip_redirect_contact_params_"+i, c.Address.UriParams.ToString(';'))
		}
		ch.SetPlain("sip_redirect_dialstring_"+i, "sofia/"+l.profile.name+"/"+c.Address.String())
		n++
	}
	if first == nil {
		return false
	}
	ch.SetPlain("sip_redirect_count", strconv.Itoa(n))
	ch.SetPlain("sip_redirected_to", first.Value())
	ch.SetPlain("sip_redirected_by", header(res, "Diversion"))
	ch.SetPlain("sip_redirect_dialstring", "sofia/"+l.profile.name+"/"+first.Address.String())
	l.mu.Lock()
	l.redirects++
	tries, ended := l.redirects, l.state == legEnded
	l.mu.Unlock()
	if ended || tries > maxRedirects {
		return false
	}
	if ch.True("outbound_redirect_fatal") {
		l.endRedirected(ch, res, call.CauseRequestedChanUnavail)
		return true
	}
	if a := l.originator(ch); a != nil && (l.profile.settings().manualRedirect || l.profile.ours(first.Address.Host)) {
		context := a.Profile().Context
		if l.profile.settings().manualRedirect {
			context = or(ch.Get("sip_redirect_context"), "redirected")
		}
		if a.Transfer(unescape(first.Address.User), ch.Get("sip_redirect_dialplan"), context) == nil {
			l.endRedirected(ch, res, call.CauseRedirectionToNew)
			return true
		}
	}
	l.mu.Lock()
	body := l.invite.Body()
	l.target = target{uri: *first.Address.Clone(), transport: uriTransport(&first.Address)}
	l.mu.Unlock()
	again := l.buildInvite(ch, body)
	l.mu.Lock()
	l.invite, l.provisional = again, false
	l.mu.Unlock()
	l.dispatch(ch, again)
	return true
}

func (l *leg) endRedirected(ch *call.Channel, res *wire.Response, cause call.Cause) {
	l.mu.Lock()
	l.state = legEnded
	l.mu.Unlock()
	l.terminate(termination{disposition: "recv_refuse", status: res.StatusCode, phrase: res.Reason, cause: cause})
	ch.Hangup(cause)
}

// originator is the A leg that made this call, or nil.
func (l *leg) originator(ch *call.Channel) *call.Channel {
	for _, name := range []string{"originator", "signal_bond"} {
		if id := ch.Get(name); id != "" {
			if a := ch.Switch().Find(id); a != nil {
				return a
			}
		}
	}
	return nil
}

// ours reports whether a host is one of our addresses or domains.
func (p *Profile) ours(host string) bool {
	for _, q := range p.stack.Profiles() {
		s := q.settings()
		if a := addrOf(host); a.IsValid() && (a == s.sipIP || a == s.extSIP) {
			return true
		}
		for _, alias := range s.aliases {
			if alias == host {
				return true
			}
		}
	}
	return p.stack.Directory.DomainExists(p.ctx, host)
}
