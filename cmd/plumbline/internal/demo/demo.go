package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/app"
	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/flights"
	"github.com/plumbline-slo/plumbline/rules"
	"github.com/plumbline-slo/plumbline/testenv/fakepagerduty"
	"github.com/plumbline-slo/plumbline/testenv/fakeslack"
)

// Options configure the demo.
type Options struct {
	// Config is the service's configuration: examples/flights/plumbline.yml.
	Config app.Config
	// Flights is the Parquet file of npm's vega-datasets.
	Flights string
	// Once ends the demo after the page and prints one JSON line.
	Once bool
	// Brokers and ClickHouse, if set, are used instead of the embedded ones.
	Brokers    []string
	ClickHouse string
	// Out receives the JSON line, Text what a person reads.
	Out, Text io.Writer
	Log       *slog.Logger
}

// demo is one run under way.
type demo struct {
	Options
	started   time.Time
	now       time.Time // the moved present: the end of the backfill
	cfg       app.Config
	slo       plumbline.SLO
	pair      plumbline.WindowPair
	replay    *flights.Replay
	about     flights.About
	facts     flights.Facts
	slack     *fakeslack.Server     // nil with a real Slack
	pagerduty *fakepagerduty.Server // nil with a real PagerDuty
	console   *console
	service   *app.App
	producer  *producer

	backfillSeconds float64 // to send it; storing and joining goes on
}

