package count

import (
	"context"
	_ "embed" // the statements
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
)

//go:embed sql/partitions.sql
var partitionsSQL string

//go:embed sql/cameby.sql
var cameBySQL string

// partitions tell until when all of what a deploy's events come by is stored. All that is
// stored is counted soon, and what waits in Kafka is not: a partition may be parked, or
// behind, while others flow, in this process or in another. Batches tell of both. They do
// not tell such a partition from one to which nothing is sent.
type partitions struct {
	// stored is until when all of each partition is stored, as was read some time ago:
	// what was stored by then has been counted. Coming is what was read since, at comingAt.
	stored, coming map[partition]time.Time
	comingAt       time.Time
	// by are the partitions of deploys; asked are those that a look asked for, and when
	// they had their last event.
	by    map[served]cameBy
	asked map[served]time.Time
}

// partition is one of Kafka.
type partition struct {
	topic  string
	number int32
}

// served is what a deploy is known by.
type served struct {
	model  plumbline.Model
	deploy plumbline.DeployHash
}

// cameBy are the partitions by which a deploy's events came in the hour before the last.
type cameBy struct {
	last time.Time
	by   []partition
}

const (
	// beforeLast is how far before its last event it is looked what a deploy's events
	// came by.
	beforeLast = time.Hour
	// stood is how long a partition in which nothing is stored may have something that
	// waits; whoever pages holds on to what is not known no longer than that by default.
	stood = 6 * time.Hour
	// countedBy is how long after it was stored everything is counted, what statements of
	// users count too.
	countedBy = 15 * time.Second
)

// storedTo returns until when all is stored of what a deploy's events come by, which had
// its last one in the minute that began at last; zero where that is not known, or not yet.
func (p *partitions) storedTo(of served, last, end time.Time) time.Time {
	if p.asked == nil {
		p.asked = make(map[served]time.Time)
	}
	p.asked[of] = maxTime(p.asked[of], last)
	came, ok := p.by[of]
	if !ok || came.last.Before(last) || p.stored == nil || len(came.by) == 0 {
		return time.Time{} // where raw rows are left out, nothing tells by what it came
	}
	to := end
	for _, by := range came.by {
		if stored, ok := p.stored[by]; ok {
			to = minTime(to, stored)
		}
	}
	return to
}

// look reads what was asked for, for the looks to come: most ask for nothing.
func (p *partitions) look(ctx context.Context, conn Querier, now, end time.Time) error {
	asked := p.asked
	p.asked = nil
	if len(asked) == 0 {
		// What was read long ago would be taken for what was read since.
		p.by, p.stored, p.coming = nil, nil, nil
		return nil
	}
	by := make(map[served]cameBy, len(asked))
	var errs []error
	for of, last := range asked {
		came, ok := p.by[of]
		if !ok || came.last.Before(last) {
			all, err := readCameBy(ctx, conn, of, last)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			came = cameBy{last, all}
		}
		by[of] = came
	}
	p.by = by
	if p.coming != nil && now.Sub(p.comingAt) >= countedBy {
		p.stored, p.coming = p.coming, nil
	}
	if p.coming == nil || now.Before(p.comingAt) {
		coming, err := readStored(ctx, conn, end.Add(-stood))
		if errs = append(errs, err); err == nil {
			p.coming, p.comingAt = coming, now
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("read how far partitions are stored: %w", err)
	}
	return nil
}

func readStored(ctx context.Context, conn Querier, since time.Time) (stored map[partition]time.Time, err error) {
	rows, err := conn.Query(ctx, partitionsSQL, clickhouse.Named("since", since.UnixMilli()))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	stored = make(map[partition]time.Time)
	for rows.Next() {
		var (
			p  partition
			to int64
		)
		if err := rows.Scan(&p.topic, &p.number, &to); err != nil {
			return nil, err
		}
		stored[p] = time.UnixMilli(to)
	}
	return stored, rows.Err()
}

func readCameBy(ctx context.Context, conn Querier, of served, last time.Time) (by []partition, err error) {
	rows, err := conn.Query(ctx, cameBySQL, clickhouse.Named("model", string(of.model)), clickhouse.Named("deploy", string(of.deploy)),
		clickhouse.Named("from", last.Add(-beforeLast).Unix()), clickhouse.Named("to", last.Add(beforeLast).Unix()))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var p partition
		if err := rows.Scan(&p.topic, &p.number); err != nil {
			return nil, err
		}
		by = append(by, p)
	}
	return by, rows.Err()
}
