package erase

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/storage"
)

const (
	// look is the pause between two looks at what is running.
	look = 20 * time.Millisecond
	// longestStep bounds the wait for statements of the join.
	longestStep = 10 * time.Minute
)

// written is where the join writes what it makes of rows that a person may have.
func written(db *storage.DB, table plumbline.TableName) place {
	at := db.Derived()
	return place{at, string(table), at.Local(table), db.OnCluster()}
}

// unwatched reports whether ClickHouse forbids its user to see what is written. It is
// asked before anything goes: an error after that would end every run half-way.
func unwatched(ctx context.Context, db *storage.DB) (bool, error) {
	_, err := written(db, plumbline.TableOutcomes).writing(ctx)
	if forbidden(err) {
		return true, nil
	}
	return false, err
}

// forbidden reports whether ClickHouse says that its user may not ask, here or at
// another server of the cluster. No repetition changes that.
func forbidden(err error) bool {
	var exception *clickhouse.Exception
	return errors.As(err, &exception) && (exception.Code == 497 || exception.Code == 516)
}

// settled waits until nothing writes to a place any more that was writing when it
// was called. The join makes outcomes of labels, and what a person is found by of
// predictions, in statements that may have read a row which has gone since; what they
// write would stand after the person was said to be erased. One that begins later
// does not see the row. Where it is forbidden to look, nothing is waited for, and the
// report says so.
func (at place) settled(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, longestStep)
	defer cancel()
	before, err := at.writing(ctx)
	if forbidden(err) {
		return nil
	}
	if err != nil {
		return err
	}
	tick := time.NewTicker(look)
	defer tick.Stop()
	for len(before) > 0 {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the join, which is writing to %s: %w; run the command again", at.table, ctx.Err())
		case <-tick.C:
		}
		now, err := at.writing(ctx)
		if err != nil {
			return err
		}
		before = slices.DeleteFunc(before, func(id string) bool { return !slices.Contains(now, id) })
	}
	return nil
}

// writing returns the identifiers of the statements that write to the place, or
// write elsewhere what they read from it, on any server of a cluster: the address of
// a shard may be one of several.
func (at place) writing(ctx context.Context) (ids []string, err error) {
	rows, err := at.db.Conn().Query(ctx, "SELECT query_id FROM "+at.db.SystemTable("processes")+" WHERE query_kind = 'Insert' AND position(query, {table:String}) > 0",
		clickhouse.Named("table", at.local))
	if err != nil {
		return nil, fmt.Errorf("look what is written to %s: %w", at.table, err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}
