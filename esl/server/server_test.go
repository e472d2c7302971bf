package server

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/directory"
	"github.com/switchlet/switchlet/call/event"
)

func TestAuth(t *testing.T) {
	s := newServer(t, newSwitch(t), Options{})
	for _, c := range []struct{ name, send, want string }{
		{"the password", "auth secret\n\n", "Content-Type: command/reply\nReply-Text: +OK accepted\n\n"},
		{"CR LF", "auth secret\r\n\r\n", "Content-Type: command/reply\nReply-Text: +OK accepted\n\n"},
		{"a wrong one", "auth secre\n\n", "Content-Type: command/reply\nReply-Text: -ERR invalid\n\n" + goodbye},
		{"a user, without a directory", "userauth a@b:c\n\n", "Content-Type: command/reply\nReply-Text: -ERR invalid\n\n" + goodbye},
		{"exit", "exit\n\n", "Content-Type: command/reply\nReply-Text: +OK bye\n\n" + goodbye},
		{"another command, then the password", "api echo x\n\nauth secret\n\n",
			"Content-Type: command/reply\nReply-Text: -ERR command not found\n\nContent-Type: command/reply\nReply-Text: +OK accepted\n\n"},
		{"a head too long", "auth " + strings.Repeat("x", 70000), goodbye},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := stranger(t, s)
			p.expect("Content-Type: auth/request\n\n")
			p.send(c.send)
			p.expect(c.want)
			if strings.HasSuffix(c.want, goodbye) {
				p.closed()
			}
		})
	}
}

func TestAuth_StockPasswordIsForLoopbackOnly(t *testing.T) {
	s := newServer(t, newSwitch(t), Options{Password: "ClueCon", WeakPassword: true})
	l := s.newListener(stranger(t, s).conn)
	defer l.end(errGoodbye)
	l.addr = netip.MustParseAddr("192.0.2.1")
	if a := l.auth(command("auth ClueCon"), ""); a.text != "-ERR invalid" || a.end == nil {
		t.Errorf("from outside: %+v", a)
	}
	l.addr = netip.MustParseAddr("::1")
	if a := l.auth(command("auth ClueCon"), ""); a.text != "+OK accepted" {
		t.Errorf("from loopback: %+v", a)
	}
}

func TestUserauth_KnownPasswordIsForLoopbackOnly(t *testing.T) {
	for _, c := range []struct {
		from  string
		allow bool
		want  string
	}{{"192.0.2.1", false, "-ERR invalid"}, {"127.0.0.1", false, "+OK accepted"}, {"192.0.2.1", true, "+OK accepted"}} {
		s := newServer(t, newSwitch(t), Options{AllowGuessable: c.allow, UserAuth: func(context.Context, string, string) (map[string]string, bool) {
			return map[string]string{"esl-password": "1000"}, true
		}})
		l := s.newListener(stranger(t, s).conn)
		l.addr = netip.MustParseAddr(c.from)
		if a := l.userauth(nil, "1000@x:1000"); a.text != c.want {
			t.Errorf("from %s, allowed %v: %q, want %q", c.from, c.allow, a.text, c.want)
		}
		l.end(errGoodbye)
	}
}

func TestAuth_WhoGuessesTooOftenIsNotBelieved(t *testing.T) {
	s := newServer(t, newSwitch(t), Options{})
	l := s.newListener(stranger(t, s).conn)
	defer l.end(errGoodbye)
	try := func(from, password string) string {
		l.addr = netip.MustParseAddr(from)
		return l.auth(command("auth "+password), "").text
	}
	for range directory.MaxGuesses {
		try("2001:db8::1", "guess")
		try("127.0.0.1", "guess")
	}
	for from, want := range map[string]string{"2001:db8::2": "-ERR invalid", "2001:db8:1::1": "+OK accepted", "127.0.0.1": "+OK accepted"} {
		if got := try(from, "secret"); got != want {
			t.Errorf("the right password from %s: %q, want %q", from, got, want)
		}
	}
}

