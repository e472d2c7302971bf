package server

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/switchlet/switchlet/call"
)

// dialledCall starts a call that connects to the returned peer.
func dialledCall(t *testing.T, sw *call.Switch, words string, then ...call.Action) (*call.Channel, *peer) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	ch := newCall(t, sw, append([]call.Action{{App: "socket", Data: ln.Addr().String() + " " + words}}, then...)...)
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return ch, newPeer(t, conn)
}

// connected is a controller that has sent connect.
func connected(t *testing.T, sw *call.Switch, words string, then ...call.Action) (*call.Channel, *peer) {
	t.Helper()
	ch, p := dialledCall(t, sw, words, then...)
	p.send("connect\n\n")
	p.next("command/reply")
	return ch, p
}

func TestSocket_ConnectGivesTheCallsData(t *testing.T) {
	sw := newSwitch(t)
	newServer(t, sw, Options{})
	for words, want := range map[string][2]string{
		"async full": {"async", "full"}, "": {"static", "single-channel"}, "FULL": {"static", "full"}, "async": {"async", "single-channel"},
	} {
		ch, p := dialledCall(t, sw, words)
		p.send("connect\n\n")
		m := p.next("command/reply")
		for name, value := range map[string]string{
			"Event-Name": "CHANNEL_DATA", "Reply-Text": "+OK\n", "Socket-Mode": want[0], "Control": want[1], "Unique-ID": ch.UUID(),
			"variable_cf_v": "some value", "Channel-Name": "null/x", "Answer-State": "answered",
		} {
			if m.Get(name) != value {
				t.Errorf("%q: %s: got %q, want %q", words, name, m.Get(name), value)
			}
		}
	}
}

func TestSocket_SingleChannelRefusesTheRest(t *testing.T) {
	sw := newSwitch(t)
	newServer(t, sw, Options{})
	ch, p := connected(t, sw, "async")
	for _, c := range [][2]string{
		{"api echo x", notFound}, {"event plain ALL", notFound}, {"linger", notFound}, {"log", notFound}, {"sendevent TALK", notFound},
		{"getvar cf_v", "some value"}, {"getvar nothing", notFound}, {"getvar uuid", ch.UUID()},
		{"filter A b", "+OK filter added. [A]=[b]"}, {"divert_events", "-ERR missing value."},
		{"divert_events on", "+OK events diverted"}, {"divert_events off", "+OK events not diverted"},
		{"resume", "+OK"}, {"getvar socket_resume", "true"},
	} {
		p.ask(c[0], c[1])
	}
}

func TestSocket_FirstReplyIsSwallowed(t *testing.T) {
	sw := newSwitch(t)
	newServer(t, sw, Options{})
	_, p := dialledCall(t, sw, "async full")
	p.send("myevents\n\nfilter A b\n\n")
	p.reply("+OK filter added. [A]=[b]")
}

func TestSocket_AsyncOrdersRunInOrder(t *testing.T) {
	sw := newSwitch(t)
	newServer(t, sw, Options{})
	ch, p := connected(t, sw, "async full")
	p.ask("myevents", "+OK Events Enabled")
	p.ask("myevents", "-ERR aready enabled.")
	p.ask("sendmsg\ncall-command: execute\nexecute-app-name: gate\nexecute-app-arg: open\nevent-lock: true", "+OK")
	p.ask("sendmsg "+ch.UUID()+"\ncall-command: execute\nexecute-app-name: set\nevent-lock: true\n"+
		"Event-UUID: e-1\ncontent-type: text/plain\ncontent-length: 6\n\nb=${a}", "+OK")
	ch.Set("a", "later")
	ch.Set("open", "1")
	for {
		e := p.event("CHANNEL_EXECUTE_COMPLETE")
		if e.Get("Application") == "set" {
			if e.Get("Application-UUID") != "e-1" || e.Get("Application-Data") != "b=later" {
				t.Errorf("got %v", e.Headers)
			}
			break
		}
	}
	if ch.Get("b") != "later" {
		t.Errorf("b is %q", ch.Get("b"))
	}
}

