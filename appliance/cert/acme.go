package cert

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

// Times and bounds of ACME.
const (
	issueLimit  = 2 * time.Minute // for one certificate
	retryFirst  = time.Minute     // after a failure; doubled up to retryMost
	retryMost   = 6 * time.Hour
	renewCheck  = 12 * time.Hour // autocert renews by itself; this keeps names alive that nobody asks for
	headerLimit = 10 * time.Second
	maxNames    = 100
)

// LetsEncrypt is the directory of the server that is asked when ACMEOptions name
// none.
const LetsEncrypt = autocert.DefaultACMEDirectory

// ACMEOptions say which certificates are to be had from whom. Names and Cache are
// required, and at least one of HTTP and TLS must be a listener that the names lead
// to.
type ACMEOptions struct {
	Names     []string // domain names, no addresses
	Email     string   // that the server may write to, "" for none
	Directory string   // URL of the server's directory, "" for LetsEncrypt
	Cache     string   // directory that keeps account and certificates
	// HTTP listens where the names' port 80 leads: it answers HTTP-01, and sends
	// browsers on to https. TLS listens where their port 443 leads: it answers
	// TLS-ALPN-01, and serves Page. Close closes both.
	HTTP net.Listener
	TLS  net.Listener
	Page http.Handler // nil: nothing but challenges
	// HTTPSPort is where browsers are sent on to; 0: they are not.
	HTTPSPort int
	// Roots verify the server; nil are the system's.
	Roots *x509.CertPool
	// Report gets what went well and what did not, a line each; nil: nobody does.
	Report func(err error, line string)
}

// ACME has certificates issued by a server of ACME (RFC 8555), and renewed in time.
// Until the first is there, and for names it does not know, it serves fallback.
type ACME struct {
	o        ACMEOptions
	manager  *autocert.Manager
	fallback *Source
	servers  []*http.Server
	cancel   context.CancelFunc
	work     sync.WaitGroup

	mu    sync.Mutex
	ready map[string]bool
}

// NewACME checks the options. Nothing is asked of anybody before Start.
func NewACME(o ACMEOptions, fallback *Source) (*ACME, error) {
	switch {
	case len(o.Names) == 0 || len(o.Names) > maxNames:
		return nil, fmt.Errorf("cert: acme: %d names, want 1 to %d", len(o.Names), maxNames)
	case o.Cache == "":
		return nil, errors.New("cert: acme: no directory to keep certificates in")
	case o.HTTP == nil && o.TLS == nil:
		return nil, errors.New("cert: acme: no listener: open port 80 (HTTP-01) or port 443 (TLS-ALPN-01)")
	case fallback == nil:
		return nil, errors.New("cert: acme: no certificate to serve meanwhile")
	}
	a := &ACME{o: o, fallback: fallback, ready: map[string]bool{}}
	for i, name := range o.Names {
		name = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(name), "."))
		if net.ParseIP(name) != nil || !strings.Contains(name, ".") || strings.ContainsAny(name, "/:*@ ") {
			return nil, fmt.Errorf("cert: acme: %q: want a domain name that leads to this machine", o.Names[i])
		}
		a.o.Names = slices.Clone(a.o.Names)
		a.o.Names[i] = name
	}
	client := &acme.Client{DirectoryURL: orElse(o.Directory, LetsEncrypt), UserAgent: "Switchlet"}
	if o.Roots != nil {
		client.HTTPClient = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: o.Roots, MinVersion: tls.VersionTLS12}}}
	}
	a.manager = &autocert.Manager{Prompt: autocert.AcceptTOS, Cache: autocert.DirCache(o.Cache), Email: o.Email,
		HostPolicy: a.knows, Client: client}
	return a, nil
}

// knows lets the names pass, with or without a port.
func (a *ACME) knows(_ context.Context, host string) error {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if !slices.Contains(a.o.Names, strings.ToLower(host)) {
		return fmt.Errorf("%q is no name of ours", host)
	}
	return nil
}

