package remote

import (
	"os"
	"path/filepath"
	"testing"
)

func TestMySQL(t *testing.T) {
	server := program(t, "/usr/sbin/mariadbd", "mariadbd", "mysqld")
	install := program(t, "mariadb-install-db", "mysql_install_db")
	dir := place(t)
	attr := nobody(t, dir)
	data, socket := filepath.Join(dir, "data"), filepath.Join(dir, "s")
	if os.Getuid() == 0 {
		attr.Credential = nil // it changes its user by itself
	}
	prepare(t, attr, dir, install, "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal", "--user=root", "--skip-test-db", "--skip-name-resolve")
	serve(t, attr, socket, server, "--no-defaults", "--datadir="+data, "--socket="+socket, "--skip-networking", "--user=root",
		"--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=16M", "--pid-file="+filepath.Join(dir, "pid"))

	s := open(t, map[string]string{"crm": "mariadb://Socket=" + socket + "; Database=crm"})
	root := "mariadb://Socket=" + socket + "; Uid=root"
	c := take(t, s, root)
	if got := rows(t, c, "CREATE DATABASE crm; CREATE USER u IDENTIFIED BY 'p;w'; GRANT ALL ON crm.* TO u; GRANT CONNECTION ADMIN ON *.* TO u"); got != "" {
		t.Fatal(got)
	}
	dsn := "mariadb://Socket=" + socket + "; Database=crm; Uid=u; Pwd={p;w}; charset=utf8mb4"
	behaves(t, s, dsn, "SELECT SLEEP(60)", "KILL USER u")

	c = take(t, s, dsn)
	for sql, want := range map[string]string{
		"SELECT TRUE AS yes, 1.50 AS n, 1e20 AS f, 10000000e0 AS g, 'é' AS s, DATE '2024-01-02' AS d, TIMESTAMP '2024-01-02 03:04:05' AS ts": "yes=1 n=1.50 f=1e20 g=10000000 s=é d=2024-01-02 ts=2024-01-02 03:04:05",
		"SELECT 1 AS a, 2 AS a":                "a=1 a=2",
		"SELECT 18446744073709551615 AS large": "large=18446744073709551615",
	} {
		if got := rows(t, c, sql); got != want {
			t.Errorf("%s\n got %s\nwant %s", sql, got, want)
		}
	}
	tooLarge(t, c, "SELECT REPEAT('x', 1000000) FROM seq_1_to_100")

	named := take(t, s, "odbc://crm:u:p;w")
	if got := rows(t, named, "SELECT DATABASE() AS d"); got != "d=crm" {
		t.Errorf("by name: %s", got)
	}
	fails(t, s, "mariadb://Socket="+socket+"; Uid=u; Pwd=secret", "Access denied")
	fails(t, s, "mariadb://Socket="+socket+"; Uid=u; Pwd=secret; nonsense=1", `"nonsense"`)
	fails(t, s, "mysql://u:secret@"+address(freePort(t))+"/crm", "connection refused")
}
