package app

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/segmentio/kafka-go"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/alerting/pagerduty"
	"github.com/plumbline-slo/plumbline/alerting/watchdog"
	"github.com/plumbline-slo/plumbline/analyze/quality/history"
	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/ingest/join"
	"github.com/plumbline-slo/plumbline/rules"
)

// Alerts of the watchdog, beside its own.
const (
	alertIngestBehind   = "IngestBehind"
	alertJoinBehind     = "JoinBehind"
	alertEvaluationLate = "EvaluationLate"
	alertSLOSilent      = "SLOSilent"
	alertNoDuty         = "RuleGroupsUnattended"
)

// newWatchdog watches everything that can go blind. Nobody is told where nobody
// answers for the service.
func (a *App) newWatchdog(alerts *alerting.Service, evaluator *rules.Evaluator, speaks *speaker, joiner *join.Join) (*watchdog.Watchdog, error) {
	var owner plumbline.OwnerEntry
	for _, o := range a.cfg.Alerting.Owners {
		if o.Name == a.cfg.Alerting.ServiceOwner {
			owner = o
		}
	}
	direct, err := a.pastAlerting(owner)
	if err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "plumbline"
	}
	runbook := a.web.externalURL() + "/runbooks/service"
	ingested := &ingestProbe{
		client: &kafka.Client{Addr: kafka.TCP(a.brokers...), Transport: a.dialer.Transport("plumbline-watchdog")},
		group:  a.cfg.Ingest.Group, topics: a.cfg.Ingest.ConsumedTopics(), explained: a.troubles.explains, seen: make(map[partitionKey]progress),
	}
	evaluated := &evaluationProbe{evaluations: evaluator.Evaluations, turn: speaks.turn(), began: time.Now(), any: len(a.slos) > 0}
	silent := &silenceProbe{conn: a.db.Conn(), stored: a.stored, slos: make(map[string]bool)}
	for _, slo := range a.slos {
		silent.slos[string(slo.Name)] = true
	}
	joined := &joinProbe{reader: history.Reader{Conn: a.db.Conn()}, stored: a.stored, failure: joiner.Failure, within: joinAskedWithin, seen: make(map[string]progress)}
	probes := []watchdog.Probe{
		{Alert: alertIngestBehind, Object: a.cfg.Ingest.Group, Summary: "events are not stored any more", Runbook: runbook, Lag: ingested.lag},
		{Alert: alertJoinBehind, Object: a.cfg.ClickHouse.Database, Summary: "labels are not joined any more", Runbook: runbook, Lag: joined.lag, Limit: joinLimit},
		{Alert: alertEvaluationLate, Object: host, Summary: "rules are not evaluated any more", Runbook: runbook, Lag: evaluated.lag},
		{Alert: alertSLOSilent, Object: a.cfg.ClickHouse.Database, Summary: "SLOs say nothing any more", Runbook: runbook, Lag: silent.lag, Limit: 4 * a.cfg.Analyze.Interval},
	}
	if speaks.member != nil {
		probes = append(probes, watchdog.Probe{
			Alert: alertNoDuty, Object: host, Summary: "this replica takes no part in evaluating rules", Runbook: runbook,
			Lag: func(_ context.Context, now time.Time) (time.Duration, string, error) {
				if !speaks.member.TakesPart() {
					return 0, "", fmt.Errorf("no place in the consumer group %s", a.cfg.Alerting.Duty.Group)
				}
				return 0, "", nil
			},
		})
	}
	return watchdog.New(a.cfg.Watchdog, watchdog.Dependencies{
		Handler: alerts, Direct: direct, Owner: owner, Probes: probes, Registry: a.registry, Log: a.log,
	})
}

// pastAlerting is a way to PagerDuty that nothing else uses.
func (a *App) pastAlerting(owner plumbline.OwnerEntry) (alerting.Notifier, error) {
	if owner.Name == "" {
		return nil, nil
	}
	channel, err := pagerduty.New(a.cfg.Alerting.PagerDuty)
	if err != nil {
		return nil, err
	}
	return channel.Notifier(owner), nil
}

