package sip

import (
	"strconv"
	"strings"

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
	caller := l.originator(ch)
	set := func(name, value string) {
		if value == "" {
			return
		}
		ch.SetPlain(name, value)
		if caller != nil {
			caller.SetPlain(name, value)
		}
	}
	var first *wire.ContactHeader
	var all []string
	via := "sofia/" + or(ch.Get("sip_redirect_profile"), l.profile.name) + "/"
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
		set("sip_redirect_contact_"+i, c.Value())
		set("sip_redirect_contact_user_"+i, unescape(c.Address.User))
		set("sip_redirect_contact_host_"+i, c.Address.Host)
		set("sip_redirect_contact_params_"+i, c.Address.UriParams.ToString(';'))
		if dialable(&c.Address) {
			all = append(all, via+c.Address.String())
			set("sip_redirect_dialstring_"+i, via+c.Address.String())
		}
		n++
	}
	if first == nil {
		return false
	}
	separator := "|"
	if ch.True("sip_redirect_fork") {
		separator = ","
	}
	set("sip_redirect_count", strconv.Itoa(n))
	set("sip_redirected_to", first.Value())
	set("sip_redirected_by", header(res, "Diversion"))
	set("sip_redirect_dialstring", strings.Join(all, separator))
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
	if a := caller; a != nil && (l.profile.settings().manualRedirect || l.profile.ours(first.Address.Host)) {
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
	body := sdpOf(l.invite)
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
