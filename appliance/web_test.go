package appliance

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/switchlet/switchlet/conf"
)

func TestPage_IsServedWhereBrowsersGiveAMicrophone(t *testing.T) {
	b, err := Open(t.Context(), Options{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Stop() })
	page := b.secured(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	for _, tt := range []struct{ host, proto, want string }{
		{"localhost:8080", "", ""}, {"127.0.0.1:8080", "", ""}, {"[::1]:8080", "", ""}, {"localhost", "", ""}, {"box.localhost", "", ""},
		{"192.0.2.1:8080", "https", ""},
		{"192.0.2.1:8080", "", "https://192.0.2.1:8443/switch?a=b"}, {"box.lan", "http", "https://box.lan:8443/switch?a=b"},
		{"[2001:db8::1]:8080", "", "https://[2001:db8::1]:8443/switch?a=b"}, {"[2001:db8::1]", "", "https://[2001:db8::1]:8443/switch?a=b"},
	} {
		r := httptest.NewRequest("GET", "/switch?a=b", nil)
		r.Host = tt.host
		r.Header.Set("X-Forwarded-Proto", tt.proto)
		w := httptest.NewRecorder()
		page.ServeHTTP(w, r)
		if got := w.Header().Get("Location"); got != tt.want || (tt.want == "") != (w.Code == http.StatusNoContent) {
			t.Errorf("%s %s: %d to %q, want %q", tt.host, tt.proto, w.Code, got, tt.want)
		}
	}
}

func TestHTTPAPI_WhoMayAsk(t *testing.T) {
	tree := func(password string) Options {
		data := t.TempDir()
		dir := filepath.Join(data, "conf", "autoload_configs")
		if err := os.MkdirAll(dir, 0o750); err != nil {
			t.Fatal(err)
		}
		text := `<configuration name="xml_rpc.conf"><settings><param name="auth-user" value="freeswitch"/><param name="auth-pass" value="` + password + `"/></settings></configuration>`
		if err := os.WriteFile(filepath.Join(dir, "xml_rpc.conf.xml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return Options{Data: data}
	}
	for _, tt := range []struct {
		password, host, from, forwarded string
		secure                          bool
		want                            int
	}{
		{"letme-9", "localhost:8080", "127.0.0.1:9", "", false, 0},
		{"letme-9", "box.lan:8080", "192.0.2.1:9", "", false, http.StatusForbidden}, // a password in the clear
		{"letme-9", "localhost:8080", "192.0.2.1:9", "", false, http.StatusForbidden},
		{"letme-9", "box.lan:8443", "192.0.2.1:9", "", true, 0},
		{"letme-9", "localhost:8080", "127.0.0.1:9", "192.0.2.1", false, 0},
		{"letme-9", "evil.example:8080", "127.0.0.1:9", "", false, http.StatusForbidden}, // a page's own name that leads here
		{"works", "localhost:8080", "127.0.0.1:9", "", false, 0},
		{"works", "box.lan:8443", "192.0.2.1:9", "", true, http.StatusForbidden},
		{"works", "localhost:8080", "127.0.0.1:9", "192.0.2.1", false, http.StatusForbidden},
		{"", "localhost:8080", "127.0.0.1:9", "", false, http.StatusNotFound},
	} {
		b, err := Open(t.Context(), tree(tt.password))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Stop() })
		r := httptest.NewRequest("GET", "/api/status", nil)
		r.Host, r.RemoteAddr = tt.host, tt.from
		r.SetBasicAuth("freeswitch", tt.password)
		if tt.forwarded != "" {
			r.Header.Set("X-Forwarded-For", tt.forwarded)
		}
		if tt.secure {
			r.TLS = &tls.ConnectionState{}
		}
		if got, text := newHTTPAPI(b).judge(httptest.NewRecorder(), r, time.Now()); got != tt.want {
			t.Errorf("%+v: %d %s", tt, got, text)
		}
	}
}

func TestSocketPassword_StockOnesAreForThisMachine(t *testing.T) {
	for password, want := range map[string]bool{"ClueCon": true, "cluecon": true, "1234": true, "works": true, "letme-9": false} {
		b, err := Open(t.Context(), Options{Data: t.TempDir(), Params: []conf.Param{{File: "event_socket.conf", Name: "password", Value: password}}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Stop() })
		if got, weak := b.socketPassword(); got != password || weak != want {
			t.Errorf("%s: %q, weak %v", password, got, weak)
		}
	}
}

func FuzzRequestParams(f *testing.F) {
	f.Add("/api/lua/more", "lua/api.lua", "command=expr+1%2b1&x=%zz&_body=a&=", "text/html")
	f.Add("/txtapi/show", "channels%20as%20json", "", "")
	f.Add("/api/lua", "a%0d%0aHTTP-URI:%20/x", "HTTP-URI=/forged&http-host=b&Content-Type=c&a%0ab=d&a:=e&&", "")
	f.Fuzz(func(t *testing.T, path, query, form, kind string) {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			r := httptest.NewRequest(method, "/", strings.NewReader(form))
			r.URL.Path, r.URL.RawQuery = path, query
			params, _, err := requestParams(httptest.NewRecorder(), r, kind)
			if err != nil {
				continue
			}
			if len(params) > maxFormFields+7 || params["HTTP-URI"] != path || params["HTTP-HOST"] != r.Host || params["Content-Type"] != kind {
				t.Errorf("%s: %d parameters: %q", method, len(params), params)
			}
			for name := range params {
				if upper := strings.ToUpper(name); strings.ContainsAny(name, ":\r\n") || name == "" || name[0] == '_' ||
					upper != name && (strings.HasPrefix(upper, "HTTP-") || upper == "CONTENT-TYPE" && name != "Content-Type") {
					t.Errorf("%s: a parameter %q", method, name)
				}
			}
		}
	})
}

func FuzzOwnType(f *testing.F) {
	f.Add("Content-Type: text/html\n\n<b>")
	f.Add("content-type:\r\n\r\n")
	f.Add("+OK\n")
	f.Fuzz(func(t *testing.T, reply string) {
		kind, rest := ownType(reply)
		if strings.ContainsAny(kind, "\n") || !strings.HasSuffix(reply, rest) {
			t.Errorf("%q is %q and %q", reply, kind, rest)
		}
	})
}

// pipes is a listener whose connections are given to it.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func TestWebServer_WaitsForNoBodyForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
		s := webServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/long" {
				io.Copy(io.Discard, r.Body)
				time.Sleep(10 * requestTimeout)
			}
			if err := r.Context().Err(); err != nil {
				t.Errorf("%s: %v", r.URL.Path, err)
			}
			io.WriteString(w, "well")
		}))
		go s.Serve(l)
		ask := func(text string) (reply string, after time.Duration) {
			near, far := net.Pipe()
			l.conns <- far
			begun := time.Now()
			go io.WriteString(near, text)
			b, _ := io.ReadAll(near)
			near.Close()
			return string(b), time.Since(begun)
		}
		if reply, after := ask("GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"); after > requestTimeout {
			t.Errorf("a body that never comes: closed after %v with %q", after, reply)
		}
		// A command may take as long as it likes, form or not.
		for _, text := range []string{"GET /long HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "POST /long HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 3\r\n\r\na=b"} {
			if reply, after := ask(text); !strings.HasSuffix(reply, "well") {
				t.Errorf("%q after %v", reply, after)
			}
		}
		s.Close()
	})
}
