package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/memory"
)

// leastDrop is the drop in accuracy, as a share, under which the demo's fault
// would show nothing.
const leastDrop = 0.15

// summary is the JSON line of --once.
type summary struct {
	Produced        int64   `json:"events_produced"`
	Stored          uint64  `json:"events_stored"`
	DeadLettered    uint64  `json:"events_dead_lettered"`
	PredictionRows  uint64  `json:"predictions_stored"`
	RolledUp        uint64  `json:"predictions_rolled_up"`
	LabelsJoined    int64   `json:"labels_joined"`
	LabelsOracle    int     `json:"labels_joined_oracle"`
	AccuracyBefore  float64 `json:"accuracy_before"`
	AccuracyAfter   float64 `json:"accuracy_after"`
	SecondsToPage   float64 `json:"seconds_from_first_burning_event_to_page"`
	Pages           int     `json:"pages_sent"`
	PagesBefore     int     `json:"pages_before_the_fault"`
	Dashboards      int     `json:"dashboards_written"`
	PeakMemoryMB    float64 `json:"peak_memory_mb"`
	Seconds         float64 `json:"seconds"`
	PageDeploy      string  `json:"page_deploy_hash"`
	PageTopFeature  string  `json:"page_top_feature"`
	BackfillSeconds float64 `json:"backfill_send_seconds"`

	// labelsMost is what the oracle has joined by the time of counting, later
	// than LabelsOracle by what went on live.
	labelsMost int
}

// counts are what the tables hold.
type counts struct {
	events, dead, predictions, rolled uint64
	labelled                          int64
}

func (d *demo) count(ctx context.Context) (c counts, err error) {
	conn := d.service.DB().Conn()
	err = errors.Join(
		conn.QueryRow(ctx, "SELECT sum(rows), sum(dead) FROM batches FINAL WHERE table IN ('predictions', 'labels', 'deployments')").Scan(&c.events, &c.dead),
		conn.QueryRow(ctx, "SELECT count() FROM predictions").Scan(&c.predictions),
		conn.QueryRow(ctx, "SELECT sum(count) FROM series_hour WHERE model != '' AND series = 'requests' AND segment = ''").Scan(&c.rolled),
		conn.QueryRow(ctx, "SELECT sum(labelled) FROM outcome_cells FINAL WHERE segment = ''").Scan(&c.labelled),
	)
	if err != nil {
		return counts{}, fmt.Errorf("demo: count what is stored: %w", err)
	}
	return c, nil
}

