package appliance

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/directory"
	"github.com/switchlet/switchlet/conf"
)

const (
	maxForm       = 8191 // bytes of a posted form, which has requestTimeout to arrive
	maxFormFields = 100
	maxHTTPRuns   = 32 // commands at once
)

// httpAPI runs commands for who asks by http, at the paths of mod_xml_rpc: /api/,
// /webapi/, /txtapi/ and /xmlapi/, with the command behind them and its arguments
// as the query. xml_rpc.conf names who may.
type httpAPI struct {
	box     *Box
	guesses directory.Guesses
	runs    chan struct{} // a place for each command that runs
}

func newHTTPAPI(b *Box) *httpAPI { return &httpAPI{box: b, runs: make(chan struct{}, maxHTTPRuns)} }

// register puts the paths into the web's.
func (h *httpAPI) register(mux *http.ServeMux) {
	for prefix, kind := range map[string]string{"/api/": "", "/webapi/": "text/html", "/txtapi/": "text/plain", "/xmlapi/": "text/xml"} {
		mux.HandleFunc(prefix, func(w http.ResponseWriter, r *http.Request) { h.serve(w, r, prefix, kind) })
	}
}

// login is the user and the password that xml_rpc.conf names, where mod_xml_rpc is
// loaded.
func (h *httpAPI) login() (realm, user, password string, ok bool) {
	tree := h.box.store.Tree()
	p := conf.Params(tree.Configuration("xml_rpc.conf"))
	realm, user, password = p.Get("auth-realm"), p.Get("auth-user"), p.Get("auth-pass")
	return realm, user, password, user != "" && password != "" && tree.Loads("mod_xml_rpc")
}

// judge says why a request is refused, status 0 if it is not.
func (h *httpAPI) judge(w http.ResponseWriter, r *http.Request, now time.Time) (status int, text string) {
	realm, user, password, ok := h.login()
	if !ok {
		return http.StatusNotFound, "commands by http are off: xml_rpc.conf wants auth-user and auth-pass, and modules.conf mod_xml_rpc"
	}
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return http.StatusForbidden, "who asks?"
	}
	ip := from.Addr().Unmap()
	proxied := r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != ""
	switch site := r.Header.Get("Sec-Fetch-Site"); {
	case site != "" && site != "same-origin" && site != "none":
		return http.StatusForbidden, "not from pages of other sites"
	case r.TLS == nil && !ip.IsLoopback():
		return http.StatusForbidden, "from other machines over https only"
	case !trusted(r): // the browser does not say of which site it asks, nor need the name be ours
		return http.StatusForbidden, "by https, or as localhost on this machine"
	case h.guesses.Locked(ip, now):
		return http.StatusTooManyRequests, "too many failures, try again in a minute"
	case (proxied || !ip.IsLoopback()) && !h.box.allowGuessable() && conf.WeakPassword(user, password):
		return http.StatusForbidden, "everybody knows the password of xml_rpc.conf: it lets in from this machine only"
	}
	name, given, ok := r.BasicAuth()
	if !ok || !same(name, user) || !same(given, password) {
		if ok {
			h.guesses.Failed(ip, "", now)
			h.box.log.Printf(call.LogWarning, "web: wrong password for %s from %s", r.URL.Path, ip)
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="`+strings.NewReplacer(`"`, "", `\`, "").Replace(firstOf(realm, "freeswitch"))+`"`)
		return http.StatusUnauthorized, "the user and the password of xml_rpc.conf are wanted"
	}
	h.guesses.Passed(ip, "")
	return 0, ""
}

// same compares secrets in a time that tells nothing.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

func (h *httpAPI) serve(w http.ResponseWriter, r *http.Request, prefix, kind string) {
	head := w.Header()
	head.Set("Cache-Control", "no-store")
	head.Set("X-Content-Type-Options", "nosniff")
	// What is shown may be what callers said, and the page for calls is of this
	// origin: a reply may have forms, and runs nothing. Nor does it load anything,
	// as a command is run by the address of an image, too.
	head.Set("Content-Security-Policy", "sandbox allow-forms allow-same-origin; default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	if status, text := h.judge(w, r, time.Now()); status != 0 {
		http.Error(w, text, status)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		head.Set("Allow", "GET, POST")
		http.Error(w, "GET or POST", http.StatusMethodNotAllowed)
		return
	}
	params, args, err := requestParams(w, r, kind)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	select {
	case h.runs <- struct{}{}:
		defer func() { <-h.runs }()
	default:
		http.Error(w, "too many commands at once", http.StatusServiceUnavailable)
		return
	}
	command, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, prefix), "/")
	if rest != "" {
		params["HTTP-Path-Info"] = rest
	}
	out, err := h.box.Switch.Run(r.Context(), command, args, nil, params)
	if errors.Is(err, call.ErrNoCommand) {
		out = "INVALID COMMAND!\n"
	}
	if kind == "" {
		kind, out = ownType(out)
	}
	head.Set("Content-Type", kind)
	// The client that has gone away needs no answer.
	_, _ = io.WriteString(w, out)
}

// requestParams is what a command learns of the request, and its arguments: the
// query, and, of a form that was posted, its fields.
func requestParams(w http.ResponseWriter, r *http.Request, kind string) (params map[string]string, args string, err error) {
	if args, err = url.PathUnescape(r.URL.RawQuery); err != nil {
		return nil, "", err
	}
	query := r.URL.RawQuery
	if r.Method == http.MethodPost {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
		if err != nil {
			return nil, "", err
		}
		query = string(body)
	}
	params = map[string]string{"HTTP-URI": r.URL.Path, "HTTP-QUERY": query, "HTTP-HOST": r.Host, "HTTP-USER-AGENT": r.UserAgent(),
		"HTTP-REFERER": r.Referer(), "HTTP-REQUESTLINE": r.Method + " " + r.RequestURI + " " + r.Proto}
	if kind == "" {
		params["HTTP-API"] = "api"
	} else {
		params["Content-Type"] = kind
	}
	fields := strings.SplitN(query, "&", maxFormFields+1)
	for _, field := range fields[:min(len(fields), maxFormFields)] {
		name, value, ok := strings.Cut(field, "=")
		name, nameErr := url.QueryUnescape(name)
		value, valueErr := url.QueryUnescape(value)
		upper := strings.ToUpper(name)
		if !ok || nameErr != nil || valueErr != nil || name == "" || name[0] == '_' || strings.ContainsAny(name, ":\r\n") ||
			strings.HasPrefix(upper, "HTTP-") || upper == "CONTENT-TYPE" {
			continue // what the request says itself cannot be replaced
		}
		if _, ok := params[name]; !ok {
			params[name] = value
		}
	}
	return params, args, nil
}

// ownType takes the head from a reply that begins with a type of its own.
func ownType(out string) (kind, rest string) {
	line, rest, ok := strings.Cut(out, "\n")
	const name = "Content-Type:"
	if !ok || len(line) < len(name) || !strings.EqualFold(line[:len(name)], name) {
		return "text/plain", out
	}
	kind = strings.TrimSpace(line[len(name):])
	return kind, strings.TrimPrefix(strings.TrimPrefix(rest, "\r"), "\n")
}
