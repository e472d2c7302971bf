package webrtc

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/directory"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/conf"
)

// Options are what a Server is made with. Switch, Store, Directory and Access are
// required.
type Options struct {
	Switch    *call.Switch
	Store     *conf.Store
	Directory *directory.Directory
	Access    *directory.AccessLists
	// UDPPort is where all browsers send their sound, on every rtp-ip of the profiles;
	// 0 is DefaultPort, a negative number any free port.
	UDPPort int
	// TCPPort is for browsers that cannot send UDP; 0 is none.
	TCPPort int
	// Certificate opens the files that a profile names for its secure listeners, or
	// finds one where none are named. Without it such a listener does not start.
	Certificate func(CertificateFiles) (func(*tls.ClientHelloInfo) (*tls.Certificate, error), error)
	// Listen opens the listeners of the profiles; nil is net.Listen.
	Listen func(network, address string) (net.Listener, error)
	// StunLookup asks a STUN server for our address (ext-rtp-ip "stun:host"); nil:
	// such a value is an error.
	StunLookup func(ctx context.Context, host string) (string, error)
}

// Server speaks Verto. It is an http.Handler that upgrades requests to sockets of
// the first profile.
type Server struct {
	opts    Options
	sw      *call.Switch
	log     *call.Log
	guard   *guard
	guesses directory.Guesses
	conf    atomic.Pointer[settings]
	net     *network
	serno   atomic.Int64 // ids of our own requests

	methods map[string]method

	ctx    context.Context
	cancel context.CancelCauseFunc
	work   sync.WaitGroup // every goroutine of the server

	live sync.Mutex // held while rooms change and pages are told; before mu

	mu        sync.Mutex
	started   bool
	profiles  []*profile
	listeners []net.Listener
	sockets   map[*socket]struct{}
	sessions  map[string]*socket // by sessid
	legs      map[string]*leg    // by call UUID
	subs      map[string]map[*socket]bool
	watching  []func() // ends subscriptions to the bus
	presence  func()   // ends the one for presence, while somebody wants it
	core      func()   // the same for the channels FSevent
	rooms     map[string]*room
	others    map[*Connection]struct{}
}

// New makes a Server that listens to nothing yet.
func New(o Options) (*Server, error) {
	if o.Switch == nil || o.Store == nil || o.Directory == nil || o.Access == nil {
		return nil, errors.New("webrtc: Switch, Store, Directory and Access are required")
	}
	if o.Listen == nil {
		o.Listen = net.Listen
	}
	s := &Server{opts: o, sw: o.Switch, log: o.Switch.Log, guard: newGuard(),
		sockets: map[*socket]struct{}{}, sessions: map[string]*socket{}, legs: map[string]*leg{},
		subs: map[string]map[*socket]bool{}, rooms: map[string]*room{},
		others: map[*Connection]struct{}{}}
	s.methods = s.methodTable()
	s.conf.Store(&settings{detach: defaultDetach, presence: true})
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	return s, nil
}

var errClosed = errors.New("webrtc: server is closed")

func (s *Server) settings() *settings { return s.conf.Load() }

