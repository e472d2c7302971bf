package appliance

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/switchlet/switchlet/appliance/cert"
	"github.com/switchlet/switchlet/call"
)

// Limits of the web listeners.
const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	headerBytes   = 64 << 10
)

// web serves the page, Verto and health on the http and https ports.
type web struct {
	box     *Box
	handler http.Handler
	cert    *cert.Source
	servers []*http.Server
	serving sync.WaitGroup
}

// newWeb puts the handlers together. page, watch (the monitor), verto and
// phones (SIP over WebSocket) are those of the rooms.
func (b *Box) newWeb(page, watch, verto, phones http.Handler, source *cert.Source) *web {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", b.health)
	mux.HandleFunc("GET /metrics", b.metricsPage)
	mux.Handle("/switch", page)
	mux.Handle("/switch/", watch)
	mux.Handle("/verto", verto)
	mux.Handle("/sip", phones)
	mux.Handle("/", page)
	return &web{box: b, handler: mux, cert: source}
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

func (w *web) start(context.Context) error {
	b := w.box
	if port := b.port("http_port", 8080); port != 0 {
		if err := w.serve(port, nil); err != nil {
			return err
		}
	}
	if port := b.port("https_port", 8443); port != 0 {
		return w.serve(port, &tls.Config{GetCertificate: w.cert.Certificate, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}})
	}
	return nil
}

func (w *web) serve(port int, secure *tls.Config) error {
	l, err := net.Listen("tcp", ":"+strconv.Itoa(port))
	if err != nil {
		return fmt.Errorf("%w; another program has port %d: stop it, or move ours with --set http_port=… https_port=… or --port-offset", err, port)
	}
	if secure != nil {
		l = tls.NewListener(l, secure)
	}
	s := &http.Server{Handler: w.handler, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: headerBytes}
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

func (w *web) stop() error {
	var errs []error
	for _, s := range w.servers {
		errs = append(errs, s.Close())
	}
	w.serving.Wait()
	return errors.Join(errs...)
}
