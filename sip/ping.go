package sip

import (
	"math/rand/v2"
	"strings"
	"time"

	wire "github.com/emiago/sipgo/sip"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
)

// pingDue sends OPTIONS to the bindings whose time has come (spec/sip.md §4.4).
func (r *registrar) pingDue(now time.Time) {
	s := r.p.settings()
	var due []*binding
	r.mu.Lock()
	for _, list := range r.users {
		for _, b := range list {
			if !s.allPing && !b.forcePing && !(s.natPing && strings.Contains(b.Status, "NAT")) {
				continue
			}
			if b.nextPing.IsZero() {
				b.nextPing = now.Add(pingGap(s.pingInterval))
			}
			if b.pinging || now.Before(b.nextPing) || len(due) >= maxPings {
				continue
			}
			b.pinging = true
			b.nextPing = now.Add(pingGap(s.pingInterval))
			due = append(due, b)
		}
	}
	r.mu.Unlock()
	for _, b := range due {
		r.ping(b)
	}
}

// maxPings bounds the pings that one second begins.
const maxPings = 200

// pingGap is uniform around its mean.
func pingGap(mean int) time.Duration {
	return time.Duration(rand.Int64N(2*int64(mean)*int64(time.Second))) + time.Second
}

func (r *registrar) ping(b *binding) {
	t, err := r.p.contactTarget(b.dialURI())
	if err != nil {
		return
	}
	r.p.streamOf(b, t)
	from := "<sip:" + r.p.host(addrOf(t.next)) + ">;tag=" + newTag()
	req := r.p.newRequest(wire.OPTIONS, t, from, "<"+t.uri.String()+">", call.NewUUID()+"_"+b.CallID, 1, 70)
	put(req, field{"Contact", r.p.contact(r.p.settings().contactUser, "", addrOf(t.next), t.transport)})
	r.p.identify(req)
	setBody(req, "", nil)
	sent := time.Now()
	r.p.transact(req, nil, func(res *wire.Response, err error) {
		if res != nil && res.StatusCode < 200 {
			return
		}
		r.pinged(b, res, time.Since(sent))
	})
}

// pinged counts an answer or its absence.
func (r *registrar) pinged(b *binding, res *wire.Response, took time.Duration) {
	s := r.p.settings()
	good := res != nil && (res.StatusCode == 200 || res.StatusCode == 486)
	r.mu.Lock()
	b.pinging = false
	was := b.Reachable
	if good {
		b.PingTime = took
		b.PingCount = min(b.PingCount+1, s.pingMax)
		b.Reachable = b.PingCount >= s.pingMin
	} else {
		b.PingCount = max(b.PingCount-1, 0)
		b.Reachable = b.PingCount >= s.pingMin
	}
	now := b.Reachable
	r.mu.Unlock()
	if was == now {
		return
	}
	if r.p.wanted("sofia::sip_user_state") {
		status, text := "REACHABLE", "Reachable"
		if !now {
			status, text = "UNREACHABLE", "Unreachable"
		}
		e := event.New(event.Custom, "sofia::sip_user_state")
		for _, f := range []field{{"sip_contact", b.Contact}, {"profile-name", r.p.name}, {"sip_user", b.User}, {"from-user", b.User},
			{"from-host", b.Host}, {"call-id", b.CallID}, {"Ping-Status", status}, {"Status", text}} {
			e.Add(f.name, f.value)
		}
		if res != nil {
			e.Add("Phrase", res.Reason)
		}
		r.p.publish(e)
	}
	if !now && s.unregisterOnFail && r.remove(b) {
		r.expired(b)
	}
}

// contactTarget is where a request to a registered contact goes: fs_path is its
// route, and what we added for ourselves is taken off the URI.
func (p *Profile) contactTarget(uri string) (*target, error) {
	path := ""
	if i := strings.Index(uri, ";fs_path="); i >= 0 {
		rest := uri[i+len(";fs_path="):]
		end := strings.IndexByte(rest, ';')
		if end < 0 {
			end = len(rest)
		}
		path = unescape(rest[:end])
		uri = uri[:i] + rest[end:]
	}
	uri = strings.Replace(uri, ";fs_nat=yes", "", 1)
	u, err := parseURI(uri)
	if err != nil {
		return nil, err
	}
	t := &target{uri: u, transport: uriTransport(&u)}
	t.next = uriDestination(&u)
	if path != "" {
		hop, err := parseURI(path)
		if err != nil {
			return nil, err
		}
		t.next = uriDestination(&hop)
		if v := param(hop.UriParams, "transport"); v != "" {
			t.transport = strings.ToLower(v)
		}
		if param(hop.UriParams, "lr") != "" || hop.UriParams.Has("lr") {
			t.route = []string{"<" + path + ">"}
		}
	}
	return t, nil
}

// streamOf sends a request to a phone through the connection that it opened, as
// long as that stands.
func (p *Profile) streamOf(b *binding, t *target) {
	if b.Stream == "" || (t.transport != "tcp" && t.transport != "tls") {
		return
	}
	if c := p.transport.Pool(t.transport).Get(b.Stream); c != nil {
		c.TryClose()
		t.next = b.Stream
	}
}

// checkSync tells phones to read their configuration again.
func (p *Profile) checkSync(args []string) {
	match := func(*binding) bool { return true }
	if len(args) > 0 {
		match = matchRegistration(args[0])
	}
	for _, b := range p.registrar.all() {
		if match(b) {
			p.tellSync(b)
		}
	}
}

// tellSync sends a NOTIFY check-sync.
func (p *Profile) tellSync(b *binding) {
	t, err := p.contactTarget(b.dialURI())
	if err != nil {
		return
	}
	p.streamOf(b, t)
	me := "<sip:" + b.User + "@" + b.Host + ">"
	req := p.newRequest(wire.NOTIFY, t, me+";tag="+newTag(), me, call.NewUUID(), 1, 70)
	put(req, field{"Contact", p.contact(escapeUser(b.User), "", addrOf(t.next), t.transport)})
	p.identify(req)
	put(req, field{"Event", "check-sync;reboot=true"}, field{"Subscription-State", "terminated;reason=noresource"})
	setBody(req, "", nil)
	p.transact(req, nil, func(*wire.Response, error) {})
}
