package remote

import (
	"path/filepath"
	"testing"
)

func TestPostgres(t *testing.T) {
	server := program(t, "/usr/lib/postgresql/*/bin/postgres", "postgres")
	dir := place(t)
	attr := nobody(t, dir)
	data := filepath.Join(dir, "data")
	prepare(t, attr, dir, filepath.Join(filepath.Dir(server), "initdb"), "-D", data, "-U", "owner", "-N", "-A", "trust", "-E", "UTF8", "--locale=C")
	serve(t, attr, filepath.Join(dir, ".s.PGSQL.5432"), server, "-D", data, "-k", dir, "-h", "", "-F")

	s := open(t, map[string]string{"crm": "pgsql://host=" + dir + " dbname=postgres", "wrong": "pgsql://host=" + dir + " dbname=nosuch password=secret"})
	dsn := "pgsql://host=" + dir + " dbname=postgres user=owner password='' keepalives=1 options='-c client_min_messages=WARNING'"
	behaves(t, s, dsn, "SELECT pg_sleep(60)", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename = 'owner'")

	c := take(t, s, dsn)
	for sql, want := range map[string]string{
		"SELECT true AS yes, 1.50 AS n, 1e20::float8 AS f, 'é' AS s, '2024-01-02'::date AS d, '\\x00ff'::bytea AS b": "yes=t n=1.50 f=1e+20 s=é d=2024-01-02 b=\\x00ff",
		"SELECT 1 AS a, 2 AS a":         "a=1 a=2",
		"COPY t FROM STDIN":             "! COPY FROM STDIN is not supported",
		"SELEKT":                        `! ERROR: syntax error at or near "SELEKT" (SQLSTATE 42601)`,
		"SELECT 1 AS one; SELECT 1 / 0": "! ERROR: division by zero (SQLSTATE 22012)",
	} {
		if got := rows(t, c, sql); got != want {
			t.Errorf("%s\n got %s\nwant %s", sql, got, want)
		}
	}
	tooLarge(t, c, "SELECT repeat('x', 1000000) FROM generate_series(1, 100)")

	named := take(t, s, "odbc://crm:owner:any")
	if got := rows(t, named, "SELECT current_user AS me"); got != "me=owner" {
		t.Errorf("by name: %s", got)
	}
	url := take(t, s, "postgres://owner:secret@/postgres?host="+dir)
	if got := rows(t, url, "SELECT current_user AS me"); got != "me=owner" {
		t.Errorf("by URL: %s", got)
	}
	fails(t, s, "odbc://wrong:owner:secret", `database "nosuch" does not exist`)
	fails(t, s, "pgsql://host="+dir+" user=nosuch dbname=postgres password=secret", `role "nosuch" does not exist`)
	fails(t, s, "pgsql://host="+dir+" password='secret", "no closing quote")
	fails(t, s, "pgsql://hostaddr=127.0.0.1 port="+address(freePort(t))[len("127.0.0.1:"):]+" password=secret sslmode=disable", "connection refused")
}
