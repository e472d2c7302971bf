package webrtc

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
)

// Bounds and times of a socket.
const (
	sendQueue    = 4096             // messages that wait; a client that is further behind is dropped
	sendBytes    = 8 << 20          // the same in bytes
	writeLimit   = 10 * time.Second // for one message
	pingAfter    = 30 * time.Second // without anything received
	silenceLimit = 90 * time.Second // then the socket is closed
	maxBusy      = 8                // API commands that run at once
	maxSubs      = 256              // event channels
)

// socket is one WebSocket: a browser's tab. Its reader's goroutine handles the
// requests one after the other.
type socket struct {
	server  *Server
	profile *profile
	conn    *websocket.Conn
	secure  bool
	remote  string // ip:port
	ip      netip.Addr
	proxied bool // somebody in between forwards the socket
	since   time.Time

	ctx    context.Context
	cancel context.CancelFunc
	out    outbox
	heard  atomic.Int64 // when something was received, in Unix ns
	pinged atomic.Int64 // when we pinged, in Unix ns
	busy   atomic.Int32
	speed  speedTest // of the reader's goroutine
	orders errands   // to conferences

	mu       sync.Mutex
	account  *account // nil before login
	sessid   string
	stranger bool // counts as not logged in
	ready    bool // clientReady was sent
	subs     map[string]int64
	sanction map[string]bool // event channels granted at run time
}

// forwarded reports whether somebody in between says that he forwards a request.
func forwarded(r *http.Request) bool {
	return r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != ""
}

// wantsSocket reports whether a request asks for a WebSocket.
func wantsSocket(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket") && r.Method == http.MethodGet
}

// admit counts a connection of somebody who has not logged in, until guard.leave; false:
// there are too many, which was answered.
func (s *Server) admit(w http.ResponseWriter, r *http.Request) (from netip.AddrPort, ok bool) {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		http.Error(w, "no address", http.StatusBadRequest)
		return from, false
	}
	from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	if !s.guard.enter(from.Addr()) {
		http.Error(w, "Too many connections", http.StatusServiceUnavailable)
		return from, false
	}
	return from, true
}

// upgrade turns a request into a socket of the profile and serves it.
func (s *Server) upgrade(w http.ResponseWriter, r *http.Request, p *profile) {
	if !wantsSocket(r) {
		w.Header().Set("Sec-WebSocket-Version", "13")
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if !p.originAllowed(r.Header.Get("Origin")) {
		http.Error(w, "Origin not allowed", http.StatusForbidden)
		return
	}
	from, ok := s.admit(w, r)
	if !ok {
		return
	}
	ip := from.Addr()
	k := &socket{server: s, profile: p, secure: r.TLS != nil, remote: from.String(), ip: ip,
		proxied: forwarded(r), since: time.Now(), out: outbox{wake: make(chan struct{}, 1)}, stranger: true,
		subs: map[string]int64{}, sanction: map[string]bool{}}
	options := &websocket.AcceptOptions{InsecureSkipVerify: true, CompressionMode: websocket.CompressionDisabled,
		OnPingReceived: func(context.Context, []byte) bool { k.hear(); return true },
		OnPongReceived: func(context.Context, []byte) { k.hear() }}
	if list := r.Header.Get("Sec-WebSocket-Protocol"); list != "" {
		first, _, _ := strings.Cut(list, ",")
		options.Subprotocols = []string{strings.TrimSpace(first)}
	}
	conn, err := websocket.Accept(w, r, options)
	if err != nil {
		s.guard.leave(ip)
		return
	}
	k.conn = conn
	k.hear()
	k.ctx, k.cancel = context.WithCancel(s.ctx)
	if !s.attach(k) {
		s.guard.leave(ip)
		k.cancel()
		k.conn.CloseNow()
		return
	}
	k.serve()
	s.work.Done()
}

// originAllowed checks a page's origin against the profile's list; no list and no
// origin both pass.
func (p *profile) originAllowed(origin string) bool {
	return len(p.origins) == 0 || origin == "" || slices.ContainsFunc(p.origins, func(o string) bool {
		return o == "*" || strings.EqualFold(strings.TrimSuffix(o, "/"), origin)
	})
}

// attach takes a socket in; its goroutine is then the server's to wait for.
func (s *Server) attach(k *socket) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil || len(s.sockets) >= maxSockets {
		return false
	}
	s.sockets[k] = struct{}{}
	s.work.Add(1)
	return true
}

