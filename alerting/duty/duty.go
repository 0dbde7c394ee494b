package duty

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/alerting"
)

// Config says how replicas share the rule groups: as members of a consumer group.
type Config struct {
	// Topic is the internal topic, Group the consumer group. Default
	// plumbline.rule-groups for both.
	Topic string `yaml:"topic"`
	Group string `yaml:"group"`
	// Partitions is in how many parts the rule groups are shared; it cannot be
	// changed while the topic exists. Default 8.
	Partitions int `yaml:"partitions"`
	// Replication of the topic. Default 1; a real Kafka takes 3.
	Replication int `yaml:"replication"`
	// Session is after how long without a sign of life a member is replaced.
	// With Rebalance it bounds the failover. Default 10 s and 5 s.
	Session   time.Duration `yaml:"session"`
	Rebalance time.Duration `yaml:"rebalance"`
}

// DefaultConfig returns the defaults: a failover takes at most 15 s and an
// evaluation interval.
func DefaultConfig() Config {
	return Config{
		Topic: "plumbline.rule-groups", Group: "plumbline.rule-groups", Partitions: 8, Replication: 1,
		Session: 10 * time.Second, Rebalance: 5 * time.Second,
	}
}

// Validate returns every problem, each naming its key.
func (c Config) Validate() error {
	var errs []error
	if c.Topic == "" || c.Group == "" {
		errs = append(errs, errors.New("topic, group: one is empty"))
	}
	if c.Partitions < 1 || c.Replication < 1 {
		errs = append(errs, fmt.Errorf("partitions, replication: %d and %d, one is not above zero", c.Partitions, c.Replication))
	}
	if c.Session < time.Second || c.Rebalance < time.Second {
		errs = append(errs, fmt.Errorf("session, rebalance: %s and %s, one is under 1s", c.Session, c.Rebalance))
	}
	return errors.Join(errs...)
}

// Announcer tells the replicas of a term before it is used. Its error is an
// *alerting.FencedError if one knows a greater.
type Announcer interface {
	Announce(ctx context.Context, term alerting.Term) error
}

// Member is one candidate for duties. Make it with New, run it with Run.
type Member struct {
	cfg    Config
	deps   Dependencies
	client *kafka.Client

	raising sync.Mutex // held while a term is raised

	mu         sync.Mutex
	terms      map[int]int64 // by partition
	generation committer     // nil without a part in the present one
}

// committer is what raises terms: Kafka refuses it once its generation is over.
type committer interface {
	CommitOffsets(offsets map[string]map[int]int64) error
}

// Dependencies are what a member is connected to.
type Dependencies struct {
	// Brokers are of the Kafka that shares the rule groups out. Dialer and Transport
	// reach it; nil are kafka-go's own.
	Brokers   []string
	Dialer    *kafka.Dialer
	Transport *kafka.Transport
	// Announcer may be nil: then replicas hear of a term with its first alert.
	Announcer Announcer
	Registry  prometheus.Registerer
	Logger    *slog.Logger
}

// New returns a member that has no duty.
func New(cfg Config, deps Dependencies) (*Member, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("duty: %w", err)
	}
	m := &Member{
		cfg: cfg, deps: deps, terms: make(map[int]int64),
		client: &kafka.Client{Addr: kafka.TCP(deps.Brokers...), Timeout: cfg.Session},
	}
	if deps.Transport != nil {
		m.client.Transport = deps.Transport
	}
	duties := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "plumbline_duty_shares", Help: "Shares of the rule groups that this replica speaks for.",
	}, func() float64 { return float64(m.Duties()) })
	if err := deps.Registry.Register(duties); err != nil {
		return nil, fmt.Errorf("duty: %w", err)
	}
	return m, nil
}

// Term returns the term under which this member evaluates a rule group, false if
// another does.
func (m *Member) Term(group string) (alerting.Term, bool) {
	p := m.partition(group)
	m.mu.Lock()
	defer m.mu.Unlock()
	number, ok := m.terms[p]
	return term(p, number), ok
}

// Duties returns how many shares of the rule groups this member has.
func (m *Member) Duties() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.terms)
}

// TakesPart reports whether this member is in the consumer group's present
// generation, with duties or without: as long as any is, every duty is somebody's.
func (m *Member) TakesPart() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.generation != nil
}

func (m *Member) partition(group string) int {
	h := fnv.New32a()
	// A hash never refuses to be written to.
	_, _ = h.Write([]byte(group))
	return int(h.Sum32() % uint32(m.cfg.Partitions))
}

