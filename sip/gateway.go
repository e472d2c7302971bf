package sip

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	wire "github.com/emiago/sipgo/sip"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/conf"
)

// gatewaySettings are the parameters of a gateway (spec/sip.md §6.5).
type gatewaySettings struct {
	username, password, authUser      string
	realm                             string
	realmSet                          bool   // the realm was written, so it must fit
	proxyHost                         string // host[:port] of the proxy
	registerProxy, outboundProxy      string
	fromUser, fromDomain              string
	extension                         string
	distinctTo                        bool
	register                          bool
	transport                         string
	expires, retry, retry908          int // seconds
	timeout                           int
	ping, pingMin, pingMax            int
	context                           string
	callerIDInFrom                    bool
	prefix                            string
	contactParams, contactHost        string
	extensionInContact, contactInPing bool
	pingAgent                         string // User-Agent of pings, "" is the profile's
	pingMonitoring                    bool   // each answer to a ping, or none, is told
	authACL                           string
	vars                              []gatewayVar
}

type gatewayVar struct{ direction, name, value string }

// variables are those of a direction.
func (s *gatewaySettings) variables(direction string) []call.Var {
	var out []call.Var
	for _, v := range s.vars {
		if v.direction == "" || v.direction == direction {
			out = append(out, call.Var{Name: v.name, Value: v.value})
		}
	}
	return out
}

var gatewayName = regexp.MustCompile(`^[\w\.\-\_]+$`)

// readGateway reads a <gateway> element.
func readGateway(n *conf.Node, profileContext string) (string, *gatewaySettings, error) {
	name := n.Attr("name")
	if !gatewayName.MatchString(name) {
		return "", nil, fmt.Errorf("sip: %s: %q cannot be the name of a gateway: use letters, digits, dot, dash and underscore", n.Where(), name)
	}
	p := conf.Params(n)
	s := &gatewaySettings{
		register: p.Bool("register", true), transport: strings.ToLower(or(p.Get("register-transport"), "udp")),
		username: p.Get("username"), password: p.Get("password"),
		registerProxy: p.Get("register-proxy"), callerIDInFrom: p.Bool("caller-id-in-from", false),
		prefix: p.Get("destination-prefix"), contactParams: p.Get("contact-params"), contactHost: p.Get("contact-host"),
		extensionInContact: p.Bool("extension-in-contact", false), contactInPing: p.Bool("contact-in-ping", false),
		pingAgent: p.Get("ping-user-agent"), pingMonitoring: p.Bool("ping-monitoring", false),
		distinctTo: p.Bool("distinct-to", false), authACL: p.Get("gw-auth-acl"),
		context: or(p.Get("context"), or(profileContext, "default")),
		expires: p.Int("expire-seconds", 3600),
	}
	if s.register && s.username == "" {
		return "", nil, fmt.Errorf("sip: %s: gateway %s registers but has no username: add one, or set register to false", n.Where(), name)
	}
	if s.register && s.password == "" {
		return "", nil, fmt.Errorf("sip: %s: gateway %s registers but has no password: add one, or set register to false", n.Where(), name)
	}
	s.username = or(s.username, "FreeSWITCH")
	s.authUser = or(p.Get("auth-username"), s.username)
	s.realm, s.realmSet = p.Get("realm"), p.Get("realm") != ""
	proxy := p.Get("proxy")
	s.realm = or(s.realm, or(proxy, name))
	proxy = or(proxy, s.realm)
	proxy = strings.TrimPrefix(strings.TrimPrefix(proxy, "sips:"), "sip:")
	host, params, _ := strings.Cut(proxy, ";")
	s.proxyHost = host
	for item := range strings.SplitSeq(params, ";") {
		if k, v, ok := strings.Cut(item, "="); ok && strings.EqualFold(k, "transport") {
			s.transport = strings.ToLower(v)
		}
	}
	if v := p.Get("outbound-proxy"); v != "" {
		s.outboundProxy = bracketed(v)
	}
	s.fromUser, s.fromDomain = or(p.Get("from-user"), s.username), or(p.Get("from-domain"), host)
	s.extension = or(p.Get("extension"), s.username)
	s.retry = atLeast(p.Int("retry-seconds", 30), 5, 30)
	s.retry908 = p.Int("908-retry-seconds", s.retry)
	s.timeout = atLeast(p.Int("timeout-seconds", 60), 5, 60)
	if n := p.Int("ping", 0); n > 0 {
		s.ping = max(n, 5)
	}
	s.pingMin, s.pingMax = max(p.Int("ping-min", 1), 0), max(p.Int("ping-max", 1), 1)
	for _, v := range n.Child("variables").ChildrenNamed("variable") {
		s.vars = append(s.vars, gatewayVar{v.Attr("direction"), v.Attr("name"), v.Attr("value")})
	}
	return name, s, nil
}