func (k *socket) hear() { k.heard.Store(time.Now().UnixNano()) }

// serve reads until the socket ends, then cleans up.
func (k *socket) serve() {
	s := k.server
	k.event("verto::client_connect")
	var writer sync.WaitGroup
	writer.Add(1)
	go func() {
		defer writer.Done()
		k.write()
	}()
	k.read()
	k.cancel()
	writer.Wait()
	k.conn.CloseNow()
	s.detach(k)
	k.event("verto::client_disconnect")
}

// read handles messages until the client goes or breaks the rules.
func (k *socket) read() {
	k.conn.SetReadLimit(maxMessageBefore)
	for {
		_, data, err := k.conn.Read(k.ctx)
		if err != nil {
			return
		}
		k.hear()
		if len(data) == 0 {
			continue
		}
		if !k.handle(data) {
			k.flushAndClose()
			return
		}
	}
}

// handle answers one frame. It returns false when the socket is to be closed.
func (k *socket) handle(data []byte) (goOn bool) {
	if data[0] == '#' {
		return k.speedFrame(data)
	}
	list, batch, ok := messages(data)
	if !ok {
		k.send(object{{"jsonrpc", "2.0"}, {"error", object{{"code", codeInvalid}, {"message", "Invalid Request"}}}, {"id", nil}})
		return true
	}
	goOn = true
	replies := []any{}
	for _, one := range list {
		answer, open := k.message(one, batch)
		goOn = goOn && open
		if answer != nil {
			replies = append(replies, answer)
		}
	}
	switch {
	case batch:
		k.send(replies)
	case len(replies) == 1:
		k.send(replies[0])
	}
	if goOn {
		k.welcome()
	}
	return goOn
}

// message handles one request and returns its reply, nil if there is none.
func (k *socket) message(raw json.RawMessage, batch bool) (answer any, goOn bool) {
	r, ok := parseRequest(raw)
	if !ok {
		id := r.ID
		if len(id) == 0 {
			id = json.RawMessage("null")
		}
		return object{{"jsonrpc", "2.0"}, {"error", object{{"code", codeInvalid}, {"message", "Invalid message"}}}, {"id", id}}, true
	}
	if r.Method == "" && (r.Result != nil || r.Error != nil) {
		return nil, true // an answer to one of our requests
	}
	p := parseParams(r.Params)
	if f := k.gate(r.Method, p); f != nil {
		return reply(r.ID, nil, f), !f.close
	}
	m, known := k.server.methods[r.Method]
	if !known || !k.may(r.Method) {
		return reply(r.ID, nil, fail(codeNoMethod, "Invalid Method, Missing Method or Permission Denied")), true
	}
	if m.slow {
		return k.later(r.ID, m, p), true
	}
	result, f := m.run(k, p)
	return k.outcome(r.ID, p, result, f, batch), true
}

// outcome makes the reply of a method that has run.
func (k *socket) outcome(id json.RawMessage, p params, result object, f *failure, batch bool) object {
	if f != nil {
		return reply(id, nil, f)
	}
	if v, ok := p["echoParams"]; ok {
		switch {
		case p.flag("echoParams"):
			result = result.with("requestParams", p)
		default:
			result = result.with("requestParams", v)
		}
	}
	if sessid := k.session(); !batch && sessid != "" {
		result = result.with("sessid", sessid)
	}
	return reply(id, result, nil)
}

// later runs a method that may take long beside the reader. Its reply comes when
// it is done; too many at once are refused.
func (k *socket) later(id json.RawMessage, m method, p params) any {
	if k.busy.Add(1) > maxBusy {
		k.busy.Add(-1)
		return reply(id, nil, refusal("Too many requests at once"))
	}
	k.server.work.Add(1)
	go func() {
		defer k.server.work.Done()
		defer k.busy.Add(-1)
		result, f := m.run(k, p)
		k.send(k.outcome(id, p, result, f, false))
	}()
	return nil
}