func orElse(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// Start serves the listeners and has the certificates issued, in the background:
// a server that cannot be reached delays nothing.
func (a *ACME) Start(ctx context.Context) {
	ctx, a.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if a.o.HTTP != nil {
		a.serve(a.o.HTTP, a.manager.HTTPHandler(http.HandlerFunc(a.onward)))
	}
	if a.o.TLS != nil {
		page := a.o.Page
		if page == nil {
			page = http.NotFoundHandler()
		}
		a.serve(tls.NewListener(a.o.TLS, a.Config("http/1.1")), page)
	}
	for _, name := range a.o.Names {
		a.work.Go(func() { a.keep(ctx, name) })
	}
}

// Close ends what Start began.
func (a *ACME) Close() error {
	if a.cancel != nil {
		a.cancel()
	}
	var errs []error
	for _, s := range a.servers {
		errs = append(errs, s.Close())
	}
	a.work.Wait()
	return errors.Join(errs...)
}

func (a *ACME) serve(l net.Listener, h http.Handler) {
	s := &http.Server{Handler: h, ReadHeaderTimeout: headerLimit, MaxHeaderBytes: 16 << 10, ErrorLog: stdlog.New(io.Discard, "", 0)}
	a.servers = append(a.servers, s)
	a.work.Go(func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			a.report(err, "listening at "+l.Addr().String())
		}
	})
}

// onward sends browsers that came by http to https.
func (a *ACME) onward(w http.ResponseWriter, r *http.Request) {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	host = strings.ToLower(host)
	if a.o.HTTPSPort == 0 || !slices.Contains(a.o.Names, host) {
		http.NotFound(w, r)
		return
	}
	if a.o.HTTPSPort != 443 {
		host = fmt.Sprintf("%s:%d", host, a.o.HTTPSPort)
	}
	http.Redirect(w, r, "https://"+host+r.URL.RequestURI(), http.StatusFound)
}

// keep has the certificate of a name issued, and tries again when that fails.
func (a *ACME) keep(ctx context.Context, name string) {
	wait := retryFirst
	for {
		err := a.issue(ctx, name)
		next := renewCheck
		if err != nil {
			if ctx.Err() != nil {
				return
			}
			next, wait = wait, min(2*wait, retryMost)
			a.report(err, fmt.Sprintf("no certificate for %s yet; next try in %v", name, next))
		} else {
			wait = retryFirst
		}
		timer := time.NewTimer(next)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// issue asks for the certificate of a name, as a handshake would.
func (a *ACME) issue(ctx context.Context, name string) error {
	done := make(chan error, 1)
	go func() {
		_, err := a.manager.GetCertificate(modernHello(name))
		done <- err
	}()
	timer := time.NewTimer(issueLimit)
	defer timer.Stop()
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("cert: acme: %s: %w", name, err)
		}
	case <-timer.C:
		return fmt.Errorf("cert: acme: %s: the server did not finish within %v", name, issueLimit)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	a.mu.Lock()
	first := !a.ready[name]
	a.ready[name] = true
	a.mu.Unlock()
	if first {
		a.report(nil, "certificate for "+name+" is in force")
	}
	return nil
}

// modernHello is a handshake by a client that can verify ECDSA, for which
// autocert issues its usual certificate.
func modernHello(name string) *tls.ClientHelloInfo {
	return &tls.ClientHelloInfo{ServerName: name, SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256},
		SupportedCurves: []tls.CurveID{tls.CurveP256}, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}}
}

func (a *ACME) report(err error, line string) {
	if a.o.Report != nil {
		a.o.Report(err, line)
	}
}

// Ready reports whether the certificate of a name was issued.
func (a *ACME) Ready(name string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.ready[strings.ToLower(name)]
}

// Certificate implements tls.Config.GetCertificate: a name's own certificate once
// it was issued, else the fallback. It never waits for the server.
func (a *ACME) Certificate(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if h != nil && slices.Equal(h.SupportedProtos, []string{acme.ALPNProto}) {
		return a.manager.GetCertificate(h)
	}
	if h != nil && h.ServerName != "" && a.Ready(strings.TrimSuffix(h.ServerName, ".")) {
		if c, err := a.manager.GetCertificate(h); err == nil {
			return c, nil
		}
	}
	return a.fallback.Certificate(h)
}

// Config is that of a listener which serves these certificates and answers
// TLS-ALPN-01.
func (a *ACME) Config(protocols ...string) *tls.Config {
	return &tls.Config{GetCertificate: a.Certificate, MinVersion: tls.VersionTLS12, NextProtos: append(protocols, acme.ALPNProto)}
}
