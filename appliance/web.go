package appliance

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/switchlet/switchlet/call"
)

// Limits of the web listeners.
const (
	requestTimeout = 10 * time.Second // for a request to arrive, head and body
	idleTimeout    = 2 * time.Minute
	headerBytes    = 64 << 10
)

// web serves the page, Verto and health on the http and https ports.
type web struct {
	box     *Box
	handler http.Handler
	crowd   *crowd
	servers []*http.Server
	serving sync.WaitGroup
}

// newWeb puts the handlers together. page, watch (the monitor), verto and
// phones (SIP over WebSocket) are those of the rooms.
func (b *Box) newWeb(page, watch, verto, phones http.Handler) *web {
	page = b.secured(page)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", b.health)
	mux.HandleFunc("GET /metrics", b.metricsPage)
	mux.Handle("/switch", page)
	mux.Handle("/switch/", watch)
	mux.HandleFunc("GET /certificate", b.certificatePage)
	mux.Handle("/verto", verto)
	mux.Handle("/sip", phones)
	newHTTPAPI(b).register(mux)
	mux.Handle("/", page)
	return &web{box: b, handler: mux, crowd: newCrowd(b.log)}
}

// secured leads a browser that asks for the page over http to https, unless it calls
// this machine its own: it gives a page the microphone only there, and a password
// should not pass a network in the clear.
func (b *Box) secured(page http.Handler) http.Handler {
	port := b.port("https_port", 8443)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if port == 0 || trusted(r) {
			page.ServeHTTP(w, r)
			return
		}
		http.Redirect(w, r, "https://"+net.JoinHostPort(hostOf(r), strconv.Itoa(port))+r.URL.RequestURI(), http.StatusTemporaryRedirect)
	})
}

// hostOf is the name or the address that a request calls this machine by.
func hostOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		return strings.Trim(r.Host, "[]")
	}
	return host
}

// trusted reports whether a browser trusts the way that its request took: TLS, which
// a proxy in front may end that says so by X-Forwarded-Proto, or this machine itself.
// Only there it gives a page the microphone, and says for which site it asks.
func trusted(r *http.Request) bool {
	return r.TLS != nil || isLocal(hostOf(r)) || r.Header.Get("X-Forwarded-Proto") == "https"
}

// isLocal reports whether browsers trust a host name without TLS.
func isLocal(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// health answers 200 while the switch takes calls.
func (b *Box) health(w http.ResponseWriter, _ *http.Request) {
	if !b.Switch.Running() {
		http.Error(w, "stopping", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintf(w, "ok %d calls\n", b.Switch.Count())
}

// port is a global variable that holds a port; 0 when it is not set or off.
func (b *Box) port(name string, otherwise int) int {
	v := b.store.Globals().Get(name)
	if v == "" {
		return otherwise
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 || n > 65535 {
		b.log.Printf(call.LogErr, "%s is %q, want a port from 1 to 65535, or 0 for none", name, v)
		return 0
	}
	return n
}

// start opens the web's ports: http and https, and with ACME those at which its
// server looks for answers.
func (w *web) start(context.Context) error {
	b := w.box
	plain, secure := b.port("http_port", 8080), b.port("https_port", 8443)
	acme := b.certificates.acme
	handler := w.handler
	if acme != nil {
		handler = acme.Challenges(handler)
	}
	if plain != 0 {
		if err := w.serve(plain, handler, nil); err != nil {
			return err
		}
	}
	if secure != 0 {
		if err := w.serve(secure, w.handler, b.certificates.config()); err != nil {
			return err
		}
	}
	if acme == nil {
		return nil
	}
	// Whoever has other ports lead to ours needs neither of these.
	var failed []error
	onward := b.port("acme_https_port", 443)
	if port := onward; port != 0 && port != secure {
		if err := w.serve(port, w.handler, b.certificates.config()); err != nil {
			failed, onward = append(failed, err), 0
		}
	}
	if port := b.port("acme_http_port", 80); port != 0 && port != plain {
		if onward == 0 {
			onward = secure
		}
		if err := w.serve(port, acme.Challenges(acme.Onward(onward)), nil); err != nil {
			failed = append(failed, err)
		}
	}
	for _, err := range failed {
		b.log.Printf(call.LogWarning, "certificates: %v; acme_http_port=0 and acme_https_port=0 open neither, where the ports 80 and 443 of the names lead to others of ours", err)
	}
	return nil
}

func (w *web) serve(port int, handler http.Handler, secure *tls.Config) error {
	l, err := net.Listen("tcp", ":"+strconv.Itoa(port))
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("%w; ports below 1024 need the capability CAP_NET_BIND_SERVICE, which the systemd unit gives", err)
	}
	if err != nil {
		return fmt.Errorf("%w; another program has port %d: stop it, or move ours with --set http_port=… https_port=… or --port-offset", err, port)
	}
	if secure != nil {
		l = tls.NewListener(l, secure)
	}
	s := webServer(handler)
	s.ConnState = w.crowd.follow
	w.servers = append(w.servers, s)
	w.serving.Add(1)
	go func() {
		defer w.serving.Done()
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			w.box.log.Printf(call.LogErr, "web: port %d: %v", port, err)
		}
	}()
	return nil
}

func webServer(handler http.Handler) *http.Server {
	return &http.Server{Handler: handler, ReadTimeout: requestTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: headerBytes,
		ErrorLog: stdlog.New(io.Discard, "", 0)} // broken handshakes are no news
}

// certificatePage tells what https serves under the name that the page was asked
// for by, so that people can compare it with what their browser warns of.
func (b *Box) certificatePage(w http.ResponseWriter, r *http.Request) {
	d, err := b.certificates.describe(hostOf(r))
	if err != nil {
		http.Error(w, "no certificate", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	// Who has gone away needs no answer.
	_ = json.NewEncoder(w).Encode(d)
}

func (w *web) stop() error {
	var errs []error
	for _, s := range w.servers {
		errs = append(errs, s.Close())
	}
	w.serving.Wait()
	return errors.Join(errs...)
}
