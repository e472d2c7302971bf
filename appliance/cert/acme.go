package cert

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
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
	issueLimit = 2 * time.Minute // for one certificate
	retryFirst = time.Minute     // after a failure; doubled up to retryMost
	retryMost  = 6 * time.Hour
	renewCheck = 12 * time.Hour // autocert renews by itself; this keeps names alive that nobody asks for
	maxNames   = 100
)

// LetsEncrypt is the directory of the server that is asked when ACMEOptions name
// none.
const LetsEncrypt = autocert.DefaultACMEDirectory

// ACMEOptions say which certificates are to be had from whom. Names and Cache are
// required.
type ACMEOptions struct {
	Names     []string // domain names, no addresses
	Email     string   // that the server may write to, "" for none
	Directory string   // URL of the server's directory, "" for LetsEncrypt
	Cache     string   // directory that keeps account and certificates
	// Roots verify the server; nil are the system's.
	Roots *x509.CertPool
	// Report gets what went well and what did not, a line each; nil: nobody does.
	Report func(err error, line string)
}

// ACME has certificates issued by a server of ACME (RFC 8555), and renewed in time.
// Until the first is there, and for names it does not know, it serves fallback.
//
// The server looks for its answers at port 80 or port 443 of the names: one of
// them must lead to a listener that Challenges handles (HTTP-01), or to one that is
// set up with Config (TLS-ALPN-01).
type ACME struct {
	o        ACMEOptions
	manager  *autocert.Manager
	fallback *Source
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
	case fallback == nil:
		return nil, errors.New("cert: acme: no certificate to serve meanwhile")
	}
	a := &ACME{o: o, fallback: fallback, ready: map[string]bool{}}
	a.o.Names = slices.Clone(o.Names)
	for i, name := range o.Names {
		name = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(name), "."))
		if net.ParseIP(name) != nil || !strings.Contains(name, ".") || strings.ContainsAny(name, "/:*@ ") {
			return nil, fmt.Errorf("cert: acme: %q: want a domain name that leads to this machine", o.Names[i])
		}
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

// Start has the certificates issued, in the background: a server that cannot be
// reached delays nothing.
func (a *ACME) Start(ctx context.Context) {
	ctx, a.cancel = context.WithCancel(context.WithoutCancel(ctx))
	for _, name := range a.o.Names {
		a.work.Go(func() { a.keep(ctx, name) })
	}
}

// Close ends what Start began.
func (a *ACME) Close() {
	if a.cancel != nil {
		a.cancel()
	}
	a.work.Wait()
}

// Challenges answers HTTP-01 and hands all else to next.
func (a *ACME) Challenges(next http.Handler) http.Handler { return a.manager.HTTPHandler(next) }

// Onward sends browsers that came by http to the port of https; other hosts than
// our names, and all when port is 0, get 404.
func (a *ACME) Onward(port int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		host = strings.ToLower(host)
		if port == 0 || !slices.Contains(a.o.Names, host) {
			http.NotFound(w, r)
			return
		}
		if port != 443 {
			host = fmt.Sprintf("%s:%d", host, port)
		}
		http.Redirect(w, r, "https://"+host+r.URL.RequestURI(), http.StatusFound)
	})
}

// Names are the names that certificates are asked for.
func (a *ACME) Names() []string { return slices.Clone(a.o.Names) }

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
// it was issued, that of the first name for who asks for none (phones do that),
// else the fallback. It never waits for the server.
func (a *ACME) Certificate(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if h == nil {
		return a.fallback.Certificate(nil)
	}
	if slices.Equal(h.SupportedProtos, []string{acme.ALPNProto}) {
		return a.manager.GetCertificate(h)
	}
	name := strings.TrimSuffix(h.ServerName, ".")
	if name == "" {
		name = a.o.Names[0]
	}
	if a.Ready(name) {
		// autocert keeps one certificate for clients that know ECDSA, and would ask
		// for another for those that do not: those are too old for TLS 1.2 as we speak it.
		if c, err := a.manager.GetCertificate(modernHello(name)); err == nil {
			return c, nil
		}
	}
	return a.fallback.Certificate(h)
}

// Config is that of a listener which serves these certificates and answers
// TLS-ALPN-01; protocols are those that it speaks otherwise.
func (a *ACME) Config(protocols ...string) *tls.Config {
	return &tls.Config{GetCertificate: a.Certificate, MinVersion: tls.VersionTLS12, NextProtos: append(protocols, acme.ALPNProto)}
}
