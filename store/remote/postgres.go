package remote

import (
	"context"
	"errors"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/switchlet/switchlet/store"
)

func openPostgres(ctx context.Context, from store.Source) (store.Session, error) {
	return opened(ctx, from, readPostgres)
}

// withoutMeaning are libpq's own settings that are no parameters of a session:
// what they ask for is not there or is so anyway.
var withoutMeaning = map[string]bool{"gssencmode": true, "krbsrvname": true, "gsslib": true, "gssdelegation": true, "sslcompression": true,
	"keepalives": true, "keepalives_idle": true, "keepalives_interval": true, "keepalives_count": true, "tcp_user_timeout": true,
	"fallback_application_name": true, "requirepeer": true, "channel_binding": true, "load_balance_hosts": true}

// readPostgres reads libpq's "host=… dbname=…", or a URL.
func readPostgres(from store.Source) (func(context.Context) (link, error), error) {
	scheme, text, _ := strings.Cut(from.DSN, "://")
	lookup := ""
	switch {
	case strings.Contains(text, "://"):
	case scheme != "pgsql" || !strings.Contains(text, "=") || strings.Contains(text, "@") && !strings.ContainsAny(text, " '"):
		text = "postgres://" + text
	default:
		list, err := readKeywords(text)
		if err != nil {
			return nil, err
		}
		text, lookup = keywords(list)
	}
	config, err := pgconn.ParseConfig(text)
	if err != nil {
		// The parser's own message repeats the DSN.
		var parse *pgconn.ParseConfigError
		if errors.As(err, &parse) && parse.Unwrap() != nil {
			return nil, errors.New("the data source name cannot be read: " + parse.Unwrap().Error())
		}
		return nil, errors.New("the data source name cannot be read")
	}
	if from.User != "" {
		config.User = from.User
	}
	if from.Password != "" {
		config.Password = from.Password
	}
	if lookup != "" {
		config.LookupFunc = func(context.Context, string) ([]string, error) { return []string{lookup}, nil }
	}
	if config.ConnectTimeout <= 0 || config.ConnectTimeout > dialLimit {
		config.ConnectTimeout = dialLimit
	}
	return func(ctx context.Context) (link, error) {
		c, err := pgconn.ConnectConfig(ctx, config)
		if err != nil {
			return nil, postgresError(err)
		}
		return postgres{c}, nil
	}, nil
}

// keywords writes pairs as the driver reads them. address is what hostaddr says
// when there is a host beside it, whose name only certificates are held against.
func keywords(list []pair) (text, address string) {
	host := false
	for _, p := range list {
		host = host || p.key == "host" && p.value != ""
	}
	var b strings.Builder
	for _, p := range list {
		switch {
		case withoutMeaning[p.key], p.value == "":
			continue
		case p.key == "hostaddr" && host:
			address = p.value
			continue
		case p.key == "hostaddr":
			p.key = "host"
		}
		b.WriteString(p.key + "='" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(p.value) + "' ")
	}
	return b.String(), address
}

// postgresError is what the server said, without the driver's words about the
// connection, which name the user and the database.
func postgresError(err error) error {
	var said *pgconn.PgError
	if errors.As(err, &said) {
		return said
	}
	return err
}

type postgres struct{ c *pgconn.PgConn }

// copyIn are statements that wait for data, which a script cannot send.
var copyIn = regexp.MustCompile(`(?is)\bcopy\b[^;]*\bfrom\s+stdin\b`)

func (p postgres) run(ctx context.Context, sql string, add func([]string, []store.Value) error) (int64, error) {
	if copyIn.MatchString(sql) {
		return -1, errors.New("COPY FROM STDIN is not supported")
	}
	changed := int64(-1)
	results := p.c.Exec(ctx, sql)
	for results.NextResult() {
		one := results.ResultReader()
		fields := one.FieldDescriptions()
		names := make([]string, len(fields))
		for i := range fields {
			names[i] = fields[i].Name
		}
		values := make([]store.Value, len(fields))
		for one.NextRow() {
			for i, v := range one.Values() {
				values[i] = store.Value{Text: string(v), Null: v == nil}
			}
			if err := add(names, values); err != nil {
				p.close() // the rest is not worth reading
				return changed, err
			}
		}
		tag, err := one.Close()
		if err == nil && (tag.Insert() || tag.Update() || tag.Delete() || strings.HasPrefix(tag.String(), "MERGE")) {
			changed = tag.RowsAffected()
		}
	}
	if err := results.Close(); err != nil {
		return changed, postgresError(err)
	}
	return changed, nil
}

func (p postgres) ping(ctx context.Context) error { return p.c.Ping(ctx) }
func (p postgres) alive() bool                    { return !p.c.IsClosed() }

func (p postgres) within() (open, known bool) { return p.c.TxStatus() != 'I', !p.c.IsClosed() }

func (p postgres) close() {
	ctx, cancel := context.WithTimeout(context.Background(), checkLimit)
	defer cancel()
	_ = p.c.Close(ctx)
}
