package sip

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// line97 is the rule of sofia's tables.
var line97 = strings.Repeat("=", 97)

// status is "sofia status" (spec/sip.md §5.1).
func (s *Stack) status(b *strings.Builder) {
	fmt.Fprintf(b, "%25s\t%s\t  %40s\t%s\n", "Name", "   Type", "Data", "State")
	b.WriteString(line97 + "\n")
	profiles, aliases := 0, 0
	for _, p := range s.Profiles() {
		profiles++
		fmt.Fprintf(b, "%25s\t%s\t  %40s\t%s (%d)\n", p.name, "profile", p.url("udp"), "RUNNING", p.calls.Load())
		if p.secure != nil {
			fmt.Fprintf(b, "%25s\t%s\t  %40s\t%s (%d) (TLS)\n", p.name, "profile", p.url("tls"), "RUNNING", p.calls.Load())
		}
		for _, g := range p.gatewayList() {
			fmt.Fprintf(b, "%25s\t%s\t  %40s\t%s\n", p.name+"::"+g.name, "gateway", g.address(), g.stateText())
		}
		for _, a := range p.settings().aliases {
			aliases++
			fmt.Fprintf(b, "%25s\t%s\t  %40s\t%s\n", a, "  alias", p.name, "ALIASED")
		}
	}
	b.WriteString(line97 + "\n")
	fmt.Fprintf(b, "%d profile%s %d alias%s\n", profiles, plural(profiles, "s"), aliases, plural(aliases, "es"))
}

func plural(n int, ending string) string {
	if n == 1 {
		return ""
	}
	return ending
}

// address is the gateway's user and proxy.
func (g *Gateway) address() string {
	return "sip:" + g.set.username + "@" + g.set.proxyHost
}

// stateText is the state with the time to the next try.
func (g *Gateway) stateText() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	text := string(g.state)
	switch g.state {
	case gwFailed, gwFailWait, gwTrying:
		if g.at.IsZero() {
			return text + " (retry: NEVER)"
		}
		text += fmt.Sprintf(" (retry: %ds)", int(time.Until(g.at).Seconds()))
	}
	return text
}

// profileFields are the lines of "sofia status profile" and the elements of
// xmlstatus, in order: label, element, value. An empty label leaves a line out.
type profileField struct{ label, element, value string }