func atLeast(n, low, otherwise int) int {
	if n < low {
		return otherwise
	}
	return n
}

// gatewayState is where a gateway's registration stands.
type gatewayState string

// The states that status commands and events show.
const (
	gwUnreged    gatewayState = "UNREGED"
	gwTrying     gatewayState = "TRYING"
	gwRegister   gatewayState = "REGISTER"
	gwReged      gatewayState = "REGED"
	gwUnregister gatewayState = "UNREGISTER"
	gwFailed     gatewayState = "FAILED"
	gwFailWait   gatewayState = "FAIL_WAIT"
	gwExpired    gatewayState = "EXPIRED"
	gwNoReg      gatewayState = "NOREG"
	gwDown       gatewayState = "DOWN"
	gwTimeout    gatewayState = "TIMEOUT"
)

// Gateway is a carrier that a profile calls through, and may register with.
type Gateway struct {
	profile *Profile
	name    string
	set     *gatewaySettings
	callID  string

	callsIn, callsOut, failedIn, failedOut atomic.Uint64

	accepted chan struct{} // a REGISTER was: the next step need not wait for its tick

	mu        sync.Mutex
	state     gatewayState
	isUp      bool
	deleted   bool
	failures  int
	seq       uint32
	at        time.Time // when the state's time is over: refresh, retry, give up
	status    int       // of the last REGISTER
	phrase    string
	since     time.Time // UP since
	nextPing  time.Time
	pingSent  time.Time // zero: none is out
	pingTime  time.Duration
	pingCount int
	addresses map[netip.Addr]bool // of the proxy
	resolved  time.Time
	network   string // that the last answer came from
	freq      int
	events    []*event.Event // to be published by unlock
}

func newGateway(p *Profile, name string, s *gatewaySettings) *Gateway {
	g := &Gateway{profile: p, name: name, set: s, callID: call.NewUUID(), state: gwUnreged, freq: s.expires,
		accepted: make(chan struct{}, 1)}
	g.pingCount = s.pingMax
	if !s.register {
		g.state, g.isUp, g.since = gwNoReg, true, time.Now()
	}
	if s.ping > 0 {
		g.nextPing = time.Now().Add(time.Duration(s.ping) * time.Second)
	}
	return g
}

// up reports whether calls may go out.
func (g *Gateway) up() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.isUp && !g.deleted
}

// secret is what the gateway's challenges are answered with.
func (g *Gateway) secret() secret {
	s := secret{username: g.set.authUser, password: g.set.password}
	if g.set.realmSet {
		s.realm = g.set.realm
	}
	return s
}

func (g *Gateway) contactUser() string {
	if g.set.extensionInContact {
		return escapeUser(g.set.extension)
	}
	return "gw+" + g.name
}

func (g *Gateway) contactParams() string {
	params := ";transport=" + g.set.transport + ";gw=" + g.name
	if g.set.extensionInContact {
		params = ""
	}
	if g.set.contactParams != "" {
		params += ";" + strings.TrimPrefix(g.set.contactParams, ";")
	}
	return params
}

// contact is our Contact towards the gateway.
func (g *Gateway) contact(peer netip.Addr) string {
	host := g.profile.host(peer)
	if v := g.set.contactHost; v != "" && v != "sip-ip" {
		host = v
	}
	return "<sip:" + g.contactUser() + "@" + host + ":" + strconv.Itoa(g.profile.portOf(g.set.transport)) + g.contactParams() + ">"
}

// destination is where an inbound call from the gateway is routed to.
func (g *Gateway) destination(req *wire.Request, dialled string) string {
	switch g.set.extension {
	case "auto_to_user":
		return or(unescape(req.To().Address.User), dialled)
	case "auto":
		return dialled
	}
	return g.set.extension
}

// callEnded counts a failed call.
func (g *Gateway) callEnded(outbound bool, t termination) {
	if t.status < 300 {
		return
	}
	if outbound {
		g.failedOut.Add(1)
	} else {
		g.failedIn.Add(1)
	}
}

// change sets state and status and notes a gateway_state event if anything
// changed; g.mu is held, and given back by unlock.
func (g *Gateway) change(state gatewayState, up bool) {
	if g.state == state && g.isUp == up {
		return
	}
	if up && !g.isUp {
		g.since = time.Now()
	}
	g.state, g.isUp = state, up
	g.tell(g.status, g.phrase)
}

