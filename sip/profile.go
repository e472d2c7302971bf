package sip

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	wire "github.com/emiago/sipgo/sip"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
)

// Profile is one running SIP user agent with its sockets, registrations and
// gateways.
type Profile struct {
	stack *Stack
	name  string
	set   atomic.Pointer[settings]

	udp     *net.UDPConn
	tcp     net.Listener
	secure  net.Listener
	port    int // bound, UDP and TCP
	tlsPort int
	web     bool            // serves what comes to the web ports
	sockets [2]net.Listener // SIP over WebSocket as ws-binding and wss-binding ask for
	doors   [2]net.Listener // the same of the web ports

	serveTLS, dialTLS *tls.Config // of the secure bindings; of connections to others

	transport    *wire.TransportLayer
	transactions *wire.TransactionLayer
	challenges   *challenges
	tagKey       []byte // see firstTag
	registrar    *registrar

	started  time.Time
	closing  atomic.Bool
	ctx      context.Context
	cancel   context.CancelFunc
	work     sync.WaitGroup
	trace    atomic.Bool
	streams  atomic.Int64
	second   perSecond
	counters counters
	calls    atomic.Int64 // legs that live now

	complained atomic.Int64
	waiting    sync.Map // branch of a request on its way: chan struct{}, for ICMP errors

	mu       sync.Mutex
	gateways []*Gateway
}

// counters are what status commands and metrics show.
type counters struct {
	callsIn, failedIn, callsOut, failedOut atomic.Uint64
	noise, limited                         atomic.Uint64
}

func newProfile(s *Stack, set *settings) *Profile {
	p := &Profile{stack: s, name: set.name, started: time.Now()}
	p.set.Store(set)
	p.trace.Store(set.trace)
	p.challenges = newChallenges(set.nonceTTL)
	p.tagKey = []byte(rand.Text())
	return p
}

// settings are those in force; a rescan replaces them.
func (p *Profile) settings() *settings { return p.set.Load() }

func (p *Profile) log(level call.Level, format string, args ...any) {
	p.stack.Switch.Log.Printf(level, format, args...)
}

// start binds the sockets and begins to serve.
func (p *Profile) start() error {
	if err := p.listen(); err != nil {
		return err
	}
	p.ctx, p.cancel = context.WithCancel(p.stack.ctx)
	quiet := slog.New(&quietHandler{profile: p})
	parser := wire.NewParser()
	parser.MaxMessageLength = maxMessage
	p.transport = wire.NewTransportLayer(net.DefaultResolver, parser, p.dialTLS,
		wire.WithTransportLayerLogger(quiet))
	p.transport.OnMessage(p.tagInvite)
	p.transactions = wire.NewTransactionLayer(p.transport, wire.WithTransactionLayerLogger(quiet),
		wire.WithTransactionLayerUnhandledResponseHandler(p.strayResponse))
	p.transactions.OnRequest(p.receive)
	p.registrar = newRegistrar(p)
	p.registrar.start()
	p.serve()
	e := event.New(event.Custom, "sofia::profile_start")
	e.Add("module_name", "mod_sofia")
	e.Add("profile_name", p.name)
	e.Add("profile_uri", p.url("udp"))
	p.publish(e)
	return nil
}

// stop ends the profile: gateways unregister, calls are hung up, sockets closed.
func (p *Profile) stop(cause call.Cause) {
	if p.closing.Load() {
		return
	}
	p.stopGateways()
	p.stack.hangupProfile(p, cause)
	p.closing.Store(true)
	p.stack.watchers.drop(p)
	p.cancel()
	p.closeSockets()
	p.registrar.stop()
	p.transactions.Close()
	p.transport.Close()
	p.work.Wait()
}

// publish sends an event of mod_sofia.
func (p *Profile) publish(e *event.Event) {
	p.stack.Switch.Bus.Publish(e, "sofia.c", "sofia_event", 1)
}

// wanted reports whether anybody listens to a sofia:: event.
func (p *Profile) wanted(subclass string) bool {
	return p.stack.Switch.Bus.Wanted(event.Custom, subclass)
}

// go runs fn in a goroutine that stop waits for; a panic ends fn alone.
func (p *Profile) background(fn func(ctx context.Context)) {
	if p.closing.Load() {
		return
	}
	p.work.Add(1)
	go func() {
		defer p.work.Done()
		defer p.survive("background work")
		call.Roomy()
		fn(p.ctx)
	}()
}

