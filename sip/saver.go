package sip

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/switchlet/switchlet/call"
)

// registrationColumns are those of FreeSWITCH's sip_registrations, and three of
// ours that a restart needs: contact_uri, transport and exp_seconds.
const registrationColumns = `call_id,sip_user,sip_host,presence_hosts,contact,status,ping_status,ping_count,ping_time,force_ping,` +
	`rpid,expires,ping_expires,user_agent,server_user,server_host,profile_name,hostname,network_ip,network_port,sip_username,sip_realm,` +
	`mwi_user,mwi_host,orig_server_host,orig_hostname,sub_host,contact_uri,transport,exp_seconds`

// createTable makes the table of registrations.
func createTable(ctx context.Context, db *sql.DB) error {
	numbers := map[string]bool{"ping_count": true, "ping_time": true, "force_ping": true, "expires": true, "ping_expires": true, "exp_seconds": true}
	var columns []string
	for name := range strings.SplitSeq(registrationColumns, ",") {
		kind := "VARCHAR(255)"
		if numbers[name] {
			kind = "BIGINT"
		}
		if name == "contact" || name == "contact_uri" {
			kind = "VARCHAR(4096)"
		}
		columns = append(columns, name+" "+kind)
	}
	for _, q := range []string{
		"CREATE TABLE IF NOT EXISTS sip_registrations (" + strings.Join(columns, ", ") + ")",
		"CREATE INDEX IF NOT EXISTS sr_call_id ON sip_registrations (call_id)",
		"CREATE INDEX IF NOT EXISTS sr_profile_hostname ON sip_registrations (profile_name, hostname)",
	} {
		if _, err := db.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

// saver writes changes of bindings to the database, many in one transaction. A
// nil database makes it do nothing.
type saver struct {
	p       *Profile
	db      *sql.DB
	mu      sync.Mutex
	pending map[string]change
	failing bool
}

// change is what a row is to become; a nil binding deletes it.
type change struct {
	callID, user, host, contact string
	row                         *binding
}

func newSaver(p *Profile) *saver {
	return &saver{p: p, db: p.stack.DB, pending: make(map[string]change)}
}

func (s *saver) keep(b *binding) { s.note(b, b) }

func (s *saver) forget(b *binding) { s.note(b, nil) }

// note queues a change. While the database fails no more are queued than there
// may be bindings.
func (s *saver) note(b *binding, row *binding) {
	if s.db == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pending) < 2*s.p.stack.Limits.Bindings {
		s.pending[b.rowKey()] = change{b.CallID, b.User, b.Host, b.Contact, row}
	}
}

// flush writes what is queued; what cannot be written stays queued.
func (s *saver) flush(ctx context.Context) {
	if s.db == nil {
		return
	}
	s.mu.Lock()
	batch := s.pending
	if len(batch) == 0 {
		s.mu.Unlock()
		return
	}
	s.pending = make(map[string]change)
	s.mu.Unlock()
	err := s.write(ctx, batch)
	if err == nil {
		s.failing = false
		return
	}
	if !s.failing {
		s.p.registrar.log("sip: profile %s: registrations are not saved: %v", s.p.name, err)
	}
	s.failing = true
	s.mu.Lock()
	for k, c := range batch {
		if _, newer := s.pending[k]; !newer {
			s.pending[k] = c
		}
	}
	s.mu.Unlock()
}

func (s *saver) write(ctx context.Context, batch map[string]change) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	del, err := tx.PrepareContext(ctx, "DELETE FROM sip_registrations WHERE call_id=? AND sip_user=? AND sip_host=? AND contact=? AND profile_name=?")
	if err != nil {
		return err
	}
	defer del.Close()
	n := strings.Count(registrationColumns, ",") + 1
	ins, err := tx.PrepareContext(ctx, "INSERT INTO sip_registrations ("+registrationColumns+") VALUES (?"+strings.Repeat(",?", n-1)+")")
	if err != nil {
		return err
	}
	defer ins.Close()
	for _, c := range batch {
		if _, err := del.ExecContext(ctx, c.callID, c.user, c.host, c.contact, s.p.name); err != nil {
			return err
		}
		if c.row == nil {
			continue
		}
		if _, err := ins.ExecContext(ctx, s.values(c.row)...); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func (s *saver) values(b *binding) []any {
	host := s.p.stack.Switch.Hostname
	force := 0
	if b.forcePing {
		force = 1
	}
	at := hostText(s.p.settings().sipIP)
	return []any{b.CallID, b.User, b.Host, s.p.settings().presenceHosts, b.Contact, b.Status, "Reachable", 0, 0, force,
		b.RPID, b.Expires.Unix(), 0, b.Agent, b.ToUser, b.ToHost, s.p.name, host, b.NetworkIP, b.NetworkPort, b.AuthUser, b.AuthRealm,
		b.MWIUser, b.MWIHost, at, host, b.Host, b.contactURI, b.proto(), b.ExpSeconds}
}

// load reads the bindings that are not past their time.
func (s *saver) load(ctx context.Context) []*binding {
	if s.db == nil {
		return nil
	}
	now := time.Now()
	host := s.p.stack.Switch.Hostname
	if _, err := s.db.ExecContext(ctx, "DELETE FROM sip_registrations WHERE profile_name=? AND hostname=? AND expires<=?", s.p.name, host, now.Unix()); err != nil {
		s.p.log(call.LogErr, "sip: profile %s: registrations of before: %v", s.p.name, err)
		return nil
	}
	rows, err := s.db.QueryContext(ctx, `SELECT call_id,sip_user,sip_host,contact,status,force_ping,rpid,expires,user_agent,server_user,server_host,`+
		`network_ip,network_port,sip_username,sip_realm,mwi_user,mwi_host,contact_uri,transport,exp_seconds FROM sip_registrations `+
		`WHERE profile_name=? AND hostname=? LIMIT ?`, s.p.name, host, s.p.stack.Limits.Bindings)
	if err != nil {
		s.p.log(call.LogErr, "sip: profile %s: registrations of before: %v", s.p.name, err)
		return nil
	}
	defer rows.Close()
	var out []*binding
	for rows.Next() {
		b := &binding{Reachable: true, PingCount: s.p.settings().pingMax}
		var expires int64
		var force, seconds sql.NullInt64
		err := rows.Scan(&b.CallID, &b.User, &b.Host, &b.Contact, &b.Status, &force, &b.RPID, &expires, &b.Agent, &b.ToUser, &b.ToHost,
			&b.NetworkIP, &b.NetworkPort, &b.AuthUser, &b.AuthRealm, &b.MWIUser, &b.MWIHost, &b.contactURI, &b.Transport, &seconds)
		if err != nil {
			s.p.log(call.LogErr, "sip: profile %s: a registration of before: %v", s.p.name, err)
			continue
		}
		b.Expires, b.forcePing, b.ExpSeconds, b.Realm = time.Unix(expires, 0), force.Int64 != 0, int(seconds.Int64), b.Host
		out = append(out, b)
	}
	if err := rows.Err(); err != nil {
		s.p.log(call.LogErr, "sip: profile %s: registrations of before: %v", s.p.name, err)
	}
	return out
}

func unix(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }
