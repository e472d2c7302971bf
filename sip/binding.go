package sip

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
)

// binding is one registered contact. It is not changed after it was stored, but
// for what ping.go owns; a renewal replaces it.
type binding struct {
	CallID, User, Host     string
	ToUser, ToHost         string
	Contact                string // "DISPLAY" <sip:…> with what NAT handling added
	Status                 string // Registered(UDP)
	RPID, Agent            string
	NetworkIP, NetworkPort string
	AuthUser, AuthRealm    string
	Realm                  string
	MWIUser, MWIHost       string
	Path                   string
	Transport              string
	Stream                 string // source of the TCP or TLS connection, "" for none
	ExpSeconds             int    // as the phone was told
	Expires                time.Time
	Registered             time.Time

	contactURI string // as the phone wrote it
	forcePing  bool
	first      bool // the user's only binding when it was stored

	// Owned by the registrar's lock.
	Reachable bool
	PingCount int
	PingTime  time.Duration
	nextPing  time.Time
	pinging   bool
}

// dialURI is the stored contact without display name and brackets.
func (b *binding) dialURI() string { return dialURI(b.Contact) }

func dialURI(contact string) string {
	if _, rest, ok := strings.Cut(contact, "<"); ok {
		uri, _, _ := strings.Cut(rest, ">")
		return uri
	}
	return contact
}

// proto is the transport as "show registrations" names it.
func (b *binding) proto() string {
	if b.Transport != "" {
		return b.Transport
	}
	s := strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(b.Status, "Registered("), ")"))
	s, _, _ = strings.Cut(s, "-")
	if s == "auto" || s == "tlshack" || s == "" {
		return "udp"
	}
	return s
}

// rowKey identifies the binding's row in the database.
func (b *binding) rowKey() string {
	return b.CallID + "\x00" + b.User + "\x00" + b.Host + "\x00" + b.Contact
}

// registrar is the table of a profile's bindings. It lives in memory; the
// database follows a moment later, in batches.
type registrar struct {
	p  *Profile
	mu sync.RWMutex
	// by user@host in lower case
	users map[string][]*binding
	count int
	saver *saver
	done  chan struct{}
	end   context.CancelFunc
}

func newRegistrar(p *Profile) *registrar {
	return &registrar{p: p, users: make(map[string][]*binding), saver: newSaver(p)}
}

func userKey(user, host string) string { return strings.ToLower(user + "@" + host) }

// Intervals of the registrar's work.
const (
	expiryInterval = 30 * time.Second
	saveInterval   = time.Second
)

// start loads what the database has and begins to scan and to save.
func (r *registrar) start() {
	for _, b := range r.saver.load(r.p.ctx) {
		key := userKey(b.User, b.Host)
		r.users[key] = append(r.users[key], b)
		r.count++
	}
	var ctx context.Context
	ctx, r.end = context.WithCancel(context.Background())
	r.done = make(chan struct{})
	go r.run(ctx)
}

func (r *registrar) run(ctx context.Context) {
	defer close(r.done)
	defer r.p.survive("registrar")
	tick := time.NewTicker(saveInterval)
	defer tick.Stop()
	scanned := time.Now()
	for {
		select {
		case <-ctx.Done():
			r.saver.flush(context.Background())
			return
		case now := <-tick.C:
			r.saver.flush(ctx)
			if now.Sub(scanned) >= expiryInterval {
				scanned = now
				r.expire(now)
				r.p.stack.watchers.audit(r.p, now)
			}
			r.pingDue(now)
		}
	}
}

// stop writes what is left and ends the registrar's goroutine.
func (r *registrar) stop() {
	r.end()
	<-r.done
}