func (p *Profile) fields() []profileField {
	s := p.settings()
	yes := func(v bool) string { return strconv.FormatBool(v) }
	text := func(v string) string { return or(v, "N/A") }
	out := []profileField{{"Name", "name", p.name}, {"Domain Name", "domain-name", text(s.domain)}}
	out = append(out, profileField{"Auto-NAT", "auto-nat", "false"}, profileField{"DBName", "db-name", "sofia_reg_" + p.name},
		profileField{"Pres Hosts", "pres-hosts", s.presenceHosts}, profileField{"Dialplan", "dialplan", s.dialplan},
		profileField{"Context", "context", s.context}, profileField{"Challenge Realm", "challenge-realm", s.realm},
		profileField{"RTP-IP", "rtp-ip", s.rtpIP.String()})
	if s.extRTP.IsValid() {
		out = append(out, profileField{"Ext-RTP-IP", "ext-rtp-ip", s.extRTP.String()})
	}
	out = append(out, profileField{"SIP-IP", "sip-ip", s.sipIP.String()})
	if s.extSIP.IsValid() {
		out = append(out, profileField{"Ext-SIP-IP", "ext-sip-ip", s.extSIP.String()})
	}
	out = append(out, profileField{"URL", "url", p.url("udp")}, profileField{"BIND-URL", "bind-url", p.bindURL()})
	if p.secure != nil {
		out = append(out, profileField{"TLS-URL", "tls-url", p.url("tls")},
			profileField{"TLS-BIND-URL", "tls-bind-url", "sips:" + s.contactUser + "@" + hostText(s.sipIP) + ":" + strconv.Itoa(p.tlsPort) + ";transport=tls"})
	}
	for i, b := range []profileField{{"WS-BIND-URL     ", "ws-bind-url", "sip:%s@%s;transport=ws"}, {"WSS-BIND-URL     ", "wss-bind-url", "sips:%s@%s;transport=wss"}} {
		if p.sockets[i] != nil {
			out = append(out, profileField{b.label, b.element, fmt.Sprintf(b.value, s.contactUser, p.sockets[i].Addr())})
		}
	}
	cng := ""
	if !s.suppressCNG {
		cng = "13"
	}
	out = append(out, profileField{"HOLD-MUSIC", "hold-music", text(s.holdMusic)}, profileField{"OUTBOUND-PROXY", "outbound-proxy", text(s.outboundProxy)},
		profileField{"CODECS IN", "inbound-codecs", text(s.codecsIn)}, profileField{"CODECS OUT", "outbound-codecs", text(s.codecsOut)},
		profileField{"TEL-EVENT", "tel-event", strconv.Itoa(s.dtmfPayload)}, profileField{"DTMF-MODE", "dtmf-mode", s.dtmfType},
		profileField{"CNG", "cng", or(cng, "0")}, profileField{"SESSION-TO", "session-to", strconv.Itoa(s.sessionTimeout)},
		profileField{"MAX-DIALOG", "max-dialog", strconv.Itoa(s.maxProceeding)}, profileField{"MAX-RECV-RPS", "max-recv-rps", strconv.Itoa(s.maxRequests)},
		profileField{"NOMEDIA", "nomedia", "false"}, profileField{"LATE-NEG", "late-neg", yes(s.late)}, profileField{"PROXY-MEDIA", "proxy-media", "false"},
		profileField{"AGGRESSIVENAT", "aggressive-nat", yes(s.aggressiveNAT)})
	if s.agentFilter != "" {
		out = append(out, profileField{"USER-AGENT-FILTER", "user-agent-filter", s.agentFilter})
	}
	if s.maxRegistrations > 0 {
		out = append(out, profileField{"MAX-REG-PEREXT", "max-registrations-per-extension", strconv.Itoa(s.maxRegistrations)})
	}
	count := func(v uint64) string { return strconv.FormatUint(v, 10) }
	return append(out, profileField{"CALLS-IN", "calls-in", count(p.counters.callsIn.Load())},
		profileField{"FAILED-CALLS-IN", "failed-calls-in", count(p.counters.failedIn.Load())},
		profileField{"CALLS-OUT", "calls-out", count(p.counters.callsOut.Load())},
		profileField{"FAILED-CALLS-OUT", "failed-calls-out", count(p.counters.failedOut.Load())},
		profileField{"REGISTRATIONS", "registrations", strconv.Itoa(p.registrar.size())})
}

// status is "sofia status profile NAME" (spec/sip.md §5.2).
func (p *Profile) status(b *strings.Builder) {
	b.WriteString(line97 + "\n")
	for _, f := range p.fields() {
		if strings.HasSuffix(f.label, " ") { // of a width of its own
			fmt.Fprintf(b, "%s\t%s\n", f.label, f.value)
			continue
		}
		fmt.Fprintf(b, "%-17s\t%s\n", f.label, f.value)
	}
}

// shown is one registration as both forms of status show it.
type shown struct {
	*binding
	reachable string
	ping      float64
	expires   string
	left      int64
}

func (p *Profile) shown(match func(*binding) bool) []shown {
	var out []shown
	now := time.Now()
	for _, b := range p.registrar.all() {
		if !match(b) {
			continue
		}
		p.registrar.mu.RLock()
		v := shown{binding: b, reachable: "Reachable", ping: float64(b.PingTime) / float64(time.Millisecond)}
		if !b.Reachable {
			v.reachable = "Unreachable"
		}
		p.registrar.mu.RUnlock()
		v.expires = b.Expires.Format("2006-01-02 15:04:05")
		v.left = b.Expires.Unix() - now.Unix()
		out = append(out, v)
	}
	return out
}

