package erase

import (
	"context"
	"crypto/rand"
	_ "embed" // the SQL text
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/storage"
)

//go:embed sql/remains.sql
var remainsSQL string

//go:embed sql/unfinished.sql
var unfinishedSQL string

// eraseAt erases the rows of identifiers at one place and adds what it found to
// the report.
func (r run) eraseAt(ctx context.Context, at place, ids []string, t *TableReport) error {
	if t.Table == plumbline.TableOutcomes && !r.DryRun {
		if err := at.settled(ctx); err != nil {
			return err
		}
	}
	for chunk := range chunks(ids) {
		ends, err := r.ends(ctx, at, chunk)
		if err != nil {
			return err
		}
		hours, rows, unfinished, err := r.find(ctx, at, chunk, ends)
		if err != nil {
			return err
		}
		t.Rows, t.Unfinished = t.Rows+rows, t.Unfinished+unfinished
		if rows == 0 || r.DryRun {
			continue
		}
		if err := r.record(ctx, at, hours, r.now); err != nil {
			return err
		}
		if err := r.take(ctx, at, chunk, ends, hours); err != nil {
			return err
		}
	}
	if t.Table != plumbline.TableOutcomes || r.DryRun {
		return nil
	}
	// What a run before this one, cut short, has left to do.
	remains, err := r.remains(ctx, at, unfinishedSQL)
	if err != nil || len(remains) == 0 {
		return err
	}
	return outgrow(ctx, at, remains)
}

// take erases the rows of some identifiers.
func (r run) take(ctx context.Context, at place, ids []string, ends map[string]int64, hours []hour) error {
	switch plumbline.TableName(at.table) {
	case plumbline.TableOutcomes:
		return r.eraseOutcomes(ctx, at, ids, hours)
	case plumbline.TablePredictions:
		if err := r.forget(ctx, r.db, ids, ends); err != nil {
			return err
		}
	}
	return r.delete(ctx, at, ids, ends, hours)
}

// record says what is about to go. Written first, it may say too much after a
// crash, and never too little.
func (r Request) record(ctx context.Context, at place, hours []hour, now time.Time) error {
	batch, err := at.db.Conn().PrepareBatch(durably(ctx, at.db), "INSERT INTO "+at.db.Local(plumbline.TableErasures)+" (at, model, table, rows, ts_min, ts_max)", driver.WithReleaseConnection())
	if err != nil {
		return fmt.Errorf("record the erasure: %w", err)
	}
	for _, h := range hours {
		if err := batch.Append(now.UTC(), string(r.Model), at.table, h.rows, h.start.UTC(), h.start.UTC().Add(time.Hour-time.Millisecond)); err != nil {
			return fmt.Errorf("record the erasure: %w", err)
		}
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("record the erasure: %w", err)
	}
	return nil
}

// durably makes an insert count on a cluster, under a token of its own. A person may
// have labels of more days than the 100 that ClickHouse takes at once by default.
func durably(ctx context.Context, db *storage.DB) context.Context {
	return clickhouse.Context(ctx, clickhouse.WithSettings(db.Durably(clickhouse.Settings{
		"insert_deduplication_token": rand.Text(), "async_insert": 0, "max_partitions_per_insert_block": 0,
	})))
}

// delete waits until every replica has rewritten the parts that hold the rows.
// The range of times keeps it from looking into the others.
func (r Request) delete(ctx context.Context, at place, ids []string, ends map[string]int64, hours []hour) error {
	first, last := hours[0].min, hours[0].max
	for _, h := range hours {
		if h.min.Before(first) {
			first = h.min
		}
		if h.max.After(last) {
			last = h.max
		}
	}
	query := "ALTER TABLE " + at.local + at.cluster + " DELETE WHERE model = {model:String} AND prediction_id IN {ids:Array(String)}" +
		" AND ts >= fromUnixTimestamp64Milli({ts_min:Int64}, 'UTC') AND ts <= fromUnixTimestamp64Milli({ts_max:Int64}, 'UTC') AND " + complete(at.table)
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"mutations_sync": 2}))
	err := at.db.Conn().Exec(ctx, query, r.model(), clickhouse.Named("ids", ids), clickhouse.Named("ends", ends),
		clickhouse.Named("ts_min", first.UnixMilli()), clickhouse.Named("ts_max", last.UnixMilli()))
	if err != nil {
		return fmt.Errorf("erase rows from %s: %w", at.table, err)
	}
	return nil
}

