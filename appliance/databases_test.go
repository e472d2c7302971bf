package appliance_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/switchlet/switchlet/appliance"
)

func TestDatabases_ByName(t *testing.T) {
	overlay, file := t.TempDir(), filepath.Join(t.TempDir(), "named.db")
	write := func(dsn string) {
		t.Helper()
		text := `<configuration name="databases.conf"><databases><database name="CRM" dsn="` + dsn + `"/></databases></configuration>`
		if err := os.MkdirAll(filepath.Join(overlay, "autoload_configs"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(overlay, "autoload_configs", "databases.conf.xml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("sqlite://" + file)
	b, err := appliance.Open(t.Context(), appliance.Options{Data: t.TempDir(), Overlays: []string{overlay}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Stop() })
	run := func(script string) string {
		t.Helper()
		out, err := b.Switch.Run(t.Context(), "lua", "~"+script, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if got := run(`local d = freeswitch.Dbh("crm", "u", "p") d:query("create table t (a)") stream:write(tostring(d:connected()))`); got != "true" {
		t.Errorf("connected: %s", got)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
	if got := run(`stream:write(tostring(freeswitch.Dbh("odbc://other:u:p"):connected()))`); got != "false" {
		t.Errorf("an unknown name: %s", got)
	}
	// A reload counts for the next connection.
	write("pgsql://host=127.0.0.1 port=1 connect_timeout=1 sslmode=disable")
	if out, err := b.Switch.Run(t.Context(), "reloadxml", "", nil, nil); err != nil || !strings.HasPrefix(out, "+OK") {
		t.Fatalf("%s, %v", out, err)
	}
	if got := run(`stream:write(tostring(freeswitch.Dbh("odbc://crm:u:p"):connected()))`); got != "false" {
		t.Errorf("after the reload: %s", got)
	}
}
