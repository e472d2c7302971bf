package appliance

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/switchlet/switchlet/appliance/cdr"
	"github.com/switchlet/switchlet/appliance/logfile"
	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/apps"
	"github.com/switchlet/switchlet/call/chat"
	"github.com/switchlet/switchlet/call/commands"
	"github.com/switchlet/switchlet/call/dialplan"
	"github.com/switchlet/switchlet/call/directory"
	"github.com/switchlet/switchlet/call/endpoint"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/call/kv"
	"github.com/switchlet/switchlet/call/regex"
	"github.com/switchlet/switchlet/call/say"
	"github.com/switchlet/switchlet/call/say/prompts"
	"github.com/switchlet/switchlet/call/speech"
	"github.com/switchlet/switchlet/conf"
	"github.com/switchlet/switchlet/esl/server"
	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/stream"
	"github.com/switchlet/switchlet/sip"
	"github.com/switchlet/switchlet/store"
	"github.com/switchlet/switchlet/webrtc"
)

// Limits of time when starting and stopping.
const (
	stunLimit = time.Second
	stopLimit = 10 * time.Second
)

// Box is one appliance: all rooms, wired to one Switch.
type Box struct {
	Options Options
	Switch  *call.Switch
	Secrets Secrets
	Fresh   bool // the secrets were made by this start

	data          data
	store         *conf.Store
	log           *call.Log
	bus           *event.Bus
	media         *media.Engine
	opener        *stream.Opener
	databases     *store.Store
	directory     *directory.Directory
	acl           *directory.AccessLists
	parts         []part
	speech        *speech.Speech
	phones        *sip.Stack
	browsers      *webrtc.Server
	socket        *server.Server
	recorder      *cdr.Recorder
	counters      *counters
	certificates  *certificates
	files         *logfile.Files
	console       *console
	literal       literalPorts
	announcements *say.Announcements
	messages      *chat.Router
	rehearsal     *rehearsal     // not nil: a test of scripts, without network
	warnings      []conf.Warning // of the configuration, told by Start

	mu       sync.Mutex
	started  []part
	told     bool // writeAddresses told where this box listens
	quit     chan struct{}
	quitOnce sync.Once
}

// part is a room that runs: it is started in order and stopped in the opposite
// order.
type part struct {
	name  string
	start func(context.Context) error
	stop  func() error
	// drain, where a room has it, lets its calls go before the Switch hangs up the
	// rest.
	drain func()
}

// Open reads the configuration and puts the rooms together. Nothing runs and no
// socket is open before Start.
func Open(ctx context.Context, o Options) (*Box, error) {
	return openBox(ctx, &Box{Options: o, quit: make(chan struct{})})
}

func openBox(ctx context.Context, b *Box) (_ *Box, err error) {
	defer func() {
		if err != nil {
			b.forgetSecrets()
		}
	}()
	if b.data, err = openData(b.Options.Data); err != nil {
		return nil, err
	}
	if b.Secrets, b.Fresh, err = b.data.secrets(); err != nil {
		return nil, err
	}
	hostname, err := os.Hostname()
	if err != nil {
		hostname = "switchlet"
	}
	if b.store, err = b.loadConf(ctx, hostname); err != nil {
		return nil, err
	}
	b.log = call.NewLog()
	b.console = newConsole(b.log, b.Options.LogLevel, conf.Params(b.store.Tree().Configuration("console.conf").Child("settings")))
	b.rehearsal.log(b.log)
	if err := b.build(ctx, hostname); err != nil {
		return nil, errors.Join(err, b.Stop())
	}
	return b, nil
}

// confOptions are the sources of the configuration, in the order of design: the
// tree, overlays, DATA/conf; then sets, with ports moved by offset, and parameters.
func (b *Box) confOptions(hostname string, offset int) conf.Options {
	o := conf.Options{Base: conf.Default(), Overlays: append([]string(nil), b.Options.Overlays...)}
	confDir := b.data.path("conf")
	if b.Options.Conf != "" {
		dir, err := filepath.Abs(b.Options.Conf)
		if err == nil {
			o.Base, o.BaseDir, confDir = os.DirFS(dir), dir, dir
		}
	} else {
		o.Sets = append(o.Sets, conf.Pair{Name: "default_password", Value: b.Secrets.DefaultPassword},
			conf.Pair{Name: "event_socket_password", Value: b.Secrets.EventSocketPassword})
	}
	o.Overlays = append(o.Overlays, b.data.path("conf"))
	if len(b.Options.Overlays) > 0 {
		// Tools write into the topmost directory that they can (conf_dir).
		if dir, err := filepath.Abs(b.Options.Overlays[len(b.Options.Overlays)-1]); err == nil {
			confDir = dir
		}
	}
	o.Sets = append(o.Sets, offsetPorts(offset)...)
	o.Sets = append(o.Sets, b.Options.Sets...)
	o.Params = append(append(o.Params, b.literal.params...), b.Options.Params...)
	o.StunLookup = stunLookup
	if b.rehearsal != nil {
		o.StunLookup = b.rehearsal.stun
	}
	o.Globals = b.data.globals(confDir, hostname)
	for _, s := range o.Sets {
		if s.Name == "allow_shell" {
			o.AllowShell = conf.True(s.Value)
		}
	}
	return o
}

