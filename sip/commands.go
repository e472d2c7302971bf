package sip

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/conf"
)

// sofiaUsage is the help text of the command, to the letter: it names some words
// that have no effect here, and not all that have.
const sofiaUsage = `USAGE:
--------------------------------------------------------------------------------
sofia global siptrace <on|off>
sofia        capture  <on|off>
             watchdog <on|off>

sofia profile <name> [start | stop | restart | rescan] [wait]
                     flush_inbound_reg [<call_id> | <[user]@domain>] [reboot]
                     check_sync [<call_id> | <[user]@domain>]
                     [register | unregister] [<gateway name> | all]
                     killgw <gateway name>
                     [stun-auto-disable | stun-enabled] [true | false]]
                     siptrace <on|off>
                     capture  <on|off>
                     watchdog <on|off>

sofia <status|xmlstatus> profile <name> [reg [<contact str>]] | [pres <pres str>] | [user <user@domain>]
sofia <status|xmlstatus> gateway <name>

sofia loglevel <all|default|tport|iptsec|nea|nta|nth_client|nth_server|nua|soa|sresolv|stun> [0-9]
sofia tracelevel <console|alert|crit|err|warning|notice|info|debug>

sofia help
--------------------------------------------------------------------------------
`

// Commands returns the API commands of this room (spec/sip.md §5).
func (s *Stack) Commands() []call.Command {
	return []call.Command{
		{Name: "sofia", Syntax: "<cmd> <args>", Description: "Sofia Controls", Module: "mod_sofia", Run: s.sofia},
		{Name: "sofia_contact", Syntax: "[profile/]<user>@<domain>", Description: "Sofia Contacts", Module: "mod_sofia", Run: s.sofiaContact},
		{Name: "sofia_count_reg", Syntax: "[profile/]<user>@<domain>", Description: "Count Sofia registration", Module: "mod_sofia", Run: s.sofiaCount},
		{Name: "sofia_username_of", Syntax: "[profile/]<user>@<domain>", Description: "Sofia Username Lookup", Module: "mod_sofia", Run: s.sofiaUsername},
		{Name: "sofia_gateway_data", Syntax: "<gateway_name> [ivar|ovar|var] <name>", Description: "Get data from a sofia gateway", Module: "mod_sofia", Run: s.gatewayData},
	}
}

func (s *Stack) sofia(ctx context.Context, sw *call.Switch, in *call.Invocation) error {
	words := strings.Fields(in.Args)
	if len(words) == 0 || words[0] == "help" {
		in.Out.WriteString(sofiaUsage)
		return nil
	}
	args := words[1:]
	switch words[0] {
	case "status":
		s.sofiaStatus(in.Out, args, false)
	case "xmlstatus":
		s.sofiaStatus(in.Out, args, true)
	case "profile":
		s.sofiaProfile(ctx, in.Out, args)
	case "global":
		s.sofiaGlobal(in.Out, args)
	case "loglevel":
		if len(args) == 2 {
			fmt.Fprintf(in.Out, "Sofia log level for component [%s] has been set to [%s]", args[0], args[1])
		} else {
			in.Out.WriteString(sofiaUsage)
		}
	case "tracelevel":
		if len(args) == 1 {
			fmt.Fprintf(in.Out, "+OK tracelevel is %s", args[0])
		} else {
			in.Out.WriteString(sofiaUsage)
		}
	default:
		fmt.Fprintf(in.Out, "Unknown Command [%s]\n", words[0])
	}
	return nil
}

func (s *Stack) sofiaGlobal(b *strings.Builder, args []string) {
	if len(args) < 2 {
		b.WriteString("-ERR Usage: siptrace <on|off>|capture <on|off>|watchdog <on|off>")
		return
	}
	on := conf.True(args[1])
	word := "off"
	if on {
		word = "on"
	}
	switch args[0] {
	case "siptrace":
		s.trace.Store(on)
	case "capture", "watchdog":
	default:
		b.WriteString("-ERR Usage: siptrace <on|off>|capture <on|off>|watchdog <on|off>")
		return
	}
	fmt.Fprintf(b, "+OK Global %s %s", args[0], word)
}

