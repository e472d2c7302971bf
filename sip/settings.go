package sip

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/conf"
)

// settings are the parameters of one profile as sofia.conf has them
// (spec/sip.md §1), read once and never changed.
type settings struct {
	name    string
	domain  string
	aliases []string

	sipIP      netip.Addr
	rtpIP      netip.Addr
	extSIP     netip.Addr // zero: none
	extRTP     netip.Addr
	port       int
	bindUDP    bool
	tls        bool
	tlsOnly    bool
	tlsPort    int
	security   tlsSettings
	wsBinding  string // address:port, "" for none
	wssBinding string
	userInfo   string // "username": o= of SDP
	agent      string // User-Agent, "" for none

	context, dialplan string
	authCalls         bool
	authMessages      bool
	authSubscriptions bool
	authACLOnly       bool
	authAll           bool // requests inside a call that was authenticated are, too
	blindAuth         bool
	blindReg          bool
	inboundACL        []aclRule
	registerACL       []aclRule
	natACL            []string
	proxyACL          []string
	localACL          string
	realm             string
	regDomain         string
	regDBDomain       string
	matchUsername     bool
	nonceTTL          time.Duration
	logFailures       bool
	emptyPassword     bool
	algorithms        []string

	multiple         string // "", "call-id" or "contact"
	maxRegistrations int
	aggressiveNAT    bool
	forceRport       bool
	forceExpires     int
	minExpires       int
	maxExpires       int
	expiresDeviation int
	lateMargin       int
	disableRegister  bool
	disableTransfer  bool
	disableHold      bool

	natPing, allPing bool
	unregisterOnFail bool
	pingMin, pingMax int
	pingInterval     int

	codecsIn, codecsOut string
	negotiation         string
	late                bool
	dtmfPayload         int
	dtmfType            string
	liberalDTMF         bool
	passDTMF            bool // events that a bridge relays go through unread
	digitGap            time.Duration
	rtpTimeout          time.Duration
	rtpHoldTimeout      time.Duration
	noAutoAdjust        bool
	rtcpInterval        time.Duration
	suppressCNG         bool
	jitterBuffer        string

	sessionTimeout int
	enableTimer    bool
	reliable       bool          // enable-100rel
	patience       time.Duration // 64*T1: how long an answer waits for its ACK, a reliable 1xx for its PRACK, an INVITE for any response
	confirmBlind   bool          // who transfers a call is told when it reached somebody
	minSE          int           // the shortest session interval that is taken, s
	minSESet       bool          // minimum-session-expires is given

	callerIDType    string
	assertedAs      string // p-asserted-id-parse: user-domain or verbatim; else the user alone
	passCalleeID    bool
	cidInRinging    bool
	managePresence  bool
	presenceHosts   string
	presencePrivacy bool
	presenceNoEarly bool   // nobody is told that a phone rings
	presenceHold    string // state of the dialog of a held call: early, confirmed or terminated
	subDomain       string // of the addresses that are watched, "" is as the phone has it
	subExpires      int    // s, 0 is as the phone wants it
	compact         bool
	holdMusic       string
	outboundProxy   string

	callIDAsUUID, uuidAsCallID bool
	fullID                     bool
	allHeaders                 bool // every header of an INVITE becomes a variable sip_i_NAME
	telParams                  bool // so do the parameters of the number called, sip_invite_NAME
	contactUser                string
	updateRefresher            bool // session timers are refreshed by UPDATE
	noTranscoding              bool // the other leg is offered what this one speaks
	maxProceeding              int
	maxRequests                int // a second, 0: no limit
	optionsBusy                bool
	trace                      bool
	fireTransfer               bool
	manualRedirect             bool
	agentFilter                string

	params conf.ParamList
}

// aclRule is one entry of apply-inbound-acl: LIST[:PASSCONTEXT[:FAILCONTEXT]].
type aclRule struct{ list, pass, fail string }

// parseACLRule reads one entry.
func parseACLRule(s string) aclRule {
	p := append(strings.SplitN(strings.TrimSpace(s), ":", 3), "", "")
	return aclRule{p[0], p[1], p[2]}
}