func TestACL_RefusesRudely(t *testing.T) {
	s := newServer(t, newSwitch(t), Options{Allow: func(netip.Addr) (string, bool) { return "lan", false }})
	p := stranger(t, s)
	p.expect("Content-Type: text/rude-rejection\nContent-Length: 24\n\nAccess Denied, go away.\n" + goodbye)
	p.closed()
}

func TestFirstCommand_IsTimed(t *testing.T) {
	s := newServer(t, newSwitch(t), Options{LoginTimeout: 20 * time.Millisecond})
	p := stranger(t, s)
	p.expect("Content-Type: auth/request\n\n" + goodbye)
	p.closed()
}

func TestUserauth(t *testing.T) {
	users := map[string]map[string]string{
		"erin": {"esl-password": "pw"},
		"dave": {"esl-password": "d", "esl-allowed-log": "false", "esl-allowed-api": "echo,eval",
			"esl-allowed-events": "CHANNEL_CREATE,CUSTOM,good::one"},
		"none": {},
	}
	s := newServer(t, newSwitch(t), Options{UserAuth: func(_ context.Context, user, domain string) (map[string]string, bool) {
		u, ok := users[user]
		return u, ok && domain == "example.com"
	}})
	login := func(t *testing.T, line string) *peer {
		p := stranger(t, s)
		p.expect("Content-Type: auth/request\n\n")
		p.send(line + "\n\n")
		return p
	}
	const everything = "Content-Type: command/reply\nReply-Text: +OK accepted\nAllowed-Events: all\nAllowed-API: all\nAllowed-LOG: true\n\n"
	login(t, "userauth erin@example.com:pw").expect(everything)
	login(t, "userauth erin:pw@example.com").expect(everything)
	for _, bad := range []string{"erin@example.com:no", "erin@other:pw", "nobody@example.com:pw", "none@example.com:", "erin:pw", "erin"} {
		p := login(t, "userauth "+bad)
		p.reply("-ERR invalid")
		p.closed()
	}
	p := login(t, "userauth dave@example.com:d")
	p.expect("Content-Type: command/reply\nReply-Text: +OK accepted\nAllowed-Events: CHANNEL_CREATE,CUSTOM,good::one\n" +
		"Allowed-API: echo,eval\nAllowed-LOG: false\n\n")
	for _, c := range [][2]string{
		{"api quiet", denied}, {"bgapi quiet", denied}, {"log debug", denied},
		{"api eval ${quiet(x)}", denied},
		{"event plain CHANNEL_CREATE", "+OK event listener enabled plain"},
		{"event plain CHANNEL_DESTROY", denied}, {"event plain ALL", denied},
		{"event plain CUSTOM good::one", "+OK event listener enabled plain"},
		{"event plain CUSTOM bad::one", denied},
	} {
		p.ask(c[0], c[1])
	}
	p.send("api eval ${echo(x)} ${domain}\n\n")
	p.expect("Content-Type: api/response\nContent-Length: 20\n\n${echo(x)} ${domain}")
}

