package chaos

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/flights"
	"github.com/plumbline-slo/plumbline/ingest/join"
	"github.com/plumbline-slo/plumbline/ingest/verify"
	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/storage/engine"
	"github.com/plumbline-slo/plumbline/testenv/figure"
)

// catchUp is how long the service may take, after the last kill, to store and
// join what was produced before it counts as lost.
const catchUp = 10 * time.Minute

// letItFinishAndCount runs the service once more without killing it and
// compares what it stored with what was produced and with the oracle.
func (r *run) letItFinishAndCount(ctx context.Context) (figures []figure.Figure, err error) {
	service, err := r.start(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, service.kill()) }()
	db, err := r.open()
	if err != nil {
		return nil, err
	}
	defer db.Close()
	facts := r.replay.Oracle(r.now)
	if err := r.waitFor(ctx, db.Conn(), facts); err != nil {
		fmt.Fprintf(r.Text, "  %v; counting all the same\n", err)
	}
	return r.count(ctx, db, facts)
}

func (r *run) open() (*storage.DB, error) {
	dsn, err := engine.Discover(filepath.Join(r.dir, "data", "clickhouse"))
	if err != nil {
		return nil, err
	}
	cfg := storage.DefaultConfig()
	cfg.DSN = dsn
	return storage.New(cfg)
}

// waitFor returns when everything produced is stored and everything the oracle
// joined is joined, or an error that says what was still missing.
func (r *run) waitFor(ctx context.Context, conn driver.Conn, facts flights.Facts) error {
	ctx, cancel := context.WithTimeout(ctx, catchUp)
	defer cancel()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	var events uint64
	var labelled int64
	for {
		err := errors.Join(
			conn.QueryRow(ctx, "SELECT sum(events) FROM batches FINAL WHERE table IN ('predictions', 'labels', 'deployments')").Scan(&events),
			conn.QueryRow(ctx, "SELECT sum(labelled) FROM outcome_cells FINAL WHERE segment = ''").Scan(&labelled),
		)
		if err == nil && events >= uint64(r.feed.sent) && labelled >= int64(facts.Joined()) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("chaos: after %s %d of %d events are stored and %d of %d labels joined (%w)", catchUp, events, r.feed.sent, labelled, facts.Joined(), errors.Join(ctx.Err(), err))
		case <-tick.C:
		}
	}
}

// count compares every partition's rows with its offsets, the rollups with the
// raw rows, and the joined labels with two oracles: the flights' own and the
// recomputation of every cell from the raw rows.
func (r *run) count(ctx context.Context, db *storage.DB, facts flights.Facts) ([]figure.Figure, error) {
	conn := db.Conn()
	partitions, err := r.countPartitions(ctx, conn)
	if err != nil {
		return nil, err
	}
	var predictions, rolled uint64
	if err := errors.Join(
		conn.QueryRow(ctx, "SELECT count() FROM predictions").Scan(&predictions),
		conn.QueryRow(ctx, "SELECT sum(count) FROM series_hour WHERE model != '' AND series = 'requests' AND segment = ''").Scan(&rolled),
	); err != nil {
		return nil, fmt.Errorf("chaos: count: %w", err)
	}
	compared, differing, err := r.verifyRollups(ctx, conn)
	if err != nil {
		return nil, err
	}
	joined, err := verifyJoin(ctx, db)
	if err != nil {
		return nil, err
	}
	correct := facts.Before.Correct + facts.After.Correct
	suffix := fmt.Sprintf(" (window %d)", r.DedupWindow)
	return []figure.Figure{
		figure.AtLeast("chaos kills"+suffix, float64(r.Kills), "kills", 20),
		figure.AtLeast("chaos kills that left a batch under way"+suffix, float64(r.hits), "kills", 10),
		figure.AtLeast("chaos events produced"+suffix, float64(r.feed.sent), "events", 500_000),
		figure.Exactly("chaos partitions whose rows differ from what was produced"+suffix, float64(partitions.wrong), "partitions", 0),
		figure.Exactly("chaos events lost"+suffix, float64(partitions.lost), "events", 0),
		figure.Exactly("chaos events doubled"+suffix, float64(partitions.doubled), "events", 0),
		figure.Exactly("chaos predictions rolled up less stored"+suffix, float64(rolled)-float64(predictions), "events", 0),
		figure.AtLeast("chaos rollup rows compared"+suffix, float64(compared), "rows", 1),
		figure.Exactly("chaos rollup rows that differ from the recomputation"+suffix, float64(differing), "rows", 0),
		figure.Exactly("chaos labels joined less the flights' oracle"+suffix, float64(joined.Labelled)-float64(facts.Joined()), "labels", 0),
		figure.Exactly("chaos correct predictions less the flights' oracle"+suffix, float64(joined.Correct)-float64(correct), "labels", 0),
		figure.Exactly("chaos outcome cells that differ from the recomputation"+suffix, float64(joined.Differ), "cells", 0),
	}, nil
}

