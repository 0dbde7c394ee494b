package chaosingest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/testenv/traffic"
)

// session is after how long a silent worker loses its partitions: the shortest
// that ingest takes.
const session = time.Second

// partitions of each topic.
const partitions = 4

// drainTimeout is how long the workers may do nothing, once they are left alone,
// before what was produced and is not stored counts as lost.
const drainTimeout = 5 * time.Minute

// requestTimeout bounds what Kafka is asked.
const requestTimeout = 5 * time.Minute

// world is where one scenario takes place: topics, a group and a database of
// its own.
type world struct {
	*arena
	name   string
	start  time.Time // of the events' times
	random *rand.Rand
	cfg    ingest.Config
	db     *storage.DB
	client *kafka.Client
	fleet  *fleet
	feed   *producer
}

// newWorld makes topics, tables, doors and a producer; no worker runs yet.
func (a *arena) newWorld(ctx context.Context, name string, window int) (*world, error) {
	w := &world{arena: a, name: name, start: time.Now().Add(-50 * time.Hour).Truncate(time.Second)}
	var index uint64
	for _, c := range name {
		index = index*31 + uint64(c)
	}
	w.random = rand.New(rand.NewPCG(a.Seed, index))
	w.configure()
	sc := storage.DefaultConfig()
	sc.DSN, sc.Database, sc.DedupWindow = a.engine.DSN(), "chaos_"+name, window
	var err error
	if w.db, err = storage.New(sc); err != nil {
		return nil, err
	}
	if err := w.db.Migrate(ctx); err != nil {
		return nil, errors.Join(err, w.db.Close())
	}
	target, err := url.Parse(sc.DSN)
	if err != nil {
		return nil, errors.Join(err, w.db.Close())
	}
	w.client = &kafka.Client{Addr: kafka.TCP(a.brokers...), Timeout: requestTimeout, Transport: &kafka.Transport{MetadataTTL: time.Second}}
	if err := ingest.EnsureTopics(ctx, w.cfg); err != nil {
		return nil, errors.Join(err, w.db.Close())
	}
	o := orders{Database: sc.Database, Window: window}
	if w.fleet, err = newFleet(target, rand.New(rand.NewPCG(a.Seed, index+1)), a.logOf(name), o); err != nil {
		return nil, errors.Join(err, w.db.Close())
	}
	w.feed = newProducer(w)
	return w, nil
}

// configure makes ingest impatient and its batches small, so that there are
// many moments to hit.
func (w *world) configure() {
	suffix := "-" + w.name + "-" + w.suffix
	cfg := ingest.DefaultConfig()
	cfg.Brokers, cfg.Group, cfg.Partitions = w.brokers, "chaos"+suffix, partitions
	cfg.Topics = ingest.Topics{Predictions: "predictions" + suffix, Labels: "labels" + suffix, Deployments: "deployments" + suffix, DeadLetters: "dead" + suffix}
	cfg.FlushRows, cfg.FlushInterval = 40, 50*time.Millisecond
	cfg.SessionTimeout = session
	// A worker that was stopped for long must not give its statement up.
	cfg.InsertTimeout = 10 * time.Minute
	cfg.RetryMin, cfg.RetryMax, cfg.ParkRetry = 10*time.Millisecond, 200*time.Millisecond, 200*time.Millisecond
	cfg.BadShare = 1 // bad events are part of the traffic
	w.cfg = cfg
}

func (w *world) close() error {
	err := errors.Join(w.feed.close(), w.fleet.close(), w.db.Close())
	w.client.Transport.(*kafka.Transport).CloseIdleConnections()
	return err
}

// topics are those that are counted, by their raw table.
func (w *world) topics() map[plumbline.TableName]string {
	return map[plumbline.TableName]string{plumbline.TablePredictions: w.cfg.Topics.Predictions, plumbline.TableLabels: w.cfg.Topics.Labels}
}

// recorded returns how many events the batches say are done.
func (w *world) recorded(ctx context.Context) (n uint64, err error) {
	row := w.db.Conn().QueryRow(ctx, "SELECT sum(events) FROM batches FINAL WHERE table IN ('predictions', 'labels')")
	if err := row.Scan(&n); err != nil {
		return 0, fmt.Errorf("count recorded events: %w", err)
	}
	return n, nil
}