// Start reads verto.conf, opens the port for browsers and the listeners of the
// profiles. It fails if the port cannot be opened, or a secure listener has no
// certificate; a listener whose address is in use is an error too, after the
// others were opened.
func (s *Server) Start(ctx context.Context) error {
	c := s.opts.Store.Tree().Configuration("verto.conf")
	set := readSettings(c)
	s.conf.Store(&set)
	profiles, problems := s.readProfiles(ctx, c)
	for _, text := range problems {
		s.log.Printf(call.LogWarning, "verto: %s", text)
	}
	if err := s.openNetwork(profiles); err != nil {
		return err
	}
	s.mu.Lock()
	s.profiles, s.started = profiles, true
	s.mu.Unlock()
	s.watching = append(s.watching, s.sw.Bus.Handle(event.Custom, conferenceEvents, s.conferenceEvent))
	s.work.Add(1)
	go s.tend()
	var errs []error
	for _, p := range profiles {
		for _, b := range p.binds {
			if err := s.listen(p, b); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// openNetwork opens the UDP port on every address that the profiles name.
func (s *Server) openNetwork(profiles []*profile) error {
	var locals, advertised []netip.Addr
	add := func(list *[]netip.Addr, ip netip.Addr) {
		if !slices.Contains(*list, ip) {
			*list = append(*list, ip)
		}
	}
	for _, p := range profiles {
		for _, ip := range p.rtpIPs {
			if !ip.IsUnspecified() {
				add(&locals, ip)
				continue
			}
			for _, own := range ownAddresses(ip) {
				add(&locals, own)
			}
		}
		for _, ip := range p.extIPs {
			add(&advertised, ip)
		}
	}
	if len(locals) == 0 {
		locals = ownAddresses(netip.IPv4Unspecified())
	}
	port := s.opts.UDPPort
	switch {
	case port == 0:
		port = DefaultPort
	case port < 0:
		port = 0
	}
	n, err := listenNetwork(locals, advertised, port, s.opts.TCPPort)
	if err != nil {
		return err
	}
	s.net = n
	s.sw.Media.Clock().Before(n.read)
	for _, ip := range advertised {
		if ip.IsLoopback() || ip.IsUnspecified() {
			s.log.Printf(call.LogWarning, "verto: browsers are told to send sound to %s, which no other machine can reach; set ext-rtp-ip in verto.conf", ip)
		}
	}
	return nil
}

// ownAddresses are the addresses of this machine of one family that others can
// reach, else its loopback address.
func ownAddresses(like netip.Addr) []netip.Addr {
	var own []netip.Addr
	list, err := net.InterfaceAddrs()
	if err != nil {
		list = nil
	}
	for _, a := range list {
		n, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		ip, ok := netip.AddrFromSlice(n.IP)
		ip = ip.Unmap()
		if ok && ip.Is4() == like.Is4() && !ip.IsLoopback() && !ip.IsLinkLocalUnicast() {
			own = append(own, ip)
		}
	}
	if len(own) > 0 {
		return own
	}
	if like.Is4() {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	}
	return []netip.Addr{netip.IPv6Loopback()}
}

// listen opens one address of a profile and serves it.
func (s *Server) listen(p *profile, b *bind) error {
	var config *tls.Config
	if b.secure {
		var err error
		if config, err = s.tlsConfig(p); err != nil {
			return fmt.Errorf("webrtc: %s %s: %w", p.name, b.id(), err)
		}
	}
	l, err := s.opts.Listen("tcp", b.address)
	if err != nil {
		return fmt.Errorf("webrtc: %s %s: %w", p.name, b.id(), err)
	}
	l = &admission{Listener: l, server: s, profile: p}
	if config != nil {
		l = tls.NewListener(l, config)
	}
	handle := func(w http.ResponseWriter, r *http.Request) {
		if p.vhost != nil && !wantsSocket(r) {
			s.serveFile(w, r, p)
			return
		}
		s.upgrade(w, r, p)
	}
	server := &http.Server{Handler: http.HandlerFunc(handle), ReadTimeout: handshakeLimit, IdleTimeout: fileIdle, MaxHeaderBytes: 16 << 10, ErrorLog: discardLog(),
		BaseContext: func(net.Listener) context.Context { return s.ctx }}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		l.Close()
		return errClosed
	}
	b.up = true
	s.listeners = append(s.listeners, l)
	s.work.Add(2)
	go func() {
		defer s.work.Done()
		if err := server.Serve(l); err != nil && s.ctx.Err() == nil {
			s.log.Printf(call.LogErr, "verto: %s: %v", b.id(), err)
		}
		s.mu.Lock()
		b.up = false
		s.mu.Unlock()
	}()
	go func() {
		defer s.work.Done()
		<-s.ctx.Done()
		server.Close()
	}()
	return nil
}

// ServeHTTP upgrades the request to a socket of the first profile.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	var p *profile
	if len(s.profiles) > 0 {
		p = s.profiles[0]
	}
	s.mu.Unlock()
	if p == nil {
		http.Error(w, "verto.conf has no profile", http.StatusServiceUnavailable)
		return
	}
	if from, err := netip.ParseAddrPort(r.RemoteAddr); err != nil || !s.admits(p, from.Addr().Unmap()) {
		http.Error(w, "Forbidden", http.StatusForbidden)
		return
	}
	s.upgrade(w, r, p)
}

// Port is the UDP port that browsers use, 0 before Start.
func (s *Server) Port() int {
	if s.net == nil || len(s.net.locals) == 0 {
		return 0
	}
	return int(s.net.locals[0].addr.Port())
}

// Close ends all sockets and listeners, hangs up the calls of browsers, and waits
// until all is gone.
func (s *Server) Close() {
	s.cancel(errClosed)
	s.mu.Lock()
	for _, stop := range s.watching {
		stop()
	}
	s.watching = nil
	if s.presence != nil {
		s.presence()
		s.presence = nil
	}
	if s.core != nil {
		s.core()
		s.core = nil
	}
	sockets := make([]*socket, 0, len(s.sockets))
	for k := range s.sockets {
		sockets = append(sockets, k)
	}
	legs := s.legList(nil)
	others := slices.Collect(maps.Keys(s.others))
	s.mu.Unlock()
	for _, k := range sockets {
		k.end()
	}
	for _, c := range others {
		c.Close()
	}
	for _, l := range legs {
		l.channel().Hangup(call.CauseSystemShutdown)
		l.release()
	}
	s.work.Wait()
	if s.net != nil {
		s.net.close()
	}
	s.mu.Lock()
	profiles := s.profiles
	s.mu.Unlock()
	for _, p := range profiles {
		if p.vhost != nil {
			p.vhost.root.Close()
		}
	}
}

// legList is a snapshot of the legs that match; s.mu is held.
func (s *Server) legList(match func(*leg) bool) []*leg {
	var list []*leg
	for _, l := range s.legs {
		if match == nil || match(l) {
			list = append(list, l)
		}
	}
	slices.SortFunc(list, func(a, b *leg) int { return int(a.serial - b.serial) })
	return list
}

func (s *Server) publish(e *event.Event) {
	if s.sw.Bus.Wanted(e.Type, e.Subclass) {
		s.sw.Bus.Publish(e, "mod_verto.c", "mod_verto_event", 1)
	}
}

// tend does once a second what time asks for: keep-alives, limits, reports.
func (s *Server) tend() {
	defer s.work.Done()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
		}
		s.tendOnce(time.Now())
	}
}

// tendOnce looks at every socket and leg.
func (s *Server) tendOnce(now time.Time) {
	s.mu.Lock()
	sockets := make([]*socket, 0, len(s.sockets))
	for k := range s.sockets {
		sockets = append(sockets, k)
	}
	legs := s.legList(nil)
	others := slices.Collect(maps.Keys(s.others))
	s.mu.Unlock()
	for _, k := range sockets {
		k.tend(now)
	}
	for _, l := range legs {
		l.tend(now)
	}
	for _, c := range others {
		c.tend(now)
	}
}
