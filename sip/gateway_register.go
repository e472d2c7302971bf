package sip

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	wire "github.com/emiago/sipgo/sip"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
)

// gatewayTick is how often a gateway looks at its state; it does at once when a
// registration was accepted, so that nobody's call is refused meanwhile.
const gatewayTick = time.Second

// resolveInterval is how long the addresses of a proxy are believed.
const resolveInterval = 5 * time.Minute

// run drives the gateway until its profile ends or it is deleted.
func (g *Gateway) run() {
	g.profile.background(func(ctx context.Context) {
		tick := time.NewTicker(gatewayTick)
		defer tick.Stop()
		g.resolve(ctx, time.Now())
		for {
			g.step(time.Now())
			select {
			case <-ctx.Done():
				return
			case now := <-tick.C:
				g.resolve(ctx, now)
			case <-g.accepted:
			}
			if g.gone() {
				g.profile.dropGateway(g)
				return
			}
		}
	})
}

func (g *Gateway) gone() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.deleted && g.state != gwUnregister
}

// resolve keeps the addresses of the proxy, by which its calls are known.
func (g *Gateway) resolve(ctx context.Context, now time.Time) {
	g.mu.Lock()
	due := now.Sub(g.resolved) > resolveInterval
	if due {
		g.resolved = now
	}
	g.mu.Unlock()
	if !due {
		return
	}
	host := g.set.proxyHost
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	found := make(map[netip.Addr]bool)
	if a, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		found[a.Unmap()] = true
	} else {
		dial, stop := context.WithTimeout(ctx, dialLimit)
		ips, err := net.DefaultResolver.LookupNetIP(dial, "ip", host)
		stop()
		if err != nil {
			return
		}
		for _, a := range ips {
			found[a.Unmap()] = true
		}
	}
	g.mu.Lock()
	g.addresses = found
	g.mu.Unlock()
}

// step does what the state asks for now.
func (g *Gateway) step(now time.Time) {
	g.mu.Lock()
	defer g.unlock()
	s := g.set
	switch g.state {
	case gwUnreged:
		g.at = now.Add(time.Duration(s.timeout) * time.Second)
		g.change(gwTrying, g.isUp)
		g.register(g.freq)
	case gwTrying:
		if now.After(g.at) {
			g.failures++
			g.status, g.phrase = 908, "Timeout"
			g.change(gwTimeout, g.isUp)
			g.change(gwFailed, g.isUp)
		}
	case gwRegister:
		g.failures = 0
		g.change(gwReged, true)
	case gwReged:
		if now.After(g.at) {
			g.state = gwUnreged
		}
	case gwFailed:
		wait := time.Duration(s.retry*max(g.failures, 1)) * time.Second
		if g.status == 503 {
			wait = time.Duration(s.retry) * time.Second
		}
		if g.status == 908 {
			wait = time.Duration(s.retry908) * time.Second
		}
		g.at = now.Add(wait)
		g.change(gwFailWait, false)
	case gwFailWait:
		if now.After(g.at) {
			g.state = gwUnreged
		}
	case gwUnregister:
		g.register(0)
		g.change(gwDown, false)
	}
	if s.ping > 0 && g.pingSent.IsZero() && now.After(g.nextPing) && (g.state == gwNoReg || g.state == gwReged) {
		g.pingSent = now
		g.ping()
	}
}

// proxyTarget is where requests about the gateway itself go.
func (g *Gateway) proxyTarget(host string) (*target, error) {
	u, err := parseURI("sip:" + strings.TrimPrefix(strings.TrimPrefix(host, "sip:"), "sips:"))
	if err != nil {
		return nil, err
	}
	if !u.UriParams.Has("transport") {
		u.UriParams = append(u.UriParams, wire.HeaderKV{K: "transport", V: g.set.transport})
	}
	t := &target{uri: u, transport: uriTransport(&u)}
	if g.set.outboundProxy != "" {
		t.route = []string{g.set.outboundProxy}
	}
	return t, nil
}

