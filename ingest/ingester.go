package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/ingest/dial"
	"github.com/plumbline-slo/plumbline/ingest/fetch"
	"github.com/plumbline-slo/plumbline/ingest/privacy"
	"github.com/plumbline-slo/plumbline/storage"
)

// Dependencies are what an Ingester needs from others. DB is required.
type Dependencies struct {
	DB      *storage.DB
	Noticer Noticer
	// Raw says whether raw rows are stored now; nil means always.
	Raw      RawGate
	Registry prometheus.Registerer
	Logger   *slog.Logger
	// Now is the wall clock; nil means time.Now.
	Now func() time.Time
}

// maxRefusals is after how many refused attempts to join in a row people are
// told: one alone may be a broker that is starting.
const maxRefusals = 3

// Ingester consumes the configured topics as one member of a consumer group and
// stores what it reads exactly once. Any number may run in one group.
type Ingester struct {
	cfg     Config
	db      *storage.DB
	noticer Noticer
	log     *slog.Logger
	now     func() time.Time
	metrics *metrics

	fetches      *fetch.Fetcher
	coordination *link
	letters      *letterbox
	pools        map[string]*sync.Pool // of rows, by topic
	plans        map[string]string     // by topic
	privacy      *privacy.Filter
	parkings     parkings
	pausings     parkings
	waitings     parkings
	gate         gate
}

// New returns an Ingester that does nothing until Run.
func New(cfg Config, deps Dependencies) (*Ingester, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if len(cfg.Brokers) == 0 {
		return nil, errors.New("brokers: empty; name at least one Kafka address")
	}
	if deps.DB == nil {
		return nil, errors.New("ingest: no database")
	}
	fetches, err := fetch.New(cfg.fetch())
	if err != nil {
		return nil, err
	}
	policy, err := privacy.New(cfg.Privacy)
	if err != nil {
		return nil, err
	}
	m, err := newMetrics(deps.Registry)
	if err != nil {
		return nil, fmt.Errorf("ingest metrics: %w", err)
	}
	i := &Ingester{
		cfg: cfg, db: deps.DB, noticer: deps.Noticer, log: deps.Logger, now: deps.Now, metrics: m,
		fetches: fetches, coordination: newLink(cfg, 10*time.Second),
		privacy: policy, pools: map[string]*sync.Pool{}, plans: map[string]string{},
	}
	if i.gate.RawGate = deps.Raw; deps.Raw == nil {
		i.gate.RawGate = openGate{}
	}
	if i.noticer == nil {
		i.noticer = discard{}
	}
	if i.log == nil {
		i.log = slog.New(slog.DiscardHandler)
	}
	if i.now == nil {
		i.now = time.Now
	}
	for _, topic := range cfg.ConsumedTopics() {
		if _, err := cfg.newRows(topic, policy); err != nil {
			return nil, err
		}
		i.pools[topic] = &sync.Pool{New: func() any { r, _ := cfg.newRows(topic, policy); return r }}
		i.plans[topic] = cfg.plan(topic, policy)
		m.start(topic, cfg.holdsPredictions(topic))
	}
	return i, nil
}

// ConsumedTopics are the topics that ingest reads.
func (c Config) ConsumedTopics() []string {
	var names []string
	for _, s := range c.AllSources() {
		names = append(names, s.Topic)
	}
	return names
}

// Run consumes until ctx is done. It returns only then, or if the group cannot
// be configured: everything else is retried, parked or noticed.
func (i *Ingester) Run(ctx context.Context) error {
	i.letters = newLetterbox(i.cfg, i.privacy.Keys())
	defer i.letters.close()
	defer i.coordination.close()
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: i.cfg.Group, Brokers: i.cfg.Brokers, Topics: i.cfg.ConsumedTopics(),
		Dialer:            i.cfg.Dialer.Kafka("plumbline"),
		HeartbeatInterval: i.cfg.SessionTimeout / 5, SessionTimeout: i.cfg.SessionTimeout,
		RebalanceTimeout: max(i.cfg.SessionTimeout, 2*grace), JoinGroupBackoff: 500 * time.Millisecond,
		WatchPartitionChanges: true, PartitionWatchInterval: 5 * time.Second,
	})
	if err != nil {
		return fmt.Errorf("consumer group %s: %w", i.cfg.Group, err)
	}
	defer group.Close()
	for refusals := 0; ; {
		generation, err := group.Next(ctx)
		if ctx.Err() != nil {
			return nil
		}
		refusals = i.countRefusals(ctx, refusals, err)
		if err != nil {
			i.metrics.retries.WithLabelValues("join").Inc()
			i.log.Warn("join consumer group", "group", i.cfg.Group, "err", err)
			continue
		}
		i.start(ctx, generation)
	}
}

// countRefusals returns how many attempts to join in a row were refused for a
// cause that no retry mends. At maxRefusals people are told, and once more when
// Kafka takes this service again.
func (i *Ingester) countRefusals(ctx context.Context, before int, err error) int {
	object := strings.Join(i.cfg.Brokers, ",")
	switch {
	case err == nil:
		if before >= maxRefusals {
			i.notice(ctx, NoticeAccepted, object, "Kafka takes this service again: it has joined the consumer group %s.", i.cfg.Group)
		}
		return 0
	case !dial.Refused(err) && !errors.Is(err, kafka.GroupAuthorizationFailed) && !errors.Is(err, kafka.TopicAuthorizationFailed):
		// An outage. What people were told stands.
		if before < maxRefusals {
			return 0
		}
	case before+1 == maxRefusals:
		i.notice(ctx, NoticeRefused, object, "Kafka refuses this service, and no event is read: join consumer group %s: %s.", i.cfg.Group, err)
	}
	return min(before+1, maxRefusals)
}

// start runs a worker for each assigned partition until the generation ends.
func (i *Ingester) start(ctx context.Context, g *kafka.Generation) {
	assigned := make(map[place]bool)
	for topic, partitions := range g.Assignments {
		for _, p := range partitions {
			w := newWorker(i, member{g.GroupID, int(g.ID), g.MemberID}, topic, p.ID)
			g.Start(w.run)
			assigned[w.place()] = true
		}
	}
	i.handedOver(ctx, assigned)
	i.log.Info("assigned", "generation", g.ID, "topics", len(g.Assignments))
}

func (i *Ingester) notice(ctx context.Context, kind NoticeKind, object, format string, args ...any) {
	n := Notice{Kind: kind, Object: object, Text: fmt.Sprintf(format, args...)}
	i.log.Warn("notice", "kind", n.Kind, "object", n.Object, "text", n.Text)
	if err := i.noticer.Notice(ctx, n); err != nil {
		i.metrics.retries.WithLabelValues("notice").Inc()
		i.log.Warn("notice", "err", err)
	}
}
