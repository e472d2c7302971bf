package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

func open(t *testing.T, o Options) *Store {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestResolve_DSNSpellings(t *testing.T) {
	s := open(t, Options{Drivers: []Driver{{Scheme: "pgsql"}},
		Names: func(name string) (string, bool) {
			to := map[string]string{"crm": "pgsql://dbname=crm", "file": "sqlite://name", "circle": "odbc://circle"}[name]
			return to, to != ""
		}})
	named := filepath.Join(s.Dir(), "name.db")
	for dsn, want := range map[string]string{
		"sqlite://name":      named,
		"name":               named,
		"core:name":          named,
		"sqlite:///abs/x.db": "/abs/x.db",
		"/abs/x.db":          "/abs/x.db",
		"sqlite://memory://file:n?mode=memory&cache=shared": "file:n?mode=memory&cache=shared",
		"":                        "! No DSN given",
		"sqlite://":               "! Failure to connect to CORE_DB sqlite://!",
		"odbc://dsn:user:pass":    "! Failure! ODBC NOT AVAILABLE! Can't connect to DSN dsn",
		"dsn:user:pass":           "! Failure! ODBC NOT AVAILABLE! Can't connect to DSN dsn",
		"core:/tmp/x.db":          "! Failure! ODBC NOT AVAILABLE! Can't connect to DSN core",
		"odbc://crm":              "driver pgsql",
		"odbc://crm:user:pa:ss":   "driver pgsql user pa:ss",
		"crm:user:pass":           "driver pgsql user pass",
		"odbc://file":             named,
		"odbc://circle":           "! Failure! ODBC NOT AVAILABLE! Can't connect to DSN circle",
		"mariadb://Uid=u;Pwd=p w": "! Failure to connect to CORE_DB mariadb://Uid=u;Pwd=***!",
		"mariadb://x":             "! Failure to connect to CORE_DB mariadb://x!",
		"pgsql://host=h dbname=d": "driver pgsql",
	} {
		got := ""
		switch target, err := s.resolve(dsn); {
		case err != nil:
			var e *NotConnectedError
			if !errors.As(err, &e) {
				t.Fatalf("%q: %T", dsn, err)
			}
			got = "! " + e.Text
		case target.driver != nil:
			got = strings.TrimRight("driver "+target.driver.Scheme+" "+target.source.User+" "+target.source.Password, " ")
		default:
			got = target.file
		}
		if got != want {
			t.Errorf("%q is %q, want %q", dsn, got, want)
		}
	}
}

func TestShown_HidesPasswords(t *testing.T) {
	for dsn, want := range map[string]string{
		"pgsql://host=h password=secret dbname=d":        "pgsql://host=h password=*** dbname=d",
		`pgsql://password='it\'s secret' host=h`:         "pgsql://password=*** host=h",
		"mariadb://Server=h; Uid=u; Pwd=secret;":         "mariadb://Server=h; Uid=u; Pwd=***;",
		"postgres://user:secret@host/db?sslmode=disable": "postgres://user:***@host/db?sslmode=disable",
		"mariadb://Uid=u;Pwd={se;c}}ret};Db=d":           "mariadb://Uid=u;Pwd=***;Db=d",
		"mssql://Uid=u;Pwd='se;cret';Db=d":               "mssql://Uid=u;Pwd=***;Db=d",
		"sqlite://name":                                  "sqlite://name",
	} {
		if got := Shown(dsn); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func take(t *testing.T, s *Store, dsn string) *Conn {
	t.Helper()
	c, err := s.Conn(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Release() })
	return c
}

func rows(t *testing.T, c *Conn, sql string) string {
	t.Helper()
	var out []string
	err := c.Run(t.Context(), sql, func(names []string, values []Value) bool {
		var row []string
		for i, v := range values {
			text := v.Text
			if v.Null {
				text = "NULL"
			}
			row = append(row, names[i]+"="+text)
		}
		out = append(out, strings.Join(row, " "))
		return true
	})
	if err != nil {
		out = append(out, "! "+err.Error())
	}
	return strings.Join(out, "|")
}

func TestConn_ValuesAreSQLiteTexts(t *testing.T) {
	c := take(t, open(t, Options{}), "texts")
	for sql, want := range map[string]string{
		"select 42 as i, 1.5 as r, 'str' as s, null as n": "i=42 r=1.5 s=str n=NULL",
		"select 1e20 as r, 100000.0 as q":                 "r=1.0e+20 q=100000.0",
		"select 1 as one, 2+3":                            "one=1 2+3=5",
		"select 1 as a; select 2 as a, 3 as b;":           "a=1|a=2 b=3",
		"SELEKT 1":                                        `! near "SELEKT": syntax error`,
		"select * from nosuchtable":                       "! no such table: nosuchtable",
		"":                                                "",
		"-- nothing":                                      "",
		" ; ;":                                            "",
		"select 'it''s Zürich' as a":                      "a=it's Zürich",
	} {
		if got := rows(t, c, sql); got != want {
			t.Errorf("%s\n got %s\nwant %s", sql, got, want)
		}
	}
	rows(t, c, "create table d (at DATETIME, day DATE, ts TIMESTAMP); insert into d values ('2024-01-02', '2024-01-02', '2024-01-02 03:04:05')")
	if got, want := rows(t, c, "select * from d"), "at=2024-01-02 day=2024-01-02 ts=2024-01-02 03:04:05"; got != want {
		t.Errorf("dates: got %s, want %s", got, want)
	}
}

func TestConn_CountsChanges(t *testing.T) {
	c := take(t, open(t, Options{}), "changes")
	rows(t, c, "create table t (a integer); insert into t values (1); insert into t values (2)")
	if c.Changed() != 1 {
		t.Errorf("after two inserts: %d, want 1 (the last)", c.Changed())
	}
	rows(t, c, "update t set a = 9")
	rows(t, c, "select * from t")
	if c.Changed() != 2 {
		t.Errorf("after update and select: %d, want 2", c.Changed())
	}
	if got := rows(t, c, "insert into t values (5) returning a"); got != "a=5" || c.Changed() != 1 {
		t.Errorf("returning gave %q, %d changed", got, c.Changed())
	}
}

func TestConn_RowStopsAndNests(t *testing.T) {
	c := take(t, open(t, Options{}), "nest")
	rows(t, c, "create table t (a integer); insert into t values (1), (2), (3)")
	seen := 0
	err := c.Run(t.Context(), "select a from t; insert into t values (4)", func(_ []string, v []Value) bool {
		seen++
		if got := rows(t, c, "select a+10 as b from t where a = "+v[0].Text); got != fmt.Sprintf("b=%d", seen+10) {
			t.Errorf("nested: %s", got)
		}
		return seen < 2
	})
	if err != nil || seen != 2 {
		t.Errorf("%d rows, %v", seen, err)
	}
	if got := rows(t, c, "select count(*) as n from t"); got != "n=3" {
		t.Errorf("what followed the stop ran: %s", got)
	}
}

func TestConn_ReleaseRollsBackAndIsReused(t *testing.T) {
	s := open(t, Options{})
	c := take(t, s, "reuse")
	rows(t, c, "create table t (a integer); begin; insert into t values (1)")
	first := c.session
	if !c.Release() || c.Release() {
		t.Error("Release: want true, then false")
	}
	if err := c.Run(t.Context(), "select 1", nil); !errors.Is(err, ErrReleased) {
		t.Errorf("after release: %v", err)
	}
	c = take(t, s, "sqlite://reuse")
	if c.session != first {
		t.Error("the connection was not reused")
	}
	if got := rows(t, c, "select count(*) as n from t"); got != "n=0" {
		t.Errorf("uncommitted rows stayed: %s", got)
	}
	other := take(t, s, "reuse")
	if other.session == first {
		t.Error("two users share a connection")
	}
}

func TestConn_RemovedFileIsMadeAnew(t *testing.T) {
	s := open(t, Options{})
	file := filepath.Join(t.TempDir(), "x.db")
	c := take(t, s, file)
	rows(t, c, "create table t (a integer)")
	c.Release()
	os.Remove(file)
	c = take(t, s, file)
	if got := rows(t, c, "select * from t"); got != "! no such table: t" {
		t.Errorf("an old file was used: %s", got)
	}
}

func TestConn_WaitsForHandles(t *testing.T) {
	warned := make(chan string, 1)
	s := open(t, Options{MaxHandles: 1, Wait: 10 * time.Millisecond, Warn: func(text string) {
		select {
		case warned <- text:
		default:
		}
	}})
	c := take(t, s, "one")
	_, err := s.Conn(t.Context(), "two")
	var e *NotConnectedError
	if !errors.As(err, &e) {
		t.Fatalf("got %v", err)
	}
	if got := <-warned; got != "Max handles 1 exceeded, blocking...." {
		t.Errorf("warned %q", got)
	}
	c.Release()
	take(t, s, "two")
}

func TestConn_ContextInterrupts(t *testing.T) {
	c := take(t, open(t, Options{}), "long")
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("enough")
	err := c.Run(ctx, "with recursive n(i) as (select 1 union all select i+1 from n) select i from n", func(_ []string, v []Value) bool {
		if v[0].Text == "1000" {
			cancel(stop)
		}
		return true
	})
	if !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
	if got := rows(t, c, "select 1 as a"); got != "a=1" {
		t.Errorf("afterwards: %s", got)
	}
}

func TestConn_LockedIsRetried(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	tries := 0
	s := open(t, Options{Warn: func(text string) {
		if !strings.HasPrefix(text, "SQLite is BUSY, sane=") {
			t.Errorf("warned %q", text)
		}
		if tries++; tries == 2 {
			cancel()
		}
	}})
	a, b := take(t, s, "lock"), take(t, s, "lock")
	rows(t, a, "create table t (a integer)")
	rows(t, a, "begin immediate")
	if err := b.Run(ctx, "insert into t values (1)", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("while locked: %v", err)
	}
	rows(t, a, "commit")
	if err := b.Run(t.Context(), "insert into t values (1)", nil); err != nil {
		t.Error(err)
	}
}

func TestConn_MemoryIsShared(t *testing.T) {
	s := open(t, Options{})
	const dsn = "sqlite://memory://file:shared_test?mode=memory&cache=shared"
	a, b := take(t, s, dsn), take(t, s, dsn)
	rows(t, a, "create table t (a integer); insert into t values (7)")
	if got := rows(t, b, "select a from t"); got != "a=7" {
		t.Errorf("got %s", got)
	}
}

func TestConn_NoDatabaseFile(t *testing.T) {
	s := open(t, Options{})
	file := filepath.Join(t.TempDir(), "text.db")
	if err := os.WriteFile(file, []byte(strings.Repeat("this is a text, and no database\n", 200)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dsn := range []string{file, "/no/such/directory/x.db"} {
		_, err := s.Conn(t.Context(), dsn)
		var e *NotConnectedError
		if !errors.As(err, &e) || e.Err == nil {
			t.Errorf("%s: %v", dsn, err)
		}
	}
	_, err := s.DB(file)
	if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), file) {
		t.Errorf("DB: %v", err)
	}
}

func TestDB_MigratesOnce(t *testing.T) {
	d := open(t, Options{}).Core()
	steps := []string{"create table r (a integer)", "alter table r add column b text; insert into r values (1, 'x')"}
	for range 2 {
		if err := d.Migrate(t.Context(), "room", steps...); err != nil {
			t.Fatal(err)
		}
	}
	var n int
	if err := d.QueryRow(t.Context(), "select count(*) from r").Scan(&n); err != nil || n != 1 {
		t.Errorf("%d rows, %v", n, err)
	}
	if err := d.Migrate(t.Context(), "room", steps[0]); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("an older program: %v", err)
	}
}

func TestDB_TxRollsBackAndReaderRefusesToWrite(t *testing.T) {
	d := open(t, Options{}).Core()
	if _, err := d.Exec(t.Context(), "create table t (a integer)"); err != nil {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	err := d.Tx(t.Context(), func(tx *sql.Tx) error {
		tx.Exec("insert into t values (1)")
		return boom
	})
	if !errors.Is(err, boom) || !strings.Contains(err.Error(), "core.db") {
		t.Errorf("got %v", err)
	}
	var n int
	d.QueryRow(t.Context(), "select count(*) from t").Scan(&n)
	if n != 0 {
		t.Errorf("%d rows after a rollback", n)
	}
	if _, err := d.Reader().Exec("insert into t values (1)"); !errors.Is(d.Explain(err), ErrReadOnly) {
		t.Errorf("a reader wrote: %v", err)
	}
}

func TestBatch_WritesAllInOrderAndReportsFailures(t *testing.T) {
	d := open(t, Options{}).Core()
	if _, err := d.Exec(t.Context(), "create table t (a integer primary key)"); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	failed := 0
	b := d.Batch(BatchOptions{Size: 7, Failed: func(string, error) { mu.Lock(); failed++; mu.Unlock() }})
	for i := range 100 {
		if err := b.Add("insert into t values (?)", i%99); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	var n int
	d.QueryRow(t.Context(), "select count(*) from t").Scan(&n)
	if n != 99 {
		t.Errorf("%d rows, want 99", n)
	}
	b.Close()
	if failed != 1 {
		t.Errorf("%d failures, want 1", failed)
	}
	if err := b.Add("select 1"); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestBatch_GathersUntilFlushedFullOrClosed(t *testing.T) {
	d := open(t, Options{}).Core()
	if _, err := d.Exec(t.Context(), "create table t (a integer primary key)"); err != nil {
		t.Fatal(err)
	}
	rows := func() (n int) {
		d.QueryRow(t.Context(), "select count(*) from t").Scan(&n)
		return n
	}
	b := d.Batch(BatchOptions{Size: 50, Gather: time.Hour})
	next := 0
	add := func(n int) {
		for range n {
			if err := b.Add("insert into t values (?)", next); err != nil {
				t.Fatal(err)
			}
			next++
		}
	}
	add(20)
	if n := rows(); n != 0 {
		t.Errorf("%d rows were written at once", n)
	}
	if err := b.Flush(t.Context()); err != nil || rows() != 20 {
		t.Errorf("flushed: %v, %d rows", err, rows())
	}
	add(60)
	for deadline := time.Now().Add(time.Minute); rows() < 70; {
		if time.Now().After(deadline) {
			t.Fatalf("full: %d rows", rows())
		}
		runtime.Gosched()
	}
	b.Close()
	if n := rows(); n != 80 {
		t.Errorf("closed: %d rows", n)
	}
}

func TestBatch_FullQueueRefuses(t *testing.T) {
	d := open(t, Options{}).Core()
	b := &Batch{db: d, opts: BatchOptions{Queue: 1, Size: 1}, wake: make(chan struct{}, 1)}
	if err := b.Add("select 1"); err != nil {
		t.Fatal(err)
	}
	if err := b.Add("select 1"); !errors.Is(err, ErrQueue) || b.Dropped() != 1 {
		t.Errorf("got %v, %d dropped", err, b.Dropped())
	}
}

func FuzzConn_Run(f *testing.F) {
	for _, seed := range []string{"select 1", "create table x(a); insert into x values('a;b'); -- c", "begin; select", "select '\x00'"} {
		f.Add(seed)
	}
	s, err := Open(Options{Dir: f.TempDir()})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	f.Fuzz(func(t *testing.T, sql string) {
		if strings.Contains(strings.ToLower(sql), "attach") || strings.Contains(strings.ToLower(sql), "vacuum") {
			t.Skip("writes other files")
		}
		c, err := s.Conn(t.Context(), "sqlite://memory://file::memory:")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Release()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		n := 0
		c.Run(ctx, sql, func([]string, []Value) bool { n++; return n < 1000 })
	})
}
