package calls

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/switchlet/switchlet/test/box"
)

// patience bounds every wait.
const patience = 40 * time.Second

type fields = map[string]any

// tab is a browser's tab as the switch sees it: a socket that speaks Verto, without
// any sound.
type tab struct {
	t     *testing.T
	ws    *websocket.Conn
	id    int
	in    chan fields // all that comes
	later []fields    // what came while something else was waited for
}

// description is a browser's session description that names no address.
func description(setup string) string {
	return "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111 0 110\r\nc=IN IP4 0.0.0.0\r\n" +
		"a=mid:0\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=fingerprint:sha-256 " +
		strings.TrimSuffix(strings.Repeat("AB:", 32), ":") + "\r\na=setup:" + setup + "\r\na=rtcp-mux\r\na=sendrecv\r\n" +
		"a=rtpmap:111 opus/48000/2\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:110 telephone-event/48000\r\n"
}

// openTab logs a user in.
func openTab(t *testing.T, b *box.Box, user, sessid string) *tab {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, "ws://"+b.Addr(box.VertoWS)+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	ws.SetReadLimit(1 << 20)
	p := &tab{t: t, ws: ws, in: make(chan fields, 256)}
	t.Cleanup(func() { ws.CloseNow() })
	go func() {
		defer close(p.in)
		for {
			_, data, err := ws.Read(context.Background())
			if err != nil {
				return
			}
			var m fields
			if json.Unmarshal(data, &m) == nil {
				p.in <- m
			}
		}
	}()
	p.result("login", fields{"login": user, "passwd": b.Password, "sessid": sessid})
	return p
}

// wait returns the first message that fits; what does not stays for later waits.
func (p *tab) wait(what string, fits func(fields) bool) fields {
	p.t.Helper()
	for i, m := range p.later {
		if fits(m) {
			p.later = append(p.later[:i:i], p.later[i+1:]...)
			return m
		}
	}
	limit := time.After(patience)
	for {
		select {
		case m, ok := <-p.in:
			if !ok {
				p.t.Fatalf("waiting for %s: the socket is closed; came: %v", what, p.later)
			}
			if fits(m) {
				return m
			}
			p.later = append(p.later, m)
		case <-limit:
			p.t.Fatalf("no %s; came: %v", what, p.later)
		}
	}
}

// ask sends a request and returns its reply.
func (p *tab) ask(method string, params fields) fields {
	p.t.Helper()
	p.id++
	id := fmt.Sprintf("r%d", p.id)
	data, err := json.Marshal(fields{"jsonrpc": "2.0", "id": id, "method": method, "params": params})
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.ws.Write(context.Background(), websocket.MessageText, data); err != nil {
		p.t.Fatal(err)
	}
	return p.wait("reply to "+method, func(m fields) bool { return m["id"] == id })
}

// result asks and wants success.
func (p *tab) result(method string, params fields) fields {
	p.t.Helper()
	m := p.ask(method, params)
	r, ok := m["result"].(fields)
	if !ok {
		p.t.Fatalf("%s: %v", method, m)
	}
	return r
}

// next waits for a request of the switch.
func (p *tab) next(method string) fields {
	p.t.Helper()
	m := p.wait(method, func(m fields) bool { return m["method"] == method })
	params, _ := m["params"].(fields)
	return params
}

// event waits for a verto.event that fits.
func (p *tab) event(what string, fits func(fields) bool) fields {
	p.t.Helper()
	m := p.wait("event: "+what, func(m fields) bool {
		params, ok := m["params"].(fields)
		return ok && m["method"] == "verto.event" && fits(params)
	})
	return m["params"].(fields)
}

// call dials a number; the call's identity is id.
func (p *tab) call(id, number string) {
	p.t.Helper()
	r := p.result("verto.invite", fields{"sdp": description("actpass"), "dialogParams": fields{"callID": id, "destination_number": number}})
	if r["message"] != "CALL CREATED" || r["callID"] != id {
		p.t.Fatalf("invite: %v", r)
	}
}

// about are the parameters of a request about a call.
func about(id any, more fields) fields {
	p := fields{"dialogParams": fields{"callID": id}}
	for name, v := range more {
		p[name] = v
	}
	return p
}

func (p *tab) modify(id, action string, more fields) fields {
	p.t.Helper()
	all := about(id, more)
	all["action"] = action
	return p.result("verto.modify", all)
}
