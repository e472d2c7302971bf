package remote

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/switchlet/switchlet/store"
)

func openMySQL(ctx context.Context, from store.Source) (store.Session, error) {
	return opened(ctx, from, readMySQL)
}

// sockets are where a server on the same machine is looked for, as the C library
// does for the host "localhost".
var sockets = []string{"/run/mysqld/mysqld.sock", "/var/run/mysqld/mysqld.sock", "/var/lib/mysql/mysql.sock", "/tmp/mysql.sock"}

// readMySQL reads "Server=…; Database=…; Uid=…; Pwd=…", or a URL.
func readMySQL(from store.Source) (func(context.Context) (link, error), error) {
	_, text, _ := strings.Cut(from.DSN, "://")
	var list []pair
	var err error
	if before, _, ok := strings.Cut(text, "="); ok && !strings.ContainsAny(before, "/@") {
		list, err = readPairs(text)
	} else {
		list, err = readURL("mysql://" + text)
	}
	if err != nil {
		return nil, err
	}
	config := mysql.NewConfig()
	config.MultiStatements = true
	config.Timeout = dialLimit
	config.Logger = silent{}
	host, number := "localhost", ""
	for _, p := range list {
		switch p.key {
		case "server", "host":
			host = p.value
		case "port":
			if number, err = port(p.value); err != nil {
				return nil, err
			}
		case "socket", "unix_socket", "unixsocket":
			config.Net, config.Addr = "unix", p.value
		case "uid", "user", "username":
			config.User = p.value
		case "pwd", "passwd", "password":
			config.Passwd = p.value
		case "database", "db":
			config.DBName = p.value
		case "charset":
			if err := config.Apply(mysql.Charset(p.value, "")); err != nil {
				return nil, err
			}
		case "tls":
			config.TLSConfig = p.value
		case "driver", "dsn", "option", "options":
		default:
			return nil, fmt.Errorf("the data source name has %q; known are server, port, socket, database, uid, pwd, charset and tls", p.key)
		}
	}
	if from.User != "" {
		config.User = from.User
	}
	if from.Password != "" {
		config.Passwd = from.Password
	}
	if config.Addr == "" {
		config.Net, config.Addr = mysqlAddress(host, number)
	}
	c, err := mysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	d := dialect{counted: "SELECT ROW_COUNT()", text: mysqlText, said: func(err error) string {
		var said *mysql.MySQLError
		if errors.As(err, &said) {
			return said.Message
		}
		return ""
	}}
	return func(ctx context.Context) (link, error) { return joinSQL(ctx, c, d) }, nil
}

// mysqlAddress is where a server listens. localhost without a port is its socket,
// if there is one.
func mysqlAddress(host, number string) (network, address string) {
	if host == "localhost" && number == "" {
		for _, s := range sockets {
			if info, err := os.Stat(s); err == nil && info.Mode()&os.ModeSocket != 0 {
				return "unix", s
			}
		}
	}
	if number == "" {
		number = "3306"
	}
	return "tcp", net.JoinHostPort(strings.Trim(host, "[]"), number)
}

// readURL makes pairs of scheme://user:password@host:port/database?key=value.
func readURL(text string) ([]pair, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("the data source name is no URL") // the error would repeat the password
	}
	list := []pair{{"server", u.Hostname()}, {"database", strings.TrimPrefix(u.Path, "/")}}
	if u.User != nil {
		password, _ := u.User.Password()
		list = append(list, pair{"uid", u.User.Username()}, pair{"pwd", password})
	}
	if u.Port() != "" {
		list = append(list, pair{"port", u.Port()})
	}
	for key, values := range u.Query() {
		list = append(list, pair{strings.ToLower(key), values[0]})
	}
	return list, nil
}

// silent keeps the driver from writing to the process's standard error; what it
// has to say comes back as errors.
type silent struct{}

func (silent) Print(...any) {}

// mysqlText writes a value as the server's text protocol has it.
func mysqlText(value any, _ string) string {
	switch v := value.(type) {
	case []byte:
		return string(v)
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	case uint64:
		return strconv.FormatUint(v, 10)
	case float32:
		return plainFloat(float64(v), 32)
	case float64:
		return plainFloat(v, 64)
	}
	return fmt.Sprint(value)
}

// plainFloat writes a number without exponent as far as that is short, else with
// one that has no sign or zeros to spare: 1e20, 1e-7.
func plainFloat(v float64, bits int) string {
	if size := math.Abs(v); v == 0 || size >= 1e-5 && size < 1e15 {
		return strconv.FormatFloat(v, 'f', -1, bits)
	}
	mantissa, exponent, ok := strings.Cut(strconv.FormatFloat(v, 'e', -1, bits), "e")
	if !ok {
		return mantissa // infinite, or no number
	}
	n, _ := strconv.Atoi(exponent)
	return mantissa + "e" + strconv.Itoa(n)
}
