package benchpage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/storage/engine"
	"github.com/plumbline-slo/plumbline/testenv/address"
	"github.com/plumbline-slo/plumbline/testenv/fakepagerduty"
	"github.com/plumbline-slo/plumbline/testenv/fakeslack"
	"github.com/plumbline-slo/plumbline/testenv/figure"
)

// bench is one run under way.
type bench struct {
	Options
	table     io.Writer
	dir       string
	endpoints []*endpoint
	service   *service
	pages     *pages
	producer  *producer
	db        *storage.DB
	stages    stages
}

// Run measures and prints: figures as JSON lines, the rest for people.
func Run(ctx context.Context, o Options, lines, table io.Writer) (err error) {
	if err := o.validate(); err != nil {
		return err
	}
	began := time.Now()
	b := &bench{Options: o, table: table}
	if b.endpoints, err = endpoints(o); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "bench-page-"); err != nil {
		return err
	}
	defer func() {
		if o.Keep {
			fmt.Fprintf(table, "kept: %s\n", b.dir)
			return
		}
		err = errors.Join(err, os.RemoveAll(b.dir))
	}()
	found, err := b.run(ctx)
	if err != nil {
		return err
	}
	found.took = time.Since(began).Seconds()
	found.describe(table)
	fmt.Fprintln(table, b.stages)
	return figure.Print(lines, table, found.figures(o)...)
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.table, "%s  %s\n", time.Now().UTC().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}

// run sets the scene, plays it and takes it down.
func (b *bench) run(ctx context.Context) (found outcome, err error) {
	pagerduty, err := fakepagerduty.Start("127.0.0.1:0")
	if err != nil {
		return found, err
	}
	defer func() { err = errors.Join(err, pagerduty.Close()) }()
	slack, err := fakeslack.Start("127.0.0.1:0")
	if err != nil {
		return found, err
	}
	defer func() { err = errors.Join(err, slack.Close()) }()
	b.pages = newPages(pagerduty)
	var free [2]*address.Reserved
	for i := range free {
		if free[i], err = address.Reserve(); err != nil {
			return found, err
		}
		defer func() { err = errors.Join(err, free[i].Release()) }()
	}
	config, err := configure(place{dir: b.dir, web: free[0].Addr, kafka: free[1].Addr, pagerduty: pagerduty.URL(), slack: slack.APIURL()}, b.endpoints)
	if err != nil {
		return found, err
	}
	if b.service, err = startService(ctx, b.Program, config, free[0].Addr); err != nil {
		return found, err
	}
	defer func() { err = errors.Join(err, b.service.stop()) }()
	if err := b.service.until(ctx, 5*time.Minute, 100*time.Millisecond, b.service.ready); err != nil {
		return found, fmt.Errorf("wait for the service: %w", err)
	}
	if err := b.open(); err != nil {
		return found, err
	}
	defer func() { err = errors.Join(err, b.db.Close()) }()
	b.producer = newProducer(free[1].Addr, ingest.DefaultConfig().Topics.Predictions, b.Seed, b.endpoints)
	defer func() { err = errors.Join(err, b.producer.writer.Close()) }()
	return b.play(ctx)
}

// open connects to the service's own ClickHouse, to see how far it has counted.
func (b *bench) open() (err error) {
	cfg := storage.DefaultConfig()
	if cfg.DSN, err = engine.Discover(filepath.Join(b.dir, "data", "clickhouse")); err != nil {
		return err
	}
	b.db, err = storage.New(cfg)
	return err
}

// play is the run: the past, live traffic, the faults, the pages.
func (b *bench) play(ctx context.Context) (found outcome, err error) {
	now := time.Now().Truncate(time.Minute)
	if err := b.producer.history(ctx, now, b.Rate); err != nil {
		return found, err
	}
	b.say("sent %d events of three days for %d models", b.producer.n, len(b.endpoints))
	want := 0.0
	for _, e := range b.endpoints {
		want += e.tally.Total(now)
	}
	group, ctx := errgroup.WithContext(ctx)
	live, end := context.WithCancel(ctx)
	defer end()
	faults := make(chan time.Time, 1)
	group.Go(func() (err error) {
		found.achieved, err = b.producer.live(live, b.Rate, faults)
		return err
	})
	group.Go(func() error {
		if err := b.pages.watch(live); live.Err() == nil {
			return err
		}
		return nil
	})
	group.Go(func() error {
		defer end()
		return b.fail(ctx, now, want, faults)
	})
	if err := group.Wait(); err != nil {
		return found, err
	}
	judged := b.pages.judge(b.endpoints)
	judged.achieved = found.achieved
	return judged, nil
}

// calm is how long the live traffic runs, once the past is counted, before the
// faults begin.
const calm = 15 * time.Second

// fail lets the faults begin once the past is counted, and waits for the pages.
func (b *bench) fail(ctx context.Context, before time.Time, want float64, faults chan<- time.Time) error {
	err := b.service.until(ctx, 5*time.Minute, time.Second, func(ctx context.Context) error {
		var counted float64
		if err := b.db.Conn().QueryRow(ctx, "SELECT toFloat64(sum(total)) FROM sli FINAL WHERE time < toDateTime(?, 'UTC')", before.Unix()).Scan(&counted); err != nil {
			return err
		}
		if counted != want {
			return fmt.Errorf("%.0f of %.0f requests of the past are counted", counted, want)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("wait until the past is counted: %w", err)
	}
	b.say("every request of the past is counted; faults begin in %s, %d over %s", calm, b.Faults, b.Over)
	if err := b.pause(ctx, calm); err != nil {
		return err
	}
	faults <- time.Now()
	// The least fault, the last to begin, crosses about so long after it began.
	slowest := time.Duration(14.4 * (1 - target) / depth(4) * float64(time.Hour))
	end := time.Now().Add(b.Over + slowest + b.Patience)
	for time.Now().Before(end) && b.pages.models() < b.Faults {
		if err := b.pause(ctx, 5*time.Second); err != nil {
			return err
		}
	}
	b.say("pages of %d models of %d", b.pages.models(), b.Faults)
	// A second page of the last one would come now.
	if err := b.pause(ctx, calm); err != nil {
		return err
	}
	b.stages, err = stagesOf(ctx, b.db, b.pages, b.endpoints)
	return err
}

// pause waits, for as long as the service runs.
func (b *bench) pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-b.service.exited:
		return fmt.Errorf("the service ended: %w\n%s", b.service.err, b.service.tail())
	case <-time.After(d):
		return nil
	}
}
