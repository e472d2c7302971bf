package webrtc

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
)

func TestErrands_OneAfterTheOtherAndNotTooMany(t *testing.T) {
	var (
		e    errands
		work sync.WaitGroup
		done []int
	)
	first := make(chan struct{})
	for i := range maxErrands {
		if !e.add(&work, func() { <-first; done = append(done, i) }) {
			t.Fatalf("%d is refused", i)
		}
	}
	if e.add(&work, func() {}) {
		t.Error("too many are taken")
	}
	close(first)
	work.Wait()
	if !slices.IsSorted(done) || len(done) != maxErrands || len(e.list) != 0 {
		t.Errorf("%v, %d left", done, len(e.list))
	}
	if !e.add(&work, func() { done = nil }) {
		t.Error("none is taken any more")
	}
	work.Wait()
	if done != nil {
		t.Error("the last was not done")
	}
}

// A moderator's commands are carried out in the order in which they came.
func TestConference_CommandsKeepTheirOrder(t *testing.T) {
	b := newBox(t, nil)
	var mu sync.Mutex
	var lines []string
	b.sw.AddCommands(call.Command{Name: "conference", Run: func(_ context.Context, _ *call.Switch, in *call.Invocation) error {
		mu.Lock()
		defer mu.Unlock()
		lines = append(lines, in.Args)
		return nil
	}})
	p := b.login("1000", "secret", "s1")
	b.dials(p, "m", "park")
	b.s.conferenceEvent(inRoom("add-member", "m", "1", "moderator"))
	order := func(command, id, value string) {
		p.result("verto.broadcast", fields{"eventChannel": "conference-mod.3000@test", "data": fields{
			"application": "conf-control", "command": command, "id": id, "value": value}})
	}
	var want []string
	for i := range maxErrands / 2 {
		order("mute", fmt.Sprint(i+1), "")
		order("volume_in", fmt.Sprint(i+1), strings.Repeat("1", maxOrder)) // too long to be one
		order("unmute", fmt.Sprint(i+1), "")
		want = append(want, fmt.Sprintf("3000 mute %d", i+1), fmt.Sprintf("3000 unmute %d", i+1))
	}
	until(t, "all commands", func() bool { mu.Lock(); defer mu.Unlock(); return len(lines) >= len(want) })
	if !slices.Equal(lines, want) {
		t.Errorf("%v", lines)
	}
}

// slow is a phone that takes its time to say that it has a message.
type slow struct {
	heard chan string
	goOn  chan struct{}
}

func (s *slow) Init(context.Context, *call.Channel) error { return nil }
func (s *slow) Ring(context.Context) error                { return nil }
func (s *slow) Progress(context.Context) error            { return nil }
func (s *slow) Answer(context.Context) error              { return nil }
func (s *slow) Hangup(call.Cause)                         {}