// explains reports whether a partition's standstill is told of already.
func (t *troubles) explains(object string) bool {
	for _, kind := range []troubleKind{partitionParked, partitionPaused, decodingWaits} {
		if t.isActive(kind, object) {
			return true
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for key := range t.active {
		if key.alert == engineCrashLoop.alert || key.alert == kafkaRefused.alert {
			return true
		}
	}
	return false
}

type partitionKey struct {
	topic     string
	partition int
}

// progress is how far a partition was committed, how much of the batch behind that is
// stored, and since when.
type progress struct {
	committed int64
	done      int
	since     time.Time
}

// ingestProbe asks Kafka alone whether what is there is committed: a partition
// with events whose commit does not move is behind by as long as it stands. A batch
// of many days may take minutes; as long as its intent says that more of it is stored
// than ever before, it does not stand.
type ingestProbe struct {
	client    *kafka.Client
	group     string
	topics    []string
	explained func(object string) bool

	mu   sync.Mutex
	seen map[partitionKey]progress
}

func (p *ingestProbe) lag(ctx context.Context, now time.Time) (time.Duration, string, error) {
	ends, commits, err := p.partitions(ctx)
	if err != nil {
		return 0, "", err
	}
	if len(ends) == 0 {
		return 0, "", nil
	}
	last, err := p.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: ends, IsolationLevel: kafka.ReadCommitted})
	if err != nil {
		return 0, "", fmt.Errorf("ask Kafka for the ends of its topics: %w", err)
	}
	committed, err := p.client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: p.group, Topics: commits})
	if err != nil {
		return 0, "", fmt.Errorf("ask Kafka what %s has committed: %w", p.group, err)
	}
	// A group that Kafka does not know has committed nothing.
	if committed.Error != nil && !errors.Is(committed.Error, kafka.GroupIdNotFound) {
		return 0, "", fmt.Errorf("ask Kafka what %s has committed: %w", p.group, committed.Error)
	}
	done := make(map[partitionKey]progress)
	for topic, parts := range committed.Topics {
		for _, o := range parts {
			if o.Error != nil {
				return 0, "", fmt.Errorf("ask Kafka what %s has committed of %s/%d: %w", p.group, topic, o.Partition, o.Error)
			}
			done[partitionKey{topic, o.Partition}] = progress{committed: o.CommittedOffset, done: ingest.Done(o.Metadata)}
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var worst time.Duration
	var behind []string
	for topic, parts := range last.Topics {
		for _, o := range parts {
			if o.Error != nil {
				return 0, "", fmt.Errorf("ask Kafka for the end of %s/%d: %w", topic, o.Partition, o.Error)
			}
			key := partitionKey{topic, o.Partition}
			// Nobody waits for what retention took before it was committed.
			at := done[key]
			at.committed = max(at.committed, o.FirstOffset)
			lag := p.move(key, at, o.LastOffset, now)
			if object := ingest.PartitionName(topic, o.Partition); lag > 0 && !p.explained(object) {
				worst = max(worst, lag)
				behind = append(behind, object)
			}
		}
	}
	return worst, fmt.Sprintf("Nothing of %s has been stored for %s though there are events.", strings.Join(behind, ", "), worst.Round(time.Second)), nil
}

// partitions returns what to ask of the topics. One that nobody has made yet holds
// nothing that could wait; one that was there, or that may not be seen, is blindness.
func (p *ingestProbe) partitions(ctx context.Context) (ends map[string][]kafka.OffsetRequest, commits map[string][]int, err error) {
	meta, err := p.client.Metadata(ctx, &kafka.MetadataRequest{Topics: p.topics})
	if err != nil {
		return nil, nil, fmt.Errorf("ask Kafka for its topics: %w", err)
	}
	ends, commits = make(map[string][]kafka.OffsetRequest), make(map[string][]int)
	for _, t := range meta.Topics {
		if t.Error != nil && (p.saw(t.Name) || !errors.Is(t.Error, kafka.UnknownTopicOrPartition)) {
			return nil, nil, fmt.Errorf("ask Kafka for topic %s: %w", t.Name, t.Error)
		}
		for _, part := range t.Partitions {
			ends[t.Name] = append(ends[t.Name], kafka.FirstOffsetOf(part.ID), kafka.LastOffsetOf(part.ID))
			commits[t.Name] = append(commits[t.Name], part.ID)
		}
	}
	return ends, commits, nil
}

// saw reports whether a topic was there.
func (p *ingestProbe) saw(topic string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key := range p.seen {
		if key.topic == topic {
			return true
		}
	}
	return false
}

// move returns for how long a partition has stood still with events ahead. The
// lock is held.
func (p *ingestProbe) move(key partitionKey, at progress, end int64, now time.Time) time.Duration {
	was, known := p.seen[key]
	if !known || at.committed != was.committed || at.done > was.done || end <= max(at.committed, 0) {
		at.since = now
		p.seen[key] = at
		return 0
	}
	return now.Sub(was.since)
}

// evaluationProbe asks the evaluator when it last did its work.
type evaluationProbe struct {
	evaluations func() []rules.Evaluated
	turn        func(group string) bool // nil has every duty
	began       time.Time
	any         bool                 // whether there is anything to evaluate
	since       map[string]time.Time // when a group was first seen to be there and this replica's
}

func (p *evaluationProbe) lag(_ context.Context, now time.Time) (time.Duration, string, error) {
	if !p.any {
		return 0, "", nil
	}
	all := p.evaluations()
	if len(all) == 0 {
		return now.Sub(p.began), "The evaluation of rules has not begun.", nil
	}
	var worst time.Duration
	var late []string
	p.meet(all, now)
	for _, e := range all {
		begin, due := p.since[e.Group]
		if !due {
			continue
		}
		at := later(e.At, begin)
		if lag := now.Sub(at) - e.Every; lag > 0 {
			worst = max(worst, lag)
			late = append(late, e.Group)
		}
	}
	return worst, fmt.Sprintf("%s: the last evaluation is %s late.", strings.Join(late, ", "), worst.Round(time.Second)), nil
}

// meet notes which groups are this replica's to evaluate, and since when: one that a
// reload or another replica brings is not late by what passed before it. The groups of
// the first look have been there since the process began.
func (p *evaluationProbe) meet(all []rules.Evaluated, now time.Time) {
	begin := now
	if p.since == nil {
		p.since = make(map[string]time.Time)
		if p.turn == nil {
			begin = p.began
		}
	}
	due := make(map[string]bool)
	for _, e := range all {
		due[e.Group] = p.turn == nil || p.turn(e.Group)
		if _, ok := p.since[e.Group]; !ok && due[e.Group] {
			p.since[e.Group] = begin
		}
	}
	maps.DeleteFunc(p.since, func(group string, _ time.Time) bool { return !due[group] })
}

//go:embed silent.sql
var silentSQL string

const (
	// silentKnown is how far back the first look reads: what fell silent over a long
	// weekend is silent after a restart too. The looks after it remember.
	silentKnown = 7 * 24 * time.Hour
	silentNews  = 24 * time.Hour
)

// silenceProbe asks ClickHouse when each SLO was last computed: one that spoke and
// does no more has gone silent, for as long as it is declared. ClickHouse that does not
// answer is silence of all of them.
type silenceProbe struct {
	conn   driver.Conn
	stored <-chan struct{}
	slos   map[string]bool      // declared
	began  time.Time            // when ClickHouse was first seen to be there
	last   map[string]time.Time // nil before the first look that was answered
}

func (p *silenceProbe) lag(ctx context.Context, now time.Time) (time.Duration, string, error) {
	select {
	case <-p.stored:
	default:
		return 0, "", errors.New("ClickHouse does not answer yet")
	}
	if p.began.IsZero() {
		p.began = now
	}
	if err := p.read(ctx, now); err != nil {
		return 0, "", err
	}
	var worst time.Duration
	var silent []string
	for _, slo := range slices.Sorted(maps.Keys(p.last)) {
		// What this process has not had the time to compute is not silent: the last
		// findings after a stop are as old as the stop.
		last := p.last[slo]
		if last.Before(p.began) {
			last = p.began
		}
		if lag := now.Sub(last); lag > 0 {
			worst = max(worst, lag)
			silent = append(silent, fmt.Sprintf("%s (%s)", slo, lag.Round(time.Second)))
		}
	}
	return worst, "Last computed: " + strings.Join(silent, ", ") + " ago.", nil
}

// read adds to what is remembered.
func (p *silenceProbe) read(ctx context.Context, now time.Time) error {
	since := now.Add(-silentNews)
	if p.last == nil {
		since = now.Add(-silentKnown)
	}
	rows, err := p.conn.Query(ctx, silentSQL, clickhouse.Named("since", since.UnixMilli()))
	if err != nil {
		return fmt.Errorf("ask ClickHouse for the last findings: %w", err)
	}
	defer func() { _ = rows.Close() }() // rows.Err tells
	known := make(map[string]time.Time)
	maps.Copy(known, p.last)
	for rows.Next() {
		var slo string
		var last time.Time
		if err := rows.Scan(&slo, &last); err != nil {
			return fmt.Errorf("read the last findings: %w", err)
		}
		if p.slos[slo] {
			known[slo] = later(known[slo], last)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read the last findings: %w", err)
	}
	p.last = known
	return nil
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
