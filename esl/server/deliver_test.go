package server

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/esl"
)

func command(text string) *esl.Command {
	c, err := esl.NewReader(strings.NewReader(text+"\n\n"), esl.FullLimits).ReadCommand()
	if err != nil {
		panic(err)
	}
	return c
}

func fire(sw *call.Switch, t event.Type, subclass string, headers ...string) {
	e := event.New(t, subclass)
	for i := 0; i+1 < len(headers); i += 2 {
		e.Add(headers[i], headers[i+1])
	}
	sw.Bus.Publish(e, "f.c", "f", 1)
}

func TestEvents_Framing(t *testing.T) {
	sw := newSwitch(t)
	s := newServer(t, sw, Options{})
	e := event.New(event.Custom, "a::b")
	e.Add("X", "1 2")
	e.SetBody("the\nbody")
	for format, text := range map[string]func() []byte{"plain": e.Plain, "json": e.JSON, "xml": e.XML} {
		p := friend(t, s)
		p.ask("event "+format+" CUSTOM a::b", "+OK event listener enabled "+format)
		defer func() {
			p.expect(fmt.Sprintf("Content-Length: %d\nContent-Type: text/event-%s\n\n%s", len(text()), format, text()))
		}()
	}
	sw.Bus.Publish(e, "f.c", "f", 1)
}

func TestEvents_Selection(t *testing.T) {
	for _, c := range []struct {
		name     string
		commands []string
		want     string
	}{
		{"names", []string{"event plain TALK DTMF"}, "TALK DTMF"},
		{"all", []string{"event plain ALL"}, "TALK DTMF CUSTOM:a::b CUSTOM:A::B NOTALK"},
		{"a subclass, by case", []string{"event plain CUSTOM a::b TALK"}, "CUSTOM:a::b"},
		{"CUSTOM without a subclass", []string{"event plain TALK CUSTOM"}, "TALK"},
		{"all but one", []string{"event plain ALL", "nixevent DTMF"}, "TALK NOTALK"},
		{"all but one, with a subclass", []string{"event plain CUSTOM a::b", "event plain ALL", "nixevent DTMF"}, "TALK CUSTOM:a::b NOTALK"},
		{"a subclass less", []string{"event plain TALK CUSTOM a::b A::B", "nixevent CUSTOM a::b"}, "TALK CUSTOM:A::B"},
		{"none any more", []string{"event plain ALL", "noevents", "event plain NOTALK"}, "NOTALK"},
		{"nothing of all", []string{"event plain ALL", "nixevent ALL", "event plain NOTALK"}, "NOTALK"},
		{"filtered", []string{"event plain ALL", "filter Event-Name TALK", "filter N /^4$/"}, "TALK NOTALK"},
		{"filtered away", []string{"event plain ALL", "filter Event-Name -TALK", "filter Core-UUID /./", "filter N /^[0-3]/"}, "DTMF CUSTOM:a::b CUSTOM:A::B"},
	} {
		t.Run(c.name, func(t *testing.T) {
			sw := newSwitch(t)
			p := friend(t, newServer(t, sw, Options{}))
			for _, line := range c.commands {
				p.send(line + "\n\n")
				if m := p.next("command/reply"); !strings.HasPrefix(m.Get("Reply-Text"), "+OK") {
					t.Fatalf("%s: %s", line, m.Get("Reply-Text"))
				}
			}
			fire(sw, event.Talk, "", "N", "0")
			fire(sw, event.DTMF, "", "N", "1")
			fire(sw, event.Custom, "a::b", "N", "2")
			fire(sw, event.Custom, "A::B", "N", "3")
			fire(sw, event.NoTalk, "", "N", "4")
			var got []string
			for len(got) < len(strings.Fields(c.want)) {
				e, err := esl.ParsePlain(p.next("text/event-plain").Body)
				if err != nil {
					t.Fatal(err)
				}
				name := e.Name()
				if e.Subclass() != "" {
					name += ":" + e.Subclass()
				}
				got = append(got, name)
			}
			p.send("noevents\n\n")
			if m, err := p.r.ReadMessage(); err != nil || m.Get("Content-Type") != "command/reply" {
				t.Errorf("more came: %v %v", m, err)
			}
			if s := strings.Join(got, " "); s != c.want {
				t.Errorf("got %s, want %s", s, c.want)
			}
		})
	}
}

func TestFilter(t *testing.T) {
	e := event.New(event.Talk, "")
	e.Add("A", "One")
	e.Add("B", "two")
	e.SetBody("text")
	for _, c := range []struct {
		filters string
		want    bool
	}{
		{"", true}, {"A=one", true}, {"a=ONE", true}, {"A=on", false}, {"C=x", false}, {"A=x|B=two", true},
		{"A=/^O/", true}, {"A=/^o/", false}, {"A=/^o/i", true}, {"_body=text", true}, {"A=-one", false},
		{"A=-x", false}, {"A=+one", true}, {"A=one|B=-two", false}, {"B=-two|A=one", false}, {"A=one|B=-x", true},
		{"A=-/O/", false}, {"A=/(/", false},
	} {
		var list []filter
		for _, f := range strings.Split(c.filters, "|") {
			if h, v, ok := strings.Cut(f, "="); ok {
				list = append(list, makeFilter(h, v))
			}
		}
		if got := passes(list, e); got != c.want {
			t.Errorf("%q: got %v", c.filters, got)
		}
	}
}

