package webrtc

import (
	"net/http"
	"net/netip"
	"os"
	slash "path"
	"strings"
	"time"

	"github.com/switchlet/switchlet/conf"
)

// Times of the files that a profile's port serves.
const (
	fileIdle  = 3 * time.Second // between two requests of a connection
	fileLimit = 5 * time.Minute // for one file
)

// vhost is a directory whose files a profile's port serves by HTTP.
type vhost struct {
	domain string
	path   string // of the directory
	index  string // the file that is served for a directory
	realm  string // "" lets anybody in
	user   string // who gets in beside the users of the directory, with password
	pass   string
	root   *os.Root
}

// readVhost opens the first vhost of a profile; nil if there is none, or none that can
// be served.
func (s *Server) readVhost(n *conf.Node, say func(format string, args ...any)) *vhost {
	list := n.Child("vhosts").ChildrenNamed("vhost")
	if len(list) == 0 {
		return nil
	}
	if len(list) > 1 {
		say("one vhost is served, the first")
	}
	params := conf.Params(list[0])
	v := &vhost{domain: list[0].Attr("domain"), path: orElse(params.Get("root"), s.opts.Store.Globals().Get("htdocs_dir")),
		index: orElse(params.Get("index"), "index.html"), realm: params.Get("auth-realm"), user: params.Get("auth-user"), pass: params.Get("auth-pass")}
	if v.domain == "" {
		say("a vhost has no domain; it is not served")
		return nil
	}
	if list[0].Child("rewrites") != nil {
		say("vhost %s: there are no rewrites; files are served by their own names", v.domain)
	}
	if v.realm == "" && v.user != "" {
		say("vhost %s: auth-user without auth-realm; it is not served, since it would be open to all", v.domain)
		return nil
	}
	root, err := os.OpenRoot(v.path)
	if err != nil {
		say("vhost %s: root: %v", v.domain, err)
		return nil
	}
	v.root = root
	return v
}

// file is the file that a URL's path names, relative to the directory; "" where nothing
// is served: names that begin with a dot, and scripts, which are not run and whose
// source is nobody's business.
func (v *vhost) file(url string) string {
	name := strings.TrimPrefix(slash.Clean("/"+url), "/")
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, ".") || strings.HasPrefix(strings.ToLower(slash.Ext(part)), ".lua") {
			return ""
		}
	}
	if name == "" {
		return "."
	}
	return name
}

// open opens a regular file, for a directory its index. What lies outside of the root,
// by whatever link, cannot be opened.
func (v *vhost) open(url string) (*os.File, os.FileInfo, error) {
	name := v.file(url)
	if name == "" {
		return nil, nil, os.ErrNotExist
	}
	info, err := v.root.Stat(name)
	if err == nil && info.IsDir() {
		name = slash.Join(name, v.index)
		info, err = v.root.Stat(name)
	}
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, os.ErrNotExist
	}
	f, err := v.root.Open(name)
	if err != nil {
		return nil, nil, err
	}
	return f, info, nil
}

// serveFile answers a request of the profile's port that wants no socket.
func (s *Server) serveFile(w http.ResponseWriter, r *http.Request, p *profile) {
	from, ok := s.admit(w, r)
	if !ok {
		return
	}
	ip := from.Addr()
	defer s.guard.leave(ip)
	if !s.begin() {
		http.Error(w, "Closing", http.StatusServiceUnavailable)
		return
	}
	defer s.work.Done()
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodOptions:
		h.Set("Allow", "GET, HEAD, OPTIONS")
		return
	default:
		h.Set("Allow", "GET, HEAD, OPTIONS")
		http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
		return
	}
	if p.vhost.realm != "" && !s.mayRead(r, p, ip) {
		h.Set("WWW-Authenticate", `Basic realm="`+strings.ReplaceAll(clean(p.vhost.realm), `"`, "'")+`"`)
		http.Error(w, "Authentication Required", http.StatusUnauthorized)
		return
	}
	f, info, err := p.vhost.open(r.URL.Path)
	if err != nil {
		http.Error(w, "Not Found", http.StatusNotFound)
		return
	}
	defer f.Close()
	// Without a deadline a slow reader is ended by the end of the server only.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(fileLimit))
	http.ServeContent(w, r, info.Name(), info.ModTime(), f)
}

// begin counts a goroutine that Close waits for; false while the server ends.
func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return false
	}
	s.work.Add(1)
	return true
}

// mayRead checks the password of a request: that of the vhost's user, or of a user of
// the directory.
func (s *Server) mayRead(r *http.Request, p *profile, ip netip.Addr) bool {
	user, password, ok := r.BasicAuth()
	if !ok || user == "" || password == "" || s.guesses.Locked(ip, time.Now()) {
		return false
	}
	v := p.vhost
	own := same(user, v.user) && same(password, v.pass)
	if !own || v.user == "" || v.pass == "" {
		k := &socket{server: s, profile: p, ip: ip, proxied: forwarded(r)}
		a, problem := s.check(r.Context(), k, user, password, nil)
		// Where everybody may log in (blind-reg), that proves nothing.
		if problem != "" || a.user == nil && a.uid != "root" {
			s.guesses.Failed(ip, user, time.Now())
			return false
		}
	}
	s.guesses.Passed(ip, user)
	return true
}
