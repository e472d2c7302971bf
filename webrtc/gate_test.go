package webrtc

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	pion "github.com/pion/webrtc/v4"

	"github.com/switchlet/switchlet/call/event"
)

// withParams adds parameters to the profile of the test's tree.
func withParams(params ...string) func(string) string {
	return func(tree string) string {
		var b strings.Builder
		for i := 0; i+1 < len(params); i += 2 {
			b.WriteString(`<param name="` + params[i] + `" value="` + params[i+1] + `"/>`)
		}
		return strings.Replace(tree, "  </profile>", b.String()+"  </profile>", 1)
	}
}

// port is where the first listener of the profile is.
func (b *box) port() string {
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	return b.s.listeners[0].Addr().String()
}

func TestUpgrade(t *testing.T) {
	b := newBox(t, withParams("allowed-origins", "https://good.example"))
	web := "http://" + b.port()
	res, err := http.Get(web + "/")
	must(t, err)
	res.Body.Close()
	if res.StatusCode != http.StatusBadRequest || res.Header.Get("Sec-WebSocket-Version") != "13" {
		t.Errorf("plain HTTP: %s %v", res.Status, res.Header)
	}
	for _, c := range []struct {
		name, origin string
		protocols    []string
		status       int
		chosen       string
	}{
		{"a list of protocols", "", []string{"foo", "bar"}, 101, "foo"},
		{"an allowed page", "https://good.example", nil, 101, ""},
		{"another page", "https://evil.example", nil, 403, ""},
	} {
		h := http.Header{}
		if c.origin != "" {
			h.Set("Origin", c.origin)
		}
		ws, res, err := websocket.Dial(t.Context(), web+"/any/path", &websocket.DialOptions{HTTPHeader: h, Subprotocols: c.protocols})
		if res == nil || res.StatusCode != c.status {
			t.Errorf("%s: %v %v", c.name, res, err)
			continue
		}
		if err == nil {
			if ws.Subprotocol() != c.chosen {
				t.Errorf("%s: protocol %q", c.name, ws.Subprotocol())
			}
			ws.CloseNow()
		}
	}
}

func TestListener_RefusedAddressIsClosedSilently(t *testing.T) {
	b := newBox(t, func(tree string) string {
		return strings.Replace(withParams("apply-connection-acl", "nobody")(tree), `<section name="configuration">`,
			`<section name="configuration"><configuration name="acl.conf"><network-lists><list name="nobody" default="deny"/></network-lists></configuration>`, 1)
	})
	c, err := net.Dial("tcp", b.port())
	must(t, err)
	defer c.Close()
	must(t, c.SetDeadline(time.Now().Add(patience)))
	if n, err := c.Read(make([]byte, 100)); n != 0 || err != io.EOF {
		t.Errorf("read %d bytes, %v", n, err)
	}
	res, err := http.Get(strings.Replace(b.url, "ws", "http", 1))
	must(t, err)
	res.Body.Close()
	if res.StatusCode != http.StatusForbidden {
		t.Errorf("on the page's port: %s", res.Status)
	}
}

func TestListener_SecureWithoutCertificate_StaysClosed(t *testing.T) {
	b := newBox(t, nil)
	bind := &bind{address: "127.0.0.1:8082", secure: true}
	if err := b.s.listen(b.s.profiles[0], bind); err == nil || bind.up {
		t.Errorf("listens without a certificate: %v", err)
	}
}

func TestProfile_WithoutUserauthIsNotOpen(t *testing.T) {
	drop := func(tree string) string { return strings.Replace(tree, `<param name="userauth" value="true"/>`, "", 1) }
	newBox(t, drop).open().refused("verto.subscribe", fields{"eventChannel": "demo"}, "Authentication Required")
	// Who says so has an open profile.
	p := newBox(t, func(tree string) string { return withParams("blind-reg", "true")(drop(tree)) }).open()
	if r := p.result("verto.subscribe", fields{"eventChannel": "demo"}); r["sessid"] == "" {
		t.Errorf("%v", r)
	}
}

// frame is a masked frame of a client, with a mask of zeros.
func frame(head byte, payload string) []byte {
	return append([]byte{head, 0x80 | byte(len(payload)), 0, 0, 0, 0}, payload...)
}

// heard reads one short frame of the server.
func heardFrame(t *testing.T, r *bufio.Reader) (head byte, payload string) {
	t.Helper()
	var b [2]byte
	_, err := io.ReadFull(r, b[:])
	must(t, err)
	n := int(b[1])
	if n == 126 {
		var more [2]byte
		_, err := io.ReadFull(r, more[:])
		must(t, err)
		n = int(more[0])<<8 | int(more[1])
	}
	text := make([]byte, n)
	_, err = io.ReadFull(r, text)
	must(t, err)
	return b[0], string(text)
}

