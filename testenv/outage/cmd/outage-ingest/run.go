package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/storage/engine"
	"github.com/plumbline-slo/plumbline/testenv/address"
	"github.com/plumbline-slo/plumbline/testenv/bench"
	"github.com/plumbline-slo/plumbline/testenv/broker"
	"github.com/plumbline-slo/plumbline/testenv/figure"
)

// stage is what the run stands on.
type stage struct {
	options
	dir    string
	broker *broker.Broker
	config broker.Config
	// reserved keeps the broker's address for it while it is down.
	reserved *address.Reserved
	engine   *engine.Engine
	door     *door
	db       *storage.DB // past the door
	ingest   ingest.Config
	service  *exec.Cmd
	log      *joins
	source   *source
}

func run(ctx context.Context, o options) (figures []figure.Figure, err error) {
	dir, err := os.MkdirTemp("", "outage-ingest-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s := &stage{options: o, dir: dir}
	ctx, cancel := context.WithCancel(ctx)
	stopped, err := s.set(ctx)
	if err == nil {
		figures, err = s.play(ctx)
	}
	cancel()
	return figures, errors.Join(err, stopped())
}

// set starts everything. stopped waits for the end of it, once ctx is done.
func (s *stage) set(ctx context.Context) (stopped func() error, err error) {
	cfg := engine.DefaultConfig()
	cfg.DataDir = filepath.Join(s.dir, "engine")
	s.engine = engine.New(cfg, slog.New(slog.DiscardHandler))
	ended := make(chan error, 1)
	go func() { ended <- s.engine.Run(ctx) }()
	stopped = func() error {
		var failed error
		if s.service != nil {
			failed = errors.Join(s.service.Process.Signal(syscall.SIGTERM), s.service.Wait())
		}
		return errors.Join(failed, <-ended)
	}
	if err := s.engine.WaitReady(ctx); err != nil {
		return stopped, err
	}
	dsn, err := url.Parse(s.engine.DSN())
	if err != nil {
		return stopped, err
	}
	if s.door, err = openDoor(ctx, dsn.Host); err != nil {
		return stopped, err
	}
	if err := s.startBroker(); err != nil {
		return stopped, err
	}
	s.ingest = ingest.DefaultConfig()
	s.ingest.Brokers = []string{s.config.Listen}
	if err := ingest.EnsureTopics(ctx, s.ingest); err != nil {
		return stopped, err
	}
	storing := storage.DefaultConfig()
	storing.DSN = s.engine.DSN()
	if s.db, err = storage.New(storing); err != nil {
		return stopped, err
	}
	dsn.Host = s.door.addr
	return stopped, s.serve(ctx, dsn.String())
}

func (s *stage) startBroker() error {
	if s.config.DataDir == "" {
		var err error
		if s.reserved, err = address.Reserve(); err != nil {
			return err
		}
		s.config = broker.DefaultConfig()
		s.config.DataDir, s.config.Listen = filepath.Join(s.dir, "kafka"), s.reserved.Addr
	}
	b, err := broker.New(s.config)
	if err != nil {
		return err
	}
	s.broker = b
	return b.Start()
}

// serve starts the real thing against the broker and the door.
func (s *stage) serve(ctx context.Context, dsn string) error {
	path := filepath.Join(s.dir, "plumbline.yml")
	text := fmt.Sprintf("data_dir: %s\nweb:\n  listen: 127.0.0.1:0\nkafka:\n  brokers: [%q]\nclickhouse:\n  dsn: %q\n", filepath.Join(s.dir, "data"), s.config.Listen, dsn)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return err
	}
	s.log = &joins{}
	// It is asked to stop, not killed, when ctx is done.
	s.service = exec.CommandContext(context.WithoutCancel(ctx), s.program, "serve", "--config.file="+path)
	s.service.Stdout, s.service.Stderr = s.log, s.log
	if err := s.service.Start(); err != nil {
		s.service = nil
		return fmt.Errorf("start %s: %w", s.program, err)
	}
	return nil
}

// joins counts in the service's log how often it got its partitions assigned
// and keeps the end of the log.
type joins struct {
	mu   sync.Mutex
	n    int
	last []byte
}

func (j *joins) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.n += bytes.Count(p, []byte("msg=assigned"))
	j.last = append(j.last, p...)
	j.last = j.last[max(0, len(j.last)-4096):]
	return len(p), nil
}

func (j *joins) count() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.n
}

// play is the run: a warm-up, ClickHouse gone, Kafka gone, and the count.
func (s *stage) play(ctx context.Context) ([]figure.Figure, error) {
	s.source = newSource(s.config.Listen, s.ingest, s.rate)
	if err := s.produceFor(ctx, min(s.outage, 20*time.Second)); err != nil {
		return nil, err
	}
	if _, err := s.caughtUp(ctx); err != nil {
		return nil, err
	}
	clickhouse, err := s.withoutClickHouse(ctx)
	if err != nil {
		return nil, err
	}
	kafka, err := s.withoutKafka(ctx)
	if err != nil {
		return nil, err
	}
	counted, err := s.count(ctx)
	return append(append(counted, clickhouse...), kafka...), err
}

