package server

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/esl"
	"github.com/switchlet/switchlet/media"
)

// The client package against the server.

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func dialClient(t *testing.T, s *Server) *esl.Conn {
	t.Helper()
	c, err := esl.Dial(testContext(t), s.Addr().String(), "secret")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestClient_Commands(t *testing.T) {
	sw := newSwitch(t)
	c := dialClient(t, newServer(t, sw, Options{}))
	ctx := testContext(t)
	if out, err := c.API(ctx, "echo a b"); out != "a b" || err != nil {
		t.Errorf("api: %q %v", out, err)
	}
	if out, err := c.Console(ctx, "echo a;;echo b"); out != "ab" || err != nil {
		t.Errorf("console: %q %v", out, err)
	}
	if _, err := c.API(ctx, "echo a\n\nexit"); !errors.Is(err, esl.ErrNewline) {
		t.Errorf("a command in a command: %v", err)
	}
	var refused *esl.ReplyError
	if _, err := c.Do(ctx, "linger"); !errors.As(err, &refused) || refused.Text != "not controlling a session" {
		t.Errorf("linger: %v", err)
	}
	if err := c.Subscribe(ctx, "BACKGROUND_JOB", "CUSTOM", "a::b"); err != nil {
		t.Fatal(err)
	}
	job, err := c.BgAPI(ctx, "echo later")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := job.Wait(ctx); out != "later" || err != nil {
		t.Errorf("bgapi: %q %v", out, err)
	}
	id, err := c.SendEvent(ctx, &esl.Event{Headers: esl.Headers{{Name: "Event-Subclass", Value: "a::b"}, {Name: "X", Value: "1"}}, Body: "b"})
	if err != nil {
		t.Fatal(err)
	}
	if e := <-c.Events(); e.Subclass() != "a::b" || e.Get("X") != "1" || e.Body != "b" || e.Get("Event-UUID") != id {
		t.Errorf("event: %+v", e)
	}
	if err := c.Log(ctx, "err"); err != nil {
		t.Fatal(err)
	}
	sw.Log.Session(call.LogErr, "u-1", "trouble")
	if line := <-c.Logs(); line.Level != 3 || line.UUID != "u-1" || line.Channel != 3 {
		t.Errorf("log: %+v", line)
	}
}

func TestClient_EndsWithTheServer(t *testing.T) {
	s := newServer(t, newSwitch(t), Options{})
	c := dialClient(t, s)
	s.Close()
	if _, ok := <-c.Events(); ok {
		t.Error("an event came")
	}
	if _, err := c.API(testContext(t), "echo"); !errors.Is(err, esl.ErrClosed) {
		t.Errorf("got %v", err)
	}
	if _, err := esl.Dial(testContext(t), c.RemoteAddr().String(), "secret"); err == nil {
		t.Error("connected to nobody")
	}
}

func TestClient_IsRefused(t *testing.T) {
	s := newServer(t, newSwitch(t), Options{})
	if _, err := esl.Dial(testContext(t), s.Addr().String(), "wrong"); !errors.Is(err, esl.ErrRefused) {
		t.Errorf("got %v", err)
	}
	err := esl.Keep(testContext(t), esl.Options{Password: "wrong"}, s.Addr().String(), nil, nil)
	if !errors.Is(err, esl.ErrRefused) {
		t.Errorf("got %v", err)
	}
}

func TestClient_KeepConnectsAgain(t *testing.T) {
	s := newServer(t, newSwitch(t), Options{})
	times := 0
	err := esl.Keep(testContext(t), esl.Options{Password: "secret"}, s.Addr().String(), func(ctx context.Context, c *esl.Conn) error {
		if times++; times == 2 {
			return esl.ErrStop
		}
		if _, err := c.Do(ctx, "exit"); err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	}, func(err error) {
		if !errors.Is(err, esl.ErrClosed) {
			t.Errorf("ended with %v", err)
		}
	})
	if !errors.Is(err, esl.ErrStop) || times != 2 {
		t.Errorf("%d times, %v", times, err)
	}
}

func TestClient_SlowReaderLosesEventsOnly(t *testing.T) {
	sw := newSwitch(t)
	s := newServer(t, sw, Options{})
	c, err := esl.Options{Password: "secret", Queue: 2}.Connect(testContext(t), s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Subscribe(testContext(t), "TALK"); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		fire(sw, event.Talk, "")
	}
	until(t, "loss", func() bool { return c.Lost() == 3 })
	if out, err := c.API(testContext(t), "echo x"); out != "x" || err != nil {
		t.Errorf("%q %v", out, err)
	}
}

func TestClient_ControlsACall(t *testing.T) {
	sw := newSwitch(t)
	newServer(t, sw, Options{})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(context.Background(), patience)
	served, handled := make(chan error, 1), make(chan struct{})
	go func() {
		served <- esl.Serve(ctx, ln, func(ctx context.Context, c *esl.Conn) {
			defer close(handled)
			if c.Call().Variable("cf_v") != "some value" {
				t.Errorf("call: %+v", c.Call())
			}
			if err := c.MyEvents(ctx, ""); err != nil {
				t.Error(err)
			}
			if err := c.Execute(ctx, "", "set", "x=multi\nline", esl.Execution{UUID: "e-7"}); err != nil {
				t.Error(err)
			}
			for e := range c.Events() {
				if e.Name() == "CHANNEL_EXECUTE_COMPLETE" && e.Get("Application-UUID") == "e-7" {
					break
				}
			}
			if err := c.Hangup(ctx, "", "CALL_REJECTED"); err != nil {
				t.Error(err)
			}
			<-ctx.Done()
		})
	}()
	ch := newCall(t, sw, call.Action{App: "socket", Data: ln.Addr().String() + " async full"})
	select {
	case <-ch.Done():
	case <-ctx.Done():
		t.Fatal("the call did not end")
	}
	if ch.Get("x") != "multi\nline" || ch.Cause() != call.CauseCallRejected {
		t.Errorf("x %q, cause %s", ch.Get("x"), ch.Cause())
	}
	<-handled
	stop()
	if err := <-served; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestUnicast_SendsWhatIsHeardAndPlaysWhatComes(t *testing.T) {
	sw := newSwitch(t)
	p := friend(t, newServer(t, sw, Options{}))
	far, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	ctx, cancel := context.WithCancel(context.Background())
	sw.Media.Start(ctx)
	defer cancel()
	ch := newCall(t, sw, call.Action{App: "park"})
	defer ch.Hangup(call.CauseNormalClearing)
	_, port, _ := net.SplitHostPort(far.LocalAddr().String())
	p.ask("sendmsg "+ch.UUID()+"\ncall-command: unicast\nlocal-port: 0\nremote-port: "+port, "+OK")
	far.SetDeadline(time.Now().Add(patience))
	buf := make([]byte, 2000)
	n, from, err := far.ReadFrom(buf)
	if err != nil || n != 320 {
		t.Fatalf("%d bytes, %v", n, err)
	}
	waiting := testContext(t)
	heard := make(chan struct{}, 1)
	defer ch.Port().Tap(media.Write, 8000, func(pcm []int16) {
		if pcm[0] != 0 {
			select {
			case heard <- struct{}{}:
			default:
			}
		}
	})()
	for i := range n {
		buf[i] = 0x11
	}
	for {
		if _, err := far.WriteTo(buf[:n], from); err != nil {
			t.Fatal(err)
		}
		select {
		case <-heard:
			return
		case <-time.After(20 * time.Millisecond):
		case <-waiting.Done():
			t.Fatal("nothing was heard")
		}
	}
}
