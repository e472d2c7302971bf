package monitor_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/switchlet/switchlet/appliance/monitor"
	"github.com/switchlet/switchlet/lua"
	"github.com/switchlet/switchlet/test/box"
)

// patience bounds every wait of a test.
const patience = 40 * time.Second

// ask requests a path of a running box with its event socket's password.
func ask(t *testing.T, b *box.Box, path string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+b.Addr(box.HTTP)+"/switch/"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+b.Secrets.EventSocketPassword)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func read[T any](t *testing.T, b *box.Box, path string) T {
	t.Helper()
	var out T
	resp := ask(t, b, path)
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil || resp.StatusCode != 200 {
		t.Fatalf("%s: %s, %v", path, resp.Status, err)
	}
	return out
}

type calls struct {
	Total int
	Legs  []monitor.Leg
}

func TestCalls_ShowTheChainOfEachLegAndThenItsHistory(t *testing.T) {
	b := box.Start(t, box.Setup{})
	c := b.ESL(t)
	uuid := strings.TrimSpace(strings.TrimPrefix(b.API(t, c, "originate null/x &playback(tone_stream://%(60000,0,440))"), "+OK "))
	var l monitor.Leg
	box.Eventually(t, patience, "the application runs", func() bool { // originate waits for the answer alone
		got := read[calls](t, b, "calls")
		if got.Total != 1 || len(got.Legs) != 1 {
			t.Fatalf("%+v", got)
		}
		l = got.Legs[0]
		return l.Application == "playback"
	})
	if l.UUID != uuid || l.Destination != "x" || l.CallState != "ACTIVE" || l.Answered == 0 {
		t.Errorf("%+v", l)
	}
	// Counters move on between the two; the stages stay, once the sound has begun.
	stages := func(s string) string { _, s, _ = strings.Cut(s, "read: "); s, _, _ = strings.Cut(s, "\nin:"); return s }
	box.Eventually(t, patience, "the chain is that of uuid_media_chain", func() bool {
		l = read[calls](t, b, "calls").Legs[0]
		want := stages(b.API(t, c, "uuid_media_chain "+uuid))
		return want != "" && stages(l.Chain) == want
	})
	b.API(t, c, "uuid_kill "+uuid)
	type history struct {
		Rows []struct {
			UUID, Cause, Destination string
			End                      int64
		}
	}
	var rows history
	box.Eventually(t, patience, "the row of the call", func() bool {
		rows = read[history](t, b, "history")
		return len(rows.Rows) == 1
	})
	if r := rows.Rows[0]; r.UUID != uuid || r.Cause != "NORMAL_CLEARING" || r.Destination != "x" {
		t.Errorf("%+v", r)
	}
	if older := read[history](t, b, fmt.Sprintf("history?before=%d", rows.Rows[0].End)); len(older.Rows) != 0 {
		t.Errorf("older than the oldest: %+v", older)
	}
}

// lines reads a stream line by line.
func lines(t *testing.T, body io.Reader) (next func() map[string]any) {
	t.Helper()
	scan := bufio.NewScanner(body)
	scan.Buffer(nil, 1<<20)
	return func() map[string]any {
		t.Helper()
		for scan.Scan() {
			if scan.Text() == "" {
				continue
			}
			var out map[string]any
			if err := json.Unmarshal(scan.Bytes(), &out); err != nil {
				t.Fatalf("%q: %v", scan.Text(), err)
			}
			return out
		}
		t.Fatalf("the stream ended: %v", scan.Err())
		return nil
	}
}

