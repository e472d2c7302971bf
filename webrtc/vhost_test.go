package webrtc

import (
	"context"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/switchlet/switchlet/call/directory"
)

// served makes a directory and a box that serves it with these params.
func served(t *testing.T, params string) *box {
	t.Helper()
	dir := t.TempDir()
	root := filepath.Join(dir, "www")
	must(t, os.MkdirAll(filepath.Join(root, "sub", "deep"), 0o755))
	for name, text := range map[string]string{"secret.txt": "secret", "www/index.html": "<p>index", "www/a b.txt": "text", "www/sub/index.html": "sub",
		"www/.hidden": "hidden", "www/run.lua": "script", "www/.git/config": "hidden"} {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	must(t, os.Symlink("../secret.txt", filepath.Join(root, "out.txt")))
	must(t, os.Symlink(dir, filepath.Join(root, "up")))
	return newBox(t, func(tree string) string {
		return strings.Replace(tree, `<profile name="default-v4">`, `<profile name="default-v4"><vhosts><vhost domain="pages"><param name="root" value="`+root+`"/>`+
			params+`</vhost></vhosts>`, 1)
	})
}

// fetch asks the profile's port for something.
func (b *box) fetch(method, path, user, password string) (*http.Response, string) {
	b.t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	r, err := http.NewRequestWithContext(ctx, method, "http://"+b.port()+path, nil)
	must(b.t, err)
	r.URL.Opaque = "//" + b.port() + path // as it stands, not cleaned
	if user != "" {
		r.SetBasicAuth(user, password)
	}
	// A connection that is used again may be one that the server is just closing.
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	must(b.t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	must(b.t, err)
	return res, string(text)
}

func TestVhost_ServesFilesBelowItsRootOnly(t *testing.T) {
	b := served(t, "")
	for _, c := range []struct {
		method, path string
		status       int
		body, kind   string
	}{
		{"GET", "/", 200, "<p>index", "text/html; charset=utf-8"}, {"HEAD", "/index.html", 200, "", "text/html; charset=utf-8"},
		{"GET", "/a%20b.txt?x=1", 200, "text", "text/plain; charset=utf-8"}, {"GET", "/sub", 200, "sub", ""}, {"GET", "/sub/", 200, "sub", ""},
		{"GET", "/sub/../index.html", 200, "<p>index", ""}, {"GET", "/sub/deep/", 404, "Not Found\n", ""}, {"GET", "/nothing", 404, "Not Found\n", ""},
		{"GET", "/../secret.txt", 404, "Not Found\n", ""}, {"GET", "/%2e%2e/secret.txt", 404, "Not Found\n", ""}, {"GET", "/sub/..%2f..%2fsecret.txt", 404, "Not Found\n", ""},
		{"GET", "//../secret.txt", 404, "Not Found\n", ""}, {"GET", "/..%5csecret.txt", 404, "Not Found\n", ""}, {"GET", "/index.html%00.txt", 404, "Not Found\n", ""},
		{"GET", "/out.txt", 404, "Not Found\n", ""}, {"GET", "/up/secret.txt", 404, "Not Found\n", ""},
		{"GET", "/.hidden", 404, "Not Found\n", ""}, {"GET", "/.git/config", 404, "Not Found\n", ""}, {"GET", "/run.lua", 404, "Not Found\n", ""}, {"GET", "/run.LUA", 404, "Not Found\n", ""},
		{"POST", "/", 405, "Method Not Allowed\n", ""}, {"OPTIONS", "/", 200, "", ""},
	} {
		res, body := b.fetch(c.method, c.path, "", "")
		if res.StatusCode != c.status || body != c.body || c.kind != "" && res.Header.Get("Content-Type") != c.kind {
			t.Errorf("%s %s: %s %s %q", c.method, c.path, res.Status, res.Header.Get("Content-Type"), body)
		}
		if allow := res.Header.Get("Allow"); (c.method == "POST" || c.method == "OPTIONS") && allow != "GET, HEAD, OPTIONS" {
			t.Errorf("%s: Allow %q", c.method, allow)
		}
	}
	b.login("1000", "secret", "s1") // the port of the page is another one, and serves none
	if res, err := http.Get("http" + strings.TrimPrefix(b.url, "ws")); err != nil || res.StatusCode != 400 {
		t.Errorf("the page's port: %v %v", res, err)
	} else {
		res.Body.Close()
	}
	out, _ := b.sw.Run(context.Background(), "verto", "status", nil, nil)
	if !strings.Contains(out, "        default-v4::pages\tvhost\t  ") || !strings.Contains(out, "/www\tNOAUTH ()\n") {
		t.Errorf("status: %s", out)
	}
	for _, words := range []string{"xmlstatus", "jsonstatus"} {
		if out, _ := b.sw.Run(context.Background(), "verto", words, nil, nil); strings.Contains(out, "www") {
			t.Errorf("%s: %s", words, out)
		}
	}
	until(t, "no request being counted any more", func() bool {
		b.s.guard.mu.Lock()
		defer b.s.guard.mu.Unlock()
		return b.s.guard.total == 0
	})
}

func TestVhost_Passwords(t *testing.T) {
	b := served(t, `<param name="auth-realm" value="my &quot;pages&quot;"/><param name="auth-user" value="web"/><param name="auth-pass" value="pass"/><param name="index" value="a b.txt"/>`)
	for _, c := range []struct {
		user, password string
		status         int
	}{
		{"", "", 401}, {"web", "pass", 200}, {"web", "secret", 401}, {"1000", "secret", 200}, {"1000", "pass", 401}, {"nobody", "x", 401}, {"1003", "", 401},
		{"1000", "secret", 200}, {"web", "pass", 200}, {"web", "locked", 401}, {"web", "pass", 401},
	} {
		if c.password == "locked" { // one of too many in a minute
			for range directory.MaxGuesses {
				b.s.guesses.Failed(netip.MustParseAddr("127.0.0.1"), "web", time.Now())
			}
		}
		res, body := b.fetch("GET", "/", c.user, c.password)
		if res.StatusCode != c.status || (res.StatusCode == 200) != (body == "text") {
			t.Errorf("%s/%s: %s %q", c.user, c.password, res.Status, body)
		}
		if realm := res.Header.Get("WWW-Authenticate"); c.status == 401 && realm != `Basic realm="my 'pages'"` {
			t.Errorf("realm %s", realm)
		}
	}
	out, _ := b.sw.Run(context.Background(), "verto", "status", nil, nil)
	if !strings.Contains(out, "\tAUTH (web)\n") {
		t.Errorf("status: %s", out)
	}
}

// A vhost that would be open by mistake, or has no directory, is not served.
func TestVhost_MistakesAreNotServed(t *testing.T) {
	for _, params := range []string{`<param name="auth-user" value="web"/>`, `<param name="root" value="/nonexistent/www"/>`} {
		b := served(t, params)
		if res, body := b.fetch("GET", "/", "", ""); res.StatusCode != 400 || body != "" {
			t.Errorf("%s: %s %q", params, res.Status, body)
		}
	}
}

// Who may log in without a password (blind-reg) has not shown one.
func TestVhost_BlindIsNobody(t *testing.T) {
	b := served(t, `<param name="auth-realm" value="pages"/></vhost></vhosts><param name="blind-reg" value="true"/><vhosts><vhost>`)
	if res, _ := b.fetch("GET", "/", "anybody", "x"); res.StatusCode != 401 {
		t.Errorf("anybody: %s", res.Status)
	}
	if res, _ := b.fetch("GET", "/", "1000", "secret"); res.StatusCode != 200 {
		t.Errorf("1000: %s", res.Status)
	}
}

func FuzzVhost_File(f *testing.F) {
	for _, s := range []string{"/", "/a/../../b", "/.x", "/%2e", "a\\..\\b", "/x.lua/y", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, url string) {
		name := (&vhost{}).file(url)
		if name == "" || name == "." {
			return
		}
		if strings.HasPrefix(name, "/") || strings.Contains("/"+name+"/", "/../") || strings.Contains("/"+name, "/.") {
			t.Errorf("%q names %q", url, name)
		}
	})
}