// sofiaStatus is status and xmlstatus.
func (s *Stack) sofiaStatus(b *strings.Builder, args []string, xml bool) {
	switch {
	case len(args) == 0:
		if xml {
			s.xmlStatus(b)
		} else {
			s.status(b)
		}
	case args[0] == "gateway" && len(args) == 1:
		if xml {
			for _, p := range s.Profiles() {
				for _, g := range p.gatewayList() {
					g.xmlStatus(b)
				}
			}
			return
		}
		s.gatewayTable(b)
	case args[0] == "gateway":
		g := s.Gateway(args[1])
		switch {
		case g == nil:
			b.WriteString("Invalid Gateway!\n")
		case xml:
			g.xmlStatus(b)
		default:
			g.describe(b)
		}
	case args[0] == "profile" && len(args) > 1:
		s.profileStatus(b, args[1:], xml)
	default:
		b.WriteString("Invalid Syntax!\n")
	}
}

func (s *Stack) profileStatus(b *strings.Builder, args []string, xml bool) {
	p := s.Profile(args[0])
	if p == nil {
		b.WriteString("Invalid Profile!\n")
		return
	}
	if len(args) == 1 {
		if xml {
			p.xmlStatus(b)
		} else {
			p.status(b)
		}
		return
	}
	part := ""
	if len(args) > 2 {
		part = args[2]
	}
	var match func(*binding) bool
	switch args[1] {
	case "reg":
		match = func(r *binding) bool { return part == "" || strings.Contains(r.Contact, part) }
	case "user":
		user, domain, _ := strings.Cut(part, "@")
		match = func(r *binding) bool {
			return strings.EqualFold(r.User, user) && (domain == "" || strings.EqualFold(r.Host, domain))
		}
	case "pres":
		match = func(r *binding) bool { return part != "" && strings.Contains(p.settings().presenceHosts, part) }
	default:
		b.WriteString("Invalid Syntax!\n")
		return
	}
	if xml {
		p.xmlRegistrations(b, match)
		return
	}
	p.registrations(b, match)
}

// upLimit is how long a profile must be up before it may be stopped.
const upLimit = 10 * time.Second

// sofiaProfile is "sofia profile NAME VERB …".
func (s *Stack) sofiaProfile(ctx context.Context, b *strings.Builder, args []string) {
	if len(args) < 2 {
		b.WriteString("Invalid Args!\n")
		return
	}
	name, verb, rest := args[0], args[1], args[2:]
	if verb == "start" {
		text, _ := s.Store.Reload(ctx)
		n := s.profileNode(name)
		if n == nil || s.Profile(name) != nil || s.startProfile(n) != nil {
			fmt.Fprintf(b, "Reload XML [%s]\nFailure starting %s\n", text, name)
			return
		}
		fmt.Fprintf(b, "Reload XML [%s]\n%s started successfully\n", text, name)
		return
	}
	p := s.Profile(name)
	if p == nil {
		fmt.Fprintf(b, "Invalid Profile [%s]", name)
		return
	}
	switch verb {
	case "stop", "restart":
		s.stopProfile(ctx, b, p, verb == "restart")
	case "rescan":
		text, _ := s.Store.Reload(ctx)
		s.rescan(p)
		fmt.Fprintf(b, "Reload XML [%s]\n+OK scan complete\n", text)
	case "register", "unregister":
		p.registerCommand(b, rest, verb == "register")
	case "killgw":
		p.killGateway(b, rest)
	case "startgw":
		p.startGateway(ctx, b, rest)
	case "flush_inbound_reg":
		p.flushCommand(b, rest)
	case "check_sync":
		b.WriteString("+OK syncing all registrations\n")
		p.checkSync(rest)
	case "siptrace":
		if len(rest) == 0 {
			b.WriteString("Usage: sofia profile <name> siptrace <on|off>\n")
			return
		}
		on := conf.True(rest[0])
		p.trace.Store(on)
		word := "Disabled"
		if on {
			word = "Enabled"
		}
		fmt.Fprintf(b, "%s sip debugging on %s", word, p.name)
	case "gwlist":
		p.gatewayNames(b, rest)
	case "watchdog", "capture":
		fmt.Fprintf(b, "+OK %s", verb)
	default:
		b.WriteString("-ERR Unknown command!\n")
	}
}

func (s *Stack) stopProfile(ctx context.Context, b *strings.Builder, p *Profile, restart bool) {
	if age := time.Since(p.started); age < upLimit {
		fmt.Fprintf(b, "Profile %s must be up for at least %d seconds to stop/restart.\nPlease wait %d seconds\n",
			p.name, int(upLimit.Seconds()), int((upLimit-age).Seconds())+1)
		return
	}
	text, _ := s.Store.Reload(ctx)
	word := "stopping"
	if restart {
		word = "restarting"
	}
	fmt.Fprintf(b, "Reload XML [%s]\n%s: %s", text, word, p.name)
	s.Switch.Go(func() {
		p.stop(call.CauseManagerRequest)
		s.removeProfile(p)
		if !restart {
			return
		}
		if n := s.profileNode(p.name); n != nil {
			if err := s.startProfile(n); err != nil {
				s.Switch.Log.Printf(call.LogErr, "%v", err)
			}
		}
	})
}

