package remote

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	mssql "github.com/microsoft/go-mssqldb"
	"github.com/microsoft/go-mssqldb/msdsn"

	"github.com/switchlet/switchlet/store"
)

func openSQLServer(ctx context.Context, from store.Source) (store.Session, error) {
	return opened(ctx, from, readSQLServer)
}

// readSQLServer reads "Server=host,port; Database=…; Uid=…; Pwd=…", or a URL.
func readSQLServer(from store.Source) (func(context.Context) (link, error), error) {
	_, text, _ := strings.Cut(from.DSN, "://")
	var list []pair
	var err error
	if before, _, ok := strings.Cut(text, "="); ok && !strings.ContainsAny(before, "/@?") {
		list, err = readPairs(text)
	} else {
		list, err = readURL("sqlserver://" + text)
	}
	if err != nil {
		return nil, err
	}
	u := url.URL{Scheme: "sqlserver", Host: "localhost"}
	query := url.Values{"app name": {"switchlet"}, "dial timeout": {strconv.Itoa(int(dialLimit / time.Second))}}
	user, password, number := from.User, from.Password, ""
	for _, p := range list {
		switch p.key {
		case "server", "host", "datasource", "address":
			host, instance, _ := strings.Cut(p.value, `\`)
			if at, n, ok := strings.Cut(host, ","); ok {
				host, number = at, n
			}
			u.Host, u.Path = strings.TrimPrefix(host, "tcp:"), instance
		case "port":
			number = p.value
		case "uid", "user", "userid", "username":
			if from.User == "" {
				user = p.value
			}
		case "pwd", "passwd", "password":
			if from.Password == "" {
				password = p.value
			}
		case "database", "db", "initialcatalog":
			if p.value != "" {
				query.Set("database", p.value)
			}
		case "encrypt", "trustservercertificate", "certificate", "hostnameincertificate":
			query.Set(p.key, p.value)
		case "driver", "dsn", "appname", "tds_version":
		default:
			return nil, fmt.Errorf("the data source name has %q; known are server, port, database, uid, pwd, encrypt and trustservercertificate", p.key)
		}
	}
	if number != "" {
		if number, err = port(number); err != nil {
			return nil, err
		}
		u.Host = net.JoinHostPort(u.Host, number)
	}
	u.User, u.RawQuery = url.UserPassword(user, password), query.Encode()
	config, err := msdsn.Parse(u.String())
	if err != nil {
		return nil, errors.New("the data source name cannot be read: " + store.Shown(err.Error()))
	}
	c := mssql.NewConnectorConfig(config)
	d := dialect{counted: "SELECT CAST(@@ROWCOUNT AS BIGINT)", text: sqlServerText, said: func(err error) string {
		var said mssql.Error
		if errors.As(err, &said) {
			return said.Message
		}
		return ""
	}}
	return func(ctx context.Context) (link, error) { return joinSQL(ctx, c, d) }, nil
}

// sqlServerText writes a value as ODBC gives it to who asks for text.
func sqlServerText(value any, kind string) string {
	switch v := value.(type) {
	case bool:
		if v {
			return "1"
		}
		return "0"
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return plainFloat(v, 64)
	case string:
		return v
	case time.Time:
		return sqlServerTime(v, kind)
	case []byte:
		switch kind {
		case "UNIQUEIDENTIFIER":
			var id mssql.UniqueIdentifier
			if id.Scan(v) == nil {
				return id.String()
			}
		case "BINARY", "VARBINARY", "IMAGE", "TIMESTAMP":
			return strings.ToUpper(hex.EncodeToString(v))
		}
		return string(v)
	}
	return fmt.Sprint(value)
}

func sqlServerTime(t time.Time, kind string) string {
	switch kind {
	case "DATE":
		return t.Format("2006-01-02")
	case "TIME":
		return t.Format("15:04:05.0000000")
	case "SMALLDATETIME":
		return t.Format("2006-01-02 15:04:05")
	case "DATETIMEOFFSET":
		return t.Format("2006-01-02 15:04:05.0000000 -07:00")
	case "DATETIME2":
		return t.Format("2006-01-02 15:04:05.0000000")
	}
	return t.Format("2006-01-02 15:04:05.000")
}
