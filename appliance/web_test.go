package appliance

import (
	"net/http"
	"net/http/httptest"
	"testing"
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