// readSettings reads a <profile> element. globals give local addresses, domains
// are those of the directory, which a <domain name="all"> stands for.
func readSettings(n *conf.Node, globals *conf.Globals, domains []string, warn func(format string, args ...any)) (*settings, error) {
	p := conf.Params(n)
	s := &settings{name: n.Attr("name"), domain: n.Attr("domain"), params: p}
	if s.name == "" {
		return nil, fmt.Errorf("sip: %s: a <profile> needs a name", n.Where())
	}
	for _, a := range n.Child("aliases").ChildrenNamed("alias") {
		if v := a.Attr("name"); v != "" {
			s.aliases = append(s.aliases, v)
		}
	}
	for _, d := range n.Child("domains").ChildrenNamed("domain") {
		if v := d.Attr("name"); v != "" {
			if !conf.True(d.Attr("alias")) {
				continue
			}
			names := []string{v}
			if v == "all" {
				names = domains
			}
			for _, name := range names {
				if !slices.Contains(s.aliases, name) {
					s.aliases = append(s.aliases, name)
				}
			}
		}
	}
	local, err := localAddress(p.Get("sip-ip"), globals)
	if err != nil {
		return nil, fmt.Errorf("sip: %s: profile %s: sip-ip: %w", n.Where(), s.name, err)
	}
	s.sipIP = local
	s.rtpIP = local
	if v := p.All("rtp-ip"); len(v) > 0 {
		if s.rtpIP, err = localAddress(v[0], globals); err != nil {
			return nil, fmt.Errorf("sip: %s: profile %s: rtp-ip: %w", n.Where(), s.name, err)
		}
	}
	external := func(name string) netip.Addr {
		a, err := externalAddress(p.Get(name))
		if err != nil {
			warn("%s: profile %s: %s: %v; our own address is used", n.Where(), s.name, name, err)
		}
		if (a.IsLoopback() || a.IsUnspecified() || a.IsMulticast()) && !local.IsLoopback() {
			warn("%s: profile %s: %s: others are told to send to %s, which no other machine can reach", n.Where(), s.name, name, a)
		}
		return a
	}
	s.extSIP, s.extRTP = external("ext-sip-ip"), external("ext-rtp-ip")
	s.port = 5060
	switch v := p.Get("sip-port"); {
	case v == "auto":
		s.port = 0
	case v != "":
		if s.port, err = strconv.Atoi(v); err != nil || s.port < 0 || s.port > 65535 {
			return nil, fmt.Errorf("sip: %s: profile %s: sip-port is %q, write a number from 1 to 65535 or auto", n.Where(), s.name, v)
		}
	}
	s.readAccess(p)
	s.readRegistrar(p)
	s.readMedia(p)
	s.readSignalling(p)
	if s.security, err = readTLS(p); err != nil {
		return nil, fmt.Errorf("sip: %s: profile %s: %w", n.Where(), s.name, err)
	}
	return s, nil
}

func (s *settings) readAccess(p conf.ParamList) {
	s.context, s.dialplan = or(p.Get("context"), "default"), or(p.Get("dialplan"), "XML")
	s.authCalls = p.Bool("auth-calls", false)
	s.authMessages = p.Bool("auth-messages", true)
	s.authSubscriptions = p.Bool("auth-subscriptions", true)
	s.authAll = p.Bool("auth-all-packets", false)
	s.authACLOnly = p.Bool("auth-calls-acl-only", false)
	s.blindAuth = p.Bool("accept-blind-auth", false)
	s.blindReg = p.Bool("accept-blind-reg", false)
	for _, v := range p.All("apply-inbound-acl") {
		s.inboundACL = append(s.inboundACL, parseACLRule(v))
	}
	for _, v := range p.All("apply-register-acl") {
		s.registerACL = append(s.registerACL, parseACLRule(v))
	}
	s.natACL, s.proxyACL = p.All("apply-nat-acl"), p.All("apply-proxy-acl")
	s.localACL = or(p.Get("local-network-acl"), "localnet.auto")
	if s.localACL == "none" {
		s.localACL = ""
	}
	s.realm = or(p.Get("challenge-realm"), "auto_to")
	s.regDomain, s.regDBDomain = p.Get("force-register-domain"), p.Get("force-register-db-domain")
	s.matchUsername = p.Bool("inbound-reg-force-matching-username", false)
	s.nonceTTL = time.Duration(max(p.Int("nonce-ttl", 60), 1)) * time.Second
	s.logFailures = p.Bool("log-auth-failures", false)
	s.emptyPassword = p.Bool("allow-empty-password", true)
	for _, a := range strings.Split(p.Get("rfc8760-auth-algorithms"), ",") {
		if a = strings.ToUpper(strings.TrimSpace(a)); a == "MD5" || a == "SHA-256" || a == "SHA-512-256" {
			s.algorithms = append(s.algorithms, a)
		}
	}
}