func TestFrames_PingFragmentsBinaryAndUnknown(t *testing.T) {
	b := newBox(t, nil)
	c, r := b.raw()
	c.Write(frame(0x89, "are you there"))
	if head, text := heardFrame(t, r); head != 0x8a || text != "are you there" {
		t.Errorf("pong %x %q", head, text)
	}
	want := `{"jsonrpc":"2.0","id":4,"error":{"code":-32000,"message":"Authentication Required"}}`
	c.Write(frame(0x01, `{"jsonrpc":"2.0","id":4,`)) // text, more to come
	c.Write(frame(0x80, `"method":"login","params":{}}`))
	if head, text := heardFrame(t, r); head != 0x81 || text != want {
		t.Errorf("fragments: %x %s", head, text)
	}
	c.Write(frame(0x82, `{"jsonrpc":"2.0","id":4,"method":"login","params":{}}`))
	if head, text := heardFrame(t, r); head != 0x81 || text != want {
		t.Errorf("binary: %x %s", head, text)
	}
	c.Write(frame(0x81, ""))
	c.Write(frame(0x83, "what"))
	if head, text := heardFrame(t, r); head != 0x88 || !strings.HasPrefix(text, "\x03\xea") {
		t.Errorf("unknown opcode: %x %q, want close 1002", head, text)
	}
}

func TestSocket_WhoIsSilentIsAskedAndThenClosed(t *testing.T) {
	b := newBox(t, nil)
	p := b.login("1000", "secret", "s1")
	b.s.tendOnce(time.Now().Add(pingAfter + time.Second))
	if ping := p.next("verto.ping"); ping["serno"] == nil {
		t.Errorf("ping: %v", ping)
	}
	b.s.tendOnce(time.Now().Add(silenceLimit + time.Second))
	p.closed()
}

func TestLogin_WhoIsMeant(t *testing.T) {
	b := newBox(t, nil)
	for _, c := range []struct {
		name, login, password string
		profile               profile
		uid, refused          string
	}{
		{"user and domain", "1000@test", "secret", profile{userauth: "true", chopDomain: true}, "1000@test", ""},
		{"another domain", "1000@elsewhere", "secret", profile{userauth: "true", chopDomain: true}, "", "Login Incorrect"},
		{"the profile's domain wins", "1000@elsewhere", "secret", profile{userauth: "true", chopDomain: true, forceDomain: "test"}, "1000@test", ""},
		{"a domain for all", "1000", "secret", profile{userauth: "@test", chopDomain: true}, "1000@test", ""},
		{"a domain for all takes the whole name", "1000@test", "secret", profile{userauth: "@test", chopDomain: true}, "", "Login Incorrect"},
		{"the whole name", "1000@test", "secret", profile{userauth: "true"}, "", "Login Incorrect"},
		{"nobody", "@test", "secret", profile{userauth: "true", chopDomain: true}, "", "Missing or improper credentials"},
		{"root", "root", "open sesame", profile{userauth: "true", root: "open sesame"}, "root", ""},
		{"root with a wrong password", "root", "x", profile{userauth: "true", root: "open sesame"}, "", "Authentication Failure"},
		{"root without such a password", "root", "x", profile{userauth: "true", chopDomain: true}, "", "Login Incorrect"},
		{"anybody, if that is meant", "guest7", "x", profile{userauth: "true", chopDomain: true, blind: true}, "guest7@test", ""},
		{"but not as a user", "1000", "x", profile{userauth: "true", chopDomain: true, blind: true}, "", "Authentication Failure"},
	} {
		k := &socket{profile: &c.profile, ip: netip.MustParseAddr("192.0.2.1")}
		a, refused := b.s.check(t.Context(), k, c.login, c.password, params{})
		if refused != c.refused || refused == "" && a.uid != c.uid {
			t.Errorf("%s: %+v %q", c.name, a, refused)
		}
	}
}

func TestLogin_ReplyTellsRightsAndEnd(t *testing.T) {
	b := newBox(t, func(tree string) string {
		return strings.Replace(tree, `<variable name="accountcode" value="A1"/>`, `<variable name="moderator" value="true"/>
			<variable name="superuser" value="true"/><variable name="stereo_audio" value="true"/><variable name="login-expires" value="1000"/>`, 1)
	})
	p := b.open()
	r := p.result("login", fields{"login": "1000", "passwd": "secret", "sessid": "not one"})
	ends, _ := r["auth-expires"].(float64)
	if left := time.Until(time.Unix(int64(ends), 0)); left < expiredGrace-time.Minute || left > expiredGrace {
		t.Errorf("ends in %v", left)
	}
	sessid, _ := r["sessid"].(string)
	if r["moderator"] != true || r["superuser"] != true || r["stereoAudio"] != true || len(sessid) != 36 {
		t.Errorf("login: %v", r)
	}
	if r := p.result("verto.ping", fields{"sessid": "another"}); r["auth-expires"] != ends || r["sessid"] != sessid {
		t.Errorf("ping: %v", r)
	}
	b.s.tendOnce(time.Now().Add(expiredGrace + 2*time.Second))
	if code := p.closed(); code != websocket.StatusNormalClosure {
		t.Errorf("closed with %v", code)
	}
}