func TestSocket_SyncOrdersAreDoneWhenAnswered(t *testing.T) {
	sw := newSwitch(t)
	newServer(t, sw, Options{})
	ch, p := connected(t, sw, "full", call.Action{App: "set", Data: "after=yes"}, call.Action{App: "park"})
	p.ask("sendmsg\ncall-command: execute\nexecute-app-name: set\nexecute-app-arg: a=b", "+OK")
	if ch.Get("a") != "b" {
		t.Error("not done yet")
	}
	p.ask("sendmsg\ncall-command: execute\nasync: true\nexecute-app-name: gate\nexecute-app-arg: open", "+OK")
	ch.Set("open", "1")
	p.send("exit\n\n")
	p.reply("+OK bye")
	p.expect("Content-Type: text/disconnect-notice\nControlled-Session-UUID: " + ch.UUID() +
		"\nContent-Disposition: disconnect\nContent-Length: 67\n\n" + goodbyeText)
	p.closed()
	until(t, "the next action", func() bool { return ch.Get("after") == "yes" })
}

func TestSocket_DialplanGoesOnWhenThePeerCloses(t *testing.T) {
	sw := newSwitch(t)
	newServer(t, sw, Options{})
	for _, words := range []string{"async full", "full", "async"} {
		ch, p := connected(t, sw, words, call.Action{App: "set", Data: "after=yes"}, call.Action{App: "park"})
		p.conn.Close()
		until(t, "the next action", func() bool { return ch.Get("after") == "yes" })
	}
}

func TestSocket_NobodyListens(t *testing.T) {
	sw := newSwitch(t)
	newServer(t, sw, Options{})
	ch := newCall(t, sw, call.Action{App: "socket", Data: "127.0.0.1:1|127.0.0.1:2/path async"},
		call.Action{App: "set", Data: "after=yes"}, call.Action{App: "park"})
	until(t, "the next action", func() bool { return ch.Get("after") == "yes" })
	if ch.Get("socket_path") != "path" || ch.Get("socket_host") != "127.0.0.1" {
		t.Error("variables of the tries are missing")
	}
}

func TestSocket_HangupEndsItAfterTheLastEvent(t *testing.T) {
	sw := newSwitch(t)
	newServer(t, sw, Options{})
	for _, words := range []string{"async full", "full"} {
		ch, p := connected(t, sw, words)
		p.ask("myevents", "+OK Events Enabled")
		p.send("sendmsg\ncall-command: hangup\nhangup-cause: USER_BUSY\n\n")
		if e := p.event("CHANNEL_HANGUP"); e.Get("Hangup-Cause") != "USER_BUSY" {
			t.Errorf("got %v", e.Headers)
		}
		p.event("CHANNEL_HANGUP_COMPLETE")
		if m := p.next("text/disconnect-notice"); m.Get("Content-Disposition") != "disconnect" || m.Get("Controlled-Session-UUID") != ch.UUID() {
			t.Errorf("got %v", m.Headers)
		}
		p.closed()
		<-ch.Done()
	}
}

func TestLinger(t *testing.T) {
	sw := newSwitch(t)
	newServer(t, sw, Options{})
	ch, p := connected(t, sw, "async full")
	p.ask("linger 5", "+OK will linger 5 seconds")
	p.ask("nolinger", "+OK will not linger")
	p.ask("linger", "+OK will linger")
	p.ask("myevents", "+OK Events Enabled")
	ch.Hangup(call.CauseNormalClearing)
	p.event("CHANNEL_HANGUP_COMPLETE")
	p.expect("Content-Type: text/disconnect-notice\nControlled-Session-UUID: " + ch.UUID() +
		"\nContent-Disposition: linger\nChannel-Name: null/x\nLinger-Time: -1\nContent-Length: 0\n\n")
	p.ask("getvar hangup_cause", "NORMAL_CLEARING")
	p.ask("sendmsg\ncall-command: execute\nexecute-app-name: set\nexecute-app-arg: late=1", "+OK")
	p.ask("getvar late", "1")
	select {
	case <-ch.Done():
		t.Error("destroyed while the listener lingers")
	default:
	}
	p.send("exit\n\n")
	p.closed()
	<-ch.Done()
}

func TestLinger_EndsByItself(t *testing.T) {
	sw := newSwitch(t)
	newServer(t, sw, Options{})
	ch, p := connected(t, sw, "async full")
	p.ask("linger 1", "+OK will linger 1 seconds")
	ch.Hangup(call.CauseNormalClearing)
	if m := p.next("text/disconnect-notice"); m.Get("Linger-Time") != "1" {
		t.Errorf("got %v", m.Headers)
	}
	if m := p.next("text/disconnect-notice"); m.Get("Content-Disposition") != "disconnect" {
		t.Errorf("got %v", m.Headers)
	}
	p.closed()
}