func (s *slow) Message(ctx context.Context, e *event.Event) error {
	s.heard <- e.Body
	select {
	case <-s.goOn:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// A page need not wait for a partner that is slow to take its messages: it can end the
// call meanwhile.
func TestInfo_MessageToASlowPartnerHoldsNothingUp(t *testing.T) {
	b := newBox(t, nil)
	p := b.login("1000", "secret", "s1")
	c, _ := b.dials(p, "mine", "park")
	phone := &slow{heard: make(chan string, 10), goOn: make(chan struct{})}
	other, err := b.sw.NewChannel(phone, call.NewChannelOptions{UUID: "phone", Name: "slow/1", Outbound: true})
	must(t, err)
	other.Start()
	other.MarkAnswered()
	until(t, "both calls", func() bool { return other.Answered() && c.State() == call.StateExecute })
	must(t, c.PostExecute("join", "phone", false))
	until(t, "the bridge", func() bool { return c.Partner() == other })
	for _, text := range []string{"one", "two", "three"} {
		p.result("verto.info", fields{"msg": fields{"to": "x", "body": text, "inDialog": true}, "dialogParams": about("mine", "")})
	}
	for _, want := range []string{"one", "two"} {
		if got := <-phone.heard; got != want {
			t.Errorf("%s instead of %s", got, want)
		}
		if want == "one" {
			phone.goOn <- struct{}{}
		}
	}
	p.result("verto.bye", fields{"dialogParams": about("mine", "")})
	<-c.Done()
}

// However often a page says more, its call holds so much and no more.
func TestInfo_VariablesOfACallAreBounded(t *testing.T) {
	b := newBox(t, nil)
	p := b.login("1000", "secret", "s1")
	c, _ := b.dials(p, "v", "hears")
	say := func(vars fields) {
		p.result("verto.info", fields{"dialogParams": fields{"callID": "v", "userVariables": vars}})
	}
	own := func() (n, bytes int) {
		for _, v := range c.Vars().All() {
			if strings.HasPrefix(v.Name, ownPrefix) {
				n, bytes = n+1, bytes+len(v.Name)+len(v.Value)
			}
		}
		return n, bytes
	}
	say(fields{"color": "blue"})
	say(fields{"long": strings.Repeat("x", maxOwnBytes)})
	if n, _ := own(); n != 1 {
		t.Errorf("%d variables with one that is too long", n)
	}
	for i := range 20 {
		vars := fields{}
		for j := range 10 {
			vars[fmt.Sprintf("n%d", 10*i+j)] = strings.Repeat("y", 200)
		}
		say(vars)
	}
	if n, bytes := own(); n != maxOwnVars || bytes > maxOwnBytes {
		t.Errorf("%d variables of %d bytes", n, bytes)
	}
	say(fields{"color": strings.Repeat("z", maxOwnBytes)})
	say(fields{"Color": "red"})
	if got := c.Get("verto_dvar_color"); got != "red" {
		t.Errorf("color is %.10q", got)
	}
	p.result("verto.info", fields{"command": strings.Repeat("x", maxChat), "dialogParams": about("v", "")})
	p.result("verto.info", fields{"command": "next", "dialogParams": about("v", "")})
	until(t, "the next command", func() bool { return c.Get("heard_event") != "" })
	if got := c.Get("heard_event"); got != `COMMAND verto "next"` {
		t.Errorf("heard %.50q", got)
	}
	long := strings.Repeat("1", 2*maxBrief)
	p.result("verto.invite", fields{"sdp": newBrowser(t, "audio/opus", 48000, 2).offer(), "dialogParams": fields{"callID": "w", "destination_number": "wait",
		"ani": long, "rdnis": long, "caller_id_name": long, "remote_caller_id_number": long}})
	w := b.sw.Find("w")
	if pr := w.Profile(); len(pr.ANI) != maxBrief || len(pr.RDNIS) != maxBrief || len(w.Get("verto_client_caller_id_name")) != maxBrief ||
		len(w.Get("verto_remote_caller_id_number")) != maxBrief {
		t.Errorf("%d %d", len(pr.ANI), len(pr.RDNIS))
	}
	p.refused("verto.invite", fields{"sdp": strings.Repeat("x", maxDescription+1), "dialogParams": about("x", "wait")}, "CALL ERROR")
}

// A page that does not read loses what others say, not its socket.
func TestSocket_OthersCannotMakeItOverflow(t *testing.T) {
	b := newBox(t, nil)
	talker := b.login("1000", "secret", "s1")
	victim := &socket{server: b.s, account: &account{uid: "1002@test"}, sessid: "s2", out: outbox{wake: make(chan struct{}, 1)},
		subs: map[string]int64{}, sanction: map[string]bool{}}
	victim.ctx, victim.cancel = context.WithCancel(t.Context())
	b.s.mu.Lock()
	b.s.sockets[victim], b.s.sessions["s2"] = struct{}{}, victim
	b.s.mu.Unlock()
	b.s.listenTo(victim, "demo")
	b.s.listenTo(victim, "FSevent.message")
	b.dials(talker, "c", "park")
	until(t, "the call to rest", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return slices.ContainsFunc(b.events, func(e *event.Event) bool { return e.Type == event.ChannelPark })
	})
	b.s.listenTo(victim, "presence")
	b.s.conferenceEvent(inRoom("add-member", "m", "1", "member"))
	b.s.listenTo(victim, "conference-chat.3000@test")
	b.s.online("s1").grant("conference-chat.3000@test")
	long := strings.Repeat("x", 1000)
	e := event.New(event.Message, "")
	e.Add("to", "1002@test")
	e.SetBody(long)
	victim.hear()
	for what, say := range map[string]func(){
		"broadcasts": func() {
			talker.result("verto.broadcast", fields{"eventChannel": "demo", "localBroadcast": true, "data": long})
		},
		"chat": func() {
			talker.result("verto.broadcast", fields{"eventChannel": "conference-chat.3000@test", "data": fields{"action": "send", "message": long}})
		},
		"presence":    func() { b.s.replayPresence("presence") },
		"events":      func() { b.s.coreEvent(e) },
		"messages":    func() { _ = b.s.Deliver(t.Context(), e) },
		"of the call": func() { _ = (&leg{server: b.s, uuid: "m", uid: "1002@test", socket: victim}).Message(t.Context(), e) },
	} {
		victim.out.take()
		say()
		if list, _ := victim.out.take(); len(list) == 0 {
			t.Errorf("%s: it is told nothing", what)
		}
		victim.out.put(make([]byte, sendBytes-1))
		say()
		if victim.ctx.Err() != nil {
			t.Fatalf("%s: its socket is closed", what)
		}
	}
	if err := b.s.Deliver(t.Context(), e); err != errBehind {
		t.Errorf("a message more: %v", err)
	}
	b.s.detach(victim)
}
