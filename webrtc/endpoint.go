package webrtc

import (
	"context"
	"sort"
	"strings"

	"github.com/switchlet/switchlet/call"
)

// Endpoints are the dial-string endpoints of Verto: verto.rtc, which stands for
// all sessions of a user, and what it expands to, one session.
func (s *Server) Endpoints() map[string]call.Endpoint {
	return map[string]call.Endpoint{endpointName: users{s}, sessionName: tab{s}}
}

// socketsOf are the sockets on which user@domain is logged in, oldest first; a
// user without domain is one of the default domain.
func (s *Server) socketsOf(user string) []*socket {
	id, domain := s.opts.Directory.SplitUser(user)
	uid := id + "@" + domain
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*socket
	for _, k := range s.sessions {
		if strings.EqualFold(k.who().uid, uid) {
			list = append(list, k)
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].since.Before(list[j].since) })
	return list
}

// contact is the dial string of a user's sessions, "" if there is none.
func (s *Server) contact(user string) string {
	var legs []string
	for _, k := range s.socketsOf(user) {
		legs = append(legs, endpointName+"/u:"+k.session())
	}
	return strings.Join(legs, ",")
}

// users is the endpoint verto.rtc.
type users struct{ s *Server }

// Dial makes the leg of the first session (call.Endpoint).
func (u users) Dial(ctx context.Context, sw *call.Switch, r *call.DialRequest) (*call.Channel, error) {
	sessid, ok := strings.CutPrefix(r.Data, "u:")
	if !ok {
		list := u.s.socketsOf(r.Data)
		if len(list) == 0 {
			return nil, call.CauseUserNotRegistered
		}
		sessid = list[0].session()
	}
	one := *r
	one.Data = sessid
	return tab(u).Dial(ctx, sw, &one)
}

// Expand names the sessions that data stands for (call.Expander).
func (u users) Expand(_ context.Context, _ *call.Switch, r *call.DialRequest) (string, []call.Var, error) {
	if sessid, ok := strings.CutPrefix(r.Data, "u:"); ok {
		if !validSessid(sessid) {
			return "", nil, call.CauseUserNotRegistered
		}
		return sessionName + "/" + sessid, nil, nil
	}
	var legs []string
	for _, k := range u.s.socketsOf(r.Data) {
		legs = append(legs, sessionName+"/"+k.session())
	}
	if len(legs) == 0 {
		return "", nil, call.CauseUserNotRegistered
	}
	id, _, _ := strings.Cut(r.Data, "@")
	return strings.Join(legs, ","), []call.Var{{Name: "verto_orig_dest", Value: r.Data},
		{Name: "origination_callee_id_number", Value: id}}, nil
}

// tab is the endpoint of one session: one browser's tab.
type tab struct{ s *Server }

// Dial makes an outbound leg to a session (call.Endpoint).
func (t tab) Dial(_ context.Context, sw *call.Switch, r *call.DialRequest) (*call.Channel, error) {
	s, sessid := t.s, r.Data
	k := s.online(sessid)
	if k == nil || s.net == nil {
		return nil, call.CauseUserNotRegistered
	}
	a := k.who()
	l := &leg{server: s, sessid: sessid, uid: a.uid, profile: k.profile, account: a, outbound: true, keep: true}
	vars := sessionVars(k, a, sessid)
	if r.Vars != nil {
		vars = append(vars, r.Vars.All()...)
	}
	vars = append(vars, call.Var{Name: "media_webrtc", Value: "true"})
	p := r.Caller
	p.Username, p.NetworkAddr, p.Destination, p.Dialplan = a.uid, k.ip.String(), a.id, ""
	if name := a.displayName(); name != "" {
		p.CalleeName = name
	}
	if number := orElse(a.params.Get("caller-id-number"), a.id); number != "" && p.CalleeNumber == "" {
		p.CalleeNumber = number
	}
	ch, err := sw.NewChannel(l, call.NewChannelOptions{UUID: r.UUID, Name: endpointName + "/" + sessid, Module: moduleName,
		Profile: p, Vars: vars, Outbound: true})
	if err != nil {
		return nil, err
	}
	l.uuid = ch.UUID()
	if cause := s.enlist(l, ch); cause != call.CauseNone {
		ch.Abandon(cause)
		return nil, cause
	}
	return ch, nil
}