func TestMyevents_OnAnInboundConnection(t *testing.T) {
	sw := newSwitch(t)
	p := friend(t, newServer(t, sw, Options{}))
	ch := newCall(t, sw, call.Action{App: "park"})
	other := newCall(t, sw, call.Action{App: "park"})
	defer other.Hangup(call.CauseNormalClearing)
	p.ask("myevents "+ch.UUID(), "+OK Events Enabled")
	p.ask("getvar cf_v", "some value")
	other.Hangup(call.CauseNormalClearing)
	<-other.Done()
	ch.Hangup(call.CauseNormalClearing)
	if e := p.event("CHANNEL_HANGUP"); e.UUID() != ch.UUID() {
		t.Error("another call's event came")
	}
	p.event("CHANNEL_HANGUP_COMPLETE")
	if m := p.next("text/disconnect-notice"); m.Get("Controlled-Session-UUID") != ch.UUID() {
		t.Errorf("got %v", m.Headers)
	}
	p.closed()
}

func TestMyevents_TakesAFormat(t *testing.T) {
	sw := newSwitch(t)
	p := friend(t, newServer(t, sw, Options{}))
	ch := newCall(t, sw, call.Action{App: "park"})
	p.ask("myevents "+ch.UUID()+" json", "+OK Events Enabled")
	ch.Hangup(call.CauseNormalClearing)
	p.next("text/event-json")
}

func TestSendmsg_ToAnotherCall(t *testing.T) {
	sw := newSwitch(t)
	p := friend(t, newServer(t, sw, Options{}))
	ch := newCall(t, sw, call.Action{App: "park"})
	defer ch.Hangup(call.CauseNormalClearing)
	for _, c := range []string{
		"sendmsg " + ch.UUID() + "\ncall-command: nosuch",
		"sendmsg " + ch.UUID(),
		"sendmsg\nsession-id: " + ch.UUID() + "\ncall-command: execute\nexecute-app-name: set\nexecute-app-arg: a=1",
		"sendmsg " + ch.UUID() + "\ncall-command: XFEREXT\napplication: set x=${a}\napplication: park",
	} {
		p.ask(c, "+OK")
	}
	until(t, "the new extension", func() bool { return ch.Get("x") == "1" })
}

func TestSendmsg_Loops(t *testing.T) {
	sw := newSwitch(t)
	ran := 0
	sw.AddApplications(call.Application{Name: "count", Flags: call.NoMedia, Run: func(context.Context, *call.Channel, string) error {
		ran++
		return nil
	}})
	p := friend(t, newServer(t, sw, Options{}))
	ch := newCall(t, sw, call.Action{App: "park"})
	defer ch.Hangup(call.CauseNormalClearing)
	began := time.Now()
	p.ask("sendmsg "+ch.UUID()+"\ncall-command: execute\nexecute-app-name: count\nloops: -1", "+OK")
	p.ask("sendmsg "+ch.UUID()+"\ncall-command: execute\nexecute-app-name: set\nexecute-app-arg: done=1", "+OK")
	until(t, "the end of the loops", func() bool { return ch.Get("done") == "1" })
	if took := time.Since(began); ran != 1 && took < shortLoop { // on a machine that stood still the run did take time
		t.Errorf("a run that takes no time was repeated %d times", ran)
	}
}

func TestParseTargets(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"127.0.0.1", "127.0.0.1:8084/"}, {"h:1/p/q", "h:1/p/q"}, {"a:1|b", "a:1/ b:8084/"}, {"[::1]:9", "::1:9/"}, {"|", ""},
	} {
		var got []string
		for _, x := range parseTargets(c.in) {
			got = append(got, x.host+":"+x.port+"/"+x.path)
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s: got %q, want %q", c.in, s, c.want)
		}
	}
}

func FuzzParseTargets(f *testing.F) {
	f.Add("a:1/p|[::1]:2")
	f.Fuzz(func(t *testing.T, in string) {
		for _, x := range parseTargets(in) {
			if x.host == "" || x.port == "" {
				t.Fatalf("%q: %+v", in, x)
			}
		}
	})
}