func (r *run) verifyRollups(ctx context.Context, conn driver.Conn) (compared, differing uint64, err error) {
	report, err := verify.Run(ctx, conn, verify.Options{From: r.replay.About().Start.Add(-2 * time.Hour), To: time.Now().Add(24 * time.Hour)})
	if err != nil {
		return 0, 0, fmt.Errorf("chaos: verify rollups: %w", err)
	}
	for _, t := range report.Tables {
		compared += t.Keys
		differing += t.Differing
	}
	return compared, differing, nil
}

func verifyJoin(ctx context.Context, db *storage.DB) (join.Verification, error) {
	j, err := join.New(join.DefaultConfig(), join.Dependencies{DB: db})
	if err != nil {
		return join.Verification{}, err
	}
	return j.Verify(ctx)
}

type partitionCount struct{ wrong, lost, doubled int64 }

// countPartitions compares each topic partition's end offset with its rows.
func (r *run) countPartitions(ctx context.Context, conn driver.Conn) (total partitionCount, err error) {
	topics := r.topics()
	for _, table := range []string{flights.TopicPredictions, flights.TopicLabels, flights.TopicDeployments} {
		topic := topics[table]
		ends, err := endOffsets(ctx, r.ingest.Brokers, topic)
		if err != nil {
			return total, err
		}
		for partition, end := range ends {
			var rows, distinct uint64
			query := fmt.Sprintf("SELECT count(), uniqExact(_offset) FROM %s WHERE _topic = '%s' AND _partition = %d", table, topic, partition)
			if err := conn.QueryRow(ctx, query).Scan(&rows, &distinct); err != nil {
				return total, fmt.Errorf("chaos: count %s/%d: %w", topic, partition, err)
			}
			fmt.Fprintf(r.Text, "  %-12s partition %d: produced %7d, stored %7d, distinct %7d\n", table, partition, end, rows, distinct)
			if int64(rows) != end || int64(distinct) != end {
				total.wrong++
			}
			total.lost += end - int64(distinct)
			total.doubled += int64(rows) - int64(distinct)
		}
	}
	return total, nil
}

func endOffsets(ctx context.Context, brokers []string, topic string) (map[int]int64, error) {
	client := &kafka.Client{Addr: kafka.TCP(brokers...)}
	meta, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return nil, fmt.Errorf("chaos: metadata of %s: %w", topic, err)
	}
	var ask []kafka.OffsetRequest
	for _, p := range meta.Topics[0].Partitions {
		ask = append(ask, kafka.LastOffsetOf(p.ID))
	}
	offsets, err := client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: ask}})
	if err != nil {
		return nil, fmt.Errorf("chaos: offsets of %s: %w", topic, err)
	}
	ends := make(map[int]int64)
	for _, p := range offsets.Topics[topic] {
		ends[p.Partition] = p.LastOffset
	}
	return ends, nil
}
