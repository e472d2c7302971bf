package remote

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/switchlet/switchlet/store"
)

// fakeTDS is a server of the protocol of SQL Server, TDS 7.4 (MS-TDS), as far as a
// query needs it: answers are the tokens that the test has for a text.
type fakeTDS struct {
	t       *testing.T
	answers map[string][]byte
	logins  chan string // user and password as they came
	batches chan string
}

func ucs2(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

func fromUCS2(b []byte) string {
	u := make([]uint16, len(b)/2)
	for i := range u {
		u[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(u))
}

func done(status uint16, count uint64) []byte {
	b := []byte{0xfd}
	b = binary.LittleEndian.AppendUint16(b, status)
	b = append(b, 0xc1, 0)
	return binary.LittleEndian.AppendUint64(b, count)
}

// column is a name, its type as COLMETADATA has it, and the value as ROW has it.
type column struct {
	name  string
	kind  []byte
	value []byte
}

func answer(columns ...column) []byte {
	b := []byte{0x81}
	b = binary.LittleEndian.AppendUint16(b, uint16(len(columns)))
	for _, c := range columns {
		b = append(b, 0, 0, 0, 0, 1, 0)
		b = append(append(b, c.kind...), byte(len([]rune(c.name))))
		b = append(b, ucs2(c.name)...)
	}
	b = append(b, 0xd1)
	for _, c := range columns {
		b = append(b, c.value...)
	}
	return b
}

// Types of columns, and values of them.
var (
	collation = []byte{0x09, 0x04, 0xd0, 0x00, 0x34}
	intN      = []byte{0x26, 4}
	bigintN   = []byte{0x26, 8}
	bitN      = []byte{0x68, 1}
	floatN    = []byte{0x6d, 8}
	datetimeN = []byte{0x6f, 8}
	guid      = []byte{0x24, 16}
	decimalN  = []byte{0x6a, 9, 10, 2}
	nvarchar  = append([]byte{0xe7, 0xff, 0x00}, collation...)
	varbinary = []byte{0xa5, 0x10, 0x00}
)

func short(v ...byte) []byte { return append([]byte{byte(len(v))}, v...) }

func unicode(s string) []byte {
	b := ucs2(s)
	return append(binary.LittleEndian.AppendUint16(nil, uint16(len(b))), b...)
}

func failure(number int, message string) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(number))
	b = append(b, 1, 16)
	b = binary.LittleEndian.AppendUint16(b, uint16(len([]rune(message))))
	b = append(append(b, ucs2(message)...), 0, 0, 1, 0, 0, 0)
	b = append(binary.LittleEndian.AppendUint16([]byte{0xaa}, uint16(len(b))), b...)
	return append(b, done(2, 0)...)
}

func (f *fakeTDS) start() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go f.serve(c)
		}
	}()
	return l.Addr().String()
}

func (f *fakeTDS) serve(c net.Conn) {
	defer c.Close()
	for {
		kind, body, err := readTDS(c)
		if err != nil {
			return
		}
		var reply []byte
		switch kind {
		case 0x12: // PRELOGIN: version, no encryption
			reply = []byte{0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xff, 16, 0, 0, 0, 0, 0, 2}
		case 0x10: // LOGIN7
			at := func(i int) []byte {
				offset, n := binary.LittleEndian.Uint16(body[i:]), binary.LittleEndian.Uint16(body[i+2:])
				return body[offset : int(offset)+2*int(n)]
			}
			password := bytes.Clone(at(44))
			for i, b := range password {
				b ^= 0xa5
				password[i] = b<<4 | b>>4
			}
			f.logins <- fromUCS2(at(40)) + " " + fromUCS2(password) + " " + fromUCS2(at(68))
			if fromUCS2(password) == "secret" {
				reply = failure(18456, "Login failed for user 'sa'.")
				break
			}
			ack := append([]byte{1, 0x74, 0, 0, 4, 4}, ucs2("Fake")...)
			ack = append(ack, 16, 0, 0, 0)
			reply = append(binary.LittleEndian.AppendUint16([]byte{0xad}, uint16(len(ack))), ack...)
			reply = append(reply, done(0, 0)...)
		case 0x01: // a batch, behind its headers
			sql := fromUCS2(body[binary.LittleEndian.Uint32(body):])
			f.batches <- sql
			switch known, ok := f.answers[sql]; {
			case sql == "DIE":
				return
			case strings.HasPrefix(sql, "WAITFOR"):
				if kind, _, err := readTDS(c); err != nil || kind != 0x06 {
					return
				}
				reply = done(0x20, 0) // ATTENTION was seen
			case ok:
				reply = known
			default:
				reply = failure(208, "Invalid object name 'nosuchtable'.")
			}
		}
		if err := writeTDS(c, reply); err != nil {
			return
		}
	}
}

