// Package chaos kills the service with SIGKILL again and again while it works
// through the flights' backfill, and then counts: what was produced must be
// stored and rolled up exactly once, and every label joined as the batch oracle
// says. Kafka lives in this process, or is one given by address, and survives; the service and its embedded
// ClickHouse die together each time.
//
// It may import everything; only the command imports it.
package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/flights"
	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/testenv/address"
	"github.com/plumbline-slo/plumbline/testenv/broker"
	"github.com/plumbline-slo/plumbline/testenv/figure"
)

// Options configure one run.
type Options struct {
	// Kills is how many times the service is killed.
	Kills int
	// DedupWindow is ClickHouse's deduplication window; small ones overflow at
	// once, and nothing may depend on it.
	DedupWindow int
	// Seed makes the moments of the kills repeatable; 0 takes a random one.
	Seed uint64
	// Flights is the Parquet file.
	Flights string
	// Brokers are the addresses of a Kafka to use, with topics and a group of the
	// run's own; empty starts the embedded one. It must allow sessions of 1.5 s
	// (group.min.session.timeout.ms) and keep events of any age (retention).
	Brokers []string
	// Lines receives the figures as JSON, Text what a person reads.
	Lines, Text io.Writer
}

// run is one chaos run under way.
type run struct {
	Options
	random *rand.Rand
	dir    string
	config string
	web    string
	// reserved keeps web for the service while it is down.
	reserved *address.Reserved
	replay   *flights.Replay
	now      time.Time
	feed     *feeder
	ingest   ingest.Config // brokers, topics and group of this run
	hits     int           // kills that left a batch under way
}

