package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/testenv/bench"
)

// naiveBatch is where ingest flushes these events.
const naiveBatch = 65_536

// naiveEvent is the event as a developer would declare it.
type naiveEvent struct {
	PredictionID string         `json:"prediction_id"`
	Model        string         `json:"model"`
	DeployHash   string         `json:"deploy_hash"`
	Stage        string         `json:"stage"`
	TS           int64          `json:"ts"`
	Features     map[string]any `json:"features"`
	Score        *float64       `json:"score"`
	Predicted    string         `json:"predicted"`
	LatencyMS    *float64       `json:"latency_ms"`
	Status       string         `json:"status"`
}

const naiveInsert = `INSERT INTO predictions (model, deploy_hash, stage, prediction_id, ts, numbers, categories, nulls,
score, predicted, latency_ms, status, weight, known, _topic, _partition, _offset)`

// naiveRole is the path that one writes in an afternoon: a Reader, encoding/json
// into a struct, PrepareBatch and Append, one commit a batch. It delivers at
// least once, counts no rollups and refuses nothing.
func naiveRole(ctx context.Context, settings []byte) error {
	var j job
	if err := json.Unmarshal(settings, &j); err != nil {
		return err
	}
	db, err := openDB(j.DSN, j.Database)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{j.Brokers}, GroupID: j.Group, Topic: j.Topic, StartOffset: kafka.FirstOffset,
		MinBytes: 1 << 20, MaxBytes: 10 << 20, MaxWait: 500 * time.Millisecond,
	})
	for done := 0; done < j.Events; {
		n, err := naiveOnce(ctx, reader, db.Conn(), min(naiveBatch, j.Events-done))
		if err != nil {
			return err
		}
		done += n
	}
	fmt.Println("done")
	return errors.Join(bench.WaitForParent(), reader.Close(), db.Close())
}

func naiveOnce(ctx context.Context, reader *kafka.Reader, conn driver.Conn, n int) (int, error) {
	batch, err := conn.PrepareBatch(ctx, naiveInsert)
	if err != nil {
		return 0, err
	}
	var last kafka.Message
	for range n {
		if last, err = reader.FetchMessage(ctx); err != nil {
			return 0, err
		}
		if err := naiveAppend(batch, last); err != nil {
			return 0, err
		}
	}
	if err := batch.Send(); err != nil {
		return 0, err
	}
	return n, reader.CommitMessages(ctx, last)
}

func naiveAppend(batch driver.Batch, m kafka.Message) error {
	var e naiveEvent
	if err := json.Unmarshal(m.Value, &e); err != nil {
		return err
	}
	numbers, categories, nulls := make(map[string]float64, 24), make(map[string]string, 4), []string(nil)
	for name, value := range e.Features {
		switch v := value.(type) {
		case float64:
			numbers[name] = v
		case string:
			categories[name] = v
		case bool:
			categories[name] = fmt.Sprint(v)
		case nil:
			nulls = append(nulls, name)
		default:
			return fmt.Errorf("feature %s is a %T", name, value)
		}
	}
	if e.Stage == "" {
		e.Stage = "production"
	}
	if e.Status == "" {
		e.Status = "ok"
	}
	return batch.Append(e.Model, e.DeployHash, e.Stage, e.PredictionID, time.UnixMilli(e.TS), numbers, categories, nulls,
		e.Score, e.Predicted, e.LatencyMS, e.Status, float64(1), m.Time, m.Topic, int32(m.Partition), m.Offset)
}
