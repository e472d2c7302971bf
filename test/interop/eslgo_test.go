package interop

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/percipia/eslgo"
	"github.com/percipia/eslgo/command"
	"github.com/percipia/eslgo/command/call"

	"github.com/switchlet/switchlet/test/box"
	"github.com/switchlet/switchlet/test/ports"
)

// diary keeps the events that eslgo delivers. The library hands out each event in a
// goroutine of its own, so the order is that of Event-Sequence.
type diary struct {
	mu     sync.Mutex
	events []*eslgo.Event
	more   chan struct{}
}

func newDiary(c *eslgo.Conn) *diary {
	d := &diary{more: make(chan struct{}, 1)}
	c.RegisterEventListener(eslgo.EventListenAll, func(e *eslgo.Event) {
		d.mu.Lock()
		d.events = append(d.events, e)
		d.mu.Unlock()
		select {
		case d.more <- struct{}{}:
		default:
		}
	})
	return d
}

// await waits for an event of a call, or of all if id is empty. Job-UUID counts too.
func (d *diary) await(t *testing.T, name, id string) *eslgo.Event {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		d.mu.Lock()
		for _, e := range d.events {
			if e.GetName() == name && (id == "" || e.GetHeader("Unique-ID") == id || e.GetHeader("Job-UUID") == id) {
				d.mu.Unlock()
				return e
			}
		}
		d.mu.Unlock()
		select {
		case <-d.more:
		case <-timer.C:
			t.Fatalf("eslgo saw no %s of %s; it saw %v", name, id, d.of(id))
		}
	}
}

// of lists what happened to a call.
func (d *diary) of(id string) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	mine := slices.Clone(d.events)
	mine = slices.DeleteFunc(mine, func(e *eslgo.Event) bool { return e.GetHeader("Unique-ID") != id })
	slices.SortFunc(mine, func(a, b *eslgo.Event) int { return sequence(a) - sequence(b) })
	var out []string
	for _, e := range mine {
		switch e.GetName() {
		case "CHANNEL_STATE", "CHANNEL_CALLSTATE":
		case "CHANNEL_EXECUTE", "CHANNEL_EXECUTE_COMPLETE":
			out = append(out, strings.TrimPrefix(e.GetName(), "CHANNEL_")+" "+e.GetHeader("Application"))
		default:
			out = append(out, strings.TrimPrefix(e.GetName(), "CHANNEL_"))
		}
	}
	return out
}

func sequence(e *eslgo.Event) int {
	n, _ := strconv.Atoi(e.GetHeader("Event-Sequence"))
	return n
}

func eslgoDial(t *testing.T, b *box.Box) *eslgo.Conn {
	t.Helper()
	o := eslgo.DefaultInboundOptions
	o.Logger, o.Password = eslgo.NilLogger{}, b.Secrets.EventSocketPassword
	c, err := o.Dial(b.Addr(box.EventSocket))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.ExitAndClose)
	return c
}

func limited(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func TestEslgo_OriginatesExecutesHangsUpAndSeesEventsInOrder(t *testing.T) {
	b := start(t, nil)
	c := eslgoDial(t, b)
	d := newDiary(c)
	ctx := limited(t)
	if err := c.EnableEvents(ctx); err != nil {
		t.Fatal(err)
	}
	reply, err := c.OriginateCall(ctx, true, eslgo.Leg{CallURL: "loopback/9196/default"},
		eslgo.Leg{CallURL: "&park()"}, map[string]string{"origination_caller_id_name": "Pat Neill"})
	if err != nil {
		t.Fatal(err)
	}
	job := reply.GetHeader("Job-UUID")
	if job == "" || !reply.IsOk() {
		t.Fatalf("bgapi answered %q", reply.GetReply())
	}
	out := string(d.await(t, "BACKGROUND_JOB", job).Body)
	id, ok := strings.CutPrefix(strings.TrimSpace(out), "+OK ")
	if !ok {
		t.Fatalf("originate said %q", out)
	}
	d.await(t, "CHANNEL_PARK", id)

	const mark = "11111111-2222-3333-4444-555555555555"
	if reply, err = c.SendCommand(ctx, &call.Execute{UUID: id, AppName: "set", AppArgs: "colour=deep blue: 100%", AppUUID: mark}); err != nil || !reply.IsOk() {
		t.Fatalf("execute: %v, %q", err, reply.GetReply())
	}
	done := d.await(t, "CHANNEL_EXECUTE_COMPLETE", id)
	if got := done.GetHeader("Application-UUID"); got != mark {
		t.Errorf("the application has UUID %q, want the one that was asked for", got)
	}
	if got := done.GetHeader("Variable_colour"); got != "deep blue: 100%" {
		t.Errorf("the variable reads %q", got)
	}
	if got := d.await(t, "CHANNEL_CREATE", id).GetHeader("Caller-Caller-ID-Name"); got != "Pat Neill" {
		t.Errorf("caller's name reads %q", got)
	}
	if err := c.HangupCall(ctx, id, "USER_BUSY"); err != nil {
		t.Fatal(err)
	}
	complete := d.await(t, "CHANNEL_HANGUP_COMPLETE", id)
	if got := complete.GetHeader("Hangup-Cause"); got != "USER_BUSY" {
		t.Errorf("cause is %q", got)
	}
	d.await(t, "CHANNEL_DESTROY", id)
	want := []string{"OUTGOING", "CREATE", "ORIGINATE", "ANSWER", "EXECUTE park", "PARK",
		"EXECUTE set", "EXECUTE_COMPLETE set", "HANGUP", "UNPARK", "EXECUTE_COMPLETE park", "HANGUP_COMPLETE", "DESTROY"}
	var got []string
	// The library's goroutines may deliver the last one before others.
	for end := time.Now().Add(patience); !slices.Equal(got, want) && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		got = slices.DeleteFunc(d.of(id), func(s string) bool { return s == "CODEC" || s == "PRIVATE_COMMAND" || s == "CALL_UPDATE" })
	}
	if !slices.Equal(got, want) {
		t.Errorf("events of the call\n got %v\nwant %v", got, want)
	}
}

