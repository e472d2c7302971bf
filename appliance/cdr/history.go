package cdr

import (
	"context"
	"errors"
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

// gather is how long an ended leg may wait for others, to be written with them in
// one transaction: a transaction costs as much as all the rest of a short call.
const gather = 250 * time.Millisecond

// openHistory brings the table up to date and starts the writer. failed gets what
// could not be written.
func openHistory(ctx context.Context, db *store.DB, keep time.Duration, failed func(error)) (*history, error) {
	if err := db.Migrate(ctx, "cdr", schema); err != nil {
		return nil, err
	}
	return &history{db: db, keep: keep, batch: db.Batch(store.BatchOptions{Gather: gather, Failed: func(_ string, err error) { failed(err) }})}, nil
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

// Row is a leg of the history. Times are microseconds since 1970, 0 where the call
// did not get so far.
type Row struct {
	UUID        string  `json:"uuid"`
	Other       string  `json:"other"`
	Direction   string  `json:"direction"`
	CallerName  string  `json:"callerName"`
	Caller      string  `json:"caller"`
	Destination string  `json:"destination"`
	Channel     string  `json:"channel"`
	Start       int64   `json:"start"`
	Answer      int64   `json:"answer"`
	End         int64   `json:"end"`
	BilledMS    int64   `json:"billedMs"`
	Cause       string  `json:"cause"`
	ReadCodec   string  `json:"readCodec"`
	MOS         float64 `json:"mos"` // 0: no sound came in
	Jitter      float64 `json:"jitter"`
	Lost        int64   `json:"lost"`
}

const selectRows = `SELECT uuid, coalesce(other_uuid, ''), direction, caller_id_name, caller_id_number, destination_number, channel,
 start_us, answer_us, end_us, billed_ms, hangup_cause, read_codec, mos, jitter, lost FROM cdr WHERE end_us < ? ORDER BY end_us DESC LIMIT ?`

// Recent reads the legs that ended before a moment, newest first. Without a
// history there are none.
func (r *Recorder) Recent(ctx context.Context, before time.Time, limit int) ([]Row, error) {
	out := []Row{}
	if r.history == nil {
		return out, nil
	}
	if err := r.Flush(ctx); err != nil && !errors.Is(err, store.ErrClosed) {
		return nil, err
	}
	rows, err := r.history.db.Query(ctx, selectRows, before.UnixMicro(), limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var w Row
		if err := rows.Scan(&w.UUID, &w.Other, &w.Direction, &w.CallerName, &w.Caller, &w.Destination, &w.Channel,
			&w.Start, &w.Answer, &w.End, &w.BilledMS, &w.Cause, &w.ReadCodec, &w.MOS, &w.Jitter, &w.Lost); err != nil {
			return nil, err
		}
		out = append(out, w)
	}
	return out, rows.Err()
}

func (h *history) close() { h.batch.Close() }