func TestCommands_Replies(t *testing.T) {
	s := newServer(t, newSwitch(t), Options{ExpandAlias: func(line string) (string, bool) { return "echo aliased", line == "short" }})
	api := func(body string) string {
		return fmt.Sprintf("Content-Type: api/response\nContent-Length: %d\n\n%s", len(body), body)
	}
	reply := func(text string) string { return "Content-Type: command/reply\nReply-Text: " + text + "\n\n" }
	for _, c := range []struct{ send, want, before string }{
		{"api echo a  b", api("a  b"), ""},
		{"API echo x", api("x"), ""},
		{"api quiet", api("-ERR no reply\n"), ""},
		{"api nosuch x", api("-ERR nosuch Command not found!\n"), ""},
		{"api broken", api("-ERR broken Command not found!\n"), ""},
		{"api   echo   a b", api("-ERR  Command not found!\n"), ""},
		{"api", reply("-ERR command not found"), ""},
		{"api echo a;;echo b\nconsole_execute: true", api("ab"), ""},
		{"api short\nconsole_execute: true", api("\nExpand Alias [short]->[echo aliased]\n\naliased"), ""},
		{"api nosuch1 a\nconsole_execute: true", api("-ERR nosuch1 a Command not found!\n"), ""},
		{"bgapi echo x\nJob-UUID: j1", "Content-Type: command/reply\nReply-Text: +OK Job-UUID: j1\nJob-UUID: j1\n\n", ""},
		{"gibberish", reply("-ERR command not found"), ""},
		{"auth secret", reply("-ERR command not found"), ""},
		{"event", reply("-ERR no keywords supplied"), ""},
		{"event plain", reply("-ERR no keywords supplied"), ""},
		{"event plain NO_SUCH", reply("-ERR no keywords supplied"), ""},
		{"noevents", reply("-ERR not listening for events"), ""},
		{"events json SWITCH_EVENT_HEARTBEAT", reply("+OK event listener enabled json"), ""},
		{"event talk", reply("+OK event listener enabled json"), "event json DTMF"},
		{"nixevent", reply("-ERR no keywords supplied"), ""},
		{"nixevent CUSTOM a::b", reply("+OK events nixed"), ""},
		{"nixevent HEARTBEAT", reply("+OK events nixed"), ""},
		{"noevents", reply("+OK no longer listening for events"), "event plain TALK"},
		{"filter A b c", reply("+OK filter added. [A]=[b c]"), ""},
		{"filter add A b", reply("+OK filter added. [A]=[b]"), ""},
		{"filter add A", reply("+OK filter added. [A]=[(null)]"), ""},
		{"filter A", reply("-ERR invalid syntax"), ""},
		{"filter delete", reply("-ERR invalid syntax"), ""},
		{"filter delete A", reply("+OK filter deleted. [A][]"), ""},
		{"filter delete A b", reply("+OK filter deleted. [A][b]"), ""},
		{"filter delete all", reply("+OK filter deleted. [all][]"), ""},
		{"log", reply("+OK log level  [7]"), ""},
		{"log err", reply("+OK log level err [3]"), ""},
		{"log nosuch", reply("-ERR invalid log level"), ""},
		{"nolog", reply("+OK no longer logging"), "log err"},
		{"nolog", reply("-ERR not loging"), ""},
		{"linger", reply("-ERR not controlling a session"), ""},
		{"nolinger", reply("-ERR not controlling a session"), ""},
		{"divert_events on", reply("-ERR not controlling a session."), ""},
		{"getvar x", reply("-ERR command not found"), ""},
		{"connect", reply("-ERR command not found"), ""},
		{"resume", reply("-ERR command not found"), ""},
		{"sendmsg", reply("-ERR invalid session id []"), ""},
		{"sendmsg nobody", reply("-ERR invalid session id [nobody]"), ""},
		{"sendmsg\nsession-id: who", reply("-ERR invalid session id [who]"), ""},
		{"myevents nobody plain", reply("-ERR invalid uuid"), ""},
		{"myevents nobody", reply("+OK Events Enabled"), ""},
		{"myevents nobody", reply("-ERR aready enabled."), "myevents nobody"},
	} {
		t.Run(c.send, func(t *testing.T) {
			p := friend(t, s)
			if c.before != "" {
				p.send(c.before + "\n\n")
				p.next("command/reply")
			}
			p.send(c.send + "\n\n")
			p.expect(c.want)
		})
	}
}

