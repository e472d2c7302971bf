package ui

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func get(t *testing.T, path, host string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "http://box"+path, nil)
	r.Host = host
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w
}

func TestHandler_ServesThePageAndNothingElse(t *testing.T) {
	for path, kind := range map[string]string{"/": "text/html", "/phone.js": "text/javascript", "/verto.js": "text/javascript",
		"/history.js": "text/javascript", "/level.js": "text/javascript", "/quality.js": "text/javascript", "/ringer.js": "text/javascript",
		"/switch": "text/html", "/switch.js": "text/javascript", "/switch.css": "text/css",
		"/style.css": "text/css", "/icon.svg": "image/svg+xml"} {
		w := get(t, path, "box:8080")
		if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), kind) || w.Body.Len() == 0 {
			t.Errorf("%s: %d %s, %d bytes", path, w.Code, w.Header().Get("Content-Type"), w.Body.Len())
		}
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("If-None-Match", w.Header().Get("ETag"))
		again := httptest.NewRecorder()
		Handler().ServeHTTP(again, r)
		if again.Code != http.StatusNotModified {
			t.Errorf("%s: again %d", path, again.Code)
		}
	}
	for _, path := range []string{"/nothing", "/page/index.html", "/../ui.go"} {
		if w := get(t, path, "box"); w.Code != 404 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
}

func TestHandler_PolicyNamesOnlyItsHost(t *testing.T) {
	policy := get(t, "/", "box.example:8443").Header().Get("Content-Security-Policy")
	if !strings.Contains(policy, "connect-src 'self' ws://box.example:8443 wss://box.example:8443;") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy %s", policy)
	}
	if policy := get(t, "/", "evil; script-src *").Header().Get("Content-Security-Policy"); strings.Contains(policy, "evil") {
		t.Errorf("policy %s", policy)
	}
}

// The pages must work under their own policy: no inline script or style, nothing
// from elsewhere. Tests in a browser rely on the ids.
func TestPages_KeepToTheirPolicyAndTheirIds(t *testing.T) {
	for path, want := range map[string]struct {
		script string
		ids    []string
	}{
		"/": {"/phone.js", []string{"login", "password", "signin", "signout", "number", "call", "hangup", "answer", "reject", "hold", "mute",
			"transfer", "transfer-to", "ask", "prompt", "prompt-text", "prompt-answer", "prompt-send", "consult", "complete", "back", "state", "quality", "microphone", "speaker", "level-in", "level-out", "history-list", "digit-0", "digit-9", "digit-star", "digit-pound"}},
		"/switch": {"/switch.js", []string{"password", "signin", "signout", "state", "calls-list", "history-rows", "log-lines", "event-lines", "scripts-failed",
			"tab-calls", "tab-history", "tab-log", "tab-events", "tab-scripts"}},
	} {
		page := get(t, path, "box").Body.String()
		for _, bad := range []string{`style="`, `onclick=`, "http://", "https://", "<script>"} {
			if strings.Contains(page, bad) {
				t.Errorf("%s has %s", path, bad)
			}
		}
		for _, id := range want.ids {
			if !strings.Contains(page, `id="`+id+`"`) {
				t.Errorf("%s: no element %s", path, id)
			}
		}
		script := get(t, want.script, "box").Body.String()
		for _, m := range regexp.MustCompile(`\$\("([a-z-]+)"\)`).FindAllStringSubmatch(script, -1) {
			if !strings.Contains(page, `id="`+m[1]+`"`) {
				t.Errorf("%s looks for %s, which the page lacks", want.script, m[1])
			}
		}
	}
}
