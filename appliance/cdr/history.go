package cdr

import (
	"context"
	"time"

	"github.com/switchlet/switchlet/store"
)

// schema is the table of the history; times are microseconds since 1970, 0 where
// the call did not get so far, durations milliseconds.
const schema = `CREATE TABLE cdr (
 uuid TEXT NOT NULL, other_uuid TEXT, direction TEXT, caller_id_name TEXT, caller_id_number TEXT,
 destination_number TEXT, context TEXT, network_addr TEXT, endpoint TEXT, channel TEXT, user_name TEXT, domain_name TEXT,
 gateway TEXT, accountcode TEXT, start_us INTEGER, answer_us INTEGER, bridge_us INTEGER, end_us INTEGER,
 duration_ms INTEGER, billed_ms INTEGER, hangup_cause TEXT, last_app TEXT, read_codec TEXT, write_codec TEXT,
 mos REAL, jitter REAL, lost INTEGER, packets_in INTEGER, packets_out INTEGER);
CREATE INDEX cdr_end ON cdr (end_us);
CREATE INDEX cdr_uuid ON cdr (uuid)`

const insertRow = `INSERT INTO cdr VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`

// prune removes what is older than the history is kept.
const prune = `DELETE FROM cdr WHERE end_us < ?`

// history writes records to the switch's own database.
type history struct {
	db    *store.DB
	batch *store.Batch
	keep  time.Duration // 0: for ever
	swept time.Time
}

// sweepEvery is how often old rows are looked for.
const sweepEvery = time.Hour

// openHistory brings the table up to date and starts the writer. failed gets what
// could not be written.
func openHistory(ctx context.Context, db *store.DB, keep time.Duration, failed func(error)) (*history, error) {
	if err := db.Migrate(ctx, "cdr", schema); err != nil {
		return nil, err
	}
	return &history{db: db, keep: keep, batch: db.Batch(store.BatchOptions{Failed: func(_ string, err error) { failed(err) }})}, nil
}

// add queues a row.
func (h *history) add(r *Record) error {
	us := func(t time.Time) int64 {
		if t.IsZero() {
			return 0
		}
		return t.UnixMicro()
	}
	if now := time.Now(); h.keep > 0 && now.Sub(h.swept) > sweepEvery {
		h.swept = now
		if err := h.batch.Add(prune, now.Add(-h.keep).UnixMicro()); err != nil {
			return err
		}
	}
	return h.batch.Add(insertRow, r.UUID, r.OtherUUID, r.Direction, r.CallerName, r.CallerNumber, r.Destination, r.Context,
		r.NetworkAddr, r.Endpoint, r.Channel, r.User, r.Domain, r.Gateway, r.AccountCode, us(r.Start), us(r.Answer), us(r.Bridge), us(r.End),
		r.Duration.Milliseconds(), r.Billed.Milliseconds(), r.Cause, r.Application, r.ReadCodec, r.WriteCodec,
		r.MOS, r.Jitter, int64(r.LostPackets), int64(r.PacketsIn), int64(r.PacketsOut))
}

func (h *history) close() { h.batch.Close() }