// register sends a REGISTER; 0 seconds takes the registration back. g.mu is held.
func (g *Gateway) register(expires int) {
	g.seq++
	req, err := g.registerRequest(expires, g.seq)
	if err != nil {
		g.failures++
		g.change(gwFailed, g.isUp)
		return
	}
	tries := 0
	var done func(res *wire.Response, err error)
	done = func(res *wire.Response, err error) {
		if res != nil && (res.StatusCode == 401 || res.StatusCode == 407) && tries < maxChallenges && (tries == 0 || isStale(res)) {
			tries++
			g.mu.Lock()
			g.seq++
			seq := g.seq
			g.mu.Unlock()
			again, err := g.registerRequest(expires, seq)
			if err == nil && g.secret().answer(again, res) {
				g.profile.transact(again, nil, done)
				return
			}
			e := event.New(event.Custom, "sofia::gateway_invalid_digest_req")
			e.Add("Gateway", g.name)
			g.profile.publish(e)
		}
		if res != nil && res.StatusCode < 200 || expires == 0 {
			return
		}
		g.registered(res, err)
	}
	g.profile.transact(req, nil, done)
}

func (g *Gateway) registerRequest(expires int, seq uint32) (*wire.Request, error) {
	t, err := g.proxyTarget(or(g.set.registerProxy, g.set.proxyHost))
	if err != nil {
		return nil, err
	}
	address := "<sip:" + escapeUser(g.set.fromUser) + "@" + g.set.fromDomain + ">"
	to := address
	if g.set.distinctTo {
		to = "<sip:" + escapeUser(g.set.username) + "@" + g.set.realm + ">"
	}
	req := g.profile.newRequest(wire.REGISTER, t, address+";tag="+newTag(), to, g.callID, seq, 70)
	put(req, field{"Contact", g.contact(addrOf(uriDestination(&t.uri)))}, field{"Expires", strconv.Itoa(expires)})
	g.profile.identify(req)
	setBody(req, "", nil)
	return req, nil
}

// registered follows the final response to a REGISTER.
func (g *Gateway) registered(res *wire.Response, err error) {
	now := time.Now()
	g.mu.Lock()
	defer g.unlock()
	if g.state != gwTrying {
		return
	}
	if res == nil {
		if errors.Is(err, wire.ErrTransactionTimeout) {
			g.status, g.phrase = 408, phrase(408)
		} else {
			g.status, g.phrase = 503, phrase(503)
		}
		g.failures++
		g.profile.log(call.LogWarning, "%s Failed Registration [%d]: %v", g.name, g.failures, err)
		g.change(gwFailed, g.isUp)
		return
	}
	g.status, g.phrase = res.StatusCode, res.Reason
	if host, port, err := net.SplitHostPort(res.Source()); err == nil {
		g.network = host + "|" + port
	}
	if res.StatusCode >= 300 {
		if res.StatusCode == 423 {
			if n, err := strconv.Atoi(header(res, "Min-Expires")); err == nil && n > g.freq && n < maxExpires {
				g.freq = n
			}
		}
		g.failures++
		g.profile.log(call.LogWarning, "%s Failed Registration [%d] with status %s", g.name, g.failures, res.Reason)
		g.change(gwFailed, g.isUp)
		return
	}
	g.at = now.Add(g.refreshAfter(res))
	g.change(gwRegister, g.isUp)
	select {
	case g.accepted <- struct{}{}:
	default:
	}
}

// refreshAfter is when the registration is renewed.
func (g *Gateway) refreshAfter(res *wire.Response) time.Duration {
	told := 0
	for _, h := range res.GetHeaders("Contact") {
		c, ok := h.(*wire.ContactHeader)
		if !ok || c.Address.User != g.contactUser() {
			continue
		}
		if n, err := strconv.Atoi(param(c.Params, "expires")); err == nil && n > 0 {
			told = n
		}
	}
	if told == 0 {
		if n, err := strconv.Atoi(strings.TrimSpace(header(res, "Expires"))); err == nil && n > 0 {
			told = n
		}
	}
	n := g.freq
	switch {
	case told > 60 && told <= maxExpires:
		n = told - 15
	case told > 0 && told <= maxExpires:
		n = max(told-2, 1)
	case n > 30:
		n -= 15
	default:
		n = max(n/2, 1)
	}
	return time.Duration(n) * time.Second
}

