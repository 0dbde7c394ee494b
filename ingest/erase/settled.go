package erase

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

const (
	// look is the pause between two looks at what is running.
	look = 20 * time.Millisecond
	// longestStep bounds the wait for statements of the join.
	longestStep = 10 * time.Minute
)

// settled waits until nothing writes to a place any more that was writing when it
// was called. The join makes outcomes of labels in statements that may have read a
// label which has gone since; what they write would stand after the person was
// said to be erased. One that begins later does not see the label.
func (at place) settled(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, longestStep)
	defer cancel()
	before, err := at.writing(ctx)
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
// write elsewhere what they read from it.
func (at place) writing(ctx context.Context) (ids []string, err error) {
	rows, err := at.db.Conn().Query(ctx, "SELECT query_id FROM system.processes WHERE query_kind = 'Insert' AND position(query, {table:String}) > 0",
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