// registrations is "sofia status profile NAME reg".
func (p *Profile) registrations(b *strings.Builder, match func(*binding) bool) {
	b.WriteString("\nRegistrations:\n" + line97 + "\n")
	list := p.shown(match)
	for _, r := range list {
		fmt.Fprintf(b, "Call-ID:    \t%s\nUser:       \t%s@%s\nContact:    \t%s\nAgent:      \t%s\n", r.CallID, r.User, r.Host, r.Contact, r.Agent)
		fmt.Fprintf(b, "Status:     \t%s(%s) EXP(%s) EXPSECS(%d)\n", r.Status, r.RPID, r.expires, r.left)
		fmt.Fprintf(b, "Ping-Status:\t%s\nPing-Time:\t%0.2f\nHost:       \t%s\nIP:         \t%s\nPort:       \t%s\n",
			r.reachable, r.ping, p.stack.Switch.Hostname, r.NetworkIP, r.NetworkPort)
		fmt.Fprintf(b, "Auth-User:  \t%s\nAuth-Realm: \t%s\nMWI-Account:\t%s@%s\n\n", r.AuthUser, r.AuthRealm, r.MWIUser, r.MWIHost)
	}
	fmt.Fprintf(b, "Total items returned: %d\n%s\n", len(list), line97)
}

// fields of a gateway for both forms of status (spec/sip.md §5.3).
func (g *Gateway) fields() []profileField {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.set
	password := "no"
	if s.password != "" {
		password = "yes"
	}
	ping := int64(0)
	if s.ping > 0 {
		ping = g.nextPing.Unix()
	}
	uptime := int64(0)
	if g.isUp && !g.since.IsZero() {
		uptime = int64(time.Since(g.since).Seconds())
	}
	up := upText(g.isUp)
	if !g.pingSent.IsZero() {
		up += " (ping)"
	}
	number := func(n int) string { return strconv.Itoa(n) }
	count := func(v uint64) string { return strconv.FormatUint(v, 10) }
	return []profileField{
		{"Name    ", "name", g.name}, {"Profile ", "profile", g.profile.name}, {"Scheme  ", "scheme", "Digest"},
		{"Realm   ", "realm", s.realm}, {"Username", "username", s.username}, {"Password", "password", password},
		{"From    ", "from", "<sip:" + s.fromUser + "@" + s.fromDomain + ">"}, {"Contact ", "contact", g.contact(addrOf(s.proxyHost))},
		{"Exten   ", "exten", s.extension}, {"To      ", "to", "sip:" + s.username + "@" + s.realm}, {"Proxy   ", "proxy", "sip:" + s.proxyHost},
		{"Context ", "context", s.context}, {"Expires ", "expires", number(s.expires)}, {"Freq    ", "freq", number(g.freq)},
		{"Ping    ", "ping", strconv.FormatInt(ping, 10)}, {"PingFreq", "pingfreq", number(s.ping)},
		{"PingTime", "pingtime", fmt.Sprintf("%0.2f", float64(g.pingTime)/float64(time.Millisecond))},
		{"PingState", "pingstate", fmt.Sprintf("%d/%d/%d", s.pingMin, g.pingCount, s.pingMax)},
		{"State   ", "state", string(g.state)}, {"Status  ", "status", up}, {"Uptime  ", "uptime", strconv.FormatInt(uptime, 10) + "s"},
		{"CallsIN ", "calls-in", count(g.callsIn.Load())}, {"CallsOUT", "calls-out", count(g.callsOut.Load())},
		{"FailedCallsIN", "failed-calls-in", count(g.failedIn.Load())}, {"FailedCallsOUT", "failed-calls-out", count(g.failedOut.Load())},
	}
}

func (g *Gateway) describe(b *strings.Builder) {
	b.WriteString(line97 + "\n")
	for _, f := range g.fields() {
		fmt.Fprintf(b, "%s\t%s\n", f.label, f.value)
	}
	b.WriteString(line97 + "\n")
}

