package appliance

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"github.com/switchlet/switchlet/appliance/cdr"
	"github.com/switchlet/switchlet/appliance/logfile"
	"github.com/switchlet/switchlet/appliance/monitor"
	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/apps"
	"github.com/switchlet/switchlet/call/chat"
	"github.com/switchlet/switchlet/call/conference"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/call/originate"
	"github.com/switchlet/switchlet/conf"
	"github.com/switchlet/switchlet/esl/server"
	"github.com/switchlet/switchlet/lua"
	"github.com/switchlet/switchlet/media/rtp"
	"github.com/switchlet/switchlet/sip"
	"github.com/switchlet/switchlet/store"
	"github.com/switchlet/switchlet/ui"
	"github.com/switchlet/switchlet/webrtc"
)

// modules are the reference's modules whose work the rooms do.
var modules = []string{"mod_cdr_csv", "mod_commands", "mod_conference", "mod_console", "mod_db", "mod_dialplan_xml", "mod_dptools",
	"mod_event_socket", "mod_expr", "mod_flite", "mod_hash", "mod_local_stream", "mod_logfile", "mod_loopback", "mod_lua", "mod_mariadb",
	"mod_native_file", "mod_opus", "mod_pgsql", "mod_rtc", "mod_shout", "mod_say_en", "mod_sms", "mod_sndfile", "mod_sofia", "mod_tone_stream", "mod_tts_commandline", "mod_valet_parking", "mod_verto", "mod_xml_rpc"}

// addParts makes the rooms that run and lists them in the order of their start.
func (b *Box) addParts(ctx context.Context, core *store.DB) error {
	var err error
	if b.certificates, err = b.openCertificates(); err != nil {
		return err
	}
	b.counters = newCounters()
	b.files = logfile.New(b.log, b.store.Tree().Configuration("logfile.conf"), b.data.path("log"))
	b.recorder = cdr.New(cdr.Options{Switch: b.Switch, DB: core, Conf: b.store.Tree().Configuration("cdr_csv.conf"),
		LogDir: b.data.path("log"), Observe: b.counters.ended})
	b.Switch.AddCommands(b.recorder.Commands()...)
	socket := b.eventSocket()
	b.socket = socket
	b.Switch.AddApplications(server.Application(socket))
	verto, err := b.newBrowsers()
	if err != nil {
		return fmt.Errorf("verto: %w", err)
	}
	sockets := &door{}
	phones, err := b.newPhones(core, verto, sockets)
	if err != nil {
		return fmt.Errorf("sip: %w", err)
	}
	scripts, rooms := b.scripts(), b.conferences()
	watch := b.newMonitor(scripts)
	web := b.newWeb(ui.Handler(), watch, verto, sockets)
	b.messages.AddProtocol("sip", phones.Deliver)
	b.messages.AddProtocol("verto", verto.Deliver)
	var deaf, unasked func()
	b.parts = []part{
		{name: "log files", start: func(context.Context) error { b.files.Start(); return nil }, stop: b.files.Close},
		{name: "call history", start: func(ctx context.Context) error { return b.recorder.Start(ctx) },
			stop: func() error { b.recorder.Close(); return nil }},
		{name: "media", start: func(ctx context.Context) error { b.media.Start(context.WithoutCancel(ctx)); return nil },
			stop: func() error { b.media.Close(); return b.opener.Close() }},
		{name: "switch", start: func(context.Context) error { b.Switch.Start(); return nil }, stop: nothing},
		{name: "messages", start: func(context.Context) error { deaf = b.messages.Listen(); return nil }, stop: func() error { deaf(); return nil }},
		{name: "lua", start: scripts.Start, stop: func() error { scripts.Close(); return nil }},
		{name: "parking", start: func(context.Context) error { unasked = apps.AnswerValetProbes(b.Switch); return nil }, stop: func() error { unasked(); return nil }},
		{name: "conferences", start: func(context.Context) error { return nil }, stop: nothing, drain: rooms.Close},
		{name: "verto", start: verto.Start, stop: func() error { verto.Close(); return nil }},
		{name: "sip", start: phones.Start, stop: func() error { phones.Close(); return nil }},
		{name: "monitor", start: func(context.Context) error { watch.Start(); return nil }, stop: func() error { watch.Close(); return nil }},
		{name: "web", start: web.start, stop: web.stop},
		{name: "certificates", start: b.certificates.start, stop: b.certificates.stop},
		{name: "event socket", start: socket.Start, stop: socket.Close},
	}
	return nil
}

func nothing() error { return nil }

// newMonitor makes what shows the switch to those who run it.
func (b *Box) newMonitor(scripts *lua.Host) *monitor.Monitor {
	password, weak := b.socketPassword()
	return monitor.New(monitor.Options{Switch: b.Switch, Password: password, Weak: weak, History: b.recorder.Recent, Scripts: scripts})
}

