package webrtc

import (
	"encoding/json"
	"strings"

	"github.com/switchlet/switchlet/call"
)

// subscribe adds event channels (spec/verto.md §7).
func (k *socket) subscribe(p params) (object, *failure) {
	var done, denied, had []string
	for _, name := range p.list("eventChannel") {
		k.mu.Lock()
		_, already := k.subs[name]
		full := len(k.subs) >= maxSubs
		k.mu.Unlock()
		switch {
		case already:
			had = append(had, name)
		case full || name == "" || len(name) > 256 || !k.mayListen(name):
			denied = append(denied, name)
		default:
			k.server.listenTo(k, name)
			done = append(done, name)
		}
	}
	var o object
	if len(done) > 0 || len(had) > 0 {
		if done == nil {
			done = []string{}
		}
		o = o.with("subscribedChannels", done)
	}
	if len(denied) > 0 {
		o = o.with("unauthorizedChannels", denied)
	}
	if len(had) > 0 {
		o = o.with("alreadySubscribedChannels", had)
	}
	if len(done) == 0 && len(had) == 0 {
		return nil, &failure{object: o}
	}
	for _, name := range done {
		if mainName(name) == "presence" {
			k.server.replayPresence(name)
		}
	}
	return o, nil
}

// unsubscribe takes event channels away.
func (k *socket) unsubscribe(p params) (object, *failure) {
	var done, not []string
	for _, name := range p.list("eventChannel") {
		k.mu.Lock()
		_, had := k.subs[name]
		delete(k.subs, name)
		k.mu.Unlock()
		if had {
			k.server.unlisten(k, name)
			done = append(done, name)
		} else {
			not = append(not, name)
		}
	}
	var o object
	if len(done) > 0 {
		o = o.with("unsubscribedChannels", done)
	}
	if len(not) > 0 {
		o = o.with("notSubscribedChannels", not)
	}
	if len(done) == 0 {
		return nil, &failure{object: o}
	}
	return o, nil
}