func TestLogin_EventsTellOfIt(t *testing.T) {
	b := newBox(t, nil)
	p := b.open()
	p.refused("login", fields{"login": "1000", "passwd": "wrong", "sessid": "e1"}, "Authentication Failure")
	p.result("login", fields{"login": "1000", "passwd": "secret", "sessid": "e1"})
	p.ws.CloseNow()
	find := func(subclass string, facts ...string) func() bool {
		return func() bool {
			b.mu.Lock()
			defer b.mu.Unlock()
			return slices.ContainsFunc(b.events, func(e *event.Event) bool {
				ok := e.Subclass == subclass && e.Get("verto_profile_name") == "default-v4" && strings.HasPrefix(e.Get("verto_client_address"), "127.0.0.1:")
				for i := 0; i+1 < len(facts); i += 2 {
					ok = ok && e.Get(facts[i]) == facts[i+1]
				}
				return ok
			})
		}
	}
	until(t, "client_connect", find("verto::client_connect"))
	until(t, "the refusal", find("verto::login", "verto_login", "1000", "verto_success", "0", "verto_result_txt", "Authentication Failure", "verto_sessid", ""))
	until(t, "the login", find("verto::login", "verto_login", "1000", "verto_success", "1", "verto_result_txt", "Logged in", "verto_sessid", "e1"))
	until(t, "client_disconnect", find("verto::client_disconnect", "verto_login", "1000@test"))
}

// A browser's variables never stand beside those of the switch.
func TestLogin_VariablesOfTheBrowserHavePrefixes(t *testing.T) {
	b := newBox(t, nil)
	p := b.open()
	p.result("login", fields{"login": "1000", "passwd": "secret", "userVariables": fields{
		"toll_allow": "international", "yes": true, "number": 5, "bad name": "x", "line": "a\r\nb"}})
	w := newBrowser(t, pion.MimeTypeOpus, 48000, 2)
	p.result("verto.invite", fields{"sdp": w.offer(), "dialogParams": fields{"callID": "vars", "destination_number": "park", "login": "x", "tag": fields{},
		"remote_caller_id_name": "Far", "remote_caller_id_number": "12", "rdnis": "77", "userVariables": fields{"color": "red", "accountcode": "B2"},
		"audio": fields{"echoCancellation": true}}})
	p.next("verto.answer")
	c := b.sw.Find("vars")
	for name, want := range map[string]string{"verto_uvar_toll_allow": "international", "toll_allow": "", "verto_uvar_yes": "true", "verto_uvar_number": "",
		"verto_uvar_line": "ab", "verto_dvar_color": "red", "verto_dvar_accountcode": "B2", "accountcode": "A1", "color": "",
		"verto_echoCancellation": "true", "verto_noiseSuppression": "false", "verto_autoGainControl": "false",
		"verto_remote_caller_id_name": "Far", "verto_remote_caller_id_number": "12", "verto_user": "1000@test", "verto_host": "test",
		"chat_proto": "verto", "event_channel_cookie": p.result("verto.ping", nil)["sessid"].(string), "secondary_recovery_module": "mod_verto"} {
		if got := c.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if c.Get("switch_r_sdp") == "" || !strings.HasPrefix(c.Get("verto_client_address"), "127.0.0.1:") || c.Profile().RDNIS != "77" || c.Name() != "verto.rtc/park" {
		t.Errorf("%s %+v", c.Name(), c.Profile())
	}
	p.result("verto.invite", fields{"sdp": "v=0", "dialogParams": fields{"callID": "nowhere"}})
	p.next("verto.bye")
	until(t, "the call without a number goes to service", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return slices.ContainsFunc(b.events, func(e *event.Event) bool { return e.Get("Channel-Name") == "verto.rtc/service" })
	})
}