func TestLog_BeginsWithWhatWasAndGoesOn(t *testing.T) {
	b := box.Start(t, box.Setup{Scripts: map[string]string{"broken.lua": "local function inner() error('boom') end\ninner()\n"}})
	c := b.ESL(t)
	b.API(t, c, "log warning before")
	b.API(t, c, "lua broken.lua")
	failed := read[struct{ Failures []lua.Failure }](t, b, "scripts").Failures
	if len(failed) != 1 || !strings.Contains(failed[0].Message, "boom") || !strings.Contains(failed[0].Traceback, "broken.lua:2") {
		t.Errorf("failures %+v", failed)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	resp := ask(t, b, "log?level=info")
	context.AfterFunc(ctx, func() { resp.Body.Close() })
	next := lines(t, resp.Body)
	find := func(part string) {
		t.Helper()
		for l := next(); !strings.Contains(fmt.Sprint(l["text"]), part); l = next() {
		}
	}
	find("before")
	b.API(t, c, "log info after")
	find("after")
}

func TestEvents_AreThoseAskedFor(t *testing.T) {
	b := box.Start(t, box.Setup{})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	resp := ask(t, b, "events?names=CHANNEL_HANGUP_COMPLETE,my::own")
	context.AfterFunc(ctx, func() { resp.Body.Close() })
	next := lines(t, resp.Body)
	c := b.ESL(t)
	b.API(t, c, "originate null/x &hangup")
	if e := next(); e["Event-Name"] != "CHANNEL_HANGUP_COMPLETE" {
		t.Errorf("%v", e["Event-Name"])
	}
	b.API(t, c, "lua ~freeswitch.Event('custom','my::own'):fire()")
	if e := next(); e["Event-Subclass"] != "my::own" {
		t.Errorf("%v", e)
	}
}

// request is one as it comes from an address.
func request(from, password string, secure bool) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/switch/calls", nil)
	r.RemoteAddr = from
	if password != "" {
		r.Header.Set("Authorization", "Bearer "+password)
	}
	r.TLS = nil
	if secure {
		r.TLS = &tls.ConnectionState{}
	}
	return r
}

func TestMonitor_WhoMaySee(t *testing.T) {
	status := func(m *monitor.Monitor, r *http.Request) int {
		w := httptest.NewRecorder()
		m.ServeHTTP(w, r)
		return w.Code
	}
	sw := box.Start(t, box.Setup{}).Switch
	proxied := request("127.0.0.1:1", "ClueCon", false)
	proxied.Header.Set("X-Forwarded-For", "192.0.2.1")
	for _, c := range []struct {
		name string
		o    monitor.Options
		r    *http.Request
		want int
	}{
		{"this machine with the password", monitor.Options{Password: "secret"}, request("127.0.0.1:1", "secret", false), 200},
		{"without one", monitor.Options{Password: "secret"}, request("127.0.0.1:1", "", false), 401},
		{"with a wrong one", monitor.Options{Password: "secret"}, request("127.0.0.1:1", "guess", false), 401},
		{"no password is set", monitor.Options{}, request("127.0.0.1:1", "", false), 401},
		{"another machine, https", monitor.Options{Password: "secret"}, request("192.0.2.1:1", "secret", true), 200},
		{"another machine, http", monitor.Options{Password: "secret"}, request("192.0.2.1:1", "secret", false), 403},
		{"the stock password, here", monitor.Options{Password: "ClueCon", Weak: true}, request("[::1]:1", "ClueCon", false), 200},
		{"the stock password, elsewhere", monitor.Options{Password: "ClueCon", Weak: true}, request("192.0.2.1:1", "ClueCon", true), 403},
		{"the stock password, through a proxy", monitor.Options{Password: "ClueCon", Weak: true}, proxied, 403},
	} {
		c.o.Switch = sw
		if got := status(monitor.New(c.o), c.r); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
	m := monitor.New(monitor.Options{Switch: sw, Password: "secret"})
	for range 5 {
		status(m, request("192.0.2.1:1", "guess", true))
	}
	if got := status(m, request("192.0.2.1:2", "secret", true)); got != http.StatusTooManyRequests {
		t.Errorf("after five failures: %d", got)
	}
	if got := status(m, request("192.0.2.2:1", "secret", true)); got != 200 {
		t.Errorf("another address: %d", got)
	}
}