// mayListen reports whether the session may use a channel: it was granted, is a
// call of this session, or is in the user's list.
func (k *socket) mayListen(name string) bool {
	if isUUID(name) && k.mine(name) != nil { // a page can call its call "presence"
		return true
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.sanction[name] {
		return true
	}
	if mainName(name) == "FSevent" && !k.server.settings().fsEvents {
		return false
	}
	return k.account.perms.channels.allowsMain(name)
}

// isUUID reports whether a name has the form of a UUID.
func isUUID(name string) bool {
	for i, c := range []byte(name) {
		if dash := i == 8 || i == 13 || i == 18 || i == 23; dash != (c == '-') || !dash && !strings.ContainsRune("0123456789abcdefABCDEF", rune(c)) {
			return false
		}
	}
	return len(name) == 36
}

// broadcast gives a client's event to those who answer such events, and with
// localBroadcast to the channel's subscribers (spec/verto.md §7, §13.7).
func (k *socket) broadcast(p params) (object, *failure) {
	name := p.text("eventChannel")
	if name == "" {
		return object{{"message", "eventChannel not specified."}, {"code", codeSession}}, nil
	}
	if !k.mayListen(name) {
		return object{{"message", "Permission Denied."}, {"code", codeSession}}, nil
	}
	a := k.who()
	e := object{{"eventChannel", name}}
	for key, v := range p {
		switch key {
		case "eventChannel", "sessid", "userid", "fromDisplay", "eventChannelSessid", "contentVisibility", "localBroadcast":
		default:
			e = e.with(key, v)
		}
	}
	e = append(e, member{"userid", a.uid}, member{"sessid", k.session()}, member{"fromDisplay", a.displayName()})
	switch {
	case mainName(name) == "conference":
		k.server.describeRoom(k, name, e, p.object("data"))
	case strings.HasPrefix(name, "conference"):
		k.server.conferenceBroadcast(k, name, p.object("data"))
	case p.flag("localBroadcast") && mainName(name) != "presence" && mainName(name) != "FSevent":
		k.server.relay(name, e)
	}
	return object{}, nil
}

// listenTo subscribes a socket to a channel.
func (s *Server) listenTo(k *socket, name string) {
	k.mu.Lock()
	k.subs[name] = 0
	k.mu.Unlock()
	s.mu.Lock()
	if s.subs[name] == nil {
		s.subs[name] = map[*socket]bool{}
	}
	s.subs[name][k] = true
	s.watch(mainName(name))
	s.mu.Unlock()
}

func (s *Server) unlisten(k *socket, name string) {
	s.mu.Lock()
	delete(s.subs[name], k)
	if len(s.subs[name]) == 0 {
		delete(s.subs, name)
		s.watch(mainName(name))
	}
	s.mu.Unlock()
}

// publishTo delivers an event to the subscribers of its channel and of the
// channel's main name.
func (s *Server) publishTo(name string, e object) { s.publishIf(name, e, nil) }

// relay is publishTo for what a page says, and for events of the switch: who is behind
// with reading misses it, since others must not cost him his socket.
func (s *Server) relay(name string, e object) {
	s.publishIf(name, e, func(k *socket) bool { return !k.out.behind() })
}

// publishIf is publishTo for those whom may lets have it; nil lets everyone.
func (s *Server) publishIf(name string, e object, may func(*socket) bool) {
	names := []string{name}
	if main := mainName(name); main != name {
		names = append(names, main)
	}
	for _, n := range names {
		s.mu.Lock()
		list := make([]*socket, 0, len(s.subs[n]))
		for k := range s.subs[n] {
			list = append(list, k)
		}
		s.mu.Unlock()
		for _, k := range list {
			if may == nil || may(k) {
				k.deliver(n, e)
			}
		}
	}
}

// Broadcast sends a program's event, a JSON object, by its event channel: to the one
// session that it names (sessid), that it or the channel is the identity of, a UUID, or
// whose call that is; otherwise to those who have subscribed. What is not public
// (contentVisibility) reaches guests only where they are allowed the channel by name.
func (s *Server) Broadcast(channel string, message []byte) {
	e := members(message)
	text := func(name string) (v string) {
		for _, m := range e {
			if raw, ok := m.value.(json.RawMessage); ok && m.name == name {
				_ = json.Unmarshal(raw, &v)
			}
		}
		return v
	}
	one := text("sessid")
	if one == "" {
		one = text("eventChannelSessid")
		if one == "" && isUUID(channel) { // a page can call itself "news"
			one = channel
		}
		s.mu.Lock()
		if l := s.legs[one]; l != nil {
			one = l.sessid
		}
		s.mu.Unlock()
	}
	if k := s.online(one); k != nil {
		k.direct(e)
		return
	}
	if id := text("sessid"); id != "" {
		s.sw.Log.Printf(call.LogWarning, "Socket %s not connected", id)
		return
	}
	visibility := text("contentVisibility")
	s.publishIf(channel, e, func(k *socket) bool {
		a := k.who()
		return a == nil || !strings.HasPrefix(strings.ToLower(a.id), "guest") || visibility == "" || strings.EqualFold(visibility, "public") || k.mayListen(channel)
	})
}

// deliver sends an event of a subscribed channel, numbered for this socket.
func (k *socket) deliver(channel string, e object) {
	k.mu.Lock()
	serno, ok := k.subs[channel]
	if ok {
		k.subs[channel] = serno + 1
	}
	k.mu.Unlock()
	if ok {
		out := append(append(object{}, e...), member{"eventSerno", serno}, member{"subscribedChannel", channel})
		k.request("verto.event", out)
	}
}

// direct sends an event without subscription.
func (k *socket) direct(e object) { k.request("verto.event", e) }

// grant lets the session use channels, revoke takes that back and unsubscribes.
func (k *socket) grant(names ...string) {
	k.mu.Lock()
	for _, n := range names {
		k.sanction[n] = true
	}
	k.mu.Unlock()
}

func (k *socket) revoke(names ...string) {
	for _, n := range names {
		k.mu.Lock()
		delete(k.sanction, n)
		_, had := k.subs[n]
		keep := had && k.account.perms.channels.allowsMain(n)
		if had && !keep {
			delete(k.subs, n)
		}
		k.mu.Unlock()
		if had && !keep {
			k.server.unlisten(k, n)
		}
	}
}
