package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"text/template"
	"time"

	"github.com/plumbline-slo/plumbline/testenv/bench"
)

// bentoPipeline is what Bento's documentation leads to for this table: Kafka by
// franz-go, one sql_insert with a mapping, the same batches.
var bentoPipeline = template.Must(template.New("bento").Parse(`
http: {enabled: false}
logger: {level: WARN}
input:
  kafka_franz:
    seed_brokers: ["{{.Brokers}}"]
    topics: ["{{.Topic}}"]
    consumer_group: "{{.Group}}"
    start_from_oldest: true
    checkpoint_limit: 100000
    commit_period: 1s
    batching: {count: 25000, period: 1s}
output:
  sql_insert:
    driver: clickhouse
    dsn: "{{.DSN}}"
    table: {{.Database}}.predictions
    columns: [model, deploy_hash, stage, prediction_id, ts, numbers, categories, score, predicted, latency_ms, status, weight, known, _topic, _partition, _offset]
    max_in_flight: 1
    args_mapping: |
      root = [
        this.model, this.deploy_hash, this.stage.or("production"), this.prediction_id, this.ts.int64(),
        this.features.filter(f -> f.value.type() == "number").map_each(f -> f.value.float64()),
        this.features.filter(f -> f.value.type() == "string"),
        this.score.float64(), this.predicted, this.latency_ms.float64(), this.status.or("ok"), 1.0.float64(),
        metadata("kafka_timestamp_ms").number().int64(), metadata("kafka_topic"),
        metadata("kafka_partition").number().int32(), metadata("kafka_offset").number().int64(),
      ]
`))

// peer runs Bento and returns what it used, less what it needs to start and read
// its configuration.
func (w *world) peer(ctx context.Context, program string, round int) (cost, error) {
	name := fmt.Sprintf("bench_bento_%d", round)
	file := filepath.Join(w.dir, name+".yaml")
	f, err := os.Create(file)
	if err != nil {
		return cost{}, err
	}
	if err := errors.Join(bentoPipeline.Execute(f, w.job("json", name, name)), f.Close()); err != nil {
		return cost{}, err
	}
	lint := bento(ctx, program, "lint", file)
	if err := lint.Run(); err != nil {
		return cost{}, fmt.Errorf("bento lint: %w", err)
	}
	begin := lint.ProcessState.UserTime() + lint.ProcessState.SystemTime()
	c, err := w.measure(ctx, name, func() (cost, error) { return w.runBento(ctx, program, file, name) })
	c.client -= begin
	return c, err
}

func bento(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	return cmd
}

func (w *world) runBento(ctx context.Context, program, file, database string) (c cost, err error) {
	db, err := w.open(w.engine.DSN(), database)
	if err != nil {
		return c, err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	cmd := bento(ctx, program, "-c", file)
	if err := cmd.Start(); err != nil {
		return c, err
	}
	defer func() {
		if e := cmd.Process.Signal(syscall.SIGTERM); e != nil {
			err = errors.Join(err, e)
		}
		if e := cmd.Wait(); ctx.Err() != nil {
			err = errors.Join(err, e)
		}
	}()
	for rows := uint64(0); rows < uint64(w.events); {
		select {
		case <-ctx.Done():
			return c, fmt.Errorf("bento stored %d of %d events: %w", rows, w.events, ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
		if err := db.Conn().QueryRow(ctx, "SELECT count() FROM predictions").Scan(&rows); err != nil {
			return c, fmt.Errorf("count what bento stored: %w", err)
		}
	}
	if c.client, err = bench.CPU(cmd.Process.Pid); err != nil {
		return c, err
	}
	c.peak, err = bench.PeakMemory(cmd.Process.Pid)
	return c, err
}
