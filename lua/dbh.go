package lua

import (
	"errors"
	"fmt"
	"strings"

	glua "github.com/yuin/gopher-lua"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/store"
)

// Texts of freeswitch.Dbh that scripts and their readers know.
const (
	textFailed  = "Failed to execute sql query"
	textMissing = "Missing SQL query."
	textNoDBH   = "DBH NOT Connected."
)

// dbh is a freeswitch.Dbh: a connection to a database, or none.
type dbh struct {
	s     *script
	dsn   string
	conn  *store.Conn
	last  string // what the last query without function failed with
	wrong bool   // whether last is set
}

func (d *dbh) finalize() {
	d.s.forget(d)
	if d.conn != nil {
		d.conn.Release()
		d.conn = nil
	}
}

func (d *dbh) log(level call.Level, format string, args ...any) {
	d.s.logAt(level, "freeswitch_lua.cpp", "Dbh", 1, fmt.Sprintf(format, args...)+"\n")
}

// ready reports whether there is a connection, and logs if not.
func (d *dbh) ready() bool {
	if d.conn == nil {
		d.log(call.LogErr, textNoDBH)
		return false
	}
	return true
}

func dbhClass() *class {
	on := func(fn func(a *arguments, d *dbh) int) func(*arguments) int {
		return func(a *arguments) int { return fn(a, a.self.(*dbh)) }
	}
	return &class{
		name: "Dbh", shown: "LUA::Dbh", pointer: "LUA::Dbh *",
		is: func(o any) bool { _, ok := o.(*dbh); return ok },
		constructor: method{signature: "s|ss",
			prototypes: "LUA::Dbh::Dbh(char *,char *,char *)\nLUA::Dbh::Dbh(char *,char *)\nLUA::Dbh::Dbh(char *)"},
		construct: newDbh,
		methods: []method{
			{name: "connected", run: on(func(a *arguments, d *dbh) int { return a.pushBool(d.conn != nil) })},
			{name: "release", run: on(func(a *arguments, d *dbh) int {
				if !d.ready() {
					return a.pushBool(false)
				}
				d.finalize()
				return a.pushBool(true)
			})},
			{name: "query", signature: "s|F", run: on(dbhQuery)},
			{name: "query_rows", signature: "s", run: on(dbhQueryRows)},
			{name: "affected_rows", run: on(func(a *arguments, d *dbh) int {
				if !d.ready() {
					return a.pushInt(0)
				}
				return a.push(glua.LNumber(d.conn.Changed()))
			})},
			{name: "last_error", run: on(func(a *arguments, d *dbh) int { return a.pushOptional(d.last, d.wrong) })},
			{name: "clear_error", run: on(func(a *arguments, d *dbh) int {
				d.last, d.wrong = "", false
				return 0
			})},
			{name: "test_reactive", signature: "s|ss", run: on(dbhTestReactive),
				prototypes: "LUA::Dbh::test_reactive(char *,char *,char *)\nLUA::Dbh::test_reactive(char *,char *)\nLUA::Dbh::test_reactive(char *)"},
			{name: "load_extension", signature: "S", run: on(func(a *arguments, d *dbh) int {
				switch {
				case !d.ready():
				case a.str(0) == "":
					d.log(call.LogErr, "Missing extension name.")
				default:
					d.log(call.LogErr, "LOAD EXTENSION ERR [extensions are not supported]")
				}
				return a.pushInt(1)
			})},
		},
	}
}

func newDbh(a *arguments) any {
	d := &dbh{s: a.s, dsn: a.str(0)}
	for i := 1; i < 3; i++ {
		if part := a.str(i); part != "" {
			d.dsn += ":" + part
		}
	}
	err := error(&store.NotConnectedError{DSN: d.dsn, Text: "No database store"})
	if st := a.s.host.opts.Store; st != nil {
		end := a.s.rest()
		d.conn, err = st.Conn(a.s.ctx, d.dsn)
		end()
	}
	if err != nil {
		d.log(call.LogCrit, "%v", err)
		d.log(call.LogErr, "Connection failed.  DBH NOT Connected.")
		return d
	}
	a.s.hold(d)
	return d
}

// place is the database and its kind, for messages.
func (d *dbh) place() string {
	kind := "core_db"
	if scheme, _, ok := strings.Cut(d.dsn, "://"); ok && scheme != "sqlite" {
		kind = "database_interface"
	}
	return fmt.Sprintf("[db=%q,type=%q]", strings.TrimPrefix(store.Shown(d.conn.DSN()), "sqlite://"), kind)
}