func (s *settings) readRegistrar(p conf.ParamList) {
	switch v := p.Get("multiple-registrations"); {
	case v == "contact":
		s.multiple = "contact"
	case v == "call-id" || conf.True(v):
		s.multiple = "call-id"
	}
	s.maxRegistrations = p.Int("max-registrations-per-extension", 0)
	s.aggressiveNAT = p.Bool("aggressive-nat-detection", false)
	rport := p.Get("NDLB-force-rport")
	s.forceRport = conf.True(rport) || rport == "safe" || rport == "server-only"
	s.forceExpires = p.Int("sip-force-expires", 0)
	s.minExpires = p.Int("sip-force-expires-min", 0)
	s.maxExpires = p.Int("sip-force-expires-max", 0)
	s.expiresDeviation = p.Int("sip-expires-max-deviation", 0)
	s.lateMargin = p.Int("sip-expires-late-margin", 60)
	s.disableRegister = p.Bool("disable-register", false)
	s.confirmBlind = p.Bool("confirm-blind-transfer", false)
	s.disableTransfer = p.Bool("disable-transfer", false)
	s.disableHold = p.Bool("disable-hold", false)
	ping := p.Get("nat-options-ping")
	s.natPing = conf.True(ping) || ping == "udp-only"
	s.allPing = p.Bool("all-reg-options-ping", false)
	s.unregisterOnFail = p.Bool("unregister-on-options-fail", false)
	s.pingMin, s.pingMax = max(p.Int("sip-user-ping-min", 1), 1), max(p.Int("sip-user-ping-max", 3), 1)
	s.pingInterval = max(p.Int("ping-mean-interval", 30), 1)
}

// maxDigitGap bounds rtp-digit-delay, in ms.
const maxDigitGap = 10000

func (s *settings) readMedia(p conf.ParamList) {
	both := p.Get("codec-prefs")
	s.codecsIn = or(p.Get("inbound-codec-prefs"), both)
	s.codecsOut = or(p.Get("outbound-codec-prefs"), both)
	s.codecsIn, s.codecsOut = or(s.codecsIn, s.codecsOut), or(s.codecsOut, s.codecsIn)
	s.negotiation = or(strings.ToLower(p.Get("inbound-codec-negotiation")), "generous")
	s.late = p.Bool("inbound-late-negotiation", false)
	s.noTranscoding = p.Bool("disable-transcoding", false)
	s.dtmfPayload = p.Int("rfc2833-pt", 101)
	s.dtmfType = or(strings.ToLower(p.Get("dtmf-type")), "rfc2833")
	s.liberalDTMF = p.Bool("liberal-dtmf", false)
	s.passDTMF = p.Bool("pass-rfc2833", false)
	s.digitGap = time.Duration(min(max(p.Int("rtp-digit-delay", 0), 0), maxDigitGap)) * time.Millisecond
	s.rtpTimeout = time.Duration(p.Int("rtp-timeout-sec", 0)) * time.Second
	s.rtpHoldTimeout = time.Duration(p.Int("rtp-hold-timeout-sec", 0)) * time.Second
	s.noAutoAdjust = p.Bool("disable-rtp-auto-adjust", false)
	s.rtcpInterval = time.Duration(p.Int("rtcp-audio-interval-msec", 0)) * time.Millisecond
	s.suppressCNG = p.Bool("suppress-cng", false)
	s.jitterBuffer = p.Get("auto-jitterbuffer-msec")
}

