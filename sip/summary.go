package sip

import (
	"net"
	"strings"
	"sync"

	wire "github.com/emiago/sipgo/sip"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
)

const (
	maxSummaries   = 10000 // accounts whose messages are remembered
	maxSummary     = 2048  // bytes of what is told of one
	summaryPrefix  = "mwi-"
	summaryHeaders = 32
)

// summaries are what MESSAGE_WAITING events said last of each account: whether its
// lamp is lit. A phone that subscribes later is told so, too.
type summaries struct {
	mu   sync.Mutex
	said map[string]string // by user@host in lower case
}

// set keeps what was said in the place of what was said of the user at any host that
// counts as the given one. Where there are too many accounts, those that have messages
// stay, and the new one is told of but not remembered.
func (m *summaries) set(profiles []*Profile, user, host, text string, waiting bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.said, userKey(user, host))
	for _, p := range profiles {
		for _, h := range p.alike(host) {
			delete(m.said, userKey(user, h))
		}
	}
	if !waiting || len(m.said) >= maxSummaries {
		return
	}
	if m.said == nil {
		m.said = map[string]string{}
	}
	m.said[userKey(user, host)] = text
}

// get is what was said of a user at any host that counts as the given one; of one
// without messages it is about account, an address with its scheme.
func (m *summaries) get(p *Profile, user, host, account string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, h := range p.alike(host) {
		if text, ok := m.said[userKey(user, h)]; ok {
			return text
		}
	}
	return "Messages-Waiting: no\r\nMessage-Account: " + account + "\r\n\r\n"
}

// alike are the hosts that stand for one domain, the given one first.
func (p *Profile) alike(host string) []string {
	hosts := []string{host}
	for h := range strings.SplitSeq(p.settings().presenceHosts, ",") {
		if h = strings.TrimSpace(h); h != "" && p.sameHost(h, host) {
			hosts = append(hosts, h)
		}
	}
	return hosts
}

// summaryOf is the document (RFC 3842) that an event is about, "" if it is none.
func summaryOf(e *event.Event) string {
	var b strings.Builder
	n := 0
	for _, h := range e.Headers {
		if len(h.Name) <= len(summaryPrefix) || !strings.EqualFold(h.Name[:len(summaryPrefix)], summaryPrefix) {
			continue
		}
		name, value := h.Name[len(summaryPrefix):], clean(h.Value)
		if strings.EqualFold(name, "Message-Account") && !strings.HasPrefix(strings.ToLower(value), "sip:") {
			value = "sip:" + value
		}
		if strings.ContainsAny(name, ": \t\r\n\x00") {
			continue
		}
		if n++; n > summaryHeaders || b.Len()+len(name)+len(value) > maxSummary {
			break
		}
		b.WriteString(name + ": " + value + "\r\n")
	}
	b.WriteString("\r\n")
	return b.String()
}

// messageWaiting takes a MESSAGE_WAITING: the phones that subscribed to the account
// are told, and those that registered for it without a subscription.
func (s *Stack) messageWaiting(e *event.Event) {
	account, waiting := e.Get("MWI-Message-Account"), e.Get("MWI-Messages-Waiting")
	if account == "" || waiting == "" {
		s.Switch.Log.Printf(call.LogErr, "MESSAGE_WAITING wants the headers MWI-Message-Account and MWI-Messages-Waiting")
		return
	}
	user, host := splitAddress(account)
	text := summaryOf(e)
	profiles := s.Profiles()
	s.summaries.set(profiles, user, host, text, strings.EqualFold(waiting, "yes"))
	told := map[string]bool{}
	for _, w := range s.watchers.of(user, nil) {
		if w.pack == summaryPackage && w.profile.sameHost(w.host, host) {
			w.mu.Lock()
			w.summary = text
			told[w.target.next] = true
			w.mu.Unlock()
			s.watchers.tell(w, false)
		}
	}
	name := e.Get("Sofia-Profile")
	for _, p := range profiles {
		if name != "" && s.Profile(name) != nil && s.Profile(name) != p {
			continue
		}
		for _, b := range p.registrar.of(user, host) {
			if !told[net.JoinHostPort(b.NetworkIP, b.NetworkPort)] {
				p.sendSummary(b, text)
			}
		}
	}
}

// of returns the bindings that are told of an account's messages.
func (r *registrar) of(user, host string) (out []*binding) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, list := range r.users {
		for _, b := range list {
			if strings.EqualFold(b.MWIUser, user) && r.p.sameHost(b.MWIHost, host) {
				out = append(out, b)
			}
		}
	}
	return out
}

// welcome tells a phone that has just registered whether messages wait for it.
func (p *Profile) welcome(b *binding) {
	p.sendSummary(b, p.stack.summaries.get(p, b.MWIUser, b.MWIHost, "sip:"+b.MWIUser+"@"+b.MWIHost))
}

// sendSummary tells a phone that did not ask.
func (p *Profile) sendSummary(b *binding, text string) {
	t, err := p.contactTarget(b.dialURI())
	if err != nil {
		return
	}
	p.streamOf(b, t)
	address := "<sip:" + escapeUser(b.User) + "@" + b.Host + ">"
	n := p.newRequest(wire.NOTIFY, t, address+";tag="+newTag(), address, call.NewUUID(), 1, 70)
	put(n, field{"Contact", p.contact(escapeUser(b.User), "", addrOf(t.next), t.transport)})
	p.identify(n)
	put(n, field{"Event", summaryPackage}, field{"Allow-Events", p.settings().events()}, field{"Subscription-State", "terminated;reason=noresource"})
	setBody(n, summaryType, []byte(text))
	p.transact(n, nil, func(*wire.Response, error) {})
}
