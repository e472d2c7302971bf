package kv

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/switchlet/switchlet/store"
)

// valueMax is how much of a stored value a select returns, in bytes.
const valueMax = 255

// timeout bounds one access to the disk.
const timeout = 10 * time.Second

// DB is the persistent store of realm, key and value, and of group members.
type DB struct{ db *store.DB }

// OpenDB makes the tables in db.
func OpenDB(ctx context.Context, db *store.DB) (*DB, error) {
	err := db.Migrate(ctx, "kv",
		`CREATE TABLE db_data (realm TEXT NOT NULL, data_key TEXT NOT NULL, data TEXT, PRIMARY KEY (realm, data_key))`,
		`CREATE TABLE group_data (groupname TEXT NOT NULL, url TEXT NOT NULL, PRIMARY KEY (groupname, url))`)
	if err != nil {
		return nil, err
	}
	if err := db.Migrate(ctx, "json_store", `CREATE TABLE json_store (name TEXT PRIMARY KEY, data TEXT NOT NULL)`); err != nil {
		return nil, err
	}
	return &DB{db}, nil
}

func (d *DB) exec(query string, args ...any) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	_, err := d.db.Exec(ctx, query, args...)
	return err
}

func (d *DB) list(query string, args ...any) ([]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	rows, err := d.db.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, rows.Err()
}

// Insert stores a value in place of the old one.
func (d *DB) Insert(realm, key, value string) error {
	return d.exec(`INSERT INTO db_data (realm, data_key, data) VALUES (?, ?, ?)
		ON CONFLICT (realm, data_key) DO UPDATE SET data = excluded.data`, realm, key, value)
}

// Delete removes a key, or a whole realm for key "".
func (d *DB) Delete(realm, key string) error {
	if key == "" {
		return d.exec(`DELETE FROM db_data WHERE realm = ?`, realm)
	}
	return d.exec(`DELETE FROM db_data WHERE realm = ? AND data_key = ?`, realm, key)
}

// Select returns a value, "" if there is none.
func (d *DB) Select(realm, key string) (string, bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	var v string
	err := d.db.QueryRow(ctx, `SELECT data FROM db_data WHERE realm = ? AND data_key = ?`, realm, key).Scan(&v)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	if len(v) > valueMax {
		v = v[:valueMax]
	}
	return v, err == nil, err
}

// Count is the number of keys of a realm, or of realms' keys altogether for "".
func (d *DB) Count(realm string) (int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	n := 0
	query, args := `SELECT count(*) FROM db_data`, []any{}
	if realm != "" {
		query, args = query+` WHERE realm = ?`, []any{realm}
	}
	return n, d.db.QueryRow(ctx, query, args...).Scan(&n)
}

// List returns the keys of a realm, or the realms for "".
func (d *DB) List(realm string) ([]string, error) {
	if realm == "" {
		return d.list(`SELECT DISTINCT realm FROM db_data ORDER BY rowid`)
	}
	return d.list(`SELECT data_key FROM db_data WHERE realm = ? ORDER BY rowid`, realm)
}

// GroupInsert adds a dial string to a group.
func (d *DB) GroupInsert(group, url string) error {
	return d.exec(`INSERT OR IGNORE INTO group_data (groupname, url) VALUES (?, ?)`, group, url)
}

// GroupDelete removes a dial string, or all of them for "*".
func (d *DB) GroupDelete(group, url string) error {
	if url == "*" {
		return d.exec(`DELETE FROM group_data WHERE groupname = ?`, group)
	}
	return d.exec(`DELETE FROM group_data WHERE groupname = ? AND url = ?`, group, url)
}

// Group returns a group's dial strings.
func (d *DB) Group(group string) ([]string, error) {
	return d.list(`SELECT url FROM group_data WHERE groupname = ? ORDER BY rowid`, group)
}