// gatewayTable is "sofia status gateway" without a name.
func (s *Stack) gatewayTable(b *strings.Builder) {
	fmt.Fprintf(b, "%25s\t%32s\t%s\t%9s\t%s\t%s\n", "Profile::Gateway-Name", "    Data    ", "State", "Ping Time", "IB Calls(F/T)", "OB Calls(F/T)")
	b.WriteString(line97 + "\n")
	n := 0
	var fin, in, fout, out uint64
	for _, p := range s.Profiles() {
		for _, g := range p.gatewayList() {
			n++
			state, retry, _ := strings.Cut(g.stateText(), " ")
			if retry != "" {
				retry = " " + retry
			}
			g.mu.Lock()
			ping := float64(g.pingTime) / float64(time.Millisecond)
			g.mu.Unlock()
			a, c, d, e := g.failedIn.Load(), g.callsIn.Load(), g.failedOut.Load(), g.callsOut.Load()
			fin, in, fout, out = fin+a, in+c, fout+d, out+e
			fmt.Fprintf(b, "%25s\t%32s\t%s\t%6.2f\t%d/%d\t%d/%d%s\n", p.name+"::"+g.name, g.address(), state, ping, a, c, d, e, retry)
		}
	}
	b.WriteString(line97 + "\n")
	fmt.Fprintf(b, "%d gateway%s: Inbound(Failed/Total): %d/%d,Outbound(Failed/Total):%d/%d\n", n, plural(n, "s"), fin, in, fout, out)
}

// xmlEscape writes text as XML content.
var xmlEscape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")

const xmlHead = "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n"

// xmlStatus is "sofia xmlstatus" (spec/sip.md §5.4).
func (s *Stack) xmlStatus(b *strings.Builder) {
	b.WriteString(xmlHead + "<profiles>\n")
	for _, p := range s.Profiles() {
		fmt.Fprintf(b, "<profile>\n<name>%s</name>\n<type>profile</type>\n<data>%s</data>\n<state>RUNNING (%d)</state>\n</profile>\n",
			xmlEscape.Replace(p.name), xmlEscape.Replace(p.url("udp")), p.calls.Load())
		for _, g := range p.gatewayList() {
			fmt.Fprintf(b, "<gateway>\n<name>%s</name>\n<type>gateway</type>\n<data>%s</data>\n<state>%s</state>\n</gateway>\n\n",
				xmlEscape.Replace(p.name+"::"+g.name), xmlEscape.Replace(g.address()), g.stateText())
		}
		for _, a := range p.settings().aliases {
			fmt.Fprintf(b, "<alias>\n<name>%s</name>\n<type>alias</type>\n<data>%s</data>\n<state>ALIASED</state>\n</alias>\n",
				xmlEscape.Replace(a), xmlEscape.Replace(p.name))
		}
	}
	b.WriteString("</profiles>\n")
}

func (p *Profile) xmlStatus(b *strings.Builder) {
	b.WriteString(xmlHead + "<profile>\n  <profile-info>\n")
	for _, f := range p.fields() {
		fmt.Fprintf(b, "    <%s>%s</%s>\n", f.element, xmlEscape.Replace(f.value), f.element)
	}
	b.WriteString("  </profile-info>\n</profile>\n")
}

func (p *Profile) xmlRegistrations(b *strings.Builder, match func(*binding) bool) {
	b.WriteString(xmlHead + "<profile>\n  <registrations>\n")
	for _, r := range p.shown(match) {
		b.WriteString("    <registration>\n")
		for _, f := range []field{{"call-id", r.CallID}, {"user", r.User + "@" + r.Host}, {"contact", r.Contact}, {"agent", r.Agent},
			{"status", fmt.Sprintf("%s(%s) exp(%s) expsecs(%d)", r.Status, r.RPID, r.expires, r.left)}, {"ping-status", r.reachable},
			{"ping-time", fmt.Sprintf("%0.2f", r.ping)}, {"host", p.stack.Switch.Hostname}, {"network-ip", r.NetworkIP},
			{"network-port", r.NetworkPort}, {"sip-auth-user", r.AuthUser}, {"sip-auth-realm", r.AuthRealm},
			{"mwi-account", r.MWIUser + "@" + r.MWIHost}} {
			fmt.Fprintf(b, "        <%s>%s</%s>\n", f.name, xmlEscape.Replace(f.value), f.name)
		}
		b.WriteString("    </registration>\n")
	}
	b.WriteString("  </registrations>\n</profile>\n")
}

func (g *Gateway) xmlStatus(b *strings.Builder) {
	b.WriteString(xmlHead + "  <gateway>\n")
	for _, f := range g.fields() {
		fmt.Fprintf(b, "    <%s>%s</%s>\n", f.element, xmlEscape.Replace(f.value), f.element)
	}
	b.WriteString("  </gateway>\n")
}
