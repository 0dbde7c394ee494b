package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// joinLimit is for how long labels may lie there without the join getting any
// further: some times as long as a step takes that has as much to do as one may.
const joinLimit = 10 * time.Minute

// joinProbe asks ClickHouse whether labels lie there that the join has not come to,
// whoever joins them: a partition with such whose cursor does not move is behind by as
// long as it stands. A step that fails is repeated without end, and until 2026-11-23
// nobody was told.
type joinProbe struct {
	conn    driver.Conn
	stored  <-chan struct{}
	failure func() error // of the last step of this process
	seen    map[string]progress
}

// unjoined is one topic partition with labels that wait.
type unjoined struct {
	name         string
	joinedBefore int64
	labels       uint64
}

func (p *joinProbe) lag(ctx context.Context, now time.Time) (time.Duration, string, error) {
	select {
	case <-p.stored:
	default:
		return 0, "", errors.New("ClickHouse does not answer yet")
	}
	waiting, err := p.read(ctx)
	if err != nil {
		return 0, "", err
	}
	lag, what := p.judge(waiting, now)
	return lag, what, nil
}

func (p *joinProbe) read(ctx context.Context) (waiting []unjoined, err error) {
	rows, err := p.conn.Query(ctx, "SELECT concat(topic, '/', epoch, '/', toString(partition)), joined_before, labels FROM unjoined_labels")
	if err != nil {
		return nil, fmt.Errorf("ask ClickHouse for labels that are not joined: %w", err)
	}
	defer func() { _ = rows.Close() }() // rows.Err tells
	for rows.Next() {
		var u unjoined
		if err := rows.Scan(&u.name, &u.joinedBefore, &u.labels); err != nil {
			return nil, fmt.Errorf("read which labels are not joined: %w", err)
		}
		waiting = append(waiting, u)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read which labels are not joined: %w", err)
	}
	return waiting, nil
}

// judge returns for how long the join has stood still, and in words what waits.
func (p *joinProbe) judge(waiting []unjoined, now time.Time) (worst time.Duration, what string) {
	seen := make(map[string]progress, len(waiting))
	var labels uint64
	var behind []string
	for _, u := range waiting {
		at, known := p.seen[u.name]
		if !known || at.committed != u.joinedBefore {
			at = progress{committed: u.joinedBefore, since: now}
		}
		seen[u.name] = at
		if lag := now.Sub(at.since); lag > 0 {
			worst = max(worst, lag)
			labels += u.labels
			behind = append(behind, u.name)
		}
	}
	p.seen = seen
	slices.Sort(behind)
	what = fmt.Sprintf("%d labels of %s are stored, and the join has not come further for %s. ", labels, strings.Join(behind, ", "), worst.Round(time.Second))
	if err := p.failure(); err != nil {
		return worst, what + "Its last step ended with: " + err.Error()
	}
	return worst, what + "No step of this process has failed: one of it hangs, or another replica joins these partitions."
}