func readTDS(c net.Conn) (kind byte, body []byte, err error) {
	for {
		var h [8]byte
		if _, err = io.ReadFull(c, h[:]); err != nil {
			return 0, nil, err
		}
		part := make([]byte, binary.BigEndian.Uint16(h[2:])-8)
		if _, err = io.ReadFull(c, part); err != nil {
			return 0, nil, err
		}
		body = append(body, part...)
		if h[1]&1 != 0 {
			return h[0], body, nil
		}
	}
}

func writeTDS(c net.Conn, body []byte) error {
	h := []byte{4, 1, 0, 0, 0, 0, 1, 0}
	binary.BigEndian.PutUint16(h[2:], uint16(len(body)+8))
	_, err := c.Write(append(h, body...))
	return err
}

func TestSQLServer(t *testing.T) {
	one := append(answer(column{"one", intN, short(1, 0, 0, 0)}), done(0x10, 1)...)
	f := &fakeTDS{t: t, logins: make(chan string, 10), batches: make(chan string, 100), answers: map[string][]byte{
		"SELECT 1 AS one": one,
		"SELECT everything": append(answer(
			column{"i", intN, short(42, 0, 0, 0)}, column{"n", intN, short()}, column{"yes", bitN, short(1)},
			column{"f", floatN, short(0, 0, 0, 0, 0, 0, 0xf8, 0x3f)}, column{"s", nvarchar, unicode("é ok")},
			column{"d", datetimeN, short(0xeb, 0xb0, 0, 0, 0x2c, 0x01, 0, 0)},
			column{"g", guid, short(0xff, 0x19, 0x96, 0x6f, 0x86, 0x8b, 0x11, 0xd0, 0xb4, 0x2d, 0x00, 0xc0, 0x4f, 0xc9, 0x64, 0xff)},
			column{"m", decimalN, short(1, 150, 0, 0, 0, 0, 0, 0, 0)},
			column{"b", varbinary, []byte{2, 0, 0x0a, 0xff}}), done(0x10, 1)...),
		"UPDATE t SET a = 1":                append(done(0x11, 3), one...),
		"DELETE FROM t":                     done(0x10, 7),
		"SELECT CAST(@@ROWCOUNT AS BIGINT)": append(answer(column{"", bigintN, short(7, 0, 0, 0, 0, 0, 0, 0)}), done(0x10, 1)...),
		"BEGIN TRAN":                        done(0, 0),
		"ROLLBACK":                          done(0, 0),
	}}
	at := f.start()
	host, number, _ := strings.Cut(at, ":")
	s := open(t, map[string]string{"crm": "mssql://Server=" + host + "," + number + "; Database=crm; Encrypt=disable"})

	c := take(t, s, "odbc://crm:sa:p;w")
	if got := <-f.logins; got != "sa p;w crm" {
		t.Errorf("logged in as %q", got)
	}
	for sql, want := range map[string]string{
		"SELECT everything":         "i=42 n=NULL yes=1 f=1.5 s=é ok d=2024-01-02 00:00:01.000 g=6F9619FF-8B86-D011-B42D-00C04FC964FF m=1.50 b=0AFF",
		"UPDATE t SET a = 1":        "one=1",
		"SELECT * FROM nosuchtable": "! Invalid object name 'nosuchtable'.",
	} {
		if got := rows(t, c, sql); got != want {
			t.Errorf("%s\n got %s\nwant %s", sql, got, want)
		}
	}
	if got := rows(t, c, "DELETE FROM t"); got != "" || c.Changed() != 7 {
		t.Errorf("%s, %d rows changed", got, c.Changed())
	}

	// A statement that is left, and a connection that is lost.
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := c.Run(ctx, "WAITFOR DELAY '0:1'", nil); err == nil {
		t.Error("a statement of a minute ended by itself")
	}
	if got := rows(t, c, "SELECT 1 AS one"); got != "one=1" {
		t.Errorf("afterwards: %s", got)
	}
	if got := rows(t, c, "DIE"); !strings.HasPrefix(got, "! ") {
		t.Errorf("a lost connection: %s", got)
	}
	if got := rows(t, c, "SELECT 1 AS one"); got != "one=1" {
		t.Errorf("on a new connection: %s", got)
	}

	// What was not committed is undone.
	rows(t, c, "BEGIN TRAN")
	c.Release()
	for sql := ""; sql != "ROLLBACK"; {
		select {
		case sql = <-f.batches:
		case <-time.After(patience):
			t.Fatal("no ROLLBACK")
		}
	}

	fails(t, s, "sqlserver://sa:secret@"+at+"?database=crm&encrypt=disable", "Login failed")
	fails(t, s, "mssql://Server="+host+"; Port="+strconv.Itoa(freePort(t))+"; Uid=sa; Pwd=secret; Encrypt=disable", "connection refused")
	fails(t, s, "mssql://Server="+host+"; Uid=sa; Pwd=secret; nonsense=1", `"nonsense"`)
}