// newBrowsers makes the browsers' side.
func (b *Box) newBrowsers() (*webrtc.Server, error) {
	s, err := webrtc.New(webrtc.Options{Switch: b.Switch, Store: b.store, Directory: b.directory, Access: b.acl,
		UDPPort: b.port("webrtc_port", webrtc.DefaultPort), TCPPort: b.port("webrtc_port", webrtc.DefaultPort),
		Certificate: b.certificates.forBrowsers, Listen: b.listen, StunLookup: stunLookup})
	if err != nil {
		return nil, err
	}
	b.browsers = s
	b.Switch.AddCommands(s.Commands()...)
	for name, e := range s.Endpoints() {
		b.Switch.AddEndpoint(name, e)
	}
	return s, nil
}

// scripts makes the Lua host.
func (b *Box) scripts() *lua.Host {
	h := lua.New(lua.Options{Switch: b.Switch, Store: b.databases, Conf: b.store, ScriptDir: b.data.path("scripts"),
		Builtin: lua.Scripts(), AllowShell: b.allowShell(), Speak: b.speech.Speak, Print: b.Options.Print, Overdue: b.rehearsal.overdue()})
	b.Switch.AddApplications(h.Applications()...)
	b.Switch.AddCommands(h.Commands()...)
	b.Switch.AddDialplan("LUA", h.Dialplan())
	b.messages.AddApplications(chat.Application{Name: "lua", Syntax: "<script>", Description: "execute a lua script",
		Run: func(ctx context.Context, e *event.Event, args string) error {
			h.Message(ctx, e, args) // its error is in the log, and the chatplan goes on
			return nil
		}})
	return h
}

// conferences makes the rooms that callers meet in.
func (b *Box) conferences() *conference.Rooms {
	rooms := conference.New(conference.Options{Switch: b.Switch, Store: b.store, Speak: b.speech.File,
		Dial: func(ctx context.Context, sw *call.Switch, text string, o conference.DialOptions) (*call.Channel, error) {
			return originate.Dial(ctx, sw, text, originate.Options{Originator: o.Originator, Timeout: o.Timeout,
				CallerName: o.CallerName, CallerNumber: o.CallerNumber, Vars: o.Vars})
		}})
	b.Switch.AddApplications(rooms.Applications()...)
	b.Switch.AddCommands(rooms.Commands()...)
	return rooms
}

// newPhones makes the SIP side.
func (b *Box) newPhones(core *store.DB, verto *webrtc.Server, web *door) (*sip.Stack, error) {
	settings := conf.Params(b.store.Tree().Configuration("switch.conf").Child("settings"))
	first := b.port("rtp_start_port", settings.Int("rtp-start-port", 16384))
	last := b.port("rtp_end_port", settings.Int("rtp-end-port", 32768))
	ports, err := rtp.NewPorts(uint16(first), uint16(last))
	if err != nil {
		return nil, err
	}
	b.media.Clock().Before(ports.Read)
	limits, err := b.phoneLimits()
	if err != nil {
		return nil, err
	}
	s := sip.New(sip.Options{Switch: b.Switch, Store: b.store, Directory: b.directory, AccessLists: b.acl, Limits: limits,
		NewPeer: func(from netip.Addr) (sip.Peer, error) {
			c, err := verto.Connect(from)
			if err != nil {
				return nil, err
			}
			return c, nil
		},
		WebSocket: webrtc.ListenSIP, Web: web.listen,
		Ports: ports, DB: core.Writer(), Certificate: b.certificates.forPhones, CertDir: b.data.path("certs")})
	b.Switch.AddEndpoint("sofia", s.Endpoint())
	b.Switch.AddCommands(s.Commands()...)
	b.phones = s
	return s, nil
}

// phoneLimits reads what one address may ask for in SIP: a carrier that sends all
// calls from one address needs more than the defaults.
func (b *Box) phoneLimits() (sip.Limits, error) {
	var l sip.Limits
	for name, to := range map[string]func(int){
		"sip_requests_per_address": func(n int) { l.Requests, l.Burst = float64(n), 2*float64(n) },
		"sip_calls_per_address":    func(n int) { l.Dialogs = n },
	} {
		v := b.store.Globals().Get(name)
		if v == "" {
			continue
		}
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > 1_000_000 {
			return l, fmt.Errorf("the global variable %s is %q, want a number from 1 to 1000000", name, v)
		}
		to(n)
	}
	return l, nil
}

// listen opens a listener of a Verto profile. An address whose port is written as
// a number is moved by --port-offset here.
func (b *Box) listen(network, address string) (net.Listener, error) {
	if a, err := netip.ParseAddrPort(address); err == nil && b.literal.binds[a.String()] {
		address = netip.AddrPortFrom(a.Addr(), a.Port()+uint16(b.Options.PortOffset)).String()
	}
	return net.Listen(network, address)
}

// registrations are the rows of "show registrations".
func (b *Box) registrations() [][]string {
	if b.phones == nil {
		return nil
	}
	var rows [][]string
	for _, r := range b.phones.Registrations() {
		rows = append(rows, []string{r.User, r.Realm, r.Token, r.URL, strconv.FormatInt(r.Expires.Unix(), 10),
			r.NetworkIP, r.NetworkPort, r.NetworkProto, r.Hostname, ""}) // metadata: none
	}
	return rows
}
