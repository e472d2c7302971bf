// Package monitor shows a running switch to those who run it: its live calls with
// their chain and quality, the call history, the log, the events, and the scripts
// that failed. It answers in JSON below /switch/; the page for people is ui's
// switch.html.
//
// It only shows: nothing here changes a call. Who may see it knows the password of
// the event socket, which can do all this and more, and sends it as
//
//	Authorization: Bearer PASSWORD
//
// over https, or over http from this machine. An address that fails too often is
// locked out for a while. No cookie is used, so that no other page can ask.
package monitor

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/appliance/cdr"
	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/directory"
	"github.com/switchlet/switchlet/lua"
)

// Limits of what is answered at once.
const (
	maxCalls   = 200 // legs in one answer, the newest
	maxHistory = 200 // rows in one answer
	maxStreams = 16  // logs and events that are followed at once
)

// Options are what a Monitor is made with. Switch is required.
type Options struct {
	Switch *call.Switch
	// Password lets in; "" lets nobody in.
	Password string
	// Weak says that everybody knows the password: it then lets in from this
	// machine only.
	Weak bool
	// History reads the call history, newest first, from before the given end on;
	// nil: there is none.
	History func(ctx context.Context, before time.Time, limit int) ([]cdr.Row, error)
	// Scripts knows the scripts that run and those that failed.
	Scripts Scripts
}

// Scripts is what runs scripts.
type Scripts interface {
	Running() []lua.Running
	Failures() []lua.Failure // the last ones, newest first
}

// Monitor answers for one switch.
type Monitor struct {
	o       Options
	guesses directory.Guesses
	journal *journal
	mux     *http.ServeMux
	streams chan struct{} // a token for each stream that may still begin
}

// New makes a Monitor. Start must be called before it answers.
func New(o Options) *Monitor {
	m := &Monitor{o: o, journal: newJournal(o.Switch.Log), mux: http.NewServeMux(), streams: make(chan struct{}, maxStreams)}
	for range maxStreams {
		m.streams <- struct{}{}
	}
	m.mux.HandleFunc("GET /switch/calls", m.calls)
	m.mux.HandleFunc("GET /switch/history", m.history)
	m.mux.HandleFunc("GET /switch/scripts", m.scripts)
	m.mux.HandleFunc("GET /switch/log", m.streaming(m.log))
	m.mux.HandleFunc("GET /switch/events", m.streaming(m.events))
	return m
}

// Start begins to keep the last lines of the log.
func (m *Monitor) Start() { m.journal.start() }

// Close ends that.
func (m *Monitor) Close() { m.journal.close() }

// ServeHTTP answers whoever may ask.
func (m *Monitor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if status, text := m.judge(r, time.Now()); status != 0 {
		if status == http.StatusUnauthorized {
			h.Set("WWW-Authenticate", "Bearer")
		}
		http.Error(w, text, status)
		return
	}
	m.mux.ServeHTTP(w, r)
}

// judge says why a request is refused, status 0 if it is not.
func (m *Monitor) judge(r *http.Request, now time.Time) (status int, text string) {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return http.StatusForbidden, "who asks?"
	}
	ip := from.Addr().Unmap()
	if r.TLS == nil && !ip.IsLoopback() {
		return http.StatusForbidden, "from other machines over https only"
	}
	if m.guesses.Locked(ip, now) {
		return http.StatusTooManyRequests, "too many failures, try again in a minute"
	}
	proxied := r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != ""
	if m.o.Weak && (proxied || !ip.IsLoopback()) {
		return http.StatusForbidden, "everybody knows the event socket's password: it lets in from this machine only"
	}
	given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	want, have := sha256.Sum256([]byte(m.o.Password)), sha256.Sum256([]byte(given))
	if !ok || m.o.Password == "" || subtle.ConstantTimeCompare(want[:], have[:]) != 1 {
		if ok {
			m.guesses.Failed(ip, "", now)
			m.o.Switch.Log.Printf(call.LogWarning, "web: wrong password for /switch from %s", ip)
		}
		return http.StatusUnauthorized, "the event socket's password is wanted"
	}
	m.guesses.Passed(ip, "")
	return 0, ""
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	// The client that has gone away needs no answer.
	_ = json.NewEncoder(w).Encode(value)
}

func (m *Monitor) history(w http.ResponseWriter, r *http.Request) {
	if m.o.History == nil {
		answer(w, map[string]any{"rows": []cdr.Row{}})
		return
	}
	limit := maxHistory
	if n, err := strconv.Atoi(r.FormValue("limit")); err == nil && n > 0 {
		limit = min(n, maxHistory)
	}
	before := time.Now().Add(time.Hour)
	if n, err := strconv.ParseInt(r.FormValue("before"), 10, 64); err == nil && n > 0 {
		before = time.UnixMicro(n)
	}
	rows, err := m.o.History(r.Context(), before, limit)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer(w, map[string]any{"rows": rows})
}

// streaming bounds how many streams there are.
func (m *Monitor) streaming(serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-m.streams:
			defer func() { m.streams <- struct{}{} }()
			serve(w, r)
		default:
			http.Error(w, "too many logs and events are followed already", http.StatusServiceUnavailable)
		}
	}
}
