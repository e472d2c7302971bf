package sip

import (
	"context"
	"strconv"
	"strings"
	"time"

	wire "github.com/emiago/sipgo/sip"

	"github.com/switchlet/switchlet/call"
)

// endpoint is "sofia" of dial strings.
type endpoint struct{ stack *Stack }

// Endpoint returns the endpoint for dial strings that begin with sofia/.
func (s *Stack) Endpoint() call.Endpoint { return endpoint{s} }

// destination is where a dial string leads.
type destination struct {
	profile *Profile
	gateway *Gateway
	name    string // last part of the channel's name
	user    string // destination number
	target  target
	toUser  string // ^toUser
	stream  *binding
}

// Dial makes an outbound leg (spec/sip.md §6.1).
func (e endpoint) Dial(ctx context.Context, sw *call.Switch, r *call.DialRequest) (*call.Channel, error) {
	d, err := e.stack.resolve(r)
	if err != nil {
		return nil, err
	}
	p := d.profile
	if p.closing.Load() {
		return nil, call.CauseSystemShutdown
	}
	if _, out := sw.Limits.Paused(); out {
		return nil, call.CauseSystemShutdown
	}
	l := &leg{profile: p, gateway: d.gateway, outbound: true, localTag: newTag(), started: time.Now(), target: d.target}
	profile := r.Caller
	profile.Destination, profile.Dialplan = d.user, ""
	profile.Context = or(profile.Context, "default")
	o := call.NewChannelOptions{UUID: r.UUID, Name: "sofia/" + p.name + "/" + d.name, Module: "mod_sofia", Profile: profile,
		Vars: l.dialVars(r, d), Outbound: true}
	ch, err := sw.NewChannel(l, o)
	if err != nil {
		return nil, err
	}
	l.ch = ch
	l.callID = ch.Get("sip_invite_call_id")
	if l.callID == "" {
		l.callID = call.NewUUID()
		if p.settings().uuidAsCallID {
			l.callID = ch.UUID()
		}
	}
	if d.toUser != "" {
		ch.SetPlain("sip_invite_to_user", d.toUser)
	}
	if d.stream != nil {
		p.streamOf(d.stream, &l.target)
	}
	e.stack.addLeg(l)
	p.calls.Add(1)
	p.counters.callsOut.Add(1)
	if d.gateway != nil {
		d.gateway.callsOut.Add(1)
	}
	return ch, nil
}

// customHeaders are the variables that go over to the other leg of a call.
var customHeaders = []string{"sip_h_", "sip_rh_x-", "sip_ph_x-", "sip_bye_h_x-"}

// copies reports whether headers of a channel's far end go over to the other leg.
func copies(ch *call.Channel) bool {
	v := ch.Get("sip_copy_custom_headers")
	return v == "" || call.True(v)
}

// dialVars are the first variables of an outbound leg.
func (l *leg) dialVars(r *call.DialRequest, d *destination) []call.Var {
	var v varList
	if a := r.Originator; a != nil {
		if copies(a) {
			for _, x := range a.Vars().All() {
				low := strings.ToLower(x.Name)
				for _, prefix := range customHeaders {
					if strings.HasPrefix(low, prefix) {
						v.add(x.Name, x.Value)
					}
				}
			}
		}
		if own := a.Get("sip_copy_multipart"); own == "" || call.True(own) {
			v.add("sip_multipart", a.Get("sip_multipart"))
		}
		if f, _ := a.Formats(); !f.IsZero() {
			v.add("originator_codec", codecName(f))
		} else {
			v.add("originator_codec", a.Get("ep_codec_string"))
		}
		if n, err := strconv.Atoi(a.Get("max_forwards")); err == nil && n > 1 {
			v.add("max_forwards", strconv.Itoa(n-1))
		}
	}
	if d.gateway != nil {
		v = append(v, d.gateway.set.variables("outbound")...)
		v.add("sip_gateway_name", d.gateway.name)
		v.add("sip_profile_name", "gateway")
	} else {
		v.add("sip_profile_name", l.profile.name)
	}
	v.add("sofia_profile_name", l.profile.name)
	v.add("recovery_profile_name", l.profile.name)
	if r.Vars != nil {
		v = append(v, r.Vars.All()...)
	}
	for _, kind := range []string{"video", "audio", "text"} {
		v.add(kind+"_media_flow", "disabled")
	}
	v.add("sip_destination_url", l.target.uri.String())
	return v
}

