package remote

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"

	"github.com/switchlet/switchlet/store"
)

// dialect is how a server behind database/sql differs from the others.
type dialect struct {
	// counted asks how many rows the last statement touched.
	counted string
	// text writes a value as the server's own tools do. kind is the column's type
	// as the driver names it.
	text func(value any, kind string) string
	// said finds the server's own message in an error, which leaves the connection
	// as it is; "" if it is no such error.
	said func(err error) string
}

// sqlLink is a link through database/sql: one connection and no more.
type sqlLink struct {
	db   *sql.DB
	conn *sql.Conn
	dialect
	lost bool
}

func joinSQL(ctx context.Context, c driver.Connector, d dialect) (link, error) {
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(1)
	conn, err := db.Conn(ctx)
	if err != nil {
		_ = db.Close()
		if message := d.said(err); message != "" {
			return nil, errors.New(message)
		}
		return nil, err
	}
	return &sqlLink{db: db, conn: conn, dialect: d}, nil
}

func (l *sqlLink) run(ctx context.Context, text string, add func([]string, []store.Value) error) (int64, error) {
	rows, err := l.conn.QueryContext(ctx, text)
	if err != nil {
		return -1, l.failed(err)
	}
	selects := false // the last statement gave rows
	for {
		columns, err := rows.Columns()
		if err != nil {
			break
		}
		selects = len(columns) > 0
		if err := l.fetch(rows, columns, add); err != nil {
			_ = rows.Close()
			return -1, l.failed(err)
		}
		if !rows.NextResultSet() {
			break
		}
	}
	err = rows.Err()
	if cerr := rows.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return -1, l.failed(err)
	}
	if selects || !changes(text) {
		return -1, nil
	}
	changed := int64(-1)
	if err := l.conn.QueryRowContext(ctx, l.counted).Scan(&changed); err != nil {
		return -1, l.failed(err)
	}
	return changed, nil
}

// changes reports whether the last statement of a text is one that touches rows.
func changes(text string) bool {
	text = strings.TrimRight(text, "; \t\r\n")
	words := strings.Fields(text[strings.LastIndexByte(text, ';')+1:])
	if len(words) == 0 {
		return false
	}
	switch strings.ToUpper(words[0]) {
	case "CREATE", "DROP", "ALTER", "BEGIN", "START", "COMMIT", "ROLLBACK", "SET", "USE", "SELECT", "LOCK", "UNLOCK":
		return false
	}
	return true
}

func (l *sqlLink) fetch(rows *sql.Rows, columns []string, add func([]string, []store.Value) error) error {
	if len(columns) == 0 {
		return nil
	}
	types, err := rows.ColumnTypes()
	if err != nil {
		return err
	}
	kinds := make([]string, len(columns))
	for i := range kinds {
		if i < len(types) {
			kinds[i] = types[i].DatabaseTypeName()
		}
	}
	scanned, targets := make([]any, len(columns)), make([]any, len(columns))
	for i := range targets {
		targets[i] = &scanned[i]
	}
	values := make([]store.Value, len(columns))
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return err
		}
		for i, v := range scanned {
			if v == nil {
				values[i] = store.Value{Null: true}
				continue
			}
			values[i] = store.Value{Text: l.text(v, kinds[i])}
		}
		if err := add(columns, values); err != nil {
			return err
		}
	}
	return rows.Err()
}

// failed words an error. One that the server did not send means that the
// connection is of no more use.
func (l *sqlLink) failed(err error) error {
	if message := l.said(err); message != "" {
		return errors.New(message)
	}
	l.lost = true
	return err
}

func (l *sqlLink) ping(ctx context.Context) error {
	err := l.conn.PingContext(ctx)
	if err != nil {
		l.lost = true
	}
	return err
}

func (l *sqlLink) alive() bool                { return !l.lost }
func (l *sqlLink) within() (open, known bool) { return false, false }

func (l *sqlLink) close() {
	_ = l.conn.Close()
	_ = l.db.Close()
}
