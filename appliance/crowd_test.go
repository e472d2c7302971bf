package appliance

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/switchlet/switchlet/call"
)

// caller is a connection from an address that remembers that it was closed.
type caller struct {
	net.Conn
	from   string
	closed bool
}

func (c *caller) Close() error         { c.closed = true; return nil }
func (c *caller) RemoteAddr() net.Addr { a, _ := net.ResolveTCPAddr("tcp", c.from); return a }

func TestCrowd_OneTooManyIsClosedAndOthersGetIn(t *testing.T) {
	c := newCrowd(call.NewLog())
	enter := func(from string) *caller {
		conn := &caller{from: from}
		c.follow(conn, http.StateNew)
		return conn
	}
	var all []*caller
	for range maxWebConnsFrom {
		all = append(all, enter("192.0.2.1:9"))
	}
	if all[len(all)-1].closed {
		t.Error("the last that may was closed")
	}
	last := enter("192.0.2.1:9")
	if !last.closed {
		t.Error("one address may open without end")
	}
	c.follow(last, http.StateClosed)
	if enter("192.0.2.1:9"); len(c.open) != maxWebConnsFrom {
		t.Errorf("the end of one that was refused made room: %d are open", len(c.open))
	}
	c.follow(all[0], http.StateHijacked)
	c.follow(all[0], http.StateClosed)
	if enter("192.0.2.1:9").closed || !enter("192.0.2.1:9").closed {
		t.Error("a WebSocket makes room for one more")
	}
	for range maxWebConns - maxWebConnsFrom {
		if enter("127.0.0.1:9").closed {
			t.Fatal("a proxy on this machine is one address for many")
		}
	}
	if !enter("198.51.100.1:9").closed {
		t.Error("there is no limit for all")
	}
}

func TestCrowd_ForgetsWhoHasGone(t *testing.T) {
	c := newCrowd(call.NewLog())
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/socket" {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			conn.Close()
		}
	}))
	s.Config.ConnState = c.follow
	s.StartTLS()
	for _, path := range []string{"/", "/socket", "/"} {
		if r, err := s.Client().Get(s.URL + path); err == nil {
			r.Body.Close()
		} else if path != "/socket" {
			t.Fatal(err)
		}
	}
	c.mu.Lock()
	if len(c.open) != 1 {
		t.Errorf("%d connections are open, not the one that is kept", len(c.open))
	}
	c.mu.Unlock()
	s.Close()
	if len(c.open) != 0 || len(c.from) != 0 {
		t.Errorf("%d connections and %d addresses are left", len(c.open), len(c.from))
	}
}