func TestAPI_EventComesAfterTheReply(t *testing.T) {
	sw := newSwitch(t)
	p := friend(t, newServer(t, sw, Options{}))
	p.ask("event plain API BACKGROUND_JOB", "+OK event listener enabled plain")
	p.send("api echo x\n\n")
	p.expect("Content-Type: api/response\nContent-Length: 1\n\nx")
	if e := p.event("API"); e.Get("API-Command") != "echo" {
		t.Errorf("got %+v", e)
	}
	p.send("bgapi echo hello\nJob-UUID: 1\n\n")
	p.expect("Content-Type: command/reply\nReply-Text: +OK Job-UUID: 1\nJob-UUID: 1\n\n")
	if e := p.event("BACKGROUND_JOB"); e.Get("Job-UUID") != "1" || e.Get("Job-Command-Arg") != "hello" || e.Body != "hello" {
		t.Errorf("got %+v", e)
	}
}

func TestSendevent(t *testing.T) {
	sw := newSwitch(t)
	s := newServer(t, sw, Options{})
	p, q := friend(t, s), friend(t, s)
	q.ask("event plain CUSTOM a::b", "+OK event listener enabled plain")
	p.send("sendevent CUSTOM\r\nEvent-Subclass: a::b\r\nX: one\r\nContent-Length: 4\r\n\r\nbody")
	id := strings.TrimPrefix(p.next("command/reply").Get("Reply-Text"), "+OK ")
	e := q.event("CUSTOM")
	if e.Subclass() != "a::b" || e.Get("X") != "one" || e.Body != "body" || e.Get("Event-UUID") != id || len(id) != 36 || e.Get("Command") != "sendevent CUSTOM" {
		t.Errorf("got %+v", e)
	}
	// Any name, and the real one in the head, as guides have it.
	p.send("sendevent SOME_NAME\nEvent-Name: CUSTOM\nEvent-Subclass: a::b\nSection: 33\n\n")
	if e := q.event("CUSTOM"); e.Subclass() != "a::b" || e.Get("Section") != "33" {
		t.Errorf("got %+v", e)
	}
}

func TestLog_Lines(t *testing.T) {
	sw := newSwitch(t)
	p := friend(t, newServer(t, sw, Options{}))
	p.ask("log warning", "+OK log level warning [4]")
	line := &call.LogLine{Time: time.Date(2026, 11, 21, 15, 11, 0, 443243000, time.Local), Level: call.LogCrit, Channel: call.LogSession,
		File: "mod_commands.c", Func: "log_function", Line: 7247, Text: "hello\n"}
	sw.Log.Write(&call.LogLine{Level: call.LogInfo, Text: "not this\n"})
	sw.Log.Write(line)
	p.expect("Content-Type: log/data\nContent-Length: 68\nLog-Level: 2\nText-Channel: 3\nLog-File: mod_commands.c\nLog-Func: log_function\n" +
		"Log-Line: 7247\nUser-Data: \n\n2026-11-21 15:11:00.443243 100.00% [CRIT] mod_commands.c:7247 hello\n")
}

func TestSlowReader_IsCutOffAndOthersFeelNothing(t *testing.T) {
	sw := newSwitch(t)
	s := newServer(t, sw, Options{EventQueue: 50})
	log := sw.Log.Follow(call.LogCrit, 100)
	defer log.Close()
	slow, quick := friend(t, s), friend(t, s)
	slow.ask("event plain TALK", "+OK event listener enabled plain")
	quick.ask("event plain DTMF", "+OK event listener enabled plain")
	pad := strings.Repeat("x", 100000)
	for len(s.Listeners()) == 2 {
		for range 20 {
			fire(sw, event.Talk, "", "Pad", pad)
		}
		fire(sw, event.DTMF, "", "N", "1")
		quick.event("DTMF")
	}
	slow.closed()
	if n := s.Lost(); n <= maxLostRun {
		t.Errorf("%d events are counted as lost", n)
	}
	// What the system's buffers took in the meantime has a line of its own, before.
	for end := time.After(patience); ; {
		select {
		case line := <-log.Lines():
			if strings.Contains(line.Text, "Killing listener because of too many lost events. Lost [") {
				return
			}
			if !strings.Contains(line.Text, "Event Queue size: [") {
				t.Errorf("the log says %q", line.Text)
			}
		case <-end:
			t.Fatal("the log does not say why")
		}
	}
}