// rescan takes new settings and gateways of the configuration in force. Addresses
// and ports stay as they are until a restart.
func (s *Stack) rescan(p *Profile) {
	n := s.profileNode(p.name)
	if n == nil {
		return
	}
	set, err := readSettings(n, s.Store.Globals(), s.Directory.Domains(), func(format string, args ...any) {
		s.Switch.Log.Printf(call.LogWarning, format, args...)
	})
	if err != nil {
		s.Switch.Log.Printf(call.LogErr, "%v", err)
		return
	}
	old := p.settings()
	set.sipIP, set.port, set.bindUDP, set.tls, set.tlsPort = old.sipIP, old.port, old.bindUDP, old.tls, old.tlsPort
	p.set.Store(set)
	p.loadGateways(n)
}

func (p *Profile) registerCommand(b *strings.Builder, args []string, register bool) {
	if len(args) == 0 {
		b.WriteString("No gateway name provided!\n")
		return
	}
	act := func(g *Gateway) {
		if register {
			g.reregister()
		} else {
			g.unregister()
		}
	}
	if args[0] == "all" {
		for _, g := range p.gatewayList() {
			if g.set.register {
				act(g)
			}
		}
		b.WriteString("+OK\n")
		return
	}
	for _, g := range p.gatewayList() {
		if g.name != args[0] {
			continue
		}
		if !g.set.register {
			fmt.Fprintf(b, "-ERR NOREG gateway [%s] can't be registered!\n", g.name)
			return
		}
		act(g)
		b.WriteString("+OK\n")
		return
	}
	b.WriteString("Invalid gateway!\n")
}

func (p *Profile) killGateway(b *strings.Builder, args []string) {
	if len(args) == 0 {
		b.WriteString("-ERR missing gateway name\n")
		return
	}
	if args[0] == "_all_" {
		for _, g := range p.gatewayList() {
			g.remove()
		}
		b.WriteString("+OK every gateway marked for deletion.\n")
		return
	}
	for _, g := range p.gatewayList() {
		if g.name == args[0] {
			g.remove()
			b.WriteString("+OK gateway marked for deletion.\n")
			return
		}
	}
	b.WriteString("-ERR no such gateway.\n")
}

func (p *Profile) startGateway(ctx context.Context, b *strings.Builder, args []string) {
	if len(args) == 0 {
		b.WriteString("-ERR missing gateway name\n")
		return
	}
	text, _ := p.stack.Store.Reload(ctx)
	if n := p.stack.profileNode(p.name); n != nil {
		p.loadGateways(n)
	}
	for _, g := range p.gatewayList() {
		if g.name == args[0] {
			fmt.Fprintf(b, "Reload XML [%s]\n+OK start gateway %s complete\n", text, args[0])
			return
		}
	}
	fmt.Fprintf(b, "-ERR cannot add gateway %s for profile %s\n", args[0], p.name)
}

func (p *Profile) gatewayNames(b *strings.Builder, args []string) {
	var names []string
	for _, g := range p.gatewayList() {
		if len(args) > 0 && (args[0] == "up") != g.up() {
			continue
		}
		names = append(names, g.name)
	}
	b.WriteString(strings.Join(names, " "))
}

// flushCommand is flush_inbound_reg [CALLID|USER@DOMAIN] [reboot].
func (p *Profile) flushCommand(b *strings.Builder, args []string) {
	reboot := len(args) > 0 && args[len(args)-1] == "reboot"
	if reboot {
		args = args[:len(args)-1]
	}
	word := "flushing"
	if reboot {
		word = "rebooting"
	}
	match := func(*binding) bool { return true }
	if len(args) > 0 {
		match = matchRegistration(args[0])
		fmt.Fprintf(b, "+OK %s all registrations matching specified call_id\n", word)
	} else {
		fmt.Fprintf(b, "+OK %s all registrations\n", word)
	}
	for _, r := range p.registrar.flushMatching(match) {
		if reboot {
			p.tellSync(r)
		}
	}
}