// put stores b in place of what it renews. ok is false when the user or the
// profile has too many.
func (r *registrar) put(b *binding, multiple string, limit int) (ok, renewed bool) {
	key := userKey(b.User, b.Host)
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.users[key]
	kept := make([]*binding, 0, len(old)+1)
	var gone []*binding
	for _, o := range old {
		same := multiple == "" || multiple == "call-id" && o.CallID == b.CallID || multiple == "contact" && o.contactURI == b.contactURI && o.dialURI() == b.dialURI()
		if same {
			gone = append(gone, o)
			renewed = renewed || o.CallID == b.CallID
			continue
		}
		kept = append(kept, o)
	}
	if len(gone) == 0 {
		if (limit > 0 && len(kept) >= limit) || len(kept) >= r.p.stack.Limits.UserBindings || r.count >= r.p.stack.Limits.Bindings {
			return false, false
		}
	}
	for _, o := range gone {
		r.saver.forget(o)
		b.Reachable, b.PingCount, b.PingTime = o.Reachable, o.PingCount, o.PingTime
	}
	b.first = len(old) == 0
	r.users[key] = append(kept, b)
	r.count += 1 - len(gone)
	r.saver.keep(b)
	return true, renewed
}

// remove takes a binding away; false if it is not there.
func (r *registrar) remove(b *binding) bool {
	key := userKey(b.User, b.Host)
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.users[key]
	for i, o := range list {
		if o != b {
			continue
		}
		if len(list) == 1 {
			delete(r.users, key)
		} else {
			r.users[key] = append(append([]*binding(nil), list[:i]...), list[i+1:]...)
		}
		r.count--
		r.saver.forget(b)
		return true
	}
	return false
}

// find returns a user's bindings.
func (r *registrar) find(user, host string) []*binding {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return append([]*binding(nil), r.users[userKey(user, host)]...)
}

// all returns every binding.
func (r *registrar) all() []*binding {
	r.mu.RLock()
	defer r.mu.RUnlock()
	out := make([]*binding, 0, r.count)
	for _, list := range r.users {
		out = append(out, list...)
	}
	return out
}

// size is the number of bindings.
func (r *registrar) size() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.count
}

// expire removes what is past its time.
func (r *registrar) expire(now time.Time) {
	var gone []*binding
	r.mu.RLock()
	for _, list := range r.users {
		for _, b := range list {
			if now.After(b.Expires) {
				gone = append(gone, b)
			}
		}
	}
	r.mu.RUnlock()
	for _, b := range gone {
		if r.remove(b) {
			r.expired(b)
		}
	}
}

// expired fires sofia::expire and PRESENCE_IN.
func (r *registrar) expired(b *binding) {
	if r.p.wanted("sofia::expire") {
		e := event.New(event.Custom, "sofia::expire")
		for _, f := range []field{{"profile-name", r.p.name}, {"call-id", b.CallID}, {"user", b.User}, {"username", b.AuthUser},
			{"host", b.Host}, {"contact", b.Contact}, {"expires", unix(b.Expires)}, {"user-agent", b.Agent}, {"realm", b.AuthRealm},
			{"network-ip", b.NetworkIP}, {"network-port", b.NetworkPort}} {
			e.Add(f.name, f.value)
		}
		r.p.publish(e)
	}
	r.presence(b, "Unregistered")
}

// presence fires PRESENCE_IN about a registration that came or went (spec/esl.md §4.6).
func (r *registrar) presence(b *binding, status string) {
	if !r.p.stack.Switch.Bus.Wanted(event.PresenceIn, "") {
		return
	}
	e := event.New(event.PresenceIn, "")
	for _, f := range []field{{"proto", "sip"}, {"rpid", b.RPID}, {"login", r.p.name}, {"user-agent", b.Agent},
		{"from", b.User + "@" + b.Host}, {"status", status}, {"event_type", "presence"}, {"presence-source", "register"}} {
		e.Add(f.name, f.value)
	}
	r.p.publish(e)
}

// flushMatching removes bindings (sofia profile X flush_inbound_reg).
func (r *registrar) flushMatching(match func(*binding) bool) (gone []*binding) {
	for _, b := range r.all() {
		if match(b) && r.remove(b) {
			r.expired(b)
			gone = append(gone, b)
		}
	}
	return gone
}

func (r *registrar) log(format string, args ...any) { r.p.log(call.LogErr, format, args...) }
