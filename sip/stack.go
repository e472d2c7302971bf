package sip

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime/debug"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/directory"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/conf"
	"github.com/switchlet/switchlet/media/rtp"
)

// Options are what a Stack is made with. Switch, Store, Directory and Ports are
// required.
type Options struct {
	Switch    *call.Switch
	Store     *conf.Store
	Directory *directory.Directory
	// AccessLists answers for the lists that profiles name; nil: no list matches.
	AccessLists AccessLists
	// Ports are the RTP ports of all profiles.
	Ports *rtp.Ports
	// DB keeps registrations over a restart; nil keeps them in memory only. The
	// table is sip_registrations.
	DB *sql.DB
	// Certificate opens a PEM file with certificate, key and chain for secure
	// bindings; "" asks for the box's own. nil: profiles with TLS do not start.
	Certificate func(file string) (GetCertificate, error)
	// CertDir is where agent.pem and cafile.pem are looked for if a profile does not
	// say (tls-cert-dir); "" is nowhere.
	CertDir string
	// NewPeer makes the sound of a leg whose far end speaks ICE and DTLS-SRTP, as
	// browsers do; from is where its signalling comes from. nil: such offers are
	// refused.
	NewPeer func(from netip.Addr) (Peer, error)
	// WebSocket turns a listener into one of SIP over WebSocket (RFC 7118); nil:
	// profiles with ws-binding or wss-binding do not start.
	WebSocket func(net.Listener) net.Listener
	// Web opens the listener of what comes to the web ports, http or https. The
	// profile "internal" serves it, or the first one; nil: none does.
	Web    func(secure bool) net.Listener
	Limits Limits
}

// AccessLists answers whether an address is on a list (ACL), and which token the
// matching entry has: user@domain for entries that come from the directory.
type AccessLists interface {
	Check(ip netip.Addr, list string) (allowed bool, token string)
}

// Stack is the SIP side of one switch: its profiles and what they share.
type Stack struct {
	Options

	requests *buckets // of messages
	failures *buckets // of failed authentications
	hints    *buckets // lines about refused passwords, one a second and source
	dialogs  *tally   // calls a source holds
	watchers *watchers
	// What was said of accounts' messages, and what ends the listening.
	summaries summaries
	deaf      func()
	proxied   sync.Map // by netip.AddrPort: connections that a proxy made for others

	// What a far end says waits so long for the call that it is about to begin.
	beginLimit time.Duration

	ctx    context.Context
	cancel context.CancelFunc
	trace  atomic.Bool // sofia global siptrace

	mu       sync.RWMutex
	profiles []*Profile

	legsMu sync.RWMutex
	legs   map[string]*leg // by Call-ID and local tag
}

// defaultBeginLimit is the time after which a far end repeats its answer (T1 of RFC 3261).
const defaultBeginLimit = 500 * time.Millisecond

// New makes a Stack that does nothing until Start.
func New(o Options) *Stack {
	library()
	o.Limits = o.Limits.withDefaults()
	s := &Stack{
		Options:  o,
		requests: newBuckets(o.Limits.Requests, o.Limits.Burst, o.Limits.Sources),
		failures: newBuckets(o.Limits.Failures, o.Limits.FailureBurst, o.Limits.Sources), hints: newBuckets(1, 1, o.Limits.Sources),
		dialogs: &tally{},
		legs:    make(map[string]*leg), beginLimit: defaultBeginLimit,
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.watchers = newWatchers(s)
	return s
}

// Start binds and serves the profiles of sofia.conf. A profile that cannot is an
// error that says which address, and who should change what; the others run on.
func (s *Stack) Start(ctx context.Context) error {
	if s.DB != nil {
		if err := createTable(ctx, s.DB); err != nil {
			return fmt.Errorf("sip: registrations: %w", err)
		}
	}
	cfg := s.Store.Tree().Configuration("sofia.conf")
	if cfg == nil {
		return errors.New("sip: there is no sofia.conf: add autoload_configs/sofia.conf.xml with at least one profile")
	}
	s.deaf = s.Switch.Bus.Handle(event.MessageWaiting, "", s.messageWaiting)
	var failed []error
	for _, n := range cfg.Child("profiles").ChildrenNamed("profile") {
		if err := s.startProfile(n); err != nil {
			failed = append(failed, err)
			s.Switch.Log.Printf(call.LogErr, "%v", err)
		}
	}
	return errors.Join(failed...)
}

// startProfile reads and runs one profile of the configuration.
func (s *Stack) startProfile(n *conf.Node) error {
	set, err := readSettings(n, s.Store.Globals(), s.Directory.Domains(), func(format string, args ...any) {
		s.Switch.Log.Printf(call.LogWarning, format, args...)
	})
	if err != nil {
		return err
	}
	if s.Profile(set.name) != nil {
		return fmt.Errorf("sip: %s: profile %s runs already", n.Where(), set.name)
	}
	p := newProfile(s, set)
	p.web = s.Web != nil && s.webProfile() == set.name
	if err := p.start(); err != nil {
		return err
	}
	s.mu.Lock()
	s.profiles = append(s.profiles, p)
	s.mu.Unlock()
	p.loadGateways(n)
	s.Switch.Log.Printf(call.LogNotice, "Started Profile %s [sofia_reg_%s]", p.name, p.name)
	return nil
}

// webProfile is the name of the profile that serves the web ports.
func (s *Stack) webProfile() string {
	list := s.Store.Tree().Configuration("sofia.conf").Child("profiles")
	if list.Find("profile", "name", webProfile) != nil {
		return webProfile
	}
	for _, n := range list.ChildrenNamed("profile") {
		return n.Attr("name")
	}
	return ""
}

// webProfile is the profile that users register at, as the stock tree has it.
const webProfile = "internal"

// Close ends all profiles: gateways unregister, calls end, sockets close.
func (s *Stack) Close() {
	if s.deaf != nil {
		s.deaf()
	}
	for _, p := range s.Profiles() {
		p.stop(call.CauseSystemShutdown)
	}
	s.cancel()
}

// Profiles returns the running profiles in the order of their start.
func (s *Stack) Profiles() []*Profile {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return append([]*Profile(nil), s.profiles...)
}

// Profile finds a profile by name, alias or domain.
func (s *Stack) Profile(name string) *Profile {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, p := range s.profiles {
		if p.name == name {
			return p
		}
	}
	for _, p := range s.profiles {
		for _, a := range p.settings().aliases {
			if strings.EqualFold(a, name) {
				return p
			}
		}
	}
	return nil
}

// removeProfile forgets a profile.
func (s *Stack) removeProfile(p *Profile) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, q := range s.profiles {
		if q == p {
			s.profiles = append(s.profiles[:i], s.profiles[i+1:]...)
			return
		}
	}
}