// request sends a request of ours.
func (k *socket) request(method string, p object) {
	if p == nil {
		p = object{}
	}
	k.send(object{{"jsonrpc", "2.0"}, {"id", k.server.serno.Add(1)}, {"method", method}, {"params", p}})
}

// pass sends a request that tells what somebody else says, unless the page is behind with
// reading: others must not cost it its socket.
func (k *socket) pass(method string, p object) (sent bool) {
	if k.out.behind() {
		return false
	}
	k.request(method, p)
	return true
}

// send queues a message. A client that does not read is dropped.
func (k *socket) send(v any) {
	data, err := message(v)
	if err != nil {
		k.server.log.Printf(call.LogErr, "verto: %s: %v", k.remote, err)
		return
	}
	k.sendText(data)
}

// message is v as the text of a frame: JSON that a program wrote may hold what is not
// UTF-8, for which browsers close their socket.
func message(v any) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil || utf8.Valid(data) {
		return data, err
	}
	return bytes.ToValidUTF8(data, []byte("\uFFFD")), nil
}

func (k *socket) sendText(data []byte) {
	if !k.out.put(data) {
		k.server.log.Printf(call.LogWarning, "verto: %s does not read its messages, closing", k.remote)
		k.cancel()
	}
}

// write sends what is queued, in order.
func (k *socket) write() {
	defer k.cancel()
	for {
		select {
		case <-k.ctx.Done():
			return
		case <-k.out.wake:
		}
		list, last := k.out.take()
		for _, data := range list {
			ctx, stop := context.WithTimeout(k.ctx, writeLimit)
			err := k.conn.Write(ctx, websocket.MessageText, data)
			stop()
			if err != nil {
				return
			}
		}
		if last {
			k.conn.Close(websocket.StatusNormalClosure, "")
			return
		}
	}
}

// end closes the socket after what is queued was sent (code 1000, no reason).
func (k *socket) end() { k.out.finish() }

// flushAndClose is end for the reader's own goroutine: it waits.
func (k *socket) flushAndClose() {
	k.end()
	timer := time.NewTimer(writeLimit)
	defer timer.Stop()
	select {
	case <-k.ctx.Done():
	case <-timer.C:
	}
}

// session is the session id, "" before login.
func (k *socket) session() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.sessid
}

// who is the account, nil before login.
func (k *socket) who() *account {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.account
}

// event publishes a CUSTOM event about the socket itself.
func (k *socket) event(subclass string) {
	if !k.server.sw.Bus.Wanted(event.Custom, subclass) {
		return
	}
	e := event.New(event.Custom, subclass)
	e.Add("verto_profile_name", k.profile.name)
	e.Add("verto_client_address", k.remote)
	if a := k.who(); a != nil && subclass == "verto::client_disconnect" {
		e.Add("verto_login", a.uid)
	}
	k.server.publish(e)
}

// tend closes what has lived too long and pings what is silent.
func (k *socket) tend(now time.Time) {
	k.mu.Lock()
	stranger, a := k.stranger, k.account
	k.mu.Unlock()
	silent := now.Sub(time.Unix(0, k.heard.Load()))
	switch {
	case stranger && now.Sub(k.since) > loginLimit, a != nil && !a.expires.IsZero() && now.After(a.expires):
		k.end()
	case silent > silenceLimit:
		k.cancel()
	case silent > pingAfter && now.Sub(time.Unix(0, k.pinged.Load())) > pingAfter:
		k.pinged.Store(now.UnixNano())
		if !stranger {
			k.request("verto.ping", a.expiry().with("serno", now.Unix()))
		}
		k.server.work.Add(1)
		go func() {
			defer k.server.work.Done()
			ctx, stop := context.WithTimeout(k.ctx, writeLimit)
			defer stop()
			// A pong that does not come is seen as silence.
			_ = k.conn.Ping(ctx)
		}()
	}
}

// expiry is the member auth-expires, if the login ends.
func (a *account) expiry() object {
	if a == nil || a.expires.IsZero() {
		return nil
	}
	return object{{"auth-expires", a.expires.Unix()}}
}
