package lua

import (
	"strings"
	"testing"
)

func TestDbh(t *testing.T) {
	t.Parallel()
	b := newBox(t, "", nil)
	for _, c := range []struct{ name, script, want string }{
		{"guide", `assert(dbh:connected())
			dbh:test_reactive("SELECT * FROM my_table", "DROP TABLE my_table", "CREATE TABLE my_table (id INTEGER(8), name VARCHAR(255))")
			dbh:query("INSERT INTO my_table VALUES(1, 'foo')") dbh:query("INSERT INTO my_table VALUES(2, 'bar')")
			dbh:query("SELECT id, name FROM my_table", function(row) stream:write(string.format("%5s : %s\n", row.id, row.name)) end)
			dbh:query("UPDATE my_table SET name = 'changed'") stream:write("Affected rows: " .. dbh:affected_rows() .. "\n") dbh:release()`,
			"    1 : foo\n    2 : bar\nAffected rows: 2\n"},
		{"release", `stream:write(tostring(dbh:connected()) .. tostring(dbh:release()) .. tostring(dbh:connected()) .. tostring(dbh:release()) .. tostring(dbh:query("select 1")) .. dbh:affected_rows())`, "truetruefalsefalsefalse0"},
		{"types", `dbh:query("create table t (i integer, r real, s text, n text)") dbh:query("insert into t values (42, 1.5, 'str', null)")
			dbh:query("select * from t", function(r) stream:write(type(r.i) .. r.i .. " " .. type(r.r) .. r.r .. " " .. r.s .. " [" .. tostring(r.n) .. "]") end)`, "string42 string1.5 str []"},
		{"result", `stream:write(tostring(dbh:query("create table t (a integer)")) .. tostring(dbh:query("this is no sql")) .. tostring(dbh:query("select * from nosuchtable", function(r) end)) .. tostring(dbh:query("")) .. tostring(dbh:query(nil)))`, "truefalsefalsefalsefalse"},
		{"last error", `stream:write("[" .. tostring(dbh:last_error()) .. "]") dbh:query("select * from nosuchtable") stream:write("[" .. tostring(dbh:last_error()) .. "]") dbh:clear_error() stream:write("[" .. tostring(dbh:last_error()) .. "]")`, "[nil][no such table: nosuchtable][nil]"},
		{"function stops", `dbh:query("create table t (a integer)") for i = 1, 5 do dbh:query("insert into t values (" .. i .. ")") end
			for _, stop in ipairs({1, "1", 2, true, 0.5, false}) do local n = 0 stream:write(tostring(dbh:query("select a from t", function(r) n = n + 1 if n == 2 then return stop end return 0 end)) .. n .. " ") end`, "true2 true2 true2 true5 true5 true5 "},
		{"function fails", `stream:write(tostring(dbh:query("select 1 union select 2", function(r) error("x") end)))`, "true"},
		{"nested", `dbh:query("create table t (a integer); insert into t values (1); insert into t values (2)") dbh:query("select a from t", function(r) dbh:query("select a * 10 as b from t where a = " .. r.a, function(q) stream:write(q.b .. " ") end) end)`, "10 20 "},
		{"test_reactive", `local q = "select count(*) from t" stream:write(tostring(dbh:test_reactive(q, "drop table t", "create table t (a integer)"))) dbh:query("insert into t values (7)")
			stream:write(tostring(dbh:test_reactive(q, "drop table t", "create table t (a integer)"))) dbh:query("select a from t", function(r) stream:write(r.a) end)
			stream:write(tostring(dbh:test_reactive("select * from u", "drop table u", "no sql at all")) .. tostring(dbh:test_reactive("select 1")))`, "truetrue7falsefalse"},
		{"query_rows", `dbh:query("create table t (a integer, b text)") dbh:query("insert into t values (1, null)") dbh:query("insert into t values (2, 'x')")
			local ok, rows, err = dbh:query_rows("select a, b from t order by a") stream:write(tostring(ok) .. #rows .. rows[1].a .. tostring(rows[1].b) .. rows[2].b .. tostring(err) .. " ")
			ok, rows, err = dbh:query_rows("select a from nosuchtable") stream:write(tostring(ok) .. #rows .. err)`, "true21nilxnil false0Failed to execute sql query"},
		{"columns", `dbh:query("select 1 as one, 2+3", function(r) local k = {} for n, v in pairs(r) do k[#k + 1] = n .. "=" .. v end table.sort(k) stream:write(table.concat(k, " ")) end)`, "2+3=5 one=1"},
		{"transactions", `dbh:query("create table t (a integer)") dbh:query("begin") dbh:query("insert into t values (1)") dbh:query("rollback") dbh:query("select count(*) as n from t", function(r) stream:write(r.n) end)
			dbh:query("begin") dbh:query("insert into t values (1)") dbh:query("commit") dbh:query("select count(*) as n from t", function(r) stream:write(r.n) end)`, "01"},
		{"upsert", `dbh:query("create table t (k text primary key, v integer)") dbh:query("insert into t values ('a', 1)") stream:write(tostring(dbh:query("insert into t values ('a', 2)")) .. " ")
			dbh:query("insert into t values ('a', 5) on conflict(k) do update set v = excluded.v") dbh:query("select v from t", function(r) stream:write(r.v) end)`, "false 5"},
		{"dates stay texts", `dbh:query("create table t (at DATETIME)") dbh:query("insert into t values ('2024-01-02')") dbh:query("select at from t", function(r) stream:write(r.at) end)`, "2024-01-02"},
		{"bad dsn", `for _, d in ipairs({"nosuch://x", "core:/tmp/x.db", "a:b:c", ""}) do stream:write(tostring(freeswitch.Dbh(d):connected())) end stream:write(tostring(freeswitch.Dbh("dsn", "u", "p"):connected()))`, "falsefalsefalsefalsefalse"},
		{"arguments", `stream:write(tostring((pcall(function() return freeswitch.Dbh() end))) .. tostring((pcall(function() return dbh:query() end)))) local ok, e = pcall(function() dbh:query("select 1", nil) end) stream:write(e:match("%(arg.*"))`, "falsefalse(arg 3), expected 'SWIGLUA_FN' got 'nil'"},
		{"extension", `stream:write(dbh:load_extension("x"))`, "1"},
		{"spellings", `for _, d in ipairs({"sqlite://same", "same", "core:same"}) do local h = freeswitch.Dbh(d) h:query("create table if not exists t (a)") h:query("insert into t values (1)") h:query("select count(*) as n from t", function(r) stream:write(r.n) end) end`, "123"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b.t = t
			file := b.tmp + "/" + strings.ReplaceAll(c.name, " ", "_") + ".db"
			if got := b.lua("local dbh = freeswitch.Dbh('sqlite://" + file + "') " + c.script); got != c.want {
				t.Errorf("got  %q\nwant %q\n%s", got, c.want, b.logged())
			}
		})
	}
}

func TestDbh_LogsAsTheReference(t *testing.T) {
	b := newBox(t, "", nil)
	for script, want := range map[string]string{
		`freeswitch.Dbh("pgsql://x")`:                            "[CRIT] Failure to connect to CORE_DB pgsql://x!\n[ERR] Connection failed.  DBH NOT Connected.\n",
		`freeswitch.Dbh("x"):query("SELEKT")`:                    "[ERR] [db=\"x\",type=\"core_db\"] NATIVE SQL ERR [near \"SELEKT\": syntax error]\nSELEKT\n",
		`freeswitch.Dbh("x"):query("SELEKT", print)`:             "[ERR] SQL ERR: [SELEKT] near \"SELEKT\": syntax error\n",
		`freeswitch.Dbh("x"):query("")`:                          "[ERR] Missing SQL query.\n",
		`local d = freeswitch.Dbh("x") d:release() d:query("x")`: "[ERR] DBH NOT Connected.\n",
	} {
		b.logged()
		b.lua(script)
		if got := b.logged(); got != want {
			t.Errorf("%s\n got %q\nwant %q", script, got, want)
		}
	}
}