// profileNode is a profile's element in the configuration in force.
func (s *Stack) profileNode(name string) *conf.Node {
	return s.Store.Tree().Configuration("sofia.conf").Child("profiles").Find("profile", "name", name)
}

// inList reports whether an address is on an access list.
func (s *Stack) inList(a netip.Addr, list string) bool {
	ok, _ := s.checkList(a, list)
	return ok
}

func (s *Stack) checkList(a netip.Addr, list string) (bool, string) {
	if s.AccessLists == nil || list == "" || !a.IsValid() {
		return false, ""
	}
	return s.AccessLists.Check(a, list)
}

// crashed reports a recovered panic.
func (s *Stack) crashed(where string, r any) {
	s.Switch.Log.Printf(call.LogCrit, "sip: %s: panic: %v\n%s", where, r, debug.Stack())
	e := event.New(event.SessionCrash, "")
	e.Add("Crash-Where", "sip: "+where)
	e.Add("Crash-Reason", fmt.Sprint(r))
	s.Switch.Bus.Publish(e, "sofia.c", "sofia_event_callback", 1)
}

func dialogKey(callID, localTag string) string { return callID + "\x00" + localTag }

func (s *Stack) addLeg(l *leg) {
	s.legsMu.Lock()
	s.legs[dialogKey(l.callID, l.localTag)] = l
	s.legsMu.Unlock()
}

func (s *Stack) removeLeg(l *leg) {
	s.legsMu.Lock()
	key := dialogKey(l.callID, l.localTag)
	if s.legs[key] == l {
		delete(s.legs, key)
	}
	s.legsMu.Unlock()
}

// findLeg is the leg of a dialog.
func (s *Stack) findLeg(callID, localTag string) *leg {
	s.legsMu.RLock()
	defer s.legsMu.RUnlock()
	return s.legs[dialogKey(callID, localTag)]
}

// legsOf are the legs of a profile.
func (s *Stack) legsOf(p *Profile) []*leg {
	s.legsMu.RLock()
	defer s.legsMu.RUnlock()
	var out []*leg
	for _, l := range s.legs {
		if l.profile == p {
			out = append(out, l)
		}
	}
	return out
}

// hangupProfile ends the calls of a profile and waits a little for their BYEs.
func (s *Stack) hangupProfile(p *Profile, cause call.Cause) {
	var gone []<-chan struct{}
	for _, l := range s.legsOf(p) {
		if ch := l.channel(); ch != nil {
			ch.Hangup(cause)
			gone = append(gone, ch.Reported())
		}
	}
	limit := time.After(closeLimit)
	for _, done := range gone {
		select {
		case <-done:
		case <-limit:
			return
		}
	}
}

// closeLimit bounds how long a closing profile waits for its calls.
const closeLimit = 5 * time.Second

// Registration is one binding, as "show registrations" has it.
type Registration struct {
	User, Realm, Token, URL string
	Expires                 time.Time // with the late margin
	NetworkIP, NetworkPort  string
	NetworkProto            string
	Hostname                string
}

// Registrations lists the bindings of all profiles by user.
func (s *Stack) Registrations() []Registration {
	var out []Registration
	for _, p := range s.Profiles() {
		for _, b := range p.registrar.all() {
			out = append(out, Registration{User: b.User, Realm: b.Realm, Token: b.CallID,
				URL: "sofia/" + p.name + "/" + b.dialURI(), Expires: b.Expires,
				NetworkIP: b.NetworkIP, NetworkPort: b.NetworkPort, NetworkProto: b.proto(),
				Hostname: s.Switch.Hostname})
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].User < out[j].User })
	return out
}
