package appliance

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/switchlet/switchlet/appliance/cert"
	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/sip"
	"github.com/switchlet/switchlet/webrtc"
)

// Times of the certificates.
const (
	certLook = time.Minute         // how often files are looked at, to tell what is wrong with them
	certWarn = 14 * 24 * time.Hour // before the end of one that nobody renewed
	certSay  = 24 * time.Hour      // how often that is said
)

// certificates are those of the box's listeners: its own (certs/switchlet.pem, made
// at the first start), those that a server of ACME issues, and the files that
// profiles name. Nothing falls back to plain text.
type certificates struct {
	box  *Box
	own  *cert.Source
	acme *cert.ACME // nil without acme_names

	cancel context.CancelFunc
	work   sync.WaitGroup

	mu     sync.Mutex
	opened map[cert.Files]*cert.Source
	told   map[*cert.Source]string // the trouble that was told last
	warned map[*cert.Source]time.Time
}

// openCertificates reads what is there. The ACME server is asked after start.
func (b *Box) openCertificates() (*certificates, error) {
	c := &certificates{box: b, opened: map[cert.Files]*cert.Source{}, told: map[*cert.Source]string{}, warned: map[*cert.Source]time.Time{}}
	file := b.data.path("certs", "switchlet.pem")
	var err error
	own := []string{b.Switch.Hostname, "localhost", "127.0.0.1", "::1", b.store.Globals().Get("local_ip_v4")}
	if outer := b.outerAddress(); outer != "" {
		own = append(own, outer)
	}
	if c.own, err = cert.Open(file, own); err != nil {
		return nil, err
	}
	c.opened[cert.Files{Combined: file}] = c.own
	g := b.store.Globals()
	names := strings.FieldsFunc(g.Get("acme_names"), func(r rune) bool { return r == ',' || r == ' ' })
	if len(names) == 0 {
		return c, nil
	}
	o := cert.ACMEOptions{Names: names, Email: g.Get("acme_email"), Directory: g.Get("acme_directory"), Cache: b.data.path("certs", "acme"),
		Report: c.report}
	if file := g.Get("acme_ca_file"); file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("acme_ca_file: %w", err)
		}
		o.Roots = x509.NewCertPool()
		if !o.Roots.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("acme_ca_file %s: has no certificate", file)
		}
	}
	if err := os.MkdirAll(o.Cache, 0o700); err != nil {
		return nil, err
	}
	if c.acme, err = cert.NewACME(o, c.own); err != nil {
		return nil, fmt.Errorf("%w (acme_names)", err)
	}
	return c, nil
}

// report logs what became of a certificate that was asked for.
func (c *certificates) report(err error, line string) {
	if err != nil {
		c.box.log.Printf(call.LogErr, "certificates: %s: %v", line, err)
		return
	}
	c.box.log.Printf(call.LogNotice, "certificates: %s", line)
}

// get is the certificate of listeners that name no files.
func (c *certificates) get(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if c.acme != nil {
		return c.acme.Certificate(h)
	}
	return c.own.Certificate(h)
}

// config is that of the web's listeners.
func (c *certificates) config() *tls.Config {
	if c.acme != nil {
		return c.acme.Config("http/1.1")
	}
	return &tls.Config{GetCertificate: c.get, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
}

// open finds the certificate of a listener: that of its files, or the box's own if
// it names none. A file that is named and missing is an error, but for one in the
// box's own directory, where the reference makes it itself (wss.pem).
func (c *certificates) open(f cert.Files) (func(*tls.ClientHelloInfo) (*tls.Certificate, error), error) {
	if f.Combined == "" && f.Cert == "" {
		return c.get, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.opened[f]; s != nil {
		return s.Certificate, nil
	}
	s, err := cert.OpenFiles(f)
	if errors.Is(err, fs.ErrNotExist) && filepath.Dir(firstOf(f.Combined, f.Cert)) == c.box.data.path("certs") {
		return c.get, nil
	}
	if err != nil {
		return nil, err
	}
	c.opened[f] = s
	return s.Certificate, nil
}

// forPhones is open as the SIP room asks for it.
func (c *certificates) forPhones(file string) (sip.GetCertificate, error) {
	return c.open(cert.Files{Combined: file})
}

// forBrowsers is open as Verto's profiles ask for it.
func (c *certificates) forBrowsers(f webrtc.CertificateFiles) (func(*tls.ClientHelloInfo) (*tls.Certificate, error), error) {
	return c.open(cert.Files{Combined: f.Combined, Cert: f.Cert, Key: f.Key, Chain: f.Chain})
}

// start has certificates issued and looked after.
func (c *certificates) start(ctx context.Context) error {
	ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if c.acme != nil {
		c.acme.Start(ctx)
	}
	c.work.Go(func() {
		tick := time.NewTicker(certLook)
		defer tick.Stop()
		for {
			c.look(time.Now())
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
	return nil
}

func (c *certificates) stop() error {
	c.cancel()
	if c.acme != nil {
		c.acme.Close()
	}
	c.work.Wait()
	return nil
}

// look reads changed files and tells what is wrong with them. Sockets that are open
// stay open; a certificate that cannot be read leaves the one in force.
func (c *certificates) look(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.opened {
		trouble := ""
		if err := s.Reload(); err != nil {
			trouble = err.Error()
		}
		if trouble != c.told[s] {
			c.told[s] = trouble
			if trouble != "" {
				c.box.log.Printf(call.LogErr, "certificates: %s; the one in force stays", trouble)
			}
		}
		loaded, err := s.Certificate(nil)
		if err != nil {
			continue
		}
		if d := cert.Describe(loaded); d.NotAfter.Sub(now) < certWarn && now.Sub(c.warned[s]) >= certSay {
			c.warned[s] = now
			c.box.log.Printf(call.LogWarning, "certificates: that of %s ends on %s", strings.Join(d.Names, ", "), d.NotAfter.Format(time.DateOnly))
		}
	}
}

// describe describes what a browser at the web ports gets.
func (c *certificates) describe(name string) (cert.Description, error) {
	served, err := c.get(&tls.ClientHelloInfo{ServerName: name})
	if err != nil {
		return cert.Description{}, err
	}
	return cert.Describe(served), nil
}