func TestSession_OfAnotherUserClosesTheSocket(t *testing.T) {
	b := newBox(t, nil)
	b.login("1000", "secret", "s1")
	p := b.open()
	p.refused("login", fields{"login": "1002", "passwd": "json", "sessid": "s1"}, "Session in use")
	if code := p.closed(); code != websocket.StatusNormalClosure {
		t.Errorf("closed with %v", code)
	}
	for text, ok := range map[string]bool{"": false, "a b": false, "a/b": false, "a\x00": false, "A-z_9": true,
		strings.Repeat("x", maxSessid): true, strings.Repeat("x", maxSessid+1): false} {
		if validSessid(text) != ok {
			t.Errorf("%q: %v", text, !ok)
		}
	}
}

func TestCommands_StatusAnnounceAndRights(t *testing.T) {
	b := newBox(t, nil)
	p, stranger := b.login("1000", "secret", "s1"), b.open()
	run := func(args string) string {
		out, err := b.sw.Run(context.Background(), "verto", args, nil, nil)
		must(t, err)
		return out
	}
	var address string
	until(t, "both sockets", func() bool {
		_, clients := b.s.report()
		for _, c := range clients {
			if c.user == "1000" {
				address = c.remote
			}
		}
		return len(clients) == 2
	})
	if out := run("status"); !strings.Contains(out, "default-v4::@\tclient\t") || !strings.Contains(out, "\tCONN_NO_REG (WS)\n") || !strings.Contains(out, "1 profile , 2 clients\n") {
		t.Errorf("status:\n%s", out)
	}
	if out := run("xmlstatus"); !strings.HasPrefix(out, "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<profiles>\n<profile>\n<name>default-v4</name>\n<type>profile</type>\n<data>ws:127.0.0.1:8081</data>\n<state>RUNNING</state>\n</profile>\n") ||
		!strings.Contains(out, "<client>\n<profile>default-v4</profile>\n<name>1000@test</name>\n<type>client</type>\n<data>"+address+"</data>\n<state>CONN_REG (WS)</state>\n</client>\n") {
		t.Errorf("xmlstatus:\n%s", out)
	}
	users := params(parseParams([]byte(run("jsonstatus"))))["profiles"].([]any)[0].(map[string]any)
	if list := users["users"].([]any); users["id"] != "ws:127.0.0.1:8081" || users["type"] != "BASIC" || users["state"] != "RUNNING" || len(list) != 2 {
		t.Errorf("jsonstatus: %v", users)
	}
	if out := run(""); !strings.HasPrefix(out, "USAGE:") {
		t.Errorf("usage: %q", out)
	}
	if out := run("nonsense"); out != "Unknown Command [nonsense]\n" {
		t.Errorf("unknown: %q", out)
	}
	if out := run("debug 3"); out != "Debug Level: 3\n" {
		t.Errorf("debug: %q", out)
	}
	if out := run("announce down at noon"); out != "+OK\n" {
		t.Errorf("announce: %q", out)
	}
	if words, _ := p.next("verto.announce")["msg"].([]any); len(words) != 3 || words[2] != "noon" {
		t.Errorf("announced %v", words)
	}
	stranger.refused("login", fields{}, "Authentication Required")
	if len(stranger.in) > 0 {
		t.Errorf("a stranger is told %v", <-stranger.in)
	}
	if out := run("noperm s1 event_channels demo"); out != "+OK" {
		t.Errorf("noperm: %q", out)
	}
	if r := p.ask("verto.subscribe", fields{"eventChannel": "demo.a"}); r["error"] == nil {
		t.Errorf("subscribe: %v", r)
	}
	if out := run("perm s1 nonsense x") + run("perm s9 methods x") + run("perm s1"); out != "-ERR-ERR-ERR" {
		t.Errorf("perm: %q", out)
	}
}

func TestSpeedTest(t *testing.T) {
	b := newBox(t, nil)
	stranger := b.open()
	stranger.write("#SPU 2048")
	stranger.closed()
	p := b.login("1000", "secret", "s1")
	p.next("verto.clientReady")
	began := time.Now()
	for _, text := range []string{"#", "#XYZ", "#SPU 0", "#SPU 99999999", "#SPE", "#SPU 2048", "#SPB ...", "#SPB ...", "#SPE"} {
		p.write(text)
	}
	bytes := 0
	for first := true; ; first = false {
		text, _ := p.message()["raw"].(string)
		if first != strings.HasPrefix(text, "#SPU ") {
			t.Fatalf("got %.20q", text)
		}
		if strings.HasPrefix(text, "#SPD ") {
			break
		}
		if strings.HasPrefix(text, "#SPB") {
			bytes += len(text)
		}
	}
	if bytes != speedRounds*2048 {
		t.Errorf("%d bytes in all", bytes)
	}
	for _, text := range []string{"#SPU 2048", "#SPE"} { // too soon
		p.write(text)
	}
	p.result("verto.ping", nil)
	if len(p.in) > 0 && time.Since(began) < speedEvery {
		t.Errorf("a second test: %v", <-p.in)
	}
}