// drain ends production, lets every worker go on, waits until everything is
// recorded and nothing comes any more.
func (w *world) drain(ctx context.Context) error {
	if err := errors.Join(w.feed.pause(), w.fleet.resume()); err != nil {
		return err
	}
	w.fleet.faults.on.Store(false)
	moved := time.Now()
	for last, since := uint64(0), moved; ; {
		done, err := w.recorded(ctx)
		if err != nil {
			return err
		}
		if done >= uint64(w.feed.sent.Load()) {
			break
		}
		if done != last {
			last, since = done, time.Now()
			moved = since
		}
		if time.Since(moved) > drainTimeout {
			fmt.Fprintf(w.Text, "  %d of %d events are recorded, and no more for %s; counting all the same\n", done, w.feed.sent.Load(), drainTimeout)
			return nil
		}
		if time.Since(since) > stuck {
			if err := w.rejoin(ctx); err != nil {
				return err
			}
			since = time.Now()
		}
		if err := sleep(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
	return w.quiet(ctx)
}

// stuck is after how long without progress the embedded broker's group gets a
// new member.
const stuck = 8 * time.Second

// rejoin starts a worker anew. The embedded broker keeps a member for ever that
// was killed before it was told that it had joined, with its partitions, until
// the next rebalance; a real Kafka ends its session, and is left alone.
func (w *world) rejoin(ctx context.Context) error {
	for _, victim := range w.fleet.workers {
		if len(w.Brokers) == 0 && !victim.isStopped() {
			fmt.Fprintln(w.Text, "  no progress: a worker joins anew")
			return errors.Join(victim.kill(), victim.start(ctx))
		}
	}
	return nil
}

// quiet waits until no INSERT has come for two seconds: what a worker had still
// on its way is there by then.
func (w *world) quiet(ctx context.Context) error {
	for since, last := time.Now(), int64(-1); time.Since(since) < 2*time.Second; {
		if n := w.fleet.inserts(); n != last {
			since, last = time.Now(), n
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// producer sends traffic, a model a partition, so that what is rolled up can be
// counted by partition too.
type producer struct {
	w       *world
	writer  *kafka.Writer
	bad     float64
	chunks  uint64
	sent    atomic.Int64
	dead    int // events that cannot be stored
	median  int // size of a prediction of the first chunk, in bytes
	stopRun context.CancelFunc
	running sync.WaitGroup
	err     error
}

func newProducer(w *world) *producer {
	return &producer{w: w, bad: 0.05, writer: w.newWriter()}
}

func (w *world) newWriter() *kafka.Writer {
	byHand := func(m kafka.Message, _ ...int) int { return m.WriterData.(int) }
	return &kafka.Writer{
		Addr: w.client.Addr, Balancer: kafka.BalancerFunc(byHand), RequiredAcks: kafka.RequireAll,
		BatchSize: 500, BatchTimeout: 2 * time.Millisecond, Transport: &kafka.Transport{MetadataTTL: time.Second},
		// What takes long and is sent again is in Kafka twice.
		ReadTimeout: requestTimeout, WriteTimeout: requestTimeout,
	}
}

// renew forgets what the producer knew of the topics.
func (p *producer) renew() error {
	err := p.writer.Close()
	p.writer = p.w.newWriter()
	return err
}

func model(partition int) plumbline.Model { return plumbline.Model(fmt.Sprintf("chaos-%d", partition)) }

// chunk sends the events of n predictions to each partition.
func (p *producer) chunk(ctx context.Context, n int) error {
	names := map[string]string{"predictions": p.w.cfg.Topics.Predictions, "labels": p.w.cfg.Topics.Labels}
	var out []kafka.Message
	var sizes []int
	for partition := range partitions {
		p.chunks++
		messages, expected, err := traffic.Generate(traffic.Options{
			Seed: p.w.Seed<<20 + p.chunks, Model: model(partition), Deploy: "abc123", Predictions: n,
			Start: p.w.start, Span: 49 * time.Hour,
			Bad: p.bad, Duplicate: 0.05, Unlabelled: 0.1, Corrected: 0.05, MeanLabelDelay: time.Minute,
		})
		if err != nil {
			return err
		}
		p.dead += expected.Dead
		for _, m := range messages {
			if m.Topic == "predictions" {
				sizes = append(sizes, len(m.Value))
			}
			out = append(out, kafka.Message{Topic: names[m.Topic], Key: []byte(m.Key), Value: m.Value, Time: m.Time, WriterData: partition})
		}
	}
	if p.median == 0 {
		slices.Sort(sizes)
		p.median = sizes[len(sizes)/2]
	}
	if err := p.writer.WriteMessages(ctx, out...); err != nil {
		return fmt.Errorf("produce %d events: %w", len(out), err)
	}
	p.sent.Add(int64(len(out)))
	return nil
}

// backlog is how many events wait for the workers at most.
const backlog = 6000

// goOn produces whenever the workers have caught up to the backlog, until pause.
func (p *producer) goOn(ctx context.Context) {
	ctx, p.stopRun = context.WithCancel(ctx)
	p.running.Go(func() {
		for ctx.Err() == nil {
			done, err := p.w.recorded(ctx)
			if err == nil && uint64(p.sent.Load()) < done+backlog {
				// A chunk is sent whole, or its count would not be known.
				err = p.chunk(context.WithoutCancel(ctx), 100)
			}
			if err != nil && ctx.Err() == nil {
				p.err = err
				return
			}
			_ = sleep(ctx, 100*time.Millisecond)
		}
	})
}

// pause ends what goOn began and returns its error.
func (p *producer) pause() error {
	if p.stopRun == nil {
		return nil
	}
	p.stopRun()
	p.running.Wait()
	p.stopRun = nil
	return p.err
}

func (p *producer) close() error {
	return errors.Join(p.pause(), p.writer.Close())
}

// countLines counts the lines of the workers' log that hold a text.
func countLines(log, text string) (n int) {
	for line := range strings.Lines(log) {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}