func (s *settings) readSignalling(p conf.ParamList) {
	s.userInfo = or(p.Get("username"), "FreeSWITCH")
	s.agent = or(p.Get("user-agent-string"), "FreeSWITCH-mod_sofia/1.11.3-dev")
	if s.agent == "_undef_" {
		s.agent = ""
	}
	s.tls = p.Bool("tls", false)
	s.tlsOnly = s.tls && p.Bool("tls-only", false)
	s.tlsPort = p.Int("tls-sip-port", 5061)
	s.bindUDP = !s.tlsOnly
	s.wsBinding, s.wssBinding = p.Get("ws-binding"), p.Get("wss-binding")
	s.sessionTimeout = p.Int("session-timeout", 0)
	s.enableTimer = p.Bool("enable-timer", true)
	s.reliable = p.Bool("enable-100rel", false)
	s.patience = patienceMax
	if n := p.Int("timer-T1X64", 0); n > 0 {
		s.patience = time.Duration(min(n, int(patienceMax/time.Millisecond))) * time.Millisecond
	}
	s.minSE, s.minSESet = max(p.Int("minimum-session-expires", 90), 90), p.Get("minimum-session-expires") != ""
	s.callerIDType = or(strings.ToLower(p.Get("caller-id-type")), "rpid")
	s.assertedAs = strings.ToLower(p.Get("p-asserted-id-parse"))
	s.passCalleeID = p.Bool("pass-callee-id", true)
	s.cidInRinging = p.Bool("cid-in-1xx", true)
	s.managePresence = p.Bool("manage-presence", false)
	s.presenceHosts = p.Get("presence-hosts")
	s.presencePrivacy = p.Bool("presence-privacy", false)
	s.presenceNoEarly = p.Bool("presence-disable-early", false)
	s.presenceHold = "early"
	if v := strings.ToLower(p.Get("presence-hold-state")); v == "confirmed" || v == "terminated" {
		s.presenceHold = v
	}
	s.subDomain = p.Get("force-subscription-domain")
	s.subExpires = p.Int("force-subscription-expires", 0)
	s.compact = p.Bool("enable-compact-headers", false)
	s.holdMusic = p.Get("hold-music")
	s.outboundProxy = p.Get("outbound-proxy")
	s.callIDAsUUID = p.Bool("inbound-use-callid-as-uuid", false)
	s.uuidAsCallID = p.Bool("outbound-use-uuid-as-callid", false)
	s.fullID = p.Bool("full-id-in-dialplan", false)
	s.allHeaders = p.Bool("parse-all-invite-headers", false)
	s.telParams = p.Bool("parse-invite-tel-params", false)
	s.contactUser = escapeUser(or(p.Get("contact-user"), "mod_sofia"))
	s.updateRefresher = p.Bool("update-refresher", false)
	s.maxProceeding = p.Int("max-proceeding", 0)
	s.maxRequests = p.Int("max-recv-requests-per-second", 0)
	s.optionsBusy = p.Bool("sip-options-respond-503-on-busy", false)
	s.trace = p.Bool("sip-trace", false)
	s.fireTransfer = p.Bool("fire-transfer-events", false)
	s.manualRedirect = p.Bool("manual-redirect", false)
	s.agentFilter = p.Get("user-agent-filter")
}

// patienceMax is 64*T1 of the RFC's T1, at which the transactions end in any case.
const patienceMax = 32 * time.Second

// localAddress reads an address of ours: an IP, or "" and "auto" for the
// machine's own.
func localAddress(v string, globals *conf.Globals) (netip.Addr, error) {
	if v == "" || v == "auto" {
		v = globals.Get("local_ip_v4")
	}
	if v == "" {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1}), nil
	}
	a, err := netip.ParseAddr(strings.Trim(v, "[]"))
	if err != nil {
		return a, fmt.Errorf("%q is no IP address, write one of this machine's", v)
	}
	return a.Unmap(), nil
}

// externalAddress reads ext-sip-ip and ext-rtp-ip. Forms that need a NAT device
// or a server to ask give no address.
func externalAddress(v string) (netip.Addr, error) {
	switch {
	case v == "", v == "auto", v == "auto-nat":
		return netip.Addr{}, nil
	case strings.HasPrefix(v, "autonat:"):
		v = strings.TrimPrefix(v, "autonat:")
	case strings.HasPrefix(v, "host:"):
		return lookupHost(strings.TrimPrefix(v, "host:"))
	case strings.HasPrefix(v, "stun:"):
		return netip.Addr{}, fmt.Errorf("%q is asked for while the variables are read (X-PRE-PROCESS cmd=\"stun-set\")", v)
	}
	a, err := netip.ParseAddr(v)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("%q is no IP address", v)
	}
	return a.Unmap(), nil
}

// or is the first of two texts that is not empty.
func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
