package remote

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/switchlet/switchlet/store"
)

// Drivers are the rows for store.Options.Drivers. What stands behind the scheme is
// what FreeSWITCH's modules take (spec/lua.md §4), or a URL:
//
//	pgsql://host=db dbname=d user=u password='p'     postgres://u:p@db/d
//	mariadb://Server=db; Database=d; Uid=u; Pwd=p;   mysql://u:p@db:3306/d
//	mssql://Server=db,1433; Database=d; Uid=u; Pwd=p sqlserver://u:p@db:1433?database=d
func Drivers() []store.Driver {
	return []store.Driver{
		{Scheme: "pgsql", Open: openPostgres},
		{Scheme: "postgresql", Open: openPostgres},
		{Scheme: "postgres", Open: openPostgres},
		{Scheme: "mariadb", Open: openMySQL},
		{Scheme: "mysql", Open: openMySQL},
		{Scheme: "mssql", Open: openSQLServer},
		{Scheme: "sqlserver", Open: openSQLServer},
	}
}

// opened is the half of an Open that all have in common.
func opened(ctx context.Context, from store.Source, reader func(store.Source) (func(context.Context) (link, error), error)) (store.Session, error) {
	connect, err := reader(from)
	if err != nil {
		return nil, err
	}
	return begin(ctx, connect)
}

// pair is one key of a DSN and its value.
type pair struct{ key, value string }

// readPairs takes "Key=value; Key=value" apart. Keys are given in small letters
// without blanks. A value may stand in single or double quotes or braces, and then
// hold a semicolon; two quotes stand for one.
func readPairs(text string) ([]pair, error) {
	var list []pair
	for text = strings.TrimLeft(text, "; \t\r\n"); text != ""; text = strings.TrimLeft(text, "; \t\r\n") {
		key, rest, ok := strings.Cut(text, "=")
		if !ok || strings.Contains(key, ";") {
			key, _, _ = strings.Cut(text, ";")
			return nil, fmt.Errorf("%q is no KEY=VALUE", strings.TrimSpace(key))
		}
		key = strings.ToLower(strings.Join(strings.Fields(key), ""))
		rest = strings.TrimLeft(rest, " \t")
		value := ""
		if rest != "" && strings.IndexByte(`'"{`, rest[0]) >= 0 {
			quote := rest[:1]
			if quote == "{" {
				quote = "}"
			}
			var end int
			if value, end = unquote(rest[1:], quote); end < 0 {
				return nil, fmt.Errorf("the value of %q has no closing %s", key, quote)
			}
			rest = rest[1+end:]
			if rest = strings.TrimLeft(rest, " \t\r\n"); rest != "" && rest[0] != ';' {
				return nil, fmt.Errorf("the value of %q goes on behind its closing %s", key, quote)
			}
			text = rest
		} else {
			value, text, _ = strings.Cut(rest, ";")
			value = strings.TrimSpace(value)
		}
		list = append(list, pair{key, value})
	}
	return list, nil
}

// unquote reads up to a closing quote, which stands twice for itself; end is where
// it goes on, -1 if there is none.
func unquote(text, quote string) (value string, end int) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i:i+1] != quote {
			b.WriteByte(text[i])
			continue
		}
		if i+1 < len(text) && text[i+1:i+2] == quote {
			b.WriteString(quote)
			i++
			continue
		}
		return b.String(), i + 1
	}
	return "", -1
}

// readKeywords takes libpq's "key=value key='va lue'" apart.
func readKeywords(text string) ([]pair, error) {
	const blanks = " \t\r\n"
	var list []pair
	for text = strings.Trim(text, blanks); text != ""; text = strings.TrimLeft(text, blanks) {
		key, rest, ok := strings.Cut(text, "=")
		key = strings.TrimSpace(key)
		if !ok || key == "" || strings.ContainsAny(key, blanks) {
			return nil, fmt.Errorf("%q is no KEY=VALUE", key)
		}
		rest = strings.TrimLeft(rest, blanks)
		quoted := strings.HasPrefix(rest, "'")
		if quoted {
			rest = rest[1:]
		}
		var value strings.Builder
		closed := false
		i := 0
		for ; i < len(rest); i++ {
			c := rest[i]
			if c == '\\' && i+1 < len(rest) {
				i++
				value.WriteByte(rest[i])
				continue
			}
			if quoted && c == '\'' {
				closed = true
				i++
				break
			}
			if !quoted && strings.IndexByte(blanks, c) >= 0 {
				break
			}
			value.WriteByte(c)
		}
		if quoted && !closed {
			return nil, fmt.Errorf("the value of %q has no closing quote", key)
		}
		text = rest[i:]
		list = append(list, pair{strings.ToLower(key), value.String()})
	}
	return list, nil
}

// port reads a port number.
func port(text string) (string, error) {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || n < 1 || n > 65535 {
		return "", fmt.Errorf("port %q, want 1 to 65535", text)
	}
	return strconv.Itoa(n), nil
}
