package webrtc

import (
	"time"

	"github.com/switchlet/switchlet/call"
)

// maxSessid is the length of the session ids that are accepted.
const maxSessid = 64

// validSessid reports whether a client's session id is one: letters, digits, '-'
// and '_'.
func validSessid(s string) bool {
	if s == "" || len(s) > maxSessid {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c == '-' || c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z') {
			return false
		}
	}
	return true
}

// gate lets a request pass or says why not: a socket that is not logged in, and
// every login, must carry credentials (spec/verto.md §2).
func (k *socket) gate(method string, p params) *failure {
	if k.who() != nil && method != "login" {
		return nil
	}
	var a *account
	if k.profile.asked() {
		var f *failure
		if a, f = k.server.authenticate(k.ctx, k, p); f != nil {
			return f
		}
	} else {
		a = k.profile.open()
	}
	return k.server.bind(k, a, p.text("sessid"))
}

// bind gives the socket its account and session. The session may be bound to
// another socket: of the same user that one is punted, of another the new one is
// refused.
func (s *Server) bind(k *socket, a *account, wanted string) *failure {
	k.mu.Lock()
	if k.account != nil && k.account.uid != a.uid {
		k.mu.Unlock()
		f := fail(codeAuthFailed, "Session in use")
		f.close = true
		return f
	}
	fresh := k.account == nil
	sessid := k.sessid
	k.mu.Unlock()
	if sessid == "" {
		if sessid = wanted; !validSessid(sessid) {
			sessid = call.NewUUID()
		}
	}
	s.mu.Lock()
	old := s.sessions[sessid]
	foreign := old != nil && old != k && old.who().uid != a.uid
	for _, l := range s.legs {
		foreign = foreign || l.sessid == sessid && l.uid != a.uid
	}
	if foreign {
		s.mu.Unlock()
		f := fail(codeAuthFailed, "Session in use")
		f.close = true
		return f
	}
	k.mu.Lock()
	k.account, k.sessid = a, sessid
	stranger := k.stranger
	k.stranger = false
	k.mu.Unlock()
	s.sessions[sessid] = k
	s.mu.Unlock()
	if stranger {
		s.guard.leave(k.ip)
	}
	if fresh {
		k.conn.SetReadLimit(maxMessage)
	}
	if old != nil && old != k {
		old.request("verto.punt", nil)
		s.detachCalls(sessid, old)
		old.end()
	}
	return nil
}

// welcome sends, once after login, the session's detached calls and clientReady.
func (k *socket) welcome() {
	k.mu.Lock()
	due := k.account != nil && !k.ready
	k.ready = k.ready || due
	sessid := k.sessid
	k.mu.Unlock()
	if !due {
		return
	}
	s := k.server
	s.mu.Lock()
	legs := s.legList(func(l *leg) bool { return l.sessid == sessid })
	s.mu.Unlock()
	back := []string{}
	for _, l := range legs {
		if l.offerAttach(k) {
			back = append(back, l.uuid)
		}
	}
	k.request("verto.clientReady", object{{"reattached_sessions", back}})
}

// detach takes a socket that has ended out of everything.
func (s *Server) detach(k *socket) {
	k.mu.Lock()
	sessid, stranger := k.sessid, k.stranger
	k.stranger = false
	subs := make([]string, 0, len(k.subs))
	for name := range k.subs {
		subs = append(subs, name)
	}
	clear(k.subs)
	k.mu.Unlock()
	if stranger {
		s.guard.leave(k.ip)
	}
	for _, name := range subs {
		s.unlisten(k, name)
	}
	s.mu.Lock()
	delete(s.sockets, k)
	mine := sessid != "" && s.sessions[sessid] == k
	if mine {
		delete(s.sessions, sessid)
	}
	s.mu.Unlock()
	if mine {
		s.detachCalls(sessid, k)
	}
}

// detachCalls ends or keeps the calls of a session whose socket is gone
// (spec/verto.md §6).
func (s *Server) detachCalls(sessid string, k *socket) {
	s.mu.Lock()
	legs := s.legList(func(l *leg) bool { return l.sessid == sessid })
	s.mu.Unlock()
	now := time.Now()
	for _, l := range legs {
		if l.detach(k, now) {
			l.ch.Log(call.LogNotice, "%s: the browser is gone, waiting %d s for it", l.ch.Name(), s.settings().detach)
		}
	}
	// A page that signed in meanwhile was offered only what had lost its socket by then.
	if next := s.online(sessid); next != nil && next != k && next.welcomed() {
		for _, l := range legs {
			l.offerAttach(next)
		}
	}
}

// welcomed reports whether the calls of the session were offered, or are just now.
func (k *socket) welcomed() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.ready
}

// online returns the socket of a session, or nil.
func (s *Server) online(sessid string) *socket {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[sessid]
}

// may reports whether the account may call a method.
func (k *socket) may(name string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return name == "login" || k.account.perms.methods.allowsMain(name)
}
