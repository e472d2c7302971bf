package server

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/esl"
	"github.com/switchlet/switchlet/media"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// globals are global variables in a map.
type globals struct {
	mu sync.Mutex
	m  map[string]string
}

func (g *globals) Get(name string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.m[strings.ToLower(name)]
}

func (g *globals) Set(name, value string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.m[strings.ToLower(name)] = value
}

func (g *globals) Delete(name string) { g.Set(name, "") }

// leg answers by itself when it is outbound.
type leg struct{}

func (leg) Init(_ context.Context, ch *call.Channel) error { return nil }
func (leg) Ring(context.Context) error                     { return nil }
func (leg) Progress(context.Context) error                 { return nil }
func (leg) Answer(context.Context) error                   { return nil }
func (leg) Hangup(call.Cause)                              {}

func newSwitch(t testing.TB) *call.Switch {
	sw := call.NewSwitch(call.Options{
		Bus:      event.NewBus(nil, nil),
		Log:      call.NewLog(),
		Globals:  &globals{m: map[string]string{"domain": "example.com"}},
		Media:    media.NewEngine(media.EngineOptions{}),
		Hostname: "box", SessionsPerSecond: 10000,
	})
	sw.AddApplications(
		call.Application{Name: "set", Flags: call.NoMedia | call.Zombie, Run: func(_ context.Context, ch *call.Channel, args string) error {
			name, value, _ := strings.Cut(args, "=")
			ch.Set(name, value)
			return nil
		}},
		call.Application{Name: "park", Flags: call.NoMedia, Run: func(ctx context.Context, ch *call.Channel, _ string) error {
			return ch.Park(ctx)
		}},
		// gate waits until the variable of that name is set.
		call.Application{Name: "gate", Flags: call.NoMedia, Run: func(ctx context.Context, ch *call.Channel, args string) error {
			for ch.Get(args) == "" {
				if err := ch.Sleep(ctx, time.Millisecond, call.WaitOptions{}); err != nil {
					return err
				}
			}
			return nil
		}},
	)
	command := func(name string, run func(in *call.Invocation) error) call.Command {
		return call.Command{Name: name, Run: func(_ context.Context, _ *call.Switch, in *call.Invocation) error { return run(in) }}
	}
	sw.AddCommands(
		command("echo", func(in *call.Invocation) error { in.Out.WriteString(in.Args); return nil }),
		command("eval", func(in *call.Invocation) error { in.Out.WriteString(in.Args); return nil }),
		command("quiet", func(in *call.Invocation) error { return nil }),
		command("broken", func(in *call.Invocation) error { in.Out.WriteString("x"); return call.ErrCommand }),
	)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := sw.Stop(ctx); err != nil {
			t.Error(err)
		}
		sw.Bus.Close()
	})
	return sw
}

// newServer starts a server on a port of its own, with password "secret".
func newServer(t testing.TB, sw *call.Switch, o Options) *Server {
	o.ListenAddr = "127.0.0.1:0"
	if o.Password == "" {
		o.Password = "secret"
	}
	s := New(sw, o)
	sw.AddApplications(Application(s))
	if err := s.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// peer is the far end of a listener.
type peer struct {
	t    testing.TB
	conn net.Conn
	br   *bufio.Reader
	r    *esl.Reader
}

func newPeer(t testing.TB, conn net.Conn) *peer {
	br := bufio.NewReaderSize(conn, 4096)
	t.Cleanup(func() { conn.Close() })
	p := &peer{t: t, conn: conn, br: br, r: esl.NewReader(br, esl.FullLimits)}
	p.wait()
	return p
}

// wait begins a wait: patience is for each of them, not for all.
func (p *peer) wait() { p.conn.SetDeadline(time.Now().Add(patience)) }

// stranger connects without authentication.
func stranger(t testing.TB, s *Server) *peer {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return newPeer(t, conn)
}

// friend connects and authenticates.
func friend(t testing.TB, s *Server) *peer {
	t.Helper()
	p := stranger(t, s)
	p.expect("Content-Type: auth/request\n\n")
	p.send("auth secret\n\n")
	p.reply("+OK accepted")
	return p
}

func (p *peer) send(text string) {
	p.t.Helper()
	p.wait()
	if _, err := io.WriteString(p.conn, text); err != nil {
		p.t.Fatal(err)
	}
}

// expect reads exactly these bytes.
func (p *peer) expect(want string) {
	p.t.Helper()
	p.wait()
	got := make([]byte, len(want))
	n, err := io.ReadFull(p.br, got)
	if string(got[:n]) != want {
		p.t.Fatalf("got %q (%v), want %q", got[:n], err, want)
	}
}

func (p *peer) reply(text string) {
	p.t.Helper()
	p.expect("Content-Type: command/reply\nReply-Text: " + text + "\n\n")
}

// ask sends a command and expects the text of its reply, passing over events.
func (p *peer) ask(command, text string) {
	p.t.Helper()
	p.send(command + "\n\n")
	if m := p.next("command/reply"); m.Get("Reply-Text") != text {
		p.t.Fatalf("%q got %q, want %q", command, m.Get("Reply-Text"), text)
	}
}

// next reads on to a packet of that type.
func (p *peer) next(kind string) *esl.Message {
	p.t.Helper()
	p.wait()
	for {
		m, err := p.r.ReadMessage()
		if err != nil {
			p.t.Fatalf("waiting for %s: %v", kind, err)
		}
		if m.Get("Content-Type") == kind {
			return m
		}
	}
}

// event reads on to a plain event of that name.
func (p *peer) event(name string) *esl.Event {
	p.t.Helper()
	for {
		e, err := esl.ParsePlain(p.next("text/event-plain").Body)
		if err != nil {
			p.t.Fatal(err)
		}
		if e.Name() == name {
			return e
		}
	}
}

// closed expects the end of the connection, perhaps after some more bytes.
func (p *peer) closed() {
	p.t.Helper()
	p.wait()
	if _, err := io.Copy(io.Discard, p.br); err != nil && !strings.Contains(err.Error(), "reset") {
		p.t.Fatal(err)
	}
}

const goodbye = "Content-Type: text/disconnect-notice\nContent-Length: 67\n\nDisconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n"

// newCall starts an answered call that runs the actions.
func newCall(t testing.TB, sw *call.Switch, actions ...call.Action) *call.Channel {
	t.Helper()
	ch, err := sw.NewChannel(leg{}, call.NewChannelOptions{Name: "null/x", Module: "mod_loopback", Outbound: true,
		Vars: []call.Var{{Name: "cf_v", Value: "some value"}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := ch.TransferTo(&call.Extension{Name: "test", Actions: actions}); err != nil {
		t.Fatal(err)
	}
	ch.Start()
	ch.MarkAnswered()
	return ch
}

// until waits for a condition on a call that others bring about.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s did not happen", what)
		}
	}
}
