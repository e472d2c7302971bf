package remote

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/switchlet/switchlet/store"
)

// patience bounds every wait of a test.
const patience = 60 * time.Second

// place is a directory that a server run by nobody may use; its name is short
// enough for a socket in it.
func place(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "db")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// program finds a server, or skips the test.
func program(t *testing.T, names ...string) string {
	t.Helper()
	for _, name := range names {
		if found, _ := filepath.Glob(name); len(found) > 0 && filepath.IsAbs(name) {
			return found[len(found)-1]
		}
		if found, err := exec.LookPath(name); err == nil {
			return found
		}
	}
	t.Skipf("none of %s is installed", strings.Join(names, ", "))
	return ""
}

// nobody is who runs servers that refuse to be run by root; nil: whoever runs the
// test.
func nobody(t *testing.T, dir string) *syscall.SysProcAttr {
	t.Helper()
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 {
		return attr
	}
	u, err := user.Lookup("nobody")
	if err != nil {
		t.Skip("no user nobody")
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return attr
}

// serve starts a server and waits until its socket takes connections.
func serve(t *testing.T, attr *syscall.SysProcAttr, socket string, args ...string) {
	t.Helper()
	log := filepath.Join(filepath.Dir(socket), "log")
	out, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.SysProcAttr, cmd.Stdout, cmd.Stderr, cmd.Dir = attr, out, out, filepath.Dir(socket)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGINT)
		select {
		case <-ended:
		case <-time.After(5 * time.Second):
			cmd.Process.Kill()
			<-ended
		}
	})
	for deadline := time.Now().Add(patience); ; {
		if c, err := net.Dial("unix", socket); err == nil {
			c.Close()
			return
		}
		select {
		case <-ended:
		case <-time.After(20 * time.Millisecond):
			if time.Now().Before(deadline) {
				continue
			}
		}
		text, _ := os.ReadFile(log)
		t.Fatalf("%s does not come up:\n%s", args[0], text)
	}
}

func prepare(t *testing.T, attr *syscall.SysProcAttr, dir string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.SysProcAttr, cmd.Dir = attr, dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", args[0], err, out)
	}
}

// open makes a store with the drivers and a table of names.
func open(t *testing.T, names map[string]string) *store.Store {
	t.Helper()
	s, err := store.Open(store.Options{Dir: t.TempDir(), Drivers: Drivers(), Names: func(name string) (string, bool) {
		to, ok := names[name]
		return to, ok
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// take connects; a server may refuse for a moment after its socket is there.
func take(t *testing.T, s *store.Store, dsn string) *store.Conn {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		c, err := s.Conn(t.Context(), dsn)
		if err == nil {
			t.Cleanup(func() { c.Release() })
			return c
		}
		if time.Now().After(deadline) || !strings.Contains(err.Error(), "starting up") {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// rows is what sql gives, a row between bars.
func rows(t *testing.T, c *store.Conn, sql string) string {
	t.Helper()
	var out []string
	err := c.Run(t.Context(), sql, func(names []string, values []store.Value) bool {
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

// behaves runs what every server must do alike.
func behaves(t *testing.T, s *store.Store, dsn string, serverSleep, killOthers string) {
	c := take(t, s, dsn)
	expect := func(sql, want string) {
		t.Helper()
		if got := rows(t, c, sql); got != want {
			t.Errorf("%s\n got %s\nwant %s", sql, got, want)
		}
	}
	changed := func(want int64) {
		t.Helper()
		if got := c.Changed(); got != want {
			t.Errorf("%d rows changed, want %d", got, want)
		}
	}
	expect("CREATE TABLE t (id INTEGER, name VARCHAR(255))", "")
	expect("INSERT INTO t VALUES (1, 'foo'); INSERT INTO t VALUES (2, 'bar'), (3, NULL)", "")
	changed(2)
	expect("SELECT id, name FROM t ORDER BY id", "id=1 name=foo|id=2 name=bar|id=3 name=NULL")
	changed(2)
	expect("UPDATE t SET name = 'x' WHERE id < 3", "")
	changed(2)
	expect("DELETE FROM t WHERE id = 17", "")
	changed(0)
	expect("UPDATE t SET name = 'y' WHERE id = 1; SELECT name FROM t WHERE id = 1; SELECT 'second' AS answer", "name=y|answer=second")
	if got := rows(t, c, "SELECT * FROM nosuchtable"); !strings.HasPrefix(got, "! ") || !strings.Contains(got, "nosuchtable") {
		t.Errorf("a missing table: %s", got)
	}
	expect("SELECT 1 AS one", "one=1")
	expect("", "")

	// One query inside another's rows, and a row that wants no more.
	var seen []string
	err := c.Run(t.Context(), "SELECT id FROM t ORDER BY id", func(_ []string, v []store.Value) bool {
		seen = append(seen, rows(t, c, "SELECT id * 10 AS ten FROM t WHERE id = "+v[0].Text))
		return len(seen) < 2
	})
	if err != nil || strings.Join(seen, " ") != "ten=10 ten=20" {
		t.Errorf("nested: %v, %v", seen, err)
	}

	// What a script cannot send.
	if got := rows(t, c, "SELECT 1\x00"); got != "! SQL text with a NUL byte" {
		t.Error(got)
	}

	// A transaction that nobody committed is undone when the connection goes on.
	expect("BEGIN", "")
	expect("INSERT INTO t VALUES (100, 'lost')", "")
	c.Release()
	c = take(t, s, dsn)
	expect("SELECT count(*) AS n FROM t WHERE id = 100", "n=0")

	// A statement that takes too long is left.
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := c.Run(ctx, serverSleep, nil); err == nil || time.Since(began) > patience/2 {
		t.Errorf("a statement of 60 s ended after %v: %v", time.Since(began), err)
	}
	expect("SELECT 1 AS one", "one=1") // on a new connection

	// A connection that the server closed is an error in a transaction, made anew
	// else.
	other := take(t, s, dsn)
	expect("BEGIN", "")
	expect("INSERT INTO t VALUES (101, 'lost too')", "")
	rows(t, other, killOthers)
	if got := rows(t, c, "INSERT INTO t VALUES (102, 'not alone')"); !strings.HasPrefix(got, "! ") {
		t.Errorf("a lost transaction went on: %q", got)
	}
	expect("SELECT count(*) AS n FROM t WHERE id > 100", "n=0")
	c.Release()
	c = take(t, s, dsn)
	rows(t, other, killOthers)
	if got := rows(t, c, "SELECT 1 AS one"); got != "one=1" {
		// The loss is seen at the first use after it at the latest.
		expect("SELECT 1 AS one", "one=1")
	}
}

// tooLarge is a statement whose result is larger than may be kept.
func tooLarge(t *testing.T, c *store.Conn, sql string) {
	t.Helper()
	if got := rows(t, c, sql); got != "! "+errLarge.Error() {
		t.Errorf("a large result: %.200s", got)
	}
	if got := rows(t, c, "SELECT 1 AS one"); got != "one=1" {
		t.Errorf("afterwards: %s", got)
	}
}

// fails asserts that there is no connection and that nothing tells the password.
func fails(t *testing.T, s *store.Store, dsn, part string) {
	t.Helper()
	c, err := s.Conn(t.Context(), dsn)
	if err == nil {
		c.Release()
		t.Fatalf("%s connects", dsn)
	}
	if !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "secret") {
		t.Errorf("%s: %v; want %q in it", dsn, err, part)
	}
}

// freePort is one that nobody listens at: the test has it, and does not listen.
func freePort(t *testing.T) int {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	at, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return at.(*syscall.SockaddrInet4).Port
}

func address(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
