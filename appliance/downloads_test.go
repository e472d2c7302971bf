package appliance

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A web server cannot have sounds fetched from where clouds keep secrets, nor send the
// switch elsewhere for ever.
func TestDownloads_Bounds(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/link":
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data/", http.StatusFound)
		case "/ring":
			http.Redirect(w, r, "/ring", http.StatusFound)
		}
	}))
	t.Cleanup(server.Close)
	client := downloads()
	for path, want := range map[string]string{"/sound.wav": "", "/link": "an address of this link only", "/ring": "sent elsewhere too often"} {
		answer, err := client.Get(server.URL + path)
		if err == nil {
			answer.Body.Close()
		}
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