func TestReadPairs(t *testing.T) {
	for text, want := range map[string]string{
		"Server=a; Database = b ;Uid=u;":    "server=a|database=b|uid=u",
		"User ID=u;Pwd='it''s; x';Db=\"q\"": "userid=u|pwd=it's; x|db=q",
		"Pwd={a}}b};;":                      "pwd=a}b",
		"a=b=c":                             "a=b=c",
		"Pwd='x":                            "! the value of \"pwd\" has no closing '",
		"Pwd='x'y":                          "! the value of \"pwd\" goes on behind its closing '",
		"nonsense":                          "! \"nonsense\" is no KEY=VALUE",
		"":                                  "",
	} {
		list, err := readPairs(text)
		if got := joined(list, err); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	for text, want := range map[string]string{
		`host=h  password='it\'s a' user = u`: `host=h|password=it's a|user=u`,
		`a=b\ c d=''`:                         "a=b c|d=",
		"a='b":                                `! the value of "a" has no closing quote`,
		"a":                                   `! "a" is no KEY=VALUE`,
		"a b=c":                               `! "a b" is no KEY=VALUE`,
	} {
		list, err := readKeywords(text)
		if got := joined(list, err); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func joined(list []pair, err error) string {
	if err != nil {
		return "! " + err.Error()
	}
	var out []string
	for _, p := range list {
		out = append(out, p.key+"="+p.value)
	}
	return strings.Join(out, "|")
}

// FuzzSources reads data source names; nothing is connected to.
func FuzzSources(f *testing.F) {
	for _, s := range []string{"pgsql://host=h dbname='d'", "pgsql://hostaddr=127.0.0.1 host=x", "postgres://u:p@h/d", "mariadb://Server=h; Uid={u};",
		"mysql://u:p@h:1/d?tls=x", `mssql://Server=h\i,1433; Pwd='x;'`, "sqlserver://u@h:1?encrypt=disable", "mariadb://Port=0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, dsn string) {
		for _, read := range []func(store.Source) (func(context.Context) (link, error), error){readPostgres, readMySQL, readSQLServer} {
			if connect, err := read(store.Source{DSN: dsn, User: "u"}); (connect == nil) == (err == nil) {
				t.Errorf("%q: neither a way to connect nor an error", dsn)
			}
		}
	})
}