// run executes sql and returns the error's text.
func (d *dbh) run(sql string, row func([]string, []store.Value) bool) error {
	defer d.s.rest()()
	return d.conn.Run(d.s.ctx, sql, row)
}

func dbhQuery(a *arguments, d *dbh) int {
	sql := a.str(0)
	if !d.ready() {
		return a.pushBool(false)
	}
	if sql == "" {
		d.log(call.LogErr, textMissing)
		return a.pushBool(false)
	}
	d.last, d.wrong = "", false
	if !a.given(1) {
		if err := d.run(sql, nil); err != nil {
			d.last, d.wrong = err.Error(), true
			if !strings.Contains(err.Error(), "already exists") {
				d.log(call.LogErr, "%s NATIVE SQL ERR [%v]\n%s", d.place(), err, sql)
			}
			return a.pushBool(false)
		}
		return a.pushBool(true)
	}
	fn := a.value(1)
	err := d.run(sql, func(names []string, values []store.Value) bool {
		return d.row(a.L, fn, names, values)
	})
	if err != nil {
		d.log(call.LogErr, "SQL ERR: [%s] %v", sql, err)
		return a.pushBool(false)
	}
	return a.pushBool(true)
}

// row gives one row to a script's function and reports whether it wants more: an
// error or a number other than 0 ends the rows.
func (d *dbh) row(L *glua.LState, fn glua.LValue, names []string, values []store.Value) bool {
	table := rowTable(L, names, values, true)
	resting := d.s.resting.Swap(0)
	defer d.s.resting.Add(resting)
	if err := d.s.protect(L, 1, fn, table); err != nil {
		d.s.fail(err)
		return false
	}
	v := L.Get(-1)
	L.Pop(1)
	n, _ := number(v)
	return int(n) == 0
}

// rowTable is a row as scripts get it: texts by column name. NULL is an empty
// text, or left out.
func rowTable(L *glua.LState, names []string, values []store.Value, nulls bool) *glua.LTable {
	table := L.CreateTable(0, len(names))
	for i, name := range names {
		if values[i].Null && !nulls {
			continue
		}
		text, _, _ := strings.Cut(values[i].Text, "\x00")
		table.RawSetString(name, glua.LString(text))
	}
	return table
}

// maxRows bounds the result of query_rows.
const maxRows = 1_000_000

func dbhQueryRows(a *arguments, d *dbh) int {
	rows := a.L.CreateTable(0, 0)
	answer := func(ok bool, text string) int {
		if text == "" {
			return a.push(glua.LBool(ok), rows, glua.LNil)
		}
		return a.push(glua.LBool(ok), rows, glua.LString(text))
	}
	sql := a.str(0)
	if !d.ready() {
		return answer(false, textNoDBH)
	}
	if sql == "" {
		d.log(call.LogErr, textMissing)
		return answer(false, textMissing)
	}
	d.last, d.wrong = "", false
	count := 0
	err := d.run(sql, func(names []string, values []store.Value) bool {
		rows.Append(rowTable(a.L, names, values, false))
		count++
		return count <= maxRows
	})
	if err == nil && count > maxRows {
		err = errors.New("too many rows")
	}
	if err != nil {
		d.log(call.LogErr, "SQL ERR: [%s] %v", sql, err)
		return answer(false, textFailed)
	}
	return answer(true, "")
}

func dbhTestReactive(a *arguments, d *dbh) int {
	test, drop, create := a.str(0), a.str(1), a.str(2)
	if !d.ready() {
		return a.pushBool(false)
	}
	if test == "" || create == "" {
		d.log(call.LogErr, "Missing parameters.")
		return a.pushBool(false)
	}
	globals := a.s.host.sw.Globals
	if v := globals.Get("auto-clear-sql"); v != "" && !call.True(v) {
		return a.pushBool(true)
	}
	err := d.run(test, nil)
	if err == nil {
		return a.pushBool(true)
	}
	if v := globals.Get("auto-create-schemas"); v != "" && !call.True(v) {
		return a.pushBool(false)
	}
	d.log(call.LogDebug, "SQL ERR [%v]\n[%s]\nAuto Generating Table!", err, test)
	if drop != "" {
		if err := d.run(drop, nil); err != nil {
			d.log(call.LogDebug, "SQL ERR [%v]\n[%s]", err, drop)
		}
	}
	if err := d.run(create, nil); err != nil {
		d.log(call.LogDebug, "SQL ERR [%v]\n[%s]", err, create)
		return a.pushBool(false)
	}
	return a.pushBool(true)
}