// Run kills the service Options.Kills times and prints the figures. It returns
// an error only if it could not measure; what it measured is in the figures.
func Run(ctx context.Context, opts Options) (err error) {
	if opts.Seed == 0 {
		opts.Seed = rand.Uint64()
	}
	fmt.Fprintf(opts.Text, "chaos-smoke: seed %d, %d kills, deduplication window %d\n", opts.Seed, opts.Kills, opts.DedupWindow)
	r := &run{Options: opts, random: rand.New(rand.NewPCG(opts.Seed, 1)), now: time.Now().Truncate(time.Minute)}
	r.dir, err = os.MkdirTemp("", "plumbline-chaos-")
	if err != nil {
		return fmt.Errorf("chaos: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(r.dir)) }()
	defer func() {
		if r.reserved != nil {
			err = errors.Join(err, r.reserved.Release())
		}
	}()
	r.ingest = ingest.DefaultConfig()
	if len(r.Brokers) > 0 {
		r.useTopicsOfItsOwn()
	} else {
		b, err := r.startBroker()
		if err != nil {
			return err
		}
		defer b.Close()
	}
	if err := r.prepare(ctx); err != nil {
		return err
	}
	if err := r.killAgainAndAgain(ctx); err != nil {
		return err
	}
	figures, err := r.letItFinishAndCount(ctx)
	if err != nil {
		return err
	}
	return figure.Print(opts.Lines, opts.Text, figures...)
}

// startBroker starts the Kafka inside this process.
func (r *run) startBroker() (*broker.Broker, error) {
	cfg := broker.DefaultConfig()
	cfg.DataDir, cfg.Listen = filepath.Join(r.dir, "kafka"), "127.0.0.1:0"
	// A killed member keeps its partitions until its session ends.
	cfg.MinSession = time.Second
	b, err := broker.New(cfg)
	if err != nil {
		return nil, err
	}
	if err := b.Start(); err != nil {
		return nil, err
	}
	r.ingest.Brokers = b.Addresses()
	return b, nil
}

// useTopicsOfItsOwn keeps the run apart from whatever else the Kafka holds.
func (r *run) useTopicsOfItsOwn() {
	suffix := fmt.Sprintf(".chaos-%x", time.Now().UnixNano())
	r.ingest.Brokers = r.Brokers
	r.ingest.Group += suffix
	t := &r.ingest.Topics
	for _, name := range []*string{&t.Predictions, &t.Labels, &t.Deployments, &t.DeadLetters} {
		*name += suffix
	}
}

// topics maps the tables to their topics.
func (r *run) topics() map[string]string {
	t := r.ingest.Topics
	return map[string]string{flights.TopicPredictions: t.Predictions, flights.TopicLabels: t.Labels, flights.TopicDeployments: t.Deployments}
}

// prepare makes the topics, trains the model and writes the configuration.
func (r *run) prepare(ctx context.Context) error {
	replayed := flights.DefaultConfig(r.now)
	data, err := flights.Load(r.Flights, replayed.Spans()...)
	if err != nil {
		return err
	}
	if r.replay, err = flights.NewReplay(data, replayed); err != nil {
		return err
	}
	if err := ingest.EnsureTopics(ctx, r.ingest); err != nil {
		return err
	}
	r.feed = newFeeder(r.ingest.Brokers, r.topics(), r.replay, r.now)
	return r.writeConfig()
}

func (r *run) writeConfig() error {
	var err error
	if r.reserved, err = address.Reserve(); err != nil {
		return fmt.Errorf("chaos: %w", err)
	}
	r.web = r.reserved.Addr
	t := r.ingest.Topics
	text := fmt.Sprintf(`data_dir: %s
web: {listen: %s}
engine: {disk_limit: 0.99}
kafka: {brokers: [%s]}
clickhouse: {dedup_window: %d}
ingest:
  session_timeout: 1500ms
  group: %q
  topics: {predictions: %q, labels: %q, deployments: %q, dead_letters: %q}
models: [{name: flight-delay}]
`, filepath.Join(r.dir, "data"), r.web, strings.Join(quoted(r.ingest.Brokers), ", "), r.DedupWindow,
		r.ingest.Group, t.Predictions, t.Labels, t.Deployments, t.DeadLetters)
	r.config = filepath.Join(r.dir, "plumbline.yml")
	return os.WriteFile(r.config, []byte(text), 0o600)
}

func quoted(texts []string) []string {
	out := make([]string, len(texts))
	for i, text := range texts {
		out[i] = strconv.Quote(text)
	}
	return out
}

// killAgainAndAgain starts the service, gives it a share of the events, waits
// until it says that it is storing a batch, and kills it a random moment later.
func (r *run) killAgainAndAgain(ctx context.Context) error {
	for kill := range r.Kills {
		service, err := r.start(ctx)
		if err != nil {
			return err
		}
		if err := r.feed.sendShare(ctx, r.Kills-kill); err != nil {
			return errors.Join(err, service.kill())
		}
		if err := r.waitAtWork(ctx); err != nil {
			return errors.Join(err, service.kill())
		}
		delay := time.Duration(r.random.Int64N(int64(350 * time.Millisecond)))
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), service.kill())
		case <-time.After(delay):
		}
		if err := service.kill(); err != nil {
			return err
		}
		intents, err := r.intents(ctx)
		if err != nil {
			return err
		}
		if intents > 0 {
			r.hits++
		}
		fmt.Fprintf(r.Text, "  kill %2d of %d: %3d ms into its work, %d batches under way, %d events produced\n", kill+1, r.Kills, delay.Milliseconds(), intents, r.feed.sent)
	}
	return r.feed.sendAll(ctx)
}

// service is this binary running as `plumbline serve`.
type service struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed when it has ended
}

// start runs the service and waits until it is ready.
func (r *run) start(ctx context.Context) (*service, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("chaos: %w", err)
	}
	log, err := os.OpenFile(filepath.Join(r.dir, "service.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("chaos: %w", err)
	}
	defer log.Close() // the child has its own descriptor
	s := &service{cmd: exec.CommandContext(ctx, self, "serve", "--config.file="+r.config), exited: make(chan struct{})}
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("chaos: start the service: %w", err)
	}
	go func() {
		defer close(s.exited)
		_ = s.cmd.Wait() // it is killed, so it never exits well
	}()
	if err := waitReady(ctx, "http://"+r.web+"/-/ready", s.exited); err != nil {
		text, _ := os.ReadFile(log.Name())
		return nil, errors.Join(fmt.Errorf("chaos: the service did not get ready: %w\n%s", err, tail(text, 4000)), s.kill())
	}
	return s, nil
}

// kill ends the service the hard way and waits until it is gone. Its engine
// child sees the pipe close.
func (s *service) kill() error {
	if err := s.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("chaos: kill: %w", err)
	}
	<-s.exited
	return nil
}

func tail(text []byte, n int) []byte {
	if len(text) > n {
		return text[len(text)-n:]
	}
	return text
}
