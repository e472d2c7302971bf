package appliance

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"
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
		password, from, forwarded string
		secure                    bool
		want                      int
	}{
		{"letme-9", "127.0.0.1:9", "", false, 0},
		{"letme-9", "192.0.2.1:9", "", false, http.StatusForbidden}, // a password in the clear
		{"letme-9", "192.0.2.1:9", "", true, 0},
		{"letme-9", "127.0.0.1:9", "192.0.2.1", false, 0},
		{"works", "127.0.0.1:9", "", false, 0},
		{"works", "192.0.2.1:9", "", true, http.StatusForbidden},
		{"works", "127.0.0.1:9", "192.0.2.1", false, http.StatusForbidden},
		{"", "127.0.0.1:9", "", false, http.StatusNotFound},
	} {
		b, err := Open(t.Context(), tree(tt.password))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Stop() })
		r := httptest.NewRequest("GET", "/api/status", nil)
		r.RemoteAddr = tt.from
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