func (b *Box) loadConf(ctx context.Context, hostname string) (*conf.Store, error) {
	offset := b.Options.PortOffset
	if b.Options.Conf != "" && offset != 0 {
		var err error
		if b.literal, err = findLiteralPorts(ctx, b.confOptions(hostname, offset), offset); err != nil {
			return nil, b.confError(err)
		}
	}
	o := b.confOptions(hostname, offset)
	o.Report = func(w conf.Warning) {
		if b.log != nil {
			b.log.Printf(call.LogWarning, "%s", w)
		}
	}
	s, err := conf.NewStore(ctx, o)
	return s, b.confError(err)
}

// confError says what to mend when there is no tree at all.
func (b *Box) confError(err error) error {
	if err != nil && errors.Is(err, fs.ErrNotExist) && b.Options.Conf != "" {
		return fmt.Errorf("%w; --conf wants the directory that has freeswitch.xml", err)
	}
	return err
}

// allowGuessable is the global variable insecure_passwords.
func (b *Box) allowGuessable() bool {
	return strings.EqualFold(b.store.Globals().Get("insecure_passwords"), "allow")
}

// allowShell is allow-shell of switch.conf.
func (b *Box) allowShell() bool {
	if b.rehearsal != nil {
		return b.rehearsal.shell
	}
	p := conf.Params(b.store.Tree().Configuration("switch.conf").Child("settings"))
	return p.Bool("allow-shell", false) || p.Bool("allow_shell", false) || conf.True(b.store.Globals().Get("allow_shell"))
}

func (b *Box) build(ctx context.Context, hostname string) error {
	tree, globals := b.store.Tree(), b.store.Globals()
	settings := conf.Params(tree.Configuration("switch.conf").Child("settings"))
	id := call.NewUUID()
	globals.Set("core_uuid", id)
	switchname := firstOf(settings.Get("switchname"), hostname)
	b.bus = event.NewBus(func() event.Origin {
		return event.Origin{CoreUUID: id, Hostname: hostname, Switchname: switchname,
			IPv4: globals.Get("local_ip_v4"), IPv6: globals.Get("local_ip_v6")}
	}, time.Now)
	b.media = newEngine(b.log, tree)
	b.opener = &stream.Opener{SoundDir: b.data.path("sounds"), RecordDir: b.data.path("recordings"),
		LocalStreams: localStreams(tree), Prompts: prompts.FS(),
		Warn: func(format string, args ...any) { b.log.Printf(call.LogWarning, format, args...) }}
	if b.rehearsal == nil {
		b.opener.HTTP, b.opener.CacheDir = downloads(), b.data.path("cache", "sounds")
	}
	b.Switch = call.NewSwitch(call.Options{
		Bus: b.bus, Log: b.log, Globals: globals, Media: b.media, Sounds: b.rehearsal.sounds(b), UUID: id,
		Hostname: hostname, Switchname: switchname,
		MaxSessions:       settings.Int("max-sessions", 1000),
		SessionsPerSecond: settings.Int("sessions-per-second", 30),
		HeartbeatInterval: time.Duration(settings.Int("event-heartbeat-interval", 20)) * time.Second,
	})
	if level, ok := call.ParseLevel(settings.Get("loglevel")); ok {
		b.log.SetLevel(level)
	}
	b.directory = directory.New(b.store)
	b.acl = directory.NewAccessLists(b.store)
	b.warnings = append(tree.Warnings(), b.acl.Rebuild(ctx)...)
	var err error
	if b.databases, err = b.openDatabases(settings); err != nil {
		return err
	}
	core := b.databases.Core()
	db, err := kv.OpenDB(ctx, core)
	if err != nil {
		return err
	}
	b.tables(db)
	if b.rehearsal != nil {
		b.rehearse(core)
		return nil
	}
	return b.addParts(ctx, core)
}