// tell makes the event that says how the gateway stands; g.mu is held. status is what
// the carrier said last, 0 for nothing.
func (g *Gateway) tell(status int, phrase string) {
	if !g.profile.wanted("sofia::gateway_state") {
		return
	}
	e := event.New(event.Custom, "sofia::gateway_state")
	e.Add("Gateway", g.name)
	e.Add("State", string(g.state))
	e.Add("Ping-Status", upText(g.isUp))
	if host, port, ok := strings.Cut(g.network, "|"); ok && g.state == gwReged {
		e.Add("Register-Network-IP", host)
		e.Add("Register-Network-Port", port)
	}
	if status > 0 {
		e.Add("Phrase", phrase)
		e.Add("Status", strconv.Itoa(status))
	}
	g.events = append(g.events, e)
}

// unlock gives the lock back and publishes what change noted: nobody is called
// while it is held.
func (g *Gateway) unlock() {
	events := g.events
	g.events = nil
	g.mu.Unlock()
	for _, e := range events {
		g.profile.publish(e)
	}
}

func upText(up bool) string {
	if up {
		return "UP"
	}
	return "DOWN"
}

// loadGateways reads the gateways of a profile's element, and those that users of
// its domains have; running ones stay as they are.
func (p *Profile) loadGateways(n *conf.Node) {
	add := func(gn *conf.Node) {
		name, s, err := readGateway(gn, p.settings().context)
		if err != nil {
			p.log(call.LogErr, "%v", err)
			return
		}
		if p.stack.Gateway(name) != nil {
			return
		}
		g := newGateway(p, name, s)
		p.mu.Lock()
		p.gateways = append(p.gateways, g)
		p.mu.Unlock()
		e := event.New(event.Custom, "sofia::gateway_add")
		e.Add("Gateway", name)
		e.Add("profile-name", p.name)
		p.publish(e)
		g.run()
	}
	for _, gn := range n.Child("gateways").ChildrenNamed("gateway") {
		add(gn)
	}
	for _, d := range n.Child("domains").ChildrenNamed("domain") {
		if !conf.True(d.Attr("parse")) {
			continue
		}
		names := []string{d.Attr("name")}
		if names[0] == "all" {
			names = p.stack.Directory.Domains()
		}
		for _, name := range names {
			domain := p.stack.Directory.Domain(p.ctx, name, nil)
			for _, u := range usersOf(domain) {
				for _, gn := range u.Child("gateways").ChildrenNamed("gateway") {
					add(gn)
				}
			}
		}
	}
}

// usersOf are the users of a domain, in groups and outside.
func usersOf(domain *conf.Node) []*conf.Node {
	out := append(domain.ChildrenNamed("user"), domain.Child("users").ChildrenNamed("user")...)
	for _, g := range domain.Child("groups").ChildrenNamed("group") {
		out = append(out, g.Child("users").ChildrenNamed("user")...)
	}
	return out
}

// Gateway finds a gateway by NAME or PROFILE::NAME.
func (s *Stack) Gateway(name string) *Gateway {
	profile := ""
	if p, n, ok := strings.Cut(name, "::"); ok {
		profile, name = p, n
	}
	for _, p := range s.Profiles() {
		if profile != "" && p.name != profile {
			continue
		}
		for _, g := range p.gatewayList() {
			if g.name == name {
				return g
			}
		}
	}
	return nil
}

// gatewayList are the profile's gateways that are not marked for deletion.
func (p *Profile) gatewayList() []*Gateway {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []*Gateway
	for _, g := range p.gateways {
		g.mu.Lock()
		if !g.deleted {
			out = append(out, g)
		}
		g.mu.Unlock()
	}
	return out
}

// gatewayOf is the gateway that an INVITE's Request-URI names.
func (p *Profile) gatewayOf(req *wire.Request) *Gateway {
	name := param(req.Recipient.UriParams, "gw")
	if rest, ok := strings.CutPrefix(req.Recipient.User, "gw+"); ok {
		name = rest
	}
	if name == "" {
		return nil
	}
	for _, g := range p.gatewayList() {
		if g.name == name {
			return g
		}
	}
	return nil
}

// gatewayAt is the gateway whose proxy has the address: a carrier that we
// registered with, or named, may call us.
func (p *Profile) gatewayAt(source netip.Addr) *Gateway {
	for _, g := range p.gatewayList() {
		if g.set.authACL != "" {
			if p.stack.inList(source, g.set.authACL) {
				return g
			}
			continue
		}
		g.mu.Lock()
		hit := g.addresses[source]
		g.mu.Unlock()
		if hit && !source.IsLoopback() {
			return g
		}
	}
	return nil
}