// settle waits until all that was sent is stored and joined.
func (d *demo) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 5*time.Minute, errors.New("demo: the service did not count the backfill within 5 minutes"))
	defer cancel()
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	next := time.Now()
	for {
		c, err := d.count(ctx)
		if err != nil && ctx.Err() == nil {
			return err
		}
		if err == nil && int64(c.events+c.dead) >= d.producer.sent.Load() && c.labelled >= int64(d.facts.Joined()) {
			d.say("stored %d, rolled up %d, labels joined %d (oracle: %d)", c.events, c.rolled, c.labelled, d.facts.Joined())
			return nil
		}
		if now := time.Now(); now.After(next) {
			next = now.Add(2 * time.Second)
			d.say("stored %7d of %d, labels joined %7d of %d", c.events, d.producer.sent.Load(), c.labelled, d.facts.Joined())
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// summarise measures what the JSON line says.
func (d *demo) summarise(ctx context.Context, page delivered) (summary, error) {
	c, err := d.count(ctx)
	if err != nil {
		return summary{}, err
	}
	s := summary{
		Produced: d.producer.sent.Load(), Stored: c.events, DeadLettered: c.dead, PredictionRows: c.predictions, RolledUp: c.rolled,
		LabelsJoined: c.labelled, LabelsOracle: d.facts.Joined(),
		Dashboards: d.service.Dashboards(), PageDeploy: string(page.text.Deploy), BackfillSeconds: d.backfillSeconds, Seconds: time.Since(d.started).Seconds(),
	}
	s.labelsMost = d.replay.Oracle(time.Now()).Joined()
	if len(page.text.Features) > 0 {
		s.PageTopFeature = string(page.text.Features[0].Feature)
	}
	for _, n := range d.console.all() {
		if !n.text.Pages() {
			continue
		}
		s.Pages++
		if n.text.Deploy != d.about.Faulty {
			s.PagesBefore++
		}
	}
	for deploy, into := range map[plumbline.DeployHash]*float64{d.about.Good: &s.AccuracyBefore, d.about.Faulty: &s.AccuracyAfter} {
		if *into, err = d.accuracy(ctx, deploy); err != nil {
			return summary{}, err
		}
	}
	if s.SecondsToPage, err = d.secondsToPage(page); err != nil {
		return summary{}, err
	}
	s.PeakMemoryMB, err = memory.Peak(os.Getpid(), d.service.EnginePID())
	if errors.Is(err, memory.ErrUnsupported) {
		err = nil // the story does not need it; the line says 0
	}
	return s, err
}

func (d *demo) accuracy(ctx context.Context, deploy plumbline.DeployHash) (float64, error) {
	var accuracy float64
	row := d.service.DB().Conn().QueryRow(ctx,
		"SELECT sum(correct) / sum(labelled) FROM outcome_cells FINAL WHERE model = {model:String} AND deploy_hash = {deploy:String} AND stage = 'production' AND segment = ''",
		clickhouse.Named("model", string(d.slo.Model)), clickhouse.Named("deploy", string(deploy)))
	if err := row.Scan(&accuracy); err != nil {
		return 0, fmt.Errorf("demo: accuracy of %s: %w", deploy, err)
	}
	return accuracy, nil
}

// secondsToPage is the time from the arrival in Kafka of the first event after
// which the SLO burned, as the oracle of the flights says, to the page.
func (d *demo) secondsToPage(page delivered) (float64, error) {
	good, faulty := d.replay.Burn(d.slo, d.pair, d.now)
	if !good.First.IsZero() {
		return 0, fmt.Errorf("demo: by the oracle the good deploy burned at %s; the page may be right and the story is wrong", good.First)
	}
	if faulty.First.IsZero() {
		return 0, errors.New("demo: by the oracle the faulty deploy never burned; the page is wrong")
	}
	wall, ok := d.producer.arrived(faulty.First)
	if !ok {
		return 0, fmt.Errorf("demo: no event was sent for %s", faulty.First)
	}
	return page.at.Sub(wall).Seconds(), nil
}

// check returns what of the story did not come true.
func (s summary) check(d *demo) error {
	var errs []error
	expect := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("demo: "+format, args...))
		}
	}
	expect(s.Stored+s.DeadLettered >= uint64(d.facts.Counts.Total()), "%d events are stored, the oracle produced %d", s.Stored, d.facts.Counts.Total())
	expect(s.Stored+s.DeadLettered <= uint64(s.Produced), "%d events are stored, only %d were produced", s.Stored, s.Produced)
	expect(s.DeadLettered == 0, "%d good events became dead letters", s.DeadLettered)
	expect(s.RolledUp == s.PredictionRows, "%d predictions are stored and %d rolled up", s.PredictionRows, s.RolledUp)
	expect(s.LabelsJoined >= int64(s.LabelsOracle) && s.LabelsJoined <= int64(s.labelsMost), "%d labels are joined, the oracle joined %d by the end of the backfill and %d by now", s.LabelsJoined, s.LabelsOracle, s.labelsMost)
	expect(s.AccuracyBefore-s.AccuracyAfter >= leastDrop, "accuracy fell from %.3f to %.3f, less than %.0f points", s.AccuracyBefore, s.AccuracyAfter, leastDrop*100)
	expect(s.Pages > 0, "no page was sent")
	expect(s.PagesBefore == 0, "%d pages are about another deploy than the faulty one", s.PagesBefore)
	expect(s.PageDeploy == string(d.about.Faulty), "the page names deploy %s, the fault is in %s", s.PageDeploy, d.about.Faulty)
	expect(s.PageTopFeature == string(d.about.BrokenFeature), "the page blames %q, the broken feature is %q", s.PageTopFeature, d.about.BrokenFeature)
	for _, page := range d.delivered() {
		expect(strings.Contains(page.body, string(d.about.Faulty)), "what %s got does not name the deploy %s", page.channel, d.about.Faulty)
		expect(strings.Contains(page.body, string(d.about.BrokenFeature)), "what %s got does not name the feature %s", page.channel, d.about.BrokenFeature)
	}
	return errors.Join(errs...)
}

type received struct{ channel, body string }

// delivered returns what the fakes were sent, as text.
func (d *demo) delivered() []received {
	var all []received
	if d.slack != nil {
		for _, m := range d.slack.Roots() {
			all = append(all, received{"Slack", string(m.Blocks)})
		}
	}
	if d.pagerduty != nil {
		for _, e := range d.pagerduty.Events() {
			all = append(all, received{"PagerDuty", e.Payload.Summary + string(e.Payload.Details)})
		}
	}
	return all
}

var _ alerting.Channel = (*console)(nil)
