package webrtc

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/switchlet/switchlet/conf"
)

// Limits of verto.conf (spec/verto.md §10).
const (
	maxBinds        = 25
	maxCandidateACL = 25
	maxRTPAddresses = 24
	defaultDetach   = 120 // seconds
)

// bind is one address that a profile listens on.
type bind struct {
	address string // host:port, IPv6 in brackets
	secure  bool
	up      bool // guarded by Server.mu
}

func (b *bind) id() string {
	if b.secure {
		return "wss:" + b.address
	}
	return "ws:" + b.address
}

// profile is one <profile> of verto.conf.
type profile struct {
	name          string
	binds         []*bind
	userauth      string // "true", "@domain", or "" for nobody is asked
	forceDomain   string
	chopDomain    bool
	blind         bool
	root          string // root-password
	sendPassword  bool
	context       string
	dialplan      string
	inbound       string // codec strings
	outbound      string
	rtpIPs        []netip.Addr
	extIPs        []netip.Addr
	localNetwork  string // the list of addresses that need no ext-rtp-ip
	candidateACL  []string
	connectionACL []string
	files         CertificateFiles
	jitter        string // auto-jitterbuffer-msec
	origins       []string
	clientCaller  bool // a browser's own caller id counts
	text          bool // real-time text (enable-text)
	ice           iceServers
	vhost         *vhost // nil: the port serves no files
}

// settings are the <settings> of verto.conf.
type settings struct {
	detach       int // seconds
	presence     bool
	fsEvents     bool
	sendPassword bool
}

// readSettings reads <settings>.
func readSettings(c *conf.Node) settings {
	p := conf.Params(c)
	return settings{
		detach:       max(p.Int("detach-timeout-sec", defaultDetach), 0),
		presence:     p.Bool("enable-presence", true),
		fsEvents:     p.Bool("enable-fs-events", false),
		sendPassword: p.Bool("send-auth-password", false),
	}
}

// readProfiles reads the profiles that can be used. What cannot is said in
// problems, each with its place and what to write instead.
func (s *Server) readProfiles(ctx context.Context, c *conf.Node) (list []*profile, problems []string) {
	for _, n := range c.Child("profiles").ChildrenNamed("profile") {
		p, said := s.readProfile(ctx, n)
		problems = append(problems, said...)
		if p != nil {
			list = append(list, p)
		}
	}
	return list, problems
}

func (s *Server) readProfile(ctx context.Context, n *conf.Node) (*profile, []string) {
	params := conf.Params(n)
	p := &profile{
		name: n.Attr("name"), userauth: params.Get("userauth"), forceDomain: params.Get("force-register-domain"),
		chopDomain: params.Bool("chop-domain", true), blind: params.Bool("blind-reg", false),
		root: params.Get("root-password"), sendPassword: params.Bool("send-auth-password", false),
		context: params.Get("context"), dialplan: params.Get("dialplan"),
		inbound: params.Get("inbound-codec-string"), outbound: params.Get("outbound-codec-string"),
		jitter: orElse(params.Get("auto-jitterbuffer-msec"), defaultJitter), localNetwork: params.Get("local-network"), candidateACL: params.All("apply-candidate-acl"), connectionACL: params.All("apply-connection-acl"),
		files: CertificateFiles{Combined: params.Get("secure-combined"), Cert: params.Get("secure-cert"), Key: params.Get("secure-key"),
			Chain: params.Get("secure-chain")},
		origins:      params.All("allowed-origins"),
		clientCaller: params.Bool("allow-client-caller-id", false),
		text:         params.Bool("enable-text", false),
	}
	var problems []string
	say := func(format string, args ...any) {
		problems = append(problems, n.Where()+": profile "+p.name+": "+fmt.Sprintf(format, args...))
	}
	p.ice = readICEServers(params, say)
	if p.localNetwork == "" {
		p.localNetwork = "localnet.auto"
	}
	if p.context == "" {
		p.context = "default"
	}
	if p.dialplan == "" {
		p.dialplan = "XML"
	}
	if p.outbound == "" {
		p.outbound = "opus"
	}
	if p.inbound == "" {
		p.inbound = p.outbound
	}
	if len(p.candidateACL) > maxCandidateACL {
		p.candidateACL = p.candidateACL[:maxCandidateACL]
	}
	if p.userauth == "" && p.root == "" && !p.blind {
		say("userauth is not set, which would let in anybody; it counts as \"true\". Set blind-reg to true if an open profile is meant")
		p.userauth = "true"
	}
	for _, param := range params {
		if !strings.EqualFold(param.Attr("name"), "bind-local") {
			continue
		}
		host, port, err := net.SplitHostPort(param.Attr("value"))
		number, bad := strconv.ParseUint(port, 10, 16)
		if err != nil || bad != nil || host == "" || number == 0 {
			say("bind-local %q: expected address:port with a port above 0", param.Attr("value"))
			if len(p.binds) == 0 {
				return nil, problems
			}
			continue
		}
		if len(p.binds) == maxBinds {
			say("more than %d bind-local", maxBinds)
			break
		}
		p.binds = append(p.binds, &bind{address: param.Attr("value"), secure: conf.True(param.Attr("secure"))})
	}
	for _, v := range params.All("rtp-ip") {
		ip, err := netip.ParseAddr(strings.Trim(v, "[]"))
		if err != nil {
			say("rtp-ip %q: expected an IP address", v)
			continue
		}
		if len(p.rtpIPs) < maxRTPAddresses {
			p.rtpIPs = append(p.rtpIPs, ip.Unmap())
		}
	}
	for _, v := range params.All("ext-rtp-ip") {
		ip, err := s.external(ctx, v)
		if err != nil {
			say("ext-rtp-ip %q: %v", v, err)
			continue
		}
		if ip.IsValid() {
			p.extIPs = append(p.extIPs, ip)
		}
	}
	p.vhost = s.readVhost(n, say)
	return p, problems
}