// resolve reads the part of a dial string behind sofia/.
func (s *Stack) resolve(r *call.DialRequest) (*destination, error) {
	first, rest, ok := strings.Cut(r.Data, "/")
	if !ok || first == "" || rest == "" {
		return nil, call.CauseInvalidURL
	}
	if strings.ContainsAny(r.Data, "\r\n\x00") || len(r.Data) > maxURI {
		return nil, call.CauseInvalidURL
	}
	if first == "gateway" {
		return s.resolveGateway(rest)
	}
	p := s.Profile(first)
	if p == nil {
		s.Switch.Log.Printf(call.LogErr, "Invalid Profile")
		return nil, call.CauseInvalidProfile
	}
	d := &destination{profile: p, name: nameOf(rest)}
	rest, d.toUser, _ = strings.Cut(rest, "^")
	if !strings.HasPrefix(rest, "sip:") && !strings.HasPrefix(rest, "sips:") {
		host := strings.Contains(rest, "@")
		if !host {
			return p.registered(d, rest)
		}
		rest = "sip:" + rest
	}
	t, err := p.contactTarget(rest)
	if err != nil {
		return nil, call.CauseInvalidURL
	}
	d.target = *t
	d.user = unescape(t.uri.User)
	return d, nil
}

// nameOf is the last part of the channel's name: parameters are left out.
func nameOf(dest string) string {
	dest, _, _ = strings.Cut(dest, ";")
	dest, _, _ = strings.Cut(dest, "^")
	return dest
}

// registered resolves user or user%domain to a registered contact.
func (p *Profile) registered(d *destination, name string) (*destination, error) {
	user, domain, ok := strings.Cut(name, "%")
	if !ok {
		domain = p.name
	}
	for _, b := range p.lookup(user, domain) {
		t, err := p.contactTarget(b.dialURI())
		if err != nil {
			continue
		}
		d.target, d.user, d.stream = *t, user, b
		return d, nil
	}
	return nil, call.CauseUserNotRegistered
}

// lookup finds the bindings of a user; a domain that is the profile's own name,
// or none, means any.
func (p *Profile) lookup(user, domain string) []*binding {
	s := p.settings()
	if domain != "" && domain != p.name {
		if list := p.registrar.find(user, domain); len(list) > 0 {
			return list
		}
		for _, a := range s.aliases {
			if strings.EqualFold(a, domain) {
				domain = p.name
			}
		}
		if domain != p.name {
			return nil
		}
	}
	for _, host := range []string{s.regDBDomain, s.regDomain, p.stack.Directory.DefaultDomain(), hostText(s.sipIP)} {
		if host == "" {
			continue
		}
		if list := p.registrar.find(user, host); len(list) > 0 {
			return list
		}
	}
	var out []*binding
	for _, b := range p.registrar.all() {
		if strings.EqualFold(b.User, user) {
			out = append(out, b)
		}
	}
	return out
}

// resolveGateway reads GW/number[;params] or GW/number@host.
func (s *Stack) resolveGateway(rest string) (*destination, error) {
	name, number, ok := strings.Cut(rest, "/")
	gw := s.Gateway(name)
	if gw == nil || !ok {
		s.Switch.Log.Printf(call.LogErr, "Invalid Gateway '%s'", name)
		return nil, call.CauseInvalidGateway
	}
	if !gw.up() {
		s.Switch.Log.Printf(call.LogErr, "Gateway '%s' is down!", name)
		gw.failedOut.Add(1)
		return nil, call.CauseGatewayDown
	}
	d := &destination{profile: gw.profile, gateway: gw, name: nameOf(number)}
	number, d.toUser, _ = strings.Cut(number, "^")
	params := ""
	if i := strings.IndexByte(number, ';'); i >= 0 {
		number, params = number[:i], number[i:]
	}
	uri := number
	switch {
	case strings.HasPrefix(number, "sip:"), strings.HasPrefix(number, "sips:"):
	case strings.Contains(number, "@"):
		uri = "sip:" + gw.set.prefix + number
	default:
		uri = "sip:" + escapeUser(gw.set.prefix+number) + "@" + gw.set.proxyHost
	}
	u, err := parseURI(uri + params)
	if err != nil {
		return nil, call.CauseInvalidURL
	}
	d.user = unescape(u.User)
	d.target = target{uri: u, transport: uriTransport(&u)}
	if !u.UriParams.Has("transport") && gw.set.transport != "" && gw.set.transport != "udp" {
		d.target.transport = gw.set.transport
		d.target.uri.UriParams = append(d.target.uri.UriParams, wire.HeaderKV{K: "transport", V: gw.set.transport})
	}
	d.target.next = uriDestination(&u)
	if gw.set.outboundProxy != "" {
		d.target.route = []string{gw.set.outboundProxy}
		d.target.next = ""
	}
	return d, nil
}
