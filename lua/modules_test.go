package lua

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestRequire_ModulesWithoutFiles(t *testing.T) {
	t.Parallel()
	b := newBox(t, "", nil)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Answer", "yes")
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, "/here", http.StatusFound)
		case "/slow":
			select {
			case <-r.Context().Done():
			case <-time.After(patience):
			}
		case "/large":
			io.Copy(w, io.LimitReader(zeros{}, 40<<20))
		default:
			user, password, _ := r.BasicAuth()
			fmt.Fprintf(w, "%s %s %s %s %s %s|%s", r.Method, r.URL, r.Header.Get("Content-Type"), r.Header.Get("X-Mine"), user, password, body)
		}
	}))
	defer server.Close()
	for _, c := range []struct{ name, script, want string }{
		// LuaSQL.
		{"luasql", `local luasql = require "luasql.sqlite3" local env = assert(luasql.sqlite3()) local con = assert(env:connect("people.db"))
			w(con:execute("CREATE TABLE IF NOT EXISTS people (name varchar(50), age integer, note text)"), con:execute("DELETE FROM people"))
			for _, p in ipairs({{"Ann", 30}, {"Bob", 40}}) do w(con:execute(string.format("INSERT INTO people VALUES ('%s', %d, NULL)", con:escape(p[1]), p[2]))) end
			local cur = assert(con:execute("SELECT name, age, note FROM people ORDER BY age"))
			w(table.concat(cur:getcolnames(), ","), cur:numrows())
			local row = cur:fetch({}, "a") while row do w(row.name, row.age + 1, row.note) row = cur:fetch(row, "a") end
			w(con:execute("UPDATE people SET age = 1"), con:close(), con:close(), env:close())`,
			"0 0 1 1 name,age,note 2 Ann 31 nil Bob 41 nil 2 true false true"},
		{"luasql rows", `local con = require("luasql.sqlite3").sqlite3():connect("") con:execute("CREATE TABLE t (a, b)") con:execute("INSERT INTO t VALUES (1, NULL)")
			w(con:execute("SELECT a, b, a FROM t"):fetch()) w(con:execute("SELECT * FROM t WHERE a = 2"):fetch()) local t = con:execute("SELECT a, b, 'x' AS c FROM t"):fetch({}) w(t[1], t[2], t[3], t.c)
			w(con:execute("SELEKT")) w(luasql.sqlite3 ~= nil, con:getlastautoid())`,
			`1 nil 1 nil 1 nil x nil nil LuaSQL: near "SELEKT": syntax error true 1`},
		{"luasql transactions", `local con = require("luasql.sqlite3").sqlite3():connect("") con:execute("CREATE TABLE t (a)") con:setautocommit(false)
			con:execute("INSERT INTO t VALUES (1)") con:rollback() con:execute("INSERT INTO t VALUES (2)") con:commit() con:execute("INSERT INTO t VALUES (3)") con:setautocommit(true)
			w(con:execute("SELECT group_concat(a) FROM t"):fetch())`, "2"},
		{"luasql memory is one's own", `local e = require("luasql.sqlite3").sqlite3() e:connect(":memory:"):execute("CREATE TABLE t (a)") w(e:connect(":memory:"):execute("SELECT * FROM t"))`, "nil LuaSQL: no such table: t"},
		{"luasql elsewhere", `local e = require("luasql.postgres").postgres() w(e:connect("d", "u", "it's secret", "127.0.0.1", 1))`, "nil LuaSQL: Failure to connect to CORE_DB pgsql://dbname='d' user='u' password=*** host='127.0.0.1' port='1' !*"},
		{"luasql mysql", `luasql = require "luasql.mysql" w(luasql.mysql():connect("d", "u", "se;cret", "127.0.0.1", 1))`, "nil LuaSQL: Failure to connect to CORE_DB mariadb://Server={127.0.0.1};Port={1};Database={d};Uid={u};Pwd=***;!"},
		{"luasql odbc", `w(require("luasql.odbc").odbc():connect("crm", "u", "p"))`, "nil LuaSQL: Failure! ODBC NOT AVAILABLE! Can't connect to DSN crm"},
		{"luasql closed", `local e = require("luasql.sqlite3").sqlite3() local c = e:connect("") c:close() w(pcall(c.execute, c, "SELECT 1"))`, "false *LuaSQL: connection is closed"},
		// lsqlite3.
		{"lsqlite3", `local sqlite3 = require "lsqlite3" local db = sqlite3.open_memory() w(db:exec[[CREATE TABLE t (id INTEGER PRIMARY KEY, content TEXT); INSERT INTO t VALUES (NULL, 'Hello'); INSERT INTO t VALUES (NULL, 'World')]])
			for row in db:nrows("SELECT * FROM t") do w(row.id, row.content) end for a in db:rows("SELECT id FROM t") do w(a[1]) end for id, c in db:urows("SELECT id, content FROM t") do w(id, c) end
			w(db:last_insert_rowid(), db:changes(), db:exec("SELEKT"), db:errmsg(), db:isopen(), db:close(), db:isopen())`,
			`0 1 Hello 2 World 1 2 1 Hello 2 World 2 1 1 near "SELEKT": syntax error true 0 false`},
		{"lsqlite3 exec", `local db = require("lsqlite3").open("") db:exec("CREATE TABLE t (a, b); INSERT INTO t VALUES (1, NULL)") w(db:exec("SELECT * FROM t", function(data, n, values, names) w(data, n, values[1], values[2], names[1], names[2]) return 0 end, "data"), db:exec("SELECT 1", function() return 1 end))`, "data 2 1 nil a b 0 4"},
		{"lsqlite3 statements", `local sqlite3 = require "lsqlite3" local db = sqlite3.open_memory() db:exec("CREATE TABLE t (a, b)") local ins = assert(db:prepare("INSERT INTO t VALUES (?, :b)"))
			for _, v in ipairs({{1, "it's"}, {-2.5, "x?y"}, {3, nil}}) do ins:bind_values(v[1], v[2]) w(ins:step()) ins:reset() end ins:finalize()
			local q = db:prepare("SELECT a, b FROM t WHERE a > $low AND b <> '?' -- ?") q:bind_names({low = -10}) while q:step() == sqlite3.ROW do w(q:get_value(0), q:get_uvalues()) end
			for row in q:nrows() do w(row.b) end w(q:bind_parameter_count(), q:columns(), q:get_name(1), db:prepare("SELEKT"))`,
			"101 101 101 1 1 it's -2.5 -2.5 x?y it's x?y 1 2 b nil 1"},
		// JSON.
		{"cjson", `local cjson = require "cjson" w(cjson.encode({1, "zwei", {drei = true}, cjson.null}), cjson.encode({}), cjson.encode(cjson.empty_array))
			local t = cjson.decode('{"a": [1, null, 2.5], "b": {"c": "\\u00e9\\n"}, "d": null}') w(#t.a, t.a[2] == cjson.null, t.b.c, t.d == cjson.null)
			w(pcall(cjson.decode, "{")) w(pcall(cjson.decode, '{"a":1} x')) w(pcall(cjson.encode, {print})) w(pcall(cjson.encode, {[1] = 1, [1000] = 2})) w(pcall(cjson.encode, 0/0))`,
			"[1,\"zwei\",{\"drei\":true},null] {} [] 3 true é\n true false *Expected value but found T_END at character 2 false *Expected the end but found something else at character * false *Cannot serialise function: type not supported false *excessively sparse array false *must not be NaN or Infinity"},
		{"cjson.safe", `w(require("cjson.safe").decode("nonsense")) local t = {} t.t = t w(require("cjson.safe").encode(t))`, "nil *Expected value but found invalid token at character * nil *excessive depth (1001)"},
		{"dkjson", `local json = require "dkjson" w(json.encode({a = 1, b = {1, 2, json.null}}, {keyorder = {"b", "a"}}), json.encode({x = {1}}, {indent = true}), json.encode({}))
			local v, pos, err = json.decode('{"k": [true, null, {}]} rest', 1, nil) w(v.k[1], v.k[2], getmetatable(v.k).__jsontype, getmetatable(v.k[3]).__jsontype, pos, err)
			w(json.decode("[1,", 1)) w(json.decode('null', 1, json.null) == json.null, json.quotestring('a"b'), json.encode((json.decode("[]"))))`,
			"{\"b\":[1,2,null],\"a\":1} {\n  \"x\": [\n    1\n  ]\n} [] true nil array object 24 nil nil 4 Expected value but found T_END at character 4 true \"a\\\"b\" []"},
		// Requests.
		{"http get", `local http = require "socket.http" local body, code, headers, status = http.request("URL/x?a=b") w(body, code, headers["x-answer"], status)`, "GET /x?a=b    | 200 yes HTTP/1.1 200 OK"},
		{"http post", `local body, code = require("socket.http").request("URL/y", "a=1&b=2") w(body, code)`, "POST /y application/x-www-form-urlencoded   |a=1&b=2 200"},
		{"http table", `local http, ltn12 = require "socket.http", require "ltn12" local out = {} w(http.request{url = "URL/z", method = "PUT", headers = {["X-Mine"] = 7, ["Content-Length"] = 4}, source = ltn12.source.string("data"), sink = ltn12.sink.table(out), user = "me", password = "pw"}) w(table.concat(out))`, "1 200 table: * HTTP/1.1 200 OK PUT /z  7 me pw|data"},
		{"http redirect", `local http = require "socket.http" w((http.request("URL/away"))) local ok, code, headers = http.request{url = "URL/away", redirect = false} w(ok, code, headers.location)`, "GET /here    | 1 302 /here"},
		{"http refused", `w(require("socket.http").request("http://127.0.0.1:1/"))`, "nil connection refused"},
		{"http slow", `local http = require "socket.http" http.TIMEOUT = 0.05 w(http.request("URL/slow"))`, "nil timeout"},
		{"http large", `w(require("socket.http").request("URL/large"))`, "nil the answer is longer than 32 MiB"},
		{"http scheme", `w(require("socket.http").request("file:///etc/passwd"))`, `nil *unsupported protocol scheme "file"`},
		{"https", `w(type(require("ssl.https").request))`, "function"},
		// The rest.
		{"ltn12", `local l = require "ltn12" local out = {} local up = function(c) return c and c:upper() end
			w(l.pump.all(l.source.chain(l.source.cat(l.source.string("ab"), l.source.string("cd")), up), l.sink.table(out)), table.concat(out)) w(l.pump.all(l.source.error("broken"), l.sink.null()))`, "1 ABCD nil broken"},
		{"mime and url", `local mime, url = require "mime", require "socket.url" w(mime.b64("hello"), mime.unb64("aGVs\nbG8="), url.escape("a b&c"), url.unescape("a%20b"), url.parse("http://u:p@h:8080/p?q#f").port)`, "aGVsbG8= hello a%20b%26c a b 8080"},
		{"socket", `local s = require "socket" local t = s.gettime() s.sleep(0.01) w(s.gettime() - t >= 0.01) w(pcall(s.tcp))`, "true false *socket.tcp is not provided by this switch: *"},
		{"absent", `w(pcall(require, "lfs"))`, "false *module 'lfs' not found:*not provided by this switch: use io.open and io.popen"},
		{"loaded once", `w(require "cjson" == require "cjson", package.loaded["luasql.mysql"])`, "true nil"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b.t = t
			script := `local n = 0 local function w(...) for i = 1, select("#", ...) do stream:write((n > 0 and " " or "") .. tostring((select(i, ...)))) n = n + 1 end end ` +
				strings.ReplaceAll(c.script, "URL", server.URL)
			if got := b.lua(script); !same(strings.TrimSpace(got), strings.TrimSpace(c.want)) {
				t.Errorf("got  %q\nwant %q\n%s", got, c.want, b.logged())
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestRequire_OwnFileOfThatNameComesFirstWhereItWorks(t *testing.T) {
	b := newBox(t, "", nil)
	b.write("dkjson.lua", `return {own = true}`)
	b.write("ltn12.lua", `return {own = true}`)
	if got := b.lua(`stream:write(tostring(require("dkjson").own) .. " " .. tostring(require("ltn12").own))`); got != "true nil" {
		t.Errorf("got %q", got)
	}
}

func FuzzParseParameters(f *testing.F) {
	for _, s := range []string{"SELECT ?", "a '?' ?1 :b @c $d [?] -- ?\n/* ? */", "'", "[", "/*", "a::b", "?a?a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		p, err := parseParameters(sql)
		if err != nil {
			return
		}
		if len(p.pieces) != len(p.slots)+1 {
			t.Fatalf("%d pieces, %d places", len(p.pieces), len(p.slots))
		}
		length := 0
		for _, piece := range p.pieces {
			length += len(piece)
		}
		for _, n := range p.slots {
			if n < 1 || n > len(p.names) {
				t.Fatalf("place %d of %d names", n, len(p.names))
			}
		}
		if length > len(sql) {
			t.Fatal("the pieces are longer than the statement")
		}
	})
}