func term(partition int, number int64) alerting.Term {
	return alerting.Term{Share: "rules-" + strconv.Itoa(partition), Number: number}
}

// Run takes part until ctx is done. An error of Kafka costs the duties, which
// another member takes over, and is tried again.
func (m *Member) Run(ctx context.Context) error {
	defer m.drop()
	for ctx.Err() == nil {
		err := m.takePart(ctx)
		m.drop()
		if ctx.Err() != nil {
			return nil
		}
		m.deps.Logger.Warn("rule groups: no part in the consumer group, tried again", "err", err)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
	return nil
}

func (m *Member) takePart(ctx context.Context) error {
	if err := m.ensureTopic(ctx); err != nil {
		return err
	}
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: m.cfg.Group, Brokers: m.deps.Brokers, Dialer: m.deps.Dialer, Topics: []string{m.cfg.Topic},
		SessionTimeout: m.cfg.Session, RebalanceTimeout: m.cfg.Rebalance, HeartbeatInterval: m.cfg.Session / 5,
		// A topic that is deleted, or comes to be, is shared out anew.
		WatchPartitionChanges: true, PartitionWatchInterval: m.cfg.Session / 2,
		JoinGroupBackoff: time.Second, GroupBalancers: []kafka.GroupBalancer{kafka.RoundRobinGroupBalancer{}},
	})
	if err != nil {
		return fmt.Errorf("join the consumer group: %w", err)
	}
	defer func() { _ = group.Close() }() // leaving is a courtesy; the session ends by itself
	for {
		generation, err := group.Next(ctx)
		if err != nil {
			return fmt.Errorf("next generation: %w", err)
		}
		ended := make(chan struct{})
		generation.Start(func(ctx context.Context) {
			<-ctx.Done()
			m.over(ended)
		})
		err = m.take(ctx, generation, generation.Assignments[m.cfg.Topic], ended)
		if err != nil && !errors.Is(err, errOver) {
			return fmt.Errorf("take duties: %w", err)
		}
	}
}

// errOver is returned for what a generation would do that is over: the next follows.
var errOver = errors.New("the generation is over")

// take raises the terms of the assigned partitions, tells the replicas, and only
// then has the duties.
func (m *Member) take(ctx context.Context, generation committer, assigned []kafka.PartitionAssignment, ended <-chan struct{}) error {
	terms := make(map[int]int64)
	for _, a := range assigned {
		terms[a.ID] = max(a.Offset, 0) + 1
	}
	if len(terms) == 0 {
		if err := m.othersHave(ctx); err != nil {
			return err
		}
		m.have(generation, terms, ended)
		return nil
	}
	if err := m.commit(ctx, generation, terms, ended); err != nil {
		return err
	}
	refused := m.tell(ctx, terms)
	m.have(generation, terms, ended)
	for _, r := range refused {
		if _, _, err := m.Raise(r.Term, r.Known); err != nil {
			m.deps.Logger.Warn("rule groups: a term is raised with its first alert", "err", err)
		}
	}
	return nil
}