func TestStart_SaysWhoHasThePort(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	s := New(newSwitch(t), Options{ListenAddr: taken.Addr().String(), StopOnBindError: true})
	err = s.Start(context.Background())
	if err == nil || !strings.Contains(err.Error(), taken.Addr().String()) || !strings.Contains(err.Error(), "event_socket.conf.xml") {
		t.Errorf("got %v", err)
	}
	again := New(s.sw, Options{ListenAddr: taken.Addr().String()})
	if err := again.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	taken.Close()
	until(t, "listening", func() bool { return again.Addr() != nil })
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

func TestClose_TellsThatTheSystemGoesDown(t *testing.T) {
	sw := newSwitch(t)
	s := newServer(t, sw, Options{})
	p := friend(t, s)
	p.ask("event plain SHUTDOWN", "+OK event listener enabled plain")
	sw.Bus.Publish(event.New(event.Shutdown, ""), "switch_core.c", "switch_core_destroy", 1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	p.event("SHUTDOWN")
	p.expect("Content-Type: text/disconnect-notice\nContent-Length: 31\n\nThe system is being shut down.\n")
	p.closed()
}

func TestStrangers_TheOldestGivesWay(t *testing.T) {
	s := newServer(t, newSwitch(t), Options{MaxUnauthenticated: 20})
	known := friend(t, s)
	first := stranger(t, s)
	first.expect("Content-Type: auth/request\n\n")
	for range 200 {
		conn, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	first.closed()
	until(t, "room", func() bool { return len(s.Listeners()) <= 21 })
	known.send("api echo here\n\n")
	known.expect("Content-Type: api/response\nContent-Length: 4\n\nhere")
}

// As the health checks of a balancer do: connect, say nothing, go.
func TestHalfOpen_ConnectionsLeaveNothing(t *testing.T) {
	const many = 20000
	s := newServer(t, newSwitch(t), Options{})
	connect := func(n int) {
		for range n {
			conn, err := net.Dial("tcp", s.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			conn.(*net.TCPConn).SetLinger(0) // a port in TIME-WAIT for each would be too many
			conn.Close()
		}
	}
	use := func() (heap uint64, files int) {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		list, _ := os.ReadDir("/proc/self/fd") // where there is no such directory memory and goroutines must do
		return m.HeapAlloc, len(list)
	}
	goroutines := runtime.NumGoroutine()
	gone := func() bool { return len(s.Listeners()) == 0 && runtime.NumGoroutine() <= goroutines+2 }
	connect(many / 20)
	until(t, "the end of the first", gone)
	heap, files := use()
	connect(many)
	until(t, "the end of all", gone)
	if h, f := use(); h > heap+1<<20 || f > files+2 {
		t.Errorf("the heap went from %d to %d kB, open files from %d to %d", heap>>10, h>>10, files, f)
	}
}

func TestListeners_AreSmall(t *testing.T) {
	sw := newSwitch(t)
	s := newServer(t, sw, Options{})
	const clients, limit = 150, 100 << 10
	use := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	before := use()
	peers := make([]*peer, clients)
	for i := range peers {
		peers[i] = friend(t, s)
		peers[i].ask("event plain ALL", "+OK event listener enabled plain")
	}
	for range 500 {
		fire(sw, event.Talk, "", "A", "b")
	}
	for _, p := range peers {
		for range 500 {
			p.event("TALK")
		}
	}
	// The test's own half counts too.
	if after := use(); after > before && (after-before)/clients > limit {
		t.Errorf("%d bytes a client", (after-before)/clients)
	}
	runtime.KeepAlive(peers)
}

func TestComplaints_OneLineASecond(t *testing.T) {
	sw := newSwitch(t)
	f := sw.Log.Follow(call.LogWarning, 10)
	defer f.Close()
	var c complaints
	c.logf(sw.Log, "IP %s", "a")
	c.last = time.Now().Add(time.Hour) // the pause lasts as long as the test wants
	for range 4 {
		c.logf(sw.Log, "IP %s", "a")
	}
	c.last = time.Now().Add(-2 * complaintPause)
	c.logf(sw.Log, "IP %s", "b")
	if a, b := <-f.Lines(), <-f.Lines(); a.Text != "IP a\n" || b.Text != "IP b (4 more such lines left out)\n" || len(f.Lines()) > 0 {
		t.Errorf("got %q %q", a.Text, b.Text)
	}
}