// levelOf is the log level of what the configuration's reader noticed.
func levelOf(w conf.Warning) call.Level {
	switch w.Level {
	case conf.Info:
		return call.LogInfo
	case conf.Error:
		return call.LogErr
	}
	return call.LogWarning
}

// tables fills the Switch's tables with the rooms that need no sockets.
func (b *Box) tables(db *kv.DB) {
	cache, hash, limits := regex.NewCache(1024), kv.NewHash(), kv.NewLimits()
	shell := b.allowShell()
	sw := b.Switch
	sw.AddApplications(apps.Table(apps.Deps{Directory: b.directory, ACL: b.acl, Regex: cache, Hash: hash,
		Limits: limits, DB: db, AllowShell: shell})...)
	sw.AddCommands(commands.Table(commands.Deps{Store: b.store, Directory: b.directory, ACL: b.acl, Regex: cache,
		Hash: hash, Limits: limits, DB: db, AllowShell: shell,
		Shutdown: func(bool) { b.Quit() }, Hangup: b.Hangup,
		Registrations: func() [][]string { return b.registrations() },
		LostEvents:    b.lostEvents,
		Broadcast: func(channel string, message []byte) {
			if b.browsers != nil {
				b.browsers.Broadcast(channel, message)
			}
		},
		Modules: modules, Codecs: b.codecNames(), Files: []string{"wav", "mp3", "opus", "opus", "ogg", "raw", "r8", "r16", "tone_stream", "silence_stream", "local_stream", "file_string"},
		Streams: b.opener, LocalStream: func(name string) (stream.LocalStream, bool) {
			s, ok := localStreams(b.store.Tree())[name]
			return s, ok
		},
		Says: say.Modules()})...)
	sw.AddCommands(b.console.command())
	zone := func(name string) (*time.Location, bool) { return commands.Zone(b.store, name) }
	b.speech = speech.New(speech.Options{Switch: sw, Store: b.store, Dir: b.data.path("cache", "speech"), AllowShell: shell, Instead: b.rehearsal.speech()})
	sw.AddApplications(b.speech.Applications()...)
	b.announcements = say.New(say.Options{Switch: sw, Store: b.store, Regex: cache, Zone: zone, Speaker: b.speech})
	sw.AddApplications(b.announcements.Applications()...)
	sw.AddCommands(b.announcements.Commands()...)
	sw.Phrases = b.announcements
	b.messages = chat.New(chat.Options{Switch: sw, Store: b.store, Regex: cache, Zone: zone, AllowShell: shell, Enabled: b.chatplan})
	sw.Messages = b.messages
	sw.AddEndpoint("null", endpoint.Null{})
	sw.AddEndpoint("loopback", endpoint.Loopback{})
	sw.AddEndpoint("error", endpoint.Error{})
	sw.AddEndpoint("pickup", endpoint.Pickup{})
	sw.AddEndpoint("user", endpoint.User{Directory: b.directory})
	sw.AddEndpoint("group", endpoint.Group{Directory: b.directory})
	sw.AddDialplan("XML", dialplan.XML{Store: b.store, Regex: cache, Zone: zone})
	sw.AddDialplan("inline", dialplan.InlinePlan{})
}

// ChatApplication tells whether the chatplan has an application of that name.
func (b *Box) ChatApplication(name string) bool {
	return slices.ContainsFunc(b.messages.Applications(), func(a chat.Application) bool { return a.Name == name })
}

// chatplan tells whether modules.conf asks for it, as FreeSWITCH wants it: in its
// stock tree there is a chatplan that answers whatever is sent, and no mod_sms.
func (b *Box) chatplan() bool { return b.store.Tree().Loads("mod_sms") }

func (b *Box) codecNames() []string {
	var out []string
	for _, c := range b.media.Codecs() {
		out = append(out, c.Name)
	}
	return out
}

// socketPassword is the event socket's password, and whether everybody knows it, so
// that it is good on this machine only.
func (b *Box) socketPassword() (password string, weak bool) {
	password = firstOf(conf.Params(b.store.Tree().Configuration("event_socket.conf")).Get("password"), "ClueCon")
	return password, conf.WeakPassword("", password) && !b.allowGuessable()
}