// commit raises terms. As long as it cannot, nobody speaks for the rule groups: it is
// tried again, and given up with the place in the group after a session, so that the
// groups are shared out anew.
func (m *Member) commit(ctx context.Context, generation committer, terms map[int]int64, ended <-chan struct{}) error {
	late := time.NewTimer(m.cfg.Session)
	defer late.Stop()
	for {
		err := generation.CommitOffsets(map[string]map[int]int64{m.cfg.Topic: terms})
		if err == nil {
			return nil
		}
		m.deps.Logger.Warn("rule groups: duties are not taken yet", "err", err)
		select {
		case <-time.After(time.Second):
		case <-ended:
			return errOver
		case <-late.C:
			return fmt.Errorf("raise terms: %w", err)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// othersHave returns an error if the consumer group is settled and nobody in it has a
// part: its leader found no topic to share out. A group that cannot be asked is taken
// to be well, for whoever leaves it disturbs all.
func (m *Member) othersHave(ctx context.Context) error {
	answer, err := m.client.DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{m.cfg.Group}})
	if err == nil && slices.ContainsFunc(answer.Groups, idle) {
		return fmt.Errorf("nobody has a part of topic %s", m.cfg.Topic)
	}
	if err != nil {
		m.deps.Logger.Warn("rule groups: this replica has none, and cannot ask who has", "err", err)
	}
	return nil
}

// idle reports whether a group has settled on giving nothing to anybody.
func idle(g kafka.DescribeGroupsResponseGroup) bool {
	return g.Error == nil && g.GroupState == "Stable" && !slices.ContainsFunc(g.Members, func(member kafka.DescribeGroupsResponseMember) bool {
		return slices.ContainsFunc(member.MemberAssignments.Topics, func(t kafka.GroupMemberTopic) bool { return len(t.Partitions) > 0 })
	})
}

// Raise lifts a term that a replica refused over the one that it knows, if this
// member still has the duty, and returns the one to speak under. Terms begin anew where
// Kafka has no offsets any more: another Kafka, topic or group, or offsets that
// expired. What keeps a former evaluator out then is the generation alone: Kafka
// refuses the commit. An error leaves it open, and is tried again with the next alert.
func (m *Member) Raise(refused alerting.Term, known int64) (raised alerting.Term, held bool, err error) {
	m.raising.Lock()
	defer m.raising.Unlock()
	p, number, generation := m.heldAs(refused.Share)
	switch {
	case generation == nil:
		return alerting.Term{}, false, nil
	case number > known:
		return term(p, number), true, nil
	case known == math.MaxInt64:
		return alerting.Term{}, true, fmt.Errorf("raise %s: no term is greater than %d", refused, known)
	}
	if err := generation.CommitOffsets(map[string]map[int]int64{m.cfg.Topic: {p: known + 1}}); err != nil {
		return alerting.Term{}, true, fmt.Errorf("raise %s over %d: %w", refused, known, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.generation != generation {
		return alerting.Term{}, false, nil
	}
	m.terms[p] = known + 1
	m.deps.Logger.Warn("rule groups: replicas remember a later term than Kafka does; ours is raised over it", "refused", refused, "term", known+1)
	return term(p, known+1), true, nil
}

// heldAs returns the duty that a term is of; without it there is no generation.
func (m *Member) heldAs(share string) (partition int, number int64, generation committer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for p, number := range m.terms {
		if term(p, number).Share == share {
			return p, number, m.generation
		}
	}
	return 0, 0, nil
}

// announcements is how many terms are announced at once.
const announcements = 16

// tell announces terms, for no longer than a rebalance may take: a replica that
// does not answer must not keep the rules waiting, and hears of the term with its
// first alert. It returns what replicas refused.
func (m *Member) tell(ctx context.Context, terms map[int]int64) (refused []*alerting.FencedError) {
	if m.deps.Announcer == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, m.cfg.Rebalance)
	defer cancel()
	var all sync.WaitGroup
	var mu sync.Mutex
	slots := make(chan struct{}, announcements)
	for p, number := range terms {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			err := m.deps.Announcer.Announce(ctx, term(p, number))
			if fenced := new(alerting.FencedError); errors.As(err, &fenced) {
				mu.Lock()
				defer mu.Unlock()
				refused = append(refused, fenced)
			} else if err != nil {
				m.deps.Logger.Warn("rule groups: a replica hears of the term with its first alert", "err", err)
			}
		})
	}
	all.Wait()
	return refused
}

// have gives this member duties, unless the generation is over already.
func (m *Member) have(generation committer, terms map[int]int64, ended <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-ended:
	default:
		m.terms, m.generation = terms, generation
	}
}

// over ends a generation: first what it may still be given, then what it has.
func (m *Member) over(ended chan<- struct{}) {
	close(ended)
	m.drop()
}

func (m *Member) drop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.terms, m.generation = make(map[int]int64), nil
}

func (m *Member) ensureTopic(ctx context.Context) error {
	known, err := m.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{m.cfg.Topic}})
	if err != nil {
		return fmt.Errorf("look for topic %s: %w", m.cfg.Topic, err)
	}
	for _, t := range known.Topics {
		if t.Name == m.cfg.Topic && t.Error == nil {
			return m.sized(len(t.Partitions))
		}
	}
	r, err := m.client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{
		Topic: m.cfg.Topic, NumPartitions: m.cfg.Partitions, ReplicationFactor: m.cfg.Replication,
	}}})
	if err == nil {
		err = r.Errors[m.cfg.Topic]
	}
	if err != nil && !errors.Is(err, kafka.TopicAlreadyExists) {
		return fmt.Errorf("create topic %s: %w", m.cfg.Topic, err)
	}
	return nil
}

// sized refuses another number of partitions: two members would not agree on
// whose a rule group is.
func (m *Member) sized(partitions int) error {
	if partitions != m.cfg.Partitions {
		return fmt.Errorf("topic %s has %d partitions, configured are %d; set duty.partitions to %d or name another topic", m.cfg.Topic, partitions, m.cfg.Partitions, partitions)
	}
	return nil
}