// remain is a row of outcomes without what is personal.
type remain struct {
	model, deploy, stage, id string
	ts, known                time.Time
	topic                    string
	partition                int32
	offset                   int64
	labelled, correct        int8
	requests, version        uint64
	segments                 []string
}

// eraseOutcomes puts rows without identifiers in the place of a person's, so
// that no count changes. They are written before the others go: killed in
// between, the next run writes the same ones again. While both are there a
// minute's cell may be summed with both, and its version with it; so they are
// written once more, see outgrow.
func (r Request) eraseOutcomes(ctx context.Context, at place, ids []string, hours []hour) error {
	remains, err := r.remains(ctx, at, remainsSQL, clickhouse.Named("ids", ids))
	if err != nil {
		return err
	}
	for i := range remains {
		remains[i].version = 2*remains[i].version + 1
	}
	if err := writeRemains(ctx, at, remains); err != nil {
		return err
	}
	if err := r.delete(ctx, at, ids, map[string]int64{}, hours); err != nil {
		return err
	}
	return outgrow(ctx, at, remains)
}

// outgrow writes what remains of persons whose own rows are gone once more, under
// a version that is greater than the sum that a cell may bear: v and 2v+1 become
// 8v+8. An odd version says that this is still to be done.
func outgrow(ctx context.Context, at place, remains []remain) error {
	for i := range remains {
		remains[i].version = 4*remains[i].version + 4
	}
	return writeRemains(ctx, at, remains)
}

func (r Request) remains(ctx context.Context, at place, query string, args ...any) (all []remain, err error) {
	rows, err := at.db.Conn().Query(ctx, strings.ReplaceAll(query, "/*table*/", at.table), append(args, r.model())...)
	if err != nil {
		return nil, fmt.Errorf("read what labels changed: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var o remain
		if err := rows.Scan(&o.model, &o.deploy, &o.stage, &o.id, &o.ts, &o.known, &o.topic, &o.partition, &o.offset, &o.labelled, &o.correct, &o.requests, &o.version, &o.segments); err != nil {
			return nil, fmt.Errorf("read what labels changed: %w", err)
		}
		all = append(all, o)
	}
	return all, rows.Err()
}

func writeRemains(ctx context.Context, at place, remains []remain) error {
	batch, err := at.db.Conn().PrepareBatch(durably(ctx, at.db), "INSERT INTO "+at.local+
		" (model, deploy_hash, stage, prediction_id, ts, known, label_topic, label_partition, label_offset, labelled, correct, requests, version, segments)", driver.WithReleaseConnection())
	if err != nil {
		return fmt.Errorf("write what labels changed: %w", err)
	}
	for _, o := range remains {
		if err := batch.Append(o.model, o.deploy, o.stage, o.id, o.ts, o.known, o.topic, o.partition, o.offset, o.labelled, o.correct, o.requests, o.version, o.segments); err != nil {
			return fmt.Errorf("write what labels changed: %w", err)
		}
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("write what labels changed: %w", err)
	}
	return nil
}

// inactive counts the parts that ClickHouse has replaced and still keeps. On a
// cluster those of the server that is asked.
func (r *Report) inactive(ctx context.Context, db *storage.DB) error {
	for _, table := range []plumbline.TableName{plumbline.TablePredictions, plumbline.TableLabels, plumbline.TableOutcomes} {
		for _, at := range places(db, table) {
			var parts, bytes uint64
			row := at.db.Conn().QueryRow(ctx, "SELECT count(), sum(bytes_on_disk) FROM system.parts WHERE database = {database:String} AND table = {table:String} AND NOT active",
				clickhouse.Named("database", at.db.Database()), clickhouse.Named("table", at.local))
			if err := row.Scan(&parts, &bytes); err != nil {
				return fmt.Errorf("count replaced parts of %s: %w", at.table, err)
			}
			r.InactiveParts, r.InactiveBytes = r.InactiveParts+parts, r.InactiveBytes+bytes
		}
	}
	return nil
}