// external finds the address that ext-rtp-ip stands for: an IP, host:name,
// stun:server; auto-nat and the empty value are none.
func (s *Server) external(ctx context.Context, value string) (netip.Addr, error) {
	kind, rest, named := strings.Cut(value, ":")
	switch {
	case value == "", strings.HasPrefix(value, "auto"):
		return netip.Addr{}, nil
	case named && strings.EqualFold(kind, "stun"):
		if s.opts.StunLookup == nil {
			return netip.Addr{}, fmt.Errorf("no STUN look-up here; write the address itself")
		}
		found, err := s.opts.StunLookup(ctx, rest)
		if err != nil {
			return netip.Addr{}, err
		}
		return netip.ParseAddr(found)
	case named && strings.EqualFold(kind, "host"):
		found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", rest)
		if err != nil || len(found) == 0 {
			return netip.Addr{}, fmt.Errorf("cannot resolve: %w", err)
		}
		return found[0].Unmap(), nil
	}
	ip, err := netip.ParseAddr(strings.Trim(value, "[]"))
	if err != nil {
		return ip, fmt.Errorf("expected an IP address, host:name or stun:server")
	}
	return ip.Unmap(), nil
}

// admits reports whether an address may connect at all: every list must allow.
func (s *Server) admits(p *profile, ip netip.Addr) bool {
	for _, list := range p.connectionACL {
		if ok, _ := s.opts.Access.Check(ip, list); !ok {
			return false
		}
	}
	return true
}

// reachable keeps the candidates that the profile's lists let through: the lists
// are asked in turn, relays come last. Without lists every address passes, since
// ICE sends nothing but checks to an address that does not prove itself.
func (s *Server) reachable(p *profile, all []candidate) []candidate {
	var direct, relayed []candidate
	for _, c := range all {
		if c.transport != "udp" {
			continue
		}
		pass := len(p.candidateACL) == 0
		for _, list := range p.candidateACL {
			if ok, _ := s.opts.Access.Check(c.addr.Addr(), list); ok {
				pass = true
				break
			}
		}
		switch {
		case !pass:
		case c.kind == "relay":
			relayed = append(relayed, c)
		case c.kind == "host" || c.kind == "srflx" || c.kind == "prflx":
			direct = append(direct, c)
		}
	}
	return append(direct, relayed...)
}

// inside reports whether an address is in our own network, or one of our own.
func (s *Server) inside(p *profile, ip netip.Addr) bool {
	if ip.IsLoopback() || slices.Contains(ownAddresses(ip), ip) {
		return true
	}
	ok, _ := s.opts.Access.Check(ip, p.localNetwork)
	return ok
}

// near reports whether a browser needs none of the addresses that others know us
// by: its socket and all addresses that it named are in our own network. Behind a
// proxy nothing is known of the socket.
func (s *Server) near(k *socket, all []candidate) bool {
	if k == nil || k.proxied || !s.inside(k.profile, k.ip) {
		return false
	}
	for _, c := range all {
		if !s.inside(k.profile, c.addr.Addr()) {
			return false
		}
	}
	return true
}
