package lua

import (
	"encoding/hex"
	"errors"
	"math"
	"path/filepath"
	"strconv"
	"strings"

	glua "github.com/yuin/gopher-lua"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/store"
)

// connection is what luasql and lsqlite3 hold: a connection that ends with the
// script.
type connection struct {
	s    *script
	conn *store.Conn
}

func (c *connection) finalize() {
	c.s.forget(c)
	if c.conn != nil {
		c.conn.Release()
		c.conn = nil
	}
}

// sqlCore is what the modules of databases are built of.
func sqlCore(*script) library {
	return library{
		"open": sqlOpen, "run": sqlRun, "close": sqlClose,
		"memory": func(s *script, L *glua.LState) int {
			return s.pushText(L, "sqlite://memory://file:module-"+call.NewUUID()+"?mode=memory")
		},
		"file": func(s *script, L *glua.LState) int {
			name := s.checkText(L, 1, "open")
			if !filepath.IsAbs(name) && s.host.opts.Store != nil {
				name = filepath.Join(s.host.opts.Store.Dir(), name)
			}
			return s.pushText(L, "sqlite://"+name)
		},
		"parameters": sqlParameters, "filled": sqlFilled,
	}
}

func pushError(L *glua.LState, err error) int {
	L.Push(glua.LNil)
	L.Push(glua.LString(err.Error()))
	return 2
}

func sqlOpen(s *script, L *glua.LState) int {
	dsn := s.checkText(L, 1, "connect")
	if s.host.opts.Store == nil {
		return pushError(L, errors.New("there is no store of databases"))
	}
	end := s.rest()
	conn, err := s.host.opts.Store.Conn(s.ctx, dsn)
	end()
	if err != nil {
		return pushError(L, err)
	}
	c := &connection{s: s, conn: conn}
	s.hold(c)
	ud := L.NewUserData()
	ud.Value = c
	L.Push(ud)
	return 1
}

func (s *script) connection(L *glua.LState) (*connection, error) {
	ud, _ := L.Get(1).(*glua.LUserData)
	if ud != nil {
		if c, ok := ud.Value.(*connection); ok && c.conn != nil {
			return c, nil
		}
	}
	return nil, errors.New("the connection is closed")
}

// sqlRun returns the names of the columns, none if there are no rows, the rows as
// arrays, how many rows were changed, and whether there might have been rows; or nil
// and a message.
func sqlRun(s *script, L *glua.LState) int {
	c, err := s.connection(L)
	if err != nil {
		return pushError(L, err)
	}
	names, rows := L.CreateTable(0, 0), L.CreateTable(0, 0)
	count := 0
	end := s.rest()
	err = c.conn.Run(s.ctx, s.checkText(L, 2, "execute"), func(columns []string, values []store.Value) bool {
		if count++; count > maxRows {
			return false
		}
		if count == 1 {
			for _, n := range columns {
				names.Append(glua.LString(n))
			}
		}
		row := L.CreateTable(len(values), 0)
		for i, v := range values {
			switch n, err := strconv.ParseFloat(v.Text, 64); {
			case v.Null:
			case v.Number && err == nil:
				row.RawSetInt(i+1, glua.LNumber(n))
			default:
				row.RawSetInt(i+1, glua.LString(v.Text))
			}
		}
		rows.Append(row)
		return true
	})
	end()
	if err == nil && count > maxRows {
		err = errors.New("too many rows")
	}
	if err != nil {
		return pushError(L, err)
	}
	L.Push(names)
	L.Push(rows)
	L.Push(glua.LNumber(c.conn.Changed()))
	L.Push(glua.LBool(count > 0 || asks(text(L.Get(2)))))
	return 4
}

// asks reports whether a statement is one that gives rows, if it finds any.
func asks(sql string) bool {
	words := strings.Fields(strings.TrimLeft(sql, " \t\r\n("))
	if len(words) == 0 {
		return false
	}
	switch strings.ToUpper(words[0]) {
	case "SELECT", "WITH", "VALUES", "PRAGMA", "SHOW", "EXPLAIN", "DESCRIBE", "DESC", "TABLE":
		return true
	}
	return strings.Contains(strings.ToUpper(sql), " RETURNING ")
}

func sqlClose(s *script, L *glua.LState) int {
	if c, err := s.connection(L); err == nil {
		c.finalize()
	}
	return 0
}