func (p *Profile) survive(where string) {
	if r := recover(); r != nil {
		p.stack.crashed(where, r)
	}
}

// outside reports whether a peer is beyond the local network, so that external
// addresses are shown to it.
func (p *Profile) outside(peer netip.Addr) bool {
	s := p.settings()
	if s.localACL == "" || !peer.IsValid() || peer.IsLoopback() {
		return false
	}
	return !p.stack.inList(peer, s.localACL)
}

// host is our signalling address as peer is told it.
func (p *Profile) host(peer netip.Addr) string {
	s := p.settings()
	if s.extSIP.IsValid() && p.outside(peer) {
		return hostText(s.extSIP)
	}
	return hostText(s.sipIP)
}

// mediaHost is our media address as peer is told it.
func (p *Profile) mediaHost(peer netip.Addr) netip.Addr {
	s := p.settings()
	if s.extRTP.IsValid() && p.outside(peer) {
		return s.extRTP
	}
	return s.rtpIP
}

// portOf is the port on which we listen for a transport.
func (p *Profile) portOf(transport string) int {
	switch transport {
	case "tls":
		return p.tlsPort
	case "ws", "wss":
		at := p.sockets[0]
		if transport == "wss" {
			at = p.sockets[1]
		}
		if at != nil {
			return at.Addr().(*net.TCPAddr).Port
		}
	}
	return p.port
}

// url is the profile's own address, as status shows it.
func (p *Profile) url(transport string) string {
	s := p.settings()
	return "sip:" + s.contactUser + "@" + hostText(s.sipIP) + ":" + strconv.Itoa(p.portOf(transport))
}

// bindURL is url with what the socket is bound to.
func (p *Profile) bindURL() string {
	s := p.settings()
	at := hostText(s.sipIP)
	if s.extSIP.IsValid() {
		return fmt.Sprintf("sip:%s@%s:%d;maddr=%s;transport=udp,tcp", s.contactUser, hostText(s.extSIP), p.port, at)
	}
	return fmt.Sprintf("sip:%s@%s:%d;transport=udp,tcp", s.contactUser, at, p.port)
}

// contact is the Contact value for a peer.
func (p *Profile) contact(user, params string, peer netip.Addr, transport string) string {
	v := "<sip:" + user + "@" + p.host(peer) + ":" + strconv.Itoa(p.portOf(transport))
	if transport != "udp" {
		v += ";transport=" + transport
	}
	return v + params + ">"
}

// hostText writes an address as a host of URIs.
func hostText(a netip.Addr) string {
	if a.Is6() {
		return "[" + a.String() + "]"
	}
	return a.String()
}

func (p *Profile) tracing() bool { return p.trace.Load() || p.stack.trace.Load() }

// traceMessage logs a message as siptrace shows it.
func (p *Profile) traceMessage(direction, transport, peer string, b []byte) {
	preposition := "from"
	if direction == "send" {
		preposition = "to"
	}
	p.stack.Switch.Log.Write(&call.LogLine{Level: call.LogConsole, Channel: call.LogClean,
		Text: fmt.Sprintf("%s %d bytes %s %s/[%s] at %s:\n   %s\n%s\n   %s\n", direction, len(b), preposition, transport, peer,
			time.Now().UTC().Format("15:04:05.000000"), rule, indent(b), rule)})
}

const rule = "------------------------------------------------------------------------"

func indent(b []byte) string {
	out := make([]byte, 0, len(b)+128)
	out = append(out, "   "...)
	for _, c := range b {
		if c == '\r' {
			continue
		}
		out = append(out, c)
		if c == '\n' {
			out = append(out, "   "...)
		}
	}
	return string(out)
}

// quietHandler takes sipgo's log: what it could not parse or send, once a second.
type quietHandler struct {
	profile *Profile
	last    atomic.Int64
}

func (h *quietHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelError }

func (h *quietHandler) Handle(_ context.Context, r slog.Record) error {
	last := h.last.Load()
	if r.Time.UnixNano()-last < int64(time.Second) || !h.last.CompareAndSwap(last, r.Time.UnixNano()) {
		return nil
	}
	text := r.Message
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "error" {
			text += ": " + a.Value.String()
		}
		return true
	})
	if len(text) > 300 {
		text = text[:300] + "…"
	}
	h.profile.log(call.LogDebug, "sip: profile %s: %s", h.profile.name, text)
	return nil
}

func (h *quietHandler) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h *quietHandler) WithGroup(string) slog.Handler      { return h }