// Run sets the scene, sends the flights and waits for the page. It returns an
// error if what it saw is not what the oracle of the flights says.
func Run(ctx context.Context, opts Options) (err error) {
	d := &demo{Options: opts, started: time.Now(), console: newConsole()}
	dir, err := os.MkdirTemp("", "plumbline-demo-")
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := d.configure(dir); err != nil {
		return err
	}
	defer d.closeFakes()
	if err := d.train(); err != nil {
		return err
	}
	if d.service, err = app.New(d.cfg, opts.Log, d.console); err != nil {
		return err
	}
	// The service outlives ctx by its own orderly stop.
	group, running := errgroup.WithContext(ctx)
	scene, end := context.WithCancel(running)
	group.Go(func() error { return d.service.Run(scene) })
	group.Go(func() error {
		defer end()
		return d.play(scene)
	})
	if err := group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func (d *demo) say(format string, args ...any) {
	fmt.Fprintf(d.Text, "%6.1fs  %s\n", time.Since(d.started).Seconds(), fmt.Sprintf(format, args...))
}

// configure moves the configuration into dir, beside fakes where no real Slack
// or PagerDuty is configured.
func (d *demo) configure(dir string) error {
	cfg := d.Config
	cfg.DataDir = dir
	// The demo needs a few hundred megabytes and its raw rows, however full the
	// disk is for a service that runs for months.
	cfg.Engine.DiskLimit = 0.99
	cfg.Dashboards.Dir = filepath.Join(dir, "dashboards")
	cfg.Kafka.Embedded.Listen = "127.0.0.1:0"
	if len(d.Brokers) > 0 {
		cfg.Kafka.Brokers = d.Brokers
	}
	if d.ClickHouse != "" {
		cfg.ClickHouse.DSN, cfg.ClickHouse.DSNFile = d.ClickHouse, ""
	}
	d.standApart(&cfg)
	if err := d.startFakes(&cfg, dir); err != nil {
		return err
	}
	slos, err := rules.ParseFiles(cfg.Rules.SLOFiles...)
	if err != nil {
		return err
	}
	if len(slos) != 1 {
		return fmt.Errorf("demo: %v declare %d SLOs; the demo tells the story of one", cfg.Rules.SLOFiles, len(slos))
	}
	d.slo = slos[0]
	pairs, err := rules.PairsFor(d.slo)
	if err != nil {
		return err
	}
	for _, p := range pairs.Pairs {
		if p.Severity == plumbline.SeverityPage {
			d.pair = p.WindowPair
			d.say("SLO %s: %.0f %% correct over %s; pages when more than %.1f %% are wrong over %s and over %s (%s)",
				d.slo.Name, d.slo.Target*100, plumbline.PeriodWords(d.slo.PeriodName()), p.Threshold(d.slo.Target)*100, plumbline.WindowName(p.Long), plumbline.WindowName(p.Short), p.Reason)
			break
		}
	}
	d.cfg = cfg
	return nil
}

// standApart gives the demo directories of its own, and topics, a consumer group and a
// database of its own on a Kafka and a ClickHouse that others use too: it counts what
// it sent, and its flights are nobody's production traffic. It is no replica of a
// service either, and no sign that one lives.
func (d *demo) standApart(cfg *app.Config) {
	usual := app.DefaultConfig()
	cfg.Kafka.Embedded.DataDir, cfg.Alerting.DataDir, cfg.Rules.RulesDir, cfg.Rules.StateFile = "", "", "", ""
	cfg.Alerting.Cluster, cfg.Alerting.Relay, cfg.Watchdog = usual.Alerting.Cluster, usual.Alerting.Relay, usual.Watchdog
	name := "demo_" + d.started.UTC().Format("20060102_150405")
	if len(cfg.Kafka.Brokers) > 0 {
		cfg.Ingest.Group = name
		prefix := strings.ReplaceAll(name, "_", "-") + "-"
		for _, topic := range []*string{&cfg.Ingest.Topics.Predictions, &cfg.Ingest.Topics.Labels, &cfg.Ingest.Topics.Deployments, &cfg.Ingest.Topics.KPIs, &cfg.Ingest.Topics.DeadLetters} {
			*topic = prefix + *topic
		}
		d.say("your Kafka %v: the demo's topics begin with %s, and stay", cfg.Kafka.Brokers, prefix)
	}
	if cfg.ClickHouse.DSN != "" || cfg.ClickHouse.DSNFile != "" {
		cfg.ClickHouse.Database = "plumbline_" + name
		d.say("your ClickHouse: the demo's tables are in the database %s, and stay", cfg.ClickHouse.Database)
	}
}

// startFakes stands in for Slack and PagerDuty where no token is configured.
func (d *demo) startFakes(cfg *app.Config, dir string) (err error) {
	if cfg.Alerting.Slack.Token == "" && cfg.Alerting.Slack.TokenFile == "" {
		if d.slack, err = fakeslack.Start("127.0.0.1:0"); err != nil {
			return err
		}
		cfg.Alerting.Slack.Token, cfg.Alerting.Slack.APIURL = "xoxb-demo", d.slack.APIURL()
	}
	for i := range cfg.Alerting.Owners {
		owner := &cfg.Alerting.Owners[i]
		if owner.PagerDutyKeyFile != "" {
			continue
		}
		if d.pagerduty == nil {
			if d.pagerduty, err = fakepagerduty.Start("127.0.0.1:0"); err != nil {
				return err
			}
			cfg.Alerting.PagerDuty.APIURL = d.pagerduty.URL()
		}
		owner.PagerDutyKeyFile = filepath.Join(dir, fmt.Sprintf("pagerduty-%d.key", i))
		if err := os.WriteFile(owner.PagerDutyKeyFile, []byte("0123456789abcdef0123456789abcdef\n"), 0o600); err != nil {
			return fmt.Errorf("demo: %w", err)
		}
	}
	return nil
}

func (d *demo) closeFakes() {
	for _, fake := range []io.Closer{closer(d.slack), closer(d.pagerduty)} {
		if fake == nil {
			continue
		}
		if err := fake.Close(); err != nil {
			d.say("close %T: %v", fake, err)
		}
	}
}

// closer turns a nil pointer into a nil interface.
func closer[T any, P interface {
	*T
	io.Closer
}](p P) io.Closer {
	if p == nil {
		return nil
	}
	return p
}

// train reads the flights and fits the model on the first weeks.
func (d *demo) train() error {
	d.now = time.Now().Truncate(time.Minute)
	cfg := flights.DefaultConfig(d.now)
	cfg.Model = d.slo.Model
	data, err := flights.Load(d.Flights, cfg.Spans()...)
	if err != nil {
		return err
	}
	if d.replay, err = flights.NewReplay(data, cfg); err != nil {
		return err
	}
	d.about = d.replay.About()
	d.facts = d.replay.Oracle(d.now)
	d.say("trained %s on %s to %s; %d flights follow, %d rows dropped as recording errors",
		cfg.Model, cfg.Training.From.Format("2 Jan 2006"), cfg.Training.To.Format("2 Jan"), d.about.Flights, d.about.Dropped)
	return nil
}

// play is the story: the past as fast as it goes, the page, then live.
func (d *demo) play(ctx context.Context) error {
	if err := d.service.WaitReady(ctx); err != nil {
		return err
	}
	d.say("service ready: page %s, Kafka %v", d.service.URL(), d.service.Brokers())
	d.producer = newProducer(d.service.Brokers(), d.service.Dialer(), d.cfg.Ingest.Topics, d.replay)
	if err := d.backfill(ctx); err != nil {
		return errors.Join(err, d.producer.close())
	}
	group, ctx := errgroup.WithContext(ctx)
	live, stopLive := context.WithCancel(ctx)
	group.Go(func() error { return errors.Join(d.producer.live(live), d.producer.close()) })
	group.Go(func() error {
		defer stopLive()
		return d.watch(ctx)
	})
	return group.Wait()
}

// backfill sends the past and waits until the service has counted all of it.
func (d *demo) backfill(ctx context.Context) error {
	next := time.Now()
	began := next
	err := d.producer.sendUntil(ctx, d.now, func(sent int64, at time.Time) {
		if now := time.Now(); now.After(next) {
			next = now.Add(2 * time.Second)
			d.say("sent %7d events, up to %s", sent, at.Format("Mon 2 Jan 15:04"))
		}
	})
	if err != nil {
		return err
	}
	d.backfillSeconds = time.Since(began).Seconds()
	d.say("sent %7d events: 14 days, in %.1f s; %s deployed %s ago sends metres for miles from %d airports (%.0f %% of traffic)",
		d.producer.sent.Load(), d.backfillSeconds, d.about.Faulty, d.now.Sub(d.about.FaultAt), len(d.about.Affected), d.about.AffectedShare*100)
	return d.settle(ctx)
}

// watch waits for the page, shows it, and either ends or goes on live.
func (d *demo) watch(ctx context.Context) error {
	page, err := d.waitForPage(ctx)
	if err != nil {
		return err
	}
	summary, err := d.summarise(ctx, page)
	if err != nil {
		return err
	}
	d.show(page, summary)
	if d.Once {
		line, err := json.Marshal(summary)
		if err != nil {
			return fmt.Errorf("demo: %w", err)
		}
		_, err = fmt.Fprintf(d.Out, "%s\n", line)
		return errors.Join(err, summary.check(d))
	}
	if err := summary.check(d); err != nil {
		return err
	}
	d.say("live now, a flight every few seconds, until Ctrl-C. Look at %s, at the dashboards in %s, or ask:", d.service.URL(), d.cfg.Dashboards.Dir)
	fmt.Fprintf(d.Text, "         bin/plumbline sql --data-dir=%s \"SELECT * FROM findings ORDER BY at DESC LIMIT 20\"\n", d.cfg.DataDir)
	fmt.Fprintf(d.Text, "         bin/plumbline rollup verify --data-dir=%s\n", d.cfg.DataDir)
	<-ctx.Done()
	return nil
}

// waitForPage returns the first notice of severity page once Slack and
// PagerDuty have it too.
func (d *demo) waitForPage(ctx context.Context) (delivered, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, 5*time.Minute, errors.New("demo: no page within 5 minutes of the backfill"))
	defer cancel()
	for {
		for _, n := range d.console.all() {
			if n.text.Pages() {
				return n, d.waitForFakes(ctx)
			}
		}
		select {
		case <-ctx.Done():
			return delivered{}, context.Cause(ctx)
		case <-d.console.arrived:
		}
	}
}

func (d *demo) waitForFakes(ctx context.Context) error {
	if d.slack != nil {
		if err := d.slack.WaitMessages(ctx, func(m []fakeslack.Message) bool { return len(m) > 0 }); err != nil {
			return fmt.Errorf("demo: the fake Slack got no message: %w", err)
		}
	}
	if d.pagerduty != nil {
		if err := d.pagerduty.WaitEvents(ctx, func(e []fakepagerduty.Event) bool { return len(e) > 0 }); err != nil {
			return fmt.Errorf("demo: the fake PagerDuty got no event: %w", err)
		}
	}
	return nil
}

// show prints the page as a person would see it.
func (d *demo) show(page delivered, s summary) {
	fmt.Fprintf(d.Text, "\n%s\n\n", alerting.RenderText(page.text))
	d.say("accuracy before %.1f %%, after %.1f %%; page %.1f s after the event that made the SLO burn", s.AccuracyBefore*100, s.AccuracyAfter*100, s.SecondsToPage)
	d.say("events produced %d, stored %d, rolled up %d; labels joined %d; peak memory %.0f MB", s.Produced, s.Stored, s.RolledUp, s.LabelsJoined, s.PeakMemoryMB)
}