// prepared is a statement with places for values: pieces of text, and behind each
// but the last the number of the value that stands there.
type prepared struct {
	pieces []string
	slots  []int
	names  []string // of the values: ":a" without its sign, or "1"
}

// maxParameters bounds the places of a statement.
const maxParameters = 999

// parseParameters finds ?, ?N, :name, @name and $name outside of texts, names in
// quotes and comments.
func parseParameters(sql string) (*prepared, error) {
	p := &prepared{}
	numbers := map[string]int{}
	begin := 0
	for i := 0; i < len(sql); {
		switch c := sql[i]; {
		case c == '\'' || c == '"' || c == '`':
			i += quotedLength(sql[i:], string(c))
		case c == '[':
			i += quotedLength(sql[i:], "]")
		case strings.HasPrefix(sql[i:], "--"):
			i += quotedLength(sql[i:], "\n")
		case strings.HasPrefix(sql[i:], "/*"):
			end := strings.Index(sql[i+2:], "*/")
			if end < 0 {
				end = len(sql)
			}
			i = min(i+end+4, len(sql))
		case c == '?' || (c == ':' || c == '@' || c == '$') && i+1 < len(sql) && wordByte(sql[i+1]) && !(c == ':' && i > 0 && sql[i-1] == ':'):
			end := i + 1
			for end < len(sql) && wordByte(sql[end]) {
				end++
			}
			name := sql[i+1 : end]
			if name == "" {
				name = strconv.Itoa(len(p.names) + 1)
			}
			n, ok := numbers[name]
			if !ok || sql[i+1:end] == "" {
				p.names = append(p.names, name)
				n = len(p.names)
				numbers[name] = n
			}
			if len(p.names) > maxParameters {
				return nil, errors.New("too many SQL variables")
			}
			p.pieces = append(p.pieces, sql[begin:i])
			p.slots = append(p.slots, n)
			i, begin = end, end
		default:
			i++
		}
	}
	p.pieces = append(p.pieces, sql[begin:])
	return p, nil
}

func wordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// quotedLength is how long the text at the start of s is that ends with quote.
func quotedLength(s, quote string) int {
	end := strings.Index(s[1:], quote)
	if end < 0 {
		return len(s)
	}
	return end + 1 + len(quote)
}

func sqlParameters(s *script, L *glua.LState) int {
	p, err := parseParameters(s.checkText(L, 1, "prepare"))
	if err != nil {
		return pushError(L, err)
	}
	t, names, ud := L.CreateTable(0, 0), L.CreateTable(0, 0), L.NewUserData()
	for _, n := range p.names {
		names.Append(glua.LString(n))
	}
	ud.Value = p
	t.RawSetString("names", names)
	t.RawSetString("core", ud)
	L.Push(t)
	return 1
}

// sqlFilled writes the values into a statement, each as a literal of SQLite.
func sqlFilled(s *script, L *glua.LState) int {
	parts, _ := L.Get(1).(*glua.LTable)
	values, _ := L.Get(2).(*glua.LTable)
	if parts == nil || values == nil {
		s.raise(L, "no statement")
	}
	ud, _ := parts.RawGetString("core").(*glua.LUserData)
	p, _ := ud.Value.(*prepared)
	var b strings.Builder
	for i, piece := range p.pieces {
		b.WriteString(piece)
		if i < len(p.slots) {
			b.WriteString(literal(values.RawGetInt(p.slots[i])))
		}
		if b.Len() > s.host.opts.Limits.Text {
			s.raise(L, "not enough memory: a statement too long")
		}
	}
	return s.pushText(L, b.String())
}

// literal is a value in SQL. Texts with a NUL byte are written in hexadecimal, in
// which nothing needs a quote.
func literal(v glua.LValue) string {
	switch v := v.(type) {
	case glua.LNumber:
		n := float64(v)
		if math.IsNaN(n) || math.IsInf(n, 0) {
			return "NULL"
		}
		if n == math.Trunc(n) && math.Abs(n) < 1e15 {
			return "(" + strconv.FormatInt(int64(n), 10) + ")"
		}
		return "(" + strconv.FormatFloat(n, 'e', -1, 64) + ")"
	case glua.LString:
		if strings.IndexByte(string(v), 0) >= 0 {
			return "CAST(X'" + hex.EncodeToString([]byte(v)) + "' AS TEXT)"
		}
		return "'" + strings.ReplaceAll(string(v), "'", "''") + "'"
	case glua.LBool:
		if v {
			return "1"
		}
		return "0"
	}
	return "NULL"
}
