package appliance_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/switchlet/switchlet/test/box"
)

const rpcConf = `<configuration name="xml_rpc.conf"><settings>
<param name="http-port" value="8080"/><param name="auth-realm" value="here"/><param name="auth-user" value="freeswitch"/><param name="auth-pass" value="letme-9"/>
</settings></configuration>`

// portal is the page of the guides, as a script that is called by http.
const portal = `stream:write("Content-Type: text/html\n\n");
stream:write("<form method=post><input name=command size=40></form>");
command = env:getHeader("command");
if (command)  then
   api = freeswitch.API();
   reply = api:executeString(command);
   if (reply) then
      stream:write("<br><B>Command Result</b><br>" .. reply .. "\n");
   end
end
env:addHeader("cool", "true");
stream:write(env:serialize() .. "\n\n");`

func TestHTTPAPI_RunsCommandsAndPagesOfScripts(t *testing.T) {
	b := box.Start(t, box.Setup{Files: map[string]string{"autoload_configs/xml_rpc.conf.xml": rpcConf}, Scripts: map[string]string{"lua/api.lua": portal}})
	ask := func(method, path, password, site, body string) (*http.Response, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, "http://"+b.Addr(box.HTTP)+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if password != "" {
			r.SetBasicAuth("freeswitch", password)
		}
		if site != "" {
			r.Header.Set("Sec-Fetch-Site", site)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, string(text)
	}
	for _, c := range []struct {
		method, path, password, site, body string
		status                             int
		kind, want                         string
	}{
		{"GET", "/api/lua?lua/api.lua", "letme-9", "", "", 200, "text/html", "<form method=post>"},
		{"GET", "/api/lua?lua/api.lua", "letme-9", "none", "", 200, "text/html", "cool: true"},
		{"POST", "/api/lua?lua/api.lua", "letme-9", "same-origin", "command=expr+1%2b1", 200, "text/html", "<B>Command Result</b><br>2\n"},
		{"GET", "/api/expr?1+1", "letme-9", "", "", 200, "text/plain", "2"},
		{"GET", "/txtapi/echo?a%20b", "letme-9", "", "", 200, "text/plain", "a b"},
		{"GET", "/webapi/echo?<b>", "letme-9", "", "", 200, "text/html", "<b>"},
		{"GET", "/xmlapi/show?channels%20as%20xml", "letme-9", "", "", 200, "text/xml", `<result row_count="0"/>`},
		{"GET", "/webapi/nosuch", "letme-9", "", "", 200, "text/html", "INVALID COMMAND!\n"},
		{"GET", "/api/lua?nosuch.lua", "letme-9", "", "", 200, "text/plain", "<H2>Error Executing Script</H2>"},
		{"GET", "/api/status", "letme-9", "cross-site", "", 403, "text/plain", "other sites"},
		{"PUT", "/api/status", "letme-9", "", "", 405, "text/plain", "GET or POST"},
		{"POST", "/api/status", "letme-9", "", strings.Repeat("x", 9000), 400, "text/plain", "too large"},
		{"GET", "/api/status", "", "", "", 401, "text/plain", "xml_rpc.conf"},
		{"GET", "/api/status", "wrong", "", "", 401, "text/plain", "xml_rpc.conf"},
	} {
		resp, text := ask(c.method, c.path, c.password, c.site, c.body)
		if resp.StatusCode != c.status || !strings.HasPrefix(resp.Header.Get("Content-Type"), c.kind) || !strings.Contains(text, c.want) {
			t.Errorf("%s %s: %s, %s\n%s", c.method, c.path, resp.Status, resp.Header.Get("Content-Type"), text)
		}
		if p := resp.Header.Get("Content-Security-Policy"); !strings.HasPrefix(p, "sandbox ") || strings.Contains(p, "allow-scripts") ||
			!strings.Contains(p, "default-src 'none'") || strings.Contains(strings.ReplaceAll(p, "form-action 'self'", ""), "'self'") {
			t.Errorf("%s: policy %q", c.path, p)
		}
		if (c.status == 401) != (resp.Header.Get("WWW-Authenticate") == `Basic realm="here"`) {
			t.Errorf("%s: challenge %q", c.path, resp.Header.Get("WWW-Authenticate"))
		}
	}
	// A form cannot pretend to be the request.
	if _, text := ask("POST", "/api/lua?lua/api.lua", "letme-9", "", url.Values{"HTTP-URI": {"/forged"}, "_body": {"forged"}}.Encode()); !strings.Contains(text, "\nHTTP-URI: /api/lua\n") || strings.Contains(text, "\nforged") {
		t.Errorf("the request is told as %s", text)
	}
	for range 5 {
		ask("GET", "/api/status", "wrong", "", "")
	}
	if resp, _ := ask("GET", "/api/status", "letme-9", "", ""); resp.StatusCode != http.StatusTooManyRequests {
		t.Errorf("after many wrong passwords: %s", resp.Status)
	}
}

func TestHTTPAPI_IsOffUnlessAskedFor(t *testing.T) {
	b := box.Start(t, box.Setup{})
	for _, path := range []string{"/api/status", "/webapi/status", "/txtapi/status"} {
		if text, status := get(t, "http://"+b.Addr(box.HTTP)+path, nil); status != http.StatusNotFound || strings.Contains(text, "is ready") {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
}
