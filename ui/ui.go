// Package ui is the page with which a browser calls: sign in, dial, answer, hold,
// mute, send digits, transfer, ask somebody before a transfer; and, at /switch, the page for those who run the
// switch: calls, history, log, events, scripts. Its sources, in page/, are what the binary serves:
// no build step, no framework, nothing from elsewhere.
//
// The first speaks Verto to the path /verto of the host that it came from, the
// second reads JSON below /switch/; they know nothing else of the switch. Handler serves it with headers that let it
// load its own files, open that one socket, and use the microphone.
package ui

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"strings"
	"unicode/utf8"
)

//go:embed page
var files embed.FS

// file is one file of the page, ready to be sent.
type file struct {
	name, kind, tag string
	body            []byte
}

// pages are the files by the path they are served under.
func pages() map[string]file {
	list := map[string]file{}
	for path, f := range map[string]file{
		"/":               {name: "index.html", kind: "text/html; charset=utf-8"},
		"/style.css":      {name: "style.css", kind: "text/css; charset=utf-8"},
		"/phone.js":       {name: "phone.js", kind: "text/javascript; charset=utf-8"},
		"/history.js":     {name: "history.js", kind: "text/javascript; charset=utf-8"},
		"/level.js":       {name: "level.js", kind: "text/javascript; charset=utf-8"},
		"/quality.js":     {name: "quality.js", kind: "text/javascript; charset=utf-8"},
		"/ringer.js":      {name: "ringer.js", kind: "text/javascript; charset=utf-8"},
		"/verto.js":       {name: "verto.js", kind: "text/javascript; charset=utf-8"},
		"/switch":         {name: "switch.html", kind: "text/html; charset=utf-8"},
		"/switch.css":     {name: "switch.css", kind: "text/css; charset=utf-8"},
		"/switch.js":      {name: "switch.js", kind: "text/javascript; charset=utf-8"},
		"/icon.svg":       {name: "icon.svg", kind: "image/svg+xml"},
		"/certificate.js": {name: "certificate.js", kind: "text/javascript; charset=utf-8"},
	} {
		body, err := files.ReadFile("page/" + f.name)
		if err != nil {
			continue // the embedded tree has every file that is named here; a test holds that
		}
		sum := sha256.Sum256(body)
		f.body, f.tag = body, `"`+hex.EncodeToString(sum[:12])+`"`
		list[path] = f
	}
	list["/index.html"] = list["/"]
	return list
}

// Handler serves the page at / and its files beside it. Mount it at the root; a
// path that is no file of the page is 404, a method other than GET and HEAD 405.
func Handler() http.Handler {
	list := pages()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, ok := list[r.URL.Path]
		h := w.Header()
		guard(h, r.Host)
		switch {
		case !ok:
			http.NotFound(w, r)
			return
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
			return
		}
		h.Set("Content-Type", f.kind)
		h.Set("Cache-Control", "no-cache")
		h.Set("ETag", f.tag)
		if strings.Contains(r.Header.Get("If-None-Match"), f.tag) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		if r.Method == http.MethodGet {
			// The client that has gone away needs no answer.
			_, _ = w.Write(f.body)
		}
	})
}

// guard sets the headers that confine the page. Sockets may go to the host of the
// request alone; it is named, since not every browser takes 'self' to cover them.
func guard(h http.Header, host string) {
	connect := "'self'"
	if plainHost(host) {
		connect += " ws://" + host + " wss://" + host
	}
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self' blob:; "+
		"connect-src "+connect+"; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "microphone=(self), speaker-selection=(self), camera=(), geolocation=()")
}

// plainHost reports whether a Host header is a name or address with a port, and
// nothing that could end the directive it is put into.
func plainHost(s string) bool {
	if s == "" || len(s) > 255 || !utf8.ValidString(s) {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte(".-_:[]", c) >= 0) {
			return false
		}
	}
	return true
}