// eventSocket makes the ESL server from event_socket.conf.
func (b *Box) eventSocket() *server.Server {
	p := conf.Params(b.store.Tree().Configuration("event_socket.conf").Child("settings"))
	port := p.Int("listen-port", 8021)
	password, weak := b.socketPassword()
	lists := p.All("apply-inbound-acl")
	if len(lists) == 0 {
		lists = []string{"loopback.auto"}
	}
	return server.New(b.Switch, server.Options{
		ListenAddr: joinHostPort(firstOf(p.Get("listen-ip"), "127.0.0.1"), port),
		Password:   password, WeakPassword: weak, AllowGuessable: b.allowGuessable(),
		EventQueue: max(p.Int("event-queue-size", 0), 0), ExpandAlias: b.expandAlias,
		StopOnBindError: p.Bool("stop-on-bind-error", false),
		Debug:           p.Int("debug", 0) > 0,
		Allow: func(ip netip.Addr) (string, bool) {
			for _, list := range lists {
				if ok, _ := b.acl.Check(ip, list); !ok {
					return list, false
				}
			}
			return "", true
		},
		UserAuth: func(ctx context.Context, user, domain string) (map[string]string, bool) {
			u, err := b.directory.User(ctx, "id", user, domain, map[string]string{"action": "event_socket_auth"})
			if err != nil {
				return nil, false
			}
			params := make(map[string]string, len(u.Params))
			for _, v := range u.Params {
				params[strings.ToLower(v.Name)] = v.Value
			}
			return params, true
		},
	})
}

func joinHostPort(host string, port int) string {
	if strings.Contains(host, ":") {
		host = "[" + strings.Trim(host, "[]") + "]"
	}
	return host + ":" + strconv.Itoa(port)
}

// Start starts every part in order. A part that cannot start is an error; Stop stops
// what was started before, and what of that part could.
func (b *Box) Start(ctx context.Context) error {
	for _, w := range b.warnings {
		b.log.Printf(levelOf(w), "%s", w)
	}
	b.tellWhatIsOutOfReach(systemRoot())
	for _, p := range b.parts {
		b.mu.Lock()
		b.started = append(b.started, p)
		b.mu.Unlock()
		if err := p.start(ctx); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	b.mu.Lock()
	b.told = true
	b.mu.Unlock()
	if err := b.writeAddresses(); err != nil {
		b.log.Printf(call.LogWarning, "%v; \"switchlet health\" and \"switchlet cli\" look at the usual ports", err)
	}
	e := event.New(event.Startup, "")
	e.Add("Event-Info", "System Ready")
	b.bus.Publish(e, "switch_core.c", "switch_core_init_and_modload", 2501)
	return nil
}

// Hangup does what SIGHUP asks for: log files and those of the call history are
// begun anew where their configuration says so, and certificates are read again.
func (b *Box) Hangup() {
	b.files.Hangup()
	b.certificates.look(time.Now())
	e := event.New(event.Trap, "")
	e.Add("Trapped-Signal", "HUP")
	b.bus.Publish(e, "switch_core.c", "handle_SIGHUP", 2190)
}

// Quit asks whoever waits on Done to stop the box.
func (b *Box) Quit() { b.quitOnce.Do(func() { close(b.quit) }) }

// Done is closed when the box was asked to stop or ctx ended.
func (b *Box) Done(ctx context.Context) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-b.quit:
		case <-ctx.Done():
		}
	}()
	return done
}

// Stop ends every call and stops every part. It takes stopLimit at most for the
// calls, and reports what would not stop.
func (b *Box) Stop() error {
	b.Quit()
	var errs []error
	if b.Switch != nil {
		e := event.New(event.Shutdown, "")
		e.Add("Event-Info", "System Shutting Down")
		b.bus.Publish(e, "switch_core.c", "switch_core_destroy", 3022)
	}
	b.mu.Lock()
	started, told := b.started, b.told
	b.started, b.told = nil, false
	b.mu.Unlock()
	if told { // else they may be those of another box
		errs = append(errs, b.removeAddresses())
	}
	for i := len(started) - 1; i >= 0; i-- {
		if started[i].drain != nil {
			started[i].drain()
		}
	}
	if b.Switch != nil {
		ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
		errs = append(errs, b.Switch.Stop(ctx))
		cancel()
	}
	for i := len(started) - 1; i >= 0; i-- {
		if err := started[i].stop(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", started[i].name, err))
		}
	}
	if b.databases != nil {
		errs = append(errs, b.databases.Close())
	}
	if b.bus != nil {
		b.bus.Close()
	}
	return errors.Join(errs...)
}