// ping sends OPTIONS; g.mu is held.
func (g *Gateway) ping() {
	host := or(g.set.fromDomain, g.set.proxyHost)
	t, err := g.proxyTarget(host)
	if err != nil {
		g.pingSent = time.Time{}
		return
	}
	if hop, err := g.proxyTarget(g.set.proxyHost); err == nil {
		t.next = uriDestination(&hop.uri)
	}
	if len(t.route) > 0 {
		t.next = ""
	}
	address := "<sip:" + host + ">"
	req := g.profile.newRequest(wire.OPTIONS, t, address+";tag="+newTag(), address, call.NewUUID(), 1, 70)
	put(req, field{"Contact", g.contact(addrOf(t.next))})
	s := g.profile.settings()
	put(req, field{"User-Agent", or(g.set.pingAgent, s.agent)}, field{"Allow", s.allow()}, field{"Supported", s.supported()})
	setBody(req, "", nil)
	sent := time.Now()
	g.profile.transact(req, nil, func(res *wire.Response, err error) {
		if res != nil && res.StatusCode < 200 {
			return
		}
		g.pinged(res, time.Since(sent))
	})
}

// pinged counts an answer to a ping, or its absence.
func (g *Gateway) pinged(res *wire.Response, took time.Duration) {
	good := res != nil && res.StatusCode < 600 && res.StatusCode != 408 && res.StatusCode != 503
	g.mu.Lock()
	defer g.unlock()
	if g.set.pingMonitoring {
		told := len(g.events)
		defer func() {
			if len(g.events) == told && res != nil {
				g.tell(res.StatusCode, res.Reason)
			} else if len(g.events) == told {
				g.tell(408, phrase(408))
			}
		}()
	}
	g.pingSent = time.Time{}
	g.nextPing = time.Now().Add(time.Duration(g.set.ping) * time.Second)
	if good {
		g.pingTime = took
		g.pingCount = min(g.pingCount+1, g.set.pingMax)
		if g.pingCount >= g.set.pingMin && !g.isUp {
			g.change(g.state, true)
		}
		return
	}
	g.pingCount = max(g.pingCount-1, 0)
	if g.pingCount >= g.set.pingMin && g.set.pingMin > 0 {
		return
	}
	if g.state == gwReged {
		g.status, g.phrase = 0, ""
		g.change(gwFailed, false)
		return
	}
	g.change(g.state, false)
}

// unregister takes the registration back.
func (g *Gateway) unregister() {
	g.mu.Lock()
	defer g.unlock()
	if g.set.register && g.state != gwDown {
		g.change(gwUnregister, g.isUp)
	}
}

// reregister registers anew at once.
func (g *Gateway) reregister() {
	g.mu.Lock()
	defer g.unlock()
	g.failures = 0
	g.state = gwUnreged
}

// remove marks the gateway for deletion.
func (g *Gateway) remove() {
	g.mu.Lock()
	defer g.unlock()
	if g.deleted {
		return
	}
	g.deleted = true
	if g.set.register && (g.state == gwReged || g.state == gwRegister) {
		g.change(gwUnregister, g.isUp)
	}
}

// dropGateway forgets a deleted gateway.
func (p *Profile) dropGateway(g *Gateway) {
	p.mu.Lock()
	for i, o := range p.gateways {
		if o == g {
			p.gateways = append(p.gateways[:i], p.gateways[i+1:]...)
			break
		}
	}
	p.mu.Unlock()
	e := event.New(event.Custom, "sofia::gateway_delete")
	e.Add("profile-name", p.name)
	e.Add("Gateway", g.name)
	p.publish(e)
}

// unregisterLimit bounds how long a stopping profile waits for its gateways.
const unregisterLimit = time.Second

// stopGateways takes all registrations back.
func (p *Profile) stopGateways() {
	var told []<-chan struct{}
	for _, g := range p.gatewayList() {
		g.mu.Lock()
		if g.set.register && (g.state == gwReged || g.state == gwRegister) {
			g.seq++
			if req, err := g.registerRequest(0, g.seq); err == nil {
				done := make(chan struct{})
				tries := 0
				var answer func(res *wire.Response, err error)
				answer = func(res *wire.Response, err error) {
					if res != nil && res.StatusCode < 200 {
						return
					}
					if res != nil && (res.StatusCode == 401 || res.StatusCode == 407) && tries == 0 {
						tries++
						g.mu.Lock()
						g.seq++
						seq := g.seq
						g.mu.Unlock()
						if again, err := g.registerRequest(0, seq); err == nil && g.secret().answer(again, res) {
							p.transact(again, nil, answer)
							return
						}
					}
					close(done)
				}
				p.transact(req, nil, answer)
				told = append(told, done)
			}
			g.change(gwDown, false)
		}
		g.unlock()
	}
	limit := time.After(unregisterLimit)
	for _, done := range told {
		select {
		case <-done:
		case <-limit:
			return
		}
	}
}
