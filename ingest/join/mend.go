package join

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
)

// maxMends bounds how often a step sums again what others wrote into at once.
// Whoever writes last looks last, so the first time is enough for two.
const maxMends = 3

// mend looks for what two processes leave that sum one hour at once. All rows of it
// are written together, zeros for keys in which nothing stands any more; but who
// read less and writes later may put a key there that the other found no need to
// cancel: a class that was corrected away, a segment. Such a row has an older
// version than the others of its hour. Each looks after it has written, so one of
// them sees both, and sums again with that key in sight.
//
// Where no other process was there of late there is nothing to look for.
func (j *Join) mend(ctx context.Context, s step) error {
	others, err := j.others(ctx)
	if err != nil || !others {
		return err
	}
	for range maxMends {
		var cells, hours uint64
		if err := s.db.Conn().QueryRow(ctx, s.sql(staleSQL), s.parameters...).Scan(&cells, &hours); err != nil {
			return fmt.Errorf("look for what is stale: %w", err)
		}
		if cells+hours == 0 {
			return nil
		}
		j.metrics.mended.Inc()
		if err := j.sum(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// sum writes the cells and hours that rows of touched ids stand in.
func (j *Join) sum(ctx context.Context, s step) error {
	if err := j.write(ctx, plumbline.TableOutcomeCells, s.sql(cellsSQL), s.parameters); err != nil {
		return err
	}
	return j.write(ctx, plumbline.TableOutcomeHours, s.sql(hoursSQL), s.parameters)
}

// others reports whether another process joins, or did of late: a statement may
// outlive the process that sent it.
func (j *Join) others(ctx context.Context) (bool, error) {
	const late = 10 // timeouts
	var n uint64
	row := j.db.Conn().QueryRow(ctx, "SELECT count() FROM "+string(plumbline.TableJoinMembers)+
		" WHERE member != {member:String} AND seen > now64(3, 'UTC') - toIntervalMillisecond({late:Int64})",
		clickhouse.Named("member", j.member), clickhouse.Named("late", late*j.cfg.MemberTimeout.Milliseconds()))
	if err := row.Scan(&n); err != nil {
		return false, fmt.Errorf("read who joins: %w", err)
	}
	return n > 0, nil
}