func TestEslgo_WrongPassword(t *testing.T) {
	b := start(t, nil)
	o := eslgo.DefaultInboundOptions
	o.Logger, o.Password, o.ExitTimeout = eslgo.NilLogger{}, "wrong", time.Second
	if c, err := o.Dial(b.Addr(box.EventSocket)); err == nil {
		c.Close()
		t.Fatal("a wrong password was accepted")
	} else if !strings.Contains(err.Error(), "-ERR invalid") {
		t.Errorf("refused with %v, want -ERR invalid", err)
	}
}

func TestEslgo_ServesCallsOfTheSocketApplication(t *testing.T) {
	b := start(t, nil)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	type result struct {
		number, reply, answer, variable string
		order                           []string
		err                             error
	}
	results := make(chan result, 1)
	seen := []string{"EXECUTE answer", "ANSWER", "EXECUTE_COMPLETE answer", "EXECUTE set", "EXECUTE_COMPLETE set",
		"EXECUTE playback", "EXECUTE_COMPLETE playback"}
	port := ports.Free(t)
	o := eslgo.DefaultOutboundOptions
	o.Logger, o.Context, o.ExitTimeout = eslgo.NilLogger{}, ctx, time.Second
	go o.ListenAndServe(fmt.Sprintf("127.0.0.1:%d", port), func(ctx context.Context, c *eslgo.Conn, data *eslgo.RawResponse) {
		var r result
		defer func() { results <- r }()
		d := newDiary(c)
		id := data.ChannelUUID()
		r.number, r.reply = data.GetHeader("Caller-Destination-Number"), data.GetReply()
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		if r.err = c.EnableEvents(ctx); r.err != nil {
			return
		}
		if r.err = c.AnswerCall(ctx, id); r.err != nil {
			return
		}
		if _, r.err = c.SendCommand(ctx, call.Set{UUID: id, Key: "taste", Value: "sweet", Sync: true}); r.err != nil {
			return
		}
		d.await(t, "CHANNEL_ANSWER", id)
		if _, r.err = c.Playback(ctx, id, "silence_stream://100", 1, true); r.err != nil {
			return
		}
		for len(slices.DeleteFunc(d.of(id), func(s string) bool { return !slices.Contains(seen, s) })) < len(seen) {
			select {
			case <-d.more:
			case <-ctx.Done():
				r.err = ctx.Err()
				return
			}
		}
		reply, err := c.SendCommand(ctx, command.API{Command: "uuid_getvar", Arguments: id + " taste"})
		if r.err = err; err != nil {
			return
		}
		r.variable = strings.TrimSpace(string(reply.Body))
		r.order = d.of(id)
		r.err = c.HangupCall(ctx, id, "CALL_REJECTED")
	})
	w := observe(t, b)
	box.Eventually(t, patience, "eslgo listens", func() bool { return opened(t, port) })
	api := b.ESL(t)
	if out := b.API(t, api, fmt.Sprintf("originate {origination_uuid=far}loopback/socket-%d/interop &park()", port)); !strings.HasPrefix(out, "+OK") {
		t.Fatalf("originate said %q", out)
	}
	var r result
	select {
	case r = <-results:
	case <-time.After(patience):
		t.Fatal("the handler of eslgo did not return")
	}
	if r.err != nil {
		t.Fatalf("eslgo: %v; events %v", r.err, r.order)
	}
	if r.number != fmt.Sprintf("socket-%d", port) || !strings.HasPrefix(r.reply, "+OK") {
		t.Errorf("connect gave number %q and reply %q", r.number, r.reply)
	}
	if r.variable != "sweet" {
		t.Errorf("the variable that eslgo set reads %q", r.variable)
	}
	got := slices.DeleteFunc(r.order, func(s string) bool { return !slices.Contains(seen, s) })
	if !slices.Equal(got, seen) {
		t.Errorf("eslgo saw\n got %v\nwant %v", got, seen)
	}
	if e := w.awaitName("CHANNEL_HANGUP_COMPLETE", "far"); e.Get("Hangup-Cause") != "CALL_REJECTED" {
		t.Errorf("cause at the far side is %q, want what eslgo hung up with", e.Get("Hangup-Cause"))
	}
}