func TestVanishedPeer_IsClosedWithOneLine(t *testing.T) {
	sw := newSwitch(t)
	s := newServer(t, sw, Options{WriteTimeout: 300 * time.Millisecond})
	log := sw.Log.Follow(call.LogWarning, 1000)
	before := runtime.NumGoroutine()
	gone := friend(t, s) // it reads nothing any more, as one whose network is gone
	gone.ask("event plain TALK", "+OK event listener enabled plain")
	pad := strings.Repeat("x", 1<<20)
	for range 40 { // more than the system's buffers of both ends hold
		fire(sw, event.Talk, "", "Pad", pad)
	}
	// The system takes some more of it now and then, so several timeouts may pass first.
	until(t, "the end of the connection", func() bool { return len(s.Listeners()) == 0 && runtime.NumGoroutine() <= before+1 })
	for range 10 {
		fire(sw, event.Talk, "", "Pad", pad)
	}
	log.Close()
	var lines []string
	for line := range log.Lines() {
		lines = append(lines, line.Text)
	}
	if len(lines) != 1 || !strings.Contains(lines[0], "took nothing for 300ms, closing") {
		t.Errorf("the log says %q", lines)
	}
}

func TestLoss_IsToldOnTheConnection(t *testing.T) {
	sw := newSwitch(t)
	s := newServer(t, sw, Options{EventQueue: 10})
	follower := sw.Log.Follow(call.LogCrit, 10)
	defer follower.Close()
	p := friend(t, s)
	p.ask("event plain TALK", "+OK event listener enabled plain")
	var l *listener
	s.mu.Lock()
	for l = range s.listeners {
	}
	s.mu.Unlock()
	l.turn.Lock() // as a command that takes its time
	for range 13 {
		fire(sw, event.Talk, "")
	}
	// A place becomes free, so the run of losses ends.
	l.events.pop(make([]*event.Event, 1))
	fire(sw, event.Talk, "")
	l.turn.Unlock()
	if e := p.event("CUSTOM"); e.Get("Lost-Events") != "3" {
		t.Errorf("got %+v", e)
	}
	if line := <-follower.Lines(); !strings.Contains(line.Text, "Lost [3] events! Event Queue size: [") {
		t.Errorf("got %s", line.Text)
	}
}

func TestQueue_GrowsShrinksAndCounts(t *testing.T) {
	q := queue[int]{limit: 1000}
	for round := range 3 {
		for i := range 1000 {
			if ok, _ := q.push(i); !ok {
				t.Fatal(round, i)
			}
		}
		if ok, run := q.push(0); ok || run != 1 {
			t.Fatal("no bound")
		}
		buf := make([]int, 7)
		next := 0
		for n := q.pop(buf); n > 0; n = q.pop(buf) {
			for _, v := range buf[:n] {
				if v != next {
					t.Fatalf("got %d, want %d", v, next)
				}
				next++
			}
		}
		if next != 1000 || len(q.ring) > keptRing {
			t.Fatalf("%d came, %d kept", next, len(q.ring))
		}
	}
	if _, lost := q.count(); lost != 3 {
		t.Errorf("lost %d", lost)
	}
}

// discard is a connection that takes everything.
type discard struct{ net.Conn }

func (discard) Write(p []byte) (int, error)      { return len(p), nil }
func (discard) Read([]byte) (int, error)         { return 0, io.EOF }
func (discard) Close() error                     { return nil }
func (discard) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (discard) SetDeadline(time.Time) error      { return nil }
func (discard) SetReadDeadline(time.Time) error  { return nil }
func (discard) SetWriteDeadline(time.Time) error { return nil }

func TestDeliver_DoesNotAllocate(t *testing.T) {
	sw := newSwitch(t)
	s := New(sw, Options{})
	l := s.newListener(discard{})
	defer l.end(errGoodbye)
	l.selected.Store(&selection{on: true, all: true})
	l.filters = []filter{makeFilter("event-name", "talk")}
	e := event.New(event.Talk, "")
	sw.Bus.Stamp(e, "f.c", "f", 1)
	e.Plain()
	n := testing.AllocsPerRun(1000, func() {
		l.offer(e)
		l.deliver()
	})
	if n != 0 {
		t.Errorf("%v allocations an event", n)
	}
}

func BenchmarkDeliver(b *testing.B) {
	sw := newSwitch(b)
	s := newServer(b, sw, Options{})
	p := friend(b, s)
	p.ask("event plain ALL", "+OK event listener enabled plain")
	go io.Copy(io.Discard, bufio.NewReader(p.conn))
	b.ReportAllocs()
	for b.Loop() {
		fire(sw, event.Talk, "", "A", "b")
	}
}

func FuzzExecute(f *testing.F) {
	f.Add("event plain ALL\n\nfilter A /b/\n\nsendmsg x\ncall-command: execute\n\n")
	f.Add("api echo x\nconsole_execute: true\n\nbgapi eval ${x(y)}\n\nmyevents x\n\nlog 7\n\nnixevent CUSTOM a\n\n")
	sw := newSwitch(f)
	s := New(sw, Options{Password: "x"})
	f.Fuzz(func(t *testing.T, text string) {
		l := s.newListener(discard{})
		l.full = true
		l.authed.Store(len(text)%2 == 0)
		l.rights.api = map[string]bool{"eval": true, "expand": true, "bgapi": true, "sched_api": true}
		defer l.finish()
		r := esl.NewReader(strings.NewReader(text), esl.UnauthLimits)
		for {
			c, err := r.ReadCommand()
			if err != nil {
				return
			}
			l.handle(c, false)
		}
	})
}