// matchRegistration matches a Call-ID, or user@domain with either part empty.
func matchRegistration(v string) func(*binding) bool {
	user, domain, at := strings.Cut(v, "@")
	return func(b *binding) bool {
		if b.CallID == v {
			return true
		}
		return at && (user == "" || strings.EqualFold(b.User, user)) && (domain == "" || strings.EqualFold(b.Host, domain))
	}
}

// sofiaContact is sofia_contact (spec/sip.md §5.5).
func (s *Stack) sofiaContact(ctx context.Context, sw *call.Switch, in *call.Invocation) error {
	list := s.Contacts(in.Args)
	if len(list) == 0 {
		in.Out.WriteString("error/user_not_registered")
		return nil
	}
	in.Out.WriteString(strings.Join(list, ","))
	return nil
}

// Contacts returns the dial strings of the registered contacts that
// [PROFILE/]USER[@DOMAIN][/PREFIX][~UAMATCH] means, without duplicates.
func (s *Stack) Contacts(spec string) []string {
	spec, agent, _ := strings.Cut(strings.TrimSpace(spec), "~")
	profile := ""
	prefix := ""
	parts := strings.Split(spec, "/")
	switch {
	case len(parts) > 1 && !strings.Contains(parts[0], "@"):
		profile, spec = parts[0], parts[1]
		if len(parts) > 2 {
			prefix = parts[2]
		}
	case len(parts) > 1:
		spec, prefix = parts[0], parts[1]
	}
	user, domain := s.Directory.SplitUser(spec)
	if user == "" {
		return nil
	}
	var out []string
	seen := map[string]bool{}
	for _, p := range s.contactProfiles(profile, domain) {
		for _, b := range p.lookup(user, domain) {
			if agent != "" && !strings.Contains(b.Agent, agent) {
				continue
			}
			uri := b.dialURI()
			if seen[uri] {
				continue
			}
			seen[uri] = true
			dial := "sofia/" + p.name + "/" + uri
			if prefix != "" {
				dial = prefix + dial
			}
			out = append(out, dial)
		}
	}
	return out
}

// contactProfiles are the profiles that a contact is looked for in: the named
// one, all for "*", else the one that serves the domain, else all.
func (s *Stack) contactProfiles(name, domain string) []*Profile {
	if name != "" && name != "*" {
		if p := s.Profile(name); p != nil {
			return []*Profile{p}
		}
		return nil
	}
	if name == "" {
		if p := s.Profile(domain); p != nil {
			return []*Profile{p}
		}
	}
	return s.Profiles()
}

func (s *Stack) sofiaCount(ctx context.Context, sw *call.Switch, in *call.Invocation) error {
	profile, rest, ok := strings.Cut(strings.TrimSpace(in.Args), "/")
	if !ok {
		profile, rest = "", profile
	}
	if rest == "" {
		in.Out.WriteString("0")
		return nil
	}
	if profile != "" && profile != "*" && s.Profile(profile) == nil {
		in.Out.WriteString("-1")
		return nil
	}
	user, domain := s.Directory.SplitUser(rest)
	n := 0
	for _, p := range s.contactProfiles(profile, domain) {
		n += len(p.lookup(user, domain))
	}
	fmt.Fprint(in.Out, n)
	return nil
}

func (s *Stack) sofiaUsername(ctx context.Context, sw *call.Switch, in *call.Invocation) error {
	profile, rest, ok := strings.Cut(strings.TrimSpace(in.Args), "/")
	if !ok {
		profile, rest = "", profile
	}
	user, domain := s.Directory.SplitUser(rest)
	for _, p := range s.contactProfiles(profile, domain) {
		for _, b := range p.lookup(user, domain) {
			in.Out.WriteString(b.AuthUser)
			return nil
		}
	}
	return nil
}

// gatewayData is sofia_gateway_data GATEWAY [ivar|ovar|var] NAME.
func (s *Stack) gatewayData(ctx context.Context, sw *call.Switch, in *call.Invocation) error {
	words := strings.Fields(in.Args)
	if len(words) < 2 {
		in.Out.WriteString("-ERR Parameter missing\n")
		return nil
	}
	g := s.Gateway(words[0])
	if g == nil {
		return nil
	}
	direction, name := "", words[1]
	if len(words) > 2 {
		name = words[2]
		switch words[1] {
		case "ivar":
			direction = "inbound"
		case "ovar":
			direction = "outbound"
		}
	}
	for _, v := range g.set.vars {
		if v.name == name && (direction == "" || v.direction == "" || v.direction == direction) {
			in.Out.WriteString(v.value)
			return nil
		}
	}
	return nil
}