// withoutClickHouse takes ClickHouse away while events are produced, and
// measures what that costs and how long catching up takes.
func (s *stage) withoutClickHouse(ctx context.Context) ([]figure.Figure, error) {
	calm, err := bench.PeakMemory(s.service.Process.Pid)
	if err != nil {
		return nil, err
	}
	joined := s.log.count()
	if err := s.door.shut(); err != nil {
		return nil, err
	}
	if err := s.produceFor(ctx, s.outage); err != nil {
		return nil, err
	}
	rebalances := s.log.count() - joined
	gone, err := bench.PeakMemory(s.service.Process.Pid)
	if err != nil {
		return nil, err
	}
	if err := s.door.open(ctx); err != nil {
		return nil, err
	}
	took, err := s.caughtUp(ctx)
	return []figure.Figure{
		figure.AtMost("outage/clickhouse/catch-up", took.Seconds(), "s", max(30, s.outage.Seconds()/2)),
		figure.Exactly("outage/clickhouse/rebalances", float64(rebalances), "", 0),
		figure.AtMost("outage/clickhouse/memory above calm", gone-calm, "MiB", 256),
	}, err
}

// withoutKafka takes the broker away and measures how long it takes until what
// is produced after its return is stored.
func (s *stage) withoutKafka(ctx context.Context) ([]figure.Figure, error) {
	if err := s.produceFor(ctx, 5*time.Second); err != nil {
		return nil, err
	}
	s.source.close()
	s.broker.Close()
	if err := pause(ctx, s.outage); err != nil {
		return nil, err
	}
	if err := s.startBroker(); err != nil {
		return nil, err
	}
	s.source = newSource(s.config.Listen, s.ingest, s.rate).after(s.source)
	back := time.Now()
	if err := s.produceFor(ctx, 5*time.Second); err != nil {
		return nil, err
	}
	_, err := s.caughtUp(ctx)
	s.source.close()
	return []figure.Figure{figure.AtMost("outage/kafka/catch-up", time.Since(back).Seconds(), "s", 120)}, err
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// produceFor produces at the rate for a time.
func (s *stage) produceFor(ctx context.Context, d time.Duration) error {
	for end := time.Now().Add(d); time.Now().Before(end); {
		next := time.Now().Add(time.Second)
		if err := s.source.second(ctx); err != nil {
			return err
		}
		if err := pause(ctx, time.Until(next)); err != nil {
			return err
		}
	}
	return nil
}

const committedEvents = "SELECT sum(events) FROM (SELECT topic, epoch, partition, first, any(events) AS events FROM batches GROUP BY topic, epoch, partition, first)"

// caughtUp waits until every record of the topics is in a complete batch.
func (s *stage) caughtUp(ctx context.Context) (time.Duration, error) {
	begun := time.Now()
	for time.Since(begun) < s.outage+2*time.Minute {
		produced, err := s.records(ctx)
		if err != nil {
			return 0, err
		}
		// Until the service has migrated there is no table.
		if stored, err := s.ask(ctx, committedEvents); err == nil && stored == produced {
			return time.Since(begun), nil
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return 0, err
		}
	}
	stored, err := s.ask(ctx, committedEvents)
	return 0, errors.Join(err, fmt.Errorf("not caught up: %d events are stored; the service says:\n%s", stored, strings.ToValidUTF8(string(s.log.last), "?")))
}

func (s *stage) ask(ctx context.Context, query string) (n uint64, err error) {
	return n, s.db.Conn().QueryRow(ctx, query).Scan(&n)
}

// records asks Kafka how many records the topics have: an attempt to produce
// that failed may have been stored.
func (s *stage) records(ctx context.Context) (n uint64, err error) {
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	client := &kafka.Client{Addr: kafka.TCP(s.config.Listen), Timeout: 10 * time.Second, Transport: transport}
	for _, topic := range []string{s.ingest.Topics.Predictions, s.ingest.Topics.Labels} {
		var ask []kafka.OffsetRequest
		for p := range s.ingest.Partitions {
			ask = append(ask, kafka.FirstOffsetOf(p), kafka.LastOffsetOf(p))
		}
		r, err := client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: ask}})
		if err != nil {
			return 0, fmt.Errorf("count the records of %s: %w", topic, err)
		}
		for _, p := range r.Topics[topic] {
			n += uint64(p.LastOffset - p.FirstOffset)
		}
	}
	return n, nil
}

// count compares what Kafka has with what ClickHouse has.
func (s *stage) count(ctx context.Context) (figures []figure.Figure, err error) {
	produced, err := s.records(ctx)
	figures = append(figures, figure.AtLeast("outage/events", float64(produced), "", float64(s.source.acked)))
	for _, q := range []struct{ name, query string }{
		{"accounted", committedEvents},
		{"stored or dead", "SELECT (SELECT count() FROM predictions) + (SELECT count() FROM labels) + (SELECT sum(dead) FROM batches FINAL WHERE table IN ('predictions', 'labels'))"},
		{"distinct offsets or dead", "SELECT (SELECT uniqExact(_topic, _epoch, _partition, _offset) FROM predictions) + (SELECT uniqExact(_topic, _epoch, _partition, _offset) FROM labels) + (SELECT sum(dead) FROM batches FINAL WHERE table IN ('predictions', 'labels'))"},
	} {
		n, failed := s.ask(ctx, q.query)
		err = errors.Join(err, failed)
		figures = append(figures, figure.Exactly("outage/"+q.name, float64(n), "", float64(produced)))
	}
	predictions, failed := s.ask(ctx, "SELECT count() FROM predictions")
	err = errors.Join(err, failed)
	rolled, failed := s.ask(ctx, "SELECT sum(count) FROM series_hour WHERE series = 'requests' AND model != ''")
	return append(figures, figure.Exactly("outage/rolled up", float64(rolled), "", float64(predictions))), errors.Join(err, failed)
}
